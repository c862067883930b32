#
# test/t/164_backlog.pl
#    a backlog does not fill the memory of a worker, which has it back when all
#    is read; a small queue does
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

use constant BACKLOG => 400_000;
use constant LIMIT_MB => 60;		# the queue, a fetch beyond it and a batch; the whole backlog takes 125
use constant KEPT_MB => 15;			# what a worker may need more than before its first message
use constant LARGE => 400;
use constant LARGE_BYTES => 100_000;

my $kafka = shared_kafka();
my $node = userstream_node('main');
create_server($node, 'postgres', $kafka);

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

my $anon = q{SELECT substring(pg_read_file('/proc/' || pids[1] || '/status', 0, 8192) FROM 'RssAnon:\s+(\d+) kB')::int / 1024
	FROM userstream.stream_status WHERE stream = '%s'};

# a stream that waits for its target, with as much of the lines in memory as it may; then the target is free
sub held_up
{
	my ($name, $make, $look) = @_;
	my $topic = $kafka->new_topic($name, 1);

	ask("CREATE TABLE $name (n int)");
	ask("SELECT userstream.create_stream('$name', 'kafka', '$topic', '$name')");
	ok(wait_until($node, 'postgres', "SELECT state FROM userstream.stream_status WHERE stream = '$name'", 'caught_up'),
		"$name: the worker runs");
	my $idle = ask(sprintf $anon, $name);
	ok(my $hold = hold_table($node, 'postgres', $name), "$name: the target is locked");
	$make->($topic);
	ok(wait_until($node, 'postgres', "SELECT state FROM userstream.stream_status WHERE stream = '$name'", 'blocked'),
		"$name: the worker waits for it");

	# once the memory stays as it is, the queue is full, or holds all there is
	my ($mb, $same) = (0, 0);
	foreach (1 .. 600)
	{
		my $now = ask(sprintf $anon, $name);
		$same = $now eq $mb ? $same + 1 : 0;
		$mb = $now;
		last if $same == 20;
	}
	is($same, 20, "$name: it has fetched what it may");
	$look->($mb - $idle);
	release_table($hold);
	return $idle;
}

# ---------------------------------------------------------------------------
# small messages, of which librdkafka's own part is the larger one
# ---------------------------------------------------------------------------
my $idle = held_up('small', sub {
	my ($to) = @_;

	system('sh', '-c', q{seq -f '{"n": %.0f}' "$1" | kcat -q -P -b "$2" -t "$3"}, 'sh', BACKLOG, $kafka->address, $to) == 0
	  or die 'could not produce';
}, sub {
	my ($mb) = @_;

	cmp_ok($mb, '>', 0, 'small: which takes memory');
	cmp_ok($mb, '<', LIMIT_MB, "small: ... but not for each message of the backlog ($mb MB)");
});
ok(wait_until($node, 'postgres', q{SELECT sum(messages_applied), bool_and(balanced) FROM userstream.ledger
	WHERE stream = 'small'}, BACKLOG . '|t', 300), 'small: released, it takes all');
is(ask('SELECT count(*), sum(n::bigint) FROM small'), BACKLOG . '|' . BACKLOG * (BACKLOG + 1) / 2, 'small: each once');
my $free = sprintf $anon, 'small';
ok(wait_until($node, 'postgres', "SELECT ($free) < $idle + " . KEPT_MB), 'small: and gives the memory back');

# ---------------------------------------------------------------------------
# large ones, of which hardly anything is used: the queue is empty in a moment
# ---------------------------------------------------------------------------
my $filler = 'x' x LARGE_BYTES;
held_up('large', sub { $kafka->produce($_[0], [ map { qq({"n": $_, "x": "$filler"}) } 1 .. LARGE ]); },
	sub { my ($mb) = @_; cmp_ok($mb, '<', LIMIT_MB, "large: not all are fetched ($mb MB)"); });
ok(wait_until($node, 'postgres', q{SELECT sum(messages_applied), bool_and(balanced) FROM userstream.ledger
	WHERE stream = 'large'}, LARGE . '|t', 300), 'large: released, it takes all');
is(ask('SELECT count(*), sum(n::bigint) FROM large'), LARGE . '|' . LARGE * (LARGE + 1) / 2, 'large: each once');

# ---------------------------------------------------------------------------
# a queue that is full many times is filled again while it is emptied: where nobody
# said that there is room, librdkafka would wait longer than the rows take
# ---------------------------------------------------------------------------
$node->append_conf('postgresql.conf', q{userstream.queue_memory = '1MB'});
$node->reload;
$filler = 'x' x 20_000;
my $steady = $kafka->new_topic('steady', 1);
$kafka->produce($steady, [ map { qq({"n": $_, "x": "$filler"}) } 1 .. 1000 ]);
ask(q{CREATE TABLE steady (n int);
	CREATE FUNCTION slow_row() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.001); RETURN new; END';
	CREATE TRIGGER slow BEFORE INSERT ON steady FOR EACH ROW EXECUTE FUNCTION slow_row()});
ask(qq{SELECT userstream.create_stream('steady', 'kafka', '$steady', 'steady')});
ok(wait_until($node, 'postgres', q{SELECT sum(messages_applied), bool_and(balanced) FROM userstream.ledger
	WHERE stream = 'steady'}, '1000|t', 300), 'steady: all is read');
my $waited = q{SELECT sum(seconds) FILTER (WHERE stage = 'fetch_wait') < sum(seconds) FILTER (WHERE stage = 'insert')
	FROM userstream.stream_stage WHERE stream = 'steady'};
ok(wait_until($node, 'postgres', $waited, 't'), 'steady: rows took longer than waiting for messages')
  or diag(ask(q{SELECT * FROM userstream.stream_stage WHERE stream = 'steady'}));

$node->stop('fast');
done_testing();
