#
# test/t/120_bad_messages.pl
#    a bad message among good ones costs itself and nothing else; what is the
#    definition's fault stops the stream, and mended it goes on where it was
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

# per target the kinds of bad messages: name => [value, SQLSTATE, column, constraint]
my %bad = (
	'broken JSON' => [ '{"seq": 1,', '22P02', '', '' ],
	'JSON that ends early' => [ '{"seq": 1, "body": "x', '22P02', '', '' ],
	'no object' => [ '["seq", 1]', '22023', '', '' ],
	'wrong type' => [ '{"seq": 1, "qty": "many"}', '22P02', 'qty', '' ],
	'out of range' => [ '{"seq": 1, "qty": 3000000000}', '22003', 'qty', '' ],
	'NOT NULL' => [ '{"seq": null}', '23502', 'seq', '' ],
	'NOT NULL, absent' => [ '{"body": "x"}', '23502', 'seq', '' ],
	'CHECK' => [ '{"seq": 1, "qty": -1}', '23514', '', 'qty_positive' ],
	'unique' => [ '{"seq": 1, "tag": "taken"}', '23505', '', 'tag_once' ],
);
my $more = 'qty int CONSTRAINT qty_positive CHECK (qty > 0), tag text CONSTRAINT tag_once UNIQUE';

sub letters_of
{
	my ($stream) = @_;
	return $node->safe_psql('postgres',
		"SELECT kafka_offset, sqlstate, coalesce(column_name, ''), coalesce(constraint_name, '')
		   FROM userstream.dead_letter WHERE stream = '$stream' ORDER BY kafka_offset");
}

# Each kind three times among 3,000 good ones, with tombstones; one partition,
# so that the place in the list is the offset.
sub mixed
{
	my ($delivery, $kinds) = @_;
	my (@messages, @letters);

	foreach my $round (1 .. 3)
	{
		foreach my $name (sort keys %$kinds)
		{
			my ($value, @reason) = @{ $kinds->{$name} };

			push @messages, map { $delivery->message('"qty": 1') } 1 .. 100;
			push @letters, join '|', scalar @messages, @reason;
			push @messages, { key => $name, value => $value };
		}
		push @messages, { key => 'gone', value => undef };
	}
	push @messages, $delivery->message('"qty": 1');
	return (\@messages, join "\n", @letters);
}

sub create_mixed
{
	my ($name, $kinds, $trigger) = @_;
	my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic($name, 1));
	my ($messages, $letters) = mixed($delivery, $kinds);

	$delivery->create_target('postgres', $name, "$more");
	# the name of a constraint belongs to its table, that of a unique one's
	# index to the schema
	$letters =~ s/tag_once/${name}_tag/g;
	$node->safe_psql('postgres', "ALTER TABLE $name ALTER seq SET NOT NULL;
		ALTER TABLE $name RENAME CONSTRAINT tag_once TO ${name}_tag;
		INSERT INTO $name (seq, kafka_partition, tag) VALUES (0, -1, 'taken');");
	$node->safe_psql('postgres', $trigger) if defined $trigger;
	$kafka->produce($delivery->{topic}, $messages);
	# the row that took the tag is a row too, number 0
	$delivery->{rows}++;
	$node->safe_psql('postgres', "UPDATE $name SET body = '', checksum = md5('0')");
	$delivery->create_stream('postgres', $name);
	$delivery->is_delivered('postgres', $name, $name);
	is(letters_of($name), $letters, "$name: exactly the bad ones are dead letters, with their reasons");
	is($node->safe_psql('postgres',
			"SELECT skipped FROM userstream.ledger WHERE stream = '$name'"),
		3, "$name: tombstones are skipped");
	return;
}

my $first = DeliveryTest->new($node, $kafka, 'none');
$first->prepare_database('postgres');

# the direct way in
create_mixed('plain', \%bad);

# a trigger that raises for some: by a query
create_mixed(
	'guarded',
	{
		%bad,
		'trigger' => [ '{"seq": 1, "qty": 666}', 'P0001', '', '' ],
		'trigger with a code' => [ '{"seq": 1, "qty": 667}', '22000', 'qty', 'qty_rule' ],
	},
	q{CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	IF NEW.qty = 666 THEN
		RAISE EXCEPTION 'no such quantity';
	ELSIF NEW.qty = 667 THEN
		RAISE EXCEPTION 'no such quantity' USING ERRCODE = '22000', COLUMN = 'qty', CONSTRAINT = 'qty_rule';
	END IF;
	RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON guarded FOR EACH ROW EXECUTE FUNCTION refuse()});

# on_error stop: the partition ends before the message, the others go on
my $halt = DeliveryTest->new($node, $kafka, $kafka->new_topic('halt', 2));
$halt->create_target('postgres', 'halt', 'qty int');
$halt->produce(100, partition => 0);
$kafka->produce($halt->{topic}, [ $halt->message('"qty": 3000000000') ], partition => 0);
$halt->produce(100, partition => 0);
$halt->produce(100, partition => 1);
$halt->create_stream('postgres', 'halt', on_error => q('stop'), workers => 2);
my $positions = q{SELECT string_agg(concat_ws(' ', partition, next_offset, state = 'stopped'), ', '
	ORDER BY partition) FROM userstream.partition_status WHERE stream = 'halt'};
ok(wait_until($node, 'postgres', $positions, '0 100 t, 1 100 f'),
	'on_error stop: the partition stands before the bad message, the other has read all');
$halt->produce(50, partition => 1);
ok(wait_until($node, 'postgres', $positions, '0 100 t, 1 150 f'), 'and goes on');
is( $node->safe_psql('postgres', q{SELECT count(*), max(kafka_offset) FROM halt WHERE kafka_partition = 0}),
	'100|99', 'what came before the bad message is there, nothing after it');
like(
	$node->safe_psql('postgres',
		q{SELECT partition, closed_at IS NULL, what_to_do FROM userstream.incident WHERE stream = 'halt'}),
	qr/^0\|t\|.*resume_stream.*$/, 'one open incident names the partition and the call');
my $last_error = q{SELECT last_error FROM userstream.partition_status WHERE stream = 'halt' AND partition = 0};
my $mended = 'message at offset 100 of partition 0: value "3000000000" is out of range for type integer';
like($node->safe_psql('postgres', $last_error), qr/^\Q$mended\E \(.*resume_stream/, 'and so does last_error');
is($node->safe_psql('postgres', $last_error),
	$node->safe_psql('postgres', q{SELECT last_error FROM userstream.stream_status WHERE stream = 'halt'}),
	'also that of the stream');
$node->restart;
ok(wait_until($node, 'postgres', $positions, '0 100 t, 1 150 f'), 'a restart changes none of it');
$node->safe_psql('postgres',
	q{ALTER TABLE halt ALTER qty TYPE bigint; SELECT userstream.resume_stream('halt')});
$halt->is_delivered('postgres', 'halt', 'mended and resumed');
is(letters_of('halt'), '', 'without a dead letter');
is($node->safe_psql('postgres', $last_error), $mended, 'its last error asks for nothing any more');
is($node->safe_psql('postgres',
		q{SELECT count(*) FROM userstream.incident WHERE stream = 'halt' AND closed_at IS NULL}),
	0, 'the incident is closed');

# a privilege that was taken away, then the target
my $revoked = DeliveryTest->new($node, $kafka, $kafka->new_topic('revoked', 2));
$revoked->create_target('postgres', 'revoked');
$node->safe_psql('postgres', q{
CREATE ROLE app LOGIN;
GRANT USAGE ON FOREIGN SERVER kafka TO app;
GRANT INSERT ON revoked TO app;
GRANT USAGE ON SEQUENCE revoked_arrival_seq TO app});
$node->safe_psql('postgres',
	"SET ROLE app; SELECT userstream.create_stream('revoked', 'kafka', '$revoked->{topic}', 'revoked',
		columns => '@{[DeliveryTest::COLUMNS]}')");
$revoked->produce(100);
$revoked->is_delivered('postgres', 'revoked', 'stream of a plain role');

my $stopped = q{SELECT state, last_error LIKE '%%%s%%', failing_since IS NOT NULL
	FROM userstream.stream_status WHERE stream = 'revoked'};
my $incident = q{SELECT count(*) FROM userstream.incident WHERE stream = 'revoked' AND closed_at IS NULL};
$node->safe_psql('postgres', 'REVOKE INSERT ON revoked FROM app');
$revoked->produce(100);
ok(wait_until($node, 'postgres', sprintf($stopped, 'permission denied'), 'stopped|t|t'),
	'without the privilege it stops and says why');
is($node->safe_psql('postgres', $incident), 1, 'an incident is open');
is(letters_of('revoked'), '', 'no message is blamed');
$node->safe_psql('postgres', q{GRANT INSERT ON revoked TO app; SELECT userstream.resume_stream('revoked')});
$revoked->is_delivered('postgres', 'revoked', 'granted and resumed');
is($node->safe_psql('postgres', $incident), 0, 'the incident is closed');

$node->safe_psql('postgres', 'DROP TABLE revoked');
$revoked->produce(10);
ok(wait_until($node, 'postgres', sprintf($stopped, 'does not exist'), 'stopped|t|t'),
	'a dropped target stops the stream');
is($node->safe_psql('postgres', $incident), 1, 'an incident is open');
is(letters_of('revoked'), '', 'no message is blamed');
$node->safe_psql('postgres', q{SELECT userstream.drop_stream('revoked')});

$node->stop('fast');
done_testing();
