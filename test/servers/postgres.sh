# test/servers/postgres.sh
#    a private PostgreSQL cluster for demo and tests; to be sourced
#
# Needs userstream_env (env.sh).  A cluster is a folder DIR with
#    pg/       the data folder        log       the server's log
#    socket    the name of its socket folder: in /tmp, because a socket's path
#              may have 107 bytes only, and closed to others, because whoever
#              can connect is superuser
# It listens on no network address.

# postgres_init DIR PORT: makes the cluster; further configuration on stdin
postgres_init() {
	rm -rf "$1/pg"
	mkdir -p "$1"
	postgres_socket "$1"
	initdb -D "$1/pg" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync \
		>"$1/initdb.log" 2>&1 || { cat "$1/initdb.log" >&2; return 1; }
	{
		cat <<-END
		port = $2
		listen_addresses = ''
		unix_socket_directories = '$(cat "$1/socket")'
		shared_preload_libraries = 'userstream'
		wal_level = logical
		max_worker_processes = 32
		max_connections = 50
		shared_buffers = 256MB
		max_wal_size = 2GB
		log_line_prefix = '%m [%p] %b '
		END
		cat
	} >> "$1/pg/postgresql.conf"
}

postgres_socket() {
	if [ ! -d "$(cat "$1/socket" 2>/dev/null)" ]; then
		mktemp -d /tmp/us.XXXXXX > "$1/socket"
	fi
}

# a session of its own and none of our descriptors: see test/servers/kafka
postgres_start() {
	postgres_socket "$1"
	setsid pg_ctl -D "$1/pg" -l "$1/log" -w -t 600 -s start \
		</dev/null >>"$1/log" 2>&1 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- ||
		{ tail -n 20 "$1/log" >&2; return 1; }
}

# A killed postmaster may still be there as a zombie, which pg_ctl takes for
# a server; a zombie has no command line.
postgres_running() {
	_us_pid=$(head -n 1 "$1/pg/postmaster.pid" 2>/dev/null) || return 1
	tr '\0' '\n' 2>/dev/null < "/proc/$_us_pid/cmdline" | grep -qxF "$1/pg"
}

# fast, and if that takes too long, at once
postgres_stop() {
	if postgres_running "$1"; then
		pg_ctl -D "$1/pg" -m fast -w -t 30 -s stop ||
			pg_ctl -D "$1/pg" -m immediate -w -t 30 -s stop ||
			! postgres_running "$1"
	fi
	if [ -s "$1/socket" ]; then
		rm -rf "$(cat "$1/socket")" "$1/socket"
	fi
}
