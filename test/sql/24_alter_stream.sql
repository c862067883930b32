-- alter_stream: what each argument changes, what it keeps, and what it
-- refuses.  All in transactions that never commit, so that no worker comes in
-- between.

\ir helpers.psql
SET client_min_messages = error;

SELECT plan(87);

-- of a run that failed
DROP ROLE IF EXISTS us_alice, us_bob, us_both, us_group, us_gone;
CREATE ROLE us_alice LOGIN;
CREATE ROLE us_bob LOGIN;
CREATE ROLE us_both LOGIN IN ROLE us_alice, us_bob;
CREATE ROLE us_group NOLOGIN;
CREATE ROLE us_gone LOGIN;
GRANT USAGE ON FOREIGN SERVER kafka TO us_alice, us_bob, us_gone;
CREATE TABLE users (id uuid, first_name text, dob date);
CREATE TABLE others (id uuid, first_name text);
CREATE TABLE forbidden (id uuid, first_name text);
GRANT INSERT ON users, others TO us_alice, us_bob, us_gone;

-- the definition as text, without what no argument changes
CREATE FUNCTION definition() RETURNS jsonb LANGUAGE sql AS $$
	SELECT to_jsonb(s) - '{id,name,owner_oid,server_oid,target_oid,home,timezone,created_at,config_version}'::text[]
	FROM userstream.stream s WHERE name = 's'
$$;
-- what differs from before
CREATE FUNCTION changed(before jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT coalesce(jsonb_object_agg(key, value), '{}') FROM jsonb_each(definition()) d
	WHERE d.value IS DISTINCT FROM before -> d.key
$$;
CREATE FUNCTION places() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s:%s/%s', partition, next_offset, epoch), ' ' ORDER BY partition)
	FROM userstream.stream_position WHERE stream_id = (SELECT id FROM userstream.stream WHERE name = 's')
$$;
-- alter_stream with these arguments is refused with ...
CREATE FUNCTION alter_refusal(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT refusal(format('SELECT userstream.alter_stream(''s'', %s)', arguments))
$$;
-- what alter_stream with these arguments changes; undone by the caller
CREATE FUNCTION altered(arguments text) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
	before jsonb := definition();
BEGIN
	EXECUTE format('SELECT userstream.alter_stream(''s'', %s)', arguments);
	RETURN changed(before);
END
$$;

BEGIN;
SET LOCAL ROLE us_alice;
SET LOCAL TimeZone = 'Asia/Kolkata';
SELECT userstream.create_stream('s', 'kafka', 'pgtap_users', 'users', columns => '{"first_name": "name"}',
	options => '{"batch_rows": 5, "batch_bytes": "1MB"}', start_at => '{"0": 1, "1": 2, "2": 3, "3": 4}');
RESET TimeZone;
RESET ROLE;
UPDATE userstream.stream_position SET messages_read = 10, messages_applied = 8, dead_letters = 2, rows_written = 8;

-- ---------------------------------------------------------------------------
-- each argument, the others kept
-- ---------------------------------------------------------------------------
SAVEPOINT s;
SELECT is(altered('workers => NULL'), '{}', 'nulls keep everything');
SELECT is((SELECT config_version FROM userstream.stream), 2, 'each call is a new version');
SELECT is(places(), '0:1/2 1:2/2 2:3/2 3:4/2', 'and a new epoch of the positions, which stay');
SELECT is(altered('workers => 3'), '{"workers": 3}', 'workers');
SELECT is(altered('on_error => ''stop'''), '{"on_error": "stop"}', 'on_error');
SELECT is(altered('target => ''others'''), '{"target": "public.others"}', 'target');
SELECT is((SELECT target_oid FROM userstream.stream), 'others'::regclass::oid, 'with its oid');
SELECT is(altered('columns => ''{"id": "a.b"}'''), '{"columns": {"id": "a.b"}}', 'columns are replaced');
SELECT is(altered('columns => ''{}'''), '{"columns": null}', 'an empty object clears them');
SELECT is(altered('format => ''json'', mode => ''append'', key => ''{}'', transform => ''-'''), '{}',
	'what there is only one of can be said; clearing what is not there changes nothing');
SELECT is(altered('options => ''{"batch_rows": 7}'''), '{"options": {"batch_rows": 7, "batch_bytes": "1MB"}}',
	'options are merged');
SELECT is(altered('options => ''{"batch_rows": null}'''), '{"options": {"batch_bytes": "1MB"}}',
	'a JSON null takes one out');
SELECT is(altered('options => ''{}'''), '{}', 'an empty object keeps them');
UPDATE userstream.stream SET options = options || '{"colour": "red"}';
SELECT is(altered('options => ''{"colour": null}'''), '{"options": {"batch_bytes": "1MB"}}',
	'one that this version does not know can be taken out');
SELECT is((SELECT timezone FROM userstream.stream), 'Asia/Kolkata', 'the TimeZone of its rows stays');
SELECT is(altered('workers => 64, on_error => ''dead_letter'', columns => ''{"id": "x"}'', options => ''{"batch_rows": 1}'''),
	'{"workers": 64, "on_error": "dead_letter", "columns": {"id": "x"}, "options": {"batch_rows": 1, "batch_bytes": "1MB"}}',
	'several at once');
ROLLBACK TO s;

-- ---------------------------------------------------------------------------
-- positions
-- ---------------------------------------------------------------------------
SELECT is(altered('start_at => ''earliest'''), '{"start_at": "earliest"}', 'start_at');
SELECT is(places(), '0:0/2 1:0/2 2:0/2 3:0/2', 'moves the positions');
SELECT is(altered('start_at => ''{"1": 6}'''), '{"start_at": "{\"1\": 6}"}', 'offsets of some partitions');
SELECT is(places(), '0:0/3 1:6/3 2:0/3 3:0/3', 'move those only');
SELECT is(altered('start_at => ''epoch'''), '{"start_at": "{\"0\": 0, \"1\": 0, \"2\": 0, \"3\": 0}"}',
	'a time is kept as the offsets that it came to');
ROLLBACK TO s;
SELECT is(altered('topic => ''pgtap_one'', start_at => ''latest'''), '{"topic": "pgtap_one", "start_at": "latest"}',
	'another topic with fewer partitions');
SELECT is(places(), '0:0/2', 'those that it lacks go');
SELECT is((SELECT messages_read FROM userstream.stream_position), 10::bigint, 'counters stay');
SELECT is(altered('topic => ''pgtap_four'', start_at => ''earliest'''), '{"topic": "pgtap_four", "start_at": "earliest"}',
	'another with more');
SELECT is(places(), '0:0/3 1:0/4 2:0/4 3:0/4', 'new ones come, in an epoch of their own');
ROLLBACK TO s;
SELECT is(altered('topic => ''pgtap_users'', server => ''kafka'''), '{}', 'the same topic and server need no start_at');
SELECT is(places(), '0:1/2 1:2/2 2:3/2 3:4/2', 'and keep the positions');
ROLLBACK TO s;
SELECT is(alter_refusal('topic => ''pgtap_one'''),
	E'22023: start_at is needed to read another topic or server\n'
	'The positions of stream "s" say nothing about it.\nSay where to start: start_at => ''earliest'', for example.',
	'another topic needs start_at');
SELECT is(split_part(alter_refusal('topic => ''pgtap_four'', start_at => ''{"0": 0}'''), E'\n', 2),
	'It says nothing about partition 1 of topic "pgtap_four".', 'which names all its partitions');
SELECT is(alter_refusal('topic => ''pgtap_four'', start_at => ''{"0": 0, "1": 0, "2": 0, "3": 0}'''), 'none', 'so');
ROLLBACK TO s;
CREATE SERVER second FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" :'bootstrap');
GRANT USAGE ON FOREIGN SERVER second TO us_alice;
SELECT is(split_part(alter_refusal('server => ''second'''), E'\n', 1),
	'22023: start_at is needed to read another topic or server', 'another server needs start_at too');
SELECT is(altered('server => ''second'', start_at => ''latest'''), '{"server": "second", "start_at": "latest"}', 'server');
ALTER SERVER second RENAME TO third;
SELECT is(altered('workers => 2'), '{"server": "third", "workers": 2}', 'a name that was changed since is brought up to date');
ROLLBACK TO s;

-- ---------------------------------------------------------------------------
-- paused and stopped
-- ---------------------------------------------------------------------------
SELECT userstream.pause_stream('s');
UPDATE userstream.stream SET stop_reason = 'x', stopped_at = now();
UPDATE userstream.stream_position SET stopped = true WHERE partition = 1;
SELECT userstream.alter_stream('s', workers => 2, start_at => 'latest');
SELECT results_eq(
	$$ SELECT paused, stop_reason, (SELECT string_agg(partition::text, ',') FROM userstream.stream_position WHERE stopped)
	   FROM userstream.stream $$,
	$$ VALUES (true, 'x', '1') $$, 'a paused or stopped stream stays so');
ROLLBACK TO s;

-- ---------------------------------------------------------------------------
-- the owner
-- ---------------------------------------------------------------------------
INSERT INTO userstream.dead_letter (owner, owner_oid, home, stream, sqlstate, error)
SELECT 'us_alice', owner_oid, home, n, '22P02', 'x' FROM userstream.stream, unnest(ARRAY['s', 't']) n
UNION ALL SELECT 'us_gone', 'us_gone'::regrole, home, 's', '22P02', 'x' FROM userstream.stream;
INSERT INTO userstream.incident (owner, owner_oid, stream, kind, detail)
SELECT 'us_alice', owner_oid, n, 'stop', 'x' FROM userstream.stream, unnest(ARRAY['s', 't']) n;
INSERT INTO userstream.stream_history (stream, at, owner_oid, messages_read, rows_written, dead_letters)
SELECT n, now(), owner_oid, 0, 0, 0 FROM userstream.stream, unnest(ARRAY['s', 't']) n;
SAVEPOINT owner;
SET LOCAL ROLE us_both;
SELECT lives_ok($$ SELECT userstream.alter_stream('s', owner => 'us_bob') $$, 'a member of both roles may give a stream away');
RESET ROLE;
SELECT results_eq('SELECT owner, owner_oid FROM userstream.stream', $$ VALUES ('us_bob', 'us_bob'::regrole::oid) $$,
	'it is the other''s then');
SELECT results_eq('SELECT stream, owner, owner_oid::regrole::text FROM userstream.dead_letter ORDER BY 1, 2',
	$$ VALUES ('s', 'us_bob', 'us_bob'), ('s', 'us_gone', 'us_gone'), ('t', 'us_alice', 'us_alice') $$,
	'with its dead letters, not those of an earlier owner of the name');
SELECT results_eq('SELECT stream, owner, owner_oid::regrole::text FROM userstream.incident ORDER BY 1',
	$$ VALUES ('s', 'us_bob', 'us_bob'), ('t', 'us_alice', 'us_alice') $$, 'its incidents');
SELECT results_eq('SELECT stream, owner_oid::regrole::text FROM userstream.stream_history ORDER BY 1',
	$$ VALUES ('s', 'us_bob'), ('t', 'us_alice') $$, 'and its history');
SET LOCAL ROLE us_alice;
SELECT is((SELECT count(*) FROM userstream.stream_status) + (SELECT count(*) FROM userstream.dead_letter WHERE stream = 's'),
	0::bigint, 'the one before sees nothing of it');
ROLLBACK TO owner;
SELECT lives_ok($$ SELECT userstream.alter_stream('s', owner => 'us_bob') $$, 'a superuser may');
ROLLBACK TO owner;
SET LOCAL ROLE us_alice;
SELECT is(alter_refusal('owner => ''us_bob'''),
	E'42501: must be member of role "us_bob"\nIts rights would be used by the stream.\n'
	'Have a member of both roles call this.', 'nobody gives a stream to a role that he is not');
SET LOCAL ROLE us_bob;
SELECT is(split_part(alter_refusal('owner => ''us_bob'''), E'\n', 1), '42501: must be owner of stream "s"',
	'or takes one from a role that he is not');
SELECT is(split_part(alter_refusal('workers => 2'), E'\n', 1), '42501: must be owner of stream "s"',
	'or changes it');
RESET ROLE;
SELECT is(alter_refusal('owner => ''us_nobody'''), '42704: role "us_nobody" does not exist', 'the role must be there');
SELECT is(split_part(alter_refusal('owner => ''us_group'''), E'\n', 1), '42501: role "us_group" cannot own a stream',
	'it must have LOGIN');
REVOKE INSERT ON users FROM us_bob;
SELECT is(split_part(alter_refusal('owner => ''us_bob'''), E'\n', 1), '42501: permission denied for table users',
	'and INSERT on the target');
ROLLBACK TO owner;
REVOKE USAGE ON FOREIGN SERVER kafka FROM us_bob;
SELECT is(split_part(alter_refusal('owner => ''us_bob'''), ':', 1), '42501', 'and USAGE on the server');
ROLLBACK TO owner;
DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END $$;
SELECT is(split_part(alter_refusal('owner => ''us_bob'''), E'\n', 1), '42501: role "us_bob" cannot own a stream',
	'and CONNECT');
ROLLBACK TO owner;
SELECT userstream.alter_stream('s', owner => 'us_gone');
DROP OWNED BY us_gone;
DROP ROLE us_gone;
SELECT is(alter_refusal('workers => 2'),
	E'42704: owner "us_gone" of stream "s" does not exist any more\n'
	'userstream.alter_stream(''s'', owner => ...) gives it another.', 'a stream whose owner is gone says what helps');
SELECT is(altered('owner => ''us_alice'''), '{"owner": "us_alice"}', 'and that helps');
ROLLBACK TO s;

-- ---------------------------------------------------------------------------
-- what is gone
-- ---------------------------------------------------------------------------
DROP TABLE users;
SELECT is(alter_refusal('workers => 2'),
	E'42P01: target public.users of stream "s" does not exist any more\nName another table: target => ...',
	'a stream whose target is gone says what helps');
SELECT is(altered('target => ''others'''), '{"target": "public.others"}', 'and that helps');
SELECT is((SELECT state FROM userstream.stream_status), 'starting', 'it runs again');
ROLLBACK TO s;
DROP SERVER kafka;
SELECT is(split_part(alter_refusal('workers => 2'), E'\n', 1), '42704: server "kafka" does not exist',
	'a stream whose server is gone says so');
CREATE SERVER kafka FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" :'bootstrap');
GRANT USAGE ON FOREIGN SERVER kafka TO us_alice;
SELECT is(split_part(alter_refusal('workers => 2'), E'\n', 1),
	'22023: start_at is needed to read another topic or server', 'another of its name is another');
SELECT is(altered('start_at => ''latest'''), '{"start_at": "latest"}', 'which helps when it is told where to start');
SELECT is((SELECT state FROM userstream.stream_status), 'starting', 'it runs again');
ROLLBACK TO s;

-- ---------------------------------------------------------------------------
-- what is refused, as by create_stream
-- ---------------------------------------------------------------------------
SELECT is(refused_with(format('SELECT userstream.alter_stream(%s)', arguments)), state, arguments || ' is refused')
FROM (VALUES
	('NULL', '22004'), ('''none''', '42704'), ('''s'', server => ''nowhere''', '42704'),
	('''s'', topic => ''a b''', '22023'), ('''s'', topic => ''pgtap_none'', start_at => ''latest''', '42704'),
	('''s'', target => 4294967295', '42P01'), ('''s'', target => ''userstream.stream''', '42809'),
	('''s'', target => ''forbidden''', '42501'), ('''s'', format => ''protobuf''', '0A000'), ('''s'', format => ''x''', '22023'),
	('''s'', mode => ''upsert''', '42P10'), ('''s'', key => ''{id}''', '22023'), ('''s'', transform => ''f(jsonb)''', '42883'),
	('''s'', columns => ''[]''', '22023'), ('''s'', columns => ''{"none": "x"}''', '42703'),
	('''s'', start_at => ''erliest''', '22023'), ('''s'', start_at => ''{"0": 99999}''', '22023'),
	('''s'', on_error => ''skip''', '22023'), ('''s'', workers => 0', '22023'), ('''s'', workers => 65', '22023'),
	('''s'', options => ''[]''', '22023'), ('''s'', options => ''{"colour": 1}''', 'HV00D'),
	('''s'', options => ''{"batch_rows": 0}''', '22023')) AS v (arguments, state);
SELECT is(alter_refusal('target => ''others'', columns => ''{}'''), 'none', 'columns go with the target')
FROM (SELECT userstream.alter_stream('s', columns => '{"dob": "born"}')) prepared;
SELECT is(split_part(alter_refusal('columns => ''{"dob": "born"}'''), ':', 1), '42703', 'what results is checked as a whole');
ROLLBACK TO s;
UPDATE userstream.stream SET home = '1/1';
SELECT is(split_part(alter_refusal('workers => 2'), E'\n', 3), 'Call userstream.adopt(''s'') first.',
	'a stream that is not at home has to be adopted first');
ROLLBACK;

BEGIN READ ONLY;
SELECT is(refusal($$ SELECT userstream.alter_stream('s') $$),
	'25006: cannot execute alter_stream() in a read-only transaction', 'a read-only transaction is refused');
ROLLBACK;
SELECT is((SELECT count(*) FROM userstream.stream), 0::bigint, 'nothing is left');

DROP OWNED BY us_alice, us_bob, us_both, us_group, us_gone;
DROP ROLE us_alice, us_bob, us_both, us_group, us_gone;
SELECT * FROM finish();
