-- create_stream: what it makes, and each thing that it refuses, with SQLSTATE,
-- detail and hint.  All in transactions that never commit, so that no worker
-- comes in between.

\ir helpers.psql
SET client_min_messages = error;

SELECT plan(158);

-- of a run that failed
DROP ROLE IF EXISTS us_plain, us_group, us_offline;
CREATE ROLE us_plain LOGIN;
CREATE ROLE us_group NOLOGIN;
CREATE ROLE us_offline LOGIN;
GRANT USAGE ON FOREIGN SERVER kafka TO us_plain, us_group, us_offline;
CREATE SCHEMA "Odd";
GRANT USAGE ON SCHEMA "Odd" TO us_plain;

CREATE TABLE users (id uuid PRIMARY KEY, first_name text, dob date, seen timestamptz DEFAULT now(),
	whole text GENERATED ALWAYS AS (first_name || '!') STORED,
	number integer GENERATED ALWAYS AS IDENTITY);
CREATE TABLE "Odd"."Ta""ble" (id uuid);
GRANT INSERT ON users, "Odd"."Ta""ble" TO us_group, us_offline;

-- create_stream with other arguments than these is refused with ...
CREATE FUNCTION create_with(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT refusal(format(
		'SELECT userstream.create_stream(%s)',
		string_agg(format('%s => %s', k, v), ', ')))
	FROM jsonb_each_text(
		'{"name": "''s''", "server": "''kafka''", "topic": "''pgtap_four''", "target": "''users''"}'
		|| arguments::jsonb) AS a (k, v)
$$;

-- ---------------------------------------------------------------------------
-- what it makes
-- ---------------------------------------------------------------------------
BEGIN;
SET LOCAL TimeZone = 'Asia/Kolkata';
SELECT lives_ok($$ SELECT userstream.create_stream('users', 'kafka', 'pgtap_users', 'users') $$,
	'name, server, topic and target are enough');
SELECT results_eq(
	$$ SELECT name, owner, owner_oid, server, server_oid, topic, target, target_oid, format, mode, key,
			  columns, transform, transform_oid, start_at, on_error, workers, options, timezone, paused,
			  stop_reason, stopped_at, config_version
	   FROM userstream.stream $$,
	$$ SELECT 'users', 'postgres', 'postgres'::regrole::oid, 'kafka', (SELECT oid FROM pg_foreign_server),
			  'pgtap_users', 'public.users', 'users'::regclass::oid, 'json', 'append', NULL::text[],
			  NULL::jsonb, NULL, NULL::oid, 'earliest', 'dead_letter', 1, '{}'::jsonb, 'Asia/Kolkata', false,
			  NULL, NULL::timestamptz, 1 $$,
	'the definition holds names beside oids, the defaults, and the creator''s TimeZone');
SELECT is(
	(SELECT home FROM userstream.stream),
	(SELECT system_identifier FROM pg_control_system()) || '/' ||
	(SELECT oid FROM pg_database WHERE datname = current_database()),
	'its home is this database of this cluster');
SELECT results_eq(
	$$ SELECT partition, next_offset, epoch, messages_read, messages_applied, rows_written, dead_letters,
			  skipped, retried, stopped
	   FROM userstream.stream_position ORDER BY partition $$,
	$$ SELECT p, 0::bigint, 1::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint, false
	   FROM generate_series(0, 3) p $$,
	'there is a position for each partition, at the earliest offset');

SELECT lives_ok(
	$$ SELECT userstream.create_stream(
		name => 'Second "stream"', server => 'kafka', topic => 'pgtap_users', target => '"Odd"."Ta""ble"',
		format => 'json', mode => 'append', columns => '{"id": "a.b"}', start_at => 'latest',
		on_error => 'stop', workers => 64, options => '{"batch_rows": 1, "batch_bytes": "1GB"}') $$,
	'every argument that is built can be given');
SELECT results_eq(
	$$ SELECT target, columns, start_at, on_error, workers, options
	   FROM userstream.stream WHERE name = 'Second "stream"' $$,
	$$ VALUES ('"Odd"."Ta""ble"', '{"id": "a.b"}'::jsonb, 'latest', 'stop', 64,
			   '{"batch_rows": 1, "batch_bytes": "1GB"}'::jsonb) $$,
	'they are kept as given, the target quoted');
SELECT results_eq(
	$$ SELECT count(*), sum(next_offset) FROM userstream.stream_position
	   WHERE stream_id = (SELECT id FROM userstream.stream WHERE start_at = 'latest') $$,
	'VALUES (4::bigint, 1000::numeric)',
	'latest starts behind every message that is there, as a number');
SELECT lives_ok(
	$$ SELECT userstream.create_stream('nulls', 'kafka', 'pgtap_one', 'users', NULL, NULL, NULL, NULL,
									   NULL, NULL, NULL, NULL, NULL, NULL) $$,
	'a null where there is a default means the default');
SELECT results_eq(
	$$ SELECT format, mode, start_at, on_error, workers, options FROM userstream.stream WHERE name = 'nulls' $$,
	$$ VALUES ('json', 'append', 'earliest', 'dead_letter', 1, '{}'::jsonb) $$,
	'and is kept as the default');
SELECT lives_ok(
	$$ SELECT userstream.create_stream('null option', 'kafka', 'pgtap_one', 'users', key => '{}',
									   options => '{"batch_rows": null, "batch_bytes": 65536}') $$,
	'a JSON null in the options means the default');
SELECT is((SELECT options FROM userstream.stream WHERE name = 'null option'), '{"batch_bytes": 65536}'::jsonb,
	'and is not kept');
SELECT lives_ok($$ SELECT userstream.create_stream(repeat('ä', 31) || 'x', 'kafka', 'pgtap_one', 'users') $$,
	'a name may have 63 bytes');
SELECT is(create_with('{"name": "''users''"}'),
	E'42710: stream "users" already exists\n'
	'Choose another name, or remove it with userstream.drop_stream(''users'').',
	'a name is unique');
SELECT lives_ok($$ SELECT userstream.create_stream('Users', 'kafka', 'pgtap_one', 'users') $$,
	'names are matched exactly');
SELECT lives_ok(
	$$ SELECT userstream.create_stream('users', 'kafka', 'pgtap_one', 'users', if_not_exists => true) $$,
	'if_not_exists lets a name that is taken pass');
SELECT is((SELECT topic FROM userstream.stream WHERE name = 'users'), 'pgtap_users', 'and changes nothing');
ROLLBACK;

SELECT is((SELECT count(*) FROM userstream.stream), 0::bigint, 'a stream goes with its transaction');
SELECT is((SELECT count(*) FROM userstream.stream_position), 0::bigint, 'and so do its positions');

-- targets of every allowed kind
BEGIN;
CREATE TABLE parent (id uuid, day date) PARTITION BY RANGE (day);
CREATE TABLE parent_1 PARTITION OF parent FOR VALUES FROM ('2020-01-01') TO ('2021-01-01') PARTITION BY LIST (id);
CREATE TABLE parent_1_default PARTITION OF parent_1 DEFAULT;
SELECT is(create_with('{"target": "''parent''"}'), 'none', 'a partitioned table can be a target');
SELECT is(create_with('{"target": "''parent_1''", "name": "''s2''"}'), 'none', 'and a part of one');
SELECT is(create_with('{"target": "''parent_1_default''", "name": "''s3''"}'), 'none', 'and a leaf');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- where it starts
-- ---------------------------------------------------------------------------
CREATE FUNCTION started_at(start_at text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM userstream.create_stream('s', 'kafka', 'pgtap_users', 'users', start_at => started_at.start_at);
	SELECT s.start_at || ' ' || (SELECT string_agg(next_offset::text, ',' ORDER BY partition)
								 FROM userstream.stream_position WHERE stream_id = s.id)
	INTO result FROM userstream.stream s;
	PERFORM userstream.drop_stream('s');
	RETURN result;
END
$$;
BEGIN;
-- pgtap_users has 1000 messages, made some minutes ago at most
SELECT userstream.create_stream('e', 'kafka', 'pgtap_users', 'users', start_at => 'latest');
SELECT string_agg(next_offset::text, ',' ORDER BY partition) AS ends,
	jsonb_object_agg(partition, next_offset) AS ends_json,
	max(next_offset) FILTER (WHERE partition = 1) AS end_1
FROM userstream.stream_position \gset
SELECT userstream.drop_stream('e');
SELECT is(started_at('earliest'), 'earliest 0,0,0,0', 'earliest');
SELECT is(started_at('latest'), 'latest ' || :'ends', 'latest');
SELECT is(started_at('1950-01-01'), '{"0": 0, "1": 0, "2": 0, "3": 0} 0,0,0,0', 'a time before all is the beginning');
SELECT is(started_at('epoch'), '{"0": 0, "1": 0, "2": 0, "3": 0} 0,0,0,0', 'words for times are times');
SELECT is(started_at('tomorrow'), :'ends_json' || ' ' || :'ends', 'a time after the last message is the end');
SELECT is(started_at('-infinity'), 'earliest 0,0,0,0', 'before all times is earliest');
SELECT is(started_at('infinity'), 'latest ' || :'ends', 'and after all is latest');
SELECT is(started_at('{"1": 3, "0": 0, "3": 1e0, "2": 2}'), '{"0": 0, "1": 3, "2": 2, "3": 1} 0,3,2,1',
	'an offset for each partition');
SELECT is(started_at(E' \n' || :'ends_json'), :'ends_json' || ' ' || :'ends', 'the end is one too');
ROLLBACK;

BEGIN;
CREATE FUNCTION start_refusal(start_at text) RETURNS text LANGUAGE sql AS $$
	SELECT create_with(jsonb_build_object('topic', $q$'pgtap_users'$q$, 'start_at', quote_literal(start_at))::text)
$$;
\set forms 'Give earliest, latest, a time, or an object such as {"0": 42} with an offset for each partition.'
SELECT is(start_refusal(start_at), result || E'\n' || :'forms', format('start_at %s is refused', start_at))
FROM (VALUES
	('begin', '22007: invalid input syntax for type timestamp with time zone: "begin"'),
	('', '22007: invalid input syntax for type timestamp with time zone: ""'),
	('2026-13-01', '22008: date/time field value out of range: "2026-13-01"'),
	('[1]', '22007: invalid input syntax for type timestamp with time zone: "[1]"'),
	('{"0": 1', E'22P02: invalid input syntax for type json\nThe input string ended unexpectedly.'),
	('{}', E'22023: invalid start_at\nThe object names no partition.'),
	('{"a": 1, "0": 1}', E'22023: invalid start_at\n"a" is not the number of a partition.'),
	('{"00": 1}', E'22023: invalid start_at\n"00" is not the number of a partition.'),
	('{"-1": 1}', E'22023: invalid start_at\n"-1" is not the number of a partition.'),
	('{"2147483648": 1}', E'22023: invalid start_at\n"2147483648" is not the number of a partition.')
) AS v (start_at, result);
SELECT is(start_refusal(format('{"1": %s}', o)),
	E'22023: invalid start_at\nWhat is given for partition 1 is not an offset: a whole number of at least 0.\n' || :'forms',
	o || ' is no offset')
FROM unnest(ARRAY['-1', '1.5', '"1"', 'null', 'true', '[1]', '{"a": 1}', '1e30']) AS o;
SELECT is(start_refusal('{"0": 1}'),
	E'22023: invalid start_at\nIt says nothing about partition 1 of topic "pgtap_users".\n'
	'Name all 4 partitions, or give earliest, latest or a time.', 'all partitions must be named');
SELECT is(start_refusal('{"0": 1, "1": 1, "2": 0, "3": 0, "4": 0}'),
	E'22023: invalid start_at\nTopic "pgtap_users" has no partition 4.\nIts partitions are 0 to 3.',
	'and no others');
SELECT is(start_refusal(format('{"0": 0, "1": %s, "2": 0, "3": 0}', :end_1 + 1)),
	format(E'22023: invalid start_at\nOffset %s of partition 1 is outside what topic "pgtap_users" holds.\n'
	'Partition 1 can be read from offset 0 (earliest) to %s (latest).', :end_1 + 1, :end_1), 'an offset must be there, or the next');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- arguments
-- ---------------------------------------------------------------------------
BEGIN;
SELECT is(create_with(format('{"%s": "NULL"}', a)),
	format(E'22004: argument "%s" must not be null\nGive it a value by name: %s => ...', a, a),
	a || ' must be given')
FROM unnest(ARRAY['name', 'server', 'topic', 'target']) AS a;

SELECT is(create_with('{"name": "''''"}'),
	E'42602: invalid stream name ""\nThe name has 0 bytes.\nChoose a name of 1 to 63 bytes.',
	'a name is not empty');
SELECT is(split_part(create_with('{"name": "repeat(''ä'', 32)"}'), E'\n', 2), 'The name has 64 bytes.',
	'a name has 63 bytes at most');
SELECT is(create_with('{"name": "repeat(''ä'', 32)"}') LIKE '42622: invalid stream name%', true,
	'a longer one is refused, not cut');
SELECT is(create_with('{"name": "E''a\\nb''"}'),
	E'42602: invalid stream name\nThe name holds a control character.\nChoose a name of printable characters.',
	'a name has no control characters');

SELECT is(split_part(create_with(format('{"topic": "%s"}', t)), ':', 1), '22023',
	format('"%s" is no topic', left(t, 20)))
FROM unnest(ARRAY['''''', '''.''', '''..''', '''a b''', '''ä''', '''^a''', 'repeat(''a'', 250)']) AS t;
SELECT is(create_with('{"topic": "''a b''"}'),
	E'22023: invalid topic "a b"\n'
	'A Kafka topic has 1 to 249 of the characters a-z, A-Z, 0-9, ".", "_" and "-".',
	'an impossible topic is told from one that is missing');

SELECT is(create_with('{"format": "''protobuf''"}'),
	E'0A000: format "protobuf" is not supported yet\nThe format of the messages can be json, debezium, json_sr, avro, csv, text or bytes.',
	'other formats come later');
SELECT is(create_with('{"format": "''jsn''"}'),
	E'22023: invalid format "jsn"\nPerhaps you meant "json".', 'a mistyped format is corrected');
SELECT is(create_with('{"format": "''parquet file''"}'),
	E'22023: invalid format "parquet file"\nThe format of the messages can be json, debezium, json_sr, avro, csv, text or bytes.',
	'an unknown format says which there are');
SELECT is(create_with('{"mode": "''apend''"}'),
	E'22023: invalid mode "apend"\nPerhaps you meant "append".', 'a mistyped mode is corrected');
SELECT is(create_with('{"mode": "''upsrt''"}'),
	E'22023: invalid mode "upsrt"\nPerhaps you meant "upsert".', 'either of them');
SELECT is(create_with('{"key": "''{id}''"}'),
	E'22023: mode append takes no key\nLeave key out, or choose mode => ''upsert''.', 'a key is for upsert');
SELECT is(create_with('{"transform": "''f(jsonb)''"}'),
	E'42883: function "f(jsonb)" does not exist\n'
	'Create it first, or write its schema too, such as app.format_user(jsonb): it is looked for in your search_path.', 'a transform has to be there');
SELECT is(create_with(format('{"transform": "''%s''"}', t)),
	format(E'22023: invalid transform "%s"\nIt is not a function''s name with the type of its argument in parentheses.\n'
		'A transform is f(userstream.message) or f(jsonb), and returns jsonb or rows of the target, one or SETOF.', t),
	format('a transform "%s" is no signature: says what one is', t))
FROM unnest(ARRAY['f', 'f(jsonb', '', '16384', 'app.f jsonb)']) AS t;
SELECT is(create_with('{"transform": "''f(no_such_type)''"}'),
	E'42704: type "no_such_type" does not exist\n'
	'A transform is f(userstream.message) or f(jsonb), and returns jsonb or rows of the target, one or SETOF.', 'its argument is one of two types');
-- PostgreSQL 17 says it of the function
SELECT matches(create_with('{"transform": "''no_such_schema.f(jsonb)''"}'),
	'^(3F000: schema "no_such_schema"|42883: function "no_such_schema.f[(]jsonb[)]") does not exist\n'
	'Create it first, or write its schema too, such as app.format_user[(]jsonb[)]: it is looked for in your search_path.$', 'its schema has to be there');
SELECT is(create_with('{"mode": "''upsert''", "key": "''{id,NULL}''"}'),
	E'22004: argument "key" must not hold a null\n'
	'Name the columns of a unique constraint of the target: key => ''{...}''.', 'a column of the key has a name');
SELECT is(create_with('{"mode": "''upsert''", "key": "''{id,name,id}''"}'),
	E'42701: column "id" is named twice in key\nName each column once.', 'and each another');
SELECT is(create_with('{"start_at": "''erliest''"}'),
	E'22023: invalid start_at "erliest"\nPerhaps you meant "earliest".', 'a mistyped start is corrected');
SELECT is(create_with('{"on_error": "''skip all''"}'),
	E'22023: invalid on_error "skip all"\n'
	'A message that cannot be taken can become a dead_letter, or stop its partition.',
	'on_error has two values');
SELECT is(create_with(format('{"workers": "%s"}', w)),
	format(E'22023: invalid number of workers: %s\nA stream can have 1 to 64 workers.', w),
	w || ' workers are refused')
FROM unnest(ARRAY[-1, 0, 65]) AS w;

-- options
CREATE FUNCTION option_refusal(options text) RETURNS text LANGUAGE sql AS $$
	SELECT create_with(jsonb_build_object('options', quote_literal(options))::text)
$$;
SELECT is(option_refusal('[]'),
	E'22023: options must be a JSON object\nWrite them as ''{"batch_rows": 10000}''.', 'options are an object');
SELECT is(option_refusal('{"batch_row": 5}'),
	E'HV00D: invalid option "batch_row"\nPerhaps you meant the option "batch_rows".',
	'a mistyped option is corrected');
SELECT is(option_refusal('{"colour": "red and green"}'),
	E'HV00D: invalid option "colour"\nOptions of a stream are batch_rows, batch_bytes, metadata_refresh, '
	'on_offset_out_of_range, max_dead_letters_per_minute, filter, registry, tombstone, '
	'on_conflict, unknown_fields, explode, delimiter, quote, escape, null, header and notify.',
	'an unknown option says which there are');
SELECT is(split_part(option_refusal(o), ':', 1), '22023', o || ' is refused')
FROM unnest(ARRAY['{"filter": 1}', '{"filter": ""}', '{"filter": ["f(jsonb)"]}', '{"explode": 1}', '{"explode": "array"}',
				  '{"on_conflict": "ignore"}', '{"on_conflict": true}']) AS o;
SELECT is(split_part(option_refusal('{"filter": "f(jsonb)"}'), ':', 1), '42883', 'a filter has to be there');
SELECT is(split_part(option_refusal(format('{"batch_rows": %s}', v)), ':', 1), '22023',
	'batch_rows cannot be ' || v)
FROM unnest(ARRAY['0', '-1', '1000001', '1.5', '"10 MB"', '"x"', 'true', '[1]', '{"a": 1}', '1e10']) AS v;
SELECT is(split_part(option_refusal(format('{"batch_bytes": %s}', v)), ':', 1), '22023',
	'batch_bytes cannot be ' || v)
FROM unnest(ARRAY['1023', '"1025MB"', '"1 XB"', 'false', '99999999999', '2000.5']) AS v;
SELECT is(option_refusal('{"batch_rows": 1000001}'),
	E'22023: invalid value for option "batch_rows": "1000001"\n'
	'The value is outside the range 1 .. 1000000.\nGive a number of messages, such as 10000.',
	'a value out of range says the range');
SELECT is(option_refusal('{"batch_bytes": "1 XB"}'),
	E'22023: invalid value for option "batch_bytes": "1 XB"\n'
	'Valid units for this parameter are "B", "kB", "MB", "GB", and "TB".',
	'a wrong unit says the units');
SELECT is(option_refusal('{"batch_bytes": "1kB", "batch_rows": "1000000"}'), 'none',
	'a number may stand in quotes');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- server, target, owner, columns
-- ---------------------------------------------------------------------------
BEGIN;
SELECT is(split_part(create_with('{"server": "''nowhere''"}'), ':', 1), '42704', 'the server must be there');
CREATE SERVER web FOREIGN DATA WRAPPER userstream_http OPTIONS (url 'https://localhost/users');
SELECT is(split_part(create_with('{"server": "''web''"}'), ':', 1), '42809', 'it must be a Kafka server');

SELECT is(create_with('{"target": "4294967295"}'),
	E'42P01: relation with OID 4294967295 does not exist\nCreate the table before the stream.',
	'the target must be there');

CREATE VIEW a_view AS SELECT * FROM users;
CREATE MATERIALIZED VIEW a_matview AS SELECT * FROM users;
CREATE TEMPORARY TABLE a_temporary (id uuid);
CREATE UNLOGGED TABLE an_unlogged (id uuid);
CREATE SEQUENCE a_sequence;
CREATE TYPE a_type AS (id uuid);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nothing FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE a_foreign (id uuid) SERVER nothing;
CREATE TABLE with_unlogged (id uuid) PARTITION BY LIST (id);
CREATE UNLOGGED TABLE unlogged_leaf PARTITION OF with_unlogged DEFAULT;
CREATE TABLE with_foreign (id uuid) PARTITION BY LIST (id);
CREATE TABLE with_foreign_sub PARTITION OF with_foreign DEFAULT PARTITION BY LIST (id);
CREATE FOREIGN TABLE foreign_leaf PARTITION OF with_foreign_sub DEFAULT SERVER nothing;
SELECT is(split_part(create_with(format('{"target": "''%s''"}', t)), E'\n', 1),
	format('42809: cannot use %s "%s" as the target of a stream', kind, coalesce(leaf, split_part(t, '.', -1))),
	format('%s is refused as target', t))
FROM (VALUES ('a_view', 'view', NULL), ('a_matview', 'materialized view', NULL),
			 ('a_temporary', 'temporary table', NULL), ('an_unlogged', 'unlogged table', NULL),
			 ('a_sequence', 'relation', NULL), ('a_type', 'relation', NULL), ('users_pkey', 'relation', NULL),
			 ('a_foreign', 'foreign table', NULL),
			 ('with_unlogged', 'unlogged table', 'unlogged_leaf'),
			 ('with_foreign', 'foreign table', 'foreign_leaf'),
			 ('pg_catalog.pg_class', 'system catalog', NULL),
			 ('information_schema.sql_features', 'system catalog', NULL),
			 ('userstream.dead_letter', 'table', NULL), ('userstream.stream', 'table', NULL)) AS v (t, kind, leaf);
SELECT is(create_with('{"target": "''an_unlogged''"}'),
	E'42809: cannot use unlogged table "an_unlogged" as the target of a stream\n'
	'An unlogged table loses its rows in a crash while the position of the stream stays.\n'
	'ALTER TABLE public.an_unlogged SET LOGGED makes it a logged one.',
	'a refused target says why, and what helps');
SELECT ok((SELECT create_with(jsonb_build_object('target', quote_literal(reltoastrelid::regclass))::text)
				  LIKE '42809: cannot use TOAST table %'
		   FROM pg_class WHERE oid = 'users'::regclass), 'a TOAST table is refused as target');

SELECT is(split_part(create_with(jsonb_build_object('columns', quote_literal(c))::text), ':', 1), state,
	format('columns %s is refused', c))
FROM (VALUES ('[]', '22023'), ('{"frst_name": "a"}', '42703'), ('{"whole": "a"}', '428C9'),
			 ('{"first_name": 1}', '22023'), ('{"first_name": "a..b"}', '22023'),
			 ('{"first_name": "@ofset"}', '22023')) AS v (c, state);
ROLLBACK;

-- the owner must be able to connect, and may use what he names
BEGIN;
SET LOCAL ROLE us_group;
SELECT is(create_with('{}'),
	E'42501: role "us_group" cannot own a stream\n'
	'The workers of a stream connect as its owner, and this role may not log in.\n'
	'ALTER ROLE us_group LOGIN allows it, or SET ROLE to one that may.',
	'an owner must have LOGIN');
ROLLBACK;
BEGIN;
DO $$ BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END $$;
SET LOCAL ROLE us_offline;
SELECT is(create_with('{}'),
	format(E'42501: role "us_offline" cannot own a stream\n'
	'The workers of a stream connect as its owner, and this role may not connect to the database.\n'
	'GRANT CONNECT ON DATABASE %I TO us_offline allows it.', current_database()),
	'an owner must have CONNECT');
ROLLBACK;
BEGIN;
SET LOCAL ROLE us_plain;
SELECT is(create_with('{}'),
	E'42501: permission denied for table users\n'
	'Role "us_plain" may not insert into column "id", which messages give.\n'
	'GRANT INSERT ON public.users TO us_plain allows it; columns => ''{"id": null}'' leaves the column out.',
	'an owner must have INSERT');
RESET ROLE;
GRANT INSERT (id, first_name) ON users TO us_plain;
SET LOCAL ROLE us_plain;
SELECT is(split_part(create_with('{}'), E'\n', 2),
	'Role "us_plain" may not insert into column "dob", which messages give.',
	'on every column that messages give');
SELECT is(create_with('{"columns": "''{\"dob\": null, \"seen\": null}''"}'), 'none',
	'and on no others');
SELECT is((SELECT owner FROM userstream.stream_status), 'us_plain', 'the creator is the owner');
RESET ROLE;
REVOKE USAGE ON SCHEMA "Odd" FROM us_plain;
GRANT INSERT ON "Odd"."Ta""ble" TO us_plain;
SELECT '"Odd"."Ta""ble"'::regclass::oid AS odd \gset
SET LOCAL ROLE us_plain;
SELECT is(split_part(create_with(format('{"target": "%s", "name": "''t''"}', :odd)), E'\n', 1),
	'42501: permission denied for schema Odd', 'an owner must have USAGE on the schema of the target');
RESET ROLE;
REVOKE USAGE ON FOREIGN SERVER kafka FROM us_plain;
SET LOCAL ROLE us_plain;
SELECT is(split_part(create_with('{"name": "''t''"}'), ':', 1), '42501',
	'an owner must have USAGE on the server');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- the broker
-- ---------------------------------------------------------------------------
BEGIN;
SELECT is(create_with('{"topic": "''pgtap_none''"}'),
	E'42704: topic "pgtap_none" does not exist\n'
	'The brokers of server "kafka" know no topic of this name.\n'
	'Create the topic first, or look for the right name: upper and lower case differ.',
	'the topic must be there');
-- nothing listens on port 1
CREATE SERVER away FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" '127.0.0.1:1');
SELECT is(split_part(create_with('{"server": "''away''", "target": "''an_index''"}'), ':', 1), '42P01',
	'what is cheap is checked before the broker is asked');
SELECT create_with('{"server": "''away''"}') AS refusal \gset
SELECT is(split_part(:'refusal', E'\n', 1), '08001: could not reach the brokers of server "away"',
	'a broker that is not there is an error');
SELECT is(split_part(:'refusal', E'\n', 3),
	'Check that Kafka runs, "bootstrap.servers" and the security options of the server, '
	'and the credentials of its user mapping.', 'that says what to look at');
SET LOCAL statement_timeout = '500ms';
SELECT create_with('{"server": "''away''"}') AS refusal \gset
SET LOCAL statement_timeout = 0;
SELECT is(:'refusal'::text, '57014: canceling statement due to statement timeout', 'it can be cancelled meanwhile');
ROLLBACK;

BEGIN READ ONLY;
SELECT is(split_part(create_with('{}'), E'\n', 1),
	'25006: cannot execute create_stream() in a read-only transaction', 'a read-only transaction is refused');
ROLLBACK;

SELECT is((SELECT count(*) FROM userstream.stream), 0::bigint, 'no refused call has left anything');

DROP OWNED BY us_plain, us_group, us_offline;
DROP ROLE us_plain, us_group, us_offline;
SELECT * FROM finish();
