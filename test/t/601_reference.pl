#
# test/t/601_reference.pl
#    is sql/README.md what the server says of itself, and does the guide know every option?
#
# make reference writes the file anew: it runs this test with USERSTREAM_REFERENCE,
# a folder for it.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

chdir $ENV{USERSTREAM_SRC} or die "$ENV{USERSTREAM_SRC}: $!\n";

my $node = userstream_node('main');

# What is not described cannot be in a reference.  From PostgreSQL 17 on the types of rows and
# of arrays, which come by themselves, are members of an extension too.
is( $node->safe_psql('postgres', q{
		SELECT string_agg(pg_describe_object(classid, objid, objsubid), ', ')
		  FROM (SELECT classid, objid, 0 AS objsubid FROM pg_depend
				 WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
				   AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'userstream')
				UNION ALL
				SELECT 'pg_class'::regclass, attrelid, attnum FROM pg_attribute a JOIN pg_class c ON c.oid = attrelid
				 WHERE relnamespace = 'userstream'::regnamespace AND relkind IN ('r', 'v', 'c')
				   AND attnum > 0 AND NOT attisdropped) objects
		 WHERE NOT (classid = 'pg_type'::regclass AND objid IN (SELECT reltype FROM pg_class WHERE relkind <> 'c'
																UNION ALL SELECT typarray FROM pg_type))
		   AND coalesce(CASE WHEN objsubid = 0 THEN obj_description(objid, classid::regclass::name)
						ELSE col_description(objid, objsubid) END, '') = ''}),
	'', 'every object and column has a comment');

my ($made, $errors) = run_command([ 'test/reference', $node->connstr('postgres') ]);
is($errors, '', 'the reference can be made');
$made .= "\n";

if (my $folder = $ENV{USERSTREAM_REFERENCE})
{
	append_to_file("$folder/README.md", $made);
	pass('written');
}
else
{
	ok($made eq slurp_file('sql/README.md'), 'sql/README.md is in step: else make reference')
	  or system('diff', '-u', 'sql/README.md', write_made());
}

sub write_made
{
	my $file = "${PostgreSQL::Test::Utils::tmp_check}/reference.md";

	append_to_file($file, $made);
	return $file;
}

# every option has a line in a table of the guide
my $guide = slurp_file('sql/guide.md');
my %known = map { $_ => 1 } map { /`([^`]+)`/g } $guide =~ /^\| ([^|]+) \|/mg;
my ($streams) = $made =~ /^### create_stream$(.*?)^### /ms;
my @options = ($streams =~ /^\| `(\w+)` \|/mg, map { /`(\w+)`/g } $made =~ /^Options: (.*);/mg);

cmp_ok(scalar @options, '>', 20, 'there are options');
is(join(', ', grep { !$known{$_} && $guide !~ /`\Q$_\E`: / } @options), '', 'the guide has all of them');

# every kind of incident stands in its column's comment, and in the operators' guide
my $sources = join '', map { slurp_file($_) } glob('worker/*.[ch]');
my %kinds = map { $_ => 1 } $sources =~ /(?:\bkind = |KIND\s+|\bset_trouble\(look, )"([a-z_]+)"/g,
  $sources =~ /\b(?:us_stream_stop|us_mirror_give_up|us_mirror_incident_open|us_incident_note|take_problem)\([^;"]*"([a-z_]+)"/g,
  map { /return "([a-z_]+)"/g } $sources =~ /^stop_kind\((.*?)^\}/ms;
my ($comment) = $made =~ /^### incident\n.*?^\| `kind` \| `text` \| ([^|]*) \|$/ms;
my %told = map { $_ => 1 } $comment =~ /\b([a-z]+_[a-z_]+|definition|privilege)\b/g;

is(join(',', sort keys %told), join(',', sort keys %kinds), 'the comment of incident.kind has every kind');
my $operating = slurp_file('sql/operating.md');
is(join(', ', grep { $operating !~ /`\Q$_\E`/ } sort keys %kinds), '', 'and sql/operating.md');

done_testing();
