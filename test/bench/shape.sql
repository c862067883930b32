-- test/bench/shape.sql
--    rows of a shape, and a table for them
--
-- Run by the part shapes with the variables name, columns, width and
-- megabytes.  A row is a bigint and columns of text with so many characters; there
-- are as many rows as make so many megabytes of messages.

-- digits of md5: no codec makes them less than half, and no two rows are alike
SELECT format('CREATE TABLE bench.source AS SELECT i AS id, %s FROM generate_series(1, %s) i',
			  string_agg((SELECT format('left(concat(%s), %s) AS c%s',
										string_agg(format('md5(i || %L)', c || '.' || part), ', '), :width, c)
						  FROM generate_series(0, (:width - 1) / 32) part), ', ' ORDER BY c),
			  round(:megabytes * 1000000.0 / (:columns * (:width + 8))))
FROM generate_series(1, :columns - 1) c \gexec
INSERT INTO bench.expected SELECT :'name', s.* FROM bench.checksum('bench.source') s;
CREATE TABLE bench.:name (LIKE bench.source);
