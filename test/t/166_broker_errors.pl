#
# test/t/166_broker_errors.pl
#    each error that a broker can answer with, by librdkafka's mock cluster: what is
#    retried without a word, what is shown and goes on by itself, what stops and
#    waits for a person, what create_stream says; each message arrives once
#
use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;
use ScriptedServer;

my $mock = ScriptedServer->new('mock_kafka', 3);
my $kafka = UserstreamTest::Kafka->at($mock->first);
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $delivery = DeliveryTest->new($node, $kafka, 'mocked');

# the mock tells a topic's partitions with its error, which no broker does
my $crash = 'librdkafka 2.8 crashes on partitions of a topic that has an error';
my $crashes = !librdkafka_before('2.8') && librdkafka_before('2.9');

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub order { my ($command) = @_; return is($mock->ask($command), 'ok', $command); }

# all read, and nothing fails any more
sub is_well
{
	my ($what) = @_;
	return ok( wait_until($node, 'postgres',
			q{SELECT state, failing_since IS NULL FROM userstream.stream_status WHERE stream = 'mocked'}, 'caught_up|t'),
		$what);
}

sub is_in_state
{
	my ($state, $pattern, $what) = @_;
	return ok( wait_until($node, 'postgres',
			"SELECT state, coalesce(last_error, '') ~* '$pattern' FROM userstream.stream_status WHERE stream = 'mocked'", "$state|t"),
		$what);
}

# the option; when this returns, the worker that knows it is there
sub on_out_of_range
{
	my ($where) = @_;
	my $pid = sql('SELECT pids[1] FROM userstream.stream_status');

	sql(qq{SELECT userstream.alter_stream('mocked', options => '{"on_offset_out_of_range": "$where"}')});
	return ok(wait_until($node, 'postgres', "SELECT state, pids[1] <> $pid FROM userstream.stream_status", 'caught_up|t'),
		"on_offset_out_of_range: $where");
}

# what create_stream answers
sub refusal
{
	my ($code, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\nSELECT userstream.create_stream('another', 'kafka', 'mocked', 'another', columns => '@{[DeliveryTest::COLUMNS]}')");
	return $err;
}

order('topic mocked 2');
order("leader mocked $_ " . ($_ + 1)) foreach 0, 1;
$delivery->prepare_database('postgres');
# the mock answers an idle fetch when its patience is over, whatever comes meanwhile
sql(q{ALTER SERVER kafka OPTIONS (ADD "fetch.wait.max.ms" '100', ADD "reconnect.backoff.max.ms" '500')});
$delivery->create_target('postgres', 'mocked');
$delivery->create_target('postgres', 'another');
$delivery->produce(100);
$delivery->create_stream('postgres', 'mocked', options => q('{"metadata_refresh": 2}'));
$delivery->is_delivered('postgres', 'mocked', 'by mock brokers');

# ---------------------------------------------------------------------------
# fetches: what is shown as long as it lasts, and is over by itself
# ---------------------------------------------------------------------------
foreach my $case (
	[ 'INVALID_MSG', 'CRC|corrupt|invalid' ],
	[ 'UNKNOWN', 'unknown' ],
	[ 'TOPIC_AUTHORIZATION_FAILED', 'authoriz' ],
	[ 'THROTTLING_QUOTA_EXCEEDED', 'throttl|quota' ],
	[ 'UNSUPPORTED_COMPRESSION_TYPE', 'compress' ],
	[ 'INVALID_REQUEST', 'invalid|malform|parse' ])
{
	my ($error, $pattern) = @$case;

	order("errors 0 FETCH $error 100000");
	$delivery->produce(20);
	is_in_state('waiting', $pattern, "$error: waits and says why");
	order('clear FETCH');
	$delivery->is_delivered('postgres', 'mocked', "fetch: $error");
	is_well("$error: over");
}
is(sql('SELECT count(*) FROM userstream.incident'), 0, 'no incident');

# ---------------------------------------------------------------------------
# fetches: an offset out of range, though it is not, again and again, where the
# stream is to go on by itself: not in a circle
# ---------------------------------------------------------------------------
on_out_of_range('latest');
order('errors 0 FETCH OFFSET_OUT_OF_RANGE 100000');
$delivery->produce(20);
is_in_state('waiting', 'was out of range, though it now has', 'OFFSET_OUT_OF_RANGE without an end: waits and says why');
order('clear FETCH');
$delivery->is_delivered('postgres', 'mocked', 'nothing was passed over');
on_out_of_range('stop');

# ---------------------------------------------------------------------------
# fetches: an offset out of range, though it is not; nobody knows why
# ---------------------------------------------------------------------------
order('errors 1 FETCH OFFSET_OUT_OF_RANGE 1');
$delivery->produce(20);
is_in_state('stopped', 'partition 0 was out of range, though it now has 0 to ', 'OFFSET_OUT_OF_RANGE: stops and says why');
is(sql('SELECT partition, kind FROM userstream.incident WHERE closed_at IS NULL'), '0|offset_out_of_range', 'with an incident');
ok( wait_until($node, 'postgres',
		q{SELECT state FROM userstream.partition_status WHERE stream = 'mocked' AND partition = 1}, 'caught_up'),
	'the other partition goes on');
sql(q{SELECT userstream.resume_stream('mocked')});
$delivery->is_delivered('postgres', 'mocked', 'resumed');
is(sql('SELECT count(*) FROM userstream.incident WHERE closed_at IS NULL'), 0, 'nothing is open');

# ---------------------------------------------------------------------------
# fetches: what the library tries again by itself, one after the other
# ---------------------------------------------------------------------------
foreach my $error ('NOT_LEADER_FOR_PARTITION', 'LEADER_NOT_AVAILABLE', 'REPLICA_NOT_AVAILABLE', 'KAFKA_STORAGE_ERROR',
	'FENCED_LEADER_EPOCH', 'UNKNOWN_TOPIC_OR_PART', '_TRANSPORT')
{
	order("errors $_ FETCH $error 3") foreach 1, 2;
}
$delivery->produce(20);
ok($mock->wait_for("left $_ FETCH", qr/^0$/), "all of them met, broker $_") foreach 1, 2;
$delivery->is_delivered('postgres', 'mocked', 'fetch: what is tried again');
is(sql('SELECT count(*) FROM userstream.incident'), 1, 'no incident of them');

# ---------------------------------------------------------------------------
# the topic, leaders, brokers
# ---------------------------------------------------------------------------
order('topic_error mocked UNKNOWN_TOPIC_OR_PART');
is_in_state('stopped', 'topic "mocked" does not exist any more', 'the topic is unknown for some seconds: stops and says why');
order('topic_error mocked NO_ERROR');
sql(q{SELECT userstream.resume_stream('mocked')});
$delivery->produce(20);
$delivery->is_delivered('postgres', 'mocked', 'the topic is known again, resumed');

order('leader mocked 0 3');
$delivery->produce(20);
$delivery->is_delivered('postgres', 'mocked', 'another leader');
order('down 3');
is_in_state('waiting', '.', 'the leader of one partition is down: waits and says why');
order('leader mocked 0 1');
$delivery->produce(20);
$delivery->is_delivered('postgres', 'mocked', 'another leader while one broker is down');
order('up 3');
SKIP:
{
	skip $crash, 9 if $crashes;
	# whoever is told so asks who is; that nobody knows must not come before
	order("errors $_ FETCH NOT_LEADER_FOR_PARTITION 5") foreach 1, 2;
	ok($mock->wait_for("left $_ FETCH", qr/^[0-4]$/), 'a leader that is none any more') foreach 1, 2;
	order('topic_error mocked LEADER_NOT_AVAILABLE');
	ok($mock->settles(map { "left $_ FETCH" } 1, 2), 'until nobody is asked');
	order('topic_error mocked NO_ERROR');
	$delivery->produce(20);
	$delivery->is_delivered('postgres', 'mocked', 'nobody knew a leader for a moment');
}
order('down 0');
is_in_state('waiting', '.', 'all brokers down: waits and says why');
order('up 0');
$delivery->produce(20);
$delivery->is_delivered('postgres', 'mocked', 'all brokers up again');
order('rtt 0 300');
$delivery->produce(20);
$delivery->is_delivered('postgres', 'mocked', 'each answer 300 ms late');
order('rtt 0 0');

# The trouble of a partition is seen to though another keeps the worker busy: it stands
# in its first batch until the trouble, and much else behind it, is in its queue.
my $busy = DeliveryTest->new($node, $kafka, 'busy');
order('topic busy 2');
order('leader busy 0 3');
order('leader busy 1 1');
$busy->create_target('postgres', 'busy', 'at timestamptz DEFAULT clock_timestamp()');
# slow enough that the queue is not empty before all is read, until the trouble is told of
sql(q{CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql SET lock_timeout = 0 AS $$
	BEGIN
		PERFORM pg_advisory_xact_lock_shared(7);
		IF NOT EXISTS (SELECT FROM userstream.incident WHERE stream = 'busy') THEN
			PERFORM pg_sleep(0.005);
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER slow BEFORE INSERT ON busy FOR EACH ROW EXECUTE FUNCTION slow()});
my $gate = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT pg_advisory_lock(7)',
		'-c', 'SELECT pg_sleep(600)' ], '<', \'', '>', \my $gate_out, '2>', \my $gate_err);
my $waiting = q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND %s};
ok(wait_until($node, 'postgres', sprintf($waiting, 'granted'), 1), 'a gate is closed');
$busy->produce(20, partition => 1);
$busy->create_stream('postgres', 'busy', options => q('{"batch_rows": 20}'));
ok(wait_until($node, 'postgres', sprintf($waiting, 'NOT granted'), 1), 'the worker stands in its first batch');
order('errors 3 FETCH OFFSET_OUT_OF_RANGE 1');
$busy->produce(100, partition => 0);
ok($mock->wait_for('left 3 FETCH', qr/^0$/), 'the other partition is in trouble');
$busy->produce(100, partition => 1) foreach 1 .. 10;
sql(q{SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted});
eval { $gate->finish };
ok( wait_until($node, 'postgres', q{SELECT next_offset FROM userstream.partition_status WHERE stream = 'busy' AND partition = 1}, 1020),
	'one partition is read');
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM userstream.incident WHERE stream = 'busy' AND partition = 0}, 1),
	'the other one stopped');
is(sql(q{SELECT opened_at < (SELECT max(at) FROM busy) FROM userstream.incident WHERE stream = 'busy'}), 't', '... before that');
sql(q{SELECT userstream.resume_stream('busy')});
$busy->is_delivered('postgres', 'busy', 'resumed');
sql(q{SELECT userstream.drop_stream('busy')});

# what only others look at cannot be told: no trouble of the stream
is_well('nothing fails');
order('errors 0 FIND_COORDINATOR GROUP_AUTHORIZATION_FAILED 100000');
order('errors 0 OFFSET_COMMIT UNKNOWN_MEMBER_ID 100000');
$delivery->produce(20);
$delivery->is_delivered('postgres', 'mocked', 'offsets cannot be published');
is_well('which is no trouble');
order('clear FIND_COORDINATOR');
order('clear OFFSET_COMMIT');

# ---------------------------------------------------------------------------
# create_stream
# ---------------------------------------------------------------------------
# nobody else must meet what is meant for it
sql(q{SELECT userstream.pause_stream('mocked')});
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'userstream stream'}, 0), 'no worker');
order('errors 0 LIST_OFFSETS TOPIC_AUTHORIZATION_FAILED 2');
like(refusal(), qr/ERROR:  42501: .*HINT/s, 'offsets that may not be asked for: an error at once');
order('clear LIST_OFFSETS');
SKIP:
{
	skip $crash, 5 if $crashes;
	order('topic_error mocked TOPIC_AUTHORIZATION_FAILED');
	like(refusal(), qr/ERROR:  42501: permission denied for topic.*HINT/s, 'a topic that may not be seen: an error at once');
	order('topic_error mocked UNKNOWN_TOPIC_OR_PART');
	like(refusal(), qr/ERROR:  \w+: topic "mocked" does not exist/, 'a topic that nobody knows: an error at once');
	order('topic_error mocked NO_ERROR');
}
order('errors 0 LIST_OFFSETS NOT_LEADER_FOR_PARTITION 2');
order('errors 0 METADATA _TRANSPORT 1');
is(refusal(), '', 'what passes is tried again');
sql(q{SELECT userstream.drop_stream('another')});
sql(q{SELECT userstream.resume_stream('mocked')});
$delivery->produce(20);
$delivery->is_delivered('postgres', 'mocked', 'the other stream, all the while');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'no process died of it');
done_testing();
