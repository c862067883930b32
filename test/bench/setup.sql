-- test/bench/setup.sql
--    the table of results, and what watches and checks a run
--
-- Run by each part with the variable address.

CREATE EXTENSION userstream;
CREATE SERVER kafka FOREIGN DATA WRAPPER userstream_kafka
	OPTIONS ("bootstrap.servers" :'address');

CREATE SCHEMA bench;

CREATE TABLE bench.result (
	id			integer GENERATED ALWAYS AS IDENTITY,
	run			integer NOT NULL,
	set			text NOT NULL,				-- ways that are compared
	way			text NOT NULL,
	topic		text NOT NULL,				-- what it loads
	seconds		double precision NOT NULL,	-- what the README calls the time
	start_s		double precision,			-- from create_stream's commit to the first worker's start; of peers to the first rows
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

CREATE TABLE bench.expected (
	topic		text PRIMARY KEY,
	n			bigint NOT NULL,
	checksum	numeric NOT NULL
);

-- independent of the rows' order, and of generated columns
CREATE FUNCTION bench.checksum(target regclass, OUT n bigint, OUT checksum numeric) LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SELECT count(*), sum(hashtextextended(row(%s)::text, 0)::numeric) FROM %s t',
				   (SELECT string_agg('t.' || attname, ', ' ORDER BY attnum) FROM pg_attribute
					WHERE attrelid = target AND attnum > 0 AND NOT attisdropped AND attgenerated = ''), target)
		INTO n, checksum;
END
$$;

-- raises when a row is lost, doubled or changed
CREATE FUNCTION bench.check_rows(target regclass, source text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	IF NOT EXISTS (SELECT FROM bench.expected e JOIN bench.checksum(target) c USING (n, checksum) WHERE e.topic = source) THEN
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
