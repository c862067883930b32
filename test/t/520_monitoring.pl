#
# test/t/520_monitoring.pl
#    /metrics as its readers read it; alert rules and Grafana's dashboard name what is there
#
# Prometheus' promtool judges too, where make prometheus has fetched it.
#
use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use DashboardTest;
use FeedTest;
use UserstreamTest;

my $kafka = shared_kafka();
my $api = FeedTest->api('monitoring');
my $node = userstream_node('main');
my $topic = $kafka->new_topic('monitoring', 2);
my $monitoring = "$ENV{USERSTREAM_SRC}/dashboard/monitoring";
my $tools = "$ENV{USERSTREAM_STATE}/prometheus";

# one of each, so that each metric has a sample
create_server($node, 'postgres', $kafka);
create_api_server($node, 'postgres', 'api', $api->url('/api/?results=5'));
$kafka->produce($topic, [ '{"id": 1}', '{"id": "x"}' ], partition => 0);
$node->safe_psql('postgres', qq{
	CREATE TABLE t (id integer PRIMARY KEY);
	CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra OPTIONS (hosts '127.0.0.1:1');
	SELECT userstream.create_stream('users', server => 'kafka', topic => '$topic', target => 't');
	SELECT userstream.create_stream('a"b\\c', server => 'kafka', topic => '$topic', target => 't', on_error => 'stop');
	SELECT userstream.create_feed('feed', 'api', 'kafka', '$topic', '\$.results[*]');
	SELECT userstream.create_mirror('mirror', 't', 'cassandra', 'k', 't')});
run_feed($node, 'postgres', 'feed');
ok(wait_until($node, 'postgres', q{SELECT count(*) > 0 FROM userstream.dead_letter WHERE stream = 'users'}, 't'), 'a dead letter came');
ok(wait_until($node, 'postgres', q{SELECT count(*) > 0 FROM userstream.incident WHERE closed_at IS NULL AND stream = 'a"b\c'}, 't'), 'and an incident');
ok(wait_until($node, 'postgres', q{SELECT lag_messages FROM userstream.stream_status WHERE stream = 'users'}, 0), 'all is read');
$node->command_ok([ 'psql', '-XAtq', '-d', $node->connstr('postgres'), '-f', "$ENV{USERSTREAM_SRC}/dashboard/role.sql" ], 'the role is made');
my $dashboard = DashboardTest->new($node, 'postgres');
my %form = (
	text => $dashboard->cgi(PATH_INFO => '/metrics')->{body},
	openmetrics => $dashboard->cgi(PATH_INFO => '/metrics', HTTP_ACCEPT => 'application/openmetrics-text;version=1.0.0')->{body},
);

# Reads either form strictly: what is wrong, the families, and the samples by name.
sub parse
{
	my ($text) = @_;
	my (@wrong, %type, %samples, %seen, $family);

	foreach (split /\n/, $text)
	{
		if (/^# (HELP|TYPE|UNIT) ([a-z_:][a-z0-9_:]*) (\S.*)$/)
		{
			my ($what, $name, $value) = ($1, $2, $3);

			push @wrong, "$_: not together" if exists $type{$name} && $name ne $family;
			push @wrong, "$_: the unit is not in the name" if $what eq 'UNIT' && $name !~ /_\Q$value\E$/;
			push @wrong, "$_: twice" if $seen{"$what $name"}++;
			$family = $name;
			$type{$family} = $value if $what eq 'TYPE';
		}
		elsif (/^([a-z_:][a-z0-9_:]*)(\{(?:[a-z_]+="(?:[^"\\]|\\["\\n])*"(?:,(?=[a-z])|(?=\})))+\})? (-?[0-9.]+(?:e[+-]?[0-9]+)?)$/)
		{
			my ($name, $labels, $value) = ($1, $2 // '', $3);

			push @wrong, "$_: of no family" if $name !~ /^\Q$family\E(?:_total|_info|_created)?$/;
			push @wrong, "$_: twice" if $seen{"$name$labels"}++;
			$samples{$name}{$labels} = $value;
		}
		elsif ($_ ne '# EOF')
		{
			push @wrong, $_;
		}
	}
	return (join("\n", @wrong), \%type, \%samples);
}

my ($wrong, $type, $samples) = parse($form{text});
is($wrong, '', 'the text form is right');
# what nobody knows while no node of Cassandra answers
is(join(' ', grep { !$samples->{$_} && !/^userstream_mirror_lag_/ } sort keys %$type), '', 'each of its families has a sample');
my ($wrong_open, $type_open, $samples_open) = parse($form{openmetrics});
is($wrong_open, '', 'so is OpenMetrics');
my @created = grep { /_created$/ } sort keys %$samples_open;
is("@created", join(' ', map { s/_total$/_created/r } grep { /_total$/ } sort keys %$samples), 'which says since when each counter counts');
is_deeply([ grep { !/_created$/ } sort keys %$samples_open ], [ sort keys %$samples ], 'both have the same samples else');
my ($since) = values %{ $samples_open->{userstream_rows_written_created} };
is($node->safe_psql('postgres', "SELECT bool_or(abs(extract(epoch FROM created_at) - $since) < 0.001) FROM userstream.stream_definition"),
	't', 'since its stream is there');
like($form{openmetrics}, qr/\n# EOF\n\z/, 'OpenMetrics has its end');
is((parse("# TYPE a gauge\na{b=\"c\" 1"))[0], 'a{b="c" 1', 'the control: what is wrong is told');
ok((grep { /stream="a\\"b\\\\c"/ } keys %{ $samples->{userstream_ledger_balanced} }), 'an odd name is whole in its label');

# what rules and dashboards name is there, by the names and labels that it has
sub unknown_names
{
	my ($text) = @_;
	my %unknown;

	foreach my $name ($text =~ /\b(userstream_[a-z0-9_]+)\b(?!=)/g)
	{
		next if $name eq 'userstream_stream_state';
		$unknown{$name} = 1 unless $samples->{$name} || $type->{$name};
	}
	while ($text =~ /\b(userstream_[a-z0-9_]+)\{([a-z_]+)=/g)
	{
		my ($name, $label) = ($1, $2);

		$unknown{"$name\{$label}"} = 1 unless !$samples->{$name} && $type->{$name} || grep { /[{,]\Q$label\E="/ } keys %{ $samples->{$name} || {} };
	}
	return join ' ', sort keys %unknown;
}

sub expressions
{
	my ($value) = @_;

	return map { expressions($_) } @$value if ref $value eq 'ARRAY';
	return map { ($_ =~ /^(?:expr|query|definition)$/ && !ref $value->{$_}) ? $value->{$_} : expressions($value->{$_}) } sort keys %$value
	  if ref $value eq 'HASH';
	return;
}

my $rules = slurp_file("$monitoring/alerts.yml");
my $grafana = JSON::PP->new->utf8->decode(slurp_file("$monitoring/grafana.json"));
my @queries = grep { /userstream_/ } expressions($grafana);
my %ids = map { $_->{id} => 1 } @{ $grafana->{panels} };

is(unknown_names('x userstream_nothing + userstream_up{nothing="1"}'), 'userstream_nothing userstream_up{nothing}', 'the control: a name that is not there');
is(unknown_names($rules), '', 'the alert rules name metrics and labels that are there');
cmp_ok(scalar(@queries), '>=', scalar(@{ $grafana->{panels} }), 'each panel of Grafana asks something');
is(unknown_names(join "\n", @queries), '', 'that is there');
is(scalar(keys %ids), scalar(@{ $grafana->{panels} }), 'its panels have numbers of their own');
is(join(' ', map { $_->{title} } grep { !$_->{fieldConfig}{defaults}{unit} } @{ $grafana->{panels} }), '', 'and units');
is(join(' ', sort map { /alert: (\w+)/ } split /\n/, $rules),
	join(' ', sort { $a cmp $b } do { my %named = map { $_ => 1 } slurp_file("$monitoring/alerts_test.yml") =~ /alertname: (\w+)/g; keys %named }),
	'each rule has a test');

my $folder = "${PostgreSQL::Test::Utils::tmp_check}/metrics.$$";
mkdir $folder or die "$folder: $!";
append_to_file("$folder/$_", $form{$_}) foreach keys %form;

is(system('/usr/bin/python3', '-c', q{
import sys
from prometheus_client.parser import text_string_to_metric_families as text
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
def read(parse, name):
    return {(s.name, tuple(sorted(s.labels.items()))) for f in parse(open(sys.argv[1] + '/' + name, newline='').read()) for s in f.samples
            if not s.name.endswith('_created')}
a, b = read(text, 'text'), read(openmetrics, 'openmetrics')
assert len(a) > 40 and a == b, a ^ b
}, $folder), 0, 'the parsers of Prometheus\' own library read both forms, and the same samples');

SKIP:
{
	skip 'make prometheus has not fetched promtool', 3 unless -e "$tools/stamp";

	is(system("$tools/promtool check metrics < $folder/text > $folder/out 2>&1"), 0, 'promtool has nothing to say about the metrics')
	  or diag(slurp_file("$folder/out"));
	is(system("cd $monitoring && $tools/promtool check rules alerts.yml > $folder/out 2>&1"), 0, 'nor about the rules')
	  or diag(slurp_file("$folder/out"));
	is(system("cd $monitoring && $tools/promtool test rules alerts_test.yml > $folder/out 2>&1"), 0, 'the rules fire when they should')
	  or diag(slurp_file("$folder/out"));
}
$node->stop;
done_testing();
