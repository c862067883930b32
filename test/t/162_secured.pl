#
# test/t/162_secured.pl
#    a broker with TLS, passwords and access rights: right and wrong ones, at
#    create_stream and changed under running streams; no secret is shown
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;
use FeedTest;

my $dir = PostgreSQL::Test::Utils::tempdir;
my @secrets = ('first-Secret-1', 'second-Secret-2', 'wrong-Secret-3');
my ($first, $second, $wrong) = @secrets;

# --- keys: a CA, and certificates that are good, expired, of another host
sub openssl
{
	my (@args) = @_;
	my ($out, $err);

	IPC::Run::run([ 'openssl', @args ], '>', \$out, '2>', \$err) or die "openssl @args: $err";
	return;
}

# by "ca", since "x509" of OpenSSL 3.4 and later makes none that has expired
append_to_file("$dir/ca.conf", qq{[ca]
default_ca = test
[test]
database = $dir/ca.index
new_certs_dir = $dir
default_md = sha256
policy = name
rand_serial = yes
[name]
commonName = supplied
});
append_to_file("$dir/ca.index", '');

sub make_certificate
{
	my ($name, $san, @validity) = @_;

	append_to_file("$dir/$name.ext", "subjectAltName=$san\n");
	openssl('req', '-newkey', 'rsa:2048', '-nodes', '-subj', "/CN=$name",
		'-keyout', "$dir/$name.key", '-out', "$dir/$name.csr");
	openssl('ca', '-batch', '-notext', '-config', "$dir/ca.conf", '-cert', "$dir/ca.pem",
		'-keyfile', "$dir/ca.key", '-in', "$dir/$name.csr", '-extfile', "$dir/$name.ext",
		'-out', "$dir/$name.crt", @validity);
	append_to_file("$dir/$name.pem", slurp_file("$dir/$name.key") . slurp_file("$dir/$name.crt"));
	return;
}

foreach my $ca ('ca', 'other_ca')
{
	openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', "/CN=$ca",
		'-keyout', "$dir/$ca.key", '-out', "$dir/$ca.pem");
}
make_certificate('good', 'DNS:localhost,IP:127.0.0.1', '-days', 30);
make_certificate('expired', 'DNS:localhost,IP:127.0.0.1', '-startdate', '20200101000000Z', '-enddate', '20200102000000Z');
make_certificate('elsewhere', 'DNS:kafka.example,IP:192.0.2.1', '-days', 30);

# --- the broker: without any of it for the test itself, and one listener per case
my $kafka = UserstreamTest::Kafka->new('secured', start => 0,
	format => "--add-scram SCRAM-SHA-256=[name=alice,password=$first] --add-scram SCRAM-SHA-512=[name=alice,password=$first]");
my %port = map { $_ => PostgreSQL::Test::Cluster::get_free_port() } qw(SECURE EXPIRED ELSEWHERE);
my $listeners = join ',', "PLAINTEXT://127.0.0.1:$kafka->{port}",
  map { "$_://127.0.0.1:$port{$_}" } sort keys %port;
my $controller = $kafka->{port} + 1;

sub jaas
{
	my ($password) = @_;
	return 'listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule '
	  . qq{required user_alice="$password";};
}

$kafka->configure(qq{
listeners=$listeners,CONTROLLER://127.0.0.1:$controller
advertised.listeners=$listeners
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SECURE:SASL_SSL,EXPIRED:SSL,ELSEWHERE:SSL
sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.secure.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
ssl.keystore.type=PEM
ssl.client.auth=none
listener.name.secure.ssl.keystore.location=$dir/good.pem
listener.name.expired.ssl.keystore.location=$dir/expired.pem
listener.name.elsewhere.ssl.keystore.location=$dir/elsewhere.pem
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
allow.everyone.if.no.acl.found=true
});
$kafka->configure(jaas($first));
$kafka->start;

my $node = userstream_node('main', conf => "userstream.restart_interval = '500ms'");
my $sql = sub { return $node->safe_psql('postgres', $_[0]); };

DeliveryTest->new($node, $kafka, 'none')->prepare_database('postgres');

sub secure_server
{
	my ($name, $listener, $mechanism, $password, $ca) = @_;

	$sql->(qq{CREATE SERVER $name FOREIGN DATA WRAPPER userstream_kafka OPTIONS (
		"bootstrap.servers" '127.0.0.1:$port{$listener}', "ssl.ca.location" '$dir/$ca.pem',
		"security.protocol" '} . (defined $mechanism ? 'SASL_SSL' : 'SSL') . q{')});
	return unless defined $mechanism;
	$sql->(qq{ALTER SERVER $name OPTIONS (ADD "sasl.mechanisms" '$mechanism');
		CREATE USER MAPPING FOR CURRENT_USER SERVER $name
			OPTIONS ("sasl.username" 'alice', "sasl.password" '$password')});
	return;
}

sub create_delivery
{
	my ($name) = @_;
	my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic($name, 1));

	$delivery->create_target('postgres', $name);
	$delivery->produce(100);
	return $delivery;
}

# what create_stream answers
sub refusal
{
	my ($server, $delivery) = @_;
	my ($code, $out, $err) = $node->psql('postgres',
		"\\set VERBOSITY verbose\nSELECT userstream.create_stream('refused', '$server', '$delivery->{topic}', 'plain')");
	return $err;
}

sub state_and_error
{
	my ($name, $pattern) = @_;
	return "SELECT state, last_error ~ '$pattern' FROM userstream.stream_status WHERE stream = '$name'";
}

# without any of it, on the same broker: not touched by what happens to others
my $plain = create_delivery('plain');
$plain->create_stream('postgres', 'plain');
$plain->is_delivered('postgres', 'plain', 'plain listener');

# --- a password over TLS
my $secure = create_delivery('secure');
secure_server('secure', 'SECURE', 'PLAIN', $first, 'ca');
$secure->create_stream('postgres', 'secure', server => 'secure');
$secure->is_delivered('postgres', 'secure', 'SASL_SSL');

secure_server('wrong_password', 'SECURE', 'PLAIN', $wrong, 'ca');
like(refusal('wrong_password', $secure), qr/ERROR:  08001: could not reach.*authentication failed.*HINT/s,
	'a wrong password is refused by create_stream, with the reason');
foreach my $look ("peek('wrong_password', '$secure->{topic}')", "topics('wrong_password')")
{
	my ($code, $out, $err) = $node->psql('postgres', "\\set VERBOSITY verbose\nSELECT * FROM userstream.$look");
	like($err, qr/ERROR:  08001: could not reach.*authentication failed.*HINT/s, "and by $look");
	unlike($err, qr/Secret/, '... without a secret');
}
is($sql->("SELECT count(*) FROM userstream.peek('secure', '$secure->{topic}')"), 100, 'with the right one there is something to see');

# a feed goes there too; its topic is looked at first, so a wrong password is noticed there
my $api = FeedTest->api('secured');
my $fed = $kafka->new_topic('fed', 1);
create_api_server($node, 'postgres', 'api', $api->url('/api/?results=1'));
create_gate($node, 'postgres');
$sql->(qq{SELECT userstream.create_feed('fed', 'api', 'secure', '$fed', records => '\$.results[*]', retries => 3)});

sub feed_is_refused
{
	my ($said, $reason, $what) = @_;

	like($said, qr/run of feed "fed" failed: $reason/s, "$what: the run fails and says why");
	unlike($said, qr/Secret/, '... without a secret');
	is(last_run($node, 'postgres', 'fed', "state, records_produced, error LIKE '%Secret%'"), 'failed|0|f', '... as is written down');
	return;
}
is((run_feed($node, 'postgres', 'fed'))[0], 0, 'a feed into it goes well');
$sql->(q{SELECT userstream.alter_feed('fed', retries => 0)});
$sql->(qq{ALTER USER MAPPING FOR CURRENT_USER SERVER secure OPTIONS (SET "sasl.password" '$wrong')});
feed_is_refused((run_feed($node, 'postgres', 'fed'))[1], 'could not reach the brokers of server "secure".*authentication failed',
	'a wrong password');
$sql->(qq{ALTER USER MAPPING FOR CURRENT_USER SERVER secure OPTIONS (SET "sasl.password" '$first')});
$sql->(q{SELECT userstream.alter_feed('fed', transform => 'gated(jsonb)', retries => 3)});
my $run = start_feed($node, 'postgres', 'fed');
ok(is_at_gate($node, 'postgres'), 'a run has seen the topic with the right password');

# rotated on the broker's side: at the next connection
$kafka->configure(jaas($second));
$kafka->stop;
$kafka->start;
ok(open_gate($node, 'postgres'), 'password rotated: the run produces');
feed_is_refused($run->(), qr/could not produce to topic "\Q$fed\E": .*authentication failed/, 'refused there');
is(last_run($node, 'postgres', 'fed', 'attempt'), 1, 'which is not tried again');
ok(wait_until($node, 'postgres', state_and_error('secure', 'authentication failed'), 'waiting|t'),
	'password rotated: waits and says why');
$plain->produce(100);
$plain->is_delivered('postgres', 'plain', 'another stream beside it');
$secure->produce(100);
$sql->(qq{ALTER USER MAPPING FOR CURRENT_USER SERVER secure OPTIONS (SET "sasl.password" '$second')});
$secure->is_delivered('postgres', 'secure', 'mapping altered');
ok(wait_until($node, 'postgres', "SELECT state FROM userstream.stream_status WHERE stream = 'secure'", 'caught_up'),
	'it goes on by itself');
is((run_feed($node, 'postgres', 'fed'))[0], 0, 'and the next run goes well');
is($sql->("SELECT count(*) FROM userstream.peek('secure', '$fed')"), 2, 'one user each');

# A changed mapping counts for a stream that does well, too.  Looked for with
# each batch, and when idle every ten seconds: the message is there to be quick.
$sql->(qq{ALTER USER MAPPING FOR CURRENT_USER SERVER secure OPTIONS (SET "sasl.password" '$wrong')});
$secure->produce(1);
ok(wait_until($node, 'postgres', state_and_error('secure', 'authentication failed'), 'waiting|t'),
	'mapping made wrong: waits and says why');
$sql->(qq{ALTER USER MAPPING FOR CURRENT_USER SERVER secure OPTIONS (SET "sasl.password" '$second')});
$secure->produce(100);
$secure->is_delivered('postgres', 'secure', 'mapping mended');

# --- SCRAM: what librdkafka before 2.6.1 cannot, it is told
my $scram_works = !librdkafka_before('2.6.1');
foreach my $mechanism ('SCRAM-SHA-256', 'SCRAM-SHA-512')
{
	my $server = 'scram_' . substr $mechanism, -3;

	secure_server($server, 'SECURE', $mechanism, $first, 'ca');
	if ($scram_works)
	{
		my $scram = create_delivery($server);
		$scram->create_stream('postgres', $server, server => $server);
		$scram->is_delivered('postgres', $server, $mechanism);
	}
	else
	{
		like(refusal($server, $plain), qr/08001.*authentication failed.*\Q$mechanism\E.*2\.6\.1 or later/s,
			"$mechanism: the error tells the version that is needed");
	}
}

# --- certificates
secure_server('unknown_ca', 'SECURE', 'PLAIN', $second, 'other_ca');
like(refusal('unknown_ca', $secure), qr/08001.*certificate verify failed/s, 'a certificate of another CA is refused');
secure_server('expired', 'EXPIRED', undef, undef, 'ca');
like(refusal('expired', $secure), qr/08001.*certificate/s, 'an expired certificate is refused');
secure_server('elsewhere', 'ELSEWHERE', undef, undef, 'ca');
like(refusal('elsewhere', $secure), qr/08001.*certificate/s, "another host's certificate is refused");
$sql->(q{ALTER SERVER elsewhere OPTIONS (ADD "ssl.endpoint.identification.algorithm" 'none')});
my $elsewhere = create_delivery('elsewhere');
$elsewhere->create_stream('postgres', 'elsewhere', server => 'elsewhere');
$elsewhere->is_delivered('postgres', 'elsewhere', 'TLS without a password, host name not checked');

$sql->(qq{ALTER SERVER secure OPTIONS (SET "ssl.ca.location" '$dir/other_ca.pem')});
$secure->produce(1);
ok(wait_until($node, 'postgres', state_and_error('secure', 'certificate verify failed'), 'waiting|t'),
	'wrong CA under a running stream: waits and says why');
$sql->(qq{ALTER SERVER secure OPTIONS (SET "ssl.ca.location" '$dir/ca.pem')});
$secure->produce(100);
$secure->is_delivered('postgres', 'secure', 'right CA again');

# --- access rights: operations by number, 3 read, 4 write, 5 create, 8 describe
my @create = ('alice', 'cluster', 'kafka-cluster', 5);
$kafka->rights('allow', 'alice', 'topic', @$_) foreach [ $fed, 8 ], [ $fed, 4 ], [ "unmade.$$", 8 ];
$kafka->rights('deny', @create);
$sql->(q{SELECT userstream.alter_feed('fed', transform => '-', options => '{"create_topic": {}}')});
is((run_feed($node, 'postgres', 'fed'))[0], 0, 'a feed whose topic is there needs no right to make it');
my ($refused, undef, $unmade) = $node->psql('postgres', "\\set VERBOSITY verbose
	SELECT userstream.create_feed('unmade', 'api', 'secure', 'unmade.$$', options => '{\"create_topic\": {}}')");
like($unmade, qr/42501: could not create topic "unmade\.$$" .*authorization failed.*HINT/is, 'one whose topic is not there does');
$kafka->rights('undeny', @create);
my $forbidden = create_delivery('forbidden');
my @describe = ('alice', 'topic', $forbidden->{topic}, 8);
my @read = ('alice', 'topic', $forbidden->{topic}, 3);
my @group = ('alice', 'group', 'userstream.postgres.forbidden', 2);
$kafka->rights('deny', @describe);
like(refusal('secure', $forbidden), qr/ERROR:  42501: permission denied for topic.*HINT/s,
	'a topic that the user may not describe is an error at once');
$kafka->rights('undeny', @describe);
$kafka->rights('deny', @group);
$forbidden->create_stream('postgres', 'forbidden', server => 'secure');
$forbidden->is_delivered('postgres', 'forbidden', 'no right on the group');
ok(wait_until($node, 'postgres', "SELECT state, last_error FROM userstream.stream_status WHERE stream = 'forbidden'", 'caught_up|'),
	'which is nothing to tell');
is($kafka->group_offsets('userstream.postgres.forbidden', $forbidden->{topic}), '', 'but lag tools see nothing');

$kafka->rights('deny', @read);
$forbidden->produce(100);
ok(wait_until($node, 'postgres', state_and_error('forbidden', '[Aa]uthorization|permission|not let'), 'waiting|t'),
	'right to read taken away: waits and says why');
$kafka->rights('undeny', @read);
$forbidden->is_delivered('postgres', 'forbidden', 'right to read given back');
ok(wait_until($node, 'postgres', "SELECT state FROM userstream.stream_status WHERE stream = 'forbidden'", 'caught_up'),
	'it goes on by itself');
$kafka->rights('deny', @describe);
ok(wait_until($node, 'postgres', state_and_error('forbidden', '[Aa]uthorization|permission|not let'), 'waiting|t'),
	'right to describe taken away: waits and says why');
$kafka->rights('undeny', @describe);
$forbidden->produce(100);
$forbidden->is_delivered('postgres', 'forbidden', 'right to describe given back');

# --- no secret in what anyone reads
$node->stop('fast');
my $log = slurp_file($node->logfile);
is(scalar(grep { index($log, $_) >= 0 } @secrets), 0, "no password in the server's log");
$node->start;
my $shown = $sql->('SELECT last_error FROM userstream.stream_status') . $sql->('SELECT * FROM userstream.incident')
  . $sql->('SELECT last_error FROM userstream.partition_status');
is(scalar(grep { index($shown, $_) >= 0 } @secrets), 0, 'nor in a view');

$node->stop('fast');
done_testing();
