#
# test/t/CassandraTest.pm
#    a real Cassandra node, and a reader of its tables
#
# The runner's node is started by the first test that asks for it, and is there
# for all of them; a test's own ends with the test.
#
#    my $cassandra = shared_cassandra();         # never stop it
#    my $keyspace = $cassandra->keyspace('x');   # a name that no other test has
#    my $own = CassandraTest->new('x');          # one of the test's own, to break
#    my ($rows, $errors, $code) = $cassandra->cql("SELECT k FROM $keyspace.t");
#
package CassandraTest;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use UserstreamTest ();

our @EXPORT = qw(shared_cassandra);

my @own;
my $shared;
my $keyspaces = 0;

# The node that test/run keeps for all tests; without it (prove by hand) one of
# our own.
sub shared_cassandra
{
	return $shared if $shared;

	my $dir = $ENV{USERSTREAM_CASSANDRA};

	if (!defined $dir)
	{
		$shared = CassandraTest->new('shared');
	}
	else
	{
		system("$ENV{USERSTREAM_SRC}/test/servers/cassandra", 'share', $dir, UserstreamTest::two_free_ports()) == 0
		  or croak 'no shared Cassandra';
		chomp(my $port = slurp_file("$dir/port"));
		$shared = bless { port => $port }, __PACKAGE__;
	}
	return $shared;
}

# A started node.
#    yaml => "..."   more lines of its configuration
#    ca_file => "..."   it speaks TLS only, and the reader trusts these certificates
#    durable => 1   it answers a write when that is on disk, so it may be killed
sub new
{
	my ($class, $name, %args) = @_;
	my $self = bless {
		dir => "${PostgreSQL::Test::Utils::tmp_check}/cassandra_$name.$$",
		port => UserstreamTest::two_free_ports(),	# clients' and the node's own
		ca_file => $args{ca_file},
		durable => $args{durable},
	}, $class;

	mkdir $self->{dir};
	$self->configure($args{yaml});
	$self->configure('commitlog_sync: batch') if $args{durable};
	push @own, $self;
	$self->start;
	return $self;
}

sub address { return "127.0.0.1:$_[0]->{port}"; }

# the name of a keyspace for this test, which is not made
sub keyspace
{
	my ($self, $base) = @_;
	return sprintf '%s_%d_%d', $base, $$, ++$keyspaces;
}

# lines of the configuration, from the next start on
sub configure
{
	my ($self, $yaml) = @_;

	append_to_file("$self->{dir}/extra.yaml", "$yaml\n") if defined $yaml;
	return;
}

sub control
{
	my ($self, $verb, @args) = @_;

	croak 'this node belongs to all tests' unless $self->{dir};
	system("$ENV{USERSTREAM_SRC}/test/servers/cassandra", $verb, $self->{dir}, @args) == 0
	  or croak "cassandra $verb failed";
	return;
}

sub start { my $self = shift; return $self->control('start', $self->{port}); }
sub stop { return shift->control('stop'); }

# Cassandra by itself answers before a write survives a kill: of 600 writes that
# were acknowledged, one after the other, 2 to 11 were gone.
sub kill
{
	my $self = shift;

	croak 'only a durable node keeps what it acknowledged' unless $self->{durable};
	return $self->control('kill');
}

sub pause { return shift->control('pause'); }
sub continue { return shift->control('continue'); }

# Runs the reader; more options of it before the statements, as an array.
# Returns its output, its errors and its exit code.
sub cql
{
	my ($self, @arguments) = @_;
	my @options = ref $arguments[0] ? @{ shift @arguments } : ();
	my ($out, $errors) = ('', '');

	push @options, '-C', $self->{ca_file} if defined $self->{ca_file};
	IPC::Run::run([ 'cql', @options, $self->address, @arguments ],
		'<', \undef, '>', \$out, '2>', \$errors);
	my $code = $? >> 8;

	chomp $out;
	return ($out, $errors, $code);
}

END
{
	my $exit = $?;

	foreach my $cassandra (@own)
	{
		system("$ENV{USERSTREAM_SRC}/test/servers/cassandra", 'kill', $cassandra->{dir});
	}
	$? = $exit;
}

1;
