#
# test/t/415_mirror_standby.pl
#    mirrors on a standby, and what becomes of them when it is promoted
#
# Its slot is the primary's alone, so the promoted server has none: which
# changes Cassandra has is not known, and only a resync tells.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use MirrorTest;

my $test = MirrorTest::Tables->new('primary');
my $primary = $test->node;

$test->sql(q{CREATE TABLE t (id int PRIMARY KEY, name text); INSERT INTO t SELECT i, 'before' FROM generate_series(1, 100) i});
$test->create('t');
$test->is_copied('a mirror', 't');
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$test->sql(q{UPDATE t SET name = 'here'});
$test->is_copied('it goes on with a standby', 't');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is($standby->safe_psql('postgres', q{SELECT state, last_error ~ 'standby' FROM userstream.mirror_status}), 'starting|t',
	'the standby says why nothing runs there');
is($standby->safe_psql('postgres', q{SELECT count(*) FROM pg_stat_activity WHERE backend_type LIKE 'userstream%'}), 0, 'and nothing does');

# changes that the standby never gets are in Cassandra
$standby->stop('fast');
$test->sql(q{UPDATE t SET name = 'lost with the primary' WHERE id <= 10; INSERT INTO t VALUES (1000, 'lost too')});
$test->is_copied('what the primary did alone is copied', 't');
$primary->stop('immediate');
$standby->start;
$standby->promote;

$test->{node} = $standby;
ok($test->has_state('stopped', 't', 'slot is gone.*resync_mirror'), 'promoted, the mirror stops, and says what continues');
is($test->sql(q{SELECT kind FROM userstream.incident WHERE mirror = 't' AND closed_at IS NULL}), 'slot_lost', 'with an incident');
$test->sql(q{UPDATE t SET name = 'of the new primary' WHERE id > 90; SELECT userstream.resync_mirror('t')});
$test->is_copied('a resync makes the copy what the table is now', 't');
$test->sql(q{INSERT INTO t VALUES (101, 'follows')});
$test->is_copied('and it follows', 't');
is($test->sql(q{SELECT count(*) FROM userstream.incident WHERE mirror = 't' AND closed_at IS NULL}), 0, 'the incident is over');
done_testing();
