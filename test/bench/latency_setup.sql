-- test/bench/latency_setup.sql
--    a table, what looks when its rows can be seen, and the results
--
-- Run by the part latency.

CREATE TABLE bench.arrival (
	id			bigint PRIMARY KEY,
	due_at		timestamptz NOT NULL,
	stored_at	timestamptz NOT NULL,		-- when Kafka had it, to the ms
	text		text NOT NULL
);
CREATE TABLE bench.look (at timestamptz, snapshot pg_snapshot);
CREATE INDEX ON bench.look (at);

CREATE TABLE bench.latency (
	rate		integer NOT NULL,
	run			integer NOT NULL,
	ms			double precision NOT NULL,	-- from when a message was due until its row was seen
	kafka_ms	double precision NOT NULL	-- ... until Kafka had it
);
CREATE TABLE bench.latency_run (
	rate		integer NOT NULL,
	run			integer NOT NULL,
	rows		bigint NOT NULL,
	batches		bigint NOT NULL,
	looks		bigint NOT NULL,
	seconds		double precision NOT NULL,	-- from the first message to the last row
	cpu_s		double precision NOT NULL	-- of the worker, its start included
);

-- Takes a snapshot and then the time, about once in a millisecond: what the
-- snapshot shows could be seen by then.  It writes only when all rows are there
-- and leaves no transaction open, since both would slow the worker.
CREATE PROCEDURE bench.look(messages bigint, timeout_s double precision) LANGUAGE plpgsql AS $$
DECLARE
	deadline timestamptz := clock_timestamp() + timeout_s * interval '1 second';
	snapshots pg_snapshot[] := '{}';
	times timestamptz[] := '{}';
	looks integer := 0;
	is_over boolean := false;
BEGIN
	WHILE NOT is_over LOOP
		is_over := looks % 100 = 0 AND (SELECT sum(messages_read) FROM userstream.stream_position) >= messages;
		IF clock_timestamp() > deadline THEN
			RAISE 'not all of % messages in % s', messages, timeout_s;
		END IF;
		looks := looks + 1;
		snapshots[looks] := pg_current_snapshot();
		times[looks] := clock_timestamp();
		COMMIT;
		PERFORM pg_sleep(0.0005);
	END LOOP;
	TRUNCATE bench.look;
	INSERT INTO bench.look SELECT * FROM unnest(times, snapshots);
END
$$;
