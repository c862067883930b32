#
# test/t/220_transform.pl
#    what messages become on their way: transform, filter, explode, formats
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

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub error_of
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $err;
}

sub caught_up
{
	my ($stream, $topic, $what) = @_;
	my $ends = $kafka->end_offsets($topic);

	return ok(wait_until($node, 'postgres',
			"SELECT string_agg(partition || ':' || next_offset, ',' ORDER BY partition)
			   FROM userstream.partition_status WHERE stream = '$stream'",
			join(',', map { "$_:$ends->{$_}" } sort { $a <=> $b } keys %$ends)), "$stream: $what");
}

sub letters
{
	my ($stream) = @_;
	return ask("SELECT string_agg(kafka_offset || ' ' || sqlstate, ', ' ORDER BY kafka_offset)
		FROM userstream.dead_letter WHERE stream = '$stream'");
}

sub ledger
{
	my ($stream) = @_;
	return ask("SELECT sum(messages_read), sum(messages_applied), sum(dead_letters), sum(skipped), bool_and(balanced)
		FROM userstream.ledger WHERE stream = '$stream'");
}

# messages as given to Kafka->produce; empty ones and tombstones among them
sub produce
{
	my ($topic, @list) = @_;

	$kafka->produce_script($topic,
		[ map { [ '-', 'send', 0, 0, ref $_ ? ($_->{key}, $_->{value}) : (undef, $_) ] } @list ]);
	return;
}

# one topic for all: numbers, every tenth of which no function likes
my $numbers = $kafka->new_topic('numbers', 1);
my @messages = map { { key => "k$_", value => qq({"n": $_, "words": ["a$_", "b$_"]}) } } 1 .. 3000;
$messages[$_]{value} = '{"n": "bad"}' foreach 10, 11, 500, 2999;
$kafka->produce($numbers, [ @messages, { key => 'gone', value => undef } ], headers => ['h=1']);

ask(q{
CREATE TABLE doubled (n int PRIMARY KEY, word text, seen bigint);
CREATE FUNCTION double(m jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
	$$ SELECT jsonb_build_object('n', (m ->> 'n')::int * 2, 'word', m -> 'words' ->> 0) $$;
CREATE TABLE words (word text, n int, key text, h text, arrival bigserial);
CREATE FUNCTION split(m userstream.message) RETURNS SETOF words LANGUAGE plpgsql AS $$
	DECLARE v jsonb := convert_from(m.value, 'UTF8'); w text;
	BEGIN
		IF (v ->> 'n')::int % 10 = 0 THEN RETURN; END IF;
		IF (v ->> 'n')::int % 1000 = 7 THEN RAISE EXCEPTION 'not seven' USING ERRCODE = 'P7777'; END IF;
		FOR w IN SELECT jsonb_array_elements_text(v -> 'words') LOOP
			RETURN NEXT ROW(w, (v ->> 'n')::int, convert_from(m.key, 'UTF8'), m.headers #>> '{0,value}',
				nextval('public.words_arrival_seq'))::public.words;
		END LOOP;
	END $$;
CREATE TABLE wanted (n int PRIMARY KEY);
CREATE FUNCTION is_wanted(m jsonb) RETURNS boolean LANGUAGE sql AS
	$$ SELECT CASE m ->> 'n' WHEN 'bad' THEN true ELSE (m ->> 'n')::int % 3 = 0 END $$;
CREATE TABLE single (LIKE wanted);
CREATE FUNCTION one(m jsonb) RETURNS single LANGUAGE sql AS
	$$ SELECT CASE WHEN (m ->> 'n')::int > 2990 THEN ROW((m ->> 'n')::int)::public.single END $$;
});
ask("SELECT userstream.create_stream('doubled', 'kafka', '$numbers', 'doubled', transform => 'double(jsonb)',
	columns => '{\"seen\": \"\@offset\"}')");
ask("SELECT userstream.create_stream('words', 'kafka', '$numbers', 'words', transform => 'split(userstream.message)')");
ask("SELECT userstream.create_stream('wanted', 'kafka', '$numbers', 'wanted', options => '{\"filter\": \"is_wanted(jsonb)\"}')");
ask("SELECT userstream.create_stream('single', 'kafka', '$numbers', 'single', transform => 'one(jsonb)')");

caught_up('doubled', $numbers, 'a transform of jsonb');
is(ask(q{SELECT count(*), bool_and(n = 2 * (seen + 1) AND word = 'a' || seen + 1) FROM doubled}), '2996|t',
	'a document from a function is mapped like a message');
is(letters('doubled'), '10 22P02, 11 22P02, 500 22P02, 2999 22P02', 'what it raises is that message\'s');
is(ledger('doubled'), '3001|2996|4|1|t', 'and counted');

caught_up('words', $numbers, 'rows from a transform of userstream.message');
is(ask(q{SELECT count(*), count(DISTINCT n), bool_and(key = 'k' || n), bool_and(h = '1') FROM words}),
	'5388|2694|t|t', 'any number of rows each, with every part of the message at hand');
is(ask(q{SELECT count(*) FROM (SELECT n, lag(n) OVER (ORDER BY arrival) AS before FROM words) w WHERE n < before}),
	0, 'in order');
is(letters('words'), '6 P7777, 10 22P02, 11 22P02, 500 22P02, 1006 P7777, 2006 P7777, 2999 22P02', 'bad ones are known');
is(ledger('words'), '3001|2694|7|300|t', 'a message without a row is skipped');

caught_up('wanted', $numbers, 'a filter');
is(ask('SELECT count(*), bool_and(n % 3 = 0) FROM wanted'), '997|t', 'leaves messages out');
is(letters('wanted'), '10 22P02, 11 22P02, 500 22P02, 2999 22P02', 'and lets others be mapped');
is(ledger('wanted'), '3001|997|4|2000|t', 'skipped ones count');

caught_up('single', $numbers, 'a single row or null');
is(ask('SELECT count(*), min(n) FROM single'), '9|2991', 'null is no row');

# filter and transform together; a set of documents
my $few = $kafka->new_topic('few', 1);
$kafka->produce($few, [ map { { value => qq({"n": $_}) } } 1 .. 90 ]);
ask(q{CREATE TABLE pair (n int, call int);
	CREATE SEQUENCE calls;
	CREATE FUNCTION pair_of(m jsonb) RETURNS pair LANGUAGE plpgsql IMMUTABLE AS
	$$ BEGIN RETURN ROW((m ->> 'n')::int, nextval('public.calls'))::public.pair; END $$;
	CREATE TABLE twice_each (n int);
	CREATE FUNCTION two_each(m jsonb) RETURNS SETOF jsonb LANGUAGE sql AS
	$$ VALUES (m), (NULL), (jsonb_build_object('n', -(m ->> 'n')::int)) $$});
ask("SELECT userstream.create_stream('pair', 'kafka', '$few', 'pair', transform => 'pair_of(jsonb)',
	options => '{\"filter\": \"is_wanted(jsonb)\"}')");
ask("SELECT userstream.create_stream('both', 'kafka', '$few', 'twice_each', transform => 'two_each(jsonb)')");
caught_up('pair', $few, 'a filter before a transform');
is(ask('SELECT count(*), bool_and(n % 3 = 0), max(call), (SELECT last_value FROM calls) FROM pair'), '30|t|30|30',
	'a transform is called once for each message that is let through');
caught_up('both', $few, 'a set of documents');
is(ask('SELECT count(*), sum(n), count(DISTINCT n) FROM twice_each'), '180|0|180', 'each but null is a row');

# the names are kept as they are, whatever the search path or a renaming says
is(ask(q{SELECT transform FROM userstream.stream WHERE name = 'doubled'}), 'public.double(jsonb)', 'stored by its full name');
is(ask(q{SELECT options FROM userstream.stream WHERE name = 'wanted'}), '{"filter": "public.is_wanted(jsonb)"}', 'the filter too');
ask('ALTER FUNCTION double(jsonb) RENAME TO twice');
ok(wait_until($node, 'postgres', q{SELECT transform FROM userstream.stream WHERE name = 'doubled'}, 'public.twice(jsonb)'),
	'a renaming is followed');

# a replaced function acts from the next batch on
ask(q{CREATE OR REPLACE FUNCTION twice(m jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
	$$ SELECT jsonb_build_object('n', (m ->> 'n')::int, 'word', 'new') $$});
$kafka->produce($numbers, ['{"n": 9999}']);
caught_up('doubled', $numbers, 'a replaced function');
is(ask(q{SELECT word FROM doubled WHERE n = 9999}), 'new', 'acts on the next message');

# bad ones retried, once the function is mended
ask(q{CREATE OR REPLACE FUNCTION twice(m jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS
	$$ SELECT jsonb_build_object('n', CASE m ->> 'n' WHEN 'bad' THEN -random() * 1000000 ELSE 0 END::int) $$});
is(ask(q{SELECT userstream.retry_dead_letters('doubled')}), 4, 'a retry goes through the transform');
is(ask('SELECT count(*) FROM doubled WHERE n < 0'), 4, 'into the table');

# a function that goes away
ask('DROP FUNCTION twice(jsonb)');
$kafka->produce($numbers, ['{"n": 10000}']);
ok(wait_until($node, 'postgres', q{SELECT state, last_error LIKE '%does not exist any more%' FROM userstream.stream_status
	WHERE stream = 'doubled'}, 'stopped|t'), 'a dropped function stops the stream, however few messages come');
is(ask(q{SELECT count(*) FROM userstream.dead_letter WHERE stream = 'doubled' AND kafka_offset > 3001}), 0, 'no message is blamed');
ask(q{CREATE FUNCTION third(m jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT m $$;
	SELECT userstream.alter_stream('doubled', transform => 'third(jsonb)'); SELECT userstream.resume_stream('doubled')});
caught_up('doubled', $numbers, 'another function');
is(ask('SELECT count(*) FROM doubled WHERE n = 10000'), 1, 'goes on where it stopped');
ask(q{SELECT userstream.alter_stream('doubled', transform => '-', columns => '{}')});
is(ask(q{SELECT transform, transform_oid FROM userstream.stream WHERE name = 'doubled'}), '|', 'and can be taken away');

# explode: all rows of a message or none
my $many = $kafka->new_topic('many', 1);
ask(q{CREATE TABLE many (id int PRIMARY KEY, v numeric CHECK (v < 100))});
ask("SELECT userstream.create_stream('many', 'kafka', '$many', 'many', options => '{\"explode\": true}')");
my $large = join ',', map { "{\"id\": $_, \"v\": 1}" } 100000 .. 104999;
produce($many,
		'{"id": 1, "v": 0.10}',
		'[{"id": 2, "v": 73314510714175488e-15}, {"id": 3}]',
		"{\"id\": 4}\n\n{\"id\": 5, \"v\": 5}\n",
		"{\n  \"id\": 6,\n  \"v\": 6\n}",
		'[]',
		'[{"id": 7}, {"id": 8, "v": 100}]',
		'[{"id": 9}, 10]',
		"{\"id\": 11}\n{\"id\": 12",
		"[$large]",
		'[{"id": 13}, {"id": 1}]',
		'',
		'[{"id": 14}]');
caught_up('many', $many, 'arrays and lines');
is(ask('SELECT string_agg(id::text, \',\' ORDER BY id), count(*) FILTER (WHERE id >= 100000) FROM many WHERE id < 100000 OR id > 104997'),
	'1,2,3,4,5,6,14,104998,104999|2', 'each document is a row');
is(ask('SELECT count(*), (SELECT v FROM many WHERE id = 2) FROM many'), '5007|73.314510714175488', 'of a large array too, with exact numbers');
is(letters('many'), '5 23514, 6 22023, 7 22P02, 9 23505, 10 22P02', 'a message with one bad document gives no row');
is(ledger('many'), '12|6|5|1|t', 'an empty array is skipped');

# explode, then a transform of each document, upserted
ask(q{CREATE TABLE latest (id int PRIMARY KEY, v text);
	CREATE FUNCTION keep(m jsonb) RETURNS SETOF latest LANGUAGE sql AS
	$$ SELECT (m ->> 'id')::int % 10, m ->> 'v' WHERE m ? 'v' $$});
ask("SELECT userstream.create_stream('latest', 'kafka', '$many', 'latest', mode => 'upsert', transform => 'keep(jsonb)',
	options => '{\"explode\": true}')");
caught_up('latest', $many, 'explode, transform, upsert');
is(ask('SELECT string_agg(id || \'=\' || v, \' \' ORDER BY id) FROM latest'),
	'0=1 1=1 2=1 3=1 4=1 5=1 6=1 7=1 8=1 9=1', 'the last word on a key wins within a message');
produce($many, { key => 3, value => undef }, '{"id": 4, "v": "last"}');
caught_up('latest', $many, 'a removal among them');
is(ask('SELECT count(*), (SELECT v FROM latest WHERE id = 4) FROM latest'), '9|last', 'goes past the function');

# the whole value into one column
my $raw = $kafka->new_topic('raw', 1);
ask(q{CREATE TABLE line (id bigserial, line text NOT NULL, at bigint);
	CREATE TABLE doc (doc jsonb); CREATE TABLE blob (data bytea)});
ask("SELECT userstream.create_stream('line', 'kafka', '$raw', 'line', format => 'text',
	columns => '{\"line\": \"\@value\", \"at\": \"\@offset\"}')");
ask("SELECT userstream.create_stream('doc', 'kafka', '$raw', 'doc', format => 'text')");
ask("SELECT userstream.create_stream('blob', 'kafka', '$raw', 'blob', format => 'bytes')");
$kafka->produce_script($raw, [ map { [ '-', 'send', 0, 0, undef, $_ ] } 'plain text', '{"a": 1}', "\xff\x00", '', undef ]);
caught_up($_, $raw, 'a whole value') foreach qw(line doc blob);
is(ask('SELECT string_agg(at || line, \',\' ORDER BY at) FROM line'), '0plain text,1{"a": 1},3', 'text');
is(letters('line'), '2 22021', 'has to be text');
is(ask('SELECT doc FROM doc'), '{"a": 1}', 'or what a column takes as such');
is(ask('SELECT string_agg(data::text, \',\' ORDER BY data) FROM blob'), '\x,\x706c61696e2074657874,\x7b2261223a20317d,\xff00', 'bytes as they are');

# a document of a transform gives the columns that the same message gives by itself; where a
# column takes @value or @rest, it goes as text
my $same = $kafka->new_topic('same', 1);
my @documents = (
	q({"t": "a\u00e4\"\\\\\n", "n": 1.50, "i": 42, "b": true, "j": {"b": [1, {"c": null}], "a": "x"}, "a": [1, 2, 3]}),
	q({"t": 1e3, "n": 1e3, "i": "7", "b": "no", "j": "text", "js": "text", "a": []}),
	q({"t": -0.0, "n": -0, "i": -0, "b": false, "j": 1.10, "js": 1.10, "a": null}),
	q({"t": 1E-7, "n": 123456789012345678901234567890.5, "j": null, "js": true, "deep": {"x": {"y": ["p", {"z": 3.0}]}}}),
	q({"t": {"b": 1, "aa": 2}, "deep": {"x": {"y": "no array"}}, "pair": {"x": 1, "y": "two"}}),
	q({"t": [1, "2", [3]], "deep": {"x": {"0": "not this", "y": {"0": "a field", "1": {"z": "of a number"}}}}, "a": [null, 4]}),
	q({"t": true, "deep": {"x": null}, "0": {"t": "number as a name"}}),
	q({"t": "", "deep": [1], "pair": null, "when": "2026-02-03 04:05:06+07"}),
	q({"T": "other", "t": "first", "t": "last"}), '{}',
	q([{"t": "in an array"}]), q("string"), '17', 'true', 'null', q({"i": "x"}), q({"i": 3000000000}), q({"a": {"no": 1}}));
ask(q{CREATE TYPE couple AS (x int, y text);
	CREATE TABLE same_plain (t text, n numeric, i int DEFAULT 5, b boolean, j jsonb, js json, a int[], pair couple, "when" timestamptz,
		first text, z text, number text, at bigint, "rest" jsonb);
	CREATE TABLE same_document (LIKE same_plain INCLUDING DEFAULTS);
	CREATE TABLE same_text (LIKE same_plain INCLUDING DEFAULTS);
	CREATE FUNCTION itself(m jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT m';
	CREATE FUNCTION themselves(m jsonb) RETURNS SETOF jsonb LANGUAGE sql AS 'SELECT m'});
produce($same, @documents);
my $columns = q("first": "deep.x.y.0", "z": "deep.x.y.1.z", "number": "0.t", "at": "@offset");
ask("SELECT userstream.create_stream('same_plain', 'kafka', '$same', 'same_plain', columns => '{$columns, \"rest\": null}')");
ask("SELECT userstream.create_stream('same_document', 'kafka', '$same', 'same_document', columns => '{$columns, \"rest\": null}', transform => 'itself(jsonb)')");
ask("SELECT userstream.create_stream('same_text', 'kafka', '$same', 'same_text', columns => '{$columns, \"rest\": \"\@rest\"}', transform => 'themselves(jsonb)')");
caught_up($_, $same, 'all kinds of values') foreach qw(same_plain same_document same_text);
is(ask('SELECT count(*) FROM same_plain'), 10, 'the rows that there should be');
foreach my $table (qw(same_document same_text))
{
	# what jsonb does not keep: the blanks and the order of a nested document
	is(ask("SELECT string_agg(p.at || ': ' || (to_jsonb(p) - 'rest') || ' ' || (to_jsonb(d) - 'rest'), E'\\n') FROM same_plain p FULL JOIN $table d USING (at)
		WHERE (to_jsonb(p) - '{rest,t}'::text[]) IS DISTINCT FROM (to_jsonb(d) - '{rest,t}'::text[])
		   OR CASE WHEN p.t ~ '^[[{]' THEN p.t::jsonb IS DISTINCT FROM d.t::jsonb ELSE p.t IS DISTINCT FROM d.t END"), '', "$table: the same rows");
	is(letters($table), letters('same_plain'), "$table: the same dead letters");
}
is(ask(q{SELECT string_agg(sqlstate || ' ' || error || ' ' || coalesce(column_name, '-'), '; ' ORDER BY kafka_offset)
	FROM userstream.dead_letter WHERE stream = 'same_document' AND kafka_offset IN (10, 15)}),
	"22023 message is not a JSON object\nDETAIL: Its value is an array. -; 22P02 invalid input syntax for type integer: \"x\" i",
	'with their reasons and columns');
is(ask(q{SELECT "rest" FROM same_text WHERE t = 'last'}), '{"T": "other"}', 'fields that no column took');

# what cannot be
my $create = "SELECT userstream.create_stream('x', 'kafka', '$numbers', 'wanted'";
ask(q{CREATE FUNCTION two(a jsonb, b int) RETURNS jsonb LANGUAGE sql AS 'SELECT a';
	CREATE FUNCTION texts(m jsonb) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;
	CREATE FUNCTION of_text(m text) RETURNS jsonb LANGUAGE sql AS $$ SELECT '{}'::jsonb $$;
	CREATE FUNCTION sets(m jsonb) RETURNS SETOF boolean LANGUAGE sql AS $$ SELECT true $$});
like(error_of("$create, transform => 'nosuch(jsonb)')"), qr/42883: function "nosuch\(jsonb\)" does not exist/, 'no such function');
like(error_of("$create, transform => 'two(jsonb, int)')"), qr/42P13: .*It is not a function of one argument.*HINT/s, 'two arguments');
like(error_of("$create, transform => 'of_text(text)')"), qr/42P13: .*Its argument is of type text/s, 'another argument');
like(error_of("$create, transform => 'texts(jsonb)')"), qr/42P13: .*It returns text/s, 'another result');
like(error_of("$create, transform => 'split(userstream.message)')"), qr/42P13: .*It returns SETOF words/s, 'rows of another table');
like(error_of("$create, transform => 'one(jsonb)')"), qr/42P13: .*It returns single/s, 'even of the same shape');
like(error_of("$create, options => '{\"filter\": \"sets(jsonb)\"}')"), qr/42P13: .*It returns SETOF boolean/s, 'a filter that is none');
like(error_of("$create, format => 'text', columns => '{\"n\": \"\@value\"}', options => '{\"filter\": \"is_wanted(jsonb)\"}')"),
	qr/42P13: .*Messages of format text are no jsonb/s, 'a jsonb from text');
like(error_of("$create, format => 'text', options => '{\"explode\": true}')"), qr/22023: option "explode" has no meaning for format "text"/, 'fields of text');
like(error_of("SELECT userstream.create_stream('x', 'kafka', '$numbers', 'line', format => 'text')"),
	qr/22023: one column must take the message of format "text"\n.*HINT/s, 'a value that has no place');
like(error_of("$create, format => 'bytes')"), qr/42804: column "n" cannot take bytes/, 'bytes in an integer');
like(error_of("$create, format => 'text', columns => '{\"n\": \"a.b\"}')"), qr/22023: column "n" cannot take a field/, 'a path into text');
like(error_of("SELECT userstream.create_stream('x', 'kafka', '$numbers', 'single', transform => 'one(jsonb)', columns => '{\"n\": \"m\"}')"),
	qr/22023: columns has no meaning where the transform returns rows/, 'columns beside rows');
ask(q{CREATE ROLE app LOGIN; GRANT USAGE ON FOREIGN SERVER kafka TO app; GRANT INSERT ON single TO app;
	REVOKE EXECUTE ON FUNCTION one(jsonb) FROM PUBLIC});
like(error_of("SET ROLE app; SELECT userstream.create_stream('x', 'kafka', '$numbers', 'single', transform => 'one(jsonb)')"),
	qr/42501: permission denied for function one\(jsonb\)\n.*HINT:  GRANT EXECUTE ON FUNCTION public.one\(jsonb\) TO app/s, 'without the right');
is(ask('SELECT count(*) FROM userstream.stream WHERE name = \'x\''), 0, 'nothing of it is left');

$node->stop;
done_testing();
