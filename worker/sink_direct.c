/*-------------------------------------------------------------------------
 * worker/sink_direct.c
 *    rows -> a plain heap table, by table_multi_insert
 *
 * Runs as sink_table.c does, inside the subtransaction of a chunk of rows.  It
 * does what COPY does for a table that has nothing for the executor to do:
 * constraints, heap, indexes.  Whatever is not plain goes by sink_query.c.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "extension/compat.h"
#include "rewrite/prs2lock.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "worker/sink_internal.h"
#include "worker/stage.h"

static bool
has_insert_rule(Relation relation)
{
	const RuleLock *rules = relation->rd_rules;

	for (int i = 0; rules != NULL && i < rules->numLocks; i++)
		if (rules->rules[i]->event == CMD_INSERT)
			return true;
	return false;
}

/* the identity of an ALWAYS column is the executor's to give */
static bool
has_identity_always(Relation relation)
{
	TupleDesc	desc = RelationGetDescr(relation);

	for (int i = 0; i < desc->natts; i++)
		if (TupleDescAttr(desc, i)->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
			return true;
	return false;
}

bool
us_sink_direct_possible(Relation relation)
{
	const TupleConstr *constr = RelationGetDescr(relation)->constr;

	return relation->rd_rel->relkind == RELKIND_RELATION &&
		relation->rd_tableam == GetHeapamTableAmRoutine() &&
		!relation->rd_rel->relispartition &&
		!relation->rd_rel->relrowsecurity &&
		relation->trigdesc == NULL &&	/* a foreign key is two triggers */
		(constr == NULL || !constr->has_generated_stored) &&
		!has_identity_always(relation) &&
		!has_insert_rule(relation);
}

/* NOT NULL and CHECK, row by row, so that the failing row is known */
static void
check_constraints(UsSink *sink, ResultRelInfo *result, EState *estate,
				  const int *order, int from, int to)
{
	if (RelationGetDescr(sink->relation)->constr == NULL)
		return;

	for (int i = from; i < to; i++)
	{
		sink->failed_row = i;
		ExecConstraints(result, sink->rows[order[i]].slot, estate);
		ResetPerTupleExprContext(estate);
	}
}

static void
insert_index_entries(UsSink *sink, ResultRelInfo *result, EState *estate,
					 const int *order, int from, int to)
{
	if (result->ri_NumIndices == 0)
		return;

	us_stage_enter(US_STAGE_INDEX);
	for (int i = from; i < to; i++)
	{
		sink->failed_row = i;
		list_free(us_insert_index_tuples(result, sink->rows[order[i]].slot, estate));
		ResetPerTupleExprContext(estate);
	}
	us_stage_enter(US_STAGE_INSERT);
}

uint64
us_sink_direct_write(UsSink *sink, const int *order, int from, int to)
{
	EState	   *estate = CreateExecutorState();
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	ResultRelInfo *result = makeNode(ResultRelInfo);
	BulkInsertState bulk = GetBulkInsertState();
	TupleTableSlot **chunk = palloc(sizeof(TupleTableSlot *) * (to - from));

	/* in no range table, so number 0: its columns' rights were checked already */
	InitResultRelInfo(result, sink->relation, 0, NULL, 0);
	ExecOpenIndices(result, false);

	for (int i = from; i < to; i++)
	{
		TupleTableSlot *slot = sink->rows[order[i]].slot;

		chunk[i - from] = slot;
		slot->tts_tableOid = RelationGetRelid(sink->relation);
	}

	check_constraints(sink, result, estate, order, from, to);

	sink->failed_row = -1;
	table_multi_insert(sink->relation, chunk, to - from, GetCurrentCommandId(true), 0, bulk);

	insert_index_entries(sink, result, estate, order, from, to);

	/* the pin that it holds belongs to this subtransaction */
	FreeBulkInsertState(bulk);
	table_finish_bulk_insert(sink->relation, 0);
	ExecCloseIndices(result);
	MemoryContextSwitchTo(old);
	FreeExecutorState(estate);

	return (uint64) (to - from);
}
