/*-------------------------------------------------------------------------
 * worker/batch_internal.h
 *    one attempt at a batch: what batch.c and window.c share
 *-------------------------------------------------------------------------
 */
#ifndef US_BATCH_INTERNAL_H
#define US_BATCH_INTERNAL_H

#include "worker/batch.h"
#include "worker/dead_letter.h"

/* where in the transaction an error came from */
typedef enum UsBatchPhase
{
	US_PHASE_POSITION,			/* our own tables */
	US_PHASE_TARGET,			/* opening and closing the target */
	US_PHASE_ROWS,
	US_PHASE_RESULTS,			/* our own tables */
	US_PHASE_COMMIT
} UsBatchPhase;

/* lives in the batch's context, for one attempt */
typedef struct UsRun
{
	UsBatch    *batch;
	UsBatchPhase phase;
	int			taken;			/* messages that this attempt takes */

	int			nletters;
	int			letters_capacity;
	UsDeadLetter *letters;

	int			suspects;		/* dead letters that may be the definition's fault */
	ErrorData  *first_suspect;
	bool		again;			/* a stop_at was set: this attempt is void */
} UsRun;

/* whether a message comes before the place where its partition stops */
extern bool us_batch_takes(const UsPartition *partition, const UsMessage *message);

/*
 * us_window_write -- messages[from .. to) to rows, bad ones to dead letters
 *
 * Errors:  transient ones and those of the definition; a message's own error
 *          never leaves it
 */
extern void us_window_write(UsRun *run, int from, int to);

#endif							/* US_BATCH_INTERNAL_H */
