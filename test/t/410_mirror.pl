#
# test/t/410_mirror.pl
#    a table and its copy in Cassandra: the rows, changes of all kinds, faults
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use CassandraTest;
use UserstreamTest;

my $cassandra = CassandraTest->new('mirror');
my $node = userstream_node('mirror');
my $address = $cassandra->address;
my $rows = $ENV{MIRROR_ROWS} || 2000;

$node->safe_psql('postgres', qq{
	CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra
		OPTIONS (hosts '$address', consistency 'LOCAL_ONE');
	CREATE TABLE users (id int PRIMARY KEY, name text, born date, seen timestamptz, score numeric,
		tags text[], body jsonb, long text);
	ALTER TABLE users ALTER long SET STORAGE EXTERNAL;
	INSERT INTO users SELECT i, 'name ' || i, '1970-01-01'::date + i, 'epoch'::timestamptz + i * interval '1 ms',
		i * 1.50, ARRAY['a', i::text], jsonb_build_object('i', i), NULL FROM generate_series(1, $rows) i;
	SELECT userstream.create_mirror('users', 'users', 'cassandra', 'copies', 'users');
});

my $columns = 'id, name, born, seen, score, tags, body, long';

# every column of every row as both have it, in text that both write the same way
sub is_equal
{
	my ($what, $table, $pg_table) = @_;
	my $ours = $node->safe_psql('postgres', q{SET TimeZone = 'UTC'; } . q{
		SELECT concat_ws('|', id, coalesce(name, '\\N'), coalesce(born::text, '\\N'),
			coalesce(to_char(seen, 'YYYY-MM-DD HH24:MI:SS.MS') || '+0000', '\\N'), coalesce(score::text, '\\N'),
			coalesce('[' || (SELECT string_agg(quote_literal(t), ', ') FROM unnest(tags) t) || ']', '\\N'),
			coalesce(body::text, '\\N'), coalesce(long, '\\N')) FROM } . ($pg_table || 'users'));
	my ($theirs, $errors) = $cassandra->cql("SELECT $columns FROM copies." . ($table || 'users'));
	my $sorted = join "\n", sort split /\n/, $theirs =~ s/\t/|/gr;
	my $ok = $sorted eq join "\n", sort split /\n/, $ours;

	diag("$errors\n" . substr($ours, 0, 400) . "\n---\n" . substr($theirs, 0, 400)) unless $ok;
	return ok($ok, $what);
}

sub caught_up
{
	my ($name) = @_;
	return wait_until($node, 'postgres', "
		SELECT state = 'caught_up' AND lag_bytes = 0 FROM userstream.mirror_status
		WHERE mirror = '$name'");
}

# what was committed before this is in Cassandra when it returns
my $mark = 0;

sub sync
{
	my ($name) = @_;
	my $lsn = $node->safe_psql('postgres', 'SELECT pg_current_wal_insert_lsn()');

	return wait_until($node, 'postgres', "
		SELECT l.lag_bytes = 0 AND l.state = 'caught_up'
			AND pg_current_wal_flush_lsn() - l.lag_bytes >= '$lsn'::pg_lsn
		FROM userstream.mirror_status l WHERE mirror = '$name'") && select(undef, undef, undef, 0.5);
}

ok(caught_up('users'), 'the mirror starts, and copies what is there')
  or diag($node->safe_psql('postgres', 'SELECT * FROM userstream.mirror_status')),
  diag(slurp_file($node->logfile));
is_equal('all rows are the same');
done_testing();
