#
# test/t/160_kafka_life.pl
#    what becomes of brokers and topics under running streams: broker absent at
#    the start and later, topics deleted and made again, retention, compaction,
#    and what Kafka's own tools see
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);
use UserstreamTest;
use DeliveryTest;

my $kafka = UserstreamTest::Kafka->new('life', properties => "log.cleaner.backoff.ms=200");
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my %delivery;

# a topic, a table and a stream of one name
sub create_delivery
{
	my ($name, $partitions, %properties) = @_;

	$delivery{$name} = DeliveryTest->new($node, $kafka,
		$kafka->new_topic($name, $partitions, %properties));
	$delivery{$name}->create_target('postgres', $name);
	return $delivery{$name};
}

sub state_of
{
	my ($name) = @_;
	return "SELECT state FROM userstream.stream_status WHERE stream = '$name'";
}

sub state_and_error
{
	my ($name, $pattern) = @_;
	return "SELECT state, last_error ~ '$pattern' FROM userstream.stream_status WHERE stream = '$name'";
}

# nobody of ours reads it any more
sub paused
{
	my ($name) = @_;
	$node->safe_psql('postgres', "SELECT userstream.pause_stream('$name')");
	return ok(wait_until($node, 'postgres',
			"SELECT coalesce(cardinality(pids), 0) FROM userstream.stream_status WHERE stream = '$name'", 0),
		"$name has no worker");
}

sub open_incident
{
	my ($name) = @_;
	return $node->safe_psql('postgres',
		"SELECT partition, kind, detail FROM userstream.incident WHERE stream = '$name' AND closed_at IS NULL");
}

DeliveryTest->new($node, $kafka, 'none')->prepare_database('postgres');

# --- what Kafka's tools see
my $plain = create_delivery('plain', 2);
$plain->produce(1000);
$plain->create_stream('postgres', 'plain');
$plain->is_delivered('postgres', 'plain', 'plain');

sub committed_is
{
	my ($name, $what) = @_;
	my $ends = $kafka->end_offsets($delivery{$name}->{topic});
	my $expected = join ',', map { "$_:$ends->{$_}" } sort { $a <=> $b } keys %$ends;
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	my $seen;

	do
	{
		$seen = $kafka->group_offsets("userstream.postgres.$name", $delivery{$name}->{topic});
		usleep(100_000) if $seen ne $expected;
	} while ($seen ne $expected && time < $end);
	is($seen, $expected, $what);
	return;
}
committed_is('plain', "lag tools see the stream's positions as the group's offsets");
$plain->produce(10);
$plain->is_delivered('postgres', 'plain', 'a few more');
committed_is('plain', 'and its progress, when it became idle');

paused('plain');
$kafka->rights('commit', 'userstream.postgres.plain', $plain->{topic}, 0, 3);
$kafka->rights('commit', 'userstream.postgres.plain', $plain->{topic}, 1, 100_000);
$node->safe_psql('postgres', "SELECT userstream.resume_stream('plain')");
$plain->produce(100);
$plain->is_delivered('postgres', 'plain', 'offsets that someone set in the group are ignored');
committed_is('plain', 'and overwritten');

# --- the broker is absent when the worker starts
$node->stop('fast');
$kafka->stop;
$node->start;
ok( wait_until($node, 'postgres', "SELECT state, last_error ~ '.', failing_since IS NOT NULL
		FROM userstream.stream_status WHERE stream = 'plain'", 'waiting|t|t'),
	'started without a broker: waits and says why, and since when');
$kafka->start;
ok(wait_until($node, 'postgres', "SELECT state, failing_since IS NULL FROM userstream.stream_status WHERE stream = 'plain'", 'caught_up|t'),
	'it goes on by itself, and nothing fails any more');
$plain->produce(100);
$plain->is_delivered('postgres', 'plain', 'broker absent at start');

# --- it is killed while messages are read
my $read = "SELECT sum(messages_read) FROM userstream.ledger WHERE stream = 'plain'";
my $before = $node->safe_psql('postgres', $read);
$plain->produce(100_000);
ok(wait_until($node, 'postgres', "SELECT ($read) > $before"), 'it reads');
$kafka->kill;
ok(wait_until($node, 'postgres', state_and_error('plain', '.'), 'waiting|t'), 'broker killed: waits and says why');
$kafka->start;
$plain->is_delivered('postgres', 'plain', 'broker killed and started');
committed_is('plain', 'what did not get through to it is published again');

# --- unknown topic
my ($code, $out, $err) = $node->psql('postgres',
	"SELECT userstream.create_stream('nothing', 'kafka', 'no.such.topic', 'plain')");
like($err, qr/topic "no\.such\.topic" does not exist.*HINT/s, 'a topic that is not there is an error at once');

# --- a topic is deleted, and made again with fewer messages
my $again = create_delivery('again', 1);
$again->produce(50);
$again->create_stream('postgres', 'again');
$again->is_delivered('postgres', 'again', 'topic to be deleted');
$kafka->delete_topic($again->{topic});
ok(wait_until($node, 'postgres', state_and_error('again', 'does not exist any more'), 'stopped|t'),
	'topic deleted: stops and says why');
like(open_incident('again'), qr/^\|topic_missing\|/, 'an incident is open');
$plain->produce(100);
$plain->is_delivered('postgres', 'plain', 'another stream beside it');
$kafka->create_topic($again->{topic}, 1);
$kafka->produce($again->{topic}, [ map { $again->message } 1 .. 5 ]);
$node->safe_psql('postgres', "SELECT userstream.resume_stream('again')");
ok(wait_until($node, 'postgres', state_and_error('again', 'past its end at 5'), 'stopped|t'),
	'made again: stops, since its position is past the end');
is(open_incident('again'),
	'0|topic_recreated|offset 50 of partition 0 is past its end at 5: the topic was recreated or truncated',
	'an incident tells both offsets');
$kafka->produce($again->{topic}, [ map { $again->message } 1 .. 95 ]);
is($node->safe_psql('postgres', 'SELECT count(*) FROM again'), 50, 'no message of the new topic is read in between');
$node->safe_psql('postgres', "SELECT userstream.drop_stream('again'); DELETE FROM again");
$again->{rows} = 100;
$again->{sum} = 0;
$again->{sum} += $_ foreach 51 .. 150;
$again->create_stream('postgres', 'again');
$again->is_delivered('postgres', 'again', 'the new topic from its beginning');

# made again with as many messages as were read: the call that is named misses none
my $remade = create_delivery('remade', 1);
$remade->produce(20);
$remade->create_stream('postgres', 'remade');
$remade->is_delivered('postgres', 'remade', 'topic to be made again');
$kafka->delete_topic($remade->{topic});
ok(wait_until($node, 'postgres', state_of('remade'), 'stopped'), 'deleted: stops');
my $advice = $node->safe_psql('postgres', q{SELECT what_to_do FROM userstream.incident WHERE stream = 'remade' AND closed_at IS NULL});
my ($seek) = $advice =~ /(userstream\.seek_stream\('remade', 'earliest'\)), then userstream\.resume_stream/;
ok(defined $seek, 'the incident says where a topic that is made again is to be read from') or diag($advice);
$kafka->create_topic($remade->{topic}, 1);
$remade->produce(20);
$node->safe_psql('postgres', "SELECT $seek; SELECT userstream.resume_stream('remade')");
ok(wait_until($node, 'postgres', 'SELECT count(*), count(DISTINCT seq) FROM remade', '40|40'), 'and from there all is read');

# the same while no worker runs
my $unseen = create_delivery('unseen', 1);
$unseen->produce(50);
$unseen->create_stream('postgres', 'unseen');
$unseen->is_delivered('postgres', 'unseen', 'topic to be replaced');
paused('unseen');
$kafka->delete_topic($unseen->{topic});
$kafka->create_topic($unseen->{topic}, 1);
$node->safe_psql('postgres', "SELECT userstream.resume_stream('unseen')");
ok(wait_until($node, 'postgres', state_of('unseen'), 'stopped'), 'replaced while nobody looked: stops');
like(open_incident('unseen'), qr/^0\|topic_recreated\|.* 50 .* 0:/, 'an incident tells both offsets');

# --- retention takes messages that were not read
my $trimmed = create_delivery('trimmed', 2);
$trimmed->produce(100, partition => 0);
$trimmed->produce(100, partition => 1);
$trimmed->create_stream('postgres', 'trimmed');
$trimmed->is_delivered('postgres', 'trimmed', 'before retention');
paused('trimmed');
# what is gone was never delivered: not counted
$kafka->produce($trimmed->{topic}, [ map { '{"seq": -1}' } 1 .. 30 ], partition => 0);
$trimmed->produce(20, partition => 0);
$trimmed->produce(20, partition => 1);
$kafka->trim_topic($trimmed->{topic}, 0, 130);
# what was read may go
$kafka->trim_topic($trimmed->{topic}, 1, 100);
$node->safe_psql('postgres', "SELECT userstream.resume_stream('trimmed')");
my $positions = q{SELECT string_agg(concat_ws(' ', partition, next_offset, state = 'stopped'), ', '
	ORDER BY partition) FROM userstream.partition_status WHERE stream = 'trimmed'};
ok(wait_until($node, 'postgres', $positions, '0 100 t, 1 120 f'),
	'the partition whose messages are gone stops, the other goes on');
like(open_incident('trimmed'), qr/^0\|offset_out_of_range\|offset 100 of partition 0 .* 130, .*30 /,
	'an incident tells both offsets');
is($node->safe_psql('postgres', state_of('trimmed')), 'stopped', 'the stream says so');

# --- compaction leaves gaps; times that are far apart make a segment of each third
my $gaps = create_delivery('gaps', 1, 'cleanup.policy' => 'compact', 'segment.ms' => 1000,
	'min.cleanable.dirty.ratio' => '0.001', 'delete.retention.ms' => 0);
my $then = (int(time) - 3600) * 1000;
my $first = $gaps->line('-', 0, time => $then);
$first->[4] = 'first';
my @old = map { [ '-', 'send', 0, $then, $_ % 50, '{"seq": -1}' ] } 1 .. 1000;
my @kept = map { my $line = $gaps->line('-', 0, time => $then + 60_000); $line->[4] = $_; $line } 0 .. 49;
my $last = $gaps->line('-', 0, time => $then + 120_000);
$kafka->produce_script($gaps->{topic}, [ $first, @old, '- flush', @kept, '- flush', $last ]);
my $left;
foreach (1 .. 1200)
{
	($left) = run_command([ 'kcat', '-q', '-C', '-b', $kafka->address, '-t', $gaps->{topic}, '-o', 'beginning', '-e', '-f', '%o ' ]);
	last if split(' ', $left) == 52;
	usleep(100_000);
}
is($left, join(' ', 0, 1001 .. 1051) . ' ', 'the broker has compacted the topic');
$gaps->create_stream('postgres', 'gaps');
$gaps->is_delivered('postgres', 'gaps', 'compacted topic');
is($node->safe_psql('postgres', "SELECT messages_read FROM userstream.ledger WHERE stream = 'gaps'"), 52,
	'a gap is not a message');
ok(wait_until($node, 'postgres', "SELECT state, lag_messages, lag_seconds FROM userstream.stream_status WHERE stream = 'gaps'", 'caught_up|0|0'),
	'nor lag');
is($node->safe_psql('postgres', "SELECT userstream.wait_for('gaps', 0, 10), userstream.wait_for('gaps', 0, 1051), userstream.wait_for('gaps', 0, 1052, '0 s')"),
	't|t|f', 'what was compacted away is read, too, as is the last message');

# looking back over the gap
my $look = sub { return $node->safe_psql('postgres',
		"SELECT count(*), min(kafka_offset), max(kafka_offset) FROM userstream.peek('kafka', '$gaps->{topic}', $_[0])"); };
is($look->('0, max_messages => 10'), '10|1042|1051', 'the newest messages');
is($look->('max_messages => 52'), '52|0|1051', 'the newest, over a gap');
is($look->('0, max_messages => 100'), '52|0|1051', 'and not more than there are');
is($look->('0, 1, max_messages => 2'), '2|1001|1002', 'from an offset in the gap');

$node->stop('fast');
done_testing();
