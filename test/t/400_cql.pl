#
# test/t/400_cql.pl
#    the CQL client against a real Cassandra: types, pages, passwords
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

# passwords
my $closed = CassandraTest->new('closed', yaml => 'authenticator: {class_name: PasswordAuthenticator}');
my $query = 'SELECT key FROM system.local';
append_to_file("$closed->{dir}/right", "cassandra\n");
append_to_file("$closed->{dir}/wrong", "hunter2\n");
($rows, $errors, $code) = $closed->cql($query);
like($errors, qr/wants a user and a password, and none are given/, 'a password is wanted');
foreach my $version (5, 4)
{
	my @user = ('-V', $version, '-u', 'cassandra', '-f');

	# the user is made a moment after the port is open
	($rows, $errors, $code) = $closed->cql([ @user, "$closed->{dir}/right", '-t', 60 ], $query);
	is($rows, 'local', "the right one over version $version") or diag($errors);
	($rows, $errors, $code) = $closed->cql([ @user, "$closed->{dir}/wrong" ], $query);
	like($errors, qr/refused user and password: .*incorrect/, 'the wrong one');
	unlike($errors, qr/hunter2/, 'is not told');
}
$closed->kill;
($rows, $errors, $code) = $closed->cql($query);
like($errors, qr/Connection (?:refused|reset)|closed by the server/, 'no server, no answer');

done_testing();
