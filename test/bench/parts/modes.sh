# test/bench/parts/modes.sh
#    what a stream can do, against a stream that appends JSON
#
# One worker, into the table with a key.

# the same rows as Avro, the moments as microseconds, and a registry that has the schema
produce_avro() {
	fields=
	for name in id first_name last_name gender address email username phone picture nationality; do
		fields="$fields{\\\"name\\\":\\\"$name\\\",\\\"type\\\":\\\"string\\\"},"
	done
	for name in dob registered_at; do
		fields="$fields{\\\"name\\\":\\\"$name\\\",\\\"type\\\":{\\\"type\\\":\\\"long\\\",\\\"logicalType\\\":\\\"timestamp-micros\\\"}},"
	done
	test/servers/api start "$work/registry" 0
	registry="http://$(cat "$work/registry/address")/registry"
	schema=$(curl -sS -H 'Content-Type: application/json' "$registry/subjects/bench_avro-value/versions" \
		-d "{\"schema\":\"{\\\"type\\\":\\\"record\\\",\\\"name\\\":\\\"user\\\",\\\"fields\\\":[${fields%,}]}\"}" |
		tr -dc 0-9)
	topic "$address" create bench_avro:4
	bench_psql -v id="$schema" -f test/bench/avro.sql | grep '^-' |
		produce "$address" bench_avro compression.codec=lz4 linger.ms=50
	bench_psql -c "CREATE SERVER registry FOREIGN DATA WRAPPER userstream_http
			OPTIONS (url '$registry', allow_private 'true')" \
		-c "INSERT INTO bench.expected SELECT 'bench_avro', n, checksum FROM bench.expected WHERE topic = 'bench_modes'"
}

# run_mode RUN WAY MODE TRANSFORM OPTIONS [TOPIC FORMAT]
run_mode() {
	if [ "$2" = 'upsert, all known' ]; then
		bench_psql -c CHECKPOINT
	else
		empty_table with_key
	fi
	run_stream "$1" modes with_key "$2" 1 "${6:-bench_modes}" "$3" "$4" "$5" "${7:-json}"
}

# all known: the rows of all new are still there
run_modes() {
	run_mode "$1" 'append' append - '{}'
	run_mode "$1" 'append, avro' append - '{"registry": "registry"}' bench_avro avro
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
produce_avro
bench_psql -c 'DROP TABLE bench.source' -f test/bench/modes.sql
take_turns run_modes
report append
