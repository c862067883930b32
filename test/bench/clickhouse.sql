-- test/bench/clickhouse.sql
--    what a load by ClickHouse took, once its rows are known to be right
--
-- Run by the part peers with the variables run, seconds, start_s, cpu_s, anon_kb
-- and file, which has the rows of ClickHouse's table.

COPY bench.with_key FROM :'file';
SELECT bench.check_rows('bench.with_key', 'bench_peers') \g /dev/null
INSERT INTO bench.result (run, set, way, topic, seconds, start_s, cpu_s, anon_kb)
SELECT :run, 'peers', 'ClickHouse', 'bench_peers', :seconds, :start_s, :cpu_s, :anon_kb
WHERE :run > 0;
