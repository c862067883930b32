# test/bench/lib.sh
#    what the parts of the measurements share; sourced by test/bench/run
#
# A part is a file test/bench/parts/NAME.sh that is sourced too.  It calls
# start_postgres and whatever else it needs, measures by take_turns, and prints
# its table; test/bench/run ends its servers and removes its data.

messages=${BENCH_MESSAGES:-1000000}
mode_messages=${BENCH_MODE_MESSAGES:-200000}
runs=${BENCH_RUNS:-3}
timeout_s=${BENCH_TIMEOUT:-300}
kafka_port=${BENCH_KAFKA_PORT:-22092}
cassandra_port=${BENCH_CASSANDRA_PORT:-22042}
http_port=${BENCH_HTTP_PORT:-22095}
pg_port=${BENCH_PG_PORT:-22097}
work=${USERSTREAM_WORK:?see test/servers/env.sh}
files=$work/files					# what a part makes besides servers
address=127.0.0.1:$kafka_port		# of Kafka
cassandra=127.0.0.1:$cassandra_port

say() { echo "--- $*"; }

connect() {
	psql -X -q -h "$(cat "$work/socket")" -p "$pg_port" -U postgres -d bench -v ON_ERROR_STOP=1 "$@"
}

# as rows for programs, and as tables for people
bench_psql() { connect -At "$@"; }
bench_table() { connect -P footer=off -P null=- "$@"; }

# start_postgres [SETTING]...: a new cluster; in it a database with what watches runs
start_postgres() {
	{
		cat <<-END
		shared_buffers = 1GB
		max_wal_size = 8GB
		min_wal_size = 2GB
		checkpoint_timeout = 1h
		wal_level = replica
		fsync = on
		synchronous_commit = on
		autovacuum = off
		track_commit_timestamp = on
		timezone = 'UTC'
		END
		printf '%s\n' "$@"
	} | postgres_init "$work" "$pg_port"
	postgres_start "$work"
	psql -X -q -h "$(cat "$work/socket")" -p "$pg_port" -U postgres -d postgres -c 'CREATE DATABASE bench'
	bench_psql -v address="$address" -f test/bench/setup.sql >/dev/null
}

# made to be fast in the long run
start_kafka() {
	KAFKA_JVM='-XX:+UseG1GC -XX:MaxGCPauseMillis=20' test/servers/kafka start "$work/kafka" "$kafka_port"
}

start_cassandra() {
	CASSANDRA_HEAP=1500m CASSANDRA_JVM='-XX:+UseG1GC' \
		test/servers/cassandra start "$work/cassandra" "$cassandra_port"
}

# of whatever part; peer is a program that a part started
peer=
stop() {
	if [ -n "$peer" ]; then
		kill "$peer" 2>/dev/null || :
		wait "$peer" || :
	fi
	peer=
	postgres_stop "$work" || :
	[ ! -d "$work/kafka" ] || test/servers/kafka stop "$work/kafka" || :
	[ ! -d "$work/cassandra" ] || test/servers/cassandra stop "$work/cassandra" || :
	for api in api registry; do
		[ ! -d "$work/$api" ] || test/servers/api stop "$work/$api" || :
	done
	[ ! -d "$work/dashboard" ] || test/servers/dashboard stop "$work/dashboard" || :
	rm -rf "$work/pg" "$work/kafka" "$work/cassandra" "$work/api" "$work/registry" "$work/dashboard" "$files"
}

# make_rows MESSAGES TOPIC: table bench.source, which the topic will have as messages
make_rows() {
	bench_psql -v messages="$1" -v topic="$2" -f test/bench/rows.sql
}

# write_rows TOPIC: the rows of bench.source, for run_copy
write_rows() {
	bench_psql -c "COPY bench.source TO '$files/$1.tsv'"
}

# produce_lines TOPIC [CODEC [PARTITIONS]]: key, TAB and value from each line of files/messages
produce_lines() {
	topic "$address" create "$1:${3:-4}"
	kcat -q -P -b "$address" -t "$1" -z "${2:-lz4}" -K '\t' -X linger.ms=50 -l "$files/messages"
	count=$(wc -l < "$files/messages")
	say "$1: $count messages of $(($(cut -f 2- "$files/messages" | wc -c) / count - 1)) bytes, ${2:-lz4}, partitions: ${3:-4}"
	rm "$files/messages"
}

# produce_json TOPIC [CODEC [PARTITIONS]]: the rows of bench.source
produce_json() {
	bench_psql -c "COPY (SELECT id, row_to_json(s) FROM bench.source s) TO '$files/messages'"
	produce_lines "$@"
}

# empty_table TABLE: and nothing of it is left to be written
empty_table() {
	bench_psql -c "TRUNCATE bench.$1" -c CHECKPOINT
}

# run_copy RUN TABLE TOPIC [SET]: the rows of the topic, by COPY
run_copy() {
	empty_table "$2"
	bench_psql -v file="$files/$3.tsv" -v run="$1" -v set="${4:-$2}" -v table="$2" -v topic="$3" -f test/bench/copy.sql
}

# run_stream RUN SET TABLE WAY WORKERS TOPIC MODE TRANSFORM OPTIONS [FORMAT [OWNER]]
run_stream() {
	bench_psql -v run="$1" -v set="$2" -v table="$3" -v way="$4" -v workers="$5" -v topic="$6" \
		-v mode="$7" -v transform="$8" -v options="$9" -v format="${10:-json}" -v owner="${11:-postgres}" -v timeout_s="$timeout_s" \
		-f test/bench/stream.sql
}

# take_turns FUNCTION: calls it with 0, which is not recorded, then with 1, 2 and so on.
# After the first the WAL segments exist, so no run pays for making them.
take_turns() {
	turn=0
	while [ "$turn" -le "$runs" ]; do
		"$1" "$turn"
		[ "$turn" -eq 0 ] || say "run $turn of $runs done"
		turn=$((turn + 1))
	done
}

# report BASE: the sets that have this way
report() {
	bench_table -v base="$1" -v title="$1 = 1" -f test/bench/report.sql
}

# compare: the lines for sql/comparison.md
compare() {
	say 'lines of sql/comparison.md:'
	bench_psql -f test/bench/comparison.sql
}
