#
# test/t/400_cql.pl
#    the CQL client against a real Cassandra: types, pages, restart, passwords
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use CassandraTest;

my $cassandra = CassandraTest->new('cql');
my ($rows, $errors, $code);

# every type, judged by the server; paging, forgotten statements, changed tables
foreach my $version (5, 4)
{
	my ($output) = run_command([ 'cql_types', $cassandra->address, $version, "types_$version" ]);
	my $count = () = $output =~ /^ok /mg;

	ok($output !~ /^not ok/m && $output =~ /^1\.\.$count$/m,
		"all of it holds over version $version of the protocol")
	  or diag(join "\n", grep { !/^ok/ } split /\n/, $output);
	cmp_ok($count, '>', 190, 'and it is much');
}

# the other version reads what the one has written
($rows) = $cassandra->cql([ '-V', 4 ], "SELECT de FROM types_5.types WHERE k = 'v5/08/ours'");
is($rows, '-12345678901234567890.1234500', 'a decimal of version 5 read by version 4');
($rows) = $cassandra->cql([ '-p', 7 ], 'SELECT k FROM types_5.pages');
is(scalar(split /\n/, $rows), 50, 'a table by pages');
($rows, $errors, $code) = $cassandra->cql('SELECT x FROM types_5.types');
is($code, 1, 'an error ends the reader');
like($errors, qr/^error: invalid: Undefined column name x/, 'with the server\'s words');

# killed outright and started again, now with passwords
$cassandra->kill;
($rows, $errors, $code) = $cassandra->cql('SELECT k FROM types_5.pages');
like($errors, qr/Connection (?:refused|reset)|closed by the server/, 'no server, no answer');
$cassandra->configure('authenticator: {class_name: PasswordAuthenticator}');
$cassandra->start;
append_to_file("$cassandra->{dir}/right", "cassandra\n");
append_to_file("$cassandra->{dir}/wrong", "hunter2\n");
($rows, $errors, $code) = $cassandra->cql('SELECT k FROM types_5.pages');
like($errors, qr/wants a user and a password, and none are given/, 'a password is wanted');
foreach my $version (5, 4)
{
	my @user = ('-V', $version, '-u', 'cassandra', '-f');

	# the user is made a moment after the port is open
	($rows, $errors, $code) =
	  $cassandra->cql([ @user, "$cassandra->{dir}/right", '-t', 60 ], 'SELECT k FROM types_5.pages');
	is(scalar(split /\n/, $rows), 50, "the right one over version $version, and nothing was lost")
	  or diag($errors);
	($rows, $errors, $code) =
	  $cassandra->cql([ @user, "$cassandra->{dir}/wrong" ], 'SELECT k FROM types_5.pages');
	like($errors, qr/refused user and password: .*incorrect/, 'the wrong one');
	unlike($errors, qr/hunter2/, 'is not told');
}

done_testing();
