#!/bin/sh
#
# dashboard/docker.sh
#    the container's program: the password into a file that libpq reads, then lighttpd
set -eu
umask 077

run=/run/userstream
here=/usr/local/share/userstream

# colon and backslash mean something to it
password=$(sed 's/[:\\]/\\&/g' /run/secrets/dashboard_password)
printf '*:*:*:%s:%s\n' "$PGUSER" "$password" > "$run/pgpass"

export PGPASSFILE="$run/pgpass"
export USERSTREAM_RUN="$run" USERSTREAM_LOG=/dev/stderr USERSTREAM_HTTP_PORT=5000
export USERSTREAM_DASHBOARD=/usr/local/bin/userstream-dashboard USERSTREAM_WWW="$here/www"
exec lighttpd -D -f "$here/docker.conf"
