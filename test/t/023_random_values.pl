#
# test/t/023_random_values.pl
#    values that nobody thought of: texts and numbers near the forms that have
#    a shortcut, against what PostgreSQL makes of them
#
# A shortcut must give exactly what the type's input function gives, or leave
# the value to it.  The values come from a seed, which is printed; another is
# taken from USERSTREAM_SEED.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use MappingTest;

use constant VALUES => 400;		# of each type

my $seed = $ENV{USERSTREAM_SEED} || 1;
note("USERSTREAM_SEED=$seed");
srand $seed;

my $node = userstream_node('main');
$node->safe_psql('postgres', "ALTER DATABASE postgres SET TimeZone = 'America/New_York'");
my $mapping = MappingTest->new($node, shared_kafka(), 'postgres');

sub pick { return $_[ int rand @_ ]; }
sub digits { my ($n) = @_; return join '', map { int rand 10 } 1 .. $n; }

# a JSON number, often near a limit of a type
sub number
{
	my $sign = pick('', '', '-');
	my $int = pick(0, 1 + int rand 9, (1 + int rand 9) . digits(int rand 25), 32767, 32768, 2147483647, 2147483648,
		9223372036854775807, 9223372036854775808, 999999999999999999, 1000000000000000000);
	my $fraction = pick('', '', '.' . digits(1 + int rand 3), '.' . digits(1 + int rand 30), '.0', '.50');
	my $exponent = pick('', '', '', pick('e', 'E') . pick('', '+', '-') . pick(0, int rand 5, int rand 60, 300 + int rand 30));
	return "$sign$int$fraction$exponent";
}

# one change, so that most results are nearly right
sub spoiled
{
	my ($text) = @_;
	my $at = int rand(1 + length $text);
	my $char = pick(0 .. 9, split(//, '-+.:eE TZ,/xa'), ' ', 'é');

	return $text if rand() < 0.4;
	my $kind = int rand 4;
	return substr($text, 0, $at) . $char . substr($text, $at) if $kind == 0;
	return substr($text, 0, $at) . substr($text, $at + 1) if $kind == 1 && $at < length $text;
	return substr($text, 0, $at) if $kind == 2;
	return substr($text, 0, $at) . $char . ($at < length $text ? substr($text, $at + 1) : '');
}

sub date
{
	my $year = pick(2024, 1900, 2000, 1582, 1, 9999, 10000, int rand 10000);
	return sprintf '%04d-%02d-%02d', $year, pick(1 .. 12, 2, 0, 13), pick(1 .. 31, 28 .. 31, 0, 32);
}

sub timestamp
{
	my $time = sprintf '%02d:%02d:%02d', pick(0 .. 23, 23, 24, 25), pick(0 .. 59, 60), pick(0 .. 59, 59, 60, 61);
	my $fraction = pick('', '', '.' . digits(1 + int rand 8), '.999999', '.9999995', '.0000004');
	my $zone = pick('', 'Z', 'Z', sprintf('%s%02d', pick('+', '-'), pick(0 .. 16)),
		sprintf('%s%02d%s%02d', pick('+', '-'), pick(0 .. 16), pick(':', ''), pick(0, 30, 45, 59, 60)));
	return date() . pick('T', 'T', ' ') . $time . $fraction . $zone;
}

sub uuid { return join '-', map { my $n = $_; join '', map { pick(0 .. 9, 'a' .. 'f', 'A' .. 'F') } 1 .. $n } 8, 4, 4, 4, 12; }

sub string { return '"' . $_[0] . '"'; }

my %makers = (
	(map { $_ => sub { return rand() < 0.6 ? number() : string(spoiled(number())) } }
		  qw(int2 int4 int8 float4 float8 numeric), 'numeric(8,2)', 'text', 'varchar', 'jsonb'),
	date => sub { return string(spoiled(date())) },
	(map { $_ => sub { return string(spoiled(timestamp())) } }
		  qw(timestamp timestamptz), 'timestamp(3)', 'timestamptz(0)', 'timestamptz(6)'),
	uuid => sub { return string(spoiled(uuid())) },
	bool => sub { return string(spoiled(pick(qw(true false t f yes no on off 1 0)))) },
	bytea => sub { return string(spoiled('\\\\\\\\x' . unpack 'H*', digits(int rand 9))) },
);
my @types = sort keys %makers;
my @cases = map { my $type = $_; map { [ $type, $makers{$type}->() ] } 1 .. VALUES } @types;
my %column_of = map { $types[$_] => "c$_" } 0 .. $#types;

# a backslash that a change cut loose is no JSON: not what is looked at here
$_->[1] =~ s/(?<!\\)((?:\\\\)*)\\(?!\\)/$1/g foreach @cases;

# json keeps quotes, so its expected value is that of ->
$mapping->query(q{
CREATE FUNCTION oracle(type text, token text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT (%L::jsonb %s ''f'')::%s::text', '{"f":' || token || '}',
		CASE type WHEN 'jsonb' THEN '->' ELSE '->>' END, type) INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN '!' || SQLSTATE;
END $$;
CREATE TABLE cases (n bigint, type text, token text);
INSERT INTO cases VALUES } . join ', ', map { "($_, '$cases[$_][0]', " . MappingTest::quoted($cases[$_][1]) . ')' } 0 .. $#cases);
$mapping->query('CREATE TABLE random (n bigint, ' . join(', ', map { "$column_of{$_} $_" } @types) . ')');
$mapping->stream('random', '{"n": "@offset"}', [ map { qq({"$column_of{$_->[0]}": $_->[1]}) } @cases ]);
my $shown = join ' ', map { "WHEN '$_' THEN $column_of{$_}::text" } @types;
foreach my $type (@types)
{
	is( $mapping->query(
			"SELECT n, token, got, want FROM (
				SELECT n, token, coalesce('!' || d.sqlstate, CASE type $shown END) AS got, oracle(type, token) AS want
				  FROM cases LEFT JOIN random r USING (n)
				  LEFT JOIN userstream.dead_letter d ON d.stream = 'random' AND d.kafka_offset = n
				 WHERE type = '$type') c WHERE got IS DISTINCT FROM want ORDER BY n LIMIT 5"),
		'', "$type: @{[VALUES]} values are what PostgreSQL makes of them");
}
my $rows = $mapping->query('SELECT count(*) FROM random');
cmp_ok($rows, '>', @cases / 4, "there are good values among them");
cmp_ok($rows, '<', @cases * 3 / 4, "and bad ones");

$node->stop;
done_testing();
