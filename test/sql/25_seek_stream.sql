-- seek_stream: where it goes, what it keeps, and what it refuses.  All in
-- transactions that never commit, so that no worker comes in between.

\ir helpers.psql
SET client_min_messages = error;

SELECT plan(41);

-- of a run that failed
DROP ROLE IF EXISTS us_alice, us_bob, us_gone;
CREATE ROLE us_alice LOGIN;
CREATE ROLE us_bob LOGIN;
CREATE ROLE us_gone LOGIN;
GRANT USAGE ON FOREIGN SERVER kafka TO us_alice, us_gone;
CREATE TABLE users (id uuid, first_name text);
GRANT INSERT ON users TO us_alice, us_gone;

CREATE FUNCTION places() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(format('%s:%s/%s', partition, next_offset, epoch), ' ' ORDER BY partition)
	FROM userstream.stream_position WHERE stream_id = (SELECT id FROM userstream.stream WHERE name = 's')
$$;
CREATE FUNCTION version_of_s() RETURNS integer LANGUAGE sql AS $$
	SELECT config_version FROM userstream.stream WHERE name = 's'
$$;

BEGIN;
SELECT userstream.create_stream('s', 'kafka', 'pgtap_users', 'users', start_at => 'latest');
SELECT string_agg(format('%s:%s/2', partition, next_offset), ' ' ORDER BY partition) AS ends,
	max(next_offset) FILTER (WHERE partition = 1) AS end_1
FROM userstream.stream_position \gset
UPDATE userstream.stream_position SET messages_read = 10, messages_applied = 10, rows_written = 10,
	last_message_at = now(), last_error = 'x';

-- ---------------------------------------------------------------------------
-- where it goes
-- ---------------------------------------------------------------------------
SELECT lives_ok($$ SELECT userstream.seek_stream('s', 'earliest') $$, 'a stream can be sought');
SELECT is(places(), '0:0/2 1:0/2 2:0/2 3:0/2', 'earliest is the beginning, in a new epoch');
SELECT is(version_of_s(), 2, 'and a new version, so that workers start anew');
SELECT results_eq('SELECT DISTINCT messages_read, rows_written, last_error, last_message_at FROM userstream.stream_position',
	$$ VALUES (10::bigint, 10::bigint, 'x', NULL::timestamptz) $$,
	'counters stay; the time of the last message says nothing any more');
SELECT is((SELECT start_at FROM userstream.stream), 'latest', 'the definition stays as it is');
SAVEPOINT s;
SELECT userstream.seek_stream('s', 'latest');
SELECT is(places(), replace(:'ends', '/2', '/3'), 'latest is the end');
ROLLBACK TO s;
SELECT is(places(), '0:0/2 1:0/2 2:0/2 3:0/2', 'it is undone with the caller''s transaction');
SELECT userstream.seek_stream('s', 'tomorrow');
SELECT is(places(), replace(:'ends', '/2', '/3'), 'a time after the last message is the end');
SELECT userstream.seek_stream('s', '1990-01-01');
SELECT is(places(), '0:0/4 1:0/4 2:0/4 3:0/4', 'a time before all is the beginning');
SELECT userstream.seek_stream(name => 's', to_position => '{"1": 5, "3": 7}');
SELECT is(places(), '0:0/5 1:5/5 2:0/5 3:7/5', 'offsets move what they name, the others keep their place');
SELECT is(version_of_s(), 5, 'each call is a version');

-- the topic as it is now
INSERT INTO userstream.stream_position (stream_id, partition, next_offset) SELECT id, 7, 42 FROM userstream.stream;
DELETE FROM userstream.stream_position WHERE partition = 2;
SELECT userstream.seek_stream('s', '{"0": 1}');
SELECT is(places(), '0:1/6 1:5/6 3:7/6 7:42/2', 'offsets touch no other partition');
SELECT userstream.seek_stream('s', '{"2": 9}');
SELECT is(places(), '0:1/7 1:5/7 2:9/8 3:7/7 7:42/3', 'a partition that the stream had not comes when it is named');
SELECT userstream.seek_stream('s', 'earliest');
SELECT is(regexp_replace(places(), '/\d+', '', 'g'), '0:0 1:0 2:0 3:0',
	'a word is said of all partitions of the topic: those that it lacks go');

-- paused and stopped
SELECT userstream.pause_stream('s');
UPDATE userstream.stream SET stop_reason = 'x', stopped_at = now();
UPDATE userstream.stream_position SET stopped = true WHERE partition = 1;
INSERT INTO userstream.incident (owner, owner_oid, stream, kind, detail) VALUES ('postgres', 10, 's', 'stop', 'x');
SELECT userstream.seek_stream('s', 'latest');
SELECT results_eq('SELECT paused, stop_reason FROM userstream.stream', $$ VALUES (true, 'x') $$,
	'a paused or stopped stream stays so');
SELECT is((SELECT string_agg(partition::text, ',') FROM userstream.stream_position WHERE stopped), '1',
	'and so does a partition');
SELECT is((SELECT count(*) FROM userstream.incident WHERE closed_at IS NULL), 1::bigint, 'incidents stay open');
SELECT userstream.resume_stream('s');
SELECT results_eq(
	$$ SELECT paused, stop_reason, (SELECT count(*) FROM userstream.stream_position WHERE stopped),
			  (SELECT count(*) FROM userstream.incident WHERE closed_at IS NULL) FROM userstream.stream $$,
	$$ VALUES (false, NULL::text, 0::bigint, 0::bigint) $$, 'until resume_stream');
SELECT is(regexp_replace(places(), '/\d+', '', 'g'), regexp_replace(:'ends', '/\d+', '', 'g'),
	'which goes on from there');

-- ---------------------------------------------------------------------------
-- what is refused
-- ---------------------------------------------------------------------------
CREATE FUNCTION seek_refusal(to_position text) RETURNS text LANGUAGE sql AS $$
	SELECT refusal(format('SELECT userstream.seek_stream(%L, %L)', 's', to_position))
$$;
SELECT places() AS before \gset
SELECT is(seek_refusal(NULL), E'22004: argument "to_position" must not be null\nGive it a value by name: to_position => ...',
	'a position must be given');
SELECT is(refused_with($$ SELECT userstream.seek_stream(NULL, 'earliest') $$), '22004', 'and a name');
SELECT is(refusal($$ SELECT userstream.seek_stream('none', 'earliest') $$),
	E'42704: stream "none" does not exist\nSELECT stream FROM userstream.stream_status shows those that there are.',
	'the stream must be there');
SELECT is(seek_refusal('latst'), E'22023: invalid to_position "latst"\nPerhaps you meant "latest".', 'a slip is corrected');
SELECT is(split_part(seek_refusal('someday'), E'\n', 2),
	'Give earliest, latest, a time, or an object such as {"0": 42} with an offset for each partition.',
	'what is no position says what is');
SELECT is(seek_refusal('{}'), E'22023: invalid to_position\nThe object names no partition.\n'
	'Give earliest, latest, a time, or an object such as {"0": 42} with an offset for each partition.',
	'offsets of nothing are refused');
SELECT is(seek_refusal('{"9": 0}'),
	E'22023: invalid to_position\nTopic "pgtap_users" has no partition 9.\nIts partitions are 0 to 3.',
	'the partition must be there');
SELECT is(seek_refusal(format('{"1": %s}', :end_1 + 1)),
	format(E'22023: invalid to_position\nOffset %s of partition 1 is outside what topic "pgtap_users" holds.\n'
	'Partition 1 can be read from offset 0 (earliest) to %s (latest).', :end_1 + 1, :end_1),
	'the offset must be there, or the next');
SELECT is(seek_refusal(format('{"1": %s}', :end_1)), 'none', 'the next one is a position');
SELECT is(regexp_replace(places(), '/\d+', '', 'g'), regexp_replace(:'before', '/\d+', '', 'g'), 'nothing has moved by that');

SELECT userstream.alter_stream('s', owner => 'us_alice');
SET LOCAL ROLE us_bob;
SELECT is(seek_refusal('earliest'),
	E'42501: must be owner of stream "s"\n'
	'The stream belongs to role "us_alice", and role "us_bob" is not a member of it.\n'
	'Have its owner call this, or GRANT us_alice TO us_bob.', 'seek_stream is for the owner');
SET LOCAL ROLE us_alice;
SELECT is(seek_refusal('earliest'), 'none', 'who may');
RESET ROLE;
SELECT is(seek_refusal('earliest'), 'none', 'as a superuser may');
SAVEPOINT s;
REVOKE USAGE ON FOREIGN SERVER kafka FROM us_alice;
SELECT is(split_part(seek_refusal('earliest'), ':', 1), '42501', 'with the rights of the owner, whoever calls');
ROLLBACK TO s;
UPDATE userstream.stream SET topic = 'pgtap_none';
SELECT is(split_part(seek_refusal('earliest'), E'\n', 1), '42704: topic "pgtap_none" does not exist', 'the topic must be there');
ROLLBACK TO s;
DROP SERVER kafka;
SELECT is(split_part(seek_refusal('earliest'), E'\n', 1), '42704: server "kafka" does not exist', 'the server must be there');
ROLLBACK TO s;
UPDATE userstream.stream SET home = '1/1';
SELECT is(seek_refusal('earliest'),
	E'55000: stream "s" comes from another database\n'
	'Its definition was restored or copied, and nothing runs by it here.\nCall userstream.adopt(''s'') first.',
	'a stream that is not at home has to be adopted first');
ROLLBACK TO s;
SELECT userstream.alter_stream('s', owner => 'us_gone');
DROP OWNED BY us_gone;
DROP ROLE us_gone;
SELECT is(seek_refusal('earliest'),
	E'42704: owner "us_gone" of stream "s" does not exist any more\n'
	'userstream.alter_stream(''s'', owner => ...) gives it another.', 'the owner must be there');
ROLLBACK TO s;

-- a broker that is away
CREATE SERVER away FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" '127.0.0.1:1');
UPDATE userstream.stream SET server = 'away', server_oid = (SELECT oid FROM pg_foreign_server WHERE srvname = 'away'),
	owner = 'postgres', owner_oid = 10;
SELECT is(split_part(seek_refusal('erliest'), ':', 1), '22023', 'what is cheap is checked before the broker is asked');
SET LOCAL statement_timeout = '500ms';
SELECT seek_refusal('earliest') AS refusal \gset
SET LOCAL statement_timeout = 0;
SELECT is(:'refusal'::text, '57014: canceling statement due to statement timeout', 'the question can be cancelled');
ROLLBACK;

BEGIN READ ONLY;
SELECT is(refusal($$ SELECT userstream.seek_stream('s', 'earliest') $$),
	'25006: cannot execute seek_stream() in a read-only transaction', 'a read-only transaction is refused');
ROLLBACK;
SELECT is((SELECT count(*) FROM userstream.stream), 0::bigint, 'nothing is left');

DROP OWNED BY us_alice, us_bob, us_gone;
DROP ROLE us_alice, us_bob, us_gone;
SELECT * FROM finish();
