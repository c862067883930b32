#
# test/t/130_change.pl
#    streams that are changed while messages come: where they start, seek,
#    alter, another target, another owner, and adopt after a restore
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

use constant LOAD => 8_000;

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('changed', 4));

sub sql { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# load from beside the test while it does something to the stream; it is
# certain that work is under way when that begins, and that more comes after
sub under_load
{
	my ($name, $change) = @_;
	my $read = "SELECT sum(messages_read) FROM userstream.ledger WHERE stream = '$name'";
	my $before = sql($read);

	$delivery->produce_meanwhile(LOAD);
	wait_until($node, 'postgres', "SELECT ($read) > $before");
	$change->();
	$delivery->produce_rest;
	$delivery->await_producer;
	return;
}

$delivery->prepare_database('postgres');

# ---------------------------------------------------------------------------
# where a stream starts: messages of known times, a second apart
# ---------------------------------------------------------------------------
my $timed = $kafka->new_topic('timed', 2, 'retention.ms' => -1);
my $midnight = 1_767_225_600_000;    # 2026-01-01 00:00 UTC
$kafka->stamp_topic($timed, $_, map { $midnight + 1000 * $_ } 0 .. 3) foreach 0, 1;
sql(qq{
CREATE TABLE timed (id int);
CREATE FUNCTION started_at(start_at text) RETURNS text LANGUAGE plpgsql AS \$\$
DECLARE
	result text;
BEGIN
	PERFORM userstream.create_stream('s', 'kafka', '$timed', 'timed', start_at => started_at.start_at);
	SELECT s.start_at || ' ' || (SELECT string_agg(next_offset::text, ',' ORDER BY partition)
								 FROM userstream.stream_position WHERE stream_id = s.id)
	INTO result FROM userstream.stream s WHERE name = 's';
	PERFORM userstream.drop_stream('s');
	RETURN result;
END
\$\$;
});
foreach my $case (
	[ 'UTC', '2026-01-01', 0, 'a time is its own message' ],
	[ 'UTC', '2026-01-01 00:00:02', 2, 'a later one' ],
	[ 'UTC', '2026-01-01 00:00:01.000001', 2, 'what was before it by a microsecond is left out' ],
	[ 'UTC', '2026-01-01 00:00:00.999999', 1, 'what comes a microsecond after it is not' ],
	[ 'UTC', '2026-01-01 00:00:03.001', 4, 'after the last message it is the end' ],
	[ 'UTC', '2025-12-31 23:59', 0, 'before the first it is the beginning' ],
	[ 'UTC', '2026-01-01 05:30:01+05:30', 1, 'in any zone' ],
	[ 'Asia/Kolkata', '2026-01-01 05:30:01', 1, 'without a zone in that of the session' ],
	[ 'UTC', 'January 1, 2026 0:00:03', 3, 'in any form' ])
{
	my ($zone, $at, $offset, $what) = @$case;

	is(sql("SET TimeZone = '$zone'; SELECT started_at('$at')"),
		qq({"0": $offset, "1": $offset} $offset,$offset), "start_at: $what");
}

# ---------------------------------------------------------------------------
# seek back and empty the target in one transaction, while workers write
# ---------------------------------------------------------------------------
$delivery->create_target('postgres', 'live', 'note text, UNIQUE (kafka_partition, kafka_offset)');
sql('CREATE TABLE lost (partition int PRIMARY KEY, rows bigint)');
$delivery->produce(LOAD);
$delivery->create_stream('postgres', 'live', workers => 2, options => q('{"batch_rows": 300}'));
my $seek = "SELECT userstream.seek_stream('live', 'earliest')";

# what the counters hold of rows that are no more; the positions are locked by then
my $note_lost = q{INSERT INTO lost SELECT partition, rows_written FROM userstream.partition_status WHERE stream = 'live'
	ON CONFLICT (partition) DO UPDATE SET rows = excluded.rows};
my $lost = 'SELECT jsonb_object_agg(partition, rows) FROM lost';

# a DELETE keeps no worker out, so it comes when seek_stream has stopped them
foreach my $steps ([ 'TRUNCATE live', $seek ], [ $seek, 'TRUNCATE live' ], [ $seek, 'DELETE FROM live' ])
{
	under_load('live', sub { sql(join '; ', 'BEGIN', @$steps, $note_lost, 'COMMIT'); });
	$delivery->is_delivered('postgres', 'live', "$steps->[0], $steps->[1]", lost => sql($lost));
}
my $before = sql("SELECT md5(string_agg(l::text, '' ORDER BY arrival)) FROM live l");
sql("BEGIN; TRUNCATE live; $seek; ROLLBACK");
is(sql("SELECT md5(string_agg(l::text, '' ORDER BY arrival)) FROM live l"), $before, 'rolled back, nothing has happened');
under_load('live', sub { });
$delivery->is_delivered('postgres', 'live', 'and the stream goes on', lost => sql($lost));

# ---------------------------------------------------------------------------
# alter while workers write
# ---------------------------------------------------------------------------
foreach my $arguments ('workers => 4', q(options => '{"batch_rows": 50}'), 'workers => 1')
{
	under_load('live', sub { sql("SELECT userstream.alter_stream('live', $arguments)"); });
	$delivery->is_delivered('postgres', 'live', $arguments, lost => sql($lost));
}
ok(wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'userstream stream'", 1),
	'one worker is left');

my $columns = DeliveryTest::COLUMNS =~ s/^\{/{"note": "body", /r;
sql("SELECT userstream.alter_stream('live', columns => '$columns')");
my $last = $delivery->{last};
$delivery->produce(1_000);
$delivery->is_delivered('postgres', 'live', 'columns', lost => sql($lost));
is(sql("SELECT bool_and(note IS NULL) FILTER (WHERE seq <= $last), bool_and(note = body) FILTER (WHERE seq > $last) FROM live"),
	't|t', 'columns: from the next message on');

# half of it here, half of it there; one sequence shows the order over both
sql(q{
CREATE TABLE live2 (LIKE live INCLUDING ALL);
CREATE VIEW both_targets AS SELECT * FROM live UNION ALL SELECT * FROM live2;
});
under_load('live', sub { sql("SELECT userstream.alter_stream('live', target => 'live2')"); });
$delivery->is_delivered('postgres', 'live', 'target', lost => sql($lost), target => 'both_targets');
cmp_ok(sql('SELECT count(*) FROM live2'), '>', 0, 'target: rows go to the other table');

# another owner: his workers
sql(q{
CREATE ROLE clerk LOGIN;
GRANT USAGE ON FOREIGN SERVER kafka TO clerk;
GRANT INSERT ON live2 TO clerk;
GRANT USAGE ON SEQUENCE live_arrival_seq TO clerk;
});
under_load('live', sub { sql("SELECT userstream.alter_stream('live', owner => 'clerk', workers => 2)"); });
$delivery->is_delivered('postgres', 'live', 'owner', lost => sql($lost), target => 'both_targets');
ok( wait_until($node, 'postgres',
		"SELECT string_agg(DISTINCT usename, ',') FROM pg_stat_activity WHERE backend_type = 'userstream stream'", 'clerk'),
	'owner: the workers are the other role');
sql("SELECT userstream.alter_stream('live', owner => current_user)");

# another topic: the positions are those of the other
my $other = $kafka->new_topic('other', 2);
$kafka->produce($other, [ map { { key => $_, value => qq({"n": $_}) } } 1 .. 500 ]);
sql(q{CREATE TABLE topics (n int, topic text, part int, pos bigint, UNIQUE (topic, part, pos))});
sql(qq{SELECT userstream.create_stream('topics', 'kafka', '$timed', 'topics',
	columns => '{"topic": "\@topic", "part": "\@partition", "pos": "\@offset"}')});
ok(wait_until($node, 'postgres', 'SELECT count(*) FROM topics', 8), 'topic: all of the first is there');
sql("SELECT userstream.alter_stream('topics', topic => '$other', start_at => 'earliest')");
ok(wait_until($node, 'postgres', 'SELECT count(*) FROM topics', 508), 'topic: then all of the second');
sql("SELECT userstream.alter_stream('topics', topic => '$timed', start_at => '{\"0\": 4, \"1\": 3}', target => 'topics')");
ok(wait_until($node, 'postgres', 'SELECT sum(messages_read), bool_and(balanced) FROM userstream.ledger'
		. " WHERE stream = 'topics'", '509|t'), 'topic: and back, from an offset: one message again');
is(sql("SELECT count(*) FROM userstream.dead_letter WHERE stream = 'topics' AND sqlstate = '23505'"), 1,
	'topic: which is there already');
sql("SELECT userstream.drop_stream('topics')");

# ---------------------------------------------------------------------------
# what stopped is mended: a dropped target
# ---------------------------------------------------------------------------
sql('CREATE TABLE live3 (LIKE live2 INCLUDING ALL); DROP VIEW both_targets; DROP TABLE live2');
ok(wait_until($node, 'postgres', q{SELECT state, last_error LIKE '%userstream.alter_stream%' FROM userstream.stream_status
	WHERE stream = 'live'}, 'stopped|t'), 'dropped target: the stream stops and names alter_stream');
$delivery->produce(500);
sql(q{SELECT userstream.alter_stream('live', target => 'live3'); SELECT userstream.resume_stream('live')});
ok(wait_until($node, 'postgres', 'SELECT count(*) FROM live3', 500), 'dropped target: with another it goes on where it was');
sql("SELECT userstream.drop_stream('live')");

# ---------------------------------------------------------------------------
# adopt: a dump made while messages come goes on elsewhere, exactly once
# ---------------------------------------------------------------------------
$delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('moved', 4));
$delivery->create_target('postgres', 'moved', 'UNIQUE (kafka_partition, kafka_offset)');
$delivery->produce(LOAD);
$delivery->create_stream('postgres', 'moved', workers => 2, options => q('{"batch_rows": 300}'));
$delivery->is_delivered('postgres', 'moved', 'adopt: before');

# names in the definition follow, else the dump would name what is no more
sql(q{ALTER TABLE moved RENAME TO moved_on; ALTER SERVER kafka RENAME TO kafka_on});
ok(wait_until($node, 'postgres', 'SELECT server, target FROM userstream.stream', 'kafka_on|public.moved_on'),
	'adopt: the definition has the names that server and target have now');
my $dump = $node->backup_dir . '/moved.sql';
mkdir $node->backup_dir;
under_load('moved', sub {
	$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'adopt: pg_dump under load');
});
sql('CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ],
	'adopt: restore');
is($node->safe_psql('restored', 'SELECT state FROM userstream.stream_status'), 'stopped', 'adopt: nothing runs yet');
$node->safe_psql('restored', 'SELECT userstream.adopt()');
$delivery->produce(1_000);
$delivery->is_delivered('restored', 'moved', 'adopt: the restored stream', target => 'moved_on');
$delivery->is_delivered('postgres', 'moved', 'adopt: and the one at home', target => 'moved_on');

sql("SELECT userstream.pause_stream('moved')");
sql('CREATE DATABASE copied TEMPLATE postgres');
$node->safe_psql('copied', "SELECT userstream.adopt('moved'); SELECT userstream.resume_stream('moved')");
$delivery->produce(1_000);
$delivery->is_delivered('copied', 'moved', 'adopt: a copy of the database', target => 'moved_on');

is(sql('SELECT count(*) FROM userstream.dead_letter'), 1, 'no message became a dead letter but the one above');
$node->stop('fast');
done_testing();
