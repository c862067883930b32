-- test/bench/mirror_report.sql
--    medians and spread of mirrors and driver
--
-- Run by the part mirror with the variable rows.

WITH m AS (
	SELECT way, min(id) AS place,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median,
		   min(seconds) AS fastest, max(seconds) AS slowest,
		   percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu_s) AS cpu_s,
		   max(anon_kb) AS anon_kb
	FROM bench.result WHERE set = 'mirror' GROUP BY way
)
SELECT m.way,
	   round(m.median::numeric, 2) AS "median s",
	   round(m.fastest::numeric, 2) || ' - ' || round(m.slowest::numeric, 2) AS "spread s",
	   round((:rows / m.median)::numeric) AS "rows/s",
	   round((d.median / m.median)::numeric, 2) AS "driver = 1",
	   round(m.cpu_s::numeric, 2) AS "CPU s",
	   round((m.cpu_s / :rows * 1000000)::numeric, 1) AS "CPU us/row",
	   round((100 * m.cpu_s / m.median)::numeric) AS "% of a core",
	   round(m.anon_kb / 1024.0) AS "RssAnon MB"
FROM m JOIN m d ON d.way = 'driver'
ORDER BY m.place;
