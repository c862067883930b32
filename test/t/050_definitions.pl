#
# test/t/050_definitions.pl
#    definitions and views where more than one session, server or database is
#    needed: two calls at once, a slow broker, restore, a standby, a server
#    that is not preloaded
#
use strict;
use warnings;

use IPC::Run qw(start pump finish timeout);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

my $kafka = shared_kafka();
my $topic = $kafka->new_topic('definitions', 3);
my $node = userstream_node('main');
create_server($node, 'postgres', $kafka);
$node->safe_psql('postgres', 'CREATE TABLE t (id int)');

# psql in the background: its handle and what it says
sub in_background
{
	my ($sql) = @_;
	my %run = (out => '', err => '');

	$run{handle} = start(
		[ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose',
			'-d', $node->connstr('postgres'), '-c', $sql ],
		'<', \'', '>', \$run{out}, '2>', \$run{err}, timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%run;
}

# a session that holds an advisory lock until it is let go
sub hold
{
	my %run = (in => "SELECT pg_advisory_lock(1);\n\\echo held\n", out => '');

	$run{handle} = start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
		'<', \$run{in}, '>', \$run{out}, timeout($PostgreSQL::Test::Utils::timeout_default));
	pump $run{handle} until $run{out} =~ /held/;
	return \%run;
}

# whether so many sessions whose statement begins like this wait for such a thing
sub come_to_wait
{
	my ($statement, $wait, $count) = @_;

	return wait_until($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE query LIKE '$statement%' AND $wait", $count || 1);
}

# what a statement says when it fails
sub error_of
{
	my ($sql, $database, $where) = @_;
	my ($rc, $out, $err) = ($where || $node)->psql($database || 'postgres', "\\set VERBOSITY verbose\n$sql");

	return $err;
}

sub status_of
{
	my ($where, $database, $stream) = @_;

	return $where->safe_psql($database,
		"SELECT state, last_error FROM userstream.stream_status WHERE stream = '$stream'");
}

# two at once: the second waits for the first, and is told as if it came later
sub create_both
{
	my ($name, $end) = @_;
	my $lock = hold();
	my $create = "SELECT userstream.create_stream('$name', 'kafka', '$topic', 't')";
	my $first = in_background("BEGIN; $create; SELECT pg_advisory_lock(1); $end");

	ok(come_to_wait('BEGIN', "wait_event = 'advisory'"), "$name: the first call is done, not yet ended");
	my $second = in_background($create);
	ok(come_to_wait('SELECT userstream.create', "wait_event = 'transactionid'"),
		"$name: the second waits for it");
	finish($_->{handle}) foreach $lock, $first, $second;
	is($first->{err}, '', "$name: the first is no error");
	return $second->{err};
}

like(create_both('twice', 'COMMIT'), qr/42710: stream "twice" already exists/,
	'of two calls at once, one is told that the name is taken');
is(create_both('thrice', 'ROLLBACK'), '', 'and when the first takes it back, the second makes it');
$node->safe_psql('postgres', "SELECT userstream.drop_stream('thrice')");

# a broker that does not answer holds up nobody else
my $slow = UserstreamTest::Kafka->new('slow');
my $slow_topic = $slow->new_topic('slow', 1);
create_server($node, 'postgres', $slow, 'slow');
$node->safe_psql('postgres', 'CREATE TABLE busy (id int); CREATE TABLE going (id int)');
$slow->pause;
my $waiting = in_background("SELECT userstream.create_stream('busy', 'slow', '$slow_topic', 'busy')");
my $gone = in_background("SELECT userstream.create_stream('gone', 'slow', '$slow_topic', 'going')");
ok(come_to_wait('SELECT userstream.create', "wait_event_type = 'Extension'", 2), 'both calls ask the broker');
# in one session: a call asks for ten seconds only
is( $node->safe_psql('postgres',
		"SELECT count(*) FROM pg_locks WHERE relation IN ('busy'::regclass, 'going'::regclass);
		 SET lock_timeout = '1s'; ALTER TABLE busy ADD COLUMN name text; DROP TABLE going"),
	0, 'while the broker is asked, there is no lock on the target: it can be altered and dropped');
$slow->continue;
finish($_->{handle}) foreach $waiting, $gone;
is($waiting->{err}, '', 'a changed target that is still good is taken');
like($gone->{err}, qr/42P01: relation with OID \d+ does not exist/,
	'one that was dropped meanwhile is refused');
is($node->safe_psql('postgres', "SELECT count(*) FROM userstream.stream WHERE name = 'gone'"),
	0, 'and nothing is left of it');
$node->safe_psql('postgres', "SELECT userstream.drop_stream('busy')");
$slow->stop;

# in another database a definition stops, and says so
$node->safe_psql('postgres', qq{
	CREATE ROLE clerk LOGIN;
	INSERT INTO userstream.dead_letter (owner, owner_oid, home, stream, sqlstate, error)
	SELECT 'clerk', oid, (SELECT home FROM userstream.stream), 'twice', '22P02', 'x'
	FROM pg_roles WHERE rolname = 'clerk'});
my $dump = $node->backup_dir . '/dump.sql';
mkdir $node->backup_dir;
$node->command_ok([ 'pg_dump', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-f', $dump, '-d', $node->connstr('restored') ],
	'and restore, without an error');
my $elsewhere = 'stopped|definition comes from another database; '
  . 'userstream.adopt() continues from the restored positions';
is(status_of($node, 'restored', 'twice'), $elsewhere, 'a restored stream is stopped and says what to do');
like(error_of("SELECT userstream.resume_stream('twice')", 'restored'),
	qr/NOTICE: .*stream "twice" stays stopped: definition comes from another database; userstream.adopt\(\)/,
	'resume_stream does not help it, and says what does');
is( $node->safe_psql('restored', 'SELECT count(*) FROM userstream.partition_status'),
	3, 'its positions are there');
is( $node->safe_psql('restored', 'SET ROLE clerk; SELECT stream FROM userstream.dead_letter'),
	'twice', 'and the dead letters of the role of that name');
$node->safe_psql('restored', "SELECT userstream.create_stream('new', 'kafka', '$topic', 't')");
is( $node->safe_psql('restored', 'SELECT count(DISTINCT id) FROM userstream.stream'),
	2, 'no number is given twice');
is(status_of($node, 'postgres', 'twice') =~ /^stopped/, '', 'the one at home goes on');

$node->safe_psql('postgres', 'CREATE DATABASE copied TEMPLATE postgres');
is(status_of($node, 'copied', 'twice'), $elsewhere, 'a stream copied with its database is stopped');
$node->safe_psql('postgres', 'DROP DATABASE copied');
$node->safe_psql('postgres', 'DROP DATABASE restored');

# a standby
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
is( status_of($standby, 'postgres', 'twice'),
	'starting|this server is a standby (recovery is in progress); streams run on the primary',
	'on a standby the views answer and say so');
like(error_of("SELECT userstream.pause_stream('twice')", 'postgres', $standby),
	qr/25006: cannot execute pause_stream\(\) in a read-only transaction/, 'nothing can be changed there');
$standby->stop;

# off, and not preloaded
$node->safe_psql('postgres', 'ALTER SYSTEM SET userstream.enabled = off');
$node->reload;
my $off = 'starting|userstream.enabled is off; '
  . 'ALTER SYSTEM SET userstream.enabled = on and SELECT pg_reload_conf() continue';
wait_until($node, 'postgres',
	"SELECT state || '|' || last_error FROM userstream.stream_status WHERE stream = 'twice'", $off);
is(status_of($node, 'postgres', 'twice'), $off, 'switched off, the views say so');
like(error_of("SELECT userstream.create_stream('idle', 'kafka', '$topic', 't')"),
	qr/WARNING:.*stream "idle" will not run yet\nDETAIL:  The setting "userstream.enabled" is off/,
	'create_stream warns');
like(error_of("SELECT userstream.resume_stream('twice')"), qr/WARNING:.*stream "twice" will not run yet/,
	'so does resume_stream');
$node->safe_psql('postgres', 'ALTER SYSTEM RESET userstream.enabled');

$node->append_conf('postgresql.conf', "shared_preload_libraries = ''");
$node->restart;
is( status_of($node, 'postgres', 'twice'),
	'starting|the library is not preloaded; adding userstream to shared_preload_libraries '
	  . 'and a restart of the server continue',
	'not preloaded, the views answer and say so');
like(error_of("SELECT userstream.create_stream('idler', 'kafka', '$topic', 't')"),
	qr/WARNING:.*stream "idler" will not run yet\nDETAIL:  The library is not preloaded/, 'create_stream warns');
is( $node->safe_psql('postgres', "SELECT userstream.drop_stream('idler');"
	  . " SELECT count(*) FROM userstream.stream_status WHERE stream = 'idler'"),
	"\n0", 'definitions can be changed');

$node->stop;
done_testing();
