#
# test/t/410_mirror.pl
#    a table and its copy in Cassandra: the rows, changes of all kinds, kills
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use CassandraTest;
use MirrorTest;
use UserstreamTest;

my $cassandra = shared_cassandra();
my $node = userstream_node('mirror', conf => "userstream.restart_interval = '100ms'");
my $keyspace = $cassandra->keyspace('mirror');
my $rows = 2000;

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }
sub count { return sql('SELECT count(*) FROM users'); }

sql(qq{
	CREATE TABLE users (id int PRIMARY KEY, name text, born date, seen timestamptz, score numeric,
		tags text[], body jsonb, long text);
	ALTER TABLE users ALTER long SET STORAGE EXTERNAL;
	INSERT INTO users SELECT i, 'name ' || i, '1970-01-01'::date + i, 'epoch'::timestamptz + i * interval '1 ms',
		i * 1.50, ARRAY['a', i::text], jsonb_build_object('i', i), NULL FROM generate_series(1, $rows) i;
});
my $mirror = MirrorTest->new($node, $cassandra, 'users', 'users', $keyspace);
$mirror->create_server;
$mirror->create;
$mirror->is_copied('what is there', $rows);

# changes of every kind, by hand
sql(q{
	UPDATE users SET name = NULL WHERE id = 1;
	DELETE FROM users WHERE id BETWEEN 2 AND 20;
	UPDATE users SET id = id + 100000 WHERE id BETWEEN 21 AND 40;
	INSERT INTO users (id, long) SELECT 50000, string_agg(md5(i::text), '') FROM generate_series(1, 1000) i;
	UPDATE users SET name = 'other column' WHERE id = 50000;
	DO $$ BEGIN FOR i IN 1..1000 LOOP UPDATE users SET name = 'n' || i WHERE id = 41; END LOOP; END $$;
	INSERT INTO users (id, name) VALUES (60000, '') ON CONFLICT (id) DO UPDATE SET name = 'x';
	INSERT INTO users (id, born, seen) VALUES (60001, '0044-03-15 BC', '1969-12-31 23:59:59.9994Z');
	BEGIN; DELETE FROM users; ROLLBACK;
});
$mirror->is_copied('updates to null, deletes, changed keys, unchanged long values, a thousand updates of one row', count());
is($mirror->select("SELECT name FROM $keyspace.users WHERE id = 41"), 'n1000', 'the last of a thousand updates in one transaction');

# values that Cassandra does not have
sql(q{
	INSERT INTO users (id, score) VALUES (70000, 'NaN');
	INSERT INTO users (id, born) VALUES (70001, 'infinity');
	INSERT INTO users (id, name) VALUES (70002, 'after them');
});
ok(wait_until($node, 'postgres', q{SELECT parked FROM userstream.mirror_status}, 2), 'rows that Cassandra cannot have are counted');
is(sql(q{
	SELECT string_agg(concat_ws(' ', convert_from(key, 'UTF8'), column_name, error), E'\n' ORDER BY id) FROM userstream.dead_letter
	WHERE mirror = 'users' AND value IS NOT NULL}),
	qq({"id": "70000"} score the value of column "score" cannot be a decimal in Cassandra: it is not a finite number\n)
	. qq({"id": "70001"} born the value of column "born" cannot be a date in Cassandra: it is infinite), 'they are dead letters, with the reason');
sql('DELETE FROM users WHERE id IN (70000, 70001)');
$mirror->is_copied('and stop nothing', count());

# the worker is killed, twice, in the middle of changes
foreach my $round (1, 2)
{
	sql("UPDATE users SET name = 'round $round ' || id, score = $round WHERE id > 100");
	ok($mirror->kill_worker, "another worker after kill $round");
	$mirror->is_copied('it goes on', count());
}

# a change of the table between changes
sql(q{
	ALTER TABLE users ADD COLUMN extra int;
	INSERT INTO users (id, name, extra) VALUES (80000, 'extra', 7);
});
$mirror->is_copied('a new column', count());
is($mirror->select("SELECT extra FROM $keyspace.users WHERE id = 80000"), 7, 'is made in Cassandra too');

# TRUNCATE, and rows after it
sql(q{TRUNCATE users; INSERT INTO users (id, name) VALUES (1, 'after')});
$mirror->is_copied('only what came after TRUNCATE is there', 1);

# paused, changed, resumed
sql(q{SELECT userstream.pause_mirror('users')});
ok(wait_until($node, 'postgres', q{SELECT state = 'paused' AND in_flight IS NULL FROM userstream.mirror_status}), 'paused');
sql(q{INSERT INTO users (id) SELECT generate_series(2, 500); SELECT userstream.resume_mirror('users')});
$mirror->is_copied('resumed, nothing is missing', 500);

# rows that are not the table's go with a resync
$cassandra->cql("INSERT INTO $keyspace.users (id, name) VALUES (-1, 'stray')");
sql(q{SELECT userstream.resync_mirror('users')});
ok(wait_until($node, 'postgres', q{SELECT lsn IS NOT NULL FROM userstream.mirror_position}), 'resync');
$mirror->is_copied('is the table', 500);

# drop removes slot and publication, also while the worker is busy
sql(q{INSERT INTO users (id) SELECT generate_series(1000, 10000)});
sql(q{SELECT userstream.drop_mirror('users')});
ok(wait_until($node, 'postgres', q{SELECT count(*) = 0 FROM pg_replication_slots}), 'drop_mirror removes the slot');
is(sql(q{SELECT count(*) FROM pg_publication}), 0, 'and the publication');
done_testing();
