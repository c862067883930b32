/*-------------------------------------------------------------------------
 * worker/balance_plan.c
 *    loads of partitions -> which worker should read each
 *
 * Pure: no PostgreSQL, no memory of its own.  The largest goes first, each to
 * the worker with the least; a partition stays where it is when that is as
 * good.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "worker/balance_plan.h"

#define GAIN_PARTS 10			/* one in so many of the greatest load must go */

static int
compare_loads(const void *a, const void *b)
{
	const UsBalanceItem *left = a;
	const UsBalanceItem *right = b;

	if (left->load != right->load)
		return left->load > right->load ? -1 : 1;
	return left->partition < right->partition ? -1 : left->partition > right->partition;
}

static int
greatest(const int64_t *sums, int nworkers)
{
	int			result = 0;

	for (int i = 1; i < nworkers; i++)
		if (sums[i] > sums[result])
			result = i;
	return result;
}

/* of equals the one that has it */
static int
least(const int64_t *sums, int nworkers, int own)
{
	int			result = own;

	for (int i = 0; i < nworkers; i++)
		if (sums[i] < sums[result])
			result = i;
	return result;
}

int
us_balance_busiest(const UsBalanceItem *items, int count, int64_t *sums, int nworkers)
{
	memset(sums, 0, sizeof(*sums) * nworkers);
	for (int i = 0; i < count; i++)
		sums[items[i].worker] += items[i].load;
	return greatest(sums, nworkers);
}

bool
us_balance_plan(UsBalanceItem *items, int count, int64_t *sums, int nworkers)
{
	int64_t		before = sums[us_balance_busiest(items, count, sums, nworkers)];
	int64_t		gain;

	qsort(items, count, sizeof(*items), compare_loads);
	memset(sums, 0, sizeof(*sums) * nworkers);
	for (int i = 0; i < count; i++)
	{
		UsBalanceItem *item = &items[i];

		item->planned = item->load == 0 ? item->worker : least(sums, nworkers, item->worker);
		sums[item->planned] += item->load;
	}
	gain = before - sums[greatest(sums, nworkers)];
	return gain > 0 && gain >= before / GAIN_PARTS;
}
