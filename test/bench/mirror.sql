-- test/bench/mirror.sql
--    one measured mirror: of rows that are there, or of changes that wait in the WAL
--
-- Run by the part mirror with the variables run, way, file and timeout_s.

SELECT :'way' LIKE '%changes' AS changes \gset
SELECT 'mirrored' || :run || CASE WHEN :'changes' THEN 'c' ELSE 'r' END AS name \gset
\if :changes
SELECT userstream.create_mirror(:'name', 'bench.mirrored', 'cassandra', 'bench', 'mirrored') \g /dev/null
SELECT * FROM bench.watch_mirror(:'name', 0, :timeout_s) \g /dev/null
SELECT userstream.pause_mirror(:'name') \g /dev/null
\endif
COPY bench.mirrored FROM :'file';
SELECT count(*) AS rows FROM bench.mirrored \gset
\if :changes
-- the worker that made the slot has to be gone: its successor is measured
DO $$ BEGIN
	WHILE EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'userstream mirror') LOOP
		PERFORM pg_sleep(0.05);
		PERFORM pg_stat_clear_snapshot();
	END LOOP;
END $$;
SELECT userstream.resume_mirror(:'name') \g /dev/null
\else
SELECT userstream.create_mirror(:'name', 'bench.mirrored', 'cassandra', 'bench', 'mirrored') \g /dev/null
\endif
SELECT * FROM bench.watch_mirror(:'name', :rows, :timeout_s) \gset
SELECT userstream.drop_mirror(:'name') \g /dev/null
INSERT INTO bench.result (run, set, way, topic, seconds, cpu_s, anon_kb)
SELECT :run, 'mirror', :'way', 'bench_mirror', extract(epoch FROM :'ended_at'::timestamptz - :'started_at'::timestamptz), :cpu_s, :anon_kb
WHERE :run > 0;
