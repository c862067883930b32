-- The SQL surface of streams: names, arguments, columns, comments, and what
-- must be so for dump, upgrade and restore.  Names that stand here are used
-- by people's own SQL: they may grow in number, never change.

SELECT plan(56);

-- functions: arguments in order, with their defaults
SELECT is(
	pg_get_function_arguments('userstream.create_stream'::regproc),
	'name text, server name, topic text, target regclass, format text DEFAULT ''json''::text, '
	'mode text DEFAULT ''append''::text, key name[] DEFAULT NULL::name[], columns jsonb DEFAULT NULL::jsonb, '
	'transform text DEFAULT NULL::text, start_at text DEFAULT ''earliest''::text, '
	'on_error text DEFAULT ''dead_letter''::text, workers integer DEFAULT 1, '
	'options jsonb DEFAULT ''{}''::jsonb, if_not_exists boolean DEFAULT false',
	'create_stream takes the arguments that are documented, with their defaults');
SELECT is(
	pg_get_function_arguments('userstream.alter_stream'::regproc),
	'name text, server name DEFAULT NULL::name, topic text DEFAULT NULL::text, '
	'target regclass DEFAULT NULL::regclass, format text DEFAULT NULL::text, mode text DEFAULT NULL::text, '
	'key name[] DEFAULT NULL::name[], columns jsonb DEFAULT NULL::jsonb, transform text DEFAULT NULL::text, '
	'start_at text DEFAULT NULL::text, on_error text DEFAULT NULL::text, workers integer DEFAULT NULL::integer, '
	'options jsonb DEFAULT NULL::jsonb, owner name DEFAULT NULL::name',
	'alter_stream takes the same and an owner, each null at first');
SELECT is(pg_get_function_arguments('userstream.seek_stream'::regproc),
	'name text, to_position text', 'seek_stream takes its arguments');
SELECT is(pg_get_function_arguments('userstream.adopt'::regproc),
	'stream text DEFAULT NULL::text', 'adopt takes its argument');
SELECT is(pg_get_function_arguments('userstream.drop_stream'::regproc),
	'name text, if_exists boolean DEFAULT false', 'drop_stream takes its arguments');
SELECT is(pg_get_function_arguments('userstream.pause_stream'::regproc),
	'name text', 'pause_stream takes its argument');
SELECT is(pg_get_function_arguments('userstream.resume_stream'::regproc),
	'name text', 'resume_stream takes its argument');
SELECT is(pg_get_function_arguments('userstream.peek'::regproc),
	'server name, topic text, partition integer DEFAULT NULL::integer, from_offset bigint DEFAULT NULL::bigint, '
	'from_time timestamp with time zone DEFAULT NULL::timestamp with time zone, '
	'max_messages integer DEFAULT 100, max_bytes integer DEFAULT 10485760', 'peek takes its arguments');

SELECT function_returns('userstream', f, 'void', f || ' returns nothing')
FROM unnest(ARRAY['create_stream', 'alter_stream', 'seek_stream', 'adopt', 'drop_stream', 'pause_stream', 'resume_stream']) AS f;
SELECT volatility_is('userstream', f, 'volatile', f || ' is volatile')
FROM unnest(ARRAY['create_stream', 'alter_stream', 'seek_stream', 'adopt', 'drop_stream', 'pause_stream', 'resume_stream']) AS f;
SELECT is_empty(
	$$ SELECT p.oid::regprocedure
	   FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	   WHERE n.nspname = 'userstream' AND (p.prosecdef OR p.proconfig IS NOT NULL) $$,
	'no function runs with other rights than its caller''s');
SELECT is_empty(
	$$ SELECT p.oid::regprocedure
	   FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	   WHERE n.nspname = 'userstream' AND p.proparallel <> 'u'
		 AND p.proname NOT IN ('_owns', '_sees') AND p.proname NOT LIKE '%\_validator' $$,
	'functions that read or write our tables never run in a parallel plan');

-- types and views: columns in order
CREATE FUNCTION columns_of(relation text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' ORDER BY attnum)
	FROM pg_attribute
	WHERE attrelid = ('userstream.' || relation)::regclass AND attnum > 0 AND NOT attisdropped
$$;

SELECT is(columns_of('message'),
	'topic text, partition integer, kafka_offset bigint, message_at timestamp with time zone, '
	'key bytea, value bytea, headers jsonb', 'type message has its fields');
SELECT is(columns_of('stream_status'),
	'stream text, owner text, state text, target text, topic text, workers integer, pids integer[], '
	'lag_messages bigint, lag_seconds double precision, rows_per_second double precision, '
	'messages_read bigint, rows_written bigint, dead_letters bigint, last_error text, '
	'last_error_at timestamp with time zone, failing_since timestamp with time zone, '
	'config_version integer, server text, hint text', 'stream_status has its columns');
SELECT is(columns_of('stream_definition'),
	'stream text, owner text, server text, topic text, target text, format text, mode text, key text[], '
	'columns jsonb, transform text, start_at text, on_error text, workers integer, options jsonb, '
	'timezone text, config_version integer, created_at timestamp with time zone', 'stream_definition has its columns');
SELECT is(columns_of('partition_status'),
	'stream text, partition integer, state text, next_offset bigint, low_offset bigint, '
	'high_offset bigint, lag_messages bigint, last_message_at timestamp with time zone, '
	'messages_read bigint, rows_written bigint, dead_letters bigint, skipped bigint, '
	'last_error text, last_error_at timestamp with time zone, worker integer', 'partition_status has its columns');
SELECT is(columns_of('stream_stage'),
	'stream text, worker integer, stage text, seconds double precision, share double precision',
	'stream_stage has its columns');
SELECT is(columns_of('ledger'),
	'stream text, partition integer, messages_read bigint, messages_applied bigint, '
	'dead_letters bigint, skipped bigint, retried bigint, balanced boolean', 'ledger has its columns');

-- tables that people read: these columns are there, others may be beside them
CREATE FUNCTION missing_columns(relation text, wanted text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT w FROM regexp_split_to_table(wanted, ' ') AS w
	EXCEPT
	SELECT attname::text FROM pg_attribute
	WHERE attrelid = ('userstream.' || relation)::regclass AND attnum > 0 AND NOT attisdropped
$$;
SELECT is_empty(
	$$ SELECT missing_columns('dead_letter', 'id owner stream feed mirror topic partition kafka_offset message_at '
		'key value headers sqlstate error column_name constraint_name created_at retries retried_at') $$,
	'dead_letter has its columns');
SELECT is_empty(
	$$ SELECT missing_columns('incident', 'id owner stream feed mirror partition kind detail what_to_do '
		'opened_at closed_at') $$,
	'incident has its columns');
SELECT is_empty(
	$$ SELECT missing_columns('stream_history', 'stream at lag_messages messages_read rows_written dead_letters') $$,
	'stream_history has its columns');
SELECT is_empty(
	$$ SELECT missing_columns('stream', 'home owner_oid server_oid target_oid transform_oid filter_oid registry_oid timezone') $$,
	'definitions say where they are at home, and hold an oid beside each name');
SELECT has_column('userstream', 'stream_position', 'epoch', 'positions have an epoch');

-- nothing beside what is documented
SELECT set_eq(
	$$ SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	   WHERE n.nspname = 'userstream' AND c.relkind IN ('r', 'v', 'c', 'S', 'm', 'f', 'p') $$,
	ARRAY['stream', 'stream_position', 'dead_letter', 'incident', 'stream_history', 'message',
		  'stream_status', 'stream_definition', 'partition_status', 'stream_stage', 'ledger', '_partition',
		  'feed', 'feed_run', 'feed_status', 'feed_id_seq', 'feed_run_id_seq', 'feed_run_run_id_seq',
		  'mirror', 'mirror_position', 'mirror_status', 'mirror_id_seq',
		  'stream_id_seq', 'dead_letter_id_seq', 'incident_id_seq'],
	'the schema holds the documented relations');
SELECT set_eq(
	$$ SELECT p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
	   WHERE n.nspname = 'userstream' $$,
	ARRAY['create_stream', 'alter_stream', 'seek_stream', 'adopt', 'drop_stream', 'pause_stream', 'resume_stream', 'retry_dead_letters', 'wait_for', 'try_message', 'topics', 'peek', '_owns', '_sees',
		  'create_feed', 'alter_feed', 'drop_feed', 'run_feed', '_feed_live',
		  'create_mirror', 'alter_mirror', 'drop_mirror', 'pause_mirror', 'resume_mirror', 'resync_mirror', '_mirror_live',
		  '_stream_live', '_partition_live', '_stage_live', 'kafka_validator', 'http_validator', 'cassandra_validator'],
	'the schema holds the documented functions');
SELECT set_eq(
	'SELECT srvname FROM pg_foreign_server', ARRAY[]::name[],
	'the extension makes no server');
SELECT set_eq(
	'SELECT fdwname FROM pg_foreign_data_wrapper',
	ARRAY['userstream_kafka', 'userstream_http', 'userstream_cassandra']::name[],
	'one wrapper for each kind of connection');

-- every object says what it is
CREATE FUNCTION undescribed() RETURNS SETOF text LANGUAGE sql AS $$
	WITH ours AS (
		SELECT classid, objid FROM pg_depend
		WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
		  AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'userstream')
		UNION ALL
		SELECT 'pg_class'::regclass, unnest(ARRAY['userstream.incident_id_seq', 'userstream.feed_run_id_seq']::regclass[])
		UNION ALL
		SELECT 'pg_policy'::regclass, oid FROM pg_policy
		WHERE polrelid::regclass::text LIKE 'userstream.%')
	SELECT pg_describe_object(classid, objid, 0) FROM ours
	-- the comment of a composite type is its type's, that of a table its relation's
	WHERE NOT (classid = 'pg_type'::regclass AND EXISTS (
				SELECT FROM pg_type t WHERE t.oid = objid AND (t.typelem <> 0 OR EXISTS (
					SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c'))))
	  AND NOT (classid = 'pg_class'::regclass AND EXISTS (
				SELECT FROM pg_class c WHERE c.oid = objid AND c.relkind = 'c'))
	  AND obj_description(objid, classid::regclass::name) IS NULL
$$;
SELECT is_empty('SELECT undescribed()', 'every object has a comment');
SELECT is_empty(
	$$ SELECT a.attrelid::regclass || '.' || a.attname
	   FROM pg_attribute a
	   JOIN pg_class c ON c.oid = a.attrelid
	   JOIN pg_namespace n ON n.oid = c.relnamespace
	   WHERE n.nspname = 'userstream' AND c.relkind IN ('r', 'v', 'c')
		 AND a.attnum > 0 AND NOT a.attisdropped
		 AND col_description(a.attrelid, a.attnum) IS NULL $$,
	'every column has a comment');
SELECT is_empty(
	$$ SELECT a.attrelid::regclass || '.' || a.attname
	   FROM pg_attribute a
	   WHERE a.attrelid::regclass::text LIKE 'userstream.%' AND NOT a.attnotnull AND a.attnum > 0
		 AND a.attrelid IN (SELECT oid FROM pg_class WHERE relkind = 'r')
		 AND col_description(a.attrelid, a.attnum) NOT LIKE '%null%' $$,
	'every column of a table that can be null says what null means');

-- dump, upgrade, restore
SELECT set_eq(
	$$ SELECT unnest(extconfig)::regclass::text FROM pg_extension WHERE extname = 'userstream' $$,
	ARRAY['userstream.stream', 'userstream.stream_id_seq', 'userstream.stream_position',
		  'userstream.dead_letter', 'userstream.dead_letter_id_seq',
		  'userstream.feed', 'userstream.feed_id_seq',
		  'userstream.mirror', 'userstream.mirror_id_seq', 'userstream.mirror_position'],
	'definitions, positions, dead letters and their sequences are dumped');
SELECT is_empty(
	$$ SELECT condition FROM pg_extension, unnest(extcondition) AS condition
	   WHERE extname = 'userstream' AND condition <> '' $$,
	'they are dumped whole');
SELECT is_empty(
	$$ SELECT tgname FROM pg_trigger
	   WHERE tgrelid::regclass::text LIKE 'userstream.%' $$,
	'no table has a trigger or a foreign key');
SELECT is_empty(
	$$ SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	   WHERE n.nspname = 'userstream' AND c.relkind = 'r'
		 AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary) $$,
	'each table has a primary key');
SELECT is_empty(
	$$ SELECT a.attrelid::regclass || '.' || a.attname
	   FROM pg_attribute a
	   JOIN pg_class c ON c.oid = a.attrelid
	   JOIN pg_namespace n ON n.oid = c.relnamespace
	   WHERE n.nspname = 'userstream' AND c.relkind IN ('r', 'c') AND a.attnum > 0
		 AND format_type(a.atttypid, NULL) LIKE 'reg%' $$,
	'no table holds a type that pg_upgrade refuses');
SELECT is_empty(
	$$ SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	   WHERE n.nspname = 'userstream' AND c.relkind = 'r' AND c.relpersistence <> 'p' $$,
	'each table survives a crash');
SELECT ok((SELECT reloptions @> ARRAY['fillfactor=50'] FROM pg_class
		   WHERE oid = 'userstream.stream_position'::regclass),
	'positions have room for HOT updates');

-- who may what
SELECT is_empty(
	$$ SELECT c.oid::regclass FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	   WHERE n.nspname = 'userstream' AND c.relkind = 'v'
		 AND NOT coalesce(c.reloptions @> ARRAY['security_barrier=true'], false) $$,
	'no filter of a reader runs before ours');
SELECT set_eq(
	$$ SELECT c.relname, a.privilege_type
	   FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace,
			aclexplode(c.relacl) a
	   WHERE n.nspname = 'userstream' AND a.grantee = 0 $$,
	$$ SELECT r::name, 'SELECT' FROM unnest(ARRAY['dead_letter', 'incident', 'stream_history',
		'stream_status', 'stream_definition', 'partition_status', 'stream_stage', 'ledger', 'feed_run',
		'feed_status', 'mirror_status']) AS r $$,
	'everybody may read the views and what row security filters, and nothing else');
SELECT is_empty(
	$$ SELECT c.oid::regclass FROM pg_class c
	   WHERE c.oid IN ('userstream.dead_letter'::regclass, 'userstream.incident'::regclass,
					   'userstream.stream_history'::regclass) AND NOT c.relrowsecurity $$,
	'what holds payloads or details has row security');
SELECT ok(has_schema_privilege('public', 'userstream', 'USAGE')
		  AND NOT has_schema_privilege('public', 'userstream', 'CREATE'),
	'everybody may use the schema, nobody may add to it');
SELECT is_empty(
	$$ SELECT f FROM unnest(ARRAY['create_stream', 'alter_stream', 'seek_stream', 'adopt', 'drop_stream', 'pause_stream', 'resume_stream',
								  '_owns', '_sees', '_stream_live', '_partition_live', '_stage_live']) AS f,
			pg_proc p
	   WHERE p.pronamespace = 'userstream'::regnamespace AND p.proname = f
		 AND NOT has_function_privilege('public', p.oid, 'EXECUTE') $$,
	'functions that ask for rights themselves can be called by all');
SELECT is((SELECT extrelocatable FROM pg_extension WHERE extname = 'userstream'), false,
	'the extension stays in its schema');
SELECT is((SELECT string_agg(DISTINCT superuser || ' ' || trusted, ',') FROM pg_available_extension_versions
		   WHERE name = 'userstream'), 'true false',
	'only a superuser installs it');

SELECT * FROM finish();
