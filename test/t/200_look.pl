#
# test/t/200_look.pl
#    looking at topics and messages without consuming them
#
use strict;
use warnings;

use IO::Socket::INET;
use IPC::Run qw(start finish timeout);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

my $kafka = shared_kafka();
my $topic = $kafka->new_topic('look', 3);
my $empty = $kafka->new_topic('look_empty', 2);
my $node = userstream_node('main');
create_server($node, 'postgres', $kafka);

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub error_of
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $err;
}

# 20 messages in partition 0, 10 in 1, none in 2
$kafka->produce($topic, [ map { { key => "k$_", value => "{\"n\": $_}" } } 0 .. 19 ], partition => 0);
my $between = ask('SELECT clock_timestamp()');
$kafka->produce($topic, [ map { { key => "k$_", value => "{\"n\": $_}" } } 20 .. 28 ], partition => 1);
$kafka->produce($topic, [ { key => 'gone', value => undef } ],
	partition => 1, headers => [ 'a=1', 'a=2' ]);

my $numbers = q{SELECT string_agg((convert_from(value, 'UTF8')::jsonb ->> 'n'), ' ' ORDER BY partition, kafka_offset)};

is(ask("$numbers, count(*) FROM userstream.peek('kafka', '$topic')"),
	join(' ', 0 .. 28) . '|30', 'by default the newest hundred of all partitions');
is(ask("$numbers, count(*) FROM userstream.peek('kafka', '$topic', max_messages => 3)"),
	'27 28|3', 'the newest three, of whatever partition');
is(ask("$numbers FROM userstream.peek('kafka', '$topic', 0, max_messages => 2)"),
	'18 19', 'the newest two of one partition');
is(ask("$numbers FROM userstream.peek('kafka', '$topic', 0, from_offset => 5, max_messages => 4)"),
	'5 6 7 8', 'from an offset');
is(ask("$numbers FROM userstream.peek('kafka', '$topic', from_offset => 8)"),
	'8 9 10 11 12 13 14 15 16 17 18 19 28', 'from an offset of every partition');
is(ask("$numbers FROM userstream.peek('kafka', '$topic', from_time => '$between')"),
	join(' ', 20 .. 28), 'from a time');
is(ask("SELECT count(*) FROM userstream.peek('kafka', '$topic', from_time => 'infinity')"), 0, 'from the end of time');
is(ask("SELECT count(*) FROM userstream.peek('kafka', '$topic', from_time => '1960-01-01')"), 30, 'from before all');
is(ask("SELECT count(*) FROM userstream.peek('kafka', '$topic', 0, from_offset => 99)"), 0, 'from past the end');
is(ask("SELECT count(*) FROM userstream.peek('kafka', '$empty')"), 0, 'an empty topic');
is(ask("SELECT count(*) FROM userstream.peek('kafka', '$topic', 2)"), 0, 'an empty partition');
is(ask("$numbers FROM userstream.peek('kafka', '$topic', 0, from_offset => 0, max_bytes => 39)"),
	'0 1 2', 'no more bytes than wanted');
is(ask("$numbers FROM userstream.peek('kafka', '$topic', 0, max_bytes => 1)"), '19', 'but one message at least');
is( ask("SELECT topic = '$topic', partition, kafka_offset, convert_from(key, 'UTF8'), value IS NULL, headers,
		message_at BETWEEN '$between' AND clock_timestamp()
		FROM userstream.peek('kafka', '$topic', 1, max_messages => 1)"),
	't|1|9|gone|t|[{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]|t', 'every part of a message');

# all topics
is(ask("SELECT topic = '$topic', partition, low_offset, high_offset, leader FROM userstream.topics('kafka')
	WHERE topic IN ('$topic', '$empty') ORDER BY topic = '$empty', partition"),
	join("\n", 't|0|0|20|1', 't|1|0|10|1', 't|2|0|0|1', 'f|0|0|0|1', 'f|1|0|0|1'), 'topics lists partitions and offsets');
like(error_of("SELECT * FROM userstream.topics('nosuch')"), qr/42704: server "nosuch" does not exist/, 'of a server');
like(error_of('SELECT * FROM userstream.topics(NULL)'), qr/22004: argument "server" must not be null/, 'that is named');
my $port = PostgreSQL::Test::Cluster::get_free_port();
ask(qq{CREATE SERVER nobody FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" '127.0.0.1:$port')});
like(error_of("SET statement_timeout = '2s'; SELECT * FROM userstream.topics('nobody')"),
	qr/57014: canceling statement due to statement timeout/, 'a broker that is away is not waited for longer than told');

# a topic's beginning that is gone, and what is written while we look
$kafka->trim_topic($topic, 0, 10);
is(ask("$numbers FROM userstream.peek('kafka', '$topic', 0, from_offset => 0, max_messages => 2)"),
	'10 11', 'from the first that is left');

like(error_of("SELECT * FROM userstream.peek('kafka', '$topic', 3)"),
	qr/22023: topic "\Q$topic\E" has no partition 3\n.*HINT:  Its partitions are 0 to 2/s, 'no such partition');
like(error_of("SELECT * FROM userstream.peek('kafka', 'nosuch')"), qr/42704: topic "nosuch" does not exist/, 'no such topic');
like(error_of("SELECT * FROM userstream.peek('nosuch', '$topic')"), qr/42704: server "nosuch" does not exist/, 'no such server');
like(error_of("SELECT * FROM userstream.peek('kafka', '$topic', from_offset => 1, from_time => now())"),
	qr/22023: from_offset and from_time exclude each other\n.*HINT/s, 'an offset and a time');
like(error_of("SELECT * FROM userstream.peek('kafka', '$topic', max_messages => 0)"), qr/22023: invalid max_messages: 0/, 'no messages');
like(error_of("SELECT * FROM userstream.peek('kafka', '$topic', max_bytes => 0)"), qr/22023: invalid max_bytes: 0/, 'no bytes');
like(error_of("SELECT * FROM userstream.peek('kafka', NULL)"), qr/22004: argument "topic" must not be null/, 'no topic');
like(error_of("CREATE ROLE stranger; SET ROLE stranger; SELECT * FROM userstream.peek('kafka', '$topic')"),
	qr/42501: permission denied for (foreign )?server kafka/, 'without USAGE on the server');

# a broker that takes connections and does not answer can be cancelled
$port = PostgreSQL::Test::Cluster::get_free_port();
my $silent = IO::Socket::INET->new(LocalAddr => '127.0.0.1', LocalPort => $port, Listen => 10, ReuseAddr => 1)
  or die "socket: $!";
create_server($node, 'postgres', UserstreamTest::Kafka->at("127.0.0.1:$port"), 'silent');
my %run = (out => '', err => '');
my $psql = start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c',
		"SELECT count(*) FROM userstream.peek('silent', 'topic')" ],
	'<', \'', '>', \$run{out}, '2>', \$run{err}, timeout($PostgreSQL::Test::Utils::timeout_default));
my $looking = "FROM pg_stat_activity WHERE query LIKE 'SELECT count(*) FROM userstream.peek%' AND state = 'active' AND pid <> pg_backend_pid()";
ok(wait_until($node, 'postgres', "SELECT count(*) $looking", 1), 'it waits for the broker');
ask("SELECT pg_cancel_backend(pid) $looking");
finish($psql);
like($run{err}, qr/canceling statement due to user request/, 'and can be cancelled');

$node->stop;
done_testing();
