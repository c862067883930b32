/*-------------------------------------------------------------------------
 * worker/trim.h
 *    memory that a backlog took goes back to the system
 *-------------------------------------------------------------------------
 */
#ifndef US_TRIM_H
#define US_TRIM_H

#include "worker/stream_state.h"

/* a batch was committed and is not cleared yet */
extern void us_trim_note_batch(UsWorker *worker);

/* all was read and the batch is empty */
extern void us_trim(UsWorker *worker);

#endif							/* US_TRIM_H */
