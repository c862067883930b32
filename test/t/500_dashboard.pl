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
foreach my $page (qw(/ /streams /streams/x /messages/x /messages/x/0/1 /feeds /feeds/x /feeds/x/1 /dead-letters /dead-letters/1 /mirrors))
{
	my %reply = map { ($_ => $bad->cgi(PATH_INFO => $page, QUERY_STRING => "format=$_")) } qw(html json csv);

	is(join(' ', map { $reply{$_}{status} } sort keys %reply), '503 503 503', "in each format: $page");
	like("$reply{html}{body}$reply{csv}{body}$reply{json}{body}",
		qr/database is away.*<\/html>\nthe database is away\n\{.*the database is away/s, 'with its reason');
}
foreach my $download ('/messages/x/0/1', '/dead-letters/1')
{
	is($bad->cgi(PATH_INFO => $download, QUERY_STRING => 'download=value')->{status}, 503, "as a file: $download");
}
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

# a stream that runs, and one with a hostile name that never did
sql(q{CREATE TABLE users (id integer PRIMARY KEY, name text)});
sql(qq{SELECT userstream.create_stream('users', server => 'kafka', topic => '$topic', target => 'users');
	BEGIN;
	SELECT userstream.create_stream('$evil', server => 'kafka', topic => '$topic', target => 'users');
	SELECT userstream.pause_stream('$evil');
	COMMIT});
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
like($stream->{body}, qr/Open incidents.*Partitions.*Ledger.*yes<\/span>.*Last 24 hours.*Definition.*on_error.*Incidents that are over/s, 'a stream has its panels');
like($stream->{body}, qr{<section id="partitions">.*Worker</th>.*<td class="n">0</td><td class="n">\d+</td><td class="n">0</td></tr>}s, 'and partitions their worker');
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

like($letter, qr/<summary>Indented<\/summary><pre class="code">\{\n  &quot;id&quot;: &quot;&lt;\/textarea/, 'JSON is also shown indented');
like($letter, qr/00000000  7b 22 69 64/, 'and its bytes');
my $download = $dashboard->cgi(PATH_INFO => "/dead-letters/$id", QUERY_STRING => 'download=value');
is($download->{body}, '{"id": "</textarea><script>"}', 'the bytes are there as a file');
is("$download->{headers}{'content-type'} $download->{headers}{'content-disposition'}",
	"application/octet-stream attachment; filename=\"dead-letter-$id.bin\"", 'which no browser shows');
is($dashboard->cgi(PATH_INFO => "/dead-letters/$id", QUERY_STRING => 'download=key')->{status}, 404, 'not a part that is null');
is($dashboard->cgi(PATH_INFO => "/dead-letters/$id", QUERY_STRING => 'download=x')->{status}, 400, 'nor another');

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
like(look('partition=0&offset=2&limit=10')->{body},
	qr{rel="prev" href="\?partition=0&amp;limit=10&amp;offset=0">.*rel="next" href="\?partition=0&amp;limit=10&amp;offset=8"}s,
	'links to the messages before and behind');
like(look('')->{body}, qr{<a href="/messages/users%2F0%2F5">5</a>}, 'a message has its own page');
sub message { my ($place, $query) = @_; return $dashboard->cgi(PATH_INFO => "/messages/users/$place", QUERY_STRING => $query // ''); }
my $message = message('0/7')->{body};
like($message, qr/<pre class="code"[^>]*>[^<]*<span class="odd">&lt;U\+202E&gt;/, 'which shows all of it');
like($message, qr/rel="prev" href="\/messages\/users\/0\/6".*rel="next" href="\/messages\/users\/0\/8"/s, 'and its neighbours');
my ($try) = $message =~ m{<code tabindex="0">(SELECT t\.\* FROM userstream\.peek.*?)</code>};
$try = ($try // 'SELECT 1') =~ s/&#39;/'/gr =~ s/&gt;/>/gr;
is(sql("BEGIN; DELETE FROM users WHERE id = 9; $try; ROLLBACK"), qq{{"id": 9, "name": "\xe2\x80\xae"}}, 'the call to try it works');
is(message('0/6', 'download=value')->{body}, "\xff\xfe", 'a message as a file');
is(message('0/8')->{status}, 404, 'a message that is not there yet');
is(message('99999/0')->{status}, 404, 'nor in a partition that is not there');
is(message('0/9223372036854775808')->{status}, 404, 'nor at what is no offset');
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

# users, of whom one has a hostile nationality
sub file
{
	my ($name, $does) = @_;
	return $node->command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'),
			'-f', "$ENV{USERSTREAM_SRC}/$name" ], $does);
}
like($dashboard->cgi(PATH_INFO => '/')->{body}, qr/views of a schema dashboard/, 'a page whose views are not there says which');
sql('CREATE SCHEMA cron; CREATE FUNCTION cron.schedule(text, text, text) RETURNS bigint LANGUAGE sql RETURN 1');
file('test/servers/demo_users.sql', 'the table of users is made');
file('test/servers/demo_dashboard.sql', 'with its views');
like($dashboard->cgi(PATH_INFO => '/')->{body}, qr/No user came yet/, 'no user');
sql(q{INSERT INTO spark_streams.created_users (id, gender, dob, registered_date, nationality)
	SELECT md5(n::text)::uuid, CASE WHEN n % 3 > 0 THEN (ARRAY['male', 'female'])[n % 3] END, date '1950-01-01' + n * 100,
		   date '2020-01-01' + n, CASE WHEN n % 2 = 0 THEN '<a href="https://evil.example/">US</a>' ELSE 'N' || n % 40 END
	FROM generate_series(1, 200) n;
	SELECT dashboard.refresh()});
my $users = $dashboard->cgi(PATH_INFO => '/')->{body};
unlike($users, qr/<a href="https:/, 'a hostile nationality is no link');
like($users, qr/&lt;a href=&quot;https:\/\/evil\.example\/&quot;&gt;US&lt;\/a&gt;, male: \d+<\/title>.*<th scope="row">&lt;a href/s,
	'but text, in the picture and in its table');
like($users, qr/<path class="line s0".*<path class="dots s0"/s, 'age against registration: lines and dots');
is(scalar(() = $users =~ /<svg /g), 5, 'five charts');

# feeds and mirrors, as rows: nothing runs here that would make them
sql(q{INSERT INTO userstream.feed (name, owner, owner_oid, server, server_oid, kafka_server, kafka_server_oid, topic,
		records, retries, options, timezone, home) VALUES ('api/1', 'x', 10, 'a', 1, 'k', 1, 't', '$', 3, '{}', 'UTC', 'x/1');
	INSERT INTO userstream.feed_run (run_id, feed, owner_oid, attempt, state, started_at, finished_at, http_status, records, error)
	SELECT n, 'api/1', 10, a, CASE WHEN a = 1 AND n % 10 = 0 THEN 'failed' ELSE 'succeeded' END,
		   now() - (50 - n) * interval '1 minute', now() - (50 - n) * interval '1 minute' + a * interval '1 s', 200, 7,
		   CASE WHEN a = 1 AND n % 10 = 0 THEN '<b>bad</b>' END
	FROM generate_series(1, 40) n, generate_series(1, 1 + (n % 10 = 0)::integer) a});
like($dashboard->cgi(PATH_INFO => '/feeds')->{body}, qr{<li class="run succeeded"><a href="/feeds/api%2F1/40"}, 'runs of a feed as a grid');
my $runs = $dashboard->cgi(PATH_INFO => '/feeds/api/1')->{body};
is(scalar(() = $runs =~ m{<th scope="row" class="n"><a href="/feeds/api%2F1%2F\d+">}g), 30, 'a feed whose name ends like a run');
like($dashboard->cgi(PATH_INFO => '/feeds/api/1/40')->{body}, qr/&lt;b&gt;bad&lt;\/b&gt;.*CALL userstream\.run_feed\(&#39;api\/1&#39;\)/s,
	'the attempts of a run');
is($dashboard->cgi(PATH_INFO => '/feeds/api/1/41')->{status}, 404, 'a run that is not there');
like($runs, qr{<svg(?:(?!<title>40,).)*<title>11, seconds: 1<.*<title>40, seconds: 2<}s, 'its picture ends with the newest');
sql(qq{UPDATE userstream.feed SET topic = '$topic', kafka_server = 'kafka', kafka_server_oid = (SELECT oid FROM pg_foreign_server WHERE srvname = 'kafka');
	UPDATE userstream.feed_run SET first_offsets = '{"0": 2, "1": 0}', last_offsets = '{"0": 5, "1": 0}' WHERE run_id = 39});
my $sent = $dashboard->cgi(PATH_INFO => '/feeds/api/1/39')->{body};
like($sent, qr{href="/messages/users%2F0%2F2">2</a></td><td class="n"><a href="/messages/users%2F0%2F5">5</a>.*href="/messages/users%2F1%2F0"}s,
	'a run leads to its messages, first and last, by the streams that read them');
unlike($sent, qr/<img/, 'whatever these are called');
sql(q{INSERT INTO userstream.mirror (name, owner, owner_oid, target, target_oid, server, server_oid, keyspace, table_name,
		create_table, copy_data, options, timezone, home)
	VALUES ('copy', 'x', 10, 'public.users', 'public.users'::regclass, 'c', 1, 'ks', 't"<b>', true, true, '{}', 'UTC', 'x/1');
	INSERT INTO userstream.mirror_position (mirror_id, rows_mirrored, deletes, parked) SELECT id, 41, 2, 1 FROM userstream.mirror;
	INSERT INTO userstream.dead_letter (owner, owner_oid, home, mirror, sqlstate, error, value)
	VALUES ('x', 10, 'x/1', 'copy', '22000', 'parked row', '\x00ff')});
my $mirrors = $dashboard->cgi(PATH_INFO => '/mirrors')->{body};
like($mirrors, qr{copy</dd>.*stopped.*ks\.t&quot;&lt;b&gt;.*>41<.*>2<.*<a href="/dead-letters\?mirror=copy">1</a>}s, 'a mirror with its numbers');
sql(q{INSERT INTO userstream.incident (owner, owner_oid, mirror, kind, detail, what_to_do)
	VALUES ('x', 10, 'copy', 'table_changed', 'a table <b>', 'resync it')});
like($dashboard->cgi(PATH_INFO => '/mirrors')->{body}, qr{Open incidents.*mirror copy.*table_changed.*a table &lt;b&gt;.*resync it}s, 'and what waits for a person');
unlike($dashboard->cgi(PATH_INFO => '/mirrors')->{body}, qr/about.*stream users/, 'of mirrors only');
sql(q{UPDATE userstream.incident SET closed_at = now() WHERE mirror = 'copy'});
like($dashboard->cgi(PATH_INFO => '/dead-letters', QUERY_STRING => 'mirror=copy')->{body}, qr/parked row(?!.*stream users)/s, 'and its parked rows');
like($streams->{body}, qr{<p id="states" aria-live="polite">Streams: <a href="/streams\?state=paused">.*?paused</span> 1</a> · .*?caught up</span> 1</a></p>},
	'every page says how the streams are');
like($dashboard->cgi(PATH_INFO => '/streams', QUERY_STRING => 'q=us%22er&state=paused')->{body}, qr{<a href="\?q=us%22er&amp;state=paused&amp;format=json">},
	'and leads to the same as JSON, without a script');
like($dashboard->cgi(PATH_INFO => '/dead-letters', QUERY_STRING => 'stream=users')->{body}, qr{<a href="\?stream=users&amp;format=csv&amp;table=arrivals">CSV</a>},
	'and a table as CSV');
like($streams->{body}, qr{id="as-of">As of <time}, 'and as of when it speaks');

# what JSON has is what SQL says
my %equal = (
	'/streams streams' => 'SELECT stream, state, messages_read::text, dead_letters::text, topic FROM userstream.stream_status',
	'/streams/users partitions' => q{SELECT partition, worker, next_offset::text, high_offset::text, lag_messages::text
		FROM userstream.partition_status WHERE stream = 'users'},
	'/streams/users ledger' => q{SELECT NULL::integer AS partition, sum(messages_read)::text AS messages_read, true AS balanced
		FROM userstream.ledger WHERE stream = 'users' UNION ALL SELECT partition, messages_read::text, balanced
		FROM userstream.ledger WHERE stream = 'users'},
	'/streams/users definition' => q{SELECT v.* FROM userstream.stream_definition, LATERAL (VALUES ('server', server), ('topic', topic),
		('target', target), ('format', format), ('mode', mode), ('start_at', start_at), ('on_error', on_error),
		('workers', workers::text), ('owner', owner), ('time zone', timezone), ('version', config_version::text),
		('created', (created_at AT TIME ZONE 'UTC')::text || '+00')) v(part, value) WHERE stream = 'users'},
	'/messages/users?partition=0&offset=0 messages' => q{SELECT kafka_offset::text, partition, octet_length(value) AS size, value::text
		FROM userstream.peek('kafka', (SELECT topic FROM userstream.stream_status WHERE stream = 'users'), 0, 0)},
	'/feeds feeds' => 'SELECT feed, state, runs_24h::text, failures_24h::text, last_error FROM userstream.feed_status',
	'/feeds runs' => q{SELECT run_id::text, feed, count(*)::text AS attempts FROM userstream.feed_run WHERE run_id > 10 GROUP BY 1, 2},
	'/feeds/api/1/40 attempts' => 'SELECT attempt, state, error FROM userstream.feed_run WHERE run_id = 40',
	'/dead-letters dead_letters' => 'SELECT id::text, error, sqlstate, partition FROM userstream.dead_letter',
	'/dead-letters arrivals' => q{SELECT to_char(h AT TIME ZONE 'UTC', 'HH24:MI') AS hour, count(id)::text AS n
		FROM generate_series(date_trunc('hour', now()) - interval '23 hours', now(), interval '1 hour') h
		LEFT JOIN userstream.dead_letter ON date_trunc('hour', created_at) = h GROUP BY 1},
	"/dead-letters/$id dead_letter" => "SELECT id::text, stream, topic, kafka_offset::text, error FROM userstream.dead_letter WHERE id = $id",
	"/dead-letters/$id message" => "SELECT 'value' AS part, octet_length(value) AS size, value::text AS bytes FROM userstream.dead_letter
		WHERE id = $id UNION ALL VALUES ('key', NULL::integer, NULL), ('headers', NULL, NULL)",
	'/mirrors mirrors' => 'SELECT mirror, owner, state, hosts, rows_mirrored::text, deletes::text, parked::text FROM userstream.mirror_status',
	'/ totals' => 'SELECT total::text, nationalities::text, male::text, age_unknown::text FROM dashboard.users_totals',
	'/ ages' => q{SELECT lo || '–' || hi AS label, (sum(n) FILTER (WHERE gender = 'male'))::text AS male FROM dashboard.users_by_age GROUP BY lo, hi},
	'/ registrations' => q{SELECT to_char(month, 'YYYY-MM') AS month, n::text, p50 FROM dashboard.users_age_by_month WHERE gender IS NULL},
);
foreach my $what (sort keys %equal)
{
	my ($path, $member) = split ' ', $what;
	# an hour may begin between the two looks, not again between two more
	ok($dashboard->member_is($node, $path, $member, $equal{$what}) || $dashboard->member_is($node, $path, $member, $equal{$what}),
		"JSON equals SQL: $what");
}

# in Spanish: as the browser asks, as one chose, and no word is left out (the
# program would say so and the test end)
my %spanish = (
	'/' => qr/Usuarios por nacionalidad y género.*>otros</s, '/streams' => qr/en pausa.*Incidentes abiertos/s,
	'/streams/users' => qr/<span class="kind">Stream<\/span> users.*Libro de cuentas.*zona horaria/s, '/messages/users' => qr/Se miraron 8 mensajes, offsets 0 a 7\./,
	'/messages/users/0/7' => qr/Lo que contiene|<h2 class="part">valor/, '/messages/users/0/9' => qr/aún no llegó/,
	'/feeds' => qr/Últimas ejecuciones.*S logrado/s, '/feeds/api/1' => qr/Cuánto tardaron/, '/feeds/api/1/40' => qr/<span class="kind">Ejecución<\/span> api\/1\/40/,
	'/dead-letters' => qr/Rechazos, los más nuevos primero/, "/dead-letters/$id" => qr/Motivo.*Sangrado/s, '/mirrors' => qr/Filas copiadas/,
	'/streams/nosuch' => qr/No hay ningún stream.*que este rol pueda ver/s, '/nosuch' => qr/no existe esa página/,
);
foreach my $page (sort keys %spanish)
{
	like($dashboard->cgi(PATH_INFO => $page, QUERY_STRING => 'lang=es')->{body}, $spanish{$page}, "in Spanish: $page");
}
like($bad->cgi(PATH_INFO => '/feeds', QUERY_STRING => 'lang=es')->{body}, qr/La base de datos no está disponible/, 'also when there is nothing to read');
my $chosen = $dashboard->cgi(PATH_INFO => '/streams', QUERY_STRING => 'lang=es&q=users');
like($chosen->{headers}{'set-cookie'}, qr/^userstream_lang=es; Path=\/; Max-Age=\d+; SameSite=Strict; HttpOnly$/, 'a choice is kept');
like($chosen->{body}, qr{<html lang="es">.*<a href="\?q=users&amp;lang=en">English</a>}s, 'and can be changed');
my %asked = ('' => 'en', 'es' => 'es', 'de, es-MX;q=0.8, en;q=0.5' => 'es', 'en, es;q=0.9' => 'en', 'de' => 'en', 'estonian' => 'en');
like($dashboard->cgi(PATH_INFO => '/feeds', HTTP_ACCEPT_LANGUAGE => $_)->{body}, qr/<html lang="$asked{$_}">/, "who asks for \"$_\"") foreach sort keys %asked;
my $kept = $dashboard->cgi(PATH_INFO => '/feeds', HTTP_COOKIE => 'a=b; userstream_lang=es', HTTP_ACCEPT_LANGUAGE => 'en');
like($kept->{body}, qr/<html lang="es">/, 'the choice comes before the browser');
is($kept->{headers}{vary}, 'Accept, Accept-Language, Cookie', 'which caches are told');
is($dashboard->cgi(PATH_INFO => '/feeds', QUERY_STRING => 'lang=xx')->{status}, 400, 'a language that is none of ours');
like($dashboard->cgi(PATH_INFO => '/streams', QUERY_STRING => 'lang=es&format=csv&q=users')->{body}, qr/^stream,state,.*\r\nusers,caught_up,0,/,
	'data is the same in each');

# lists say how they are sorted
like($dashboard->cgi(PATH_INFO => '/dead-letters')->{body}, qr/<th scope="col" aria-sort="descending">Came/, 'dead letters, the newest first');
like($streams->{body}, qr/<th scope="col" aria-sort="other">State/, 'streams, the worst first');

# what the role may not see, what is not there
sql('REVOKE SELECT ON userstream.ledger FROM PUBLIC; ALTER VIEW userstream.mirror_status RENAME TO gone');
my $refused = $dashboard->cgi(PATH_INFO => '/streams/users');
like($refused->{body}, qr/This role may not read it.*\(42501\).*GRANT pg_monitor/s, 'a panel that may not be read says so');
like($refused->{body}, qr/<section id="partitions">.*<table>/s, 'and the others stay');
like($dashboard->cgi(PATH_INFO => '/mirrors')->{body}, qr/its version is older than they are.*42P01/s, 'a view that is not there');
like($dashboard->cgi(PATH_INFO => '/metrics')->{body}, qr/^userstream_scrape_collector_success\{collector="ledger"\} 0$/m, 'metrics tell it too');
sql('GRANT SELECT ON userstream.ledger TO PUBLIC; ALTER VIEW userstream.gone RENAME TO mirror_status');

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
	[ "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", qr/^HTTP\/1\.[01] 400/, 'two kinds of length' ],
	[ "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx", qr/^HTTP\/1\.[01] 400/, 'two lengths' ],
	[ "GET / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", qr/^HTTP\/1\.[01] 400/, 'a length below 0' ],
	[ "GET / HTTP/1.1\r\nHost: localhost\r\nX: a\0b\r\n\r\n", qr/^HTTP\/1\.[01] 400/, 'a zero byte in a header' ],
	[ "GET / HTTP/1.1\nHost: localhost\n\n", qr/^HTTP\/1\.[01] 400/, 'line feeds only' ],
	[ "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 40[03]/, 'an address of another host' ],
	[ "GET /?a=%0d%0aX:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 400/, 'a line feed in the query' ],
	[ "GET /?a=%c0%af HTTP/1.1\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 400/, 'no UTF-8 in the query' ],
	[ "GET /static/../../x HTTP/1.0\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 404/, 'another way out of static' ],
	[ "GET /?" . 'x' x 9000 . " HTTP/1.0\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 431/, 'an address of 9 kB' ],
	[ "PUT / HTTP/1.0\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 403/, 'PUT' ],
	[ "DELETE / HTTP/1.0\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] 403/, 'DELETE' ],
	[ "BREW / HTTP/1.0\r\nHost: localhost\r\n\r\n", qr/^HTTP\/1\.[01] (?:403|501)/, 'a method of nobody' ],
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
my $small = $dashboard->get('/feeds', 'Accept-Encoding' => 'gzip');
is($small->{headers}{'content-encoding'}, 'gzip', 'it is compressed for who takes that');
is($dashboard->get('/feeds', 'If-None-Match' => $small->{headers}{etag}, 'Accept-Encoding' => 'gzip')->{status}, 304,
	'and its tag is known again');

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
is($dashboard->get("/streams/users?refresh=$_")->{status}, 200, "by each of them: $_") foreach 1 .. 4;
is(scalar(@programs), scalar(grep { -e "/proc/$_" } @programs), 'none of them ended');
$dashboard->stop;
is(scalar(grep { (slurp("/proc/$_/cmdline") // '') =~ /dashboard/ } @programs), 0, 'and none is left at the end');

# the policies of the role are on tables of an extension: dumps leave them out, and nothing is in the way
my $dump = PostgreSQL::Test::Utils::tempdir() . '/dump';
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'the database is dumped');
sql('CREATE DATABASE restored');
$node->command_ok([ 'pg_restore', '--exit-on-error', '-d', $node->connstr('restored'), $dump ], 'and restored');
my $restored = DashboardTest->new($node, 'restored');
like($restored->cgi(PATH_INFO => '/dead-letters')->{body}, qr/There is none/, 'where the role sees nothing of others');
$node->command_ok([ 'psql', '-XAtq', '-d', $node->connstr('restored'), '-f', "$ENV{USERSTREAM_SRC}/dashboard/role.sql" ],
	'until it is made again');
like($restored->cgi(PATH_INFO => '/dead-letters')->{body}, qr/stream users/, 'there too');
is($node->psql('restored', 'DROP EXTENSION userstream CASCADE'), 0, 'the extension can be dropped');
like($restored->cgi(PATH_INFO => '/dead-letters')->{body}, qr/has no userstream yet/, 'which is told');

$node->stop;
done_testing();
