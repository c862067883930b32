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
	created_at			timestamptz NOT NULL DEFAULT pg_catalog.now(),
	registry_oid		oid
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
