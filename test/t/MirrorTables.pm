#
# test/t/MirrorTables.pm
#    a node and the shared Cassandra, tables here and there, and whether they are the same
#
#    my $test = MirrorTables->new('x');        # with server "cassandra" in database "postgres"
#    $test->sql('CREATE TABLE t (id int PRIMARY KEY, name text)');
#    $test->create('t');                     # mirror "t" of table t, to t in a keyspace of its own
#    $test->is_copied('the rows are there', 't');
#
package MirrorTables;

use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

use CassandraTest;
use UserstreamTest qw(userstream_node wait_until);

sub new
{
	my ($class, $name, %args) = @_;
	my $cassandra = shared_cassandra();
	my $self = bless {
		cassandra => $cassandra,
		keyspace => $cassandra->keyspace($name),
		node => userstream_node($name, %args),
	}, $class;

	$self->create_server('postgres');
	return $self;
}

sub create_server
{
	my ($self, $db) = @_;
	my $address = $self->{cassandra}->address;

	return $self->{node}->safe_psql($db, "CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra
		OPTIONS (hosts '$address', consistency 'LOCAL_ONE')");
}

sub node { return $_[0]->{node}; }
sub keyspace { return $_[0]->{keyspace}; }
sub sql { my ($self, $sql) = @_; return $self->{node}->safe_psql('postgres', $sql); }

# what a statement is refused with: SQLSTATE, message, detail, hint
sub refusal
{
	my ($self, $sql, $db) = @_;
	my ($code, $out, $err) = $self->{node}->psql($db || 'postgres', "\\set VERBOSITY verbose\n$sql");

	return $err;
}

# the table's name is the mirror's and that in Cassandra; more arguments of create_mirror follow
sub create
{
	my ($self, $table, $more, $db) = @_;
	my $arguments = defined $more ? ", $more" : '';

	return $self->{node}->safe_psql($db || 'postgres', "SELECT userstream.create_mirror('$table', '$table',
		'cassandra', '$self->{keyspace}', '$table'$arguments)");
}

# rows of a statement in Cassandra, where KS is the keyspace
sub cql
{
	my ($self, $text) = @_;
	my ($rows) = $self->{cassandra}->cql($text =~ s/\bKS\b/$self->{keyspace}/r);

	return $rows;
}

# until a query in PostgreSQL gives true
sub wait_for { my ($self, $query, $db) = @_; return wait_until($self->{node}, $db || 'postgres', $query); }

sub has_state
{
	my ($self, $state, $mirror, $error, $db) = @_;
	my $ok = $self->wait_for("SELECT state = '$state'" . (defined $error ? " AND last_error ~ '$error'" : '')
		. " FROM userstream.mirror_status WHERE mirror = '$mirror'", $db);

	diag($self->{node}->safe_psql($db || 'postgres', 'SELECT * FROM userstream.mirror_status')) unless $ok;
	return $ok;
}

# Each row of a table as the reader of Cassandra writes it: columns of int and
# text only.  Generated ones are not mirrored.
sub rows_here
{
	my ($self, $table, $columns, $db) = @_;

	return $self->{node}->safe_psql($db || 'postgres',
		"SELECT concat_ws(E'\\t', " . join(', ', map { "coalesce($_\::text, '\\N')" } split /, /, $columns) . ") FROM $table");
}

# Waits until a table and its copy have the same rows.
#    columns => 'a, b'   only these
#    copy => 'name'      in Cassandra, where the names differ
sub is_copied
{
	my ($self, $what, $table, %args) = @_;
	my $db = $args{db};
	my $columns = $args{columns} || $self->{node}->safe_psql($db || 'postgres',
		"SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
		 WHERE attrelid = '$table'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''");
	my $copy = $args{copy} || $table;
	my $end = time + ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);
	my ($ours, $theirs);

	do
	{
		$ours = join "\n", sort split /\n/, $self->rows_here($table, $columns, $db);
		$theirs = join "\n", sort split /\n/, $self->cql("SELECT $columns FROM KS.$copy");
		return pass($what) if $ours eq $theirs;
		sleep(0.3);
	} while (time < $end);
	diag(substr(join("\n---\n", map { substr($_, 0, 600) } $ours, $theirs), 0, 1300));
	diag($self->{node}->safe_psql($db || 'postgres', 'SELECT * FROM userstream.mirror_status'));
	return fail($what);
}

1;
