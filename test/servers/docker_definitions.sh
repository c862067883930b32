#!/bin/sh
#
# test/servers/docker_definitions.sh
#    what docker-compose.yml's database begins with: the definitions of the demo
#
# Run by the image's entrypoint, by a server that only it can reach, when the
# volume is empty.  What fails here ends the container; an empty volume then
# makes it begin anew.
set -eu

cd /usr/local/share/userstream
define() { psql -X -q -v ON_ERROR_STOP=1 -U postgres -d app "$@" >/dev/null; }

define -v address=kafka:9092 -v api_url='http://api:8000/api/?results=1000' -v private=true -f demo.sql
define -v address=cassandra:9042 -f demo_mirror.sql
define -f role.sql
define -f demo_dashboard.sql
define -v password="$(cat /run/secrets/dashboard_password)" <<'END'
SET password_encryption = 'scram-sha-256';
ALTER ROLE userstream_dashboard PASSWORD :'password';
END
