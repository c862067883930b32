/*-------------------------------------------------------------------------
 * worker/flow.c
 *    how fast a stream worker takes messages, and the memory that this needs
 *
 * Runs in stream workers, between batches.  A queue that is full stops the
 * fetches, with old librdkafka for a second, so it must hold what is taken in
 * that time: much for a plain table, little where a transform has to run.
 * Which it is shows by the first backlog: a worker begins with a small queue
 * and opens its source anew when it has emptied it too fast.  What it learned
 * stays in its slot for its successors.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "extension/guc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/flow.h"

#define FIRST_QUEUE_KB		(16 * 1024)
#define QUEUE_SECONDS		1.5		/* of consumption: old librdkafka's second, then fetches */
#define TRIM_BYTES			(16 * 1024 * 1024)	/* at least between two looks at memory */

int
us_flow_queue_kb(const UsWorker *worker)
{
	int			limit_kb = us_guc_queue_memory_kb > 0 ? us_guc_queue_memory_kb :
		us_source_queue_limit_kb();
	double		wanted_kb = worker->bytes_per_second * QUEUE_SECONDS / 1024;

	return (int) Min(Max(wanted_kb, FIRST_QUEUE_KB), limit_kb);
}

void
us_flow_begin(UsWorker *worker)
{
	if (worker->flow_since == 0)
		worker->flow_since = GetCurrentTimestamp();
}

void
us_flow_note_batch(UsWorker *worker)
{
	int64		bytes = Max((int64) worker->batch->bytes,
							(int64) worker->batch->nmessages * US_QUEUE_MESSAGE_BYTES);

	if (worker->flow_since != 0)
		worker->flow_bytes += bytes;
	worker->untrimmed_bytes += bytes;
}

/* whether since it waited last it took at least a queue; so it is known how fast it is */
static bool
note_throughput(UsWorker *worker, int queue_kb)
{
	double		seconds = Max((GetCurrentTimestamp() - worker->flow_since) / 1e6, 1e-3);

	if (worker->flow_bytes / 1024 < queue_kb / 4 * 3)
		return false;
	worker->bytes_per_second = (int64) (worker->flow_bytes / seconds);
	us_slot_report_throughput(worker->bytes_per_second);
	return true;
}

/* what malloc keeps for more messages: some of it in each thread's own arena */
static void
give_memory_back(UsWorker *worker)
{
	if (worker->untrimmed_bytes < TRIM_BYTES)
		return;
	worker->untrimmed_bytes = 0;
	MemoryContextReset(worker->batch->context);
#ifdef __GLIBC__
	(void) malloc_trim(0);
#endif
}

void
us_flow_interrupt(UsWorker *worker)
{
	worker->flow_since = 0;
	worker->flow_bytes = 0;
}

bool
us_flow_end(UsWorker *worker)
{
	int			queue_kb = worker->source != NULL ? us_source_queue_kb(worker->source) : 0;
	bool		starved = false;

	if (worker->flow_bytes > 0 && queue_kb > 0 && !worker->failing)
	{
		bool		emptied = note_throughput(worker, queue_kb) && worker->behind;

		starved = worker->behind && us_flow_queue_kb(worker) > queue_kb;
		worker->queue_short = emptied && !starved;
	}
	us_flow_interrupt(worker);
	if (!worker->behind)
		give_memory_back(worker);
	return starved;
}
