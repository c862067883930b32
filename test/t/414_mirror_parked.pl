#
# test/t/414_mirror_parked.pl
#    mirrors: rows that Cassandra cannot have or refuses, few and very many, and
#    what mends them; a large transaction
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use MirrorTest;

use constant MANY => 101_000;

# changes of a large transaction go to files
my $test = MirrorTest::Tables->new('parked', conf => "logical_decoding_work_mem = '2MB'");
my $node = $test->node;

sub dead_letters
{
	my ($mirror) = @_;
	return $test->sql("SELECT string_agg(concat_ws(' ', left(convert_from(key, 'UTF8'), 20), error, CASE WHEN value IS NULL THEN 'deleted' END),
		E'\\n' ORDER BY id) FROM userstream.dead_letter WHERE mirror = '$mirror'");
}

# Until a query gives true: the most memory of its own that the worker had meanwhile, in kB.
sub peak_until
{
	my ($mirror, $query) = @_;
	my $end = time + 600;
	my $peak = 0;

	while (time < $end)
	{
		my ($pid, $done) = split /\|/, $test->sql("SELECT coalesce((SELECT pid FROM pg_stat_activity
			WHERE application_name = 'userstream: $mirror'), 0), ($query)");
		my ($own) = eval { slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+) kB/m };

		$peak = $own if defined $own && $own > $peak;
		return $peak if $done eq 't';
		select undef, undef, undef, 0.3;
	}
	diag($test->sql('SELECT * FROM userstream.mirror_status'));
	return;
}

# more rows in one transaction than would have room in memory
$test->sql(q{CREATE TABLE wrong (id int PRIMARY KEY, score numeric)});
$test->create('wrong');
ok($test->has_state('caught_up', 'wrong'), 'a mirror of an empty table');
$test->sql('INSERT INTO wrong SELECT i, CASE WHEN i % 1000 = 0 THEN i ELSE $$NaN$$::numeric END FROM generate_series(1, ' . MANY . ') i');
$test->sql('INSERT INTO wrong VALUES (-1, 1)');
my $parked = MANY - int(MANY / 1000);
my $peak = peak_until('wrong', "SELECT parked = $parked AND state = 'caught_up' FROM userstream.mirror_status WHERE mirror = 'wrong'");
ok(defined $peak, "$parked rows of one transaction are parked, and the mirror goes on");
cmp_ok($peak // 1e9, '<', 50_000, 'in little memory');
is($test->sql(q{SELECT count(*), count(DISTINCT key) FROM userstream.dead_letter WHERE mirror = 'wrong'}), "$parked|$parked",
	'each is a dead letter, once');
$test->is_copied('the others are there', '(SELECT * FROM wrong WHERE score <> $$NaN$$) w', columns => 'id, score', copy => 'wrong');
$test->sql('UPDATE wrong SET score = id');
ok(defined peak_until('wrong', "SELECT state = 'caught_up' AND lag_bytes = 0 FROM userstream.mirror_status WHERE mirror = 'wrong'"),
	'all of them are mended in one transaction');
$test->is_copied('and all are there', 'wrong');
$test->sql(q{SELECT userstream.drop_mirror('wrong')});

# who looks while the worker writes must not take its transaction for aborted
$test->sql('CREATE TABLE seen (id int PRIMARY KEY, score numeric)');
$test->create('seen');
ok($test->has_state('caught_up', 'seen'), 'another mirror');
my $lock = $node->background_psql('postgres', on_error_stop => 0);
$lock->query_safe('BEGIN; LOCK TABLE userstream.dead_letter IN SHARE MODE');
$test->sql(q{INSERT INTO seen VALUES (1, 'NaN')});
ok($test->wait_for(q{SELECT count(*) = 1 FROM pg_locks WHERE NOT granted AND relation = 'userstream.dead_letter'::regclass}),
	'the worker waits in the middle of its transaction');
$test->sql('SELECT * FROM userstream.mirror_position');
$lock->quit;
ok($test->wait_for(q{SELECT parked = 1 FROM userstream.mirror_status WHERE mirror = 'seen'}), 'what it wrote is seen once it is committed');
$test->sql(q{SELECT userstream.drop_mirror('seen')});

# what Cassandra refuses: the test's nodes take rows of 4 MiB
$test->sql(q{CREATE TABLE keys (key text PRIMARY KEY, name text)});
$test->create('keys');
$test->sql(q{
	INSERT INTO keys VALUES ('', 'empty');
	INSERT INTO keys VALUES (repeat('k', 70000), 'long');
	INSERT INTO keys VALUES ('5 MB', repeat('v', 5000000));
	INSERT INTO keys VALUES ('17 MB', repeat('v', 17000000));
	INSERT INTO keys VALUES ('after', 'them');
});
ok($test->wait_for(q{SELECT parked = 4 AND state = 'caught_up' FROM userstream.mirror_status WHERE mirror = 'keys'}),
	'keys and rows that Cassandra refuses are parked') or diag($test->sql('SELECT * FROM userstream.mirror_status'));
my $letters = dead_letters('keys');
like($letters, qr/^\{"key": ""\} invalid: .*[Kk]ey may not be empty/m, 'an empty key');
like($letters, qr/^\{"key": "kkk.* invalid: Key length of 70000 is longer than maximum of 65535/m, 'a key of more than 64 kB');
like($letters, qr/^\{"key": "5 MB"\} .*(?:large|maximum)/m, 'a row that is too large for it');
like($letters, qr/^\{"key": "17 MB"\} the row is larger than a message of 16 MiB can be/m, 'and for a message');
$test->sql(q{
	UPDATE keys SET name = 'small' WHERE key LIKE '%MB';
	DELETE FROM keys WHERE key = '' OR length(key) > 60000;
});
$test->is_copied('mended, they are there', 'keys');
ok($test->wait_for(q{SELECT count(*) = 2 FROM userstream.dead_letter WHERE mirror = 'keys' AND value IS NULL}),
	'what cannot be there cannot be deleted there either');

# A long value that a change leaves alone is not in the change, nor in
# Cassandra when the change that brought it was parked.
my $long = q{(SELECT string_agg(md5(i::text || clock_timestamp()), '') FROM generate_series(1, 200) i)};

$test->sql(qq{
	CREATE TABLE mended (id int PRIMARY KEY, score numeric, long text, large text);
	ALTER TABLE mended ALTER long SET STORAGE EXTERNAL;
	INSERT INTO mended SELECT i, i, $long FROM generate_series(1, 20) i;
});
$test->create('mended');
$test->is_copied('rows with long values', 'mended');
$test->sql(qq{
	INSERT INTO mended VALUES (101, 'NaN', $long);
	UPDATE mended SET score = 1 WHERE id = 101;
	BEGIN;
	INSERT INTO mended VALUES (102, 'NaN', $long);
	UPDATE mended SET score = 2 WHERE id = 102;
	COMMIT;
	UPDATE mended SET score = 'NaN', long = $long WHERE id = 3;
	UPDATE mended SET score = 3 WHERE id = 3;
	UPDATE mended SET score = 'NaN', long = $long WHERE id = 4;
	UPDATE mended SET score = 4, id = 104 WHERE id = 4;
});
$test->is_copied('a row that was parked is whole once it is mended', 'mended');
$test->sql(qq{UPDATE mended SET score = 'NaN', long = $long WHERE id IN (5, 6)});
ok($test->wait_for(q{SELECT parked = 6 FROM userstream.mirror_status WHERE mirror = 'mended'}), 'two more are parked');
$test->sql(q{SELECT userstream.pause_mirror('mended')});
ok($test->wait_for(q{SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'userstream: mended'}), 'the worker is away');
$test->sql(q{UPDATE mended SET score = 5 WHERE id = 5; SELECT userstream.resume_mirror('mended'); UPDATE mended SET score = 6 WHERE id = 6});
$test->is_copied('another worker knows of it', 'mended');

# refused by Cassandra itself, when what mends it may be under way already
$test->sql(q{SELECT userstream.pause_mirror('mended')});
$test->sql(qq{
	INSERT INTO mended VALUES (201, 1, $long, repeat('v', 5000000));
	UPDATE mended SET large = 'small' WHERE id = 201;
	BEGIN;
	INSERT INTO mended VALUES (202, 2, $long, repeat('v', 5000000));
	UPDATE mended SET large = 'small' WHERE id = 202;
	COMMIT;
	UPDATE mended SET long = $long, large = repeat('v', 5000000) WHERE id = 7;
	UPDATE mended SET large = NULL WHERE id = 7;
	SELECT userstream.resume_mirror('mended');
});
ok($test->wait_for(q{SELECT parked = 9 FROM userstream.mirror_status WHERE mirror = 'mended'}), 'rows are refused');
$test->is_copied('and whole once they are mended', 'mended');

done_testing();
