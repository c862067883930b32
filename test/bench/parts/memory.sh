# test/bench/parts/memory.sh
#    a worker's memory over many small messages
#
# memory_messages messages of some 20 bytes, in memory_shares shares: the worker
# reads one while the next is produced.  After each share stands its anonymous
# memory; at the end how much more it takes per million messages, by the line
# that fits the second half of the shares best.

memory_messages=${BENCH_MEMORY_MESSAGES:-20000000}
memory_shares=40
share=$((memory_messages / memory_shares))

produce_share() {
	seq -f '{"n": %.0f}' $((($1 - 1) * share + 1)) $(($1 * share)) |
		kcat -q -P -b "$address" -t memory -z lz4 -X linger.ms=50 -X queue.buffering.max.messages=200000
}

# wait_for_messages N
wait_for_messages() {
	bench_psql -v n="$1" -v timeout_s="$timeout_s" \
		-c "SELECT 1 FROM bench.watch('memory', $1, $timeout_s)" >/dev/null
}

start_kafka
start_postgres
topic "$address" create memory:4
bench_psql -c 'CREATE TABLE bench.memory (n integer)' \
	-c "SELECT userstream.create_stream('memory', 'kafka', 'memory', 'bench.memory')" >/dev/null
i=1
while [ "$i" -le "$memory_shares" ]; do
	produce_share "$i"
	wait_for_messages $((i * share))
	bench_psql -F ' ' -c "SELECT $((i * share)) / 1e6, bench.anon_kb(pids[1]::text) / 1024.0
		FROM userstream.stream_status" >> "$files/memory"
	# the target is not what is measured
	bench_psql -c 'TRUNCATE bench.memory'
	i=$((i + 1))
done

echo "a worker's RssAnon over $memory_messages messages"
awk '
	{ x[NR] = $1; y[NR] = $2 }
	NR % 4 == 0 { printf "%12.2f million %8.1f MB\n", $1, $2 }
	END {
		for (i = int(NR / 2) + 1; i <= NR; i++) { n++; sx += x[i]; sy += y[i]; sxx += x[i] * x[i]; sxy += x[i] * y[i] }
		printf "%+.3f MB per million messages\n", (n * sxy - sx * sy) / (n * sxx - sx * sx)
	}' "$files/memory"
