#
# test/t/240_avro.pl
#    formats avro and json_sr: values into columns of every type, what cannot be,
#    and the schema registry: asked once, away, and without an answer
#
# Messages are written by Apache's own encoder (test/servers/avro_encode).
#
use strict;
use warnings;

use IPC::Run;
use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FeedTest;
use UserstreamTest;

my $kafka = shared_kafka();
my $node = userstream_node('main');
my $api = FeedTest->api('registry');
my $registry = $api->url('/registry');
my %counts;

create_server($node, 'postgres', $kafka);
create_api_server($node, 'postgres', 'registry', "$registry/");

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub error_of
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $err =~ s/\nLOCATION.*//sr =~ s/^psql:[^ ]+ //r;
}

# the registry answers so from now on; nothing: as it should
sub fault
{
	my ($what) = @_;
	my $file = "$api->{dir}/registry_fault";

	unlink $file;
	append_to_file($file, $what) if defined $what;
	return;
}

# registers a schema; its number
sub register { return $api->register(@_); }

# messages of a schema, written by another encoder than our decoder's author
sub encoded
{
	my ($id, $schema, $values, $raw) = @_;
	my $lines = join '', map { encode_json({ id => $id, schema => $schema, value => $_, raw => $raw ? \1 : \0 }) . "\n" } @$values;
	my ($out, $err);

	IPC::Run::run([ "$ENV{USERSTREAM_SRC}/test/servers/avro_encode" ], '<', \$lines, '>', \$out, '2>', \$err)
	  or die "avro_encode: $err";
	return map { pack 'H*', $_ } split /\n/, $out;
}

sub record { my @fields = @_; return { type => 'record', name => 'r', fields => \@fields }; }
sub field { my ($name, $type) = @_; return { name => $name, type => $type }; }
sub logical { my ($type, $name, %more) = @_; return { type => $type, logicalType => $name, %more }; }
sub optional { my ($type) = @_; return [ 'null', $type ]; }

# produces values, or pairs of key and value, with the stream made at the first call, and waits until all is read
sub feed
{
	my ($name, $messages, %args) = @_;
	my $is_new = !$counts{$name};
	my $topic = "avro_$name";
	my $format = $args{format} || 'avro';
	my $options = $args{options} || '{"registry": "registry"}';

	$topic = $counts{"$name topic"} ||= $kafka->new_topic($topic, 1);
	$kafka->produce_script($topic, [ map { [ '-', 'send', 0, 0, ref $_ ? @$_ : (undef, $_) ] } @$messages ]);
	$counts{$name} += @$messages;
	ask("SELECT userstream.create_stream('$name', 'kafka', '$topic', '" . ($args{target} || $name)
		. "', format => '$format', options => '$options'" . ($args{more} || '') . ')') if $is_new;
	return if $args{no_wait};
	return all_read($name);
}

sub all_read
{
	my ($name) = @_;

	ok(wait_until($node, 'postgres', "SELECT coalesce(sum(messages_read), 0) FROM userstream.ledger WHERE stream = '$name'",
			$counts{$name}), "$name: all $counts{$name} messages are read");
	is(ask("SELECT bool_and(balanced) FROM userstream.ledger WHERE stream = '$name'"), 't', "$name: the ledger is balanced");
	return;
}

sub letters
{
	my ($name) = @_;
	return ask("SELECT string_agg(kafka_offset || ' ' || sqlstate || ' ' || coalesce(column_name, '-'), ', ' ORDER BY kafka_offset)
		FROM userstream.dead_letter WHERE stream = '$name'");
}

# ---------------------------------------------------------------------------
# each type
# ---------------------------------------------------------------------------

my $types = record(
	field(n => 'int'), field(b => 'boolean'), field(i2 => 'int'), field(i4 => 'int'), field(i8 => 'long'),
	field(f4 => 'float'), field(f8 => 'double'), field(num => logical('bytes', 'decimal', precision => 38, scale => 4)),
	field(fixnum => logical('fixed', 'decimal', name => 'fx', size => 5, precision => 10, scale => 2)),
	field(t => 'string'), field(v => 'string'), field(u => 'string'), field(raw => 'bytes'), field(fix => { type => 'fixed', name => 'two', size => 2 }),
	field(e => { type => 'enum', name => 'mood', symbols => [ 'sad', 'happy' ] }),
	field(d => logical('int', 'date')), field(tm => logical('int', 'time-millis')), field(tu => logical('long', 'time-micros')),
	field(tz => logical('long', 'timestamp-millis')), field(ts => logical('long', 'timestamp-micros')),
	field(j => { type => 'map', values => 'long' }), field(a => { type => 'array', items => 'int' }),
	field(o => optional('string')), field(net => 'string'));
my $first = { n => 1, b => \1, i2 => -32768, i4 => 2147483647, i8 => 9007199254740993, f4 => 0.5, f8 => 0.1,
	num => { '$decimal' => '12345678901234567890.1234' }, fixnum => { '$decimal' => '-0.05' }, t => "caf\x{e9} \"\\\n", v => 'abc',
	u => '00112233-4455-6677-8899-aabbccddeeff', raw => { '$bytes' => '00ff1e' }, fix => { '$bytes' => 'beef' }, e => 'happy',
	d => { '$date' => '2020-02-29' }, tm => { '$time' => '23:59:59.999' }, tu => { '$time' => '00:00:00.000001' },
	tz => { '$timestamp' => '1969-12-31T23:59:59.999+00:00' }, ts => { '$timestamp' => '2020-02-29T12:00:00.123456+00:00' },
	j => { k => 5 }, a => [ 1, -2 ], o => undef, net => '10.0.0.0/8' };
my %second = (%$first, n => 2, b => \0, i2 => 0, o => 'there', num => { '$decimal' => '0.0000' }, j => {}, a => []);

my $type_id = register('types', $types);
ask(q{CREATE TYPE mood AS ENUM ('sad', 'happy');
	CREATE DOMAIN short AS text CHECK (length(VALUE) < 10);
	CREATE TABLE types (n int PRIMARY KEY, b bool, i2 smallint, i4 int, i8 bigint, f4 real, f8 float8, num numeric, fixnum numeric(6,2), t text, v varchar(3),
		u uuid, raw bytea, fix bytea, e mood, d date, tm time, tu time, tz timestamptz, ts timestamp, j jsonb, a int[], o short, net cidr,
		"default" text DEFAULT 'absent', at bigint)});
feed('types', [ encoded($type_id, $types, [ $first, \%second ]) ], more => q{, columns => '{"at": "@offset"}'});
is(letters('types'), '', 'no dead letter');
is(ask("SET TimeZone = 'UTC'; SELECT * FROM types WHERE n = 1"),
	"1|t|-32768|2147483647|9007199254740993|0.5|0.1|12345678901234567890.1234|-0.05|caf\x{c3}\x{a9} \"\\\n|abc|00112233-4455-6677-8899-aabbccddeeff|"
	. '\x00ff1e|\xbeef|happy|2020-02-29|23:59:59.999|00:00:00.000001|1969-12-31 23:59:59.999+00|2020-02-29 12:00:00.123456|{"k": 5}|{1,-2}||10.0.0.0/8|absent|0',
	'a value for each type');
is(ask('SELECT b, i2, num, j, a, o FROM types WHERE n = 2'), 'f|0|0.0000|{}|{}|there', 'others');

# the same into texts and jsonb: what a type stands for is the text
ask('CREATE TABLE texts AS SELECT * FROM types WITH NO DATA');
ask("DO \$\$ DECLARE c record; BEGIN FOR c IN SELECT attname FROM pg_attribute WHERE attrelid = 'texts'::regclass AND attnum > 0
	LOOP EXECUTE format('ALTER TABLE texts ALTER %I TYPE %s', c.attname, CASE WHEN c.attname ~ '^[ab]' THEN 'jsonb' ELSE 'text' END
		|| CASE WHEN c.attname ~ '^[ab]' THEN ' USING NULL' ELSE '' END); END LOOP; END \$\$");
feed('texts', [ encoded($type_id, $types, [$first]) ]);
is(ask('SELECT b, i8, f8, num, fixnum, raw, e, d, tm, tz, ts, j, a, o FROM texts'),
	'true|9007199254740993|0.1|12345678901234567890.1234|-0.05|\x00ff1e|happy|2020-02-29|23:59:59.999|1969-12-31T23:59:59.999+00:00|2020-02-29T12:00:00.123456+00:00|{"k": 5}|[1, -2]|',
	'as texts');

# what the encoder does not know by name is written as what it is made of
my $raw = record(field(d => logical('int', 'date')), field(nanos => logical('long', 'timestamp-nanos')), field(here => logical('long', 'local-timestamp-millis')),
	field(u => logical('fixed', 'uuid', name => 'id', size => 16)), field(span => logical('fixed', 'duration', name => 'span', size => 12)),
	field(f8 => 'double'));
my $raw_id = register('raw', $raw);
ask('CREATE TABLE raw (d date, nanos timestamptz, here timestamp, u uuid, span interval, f8 float8)');
my $raw_value = { d => 2932897, nanos => 1500, here => -1, u => { '$bytes' => '00112233445566778899aabbccddeeff' },
	span => { '$bytes' => '0100000002000000bc0b0000' }, f8 => 1e300 };
feed('raw', [ encoded($raw_id, $raw, [ $raw_value, { %$raw_value, d => 2147483647 }, { %$raw_value, nanos => 0, d => -719162 - 366 },
	{ %$raw_value, here => 9223372036854775807 } ], 1) ]);
is(ask("SET TimeZone = 'UTC'; SELECT * FROM raw ORDER BY d"),
	"0001-01-01 BC|1970-01-01 00:00:00+00|1969-12-31 23:59:59.999|00112233-4455-6677-8899-aabbccddeeff|1 mon 2 days 00:00:03.004|1e+300\n"
	. '10000-01-01|1970-01-01 00:00:00.000002+00|1969-12-31 23:59:59.999|00112233-4455-6677-8899-aabbccddeeff|1 mon 2 days 00:00:03.004|1e+300',
	'nanoseconds, local times, a uuid, a duration, far years');
is(letters('raw'), '1 22008 -, 3 22008 -', 'dates and times that PostgreSQL does not have');

# A number that only one column of its type takes is not made a text first.  Where a second one wants the text,
# all go that way; both ways must give the same.
my $micros = logical('long', 'timestamp-micros');
my $direct = record(field(i2 => 'long'), field(i4 => 'long'), field(i8 => optional('long')), field(f4 => 'float'), field(f8 => 'double'),
	field(d => logical('int', 'date')), field(tz => $micros), field(tz3 => $micros), field(ts => $micros),
	field(here => logical('long', 'local-timestamp-millis')), field(n => logical('long', 'timestamp-nanos')),
	field(b => 'bytes'), field(u => logical('fixed', 'uuid', name => 'uuid_fixed', size => 16)));
my $direct_id = register('direct', $direct);
my $usual = { i2 => 1, i4 => 2, i8 => 3, f4 => 0.1, f8 => 0.1, d => 18321, tz => 1582934400123456, tz3 => 1582934400123456, ts => -1, here => -1, n => 1000,
	b => { '$bytes' => '00ff' }, u => { '$bytes' => '00112233445566778899aabbccddeeff' } };
my %unusual = (
	i2 => [ -32768, 32767, 32768, -32769 ], i4 => [ -2147483648, 2147483647, 2147483648 ], i8 => [ undef, 9223372036854775807, -1234567890123456789 ],
	f4 => [ 1e-40, 3e38, 0, -2.5 ], f8 => [ 5e-324, 1e300, 0, -2.5, 123456789.125 ], d => [ -683004, -683003, 2932896, 2932897, -719529 ],
	tz => [ 253402300799999999, 253402300800000000, -59011459200000000, -59011459200000001 ], tz3 => [ 999_500, 1_000_000 ],
	ts => [ 253402300799999999, 253402300800000000 ], here => [ 253402300799999, 253402300800000, -59011459200000, -59011459200001 ],
	n => [ 1, 1500, -1000, -1001 ], b => [ map { { '$bytes' => $_ } } '', '0a' x 200 ]);
my @direct = encoded($direct_id, $direct, [ $usual, map { my $name = $_; map { { %$usual, $name => $_ } } @{ $unusual{$name} } } sort keys %unusual ], 1);
my @names = map { $_->{name} } @{ $direct->{fields} };
ask('CREATE TABLE direct (i2 smallint, i4 int, i8 bigint, f4 real, f8 float8, d date, tz timestamptz, tz3 timestamptz(3), ts timestamp,
	here timestamp, n timestamptz, b bytea, u uuid, at bigint PRIMARY KEY);
	CREATE TABLE spelled (LIKE direct, ' . join(', ', map { "${_}_text text" } @names) . ', PRIMARY KEY (at))');
feed('direct', \@direct, more => q{, columns => '{"at": "@offset"}'});
feed('spelled', \@direct, more => ", columns => '{" . join(', ', '"at": "@offset"', map { "\"${_}_text\": \"$_\"" } @names) . "}'");
is(letters('direct'), letters('spelled'), 'values as they are: the same dead letters as by their texts');
like(letters('direct'), qr/22003 i2.*22003 i4|22003 i4.*22003 i2/, 'among them numbers that are too large');
is(ask('SELECT count(*) FROM direct'), @direct - 3, 'all others are rows');
is(ask('SELECT count(*) FROM (TABLE direct EXCEPT SELECT ' . join(', ', @names) . ', at FROM spelled) different'), 0, 'the same rows');
is(ask("SET TimeZone = 'UTC'; SELECT * FROM direct WHERE at = 0"),
	'1|2|3|0.1|0.1|2020-02-29|2020-02-29 00:00:00.123456+00|2020-02-29 00:00:00.123+00|1969-12-31 23:59:59.999999|1969-12-31 23:59:59.999|1970-01-01 00:00:00.000001+00|'
	. '\x00ff|00112233-4455-6677-8899-aabbccddeeff|0', 'and what they are');

# ---------------------------------------------------------------------------
# paths, functions, what is left
# ---------------------------------------------------------------------------

my $order = record(field(id => 'long'), field(who => optional({ type => 'record', name => 'person', fields => [ field(name => 'string'), field(boss => optional('person')) ] })),
	field(lines => { type => 'array', items => { type => 'record', name => 'line', fields => [ field(sku => 'string'), field(qty => 'int') ] } }),
	field(tags => { type => 'map', values => 'string' }));
my $order_id = register('order', $order);
my @orders = ({ id => 1, who => { name => 'Ann', boss => { name => 'Bea', boss => undef } }, lines => [ { sku => 'a', qty => 1 }, { sku => 'b', qty => 2 } ], tags => { k => 'v' } },
	{ id => 2, who => undef, lines => [], tags => {} });
my @bytes = encoded($order_id, $order, \@orders);
ask('CREATE TABLE orders (id bigint, who text, boss text, second text, tag text, lines jsonb, rest jsonb)');
feed('orders', \@bytes, more => q{, columns => '{"who": "who.name", "boss": "who.boss.name", "second": "lines.1.sku", "tag": "tags.k", "rest": "@rest"}'});
is(ask('SELECT * FROM orders ORDER BY id'),
	'1|Ann|Bea|b|v|[{"qty": 1, "sku": "a"}, {"qty": 2, "sku": "b"}]|{"who": {"boss": {"boss": null}}}' . "\n" . '2|||||[]|{}', 'nested records, arrays, maps, the rest')
  or diag(letters('orders'));

ask(q{CREATE TABLE lines (id bigint, sku text, qty int);
	CREATE FUNCTION lines_of(o jsonb) RETURNS SETOF jsonb LANGUAGE sql AS
		$$ SELECT l || jsonb_build_object('id', o -> 'id') FROM jsonb_array_elements(o -> 'lines') l $$;
	CREATE FUNCTION has_person(o jsonb) RETURNS boolean LANGUAGE sql AS $$ SELECT o -> 'who' <> 'null' $$;
	CREATE TABLE wanted (id bigint)});
feed('lines', \@bytes, more => q{, transform => 'lines_of(jsonb)'});
is(ask('SELECT * FROM lines ORDER BY sku'), "1|a|1\n1|b|2", 'a transform takes the message as jsonb');
feed('wanted', \@bytes, options => '{"registry": "registry", "filter": "has_person(jsonb)"}');
is(ask('SELECT * FROM wanted'), 1, 'a filter too');
ask('CREATE TABLE strict (id bigint, who text, lines jsonb, tags jsonb)');
feed('strict', \@bytes, options => '{"registry": "registry", "unknown_fields": "dead_letter"}', more => q{, columns => '{"who": "who.name"}'});
is(letters('strict'), '0 22023 -', 'a field that no column takes, where there is something');

# ---------------------------------------------------------------------------
# what cannot be
# ---------------------------------------------------------------------------

my $small = record(field(id => 'int'), field(t => 'string'));
my $small_id = register('small', $small);
my ($good, $other) = encoded($small_id, $small, [ { id => 1, t => 'x' }, { id => 2, t => 'y' } ]);
my $json_id = register('json', '{"type": "object"}', schemaType => 'JSON');
my $bad_id = register('bad', '{"type": "record"}');
my $scalar_id = register('scalar', '"int"');

sub framed { my ($id, $value) = @_; return pack('CN', 0, $id) . $value; }

ask('CREATE TABLE small (id smallint, t text)');
feed('small', [ $good, '{"id": 1}', "\0\0", framed($small_id, "\2"), framed($small_id, "\2\4\xc3\x28"), "${good}x", framed(4711, "\2"), framed($json_id, '{}'),
	framed($bad_id, "\2"), framed($scalar_id, "\2"), '', encoded($small_id, $small, [ { id => 100_000, t => '' } ]), framed($small_id, "\2\2\0"), $other ]);
is(letters('small'), '1 22P02 -, 2 22P02 -, 3 22P02 -, 4 22021 -, 5 22P02 -, 6 22023 -, 7 22023 -, 8 22023 -, 9 22023 -, 10 22P02 -, 11 22003 id, 12 22021 -',
	'each bad message is a dead letter with its reason');
is(ask('SELECT string_agg(id || t, \',\' ORDER BY id) FROM small'), '1x,2y', 'the others are rows');
like(ask("SELECT error FROM userstream.dead_letter WHERE stream = 'small' AND kafka_offset = 6"), qr/schema 4711 of the message is not in the registry/, 'which schema');
like(ask("SELECT error FROM userstream.dead_letter WHERE stream = 'small' AND kafka_offset = 7"), qr/it is of type JSON, not AVRO/, 'and why it is of no use');

# ---------------------------------------------------------------------------
# the registry
# ---------------------------------------------------------------------------

my $worker = ask("SELECT pids FROM userstream.stream_status WHERE stream = 'small'");
$api->forget_requests;
feed('small', [$good]);
is(scalar(grep { /GET/ } $api->requests), 0, 'a schema is asked for once only');

# one that was unknown is asked for again: it may be there by now
my $late = record(field(id => 'int'), field(t => 'string'), field(more => optional('int')));
fault('503');
my ($message) = encoded($scalar_id + 1, $late, [ { id => 7, t => 'late', more => undef } ]);
feed('small', [ $message, $good ], no_wait => 1);
ok(wait_until($node, 'postgres', "SELECT state || ' ' || last_error FROM userstream.stream_status WHERE stream = 'small'",
	'waiting schema registry "registry": it answers with HTTP status 503'), 'a registry that is ill is waited for');
like(error_of('SELECT userstream.create_stream(\'late\', \'kafka\', \'x\', \'small\', format => \'avro\', options => \'{"registry": "registry"}\')'),
	qr/ERROR:  08006: schema registry "registry": it answers with HTTP status 503\nHINT:  Look at url/, 'create_stream says so');
fault('html');
ok(wait_until($node, 'postgres', "SELECT last_error FROM userstream.stream_status WHERE stream = 'small'",
	'schema registry "registry": its answer holds no schema'), 'also one that answers with a page for people');
is(letters('small') =~ tr/,//, 11, 'nothing is a dead letter for that');
fault();
all_read('small');
like(letters('small'), qr/, 15 22023 -$/, 'once it answers, a number that it does not have is the message\'s fault');
is(register('late', $late), $scalar_id + 1, 'the schema comes later');
like(error_of(qq{SELECT * FROM userstream.try_message('small', '\\x@{[unpack 'H*', framed(4711, "\2")]}')}), qr/ERROR:  22023: schema 4711/, 'try_message: the error that it would give');
is(ask(qq{SELECT * FROM userstream.try_message('small', '\\x@{[unpack 'H*', $message]}')}), '{"t": "late", "id": 7}', 'or the row');
is(ask("SELECT userstream.retry_dead_letters('small', ARRAY(SELECT id FROM userstream.dead_letter WHERE stream = 'small' AND kafka_offset = 15))"), 1, 'a retry takes it then');
is(ask('SELECT t FROM small WHERE id = 7'), 'late', 'into its row');
is(ask("SELECT bool_and(balanced) FROM userstream.ledger WHERE stream = 'small'"), 't', 'the ledger is balanced still');
feed('small', [$message]);
is(ask("SELECT count(*) FROM small WHERE id = 7"), 2, 'so does the worker, which had been told that there is none');
is(ask("SELECT pids FROM userstream.stream_status WHERE stream = 'small'"), $worker, 'the same one through all of it');

fault('silence');
my ($rc, $out, $err) = $node->psql('postgres', "SET statement_timeout = '1s'; SELECT * FROM userstream.try_message('small', '\\x@{[unpack 'H*', $good]}')");
like($err, qr/canceling statement due to statement timeout/, 'a call that waits can be cancelled');
fault();

# credentials are in the mapping of the stream's owner
append_to_file("$api->{dir}/registry_key", 'Authorization: Basic dXNlcjpzZWNyZXQ=');
like(error_of('SELECT userstream.create_stream(\'key\', \'kafka\', \'x\', \'small\', format => \'avro\', options => \'{"registry": "registry"}\')'),
	qr/ERROR:  08006: schema registry "registry": it answers with HTTP status 401/, 'no credentials');
ask(q{CREATE USER MAPPING FOR CURRENT_USER SERVER registry OPTIONS (header 'Authorization: Basic dXNlcjpzZWNyZXQ=')});
is(ask(qq{SELECT * FROM userstream.try_message('small', '\\x@{[unpack 'H*', $good]}')}), '{"t": "x", "id": 1}', 'those of the mapping are used');
unlink "$api->{dir}/registry_key";

# a schema that refers to another, which refers to a third
register('money', { type => 'fixed', name => 'shop.money', size => 2, logicalType => 'decimal', precision => 4, scale => 2 });
register('item', record(field(price => 'shop.money'))->{fields} && { type => 'record', name => 'shop.item', fields => [ field(price => 'money') ] },
	references => [ { name => 'shop.money', subject => 'money', version => 1 } ]);
my $basket = { type => 'record', name => 'shop.basket', fields => [ field(item => 'shop.item'), field(total => 'shop.money') ] };
my $basket_id = register('basket', $basket, references => [ { name => 'shop.item', subject => 'item', version => 1 }, { name => 'shop.money', subject => 'money', version => 1 } ]);
ask('CREATE TABLE basket (price numeric, total numeric)');
feed('basket', [ framed($basket_id, "\0\x7d\x01\x2c"), framed($basket_id, "\xff\xff\0\0") ], more => q{, columns => '{"price": "item.price"}'});
is(ask('SELECT * FROM basket ORDER BY total DESC'), "1.25|3.00\n-0.01|0.00", 'schemas refer to schemas');

# ---------------------------------------------------------------------------
# keys: a removal has nothing else
# ---------------------------------------------------------------------------

my $key = { type => 'record', name => 'key', fields => [ field(id => 'int') ] };
my $key_id = register('kept-key', $key);
my $long_id = register('long-key', '"int"');
my @kept = encoded($small_id, $small, [ map { { id => $_, t => "v$_" } } 0 .. 5 ]);
my @keys = encoded($key_id, $key, [ map { { id => $_ } } 0 .. 5 ]);
my @scalars = encoded($long_id, 'int', [ 0 .. 5 ]);
ask('CREATE TABLE kept (id int PRIMARY KEY, t text)');
feed('kept', [ (map { [ $keys[$_], $kept[$_] ] } 0 .. 5), [ $keys[1], undef ], [ $scalars[2], undef ], [ '{"id": 3}', undef ], [ '4', undef ],
		[ framed(4711, "\2"), undef ], [ framed($key_id, ''), undef ] ], more => q{, mode => 'upsert'});
is(ask(q{SELECT string_agg(t, ' ' ORDER BY id) FROM kept}), 'v0 v5', 'the key of a removal is read by its own schema, or as JSON');
is(letters('kept'), '10 22023 -, 11 22P02 -', 'a key whose schema is not there, or that is cut short, is a dead letter');
is(ask(qq{SELECT * FROM userstream.try_message('kept', NULL, '\\x@{[unpack 'H*', $keys[5]]}')}), '{"id": 5}', 'try_message shows which row would go');
is(ask(qq{SELECT encode(key, 'hex') || ' ' || encode(value, 'hex') FROM userstream.peek('kafka', '$counts{'kept topic'}', from_offset => 5, max_messages => 1)}),
	unpack('H*', $keys[5]) . ' ' . unpack('H*', $kept[5]), 'peek shows the bytes');
ask('CREATE TABLE kept_sr (id int PRIMARY KEY, t text)');
feed('kept_sr', [ (map { [ framed(1, qq({"id": $_})), framed(2, qq({"id": $_, "t": "v$_"})) ] } 1 .. 2), [ framed(1, '{"id": 1}'), undef ] ], format => 'json_sr', options => '{}',
	more => q{, mode => 'upsert'});
is(ask('SELECT t FROM kept_sr'), 'v2', 'json_sr: so is the key');

# ---------------------------------------------------------------------------
# JSON behind the number of a schema
# ---------------------------------------------------------------------------

$api->forget_requests;
ask('CREATE TABLE people (id int, name text, rest jsonb)');
feed('people', [ framed(1, '{"id": 1, "name": "Ann", "x": [1]}'), '{"id": 2}', framed(9, '{"id": '), framed(9, '[1]'), framed(9, ''), "\0\0\0\0", framed(-1, '{"id": 3}') ],
	format => 'json_sr', options => '{}', more => q{, columns => '{"rest": "@rest"}'});
is(letters('people'), '1 22P02 -, 2 22P02 -, 3 22023 -, 4 22P02 -, 5 22P02 -', 'json_sr: what is no such message');
is(ask('SELECT * FROM people ORDER BY id'), qq(1|Ann|{"x": [1]}\n3||{}), 'json_sr: the others are rows');
ask('CREATE TABLE many (id int)');
feed('many', [ framed(1, '[{"id": 1}, {"id": 2}]'), framed(1, qq({"id": 3}\n{"id": 4})) ], format => 'json_sr', options => '{"explode": true}');
is(ask('SELECT string_agg(id::text, \',\' ORDER BY id) FROM many'), '1,2,3,4', 'json_sr: they explode');
is(ask(qq{SELECT * FROM userstream.try_message('people', '\\x@{[unpack 'H*', framed(1, '{"id": 9, "y": 1}')]}')}), '{"id": 9, "name": null, "rest": {"y": 1}}', 'json_sr: try_message');
ask(qq{UPDATE userstream.dead_letter SET value = '\\x@{[unpack 'H*', framed(1, '{"id": 5}')]}' WHERE stream = 'people' AND kafka_offset = 2});
is(ask(q{SELECT userstream.retry_dead_letters('people', ARRAY(SELECT id FROM userstream.dead_letter WHERE stream = 'people' AND kafka_offset = 2))}), 1, 'json_sr: one that was mended');
is(ask('SELECT count(*) FROM people WHERE id = 5'), 1, 'json_sr: is a row');
is(scalar(grep { 1 } $api->requests), 0, 'json_sr: no registry is asked');

# ---------------------------------------------------------------------------
# a database of another encoding
# ---------------------------------------------------------------------------

sub latin { my ($sql) = @_; return $node->safe_psql('latin', "SET client_encoding = 'UTF8'; $sql"); }

my $accented = record(field("n" => 'int'), field(t => 'string'), field(e => { type => 'enum', name => 'mood', symbols => [ 'a', 'b' ] }), field(j => { type => 'map', values => 'string' }));
my $accented_id = register('accented', $accented);
my $latin_topic = $kafka->new_topic('avro_latin', 1);
$node->safe_psql('postgres', "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'");
latin('CREATE EXTENSION userstream; CREATE TABLE words (n int PRIMARY KEY, t text, e text, j jsonb, rest jsonb)');
create_server($node, 'latin', $kafka);
create_api_server($node, 'latin', 'registry', "$registry/");
$kafka->produce_script($latin_topic, [ map { [ '-', 'send', 0, 0, undef, $_ ] } encoded($accented_id, $accented,
	[ { n => 1, t => "caf\x{e9}", e => 'b', j => { "\x{fc}" => "\x{df}" } }, { n => 2, t => "12 \x{20ac}", e => 'a', j => {} }, { n => 3, t => 'plain', e => 'a', j => { k => "\x{20ac}" } } ]) ]);
latin(qq{SELECT userstream.create_stream('words', 'kafka', '$latin_topic', 'words', format => 'avro', columns => '{"j": null, "rest": "\@rest"}',
	options => '{"registry": "registry"}')});
ok(wait_until($node, 'latin', "SELECT coalesce(sum(messages_read), 0) FROM userstream.ledger WHERE stream = 'words'", 3), 'LATIN1: all are read');
is(latin('SELECT n, t, e, rest FROM words'), "1|caf\x{c3}\x{a9}|b|{\"j\": {\"\x{c3}\x{bc}\": \"\x{c3}\x{9f}\"}}", 'LATIN1: texts are converted');
is(latin(q{SELECT string_agg(kafka_offset || ' ' || sqlstate, ', ' ORDER BY kafka_offset) FROM userstream.dead_letter}), '1 22P05, 2 22P05', 'LATIN1: what it does not have is a dead letter');

# ---------------------------------------------------------------------------
# definitions
# ---------------------------------------------------------------------------

my $topic = $counts{'small topic'};
my $create = "SELECT userstream.create_stream('more', 'kafka', '$topic', 'small'";
like(error_of("$create, format => 'avro')"), qr/22023: format "avro" needs option "registry".*HINT:  Create a server/s, 'no registry');
like(error_of("$create, format => 'avro', options => '{\"registry\": \"nosuch\"}')"), qr/42704: server "nosuch" does not exist/, 'one that there is not');
like(error_of("$create, format => 'avro', options => '{\"registry\": \"kafka\"}')"), qr/42809: server "kafka" is not an HTTP server/, 'one of another kind');
like(error_of("$create, format => 'avro', options => '{\"registry\": \"registry\", \"explode\": true}')"), qr/22023: option "explode" has no meaning for format "avro"/, 'explode');
like(error_of("$create, options => '{\"registry\": \"registry\"}')"), qr/22023: option "registry" has no meaning for format "json"/, 'JSON needs none');
create_api_server($node, 'postgres', 'nowhere', 'http://127.0.0.1:1/');
like(error_of("$create, format => 'avro', options => '{\"registry\": \"nowhere\"}')"), qr/08006: schema registry "nowhere": /, 'one that is not there');
create_api_server($node, 'postgres', 'elsewhere', $api->url('/api/'));
like(error_of("$create, format => 'avro', options => '{\"registry\": \"elsewhere\"}')"), qr/08006: schema registry "elsewhere": it answers with HTTP status 404/, 'one that is none');
ask("CREATE ROLE app LOGIN; GRANT USAGE ON FOREIGN SERVER kafka TO app; GRANT ALL ON small TO app");
like(error_of("SET ROLE app; $create, format => 'avro', options => '{\"registry\": \"registry\"}')"), qr/42501: permission denied for foreign server registry/, 'one that the owner may not use');

# a server that gets another name is the same; one of its old name would be another
ask("ALTER SERVER registry RENAME TO renamed");
create_api_server($node, 'postgres', 'registry', 'http://127.0.0.1:1/');
my $wider = record(@{ $order->{fields} }, field(more => optional('int')));
feed('wanted', [ encoded(register('order', $wider), $wider, [ { %{ $orders[0] }, id => 3, more => undef } ]) ]);
is(ask('SELECT string_agg(id::text, \',\' ORDER BY id) FROM wanted'), '1,3', 'a stream asks its registry under another name');
ok(wait_until($node, 'postgres', q{SELECT options ->> 'registry' FROM userstream.stream WHERE name = 'wanted'}, 'renamed'), 'which its definition gets');
is(ask(q{SELECT userstream.alter_stream('wanted', options => '{"batch_rows": 5}');
	SELECT options ->> 'registry' || ' ' || (registry_oid = (SELECT oid FROM pg_foreign_server WHERE srvname = 'renamed')) FROM userstream.stream WHERE name = 'wanted'}) =~ s/^\n//r,
	'renamed true', 'and keeps when other options change');
ask('DROP SERVER renamed CASCADE');
ok(wait_until($node, 'postgres', "SELECT count(*) FROM userstream.stream_status WHERE stream = 'wanted' AND last_error LIKE 'server \"renamed\" does not exist any more; userstream.alter_stream(''wanted'', options =>%'", 1),
	'one that is gone stops the stream, with what to do');
create_api_server($node, 'postgres', 'another', "$registry/");
ask(q{SELECT userstream.alter_stream('wanted', options => '{"registry": "another"}')});
feed('wanted', [ $bytes[1] ]);
is(ask('SELECT count(*) FROM wanted'), 2, 'it goes on with another');

# away from home only the name counts
ask(q{UPDATE userstream.stream SET home = 'elsewhere', registry_oid = 1 WHERE name = 'wanted'; SELECT userstream.adopt('wanted')});
is(ask(q{SELECT registry_oid = (SELECT oid FROM pg_foreign_server WHERE srvname = 'another') FROM userstream.stream WHERE name = 'wanted'}), 't',
	'adopt finds the registry by its name');

$node->stop;
done_testing();
