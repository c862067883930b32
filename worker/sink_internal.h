/*-------------------------------------------------------------------------
 * worker/sink_internal.h
 *    what sink_table.c shares with the two ways into a table
 *-------------------------------------------------------------------------
 */
#ifndef US_SINK_INTERNAL_H
#define US_SINK_INTERNAL_H

#include "executor/spi.h"
#include "nodes/execnodes.h"
#include "worker/expand.h"
#include "worker/sink_table.h"

typedef struct UsUpsert UsUpsert;	/* below */

/* a row on its way in */
typedef struct UsSinkRow
{
	TupleTableSlot *slot;
	bool	   *present;		/* upsert: which columns its message has */
	bool		removes;		/* upsert: only the key is there, the row has to go */
} UsSinkRow;

/* where an error of expanding messages comes from */
typedef enum UsSinkStep
{
	US_STEP_EXPAND,				/* us_expand_failed_at knows the message */
	US_STEP_MAP,				/* failed_row has its row */
	US_STEP_WRITE
} UsSinkStep;

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
	UsSinkRow  *rows;			/* made when first used */
	int			nrows;
	bool		direct;
	int			clean_rows;		/* since one failed; not counted for ever */
	bool		may_suppress;	/* the table can drop rows without an error */
	UsExpand   *expand;			/* messages that give any number of rows; else NULL */
	MemoryContext expand_context;	/* reset for each chunk of messages */
	UsUpsert   *upsert;			/* mode upsert; else NULL */
	SPIPlanPtr	insert_plan;	/* query path; saved, freed by hand */
	TupleDesc	query_descriptor;	/* query path: the columns of the ephemeral relation */
	AttrNumber *query_attnums;	/* query path: where they come from */

	/* of the process */
	UsSink	   *next;
	MemoryContextCallback forget;	/* called when the sink's memory goes */
	MemoryContextCallback forget_plans; /* ... and when that of plan_context does */

	/* of one batch */
	Relation	relation;		/* NULL between batches */
	int			failed_row;
	int			nwritten;		/* rows of the last write: numbers 0 and on */

	/* of a chunk of messages that expand */
	UsSinkStep	step;
	int		   *owners;			/* by row: place of its message */
};

/* worker/sink_direct.c: whether rows can be inserted without the executor's help */
extern bool us_sink_direct_possible(Relation relation);
extern uint64 us_sink_direct_write(UsSink *sink, const int *order, int from, int to);

/*
 * us_sink_direct_upsert -- what an INSERT .. ON CONFLICT DO UPDATE of whole rows does
 *
 * In:      slots  no two of one key; no column is generated
 * Returns: how many rows others were faster with; slots begins with them.
 *          The statement is for these.
 * Errors:  those of the statement, but rights are not asked for; 23505 also
 *          when another inserts the key meanwhile
 */
extern int	us_sink_direct_upsert(UsSink *sink, TupleTableSlot **slots, int count);

/* worker/sink_query.c */
extern bool us_sink_query_may_suppress(Relation relation);
extern void us_sink_query_prepare(UsSink *sink);

/* the ephemeral relation of some columns, under the target's names; in CurrentMemoryContext */
#define US_ROWS_NAME	"us_rows"
extern TupleDesc us_sink_query_descriptor(const UsSink *sink, const AttrNumber *attnums, int count);

/* a saved plan that reads it, a row for it, and a run over so many rows; need SPI_connect */
extern SPIPlanPtr us_sink_query_plan(TupleDesc descriptor, const char *text);
extern void us_sink_query_put(Tuplestorestate *store, TupleDesc descriptor,
							  const AttrNumber *attnums, const Datum *values,
							  const bool *isnull);
extern uint64 us_sink_query_run(SPIPlanPtr plan, TupleDesc descriptor,
								Tuplestorestate *store, int count);

/* worker/sink_expand.c */
extern void us_sink_expand_prepare(UsSink *sink);
extern int	us_sink_failed_message(const UsSink *sink);

#define US_MAX_UPSERT_PLANS	64

/* the statement for messages that have just these columns */
typedef struct UsUpsertPlan
{
	struct UsUpsertPlan *next;
	bool	   *present;		/* one for each column that messages give */
	TupleDesc	descriptor;		/* of the ephemeral relation */
	AttrNumber *attnums;
	SPIPlanPtr	plan;			/* also in saved of UsUpsert */
	bool		direct;			/* us_sink_direct_upsert can do what it does */
} UsUpsertPlan;

/* lives in the sink's plan_context, plans in one of their own */
struct UsUpsert
{
	UsKey	   *key;
	int			ncolumns;		/* that messages give */
	const AttrNumber *attnums;
	bool		ordered;		/* a removal may be about other rows too: never before its turn */
	MemoryContext plans_context;
	UsUpsertPlan *plans;
	int			nplans;			/* when there are too many, all are made anew */
	SPIPlanPtr	saved[US_MAX_UPSERT_PLANS]; /* freed by hand when plans_context is gone already */
	SPIPlanPtr	removal;		/* DELETE by key; saved, NULL until needed */
};

/*
 * worker/sink_statement.c: the statement for a set of columns, and that of
 * removals by $1 and on; need SPI_connect.  forget frees what memory contexts
 * do not.
 */
extern UsUpsertPlan *us_sink_upsert_plan(UsSink *sink, const bool *present);
extern SPIPlanPtr us_sink_removal_plan(UsSink *sink);
extern void us_sink_upsert_forget(UsUpsert *upsert);

/* worker/sink_upsert.c */
extern void us_sink_upsert_prepare(UsSink *sink);
extern uint64 us_sink_upsert_write(UsSink *sink, const int *order, int from, int to);

extern uint64 us_sink_query_write(UsSink *sink, const int *order, int from, int to);

#endif							/* US_SINK_INTERNAL_H */
