-- wait_for: what it refuses, and that the table decides.  In transactions that
-- never commit, so that no worker moves a position.

\ir helpers.psql
SET client_min_messages = error;

SELECT plan(22);

-- of a run that failed
DROP ROLE IF EXISTS us_alice, us_bob, us_member, us_watcher;
CREATE ROLE us_alice LOGIN;
CREATE ROLE us_bob LOGIN;
CREATE ROLE us_member LOGIN IN ROLE us_alice;
CREATE ROLE us_watcher LOGIN IN ROLE pg_monitor;
GRANT USAGE ON FOREIGN SERVER kafka TO us_alice;
GRANT USAGE, CREATE ON SCHEMA public TO us_alice;

SELECT is(pg_get_function_arguments('userstream.wait_for'::regproc),
	'stream text, partition integer, kafka_offset bigint, timeout interval DEFAULT ''00:00:30''::interval',
	'wait_for takes its arguments');
SELECT function_returns('userstream', 'wait_for', 'boolean', 'and says whether it came');
SELECT is(refusal(format('SELECT userstream.wait_for(%s, ''0 s'')', arguments)),
	format(E'22004: argument "%1$s" must not be null\nGive it a value by name: %1$s => ...', name), name || ' is needed')
FROM (VALUES ('stream', 'NULL, 0, 0'), ('partition', '''s'', NULL, 0'), ('kafka_offset', '''s'', 0, NULL'))
	v(name, arguments);
SELECT is(refusal($$ SELECT userstream.wait_for('none', 0, 0) $$),
	E'42704: stream "none" does not exist\n'
	'SELECT stream FROM userstream.stream_status shows those that there are.', 'a stream that is there');
SELECT is(refusal($$ SELECT userstream.wait_for('none', 0, 0, '-1 s') $$),
	E'22023: timeout must not be negative\n''0 s'' looks once.', 'no time before now');

-- a snapshot that stays
SELECT is(split_part(refusal($$ SELECT userstream.wait_for('none', 0, 0) $$), ':', 1), '42704', 'READ COMMITTED may wait');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT is(refusal($$ SELECT userstream.wait_for('none', 0, 0) $$),
	E'25001: wait_for needs isolation level READ COMMITTED\n'
	'This transaction sees the database as it was when its first statement began.\n'
	'Call it before that transaction, or BEGIN ISOLATION LEVEL READ COMMITTED.', 'REPEATABLE READ may not');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT is(refused_with($$ SELECT userstream.wait_for('none', 0, 0) $$), '25001', 'nor SERIALIZABLE');
COMMIT;

BEGIN;
SET LOCAL ROLE us_alice;
CREATE TABLE items (id int);
SELECT userstream.create_stream('items', 'kafka', 'pgtap_four', 'items');
RESET ROLE;
UPDATE userstream.stream_position SET next_offset = 10 + partition;
SELECT is(refusal($$ SELECT userstream.wait_for('items', 4, 0) $$),
	E'42704: stream "items" has no partition 4\n'
	'SELECT partition FROM userstream.partition_status WHERE stream = ''items'' shows those that there are.',
	'a partition that is there');
SET LOCAL ROLE us_bob;
SELECT is(refusal($$ SELECT userstream.wait_for('items', 0, 0, '0 s') $$),
	E'42501: permission denied for stream "items"\n'
	'Its owner, and members of that role or of pg_monitor, may wait for it.', 'someone else''s is hidden');
RESET ROLE;
CREATE FUNCTION waited(role name) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', role, true);
	RETURN userstream.wait_for('items', 0, 9, '0 s');
END $$;
SELECT is(waited(role), true, role || ' may') FROM unnest(ARRAY['us_alice', 'us_member', 'us_watcher']) role;
RESET ROLE;
SELECT is(userstream.wait_for('items', 3, 12), true, 'what is before the position has come');
SELECT is(userstream.wait_for('items', 3, 12, NULL), true, 'no timeout is the default one');
SELECT is(userstream.wait_for('items', 3, 13, '0 s'), false, 'what is at the position has not');
SELECT is(userstream.wait_for('items', 3, 13, '0.2 s'), false, 'and does not come in time');
SELECT is(userstream.wait_for('items', 2, -1, '0 s'), true, 'nothing is before offset 0');
SET LOCAL statement_timeout = '200ms';
SELECT is(refused_with($$ SELECT userstream.wait_for('items', 3, 13, '90 years') $$), '57014', 'it can be cancelled');
SET LOCAL statement_timeout = 0;
-- each look is a new one: an earlier statement's own change counts too
UPDATE userstream.stream_position SET next_offset = 14 WHERE partition = 3;
SELECT is(userstream.wait_for('items', 3, 13, '0 s'), true, 'it looks at the table');
ROLLBACK;

REVOKE ALL ON SCHEMA public FROM us_alice;
DROP OWNED BY us_alice;
DROP ROLE us_alice, us_bob, us_member, us_watcher;
-- no finish(): its count was rolled back with the tests; the harness has its own
