#
# test/t/024_csv.pl
#    format csv: each value as COPY reads it, in its dialects; one row a message,
#    or one a line; what is no line of the table is a dead letter
#
# The reference is COPY itself, over the same bytes.  CSV_MESSAGES makes it
# longer.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MappingTest;
use UserstreamTest;

my $count = $ENV{CSV_MESSAGES} // 400;
my $seed = $ENV{CSV_SEED} // int(rand(2**31));

note("CSV_SEED=$seed");
srand($seed);

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '300ms'");
my $mapping = MappingTest->new($node, $kafka, 'postgres');
my $work = $node->basedir;

sub refusal
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $err =~ /ERROR:  (.*?)\nLOCATION/s ? $1 : $err;
}

# a value of every type, quoted and not
$mapping->query(q{
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TYPE pair AS (a int, b text);
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE types (n int, b boolean, i2 smallint, i8 bigint, f4 real, f8 double precision, num numeric,
	t text, v varchar(5), c char(3), u uuid, d date, ts timestamp, tz timestamptz, tm time, iv interval,
	by bytea, j json, jb jsonb, ia int[], e mood, p pair, dp positive, ip inet, bi bit(3), r int4range, x text);
});
my $row = join ',', 1, 'true', -5, '9223372036854775807', '1.5', 'NaN', '123456789012345678901234567890.5',
	'"a ""quoted"" text, with commas"', 'abcde', 'x', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '2024-02-29',
	'2024-02-29 12:00:00.123456', '2024-02-29T12:00:00+02', '24:00:00', '1 day 02:00', '\xdeadbeef',
	'"{""a"": [1, 2]}"', '"{""b"": null}"', '"{1,NULL,3}"', 'bad', '"(1,two)"', '7', '10.0.0.1/8', '101',
	'"[1,5)"', '""';
$mapping->stream('types', undef, [ $row, '2' . ',' x 26 . "\r\n" ], format => 'csv');
is($mapping->query('SELECT to_jsonb(types) FROM types ORDER BY n LIMIT 1'),
	$mapping->query("CREATE TABLE by_copy (LIKE types);
		COPY by_copy FROM PROGRAM \$p\$cat <<'END'\n$row\nEND\n\$p\$ (FORMAT csv); SELECT to_jsonb(by_copy) FROM by_copy"),
	'each type has what COPY reads');
is($mapping->query('SELECT x = $$$$ FROM types WHERE n = 1'), 't', 'an empty field in quotes is a text');
is($mapping->query('SELECT jsonb_object_keys(jsonb_strip_nulls(to_jsonb(types))) FROM types WHERE n = 2'),
	'n', 'one without quotes is NULL; a newline may end the message');
is_deeply($mapping->letters('types'), {}, 'no dead letter');

# what is no row
$mapping->query('CREATE TABLE bad (a int, b text DEFAULT $$none$$, g int GENERATED ALWAYS AS (a * 2) STORED,
	i int GENERATED ALWAYS AS IDENTITY)');
$mapping->stream('bad', undef,
	[ '1,x', '2', '3,x,y', '4,"x', 'five,x', "6,x\n7,y", "8,\xff", '9,"x"y"z"', "10,\"two\nlines\"", "11,x\n\n", '12,' ],
	format => 'csv');
is_deeply($mapping->letters('bad'),
	{ 1 => '22P04 -', 2 => '22P04 -', 3 => '22P04 -', 4 => '22P02 a', 5 => '22P04 -', 6 => '22021 -', 9 => '22P04 -' },
	'lines that are none, each a dead letter');
is($mapping->query('SELECT string_agg(a || $$=$$ || quote_nullable(b), $$;$$ ORDER BY a) FROM bad'),
	qq(1='x';9='xyz';10='two\nlines';12=NULL), 'the others are rows');
is($mapping->query(q{SELECT error FROM userstream.dead_letter WHERE stream = 'bad' AND kafka_offset IN (1, 2, 3, 5)
	ORDER BY kafka_offset}),
	qq(missing data for column "b"\nextra data after last expected column\nunterminated CSV quoted field\n)
	. 'message has more than one line', 'as COPY says it');

# another dialect, names of fields, and fields that no column takes
$mapping->query('CREATE TABLE named (id int, "Name" text, at timestamptz DEFAULT $$2000-01-01 00:00Z$$, o bigint)');
$mapping->stream('named', '{"id": "user.id", "o": "@offset"}',
	[ q(x;1;'it~'s; ~~ ~n'), q(x;2;-), q(x;3;'-'), q(x;4;~x) ],
	format => 'csv', options => q({"header": "other;user.id;Name", "delimiter": ";", "quote": "''", "escape": "~", "null": "-"}));
is($mapping->query('SELECT string_agg(concat_ws($$/$$, id, quote_nullable("Name"), extract(year FROM at), o), $$ $$ ORDER BY id) FROM named'),
	q(1/'it''s; ~ ~n'/2000/0 2/NULL/2000/1 3/'-'/2000/2 4/'~x'/2000/3), 'delimiter, quote, escape, null and header');

# many lines in a message, all of them or none
$mapping->query('CREATE TABLE lines (a int, b text)');
$mapping->stream('lines', undef, [ "1,x\n2,\"y\nz\"\r\n3,w\n", "4,x\nfive,y\n", '6,x' ],
	format => 'csv', options => '{"explode": true}');
is($mapping->query('SELECT string_agg(a || b, $$ $$ ORDER BY a) FROM lines'), "1x 2y\nz 3w 6x", 'a row each line');
is_deeply($mapping->letters('lines'), { 1 => '22P02 a' }, 'or none of the message');
is($mapping->query(q{SELECT string_agg(r::text, ' ') FROM userstream.try_message('lines', '7,x\n8,y'::text::bytea) r}
	=~ s/\\n/\n/r), '{"a": 7, "b": "x"} {"a": 8, "b": "y"}', 'try_message shows them');

# a dead letter is retried by the same rules
$mapping->query(q{UPDATE userstream.dead_letter SET value = convert_to('5,x', 'UTF8') WHERE stream = 'bad' AND kafka_offset = 4});
is($mapping->query(q{SELECT userstream.retry_dead_letters('bad')}), 1, 'one applies after it was mended');
is($mapping->query('SELECT b FROM bad WHERE a = 5'), 'x', 'as a row');

# keys
$mapping->query('CREATE TABLE kept (id int PRIMARY KEY, v text, untouched int DEFAULT 5)');
$mapping->stream('kept', undef, [ { key => 1, value => '1,a' }, { key => 2, value => '2,b' }, { key => 1, value => '1,c' },
		{ key => 2, value => undef } ], format => 'csv', mode => 'upsert', options => '{"header": "id,v"}');
is($mapping->query('SELECT id || v || untouched FROM kept'), '1c5', 'upsert: the last of a key, a null removes it');

# what options and columns can be
is(refusal("SELECT userstream.create_stream('x', 'kafka', 't', 'lines', format => 'csv', $$_[0])"), $$_[1], $$_[0])
  foreach [ q(options => '{"delimiter": ""}'), "22023: invalid value for option \"delimiter\": \"\"\n"
		. "DETAIL:  The value is not a text of one byte.\nHINT:  Give the character between the fields of CSV, of one byte." ],
	[ q(options => '{"delimiter": "\""}'), "22023: invalid options of format \"csv\"\nDETAIL:  Delimiter and quote must be different.\n"
		. "HINT:  Options are \"delimiter\", \"quote\", \"escape\" and \"null\", as those of COPY." ],
	[ q(options => '{"null": "a,b"}'), "22023: invalid options of format \"csv\"\nDETAIL:  The text for NULL can hold neither delimiter nor quote.\n"
		. "HINT:  Options are \"delimiter\", \"quote\", \"escape\" and \"null\", as those of COPY." ],
	[ q(options => '{"unknown_fields": "dead_letter"}'), "22023: option \"unknown_fields\" has no meaning for format \"csv\"\n"
		. "DETAIL:  It is about the fields of JSON and Avro.\nHINT:  Leave the option out." ],
	[ q(options => '{"header": "a,a"}'), "22023: invalid value for option \"header\"\nDETAIL:  The name \"a\" is there twice.\n"
		. "HINT:  Give the names of the fields as a line of CSV, such as \"id,name\"." ],
	[ q(columns => '{"a": "nosuch"}'), "22023: column \"a\" cannot take its field: no field has that name\n"
		. "DETAIL:  The fields of CSV are named by option \"header\", or else after the columns of the table.\n"
		. "HINT:  Name one of them in columns, as it is, or in option \"header\" of the stream." ],
	[ q(columns => '{"b": "@rest"}'), "0A000: column \"b\" cannot take \"\@rest\" of messages of format \"csv\"\n"
		. "HINT:  Give it \"\@value\", which is the whole line." ],
	[ q(transform => 'to_jsonb(jsonb)'), "42883: function \"to_jsonb(jsonb)\" does not exist\n"
		. "HINT:  Create it first, or write its schema too, such as app.format_user(jsonb): it is looked for in your search_path." ];
is(refusal(q(SELECT userstream.create_stream('x', 'kafka', 't', 'lines', options => '{"quote": "x"}'))),
	"22023: option \"quote\" has no meaning for format \"json\"\nDETAIL:  It is about the fields of CSV.\nHINT:  Leave the option out.",
	'they are for CSV only');

# random bytes of what matters: a row where COPY gives it, the same one; none where it raises
my @pieces = (',', ',', ',', '|', '|', '||', '"', '"', '""', 'a', '~', ' ', "\n", "\r", "\r\n", 'é', 'null', '', ';');
my @dialects = ([ '', '' ], [ ', "null": "null"', q(, NULL 'null') ],
	[ ', "quote": "|", "escape": "~"', q(, QUOTE '|', ESCAPE '~') ]);

foreach my $i (0 .. $#dialects)
{
	my ($options, $copy) = @{ $dialects[$i] };
	my @messages = map { 'x' . join '', map { $pieces[ rand @pieces ] } 1 .. 1 + rand 9 } 1 .. $count;

	append_to_file("$work/csv_${i}_$_", $messages[$_]) foreach 0 .. $#messages;
	$mapping->query("CREATE TABLE random$i (a text, b text, o bigint);
		CREATE TABLE by_copy$i (a text, b text, o bigint)");
	$mapping->stream("random$i", '{"o": "@offset"}', \@messages, format => 'csv',
		options => qq({"header": "a,b"$options}));

	# COPY takes all lines of a file; more than one is no row here
	$mapping->query(qq{DO \$do\$ BEGIN FOR i IN 0 .. $#messages LOOP BEGIN
		EXECUTE format(\$\$COPY by_copy$i (a, b) FROM %L (FORMAT csv$copy)\$\$, '$work/csv_${i}_' || i);
		IF (SELECT count(*) FROM by_copy$i WHERE o IS NULL) <> 1 THEN
			RAISE 'many lines' USING ERRCODE = '22P04';
		END IF;
		UPDATE by_copy$i SET o = i WHERE o IS NULL;
		EXCEPTION WHEN bad_copy_file_format THEN NULL; END; END LOOP; END \$do\$});
	is($mapping->query("SELECT string_agg(d::text, ' ') FROM (TABLE random$i EXCEPT TABLE by_copy$i) d"), '',
		"random lines, dialect $i (CSV_SEED=$seed): no row that COPY does not give");
	is($mapping->query("SELECT string_agg(d::text, ' ') FROM (TABLE by_copy$i EXCEPT TABLE random$i) d"), '', 'none is missing');
	cmp_ok($mapping->query("SELECT count(*) FROM random$i"), '>', $count / 40, 'there are some');
	is($mapping->query("SELECT count(*) FROM userstream.dead_letter WHERE stream = 'random$i' AND sqlstate <> '22P04'"), 0,
		'the others are no lines');
}

done_testing();
