#
# test/t/412_mirror_tables.pl
#    mirrors: partitions, ALTER TABLE, TRUNCATE, odd columns, transactions of all kinds
#
use strict;
use warnings;

use PostgreSQL::Test::Utils;
use Test::More;

use MirrorTest;

my $test = MirrorTest::Tables->new('tables', conf => 'max_prepared_transactions = 5');

# partitions have their columns in another order, and change places
$test->sql(q{
	CREATE TABLE parted (id int, kind text, name text, gone int, PRIMARY KEY (id, kind)) PARTITION BY LIST (kind);
	ALTER TABLE parted DROP COLUMN gone;
	CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
	CREATE TABLE parted_b (name text, kind text NOT NULL, extra int, id int NOT NULL, PRIMARY KEY (id, kind));
	ALTER TABLE parted_b DROP COLUMN extra;
	ALTER TABLE parted ATTACH PARTITION parted_b FOR VALUES IN ('b');
	INSERT INTO parted SELECT i, CASE WHEN i % 2 = 0 THEN 'a' ELSE 'b' END, 'name ' || i FROM generate_series(1, 100) i;
});
$test->create('parted');
$test->is_copied('partitions: the rows are there', 'parted');
$test->sql(q{
	UPDATE parted SET kind = 'b', name = 'moved' WHERE id = 2;
	UPDATE parted SET name = 'in place' WHERE id = 3;
	UPDATE parted_b SET name = 'in the partition' WHERE id = 5;
	DELETE FROM parted WHERE id IN (6, 7);
	INSERT INTO parted_a VALUES (1000, 'a', 'into the partition');
});
$test->is_copied('partitions: changes by both names, and from one to the other', 'parted');
$test->sql(q{
	CREATE TABLE parted_c (kind text NOT NULL, id int NOT NULL, name text, PRIMARY KEY (id, kind));
	ALTER TABLE parted ATTACH PARTITION parted_c FOR VALUES IN ('c');
	INSERT INTO parted VALUES (2000, 'c', 'in a new one');
	UPDATE parted SET kind = 'c' WHERE id = 10;
});
$test->is_copied('partitions: one attached later', 'parted');
ok($test->wait_for(q{SELECT 'public.parted_c' IN (SELECT value FROM userstream.mirror_position, jsonb_each_text(shape -> 'partitions'))}),
	'partitions: which the mirror notes');

# a root with identity FULL does not make its partitions so
$test->sql(q{
	ALTER TABLE parted REPLICA IDENTITY FULL;
	UPDATE parted SET name = NULL WHERE id = 12;
	DELETE FROM parted WHERE id = 14;
	UPDATE parted SET id = 1016 WHERE id = 16;
});
$test->is_copied('partitions: identity FULL of the root alone', 'parted');

# rows that come and go with a partition are in no change
$test->sql(q{ALTER TABLE parted DETACH PARTITION parted_c});
ok($test->wait_for(q{SELECT count(*) = 1 FROM userstream.incident WHERE mirror = 'parted' AND closed_at IS NULL
	AND kind = 'table_changed' AND what_to_do ~ 'resync_mirror'}), 'partitions: one detached is an incident');
$test->sql(q{SELECT userstream.resync_mirror('parted')});
$test->is_copied('partitions: and a resync has it right', 'parted');
$test->sql(q{
	CREATE TABLE parted_d (LIKE parted_a INCLUDING ALL);
	INSERT INTO parted_d VALUES (3000, 'd', 'there before');
	ALTER TABLE parted ATTACH PARTITION parted_d FOR VALUES IN ('d');
});
$test->is_copied('partitions: rows that come with one', 'parted');
is($test->sql(q{SELECT count(*) FROM userstream.incident WHERE mirror = 'parted' AND closed_at IS NULL}), 0,
	'partitions: are no incident');
$test->sql(q{TRUNCATE parted_d});
ok($test->wait_for(q{SELECT count(*) = 1 FROM userstream.incident WHERE mirror = 'parted' AND closed_at IS NULL
	AND detail ~ 'parted_d.*truncated'}), 'partitions: one that is emptied is an incident');
$test->sql(q{SELECT userstream.resync_mirror('parted')});
$test->is_copied('partitions: a resync', 'parted');
$test->sql(q{TRUNCATE parted; INSERT INTO parted VALUES (1, 'a', 'after')});
$test->is_copied('partitions: TRUNCATE of all', 'parted');
is($test->sql(q{SELECT count(*) FROM userstream.incident WHERE mirror = 'parted' AND closed_at IS NULL}), 0,
	'partitions: and no incident of that');

# columns that the server fills, COPY, and transactions of all kinds
$test->sql(q{
	CREATE TABLE odd (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text DEFAULT 'default',
		twice int GENERATED ALWAYS AS (number * 2) STORED, number int, "Quoted ""name" text);
	CREATE TABLE child (id int PRIMARY KEY, odd int REFERENCES odd);
});
$test->create('odd', q{columns => '{"Quoted \"name": "quoted"}'});
$test->create('child');
$test->sql(q{
	INSERT INTO odd (number) SELECT generate_series(1, 5);
	INSERT INTO odd (number, "Quoted ""name") VALUES (7, 'x');
	BEGIN;
	INSERT INTO odd (name) VALUES ('kept');
	SAVEPOINT a;
	INSERT INTO odd (name) VALUES ('rolled back');
	DELETE FROM odd WHERE id = 1;
	ROLLBACK TO a;
	SAVEPOINT b;
	UPDATE odd SET name = 'of a subtransaction' WHERE id = 2;
	RELEASE b;
	COMMIT;
	BEGIN; DELETE FROM odd; ROLLBACK;
	BEGIN; UPDATE odd SET name = 'prepared' WHERE id = 3; PREPARE TRANSACTION 'yes';
	BEGIN; UPDATE odd SET name = 'prepared for nothing' WHERE id = 4; PREPARE TRANSACTION 'no';
});
$test->sql(q{COMMIT PREPARED 'yes'});
$test->sql(q{ROLLBACK PREPARED 'no'});
$test->sql(qq{COPY odd (name, number) FROM STDIN;\ncopied\t1\n\\N\t2\n\\.\n});
$test->sql(q{INSERT INTO child SELECT i, i FROM generate_series(1, 5) i});
$test->is_copied('identity and default columns, COPY, subtransactions, prepared transactions', 'odd',
	columns => 'id, name, number');
is($test->cql(q{SELECT quoted FROM KS.odd WHERE id = 6}), 'x', 'a column by another name');
$test->is_copied('a table that refers to it', 'child');
$test->sql(q{TRUNCATE odd RESTART IDENTITY CASCADE; INSERT INTO odd (name) VALUES ('after')});
$test->is_copied('TRUNCATE ... CASCADE', 'odd', columns => 'id, name, number');
$test->is_copied('and of what refers to it', 'child');

# one transaction that is large, and one that changes a row again and again; two mirrors of one table
$test->sql(q{
	CREATE TABLE large (id int PRIMARY KEY, n int, name text);
	INSERT INTO large SELECT i, 0, 'before' FROM generate_series(1, 1000) i;
});
$test->create('large');
$test->sql(qq{SELECT userstream.create_mirror('large 2', 'large', 'cassandra', '} . $test->keyspace
	. q{', 'large_2', columns => '{"name": null}')});
$test->sql(q{
	BEGIN;
	INSERT INTO large SELECT i, i, 'many' FROM generate_series(1001, 10000) i;
	UPDATE large SET n = -1 WHERE id % 100 = 0;
	DO $$ BEGIN FOR i IN 1..1000 LOOP UPDATE large SET n = i, name = nullif(i % 3, 0) WHERE id = 1; END LOOP; END $$;
	DELETE FROM large WHERE id BETWEEN 6001 AND 9000;
	COMMIT;
});
$test->is_copied('a large transaction', 'large');
$test->is_copied('and by a second mirror of the table', 'large', copy => 'large_2', columns => 'id, n');
is($test->cql(q{SELECT n FROM KS.large WHERE id = 1}), 1000, 'the last of a thousand changes counts');

# ALTER TABLE: what changes rows without a change of each is an incident
my @alterations = (
	[ 'a column without values', q{ALTER TABLE large ADD COLUMN a int}, 0 ],

	[ 'a column whose default comes later', q{ALTER TABLE large ADD COLUMN b int; ALTER TABLE large ALTER b SET DEFAULT 7}, 0 ],
	[ 'the table written anew', q{VACUUM FULL large}, 0 ],
	[ 'a column with a value for all rows', q{ALTER TABLE large ADD COLUMN c int DEFAULT 8}, 1 ],
	[ 'a column renamed', q{ALTER TABLE large RENAME name TO label}, 1 ],
	[ 'other values in the same type', q{ALTER TABLE large ALTER label TYPE text USING label || '!'}, 1 ],
	[ 'a column with a value for each row', q{ALTER TABLE large ADD COLUMN d int GENERATED ALWAYS AS IDENTITY}, 1 ],
	[ 'a column dropped', q{ALTER TABLE large DROP COLUMN c}, 0 ],
	[ 'a column dropped and made again', q{ALTER TABLE large DROP COLUMN label; ALTER TABLE large ADD COLUMN label text}, 1 ],
);
my $id = 100_000;

foreach my $alteration (@alterations)
{
	my ($what, $sql, $incident) = @$alteration;

	$id++;
	# each by itself: VACUUM cannot be among others
	$test->sql($_) foreach "UPDATE large SET n = $id WHERE id = 2", split(/; /, $sql), "INSERT INTO large (id, n) VALUES ($id, 1)";
	if ($incident)
	{
		ok($test->wait_for(q{SELECT count(*) = 1 FROM userstream.incident WHERE mirror = 'large' AND closed_at IS NULL
			AND kind = 'table_changed' AND what_to_do ~ 'resync_mirror'}), "$what: an incident");
		$test->sql(q{SELECT userstream.resync_mirror('large')});
	}
	$test->is_copied("$what: the rows are the same", 'large');
	# it looks at the table every other second, and two alterations between looks are one to it
	ok($test->wait_for(q{
		SELECT shape -> 'files' = (SELECT jsonb_build_object(oid, relfilenode::text) FROM pg_class WHERE relname = 'large')
			AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'large'::regclass AND attnum > 0 AND NOT attisdropped
				AND shape -> 'columns' -> attnum::text ->> 3 IS DISTINCT FROM xmin::text)
		FROM userstream.mirror_position JOIN userstream.mirror ON id = mirror_id WHERE name = 'large'}), "$what: is noted");
	is($test->sql(q{SELECT count(*) FROM userstream.incident WHERE mirror = 'large' AND closed_at IS NULL}), 0,
		"$what: no incident is open") unless $incident;
}
# the second mirror's table had no resync: what came by changes is there
$test->sql(q{SELECT userstream.drop_mirror('large 2')});

# a type that the table in Cassandra does not have
$test->sql(q{ALTER TABLE large ALTER n TYPE text});
ok($test->has_state('stopped', 'large', 'column "n" of type text cannot go into .*"n" of type int in Cassandra'),
	'a type changes: the mirror stops, and names both');
$test->sql(q{ALTER TABLE large ALTER n TYPE int USING n::int; SELECT userstream.resync_mirror('large')});
$test->is_copied('a type changed back', 'large');

# the table and its schema by other names
$test->sql(q{
	CREATE SCHEMA s;
	ALTER TABLE child SET SCHEMA s;
	ALTER TABLE s.child RENAME TO grandchild;
	ALTER SCHEMA s RENAME TO "S 2";
	INSERT INTO odd (name) VALUES ('second');
	INSERT INTO "S 2".grandchild VALUES (77, 2);
});
$test->is_copied('table and schema renamed', '"S 2".grandchild', copy => 'child');
is($test->sql(q{SELECT target FROM userstream.mirror_status WHERE mirror = 'child'}), '"S 2".grandchild', 'the view has the new names');
$test->sql(q{DROP TABLE "S 2".grandchild});
ok($test->has_state('stopped', 'child', 'does not exist any more; userstream.drop_mirror'), 'a table that is dropped stops its mirror');
$test->sql(q{SELECT userstream.drop_mirror('child')});

# what someone does to the table in Cassandra: stopped, for it would have fewer values than the rows here
$test->sql(q{
	CREATE TABLE other_side (id int PRIMARY KEY, name text, note text);
	INSERT INTO other_side SELECT i, 'name ' || i, 'note ' || i FROM generate_series(1, 100) i;
});
$test->create('other_side');
$test->is_copied('a table that will be changed there', 'other_side');
$test->sql(q{ALTER TABLE other_side ADD COLUMN later text; UPDATE other_side SET later = 'x' WHERE id < 10});
$test->is_copied('a column that comes later', 'other_side');
foreach my $case (
	[ 'ALTER TABLE KS.other_side DROP note', 'has no column "note" any more' ],
	[ 'ALTER TABLE KS.other_side DROP later', 'has no column "later" any more' ],
	[ 'DROP TABLE KS.other_side', 'does not exist in Cassandra any more' ])
{
	my ($statement, $error) = @$case;

	$test->cql($statement);
	$test->sql(q{UPDATE other_side SET name = name || '.', note = note || '.'; DELETE FROM other_side WHERE id % 10 = 0});
	ok($test->has_state('stopped', 'other_side', $error), "$statement: stops the mirror");
	is($test->sql(q{SELECT count(*) FROM userstream.dead_letter WHERE mirror = 'other_side'}), 0, '... no row is to blame');
	like($test->sql(q{SELECT what_to_do FROM userstream.incident WHERE mirror = 'other_side' AND closed_at IS NULL}), qr/resync_mirror/, '... and says what to do');
	$test->sql(q{SELECT userstream.resync_mirror('other_side')});
	$test->is_copied('... and that has it right', 'other_side');
}
$test->cql('ALTER TABLE KS.other_side ADD stranger text');
$test->sql(q{UPDATE other_side SET name = name || '.'});
$test->is_copied('a column more in Cassandra is no matter', 'other_side');

# ... and a table of the same name is another one, without the rows; whether it is seen by the worker
# whose statements were for the first one, or by the next
$test->sql(q{
	CREATE TABLE replaced (id int PRIMARY KEY, name text);
	INSERT INTO replaced SELECT i, 'name ' || i FROM generate_series(1, 100) i;
	CREATE TABLE onward (id int PRIMARY KEY, name text);
});
$test->create('replaced');
$test->create('onward', 'copy_data => false');
foreach my $name ('replaced', 'onward')
{
	my $other = "DROP TABLE KS.$name; CREATE TABLE KS.$name (id int PRIMARY KEY, name text)";

	$test->sql("INSERT INTO $name VALUES (0, 'first')");
	$test->is_copied("$name: a table that will be made again there", $name);
	$test->cql($_) foreach split /; /, $other;
	$test->sql("UPDATE $name SET name = name || '.' WHERE id < 5");
	ok($test->has_state('stopped', $name, 'is not the one that the rows were copied to'), "$name: another table stops the worker that runs");
	$test->sql("SELECT userstream.resync_mirror('$name')");
	$test->is_copied('... and resync_mirror has it right', $name);
	ok($test->wait_for("SELECT lsn IS NOT NULL AND shape ->> 'copied_to' IS NOT NULL FROM userstream.mirror_position
		JOIN userstream.mirror m ON m.id = mirror_id WHERE m.name = '$name'"), '... and the worker keeps which it is');
	$test->sql("SELECT userstream.pause_mirror('$name')");
	ok($test->has_state('paused', $name), '... paused');
	$test->cql($_) foreach split /; /, $other;
	$test->sql("SELECT userstream.resume_mirror('$name')");
	ok($test->has_state('stopped', $name, 'is not the one that the rows were copied to'), '... another table stops the next worker');
	is($test->sql("SELECT kind FROM userstream.incident WHERE mirror = '$name' AND closed_at IS NULL"), 'table_replaced', '... with an incident');
	$test->sql("SELECT userstream.resume_mirror('$name'); UPDATE $name SET name = name || '!'");
	$test->is_copied('... and resume_mirror goes on with it as it is', $name);
}

# another place, without the rows that are there
$test->sql(q{CREATE TABLE later (id int PRIMARY KEY, name text); INSERT INTO later VALUES (1, 'before')});
$test->create('later', 'copy_data => false');
ok($test->has_state('caught_up', 'later'), 'a mirror without a copy');
like($test->refusal(q{SELECT userstream.alter_mirror('later', table_name => 'later_2')}),
	qr/NOTICE:.*mirror "later" begins anew, with changes from now on.*copy_data is false.*resync_mirror\('later'\)/s,
	'altered it says that it copies no rows');
ok($test->wait_for(q{SELECT lsn IS NOT NULL FROM userstream.mirror_position JOIN userstream.mirror m ON m.id = mirror_id WHERE m.name = 'later'}),
	'it begins anew');
$test->sql(q{INSERT INTO later VALUES (2, 'after')});
$test->is_copied('and so it is', '(SELECT * FROM later WHERE id = 2) l', columns => 'id, name', copy => 'later_2');
$test->sql(q{SELECT userstream.resync_mirror('later')});
$test->is_copied('resync_mirror copies them', 'later', copy => 'later_2');
my $alone = $test->refusal(q{SELECT userstream.alter_mirror('large', table_name => 'large_3')});
like($alone, qr/NOTICE:.*mirror "large" copies all rows anew/, 'a mirror that copies says so');
unlike($alone, qr/WARNING/, 'and is not warned of a table of its own');

# two mirrors of one table in Cassandra
my $shared = qr/WARNING:.*mirrors "twice" and "later" write to one table in Cassandra.*takes away the rows of the other/s;
like($test->refusal(q{CREATE TABLE twice (id int PRIMARY KEY, name text);
	SELECT userstream.create_mirror('twice', 'twice', 'cassandra', '} . $test->keyspace . q{', 'later_2')}), $shared, 'two mirrors into one table: a warning');
unlike($test->refusal(q{SELECT userstream.alter_mirror('twice', table_name => 'twice')}), qr/WARNING/, 'apart again: none');
like($test->refusal(q{SELECT userstream.alter_mirror('twice', table_name => 'later_2')}), $shared, 'together again: one');
$test->sql(q{SELECT userstream.drop_mirror('twice')});

# a key that its changes do not tell any more
$test->sql(q{CREATE TABLE keyed (a int NOT NULL, name text, PRIMARY KEY (a)); INSERT INTO keyed VALUES (1, 'one')});
$test->create('keyed');
$test->is_copied('a table whose key will be a generated column', 'keyed');
$test->sql(q{
	SELECT userstream.pause_mirror('keyed');
	ALTER TABLE keyed DROP CONSTRAINT keyed_pkey, ADD COLUMN g int GENERATED ALWAYS AS (a + 1) STORED;
	ALTER TABLE keyed ADD PRIMARY KEY (g, a);
	SELECT userstream.resume_mirror('keyed');
});
ok($test->has_state('stopped', 'keyed', 'no primary key any more, or one with a generated column.*resync_mirror'), 'it stops');
is($test->sql(q{SELECT kind FROM userstream.incident WHERE mirror = 'keyed' AND closed_at IS NULL}), 'target_changed', 'with an incident');
$test->sql(q{ALTER TABLE keyed DROP CONSTRAINT keyed_pkey; ALTER TABLE keyed ADD PRIMARY KEY (a); SELECT userstream.resync_mirror('keyed')});
$test->is_copied('and goes on by its old key', 'keyed');

# TRUNCATE of a table that has the changes of others in the same transaction
$test->sql(q{
	BEGIN;
	INSERT INTO large (id, n) VALUES (200000, 1);
	TRUNCATE large;
	INSERT INTO large (id, n) VALUES (200001, 2);
	COMMIT;
});
$test->is_copied('TRUNCATE between changes of one transaction', 'large', copy => 'large_3');

done_testing();
