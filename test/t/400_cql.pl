#
# test/t/400_cql.pl
#    the CQL client against a real Cassandra: types, pages
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use CassandraTest;

my $cassandra = shared_cassandra();
my ($rows, $errors, $code);

my %keyspace = map { $_ => $cassandra->keyspace("types_$_") } 4, 5;

# every type, judged by the server; paging, forgotten statements, changed tables
foreach my $version (5, 4)
{
	my ($output) = run_command([ 'cql_types', $cassandra->address, $version, $keyspace{$version} ]);
	my $count = () = $output =~ /^ok /mg;

	ok($output !~ /^not ok/m && $output =~ /^1\.\.$count$/m,
		"all of it holds over version $version of the protocol")
	  or diag(join "\n", grep { !/^ok/ } split /\n/, $output);
	cmp_ok($count, '>', 190, 'and it is much');
}

# the other version reads what the one has written
my $types = $keyspace{5};
($rows) = $cassandra->cql([ '-V', 4 ], "SELECT de FROM $types.types WHERE k = 'v5/08/ours'");
is($rows, '-12345678901234567890.1234500', 'a decimal of version 5 read by version 4');
($rows) = $cassandra->cql([ '-p', 7 ], "SELECT k FROM $types.pages");
is(scalar(split /\n/, $rows), 50, 'a table by pages');
($rows, $errors, $code) = $cassandra->cql("SELECT x FROM $types.types");
is($code, 1, 'an error ends the reader');
like($errors, qr/^error: invalid: Undefined column name x/, 'with the server\'s words');

my $free = PostgreSQL::Test::Cluster::get_free_port();
($rows, $errors, $code) = (bless { port => $free }, 'CassandraTest')->cql('SELECT key FROM system.local');
like($errors, qr/Connection refused/, 'no server, no answer');
isnt($code, 0, 'which is an error');

done_testing();
