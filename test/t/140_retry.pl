#
# test/t/140_retry.pl
#    dead letters go in once their cause is mended, each once, as the worker
#    would have written them; and a session waits for what it produced
#
use strict;
use warnings;

use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
my $node = userstream_node('main');

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

# a session beside the test, with its statements: gives its output when it is done
sub session
{
	my @statements = @_;
	my ($in, $out, $err) = ('', '', '');
	my $run = IPC::Run::start(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d',
		  $node->connstr('postgres') . ' application_name=beside', map { ('-c', $_) } @statements ],
		\$in, \$out, \$err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));

	return sub { $run->finish; chomp $out; return $err eq '' ? $out : "$out $err"; };
}

# how many of them wait for something
sub waiting
{
	my ($event) = @_;
	return "SELECT count(*) FROM pg_stat_activity
		WHERE application_name = 'beside' AND '$event' IN (wait_event, wait_event_type)";
}

sub letters_of
{
	my ($stream) = @_;
	return sql("SELECT sqlstate, count(*), count(retried_at), sum(retries)
		FROM userstream.dead_letter WHERE stream = '$stream' GROUP BY 1 ORDER BY 1");
}

# ---------------------------------------------------------------------------
# three causes, mended one after the other
# ---------------------------------------------------------------------------
my $mixed = DeliveryTest->new($node, $kafka, $kafka->new_topic('mixed', 2));
$mixed->prepare_database('postgres');
sql(q{
CREATE TABLE places (id int PRIMARY KEY);
INSERT INTO places VALUES (1);
CREATE TABLE mixed (seq bigint, body text, checksum text, kafka_partition int, kafka_offset bigint,
	arrival bigserial, kind text, place int REFERENCES places, qty int NOT NULL, gone text)
	PARTITION BY LIST (kind);
CREATE TABLE mixed_a PARTITION OF mixed FOR VALUES IN ('a')});

sub produce_mixed
{
	my ($count, $more) = @_;
	$kafka->produce($mixed->{topic}, [ map { $mixed->message($more) } 1 .. $count ]);
	return;
}

foreach (1 .. 3)
{
	produce_mixed(200, '"kind": "a", "place": 1, "qty": 1, "gone": "x"');
	produce_mixed(20, '"kind": "a", "place": 1, "qty": null');
	produce_mixed(20, '"kind": "a", "place": 2, "qty": 1');
	produce_mixed(20, '"kind": "b", "place": 1, "qty": 1, "gone": "x"');
	produce_mixed(1, '"kind": "b", "place": 2, "qty": null');
}
sql("SELECT userstream.create_stream('mixed', 'kafka', '$mixed->{topic}', 'mixed', workers => 2, columns =>
	'{\"kafka_partition\": \"\@partition\", \"kafka_offset\": \"\@offset\"}')");
ok(wait_until($node, 'postgres',
		"SELECT sum(messages_read) FROM userstream.ledger WHERE stream = 'mixed'", 783), 'all is read');
is(letters_of('mixed'), "23502|60|0|0\n23503|60|0|0\n23514|63|0|0", 'three kinds of dead letters');

my $everything = q{SELECT md5(string_agg(t::text, ',' ORDER BY t::text)) FROM (
	SELECT 'row' AS what, m::text FROM mixed m
	UNION ALL SELECT 'letter', d::text FROM userstream.dead_letter d
	UNION ALL SELECT 'ledger', l::text FROM userstream.ledger l) t};
my $before = sql($everything);
is(sql(q{SELECT userstream.retry_dead_letters('mixed')}), 0, 'nothing mended, nothing applied');
is(letters_of('mixed'), "23502|60|0|60\n23503|60|0|60\n23514|63|0|63", 'the reasons are the same');
isnt(sql($everything), $before, 'though each failed once more');

$before = sql($everything);
sql(q{BEGIN; INSERT INTO places VALUES (2); SELECT userstream.retry_dead_letters('mixed'); ROLLBACK});
is(sql($everything), $before, 'a retry that is rolled back leaves all as it was');

sql('INSERT INTO places VALUES (2)');
is(sql(q{SELECT userstream.retry_dead_letters('mixed')}), 60, 'the foreign key mended, alone');
sql(q{CREATE TABLE mixed_b PARTITION OF mixed FOR VALUES IN ('b'); ALTER TABLE mixed DROP COLUMN gone});
is(sql(q{SELECT userstream.retry_dead_letters('mixed')}), 60, 'the partition made, a column dropped');
is(letters_of('mixed'), "23502|63|0|189\n23503|60|60|60\n23514|60|60|120",
	'what had two faults has the other reason now');

# ---------------------------------------------------------------------------
# many at once, and two at once
# ---------------------------------------------------------------------------
produce_mixed(3000, '"kind": "a", "place": 3, "qty": 1');
ok(wait_until($node, 'postgres',
		"SELECT sum(messages_read) FROM userstream.ledger WHERE stream = 'mixed'", 3783), 'read again');
sql('INSERT INTO places VALUES (3); ALTER TABLE mixed ALTER qty DROP NOT NULL');

# the first keeps its transaction open until it may go, the second meets its locks
sql('CREATE TABLE go ()');
my $retry = q{SELECT userstream.retry_dead_letters('mixed')};
my $named = q{SELECT userstream.retry_dead_letters('mixed', array_agg(id)) FROM userstream.dead_letter
	WHERE stream = 'mixed' AND retried_at IS NULL};
my $holder = session('BEGIN', $retry,
	q{DO 'BEGIN WHILE NOT EXISTS (SELECT FROM go) LOOP PERFORM pg_sleep(0.02); END LOOP; END'}, 'COMMIT');
ok(wait_until($node, 'postgres', waiting('PgSleep'), 1), 'one session has retried and did not commit');
my @others = map { session($_) } $retry, $named;
ok(wait_until($node, 'postgres', waiting('Lock'), 2), 'two others wait for it');
sql('INSERT INTO go DEFAULT VALUES');
is($holder->(), 3063, 'more letters than a window holds, of two causes');
is($_->(), 0, 'what one session applied no other applies') foreach @others;
is(letters_of('mixed'), "23502|63|63|189\n23503|3060|3060|60\n23514|60|60|120", 'all of them are settled');
$mixed->is_delivered('postgres', 'mixed', 'mended and retried');

# ---------------------------------------------------------------------------
# a hundred thousand in one call, left by a stream of the same name
# ---------------------------------------------------------------------------
my $many = $kafka->new_topic('many', 4);
sql(q{CREATE TABLE many (id int PRIMARY KEY, qty int NOT NULL, pad text)});
sql(qq{SELECT userstream.create_stream('many', 'kafka', '$many', 'many')});
ok(wait_until($node, 'postgres', "SELECT count(*) FROM userstream.partition_status WHERE stream = 'many'", 4), 'it knows its partitions');
sql(q{INSERT INTO userstream.dead_letter (owner, owner_oid, home, stream, topic, partition, kafka_offset, value, sqlstate, error)
	SELECT owner, owner_oid, home, name, topic, i % 4, i / 4,
		convert_to(jsonb_build_object('id', i, 'qty', CASE WHEN i % 10 <> 0 OR i > 10000 THEN 1 END, 'pad', repeat('x', 1000))::text, 'UTF8'),
		'23502', 'was so' FROM userstream.stream, generate_series(1, 100000) i WHERE name = 'many'});
my $peak = q{SELECT substring(pg_read_file('/proc/self/status', 0, 8192) FROM 'VmPeak:\s+(\d+)')};
# the libraries of the planner's JIT would count too
my ($start, $applied, $grown) = split /\n/, sql("SET jit = off; $peak; SELECT userstream.retry_dead_letters('many'); $peak");
is($applied, 99_000, 'many are applied in one call');
cmp_ok($grown - $start, q{<}, 40 * 1024, "by a backend that does not grow with them (kB: $start, $grown)");
is(sql('SELECT count(*), sum(qty), sum(length(pad)) FROM many'), '99000|99000|99000000', 'each has its row');
is(letters_of('many'), '23502|100000|99000|1000', 'and those that are still bad their reason');

# ---------------------------------------------------------------------------
# the same messages by a worker and by a retry
# ---------------------------------------------------------------------------
my $twin = $kafka->new_topic('twin', 2);
foreach my $i (1 .. 40)
{
	$kafka->produce($twin,
		[ map { { key => $_ % 3 ? "k$_" : undef, value => qq({"id": $_, "day": "02/03/2024", "moment": "2024-07-01 12:00",
			"span": "-1 day 02:03", "n": 1.50, "deep": {"a": [1, {"b": "\\u00e4"}]}, "more": $_}) } } $i * 10 .. $i * 10 + 9 ],
		headers => [ "i=$i", "raw=\xff\xfe", 'none', "i=again" ]);
}
$kafka->produce($twin, [ { key => 'gone', value => undef } ]);
sql(q{SET TimeZone = 'Asia/Tokyo';} . join ';', map {
	"CREATE TABLE $_ (id int, day date, moment timestamptz, span interval, n numeric, deep jsonb, topic text, part int,
		o bigint, at timestamptz, key bytea, value bytea, headers jsonb, rest jsonb,
		shown text DEFAULT current_setting('TimeZone') || current_setting('DateStyle') || current_setting('IntervalStyle')
			|| current_setting('row_security') || current_setting('session_replication_role') || current_user)"
} qw(direct later));
sql('ALTER TABLE later ADD CONSTRAINT closed CHECK (id = 0)');
sql(qq{SET TimeZone = 'Asia/Tokyo'; SELECT userstream.create_stream('$_', 'kafka', '$twin', '$_', columns => '{"topic": "\@topic",
	"part": "\@partition", "o": "\@offset", "at": "\@timestamp", "key": "\@key", "value": "\@value",
	"headers": "\@headers", "rest": "\@rest"}')}) foreach qw(direct later);
ok(wait_until($node, 'postgres',
		"SELECT sum(messages_read) FROM userstream.ledger WHERE stream = '$_'", 401), "$_: all is read")
  foreach qw(direct later);
is(sql('SELECT count(*), count(DISTINCT headers), count(key) < 400, bool_and(rest ? \'more\') FROM direct'),
	'400|40|t|t', 'the worker wrote parts of all kinds');
is(sql(q{SET TimeZone = 'America/New_York'; SET DateStyle = 'German, DMY'; SET IntervalStyle = sql_standard;
	SET row_security = off; SET session_replication_role = replica; SET search_path = pg_temp, public; ALTER TABLE later DROP CONSTRAINT closed;
	SELECT userstream.retry_dead_letters('later')}),
	400, 'from a session with other settings');
is(sql('SELECT count(*) FROM (TABLE direct INTERSECT ALL TABLE later) both_'), 400, 'the rows are the same');

# ---------------------------------------------------------------------------
# read-your-writes
# ---------------------------------------------------------------------------
my $load = DeliveryTest->new($node, $kafka, $kafka->new_topic('load', 2));
$load->create_target('postgres', 'load');
$load->create_stream('postgres', 'load', workers => 2);
$load->produce_meanwhile(60_000);
my $seen = 0;
foreach my $i (1 .. 10)
{
	my $partition = $i % 2;

	# without a number, for those of the load go on
	$kafka->produce($load->{topic}, ['{"body": "mine"}'], partition => $partition);
	$load->{rows}++;
	my $offset = $kafka->end_offsets($load->{topic})->{$partition} - 1;
	my $rows = "SELECT count(*) FROM load WHERE kafka_partition = $partition AND kafka_offset <= $offset";

	$seen++ if sql("SELECT userstream.wait_for('load', $partition, $offset, '2 min'); $rows") eq 't' . "\n" . ($offset + 1);
}
is($seen, 10, 'the next statement sees the rows, under load');
$load->produce_rest;
$load->await_producer;
$load->is_delivered('postgres', 'load', 'under load');

# waiting first, then the message
my $next = $kafka->end_offsets($load->{topic})->{0};
my $waiter = session("SELECT userstream.wait_for('load', 0, $next, '2 min')",
	"SELECT max(kafka_offset) FROM load WHERE kafka_partition = 0");
ok(wait_until($node, 'postgres', waiting('Extension'), 1), 'a session waits for a message to come');
$load->produce(1, partition => 0);
is($waiter->(), "t\n$next", 'and sees it');

# no worker: the table is looked at, and the wait can be cancelled
sql(q{SELECT userstream.pause_stream('load')});
$waiter = session("SELECT userstream.wait_for('load', 0, $next + 1, '2 min')");
ok(wait_until($node, 'postgres', waiting('Extension'), 1), 'a session waits without a worker');
sql(q{UPDATE userstream.stream_position SET next_offset = next_offset + 1 WHERE partition = 0
	AND stream_id = (SELECT id FROM userstream.stream WHERE name = 'load')});
is($waiter->(), 't', 'the table decides');
$waiter = session("SELECT userstream.wait_for('load', 0, $next + 2, '1 hour')");
ok(wait_until($node, 'postgres', waiting('Extension'), 1), 'another waits');
sql(q{SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE state = 'active' AND application_name = 'beside'});
like($waiter->(), qr/canceling statement due to user request/, 'and is cancelled');
$waiter = session("SELECT userstream.wait_for('load', 0, $next + 2, '2 min')");
ok(wait_until($node, 'postgres', waiting('Extension'), 1), 'another waits');
sql(q{SELECT userstream.drop_stream('load')});
like($waiter->(), qr/stream "load" has no partition 0/, 'until its stream is dropped');

$node->stop('fast');
done_testing();
