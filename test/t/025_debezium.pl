#
# test/t/025_debezium.pl
#    format debezium: events with and without their schema, each type that
#    Debezium gives a PostgreSQL value, and the row's life by its events
#
# The events are written as Connect's JsonConverter writes those of Debezium's
# connector for PostgreSQL.
#
use strict;
use warnings;

use JSON::PP;
use Math::BigInt;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MappingTest;
use UserstreamTest;

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '300ms'");
my $mapping = MappingTest->new($node, $kafka, 'postgres');
my $json = JSON::PP->new->canonical->allow_nonref;

my $dbz = 'io.debezium';
my $connect = 'org.apache.kafka.connect.data';

# a field's schema: type, name, parameters
sub field
{
	my ($field, $type, $name, $parameters, %more) = @_;
	return { type => $type, optional => JSON::PP::true, field => $field, %more,
		defined $name ? (name => $name, version => 1) : (),
		defined $parameters ? (parameters => $parameters) : () };
}

# as JsonConverter orders it: schema, then payload
sub with_schema
{
	my ($fields, $payload) = @_;
	my @rows = map { { type => 'struct', fields => $fields, optional => JSON::PP::true, name => "s.public.t.Value", field => $_ } }
	  'before', 'after';

	return '{"schema":' . $json->encode({ type => 'struct', fields => [ @rows, field('op', 'string') ], name => 's.public.t.Envelope' })
	  . ",\"payload\":$payload}";
}

sub event
{
	my ($op, $after, $before) = @_;
	$_ //= 'null' foreach $after, $before;
	return qq({"before":$before,"after":$after,"source":{"version":"3.2.0.Final","connector":"postgresql","name":"s",)
	  . qq("ts_ms":1700000000000,"snapshot":"false","db":"d","schema":"public","table":"t","txId":7,"lsn":24023128,"xmin":null},)
	  . qq("transaction":null,"op":"$op","ts_ms":1700000000123});
}

sub row { my ($field, $value) = @_; return '{"id":1,"' . $field . '":' . $value . '}'; }

# type of the column, schema of the field, value in the event, what the row has (or SQLSTATE)
my @types = (
	[ 'date', [ 'int32', "$dbz.time.Date" ], 19782, '2024-02-29' ],
	[ 'date', [ 'int32', "$connect.Date" ], -719529, '0002-12-31 BC' ],
	[ 'date', [ 'int32', "$dbz.time.Date" ], 2932897, '10000-01-01' ],
	[ 'date', [ 'int32', "$dbz.time.Date" ], 2145042905, '5874897-12-31' ],
	[ 'date', [ 'int32', "$dbz.time.Date" ], 2145042906, '22008' ],
	[ 'date', [ 'int32', "$dbz.time.Date" ], -2440588, '4714-11-24 BC' ],
	[ 'date', [ 'int32', "$dbz.time.Date" ], -2440589, '22008' ],
	[ 'date', [ 'int32', "$dbz.time.Date" ], 2147483647, 'infinity' ],
	[ 'date', [ 'int32', "$dbz.time.Date" ], -2147483648, '-infinity' ],
	[ 'date', [ 'int32', "$dbz.time.Date" ], 1.5, '22P02' ],
	[ 'date', [ 'int32' ], 19782, '22007' ],
	[ 'time', [ 'int32', "$dbz.time.Time" ], 86399999, '23:59:59.999' ],
	[ 'time', [ 'int32', "$connect.Time" ], 0, '00:00:00' ],
	[ 'time', [ 'int64', "$dbz.time.MicroTime" ], 86400000000, '24:00:00' ],
	[ 'time', [ 'int64', "$dbz.time.MicroTime" ], 86400000001, '22008' ],
	[ 'time', [ 'int64', "$dbz.time.MicroTime" ], -1, '22008' ],
	[ 'time', [ 'int64', "$dbz.time.NanoTime" ], 1000001000, '00:00:01.000001' ],
	[ 'timestamp', [ 'int64', "$dbz.time.Timestamp" ], -1, '1969-12-31 23:59:59.999' ],
	[ 'timestamp', [ 'int64', "$connect.Timestamp" ], 1700000000123, '2023-11-14 22:13:20.123' ],
	[ 'timestamp', [ 'int64', "$dbz.time.MicroTimestamp" ], '1700000000123456', '2023-11-14 22:13:20.123456' ],
	[ 'timestamp(3)', [ 'int64', "$dbz.time.MicroTimestamp" ], '1700000000123000', '2023-11-14 22:13:20.123' ],
	[ 'timestamp', [ 'int64', "$dbz.time.MicroTimestamp" ], '-62135596800000001', '0001-12-31 23:59:59.999999 BC' ],
	[ 'timestamp', [ 'int64', "$dbz.time.MicroTimestamp" ], '253402300800000000', '10000-01-01 00:00:00' ],
	[ 'timestamp', [ 'int64', "$dbz.time.MicroTimestamp" ], '9223372036825200000', 'infinity' ],
	[ 'timestamp', [ 'int64', "$dbz.time.MicroTimestamp" ], '-9223372036832400000', '-infinity' ],
	[ 'timestamp', [ 'int64', "$dbz.time.MicroTimestamp" ], '9223372036854775807', 'infinity' ],
	[ 'timestamp', [ 'int64', "$dbz.time.MicroTimestamp" ], '-9223372036854775808', '-infinity' ],
	[ 'timestamp', [ 'int64', "$dbz.time.MicroTimestamp" ], '9223372036854775808', '22003' ],
	[ 'timestamp', [ 'int64', "$dbz.time.MicroTimestamp" ], '-9223372036854775807', '22008' ],
	[ 'timestamp', [ 'int64', "$dbz.time.Timestamp" ], '9223372036825200', 'infinity' ],
	[ 'timestamp', [ 'int64', "$dbz.time.Timestamp" ], '9224318015999999', '294276-12-31 23:59:59.999' ],
	[ 'timestamp', [ 'int64', "$dbz.time.Timestamp" ], '9224318016000000', '22008' ],
	[ 'timestamp', [ 'int64', "$dbz.time.NanoTimestamp" ], '-1000', '1969-12-31 23:59:59.999999' ],
	[ 'timestamptz', [ 'string', "$dbz.time.ZonedTimestamp" ], '"2024-02-29T12:00:00.123456Z"', '2024-02-29 12:00:00.123456+00' ],
	[ 'timestamptz', [ 'string', "$dbz.time.ZonedTimestamp" ], '"+294276-12-31T23:59:59Z"', '294276-12-31 23:59:59+00' ],
	[ 'timestamptz', [ 'string', "$dbz.time.ZonedTimestamp" ], '"-0043-03-15T00:00:00Z"', '0044-03-15 00:00:00+00 BC' ],
	[ 'timestamptz', [ 'string', "$dbz.time.ZonedTimestamp" ], '"0000-01-01T00:00:00Z"', '0001-01-01 00:00:00+00 BC' ],
	[ 'timestamptz', [ 'string', "$dbz.time.ZonedTimestamp" ], '"+292278994-08-16T23:00:00.000000Z"', 'infinity' ],
	[ 'timestamptz', [ 'string', "$dbz.time.ZonedTimestamp" ], '"-292275055-05-16T23:00:00.000000Z"', '-infinity' ],
	[ 'timestamptz', [ 'string', "$dbz.time.ZonedTimestamp" ], '"+300000-01-01T00:00:00Z"', '22008' ],
	[ 'timetz', [ 'string', "$dbz.time.ZonedTime" ], '"12:00:00Z"', '12:00:00+00' ],
	[ 'int', [ 'int32', "$dbz.time.Year" ], 2024, '2024' ],
	[ 'interval', [ 'int64', "$dbz.time.MicroDuration" ], '-90061000001', '-25:01:01.000001' ],
	[ 'interval', [ 'string', "$dbz.time.Interval" ], '"P1Y2M3DT4H5M6.78S"', '1 year 2 mons 3 days 04:05:06.78' ],
	[ 'numeric', [ 'bytes', "$connect.Decimal", { scale => '4' } ], '"BAg="', '0.1032' ],
	[ 'numeric', [ 'bytes', "$connect.Decimal", { scale => '4' } ], '"B1g="', '0.1880' ],
	[ 'numeric(10,2)', [ 'bytes', "$connect.Decimal", { scale => '2', 'connect.decimal.precision' => '10' } ], '"/w=="', '-0.01' ],
	[ 'numeric', [ 'bytes', "$connect.Decimal", { scale => '0' } ], '""', '0' ],
	[ 'numeric', [ 'bytes', "$connect.Decimal", { scale => '-3' } ], '"ew=="', '123000' ],
	[ 'numeric', [ 'bytes', "$connect.Decimal", { scale => '0' } ], '"gAAAAAAAAAAAAAAAAAAAAAAAAAA="', '-' . Math::BigInt->new(2)->bpow(159) ],
	[ 'numeric', [ 'bytes', "$connect.Decimal", { scale => '30' } ], '"f/////////////////////8="', Math::BigInt->new(2)->bpow(135)->bsub(1)->bstr =~ s/(\d{30})$/.$1/r ],
	[ 'numeric', [ 'bytes', "$connect.Decimal" ], '"BAg="', '22023' ],
	[ 'numeric', [ 'bytes', "$connect.Decimal", { scale => '2' } ], '"B g"', '22023' ],
	[ 'numeric', [ 'bytes', "$connect.Decimal", { scale => '99999' } ], '"BA=="', '22003' ],
	[ 'numeric', [ 'bytes', "$connect.Decimal", { scale => '2' } ], '12.30', '12.30' ],
	[ 'numeric', [ 'struct', "$dbz.data.VariableScaleDecimal" ], '{"scale":2,"value":"AJw="}', '1.56' ],
	[ 'numeric', [ 'struct', "$dbz.data.VariableScaleDecimal" ], '{"value":"/2Q=","scale":3}', '-0.156' ],
	[ 'numeric', [ 'struct', "$dbz.data.VariableScaleDecimal" ], '{"scale":0,"value":""}', '0' ],
	[ 'numeric', [ 'struct', "$dbz.data.VariableScaleDecimal" ], '{"value":"AJw="}', '22P02' ],
	[ 'numeric', [ 'string' ], '"12345678901234567890.123"', '12345678901234567890.123' ],
	[ 'numeric', [ 'double' ], '1.5e3', '1500' ],
	[ 'bytea', [ 'bytes' ], '"3q2+7w=="', '\xdeadbeef' ],
	[ 'bytea', [ 'bytes' ], '"AA="', '22023' ],
	[ 'bit(3)', [ 'bytes', "$dbz.data.Bits", { length => '3' } ], '"BQ=="', '101' ],
	[ 'varbit', [ 'bytes', "$dbz.data.Bits", { length => '10' } ], '"AQI="', '1000000001' ],
	[ 'bit(1)', [ 'boolean' ], 'true', '1' ],
	[ 'jsonb', [ 'string', "$dbz.data.Json" ], '"{\"a\": [1, \"\u00e9\"]}"', '{"a": [1, "é"]}' ],
	[ 'json', [ 'string', "$dbz.data.Json" ], '"[ 1 ]"', '[ 1 ]' ],
	[ 'jsonb', [ 'string', "$dbz.data.Json" ], '"{"', '22P02' ],
	[ 'uuid', [ 'string', "$dbz.data.Uuid" ], '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11' ],
	[ 'xml', [ 'string', "$dbz.data.Xml" ], '"<a/>"', '<a/>' ],
	[ 'mood', [ 'string', "$dbz.data.Enum", { allowed => 'good,bad' } ], '"bad"', 'bad' ],
	[ 'point', [ 'struct', "$dbz.data.geometry.Point" ], '{"x":1.5,"y":-2,"wkb":"AQ==","srid":null}', '(1.5,-2)' ],
	[ 'text', [ 'struct', "$dbz.data.geometry.Geometry" ], '{"wkb":"AQEA","srid":4326}', 'SRID=4326;010100' ],
	[ 'date[]', [ 'array', undef, undef, items => { type => 'int32', name => "$dbz.time.Date" } ], '[0, null, 19782]', '{1970-01-01,NULL,2024-02-29}' ],
	[ 'bytea[]', [ 'array', undef, undef, items => { type => 'bytes' } ], '["3q0="]', '{"\\\\xdead"}' ],
	[ 'numeric[]', [ 'array', undef, undef, items => { type => 'bytes', name => "$connect.Decimal", parameters => { scale => '2' } } ], '["AJw="]', '{1.56}' ],
	[ 'text[]', [ 'array', undef, undef, items => { type => 'string' } ], '["a", "b,c"]', '{a,"b,c"}' ],
	[ 'date[]', [ 'array', undef, undef, items => { type => 'int32' } ], '[200101]', '22007' ],
	[ 'smallint', [ 'int16' ], '32768', '22003' ], [ 'boolean', [ 'boolean' ], 'true', 't' ],
	[ 'real', [ 'float' ], '"NaN"', 'NaN' ], [ 'double precision', [ 'double' ], '0.1', '0.1' ],
	[ 'inet', [ 'string' ], '"10.0.0.1"', '10.0.0.1' ], [ 'text', [ 'string' ], '"a\u0000"', '22P05' ],
	[ 'text', [ 'int32', "$dbz.time.Date" ], 0, '1970-01-01' ],
);
my @fields = map { field("c$_", @{ $types[$_][1] }) } 0 .. $#types;
my @columns = map { "c$_ $types[$_][0]" } 0 .. $#types;
my @events = map { with_schema(\@fields, event('c', row("c$_", $types[$_][2]))) } 0 .. $#types;

$mapping->query("CREATE TYPE mood AS ENUM ('good', 'bad'); CREATE TABLE types (n bigint, id int, @{[ join ', ', @columns ]})");
$mapping->stream('types', '{"n": "@offset"}', \@events, format => 'debezium');
my $letters = $mapping->letters('types');
foreach my $i (0 .. $#types)
{
	my ($type, $schema, $value, $expected) = @{ $types[$i] };
	my $name = "$type of " . ($schema->[1] // $schema->[0]) . " $value";

	if ($expected =~ /^22[0-9P]\d\d$/)
	{
		is($letters->{$i}, $expected eq '22P05' ? '22P05 -' : "$expected c$i", $name);
		next;
	}
	is($mapping->query("SELECT c$i FROM types WHERE n = $i"), $expected, $name) or diag($letters->{$i} // '');
}

# without a schema: what the values show by themselves
$mapping->query('CREATE TABLE bare (id int, d date, n numeric, t text, j jsonb, ts timestamptz, ds date[], lsn bigint, old text,
	op text, seen text, rest jsonb)');
$mapping->stream('bare', '{"lsn": "@source.lsn", "old": "@before.t", "op": "@op", "seen": "@ts_ms", "rest": "@rest"}',
	[ event('r', '{"id":1,"d":"2024-02-29","n":"1.50","t":"x","j":"{\"a\":1}","ts":"2024-01-01T00:00:00Z"}'),
		event('c', '{"id":2,"n":{"scale":2,"value":"AJw="},"more":[1]}'),
		event('c', '{"id":3,"d":19782}'), event('c', '{"id":4,"n":"AJw="}'), event('c', '{"id":5,"ds":[200101]}'),
		event('u', '{"id":6,"t":"new"}', '{"id":6,"t":"old"}'), event('d', undef, '{"id":6}'), event('t'), event('x', '{}'),
		event('c'), '{"id": 1}', '{"op": "c", ', '[]', '{"schema": null, "payload": ' . event('c', '{"id":7}') . '}', { key => 'k', value => undef },
		'{"payload":' . event('c', '{"id":8}') . ',"schema":{}}' ],
	format => 'debezium');
is_deeply($mapping->letters('bare'),
	{ 2 => '22007 d', 3 => '22P02 n', 4 => '22007 ds', 7 => '0A000 -', 8 => '0A000 -', 9 => '22023 -', 10 => '22023 -',
		11 => '22P02 -', 12 => '22023 -' }, 'what is no row, each a dead letter');
is($mapping->query(q{SELECT string_agg(jsonb_strip_nulls(to_jsonb(b) - 'lsn' - 'seen')::text, E'\n' ORDER BY id) FROM bare b}),
	qq({"d": "2024-02-29", "j": {"a": 1}, "n": 1.50, "t": "x", "id": 1, "op": "r", "ts": "2024-01-01T00:00:00+00:00", "rest": {}}\n)
	. qq({"n": 1.56, "id": 2, "op": "c", "rest": {"more": [1]}}\n{"t": "new", "id": 6, "op": "u", "old": "old", "rest": {}}\n)
	. qq({"id": 7, "op": "c", "rest": {}}\n{"id": 8, "op": "c", "rest": {}}), 'rows, also beside a null or later schema');
is($mapping->query('SELECT DISTINCT lsn, seen FROM bare'), '24023128|1700000000123', 'what the event says of itself');
is($mapping->query("SELECT sum(skipped) FROM userstream.ledger WHERE stream = 'bare'"), 2, 'append: removals are skipped');

# what only a schema can say of base64, and what the values show
$mapping->query('CREATE TABLE undescribed (id int, b bytea, bs bytea[], bits varbit, p point, g text, js jsonb[], n numeric)');
$mapping->stream('undescribed', undef, [ event('c', '{"id":1,"b":"AP8Q","p":{"x":1.5,"y":-2.0,"wkb":"AQ==","srid":null},"g":{"wkb":"AQEA","srid":4326},"js":["[1]","\\"x\\"",null],"bits":"101"}'),
		event('c', '{"id":2,"bs":["AP8="]}'), event('c', '{"id":3,"bits":"XABC"}'), event('c', '{"id":4,"b":"AP8"}'), event('c', '{"id":5,"js":["{"]}'),
		event('c', '{"id":6,"bs":["\\\\x01",null],"b":"\\\\x02"}'), event('c', '{"id":7,"n":"1234"}') ], format => 'debezium');
is_deeply($mapping->letters('undescribed'), { 1 => '22P02 bs', 2 => '22P02 bits', 3 => '22023 b', 4 => '22P02 js' }, 'base64 that nothing describes is refused, not taken for text');
is($mapping->query('SELECT string_agg(jsonb_strip_nulls(to_jsonb(u))::text, E\'\\n\' ORDER BY id) FROM undescribed u'),
	qq({"b": "\\\\x00ff10", "g": "SRID=4326;010100", "p": "(1.5,-2)", "id": 1, "js": [[1], "x", null], "bits": "101"}\n)
	. qq({"b": "\\\\x02", "bs": ["\\\\x01", null], "id": 6}\n{"n": 1234, "id": 7}), 'but into bytea; structs and arrays of JSON show themselves');
is($mapping->query(q{SELECT jsonb_strip_nulls(userstream.try_message('undescribed', convert_to('} . event('c', '{"id":9,"n":"1.50"}') . q{', 'UTF8')))}), '{"n": 1.50, "id": 9}', 'try_message');
$mapping->query(q{UPDATE userstream.dead_letter SET value = convert_to('} . event('c', '{"id":4,"b":"AP8="}') . q{', 'UTF8') WHERE stream = 'undescribed' AND kafka_offset = 3});
is($mapping->query(q{SELECT userstream.retry_dead_letters('undescribed', ARRAY(SELECT id FROM userstream.dead_letter WHERE stream = 'undescribed' AND kafka_offset = 3))}), 1, 'one that was mended');
is($mapping->query('SELECT b FROM undescribed WHERE id = 4'), '\\x00ff', 'is a row');

# a row's life, key with its schema, without, and none
my @life = (field('id', 'int32', "$dbz.time.Date"), field('big', 'string'), field('n', 'int32'));
sub key { my ($id) = @_; return '{"schema":' . $json->encode({ type => 'struct', fields => [ $life[0] ] }) . qq(,"payload":{"id":$id}}); }
sub life { my ($op, @rows) = @_; return with_schema(\@life, event($op, @rows)); }

$mapping->query('CREATE TABLE life (id date PRIMARY KEY, big text, n int)');
$mapping->stream('life', undef, [
		{ key => key(1), value => life('c', '{"id":1,"big":"B","n":1}') },
		{ key => key(2), value => life('r', '{"id":2,"big":"C","n":1}') },
		{ key => key(1), value => life('u', '{"id":1,"big":"__debezium_unavailable_value","n":2}') },
		{ key => key(3), value => life('c', '{"id":3,"big":"D","n":1}') },
		{ key => key(2), value => life('d', undef, '{"id":2,"big":null,"n":null}') }, { key => key(2), value => undef },
		{ value => life('d', undef, '{"id":3,"big":null,"n":null}') },
		{ key => key(4), value => life('c', '{"id":4,"big":"E","n":1}') },
		{ key => key(4), value => life('t') } ], format => 'debezium', mode => 'upsert');
is($mapping->query(q{SELECT string_agg(concat_ws('/', id, big, n), ' ' ORDER BY id) FROM life}), '1970-01-02/B/2 1970-01-05/E/1',
	'upsert: rows come, change and go; an unchanged TOAST value stays');
is_deeply($mapping->letters('life'), { 8 => '0A000 -' }, 'a truncation is a dead letter');
is($mapping->query(q{SELECT userstream.try_message('life', convert_to($$} . life('d', undef, '{"id":1}') . q{$$, 'UTF8'))}),
	'{"id": "1970-01-02"}', 'try_message shows the key of the row that would go');

# options
$mapping->query('CREATE TABLE kept (id int PRIMARY KEY, v text); CREATE FUNCTION wanted(m jsonb) RETURNS boolean
	LANGUAGE sql RETURN m->>$$op$$ <> $$r$$');
$mapping->stream('kept', undef, [ { key => '{"id":1}', value => event('c', '{"id":1,"v":"a"}') },
		{ key => '{"id":2}', value => event('r', '{"id":2,"v":"b"}') }, { key => '{"id":1}', value => event('d', undef, '{"id":1}') },
		{ value => event('c', '{"id":3,"w":1}') } ], format => 'debezium', mode => 'upsert',
	options => '{"tombstone": "dead_letter", "filter": "wanted(jsonb)", "unknown_fields": "dead_letter"}');
is($mapping->query('SELECT id || v FROM kept'), '1a', 'a filter sees the whole event');
is_deeply($mapping->letters('kept'), { 2 => '22004 -', 3 => '22023 -' }, 'tombstone and unknown_fields have their say');
like(($node->psql('postgres', q(SELECT userstream.create_stream('x', 'kafka', 't', 'kept', format => 'debezium',
	transform => 'to_kept(jsonb)'))))[2], qr/does not exist/, 'a transform is looked for');

done_testing();
