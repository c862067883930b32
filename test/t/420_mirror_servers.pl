#
# test/t/420_mirror_servers.pl
#    how a mirror comes to Cassandra: TLS, passwords, hosts, names, versions
#
# Each step mends one option of the server or the mapping, and the mirror sees
# it without being told.
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use CassandraTest;
use MirrorTest;
use UserstreamTest;

my $tmp = $PostgreSQL::Test::Utils::tmp_check;
my $keys = "$tmp/cassandra_keys.$$";

# A key of its own in $keys/$name.p12, its certificate in $name.pem
sub make_key
{
	my ($name, $for) = @_;

	run_log([ 'keytool', '-genkeypair', '-keystore', "$keys/$name.p12", '-storepass', 'keypass',
		'-alias', $name, '-keyalg', 'EC', '-dname', "CN=$name", '-ext', "san=$for" ]) &&
	  run_log([ 'keytool', '-exportcert', '-rfc', '-keystore', "$keys/$name.p12", '-storepass', 'keypass',
		'-alias', $name, '-file', "$keys/$name.pem" ]) or die "no key $name";
	return;
}

mkdir $keys;
make_key('node', 'ip:127.0.0.1,dns:two.invalid');
make_key('other', 'ip:127.0.0.1');
my $cassandra = CassandraTest->new('servers', ca_file => "$keys/node.pem", yaml => qq{
authenticator: {class_name: PasswordAuthenticator}
authorizer: {class_name: CassandraAuthorizer}
client_encryption_options: {enabled: true, optional: false, keystore: "$keys/node.p12", keystore_password: keypass, store_type: PKCS12}});
my $port = $cassandra->{port};
append_to_file("$keys/password", "cassandra\n");
my @user = ('-u', 'cassandra', '-f', "$keys/password", '-t', 180);

# the client alone
my $query = 'SELECT key FROM system.local';
my ($found, $errors) = $cassandra->cql($query);
like($errors, qr/wants a user and a password, and none are given/, 'a password is wanted');
append_to_file("$keys/wrong", "hunter2\n");
foreach my $version (5, 4)
{
	# the user is made a moment after the port is open
	($found, $errors) = $cassandra->cql([ '-V', $version, @user ], $query);
	is($found, 'local', "the right one over version $version, by TLS") or diag($errors);
	($found, $errors) = $cassandra->cql([ '-V', $version, '-u', 'cassandra', '-f', "$keys/wrong" ], $query);
	like($errors, qr/refused user and password: .*incorrect/, 'the wrong one');
	unlike($errors, qr/hunter2/, 'is not told');
}

my $slow_names = "$tmp/slow_names_cql.so";
run_log([ 'cc', '-D_GNU_SOURCE', '-shared', '-fPIC', '-o', $slow_names, "$ENV{USERSTREAM_SRC}/test/servers/slow_names.c", '-ldl' ])
  or die 'could not build slow_names.so';
my $node = do { local $ENV{LD_PRELOAD} = $slow_names; userstream_node('servers') };

sub is_waiting
{
	my ($error, $what) = @_;

	return ok(wait_until($node, 'postgres',
		"SELECT state = 'waiting' AND last_error ~ '$error' AND failing_since IS NOT NULL FROM userstream.mirror_status"), $what)
	  || diag($node->safe_psql('postgres', 'SELECT state, last_error FROM userstream.mirror_status'));
}

# a row written now arrives; the mirror is what it was at the end of each step
my $rows = 0;

sub goes_on
{
	my ($what) = @_;

	$node->safe_psql('postgres', 'INSERT INTO items VALUES (' . ++$rows . ", 'row $rows')");
	return ok(wait_until($node, 'postgres', "SELECT state = 'caught_up' AND lag_bytes = 0 AND rows_mirrored >= $rows
		FROM userstream.mirror_status"), $what)
	  || diag($node->safe_psql('postgres', 'SELECT * FROM userstream.mirror_status'));
}

sub is_equal
{
	my ($what) = @_;
	my ($theirs, $errors) = $cassandra->cql([@user], 'SELECT id, name FROM copies.items');

	return is(join("\n", sort split /\n/, $theirs),
		join("\n", sort split /\n/, $node->safe_psql('postgres', q{SELECT id || E'\t' || name FROM items})), $what)
	  || diag($errors);
}

# to a node that speaks TLS only
$node->safe_psql('postgres', qq{
	CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra
		OPTIONS (hosts 'localhost:$port', consistency 'LOCAL_ONE');
	CREATE TABLE items (id int PRIMARY KEY, name text);
	SELECT userstream.create_mirror('items', 'items', 'cassandra', 'copies', 'items');
});
is_waiting("localhost:$port: .*if the node wants TLS, set the option tls", 'without TLS');
alter_server($node, "ADD tls 'true', ADD ca_file '$keys/other.pem'");
is_waiting('certificate is not trusted: self-signed certificate', 'a certificate of someone else');
alter_server($node, "SET ca_file '$keys/absent.pem'");
is_waiting('could not read the certificates to trust', 'no certificates');
alter_server($node, "SET ca_file '$keys/node.pem'");
is_waiting('certificate is not trusted: hostname mismatch', 'a certificate for another name');
alter_server($node, "SET hosts '127.0.0.1:$port'");

# passwords
is_waiting('wants a user and a password, and none are given .username and password are options of the user mapping.', 'a password is wanted');
$node->safe_psql('postgres', "CREATE USER MAPPING FOR PUBLIC SERVER cassandra OPTIONS (username 'cassandra', password 'hunter2')");
is_waiting('server refused user and password: .*incorrect', 'a wrong one');

# a user without rights
(undef, $errors) = $cassandra->cql([@user], q{CREATE ROLE ann WITH PASSWORD = 'swordfish' AND LOGIN = true});
is($errors, '', 'another user');
$node->safe_psql('postgres', "ALTER USER MAPPING FOR PUBLIC SERVER cassandra OPTIONS (SET username 'ann', SET password 'swordfish')");
is_waiting('unauthorized: User ann has no CREATE permission on <all keyspaces>', 'a user who may not make the table: the mirror waits');
(undef, $errors) = $cassandra->cql([@user], 'GRANT ALL PERMISSIONS ON ALL KEYSPACES TO ann');
is($errors, '', 'the right is granted');
$node->safe_psql('postgres', "SELECT userstream.pause_mirror('items'); SELECT userstream.resume_mirror('items')");
goes_on('and it goes on, over TLS');
$node->safe_psql('postgres', "ALTER USER MAPPING FOR PUBLIC SERVER cassandra OPTIONS (SET username 'cassandra', SET password 'cassandra')");
is($node->safe_psql('postgres', q{SELECT hosts FROM userstream.mirror_status}), "127.0.0.1:$port", 'the host is shown');
is_equal('and the rows are there');

unlike(slurp_file($node->logfile), qr/hunter2|swordfish|keypass/, 'no secret is in the log');

# several hosts: nobody listens at the first; names with several addresses, with none, never resolved
alter_server($node, "SET hosts '127.0.0.2:$port, 127.0.0.1:$port'");
goes_on('with a dead host among them');
alter_server($node, "SET hosts 'two.invalid:$port'");
goes_on('a name whose first address is dead');
alter_server($node, "SET hosts 'nowhere.invalid:$port'");
is_waiting("nowhere.invalid:$port: .*(name|Name)", 'a name that is none');
alter_server($node, "SET hosts 'hang.invalid:$port'");
is_waiting("hang.invalid:$port: its name was not resolved in time", 'a resolver that does not answer');
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('postgres', 'DROP DATABASE other');
ok(1, 'nobody waits for it');
$node->safe_psql('postgres', "SELECT userstream.pause_mirror('items')");
ok(wait_until($node, 'postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'userstream mirror'}),
	'nor does a mirror that is to end');
$node->safe_psql('postgres', "SELECT userstream.resume_mirror('items')");
is_waiting("hang.invalid:$port: its name was not resolved in time", 'and it waits again');
alter_server($node, "SET hosts 'hang.invalid:$port, 127.0.0.1:$port'");
goes_on('with such a name among the hosts');

# data centers
alter_server($node, "SET hosts '127.0.0.1:$port', ADD local_dc 'elsewhere'");
is_waiting('the node is in data center .datacenter1., not .elsewhere. .option local_dc.', 'another data center');
alter_server($node, "SET local_dc 'datacenter1'");
goes_on('the right data center');

# versions, as the node itself sees them
foreach my $version (4, 5)
{
	alter_server($node, ($version == 4 ? 'ADD' : 'SET') . " protocol '$version'");
	ok(wait_until($node, 'postgres', q{SELECT state = 'caught_up' FROM userstream.mirror_status}), "protocol $version");
	goes_on('goes on');
	($found, $errors) = $cassandra->cql([@user], q{SELECT driver_name, protocol_version, ssl_enabled FROM system_views.clients});
	like($found, qr/^userstream\t$version\ttrue$/m, "in version $version, by TLS, under our name") or diag($errors);
}

done_testing();
