# test/bench/parts/idle.sh
#    what streams cost that have nothing to read
#
# idle_streams streams, each of a topic of its own with one partition, all caught
# up; then for idle_s seconds what launcher, supervisor and stream workers,
# librdkafka's threads included, run and how often they wake.  By the
# scheduler's own account, in ns: the 1/100 s of others would be too coarse.

idle_streams=${BENCH_IDLE_STREAMS:-20}
idle_s=${BENCH_IDLE_S:-60}

# each thread of ours, but of the supervisor that looks at database postgres and leaves:
# type of its process, pid, thread, its name, ns run, times it went to sleep
look_at_threads() {
	bench_psql -F ' ' -c "SELECT replace(backend_type, 'userstream ', ''), pid FROM pg_stat_activity
			WHERE backend_type LIKE 'userstream %' AND datname IS DISTINCT FROM 'postgres'" |
		while read -r type pid; do
			for thread in "/proc/$pid/task"/*; do
				echo "$type $pid ${thread##*/} $(tr ' ' '_' < "$thread/comm")" \
					"$(cut -d ' ' -f 1 "$thread/schedstat")" \
					"$(sed -n 's/^voluntary_ctxt_switches:[[:space:]]*//p' "$thread/status")"
			done
		done
}

# ten seconds more: what comes once after a start is over by then
wait_until_idle() {
	looks=0
	until [ "$(bench_psql -c "SELECT count(*) FROM userstream.stream_status WHERE state = 'caught_up'")" = "$idle_streams" ]; do
		looks=$((looks + 1))
		[ "$looks" -lt "$timeout_s" ] || { echo "streams are not caught up after $timeout_s s" >&2; return 1; }
		sleep 1
	done
	sleep 10
}

start_kafka
start_postgres "max_worker_processes = $((idle_streams + 16))"
topic "$address" create $(seq -f 'idle%.0f:1' "$idle_streams")
bench_psql -v n="$idle_streams" -f - <<-'SQL'
	CREATE TABLE bench.idle (n integer);
	SELECT userstream.create_stream('idle' || i, 'kafka', 'idle' || i, 'bench.idle') FROM generate_series(1, :n) i \g /dev/null
SQL
wait_until_idle
look_at_threads > "$files/before"
sleep "$idle_s"
look_at_threads > "$files/after"

echo "$idle_streams idle streams for $idle_s s: % of a core, and how often a second a thread woke"
awk -v s="$idle_s" '
	{ key = $1 " " $2 " " $3 }
	FNR == NR { ns[key] = $5; wakes[key] = $6; next }
	!(key in ns) { print "a process or thread came meanwhile: " $0 > "/dev/stderr"; failed = 1; exit }
	{
		part = $1 != "stream" ? $1 : $2 == $3 ? "stream: the worker itself" : "stream: " $4
		run[part] += $5 - ns[key]
		woke[part] += $6 - wakes[key]
		all += $5 - ns[key]
		n += $6 - wakes[key]
	}
	END {
		if (failed)
			exit 1
		for (part in run)
			printf "%-32s %8.3f %8.1f\n", part, run[part] / s / 1e7, woke[part] / s | "sort"
		close("sort")
		printf "%-32s %8.3f %8.1f\n", "all", all / s / 1e7, n / s
	}' "$files/before" "$files/after"
