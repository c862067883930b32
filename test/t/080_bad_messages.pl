#
# test/t/080_bad_messages.pl
#    one bad message costs one message; what is not a message's fault stops
#    the stream or waits
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

my $kafka = shared_kafka();
my $node = userstream_node('main');
my $columns = '{"part": "@partition", "pos": "@offset"}';

create_server($node, 'postgres', $kafka);
$node->safe_psql('postgres', slurp_file("$ENV{USERSTREAM_SRC}/test/checker.sql"));

sub create_target
{
	my ($name, $owner) = @_;

	$node->safe_psql(
		'postgres', qq{
CREATE TABLE $name (seq bigint NOT NULL, u int UNIQUE, c int CONSTRAINT c_small CHECK (c < 10),
	body text, part int, pos bigint, arrival bigserial)});
}

# good messages with each kind of bad one among them, twice
my @bad = (
	[ '22P02', undef, undef, '{"seq": 1,' ],
	[ '22P02', undef, undef, '  ' ],
	[ '22023', undef, undef, '[1, 2]' ],
	[ '22023', undef, undef, 'null' ],
	[ '22P05', undef, undef, '{"seq": 1, "body": "a\u0000b"}' ],
	[ '22021', undef, undef, "{\"seq\": 1, \"body\": \"\xff\"}" ],
	[ '22P02', 'seq', undef, '{"seq": "one"}' ],
	[ '22003', 'seq', undef, '{"seq": 9223372036854775808}' ],
	[ '23502', 'seq', undef, '{"body": "no number"}' ],
	[ '23514', undef, 'c_small', '{"seq": 1, "c": 10}' ],
	[ '23505', undef, 'u_key', '{"seq": 1, "u": 0}' ],
);
my (@messages, @expected);
my ($good, $sum) = (0, 0);
foreach my $i (0 .. 2999)
{
	if ($i > 0 && $i % 130 == 0)
	{
		my $kind = $bad[ ($i / 130) % @bad ];

		push @expected, [ $i, @$kind[ 0 .. 2 ] ];
		push @messages, $kind->[3];
		next;
	}
	$good++;
	$sum += $i;
	push @messages, qq({"seq": $i, "u": $i, "c": 1, "body": "good"});
}

my $topic = $kafka->new_topic('bad', 1);
$kafka->produce($topic, [ @messages[ 0 .. 2999 ] ]);

# the same messages into a plain table and into one with a trigger
foreach my $target ('plain', 'triggered')
{
	create_target($target);
	$node->safe_psql(
		'postgres', q{
CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER pass BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION pass();
}) if $target eq 'triggered';
	$node->safe_psql('postgres',
		"SELECT userstream.create_stream('$target', 'kafka', '$topic', '$target', columns => '$columns')");
	ok( wait_until(
			$node, 'postgres',
			"SELECT messages_read FROM userstream.ledger WHERE stream = '$target'", 3000),
		"$target: all messages are read");
	is($node->safe_psql('postgres', "SELECT * FROM check_stream('$target', '$target', $good, $sum)"),
		'', "$target: the good ones are in the table, ledger balanced");
	is( $node->safe_psql('postgres',
			qq{SELECT kafka_offset, sqlstate, column_name,
				replace(constraint_name, '${target}_', '')
				FROM userstream.dead_letter WHERE stream = '$target' ORDER BY 1}),
		join("\n", map { join '|', map { defined $_ ? $_ : '' } @$_ } @expected),
		"$target: exactly the bad ones are dead letters, with code, column and constraint");
	is( $node->safe_psql('postgres',
			"SELECT encode(value, 'escape') FROM userstream.dead_letter WHERE stream = '$target' AND kafka_offset = 130"),
		$bad[1][3], "$target: with their bytes");
	$node->safe_psql('postgres', "SELECT userstream.drop_stream('$target')");
}

# on_error stop: the partition ends before the message, the others go on
$topic = $kafka->new_topic('stop', 2);
create_target('halt');
$kafka->produce($topic, [ map { qq({"seq": $_}) } 1 .. 10 ], partition => 0);
$kafka->produce($topic, ['{"seq": "bad"}'], partition => 0);
$kafka->produce($topic, [ map { qq({"seq": $_}) } 11 .. 20 ], partition => 0);
$kafka->produce($topic, [ map { qq({"seq": $_}) } 21 .. 30 ], partition => 1);
$node->safe_psql('postgres',
	"SELECT userstream.create_stream('halt', 'kafka', '$topic', 'halt', columns => '$columns', on_error => 'stop')");
ok( wait_until(
		$node, 'postgres',
		q{SELECT string_agg(concat_ws(' ', partition, next_offset, state = 'stopped'), ', ' ORDER BY partition)
			FROM userstream.partition_status WHERE stream = 'halt'},
		'0 10 t, 1 10 f'),
	'on_error stop: the partition stops before the bad message, the other is read');
is($node->safe_psql('postgres', "SELECT state FROM userstream.stream_status WHERE stream = 'halt'"),
	'stopped', 'the worst partition is the state');
is( $node->safe_psql('postgres',
		"SELECT partition, kind, closed_at IS NULL, what_to_do LIKE '%resume_stream%' FROM userstream.incident WHERE stream = 'halt'"),
	'0|bad_message|t|t', 'an incident says what and which call continues');
$kafka->produce($topic, ['{"seq": 31}'], partition => 1);
ok(wait_until($node, 'postgres', 'SELECT count(*) FROM halt WHERE part = 1', 11),
	'the other partition goes on');
$node->safe_psql('postgres', q{ALTER TABLE halt ALTER seq TYPE text; SELECT userstream.resume_stream('halt')});
ok(wait_until($node, 'postgres', 'SELECT count(*) FROM halt WHERE part = 0', 21),
	'mended and resumed, it takes the message and the rest');
is($node->safe_psql('postgres', 'SELECT count(*) FROM userstream.dead_letter WHERE stream = $$halt$$'),
	0, 'without a dead letter');
is( $node->safe_psql('postgres',
		'SELECT bool_and(balanced) FROM userstream.ledger WHERE stream = $$halt$$'),
	't', 'ledger balanced');
$node->safe_psql('postgres', "SELECT userstream.drop_stream('halt')");

# a privilege taken away is the definition's fault
$topic = $kafka->new_topic('privilege', 1);
create_target('guarded');
$node->safe_psql(
	'postgres', qq{
CREATE ROLE app LOGIN; GRANT USAGE ON FOREIGN SERVER kafka TO app;
GRANT INSERT ON guarded TO app; GRANT USAGE ON SEQUENCE guarded_arrival_seq TO app;
SET ROLE app;
SELECT userstream.create_stream('guarded', 'kafka', '$topic', 'guarded', columns => '$columns')});
$kafka->produce($topic, ['{"seq": 1}']);
ok(wait_until($node, 'postgres', 'SELECT count(*) FROM guarded', 1), 'a plain role has a stream');
$node->safe_psql('postgres', 'REVOKE INSERT ON guarded FROM app');
$kafka->produce($topic, ['{"seq": 2}']);
ok( wait_until(
		$node, 'postgres',
		"SELECT state, last_error LIKE '%permission denied%' FROM userstream.stream_status WHERE stream = 'guarded'",
		'stopped|t'),
	'without the privilege it stops and says so');
$node->safe_psql('postgres', q{GRANT INSERT ON guarded TO app; SELECT userstream.resume_stream('guarded')});
ok(wait_until($node, 'postgres', 'SELECT count(*) FROM guarded', 2), 'granted and resumed it goes on');
is($node->safe_psql('postgres', "SELECT * FROM check_stream('guarded', 'guarded', 2, 3)"),
	'', 'nothing lost, nothing twice');

# a lock on the target is waited for, a target that is gone is not
$node->safe_psql('postgres', 'DROP TABLE guarded');
$kafka->produce($topic, ['{"seq": 3}']);
ok( wait_until(
		$node, 'postgres',
		"SELECT state FROM userstream.stream_status WHERE stream = 'guarded'", 'stopped'),
	'a dropped target stops the stream');

$node->stop('fast');
done_testing();
