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
