-- adopt: what it takes over, what it keeps, and what it refuses.  A restored
-- database is made by hand here: another home, and oids that mean nothing.
-- All in transactions that never commit, so that no worker comes in between.

\ir helpers.psql
SET client_min_messages = error;

SELECT plan(36);

-- of a run that failed
DROP ROLE IF EXISTS us_alice, us_bob, us_moved;
CREATE ROLE us_alice LOGIN;
CREATE ROLE us_bob LOGIN;
GRANT USAGE ON FOREIGN SERVER kafka TO us_alice, us_bob;
CREATE SCHEMA "Odd";
CREATE TABLE "Odd"."Ta""ble" (id uuid, first_name text);
GRANT USAGE ON SCHEMA "Odd" TO us_alice, us_bob;
GRANT INSERT ON "Odd"."Ta""ble" TO us_alice, us_bob;
SELECT (SELECT system_identifier FROM pg_control_system()) || '/' ||
	(SELECT oid FROM pg_database WHERE datname = current_database()) AS home \gset

CREATE FUNCTION adopt_refusal(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT refusal(format('SELECT userstream.adopt(%s)', arguments))
$$;
CREATE FUNCTION at_home() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(name, ',' ORDER BY name), '') FROM userstream.stream WHERE home <> '1/1'
$$;

BEGIN;
SELECT '"Odd"."Ta""ble"'::regclass::oid AS target \gset
SET LOCAL ROLE us_alice;
SELECT userstream.create_stream('hers', 'kafka', 'pgtap_four', :target, workers => 2, on_error => 'stop',
	options => '{"batch_rows": 5}');
SELECT userstream.create_stream('second', 'kafka', 'pgtap_one', :target);
SET LOCAL ROLE us_bob;
SELECT userstream.create_stream('his', 'kafka', 'pgtap_one', :target);
RESET ROLE;
UPDATE userstream.stream_position SET next_offset = 42, messages_read = 42, messages_applied = 42, rows_written = 42;
INSERT INTO userstream.dead_letter (owner, owner_oid, home, stream, sqlstate, error) VALUES
	('us_alice', 1, '1/1', 'hers', '22P02', 'restored'), ('us_bob', 2, '1/1', 'hers', '22P02', 'of an earlier owner'),
	('us_alice', 1, '1/1', 'second', '22P02', 'of another stream');
CREATE TEMPORARY TABLE before ON COMMIT DROP AS
	SELECT name, to_jsonb(s) - '{home,owner_oid,server_oid,target_oid,config_version}'::text[] AS definition
	FROM userstream.stream s;
UPDATE userstream.stream SET home = '1/1', owner_oid = 1, server_oid = 2, target_oid = 3;
SAVEPOINT restored;

-- ---------------------------------------------------------------------------
-- what it takes over
-- ---------------------------------------------------------------------------
SET LOCAL ROLE us_alice;
SELECT is(adopt_refusal('''hers'''), 'none', 'a stream can be adopted by its owner');
RESET ROLE;
SELECT results_eq($$ SELECT home, owner_oid, server_oid, target_oid FROM userstream.stream WHERE name = 'hers' $$,
	format('SELECT %L, %s::oid, oid, %s::oid FROM pg_foreign_server', :'home', 'us_alice'::regrole::oid, :target),
	'its home is here, with the oids that its names have here');
SELECT is_empty(
	$$ SELECT b.name FROM before b JOIN userstream.stream s USING (name)
	   WHERE definition <> to_jsonb(s) - '{home,owner_oid,server_oid,target_oid,config_version}'::text[] $$,
	'all else is as it was');
SELECT is((SELECT config_version FROM userstream.stream WHERE name = 'hers'), 2, 'in a new version');
SELECT results_eq(
	$$ SELECT DISTINCT p.next_offset, p.epoch, p.messages_read, p.rows_written FROM userstream.stream_position p
	   JOIN userstream.stream s ON s.id = p.stream_id WHERE s.name = 'hers' $$,
	'VALUES (42::bigint, 2::bigint, 42::bigint, 42::bigint)', 'positions and counters are the restored ones, in a new epoch');
SELECT is((SELECT state FROM userstream.stream_status WHERE stream = 'hers'), 'starting', 'it can run');
SELECT results_eq('SELECT error, owner_oid, home FROM userstream.dead_letter ORDER BY error',
	format($$ VALUES ('of an earlier owner', 2::oid, '1/1'), ('of another stream', 1, '1/1'), ('restored', %s, %L) $$,
		   'us_alice'::regrole::oid, :'home'), 'its dead letters come along, others do not');
SELECT is(at_home(), 'hers', 'other streams stay where they are');
SELECT is(adopt_refusal('''hers'''), 'none', 'to adopt it again is no error');
SELECT is((SELECT config_version FROM userstream.stream WHERE name = 'hers'), 2, 'and changes nothing');
ROLLBACK TO restored;

-- all of one's own
SET LOCAL ROLE us_alice;
SELECT is(adopt_refusal(''), 'none', 'without a name, all are adopted');
RESET ROLE;
SELECT is(at_home(), 'hers,second', 'that the caller owns');
SELECT is(adopt_refusal('NULL'), 'none', 'null means the same');
SELECT is(at_home(), 'hers,his,second', 'a superuser adopts those of everybody');
SELECT is(adopt_refusal(''), 'none', 'nothing to adopt is no error');
ROLLBACK TO restored;

-- paused and stopped
SELECT userstream.pause_stream('hers');
UPDATE userstream.stream SET stop_reason = 'x', stopped_at = now() WHERE name = 'hers';
UPDATE userstream.stream_position SET stopped = true WHERE partition = 1;
SELECT userstream.adopt('hers');
SELECT results_eq(
	$$ SELECT paused, stop_reason, (SELECT string_agg(partition::text, ',') FROM userstream.stream_position WHERE stopped)
	   FROM userstream.stream WHERE name = 'hers' $$,
	$$ VALUES (true, 'x', '1') $$, 'a paused or stopped stream stays so');
ROLLBACK TO restored;

-- ---------------------------------------------------------------------------
-- what is refused
-- ---------------------------------------------------------------------------
SET LOCAL ROLE us_bob;
SELECT is(split_part(adopt_refusal('''hers'''), E'\n', 1), '42501: must be owner of stream "hers"',
	'a stream is adopted by its owner only');
RESET ROLE;
SELECT is(split_part(adopt_refusal('''none'''), E'\n', 1), '42704: stream "none" does not exist', 'the stream must be there');

ALTER ROLE us_alice RENAME TO us_moved;
SELECT is(adopt_refusal('''hers'''),
	E'42704: role "us_alice" does not exist\nIt owns the stream.\n'
	'CREATE ROLE us_alice LOGIN makes it; userstream.drop_stream(''hers'') removes the stream.',
	'the owner is looked for by name');
SELECT is(adopt_refusal(''), adopt_refusal('''hers'''), 'also among all');
SELECT is(at_home(), '', 'then none is adopted');
SELECT lives_ok($$ SELECT userstream.drop_stream('hers') $$, 'what cannot be adopted can be dropped');
ROLLBACK TO restored;
ALTER ROLE us_alice NOLOGIN;
SELECT is(split_part(adopt_refusal('''hers'''), E'\n', 1), '42501: role "us_alice" cannot own a stream',
	'the owner must have LOGIN');
ROLLBACK TO restored;
DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END $$;
SELECT is(split_part(adopt_refusal('''hers'''), E'\n', 1), '42501: role "us_alice" cannot own a stream', 'and CONNECT');
ROLLBACK TO restored;
ALTER SERVER kafka RENAME TO kafka_2;
SELECT is(split_part(adopt_refusal('''hers'''), E'\n', 1), '42704: server "kafka" does not exist',
	'the server is looked for by name');
SELECT is(split_part(adopt_refusal('''hers'''), E'\n', 2), 'Create it: CREATE SERVER kafka FOREIGN DATA WRAPPER userstream_kafka OPTIONS (...).',
	'with what to do');
ROLLBACK TO restored;
CREATE SERVER web FOREIGN DATA WRAPPER userstream_http OPTIONS (url 'https://localhost/users');
UPDATE userstream.stream SET server = 'web';
SELECT is(split_part(adopt_refusal('''hers'''), ':', 1), '42809', 'it must be a Kafka server');
ROLLBACK TO restored;
REVOKE USAGE ON FOREIGN SERVER kafka FROM us_alice;
SELECT is(split_part(adopt_refusal('''hers'''), ':', 1), '42501', 'which the owner may use');
ROLLBACK TO restored;
ALTER TABLE "Odd"."Ta""ble" RENAME TO other;
SELECT is(adopt_refusal('''hers'''),
	E'42P01: target "Odd"."Ta""ble" does not exist\nThe stream writes into it.\n'
	'Restore or create the table; userstream.drop_stream(''hers'') removes the stream.',
	'the target is looked for by name');
ROLLBACK TO restored;
ALTER SCHEMA "Odd" RENAME TO odder;
SELECT is(split_part(adopt_refusal('''hers'''), ':', 1), '42P01', 'in its schema');
ROLLBACK TO restored;
ALTER TABLE "Odd"."Ta""ble" SET UNLOGGED;
SELECT is(split_part(adopt_refusal('''hers'''), ':', 1), '42809', 'it must be one that a stream can have');
ROLLBACK TO restored;
REVOKE INSERT ON "Odd"."Ta""ble" FROM us_alice;
SELECT is(split_part(adopt_refusal('''hers'''), E'\n', 1), '42501: permission denied for table Ta"ble',
	'into which the owner may insert');
ROLLBACK TO restored;
UPDATE userstream.stream SET columns = '{"gone": "x"}' WHERE name = 'hers';
SELECT is(split_part(adopt_refusal('''hers'''), ':', 1), '42703', 'with the columns that are named');
ROLLBACK TO restored;
SELECT lives_ok($$ SELECT userstream.adopt('his') $$, 'a good one among bad ones can be adopted');
ROLLBACK;

BEGIN READ ONLY;
SELECT is(adopt_refusal(''), '25006: cannot execute adopt() in a read-only transaction', 'a read-only transaction is refused');
ROLLBACK;
SELECT is((SELECT count(*) FROM userstream.stream), 0::bigint, 'nothing is left');

DROP OWNED BY us_alice, us_bob;
DROP ROLE us_alice, us_bob;
SELECT * FROM finish();
