#
# test/t/172_locks.pl
#    where a worker and a user wait for each other, the worker gives way: the
#    user's statement is never the victim, and nothing is lost by it
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
my $node = userstream_node('main');
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('truncated', 2));
$delivery->prepare_database('postgres');

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# until a condition holds, within a transaction, which would see the sessions of its beginning only
sub until_sql
{
	my ($condition) = @_;
	return "DO 'BEGIN WHILE NOT ($condition) LOOP PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP; END'";
}

# a session of its own that runs the statements, and its error in the end
sub start
{
	my ($out, $err) = ('', '');
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), map { ('-c', $_) } @_ ],
		'<', \'', '>', \$out, '2>', \$err, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return sub { $session->finish; return $err; };
}

# ---------------------------------------------------------------------------
# a table emptied and filled again: the worker has its positions and waits for
# the table, the user has the table and asks for the positions
# ---------------------------------------------------------------------------
$delivery->create_target('postgres', 'truncated');
$delivery->create_stream('postgres', 'truncated');
$delivery->produce(500);
$delivery->is_delivered('postgres', 'truncated', 'before');
ask('CREATE TABLE lost (partition int PRIMARY KEY, rows bigint)');
foreach my $round (1 .. 3)
{
	my $error = start('BEGIN', 'TRUNCATE truncated',
		until_sql(q{EXISTS (SELECT FROM pg_locks l JOIN pg_stat_activity USING (pid)
			WHERE NOT granted AND relation = $$truncated$$::regclass AND backend_type = $$userstream stream$$)}),
		q{SELECT userstream.seek_stream('truncated', 'earliest')},
		# what the counters hold of rows that are no more
		q{INSERT INTO lost SELECT partition, rows_written FROM userstream.partition_status WHERE stream = 'truncated'
			ON CONFLICT (partition) DO UPDATE SET rows = excluded.rows}, 'COMMIT');
	ok(wait_until($node, 'postgres', q{SELECT count(*) FROM pg_locks WHERE granted AND mode = 'AccessExclusiveLock'
		AND relation = 'truncated'::regclass}, 1), "round $round: the table is locked");
	$delivery->produce(500);
	is($error->(), '', "round $round: TRUNCATE and seek_stream in one transaction");
	$delivery->is_delivered('postgres', 'truncated', "round $round: all of it again",
		lost => ask('SELECT jsonb_object_agg(partition, rows) FROM lost'));
}

# ---------------------------------------------------------------------------
# rows: the user has 3 and comes for 1, which the worker has; then the worker
# comes for 3.  Row 2 is where it waits until the user waits for it.
# ---------------------------------------------------------------------------
my $topic = $kafka->new_topic('crossed', 1);
ask(q{
CREATE TABLE crossed (id int PRIMARY KEY, v text);
INSERT INTO crossed VALUES (1, 'old'), (2, 'old'), (3, 'old');
CREATE FUNCTION gate() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM pg_advisory_xact_lock_shared(1);
	WHILE EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 2) AND
		NOT EXISTS (SELECT FROM pg_locks l WHERE NOT l.granted AND pg_backend_pid() = ANY (pg_blocking_pids(l.pid)))
	LOOP
		PERFORM pg_sleep(0.01);
	END LOOP;
	RETURN NEW;
END $$;
CREATE TRIGGER gate BEFORE INSERT ON crossed FOR EACH ROW WHEN (NEW.id = 2) EXECUTE FUNCTION gate()});
ask("SELECT userstream.create_stream('crossed', 'kafka', '$topic', 'crossed', mode => 'upsert')");
ok(wait_until($node, 'postgres', q{SELECT state FROM userstream.stream_status WHERE stream = 'crossed'}, 'caught_up'), 'it waits for messages');
# on a slow machine the worker may come to wait for row 3 later than in the second after which he would look
my $error = start('BEGIN', q{SET LOCAL deadlock_timeout = '10s'}, q{UPDATE crossed SET v = 'user' WHERE id = 3}, q{DO 'BEGIN PERFORM pg_advisory_xact_lock(2); END'},
	until_sql('EXISTS (SELECT FROM pg_locks WHERE locktype = $$advisory$$ AND objid = 1)'),
	q{UPDATE crossed SET v = 'user' WHERE id = 1}, 'COMMIT');
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 2}, 1), 'the user has row 3');
$kafka->produce($topic, [ map { qq({"id": $_, "v": "stream"}) } 1 .. 3 ]);
is($error->(), '', 'a deadlock by rows: the user is not its victim');
ok(wait_until($node, 'postgres', q{SELECT string_agg(id || v, ',' ORDER BY id) FROM crossed}, '1stream,2stream,3stream'),
	'and the worker has tried again');
is(ask(q{SELECT count(*) FROM userstream.dead_letter}), 0, 'no message is blamed');
is(ask(q{SELECT messages_read, messages_applied, balanced FROM userstream.ledger WHERE stream = 'crossed'}), '3|3|t', 'each once');

$node->stop('fast');
done_testing();
