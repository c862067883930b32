-- test/bench/stream.sql
--    one measured stream
--
-- Run by test/bench/run with the variables run, table, workers, messages,
-- topic and timeout_s.

SELECT userstream.create_stream('bench', server => 'kafka', topic => :'topic',
								target => format('bench.%I', :'table')::regclass,
								workers => :workers) \g /dev/null
SELECT clock_timestamp() AS created_at \gset
SELECT * FROM bench.watch('bench', :messages, :timeout_s) \gset
SELECT userstream.drop_stream('bench') \g /dev/null
SELECT bench.check_rows(format('bench.%I', :'table')::regclass) \g /dev/null
INSERT INTO bench.result
SELECT :run, :'table', format('stream, %s worker%s', :workers, CASE WHEN :workers > 1 THEN 's' END),
	   extract(epoch FROM :'ended_at'::timestamptz - :'started_at'::timestamptz),
	   extract(epoch FROM :'started_at'::timestamptz - :'created_at'::timestamptz),
	   :cpu_s, :anon_kb;
