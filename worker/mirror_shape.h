/*-------------------------------------------------------------------------
 * worker/mirror_shape.h
 *    what ALTER TABLE does to rows without a change of each
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_SHAPE_H
#define US_MIRROR_SHAPE_H

#include "extension/mirror.h"
#include "nodes/pg_list.h"
#include "worker/mirror_plan.h"

/* the table's columns, partitions and files as they are now; needs a transaction */
extern Jsonb *us_mirror_shape_read(const UsMirror *mirror);

/*
 * us_mirror_shape_compare -- columns and partitions with those kept last
 *
 * A column that came with a value for rows that are there, that has another
 * name or type than before, or whose values were computed anew, changed rows
 * without a change in the WAL: that is an incident.  So is a partition that
 * went with its rows.
 * Needs:   transaction
 * Returns: partitions that came, as a list of oids: their rows are to be copied
 */
extern List *us_mirror_shape_compare(const UsMirror *mirror, const Jsonb *now);

/* for the next time; needs a transaction */
extern void us_mirror_shape_keep(const UsMirror *mirror, const Jsonb *now);

/*
 * us_mirror_shape_mark_copied -- what was in Cassandra when the mirror began last
 *
 * Out:     copied of the plan's columns, copied_to; none before the first copy
 */
extern void us_mirror_shape_mark_copied(const UsMirror *mirror, UsMirrorPlan *plan);

/* that of now: the plan's columns, table_id; needs a transaction */
extern void us_mirror_shape_keep_copied(const UsMirror *mirror, const UsMirrorPlan *plan);

/* an incident: the copy has not all that the table has, or more */
extern void us_mirror_shape_differs(const UsMirror *mirror, const char *detail);

#endif							/* US_MIRROR_SHAPE_H */
