#
# test/t/422_mirror_ends.pl
#    a mirror through a bad network, and through every end that its worker and the
#    server can come to, in random order, while rows change: in the end the copy is the
#    table, and each change was written with one timestamp, after those of the changes before
#
# Each fault comes once.  MIRROR_ROUNDS is another number of them, at random, then also a
# line that is dead until the worker gives it up; MIRROR_SEED repeats a run's order.
#
# The server is a scripted one behind a proxy.
#
use strict;
use warnings;

use List::Util qw(shuffle);
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use CqlServer;
use FaultTest;
use ScriptedServer;
use UserstreamTest;

use constant ROWS => 200;

my $seed = $ENV{MIRROR_SEED} // int(rand(2**31));
note("MIRROR_SEED=$seed");
srand($seed);

my $server = CqlServer->new(1);
my $proxy = ScriptedServer->new("$ENV{USERSTREAM_SRC}/test/servers/proxy");
my $node = userstream_node('ends', conf => "userstream.restart_interval = '100ms'");

sub sql { my ($text) = @_; return $node->safe_psql('postgres', $text); }

$proxy->ask('target ' . $server->hosts);
sql(qq{
	CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra OPTIONS (hosts '127.0.0.1:} . $proxy->first . q{');
	CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL);
	CREATE SEQUENCE change;
	SELECT userstream.create_mirror('items', 'items', 'cassandra', 'copies', 'items');
});

# Changes, each with a number of its own that rises in the order of commits: in one large
# transaction, and in many small ones.
sub change
{
	my $third = int(rand(3));

	sql("INSERT INTO items SELECT i, nextval('change') FROM generate_series(1, @{[ROWS]}) i
		ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name");
	sql("DELETE FROM items WHERE id % 3 = $third AND id % 2 = 0");
	sql(join ";\n", map { 'UPDATE items SET name = nextval($$change$$) WHERE id = ' . (1 + int(rand(ROWS))) } 1 .. 30);
	return;
}

# what is written is the table, and no row went back, nor came with two timestamps
sub is_equal
{
	my ($what) = @_;
	my $end = time + ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);
	my ($settled, $expected, $rows);

	while (time < $end)
	{
		$rows = $server->ask('rows copies.items');
		($settled, $expected) = split /\|/, sql(q{
			SELECT state = 'caught_up' AND lag_bytes = 0 AND in_flight = 0 AND failing_since IS NULL,
				(SELECT string_agg(id || '=' || name, ',' ORDER BY id) FROM items)
			FROM userstream.mirror_status});
		last if $settled eq 't' && $rows eq $expected;
		sleep 0.1;
	}
	my @wrong = grep { !is_rising(split /,/, s/^\d+=//r) } split /;/, $server->ask('history copies.items');
	return 1 if ok($settled eq 't' && $rows eq $expected && !@wrong && $server->ask('count timestamps') eq 0
		&& sql('SELECT count(*) FROM userstream.dead_letter') eq 0, $what);
	diag("settled: $settled\n$rows\n$expected\nback in time: @wrong\n", sql('SELECT * FROM userstream.mirror_status'));
	return 0;
}

# numbers of changes, and deletions between them
sub is_rising
{
	my $last = 0;

	foreach my $change (grep { $_ ne 'deleted' } @_)
	{
		return 0 if $change <= $last;
		$last = $change;
	}
	return 1;
}

# writes that have been sent are in the server, whose answers do not come
sub hold_writes
{
	$server->ask('rule EXECUTE 0 late');
	change();
	return $server->wait_for('held', qr/[1-9]/);
}

# the server goes on as before, whatever it still had to answer
sub let_go
{
	$server->ask('clear');
	$server->ask('release');
	return 1;
}

sub strike
{
	my ($fault) = @_;
	return hold_writes() && FaultTest::strike($node, $fault) && let_go();
}

my %faults = (
	(map { my $fault = $_; ($fault => sub { strike($fault) }) } 'kill mirror', 'terminate mirror', 'cancel mirror', 'kill postmaster',
		'stop immediate', 'kill supervisor', 'terminate supervisor'),
	'cut' => sub {
		my $cuts = $proxy->ask('count cuts');

		foreach my $cut (1 .. 3)
		{
			$proxy->ask('cut ' . int(rand(3000)));
			change();
			$proxy->wait_for('count cuts', qr/^@{[$cuts + $cut]}$/) or return 0;
		}
		return 1;
	},
	'late' => sub { $proxy->ask('delay 200'); change(); return 1; },
	'slow' => sub { $proxy->ask('rate 20000'); change(); return 1; },
	'dropped' => sub { return hold_writes() && $proxy->ask('drop') && let_go(); },
	'refused' => sub {
		$proxy->ask('refuse on');
		$proxy->ask('drop');
		change();
		my $waits = wait_until($node, 'postgres', q{SELECT state = 'waiting' AND last_error IS NOT NULL FROM userstream.mirror_status});
		$proxy->ask('refuse off');
		return $waits;
	},
	'held' => sub {
		$proxy->ask('hold');
		change();
		return wait_until($node, 'postgres', q{SELECT in_flight > 0 FROM userstream.mirror_status});
	});
my $rounds = $ENV{MIRROR_ROUNDS};
$faults{dead} = sub {
	$proxy->ask('hold');
	change();
	return wait_until($node, 'postgres', q{SELECT state = 'waiting' AND last_error ~ 'no answer' FROM userstream.mirror_status});
} if $rounds;
my @kinds = sort keys %faults;
my @schedule = shuffle @kinds;
if ($rounds)
{
	push @schedule, $kinds[ rand @kinds ] while @schedule < $rounds;
	$#schedule = $rounds - 1;
}

change();
is_equal('a mirror behind a proxy');
foreach my $fault (@schedule)
{
	ok($faults{$fault}->(), $fault);
	$proxy->ask('clear');
	wait_until($node, 'postgres', 'SELECT true');
	is_equal("$fault: the copy is the table (MIRROR_SEED=$seed)");
}
is($server->ask('count complaints'), 0, 'the server understood all');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal (?!9\b)\d+/, 'nothing crashed by itself');
done_testing();
