-- test/t/dashboard_sample.sql
--    what a day would leave, for pages that show a day: history, runs, incidents
--
-- Run by 510_browser.pl over streams, feeds and messages that are real; only
-- what takes a day to come is written here.

DELETE FROM userstream.stream_history;

-- rates that rise and fall, a lag now and then; the counters end where the real ones are, or before
INSERT INTO userstream.stream_history (stream, at, owner_oid, lag_messages, messages_read, rows_written, dead_letters)
SELECT s.stream, date_trunc('minute', now()) - (1441 - m) * interval '1 minute', 10,
	   CASE WHEN m BETWEEN 500 AND 560 THEN s.size * (30 - abs(m - 530)) / 30
			WHEN m % 97 < 4 THEN s.size / 8 ELSE m % 7 END,
	   read, read - dead, dead
FROM (VALUES ('users', 59950), ('orders', 399)) AS s(stream, size),
	 generate_series(0, 1439) AS m,
	 LATERAL (SELECT (s.size * (m + 160 * (1 - cos(m / 150.0))) / 1760)::bigint AS read) r,
	 LATERAL (SELECT CASE s.stream WHEN 'orders' THEN m / 180 ELSE 0 END AS dead) d;

-- a run each quarter of an hour; one feed fails now and then, the other one since an hour
INSERT INTO userstream.feed_run (run_id, feed, owner_oid, attempt, state, started_at, finished_at,
								 http_status, pages, bytes, records, records_produced, records_failed, error)
SELECT nextval('userstream.feed_run_run_id_seq'), f.feed, 10, 1,
	   CASE WHEN failed THEN 'failed' WHEN n = 13 THEN 'skipped' ELSE 'succeeded' END,
	   at, at + (2 + n % 5) * interval '0.41 s',
	   CASE WHEN failed THEN 503 WHEN n = 13 THEN NULL ELSE 200 END, 1, CASE WHEN failed THEN 0 ELSE 112000 + n * 137 END,
	   CASE WHEN failed OR n = 13 THEN 0 ELSE 100 END, CASE WHEN failed OR n = 13 THEN 0 ELSE 100 - (n = 7)::integer END,
	   CASE WHEN n = 7 AND NOT failed THEN 1 ELSE 0 END,
	   CASE WHEN failed THEN format('response of https://%s.example has HTTP status 503', f.feed) END
FROM (VALUES ('randomuser'), ('partners')) AS f(feed), generate_series(28, 1, -1) AS n,
	 LATERAL (SELECT now() - n * interval '15 minutes' AS at,
					 CASE f.feed WHEN 'partners' THEN n <= 4 OR n = 20 ELSE n IN (9, 22) END AS failed) r;

-- those that came today, at their hours
UPDATE userstream.dead_letter SET created_at = now() - (id * 37 % 1380) * interval '1 minute' WHERE stream = 'orders';
