#
# test/t/210_upsert.pl
#    mode upsert: keys folded in a batch, partial messages, removals; against a
#    reference that SQL computes from the same messages
#
# UPSERT_MESSAGES and UPSERT_KILLS make it longer.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UpsertTest;
use UserstreamTest;

use constant KEYS => 1000;

my $messages = $ENV{UPSERT_MESSAGES} // 100_000;
my $kills = $ENV{UPSERT_KILLS} // 3;
my $seed = $ENV{UPSERT_SEED} // int(rand(2**31));

note("UPSERT_SEED=$seed");
srand($seed);

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '300ms'");
create_server($node, 'postgres', $kafka);

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

# waits until a stream stands where its topic ends
sub caught_up
{
	my ($stream, $topic, $what) = @_;
	my $ends = $kafka->end_offsets($topic);

	return ok(wait_until($node, 'postgres',
			"SELECT string_agg(partition || ':' || next_offset, ',' ORDER BY partition)
			   FROM userstream.partition_status WHERE stream = '$stream'",
			join(',', map { "$_:$ends->{$_}" } sort { $a <=> $b } keys %$ends)), $what);
}

# messages as given to Kafka->produce, tombstones among them, in one partition
sub produce
{
	my ($where, @messages) = @_;

	$kafka->produce_script($where,
		[ map { [ '-', 'send', 0, 0, ref $_ ? ($_->{key}, $_->{value}) : (undef, $_) ] } @messages ]);
	return;
}

my $topic = $kafka->new_topic('upsert', 4);
ask(UpsertTest::create_target('target'));
ask("SELECT userstream.create_stream('target', 'kafka', '$topic', 'target', mode => 'upsert',
	workers => 2, options => '{\"batch_rows\": 2000}')");
my $share = int($messages / ($kills + 1));
foreach my $n (0 .. $kills)
{
	$kafka->produce_script($topic, [ map { UpsertTest::random_message(KEYS) } 1 .. $share ]);
	next if $n == $kills;
	wait_until($node, 'postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'userstream stream'");
	my ($pid) = split /\n/, ask("SELECT pid FROM pg_stat_activity WHERE backend_type = 'userstream stream'");
	kill 'KILL', $pid;
	wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", 0);
}
caught_up('target', $topic, "$messages messages on @{[KEYS]} keys are read through $kills kills");

is(UpsertTest::is_like_messages($node, 'target', "the table is what the messages say (UPSERT_SEED=$seed)"),
	$share * ($kills + 1), 'the reference has every message');
cmp_ok(ask('SELECT count(*) FROM target'), '>', KEYS / 2, 'and it is not empty');

# forms of keys, each with a row of its own and one beside it that must stay
my $keys = $kafka->new_topic('keys', 1);
ask(q{CREATE TABLE word (k text PRIMARY KEY, v int)});
ask("SELECT userstream.create_stream('word', 'kafka', '$keys', 'word', mode => 'upsert')");
produce($keys,
		(map { sprintf '{"k": "%s", "v": 1}', $_ } qw(plain object quoted 42 stays), 'a b', '\u00e4'),
		{ key => 'plain', value => undef },
		{ key => '{"k": "object", "more": 1}', value => undef },
		{ key => '"quoted"', value => undef },
		{ key => '42', value => undef },
		{ key => 'a b', value => undef },
		{ key => "\xc3\xa4", value => undef },
		{ key => 'never there', value => undef },
		{ value => undef },							# 14: no key
		{ key => '{"other": 1}', value => undef },	# 15: not its column
		{ key => "\xff", value => undef },			# 16: not UTF-8
		'{"v": 2}',									# 17: no key column
		'{"k": null, "v": 2}',						# 18
		'{"k": "stays", "v": "x"}');				# 19
caught_up('word', $keys, 'keys of all forms');
is(ask('SELECT k, v FROM word'), 'stays|1', 'a key can be plain, a JSON string, or an object');
is(ask(q{SELECT kafka_offset, sqlstate, error FROM userstream.dead_letter WHERE stream = 'word' ORDER BY 1}),
	join("\n",
		"14|22004|message has neither a value nor a key\nDETAIL: Without a key it is not known which row to remove.",
		'15|22004|key of message has no value for column "k"',
		'16|22021|invalid byte sequence for encoding "UTF8": 0xff',
		"17|23502|null value in key column \"k\"\nDETAIL: A row is found by its key.",
		"18|23502|null value in key column \"k\"\nDETAIL: A row is found by its key.",
		'19|22P02|invalid input syntax for type integer: "x"'),
	'what has no key, or no value for its column, is a dead letter');

# a key of two columns, in another order than the table's
my $pairs = $kafka->new_topic('pairs', 1);
ask(q{CREATE TABLE pair (v text, k1 text, k2 numeric, UNIQUE (k2, k1))});
ask("SELECT userstream.create_stream('pair', 'kafka', '$pairs', 'pair', mode => 'upsert', key => '{k1,k2}')");
produce($pairs,
		'{"k1": "a", "k2": 1, "v": "first"}', '{"k1": "a", "k2": 1.0, "v": "second"}',
		'{"k1": "a", "k2": 2, "v": "x"}', { key => '{"k2": 2.00, "k1": "a"}', value => undef },
		{ key => 'a', value => undef });
caught_up('pair', $pairs, 'a key of two columns');
is(ask('SELECT k1, k2 = 1, v FROM pair'), 'a|t|second', 'keys are equal as the unique index has it');
is(ask(q{SELECT sqlstate, error FROM userstream.dead_letter WHERE stream = 'pair'}),
	"22023|key of message is not a JSON object\nDETAIL: The key of the row has 2 columns.", 'plain is not enough for two');

# one bad message among those of a key costs one message
my $bad = $kafka->new_topic('bad', 1);
ask(q{CREATE TABLE bad (id int PRIMARY KEY, a int CHECK (a < 100), b int)});
ask("SELECT userstream.create_stream('bad', 'kafka', '$bad', 'bad', mode => 'upsert')");
produce($bad,
		(map { sprintf '{"id": %d, "a": 1, "b": 1}', $_ } 1 .. 500),
		'{"id": 7, "a": 5}', '{"id": 7, "a": 100}', '{"id": 7, "b": 6}',
		(map { sprintf '{"id": %d, "a": 2}', $_ } 501 .. 900));
caught_up('bad', $bad, 'a bad message');
is(ask('SELECT count(*), (SELECT row(a, b) FROM bad WHERE id = 7) FROM bad'), '900|(5,6)',
	'what came before and after it on the same key is there');
is(ask(q{SELECT kafka_offset, sqlstate, constraint_name FROM userstream.dead_letter WHERE stream = 'bad'}),
	'501|23514|bad_a_check', 'it alone is a dead letter');

# tombstones as told, and rows that are there already
my $told = $kafka->new_topic('told', 1);
foreach my $policy (qw(ignore dead_letter))
{
	ask("CREATE TABLE told_$policy (id int PRIMARY KEY);
		SELECT userstream.create_stream('told_$policy', 'kafka', '$told', 'told_$policy', mode => 'upsert',
			options => '{\"tombstone\": \"$policy\"}')");
}
ask("CREATE TABLE kept (id int PRIMARY KEY, v int);
	SELECT userstream.create_stream('kept', 'kafka', '$told', 'kept', options => '{\"on_conflict\": \"nothing\"}')");
produce($told, '{"id": 1, "v": 1}', { key => '1', value => undef }, '{"id": 1, "v": 2}', '{"id": 2, "v": 1}');
caught_up($_, $told, "$_: read") foreach qw(told_ignore told_dead_letter kept);
is(ask('SELECT (SELECT count(*) FROM told_ignore), (SELECT count(*) FROM told_dead_letter)'), '2|2', 'nothing is removed');
is(ask(q{SELECT stream, messages_applied, dead_letters, skipped, balanced FROM userstream.ledger
	WHERE stream IN ('told_ignore', 'told_dead_letter', 'kept') ORDER BY 1}),
	join("\n", 'kept|2|0|2|t', 'told_dead_letter|3|1|0|t', 'told_ignore|3|0|1|t'), 'each counts as told');
is(ask('SELECT id, v FROM kept ORDER BY 1'), "1|1\n2|1", 'on_conflict nothing: the first row stays');

# removed and written again in one batch: defaults are new
my $again = $kafka->new_topic('again', 1);
ask(q{CREATE TABLE again (id int PRIMARY KEY, a int DEFAULT 5, n serial)});
ask("SELECT userstream.create_stream('again', 'kafka', '$again', 'again', mode => 'upsert')");
produce($again, '{"id": 1, "a": 1}', { key => 1, value => undef }, '{"id": 1}');
caught_up('again', $again, 'removed and written again');
is(ask('SELECT id, a FROM again'), '1|5', 'the row is a new one');

# the rights that it needs, and gets too late
ask("CREATE ROLE app LOGIN; GRANT USAGE ON FOREIGN SERVER kafka TO app;
	CREATE TABLE rights (id int PRIMARY KEY, v int); GRANT INSERT ON rights TO app");
foreach my $right (qw(SELECT UPDATE DELETE))
{
	my ($rc, $out, $err) = $node->psql('postgres',
		"SET ROLE app; SELECT userstream.create_stream('rights', 'kafka', '$told', 'rights', mode => 'upsert')");
	like($err, qr/permission denied for table rights\nDETAIL:  Mode upsert needs/, "without $right it is refused");
	ask("GRANT $right ON rights TO app");
}
ask("SET ROLE app; SELECT userstream.create_stream('rights', 'kafka', '$told', 'rights', mode => 'upsert')");
caught_up('rights', $told, 'with all of them it runs');
ask('REVOKE UPDATE ON rights FROM app');
produce($told, '{"id": 1, "v": 9}');
ok(wait_until($node, 'postgres', "SELECT state FROM userstream.stream_status WHERE stream = 'rights'", 'stopped'),
	'and stops without one');
ask("GRANT UPDATE ON rights TO app; SELECT userstream.resume_stream('rights')");
caught_up('rights', $told, 'granted and resumed');
is(ask(q{SELECT count(*) FROM userstream.dead_letter WHERE stream = 'rights'}), 0, 'no message is blamed');

$node->stop;
done_testing();
