# test/bench/parts/formats.sh
#    the same rows in each format, against those that come as JSON
#
# One worker, into the table with a key, which each stream finds empty.

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
	bench_psql -c "CREATE SERVER registry FOREIGN DATA WRAPPER userstream_http OPTIONS (url '$registry', allow_private 'true')"
}

# change events as Debezium writes them, with and without their schema
produce_debezium() {
	# as CSV, whose quote is in no message: it leaves their backslashes alone
	form="(FORMAT csv, DELIMITER E'\\t', QUOTE E'\\b')"
	bench_psql -c "COPY (SELECT id, bench.event(s) FROM bench.source s) TO '$files/messages' $form"
	produce_lines bench_debezium
	bench_psql -c "COPY (SELECT id, bench.event_with_schema(s) FROM bench.source s) TO '$files/messages' $form"
	produce_lines bench_debezium_schema
}

produce_csv() {
	bench_psql -c "COPY bench.source TO '$files/lines' (FORMAT csv)"
	sed 's/^\([^,]*\),/\1\t&/' "$files/lines" > "$files/messages"
	rm "$files/lines"
	produce_lines bench_csv
}

# run_format RUN WAY TOPIC FORMAT [OPTIONS]
run_format() {
	empty_table with_key
	run_stream "$1" formats with_key "$2" 1 "$3" append - "${5:-{\}}" "$4"
}

run_formats() {
	run_format "$1" json bench_json json
	run_format "$1" avro bench_avro avro '{"registry": "registry"}'
	run_format "$1" debezium bench_debezium debezium
	run_format "$1" 'debezium, schema' bench_debezium_schema debezium
	run_format "$1" csv bench_csv csv
}

start_postgres
start_kafka
make_rows "$mode_messages" bench_json
bench_psql -f test/bench/formats.sql
produce_json bench_json
produce_avro
produce_debezium
produce_csv
bench_psql -c 'DROP FUNCTION bench.event, bench.event_with_schema' -c 'DROP TABLE bench.source'
take_turns run_formats
report json
