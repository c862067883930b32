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
client_encryption_options: {enabled: true, optional: false, keystore: "$keys/node.p12", keystore_password: keypass, store_type: PKCS12}});
my $port = $cassandra->{port};
append_to_file("$keys/password", "cassandra\n");
my @user = ('-u', 'cassandra', '-f', "$keys/password", '-t', 60);

my $slow_names = "$tmp/slow_names_cql.so";
run_log([ 'cc', '-D_GNU_SOURCE', '-shared', '-fPIC', '-o', $slow_names, "$ENV{USERSTREAM_SRC}/test/servers/slow_names.c", '-ldl' ])
  or die 'could not build slow_names.so';
my $node = do { local $ENV{LD_PRELOAD} = $slow_names; userstream_node('servers') };

# the worker that knew the old options ends, and another one knows the new ones
sub alter_server
{
	my ($options) = @_;
	my $workers = q{FROM pg_stat_activity WHERE backend_type = 'userstream mirror'};
	my $pid = $node->safe_psql('postgres', "SELECT coalesce(max(pid), 0) $workers");

	$node->safe_psql('postgres', "ALTER SERVER cassandra OPTIONS ($options)");
	return wait_until($node, 'postgres', "SELECT count(*) = 1 $workers AND pid <> $pid");
}

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
alter_server("ADD tls 'true', ADD ca_file '$keys/other.pem'");
is_waiting('certificate is not trusted: self-signed certificate', 'a certificate of someone else');
alter_server("SET ca_file '$keys/absent.pem'");
is_waiting('could not read the certificates to trust', 'no certificates');
alter_server("SET ca_file '$keys/node.pem'");
is_waiting('certificate is not trusted: hostname mismatch', 'a certificate for another name');
alter_server("SET hosts '127.0.0.1:$port'");

# passwords
is_waiting('wants a user and a password, and none are given .username and password are options of the user mapping.', 'a password is wanted');
$node->safe_psql('postgres', "CREATE USER MAPPING FOR PUBLIC SERVER cassandra OPTIONS (username 'cassandra', password 'hunter2')");
is_waiting('server refused user and password: .*incorrect', 'a wrong one');
$node->safe_psql('postgres', "ALTER USER MAPPING FOR PUBLIC SERVER cassandra OPTIONS (SET password 'cassandra')");
goes_on('the right one over TLS');
is($node->safe_psql('postgres', q{SELECT hosts FROM userstream.mirror_status}), "127.0.0.1:$port", 'the host is shown');
is_equal('and the rows are there');

unlike(slurp_file($node->logfile), qr/hunter2|keypass/, 'no secret is in the log');

# several hosts: nobody listens at the first; names with several addresses, with none, never resolved
alter_server("SET hosts '127.0.0.2:$port, 127.0.0.1:$port'");
goes_on('with a dead host among them');
alter_server("SET hosts 'two.invalid:$port'");
goes_on('a name whose first address is dead');
alter_server("SET hosts 'nowhere.invalid:$port'");
is_waiting("nowhere.invalid:$port: .*(name|Name)", 'a name that is none');
alter_server("SET hosts 'hang.invalid:$port'");
is_waiting("hang.invalid:$port: its name was not resolved in time", 'a resolver that does not answer');
$node->safe_psql('postgres', 'CREATE DATABASE other');
$node->safe_psql('postgres', 'DROP DATABASE other');
ok(1, 'nobody waits for it');
$node->safe_psql('postgres', "SELECT userstream.pause_mirror('items')");
ok(wait_until($node, 'postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'userstream mirror'}),
	'nor does a mirror that is to end');
$node->safe_psql('postgres', "SELECT userstream.resume_mirror('items')");
is_waiting("hang.invalid:$port: its name was not resolved in time", 'and it waits again');
alter_server("SET hosts 'hang.invalid:$port, 127.0.0.1:$port'");
goes_on('with such a name among the hosts');

# data centers
alter_server("SET hosts '127.0.0.1:$port', ADD local_dc 'elsewhere'");
is_waiting('the node is in data center .datacenter1., not .elsewhere. .option local_dc.', 'another data center');
alter_server("SET local_dc 'datacenter1'");
goes_on('the right data center');

# versions, as the node itself sees them
foreach my $version (4, 5)
{
	alter_server(($version == 4 ? 'ADD' : 'SET') . " protocol '$version'");
	ok(wait_until($node, 'postgres', q{SELECT state = 'caught_up' FROM userstream.mirror_status}), "protocol $version");
	goes_on('goes on');
	my ($found, $errors) = $cassandra->cql([@user], q{SELECT driver_name, protocol_version, ssl_enabled FROM system_views.clients});
	like($found, qr/^userstream\t$version\ttrue$/m, "in version $version, by TLS, under our name") or diag($errors);
}

# a node that forgot all statements while it was away
my ($out, $errors) = $cassandra->cql([@user], 'TRUNCATE system.prepared_statements');
is($errors, '', 'all statements are forgotten');
$cassandra->kill;
$node->safe_psql('postgres', 'INSERT INTO items SELECT -i, $$away $$ || i FROM generate_series(1, 1000) i');
$rows += 1000;
$cassandra->start;
goes_on('after a restart without them');
is_equal('all rows are the same');
done_testing();
