#
# test/t/600_documents.pl
#    does the SQL of the documents work, block by block, as it stands there?
#
# A block of sql in README.md or a guide is run by psql, in order; the first
# error fails its test.  Only addresses and topics are changed, to those of the
# test.  A block below "<!-- not run: reason -->" is left out.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CassandraTest;
use FeedTest;
use UserstreamTest;

my $kafka = shared_kafka();
my $api = FeedTest->api('main');
my $cassandra = shared_cassandra();
my $url = $api->url('/api/?results=20');
my $hosts = $cassandra->address;

# a node, its topics, and what stands in a document -> what there is here
sub documents_node
{
	my ($name) = @_;
	my $node = userstream_node($name, extension => 0, start => 0, conf => qq{
shared_preload_libraries = 'userstream,pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
});
	my $users = $kafka->new_topic("documents_$name", 2);
	my $keyspace = $cassandra->keyspace("documents_$name");
	my $orders = $kafka->new_topic("documents_orders_$name", 1);

	$node->start;
	$kafka->produce_users($users, 100);
	$kafka->produce($users, ['{"id": "7a", "first_name": "Ada"}']);
	return ($node, $keyspace,
		"'127.0.0.1:9092'" => "'" . $kafka->address . "'",
		"'127.0.0.1:9042'" => "'$hosts'",
		"url 'https://randomuser.me/api/?results=100'" => "url '$url', allow_private 'true'",
		"keyspace => 'spark_streams" => "keyspace => '$keyspace",
		"url 'https://registry.example.org'" => "url '" . $api->url('/registry') . "', allow_private 'true'",
		"'users_created" => "'$users",
		"'users_raw'" => "'$users.raw'",
		"topic => 'prices'" => "topic => '$orders'",
		"'orders', 'orders'" => "'$orders', 'orders'");
}

# [ number of its first line, text ] of each block that is run
sub blocks_of
{
	my ($file) = @_;
	my (@blocks, $current, $skip);
	my ($line, $indent) = (0, '');

	foreach (split /\n/, slurp_file("$ENV{USERSTREAM_SRC}/$file"))
	{
		$line++;
		if ($current)
		{
			if (/^\s*```$/)
			{
				push @blocks, $current unless $skip;
				($current, $skip) = (undef, 0);
				next;
			}
			$current->[1] .= s/^\Q$indent\E//r . "\n";
		}
		elsif (/^(\s*)```sql$/) { ($indent, $current) = ($1, [ $line + 1, '' ]); }
		elsif (/^\s*<!-- not run: \S.* -->$/) { $skip = 1; }
	}
	die "$file: a block has no end\n" if $current;
	return @blocks;
}

sub run_document
{
	my ($node, $file, %here) = @_;
	my $words = join '|', map { quotemeta } sort { length $b <=> length $a } keys %here;
	my @blocks = blocks_of($file);
	my $count = 0;

	foreach my $block (@blocks)
	{
		my ($line, $sql) = @$block;
		my ($code, $out, $errors);

		$sql =~ s/($words)/$here{$1}/g;
		($code, $out, $errors) = $node->psql('postgres', $sql, on_error_die => 0);
		is($code, 0, "$file:$line") or diag($errors, "\n", $sql);
		$count++;
	}
	return $count;
}

my ($node, $keyspace, %here) = documents_node('main');

cmp_ok(run_document($node, 'README.md', %here), '>', 5, 'README.md has examples');

# what the reader was promised has come true
ok(wait_until($node, 'postgres', 'SELECT count(*) >= 120 FROM created_users'),
	'README: users of the topic and of the API are in the table');
ok(wait_until($node, 'postgres', q{SELECT state = 'caught_up' AND bool_and(l.balanced) AND sum(l.dead_letters) = 1
		FROM userstream.stream_status s JOIN userstream.ledger l USING (stream) WHERE stream = 'users' GROUP BY state}),
	'README: all is accounted for, and one message is a dead letter');
ok(wait_until($node, 'postgres', q{SELECT state = 'caught_up' AND rows_mirrored >= 120 FROM userstream.mirror_status}),
	'README: the mirror has them');
my ($copied) = $cassandra->cql("SELECT count(*) FROM $keyspace.created_users");
cmp_ok($copied, '>=', 120, 'README: Cassandra has them');
ok(wait_until($node, 'postgres', 'SELECT state, schedule FROM userstream.feed_status', 'succeeded|* * * * *'),
	'README: the feed ran, and will');

run_document($node, 'sql/guide.md', %here);
ok(wait_until($node, 'postgres', q{SELECT count(*) > 5 AND bool_and(state = 'caught_up') FROM userstream.stream_status}),
	'guide: its streams have read all that there is');
run_document($node, 'sql/operating.md', %here);
$node->stop;

# another beginning: the names are those of another road
my ($moving, $old, %there) = documents_node('moving');

run_document($moving, 'sql/moving.md', %there);
ok(wait_until($moving, 'postgres', 'SELECT count(*) >= 120 FROM spark_streams.created_users'),
	'moving: users of both ways are in the table');
ok( wait_until($moving, 'postgres',
		qq{SELECT state = 'caught_up' AND keyspace = '$old' AND rows_mirrored >= 120 FROM userstream.mirror_status}),
	'moving: the mirror writes where the job wrote');
$moving->stop;

done_testing();
