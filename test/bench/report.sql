-- test/bench/report.sql
--    medians, spread, and ratios to the COPY of the same set

WITH m AS (
	SELECT target, way,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median,
		   min(seconds) AS fastest, max(seconds) AS slowest,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY start_s) AS start_s,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu_s) AS cpu_s,
		   max(anon_kb) AS anon_kb
	FROM bench.result GROUP BY target, way
)
SELECT replace(m.target, '_', ' ') AS "table", m.way,
	   round(m.median::numeric, 2) AS "median s",
	   round(m.fastest::numeric, 2) || ' - ' || round(m.slowest::numeric, 2) AS "spread s",
	   round((e.n / m.median / 1000)::numeric) AS "krows/s",
	   round((c.median / m.median)::numeric, 2) AS "COPY = 1",
	   round(m.cpu_s::numeric, 2) AS "CPU s",
	   round(m.start_s::numeric, 2) AS "start s",
	   round(m.anon_kb / 1024.0) AS "RssAnon MB"
FROM m JOIN m c ON c.target = m.target AND c.way = 'COPY'
CROSS JOIN bench.expected e
ORDER BY m.target, m.way;
