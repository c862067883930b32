/*-------------------------------------------------------------------------
 * worker/stream_state.h
 *    what a stream worker knows of its stream, and tells the views
 *-------------------------------------------------------------------------
 */
#ifndef US_STREAM_STATE_H
#define US_STREAM_STATE_H

#include "extension/shmem.h"
#include "storage/latch.h"
#include "worker/batch.h"

typedef struct UsWorker
{
	UsSlot		slot;			/* as it was at the start */
	UsStream   *stream;
	char	   *database;
	UsOptionList options;
	struct UsRegistry *registry;	/* of the messages' schemas; NULL = they need none */
	UsSink	   *sink;
	UsBatch    *batch;
	int64		message_bytes;	/* mean size of the values that were taken last */
	UsSource   *source;			/* NULL: no partition to read */
	int			queue_memory_kb;	/* what the setting was when it was opened */
	WaitEventSet *wait_set;		/* latch, postmaster, source */
	UsEvent    *stops;			/* per partition: what stops it once the batch is committed */

	TimestampTz retry_at;		/* the batch failed and runs again then; 0 = it did not */
	int			retries;		/* in a row */
	bool		failing;		/* an error is shown */
	UsState		failing_state;
	bool		source_failing; /* and it is the source's */
	bool		reopen;			/* only another source can show that it is over */
	TimestampTz probe_at;		/* while source_failing: not to ask the broker before */
	TimestampTz silent_at;		/* nothing was heard of it: ask the broker then; 0 = not so */

	bool		unpublished;	/* positions moved since Kafka's tools were told */
	TimestampTz published_at;	/* when they were told last; 0 = never */

	TimestampTz look_at;		/* next look at the topic; 0 = another worker looks */
	TimestampTz suspicious_since;	/* all looks since found it gone or smaller; 0 = not so */

	int			log_level;		/* of the source */

	int64		untrimmed_bytes;	/* taken since memory was given back to the system */

	double		rows_per_second;	/* smoothed over some seconds */
	TimestampTz rate_at;		/* last sample; 0 = none */
	bool		behind;			/* a partition has messages that were not read, or may have */
} UsWorker;

/* an event of the source: ends of partitions, errors, offsets out of range */
extern void us_worker_note_event(UsWorker *worker, const UsEvent *event);

/*
 * this source cannot go on: why, until another is opened once the broker
 * answers; partition is the one that fails, NULL when it is not one alone
 */
extern void us_worker_reopen_later(UsWorker *worker, UsPartition *partition, const char *text);

/* show an error (logged when the state changes), and that it is over */
extern void us_worker_failing(UsWorker *worker, UsState state, const char *error);
extern void us_worker_recovered(UsWorker *worker);

/* ask the broker of a source that failed whether it answers, for timeout_ms at most */
extern bool us_worker_probe(UsWorker *worker, int timeout_ms);

/* a new source, or one that is still silent: when to ask the broker what is the matter */
extern void us_worker_expect_word(UsWorker *worker);
/* ... and asking it, if it is time */
extern void us_worker_look_at_silence(UsWorker *worker, int timeout_ms);

/*
 * us_worker_publish -- tell Kafka's own tools of the positions, if it is time
 *
 * Returns: how long not to call again, in ms; -1 = until a batch is committed
 */
extern long us_worker_publish(UsWorker *worker);

/* tell shared memory: all partitions; those of a batch; that there is nothing to do */
extern void us_worker_report_start(UsWorker *worker);
extern void us_worker_report_batch(UsWorker *worker);
extern void us_worker_report_idle(UsWorker *worker);

/* next delay of an exponential backoff with jitter, ms; counts retries up */
extern int	us_worker_retry_delay(int *retries, int first_ms, int max_ms);

#endif							/* US_STREAM_STATE_H */
