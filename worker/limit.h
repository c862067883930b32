/*-------------------------------------------------------------------------
 * worker/limit.h
 *    what a stream worker's speed ends at, while messages wait to be read
 *-------------------------------------------------------------------------
 */
#ifndef US_LIMIT_H
#define US_LIMIT_H

#include "worker/stream_state.h"

/*
 * us_limit_report -- tell shared memory what takes most of the time lately
 *
 * Nothing does while all is read, or before there is a time to speak of.
 * Needs:   us_stage_report before; worker->behind is known
 */
extern void us_limit_report(const UsWorker *worker);

#endif							/* US_LIMIT_H */
