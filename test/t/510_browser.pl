#
# test/t/510_browser.pl
#    the dashboard in a real browser: charts, keyboard, widths, light and dark, renewal
#
# With USERSTREAM_PICTURES=DIR it leaves pictures of the pages there, as far as
# a large screen shows them.  With
# USERSTREAM_WAIT=FILE it then goes on serving until that file is there, for a
# look by hand.
#
use strict;
use warnings;

use JSON::PP;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use BrowserTest;
use DashboardTest;
use FeedTest;
use UserstreamTest;

my $users = 60000;
my $kafka = shared_kafka();
my $api = FeedTest->api('browser');
my $src = $ENV{USERSTREAM_SRC};
# names that one likes to see; no other test has them
my %topics = (users => 'users_who_signed_up', orders => 'web_orders', payments => 'web_payments');
my $node = userstream_node('main', conf => q{
shared_preload_libraries = 'userstream,pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
});

$kafka->create_topic($_, 4) foreach values %topics;

# a state worth looking at: streams that run, are behind, paused, stopped; good
# and failed runs; dead letters of several kinds; a mirror whose nodes are away
create_server($node, 'postgres', $kafka);
create_api_server($node, 'postgres', 'randomuser', $api->url('/api/?results=100'));
create_api_server($node, 'postgres', 'partners', $api->url('/status?code=503'));
$node->command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', "$src/test/servers/demo_users.sql" ],
	'the table of users');
$kafka->produce_users($topics{users}, $users);
$kafka->produce($topics{orders}, [ map { { key => "order-$_", value => order($_) } } 1 .. 400 ],
	headers => ['source=shop']);
$kafka->produce($topics{payments}, [ '{"id": 1, "paid": 10}', '{"id": 2, "paid": "ten"}' ], partition => 2);
$node->safe_psql('postgres', qq{
	CREATE EXTENSION pg_cron;
	CREATE TABLE orders (id bigint PRIMARY KEY, customer text NOT NULL, amount numeric(9,2) CHECK (amount >= 0), placed_at timestamptz);
	CREATE TABLE payments (id bigint PRIMARY KEY, paid numeric);
	CREATE SERVER cassandra FOREIGN DATA WRAPPER userstream_cassandra OPTIONS (hosts '127.0.0.1:1');
	SELECT userstream.create_stream('users', server => 'kafka', topic => '$topics{users}', target => 'spark_streams.created_users');
	SELECT userstream.create_stream('orders', server => 'kafka', topic => '$topics{orders}', target => 'orders', workers => 2);
	SELECT userstream.create_stream('payments', server => 'kafka', topic => '$topics{payments}', target => 'payments', on_error => 'stop');
	BEGIN;
	SELECT userstream.create_stream('<b onclick="x">&', server => 'kafka', topic => '$topics{payments}', target => 'payments');
	SELECT userstream.pause_stream('<b onclick="x">&');
	COMMIT;
	SELECT userstream.create_feed('randomuser', 'randomuser', 'kafka', '$topics{users}', '\$.results[*]', transform => 'format_user(jsonb)', key => 'id');
	SELECT userstream.create_feed('partners', 'partners', 'kafka', '$topics{users}', '\$.results[*]', retries => 0);
	SELECT cron.schedule('randomuser', '0 3 1 1 *', \$\$CALL userstream.run_feed('randomuser')\$\$);
	SELECT userstream.create_mirror('users', 'spark_streams.created_users', 'cassandra', 'spark_streams', 'created_users')});

# of each hundred some are bad, each in another way
sub order
{
	my ($n) = @_;
	my %order = (id => $n, customer => 'C' . $n % 37, amount => sprintf('%.2f', $n * 1.7),
		placed_at => sprintf('2026-03-%02dT%02d:15:00Z', 1 + $n % 28, $n % 24));

	$order{amount} = 'twelve' if $n % 100 == 11;
	$order{amount} = '-1.00' if $n % 100 == 23;
	delete $order{customer} if $n % 100 == 42;
	$order{placed_at} = 'yesterday morning' if $n % 100 == 64;
	return JSON::PP->new->canonical->encode(\%order) . ($n % 100 == 77 ? '}' : '');
}

ok(wait_until($node, 'postgres', 'SELECT count(*) FROM spark_streams.created_users', $users), 'the users are there');
ok(wait_until($node, 'postgres', q{SELECT count(*) FROM userstream.dead_letter WHERE stream = 'orders'}, 20), 'and dead letters');
ok(wait_until($node, 'postgres', q{SELECT state FROM userstream.stream_status WHERE stream = 'payments'}, 'stopped'), 'one stopped');
ok(wait_until($node, 'postgres', q{SELECT state FROM userstream.mirror_status}, 'waiting'), 'a mirror waits for its nodes');
foreach my $file ("$src/test/t/dashboard_sample.sql", "$src/dashboard/role.sql", "$src/test/servers/demo_dashboard.sql")
{
	$node->command_ok([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', $file ], $file =~ s{.*/}{}r);
}
run_feed($node, 'postgres', 'randomuser');
run_feed($node, 'postgres', 'partners');
$node->safe_psql('postgres', 'SELECT dashboard.refresh()');

# the dashboard's own charts first
$ENV{USERSTREAM_PLOTLY} = 'no';
my $dashboard = DashboardTest->new($node, 'postgres')->serve;
my $browser = BrowserTest->new("http://localhost:$dashboard->{port}");

my $checks = slurp_file("$src/test/t/browser_checks.js");
my $letter = $node->safe_psql('postgres', q{SELECT min(id) FROM userstream.dead_letter WHERE stream = 'orders'});
my $run = $node->safe_psql('postgres', q{SELECT max(run_id) FROM userstream.feed_run WHERE feed = 'partners'});

# the pages, and how many marks of its charts each has at least
my %pages = (
	users => [ '/', 40 ],
	streams => [ '/streams', 0 ],
	stream => [ '/streams/users', 3 ],
	messages => [ '/messages/orders?contains=yesterday', 0 ],
	feeds => [ '/feeds', 0 ],
	feed => [ '/feeds/partners', 0 ],
	run => [ "/feeds/partners/$run", 0 ],
	dead_letters => [ '/dead-letters', 3 ],
	dead_letter => [ "/dead-letters/$letter", 0 ],
	mirrors => [ '/mirrors', 0 ],
	absent => [ '/streams/no-such', 0 ],
);

# the control: what we look for is there when something is wrong
$browser->go(q{data:text/html,<meta http-equiv="Content-Security-Policy" content="script-src 'none'">}
	  . q{<script>1</script><h3 style="color:%23eee;background:%23fff">pale</h3><input><p style="width:3000px">wide</p>}
	  . q{<div style="overflow-x:auto;width:50px"><p style="width:99px">scrolls</p></div>});
like($browser->complaints, qr/script-src/, 'the browser complains where there is a reason');
my $control = join "\n", @{ $browser->script($checks) };
like($control, qr/$_/, "and so do we: $_")
  foreach 'contrast 1\.', 'without a label', 'left out', 'not one <main>', '30\d\d pixels wide', 'scrolls, but not by keys';

foreach my $look ([ 1280, 0 ], [ 1280, 1 ], [ 360, 0 ], [ 360, 1 ])
{
	my ($width, $dark) = @$look;

	$browser->look(width => $width, dark => $dark);
	foreach my $name (sort keys %pages)
	{
		my ($path, $least) = @{ $pages{$name} };
		my $what = "$name, $width" . ($dark ? ', dark' : '');

		$browser->go($path);
		# a page that is not there is 404, which the console says too
		is($browser->complaints =~ s/^SEVERE: \S+ - Failed to load resource: .* 404 .*$//mr, '', "$what: the browser has nothing to complain of");
		is(join("\n", @{ $browser->script($checks) }), '', "$what: nor have we");
		is(join(' ', @{ $browser->script(q{
			return Array.from(document.querySelectorAll('.scroll')).filter(function (box) {
				return box.scrollWidth > box.clientWidth && !box.closest('details'); })
				.map(function (box) { return box.closest('section').id; })}) }), '', "$what: its tables fit") if $width > 1000;
		my $marks = $browser->script(q{
			return Array.from(document.querySelectorAll('.chart svg rect[class] > title, .chart .line'), function (mark) {
				const box = (mark.tagName === 'title' ? mark.parentElement : mark).getBoundingClientRect();
				/* a line that does not rise has no height */
				return box.width > 0 && (mark.tagName === 'path' || box.height > 0);
			})});
		cmp_ok(scalar(@$marks), '>=', $least, "$what: its charts are drawn") if $least;
		is(scalar(grep { !$_ } @$marks), 0, "$what: each mark has a size") if $least;
	}
}

# on paper: no navigation, nothing cut off at the side
$browser->look(width => 800, print => 1)->go('/streams');
is($browser->script(q{return getComputedStyle(document.querySelector('nav')).display}), 'none', 'paper has no navigation');
is(join("\n", grep { !/scrolls/ } @{ $browser->script($checks) }), '', 'and can be read');
$browser->look;

# Keys: the first Tab shows the link past the navigation; after it each
# control comes in the order of the page, and it can be seen where one is.
foreach my $name (sort keys %pages)
{
	# a page that renews itself meanwhile would have other elements
	$browser->go($pages{$name}[0] . ($pages{$name}[0] =~ /\?/ ? '&' : '?') . 'refresh=0');
	my $expected = $browser->script(q{
		window.stops = Array.from(document.querySelectorAll('a[href], button, input, select, summary, [tabindex="0"]')).filter(function (e) {
			return e.checkVisibility({ checkVisibilityCSS: true });
		});
		return window.stops.length});
	my @at;

	foreach my $n (0 .. $expected - 1)
	{
		$browser->press('Tab');
		push @at, $browser->script(q{
			const e = document.activeElement, style = getComputedStyle(e), box = e.getBoundingClientRect();
			const seen = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 && box.right > 0 && box.bottom > 0 &&
				box.top < window.innerHeight && box.left < window.innerWidth;
			return window.stops.indexOf(e) + (seen ? '' : ' unseen ' + e.outerHTML.slice(0, 80))});
	}
	is("@at", join(' ', 0 .. $expected - 1), "$name: Tab goes through all $expected controls, in order and seen");
}
$browser->complaints;
$browser->go('/streams')->press('Tab');
is($browser->script('return document.activeElement.className'), 'skip', 'the first stop leads past the navigation');
$browser->press('Enter');
is($browser->script('return document.activeElement.id'), 'main', 'to the content');
$browser->press('/');
is($browser->script('return document.activeElement.id'), 'filter', '/ goes to the filter');

# a filter is used, by keys
$browser->press($_) foreach 'o', 'r', 'd', 'Enter';
$browser->wait_for(q{return location.search.includes('q=ord')}, 'the filtered page');
is($browser->script(q{return document.querySelectorAll('#streams tbody tr').length}), 1, 'a filter leaves what was asked for');
is($browser->script(q{return document.querySelector('#streams tbody th').textContent}), 'orders', 'and only that');

# renewal keeps filter, focus, what is being typed, and scrolling
$browser->look(height => 300)->go('/streams?q=ord');
$browser->script(q{
	window.renewals = 0;
	const fetched = window.fetch;
	window.fetch = function () { window.renewals++; return fetched.apply(window, arguments); };
	const filter = document.getElementById('filter');
	filter.focus(); filter.value = 'orde'; filter.setSelectionRange(1, 3);
	window.scrollTo(0, 40);
	window.row = document.querySelector('#streams tbody tr')});
$browser->wait_for('return window.renewals > 0 && !window.row.isConnected', 'the page renews itself');
is_deeply($browser->script(q{
		const filter = document.getElementById('filter');
		return [location.search, document.activeElement.id, filter.value, filter.selectionStart, filter.selectionEnd,
			window.scrollY, document.querySelectorAll('#streams tbody tr').length]}),
	[ '?q=ord', 'filter', 'orde', 1, 3, 40, 1 ], 'and all stays as it was');
like($browser->script(q{return document.getElementById('stamp').textContent}), qr/\d/, 'and says when');
$browser->go('/?refresh=0');
is($browser->script(q{return document.getElementById('refresh').hidden}), JSON::PP::true, 'or it does not, when told');
is($browser->complaints, '', 'nothing was complained of');

# names of others stay text
$browser->go('/streams');
is($browser->script(q{return document.querySelectorAll('[onclick]').length}), 0, 'a name is no markup');
like($browser->script(q{return document.body.textContent}), qr/<b onclick="x">&/, 'but itself');

unlike($browser->go('/')->script('return document.head.innerHTML'), qr/plotly/, 'where Plotly is not, nobody asks for it');

# Plotly, where make plotly has fetched it: the same numbers, nothing refused,
# no link and no element out of a label; the first, as Plotly leaves out some where they are long
sub check_plotly
{
	my $nationality = $node->safe_psql('postgres',
		'SELECT nationality FROM dashboard.users_by_nationality GROUP BY 1 ORDER BY sum(n) DESC, 1 LIMIT 1');
	$node->safe_psql('postgres', qq{
		UPDATE spark_streams.created_users SET nationality = '<a href="https://example.org">&amp;</a>'
		WHERE nationality = '$nationality';
		SELECT dashboard.refresh()});
	delete $ENV{USERSTREAM_PLOTLY};
	$dashboard->stop;
	$browser->{base} = 'http://localhost:' . $dashboard->serve->{port};
	$browser->go('/');
	$browser->wait_for(q{return document.querySelectorAll('.plotted').length === document.querySelectorAll('.chart').length},
		'a plot for each chart');
	is($browser->complaints, '', 'Plotly draws under our policy');
	is_deeply($browser->script(q{
			const drawn = document.querySelector('#nationalities-chart .plot').data;
			const sum = function (i) { return drawn[i].y.reduce(function (a, b) { return a + (b || 0); }, 0); };
			return [sum(0), sum(1)]}),
		[ map { $_ + 0 } split /\|/, $node->safe_psql('postgres', 'SELECT male, female FROM dashboard.users_totals') ],
		'the numbers that are there');
	is($browser->script(q{return document.querySelectorAll('.plot a').length}), 0, 'a label makes no link');
	like($browser->script(q{return document.querySelector('#nationalities-chart .plot').textContent}),
		qr{<a href="https://example.org">&amp;</a>}, 'but is text');
	is($browser->script(q{return document.querySelectorAll('.chart.plotted > svg').length}), scalar @{
			$browser->script(q{return Array.from(document.querySelectorAll('.chart.plotted > svg'), function (svg) {
				return getComputedStyle(svg).display }).filter(function (d) { return d === 'none' })}) },
		'in place of the pictures');
	# its buttons, none of which sends the numbers elsewhere, and each as small as a button is
	foreach my $width (360, 1280)
	{
		$browser->look(width => $width)->go('/');
		$browser->wait_for(q{return document.querySelectorAll('.plotted').length === document.querySelectorAll('.chart').length},
			"a plot for each chart, $width");
		my $buttons = $browser->script(q{
			return Array.from(document.querySelectorAll('.modebar-btn svg'), function (svg) {
				const box = svg.getBoundingClientRect();
				return [svg.parentElement.dataset.title, box.width, box.height]})});
		cmp_ok(scalar(@$buttons), '>', 10, "buttons, $width");
		is(join(' ', grep { /share|cloud|edit/i } map { $_->[0] } @$buttons), '', "... that keep the numbers here, $width");
		is(join(' ', map { "$_->[0] $_->[1]" } grep { $_->[1] > 30 || $_->[2] > 30 } @$buttons), '', "... and are small, $width");
		is(join(' ', @{ $browser->script(q{
			function meets(a, b) { return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom; }
			return Array.from(document.querySelectorAll('.plot')).flatMap(function (plot) {
				const buttons = Array.from(plot.querySelectorAll('.modebar-btn svg'), function (svg) { return svg.getBoundingClientRect(); });
				return Array.from(plot.querySelectorAll('.legendtext')).filter(function (text) {
					return buttons.some(function (box) { return meets(box, text.getBoundingClientRect()); });
				}).map(function (text) { return text.textContent; });
			})}) }), '', "... beside the legend, $width");
		is($browser->script('return document.documentElement.scrollWidth'), $width, "... in a page that fits, $width");
	}
	is($browser->script_later(q{return window.Plotly.toImage(document.querySelector('#ages-chart .plot'), {format: 'png'})
		.then(function (url) { return url.slice(0, 22) })}), 'data:image/png;base64,', 'and can be saved as PNG');
	is($browser->complaints, '', 'also under our policy');
	$node->safe_psql('postgres', qq{
		UPDATE spark_streams.created_users SET nationality = '$nationality' WHERE nationality LIKE '<a%';
		SELECT dashboard.refresh()});
	return;
}
check_plotly() if -e "$ENV{USERSTREAM_STATE}/dashboard/www/static/plotly-basic-4.1.1.min.js";

if (my $folder = $ENV{USERSTREAM_PICTURES})
{
	mkdir $folder unless -d $folder;
	$node->safe_psql('postgres', q{SELECT userstream.drop_stream('<b onclick="x">&')});
	foreach my $look ([ 'desktop', 1280, 0 ], [ 'dark', 1280, 1 ], [ 'phone', 360, 0 ])
	{
		my ($kind, $width, $dark) = @$look;

		$browser->look(width => $width, dark => $dark);
		cmp_ok($browser->go($pages{$_}[0])->picture("$folder/${_}_$kind.png"), '>', 5000, "a picture: $_, $kind") foreach sort keys %pages;
	}
	if ($ENV{USERSTREAM_WAIT})
	{
		diag("serving at $browser->{base} until $ENV{USERSTREAM_WAIT} is there");
		select undef, undef, undef, 0.5 until -e $ENV{USERSTREAM_WAIT};
	}
}
$browser->stop;
$dashboard->stop;
$node->stop;
done_testing();
