-- test/servers/demo.sql
--    what a user would type: servers, stream, feed, schedule
--
-- Run by test/servers/demo with the variables address (host:port of Kafka),
-- api_url, and private (whether the API is on this machine).

CREATE EXTENSION userstream;
CREATE EXTENSION pg_cron;

CREATE SERVER kafka FOREIGN DATA WRAPPER userstream_kafka
	OPTIONS ("bootstrap.servers" :'address');
CREATE SERVER randomuser FOREIGN DATA WRAPPER userstream_http
	OPTIONS (url :'api_url');
\if :private
ALTER SERVER randomuser OPTIONS (ADD allow_private 'true');
\endif

-- the table, and the function that makes a message of what the API says of a user
\ir demo_users.sql

SELECT userstream.create_feed('randomuser', server => 'randomuser', records => '$.results[*]',
							  transform => 'format_user(jsonb)', kafka_server => 'kafka',
							  topic => 'users_created', key => 'id',
							  options => '{"create_topic": {"partitions": 4}}');
SELECT userstream.create_stream('users', server => 'kafka', topic => 'users_created',
								target => 'spark_streams.created_users');

SELECT cron.schedule('kafka_stream', '* * * * *', $$CALL userstream.run_feed('randomuser')$$);

-- not to wait for the next minute
CALL userstream.run_feed('randomuser');
