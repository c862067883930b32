-- What the views say of a stream in each state.  First in transactions that
-- never commit (so no worker comes in between), then of one that runs.

\ir helpers.psql
SET client_min_messages = error;

SELECT plan(62);

-- of a run that failed
DROP ROLE IF EXISTS us_alice, us_alicia, us_bob;
CREATE ROLE us_alice LOGIN;
GRANT USAGE ON FOREIGN SERVER kafka TO us_alice;
CREATE SCHEMA shop;
CREATE TABLE shop.users (id uuid, first_name text);
GRANT USAGE ON SCHEMA shop TO us_alice;
GRANT INSERT ON shop.users TO us_alice;

-- state, last_error and whether times stand beside it
CREATE FUNCTION told(name text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', state, last_error,
					 CASE WHEN last_error_at IS NOT NULL THEN 'at' END,
					 CASE WHEN failing_since IS NOT NULL THEN 'failing' END)
	FROM userstream.stream_status WHERE stream = name
$$;
CREATE FUNCTION told_of_partitions(name text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' | ', partition, state, last_error,
					 CASE WHEN last_error_at IS NOT NULL THEN 'at' END), E'\n' ORDER BY partition)
	FROM userstream.partition_status WHERE stream = name
$$;

BEGIN;
SET LOCAL ROLE us_alice;
SELECT userstream.create_stream('s', 'kafka', 'pgtap_four', 'shop.users', workers => 2);
RESET ROLE;
SELECT results_eq('SELECT * FROM userstream.stream_status',
	$$ SELECT 's', 'us_alice', 'starting', 'shop.users', 'pgtap_four', 2, NULL::int[], NULL::bigint, NULL::float8,
			  NULL::float8, 0::bigint, 0::bigint, 0::bigint, NULL, NULL::timestamptz, NULL::timestamptz, 1,
			  'kafka', NULL $$,
	'a new stream is starting; what only a worker knows is null');
SELECT results_eq('SELECT * FROM userstream.partition_status ORDER BY partition',
	$$ SELECT 's', p, 'starting', 0::bigint, NULL::bigint, NULL::bigint, NULL::bigint, NULL::timestamptz,
			  0::bigint, 0::bigint, 0::bigint, 0::bigint, NULL, NULL::timestamptz, NULL::int FROM generate_series(0, 3) p $$,
	'and so are its partitions');
SELECT results_eq('SELECT * FROM userstream.ledger ORDER BY partition',
	$$ SELECT 's', p, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, true FROM generate_series(0, 3) p $$,
	'an empty ledger is balanced');

-- counters
UPDATE userstream.stream_position
SET messages_read = 10 * (partition + 1), messages_applied = 10 * (partition + 1) - 3, rows_written = 100,
	dead_letters = 2, skipped = 1, retried = 1, next_offset = 20, last_message_at = '2026-01-02 03:04:05+00';
SELECT results_eq('SELECT messages_read, rows_written, dead_letters FROM userstream.stream_status',
	'VALUES (100::bigint, 400::bigint, 8::bigint)', 'a stream counts what its partitions do');
SELECT results_eq(
	$$ SELECT next_offset, last_message_at, messages_read, rows_written, dead_letters, skipped
	   FROM userstream.partition_status WHERE partition = 3 $$,
	$$ VALUES (20::bigint, '2026-01-02 03:04:05+00'::timestamptz, 40::bigint, 100::bigint, 2::bigint, 1::bigint) $$,
	'a partition counts for itself');
SELECT results_eq('SELECT DISTINCT balanced, retried FROM userstream.ledger', 'VALUES (true, 1::bigint)',
	'read = applied + dead + skipped; a retry is beside it');
UPDATE userstream.stream_position SET skipped = 0 WHERE partition = 1;
SELECT results_eq('SELECT partition FROM userstream.ledger WHERE NOT balanced', 'VALUES (1)',
	'a message that is missing unbalances the ledger');

-- paused
SELECT userstream.pause_stream('s');
SELECT is(told('s'), 'paused', 'a paused stream is paused');
SELECT is(told_of_partitions('s'), E'0 | paused\n1 | paused\n2 | paused\n3 | paused', 'with its partitions');
SELECT is((SELECT config_version FROM userstream.stream_status), 2, 'that is a new version of the definition');
SELECT userstream.pause_stream('s');
SELECT is((SELECT config_version FROM userstream.stream_status), 2, 'to pause it again changes nothing');
SELECT userstream.resume_stream('s');
SELECT is(told('s'), 'starting', 'a resumed stream starts');
SELECT is((SELECT config_version FROM userstream.stream_status), 3, 'with a new version again');

-- a partition stopped
UPDATE userstream.stream_position SET stopped = true, last_error = 'bad message', last_error_at = now()
WHERE partition = 2;
UPDATE userstream.stream_position SET last_error = 'newer, but over', last_error_at = now() + '1 hour'
WHERE partition = 3;
INSERT INTO userstream.incident (owner, owner_oid, stream, partition, kind, detail)
VALUES ('us_alice', 'us_alice'::regrole, 's', 2, 'bad_message', 'bad message'),
	   ('us_alice', 'us_alice'::regrole, 'other', 2, 'bad_message', 'bad message');
SELECT is(told('s'), 'stopped | bad message | at | failing', 'the worst partition wins, and tells its error');
SELECT is(told_of_partitions('s'),
	E'0 | starting\n1 | starting\n2 | stopped | bad message | at\n3 | starting | newer, but over | at',
	'the others go on');
SELECT userstream.pause_stream('s');
SELECT is(told('s'), 'stopped | bad message | at | failing', 'what needs a person outweighs a pause');
SELECT userstream.resume_stream('s');
SELECT is(told('s'), 'starting | newer, but over | at', 'resume_stream frees the partition; the error is history');
SELECT results_eq('SELECT stream, closed_at IS NOT NULL FROM userstream.incident ORDER BY stream',
	$$ VALUES ('other', false), ('s', true) $$, 'and closes the incidents of the stream');
SELECT is((SELECT sum(epoch) FROM userstream.stream_position), 4::numeric, 'positions stay as they are');
UPDATE userstream.stream_position SET last_error = NULL, last_error_at = NULL;

-- the stream stopped
UPDATE userstream.stream SET stop_reason = 'no INSERT on the target', stopped_at = now();
SELECT is(told('s'), 'stopped | no INSERT on the target; userstream.resume_stream(''s'') continues | at | failing',
	'a stopped stream says why and which call continues');
SELECT is(split_part(told_of_partitions('s'), E'\n', 1),
	'0 | stopped | no INSERT on the target; userstream.resume_stream(''s'') continues | at', 'so do its partitions');
UPDATE userstream.stream SET stop_reason = 'gone (call userstream.x())';
SELECT is(told('s'), 'stopped | gone (call userstream.x()) | at | failing', 'the call is named once');
SELECT userstream.resume_stream('s');
SELECT is(told('s'), 'starting', 'resume_stream lets it start again');
SELECT is((SELECT stopped_at FROM userstream.stream), NULL, 'nothing of the stop is left');

-- names follow
ALTER ROLE us_alice RENAME TO us_alicia;
ALTER TABLE shop.users RENAME TO "Users";
ALTER SCHEMA shop RENAME TO "a.b";
SELECT results_eq('SELECT owner, target FROM userstream.stream_status', $$ VALUES ('us_alicia', '"a.b"."Users"') $$,
	'owner and target are shown under the name that they have now');
ALTER ROLE us_alicia RENAME TO us_alice;
ALTER SCHEMA "a.b" RENAME TO shop;
ALTER TABLE shop."Users" RENAME TO users;

-- definitions that cannot run
SAVEPOINT s;
ALTER ROLE us_alice NOLOGIN;
SELECT is(told('s'), 'stopped | owner "us_alice" may not log in; ALTER ROLE us_alice LOGIN continues', 'owner without LOGIN');
ROLLBACK TO s;
REVOKE CONNECT ON DATABASE :"DBNAME" FROM PUBLIC;
SELECT is(told('s'), format('stopped | owner "us_alice" may not connect to database "%s"; '
	'GRANT CONNECT ON DATABASE %s TO us_alice continues', :'DBNAME', :'DBNAME'), 'owner without CONNECT');
ROLLBACK TO s;
REVOKE USAGE ON FOREIGN SERVER kafka FROM us_alice;
SELECT is(told('s'), 'stopped | owner "us_alice" has no USAGE on server "kafka"; '
	'GRANT USAGE ON FOREIGN SERVER kafka TO us_alice continues', 'owner without USAGE');
ROLLBACK TO s;
DROP SERVER kafka;
SELECT is(told('s'), 'stopped | server "kafka" does not exist any more; '
	'userstream.alter_stream(''s'', server => ..., start_at => ...) names another', 'server dropped');
ROLLBACK TO s;
DROP TABLE shop.users;
SELECT is(told('s'), 'stopped | target "shop.users" does not exist any more; '
	'userstream.alter_stream(''s'', target => ...) names another', 'target dropped');
SELECT is((SELECT target FROM userstream.stream_status), 'shop.users', 'its name is still shown');
ROLLBACK TO s;
DROP OWNED BY us_alice;
DROP ROLE us_alice;
SELECT is(told('s'), 'stopped | owner "us_alice" does not exist any more; '
	'userstream.alter_stream(''s'', owner => ...) by a superuser gives the stream another', 'owner dropped');
SELECT is((SELECT owner FROM userstream.stream_status), 'us_alice', 'its name is still shown');
ROLLBACK TO s;
UPDATE userstream.stream SET home = '1/1', owner_oid = 1, target_oid = 'pg_class'::regclass;
SELECT is(told('s'), 'stopped | definition comes from another database; '
	'userstream.adopt() continues from the restored positions', 'a definition that is not at home');
SELECT results_eq('SELECT owner, target FROM userstream.stream_status', $$ VALUES ('us_alice', 'shop.users') $$,
	'is shown by its names: the oids mean nothing here');
SET LOCAL ROLE us_alice;
SELECT is((SELECT count(*) FROM userstream.ledger), 4::bigint, 'to the role of that name');
SELECT lives_ok($$ SELECT userstream.drop_stream('s') $$, 'which may drop it');
RESET ROLE;
ROLLBACK TO s;

-- what drop_stream leaves
INSERT INTO userstream.dead_letter (owner, owner_oid, home, stream, sqlstate, error)
SELECT owner, owner_oid, home, name, '22P02', 'x' FROM userstream.stream;
INSERT INTO userstream.stream_history (stream, at, owner_oid, messages_read, rows_written, dead_letters)
VALUES ('s', now(), 1, 0, 0, 0), ('other', now(), 1, 0, 0, 0);
INSERT INTO userstream.incident (owner, owner_oid, stream, kind, detail) VALUES ('us_alice', 1, 's', 'stop', 'x');
SELECT userstream.drop_stream('s');
SELECT is((SELECT count(*) FROM userstream.stream) + (SELECT count(*) FROM userstream.stream_position), 0::bigint,
	'drop_stream removes definition and positions');
SELECT is((SELECT string_agg(stream, ',') FROM userstream.stream_history), 'other', 'and the history of the name');
SELECT is((SELECT count(*) FROM userstream.dead_letter), 1::bigint, 'dead letters stay');
SELECT is((SELECT count(*) FROM userstream.incident WHERE stream = 's' AND closed_at IS NULL), 0::bigint,
	'incidents stay, closed');
SET LOCAL ROLE us_alice;
SELECT userstream.create_stream('s', 'kafka', 'pgtap_users', 'shop.users', start_at => 'latest');
RESET ROLE;
SELECT is((SELECT sum(next_offset) FROM userstream.partition_status), 1000::numeric,
	'a name that existed before starts where it is told to');
ROLLBACK;

BEGIN READ ONLY;
SELECT is((SELECT count(*) FROM userstream.stream_status), 0::bigint, 'the views can be read in a read-only transaction');
SELECT is(split_part(refusal(format('SELECT userstream.%s(''s'')', f)), E'\n', 1),
	format('25006: cannot execute %s() in a read-only transaction', f), f || ' cannot be called there')
FROM unnest(ARRAY['drop_stream', 'pause_stream', 'resume_stream']) AS f;
ROLLBACK;

-- ---------------------------------------------------------------------------
-- a stream that runs
-- ---------------------------------------------------------------------------
-- whether a condition on stream_status becomes true within two minutes
CREATE FUNCTION comes_true(condition text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	is_true boolean;
BEGIN
	FOR i IN 1 .. 2400 LOOP
		EXECUTE format('SELECT %s FROM userstream.stream_status', condition) INTO is_true;
		EXIT WHEN is_true;
		PERFORM pg_sleep(0.05);
	END LOOP;
	RETURN is_true;
END
$$;

SET ROLE us_alice;
SELECT userstream.create_stream('live', 'kafka', 'pgtap_users', 'shop.users', workers => 3);
SELECT ok(comes_true('state = ''caught_up'' AND cardinality(pids) = 3 AND messages_read = 1000'), 'a stream catches up');
SELECT results_eq(
	$$ SELECT cardinality(pids), lag_messages, lag_seconds, messages_read, rows_written, dead_letters, last_error,
			  failing_since
	   FROM userstream.stream_status $$,
	$$ VALUES (3, 0::bigint, 0::float8, 1000::bigint, 1000::bigint, 0::bigint, NULL, NULL::timestamptz) $$,
	'its workers, its lag of 0 and its counters are shown');
SELECT ok((SELECT rows_per_second >= 0 FROM userstream.stream_status), 'and a rate');
SELECT is((SELECT count(*) FROM pg_stat_activity a, userstream.stream_status s
		   WHERE a.pid = ANY (s.pids) AND a.usename = 'us_alice'), 3::bigint,
	'the pids are those of the workers, which are the owner');
SELECT is((SELECT string_agg(DISTINCT state, ',') FROM userstream.partition_status), 'caught_up',
	'each partition has caught up');
SELECT is_empty(
	$$ SELECT * FROM userstream.partition_status
	   WHERE NOT (low_offset = 0 AND next_offset = high_offset AND lag_messages = 0
				  AND messages_read = high_offset AND last_message_at IS NOT NULL) $$,
	'each partition has watermarks, no lag, and the time of its last message');
SELECT results_eq('SELECT bool_and(balanced), sum(messages_applied) FROM userstream.ledger',
	'VALUES (true, 1000::numeric)', 'the ledger is balanced');
SELECT is((SELECT string_agg(stage, ' ') FROM (SELECT stage FROM userstream.stream_stage WHERE worker = 2) s),
	'fetch_wait fetch decode convert transform insert index commit retry_wait idle',
	'the stages of a worker''s time are shown in their order');
SELECT results_eq(
	$$ SELECT worker, round(sum(share)::numeric, 6), bool_and(seconds >= 0),
			  bool_and(seconds > 0) FILTER (WHERE stage IN ('fetch', 'convert', 'insert', 'commit')),
			  sum(seconds) FILTER (WHERE stage IN ('transform', 'retry_wait'))
	   FROM userstream.stream_stage WHERE stream = 'live' GROUP BY worker ORDER BY worker $$,
	$$ SELECT w, 1::numeric, true, true, 0::float8 FROM generate_series(0, 2) w $$,
	'those that it went through have some of its time, and all of them together all of it');
RESET ROLE;
CREATE ROLE us_bob;
SET ROLE us_bob;
SELECT is_empty('SELECT * FROM userstream._stage_live()', 'nobody sees those of another''s workers');
SET ROLE us_alice;
SELECT userstream.pause_stream('live');
SELECT is((SELECT state FROM userstream.stream_status), 'paused', 'a running stream can be paused');
SELECT ok(comes_true('pids IS NULL'), 'its workers end');
SELECT is_empty('SELECT * FROM userstream.stream_stage', 'no worker, no stages');
SELECT userstream.resume_stream('live');
SELECT ok(comes_true('state = ''caught_up'''), 'and go on after resume_stream');
SELECT is((SELECT messages_read FROM userstream.stream_status), 1000::bigint, 'where they were');
SELECT userstream.drop_stream('live');
SELECT is((SELECT count(*) FROM userstream.stream_status), 0::bigint, 'a dropped stream is gone');
RESET ROLE;

DROP OWNED BY us_alice;
DROP ROLE us_alice, us_bob;
SELECT * FROM finish();
