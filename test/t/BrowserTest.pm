#
# test/t/BrowserTest.pm
#    a Chromium for the tests of the dashboard, by the WebDriver protocol
#
#    my $browser = BrowserTest->new('http://localhost:5000');   # ends with the test
#    $browser->look(width => 360, dark => 1, print => 0);        # from the next page on
#    $browser->go('/streams');
#    $browser->script('return document.title');
#    $browser->press('Tab');
#    $browser->wait_for('return document.hasFocus()', 'what it is');
#    $browser->complaints;        # of the console and of the CSP, since the last call
#    $browser->picture('file.png');                              # of the page, 1200 pixels of it
#
# Chromium's own sandbox needs what a container may not give.  Then it runs
# without: it opens nothing but pages of ours.
#
package BrowserTest;

use strict;
use warnings;

use Carp;
use HTTP::Tiny;
use IPC::Run ();
use JSON::PP;
use MIME::Base64 qw(decode_base64);
use PostgreSQL::Test::Cluster ();
use PostgreSQL::Test::Utils ();
use Time::HiRes qw(sleep time);

my %keys = (Tab => "\x{E004}", Enter => "\x{E007}", Shift => "\x{E008}", Space => ' ');

my $json = JSON::PP->new->utf8->canonical->allow_nonref;
my @open;

sub new
{
	my ($class, $base) = @_;
	my $self = bless {
		base => $base,
		folder => "${PostgreSQL::Test::Utils::tmp_check}/browser.$$",
		port => PostgreSQL::Test::Cluster::get_free_port(),
		http => HTTP::Tiny->new(timeout => 300),
	}, $class;

	mkdir $self->{folder} or croak "$self->{folder}: $!";
	push @open, $self;
	{
		# whatever Chromium writes goes there
		local @ENV{qw(HOME TMPDIR XDG_RUNTIME_DIR)} = ($self->{folder}) x 3;
		$self->{driver} = IPC::Run::start([ 'chromedriver', "--port=$self->{port}", "--log-path=$self->{folder}/driver.log" ],
			'<', '/dev/null', '>', "$self->{folder}/out", '2>&1');
	}
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	until ($self->{http}->get("http://127.0.0.1:$self->{port}/status")->{success})
	{
		croak 'no answer of chromedriver' if time > $end;
		sleep 0.1;
	}
	$self->begin or $self->begin('--no-sandbox') or croak "no session: $self->{error}";
	$self->cdp('Page.addScriptToEvaluateOnNewDocument', source => q{
		window.complaints = [];
		document.addEventListener('securitypolicyviolation', function (e) {
			window.complaints.push('CSP: ' + e.violatedDirective + ' ' + e.blockedURI);
		})});
	return $self->look;
}

sub begin
{
	my ($self, @options) = @_;
	my $session = eval {
		$self->ask('POST', '/session', {
				capabilities => { alwaysMatch => {
					'goog:loggingPrefs' => { browser => 'ALL' },
					'goog:chromeOptions' => { args => [ '--headless=new', '--disable-gpu', '--hide-scrollbars',
						'--disable-dev-shm-usage', '--force-color-profile=srgb', "--user-data-dir=$self->{folder}/profile", @options ] } } } });
	};

	$self->{error} = $@;
	$self->{session} = "/session/$session->{sessionId}" if $session;
	return $session;
}

# one command of the protocol; returns its value
sub ask
{
	my ($self, $method, $path, $body) = @_;
	my $reply = $self->{http}->request($method, "http://127.0.0.1:$self->{port}$path", {
			headers => { 'Content-Type' => 'application/json' },
			$method eq 'POST' ? (content => $json->encode($body // {})) : () });
	my $value = eval { $json->decode($reply->{content})->{value} };

	croak "$method $path: " . (ref $value ? $value->{message} : $reply->{content}) unless $reply->{success};
	return $value;
}

sub session { my ($self, $method, $path, $body) = @_; return $self->ask($method, "$self->{session}$path", $body); }
sub cdp { my ($self, $command, %params) = @_; return $self->session('POST', '/goog/cdp/execute', { cmd => $command, params => \%params }); }
sub script { my ($self, $script, @args) = @_; return $self->session('POST', '/execute/sync', { script => $script, args => \@args }); }

# a script that returns a promise; what that comes to
sub script_later
{
	my ($self, $script) = @_;
	return $self->session('POST', '/execute/async', { args => [],
			script => "const done = arguments[0]; (function () { $script })().then(done, function (e) { done('failed: ' + e) })" });
}

# a window this wide and high, in this light, as on a screen or on paper
sub look
{
	my ($self, %args) = @_;
	my $width = $args{width} // 1280;

	$self->{width} = $width;
	$self->cdp('Emulation.setDeviceMetricsOverride', width => $width, height => $args{height} // ($width < 600 ? 740 : 900),
		deviceScaleFactor => $args{scale} // 1, mobile => $width < 600 ? JSON::PP::true : JSON::PP::false);
	$self->cdp('Emulation.setEmulatedMedia', media => $args{print} ? 'print' : 'screen',
		features => [ { name => 'prefers-color-scheme', value => $args{dark} ? 'dark' : 'light' } ]);
	return $self;
}

sub go
{
	my ($self, $path) = @_;

	$self->session('POST', '/url', { url => $path =~ m{^/} ? "$self->{base}$path" : $path });
	return $self;
}

# polls a script until it is true
sub wait_for
{
	my ($self, $script, $what) = @_;
	my $end = time + $PostgreSQL::Test::Utils::timeout_default;
	my $value;

	until ($value = $self->script($script))
	{
		croak "it did not come: $what" if time > $end;
		sleep 0.1;
	}
	return $value;
}

sub press
{
	my ($self, @names) = @_;
	my @down = map { { type => 'keyDown', value => $keys{$_} // $_ } } @names;
	my @up = map { { type => 'keyUp', value => $keys{$_} // $_ } } reverse @names;

	return $self->session('POST', '/actions', { actions => [ { type => 'key', id => 'keys', actions => [ @down, @up ] } ] });
}

# of the console and of the content security policy, since the last call
sub complaints
{
	my ($self) = @_;
	my $log = $self->session('POST', '/se/log', { type => 'browser' });
	my $csp = $self->script('const c = window.complaints || []; window.complaints = []; return c');

	return join "\n", @$csp, map { "$_->{level}: $_->{message}" } @$log;
}

sub picture
{
	my ($self, $file) = @_;
	my $size = $self->script('return [document.documentElement.scrollWidth, document.documentElement.scrollHeight]');
	my $height = $size->[1] < 1200 ? $size->[1] : 1200;
	my $shot = $self->cdp('Page.captureScreenshot', format => 'png', captureBeyondViewport => JSON::PP::true,
		clip => { x => 0, y => 0, width => $self->{width}, height => $height, scale => 1 });

	open(my $out, '>:raw', $file) or croak "$file: $!";
	print $out decode_base64($shot->{data});
	close $out or croak "$file: $!";
	return -s $file;
}

sub stop
{
	my ($self) = @_;

	return unless $self->{driver};
	eval { $self->session('DELETE', '') if $self->{session} };
	$self->{driver}->kill_kill(grace => 10);
	delete $self->{driver};
	return;
}

END
{
	my $exit = $?;

	$_->stop foreach @open;
	$? = $exit;
}

1;
