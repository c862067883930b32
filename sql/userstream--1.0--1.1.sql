-- userstream: run from ALTER EXTENSION only
\echo Use "ALTER EXTENSION userstream UPDATE" to load this file. \quit

-- A stream keeps its schema registry when that is renamed.  Those that came
-- from elsewhere get it from adopt().
ALTER TABLE stream ADD COLUMN registry_oid oid;
COMMENT ON COLUMN stream.registry_oid IS 'pg_foreign_server.oid of the server in option registry; counts only at home; null: none';
UPDATE stream s SET registry_oid = f.oid
FROM pg_catalog.pg_foreign_server f
WHERE f.srvname = s.options ->> 'registry';

-- the supervisor looks for lost runs all the time
CREATE INDEX feed_run_running_idx ON feed_run (feed) WHERE state = 'running';

COMMENT ON COLUMN incident.kind IS 'one word for what happened; of a stream: offset_out_of_range, topic_recreated, topic_missing, bad_message, too_many_dead_letters, privilege, target_missing, target_kind, definition, cannot_run; of a mirror: wal_retained, slot_lost, table_changed, identity_changed, target_changed, type_differs, table_missing, table_replaced, column_missing, key_differs, create_table, statement_refused, cannot_run';
COMMENT ON COLUMN feed_run.finished_at IS 'time at which it ended, or was found to have ended with its session; null: it runs';
COMMENT ON COLUMN mirror_position.shape IS 'columns of the table by number, with names, types and versions, its partitions and its files, when the worker last looked, and the columns and the id of the table in Cassandra; null: it has not';

-- which stream reads what a run has sent
CREATE OR REPLACE VIEW feed_status WITH (security_barrier) AS
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
LEFT JOIN LATERAL (
	SELECT count(*) AS runs_24h,
		   count(*) FILTER (WHERE last_state = 'failed') AS failures_24h
	FROM (SELECT DISTINCT ON (run_id) state AS last_state
		  FROM userstream.feed_run
		  WHERE feed = f.name AND state <> 'skipped'
			AND started_at > now() - interval '24 hours'
		  ORDER BY run_id, attempt DESC) runs
) c ON true;
COMMENT ON COLUMN feed_status.kafka_server IS 'Kafka server that its messages go to';
COMMENT ON COLUMN feed_status.topic IS 'Kafka topic that its messages go to';
