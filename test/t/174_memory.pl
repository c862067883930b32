#
# test/t/174_memory.pl
#    what a worker's memory does not depend on: how many messages are bad, how many
#    large ones wait; and many streams at once, of a hundred partitions, and more
#
# MEMORY_BAD and MEMORY_LARGE are how many bad messages there are, and how many of 10 MB
# in each of two partitions.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use DeliveryTest;
use FaultTest;
use UserstreamTest;

use constant LARGE_BYTES => 10_000_000;
use constant QUEUE_MB => 16;
use constant LIMIT_MB => 150;		# the queue, a message beyond it, a batch of 16 MB and its rows; 240 and more wait

my $bad = $ENV{MEMORY_BAD} || 50_000;
my $large = $ENV{MEMORY_LARGE} || 24;
my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '100ms'\nuserstream.queue_memory = '@{[QUEUE_MB]}MB'");

sub sql { my ($text) = @_; return $node->safe_psql('postgres', $text); }

create_server($node, 'postgres', $kafka);
sql(slurp_file("$ENV{USERSTREAM_SRC}/test/checker.sql"));

# ---------------------------------------------------------------------------
# memory of a stream's workers
# ---------------------------------------------------------------------------
sub pids { my ($stream) = @_; return split /,/, sql("SELECT array_to_string(pids, ',') FROM userstream.stream_status WHERE stream = '$stream'"); }

# MB of its own memory that a worker has now; 0: it is gone
sub own_mb
{
	my ($pid) = @_;
	my ($kb) = (eval { slurp_file("/proc/$pid/status") } // '') =~ /^RssAnon:\s+(\d+) kB/m;
	return ($kb || 0) / 1024;
}

# the most that any of the workers has while so many messages are not yet read
sub most_until
{
	my ($stream, $count, @pids) = @_;
	my $end = time + 3600;
	my $most = 0;
	my $read = 0;

	while ($read < $count && time < $end)
	{
		foreach (1 .. 20)
		{
			foreach my $mb (map { own_mb($_) } @pids) { $most = $mb if $mb > $most; }
			sleep(0.01);
		}
		$read = sql("SELECT coalesce(sum(messages_read), 0) FROM userstream.ledger WHERE stream = '$stream'");
	}
	return $most;
}

# ---------------------------------------------------------------------------
# bad messages: the worker needs no more for the second half than for the first
# ---------------------------------------------------------------------------
my $topic = $kafka->new_topic('bad', 1);
sql('CREATE TABLE bad (n int)');
sql("SELECT userstream.create_stream('bad', 'kafka', '$topic', 'bad')");
ok(wait_until($node, 'postgres', q{SELECT state FROM userstream.stream_status WHERE stream = 'bad'}, 'caught_up'), 'bad: a worker runs');
my @pids = pids('bad');
sql(q{SELECT userstream.pause_stream('bad')});
system('sh', '-c', q{seq -f '{"n": "none of %.0f"}' "$1" | kcat -q -P -b "$2" -t "$3"}, 'sh', $bad, $kafka->address, $topic) == 0
  or die 'could not produce';
sql(q{SELECT userstream.resume_stream('bad')});
ok(wait_until($node, 'postgres', q{SELECT cardinality(pids) FROM userstream.stream_status WHERE stream = 'bad'}, 1), 'bad: it goes on');
@pids = pids('bad');
my $began = time;
my $first = most_until('bad', $bad / 2, @pids);
my $second = most_until('bad', $bad, @pids);
note(sprintf 'bad: %d a second, at most %.0f MB in the first half, %.0f MB in the second', $bad / (time - $began), $first, $second);
cmp_ok($second, '<', $first + 2 + $bad / 2 / 100_000, 'bad: no more memory for the second half');
is("@{[pids('bad')]}", "@pids", 'bad: by the same worker');
is(sql(q{SELECT count(*), count(DISTINCT kafka_offset), min(kafka_offset), max(kafka_offset),
	bool_and(convert_from(value, 'UTF8') = format('{"n": "none of %s"}', kafka_offset + 1)) FROM userstream.dead_letter}),
	join('|', $bad, $bad, 0, $bad - 1, 't'), 'bad: each is a dead letter, once, with its bytes');
is(sql(q{SELECT messages_read, dead_letters, balanced FROM userstream.ledger WHERE stream = 'bad'}), "$bad|$bad|t", 'bad: the ledger');
sql(q{SELECT userstream.drop_stream('bad')});

# ---------------------------------------------------------------------------
# large messages: what waits in Kafka takes no memory
# ---------------------------------------------------------------------------
$topic = $kafka->new_topic('large', 2, 'max.message.bytes' => 2 * LARGE_BYTES);
sql('CREATE TABLE large (p int, o bigint, filler text)');
sql("SELECT userstream.create_stream('large', 'kafka', '$topic', 'large', workers => 2, columns => '{\"p\": \"\@partition\", \"o\": \"\@offset\"}')");
ok(wait_until($node, 'postgres', q{SELECT cardinality(pids) = 2 AND state = 'caught_up' FROM userstream.stream_status WHERE stream = 'large'}), 'large: two workers run');
sql(q{SELECT userstream.pause_stream('large')});
# kcat sends each file as a message
my $file = "${PostgreSQL::Test::Utils::tmp_check}/large.json";
append_to_file($file, '{"filler": "' . 'x' x LARGE_BYTES . '"}');
foreach my $partition (0, 1)
{
	system('kcat', '-q', '-P', '-b', $kafka->address, '-t', $topic, '-p', $partition, '-X', 'message.max.bytes=100000000', ($file) x $large) == 0
	  or die 'could not produce';
}
unlink $file;
sql(q{SELECT userstream.resume_stream('large')});
ok(wait_until($node, 'postgres', q{SELECT cardinality(pids) FROM userstream.stream_status WHERE stream = 'large'}, 2), 'large: they go on');
my $most = most_until('large', 2 * $large, pids('large'));
note(sprintf 'large: at most %.0f MB a worker', $most);
cmp_ok($most, '<', LIMIT_MB, 'large: a worker needs for what is in its hands, not for what waits');
is(sql(q{SELECT count(*), count(DISTINCT (p, o)), bool_and(length(filler) = } . LARGE_BYTES . q{) FROM large}), 2 * $large . '|' . 2 * $large . '|t', 'large: all are there');
is(sql(q{SELECT sum(messages_applied), bool_and(balanced) FROM userstream.ledger WHERE stream = 'large'}), 2 * $large . '|t', 'large: the ledger');
sql(q{SELECT userstream.drop_stream('large'); DROP TABLE large});

# ---------------------------------------------------------------------------
# many streams: 24 of them with a hundred partitions, and one of another hundred, through a crash
# ---------------------------------------------------------------------------
my %delivery = map { ("many_$_" => DeliveryTest->new($node, $kafka, $kafka->new_topic("many_$_", $_ == 0 ? 100 : $_ <= 4 ? 5 : 4))) } 0 .. 24;

foreach my $name (sort keys %delivery)
{
	$delivery{$name}->create_target('postgres', $name);
	$delivery{$name}->produce(200);
	$delivery{$name}->create_stream('postgres', $name);
}
ok(FaultTest::strike($node, 'kill stream'), 'many: one of the workers is killed');
$_->produce(200) foreach values %delivery;
$delivery{$_}->is_delivered('postgres', $_, $_) foreach sort keys %delivery;
ok(wait_until($node, 'postgres', q{SELECT count(*), count(DISTINCT stream), bool_and(state = 'caught_up') FROM userstream.partition_status}, '200|25|t'),
	'many: 25 streams of 200 partitions are caught up');

$node->stop('fast');
done_testing();
