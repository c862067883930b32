#
# test/t/303_feed_outage.pl
#    runs of a feed while the broker is away, frozen, or refuses
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FeedTest;
use UserstreamTest;

my $kafka = UserstreamTest::Kafka->new('outage');
my $api = FeedTest->api('main');
my $node = userstream_node('main');
my $topic = $kafka->new_topic('users', 2);
my $address = $kafka->address;

$node->safe_psql('postgres',
	qq{CREATE SERVER kafka FOREIGN DATA WRAPPER userstream_kafka
		OPTIONS ("bootstrap.servers" '$address', "message.timeout.ms" '10000')});
create_api_server($node, 'postgres', 'api', $api->url('/api/?results=20&seed=1'));
$node->safe_psql('postgres', qq{
	CREATE TABLE users (login jsonb);
	SELECT userstream.create_stream('users', 'kafka', '$topic', 'users');
	SELECT userstream.create_feed('users', 'api', 'kafka', '$topic', records => '\$.results[*]', key => 'login.uuid', retries => 0)});

sub messages
{
	my $ends = $kafka->end_offsets($topic);
	my $sum = 0;

	$sum += $_ foreach values %$ends;
	return $sum;
}

# one session, whose producer lives from run to run
my $session = IPC::Run::start(
	[ 'psql', '-X', '-q', '-A', '-t', '-d', $node->connstr('postgres') ], '<', \my $in, '>', \my $out, '2>', \my $said,
	IPC::Run::timeout(300));

sub call
{
	($in, $out, $said) = ('', '', '');
	$in .= "CALL userstream.run_feed('users');\nSELECT 'done';\n";
	$session->pump until $out =~ /done/;
	return $said;
}

is(call(), '', 'with a broker a run goes well');
$kafka->stop;
like(call(), qr/run of feed "users" failed: could not reach the brokers of server "kafka"/, 'without one it fails');
is(last_run($node, 'postgres', 'users', 'state, records_produced, http_status IS NULL'), 'failed|0|t', 'before it asks the API');
$kafka->start;
is(call(), '', 'the next one goes well, in the same session');
is(messages(), 40, 'with nothing lost, and nothing twice');

# the broker is frozen between the look at the topic and the messages
create_gate($node, 'postgres');
$node->safe_psql('postgres', "SELECT userstream.alter_feed('users', transform => 'gated(jsonb)')");
($in, $out, $said) = ('', '', '');
$in .= "CALL userstream.run_feed('users');\nSELECT 'done';\n";
$session->pump_nb;
$session->pump until !length $in;
ok(is_at_gate($node, 'postgres'), 'a run is between the two');
$kafka->pause;
ok(open_gate($node, 'postgres'), 'and goes on, with a frozen broker');
$session->pump until $out =~ /done/;
like($said, qr/run of feed "users" failed: could not produce to topic "\Q$topic\E": /, 'a frozen broker fails the run in time');
is(last_run($node, 'postgres', 'users', 'state, records, records_produced, http_status'), 'failed|0|0|200', 'which says how far it came');
$kafka->continue;
$node->safe_psql('postgres', "SELECT userstream.alter_feed('users', transform => '-')");
is(call(), '', 'the next one goes well');
$in = "\\q\n";
$session->finish;

# at least once: what the frozen broker took after all may be there twice
ok(wait_until($node, 'postgres', 'SELECT count(*) = ' . messages() . ' FROM users'), 'the stream has all there is');
is($node->safe_psql('postgres', "SELECT count(DISTINCT login ->> 'uuid') FROM users"), 20, 'and no user is missing');
is($node->safe_psql('postgres', 'SELECT bool_and(balanced) FROM userstream.ledger'), 't', 'the ledger is balanced');

# cancelled, and its session ended, while a frozen broker has the messages
my $patient = $kafka->new_topic('patient', 1);
create_api_server($node, 'postgres', 'one', $api->url('/api/?results=1'));
$node->safe_psql('postgres',
	qq{CREATE SERVER patient FOREIGN DATA WRAPPER userstream_kafka
		OPTIONS ("bootstrap.servers" '$address', "message.timeout.ms" '300000');
	SELECT userstream.create_feed('patient', 'one', 'patient', '$patient', records => '\$.results[*]', transform => 'gated(jsonb)')});
my $ours = q{FROM pg_stat_activity WHERE query LIKE 'CALL userstream.run_feed(%'};
foreach my $end ('pg_cancel_backend(pid)', 'pg_terminate_backend(pid, 60000)')
{
	my $run = start_feed($node, 'postgres', 'patient');

	ok(is_at_gate($node, 'postgres'), 'a run has fetched');
	$kafka->pause;
	ok(open_gate($node, 'postgres'), 'and produces, to a frozen broker');
	ok(wait_until($node, 'postgres', "SELECT backend_xid IS NULL AND backend_xmin IS NULL AND wait_event_type = 'Extension' $ours"),
		'with no snapshot and no xid');
	is($node->safe_psql('postgres', "SELECT $end $ours"), 't', $end);
	like($run->(), qr/canceling statement due to user request|terminating connection due to administrator command/,
		'... ends it, the broker still frozen');
	ok(wait_until($node, 'postgres', "SELECT count(*) $ours", 0), 'nothing of it is left');
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0, 'nor its lock');
	is(last_run($node, 'postgres', 'patient', 'state, records_produced, error'), 'cancelled|0|canceling statement due to user request',
		'it is written down') if $end =~ /cancel/;
	$kafka->continue;
}
$node->safe_psql('postgres', "SELECT userstream.alter_feed('patient', transform => '-')");
is((run_feed($node, 'postgres', 'patient'))[0], 0, 'the next one goes well');
is($node->safe_psql('postgres', "SELECT string_agg(state, ' ' ORDER BY id) FROM userstream.feed_run WHERE feed = 'patient'"),
	'cancelled failed succeeded', 'and closes the one whose session was ended');

# a message that is too large is one record's fault
create_api_server($node, 'postgres', 'large', $api->url('/large?kb=1500'));
$node->safe_psql('postgres', "SELECT userstream.create_feed('large', 'large', 'kafka', '$topic', retries => 0)");
is((run_feed($node, 'postgres', 'large'))[0], 0, 'a message that Kafka cannot take');
is(last_run($node, 'postgres', 'large', 'state, records, records_produced, records_failed'), 'succeeded|2|1|1', 'is a dead letter');
is($node->safe_psql('postgres', "SELECT octet_length(value) > 1500000, error FROM userstream.dead_letter WHERE feed = 'large'"),
	't|could not produce the message: Broker: Message size too large', 'with its bytes');

done_testing();
