/*-------------------------------------------------------------------------
 * worker/stream_source.h
 *    a stream worker's source: opened, looked after, opened anew
 *-------------------------------------------------------------------------
 */
#ifndef US_STREAM_SOURCE_H
#define US_STREAM_SOURCE_H

#include "worker/stream_state.h"

/*
 * us_worker_open_source -- read on from the committed positions
 *
 * A source of no partitions is none.  Ends the process when there can be no
 * source: then the supervisor starts another.
 */
extern void us_worker_open_source(UsWorker *worker);

/* takes at most some seconds; messages of the batch are given back */
extern void us_worker_close_source(UsWorker *worker);

/*
 * A live assignment is never changed: another set of partitions, or other
 * options, are another source.
 * Needs:   no message in the batch that is not committed
 */
extern void us_worker_reopen_source(UsWorker *worker);

/*
 * us_worker_look_again -- whether the trouble of a source that failed is over
 *
 * It goes on by itself, but says nothing when nothing new has come: the broker
 * is asked.  An error of a topic or partition is not over when the broker
 * answers; another source tells, by messages or their end.  One that has not
 * said anything yet is asked about, too.
 */
extern void us_worker_look_again(UsWorker *worker);

/* what others changed in the catalogs comes with a transaction; idle, there is none */
extern void us_worker_receive_changes(void);

/* take note of changes to servers and mappings from now on */
extern void us_worker_watch_options(void);

/*
 * us_worker_follow_options -- let changed options of the server count
 *
 * ALTER SERVER and ALTER USER MAPPING need no restart of the stream: a new
 * password counts as soon as it is told.
 * Errors:  the server is gone, or must not be used any more; the supervisor
 *          knows what to say then
 */
extern void us_worker_follow_options(UsWorker *worker);

#endif							/* US_STREAM_SOURCE_H */
