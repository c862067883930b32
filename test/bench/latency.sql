-- test/bench/latency.sql
--    when the rows of one rate were seen
--
-- Run by the part latency when all are there, with the variables run, rate,
-- sent (messages) and warm_s (seconds that do not count).

SELECT sum(bench.cpu_s(pid::text)) AS cpu_s FROM pg_stat_activity WHERE application_name LIKE 'userstream: bench #%' \gset
SELECT userstream.drop_stream('bench') \g /dev/null
ANALYZE bench.look;
CREATE TEMP TABLE batch AS
SELECT a.xid, (SELECT l.at FROM bench.look l
			   WHERE l.at >= pg_xact_commit_timestamp(a.xid) - interval '10 ms'
				 AND pg_visible_in_snapshot(a.xid::text::xid8, l.snapshot)
			   ORDER BY l.at LIMIT 1) AS seen_at
FROM (SELECT DISTINCT xmin AS xid FROM bench.arrival) a;
-- a row that was lost is none that came early
SELECT 1 / (count(*) = :sent AND count(seen_at) = :sent)::integer
FROM bench.arrival a JOIN batch b ON b.xid = a.xmin \g /dev/null
INSERT INTO bench.latency_run
SELECT :rate, :run, count(*), (SELECT count(*) FROM batch), (SELECT count(*) FROM bench.look),
	   extract(epoch FROM max(seen_at) - min(due_at)), :cpu_s
FROM bench.arrival a JOIN batch b ON b.xid = a.xmin HAVING :run > 0;
INSERT INTO bench.latency
SELECT :rate, :run, extract(epoch FROM seen_at - due_at) * 1000, extract(epoch FROM stored_at - due_at) * 1000
FROM bench.arrival a JOIN batch b ON b.xid = a.xmin
WHERE :run > 0 AND due_at >= (SELECT min(due_at) FROM bench.arrival) + :warm_s * interval '1 s';
