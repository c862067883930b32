#
# test/t/DashboardTest.pm
#    what the tests of the dashboard (5xx) have in common: the program, and lighttpd
#
#    my $dashboard = DashboardTest->new($node, 'postgres');
#    my $reply = $dashboard->cgi(PATH_INFO => '/streams', QUERY_STRING => 'format=json');
#    $reply->{status}, $reply->{headers}{'content-type'}, $reply->{body}
#    $dashboard->serve;                       # under lighttpd; ends with the test
#    $dashboard->get('/streams')              # the same by HTTP
#    $dashboard->raw("GET / HTTP/1.0\r\n\r\n")     # all that comes back
#
package DashboardTest;

use strict;
use warnings;

use Carp;
use IO::Socket::INET;
use IPC::Run ();
use PostgreSQL::Test::Cluster ();
use PostgreSQL::Test::Utils ();

my @served;

sub new
{
	my ($class, $node, $db) = @_;
	my $self = bless {
		build => "$ENV{USERSTREAM_STATE}/dashboard",
		environment => {
			PGHOST => $node->host, PGPORT => $node->port, PGDATABASE => $db,
			PGUSER => 'userstream_dashboard',
		},
	}, $class;

	return $self;
}

# the database, role or address that libpq is told
sub environment { my ($self, %more) = @_; return { %{ $self->{environment} }, %more }; }

# Runs the program, built with sanitizers, once as CGI with these variables and no others; undef leaves
# one out that is there otherwise.
sub cgi
{
	my ($self, %variables) = @_;
	my %all = (REQUEST_METHOD => 'GET', HTTP_HOST => 'localhost', %{ $self->{environment} }, %variables);
	my @environment = map { "$_=$all{$_}" } grep { defined $all{$_} } sort keys %all;
	my ($out, $err) = ('', '');

	IPC::Run::run([ 'env', '-i', @environment, "$self->{build}-checked/dashboard" ],
		'<', '/dev/null', '>', \$out, '2>', \$err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default))
	  or croak "the dashboard ended with $?: $err";
	croak "it wrote: $err" if $err ne '';
	return parse($out);
}

sub parse
{
	my ($out) = @_;
	my ($head, $body) = split /\r\n\r\n/, $out, 2;
	my %headers;

	foreach (split /\r\n/, $head)
	{
		my ($name, $value) = /^([^:]+): (.*)$/ or next;
		croak "header $name stands there twice" if exists $headers{ lc $name };
		$headers{ lc $name } = $value;
	}
	my ($status) = $head =~ m{^(?:Status:|HTTP/1\.\d) (\d+)}m;
	return { status => $status, headers => \%headers, body => $body, head => $head };
}

sub serve
{
	my ($self) = @_;

	$self->{dir} = "${PostgreSQL::Test::Utils::tmp_check}/dashboard.$$";
	$self->{port} = PostgreSQL::Test::Cluster::get_free_port();
	push @served, $self;
	local @ENV{ keys %{ $self->{environment} } } = values %{ $self->{environment} };
	system("$ENV{USERSTREAM_SRC}/test/servers/dashboard", 'start', $self->{dir}, $self->{port}, $self->{build}) == 0
	  or croak 'could not start lighttpd';
	return $self;
}

sub stop
{
	my ($self) = @_;
	return system("$ENV{USERSTREAM_SRC}/test/servers/dashboard", 'stop', $self->{dir});
}

sub raw
{
	my ($self, $bytes) = @_;
	my $socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $self->{port}, Timeout => 60)
	  or croak "connect: $!";
	my $out = '';

	local $SIG{PIPE} = 'IGNORE';
	$socket->print($bytes);
	$socket->flush;
	$socket->shutdown(1);
	while (sysread($socket, my $piece, 65536)) { $out .= $piece; }
	return $out;
}

sub get
{
	my ($self, $path, %headers) = @_;
	my $lines = join '', map { "$_: $headers{$_}\r\n" } sort keys %headers;

	return parse($self->raw("GET $path HTTP/1.0\r\nHost: localhost\r\n$lines\r\n"));
}

# JSON of a page equals SQL: each row of the query stands in the member, and no other
sub member_is
{
	my ($self, $node, $path, $member, $query) = @_;
	my ($page, $parameters) = split /\?/, $path;
	my $json = $self->cgi(PATH_INFO => $page, QUERY_STRING => join '&', 'format=json', $parameters // ())->{body};

	return $node->safe_psql('postgres', qq{
		SELECT coalesce(j -> '$member' @> rows, false) AND jsonb_array_length(j -> '$member') = jsonb_array_length(rows)
		FROM (SELECT \$json\$$json\$json\$::jsonb AS j) AS page,
			 (SELECT coalesce(jsonb_agg(q), '[]') AS rows FROM ($query) AS q) AS wanted}) eq 't';
}

# process ids of the program under our lighttpd
sub programs
{
	my ($self) = @_;
	my $run = PostgreSQL::Test::Utils::slurp_file("$self->{dir}/run") =~ s/\n//r;
	my $lighttpd = PostgreSQL::Test::Utils::slurp_file("$run/lighttpd.pid") + 0;

	return split ' ', PostgreSQL::Test::Utils::slurp_file("/proc/$lighttpd/task/$lighttpd/children");
}

END
{
	my $exit = $?;

	$_->stop foreach @served;
	$? = $exit;
}

1;
