#
# test/t/500_dashboard.pl
#    the dashboard: what pages show, and what hostile requests and rows get
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DashboardTest;
use UserstreamTest;

my $kafka = shared_kafka();
my $topic = $kafka->new_topic('dashboard', 2);
my $node = userstream_node('main');
my $evil = '</script><img src=x onerror=alert(1)>';

# undef when there is no such file
sub slurp { my ($file) = @_; open(my $handle, '<', $file) or return; local $/; return <$handle>; }
sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

create_server($node, 'postgres', $kafka);
my $bad = DashboardTest->new($node, 'nosuch');
my $dashboard = DashboardTest->new($node, 'postgres');

# before there is a role, and before there is the extension
is($dashboard->cgi(PATH_INFO => '/streams')->{status}, 503, 'a role that does not exist: the database is away');
$node->command_ok([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', "$ENV{USERSTREAM_SRC}/dashboard/role.sql" ],
	'the role is made');
$node->command_ok([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', "$ENV{USERSTREAM_SRC}/dashboard/role.sql" ],
	'and may be made again');
my $away = $bad->cgi(PATH_INFO => '/streams');
is("$away->{status} $away->{headers}{'retry-after'}", '503 5', 'a database that does not exist: come again');
like($away->{body}, qr/The database is away.*<\/html>/s, 'in a whole page');
unlike($away->{body}, qr/nosuch|FATAL/, 'that does not say where it looked');
is($bad->cgi(PATH_INFO => '/health')->{status}, 503, 'so says /health');
like($bad->cgi(PATH_INFO => '/metrics')->{body}, qr/^userstream_up 0$/m, 'and /metrics, by 200');
like(DashboardTest->new($node, 'template1')->cgi(PATH_INFO => '/streams')->{body},
	qr/has no userstream yet.*CREATE EXTENSION userstream/s, 'a database without the extension');

# empty
foreach my $page ('/', '/streams', '/feeds', '/dead-letters', '/mirrors')
{
	my $reply = $dashboard->cgi(PATH_INFO => $page);
	is($reply->{status}, 200, "$page when there is nothing");
	like($reply->{body}, qr/<div class="box/, 'says so');
}
like($dashboard->cgi(PATH_INFO => '/streams')->{body}, qr/create_stream\(&#39;users/, 'and how to begin');

# a stream that runs, and one with a hostile name
sql(q{CREATE TABLE users (id integer PRIMARY KEY, name text)});
sql(qq{SELECT userstream.create_stream('users', server => 'kafka', topic => '$topic', target => 'users');
	SELECT userstream.create_stream('$evil', server => 'kafka', topic => '$topic', target => 'users')});
sql(qq{SELECT userstream.pause_stream('$evil')});
$kafka->produce($topic, [ (map { "{\"id\": $_, \"name\": \"n$_\"}" } 1 .. 5), '{"id": "</textarea><script>"}',
		"\xff\xfe", "{\"id\": 9, \"name\": \"\xe2\x80\xae\"}" ], partition => 0);
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM users}, 6), 'rows are there');
ok(wait_until($node, 'postgres', q{SELECT state = 'caught_up' AND dead_letters = 2
	FROM userstream.stream_status WHERE stream = 'users'}), 'two are dead letters');

my $streams = $dashboard->cgi(PATH_INFO => '/streams');
like($streams->{body}, qr{<th scope="row"><a href="/streams/users">users</a></th><td><span class="state good">.*?caught up},
	'a stream with its state');
like($streams->{body}, qr{<a href="/streams/%3C%2Fscript%3E%3Cimg%20src%3Dx%20onerror%3Dalert%281%29%3E">&lt;/script&gt;&lt;img},
	'a hostile name is text, and a link');
like($dashboard->cgi(PATH_INFO => '/streams', QUERY_STRING => 'state=paused')->{body}, qr/paused(?!.*caught up<)/s, 'a filter');
unlike($dashboard->cgi(PATH_INFO => '/streams', QUERY_STRING => 'q=USER')->{body}, qr/onerror/, 'a filter by name');
foreach my $page ('/streams', "/streams/$evil", "/messages/$evil", '/dead-letters', "/feeds/$evil")
{
	unlike($dashboard->cgi(PATH_INFO => $page)->{body}, qr/<img/, "no markup of others in $page");
	my $json = $dashboard->cgi(PATH_INFO => $page, QUERY_STRING => 'format=json');
	is($json->{headers}{'content-type'}, 'application/json; charset=utf-8', 'nor is JSON anything else');
}
my $stream = $dashboard->cgi(PATH_INFO => '/streams/users');
like($stream->{body}, qr/Partitions.*Ledger.*yes<\/span>.*Last 24 hours.*Open incidents/s, 'a stream has its panels');
like($stream->{body}, qr/userstream\.pause_stream\(&#39;users&#39;\)/, 'and calls to copy');
like($dashboard->cgi(PATH_INFO => "/streams/it's")->{body}, qr/There is no stream/, 'a stream that is not there');
is($dashboard->cgi(PATH_INFO => "/streams/it's")->{status}, 404, 'is not found');

# JSON and CSV say what SQL says
my $json = $dashboard->cgi(PATH_INFO => '/streams', QUERY_STRING => 'format=json&q=users')->{body};
is(sql(qq{SELECT j -> 'streams' -> 0 = (SELECT jsonb_build_object('stream', stream, 'state', state,
	'rows_written', rows_written::text, 'dead_letters', dead_letters::text, 'messages_read', messages_read::text)
	|| (j -> 'streams' -> 0) FROM userstream.stream_status WHERE stream = 'users')
	FROM (SELECT \$x\$$json\$x\$::jsonb AS j) x}), 't', 'JSON equals SQL; 64 bits are strings');
my $csv = $dashboard->cgi(PATH_INFO => '/streams', QUERY_STRING => 'format=csv&q=users')->{body};
like($csv, qr/^stream,state,.*\r\nusers,caught_up,0,/, 'CSV too');
is($dashboard->cgi(PATH_INFO => '/streams', QUERY_STRING => 'format=csv&table=nosuch')->{status}, 404, 'of tables there are');

# dead letters
my $letters = $dashboard->cgi(PATH_INFO => '/dead-letters');
is($letters->{headers}{'cache-control'}, 'no-store', 'data of people is not kept');
like($letters->{body}, qr/22P02.*<svg.*<a href="\/dead-letters\/\d+">/s, 'reasons, arrivals, list');
my $id = sql(q{SELECT id FROM userstream.dead_letter ORDER BY kafka_offset LIMIT 1});
my $letter = $dashboard->cgi(PATH_INFO => "/dead-letters/$id")->{body};
like($letter, qr/&lt;\/textarea&gt;&lt;script&gt;/, 'a hostile value is text');
like($letter, qr/retry_dead_letters\(&#39;users&#39;, &#39;\{$id\}&#39;\)/, 'the call to try it again');
like($dashboard->cgi(PATH_INFO => '/dead-letters/' . ($id + 1))->{body},
	qr/<span class="odd">\\xff<\/span><span class="odd">\\xfe<\/span>/, 'bytes that are no text');
unlike($dashboard->cgi(PATH_INFO => '/dead-letters', QUERY_STRING => 'limit=10&before=' . ($id + 1))->{body},
	qr{/dead-letters/@{[$id + 1]}"}, 'older ones only');
is($dashboard->cgi(PATH_INFO => '/dead-letters/0')->{status}, 404, 'none of that id');
is($dashboard->cgi(PATH_INFO => '/dead-letters/x')->{status}, 404, 'nor of what is no id');

# messages: only once it is granted
my %messages = (PATH_INFO => '/messages/users');
like($dashboard->cgi(%messages)->{body}, qr/may not read.*GRANT USAGE ON FOREIGN SERVER/s, 'messages need a grant');
sql('GRANT USAGE ON FOREIGN SERVER kafka TO userstream_dashboard');
like($dashboard->cgi(%messages)->{body}, qr/Looked at 8 messages, offsets 0 to 7.*&lt;U\+202E&gt;.*\\xff/s, 'which shows them');
sub look { my ($query) = @_; return $dashboard->cgi(%messages, QUERY_STRING => $query); }
like(look('contains=%22n3%22')->{body}, qr/Looked at 8.*n3(?!.*n4)/s, 'a search');
foreach my $search ('%25_%5C', "'%20OR%201=1--", '(a%2B)%2B%24')
{
	like(look("contains=$search")->{body}, qr/Looked at 8.*No message there/s, "$search is searched as it is");
}
is(look('offset=9223372036854775807')->{status}, 200, 'the largest offset');
foreach my $query ('offset=9223372036854775808', 'offset=-1', 'offset=1e3', 'offset=0x10', 'offset=%205', 'offset=%2B5',
	'offset=', 'from=now', 'from=infinity', 'from=10000-01-01', 'from=2026-02-30T00:00:00Z', 'partition=2147483648',
	'limit=0', 'limit=-1', 'limit=1000000', 'limit=10&limit=20', 'nosuch=1', 'a=%', 'a=%zz', 'a=%u0041', '=x',
	join('&', map { "p$_=1" } 1 .. 10000))
{
	my $status = look($query)->{status};
	ok($status == 400 || ($status == 414 && length $query > 4000), substr($query, 0, 40) . ' is refused');
}
is(look('partition=99999')->{status}, 404, 'a partition that is not there');
like(look('partition=99999')->{body}, qr/partition 99999 of 0\.\.1/, 'is told of');

# the request itself
is($dashboard->cgi(REQUEST_METHOD => undef, HTTP_HOST => undef)->{status}, 200, 'no variables');
is($dashboard->cgi(REQUEST_METHOD => 'get')->{status}, 501, 'a method in small letters');
is($dashboard->cgi(REQUEST_METHOD => 'POST', CONTENT_LENGTH => '9' x 20)->{status}, 405, 'POST is refused at once');
is($dashboard->cgi(HTTP_HOST => 'evil.example')->{status}, 403, 'another Host');
is($dashboard->cgi(PATH_INFO => '/streams', HTTP_PROXY => 'x', HTTP_COOKIE => 'x' x 5000, HTTP_PGHOST => 'evil',
	HTTP_IF_NONE_MATCH => 'x' x 8192)->{status}, 200, 'headers that mean nothing');
is($dashboard->cgi(PATH_INFO => '/nosuch"><svg onload=alert(1)>')->{status}, 404, 'no such page');
is($dashboard->cgi(PATH_INFO => "/x\xff")->{status}, 400, 'a path that is no text');
my $head = $dashboard->cgi(REQUEST_METHOD => 'HEAD', PATH_INFO => '/streams');
ok($head->{body} eq '' && $head->{headers}{'content-length'} > 1000, 'HEAD has no body');
like($head->{headers}{'content-security-policy'}, qr/default-src 'none'; script-src 'self'; style-src 'self'/, 'a strict policy');
unlike($dashboard->cgi(PATH_INFO => '/streams', QUERY_STRING => 'q=users')->{body}, qr/\sstyle=|\son\w+=|<script>|<style/, 'which the page keeps');

# metrics
my $metrics = $dashboard->cgi(PATH_INFO => '/metrics', HTTP_ACCEPT => 'application/openmetrics-text;version=1.0.0');
like($metrics->{headers}{'content-type'}, qr{^application/openmetrics-text; version=1\.0\.0; charset=utf-8$}, 'OpenMetrics');
like($metrics->{body}, qr/\n# EOF\n\z/, 'to its end');
like($metrics->{body}, qr/^# TYPE userstream_rows_written counter\n(?:.*\n)*?userstream_rows_written_total\{stream="users",topic="\Q$topic\E",partition="0"\} 6$/m,
	'a counter');
like($metrics->{body}, qr/^userstream_stream_state\{stream="users",userstream_stream_state="caught_up"\} 1$/m, 'a state');
unlike($metrics->{body}, qr/^userstream_partition_lag_messages\{stream="<\/script>/m, 'what is unknown has no sample');
my $text = $dashboard->cgi(PATH_INFO => '/metrics');
is($text->{headers}{'content-type'}, 'text/plain; version=0.0.4; charset=utf-8', 'Prometheus text');
like($text->{body}, qr/^# TYPE userstream_rows_written_total counter$/m, 'its counters');
is($dashboard->cgi(PATH_INFO => '/health')->{body}, "ok\n", 'health');

# what the role may not do
foreach my $statement (
	"SELECT userstream.create_stream('x', server => 'kafka', topic => '$topic', target => 'public.users')",
	"SELECT userstream.pause_stream('users')", "SELECT userstream.retry_dead_letters('users')",
	'CREATE TABLE public.t ()', 'DELETE FROM userstream.dead_letter', 'SELECT * FROM public.users', 'SELECT * FROM userstream.stream')
{
	my ($code, $out, $err) = $node->psql('postgres', "SET default_transaction_read_only = off; $statement",
		extra_params => [ '-U', 'userstream_dashboard' ]);
	like($err, qr/permission denied|must be|not the owner|may not/i, "refused: $statement");
}

# a lock that is held, a view that is gone
my $locker = $node->background_psql('postgres');
$locker->query_safe('BEGIN; LOCK TABLE userstream.dead_letter');
like($dashboard->cgi(PATH_INFO => '/dead-letters')->{body}, qr/holds a lock/, 'a lock is not waited for long');
$locker->query_safe('ROLLBACK');
$locker->quit;

# under lighttpd
$dashboard->serve;
is($dashboard->get('/streams')->{status}, 200, 'lighttpd serves');
my ($style) = $streams->{body} =~ m{href="(/static/[^"]+\.css)"};
is($dashboard->get($style)->{headers}{'cache-control'}, 'public, max-age=31536000, immutable', 'files are kept by browsers');
my @raw = (
	[ "GET /x%00y HTTP/1.1\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 400/, 'a zero byte in the path' ],
	[ "GET /a%0d%0aX:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 400/, 'a line feed' ],
	[ "GET /%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 400/, 'no UTF-8' ],
	[ "GET /static/..%2f..%2flighttpd.conf HTTP/1.0\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 404/, 'a way out of static' ],
	[ "GET / HTTP/1.0\r\nHost: localhost\r\nX: " . 'x' x 20000 . "\r\n\r\n", qr/^HTTP\/1\.[01] 431/, 'a header of 20 kB' ],
	[ "GET / HTTP/1.0\r\nHost: evil.example\r\n\r\n", qr/^HTTP\/1\.[01] 403/, 'another host' ],
	[ "GET / HTTP/1.0\r\nHost: localhost.evil.com\r\n\r\n", qr/^HTTP\/1\.[01] 403/, 'a host that begins well' ],
	[ "GET / HTTP/1.1\r\nHost: <script>\r\n\r\n", qr/^HTTP\/1\.[01] 400/, 'a host that is none' ],
	[ "TRACE / HTTP/1.0\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 403/, 'TRACE' ],
	[ "POST / HTTP/1.0\r\nHost: localhost\r\nContent-Length: 9000\r\n\r\n" . 'x' x 9000, qr/^HTTP\/1\.[01] (?:413|405)/, 'a body of 9 kB' ],
	[ "GET / HTTP/1.0\r\nHost: localhost\r\n" . join('', map { "X$_: 1\r\n" } 1 .. 500) . "\r\n", qr/^HTTP\/1\.[01] (?:200|431)/, '500 headers' ],
);
foreach my $case (@raw)
{
	like($dashboard->raw($case->[0]), $case->[1], $case->[2]);
}
my $feed = $dashboard->get('/feeds');
is($dashboard->get('/feeds', 'If-None-Match' => $feed->{headers}{etag})->{status}, 304, 'a page that is the same is not sent again');

# many at once, and the server stopped and started in between
my @children;
foreach my $n (1 .. 50)
{
	my $pid = fork();
	die "fork: $!" unless defined $pid;
	if ($pid == 0)
	{
		my $ok = eval { $dashboard->get('/streams')->{status} == 200 };
		require POSIX;
		POSIX::_exit($ok ? 0 : 1);
	}
	push @children, $pid;
}
my $failed = grep { waitpid($_, 0); $? != 0 } @children;
is($failed, 0, 'fifty readers at once are all answered');
cmp_ok(sql(q{SELECT count(*) FROM pg_stat_activity WHERE usename = 'userstream_dashboard'}), '<=', 4,
	'by no more connections than programs');
$node->stop('fast');
is($dashboard->get('/streams/users')->{status}, 503, 'without the database each page says so');
is($dashboard->get('/health')->{status}, 503, 'and so does /health');
$node->start;
is($dashboard->get('/streams/users')->{status}, 200, 'it is found again by itself');
my @programs = $dashboard->programs;
cmp_ok(scalar(@programs), '>=', 1, 'there is a process of it');
$dashboard->stop;
is(scalar(grep { (slurp("/proc/$_/cmdline") // '') =~ /dashboard/ } @programs), 0, 'and none is left at the end');

$node->stop;
done_testing();
