-- test/checker.sql
--    one query that proves what must hold of a caught-up stream
--
-- Loaded into the stream's database, it makes
--    delivery(stream, target, produced, rows, sum, lost) -> (ok boolean, detail text)
-- which gives one row: whether all of this holds, and what does not.
--    ledger      read = applied + dead letters + skipped, per partition; the
--                counters equal what stands in target and dead_letter, where a
--                letter that a retry applied stands in both
--    once        no (partition, offset) twice in target and dead letters together,
--                but for such a letter
--    order       in each partition arrival and seq rise with the offset; rows of
--                retried letters come when they come
--    sums        as many rows, and the same sum of seq, as should have come; each
--                row's checksum is that of its seq and body
--    positions   next_offset is the broker's high watermark, in every partition
--
-- The target has seq (numbered up within a partition as produced), body,
-- checksum (md5 of seq and body, made by the producer), kafka_partition,
-- kafka_offset and arrival (given in the order of insertion).  A worker that
-- was not alone may leave holes in arrival, never an inversion within a
-- partition.
--
-- "produced" is the broker's own answer, {"partition": high watermark}, asked
-- for by the test: the view's high_offset comes from the worker under test.
-- rows and sum are what the target should hold, sum being that of seq.  lost
-- is how many rows of each partition the test took away on purpose (TRUNCATE
-- and a seek back), which the counters still hold.
CREATE FUNCTION delivery(stream text, target regclass, produced jsonb, rows bigint, sum numeric,
						 lost jsonb DEFAULT '{}')
RETURNS TABLE (ok boolean, detail text) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($q$
WITH t AS MATERIALIZED (
	SELECT seq, body, checksum, kafka_partition AS p, kafka_offset AS o, arrival FROM %1$s
), dead AS MATERIALIZED (
	SELECT partition AS p, kafka_offset AS o, retried_at IS NOT NULL AS retried
	  FROM userstream.dead_letter WHERE stream = $1
), high AS (
	SELECT key::int AS p, value::bigint AS o FROM jsonb_each_text($2)
), position AS (
	SELECT l.*, s.next_offset, s.rows_written
	  FROM userstream.ledger l JOIN userstream.partition_status s USING (stream, partition)
	 WHERE l.stream = $1
), broken AS (
	SELECT format('ledger: partition %%s read %%s, applied %%s, dead %%s, skipped %%s, balanced %%s',
				  partition, messages_read, messages_applied, dead_letters, skipped, balanced) AS what
	  FROM position
	 WHERE balanced IS NOT TRUE OR messages_read <> messages_applied + dead_letters + skipped
	UNION ALL
	SELECT format('ledger: partition %%s says %%s rows, %%s dead letters, %%s of them retried; there are %%s, %%s, %%s',
				  partition, rows_written, dead_letters, c.retried, n.rows - n.retried, n.dead, n.retried)
	  FROM position c, LATERAL (SELECT (SELECT count(*) FROM t WHERE p = partition)
										   + coalesce(($5 ->> partition::text)::bigint, 0) AS rows,
									   (SELECT count(*) FROM dead WHERE p = partition) AS dead,
									   (SELECT count(*) FROM dead d WHERE p = partition AND d.retried) AS retried) n
	 WHERE rows_written <> n.rows - n.retried OR dead_letters <> n.dead OR c.retried <> n.retried
	UNION ALL
	(SELECT format('once: partition %%s offset %%s is there %%s times', p, o, count(*))
	   FROM (SELECT p, o FROM t UNION ALL SELECT p, o FROM dead WHERE NOT retried) c
	  GROUP BY p, o HAVING count(*) > 1 LIMIT 3)
	UNION ALL
	(SELECT format('order: partition %%s offset %%s has seq %%s, arrival %%s; the one before %%s, %%s',
				   p, o, seq, arrival, seq_before, arrival_before)
	   FROM (SELECT *, lag(seq) OVER w AS seq_before, lag(arrival) OVER w AS arrival_before
			   FROM t WHERE NOT EXISTS (SELECT FROM dead d WHERE d.p = t.p AND d.o = t.o)
			 WINDOW w AS (PARTITION BY p ORDER BY o)) c
	  WHERE seq <= seq_before OR arrival <= arrival_before LIMIT 3)
	UNION ALL
	SELECT format('sums: %%s rows with sum %%s, not %%s with %%s', count(*), sum(seq), $3, $4)
	  FROM t HAVING count(*) <> $3 OR coalesce(sum(seq), 0) <> $4
	UNION ALL
	SELECT format('sums: %%s rows have another checksum', count(*))
	  FROM t WHERE checksum IS DISTINCT FROM md5(seq || body) HAVING count(*) > 0
	UNION ALL
	SELECT format('positions: partition %%s stands at %%s, the broker at %%s',
				  coalesce(partition, h.p), next_offset, h.o)
	  FROM position FULL JOIN high h ON h.p = partition
	 WHERE next_offset IS DISTINCT FROM h.o
)
SELECT count(*) = 0, coalesce(string_agg(what, E'\n'), '') FROM broken
	$q$, target) USING stream, produced, rows, sum, lost;
END $$;
