#
# test/t/161_transactions.pl
#    of Kafka's transactions only what is committed arrives, in every codec; the
#    markers cost nothing: lag reaches 0 and positions the broker's end
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

# one that must not arrive: the checker would see it
sub aborted { return [ $_[0], 'send', $_[1] || 0, 0, 'x', '{"seq": -1, "body": "aborted"}' ]; }

sub create_delivery
{
	my ($name, $partitions, @more) = @_;
	my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic($name, $partitions, @more));

	$delivery->create_target('postgres', $name);
	return $delivery;
}

# the checker, and what the views say
sub is_caught_up
{
	my ($delivery, $name, $what) = @_;

	$delivery->is_delivered('postgres', $name, $what);
	ok( wait_until($node, 'postgres',
			"SELECT state, lag_messages, lag_seconds FROM userstream.stream_status WHERE stream = '$name'",
			'caught_up|0|0'),
		"$what: lag is 0");
	is( $node->safe_psql('postgres',
			"SELECT bool_and(messages_read = messages_applied), sum(messages_read) FROM userstream.ledger WHERE stream = '$name'"),
		"t|$delivery->{rows}", "$what: markers and aborted messages are not messages");
	return;
}

DeliveryTest->new($node, $kafka, 'none')->prepare_database('postgres');
# a marker at the end is known by an answer without messages, for which the broker takes this time
$node->safe_psql('postgres', q{ALTER SERVER kafka OPTIONS (ADD "fetch.wait.max.ms" '300')});

# committed, aborted, and two at once, across several batches of the broker
foreach my $codec ('none', 'gzip', 'snappy', 'lz4', 'zstd')
{
	my $delivery = create_delivery("codec_$codec", 2);

	$kafka->produce_script(
		$delivery->{topic},
		[
			(map { $delivery->line('-', $_ % 2) } 1 .. 500),
			'- flush',
			'a begin',
			(map { $delivery->line('a', $_ % 2) } 1 .. 500),
			'a commit',
			'b begin',
			(map { aborted('b', $_ % 2) } 1 .. 500),
			'b abort',
			# in turn, flushed so that batches of the two alternate
			'a begin', 'b begin',
			(map { ((map { $delivery->line('a', 0) } 1 .. 20), 'a flush', (map { aborted('b') } 1 .. 20), 'b flush') } 1 .. 10),
			'a commit', 'b abort',
			'a begin', 'b begin',
			(map { ((map { $delivery->line('a', 1) } 1 .. 20), 'a flush', (map { aborted('b', 1) } 1 .. 20), 'b flush') } 1 .. 10),
			'b abort', 'a commit',
			(map { $delivery->line('-', $_ % 2) } 1 .. 100),
			'- flush',
			# a marker is the last in the log
			'a begin', $delivery->line('a', 0), $delivery->line('a', 1), 'a commit',
			'b begin', aborted('b'), aborted('b', 1), 'b abort',
		],
		'compression.type' => $codec, 'batch.num.messages' => 100);
	$delivery->create_stream('postgres', "codec_$codec", options => q('{"batch_rows": 150}'));
	is_caught_up($delivery, "codec_$codec", $codec);
}

# a long run of aborted messages, after it nothing, then one
my $long = create_delivery('long', 1);
$long->produce(10);
$long->create_stream('postgres', 'long');
$long->is_delivered('postgres', 'long', 'before a long run of aborted messages');
my $memory = q{SELECT pg_size_bytes(regexp_replace(pg_read_file('/proc/' || pids[1] || '/status'), '.*RssAnon:\s*(\d+) kB.*', '\1 kB'))
	FROM userstream.stream_status WHERE stream = 'long'};
my $before = $node->safe_psql('postgres', $memory);
my $body = 'x' x 300;
my @run = map { [ 'a', 'send', 0, 0, $_, qq({"seq": -1, "body": "$body"}) ] } 1 .. 100_000;
$kafka->produce_script($long->{topic}, [ 'a begin', @run, 'a abort' ], 'transaction.timeout.ms' => 600_000);
is_caught_up($long, 'long', '100,000 aborted messages');
$long->produce(10);
is_caught_up($long, 'long', 'messages after them');
my $grown = $node->safe_psql('postgres', $memory) - $before;
cmp_ok($grown, '<', 64 * 1024 * 1024, 'the worker did not grow by what it threw away');

# an open transaction holds back what comes after it, and nothing is lost
my $open = create_delivery('open', 1);
$open->produce(10);
$open->create_stream('postgres', 'open');
$open->is_delivered('postgres', 'open', 'before an open transaction');
$kafka->produce_script($open->{topic},
	[ 'a begin', (map { aborted('a') } 1 .. 10), 'a flush' ], 'transaction.timeout.ms' => 600_000);
my $held = $open->{rows};
$open->produce(10);
my $other = create_delivery('other', 1);
$other->produce(10);
$other->create_stream('postgres', 'other');
$other->is_delivered('postgres', 'other', 'another stream goes on');
is($node->safe_psql('postgres', 'SELECT count(*) FROM open'), $held, 'behind an open transaction nothing is read yet');
# the next producer of the same name ends what the dead one left open
$kafka->produce_script($open->{topic}, [ 'a begin', $open->line('a', 0), 'a commit' ]);
is_caught_up($open, 'open', 'the transaction ended');

# retention that takes markers only is no loss
my $marker = create_delivery('marker', 1);
$kafka->produce_script($marker->{topic}, [ 'a begin', (map { $marker->line('a', 0) } 1 .. 10), 'a commit' ]);
$marker->create_stream('postgres', 'marker');
is_caught_up($marker, 'marker', 'marker at the end');
$node->safe_psql('postgres', q{SELECT userstream.pause_stream('marker')});
$kafka->trim_topic($marker->{topic}, 0, 11);
$node->safe_psql('postgres', q{SELECT userstream.resume_stream('marker')});
$kafka->produce_script($marker->{topic}, [ 'a begin', $marker->line('a', 0), 'a commit' ]);
is_caught_up($marker, 'marker', 'all of the log trimmed');
is($node->safe_psql('postgres', 'SELECT count(*) FROM userstream.incident'), 0, 'no incident');

# who wants to, reads everything
$node->safe_psql('postgres',
	q{CREATE SERVER dirty FOREIGN DATA WRAPPER userstream_kafka
		OPTIONS ("bootstrap.servers" '} . $kafka->address . q{', "isolation.level" 'read_uncommitted')});
$node->safe_psql('postgres', 'CREATE TABLE dirty (seq bigint)');
$node->safe_psql('postgres', "SELECT userstream.create_stream('dirty', 'dirty', '$marker->{topic}', 'dirty', start_at => 'latest')");
$kafka->produce_script($marker->{topic}, [ 'b begin', aborted('b'), 'b abort' ]);
ok(wait_until($node, 'postgres', 'SELECT count(*) FROM dirty', 1), 'isolation.level of the server is respected');
$marker->is_delivered('postgres', 'marker', 'beside it');

$node->stop('fast');
done_testing();
