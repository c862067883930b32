#
# test/t/510_browser.pl
#    the dashboard in a real browser: the charts are there, the script runs, nothing is refused
#
# Needs Debian's chromium with chromium-sandbox, which make deps does not
# bring (it is larger than all the rest).  With USERSTREAM_PICTURES=1 it also
# takes pictures, which stay in the test's folder, browser_*/: look at them.
#
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DashboardTest;
use UserstreamTest;

my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};
plan skip_all => 'there is no chromium here' unless $chromium;

my $kafka = shared_kafka();
my $topic = $kafka->new_topic('browser', 2);
my $node = userstream_node('main');
my $folder = "${PostgreSQL::Test::Utils::tmp_check}/browser_$$";
mkdir $folder or die "$folder: $!";

create_server($node, 'postgres', $kafka);
$node->safe_psql('postgres', qq{
	CREATE TABLE t (id integer PRIMARY KEY);
	SELECT userstream.create_stream('users', server => 'kafka', topic => '$topic', target => 't');
	SELECT userstream.create_stream('<b onclick="x">&', server => 'kafka', topic => '$topic', target => 't');
	SELECT userstream.pause_stream('<b onclick="x">&');
	INSERT INTO userstream.stream_history (stream, at, owner_oid, lag_messages, messages_read, rows_written, dead_letters)
	SELECT 'users', now() - n * interval '1 minute', 10, n, 1000 - n, 1000 - n, 0 FROM generate_series(1, 100) n
	ON CONFLICT DO NOTHING});
$kafka->produce($topic, [ '{"id": 1}', '{"id": "<i>"}' ], partition => 0);
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM userstream.dead_letter}, 1), 'there is something to show');
$node->command_ok([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', "$ENV{USERSTREAM_SRC}/dashboard/role.sql" ],
	'the role is made');
$node->safe_psql('postgres', 'GRANT USAGE ON FOREIGN SERVER kafka TO userstream_dashboard');
my $dashboard = DashboardTest->new($node, 'postgres')->serve;

# what the browser made of a page, and what it wrote to its console
sub browse
{
	my ($path, @options) = @_;
	my ($out, $err) = ('', '');

	local $ENV{HOME} = $folder;
	IPC::Run::run([ $chromium, '--headless=new', '--disable-gpu', '--enable-logging=stderr', '--hide-scrollbars',
			"--user-data-dir=$folder/profile", @options,
			$path =~ m{^/} ? "http://localhost:$dashboard->{port}$path" : $path ],
		'<', '/dev/null', '>', \$out, '2>', \$err, IPC::Run::timeout(300));
	return ($out, join "\n", grep { /CONSOLE/ } split /\n/, $err);
}

# the control: what we look for is written when there is something wrong
my ($none, $complaint) = browse(
	q{data:text/html,<meta http-equiv="Content-Security-Policy" content="script-src 'none'"><script>1</script>}, '--dump-dom');
like($complaint, qr/script-src/, 'the browser complains where there is a reason');

my %pages = ('/streams' => qr/paused/, '/streams/users' => qr/<path class="line s0"/, '/dead-letters' => qr/<rect class="s0"/,
	'/feeds' => qr/No feed yet/, '/mirrors' => qr/<h1>/, '/messages/users' => qr/Looked at/, '/' => qr/<h1>/);
foreach my $path (sort keys %pages)
{
	my ($dom, $console) = browse($path, '--dump-dom');
	my $name = $path =~ s{\W+}{_}gr;

	like($dom, $pages{$path}, "$path is there");
	like($dom, qr{href="http://localhost:\d+[^"]*format=json}, 'the script ran');
	is($console, '', 'and nothing was complained of');
	next unless $ENV{USERSTREAM_PICTURES};
	foreach my $look ([ 'desktop', 1200, 900 ], [ 'phone', 500, 900 ], [ 'dark', 1200, 900, '--blink-settings=preferredColorScheme=0' ])
	{
		my ($kind, $width, $height, @more) = @$look;
		my $file = "$folder/page${name}_$kind.png";

		browse($path, "--window-size=$width,$height", "--screenshot=$file", @more);
		cmp_ok(-s $file || 0, '>', 5000, "a picture: $kind");
	}
}

# time that the browser passes at once: long enough to renew the page
my ($renewed) = browse('/streams?q=use&state=', '--virtual-time-budget=30000', '--dump-dom');
like($renewed, qr/<span id="stamp">renewed at/, 'a page renews itself');
like($renewed, qr/value="use"/, 'and keeps its filter');
unlike((browse('/streams?refresh=0', '--virtual-time-budget=30000', '--dump-dom'))[0], qr/renewed at/, 'or does not, when told');

$dashboard->stop;
$node->stop;
done_testing();
