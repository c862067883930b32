#
# test/t/MirrorTest.pm
#    whether a table in Cassandra is the table of PostgreSQL: every column of
#    every row, read by a driver that is not ours (test/servers/cassandra_rows)
#
#    my $mirror = MirrorTest->new($node, $cassandra, 'users', 'created_users', $keyspace);
#    $mirror->create_server;
#    $mirror->create;
#    $mirror->is_copied('all rows');
#
# The mirror's table in Cassandra has the name of its own and the columns' names.
#
# And for many mirrors of tables of int and text, where it is their changes
# that matter, by our own reader, which takes less time:
#
#    my $test = MirrorTest::Tables->new('x');  # a node with server "cassandra" in database "postgres"
#    $test->sql('CREATE TABLE t (id int PRIMARY KEY, name text)');
#    $test->create('t');                     # mirror "t" of table t, to t in a keyspace of its own
#    $test->is_copied('the rows are there', 't');
#
# alter_server($node, "SET hosts '...'") changes server "cassandra", and returns when the
# worker that knew the old options has been replaced.
#
package MirrorTest;

use strict;
use warnings;

use Carp;
use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);
use UserstreamTest qw(wait_until);

our @EXPORT = qw(alter_server);

# A value's form by its type in Cassandra, the same as cassandra_rows gives;
# %s is the column.  Types that are not here are as their output function has them.
my %forms = (
	float => q{encode(float4send(%s), 'hex')},
	double => q{encode(float8send(%s), 'hex')},
	blob => q{encode(%s, 'hex')},
	date => q{%s - date '1970-01-01'},
	time => q{(extract(epoch FROM %s) * 1000000)::bigint * 1000},
	timestamp => q{floor(extract(epoch FROM %s AT TIME ZONE 'UTC') * 1000)},
	duration => q{extract(year FROM %1$s) * 12 + extract(month FROM %1$s) || ' ' || extract(day FROM %1$s) || ' '
		|| ((extract(hour FROM %1$s) * 60 + extract(minute FROM %1$s)) * 60000000
			+ extract(microsecond FROM %1$s))::bigint * 1000},
	inet => 'host(%s)',
);

sub new
{
	my ($class, $node, $cassandra, $name, $table, $keyspace) = @_;
	return bless {
		node => $node, cassandra => $cassandra, name => $name, table => $table, keyspace => $keyspace,
		copy => "$keyspace.$name",
	}, $class;
}

# the foreign server "cassandra"
sub create_server
{
	my ($self) = @_;
	my $address = $self->{cassandra}->address;

	$self->{node}->safe_psql('postgres',
		"CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra OPTIONS (hosts '$address')");
	return;
}

# arguments of create_mirror are SQL
sub create
{
	my ($self, %args) = @_;
	my $more = join '', map { ", $_ => $args{$_}" } sort keys %args;

	$self->{node}->safe_psql('postgres',
		"SELECT userstream.create_mirror('$self->{name}', '$self->{table}', 'cassandra', '$self->{keyspace}',
			'$self->{name}'$more)");
	return;
}

sub alter_server
{
	my ($node, $options) = @_;
	my $workers = q{FROM pg_stat_activity WHERE backend_type = 'userstream mirror'};
	my $pid = $node->safe_psql('postgres', "SELECT coalesce(max(pid), 0) $workers");

	$node->safe_psql('postgres', "ALTER SERVER cassandra OPTIONS ($options)");
	return wait_until($node, 'postgres', "SELECT count(*) = 1 $workers AND pid <> $pid");
}

# the form of a column of PostgreSQL whose type in Cassandra is this
sub form
{
	my ($column, $type) = @_;

	$type = $1 if $type =~ /^frozen<(.*)>$/;
	return sprintf $forms{$type}, $column if $forms{$type};
	if ($type =~ /^(list|set)<(.*)>$/)
	{
		my $form = "encode(convert_to((" . form('e', $2) . ")::text, 'UTF8'), 'hex')";
		my $order = $1 eq 'set' ? "$form COLLATE \"C\"" : 'n';

		return "(SELECT '[' || coalesce(string_agg($form, ',' ORDER BY $order), '') || ']'
			FROM unnest($column) WITH ORDINALITY t (e, n) WHERE $column IS NOT NULL
			HAVING $column IS NOT NULL)";
	}
	return "CASE WHEN $column IS NOT NULL THEN format('%s', $column) END";
}

# names and types in Cassandra, by name
sub columns
{
	my ($self) = @_;
	my ($out, $errors, $code) = $self->{cassandra}->cql(
		"SELECT column_name, type FROM system_schema.columns
		 WHERE keyspace_name = '$self->{keyspace}' AND table_name = '$self->{name}'");

	croak "columns of $self->{copy}: $errors" if $code;
	return map { [ split /\t/ ] } split /\n/, $out;
}

# Writes both sides, sorted, into files; returns their names.
sub write_both
{
	my ($self) = @_;
	my $base = "${PostgreSQL::Test::Utils::tmp_check}/mirror_$self->{name}.$$";
	my @columns = $self->columns;
	my $ours = join ', ', map { form($_->[0], $_->[1]) } @columns;
	my $theirs = join ', ', map { $_->[0] } @columns;

	system('bash', '-c', q{set -o pipefail; psql -X -q -d "$1" -c "SET TimeZone = 'UTC'" \
		-c "COPY ($2) TO STDOUT" | LC_ALL=C sort >"$3"},
		'bash', $self->{node}->connstr('postgres'), "SELECT $ours FROM $self->{table}", "$base.ours") == 0
	  or croak "could not read $self->{table}";
	system('bash', '-c', q{set -o pipefail; "$USERSTREAM_SRC/test/servers/cassandra_rows" "$1" "$2" | LC_ALL=C sort >"$3"},
		'bash', $self->{cassandra}->address, "SELECT $theirs FROM $self->{copy}", "$base.theirs") == 0
	  or croak "could not read $self->{copy}";
	return ("$base.ours", "$base.theirs");
}

sub is_caught_up
{
	my ($self) = @_;
	return wait_until($self->{node}, 'postgres',
		"SELECT state = 'caught_up' AND lag_bytes = 0 FROM userstream.mirror_status WHERE mirror = '$self->{name}'",
		't', 600);
}

# Both tables are the same, and have so many rows.  The state is told four
# times a second, so one that is told may be the one before the last change:
# what differs is looked at again.
sub is_copied
{
	my ($self, $what, $rows) = @_;
	my $end = time + ($ENV{PG_TEST_TIMEOUT_DEFAULT} || 120);
	my ($ours, $theirs);

	do
	{
		$self->is_caught_up or return fail("$what: caught up");
		($ours, $theirs) = $self->write_both;
		if (system('cmp', '-s', $ours, $theirs) == 0)
		{
			chomp(my $count = `wc -l <$ours`);
			return defined $rows ? is($count, $rows, "$what: $count rows, every column the same")
			  : pass("$what: $count rows, every column the same");
		}
		sleep 0.5;
	} while (time < $end);
	fail("$what: the copy differs");
	diag(`diff $ours $theirs | cut -c 1-400 | head -n 8`);
	diag($self->{node}->safe_psql('postgres', 'SELECT * FROM userstream.mirror_status'));
	return 0;
}

# rows of a query of Cassandra, in the forms above
sub select
{
	my ($self, $query) = @_;
	my ($out, $errors) = run_command(
		[ "$ENV{USERSTREAM_SRC}/test/servers/cassandra_rows", $self->{cassandra}->address, $query ]);

	diag($errors) if $errors ne '';
	return $out;
}

# cells of the copy that are tombstones, as Cassandra's trace counts them; and live rows
sub tombstones
{
	my ($self) = @_;
	my ($out, $errors) = run_command([ "$ENV{USERSTREAM_SRC}/test/servers/cassandra_rows", '-t',
		$self->{cassandra}->address, "SELECT * FROM $self->{copy}" ]);

	diag($errors) if $errors ne '';
	my ($live, $dead) = split / /, $out;
	return ($dead, $live);
}

# The worker's process, or nothing while there is none.
sub worker
{
	my ($self) = @_;
	return $self->{node}->safe_psql('postgres', "SELECT pid FROM pg_stat_activity
		WHERE backend_type = 'userstream mirror' AND application_name = 'userstream: $self->{name}'");
}

# kill -9, which restarts the server; true once another worker is there
sub kill_worker
{
	my ($self) = @_;
	my $pid;

	# one that is there may be gone when it is asked for
	for (1 .. 5)
	{
		wait_until($self->{node}, 'postgres', "SELECT count(*) > 0 FROM pg_stat_activity
			WHERE backend_type = 'userstream mirror' AND application_name = 'userstream: $self->{name}'") or return 0;
		last if $pid = $self->worker;
	}
	return 0 unless $pid && kill 'KILL', $pid;
	return wait_until($self->{node}, 'postgres', "SELECT count(*) = 1 FROM pg_stat_activity
		WHERE backend_type = 'userstream mirror' AND application_name = 'userstream: $self->{name}' AND pid <> $pid");
}

package MirrorTest::Tables;

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
		node => userstream_node($name, conf => "userstream.restart_interval = '100ms'\n" . ($args{conf} // '')),
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
