#
# test/t/TestGroups.pm
#    which group a test belongs to (test/groups), and prove's summary by groups
#
#    prove --formatter TestGroups FILE ...   appends "group files tests failed"
#                                            to the file $USERSTREAM_COUNTS
#    perl -MTestGroups -e 'TestGroups::choose(@ARGV)' "GROUP .." FILE ...
#                                            prints those files that belong to them
#    perl -MTestGroups -e 'TestGroups::show(@ARGV)' COUNTS
#                                            prints the sums, in the order of test/groups
#
package TestGroups;

use strict;
use warnings;

use TAP::Formatter::Console;
use TAP::Formatter::File;

# as prove itself chooses: no moving figures in a file
our @ISA = (-t STDOUT ? 'TAP::Formatter::Console' : 'TAP::Formatter::File');

my @patterns;    # [ regular expression, group ]
my @order = qw(SQL stream API Cassandra dashboard);

sub read_groups
{
	return if @patterns;
	open(my $handle, '<', "$ENV{USERSTREAM_SRC}/test/groups") or die "test/groups: $!\n";
	while (my $line = <$handle>)
	{
		next if $line =~ /^\s*(?:#|$)/;
		my ($pattern, $group) = split ' ', $line;
		push @patterns, [ join('.*', map { quotemeta } split(/\*/, $pattern, -1)), $group ];
	}
	close $handle;
	return;
}

sub group_of
{
	my ($file) = @_;

	read_groups();
	$file =~ s{^.*/}{} unless $file =~ m{^test/};
	foreach (@patterns)
	{
		return $_->[1] if $file =~ /^$_->[0]$/;
	}
	die "$file: no group in test/groups\n";
}

sub choose
{
	my ($groups, @files) = @_;
	my %wanted = map { ($_ => 1) } split ' ', $groups;

	print "$_\n" foreach grep { $wanted{ group_of($_) } } @files;
	return;
}

sub check
{
	my ($groups) = @_;
	my %known = map { ($_ => 1) } @order;
	my @unknown = grep { !$known{$_} } split ' ', $groups;

	die "make test: no group \"@unknown\" in GROUP; there are: @order\n" if @unknown;
	return;
}

# TAP::Harness calls this at the end of a run
sub summary
{
	my ($self, $aggregate, @rest) = @_;

	$self->SUPER::summary($aggregate, @rest);
	open(my $handle, '>>', $ENV{USERSTREAM_COUNTS}) or die "$ENV{USERSTREAM_COUNTS}: $!\n";
	foreach my $file ($aggregate->descriptions)
	{
		my ($parser) = $aggregate->parsers($file);
		my $failed = $parser->has_problems ? 1 : 0;
		print $handle join("\t", group_of($file), 1, $parser->tests_run, $failed), "\n";
	}
	close $handle;
	return;
}

sub show
{
	my ($counts) = @_;
	my %sum;

	open(my $handle, '<', $counts) or return;
	while (<$handle>)
	{
		chomp;
		my ($group, @numbers) = split /\t/;
		$sum{$group}[$_] += $numbers[$_] foreach 0 .. 2;
	}
	close $handle;
	foreach my $group (grep { $sum{$_} } @order)
	{
		my ($files, $tests, $failed) = @{ $sum{$group} };
		printf "    %-10s %5d tests in %d files%s\n", $group, $tests, $files,
		  $failed ? ", $failed of them FAILED" : '';
	}
	return;
}

1;
