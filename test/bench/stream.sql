-- test/bench/stream.sql
--    one measured stream
--
-- Run by the parts with the variables run, set, table, way, workers,
-- topic, format, mode, transform (- = none), options, owner and timeout_s.

SET ROLE :"owner";
SELECT userstream.create_stream('bench', server => 'kafka', topic => :'topic',
								target => format('bench.%I', :'table')::regclass,
								format => :'format', mode => :'mode', transform => nullif(:'transform', '-'),
								workers => :workers, options => :'options') \g /dev/null
RESET ROLE;
SELECT clock_timestamp() AS created_at \gset
SELECT w.* FROM bench.expected e, bench.watch('bench', e.n, :timeout_s) w WHERE e.topic = :'topic' \gset
SELECT userstream.drop_stream('bench') \g /dev/null
SELECT bench.check_rows(format('bench.%I', :'table')::regclass, :'topic') \g /dev/null
INSERT INTO bench.result (run, set, way, topic, seconds, start_s, cpu_s, anon_kb)
SELECT :run, :'set', :'way', :'topic',
	   extract(epoch FROM :'ended_at'::timestamptz - :'started_at'::timestamptz),
	   extract(epoch FROM :'started_at'::timestamptz - :'created_at'::timestamptz),
	   :cpu_s, :anon_kb
WHERE :run > 0;
