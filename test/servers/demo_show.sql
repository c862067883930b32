-- test/servers/demo_show.sql
--    what the demo shows when all rows are there, and each time it is asked again

\echo users by nationality, the first five:
SELECT nationality, address ->> 'country' AS country, count(*) AS users,
	   round(avg(extract(year FROM age(dob)))) AS average_age
  FROM spark_streams.created_users
 GROUP BY 1, 2 ORDER BY 3 DESC, 1 LIMIT 5;

\echo three of them:
SELECT id, first_name, last_name, address ->> 'city' AS city, address ->> 'postcode' AS postcode, dob
  FROM spark_streams.created_users ORDER BY id LIMIT 3;

\echo userstream.feed_status and the last runs:
SELECT feed, state, schedule, next_run_at, last_success_at, runs_24h, failures_24h, last_error
  FROM userstream.feed_status;
SELECT feed, attempt, state, started_at, http_status, records, records_produced, error
  FROM userstream.feed_run ORDER BY id DESC LIMIT 5;

\echo userstream.stream_status:
\x on
SELECT * FROM userstream.stream_status;
\x off

\echo userstream.ledger:
SELECT * FROM userstream.ledger ORDER BY partition;
