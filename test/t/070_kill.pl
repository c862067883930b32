#
# test/t/070_kill.pl
#    workers killed -9 under load: the server recovers, and every message is
#    there once
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

use constant { MESSAGES => 200_000, KILLS => 5 };

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $topic = $kafka->new_topic('kill', 4);
my $sum = MESSAGES * (MESSAGES + 1) / 2;

create_server($node, 'postgres', $kafka);
$node->safe_psql('postgres', slurp_file("$ENV{USERSTREAM_SRC}/test/checker.sql"));
$node->safe_psql('postgres',
	'CREATE TABLE kill (seq bigint PRIMARY KEY, body text, part int, pos bigint, arrival bigserial)');
$kafka->produce($topic,
	[ map { { key => $_, value => qq({"seq": $_, "body": "message $_"}) } } 1 .. MESSAGES ]);

$node->safe_psql('postgres',
	"SELECT userstream.create_stream('kill', 'kafka', '$topic', 'kill', workers => 2,"
	  . ' columns => \'{"part": "@partition", "pos": "@offset"}\', options => \'{"batch_rows": 1000}\')');

# each kill comes after the stream got further, so that it hits work
my $read = 'SELECT sum(messages_read) FROM userstream.ledger';
foreach my $kill (1 .. KILLS)
{
	my $before = $kill == 1 ? 0 : $node->safe_psql('postgres', $read);
	my $pid;

	ok( wait_until($node, 'postgres', "SELECT ($read) > $before OR ($read) = @{[MESSAGES]}"),
		"kill $kill: the stream gets on");
	wait_until($node, 'postgres',
		"SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'userstream stream'");
	$pid = $node->safe_psql('postgres',
		"SELECT pid FROM pg_stat_activity WHERE backend_type = 'userstream stream' LIMIT 1");
	is(kill('KILL', $pid), 1, "kill $kill: worker killed");
	ok( wait_until($node, 'postgres',
			"SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", 0),
		"kill $kill: the server is back");
}

ok(wait_until($node, 'postgres', $read, MESSAGES, 120), 'all messages are read');
is($node->safe_psql('postgres', "SELECT * FROM check_stream('kill', 'kill', @{[MESSAGES]}, $sum)"),
	'', 'once each, in order, ledger balanced');

$node->stop('fast');
done_testing();
