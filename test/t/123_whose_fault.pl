#
# test/t/123_whose_fault.pl
#    an error that a row meets is the message's, the moment's or the
#    definition's: a dead letter, another try, or a stop
#
# A trigger raises what a table says, for all rows.
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
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('moody', 2));
$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'moody', 'qty int');
$node->safe_psql('postgres', q{
CREATE TABLE mood (sqlstate text);
CREATE FUNCTION moody() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	code text;
BEGIN
	SELECT sqlstate INTO code FROM public.mood;
	IF FOUND THEN
		RAISE EXCEPTION 'in a mood' USING ERRCODE = code;
	ELSIF NEW.seq < 0 THEN
		RAISE EXCEPTION 'never' USING ERRCODE = '22000';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER moody BEFORE INSERT ON moody FOR EACH ROW EXECUTE FUNCTION moody()});

sub mood { my ($code) = @_; $node->safe_psql('postgres', 'DELETE FROM mood' . ($code ? "; INSERT INTO mood VALUES ('$code')" : '')); return; }
sub letters { return $node->safe_psql('postgres', q{SELECT count(*) FROM userstream.dead_letter}); }
my $trouble = q{SELECT state = 'stopped', last_error LIKE '%in a mood%', failing_since IS NOT NULL
	FROM userstream.stream_status WHERE stream = 'moody'};
my $healthy = q{SELECT state, failing_since IS NULL FROM userstream.stream_status WHERE stream = 'moody'};

$delivery->create_stream('postgres', 'moody');
$delivery->produce(100);
$delivery->is_delivered('postgres', 'moody', 'in a good mood');

# passes by itself
foreach my $code ('40001', '53100')
{
	mood($code);
	$delivery->produce(150);
	ok(wait_until($node, 'postgres', $trouble, 'f|t|t'), "$code: it tries again, and the view says why");
	is(letters(), 0, "$code: no message is blamed");
	mood();
	$delivery->is_delivered('postgres', 'moody', "$code has passed");
	ok(wait_until($node, 'postgres', $healthy, 'caught_up|t'), "$code: all is well again");
}

# is nothing that a message could mend: what no privilege allows, and what
# every message of a large batch meets though it does not speak of data
foreach my $code ('42501', 'UX001', '42P01')
{
	mood($code);
	$node->safe_psql('postgres', q{SELECT userstream.pause_stream('moody')});
	wait_until($node, 'postgres',
		q{SELECT state = 'paused' AND coalesce(cardinality(pids), 0) = 0 FROM userstream.stream_status});
	$delivery->produce(3000);
	$node->safe_psql('postgres', q{SELECT userstream.resume_stream('moody')});
	ok(wait_until($node, 'postgres', $trouble, 't|t|t'), "$code: it stops");
	is(letters(), 0, "$code: no message is blamed");
	is($node->safe_psql('postgres', q{SELECT count(*) FROM userstream.incident WHERE closed_at IS NULL}),
		1, "$code: an incident is open");
	mood();
	$node->safe_psql('postgres', q{SELECT userstream.resume_stream('moody')});
	$delivery->is_delivered('postgres', 'moody', "$code mended and resumed");
}

# few messages at a time: a hundred in a row are as much; one that goes in breaks the row
my $count = q{SELECT count(*) FROM userstream.dead_letter WHERE sqlstate = };
foreach my $code ('42883', '42804')
{
	my $bad = sub { $kafka->produce($delivery->{topic}, [ map { qq({"seq": -1}) } 1 .. 60 ], partition => 0); };

	mood($code);
	$bad->();
	ok(wait_until($node, 'postgres', "$count '$code'", 60), "$code of 60 messages: dead letters");
	mood();
	$delivery->produce(1);
	$delivery->is_delivered('postgres', 'moody', "$code: one goes in");
	mood($code);
	$bad->();
	ok(wait_until($node, 'postgres', "$count '$code'", 120), "$code of 60 more: the row is another");
	$bad->();
	ok(wait_until($node, 'postgres', $trouble, 't|t|t'), "$code: more than a hundred in a row stop");
	my $letters = $node->safe_psql('postgres', "$count '$code'");
	ok($letters >= 120 && $letters < 160, "$code: before the hundredth, after $letters in all");
	mood();
	$node->safe_psql('postgres', q{SELECT userstream.resume_stream('moody')});
	$delivery->produce(1);
	$delivery->is_delivered('postgres', 'moody', "$code: mended, it goes on");
}

# the same in a small batch may well be the message's, as what speaks of data
# is in any: bad data does not stop a stream by its number
mood('UX001');
$kafka->produce($delivery->{topic}, [ map { qq({"seq": $_}) } 1 .. 20 ], partition => 0);
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM userstream.dead_letter WHERE sqlstate = 'UX001'}, 20),
	'UX001 of a small batch: dead letters');
mood('P0001');
$kafka->produce($delivery->{topic}, [ map { qq({"seq": $_}) } 1 .. 300 ], partition => 1);
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM userstream.dead_letter WHERE sqlstate = 'P0001'}, 300),
	'P0001 of a large batch: dead letters');
mood();
$kafka->produce($delivery->{topic}, [ map { qq({"seq": $_) } 1 .. 3000 ], partition => 1);
$delivery->produce(100);
$delivery->is_delivered('postgres', 'moody', 'after all the bad messages');
is( $node->safe_psql('postgres', q{SELECT sqlstate, count(*), count(DISTINCT (topic, partition, kafka_offset))
		FROM userstream.dead_letter WHERE sqlstate <> ALL ('{42883,42804,22000}') GROUP BY 1 ORDER BY 1}),
	"22P02|3000|3000\nP0001|300|300\nUX001|20|20", 'each is a dead letter once');

$node->stop('fast');
done_testing();
