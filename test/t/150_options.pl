#
# test/t/150_options.pl
#    options of streams at work: partitions that are added, offsets that are
#    gone, topics that go away, limits of dead letters, tombstones, NOTIFY
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
my $is_prepared = 0;

# a topic, a target and a stream of one name; options as JSON
sub delivery
{
	my ($name, $partitions) = @_;
	my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic($name, $partitions));

	$delivery->prepare_database('postgres') unless $is_prepared++;
	$delivery->create_target('postgres', $name, 'qty int');
	return $delivery;
}

sub create
{
	my ($delivery, $name, $options, %args) = @_;
	$delivery->create_stream('postgres', $name, options => "'$options'", %args);
	return;
}

sub positions
{
	my ($name) = @_;
	return "SELECT string_agg(concat_ws(':', partition, next_offset), ',' ORDER BY partition)
		FROM userstream.partition_status WHERE stream = '$name'";
}

sub incidents
{
	my ($name) = @_;
	return $node->safe_psql('postgres',
		"SELECT kind, partition, detail, closed_at IS NULL FROM userstream.incident
		  WHERE stream = '$name' ORDER BY id");
}

sub stopped
{
	my ($name, $what) = @_;
	return "SELECT state, last_error LIKE '%$what%', cardinality(pids)
		FROM userstream.stream_status WHERE stream = '$name'";
}

# ---------------------------------------------------------------------------
# metadata_refresh
# ---------------------------------------------------------------------------
my $growing = delivery('growing', 1);
create($growing, 'growing', '{"metadata_refresh": "1s"}', workers => 3);
$growing->produce(200);
$growing->is_delivered('postgres', 'growing', 'one partition');
my $before = $node->safe_psql('postgres',
	q{SELECT config_version FROM userstream.stream_status WHERE stream = 'growing'});
$kafka->grow_topic($growing->{topic}, 4);
$growing->produce(100, partition => $_) foreach 0 .. 3;
$growing->is_delivered('postgres', 'growing', 'partitions added, with messages before they were seen');
is($node->safe_psql('postgres',
		q{SELECT config_version FROM userstream.stream_status WHERE stream = 'growing'}),
	$before + 1, 'the definition changed once');
ok(wait_until($node, 'postgres',
		q{SELECT cardinality(pids) FROM userstream.stream_status WHERE stream = 'growing'}, 3),
	'there are workers for the new partitions');
is(incidents('growing'), '', 'it is no incident');

# ---------------------------------------------------------------------------
# the topic goes away, or comes back smaller
# ---------------------------------------------------------------------------
$kafka->delete_topic($growing->{topic});
ok(wait_until($node, 'postgres', stopped('growing', 'does not exist any more%resume_stream'), 'stopped|t|'),
	'a deleted topic stops the stream, which says what to do');
is(incidents('growing'), qq{topic_missing||topic "$growing->{topic}" does not exist any more|t},
	'an incident is open');
$kafka->create_topic($growing->{topic}, 2);
$node->safe_psql('postgres', q{SELECT userstream.resume_stream('growing')});
ok( wait_until(
		$node, 'postgres',
		q{SELECT state, count(DISTINCT i.kind) FROM userstream.stream_status s
			JOIN userstream.incident i ON i.stream = s.stream AND i.partition IS NULL AND i.kind = 'topic_recreated'
			WHERE s.stream = 'growing' AND s.last_error LIKE '%has 2 partitions, but 4 were read%drop_stream%'
			GROUP BY state}, 'stopped|1'),
	'a topic with fewer partitions stops it too');

# ---------------------------------------------------------------------------
# on_offset_out_of_range
# ---------------------------------------------------------------------------
foreach my $where ('earliest', 'latest')
{
	my $gap = delivery("gap_$where", 2);

	$gap->produce(50, partition => $_) foreach 0, 1;
	create($gap, "gap_$where", qq({"on_offset_out_of_range": "$where"}));
	$gap->is_delivered('postgres', "gap_$where", "before a gap, $where");
	$node->safe_psql('postgres', "SELECT userstream.pause_stream('gap_$where')");
	ok(wait_until($node, 'postgres', stopped("gap_$where", ''), 'paused||'), 'it is paused');

	# 30 messages are deleted unread; 20 more are left
	my @lost = map { $gap->message } 1 .. 30;
	my @left = map { $gap->message } 1 .. 20;
	$kafka->produce($gap->{topic}, [ @lost, @left ], partition => 0);
	$kafka->trim_topic($gap->{topic}, 0, 80);
	foreach my $message (@lost, $where eq 'latest' ? @left : ())
	{
		$gap->{rows}--;
		$gap->{sum} -= $message->{key};
	}
	$gap->produce(10, partition => 1);
	$node->safe_psql('postgres', "SELECT userstream.resume_stream('gap_$where')");
	ok(wait_until($node, 'postgres', positions("gap_$where"), '0:100,1:60'), 'over the gap');
	my ($to, $passed) = $where eq 'latest' ? (100, 50) : (80, 30);
	is(incidents("gap_$where"),
		"offset_out_of_range|0|offset 50 of partition 0 was out of range: moved to $to, $passed offsets were passed over|f",
		'a closed incident says what was passed over');
	$gap->produce(10, partition => 0);
	$gap->is_delivered('postgres', "gap_$where", "after the gap, $where");
}

# ---------------------------------------------------------------------------
# max_dead_letters_per_minute: two workers share it
# ---------------------------------------------------------------------------
my $full = delivery('crowded', 2);
my $bad = '"qty": 3000000000';

# bad ones that become dead letters in the end are no rows
sub bad_message
{
	my ($delivery, $is_row) = @_;
	my $message = $delivery->message($bad);

	return $message if $is_row;
	$delivery->{rows}--;
	$delivery->{sum} -= $message->{key};
	return $message;
}

foreach my $partition (0, 1)
{
	foreach my $round (1 .. 3)
	{
		$full->produce(50, partition => $partition);
		$kafka->produce($full->{topic}, [ bad_message($full) ], partition => $partition);
	}
	$full->produce(50, partition => $partition);
}
create($full, 'crowded', '{"max_dead_letters_per_minute": 5, "batch_rows": 70}', workers => 2);
ok( wait_until(
		$node, 'postgres',
		stopped('crowded', 'more than 5 dead letters within a minute, the next would be message at offset 152 of partition%'
			  . 'out of range%resume_stream'), 'stopped|t|'),
	'one dead letter more than allowed stops the whole stream and names the error');
my $letters = q{SELECT count(*) FROM userstream.dead_letter WHERE stream = 'crowded'};
is($node->safe_psql('postgres', $letters), 5, 'as many as allowed are stored');
like(incidents('crowded'), qr/^too_many_dead_letters\|\|more than 5 .*\|t$/, 'one incident is open');
$node->safe_psql('postgres', q{SELECT userstream.resume_stream('crowded')});
$full->is_delivered('postgres', 'crowded', 'resumed with a fresh minute');
is($node->safe_psql('postgres', $letters), 6, 'with the last dead letter');
like(incidents('crowded'), qr/\|f$/, 'the incident is closed');
# nothing is allowed: a restart does not change it
my $none = delivery('strict', 1);
$none->produce(20);
$kafka->produce($none->{topic}, [ bad_message($none, 1) ]);
$none->produce(20);
create($none, 'strict', '{"max_dead_letters_per_minute": 0}');
ok(wait_until($node, 'postgres', stopped('strict', 'offset 20 '), 'stopped|t|'), 'the first is too many where none is allowed');
$node->safe_psql('postgres',
	q{ALTER TABLE strict ALTER qty TYPE bigint; SELECT userstream.resume_stream('strict')});
$none->is_delivered('postgres', 'strict', 'mended and resumed');
is($node->safe_psql('postgres', q{SELECT count(*) FROM userstream.dead_letter WHERE stream = 'strict'}),
	0, 'without a dead letter');

# what is older than a minute does not count
my $slow = delivery('slow', 1);
create($slow, 'slow', '{"max_dead_letters_per_minute": 2}');
my $of_slow = q{SELECT count(*) FROM userstream.dead_letter WHERE stream = 'slow'};
foreach my $round (1, 2)
{
	# the stream is not older than its letters
	$node->safe_psql('postgres', q{UPDATE userstream.stream SET created_at = created_at - interval '1 hour' WHERE name = 'slow';
		UPDATE userstream.dead_letter SET created_at = created_at - interval '61 s' WHERE stream = 'slow'});
	$kafka->produce($slow->{topic}, [ bad_message($slow), bad_message($slow) ]);
	ok(wait_until($node, 'postgres', $of_slow, 2 * $round), "minute $round: as many as are allowed");
}
$kafka->produce($slow->{topic}, [ bad_message($slow) ]);
ok(wait_until($node, 'postgres', stopped('slow', 'more than 2 dead letters within a minute'), 'stopped|t|'), 'and one more of the same minute stops');
is($node->safe_psql('postgres', $of_slow), 4, 'unstored');
$node->safe_psql('postgres', q{SELECT userstream.drop_stream('slow')});

# ---------------------------------------------------------------------------
# tombstone
# ---------------------------------------------------------------------------
my $gone = delivery('gone', 1);
$gone->produce(10);
$kafka->produce($gone->{topic}, [ { key => 'k', value => undef } ]);
$gone->produce(10);
create($gone, 'gone', '{"tombstone": "dead_letter"}');
$gone->is_delivered('postgres', 'gone', 'a tombstone');
is( $node->safe_psql('postgres',
		q{SELECT kafka_offset, sqlstate, error, key, value IS NULL FROM userstream.dead_letter WHERE stream = 'gone'}),
	"10|22004|message has no value\nDETAIL: Option \"tombstone\" of the stream is \"dead_letter\".|\\x6b|t",
	'is a dead letter where that is asked for');
$gone->create_target('postgres', 'gone_too', 'qty int');
create($gone, 'gone_too', '{"tombstone": "ignore"}');
$gone->is_delivered('postgres', 'gone_too', 'a tombstone that is ignored');
is($node->safe_psql('postgres', q{SELECT skipped, dead_letters FROM userstream.ledger WHERE stream = 'gone_too'}),
	'1|0', 'is counted as skipped');

# ---------------------------------------------------------------------------
# notify
# ---------------------------------------------------------------------------
my $told = delivery('told', 1);
$node->safe_psql('postgres', qq{
	SELECT userstream.create_stream('told "so"', 'kafka', '$told->{topic}', 'told', columns => '@{[DeliveryTest::COLUMNS]}',
		options => '{"notify": true}')});

# the payloads that a session which listens gets until they are about so many rows
sub heard
{
	my ($rows, $act) = @_;
	my ($in, $out) = ("LISTEN userstream;\nSELECT 'listening';\n", '');
	my $timer = IPC::Run::timer($PostgreSQL::Test::Utils::timeout_default);
	my $psql = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
		'<', \$in, '>', \$out, $timer);
	my ($sum, @payloads) = (0);

	$psql->pump until $out =~ /listening/ || $timer->is_expired;
	$act->();
	while ($sum < $rows && !$timer->is_expired)
	{
		# psql looks for notifications after each statement
		$out =~ s/^looked\n//gm;
		$in .= "SELECT 'looked';\n";
		$psql->pump until $out =~ /^looked$/m || $timer->is_expired;
		@payloads = $out =~ /^Asynchronous notification "userstream" with payload "(.*)" received/gm;
		$sum = 0;
		$sum += /"rows": (\d+)/ ? $1 : 0 foreach @payloads;
	}
	$in .= "\\q\n";
	$psql->finish;
	return ($sum, @payloads);
}

my ($rows_told, @payloads) = heard(60, sub {
	$told->produce(30);
	$kafka->produce($told->{topic}, [ { key => 'k', value => undef } ]);
	$told->produce(30);
});
is($rows_told, 60, 'a session that listens is told of each row');
is(scalar(grep { !/^\{"stream": "told \\"so\\"", "rows": [1-9]\d*\}$/ } @payloads), 0,
	'by the name of the stream, and only of batches with rows');

# ---------------------------------------------------------------------------
# batch_rows, batch_bytes: of a backlog each batch is full, and not fuller
# ---------------------------------------------------------------------------
sub largest_of_backlog
{
	my ($options) = @_;

	$node->safe_psql('postgres', q{SELECT userstream.pause_stream('told "so"')});
	ok(wait_until($node, 'postgres',
			q{SELECT coalesce(cardinality(pids), 0) FROM userstream.stream_status WHERE stream = 'told "so"'}, 0), 'paused');
	$told->produce_with('"pad": "' . 'x' x 1000 . '"', 60);
	my ($rows, @batches) = heard(60, sub {
		$node->safe_psql('postgres', qq{SELECT userstream.alter_stream('told "so"', options => '$options');
			SELECT userstream.resume_stream('told "so"')});
	});
	my ($largest) = sort { $b <=> $a } map { /"rows": (\d+)/ } @batches;
	return $rows == 60 ? $largest : "$rows rows";
}
is(largest_of_backlog('{"batch_rows": 7}'), 7, 'batch_rows: no batch has more messages, and one has as many');
is(largest_of_backlog('{"batch_rows": null, "batch_bytes": 2048}'), 2, 'batch_bytes: a batch ends with the message that fills it');
$node->safe_psql('postgres', q{SELECT userstream.alter_stream('told "so"', options => '{"batch_bytes": null}')});

# ---------------------------------------------------------------------------
# a row that this version does not understand concerns its stream only
# ---------------------------------------------------------------------------
my $supervisors = q{SELECT string_agg(pid::text, ',') FROM pg_stat_activity WHERE backend_type = 'userstream supervisor'};
my $supervisor = $node->safe_psql('postgres', $supervisors);
$node->safe_psql('postgres',
	q{UPDATE userstream.stream SET options = options || '{"colour": "red"}' WHERE name = 'told "so"'});
$node->safe_psql('postgres', q{SELECT userstream.pause_stream('gone'), userstream.resume_stream('gone')});
ok( wait_until(
		$node, 'postgres',
		q{SELECT state, last_error, pids FROM userstream.stream_status WHERE stream = 'told "so"'},
		q{stopped|invalid option "colour"; userstream.alter_stream('told "so"', options => '{"colour": null}') takes it out|}),
	'an option of another version stops its stream and says what to call');
$told->produce(10);
$gone->produce(10);
$gone->is_delivered('postgres', 'gone', 'another stream goes on');
is($node->safe_psql('postgres', $supervisors), $supervisor, 'with the same supervisor');
$node->safe_psql('postgres', q{SELECT userstream.alter_stream('told "so"', options => '{"colour": null}')});
ok( wait_until(
		$node, 'postgres',
		q{SELECT sum(messages_applied) FROM userstream.ledger WHERE stream = 'told "so"'}, 190),
	'the call that it names continues it');
$node->safe_psql('postgres', q{UPDATE userstream.stream SET on_error = 'ignore', config_version = config_version + 1 WHERE name = 'told "so"'});
$told->produce(10);
$gone->produce(10);
ok( wait_until(
		$node, 'postgres',
		q{SELECT state, last_error, pids FROM userstream.stream_status WHERE stream = 'told "so"'},
		q{stopped|on_error "ignore" is not known to this version; userstream.alter_stream('told "so"', on_error => 'dead_letter') continues|}),
	'so does what another version does with bad messages');
$gone->is_delivered('postgres', 'gone', 'the other stream goes on still');
is($node->safe_psql('postgres', $supervisors), $supervisor, 'with the same supervisor still');
$node->safe_psql('postgres', q{SELECT userstream.alter_stream('told "so"', on_error => 'dead_letter')});
ok( wait_until(
		$node, 'postgres',
		q{SELECT sum(messages_applied) FROM userstream.ledger WHERE stream = 'told "so"'}, 200),
	'mended as it says, it goes on');

$node->stop('fast');
done_testing();
