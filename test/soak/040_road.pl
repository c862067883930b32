#
# test/soak/040_road.pl
#    the whole road, API -> feed -> topic -> stream -> table -> mirror, while anything on it
#    is killed in random order; in the end each stage has what the one before it has
#
# SOAK_SEED repeats a run's order of faults, SOAK_ROAD_ROUNDS says how many of them.
#
# The API has numbered records; a feed asks for those since its last success, a stream
# takes them by their key, and every other round changes rows by hand, too.
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use CassandraTest;
use FaultTest;
use FeedTest;
use MirrorTest;
use UserstreamTest;

use constant { PAGE => 100, PAGES => 5 };

sub amount { my ($name, $default) = @_; return $ENV{"SOAK_$name"} // $default; }

my $seed = amount(SEED => int(rand(2**31)));
my $rounds = amount(ROAD_ROUNDS => 100);

note("SOAK_SEED=$seed");
srand($seed);

my $cassandra = CassandraTest->new('road', durable => 1);
my $kafka = UserstreamTest::Kafka->new('road');
my $api = FeedTest->api('road');
my $node = userstream_node('road', conf => "userstream.restart_interval = '100ms'");
my $topic = $kafka->new_topic('numbers', 4);
my $mirror = MirrorTest->new($node, $cassandra, 'numbers', 'numbers', 'road');
my $newest = 0;

sub sql { my ($text) = @_; return $node->safe_psql('postgres', $text); }

# what the end of a session or of the server takes back did not happen
sub work { my ($text) = @_; eval { $node->psql('postgres', $text) }; return; }

create_server($node, 'postgres', $kafka);
create_gate($node, 'postgres');
create_api_server($node, 'postgres', 'api', $api->url('/numbers?size=' . PAGE));
sql(qq{
	CREATE TABLE numbers (id bigint PRIMARY KEY, name text, by_hand int);
	SELECT userstream.create_stream('numbers', 'kafka', '$topic', 'numbers', mode => 'upsert', key => '{id}', workers => 2);
	SELECT userstream.create_feed('numbers', 'api', 'kafka', '$topic', records => '\$.items[*]',
		key => 'id', retries => 2, options => '{"page": "page", "since": {"parameter": "after", "path": "\$.newest"}}')});
$mirror->create_server;
$mirror->create;

my %act = (
	(map { my $fault = $_; ($fault => sub { return FaultTest::strike($node, $fault) }) } FaultTest::all(),
		'kill mirror', 'terminate mirror', 'cancel mirror'),
	'broker killed' => sub { $kafka->kill; $kafka->start; return 1; },
	'Cassandra killed' => sub { $cassandra->kill; $cassandra->start; return 1; },
	# until the others have noticed
	'broker frozen' => sub {
		$kafka->pause;
		my $waits = FaultTest::strike($node, 'terminate stream')
		  && wait_until($node, 'postgres', q{SELECT state = 'waiting' FROM userstream.stream_status});
		$kafka->continue;
		return $waits;
	},
	'Cassandra frozen' => sub {
		$cassandra->pause;
		work('UPDATE numbers SET by_hand = 0 WHERE id = (SELECT max(id) FROM numbers)');
		my $in_flight = sql('SELECT count(*) FROM numbers') == 0
		  || wait_until($node, 'postgres', q{SELECT in_flight > 0 OR state = 'waiting' FROM userstream.mirror_status});
		$cassandra->continue;
		return $in_flight;
	},
	(map { my $word = $_; ("API: $word" => sub { $api->fault(('ok') x int(rand(PAGES)), $word); return 1; }) }
		'half', 'drip', 'reset', 'html', 500, 429));
my @kinds = sort keys %act;

foreach my $round (1 .. $rounds)
{
	my $fault = $kinds[ rand @kinds ];

	note("round $round: $fault");
	$newest += PAGE * PAGES;
	$api->give($newest);
	my $is_api = $fault =~ /^API/;
	$act{$fault}->() or fail("round $round: $fault (SOAK_SEED=$seed)") if $is_api;
	my $run = start_feed($node, 'postgres', 'numbers');
	if ($round % 2)
	{
		work("UPDATE numbers SET by_hand = $round WHERE id % 7 = " . int(rand(7)));
		work("UPDATE numbers SET id = -id WHERE id > 0 AND id % 97 = 1");
		work("DELETE FROM numbers WHERE id < 0 AND id % 5 = 0");
	}
	$act{$fault}->() or fail("round $round: $fault (SOAK_SEED=$seed)") unless $is_api;
	$run->();
}

$api->fault();
my $code = 1;
foreach (1 .. 20)
{
	($code) = run_feed($node, 'postgres', 'numbers');
	last if $code == 0;
}
is($code, 0, 'the last run of the feed goes well');
is(sql('SELECT since_value FROM userstream.feed'), $newest, 'it has asked for all of the API');

my $ends = $kafka->end_offsets($topic);
ok(wait_until($node, 'postgres', q{SELECT string_agg(partition || ':' || next_offset, ',' ORDER BY partition) FROM userstream.partition_status},
	join(',', map { "$_:$ends->{$_}" } sort { $a <=> $b } keys %$ends), 600), 'the stream has read all of the topic');
is(sql('SELECT bool_and(balanced), sum(messages_applied) = sum(messages_read) FROM userstream.ledger'), 't|t', 'and applied it');
my ($messages) = run_command([ 'sh', '-c', q{kcat -q -C -e -b "$1" -t "$2" -f '%k\n' | sort -un | awk 'END { print NR, $1 }'},
	'sh', $kafka->address, $topic ]);
is($messages, "$newest $newest", 'each of the records is in the topic');
is(sql("SELECT count(*) FROM generate_series(1, $newest) n WHERE n % 97 <> 1
	AND NOT EXISTS (SELECT FROM numbers WHERE id = n AND name = 'number ' || n)"), 0, 'and in the table');
$mirror->is_copied("$rounds faults (SOAK_SEED=$seed)", sql('SELECT count(*) FROM numbers'));
is(sql('SELECT count(*) FROM userstream.dead_letter'), 0, 'nothing is a dead letter');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal (?!9\b)\d+/, 'nothing crashed by itself');
done_testing();
