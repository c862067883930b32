# test/bench/parts/shapes.sh
#    rows, tables, topics and workers of other sizes, each against COPY of the same rows
#
# Around one default, only one thing differs at a time.

megabytes=${BENCH_SHAPE_MB:-200}

# make_shape NAME COLUMNS WIDTH [CODEC:PARTITIONS]...: a topic each, the first with the name alone
make_shape() {
	bench_psql -v name="$1" -v columns="$2" -v width="$3" -v megabytes="$megabytes" -f test/bench/shape.sql
	write_rows "$1"
	produce_json "$1"
	name=$1
	shift 3
	for variant; do
		topic_of "$name" "$variant"
		produce_json "$topic" "${variant%:*}" "${variant#*:}"
		bench_psql -c "INSERT INTO bench.expected SELECT '$topic', n, checksum FROM bench.expected WHERE topic = '$name'"
	done
	bench_psql -c 'DROP TABLE bench.source'
}

# topic_of NAME CODEC:PARTITIONS
topic_of() { topic=$1.$(echo "$2" | tr : .); }

# run_shape RUN SET TABLE WAY WORKERS TOPIC
run_shape() {
	empty_table "$3"
	run_stream "$1" "$2" "$3" "$4" "$5" "$6" append - '{}'
}

# run_pair RUN SET NAME
run_pair() {
	run_copy "$1" "$3" "$3" "$2"
	run_shape "$1" "$2" "$3" stream 1 "$3"
}

variants='none:4 gzip:4 snappy:4 zstd:4 lz4:1 lz4:16 lz4:64'

run_shapes() {
	run_pair "$1" '12 columns, 430 B' plain
	for variant in $variants; do
		topic_of plain "$variant"
		case $variant in
			lz4:1) way='1 partition' ;;
			lz4:*) way="${variant#*:} partitions" ;;
			*) way=${variant%:*} ;;
		esac
		run_shape "$1" '12 columns, 430 B' plain "$way" 1 "$topic"
	done
	for workers in 2 3 4; do
		run_shape "$1" '12 columns, 430 B' plain "$workers workers" "$workers" plain
	done
	run_pair "$1" '12 columns, 4 kB' wide
	run_pair "$1" '12 columns, 100 B' narrow
	run_pair "$1" '5 columns of 8 B' columns5
	run_pair "$1" '100 columns of 8 B' columns100
	run_pair "$1" '500 columns of 8 B' columns500
}

start_postgres
start_kafka
make_shape plain 12 38 $variants
make_shape wide 12 371
make_shape narrow 12 8
make_shape columns5 5 8
make_shape columns100 100 8
make_shape columns500 500 8
take_turns run_shapes
report COPY
