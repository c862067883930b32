-- Mirrors: servers of userstream_cassandra and their mappings, create_mirror
-- and the functions beside it, what they refuse, and who may do what.  What
-- arrives in Cassandra is in test/t/41*.

\ir helpers.psql
SET client_min_messages = error;

SELECT plan(45);

DROP ROLE IF EXISTS us_mirrorer, us_other;
CREATE ROLE us_mirrorer LOGIN REPLICATION;
CREATE ROLE us_other LOGIN;
GRANT USAGE ON FOREIGN DATA WRAPPER userstream_cassandra TO us_mirrorer;
SELECT current_database() AS db \gset
GRANT CREATE ON DATABASE :"db" TO us_mirrorer;
GRANT CREATE ON SCHEMA public TO us_mirrorer;

-- ---------------------------------------------------------------------------
-- servers and mappings
-- ---------------------------------------------------------------------------
CREATE FUNCTION server_with(options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM set_config('role', 'us_mirrorer', true);
	result := refusal('CREATE SERVER s FOREIGN DATA WRAPPER userstream_cassandra OPTIONS (' || options || ')');
	IF result = 'none' THEN
		DROP SERVER s;
	END IF;
	PERFORM set_config('role', session_user::text, true);
	RETURN result;
END
$$;
SELECT is(server_with($$hosts 'a, b:9043, [::1]:1', consistency 'local_one', protocol '4', tls 'on', local_dc 'dc1'$$),
	'none', 'all that needs no superuser');
SELECT is(server_with($$consistency 'ONE'$$),
	E'HV002: option "hosts" is required\nName at least one node: OPTIONS (hosts ''host:9042'').', 'a node is needed');
SELECT is(server_with($$hosts 'a:b'$$), E'HV024: invalid value for option "hosts": "a:b"\nA port is a number from 1 to 65535.\n'
	'Write it as ''host:9042, host2:9042''; an IPv6 address with a port needs brackets.', 'a port is a number');
SELECT is(split_part(server_with(options), E'\n', 1), error, options)
FROM (VALUES
	($$hosts 'a', consistency 'SOME'$$, 'HV024: invalid value for option "consistency": "SOME"'),
	($$hosts 'a', consistency 'SERIAL'$$, 'HV024: invalid value for option "consistency": "SERIAL"'),
	($$hosts 'a', protocol '3'$$, 'HV024: invalid value for option "protocol": "3"'),
	($$hosts 'a', tls 'perhaps'$$, 'HV024: invalid value for option "tls": "perhaps"'),
	($$hosts 'a', tls 'on', ca_file '/x'$$, '42501: permission denied to set option "ca_file"'),
	($$hosts 'a', password 's3cr3t'$$, 'HV00D: option "password" is not allowed on a server'),
	($$hosts 'a', host 'b'$$, 'HV00D: invalid option "host"')) AS v (options, error);
CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra OPTIONS (hosts '127.0.0.1:1');
SELECT is(refusal($$CREATE USER MAPPING FOR us_other SERVER cassandra OPTIONS (username 'u', password 's3cr3t')$$),
	'none', 'a mapping takes user and password');
SELECT is(refusal($$CREATE USER MAPPING FOR us_mirrorer SERVER cassandra OPTIONS (pass 's3cr3t')$$) LIKE '%s3cr3t%', false,
	'an error shows no secret');

-- ---------------------------------------------------------------------------
-- create_mirror
-- ---------------------------------------------------------------------------
CREATE TABLE t (id int PRIMARY KEY, v text);
CREATE TABLE nokey (id int);
CREATE TABLE generated (a int, id int GENERATED ALWAYS AS (a) STORED, PRIMARY KEY (id, a));
CREATE TABLE nothing (id int PRIMARY KEY);
ALTER TABLE nothing REPLICA IDENTITY NOTHING;
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY);
CREATE VIEW looked AS SELECT * FROM t;
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE part PARTITION OF parts DEFAULT;
ALTER TABLE part REPLICA IDENTITY NOTHING;

CREATE FUNCTION create_with(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT refusal(format('SELECT userstream.create_mirror(%s)', string_agg(format('%s => %s', k, v), ', ')))
	FROM jsonb_each_text(
		'{"name": "''m''", "target": "''t''", "server": "''cassandra''", "keyspace": "''ks''", "table_name": "''t''"}'
		|| arguments::jsonb) AS a (k, v)
$$;
SELECT is(split_part(create_with(arguments), E'\n', 1), error, arguments)
FROM (VALUES
	('{"name": "''''"}', '42602: invalid mirror name ""'),
	('{"name": "NULL"}', '22004: argument "name" must not be null'),
	('{"keyspace": "''a b''"}', '42602: invalid keyspace "a b"'),
	('{"table_name": "repeat(''t'', 49)"}', '42602: invalid table "' || repeat('t', 49) || '"'),
	('{"server": "''none''"}', '42704: server "none" does not exist'),
	('{"target": "''nokey''"}', '42809: cannot mirror "nokey"'),
	('{"target": "''generated''"}', '42809: cannot mirror "generated"'),
	('{"target": "''nothing''"}', '42809: cannot mirror "nothing"'),
	('{"target": "''unlogged''"}', '42809: cannot mirror "unlogged"'),
	('{"target": "''looked''"}', '42809: cannot mirror "looked"'),
	('{"target": "''parts''"}', '42809: cannot mirror "part"'),
	('{"target": "''pg_class''"}', '42809: cannot mirror "pg_class"'),
	('{"columns": "''{\"w\": \"x\"}''"}', '42703: column "w" of "t" does not exist'),
	('{"columns": "''{\"v\": \"id\"}''"}', '42701: columns "id" and "v" have one name in Cassandra, "id"'),
	('{"columns": "''{\"id\": \"x\", \"v\": \"x\"}''"}', '42701: columns "id" and "v" have one name in Cassandra, "x"'),
	('{"columns": "''{\"id\": null}''"}', '22023: column "id" cannot be left out'),
	('{"columns": "''{\"v\": 1}''"}', '22023: invalid name of column "v" in Cassandra'),
	('{"options": "''{\"replicaton\": 1}''"}', 'HV00D: invalid option "replicaton"'),
	('{"options": "''{\"replication\": 1}''"}', '22023: invalid value for option "replication"')) AS v (arguments, error);

SET ROLE us_mirrorer;
SELECT is(split_part(create_with('{}'), E'\n', 1), '42501: permission denied for foreign server cassandra', 'USAGE is asked for');
RESET ROLE;
GRANT USAGE ON FOREIGN SERVER cassandra TO us_mirrorer, us_other;
SET ROLE us_mirrorer;
SELECT is(split_part(create_with('{}'), E'\n', 1), '42501: must be owner of table t', 'and the table''s ownership');
CREATE TABLE mine (id int PRIMARY KEY);
RESET ROLE;
ALTER ROLE us_mirrorer NOREPLICATION;
SET ROLE us_mirrorer;
SELECT is(split_part(create_with('{"target": "''mine''"}'), E'\n', 1),
	'42501: must be superuser or replication role to have a mirror', 'and REPLICATION');
RESET ROLE;
ALTER ROLE us_mirrorer REPLICATION;
SET ROLE us_mirrorer;
SELECT is(create_with('{"target": "''mine''"}'), 'none', 'then it is made');
SELECT is(split_part(create_with('{"target": "''mine''"}'), E'\n', 1), '42710: mirror "m" already exists', 'once');
RESET ROLE;
SELECT results_eq($$ SELECT pubname::text COLLATE "default", tablename::text COLLATE "default" FROM pg_publication_tables $$,
	$$ SELECT 'userstream_mirror_' || id, 'mine' FROM userstream.mirror $$, 'with a publication of the table');
SELECT results_eq($$ SELECT mirror, owner, target, keyspace, table_name, parked FROM userstream.mirror_status $$,
	$$ VALUES ('m', 'us_mirrorer', 'public.mine', 'ks', 't', 0::bigint) $$, 'and a status');

SET ROLE us_other;
SELECT is(split_part(refusal(call), E'\n', 1), '42501: must be owner of mirror "m"', call || ' is for its owner')
FROM unnest(ARRAY['SELECT userstream.drop_mirror(''m'')', 'SELECT userstream.resync_mirror(''m'')',
	'SELECT userstream.alter_mirror(''m'', keyspace => ''x'')']) AS call;
SELECT is_empty('SELECT * FROM userstream.mirror_status', 'and nobody else sees it');
RESET ROLE;

SET ROLE us_mirrorer;
SELECT userstream.pause_mirror('m');
SELECT is((SELECT state FROM userstream.mirror_status), 'paused', 'pause_mirror');
SELECT userstream.alter_mirror('m', table_name => 'other', options => '{"replication": {"class": "X", "n": 2}}');
SELECT userstream.drop_mirror('m');
RESET ROLE;
SELECT is((SELECT count(*) FROM pg_publication), 0::bigint, 'drop_mirror removes the publication');
SELECT is(split_part(refusal($$SELECT userstream.drop_mirror('m')$$), E'\n', 1), '42704: mirror "m" does not exist',
	'a mirror that there is not');

SELECT * FROM finish();
DROP TABLE mine;
REVOKE ALL ON SCHEMA public FROM us_mirrorer;
REVOKE ALL ON DATABASE :"db" FROM us_mirrorer;
DROP USER MAPPING FOR us_other SERVER cassandra;
REVOKE ALL ON FOREIGN SERVER cassandra FROM us_mirrorer, us_other;
REVOKE ALL ON FOREIGN DATA WRAPPER userstream_cassandra FROM us_mirrorer;
DROP ROLE us_mirrorer, us_other;
