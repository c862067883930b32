/*-------------------------------------------------------------------------
 * worker/trim.c
 *    memory that a backlog took goes back to the system
 *
 * Runs in stream workers, between batches.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "utils/memutils.h"
#include "worker/trim.h"

#define TRIM_BYTES	(16 * 1024 * 1024)	/* at least between two looks at memory */

void
us_trim_note_batch(UsWorker *worker)
{
	worker->untrimmed_bytes += Max((int64) worker->batch->bytes,
								   (int64) worker->batch->nmessages * US_QUEUE_MESSAGE_BYTES);
}

/* what malloc keeps for more messages: some of it in each thread's own arena */
void
us_trim(UsWorker *worker)
{
	if (worker->untrimmed_bytes < TRIM_BYTES)
		return;
	worker->untrimmed_bytes = 0;
	MemoryContextReset(worker->batch->context);
#ifdef __GLIBC__
	(void) malloc_trim(0);
#endif
}
