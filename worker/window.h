/*-------------------------------------------------------------------------
 * worker/window.h
 *    up to a thousand messages -> rows, so that one bad message costs one
 *
 * The one path from messages to the target, for the batches of a worker and
 * for the retry of dead letters.  What a message's fate means (counters, a
 * stop) is the business of whoever has it run.
 *-------------------------------------------------------------------------
 */
#ifndef US_WINDOW_H
#define US_WINDOW_H

#include "extension/catalog.h"
#include "worker/dead_letter.h"
#include "worker/sink_table.h"
#include "worker/source.h"

typedef struct UsRun UsRun;

/* what became of a message; each is called outside subtransactions and runs no user code */
typedef struct UsRunCalls
{
	/* whether a message takes part; NULL = each does */
	bool		(*takes) (const UsRun *run, const UsMessage *message);
	/* rows: number that it gave; 0 when a trigger or rule suppressed them */
	void		(*applied) (UsRun *run, const UsMessage *message, int rows);
	/* left out on purpose */
	void		(*skipped) (UsRun *run, const UsMessage *message);
	/* the fault is its own; may raise edata or another error instead of returning */
	void		(*rejected) (UsRun *run, const UsMessage *message, const ErrorData *edata);
} UsRunCalls;

/* messages on their way into a sink; set the first five, the rest is zero */
struct UsRun
{
	const UsStream *stream;
	UsSink	   *sink;
	const UsRunCalls *calls;
	MemoryContext context;		/* errors and dead letters; CurrentMemoryContext of the caller */
	MemoryContext row_context;	/* values of rows; reset by each window */

	int			nletters;		/* one for each rejected message, in no order */
	int			letters_capacity;
	UsDeadLetter *letters;		/* in context */

	int64		suspects;		/* rejected ones that may be the definition's fault */
	ErrorData  *first_suspect;	/* in what context was then */
};

/*
 * us_window_write -- messages[0 .. count) to rows, bad ones to dead letters
 *
 * In:      count      us_sink_window() at most
 * Needs:   us_sink_begin done
 * Errors:  transient ones and those of the definition; a message's own error
 *          never leaves it
 */
extern void us_window_write(UsRun *run, const UsMessage *messages, int count);

/*
 * us_run_check_suspects -- whether it is the definition that is wrong
 *
 * In:      taken      messages of all windows
 *          before     suspects in a row before them
 * Errors:  the first suspect, when there were many messages and each failed
 *          for a reason that does not lie in data
 */
extern void us_run_check_suspects(const UsRun *run, int64 taken, int64 before);

#endif							/* US_WINDOW_H */
