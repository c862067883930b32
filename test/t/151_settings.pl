#
# test/t/151_settings.pl
#    settings of the server: no room for workers, lines of the Kafka library in
#    the log, how long dead letters and incidents are kept
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
my $node = userstream_node('main',
	conf => "max_worker_processes = 5\nuserstream.restart_interval = '500ms'");

sub set
{
	my ($setting, $value) = @_;
	$node->safe_psql('postgres', "ALTER SYSTEM SET userstream.$setting = $value");
	$node->reload;
	return;
}

# ---------------------------------------------------------------------------
# max_worker_processes: the number that is named is enough, and no more than that
# ---------------------------------------------------------------------------
my $many = DeliveryTest->new($node, $kafka, $kafka->new_topic('many', 4));
$many->prepare_database('postgres');
$many->create_target('postgres', 'many');
$many->produce(400);
$many->create_stream('postgres', 'many', workers => 4);
ok( wait_until(
		$node, 'postgres', q{SELECT state, last_error, cardinality(pids) FROM userstream.stream_status},
		'starting|no free background worker slot; max_worker_processes = 7 would be enough (it is 5)|2'),
	'a server without room says how many processes would do');
$node->stop('fast');
$node->append_conf('postgresql.conf', 'max_worker_processes = 7');
$node->start;
ok( wait_until(
		$node, 'postgres', q{SELECT state, cardinality(pids) FROM userstream.stream_status}, 'caught_up|4'),
	'and they do');
$many->is_delivered('postgres', 'many', 'first some of its workers, then all');

# ---------------------------------------------------------------------------
# userstream.log_level
# ---------------------------------------------------------------------------
my $line = qr/LOG:  stream "many": Kafka library: \w+: /;

$node->safe_psql('postgres', q{ALTER SERVER kafka OPTIONS (ADD debug 'fetch')});
$node->restart;
$many->produce(400);
$many->is_delivered('postgres', 'many', 'with the option debug');
unlike(slurp_file($node->logfile), $line, 'which alone brings no line of the Kafka library into the log');
set('log_level', 'debug');
$many->produce(400);
$many->is_delivered('postgres', 'many', 'with the setting');
$node->wait_for_log($line);
pass('which brings them, without a restart');
set('log_level', 'off');

# ---------------------------------------------------------------------------
# dead_letter_retention, run_retention: rows of more than one step
# ---------------------------------------------------------------------------
$node->safe_psql('postgres', q{
	INSERT INTO userstream.dead_letter (owner, owner_oid, home, stream, sqlstate, error, created_at)
	SELECT 'x', 10, 'x', 'old', '22000', 'x', now() - interval '1 hour' * n
	  FROM generate_series(1, 25000) n;
	INSERT INTO userstream.incident (owner, owner_oid, stream, kind, detail, opened_at, closed_at)
	SELECT 'x', 10, 'old', 'x', n::text, now() - interval '80 days', now() - interval '1 day' * n
	  FROM generate_series(1, 60) n
	UNION ALL
	SELECT 'x', 10, 'old', 'x', 'open', now() - interval '80 days', NULL});
my $kept = q{SELECT (SELECT count(*) FROM userstream.dead_letter),
	(SELECT count(*) FROM userstream.incident),
	(SELECT count(*) FROM userstream.incident WHERE closed_at IS NULL)};
set('run_retention', q('40d'));
ok(wait_until($node, 'postgres', $kept, '25000|40|1'), 'incidents that closed long ago go, open ones stay');
set('dead_letter_retention', q('90min'));
ok(wait_until($node, 'postgres', $kept, '1|40|1'), 'dead letters go by their own setting');

$node->stop('fast');
done_testing();
