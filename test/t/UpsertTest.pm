#
# test/t/UpsertTest.pm
#    random messages for a target in mode upsert, and what SQL makes of them
#
#    $node->safe_psql('postgres', UpsertTest::create_target('kept'));
#    $kafka->produce_script($topic, [ map { UpsertTest::random_message(1000) } 1 .. 50_000 ]);  # 4 partitions
#    UpsertTest::is_like_messages($node, 'kept', 'after all');   # once all is read
#
package UpsertTest;

use strict;
use warnings;

use Test::More;

use constant PARTITIONS => 4;

sub create_target
{
	my ($table) = @_;
	return "CREATE TABLE $table (id int PRIMARY KEY, a int DEFAULT -1, b text DEFAULT 'none', c jsonb)";
}

# A line for produce_script: a whole row, some of the columns, none, the end of the row,
# or, as often as bad_share says, a message that is none.  All of a key go into one
# partition, else they have no order.
sub random_message
{
	my ($keys, $bad_share) = @_;
	my $id = int rand $keys;
	my $is_whole = rand(10) < 4;
	my @fields = qq("id": $id);
	my $value;

	push @fields, sprintf('"a": %d', rand 1_000_000) if $is_whole || rand(10) < 7;
	push @fields, sprintf('"b": %s', rand(10) < 1 ? 'null' : sprintf('"b %d"', rand 1_000_000)) if $is_whole || rand(10) < 5;
	push @fields, sprintf('"c": {"d": [%d]}', rand 1_000_000) if $is_whole || rand(10) < 3;
	$value = '{' . join(', ', @fields) . '}' if rand(10) >= 1;
	$value = bad_message($id) if rand() < ($bad_share // 0);
	return [ '-', 'send', $id % PARTITIONS, 0, $id, $value ];
}

sub bad_message { return qq({"id": $_[0], "a": "none"}); }

# Whether the table has the last word on each column since the row last went (a message's
# fields are its columns), and the ledger every message: as applied, or as a dead letter.
# Makes tables message, good and reference, so once in a database.  Returns how many messages there are.
sub is_like_messages
{
	my ($node, $stream, $what) = @_;
	my $ask = sub { return $node->safe_psql('postgres', $_[0]); };
	my $topic = $ask->("SELECT topic FROM userstream.stream_status WHERE stream = '$stream'");

	$ask->(qq{CREATE TABLE message AS
		SELECT convert_from(key, 'UTF8')::int AS id, kafka_offset, convert_from(value, 'UTF8')::jsonb AS value
		FROM userstream.peek('kafka', '$topic', from_offset => 0, max_messages => 1000000, max_bytes => 1000000000);
	CREATE TABLE good AS SELECT * FROM message WHERE value ->> 'a' IS DISTINCT FROM 'none';
	CREATE TABLE reference AS
	WITH live AS (
		SELECT * FROM (SELECT *, coalesce(max(kafka_offset) FILTER (WHERE value IS NULL) OVER (PARTITION BY id), -1) AS gone
			FROM good) m WHERE kafka_offset > gone
	), field AS (
		SELECT DISTINCT ON (id, f.key) id, f.key, f.value
		FROM live, jsonb_each(live.value) f ORDER BY id, f.key, kafka_offset DESC
	)
	SELECT id,
		coalesce((SELECT (f.value #>> '{}')::int FROM field f WHERE f.id = l.id AND f.key = 'a'), -1) AS a,
		CASE WHEN EXISTS (SELECT FROM field f WHERE f.id = l.id AND f.key = 'b')
			THEN (SELECT f.value #>> '{}' FROM field f WHERE f.id = l.id AND f.key = 'b') ELSE 'none' END AS b,
		(SELECT f.value FROM field f WHERE f.id = l.id AND f.key = 'c') AS c
	FROM (SELECT DISTINCT id FROM live) l});
	is($ask->("SELECT count(*) FROM ((TABLE $stream EXCEPT TABLE reference) UNION ALL (TABLE reference EXCEPT TABLE $stream)) d"),
		0, $what);
	is($ask->("SELECT count(*) = (SELECT count(*) FROM reference) FROM $stream"), 't', "$what: each key once");
	is($ask->("SELECT bool_and(balanced), sum(messages_applied), sum(dead_letters), sum(skipped) FROM userstream.ledger WHERE stream = '$stream'"),
		$ask->("SELECT true, (SELECT count(*) FROM good), (SELECT count(*) FROM message) - (SELECT count(*) FROM good), 0"),
		"$what: every message counts as applied, folded or not, or is a dead letter");
	return $ask->('SELECT count(*) FROM message');
}

1;
