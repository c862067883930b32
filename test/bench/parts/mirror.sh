# test/bench/parts/mirror.sh
#    the same rows into Cassandra by a mirror that copies, by one that follows, by a driver

# what the mirror makes, emptied
empty_copy() {
	cql "$cassandra" 'TRUNCATE bench.mirrored' >/dev/null 2>&1 || :
}

check_copy() {
	copies=$(cql "$cassandra" 'SELECT count(*) FROM bench.mirrored' 2>/dev/null)
	[ "$copies" = "$mode_messages" ] || { echo "only $copies rows in Cassandra" >&2; return 1; }
}

# run_mirror RUN WAY
run_mirror() {
	empty_table mirrored
	empty_copy
	bench_psql -v run="$1" -v way="$2" -v file="$files/rows.tsv" -v timeout_s="$timeout_s" -f test/bench/mirror.sql
	check_copy
}

# run_driver RUN
run_driver() {
	empty_copy
	bench_psql -c "INSERT INTO bench.result (run, set, way, topic, seconds, cpu_s, anon_kb)
		SELECT $1, 'mirror', 'driver', 'bench_mirror', $(test/bench/driver "$cassandra" bench.mirrored "$files/rows.tsv")
		WHERE $1 > 0"
	check_copy
}

# the first, which counts for nothing, makes the table and warms Cassandra
run_mirrors() {
	run_mirror "$1" 'mirror, rows copied'
	run_mirror "$1" 'mirror, changes'
	run_driver "$1"
}

start_postgres 'wal_level = logical'
start_cassandra
make_rows "$mode_messages" bench_mirror
bench_psql -c "COPY bench.source TO '$files/rows.tsv'" -c 'DROP TABLE bench.source'
bench_psql -v address="$cassandra" -f test/bench/mirror_setup.sql >/dev/null
take_turns run_mirrors
bench_table -v rows="$mode_messages" -f test/bench/mirror_report.sql
compare
