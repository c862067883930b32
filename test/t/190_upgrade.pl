#
# test/t/190_upgrade.pl
#    an upgraded extension is a new one, and a library serves an older one's objects
#
# Each released script (sql/userstream--VERSION.sql in the sources) is the
# beginning of an upgrade.  While there is none, and to see that the comparison
# sees, one is made up: the newest without two comments, and the delta that brings
# them, or forgets one.  It is installed beside the
# newest in the tests' private tree.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

my $kafka = shared_kafka();
my $topic = $kafka->new_topic('upgrade', 1);
my $node = userstream_node('main', extension => 0);
my $newest = $node->safe_psql('postgres',
	"SELECT default_version FROM pg_available_extensions WHERE name = 'userstream'");
my $share = $node->safe_psql('postgres', "SELECT setting || '/extension' FROM pg_config() WHERE name = 'SHAREDIR'");
my $databases = 0;

sub script { return "$share/userstream--$_[0].sql" }

# all that the extension made, as pg_upgrade would see it, without what differs
# each time: oids, and numbers and lists of numbers in quotes
sub dump_of
{
	my ($db) = @_;
	my ($dump) = run_command(
		[ 'pg_dump', '-s', '--binary-upgrade', '-h', $node->host, '-p', $node->port, $db ]);

	$dump =~ s/^(?:.*(?:binary_upgrade_set|relfrozenxid|relminmxid).*|--.*|SET .*|\\(?:un)?restrict .*|)\n//mg;
	$dump =~ s/'\{[0-9,]+\}'/'{numbers}'/g;
	$dump =~ s/'[0-9]+'/'number'/g;
	return $dump;
}

# a database with the extension of a version, updated to the newest if wanted
sub extension
{
	my ($version, $update) = @_;
	my $db = 'upgrade' . $databases++;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, "CREATE EXTENSION userstream VERSION '$version'");
	$node->safe_psql($db, 'ALTER EXTENSION userstream UPDATE') if $update;
	return $db;
}

# a stream of today's library over the objects of then
sub works
{
	my ($db, $what) = @_;
	create_server($node, $db, $kafka);
	$node->safe_psql($db,
		qq{CREATE TABLE numbers (n integer);
		   SELECT userstream.create_stream('numbers', server => 'kafka', topic => '$topic', target => 'numbers')});
	ok(wait_until($node, $db, 'SELECT sum(n) FROM numbers', 6), "$what: messages come into the table");
	is($node->safe_psql($db, 'SELECT messages_read, rows_written FROM userstream.stream_status'),
		'3|3', "$what: and are counted");
	$node->safe_psql($db, "SELECT userstream.drop_stream('numbers')");
	return;
}

my $fresh = dump_of(extension($newest));
like($fresh, qr/CREATE VIEW userstream\.stream_status/, 'the dump has what the extension made');

# the made-up release: what is taken out of the newest is what its delta brings
my $text = slurp_file(script($newest));
my ($comment) = $text =~ /^(COMMENT ON VIEW stream_status IS .*?;\n)/ms;
my ($column) = $text =~ /^(COMMENT ON COLUMN stream_status\.lag_messages IS .*?;\n)/ms;
ok($comment && $column, 'the newest script has what the made-up release lacks');
(my $old = $text) =~ s/\Q$comment\E//;
$old =~ s/\Q$column\E//;
append_to_file(script('0.0'), $old);
append_to_file(script("0.0--$newest"), $comment . $column);
append_to_file(script('0.1'), $old);
append_to_file(script("0.1--$newest"), $comment);
END { unlink map { script($_) } '0.0', "0.0--$newest", '0.1', "0.1--$newest" if $share && $newest }

is(dump_of(extension('0.0', 1)), $fresh, 'the made-up release, updated, is the newest');
isnt(dump_of(extension('0.1', 1)), $fresh, 'a delta that forgets a comment is seen');
$kafka->produce($topic, [ map { qq({"n": $_}) } 1 .. 3 ]);
works(extension('0.0'), 'made-up release');

foreach my $file (sort glob "$ENV{USERSTREAM_SRC}/sql/userstream--*.sql")
{
	my ($version) = $file =~ /userstream--([0-9.]+)\.sql$/ or next;

	next if $version eq $newest;
	is(dump_of(extension($version, 1)), $fresh, "$version, updated, is the newest");
	works(extension($version), $version);
}

done_testing();
