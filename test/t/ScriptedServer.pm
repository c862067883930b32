#
# test/t/ScriptedServer.pm
#    a server of a test's own that takes commands, a line each, and answers a line each
#
#    my $proxy = ScriptedServer->new("$ENV{USERSTREAM_SRC}/test/servers/proxy");
#    $proxy->first            # the line it began with, such as its port
#    $proxy->ask('cut 1000'); # its answer
#
package ScriptedServer;

use strict;
use warnings;

use Carp;
use IPC::Open2;

my @own;

sub new
{
	my ($class, $program, @args) = @_;
	my $self = bless { program => $program }, $class;

	$self->{pid} = open2($self->{out}, $self->{in}, $program, @args);
	push @own, $self;
	$self->{first} = readline($self->{out}) // croak "no $program";
	chomp $self->{first};
	return $self;
}

sub first { return $_[0]->{first} }

# a command and its answer
sub ask
{
	my ($self, $command) = @_;

	syswrite $self->{in}, "$command\n";
	my $answer = readline $self->{out};
	croak "$self->{program} ended" unless defined $answer;
	chomp $answer;
	croak "$command: $answer" if $answer =~ /^unknown/;
	return $answer;
}

# asks until the answer is one of those that the pattern takes
sub wait_for
{
	my ($self, $command, $pattern) = @_;
	my $end = time + ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);
	my $answer;

	while (time < $end)
	{
		$answer = $self->ask($command);
		return 1 if $answer =~ $pattern;
		select undef, undef, undef, 0.05;
	}
	Test::More::diag("waited in vain for $pattern of \"$command\": $answer");
	return 0;
}

# Asks them until a second brings no other answer.
sub settles
{
	my ($self, @commands) = @_;
	my $end = time + ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);
	my ($before, $now) = ('', '');

	while (time < $end)
	{
		$now = join ' ', map { $self->ask($_) } @commands;
		return 1 if $now eq $before;
		$before = $now;
		select undef, undef, undef, 1;
	}
	Test::More::diag("@commands: still changing: $now");
	return 0;
}

END
{
	my $exit = $?;

	foreach my $server (@own)
	{
		close $server->{in};
		waitpid $server->{pid}, 0;
	}
	$? = $exit;
}

1;
