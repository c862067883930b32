/*-------------------------------------------------------------------------
 * test/unit/cql_hosts_test.c
 *    hosts in turn with their waits, and the window of writes in flight
 *-------------------------------------------------------------------------
 */
#include "test/unit/cql_help.h"
#include "worker/cql/hosts.h"
#include "worker/cql/window.h"

static void
parses(const char *list, const char *name0, int port0, int nhosts)
{
	UsCqlHosts	hosts;
	const char *error;

	tap_is(us_cql_hosts_parse(&hosts, list, NULL, 1, &error), US_CQL_OK, "hosts '%s'", list);
	tap_is(hosts.nhosts, nhosts, "so many");
	tap_ok(strcmp(hosts.hosts[0].name, name0) == 0 && hosts.hosts[0].port == port0, "the first");
	us_cql_hosts_free(&hosts);
}

static void
test_parse(void)
{
	static const char *const bad[][2] = {
		{"", "a host has no name"}, {"a,", "a host has no name"}, {",a", "a host has no name"},
		{":9042", "a host has no name"}, {"[]:1", "a host has no name"},
		{"a:0", "a port is a number from 1 to 65535"}, {"a:65536", "a port is a number from 1 to 65535"},
		{"a:", "a port is a number from 1 to 65535"}, {"a:1x", "a port is a number from 1 to 65535"},
		{"a:123456", "a port is a number from 1 to 65535"}, {"[::1]:", "a port is a number from 1 to 65535"},
		{"[::1", "a bracket is not closed"}, {"[::1]9042", "after a bracket only a port may follow"},
		{"a b", "hosts are separated by commas"},
		{"::1]:9042", "brackets belong around an address"}, {"a[1]", "brackets belong around an address"},
	};

	parses("a", "a", 9042, 1);
	parses("10.0.0.1:9043", "10.0.0.1", 9043, 1);
	parses(" a:1 , b ", "a", 1, 2);
	parses("[::1]:65535,a", "::1", 65535, 2);
	parses("[2001:db8::1]", "2001:db8::1", 9042, 1);
	parses("2001:db8::1", "2001:db8::1", 9042, 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
	{
		UsCqlHosts	hosts;
		const char *error = NULL;

		tap_is(us_cql_hosts_parse(&hosts, bad[i][0], NULL, 1, &error), US_CQL_BAD_VALUE,
			   "hosts '%s' are refused", bad[i][0]);
		tap_ok(error != NULL && strcmp(error, bad[i][1]) == 0, "because %s", bad[i][1]);
	}
}

static void
test_turns(void)
{
	UsCqlHosts	hosts;
	const char *error;
	int64_t		wait;
	int			seen[3] = {0, 0, 0};
	int			first;

	(void) us_cql_hosts_parse(&hosts, "a,b,c", NULL, 7, &error);
	for (int i = 0; i < 9; i++)
		seen[us_cql_hosts_next(&hosts, 1000, &wait)]++;
	tap_ok(seen[0] == 3 && seen[1] == 3 && seen[2] == 3, "each in its turn");

	first = us_cql_hosts_next(&hosts, 1000, &wait);
	us_cql_hosts_failed(&hosts, first, 1000, false);
	for (int i = 0; i < 4; i++)
		tap_ok(us_cql_hosts_next(&hosts, 1000, &wait) != first, "one that failed is left alone");
	for (int i = 0; i < 3; i++)
	{
		if (i != first)
			us_cql_hosts_failed(&hosts, i, 1000, false);
	}
	tap_is(us_cql_hosts_next(&hosts, 1000, &wait), -1, "when all failed there is none");
	tap_ok(wait >= 250 && wait <= 500, "until the first wait is over");
	tap_ok(us_cql_hosts_next(&hosts, 1000 + wait, &wait) >= 0 && wait == 0, "then there is one");
	us_cql_hosts_free(&hosts);
}

static void
test_backoff(void)
{
	UsCqlHosts	hosts;
	const char *error;
	int64_t		expected = 500;
	int64_t		wait;
	int			wrong = 0;
	int			varied = 0;

	(void) us_cql_hosts_parse(&hosts, "a", NULL, 3, &error);
	for (int i = 0; i < 40; i++)
	{
		us_cql_hosts_failed(&hosts, 0, 0, false);
		(void) us_cql_hosts_next(&hosts, 0, &wait);
		wrong += wait < expected / 2 || wait > expected;
		varied += wait != expected / 2 && wait != expected;
		expected = expected * 2 < 60000 ? expected * 2 : 60000;
	}
	tap_is(wrong, 0, "the wait doubles to a minute and stays there, for ever");
	tap_ok(varied > 30, "with jitter");
	us_cql_hosts_succeeded(&hosts, 0);
	tap_is(us_cql_hosts_next(&hosts, 0, &wait), 0, "success ends it");
	us_cql_hosts_failed(&hosts, 0, 0, false);
	(void) us_cql_hosts_next(&hosts, 0, &wait);
	tap_ok(wait <= 500, "and begins anew");
	us_cql_hosts_succeeded(&hosts, 0);
	us_cql_hosts_failed(&hosts, 0, 0, true);
	(void) us_cql_hosts_next(&hosts, 0, &wait);
	tap_ok(wait >= 30000, "what only a person can mend waits long at once");
	us_cql_hosts_free(&hosts);
}

static void
test_hosts_memory(void)
{
	CqlMemory	memory;
	UsCqlMemory functions = cql_memory(&memory);
	UsCqlHosts	hosts;
	const char *error;

	for (int n = 1; n <= 6; n++)
	{
		memory.calls = 0;
		memory.fail_at = n;
		tap_is(us_cql_hosts_parse(&hosts, "a,b,c", &functions, 1, &error), US_CQL_NO_MEMORY,
			   "no memory at request %d", n);
		tap_is(memory.live, 0, "leaves nothing");
	}
}

static void
test_window(void)
{
	UsCqlWindow window;
	uint64_t	numbers[256];
	int			n = 0;

	us_cql_window_init(&window, 16, 200, 128, 1000000);
	while (us_cql_window_open(&window, 100))
		numbers[n++] = us_cql_window_sent(&window, 100);
	tap_is(n, 128, "as many as the window at the start");
	for (int i = 0; i < 128; i++)
	{
		us_cql_window_answered(&window, numbers[i], 100, US_CQL_OUTCOME_GOOD);
		numbers[i] = us_cql_window_sent(&window, 100);
	}
	tap_is(window.size, 129, "a window of good answers is one more");
	us_cql_window_answered(&window, numbers[0], 100, US_CQL_OUTCOME_SLOWER);
	tap_is(window.size, 64, "one sign of too much halves it");
	tap_ok(!us_cql_window_open(&window, 100), "and nothing is sent until there is room");
	for (int i = 1; i < 128; i++)
		us_cql_window_answered(&window, numbers[i], 100, US_CQL_OUTCOME_SLOWER);
	tap_is(window.size, 64, "others from before do not halve it again");
	tap_ok(window.in_flight == 0 && window.bytes == 0, "nothing is in flight");
	for (int i = 0; i < 5; i++)
		us_cql_window_answered(&window, us_cql_window_sent(&window, 1), 1, US_CQL_OUTCOME_SLOWER);
	tap_is(window.size, 16, "it never falls below its least");
	for (int i = 0; i < 1000; i++)
		us_cql_window_answered(&window, us_cql_window_sent(&window, 1), 1, US_CQL_OUTCOME_GOOD);
	tap_is(window.size, 16, "one that is not used does not grow");
	for (int i = 0; i < 100000; i++)
	{
		while (us_cql_window_open(&window, 1))
			(void) us_cql_window_sent(&window, 1);
		us_cql_window_answered(&window, window.sent - 1, 1, US_CQL_OUTCOME_GOOD);
	}
	tap_is(window.size, 200, "one that is used grows to its most");
}

static void
test_window_bytes(void)
{
	UsCqlWindow window;

	us_cql_window_init(&window, 0, 0, 0, 1000);
	tap_ok(window.min == US_CQL_WINDOW_MIN && window.max == US_CQL_WINDOW_MAX &&
		   window.size == US_CQL_WINDOW_START, "defaults");
	tap_ok(us_cql_window_open(&window, 5000), "one request always may go");
	(void) us_cql_window_sent(&window, 5000);
	tap_ok(!us_cql_window_open(&window, 1), "but then no other");
	us_cql_window_answered(&window, 0, 5000, US_CQL_OUTCOME_OTHER);
	(void) us_cql_window_sent(&window, 600);
	tap_ok(us_cql_window_open(&window, 400), "up to the limit of bytes");
	tap_ok(!us_cql_window_open(&window, 401), "and not past it");
	tap_is(window.size, US_CQL_WINDOW_START, "what says nothing about load changes nothing");
}

int
main(void)
{
	test_parse();
	test_turns();
	test_backoff();
	test_hosts_memory();
	test_window();
	test_window_bytes();
	return tap_done();
}
