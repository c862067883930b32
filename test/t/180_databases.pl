#
# test/t/180_databases.pl
#    what is done to databases while streams run in them: dropped, renamed,
#    moved, copied, closed, the extension dropped and made again, settings and
#    event triggers that would break a worker
#
use strict;
use warnings;

use IPC::Run qw(start finish timeout);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('databases', 2));
my $sum_read = "SELECT sum(messages_read) FROM userstream.ledger WHERE stream = 'work'";

sub read_so_far { return $node->safe_psql($_[0], $sum_read); }

# a database with a stream of the same topic
sub prepare
{
	my ($db) = @_;

	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, 'CREATE EXTENSION userstream');
	$delivery->prepare_database($db);
	$delivery->create_target($db, 'work');
	$delivery->create_stream($db, 'work');
	return;
}

sub workers_in
{
	my ($db) = @_;
	return "SELECT count(*) FROM pg_stat_activity WHERE datname = '$db' AND backend_type LIKE 'userstream%'";
}

prepare('work');
$delivery->produce(1000);
$delivery->is_delivered('work', 'work', 'before');

# ---------------------------------------------------------------------------
# commands that want a database to themselves, while messages come
# ---------------------------------------------------------------------------
$delivery->produce_meanwhile(20_000);
ok(wait_until($node, 'work', "SELECT ($sum_read) > 1000"), 'it reads');
$node->safe_psql('postgres', 'CREATE DATABASE copy TEMPLATE work');
ok(wait_until($node, 'postgres', workers_in('work'), 2), 'TEMPLATE: the original goes on');
is( $node->safe_psql('copy',
		"SELECT state, last_error LIKE '%comes from another database%adopt%' FROM userstream.stream_status"),
	'stopped|t', 'TEMPLATE: the copy has stopped and says how it goes on');
$node->safe_psql('postgres', 'ALTER DATABASE work RENAME TO moved');
ok(wait_until($node, 'postgres', workers_in('moved'), 2), 'RENAME: it goes on under the new name');
my $space = $node->basedir . '/space';
mkdir $space;
$node->safe_psql('postgres', "CREATE TABLESPACE space LOCATION '$space'");
$node->safe_psql('postgres', 'ALTER DATABASE moved SET TABLESPACE space');
ok(wait_until($node, 'postgres', workers_in('moved'), 2), 'SET TABLESPACE: it goes on');
$delivery->produce_rest;
$node->safe_psql('postgres', 'DROP DATABASE copy');
$delivery->await_producer;
$delivery->is_delivered('moved', 'work', 'copied, renamed and moved while messages came');

# a role that may not do it does not stop anything either
$node->safe_psql('postgres', 'CREATE ROLE stranger LOGIN');
my $pid = $node->safe_psql('moved', 'SELECT pids[1] FROM userstream.stream_status');
foreach my $command ('DROP DATABASE moved', 'ALTER DATABASE moved RENAME TO mine',
	'CREATE DATABASE mine TEMPLATE moved', 'ALTER DATABASE moved SET TABLESPACE pg_default')
{
	my ($rc, $out, $err) = $node->psql('postgres', "SET ROLE stranger; $command");
	like($err, qr/permission denied|must be owner/, "a stranger is refused: $command");
}
is($node->safe_psql('moved', 'SELECT pids[1] FROM userstream.stream_status'), $pid, 'and no worker had to go');

# someone else is in there: the command fails as ever, the stream goes on
my ($out, $err, $in) = ('', '', "SELECT 1;\n");
my $visitor = start([ 'psql', '-XAtq', '-d', $node->connstr('moved') ], '<', \$in, '>', \$out, '2>', \$err, timeout($PostgreSQL::Test::Utils::timeout_default));
$visitor->pump until $out =~ /1/;
my ($rc, undef, $said) = $node->psql('postgres', 'DROP DATABASE moved');
like($said, qr/is being accessed by other users/, 'DROP DATABASE with a visitor fails');
unlike($said, qr/2 other sessions|3 other sessions/, 'and counts the visitor only');
ok(wait_until($node, 'postgres', workers_in('moved'), 2), 'the stream goes on');
$in .= "\\q\n";
finish($visitor);
$delivery->produce(100);
$delivery->is_delivered('moved', 'work', 'after a DROP DATABASE that failed');

# closed, and opened again; the supervisor looks by itself
$node->safe_psql('postgres', 'ALTER DATABASE moved ALLOW_CONNECTIONS false');
ok(wait_until($node, 'postgres', workers_in('moved'), 0), 'ALLOW_CONNECTIONS false: all leave');
$delivery->produce(100);
$node->safe_psql('postgres', 'ALTER DATABASE moved ALLOW_CONNECTIONS true');
$node->reload;	# the launcher looks each minute, or when something wakes it
$delivery->is_delivered('moved', 'work', 'ALLOW_CONNECTIONS true');
$node->safe_psql('postgres', 'ALTER DATABASE moved IS_TEMPLATE true');
ok(wait_until($node, 'postgres', workers_in('moved'), 0), 'IS_TEMPLATE: nobody stays in a template');
$node->safe_psql('postgres', 'ALTER DATABASE moved IS_TEMPLATE false');
$node->safe_psql('postgres', 'DROP DATABASE moved WITH (FORCE)');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_database WHERE datname = 'moved'"), 0,
	'DROP DATABASE WITH (FORCE)');

# ---------------------------------------------------------------------------
# the extension dropped with work under way, and made again
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', 'CREATE DATABASE again');
$node->safe_psql('again', 'CREATE EXTENSION userstream');
$delivery->prepare_database('again');
$delivery->create_target('again', 'work');
# every message becomes a dead letter too, so that all our tables are in use
$node->safe_psql('again', 'CREATE TABLE bad (seq bigint CHECK (seq < 0))');
foreach my $round (1 .. 4)
{
	$node->safe_psql('again', 'CREATE EXTENSION userstream; TRUNCATE work') if $round > 1;
	create_server($node, 'again', $kafka) if $round > 1;
	$delivery->create_stream('again', 'work', workers => 2, options => q('{"batch_rows": 500}'));
	$node->safe_psql('again',
		"SELECT userstream.create_stream('bad', 'kafka', '$delivery->{topic}', 'bad', options => '{\"batch_rows\": 500}')");
	ok(wait_until($node, 'again', 'SELECT count(*) > 0 FROM userstream.dead_letter'), "dropped $round: it works");
	last if $round == 4;
	my ($code) = $node->psql('again', 'DROP EXTENSION userstream CASCADE');
	is($code, 0, "dropped $round: with work under way");
}
$delivery->is_delivered('again', 'work', 'dropped and made again');

# a drop that is taken back
($out, $err, $in) = ('', '', "BEGIN; DROP EXTENSION userstream CASCADE; SELECT 'dropped';\n");
$visitor = start([ 'psql', '-XAtq', '-d', $node->connstr('again') ], '<', \$in, '>', \$out, '2>', \$err, timeout($PostgreSQL::Test::Utils::timeout_default));
$visitor->pump until $out =~ /dropped/;
$delivery->produce(100);
wait_until($node, 'postgres', "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND locktype = 'object'");
$in .= "ROLLBACK;\n\\q\n";
finish($visitor);
$delivery->is_delivered('again', 'work', 'DROP EXTENSION rolled back');

my $log = slurp_file($node->logfile);
unlike($log, qr/deadlock detected/, 'no deadlock in all that');
unlike($log, qr/PANIC|terminated by signal|was terminated/, 'no process died of it');

# ---------------------------------------------------------------------------
# settings of role and database that would break a worker, event triggers
# ---------------------------------------------------------------------------
$node->safe_psql('again', "SELECT userstream.drop_stream('bad'); SELECT userstream.drop_stream('work'); TRUNCATE work");
$ENV{PGOPTIONS} = '-c default_transaction_read_only=off -c default_transaction_isolation=read\ committed'
  . ' -c statement_timeout=0 -c lock_timeout=0 -c idle_session_timeout=0 -c idle_in_transaction_session_timeout=0'
  . ' -c role=none -c search_path=public -c session_preload_libraries=';
$node->safe_psql(
	'again', q{
CREATE ROLE clerk LOGIN;
CREATE ROLE guest;
GRANT guest TO clerk;
GRANT INSERT ON work TO clerk;
GRANT USAGE ON SEQUENCE work_arrival_seq TO clerk;
GRANT USAGE ON FOREIGN SERVER kafka TO clerk;
CREATE TABLE refused (id int PRIMARY KEY);
INSERT INTO refused VALUES (1);
GRANT INSERT ON refused TO clerk;
CREATE FUNCTION no_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no %', tg_tag; END $$;
});
foreach my $who ('ROLE clerk', 'DATABASE again')
{
	foreach my $setting (
		'default_transaction_read_only = on', "default_transaction_isolation = 'serializable'",
		'default_transaction_deferrable = on', "statement_timeout = '1ms'", "lock_timeout = '1ms'",
		"idle_in_transaction_session_timeout = '1ms'", "idle_session_timeout = '1ms'",
		"search_path = 'nowhere'", "datestyle = 'SQL, DMY'", "intervalstyle = 'sql_standard'",
		"timezone = 'Asia/Kathmandu'", 'row_security = off', "session_preload_libraries = 'nothing_like_it'",
		"bytea_output = 'escape'", 'transform_null_equals = on', "default_tablespace = ''",
		"client_min_messages = 'error'", "role = 'guest'")
	{
		$node->safe_psql('again', "ALTER $who SET $setting");
	}
}
$node->safe_psql('again', q{CREATE EVENT TRIGGER no_ddl ON ddl_command_start EXECUTE FUNCTION no_ddl()});
$node->restart;
$node->safe_psql('again',
	"SET ROLE clerk; SELECT userstream.create_stream('work', 'kafka', '$delivery->{topic}', 'work',
		columns => '@{[DeliveryTest::COLUMNS =~ s/\}$/, \"arrival\": null}/r]}')");
$delivery->is_delivered('again', 'work', 'settings that would break a worker, a trigger against DDL');

# stopping is work too
$node->safe_psql('again', 'ALTER EVENT TRIGGER no_ddl DISABLE; REVOKE INSERT ON work FROM clerk');
$delivery->produce(100);
ok( wait_until($node, 'again',
		"SELECT state, (SELECT kind FROM userstream.incident WHERE closed_at IS NULL) FROM userstream.stream_status",
		'stopped|privilege'),
	'under them it can stop');
$node->safe_psql('again', "GRANT INSERT ON work TO clerk; SELECT userstream.resume_stream('work')");
$delivery->is_delivered('again', 'work', 'and go on');
$node->restart;	# a supervisor writes at its first turn, then each minute
ok(wait_until($node, 'again', 'SELECT count(*) > 0 FROM userstream.stream_history'), 'the supervisor writes its history');

$log = slurp_file($node->logfile);
unlike($log, qr/read-only transaction/, 'nothing was tried in a read-only transaction');

$node->stop('fast');
done_testing();
