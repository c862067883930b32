/*-------------------------------------------------------------------------
 * worker/sink_direct.c
 *    rows -> a plain heap table, by table_multi_insert
 *
 * Runs as sink_table.c does, inside the subtransaction of a chunk of rows.  It
 * does what COPY does for a table that has nothing else for the executor to
 * do: generated columns, constraints, heap, indexes; and what INSERT .. ON CONFLICT DO UPDATE does
 * with whole rows.  Whatever is not plain goes by sink_query.c.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/heapam.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "extension/compat.h"
#include "port/pg_bswap.h"
#include "rewrite/prs2lock.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "worker/forced.h"
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
	return !US_FORCED(EXECUTOR) && relation->rd_rel->relkind == RELKIND_RELATION &&
		relation->rd_tableam == GetHeapamTableAmRoutine() &&
		!relation->rd_rel->relispartition &&
		!relation->rd_rel->relrowsecurity &&
		relation->trigdesc == NULL &&	/* a foreign key is two triggers */
		!has_identity_always(relation) &&
		!has_insert_rule(relation);
}

/* one write of some rows */
typedef struct Direct
{
	UsSink	   *sink;
	MemoryContext caller;
	EState	   *estate;
	ResultRelInfo *result;
	TupleTableSlot **slots;		/* rows to insert */
	int			count;
	int			first_row;		/* number of the first, as failed_row has it; -1 = unknown */
} Direct;

static void
begin_direct(Direct *direct, UsSink *sink, int most, bool finds_conflicts)
{
	direct->sink = sink;
	direct->estate = CreateExecutorState();
	direct->caller = MemoryContextSwitchTo(direct->estate->es_query_cxt);
	direct->result = makeNode(ResultRelInfo);
	direct->slots = palloc(sizeof(TupleTableSlot *) * most);
	direct->count = 0;
	direct->first_row = -1;

	/* in no range table, so number 0: its columns' rights were checked already */
	InitResultRelInfo(direct->result, sink->relation, 0, NULL, 0);
	ExecOpenIndices(direct->result, finds_conflicts);
}

static void
end_direct(Direct *direct)
{
	ExecCloseIndices(direct->result);
	MemoryContextSwitchTo(direct->caller);
	FreeExecutorState(direct->estate);
}

static inline void
note_row(const Direct *direct, int i)
{
	if (direct->first_row >= 0)
		direct->sink->failed_row = direct->first_row + i;
}

/* generated columns, then NOT NULL and CHECK, row by row, so that the failing row is known */
static void
complete_rows(const Direct *direct, TupleTableSlot **slots, int count)
{
	Relation	relation = direct->sink->relation;
	const TupleConstr *constr = RelationGetDescr(relation)->constr;

	/* expressions may look at it */
	for (int i = 0; i < count; i++)
		slots[i]->tts_tableOid = RelationGetRelid(relation);
	if (constr == NULL)
		return;

	for (int i = 0; i < count; i++)
	{
		note_row(direct, i);
		if (constr->has_generated_stored)
			ExecComputeStoredGenerated(direct->result, direct->estate, slots[i], CMD_INSERT);
		ExecConstraints(direct->result, slots[i], direct->estate);
		ResetPerTupleExprContext(direct->estate);
	}
	direct->sink->failed_row = -1;
}

/* a row, and where about in the index its entry goes */
typedef struct Entry
{
	uint64		place;
	int			row;
} Entry;

static int
compare_entries(const void *a, const void *b)
{
	const Entry *x = a;
	const Entry *y = b;

	if (x->place != y->place)
		return x->place < y->place ? -1 : 1;
	return x->row - y->row;
}

/*
 * The first bytes of a value, as a number that most types have in the order of
 * the values.  Where they have not, nothing but time is lost.
 */
static uint64
place_of(Datum value, const FormData_pg_attribute *attribute)
{
	unsigned char bytes[sizeof(uint64)] = {0};
	uint64		place;

	if (attribute->attbyval)
		return (uint64) DatumGetInt64(value) ^ ((uint64) 1 << 63);

	if (attribute->attlen > 0)
		memcpy(bytes, DatumGetPointer(value), Min((size_t) attribute->attlen, sizeof(bytes)));
	else if (attribute->attlen == -1 && !VARATT_IS_COMPRESSED(DatumGetPointer(value)) &&
			 !VARATT_IS_EXTERNAL(DatumGetPointer(value)))
		memcpy(bytes, VARDATA_ANY(DatumGetPointer(value)),
			   Min(VARSIZE_ANY_EXHDR(DatumGetPointer(value)), sizeof(bytes)));
	memcpy(&place, bytes, sizeof(place));
	return pg_ntoh64(place);
}

/*
 * The rows in the order of a column, about, so that each meets the pages of an
 * index that the one before met; NULL: as they are.  Sorting begins to pay
 * where the large window does.
 */
static Entry *
sort_rows(TupleTableSlot **slots, int count, AttrNumber attnum)
{
	Entry	   *entries;

	if (count <= US_SINK_WINDOW || attnum <= 0)
		return NULL;

	entries = palloc(sizeof(Entry) * count);
	for (int i = 0; i < count; i++)
	{
		bool		isnull;
		Datum		value = slot_getattr(slots[i], attnum, &isnull);

		entries[i].place = isnull ? PG_UINT64_MAX :
			place_of(value, TupleDescAttr(slots[i]->tts_tupleDescriptor, attnum - 1));
		entries[i].row = i;
	}
	qsort(entries, count, sizeof(Entry), compare_entries);
	return entries;
}

/*
 * Entries of one index.  Any order is right: one that fails takes the whole
 * chunk back, and its row is then tried again alone, behind those before it.
 */
static void
insert_entries_of(const Direct *direct, int index)
{
	/* the same target, as if it had this index alone */
	ResultRelInfo result = *direct->result;
	Entry	   *entries = NULL;

	result.ri_NumIndices = 1;
	result.ri_IndexRelationDescs += index;
	result.ri_IndexRelationInfo += index;
	if (result.ri_IndexRelationDescs[0]->rd_rel->relam == BTREE_AM_OID)
		entries = sort_rows(direct->slots, direct->count,
							result.ri_IndexRelationInfo[0]->ii_IndexAttrNumbers[0]);

	for (int i = 0; i < direct->count; i++)
	{
		int			row = entries == NULL ? i : entries[i].row;

		note_row(direct, row);
		list_free(us_insert_index_tuples(&result, direct->slots[row], direct->estate));
		ResetPerTupleExprContext(direct->estate);
	}
}

static void
insert_index_entries(const Direct *direct)
{
	us_stage_enter(US_STAGE_INDEX);
	for (int i = 0; i < direct->result->ri_NumIndices; i++)
		insert_entries_of(direct, i);
	us_stage_enter(US_STAGE_INSERT);
}

static void
insert_rows(const Direct *direct)
{
	Relation	relation = direct->sink->relation;
	BulkInsertState bulk = GetBulkInsertState();

	table_multi_insert(relation, direct->slots, direct->count, GetCurrentCommandId(true), 0,
					   bulk);
	insert_index_entries(direct);

	/* the pin that it holds belongs to this subtransaction */
	FreeBulkInsertState(bulk);
	table_finish_bulk_insert(relation, 0);
}

uint64
us_sink_direct_write(UsSink *sink, const int *order, int from, int to)
{
	Direct		direct;

	begin_direct(&direct, sink, to - from, false);
	direct.first_row = from;
	for (int i = from; i < to; i++)
		direct.slots[direct.count++] = sink->rows[order[i]].slot;
	complete_rows(&direct, direct.slots, direct.count);
	insert_rows(&direct);
	end_direct(&direct);

	return (uint64) (to - from);
}

/*
 * Gives the row at a place the values of another of its key; the key keeps its
 * form.  old and new are slots to use.  False: somebody was faster.
 */
static bool
update_row(const Direct *direct, ItemPointer place, const TupleTableSlot *row,
		   TupleTableSlot *old, TupleTableSlot *new)
{
	Relation	relation = direct->sink->relation;
	const UsKey *key = direct->sink->upsert->key;
	int			natts = direct->sink->descriptor->natts;
	TM_FailureData failure;
	LockTupleMode lock;
	UsUpdateIndexes indexes;

	if (!table_tuple_fetch_row_version(relation, place, SnapshotAny, old))
		return false;
	ExecClearTuple(new);
	memcpy(new->tts_values, row->tts_values, sizeof(Datum) * natts);
	memcpy(new->tts_isnull, row->tts_isnull, sizeof(bool) * natts);
	for (int i = 0; i < key->count; i++)
	{
		int			column = key->attnums[i] - 1;

		new->tts_values[column] = slot_getattr(old, key->attnums[i], &new->tts_isnull[column]);
	}
	ExecStoreVirtualTuple(new);
	new->tts_tableOid = RelationGetRelid(relation);
	/* what was checked may have had another form of the key */
	if (RelationGetDescr(relation)->constr != NULL &&
		RelationGetDescr(relation)->constr->num_check > 0)
		ExecConstraints(direct->result, new, direct->estate);
	if (table_tuple_update(relation, place, new, GetCurrentCommandId(true), GetActiveSnapshot(),
						   InvalidSnapshot, true, &failure, &lock, &indexes) != TM_Ok)
		return false;
	list_free(us_update_index_tuples(direct->result, new, direct->estate, indexes));
	return true;
}

int
us_sink_direct_upsert(UsSink *sink, TupleTableSlot **slots, int count)
{
	Direct		direct;
	TupleTableSlot *old;
	TupleTableSlot *new;
	List	   *indexes;
	Entry	   *entries = sort_rows(slots, count, sink->upsert->key->attnums[0]);
	TupleTableSlot **rows = slots;
	int			nleft = 0;

	CheckCmdReplicaIdentity(sink->relation, CMD_UPDATE);
	begin_direct(&direct, sink, count, true);
	old = table_slot_create(sink->relation, NULL);
	new = MakeSingleTupleTableSlot(sink->descriptor, &TTSOpsVirtual);
	indexes = list_make1_oid(sink->upsert->key->index);
	complete_rows(&direct, slots, count);
	if (entries != NULL)
		rows = memcpy(palloc(sizeof(TupleTableSlot *) * count), slots,
					  sizeof(TupleTableSlot *) * count);

	for (int i = 0; i < count; i++)
	{
		TupleTableSlot *row = rows[entries == NULL ? i : entries[i].row];
		ItemPointerData place;

		if (us_check_index_constraints(direct.result, row, direct.estate, &place, indexes))
			direct.slots[direct.count++] = row;
		else if (!update_row(&direct, &place, row, old, new))
			slots[nleft++] = row;
		ResetPerTupleExprContext(direct.estate);
	}
	if (direct.count > 0)
		insert_rows(&direct);

	ExecDropSingleTupleTableSlot(old);
	ExecDropSingleTupleTableSlot(new);
	end_direct(&direct);
	return nleft;
}
