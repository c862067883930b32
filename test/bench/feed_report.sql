-- test/bench/feed_report.sql
--    how fast a feed was
--
-- Run by the part feed after feed.sql; all runs but the first count.

SELECT max(records) AS records, max(pages) AS pages,
	   percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::numeric(8, 2) AS "median s",
	   (max(records) / percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) / 1000)::numeric(8, 1) AS "krecords/s"
FROM (SELECT records, pages, extract(epoch FROM finished_at - started_at) AS seconds,
			 row_number() OVER (ORDER BY id) AS n
	  FROM userstream.feed_run WHERE feed = 'bench' AND state = 'succeeded' AND records_produced = records) r
WHERE n > 1;
