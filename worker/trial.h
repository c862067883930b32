/*-------------------------------------------------------------------------
 * worker/trial.h
 *    what a message would become, without its becoming anything
 *-------------------------------------------------------------------------
 */
#ifndef US_TRIAL_H
#define US_TRIAL_H

#include "extension/catalog.h"
#include "worker/source.h"

/*
 * us_trial_rows -- write a message by the path of the workers, and undo it
 *
 * Everything is done as for a dead letter that is retried, but in a
 * subtransaction that is rolled back.
 * Returns: *count rows as jsonb, with the columns that are known before the
 *          target gives its own; in CurrentMemoryContext
 * Out:     *removes  the message would remove the row that has the one row's key
 * Errors:  what a worker would meet, and would make a dead letter of
 */
extern Jsonb **us_trial_rows(UsStream *stream, const UsMessage *message,
							 int *count, bool *removes);

#endif							/* US_TRIAL_H */
