-- test/bench/feed.sql
--    a feed: pages of users through transform and producer
--
-- Run by the part feed with the variable url.  The run made here is not
-- counted: it makes the API's pages, and topic and files of the broker.

\ir ../servers/demo_users.sql
CREATE SERVER api FOREIGN DATA WRAPPER userstream_http OPTIONS (url :'url', allow_private 'true');
SELECT userstream.create_feed('bench', 'api', 'kafka', 'bench_feed', '$.results[*]', 'format_user(jsonb)', 'id',
							  options => '{"page": "page", "create_topic": {"partitions": 4}}') \g /dev/null
CALL userstream.run_feed('bench');
