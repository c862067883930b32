#
# test/t/125_indexes.pl
#    thousands of rows that go in together: their entries in indexes of each kind, and
#    which message is to blame for a key that is there already
#
use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use UserstreamTest;

use constant FIRST => 1000;			# what the worker has in hand while it waits for the table
use constant COUNT => 12_000;
use constant TOGETHER => 1000;		# with more of them in hand rows go into indexes in the order of keys

my $kafka = shared_kafka();
my $node = userstream_node('main');
create_server($node, 'postgres', $kafka);

sub ask { my ($sql) = @_; return $node->safe_psql('postgres', $sql); }

ask('CREATE EXTENSION amcheck');

# A stream that finds its target locked, with all messages behind it; then the target
# is free.  Messages: $make->(0), $make->(1) ..., as JSON.
sub fill
{
	my ($name, $columns, $indexes, $make, %args) = @_;
	my $args = join '', map { ", $_ => $args{$_}" } sort keys %args;
	my $topic = $kafka->new_topic($name, 1);

	ask("CREATE TABLE $name ($columns); $indexes");
	ask("SELECT userstream.create_stream('$name', 'kafka', '$topic', '$name'$args)");
	ok(my $hold = hold_table($node, 'postgres', $name), "$name: the target is locked");
	$kafka->produce($topic, [ map { $make->($_) } 0 .. FIRST - 1 ]);
	ok(wait_until($node, 'postgres', "SELECT state FROM userstream.stream_status WHERE stream = '$name'", 'blocked'),
		"$name: the worker waits for it");
	$kafka->produce($topic, [ map { $make->($_) } FIRST .. COUNT - 1 ]);
	release_table($hold);
	ok(wait_until($node, 'postgres', qq{SELECT sum(messages_applied + dead_letters), bool_and(balanced)
		FROM userstream.ledger WHERE stream = '$name'}, COUNT . '|t'), "$name: all is read");
	return;
}

# a number that jumps about, each once
sub jumping { my ($i) = @_; return ($i * 7919) % COUNT; }

# ---------------------------------------------------------------------------
# indexes of each kind, over values of many types; no row is refused
# ---------------------------------------------------------------------------
fill('kinds', q{n int PRIMARY KEY, small smallint, big bigint, real8 float8, exact numeric, word text, local text COLLATE "C",
		code char(20), id uuid, at timestamptz, bytes bytea, flag boolean, tags text[], document jsonb, spot point, net inet},
	join('', map { "CREATE INDEX ON kinds $_;" } qw{(small) (big) (real8) (exact) (word) (local) (code) (bytes) (flag)
			(document) (net)}, '(id DESC NULLS LAST, n)', '(at, word)', '(lower(word), n)', '(word) WHERE n % 3 = 0',
		'(big) INCLUDE (word)', 'USING hash (word)', 'USING brin (at)', 'USING gin (tags)', 'USING gist (spot)')
	  . 'CREATE UNIQUE INDEX ON kinds (exact, word)',
	sub {
		my ($i) = @_;
		my $n = jumping($i);

		return sprintf(q({"n": %d, "small": %d, "big": %s, "real8": %s, "exact": %s, "word": %s, "local": "%s", "code": "c%d",
			"id": "%08x-0000-4000-8000-%012d", "at": "%s", "bytes": "\\\\x%04x", "flag": %s, "tags": ["t%d", "u"],
			"document": {"a": %d}, "spot": "(%d,%d)", "net": "10.0.%d.%d"}),
			$n, $n % 300 - 150, ($n - 6000) * 1_000_000_000, ($n - 6000) / 7, "$n.50", $n % 11 ? qq("w$n") : 'null',
			('x' x ($n % 9)) . $n, $n, $n * 350_003 % 2**32, $i, sprintf('2026-%02d-01 00:00:%02dZ', $n % 12 + 1, $n % 60),
			$n, $n % 2 ? 'true' : 'false', $n % 50, $n % 100, $n, $i, $n / 256, $n % 256) =~ s/\n\s*//gr;
	});
is(ask('SELECT count(*), count(DISTINCT n), sum(n), count(word) FROM kinds'),
	join('|', COUNT, COUNT, COUNT * (COUNT - 1) / 2, scalar grep { $_ % 11 } 0 .. COUNT - 1), 'kinds: each row once');
cmp_ok(ask('SELECT max(count) FROM (SELECT count(*) FROM kinds GROUP BY xmin::text) together'), '>', TOGETHER,
	'kinds: thousands went in together');
is(ask(q{SELECT count(*) FROM (SELECT n, lag(n) OVER (ORDER BY ctid) AS before FROM kinds) k
	WHERE n <> coalesce((before + 7919) % } . COUNT . ', 0)'), 0, 'kinds: rows are in the order of messages');
is(ask(q{SELECT count(bt_index_check(indexrelid, true)) > 10 FROM pg_index JOIN pg_class c ON c.oid = indexrelid
	JOIN pg_am ON pg_am.oid = relam WHERE indrelid = 'kinds'::regclass AND amname = 'btree'}),
	't', 'kinds: each btree has each row, at its place');
foreach my $condition ("word = 'w77'", q{tags @> '{t7}'}, q{spot <@ box '((0,0),(9,99999))'}, q{at = '2026-03-01 00:00:02Z'},
	'n = 4711', "lower(word) = 'w4711'", "exact = 4711.5 AND word = 'w4711'")
{
	my $count = "SELECT count(*), sum(n) FROM kinds WHERE $condition";

	is(ask("SET enable_seqscan = off; $count"), ask("SET enable_indexscan = off; SET enable_bitmapscan = off; $count"),
		"kinds: found by index: $condition");
}

# ---------------------------------------------------------------------------
# keys that come twice, in two unique indexes, one of them where texts are alike
# whatever their case: the first message has it, as if rows went in one by one
# ---------------------------------------------------------------------------
ask(q{CREATE COLLATION alike (provider = icu, locale = 'und-u-ks-level2', deterministic = false)});
sub word { my ($i) = @_; my $word = 'word' . jumping($i % (COUNT - 90)); return $i % 2 ? uc $word : $word; }
sub number { my ($i) = @_; return $i % 1300 == 1299 ? jumping($i - 1200) : jumping($i); }
fill('twice', 'seq int, n bigint UNIQUE, word text COLLATE alike UNIQUE', '',
	sub { my ($i) = @_; return sprintf '{"seq": %d, "n": %d, "word": "%s"}', $i, number($i), word($i); });

my (%numbers, %words, @refused);
foreach my $i (0 .. COUNT - 1)
{
	if ($numbers{ number($i) } || $words{ lc word($i) }) { push @refused, $i; next; }
	$numbers{ number($i) } = $words{ lc word($i) } = 1;
}
cmp_ok(scalar @refused, '>', 90, 'twice: some are there');
is(ask(q{SELECT string_agg(kafka_offset::text, ',' ORDER BY kafka_offset) FROM userstream.dead_letter WHERE stream = 'twice' AND sqlstate = '23505'}),
	join(',', @refused), 'twice: the later of two is refused');
is(ask('SELECT count(*), sum(seq) FROM twice'), join('|', COUNT - @refused, eval { my $sum = COUNT * (COUNT - 1) / 2; $sum -= $_ foreach @refused; $sum }),
	'twice: all others are there');
is(ask(q{SELECT count(bt_index_check(indexrelid, true)) FROM pg_index WHERE indrelid = 'twice'::regclass}), 2,
	'twice: each index has each row');

# ---------------------------------------------------------------------------
# mode upsert, whole rows: half of the keys are there before, each comes twice or more
# ---------------------------------------------------------------------------
use constant KEYS => 5000;
sub key_of { my ($i) = @_; return ($i * 7919) % KEYS - 100; }
fill('changed', 'n int PRIMARY KEY, word text, at bigint', q{INSERT INTO changed SELECT n, 'before' FROM generate_series(-100, 2399) n;
	CREATE INDEX ON changed (word)},
	sub { my ($i) = @_; return sprintf '{"n": %d, "word": "w%d", "at": %d}', key_of($i), $i % 77, $i; }, mode => "'upsert'");
my %last = map { (key_of($_) => $_) } 0 .. COUNT - 1;
my ($words, $ats) = (0, 0);
foreach my $at (values %last) { $words += $at % 77; $ats += $at; }
is(ask(q{SELECT count(*), sum(n), sum(substr(word, 2)::int), sum(at) FROM changed}),
	join('|', KEYS, KEYS * (KEYS - 1) / 2 - 100 * KEYS, $words, $ats), 'changed: each key has what came last');
is(ask(q{SELECT count(*) FROM changed WHERE (n::bigint + 100) <> at * 7919 % } . KEYS), 0, 'changed: each row is of one message');
cmp_ok(ask('SELECT max(count) FROM (SELECT count(*) FROM changed GROUP BY xmin::text) together'), '>', TOGETHER,
	'changed: thousands went in together');
is(ask(q{SELECT count(bt_index_check(indexrelid, true)) FROM pg_index WHERE indrelid = 'changed'::regclass}), 2,
	'changed: each index has each row');

$node->stop('fast');
done_testing();
