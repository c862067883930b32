/*-------------------------------------------------------------------------
 * worker/batch.h
 *    the messages that one transaction takes
 *
 * Positions, rows, dead letters and counters of a batch commit together or
 * not at all.  A batch that failed for a passing reason still holds its
 * messages and is simply run again.
 *-------------------------------------------------------------------------
 */
#ifndef US_BATCH_H
#define US_BATCH_H

#include "extension/catalog.h"
#include "worker/position.h"
#include "worker/sink_table.h"
#include "worker/source.h"

/* one partition of the worker, with what this batch does to it */
typedef struct UsPartition
{
	UsPosition	position;		/* committed */
	UsProgress	progress;		/* of this batch */
	int64		eof_offset;		/* next offset by the last end-of-partition event; -1 = none */
	int64		stop_at;		/* the first message not to take, as it is bad; -1 = none */
	char		stop_text[512]; /* and what is wrong with it */
	bool		at_end;			/* read to its end and nothing since */
	TimestampTz first_message_at;	/* oldest message of this batch; 0 = none */
	int			failures;		/* errors of its bytes or its fetches in a row, ... */
	int64		failed_at;		/* none of which was further than this position */
} UsPartition;

typedef struct UsBatch
{
	const UsStream *stream;
	UsSink	   *sink;
	int			npartitions;
	UsPartition *partitions;	/* ascending */
	int			nmessages;
	int			capacity;
	UsMessage  *messages;		/* as they came */
	int64		bytes;			/* of their values */
	int64		suspects_before;	/* in a row, up to this batch: see us_fault_is_definition */
	bool		letters_full;	/* max_dead_letters_per_minute: the stream stops at stop_at */
	MemoryContext context;		/* reset before each attempt */

	/* after a commit */
	uint64		rows_written;
	int			dead_letters;
} UsBatch;

typedef enum UsBatchOutcome
{
	US_BATCH_COMMITTED,
	US_BATCH_PARTITION_STOPPED, /* committed, and some partition stopped before a bad message */
	US_BATCH_STREAM_STOPPED,	/* committed, and the whole stream stopped before a bad message */
	US_BATCH_RETRY,				/* run it again later; nothing happened */
	US_BATCH_LOST,				/* the position is another's: this worker must end */
	US_BATCH_STOP				/* the stream cannot go on; nothing happened */
} UsBatchOutcome;

/* what an operator does when a batch is US_BATCH_STREAM_STOPPED */
#define US_TOO_MANY_ADVICE \
	"Mend the cause or raise the option, then call userstream.resume_stream."

typedef struct UsBatchError
{
	char		sqlstate[6];
	char		text[512];
	char		hint[256];		/* of the error; "" = none */
} UsBatchError;

extern UsBatch *us_batch_create(const UsStream *stream, UsSink *sink,
								const UsPosition *positions, int npositions);

/* the partition of a number; NULL = not this worker's */
extern UsPartition *us_batch_partition(UsBatch *batch, int32 partition);

/* anything to commit: messages, or a position that an end-of-partition event moved */
extern bool us_batch_is_due(const UsBatch *batch);

/*
 * us_batch_run -- one transaction for all of it
 *
 * Errors:  none raised, but those that end the process.  error is filled for
 *          RETRY, LOST and STOP, its text for the two that stopped.
 */
extern UsBatchOutcome us_batch_run(UsBatch *batch, UsBatchError *error);

/* empties the batch after a commit; the caller has released the messages */
extern void us_batch_clear(UsBatch *batch);

#endif							/* US_BATCH_H */
