#
# test/t/DeliveryTest.pm
#    what the delivery tests (1xx) have in common: numbered messages, a target
#    that keeps what test/checker.sql asks for, and the verdict
#
#    my $delivery = DeliveryTest->new($node, $kafka, $topic);
#    $delivery->prepare('postgres', 'orders');     # server, checker, target
#    $delivery->produce(100_000);
#    $delivery->is_delivered('postgres', 'orders', 'in bulk');
#
package DeliveryTest;

use strict;
use warnings;

use Carp;
use Digest::MD5 qw(md5_hex);
use POSIX ();
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

# where the coordinates come from; the other columns go by name
use constant COLUMNS =>
  '{"kafka_partition": "@partition", "kafka_offset": "@offset", "part": "@partition"}';

sub new
{
	my ($class, $node, $kafka, $topic) = @_;
	return bless {
		node => $node, kafka => $kafka, topic => $topic,
		last => 0, rows => 0, sum => 0,
	}, $class;
}

# the server and the checker of a database
sub prepare_database
{
	my ($self, $db) = @_;

	create_server($self->{node}, $db, $self->{kafka});
	$self->{node}->safe_psql($db, slurp_file("$ENV{USERSTREAM_SRC}/test/checker.sql"));
	return;
}

# a plain heap; arrival is in the order of insertion
sub create_target
{
	my ($self, $db, $table, $more) = @_;

	$self->{node}->safe_psql($db,
		"CREATE TABLE $table (seq bigint, part int, body text, checksum text, kafka_partition int,
			kafka_offset bigint, arrival bigserial" . (defined $more ? ", $more" : '') . ')');
	return;
}

# A stream of the same name as its target.  Arguments of create_stream are SQL;
#    server => 'name'  another server than "kafka"
sub create_stream
{
	my ($self, $db, $name, %args) = @_;
	my $server = delete $args{server} || 'kafka';
	my $more = join '', map { ", $_ => $args{$_}" } sort keys %args;

	$self->{node}->safe_psql($db,
		"SELECT userstream.create_stream('$name', '$server', '$self->{topic}', '$name',
			columns => '@{[COLUMNS]}'$more)");
	return;
}

# a good message with the next number; "more" are further fields, as JSON
sub message
{
	my ($self, $more) = @_;
	my $seq = ++$self->{last};
	my $body = "message $seq " . ('x' x ($seq % 50));

	$self->{rows}++;
	$self->{sum} += $seq;
	return {
		key => $seq,
		value => sprintf('{"seq": %d, "body": "%s", "checksum": "%s"%s}',
			$seq, $body, md5_hex($seq . $body), defined $more ? ", $more" : ''),
	};
}

# the same as a line for produce_script
sub line
{
	my ($self, $producer, $partition, %args) = @_;
	my $message = $self->message;
	return [ $producer, 'send', $partition, $args{time} || 0, $message->{key}, $message->{value} ];
}

# so many good messages, spread over the partitions by their keys
sub produce
{
	my ($self, $count, %args) = @_;

	$self->{kafka}->produce($self->{topic}, [ map { $self->message } 1 .. $count ], %args);
	return;
}

# the same with further fields, as JSON (undef: none)
sub produce_with
{
	my ($self, $fields, $count, %args) = @_;

	$self->{kafka}->produce($self->{topic}, [ map { $self->message($fields) } 1 .. $count ], %args);
	return;
}

# the last so many messages are not to become rows after all
sub take_back
{
	my ($self, $count) = @_;

	$self->{rows} -= $count;
	$self->{sum} -= $_ foreach $self->{last} - $count + 1 .. $self->{last};
	return;
}

# Good messages from a process beside the test, so that something comes whatever the
# test does: half of them in small portions at once, the other half from
# produce_rest on.  Between the two the test knows that more will come.
sub produce_meanwhile
{
	my ($self, $count) = @_;
	my @messages = map { $self->message } 1 .. $count;

	pipe(my $wait, $self->{go}) or croak "pipe: $!";
	$self->{producer} = fork;
	croak "fork: $!" unless defined $self->{producer};
	if ($self->{producer})
	{
		close $wait;
		return;
	}
	close $self->{go};
	my $is_done = eval {
		while (@messages)
		{
			# the end of the pipe is the word to go on
			readline $wait if @messages <= $count / 2;
			$self->{kafka}->produce($self->{topic}, [ splice @messages, 0, 1000 ]);
		}
		1;
	};
	print STDERR $@ unless $is_done;
	# not exit: what the test started is not the child's to stop
	POSIX::_exit($is_done ? 0 : 1);
}

sub produce_rest { my ($self) = @_; close $self->{go}; return; }

sub await_producer
{
	my ($self) = @_;

	waitpid $self->{producer}, 0;
	croak 'could not produce' if $? != 0;
	return;
}

# Waits until the stream stands where the broker does, then asks the checker.
# A stream that is stuck fails the first, one that got there wrongly the second.
#    target => 'x'   another than that of the stream's name
#    lost => '{..}'  rows that were taken away, by partition
sub is_delivered
{
	my ($self, $db, $name, $what, %args) = @_;
	my $target = $args{target} || $name;
	my $lost = $args{lost} || '{}';
	my $ends = $self->{kafka}->end_offsets($self->{topic});
	my $json = '{' . join(', ', map { qq("$_": $ends->{$_}) } sort keys %$ends) . '}';
	my $positions = join ',', map { "$_:$ends->{$_}" } sort { $a <=> $b } keys %$ends;

	croak "no offsets of $self->{topic}" unless %$ends;
	ok( wait_until(
			$self->{node}, $db,
			"SELECT string_agg(partition || ':' || next_offset, ',' ORDER BY partition)
			   FROM userstream.partition_status WHERE stream = '$name'",
			$positions),
		"$what: all is read");
	is($self->{node}->safe_psql($db,
			"SELECT * FROM delivery('$name', '$target', '$json', $self->{rows}, $self->{sum}, '$lost')"),
		't|', "$what: ledger, once, order, sums, positions");
	return;
}

1;
