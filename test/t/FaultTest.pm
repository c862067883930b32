#
# test/t/FaultTest.pm
#    ends that processes of a server can come to
#
#    my @faults = FaultTest::all;                    # "kill stream", "terminate launcher", ...
#    FaultTest::strike($node, 'kill checkpointer');  # when this returns, the server answers
#
package FaultTest;

use strict;
use warnings;

use Carp;
use IPC::Run ();
use PostgreSQL::Test::Utils;
use Time::HiRes qw(sleep);
use UserstreamTest;

my %backend_type = (
	stream => 'userstream stream', mirror => 'userstream mirror', supervisor => 'userstream supervisor', launcher => 'userstream launcher',
	checkpointer => 'checkpointer');

sub all
{
	return ((map { "kill $_" } qw(checkpointer launcher stream supervisor session postmaster)),
		(map { my $how = $_; map { "$how $_" } qw(stream supervisor launcher) } qw(terminate cancel)),
		'stop immediate', 'stop fast');
}

# one of its kind, which may be missing for a moment; undef: it never came
sub pid_of
{
	my ($node, $kind) = @_;
	my $pids = "SELECT pid FROM pg_stat_activity WHERE backend_type = '$backend_type{$kind}'";

	foreach (1 .. 5)
	{
		wait_until($node, 'postgres', "SELECT count(*) > 0 FROM ($pids) p") or return;
		my ($code, $out) = $node->psql('postgres', $pids);
		my @found = split /\n/, $out // '';
		return $found[ rand @found ] if @found;
	}
	return;
}

sub answers { return wait_until($_[0], 'postgres', 'SELECT true') }

# kill -9 is a crash: over when the process is gone and the server there again
sub kill_process
{
	my ($node, $pid) = @_;

	kill 'KILL', $pid;
	return wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", 0);
}

sub kill_session
{
	my ($node) = @_;
	my $session = IPC::Run::start([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-c', 'SELECT pg_sleep(600)' ],
		'<', \'', '>', \my $out, '2>', \my $err);
	my $sleeps = "FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND backend_type = 'client backend'";

	wait_until($node, 'postgres', "SELECT count(*) > 0 $sleeps") or return 0;
	my $is_over = kill_process($node, $node->safe_psql('postgres', "SELECT min(pid) $sleeps"));
	$session->finish;
	return $is_over;
}

# After the end of a postmaster without a word: its children notice that it is gone,
# and none may be left when another starts.
sub start_again
{
	my ($node, $pid) = @_;

	foreach (1 .. 600)
	{
		$node->{_pid} = undef;
		return 1 if !kill(0, $pid) && $node->start(fail_ok => 1);
		sleep(0.1);
	}
	return 0;
}

sub kill_postmaster
{
	my ($node) = @_;
	my $pid = $node->{_pid};

	kill 'KILL', $pid;
	return start_again($node, $pid);
}

# whether it came about, and the server is there
sub strike
{
	my ($node, $fault) = @_;
	my ($how, $what) = split ' ', $fault;

	if ($how eq 'stop')
	{
		$node->stop($what);
		return $node->start;
	}
	return kill_postmaster($node) if $fault eq 'kill postmaster';
	return kill_session($node) if $fault eq 'kill session';
	croak "no fault \"$fault\"" unless $backend_type{$what};

	my $pid = pid_of($node, $what) or return 0;
	return kill_process($node, $pid) if $how eq 'kill';
	my $function = { terminate => 'pg_terminate_backend', cancel => 'pg_cancel_backend' }->{$how}
	  or croak "no fault \"$fault\"";
	# it may have ended by itself meanwhile
	return $node->safe_psql('postgres', "SELECT $function($pid)") =~ /^[tf]$/;
}

1;
