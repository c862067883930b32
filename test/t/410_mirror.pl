#
# test/t/410_mirror.pl
#    a table and its copy in Cassandra: the rows, changes of all kinds, faults
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use CassandraTest;
use UserstreamTest;

my $cassandra = CassandraTest->new('mirror');
my $node = userstream_node('mirror');
my $address = $cassandra->address;
my $rows = $ENV{MIRROR_ROWS} || 2000;

$node->safe_psql('postgres', qq{
	CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra
		OPTIONS (hosts '$address', consistency 'LOCAL_ONE');
	CREATE TABLE users (id int PRIMARY KEY, name text, born date, seen timestamptz, score numeric,
		tags text[], body jsonb, long text);
	ALTER TABLE users ALTER long SET STORAGE EXTERNAL;
	INSERT INTO users SELECT i, 'name ' || i, '1970-01-01'::date + i, 'epoch'::timestamptz + i * interval '1 ms',
		i * 1.50, ARRAY['a', i::text], jsonb_build_object('i', i), NULL FROM generate_series(1, $rows) i;
	SELECT userstream.create_mirror('users', 'users', 'cassandra', 'copies', 'users');
});

my $columns = 'id, name, born, seen, score, tags, body, long';

# every column of every row as both have it, in text that both write the same way
sub is_equal
{
	my ($what, $table, $pg_table) = @_;
	my $ours = $node->safe_psql('postgres', q{SET TimeZone = 'UTC'; } . q{
		SELECT concat_ws('|', id, coalesce(name, '\\N'), coalesce(born::text, '\\N'),
			coalesce(to_char(seen, 'YYYY-MM-DD HH24:MI:SS.MS') || '+0000', '\\N'), coalesce(score::text, '\\N'),
			coalesce('[' || (SELECT string_agg(quote_literal(t), ', ') FROM unnest(tags) t) || ']', '\\N'),
			coalesce(body::text, '\\N'), coalesce(long, '\\N')) FROM } . ($pg_table || 'users'));
	my ($theirs, $errors) = $cassandra->cql("SELECT $columns FROM copies." . ($table || 'users'));
	my $sorted = join "\n", sort split /\n/, $theirs =~ s/\t/|/gr;
	my $ok = $sorted eq join "\n", sort split /\n/, $ours;

	diag("$errors\n" . substr($ours, 0, 400) . "\n---\n" . substr($theirs, 0, 400)) unless $ok;
	return ok($ok, $what);
}

sub caught_up
{
	my ($name) = @_;
	return wait_until($node, 'postgres', "
		SELECT state = 'caught_up' AND lag_bytes = 0 FROM userstream.mirror_status
		WHERE mirror = '$name'");
}

# A row written last is in Cassandra last: then all that was committed before
# is done.  Its key says which one it is.
my $mark = 900_000;

sub sync
{
	$mark++;
	$node->safe_psql('postgres', "INSERT INTO users (id, name) VALUES ($mark, 'mark')");
	return is_there($mark);
}

sub is_there
{
	my ($id) = @_;
	my $end = time + ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);

	while (time < $end)
	{
		my ($found) = $cassandra->cql("SELECT id FROM copies.users WHERE id = $id");
		return caught_up('users') if $found eq $id;
		select undef, undef, undef, 0.1;
	}
	diag($node->safe_psql('postgres', 'SELECT * FROM userstream.mirror_status'));
	return 0;
}

ok(caught_up('users'), 'the mirror starts, and copies what is there')
  or diag($node->safe_psql('postgres', 'SELECT * FROM userstream.mirror_status')),
  diag(slurp_file($node->logfile));
is_equal('all rows are the same');

# changes of every kind, by hand
$node->safe_psql('postgres', q{
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
ok(sync(), 'changes arrive');
$node->safe_psql('postgres', 'DELETE FROM users WHERE id = 60001');
ok(sync(), 'and more of them');
is_equal('updates to null, deletes, changed keys, unchanged long values, a thousand updates of one row');
my ($name) = $cassandra->cql('SELECT name FROM copies.users WHERE id = 41');
is($name, 'n1000', 'the last of a thousand updates in one transaction');

# values that Cassandra does not have
$node->safe_psql('postgres', q{
	INSERT INTO users (id, score) VALUES (70000, 'NaN');
	INSERT INTO users (id, born) VALUES (70001, 'infinity');
});
ok(sync(), 'rows that Cassandra cannot have do not stop the mirror');
is($node->safe_psql('postgres', q{
	SELECT string_agg(convert_from(key, 'UTF8') || ' ' || error, E'\n' ORDER BY id) FROM userstream.dead_letter
	WHERE mirror = 'users' AND value IS NOT NULL}),
	qq({"id": "70000"} the value of column "score" cannot be a decimal in Cassandra\n)
	. qq({"id": "70001"} the value of column "born" cannot be a date in Cassandra), 'they are dead letters');
is($node->safe_psql('postgres', q{SELECT parked FROM userstream.mirror_status}), 2, 'and counted');
$node->safe_psql('postgres', 'DELETE FROM users WHERE id IN (70000, 70001)');

# the worker is killed, twice, in the middle of changes
foreach my $round (1, 2)
{
	my $pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity WHERE backend_type = 'userstream mirror'});

	$node->safe_psql('postgres', "UPDATE users SET name = 'round $round ' || id, score = $round WHERE id > 100");
	kill 'KILL', $pid if $pid;
	ok(wait_until($node, 'postgres', "SELECT count(*) = 1 FROM pg_stat_activity
		WHERE backend_type = 'userstream mirror' AND pid <> " . ($pid || 0)), "another worker after kill $round");
	ok(sync(), 'it goes on');
	is_equal('with all rows');
}

# Cassandra is killed, and PostgreSQL goes on
foreach my $round (3, 4)
{
	$cassandra->kill;
	$node->safe_psql('postgres', "UPDATE users SET name = 'round $round ' || id WHERE id > 100");
	ok(wait_until($node, 'postgres', "SELECT state = 'waiting' AND last_error ~ 'Connection refused'
		AND failing_since IS NOT NULL FROM userstream.mirror_status"), 'without Cassandra the mirror waits');
	$cassandra->start;
	ok(sync(), 'and goes on with it');
	is_equal('with all rows');
}

# a change of the table between changes
$node->safe_psql('postgres', q{
	ALTER TABLE users ADD COLUMN extra int;
	INSERT INTO users (id, name, extra) VALUES (80000, 'extra', 7);
});
ok(sync(), 'a new column');
my ($extra) = $cassandra->cql('SELECT extra FROM copies.users WHERE id = 80000');
is($extra, 7, 'is made in Cassandra too');
is_equal('nothing else changed');

# TRUNCATE, and rows after it
$node->safe_psql('postgres', q{TRUNCATE users; INSERT INTO users (id, name) VALUES (1, 'after')});
ok(sync(), 'TRUNCATE');
is_equal('only what came after is there');

# paused, changed, resumed
$node->safe_psql('postgres', q{SELECT userstream.pause_mirror('users')});
ok(wait_until($node, 'postgres', q{SELECT state = 'paused' AND in_flight IS NULL FROM userstream.mirror_status}), 'paused');
$node->safe_psql('postgres', q{INSERT INTO users (id) SELECT generate_series(2, 500)});
$node->safe_psql('postgres', q{SELECT userstream.resume_mirror('users')});
ok(sync(), 'resumed');
is_equal('and nothing is missing');

# rows that are not the table's go with a resync
$cassandra->cql(q{INSERT INTO copies.users (id, name) VALUES (-1, 'stray')});
$node->safe_psql('postgres', q{SELECT userstream.resync_mirror('users')});
ok(wait_until($node, 'postgres', q{SELECT lsn IS NOT NULL FROM userstream.mirror_position}), 'resync');
ok(sync(), 'follows again');
is_equal('and is the table');

# the slot is lost
$node->safe_psql('postgres', q{SELECT userstream.pause_mirror('users')});
ok(wait_until($node, 'postgres', q{SELECT count(*) = 1 FROM pg_replication_slots WHERE NOT active}), 'paused again');
$node->safe_psql('postgres', q{SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots});
$node->safe_psql('postgres', q{SELECT userstream.resume_mirror('users')});
ok(wait_until($node, 'postgres', q{SELECT state = 'stopped' AND last_error ~ 'slot is gone.*resync_mirror'
	FROM userstream.mirror_status}), 'a lost slot stops the mirror, and the hint says what continues');
is($node->safe_psql('postgres', q{SELECT kind FROM userstream.incident WHERE mirror = 'users' AND closed_at IS NULL}),
	'slot_lost', 'with an incident');
$node->safe_psql('postgres', q{SELECT userstream.resync_mirror('users')});
ok(sync(), 'resync_mirror continues');

# drop removes slot and publication, also while the worker is busy
$node->safe_psql('postgres', q{INSERT INTO users (id) SELECT generate_series(1000, 20000)});
$node->safe_psql('postgres', q{SELECT userstream.drop_mirror('users')});
ok(wait_until($node, 'postgres', q{SELECT count(*) = 0 FROM pg_replication_slots}), 'drop_mirror removes the slot');
is($node->safe_psql('postgres', q{SELECT count(*) FROM pg_publication}), 0, 'and the publication');
done_testing();
