#
# test/t/173_resources.pl
#    what a server can run out of while streams write: disk for tables, disk for
#    WAL, memory; a synchronous standby that goes and comes back.  The stream says
#    what it waits for, goes on by itself, and no message is blamed.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
my $full_disk = "${PostgreSQL::Test::Utils::tmp_check}/full_disk.so";
run_log([ 'cc', '-D_GNU_SOURCE', '-shared', '-fPIC', '-o', $full_disk, "$ENV{USERSTREAM_SRC}/test/servers/full_disk.c", '-ldl' ])
  or die 'could not build full_disk.so';
my $is_full = "${PostgreSQL::Test::Utils::tmp_check}/is_full.$$";
$ENV{FULL_DISK} = $is_full;
my $node = userstream_node('main', start => 0,
	conf => "userstream.restart_interval = '500ms'\nwal_recycle = off\nmin_wal_size = 32MB\nmax_wal_size = 64MB");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('resources', 2));

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub start_preloaded { local $ENV{LD_PRELOAD} = $full_disk; return $node->start; }

# from here on no file grows whose path has the text in it
sub fill_disk { append_to_file($is_full, $_[0]); return; }
sub free_disk { unlink $is_full; return; }

sub is_in_state
{
	my ($state, $pattern, $what) = @_;
	return ok( wait_until($node, 'postgres',
			"SELECT state, coalesce(last_error, '') ~ '$pattern' FROM userstream.stream_status WHERE stream = 'resources'", "$state|t"),
		$what);
}

sub nobody_is_blamed
{
	is(sql('SELECT (SELECT count(*) FROM userstream.dead_letter) + (SELECT count(*) FROM userstream.incident)'), 0,
		"$_[0]: no message is blamed, and no person called");
	return;
}

start_preloaded();
sql('CREATE EXTENSION userstream');
$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'resources', 'UNIQUE (kafka_partition, kafka_offset)');
$delivery->create_stream('postgres', 'resources', options => q('{"batch_rows": 1000}'));
$delivery->produce(2000);
$delivery->is_delivered('postgres', 'resources', 'before');

# ---------------------------------------------------------------------------
# disk
# ---------------------------------------------------------------------------
foreach my $target ('direct', 'triggered')
{
	fill_disk('/base/');
	$delivery->produce(5000);
	is_in_state('blocked', 'No space left on device', "no disk for tables, $target: blocked and says why");
	free_disk();
	$delivery->is_delivered('postgres', 'resources', "disk for tables again, $target");
	nobody_is_blamed("no disk for tables, $target");
	sql(q{CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
		CREATE TRIGGER pass BEFORE INSERT ON resources FOR EACH ROW EXECUTE FUNCTION pass()})
	  if $target eq 'direct';
}
sql('DROP TRIGGER pass ON resources');

# a server without WAL panics, and again while it recovers, until it gives up
fill_disk('/pg_wal/');
$delivery->produce(5000);
foreach (1 .. 600)
{
	last if slurp_file($node->logfile) =~ /PANIC:.*No space left on device/;
	$node->psql('postgres', 'SELECT pg_switch_wal()', on_error_die => 0);
	select undef, undef, undef, 0.1;
}
like(slurp_file($node->logfile), qr/PANIC:.*No space left on device/, 'no disk for WAL: the server panics');
free_disk();
foreach (1 .. 300)
{
	last if wait_until($node, 'postgres', 'SELECT true', 't', 1);
	$node->_update_pid(-1);
	next if $node->{_pid};
	local $ENV{LD_PRELOAD} = $full_disk;
	$node->start(fail_ok => 1);
}
$delivery->is_delivered('postgres', 'resources', 'disk for WAL again');
nobody_is_blamed('no disk for WAL');

# ---------------------------------------------------------------------------
# memory: a trigger that wants more than there is
# ---------------------------------------------------------------------------
my $pid = sql('SELECT pids[1] FROM userstream.stream_status');
my ($kb) = slurp_file("/proc/$pid/status") =~ /VmSize:\s+(\d+) kB/;
my $limit = $kb + 400 * 1024;
$node->stop('fast');
system('sh', '-c', 'ulimit -v "$1" && shift && exec "$@"', 'sh', $limit,
	'pg_ctl', '-w', '-s', '-D', $node->data_dir, '-l', $node->logfile, 'start') == 0 or die 'could not start';
$node->_update_pid(1);
$delivery->produce(1000);
$delivery->is_delivered('postgres', 'resources', 'with little memory');
sql(q{CREATE TABLE greedy (yes boolean);
	INSERT INTO greedy VALUES (true);
	CREATE FUNCTION want() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF (SELECT yes FROM public.greedy) THEN
			PERFORM length(repeat('x', 900 * 1024 * 1024));
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER want BEFORE INSERT ON resources FOR EACH ROW WHEN (NEW.seq % 100 = 0) EXECUTE FUNCTION want()});
$delivery->produce(1000);
is_in_state('blocked', 'out of memory', 'more memory than there is: blocked and says why');
sql('UPDATE greedy SET yes = false');
$delivery->is_delivered('postgres', 'resources', 'enough memory');
nobody_is_blamed('more memory than there is');
$node->stop('fast');
$node->start;

# ---------------------------------------------------------------------------
# a synchronous standby goes, and comes back
# ---------------------------------------------------------------------------
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
sql(q{ALTER SYSTEM SET synchronous_standby_names = 'standby'});
$node->reload;
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'}, 1), 'a synchronous standby');
$delivery->produce(1000);
$delivery->is_delivered('postgres', 'resources', 'with it');
$standby->stop('immediate');
$delivery->produce(1000);
ok( wait_until($node, 'postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'userstream stream' AND wait_event = 'SyncRep'}),
	'it is down: commits wait');
$standby->start;
$delivery->is_delivered('postgres', 'resources', 'it is up again');
nobody_is_blamed('standby down');
$standby->stop('fast');
sql(q{ALTER SYSTEM RESET synchronous_standby_names});
$node->reload;

$node->stop('fast');
done_testing();
