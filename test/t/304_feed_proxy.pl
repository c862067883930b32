#
# test/t/304_feed_proxy.pl
#    a feed whose API is asked through a proxy
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FeedTest;
use UserstreamTest;

my $kafka = shared_kafka();
my $api = FeedTest->api('main');
my $proxy = FeedTest->api('proxy');
my $node = userstream_node('main');
my $topic = $kafka->new_topic('proxied', 1);
my $marker = 'proxy-Secret-1';

create_server($node, 'postgres', $kafka);

# a feed whose server has this url and these options
sub make_feed
{
	my ($name, $url, $options) = @_;

	$node->safe_psql('postgres',
		"CREATE SERVER api_$name FOREIGN DATA WRAPPER userstream_http OPTIONS (url '$url', $options);
		 CREATE USER MAPPING FOR PUBLIC SERVER api_$name OPTIONS (header 'X-Key: $marker');
		 SELECT userstream.create_feed('$name', 'api_$name', 'kafka', '$topic', records => '\$.results[*]', retries => 0)");
	return;
}

sub run_is
{
	my ($name, $expected, $what) = @_;
	my (undef, $said) = run_feed($node, 'postgres', $name, timeout => $PostgreSQL::Test::Utils::timeout_default);

	is(last_run($node, 'postgres', $name, "state || ' ' || coalesce(http_status, 0) || ' ' || records_produced"),
		$expected, $what) or diag($said);
	unlike($said, qr/\Q$marker\E/, "$what: no secret is shown");
	return $said;
}

# plain HTTP: the proxy is asked for the whole URL, and does the asking
my $by = 'http://' . $proxy->address;
make_feed('plain', 'http://api.invalid/api/?results=3&seed=1', "allow_private 'true', proxy '$by'");
run_is('plain', 'succeeded 200 3', 'a proxy asks for a name that only it can resolve');
my ($asked) = $proxy->requests;
like($asked, qr{^GET http://api\.invalid/api/\?results=3&seed=1 HTTP}, 'by its whole URL');
like($asked, qr/X-Key: \Q$marker\E/, 'with the headers of the mapping');

# what is checked is the address that is connected to: the proxy's
make_feed('inside', 'http://93.184.216.34/api/', "proxy '$by'");
like(run_is('inside', 'failed 0 0', 'a private proxy without allow_private'),
	qr/the address is private, loopback or link-local/, 'is refused');
is(scalar(grep { /./ } $proxy->requests), 1, 'and was not asked');

# HTTPS goes through CONNECT, so no proxy sees what is asked
$proxy->forget_requests;
make_feed('tunnel', 'https://api.invalid/api/?secret=1', "allow_private 'true', proxy '$by'");
like(run_is('tunnel', 'failed 0 0', 'a proxy that refuses CONNECT'), qr/could not get a response of https:\S+: .*CONNECT.*404/, 'is named');
like(($proxy->requests)[0], qr{^CONNECT api\.invalid:443 HTTP}, 'it was asked for the host');
unlike(join('', $proxy->requests), qr/\Q$marker\E|secret=1/, 'and for nothing else');

make_feed('away', 'http://api.invalid/', "allow_private 'true', proxy 'http://127.0.0.1:1'");
like(run_is('away', 'failed 0 0', 'a proxy that is not there'), qr/could not get a response/, 'is waited for no longer');
make_feed('lost', 'http://api.invalid/', "allow_private 'true', proxy 'http://proxy.invalid:3128', timeout_ms '20000'");
like(run_is('lost', 'failed 0 0', 'a proxy whose name is not known'), qr/could not get a response/, 'fails the run');

{
	local $ENV{http_proxy} = $by;
	local $ENV{all_proxy} = $by;

	$proxy->forget_requests;
	$node->restart;
	make_feed('direct', $api->url('/api/?results=2'), "allow_private 'true'");
	run_is('direct', 'succeeded 200 2', 'a server without a proxy');
	is(scalar(grep { /./ } $proxy->requests), 0, 'takes none from the environment');
}

unlike(slurp_file($node->logfile), qr/\Q$marker\E/, 'no secret is in the log');
is($node->safe_psql('postgres',
		"SELECT count(*) FROM userstream.feed_run r WHERE r::text LIKE '%$marker%'"), 0, 'nor in the history');

done_testing();
