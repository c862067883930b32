# test/bench/parts/copy.sh
#    the same rows by server-side COPY, by one worker and by two

# run_plain RUN TABLE WORKERS
run_plain() {
	empty_table "$2"
	run_stream "$1" "$2" "$2" "stream, $3 worker$([ "$3" -eq 1 ] || echo s)" "$3" bench_users append - '{}'
}

run_copies() {
	for table in no_key with_key; do
		run_copy "$1" "$table" bench_users
		run_plain "$1" "$table" 1
		run_plain "$1" "$table" 2
	done
}

start_postgres
start_kafka
# what COPY reads and what the streams read come from the same rows
make_rows "$messages" bench_users
write_rows bench_users
produce_json bench_users
bench_psql -c 'DROP TABLE bench.source'
take_turns run_copies
report COPY
compare
