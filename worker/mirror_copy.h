/*-------------------------------------------------------------------------
 * worker/mirror_copy.h
 *    the rows that are there when a mirror begins
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_COPY_H
#define US_MIRROR_COPY_H

#include "worker/mirror_write.h"

/*
 * us_mirror_copy -- read all rows and give them to the writer
 *
 * Needs:   the transaction of the slot's snapshot; the writer's copy is begun
 */
extern void us_mirror_copy(const UsMirror *mirror, const UsMirrorPlan *plan,
						   const UsMirrorShape *shape, UsMirrorWriter *writer);

#endif							/* US_MIRROR_COPY_H */
