/*-------------------------------------------------------------------------
 * worker/stage.h
 *    what a stream worker spends its time on
 *
 * One clock that always runs, for the stage entered last: the stages together
 * are all of the worker's time.  Entering one costs a look at the system's
 * clock, so it is done by the window of messages, never by the message.
 * Outside stream workers nothing is measured.
 *-------------------------------------------------------------------------
 */
#ifndef US_STAGE_H
#define US_STAGE_H

#include "extension/shmem.h"

/* from here on time is measured, and is that of a first stage */
extern void us_stage_start(UsStage first);

/* what was done until now was of the stage before; an error may leave any stage entered */
extern void us_stage_enter(UsStage stage);

/*
 * Decoding and converting take turns with each message.  Both are entered as
 * US_STAGE_CONVERT; what part of it is US_STAGE_DECODE is learned from one
 * message in some, which us_stage_sample_begin picks.  When it returns true
 * us_stage_sample_end must follow.
 */
extern bool us_stage_sample_begin(void);
extern void us_stage_sample_decoded(void);
extern void us_stage_sample_end(void);

/* tell shared memory */
extern void us_stage_report(void);

/*
 * us_stage_recent -- the stages of the last ten seconds or so, older ones counting less
 *
 * Out:     recent_us   US_STAGE_COUNT of them, microseconds, as of the last report
 * Returns: their sum
 */
extern double us_stage_recent(double *recent_us);

#endif							/* US_STAGE_H */
