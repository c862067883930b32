#
# test/t/221_transform_more.pl
#    transforms and filters that raise, give much, write, or change while they
#    are used; whose role they have; counters where rows are left out
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '300ms'");
create_server($node, 'postgres', $kafka);

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub error_of
{
	my ($sql) = @_;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$sql");
	return $err;
}

sub caught_up
{
	my ($stream, $topic, $db) = @_;
	my $ends = $kafka->end_offsets($topic);

	return ok(wait_until($node, $db || 'postgres',
			"SELECT string_agg(partition || ':' || next_offset, ',' ORDER BY partition)
			   FROM userstream.partition_status WHERE stream = '$stream'",
			join(',', map { "$_:$ends->{$_}" } sort { $a <=> $b } keys %$ends)), "$stream: all is read");
}

sub letters
{
	my ($stream) = @_;
	# the first ones are enough to see that there are too many
	return ask("SELECT coalesce(string_agg(kafka_offset || ' ' || sqlstate, ', ' ORDER BY kafka_offset), '')
		FROM (SELECT * FROM userstream.dead_letter WHERE stream = '$stream' ORDER BY kafka_offset LIMIT 20) d");
}

sub ledger
{
	my ($stream) = @_;
	return ask("SELECT sum(messages_read), sum(messages_applied), sum(dead_letters), sum(skipped), bool_and(balanced)
		FROM userstream.ledger WHERE stream = '$stream'");
}

sub create
{
	my ($name, $topic, $arguments) = @_;
	return ask("SELECT userstream.create_stream('$name', 'kafka', '$topic', '$name'$arguments)");
}

# 2,000 messages; 13 is even, odd, large and bad things are by their numbers
my $topic = $kafka->new_topic('numbers', 1);
$kafka->produce($topic, [ map { qq({"n": $_}) } 0 .. 1999 ]);

ask(q{
CREATE TABLE other (n int);
CREATE TABLE nothing_before (n int);
CREATE FUNCTION nothing_before(m jsonb) RETURNS SETOF nothing_before LANGUAGE plpgsql AS $$
	DECLARE n int := m ->> 'n';
	BEGIN
		IF n IN (700, 701, 1500) THEN RAISE EXCEPTION 'bad'; END IF;
		IF n > 1900 THEN RETURN NEXT ROW(n)::public.nothing_before; END IF;
	END $$;
CREATE TABLE caught (n int, what text);
CREATE FUNCTION caught(m jsonb) RETURNS caught LANGUAGE plpgsql AS $$
	DECLARE n int := m ->> 'n';
	BEGIN
		BEGIN
			IF n % 500 = 3 THEN PERFORM 1 / 0; END IF;
		EXCEPTION WHEN division_by_zero THEN RETURN ROW(n, 'caught')::public.caught;
		END;
		RETURN ROW(n, 'fine')::public.caught;
	END $$;
CREATE TABLE large (n int, i int);
CREATE FUNCTION large(m jsonb) RETURNS SETOF large LANGUAGE sql AS $$
	SELECT (m ->> 'n')::int, i FROM generate_series(1, CASE m ->> 'n' WHEN '5' THEN 100000 WHEN '6' THEN 3000 ELSE 0 END) i $$;
CREATE TABLE writes (n int);
CREATE FUNCTION writes(m jsonb) RETURNS writes LANGUAGE plpgsql AS $$
	DECLARE n int := m ->> 'n'; already bigint;
	BEGIN
		INSERT INTO public.other VALUES (n);
		IF n = 1234 THEN RAISE EXCEPTION 'bad'; END IF;
		SELECT count(*) INTO already FROM public.writes w WHERE w.n = (m ->> 'n')::int;
		RETURN ROW(n)::public.writes;
	END $$;
CREATE TABLE wrong (n int CHECK (n <> 77), v varchar(3));
CREATE FUNCTION wrong(m jsonb) RETURNS jsonb LANGUAGE sql AS
	$$ SELECT CASE m ->> 'n' WHEN '10' THEN '[1]'::jsonb WHEN '11' THEN 'null' WHEN '12' THEN NULL
		WHEN '13' THEN '{"n": "x"}' WHEN '14' THEN '{"n": 14, "v": "long"}' ELSE m END $$;
CREATE TABLE fenced (n int, t text);
CREATE FUNCTION only_some(m userstream.message) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN IF m.kafka_offset = 1999 THEN RAISE EXCEPTION 'filter'; END IF; RETURN m.kafka_offset % 100 = 0; END $$;
CREATE FUNCTION must_be_round(m jsonb) RETURNS SETOF fenced LANGUAGE sql STABLE AS
	$$ SELECT (m ->> 'n')::int, 'x' WHERE 1 / CASE WHEN (m ->> 'n')::int % 100 = 0 THEN 1 ELSE 0 END = 1 $$;
CREATE TABLE lookup AS SELECT n, k, 'v' || k AS v FROM generate_series(0, 1999) n, generate_series(1, 2) k ORDER BY random();
CREATE TABLE joined (n int, k int, v text, arrival bigserial);
CREATE FUNCTION joined(m jsonb) RETURNS jsonb LANGUAGE sql STABLE AS
	$$ SELECT jsonb_build_object('n', l.n, 'k', l.k, 'v', l.v) FROM public.lookup l WHERE l.n = (m ->> 'n')::int AND l.k = 1 $$;
ANALYZE lookup;
});
create('nothing_before', $topic, q{, transform => 'nothing_before(jsonb)'});
create('caught', $topic, q{, transform => 'caught(jsonb)'});
create('large', $topic, q{, transform => 'large(jsonb)'});
create('writes', $topic, q{, transform => 'writes(jsonb)'});
create('wrong', $topic, q{, transform => 'wrong(jsonb)'});
create('fenced', $topic, q{, transform => 'must_be_round(jsonb)', options => '{"filter": "only_some(userstream.message)"}'});
create('joined', $topic, q{, transform => 'joined(jsonb)', columns => '{"arrival": null}'});

caught_up('nothing_before', $topic);
is(ask('SELECT count(*), min(n) FROM nothing_before'), '99|1901', 'a message that raises is found behind others that give nothing');
is(letters('nothing_before'), '700 P0001, 701 P0001, 1500 P0001', 'it alone is blamed');
is(ledger('nothing_before'), '2000|99|3|1898|t', 'and counted');
caught_up('caught', $topic);
is(ask(q{SELECT count(*), string_agg(n::text, ',' ORDER BY n) FILTER (WHERE what = 'caught') FROM caught}), '2000|3,503,1003,1503',
	'EXCEPTION blocks work');
caught_up('large', $topic);
is(ask('SELECT n, count(*), sum(i), bool_and(i > 0) FROM large GROUP BY n ORDER BY n'), "5|100000|5000050000|t\n6|3000|4501500|t",
	'a hundred thousand rows of one message');
is(ledger('large'), '2000|2|0|1998|t', 'are one message');
is(ask(q{SELECT sum(rows_written) FROM userstream.partition_status WHERE stream = 'large'}), 103000, 'and as many rows');
caught_up('writes', $topic);
is(ask('SELECT count(*), count(DISTINCT n), count(*) FILTER (WHERE n = 1234) FROM other'), '1999|1999|0',
	'what a function writes goes with its row');
is(letters('writes'), '1234 P0001', 'or with its dead letter');
caught_up('wrong', $topic);
is(letters('wrong'), '10 22023, 11 22023, 13 22P02, 14 22001, 77 23514', 'wrong results are dead letters');
is(ledger('wrong'), '2000|1994|5|1|t', 'no result is none');
is(ask(q{SELECT column_name FROM userstream.dead_letter WHERE stream = 'wrong' AND kafka_offset = 13}), 'n', 'with the column');
caught_up('fenced', $topic);
is(letters('fenced'), '1999 P0001', 'what a filter leaves out never comes to the transform');
is(ledger('fenced'), '2000|20|1|1979|t', 'and is skipped');
caught_up('joined', $topic);
is(ask('SELECT count(*), bool_and(before < n) FROM (SELECT n, lag(n, 1, -1) OVER (ORDER BY arrival) AS before FROM joined) j'),
	'2000|t', 'a join keeps the order of messages');

# --- rows that are left out: skipped is what gave none, exactly
my $many = $kafka->new_topic('many', 2);
$kafka->produce($many, [ map { "[{\"id\": @{[$_ * 2]}}, {\"id\": @{[$_ * 3]}}]" } 1 .. 200 ], partition => $_) foreach 0, 1;
ask(q{CREATE TABLE many (id int PRIMARY KEY);
	CREATE TABLE odd (id int);
	CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN CASE WHEN NEW.id % 2 = 1 THEN NEW END; END $$;
	CREATE TRIGGER odd BEFORE INSERT ON odd FOR EACH ROW EXECUTE FUNCTION odd()});
create('many', $many, q{, options => '{"explode": true, "on_conflict": "nothing"}'});
create('odd', $many, q{, options => '{"explode": true}'});
caught_up('many', $many);
is(ask('SELECT count(*) FROM many'), ask('SELECT count(DISTINCT i) FROM (SELECT 2 * n FROM generate_series(1, 200) n
	UNION ALL SELECT 3 * n FROM generate_series(1, 200) n) s(i)'), 'on_conflict nothing with explode');
# whichever of the two copies of a message is first has a row of its own, 3 * n
is(ask(q{SELECT sum(skipped), sum(rows_written), bool_and(messages_read = messages_applied + dead_letters + skipped)
	FROM userstream.ledger JOIN userstream.partition_status USING (stream, partition, messages_read, dead_letters, skipped)
	WHERE stream = 'many'}), '200|' . ask('SELECT count(*) FROM many') . '|t', 'a message is skipped when none of its rows went in');
caught_up('odd', $many);
is(ask(q{SELECT sum(rows_written) FROM userstream.partition_status WHERE stream = 'odd'}), ask('SELECT count(*) FROM odd'),
	'rows that a trigger drops are not counted');

# --- the table changes under a function that returns its rows
ask(q{ALTER TABLE caught ADD COLUMN more int; ALTER TABLE caught DROP COLUMN what;
	CREATE OR REPLACE FUNCTION caught(m jsonb) RETURNS caught LANGUAGE sql AS
		$$ SELECT ROW((m ->> 'n')::int, 9)::public.caught $$});
$kafka->produce($topic, [ '{"n": 5000}', '{"n": 6000}' ]);
caught_up('caught', $topic);
is(ask('SELECT string_agg(n || \' \' || more, \',\' ORDER BY n) FROM caught WHERE n >= 5000'), '5000 9,6000 9', 'columns come and go');

# --- names: schema renamed, filter renamed or gone
ask(q{CREATE SCHEMA lib; CREATE TABLE named (n int);
	CREATE FUNCTION lib.keep(m jsonb) RETURNS boolean LANGUAGE sql AS 'SELECT true';
	CREATE FUNCTION lib.as_it_is(m jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT m'});
create('named', $topic, q{, transform => 'lib.as_it_is(jsonb)'});
caught_up('named', $topic);
ask('ALTER SCHEMA lib RENAME TO "Lib 2"');
$kafka->produce($topic, ['{"n": 7000}']);
caught_up('named', $topic);
is(ask('SELECT count(*) FROM named WHERE n = 7000'), 1, 'a renamed schema is followed');
ask(q{SELECT userstream.alter_stream('named', options => '{"filter": "\"Lib 2\".keep(jsonb)"}')});
$kafka->produce($topic, ['{"n": 7001}']);
caught_up('named', $topic);
ask('ALTER FUNCTION "Lib 2".keep(jsonb) RENAME TO keeps');
$kafka->produce($topic, ['{"n": 7002}']);
caught_up('named', $topic);
is(ask('SELECT count(*) FROM named WHERE n = 7002'), 1, 'a renamed filter is followed');
ok(wait_until($node, 'postgres', q{SELECT options ->> 'filter' FROM userstream.stream WHERE name = 'named'}, '"Lib 2".keeps(jsonb)'),
	'in the definition too');
ask(q{SELECT userstream.alter_stream('named', options => '{"batch_rows": 500}')});
is(ask(q{SELECT options ->> 'filter', filter_oid = '"Lib 2".keeps(jsonb)'::regprocedure FROM userstream.stream WHERE name = 'named'}),
	'"Lib 2".keeps(jsonb)|t', 'which keeps it when something else is altered');
ask(q{DROP FUNCTION "Lib 2".keeps(jsonb);
	CREATE FUNCTION "Lib 2".keeps(m jsonb) RETURNS boolean LANGUAGE sql AS 'SELECT false'});
$kafka->produce($topic, ['{"n": 7003}']);
ok(wait_until($node, 'postgres', q{SELECT state, last_error LIKE '%filter "Lib 2".keeps(jsonb) does not exist any more%'
	FROM userstream.stream_status WHERE stream = 'named'}, 'stopped|t'), 'another function of its name is not the filter');
like(ask(q{SELECT what_to_do FROM userstream.incident WHERE stream = 'named' AND closed_at IS NULL}),
	qr/userstream\.alter_stream.*filter/, 'and the incident says how to name it');
my $gone = qr/42883: filter "Lib 2"\.keeps\(jsonb\) does not exist any more\nHINT:  .*filter/;
like(error_of(q{SELECT * FROM userstream.try_message('named', '{}')}), $gone, 'so does try_message');
like(error_of(q{INSERT INTO userstream.dead_letter (owner, owner_oid, home, stream, topic, partition, kafka_offset, sqlstate, error)
	SELECT owner, owner_oid, home, name, topic, 0, 0, '22000', 'made up' FROM userstream.stream WHERE name = 'named';
	SELECT userstream.retry_dead_letters('named')}), $gone, 'and a retry');
ask(q{DELETE FROM userstream.dead_letter WHERE error = 'made up'});
like(error_of(q{SELECT userstream.alter_stream('named', workers => 2)}), $gone, 'altering something else does not take the other one');
is(letters('named'), '', 'no message is blamed');
ask(q{SELECT userstream.alter_stream('named', options => '{"filter": "\"Lib 2\".keeps(jsonb)"}'); SELECT userstream.resume_stream('named')});
caught_up('named', $topic);
is(ask(q{SELECT sum(skipped) FROM userstream.partition_status WHERE stream = 'named'}), 1, 'naming it does');
ask(q{SELECT userstream.alter_stream('named', options => '{"filter": null}')});
is(ask(q{SELECT options ->> 'filter', filter_oid FROM userstream.stream WHERE name = 'named'}), '|', 'a filter can be taken away');

ask(q{DROP FUNCTION "Lib 2".as_it_is(jsonb); CREATE FUNCTION "Lib 2".as_it_is(m jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT m'});
$kafka->produce($topic, ['{"n": 7004}']);
ok(wait_until($node, 'postgres', q{SELECT state FROM userstream.stream_status WHERE stream = 'named'}, 'stopped'), 'another function of the name is not the one');
like(error_of(q{SELECT userstream.alter_stream('named', workers => 2)}), qr/42883: transform .*as_it_is\(jsonb\) does not exist any more/,
	'nor is it by altering something else');
ask(q{SELECT userstream.alter_stream('named', transform => '"Lib 2".as_it_is(jsonb)'); SELECT userstream.resume_stream('named')});
caught_up('named', $topic);
is(ask('SELECT string_agg(n::text, \',\' ORDER BY n) FROM named WHERE n > 7000'), '7001,7002,7004', 'nothing else is missing');

# --- whose role a function has
ask(q{
CREATE ROLE app LOGIN; CREATE ROLE boss LOGIN; CREATE ROLE chief SUPERUSER; GRANT USAGE ON FOREIGN SERVER kafka TO app, boss;
CREATE TABLE roles (n int, who text, session text);
GRANT INSERT, SELECT ON roles TO app, boss;
CREATE FUNCTION roles(m jsonb) RETURNS roles LANGUAGE plpgsql AS $$
	BEGIN
		BEGIN SET ROLE chief; EXCEPTION WHEN OTHERS THEN NULL; END;
		BEGIN SET SESSION AUTHORIZATION chief; EXCEPTION WHEN OTHERS THEN NULL; END;
		RETURN ROW(m ->> 'n', current_user, session_user)::public.roles;
	END $$;
CREATE FUNCTION definer() RETURNS text LANGUAGE sql SECURITY DEFINER AS 'SELECT current_user::text';
CREATE TABLE defined (n int, who text);
GRANT INSERT ON defined TO app;
CREATE FUNCTION defined(m jsonb) RETURNS jsonb LANGUAGE sql AS
	$$ SELECT m || jsonb_build_object('who', public.definer()) $$;
REVOKE EXECUTE ON FUNCTION roles(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION roles(jsonb) TO app;
});
my $few = $kafka->new_topic('few', 1);
$kafka->produce($few, ['{"n": 1}']);
ask("SET ROLE app; SELECT userstream.create_stream('roles', 'kafka', '$few', 'roles', transform => 'roles(jsonb)')");
ask("SET ROLE app; SELECT userstream.create_stream('defined', 'kafka', '$few', 'defined', transform => 'defined(jsonb)')");
caught_up($_, $few) foreach qw(roles defined);
is(ask('SELECT who, session FROM roles'), 'app|app', 'it is the owner\'s and stays so');
is(ask('SELECT who FROM defined'), ask('SELECT current_user'), 'but SECURITY DEFINER is');
like(ask(q{SELECT userstream.try_message('roles', '{"n": 2}')}), qr/"who": "app"/, 'the same in a session of another');
like(error_of(q{SELECT userstream.alter_stream('roles', owner => 'boss')}),
	qr/42501: permission denied for function .*HINT:  GRANT EXECUTE ON FUNCTION public\.roles\(jsonb\) TO boss/s, 'another owner needs EXECUTE too');
ask('REVOKE EXECUTE ON FUNCTION roles(jsonb) FROM app');
$kafka->produce($few, ['{"n": 3}']);
ok(wait_until($node, 'postgres', q{SELECT state FROM userstream.stream_status WHERE stream = 'roles'}, 'stopped'), 'a revoke stops the stream');
is(letters('roles'), '', 'no message is blamed');

# --- exactly once, by SQL over the same messages, through kills
my $script = $kafka->new_topic('script', 2);
ask(q{CREATE TABLE exploded (p int, o bigint, id int);
	CREATE FUNCTION exploded(m userstream.message) RETURNS SETOF exploded LANGUAGE sql AS
		$$ SELECT m.partition, m.kafka_offset, (e ->> 'id')::int FROM jsonb_array_elements(convert_from(m.value, 'UTF8')::jsonb -> 'list') e $$});
create('exploded', $script, q{, transform => 'exploded(userstream.message)', workers => 2, options => '{"batch_rows": 500}'});
foreach my $round (1 .. 3)
{
	$kafka->produce($script, [ map { my $i = $_;
			$i % 97 == 0 ? '{"list": [{"id": "bad"}]}' : '{"list": [' . join(',', map { "{\"id\": $_}" } 1 .. $i % 4) . ']}' } 1 .. 4000 ],
		partition => $_) foreach 0, 1;
	last if $round == 3;
	wait_until($node, 'postgres', q{SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name LIKE 'userstream: exploded%'});
	my ($pid) = split /\n/, ask(q{SELECT pid FROM pg_stat_activity WHERE application_name LIKE 'userstream: exploded%'});
	kill 'KILL', $pid;
	wait_until($node, 'postgres', "SELECT count(*) FROM pg_stat_activity WHERE pid = $pid", 0);
}
caught_up('exploded', $script);
is(ask(q{SELECT bool_and(balanced), sum(messages_read), sum(dead_letters) = (SELECT count(*) FROM userstream.dead_letter WHERE stream = 'exploded'),
		sum(messages_applied) = (SELECT count(DISTINCT (p, o)) FROM exploded) FROM userstream.ledger WHERE stream = 'exploded'}), 't|24000|t|t',
	'the ledger is what the tables have');
ask("CREATE TABLE expected AS SELECT partition AS p, kafka_offset AS o, (e ->> 'id')::int AS id
	FROM userstream.peek('kafka', '$script', from_offset => 0, max_messages => 100000, max_bytes => 100000000) m,
		jsonb_array_elements(convert_from(m.value, 'UTF8')::jsonb -> 'list') e WHERE e ->> 'id' <> 'bad'");
is(ask('SELECT count(*) FROM ((TABLE exploded EXCEPT ALL TABLE expected) UNION ALL (TABLE expected EXCEPT ALL TABLE exploded)) d'), 0,
	'each row once');

# --- another database: restored, adopted; and one that is not UTF-8
my $dump = "${PostgreSQL::Test::Utils::tmp_check}/transform.dump";
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'dumped');
ask('CREATE DATABASE restored TEMPLATE template0');
$node->command_ok([ 'pg_restore', '-d', $node->connstr('restored'), $dump ], 'restored without an error');
$node->safe_psql('restored', q{SELECT userstream.adopt('fenced'); SELECT userstream.adopt('named')});
is( $node->safe_psql('restored', q{SELECT transform_oid = to_regprocedure(transform), filter_oid = to_regprocedure(options ->> 'filter')
		FROM userstream.stream WHERE name = 'fenced'}), 't|t', 'adopt finds its functions by their names');
$kafka->produce($topic, [ '{"n": 100}', '{"n": 8001}' ]);
caught_up($_, $topic, 'restored') foreach qw(fenced named);
is($node->safe_psql('restored', 'SELECT string_agg(n::text, \',\' ORDER BY n) FROM named WHERE n > 8000'), '8001', 'its functions go on there');
ask(q{CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'});
$node->safe_psql('latin', q{SET client_encoding = 'UTF8'; CREATE EXTENSION userstream; CREATE TABLE latin (t text, u text);
	CREATE FUNCTION latin(m jsonb) RETURNS jsonb LANGUAGE sql AS $$ SELECT m || jsonb_build_object('u', '} . "\xc3\xa4" . q{' || (m ->> 't')) $$});
create_server($node, 'latin', $kafka);
my $latin = $kafka->new_topic('latin', 1);
$kafka->produce($latin, [ "[{\"t\": \"\xc3\xb6\"}, {\"t\": \"\\u00fc\"}]", "{\"t\": \"\xe2\x82\xac\"}" ]);
$node->safe_psql('latin', "SELECT userstream.create_stream('latin', 'kafka', '$latin', 'latin', transform => 'latin(jsonb)', options => '{\"explode\": true}')");
caught_up('latin', $latin, 'latin');
is($node->safe_psql('latin', q{SELECT string_agg(t || u, ',' ORDER BY t) = chr(246) || chr(228) || chr(246) || ',' || chr(252) || chr(228) || chr(252) FROM latin}),
	't', 'LATIN1: in and out of a function');
is($node->safe_psql('latin', q{SELECT kafka_offset || ' ' || sqlstate FROM userstream.dead_letter}), '1 22P05', 'or a dead letter');

$node->stop;
done_testing();
