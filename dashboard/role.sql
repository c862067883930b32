-- dashboard/role.sql
--    the role that the dashboard connects as, with what it needs and no more
--
-- usage: psql -d DATABASE -f dashboard/role.sql        (by a superuser; may be repeated)
--
-- It reads: the status of all streams, feeds and mirrors (pg_monitor is who
-- may see others'), incidents, history, runs, and dead letters with what the
-- messages held.  For a dashboard without these:
--     DROP POLICY dashboard ON userstream.dead_letter
-- pg_dump leaves policies of an extension's tables out: run this again in a
-- restored database.
-- It looks into Kafka only through servers that someone lets it use:
--     GRANT USAGE ON FOREIGN SERVER kafka TO userstream_dashboard
-- It owns nothing and may write nothing; how it logs in is pg_hba.conf's.

\set ON_ERROR_STOP on
BEGIN;
SET LOCAL client_min_messages = warning;

SELECT NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'userstream_dashboard') AS is_new \gset
\if :is_new
CREATE ROLE userstream_dashboard LOGIN CONNECTION LIMIT 8;
COMMENT ON ROLE userstream_dashboard IS 'userstream''s dashboard: reads, never writes';
\endif
GRANT pg_monitor TO userstream_dashboard;

-- belts; the program sets its own for what it runs
ALTER ROLE userstream_dashboard SET default_transaction_read_only = on;
ALTER ROLE userstream_dashboard SET statement_timeout = '15s';
ALTER ROLE userstream_dashboard SET lock_timeout = '500ms';
ALTER ROLE userstream_dashboard SET idle_in_transaction_session_timeout = '30s';
ALTER ROLE userstream_dashboard SET search_path = pg_catalog;

-- these show each role its own only; this one owns nothing
DROP POLICY IF EXISTS dashboard ON userstream.dead_letter;
DROP POLICY IF EXISTS dashboard ON userstream.incident;
DROP POLICY IF EXISTS dashboard ON userstream.stream_history;
DROP POLICY IF EXISTS dashboard ON userstream.feed_run;
CREATE POLICY dashboard ON userstream.dead_letter FOR SELECT TO userstream_dashboard USING (true);
CREATE POLICY dashboard ON userstream.incident FOR SELECT TO userstream_dashboard USING (true);
CREATE POLICY dashboard ON userstream.stream_history FOR SELECT TO userstream_dashboard USING (true);
CREATE POLICY dashboard ON userstream.feed_run FOR SELECT TO userstream_dashboard USING (true);

COMMIT;
