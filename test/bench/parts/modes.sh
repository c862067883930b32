# test/bench/parts/modes.sh
#    what a stream can do, against a stream that appends JSON
#
# One worker, into the table with a key.

# run_mode RUN WAY MODE TRANSFORM OPTIONS
run_mode() {
	if [ "$2" = 'upsert, all known' ]; then
		bench_psql -c CHECKPOINT
	else
		empty_table with_key
	fi
	run_stream "$1" modes with_key "$2" 1 bench_modes "$3" "$4" "$5"
}

# all known: the rows of all new are still there
run_modes() {
	run_mode "$1" 'append' append - '{}'
	run_mode "$1" 'upsert, all new' upsert - '{}'
	run_mode "$1" 'upsert, all known' upsert - '{}'
	run_mode "$1" 'transform to jsonb' append 'bench.to_document(jsonb)' '{}'
	run_mode "$1" 'transform to rows' append 'bench.to_rows(jsonb)' '{}'
	run_mode "$1" 'filter' append - '{"filter": "bench.is_wanted(jsonb)"}'
}

start_postgres
start_kafka
make_rows "$mode_messages" bench_modes
produce_json bench_modes
bench_psql -c 'DROP TABLE bench.source' -f test/bench/modes.sql
take_turns run_modes
report append
