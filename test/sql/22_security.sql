-- Who may see and change what.  All in transactions that never commit, so
-- that no worker comes in between.

\ir helpers.psql
SET client_min_messages = error;

SELECT plan(92);

-- of a run that failed
DROP ROLE IF EXISTS us_alice, us_bob, us_member, us_noinherit, us_watcher, us_alicia;
CREATE ROLE us_alice LOGIN;
CREATE ROLE us_bob LOGIN;
CREATE ROLE us_member LOGIN IN ROLE us_alice;
CREATE ROLE us_noinherit LOGIN NOINHERIT IN ROLE us_alice;
CREATE ROLE us_watcher LOGIN IN ROLE pg_monitor;
GRANT USAGE ON FOREIGN SERVER kafka TO us_alice, us_bob;
CREATE TABLE users (id uuid, first_name text);
GRANT INSERT ON users TO us_alice, us_bob;

-- ---------------------------------------------------------------------------
-- our tables
-- ---------------------------------------------------------------------------
SELECT is_empty(format(
	$$ SELECT r || ' may ' || p || ' %1$s' FROM unnest(ARRAY['us_alice', 'us_watcher']) r,
			  unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
	   WHERE has_table_privilege(r, 'userstream.%1$s', p) $$, t),
	t || ' is closed to plain roles')
FROM unnest(ARRAY['stream', 'stream_position', '_partition']) AS t;
SELECT is_empty(format(
	$$ SELECT r || ' may ' || p || ' %1$s' FROM unnest(ARRAY['us_alice', 'us_watcher']) r,
			  unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
	   WHERE has_table_privilege(r, 'userstream.%1$s', p) $$, t),
	t || ' can be read only')
FROM unnest(ARRAY['dead_letter', 'incident', 'stream_history', 'stream_status', 'stream_definition', 'partition_status', 'stream_stage', 'ledger']) AS t;
SELECT is_empty(
	$$ SELECT s FROM unnest(ARRAY['stream_id_seq', 'dead_letter_id_seq', 'incident_id_seq']) s
	   WHERE has_sequence_privilege('us_alice', 'userstream.' || s, 'USAGE, SELECT, UPDATE') $$,
	'sequences are closed to plain roles');
-- and whatever comes to be in the schema
SELECT is_empty($$ SELECT relname, p FROM pg_class,
			   unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p
	WHERE relnamespace = 'userstream'::regnamespace AND relkind IN ('r', 'p', 'v', 'm')
	  AND has_table_privilege('us_alice', oid, p) $$, 'nothing in the schema can be changed by a plain role');
SELECT is_empty($$ SELECT relname FROM pg_class
	WHERE relnamespace = 'userstream'::regnamespace AND relkind IN ('r', 'p')
	  AND has_table_privilege('us_alice', oid, 'SELECT') AND NOT relrowsecurity $$,
	'a table that all may read shows each his own');
SELECT is_empty($$ SELECT relname FROM pg_class
	WHERE relnamespace = 'userstream'::regnamespace AND relkind IN ('v', 'm')
	  AND has_table_privilege('us_alice', oid, 'SELECT')
	  AND NOT coalesce('security_barrier=true' = ANY (reloptions), false) $$,
	'a view that all may read is a barrier');
SELECT is_empty($$ SELECT proname FROM pg_proc
	WHERE pronamespace = 'userstream'::regnamespace AND (prosecdef OR proconfig IS NOT NULL) $$,
	'every function runs as its caller');
-- so no search_path of a caller counts: nothing of ours is looked up by name when it runs
CREATE VIEW ours AS SELECT classid, objid FROM pg_depend JOIN pg_extension e ON e.oid = refobjid
	WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e' AND extname = 'userstream';
SELECT cmp_ok(count(*), '>', 30::bigint, 'the extension has functions') FROM ours WHERE classid = 'pg_proc'::regclass;
SELECT is_empty($$ SELECT p.oid::regprocedure FROM ours JOIN pg_proc p ON p.oid = objid
	WHERE classid = 'pg_proc'::regclass
	  AND (prolang <> (SELECT oid FROM pg_language WHERE lanname = 'c') OR probin <> '$libdir/userstream' OR prosecdef
		   OR pronamespace <> 'userstream'::regnamespace) $$,
	'each function is C of this library, in our schema');
SELECT is_empty($$ SELECT t.oid::regclass, tgname FROM ours JOIN pg_class t ON t.oid = objid JOIN pg_trigger ON tgrelid = t.oid
	WHERE classid = 'pg_class'::regclass $$, 'no table of ours has a trigger');
-- what expressions of ours depend on, that is not PostgreSQL's
SELECT is_empty($$ SELECT DISTINCT pg_describe_object(d.classid, d.objid, d.objsubid), pg_describe_object(refclassid, refobjid, refobjsubid)
	FROM pg_depend d
	WHERE (d.classid = 'pg_rewrite'::regclass AND d.objid IN (SELECT r.oid FROM pg_rewrite r JOIN ours ON objid = ev_class)
		OR d.classid = 'pg_policy'::regclass AND d.objid IN (SELECT p.oid FROM pg_policy p JOIN ours ON objid = polrelid)
		OR d.classid = 'pg_attrdef'::regclass AND d.objid IN (SELECT a.oid FROM pg_attrdef a JOIN ours ON objid = adrelid)
		OR d.classid = 'pg_constraint'::regclass AND d.objid IN (SELECT c.oid FROM pg_constraint c JOIN ours ON objid = conrelid))
	  AND refobjid >= 16384 AND (refclassid, refobjid) NOT IN (SELECT classid, objid FROM ours) $$,
	'views, policies, defaults and constraints call nothing of anybody else');
SET ROLE us_alice;
SELECT is(refused_with('SELECT * FROM userstream.stream'), '42501', 'a plain role cannot read definitions');
SELECT is(refused_with('UPDATE userstream.stream_position SET next_offset = 0'), '42501',
	'a plain role cannot move a position');
SELECT is(refused_with('DELETE FROM userstream.dead_letter'), '42501', 'a plain role cannot delete dead letters');
SELECT is(refused_with('CREATE FUNCTION userstream.f() RETURNS int LANGUAGE sql RETURN 1'), '42501',
	'a plain role cannot add to the schema');
RESET ROLE;

-- ---------------------------------------------------------------------------
-- the owner and those who have his rights
-- ---------------------------------------------------------------------------
BEGIN;
SET LOCAL ROLE us_alice;
SELECT userstream.create_stream('hers', 'kafka', 'pgtap_four', 'users');
SET LOCAL ROLE us_bob;
SELECT userstream.create_stream('his', 'kafka', 'pgtap_one', 'users');

SELECT is(refusal(format('SELECT userstream.%s(''hers'')', f)),
	E'42501: must be owner of stream "hers"\n'
	'The stream belongs to role "us_alice", and role "us_bob" is not a member of it.\n'
	'Have its owner call this, or GRANT us_alice TO us_bob.',
	f || ' is for the owner')
FROM unnest(ARRAY['drop_stream', 'pause_stream', 'resume_stream']) AS f;
RESET ROLE;
SELECT userstream.create_stream('highest', 'kafka', 'pgtap_one', 'users');
SET LOCAL ROLE us_bob;
SELECT is(refusal($$ SELECT userstream.pause_stream('highest') $$),
	format(E'42501: must be owner of stream "highest"\n'
		'The stream belongs to role "%s", and role "us_bob" is not a member of it.\n'
		'Have a superuser call this.', session_user),
	'nobody is told to be granted a superuser''s rights');
RESET ROLE;
SELECT userstream.drop_stream('highest');
SET LOCAL ROLE us_bob;
SELECT is(refused_with($$ SELECT userstream.drop_stream('hers', if_exists => true) $$), '42501',
	'also with if_exists');
SELECT is(refused_with($$ SELECT userstream.alter_stream('hers', workers => 2) $$), '42501',
	'alter_stream is for the owner');
SELECT is(refused_with($$ SELECT userstream.seek_stream('hers', 'latest') $$), '42501',
	'seek_stream is for the owner');
SELECT is(refused_with($$ SELECT userstream.adopt('hers') $$), '42501', 'adopt is for the owner');
SELECT is(refusal(format('SELECT userstream.%s(''none'')', f)),
	E'42704: stream "none" does not exist\n'
	'SELECT stream FROM userstream.stream_status shows those that there are.',
	f || ' wants a stream that is there')
FROM unnest(ARRAY['drop_stream', 'pause_stream', 'resume_stream']) AS f;
SELECT is(refusal($$ SELECT userstream.drop_stream('none', if_exists => true) $$), 'none',
	'if_exists lets a missing one pass');
SELECT is(refusal(format('SELECT userstream.%s(NULL)', f)),
	E'22004: argument "name" must not be null\nGive it a value by name: name => ...', f || ' wants a name')
FROM unnest(ARRAY['drop_stream', 'pause_stream', 'resume_stream']) AS f;

SET LOCAL ROLE us_watcher;
SELECT is(refused_with(format('SELECT userstream.%s(''hers''%s)', split_part(f, ' ', 1), ', ' || nullif(split_part(f, ' ', 2), ''))),
	'42501', 'pg_monitor looks only: ' || split_part(f, ' ', 1))
FROM unnest(ARRAY['pause_stream', 'resume_stream', 'drop_stream', 'adopt', 'retry_dead_letters', 'seek_stream ''latest''',
	'alter_stream workers=>2', 'try_message ''{}''']) AS f;
SET LOCAL ROLE us_noinherit;
SELECT is(refused_with($$ SELECT userstream.pause_stream('hers') $$), '42501',
	'a member that does not inherit has to SET ROLE');
SET LOCAL ROLE us_member;
SELECT lives_ok($$ SELECT userstream.pause_stream('hers') $$, 'a member may pause');
SELECT lives_ok($$ SELECT userstream.resume_stream('hers') $$, 'a member may resume');
RESET ROLE;
SELECT lives_ok($$ SELECT userstream.pause_stream('his') $$, 'a superuser may');
SELECT results_eq('SELECT name, owner, paused FROM userstream.stream ORDER BY name',
	$$ VALUES ('hers', 'us_alice', false), ('his', 'us_bob', true) $$, 'and nobody becomes owner by that');

-- a name of someone else's stream is taken, and says no more than that
SET LOCAL ROLE us_bob;
SELECT is(refused_with($$ SELECT userstream.create_stream('hers', 'kafka', 'pgtap_one', 'users') $$), '42710',
	'names are unique over all owners');

-- ---------------------------------------------------------------------------
-- the views
-- ---------------------------------------------------------------------------
CREATE FUNCTION pg_temp.seen() RETURNS text LANGUAGE sql AS $$
	SELECT coalesce((SELECT string_agg(stream, ',' ORDER BY stream) FROM userstream.stream_status), '') || '; ' ||
		   coalesce((SELECT string_agg(DISTINCT stream, ',') FROM userstream.partition_status), '') || '; ' ||
		   coalesce((SELECT string_agg(DISTINCT stream, ',') FROM userstream.ledger), '')
$$;
SELECT is(pg_temp.seen(), 'his; his; his', 'the views show what is one''s own');
SET LOCAL ROLE us_alice;
SELECT is(pg_temp.seen(), 'hers; hers; hers', 'to each');
SET LOCAL ROLE us_member;
SELECT is(pg_temp.seen(), 'hers; hers; hers', 'and to members');
SET LOCAL ROLE us_noinherit;
SELECT is(pg_temp.seen(), '; ; ', 'but not to members that do not inherit');
SET LOCAL ROLE us_watcher;
SELECT is(pg_temp.seen(), 'hers,his; hers,his; hers,his', 'members of pg_monitor see all');
RESET ROLE;
SELECT is(pg_temp.seen(), 'hers,his; hers,his; hers,his', 'superusers too');

SET LOCAL ROLE us_bob;
SELECT is((SELECT count(*) FROM userstream._stream_live()), 1::bigint,
	'the function behind the views filters by itself');
SELECT is((SELECT count(DISTINCT stream_id) FROM userstream._partition_live()) <= 1, true,
	'and so does that for partitions');

-- a reader's function must not be shown rows that the view leaves out
CREATE FUNCTION pg_temp.peek(stream text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
	IF stream = 'hers' THEN
		RAISE 'seen';
	END IF;
	RETURN true;
END
$$;
SELECT is(refusal(format('SELECT count(*) FROM userstream.%s WHERE pg_temp.peek(stream)', v)), 'none',
	v || ' hands out nothing before it has filtered')
FROM unnest(ARRAY['stream_status', 'stream_definition', 'partition_status', 'stream_stage', 'ledger']) AS v;
RESET ROLE;
ROLLBACK;

-- ---------------------------------------------------------------------------
-- what holds payloads
-- ---------------------------------------------------------------------------
BEGIN;
SELECT (SELECT system_identifier FROM pg_control_system()) || '/' ||
	(SELECT oid FROM pg_database WHERE datname = current_database()) AS home,
	'us_alice'::regrole::oid AS alice, 'us_bob'::regrole::oid AS bob \gset
INSERT INTO userstream.dead_letter (owner, owner_oid, home, stream, sqlstate, error) VALUES
	('us_alice', :alice, :'home', 'at home', '22P02', 'x'),
	('us_alice', :bob, :'home', 'renamed since', '22P02', 'x'),
	('us_alice', :bob, '1/1', 'restored', '22P02', 'x'),
	('us_gone', 4294967295, :'home', 'dropped', '22P02', 'x'),
	('us_gone', :alice, '1/1', 'of nobody here', '22P02', 'x');
INSERT INTO userstream.incident (owner, owner_oid, stream, kind, detail) VALUES
	('us_alice', :alice, 'hers', 'privilege', 'x'), ('us_bob', :bob, 'his', 'privilege', 'x');
INSERT INTO userstream.stream_history (stream, at, owner_oid, messages_read, rows_written, dead_letters) VALUES
	('hers', now(), :alice, 0, 0, 0), ('his', now(), :bob, 0, 0, 0);

CREATE FUNCTION pg_temp.letters() RETURNS text LANGUAGE sql
AS $$ SELECT string_agg(stream, ', ' ORDER BY id) FROM userstream.dead_letter $$;
SET LOCAL ROLE us_alice;
SELECT is(pg_temp.letters(), 'at home, restored', 'dead letters: by oid at home, by name elsewhere');
SELECT is((SELECT string_agg(stream, ',') FROM userstream.incident), 'hers', 'incidents: one''s own');
SELECT is((SELECT string_agg(stream, ',') FROM userstream.stream_history), 'hers', 'history: one''s own');
SET LOCAL ROLE us_bob;
SELECT is(pg_temp.letters(), 'renamed since', 'a role sees its letters under whatever name it had');
SET LOCAL ROLE us_member;
SELECT is(pg_temp.letters(), 'at home, restored', 'members see them');
SET LOCAL ROLE us_noinherit;
SELECT is(pg_temp.letters(), NULL, 'but not those that do not inherit');
SET LOCAL ROLE us_watcher;
SELECT is(pg_temp.letters(), NULL, 'pg_monitor does not see payloads');
SELECT is((SELECT count(*) FROM userstream.incident), 0::bigint, 'nor incidents of others');
SET LOCAL ROLE us_bob;
-- a function of his own must not be shown the others, nor statistics tell of them
CREATE FUNCTION pg_temp.spy(stream text) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS $$
BEGIN
	IF stream IN ('at home', 'hers') THEN
		RAISE 'seen';
	END IF;
	RETURN true;
END
$$;
SELECT is(refusal(format('SELECT count(*) FROM userstream.%s WHERE pg_temp.spy(stream)', t)), 'none',
	t || ' hands out nothing before it has filtered')
FROM unnest(ARRAY['dead_letter', 'incident', 'stream_history']) AS t;
RESET ROLE;
ANALYZE userstream.dead_letter, userstream.incident, userstream.stream_history;
SELECT cmp_ok(count(*), '>', 0::bigint, 'there are statistics') FROM pg_stats WHERE schemaname = 'userstream' AND tablename = 'dead_letter';
SET LOCAL ROLE us_bob;
SELECT is_empty($$ SELECT tablename, attname FROM pg_stats WHERE schemaname = 'userstream' $$, 'no statistics show values of others');
SET LOCAL row_security = off;
SELECT is(refused_with('SELECT * FROM userstream.dead_letter'), '42501',
	'row security cannot be switched off by a reader');
RESET ROLE;
ROLLBACK;

-- ---------------------------------------------------------------------------
-- decoys: nothing that a user made is called with our rights
-- ---------------------------------------------------------------------------
BEGIN;
CREATE TABLE caught (who text, what text);
GRANT INSERT, SELECT ON caught TO PUBLIC;
CREATE SCHEMA decoy AUTHORIZATION us_alice;
GRANT TEMPORARY ON DATABASE :"DBNAME" TO us_alice;
SET LOCAL ROLE us_alice;
CREATE FUNCTION decoy.note(what text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.caught VALUES (current_user::text, what);
END
$$;
CREATE FUNCTION decoy.eq(a text, b text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN PERFORM decoy.note('text ='); RETURN a OPERATOR(pg_catalog.=) b; END $$;
CREATE FUNCTION decoy.eq(a bigint, b bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN PERFORM decoy.note('bigint ='); RETURN a OPERATOR(pg_catalog.=) b; END $$;
CREATE FUNCTION decoy.add(a integer, b integer) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN PERFORM decoy.note('+'); RETURN a OPERATOR(pg_catalog.+) b; END $$;
CREATE OPERATOR decoy.= (FUNCTION = decoy.eq, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR decoy.= (FUNCTION = decoy.eq, LEFTARG = bigint, RIGHTARG = bigint);
CREATE OPERATOR decoy.+ (FUNCTION = decoy.add, LEFTARG = integer, RIGHTARG = integer);
CREATE FUNCTION decoy.now() RETURNS timestamptz LANGUAGE plpgsql AS $$
BEGIN PERFORM decoy.note('now'); RETURN pg_catalog.now(); END $$;
CREATE FUNCTION decoy.jsonb_strip_nulls(jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN PERFORM decoy.note('jsonb_strip_nulls'); RETURN $1; END $$;
CREATE FUNCTION decoy.unnest(int[], bigint[]) RETURNS TABLE (a int, b bigint) LANGUAGE plpgsql AS $$
BEGIN PERFORM decoy.note('unnest'); END $$;
CREATE FUNCTION decoy.nextval(regclass) RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN PERFORM decoy.note('nextval'); RETURN 1; END $$;
-- tables of the same names, in front and in pg_temp
CREATE TABLE decoy.stream (LIKE userstream.ledger);
CREATE TEMPORARY TABLE stream (LIKE userstream.ledger);
CREATE TEMPORARY TABLE stream_position (LIKE userstream.ledger);
CREATE TEMPORARY TABLE pg_class (oid oid, relname name);
SET LOCAL search_path = decoy, pg_temp, public, pg_catalog;

SELECT userstream.create_stream('decoyed', 'kafka', 'pgtap_four', 'public.users', options => '{"batch_rows": 5}');
SELECT userstream.create_stream('decoyed', 'kafka', 'pgtap_four', 'public.users', if_not_exists => true);
SELECT userstream.pause_stream('decoyed');
SELECT userstream.resume_stream('decoyed');
SELECT userstream.alter_stream('decoyed', workers => 2, options => '{"batch_rows": 6}');
SELECT userstream.seek_stream('decoyed', 'latest');
SELECT userstream.adopt('decoyed');
SELECT count(*) FROM userstream.peek('kafka', 'pgtap_four', max_messages => 1);
SELECT count(*) FROM userstream.stream_status;
SELECT count(*) FROM userstream.partition_status;
SELECT count(*) FROM userstream.ledger;
SELECT count(*) FROM userstream.dead_letter;
SELECT userstream.drop_stream('decoyed');
RESET search_path;
SELECT is((SELECT pg_catalog.count(*) FROM public.caught), 0::bigint, 'no decoy is called, in front or in pg_temp');
SET LOCAL search_path = decoy, pg_temp, public, pg_catalog;

-- the way up ends with the call, however it ends
SELECT public.refusal($$ SELECT userstream.pause_stream('none') $$);
SELECT public.refusal($$ SELECT userstream.create_stream('x', 'kafka', 'pgtap_none', 'public.users') $$);
SELECT current_user::text || ' ' || current_setting('search_path') AS identity \gset
RESET search_path;
SELECT is(:'identity'::text, 'us_alice decoy, pg_temp, public, pg_catalog',
	'after an error, user and search path are the caller''s');
SELECT is(refused_with('SELECT * FROM userstream.stream'), '42501', 'and so are the rights');
ROLLBACK;

-- the definer of a function is the owner of what it makes
BEGIN;
CREATE FUNCTION make() RETURNS void LANGUAGE sql SECURITY DEFINER
AS $$ SELECT userstream.create_stream('made', 'kafka', 'pgtap_one', 'users') $$;
ALTER FUNCTION make() OWNER TO us_alice;
SET LOCAL ROLE us_bob;
SELECT make();
RESET ROLE;
SELECT is((SELECT owner FROM userstream.stream), 'us_alice', 'the owner is who the function runs as');
ROLLBACK;

-- the schema must not be someone's before it is ours, nor hold or take what is not ours
CREATE FUNCTION creation(planted text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	DROP EXTENSION userstream CASCADE;
	DROP SCHEMA userstream;
	EXECUTE planted;
	PERFORM set_config('role', 'none', true);
	RETURN refusal('CREATE EXTENSION userstream');
END
$$;
CREATE FUNCTION undone(planted text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	said text;
BEGIN
	said := creation(planted);
	RAISE EXCEPTION '%', said USING ERRCODE = 'OK000';
EXCEPTION WHEN SQLSTATE 'OK000' THEN
	RETURN said;
END
$$;
SELECT is(undone('CREATE SCHEMA userstream AUTHORIZATION us_alice'),
	E'42P15: schema "userstream" belongs to a role that is not a superuser\n'
	'Drop that schema, or ALTER SCHEMA userstream OWNER TO CURRENT_USER.', 'a schema of a plain role does not become ours');
SELECT is(undone('CREATE SCHEMA userstream; GRANT CREATE, USAGE ON SCHEMA userstream TO us_alice; SET LOCAL ROLE us_alice; ' || planted ||
		'; RESET ROLE; REVOKE CREATE ON SCHEMA userstream FROM us_alice'),
	E'42P15: schema "userstream" holds objects already\nThey could be taken for the extension''s own.\n'
	'Drop that schema: CREATE EXTENSION makes it.', 'nor what somebody put there: ' || planted)
FROM unnest(ARRAY['CREATE FUNCTION userstream._owns(text, oid, integer) RETURNS boolean LANGUAGE sql RETURN true',
	'CREATE FUNCTION userstream.eq(bigint, integer) RETURNS boolean LANGUAGE sql RETURN true; '
	'CREATE OPERATOR userstream.= (FUNCTION = userstream.eq, LEFTARG = bigint, RIGHTARG = integer)',
	'CREATE TABLE userstream.dead_letter_retry (id int)', 'CREATE TYPE userstream.message AS (topic int)']) AS planted;
SELECT is(undone('CREATE SCHEMA userstream; GRANT CREATE ON SCHEMA userstream TO ' || who),
	E'42P15: others may create objects in schema "userstream"\nThey could be taken for the extension''s own.\n'
	'Drop that schema: CREATE EXTENSION makes it.', 'nor one that is open to ' || who)
FROM unnest(ARRAY['us_alice', 'PUBLIC']) AS who;
SELECT is(undone('CREATE SCHEMA userstream'), 'none', 'an empty one of a superuser does');

DROP OWNED BY us_alice, us_bob, us_member, us_noinherit, us_watcher;
DROP ROLE us_alice, us_bob, us_member, us_noinherit, us_watcher;
SELECT * FROM finish();
