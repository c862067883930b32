-- retry_dead_letters: what it refuses, what becomes of letters and rows, and
-- that user code which runs on the way stays where it is.  All in transactions
-- that never commit, so that no worker comes in between; the letters are put
-- into the table by hand.

\ir helpers.psql
SET client_min_messages = error;

SELECT plan(73);

-- of a run that failed
DROP ROLE IF EXISTS us_alice, us_bob, us_member;
CREATE ROLE us_alice LOGIN;
CREATE ROLE us_bob LOGIN;
CREATE ROLE us_member LOGIN IN ROLE us_alice;
GRANT USAGE ON FOREIGN SERVER kafka TO us_alice, us_bob;
GRANT USAGE, CREATE ON SCHEMA public TO us_alice;

-- a letter as a worker stores it
CREATE FUNCTION letter(stream text, partition int, kafka_offset bigint, value text, owner name DEFAULT 'us_alice',
					   key text DEFAULT NULL, headers jsonb DEFAULT NULL, message_at timestamptz DEFAULT NULL)
RETURNS bigint LANGUAGE sql AS $$
	INSERT INTO userstream.dead_letter (owner, owner_oid, home, stream, topic, partition, kafka_offset,
		message_at, key, value, headers, sqlstate, error)
	SELECT owner, owner::regrole, (SELECT system_identifier FROM pg_control_system()) || '/' || d.oid,
		   letter.stream, 'pgtap_four', letter.partition, letter.kafka_offset,
		   letter.message_at, convert_to(letter.key, 'UTF8'), convert_to(letter.value, 'UTF8'), letter.headers,
		   '22P02', 'as it was'
	FROM pg_database d WHERE datname = current_database()
	RETURNING id
$$;
CREATE FUNCTION letters(wanted text DEFAULT 'items') RETURNS TABLE (l text) LANGUAGE sql AS $$
	SELECT concat_ws(' ', partition, kafka_offset, sqlstate, error, column_name, constraint_name, retries,
					 CASE WHEN retried_at IS NOT NULL THEN 'applied' END)
	FROM userstream.dead_letter WHERE stream = wanted ORDER BY id
$$;
CREATE FUNCTION retried() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(retried::text, ' ' ORDER BY partition) FROM userstream.ledger WHERE stream = 'items'
$$;
CREATE FUNCTION retry(ids bigint[] DEFAULT NULL) RETURNS bigint LANGUAGE sql
AS $$ SELECT userstream.retry_dead_letters('items', ids) $$;

-- ---------------------------------------------------------------------------
-- arguments and rights
-- ---------------------------------------------------------------------------
SELECT is(pg_get_function_arguments('userstream.retry_dead_letters'::regproc),
	'stream text, ids bigint[] DEFAULT NULL::bigint[]', 'retry_dead_letters takes its arguments');
SELECT function_returns('userstream', 'retry_dead_letters', 'bigint', 'and returns a number');
SELECT is(refusal($$ SELECT userstream.retry_dead_letters(NULL) $$),
	E'22004: argument "stream" must not be null\nGive it a value by name: stream => ...', 'a stream is needed');
SELECT is(refusal($$ SELECT userstream.retry_dead_letters('none') $$),
	E'42704: stream "none" does not exist\n'
	'SELECT stream FROM userstream.stream_status shows those that there are.', 'one that is there');

BEGIN;
SET LOCAL ROLE us_alice;
CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, arrival serial);
SELECT userstream.create_stream('items', 'kafka', 'pgtap_four', 'items');
SELECT userstream.create_stream('other', 'kafka', 'pgtap_four', 'items');
RESET ROLE;
SELECT letter('items', 1, 7, '{"id": 17, "name": "b"}') AS one \gset
SELECT letter('other', 1, 7, '{"id": 18, "name": "b"}') AS others \gset

SELECT is(refusal('SELECT retry(ARRAY[1, NULL])'),
	E'22004: argument "ids" must not hold a null\n'
	'Leave the argument out to retry all dead letters of the stream that were not applied yet.',
	'no null among the ids');
SELECT is(refusal(format('SELECT retry(ARRAY[%s, %s])', :one, :others)),
	format(E'42704: stream "items" has no dead letter %s\n'
	'SELECT id FROM userstream.dead_letter WHERE stream = ''items'' shows those that there are.', :others),
	'no letter of another stream');
SET LOCAL ROLE us_bob;
SELECT is(refusal('SELECT retry()'),
	E'42501: must be owner of stream "items"\n'
	'The stream belongs to role "us_alice", and role "us_bob" is not a member of it.\n'
	'Have its owner call this, or GRANT us_alice TO us_bob.', 'for the owner only');
SET LOCAL ROLE us_alice;
SAVEPOINT before;
SET LOCAL transaction_read_only = on;
SELECT is(refused_with('SELECT retry()'), '25006', 'not in a read-only transaction');
ROLLBACK TO before;
RESET ROLE;
UPDATE userstream.stream SET home = '1/1' WHERE name = 'items';
SELECT matches(refusal('SELECT retry()'), E'^55000: stream "items" comes from another database\n',
	'not by a definition from another database');
ROLLBACK TO before;
SELECT is((SELECT count(*) FROM items), 0::bigint, 'all of that wrote nothing');

SET LOCAL ROLE us_member;
SELECT is(retry(), 1::bigint, 'a member of the owner may');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- letters, rows, counters
-- ---------------------------------------------------------------------------
BEGIN;
SET LOCAL ROLE us_alice;
CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL, arrival serial);
SELECT userstream.create_stream('items', 'kafka', 'pgtap_four', 'items');
SELECT is(retry(), 0::bigint, 'no letter, no message');
SELECT is(retry('{}'), 0::bigint, 'none named, none taken');
RESET ROLE;
SELECT letter('items', 2, 5, '{"id": 25, "name": "x"}') AS later \gset
SELECT letter('items', 0, 9, '{"id": 9, "name": null}') AS bad \gset
SELECT letter('items', 0, 3, '{"id": 3, "name": "x"}') AS first \gset
SELECT letter('items', 0, 10, '{"id": 10, "name": "x"}') AS second \gset
SELECT letter('items', 3, 1, NULL) AS tombstone \gset
SET LOCAL ROLE us_alice;

SELECT is(retry(ARRAY[:later, :later]), 1::bigint, 'one letter by its number, once');
SELECT results_eq('SELECT l FROM letters()',
	$$ VALUES ('2 5 22P02 as it was 0 applied'), ('0 9 22P02 as it was 0'), ('0 3 22P02 as it was 0'),
			  ('0 10 22P02 as it was 0'), ('3 1 22P02 as it was 0') $$,
	'it stays and says when it was applied');
SELECT is(retried(), '0 0 1 0', 'and is counted');
SELECT is(retry(), 2::bigint, 'all others: the number of messages applied');
SELECT results_eq('SELECT l FROM letters()',
	$$ VALUES ('2 5 22P02 as it was 0 applied'),
			  ('0 9 23502 null value in column "name" of relation "items" violates not-null constraint'
			   || E'\nDETAIL: Failing row contains (9, null, 3). name 1'),
			  ('0 3 22P02 as it was 0 applied'), ('0 10 22P02 as it was 0 applied'),
			  ('3 1 22P02 as it was 0 applied') $$,
	'a letter that fails again has the new reason, a tombstone is done with');
SELECT is(retried(), '2 0 1 1', 'each is counted at its partition');
SELECT results_eq('SELECT id FROM items ORDER BY arrival', 'VALUES (25), (3), (10)',
	'rows came by partition and offset');
SELECT results_eq($$ SELECT DISTINCT messages_read, messages_applied, dead_letters, balanced FROM userstream.ledger
	WHERE stream = 'items' $$, 'VALUES (0::bigint, 0::bigint, 0::bigint, true)', 'no other counter moves');
SELECT is(retry(), 0::bigint, 'again: only the one that fails');
SELECT is((SELECT retries FROM userstream.dead_letter WHERE id = :bad), 2, 'a second time');

-- applied ones only by name
SELECT is(retry(ARRAY[:first]), 0::bigint, 'one that was applied is tried when named');
SELECT results_eq('SELECT retried_at IS NOT NULL, sqlstate, constraint_name FROM userstream.dead_letter WHERE id = ' || :first,
	$$ VALUES (true, '23505', 'items_pkey') $$, 'it stays applied, with the new reason');
DELETE FROM items WHERE id = 3;
SELECT is(retry(ARRAY[:first]), 1::bigint, 'and is applied again');
SELECT is(retried(), '2 0 1 1', 'but not counted again');

-- all or nothing
SAVEPOINT before;
ALTER TABLE items ALTER name DROP NOT NULL;
SELECT is(retry(), 1::bigint, 'mended: it goes in');
ROLLBACK TO before;
SELECT results_eq('SELECT retried_at IS NULL, retries FROM userstream.dead_letter WHERE id = ' || :bad,
	'VALUES (true, 2)', 'rolled back: as it was');
SELECT is(retried(), '2 0 1 1', 'the counter too');
SELECT is((SELECT count(*) FROM items WHERE id = 9), 0::bigint, 'and the row');

-- tombstones as the option says now
RESET ROLE;
UPDATE userstream.stream SET options = '{"tombstone": "dead_letter"}' WHERE name = 'items';
SET LOCAL ROLE us_alice;
SELECT is(retry(ARRAY[:tombstone]), 0::bigint, 'a tombstone is no row');
SELECT is((SELECT sqlstate FROM userstream.dead_letter WHERE id = :tombstone), '22004',
	'and a dead letter where the option says so');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- who owns the letter
-- ---------------------------------------------------------------------------
BEGIN;
SET LOCAL ROLE us_alice;
CREATE TABLE items (id int, name text);
SELECT userstream.create_stream('items', 'kafka', 'pgtap_four', 'items');
RESET ROLE;
SELECT letter('items', 0, 1, '{"id": 1}', 'us_alice');
SELECT letter('items', 0, 2, '{"id": 2}', 'us_bob') AS his \gset
SET LOCAL ROLE us_alice;
SELECT is(refused_with(format('SELECT retry(ARRAY[%s])', :his)), '42704', 'a letter of someone else is none');
SELECT is(retry(), 1::bigint, 'and left out');
SELECT is((SELECT id FROM items), 1, 'so his data do not come in');
RESET ROLE;
SELECT is(retry(), 1::bigint, 'who has both roles'' rights takes both');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- one message gives one row, whoever retries it
-- ---------------------------------------------------------------------------
BEGIN;
CREATE SCHEMA trap;
GRANT USAGE ON SCHEMA trap TO us_alice;
SET LOCAL ROLE us_alice;
CREATE TABLE items (id int, day date, moment timestamptz, dropped int, t text, p int, o bigint,
	at timestamptz, k bytea, v bytea, h jsonb, rest jsonb,
	shown text DEFAULT current_setting('TimeZone') || ' ' || current_setting('DateStyle'));
SET LOCAL TimeZone = 'Asia/Tokyo';
SELECT userstream.create_stream('items', 'kafka', 'pgtap_four', 'items', columns =>
	'{"t": "@topic", "p": "@partition", "o": "@offset", "at": "@timestamp", "k": "@key", "v": "@value", "h": "@headers",
	  "rest": "@rest"}');
ALTER TABLE items DROP COLUMN dropped;
RESET ROLE;
SELECT letter('items', 3, 9007199254740993, '{"id": 1, "day": "02/03/2024", "moment": "2024-01-01 00:00", "more": [1]}',
	key => 'k1', headers => '[{"key": "a", "value": "ä"}, {"key": "b", "base64": "/w=="}, {"key": "a", "value": null}]',
	message_at => '1969-12-31 23:59:59.123+00');
SET LOCAL ROLE us_alice;
SET LOCAL TimeZone = 'America/New_York';
SET LOCAL DateStyle = 'German, DMY';
SET LOCAL search_path = trap, public;
SELECT is(public.retry(), 1::bigint, 'settings of the caller that would give another row');
SELECT is(concat_ws(' ', current_setting('TimeZone'), current_setting('DateStyle'), current_setting('search_path')),
	'America/New_York German, DMY trap, public', 'are as they were');
SET LOCAL search_path = public;
SET LOCAL DateStyle = 'ISO';
SELECT results_eq($$ SELECT day, moment, shown FROM items $$,
	$$ VALUES (date '2024-02-03', timestamptz '2024-01-01 00:00+09', 'Asia/Tokyo ISO, MDY') $$,
	'the row is that of a worker');
SELECT results_eq('SELECT t, p, o, at, k, h FROM items',
	$$ VALUES ('pgtap_four', 3, 9007199254740993, timestamptz '1969-12-31 23:59:59.123+00', '\x6b31'::bytea,
		'[{"key": "a", "value": "ä"}, {"key": "b", "base64": "/w=="}, {"key": "a", "value": null}]'::jsonb) $$,
	'with all parts of the message');
SELECT is((SELECT convert_from(v, 'UTF8') FROM items),
	'{"id": 1, "day": "02/03/2024", "moment": "2024-01-01 00:00", "more": [1]}', 'the value too');
SELECT is((SELECT rest FROM items), '{"more": [1]}', 'and what no column took');
-- after an error too
ALTER TABLE items ADD CHECK (false) NOT VALID;
SELECT is(public.retry(ARRAY[(SELECT id FROM userstream.dead_letter WHERE stream = 'items')]), 0::bigint, 'a failure');
DROP TABLE items;
SELECT is(refused_with('SELECT public.retry(ARRAY[(SELECT id FROM userstream.dead_letter WHERE stream = ''items'')])'),
	'42P01', 'an error');
SELECT is(current_setting('TimeZone'), 'America/New_York', 'the caller''s settings are back');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- user code on the way
-- ---------------------------------------------------------------------------
BEGIN;
SET LOCAL ROLE us_alice;
CREATE TABLE items (id int, who text);
SELECT userstream.create_stream('items', 'kafka', 'pgtap_four', 'items');
CREATE FUNCTION act() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	r refcursor;
BEGIN
	NEW.who := current_user || ' ' || current_setting('search_path') || ' ' || current_setting('lock_timeout');
	CASE NEW.id
	WHEN 1 THEN
		PERFORM set_config('work_mem', '123kB', false), set_config('us.mine', 'x', false);
	WHEN 2 THEN
		SET LOCAL ROLE us_bob;
	WHEN 3 THEN
		SET SESSION AUTHORIZATION us_bob;
	WHEN 4 THEN
		RESET ROLE;
	WHEN 5 THEN
		CREATE TEMP TABLE left_behind ();
	WHEN 6 THEN
		-- any cursor that it finds
		FOR r IN SELECT name FROM pg_cursors WHERE statement LIKE '%dead_letter%FOR UPDATE%' LOOP
			CLOSE r;
		END LOOP;
	WHEN 7 THEN
		UPDATE userstream.stream_position SET retried = 0;
	WHEN 8 THEN
		SET CONSTRAINTS ALL DEFERRED;
	ELSE
	END CASE;
	RETURN NEW;
END $$;
CREATE TRIGGER act BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION public.act();
CREATE TABLE public.seen (who text);
CREATE FUNCTION public.late() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.seen VALUES (current_user);
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON items DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION public.late();
RESET ROLE;
SET LOCAL lock_timeout = '77s';
SELECT letter('items', 0, 1, '{"id": 1}');
SELECT is(retry(), 1::bigint, 'a superuser retries into a table with triggers');
SELECT is((SELECT who FROM items), 'us_alice pg_catalog, pg_temp 77s',
	'they see the owner, the closed search path, and the caller''s patience');
SELECT is((SELECT string_agg(who, ',') FROM seen), 'us_alice', 'also those that were deferred');
SELECT isnt(current_setting('work_mem'), '123kB', 'what they set is not left behind');
SELECT is(coalesce(current_setting('us.mine', true), ''), '', 'nor what they made up');

SELECT letter('items', 0, n, format('{"id": %s}', n)) FROM generate_series(2, 7) n;
SAVEPOINT before;
SELECT is(refused_with(format('SELECT retry(ARRAY[%s])', id)), '42501', what || ' is refused')
FROM (VALUES (2, 'SET ROLE'), (3, 'SET SESSION AUTHORIZATION'), (4, 'RESET ROLE'), (5, 'a temporary table'),
			 (7, 'to write our tables')) v(o, what)
JOIN userstream.dead_letter ON kafka_offset = o AND stream = 'items' ORDER BY o;
SELECT is(retry(ARRAY[(SELECT id FROM userstream.dead_letter WHERE kafka_offset = 6 AND stream = 'items')]), 0::bigint,
	'the cursor cannot be closed');
SELECT matches((SELECT error FROM userstream.dead_letter WHERE kafka_offset = 6 AND stream = 'items'),
	'^cannot drop pinned portal', 'it says so');
SELECT is(current_user::text, 'postgres', 'the caller is who he was');
-- nothing may wait for the caller's commit, to run as him
SELECT letter('items', 0, 8, '{"id": 8}') AS deferring \gset
SELECT matches(refusal(format('SELECT retry(ARRAY[%s])', :deferring)),
	'^42501: cannot fire deferred trigger within security-restricted operation', 'no trigger is left for later');
ROLLBACK;

-- what the caller has deferred fires first, as himself
BEGIN;
SET LOCAL ROLE us_alice;
CREATE TABLE items (id int);
SELECT userstream.create_stream('items', 'kafka', 'pgtap_four', 'items');
CREATE TABLE own (id int UNIQUE DEFERRABLE INITIALLY DEFERRED);
RESET ROLE;
SELECT letter('items', 0, 1, '{"id": 1}');
INSERT INTO own VALUES (1), (1);
SELECT is(refused_with('SELECT retry()'), '23505', 'what the caller deferred is his own error');
SELECT is((SELECT sqlstate FROM userstream.dead_letter WHERE stream = 'items'), '22P02', 'and no letter''s');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- whose fault
-- ---------------------------------------------------------------------------
BEGIN;
SET LOCAL ROLE us_alice;
CREATE TABLE items (id int);
SELECT userstream.create_stream('items', 'kafka', 'pgtap_four', 'items', on_error => 'stop');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.id = 100 AND current_setting('us.spare', true) = 'yes' THEN
		RETURN NULL;
	END IF;
	RAISE EXCEPTION 'nobody' USING ERRCODE = current_setting('us.code');
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION refuse();
RESET ROLE;
SELECT letter('items', n % 4, n, format('{"id": %s}', n)) FROM generate_series(1, 99) n;
SET LOCAL ROLE us_alice;
SELECT is(refused_with(format('SELECT set_config(''us.code'', %L, true), retry()', code)), code,
	'transient, ' || code || ': raised')
FROM unnest(ARRAY['40001', '55P03', '57014']) code;
SELECT set_config('us.code', '42883', true);
SELECT is(retry(), 0::bigint, 'fewer than a hundred: letters');
SELECT is((SELECT string_agg(DISTINCT sqlstate || ' ' || retries, ', ') FROM userstream.dead_letter WHERE stream = 'items'),
	'42883 1', 'with their reason; on_error stop means nothing here');
RESET ROLE;
SELECT letter('items', 0, 100, '{"id": 100}');
SET LOCAL ROLE us_alice;
SELECT is(refusal('SELECT retry()'), '42883: nobody', 'a hundred, and none goes in: the definition''s fault');
SELECT is((SELECT max(retries) FROM userstream.dead_letter WHERE stream = 'items'), 1, 'no letter is blamed');
SELECT set_config('us.spare', 'yes', true);
SELECT is(retry(), 1::bigint, 'one that goes in: the letters'' fault (a row that a trigger suppressed counts)');
RESET ROLE;
ALTER TABLE items DISABLE TRIGGER refuse;
ALTER TABLE items OWNER TO postgres;
REVOKE ALL ON items FROM us_alice;
SET LOCAL ROLE us_alice;
SELECT matches(refusal('SELECT retry()'), '^42501: permission denied for table items', 'a privilege that is gone');
RESET ROLE;
SELECT matches(refusal('SELECT retry()'), '^42501: permission denied for table items', 'the owner''s counts, not the caller''s');
DROP TABLE items;
SELECT matches(refusal('SELECT retry()'), E'^42P01: target table public\\.items does not exist any more\n', 'a target that is gone');
ROLLBACK;

DROP FUNCTION letter, retry;
REVOKE ALL ON SCHEMA public FROM us_alice;
DROP OWNED BY us_alice, us_bob;
DROP ROLE us_alice, us_bob, us_member;
-- no finish(): its count was rolled back with the tests; the harness has its own
