#
# test/t/413_mirror_life.pl
#    mirrors: what happens to slots, publications, roles and databases around them
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use MirrorTest;
use UserstreamTest qw(userstream_node);

my $test = MirrorTest::Tables->new('life', conf => "max_replication_slots = 4\nmax_slot_wal_keep_size = '64MB'\nmax_wal_size = '64MB'");
my $node = $test->node;

# an owner who is no superuser
$test->sql(q{
	CREATE ROLE ann LOGIN;
	CREATE ROLE bob LOGIN REPLICATION;
	GRANT USAGE ON FOREIGN SERVER cassandra TO ann, bob;
	GRANT CREATE ON SCHEMA public TO ann, bob;
	SET ROLE ann;
	CREATE TABLE t (id int PRIMARY KEY, name text);
	INSERT INTO t VALUES (1, 'one');
});
my $create = "SELECT userstream.create_mirror('t', 't', 'cassandra', '" . $test->keyspace . "', 't')";
like($test->refusal("SET ROLE ann; $create"), qr/42501: permission denied for database.*GRANT CREATE ON DATABASE postgres TO ann/s,
	'without CREATE on the database');
$test->sql('GRANT CREATE ON DATABASE postgres TO ann, bob');
like($test->refusal("SET ROLE ann; $create"), qr/42501: must be superuser or replication role.*ALTER ROLE ann REPLICATION/s,
	'without REPLICATION');
like($test->refusal("SET ROLE bob; $create"), qr/42501: must be owner of table t/, 'without owning the table');
$test->sql("ALTER ROLE ann REPLICATION; SET ROLE ann; $create");
$test->is_copied('by who has all that', 't');

# what is taken away stops it, and what is given back lets it go on
foreach my $case (
	[ 'ALTER ROLE ann NOREPLICATION', 'may not replicate any more; ALTER ROLE ann REPLICATION', 'ALTER ROLE ann REPLICATION' ],
	[ 'ALTER TABLE t OWNER TO bob', 'does not own the table.*ALTER TABLE public.t OWNER TO ann', 'ALTER TABLE t OWNER TO ann' ],
	[ 'REVOKE USAGE ON FOREIGN SERVER cassandra FROM ann', 'server', 'GRANT USAGE ON FOREIGN SERVER cassandra TO ann' ],
	[ 'ALTER ROLE ann NOLOGIN', 'LOGIN', 'ALTER ROLE ann LOGIN' ])
{
	my ($take, $error, $give) = @$case;

	$test->sql($take);
	ok($test->has_state('stopped', 't', $error), "$take: stops it, and says what continues");
	$test->sql("INSERT INTO t SELECT max(id) + 1, 'meanwhile' FROM t; $give");
	$test->is_copied("$give: goes on", 't');
}
$test->sql('REVOKE CREATE ON DATABASE postgres FROM ann; INSERT INTO t VALUES (50, \'still\')');
$test->is_copied('CREATE on the database is needed for the beginning only', 't');

# another owner
like($test->refusal(q{SELECT userstream.alter_mirror('t', owner => 'bob')}), qr/42501: must be owner of table t/, 'an owner who has not the table');
$test->sql(q{ALTER TABLE t OWNER TO bob; SELECT userstream.alter_mirror('t', owner => 'bob'); INSERT INTO t VALUES (51, 'of bob')});
$test->is_copied('another owner', 't');
is($test->sql(q{SELECT owner FROM userstream.mirror_status}), 'bob', 'whom the view shows');

# the slot: dropped by hand, then with its WAL gone, each time mended by resync_mirror
sub without_worker
{
	my ($sql) = @_;

	$test->sql(q{SELECT userstream.pause_mirror('t')});
	ok($test->wait_for(q{SELECT count(*) = 1 FROM pg_replication_slots WHERE NOT active}), 'the worker is away');
	$test->sql($_) foreach ref $sql ? @$sql : $sql;
	$test->sql(q{INSERT INTO t SELECT max(id) + 1, 'in vain' FROM t; SELECT userstream.resume_mirror('t')});
	return;
}
without_worker(q{SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots});
ok($test->has_state('stopped', 't', 'slot is gone.*resync_mirror'), 'a slot that was dropped');
$test->sql(q{SELECT userstream.resync_mirror('t')});
$test->is_copied('resync_mirror makes another', 't');
# a segment of WAL each, which has next to nothing in it
my @wal = (q{SELECT pg_logical_emit_message(true, 'x', 'y')}, 'SELECT pg_switch_wal()');
$test->sql(q{SELECT userstream.pause_mirror('t')});
$test->sql($_) foreach (@wal) x 3;
ok($test->wait_for(q{SELECT count(*) = 1 FROM userstream.incident WHERE mirror = 't' AND kind = 'wal_retained' AND closed_at IS NULL
	AND detail ~ 'more than half of max_slot_wal_keep_size .64 MB.' AND what_to_do ~ 'drop_mirror'}),
	'kept WAL is an incident before it is too much');
like(slurp_file($node->logfile), qr/WARNING:  mirror "t" falls behind: the server keeps more than half of max_slot_wal_keep_size/, 'and a warning');
$test->sql(q{SELECT userstream.resume_mirror('t'); INSERT INTO t SELECT max(id) + 1, 'late' FROM t});
$test->is_copied('the mirror goes on', 't');
$test->sql('CHECKPOINT');
ok($test->wait_for(q{SELECT count(*) = 0 FROM userstream.incident WHERE mirror = 't' AND closed_at IS NULL}), 'which ends the incident');
without_worker([ (@wal, 'CHECKPOINT') x 6 ]);
is($test->sql(q{SELECT wal_status FROM pg_replication_slots}), 'lost', 'the slot has lost its WAL');
ok($test->has_state('stopped', 't', 'max_slot_wal_keep_size.*resync_mirror'), 'which stops the mirror, and names the setting');
is($test->sql(q{SELECT kind FROM userstream.incident WHERE mirror = 't' AND closed_at IS NULL}), 'slot_lost', 'with an incident');
$test->sql(q{SELECT userstream.resync_mirror('t')});
$test->is_copied('resync_mirror takes another slot', 't');
is($test->sql(q{SELECT count(*) FROM pg_replication_slots WHERE wal_status <> 'lost'}), 1, 'and the lost one is gone');

# a position that cannot be saved: nothing is wrong outside
my $lock = $node->background_psql('postgres', on_error_stop => 0);
$lock->query_safe('BEGIN; SELECT lsn FROM userstream.mirror_position FOR UPDATE');
$test->sql(q{INSERT INTO t SELECT max(id) + 1, 'not saved' FROM t});
ok($test->wait_for(q{SELECT state = 'blocked' AND last_error ~ 'lock timeout' AND failing_since IS NOT NULL
	FROM userstream.mirror_status}), 'what the worker fails of is told, as blocked');
$lock->quit;
$test->is_copied('it goes on by itself', 't');
ok($test->wait_for(q{SELECT state = 'caught_up' AND failing_since IS NULL FROM userstream.mirror_status}), 'as if nothing had been');

# the publication dropped by hand
$test->sql(q{DO $$ BEGIN EXECUTE (SELECT 'DROP PUBLICATION ' || quote_ident(pubname) FROM pg_publication); END $$});
$test->sql(q{INSERT INTO t SELECT max(id) + 1, 'not published' FROM t});
ok($test->has_state('stopped', 't', 'publication.*resync_mirror'), 'a publication that was dropped stops the mirror');
$test->sql(q{SELECT userstream.resync_mirror('t')});
$test->is_copied('resync_mirror makes it again', 't');

# all slots taken
$test->sql(q{SELECT pg_create_physical_replication_slot('s' || i) FROM generate_series(1, 3) i});
$test->sql('CREATE TABLE u (id int PRIMARY KEY)');
like($test->refusal("SELECT userstream.create_mirror('u', 'u', 'cassandra', 'k', 'u')"),
	qr/53400: all replication slots are in use.*max_replication_slots/s, 'no slot is free');
$test->sql(q{SELECT pg_drop_replication_slot('s' || i) FROM generate_series(1, 3) i});

# a dump has the definition; its copy starts nothing until it is adopted, and then copies all rows
$node->command_ok([ 'sh', '-c', 'pg_dump -d "$1" -f "$2"', 'sh', $node->connstr('postgres'), $node->basedir . '/dump.sql' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('restored'), '-f', $node->basedir . '/dump.sql' ], 'restored');
ok($test->has_state('stopped', 't', 'another database; userstream.adopt', 'restored'), 'a restored mirror is stopped');
is($test->sql(q{SELECT count(*) FROM pg_replication_slots}), 1, 'and has no slot');
$node->safe_psql('restored', q{
	GRANT CREATE ON DATABASE restored TO bob;
	UPDATE t SET name = 'restored';
	BEGIN;
	SELECT userstream.adopt('t');
	SELECT userstream.alter_mirror('t', table_name => 't_restored');
	COMMIT;
});
$test->is_copied('adopted, it copies all rows', 't', db => 'restored', copy => 't_restored');
$node->safe_psql('restored', q{INSERT INTO t VALUES (-1, 'follows')});
$test->is_copied('and follows', 't', db => 'restored', copy => 't_restored');
$test->is_copied('the first one is as it was', 't');

# databases with mirrors: copied, renamed, dropped
$test->sql('CREATE DATABASE copied TEMPLATE restored');
ok($test->has_state('stopped', 't', 'another database; userstream.adopt', 'copied'), 'CREATE DATABASE ... TEMPLATE');
$test->sql('ALTER DATABASE restored RENAME TO renamed');
$node->safe_psql('renamed', q{INSERT INTO t VALUES (-2, 'renamed')});
$test->is_copied('a database renamed: it goes on', 't', db => 'renamed', copy => 't_restored');
$test->sql('DROP DATABASE copied');
my ($code, $out, $err) = $node->psql('postgres', 'DROP DATABASE renamed');
is($code, 0, 'DROP DATABASE just works') or diag($err);
is($test->sql(q{SELECT count(*) FROM pg_replication_slots}), 1, 'and its slot is gone');

# DROP EXTENSION leaves nothing
$test->sql('DROP EXTENSION userstream CASCADE');
ok($test->wait_for(q{SELECT count(*) = 0 FROM pg_replication_slots}), 'DROP EXTENSION: the slot goes');
ok($test->wait_for(q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'userstream mirror'}), 'and the worker');
is($test->sql('SELECT count(*) FROM pg_publication'), 0, 'and the publication');

# a server that does not log enough
my $plain = userstream_node('plain', conf => 'wal_level = replica');

$plain->safe_psql('postgres', q{CREATE TABLE t (id int PRIMARY KEY);
	CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra OPTIONS (hosts '127.0.0.1:9042')});
($code, $out, $err) = $plain->psql('postgres', q{\set VERBOSITY verbose
	SELECT userstream.create_mirror('t', 't', 'cassandra', 'k', 't')});
like($err, qr/55000: a mirror needs wal_level = logical.*ALTER SYSTEM SET wal_level = logical/s, 'wal_level = replica is refused, and named');

done_testing();
