#
# test/t/185_security.pl
#    what runs in a worker runs as the owner of the stream, whatever decoys,
#    triggers and settings of others try; and no secret leaves its user mapping
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $secret = 'Marker-6f1d-secret';
my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'\nlog_min_messages = debug1");
my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic('security', 2));

sub sql { return $node->safe_psql('postgres', $_[0]); }

# what a statement says when it fails
sub error_of
{
	my ($rc, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\n$_[0]");

	return $err;
}

$delivery->prepare_database('postgres');
$delivery->create_target('postgres', 'work');

# ---------------------------------------------------------------------------
# decoys for all that a worker could look up by name, and hooks in the target
# for everybody's code: each notes as whom it is called
# ---------------------------------------------------------------------------
sql(q{
CREATE ROLE clerk LOGIN;
CREATE ROLE guest;
CREATE ROLE chief SUPERUSER;
GRANT guest TO clerk;
CREATE TABLE caught (who text, what text);
CREATE TABLE ran (who text, session text, what text);
CREATE SCHEMA decoy;
GRANT INSERT ON caught, ran, work TO PUBLIC;
GRANT USAGE ON SCHEMA decoy TO PUBLIC;
GRANT USAGE ON SEQUENCE work_arrival_seq TO clerk, guest;
GRANT USAGE ON FOREIGN SERVER kafka TO clerk;
GRANT TEMPORARY ON DATABASE postgres TO PUBLIC;

CREATE FUNCTION decoy.note(what text) RETURNS void LANGUAGE plpgsql AS
	$$ BEGIN INSERT INTO public.caught VALUES (current_user::text, what); END $$;
CREATE FUNCTION decoy.eq(a text, b text) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN PERFORM decoy.note('text ='); RETURN a OPERATOR(pg_catalog.=) b; END $$;
CREATE FUNCTION decoy.eq(a bigint, b bigint) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN PERFORM decoy.note('bigint ='); RETURN a OPERATOR(pg_catalog.=) b; END $$;
CREATE FUNCTION decoy.eq(a integer, b integer) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN PERFORM decoy.note('integer ='); RETURN a OPERATOR(pg_catalog.=) b; END $$;
CREATE FUNCTION decoy.add(a bigint, b bigint) RETURNS bigint LANGUAGE plpgsql AS
	$$ BEGIN PERFORM decoy.note('bigint +'); RETURN a OPERATOR(pg_catalog.+) b; END $$;
CREATE OPERATOR decoy.= (FUNCTION = decoy.eq, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR decoy.= (FUNCTION = decoy.eq, LEFTARG = bigint, RIGHTARG = bigint);
CREATE OPERATOR decoy.= (FUNCTION = decoy.eq, LEFTARG = integer, RIGHTARG = integer);
CREATE OPERATOR decoy.+ (FUNCTION = decoy.add, LEFTARG = bigint, RIGHTARG = bigint);
CREATE FUNCTION decoy.now() RETURNS timestamptz LANGUAGE plpgsql AS
	$$ BEGIN PERFORM decoy.note('now'); RETURN pg_catalog.now(); END $$;
CREATE FUNCTION decoy.nextval(regclass) RETURNS bigint LANGUAGE plpgsql AS
	$$ BEGIN PERFORM decoy.note('nextval'); RETURN 1; END $$;
CREATE FUNCTION decoy.pg_notify(text, text) RETURNS void LANGUAGE plpgsql AS
	$$ BEGIN PERFORM decoy.note('pg_notify'); END $$;
CREATE TABLE decoy.stream (id bigint);
CREATE TABLE decoy.stream_position (id bigint);
CREATE TABLE decoy.dead_letter (id bigint);
CREATE TYPE decoy.message AS (topic int);
ALTER ROLE clerk SET search_path = decoy, pg_temp, public, pg_catalog;
ALTER DATABASE postgres SET search_path = decoy, pg_temp, public, pg_catalog;
});
$ENV{PGOPTIONS} = '-c search_path=public';
sql(q{
CREATE FUNCTION note(what text) RETURNS boolean LANGUAGE plpgsql AS
	$$ BEGIN INSERT INTO public.ran VALUES (current_user::text, session_user::text, what); RETURN true; END $$;
-- which is a lie, so that an index and a generated column take it
CREATE FUNCTION whoami(what text) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS
	$$ BEGIN RETURN public.note(what); END $$;
CREATE DOMAIN watched AS int CHECK (public.whoami('domain' || VALUE));
ALTER TABLE work ADD COLUMN w watched DEFAULT 1,
	ADD COLUMN d boolean DEFAULT public.whoami('default'),
	ADD COLUMN g boolean GENERATED ALWAYS AS (public.whoami('generated' || seq)) STORED,
	ADD CONSTRAINT checked CHECK (public.whoami('check'));
TRUNCATE ran;
CREATE INDEX work_who ON work ((public.whoami('index' || seq))) WHERE public.whoami('predicate' || seq);
ALTER TABLE work ENABLE ROW LEVEL SECURITY;
CREATE POLICY who ON work FOR INSERT WITH CHECK (public.whoami('policy' || seq));
CREATE TABLE tried (what text, state text);
GRANT INSERT ON tried TO PUBLIC;
-- SET ROLE must not outlive the statement, nor anything else that it leaves behind
CREATE FUNCTION attack() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
	attempt text;
BEGIN
	PERFORM public.whoami('before');
	FOREACH attempt IN ARRAY ARRAY[
		'UPDATE userstream.stream_position SET next_offset = 0',
		'DELETE FROM userstream.dead_letter',
		'SELECT count(*) FROM userstream.stream',
		'SET SESSION AUTHORIZATION chief',
		'SET ROLE chief',
		'SET session_replication_role = replica']
	LOOP
		BEGIN
			EXECUTE attempt;
			INSERT INTO public.tried VALUES (attempt, 'done');
		EXCEPTION WHEN OTHERS THEN
			INSERT INTO public.tried VALUES (attempt, SQLSTATE);
		END;
	END LOOP;
	CREATE TEMPORARY TABLE IF NOT EXISTS stream_position (id bigint);
	CREATE TEMPORARY TABLE IF NOT EXISTS stream (id bigint);
	CREATE TEMPORARY TABLE IF NOT EXISTS dead_letter (id bigint);
	CREATE TEMPORARY TABLE IF NOT EXISTS pg_class (oid oid, relname name);
	SET search_path = decoy, pg_temp, public, pg_catalog;
	SET ROLE guest;
	SET timezone = 'Asia/Kathmandu';
	SET datestyle = 'SQL, DMY';
	SET lock_timeout = '1ms';
	SET default_transaction_read_only = on;
	RETURN NEW;
END
$$;
CREATE FUNCTION deferred() RETURNS trigger LANGUAGE plpgsql AS
	$$ BEGIN PERFORM public.whoami(TG_NAME); RETURN NULL; END $$;
CREATE TRIGGER attack BEFORE INSERT ON work FOR EACH STATEMENT EXECUTE FUNCTION attack();
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON work DEFERRABLE INITIALLY DEFERRED
	FOR EACH ROW EXECUTE FUNCTION deferred();
});
my $sources = DeliveryTest::COLUMNS =~ s/\}$/, "arrival": null}/r;
sql("SET ROLE clerk; SELECT userstream.create_stream('work', 'kafka', '$delivery->{topic}', 'work', columns => '$sources')");
$delivery->produce(500);
# the last is bad, so that dead letters are stored from there too
$kafka->produce($delivery->{topic}, ['{"seq": "none"}'], partition => 0);
# another batch, after one that left all that behind
ok( wait_until($node, 'postgres', "SELECT messages_read FROM userstream.stream_status WHERE stream = 'work'", 501),
	'it reads');
$delivery->produce(500);
$delivery->is_delivered('postgres', 'work', 'under attack');
is(sql('SELECT count(*) FROM caught'), 0, 'no decoy is called');
# guest is whom the trigger itself became, for the rest of its statement; never someone higher
is( sql("SELECT string_agg(DISTINCT session, ' ') || ' ' || bool_and(who IN ('clerk', 'guest')) FROM ran"),
	'clerk true', 'what users wrote runs as the owner of the stream, in a session of his');
is(sql("SELECT string_agg(DISTINCT who, ' ') FROM ran WHERE what = 'before'"), 'clerk',
	'SET ROLE does not outlive its statement');
is( sql("SELECT string_agg(DISTINCT regexp_replace(what, '[0-9]+', ''), ' ' ORDER BY regexp_replace(what, '[0-9]+', '')) FROM ran"),
	'before check default domain generated index later policy predicate', 'all of it has run');
is(sql("SELECT string_agg(DISTINCT state, ' ') FROM tried"), '42501', 'our tables and other roles are closed to it');
is( sql("SELECT count(*) FROM userstream.dead_letter WHERE stream = 'work' AND sqlstate = '22P02' AND column_name = 'seq'"),
	1, 'the bad message is where it belongs');
is(sql("SELECT owner FROM userstream.stream_status"), 'clerk', 'and the stream is whose it was');

# ---------------------------------------------------------------------------
# secrets
# ---------------------------------------------------------------------------
my @attempts = (
	qq{CREATE SERVER bad FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" 'x', "sasl.password" '$secret')},
	qq{CREATE USER MAPPING FOR clerk SERVER kafka OPTIONS ("sasl.passwort" '$secret')},
	qq{CREATE USER MAPPING FOR clerk SERVER kafka OPTIONS ("bootstrap.servers" '$secret')},
);
foreach my $attempt (@attempts)
{
	my $error = error_of($attempt);

	like($error, qr/ERROR/, 'refused: ' . $attempt =~ s/.*OPTIONS//r =~ s/\Q$secret\E/.../r);
	# psql repeats the line that an error points at; the server points at none
	unlike($error, qr/\Q$secret\E/, 'and the error does not repeat it');
}
sql(qq{CREATE USER MAPPING FOR clerk SERVER kafka OPTIONS ("sasl.username" 'clerk', "sasl.password" '$secret')});
my $pid = sql("SELECT pids[1] FROM userstream.stream_status");
sql("SELECT pg_terminate_backend($pid)");
ok(wait_until($node, 'postgres', "SELECT pids[1] <> $pid FROM userstream.stream_status"), 'a worker with the secret');
$delivery->produce(10);
$delivery->is_delivered('postgres', 'work', 'with the secret');
$pid = sql("SELECT pids[1] FROM userstream.stream_status");

# one that the broker does not take: the errors speak of it everywhere
my $address = $kafka->address;
sql(qq{CREATE SERVER locked FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" '$address',
		"security.protocol" 'sasl_plaintext', "sasl.mechanisms" 'PLAIN');
	CREATE SERVER keyed FOREIGN DATA WRAPPER userstream_kafka OPTIONS ("bootstrap.servers" '$address',
		"security.protocol" 'ssl');
	GRANT USAGE ON FOREIGN SERVER locked, keyed TO clerk;
	CREATE USER MAPPING FOR PUBLIC SERVER locked OPTIONS ("sasl.username" 'clerk', "sasl.password" '$secret');
	CREATE USER MAPPING FOR PUBLIC SERVER keyed OPTIONS ("ssl.key.pem" '$secret')});
foreach my $server ('locked', 'keyed')
{
	my $error = error_of("SET ROLE clerk; SELECT userstream.create_stream('$server', '$server', '$delivery->{topic}', 'work')");

	like($error, qr/ERROR/, "a server that cannot be used: $server");
	unlike($error, qr/\Q$secret\E/, 'the error does not repeat the secret');
}
sql(qq{ALTER SERVER kafka OPTIONS (ADD "security.protocol" 'sasl_plaintext', ADD "sasl.mechanisms" 'PLAIN');
	SELECT pg_terminate_backend($pid)});
ok( wait_until($node, 'postgres', 'SELECT state FROM userstream.stream_status', 'waiting'),
	'a worker that is refused waits');
ok( wait_until($node, 'postgres', 'SELECT last_error IS NOT NULL FROM userstream.stream_status'), 'and says why');

foreach my $where ('pg_stat_activity', 'userstream.stream_status', 'userstream.partition_status',
	'userstream.incident', 'userstream.dead_letter', 'userstream.stream', 'userstream.stream_history', 'pg_foreign_server')
{
	is(sql("SELECT count(*) FROM $where w WHERE w::text LIKE '%' || 'Marker-6f1d-' || 'secret%'"), 0,
		"no secret in $where");
}
is(sql("SET ROLE guest; SELECT count(*) FROM pg_user_mappings WHERE umoptions IS NOT NULL"), 0,
	'a stranger does not see the options of a mapping');
foreach my $process (split /\n/, sql("SELECT pid FROM pg_stat_activity WHERE backend_type LIKE 'userstream%'"))
{
	my $title = slurp_file("/proc/$process/cmdline");

	unlike($title, qr/\Q$secret\E/, 'nor in the title of process ' . ($title =~ s/\0.*//sr));
}
$node->stop('fast');
unlike(slurp_file($node->logfile), qr/\Q$secret\E/, 'nor in the log of the server');

done_testing();
