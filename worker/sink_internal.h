/*-------------------------------------------------------------------------
 * worker/sink_internal.h
 *    what sink_table.c shares with the two ways into a table
 *-------------------------------------------------------------------------
 */
#ifndef US_SINK_INTERNAL_H
#define US_SINK_INTERNAL_H

#include "executor/spi.h"
#include "nodes/execnodes.h"
#include "worker/sink_table.h"

struct UsSink
{
	const UsStream *stream;
	Oid			target;

	/* made when the relation changed; all of it lives in plan_context */
	uint64		changes;		/* counts the relation's invalidations */
	uint64		compiled;		/* value of changes that the rest was made for */
	MemoryContext plan_context;
	char	   *name;			/* of the relation, qualified: a schema's new name is not told */
	int			ndomains;
	uint32	   *domains;		/* of its columns: hashes as callbacks of TYPEOID get them */
	UsMap	   *map;
	TupleDesc	descriptor;		/* of the slots */
	TupleTableSlot **slots;		/* US_SINK_WINDOW of them, made when first used */
	bool		direct;
	bool		may_suppress;	/* the table can drop rows without an error */
	SPIPlanPtr	insert_plan;	/* query path; saved, freed by hand */
	TupleDesc	query_descriptor;	/* query path: the columns of the ephemeral relation */
	AttrNumber *query_attnums;	/* query path: where they come from */

	/* of the process */
	UsSink	   *next;
	MemoryContextCallback forget;	/* called when the sink's memory goes */

	/* of one batch */
	Relation	relation;		/* NULL between batches */
	int			failed_row;
};

/* worker/sink_direct.c: whether a relation can be written without the executor's help */
extern bool us_sink_direct_possible(Relation relation);
extern uint64 us_sink_direct_write(UsSink *sink, const int *order, int from, int to);

/* worker/sink_query.c */
extern bool us_sink_query_may_suppress(Relation relation);
extern void us_sink_query_prepare(UsSink *sink);
extern uint64 us_sink_query_write(UsSink *sink, const int *order, int from, int to);

#endif							/* US_SINK_INTERNAL_H */
