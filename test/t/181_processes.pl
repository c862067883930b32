#
# test/t/181_processes.pl
#    processes that are ended, cancelled or cannot start, servers that stop in
#    every way, transactions of others that are in the way: streams go on by
#    themselves, once each message
#
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'\nmax_prepared_transactions = 5");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('processes', 2));
my $sum_read = "SELECT sum(messages_read) FROM userstream.ledger WHERE stream = 'work'";
my @kinds = ('userstream launcher', 'userstream supervisor', 'userstream stream');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub pid_of
{
	return "SELECT pid FROM pg_stat_activity WHERE backend_type = '$_[0]' ORDER BY pid LIMIT 1";
}

$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'work');
$delivery->create_stream('postgres', 'work', workers => 2);
$delivery->produce(1000);
$delivery->is_delivered('postgres', 'work', 'before');
is( sql("SELECT string_agg(DISTINCT backend_type, ',' ORDER BY backend_type) FROM pg_stat_activity
		  WHERE backend_type LIKE 'userstream%'"),
	join(',', sort @kinds), 'each process is seen by its type');

# ---------------------------------------------------------------------------
# each process ended and cancelled: it, or a successor, is there again
# ---------------------------------------------------------------------------
foreach my $how ('pg_terminate_backend', 'pg_cancel_backend')
{
	foreach my $kind (@kinds)
	{
		my $pid = sql(pid_of($kind));

		sql("SELECT $how($pid)");
		$delivery->produce(100);
		ok( wait_until($node, 'postgres',
				"SELECT pid <> $pid FROM (" . pid_of($kind) . ') p'), "$how: another $kind")
		  if $how eq 'pg_terminate_backend';
	}
	$delivery->is_delivered('postgres', 'work', $how);
}
ok(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'userstream%'", 4),
	'all are there');

# what a new launcher and a new supervisor know: they still rule the old workers
sql("SELECT userstream.pause_stream('work')");
ok(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'userstream stream'", 0),
	'pause is obeyed');
sql("SELECT userstream.resume_stream('work')");

# off and on while messages come
$delivery->produce_meanwhile(10_000);
sql('ALTER SYSTEM SET userstream.enabled = off');
$node->reload;
ok(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'userstream stream'", 0),
	'userstream.enabled off: no worker');
sql('ALTER SYSTEM RESET userstream.enabled');
$node->reload;
$delivery->produce_rest;
$delivery->await_producer;
$delivery->is_delivered('postgres', 'work', 'userstream.enabled off and on');

# another backend crashes
my $backend = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT pg_sleep(100)' ],
	'>', \my $out, '2>', \my $err);
ok(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", 1), 'a backend');
my $supervisor = sql(pid_of('userstream supervisor'));
kill 'KILL', sql("SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
$backend->finish;
ok(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $supervisor", 0),
	'crashes, and all are started anew');
$delivery->produce(100);
$delivery->is_delivered('postgres', 'work', 'after a crash of another backend');

# ---------------------------------------------------------------------------
# transactions of others in the way
# ---------------------------------------------------------------------------
sql('CREATE UNIQUE INDEX work_once ON work (seq)');
my $next = $delivery->{last} + 1;
sql("BEGIN; INSERT INTO work (seq) VALUES ($next); PREPARE TRANSACTION 'gone'");
$delivery->produce(1);
ok( wait_until($node, 'postgres', "SELECT state FROM userstream.stream_status WHERE stream = 'work'", 'blocked'),
	'a prepared transaction holds the same key: blocked');
sql("ROLLBACK PREPARED 'gone'");
ok(wait_until($node, 'postgres', $sum_read, $delivery->{last}), 'rolled back: the stream goes on');
is(sql("SELECT count(*) FROM work WHERE seq = $next"), 1, 'with its row');
$next = $delivery->{last} + 1;
sql("BEGIN; INSERT INTO work (seq, kafka_partition, kafka_offset) VALUES ($next, -1, 0); PREPARE TRANSACTION 'kept'");
$delivery->produce(1);
$delivery->take_back(1);
ok( wait_until($node, 'postgres', "SELECT state FROM userstream.stream_status WHERE stream = 'work'", 'blocked'),
	'another one: blocked');
sql("COMMIT PREPARED 'kept'");
ok(wait_until($node, 'postgres', $sum_read, $delivery->{last}), 'committed: the stream goes on');
is(sql("SELECT string_agg(sqlstate, ' ') FROM userstream.dead_letter"), '23505', 'and its message is the duplicate');
sql('DELETE FROM work WHERE kafka_partition = -1');
$delivery->is_delivered('postgres', 'work', 'prepared transactions');

# ---------------------------------------------------------------------------
# a synchronous standby that is away
# ---------------------------------------------------------------------------
sql("ALTER SYSTEM SET synchronous_standby_names = 'away'");
$node->reload;
ok(wait_until($node, 'postgres', "SHOW synchronous_standby_names", 'away'), 'a synchronous standby is missing');
$delivery->produce(1000);
ok( wait_until($node, 'postgres',
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'userstream stream' AND wait_event = 'SyncRep'"),
	'commits wait for it');
my $start = time;
$node->stop('fast');
cmp_ok(time - $start, '<', 90, 'a fast stop does not wait for it');
$node->append_conf('postgresql.conf', "synchronous_standby_names = ''");
unlink $node->data_dir . '/postgresql.auto.conf';
$node->start;
$delivery->is_delivered('postgres', 'work', 'after it');
unlike(slurp_file($node->logfile), qr/PANIC/, 'no panic');

# ---------------------------------------------------------------------------
# wal_level minimal
# ---------------------------------------------------------------------------
$node->stop('immediate');
$node->append_conf('postgresql.conf', "wal_level = minimal\nmax_wal_senders = 0");
$node->start;
$delivery->produce(1000);
ok(wait_until($node, 'postgres', $sum_read, $delivery->{last}), 'wal_level minimal: it reads');
# a target made and filled, then a crash
$delivery->create_target('postgres', 'fresh');
$delivery->create_stream('postgres', 'fresh');
ok( wait_until($node, 'postgres',
		"SELECT messages_read FROM userstream.stream_status WHERE stream = 'fresh'", $delivery->{last}),
	'a new target too');
$node->stop('immediate');

# ---------------------------------------------------------------------------
# no slot for a worker
# ---------------------------------------------------------------------------
# launcher, supervisor and one worker
$node->append_conf('postgresql.conf', "wal_level = logical\nmax_worker_processes = 3\nmax_logical_replication_workers = 0\nmax_prepared_transactions = 0");
$node->start;
ok( wait_until($node, 'postgres',
		"SELECT count(*) FROM userstream.stream_status
		  WHERE state = 'starting' AND last_error LIKE 'no free background worker slot; max_worker_processes = % would be enough (it is 3)'", 2),
	'without a slot: starting, and the setting is named');
sql("SELECT userstream.pause_stream('work')");
ok( wait_until($node, 'postgres', "SELECT cardinality(pids) FROM userstream.stream_status WHERE stream = 'fresh'", 1),
	'a slot that becomes free is taken');
$delivery->produce(10);
ok( wait_until($node, 'postgres',
		"SELECT state, messages_read FROM userstream.stream_status WHERE stream = 'fresh'", "caught_up|$delivery->{last}"),
	'and the stream goes on');
sql("SELECT userstream.drop_stream('fresh'); SELECT userstream.resume_stream('work')");

# of its two workers one has a slot; the other follows when there is more room
$node->append_conf('postgresql.conf', 'max_worker_processes = 8');
$node->restart;
$delivery->is_delivered('postgres', 'work', 'with room for all');

$start = time;
$node->stop('fast');
cmp_ok(time - $start, '<', 90, 'a fast stop is fast');
unlike(slurp_file($node->logfile), qr/server process \(PID \d+\) was terminated by signal 11/, 'nothing crashed by itself');
done_testing();
