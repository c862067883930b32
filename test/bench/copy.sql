-- test/bench/copy.sql
--    one measured COPY
--
-- Run by the parts with the variables file, run, set, table and topic.

SELECT clock_timestamp() AS started_at, bench.cpu_s('self') AS cpu_s \gset
COPY bench.:table FROM :'file';
SELECT clock_timestamp() AS ended_at, bench.cpu_s('self') - :cpu_s AS cpu_s \gset
SELECT bench.check_rows(format('bench.%I', :'table')::regclass, :'topic') \g /dev/null
INSERT INTO bench.result (run, set, way, topic, seconds, cpu_s)
SELECT :run, :'set', 'COPY', :'topic', extract(epoch FROM :'ended_at'::timestamptz - :'started_at'::timestamptz), :cpu_s
WHERE :run > 0;
