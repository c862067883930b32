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

use parent 'ScriptedServer';

# with so many ports
sub new
{
	my ($class, $n) = @_;
	my $self = $class->SUPER::new("$ENV{USERSTREAM_SRC}/test/servers/cql_server", $n || 1);

	$self->{ports} = [ split ' ', $self->first ];
	return $self;
}

# the value of the option hosts
sub hosts { return join ', ', map { "127.0.0.1:$_" } @{ $_[0]->{ports} }; }

1;
