/*-------------------------------------------------------------------------
 * worker/balance.h
 *    partitions of a stream with a backlog, shared by what there is to read
 *-------------------------------------------------------------------------
 */
#ifndef US_BALANCE_H
#define US_BALANCE_H

#include "extension/catalog.h"

/*
 * us_balance_step -- look at all streams, if it is time, and move what is worth it
 *
 * Returns: when to call again, in ms; 0 = at once, for something was moved
 * Errors:  55P03 when a worker holds a position for long
 * Needs:   no transaction
 */
extern long us_balance_step(const UsStream *streams, int nstreams);

#endif							/* US_BALANCE_H */
