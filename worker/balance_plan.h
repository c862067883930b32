/*-------------------------------------------------------------------------
 * worker/balance_plan.h
 *    loads of partitions -> which worker should read each
 *-------------------------------------------------------------------------
 */
#ifndef US_BALANCE_PLAN_H
#define US_BALANCE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

typedef struct UsBalanceItem
{
	int			partition;
	int64_t		load;			/* messages, at least 0 */
	int			worker;			/* that reads it now, 0 .. nworkers - 1 */
	int			planned;		/* that should */
} UsBalanceItem;

/*
 * us_balance_plan -- give the most loaded worker as little as possible
 *
 * In:      items    count of them, all but planned set
 *          sums     room for nworkers numbers
 * Out:     items    by load, the largest first; planned is set
 * Returns: whether it is worth it: the greatest load of a worker becomes less
 *          by a tenth at least.  Never allocates.
 */
extern bool us_balance_plan(UsBalanceItem *items, int count, int64_t *sums, int nworkers);

/* the most loaded worker as it is, the first of equals; sums has the loads of all then */
extern int	us_balance_busiest(const UsBalanceItem *items, int count, int64_t *sums, int nworkers);

#endif							/* US_BALANCE_PLAN_H */
