#
# test/t/MappingTest.pm
#    what the tests of decoding and mapping have in common: messages into a
#    table, and what became of each of them
#
# A test produces to topics of one partition, so that a message's offset is
# its number.
#
#    my $mapping = MappingTest->new($node, $kafka, 'postgres');
#    $mapping->stream('t', '{"n": "@offset"}', [ '{"id": 1}', '{"id": ' ]);
#    is_deeply($mapping->letters('t'), { 1 => '22P02 -' });
#
package MappingTest;

use strict;
use warnings;

use Test::More;
use UserstreamTest;

# the server of a database too
sub new
{
	my ($class, $node, $kafka, $db) = @_;
	my $self = bless { node => $node, kafka => $kafka, db => $db }, $class;

	create_server($node, $db, $kafka);
	return $self;
}

# texts go in and come out as UTF-8, whatever the database has
sub query
{
	my ($self, $query) = @_;
	return $self->{node}->safe_psql($self->{db}, "SET client_encoding = 'UTF8'; $query");
}

sub rows
{
	my ($self, $query) = @_;
	return split /\n/, $self->query($query);
}

# Produces messages, takes them into a table by a stream of the same name, and
# waits until all are read.  With "more" the stream is there already.
#    options, target, format, mode, transform   of the stream; the others as produce takes them
sub stream
{
	my ($self, $name, $columns, $messages, %args) = @_;
	my $options = delete $args{options} || '{}';
	my $source = defined $columns ? "'$columns'" : 'NULL';
	my $topic = $self->{topics}{$name} ||= $self->{kafka}->new_topic($name =~ tr/a-zA-Z0-9_//cdr, 1,
		'max.message.bytes' => 100_000_000);
	my $is_new = !$self->{count}{$name};
	my $count = $self->{count}{$name} += @$messages;
	my $target = delete $args{target} || $name;
	my $format = delete $args{format} || 'json';
	my $mode = delete $args{mode} || 'append';
	my $transform = defined $args{transform} ? "'" . delete($args{transform}) . "'" : 'NULL';

	$self->{kafka}->produce($topic, $messages, %args);
	$self->query("SELECT userstream.create_stream('$name', 'kafka', '$topic', '$target',
		columns => $source, format => '$format', mode => '$mode', transform => $transform, options => '$options')") if $is_new;
	ok( wait_until(
			$self->{node}, $self->{db},
			"SELECT sum(messages_read) FROM userstream.ledger WHERE stream = '$name'", $count),
		"$name: all $count messages are read");
	is($self->query("SELECT bool_and(balanced) FROM userstream.ledger WHERE stream = '$name'"),
		't', "$name: the ledger is balanced");
	return;
}

# dead letters of a stream by offset: "SQLSTATE column"
sub letters
{
	my ($self, $name) = @_;
	my %letters;

	foreach my $row ($self->rows(
			"SELECT kafka_offset, sqlstate, coalesce(column_name, '-')
			   FROM userstream.dead_letter WHERE stream = '$name'"))
	{
		my ($offset, $sqlstate, $column) = split /\|/, $row;
		$letters{$offset} = "$sqlstate $column";
	}
	return \%letters;
}

# the only worker's process id
sub worker
{
	my ($self, $name) = @_;
	return $self->query("SELECT pids FROM userstream.stream_status WHERE stream = '$name'");
}

# a SQL literal
sub quoted
{
	my ($text) = @_;
	$text =~ s/'/''/g;
	return "'$text'";
}

1;
