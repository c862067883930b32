-- test/t/debezium/source.sql
--    a table with each type that Debezium's connector for PostgreSQL carries,
--    and what happens to it
--
-- test/servers/debezium runs it where the connector looks; 026_debezium_real.pl
-- runs it again beside a stream that reads what the connector wrote.  Behind
-- the line "-- changes" is what the connector sees as changes.

CREATE TYPE mood AS ENUM ('good', 'so-so', 'b"ad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE source (
	id int PRIMARY KEY,
	b boolean, i2 smallint, i4 int, i8 bigint, o oid, dom positive,
	f4 real, f8 double precision,
	num numeric(20, 4), free numeric, zero numeric(5, 0), cash money,
	t text, v varchar(10), c char(5), e mood, u uuid, x xml,
	j json, jb jsonb, h bytea,
	bi bit(3), bi1 bit(1), bv varbit(10), bvf varbit,
	d date, tm time, tm3 time(3), ttz timetz, ts timestamp, ts3 timestamp(3), tsz timestamptz, iv interval,
	net inet, cid cidr, mac macaddr, mac8 macaddr8,
	ir int4range, br int8range, nr numrange, tr tsrange, tzr tstzrange, dr daterange,
	p point,
	ia int[], ba bigint[], sa smallint[], ta text[], va varchar(3)[], na numeric(10, 2)[], fa double precision[],
	bl boolean[], da date[], tsa timestamp[], tza timestamptz[], tia time[], ua uuid[], ea mood[], jba jsonb[], bya bytea[],
	big text
);
ALTER TABLE source ALTER big SET STORAGE EXTERNAL;

INSERT INTO source VALUES (1,
	true, -32768, 2147483647, 9223372036854775807, 4294967295, 7,
	1.5, 0.1,
	1234567890123456.7891, 123456789012345678901234567890.123456789, 99999, '$1,234.56',
	'é "quoted" \ ' || chr(10) || chr(9) || '😀', 'abcdefghij', 'ab', 'so-so', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '<a b="c">é</a>',
	'{"a": [1, null],  "b": "x"}', '{"a": 1.10, "é": ["\\", "\n"]}', '\x00ff10',
	'101', '1', '1010101', '110011001100110011',
	'2024-02-29', '23:59:59.999999', '12:34:56.789', '01:02:03.456+05:30', '2024-02-29 12:34:56.789012', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789012+02', '1 year 2 months 3 days 04:05:06.789',
	'10.0.0.1/8', '10.1.0.0/16', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
	'[1,5)', '(,7)', '[1.5,2.5]', '["2024-01-01 00:00","2024-02-01 00:00")', '["2024-01-01 00:00Z",)', '[2024-01-01,2024-02-01)',
	'(1.5,-2)',
	'{1,NULL,-3}', '{9223372036854775807}', '{}', '{a,"b,c",NULL,"d\"e"}', '{abc}', '{1.50,-0.01,NULL}', '{0.1,1e300}',
	'{t,f}', '{2024-02-29,1969-12-31}', '{"2024-02-29 12:34:56.789012"}', '{"2024-02-29 12:34:56+00"}', '{12:34:56.5}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '{good,"b\"ad"}', '{"{\"a\": 1}"}', '{"\\x00ff"}',
	repeat('long ', 600));
INSERT INTO source (id) VALUES (2);
INSERT INTO source (id, d, ts, ts3, tsz, f4, f8, num, free, i2, i4, i8, tm, iv) VALUES
	(3, 'infinity', 'infinity', 'infinity', 'infinity', 'NaN', '-Infinity', -0.0001, -1e-20, 0, -2147483648, -9223372036854775808, '24:00:00', '-1 day -00:00:00.000001'),
	(4, '-infinity', '-infinity', '-infinity', '-infinity', '-Infinity', 'NaN', -9999999999999999.9999, 0, -1, 0, 0, '00:00:00', '-178000000 years'),
	(5, '5874897-12-31', '294276-12-31 23:59:59.999', '9999-12-31 23:59:59.999', '294276-12-31 23:59:59Z', 1e-30, 1.7976931348623157e308, 0, 1e100, 1, 1, 1, '00:00:00.000001', '00:00'),
	(6, '4713-01-01 BC', '0044-03-15 12:00:00 BC', '0001-01-01 00:00:00', '0044-03-15 12:00:00Z BC', -0.0, -0.0, 0.5, 0.1, 1, 1, 1, '12:00', '1 mon');
INSERT INTO source (id, t, big) VALUES (7, 'goes', repeat('x', 10));

-- changes
INSERT INTO source (id, t, num, free, d, tsz, ia) VALUES (8, 'comes', 1.5, 2.25, '2000-01-01', '2000-01-01 00:00Z', '{1}');
UPDATE source SET t = 'the long text beside stays', num = -1.0000 WHERE id = 1;
UPDATE source SET t = NULL, j = '[1]', da = NULL WHERE id = 2;
UPDATE source SET id = 9 WHERE id = 8;
DELETE FROM source WHERE id = 7;
BEGIN; INSERT INTO source (id, t) VALUES (10, 'a'); UPDATE source SET t = 'b' WHERE id = 10; DELETE FROM source WHERE id = 10; COMMIT;
INSERT INTO source (id, h, jb) VALUES (11, '\x', 'null'), (12, NULL, '"text"');
INSERT INTO source (id, d, ts, ts3, tsz, f4, f8, num, free, i2, i4, i8, tm, iv)
	SELECT id + 20, d, ts, ts3, tsz, f4, f8, num, free, i2, i4, i8, tm, iv FROM source WHERE id BETWEEN 3 AND 6;
UPDATE source SET id = 21 WHERE id = 1;
