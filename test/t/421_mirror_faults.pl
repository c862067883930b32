#
# test/t/421_mirror_faults.pl
#    what a mirror does about each fault that a Cassandra can have
#
# The server is a scripted one: a real one does none of this on demand.  After
# each fault all rows must be there, with the values and the timestamps of the
# first time.
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use CqlServer;
use MirrorTest;
use UserstreamTest;

# the same server on both ports: a host that is left alone for long does not keep us
my $server = CqlServer->new(2);
my $hosts = $server->hosts;
my $node = userstream_node('faults');

$node->safe_psql('postgres', qq{
	CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra OPTIONS (hosts '$hosts');
	CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL);
	SELECT userstream.create_mirror('items', 'items', 'cassandra', 'copies', 'items');
});

my $id = 0;

sub insert
{
	my ($n) = @_;
	my $first = $id + 1;

	$id += $n;
	$node->safe_psql('postgres', "INSERT INTO items SELECT i, 'n' || i FROM generate_series($first, $id) i");
	return;
}

sub status { my ($columns) = @_; return $node->safe_psql('postgres', "SELECT $columns FROM userstream.mirror_status"); }

sub is_waiting
{
	my ($error, $what) = @_;

	return ok(wait_until($node, 'postgres',
		"SELECT state = 'waiting' AND last_error ~ '$error' AND failing_since IS NOT NULL FROM userstream.mirror_status"), $what)
	  || diag(status('state, last_error'));
}

# the checker: in the end what is there is the table, less the rows that are
# parked, and no write came again changed
sub is_equal
{
	my ($what) = @_;
	my $end = time + ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);
	my ($settled, $expected, $rows);

	while (time < $end)
	{
		$rows = $server->ask('rows copies.items');
		($settled, $expected) = split /\|/, $node->safe_psql('postgres', q{
			SELECT state = 'caught_up' AND lag_bytes = 0 AND in_flight = 0 AND failing_since IS NULL,
				(SELECT string_agg(i.id || '=' || i.name, ',' ORDER BY i.id) FROM items i
				WHERE NOT EXISTS (SELECT FROM userstream.dead_letter d
					WHERE d.mirror = 'items' AND convert_from(d.key, 'UTF8')::jsonb ->> 'id' = i.id::text))
			FROM userstream.mirror_status});
		last if $settled eq 't' && $rows eq $expected;
		sleep 0.1;
	}
	return ok($settled eq 't' && $rows eq $expected && $server->ask('count timestamps') eq 0 && $server->ask('count complaints') eq 0, $what)
	  || diag(status('*'), "\n$rows\n$expected");
}

sub dead_letters { return $node->safe_psql('postgres', q{SELECT count(*) FROM userstream.dead_letter WHERE mirror = 'items'}); }

insert(3);
is_equal('a mirror of the scripted server');

# what an ERROR makes of one write: again (later), elsewhere (on another
# connection), parked (a dead letter)
my @errors = (
	[ '0000', 'elsewhere', 'server error' ],
	[ '000a', 'elsewhere', 'protocol error' ],
	[ '0100', 'elsewhere', 'bad credentials' ],
	[ '1000', 'again', 'replicas unavailable' ],
	[ '1001', 'again', 'overloaded' ],
	[ '1002', 'elsewhere', 'bootstrapping' ],
	[ '1003', 'again', 'truncate error' ],
	[ '1100', 'again', 'write timeout' ],
	[ '1200', 'again', 'read timeout' ],
	[ '1300', 'again', 'read failure' ],
	[ '1400', 'parked', 'function failure' ],
	[ '1500', 'again', 'write failure' ],
	[ '1600', 'again', 'change data capture is full' ],
	[ '1700', 'again', 'outcome of compare-and-set unknown' ],
	[ '2000', 'parked', 'syntax error' ],
	[ '2100', 'elsewhere', 'unauthorized' ],
	[ '2200', 'parked', 'invalid' ],
	[ '2300', 'parked', 'configuration error' ],
	[ '2400', 'again', 'already exists' ],
	[ '2500', 'again', undef ],
	[ '7777', 'elsewhere', 'unknown error' ]);

foreach my $version (5, 4)
{
	alter_server($node, ($version == 5 ? 'ADD' : 'SET') . " protocol '$version'");
	insert(1);
	is_equal("version $version");
	foreach my $error (@errors)
	{
		my ($code, $what, $name) = @$error;
		my $connections = $server->ask('count connections');
		my $parked = dead_letters();

		$server->ask("rule EXECUTE 1 error $code");
		insert(1);
		is_equal("error $code: every row is there or parked");
		is(dead_letters() - $parked, $what eq 'parked' ? 1 : 0, $what eq 'parked' ? 'parked' : 'nothing is parked');
		is($server->ask('count connections') > $connections, $what eq 'elsewhere' ? 1 : '', $what) or diag(status('*'));
		like(status('last_error'), qr/$name: scripted error $code/, 'and told') if defined $name && $what ne 'parked';
		if ($what eq 'parked')
		{
			my $told = $node->safe_psql('postgres', q{SELECT error FROM userstream.dead_letter ORDER BY id DESC LIMIT 1});
			is($told, "$name: scripted error $code", 'with the reason');
		}
		# a host that only a person can mend is left alone for long
		if ($code eq '0100' || $code eq '2100')
		{
			$node->safe_psql('postgres', q{SELECT userstream.pause_mirror('items'); SELECT userstream.resume_mirror('items')});
			ok(wait_until($node, 'postgres', q{SELECT state = 'caught_up' FROM userstream.mirror_status}), 'begins anew');
		}
	}
}
alter_server($node, 'DROP protocol');

# an error that never ends: nothing is parked, and nothing lost
foreach my $code ('1500', '0000', '1001', '1100')
{
	my $parked = dead_letters();

	$server->ask("rule EXECUTE 0 error $code");
	insert(300);
	is_waiting("scripted error $code", "always $code");
	ok($server->wait_for('count EXECUTE', qr/^(?!@{[$server->ask('count EXECUTE')]}$)/), 'it tries again');
	$server->ask('clear');
	is_equal('and all rows are there once it ends');
	is(dead_letters(), $parked, 'none is parked');
}

# one row that always fails while others do not is that row's fault
{
	my $parked = dead_letters();

	$server->ask('rule EXECUTE/' . ($id + 1) . ' 0 error 1500');
	insert(1);
	is_waiting('write failure', 'a row alone that fails');
	is(dead_letters(), $parked, 'it may be the server');
	# it is tried again later and later
	for (my $end = time + $PostgreSQL::Test::Utils::timeout_default; dead_letters() == $parked && time < $end;)
	{
		insert(1);
	}
	is(dead_letters(), $parked + 1, 'other rows are taken: it is the row');
	$server->ask('clear');
	is_equal('and they are there');
}

# statements that the server does not know
$server->ask('rule EXECUTE 0 unprepared');
insert(1);
is_waiting('unprepared', 'a statement that is never known');
$server->ask('clear');
is_equal('until it is');
$server->ask('forget');
insert(500);
is_equal('all statements forgotten');
$server->ask('rule PREPARE 1 error 1001');
$server->ask('forget');
insert(5);
is_equal('overloaded when it is prepared again');

# answers that are none
foreach my $version (5, 4)
{
	alter_server($node, ($version == 5 ? 'ADD' : 'SET') . " protocol '$version'");
	insert(1);
	is_equal("version $version");
	foreach my $fault ('close', 'reset', 'half', 'garbage', 'huge', 'stream', 'twice', $version == 5 ? 'crc' : ())
	{
		my $connections = $server->ask('count connections');

		$server->ask("rule EXECUTE 1 $fault");
		insert(20);
		ok($server->wait_for('count connections', qr/^(?!$connections$)/), "$fault ends the connection");
		is_equal('and another one has all rows');
	}
	foreach my $fault ('trickle', 'warn')
	{
		my $connections = $server->ask('count connections');

		$server->ask("rule EXECUTE 20 $fault");
		insert(20);
		is_equal("$fault: all rows");
		is($server->ask('count connections'), $connections, 'over the same connection');
	}
}
alter_server($node, 'DROP protocol');
insert(1);
is_equal('any version');

# in flight, and how long it takes
$server->ask('rule EXECUTE 0 hold');
my $begin = time;
# more than one of a hundred of the last thousand
insert(20);
ok($server->wait_for('held', qr/^20$/), 'twenty writes are held');
my $held = time;
ok(wait_until($node, 'postgres', 'SELECT in_flight = 20 FROM userstream.mirror_status'), 'and in flight');
$server->ask('clear');
my $released = time;
$server->ask('release reversed');
is_equal('answered in another order');
my ($least, $most) = ($released - $held, time - $begin);
is(status("write_p99_seconds BETWEEN $least AND $most"), 't', 'as long as it took') or diag("$least ", status('write_p99_seconds'), " $most");

# a node that dies with writes in flight
foreach my $how ('hold', 'late')
{
	$server->ask("rule EXECUTE 0 $how");
	insert(50);
	ok($server->wait_for('held', qr/^50$/), "fifty writes are in flight ($how)");
	$server->ask('clear');
	$server->ask('drop');
	is_equal('they are sent again, the same');
}
$server->ask('rule EXECUTE 0 hold');
$node->safe_psql('postgres', 'TRUNCATE items; INSERT INTO items VALUES (-1, $$after$$)');
$server->ask('rule TRUNCATE 2 error 1003');
$server->ask('clear');
$server->ask('release');
is_equal('TRUNCATE');

# the other host
my ($one, $two) = @{ $server->{ports} };
foreach my $dead ($one, $two, $one)
{
	$server->ask("refuse on $dead");
	$server->ask('drop');
	insert(5);
	is_equal("without $dead");
	is(status('hosts'), '127.0.0.1:' . ($dead == $one ? $two : $one), 'at the other');
	$server->ask("refuse off $dead");
}
$server->ask('refuse on');
$server->ask('drop');
insert(5);
is_waiting('connection closed by the server|Connection reset', 'without any');
$server->ask('refuse off');
is_equal('until one is back');

# greetings
$server->ask('versions 4');
$server->ask('drop');
insert(1);
is_equal('a server of version 4');
$node->safe_psql('postgres', q{ALTER SERVER cassandra OPTIONS (ADD protocol '5')});
is_waiting('does not speak version 5', 'that is to speak 5');
$server->ask('versions 45');
$node->safe_psql('postgres', q{ALTER SERVER cassandra OPTIONS (DROP protocol)});
insert(1);
is_equal('goes on');
$server->ask('rule STARTUP 1 error 000a');
$server->ask('drop');
insert(1);
is_equal('version 5 is refused: version 4 it is');
$server->ask('rule STARTUP 1 error 1002');
$server->ask('drop');
insert(1);
is_equal('a server that is not ready yet');
$server->ask('auth challenge');
$server->ask('drop');
is_waiting('wants a user and a password, and none are given', 'a password is wanted');
$node->safe_psql('postgres', q{CREATE USER MAPPING FOR PUBLIC SERVER cassandra OPTIONS (username 'u', password 'hunter2')});
is_waiting('refused user and password: scripted error 0100', 'a wrong one');
$node->safe_psql('postgres', q{ALTER USER MAPPING FOR PUBLIC SERVER cassandra OPTIONS (SET password 'swordfish')});
insert(1);
is_equal('the right one, asked for twice');
$server->ask('auth unknown');
$server->ask('drop');
is_waiting('another authentication than by password', 'another authentication');
$server->ask('auth password');
$node->safe_psql('postgres', q{SELECT userstream.pause_mirror('items'); SELECT userstream.resume_mirror('items')});
insert(1);
is_equal('the right one');

# a node of another data center, met after the start
$node->safe_psql('postgres', q{ALTER SERVER cassandra OPTIONS (ADD local_dc 'dc1')});
insert(1);
is_equal('the right data center');
$server->ask('datacenter dc2');
$server->ask('drop');
is_waiting('the node is in data center .dc2., not .dc1.', 'both nodes are in another one now');
$node->safe_psql('postgres', q{ALTER SERVER cassandra OPTIONS (SET local_dc 'dc2')});
insert(1);
is_equal('which is the right one');

# hosts that are wrong, with more changes than the worker keeps, until they are mended
$server->ask('refuse on');
$server->ask('drop');
insert(10000);
is_waiting('connection closed by the server|Connection reset', 'no host, and many changes');
ok(wait_until($node, 'postgres', q{SELECT retained_wal_bytes > 0 FROM userstream.mirror_status}), 'which wait in the WAL');
my $other = CqlServer->new(1);
$other->ask('refuse on');
$node->safe_psql('postgres', "ALTER SERVER cassandra OPTIONS (DROP local_dc, SET hosts '" . $other->hosts . "')");
ok($other->wait_for('count connections', qr/[1-9]/), 'another host is tried when it is named');
$server->ask('refuse off');
$node->safe_psql('postgres', "ALTER SERVER cassandra OPTIONS (SET hosts '$hosts')");
is_equal('and the first ones again');

# no answer to one write, while others are answered; the answer comes at last
my $connections = $server->ask('count connections');
$server->ask('rule EXECUTE 1 late');
insert(1);
ok(wait_until($node, 'postgres', q{SELECT last_error ~ 'no answer in time' FROM userstream.mirror_status}), 'a write without an answer');
is_equal('is sent again, the same');
$server->ask('release');
insert(1);
is_equal('the late answer is nobody\'s');
is($server->ask('count connections'), $connections, 'and the connection goes on');

# silence
$server->ask('rule EXECUTE 0 silence');
$server->ask('rule OPTIONS 0 silence');
insert(5);
is_waiting('no answer to a heartbeat in time', 'silence ends the connection');
is_waiting('no answer to the greeting in time', 'and a greeting without an answer too');
$server->ask('clear');
is_equal('all rows are there');
unlike(slurp_file($node->logfile), qr/hunter2|swordfish/, 'no password is in the log');
done_testing();
