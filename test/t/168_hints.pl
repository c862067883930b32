#
# test/t/168_hints.pl
#    a stream with a backlog names what takes most of its time and the setting
#    to change; one that has read all names nothing
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

use constant PARTITIONS => 2;
use constant BATCH_ROWS => 20;

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "fsync = on\ncommit_siblings = 0");

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub set
{
	my (@settings) = @_;
	$node->append_conf('postgresql.conf', $_) foreach @settings;
	$node->reload;
	return;
}

# each: made slow by "slow", the hint is like "hint", and "heal" lets the rest pass
my @cases = (
	{
		name => 'commits',
		slow => sub { set('commit_delay = 100000'); },
		heal => sub { set('commit_delay = 0'); },
		hint => '%commits: raise the option batch_rows (' . BATCH_ROWS . '), or %',
	},
	{
		name => 'filters',
		args => { options => q('{"filter": "slow_filter(jsonb)", "batch_rows": ) . BATCH_ROWS . q(}') },
		slow => sub {
			ask(q{CREATE FUNCTION slow_filter(message jsonb) RETURNS boolean LANGUAGE sql VOLATILE
				AS 'SELECT pg_sleep(0.01) IS NOT NULL'});
		},
		heal => sub {
			ask(q{CREATE OR REPLACE FUNCTION slow_filter(message jsonb) RETURNS boolean LANGUAGE sql AS 'SELECT true'});
		},
		hint => '%filter and transform: raise workers (1, of 2 partitions), or %',
	},
	{
		name => 'triggers',
		args => { workers => PARTITIONS },
		slow => sub {
			ask(q{CREATE FUNCTION slow_trigger() RETURNS trigger LANGUAGE plpgsql
				AS 'BEGIN PERFORM pg_sleep(0.01); RETURN new; END';
				CREATE TRIGGER slow BEFORE INSERT ON triggers FOR EACH ROW EXECUTE FUNCTION slow_trigger()});
		},
		heal => sub { ask('ALTER TABLE triggers DISABLE TRIGGER slow'); },
		hint => '%rows, with indexes and triggers if the target has them: give topic "%" more partitions (2) and %',
	},
	{
		name => 'indexes',
		slow => sub {
			ask(q{CREATE FUNCTION slow_index(n bigint) RETURNS bigint LANGUAGE plpgsql IMMUTABLE
				AS 'BEGIN PERFORM pg_sleep(0.01); RETURN n; END';
				CREATE INDEX slow ON indexes (slow_index(seq))});
		},
		heal => sub { ask('DROP INDEX slow'); },
		hint => q(%the target's indexes: raise workers (1, of 2 partitions), drop %),
	},
);

foreach my $case (@cases)
{
	my $name = $case->{name};
	my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic($name, PARTITIONS));
	my $status = "FROM userstream.stream_status WHERE stream = '$name'";

	$delivery->prepare_database('postgres') if $case == $cases[0];
	$delivery->create_target('postgres', $name);
	$delivery->produce(20_000);
	$case->{slow}->();
	$delivery->create_stream('postgres', $name, options => q('{"batch_rows": ) . BATCH_ROWS . q(}'),
		%{ $case->{args} || {} });
	ok(wait_until($node, 'postgres', "SELECT hint LIKE \$\$$case->{hint}\$\$ $status", 't'), "$name: the limit is named")
	  or diag(ask("SELECT * $status"));
	$case->{heal}->();
	$delivery->is_delivered('postgres', $name, $name);
	ok(wait_until($node, 'postgres', "SELECT state, hint IS NULL $status", 'caught_up|t'), "$name: not when all is read");
}

$node->stop('fast');
done_testing();
