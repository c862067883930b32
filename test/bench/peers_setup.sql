-- test/bench/peers_setup.sql
--    a role for the peers, and what watches whoever loads the table
--
-- Run by the part peers with the variable password.

CREATE ROLE peer LOGIN PASSWORD :'password';
GRANT USAGE ON SCHEMA bench TO peer;
GRANT SELECT, INSERT, UPDATE ON bench.with_key TO peer;

-- CPU seconds of those of the server's processes that have ended
CREATE FUNCTION bench.ended_cpu_s() RETURNS double precision LANGUAGE sql VOLATILE AS $$
	SELECT (f[14]::bigint + f[15]::bigint) / 100.0
	FROM string_to_array(regexp_replace(pg_read_file('/proc/' || split_part(pg_read_file('postmaster.pid'), E'\n', 1) || '/stat',
													 0, 4096, true), '^.*\) ', ''), ' ') f
$$;

-- Waits for the end of a load by a program and its sessions, or by a stream
-- (pid NULL).  CPU time counts from when the first rows come, so that nobody
-- pays for his start; for which there are timeout_s seconds, and for the rest as many.
-- A session that has ended is not forgotten: nothing but the program's ends meanwhile.
CREATE FUNCTION bench.watch_load(pid integer, messages bigint, timeout_s double precision,
	OUT start_s double precision, OUT cpu_s double precision, OUT anon_kb bigint)
LANGUAGE plpgsql VOLATILE SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
	began timestamptz := clock_timestamp();
	deadline timestamptz := began + timeout_s * interval '1 second';
	looks integer := 0;
	n bigint := 0;
	cpu_before double precision;
	seen record;
BEGIN
	LOOP
		PERFORM pg_stat_clear_snapshot();
		SELECT sum(bench.cpu_s(p)) + bench.ended_cpu_s() AS cpu,
			   max(bench.anon_kb(p)) FILTER (WHERE p = pid::text OR pid IS NULL) AS anon INTO seen
		FROM (SELECT pid::text AS p WHERE pid IS NOT NULL
			  UNION ALL
			  SELECT a.pid::text FROM pg_stat_activity a
			  WHERE a.usename = 'peer' OR a.application_name LIKE 'userstream: bench #%') loaders;
		anon_kb := greatest(anon_kb, seen.anon);
		IF cpu_before IS NULL AND pg_relation_size('bench.with_key') > 0 THEN
			cpu_before := seen.cpu;
			start_s := extract(epoch FROM clock_timestamp() - began);
			deadline := clock_timestamp() + timeout_s * interval '1 second';
		END IF;
		-- counting costs, so it is done less often than the rest
		looks := looks + 1;
		IF looks % 10 = 0 THEN
			SELECT count(*) INTO n FROM bench.with_key;
		END IF;
		EXIT WHEN n >= messages AND cpu_before IS NOT NULL;
		-- a process that ended has no memory
		IF pid IS NOT NULL AND bench.anon_kb(pid::text) IS NULL THEN
			RAISE 'the program ended after % of % rows', n, messages;
		ELSIF clock_timestamp() > deadline THEN
			RAISE 'only % of % rows in % s, after % s of CPU time', n, messages, timeout_s, seen.cpu;
		END IF;
		PERFORM pg_sleep(0.05);
	END LOOP;
	cpu_s := seen.cpu - cpu_before;
END
$$;
