#
# test/t/163_messages.pl
#    messages that Kafka allows and few send: null and empty keys and values,
#    headers of all kinds, odd timestamps, 20 MB, and more than the client takes
#
use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
my $node = userstream_node('main');
my $sql = sub { return $node->safe_psql('postgres', $_[0]); };

DeliveryTest->new($node, $kafka, 'none')->prepare_database('postgres');

# name of a stream and its table, from messages of which only coordinates are shown
sub create_raw
{
	my ($name, $topic, $columns, $sources) = @_;

	$sql->("CREATE TABLE $name ($columns)");
	$sql->("SELECT userstream.create_stream('$name', 'kafka', '$topic', '$name', columns => '$sources')");
	return;
}

sub all_read
{
	my ($name, $count) = @_;
	return wait_until($node, 'postgres',
		"SELECT sum(messages_read) FROM userstream.ledger WHERE stream = '$name' AND balanced", $count);
}

# --- null and empty are not the same, and JSON null is a third
my $topic = $kafka->new_topic('nulls', 1);
$kafka->produce_script(
	$topic,
	[
		[ '-', 'send', 0, 0, undef, '{"v": 1}' ],
		[ '-', 'send', 0, 0, '', '{"v": null}' ],
		[ '-', 'send', 0, 0, "k\0\xff", '{}' ],
		[ '-', 'send', 0, 0, 'k', undef ],
		[ '-', 'send', 0, 0, undef, undef ],
		[ '-', 'send', 0, 0, 'k', '' ],
		[ '-', 'send', 0, 0, 'k', 'null' ],
		[ '-', 'send', 0, 0, 'k', "\x00" ],
		[ '-', 'send', 0, 0, 'k', '{"v": "last"}' ],
	]);
create_raw('nulls', $topic, "o int, k bytea, v text DEFAULT 'default'", '{"o": "@offset", "k": "@key"}');
ok(all_read('nulls', 9), 'nulls: all is read');
is($sql->("SELECT o, coalesce(k::text, 'NULL'), coalesce(v, 'NULL') FROM nulls ORDER BY o"),
	"0|NULL|1\n1|\\x|NULL\n2|\\x6b00ff|default\n8|\\x6b|last",
	'a null key is NULL, an empty one empty; JSON null is NULL, an absent field the default');
is($sql->("SELECT kafka_offset, sqlstate, value, key FROM userstream.dead_letter WHERE stream = 'nulls' ORDER BY 1"),
	"5|22P02|\\x|\\x6b\n6|22023|\\x6e756c6c|\\x6b\n7|22021|\\x00|\\x6b",
	'an empty value is no JSON, JSON null no object, a zero byte no text');
is($sql->("SELECT skipped, messages_applied, dead_letters FROM userstream.ledger WHERE stream = 'nulls'"), '2|4|3',
	'tombstones, with and without a key, are skipped');

# --- headers
$topic = $kafka->new_topic('headers', 1);
$kafka->produce_script(
	$topic,
	[
		[ '-', 'send', 0, 0, undef, '{}' ],
		[ '-', 'send', 0, 0, undef, '{}', 'a=1', 'b', 'a=2', 'c=', 'a' ],
		# bytes that the script reads as they are: fields of the header are escaped by it
		"- send 0 0 \\N {} bin=\\x00\\xff utf=\\xc3\\xa9 quote=\\x22\\x5c",
		[ '-', 'send', 0, 0, undef, '{}', map { "h$_=" . ('v' x $_) } 1 .. 500 ],
	]);
create_raw('headers', $topic, 'o int, h jsonb', '{"o": "@offset", "h": "@headers"}');
ok(all_read('headers', 4), 'headers: all is read');
is($sql->("SELECT h FROM headers WHERE o = 1"),
	'[{"key": "a", "value": "1"}, {"key": "b", "value": null}, {"key": "a", "value": "2"}, {"key": "c", "value": ""}, {"key": "a", "value": null}]',
	'order, duplicates, null and empty values are kept');
is($sql->("SELECT h FROM headers WHERE o = 2"),
	'[{"key": "bin", "base64": "AP8="}, {"key": "utf", "value": "é"}, {"key": "quote", "value": "\"\\\\"}]',
	'bytes that are no text are base64');
is($sql->("SELECT jsonb_array_length(h), h -> 499 ->> 'key', length(h -> 499 ->> 'value') FROM headers WHERE o = 3"),
	'500|h500|500', '500 headers');

# --- timestamps; the end of PostgreSQL's time is year 294276, that of Kafka's far later
$topic = $kafka->new_topic('times', 1, 'message.timestamp.after.max.ms' => '9223372036854775807');
$kafka->produce_script(
	$topic,
	[ map { [ '-', 'send', 0, $_, undef, '{}' ] } 1, -1, 253402300799999, 9224318015999999, 9224318016000000, 9223372036854775807 ]);
create_raw('times', $topic, 'o int, t timestamptz', '{"o": "@offset", "t": "@timestamp"}');
ok(all_read('times', 6), 'times: all is read');
is($sql->("SET timezone = 'UTC'; SELECT string_agg(coalesce(t::text, 'NULL'), ', ' ORDER BY o) FROM times"),
	'1970-01-01 00:00:00.001+00, NULL, 9999-12-31 23:59:59.999+00, 294276-12-31 23:59:59.999+00, NULL, NULL',
	'what has no place in PostgreSQL is NULL');
is($sql->("SELECT lag_seconds FROM userstream.stream_status WHERE stream = 'times'"), 0, 'lag is not negative');

$topic = $kafka->new_topic('append_time', 1, 'message.timestamp.type' => 'LogAppendTime');
$kafka->produce_script($topic, [ [ '-', 'send', 0, 1, undef, '{}' ] ]);
create_raw('append_time', $topic, 't timestamptz', '{"t": "@timestamp"}');
ok(wait_until($node, 'postgres', "SELECT t BETWEEN now() - interval '1 hour' AND now() + interval '1 hour' FROM append_time"),
	"the broker's time, where the topic has it");

# --- 20 MB in a message, among small ones
my $size = 20 * 1024 * 1024;
my %large = ('message.max.bytes' => 40_000_000, 'compression.type' => 'none');

sub large_line
{
	my ($delivery, $partition) = @_;
	my $seq = ++$delivery->{last};
	my $body = 'x' x $size;

	$delivery->{rows}++;
	$delivery->{sum} += $seq;
	return [ '-', 'send', $partition, 0, $seq,
		sprintf('{"seq": %d, "body": "%s", "checksum": "%s"}', $seq, $body, md5_hex($seq . $body)) ];
}

my $large = DeliveryTest->new($node, $kafka, $kafka->new_topic('large', 2, 'max.message.bytes' => 40_000_000));
$large->create_target('postgres', 'large');
$kafka->produce_script($large->{topic},
	[ (map { $large->line('-', $_ % 2) } 1 .. 10), large_line($large, 0), (map { $large->line('-', $_ % 2) } 1 .. 10) ], %large);
$large->create_stream('postgres', 'large');
$large->is_delivered('postgres', 'large', '20 MB in a message');

# --- more than the server's options allow to receive: that partition waits, others go on
$sql->(q{CREATE SERVER narrow FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" '} . $kafka->address
	  . q{', "message.max.bytes" '1000000', "fetch.max.bytes" '1000000', "receive.message.max.bytes" '2000000')});
my $narrow = DeliveryTest->new($node, $kafka, $kafka->new_topic('narrow', 2, 'max.message.bytes' => 40_000_000));
$narrow->create_target('postgres', 'narrow');
$kafka->produce_script($narrow->{topic}, [ map { $narrow->line('-', $_ % 2) } 1 .. 10 ]);
$narrow->create_stream('postgres', 'narrow', server => 'narrow');
$narrow->is_delivered('postgres', 'narrow', 'before a message that is too large');
$kafka->produce_script($narrow->{topic}, [ large_line($narrow, 0), map { $narrow->line('-', $_ % 2) } 1 .. 10 ], %large);
ok( wait_until($node, 'postgres',
		"SELECT state, last_error ~ 'receive.message.max.bytes' AND last_error ~ '209[0-9]{5}' FROM userstream.stream_status WHERE stream = 'narrow'",
		'waiting|t'),
	'a message that is too large: waits, and says how large and which option it is');
my $other = q{SELECT next_offset FROM userstream.partition_status WHERE stream = 'narrow' AND partition = 1};
ok(wait_until($node, 'postgres', $other, 10), 'the other partition goes on');
$sql->(q{ALTER SERVER narrow OPTIONS (SET "receive.message.max.bytes" '100000000')});
$narrow->is_delivered('postgres', 'narrow', 'option raised');
ok(wait_until($node, 'postgres', "SELECT state FROM userstream.stream_status WHERE stream = 'narrow'", 'caught_up'),
	'it goes on by itself');

$node->stop('fast');
done_testing();
