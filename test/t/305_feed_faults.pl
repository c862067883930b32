#
# test/t/305_feed_faults.pl
#    runs of a feed that end in every way, in random order: what a run or the feed says
#    to be in the topic is there, and in the end all of the API's records are
#
# Each fault comes once; FEED_ROUNDS is another number of them, at random, and
# FEED_SEED repeats a run's order.
#
# The API has numbered records, of which the feed asks for those since the last
# success.  One stream keeps each message of the topic with its offset, another
# one each record once, by its key.
#
use strict;
use warnings;

use IPC::Run ();
use List::Util qw(shuffle);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use FaultTest;
use FeedTest;
use UserstreamTest;

use constant { PAGE => 20, PAGES => 12 };
use constant SESSION => q{the session that ran it ended before the run did};

my $seed = $ENV{FEED_SEED} // int(rand(2**31));
note("FEED_SEED=$seed");
srand($seed);

my $kafka = UserstreamTest::Kafka->new('faults');
my $api = FeedTest->api('main');
my $node = userstream_node('main', conf => "userstream.restart_interval = '100ms'");
my $topic = $kafka->new_topic('numbers', 3);
my $newest = 0;

sub sql { my ($text) = @_; return $node->safe_psql('postgres', $text); }

create_server($node, 'postgres', $kafka);
create_gate($node, 'postgres');
create_api_server($node, 'postgres', 'api', $api->url('/numbers?size=' . PAGE));
sql(qq{
	CREATE TABLE seen (id bigint, name text, p int, o bigint, UNIQUE (p, o));
	CREATE TABLE numbers (id bigint PRIMARY KEY, name text);
	SELECT userstream.create_stream('seen', 'kafka', '$topic', 'seen', columns => '{"p": "\@partition", "o": "\@offset"}');
	SELECT userstream.create_stream('numbers', 'kafka', '$topic', 'numbers', mode => 'upsert', key => '{id}');
	-- a run that is to be hit takes seconds
	CREATE TABLE slow ();
	CREATE FUNCTION slowly(r jsonb) RETURNS jsonb LANGUAGE plpgsql AS \$\$ BEGIN
		IF EXISTS (SELECT FROM public.slow) THEN PERFORM pg_sleep(0.02); END IF;
		RETURN r; END \$\$;
	SELECT userstream.create_feed('numbers', 'api', 'kafka', '$topic', records => '\$.items[*]', transform => 'slowly(jsonb)',
		key => 'id', retries => 2, options => '{"page": "page", "since": {"parameter": "after", "path": "\$.newest"}}')});

# ---------------------------------------------------------------------------
# the checker
# ---------------------------------------------------------------------------

# what both the feed and its runs say is in the topic is there; $complete: all records are
sub is_true
{
	my ($what, $complete) = @_;
	my $ends = $kafka->end_offsets($topic);
	my $positions = join ',', map { "$_:$ends->{$_}" } sort { $a <=> $b } keys %$ends;
	my $messages = 0;

	$messages += $_ foreach values %$ends;
	foreach my $stream ('seen', 'numbers')
	{
		wait_until($node, 'postgres', "SELECT string_agg(partition || ':' || next_offset, ',' ORDER BY partition)
			FROM userstream.partition_status WHERE stream = '$stream'", $positions)
		  or return fail("$what: stream \"$stream\" has read the topic");
	}
	return is(sql(qq{
		WITH feed AS (SELECT coalesce(since_value::bigint, 0) AS since FROM userstream.feed WHERE name = 'numbers'),
		run AS (
			SELECT *, (SELECT count(*) FROM jsonb_each_text(first_offsets) f JOIN jsonb_each_text(last_offsets) l USING (key)
					JOIN seen ON p = key::int AND o BETWEEN f.value::bigint AND l.value::bigint) AS there
			  FROM userstream.feed_run
		), wrong AS (
			SELECT format('%s of the records up to %s are missing', count(*), max(n)) AS what
			  FROM feed, generate_series(1, since) n
				 WHERE NOT EXISTS (SELECT FROM seen WHERE id = n) HAVING count(*) > 0
			UNION ALL SELECT format('the feed stands at %s', since) FROM feed WHERE $complete AND since <> $newest
			UNION ALL SELECT format('%s messages are in the topic, not $messages', count(*)) FROM seen HAVING count(*) <> $messages
			UNION ALL SELECT format('runs say %s messages, there are %s', sum(records_produced), $messages)
				FROM run HAVING sum(records_produced) > $messages
			UNION ALL SELECT format('run %s says %s messages, in its offsets are %s', id, records_produced, there)
				FROM run WHERE records_produced > there
			UNION ALL SELECT format('run %s succeeded with %s records and %s messages', id, records, records_produced)
				FROM run WHERE state = 'succeeded' AND records_produced <> records
			UNION ALL SELECT format('run %s is %s, error %s, finished %s', id, state, error, finished_at)
				FROM run WHERE state = 'running' OR finished_at IS NULL OR (state = 'succeeded') <> (error IS NULL)
			UNION ALL SELECT format('%s numbers are not what the API has', count(*))
				FROM (SELECT n, 'number ' || n FROM feed, generate_series(1, since) n EXCEPT SELECT * FROM numbers) m HAVING count(*) > 0
			UNION ALL SELECT format('%s numbers are none of the API''s', count(*)) FROM numbers
				WHERE id NOT BETWEEN 1 AND $newest OR name <> 'number ' || id HAVING count(*) > 0
			UNION ALL SELECT format('%s dead letters', count(*)) FROM userstream.dead_letter HAVING count(*) > 0
			UNION ALL SELECT format('ledger of %s', stream) FROM userstream.ledger WHERE NOT balanced)
		SELECT string_agg(what, E'\\n') FROM wrong}), '', $what);
}

# ---------------------------------------------------------------------------
# faults
# ---------------------------------------------------------------------------

# a run beside the test, under way with a random one of its pages
sub begin_run
{
	my $pages = 1 + int(rand(PAGES / 2));
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;

	$newest += PAGE * PAGES;
	$api->give($newest);
	$api->forget_requests;
	sql('INSERT INTO slow DEFAULT VALUES');
	my $run = start_feed($node, 'postgres', 'numbers');
	my $pid = wait_until($node, 'postgres', q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL userstream.run_feed(%'}, 1)
	  && sql(q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL userstream.run_feed(%'});
	sleep(0.002) while $api->requests < $pages && time < $end;
	return ($run, $pid);
}

# a signal to its session, and what the run says of itself then
sub strike_session
{
	my ($signal, $state, $error) = @_;
	my ($run, $pid) = begin_run();

	kill $signal, $pid;
	$run->();
	wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", 0);
	return ok(has_ended($state, $error), "$signal ends the run");
}

# what the last run says of itself, or the supervisor of it
sub has_ended
{
	my ($state, $error) = @_;

	return wait_until($node, 'postgres',
		q{SELECT state || ': ' || error FROM userstream.feed_run WHERE feed = 'numbers' ORDER BY id DESC LIMIT 1}, "$state: $error");
}

sub strike_server
{
	my ($fault) = @_;
	my ($run) = begin_run();
	my $done = FaultTest::strike($node, $fault);

	$run->();
	return $done && ok(has_ended('failed', SESSION), "$fault ends the run");
}

sub strike_broker
{
	my ($how) = @_;
	my ($run, $pid) = begin_run();

	if ($how eq 'kill') { $kafka->kill; $kafka->start; }
	else
	{
		# what the broker has taken meanwhile is unknown to the run
		$kafka->pause;
		kill 'INT', $pid;
		$run->();
		$kafka->continue;
	}
	$run->();
	return $how eq 'kill' || is(last_run($node, 'postgres', 'numbers', 'state'), 'cancelled', 'cancelled while the broker is frozen');
}

# a random page meets it; what is told by a run of one attempt is told
sub strike_api
{
	my ($word, $error, $goes_on) = @_;

	$newest += PAGE * PAGES;
	$api->give($newest);
	$api->fault(('ok') x int(rand(PAGES)), $word);
	run_feed($node, 'postgres', 'numbers');
	is(last_run($node, 'postgres', 'numbers', 'state'), $goes_on ? 'succeeded' : 'failed', "API: $word");
	return like(sql(q{SELECT error FROM userstream.feed_run WHERE state = 'failed' ORDER BY id DESC LIMIT 1}), $error, '... is told');
}

my %faults = (
	'session killed' => sub { strike_session('KILL', 'failed', SESSION) },
	'session terminated' => sub { strike_session('TERM', 'failed', SESSION) },
	'run cancelled' => sub { strike_session('INT', 'cancelled', 'canceling statement due to user request') },
	'kill postmaster' => sub { strike_server('kill postmaster') },
	'stop immediate' => sub { strike_server('stop immediate') },
	'broker killed' => sub { strike_broker('kill') },
	'broker frozen' => sub { strike_broker('pause') },
	'API: half' => sub { strike_api('half', qr/end of|Recv failure|closed|outstanding/, 1) },
	'API: drip' => sub { strike_api('drip', qr/end of|Recv failure|closed|outstanding/, 1) },
	'API: reset' => sub { strike_api('reset', qr/reset|Empty reply/i, 1) },
	'API: 500' => sub { strike_api(500, qr/HTTP status 500/, 1) },
	'API: 429' => sub { strike_api(429, qr/HTTP status 429/, 1) },
	'API: html' => sub { strike_api('html', qr/is not JSON/, 0) });
my @kinds = sort keys %faults;
my @schedule = shuffle @kinds;
if (my $rounds = $ENV{FEED_ROUNDS})
{
	push @schedule, $kinds[ rand @kinds ] while @schedule < $rounds;
	$#schedule = $rounds - 1;
}

foreach my $fault (@schedule)
{
	my $code = 1;

	ok($faults{$fault}->(), $fault);
	wait_until($node, 'postgres', 'SELECT true');
	$api->fault();
	sql('DELETE FROM slow');
	is_true("$fault: nothing is said that is not", 'false');
	# a broker may still be coming up
	foreach my $try (1 .. 10)
	{
		($code) = run_feed($node, 'postgres', 'numbers');
		last if $code == 0;
	}
	is($code, 0, "$fault: the next run goes well");
	is_true("$fault: then all is there (FEED_SEED=$seed)", 'true');
}
is(sql(qq{SELECT count(*) FROM userstream.feed_run WHERE error = '@{[SESSION]}'}),
	scalar(grep { /^(?:session|kill|stop)/ } @schedule), 'no other run lost its session');

# ---------------------------------------------------------------------------
# without a postmaster nothing may be left that waits for others: it could not start again
# ---------------------------------------------------------------------------
sub survives_nobody
{
	my ($run, $what) = @_;
	my $postmaster = $node->{_pid};
	my $pid = sql(q{SELECT pid FROM pg_stat_activity WHERE query LIKE 'CALL userstream.run_feed(%'});
	my $end = time + ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);

	kill 'KILL', $postmaster;
	sleep(0.1) while kill(0, $pid) && time < $end;
	ok(!kill(0, $pid), "$what: ends with the postmaster");
	kill 'KILL', $pid;
	$run->();
	return ok(FaultTest::start_again($node, $postmaster), '... and the server starts');
}

my $address = $kafka->address;
create_api_server($node, 'postgres', 'endless', $api->url('/endless'), q{timeout_ms '600000'});
sql(qq{
	CREATE SERVER patient FOREIGN DATA WRAPPER userstream_kafka
		OPTIONS ("bootstrap.servers" '$address', "message.timeout.ms" '600000');
	SELECT userstream.create_feed('patient', 'api', 'patient', '$topic', records => '\$.items[*]', transform => 'gated(jsonb)',
		options => '{"run_timeout": 3600}');
	SELECT userstream.create_feed('endless', 'endless', 'kafka', '$topic', options => '{"run_timeout": 3600}')});
$api->give(1);
my $run = start_feed($node, 'postgres', 'patient');
ok(is_at_gate($node, 'postgres'), 'a run has fetched');
$kafka->pause;
ok(open_gate($node, 'postgres'), 'and waits for a frozen broker');
survives_nobody($run, 'a run that waits for a broker');
$kafka->continue;

$api->forget_requests;
$run = start_feed($node, 'postgres', 'endless');
my $end = time + $PostgreSQL::Test::Utils::timeout_default;
sleep(0.05) while !$api->requests && time < $end;
survives_nobody($run, 'a run whose API never ends');
$api->give($newest);
sql("SELECT userstream.alter_feed('patient', transform => '-');
	SELECT userstream.alter_feed('endless', server => 'api', records => '\$.items[*]')");
is((run_feed($node, 'postgres', $_))[0], 0, "feed $_: the next run goes well") foreach 'patient', 'endless';
is_true('and says what became of the one before', 'true');

$node->stop('fast');
done_testing();
