#
# test/matrix/majors.pl
#    a stream goes to another major version of PostgreSQL, by pg_upgrade and by
#    a dump, and counts each message once; a mirror copies its rows anew
#
# Needs the variable USERSTREAM_OLD, the folder of the old version's bin and
# lib, with userstream installed; the new version is the one of the private tree
# (test/matrix/inside).
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use CqlServer;
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
# pg_upgrade wants both to have checksums or none, and what initdb does differs
my $old = userstream_node('old', install_path => $ENV{USERSTREAM_OLD}, extra => ['--data-checksums']);
my $new = userstream_node('new', start => 0, extra => ['--data-checksums']);
my $delivery = DeliveryTest->new($old, $kafka, $kafka->new_topic('majors', 2));
my $cassandra = CqlServer->new;
my $version = 'SHOW server_version';

sub is_mirrored
{
	my ($expected, $what) = @_;
	my $end = time + ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);
	my $rows;

	sleep(0.1) until ($rows = $cassandra->ask('rows copies.items')) eq $expected || time >= $end;
	is($rows, $expected, $what);
	return;
}

note("from @{[$old->safe_psql('postgres', $version)]}");

# ---------------------------------------------------------------------------
# a stream with rows and dead letters
# ---------------------------------------------------------------------------
my $positions = q{SELECT string_agg(p::text, ' ' ORDER BY partition) FROM userstream.stream_position p};
my $letters = q{SELECT count(*), md5(string_agg(d::text, ' ' ORDER BY id)) FROM userstream.dead_letter d};

$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'work');
$delivery->create_stream('postgres', 'work', workers => 2);
$delivery->produce(2000);
$kafka->produce($delivery->{topic}, [ map { qq({"seq": "none $_"}) } 1 .. 10 ]);
$delivery->produce(2000);
$delivery->is_delivered('postgres', 'work', 'the old server');
is($old->safe_psql('postgres', 'SELECT count(*) FROM userstream.dead_letter'), 10, 'it has dead letters');

# ---------------------------------------------------------------------------
# a mirror, whose slot pg_upgrade from 17 on would take along, if it were not behind
# ---------------------------------------------------------------------------
my $hosts = $cassandra->hosts;
$old->safe_psql('postgres', qq{
	CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra OPTIONS (hosts '$hosts');
	CREATE TABLE items (id int PRIMARY KEY, name text NOT NULL);
	INSERT INTO items VALUES (1, 'one');
	SELECT userstream.create_mirror('items', 'items', 'cassandra', 'copies', 'items')});
is_mirrored('1=one', 'the old server has a mirror');

# ---------------------------------------------------------------------------
# the dump is made of the running server by the new version's program, as its manual says
# ---------------------------------------------------------------------------
my $dump = $old->basedir . '/dump';
command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $old->connstr('postgres') ], 'pg_dump of the new version');
$delivery->produce_meanwhile(10_000);
ok(wait_until($old, 'postgres', 'SELECT count(*) > 4100 FROM work'), 'the old server reads');

# ---------------------------------------------------------------------------
# pg_upgrade, in the middle of a topic
# ---------------------------------------------------------------------------
chdir $old->basedir;
# as sql/operating.md has it
$old->safe_psql('postgres', 'ALTER SYSTEM SET userstream.enabled = off');
$old->reload;
my $slots = q{FROM pg_replication_slots WHERE slot_name LIKE 'userstream\\_%'};
ok(wait_until($old, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type ~ '^userstream (stream|mirror)'", 0),
	'switched off, the old server has no workers');
is($old->safe_psql('postgres', "SELECT count(*) $slots"), 1, 'but a slot of its mirror');
$old->safe_psql('postgres', "SELECT pg_drop_replication_slot(slot_name) $slots");
my ($before, $letters_before) = map { $old->safe_psql('postgres', $_) } $positions, $letters;
$old->stop('fast');
my @command = ('pg_upgrade', '--no-sync', '-b', "$ENV{USERSTREAM_OLD}/bin", '-B', $new->config_data('--bindir'),
	'-d', $old->data_dir, '-D', $new->data_dir, '-p', $old->port, '-P', $new->port, '-s', $new->host);
command_ok([@command], 'pg_upgrade');
$new->start;
$delivery->{node} = $new;
note("to @{[$new->safe_psql('postgres', $version)]}");
is($new->safe_psql('postgres', 'SELECT state FROM userstream.stream_status'), 'stopped', 'the upgraded stream has stopped');
my ($after, $letters_after) = map { $new->safe_psql('postgres', $_) } $positions, $letters;
is($after, $before, 'at the positions and with the counters that it had');
is($letters_after, $letters_before, 'with its dead letters');
$delivery->produce_rest;
$new->safe_psql('postgres', q{
	INSERT INTO items VALUES (2, 'two');
	SELECT userstream.adopt()});
$delivery->await_producer;
$delivery->is_delivered('postgres', 'work', 'upgraded and adopted');
is_mirrored('1=one,2=two', 'the mirror has what came while it was gone');
$new->safe_psql('postgres', "UPDATE items SET name = 'deux' WHERE id = 2");
is_mirrored('1=one,2=deux', 'and goes on');

# ---------------------------------------------------------------------------
# the dump, into the new version
# ---------------------------------------------------------------------------
$new->safe_psql('postgres', 'CREATE DATABASE restored');
$new->command_ok([ 'pg_restore', '--exit-on-error', '-d', $new->connstr('restored'), $dump ], 'pg_restore');
is($new->safe_psql('restored', 'SELECT state, messages_read FROM userstream.stream_status'),
	'stopped|4010', 'the restored stream has stopped where the dump was made');
$new->safe_psql('restored', "SELECT userstream.adopt('work')");
$delivery->is_delivered('restored', 'work', 'restored and adopted');
$delivery->is_delivered('postgres', 'work', 'the upgraded beside it');

$new->stop('fast');
done_testing();
