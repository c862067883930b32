-- test/bench/report.sql
--    medians, spread, and ratios to one way of the same set
--
-- Run by the parts with the variables base (the way that is 1) and title.

WITH m AS (
	SELECT set, way, topic, min(id) AS place,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median,
		   min(seconds) AS fastest, max(seconds) AS slowest,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY start_s) AS start_s,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu_s) AS cpu_s,
		   max(anon_kb) AS anon_kb
	FROM bench.result GROUP BY set, way, topic
)
SELECT replace(m.set, '_', ' ') AS set, m.way,
	   round(m.median::numeric, 2) AS "median s",
	   round(m.fastest::numeric, 2) || ' - ' || round(m.slowest::numeric, 2) AS "spread s",
	   round((e.n / m.median / 1000)::numeric, CASE WHEN e.n / m.median < 10000 THEN 1 ELSE 0 END) AS "krows/s",
	   round((c.median / m.median)::numeric, 2) AS :"title",
	   round(m.cpu_s::numeric, 2) AS "CPU s",
	   round((c.cpu_s / nullif(m.cpu_s, 0))::numeric, 2) AS "by CPU",
	   round(m.start_s::numeric, 2) AS "start s",
	   round(m.anon_kb / 1024.0) AS "RssAnon MB"
FROM m JOIN m c ON c.set = m.set AND c.way = :'base'
JOIN bench.expected e ON e.topic = m.topic
ORDER BY min(m.place) OVER (PARTITION BY m.set), m.place;
