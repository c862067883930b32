#
# test/t/021_encodings.pl
#    databases that are not UTF8: a message is UTF-8 everywhere, a row is in
#    the database's encoding, and what has no place there is a dead letter
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use MappingTest;

my $node = userstream_node('main');
my $kafka = shared_kafka();

# a database of an encoding, with the extension
sub database
{
	my ($name, $encoding) = @_;

	$node->safe_psql('postgres',
		"CREATE DATABASE $name TEMPLATE template0 ENCODING '$encoding' LC_COLLATE 'C' LC_CTYPE 'C'");
	$node->safe_psql($name, 'CREATE EXTENSION userstream');
	return MappingTest->new($node, $kafka, $name);
}

# what is no UTF-8 is refused before any conversion, in each of them the same
my @not_utf8 = (
	[ "{\"t\": \"\xff\"}", '22021 -' ], [ "{\"t\": \"\xe9\"}", '22021 -' ], [ "{\"x\": \"\xc0\x80\"}", '22021 -' ],
	[ "{\"t\": \"\x8e\xa1\"}", '22021 -' ], [ "{\"\xa4\xa2\": 1}", '22021 -' ], [ "{\"t\": \"a\x00\"}", '22021 -' ],
	[ '{"t": "\u0000"}', '22P05 -' ], [ '{"t": "\ud83d"}', '22P02 -' ], [ '{"t": ', '22P02 -' ], [ '["é"]', '22023 -' ]);

#
# LATIN1
#
my $latin = database('latin', 'LATIN1');
my @good = (
	'{"é": "ö", "t": "plain", "j": {"k": 1}}', '{"é": "\u00f6", "t": "\u00e9\n", "j": "ß"}', '{"t": "éèêëëë"}',
	'{"\u00e9": "escaped name", "j": {"Ä": ["ü", {"\u00f6": 1}]}, "l": ["ä", "\u00e4"], "p": {"ä": {"ö": "path"}}}',
	'{"t": "\u00ff\u00a0", "b": "\\\\x00ff", "unknown ü": ["ä"]}', '{"é": 1.50, "t": true, "i": "5", "at": "2024-02-29"}');
my @bad = (
	[ '{"t": "12 €"}', '22P05 -' ], [ '{"t": "12 \u20ac"}', '22P05 -' ], [ '{"x": "€"}', '22P05 -' ], [ '{"€": 1}', '22P05 -' ],
	[ '{"x": {"\u20ac": 1}}', '22P05 -' ], [ '{"t": "\ud83d\ude00"}', '22P05 -' ], [ '{"t": "ééééééé"}', '22001 t' ],
	[ '{"l": [["é"], ["x", "y"]]}', '22P02 l' ], [ '{"i": "é"}', '22P02 i' ], @not_utf8);
$latin->query('CREATE TABLE latin (n bigint, "é" text, t varchar(6), j jsonb, l text[], path text, b bytea, i int, at date,
	h jsonb, rest jsonb, k text)');
$latin->stream(
	'latin',
	'{"n": "@offset", "h": "@headers", "rest": "@rest", "path": "p.ä.ö", "k": "@key"}',
	[ @good, map { $_->[0] } @bad ],
	headers => [ 'h=é', 'e=€', "b=\xe9", 'ü=1', '€=1' ]);
is( $latin->query(q{SELECT n, "é", replace(t, E'\\n', '~'), j, l, path, b, i, at, rest FROM latin ORDER BY n}),
	join("\n",
		'0|ö|plain|{"k": 1}||||||{}',
		'1|ö|é~|"ß"||||||{}',
		'2||éèêëëë|||||||{}',
		"3|escaped name||{\"Ä\": [\"ü\", {\"ö\": 1}]}|{ä,ä}|path||||{}",
		"4||ÿ\xc2\xa0||||\\x00ff|||{\"unknown ü\": [\"ä\"]}",
		'5|1.50|true|||||5|2024-02-29|{}'),
	'LATIN1: texts, names, paths, arrays and JSON are converted');
is( $latin->query('SELECT DISTINCT h FROM latin'),
	'[{"key": "h", "value": "é"}, {"key": "e", "base64": "4oKs"}, {"key": "b", "base64": "6Q=="}, {"key": "ü", "value": "1"}, '
	  . '{"value": "1", "key_base64": "4oKs"}]',
	'LATIN1: a header that has no text there is kept as bytes');
is_deeply(
	$latin->letters('latin'),
	{ map { $_ + @good => $bad[$_][1] } 0 .. $#bad },
	'LATIN1: what cannot be converted is a dead letter, wherever it stands');
is( $latin->query(q{SELECT encode(value, 'hex'), headers = (SELECT h FROM latin LIMIT 1) FROM userstream.dead_letter ORDER BY kafka_offset}),
	join("\n", map { unpack('H*', $_->[0]) . '|t' } @bad),
	'LATIN1: dead letters keep the bytes and the headers');
like(
	$latin->query(q{SELECT error FROM userstream.dead_letter WHERE kafka_offset = } . scalar @good),
	qr/has no equivalent in encoding "LATIN1"/, 'LATIN1: the error says why');

# keys, unknown fields, and a table whose name is not ASCII
$latin->query('CREATE TABLE "Kräne" (n bigint, k text, kb bytea, "größe" int)');
$latin->stream(
	'strict',
	'{"n": "@offset", "k": "@key", "kb": "@key"}',
	[
		{ key => 'é', value => '{"größe": 1}' },
		{ key => '€', value => '{"größe": 2}' },
		{ key => "\xe9", value => '{"größe": 3}' },
		{ key => 'x', value => '{"gr\u00f6\u00dfe": 4}' },
		{ key => 'x', value => '{"größe": 5, "länge": 1}' },
		{ key => 'x', value => '{"größe": "groß"}' },
	],
	target => '"Kräne"', options => '{"unknown_fields": "dead_letter"}');
is($latin->query('SELECT * FROM "Kräne" ORDER BY n'), "0|é|\\xc3a9|1\n3|x|\\x78|4", 'LATIN1: keys and names');
is_deeply(
	$latin->letters('strict'),
	{ 1 => '22P05 k', 2 => '22021 k', 4 => '22023 -', 5 => '22P02 größe' },
	'LATIN1: a key that has no text there');
is($latin->query(q{SELECT error FROM userstream.dead_letter WHERE stream = 'strict' AND sqlstate = '22023'}),
	'no column takes field "länge" of the message', 'LATIN1: an unknown field is named');

#
# EUC_JP: bytes of one text are not even as many as in UTF-8
#
my $japan = database('japan', 'EUC_JP');
@good = ('{"名": "日本語", "t": "カナ"}', '{"\u540d": "\u65e5\u672c", "t": "ｶﾅ", "j": {"鍵": ["値"]}}', '{"t": "abcd"}');
@bad = ([ '{"t": "é€한"}', '22P05 -' ], [ '{"t": "\ud83d\ude00"}', '22P05 -' ], [ '{"t": "日本語日本"}', '22001 t' ], @not_utf8);
$japan->query('CREATE TABLE japan (n bigint, "名" text, t varchar(4), j jsonb, whole jsonb)');
$japan->stream('japan', '{"n": "@offset", "whole": "@value"}', [ @good, map { $_->[0] } @bad ]);
is( $japan->query('SELECT n, "名", t, j, octet_length(t), whole FROM japan ORDER BY n'),
	join("\n",
		'0|日本語|カナ||4|{"t": "カナ", "名": "日本語"}',
		'1|日本|ｶﾅ|{"鍵": ["値"]}|4|{"j": {"鍵": ["値"]}, "t": "ｶﾅ", "名": "日本"}',
		'2||abcd||4|{"t": "abcd"}'),
	'EUC_JP: texts and names are converted');
is_deeply($japan->letters('japan'), { map { $_ + @good => $bad[$_][1] } 0 .. $#bad }, 'EUC_JP: and what cannot be');

#
# SQL_ASCII: no conversion, bytes go in as they came
#
my $ascii = database('ascii', 'SQL_ASCII');
@good = ('{"t": "é€", "é": "named"}', '{"t": "\u0041\n"}', '{"j": {"é": "€"}}', '{"t": "plain"}');
@bad = ([ '{"t": "\u00e9"}', undef ], @not_utf8);
$ascii->query('CREATE TABLE ascii (n bigint, t text, j jsonb, "é" text)');
$ascii->stream('ascii', '{"n": "@offset"}', [ @good, map { $_->[0] } @bad ]);
is( $ascii->query(q{SET client_encoding = 'SQL_ASCII'; SELECT n, replace(t, E'\\n', '~'), j, "é", octet_length(t) FROM ascii ORDER BY n}),
	join("\n", '0|é€||named|5', '1|A~|||2', '2||{"é": "€"}||', '3|plain|||5'),
	'SQL_ASCII: texts are the bytes of the message');
my $refused = $ascii->query(q{DO $$ BEGIN PERFORM '{"t": "\u00e9"}'::jsonb; EXCEPTION WHEN OTHERS THEN
	PERFORM set_config('test.state', SQLSTATE, false); END $$; SELECT current_setting('test.state')});
$bad[0][1] = "$refused -";
is_deeply($ascii->letters('ascii'), { map { $_ + @good => $bad[$_][1] } 0 .. $#bad },
	"SQL_ASCII: an escape above ASCII is refused as by jsonb ($refused)");

$node->stop;
done_testing();
