# test/bench/parts/peers.sh
#    the same messages by others: a Python program, Debezium's JDBC sink and Spark into the same
#    table, ClickHouse's Kafka engine into one of its own
#
# What they are is fetched by test/servers/deps; README.md has their settings.

peer_messages=${BENCH_PEER_MESSAGES:-200000}
connect_port=$((kafka_port + 2))
libs=$USERSTREAM_STATE/connect/libs
spark=$USERSTREAM_STATE/spark/libs

# field NAME [TYPE]: of Kafka Connect's schema; TYPE a name that Debezium knows, of what is a string
field() {
	printf '{"type":"string","optional":true,"field":"%s"%s}' "$1" "${2:+,\"name\":\"io.debezium.$2\",\"version\":1}"
}

schema() {
	printf '{"type":"struct","optional":false,"fields":[%s' "$(field id data.Uuid)"
	for name in first_name last_name gender address email username phone picture nationality; do
		printf ',%s' "$(field "$name")"
	done
	printf ',%s,%s]}' "$(field dob time.ZonedTimestamp)" "$(field registered_at time.ZonedTimestamp)"
}

# write_connect NAME MODE: the name is also that of the consumer group
write_connect() {
	cat > "$files/worker.properties" <<-END
	bootstrap.servers=$address
	listeners=HTTP://127.0.0.1:$connect_port
	offset.storage.file.filename=$files/offsets
	plugin.discovery=service_load
	plugin.path=$libs
	key.converter=org.apache.kafka.connect.storage.StringConverter
	value.converter=org.apache.kafka.connect.json.JsonConverter
	value.converter.schemas.enable=true
	value.converter.schema.content=$(schema)
	END
	cat > "$files/sink.properties" <<-END
	name=$1
	connector.class=io.debezium.connector.jdbc.JdbcSinkConnector
	topics=bench_peers
	tasks.max=1
	consumer.override.max.poll.records=10000
	consumer.override.fetch.min.bytes=1000000
	connection.url=jdbc:postgresql://127.0.0.1:$pg_port/bench?reWriteBatchedInserts=true
	connection.username=peer
	connection.password=$password
	collection.name.format=bench.with_key
	insert.mode=$2
	primary.key.mode=record_value
	primary.key.fields=id
	schema.evolution=none
	batch.size=5000
	END
}

start_connect() {
	exec java -Xmx1g -Dorg.slf4j.simpleLogger.defaultLogLevel=warn -cp "$libs/*" \
		org.apache.kafka.connect.cli.ConnectStandalone "$files/worker.properties" "$files/sink.properties" \
		</dev/null >"$work/peer.log" 2>&1
}

start_consumer() {
	exec "$USERSTREAM_STATE/python/bin/python" test/bench/consumer "$address" bench_peers "$1" \
		"host=127.0.0.1 port=$pg_port dbname=bench user=peer password=$password" bench.with_key \
		</dev/null >"$work/peer.log" 2>&1
}

# start_spark RUN: five batches; the hundred is for partitions that are not equal.
# The packages are of those that Spark's own launcher opens to it, since Java 17 opens none.
start_spark() {
	opens=
	for package in java.io java.lang java.lang.invoke java.net java.nio java.util java.util.concurrent sun.nio.ch sun.util.calendar; do
		opens="$opens --add-opens=java.base/$package=ALL-UNNAMED"
	done
	exec java -Xmx1g $opens -cp "$files/spark:$spark/*" SparkUsers "$address" bench_peers \
		"jdbc:postgresql://127.0.0.1:$pg_port/bench?user=peer&password=$password&reWriteBatchedInserts=true&stringtype=unspecified" \
		bench.with_key "$files/spark$1" $((peer_messages / 5 + 100)) </dev/null >"$work/peer.log" 2>&1
}

# run_peer RUN WAY COMMAND...
run_peer() {
	peer_run=$1
	way=$2
	shift 2
	"$@" &
	peer=$!
	measure_peer "$peer_run" "$way" "$peer" || { tail -n 30 "$work/peer.log" >&2; return 1; }
	kill "$peer"
	wait "$peer" || :
	peer=
}

# measure_peer RUN WAY PID
measure_peer() {
	bench_psql -v run="$1" -v way="$2" -v pid="$3" -v timeout_s="$timeout_s" -f test/bench/peers.sql
}

# run_clickhouse RUN: it tells what it took, and its rows come into the table for the comparison only
run_clickhouse() {
	empty_table with_key
	mkdir "$files/clickhouse"
	"$USERSTREAM_STATE/python/bin/python" test/bench/clickhouse "$address" bench_peers "clickhouse$1" "$files/clickhouse" \
		"$peer_messages" "$timeout_s" > "$files/clickhouse/took"
	read -r seconds start_s cpu_s anon_kb < "$files/clickhouse/took"
	bench_psql -v run="$1" -v seconds="$seconds" -v start_s="$start_s" -v cpu_s="$cpu_s" -v anon_kb="$anon_kb" \
		-v file="$files/clickhouse/rows.tsv" -f test/bench/clickhouse.sql
	rm -rf "$files/clickhouse"
}

run_peers() {
	empty_table with_key
	bench_psql -c "SELECT userstream.create_stream('bench', server => 'kafka', topic => 'bench_peers',
		target => 'bench.with_key')" >/dev/null
	measure_peer "$1" 'stream' ''
	bench_psql -c "SELECT userstream.drop_stream('bench')" >/dev/null
	empty_table with_key
	run_peer "$1" 'Python, COPY' start_consumer "python$1"
	for mode in insert upsert; do
		empty_table with_key
		write_connect "$mode$1" "$mode"
		run_peer "$1" "Debezium, $mode" start_connect
	done
	empty_table with_key
	run_peer "$1" 'Spark, append' start_spark "$1"
	rm -rf "$files/spark$1"
	run_clickhouse "$1"
}

# one batch has no beginning and end
[ "$peer_messages" -ge 20000 ] || { echo "bench: BENCH_PEER_MESSAGES is 20000 at least" >&2; exit 2; }
test/servers/deps peers "$USERSTREAM_STATE"
java -cp "$spark/*" org.eclipse.jdt.internal.compiler.batch.Main -17 -proc:none -d "$files/spark" test/bench/SparkUsers.java
password=$(head -c 18 /dev/urandom | base64 | tr '+/' ab)
# they come by TCP, as JDBC knows nothing else; nobody else may
cat > "$files/hba" <<END
local all all trust
host bench peer 127.0.0.1/32 scram-sha-256
END
start_postgres "listen_addresses = '127.0.0.1'" "hba_file = '$files/hba'"
start_kafka
make_rows "$peer_messages" bench_peers
produce_json bench_peers
bench_psql -v password="$password" -c 'DROP TABLE bench.source' -f test/bench/peers_setup.sql
take_turns run_peers
report stream
compare
