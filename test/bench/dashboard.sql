-- test/bench/dashboard.sql
--    what the dashboard has to show when there is much of it
--
-- Run by the part dashboard with the variables users and letters.  Nothing of it
-- runs: definitions and counters are rows, as they would be after a year.

CREATE EXTENSION userstream;
CREATE SERVER kafka FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" '127.0.0.1:1');

-- the demo's own tables and views; there is no pg_cron here
CREATE SCHEMA cron;
CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint LANGUAGE sql RETURN 1;
\ir ../servers/demo_users.sql
\ir ../../dashboard/role.sql
\ir ../servers/demo_dashboard.sql

INSERT INTO spark_streams.created_users
SELECT md5('user ' || i)::uuid, 'First' || h % 999, 'Last' || h % 9999, (ARRAY['female', 'male'])[1 + h % 2],
	   '{"city": "Springfield"}', 'user' || i || '@example.org', 'panda' || i,
	   date '1940-01-01' + (h % 27000)::integer, date '2002-01-01' + (h / 7 % 8700)::integer, '+49 30 1', 'https://x',
	   (ARRAY['AU', 'BR', 'CA', 'CH', 'DE', 'DK', 'ES', 'FI', 'FR', 'GB', 'IE', 'IN', 'IR', 'MX', 'NL', 'NO', 'NZ',
			  'RS', 'TR', 'UA', 'US'])[1 + h / 3 % 21]
FROM (SELECT i, hashint8(i)::bigint + 2147483648 AS h FROM generate_series(1, :users) i) AS seed;
SELECT dashboard.refresh();

CREATE FUNCTION home() RETURNS text LANGUAGE sql AS $$
	SELECT system_identifier || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())
	FROM pg_control_system()
$$;
INSERT INTO userstream.stream (name, owner, owner_oid, server, server_oid, topic, target, target_oid, format, mode,
							   start_at, on_error, workers, options, timezone, home)
SELECT CASE n WHEN 0 THEN 'users' ELSE 'stream' || n END, 'postgres', 10, 'kafka', s.oid, 'topic' || n,
	   'spark_streams.created_users', 'spark_streams.created_users'::regclass, 'json', 'append', 'earliest',
	   'dead_letter', 1, '{}', 'UTC', home()
FROM generate_series(0, 19) n, pg_foreign_server s;
INSERT INTO userstream.stream_position (stream_id, partition, next_offset, messages_read, messages_applied,
										rows_written, dead_letters)
SELECT id, p, 50000, 50000, 49750, 49750, 250 FROM userstream.stream, generate_series(0, 19) p;
INSERT INTO userstream.stream_history (stream, at, owner_oid, lag_messages, messages_read, rows_written, dead_letters)
SELECT name, now() - n * interval '1 minute', 10, n % 60, 2000000 - n * 60, 2000000 - n * 60, 5000
FROM userstream.stream, generate_series(1, 1440) n;

-- all within a day, which is the most that the page counts
INSERT INTO userstream.dead_letter (owner, owner_oid, home, stream, topic, partition, kafka_offset, message_at,
									key, value, sqlstate, error, column_name, created_at)
SELECT 'postgres', 10, home(), CASE n % 20 WHEN 0 THEN 'users' ELSE 'stream' || n % 20 END, 'topic' || n % 20, n % 7, n,
	   now(), convert_to('key' || n, 'UTF8'), convert_to('{"id": "' || repeat('x', 380) || '"}', 'UTF8'),
	   (ARRAY['22P02', '23505', '22007'])[1 + n % 3], 'invalid input syntax for type uuid: "x"',
	   (ARRAY['id', 'dob', NULL])[1 + n % 3], now() - n * interval '86000 s' / :letters
FROM generate_series(1, :letters) n;
INSERT INTO userstream.incident (owner, owner_oid, stream, kind, detail, closed_at)
SELECT 'postgres', 10, 'users', 'topic_missing', 'topic is missing', CASE WHEN n > 10 THEN now() END
FROM generate_series(1, 1000) n;

INSERT INTO userstream.feed (name, owner, owner_oid, server, server_oid, kafka_server, kafka_server_oid, topic,
							 records, retries, options, timezone, home)
SELECT 'feed' || n, 'postgres', 10, 'kafka', s.oid, 'kafka', s.oid, 'topic', '$', 3, '{}', 'UTC', home()
FROM generate_series(1, 10) n, pg_foreign_server s;
INSERT INTO userstream.feed_run (run_id, feed, owner_oid, attempt, state, started_at, finished_at, http_status,
								 bytes, records, records_produced, records_failed)
SELECT n * 10 + f, 'feed' || f, 10, 1, CASE WHEN n % 50 = 0 THEN 'failed' ELSE 'succeeded' END,
	   now() - n * interval '1 minute', now() - n * interval '1 minute' + interval '2 s', 200, 50000, 100, 100, 0
FROM generate_series(1, 10080) n, generate_series(1, 10) f;

VACUUM ANALYZE;
