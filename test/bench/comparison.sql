-- test/bench/comparison.sql
--    what a part says about ways that sql/comparison.md compares, as lines of its table
--
-- Run by the parts copy, mirror and peers.  userstream is 1 in each of them.

WITH m AS (
	SELECT set, way, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS median
	FROM bench.result GROUP BY set, way
)
SELECT format('| %s | %s |', w.words,
			  CASE WHEN w.way = w.base THEN '1' ELSE round((b.median / m.median)::numeric, 2)::text END)
FROM (VALUES
	(1, 'with_key', 'stream, 1 worker', 'stream, 1 worker', 'stream, one worker, table with a primary key'),
	(2, 'with_key', 'COPY', 'stream, 1 worker', 'server-side `COPY` of the same rows'),
	(3, 'peers', 'Python, COPY', 'stream', 'Python: confluent-kafka, psycopg 3, `COPY` of each batch'),
	(4, 'peers', 'Debezium, insert', 'stream', 'Debezium''s JDBC sink in Kafka Connect, insert'),
	(5, 'peers', 'Debezium, upsert', 'stream', 'Debezium''s JDBC sink in Kafka Connect, upsert'),
	(6, 'peers', 'Spark, append', 'stream', 'Spark Structured Streaming, `foreachBatch` and JDBC append'),
	(7, 'peers', 'ClickHouse', 'stream', 'ClickHouse''s Kafka engine into a MergeTree of its own (chDB)'),
	(8, 'mirror', 'mirror, changes', 'mirror, changes', 'mirror, changes into Cassandra'),
	(9, 'mirror', 'driver', 'mirror, changes', 'Python driver of Cassandra, `execute_concurrent`')
) w (place, set, way, base, words)
JOIN m USING (set, way)
JOIN m b ON b.set = w.set AND b.way = w.base
ORDER BY w.place;
