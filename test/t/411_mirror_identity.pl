#
# test/t/411_mirror_identity.pl
#    mirrors: what a change tells of its row: replica identities, keys that change, long values
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use MirrorTest;

my $test = MirrorTest::Tables->new('identity');

# long values are stored out of line, and a change that leaves them alone does not repeat them
my $long = q{(SELECT string_agg(md5(i::text || seed), '') FROM generate_series(1, 3200) i)};

foreach my $identity ('DEFAULT', 'FULL')
{
	my $t = lc "t_$identity";

	$test->sql(qq{
		CREATE TABLE $t (id int PRIMARY KEY, name text, long text, other text);
		ALTER TABLE $t ALTER long SET STORAGE EXTERNAL, ALTER other SET STORAGE EXTERNAL;
		ALTER TABLE $t REPLICA IDENTITY $identity;
		INSERT INTO $t SELECT seed, 'name', $long, $long FROM generate_series(1, 20) seed;
	});
	$test->create($t);
	$test->is_copied("identity $identity: the rows are there", $t);
	$test->sql(qq{
		UPDATE $t SET id = id + 1000 WHERE id = 1;
		UPDATE $t SET id = id + 1000, other = NULL WHERE id = 2;
		UPDATE $t SET id = id + 1000, name = NULL, other = 'short' WHERE id = 3;
		BEGIN;
		UPDATE $t SET id = id + 1000 WHERE id = 4;
		UPDATE $t SET id = id + 1000 WHERE id = 1004;
		UPDATE $t SET name = 'moved twice' WHERE id = 2004;
		UPDATE $t SET id = id + 1000 WHERE id = 5;
		DELETE FROM $t WHERE id = 1005;
		COMMIT;
		UPDATE $t SET id = id + 1000 WHERE id = 6;
		UPDATE $t SET id = id + 1000 WHERE id = 1006;
		UPDATE $t SET id = id + 1000 WHERE id = 7;
		UPDATE $t SET long = 'newer' WHERE id = 1007;
		UPDATE $t SET id = id + 1000 WHERE id = 8;
		DELETE FROM $t WHERE id = 1008;
		INSERT INTO $t (id, name) VALUES (8, 'where one was before');
		UPDATE $t SET name = 'only this' WHERE id = 9;
	});
	$test->is_copied("identity $identity: a key that changes takes long values with it", $t);

	# while the mirror is away the rows go on: it reads them as they are later
	$test->sql(qq{
		SELECT userstream.pause_mirror('$t');
		UPDATE $t SET id = id + 1000 WHERE id = 10;
		UPDATE $t SET id = id + 1000 WHERE id = 11;
		UPDATE $t SET id = id + 1000 WHERE id = 12;
		UPDATE $t SET long = NULL, name = 'later' WHERE id = 1010;
		DELETE FROM $t WHERE id = 1011;
		INSERT INTO $t (id, other) VALUES (1011, 'another row by that key');
		UPDATE $t SET id = id + 1000 WHERE id = 1012;
		SELECT userstream.resume_mirror('$t');
	});
	$test->is_copied("identity $identity: and as they are after a pause", $t);
}

# more rows than are read one by one
$test->sql(qq{
	CREATE TABLE many (id int, part text, long text, PRIMARY KEY (part, id));
	ALTER TABLE many ALTER long SET STORAGE EXTERNAL;
	INSERT INTO many SELECT seed, 'a''"', (SELECT string_agg(md5(i::text || seed), '') FROM generate_series(1, 80) i)
		FROM generate_series(1, 3000) seed;
});
$test->create('many');
$test->is_copied('a key of two columns', 'many');
$test->sql(q{UPDATE many SET part = 'b' WHERE id <= 20});
$test->is_copied('a part of the key changes', 'many');
$test->sql(q{UPDATE many SET part = 'c'});
$test->is_copied('thousands of keys change in one transaction', 'many');

# identities that do not tell the key
$test->sql(q{
	CREATE TABLE other (id int PRIMARY KEY, code int NOT NULL UNIQUE, name text);
	INSERT INTO other VALUES (1, 10, 'one');
	ALTER TABLE other REPLICA IDENTITY NOTHING;
});
like($test->refusal(q{SELECT userstream.create_mirror('other', 'other', 'cassandra', 'ks', 'other')}),
	qr/42809: cannot mirror "other".*replica identity.*ALTER TABLE public\.other REPLICA IDENTITY DEFAULT/s,
	'replica identity NOTHING is refused');
$test->sql(q{ALTER TABLE other REPLICA IDENTITY USING INDEX other_code_key});
like($test->refusal(q{SELECT userstream.create_mirror('other', 'other', 'cassandra', 'ks', 'other')}),
	qr/42809: cannot mirror "other"/, 'so is another index than the primary key\'s');
$test->sql(q{ALTER TABLE other REPLICA IDENTITY USING INDEX other_pkey});
$test->create('other');
$test->is_copied('the primary key named as replica identity is taken', 'other');
$test->sql(q{UPDATE other SET id = 2, name = 'two'; INSERT INTO other VALUES (3, 30, 'three'); DELETE FROM other WHERE id = 3});
$test->is_copied('and works', 'other');

# it changes under the mirror: changes without a key would be lost without a word
$test->sql(q{
	ALTER TABLE other RENAME TO otherwise;
	ALTER TABLE otherwise REPLICA IDENTITY USING INDEX other_code_key;
	UPDATE otherwise SET id = 20, name = 'twenty';
});
ok($test->has_state('stopped', 'other', 'replica identity.*ALTER TABLE public.otherwise REPLICA IDENTITY DEFAULT'),
	'an identity that does not tell the key stops the mirror, with the hint, by the name of now');
$test->sql(q{ALTER TABLE otherwise RENAME TO other; ALTER TABLE other REPLICA IDENTITY DEFAULT; SELECT userstream.resync_mirror('other')});
$test->is_copied('put right and copied anew, it goes on', 'other');

done_testing();
