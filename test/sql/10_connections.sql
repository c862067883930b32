-- Connections: which options a server and a user mapping take, from whom, and
-- what is said when they do not.  A secret is never said.

BEGIN;
SELECT plan(46);

CREATE ROLE us_plain;
GRANT CREATE ON SCHEMA public TO us_plain;

-- What a statement run as a role gives.  It is undone; OK000: no error.
CREATE FUNCTION attempt(role_name text, statement text,
	OUT state text, OUT message text, OUT detail text, OUT hint text)
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', role_name, true);
	EXECUTE statement;
	RAISE EXCEPTION 'accepted' USING ERRCODE = 'OK000';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
		detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
END
$$;

CREATE FUNCTION said(role_name text, statement text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' | ', state, message, nullif(detail, ''), nullif(hint, ''))
	FROM attempt(role_name, statement)
$$;

-- USAGE on a wrapper is the administrator's to give
SELECT is(state, '42501', 'nobody may create a server before it is granted')
FROM attempt('us_plain', $$CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" 'a:1')$$);
GRANT USAGE ON FOREIGN DATA WRAPPER userstream_kafka, userstream_http, userstream_cassandra TO us_plain;

SELECT is_empty(
	$$SELECT fdwname FROM pg_foreign_data_wrapper WHERE fdwname LIKE 'userstream\_%'
	  AND (fdwhandler <> 0 OR fdwvalidator = 0 OR obj_description(oid, 'pg_foreign_data_wrapper') IS NULL)$$,
	'a wrapper has a validator, a comment and no handler');
SELECT is(array_agg(fdwname::text ORDER BY fdwname), '{userstream_cassandra,userstream_http,userstream_kafka}',
	'there are three wrappers')
FROM pg_foreign_data_wrapper WHERE fdwname LIKE 'userstream\_%';
SELECT is_empty(
	$$SELECT oid::regprocedure FROM pg_proc WHERE pronamespace = 'userstream'::regnamespace
	  AND proname LIKE '%\_validator' AND has_function_privilege('us_plain', oid, 'EXECUTE')$$,
	'validators are for CREATE and ALTER to call');

-- Every property of librdkafka, by who may set it: the value is a good one
CREATE TABLE property (name text PRIMARY KEY, rule text, value text);
INSERT INTO property
SELECT name, 'free', value FROM (VALUES
	('1000', 'api.version.fallback.ms api.version.request.timeout.ms batch.num.messages batch.size
	broker.address.ttl connections.max.idle.ms coordinator.query.interval.ms fetch.error.backoff.ms
	fetch.max.bytes fetch.message.max.bytes fetch.min.bytes fetch.queue.backoff.ms fetch.wait.max.ms
	heartbeat.interval.ms max.in.flight.requests.per.connection max.poll.interval.ms
	message.copy.max.bytes message.max.bytes message.send.max.retries message.timeout.ms
	metadata.max.age.ms metadata.recovery.rebootstrap.trigger.ms
	queue.buffering.backpressure.threshold queue.buffering.max.kbytes queue.buffering.max.messages
	queue.buffering.max.ms queued.max.messages.kbytes queued.min.messages receive.message.max.bytes
	reconnect.backoff.jitter.ms reconnect.backoff.max.ms reconnect.backoff.ms request.timeout.ms
	retry.backoff.max.ms retry.backoff.ms sasl.kerberos.min.time.before.relogin
	sasl.oauthbearer.assertion.claim.exp.seconds sasl.oauthbearer.assertion.claim.nbf.seconds
	session.timeout.ms socket.blocking.max.ms socket.connection.setup.timeout.ms socket.max.fails
	socket.receive.buffer.bytes socket.send.buffer.bytes socket.timeout.ms
	sticky.partitioning.linger.ms topic.metadata.propagation.max.ms topic.metadata.refresh.fast.cnt
	topic.metadata.refresh.fast.interval.ms topic.metadata.refresh.interval.ms'),
	('true', 'api.version.request check.crcs enable.metrics.push enable.random.seed
	enable.sasl.oauthbearer.unsecure.jwt enable.ssl.certificate.verification log.connection.close
	produce.offset.report sasl.oauthbearer.assertion.claim.jti.include socket.keepalive.enable
	socket.nagle.disable topic.metadata.refresh.sparse'),
	('s3cr3t', 'bootstrap.servers client.rack https.ca.pem sasl.kerberos.service.name
	sasl.oauthbearer.assertion.claim.aud sasl.oauthbearer.assertion.claim.iss
	sasl.oauthbearer.assertion.claim.sub sasl.oauthbearer.client.id sasl.oauthbearer.extensions
	sasl.oauthbearer.scope sasl.oauthbearer.sub.claim.name ssl.ca.pem ssl.certificate.pem
	ssl.cipher.suites ssl.curves.list ssl.sigalgs.list topic.blacklist'),
	('v4', 'broker.address.family'), ('0.10.0', 'broker.version.fallback'), ('ssl', 'builtin.features'),
	('use_all_dns_ips', 'client.dns.lookup'), ('gzip', 'compression.codec'), ('3', 'compression.level'),
	('read_uncommitted', 'isolation.level'), ('none', 'metadata.recovery.strategy'),
	('murmur2', 'partitioner'), ('PLAIN', 'sasl.mechanisms'), ('ES256', 'sasl.oauthbearer.assertion.algorithm'),
	('client_credentials', 'sasl.oauthbearer.grant.type'), ('default', 'sasl.oauthbearer.method'),
	('ssl', 'security.protocol'), ('https', 'ssl.endpoint.identification.algorithm')
) AS v (value, names), regexp_split_to_table(names, '\s+') AS name;

INSERT INTO property
SELECT name, 'superuser', CASE name WHEN 'debug' THEN 'conf'
	WHEN 'sasl.oauthbearer.metadata.authentication.type' THEN 'none' ELSE '/s3cr3t' END
FROM regexp_split_to_table('debug https.ca.location ssl.ca.certificate.stores ssl.ca.location
	ssl.certificate.location ssl.crl.location ssl.key.location ssl.keystore.location
	sasl.kerberos.keytab sasl.kerberos.principal sasl.oauthbearer.assertion.file
	sasl.oauthbearer.assertion.jwt.template.file sasl.oauthbearer.assertion.private.key.file
	sasl.oauthbearer.metadata.authentication.type sasl.oauthbearer.token.endpoint.url', '\s+') AS name;

INSERT INTO property
SELECT name, 'credential', 's3cr3t'
FROM regexp_split_to_table('sasl.oauthbearer.assertion.private.key.passphrase
	sasl.oauthbearer.assertion.private.key.pem sasl.oauthbearer.client.secret sasl.oauthbearer.config
	sasl.password sasl.username ssl.key.password ssl.key.pem ssl.keystore.password', '\s+') AS name;

INSERT INTO property
SELECT name, 'never', 's3cr3t'
FROM regexp_split_to_table('acks allow.auto.create.topics auto.commit.enable auto.commit.interval.ms
	auto.offset.reset background_event_cb client.id client.software.name client.software.version
	closesocket_cb compression.type connect_cb consume.callback.max.messages consume_cb
	default_topic_conf delivery.report.only.error delivery.timeout.ms dr_cb dr_msg_cb
	enable.auto.commit enable.auto.offset.store enable.gapless.guarantee enable.idempotence
	enable.partition.eof enable.sparse.connections enable_sasl_queue enabled_events error_cb group.id
	group.instance.id group.protocol group.protocol.type group.remote.assignor interceptors
	internal.termination.signal linger.ms log.queue log.thread.name log_cb log_level max.in.flight
	max.partition.fetch.bytes max.poll.records metadata.broker.list metadata.request.timeout.ms
	msg_order_cmp oauthbearer_token_refresh_cb offset.store.method offset.store.path
	offset.store.sync.interval.ms offset_commit_cb opaque open_cb partition.assignment.strategy
	partitioner_cb plugin.library.paths queuing.strategy rebalance_cb request.required.acks resolve_cb
	retries sasl.kerberos.kinit.cmd sasl.mechanism sasl.oauthbearer.client.credentials.client.id
	sasl.oauthbearer.client.credentials.client.secret share.acknowledgement.mode socket_cb
	ssl.certificate.verify_cb ssl.engine.id ssl.engine.location ssl.providers ssl_ca ssl_certificate
	ssl_engine_callback_data ssl_key statistics.interval.ms stats_cb test.mock.broker.rtt
	test.mock.num.brokers throttle_cb transaction.timeout.ms transactional.id
	ut_handle_ProduceResponse', '\s+') AS name;

-- Each of them, on a server and in a mapping, as a plain role and as superuser
CREATE SERVER base FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" 'localhost:9092');
GRANT USAGE ON FOREIGN SERVER base TO us_plain;

CREATE TABLE attempted AS
SELECT p.name, p.rule, place, role_name = 'us_plain' AS plain, a.*,
	a.state = 'HV00D' AND a.message ~ '(known to|supported by this build of) librdkafka [0-9]' AS lacking
FROM property p, unnest(ARRAY['us_plain', session_user::text]) AS role_name,
	unnest(ARRAY['server', 'mapping']) AS place,
	LATERAL attempt(role_name, CASE
		WHEN place = 'mapping' THEN
			format('CREATE USER MAPPING FOR CURRENT_USER SERVER base OPTIONS (%I %L)', p.name, p.value)
		WHEN p.name = 'bootstrap.servers' THEN
			format('CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka OPTIONS (%I %L)', p.name, p.value)
		ELSE
			format('CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka '
				   'OPTIONS ("bootstrap.servers" ''localhost:9092'', %I %L)', p.name, p.value) END) AS a;

SELECT is(count(*), 4 * 201::bigint, 'all of the 201 properties were tried in four ways') FROM attempted;

SELECT is_empty(
	$$SELECT name, plain, state, message FROM attempted
	  WHERE rule = 'free' AND place = 'server' AND NOT lacking AND state <> 'OK000'$$,
	'what is free is taken on a server, from anybody');
SELECT is_empty(
	$$SELECT name, state, message, hint FROM attempted
	  WHERE rule = 'superuser' AND place = 'server' AND plain
		AND (state, message) IS DISTINCT FROM ('42501', format('permission denied to set option "%s"', name))$$,
	'what names a file, a URL or a command is refused from a plain role');
SELECT is_empty(
	$$SELECT name FROM attempted WHERE state = '42501' AND (detail = '' OR hint NOT LIKE '%superuser%')$$,
	'and it is said why, and who could');
SELECT is_empty(
	$$SELECT name, state, message, detail FROM attempted
	  WHERE rule = 'superuser' AND place = 'server' AND NOT plain AND NOT lacking AND state <> 'OK000'$$,
	'and is taken from a superuser');
SELECT is_empty(
	$$SELECT name, plain, state, message, hint FROM attempted
	  WHERE rule = 'credential' AND place = 'server'
		AND (state <> 'HV00D' OR message <> format('option "%s" is not allowed on a server', name)
			 OR hint NOT LIKE format('%%CREATE USER MAPPING%%"%s"%%', name))$$,
	'a secret is refused on a server, with the way to a mapping');
SELECT is_empty(
	$$SELECT name, plain, state, message FROM attempted
	  WHERE rule = 'credential' AND place = 'mapping' AND NOT lacking AND state <> 'OK000'$$,
	'a secret is taken in a mapping');
SELECT is_empty(
	$$SELECT name, plain, state, message, hint FROM attempted
	  WHERE rule IN ('free', 'superuser') AND place = 'mapping'
		AND (state <> 'HV00D' OR message <> format('option "%s" is not allowed in a user mapping', name)
			 OR hint NOT LIKE format('%%ALTER SERVER%%"%s"%%', name))$$,
	'all else is refused in a mapping, with the way to the server');
SELECT is_empty(
	$$SELECT name, place, plain, state, message, hint FROM attempted
	  WHERE rule = 'never'
		AND (state <> 'HV00D' OR message <> format('option "%s" is not allowed', name) OR hint = '')$$,
	'what is ours, an alias, a callback or code is refused everywhere, with a hint');
SELECT is_empty(
	$$SELECT name, hint FROM attempted a WHERE hint LIKE 'Use the option "%'
	  AND NOT EXISTS (SELECT FROM property p WHERE p.rule <> 'never' AND a.hint = format('Use the option "%s" instead.', p.name))$$,
	'an alias names a property that may be set');
SELECT is_empty(
	$$SELECT name, place, message, detail, hint FROM attempted
	  WHERE concat(message, detail, hint) LIKE '%s3cr3t%'$$,
	'no value is repeated');
SELECT is_empty(
	$$SELECT name, message, hint FROM attempted WHERE lacking AND hint NOT LIKE 'Leave it out, or install a %'$$,
	'a property that this librdkafka lacks is refused with its version');

-- A name that is not in the list
SELECT is(said('us_plain', $$CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" 'a:1', "fetch.wait.ms" '1')$$),
	'HV00D | invalid option "fetch.wait.ms" | Perhaps you meant the option "fetch.wait.max.ms".',
	'the hint to an unknown name is the nearest right one');
SELECT is(said('us_plain', $$CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka OPTIONS (host 'a', port '9092')$$),
	'HV00D | invalid option "host" | The options are the configuration properties of librdkafka, such as "bootstrap.servers".',
	'a name that is like none gets a hint to what options are');
SELECT is(said('us_plain', $$CREATE USER MAPPING FOR us_plain SERVER base OPTIONS ("sasl.pasword" 's3cr3t')$$),
	'HV00D | invalid option "sasl.pasword" | Perhaps you meant the option "sasl.password".',
	'a mistyped name in a mapping is told without the value');
SELECT is(said('us_plain', $$CREATE USER MAPPING FOR us_plain SERVER base OPTIONS (zzz 's3cr3t')$$),
	'HV00D | invalid option "zzz" | A user mapping takes credentials, such as "sasl.username" and "sasl.password".',
	'a name in a mapping that is like none gets a hint to credentials');
SELECT is(said('us_plain', $$CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("BOOTSTRAP.SERVERS" 'a:1')$$) LIKE 'HV00D | %',
	true, 'names are told apart by case, as librdkafka does');

-- bootstrap.servers
SELECT is(said('us_plain', 'CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka'),
	'HV002 | option "bootstrap.servers" is required | Name at least one broker: OPTIONS ("bootstrap.servers" ''host:9092'').',
	'a server needs a broker');
SELECT is(state, 'HV002', 'an empty list of brokers is none')
FROM attempt('us_plain', $$CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" ' , ')$$);
SELECT is(state, 'HV002', 'the last broker cannot be dropped')
FROM attempt(session_user::text, 'ALTER SERVER base OPTIONS (DROP "bootstrap.servers")');
SELECT is(state, 'OK000', 'brokers can be changed')
FROM attempt(session_user::text, $$ALTER SERVER base OPTIONS (SET "bootstrap.servers" 'a:1,b:1', ADD "client.rack" 'r')$$);
SELECT is(state, 'HV00D', 'ALTER is checked like CREATE')
FROM attempt(session_user::text, $$ALTER SERVER base OPTIONS (ADD "plugin.library.paths" 'x')$$);

-- Values: librdkafka's words on a server, none of them in a mapping
SELECT is(state, 'HV024', 'a value out of range is refused')
FROM attempt('us_plain', $$CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" 'a:1', "fetch.wait.max.ms" '400000')$$);
SELECT matches(detail, '^librdkafka [0-9.]+.*: .*fetch\.wait\.max\.ms.*400000.*300000', 'in the words of librdkafka')
FROM attempt('us_plain', $$CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" 'a:1', "fetch.wait.max.ms" '400000')$$);
SELECT matches(detail, 'nonsense', 'a word that is no choice is told')
FROM attempt('us_plain', $$CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" 'a:1', "security.protocol" 'nonsense')$$);
SELECT is(state, 'HV024', format('%L is not taken as another number', v))
FROM unnest(ARRAY['5s', '1.5', '4294967297', '']) AS v,
	LATERAL attempt('us_plain', format('CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka '
		'OPTIONS ("bootstrap.servers" ''a:1'', "fetch.wait.max.ms" %L)', v));
SELECT is(state, 'OK000', format('%L is a number', v))
FROM unnest(ARRAY['500', '0x10']) AS v,
	LATERAL attempt('us_plain', format('CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka '
		'OPTIONS ("bootstrap.servers" ''a:1'', "fetch.wait.max.ms" %L)', v));
SELECT unalike(said('us_plain', $$CREATE USER MAPPING FOR us_plain SERVER base OPTIONS ("sasl.password" ' s3cr3t')$$),
	'%s3cr3t%', 'a refused password is not repeated');
SELECT is(state || detail, 'HV024', 'a password that librdkafka would trim is refused, without its words')
FROM attempt('us_plain', $$CREATE USER MAPPING FOR us_plain SERVER base OPTIONS ("sasl.password" ' s3cr3t')$$);
SELECT is(state, 'OK000', 'a mapping may be empty, so that PUBLIC''s does not count')
FROM attempt('us_plain', 'CREATE USER MAPPING FOR us_plain SERVER base');

-- Kerberos is the server's own identity, and librdkafka's default
SELECT is(state, '42501', 'a plain role cannot log in with the ticket of the server: ' || options)
FROM unnest(ARRAY['"security.protocol" ''sasl_ssl''',
	'"security.protocol" ''SASL_PLAINTEXT'', "sasl.mechanisms" '' GSSAPI''']) AS options,
	LATERAL attempt('us_plain', format('CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka '
		'OPTIONS ("bootstrap.servers" ''a:1'', %s)', options));
SELECT is(state, 'OK000', 'a superuser can let a server do so')
FROM attempt(session_user::text, $$CREATE SERVER s FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" 'a:1', "security.protocol" 'sasl_ssl')$$);

-- A superuser's file does not go along to another address
CREATE SERVER shared FOREIGN DATA WRAPPER userstream_kafka
	OPTIONS ("bootstrap.servers" 'a:1', "ssl.key.location" '/s3cr3t');
ALTER SERVER shared OWNER TO us_plain;
SELECT is(state, '42501', 'the owner cannot move a server on which a superuser set a file')
FROM attempt('us_plain', $$ALTER SERVER shared OPTIONS (SET "bootstrap.servers" 'b:1')$$);
SELECT is(state, 'OK000', 'but can do without the file')
FROM attempt('us_plain', $$ALTER SERVER shared OPTIONS (SET "bootstrap.servers" 'b:1', DROP "ssl.key.location")$$);

-- Where no options belong
SELECT is(said('us_plain', $$CREATE FOREIGN TABLE t (a int) SERVER shared OPTIONS (topic 'x')$$),
	'HV00D | option "topic" is not allowed on a foreign table'
	' | A server of this kind is a connection and has no foreign tables.'
	' | Load a topic into an ordinary table with userstream.create_stream().',
	'options of a foreign table are refused');
SELECT is(state, '42809', 'a foreign table without options is refused too')
FROM attempt('us_plain', 'CREATE FOREIGN TABLE t (a int) SERVER shared');
SELECT is(state, 'HV00D', 'options of a wrapper are refused')
FROM attempt(session_user::text, $$ALTER FOREIGN DATA WRAPPER userstream_kafka OPTIONS (ADD "bootstrap.servers" 'a:1')$$);

-- 60_feeds.sql has the options of HTTP, 70_mirrors.sql those of Cassandra

SELECT * FROM finish();
ROLLBACK;
