-- test/bench/feed.sql
--    a feed: pages of users through transform and producer
--
-- Run by test/bench/run with the variables url and runs.  One run beforehand is
-- not counted: it makes the connection to Kafka.

\ir ../servers/demo_users.sql
CREATE SERVER api FOREIGN DATA WRAPPER userstream_http OPTIONS (url :'url', allow_private 'true');
SELECT userstream.create_feed('bench', 'api', 'kafka', 'bench_feed', '$.results[*]', 'format_user(jsonb)', 'id',
							  options => '{"page": "page", "create_topic": {"partitions": 4}}') \g /dev/null
SELECT 'CALL userstream.run_feed(''bench'')' FROM generate_series(0, :runs) \gexec
\echo 'feed, with the time that the API takes to make the users:'
\pset tuples_only off
\pset format aligned
SELECT max(records) AS records, max(pages) AS pages,
	   percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::numeric(8, 2) AS "median s",
	   (max(records) / percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) / 1000)::numeric(8, 1) AS "krecords/s",
	   (substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)')::int / 1024) AS "peak RSS MB"
FROM (SELECT records, pages, extract(epoch FROM finished_at - started_at) AS seconds,
			 row_number() OVER (ORDER BY id) AS n
	  FROM userstream.feed_run WHERE feed = 'bench' AND state = 'succeeded') r
WHERE n > 1;
