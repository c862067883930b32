#
# test/t/FeedTest.pm
#    what the tests of feeds (3xx) have in common: the sample API
#
#    my $api = FeedTest->api('main');        # ends with the test
#    $api->url('/api/?results=10')
#    $api->requests                          # lines of its log so far
#    create_api_server($node, $db, 'name', $api->url('/x'), "more 'options'");
#
package FeedTest;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use PostgreSQL::Test::Utils ();

our @EXPORT = qw(create_api_server run_feed last_run);

my @own;

sub api
{
	my ($class, $name) = @_;
	my $self = bless { dir => "${PostgreSQL::Test::Utils::tmp_check}/api_$name.$$" }, $class;

	push @own, $self;
	system("$ENV{USERSTREAM_SRC}/test/servers/api", 'start', $self->{dir}, 0) == 0
	  or croak 'could not start the sample API';
	$self->{address} = PostgreSQL::Test::Utils::slurp_file("$self->{dir}/address");
	return $self;
}

sub address { return $_[0]->{address} }
sub url { my ($self, $path) = @_; return "http://$self->{address}$path" }

sub requests
{
	my ($self) = @_;
	return -e "$self->{dir}/requests"
	  ? split /\n/, PostgreSQL::Test::Utils::slurp_file("$self->{dir}/requests")
	  : ();
}

sub forget_requests { my ($self) = @_; unlink "$self->{dir}/requests"; return }

sub stop
{
	my ($self) = @_;
	system("$ENV{USERSTREAM_SRC}/test/servers/api", 'stop', $self->{dir});
	return;
}

# the sample API has a loopback address, so a superuser must allow that
sub create_api_server
{
	my ($node, $db, $name, $url, $more) = @_;

	$node->safe_psql($db,
		"CREATE SERVER $name FOREIGN DATA WRAPPER userstream_http
			OPTIONS (url '$url', allow_private 'true'" . (defined $more ? ", $more" : '') . ')');
	return;
}

# exit code, and what psql said on stderr
sub run_feed
{
	my ($node, $db, $name, %args) = @_;
	my ($code, $out, $err) = $node->psql($db, "CALL userstream.run_feed('$name')", %args);

	return ($code, $err);
}

# columns of the last attempt of a feed, as psql writes them
sub last_run
{
	my ($node, $db, $name, $columns) = @_;

	return $node->safe_psql($db,
		"SELECT $columns FROM userstream.feed_run WHERE feed = '$name' ORDER BY id DESC LIMIT 1");
}

END
{
	my $exit = $?;

	$_->stop foreach @own;
	$? = $exit;
}

1;
