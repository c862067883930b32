-- test/bench/setup.sql
--    tables, rows and what watches a run
--
-- Run by test/bench/run with the variables address, messages, mode_messages,
-- topic and mode_topic.

CREATE EXTENSION userstream;
CREATE SERVER kafka FOREIGN DATA WRAPPER userstream_kafka
	OPTIONS ("bootstrap.servers" :'address');

CREATE SCHEMA bench;

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

CREATE TABLE bench.mode_source AS SELECT * FROM bench.source LIMIT :mode_messages;

CREATE TABLE bench.no_key (LIKE bench.source);
CREATE TABLE bench.with_key (LIKE bench.source, PRIMARY KEY (id));

-- They give the rows that the messages give by themselves, so that all ways can be checked alike.
CREATE FUNCTION bench.to_document(r jsonb) RETURNS jsonb LANGUAGE sql STABLE AS $$
	SELECT jsonb_build_object(
		'id', r->'id', 'first_name', r->'first_name', 'last_name', r->'last_name', 'gender', r->'gender',
		'address', r->'address', 'email', r->'email', 'username', r->'username', 'phone', r->'phone',
		'picture', r->'picture', 'nationality', r->'nationality', 'dob', r->'dob', 'registered_at', r->'registered_at')
$$;

CREATE FUNCTION bench.to_rows(r jsonb) RETURNS SETOF bench.with_key LANGUAGE sql STABLE AS $$
	SELECT (r->>'id')::uuid, r->>'first_name', r->>'last_name', r->>'gender', r->>'address', r->>'email',
		   r->>'username', r->>'phone', r->>'picture', r->>'nationality',
		   (r->>'dob')::timestamptz, (r->>'registered_at')::timestamptz
$$;

CREATE FUNCTION bench.is_wanted(r jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE AS $$
	SELECT r->>'email' LIKE '%@%'
$$;

CREATE TABLE bench.result (
	id			integer GENERATED ALWAYS AS IDENTITY,
	run			integer NOT NULL,
	set			text NOT NULL,				-- ways that are compared
	way			text NOT NULL,
	seconds		double precision NOT NULL,	-- what the README calls the time
	start_s		double precision,			-- from create_stream's commit to the first worker's start
	cpu_s		double precision NOT NULL,	-- user and system, of the process or processes that load
	anon_kb		bigint,						-- largest RssAnon seen of one worker
	PRIMARY KEY (run, set, way)
);

-- CPU seconds of a process with all its threads; ticks are 1/100 s on Linux
CREATE FUNCTION bench.cpu_s(pid text) RETURNS double precision LANGUAGE sql VOLATILE AS $$
	SELECT (f[12]::bigint + f[13]::bigint) / 100.0
	FROM string_to_array(regexp_replace(pg_read_file('/proc/' || pid || '/stat', 0, 4096, true), '^.*\) ', ''), ' ') f
$$;

CREATE FUNCTION bench.anon_kb(pid text) RETURNS bigint LANGUAGE sql VOLATILE AS $$
	SELECT substring(pg_read_file('/proc/' || pid || '/status', 0, 8192, true) FROM 'RssAnon:\s+(\d+) kB')::bigint
$$;

-- independent of the rows' order; check_rows raises when a row is lost, doubled or changed
CREATE VIEW bench.sources AS
SELECT :'topic' AS topic, s::text AS row FROM bench.source s
UNION ALL
SELECT :'mode_topic', s::text FROM bench.mode_source s;

CREATE TABLE bench.expected AS
SELECT topic, count(*) AS n, sum(hashtextextended(row, 0)::numeric) AS checksum FROM bench.sources GROUP BY topic;
DROP VIEW bench.sources;

CREATE FUNCTION bench.check_rows(target regclass, source text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	is_equal boolean;
BEGIN
	EXECUTE format('SELECT count(*) = e.n AND sum(hashtextextended(t::text, 0)::numeric) = e.checksum '
				   'FROM %s t CROSS JOIN bench.expected e WHERE e.topic = $1 GROUP BY e.n, e.checksum', target)
		INTO is_equal USING source;
	IF is_equal IS NOT TRUE THEN
		RAISE 'rows of % are not those of the source', target;
	END IF;
END
$$;

-- Waits for the end of a stream's load.  Its own cost is a look 50 times a
-- second; the end itself is not polled but the last batch's commit time.
CREATE FUNCTION bench.watch(stream_name text, messages bigint, timeout_s double precision,
	OUT started_at timestamptz, OUT ended_at timestamptz, OUT cpu_s double precision, OUT anon_kb bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	deadline timestamptz := clock_timestamp() + timeout_s * interval '1 second';
	n bigint;
	seen record;
BEGIN
	LOOP
		SELECT sum(p.messages_read), max(pg_xact_commit_timestamp(p.xmin)) INTO n, ended_at
		FROM userstream.stream_position p JOIN userstream.stream s ON s.id = p.stream_id
		WHERE s.name = stream_name;
		PERFORM pg_stat_clear_snapshot();
		SELECT min(a.backend_start) AS first_start, sum(bench.cpu_s(a.pid::text)) AS cpu,
			   max(bench.anon_kb(a.pid::text)) AS anon INTO seen
		FROM pg_stat_activity a
		WHERE a.application_name LIKE 'userstream: ' || stream_name || ' #%';
		started_at := least(started_at, seen.first_start);
		cpu_s := greatest(cpu_s, seen.cpu);
		anon_kb := greatest(anon_kb, seen.anon);
		EXIT WHEN n >= messages;
		IF clock_timestamp() > deadline THEN
			RAISE 'only % of % messages in % s', n, messages, timeout_s
				USING DETAIL = (SELECT row_to_json(v)::text FROM userstream.stream_status v WHERE v.stream = stream_name);
		END IF;
		PERFORM pg_sleep(0.02);
	END LOOP;
END
$$;
