#
# test/t/UserstreamTest.pm
#    what the live tests have in common: a real Kafka, a node with userstream
#
# On top of PostgreSQL::Test::Cluster and Utils.  test/run sets the
# environment (test/servers/env.sh); test/README.md shows how to run one test
# by hand.  Whatever a test starts through here ends with it, also when it
# dies or is interrupted.
#
#    my $kafka = shared_kafka();            # the runner's broker: never stop it
#    my $own = UserstreamTest::Kafka->new('x');   # one of the test's own, to break
#    my $topic = $kafka->new_topic('orders', 4);
#    $kafka->produce($topic, [ '{"id": 1}', { key => 'k', value => undef } ]);
#    my $node = userstream_node('main');
#    wait_until($node, 'postgres', 'SELECT count(*) FROM orders', 2);
#
package UserstreamTest;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

our @EXPORT = qw(
  shared_kafka
  userstream_node
  create_server
  wait_until
  librdkafka_before
  hold_table
  release_table
);

# END blocks, which stop what runs, do not run on a signal's default action
$SIG{INT} = sub { exit 130 };
$SIG{TERM} = sub { exit 143 };
$SIG{HUP} = sub { exit 129 };

my $shared;

# The broker that test/run keeps for all tests; without it (prove by hand)
# one of our own.
sub shared_kafka
{
	return $shared if $shared;
	if (my $address = $ENV{USERSTREAM_KAFKA})
	{
		$shared = UserstreamTest::Kafka->at($address);
	}
	else
	{
		$shared = UserstreamTest::Kafka->new('shared');
	}
	return $shared;
}

# A started node with the library preloaded and the extension in "postgres".
#
#    extension => 0   no CREATE EXTENSION
#    start => 0       only initdb and configuration
#    conf => "..."    more lines of postgresql.conf
#    extra => [...]   more arguments of initdb
#    install_path => "..."   another PostgreSQL than the one in PATH
sub userstream_node
{
	my ($name, %args) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name,
		defined $args{install_path} ? (install_path => $args{install_path}) : ());

	$node->init(allows_streaming => 'logical', extra => $args{extra} || []);
	# Cluster writes restart_after_crash = off, log_statement = all and small
	# numbers; a killed worker has to come back, and secrets are looked for in
	# the log.  A day has 24 hours, wherever the tests run.
	$node->append_conf(
		'postgresql.conf', qq{
shared_preload_libraries = 'userstream'
max_worker_processes = 128
max_connections = 60
shared_buffers = 128MB
max_wal_size = 2GB
restart_after_crash = on
log_statement = none
log_min_messages = info
timezone = 'UTC'
});
	$node->append_conf('postgresql.conf', $args{conf}) if defined $args{conf};
	# which Cluster of 18 also writes for an older server
	$node->adjust_conf('postgresql.conf', 'autovacuum_worker_slots', undef) if $node->pg_version < 18;
	return $node if exists $args{start} && !$args{start};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION userstream')
	  unless exists $args{extension} && !$args{extension};
	return $node;
}

# CREATE SERVER for a broker, under the name "kafka" unless another is given
sub create_server
{
	my ($node, $db, $kafka, $name) = @_;
	my $address = $kafka->address;

	$name = 'kafka' unless defined $name;
	$node->safe_psql($db,
		qq{CREATE SERVER $name FOREIGN DATA WRAPPER userstream_kafka
			OPTIONS ("bootstrap.servers" '$address')});
	return;
}

# Ask until the answer is the expected one ("t" unless given), less and less
# often, since each time takes a psql and a backend.  A server that is being
# restarted is an answer like any other wrong one; psql may then have ended
# before it was given the query, which IPC::Run dies of.  Returns whether it
# came in time; the last answer is shown when it did not.
sub wait_until
{
	my ($node, $db, $query, $expected, $seconds) = @_;
	my $end = time + ($seconds || $ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);
	my $pause = 0.02;
	my ($code, $out, $err);

	$expected = 't' unless defined $expected;
	while (1)
	{
		undef $code;
		eval { ($code, $out, $err) = $node->psql($db, $query, on_error_die => 0, on_error_stop => 0); 1 }
		  or ($out, $err) = ('', $@);
		return 1 if defined $code && $code == 0 && $out eq $expected;
		last if time >= $end;
		sleep($pause);
		$pause = 0.25 if ($pause *= 1.3) > 0.25;
	}
	diag("waited in vain for \"$expected\": $query");
	diag("last answer: $out");
	diag("last error: $err") if defined $err && $err ne '';
	return 0;
}

# whether the library that the tests run with, kcat and the extension alike, is older than
# that, such as '2.2' or '2.6.1'
sub librdkafka_before
{
	my ($version) = @_;
	my ($has) = PostgreSQL::Test::Utils::run_command([ 'kcat', '-V' ]);

	$has =~ /librdkafka ([0-9.]+)/ or croak "no version of librdkafka: $has";
	return version->parse("v$1") < version->parse("v$version");
}

# Holds a table against everybody else until release_table, which also ends it; the
# lock is there when this returns.
sub hold_table
{
	my ($node, $db, $table) = @_;
	my %hold = (node => $node, db => $db, table => $table);

	$node->safe_psql($db, 'CREATE TABLE IF NOT EXISTS released (name text)');
	$hold{session} = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr($db), '-c',
			"DO \$\$BEGIN LOCK $table; WHILE NOT EXISTS (SELECT FROM released WHERE name = '$table') LOOP PERFORM pg_sleep(0.05); END LOOP; END\$\$" ],
		'<', \'', '>', \$hold{out}, '2>', \$hold{err});
	wait_until($node, $db, "SELECT count(*) FROM pg_locks WHERE granted AND relation = '$table'::regclass
		AND mode = 'AccessExclusiveLock'", 1) or croak "$table is not locked: $hold{err}";
	return \%hold;
}

sub release_table
{
	my ($hold) = @_;

	$hold->{node}->safe_psql($hold->{db}, "INSERT INTO released VALUES ('$hold->{table}')");
	$hold->{session}->finish;
	return;
}

# a port and the one above, for a server that listens on both
sub two_free_ports
{
	my $port = PostgreSQL::Test::Cluster::get_free_port();

	# both asked for, so that nobody else gets the second
	while (1)
	{
		my $next = PostgreSQL::Test::Cluster::get_free_port();
		return $port if $next == $port + 1;
		$port = $next;
	}
}

package UserstreamTest::Kafka;

use strict;
use warnings;

use Carp;
use PostgreSQL::Test::Utils ();
use PostgreSQL::Test::Cluster ();

my @own;
my $topics = 0;

# A broker of the test's own, started, in a folder that goes with the test's
# other data.
#
#    properties => "..."  more lines of its configuration; the last one counts
#    format => "..."      more arguments of the storage tool, such as users
#    start => 0           its port is known, and configure() may follow
sub new
{
	my ($class, $name, %args) = @_;
	my $self = bless {
		dir => "${PostgreSQL::Test::Utils::tmp_check}/kafka_$name.$$",
		port => UserstreamTest::two_free_ports(),	# the broker's and its controller's
	}, $class;

	$self->{address} = "127.0.0.1:$self->{port}";
	mkdir $self->{dir};
	$self->configure($args{properties}) if defined $args{properties};
	PostgreSQL::Test::Utils::append_to_file("$self->{dir}/format.args", $args{format})
	  if defined $args{format};
	push @own, $self;
	$self->start unless exists $args{start} && !$args{start};
	return $self;
}

# more lines of the configuration; they count from the next start on
sub configure
{
	my ($self, $lines) = @_;
	PostgreSQL::Test::Utils::append_to_file("$self->{dir}/extra.properties", "$lines\n");
	return;
}

# someone else's broker
sub at
{
	my ($class, $address) = @_;
	return bless { address => $address }, $class;
}

sub address { return $_[0]->{address}; }

sub control
{
	my ($self, $verb, @args) = @_;

	croak 'this broker belongs to all tests' unless $self->{dir};
	system("$ENV{USERSTREAM_SRC}/test/servers/kafka", $verb, $self->{dir}, @args) == 0
	  or croak "kafka $verb failed";
	return;
}

sub start { my $self = shift; return $self->control('start', $self->{port}); }
sub stop { return shift->control('stop'); }
sub kill { return shift->control('kill'); }
sub pause { return shift->control('pause'); }
sub continue { return shift->control('continue'); }

sub topic
{
	my ($self, @args) = @_;
	system('topic', $self->address, @args) == 0 or croak "topic @args failed";
	return;
}

# a name that no other test uses, made with so many partitions
sub new_topic
{
	my ($self, $base, $partitions, %properties) = @_;
	my $name = sprintf '%s.%d.%d', $base, $$, ++$topics;

	$self->create_topic($name, $partitions, %properties);
	return $name;
}

sub create_topic
{
	my ($self, $name, $partitions, %properties) = @_;
	return $self->topic('create',
		join ':', $name, $partitions || 1, map { "$_=$properties{$_}" } sort keys %properties);
}

sub delete_topic { my ($self, $name) = @_; return $self->topic('delete', $name); }
sub grow_topic { my ($self, $name, $n) = @_; return $self->topic('grow', "$name:$n"); }

# deletes what lies before an offset, as retention would
sub trim_topic
{
	my ($self, $name, $partition, $offset) = @_;
	return $self->topic('trim', "$name:$partition:$offset");
}

# a message {} for each time, in milliseconds since 1970
sub stamp_topic
{
	my ($self, $name, $partition, @times) = @_;
	return $self->topic('stamp', join ':', $name, $partition, @times);
}

# Produces messages in order and waits until the broker has them.
#
# A message is its value, or { key => ..., value => ... }; value undef is a
# tombstone, no key is no key.  Bytes 0x1e and 0x1f must not occur in them.
#    partition => n           all into one partition (else by the key's hash)
#    headers => ['k=v', ...]  on every message
sub produce
{
	my ($self, $topic, $messages, %args) = @_;
	my @run;
	my $tombstones = 0;

	foreach my $message (@$messages)
	{
		my $m = ref $message ? $message : { value => $message };
		my $is_tombstone = !defined $m->{value};

		if (@run && $is_tombstone != $tombstones)
		{
			$self->kcat_produce($topic, \@run, $tombstones, %args);
			@run = ();
		}
		$tombstones = $is_tombstone;
		push @run,
		  (defined $m->{key} ? "$m->{key}\x1f" : '') . ($is_tombstone ? '' : $m->{value});
	}
	$self->kcat_produce($topic, \@run, $tombstones, %args) if @run;
	return;
}

sub kcat_produce
{
	my ($self, $topic, $lines, $tombstones, %args) = @_;
	my @command = ('kcat', '-q', '-P', '-b', $self->address, '-t', $topic,
		'-K', '\x1f', '-D', '\x1e', '-X', 'message.max.bytes=100000000',
		# else a request that is sent again overtakes the ones before it
		'-X', 'enable.idempotence=true');

	push @command, '-p', $args{partition} if defined $args{partition};
	push @command, '-Z' if $tombstones;
	push @command, map { ('-H', $_) } @{ $args{headers} || [] };
	open(my $kcat, '|-', @command) or croak "kcat: $!";
	binmode $kcat;
	print $kcat join("\x1e", @$lines);
	close $kcat or croak 'kcat could not produce';
	return;
}

# Runs a script of test/servers/produce.c: lines, or references to their
# fields; bytes that need it are escaped here.  undef is null.
#    produce_script($topic, ['a begin', ['a', 'send', 0, 0, 'key', 'value'], 'a abort'],
#        'compression.type' => 'lz4')
sub produce_script
{
	my ($self, $topic, $lines, %properties) = @_;

	open(my $produce, '|-', 'produce', $self->address, $topic,
		map { "$_=$properties{$_}" } sort keys %properties) or croak "produce: $!";
	binmode $produce;
	foreach my $line (@$lines)
	{
		print $produce ref $line ? join("\t", map { script_field($_) } @$line) : $line =~ tr/ /\t/r, "\n";
	}
	close $produce or croak 'could not produce';
	return;
}

sub script_field
{
	my ($bytes) = @_;

	return '\N' unless defined $bytes;
	return $bytes =~ s/([\\\x00-\x1f\x7f])/sprintf '\\x%02x', ord $1/egr;
}

# "partition:offset,..." that Kafka has for a consumer group
sub group_offsets
{
	my ($self, $group, $topic) = @_;
	my ($out) = PostgreSQL::Test::Utils::run_command(
		[ 'rights', $self->address, 'offsets', $group, $topic ]);
	return $out;
}

# offsets of a group, access rights: test/servers/rights.c
sub rights
{
	my ($self, @args) = @_;
	system('rights', $self->address, @args) == 0 or croak "rights @args failed";
	return;
}

# Produces so many users of the demo's shape (test/servers/users.c).
#    seed => n, first => n    which ones; the same give the same
sub produce_users
{
	my ($self, $topic, $count, %args) = @_;
	my $seed = $args{seed} || 1;
	my $first = $args{first} || 0;

	system('sh', '-c',
		q{users -n "$1" -s "$2" -f "$3" | kcat -q -P -b "$4" -t "$5" -K '\t' -z lz4},
		'sh', $count, $seed, $first, $self->address, $topic) == 0
	  or croak 'could not produce users';
	return;
}

# { partition => next offset to be given }
sub end_offsets
{
	my ($self, $topic) = @_;
	my %offsets;
	my ($metadata) = PostgreSQL::Test::Utils::run_command(
		[ 'kcat', '-m', 60, '-b', $self->address, '-L', '-t', $topic ]);

	foreach my $partition ($metadata =~ /partition (\d+), leader/g)
	{
		my ($out, $errors) = PostgreSQL::Test::Utils::run_command(
			[ 'kcat', '-m', 60, '-b', $self->address, '-Q', '-t', "$topic:$partition:-1" ]);
		$out =~ /offset (\d+)/ or croak "no end of partition $partition of $topic: $errors";
		$offsets{$partition} = $1;
	}
	return \%offsets;
}

END
{
	my $exit = $?;

	foreach my $kafka (@own)
	{
		system("$ENV{USERSTREAM_SRC}/test/servers/kafka", 'kill', $kafka->{dir});
	}
	$? = $exit;
}

1;
