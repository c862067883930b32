/*-------------------------------------------------------------------------
 * worker/topic_watch.h
 *    what happens to a topic while its stream runs
 *
 * Used by stream workers between batches, outside transactions.
 *-------------------------------------------------------------------------
 */
#ifndef US_TOPIC_WATCH_H
#define US_TOPIC_WATCH_H

#include "worker/stream_state.h"

/* why a stream, or a partition of it, cannot go on, and which call continues it */
typedef struct UsTopicTrouble
{
	const char *kind;			/* of the incident */
	const char *detail;			/* palloc'd in CurrentMemoryContext */
	const char *what_to_do;
} UsTopicTrouble;

/* when this worker looks at the topic next; 0 = never, another worker does */
extern void us_topic_watch_begin(UsWorker *worker);

/* looks soon: the source said something that may be about the topic itself */
extern void us_topic_watch_hurry(UsWorker *worker);

/*
 * us_topic_watch_look -- ask the broker which partitions the topic has
 *
 * New ones get a position at their beginning, and the supervisor starts all
 * workers anew.  A broker that does not answer is nothing new.  Blocks for a
 * second at most, less when the process is interrupted.
 * Returns: true when the topic is gone or smaller, seen for some seconds: then
 *          trouble is filled and the stream must stop
 */
extern bool us_topic_watch_look(UsWorker *worker, UsTopicTrouble *trouble);

typedef enum UsRangeOutcome
{
	US_RANGE_MOVED,				/* the position lies in the partition now */
	US_RANGE_STOP,				/* trouble is filled: the partition must stop */
	US_RANGE_LATER,				/* the broker does not answer: ask again */
	US_RANGE_HELD				/* the partition holds it: another source, after a while */
} UsRangeOutcome;

/*
 * us_topic_settle_range -- a position that the partition does not hold
 *
 * By the option on_offset_out_of_range.  When it moves, position and a closed
 * incident are committed in one transaction, and position holds the new place.
 * Errors:  40001 when the position is another worker's by now
 */
extern UsRangeOutcome us_topic_settle_range(UsWorker *worker, UsPosition *position,
											UsTopicTrouble *trouble);

#endif							/* US_TOPIC_WATCH_H */
