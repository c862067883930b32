-- test/bench/latency_report.sql
--    how late rows can be seen, by rate, over all runs
--
-- Run by the part latency.

WITH r AS (
	SELECT rate, sum(rows) AS rows, sum(batches) AS batches, sum(looks) AS looks, sum(seconds) AS seconds, sum(cpu_s) AS cpu_s
	FROM bench.latency_run GROUP BY rate
), l AS (
	SELECT rate, percentile_disc(ARRAY[0.5, 0.9, 0.99, 1]) WITHIN GROUP (ORDER BY ms) AS p,
		   percentile_disc(ARRAY[0.5, 0.99]) WITHIN GROUP (ORDER BY kafka_ms) AS kafka,
		   count(*) AS n, count(*) FILTER (WHERE ms < 5) AS under_5, count(*) FILTER (WHERE ms < 10) AS under_10,
		   count(*) FILTER (WHERE ms < 20) AS under_20, count(*) FILTER (WHERE ms < 50) AS under_50,
		   count(*) FILTER (WHERE ms < 100) AS under_100
	FROM bench.latency GROUP BY rate
)
SELECT rate AS "per s", n AS messages,
	   round(p[1]::numeric, 1) AS "p50 ms", round(p[2]::numeric, 1) AS p90,
	   round(p[3]::numeric, 1) AS p99, round(p[4]::numeric, 1) AS max,
	   round(kafka[1]::numeric, 1) AS "in Kafka p50", round(kafka[2]::numeric, 1) AS "in Kafka p99",
	   round(100.0 * under_5 / n, 1) AS "% <5 ms", round(100.0 * (under_10 - under_5) / n, 1) AS "<10",
	   round(100.0 * (under_20 - under_10) / n, 1) AS "<20", round(100.0 * (under_50 - under_20) / n, 1) AS "<50",
	   round(100.0 * (under_100 - under_50) / n, 1) AS "<100", round(100.0 * (n - under_100) / n, 1) AS more,
	   round(rows::numeric / batches, 1) AS "rows a batch",
	   round((100 * cpu_s / seconds)::numeric, 1) AS "% of a core",
	   round((1000 * seconds / looks)::numeric, 2) AS "ms a look"
FROM l JOIN r USING (rate) ORDER BY rate;
