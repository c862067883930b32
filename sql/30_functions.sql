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
