#
# test/soak/020_mirror.pl
#    a table that changes all the time and its copy in Cassandra, through kills
#    of Cassandra and of the worker in random order; at the end both are the same
#
# SOAK_SEED repeats a run's order of faults, SOAK_ROWS, SOAK_MIRROR_KILLS and
# SOAK_CASSANDRA_KILLS say how much of each.
#
use strict;
use warnings;

use List::Util qw(shuffle);
use PostgreSQL::Test::Utils;
use Test::More;

use CassandraTest;
use MirrorTest;
use UserstreamTest;

sub amount { my ($name, $default) = @_; return $ENV{"SOAK_$name"} // $default; }

my $seed = amount(SEED => int(rand(2**31)));
my $rows = amount(ROWS => 200_000);
my %faults = (
	worker => amount(MIRROR_KILLS => 10),
	cassandra => amount(CASSANDRA_KILLS => 10));

note("SOAK_SEED=$seed");
srand($seed);

my $cassandra = CassandraTest->new('soak', durable => 1);
my $node = userstream_node('soak', conf => "userstream.restart_interval = '100ms'");
my $users = 'spark_streams.created_users';
my $kafka = UserstreamTest::Kafka->new('soak');
my $topic = $kafka->new_topic('users', 4);

# The server restarts whenever the worker is killed, and with it the session
# of whoever is at work: what did not commit did not happen, in both tables.
sub work { my ($sql) = @_; eval { $node->psql('postgres', $sql) }; return; }

create_server($node, 'postgres', $kafka);
$node->safe_psql('postgres', slurp_file("$ENV{USERSTREAM_SRC}/test/servers/demo_users.sql"));
$node->safe_psql('postgres', "SELECT userstream.create_stream('users', 'kafka', '$topic', '$users')");
my $mirror = MirrorTest->new($node, $cassandra, 'users', $users, 'soak');
$mirror->create_server;
$mirror->create;

# a share of the rows by Kafka, and changes of all kinds to what is there
sub change
{
	my ($round, $first, $count) = @_;
	my $letter = sprintf '%x', int(rand(16));

	$kafka->produce_users($topic, $count, first => $first);
	work("UPDATE $users SET phone = NULL, address = address || '{\"round\": $round}' WHERE id::text LIKE '%$letter'");
	work("DELETE FROM $users WHERE id::text LIKE '$letter$letter%'");
	work("UPDATE $users SET id = md5(id::text)::uuid WHERE id::text LIKE '${letter}0%'");
	work("BEGIN; UPDATE $users SET email = 'x'; ROLLBACK;
		INSERT INTO $users (id, last_name) SELECT md5($round || '.' || i)::uuid, 'by hand' FROM generate_series(1, 100) i");
	# not near the end, where many rows are to be compared
	work("TRUNCATE $users") if $first < $rows / 2 && rand(5) < 1;
	return;
}

my %act = (
	worker => sub { return $mirror->kill_worker; },
	cassandra => sub { $cassandra->kill; $cassandra->start; return 1; });

my @schedule = shuffle map { ($_) x $faults{$_} } sort keys %faults;
my $share = @schedule ? int($rows / @schedule) : $rows;
my $round = 0;

foreach my $fault (@schedule)
{
	change($round, $round * $share, $share);
	$round++;
	$act{$fault}->() or fail("$fault (SOAK_SEED=$seed)");
}
change($round, $round * $share, $rows - $round * $share);
ok(wait_until($node, 'postgres', q{SELECT lag_messages = 0 AND state = 'caught_up' FROM userstream.stream_status}, 't', 600),
	'all messages are taken');
$mirror->is_copied(join(', ', map { "$faults{$_} kills of $_" } sort keys %faults) . " (SOAK_SEED=$seed)",
	$node->safe_psql('postgres', "SELECT count(*) FROM $users"));
is($node->safe_psql('postgres', q{SELECT parked FROM userstream.mirror_status}), 0, 'no row was parked');

$node->stop('fast');
done_testing();
