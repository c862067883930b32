#
# test/t/164_backlog.pl
#    a backlog of small messages does not fill the memory of a worker
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

use constant BACKLOG => 400_000;
use constant QUEUE_MB => 16;
use constant LIMIT_MB => 60;		# a part of the queue, a fetch beyond it and a batch; the whole backlog takes 125

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.queue_memory = '" . QUEUE_MB . "MB'");
my $topic = $kafka->new_topic('small', 1);
create_server($node, 'postgres', $kafka);

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# nobody takes a message while the table is locked, so the worker fetches as far as it may
ask('CREATE TABLE small (n int); CREATE TABLE released ()');
ask("SELECT userstream.create_stream('small', 'kafka', '$topic', 'small')");
ok(wait_until($node, 'postgres', q{SELECT state FROM userstream.stream_status}, 'caught_up'), 'the worker runs');
my $anon = q{SELECT substring(pg_read_file('/proc/' || pids[1] || '/status', 0, 8192) FROM 'RssAnon:\s+(\d+) kB')::int / 1024
	FROM userstream.stream_status};
my $idle = ask($anon);
my $holder = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
		'DO $$BEGIN LOCK small; WHILE NOT EXISTS (SELECT FROM released) LOOP PERFORM pg_sleep(0.05); END LOOP; END$$' ],
	'<', \'', '>', \my $out, '2>', \my $err);
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM pg_locks WHERE granted AND relation = 'small'::regclass AND mode = 'AccessExclusiveLock'}, 1),
	'the target is locked');
system('sh', '-c', q{seq -f '{"n": %.0f}' "$1" | kcat -q -P -b "$2" -t "$3"}, 'sh', BACKLOG, $kafka->address, $topic) == 0
  or die 'could not produce';
ok(wait_until($node, 'postgres', q{SELECT state FROM userstream.stream_status}, 'blocked'), 'the worker waits for it');

# once the memory stays as it is, the queue is full, or holds all there is
my ($mb, $same) = (0, 0);
foreach (1 .. 600)
{
	my $now = ask($anon);
	$same = $now eq $mb ? $same + 1 : 0;
	$mb = $now;
	last if $same == 20;
}
is($same, 20, 'it has fetched what it may');
cmp_ok($mb - $idle, '>', 0, 'which takes memory');
cmp_ok($mb - $idle, '<', LIMIT_MB, "... but not for each message of the backlog ($mb MB, idle $idle MB)");

ask('INSERT INTO released DEFAULT VALUES');
$holder->finish;
ok(wait_until($node, 'postgres', 'SELECT sum(messages_applied), bool_and(balanced) FROM userstream.ledger', BACKLOG . '|t', 300), 'released, it takes all');
is(ask('SELECT count(*), sum(n::bigint) FROM small'), BACKLOG . '|' . BACKLOG * (BACKLOG + 1) / 2, 'each once');

$node->stop('fast');
done_testing();
