#
# test/t/121_json.pl
#    which bytes are a message: a table of short documents, good and bad, each
#    alone, as a field, and inside a field that no column takes
#
# PostgreSQL's own ::jsonb is the oracle: the same verdict, the same value,
# the same SQLSTATE.  One stream takes only a text, so that our decoder alone
# finds the verdict; another also has jsonb columns and @rest, and a third takes
# what a function is given as jsonb.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use MappingTest;

my $node = userstream_node('main');
my $mapping = MappingTest->new($node, shared_kafka(), 'postgres');

# a text of bytes as a string between quotes
sub string { my ($inside) = @_; return qq("$inside"); }

my @literals = qw(null true false Null NULL nul nulll True TRUE fals none undefined NaN -NaN nan Infinity -Infinity inf
  truefalse null1 true_);
my @numbers = qw(0 -0 1 -1 12 1234567890123456789012345678901234567890 0.0 -0.0 0.5 -0.5 1.25 10.010 1.0000000000000000000000001
  0e0 0E+5 1e1 1E1 1e+1 1E-1 1.5e3 -1.5e-3 1e001 123e-5 1e308 1e309 1e-400 1e400 1e999 1e1000 1e9999 1e99999 1e131071 1e131072
  1e999999 1e2147483647 1e2147483648 1e99999999999999999999 1e-16383 1e-16384 1e-999999 0e999999 -0e-999999
  73314510714175488 9007199254740993 18446744073709551615 9223372036854775808 0.1 100 1.10
  + +1 - -- --1 -a - 00 01 -01 007 1. 1.e1 .5 -.5 . 1..2 1.2.3 1e 1e+ 1e- e1 1ee1 1e1.5 1a 1_000 0x10 0b1 0o7 1f 1L);
push @numbers, '1,000', '1,5', '- 1', '1 2', '1 e5', "\xef\xbc\x91", "\xd9\xa1", '9' x 1000, '9' x 1001, '9' x 131072, '9' x 131073, '0.' . '1' x 1100,
  '0.' . '1' x 16383, '0.' . '1' x 16384, '-' . '1' x 999;
my @escapes = map { string($_) } (
	'\"', '\\\\', '\/', '\b\f\n\r\t', '\u0001', '\u0020', '\u00e9', '\u20AC', '\uabCD', '\ufffe', '\uffff', '\u007f', '\u0080',
	'\ud7ff\ue000', '\ud800\udc00', '\uDBFF\uDFFF', 'x\ud83d\ude00y', '\ud83d\ude00\ud83d\ude00', '\\\\ud83d', '\\\\u0000',
	'\\\\\\\\u0000', '{\"k\":\"\\\\u0000\"}', '\u0000', 'a\u0000b', '\n\u0000', '\ud83d', '\udbff', '\udc00', '\ude00\ud83d',
	'\udd00\ud83d', '\ud83dx', '\ud83d\n', '\ud83d\nde00', '\ud83d\\\\ude00', '\ud83d\u0041', '\ud83d\ud83d', '\ud83d\ud83d\ude00',
	'\ud83d\ude00\ude00', "\\ud83d\xf0\x9f\x98\x80", '\ud83d\ue000', '\ud83d\ude0', '\ud83d\u', '\a', '\x41', "\\'", '\0', '\ ', "\\\n",
	'\B', '\U0041', '\v', "\\\xc3\xa9", '\u', '\u1', '\u12', '\u123', '\u123g', '\uG123', '\u 123', '\u+123', '\u-123', '\u{61}',
	'\uuuuu', '\\', '\\\\\\', '\u00', "\\u00\xc3\xa9", '\uD83D\uDE00', '\uFEFF');
my @bytes = map { string($_) } (
	"\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xef\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80", "\xc2\x80",
	"\xe2\x80\xa8", "\xef\xbb\xbf", "\xc2\xa0", "\x7f", "e\xcc\x81",
	"\x80", "\xbf", "\xff", "\xfe", "\xc0\x80", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xc3(", "\xc3\xc3", "\xe2", "\xe2\x82", "\xe2\x82(",
	"\xe2(\xac", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xed\xa0\xbd\xed\xb8\x80", "\xf0", "\xf0\x9f",
	"\xf0\x9f\x98", "\xf0\x80\x80\x80", "\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80",
	"\xfc\x84\x80\x80\x80\x80", "a\xe9b", (map { chr } 0 .. 0x1d), "12345678\t", "a\nb", "\\n\x01");
my @blanks = ("\t1", " \r\n1 ", "1\n", "\x0b1", "1\x0c", "\xc2\xa0" . '1', "\xe2\x80\xa8" . '1', "\xef\xbb\xbf" . '1', "\xef\xbb\xbf",
	"1\x00", "\x001", "\x00", '[ ]', "[\n1\t,\r2 ]", "{ \"a\" : 1 }", "{\"a\"\x0b:1}", '1;', '1 ', '// x', '1 // x', '/**/1', '#1');
my @structures = (
	'[]', '[1]', '[1,2]', '[[],[]]', '[{}]', '[null]', '[""]', '[1,[2,[3,[4]]]]', '{}', '{"a":1}', '{"":0}', '{"":""}', '{"a":{}}',
	'{"a":1,"b":2}', '{"a":1,"a":2}', '{"a":{"x":1},"a":{"y":2}}', '{"b":1,"a":2}', '{"aa":1,"b":2}', '{"\u0061":1,"a":2}',
	'{"\n":1}', '{"\ud83d\ude00":1}', '{"a":[{"b":[{}]}]}', '{"a":null,"a":1}', '{"a":1,"a":null}',
	'[', ']', '[1', '[1,', '[,', '[,]', '[1,]', '[,1]', '[1,,2]', '[1 2]', '[1:2]', '["a":1]', '[1}', '[1]]', '[[1]', '[] []', '[1]x', '[}',
	'{', '}', '{]', '{"a"', '{"a":', '{"a":1', '{"a":1,', '{"a":1,}', '{,}', '{,"a":1}', '{"a"}', '{"a",}', '{"a" 1}', '{"a",1}',
	'{"a"::1}', '{"a":1:2}', '{"a":,}', '{"a":}', '{:1}', '{a:1}', "{'a':1}", '{1:1}', '{null:1}', '{[]:1}', '{"a":1 "b":2}',
	'{"a":1;"b":2}', '{"a":1,,"b":2}', '{"a"=1}', '{"a":1]', '{"a":1}}', '{"a":1},', '{}{}', '{} {}', '{}x', '{}null', '{"\ud800":1}',
	'{"\u0000":1}', '{"\q":1}', "{\"a\nb\":1}", '{"a:1}', '{"a":"}', "{\"a\":'b'}", "{\"a\xff\":1}", "{\"a\":1}\n{\"a\":2}", "{\"a\":1}\n",
	"{\"a\":1}\n\n", "'a'", '"', '"a', 'a"', '""""', '"a""b"', '"a"b', 'a', '\\', '\u0061', '""', '"a"', ',', ':', '*', '&', '<a/>', '(1)',
	'{"f":1}', '{"f":{"f":2}}', '{"x":1,"f":[]}', '{"f":1,"f":"2"}', '{"f":1,"x":2,"f":null}');
# every way to cut a document short, and one wrong byte at every place
my $sample = '{"f":[1,-2.5e3,"x\u00e9\ud83d\ude00\n",true,null,{"b":{}}]}';
my @cut = map { substr $sample, 0, $_ } 1 .. length($sample) - 1;
my @broken = map { my $copy = $sample; substr($copy, $_, 1) = substr('"}],:0\\nxe-', $_ * 7 % 11, 1); $copy } 0 .. length($sample) - 1;
my @deep = map { (('[' x $_) . (']' x $_), ('{"a":' x $_) . '1' . ('}' x $_), '[' x $_) } 1, 2, 10, 100, 199, 200, 201, 511, 512, 513, 1000, 2000, 20_000;

# objects and arrays of many members, in no order, some names twice
srand 121;
my @scalars = (@numbers[ 0 .. 22 ], '"short"', '"' . 'long' x 100 . '"', '"\u00e9\n"', 'true', 'false', 'null', '[]', '{}', '[1,"a",[2.5]]', '{"b":1,"a":{"c":null}}');
sub name { return '"' . join('', map { (qw(a b \u00e9 \n ü), '')[ rand 6 ] } 1 .. rand 5) . '"' }
my @many;
foreach my $count (7, 31 .. 34, 63 .. 66, 200)
{
	my @members = map { $scalars[ rand @scalars ] } 1 .. $count;
	push @many, '[' . join(',', @members) . ']', '{' . join(',', map { name() . ":$_" } @members) . '}';
}

my @values = (@literals, @numbers, @escapes, @bytes, @blanks, @structures, @cut, @broken, @deep, @many);
my @documents = (
	(map { { key => 'k', value => $_ } } '', ' ', "\t\r\n ", '[' x 100_000, '{"a":' x 100_000),
	(map { ($_, qq({"f":$_}), qq({"x":[$_],"f":1})) } @values),
	'{"f":"last"}');

sub bytes_of { my ($document) = @_; return unpack 'H*', ref $document ? $document->{value} : $document; }

# what ::jsonb has to say of each
$mapping->query(q{
CREATE TABLE documents (n bigserial, bytes bytea, doc jsonb, verdict text);
CREATE FUNCTION judge(bytes bytea, OUT doc jsonb, OUT verdict text) LANGUAGE plpgsql AS $$
BEGIN
	doc := convert_from(bytes, 'UTF8')::jsonb;
	verdict := CASE WHEN jsonb_typeof(doc) = 'object' THEN 'row' ELSE '22023' END;
EXCEPTION WHEN OTHERS THEN
	verdict := SQLSTATE;
END $$});
my $file = PostgreSQL::Test::Utils::tempdir() . '/documents';
append_to_file($file, join '', map { '\\\\x' . bytes_of($_) . "\n" } @documents);
$mapping->query("COPY documents (bytes) FROM '$file';
	UPDATE documents SET n = n - 1, doc = (judge(bytes)).doc, verdict = (judge(bytes)).verdict");
cmp_ok($mapping->query("SELECT count(DISTINCT verdict) FROM documents"), '>=', 6, 'the table knows many verdicts');

my %columns = (texts => '{"n": "@offset"}', taken => '{"n": "@offset"}', jsons => '{"n": "@offset", "j": "f", "whole": "@value", "rest": "@rest"}');
$mapping->query('CREATE TABLE texts (n bigint, f text);
	CREATE TABLE jsons (n bigint, f text, j jsonb, whole jsonb, rest jsonb);
	CREATE TABLE taken (n bigint, f text, whole jsonb)');
$mapping->query(q{CREATE FUNCTION take(m jsonb) RETURNS jsonb LANGUAGE sql AS
	$$ SELECT CASE jsonb_typeof(m) WHEN 'object' THEN jsonb_build_object('f', m -> 'f', 'whole', m) ELSE m END $$});
foreach my $table ('texts', 'jsons', 'taken')
{
	$mapping->stream($table, $columns{$table}, [ $documents[0] ], $table eq 'taken' ? (transform => 'take(jsonb)') : ());
	my $worker = $mapping->worker($table);
	$mapping->stream($table, undef, [ @documents[ 1 .. $#documents ] ]);
	is($mapping->worker($table), $worker, "$table: it is the same worker still");

	# the first few that differ, by number, bytes, verdict wanted and what there was
	my $differ = q{SELECT n, left(encode(bytes, 'escape'), 60), verdict, coalesce(d.sqlstate, 'row')
		FROM documents LEFT JOIN %s t USING (n) LEFT JOIN userstream.dead_letter d ON d.stream = '%s' AND kafka_offset = n
		WHERE %s ORDER BY n LIMIT 5};
	is( $mapping->query(sprintf $differ, $table, $table,
			q{verdict IS DISTINCT FROM coalesce(d.sqlstate, 'row') OR (t.n IS NULL) IS DISTINCT FROM (d.id IS NOT NULL)}),
		'', "$table: each of @{[ scalar @documents ]} is a row or a dead letter with the reason of ::jsonb");
	is( $mapping->query(sprintf $differ, $table, $table, q{d.value IS DISTINCT FROM bytes AND d.id IS NOT NULL}),
		'', "$table: dead letters keep the bytes");
	is( $mapping->query(sprintf $differ, $table, $table, q{t.n IS NOT NULL AND t.f IS DISTINCT FROM doc ->> 'f'}),
		'', "$table: the text is that of ->>");
	is( $mapping->query(sprintf $differ, $table, $table,
			q{t.n IS NOT NULL AND (j IS DISTINCT FROM nullif(doc -> 'f', 'null') OR j::text IS DISTINCT FROM nullif(doc -> 'f', 'null')::text
				OR whole IS DISTINCT FROM doc OR rest IS DISTINCT FROM doc - 'f')}),
		'', "$table: so are the jsonb, the whole message and \@rest")
	  if $table eq 'jsons';
	is( $mapping->query(sprintf $differ, $table, $table,
			q{t.n IS NOT NULL AND (whole IS DISTINCT FROM doc OR whole::text IS DISTINCT FROM doc::text OR EXISTS (
				SELECT FROM jsonb_each(doc) e, jsonb_each(CASE jsonb_typeof(e.value) WHEN 'object' THEN e.value ELSE '{}' END) i
				WHERE whole -> e.key -> i.key IS DISTINCT FROM i.value) OR EXISTS (
				SELECT FROM jsonb_each(doc) e,
					jsonb_array_elements(CASE jsonb_typeof(e.value) WHEN 'array' THEN e.value ELSE '[]' END) WITH ORDINALITY i
				WHERE whole -> e.key -> (i.ordinality - 1)::int IS DISTINCT FROM i.value))}),
		'', "$table: a function is given what ::jsonb gives, and finds each member of it")
	  if $table eq 'taken';
}

$node->stop;
done_testing();
