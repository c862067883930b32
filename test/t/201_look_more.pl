#
# test/t/201_look_more.pl
#    looking at topics where not every offset has a message, and what is left of
#    it: nothing on the brokers, nothing in the caller's transaction
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

my $kafka = shared_kafka();
my $node = userstream_node('main');
create_server($node, 'postgres', $kafka);
# a marker at the end is known by an answer without messages, for which the broker takes this time
$node->safe_psql('postgres', q{ALTER SERVER kafka OPTIONS (ADD "fetch.wait.max.ms" '300')});

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub values_of
{
	my ($arguments) = @_;
	return ask("SELECT coalesce(string_agg(convert_from(value, 'UTF8'), ' ' ORDER BY partition, kafka_offset), '')
		FROM userstream.peek('kafka', $arguments)");
}

# each message in a transaction of its own, then many that are not committed
my $topic = $kafka->new_topic('transactions', 2);
$kafka->produce_script($topic, [
		(map { ('a begin', [ 'a', 'send', 0, 0, 'k', "v$_" ], 'a commit') } 1 .. 5),
		'a begin', (map { [ 'a', 'send', 0, 0, 'k', 'no' ] } 1 .. 50), 'a abort',
		'a begin', [ 'a', 'send', 1, 0, 'k', 'w1' ], 'a commit' ]);
is(values_of("'$topic', 0, max_messages => 1"), 'v5', 'the newest message is found before markers and what was not committed');
is(values_of("'$topic', 0, max_messages => 3"), 'v3 v4 v5', 'as many as are wanted');
is(values_of("'$topic', 0"), 'v1 v2 v3 v4 v5', 'or as there are');
is(values_of("'$topic', max_messages => 2"), 'v5 w1', 'of the newest of all partitions');
is(values_of("'$topic', 0, from_offset => 8"), 'v5', 'from an offset, up to the end');
is(values_of("'$topic', 0, from_offset => 20"), '', 'where nothing is');
is(values_of("'$topic', 0, from_time => '294276-12-31 23:59:59 UTC'"), '', 'from the last time that there is');

is($kafka->group_offsets('userstream.peek', $topic), '', 'no group knows of it');

# cancelled in the middle of other work
my ($rc, $out, $err) = $node->psql('postgres', q{
	CREATE SERVER nobody FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" '127.0.0.1:1');
	CREATE TABLE kept (n int);
	BEGIN;
	INSERT INTO kept VALUES (1);
	SAVEPOINT s;
	SET LOCAL statement_timeout = '1s';
	SELECT * FROM userstream.peek('nobody', 'x');
	ROLLBACK TO s;
	INSERT INTO kept SELECT count(*) FROM userstream.peek('kafka', '} . $topic . q{', 1);
	COMMIT;
	TABLE kept;}, on_error_stop => 0);
like($err, qr/canceling statement due to statement timeout/, 'a cancelled look');
is($out, "1\n1", 'can be rolled back to a savepoint, and the next one works');

# try_message beside what the caller has going on
my $plain = $kafka->new_topic('plain', 1);
ask(q{CREATE TABLE parent (id int PRIMARY KEY);
	CREATE TABLE child (id int PRIMARY KEY, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
	CREATE TABLE plain (id int PRIMARY KEY, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED)});
ask("SELECT userstream.create_stream('plain', 'kafka', '$plain', 'plain')");
is( ask(q{
	BEGIN;
	INSERT INTO child VALUES (1, 1);
	INSERT INTO parent VALUES (1);
	DECLARE c CURSOR FOR SELECT generate_series(1, 3);
	FETCH c;
	SELECT * FROM userstream.try_message('plain', '{"id": 1, "parent": 1}');
	SELECT a, b FROM userstream.try_message('plain', '{"id": 2}') a, userstream.try_message('plain', '{"id": 3}') b;
	FETCH c;
	INSERT INTO child VALUES (2, 2);
	INSERT INTO parent VALUES (2);
	COMMIT;
	SELECT (SELECT count(*) FROM child), (SELECT count(*) FROM plain)}),
	join("\n", 1, '{"id": 1, "parent": 1}', '{"id": 2, "parent": null}|{"id": 3, "parent": null}', 2, '2|0'), 'cursors and deferred constraints go on as they were');
($rc, $out, $err) = $node->psql('postgres', q{
	BEGIN;
	INSERT INTO child VALUES (3, 3);
	SELECT * FROM userstream.try_message('plain', '{"id": 4}');
	INSERT INTO parent VALUES (3);
	COMMIT;
	TABLE child;}, on_error_stop => 0);
like($err, qr/violates foreign key constraint "child_parent_fkey"/, 'what the caller has still to put right has to be right before');
($rc, $out, $err) = $node->psql('postgres', q{SELECT * FROM userstream.try_message('plain', '{"id": 4, "parent": 4}')});
like($err, qr/violates foreign key constraint "plain_parent_fkey"/, 'a constraint that would be deferred is');

$node->stop;
done_testing();
