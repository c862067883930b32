#
# test/t/430_mirror_whole.pl
#    from Kafka through a table into Cassandra, with faults on the way; every
#    column of every row compared by another driver
#
# MIRROR_ROWS says how many users come by Kafka.
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use CassandraTest;
use MirrorTest;
use UserstreamTest;

my $rows = $ENV{MIRROR_ROWS} || 20_000;
my $half = int($rows / 2);
my $cassandra = CassandraTest->new('whole', durable => 1);
my $kafka = shared_kafka();
my $node = userstream_node('whole', conf => "userstream.restart_interval = '100ms'");
my $topic = $kafka->new_topic('users', 4);
my $users = 'spark_streams.created_users';

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

sub has_rows
{
	my ($count) = @_;
	return wait_until($node, 'postgres', "SELECT count(*) FROM $users", $count, 600);
}

create_server($node, 'postgres', $kafka);
$node->safe_psql('postgres', slurp_file("$ENV{USERSTREAM_SRC}/test/servers/demo_users.sql"));
sql("SELECT userstream.create_stream('users', 'kafka', '$topic', '$users')");

my $mirror = MirrorTest->new($node, $cassandra, 'users', $users, 'whole');
$mirror->create_server;

# half of them are there before the mirror, and half come while it works
$kafka->produce_users($topic, $half);
ok(has_rows($half), 'half of the users are in the table');
$mirror->create;
$kafka->produce_users($topic, $rows - $half, first => $half);

# the worker is killed while it copies or follows, and so is Cassandra
foreach my $round (1, 2)
{
	ok($mirror->kill_worker, "the worker was killed ($round), and there is another");
	$cassandra->kill;
	$cassandra->start;
}
ok(has_rows($rows), 'all users are in the table');
$mirror->is_copied('copied and followed, through kills', $rows);

# what people do
sql(qq{
	UPDATE $users SET phone = NULL, address = NULL WHERE id < '20000000-0000-0000-0000-000000000000';
	DELETE FROM $users WHERE id >= 'f0000000-0000-0000-0000-000000000000';
	UPDATE $users SET id = md5(id::text)::uuid WHERE id >= 'e0000000-0000-0000-0000-000000000000'
		AND id < 'f0000000-0000-0000-0000-000000000000';
	UPDATE $users SET address = address || '{"moved": true}', dob = dob + 1 WHERE nationality = 'BR';
	INSERT INTO $users (id, first_name) SELECT md5(i::text)::uuid, E'by hand\\t\\n\\\\' || i FROM generate_series(1, 1000) i;
	BEGIN; DELETE FROM $users; ROLLBACK;
	BEGIN; SAVEPOINT a; UPDATE $users SET email = NULL; ROLLBACK TO a; UPDATE $users SET email = lower(email)
		WHERE nationality = 'NL'; COMMIT;
	MERGE INTO $users u USING (SELECT md5(i::text)::uuid AS id FROM generate_series(991, 1010) i) n ON n.id = u.id
		WHEN MATCHED THEN UPDATE SET last_name = 'merged'
		WHEN NOT MATCHED THEN INSERT (id, last_name) VALUES (n.id, 'new');
});
$mirror->is_copied('after updates to null, deletes, changed keys, MERGE, rollbacks',
	sql("SELECT count(*) FROM $users"));

# a message that was refused and is retried
sql("ALTER TABLE $users ADD CONSTRAINT known CHECK (nationality <> 'XX')");
my $id = 'abababab-0000-4000-8000-000000000001';
$kafka->produce($topic, [ qq({"id": "$id", "first_name": "Late", "nationality": "XX", "address": {"city": "Zoé"}}) ]);
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM userstream.dead_letter WHERE stream = 'users'}, 1),
	'a message is a dead letter');
sql("ALTER TABLE $users DROP CONSTRAINT known");
is(sql(q{SELECT userstream.retry_dead_letters('users')}), 1, 'it is retried');
$mirror->is_copied('with the row of a dead letter', sql("SELECT count(*) FROM $users"));
is($mirror->select("SELECT first_name FROM whole.users WHERE id = $id"), 'Late', 'which is in Cassandra');

# a node that is frozen with writes in flight
$cassandra->pause;
sql("UPDATE $users SET phone = '2' WHERE nationality = 'FR'");
ok(wait_until($node, 'postgres', q{SELECT in_flight > 0 FROM userstream.mirror_status}), 'writes without an answer');
ok($mirror->kill_worker, 'whose worker is killed');
sql("UPDATE $users SET phone = '3' WHERE nationality = 'FR' AND gender = 'male'");
$cassandra->continue;
$mirror->is_copied('a frozen node goes on');

# a node that has forgotten the statements, and came up again
my (undef, $errors, $code) = $cassandra->cql('TRUNCATE system.prepared_statements');
is($code, 0, 'prepared statements are forgotten') or diag($errors);
$cassandra->kill;
$cassandra->start;
sql("UPDATE $users SET username = username || '.' WHERE gender = 'male'");
$mirror->is_copied('after a restart without prepared statements');

# the table changes while rows come
$kafka->produce_users($topic, 2000, seed => 2);
sql("ALTER TABLE $users ADD COLUMN seen timestamptz");
sql("UPDATE $users SET seen = '2026-01-01 00:00:00.123456Z' WHERE nationality = 'DE'");
$kafka->produce_users($topic, 2000, seed => 3);
sql("ALTER TABLE $users DROP COLUMN username");
sql("UPDATE $users SET seen = seen + interval '1 s', last_name = 'x' WHERE nationality = 'DE'");
my $sum = 0;
$sum += $_ foreach values %{ $kafka->end_offsets($topic) };
ok(wait_until($node, 'postgres', q{SELECT sum(next_offset) FROM userstream.partition_status}, $sum), 'all messages are taken');
is(sql("SELECT count(DISTINCT seen) FROM $users"), 1, 'a new column has values');

# Cassandra keeps the column that was dropped
(undef, $errors, $code) = $cassandra->cql('ALTER TABLE whole.users DROP username');
is($code, 0, 'a column that PostgreSQL has dropped can be dropped in Cassandra') or diag($errors);
sql("UPDATE $users SET phone = '1' WHERE nationality = 'US'");
$mirror->is_copied('after ALTER TABLE between changes');

# emptied, and filled again
sql("TRUNCATE $users");
$mirror->is_copied('after TRUNCATE', 0);
$kafka->produce_users($topic, 1000, seed => 4);
ok(has_rows(1000), 'rows after it');
$mirror->is_copied('and rows after it', 1000);
is(sql(q{SELECT parked FROM userstream.mirror_status}), 0, 'no row was parked');
is(sql(q{SELECT count(*) FROM userstream.incident WHERE mirror = 'users'}), 0, 'and there was no incident');

$node->stop('fast');
done_testing();
