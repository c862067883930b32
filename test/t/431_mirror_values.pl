#
# test/t/431_mirror_values.pl
#    values of each type as another driver reads them; no tombstone without a
#    reason; a replay that changes no write time
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use CassandraTest;
use MirrorTest;
use UserstreamTest;

use constant KINDS => 20;

my $cassandra = shared_cassandra();
my $node = userstream_node('values', conf => "userstream.restart_interval = '100ms'");
my $keyspace = $cassandra->keyspace('kinds');

sub sql { my ($query) = @_; return $node->safe_psql('postgres', $query); }

sub mirror_of { my ($table) = @_; return MirrorTest->new($node, $cassandra, $table, $table, $keyspace); }

# twenty values of a type: those that are odd, and made ones for the rest
my %values = (
	bool => [ qw(t f) ],
	int2 => [ qw(-32768 32767 0 -1) ],
	int4 => [ qw(-2147483648 2147483647 0 -1) ],
	int8 => [ qw(-9223372036854775808 9223372036854775807 0 -1) ],
	float4 => [ qw(NaN Infinity -Infinity -0 3.4028235e+38 1e-45 0.1) ],
	float8 => [ qw(NaN Infinity -Infinity -0 1.7976931348623157e+308 5e-324 0.1) ],
	numeric => [ qw(0 -0.00 1.50 123456789012345678901234567890.123456789 -1e-40 1e40 -128 127.9 255 -0.01) ],
	text => [ '', "tab\tline\nback\\slash", 'Ωμέγα 漢字 🙂', q{quotes ' "}, "\x01", 'x' x 3000 ],
	uuid => [ '00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff' ],
	bytea => [ '\x', '\x00', '\x00ff0a5c27' ],
	date => [ '0044-03-15 BC', '0001-01-01', '1969-12-31', '1970-01-01', '5874897-12-31', '4713-11-24 BC' ],
	time => [ '00:00', '23:59:59.999999', '00:00:00.000001' ],
	timestamp => [ '0001-01-01', '1969-12-31 23:59:59.9994', '1970-01-01', '9999-12-31 23:59:59.999999' ],
	timestamptz => [ '0001-01-02Z', '1969-12-31 23:59:59.0005Z', '1970-01-01Z', '9999-12-30 23:59:59.999999+05' ],
	interval => [ '0', '-1 year -2 months -3 days -00:00:00.000001', '-178 years', '2562047:47:16.854775' ],
	inet => [ '127.0.0.1', '0.0.0.0', '::1', '2001:db8::ff00:42:8329' ],
	jsonb => [ '{}', '[]', 'null', '1e400', '{"a": [1, {"b": "\u00e9\u2028"}]}' ],
	'text[]' => [ '{}', '{""}', '{a,"b c","d,e","\"","{"}' ],
	'int4[]' => [ '{}', '{-1,2147483647}' ],
	'numeric[]' => [ '{0.10,-1e20}' ],
);

# a value for those that have too few, by a number
my %made = (
	bool => q{(i % 3 = 0)::text}, int2 => 'i * 7', int4 => 'i * 70001', int8 => 'i * 7000000000001',
	float4 => 'i / 3::float4', float8 => 'i / 3::float8', numeric => 'i * 1000.001 ^ (i % 5)', text => q{repeat(md5(i::text), i)},
	uuid => 'md5(i::text)', bytea => q{sha256(i::text::bytea)}, date => q{date '1999-12-31' + i * 100},
	time => q{time '01:02:03.5' + i * interval '10.000001 min'}, timestamp => q{timestamp '2000-01-01' + i * interval '1.000999 day'},
	timestamptz => q{timestamptz '2000-01-01' + i * interval '1.000999 day'}, interval => q{i * interval '1 month 2 days 03:04:05.6'},
	inet => q{inet '10.0.0.0' + i}, jsonb => q{jsonb_build_object('i', i, 't', md5(i::text))},
	'text[]' => q{ARRAY[md5(i::text), 'x']}, 'int4[]' => q{ARRAY[i, -i]}, 'numeric[]' => q{ARRAY[i / 7.0]},
);

# what they may be in Cassandra besides what the mirror makes of them
my %others = (
	int2 => [ 'varint', 'decimal', 'bigint', 'text' ], int4 => [ 'varint', 'bigint' ], int8 => [ 'varint', 'decimal' ],
	float4 => ['double'], bool => ['text'], uuid => ['text'], date => ['text'], time => ['text'],
	timestamp => ['text'], interval => ['duration'], inet => ['inet'], numeric => ['text'],
	'text[]' => [ 'frozen<set<text>>', 'text' ], 'int4[]' => ['frozen<list<bigint>>'],
);

sub quoted { my ($text) = @_; return "'" . ($text =~ s/'/''/gr) . "'"; }

# a query of KINDS values of a type, in rows (n, v)
sub values_of
{
	my ($type) = @_;
	my $n = 0;
	my @odd = map { '(' . ++$n . ', ' . quoted($_) . "::$type)" } @{ $values{$type} };
	return '(VALUES ' . join(', ', @odd) . ") v (n, v) UNION ALL SELECT i, (($made{$type})::text)::$type
		FROM generate_series(" . ($n + 1) . ', ' . KINDS . ') i';
}

# a table with a column for each, and one with those that have another type there
sub fill
{
	my ($table, @columns) = @_;
	my $list = join ', ', map { "$_->[0] $_->[1]" } @columns;

	sql("CREATE TABLE $table (id int PRIMARY KEY, $list)");
	return join ";\n", "INSERT INTO $table (id) SELECT generate_series(1, " . KINDS . ')',
	  map { "UPDATE $table SET $_->[0] = s.v FROM (SELECT n, v FROM " . values_of($_->[1]) . ") s (n, v) WHERE id = s.n" } @columns;
}

my @types = sort keys %values;
my @plain = map { [ "c_$_", $types[$_] ] } 0 .. $#types;
my @other;

foreach my $type (sort keys %others)
{
	push @other, map { [ 'c_' . (scalar(@other) + $_), $type, $others{$type}[$_] ] } 0 .. $#{ $others{$type} };
}

my $plain = mirror_of('plain');
my $other = mirror_of('other');
my $followed = mirror_of('followed');

$plain->create_server;
sql(fill('plain', @plain));
sql(fill('other', @other));
my $later = fill('followed', @plain);
my (undef, $errors, $code) = $cassandra->cql(
	"CREATE KEYSPACE $keyspace WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}",
	"CREATE TABLE $keyspace.other (id int PRIMARY KEY, " . join(', ', map { "$_->[0] $_->[2]" } @other) . ')');
is($code, 0, 'a table of other types') or diag($errors);
$_->create foreach $plain, $other, $followed;
ok($followed->is_caught_up, 'three mirrors');
sql($later);
$plain->is_copied('types as the mirror makes them, copied', KINDS);
$followed->is_copied('the same from the WAL', KINDS);
$other->is_copied('types that were there', KINDS);
is(sql(q{SELECT string_agg(error || ': ' || convert_from(value, 'UTF8'), E'\n') FROM userstream.dead_letter}), '',
	'no value was refused');

# every column has its twenty values, none of them null
is($plain->select("SELECT " . join(', ', map { "count($_->[0])" } @plain) . " FROM $keyspace.plain"),
	join("\t", (KINDS) x @plain), 'no null among them');

# what a type cannot hold is refused, each with its reason
my @refused = (
	[ 'text[]', 'list<text>', '{a,NULL}', 'it has an element that is null' ],
	[ 'int4[]', 'frozen<set<int>>', '{{1,2},{3,4}}', 'it has several dimensions' ],
	[ 'int8', 'int', '2147483648', 'it is out of range' ],
	[ 'text', 'ascii', 'é', 'it has characters beyond ASCII' ],
	[ 'uuid', 'timeuuid', '00112233-4455-6677-8899-aabbccddeeff', 'it is not a UUID of version 1' ],
	[ 'time', 'time', '24:00', 'a day ends before 24:00 there' ],
	[ 'date', 'date', '-infinity', 'it is infinite' ],
	[ 'timestamptz', 'timestamp', 'infinity', 'it is infinite' ],
	[ 'interval', 'duration', '1 day -1 s', 'months, days and time differ in sign' ],
	[ 'interval', 'duration', '2562048 h', 'it is out of range' ],
	[ 'inet', 'inet', '10.0.0.0/8', 'it is a network, not an address' ],
	[ 'numeric', 'varint', '1.5', 'it is not a whole number' ],
	[ 'numeric', 'decimal', 'Infinity', 'it is not a finite number' ],
	[ 'numeric[]', 'list<decimal>', '{NaN}', 'it is not a finite number' ],
);
sql('CREATE TABLE refused (id int PRIMARY KEY, ' . join(', ', map { "c_$_ $refused[$_][0]" } 0 .. $#refused) . ')');
(undef, $errors, $code) = $cassandra->cql("CREATE TABLE $keyspace.refused (id int PRIMARY KEY, "
	. join(', ', map { "c_$_ $refused[$_][1]" } 0 .. $#refused) . ')');
is($code, 0, 'a table of types that hold less') or diag($errors);
my $refused = mirror_of('refused');
$refused->create;
ok($refused->is_caught_up, 'its mirror');
sql(join ';', map { "INSERT INTO refused (id, c_$_) VALUES ($_, " . quoted($refused[$_][2]) . ')' } 0 .. $#refused);
ok(wait_until($node, 'postgres', q{SELECT parked FROM userstream.mirror_status WHERE mirror = 'refused'}, scalar @refused), 'each value is refused');
is(sql(q{SELECT string_agg(column_name || ' ' || substring(error FROM ' in Cassandra: (.*)'), E'\n' ORDER BY id)
	FROM userstream.dead_letter WHERE mirror = 'refused'}), join("\n", map { "c_$_ $refused[$_][3]" } 0 .. $#refused), 'and why');

# an inserted null is no tombstone, one that a value became is one
sql(q{CREATE TABLE sparse (id int PRIMARY KEY, a text, b int, c date, d text[], e numeric);
	INSERT INTO sparse (id, a) SELECT i, 'a' FROM generate_series(1, 100) i});
my $sparse = mirror_of('sparse');
$sparse->create;
ok($sparse->is_caught_up, 'a mirror of a table with nulls');
sql(q{INSERT INTO sparse (id, b) SELECT i, i FROM generate_series(101, 200) i;
	INSERT INTO sparse (id, a, b, c, d, e) VALUES (201, NULL, NULL, NULL, NULL, NULL)});
$sparse->is_copied('rows with nulls, copied and from the WAL', 201);
is_deeply([ $sparse->tombstones ], [ 0, 201 ], 'no tombstone in 201 rows');
sql('UPDATE sparse SET a = NULL WHERE id <= 7');
$sparse->is_copied('some became null', 201);
my ($dead, $live) = $sparse->tombstones;
is($live, 201, 'all rows are still there');
cmp_ok($dead, '>=', 7, 'and what became null is counted, so none would have been missed');

# A replay: what was written and not saved is written again.  The position is
# locked, so that it cannot be saved; then the server is killed, and the copy
# emptied behind the mirror's back: only a replay can bring the rows again.
sql(q{CREATE TABLE again (id int PRIMARY KEY, a text, b text);
	INSERT INTO again SELECT i, 'a', 'b' FROM generate_series(1, 10) i});
my $again = mirror_of('again');
my $times = "SELECT id, a, writetime(a), writetime(b) FROM $keyspace.again";

# rows of the two changes, once they are all there
sub seen
{
	my $end = time + ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);
	my $count;

	do
	{
		($count) = $cassandra->cql(map { "SELECT count(*) FROM $keyspace.again WHERE $_ ALLOW FILTERING" } "a = 'c'", "b = 'e'");
		return $count if $count eq "495\n495";
		select undef, undef, undef, 0.2;
	} while (time < $end);
	return $count;
}

sub write_times { return join "\n", sort split /\n/, $again->select($times); }

$again->create;
$again->is_copied('ten rows', 10);
my $lock = $node->background_psql('postgres', on_error_stop => 0);
$lock->query_safe(q{BEGIN; SELECT lsn FROM userstream.mirror_position JOIN userstream.mirror m ON m.id = mirror_id
	WHERE m.name = 'again' FOR UPDATE OF mirror_position});
sql(q{BEGIN; UPDATE again SET a = 'c' WHERE id <= 5; INSERT INTO again SELECT i, 'c', 'd' FROM generate_series(11, 500) i;
	UPDATE again SET b = 'e' WHERE id > 5; COMMIT});
is(seen(), "495\n495", 'the changes are in Cassandra, and their position is not saved');
my $before = write_times();
$node->stop('immediate');
eval { $lock->quit };
(undef, $errors, $code) = $cassandra->cql("TRUNCATE $keyspace.again");
is($code, 0, 'the copy is emptied behind its back') or diag($errors);
$node->start;
is(seen(), "495\n495", 'a replay brings them again');

# of the first five rows only column a was written
is(write_times(), $before, 'each with the write time that it had');
sql(q{SELECT userstream.resync_mirror('again')});
$again->is_copied('and a resync makes it whole', 500);

# A copy that is cut short, after which rows and values go: the next one must
# not leave them in Cassandra.
sql(q{CREATE TABLE begun (id int PRIMARY KEY, a text, b text);
	INSERT INTO begun SELECT i, 'a', repeat('b', 200) FROM generate_series(1, 40000) i;
	-- however fast it is, it does not come to its end
	CREATE FUNCTION never() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(600); RETURN NEW; END $$;
	CREATE TRIGGER never BEFORE UPDATE ON userstream.mirror_position FOR EACH ROW
		WHEN (OLD.lsn IS NULL AND NEW.lsn IS NOT NULL) EXECUTE FUNCTION never()});
my $begun = mirror_of('begun');
$begun->create;
my $found = '';
for (my $end = time + $PostgreSQL::Test::Utils::timeout_default; $found ne '400' && time < $end;)
{
	($found) = $cassandra->cql("SELECT id FROM $keyspace.begun WHERE id = 400");
}
$node->stop('immediate');
$node->append_conf('postgresql.conf', 'userstream.enabled = off');
$node->start;
is(sql(q{SELECT lsn FROM userstream.mirror_position JOIN userstream.mirror m ON m.id = mirror_id WHERE m.name = 'begun'}),
	'', 'the server ended while rows were copied');
sql(q{DROP TRIGGER never ON userstream.mirror_position; DELETE FROM begun WHERE id <= 200; UPDATE begun SET a = NULL WHERE id <= 400});
$node->append_conf('postgresql.conf', 'userstream.enabled = on');
$node->reload;
$begun->is_copied('begun anew', 39800);

$node->stop('fast');
done_testing();
