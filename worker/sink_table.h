/*-------------------------------------------------------------------------
 * worker/sink_table.h
 *    rows -> the target table, as the owner
 *
 * Two ways in.  Direct: a plain heap table without triggers, rules or row
 * security takes table_multi_insert.  Query: any other target takes INSERT ..
 * SELECT from an ephemeral relation, so that rewriter and executor do all
 * they do for everybody else.  Which one is decided again whenever the
 * relation changes.
 *-------------------------------------------------------------------------
 */
#ifndef US_SINK_TABLE_H
#define US_SINK_TABLE_H

#include "executor/tuptable.h"
#include "extension/catalog.h"
#include "utils/rel.h"
#include "worker/map.h"

typedef struct UsSink UsSink;

/*
 * us_sink_create -- the sink of a stream; opens nothing yet
 *
 * In:      context  that it lives in; delete it to be rid of the sink
 *          stream   must live as long
 */
extern UsSink *us_sink_create(MemoryContext context, const UsStream *stream);

/*
 * us_sink_begin -- open the target for one batch
 *
 * Locks the relation, compiles a new plan if it changed, checks the target
 * and the INSERT privilege.
 * Errors:  42P01 target is gone; 42809 not a target any more; 42501 no
 *          privilege; 55P03 lock not to be had
 * Needs:   transaction
 */
extern void us_sink_begin(UsSink *sink);

/*
 * us_sink_was_renamed -- whether the target has another name than in the plan
 *
 * Nothing locks a schema, so its name can change within a batch; then an
 * error that the target is not there is no message's fault.
 * Needs:   transaction
 */
extern bool us_sink_was_renamed(const UsSink *sink);

/* the plan to map messages with; valid from us_sink_begin to us_sink_end */
extern UsMap *us_sink_map(UsSink *sink);

/* slot number i, from 0, empty or filled by the map */
extern TupleTableSlot *us_sink_slot(UsSink *sink, int i);

/* right after the map filled slot i from a message: what else there is to know of it */
extern void us_sink_note(UsSink *sink, int i);

/*
 * Rows mapped ahead and written together at most.  More of them make an index
 * cheaper, where rows go straight into a table (sink_direct.c).  One that fails
 * takes all of its window back, so after one windows are small for a while.
 */
#define US_SINK_WINDOW			1000
#define US_SINK_LARGE_WINDOW	10000
extern int	us_sink_window(const UsSink *sink);
extern void us_sink_note_window(UsSink *sink, int nrows, bool had_failure);

/*
 * us_sink_write -- write slots[order[from .. to)]
 *
 * Needs:   a subtransaction around it: after an error the sink is as before
 * Returns: rows written (a BEFORE trigger may have suppressed some)
 * Errors:  whatever the table says.  us_sink_failed_row then gives the index
 *          into order of the row that failed, or -1 when that is not known.
 */
extern uint64 us_sink_write(UsSink *sink, const int *order, int from, int to);
extern int	us_sink_failed_row(const UsSink *sink);

/* whether a message may give any number of rows: then no slots are mapped ahead */
extern bool us_sink_expands(const UsSink *sink);

/*
 * us_sink_write_messages -- write the rows of messages[order[from .. to)]
 *
 * Out:     rows_of, written_of   by the same index as order: rows that the
 *          message gave, and those of them that the table took
 * The rest is as for us_sink_write; us_sink_failed_row gives a message.
 */
extern void us_sink_write_messages(UsSink *sink, const UsMessage *messages, const int *order,
								   int from, int to, int *rows_of, int *written_of);

/* whether us_sink_write can write fewer rows than it was given, without an error */
extern bool us_sink_may_suppress(const UsSink *sink);

/* a row that was written last, for people to see */
typedef struct UsSinkRowView
{
	Datum	   *values;			/* of us_map_descriptor */
	bool	   *isnull;
	bool	   *known;			/* by attribute: whether it is not left to the target */
	bool		removes;		/* only the key is there: the row has to go */
} UsSinkRowView;

/* how many there are, each of them (known in CurrentMemoryContext), and that there are none */
extern int	us_sink_row_count(const UsSink *sink);
extern void us_sink_view_row(const UsSink *sink, int i, UsSinkRowView *view);
extern void us_sink_forget_rows(UsSink *sink);

/* closes the relation, keeping the lock until the transaction ends */
extern void us_sink_end(UsSink *sink);

/* after an aborted transaction: forget what it had open */
extern void us_sink_reset(UsSink *sink);

#endif							/* US_SINK_TABLE_H */
