/*-------------------------------------------------------------------------
 * worker/flow.h
 *    how fast a stream worker takes messages, and the memory that this needs
 *-------------------------------------------------------------------------
 */
#ifndef US_FLOW_H
#define US_FLOW_H

#include "worker/stream_state.h"

/* how much a source that is opened now should fetch ahead, kB */
extern int	us_flow_queue_kb(const UsWorker *worker);

/* messages come, or have come: the first after a wait */
extern void us_flow_begin(UsWorker *worker);

/* a batch was committed and is not cleared yet */
extern void us_flow_note_batch(UsWorker *worker);

/* something else than the queue takes time; nothing is learned from what was taken until now */
extern void us_flow_interrupt(UsWorker *worker);

/*
 * us_flow_end -- there is nothing to take; the worker is about to wait
 *
 * Gives memory back to the system when all was read.
 * Returns: true when it should not wait but open its source anew: a backlog
 *          was taken faster than a queue of this size lets it come
 * Needs:   an empty batch, and what us_worker_report_idle finds out
 */
extern bool us_flow_end(UsWorker *worker);

#endif							/* US_FLOW_H */
