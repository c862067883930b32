#
# test/t/110_kill.pl
#    workers killed -9 while they work: the server recovers by itself, and every
#    message is there once
#
# The target has a trigger, so that a batch takes long enough to be hit.  Each
# kill comes at the moment when more messages begin to come, so however fast
# the workers are, it finds some unread.  In the end commits do not wait for
# the disk: then a crash takes back the last of them, rows and position alike.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;
use FaultTest;

use constant { BACKLOG => 60_000, PER_KILL => 30_000, KILLS => 5 };

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('killed', 4));
my $sum_read = "SELECT sum(messages_read) FROM userstream.ledger WHERE stream = 'killed'";

$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'killed', 'UNIQUE (kafka_partition, kafka_offset)');
$node->safe_psql(
	'postgres', q{
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER pass BEFORE INSERT ON killed FOR EACH ROW EXECUTE FUNCTION pass();
});
$delivery->produce(BACKLOG);
$delivery->create_stream('postgres', 'killed', workers => 2, options => q('{"batch_rows": 1000}'));

my $read = 0;
foreach my $kill (1 .. KILLS)
{
	if ($kill == KILLS - 1)
	{
		$node->append_conf('postgresql.conf', 'synchronous_commit = off');
		$node->reload;
	}
	$delivery->produce_meanwhile(PER_KILL);
	ok(wait_until($node, 'postgres', "SELECT ($sum_read) > $read"), "kill $kill: the stream gets on");
	my $pid = FaultTest::pid_of($node, 'stream') || 0;
	$delivery->produce_rest;
	is($pid && kill('KILL', $pid), 1, "kill $kill: a worker is killed");
	ok( wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", 0),
		"kill $kill: the server is back");
	$read = $node->safe_psql('postgres', $sum_read);
	cmp_ok($read, '<', $delivery->{rows}, "kill $kill: it hit work");
	$delivery->await_producer;
}
$delivery->is_delivered('postgres', 'killed', 'after all');

is(scalar(() = slurp_file($node->logfile) =~ /was terminated by signal 9/g),
	KILLS, 'each was a crash of the server');

$node->stop('fast');
done_testing();
