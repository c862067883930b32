#
# test/t/167_balance.pl
#    partitions of a backlog are shared between workers by what there is to
#    read; each message is there once and in order, whoever is killed
#    meanwhile; a load that is even stays where it is
#
# Each row takes its time in a trigger, so the workers are as fast as each
# other and the backlog lasts longer than some looks at it.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;
use FaultTest;

use constant PARTITIONS => 4;

my $kafka = shared_kafka();
my $node = userstream_node('main',
	conf => "userstream.balance_interval = 1s\nuserstream.restart_interval = '500ms'");
my $moved = qr/LOG:  stream "uneven" shares its partitions anew/;

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub workers_of
{
	my ($name) = @_;
	return "SELECT string_agg(coalesce(worker::text, '?'), ' ' ORDER BY partition)
		FROM userstream.partition_status WHERE stream = '$name'";
}

# a stream that takes its messages slowly; so many of them, by partition
sub slow_stream
{
	my ($name, @counts) = @_;
	my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic($name, PARTITIONS));

	$delivery->create_target('postgres', $name, 'UNIQUE (kafka_partition, kafka_offset)');
	ask("CREATE TRIGGER slow BEFORE INSERT ON $name FOR EACH ROW EXECUTE FUNCTION slow_row()");
	$delivery->produce($counts[$_], partition => $_) foreach 0 .. $#counts;
	$delivery->create_stream('postgres', $name, workers => 2, options => q('{"batch_rows": 100}'));
	return $delivery;
}

sub heal { my ($name) = @_; ask("ALTER TABLE $name DISABLE TRIGGER slow"); return; }

DeliveryTest->new($node, $kafka, 'none')->prepare_database('postgres');
ask(q{CREATE FUNCTION slow_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.002); RETURN new; END'});

# ---------------------------------------------------------------------------
# uneven: what is not of the largest partition goes to the other worker
# ---------------------------------------------------------------------------
# what would move is more than a tenth of the larger load for many seconds, however late the looks are
my $delivery = slow_stream('uneven', 12_000, 3000, 3000, 3000);
ok(wait_until($node, 'postgres', workers_of('uneven'), '0 1 1 1'), 'a partition goes to the worker with less to read')
  or diag(ask(q{SELECT * FROM userstream.partition_status}));
$node->wait_for_log($moved);

# what one sees, whoever is killed
foreach my $kill (1 .. 2)
{
	my $pid = FaultTest::pid_of($node, 'stream') || 0;

	is($pid && kill('KILL', $pid), 1, "kill $kill: a worker is killed");
	ok(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", 0), "kill $kill: the server is back");
	# more for the one that had less: the next look may well move something again
	$delivery->produce(2000, partition => $_) foreach 1 .. 3;
	ok(wait_until($node, 'postgres', q{SELECT count(worker) FROM userstream.partition_status WHERE stream = 'uneven'}, PARTITIONS),
		"kill $kill: both workers go on");
}
heal('uneven');
$delivery->is_delivered('postgres', 'uneven', 'uneven');
is(ask(q{SELECT sum((epoch > 1)::int) > 0, sum((worker IS NOT NULL)::int) > 0 FROM userstream.stream_position}), 't|t',
	'what moved has another epoch, and stays where it is after a crash');

# a changed definition begins by number
ask(q{SELECT userstream.alter_stream('uneven', workers => 3)});
ok(wait_until($node, 'postgres', workers_of('uneven'), '0 1 2 0'), 'another number of workers begins by number');
$delivery->produce(400);
$delivery->is_delivered('postgres', 'uneven', 'by number');

# ---------------------------------------------------------------------------
# even, and uneven without a backlog: as it is
# ---------------------------------------------------------------------------
my $moves = q{SELECT max(epoch), count(worker) FROM userstream.stream_position p JOIN userstream.stream s ON s.id = p.stream_id
	WHERE s.name = 'even'};
# seconds of it, of which so much is left that a worker that was slower for a while has not much more than the other
my $even = slow_stream('even', (6000) x PARTITIONS);
ok(wait_until($node, 'postgres', q{SELECT sum(messages_read) > 4000 FROM userstream.ledger WHERE stream = 'even'}, 't'),
	'an even load is read');
is(ask(workers_of('even')), '0 1 0 1', 'by the workers that had it');
is(ask($moves), '1|0', 'nothing moved');
heal('even');
$even->is_delivered('postgres', 'even', 'even');
my $moved_so_far = ask($moves);
$even->produce(3000, partition => 0);
$even->is_delivered('postgres', 'even', 'some for one partition');
is(ask($moves), $moved_so_far, 'which moves nothing');

# ---------------------------------------------------------------------------
# switched off
# ---------------------------------------------------------------------------
$node->append_conf('postgresql.conf', 'userstream.balance_interval = 0');
$node->reload;
my $off = slow_stream('off', 6000, 300, 3000, 300);
ok(wait_until($node, 'postgres', q{SELECT sum(messages_read) > 4000 FROM userstream.ledger WHERE stream = 'off'}, 't'),
	'with the setting 0');
is(ask(workers_of('off')), '0 1 0 1', 'partitions stay where they are');
heal('off');
$off->is_delivered('postgres', 'off', 'off');

$node->stop('fast');
done_testing();
