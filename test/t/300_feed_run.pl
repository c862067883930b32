#
# test/t/300_feed_run.pl
#    runs of a feed that go well: records, transform, key, pages, history, and
#    through a stream into a table
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FeedTest;
use UserstreamTest;

my $kafka = shared_kafka();
my $api = FeedTest->api('main');
my $node = userstream_node('main');

create_server($node, 'postgres', $kafka);
create_api_server($node, 'postgres', 'api', $api->url('/api/?results=100&seed=1'));

# ---------------------------------------------------------------------------
# the whole road: API -> Kafka -> stream -> table
# ---------------------------------------------------------------------------
my $topic = $kafka->new_topic('users', 2);
$node->safe_psql('postgres', slurp_file("$ENV{USERSTREAM_SRC}/test/servers/demo_users.sql"));
$node->safe_psql(
	'postgres', qq{
	SELECT userstream.create_stream('users', 'kafka', '$topic', 'spark_streams.created_users');
	SELECT userstream.create_feed('users', 'api', 'kafka', '$topic', records => '\$.results[*]',
		transform => 'format_user(jsonb)', key => 'id');
});
my ($code, $err) = run_feed($node, 'postgres', 'users');
is($code, 0, 'a run goes well') or diag($err);
is( last_run($node, 'postgres', 'users',
		'attempt, state, http_status, pages, records, records_produced, records_failed, records_skipped, error,
		 bytes > 50000, finished_at >= started_at, run_id IS NOT NULL'),
	'1|succeeded|200|1|100|100|0|0||t|t|t', 'its history has all of it');
is( $node->safe_psql('postgres',
		"SELECT sum((l.value)::bigint - (f.value)::bigint + 1)
		   FROM userstream.feed_run, jsonb_each_text(first_offsets) f
		   JOIN jsonb_each_text(last_offsets) l USING (key)"),
	100, 'its offsets are those of its messages');
ok( wait_until($node, 'postgres', 'SELECT count(*) FROM spark_streams.created_users', 100),
	'the rows are there');
is( $node->safe_psql('postgres', 'SELECT count(DISTINCT id) FROM spark_streams.created_users'),
	100, 'each of them once');

# what the transform makes of the API's users is what the generator calls their messages
my %expected = map { /"id": "([^"]+)"/; ($1 => $_) } split /\n/, `users -n 100 -v`;
my ($id) = sort keys %expected;
$expected{$id} =~ s/'/''/g;
is( $node->safe_psql('postgres',
		"SELECT to_jsonb(u) = '$expected{$id}'::jsonb FROM spark_streams.created_users u WHERE id = '$id'"),
	't', 'a row holds what the API said of the user');


# a feed of its own server and topic; returns the topic
sub make_feed
{
	my ($name, $path, %args) = @_;
	my $to = $kafka->new_topic($name, 1);

	create_api_server($node, 'postgres', "api_$name", $api->url($path));
	$node->safe_psql('postgres',
		"SELECT userstream.create_feed('$name', 'api_$name', 'kafka', '$to', retries => "
		  . (delete $args{retries} || 0)
		  . join('', map { ", $_ => $args{$_}" } sort keys %args) . ')');
	return $to;
}

sub is_run
{
	my ($name, $expected, $what) = @_;
	my (undef, $said) = run_feed($node, 'postgres', $name);

	is( last_run($node, 'postgres', $name,
			"state || ' ' || pages || ' ' || concat_ws('/', records, records_produced, records_failed, records_skipped)"),
		$expected, $what) or diag($said);
	return;
}

# key and value of each message, in their order
sub messages_of
{
	my ($name) = @_;
	my ($out) = run_command([ 'kcat', '-q', '-C', '-e', '-b', $kafka->address, '-t', $name, '-K', '|' ]);
	return $out;
}

# ---------------------------------------------------------------------------
# pages
# ---------------------------------------------------------------------------
my $to = make_feed('pages', '/api/?results=100&seed=1&total=250', records => q{'$.results[*]'},
	key => q{'login.uuid'}, options => q{'{"page": "page"}'});
is_run('pages', 'succeeded 4 250/250/0/0', 'pages are counted until one has no records');
my @users = map { /"id": "([^"]+)"/ } `users -n 250 -v`;
is(join(' ', map { /^([^|]+)/ } split /\n/, messages_of($to)), "@users", 'all of them, in order, with their keys');
make_feed('limited', '/api/?results=100&seed=1', records => q{'$.results[*]'}, options => q{'{"page": "page", "max_pages": 2}'});
is_run('limited', 'succeeded 2 200/200/0/0', 'or as many as max_pages says');
$to = make_feed('next', '/next?pages=3', records => q{'$.items[*]'}, key => q{'id'}, options => q{'{"next": "$.next"}'});
is_run('next', 'succeeded 3 3/3/0/0', 'a page names the next one');
is(messages_of($to), qq(p1|{"id": "p1"}\np2|{"id": "p2"}\np3|{"id": "p3"}), 'until one does not');

make_feed('self', '/self', records => q{'$.items[*]'}, options => q{'{"next": "$.next"}'});
like((run_feed($node, 'postgres', 'self'))[1], qr/the next page of feed "self" is the page itself/, 'nor names itself');
is(last_run($node, 'postgres', 'self', 'state, pages, records_produced'), 'failed|1|1', 'which ends the run');

$to = make_feed('resumed', '/flaky?key=resumed&at=2&results=10&seed=1&total=30', records => q{'$.results[*]'},
	key => q{'login.uuid'}, options => q{'{"page": "page"}'}, retries => 1);
is_run('resumed', 'succeeded 3 20/20/0/0', 'another attempt goes on with the page that failed');
is(join(' ', map { /^([^|]+)/ } split /\n/, messages_of($to)), "@users[0 .. 29]", 'so that nothing comes twice');

$api->forget_requests;
$to = make_feed('since', '/since', records => q{'$.items[*]'},
	options => q{'{"since": {"parameter": "after", "path": "$.newest"}}'});
is_run('since', 'succeeded 1 2/2/0/0', 'what is new since ever');
is_run('since', 'succeeded 1 2/2/0/0', 'what is new since the last success');
is(join(' ', map { m{^GET (\S+)} } $api->requests), '/since /since?after=2', 'is asked for by its parameter');
is(messages_of($to) =~ tr/|//dr, join("\n", map { qq({"id": $_}) } 1 .. 4), 'and comes once');
$node->safe_psql('postgres', q{SELECT userstream.alter_feed('since', retries => 1)});
is_run('since', 'succeeded 1 2/2/0/0', 'also after another change');
$node->safe_psql('postgres', q{SELECT userstream.alter_feed('since', options => '{"since": {"parameter": "later", "path": "$.newest"}}')});
is_run('since', 'succeeded 1 2/2/0/0', 'with another parameter');
is(join(' ', map { m{^GET (\S+)} } ($api->requests)[2, 3]), '/since?after=4 /since', 'it begins anew');

# a run tells nothing of what it read to a feed that reads something else by now
create_gate($node, 'postgres');
make_feed('changed', '/since', records => q{'$.items[*]'}, transform => q{'gated(jsonb)'},
	options => q{'{"since": {"parameter": "after", "path": "$.newest"}}'});
my $run = start_feed($node, 'postgres', 'changed');
ok(is_at_gate($node, 'postgres'), 'a run is under way');
$node->safe_psql('postgres', q{SELECT userstream.alter_feed('changed', options => '{"since": {"parameter": "later", "path": "$.newest"}}')});
ok(open_gate($node, 'postgres'), 'while its feed is altered');
is($run->(), '', 'it ends well');
is($node->safe_psql('postgres', q{SELECT since_value IS NULL FROM userstream.feed WHERE name = 'changed'}), 't', 'and the feed begins anew');

# where the url has these parameters already, it says where to begin
$api->forget_requests;
$to = make_feed('from_here', '/since?a=1&after=10&%61fter=11&b=2', records => q{'$.items[*]'},
	options => q{'{"since": {"parameter": "after", "path": "$.newest"}}'});
run_feed($node, 'postgres', 'from_here') for 1 .. 2;
is(join(' ', map { m{^GET (\S+)} } $api->requests), '/since?a=1&after=10&%61fter=11&b=2 /since?a=1&b=2&after=13',
	'a value of the url is the first one only');
make_feed('page_2', '/api/?page=2&results=100&seed=1&total=250', records => q{'$.results[*]'}, options => q{'{"page": "page"}'});
is_run('page_2', 'succeeded 4 250/250/0/0', 'pages are counted from 1, whatever the url says');

# ---------------------------------------------------------------------------
# records
# ---------------------------------------------------------------------------
$to = make_feed('lines', '/ndjson?results=10&bad=3', key => q{'login.uuid'}, options => q{'{"format": "ndjson"}'});
is_run('lines', 'succeeded 1 10/9/1/0', 'a line that is not JSON costs itself');
is( $node->safe_psql('postgres',
		"SELECT owner = current_user, stream IS NULL, topic, sqlstate, octet_length(value), error LIKE '%json%'
		   FROM userstream.dead_letter WHERE feed = 'lines'"),
	"t|t|$to|22P02|40|t", 'and is kept with its bytes and the reason');

make_feed('no_lines', '/text?body=', options => q{'{"format": "ndjson"}'});
is_run('no_lines', 'succeeded 1 0/0/0/0', 'no line is no record');
make_feed('no_content', '/status?code=204&body=');
is_run('no_content', 'succeeded 1 0/0/0/0', 'nor is there one where nothing is, as status 204 says');

$to = make_feed('exact', '/text?body=[{"n":12345678901234567890.1234567890123456789,"e":1e-20,"z":1.10}]');
is_run('exact', 'succeeded 1 1/1/0/0', 'numbers');
is(messages_of($to), '|{"e": 0.00000000000000000001, "n": 12345678901234567890.1234567890123456789, "z": 1.10}',
	'stay exact');

sub in_url
{
	my ($text) = @_;
	return $text =~ s/([^0-9a-z,])/sprintf '%%%02x', ord $1/ger;
}

# records are read without the page around them, with the same result
my %bodies = (
	twice_there => [ '{"r":[{"id":1}],"r":[{"id":2}]}', '{"id": 2}' ],
	escaped => [ '{"\\u0072":[{"id":3}]}', '{"id": 3}' ],
	not_a_list => [ '{"r":{"id":4}}', '{"id": 4}' ],
	quoted => [ '{"x":{"r":[0]},"r" : [ {"id":"],["} , ["\\"]",{}],"}" ,7] , "y":"[1"}', qq({"id": "],["}\n["\\"]", {}]\n"}"\n7) ],
	no_list => [ '{"r":[]}', '' ],
	absent => [ '{"s":[1]}', '' ],
);
foreach my $name (sort keys %bodies)
{
	my ($body, $expected) = @{ $bodies{$name} };

	$to = make_feed("split_$name", '/text?body=' . in_url($body), records => q{'$.r[*]'});
	run_feed($node, 'postgres', "split_$name");
	is(messages_of($to) =~ s/^\|//gmr, $expected, "records of a page: $name");
}
my $torn = 0;
foreach my $body ('{"r":[1,]}', '{"r":[,1]}', '{"r":[1 2]}', '{"r":[1}}', '{"r":[1] 2}', '{"r":[1],}', '{"r":[1', '{"r":[1]}]',
	'{"r":["\\x"]}', '{"r":[[1]}', '{"r":[' . join(',', 1 .. 2000) . ',x]}')
{
	my $name = 'torn_' . ++$torn;

	$to = make_feed($name, '/text?body=' . in_url($body), records => q{'$.r[*]'});
	like((run_feed($node, 'postgres', $name))[1], qr/is not JSON \(.*invalid input syntax for type json: /, 'not JSON: ' . substr $body, -20);
	is(last_run($node, 'postgres', $name, 'records, records_produced'), '0|0', 'nothing of it was produced');
}

my $list = '/text?body=[{"id":1},{"id":2},{"id":3},{"id":4},{"id":5}]';
$node->safe_psql('postgres', q{
	CREATE FUNCTION twice(r jsonb) RETURNS SETOF jsonb LANGUAGE sql AS $$
		SELECT jsonb_build_object('id', r ->> 'id', 'part', n) FROM generate_series(1, 2) n WHERE (r ->> 'id')::int <> 3 $$;
	CREATE FUNCTION odd(r jsonb) RETURNS jsonb LANGUAGE sql RETURN CASE WHEN (r ->> 'id')::int % 2 = 1 THEN r END;
	CREATE FUNCTION picky(r jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
		BEGIN
			IF (r ->> 'id')::int = 4 THEN RAISE EXCEPTION 'not four' USING DETAIL = 'four is out'; END IF;
			IF (r ->> 'id')::int = 2 THEN RETURN r - 'id'; END IF;
			RETURN r;
		END $$;
	CREATE FUNCTION broken(r jsonb) RETURNS jsonb LANGUAGE plpgsql AS
		$$ BEGIN RETURN (SELECT r FROM no_such_table); END $$;
	CREATE FUNCTION who(r jsonb) RETURNS jsonb LANGUAGE sql RETURN jsonb_build_object('id', current_user,
		'path', current_setting('search_path'), 'style', current_setting('DateStyle'), 'zone', current_setting('TimeZone'));
	CREATE FUNCTION greedy(r jsonb) RETURNS jsonb LANGUAGE plpgsql AS
		$$ BEGIN CREATE TEMP TABLE mine (a int); RETURN r; END $$});
$to = make_feed('twice', $list, transform => q{'twice(jsonb)'}, key => q{'id'});
is_run('twice', 'succeeded 1 5/8/0/1', 'a transform can make many messages, or none');
is(messages_of($to), join("\n", map { my $i = $_; map { qq($i|{"id": "$i", "part": $_}) } 1, 2 } 1, 2, 4, 5), 'in their order');
make_feed('odd', $list, transform => q{'odd(jsonb)'});
is_run('odd', 'succeeded 1 5/3/0/2', 'NULL means none');
$to = make_feed('picky', $list, transform => q{'picky(jsonb)'}, key => q{'id'});
is_run('picky', 'succeeded 1 5/3/2/0', 'a record that the transform refuses, and a message without its key, cost themselves');
is(messages_of($to), join("\n", map { qq($_|{"id": $_}) } 1, 3, 5), 'the others are there');
is( $node->safe_psql('postgres',
		"SELECT sqlstate, convert_from(value, 'UTF8'), error FROM userstream.dead_letter WHERE feed = 'picky' ORDER BY id"),
	qq(22004|{"id": 2}|the message has no field "id", which is its key\nP0001|{"id": 4}|not four\nDETAIL: four is out),
	'the dead letters say why');

# The broker refuses a batch as a whole that is larger than its topic takes,
# without a word of which message is to blame.
$node->safe_psql('postgres', q{CREATE FUNCTION padded(r jsonb) RETURNS jsonb LANGUAGE sql
	RETURN CASE WHEN r -> 'login' ->> 'uuid' LIKE '%0' THEN r || jsonb_build_object('pad', repeat('x', 30000)) ELSE r END});
my $small = $kafka->new_topic('small', 2, 'max.message.bytes' => 20_000);
my $padded = grep { /0$/ } @users;
my $others = @users - $padded;
create_api_server($node, 'postgres', 'api_small', $api->url('/api/?results=250&seed=1'));
$node->safe_psql('postgres', qq{
	CREATE TABLE small (login jsonb);
	SELECT userstream.create_feed('small', 'api_small', 'kafka', '$small', records => '\$.results[*]', transform => 'padded(jsonb)',
		key => 'login.uuid', retries => 0);
	SELECT userstream.create_stream('small', 'kafka', '$small', 'small')});
cmp_ok($padded, '>', 5, 'some records are larger than the topic takes, and many are so together');
is_run('small', "succeeded 1 250/$others/$padded/0", 'only those that are too large alone cost themselves');
is( $node->safe_psql('postgres',
		"SELECT count(DISTINCT convert_from(value, 'UTF8')::jsonb -> 'login' ->> 'uuid'), bool_and(octet_length(value) > 30000),
			min(error), max(error), min(sqlstate) FROM userstream.dead_letter WHERE feed = 'small'"),
	"$padded|t" . '|could not produce the message: Broker: Message size too large' x 2 . '|HV000', 'as dead letters');
ok(wait_until($node, 'postgres', 'SELECT count(*) FROM small', $others), 'all others arrive');
is($node->safe_psql('postgres', "SELECT count(DISTINCT login ->> 'uuid') FROM small WHERE login ->> 'uuid' NOT LIKE '%0'"), $others, 'each of them once');
is($node->safe_psql('postgres', "SELECT bool_and(balanced), sum(messages_read) FROM userstream.ledger WHERE stream = 'small'"),
	"t|$others", 'and the ledger is balanced');
make_feed('broken', $list, transform => q{'broken(jsonb)'}, retries => 2);
is((run_feed($node, 'postgres', 'broken'))[0], 3, 'a transform that cannot work fails the run');
is( $node->safe_psql('postgres',
		"SELECT state, records_produced, records_failed, error, attempt FROM userstream.feed_run WHERE feed = 'broken'"),
	'failed|0|0|relation "no_such_table" does not exist|1', 'once, and no record is blamed');

# ---------------------------------------------------------------------------
# whose rights
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', 'CREATE ROLE feeder LOGIN; CREATE ROLE stranger LOGIN; GRANT USAGE ON FOREIGN SERVER kafka TO feeder');
$to = make_feed('owned', $list, transform => q{'who(jsonb)'});
$node->safe_psql('postgres', q{GRANT USAGE ON FOREIGN SERVER api_owned TO feeder;
	SELECT userstream.alter_feed('owned', owner => 'feeder')});
$node->safe_psql('postgres', q{SET datestyle = 'German'; SET search_path = public; CALL userstream.run_feed('owned')});
my ($told) = split /\n/, messages_of($to);
like($told, qr/"id": "feeder"/, 'the transform runs as the owner, whoever calls');
like($told, qr/"path": "pg_catalog, pg_temp".*"style": "ISO, MDY"/, 'with the settings that rows are made with');
is($node->safe_psql('postgres', 'SELECT current_user'), $node->safe_psql('postgres', 'SELECT session_user'), 'the caller is himself again');
make_feed('greedy', $list, transform => q{'greedy(jsonb)'});
run_feed($node, 'postgres', 'greedy');
like(last_run($node, 'postgres', 'greedy', 'error'), qr/within security-restricted operation/, 'and cannot touch the session');
($code, $err) = run_feed($node, 'postgres', 'owned', extra_params => [ '-U', 'stranger' ]);
like($err, qr/must be owner of feed "owned"/, 'a stranger cannot run it');
is((run_feed($node, 'postgres', 'owned', extra_params => [ '-U', 'feeder' ]))[0], 0, 'the owner can');
is($node->safe_psql('postgres', 'SELECT count(*) FROM userstream.feed_run', extra_params => [ '-U', 'feeder' ]), 2,
	'and sees the runs of his feeds only');
$node->safe_psql('postgres', 'REVOKE USAGE ON FOREIGN SERVER api_owned FROM feeder');
($code, $err) = run_feed($node, 'postgres', 'owned');
like($err, qr/permission denied for foreign server api_owned/, 'a right that is gone is missed at the next run');
$node->safe_psql('postgres', 'REVOKE USAGE ON FOREIGN SERVER kafka FROM feeder; DROP ROLE feeder');
($code, $err) = run_feed($node, 'postgres', 'owned');
like($err, qr/owner "feeder" of feed "owned" does not exist any more.*alter_feed\('owned', owner => \.\.\.\)/s,
	'so is an owner that is gone');

# ---------------------------------------------------------------------------
# from where it can be called
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q{
	CREATE PROCEDURE run_both() LANGUAGE plpgsql AS $$ BEGIN CALL userstream.run_feed('odd'); CALL userstream.run_feed('twice'); END $$;
	CREATE PROCEDURE guarded() LANGUAGE plpgsql AS $$ BEGIN CALL userstream.run_feed('odd'); EXCEPTION WHEN division_by_zero THEN NULL; END $$});
my $runs = q{SELECT count(*) FROM userstream.feed_run WHERE feed IN ('odd', 'twice')};
my $so_far = $node->safe_psql('postgres', $runs);
$node->safe_psql('postgres', 'CALL run_both()');
is($node->safe_psql('postgres', $runs), $so_far + 2, 'a procedure can run feeds');
foreach my $statement ('CALL guarded()', 'BEGIN; CALL userstream.run_feed(\'odd\')', q{DO 'BEGIN BEGIN CALL userstream.run_feed(''odd''); EXCEPTION WHEN division_by_zero THEN NULL; END; END'})
{
	($code, undef, $err) = $node->psql('postgres', $statement);
	like($err, qr/run_feed\(\) cannot run inside a transaction/, "refused: $statement");
}
is($node->safe_psql('postgres', $runs), $so_far + 2, 'and not a row is written');

# ---------------------------------------------------------------------------
# a topic that is not there; nothing shall run; old history
# ---------------------------------------------------------------------------
$node->safe_psql('postgres',
	qq{SELECT userstream.create_feed('maker', 'api', 'kafka', 'made.$$', options => '{"create_topic": {"partitions": 3}}')});
ok(wait_until($node, 'postgres', "SELECT count(*) FROM userstream.topics('kafka') WHERE topic = 'made.$$'", 3),
	'create_topic makes it when the feed is defined');
$kafka->delete_topic("made.$$");
is_run('maker', 'succeeded 1 1/1/0/0', 'and when a run does not find it');

# a clone of the server has pg_cron's jobs too
$node->append_conf('postgresql.conf', 'userstream.enabled = off');
$node->reload;
ok(wait_until($node, 'postgres', 'SHOW userstream.enabled', 'off'), 'with userstream.enabled off');
is_run('odd', 'skipped 0 0/0/0/0', 'a run is skipped');
$node->append_conf('postgresql.conf', 'userstream.enabled = on');
$node->reload;

$node->safe_psql('postgres', "UPDATE userstream.feed_run SET started_at = now() - interval '31 days' WHERE feed = 'exact'");
$node->append_conf('postgresql.conf', "userstream.run_retention = '29d'");
$node->reload;
ok(wait_until($node, 'postgres', "SELECT count(*) FROM userstream.feed_run WHERE feed = 'exact'", 0), 'old history goes');
is($node->safe_psql('postgres', "SELECT count(*) FROM userstream.feed_run WHERE feed = 'pages'"), 1, 'younger stays');

done_testing();
