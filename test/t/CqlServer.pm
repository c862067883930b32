#
# test/t/CqlServer.pm
#    a scripted Cassandra of a test's own (test/servers/cql_server)
#
#    my $server = CqlServer->new(2);         # on two ports
#    $server->ask('rule EXECUTE 1 error 1001');
#    is($server->ask('rows copies.items'), '1=one');
#
package CqlServer;

use strict;
use warnings;

use Carp;
use IPC::Open2;

my @own;

# with so many ports
sub new
{
	my ($class, $n) = @_;
	my $self = bless {}, $class;

	$self->{pid} = open2($self->{out}, $self->{in}, "$ENV{USERSTREAM_SRC}/test/servers/cql_server", $n || 1);
	push @own, $self;
	$self->{ports} = [ split ' ', readline($self->{out}) // croak 'no cql_server' ];
	return $self;
}

# the value of the option hosts
sub hosts { return join ', ', map { "127.0.0.1:$_" } @{ $_[0]->{ports} }; }

# a command and its answer
sub ask
{
	my ($self, $command) = @_;

	syswrite $self->{in}, "$command\n";
	my $answer = readline $self->{out};
	croak 'cql_server ended' unless defined $answer;
	chomp $answer;
	croak $answer if $answer =~ /^unknown/;
	return $answer;
}

# asks until the answer is one of those that the pattern takes
sub wait_for
{
	my ($self, $command, $pattern) = @_;
	my $end = time + ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);
	my $answer;

	while (time < $end)
	{
		$answer = $self->ask($command);
		return 1 if $answer =~ $pattern;
		select undef, undef, undef, 0.05;
	}
	Test::More::diag("waited in vain for $pattern of \"$command\": $answer");
	return 0;
}

END
{
	my $exit = $?;

	foreach my $server (@own)
	{
		close $server->{in};
		waitpid $server->{pid}, 0;
	}
	$? = $exit;
}

1;
