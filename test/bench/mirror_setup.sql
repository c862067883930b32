-- test/bench/mirror_setup.sql
--    the table that is mirrored, and what watches a mirror
--
-- Run by the part mirror with the variable address (host:port of Cassandra).

CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra OPTIONS (hosts :'address', consistency 'LOCAL_ONE');
CREATE TABLE bench.mirrored (LIKE bench.with_key INCLUDING ALL);

-- Waits until so many rows are in Cassandra and saved as such; as bench.watch.
CREATE FUNCTION bench.watch_mirror(mirror_name text, rows bigint, timeout_s double precision,
	OUT started_at timestamptz, OUT ended_at timestamptz, OUT cpu_s double precision, OUT anon_kb bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
	deadline timestamptz := clock_timestamp() + timeout_s * interval '1 second';
	n bigint;
	seen record;
BEGIN
	LOOP
		SELECT p.rows_mirrored, pg_xact_commit_timestamp(p.xmin) INTO n, ended_at
		FROM userstream.mirror_position p JOIN userstream.mirror m ON m.id = p.mirror_id
		WHERE m.name = mirror_name AND p.lsn IS NOT NULL;
		PERFORM pg_stat_clear_snapshot();
		SELECT min(a.backend_start) AS start, max(bench.cpu_s(a.pid::text)) AS cpu,
			   max(bench.anon_kb(a.pid::text)) AS anon INTO seen
		FROM pg_stat_activity a
		WHERE a.backend_type = 'userstream mirror' AND a.application_name = 'userstream: ' || mirror_name;
		started_at := least(started_at, seen.start);
		cpu_s := greatest(cpu_s, seen.cpu);
		anon_kb := greatest(anon_kb, seen.anon);
		EXIT WHEN n >= rows AND started_at IS NOT NULL;
		IF clock_timestamp() > deadline THEN
			RAISE 'only % of % rows in % s', n, rows, timeout_s
				USING DETAIL = (SELECT row_to_json(v)::text FROM userstream.mirror_status v WHERE v.mirror = mirror_name);
		END IF;
		PERFORM pg_sleep(0.02);
	END LOOP;
END
$$;
