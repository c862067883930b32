#
# test/t/FeedTest.pm
#    what the tests of feeds (3xx) have in common: the sample API
#
#    my $api = FeedTest->api('main');        # ends with the test
#    $api->url('/api/?results=10')
#    $api->requests                          # lines of its log so far
#    $api->give(1000)                        # /numbers has records up to this one
#    $api->fault('ok', 'half', 503)          # what the next requests meet
#    $api->register($subject, $schema)       # in its schema registry, /registry; the number
#    create_api_server($node, $db, 'name', $api->url('/x'), "more 'options'");
#
#    create_gate($node, $db);                # makes the transform gated(jsonb): a run
#    my $run = start_feed($node, $db, 'x');  # of it stops between fetching and producing,
#    ok(is_at_gate($node, $db), '...');      # until
#    open_gate($node, $db);                  # ...; when this returns, the run produces
#    my $said = $run->();                    # when it is over
#
package FeedTest;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP;
use PostgreSQL::Test::Utils ();
use UserstreamTest;

our @EXPORT = qw(create_api_server run_feed last_run create_gate start_feed is_at_gate open_gate);

my @own;

sub api
{
	my ($class, $name) = @_;
	my $self = bless { dir => "${PostgreSQL::Test::Utils::tmp_check}/api_$name.$$" }, $class;

	push @own, $self;
	system("$ENV{USERSTREAM_SRC}/test/servers/api", 'start', $self->{dir}, 0) == 0
	  or croak 'could not start the sample API';
	$self->{address} = PostgreSQL::Test::Utils::slurp_file("$self->{dir}/address");
	return $self;
}

sub address { return $_[0]->{address} }
sub url { my ($self, $path) = @_; return "http://$self->{address}$path" }

sub requests
{
	my ($self) = @_;
	return -e "$self->{dir}/requests"
	  ? split /\n/, PostgreSQL::Test::Utils::slurp_file("$self->{dir}/requests")
	  : ();
}

sub write_file
{
	my ($self, $name, $text) = @_;
	my $file = "$self->{dir}/$name";

	open(my $handle, '>', "$file.new") or croak "$file: $!";
	print $handle $text;
	close $handle or croak "$file: $!";
	rename "$file.new", $file or croak "$file: $!";
	return;
}

sub give { my ($self, $newest) = @_; return $self->write_file('newest', $newest) }
sub fault { my ($self, @words) = @_; return $self->write_file('faults', join '', map { "$_\n" } @words) }

sub register
{
	my ($self, $subject, $schema, %more) = @_;
	my $text = ref $schema ? encode_json($schema) : $schema;
	my $answer = HTTP::Tiny->new->post($self->url("/registry/subjects/$subject/versions"),
		{ content => encode_json({ schema => $text, %more }), headers => { 'Content-Type' => 'application/json' } });

	return decode_json($answer->{content})->{id};
}

sub forget_requests { my ($self) = @_; unlink "$self->{dir}/requests"; return }

sub stop
{
	my ($self) = @_;
	system("$ENV{USERSTREAM_SRC}/test/servers/api", 'stop', $self->{dir});
	return;
}

# the sample API has a loopback address, so a superuser must allow that
sub create_api_server
{
	my ($node, $db, $name, $url, $more) = @_;

	$node->safe_psql($db,
		"CREATE SERVER $name FOREIGN DATA WRAPPER userstream_http
			OPTIONS (url '$url', allow_private 'true'" . (defined $more ? ", $more" : '') . ')');
	return;
}

# exit code, and what psql said on stderr
sub run_feed
{
	my ($node, $db, $name, %args) = @_;
	my ($code, $out, $err) = $node->psql($db, "CALL userstream.run_feed('$name')", %args);

	return ($code, $err);
}

# columns of the last attempt of a feed, as psql writes them
sub last_run
{
	my ($node, $db, $name, $columns) = @_;

	return $node->safe_psql($db,
		"SELECT $columns FROM userstream.feed_run WHERE feed = '$name' ORDER BY id DESC LIMIT 1");
}

# The transform leaves a row, which others see from the commit before the first message on.
sub create_gate
{
	my ($node, $db) = @_;

	$node->safe_psql($db, q{
		CREATE TABLE gate_open (); CREATE TABLE gate_passed ();
		CREATE FUNCTION gated(r jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN
			WHILE NOT EXISTS (SELECT FROM public.gate_open) LOOP PERFORM pg_sleep(0.02); END LOOP;
			INSERT INTO public.gate_passed DEFAULT VALUES;
			RETURN r; END $$});
	return;
}

# a run beside the test, the gate shut; call what this gives for what psql said on stderr
sub start_feed
{
	my ($node, $db, $name) = @_;
	my ($in, $out, $err) = ('', '', '');
	my $psql;

	$node->safe_psql($db, 'TRUNCATE gate_open, gate_passed');
	$psql = IPC::Run::start([ 'psql', '-X', '-q', '-d', $node->connstr($db), '-c', "CALL userstream.run_feed('$name')" ],
		'<', \$in, '>', \$out, '2>', \$err, IPC::Run::timeout(300));
	return sub { eval { $psql->finish }; return $err };
}

sub is_at_gate
{
	my ($node, $db) = @_;
	return wait_until($node, $db,
		q{SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'CALL userstream.run_feed(%' AND wait_event = 'PgSleep'}, 1);
}

sub open_gate
{
	my ($node, $db) = @_;

	$node->safe_psql($db, 'INSERT INTO gate_open DEFAULT VALUES');
	return wait_until($node, $db, 'SELECT count(*) > 0 FROM gate_passed');
}

END
{
	my $exit = $?;

	$_->stop foreach @own;
	$? = $exit;
}

1;
