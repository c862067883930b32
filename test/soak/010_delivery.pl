#
# test/soak/010_delivery.pl
#    a million messages through every kind of end that a worker or a broker can
#    come to, in random order; every one must be there once
#
# SOAK_SEED repeats a run's order of faults, SOAK_MESSAGES, SOAK_KILLS,
# SOAK_TERMINATIONS, SOAK_CANCELS, SOAK_CRASHES (of anything else: supervisor,
# launcher, checkpointer, a session, the postmaster, stop -m immediate),
# SOAK_BROKER_KILLS and SOAK_BROKER_PAUSES say how much of each.  One message in a hundred is bad and has to be a dead
# letter, once.
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

use constant WORKER => "SELECT pid FROM pg_stat_activity WHERE backend_type = 'userstream stream'";

sub amount { my ($name, $default) = @_; return $ENV{"SOAK_$name"} // $default; }

my $seed = amount(SEED => int(rand(2**31)));
my $messages = amount(MESSAGES => 1_000_000);
my %faults = (
	kill => amount(KILLS => 20),
	terminate => amount(TERMINATIONS => 200),
	cancel => amount(CANCELS => 50),
	crash => amount(CRASHES => 12),
	broker_kill => amount(BROKER_KILLS => 3),
	broker_pause => amount(BROKER_PAUSES => 3));

note("SOAK_SEED=$seed");
srand($seed);

my $kafka = UserstreamTest::Kafka->new('soak');
my $node = userstream_node('soak', conf => "userstream.restart_interval = '100ms'");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('soak', 8));
my $letters = 0;

$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'soak', 'UNIQUE (kafka_partition, kafka_offset)');
$delivery->create_stream('postgres', 'soak', workers => 3, options => q('{"batch_rows": 2000}'));

# a share of the messages, one in a hundred of them without a number for seq
sub produce_share
{
	my ($count) = @_;
	my @share;

	foreach my $n (1 .. $count)
	{
		push @share, $delivery->message;
		next if rand(100) >= 1;
		push @share, { key => "bad $n", value => '{"seq": "none"}' };
		$letters++;
	}
	$kafka->produce($delivery->{topic}, \@share);
	return;
}

my @crashes = ((map { "kill $_" } qw(supervisor launcher checkpointer session postmaster)), 'stop immediate');

my %act = (
	kill => sub { return FaultTest::strike($node, 'kill stream'); },
	terminate => sub { return FaultTest::strike($node, 'terminate stream'); },
	cancel => sub { return FaultTest::strike($node, 'cancel stream'); },
	crash => sub { return FaultTest::strike($node, $crashes[ rand @crashes ]); },
	broker_kill => sub { $kafka->kill; $kafka->start; return 1; },
	# a worker that starts meanwhile finds a broker that does not answer
	broker_pause => sub {
		my $pid = FaultTest::pid_of($node, 'stream') or return 0;
		$kafka->pause;
		$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 30000)");
		my $is_back = wait_until($node, 'postgres',
			"SELECT count(*) FROM (@{[WORKER]} AND pid <> $pid) w", 3);
		$kafka->continue;
		return $is_back;
	});

my @schedule = shuffle map { ($_) x $faults{$_} } sort keys %faults;
my $share = @schedule ? int($messages / @schedule) : $messages;

foreach my $fault (@schedule)
{
	produce_share($share);
	$act{$fault}->() or fail("$fault (SOAK_SEED=$seed)");
}
produce_share($messages - $share * @schedule);

$delivery->is_delivered('postgres', 'soak',
	join(', ', map { "$faults{$_} $_" } sort keys %faults) . " (SOAK_SEED=$seed)");
is($node->safe_psql('postgres', "SELECT count(*) FROM userstream.dead_letter WHERE stream = 'soak'"),
	$letters, 'and every bad message is a dead letter');

$node->stop('fast');
done_testing();
