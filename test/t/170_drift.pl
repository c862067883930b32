#
# test/t/170_drift.pl
#    the target changes its shape while messages come: what still fits is
#    picked up at the next batch, what does not stops the stream, and the call
#    that the incident names continues it
#
use strict;
use warnings;

use IPC::Run qw(start finish timeout);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('drift', 2));
my $table = 'drift';

sub sql { return $node->safe_psql('postgres', $_[0]); }

sub await_read
{
	my ($stream) = @_;

	return wait_until($node, 'postgres',
		"SELECT sum(messages_read) FROM userstream.ledger WHERE stream = '$stream'",
		$delivery->{last});
}

# Four more messages, on both partitions, with these fields more; then what an
# expression is in their rows, each value once.  The pass says how often.
sub next_rows_have
{
	my ($expression, $expected, $fields, $what) = @_;
	my $first = $delivery->{last} + 1;

	$delivery->produce_with($fields, 4);
	await_read('drift');
	is(sql("SELECT count(*), string_agg(DISTINCT ($expression)::text, ' ') FROM $table WHERE seq >= $first"),
		"4|$expected", $what);
	return;
}

# the same for messages that must be refused
sub next_rows_are_refused
{
	my ($sqlstate, $fields, $what) = @_;
	my $last_letter = sql('SELECT coalesce(max(id), 0) FROM userstream.dead_letter');

	$delivery->produce_with($fields, 4);
	$delivery->take_back(4);
	await_read('drift');
	is( sql("SELECT count(*), string_agg(DISTINCT sqlstate, ' ') FROM userstream.dead_letter
			  WHERE id > $last_letter AND stream = 'drift'"),
		"4|$sqlstate", $what);
	return;
}

# A stream that stopped, and says why and what to do, in view and incident.
sub is_stopped
{
	my ($stream, $kind, $error, $advice, $what) = @_;

	wait_until($node, 'postgres',
		"SELECT state, count(i) FROM userstream.stream_status s
		   LEFT JOIN userstream.incident i ON i.stream = s.stream AND i.closed_at IS NULL
		  WHERE s.stream = '$stream' GROUP BY state",
		'stopped|1');
	my $incident = sql("SELECT kind, detail, what_to_do FROM userstream.incident
		WHERE stream = '$stream' AND closed_at IS NULL");
	like($incident, qr/^$kind\|$error\|$advice$/, "$what: the incident says why, and what continues");
	like(sql("SELECT state, last_error FROM userstream.stream_status WHERE stream = '$stream'"),
		qr/^stopped\|$error.*$advice/, "$what: so does the view");
	return;
}

sub goes_on
{
	my ($stream, $how, $what) = @_;

	sql($how);
	ok(await_read($stream), "$what: it goes on");
	is(sql("SELECT count(*) FROM userstream.incident WHERE stream = '$stream' AND closed_at IS NULL"),
		0, "$what: nothing is open");
	return;
}

$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'drift');
$delivery->create_stream('postgres', 'drift');

# ---------------------------------------------------------------------------
# in the flow: whatever the moment, nothing is lost or written twice
# ---------------------------------------------------------------------------
my @changes = (
	'ALTER TABLE drift ADD COLUMN flow text',
	'ALTER TABLE drift ALTER COLUMN flow SET DEFAULT repeat($$x$$, 3)',
	'CREATE INDEX drift_seq ON drift (seq)',
	'CREATE INDEX CONCURRENTLY drift_body ON drift (body)',
	'ALTER TABLE drift RENAME COLUMN flow TO flown',
	'CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$',
	'CREATE TRIGGER pass BEFORE INSERT ON drift FOR EACH ROW EXECUTE FUNCTION pass()',
	'ALTER TABLE drift ALTER COLUMN part TYPE bigint',
	'CREATE SCHEMA there',
	'ALTER TABLE drift SET SCHEMA there',
	'ALTER SCHEMA there RENAME TO elsewhere',
	'ALTER TABLE elsewhere.drift RENAME TO moved',
	'ALTER TABLE elsewhere.moved SET SCHEMA public',
	'VACUUM FULL moved',
	'REINDEX TABLE CONCURRENTLY moved',
	'DROP INDEX CONCURRENTLY drift_body',
	'CLUSTER moved USING drift_seq',
	'DROP TRIGGER pass ON moved',
	'ALTER TABLE moved DROP COLUMN flown',
	'ALTER TABLE moved RENAME TO drift',
	'DROP INDEX drift_seq',
);
$delivery->produce_meanwhile(20_000);
foreach my $change (@changes)
{
	my $read = sql("SELECT sum(messages_read) FROM userstream.ledger WHERE stream = 'drift'");

	sql($change);
	# so that each meets a batch
	wait_until($node, 'postgres',
		"SELECT sum(messages_read) > $read OR sum(messages_read) >= 10000
		   FROM userstream.ledger WHERE stream = 'drift'");
}
$delivery->produce_rest;
sql('ALTER TABLE drift ADD COLUMN late int DEFAULT 1; ALTER TABLE drift DROP COLUMN late');
$delivery->await_producer;
$delivery->is_delivered('postgres', 'drift', 'changes in the flow');
is(sql("SELECT count(*) FROM userstream.dead_letter"), 0, 'changes in the flow: no message is blamed');

# ---------------------------------------------------------------------------
# columns: the next batch knows
# ---------------------------------------------------------------------------
my $fields = '"extra": "12", "other": "o", "mood": "new"';

sql('ALTER TABLE drift ADD COLUMN extra text');
next_rows_have('extra', '12', $fields, 'ADD COLUMN: messages that carry the field already fill it');
sql('ALTER TABLE drift ADD COLUMN made int DEFAULT 7, ADD COLUMN must text NOT NULL DEFAULT $$m$$');
next_rows_have("made || must", '7m', $fields, 'ADD COLUMN with DEFAULT and NOT NULL: the default');
sql('ALTER TABLE drift ALTER COLUMN made SET DEFAULT 8');
next_rows_have('made', '8', $fields, 'another DEFAULT');
sql('ALTER TABLE drift ALTER COLUMN made DROP DEFAULT');
next_rows_have("coalesce(made, -1)", '-1', $fields, 'no DEFAULT any more: null');
next_rows_are_refused('23502', '"must": null', 'a null for a NOT NULL column costs its message');
sql('ALTER TABLE drift ALTER COLUMN must DROP NOT NULL');
next_rows_have("coalesce(must, 'none')", 'none', '"must": null', 'without NOT NULL it goes in');
sql('ALTER TABLE drift ALTER COLUMN extra TYPE int USING extra::int');
next_rows_have('extra + 1', '13', $fields, 'ALTER TYPE: values are made for the new type');
next_rows_are_refused('22P02', '"extra": "x"', 'and what it cannot hold is refused');
sql('ALTER TABLE drift RENAME COLUMN extra TO other; ALTER TABLE drift ALTER COLUMN other TYPE text');
next_rows_have('other', 'o', $fields, 'RENAME COLUMN: it takes the field of its new name');
sql('ALTER TABLE drift DROP COLUMN other');
next_rows_have('true', 'true', $fields, 'DROP COLUMN: a field without a column is left out');
sql('ALTER TABLE drift ADD COLUMN other int GENERATED ALWAYS AS (length(body)) STORED');
next_rows_have('other = length(body)', 'true', $fields, 'a generated column is computed');
sql('ALTER TABLE drift DROP COLUMN other');

sql(q{CREATE TYPE mood AS ENUM ('old'); ALTER TABLE drift ADD COLUMN mood mood});
next_rows_are_refused('22P02', $fields, 'a label that the enum lacks is refused');
sql(q{ALTER TYPE mood ADD VALUE 'new'});
next_rows_have('mood', 'new', $fields, 'ALTER TYPE ADD VALUE: then it goes in');
sql(q{ALTER TYPE mood RENAME VALUE 'new' TO 'newer'});
next_rows_are_refused('22P02', $fields, 'a renamed label is not the old one');
sql('ALTER TABLE drift DROP COLUMN mood');

sql('CREATE DOMAIN grade AS int DEFAULT 1; ALTER TABLE drift ADD COLUMN grade grade');
next_rows_have('grade', '1', undef, 'the default of a domain');
sql('ALTER DOMAIN grade SET DEFAULT 2');
next_rows_have('grade', '2', undef, 'another default of the domain');
sql('ALTER DOMAIN grade ADD CONSTRAINT small CHECK (VALUE < 5)');
next_rows_are_refused('23514', '"grade": 6', 'a new constraint of the domain');
sql('ALTER DOMAIN grade DROP CONSTRAINT small');
next_rows_have('grade', '6', '"grade": 6', 'and without it');
sql('ALTER DOMAIN grade SET DEFAULT NULL; ALTER DOMAIN grade SET DEFAULT 3');
next_rows_have('grade', '3', undef, 'the default once more, after a default that was used');
sql('ALTER DOMAIN grade DROP DEFAULT; UPDATE drift SET grade = 0; ALTER DOMAIN grade SET NOT NULL');
next_rows_are_refused('23502', undef, 'a domain that became NOT NULL, for a message without the field');
sql('ALTER TABLE drift DROP COLUMN grade');

# ---------------------------------------------------------------------------
# the table: another name, schema, way in
# ---------------------------------------------------------------------------
sql('CREATE SCHEMA one; ALTER TABLE drift SET SCHEMA one; ALTER TABLE one.drift RENAME TO "Other one"');
$table = 'one."Other one"';
next_rows_have('true', 'true', undef, 'RENAME TABLE and SET SCHEMA');
is(sql("SELECT target FROM userstream.stream_status WHERE stream = 'drift'"),
	$table, 'the view has the new name');
sql(qq{CREATE TABLE seen (seq bigint);
	CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS
		\$\$ BEGIN INSERT INTO public.seen VALUES (NEW.seq); RETURN NULL; END \$\$;
	CREATE TRIGGER note AFTER INSERT ON $table FOR EACH ROW EXECUTE FUNCTION note()});
next_rows_have('seq IN (SELECT seq FROM seen)', 'true', undef, 'a new trigger sees the next rows');
sql('ALTER SCHEMA one RENAME TO two');
$table = 'two."Other one"';
next_rows_have('seq IN (SELECT seq FROM seen)', 'true', undef, 'ALTER SCHEMA RENAME, which says nothing to the table');
is(sql("SELECT count(*) FROM seen WHERE seq NOT IN (SELECT seq FROM $table)"), 0,
	'the trigger saw no row that is not there');
sql(qq{DROP TRIGGER note ON $table; TRUNCATE seen;
	CREATE RULE also AS ON INSERT TO $table DO ALSO INSERT INTO seen VALUES (NEW.seq)});
next_rows_have('seq IN (SELECT seq FROM seen)', 'true', undef, 'a new rule acts on the next rows');
sql("DROP RULE also ON $table; ALTER TABLE $table SET SCHEMA public; ALTER TABLE public.\"Other one\" RENAME TO drift");
$table = 'drift';
sql('CREATE TABLE parent (LIKE drift) PARTITION BY RANGE (seq);
	ALTER TABLE parent ATTACH PARTITION drift DEFAULT');
next_rows_have('tableoid::regclass', 'drift', undef, 'a table that became a partition');
sql('CREATE TABLE low PARTITION OF parent FOR VALUES FROM (-10) TO (0)');
{
	# the parent's other partition takes a range away from it
	my $seq = $delivery->{last} + 1;

	sql("DROP TABLE low; CREATE TABLE low PARTITION OF parent FOR VALUES FROM ($seq) TO ($seq + 4)");
	next_rows_are_refused('23514', undef, 'what its parent has another partition for is refused');
}
sql('ALTER TABLE parent DETACH PARTITION drift; DROP TABLE parent');
next_rows_have('true', 'true', undef, 'and a table that is none any more');
sql('CREATE UNIQUE INDEX drift_once ON drift (kafka_partition, kafka_offset)');
next_rows_have('true', 'true', undef, 'a new index');
is( sql("SET enable_seqscan = off; SET enable_bitmapscan = off;
		 SELECT count(*) FROM drift WHERE kafka_partition >= 0 AND kafka_offset >= 0"),
	sql('SELECT count(*) FROM drift'), 'holds all rows');

# ---------------------------------------------------------------------------
# partitions of a partitioned target
# ---------------------------------------------------------------------------
sql('CREATE TABLE parted (LIKE drift INCLUDING DEFAULTS) PARTITION BY LIST (part);
	CREATE TABLE parted_0 PARTITION OF parted FOR VALUES IN (0);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1)');
my $before = $delivery->{last};
$delivery->create_stream('postgres', 'parted', start_at => "'latest'");
sub await_parted
{
	return wait_until($node, 'postgres',
		"SELECT sum(messages_read) FROM userstream.ledger WHERE stream = 'parted'",
		$delivery->{last} - $before);
}
sub next_parted
{
	$delivery->produce_with(undef, 1, partition => 1);
	await_parted();
	return sql("SELECT (SELECT count(*) FROM parted WHERE seq = $delivery->{last}), count(*), max(sqlstate)
		FROM userstream.dead_letter WHERE stream = 'parted' AND value::text LIKE '%' ||
			substr((('\"seq\": $delivery->{last},')::bytea)::text, 3) || '%'");
}
is(next_parted(), '1|0|', 'a row finds its partition');
sql('ALTER TABLE parted DETACH PARTITION parted_1');
is(next_parted(), '0|1|23514', 'DETACH: a row without a partition is refused');
sql('ALTER TABLE parted ATTACH PARTITION parted_1 FOR VALUES IN (1)');
is(next_parted(), '1|0|', 'ATTACH: it finds it again');
sql('ALTER TABLE parted DETACH PARTITION parted_1 CONCURRENTLY');
is(next_parted(), '0|1|23514', 'DETACH CONCURRENTLY');
sql('CREATE TABLE parted_new PARTITION OF parted FOR VALUES IN (1)');
is(next_parted(), '1|0|', 'a new partition takes rows');
sql('ALTER TABLE parted_new SET UNLOGGED');
$delivery->produce_with(undef, 1, partition => 1);
is_stopped('parted', 'target_kind', 'cannot use unlogged table "parted_new" as the target of a stream[^|]*',
	'.*ALTER TABLE public.parted_new SET LOGGED.*userstream.resume_stream.*', 'a partition that is unlogged now');
sql('ALTER TABLE parted_new SET LOGGED');
sql(q{SELECT userstream.resume_stream('parted')});
ok(await_parted(), 'logged again and resumed, it goes on');
is(sql("SELECT count(*) FROM parted WHERE seq = $delivery->{last}"), 1, 'with the row that waited');
is(sql("SELECT bool_and(balanced) FROM userstream.ledger WHERE stream = 'parted'"), 't', 'its ledger is balanced');
sql(q{SELECT userstream.drop_stream('parted'); DROP TABLE parted});
await_read('drift');

# ---------------------------------------------------------------------------
# what stops a stream
# ---------------------------------------------------------------------------
sql('ALTER TABLE drift SET UNLOGGED');
$delivery->produce_with(undef, 4);
is_stopped('drift', 'target_kind', 'cannot use unlogged table "drift" as the target of a stream[^|]*',
	'.*ALTER TABLE public.drift SET LOGGED.*userstream.resume_stream.*', 'SET UNLOGGED');
goes_on('drift', "ALTER TABLE drift SET LOGGED; SELECT userstream.resume_stream('drift')", 'SET LOGGED');

# a column that the definition names
sql('ALTER TABLE drift RENAME COLUMN part TO piece');
$delivery->produce_with(undef, 4);
is_stopped('drift', 'definition', 'column "part" of relation "drift" does not exist[^|]*',
	'.*userstream.alter_stream.*userstream.resume_stream.*', 'a named column renamed');
goes_on('drift', "ALTER TABLE drift RENAME COLUMN piece TO part; SELECT userstream.resume_stream('drift')",
	'renamed back');
sql('ALTER TABLE drift DROP COLUMN part');
$delivery->produce_with(undef, 4);
is_stopped('drift', 'definition', 'column "part" of relation "drift" does not exist[^|]*',
	'.*userstream.alter_stream.*userstream.resume_stream.*', 'a named column dropped');
goes_on('drift', "ALTER TABLE drift ADD COLUMN part int; SELECT userstream.resume_stream('drift')",
	'added again');

# a change that takes long is waited for
my ($out, $err, $in) = ('', '', "BEGIN; ALTER TABLE drift ADD COLUMN slow text DEFAULT 's';\n");
my $holder = start([ 'psql', '-XAtq', '-d', $node->connstr('postgres') ],
	'<', \$in, '>', \$out, '2>', \$err, timeout($PostgreSQL::Test::Utils::timeout_default));
$holder->pump_nb;
wait_until($node, 'postgres',
	"SELECT count(*) > 0 FROM pg_locks WHERE relation = 'drift'::regclass AND mode = 'AccessExclusiveLock' AND granted");
$delivery->produce_with(undef, 4);
ok( wait_until($node, 'postgres',
		"SELECT state, last_error LIKE '%lock timeout%' FROM userstream.stream_status WHERE stream = 'drift'",
		'blocked|t'),
	'a long ALTER TABLE: the stream is blocked and says why');
is( sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'userstream stream' AND state LIKE 'idle in%'"),
	0, 'and waits outside a transaction');
$in .= "COMMIT;\n\\q\n";
finish($holder);
is($err, '', 'it is done');
ok(await_read('drift'), 'then the stream goes on');
is(sql("SELECT slow FROM drift WHERE seq = $delivery->{last}"), 's', 'with the new column');
ok( wait_until($node, 'postgres',
		"SELECT state, failing_since IS NULL FROM userstream.stream_status WHERE stream = 'drift'", 'caught_up|t'),
	'and no longer fails');

$delivery->is_delivered('postgres', 'drift', 'after all changes');

sql('DROP TABLE parted_1; DROP TABLE drift');
$delivery->produce_with(undef, 4);
is_stopped('drift', '(target_missing|cannot_run)', 'target .*does not exist any more[^|]*', '.*userstream.(alter|drop)_stream.*', 'DROP TABLE');
$delivery->create_target('postgres', 'drift');
goes_on('drift', "SELECT userstream.alter_stream('drift', target => 'drift'); SELECT userstream.resume_stream('drift')",
	'another target');
is(sql('SELECT count(*) FROM drift'), 4, 'with the messages that waited');
sql(q{SELECT userstream.drop_stream('drift')});
ok( wait_until($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'userstream stream'", 0),
	'a dropped stream leaves no worker');

$node->stop('fast');
done_testing();
