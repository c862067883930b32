#
# test/t/302_feed_cron.pl
#    feeds that pg_cron runs, by a connection and by a background worker
#
# Two nodes, so that both modes wait for the same minute.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use FeedTest;
use UserstreamTest;

my $kafka = shared_kafka();
my $api = FeedTest->api('main');
my %nodes;

sub cron_node
{
	my ($name, $conf) = @_;
	my $node = userstream_node($name, start => 0, conf => qq{
shared_preload_libraries = 'userstream,pg_cron'
cron.database_name = 'postgres'
$conf});
	my $topic = $kafka->new_topic("cron_$name", 1);

	# a connection of pg_cron's comes over the socket
	$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'");
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION userstream; CREATE EXTENSION pg_cron');
	create_server($node, 'postgres', $kafka);
	create_api_server($node, 'postgres', 'api', $api->url('/api/?results=10'));
	create_api_server($node, 'postgres', 'broken', $api->url('/status?code=404'));
	$node->safe_psql('postgres', qq{
		SELECT userstream.create_feed('good', 'api', 'kafka', '$topic', '\$.results[*]');
		SELECT userstream.create_feed('bad', 'broken', 'kafka', '$topic');
		SELECT userstream.create_feed('unscheduled', 'broken', 'kafka', '$topic');
		SELECT cron.schedule('good', '* * * * *', \$\$CALL userstream.run_feed('good')\$\$);
		SELECT cron.schedule('bad', '* * * * *', \$\$CALL userstream.run_feed('bad')\$\$)});
	return $node;
}

$nodes{connection} = cron_node('connection', 'cron.use_background_workers = off');
$nodes{worker} = cron_node('worker', 'cron.use_background_workers = on');

# what is known before a run
my $node = $nodes{worker};
is( $node->safe_psql('postgres',
		"SELECT feed, schedule, next_run_at IS NOT NULL FROM userstream.feed_status
		  WHERE feed IN ('good', 'unscheduled') ORDER BY feed"),
	"good|* * * * *|t\nunscheduled||f", 'the view knows pg_cron\'s jobs');
is($node->safe_psql('postgres', "SELECT state IS NULL FROM userstream.feed_status WHERE feed = 'unscheduled'"),
	't', 'and a feed that has none');
is( $node->safe_psql('postgres',
		"SELECT next_run_at > now() AND next_run_at <= now() + interval '2 min'
			AND next_run_at = date_trunc('minute', next_run_at)
		   FROM userstream.feed_status WHERE feed = 'good'"),
	't', 'and when they run next');

foreach my $mode (sort keys %nodes)
{
	$node = $nodes{$mode};
	ok( wait_until($node, 'postgres',
			"SELECT count(DISTINCT j.jobname) FROM cron.job_run_details d JOIN cron.job j USING (jobid)
			  WHERE d.status IN ('succeeded', 'failed')", 2, 150),
		"$mode: pg_cron ran both feeds");
	# none of the next minute comes between what follows
	$node->safe_psql('postgres', 'SELECT cron.alter_job(jobid, active => false) FROM cron.job');
	ok( wait_until($node, 'postgres',
			"SELECT (SELECT count(*) FROM cron.job_run_details WHERE status NOT IN ('succeeded', 'failed'))
				+ (SELECT count(*) FROM userstream.feed_run WHERE state = 'running')", 0),
		"$mode: none is under way");
	is( $node->safe_psql('postgres',
			"SELECT DISTINCT status FROM cron.job_run_details d JOIN cron.job j USING (jobid)
			  WHERE j.jobname = 'good' AND end_time IS NOT NULL"),
		'succeeded', "$mode: one went well");
	is( $node->safe_psql('postgres',
			"SELECT DISTINCT status, return_message LIKE '%run of feed \"bad\" failed: response of % has HTTP status 404%'
			   FROM cron.job_run_details d JOIN cron.job j USING (jobid)
			  WHERE j.jobname = 'bad' AND end_time IS NOT NULL"),
		'failed|t', "$mode: of the other, pg_cron's own history says what went wrong");
	is( $node->safe_psql('postgres',
			"SELECT DISTINCT feed, state, records_produced FROM userstream.feed_run ORDER BY 1"),
		"bad|failed|0\ngood|succeeded|10", "$mode: and so does feed_run");
	is( $node->safe_psql('postgres',
			"SELECT feed, state, last_success_at IS NOT NULL, last_success_age < interval '10 min',
				last_error IS NOT NULL, runs_24h > 0, failures_24h > 0
			   FROM userstream.feed_status WHERE feed <> 'unscheduled' ORDER BY 1"),
		"bad|failed|f||t|t|t\ngood|succeeded|t|t|f|t|f", "$mode: and feed_status");
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), 0,
		"$mode: no lock is left");
}

done_testing();
