#
# test/t/020_types.pl
#    what a JSON value becomes in a column of each type: a table of cases
#
# PostgreSQL is the oracle: the expected value is what
# (value::jsonb ->> 'field')::type gives, or the SQLSTATE that it raises.
# Where a rule of ours decides, or where a cast is not what an input function
# does, it is written out.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use MappingTest;

my $node = userstream_node('main');

# a stream keeps the TimeZone of its creator
$node->safe_psql('postgres', "ALTER DATABASE postgres SET TimeZone = 'America/New_York'");
my $mapping = MappingTest->new($node, shared_kafka(), 'postgres');
$mapping->query(q{
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE TYPE pair AS (a int, b text);
CREATE TYPE whole AS (p pair, l int[], j jsonb, m mood, at timestamptz, "Odd.Name" varchar(3));
CREATE DOMAIN short_text AS text CHECK (length(value) < 4);
CREATE DOMAIN needed AS int NOT NULL;
CREATE DOMAIN document AS jsonb CHECK (value <> '"bad"');
CREATE DOMAIN positives AS int[] CHECK (0 < ALL (value));
CREATE DOMAIN full_pair AS pair CHECK (value IS NOT DISTINCT FROM NULL OR (value).b IS NOT NULL);
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

my %available = map { $_ => 1 }
  $mapping->rows(q{SELECT name FROM pg_available_extensions WHERE name IN ('hstore', 'citext', 'ltree')});
$mapping->query("CREATE EXTENSION $_") foreach sort keys %available;

sub strings { return map { qq("$_") } @_ }

#
# As PostgreSQL has it
#
my $uuid = '0b7f2a34-7e0d-4a6e-9d5c-0d6a5a9b1c2d';
my @numbers = qw(0 1 -1 -0 -0.0 1.50 1e2 1.5e3 1.5E-3 -0e5 32767 32768 -32768 -32769 2147483647
  2147483648 -2147483648 -2147483649 9007199254740993 73314510714175488 999999999999999999
  9223372036854775807 9223372036854775808 -9223372036854775808 -9223372036854775809
  18446744073709551615 18446744073709551616 0.1 0.30000000000000004 0.1e1 100e-2 1e15 1e16 1e22 1e23
  1e38 3.4028235e38 3.5e38 1e308 1.7976931348623157e308 1.8e308 1e309 1.17549435e-38 1e-45 4.9e-324 1e-323 1e-400
  2.2250738585072011e-308 8.5e0 0.000001 123456789012345678901234567890.123 9999.994 9999.995 9999.9949999999999999999);
push @numbers, '1' . ('0' x 400), '0.' . ('0' x 400) . '1', '1' x 1200, '1e1000', '-1e-1000', '7.25e12345';
my @number_strings = strings('', '42', ' 42 ', '+42', '-42', '007', '42.0', '1e3', '-0', '-0.0', 'NaN',
	'nan', '-NaN', 'infinity', '-Infinity', 'inf', '32768', '99999999999999999999', '12,5', '1_000', '0x1F',
	'0b1', '.5', '5.', '1e', '1e400', '1e-400', 'x', '４２', '12\u00a0', '\t42\n', '4 2');
my @dates = strings(
	qw(2024-02-29 2023-02-29 1900-02-29 2000-02-29 2024-13-01 2024-00-10 2024-04-31 2024-1-2 0000-01-01 0001-01-01
	0099-12-31 9999-12-31 10000-01-01 294276-12-31 294277-01-01 5874897-12-31 5874898-01-01 20240229 240229 2024-060
	J2451187 02/29/2024 29.02.2024 infinity -infinity epoch x),
	'4713-01-01 BC', '4714-11-24 BC', '4714-11-23 BC', '0044-03-15 BC', '2024-02-29 BC', 'Feb 29 2024', ' 2024-02-29 ');
my @times = strings(
	'2024-02-29T10:11:12Z', '2024-02-29 10:11:12', '2024-02-29T10:11:12', '2024-02-29T10:11:12.5+02:30',
	'2024-02-29T10:11:12.123456-0330', '2024-02-29T10:11:12.1234567Z', '2024-02-29T10:11:12.1234564Z',
	'2024-02-29T10:11:12.9999995+00', '2024-02-29T10:11:12.999999Z', '2024-02-29T10:11:12.Z', '2024-02-29T10:11:12,5Z',
	'2024-02-29T10:11:12+15:59', '2024-02-29T10:11:12+16:00', '2024-02-29T10:11:12-15:59:59',
	'2024-02-29T10:11:12+05:45', '2024-02-29T10:11:12-00:30', '2024-02-29T10:11:12+5', '2024-02-29T10:11:12+05:45:10',
	'2024-02-29T10:11:12+05:60', '2024-02-29T10:11:12 +02', '2024-02-29T10:11:12 UTC', '2024-02-29T10:11:12 PST',
	'2024-02-29T10:11:12Z+01', '2024-02-29T10:11:12ZZ', '2024-02-29T10:11:12 nowhere/land',
	'2024-02-29T24:00:00Z', '2024-02-29T24:00:01Z', '2024-02-29T23:59:60Z', '2024-02-29T23:59:61Z', '2024-02-29T25:00:00Z',
	'2024-02-29T10:60:00Z', '2023-02-29T00:00:00Z', '2024-02-29t10:11:12z', '2024-02-29T10:11Z', '2024-02-29',
	'2024-02-29T', '2024-02-29 1:2:3', '20240229T101112Z', '20240229T10:11:12', 'Thu Feb 29 10:11:12 2024 EST',
	'2024-02-29 10:11:12 Europe/Berlin', '2024-02-29 10:11:12 AM', '2024-02-29 10:11:12 PM', '2024-02-29  10:11:12',
	'2024-03-10T02:30:00', '2024-03-10T02:30:00Z', '2024-11-03T01:30:00', '1883-11-18T12:00:00', '0001-01-01T00:00:00Z',
	'9999-12-31T23:59:59.999999-14:00', '10000-01-01T00:00:00Z', '294276-12-31T23:59:59.999999Z',
	'294276-12-31T23:59:59.9999999Z', '294277-01-01T00:00:00Z', '4714-11-24 00:00:00+00 BC', '4714-11-23 23:59:59+00 BC',
	'0044-03-15 12:00:00 BC', '-0001-01-01T00:00:00Z', '+2024-02-29T10:11:12Z', '292278994-08-17T07:12:55.807Z',
	'infinity', '-infinity', 'epoch', '1709201472', '', ' ', 'x');
my @others = (
	'null', 'true', 'false', '""', '"a"', '"a\u00e9\ud83d\ude00\n\"\\\\"', '{}', '[]',
	'{"b": 1e2, "a": [1, -0, {"c": null}], "a": [1.50]}', '[ "x" , "\u00e9" ]', '"\\\\u0000"', '"\u007f\u0001"', '" "');

my %tokens = (
	text => [ @others, @numbers ],
	varchar => [ @others, '1e2', '"' . ('é' x 300) . '"' ],
	name => [ '"x"', '""', '"' . ('x' x 63) . '"', '1', 'null' ],
	'"char"' => [ '"x"', '""', '1' ],
	bool => [ qw(true false null 0 1 2 -0 1.0 {} []), strings(qw(t f true FALSE yes off on of o n y 1 0 2 x), ' true ', '') ],
	int2 => [ @numbers, @number_strings, 'true', 'false', '{}' ],
	int4 => [ @numbers, @number_strings, 'null', 'true', '[]' ],
	int8 => [ @numbers, @number_strings, 'true' ],
	oid => [ qw(0 4294967295 4294967296 -1), '"x"' ],
	float4 => [ @numbers, @number_strings ],
	float8 => [ @numbers, @number_strings, 'false' ],
	# with decimals as other converters write them: bytes in base64, scale beside the bytes
	numeric => [ @numbers, @number_strings, 'true', '"BAg="', '"B1g="', '{"scale": 2, "value": "AJw="}' ],
	'numeric(6,2)' => [ @numbers, @number_strings ],
	'numeric(20,0)' => [ qw(18446744073709551615 99999999999999999999 100000000000000000000 0.5 1.5) ],
	'numeric(3,-2)' => [ qw(12345 99949 99950) ],
	money => [ '1.5', '12', '"$1,000.25"', '"x"', '1e30' ],
	uuid => [ strings($uuid, uc $uuid, "{$uuid}", $uuid =~ tr/-//dr, substr($uuid, 1), "$uuid ", " $uuid",
			'0b7f2a347e0d-4a6e-9d5c-0d6a5a9b1c2d', '0b7f-2a34-7e0d-4a6e-9d5c-0d6a-5a9b-1c2d', "urn:uuid:$uuid",
			'0b7f2a34-7e0d-4a6e-9d5c-0d6a5a9b1c2g', '00000000-0000-0000-0000-000000000000', ''), '1', 'null' ],
	date => [ @dates, @times, '20240229' ],
	timestamp => [ @dates, @times ],
	'timestamp(2)' => [@times],
	timestamptz => [ @dates, @times, '1', '1709201472000', 'null', 'true' ],
	'timestamptz(0)' => [@times],
	time => [ strings('10:11:12.5', '24:00', '24:00:01', '25:00', '10:11', '10:11:12Z', '101112', 'allballs', 'x'), '1' ],
	timetz => [ strings('10:11:12.5+02:30', '10:11:12', '10:11:12Z', 'x') ],
	interval => [ strings('1 day 2 hours', 'P1Y2M', 'P1Y2M3DT4H5M6.7S', 'PT36H', 'P-1D', '1-2', '-1 mons +2 days', '@ 1 day ago',
			'1.5 hours', '178000000 years', '178956970 years', '178956971 years', '9223372036854775807 us', 'P', '', 'x'), '5', '1.5', 'null' ],
	bytea => [ '"\\\\x00ff"', '"\\\\x 00 FF"', '"abc"', '"a\\\\000b"', '"\\\\x0"', '"\\\\xzz"', '"é"', '""', '1', '{}', 'null' ],
	inet => [ strings('10.0.0.1/8', '10.0.0.1', '::1', '2001:db8::/32', '300.1.1.1', '10.0.0.1/33', '') ],
	cidr => [ strings('10.0.0.0/8', '10.0.0.1/8', '10', '::/0') ],
	macaddr => [ strings('08:00:2b:01:02:03', '08002b010203', '08:00:2b:01:02:0g') ],
	macaddr8 => [ strings('08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05') ],
	'bit(3)' => [ strings('101', 'b101', '102') ],
	varbit => [ strings('101', '', 'x1f', '2'), '101' ],
	point => [ '"(1,2)"', '"1,2"', '[1, 2]', '"x"' ],
	line => [ strings('{1,2,3}', '(0,0),(1,1)', '{0,0,1}') ],
	lseg => [ strings('[(0,0),(1,1)]', 'x'), '[[0,0],[1,1]]' ],
	box => [ strings('(1,1),(0,0)', 'x') ],
	path => [ strings('[(0,0),(1,1)]', '((0,0),(1,1))', 'x') ],
	polygon => [ strings('((0,0),(1,1),(1,0))', 'x') ],
	circle => [ strings('<(0,0),5>', '<(0,0),-5>') ],
	mood => [ '"ok"', '"OK"', '"ok "', '""', 'null', '1' ],
	pair => [ '"(1,x)"', '"(x,1)"', '"(1)"', '"(1,x,2)"', '"(,)"', '[1, "x"]', '1', 'null' ],
	'int[]' => [ strings('{1,2}', '{1,x}', '{}', '{{1,2},{3,4}}', '{1,NULL}', '[0:1]={1,2}', '1'), '{}', '{"a": 1}', '1', 'null' ],
	'text[]' => [ '"{a,\"b c\",NULL}"', '"{a"', '""', 'true' ],
	int4range => [ strings('[1,5)', '[5,1)', '(,3]', 'empty', 'x'), '[1, 5]', 'null' ],
	numrange => [ strings('[1.5,2.5]', '(,)') ],
	daterange => [ strings('[2024-02-28,2024-02-29]', '[2024-02-30,)') ],
	tstzrange => [ '"[2024-02-29T10:00:00Z,2024-02-29 11:00:00)"', '"[\"2024-02-29 10:00+02\",infinity]"' ],
	int4multirange => [ strings('{[1,3),[5,6)}', '{}', '{[1,3),[2,6)}', '{[3,1)}', 'x') ],
	tsvector => [ strings('a fat:2 cat:1A', ''), '"\'unclosed"' ],
	tsquery => [ strings('fat & cat', 'fat &') ],
	jsonpath => [ strings('$.a[*]', '$..') ],
	pg_lsn => [ strings('16/B374D848', 'x') ],
	pg_snapshot => [ strings('10:20:10,14', '20:10:') ],
	xml => [ strings('<a>é</a>', 'text only', '<a>', '<a/><b/>'), '1' ],
	regclass => [ strings('pg_class', 'no_such_table') ],
	regtype => [ strings('int4', 'integer', 'no_such_type') ],
	short_text => [ '"abc"', '"abcd"', '12', '1234', 'null', '"ééé"' ],
	needed => [ '1', 'null', '"x"' ],
	positives => [ strings('{1,2}', '{0}'), 'null' ],
	full_pair => [ strings('(1,x)', '(1,)'), 'null' ],
	$available{hstore} ? (hstore => [ strings('a=>1, b=>NULL', 'a'), 'null' ]) : (),
	$available{citext} ? (citext => [ '"AbC"', '1', 'null', '{"a": 1}' ]) : (),
	$available{ltree} ? (ltree => [ strings('Top.Science', 'Top..x') ]) : (),
);

#
# Rules of ours, and where a cast is not what an input function does
#
my @cases = (
	# a json or jsonb takes the JSON value, so that a string stays one
	[ 'jsonb', '"x"', '"x"' ],
	[ 'jsonb', '"{\"a\": 1}"', '"{\"a\": 1}"' ],
	[ 'jsonb', '"a\\\\u0000b"', '"a\\\\u0000b"' ],
	[ 'jsonb', 'null', '(null)' ],
	[ 'jsonb', 'true', 'true' ],
	[ 'jsonb', '1e2', '100' ],
	[ 'jsonb', '73314510714175488', '73314510714175488' ],
	[ 'jsonb', '0.10', '0.10' ],
	[ 'jsonb', '{"k":"\\\\u0000"}', '{"k": "\\\\u0000"}' ],
	[ 'jsonb', '{"b": -0, "a": "\u00e9", "b": 1.50}', '{"a": "é", "b": 1.50}' ],
	[ 'json', '"x\n"', '"x\n"' ],
	[ 'json', '{"b": 1e2,"a": []}', '{"a": [], "b": 100}' ],
	[ 'document', '"good"', '"good"' ],
	[ 'document', '"bad"', '!23514' ],
	# too long is an error, but for blanks
	[ 'varchar(5)', '"abcde"', 'abcde' ],
	[ 'varchar(5)', '"éèêëē"', 'éèêëē' ],
	[ 'varchar(5)', '"abcdef"', '!22001' ],
	[ 'varchar(5)', '"abcde "', 'abcde' ],
	[ 'varchar(5)', '123456', '!22001' ],
	[ 'varchar(5)', 'true', 'true' ],
	[ 'varchar(5)', '[1,2]', '!22001' ],
	[ 'char(3)', '"ab"', 'ab' ],
	[ 'char(3)', '"abcd"', '!22001' ],
	[ 'bit(3)', '"1011"', '!22026' ],
	[ 'bit(3)', '"x5"', '!22026' ],
	[ 'varbit(2)', '"101"', '!22001' ],
	[ 'regclass', '1259', 'pg_class' ],
	[ 'interval(0)', '"1.6 seconds"', '00:00:02' ],
	[ 'interval day', '"2 days 30 hours"', '2 days' ],
	[ 'time(0)', '"10:11:12.6"', '10:11:13' ],
	# a JSON array into an array, element by element; text keeps PostgreSQL's form
	[ 'int[]', '[1, 2]', '{1,2}' ],
	[ 'int[]', '[]', '{}' ],
	[ 'int[]', '[1, null, "3"]', '{1,NULL,3}' ],
	[ 'int[]', '[[1, 2], [3, 4]]', '{{1,2},{3,4}}' ],
	[ 'int[]', '[[1], [2, 3]]', '!22P02' ],
	[ 'int[]', '[1, [2]]', '!22P02' ],
	[ 'int[]', '[1, "x"]', '!22P02' ],
	[ 'int[]', '[1.5]', '!22P02' ],
	[ 'int[]', '[3000000000]', '!22003' ],
	[ 'int[]', '[{"a": 1}]', '!22P02' ],
	[ 'int8[]', '[73314510714175488]', '{73314510714175488}' ],
	[ 'numeric[]', '[0.10, 1e2, -0, 18446744073709551616]', '{0.10,100,0,18446744073709551616}' ],
	[ 'numeric(4,1)[]', '[1.25, 1]', '{1.3,1.0}' ],
	[ 'float8[]', '[1e400]', '!22003' ],
	[ 'bool[]', '[true, false, null, 1, "yes"]', '{t,f,NULL,t,t}' ],
	[ 'text[]', '["a", "b,c", "\"q\"", null, "null", "", " ", "é\n", 1.50, true, {"x":  1}]',
		'{a,"b,c","\"q\"",NULL,"null",""," ","é~",1.50,true,"{\"x\": 1}"}' ],
	[ 'text[]', '[["a", "b"], ["c", null]]', '{{a,b},{c,NULL}}' ],
	[ 'varchar(3)[]', '["abc", "a"]', '{abc,a}' ],
	[ 'varchar(3)[]', '["abcd"]', '!22001' ],
	[ 'uuid[]', qq(["$uuid"]), "{$uuid}" ],
	[ 'timestamptz[]', '["2024-02-29T10:11:12Z", "infinity"]', '{"2024-02-29 05:11:12-05",infinity}' ],
	[ 'bytea[]', '["\\\\x00ff"]', '{"\\\\x00ff"}' ],
	[ 'jsonb[]', '[{"a": 1}, "s", 2, null]', '{"{\"a\": 1}","\"s\"",2,NULL}' ],
	[ 'mood[]', '["ok", null]', '{ok,NULL}' ],
	[ 'mood[]', '["OK"]', '!22P02' ],
	[ 'int4range[]', '["[1,5)"]', '{"[1,5)"}' ],
	[ 'short_text[]', '["abc"]', '{abc}' ],
	[ 'short_text[]', '["abcd"]', '!23514' ],
	[ 'needed[]', '[1, null]', '!23502' ],
	[ 'positives', '[1, 2]', '{1,2}' ],
	[ 'positives', '[0]', '!23514' ],
	# a JSON object into a composite, field by field
	[ 'pair', '{"a": 1, "b": "x"}', '(1,x)' ],
	[ 'pair', '{"b": "x, \"y\"", "more": 5}', '(,"x, ""y""")' ],
	[ 'pair', '{"b": {"z": [1,  2]}}', '(,"{""z"": [1, 2]}")' ],
	[ 'pair', '{}', '(,)' ],
	[ 'pair', '{"a": null, "B": 1}', '(,)' ],
	[ 'pair', '{"a": "x"}', '!22P02' ],
	[ 'pair[]', '[{"a": 1, "b": "x"}, null, "(2,y)"]', '{"(1,x)",NULL,"(2,y)"}' ],
	[ 'pair[]', '[{"a": 1, "b": "x"}, {"a": 1e99}]', '!22003' ],
	[ 'full_pair', '{"a": 1, "b": "x"}', '(1,x)' ],
	[ 'full_pair', '{"a": 1}', '!23514' ],
	[ 'whole', '{"p": {"a": 1, "b": "x"}, "l": [[1,2]], "j": {"z": 1, "a": "s"}, "m": "ok",
		"at": "2024-02-29T10:11:12Z", "Odd.Name": "abc"}',
		'("(1,x)","{{1,2}}","{""a"": ""s"", ""z"": 1}",ok,"2024-02-29 05:11:12-05",abc)' ],
	[ 'whole', '{"p": "(7,y)", "l": "{3}", "j": "s"}', '("(7,y)",{3},"""s""",,,)' ],
	[ 'whole', '{"Odd.Name": "abcd"}', '!22001' ],
);
foreach my $type (sort keys %tokens)
{
	push @cases, [ $type, $_, undef ] foreach @{ $tokens{$type} };
}

# one table with a column for each type; a message gives one of them
my @types = do { my %seen; grep { !$seen{$_}++ } map { $_->[0] } @cases };
my %column_of = map { $types[$_] => "c$_" } 0 .. $#types;
my $values = join ', ', map {
	my ($type, $token, $want) = @{ $cases[$_] };
	"($_, " . join(', ', map { defined $_ ? MappingTest::quoted($_) : 'NULL' } $type, $token, $want) . ')'
} 0 .. $#cases;
my $shown = join ' ', map { 'WHEN ' . MappingTest::quoted($_) . " THEN $column_of{$_}::text" } @types;
my $one_line = q{E'\\n', '~')};
my %got;

$mapping->query('CREATE TABLE types (n bigint, '
	  . join(', ', map { "$column_of{$_} $_" . ($_ eq 'needed' ? ' DEFAULT 0' : '') } @types)
	  . "); CREATE TABLE cases (n bigint, type text, token text, want text);
	  INSERT INTO cases VALUES $values");
$mapping->stream('types', '{"n": "@offset"}', [ map { qq({"$column_of{$_->[0]}": $_->[1]}) } @cases ]);

my $letters = $mapping->letters('types');
foreach my $row ($mapping->rows(
		"SELECT n, replace(coalesce(CASE type $shown END, '(null)'), $one_line
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
my @wanted = $mapping->rows("SELECT replace(coalesce(want, oracle(type, token)), $one_line FROM cases ORDER BY n");
foreach my $type (@types)
{
	my @mine = grep { $cases[$_][0] eq $type } 0 .. $#cases;

	is_deeply(
		[ map { "$cases[$_][1] -> " . (defined $got{$_} ? $got{$_} : 'nothing') } @mine ],
		[ map { "$cases[$_][1] -> $wanted[$_]" } @mine ],
		sprintf '%s: %d values are what PostgreSQL makes of them', $type, scalar @mine);
}
is( $mapping->query('SELECT count(*) FROM types') + keys %$letters,
	scalar @cases, 'each message is a row or a dead letter');

# what was looked up about a type lasts no longer than a batch
$mapping->query('CREATE TABLE grows (n bigint, p pair, l pair[])');
$mapping->stream('grows', '{"n": "@offset"}', [ '{"p": {"a": 1, "c": 5}, "l": [{"a": 1}]}' ]);
$mapping->query('ALTER TYPE pair ADD ATTRIBUTE c int');
$mapping->stream('grows', undef, [ '{"p": {"a": 2, "c": 5}, "l": [{"c": 1}]}' ]);
is($mapping->query('SELECT p, l FROM grows ORDER BY n'),
	"(1,,)|{\"(1,,)\"}\n(2,,5)|{\"(,,1)\"}", 'an attribute that a type got is filled from the next batch on');

#
# Encoding of bytes
#
$mapping->query('CREATE DOMAIN few_bytes AS bytea CHECK (length(value) < 4);
	CREATE TABLE bytes (n bigint, b bytea, few few_bytes)');
$mapping->stream(
	'bytes',
	'{"n": "@offset", "b": {"path": "p.b", "encoding": "base64"}, "few": {"path": ["f"], "encoding": "base64"}}',
	[
		'{"p": {"b": "AAEC/w=="}, "f": "AAE="}', '{"p": {"b": null}}', '{"p": {"b": ""}}', '{"p": {"b": " AA EC\n"}}',
		'{"p": {"b": "AAE"}}', '{"p": {"b": "!"}}', '{"p": {"b": "_-8="}}', '{"p": {"b": {}}}', '{"f": "AAECAw=="}',
	]);
is($mapping->query('SELECT * FROM bytes ORDER BY n'),
	"0|\\x000102ff|\\x0001\n1||\n2|\\x|\n3|\\x000102|", 'base64 becomes bytes');
is_deeply(
	$mapping->letters('bytes'),
	{ 4 => '22023 b', 5 => '22023 b', 6 => '22023 b', 7 => '22023 b', 8 => '23514 few' },
	'what is not base64 is a dead letter, never the text as bytes');

#
# Values of megabytes, past what goes the fast way
#
my $long = 3_000_000;
$mapping->query('CREATE TABLE long (n bigint, t text, v varchar, j jsonb, b bytea, l text[], i int)');
$mapping->stream(
	'long',
	'{"n": "@offset"}',
	[
		(map { qq({"$_": ") . ('x' x $long) . qq("}) } qw(t v j b)),
		'{"t": {"k": "' . ('y' x $long) . '"}}',
		'{"l": [' . join(',', (1) x 500_000) . ']}',
		'{"t": "\u00e9' . ('\u0041' x 300_000) . '"}',
		'{"j": [' . join(',', (1) x 500_000) . ']}',
		'{"t": "last"}',
		'{"i": "' . ('é' x $long) . '"}',
	]);
is( $mapping->query(q{SELECT n, length(t), length(v), length(j::text), length(b), cardinality(l) FROM long ORDER BY n}),
	join("\n", "0|$long||||", "1||$long|||", '2|||' . ($long + 2) . '||', "3||||$long|",
		'4|' . ($long + 9) . '||||', '5|||||500000', '6|300001||||', '7|||1500000||', '8|4||||'),
	'values of megabytes are whole');
is_deeply($mapping->letters('long'), { 9 => '22P02 i' }, 'only what is wrong is a dead letter');
is( $mapping->query(q{SELECT octet_length(value), octet_length(error), right(error, 6) FROM userstream.dead_letter WHERE stream = 'long'}),
	2 * $long + 9 . '|8196|éé ...', 'which keeps all its bytes, and of the error, which quotes them, a beginning');

$node->stop;
done_testing();
