#
# test/t/112_moments.pl
#    a worker that ends at each moment of a batch, in each way: rows, dead letters,
#    counters and positions of a batch are there together or not at all
#
# Triggers on the target and on our own tables wait for a lock that the test
# holds, so the worker stands where the test wants it.  Each moment meets kill -9, and
# each other end one moment; FAULT_ALL=1 has each moment meet each end, and asks the
# checker after each.
#
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;
use FaultTest;

use constant { PORTION => 60, WORKER => "FROM pg_stat_activity WHERE backend_type = 'userstream stream'" };

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '100ms'");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('moment', 2));
my $letters = 0;
my $holder;

# a number for each place, as the lock
my @places = (
	'before the position is asked for', 'before the position moves', 'after it moved', 'in the middle of the rows',
	'after the rows', 'before a dead letter', 'after the dead letters', 'before the counters', 'at the commit');
my ($asked, $moves, $moved, $row, $rows, $letter, $stored, $counters, $commit) = 0 .. $#places;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# good ones, and a bad one that has to become a dead letter
sub produce
{
	$delivery->produce(PORTION);
	$kafka->produce($delivery->{topic}, [ { key => "bad $letters", value => '{"seq": "none"}' } ]);
	$letters++;
	return;
}

# closes the gate at a place
sub hold
{
	my ($place) = @_;
	my ($out, $err);

	$holder = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'),
			'-c', "SELECT pg_advisory_lock(7, $place)", '-c', 'SELECT pg_sleep(600)' ], '<', \'', '>', \$out, '2>', \$err);
	return wait_until($node, 'postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted
		AND mode = 'ExclusiveLock' AND objid = $place", 1);
}

# ... and opens it; a crash of the server has done so already.  The worker has shared locks.
sub let_go
{
	$node->psql('postgres', q{SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND mode = 'ExclusiveLock'});
	eval { $holder->finish };
	return;
}

sub stands_at
{
	my ($place) = @_;
	return ok( wait_until($node, 'postgres',
			"SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = $place"),
		"it stands $places[$place]");
}

my %ends = (
	'kill -9' => sub { FaultTest::kill_process($node, $_[0]); },
	'terminate' => sub { sql("SELECT pg_terminate_backend($_[0])"); },
	'cancel' => sub { sql("SELECT pg_cancel_backend($_[0])"); },
	'stop -m immediate' => sub { FaultTest::strike($node, 'stop immediate'); },
	'kill -9 of the postmaster' => sub { FaultTest::strike($node, 'kill postmaster'); });

$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'moment', 'UNIQUE (kafka_partition, kafka_offset)');
sql(qq{
CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS \$\$
BEGIN
	PERFORM pg_advisory_xact_lock_shared(7, TG_ARGV[0]::int);
	RETURN NEW;
END \$\$;
CREATE TABLE held (pid int);
CREATE FUNCTION gate_of_one() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS \$\$
BEGIN
	IF EXISTS (SELECT FROM public.held WHERE pid = pg_backend_pid()) THEN
		PERFORM pg_advisory_xact_lock_shared(7, $asked);
	END IF;
	RETURN NULL;
END \$\$;
CREATE FUNCTION defer() RETURNS trigger LANGUAGE plpgsql AS \$\$
BEGIN
	SET CONSTRAINTS public.late DEFERRED;
	RETURN NEW;
END \$\$;

CREATE TRIGGER asked BEFORE UPDATE ON userstream.stream_position FOR EACH STATEMENT EXECUTE FUNCTION gate_of_one();
CREATE TRIGGER moves BEFORE UPDATE ON userstream.stream_position FOR EACH ROW
	WHEN (NEW.next_offset <> OLD.next_offset) EXECUTE FUNCTION gate($moves);
CREATE TRIGGER moved AFTER UPDATE ON userstream.stream_position FOR EACH ROW
	WHEN (NEW.next_offset <> OLD.next_offset) EXECUTE FUNCTION gate($moved);
CREATE TRIGGER counters BEFORE UPDATE ON userstream.stream_position FOR EACH ROW
	WHEN (NEW.messages_applied <> OLD.messages_applied) EXECUTE FUNCTION gate($counters);
CREATE TRIGGER letter BEFORE INSERT ON userstream.dead_letter FOR EACH ROW EXECUTE FUNCTION gate($letter);
CREATE TRIGGER stored AFTER INSERT ON userstream.dead_letter FOR EACH ROW EXECUTE FUNCTION gate($stored);
CREATE TRIGGER row BEFORE INSERT ON moment FOR EACH ROW WHEN (NEW.seq % 20 = 0) EXECUTE FUNCTION gate($row);
CREATE TRIGGER rows AFTER INSERT ON moment FOR EACH STATEMENT EXECUTE FUNCTION gate($rows);
CREATE TRIGGER defer BEFORE INSERT ON moment FOR EACH ROW EXECUTE FUNCTION defer();
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON moment DEFERRABLE FOR EACH ROW EXECUTE FUNCTION gate($commit);
});
$delivery->create_stream('postgres', 'moment');
produce();
$delivery->is_delivered('postgres', 'moment', 'before');

# ---------------------------------------------------------------------------
# each place, and ends of the worker there
# ---------------------------------------------------------------------------
my @others = grep { $_ ne 'kill -9' } sort keys %ends;
foreach my $place ($moves .. $commit)
{
	foreach my $end ('kill -9', $ENV{FAULT_ALL} ? @others : grep { defined } $others[ $place - $moves ])
	{
		hold($place);
		produce();
		stands_at($place);
		$ends{$end}->(sql("SELECT pid " . WORKER));
		let_go();
	}
	next unless $ENV{FAULT_ALL} || $place == $commit;
	$delivery->is_delivered('postgres', 'moment', "$places[$place]: ends");
	is(sql('SELECT count(*) FROM userstream.dead_letter'), $letters, "$places[$place]: every dead letter once");
}

# ---------------------------------------------------------------------------
# after the commit, before anyone knows: where commits wait for a standby
# ---------------------------------------------------------------------------
foreach my $end ('kill -9', 'terminate')
{
	sql(q{ALTER SYSTEM SET synchronous_standby_names = 'away'});
	$node->reload;
	ok(wait_until($node, 'postgres', 'SHOW synchronous_standby_names', 'away'), 'commits wait');
	produce();
	ok( wait_until($node, 'postgres', q{SELECT count(*) > 0 } . WORKER . q{ AND wait_event = 'SyncRep'}),
		'it stands after the commit');
	my $pid = sql('SELECT pid ' . WORKER);
	$node->append_conf('postgresql.auto.conf', q{synchronous_standby_names = ''});
	$ends{$end}->($pid);
	$node->reload;
	$delivery->is_delivered('postgres', 'moment', "after the commit: $end");
	is(sql('SELECT count(*) FROM userstream.dead_letter'), $letters, 'every dead letter once');
}

# ---------------------------------------------------------------------------
# a worker that was overtaken: it has read a batch, and goes on when others have
# its partitions
# ---------------------------------------------------------------------------
sub overtake
{
	my ($change) = @_;
	my $pid;

	wait_until($node, 'postgres', 'SELECT count(*) > 0 ' . WORKER);
	$pid = sql('SELECT pid ' . WORKER . q{ ORDER BY backend_start LIMIT 1});
	hold($asked);
	sql("TRUNCATE held; INSERT INTO held VALUES ($pid)");
	produce();
	stands_at($asked);
	sql($change);
	return $pid;
}

my $stale = overtake(q{SELECT userstream.alter_stream('moment', workers => 2)});
ok( wait_until($node, 'postgres', q{SELECT state FROM userstream.partition_status WHERE stream = 'moment' AND partition = 1}, 'caught_up'),
	'a second worker has read what the first has in its hands');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE pid = $stale"), 1, 'which is still there');
let_go();
ok(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $stale", 0), 'it ends');
like(slurp_file($node->logfile), qr/stream "moment" starts anew: position of partition \d was changed by another process/,
	'its transaction failed whole');
$delivery->is_delivered('postgres', 'moment', 'overtaken by a second worker');

$node->restart;
overtake(q{SELECT userstream.seek_stream('moment', '{"0": 0}'); DELETE FROM moment WHERE kafka_partition = 0;
	DELETE FROM userstream.dead_letter WHERE partition = 0;
	UPDATE userstream.stream_position SET messages_read = 0, messages_applied = 0, rows_written = 0, dead_letters = 0 WHERE partition = 0});
let_go();
$delivery->is_delivered('postgres', 'moment', 'overtaken by a seek to the beginning');

# ---------------------------------------------------------------------------
# dropped while it works: what is there is the beginning of the topic, once each
# ---------------------------------------------------------------------------
my $is_a_beginning = q{SELECT bool_and(n = last + 1 AND n = distinct_n) FROM (
	SELECT p, count(*) AS n, max(o) AS last, count(DISTINCT o) AS distinct_n FROM (
		SELECT kafka_partition, kafka_offset FROM moment UNION ALL
		SELECT partition, kafka_offset FROM userstream.dead_letter) all_of (p, o) GROUP BY p) s};

sub in_the_way
{
	my ($command) = @_;
	my ($out, $err);

	return IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-c', $command ],
		'<', \'', '>', \$out, '2>', \$err);
}
hold($letter);
produce();
stands_at($letter);
my $drop = in_the_way(q{SELECT userstream.drop_stream('moment')});
ok(wait_until($node, 'postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND locktype <> 'advisory'}), 'drop_stream waits for the batch');
let_go();
ok($drop->finish, 'drop_stream, with a batch under way');
ok(wait_until($node, 'postgres', 'SELECT count(*) ' . WORKER, 0), 'no worker is left');
is(sql($is_a_beginning), 't', 'what the worker wrote is whole');

sql('TRUNCATE moment; DELETE FROM userstream.dead_letter; ALTER TABLE moment RENAME TO old; CREATE TABLE moment (LIKE old INCLUDING ALL)');
sql(qq{CREATE TRIGGER row BEFORE INSERT ON moment FOR EACH ROW WHEN (NEW.seq % 20 = 0) EXECUTE FUNCTION gate($row)});
hold($row);
$delivery->create_stream('postgres', 'moment');
stands_at($row);
my $table = in_the_way('DROP TABLE moment');
ok(wait_until($node, 'postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND locktype <> 'advisory'}), 'DROP TABLE waits for the batch');
let_go();
ok($table->finish, 'DROP TABLE, with a batch under way');
produce();
ok(wait_until($node, 'postgres', q{SELECT state FROM userstream.stream_status WHERE stream = 'moment'}, 'stopped'), 'the stream stops');
is(sql(q{SELECT bool_and(balanced) FROM userstream.ledger WHERE stream = 'moment'}), 't', 'its ledger is balanced');
sql('CREATE TABLE moment (LIKE old INCLUDING ALL); DELETE FROM userstream.dead_letter');
sql(q{SELECT userstream.drop_stream('moment')});
$delivery->create_stream('postgres', 'moment');
$delivery->is_delivered('postgres', 'moment', 'defined anew');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal (?!9\b)\d+/, 'nothing crashed by itself');
done_testing();
