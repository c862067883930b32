-- test/bench/rows.sql
--    the rows of users, and tables for them
--
-- Run by the parts with the variables messages and topic.

-- twelve strings in JSON, about 430 bytes; ids in random order, as users' are
CREATE TABLE bench.source AS
SELECT md5('user ' || i)::uuid AS id,
	   (ARRAY['Anna', 'Bruno', 'Chloé', 'Dmitri', 'Emília', 'Fatma', 'Goran', 'Hanna'])[1 + h % 8] AS first_name,
	   (ARRAY['Müller', 'Silva', 'Dubois', 'Ivanova', 'Yılmaz', 'Smith', 'Novak'])[1 + h / 8 % 7] AS last_name,
	   (ARRAY['female', 'male'])[1 + h % 2] AS gender,
	   h % 9999 || ' ' || (ARRAY['Main Street', 'Rua da Praia', 'Rue Victor Hugo', 'Lindenweg'])[1 + h / 64 % 4]
		|| ', ' || (ARRAY['Springfield', 'Porto Alegre', 'Saint-Étienne', 'Nürnberg'])[1 + h / 64 % 4]
		|| ', ' || 10000 + h % 89999 AS address,
	   'user' || i || '@example.org' AS email,
	   (ARRAY['happy', 'silent', 'yellow', 'quick'])[1 + h / 256 % 4] || 'panda' || i AS username,
	   '+49 30 ' || 1000000 + h % 8999999 AS phone,
	   'https://pictures.example.org/portraits/' || h % 100 || '/' || i || '.jpg' AS picture,
	   (ARRAY['DE', 'BR', 'FR', 'RU', 'TR', 'US', 'HR'])[1 + h / 8 % 7] AS nationality,
	   timestamptz '1950-01-01 00:00:00+00' + h * interval '1.1 second' AS dob,
	   timestamptz '2020-01-01 00:00:00+00' + (h % 150000000) * interval '1.001 second' AS registered_at
FROM (SELECT i, hashint8(i)::bigint + 2147483648 AS h FROM generate_series(1, :messages) i) AS seed;

INSERT INTO bench.expected SELECT :'topic', c.* FROM bench.checksum('bench.source') c;

CREATE TABLE bench.no_key (LIKE bench.source);
CREATE TABLE bench.with_key (LIKE bench.source, PRIMARY KEY (id));
