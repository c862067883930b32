#
# test/soak/030_reopen.pl
#    kills while a worker opens its source anew because an option of its server changed,
#    and while rows are upserted and removed, directly and by statements, and someone
#    else has the same rows in his hands: nothing is lost, nothing there twice
#
# Every other round ends with kill -9 at the moment when a worker has no source, the
# others with any fault of FaultTest's, in random order.  SOAK_SEED repeats it,
# SOAK_ROUNDS is how many.
#
use strict;
use warnings;

use IPC::Run ();
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use UserstreamTest;
use DeliveryTest;
use FaultTest;
use UpsertTest;

# of a round: large messages (many for a backlog, else few), and upserts
use constant { BACKLOG => 3000, FEW => 300, LARGE_BYTES => 20_000, UPSERTS => 8000, KEYS => 3000, BAD_SHARE => 0.01 };

my $seed = $ENV{SOAK_SEED} // int(rand(2**31));
my $rounds = $ENV{SOAK_ROUNDS} // 20;

note("SOAK_SEED=$seed");
srand($seed);

my $kafka = UserstreamTest::Kafka->new('reopen');
my $node = userstream_node('reopen', conf => "userstream.restart_interval = '100ms'\nlog_min_messages = log");
my $opened = DeliveryTest->new($node, $kafka, $kafka->new_topic('opened', 2));
my $kept = $kafka->new_topic('kept', UpsertTest::PARTITIONS);
my @faults = FaultTest::all();
my $filler = '"filler": "' . ('x' x LARGE_BYTES) . '"';
my $workers = q{SELECT pid FROM pg_stat_activity WHERE application_name = 'userstream: opened #0'};
my $without_source = 0;

sub sql { return $node->safe_psql('postgres', $_[0]); }

# upserts from a process beside the test, in small portions; returns its pid
sub produce_upserts
{
	my @lines = map { UpsertTest::random_message(KEYS, BAD_SHARE) } 1 .. UPSERTS;
	my $pid = fork // die "fork: $!";

	return $pid if $pid;
	my $is_done = eval {
		$kafka->produce_script($kept, [ splice @lines, 0, 1000 ]) while @lines;
		1;
	};
	print STDERR $@ unless $is_done;
	# not exit: what the test started is not the child's to stop
	POSIX::_exit($is_done ? 0 : 1);
}

# Moves rows and leaves what is in them, until a crash of the server or the test ends it:
# the worker meets locks, rows that moved, and some that are gone and there again.
sub meddle
{
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', q{
		DO $$
		DECLARE
			r kept;
		BEGIN
			LOOP
				BEGIN
					UPDATE kept SET a = a WHERE id % 50 = (random() * 50)::int;
					FOR r IN DELETE FROM kept WHERE id % 200 = (random() * 200)::int RETURNING * LOOP
						INSERT INTO kept VALUES (r.*);
					END LOOP;
				EXCEPTION WHEN deadlock_detected THEN NULL;
				END;
				COMMIT;
				PERFORM pg_sleep(0.02);
			END LOOP;
		END $$} ], '<', \'', '>', \my $out, '2>', \my $err);
	return $session;
}

# ends a session of another program, which may have died in a crash
sub end_session
{
	my ($session, $pattern) = @_;

	$node->psql('postgres', "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%$pattern%' AND pid <> pg_backend_pid()");
	eval { $session->finish };
	return;
}

# a worker in the middle of a backlog whose server gets another option: it opens its
# source anew once its batch is in the table, which is locked until then
sub change_server
{
	my ($round) = @_;

	my $holder = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'),
			'-c', 'BEGIN; LOCK opened; SELECT pg_sleep(600)' ], '<', \'', '>', \my $out, '2>', \my $err);
	wait_until($node, 'postgres', q{SELECT count(*) > 0 FROM pg_locks WHERE granted AND relation = 'opened'::regclass AND mode = 'AccessExclusiveLock'}, 't')
	  or return 0;
	$opened->produce_with($filler, BACKLOG);
	my $is_blocked = wait_until($node, 'postgres', q{SELECT state FROM userstream.stream_status WHERE stream = 'opened'}, 'blocked');
	sql(sprintf q{ALTER SERVER kafka OPTIONS (SET "fetch.wait.max.ms" '%d')}, 500 + $round);
	end_session($holder, 'LOCK opened;');
	return $is_blocked;
}

# the threads of a process by name; those without a name of their own are "ours"
sub threads
{
	my ($pid) = @_;
	my %count = (ours => 0, main => 0, broker => 0);

	foreach my $file (glob "/proc/$pid/task/*/comm")
	{
		open(my $name, '<', $file) or next;
		$count{ (readline($name) // '') =~ /^rdk:(main|broker)/ ? $1 : 'ours' }++;
	}
	return \%count;
}

# kill -9 of a worker while its source is closed; one that has read everything first is
# killed then
sub kill_without_source
{
	my $had_source = 0;

	wait_until($node, 'postgres', "SELECT count(*) FROM ($workers) w", 1) or return 0;
	my $pid = sql($workers);
	foreach my $look (1 .. 20_000)
	{
		my $now = threads($pid);

		# a thread of ours closes it, one of librdkafka's is there as long as it is open
		if ($had_source && $now->{main} < 2 && ($now->{ours} > 1 || !$now->{main}))
		{
			$without_source++;
			last;
		}
		$had_source ||= $now->{ours} == 1 && $now->{main} && $now->{broker};
		last if $look % 500 == 0 && sql(q{SELECT state FROM userstream.stream_status WHERE stream = 'opened'}) eq 'caught_up';
		sleep(0.001);
	}
	return FaultTest::kill_process($node, $pid);
}

$opened->prepare_database('postgres');
$opened->create_target('postgres', 'opened');
sql(q{ALTER SERVER kafka OPTIONS (ADD "fetch.wait.max.ms" '500')});
$opened->create_stream('postgres', 'opened');
sql(UpsertTest::create_target('kept'));
sql(qq{SELECT userstream.create_stream('kept', 'kafka', '$kept', 'kept', mode => 'upsert', workers => 2,
	options => '{"batch_rows": 500}')});

foreach my $round (1 .. $rounds)
{
	my $meddling = meddle();
	my $producer = produce_upserts();
	my $is_over;

	if ($round % 2)
	{
		$is_over = change_server($round) && kill_without_source();
	}
	else
	{
		$opened->produce_with($filler, FEW);
		$is_over = FaultTest::strike($node, $faults[ rand @faults ]);
	}
	ok($is_over, "round $round");
	end_session($meddling, 'DECLARE');
	waitpid $producer, 0;
	is($?, 0, "round $round: all is produced");
}

$opened->is_delivered('postgres', 'opened', "$rounds rounds (SOAK_SEED=$seed)");
my $ends = $kafka->end_offsets($kept);
ok( wait_until($node, 'postgres',
		q{SELECT string_agg(partition || ':' || next_offset, ',' ORDER BY partition) FROM userstream.partition_status WHERE stream = 'kept'},
		join(',', map { "$_:$ends->{$_}" } sort { $a <=> $b } keys %$ends)), 'all upserts are read');
is(UpsertTest::is_like_messages($node, 'kept', "the table is what the messages say (SOAK_SEED=$seed)"),
	UPSERTS * $rounds, 'the reference has every message');
is(sql('SELECT count(*) FROM (SELECT FROM userstream.dead_letter GROUP BY stream, partition, kafka_offset HAVING count(*) > 1) twice'),
	0, 'no dead letter is there twice');

my $anew = () = slurp_file($node->logfile) =~ /stream "opened" connects anew/g;
note("$anew times it was opened anew, $without_source kills without a source");
cmp_ok($without_source, '>', 0, 'a worker was killed while it had no source');

$node->stop('fast');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal (?!9\b)\d+/, 'nothing crashed by itself');
done_testing();
