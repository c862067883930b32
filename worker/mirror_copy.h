/*-------------------------------------------------------------------------
 * worker/mirror_copy.h
 *    rows of the table itself: those there at the beginning, and those moved
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
						   UsMirrorWriter *writer);

/*
 * us_mirror_refill -- read the rows that the writer's open transaction moved
 *
 * In:      xid    of that transaction
 * Needs:   no transaction; nothing decoded since
 */
extern void us_mirror_refill(const UsMirror *mirror, const UsMirrorPlan *plan, TransactionId xid,
							 UsMirrorWriter *writer);

/* the same for all rows of the target or of partitions of it, by oid */
extern void us_mirror_copy_tables(const UsMirror *mirror, const UsMirrorPlan *plan, List *tables,
								  UsMirrorWriter *writer);

#endif							/* US_MIRROR_COPY_H */
