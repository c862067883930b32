# test/bench/parts/latency.sh
#    from when a message is produced until its row can be seen, at several rates

rates=${BENCH_LATENCY_RATES:-10 1000 20000}
seconds=${BENCH_LATENCY_S:-20}
linger_ms=${BENCH_LATENCY_LINGER_MS:-5}	# 5 is the default of librdkafka and of Java's producer
warm_s=2							# of these seconds the first do not count

# the worker is there, and has read all of nothing
wait_for_worker() {
	bench_psql -c "DO \$\$ BEGIN
		FOR n IN 1 .. 600 LOOP
			IF (SELECT state = 'caught_up' FROM userstream.stream_status WHERE stream = 'bench') THEN RETURN; END IF;
			PERFORM pg_sleep(0.1);
		END LOOP;
		RAISE 'the stream does not run: %', (SELECT row_to_json(s) FROM userstream.stream_status s);
	END \$\$"
}

# run_rate RUN RATE
run_rate() {
	sent=$(($2 * seconds))
	empty_table arrival
	topic "$address" create "bench_rate$2_$1:4:message.timestamp.type=LogAppendTime"
	bench_psql -c "SELECT userstream.create_stream('bench', server => 'kafka', topic => 'bench_rate$2_$1',
		target => 'bench.arrival', columns => '{\"stored_at\": \"@timestamp\"}')" >/dev/null
	wait_for_worker
	bench_psql -c "CALL bench.look($sent, $timeout_s)" &
	looker=$!
	test/bench/pace "$2" "$seconds" | produce "$address" "bench_rate$2_$1" linger.ms="$linger_ms" compression.codec=lz4
	wait "$looker"
	bench_psql -v run="$1" -v rate="$2" -v sent="$sent" -v warm_s="$warm_s" -f test/bench/latency.sql
}

run_rates() {
	for rate in $rates; do
		run_rate "$1" "$rate"
	done
}

start_postgres
start_kafka
bench_psql -f test/bench/latency_setup.sql
take_turns run_rates
bench_table -f test/bench/latency_report.sql
