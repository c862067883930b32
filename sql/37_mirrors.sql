-- Mirrors: definitions, positions, the functions that change them, and the
-- view that shows them.
--
-- The rules of sql/10_tables.sql hold here too.  The publication of a mirror
-- is made and dropped with it; its slot cannot be (it is of no transaction),
-- so the worker makes it and the supervisor drops it.

CREATE SEQUENCE mirror_id_seq;
CREATE TABLE mirror (
	id					bigint PRIMARY KEY DEFAULT pg_catalog.nextval('userstream.mirror_id_seq'),
	name				text NOT NULL UNIQUE,
	owner				text NOT NULL,
	owner_oid			oid NOT NULL,
	target				text NOT NULL,
	target_oid			oid NOT NULL,
	server				text NOT NULL,
	server_oid			oid NOT NULL,
	keyspace			text NOT NULL,
	table_name			text NOT NULL,
	columns				jsonb,
	create_table		boolean NOT NULL,
	copy_data			boolean NOT NULL,
	options				jsonb NOT NULL,
	timezone			text NOT NULL,
	paused				boolean NOT NULL DEFAULT false,
	stop_reason			text,
	stopped_at			timestamptz,
	home				text NOT NULL,
	config_version		integer NOT NULL DEFAULT 1,
	created_at			timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON SEQUENCE mirror_id_seq IS 'gives mirror.id; dumped, so that a restored database does not give a number twice';
COMMENT ON TABLE mirror IS 'definitions of mirrors, one row each; changed by the functions only, read through mirror_status';
COMMENT ON COLUMN mirror.id IS 'number of the mirror; never given twice';
COMMENT ON COLUMN mirror.name IS 'name of the mirror, unique, 1 to 63 bytes, matched exactly';
COMMENT ON COLUMN mirror.owner IS 'name of the owner when last written; counts only away from home';
COMMENT ON COLUMN mirror.owner_oid IS 'pg_authid.oid of the owner, as whom the worker connects; counts only at home';
COMMENT ON COLUMN mirror.target IS 'the table that is copied when last written, qualified and quoted; counts only away from home';
COMMENT ON COLUMN mirror.target_oid IS 'pg_class.oid of that table; counts only at home';
COMMENT ON COLUMN mirror.server IS 'name of the foreign server when last written; counts only away from home';
COMMENT ON COLUMN mirror.server_oid IS 'pg_foreign_server.oid of the server; counts only at home';
COMMENT ON COLUMN mirror.keyspace IS 'Cassandra keyspace, exactly so written';
COMMENT ON COLUMN mirror.table_name IS 'Cassandra table in it, exactly so written';
COMMENT ON COLUMN mirror.columns IS 'names in Cassandra of the table''s columns, where they differ; JSON null: left out; null: all by their names';
COMMENT ON COLUMN mirror.create_table IS 'whether the worker makes keyspace, table and new columns in Cassandra';
COMMENT ON COLUMN mirror.copy_data IS 'whether the rows that are there at the start are copied too';
COMMENT ON COLUMN mirror.options IS 'options as given, without those left at their default';
COMMENT ON COLUMN mirror.timezone IS 'TimeZone in which timestamps become text: that of the creator''s session';
COMMENT ON COLUMN mirror.paused IS 'whether pause_mirror keeps it from running';
COMMENT ON COLUMN mirror.stop_reason IS 'why the mirror stopped and waits for a person; null: it did not';
COMMENT ON COLUMN mirror.stopped_at IS 'time at which it stopped; null: it did not';
COMMENT ON COLUMN mirror.home IS 'where the definition may run: system identifier / oid of the database';
COMMENT ON COLUMN mirror.config_version IS 'raised by every change of the definition; a worker started for an older one ends';
COMMENT ON COLUMN mirror.created_at IS 'time of create_mirror';

-- updated after transactions of the table: room for HOT updates
CREATE TABLE mirror_position (
	mirror_id			bigint PRIMARY KEY,
	lsn					pg_lsn,
	last_timestamp		bigint NOT NULL DEFAULT 0,
	epoch				bigint NOT NULL DEFAULT 1,
	clear_first			boolean NOT NULL DEFAULT false,
	shape				jsonb,
	rows_mirrored		bigint NOT NULL DEFAULT 0,
	deletes				bigint NOT NULL DEFAULT 0,
	parked				bigint NOT NULL DEFAULT 0,
	last_error			text,
	last_error_at		timestamptz
) WITH (fillfactor = 50);
COMMENT ON TABLE mirror_position IS 'where each mirror stands in the WAL, and its counters';
COMMENT ON COLUMN mirror_position.mirror_id IS 'mirror.id';
COMMENT ON COLUMN mirror_position.lsn IS 'all transactions that end before it are in Cassandra; null: the mirror starts with a copy of the rows';
COMMENT ON COLUMN mirror_position.last_timestamp IS 'write timestamp of the last change before lsn, microseconds since 1970';
COMMENT ON COLUMN mirror_position.epoch IS 'raised whenever the position is set from outside; a worker that started from an older one fails';
COMMENT ON COLUMN mirror_position.clear_first IS 'whether the table in Cassandra is emptied before the rows are copied';
COMMENT ON COLUMN mirror_position.shape IS 'columns of the table by number, with names, types and versions, its partitions and its files, when the worker last looked, and the columns and the id of the table in Cassandra; null: it has not';
COMMENT ON COLUMN mirror_position.rows_mirrored IS 'rows inserted or updated in Cassandra, again after a replay';
COMMENT ON COLUMN mirror_position.deletes IS 'rows deleted in Cassandra, again after a replay';
COMMENT ON COLUMN mirror_position.parked IS 'rows stored as dead letters, ever';
COMMENT ON COLUMN mirror_position.last_error IS 'why the last row was parked; null: none was';
COMMENT ON COLUMN mirror_position.last_error_at IS 'time of last_error; null: none yet';

SELECT pg_catalog.pg_extension_config_dump('userstream.mirror', '');
SELECT pg_catalog.pg_extension_config_dump('userstream.mirror_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('userstream.mirror_position', '');

CREATE FUNCTION create_mirror(
	name text,
	target regclass,
	server name,
	keyspace text,
	table_name text,
	columns jsonb DEFAULT NULL,
	create_table boolean DEFAULT true,
	copy_data boolean DEFAULT true,
	options jsonb DEFAULT '{}',
	if_not_exists boolean DEFAULT false)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_create_mirror';
COMMENT ON FUNCTION create_mirror(text, regclass, name, text, text, jsonb, boolean, boolean, jsonb, boolean) IS
'define and start a mirror: the copy of a table kept in Cassandra; makes a publication of the table, and its worker a replication slot; needs wal_level logical, the table and REPLICATION; columns null: all by their names, create_table: make keyspace, table and columns that are missing, copy_data: copy the rows that are there';

CREATE FUNCTION alter_mirror(
	name text,
	server name DEFAULT NULL,
	keyspace text DEFAULT NULL,
	table_name text DEFAULT NULL,
	columns jsonb DEFAULT NULL,
	create_table boolean DEFAULT NULL,
	options jsonb DEFAULT NULL,
	owner name DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_alter_mirror';
COMMENT ON FUNCTION alter_mirror(text, name, text, text, jsonb, boolean, jsonb, name) IS
'change a mirror; null keeps, columns => ''{}'' clears, options are merged and a JSON null removes one; another server, keyspace, table or other columns have all rows copied anew';

CREATE FUNCTION drop_mirror(name text, if_exists boolean DEFAULT false)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_drop_mirror';
COMMENT ON FUNCTION drop_mirror(text, boolean) IS
'end a mirror: its definition, publication and replication slot go; the table in Cassandra and dead letters stay; if_exists: a NOTICE instead of an error where there is none';

CREATE FUNCTION pause_mirror(name text)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_pause_mirror';
COMMENT ON FUNCTION pause_mirror(text) IS
'stop the worker of a mirror until resume_mirror, also across restarts; meanwhile the changes stay in the WAL';

CREATE FUNCTION resume_mirror(name text)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_resume_mirror';
COMMENT ON FUNCTION resume_mirror(text) IS
'let a mirror that was paused, or that stopped, go on from where it stands; closes its incidents';

CREATE FUNCTION resync_mirror(name text)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_resync_mirror';
COMMENT ON FUNCTION resync_mirror(text) IS
'begin a mirror anew: empty the table in Cassandra, copy all rows, and follow from there with a new replication slot';

CREATE FUNCTION _mirror_live(
	OUT mirror_id bigint,
	OUT owner text,
	OUT target text,
	OUT state text,
	OUT problem text,
	OUT note text,
	OUT hosts text,
	OUT lag_bytes bigint,
	OUT lag_seconds double precision,
	OUT retained_wal_bytes bigint,
	OUT rows_per_second double precision,
	OUT in_flight integer,
	OUT write_p99_seconds double precision,
	OUT last_error text,
	OUT last_error_at timestamptz,
	OUT failing_since timestamptz)
RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'us_mirror_live';
COMMENT ON FUNCTION _mirror_live() IS
'private: state and worker of each mirror that the current user may see, from shared memory; problem: why the definition cannot run, note: why nothing can run on this server now, each null when there is none';

CREATE VIEW mirror_status WITH (security_barrier) AS
SELECT m.name AS mirror,
	   l.owner,
	   l.state,
	   l.target,
	   m.keyspace,
	   m.table_name,
	   l.hosts,
	   l.lag_bytes,
	   l.lag_seconds,
	   l.retained_wal_bytes,
	   l.rows_per_second,
	   p.rows_mirrored,
	   p.deletes,
	   p.parked,
	   l.in_flight,
	   l.write_p99_seconds,
	   coalesce(l.problem, l.note, CASE WHEN l.last_error_at >= p.last_error_at OR p.last_error IS NULL
										THEN l.last_error ELSE p.last_error END) AS last_error,
	   CASE WHEN l.problem IS NOT NULL THEN m.stopped_at
			WHEN l.note IS NULL THEN greatest(l.last_error_at, p.last_error_at)
	   END AS last_error_at,
	   least(m.stopped_at, l.failing_since) AS failing_since,
	   m.created_at
FROM userstream.mirror m
JOIN userstream.mirror_position p ON p.mirror_id = m.id
JOIN userstream._mirror_live() l ON l.mirror_id = m.id;
COMMENT ON VIEW mirror_status IS 'mirrors of the current role (all of them for members of pg_monitor), one row each';
COMMENT ON COLUMN mirror_status.mirror IS 'name of the mirror';
COMMENT ON COLUMN mirror_status.owner IS 'role that owns the mirror and as which its worker reads';
COMMENT ON COLUMN mirror_status.state IS 'starting (also: copying the rows), running, caught_up, waiting (for Cassandra), blocked (by something inside), paused, stopped (needs a person)';
COMMENT ON COLUMN mirror_status.target IS 'table that is copied, qualified and quoted';
COMMENT ON COLUMN mirror_status.keyspace IS 'Cassandra keyspace';
COMMENT ON COLUMN mirror_status.table_name IS 'Cassandra table';
COMMENT ON COLUMN mirror_status.hosts IS 'node that it is connected to, else those that it tries; null: the server is gone';
COMMENT ON COLUMN mirror_status.lag_bytes IS 'bytes of WAL that were written and are not in Cassandra, those of other tables too; 0 when caught up; null: not started';
COMMENT ON COLUMN mirror_status.lag_seconds IS 'age of the oldest transaction under way to Cassandra in seconds, 0 when caught up; null: unknown';
COMMENT ON COLUMN mirror_status.retained_wal_bytes IS 'bytes of WAL that the server keeps for this mirror; null: it has no slot';
COMMENT ON COLUMN mirror_status.rows_per_second IS 'rows written a second lately; null: no worker runs';
COMMENT ON COLUMN mirror_status.rows_mirrored IS 'rows inserted or updated in Cassandra';
COMMENT ON COLUMN mirror_status.deletes IS 'rows deleted in Cassandra';
COMMENT ON COLUMN mirror_status.parked IS 'rows that Cassandra will never take, stored as dead letters, ever';
COMMENT ON COLUMN mirror_status.in_flight IS 'writes that Cassandra has not answered; null: no worker runs';
COMMENT ON COLUMN mirror_status.write_p99_seconds IS 'time that 99 of 100 of the last thousand writes took at most; null: none lately';
COMMENT ON COLUMN mirror_status.last_error IS 'why the mirror does not run and what continues it, else its last error, over or not; null: none';
COMMENT ON COLUMN mirror_status.last_error_at IS 'time of last_error; null: none, or it is found anew at each look';
COMMENT ON COLUMN mirror_status.failing_since IS 'time since which the worker fails or the mirror is stopped; null: neither';
COMMENT ON COLUMN mirror_status.created_at IS 'time of create_mirror; its counters count since then';
