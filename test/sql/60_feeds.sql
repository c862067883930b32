-- Feeds: servers of userstream_http and their mappings, create_feed,
-- alter_feed, drop_feed, what they refuse, and who may do what.  Runs are in
-- test/t/3*.

\ir helpers.psql
SET client_min_messages = error;

SELECT plan(81);

DROP ROLE IF EXISTS us_feeder, us_other, us_watcher;
CREATE ROLE us_feeder LOGIN;
CREATE ROLE us_other LOGIN;
CREATE ROLE us_watcher LOGIN;
GRANT pg_monitor TO us_watcher;
GRANT USAGE ON FOREIGN DATA WRAPPER userstream_http TO us_feeder;
GRANT USAGE ON FOREIGN SERVER kafka TO us_feeder;
GRANT CREATE ON SCHEMA public TO us_feeder;

-- ---------------------------------------------------------------------------
-- servers and mappings
-- ---------------------------------------------------------------------------
CREATE FUNCTION server_with(options text, role_name text DEFAULT 'us_feeder') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	PERFORM set_config('role', role_name, true);
	result := refusal('CREATE SERVER s FOREIGN DATA WRAPPER userstream_http OPTIONS (' || options || ')');
	IF result = 'none' THEN
		DROP SERVER s;
	END IF;
	PERFORM set_config('role', session_user::text, true);
	RETURN result;
END
$$;

SELECT is(server_with($$url 'https://example.org/a?b=c', method 'post', timeout_ms '5s', connect_timeout_ms '100',
	max_bytes '1MB', proxy 'http://proxy.example.org:3128', allow_private 'false'$$), 'none',
	'anyone with USAGE on the wrapper can set all that needs no superuser');
SELECT is(server_with($$method 'GET'$$),
	E'HV002: option "url" is required\nName the API: OPTIONS (url ''https://host/path'').', 'a url is needed');
SELECT is(split_part(server_with(format('url %L', url)), E'\n', 1), 'HV024: invalid value for option "url"', url || ' is no url of an API')
FROM unnest(ARRAY['file:///etc/passwd', 'gopher://example.org/', 'example.org', 'http://', 'https://exa mple.org/',
	'ftp://example.org/', 'http://exam%7Fple.org/']) AS url;
SELECT is(server_with($$url 'https://me:s3cr3t@example.org/'$$),
	E'HV024: invalid value for option "url"\n'
	'It holds a user name or password, and every role can read the options of a server.\n'
	'Write it as https://host/path; credentials belong into a user mapping, as header or query.',
	'a password in the url is refused, and not repeated');
SELECT is(server_with($$url 'http://a.org', proxy 'http://me:s3cr3t@example.org/'$$) LIKE '%s3cr3t%', false,
	'nor is one of the proxy');
SELECT is(server_with($$url 'http://a.org', header 'X: s3cr3t'$$),
	E'HV00D: option "header" is not allowed on a server\nEvery role can read the options of a server.\n'
	'Put it into a user mapping: CREATE USER MAPPING FOR ... SERVER ... OPTIONS (header ''...'').',
	'secrets are not for servers');
SELECT is(server_with($$url 'http://a.org', urll 'x'$$),
	E'HV00D: invalid option "urll"\nPerhaps you meant the option "url".', 'the nearest option is named');
SELECT is(server_with($$url 'http://a.org', timeout_ms '0'$$),
	E'HV024: invalid value for option "timeout_ms": "0"\nThe value is outside the range 1 .. 3600000.\n'
	'Give a number within the range.', 'numbers have a range');
SELECT is(server_with($$url 'http://a.org', method 'DELETE'$$),
	E'HV024: invalid value for option "method": "DELETE"\nThe method can be GET or POST.', 'methods are few');
SELECT is(split_part(server_with(format('url ''http://a.org'', %s', option)), E'\n', 1),
	format('42501: permission denied to set option "%s"', split_part(option, ' ', 1)), option || ' needs a superuser')
FROM unnest(ARRAY['allow_private ''true''', 'ca_file ''/etc/ssl/x.pem''']) AS option;
SELECT is(server_with($$url 'http://a.org', allow_private 'true', ca_file '/etc/ssl/x.pem'$$, session_user::text), 'none',
	'a superuser may set them');
SELECT is(split_part(server_with($$url 'http://a.org', ca_file 'x.pem'$$, session_user::text), E'\n', 1),
	'HV024: invalid value for option "ca_file": "x.pem"', 'a file is named by its whole path');

CREATE SERVER api FOREIGN DATA WRAPPER userstream_http OPTIONS (url 'http://127.0.0.1:1/', allow_private 'true');
GRANT USAGE ON FOREIGN SERVER api TO us_feeder;
CREATE FUNCTION mapping_with(options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	result := refusal('CREATE USER MAPPING FOR us_other SERVER api OPTIONS (' || options || ')');
	IF result = 'none' THEN
		DROP USER MAPPING FOR us_other SERVER api;
	END IF;
	RETURN result;
END
$$;
SELECT is(mapping_with($$header 'Authorization: Bearer s3cr3t', header_2 'X-Tenant: 7', query 'key=s3cr3t', query_2 'b=&='$$),
	'none', 'a mapping takes headers and parameters');
SELECT is(mapping_with(options) LIKE '%s3cr3t%', false, options || ' is refused without being shown')
FROM unnest(ARRAY['header ''s3cr3t''', 'header ''Host: s3cr3t''', 'header E''A: s3cr3t\r\nB: c''', 'header ''A b: s3cr3t''',
	'query ''s3cr3t''', 'query ''=s3cr3t''', 'query ''a&b=s3cr3t''', 'url ''https://s3cr3t.org/''', 'token ''s3cr3t''']) AS options
WHERE mapping_with(options) <> 'none';
SELECT is(mapping_with($$heder 'A: b'$$), E'HV00D: invalid option "heder"\nPerhaps you meant the option "header".',
	'the nearest option of a mapping is named');

-- ---------------------------------------------------------------------------
-- create_feed
-- ---------------------------------------------------------------------------
CREATE FUNCTION format_user(r jsonb) RETURNS jsonb LANGUAGE sql RETURN r;
CREATE FUNCTION many(r jsonb) RETURNS SETOF jsonb LANGUAGE sql AS 'SELECT r';
CREATE FUNCTION two(r jsonb, n int) RETURNS jsonb LANGUAGE sql RETURN r;
CREATE FUNCTION textual(r jsonb) RETURNS text LANGUAGE sql RETURN r::text;
CREATE SCHEMA "Odd";
CREATE FUNCTION "Odd"."f""n"(r jsonb) RETURNS jsonb LANGUAGE sql RETURN r;

-- create_feed with other arguments than these is refused with ...
CREATE FUNCTION create_with(arguments text) RETURNS text LANGUAGE sql AS $$
	SELECT refusal(format('SELECT userstream.create_feed(%s)', string_agg(format('%s => %s', k, v), ', ')))
	FROM jsonb_each_text(
		'{"name": "''f''", "server": "''api''", "kafka_server": "''kafka''", "topic": "''pgtap_one''"}'
		|| arguments::jsonb) AS a (k, v)
$$;

BEGIN;
SET LOCAL TimeZone = 'Asia/Kolkata';
SELECT lives_ok($$ SELECT userstream.create_feed('users', 'api', 'kafka', 'pgtap_one') $$,
	'name, both servers and topic are enough');
SELECT results_eq(
	$$ SELECT name, owner, owner_oid, server, server_oid, kafka_server, kafka_server_oid, topic, records, transform,
			  transform_oid, key, retries, options, timezone, since_value, next_allowed_at, config_version
	   FROM userstream.feed $$,
	$$ SELECT 'users', 'postgres', 'postgres'::regrole::oid, 'api', (SELECT oid FROM pg_foreign_server WHERE srvname = 'api'),
			  'kafka', (SELECT oid FROM pg_foreign_server WHERE srvname = 'kafka'), 'pgtap_one', '$', NULL, NULL::oid, NULL, 3,
			  '{}'::jsonb, 'Asia/Kolkata', NULL, NULL::timestamptz, 1 $$,
	'the definition holds names beside oids, the defaults, and the creator''s TimeZone');
SELECT is((SELECT home FROM userstream.feed),
	(SELECT system_identifier FROM pg_control_system()) || '/' ||
	(SELECT oid FROM pg_database WHERE datname = current_database()), 'its home is this database of this cluster');
SELECT lives_ok(
	$$ SELECT userstream.create_feed('all', 'api', 'kafka', 'pgtap_one', '$.results[*]', '"Odd"."f""n"(jsonb)', 'login.uuid', 0,
		'{"run_timeout": "2min", "format": "json", "page": "page", "max_pages": 3, "next": null,
		  "since": {"parameter": "after", "path": "$.newest"}, "create_topic": {"partitions": 2}}') $$,
	'every argument and option can be given');
SELECT results_eq(
	$$ SELECT records, transform, transform_oid, key, retries, options FROM userstream.feed WHERE name = 'all' $$,
	$$ SELECT '$.results[*]', '"Odd"."f""n"(pg_catalog.jsonb)', '"Odd"."f""n"'::regproc::oid, 'login.uuid', 0,
		'{"run_timeout": "2min", "format": "json", "page": "page", "max_pages": 3,
		  "since": {"parameter": "after", "path": "$.newest"}, "create_topic": {"partitions": 2}}'::jsonb $$,
	'they are kept as given, names qualified, nulls left out');
SELECT lives_ok(
	$$ SELECT userstream.create_feed('many', 'api', 'kafka', 'pgtap_one', transform => 'many(jsonb)', options => NULL, retries => NULL) $$,
	'a transform may give many, and a null means the default');
SELECT is(create_with('{"name": "''users''"}'),
	E'42710: feed "users" already exists\nChoose another name, or remove it with userstream.drop_feed(''users'').',
	'a name is unique');
SELECT lives_ok($$ SELECT userstream.create_feed('users', 'api', 'kafka', 'pgtap_four', if_not_exists => true) $$,
	'if_not_exists lets a name that is taken pass');
SELECT is((SELECT topic FROM userstream.feed WHERE name = 'users'), 'pgtap_one', 'and changes nothing');
SELECT results_eq('SELECT feed, state, schedule, runs_24h, failures_24h FROM userstream.feed_status ORDER BY 1 LIMIT 1',
	$$ VALUES ('all', NULL, NULL, 0::bigint, 0::bigint) $$, 'a feed that never ran has no state');

-- alter_feed
SELECT lives_ok(
	$$ SELECT userstream.alter_feed('all', topic => 'pgtap_four', transform => '-', key => '-', retries => 5,
		options => '{"page": null, "max_pages": null, "run_timeout": 60}') $$, 'a feed can be changed');
SELECT results_eq(
	$$ SELECT topic, records, transform, transform_oid, key, retries, options, config_version
	   FROM userstream.feed WHERE name = 'all' $$,
	$$ SELECT 'pgtap_four', '$.results[*]', NULL, NULL::oid, NULL, 5,
		'{"run_timeout": 60, "format": "json", "since": {"parameter": "after", "path": "$.newest"},
		  "create_topic": {"partitions": 2}}'::jsonb, 2 $$,
	'what is given changes, "-" clears, options merge, and the rest stays');
SELECT is(refusal($$ SELECT userstream.alter_feed('all', options => '{"rum_timeout": 1}') $$),
	E'HV00D: invalid option "rum_timeout"\nPerhaps you meant the option "run_timeout".', 'it is checked as by create_feed');
SELECT lives_ok($$ SELECT userstream.alter_feed('all', owner => 'us_feeder') $$, 'a feed can have another owner');
SELECT results_eq($$ SELECT owner, owner_oid FROM userstream.feed WHERE name = 'all' $$,
	$$ SELECT 'us_feeder', 'us_feeder'::regrole::oid $$, 'who is kept by name and oid');
SELECT is(refused_with($$ SELECT userstream.alter_feed('all', owner => 'us_other') $$), '42501',
	'but only one who may use the servers');
SELECT is(refusal($$ SELECT userstream.alter_feed('none', retries => 1) $$),
	E'42704: feed "none" does not exist\nSELECT feed FROM userstream.feed_status shows those that there are.',
	'there must be one');

-- from another database
UPDATE userstream.feed SET home = 'x/1', server_oid = 0, kafka_server_oid = 0, owner_oid = 0 WHERE name = 'users';
SELECT lives_ok($$ SELECT userstream.alter_feed('users') $$, 'a feed that came from another database is taken over');
SELECT is((SELECT count(*) FROM userstream.feed a JOIN userstream.feed b USING (home, server_oid, kafka_server_oid)
	WHERE a.name = 'users' AND b.name = 'many'), 1::bigint, 'its names mean what they mean here');

-- drop_feed
SELECT lives_ok($$ SELECT userstream.drop_feed('users') $$, 'a feed can be dropped');
SELECT is(refused_with($$ SELECT userstream.drop_feed('users') $$), '42704', 'once');
SELECT lives_ok($$ SELECT userstream.drop_feed('users', if_exists => true) $$, 'or however often');
ROLLBACK;

-- ---------------------------------------------------------------------------
-- what is refused
-- ---------------------------------------------------------------------------
SELECT is(create_with('{"transform": "''nothing(jsonb)''"}'), E'42883: function "nothing(jsonb)" does not exist\n'
	'Create it first, or write its schema too, such as app.format_user(jsonb): it is looked for in your search_path.', 'a transform that is not there');
SELECT is(create_with('{"transform": "''nothing''"}'), E'22023: invalid transform "nothing"\n'
	'It is not a function''s name with the type of its argument in parentheses.\n'
	'A transform is f(jsonb), and returns jsonb or SETOF jsonb.', 'a transform that is no signature: says what one is');
SELECT is(split_part(create_with(arguments), E'\n', 1), expected, arguments)
FROM (VALUES
	('{"name": "NULL"}', '22004: argument "name" must not be null'),
	('{"kafka_server": "NULL"}', '22004: argument "kafka_server" must not be null'),
	('{"name": "''''"}', '42602: invalid feed name ""'),
	('{"server": "''kafka''"}', '42809: server "kafka" is not an HTTP server'),
	('{"kafka_server": "''api''"}', '42809: server "api" is not a Kafka server'),
	('{"server": "''nowhere''"}', '42704: server "nowhere" does not exist'),
	('{"topic": "''a b''"}', '22023: invalid topic "a b"'),
	('{"topic": "''pgtap_nowhere''"}', '42704: topic "pgtap_nowhere" does not exist'),
	('{"records": "''$.[''"}', '42601: syntax error at or near "[" of jsonpath input'),
	('{"transform": "''two(jsonb, int)''"}', '42P13: function two(jsonb,integer) cannot be the transform of a feed'),
	('{"transform": "''textual(jsonb)''"}', '42P13: function textual(jsonb) cannot be the transform of a feed'),
	('{"retries": "101"}', '22023: invalid number of retries: 101'),
	('{"options": "''[]''"}', '22023: options must be a JSON object'),
	('{"options": "''{\"run_timeout\": \"5 parsecs\"}''"}', '22023: invalid value for option "run_timeout"'),
	('{"options": "''{\"next\": \"$.a\", \"page\": \"p\"}''"}', '22023: options "next" and "page" exclude each other'),
	('{"options": "''{\"since\": {\"parameter\": \"p\"}}''"}', '22023: invalid value for option "since"'),
	('{"options": "''{\"create_topic\": {\"partition\": 1}}''"}', 'HV00D: invalid option "partition"')
) AS v (arguments, expected);

-- ---------------------------------------------------------------------------
-- who may
-- ---------------------------------------------------------------------------
REVOKE EXECUTE ON FUNCTION format_user(jsonb) FROM PUBLIC;
SET ROLE us_feeder;
SELECT lives_ok($$ SELECT userstream.create_feed('mine', 'api', 'kafka', 'pgtap_one') $$,
	'a plain role with USAGE on both servers can define a feed');
SELECT is(split_part(create_with('{"transform": "''format_user(jsonb)''"}'), E'\n', 1),
	'42501: permission denied for function format_user(jsonb)', 'it must be allowed to call the transform');
SELECT is(refused_with('SELECT * FROM userstream.feed'), '42501', 'nobody reads definitions but through the view');
SET ROLE us_other;
SELECT is(refused_with(statement), '42501', statement || ' is the owner''s to do')
FROM unnest(ARRAY[$$ SELECT userstream.alter_feed('mine') $$, $$ SELECT userstream.drop_feed('mine') $$]) AS statement;
SELECT is(split_part(create_with('{}'), E'\n', 1), '42501: permission denied for foreign server api', 'USAGE on the servers is needed');
SELECT is_empty('SELECT feed FROM userstream.feed_status', 'feeds of others are not seen');
SET ROLE us_watcher;
SELECT results_eq('SELECT feed FROM userstream.feed_status', $$ VALUES ('mine') $$, 'pg_monitor sees all');
RESET ROLE;

BEGIN;
SELECT throws_ok($$ CALL userstream.run_feed('mine') $$, '2D000', 'run_feed() cannot run inside a transaction',
	'a run commits, so it is refused inside a transaction');
ROLLBACK;
SELECT is((SELECT count(*) FROM userstream.feed_run), 0::bigint, 'and leaves no history then');

SELECT userstream.drop_feed('mine');
DROP OWNED BY us_feeder, us_other, us_watcher;
DROP ROLE us_feeder, us_other, us_watcher;
SELECT * FROM finish();
