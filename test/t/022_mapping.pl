#
# test/t/022_mapping.pl
#    which part of a message becomes which column: names, paths, the message's
#    own parts, defaults, many columns
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

#
# Names: a field is a column's when it has exactly its name
#
my @names = ('order', 'user', 'select', 'MixedCase', 'a.b', 'a"b', q{it's}, 'with blank', ' ', 'ünï', '$1', '%s',
	'@offset', 'back\\slash', '0', "tab\tnew\nline", 'x.y.', 'n' x 63);

sub identifier { my ($name) = @_; return '"' . $name =~ s/"/""/gr . '"'; }

sub json_string
{
	my ($text) = @_;
	my %escapes = ("\t" => '\t', "\n" => '\n', '"' => '\"', '\\' => '\\\\');
	return '"' . $text =~ s/([\t\n"\\])/$escapes{$1}/gr . '"';
}

my $all_names = join ', ', map { json_string($names[$_]) . qq(: "value $_") } 0 .. $#names;
$mapping->query('CREATE SCHEMA "My.Schema"; CREATE TABLE "My.Schema"."Od""d.Table" (n bigint, '
	  . join(', ', map { identifier($_) . ' text' } @names) . ')');
$mapping->stream(
	'names',
	'{"n": "@offset"}',
	[
		"{$all_names}",
		'{"a": {"b": "a path"}, "a.b": "a name", "x": {"y": {"": 1}}}',
		'{"ORDER": 1, "mixedcase": 1, " order": 1, "order ": 1, "with  blank": 1, "UNÏ": 1, "": 1, "'
		  . ('n' x 64) . '": 1, "' . ('n' x 62) . '": 1}',
		'{"\u006frder": "escaped", "\u00fcn\u00ef": "escaped too"}',
	],
	target => '"My.Schema"."Od""d.Table"');
is( $mapping->query(q{SELECT jsonb_strip_nulls(to_jsonb(t) - 'n') = v::jsonb FROM "My.Schema"."Od""d.Table" t JOIN (VALUES (0, }
		  . MappingTest::quoted("{$all_names}")
		  . q{), (1, '{"a.b": "a name"}'), (2, '{}'), (3, '{"order": "escaped", "ünï": "escaped too"}')) c (n, v) USING (n)
			ORDER BY n}),
	"t\nt\nt\nt", 'reserved, mixed-case and odd names are names like any other');

# what a column is named in columns, whatever its name
$mapping->query('CREATE TABLE renamed (n bigint, "order" text, "a.b" text, "@x" text, "path" text, "encoding" bytea)');
$mapping->stream(
	'renamed',
	'{"n": "@offset", "order": "user", "a.b": "c.d", "@x": ["@x"], "path": {"path": ["a.b", "", 0]},
	  "encoding": {"encoding": "base64", "path": "encoding"}}',
	[ '{"user": 1, "order": 2, "c": {"d": 3}, "c.d": 4, "a.b": {"": ["in"]}, "@x": 5, "encoding": "AA=="}' ]);
is($mapping->query('SELECT * FROM renamed'), '0|1|3|5|in|\x00', 'odd names in columns');

#
# Paths
#
$mapping->query('CREATE TABLE paths (n bigint, deep text, element text, inside text,
	dotted text, nameless text, "Odd ""Näme.x" text, whole jsonb, "@type" text, far text, big text)');
$mapping->stream(
	'paths',
	'{"n": "@offset", "deep": "a.b.c", "element": "l.0", "inside": ["l", 1, "k"],
	  "dotted": ["a.b", "c"], "nameless": ["", ""], "whole": "a", "far": "l.100", "big": ["l", 999999999]}',
	[
		'{"a": {"b": {"c": 1}}, "l": ["zero", {"k": "one"}], "a.b": {"c": "dot"}, "": {"": "empty"},
		  "Odd \"N\u00e4me.x": "odd", "@type": "at"}',
		'{"a": {"b": [1]}, "l": {"0": "field", "1": {"k": "K"}, "100": "far"}, "a.b": null, "": "flat"}',
		'{"a": {"b": {"c": 1}, "b": 2}, "l": ["old"], "l": [], "odd \"N\u00e4me.x": "lower"}',
		'{"a": {"b": {"c": 1, "c": [true, null]}}, "a\u002eb": {"c": "escaped"}}',
		'{"a": null}',
		'{}',
		'{"l": [' . join(',', 0 .. 150) . ']}',
		'{"l": [[{"k": "deeper"}], [{"k": "K"}]], "a": [{"b": {"c": 1}}], "a.b": [{"c": 1}]}',
		'{"a": {"b": "{\"c\": 1}"}, "l": "[1,2]"}',
		'{"l": {"1": {"k": "K"}, "01": 1, "1": 2, "00": "no"}, "a": {"b": {"c": {"c": null}}}}',
	]);
is( $mapping->query('SELECT * FROM paths ORDER BY n'),
	join("\n",
		'0|1|zero|one|dot|empty|odd|{"b": {"c": 1}}|at||',
		'1||field|K||||{"b": [1]}||far|',
		'2|||||||{"b": 2}|||',
		'3|[true, null]|||escaped|||{"b": {"c": [true, null]}}|||',
		'4||||||||||',
		'5||||||||||',
		'6||0|||||||100|',
		'7||[{"k": "deeper"}]|||||[{"b": {"c": 1}}]|||',
		'8|||||||{"b": "{\"c\": 1}"}|||',
		'9|{"c": null}||||||{"b": {"c": {"c": null}}}|||'),
	'paths lead into objects and arrays, never into strings; the last of duplicate keys wins');

#
# Parts of the message
#
$mapping->query(q{
CREATE DOMAIN small AS int CHECK (value < 100);
CREATE TABLE parts (n bigint, topic text, topic_name name, part int, part2 smallint, part_text text, part_small small,
	o_text varchar(2), o_numeric numeric(6,2), o_int int, at timestamptz, at0 timestamptz(0), at_date date, at_time time,
	at_local timestamp, at_text text, k bytea, k_text varchar(9), k_number numeric, v bytea, v_text text, doc jsonb,
	doc_json json, h jsonb, h_json json, h_text text, rest jsonb, rest_text text, id int, first text)});
$mapping->stream(
	'parts',
	'{"n": "@offset", "topic": "@topic", "topic_name": "@topic", "part": "@partition", "part2": "@partition",
	  "part_text": "@partition", "part_small": "@partition", "o_text": "@offset", "o_numeric": "@offset", "o_int": "@offset",
	  "at": "@timestamp", "at0": "@timestamp", "at_date": "@timestamp", "at_time": "@timestamp", "at_local": "@timestamp",
	  "at_text": "@timestamp", "k": "@key", "k_text": "@key", "k_number": "@key", "v": "@value", "v_text": "@value",
	  "doc": "@value", "doc_json": "@value", "h": "@headers", "h_json": "@headers", "h_text": "@headers", "rest": "@rest",
	  "rest_text": "@rest", "first": "name.first"}',
	[
		{ key => '17', value => '{"id": 1, "name": {"first": "A", "last": "\u00c4"}, "l": [1,2]}' },
		{ value => '{"id": 2, "name": ["first"], "x": null}' },
		{ key => 'x', value => '{"id": 3}' },
	],
	headers => [ 'a=1', 'b', "c=\xff" ]);
my $headers = '[{"key": "a", "value": "1"}, {"key": "b", "value": null}, {"key": "c", "base64": "/w=="}]';
is( $mapping->query(q{SELECT n, topic LIKE 'parts.%' AND topic = topic_name, part, part2, part_text, part_small, o_text,
			o_numeric, o_int, at BETWEEN now() - interval '10 min' AND now() + interval '1 min', at0 = at::timestamptz(0),
			at_local = at::timestamp, at_date = at::date, at_time = at::time, at_text = at::text,
			k, k_text, k_number, v = convert_to(v_text, 'UTF8'), doc = v_text::jsonb, doc_json::text = v_text,
			h, h::text = h_json::text, h_text::jsonb = h, rest, rest_text::jsonb = rest, id, first
			FROM parts ORDER BY n}),
	join("\n",
		"0|t|0|0|0|0|0|0.00|0|t|t|t|t|t|t|\\x3137|17|17|t|t|t|$headers|t|t|{\"l\": [1, 2], \"name\": {\"last\": \"Ä\"}}|t|1|A",
		"1|t|0|0|0|0|1|1.00|1|t|t|t|t|t|t||||t|t|t|$headers|t|t|{\"x\": null, \"name\": [\"first\"]}|t|2|"),
	'parts of the message fill columns of many types; @rest holds what no column took');
is_deeply($mapping->letters('parts'), { 2 => '22P02 k_number' }, 'a key that is no number is a dead letter');

# a field and a part go to several columns; a key has any bytes, or none
$mapping->query('CREATE TABLE keys (n bigint, a text, b int, k bytea, k_uuid uuid, k_json jsonb)');
$mapping->stream(
	'keys',
	'{"n": "@offset", "a": "v", "b": "v", "k": "@key", "k_uuid": ["id"], "k_json": {"path": ["id"]}}',
	[ { key => "\xff\x01", value => '{"v": 7, "id": null}' }, { key => ' ', value => '{"v": "8"}' } ]);
is($mapping->query('SELECT * FROM keys ORDER BY n'), "0|7|7|\\xff01||\n1|8|8|\\x20||", 'one field fills several columns');
$mapping->query('CREATE TABLE text_keys (n bigint, k text, j jsonb)');
$mapping->stream(
	'text_keys',
	'{"n": "@offset", "k": "@key", "j": "@key"}',
	[
		{ key => '{"a": 1}', value => '{}' },
		{ key => "\xff", value => '{}' },
		{ key => "a\x00", value => '{}' },
		{ key => 'text', value => '{}' },
		{ key => '"\u0000"', value => '{}' },
		'{}',
	]);
is($mapping->query('SELECT * FROM text_keys ORDER BY n'), "0|{\"a\": 1}|{\"a\": 1}\n5||", 'keys as text and as JSON');
is_deeply($mapping->letters('text_keys'),
	{ 1 => '22021 k', 2 => '22021 k', 3 => '22P02 j', 4 => '22P05 j' }, 'and those that are neither');

#
# Fields that no column takes
#
my @known = (
	'{"id": 1}', '{"id": 1, "name": {"first": "a"}, "l": [1]}', '{}', '{"name": {}, "l": []}', '{"name": null, "l": null}',
	'{"doc": {"any": ["thing"]}}', '{"name": {"x": 1}, "name": {"first": "b"}}', '{"id": 5, "doc": {"deep": {"d": 1, "e": 2}}}',
	'{"\u0069d": 3}');
my @unknown = (
	[ '{"id": 1, "more": null}', 'more' ],
	[ '{"id": 1, "order": {"x": 1}}', 'order' ],
	[ '{"name": {"first": "a", "last": "b"}}', 'name.last' ],
	[ '{"name": "a"}', 'name' ],
	[ '{"l": [1, 2]}', 'l.1' ],
	[ '{"l": {"1": 1}}', 'l.1' ],
	[ '{"ID": 1}', 'ID' ],
	[ '{"left": 1}', 'left' ],
	[ '{"twice": 1}', 'twice' ],
	[ '{"n": 1}', 'n' ],
	[ '{"\u00fc": [{}]}', 'ü' ],
	[ '{"name": {"first": "b"}, "name": {"x": 1}}', 'name.x' ],
	[ '{"x' . ('é' x 300) . '": 1}', 'x' . ('é' x 99) ],
	[ '{"id": "no number", "more": 1}', 'more' ]);
my $columns = '{"n": "@offset", "first": "name.first", "l": "l.0", "deep": "doc.deep.d", "left": null}';
foreach my $table ('strict', 'lax', 'rest')
{
	my $is_strict = $table ne 'lax';
	my $has_rest = $table eq 'rest';

	$mapping->query("CREATE TABLE $table (n bigint, id int, first text, l int, doc jsonb, deep int, \"left\" int,
		rest jsonb, twice int GENERATED ALWAYS AS (id * 2) STORED)");
	$mapping->query("ALTER TABLE $table DROP rest") unless $has_rest;
	$mapping->stream(
		$table,
		$has_rest ? $columns =~ s/}/, "rest": "\@rest"}/r : $columns,
		[ @known, map { $_->[0] } @unknown ],
		options => $is_strict ? '{"unknown_fields": "dead_letter"}' : '{}');
	my $number = @known;
	is_deeply(
		$mapping->letters($table),
		$is_strict && !$has_rest ? { map { $_ => '22023 -' } $number .. $number + $#unknown } :
		  { $number + $#unknown => '22P02 id' },
		"$table: " . ($is_strict && !$has_rest ? 'messages with unknown fields' : 'only what is wrong otherwise')
		  . ' are dead letters');
}
is_deeply(
	[ $mapping->rows(q{SELECT error FROM userstream.dead_letter WHERE stream = 'strict' ORDER BY kafka_offset}) ],
	[ map { qq(no column takes field "$_->[1]" of the message) } @unknown ],
	'the error names the field');
is( $mapping->query('SELECT n FROM rest WHERE rest = \'{}\' ORDER BY n'),
	join("\n", 0 .. $#known), '@rest is empty in exactly those that are not refused');
is( $mapping->query("SELECT rest FROM rest WHERE n = @{[ scalar @known + 2 ]}"),
	'{"name": {"last": "b"}}', 'and else holds what was unknown');

#
# Absent and null
#
$mapping->query(q{
CREATE FUNCTION stamp() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN 'stamped'; END $$;
CREATE DOMAIN level AS int DEFAULT 7 CHECK (value > 0);
CREATE DOMAIN must AS text NOT NULL;
CREATE DOMAIN must_default AS text NOT NULL DEFAULT 'm';
CREATE TABLE defaults (n bigint, plain text DEFAULT 'd', required text NOT NULL DEFAULT 'r',
	at timestamptz NOT NULL DEFAULT now(), id bigserial, by_default int GENERATED BY DEFAULT AS IDENTITY,
	always int GENERATED ALWAYS AS IDENTITY, made text DEFAULT stamp(), lvl level, lvl3 level DEFAULT 3, left_out int DEFAULT 3,
	none int, must_d must_default, must_o must DEFAULT 'o', l int[] DEFAULT '{1}', j jsonb DEFAULT '[]',
	fails int DEFAULT 1 / (random() * 0)::int);
CREATE TABLE generated (LIKE defaults INCLUDING ALL,
	twice text GENERATED ALWAYS AS (plain || plain) STORED);});
my @default_messages = (
	'{"fails": 1}',
	'{"fails": 1, "plain": null, "id": 90, "by_default": 80, "made": "m", "lvl": 1, "lvl3": null, "left_out": 9,
	  "always": 5, "twice": "x", "l": null, "j": null, "must_d": "", "must_o": ""}',
	'{"fails": 1, "required": null}',
	'{"fails": 1, "at": null}',
	'{"fails": 1, "lvl": 0}',
	'{}',
	'{"fails": null}',
	'{"fails": 1, "must_d": null}',
	'{"fails": 1, "must_o": null}',
	'{"fails": 1, "id": null}',
	'{"fails": 1, "by_default": null}');
foreach my $table ('defaults', 'generated')
{
	$mapping->stream($table, '{"n": "@offset", "left_out": null}', \@default_messages);
	is( $mapping->query(
			"SELECT n, plain, required, at BETWEEN now() - interval '10 min' AND now(), id > 0,
				by_default > 0, always > 0, made, lvl, lvl3, left_out, none, must_d, must_o, l, j, fails FROM $table ORDER BY n"),
		join("\n",
			'0|d|r|t|t|t|t|stamped|7|3|3||m|o|{1}|[]|1',
			'1||r|t|t|t|t|m|1||3||||||1',
			'6|d|r|t|t|t|t|stamped|7|3|3||m|o|{1}|[]|'),
		"$table: an absent field takes the default, null is null");
	is_deeply(
		$mapping->letters($table),
		{
			2 => '23502 required', 3 => '23502 at', 4 => '23514 lvl', 5 => '22012 fails', 7 => '23502 must_d',
			8 => '23502 must_o', 9 => '23502 id', 10 => '23502 by_default'
		},
		"$table: what may not be null, and a default that fails, are dead letters");
}
is($mapping->query('SELECT id, by_default FROM defaults WHERE n = 1'),
	'90|80', 'an identity BY DEFAULT and a serial take what the message gives');
is($mapping->query('SELECT twice FROM generated ORDER BY n LIMIT 1'),
	'dd', 'a generated column is generated');

# a domain that forbids null, without a default
$mapping->query('CREATE TABLE musts (n bigint, m must)');
$mapping->stream('musts', '{"n": "@offset"}', [ '{"m": "x"}', '{"m": null}', '{}' ]);
is($mapping->query('SELECT * FROM musts'), '0|x', 'a domain that forbids null');
is_deeply($mapping->letters('musts'), { 1 => '23502 m', 2 => '23502 m' }, 'refuses null and nothing alike');

#
# Many columns
#
my @wide = map { "c$_" } 1 .. 500;
my @types = qw(int text jsonb timestamptz numeric);
my @samples = ('7', '"t"', '{"k": [1]}', '"2024-02-29T00:00:00Z"', '1.50');
$mapping->query('CREATE TABLE wide (n bigint, ' . join(', ', map { "$wide[$_] $types[$_ % 5]" } 0 .. 499) . ')');
my @fields = map { qq("$wide[$_]": $samples[$_ % 5]) } 0 .. 499;
$mapping->stream(
	'wide',
	'{"n": "@offset"}',
	[
		'{' . join(', ', @fields) . '}',
		'{' . join(', ', reverse @fields) . '}',
		'{' . join(', ', @fields[ 100 .. 110 ]) . '}',
		'{' . join(', ', (map { qq("x$_": $_) } 1 .. 2000), $fields[499]) . '}',
		'{' . join(', ', @fields[ 0 .. 498 ], '"c500": "x"') . '}',
	]);
my $row = q{(SELECT string_agg(coalesce(value, '-'), '|' ORDER BY substr(key, 2)::int) FROM jsonb_each_text(to_jsonb(t) - 'n'))};
my @texts = ('7', 't', '{"k": [1]}', '2024-02-28T19:00:00-05:00', '1.50');
is( $mapping->query("SELECT $row FROM wide t ORDER BY n"),
	join("\n",
		(join('|', map { $texts[ $_ % 5 ] } 0 .. 499)) x 2,
		join('|', map { $_ >= 100 && $_ <= 110 ? $texts[ $_ % 5 ] : '-' } 0 .. 499),
		join('|', ('-') x 499, '1.50')),
	'500 columns, in any order of fields');
is_deeply($mapping->letters('wide'), { 4 => '22P02 c500' }, 'the last of them can be wrong');

$mapping->query('CREATE TABLE widest (' . join(', ', map { "c$_ int" } 1 .. 1600) . ')');
$mapping->stream(
	'widest', undef,
	[
		'{' . join(', ', map { qq("c$_": $_) } 1 .. 1600) . '}',
		'{' . join(', ', map { qq("c$_": $_) } reverse 1 .. 1600) . '}',
		'{"c1600": 1}',
		'{' . join(', ', map { qq("c$_": "$_") } 1 .. 1599) . ', "c1600": "x"}',
	]);
is( $mapping->query("SELECT c1, c800, c1600, $row = (SELECT string_agg(i::text, '|' ORDER BY i) FROM generate_series(1, 1600) i)
		FROM widest t ORDER BY c1, ctid" =~ s/ - 'n'//r),
	"1|800|1600|t\n1|800|1600|t\n||1|f", '1,600 columns');
is_deeply($mapping->letters('widest'), { 3 => '22P02 c1600' }, 'the last of 1,600 is wrong');

$node->stop;
done_testing();
