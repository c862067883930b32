# test/bench/parts/feed.sh
#    pages of a sample API through a transform into a topic

# ticks of 1/100 s: of a process, and of all cores
ticks_of() { sed 's/^.*) //' "/proc/$1/stat" | awk '{ print $12 + $13 }'; }
ticks() { awk '/^cpu / { print $2 + $3 + $4 + $7 + $8 }' /proc/stat; }

# one session, whose producer goes on; its CPU time by part is told by the runs themselves
call_feed() {
	{
		echo "SET client_min_messages = debug1;"
		seq "$runs" | sed "s/.*/CALL userstream.run_feed('bench');/"
		echo "SELECT 'peak RSS of the backend: ' || substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)')::int / 1024 || ' MB';"
	} | bench_psql 2>"$files/feed.log"
}

# a tenth of the messages, in pages of 10,000 that the API has made before
start_postgres
start_kafka
records=$((messages / 10))
test/servers/api start "$work/api" 0
bench_psql -f test/bench/feed.sql \
	-v url="http://$(cat "$work/api/address")/kept?gzip=1&seed=1&results=10000&total=$records"
broker=$(cat "$work/kafka/pid")
before="$(date +%s.%N) $(ticks) $(ticks_of "$broker")"
call_feed
after="$(date +%s.%N) $(ticks) $(ticks_of "$broker")"
bench_table -f test/bench/feed_report.sql
awk -v n=$((records * runs)) -v cores="$(nproc)" -v before="$before" -v after="$after" '
	/CPU time of feed/ {
		for (i = 1; i < NF; i++) if ($i ~ /^(fetch|read|transform|produce|rest|threads)$/) {
			sum[$i] += $(i + 1); all += $(i + 1)
		}
	}
	END {
		split(before, b, " "); split(after, a, " "); s = a[1] - b[1]
		printf "CPU us a record: fetch and inflate %.1f, parse and split %.1f, transform %.1f, produce %.1f, " \
			"rest %.1f, librdkafka'"'"'s threads %.1f; all %.1f\n", sum["fetch"] / n, sum["read"] / n,
			sum["transform"] / n, sum["produce"] / n, sum["rest"] / n, sum["threads"] / n, all / n
		printf "busy of %d cores: %.2f; of it backend %.2f, broker %.2f, others %.2f\n", cores, (a[2] - b[2]) / 100 / s,
			all / 1e6 / s, (a[3] - b[3]) / 100 / s, (a[2] - b[2] - a[3] + b[3]) / 100 / s - all / 1e6 / s
	}' "$files/feed.log"
