#
# test/t/111_ends.pl
#    processes of the server killed, terminated and cancelled, the server stopped in
#    all ways, in random order, while messages come: every one is there once
#
# Each fault comes once; FAULT_ROUNDS is another number of them, at random, and
# FAULT_SEED repeats a run's order.  One message in fifty is bad.
#
use strict;
use warnings;

use List::Util qw(shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;
use FaultTest;

use constant PER_FAULT => 2000;

my $seed = $ENV{FAULT_SEED} // int(rand(2**31));
note("FAULT_SEED=$seed");
srand($seed);

my @faults = FaultTest::all();
my @schedule = shuffle @faults;
if (my $rounds = $ENV{FAULT_ROUNDS})
{
	push @schedule, $faults[ rand @faults ] while @schedule < $rounds;
	$#schedule = $rounds - 1;
}

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '100ms'");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('ends', 4));
my $sum_read = "SELECT sum(messages_read) FROM userstream.ledger WHERE stream = 'ends'";
my $letters = 0;

$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'ends', 'UNIQUE (kafka_partition, kafka_offset)');
# so that a batch takes long enough to be hit
$node->safe_psql(
	'postgres', q{
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER pass BEFORE INSERT ON ends FOR EACH ROW EXECUTE FUNCTION pass();
});
$delivery->create_stream('postgres', 'ends', workers => 2, options => q('{"batch_rows": 200}'));

foreach my $fault (@schedule)
{
	my @messages = map { $delivery->message } 1 .. PER_FAULT;
	foreach (1 .. PER_FAULT / 50)
	{
		splice @messages, rand @messages, 0, { key => 'bad ' . ++$letters, value => '{"seq": "none"}' };
	}
	$kafka->produce($delivery->{topic}, \@messages);
	ok(FaultTest::strike($node, $fault), $fault);
}
$delivery->is_delivered('postgres', 'ends', 'after all (FAULT_SEED=' . $seed . ')');
is($node->safe_psql('postgres', 'SELECT count(*) FROM userstream.dead_letter'), $letters, 'every bad message is a dead letter, once');
ok( wait_until($node, 'postgres', q{SELECT state, failing_since IS NULL FROM userstream.stream_status}, 'caught_up|t'),
	'nothing fails any more');
ok( wait_until($node, 'postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'userstream%'}, 4),
	'all processes are there');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal (?!9\b)\d+/, 'nothing crashed by itself');
done_testing();
