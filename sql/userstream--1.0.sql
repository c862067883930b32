-- userstream: run from CREATE EXTENSION only
\echo Use "CREATE EXTENSION userstream" to load this file. \quit

-- A schema of our name that was there before CREATE EXTENSION keeps its owner,
-- who could put objects beside ours; only someone who could do all anyway may
-- own it.  Nor may it hold anything yet, or be open to others: what they put
-- there could be taken for ours, by the rest of this script or by a caller.
DO $$
BEGIN
	IF NOT (SELECT r.rolsuper OR r.rolname = current_user
			FROM pg_catalog.pg_namespace n
			JOIN pg_catalog.pg_roles r ON r.oid = n.nspowner
			WHERE n.nspname = 'userstream')
	THEN
		RAISE invalid_schema_definition USING
			MESSAGE = 'schema "userstream" belongs to a role that is not a superuser',
			HINT = 'Drop that schema, or ALTER SCHEMA userstream OWNER TO CURRENT_USER.';
	END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_depend d
			   JOIN pg_catalog.pg_namespace n ON n.oid = d.refobjid
			   WHERE d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND n.nspname = 'userstream'
				 AND d.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass)
	THEN
		RAISE invalid_schema_definition USING
			MESSAGE = 'schema "userstream" holds objects already',
			DETAIL = 'They could be taken for the extension''s own.',
			HINT = 'Drop that schema: CREATE EXTENSION makes it.';
	END IF;
	IF EXISTS (SELECT FROM pg_catalog.pg_namespace n, LATERAL pg_catalog.aclexplode(n.nspacl) a
			   WHERE n.nspname = 'userstream' AND a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner)
	THEN
		RAISE invalid_schema_definition USING
			MESSAGE = 'others may create objects in schema "userstream"',
			DETAIL = 'They could be taken for the extension''s own.',
			HINT = 'Drop that schema: CREATE EXTENSION makes it.';
	END IF;
END
$$;
-- Definitions, positions, dead letters, incidents.
--
-- No trigger (so no foreign key) on any of them, a primary key on each, and
-- no reg* column: they must survive pg_dump, pg_upgrade and a restore into a
-- database where the names they hold mean nothing.  A name stands beside the
-- oid that follows its renaming; the oid counts only at home.

CREATE SEQUENCE stream_id_seq;
CREATE TABLE stream (
	id					bigint PRIMARY KEY DEFAULT pg_catalog.nextval('userstream.stream_id_seq'),
	name				text NOT NULL UNIQUE,
	owner				text NOT NULL,
	owner_oid			oid NOT NULL,
	server				text NOT NULL,
	server_oid			oid NOT NULL,
	topic				text NOT NULL,
	target				text NOT NULL,
	target_oid			oid NOT NULL,
	format				text NOT NULL,
	mode				text NOT NULL,
	key					text[],
	columns				jsonb,
	transform			text,
	transform_oid		oid,
	filter_oid			oid,
	start_at			text NOT NULL,
	on_error			text NOT NULL,
	workers				integer NOT NULL,
	options				jsonb NOT NULL,
	timezone			text NOT NULL,
	paused				boolean NOT NULL DEFAULT false,
	stop_reason			text,
	stopped_at			timestamptz,
	home				text NOT NULL,
	config_version		integer NOT NULL DEFAULT 1,
	created_at			timestamptz NOT NULL DEFAULT pg_catalog.now()
);

-- one row per partition, updated by every batch: room for HOT updates
CREATE TABLE stream_position (
	stream_id			bigint NOT NULL,
	partition			integer NOT NULL,
	next_offset			bigint NOT NULL,
	epoch				bigint NOT NULL DEFAULT 1,
	messages_read		bigint NOT NULL DEFAULT 0,
	messages_applied	bigint NOT NULL DEFAULT 0,
	rows_written		bigint NOT NULL DEFAULT 0,
	dead_letters		bigint NOT NULL DEFAULT 0,
	skipped				bigint NOT NULL DEFAULT 0,
	retried				bigint NOT NULL DEFAULT 0,
	last_message_at		timestamptz,
	stopped				boolean NOT NULL DEFAULT false,
	last_error			text,
	last_error_at		timestamptz,
	worker				integer,
	PRIMARY KEY (stream_id, partition)
) WITH (fillfactor = 50);

CREATE SEQUENCE dead_letter_id_seq;
CREATE TABLE dead_letter (
	id					bigint PRIMARY KEY DEFAULT pg_catalog.nextval('userstream.dead_letter_id_seq'),
	owner				text NOT NULL,
	owner_oid			oid NOT NULL,
	home				text NOT NULL,
	stream				text,
	feed				text,
	mirror				text,
	topic				text,
	partition			integer,
	kafka_offset		bigint,
	message_at			timestamptz,
	key					bytea,
	value				bytea,
	headers				jsonb,
	sqlstate			text NOT NULL,
	error				text NOT NULL,
	column_name			text,
	constraint_name		text,
	created_at			timestamptz NOT NULL DEFAULT pg_catalog.now(),
	retries				integer NOT NULL DEFAULT 0,
	retried_at			timestamptz
);
CREATE INDEX dead_letter_stream_idx ON dead_letter (stream, partition, kafka_offset);
-- lists and counts by time, of all and of one thing's
CREATE INDEX dead_letter_created_at_idx ON dead_letter (created_at, id);
CREATE INDEX dead_letter_stream_created_at_idx ON dead_letter (stream, created_at, id);
CREATE INDEX dead_letter_feed_created_at_idx ON dead_letter (feed, created_at, id) WHERE feed IS NOT NULL;
CREATE INDEX dead_letter_mirror_created_at_idx ON dead_letter (mirror, created_at, id) WHERE mirror IS NOT NULL;

CREATE TABLE incident (
	id					bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	owner				text NOT NULL,
	owner_oid			oid NOT NULL,
	stream				text,
	feed				text,
	mirror				text,
	partition			integer,
	kind				text NOT NULL,
	detail				text NOT NULL,
	what_to_do			text,
	opened_at			timestamptz NOT NULL DEFAULT pg_catalog.now(),
	closed_at			timestamptz
);
CREATE INDEX incident_stream_idx ON incident (stream) WHERE closed_at IS NULL;
CREATE INDEX incident_closed_idx ON incident (stream, closed_at, id) WHERE closed_at IS NOT NULL;

CREATE TABLE stream_history (
	stream				text NOT NULL,
	at					timestamptz NOT NULL,
	owner_oid			oid NOT NULL,
	lag_messages		bigint,
	messages_read		bigint NOT NULL,
	rows_written		bigint NOT NULL,
	dead_letters		bigint NOT NULL,
	PRIMARY KEY (stream, at)
);

SELECT pg_catalog.pg_extension_config_dump('userstream.stream', '');
SELECT pg_catalog.pg_extension_config_dump('userstream.stream_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('userstream.stream_position', '');
SELECT pg_catalog.pg_extension_config_dump('userstream.dead_letter', '');
SELECT pg_catalog.pg_extension_config_dump('userstream.dead_letter_id_seq', '');
-- What the tables and their columns hold.

COMMENT ON SCHEMA userstream IS 'feeds of HTTP APIs into Kafka topics, streams from topics into tables, mirrors of tables in Cassandra: definitions, positions, status, and the functions that change them';

COMMENT ON SEQUENCE stream_id_seq IS 'gives stream.id; dumped, so that a restored database does not give a number twice';
COMMENT ON SEQUENCE dead_letter_id_seq IS 'gives dead_letter.id; dumped, so that a restored database does not give a number twice';

COMMENT ON TABLE stream IS 'definitions of streams, one row each; changed by the functions only, read through stream_status';
COMMENT ON COLUMN stream.id IS 'number of the stream; never given twice';
COMMENT ON COLUMN stream.name IS 'name of the stream, unique, 1 to 63 bytes, matched exactly';
COMMENT ON COLUMN stream.owner IS 'name of the owner when last written; counts only away from home';
COMMENT ON COLUMN stream.owner_oid IS 'pg_authid.oid of the owner, as whom the workers connect; counts only at home';
COMMENT ON COLUMN stream.server IS 'name of the foreign server when last written; counts only away from home';
COMMENT ON COLUMN stream.server_oid IS 'pg_foreign_server.oid of the server; counts only at home';
COMMENT ON COLUMN stream.topic IS 'Kafka topic';
COMMENT ON COLUMN stream.target IS 'target table when last written, qualified and quoted; counts only away from home';
COMMENT ON COLUMN stream.target_oid IS 'pg_class.oid of the target table; counts only at home';
COMMENT ON COLUMN stream.format IS 'format of the messages'' values: json, debezium, json_sr, avro, csv, text or bytes';
COMMENT ON COLUMN stream.mode IS 'what a message does to the target: append (each is an insert) or upsert (it changes the row that has its key)';
COMMENT ON COLUMN stream.key IS 'columns that identify a row in mode upsert; null: none';
COMMENT ON COLUMN stream.columns IS 'where columns take their values from, as given; null: each takes the field of its name';
COMMENT ON COLUMN stream.transform IS 'signature of the function that makes the rows, qualified and quoted; null: none';
COMMENT ON COLUMN stream.transform_oid IS 'pg_proc.oid of the function; counts only at home; null: none';
COMMENT ON COLUMN stream.filter_oid IS 'pg_proc.oid of the function in option filter; counts only at home; null: none';
COMMENT ON COLUMN stream.start_at IS 'where the stream was told to start: earliest or latest as given, else the offsets by partition that it came to';
COMMENT ON COLUMN stream.on_error IS 'what becomes of a message that cannot be taken: dead_letter, or stop (the partition stops before it)';
COMMENT ON COLUMN stream.workers IS 'number of workers wanted, 1 to 64; no more than partitions are started';
COMMENT ON COLUMN stream.options IS 'options as given, without those left at their default';
COMMENT ON COLUMN stream.timezone IS 'TimeZone that the rows are made with: that of the creator''s session';
COMMENT ON COLUMN stream.paused IS 'whether pause_stream keeps it from running';
COMMENT ON COLUMN stream.stop_reason IS 'why the stream stopped and waits for a person; null: it did not';
COMMENT ON COLUMN stream.stopped_at IS 'time at which it stopped; null: it did not';
COMMENT ON COLUMN stream.home IS 'where the definition may run: system identifier / oid of the database';
COMMENT ON COLUMN stream.config_version IS 'raised by every change of the definition; workers started for an older one end';
COMMENT ON COLUMN stream.created_at IS 'time of create_stream';

COMMENT ON TABLE stream_position IS 'where each partition of a stream stands, and its counters; written in the transaction that writes the rows';
COMMENT ON COLUMN stream_position.stream_id IS 'stream.id';
COMMENT ON COLUMN stream_position.partition IS 'number of the Kafka partition';
COMMENT ON COLUMN stream_position.next_offset IS 'Kafka offset to read next';
COMMENT ON COLUMN stream_position.epoch IS 'raised whenever the position is set from outside; a worker that started from an older one fails';
COMMENT ON COLUMN stream_position.messages_read IS 'messages that Kafka gave in committed batches';
COMMENT ON COLUMN stream_position.messages_applied IS 'messages of which at least one row reached the target';
COMMENT ON COLUMN stream_position.rows_written IS 'rows written to the target';
COMMENT ON COLUMN stream_position.dead_letters IS 'messages stored as dead letters, ever';
COMMENT ON COLUMN stream_position.skipped IS 'messages left out on purpose, such as tombstones';
COMMENT ON COLUMN stream_position.retried IS 'dead letters that a retry applied later';
COMMENT ON COLUMN stream_position.last_message_at IS 'Kafka''s time of the last message read; null: none yet where the position was set, or none with a time';
COMMENT ON COLUMN stream_position.stopped IS 'whether the partition stopped and waits for a person';
COMMENT ON COLUMN stream_position.last_error IS 'last error of this partition, over or not; null: none yet';
COMMENT ON COLUMN stream_position.last_error_at IS 'time of last_error; null: none yet';
COMMENT ON COLUMN stream_position.worker IS 'worker that the partition was moved to, modulo their number; null: that of its own number';

COMMENT ON TABLE dead_letter IS 'messages (or records of a feed, or mirrored rows) that could not be taken, with their bytes and the reason; each role sees those it owns';
COMMENT ON COLUMN dead_letter.id IS 'number of the dead letter';
COMMENT ON COLUMN dead_letter.owner IS 'owner of the stream, feed or mirror when the letter was stored';
COMMENT ON COLUMN dead_letter.owner_oid IS 'pg_authid.oid of the owner; counts only at home';
COMMENT ON COLUMN dead_letter.home IS 'where it was stored: system identifier / oid of the database';
COMMENT ON COLUMN dead_letter.stream IS 'name of the stream; null: not of a stream';
COMMENT ON COLUMN dead_letter.feed IS 'name of the feed; null: not of a feed';
COMMENT ON COLUMN dead_letter.mirror IS 'name of the mirror; null: not of a mirror';
COMMENT ON COLUMN dead_letter.topic IS 'Kafka topic; null: not from Kafka';
COMMENT ON COLUMN dead_letter.partition IS 'Kafka partition; null: not from Kafka';
COMMENT ON COLUMN dead_letter.kafka_offset IS 'Kafka offset; null: not from Kafka';
COMMENT ON COLUMN dead_letter.message_at IS 'Kafka''s time of the message; null: it has none';
COMMENT ON COLUMN dead_letter.key IS 'key of the message, all bytes; null: it has none';
COMMENT ON COLUMN dead_letter.value IS 'value of the message, all bytes; null: it has none';
COMMENT ON COLUMN dead_letter.headers IS 'headers in order, [{"key": k, "value": v}]; null: none';
COMMENT ON COLUMN dead_letter.sqlstate IS 'SQLSTATE of the error, five characters';
COMMENT ON COLUMN dead_letter.error IS 'message and detail of the error; after a retry that failed, of that one';
COMMENT ON COLUMN dead_letter.column_name IS 'column whose value could not be made; null: not about one column';
COMMENT ON COLUMN dead_letter.constraint_name IS 'constraint that refused the row; null: not about a constraint';
COMMENT ON COLUMN dead_letter.created_at IS 'time at which it was stored; kept for userstream.dead_letter_retention after that';
COMMENT ON COLUMN dead_letter.retries IS 'number of retries that failed';
COMMENT ON COLUMN dead_letter.retried_at IS 'time of the last retry that applied it; null: not applied';

COMMENT ON TABLE incident IS 'what an operator must know: a gap, an offset out of range, a topic recreated, a stop; each role sees those it owns';
COMMENT ON SEQUENCE incident_id_seq IS 'gives incident.id';
COMMENT ON COLUMN incident.id IS 'number of the incident';
COMMENT ON COLUMN incident.owner IS 'owner of the stream, feed or mirror at that time';
COMMENT ON COLUMN incident.owner_oid IS 'pg_authid.oid of the owner';
COMMENT ON COLUMN incident.stream IS 'name of the stream; null: not of a stream';
COMMENT ON COLUMN incident.feed IS 'name of the feed; null: not of a feed';
COMMENT ON COLUMN incident.mirror IS 'name of the mirror; null: not of a mirror';
COMMENT ON COLUMN incident.partition IS 'Kafka partition; null: all of them';
COMMENT ON COLUMN incident.kind IS 'one word for what happened; of a stream: offset_out_of_range, topic_recreated, topic_missing, bad_message, too_many_dead_letters, privilege, target_missing, target_kind, definition, cannot_run; of a mirror: wal_retained, slot_lost, table_changed, identity_changed, target_changed, type_differs, table_missing, column_missing, key_differs, create_table, statement_refused, cannot_run';
COMMENT ON COLUMN incident.detail IS 'what happened, and where';
COMMENT ON COLUMN incident.what_to_do IS 'which call or command continues; null: nothing need be done';
COMMENT ON COLUMN incident.opened_at IS 'time at which it was noticed';
COMMENT ON COLUMN incident.closed_at IS 'time at which it was over; null: it is not; kept for userstream.run_retention after that';

COMMENT ON TABLE stream_history IS 'a row a minute for each stream, kept for 24 hours; each role sees those it owns';
COMMENT ON COLUMN stream_history.stream IS 'name of the stream';
COMMENT ON COLUMN stream_history.at IS 'time of the row';
COMMENT ON COLUMN stream_history.owner_oid IS 'pg_authid.oid of the owner';
COMMENT ON COLUMN stream_history.lag_messages IS 'messages in Kafka that were not read; null: unknown';
COMMENT ON COLUMN stream_history.messages_read IS 'messages read until then, ever';
COMMENT ON COLUMN stream_history.rows_written IS 'rows written until then, ever';
COMMENT ON COLUMN stream_history.dead_letters IS 'dead letters stored until then, ever';
-- Connections: a foreign server without a handler is an address with options,
-- a user mapping the credentials of one role for it.
--
-- PostgreSQL asks for USAGE on the wrapper before someone may create a
-- server, and on the server before it is used.  Neither is granted here: a
-- server makes the database connect to wherever its owner says, so that is
-- for the administrator to give (GRANT USAGE ON FOREIGN DATA WRAPPER).

CREATE FUNCTION kafka_validator(options text[], catalog oid) RETURNS void
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'us_kafka_validator';
COMMENT ON FUNCTION kafka_validator(text[], oid) IS
	'checks the options of servers and user mappings of userstream_kafka; called by CREATE and ALTER';

CREATE FUNCTION http_validator(options text[], catalog oid) RETURNS void
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'us_http_validator';
COMMENT ON FUNCTION http_validator(text[], oid) IS
	'checks the options of servers and user mappings of userstream_http; called by CREATE and ALTER';

CREATE FUNCTION cassandra_validator(options text[], catalog oid) RETURNS void
	LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'us_cassandra_validator';
COMMENT ON FUNCTION cassandra_validator(text[], oid) IS
	'checks the options of servers and user mappings of userstream_cassandra; called by CREATE and ALTER';

-- CREATE and ALTER call them without this right
REVOKE ALL ON FUNCTION kafka_validator(text[], oid),
	http_validator(text[], oid), cassandra_validator(text[], oid) FROM PUBLIC;

CREATE FOREIGN DATA WRAPPER userstream_kafka NO HANDLER VALIDATOR userstream.kafka_validator;
COMMENT ON FOREIGN DATA WRAPPER userstream_kafka IS
	'connections to Kafka; options of a server are the properties of librdkafka, options of a user mapping are credentials';

CREATE FOREIGN DATA WRAPPER userstream_http NO HANDLER VALIDATOR userstream.http_validator;
COMMENT ON FOREIGN DATA WRAPPER userstream_http IS
	'connections to HTTP APIs; options of a server are the address and limits, options of a user mapping are credentials';

CREATE FOREIGN DATA WRAPPER userstream_cassandra NO HANDLER VALIDATOR userstream.cassandra_validator;
COMMENT ON FOREIGN DATA WRAPPER userstream_cassandra IS
	'connections to Cassandra; options of a server are the nodes and how to speak to them, options of a user mapping are user and password';
-- Functions that define and run streams, and those behind the views.
--
-- All are C and run as the caller; they ask for the caller's rights and go up
-- to the owner of our tables only around their own statements.  None is
-- STRICT: a null is either refused by name or means the default.

CREATE TYPE message AS (
	topic			text,
	partition		integer,
	kafka_offset	bigint,
	message_at		timestamptz,
	key				bytea,
	value			bytea,
	headers			jsonb
);
COMMENT ON TYPE message IS 'a message of Kafka: what peek returns, and what a filter or transform may take';
COMMENT ON COLUMN message.topic IS 'Kafka topic';
COMMENT ON COLUMN message.partition IS 'number of the Kafka partition';
COMMENT ON COLUMN message.kafka_offset IS 'Kafka offset within the partition';
COMMENT ON COLUMN message.message_at IS 'Kafka''s time of the message; null: it has none';
COMMENT ON COLUMN message.key IS 'key, all bytes; null: it has none';
COMMENT ON COLUMN message.value IS 'value, all bytes; null: a tombstone';
COMMENT ON COLUMN message.headers IS 'headers in order: [{"key": "k", "value": "text"}], bytes that are not UTF-8 as "base64", a null value as null; null: no headers';

CREATE FUNCTION create_stream(
	name text,
	server name,
	topic text,
	target regclass,
	format text DEFAULT 'json',
	mode text DEFAULT 'append',
	key name[] DEFAULT NULL,
	columns jsonb DEFAULT NULL,
	transform text DEFAULT NULL,
	start_at text DEFAULT 'earliest',
	on_error text DEFAULT 'dead_letter',
	workers integer DEFAULT 1,
	options jsonb DEFAULT '{}',
	if_not_exists boolean DEFAULT false)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_create_stream';
COMMENT ON FUNCTION create_stream(text, name, text, regclass, text, text, name[], jsonb, text, text, text, integer, jsonb, boolean) IS
'define a stream from a Kafka topic into a table, and start it when the transaction commits; all that can be checked is checked now, against table and broker, for at most 10 seconds; the caller becomes its owner, as whom its workers connect; key null: the primary key, columns null: each column takes the field of its name, transform null: none';

CREATE FUNCTION alter_stream(
	name text,
	server name DEFAULT NULL,
	topic text DEFAULT NULL,
	target regclass DEFAULT NULL,
	format text DEFAULT NULL,
	mode text DEFAULT NULL,
	key name[] DEFAULT NULL,
	columns jsonb DEFAULT NULL,
	transform text DEFAULT NULL,
	start_at text DEFAULT NULL,
	on_error text DEFAULT NULL,
	workers integer DEFAULT NULL,
	options jsonb DEFAULT NULL,
	owner name DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_alter_stream';
COMMENT ON FUNCTION alter_stream(text, name, text, regclass, text, text, name[], jsonb, text, text, text, integer, jsonb, name) IS
'change a stream from its next batch on; null keeps what there is, columns => ''{}'' clears, options are merged (a JSON null goes back to the default); another topic or server needs start_at; a paused or stopped stream stays so';

CREATE FUNCTION seek_stream(name text, to_position text)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_seek_stream';
COMMENT ON FUNCTION seek_stream(text, text) IS
'set where a stream reads on, in the caller''s transaction: earliest, latest, a time, or {"0": 42} with an offset for each partition to be moved; a paused or stopped stream stays so until resume_stream; asks the broker, for at most 10 seconds';

CREATE FUNCTION drop_stream(name text, if_exists boolean DEFAULT false)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_drop_stream';
COMMENT ON FUNCTION drop_stream(text, boolean) IS
'end a stream and remove its definition and positions; its rows, dead letters and incidents stay; if_exists: a NOTICE instead of an error where there is none';

CREATE FUNCTION pause_stream(name text)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_pause_stream';
COMMENT ON FUNCTION pause_stream(text) IS
'keep a stream from running until resume_stream, over restarts too; its workers end after their batch';

CREATE FUNCTION resume_stream(name text)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_resume_stream';
COMMENT ON FUNCTION resume_stream(text) IS
'let a stream run again that was paused or that stopped, with all its partitions; closes its incidents';

CREATE FUNCTION adopt(stream text DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_adopt';
COMMENT ON FUNCTION adopt(text) IS
'take over a stream that came from another database by restore, template or copy, with its dead letters: it goes on here from the restored positions; null: all that the caller owns';

CREATE FUNCTION try_message(stream text, value bytea, key bytea DEFAULT NULL)
RETURNS SETOF jsonb LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 1
AS 'MODULE_PATHNAME', 'us_try_message';
COMMENT ON FUNCTION try_message(text, bytea, bytea) IS
'the rows that a message would give, one each, or the error that would make it a dead letter; nothing stays written, but sequences go on';

CREATE FUNCTION topics(
	server name,
	OUT topic text,
	OUT partition integer,
	OUT low_offset bigint,
	OUT high_offset bigint,
	OUT leader integer)
RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
AS 'MODULE_PATHNAME', 'us_topics';
COMMENT ON FUNCTION topics(name) IS
'topics and partitions on the brokers of a server: first offset, offset that the next message will get, broker that leads; null: unknown, or no leader; asks for at most 10 seconds';

CREATE FUNCTION peek(
	server name,
	topic text,
	partition integer DEFAULT NULL,
	from_offset bigint DEFAULT NULL,
	from_time timestamptz DEFAULT NULL,
	max_messages integer DEFAULT 100,
	max_bytes integer DEFAULT 10485760)
RETURNS SETOF userstream.message LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
AS 'MODULE_PATHNAME', 'us_peek';
COMMENT ON FUNCTION peek(name, text, integer, bigint, timestamptz, integer, integer) IS
'look at messages of a topic without consuming them: from an offset, from a time, else the newest; of one partition, else of all; reads for at most 10 seconds';

CREATE FUNCTION retry_dead_letters(stream text, ids bigint[] DEFAULT NULL)
RETURNS bigint LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_retry_dead_letters';
COMMENT ON FUNCTION retry_dead_letters(text, bigint[]) IS
'write the messages of a stream''s dead letters that were not applied yet, or of those named, to its target, as its owner; those that fail again keep the new reason; returns the messages applied';

CREATE FUNCTION wait_for(
	stream text,
	partition integer,
	kafka_offset bigint,
	timeout interval DEFAULT '30 s')
RETURNS boolean LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_wait_for';
COMMENT ON FUNCTION wait_for(text, integer, bigint, interval) IS
'wait until a stream has committed what it made of a message, so that the next statement sees its rows; false: it has not in time';

-- Behind the views and the row security policies.  A view runs its functions
-- as whoever reads it, so each of these may be called by all and answers only
-- about what the caller owns (or everything, for members of pg_monitor).

CREATE FUNCTION _owns(owner text, owner_oid oid, home text)
RETURNS boolean LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'us_role_owns';
COMMENT ON FUNCTION _owns(text, oid, text) IS
'private: whether the current user has the rights of an owner, who counts by oid at home (or where home is null) and by name elsewhere';

CREATE FUNCTION _sees(owner text, owner_oid oid, home text)
RETURNS boolean LANGUAGE c STABLE PARALLEL SAFE
AS 'MODULE_PATHNAME', 'us_role_sees';
COMMENT ON FUNCTION _sees(text, oid, text) IS
'private: whether the views show the current user what an owner has: as _owns, and all of it for members of pg_monitor';

CREATE FUNCTION _stream_live(
	OUT stream_id bigint,
	OUT owner text,
	OUT target text,
	OUT state text,
	OUT problem text,
	OUT note text,
	OUT pids integer[],
	OUT rows_per_second double precision,
	OUT last_error text,
	OUT last_error_at timestamptz,
	OUT failing_since timestamptz,
	OUT hint text)
RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'us_stream_live';
COMMENT ON FUNCTION _stream_live() IS
'private: state and workers of each stream that the current user may see, from shared memory; problem: why the definition cannot run, note: why nothing can run on this server now, each null when there is none';

CREATE FUNCTION _partition_live(
	OUT stream_id bigint,
	OUT partition integer,
	OUT state text,
	OUT low_offset bigint,
	OUT high_offset bigint,
	OUT oldest_unread_at timestamptz,
	OUT worker integer)
RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
AS 'MODULE_PATHNAME', 'us_partition_live';
COMMENT ON FUNCTION _partition_live() IS
'private: each partition that a worker keeps, of streams that the current user may see, from shared memory';

CREATE FUNCTION _stage_live(
	OUT stream_id bigint,
	OUT worker integer,
	OUT place integer,
	OUT stage text,
	OUT seconds double precision)
RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 100
AS 'MODULE_PATHNAME', 'us_stage_live';
COMMENT ON FUNCTION _stage_live() IS
'private: what each running worker of the streams that the current user may see has spent its time on, from shared memory; place: where the stage is on a message''s way';
-- Feeds: definitions, the history of their runs, the functions and the
-- procedure that change and run them, and the view that shows them.
--
-- The rules of sql/10_tables.sql hold here too.  A feed runs in the session
-- that calls run_feed; nothing runs by itself.

CREATE SEQUENCE feed_id_seq;
CREATE TABLE feed (
	id					bigint PRIMARY KEY DEFAULT pg_catalog.nextval('userstream.feed_id_seq'),
	name				text NOT NULL UNIQUE,
	owner				text NOT NULL,
	owner_oid			oid NOT NULL,
	server				text NOT NULL,
	server_oid			oid NOT NULL,
	kafka_server		text NOT NULL,
	kafka_server_oid	oid NOT NULL,
	topic				text NOT NULL,
	records				text NOT NULL,
	transform			text,
	transform_oid		oid,
	key					text,
	retries				integer NOT NULL,
	options				jsonb NOT NULL,
	timezone			text NOT NULL,
	since_value			text,
	next_allowed_at		timestamptz,
	home				text NOT NULL,
	config_version		integer NOT NULL DEFAULT 1,
	created_at			timestamptz NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON SEQUENCE feed_id_seq IS 'gives feed.id; dumped, so that a restored database does not give a number twice';
COMMENT ON TABLE feed IS 'definitions of feeds, one row each; changed by the functions only, read through feed_status';
COMMENT ON COLUMN feed.id IS 'number of the feed; never given twice';
COMMENT ON COLUMN feed.name IS 'name of the feed, unique, 1 to 63 bytes, matched exactly';
COMMENT ON COLUMN feed.owner IS 'name of the owner when last written; counts only away from home';
COMMENT ON COLUMN feed.owner_oid IS 'pg_authid.oid of the owner, whose rights and credentials a run uses; counts only at home';
COMMENT ON COLUMN feed.server IS 'name of the HTTP server when last written; counts only away from home';
COMMENT ON COLUMN feed.server_oid IS 'pg_foreign_server.oid of the HTTP server; counts only at home';
COMMENT ON COLUMN feed.kafka_server IS 'name of the Kafka server when last written; counts only away from home';
COMMENT ON COLUMN feed.kafka_server_oid IS 'pg_foreign_server.oid of the Kafka server; counts only at home';
COMMENT ON COLUMN feed.topic IS 'Kafka topic';
COMMENT ON COLUMN feed.records IS 'JSON path of the records in a response';
COMMENT ON COLUMN feed.transform IS 'signature of the function that makes messages of records, qualified and quoted; null: records are sent as they are';
COMMENT ON COLUMN feed.transform_oid IS 'pg_proc.oid of the function; counts only at home; null: none';
COMMENT ON COLUMN feed.key IS 'field of a message that becomes its key, as a dotted path; null: messages have no key';
COMMENT ON COLUMN feed.retries IS 'attempts after the first, 0 to 100';
COMMENT ON COLUMN feed.options IS 'options as given, without those left at their default';
COMMENT ON COLUMN feed.timezone IS 'TimeZone that the transform runs with: that of the creator''s session';
COMMENT ON COLUMN feed.since_value IS 'value of option since that the last successful run read, for the next one; null: none yet';
COMMENT ON COLUMN feed.next_allowed_at IS 'time before which the API asked not to be called again; null: it did not ask';
COMMENT ON COLUMN feed.home IS 'where the definition may run: system identifier / oid of the database';
COMMENT ON COLUMN feed.config_version IS 'raised by every change of the definition';
COMMENT ON COLUMN feed.created_at IS 'time of create_feed';

CREATE SEQUENCE feed_run_run_id_seq;
CREATE TABLE feed_run (
	id					bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	run_id				bigint NOT NULL,
	feed				text NOT NULL,
	owner_oid			oid NOT NULL,
	attempt				integer NOT NULL,
	state				text NOT NULL,
	started_at			timestamptz NOT NULL,
	finished_at			timestamptz,
	http_status			integer,
	pages				bigint NOT NULL DEFAULT 0,
	bytes				bigint NOT NULL DEFAULT 0,
	records				bigint NOT NULL DEFAULT 0,
	records_produced	bigint NOT NULL DEFAULT 0,
	records_failed		bigint NOT NULL DEFAULT 0,
	records_skipped		bigint NOT NULL DEFAULT 0,
	error				text,
	first_offsets		jsonb,
	last_offsets		jsonb
);
CREATE INDEX feed_run_feed_idx ON feed_run (feed, started_at);
-- the last error of a feed that has failed seldom
CREATE INDEX feed_run_error_idx ON feed_run (feed, started_at) WHERE error IS NOT NULL AND state <> 'skipped';
-- the last success of a feed that has failed for long
CREATE INDEX feed_run_success_idx ON feed_run (feed, started_at) WHERE state = 'succeeded';
CREATE INDEX feed_run_started_at_idx ON feed_run (started_at);
COMMENT ON SEQUENCE feed_run_run_id_seq IS 'gives feed_run.run_id';
COMMENT ON SEQUENCE feed_run_id_seq IS 'gives feed_run.id';
COMMENT ON TABLE feed_run IS 'attempts of runs of feeds, one row each, kept for userstream.run_retention; each role sees those it owns';
COMMENT ON COLUMN feed_run.id IS 'number of the attempt';
COMMENT ON COLUMN feed_run.run_id IS 'number of the run, the same for all its attempts';
COMMENT ON COLUMN feed_run.feed IS 'name of the feed';
COMMENT ON COLUMN feed_run.owner_oid IS 'pg_authid.oid of the feed''s owner at that time';
COMMENT ON COLUMN feed_run.attempt IS 'number of the attempt within its run, from 1';
COMMENT ON COLUMN feed_run.state IS 'running, succeeded, failed, skipped (another run was under way, the API asked to wait, or userstream.enabled is off), cancelled';
COMMENT ON COLUMN feed_run.started_at IS 'time at which the attempt began';
COMMENT ON COLUMN feed_run.finished_at IS 'time at which it ended; null: it runs';
COMMENT ON COLUMN feed_run.http_status IS 'HTTP status of the last response; null: none came';
COMMENT ON COLUMN feed_run.pages IS 'responses whose records were produced';
COMMENT ON COLUMN feed_run.bytes IS 'bytes of the bodies, decompressed';
COMMENT ON COLUMN feed_run.records IS 'records found in them';
COMMENT ON COLUMN feed_run.records_produced IS 'messages that Kafka confirmed';
COMMENT ON COLUMN feed_run.records_failed IS 'records that became dead letters';
COMMENT ON COLUMN feed_run.records_skipped IS 'records of which the transform made nothing';
COMMENT ON COLUMN feed_run.error IS 'why the attempt did not succeed; null: it did, or it runs';
COMMENT ON COLUMN feed_run.first_offsets IS 'first Kafka offset of its messages by partition; null: none';
COMMENT ON COLUMN feed_run.last_offsets IS 'last Kafka offset of its messages by partition; null: none';

SELECT pg_catalog.pg_extension_config_dump('userstream.feed', '');
SELECT pg_catalog.pg_extension_config_dump('userstream.feed_id_seq', '');

CREATE FUNCTION create_feed(
	name text,
	server name,
	kafka_server name,
	topic text,
	records text DEFAULT '$',
	transform text DEFAULT NULL,
	key text DEFAULT NULL,
	retries integer DEFAULT 3,
	options jsonb DEFAULT '{}',
	if_not_exists boolean DEFAULT false)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_create_feed';
COMMENT ON FUNCTION create_feed(text, name, name, text, text, text, text, integer, jsonb, boolean) IS
'define a feed from an HTTP API into a Kafka topic; asks the broker, for at most 10 seconds; nothing runs by itself: run_feed runs it, once; records: JSON path of the records in a response, transform null: they are sent as they are, key null: messages have none, retries: attempts after the first; the caller becomes its owner';

CREATE FUNCTION alter_feed(
	name text,
	server name DEFAULT NULL,
	kafka_server name DEFAULT NULL,
	topic text DEFAULT NULL,
	records text DEFAULT NULL,
	transform text DEFAULT NULL,
	key text DEFAULT NULL,
	retries integer DEFAULT NULL,
	options jsonb DEFAULT NULL,
	owner name DEFAULT NULL)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_alter_feed';
COMMENT ON FUNCTION alter_feed(text, name, name, text, text, text, text, integer, jsonb, name) IS
'change a feed from its next run on; null keeps, ''-'' clears transform or key, options are merged and a JSON null removes one; takes over a feed that came from another database';

CREATE FUNCTION drop_feed(name text, if_exists boolean DEFAULT false)
RETURNS void LANGUAGE c VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'us_drop_feed';
COMMENT ON FUNCTION drop_feed(text, boolean) IS
'remove the definition of a feed; its messages, runs and dead letters stay; if_exists: a NOTICE instead of an error where there is none';

CREATE PROCEDURE run_feed(name text)
LANGUAGE c
AS 'MODULE_PATHNAME', 'us_run_feed';
COMMENT ON PROCEDURE run_feed(text) IS
'run a feed once: call the API, make messages of its records, wait until Kafka has them; each attempt is a row of feed_run; commits, so it is a statement of its own, outside of BEGIN and functions; raises when the run failed';

CREATE FUNCTION _feed_live(
	OUT feed_id bigint,
	OUT is_running boolean,
	OUT schedule text,
	OUT next_run_at timestamptz)
RETURNS SETOF record LANGUAGE c VOLATILE PARALLEL UNSAFE ROWS 10
AS 'MODULE_PATHNAME', 'us_feed_live';
COMMENT ON FUNCTION _feed_live() IS
'private: whether each feed that the current user may see is being run, and what pg_cron knows of it; schedule and next_run_at null: no job';

CREATE VIEW feed_status WITH (security_barrier) AS
SELECT f.name AS feed,
	   CASE WHEN l.is_running THEN 'running'
			WHEN r.state = 'running' THEN 'failed'
			ELSE r.state
	   END AS state,
	   l.schedule,
	   l.next_run_at,
	   r.started_at AS last_run_at,
	   s.finished_at AS last_success_at,
	   clock_timestamp() - s.finished_at AS last_success_age,
	   e.error AS last_error,
	   c.runs_24h,
	   c.failures_24h
FROM userstream.feed f
JOIN userstream._feed_live() l ON l.feed_id = f.id
LEFT JOIN LATERAL (
	SELECT state, started_at FROM userstream.feed_run
	WHERE feed = f.name AND state <> 'skipped'
	ORDER BY started_at DESC, id DESC LIMIT 1
) r ON true
LEFT JOIN LATERAL (
	SELECT finished_at FROM userstream.feed_run
	WHERE feed = f.name AND state = 'succeeded'
	ORDER BY started_at DESC, id DESC LIMIT 1
) s ON true
LEFT JOIN LATERAL (
	SELECT error FROM userstream.feed_run
	WHERE feed = f.name AND state <> 'skipped' AND error IS NOT NULL
	ORDER BY started_at DESC, id DESC LIMIT 1
) e ON true
-- one row always, and as an outer join not counted for who asks for other columns
LEFT JOIN LATERAL (
	SELECT count(*) AS runs_24h,
		   count(*) FILTER (WHERE last_state = 'failed') AS failures_24h
	FROM (SELECT DISTINCT ON (run_id) state AS last_state
		  FROM userstream.feed_run
		  WHERE feed = f.name AND state <> 'skipped'
			AND started_at > now() - interval '24 hours'
		  ORDER BY run_id, attempt DESC) runs
) c ON true;
COMMENT ON VIEW feed_status IS 'feeds of the current role (all of them for members of pg_monitor), one row each';
COMMENT ON COLUMN feed_status.feed IS 'name of the feed';
COMMENT ON COLUMN feed_status.state IS 'state of its last run: running, succeeded, failed, cancelled; null: it never ran';
COMMENT ON COLUMN feed_status.schedule IS 'schedule of pg_cron''s job for it; null: no active job in this database';
COMMENT ON COLUMN feed_status.next_run_at IS 'time at which that job runs next; null: no job, or a schedule without one';
COMMENT ON COLUMN feed_status.last_run_at IS 'time at which the last attempt began; null: it never ran';
COMMENT ON COLUMN feed_status.last_success_at IS 'time at which the last successful run ended; null: none that is kept';
COMMENT ON COLUMN feed_status.last_success_age IS 'time since then; null: none that is kept';
COMMENT ON COLUMN feed_status.last_error IS 'error of the last attempt that had one, over or not; null: none that is kept';
COMMENT ON COLUMN feed_status.runs_24h IS 'runs begun in the last 24 hours, those that were skipped left out';
COMMENT ON COLUMN feed_status.failures_24h IS 'those of them that failed in the end';
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
COMMENT ON COLUMN mirror_position.shape IS 'columns of the table by number, with names, types and versions, its partitions and its files, when the worker last looked; null: it has not';
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
-- What is shown of streams.
--
-- Numbers that must be true after a crash come from stream_position; what
-- only a running worker knows comes from shared memory and is null without
-- one.  The views read our tables as their owner; _stream_live and _sees let
-- each role see only what is its own.

-- a negative lag is only a watermark that is older than the position
CREATE VIEW _partition WITH (security_barrier) AS
SELECT p.stream_id,
	   p.partition,
	   v.state,
	   p.stopped,
	   p.next_offset,
	   v.low_offset,
	   v.high_offset,
	   CASE WHEN v.high_offset IS NOT NULL
			THEN greatest(v.high_offset - p.next_offset, 0)
	   END AS lag_messages,
	   CASE WHEN v.high_offset <= p.next_offset THEN 0
			WHEN v.oldest_unread_at IS NOT NULL
			THEN greatest(extract(epoch FROM clock_timestamp() - v.oldest_unread_at), 0)
	   END::double precision AS lag_seconds,
	   p.messages_read,
	   p.messages_applied,
	   p.rows_written,
	   p.dead_letters,
	   p.skipped,
	   p.retried,
	   p.last_message_at,
	   p.last_error,
	   p.last_error_at,
	   v.worker
FROM userstream.stream_position p
LEFT JOIN userstream._partition_live() v ON v.stream_id = p.stream_id AND v.partition = p.partition;
COMMENT ON VIEW _partition IS 'private: positions and counters of partitions beside what their workers know';
COMMENT ON COLUMN _partition.stream_id IS 'stream.id';
COMMENT ON COLUMN _partition.partition IS 'number of the Kafka partition';
COMMENT ON COLUMN _partition.state IS 'state of the partition in its worker; null: no worker keeps it';
COMMENT ON COLUMN _partition.stopped IS 'whether the partition stopped and waits for a person';
COMMENT ON COLUMN _partition.next_offset IS 'Kafka offset to read next';
COMMENT ON COLUMN _partition.low_offset IS 'first offset in the log; null: unknown';
COMMENT ON COLUMN _partition.high_offset IS 'offset that the next message will get; null: unknown';
COMMENT ON COLUMN _partition.lag_messages IS 'offsets between next_offset and high_offset, never negative; null: unknown';
COMMENT ON COLUMN _partition.lag_seconds IS 'age of the oldest unread message in seconds, 0 at lag 0, never negative; null: unknown';
COMMENT ON COLUMN _partition.messages_read IS 'messages that Kafka gave in committed batches';
COMMENT ON COLUMN _partition.messages_applied IS 'messages of which at least one row reached the target';
COMMENT ON COLUMN _partition.rows_written IS 'rows written to the target';
COMMENT ON COLUMN _partition.dead_letters IS 'messages stored as dead letters, ever';
COMMENT ON COLUMN _partition.skipped IS 'messages left out on purpose';
COMMENT ON COLUMN _partition.retried IS 'dead letters that a retry applied later';
COMMENT ON COLUMN _partition.last_message_at IS 'Kafka''s time of the last message read; null: none yet, or none with a time';
COMMENT ON COLUMN _partition.last_error IS 'last error of this partition, over or not; null: none yet';
COMMENT ON COLUMN _partition.last_error_at IS 'time of last_error; null: none yet';
COMMENT ON COLUMN _partition.worker IS 'number of the worker that reads it; null: none does';

-- The lag of a stream is known when that of each partition is; a sum of some
-- would look like progress.
CREATE VIEW stream_status WITH (security_barrier) AS
SELECT s.name AS stream,
	   l.owner,
	   CASE WHEN p.stopped THEN 'stopped' ELSE l.state END AS state,
	   l.target,
	   s.topic,
	   s.workers,
	   l.pids,
	   p.lag_messages,
	   p.lag_seconds,
	   l.rows_per_second,
	   p.messages_read,
	   p.rows_written,
	   p.dead_letters,
	   coalesce(l.problem, l.note, e.last_error) AS last_error,
	   CASE WHEN l.problem IS NOT NULL THEN s.stopped_at
			WHEN l.note IS NULL THEN e.last_error_at
	   END AS last_error_at,
	   least(s.stopped_at, p.stopped_at, l.failing_since) AS failing_since,
	   s.config_version,
	   coalesce(f.srvname::text COLLATE "default", s.server) AS server,
	   l.hint
FROM userstream.stream s
JOIN userstream._stream_live() l ON l.stream_id = s.id
LEFT JOIN pg_catalog.pg_foreign_server f ON f.oid = s.server_oid
CROSS JOIN LATERAL (
	SELECT coalesce(bool_or(stopped), false) AS stopped,
		   min(last_error_at) FILTER (WHERE stopped) AS stopped_at,
		   CASE WHEN bool_and(lag_messages IS NOT NULL)
				THEN sum(lag_messages)
		   END::bigint AS lag_messages,
		   CASE WHEN bool_and(lag_seconds IS NOT NULL)
				THEN max(lag_seconds)
		   END AS lag_seconds,
		   coalesce(sum(messages_read), 0)::bigint AS messages_read,
		   coalesce(sum(rows_written), 0)::bigint AS rows_written,
		   coalesce(sum(dead_letters), 0)::bigint AS dead_letters
	FROM userstream._partition
	WHERE stream_id = s.id
) p
LEFT JOIN LATERAL (
	-- of a partition that stopped, else the latest of partitions and workers
	SELECT last_error, last_error_at
	FROM (SELECT last_error, last_error_at, stopped
		  FROM userstream.stream_position
		  WHERE stream_id = s.id
		  UNION ALL
		  SELECT l.last_error, l.last_error_at, false) errors
	WHERE last_error IS NOT NULL
	ORDER BY stopped DESC, last_error_at DESC NULLS LAST
	LIMIT 1
) e ON true;
COMMENT ON VIEW stream_status IS 'streams of the current role (all of them for members of pg_monitor), one row each';
COMMENT ON COLUMN stream_status.stream IS 'name of the stream';
COMMENT ON COLUMN stream_status.owner IS 'role that owns the stream and as which its workers write';
COMMENT ON COLUMN stream_status.state IS 'starting, running, caught_up, waiting (for something outside), blocked (by something inside), paused, stopped (needs a person); the worst of its workers and partitions';
COMMENT ON COLUMN stream_status.target IS 'table that the rows go to, qualified and quoted';
COMMENT ON COLUMN stream_status.topic IS 'Kafka topic';
COMMENT ON COLUMN stream_status.workers IS 'number of workers wanted; no more than partitions are started';
COMMENT ON COLUMN stream_status.pids IS 'process ids of its workers, in the order of the workers; null: none runs';
COMMENT ON COLUMN stream_status.lag_messages IS 'messages in Kafka that were not read, all partitions; null: unknown for one of them, or no worker runs';
COMMENT ON COLUMN stream_status.lag_seconds IS 'age of the oldest unread message in seconds, 0 at lag 0, never negative; null: unknown';
COMMENT ON COLUMN stream_status.rows_per_second IS 'rows written a second lately, all workers; null: none runs';
COMMENT ON COLUMN stream_status.messages_read IS 'messages that Kafka gave in committed batches';
COMMENT ON COLUMN stream_status.rows_written IS 'rows written to the target';
COMMENT ON COLUMN stream_status.dead_letters IS 'messages stored as dead letters, ever';
COMMENT ON COLUMN stream_status.last_error IS 'why the stream does not run and what continues it, else its last error, over or not; null: none';
COMMENT ON COLUMN stream_status.last_error_at IS 'time of last_error; null: none, or it is found anew at each look';
COMMENT ON COLUMN stream_status.failing_since IS 'time since which a worker or partition fails or is stopped; null: none does';
COMMENT ON COLUMN stream_status.config_version IS 'raised by every change of the definition';
COMMENT ON COLUMN stream_status.server IS 'Kafka server of its topic';
COMMENT ON COLUMN stream_status.hint IS 'while messages wait to be read: what takes at least half of a worker''s time lately, and the setting to change; null: nothing stands out';

CREATE VIEW partition_status WITH (security_barrier) AS
SELECT s.name AS stream,
	   p.partition,
	   CASE WHEN l.problem IS NOT NULL OR p.stopped THEN 'stopped'
			WHEN s.paused THEN 'paused'
			ELSE coalesce(p.state, 'starting')
	   END AS state,
	   p.next_offset,
	   p.low_offset,
	   p.high_offset,
	   p.lag_messages,
	   p.last_message_at,
	   p.messages_read,
	   p.rows_written,
	   p.dead_letters,
	   p.skipped,
	   coalesce(l.problem, l.note, p.last_error) AS last_error,
	   CASE WHEN l.problem IS NOT NULL THEN s.stopped_at
			WHEN l.note IS NULL THEN p.last_error_at
	   END AS last_error_at,
	   p.worker
FROM userstream.stream s
JOIN userstream._stream_live() l ON l.stream_id = s.id
JOIN userstream._partition p ON p.stream_id = s.id;
COMMENT ON VIEW partition_status IS 'partitions of the streams of the current role (of all streams for members of pg_monitor)';
COMMENT ON COLUMN partition_status.stream IS 'name of the stream';
COMMENT ON COLUMN partition_status.partition IS 'number of the Kafka partition';
COMMENT ON COLUMN partition_status.state IS 'as in stream_status, of this partition and its worker';
COMMENT ON COLUMN partition_status.next_offset IS 'Kafka offset to read next, as committed';
COMMENT ON COLUMN partition_status.low_offset IS 'first offset in the log; null: unknown, or no worker runs';
COMMENT ON COLUMN partition_status.high_offset IS 'offset that the next message will get; null: unknown, or no worker runs';
COMMENT ON COLUMN partition_status.lag_messages IS 'offsets between next_offset and high_offset, never negative; null: unknown';
COMMENT ON COLUMN partition_status.last_message_at IS 'Kafka''s time of the last message read; null: none yet, or none with a time';
COMMENT ON COLUMN partition_status.messages_read IS 'messages that Kafka gave in committed batches';
COMMENT ON COLUMN partition_status.rows_written IS 'rows written to the target';
COMMENT ON COLUMN partition_status.dead_letters IS 'messages stored as dead letters, ever';
COMMENT ON COLUMN partition_status.skipped IS 'messages left out on purpose, such as tombstones';
COMMENT ON COLUMN partition_status.last_error IS 'why the partition does not run and what continues it, else its last error, over or not; null: none';
COMMENT ON COLUMN partition_status.last_error_at IS 'time of last_error; null: none, or it is found anew at each look';
COMMENT ON COLUMN partition_status.worker IS 'number of the worker that reads it, from 0, as in its application_name; null: none does';

CREATE VIEW stream_stage WITH (security_barrier) AS
SELECT s.name AS stream,
	   l.worker,
	   l.stage,
	   l.seconds,
	   l.seconds / nullif(sum(l.seconds) OVER (PARTITION BY l.stream_id, l.worker), 0) AS share
FROM userstream.stream s
JOIN userstream._stage_live() l ON l.stream_id = s.id
ORDER BY s.name, l.worker, l.place;
COMMENT ON VIEW stream_stage IS 'what the workers that run have spent their time on since they started, in the order of a message''s way; visible as stream_status';
COMMENT ON COLUMN stream_stage.stream IS 'name of the stream';
COMMENT ON COLUMN stream_stage.worker IS 'number of the worker, from 0, as in its application_name';
COMMENT ON COLUMN stream_stage.stage IS 'fetch_wait (for messages that are there), fetch (taking them from the library), decode (JSON), convert (values to columns), transform (filter, transform, explode), insert (rows; their indexes too unless rows go in directly), index (entries of rows that go in directly), commit (positions, dead letters, the commit), retry_wait (until a batch is tried again), idle (nothing to read)';
COMMENT ON COLUMN stream_stage.seconds IS 'seconds by the clock as of the worker''s last report, which comes with each batch and at least every ten seconds; how it is divided between decode and convert is learned from one message in 64';
COMMENT ON COLUMN stream_stage.share IS 'part of all the worker''s seconds, 0 to 1; null: nothing was reported yet';

CREATE VIEW ledger WITH (security_barrier) AS
SELECT s.name AS stream,
	   p.partition,
	   p.messages_read,
	   p.messages_applied,
	   p.dead_letters,
	   p.skipped,
	   p.retried,
	   p.messages_read = p.messages_applied + p.dead_letters + p.skipped AS balanced
FROM userstream.stream s
JOIN userstream.stream_position p ON p.stream_id = s.id
WHERE userstream._sees(s.owner, s.owner_oid, s.home);
COMMENT ON VIEW ledger IS 'the proof that every message read was applied, dead-lettered or skipped; by partition, visible as stream_status';
COMMENT ON COLUMN ledger.stream IS 'name of the stream';
COMMENT ON COLUMN ledger.partition IS 'number of the Kafka partition';
COMMENT ON COLUMN ledger.messages_read IS 'messages that Kafka gave in committed batches, again after a seek back';
COMMENT ON COLUMN ledger.messages_applied IS 'messages of which at least one row reached the target';
COMMENT ON COLUMN ledger.dead_letters IS 'messages stored as dead letters, ever';
COMMENT ON COLUMN ledger.skipped IS 'messages left out on purpose, such as tombstones';
COMMENT ON COLUMN ledger.retried IS 'dead letters that a retry applied later; part of dead_letters';
COMMENT ON COLUMN ledger.balanced IS 'whether messages_read = messages_applied + dead_letters + skipped';

CREATE VIEW stream_definition WITH (security_barrier) AS
SELECT s.name AS stream,
	   l.owner,
	   coalesce(f.srvname::text COLLATE "default", s.server) AS server,
	   s.topic,
	   l.target,
	   s.format,
	   s.mode,
	   s.key,
	   s.columns,
	   s.transform,
	   s.start_at,
	   s.on_error,
	   s.workers,
	   s.options,
	   s.timezone,
	   s.config_version,
	   s.created_at
FROM userstream.stream s
JOIN userstream._stream_live() l ON l.stream_id = s.id
LEFT JOIN pg_catalog.pg_foreign_server f ON f.oid = s.server_oid;
COMMENT ON VIEW stream_definition IS 'what create_stream and alter_stream were told of each stream; visible as stream_status';
COMMENT ON COLUMN stream_definition.stream IS 'name of the stream';
COMMENT ON COLUMN stream_definition.owner IS 'role that owns the stream and as which its workers write';
COMMENT ON COLUMN stream_definition.server IS 'Kafka server of its topic';
COMMENT ON COLUMN stream_definition.topic IS 'Kafka topic';
COMMENT ON COLUMN stream_definition.target IS 'table that the rows go to, qualified and quoted';
COMMENT ON COLUMN stream_definition.format IS 'format of the messages';
COMMENT ON COLUMN stream_definition.mode IS 'append or upsert';
COMMENT ON COLUMN stream_definition.key IS 'columns that name a row in upsert; null: none given';
COMMENT ON COLUMN stream_definition.columns IS 'fields that columns take, beside those of their own name; null: none given';
COMMENT ON COLUMN stream_definition.transform IS 'signature of the function that makes rows of messages, as when last written; null: none';
COMMENT ON COLUMN stream_definition.start_at IS 'where a partition begins that has no position yet';
COMMENT ON COLUMN stream_definition.on_error IS 'what becomes of a message that cannot be taken: dead_letter, or stop';
COMMENT ON COLUMN stream_definition.workers IS 'number of workers wanted; no more than partitions are started';
COMMENT ON COLUMN stream_definition.options IS 'options as given, without those left at their default';
COMMENT ON COLUMN stream_definition.timezone IS 'TimeZone in which values are read: that of the creator''s session';
COMMENT ON COLUMN stream_definition.config_version IS 'raised by every change of the definition';
COMMENT ON COLUMN stream_definition.created_at IS 'time of create_stream';
-- Who may do what.
--
-- Everybody may look at what is his and try to define a stream: the functions
-- themselves ask for USAGE on the server, INSERT on the target and membership
-- in the owner.  Nobody but the owner of this extension touches our tables.

GRANT USAGE ON SCHEMA userstream TO PUBLIC;

-- Nothing is granted by default, unless someone set default privileges.
-- Definitions name servers, topics and tables of others: only the views, which
-- filter by owner, may read stream and stream_position.
REVOKE ALL ON ALL TABLES IN SCHEMA userstream FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA userstream FROM PUBLIC;

-- Each asks for rights itself.  Those behind the views run as the reader, so
-- the reader needs EXECUTE; they answer about what the reader may see only.
GRANT EXECUTE ON FUNCTION
	create_stream(text, name, text, regclass, text, text, name[], jsonb, text, text, text, integer, jsonb, boolean),
	alter_stream(text, name, text, regclass, text, text, name[], jsonb, text, text, text, integer, jsonb, name),
	seek_stream(text, text),
	adopt(text),
	drop_stream(text, boolean),
	pause_stream(text),
	resume_stream(text),
	try_message(text, bytea, bytea),
	topics(name),
	peek(name, text, integer, bigint, timestamptz, integer, integer),
	create_feed(text, name, name, text, text, text, text, integer, jsonb, boolean),
	alter_feed(text, name, name, text, text, text, text, integer, jsonb, name),
	drop_feed(text, boolean),
	create_mirror(text, regclass, name, text, text, jsonb, boolean, boolean, jsonb, boolean),
	alter_mirror(text, name, text, text, jsonb, boolean, jsonb, name),
	drop_mirror(text, boolean),
	pause_mirror(text),
	resume_mirror(text),
	resync_mirror(text),
	retry_dead_letters(text, bigint[]),
	wait_for(text, integer, bigint, interval),
	_owns(text, oid, text),
	_sees(text, oid, text),
	_stream_live(),
	_partition_live(),
	_stage_live(),
	_feed_live(),
	_mirror_live()
TO PUBLIC;
GRANT EXECUTE ON PROCEDURE run_feed(text) TO PUBLIC;

-- dead letters hold the data of messages; each role sees those it owns, and
-- pg_monitor sees no more than that
ALTER TABLE dead_letter ENABLE ROW LEVEL SECURITY;
ALTER TABLE incident ENABLE ROW LEVEL SECURITY;
ALTER TABLE stream_history ENABLE ROW LEVEL SECURITY;
ALTER TABLE feed_run ENABLE ROW LEVEL SECURITY;

CREATE POLICY own ON dead_letter FOR SELECT
	USING (userstream._owns(owner, owner_oid, home));
-- these are never carried to another database, so the oid counts
CREATE POLICY own ON incident FOR SELECT
	USING (userstream._owns(NULL, owner_oid, NULL));
CREATE POLICY own ON stream_history FOR SELECT
	USING (userstream._owns(NULL, owner_oid, NULL));
CREATE POLICY own ON feed_run FOR SELECT
	USING (userstream._owns(NULL, owner_oid, NULL));
COMMENT ON POLICY own ON dead_letter IS 'each role sees what it owns';
COMMENT ON POLICY own ON incident IS 'each role sees what it owns';
COMMENT ON POLICY own ON stream_history IS 'each role sees what it owns';
COMMENT ON POLICY own ON feed_run IS 'each role sees what it owns';

GRANT SELECT ON dead_letter, incident, stream_history, feed_run TO PUBLIC;
GRANT SELECT ON stream_status, stream_definition, partition_status, stream_stage, ledger, feed_status, mirror_status TO PUBLIC;
