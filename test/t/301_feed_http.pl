#
# test/t/301_feed_http.pl
#    what an API can do to a run: errors, limits, redirects, silence, lies, and
#    that secrets stay where they are
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use IO::Socket::INET;
use POSIX ();
use Test::More;
use Time::HiRes ();
use FeedTest;
use UserstreamTest;

my $marker = 'mArKeR-s3cr3t-9471';
my $kafka = shared_kafka();
my $api = FeedTest->api('main');
my $other = FeedTest->api('other');
my $slow_names = "${PostgreSQL::Test::Utils::tmp_check}/slow_names.so";
run_log([ 'cc', '-D_GNU_SOURCE', '-shared', '-fPIC', '-o', $slow_names, "$ENV{USERSTREAM_SRC}/test/servers/slow_names.c", '-ldl' ])
  or die 'could not build slow_names.so';
my $node = do { local $ENV{LD_PRELOAD} = $slow_names; userstream_node('main') };
my $topic = $kafka->new_topic('faults', 1);

create_server($node, 'postgres', $kafka);

# a feed of its own name and server; retries 0 unless said
sub make_feed
{
	my ($name, $path, %args) = @_;
	my $url = $path =~ m{^https?://} ? $path : $api->url($path);
	my %feed = (retries => 0, topic => "'$topic'", %{ $args{feed} || {} });

	create_api_server($node, 'postgres', "api_$name", $url, $args{server});
	$node->safe_psql('postgres',
		"SELECT userstream.create_feed('$name', 'api_$name', 'kafka'"
		  . join('', map { ", $_ => $feed{$_}" } sort keys %feed) . ')');
	return;
}

# makes it, runs it, and compares state and error of its last attempt
sub run_fails
{
	my ($name, $path, $error, $what, %args) = @_;

	make_feed($name, $path, %args);
	my ($code, $err) = run_feed($node, 'postgres', $name, timeout => $PostgreSQL::Test::Utils::timeout_default);
	is($code, 3, "$what: the call fails");
	like(last_run($node, 'postgres', $name, "state || ' ' || records_produced || ' ' || error"),
		qr/^failed 0 .*$error/s, "$what: $error");
	return $err;
}

sub run_succeeds
{
	my ($name, $path, $expected, $what, %args) = @_;

	make_feed($name, $path, %args);
	my ($code, $err) = run_feed($node, 'postgres', $name, timeout => $PostgreSQL::Test::Utils::timeout_default);
	is(last_run($node, 'postgres', $name,
			"state || ' ' || records || ' ' || records_produced || ' ' || records_failed"),
		"succeeded $expected", $what) or diag($err);
	return;
}

# a psql beside the test; returns its pid
sub background
{
	my ($sql) = @_;
	my $pid = fork;

	die "fork: $!" unless defined $pid;
	return $pid if $pid;
	open(STDOUT, '>>', "${PostgreSQL::Test::Utils::log_path}/background.log");
	open(STDERR, '>&', \*STDOUT);
	exec('psql', '-X', '-d', $node->connstr('postgres'), '-c', $sql) or POSIX::_exit(1);
}

sub is_waiting
{
	my ($name) = @_;
	return wait_until($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%run_feed(''$name'')%'
			AND pid <> pg_backend_pid() AND wait_event_type = 'Extension'", 1)
	  && wait_until($node, 'postgres',
		"SELECT state FROM userstream.feed_run WHERE feed = '$name' ORDER BY id DESC LIMIT 1", 'running');
}

sub values_of
{
	my ($name) = @_;
	my ($out) = run_command([ 'kcat', '-q', '-C', '-e', '-b', $kafka->address, '-t', $name ]);
	return $out;
}

# ---------------------------------------------------------------------------
# what a status means, and when a run tries again
# ---------------------------------------------------------------------------
my $err = run_fails('missing', '/nowhere', 'HTTP status 404', 'a wrong path', feed => { retries => 3 });
like($err, qr/run of feed "missing" failed: response of http:\S+ has HTTP status 404/,
	'the call says the same');
is($node->safe_psql('postgres', "SELECT count(*), max(http_status) FROM userstream.feed_run WHERE feed = 'missing'"),
	'1|404', 'what will not pass is not tried again');

run_succeeds('flaky', '/flaky?key=a&fail=1&code=503&results=3', '1 1 0', 'a 503 is tried again',
	feed => { retries => 2 });
is($node->safe_psql('postgres',
		"SELECT string_agg(attempt || state, ' ' ORDER BY id), count(DISTINCT run_id)
		   FROM userstream.feed_run WHERE feed = 'flaky'"),
	'1failed 2succeeded|1', 'as another attempt of the same run');

# R55
run_succeeds('soon', '/flaky?key=b&fail=1&code=429&retry_after=2', '1 1 0', 'a 429 is tried again',
	feed => { retries => 1 });
is($node->safe_psql('postgres',
		"SELECT b.started_at - a.finished_at >= interval '1.9 s' FROM userstream.feed_run a
		   JOIN userstream.feed_run b USING (run_id) WHERE a.feed = 'soon' AND a.attempt = 1 AND b.attempt = 2"),
	't', 'not before Retry-After in seconds says');
run_fails('later', '/status?code=429&retry_after=date:3600', 'HTTP status 429',
	'a 429 that lasts longer than the run', feed => { retries => 3 });
is($node->safe_psql('postgres',
		"SELECT count(*), max(f.next_allowed_at) > now() + interval '50 min'
		   FROM userstream.feed f JOIN userstream.feed_run r ON r.feed = f.name WHERE f.name = 'later'"),
	'1|t', 'is not tried again, and Retry-After as a date is kept');
my ($code);
($code, $err) = run_feed($node, 'postgres', 'later');
is($code, 0, 'a run before that time');
like($err, qr/NOTICE: +run of feed "later" skipped: the API asked not to be called before /, 'is skipped');
is(last_run($node, 'postgres', 'later', 'state'), 'skipped', 'and so it is written down');
create_api_server($node, 'postgres', 'api_instead', $api->url('/bom'));
$node->safe_psql('postgres', q{SELECT userstream.alter_feed('later', server => 'api_instead')});
run_feed($node, 'postgres', 'later');
is(last_run($node, 'postgres', 'later', 'state'), 'succeeded', 'another API can be asked at once');

# run_timeout ends what else would not end
run_fails('endless_503', '/status?code=503', 'HTTP status 503', 'attempts without end',
	feed => { retries => 100, options => q{'{"run_timeout": "3s"}'} });
is($node->safe_psql('postgres', q{SELECT count(*) BETWEEN 2 AND 8 FROM userstream.feed_run WHERE feed = 'endless_503'}), 't',
	'end with run_timeout');
run_fails('endless_wait', '/silence', 'Operation timed out', 'a response that does not come until run_timeout',
	feed => { retries => 100, options => q{'{"run_timeout": 1}'} }, server => "timeout_ms '10min'");
$node->safe_psql('postgres', q{CREATE FUNCTION pause(r jsonb) RETURNS jsonb LANGUAGE plpgsql AS
	$$ BEGIN PERFORM pg_sleep(1.1); RETURN r; END $$});
make_feed('endless_work', '/api/?results=1', feed => { transform => q{'pause(jsonb)'}, retries => 5,
		records => q{'$.results[*]'}, options => q{'{"run_timeout": 1}'} });
run_feed($node, 'postgres', 'endless_work');
is(last_run($node, 'postgres', 'endless_work', 'state, attempt, records_produced, error'),
	'failed|1|0|the run takes longer than its run_timeout of 1 s', 'nothing is sent after it');

# an API that is asked by POST; where a redirect leads it may be GET
run_succeeds('post', '/api/?results=2', '1 1 0', 'POST', server => q{method 'POST'});
run_succeeds("post_$_", "/redirect?code=$_&to=/api/?results=$_", '1 1 0', "POST and status $_", server => q{method 'POST'}) foreach 301, 302, 303, 307, 308;
is(join(' ', map { m{^(\S+) /api/\?results=(\d+)} ? "$1 $2" : () } grep { m{/api/\?results=(?:2|3\d\d) } } $api->requests),
	'POST 2 GET 301 GET 302 GET 303 POST 307 POST 308', 'is what the API sees');

# ---------------------------------------------------------------------------
# R58: where a run goes
# ---------------------------------------------------------------------------
(my $port = $api->address) =~ s/.*://;
foreach my $host ('127.0.0.1', 'localhost', '[::1]', '[::ffff:127.0.0.1]', '0.0.0.0', '169.254.169.254', '10.0.0.1')
{
	(my $name = "private_$host") =~ s/\W/_/g;
	$node->safe_psql('postgres',
		"CREATE SERVER api_$name FOREIGN DATA WRAPPER userstream_http OPTIONS (url 'http://$host:$port/private')");
	$node->safe_psql('postgres',
		"SELECT userstream.create_feed('$name', 'api_$name', 'kafka', '$topic', retries => 3)");
	($code, $err) = run_feed($node, 'postgres', $name);
	like($err, qr/could not get a response of http:\S+: the address is private, loopback or link-local/,
		"$host is refused");
}
is($node->safe_psql('postgres', "SELECT count(*) FROM userstream.feed_run WHERE feed LIKE 'private%' AND attempt > 1"),
	0, 'once, without a retry');
is(scalar(grep { m{/private} } $api->requests), 0, 'and nothing was asked there');

run_succeeds('moved', '/redirect?to=/redirect%3Fto%3D/api/%3Fresults%3D2', '1 1 0', 'redirects are followed');
run_fails('loop', '/loop', 'more than 10 redirects', 'redirects in a circle');
run_fails('file', '/redirect?to=file:///etc/passwd', 'redirected to something that is not an http or https URL',
	'a redirect to a file');
run_fails('gopher', '/redirect?to=gopher://127.0.0.1/', 'redirected to something', 'a redirect to gopher');

# ---------------------------------------------------------------------------
# R57: secrets
# ---------------------------------------------------------------------------
sub map_secrets
{
	my ($name) = @_;
	$node->safe_psql('postgres',
		"CREATE USER MAPPING FOR CURRENT_USER SERVER api_$name
			OPTIONS (header 'X-Key: $marker', header_2 'Authorization: Bearer $marker', query 'api_key=$marker=/&')");
	return;
}

make_feed('secret', '/redirect?to=' . $other->url('/echo'));
map_secrets('secret');
run_feed($node, 'postgres', 'secret');
my ($asked) = grep { m{/redirect.*/echo} } $api->requests;
like($asked, qr/X-Key: $marker/, 'a header of the mapping is sent');
like($asked, qr/[?&]api_key=$marker%3[dD]%2[fF]%26/, 'and its parameter, encoded');
my @elsewhere = $other->requests;
is(scalar @elsewhere, 1, 'the redirect to another origin is followed');
unlike($elsewhere[0], qr/\Q$marker\E|X-Key|Authorization/, 'without any of them');

$other->forget_requests;
make_feed('next', '/text?body={"next":"' . $other->url('/bom') . '"}', feed => { options => q{'{"next": "$.next"}'} });
map_secrets('next');
is((run_feed($node, 'postgres', 'next'))[0], 0, 'a next page can be of another origin');
@elsewhere = $other->requests;
is(scalar @elsewhere, 1, 'it is asked for');
unlike($elsewhere[0], qr/\Q$marker\E|X-Key|Authorization/, 'without any of them');

make_feed('echo', '/echo');
map_secrets('echo');
(undef, $err) = run_feed($node, 'postgres', 'echo');
like($err, qr/is not JSON .*not shown: it holds a part of the user mapping/s, 'a body that echoes a secret is not shown');
make_feed('refused', '/key');
is((run_feed($node, 'postgres', 'refused'))[0], 3, 'without a key there is no entry');
like(last_run($node, 'postgres', 'refused', "state || http_status"), qr/failed401/, 'which is a 401');
$node->safe_psql('postgres', "CREATE USER MAPPING FOR PUBLIC SERVER api_refused OPTIONS (query 'api_key=right')");
is((run_feed($node, 'postgres', 'refused'))[0], 0, 'with the mapping of PUBLIC there is');

# R52: too slow for longer than 20 seconds; meanwhile the tests go on
make_feed('crawl', '/drip', server => "timeout_ms '10min'");
my $crawling = background("CALL userstream.run_feed('crawl')");

# ---------------------------------------------------------------------------
# R53, R54: bodies
# ---------------------------------------------------------------------------
my %copies = map { $_ => $kafka->new_topic("body_$_", 1) } qw(api gzip deflate br chunked);
foreach my $kind (sort keys %copies)
{
	run_succeeds("body_$kind", ($kind eq 'api' ? '/api/' : "/$kind") . '?results=50&seed=1', '50 50 0', "$kind: all records",
		feed => { topic => "'$copies{$kind}'", records => "'\$.results[*]'", key => "'login.uuid'" });
}
my $plain = values_of($copies{api});
is(length $plain > 10_000 && values_of($copies{$_}), $plain, "$_: the same body") foreach qw(gzip deflate br chunked);

make_feed('bomb', '/bomb?mb=100', server => "max_bytes '8MB'");
my ($before, $after) = map { /(\d+)/ } grep { /VmHWM/ } split /\n/,
  ($node->psql('postgres', "SELECT 'VmHWM ' || substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\\s+(\\d+)');
	CALL userstream.run_feed('bomb');
	SELECT 'VmHWM ' || substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\\s+(\\d+)')", on_error_stop => 0))[1];
like(last_run($node, 'postgres', 'bomb', "state || error"), qr/^failed.*larger than 8388608 bytes/,
	'100 MB in a small body are stopped at max_bytes');
cmp_ok($after - $before, '<', 40 * 1024, "and take no memory (kB: $before, $after)");

run_fails('short', '/short?results=50', 'could not get a response', 'a body that ends early');
run_fails('reset', '/reset', 'could not get a response', 'a connection that is reset');
run_fails('header', '/huge_header', 'headers of the response are larger than 256 kB', 'headers without end');
run_fails('closed', 'http://127.0.0.1:1/', 'could not get a response', 'nobody there');
run_fails('unknown', 'http://nowhere.invalid/', 'could not get a response', 'a name that does not exist',
	server => "timeout_ms '20000'");

# R56
$err = run_fails('html', '/html', 'HTTP status 200, content type "text/html"', 'a page instead of JSON');
like($err, qr/It begins with "<!DOCTYPE html>\\n<html><title>Log in<\/title>\\x01\\xffx+"\./, 'its first bytes are shown, escaped');
like($err, qr/x{140,160}"/, 'and no more than 200 of them');
run_fails('latin1', '/latin1', 'is not JSON .*invalid byte sequence', 'bytes that are not UTF-8');
run_succeeds('declared', '/latin1?declared=1', '1 1 0', 'unless the response says what they are');
run_succeeds('bom', '/bom', '1 1 0', 'a byte order mark is skipped');
run_fails('zero', '/zero', 'is not JSON .*null byte', 'a null byte');
run_fails('empty', '/text?body=', 'it is empty', 'an empty body');
run_succeeds('none', '/text?body=[]', '0 0 0', 'an empty list is no records');
run_succeeds('one', '/text?body={"id":1}', '1 1 0', 'an object is one record');
run_succeeds('scalar', '/text?body=7', '1 1 0', 'and so is a number');

# ---------------------------------------------------------------------------
# TLS
# ---------------------------------------------------------------------------
run_fails('plain', "https://127.0.0.1:$port/", 'could not get a response of \S+: SSL connection timeout', 'TLS with a server that has none',
	server => "connect_timeout_ms '1000', timeout_ms '10min'");
{
	my $dir = "${PostgreSQL::Test::Utils::tmp_check}/tls";
	my $tls_port = PostgreSQL::Test::Cluster::get_free_port();

	mkdir $dir;
	run_log([ 'openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
			'-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', "$dir/key.pem", '-out', "$dir/cert.pem" ],
		'>', "$dir/log", '2>&1') or die 'no certificate';
	append_to_file("$dir/users", '[{"id": "tls"}]');
	my $server = fork;
	die "fork: $!" unless defined $server;
	if (!$server)
	{
		chdir $dir;
		open(STDIN, '<', '/dev/null');
		open(STDOUT, '>>', 'log');
		open(STDERR, '>&', \*STDOUT);
		exec('openssl', 's_server', '-accept', "127.0.0.1:$tls_port", '-cert', 'cert.pem', '-key', 'key.pem', '-WWW', '-quiet')
		  or POSIX::_exit(1);
	}
	for (1 .. 600)
	{
		last if IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $tls_port);
		Time::HiRes::usleep(100_000);
	}
	run_fails('tls', "https://127.0.0.1:$tls_port/users", 'certificate', 'a certificate of nobody known',
		feed => { retries => 3 });
	is(last_run($node, 'postgres', 'tls', 'attempt'), 1, 'which is not tried again');
	run_succeeds('tls_ca', "https://127.0.0.1:$tls_port/users", '1 1 0', 'one of ca_file',
		server => "ca_file '$dir/cert.pem'");
	run_fails('tls_name', "https://localhost:$tls_port/users", 'certificate', 'one of another name',
		server => "ca_file '$dir/cert.pem'", feed => { retries => 3 });
	is(last_run($node, 'postgres', 'tls_name', 'attempt'), 1, 'which is not tried again either');
	kill 'TERM', $server;
	waitpid $server, 0;
}

# ---------------------------------------------------------------------------
# R52: silence, in every phase
# ---------------------------------------------------------------------------
waitpid $crawling, 0;
like(last_run($node, 'postgres', 'crawl', "state || ' ' || error"), qr/^failed could not get a response.*too slow/s,
	'a body that comes too slowly is not waited for until timeout_ms');
# one that does not take connections: as many wait already as may
my $busy = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Listen => 1) or die "socket: $!";
listen $busy, 0;
my @before_us = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $busy->sockport, Blocking => 0) } 1 .. 4;
my $connect = 'http://127.0.0.1:' . $busy->sockport . '/';
run_fails('slow_connect', $connect, 'Failed to connect to .* after 1\d\d\d ms', 'connect, until connect_timeout_ms',
	server => "connect_timeout_ms '1000', timeout_ms '10min'");
make_feed('cancel_connect', $connect, server => q{connect_timeout_ms '10min', timeout_ms '10min'});
make_feed('cancel_tls', "https://127.0.0.1:$port/", server => q{connect_timeout_ms '10min', timeout_ms '10min'});
foreach my $kind (qw(silence after_header drip endless))
{
	run_fails("slow_$kind", "/$kind", 'could not get a response', "$kind, until timeout_ms", server => "timeout_ms '700ms'");
	make_feed("cancel_$kind", "/$kind");
}
foreach my $kind (qw(connect tls silence after_header drip endless))
{
	like((run_feed($node, 'postgres', "cancel_$kind", connstr => $node->connstr('postgres') . " options='-c statement_timeout=1s'"))[1],
		qr/canceling statement due to statement timeout/, "$kind: statement_timeout ends it");
	my $child = background("CALL userstream.run_feed('cancel_$kind')");

	ok(is_waiting("cancel_$kind"), "$kind: a run waits");
	if ($kind eq 'silence')
	{
		is($node->safe_psql('postgres',
				"SELECT backend_xid IS NULL AND backend_xmin IS NULL AND NOT EXISTS (SELECT FROM pg_locks l
					WHERE l.pid = a.pid AND locktype NOT IN ('virtualxid', 'advisory'))
				   FROM pg_stat_activity a WHERE query LIKE '%run_feed%' AND pid <> pg_backend_pid()"),
			't', 'with no snapshot, no xid and no lock but the feed\'s own (R49)');
		is($node->safe_psql('postgres', "SELECT state FROM userstream.feed_status WHERE feed = 'cancel_silence'"),
			'running', 'and the view says so');
		($code, $err) = run_feed($node, 'postgres', 'cancel_silence');
		like($err, qr/NOTICE: +run of feed "cancel_silence" skipped: another run of it is under way/, 'a second run is skipped');
		is(last_run($node, 'postgres', 'cancel_silence', 'state'), 'skipped', 'and so it is written down');
	}
	$node->safe_psql('postgres',
		"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%run_feed%' AND pid <> pg_backend_pid()");
	waitpid $child, 0;
	isnt($?, 0, "$kind: a cancelled call fails");
	is($node->safe_psql('postgres',
			"SELECT state, error FROM userstream.feed_run WHERE feed = 'cancel_$kind' AND state <> 'skipped' ORDER BY id DESC LIMIT 1"),
		'cancelled|canceling statement due to user request', "$kind: and is written down");
}
close $_ foreach $busy, grep { defined } @before_us;
# a name that is being looked up: the thread that does it is left behind
make_feed('hanging', 'http://hang.invalid/');
{
	my $child = background("CALL userstream.run_feed('hanging')");

	ok(is_waiting('hanging'), 'a run waits for a name');
	$node->safe_psql('postgres',
		"SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%run_feed%' AND pid <> pg_backend_pid()");
	waitpid $child, 0;
	ok( wait_until($node, 'postgres',
			"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%run_feed%' AND pid <> pg_backend_pid()", 0),
		'a cancelled one ends, and its session too, while the name is still being looked up');
	is(last_run($node, 'postgres', 'hanging', 'state'), 'cancelled', 'and is written down');
	$child = background("CALL userstream.run_feed('hanging')");
	ok(is_waiting('hanging'), 'another one waits for it');
	is($node->safe_psql('postgres',
			"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE query LIKE '%run_feed%' AND pid <> pg_backend_pid()"),
		't', 'a terminated session ends meanwhile, too');
	waitpid $child, 0;
	$node->safe_psql('postgres', "ALTER SERVER api_hanging OPTIONS (ADD timeout_ms '500')");
	like((run_feed($node, 'postgres', 'hanging'))[1], qr/could not get a response of http:\S+: .*timed out/,
		'timeout_ms counts for names too');
}
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0, 'no lock is left');

{
	my $child = background("CALL userstream.run_feed('cancel_silence')");

	ok(is_waiting('cancel_silence'), 'a run waits');
	$node->safe_psql('postgres',
		"SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE query LIKE '%run_feed%' AND pid <> pg_backend_pid()");
	is($node->safe_psql('postgres',
			"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%run_feed%' AND pid <> pg_backend_pid()"),
		0, 'a terminated session ends');
	waitpid $child, 0;
	is($node->safe_psql('postgres', "SELECT state FROM userstream.feed_status WHERE feed = 'cancel_silence'"),
		'failed', 'the view knows that nobody runs it');
	$node->safe_psql('postgres', "ALTER SERVER api_cancel_silence OPTIONS (SET url '@{[$api->url('/bom')]}')");
	is((run_feed($node, 'postgres', 'cancel_silence'))[0], 0, 'the next run goes well');
	is($node->safe_psql('postgres',
			"SELECT string_agg(state || coalesce(': ' || error, ''), ', ' ORDER BY id)
			   FROM (SELECT * FROM userstream.feed_run WHERE feed = 'cancel_silence' ORDER BY id DESC LIMIT 2) r"),
		'failed: the session that ran it ended before the run did, succeeded', 'and closes the one before');
}

# ---------------------------------------------------------------------------
# nowhere any secret
# ---------------------------------------------------------------------------
unlike(slurp_file($node->logfile), qr/\Q$marker\E/, 'no secret is in the log');
is($node->safe_psql('postgres',
		"SELECT (SELECT count(*) FROM userstream.feed_run r WHERE r::text LIKE '%$marker%')
			+ (SELECT count(*) FROM userstream.dead_letter d WHERE d::text LIKE '%$marker%')
			+ (SELECT count(*) FROM userstream.feed_status s WHERE s::text LIKE '%$marker%')
			+ (SELECT count(*) FROM userstream.feed f WHERE f::text LIKE '%$marker%')"),
	0, 'nor in our tables and views');

done_testing();
