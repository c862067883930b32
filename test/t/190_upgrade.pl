#
# test/t/190_upgrade.pl
#    an upgraded extension is a new one, and a library serves an older one's objects
#
# Each released script (sql/userstream--VERSION.sql in the sources) is the
# beginning of an upgrade.  Its objects do all of the way under today's library,
# and go on in the middle of it when they are updated.
#
# To see that the comparison sees, a release is made up: the newest without a
# comment, and a delta that forgets it.  It is installed beside the newest in the
# tests' private tree.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use CqlServer;
use FeedTest;
use UserstreamTest;

my $kafka = shared_kafka();
my $api = FeedTest->api('main');
my $cassandra = CqlServer->new;
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

# streams, a feed and a mirror of a release's objects, then of the updated ones
sub works
{
	my ($version) = @_;
	my $db = extension($version);
	my ($json, $avro, $users) = map { $kafka->new_topic("${_}_$db", 1) } qw(json avro users);
	my $schema = $api->register("numbers_$db", { type => 'record', name => 'r', fields => [ { name => 'n', type => 'int' } ] });
	my $hosts = $cassandra->hosts;
	my $ask = sub { return $node->safe_psql($db, $_[0]) };
	# numbers below 64, each in both topics
	my $produce = sub {
		$kafka->produce($json, [ map { qq({"n": $_}) } @_ ]);
		$kafka->produce_script($avro, [ map { [ '-', 'send', 0, 0, undef, pack('CNC', 0, $schema, 2 * $_) ] } @_ ]);
	};
	my $are_written = sub {
		my ($n, $when) = @_;
		ok(wait_until($node, $db, qq{SELECT (SELECT count(n) || ' ' || count(DISTINCT n) FROM numbers) || ', '
				|| (SELECT count(n) || ' ' || count(DISTINCT n) FROM avro)}, "$n $n, $n $n"), "$version: messages come into the tables, $when");
		ok(wait_until($node, $db, q{SELECT string_agg(stream || ' ' || messages_read || ' ' || rows_written || ' ' || state, ', ' ORDER BY stream)
				FROM userstream.stream_status}, "avro $n $n caught_up, numbers $n $n caught_up"), "$version: and are counted, $when");
	};
	my $is_run = sub {
		my ($when) = @_;
		run_feed($node, $db, 'users');
		is(last_run($node, $db, 'users', "state || ' ' || records_produced"), 'succeeded 2', "$version: a feed runs, $when");
	};
	my $is_mirrored = sub {
		my ($rows, $when) = @_;
		ok($cassandra->wait_for("rows $db.items", qr/^\Q$rows\E$/), "$version: a mirror has the rows, $when");
	};

	create_server($node, $db, $kafka);
	create_api_server($node, $db, 'registry', $api->url('/registry/'));
	create_api_server($node, $db, 'api', $api->url('/api/?results=2'));
	$produce->(1 .. 3);
	$ask->(qq{
		CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra OPTIONS (hosts '$hosts');
		CREATE TABLE numbers (n integer);
		CREATE TABLE avro (n integer);
		CREATE TABLE items (id integer PRIMARY KEY, name text NOT NULL);
		INSERT INTO items VALUES (1, 'one');
		SELECT userstream.create_stream('numbers', server => 'kafka', topic => '$json', target => 'numbers');
		SELECT userstream.create_stream('avro', server => 'kafka', topic => '$avro', target => 'avro', format => 'avro',
			options => '{"registry": "registry"}');
		SELECT userstream.create_feed('users', 'api', 'kafka', '$users', records => '\$.results[*]');
		SELECT userstream.create_mirror('items', 'items', 'cassandra', '$db', 'items')});
	$are_written->(3, 'as created');
	$is_run->('before');
	$is_mirrored->('1=one', 'before');
	$ask->(q{SELECT userstream.alter_stream('avro', options => '{"batch_rows": 2}');
		UPDATE userstream.stream SET home = 'elsewhere';
		SELECT userstream.adopt()});
	$produce->(4 .. 5);
	$are_written->(5, 'altered and adopted');
	like($ask->(q{SELECT format('SELECT count(*) FROM %s', oid::regclass) FROM pg_class
		WHERE relnamespace = 'userstream'::regnamespace AND relkind = 'v' \gexec}), qr/^\d+(?:\n\d+){5,}$/, "$version: each view can be read");

	# beside the running workers
	my $workers = q{SELECT string_agg(pid || ' ' || backend_start, ', ' ORDER BY pid) FROM pg_stat_activity
		WHERE datname = current_database() AND backend_type LIKE 'userstream %'};
	my $before = $ask->($workers);
	$ask->('ALTER EXTENSION userstream UPDATE');
	$produce->(6 .. 9);
	$ask->(q{INSERT INTO items VALUES (2, 'two')});
	$are_written->(9, 'updated');
	$is_run->('updated');
	$is_mirrored->('1=one,2=two', 'updated');
	is($ask->($workers), $before, "$version: no worker began anew for it");
	is($ask->(q{SELECT registry_oid = (SELECT oid FROM pg_foreign_server WHERE srvname = 'registry') FROM userstream.stream WHERE name = 'avro'}),
		't', "$version: a stream has its registry");
	$ask->('ALTER SERVER registry RENAME TO renamed');
	ok(wait_until($node, $db, q{SELECT options ->> 'registry' FROM userstream.stream WHERE name = 'avro'}, 'renamed'), "$version: and keeps it under another name");
	return;
}

my $fresh = dump_of(extension($newest));
like($fresh, qr/CREATE VIEW userstream\.stream_status/, 'the dump has what the extension made');

my $text = slurp_file(script($newest));
ok((my $old = $text) =~ s/^COMMENT ON COLUMN stream_status\.lag_messages IS .*?;\n//ms, 'the made-up release lacks a comment');
append_to_file(script('0.0'), $old);
append_to_file(script("0.0--$newest"), "-- nothing\n");
END { unlink map { script($_) } '0.0', "0.0--$newest" if $share && $newest }
isnt(dump_of(extension('0.0', 1)), $fresh, 'a delta that forgets it is seen');

my @released = grep { $_ ne $newest } map { /userstream--([0-9.]+)\.sql$/ ? $1 : () } sort glob "$ENV{USERSTREAM_SRC}/sql/userstream--*.sql";
ok(@released, 'there are releases before the newest');
foreach my $version (@released)
{
	is(dump_of(extension($version, 1)), $fresh, "$version, updated, is the newest");
	works($version);
}

$node->stop;
done_testing();
