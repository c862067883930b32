#
# test/t/171_rights.pl
#    rights, roles and servers go away while streams run: each stops or goes on
#    as it should, says what continues, and that does; nothing is lost
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('rights', 2));
# arrival takes its default, for which not every owner needs the right to give it
my $sources = DeliveryTest::COLUMNS =~ s/\}$/, "arrival": null}/r;
my $columns = 'seq, part, body, checksum, kafka_partition, kafka_offset';

sub sql { return $node->safe_psql('postgres', $_[0]); }

# A stream for each case, of an owner of the same name: what is taken away,
# how the stream says so (kind, error, advice), and what gives it back.  What
# is found by the supervisor goes on without resume_stream.
my $grant = 'Grant the owner what is missing, then call userstream.resume_stream.';
my @cases = (
	[ 'ins', 'REVOKE INSERT ON ins FROM ins',
		'privilege', 'permission denied for table ins', $grant, 'GRANT INSERT ON ins TO ins' ],
	[ 'col', 'REVOKE INSERT (body) ON col FROM col',
		'privilege', 'permission denied for table col', $grant, 'GRANT INSERT (body) ON col TO col' ],
	[ 'way', 'REVOKE INSERT ON way FROM way',
		'privilege', 'permission denied for table way', $grant, 'GRANT INSERT ON way TO way' ],
	[ 'schem', 'REVOKE USAGE ON SCHEMA app FROM schem',
		'privilege', 'permission denied for schema app', $grant, 'GRANT USAGE ON SCHEMA app TO schem' ],
	[ 'sequ', 'REVOKE USAGE ON SEQUENCE sequ_arrival_seq FROM sequ',
		'privilege', 'permission denied for sequence sequ_arrival_seq', $grant,
		'GRANT USAGE ON SEQUENCE sequ_arrival_seq TO sequ' ],
	[ 'member', 'REVOKE writers FROM member',
		'privilege', 'permission denied for table member', $grant, 'GRANT writers TO member' ],
	[ 'gives', 'REASSIGN OWNED BY gives TO other',
		'privilege', 'permission denied for table gives', $grant,
		'GRANT INSERT ON gives TO gives; GRANT USAGE ON SEQUENCE gives_arrival_seq TO gives' ],
	[ 'serv', 'REVOKE USAGE ON FOREIGN SERVER kafka FROM serv',
		'cannot_run', 'owner "serv" has no USAGE on server "kafka"',
		'GRANT USAGE ON FOREIGN SERVER kafka TO serv continues', 'GRANT USAGE ON FOREIGN SERVER kafka TO serv' ],
	[ 'login', 'ALTER ROLE login NOLOGIN',
		'cannot_run', 'owner "login" may not log in', 'ALTER ROLE login LOGIN continues', 'ALTER ROLE login LOGIN' ],
	[ 'conn', 'REVOKE CONNECT ON DATABASE postgres FROM conn',
		'cannot_run', 'owner "conn" may not connect to database "postgres"',
		'GRANT CONNECT ON DATABASE postgres TO conn continues', 'GRANT CONNECT ON DATABASE postgres TO conn' ],
);

my @all = map { $_->[0] } @cases;
my $names = join ',', map { "'$_'" } @all;

$delivery->prepare_database('postgres');
sql('CREATE SCHEMA app; CREATE ROLE writers; CREATE ROLE other;
	REVOKE CONNECT ON DATABASE postgres FROM PUBLIC;
	GRANT CREATE ON SCHEMA public TO PUBLIC');
foreach my $name (@all, 'rows', 'leaves', 'renamed')
{
	$delivery->create_target('postgres', $name);
	sql("CREATE ROLE $name LOGIN; GRANT INSERT ON $name TO $name;
		GRANT USAGE ON SEQUENCE ${name}_arrival_seq TO $name;
		GRANT CONNECT ON DATABASE postgres TO $name;
		GRANT USAGE ON FOREIGN SERVER kafka TO $name");
}
sql("REVOKE INSERT ON col FROM col; GRANT INSERT ($columns) ON col TO col;
	REVOKE INSERT ON member FROM member; GRANT INSERT ON member TO writers; GRANT writers TO member;
	ALTER TABLE schem SET SCHEMA app; GRANT USAGE ON SCHEMA app TO schem;
	REVOKE INSERT ON gives FROM gives; ALTER TABLE gives OWNER TO gives;
	ALTER TABLE leaves OWNER TO leaves;
	CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN RETURN NEW; END \$\$;
	CREATE TRIGGER pass BEFORE INSERT ON way FOR EACH ROW EXECUTE FUNCTION pass()");
foreach my $name (@all, 'rows', 'leaves', 'renamed')
{
	my $target = $name eq 'schem' ? 'app.schem' : $name;

	sql("SET ROLE $name; SELECT userstream.create_stream('$name', 'kafka', '$delivery->{topic}', '$target',
		columns => '$sources')");
}

$delivery->produce(100);
ok( wait_until($node, 'postgres',
		"SELECT count(*) FROM userstream.stream_status WHERE messages_read = 100", @all + 3),
	'all of them run');

# ---------------------------------------------------------------------------
# taken away
# ---------------------------------------------------------------------------
sql($_->[1]) foreach @cases;
# wait for those that no message stops
ok( wait_until($node, 'postgres',
		"SELECT count(*) FROM userstream.incident WHERE kind = 'cannot_run' AND closed_at IS NULL", 3),
	'what no message meets is noticed too');
$delivery->produce(100);
ok( wait_until($node, 'postgres',
		"SELECT count(*) FROM userstream.stream_status WHERE stream IN ($names) AND state = 'stopped'
			AND stream IN (SELECT stream FROM userstream.incident WHERE closed_at IS NULL)", scalar @all),
	'all whose right is gone have stopped');
foreach my $case (@cases)
{
	my ($name, $how, $kind, $error, $advice) = @$case;

	is( sql("SELECT kind, detail, what_to_do FROM userstream.incident WHERE stream = '$name' AND closed_at IS NULL"),
		"$kind|$error|$advice", "$how: the incident says why, and what continues");
	like(sql("SELECT last_error FROM userstream.stream_status WHERE stream = '$name'"),
		qr/^\Q$error\E.*\Q$advice\E/, "$how: so does the view");
}
is(sql("SELECT count(*) FROM userstream.dead_letter"), 0, 'no message is blamed');
ok( wait_until($node, 'postgres',
		"SELECT sum(messages_read), bool_and(state <> 'stopped') FROM userstream.stream_status
		  WHERE stream IN ('rows', 'leaves', 'renamed')", '600|t'),
	'the others go on');

# still without the right, resumed: it stops again
sql("SELECT userstream.resume_stream('ins')");
ok( wait_until($node, 'postgres',
		"SELECT s.state, count(i) FROM userstream.stream_status s
		   LEFT JOIN userstream.incident i ON i.stream = s.stream AND i.closed_at IS NULL
		  WHERE s.stream = 'ins' GROUP BY s.state", 'stopped|1'),
	'resumed without the right, it stops again, with one open incident');
is(sql("SELECT count(*) FROM userstream.incident WHERE stream = 'ins'"), 2, 'the first is closed');

# ---------------------------------------------------------------------------
# given back
# ---------------------------------------------------------------------------
foreach my $case (@cases)
{
	sql($case->[5]);
	sql("SELECT userstream.resume_stream('$case->[0]')") if $case->[2] eq 'privilege';
}
sql('ALTER TABLE app.schem SET SCHEMA public');
ok( wait_until($node, 'postgres',
		"SELECT count(*) FROM userstream.stream_status WHERE stream IN ($names) AND state <> 'stopped'", scalar @all),
	'all go on');
$delivery->produce(100);
$delivery->is_delivered('postgres', $_, "right given back: $_") foreach @all;
ok( wait_until($node, 'postgres', 'SELECT count(*) FROM userstream.incident WHERE closed_at IS NULL', 0),
	'every incident is closed');

# ---------------------------------------------------------------------------
# row security switched on: each row is judged
# ---------------------------------------------------------------------------
sql('ALTER TABLE rows ENABLE ROW LEVEL SECURITY; GRANT SELECT ON rows TO rows;
	CREATE POLICY even ON rows FOR INSERT WITH CHECK (seq % 2 = 0)');
$delivery->produce(100);
ok( wait_until($node, 'postgres',
		"SELECT messages_read, dead_letters FROM userstream.stream_status WHERE stream = 'rows'", '400|50'),
	'row security switched on: what the policy refuses is a dead letter');
is( sql("SELECT string_agg(DISTINCT sqlstate, ' '), bool_and(error LIKE 'new row violates row-level security policy%')
		   FROM userstream.dead_letter WHERE stream = 'rows'"),
	'42501|t', 'with the policy as the reason');
is(sql('SELECT count(*) FROM rows WHERE seq > 300 AND seq % 2 = 1'), 0, 'and only that');
# a policy that no row can meet is no message's fault
sql("ALTER POLICY even ON rows WITH CHECK (false); SELECT userstream.pause_stream('rows')");
ok(wait_until($node, 'postgres', q{SELECT coalesce(cardinality(pids), 0) FROM userstream.stream_status WHERE stream = 'rows'}, 0), 'paused');
$delivery->produce(200);
sql("SELECT userstream.resume_stream('rows')");
ok( wait_until($node, 'postgres',
		"SELECT state, last_error LIKE '%row-level security policy%', messages_read, dead_letters
		   FROM userstream.stream_status WHERE stream = 'rows'", 'stopped|t|400|50'),
	'a policy that refuses a whole large batch stops');
sql("ALTER TABLE rows DISABLE ROW LEVEL SECURITY; SELECT userstream.resume_stream('rows')");
ok( wait_until($node, 'postgres',
		"SELECT messages_read, dead_letters FROM userstream.stream_status WHERE stream = 'rows'", '600|50'),
	'without it, all of it goes in');

# ---------------------------------------------------------------------------
# names and owners
# ---------------------------------------------------------------------------
sql('ALTER ROLE renamed RENAME TO newly; ALTER SERVER kafka RENAME TO broker');
$delivery->produce(100);
$delivery->is_delivered('postgres', 'renamed', 'role and server renamed');
is(sql("SELECT owner FROM userstream.stream_status WHERE stream = 'renamed'"), 'newly', 'the view has the new name');

# an owner that goes with all it has
sql('DROP OWNED BY leaves; DROP ROLE leaves');
ok( wait_until($node, 'postgres',
		"SELECT state, count(i) FROM userstream.stream_status s
		   JOIN userstream.incident i ON i.stream = s.stream AND closed_at IS NULL
		  WHERE s.stream = 'leaves' GROUP BY state", 'stopped|1'),
	'owner dropped: the stream has stopped');
like(sql("SELECT last_error FROM userstream.stream_status WHERE stream = 'leaves'"),
	qr/^owner "leaves" does not exist any more; userstream.alter_stream\('leaves', owner => \.\.\.\)/, 'and says what is left to do');
sql("SELECT userstream.drop_stream('leaves')");
is(sql("SELECT count(*) FROM userstream.incident WHERE stream = 'leaves' AND closed_at IS NULL"), 0,
	'dropped, it is no incident any more');

# the server of all of them; the names in definitions follow at the supervisor's next turn
ok(wait_until($node, 'postgres', "SELECT count(*) FROM userstream.stream WHERE server = 'broker'", @all + 2),
	'the definitions have the name that the server has now');
sql('DROP SERVER broker');
ok( wait_until($node, 'postgres',
		"SELECT count(*) FROM userstream.stream_status WHERE state = 'stopped'
			AND last_error LIKE 'server \"broker\" does not exist any more; %'", @all + 2),
	'DROP SERVER: all have stopped and say so');
ok( wait_until($node, 'postgres',
		"SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'userstream stream'", 0),
	'and no worker is left');

$node->stop('fast');
done_testing();
