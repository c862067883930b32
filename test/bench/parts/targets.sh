# test/bench/parts/targets.sh
#    tables with more than a key, each by server-side COPY and by one worker
#
# COPY FROM refuses whom a policy applies to, so it is always a superuser's.

run_targets() {
	for table in with_key foreign_key row_trigger partitions generated row_security; do
		run_copy "$1" "$table" bench_targets
		empty_table "$table"
		[ "$table" = row_security ] && owner=clerk || owner=postgres
		run_stream "$1" "$table" "$table" stream 1 bench_targets append - '{}' json "$owner"
	done
}

start_postgres
start_kafka
make_rows "$mode_messages" bench_targets
write_rows bench_targets
produce_json bench_targets
bench_psql -f test/bench/targets.sql -c 'DROP TABLE bench.source'
take_turns run_targets
report COPY
