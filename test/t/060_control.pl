#
# test/t/060_control.pl
#    what operators do to streams and see of them: states, pause, limits,
#    cancelled workers, a database dropped
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $columns = '{"part": "@partition", "pos": "@offset"}';
my $produced = 0;

sub prepare
{
	my ($db) = @_;

	create_server($node, $db, $kafka);
}

sub create_target
{
	my ($db, $name) = @_;

	$node->safe_psql($db,
		"CREATE TABLE $name (seq bigint, body text, part int, pos bigint)");
}

# the next messages, numbered on, spread by key
sub produce
{
	my ($topic, $count) = @_;

	$kafka->produce($topic,
		[ map { { key => $_, value => qq({"seq": $_, "body": "message $_ \\u00fc"}) } }
			  $produced + 1 .. $produced + $count ]);
	$produced += $count;
}

sub is_delivered
{
	my ($db, $name, $what) = @_;
	my $sum = $produced * ($produced + 1) / 2;

	ok( wait_until(
			$node, $db,
			"SELECT sum(messages_read) FROM userstream.ledger WHERE stream = '$name'",
			$produced),
		"$what: all $produced messages are read");
	is( $node->safe_psql($db,
			"SELECT count(*), count(DISTINCT (part, pos)), sum(seq) FROM $name"),
		"$produced|$produced|$sum", "$what: once each");
	is( $node->safe_psql($db,
			"SELECT bool_and(balanced) FROM userstream.ledger WHERE stream = '$name'"),
		't', "$what: ledger balanced");
}

sub worker_pids
{
	return split /\n/, $node->safe_psql('postgres',
		"SELECT unnest(pids) FROM userstream.stream_status WHERE stream = 'bulk'");
}

my $topic = $kafka->new_topic('bulk', 4);
prepare('postgres');
create_target('postgres', 'bulk');
produce($topic, 20_000);
$node->safe_psql('postgres',
	"SELECT userstream.create_stream('bulk', 'kafka', '$topic', 'bulk', columns => '$columns', workers => 2)");
is_delivered('postgres', 'bulk', 'bulk');
ok( wait_until(
		$node, 'postgres',
		"SELECT state || ' ' || lag_messages FROM userstream.stream_status WHERE stream = 'bulk'",
		'caught_up 0'),
	'then the stream has caught up');
is(scalar worker_pids(), 2, 'two workers share the partitions');

# terminated and cancelled while they work
produce($topic, 30_000);
foreach my $how ('pg_terminate_backend', 'pg_cancel_backend')
{
	$node->safe_psql('postgres',
		"SELECT $how(pid) FROM pg_stat_activity WHERE backend_type = 'userstream stream'");
}
is_delivered('postgres', 'bulk', 'workers terminated and cancelled');

# another database takes the same topic for itself, and can go away
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION userstream');
prepare('other');
create_target('other', 'bulk');
$node->safe_psql('other',
	"SELECT userstream.create_stream('bulk', 'kafka', '$topic', 'bulk', columns => '$columns')");
is_delivered('other', 'bulk', 'second database');
is_delivered('postgres', 'bulk', 'first database beside it');
$node->safe_psql('postgres', 'DROP DATABASE other');
produce($topic, 1_000);
is_delivered('postgres', 'bulk', 'after the other database was dropped');

# fewer workers allowed than wanted: it says so, and goes on when they are
$node->safe_psql('postgres', 'ALTER SYSTEM SET userstream.max_workers = 1');
$node->reload;
ok( wait_until(
		$node, 'postgres',
		"SELECT state, last_error LIKE 'userstream.max_workers (1) is reached%', cardinality(pids)
			FROM userstream.stream_status WHERE stream = 'bulk'",
		'starting|t|1'),
	'a worker too many is not started, and the view names the setting');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET userstream.max_workers');
$node->reload;
ok( wait_until(
		$node, 'postgres',
		"SELECT cardinality(pids) FROM userstream.stream_status WHERE stream = 'bulk'", 2),
	'with room for it, it is');

# paused, it takes nothing; resumed, it goes on where it was
$node->safe_psql('postgres', "SELECT userstream.pause_stream('bulk')");
ok( wait_until(
		$node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'userstream stream'", 0),
	'a paused stream has no worker');
produce($topic, 1_000);
$node->restart;
is($node->safe_psql('postgres', "SELECT state FROM userstream.stream_status WHERE stream = 'bulk'"),
	'paused', 'paused survives a restart');
is($node->safe_psql('postgres', 'SELECT count(*) FROM bulk'), $produced - 1_000, 'it took nothing');
foreach my $call ("alter_stream('bulk', workers => 2)", qq{seek_stream('bulk', '{"0": 0}')})
{
	my ($code, undef, $told) = $node->psql('postgres', "BEGIN; SELECT userstream.$call; ROLLBACK");
	is($code, 0, "$call of a paused stream");
	like($told, qr/stream "bulk" is paused\nHINT: .*resume_stream\('bulk'\)/, 'says that it stays so');
}
$node->safe_psql('postgres', "SELECT userstream.resume_stream('bulk')");
is_delivered('postgres', 'bulk', 'resumed');

$node->stop('fast');
done_testing();
