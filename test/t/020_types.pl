#
# test/t/020_types.pl
#    what a message's value becomes in a column: types, paths, parts of the
#    message, defaults, and what is refused and kept with which reason
#
# PostgreSQL is the oracle: for most cases the expected value is what
# value::jsonb ->> 'field' gives through the type's own input.  Where a rule
# of ours decides, it is written out.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

my $kafka = shared_kafka();
my $node = userstream_node('main');
create_server($node, 'postgres', $kafka);

# a stream keeps the TimeZone of its creator
$node->safe_psql('postgres', "ALTER DATABASE postgres SET TimeZone = 'America/New_York'");
$node->safe_psql(
	'postgres', q{
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN short_text AS text CHECK (length(value) < 4);
CREATE DOMAIN needed AS int NOT NULL;
CREATE DOMAIN document AS jsonb CHECK (value <> '"bad"');
CREATE DOMAIN few_bytes AS bytea CHECK (length(value) < 4);
-- what PostgreSQL itself makes of a JSON value, or !SQLSTATE
CREATE FUNCTION oracle(type text, token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT (%L::jsonb ->> ''f'')::%s::text', '{"f":' || token || '}', type) INTO result;
	RETURN coalesce(result, '(null)');
EXCEPTION WHEN OTHERS THEN
	RETURN '!' || SQLSTATE;
END $$;
});

# Produces messages to a topic of one partition, so that the offset is the
# number of the message; a stream takes them into a table; waits for all.
sub stream_messages
{
	my ($name, $columns, $messages, %args) = @_;
	my $topic = $kafka->new_topic($name, 1);
	my $count = @$messages;
	my $source = defined $columns ? "'$columns'" : 'NULL';

	$kafka->produce($topic, $messages, %args);
	$node->safe_psql('postgres',
		"SELECT userstream.create_stream('$name', 'kafka', '$topic', '$name', columns => $source)");
	ok( wait_until(
			$node, 'postgres',
			"SELECT sum(messages_read) FROM userstream.ledger WHERE stream = '$name'", $count),
		"$name: all $count messages are read");
	is($node->safe_psql('postgres',
			"SELECT bool_and(balanced) FROM userstream.ledger WHERE stream = '$name'"),
		't', "$name: the ledger is balanced");
	return;
}

# rows of a query as a list
sub rows_of
{
	my ($query) = @_;
	return split /\n/, $node->safe_psql('postgres', $query);
}

# dead letters of a stream by offset: "SQLSTATE column"
sub letters_of
{
	my ($stream) = @_;
	my %letters;

	foreach my $row (rows_of(
			"SELECT kafka_offset, sqlstate, coalesce(column_name, '-')
			   FROM userstream.dead_letter WHERE stream = '$stream'"))
	{
		my ($offset, $sqlstate, $column) = split /\|/, $row;
		$letters{$offset} = "$sqlstate $column";
	}
	return \%letters;
}

#
# One value of one type a message
#
my $uuid = '0b7f2a34-7e0d-4a6e-9d5c-0d6a5a9b1c2d';
my @numbers = qw(0 1 -1 -0 -0.0 1.50 1e2 1.5e3 1.5E-3 -0e5 32767 32768 -32768 -32769 2147483647
  2147483648 9007199254740993 73314510714175488 9223372036854775807 9223372036854775808
  -9223372036854775808 18446744073709551616 0.30000000000000004 1e308 1e309 4.9e-324 1e-400
  3.5e38 123456789012345678901234567890.123 9999.994 9999.995);
my @number_strings = map { qq("$_") }
  ('', '42', ' 42 ', '+42', '-42', '007', '42.0', '1e3', '-0', 'NaN', 'infinity', '32768',
	'99999999999999999999', '12,5', 'x');
my @dates = map { qq("$_") }
  qw(2024-02-29 2023-02-29 1900-02-29 2024-13-01 0000-01-01 0099-12-31 9999-12-31 10000-01-01
  20240229 infinity epoch x);
my @times = map { qq("$_") } (
	'2024-02-29T10:11:12Z', '2024-02-29 10:11:12', '2024-02-29T10:11:12.5+02:30',
	'2024-02-29T10:11:12.123456-0330', '2024-02-29T10:11:12.1234567Z',
	'2024-02-29T10:11:12.9999995+00', '2024-02-29T10:11:12+15:59', '2024-02-29T10:11:12+16:00',
	'2024-02-29T24:00:00Z', '2024-02-29T23:59:60Z', '2024-02-29T25:00:00Z',
	'2023-02-29T00:00:00Z', '2024-02-29t10:11:12z', '2024-02-29T10:11Z', '2024-02-29',
	'2024-02-29 10:11:12 Europe/Berlin', '9999-12-31T23:59:59.999999-14:00', 'infinity', 'x');
my @others = (
	'null', 'true', 'false', '""', '"a"', '"a\u00e9\ud83d\ude00\n\"\\\\"', '{}', '[]',
	'{"b": 1e2, "a": [1, -0, {"c": null}], "a": [1.50]}', '[ "x" , "\u00e9" ]');

my %tokens = (
	text => [ @others, @numbers ],
	varchar => [ @others, '1e2' ],
	bool => [ qw(true false null 0 1 2), map { qq("$_") } qw(t f true FALSE yes off 1 0 2 x) ],
	int2 => [ @numbers, @number_strings, 'true', '{}' ],
	int4 => [ @numbers, @number_strings, 'null', 'true', '[]' ],
	int8 => [ @numbers, @number_strings ],
	float4 => [ @numbers, @number_strings ],
	float8 => [ @numbers, @number_strings, 'false' ],
	numeric => [ @numbers, @number_strings ],
	'numeric(6,2)' => [ @numbers, @number_strings ],
	uuid => [
		map { qq("$_") } $uuid, uc $uuid, "{$uuid}", $uuid =~ tr/-//dr, substr($uuid, 1),
		'0b7f2a34-7e0d-4a6e-9d5c-0d6a5a9b1c2g', ''
	],
	date => [ @dates, @times, '20240229' ],
	timestamp => [ @dates, @times ],
	'timestamp(2)' => [@times],
	timestamptz => [ @dates, @times, '1' ],
	'timestamptz(0)' => [@times],
	time => [ '"10:11:12.5"', '"24:00"', '"25:00"', '"10:11"' ],
	interval => [ '"1 day 2 hours"', '"P1Y2M"', '5', '"x"' ],
	bytea => [ '"\\\\x00ff"', '"abc"', '"\\\\x0"', '1' ],
	inet => [ '"10.0.0.1/8"', '"::1"', '"300.1.1.1"' ],
	macaddr => ['"08:00:2b:01:02:03"'],
	'bit(3)' => ['"101"'],
	point => [ '"(1,2)"', '[1, 2]' ],
	mood => [ '"ok"', '"OK"', 'null', '1' ],
	pair => [ '"(1,x)"', '"(x,1)"', '{"a": 1}' ],
	'int[]' => [ '"{1,2}"', '"{1,x}"' ],
	int4range => [ '"[1,5)"', '"[5,1)"' ],
	regclass => [ '"pg_class"', '"no_such_table"' ],
	short_text => [ '"abc"', '"abcd"', '12', '1234', 'null' ],
	needed => [ '1', 'null', '"x"' ],
);

# rules of ours, or where a cast is not what an assignment does
my @cases = (
	# a json or jsonb takes the JSON value, so that a string stays one
	[ 'jsonb', '"x"', '"x"' ],
	[ 'jsonb', '"{\"a\": 1}"', '"{\"a\": 1}"' ],
	[ 'jsonb', 'null', '(null)' ],
	[ 'jsonb', 'true', 'true' ],
	[ 'jsonb', '1e2', '100' ],
	[ 'jsonb', '{"b": -0, "a": "\u00e9", "b": 1.50}', '{"a": "é", "b": 1.50}' ],
	[ 'json', '"x\n"', '"x\n"' ],
	[ 'json', '{"b": 1e2,"a": []}', '{"a": [], "b": 100}' ],
	[ 'document', '"good"', '"good"' ],
	[ 'document', '"bad"', '!23514' ],
	# too long is an error, also of blanks that are no padding
	[ 'varchar(5)', '"abcde"', 'abcde' ],
	[ 'varchar(5)', '"éèêëē"', 'éèêëē' ],
	[ 'varchar(5)', '"abcdef"', '!22001' ],
	[ 'varchar(5)', '"abcde "', 'abcde' ],
	[ 'varchar(5)', '123456', '!22001' ],
	[ 'char(3)', '"ab"', 'ab' ],
	[ 'char(3)', '"abcd"', '!22001' ],
);
foreach my $type (sort keys %tokens)
{
	push @cases, [ $type, $_, undef ] foreach @{ $tokens{$type} };
}

sub quoted
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

# one table with a column for each type; a message gives one of them
my @types = do { my %seen; grep { !$seen{$_}++ } map { $_->[0] } @cases };
my %column_of = map { $types[$_] => "c$_" } 0 .. $#types;
my $values = join ', ', map {
	my ($type, $token, $want) = @{ $cases[$_] };
	"($_, " . join(', ', map { defined $_ ? quoted($_) : 'NULL' } $type, $token, $want) . ')'
} 0 .. $#cases;
my $shown = join ' ', map { 'WHEN ' . quoted($_) . " THEN $column_of{$_}::text" } @types;
my %got;

$node->safe_psql('postgres',
	'CREATE TABLE types (n bigint, '
	  . join(', ', map { "$column_of{$_} $_" . ($_ eq 'needed' ? ' DEFAULT 0' : '') } @types)
	  . "); CREATE TABLE cases (n bigint, type text, token text, want text);
	  INSERT INTO cases VALUES $values");
stream_messages('types', '{"n": "@offset"}', [ map { qq({"$column_of{$_->[0]}": $_->[1]}) } @cases ]);

my $letters = letters_of('types');
foreach my $row (rows_of(
		"SELECT n, replace(coalesce(CASE type $shown END, '(null)'), E'\\n', '~')
		   FROM types JOIN cases USING (n)"))
{
	my ($n, $value) = split /\|/, $row, 2;
	$got{$n} = $value;
}
foreach my $n (keys %$letters)
{
	my ($sqlstate, $column) = split / /, $letters->{$n};
	my $is_right = $column eq $column_of{ $cases[$n][0] };
	$got{$n} = "!$sqlstate" . ($is_right ? '' : " of $column");
}
my @wanted = rows_of("SELECT replace(coalesce(want, oracle(type, token)), E'\\n', '~') FROM cases ORDER BY n");
foreach my $type (@types)
{
	my @mine = grep { $cases[$_][0] eq $type } 0 .. $#cases;

	is_deeply(
		[ map { "$cases[$_][1] -> " . (defined $got{$_} ? $got{$_} : 'nothing') } @mine ],
		[ map { "$cases[$_][1] -> $wanted[$_]" } @mine ],
		sprintf '%s: %d values are what PostgreSQL makes of them', $type, scalar @mine);
}

#
# Paths
#
$node->safe_psql('postgres', 'CREATE TABLE paths (n bigint, deep text, element text, inside text,
	dotted text, nameless text, "Odd ""Näme.x" text, whole jsonb, "@type" text)');
stream_messages(
	'paths',
	'{"n": "@offset", "deep": "a.b.c", "element": "l.0", "inside": ["l", 1, "k"],
	  "dotted": ["a.b", "c"], "nameless": ["", ""], "whole": "a"}',
	[
		'{"a": {"b": {"c": 1}}, "l": ["zero", {"k": "one"}], "a.b": {"c": "dot"}, "": {"": "empty"},
		  "Odd \"N\u00e4me.x": "odd", "@type": "at"}',
		'{"a": {"b": [1]}, "l": {"0": "field", "1": {"k": "K"}}, "a.b": null, "": "flat"}',
		'{"a": {"b": {"c": 1}, "b": 2}, "l": ["old"], "l": [], "odd \"N\u00e4me.x": "lower"}',
		'{"a": {"b": {"c": 1, "c": [true, null]}}, "a\u002eb": {"c": "escaped"}}',
		'{"a": null}',
		'{}',
	]);
is( $node->safe_psql('postgres', 'SELECT * FROM paths ORDER BY n'),
	join("\n",
		'0|1|zero|one|dot|empty|odd|{"b": {"c": 1}}|at',
		'1||field|K||||{"b": [1]}|',
		'2|||||||{"b": 2}|',
		'3|[true, null]|||escaped|||{"b": {"c": [true, null]}}|',
		'4||||||||',
		'5||||||||'),
	'paths lead into objects and arrays, and the last of duplicate keys wins');

#
# Parts of the message
#
$node->safe_psql('postgres', q{
CREATE TABLE parts (n bigint, topic text, part int, at timestamptz, k bytea, k_text varchar(9),
	k_number numeric, v bytea, v_text text, doc jsonb, h jsonb, h_json json, rest jsonb, id int,
	first text)});
stream_messages(
	'parts',
	'{"n": "@offset", "topic": "@topic", "part": "@partition", "at": "@timestamp", "k": "@key", "k_text": "@key",
	  "k_number": "@key", "v": "@value", "v_text": "@value", "doc": "@value", "h": "@headers",
	  "h_json": "@headers", "rest": "@rest", "first": "name.first"}',
	[
		{ key => '17', value => '{"id": 1, "name": {"first": "A", "last": "\u00c4"}, "l": [1,2]}' },
		{ value => '{"id": 2, "name": ["first"], "x": null}' },
		{ key => 'x', value => '{"id": 3}' },
	],
	headers => [ 'a=1', 'b', "c=\xff" ]);
is( $node->safe_psql('postgres',
		q{SELECT n, topic LIKE 'parts.%', part, at BETWEEN now() - interval '10 min' AND now() + interval '1 min',
			k, k_text, k_number, v = convert_to(v_text, 'UTF8'), doc = v_text::jsonb, h, h::text = h_json::text,
			rest, id, first FROM parts ORDER BY n}),
	join("\n",
		'0|t|0|t|\x3137|17|17|t|t|[{"key": "a", "value": "1"}, {"key": "b", "value": null}, '
		  . '{"key": "c", "base64": "/w=="}]|t|{"l": [1, 2], "name": {"last": "Ä"}}|1|A',
		'1|t|0|t||||t|t|[{"key": "a", "value": "1"}, {"key": "b", "value": null}, '
		  . '{"key": "c", "base64": "/w=="}]|t|{"x": null, "name": ["first"]}|2|'),
	'parts of the message fill columns; @rest holds what no column took');
is_deeply(letters_of('parts'), { 2 => '22P02 k_number' }, 'a key that is no number is a dead letter');

#
# Encoding of bytes
#
$node->safe_psql('postgres', 'CREATE TABLE bytes (n bigint, b bytea, few few_bytes)');
stream_messages(
	'bytes',
	'{"n": "@offset", "b": {"path": "p.b", "encoding": "base64"}, "few": {"path": ["f"], "encoding": "base64"}}',
	[
		'{"p": {"b": "AAEC/w=="}, "f": "AAE="}', '{"p": {"b": null}}',
		'{"p": {"b": "AAE"}}', '{"p": {"b": "!"}}', '{"f": "AAECAw=="}',
	]);
is($node->safe_psql('postgres', 'SELECT * FROM bytes ORDER BY n'),
	"0|\\x000102ff|\\x0001\n1||", 'base64 becomes bytes');
is_deeply(letters_of('bytes'), { 2 => '22023 b', 3 => '22023 b', 4 => '23514 few' },
	'what is not base64 is a dead letter, never the text as bytes');

#
# Absent and null
#
$node->safe_psql('postgres', q{
CREATE FUNCTION stamp() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'stamped'; END $$;
CREATE DOMAIN level AS int DEFAULT 7 CHECK (value > 0);
CREATE TABLE defaults (n bigint, plain text DEFAULT 'd', required text NOT NULL DEFAULT 'r',
	at timestamptz NOT NULL DEFAULT now(), id bigserial, by_default int GENERATED BY DEFAULT AS IDENTITY,
	always int GENERATED ALWAYS AS IDENTITY, made text DEFAULT stamp(), lvl level, left_out int DEFAULT 3,
	none int, fails int DEFAULT 1 / (random() * 0)::int);
CREATE TABLE generated (LIKE defaults INCLUDING ALL,
	twice text GENERATED ALWAYS AS (plain || plain) STORED);});
my @default_messages = (
	'{"fails": 1}',
	'{"fails": 1, "plain": null, "id": 90, "by_default": 80, "made": "m", "lvl": 1, "left_out": 9,
	  "always": 5, "twice": "x"}',
	'{"fails": 1, "required": null}',
	'{"fails": 1, "at": null}',
	'{"fails": 1, "lvl": 0}',
	'{}',
	'{"fails": null}');
foreach my $table ('defaults', 'generated')
{
	stream_messages($table, '{"n": "@offset", "left_out": null}', \@default_messages);
	is( $node->safe_psql('postgres',
			"SELECT n, plain, required, at BETWEEN now() - interval '10 min' AND now(), id > 0,
				by_default > 0, always > 0, made, lvl, left_out, none, fails FROM $table ORDER BY n"),
		join("\n",
			'0|d|r|t|t|t|t|stamped|7|3||1', '1||r|t|t|t|t|m|1|3||1', '6|d|r|t|t|t|t|stamped|7|3||'),
		"$table: an absent field takes the default, null is null");
	is_deeply(
		letters_of($table),
		{ 2 => '23502 required', 3 => '23502 at', 4 => '23514 lvl', 5 => '22012 fails' },
		"$table: what may not be null, and a default that fails, are dead letters");
}
is($node->safe_psql('postgres', 'SELECT id, by_default FROM defaults WHERE n = 1'),
	'90|80', 'an identity BY DEFAULT and a serial take what the message gives');
is($node->safe_psql('postgres', 'SELECT twice FROM generated ORDER BY n LIMIT 1'),
	'dd', 'a generated column is generated');

#
# Messages that give no row
#
$node->safe_psql('postgres', 'CREATE TABLE bad (n bigint, id int)');
my @bad = (
	[ '{"id": 1}', undef ],
	[ '   ', '22P02' ],
	[ '{"id": 2', '22P02' ],
	[ '{"id": 2} {"id": 3}', '22P02' ],
	[ "{'id': 2}", '22P02' ],
	[ '{"id": 01}', '22P02' ],
	[ '{"id": NaN}', '22P02' ],
	[ '{"id": 2, "x": "\ud83d"}', '22P02' ],
	[ '{"id": 2, "x": "a\u0000b"}', '22P05' ],
	[ "{\"id\": 2, \"x\": \"\xff\"}", '22021' ],
	[ "{\"id\": 2, \"x\": \"a\x00b\"}", '22021' ],
	[ '{"id": 2, "x": 1e999999}', '22003' ],
	[ '[{"id": 2}]', '22023' ],
	[ '"x"', '22023' ],
	[ '12', '22023' ],
	[ 'true', '22023' ],
	[ 'null', '22023' ],
	[ ('[' x 100_000), '54001' ],
	[ '{"id": 3, "x": ' . ('[' x 2_000) . (']' x 2_000) . '}', undef ],
	[ '{"id": "x"}', '22P02 id' ],
	[ "\xef\xbb\xbf{\"id\": 2}", '22P02' ],
	[ '{"id": 4}', undef ]);
stream_messages('bad', '{"n": "@offset"}', [ map { $_->[0] } @bad ]);
is($node->safe_psql('postgres', 'SELECT id FROM bad ORDER BY n'),
	"1\n3\n4", 'good messages among bad ones are rows');
is_deeply(
	letters_of('bad'),
	{
		map { $_ => $bad[$_][1] =~ / / ? $bad[$_][1] : "$bad[$_][1] -" }
		grep { defined $bad[$_][1] } 0 .. $#bad
	},
	'bad ones are dead letters with PostgreSQL\'s own reason');
is( $node->safe_psql('postgres',
		q{SELECT encode(value, 'hex') FROM userstream.dead_letter WHERE stream = 'bad' AND sqlstate = '22021'
		   ORDER BY kafka_offset}),
	join("\n", map { unpack 'H*', $_->[0] } grep { ($_->[1] || '') eq '22021' } @bad),
	'their bytes are kept');

# a tombstone is no message for a table that only grows
my $topic = $kafka->new_topic('tombstones', 1);
$node->safe_psql('postgres', 'CREATE TABLE tombstones (id int)');
$kafka->produce($topic, [ '{"id": 1}', { key => 'k', value => undef }, '{"id": 2}' ]);
$node->safe_psql('postgres',
	"SELECT userstream.create_stream('tombstones', 'kafka', '$topic', 'tombstones')");
wait_until($node, 'postgres', "SELECT messages_read FROM userstream.ledger WHERE stream = 'tombstones'", 3);
is( $node->safe_psql('postgres',
		"SELECT messages_applied, dead_letters, skipped, balanced
		   FROM userstream.ledger WHERE stream = 'tombstones'"),
	'2|0|1|t', 'a tombstone is skipped');

#
# A database of another encoding: the message is UTF-8, the row is not
#
$node->safe_psql('postgres',
	"CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
$node->safe_psql('latin', 'CREATE EXTENSION userstream');
create_server($node, 'latin', $kafka);
my $utf8 = "SET client_encoding = 'UTF8';";
my $latin_topic = $kafka->new_topic('latin', 1);
$kafka->produce(
	$latin_topic,
	[
		'{"é": "ö", "t": "plain", "j": {"k": 1}}', '{"é": "\u00f6", "t": "\u00e9\n", "j": "ß"}',
		'{"t": "12 €"}', '{"t": "12 \u20ac"}',
		'{"t": "unused", "x": "€"}', '{"t": "éèêëëë"}', '{"t": "last"}'
	],
	headers => [ 'h=é', 'e=€' ]);
$node->safe_psql('latin',
	"$utf8 CREATE TABLE latin (n bigint, \"é\" text, t varchar(6), j jsonb, h jsonb, rest jsonb);
	 SELECT userstream.create_stream('latin', 'kafka', '$latin_topic', 'latin',
		columns => '{\"n\": \"\@offset\", \"h\": \"\@headers\", \"rest\": \"\@rest\"}')");
wait_until($node, 'latin', 'SELECT messages_read FROM userstream.ledger', 7);
is( $node->safe_psql('latin',
		"$utf8 SELECT n, \"é\", replace(t, E'\\n', '~'), j, rest FROM latin ORDER BY n"),
	join("\n", '0|ö|plain|{"k": 1}|{}', '1|ö|é~|"ß"|{}', '5||éèêëëë||{}', '6||last||{}'),
	'in a LATIN1 database texts, names of columns and JSON are converted');
is( $node->safe_psql('latin', "$utf8 SELECT DISTINCT h FROM latin"),
	'[{"key": "h", "value": "é"}, {"key": "e", "base64": "4oKs"}]',
	'a header that has no text there is kept as bytes');
is( $node->safe_psql('latin', 'SELECT kafka_offset, sqlstate FROM userstream.dead_letter ORDER BY id'),
	"2|22P05\n3|22P05\n4|22P05", 'what cannot be converted is a dead letter, wherever it stands');

$node->stop;
done_testing();
