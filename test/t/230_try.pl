#
# test/t/230_try.pl
#    try_message: the rows that a message would give, or its error, and nothing
#    else
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

my $kafka = shared_kafka();
my $topic = $kafka->new_topic('try', 1);
my $node = userstream_node('main');
create_server($node, 'postgres', $kafka);

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

sub try
{
	my ($stream, $value, $key) = @_;
	my $arguments = join ', ', map { defined $_ ? '$q$' . $_ . '$q$' : 'NULL' } $value, $key;

	$arguments =~ s/(\$q\$.*?\$q\$)/convert_to($1, 'UTF8')/sg;
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose
		SELECT * FROM userstream.try_message('$stream', $arguments)");
	return $err ne '' ? $err =~ s/^psql:[^ ]+ //mgr =~ s/\nLOCATION.*//sr : $out;
}

ask(q{
CREATE TABLE plain (id int PRIMARY KEY, name text DEFAULT 'none', at timestamptz, n serial);
CREATE TABLE checked (id int PRIMARY KEY, twice int GENERATED ALWAYS AS (id * 2) STORED, who text DEFAULT current_user);
CREATE TABLE log (who text);
CREATE FUNCTION check_it() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
	IF NEW.id > 100 THEN RAISE EXCEPTION 'too large' USING ERRCODE = 'P0100'; END IF;
	INSERT INTO public.log VALUES (current_user); RETURN NEW; END $$;
CREATE TRIGGER check_it BEFORE INSERT ON checked FOR EACH ROW EXECUTE FUNCTION check_it();
CREATE TABLE words (word text);
CREATE FUNCTION split(m jsonb) RETURNS SETOF public.words LANGUAGE sql AS
	$$ SELECT jsonb_array_elements_text(m -> 'words') $$;
CREATE ROLE app LOGIN;
GRANT USAGE ON FOREIGN SERVER kafka TO app;
GRANT ALL ON ALL TABLES IN SCHEMA public TO app;
GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO app;
SET ROLE app; SET TimeZone = 'Asia/Tokyo';
});
my $create = "SET ROLE app; SET TimeZone = 'Asia/Tokyo'; SELECT userstream.create_stream";
ask("$create('plain', 'kafka', '$topic', 'plain')");
ask("$create('checked', 'kafka', '$topic', 'checked')");
ask("$create('words', 'kafka', '$topic', 'words', transform => 'split(jsonb)')");
ask("$create('upsert', 'kafka', '$topic', 'plain', mode => 'upsert')");

is(try('plain', '{"id": 1, "at": "2026-01-01 00:00"}'),
	'{"n": 1, "at": "2026-01-01T00:00:00+09:00", "id": 1, "name": "none"}', 'a row with its defaults, in the zone of the stream');
is(try('checked', '{"id": 1}'), '{"id": 1, "who": "app"}', 'what the target itself gives is left out');
is(try('words', '{"words": ["a", "b"]}'), qq({"word": "a"}\n{"word": "b"}), 'a row each');
is(try('words', '{"words": []}'), '', 'or none');
is(try('upsert', '{"id": 1}'), '{"id": 1}', 'upsert: the columns that the message has');
like(try('upsert', undef, '7'), qr/NOTICE:  00000: the message removes the row with this key/, 'a removal says so');
is(try('plain', undef, '7'), '', 'an ignored tombstone is no row');
like(try('plain', '{"id": "x"}'), qr/ERROR:  22P02: invalid input syntax for type integer: "x"/, 'the error that it would give');
like(try('plain', '{'), qr/ERROR:  22P02: invalid input syntax for type json/, 'of its form');
like(try('plain', '{"name": "x"}'), qr/ERROR:  23502: null value in column "id"/, 'of a constraint');
like(try('checked', '{"id": 101}'), qr/ERROR:  P0100: too large/, 'of a trigger');
like(try('nosuch', '{}'), qr/ERROR:  42704: stream "nosuch" does not exist/, 'no such stream');
is(ask('SELECT (SELECT count(*) FROM plain), (SELECT count(*) FROM checked), (SELECT count(*) FROM log), (SELECT count(*) FROM words)'),
	'0|0|0|0', 'nothing is written');
is(ask(q{SELECT count(*), (SELECT sum(messages_read) FROM userstream.ledger) FROM userstream.dead_letter}), '0|0', 'nor counted');

# an error leaves the caller's own transaction as it was
is(ask(q{
	CREATE TABLE said (t text);
	DO $$ BEGIN
		INSERT INTO public.said VALUES ('before');
		BEGIN
			PERFORM userstream.try_message('plain', '{"id": "x"}');
		EXCEPTION WHEN invalid_text_representation THEN
			INSERT INTO public.said VALUES ('caught');
		END;
		INSERT INTO public.said SELECT 'row ' || count(*) FROM userstream.try_message('plain', '{"id": 5}');
		INSERT INTO public.said VALUES (current_setting('TimeZone') || ' ' || current_user);
	END $$;
	SELECT string_agg(t, ',') FROM said}), 'before,caught,row 1,' . ask("SELECT current_setting('TimeZone') || ' ' || current_user"),
	'in the middle of other work');
is(ask('SELECT count(*) FROM plain'), 0, 'that is committed without it');
my ($rc, $out, $err) = $node->psql('postgres',
	q{SET ROLE pg_monitor; SELECT * FROM userstream.try_message('plain', '{"id": 1}')});
like($err, qr/must be owner of stream "plain"/, 'it needs the rights of the owner');

$node->stop;
done_testing();
