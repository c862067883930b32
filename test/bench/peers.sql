-- test/bench/peers.sql
--    one measured load by whoever runs already
--
-- Run by the part peers with the variables run, way, pid (empty: a stream) and
-- timeout_s.  The time is that between the first commit and the last, in which
-- all rows but those of the first came; what is kept is that of all at this rate.

SELECT w.* FROM bench.expected e, bench.watch_load(nullif(:'pid', '')::integer, e.n, :timeout_s) w
WHERE e.topic = 'bench_peers' \gset
SELECT bench.check_rows('bench.with_key', 'bench_peers') \g /dev/null
WITH batch AS (
	SELECT pg_xact_commit_timestamp(xid) AS at, n, sum(n) OVER () AS all_rows
	FROM (SELECT xmin AS xid, count(*) AS n FROM bench.with_key GROUP BY xmin) b
)
INSERT INTO bench.result (run, set, way, topic, seconds, start_s, cpu_s, anon_kb)
SELECT :run, 'peers', :'way', 'bench_peers',
	   extract(epoch FROM max(at) - min(at)) * max(all_rows) / (max(all_rows) - (array_agg(n ORDER BY at))[1]),
	   :start_s, :cpu_s, :anon_kb
FROM batch HAVING :run > 0;
