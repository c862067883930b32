/*-------------------------------------------------------------------------
 * test/unit/balance_test.c
 *    which partitions move between the workers of a stream, and which stay
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "test/unit/tap.h"
#include "worker/balance_plan.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define MOST 8

/* by partition, which go to workers by number at first; planned counts where it is worth it */
static const struct
{
	const char *what;
	int			nworkers;
	int			count;
	int64_t		loads[MOST];
	const int	planned[MOST];
	bool		is_worth_it;
}			cases[] =
{
	{"an even load", 2, 4, {10, 10, 10, 10}, {0, 1, 0, 1}, false},
	{"a load even by worker", 2, 4, {90, 10, 10, 90}, {0, 1, 0, 1}, false},
	{"nothing to read", 3, 5, {0}, {0}, false},
	{"one busy partition, which cannot be divided", 2, 4, {0, 70, 0, 0}, {0}, false},
	{"less than a tenth to gain", 2, 4, {100, 95, 105, 90}, {0}, false},
	{"70, 10, 10, 10", 2, 4, {70, 10, 10, 10}, {0, 1, 1, 1}, true},
	{"the same at another place", 2, 4, {10, 10, 10, 70}, {0, 0, 0, 1}, true},
	{"two busy partitions at one worker", 2, 4, {60, 0, 60, 0}, {0, 1, 1, 1}, true},
	{"one that came by chance of its number", 3, 6, {50, 40, 30, 50, 0, 0}, {0, 2, 2, 1, 1, 2}, true},
	{"very large ones", 2, 4, {INT64_MAX / 4, 1, INT64_MAX / 4, 1}, {0, 1, 1, 0}, true},
};

static void
fill(UsBalanceItem *items, const int64_t *loads, int count, int nworkers)
{
	for (int i = 0; i < count; i++)
		items[i] = (UsBalanceItem) {
			.partition = i, .load = loads[i], .worker = i % nworkers, .planned = -1
		};
}

static int64_t
greatest_planned(const UsBalanceItem *items, int count, int nworkers)
{
	int64_t		sums[MOST] = {0};
	int64_t		result = 0;

	for (int i = 0; i < count; i++)
		sums[items[i].planned] += items[i].load;
	for (int i = 0; i < nworkers; i++)
		result = sums[i] > result ? sums[i] : result;
	return result;
}

static void
test_cases(void)
{
	for (size_t i = 0; i < COUNT(cases); i++)
	{
		UsBalanceItem items[MOST];
		int64_t		sums[MOST];
		bool		worth;

		fill(items, cases[i].loads, cases[i].count, cases[i].nworkers);
		worth = us_balance_plan(items, cases[i].count, sums, cases[i].nworkers);
		tap_is(worth, cases[i].is_worth_it, "%s: whether something moves", cases[i].what);
		for (int j = 0; worth && j < cases[i].count; j++)
			tap_is(items[j].planned, cases[i].planned[items[j].partition], "%s: partition %d",
				   cases[i].what, items[j].partition);
	}
}

/* whatever the loads are: a plan that is followed is not changed by the next look at them */
static void
test_settles(void)
{
	int			restless = 0;
	int			worse = 0;

	srand(1);
	for (int round = 0; round < 10000; round++)
	{
		UsBalanceItem items[MOST];
		int64_t		loads[MOST];
		int64_t		sums[MOST];
		int			nworkers = 2 + rand() % 3;
		int			count = nworkers + 1 + rand() % (MOST - nworkers);
		int			busiest;
		int64_t		before;

		for (int i = 0; i < count; i++)
			loads[i] = rand() % 4 == 0 ? 0 : rand() % 1000;
		fill(items, loads, count, nworkers);
		busiest = us_balance_busiest(items, count, sums, nworkers);
		before = sums[busiest];
		if (!us_balance_plan(items, count, sums, nworkers))
			continue;
		worse += greatest_planned(items, count, nworkers) >= before;
		for (int i = 0; i < count; i++)
			items[i].worker = items[i].planned;
		restless += us_balance_plan(items, count, sums, nworkers);
	}
	tap_is(worse, 0, "a plan that is worth it never gives the busiest worker more");
	tap_is(restless, 0, "and is not changed by a second look");
}

int
main(void)
{
	test_cases();
	test_settles();
	return tap_done();
}
