#
# test/t/122_refused_rows.pl
#    rows that the table refuses: constraints of every kind, triggers, sizes,
#    partitions, row security; among good ones, and each in a batch of its own
#
use strict;
use warnings;

use Digest::MD5 qw(md5_hex);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;
use DeliveryTest;

my $kafka = shared_kafka();
my $node = userstream_node('main');
DeliveryTest->new($node, $kafka, 'none')->prepare_database('postgres');

sub letters_of
{
	my ($stream) = @_;
	return $node->safe_psql('postgres',
		"SELECT kafka_offset, sqlstate, coalesce(column_name, ''), coalesce(constraint_name, '')
		   FROM userstream.dead_letter WHERE stream = '$stream' ORDER BY kafka_offset");
}

# A target with more columns and whatever "prepare" does to it.  Each kind of
# bad message, name => [fields, SQLSTATE, column, constraint], comes twice
# among good ones that are there before the stream, then alone, each batch
# awaited.  "good" are further fields of good messages.
#    owner => ...         role that creates the stream
#    rows_before => ...   rows, of number 0, that "prepare" puts there
#    other arguments are those of create_stream
sub refuses
{
	my ($name, $more, $prepare, $good, $kinds, %args) = @_;
	my $delivery = DeliveryTest->new($node, $kafka, $kafka->new_topic($name, 1));
	my (@messages, @letters, @bad);
	my $owner = delete $args{owner};

	$delivery->{rows} += delete $args{rows_before} || 0;

	my $add_bad = sub {
		my ($kind) = @_;
		my ($fields, @reason) = @{ $kinds->{$kind} };
		my $message = { key => "k$kind", value => '{"seq": 1, "body": "refused"' . ($fields ? ", $fields" : '') . '}' };

		push @letters, join '|', scalar @messages, @reason;
		push @bad, unpack 'H*', $message->{value};
		push @messages, $message;
	};
	foreach my $round (1 .. 2)
	{
		foreach my $kind (sort keys %$kinds)
		{
			push @messages, map { $delivery->message($good) } 1 .. 60 * $round;
			$add_bad->($kind);
		}
	}
	# one after the other, and good ones right behind
	$add_bad->($_) foreach sort keys %$kinds;
	push @messages, map { $delivery->message($good) } 1 .. 30;

	$delivery->create_target('postgres', $name, $more);
	$node->safe_psql('postgres', $prepare);
	my @headers = (headers => [ 'origin=test', "raw=\xff" ]);
	$kafka->produce($delivery->{topic}, \@messages, @headers);
	if (defined $owner)
	{
		$node->safe_psql('postgres',
			"SET ROLE $owner; SELECT userstream.create_stream('$name', 'kafka', '$delivery->{topic}', '$name',
				columns => '@{[DeliveryTest::COLUMNS]}')");
	}
	else
	{
		$delivery->create_stream('postgres', $name, %args);
	}
	$delivery->is_delivered('postgres', $name, "$name, mixed");
	is(letters_of($name), join("\n", @letters), "$name: exactly the bad ones are dead letters, with their reasons");

	foreach my $kind (sort keys %$kinds)
	{
		my $count = @messages + 1;

		$add_bad->($kind);
		$kafka->produce($delivery->{topic}, [ $messages[-1] ], @headers);
		wait_until($node, 'postgres',
			"SELECT next_offset FROM userstream.partition_status WHERE stream = '$name'", $count);
	}
	my $last = $delivery->message($good);
	push @messages, $last;
	$kafka->produce($delivery->{topic}, [$last], @headers);
	$delivery->is_delivered('postgres', $name, "$name, alone");
	is(letters_of($name), join("\n", @letters), "$name: and so they are alone");
	is( $node->safe_psql('postgres',
			"SELECT string_agg(encode(value, 'hex'), ',' ORDER BY kafka_offset),
				bool_and(headers = '[{\"key\": \"origin\", \"value\": \"test\"}, {\"key\": \"raw\", \"base64\": \"/w==\"}]'),
				bool_and(convert_from(key, 'UTF8') LIKE 'k%' AND topic = '$delivery->{topic}' AND partition = 0),
				bool_and(message_at BETWEEN now() - interval '10 min' AND now() + interval '1 min' AND error <> '')
			   FROM userstream.dead_letter WHERE stream = '$name'"),
		join(',', @bad) . '|t|t|t',
		"$name: dead letters keep bytes, headers and coordinates");
	return $delivery;
}

# digits that hardly compress: a row too long for an index, and for a page
my $digits = join '', map { md5_hex($_) } 1 .. 300;

# what a plain table can refuse: the direct way in
my %plain = (
	'exclusion' => [ '"during": "[5,6)"', '23P01', '', 'direct_during' ],
	'too long' => [ '"short": "abcdef"', '22001', 'short', '' ],
	'overflow' => [ '"price": 99999.9', '22003', 'price', '' ],
	'index row' => [ '"tag": "' . substr($digits, 0, 4000) . '"', '54000', '', 'direct_tag' ],
	'heap row' => [ qq("whole": "$digits"), '54000', '', '' ],
	'domain' => [ '"level": 0', '23514', 'level', 'level_positive' ],
	'not null' => [ '"needed": null', '23502', 'needed', '' ],
	'check of two' => [ '"price": 7.5, "short": "x"', '23514', '', 'direct_both' ],
	'expression' => [ '"price": 0', '22012', '', '' ],
	'generated' => [ '"level": 9', '22012', '', '' ],
	'check of generated' => [ '"level": 8', '23514', '', 'direct_quotient' ],
	'unique' => [ '"tag": "taken"', '23505', '', 'direct_tag' ],
);
$node->safe_psql('postgres', q{
CREATE EXTENSION btree_gist;
CREATE DOMAIN level AS int CONSTRAINT level_positive CHECK (value > 0)});
my $columns = q{during int4range DEFAULT 'empty', short varchar(5), price numeric(4,1) DEFAULT 1, tag text, whole text,
	level level DEFAULT 1, needed int NOT NULL DEFAULT 1, quotient int GENERATED ALWAYS AS (72 / (level - 9)) STORED};
sub plain_prepare
{
	my ($name) = @_;
	return qq{ALTER TABLE $name ALTER whole SET STORAGE PLAIN,
		ADD CONSTRAINT ${name}_during EXCLUDE USING gist (during WITH &&),
		ADD CONSTRAINT ${name}_both CHECK (price < 5 OR short IS NULL),
		ADD CONSTRAINT ${name}_quotient CHECK (quotient > -72),
		ADD CONSTRAINT ${name}_itself CHECK (tableoid = '$name'::regclass);
	CREATE UNIQUE INDEX ${name}_tag ON $name (tag);
	CREATE INDEX ${name}_inverse ON $name ((100 / price));
	INSERT INTO $name (seq, body, checksum, kafka_partition, kafka_offset, arrival, during, tag)
		VALUES (0, '', md5('0'), -1, -1, 0, '[1,10)', 'taken')};
}
# the row that took the tag is a row too, number 0
refuses('direct', $columns, plain_prepare('direct'), '"price": 2', \%plain, rows_before => 1);
# the same by a query, for a trigger is there
refuses('query', $columns,
	plain_prepare('query') . q{; CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
	CREATE TRIGGER nothing BEFORE INSERT ON query FOR EACH ROW EXECUTE FUNCTION nothing()},
	'"price": 2', { map { my @kind = @{ $plain{$_} }; $kind[3] =~ s/^direct/query/; $_ => \@kind } keys %plain },
	rows_before => 1);
is( $node->safe_psql('postgres', "SELECT string_agg(DISTINCT quotient::text, ' ') FROM $_"),
	'-9', "$_: a generated column is computed") foreach qw(direct query);

# what waits for the end of a statement, or of the transaction
refuses(
	'deferred',
	'tag text, parent int, later int, qty int',
	q{CREATE TABLE parents (id int PRIMARY KEY); INSERT INTO parents VALUES (1);
	ALTER TABLE deferred
		ADD CONSTRAINT deferred_seq UNIQUE (seq) DEFERRABLE INITIALLY DEFERRED,
		ADD CONSTRAINT deferred_parent FOREIGN KEY (parent) REFERENCES parents,
		ADD CONSTRAINT deferred_later FOREIGN KEY (later) REFERENCES parents DEFERRABLE INITIALLY DEFERRED;
	CREATE FUNCTION after_row() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.qty = 1 THEN
			RAISE EXCEPTION 'refused after the row';
		ELSIF NEW.qty = 2 THEN
			RAISE EXCEPTION 'with a code' USING ERRCODE = 'UX001', COLUMN = 'qty', CONSTRAINT = 'qty_rule', DETAIL = 'Why.';
		ELSIF NEW.qty = 3 THEN
			PERFORM 1 / 0;
		END IF;
		RETURN NULL;
	END $$;
	CREATE FUNCTION before_row() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.qty = 4 THEN
			RAISE EXCEPTION 'refused before the row' USING ERRCODE = 'check_violation';
		ELSIF NEW.qty = 5 THEN
			NEW.body := NULL;
		END IF;
		RETURN NEW;
	END $$;
	CREATE FUNCTION after_transaction() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.qty = 6 THEN
			RAISE EXCEPTION 'refused late' USING ERRCODE = '23000';
		END IF;
		RETURN NULL;
	END $$;
	CREATE FUNCTION after_statement() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF EXISTS (SELECT FROM rows WHERE qty = 7) THEN
			RAISE EXCEPTION 'refused with its statement';
		END IF;
		RETURN NULL;
	END $$;
	ALTER TABLE deferred ALTER body SET NOT NULL;
	CREATE TRIGGER b BEFORE INSERT ON deferred FOR EACH ROW EXECUTE FUNCTION before_row();
	CREATE TRIGGER a AFTER INSERT ON deferred FOR EACH ROW EXECUTE FUNCTION after_row();
	CREATE TRIGGER s AFTER INSERT ON deferred REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION after_statement();
	CREATE CONSTRAINT TRIGGER t AFTER INSERT ON deferred DEFERRABLE INITIALLY DEFERRED
		FOR EACH ROW EXECUTE FUNCTION after_transaction()},
	'"parent": 1, "later": 1',
	{
		'deferred unique' => [ '', '23505', '', 'deferred_seq' ],
		'foreign key' => [ '"seq": -1, "parent": 2', '23503', '', 'deferred_parent' ],
		'deferred foreign key' => [ '"seq": -2, "later": 2', '23503', '', 'deferred_later' ],
		'after row' => [ '"seq": -3, "qty": 1', 'P0001', '', '' ],
		'after row, a code' => [ '"seq": -3, "qty": 2', 'UX001', 'qty', 'qty_rule' ],
		'after row, an error' => [ '"seq": -3, "qty": 3', '22012', '', '' ],
		'before row' => [ '"seq": -3, "qty": 4', '23514', '', '' ],
		'before row, made null' => [ '"seq": -3, "qty": 5', '23502', 'body', '' ],
		'constraint trigger' => [ '"seq": -3, "qty": 6', '23000', '', '' ],
		'statement trigger' => [ '"seq": -3, "qty": 7', 'P0001', '', '' ],
	});
is( $node->safe_psql('postgres',
		q{SELECT DISTINCT error FROM userstream.dead_letter WHERE stream = 'deferred' AND sqlstate = 'UX001'}),
	"with a code\nDETAIL: Why.", 'the error is what the trigger raised');

# partitions: the parent takes rows, a row without a partition is refused
refuses(
	'parted',
	'region text, qty int',
	q{ALTER TABLE parted RENAME TO model;
	CREATE TABLE parted (LIKE model INCLUDING DEFAULTS) PARTITION BY LIST (region);
	CREATE TABLE parted_north PARTITION OF parted FOR VALUES IN ('north');
	CREATE TABLE parted_south PARTITION OF parted (CONSTRAINT south_qty CHECK (qty < 5), qty NOT NULL) FOR VALUES IN ('south')
		PARTITION BY RANGE (qty);
	CREATE TABLE parted_south_1 PARTITION OF parted_south FOR VALUES FROM (0) TO (100);
	CREATE UNIQUE INDEX north_qty ON parted_north (qty)},
	'"region": "north"',
	{
		'no partition' => [ '"region": "west"', '23514', '', '' ],
		'no partition for null' => [ '', '23514', '', '' ],
		'no partition below' => [ '"region": "south", "qty": -1', '23514', '', '' ],
		'check of a partition' => [ '"region": "south", "qty": 7', '23514', '', 'south_qty' ],
		'not null of a partition' => [ '"region": "south"', '23514', '', '' ],
	});

# row security of a plain role: its policies judge each row
$node->safe_psql('postgres', q{CREATE ROLE app LOGIN; GRANT USAGE ON FOREIGN SERVER kafka TO app});
refuses(
	'secured', 'tenant text DEFAULT current_user, qty int',
	q{ALTER TABLE secured ENABLE ROW LEVEL SECURITY;
	CREATE POLICY mine ON secured USING (tenant = current_user);
	CREATE POLICY small ON secured AS RESTRICTIVE FOR INSERT WITH CHECK (coalesce(qty, 0) < 10);
	CREATE POLICY odd ON secured AS RESTRICTIVE FOR INSERT WITH CHECK (coalesce(100 / qty, 1) <> 50);
	GRANT INSERT ON secured TO app; GRANT USAGE ON SEQUENCE secured_arrival_seq TO app},
	'"tenant": "app"',
	{
		'another tenant' => [ '"tenant": "other"', '42501', '', '' ],
		'no tenant' => [ '"tenant": null', '42501', '', '' ],
		'restricted' => [ '"qty": 10', '42501', '', '' ],
		'a policy that fails' => [ '"qty": 0', '22012', '', '' ],
	},
	owner => 'app');

# triggers that suppress a row, or put it elsewhere, refuse nothing
my $quiet = DeliveryTest->new($node, $kafka, $kafka->new_topic('quiet', 1));
$quiet->create_target('postgres', 'quiet', 'qty int');
$node->safe_psql('postgres', q{CREATE TABLE elsewhere (seq bigint);
	CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$
	BEGIN
		IF NEW.qty = 1 THEN
			RETURN NULL;
		ELSIF NEW.qty = 2 THEN
			INSERT INTO public.elsewhere VALUES (NEW.seq);
			RETURN NULL;
		END IF;
		RETURN NEW;
	END $$;
	CREATE TRIGGER suppress BEFORE INSERT ON quiet FOR EACH ROW EXECUTE FUNCTION suppress()});
$kafka->produce(
	$quiet->{topic},
	[
		(map { $quiet->message } 1 .. 50),
		'{"seq": 7, "qty": 1}',
		(map { $quiet->message } 1 .. 50),
		'{"seq": 77, "qty": 2}', '{"seq": "x"}', '{"seq": 78, "qty": 1}',
		(map { $quiet->message } 1 .. 50)
	]);
$quiet->create_stream('postgres', 'quiet');
$quiet->is_delivered('postgres', 'quiet', 'suppressed rows');
is( $node->safe_psql('postgres', q{SELECT messages_read, messages_applied, dead_letters, skipped, balanced,
		(SELECT array_agg(seq) FROM elsewhere) FROM userstream.ledger WHERE stream = 'quiet'}),
	'154|153|1|0|t|{77}', 'a row that a trigger suppressed or put elsewhere counts as applied');
is(letters_of('quiet'), '102|22P02|seq|', 'only what is wrong is a dead letter');

$node->stop('fast');
done_testing();
