#
# test/t/300_feed_run.pl
#    runs of a feed that go well: records, transform, key, pages, history, and
#    through a stream into a table
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
my $node = userstream_node('main');

create_server($node, 'postgres', $kafka);
create_api_server($node, 'postgres', 'api', $api->url('/api/?results=100&seed=1'));

# ---------------------------------------------------------------------------
# the whole road: API -> Kafka -> stream -> table
# ---------------------------------------------------------------------------
my $topic = $kafka->new_topic('users', 2);
$node->safe_psql('postgres', slurp_file("$ENV{USERSTREAM_SRC}/test/servers/demo_users.sql"));
$node->safe_psql(
	'postgres', qq{
	SELECT userstream.create_stream('users', 'kafka', '$topic', 'spark_streams.created_users');
	SELECT userstream.create_feed('users', 'api', 'kafka', '$topic', records => '\$.results[*]',
		transform => 'format_user(jsonb)', key => 'id');
});
my ($code, $err) = run_feed($node, 'postgres', 'users');
is($code, 0, 'a run goes well') or diag($err);
is( last_run($node, 'postgres', 'users',
		'attempt, state, http_status, pages, records, records_produced, records_failed, records_skipped, error,
		 bytes > 50000, finished_at >= started_at, run_id IS NOT NULL'),
	'1|succeeded|200|1|100|100|0|0||t|t|t', 'its history has all of it');
is( $node->safe_psql('postgres',
		"SELECT sum((l.value)::bigint - (f.value)::bigint + 1)
		   FROM userstream.feed_run, jsonb_each_text(first_offsets) f
		   JOIN jsonb_each_text(last_offsets) l USING (key)"),
	100, 'its offsets are those of its messages');
ok( wait_until($node, 'postgres', 'SELECT count(*) FROM spark_streams.created_users', 100),
	'the rows are there');
is( $node->safe_psql('postgres', 'SELECT count(DISTINCT id) FROM spark_streams.created_users'),
	100, 'each of them once');

# what the transform makes of the API's users is what the generator calls their messages
my %expected = map { /"id": "([^"]+)"/; ($1 => $_) } split /\n/, `users -n 100 -v`;
my ($id) = sort keys %expected;
$expected{$id} =~ s/'/''/g;
is( $node->safe_psql('postgres',
		"SELECT to_jsonb(u) = '$expected{$id}'::jsonb FROM spark_streams.created_users u WHERE id = '$id'"),
	't', 'a row holds what the API said of the user');

done_testing();
