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
-- those that may be lost; the supervisor looks for them all the time
CREATE INDEX feed_run_running_idx ON feed_run (feed) WHERE state = 'running';
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
COMMENT ON COLUMN feed_run.finished_at IS 'time at which it ended, or was found to have ended with its session; null: it runs';
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
	   c.failures_24h,
	   coalesce(k.srvname::text COLLATE "default", f.kafka_server) AS kafka_server,
	   f.topic
FROM userstream.feed f
JOIN userstream._feed_live() l ON l.feed_id = f.id
LEFT JOIN pg_catalog.pg_foreign_server k ON k.oid = f.kafka_server_oid
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
COMMENT ON COLUMN feed_status.kafka_server IS 'Kafka server that its messages go to';
COMMENT ON COLUMN feed_status.topic IS 'Kafka topic that its messages go to';
