# test/bench/parts/dashboard.sh
#    how long the dashboard's pages take when there is much to show
#
# Prints for each page: the time for one reader who is the first one, the part
# of it that PostgreSQL takes, and the times for many readers at once.

readers=50
requests=1000

# times of 21 requests that nobody made before: page, its share of PostgreSQL, bytes
look_alone() {
	n=0
	while [ "$n" -lt 21 ]; do
		n=$((n + 1))
		curl -s -o /dev/null -D "$files/head" -w '%{time_total} %{size_download} ' \
			"http://127.0.0.1:$http_port$1$2refresh=a$n"
		tr -d '\r' < "$files/head" | sed -n 's/^Server-Timing: db;dur=//p'
	done > "$files/times"
	for field in 1 3; do
		sort -n -k "$field,$field" "$files/times" | awk -v f="$field" 'NR == 11 { printf "%s ", f == 1 ? $1 * 1000 : $f }'
	done
	awk 'END { print $2 }' "$files/times"
}

# p50 and p99 of all requests, in ms, and requests a second
look_together() {
	ab -q -n "$requests" -c "$readers" -e "$files/percent" "http://127.0.0.1:$http_port$1" > "$files/ab" 2>&1 ||
		{ cat "$files/ab" >&2; return 1; }
	! grep -q 'Non-2xx' "$files/ab" || { cat "$files/ab" >&2; return 1; }
	awk -F, '$1 == 50 || $1 == 99 { printf "%.1f ", $2 }' "$files/percent"
	awk '/^Requests per second/ { printf "%.0f\n", $4 }' "$files/ab"
}

start_postgres 'userstream.enabled = off'
bench_psql -c 'CREATE DATABASE dashboard'
bench_psql -v users="$messages" -v letters=$((messages / 10)) -d dashboard -f test/bench/dashboard.sql >/dev/null
PGHOST=$(cat "$work/socket") PGPORT=$pg_port PGUSER=postgres PGDATABASE=dashboard \
	test/servers/dashboard start "$work/dashboard" "$http_port" "$USERSTREAM_STATE/dashboard"
letter=$(bench_psql -d dashboard -c 'SELECT max(id) FROM userstream.dead_letter')

echo "$messages users, $((messages / 10)) dead letters, 20 streams of 20 partitions, 100,800 runs;" \
	"times in ms, together: $readers readers, $requests requests"
printf '%-40s %9s %9s %9s %12s %12s %9s\n' page alone 'of it SQL' kB 'together p50' p99 'per s'
for page in / /streams /streams/users /feeds /feeds/feed1 /dead-letters '/dead-letters?stream=users' \
	'/dead-letters?stream=users&before=50000' "/dead-letters/$letter" /mirrors; do
	case $page in
		*\?*) more='&' ;;
		*) more='?' ;;
	esac
	set -- $(look_alone "$page" "$more") $(look_together "$page")
	printf '%-40s %9.1f %9.1f %9.1f %12.1f %12.1f %9s\n' "$page" "$1" "$2" "$(echo "$3" | awk '{ print $1 / 1024 }')" "$4" "$5" "$6"
done
set -- $(look_together /metrics)
printf '%-40s %9s %9s %9s %12.1f %12.1f %9s\n' /metrics - - - "$1" "$2" "$3"
