#
# test/t/182_copies.pl
#    what becomes of streams where the server has copies: publications and a
#    subscriber, a standby that is promoted, a cluster that is upgraded
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('copies', 2));
my $read = "SELECT sum(messages_read) FROM userstream.ledger WHERE stream = 'work'";

# ---------------------------------------------------------------------------
# logical replication of all tables, ours and the target
# ---------------------------------------------------------------------------
is( $node->safe_psql('postgres',
		"SELECT string_agg(c.relname, ',') FROM pg_class c
		  WHERE relnamespace = 'userstream'::regnamespace AND relkind = 'r'
			AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary)"),
	'', 'each of our tables has a primary key');
$node->safe_psql('postgres', "CREATE PUBLICATION everything FOR ALL TABLES");
$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'work');
$node->safe_psql('postgres', 'CREATE TABLE bad (seq bigint CHECK (seq < 0))');
$node->safe_psql('postgres', 'CREATE DATABASE subscriber');
$delivery->create_target('subscriber', 'work');
# a subscription to the same server must find its slot made
$node->safe_psql('postgres', "SELECT pg_create_logical_replication_slot('work', 'pgoutput');
	CREATE PUBLICATION target FOR TABLE work");
my $connection = $node->connstr . ' dbname=postgres';
$node->safe_psql('subscriber', "CREATE SUBSCRIPTION work CONNECTION '$connection' PUBLICATION target
	WITH (create_slot = false, slot_name = 'work', copy_data = false)");
$delivery->create_stream('postgres', 'work', workers => 2);
$node->safe_psql('postgres', "SELECT userstream.create_stream('bad', 'kafka', '$delivery->{topic}', 'bad')");
$delivery->produce(2000);
$delivery->is_delivered('postgres', 'work', 'under a publication for all tables');
ok( wait_until($node, 'postgres',
		"SELECT dead_letters FROM userstream.stream_status WHERE stream = 'bad'", 2000),
	'dead letters are stored under it too');
$node->safe_psql('postgres',
	"SELECT userstream.pause_stream('bad'); SELECT userstream.resume_stream('bad'); SELECT userstream.drop_stream('bad')");
pass('definitions can be changed under it');
ok(wait_until($node, 'subscriber', 'SELECT count(*), sum(seq) FROM work', "2000|$delivery->{sum}"),
	'a subscriber of the target has each row once');
$node->safe_psql('subscriber', 'DROP SUBSCRIPTION work');
$node->safe_psql('postgres', 'DROP DATABASE subscriber; DROP PUBLICATION everything; DROP PUBLICATION target');

# ---------------------------------------------------------------------------
# a standby: nothing runs there; promoted, it goes on where it was
# ---------------------------------------------------------------------------
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$delivery->produce_meanwhile(20_000);
ok(wait_until($node, 'postgres', "SELECT ($read) > 2000"), 'the primary reads');
is( $standby->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'userstream%'"),
	0, 'nothing runs on the standby');
# without a word: what the standby has not is lost with the primary, rows and positions alike
$node->stop('immediate');
$standby->promote;
$delivery->produce_rest;
$delivery->await_producer;
$delivery->{node} = $standby;
$delivery->is_delivered('postgres', 'work', 'promoted while messages came');
is($standby->safe_psql('postgres', "SELECT cardinality(pids) FROM userstream.stream_status"), 2, 'by its own workers');

# ---------------------------------------------------------------------------
# pg_upgrade, to a cluster of the same version
# ---------------------------------------------------------------------------
my $new = userstream_node('new', start => 0);
my $dir = $standby->basedir . '/upgrade';
mkdir $dir;
$standby->stop;
chdir $dir;
my $bin = $standby->config_data('--bindir');
my @command = ('pg_upgrade', '--no-sync', '-b', $bin, '-B', $bin, '-d', $standby->data_dir, '-D', $new->data_dir,
	'-p', $standby->port, '-P', $new->port, '-s', $new->host);
command_ok([ @command, '--check' ], 'pg_upgrade --check');
command_ok([@command], 'pg_upgrade');
$new->start;
$delivery->{node} = $new;
is( $new->safe_psql('postgres', "SELECT state, last_error LIKE '%userstream.adopt()%' FROM userstream.stream_status"),
	'stopped|t', 'the upgraded stream has stopped and says how it goes on');
is($new->safe_psql('postgres', $read), $delivery->{last}, 'its counters are there');
SKIP:
{
	my $has_adopt = $new->safe_psql('postgres', "SELECT count(*) FROM pg_proc WHERE proname = 'adopt'");

	skip 'no adopt()', 2 if !$has_adopt;
	$delivery->produce(1000);
	$new->safe_psql('postgres', 'SELECT userstream.adopt()');
	$delivery->is_delivered('postgres', 'work', 'upgraded and adopted');
}

# ---------------------------------------------------------------------------
# pg_dump and restore into another database of the same server
# ---------------------------------------------------------------------------
my $dump = "$dir/dump";
$new->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $new->connstr('postgres') ], 'pg_dump');
$new->safe_psql('postgres', 'CREATE DATABASE restored');
$new->command_ok([ 'pg_restore', '--exit-on-error', '-d', $new->connstr('restored'), $dump ], 'pg_restore');
is($new->safe_psql('restored', 'SELECT state FROM userstream.stream_status'), 'stopped', 'restored: stopped');
SKIP:
{
	my $has_adopt = $new->safe_psql('postgres', "SELECT count(*) FROM pg_proc WHERE proname = 'adopt'");

	skip 'no adopt()', 4 if !$has_adopt;
	$delivery->produce(1000);
	$new->safe_psql('restored', "SELECT userstream.adopt('work')");
	$delivery->is_delivered('restored', 'work', 'restored and adopted');
	$delivery->is_delivered('postgres', 'work', 'the original beside it');
}

$new->stop('fast');
done_testing();
