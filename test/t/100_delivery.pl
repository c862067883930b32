#
# test/t/100_delivery.pl
#    every message arrives once and in order: in bulk, while more come, through
#    triggers, terminated workers, restarts of server and broker, in two databases
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $kafka = UserstreamTest::Kafka->new('delivery');
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('delivery', 4));
my $sum_read = "SELECT sum(messages_read) FROM userstream.ledger WHERE stream = 'bulk'";
my $workers = "FROM pg_stat_activity WHERE backend_type = 'userstream stream'";

$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'bulk');

# the stream is there first, so that it reads while they come
$delivery->create_stream('postgres', 'bulk', workers => 2);
$delivery->produce(100_000);
$delivery->is_delivered('postgres', 'bulk', '100,000 messages');
is($node->safe_psql('postgres', "SELECT count(*) $workers"), 2, 'by two workers');

# the checker is no good if it sees nothing: break each promise, roll back
my %broken = (
	ledger => 'DELETE FROM bulk WHERE seq = 5',
	once => 'INSERT INTO bulk SELECT * FROM bulk WHERE seq = 5',
	order => 'UPDATE bulk SET arrival = 1000000 WHERE seq = 5',
	sums => 'UPDATE bulk SET body = body || $$y$$ WHERE seq = 5',
	positions => 'UPDATE userstream.stream_position SET next_offset = next_offset - 1 WHERE partition = 0',
);
my $ends = $kafka->end_offsets($delivery->{topic});
my $json = '{' . join(', ', map { qq("$_": $ends->{$_}) } sort keys %$ends) . '}';
foreach my $promise (sort keys %broken)
{
	like(
		$node->safe_psql('postgres',
			"BEGIN; $broken{$promise};
			 SELECT * FROM delivery('bulk', 'bulk', '$json', $delivery->{rows}, $delivery->{sum}); ROLLBACK"),
		qr/^f\|(?s:.*)$promise: /, "the checker sees a broken promise: $promise");
}

# a target with a trigger is written by a query
$delivery->create_target('postgres', 'triggered');
$node->safe_psql(
	'postgres', q{
CREATE TABLE seen (seq bigint);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN INSERT INTO public.seen VALUES (NEW.seq); RETURN NULL; END $$;
CREATE TRIGGER note AFTER INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION note();
});
$delivery->create_stream('postgres', 'triggered', workers => 2);
$delivery->is_delivered('postgres', 'triggered', 'target with a trigger');
is($node->safe_psql('postgres', 'SELECT count(*), count(DISTINCT seq) FROM seen'),
	'100000|100000', 'its trigger saw each row once');

# every worker terminated, again and again, while messages come
foreach my $round (1 .. 3)
{
	my $read = $node->safe_psql('postgres', $sum_read);

	$delivery->produce_meanwhile(20_000);
	ok(wait_until($node, 'postgres', "SELECT ($sum_read) > $read"), "terminated $round: it reads");
	$delivery->produce_rest;
	# CASE, since the planner may call the function before it looks at the type
	is( $node->safe_psql('postgres',
			"SELECT count(*) FILTER (WHERE CASE backend_type WHEN 'userstream stream'
				THEN pg_terminate_backend(pid) END) FROM pg_stat_activity"),
		4, "terminated $round: all workers are");
	$delivery->await_producer;
	ok(wait_until($node, 'postgres', "SELECT count(*) $workers", 4), "terminated $round: all are back");
}
$delivery->is_delivered('postgres', 'bulk', 'workers terminated');
$delivery->is_delivered('postgres', 'triggered', 'workers terminated, trigger');
$node->safe_psql('postgres', "SELECT userstream.drop_stream('triggered')");

# the server restarts while messages come, with and without a shutdown
foreach my $how ('fast', 'immediate')
{
	my $read = $node->safe_psql('postgres', $sum_read);

	$delivery->produce_meanwhile(20_000);
	ok(wait_until($node, 'postgres', "SELECT ($sum_read) > $read"), "stopped $how: it reads before");
	$delivery->produce_rest;
	$node->stop($how);
	$node->start;
	$delivery->await_producer;
	$delivery->is_delivered('postgres', 'bulk', "stopped $how and started");
}

# the broker stops and comes back
$kafka->stop;
ok( wait_until(
		$node, 'postgres',
		"SELECT state, last_error <> '' FROM userstream.stream_status WHERE stream = 'bulk'",
		'waiting|t'),
	'without a broker the stream waits and says why');
$kafka->start;
$delivery->produce(5_000);
$delivery->is_delivered('postgres', 'bulk', 'broker restarted');

# another database has the topic for itself
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('other', 'CREATE EXTENSION userstream');
$delivery->prepare_database('other');
$delivery->create_target('other', 'bulk');
$delivery->create_stream('other', 'bulk', workers => 2);
$delivery->produce(5_000);
$delivery->is_delivered('other', 'bulk', 'second database');
$delivery->is_delivered('postgres', 'bulk', 'first database beside it');

# a position that is set behind a worker's back, five messages ago: what the
# worker takes next, from where it was, fails whole, and it starts anew
is( $node->safe_psql('postgres', q{
	WITH moved AS (UPDATE userstream.stream_position SET next_offset = next_offset - 5, epoch = epoch + 1
					WHERE partition = 0 RETURNING next_offset),
		taken AS (DELETE FROM bulk USING moved WHERE kafka_partition = 0 AND kafka_offset >= next_offset RETURNING 1)
	SELECT count(*) FROM taken}),
	5, 'five messages are to come again');
$delivery->produce(1_000);
$delivery->is_delivered('postgres', 'bulk', 'a worker that was out of date', lost => '{"0": 5}');
like(slurp_file($node->logfile), qr/starts anew: position of partition 0 was changed by another process/,
	'which noticed it');

$node->stop('fast');
done_testing();
