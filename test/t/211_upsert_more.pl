#
# test/t/211_upsert_more.pl
#    mode upsert where the target is not plain: types and sources of keys,
#    triggers, rules, policies, partitions, rights of columns, indexes that go
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

my $kafka = shared_kafka();
my $node = userstream_node('main');
create_server($node, 'postgres', $kafka);
$node->safe_psql('postgres', q{CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'});
$node->safe_psql('latin', 'CREATE EXTENSION userstream');
create_server($node, 'latin', $kafka);

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub caught_up
{
	my ($stream, $topic, $db) = @_;
	my $ends = $kafka->end_offsets($topic);

	return ok(wait_until($node, $db || 'postgres',
			"SELECT string_agg(partition || ':' || next_offset, ',' ORDER BY partition)
			   FROM userstream.partition_status WHERE stream = '$stream'",
			join(',', map { "$_:$ends->{$_}" } sort { $a <=> $b } keys %$ends)), "$stream: all is read");
}

# messages as given to Kafka->produce, tombstones among them, in one partition
sub produce
{
	my ($where, @messages) = @_;

	$kafka->produce_script($where,
		[ map { [ '-', 'send', 0, 0, ref $_ ? ($_->{key}, $_->{value}) : (undef, $_) ] } @messages ]);
	return;
}

sub gone { my ($key) = @_; return { key => $key, value => undef }; }

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

# One topic, one table and one stream of the same name, made before their
# messages are read, so that these come in one batch.
my %topic;

sub upsert
{
	my ($name, $table, $arguments, @messages) = @_;

	$topic{$name} = $kafka->new_topic($name, 1);
	produce($topic{$name}, @messages);
	ask($table);
	ask("SELECT userstream.create_stream('$name', 'kafka', '$topic{$name}', '$name', mode => 'upsert'$arguments)");
	return;
}

# --- types of keys
ask(q{CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN code AS text CHECK (value ~ '^[a-z]+$')});
my %types = (
	numeric => [ '1.00', '1', '2' ], bpchar => [ '"a "', '"a"', '"b"' ], 'varchar(5)' => [ '"a"', '"a"', '"b"' ],
	code => [ '"a"', '"a"', '"b"' ], mood => [ '"sad"', '"sad"', '"happy"' ], 'int[]' => [ '"{1,2}"', '"{1, 2}"', '"{1}"' ],
	int4range => [ '"[1,2)"', '"[1,1]"', '"[1,3)"' ], float8 => [ '-0', '0', '1' ], uuid =>
	  [ '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"', '"A0EEBC999C0B4EF8BB6D6BB9BD380A11"', '"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12"' ],
	bytea => [ '"\\\\x01"', '"\\\\001"', '"\\\\x02"' ], timestamptz =>
	  [ '"2026-01-01T00:00:00Z"', '"2026-01-01T01:00:00+01"', '"2026-01-02T00:00:00Z"' ],
	inet => [ '"::1"', '"0::1"', '"::2"' ], jsonb => [ '{"a": 1}', '{"a":1}', '{"a": 2}' ]);
my $n = 0;
my %type_stream = map { $_ => 'type_' . ++$n } sort keys %types;
foreach my $type (sort keys %types)
{
	my ($one, $same, $other) = @{ $types{$type} };
	my $name = $type_stream{$type};

	upsert($name, "CREATE TABLE $name (k $type PRIMARY KEY, v int)", '',
		"{\"k\": $one, \"v\": 1}", "{\"k\": $other, \"v\": 2}", "{\"k\": $same, \"v\": 3}", gone("{\"k\": $other}"));
}

# --- keys are equal as their index says, and a row keeps the key that it came with
upsert('folded', q{
	CREATE COLLATION nocase (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
	CREATE TABLE folded (k text COLLATE nocase PRIMARY KEY, v int)}, '',
	'{"k": "Key", "v": 1}', '{"k": "KEY", "v": 2}', '{"k": "Gone", "v": 1}', gone('gONE'));
# the index's collation is not the column's
upsert('other_collation', q{
	CREATE TABLE other_collation (k text, v int);
	CREATE UNIQUE INDEX ON other_collation (k COLLATE nocase)}, q{, key => '{k}'},
	'{"k": "Key", "v": 1}', '{"k": "KEY", "v": 2}', '{"k": "Gone", "v": 1}', gone('gONE'));

# --- keys from parts of the message: a removal has the same parts
upsert('by_key', 'CREATE TABLE by_key (k text PRIMARY KEY, v int)', q{, columns => '{"k": "@key"}'},
	(map { { key => $_, value => '{"v": 1}' } } '"quoted"', '{"a": 1}', ' 42 ', 'plain', 'stays'),
	gone('"quoted"'), gone('{"a": 1}'), gone(' 42 '), gone('plain'), gone('{"k": "stays"}'));
upsert('by_part', 'CREATE TABLE by_part (t text, p int, id int, v int, PRIMARY KEY (t, p, id))',
	q{, columns => '{"t": "@topic", "p": "@partition"}'},
	'{"id": 1, "v": 1}', '{"id": 2, "v": 1}', '{"id": 3, "v": 1}', gone('{"id": 1}'), gone('2'));
upsert('copy', 'CREATE TABLE copy (k bytea PRIMARY KEY, v text)',
	q{, format => 'text', columns => '{"k": "@key", "v": "@value"}'},
	{ key => '{"id": 1}', value => 'one' }, { key => "\xff", value => 'two' }, { key => 'x', value => 'three' },
	gone('{"id": 1}'), gone("\xff"));
# a field elsewhere in the value has its column's name in the key, or its own there
upsert('by_path', 'CREATE TABLE by_path (user_id int PRIMARY KEY, v int)', q{, columns => '{"user_id": "id"}'},
	'{"id": 1, "v": 1}', '{"id": 2, "v": 1}', '{"id": 3, "v": 1}', gone('{"user_id": 1}'), gone('{"id": 2}'));
upsert('by_default', 'CREATE TABLE by_default (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v int,
	twice int GENERATED ALWAYS AS (v * 2) STORED)', '',
	'{"id": 5, "v": 1}', '{"v": 7}', '{"id": 5, "v": 2}');

# --- messages that have too little for a row of their own
upsert('partial', 'CREATE TABLE partial (id int, k text COLLATE "C", must text NOT NULL, v int, PRIMARY KEY (id, k))', '',
	'{"id": 1, "k": "a", "must": "x", "v": 1}', '{"id": 1, "k": "b", "must": "y"}', '{"id": 2, "k": "a", "v": 2}');
caught_up('partial', $topic{partial});
produce($topic{partial}, '{"id": 1, "k": "a", "v": 3}', '{"id": 3, "k": "a", "v": 3}', '{"id": 1, "k": "b"}', '{"id": 4, "k": "b"}',
	'{"id": 1, "k": "b", "v": 4}', '{"id": 1, "k": "b", "must": null}');

# --- triggers
upsert('triggered', q{
	CREATE TABLE triggered (k text PRIMARY KEY, v int, changes int DEFAULT 0);
	CREATE TABLE seen (what text);
	CREATE FUNCTION before_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		NEW.k := lower(NEW.k);
		IF NEW.v = 0 THEN RETURN NULL; END IF;
		RETURN NEW; END $$;
	CREATE FUNCTION after_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO public.seen VALUES (TG_OP || coalesce(NEW.k, OLD.k)); RETURN NULL; END $$;
	CREATE TRIGGER b BEFORE INSERT ON triggered FOR EACH ROW EXECUTE FUNCTION before_it();
	CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON triggered FOR EACH ROW EXECUTE FUNCTION after_it()}, '',
	'{"k": "A", "v": 1}', '{"k": "a", "v": 2}', '{"k": "b", "v": 0}', '{"k": "c", "v": 3}', gone('c'));

# what a removal takes with it must come after what was written before
upsert('tree', q{
	CREATE TABLE tree (id int PRIMARY KEY, parent int REFERENCES tree ON DELETE CASCADE, name text)}, '',
	'{"id": 1, "name": "root"}', '{"id": 2, "parent": 1, "name": "moved"}', '{"id": 3, "parent": 2, "name": "leaf"}',
	'{"id": 4, "parent": 1, "name": "goes"}', '{"id": 9, "parent": 8}');
caught_up('tree', $topic{tree});
produce($topic{tree}, '{"id": 2, "parent": null}', gone(1), '{"id": 5, "parent": 2, "name": "new"}');

# --- rows that are in each other's way within a batch
upsert('swapped', 'CREATE TABLE swapped (id int PRIMARY KEY, place text UNIQUE,
	at int4range, EXCLUDE USING gist (at WITH &&))', '',
	'{"id": 1, "place": "x"}', '{"id": 2, "place": "y"}', '{"id": 1, "place": null}', '{"id": 2, "place": "x"}',
	'{"id": 1, "place": "y"}', '{"id": 3, "place": "y"}', '{"id": 3, "at": "[1,5)"}', '{"id": 4, "at": "[4,6)"}');

# --- partitions, with a trigger on one of them
upsert('parts', q{
	CREATE TABLE parts (p int, id int, v text, PRIMARY KEY (p, id)) PARTITION BY LIST (p);
	CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
	CREATE TABLE parts_2 (id int NOT NULL, dropped int, v text, p int NOT NULL); ALTER TABLE parts_2 DROP dropped;
	ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES IN (2);
	CREATE TABLE parts_log (what text);
	CREATE FUNCTION log_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
		INSERT INTO public.parts_log VALUES (TG_OP || OLD.id || (SELECT count(*) FROM public.parts)); RETURN NULL; END $$;
	CREATE TRIGGER t AFTER DELETE ON parts_2 FOR EACH ROW EXECUTE FUNCTION log_it()}, '',
	'{"p": 1, "id": 1, "v": "a"}', '{"p": 2, "id": 1, "v": "b"}', '{"p": 2, "id": 1, "v": "c"}', '{"p": 3, "id": 1}',
	'{"p": 2, "id": 2}', gone('{"p": 2, "id": 1}'), '{"p": 2, "id": 3}', gone('{"p": 2, "id": 2}'));

# --- policies judge rows; rights on columns are enough
ask(q{CREATE ROLE app LOGIN; GRANT USAGE ON FOREIGN SERVER kafka TO app; GRANT CREATE, USAGE ON SCHEMA public TO app;
	CREATE TABLE policy (id int PRIMARY KEY, who text, v int); ALTER TABLE policy ENABLE ROW LEVEL SECURITY;
	INSERT INTO policy VALUES (1, 'other', 0);
	CREATE POLICY r ON policy FOR SELECT USING (true);
	CREATE POLICY i ON policy FOR INSERT WITH CHECK (true);
	CREATE POLICY u ON policy FOR UPDATE USING (who = 'app') WITH CHECK (v < 10);
	GRANT ALL ON policy TO app;
	CREATE TABLE columned (id int PRIMARY KEY, v int, secret int);
	INSERT INTO columned VALUES (1, 0, 42);
	GRANT INSERT (id, v), SELECT (id), UPDATE (v) ON columned TO app;
	CREATE TABLE only_key (id int PRIMARY KEY);
	GRANT INSERT, SELECT ON only_key TO app});
my $mine = $kafka->new_topic('mine', 1);
produce($mine, '{"id": 1, "who": "app", "v": 1}', '{"id": 2, "who": "app", "v": 2}',
	'{"id": 3, "who": "app", "v": 3}', '{"id": 3, "v": 4}');
ask("SET ROLE app; SELECT userstream.create_stream('policy', 'kafka', '$mine', 'policy', mode => 'upsert')");
my $columned = "SET ROLE app; SELECT userstream.create_stream('columned', 'kafka', '$mine', 'columned', mode => 'upsert',
	columns => '{\"secret\": null}', options => '{\"tombstone\": \"ignore\"}')";
my ($rc, $out, $err) = $node->psql('postgres', $columned);
like($err, qr/permission denied for table columned\nDETAIL:  Mode upsert needs SELECT/, 'refused without a right that PostgreSQL asks for');
ask('GRANT SELECT (v) ON columned TO app');
ask($columned);
ask("SET ROLE app; SELECT userstream.create_stream('only_key', 'kafka', '$mine', 'only_key', mode => 'upsert',
	options => '{\"tombstone\": \"ignore\"}')");

# --- a table with a rule cannot be upserted: no message's fault
upsert('ruled', q{CREATE TABLE ruled (id int PRIMARY KEY, v int);
	CREATE RULE r AS ON UPDATE TO ruled WHERE false DO ALSO NOTHING}, '', '{"id": 1}', '{"id": 2, "v": 1}');

# --- as many sets of columns as there can be
my @columns = map { "c$_" } 1 .. 8;
my @sets = map { my $set = $_; [ grep { $set & (1 << (substr($_, 1) - 1)) } @columns ] } 0 .. 255;
upsert('sets', 'CREATE TABLE sets (id int PRIMARY KEY, ' . join(', ', map { "$_ int DEFAULT -1" } @columns) . ')', '',
	map { my $id = $_; '{"id": ' . ($id % 300) . join('', map { ", \"$_\": $id" } @{ $sets[ $id % 256 ] }) . '}' } 0 .. 599);

# --- values that are too large for an index, beside good ones
my $long = join '', map { sprintf '%08x', $_ * 2654435761 % 4294967296 } 1 .. 2000;
upsert('long', 'CREATE TABLE long (k text PRIMARY KEY, v int)', '',
	'{"k": "a", "v": 1}', "{\"k\": \"$long\", \"v\": 1}", '{"k": "b", "v": 1}', gone('a'));

foreach my $type (sort keys %types)
{
	my $name = $type_stream{$type};
	caught_up($name, $topic{$name});
	is(ask("SELECT string_agg(v::text, ',') FROM $name"), '3', "a key of type $type");
	is(letters($name), '', '... without a dead letter');
}
foreach my $name (qw(folded other_collation))
{
	caught_up($name, $topic{$name});
	is(ask("SELECT k, v FROM $name"), 'Key|2', 'a key keeps the form that it came with');
	is(letters($name), '', '... without a dead letter');
}
caught_up('by_key', $topic{by_key});
is(ask('SELECT k FROM by_key'), 'stays', 'a key of @key is taken as it is, in a removal too');
caught_up('by_part', $topic{by_part});
is(ask('SELECT id FROM by_part'), '3', 'topic and partition are known without a value');
is(letters('by_part'), '', 'and nobody has to send them');
caught_up('copy', $topic{copy});
is(ask('SELECT v FROM copy'), 'three', 'whole values by their key');
is(letters('copy'), '', 'whatever its bytes');
caught_up('by_path', $topic{by_path});
is(ask('SELECT user_id FROM by_path'), '3', 'a key has the name of the column, or the path of its field');
caught_up('by_default', $topic{by_default});
is(ask('SELECT id, v, twice FROM by_default'), '5|2|4', 'beside generated columns');
is(letters('by_default'), '1 23502', 'a key that could be generated is not');

caught_up('partial', $topic{partial});
is(ask("SELECT string_agg(id || k || must || v, ',' ORDER BY id, k) FROM partial"), '1ax3,1by4',
	'a row that is there need not be given wholly');
is(letters('partial'), '2 23502, 4 23502, 6 23502, 8 23502', 'a new one has to be');

caught_up('triggered', $topic{triggered});
is(ask('SELECT k, v FROM triggered'), 'a|2', 'a BEFORE trigger may change keys and leave rows out');
is(ask(q{SELECT string_agg(what, ',' ORDER BY what) FROM seen}), 'DELETEc,INSERTa,INSERTc,UPDATEa', 'AFTER triggers see it all');
is(ledger('triggered'), '5|5|0|0|t', 'all of it counts');
caught_up('tree', $topic{tree});
is(ask('SELECT string_agg(id || coalesce(name, \'?\'), \',\' ORDER BY id) FROM tree'), '2moved,3leaf,5new',
	'a cascade takes what hangs on the row by then');
is(letters('tree'), '4 23503', 'what refers to nothing is a dead letter');
caught_up('swapped', $topic{swapped});
is(ask('SELECT string_agg(id || coalesce(place, \'-\'), \',\' ORDER BY id) FROM swapped'), '1y,2x,3-', 'in order where order counts');
is(letters('swapped'), '5 23505, 7 23P01', 'other constraints make dead letters');
caught_up('parts', $topic{parts});
is(ask('SELECT string_agg(p || \'/\' || id || coalesce(v, \'-\'), \',\' ORDER BY p, id) FROM parts'), '1/1a,2/3-', 'partitions');
is(ask('SELECT string_agg(what, \',\') FROM parts_log'), 'DELETE12,DELETE22', 'their own triggers see rows in order');
is(letters('parts'), '3 23514', 'no partition for a row');
# the policy for UPDATE is for rows that are there: what a batch says of a new one is folded before
caught_up($_, $mine) foreach qw(policy columned only_key);
produce($mine, '{"id": 2, "who": "app", "v": 11}');
caught_up($_, $mine) foreach qw(policy columned only_key);
is(ask('SELECT string_agg(id || who || v, \',\' ORDER BY id) FROM policy'), '1other0,2app2,3app4', 'policies for UPDATE');
is(letters('policy'), '0 42501, 4 42501', 'judge single rows');
is(ask('SELECT string_agg(id || \'/\' || v || \'/\' || coalesce(secret, 0), \',\' ORDER BY id) FROM columned'), '1/1/42,2/11/0,3/4/0',
	'rights on the columns that it needs are enough');
is(ask('SELECT count(*) FROM only_key'), 3, 'a key alone changes nothing, and needs no UPDATE');
ok(wait_until($node, 'postgres', "SELECT state, last_error LIKE '%rules%' FROM userstream.stream_status WHERE stream = 'ruled'", 'stopped|t'),
	'a table with rules stops the stream');
is(letters('ruled'), '', 'no message is blamed');
caught_up('sets', $topic{sets});
my $reference = join ', ', map { my $c = $_; my $bit = substr($c, 1) - 1;
	"coalesce(max(i) FILTER (WHERE (i % 256) & (1 << $bit) <> 0), -1)" } @columns;
is(ask("SELECT count(*) FROM (TABLE sets EXCEPT SELECT i % 300, $reference FROM generate_series(0, 599) i GROUP BY i % 300) d"),
	0, '256 sets of columns');
caught_up('long', $topic{long});
is(ask('SELECT k FROM long'), 'b', 'a key too long for its index');
is(letters('long'), '1 54000', 'is a dead letter');

# --- a key in another encoding than the message's
my $latin = $kafka->new_topic('latin', 1);
produce($latin, "{\"schl\xc3\xbcssel\": \"\xc3\xa4\", \"v\": 1}", '{"schl\u00fcssel": "\u00f6", "v": 1}', "{\"schl\xc3\xbcssel\": \"\xc3\xbc\", \"v\": 1}",
	"{\"schl\xc3\xbcssel\": \"stays\", \"v\": 1}",
	gone("\xc3\xa4"), gone('{"schl\u00fcssel": "\u00f6"}'), gone("{\"schl\xc3\xbcssel\": \"\xc3\xbc\"}"), gone("\xe2\x82\xac"));
$node->safe_psql('latin', q{SET client_encoding = 'UTF8'; CREATE TABLE latin ("schl} . "\xc3\xbc" . q{ssel" text PRIMARY KEY, v int)});
$node->safe_psql('latin', "SELECT userstream.create_stream('latin', 'kafka', '$latin', 'latin', mode => 'upsert')");
caught_up('latin', $latin, 'latin');
is($node->safe_psql('latin', 'SELECT * FROM latin'), 'stays|1', 'LATIN1: keys are converted');
is($node->safe_psql('latin', q{SELECT kafka_offset, sqlstate FROM userstream.dead_letter}), '7|22P05', 'or dead letters');

# --- bad keys among removals, retried; a limit; a stop
my $bad = $kafka->new_topic('bad_keys', 1);
ask('CREATE TABLE removed (id int PRIMARY KEY); INSERT INTO removed SELECT generate_series(1, 100)');
ask("SELECT userstream.create_stream('removed', 'kafka', '$bad', 'removed', mode => 'upsert')");
produce($bad, map { gone($_ % 10 == 0 ? "x$_" : $_) } 1 .. 50);
caught_up('removed', $bad);
is(ask('SELECT count(*), min(id) FROM removed'), '55|10', 'removals with bad keys among them');
is(ledger('removed'), '50|45|5|0|t', 'are counted one by one');
ask(q{UPDATE userstream.dead_letter SET key = '70' WHERE stream = 'removed' AND kafka_offset = 49});
is(ask(q{SELECT userstream.retry_dead_letters('removed')}), 1, 'a removal is retried');
is(ask('SELECT count(*) FROM removed WHERE id = 70'), 0, 'and done');
ask(q{SELECT userstream.alter_stream('removed', on_error => 'stop')});
produce($bad, gone(60), gone('y'), gone(61));
ok(wait_until($node, 'postgres', q{SELECT state, next_offset FROM userstream.partition_status WHERE stream = 'removed'}, 'stopped|51'),
	'on_error stop: before the bad key');
is(ask('SELECT count(*) FROM removed WHERE id IN (60, 61)'), 1, 'what came before it is done');
ask(q{SELECT userstream.alter_stream('removed', on_error => 'dead_letter', options => '{"max_dead_letters_per_minute": 0}');
	SELECT userstream.resume_stream('removed')});
ok(wait_until($node, 'postgres', q{SELECT state, last_error LIKE '%dead letters within a minute%' FROM userstream.stream_status WHERE stream = 'removed'}, 'stopped|t'),
	'one dead letter too many');

# --- rows that somebody else changes, removes or adds meanwhile: the message comes after that
upsert('raced', 'CREATE TABLE raced (id int PRIMARY KEY, v text)', '', map { qq({"id": $_, "v": "first"}) } 1 .. 3);
caught_up('raced', $topic{raced});
foreach my $change (q{UPDATE raced SET v = 'user' WHERE id = 1}, 'DELETE FROM raced WHERE id = 2', q{INSERT INTO raced VALUES (4, 'user')})
{
	my $errors = '';
	my $user = IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), map { ('-c', $_) }
			'BEGIN', $change, 'SELECT pg_advisory_lock(211)',
			q{DO 'BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid)))
				LOOP PERFORM pg_sleep(0.01), pg_stat_clear_snapshot(); END LOOP; END'}, 'COMMIT' ],
		'<', \'', '>', '/dev/null', '2>', \$errors, IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	ok(wait_until($node, 'postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 211}, 1), $change);
	produce($topic{raced}, map { qq({"id": $_, "v": "second"}) } 1 .. 5);
	$user->finish;
	is($errors, '', 'the stream waits for it');
	caught_up('raced', $topic{raced});
	is(ask(q{SELECT string_agg(id || ' ' || v, ', ' ORDER BY id) FROM raced}), join(', ', map { "$_ second" } 1 .. 5), 'and comes after it');
	ask(q{DELETE FROM raced WHERE id = 4; UPDATE raced SET v = 'first'});
}
is(ledger('raced'), '18|18|0|0|t', 'no message is refused for it');

# --- a row keeps its form of the key; what is checked is the row as it will be
upsert('formed', 'CREATE TABLE formed (k numeric PRIMARY KEY, v int, CHECK (scale(k) = v)); INSERT INTO formed VALUES (1.00, 2), (2.0, 1)', '',
	'{"k": 1.0, "v": 1}', '{"k": 2.00, "v": 1}', '{"k": 3.000, "v": 3}', '{"k": 4.0000, "v": 4}');
caught_up('formed', $topic{formed});
is(letters('formed'), '0 23514, 1 23514', 'a check on both forms of a key');
is(ask(q{SELECT string_agg(k || ' ' || v, ', ' ORDER BY k) FROM formed}), '1.00 2, 2.0 1, 3.000 3, 4.0000 4', 'refuses what the statement would');
upsert('kept', 'CREATE TABLE kept (k numeric PRIMARY KEY, v int, CHECK (scale(k) = 2 OR v < 5)); INSERT INTO kept VALUES (1, 0), (2, 0)', '',
	'{"k": 1.00, "v": 7}', '{"k": 2.00, "v": 1}');
caught_up('kept', $topic{kept});
is(letters('kept'), '0 23514', 'a check that only the form of the message meets');
is(ask(q{SELECT string_agg(k || ' ' || v, ', ' ORDER BY k) FROM kept}), '1 0, 2 1', 'does not let the row in');

# --- a retry in a transaction that must not see what others have done since
upsert('still', q{CREATE TABLE still (id int PRIMARY KEY, v text CONSTRAINT good CHECK (v <> 'bad'))}, '',
	map { qq({"id": $_, "v": "bad"}) } 1 .. 3);
caught_up('still', $topic{still});
ask('ALTER TABLE still DROP CONSTRAINT good');
my $connection = $node->connstr('postgres');
foreach my $level ('REPEATABLE READ', 'SERIALIZABLE')
{
	my ($failed, $said, $why) = $node->psql('postgres', "BEGIN ISOLATION LEVEL $level; SELECT count(*) FROM still;
\\! psql -XAtq -d \"$connection\" -c \"INSERT INTO still SELECT i, 'user' FROM generate_series(1, 3) i\"
\\set VERBOSITY verbose
SELECT userstream.retry_dead_letters('still');
COMMIT");

	like($why, qr/40001: could not serialize access due to concurrent update/, "$level: rows of another since then");
	is(ask(q{SELECT count(*), min(v) FROM still}), '3|user', 'are not overwritten');
	ask('TRUNCATE still');
}
is(ask(q{SELECT userstream.retry_dead_letters('still')}), 3, 'they can be retried later');

# --- a right that is taken away: several rows at once are not written without it either
ask(q{CREATE TABLE revoked (id int PRIMARY KEY, v int); GRANT INSERT, SELECT, UPDATE ON revoked TO app});
$topic{revoked} = $kafka->new_topic('revoked', 1);
ask("SET ROLE app; SELECT userstream.create_stream('revoked', 'kafka', '$topic{revoked}', 'revoked', mode => 'upsert',
	options => '{\"tombstone\": \"ignore\"}')");
produce($topic{revoked}, map { qq({"id": $_, "v": 1}) } 1 .. 3);
caught_up('revoked', $topic{revoked});
ask('REVOKE UPDATE ON revoked FROM app');
produce($topic{revoked}, map { qq({"id": $_, "v": 2}) } 1 .. 4);
ok(wait_until($node, 'postgres', q{SELECT state, last_error LIKE 'permission denied for table revoked%'
			FROM userstream.stream_status WHERE stream = 'revoked'}, 'stopped|t'), 'without UPDATE the stream stops');
is(ask('SELECT string_agg(id || \' \' || v, \', \' ORDER BY id) FROM revoked'), '1 1, 2 1, 3 1', 'and has written nothing');

# --- an index that goes and comes
ask('ALTER TABLE long DROP CONSTRAINT long_pkey');
produce($topic{long}, '{"k": "c", "v": 1}');
ok(wait_until($node, 'postgres', q{SELECT state, last_error LIKE 'table "long" has no primary key: %'
			FROM userstream.stream_status WHERE stream = 'long'}, 'stopped|t'),
	'without its index the stream stops');
is(ask(q{SELECT what_to_do FROM userstream.incident WHERE stream = 'long' AND closed_at IS NULL}),
	q{Add a primary key, or name the columns of a unique constraint: key => '{...}'. Then call userstream.resume_stream.}, 'the incident says what helps');
ask(q{ALTER TABLE long ADD PRIMARY KEY (k); SELECT userstream.resume_stream('long')});
caught_up('long', $topic{long});
is(ask('SELECT string_agg(k, \',\' ORDER BY k) FROM long'), 'b,c', 'and goes on with another');

$node->stop;
done_testing();
