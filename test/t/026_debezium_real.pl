#
# test/t/026_debezium_real.pl
#    format debezium: what the connector itself wrote, kept byte by byte, makes
#    a table that is the source table
#
# test/t/debezium has the source and the messages of Debezium 3.6.1, in five
# settings of the connector; test/servers/debezium says how they came about.
# What Debezium loses on its way is listed, with what arrives instead.
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use MappingTest;
use UserstreamTest;

my $kafka = shared_kafka();
my $node = userstream_node('main', conf => "userstream.restart_interval = '300ms'\ntimezone = 'Asia/Tokyo'");
my $mapping = MappingTest->new($node, $kafka, 'postgres');
my $folder = "$ENV{USERSTREAM_SRC}/test/t/debezium";

# key and value of each message
sub messages
{
	my ($name) = @_;
	my @lines = split /\n/, slurp_file("$folder/$name.messages");

	return [ map { my ($key, $value) = split /\t/; { key => $key, value => $value eq '\\N' ? undef : $value } } @lines ];
}

# the rows' columns that differ from the source's: "id column: is", of rows and columns that are there
sub differences
{
	my ($name, $left_out) = @_;
	return [ $mapping->rows(qq{SELECT format('%s %s: %s', s.id, c.key, coalesce(r.row ->> c.key, 'NULL'))
		FROM source s JOIN (SELECT id, to_jsonb($name) AS row FROM $name) r USING (id)
		CROSS JOIN LATERAL jsonb_each_text(to_jsonb(s)) c (key, value)
		WHERE r.row ->> c.key IS DISTINCT FROM c.value AND c.key <> ALL (string_to_array('$left_out', ' '))
		ORDER BY s.id, c.key}) ];
}

$mapping->query(slurp_file("$folder/source.sql"));

# of a timetz Debezium sends the instant; a text that it did not get goes when its row's key changes
my @always = ('21 big: NULL', '21 ttz: 19:32:03.456+00');
# of a varbit the longest length, not its own
my @bits = ('21 bv: 0001010101', '21 bvf: 000000110011001100110011');
my @far = map { $_ => '22009 d' } 2 .. 4, 21 .. 24;
my %settings = (
	# intervals become microseconds; a date before Christ in a first copy is one after; 294276 overflows
	schemas_precise => { letters => { 4 => '22008 ts', 23 => '22008 ts' },
		lost => [ '3 iv: -24:00:00.000001', '4 iv: -2562047788:00:54.775808', '6 d: 4713-01-01', '6 iv: 730:30:00', @bits, '21 iv: 10303:05:06.789',
			'23 iv: -24:00:00.000001', '24 iv: -2562047788:00:54.775808', '26 iv: 730:30:00' ] },
	# doubles, milliseconds, and no 24:00
	schemas_double => { letters => { 3 => '22003 num', 22 => '22003 num' },
		lost => [ '3 free: -0.000000000000000000010', '5 tm: 00:00:00', '6 d: 4713-01-01', @bits, '21 free: 123456789012345680000000000000', '21 tm: 23:59:59.999',
			'21 ts: 2024-02-29T12:34:56.789', '21 tsa: ["2024-02-29T12:34:56.789"]', '23 free: -0.000000000000000000010', '25 tm: 00:00:00' ] },
	schemas_iso => { letters => {}, lost => [ '3 tm: 00:00:00', '6 d: 4713-01-01', @bits, '23 tm: 00:00:00' ] },
	# what only a schema describes is left out; years that are none of four digits need one too
	bare_string => { out => 'bi bv bvf bya', letters => { @far, 5 => '22009 ts' }, lost => [] },
	bare_adaptive => { out => 'bi bv bvf bya num zero cash na d tm tm3 ts ts3 iv da tsa tia', letters => { map { $_ => '22009 tsz' } 4, 5, 23, 24 }, lost => [] });

foreach my $name (sort keys %settings)
{
	my $setting = $settings{$name};
	my $out = $setting->{out} // '';
	my $columns = '{' . join(', ', map { qq("$_": null) } split / /, $out) . '}';
	my @lost = sort { ($a =~ /(\d+)/)[0] <=> ($b =~ /(\d+)/)[0] || $a cmp $b } @always, @{ $setting->{lost} };

	$mapping->query("CREATE TABLE $name (LIKE source INCLUDING ALL)");
	$mapping->stream($name, $columns, messages($name), format => 'debezium', mode => 'upsert');
	is_deeply($mapping->letters($name), $setting->{letters}, "$name: dead letters")
	  or diag($mapping->query("SELECT string_agg(concat_ws(' ', kafka_offset, sqlstate, column_name, left(error, 100)), E'\n' ORDER BY kafka_offset)
		FROM userstream.dead_letter WHERE stream = '$name'"));
	is_deeply(differences($name, $out), \@lost, "$name: every column of every row is the source's, but for what Debezium lost")
	  or diag(join "\n", @{ differences($name, $out) });
	is($mapping->query("SELECT count(*) FROM $name") + keys %{ $setting->{letters} }, $mapping->query('SELECT count(*) FROM source'), "$name: as many rows");
}

done_testing();
