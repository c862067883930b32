-- test/checker.sql
--    what must hold of a stream after whatever was done to it
--
-- Load it into the stream's database, then
--    SELECT * FROM check_stream(stream, target, messages, sum)
-- gives one line for each promise that is broken, and none when all hold:
--    read = applied + dead letters + skipped, per partition and in all;
--    no coordinates twice, in target and dead letters together;
--    counters equal the tables;
--    order kept: what came later in a partition arrived later;
--    as many messages, and the same sum of their numbers, as were produced.
--
-- The target has the columns seq (number of the message, produced in rising
-- order), part and pos (@partition and @offset) and arrival (rising with
-- insertion).  messages and sum count what the target should hold.
CREATE OR REPLACE FUNCTION check_stream(stream text, target regclass, messages bigint, sum numeric)
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	broken text;
BEGIN
	RETURN QUERY
	SELECT format('partition %s is not balanced: read %s, applied %s, dead %s, skipped %s',
				  l.partition, l.messages_read, l.messages_applied, l.dead_letters, l.skipped)
	  FROM userstream.ledger l
	 WHERE l.stream = $1
	   AND (NOT l.balanced OR
			l.messages_read <> l.messages_applied + l.dead_letters + l.skipped);

	RETURN QUERY EXECUTE format($q$
		SELECT format('partition %%s offset %%s is there %%s times', part, pos, count(*))
		  FROM (SELECT part, pos FROM %1$s
				UNION ALL
				SELECT partition, kafka_offset FROM userstream.dead_letter WHERE stream = %2$L) c
		 GROUP BY part, pos HAVING count(*) > 1 LIMIT 3 $q$, target, stream);

	RETURN QUERY EXECUTE format($q$
		SELECT format('partition %%s: target has %%s rows, rows_written says %%s',
					  s.partition, count(t.part), s.rows_written)
		  FROM userstream.partition_status s LEFT JOIN %1$s t ON t.part = s.partition
		 WHERE s.stream = %2$L GROUP BY s.partition, s.rows_written
		HAVING count(t.part) <> s.rows_written $q$, target, stream);

	RETURN QUERY
	SELECT format('partition %s: %s dead letters are stored, the counter says %s',
				  s.partition, count(d.id), s.dead_letters)
	  FROM userstream.partition_status s
	  LEFT JOIN userstream.dead_letter d ON d.stream = s.stream AND d.partition = s.partition
	 WHERE s.stream = $1 GROUP BY s.partition, s.dead_letters
	HAVING count(d.id) <> s.dead_letters;

	RETURN QUERY EXECUTE format($q$
		SELECT format('order: partition %%s offset %%s (number %%s) came after a later one',
					  part, pos, seq)
		  FROM (SELECT part, pos, seq, max(arrival) OVER w AS arrived, max(seq) OVER w AS number, arrival
				  FROM %1$s WINDOW w AS (PARTITION BY part ORDER BY pos
										 ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) o
		 WHERE arrived >= arrival OR number >= seq LIMIT 3 $q$, target);

	EXECUTE format($q$
		SELECT CASE WHEN count(*) <> %2$s OR coalesce(sum(seq), 0) <> %3$s
			THEN format('target holds %%s messages with sum %%s, not %2$s and %3$s', count(*), sum(seq))
			END FROM %1$s $q$, target, messages, sum) INTO broken;
	IF broken IS NOT NULL THEN
		RETURN NEXT broken;
	END IF;
END $$;
