#
# test/t/165_network.pl
#    a bad network between a worker and its broker, by a proxy that the broker
#    advertises: slow, cut, silent, dead without a word, and with a bit turned;
#    addresses that are wrong.  Whatever comes, each message arrives once.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;
use ScriptedServer;

my $proxy = ScriptedServer->new("$ENV{USERSTREAM_SRC}/test/servers/proxy", PostgreSQL::Test::Cluster::get_free_port());
my $by = '127.0.0.1:' . $proxy->first;
my $kafka = UserstreamTest::Kafka->new('network', start => 0);
my $behind = PostgreSQL::Test::Cluster::get_free_port();
my $controller = $kafka->{port} + 1;
$kafka->configure(qq{
listeners=PLAINTEXT://127.0.0.1:$kafka->{port},PROXIED://127.0.0.1:$behind,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$kafka->{port},PROXIED://$by
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PROXIED:PLAINTEXT
});
$kafka->start;
$proxy->ask("target 127.0.0.1:$behind");

my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('network', 2));

sub sql { return $node->safe_psql('postgres', $_[0]); }

# all read, and nothing fails any more
sub is_well
{
	my ($what) = @_;
	return ok( wait_until($node, 'postgres',
			q{SELECT state, failing_since IS NULL FROM userstream.stream_status WHERE stream = 'network'}, 'caught_up|t'),
		$what);
}

sub is_in_state
{
	my ($state, $pattern, $what) = @_;
	return ok( wait_until($node, 'postgres',
			"SELECT state, coalesce(last_error, '') ~ '$pattern' FROM userstream.stream_status WHERE stream = 'network'", "$state|t"),
		$what);
}

$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'network');
# so that what is dead is noticed within seconds
sql(qq{CREATE SERVER proxied FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" '$by',
	"socket.timeout.ms" '2000', "fetch.wait.max.ms" '500', "reconnect.backoff.max.ms" '500')});
$delivery->create_stream('postgres', 'network', server => 'proxied', options => q('{"batch_rows": 500}'));
$delivery->produce(1000);
$delivery->is_delivered('postgres', 'network', 'through the proxy');
cmp_ok($proxy->ask('count open'), '>', 0, 'it is on the way');

# --- slow
$proxy->ask('delay 200');
$delivery->produce(1000);
$delivery->is_delivered('postgres', 'network', 'answers that are 200 ms late');
$proxy->ask('clear');
$proxy->ask('rate 100000');
$delivery->produce(1000);
$delivery->is_delivered('postgres', 'network', '100 kB a second');
$proxy->ask('rate 500000');
$delivery->produce_with('"filler": "' . 'x' x 1000 . '"', 4000);
ok( wait_until($node, 'postgres',
		q{SELECT hint LIKE '%waiting for messages that are in Kafka%fetch.max.bytes%' FROM userstream.stream_status}, 't'),
	'... as long as much is to be read, a hint names the limit');
$delivery->is_delivered('postgres', 'network', '500 kB a second');
$proxy->ask('rate 1');
$delivery->produce(1000);
is_in_state('waiting', '.', 'a byte a second: waits and says why');
$proxy->ask('clear');
$delivery->is_delivered('postgres', 'network', 'after it');

# --- cut in the middle of an answer, again and again
foreach my $cut (1 .. 3)
{
	$proxy->ask('cut 20000');
	$delivery->produce(1000);
	ok($proxy->wait_for('count cuts', qr/^$cut$/), "an answer is cut, $cut");
}
$delivery->is_delivered('postgres', 'network', 'answers that were cut in the middle');

# --- dead without a word
$proxy->ask('hold');
$delivery->produce(500);
is_in_state('waiting', '.', 'a line that is dead without a word: waits and says why');
$proxy->ask('clear');
$delivery->is_delivered('postgres', 'network', 'the line came back');
$proxy->ask('hold');
$delivery->produce(500);
is_in_state('waiting', '.', 'dead once more');
$proxy->ask('drop');
$proxy->ask('refuse on');
$proxy->ask('clear');
is_in_state('waiting', '.', 'nobody takes connections');
$proxy->ask('refuse off');
$delivery->is_delivered('postgres', 'network', 'connections taken again');
is_well('nothing fails any more');

# --- a bit turned: the library tells it, and would go on behind what it could not read
sub produce_pieces { $delivery->produce(40, partition => $_ % 2) foreach 1 .. 12; return }

# of the first batches of partition 1: more of that partition are behind it in the same answer
sub turned { return sprintf '"seq":\x20%d,', $delivery->{last} + 20 }

sql(q{SELECT userstream.pause_stream('network')});
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'userstream stream'}, 0), 'no worker');
$proxy->ask('flip ' . turned() . ' 1');
produce_pieces();
sql(q{SELECT userstream.resume_stream('network')});
$delivery->is_delivered('postgres', 'network', 'a bit that was turned once');
is($proxy->ask('count flips'), 1, 'it was');
like(slurp_file($node->logfile), qr/stream "network" is waiting: MessageSet at offset \d+ .* failed CRC32C check/, 'the log says so');

sql(q{SELECT userstream.pause_stream('network')});
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'userstream stream'}, 0), 'no worker');
$proxy->ask('flip ' . turned() . ' 1000');
produce_pieces();
sql(q{SELECT userstream.resume_stream('network')});
is_in_state('waiting', 'at offset .* failed CRC32C check', 'a bit that is always turned: waits and says where');
ok($proxy->wait_for('count flips', qr/^(?:[4-9]|\d\d+)$/), 'tried again');
is( sql(q{SELECT count(*) FROM network t WHERE kafka_partition = 1 AND NOT EXISTS (
		SELECT FROM network b WHERE b.kafka_partition = 1 AND b.kafka_offset = t.kafka_offset - 1) AND kafka_offset > 0}),
	0, 'nothing was taken of what lies behind');
$proxy->ask('clear');
$delivery->is_delivered('postgres', 'network', 'once it was right');
is_well('nothing fails any more');

# --- wrong addresses under a running stream
foreach my $wrong ("127.0.0.1:$controller", '127.0.0.1:1', 'nowhere.invalid:9092')
{
	sql(qq{ALTER SERVER proxied OPTIONS (SET "bootstrap.servers" '$wrong')});
	$delivery->produce(100);
	is_in_state('waiting', '.', "$wrong: waits and says why");
	sql(qq{ALTER SERVER proxied OPTIONS (SET "bootstrap.servers" '$by')});
	$delivery->is_delivered('postgres', 'network', 'right');
}

is(sql('SELECT count(*) FROM userstream.incident'), 0, 'none of this needed a person');
is(sql('SELECT count(*) FROM userstream.dead_letter'), 0, 'nor blamed a message');
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|was terminated by signal/, 'no process died of it');
done_testing();
