#
# test/t/186_writers.pl
#    what somebody can try who may only write to a topic: text that looks like
#    SQL, on each way into a table, and garbage without end; and somebody who
#    may only replace a function that another's stream calls
#
use strict;
use warnings;
use utf8;

use Encode qw(encode_utf8);
use JSON::PP ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

my $kafka = shared_kafka();
# memory that was freed holds nothing that could still do
$ENV{MALLOC_PERTURB_} = 90;
my $node = userstream_node('main', conf => "userstream.queue_memory = '4MB'");
create_server($node, 'postgres', $kafka);

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', encode_utf8($sql)); }

sub all_read
{
	my ($stream, $count) = @_;
	return ok(wait_until($node, 'postgres', "SELECT sum(messages_read) FROM userstream.ledger
		WHERE stream = (SELECT stream FROM names WHERE name = '$stream')", $count), "$stream: all is read");
}

# ---------------------------------------------------------------------------
# each text as key, header, value and name of a field: it arrives as it is
# ---------------------------------------------------------------------------
my $file = $node->basedir . '/ran';
my @texts = (
	q{'); DROP TABLE canary; --}, q{"); DROP TABLE canary; --}, q{'; DROP TABLE canary; --}, q{$$; DROP TABLE canary; $$},
	q{\\'; DROP TABLE canary; --}, q{' || (SELECT 1 / 0) || '}, qq{\\.\nDROP TABLE canary;}, '\\.', '\\N', '\\x00', q{E'\\000'},
	"a\tb\nc\rd\x{b}\f\x{1}\x{7f}", '$1', '$2', '%s%n%1$s', ':name', ':"name"', ':\'name\'', '{"canary": null}', '[]', '{}', '{,}',
	'(1,2)', '("a","b")', 'NULL', 'null', '', ' ', 'DEFAULT', 'nextval(\'spent\')', 'pg_sleep(1000)', 'now', 'canary',
	"COPY canary TO PROGRAM 'touch $file'", "`touch $file`", "\$(touch $file)", '../../../etc/passwd', '<!ENTITY x SYSTEM "file:///etc/passwd">',
	"\x{202e}\x{feff}\x{1f600}", "'" x 1000, '"' x 1000, '\\' x 1001, 'x' x 100_000);
my $count = @texts;
my $json = JSON::PP->new->utf8->canonical;
my $topic = $kafka->new_topic('texts', 1);

$kafka->produce_script($topic, [ map {
	my $text = $texts[$_];
	# fields of that name too, which no column has
	my $message = $json->encode({ i => $_, t => $text, j => { $text => [$text] }, a => [$text], $text eq 'canary' ? () : ($text => $text) });

	[ '-', 'send', 0, 0, encode_utf8($text), $message, 'h=' . encode_utf8($text) ] } 0 .. $#texts ]);

# names of streams, tables and columns of the same kind
my %names = map { $_ => qq{$_'); DROP TABLE canary; -- "\$1} } qw(direct query whole parts function);
my $column = q{c"'); DROP TABLE canary; --};
my $columns = $json->encode({ k => '@key', h => '@headers', $column => 't' });
ask(q{CREATE TABLE canary (a int); INSERT INTO canary VALUES (42); CREATE SEQUENCE spent;
	CREATE TABLE names (name text, stream text);
	CREATE TABLE expected (i int, t text);
	CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$});
# neither COPY nor a literal of ours stands between: base64
foreach my $i (0 .. $#texts)
{
	my $bytes = unpack 'H*', encode_utf8($texts[$i]);
	ask("INSERT INTO expected VALUES ($i, convert_from('\\x$bytes', 'UTF8'))");
}
foreach my $name (sort keys %names)
{
	my $stream = $names{$name} =~ s/'/''/gr;
	my $table = '"' . $names{$name} =~ s/"/""/gr . '"';
	my $quoted = '"' . $column =~ s/"/""/gr . '"';
	my $key = $name eq 'whole' || $name eq 'parts' ? ', mode => \'upsert\'' : '';

	ask("INSERT INTO names VALUES ('$name', '$stream');
		CREATE TABLE $table (i int PRIMARY KEY, t text, $quoted text, j jsonb, a text[], k bytea, h jsonb"
		  . ($name eq 'parts' ? ', absent text' : '') . ');'
		  . ($name eq 'query' ? "CREATE TRIGGER pass BEFORE INSERT ON $table FOR EACH ROW EXECUTE FUNCTION pass();" : '')
		  . ($name eq 'function' ? "CREATE FUNCTION $table(m userstream.message) RETURNS SETOF $table LANGUAGE sql AS \$f\$
				SELECT (v ->> 'i')::int, v ->> 't', v ->> 't', v -> 'j', ARRAY(SELECT jsonb_array_elements_text(v -> 'a')), m.key, m.headers
				  FROM (SELECT convert_from(m.value, 'UTF8')::jsonb AS v) x \$f\$;" : ''));
	ask("SELECT userstream.create_stream('$stream', 'kafka', '$topic', " . quote($table) . ($name eq 'function'
			? ', transform => ' . quote("public.$table(userstream.message)") : ', columns => ' . quote($columns)) . "$key)");
	all_read($name, $count);
	is(ask("SELECT count(*) FROM expected e JOIN $table w USING (i)
			 WHERE w.t = e.t AND w.$quoted = e.t AND w.k = convert_to(e.t, 'UTF8') AND w.a = ARRAY[e.t]
			   AND w.j = jsonb_build_object(e.t, jsonb_build_array(e.t)) AND w.h -> 0 ->> 'value' = e.t"),
		$count, "$name: each text is in its row, byte for byte");
}

sub quote { my ($text) = @_; return q{'} . $text =~ s/'/''/gr . q{'}; }

# where they do not fit: dead letters, and the reasons hold them
ask(q{CREATE TABLE typed (i int PRIMARY KEY, t int, r regclass, n regproc, d interval);
	INSERT INTO names VALUES ('typed', 'typed')});
ask(qq{SELECT userstream.create_stream('typed', 'kafka', '$topic', 'typed', mode => 'upsert',
	columns => '{"r": "t", "n": "t", "d": "t"}')});
all_read('typed', $count);
is(ask(q{SELECT count(*), count(*) FILTER (WHERE sqlstate LIKE '22%' OR sqlstate LIKE '42%') FROM userstream.dead_letter WHERE stream = 'typed'}),
	"$count|$count", 'texts that are no values are dead letters, all of them');
is(ask(q{SELECT count(*) FROM userstream.dead_letter l JOIN expected e ON e.i = l.kafka_offset
		  WHERE l.stream = 'typed' AND l.key = convert_to(e.t, 'UTF8') AND convert_from(l.value, 'UTF8')::jsonb ->> 't' = e.t
			AND l.headers -> 0 ->> 'value' = e.t}), $count, 'which keep them byte for byte');
ask('ALTER TABLE typed ALTER t TYPE text, DROP r, DROP n, DROP d');
is(ask(q{SELECT userstream.alter_stream('typed', columns => '{}'); SELECT userstream.retry_dead_letters('typed')}), "\n$count",
	'and can be retried');
is(ask('SELECT count(*) FROM expected JOIN typed USING (i, t)'), $count, 'byte for byte');
is(ask('SELECT string_agg(a::text, \',\'), (SELECT is_called FROM spent) FROM canary'), '42|f', 'nothing of it was run');
ok(!-e $file, 'by a shell neither');
is(ask('SELECT count(*) FROM userstream.incident'), 0, 'and no stream has stopped');

# ---------------------------------------------------------------------------
# garbage without end: a dead letter each, and no memory for it
# ---------------------------------------------------------------------------
my $flood = $kafka->new_topic('flood', 1);
my @garbage = ('{' x 1000, '[' x 100_000, "\xff\xfe" x 500, '{"i": ' . '9' x 10_000 . '}', '{"i": 1, "i": 2', 'x' x 2000);
my $hwm = q{SELECT substring(pg_read_file('/proc/' || pids[1] || '/status', 0, 8192) FROM 'VmHWM:\s+(\d+)')
	FROM userstream.stream_status WHERE stream = 'flood'};

ask(q{CREATE TABLE flood (i int, rest jsonb); INSERT INTO names VALUES ('flood', 'flood')});
ask(qq{SELECT userstream.create_stream('flood', 'kafka', '$flood', 'flood', columns => '{"rest": "\@rest"}')});
sub garbage { my ($rounds) = @_; $kafka->produce($flood, [ map { @garbage } 1 .. $rounds ]); return $rounds * @garbage; }
my $sent = garbage(200);
all_read('flood', $sent);
my $before = ask($hwm);
$sent += garbage(1000);
all_read('flood', $sent);
my $after = ask($hwm);
is(ask(q{SELECT dead_letters, rows_written FROM userstream.stream_status WHERE stream = 'flood'}), "$sent|0", 'garbage: a dead letter each');
cmp_ok($after - $before, '<', 32 * 1024, "five times as much of it takes no more memory (kB: $before, $after)");
$kafka->produce($flood, ['{"i": 7, "last": true}']);
all_read('flood', $sent + 1);
is(ask('SELECT i, rest FROM flood'), '7|{"last": true}', 'what comes behind it arrives');

# a long array, of which the last element is bad: one dead letter, and one for each message alone
my $many = $kafka->new_topic('many', 1, 'max.message.bytes' => 10_000_000);
my $last = sub { my ($n, $value) = @_; return '[' . join(',', map { qq({"i":$_}) } 1 .. $n) . qq(,{"i":$value}]) };
ask(q{CREATE TABLE many (i int); INSERT INTO names VALUES ('many', 'many');
	CREATE FUNCTION any_of(m jsonb) RETURNS boolean LANGUAGE sql RETURN m IS NOT NULL});
$kafka->produce($many, [ '[{"i": 1}]', $last->(200_000, '"bad"'), '[{"i": 2}]', $last->(2000, '"bad"'), $last->(2000, 0) ]);
ask(qq{SELECT userstream.create_stream('many', 'kafka', '$many', 'many', options => '{"explode": true, "filter": "any_of(jsonb)"}')});
all_read('many', 5);
is(ask(q{SELECT string_agg(kafka_offset || ' ' || sqlstate, ', ' ORDER BY kafka_offset) FROM userstream.dead_letter WHERE stream = 'many'}),
	'1 22P02, 3 22P02', 'long arrays with a bad element are a dead letter each');
is(ask('SELECT count(*) FROM many'), 2003, 'of which nothing is written, and all of the others');

# ---------------------------------------------------------------------------
# a function that another stream's owner may replace: it has the rights of the
# owner of the stream, in the worker and in anybody's session, and no more
# ---------------------------------------------------------------------------
ask(q{CREATE ROLE clerk LOGIN; CREATE ROLE mallory LOGIN; CREATE ROLE chief SUPERUSER; GRANT USAGE ON FOREIGN SERVER kafka TO clerk;
	CREATE SCHEMA lent AUTHORIZATION mallory; GRANT USAGE ON SCHEMA lent TO clerk;
	CREATE TABLE lending (i int, who text, session text, did text); GRANT INSERT ON lending TO clerk;
	SET ROLE mallory;
	CREATE FUNCTION lent.f(m jsonb) RETURNS jsonb LANGUAGE sql AS 'SELECT m'});
my $lent = $kafka->new_topic('lent', 1);
ask(qq{SET ROLE clerk; SELECT userstream.create_stream('lent', 'kafka', '$lent', 'lending', transform => 'lent.f(jsonb)')});
ask(q{INSERT INTO names VALUES ('lent', 'lent');
	SET ROLE mallory;
	CREATE OR REPLACE FUNCTION lent.f(m jsonb) RETURNS jsonb LANGUAGE plpgsql AS $f$
	DECLARE
		attempt text;
		did text := '';
	BEGIN
		FOREACH attempt IN ARRAY ARRAY[
			'SET ROLE chief', 'SET ROLE mallory', 'SET SESSION AUTHORIZATION chief', 'RESET SESSION AUTHORIZATION',
			'ALTER ROLE mallory SUPERUSER', 'GRANT chief TO mallory', 'SELECT * FROM userstream.stream',
			'UPDATE userstream.stream SET owner = ''chief''', 'SELECT pg_read_file(''/etc/passwd'')',
			'COPY (SELECT 1) TO PROGRAM ''true''', 'SET session_replication_role = replica',
			'CREATE FUNCTION userstream.x() RETURNS int LANGUAGE sql RETURN 1', 'SELECT userstream.drop_stream(''flood'')']
		LOOP
			BEGIN
				EXECUTE attempt;
				did := did || attempt || '; ';
			EXCEPTION WHEN OTHERS THEN
				IF SQLSTATE <> '42501' THEN
					did := did || attempt || ': ' || SQLSTATE || '; ';
				END IF;
			END;
		END LOOP;
		RETURN m || jsonb_build_object('who', current_user, 'session', session_user, 'did', did);
	END $f$});
$kafka->produce($lent, ['{"i": 1}']);
all_read('lent', 1);
# in a session of the owner he may take his own rights back
is(ask('SELECT who, session, did FROM lending'), 'clerk|clerk|RESET SESSION AUTHORIZATION; ', 'in the worker it is the owner of the stream');
is(ask(q{SELECT userstream.try_message('lent', '{"i": 2}')}), '{"i": 2, "did": "", "who": "clerk", "session": "' . ask('SELECT session_user') . '"}',
	'in the session of a superuser too');
# what outlives the call in that session is refused there
foreach my $attempt ('CREATE TEMPORARY TABLE pg_class (oid oid)',
	'DECLARE held CURSOR WITH HOLD FOR SELECT 1', 'LISTEN userstream', 'SET LOCAL ROLE chief', 'SET ROLE clerk')
{
	ask("SET ROLE mallory; CREATE OR REPLACE FUNCTION lent.f(m jsonb) RETURNS jsonb LANGUAGE plpgsql AS \$f\$
		BEGIN EXECUTE " . quote($attempt) . q{; RETURN m; END $f$});
	my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT userstream.try_message('lent', '{\"i\": 3}')");
	like($err, qr/42501|0A000|42P01|34000|42601/, "refused: $attempt");
}

$node->stop('fast');
done_testing();
