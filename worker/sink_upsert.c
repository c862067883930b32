/*-------------------------------------------------------------------------
 * worker/sink_upsert.c
 *    rows and removals by key, folded -> the statements of sink_statement.c
 *
 * Runs as sink_table.c does, inside the subtransaction of a chunk of rows.
 * What messages of one chunk say about one key is folded into one row, the
 * later over the earlier, so that a statement meets each key once.  Removals
 * come first, but where they may touch other rows too: then in their turn.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "worker/sink_internal.h"

/* what a chunk says about one key */
typedef struct Folded
{
	uint32		hash;
	int			next;			/* of the same bucket; -1 = last */
	bool		is_removed;		/* the row goes first ... */
	bool		is_written;		/* ... and then there is this one */
	bool		is_own;			/* slot and present are ours, else a message's */
	bool	   *present;
	TupleTableSlot *slot;
} Folded;

typedef struct Fold
{
	UsSink	   *sink;
	Folded	   *entries;
	int			count;
	int		   *buckets;		/* first entry of each; -1 = none */
	uint32		mask;
} Fold;

/* rows that hang on a removed one, or whatever a trigger does */
static bool
has_triggers(Relation relation)
{
	List	   *leaves;
	ListCell   *cell;
	bool		found = false;

	if (relation->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		return relation->trigdesc != NULL;
	leaves = find_all_inheritors(RelationGetRelid(relation), NoLock, NULL);
	foreach(cell, leaves)
	{
		HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(cell)));

		if (!HeapTupleIsValid(tuple))
			continue;
		found |= ((Form_pg_class) GETSTRUCT(tuple))->relhastriggers;
		ReleaseSysCache(tuple);
	}
	list_free(leaves);
	return found;
}

/*
 * One statement is prepared at once, so that what is wrong with all of them
 * (a rule) shows before any row is touched.
 */
void
us_sink_upsert_prepare(UsSink *sink)
{
	const UsStream *stream = sink->stream;
	MemoryContext old = MemoryContextSwitchTo(sink->plan_context);
	UsUpsert   *upsert = palloc0(sizeof(UsUpsert));
	bool	   *present;

	upsert->key = us_key_find(sink->relation, stream->key, stream->nkey);
	us_map_take_key(sink->map, upsert->key, us_stream_tombstone(stream) == US_TOMBSTONE_DELETE);
	upsert->ncolumns = us_map_columns(sink->map, &upsert->attnums);
	upsert->ordered = has_triggers(sink->relation);
	upsert->plans_context = AllocSetContextCreate(sink->plan_context, "upsert plans",
												  ALLOCSET_DEFAULT_SIZES);
	sink->upsert = upsert;
	present = palloc(sizeof(bool) * upsert->ncolumns);
	memset(present, true, sizeof(bool) * upsert->ncolumns);
	MemoryContextSwitchTo(old);
	SPI_connect();
	(void) us_sink_upsert_plan(sink, present);
	SPI_finish();
}

/*
 * Folding.
 */

static uint32
hash_key(const UsSink *sink, const TupleTableSlot *slot)
{
	const UsKey *key = sink->upsert->key;
	uint32		hash = 0;

	for (int i = 0; i < key->count; i++)
	{
		int			column = key->attnums[i] - 1;

		if (slot->tts_isnull[column])
			ereport(ERROR,
					(errcode(ERRCODE_NOT_NULL_VIOLATION),
					 errmsg("null value in key column \"%s\"",
							NameStr(TupleDescAttr(slot->tts_tupleDescriptor, column)->attname)),
					 errdetail("A row is found by its key."),
					 errtablecol(sink->relation, key->attnums[i])));
		hash = hash_combine(hash, DatumGetUInt32(FunctionCall1Coll(&key->hash[i],
																   key->collations[i],
																   slot->tts_values[column])));
	}
	return hash;
}

static bool
same_key(const UsKey *key, const Folded *entry, const TupleTableSlot *slot)
{
	for (int i = 0; i < key->count; i++)
	{
		int			column = key->attnums[i] - 1;

		if (!DatumGetBool(FunctionCall2Coll(&key->equal[i], key->collations[i],
											entry->slot->tts_values[column],
											slot->tts_values[column])))
			return false;
	}
	return true;
}

static Folded *
find_entry(Fold *fold, TupleTableSlot *slot)
{
	const UsKey *key = fold->sink->upsert->key;
	uint32		hash = hash_key(fold->sink, slot);
	int		   *bucket = &fold->buckets[hash & fold->mask];
	Folded	   *entry;

	for (int i = *bucket; i >= 0; i = fold->entries[i].next)
	{
		entry = &fold->entries[i];
		if (entry->hash == hash && same_key(key, entry, slot))
			return entry;
	}
	entry = &fold->entries[fold->count];
	memset(entry, 0, sizeof(Folded));
	entry->hash = hash;
	entry->slot = slot;
	entry->next = *bucket;
	*bucket = fold->count++;
	return entry;
}

/* the slots must stay as they are: the chunk may have to be tried in parts */
static void
make_own(const Fold *fold, Folded *entry)
{
	TupleDesc	descriptor = fold->sink->descriptor;
	int			ncolumns = fold->sink->upsert->ncolumns;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(descriptor, &TTSOpsVirtual);
	bool	   *present = palloc(sizeof(bool) * ncolumns);

	memcpy(slot->tts_values, entry->slot->tts_values, sizeof(Datum) * descriptor->natts);
	memcpy(slot->tts_isnull, entry->slot->tts_isnull, sizeof(bool) * descriptor->natts);
	memcpy(present, entry->present, sizeof(bool) * ncolumns);
	entry->slot = ExecStoreVirtualTuple(slot);
	entry->present = present;
	entry->is_own = true;
}

/*
 * The columns that a later message has, over those of the earlier.  The key
 * stays in the form of the first, as it does in a row that is there.
 */
static void
merge_row(const Fold *fold, Folded *entry, const UsSinkRow *row)
{
	const UsUpsert *upsert = fold->sink->upsert;

	if (!entry->is_own)
		make_own(fold, entry);
	for (int i = 0; i < upsert->ncolumns; i++)
	{
		int			column = upsert->attnums[i] - 1;

		if (!row->present[i] || us_key_has(upsert->key, upsert->attnums[i]))
			continue;
		entry->present[i] = true;
		entry->slot->tts_values[column] = row->slot->tts_values[column];
		entry->slot->tts_isnull[column] = row->slot->tts_isnull[column];
	}
}

static void
fold_row(Fold *fold, const UsSinkRow *row)
{
	Folded	   *entry = find_entry(fold, row->slot);

	if (row->removes)
	{
		entry->is_removed = true;
		entry->is_written = false;
	}
	else if (entry->is_written)
		merge_row(fold, entry, row);
	else
	{
		entry->is_written = true;
		entry->is_own = false;
		entry->present = row->present;
		entry->slot = row->slot;
	}
}

static void
fold_rows(UsSink *sink, const int *order, int from, int to, Fold *fold)
{
	int			nbuckets = (int) pg_nextpower2_32((uint32) (to - from) * 2);

	fold->sink = sink;
	fold->count = 0;
	fold->entries = palloc(sizeof(Folded) * (to - from));
	fold->buckets = palloc(sizeof(int) * nbuckets);
	fold->mask = (uint32) nbuckets - 1;
	memset(fold->buckets, 0xff, sizeof(int) * nbuckets);
	for (int i = from; i < to; i++)
	{
		sink->failed_row = i;
		fold_row(fold, &sink->rows[order[i]]);
	}
	sink->failed_row = -1;
}

/*
 * Writing.
 */

static void
run_removals(const Fold *fold)
{
	UsSink	   *sink = fold->sink;
	const UsKey *key = sink->upsert->key;
	Datum	   *values = palloc(sizeof(Datum) * key->count);

	for (int i = 0; i < fold->count; i++)
	{
		const Folded *entry = &fold->entries[i];
		int			result;

		if (!entry->is_removed)
			continue;
		for (int k = 0; k < key->count; k++)
			values[k] = entry->slot->tts_values[key->attnums[k] - 1];
		result = SPI_execute_plan(us_sink_removal_plan(sink), values, NULL, false, 0);
		if (result < 0)
			elog(ERROR, "could not run the removal: %s", SPI_result_code_string(result));
	}
}

/*
 * All entries from the first on that have the same columns; they are done then.
 * What can be written directly is, but a row alone: then an error that may be
 * a race is the statement's to avoid.  Nor is it in a transaction that sees one
 * snapshot only, as a caller of retry_dead_letters may have: the statement
 * refuses what others have changed since.  The statement runs even for no row,
 * because it asks for the rights.
 */
static void
run_upsert(Fold *fold, int first)
{
	UsSink	   *sink = fold->sink;
	const bool *present = fold->entries[first].present;
	int			ncolumns = sink->upsert->ncolumns;
	UsUpsertPlan *plan = us_sink_upsert_plan(sink, present);
	TupleTableSlot **slots = palloc(sizeof(TupleTableSlot *) * (fold->count - first));
	Tuplestorestate *store;
	int			count = 0;

	for (int i = first; i < fold->count; i++)
	{
		Folded	   *entry = &fold->entries[i];

		if (!entry->is_written || (entry->present != present &&
								   memcmp(entry->present, present, sizeof(bool) * ncolumns) != 0))
			continue;
		slots[count++] = entry->slot;
		entry->is_written = false;
	}
	if (plan->direct && count > 1 && !IsolationUsesXactSnapshot())
		count = us_sink_direct_upsert(sink, slots, count);
	store = tuplestore_begin_heap(false, false, work_mem);
	for (int i = 0; i < count; i++)
		us_sink_query_put(store, plan->descriptor, plan->attnums, slots[i]->tts_values,
						  slots[i]->tts_isnull);
	us_sink_query_run(plan->plan, plan->descriptor, store, count);
	tuplestore_end(store);
}

static void
write_folded(UsSink *sink, const int *order, int from, int to)
{
	Fold		fold;

	fold_rows(sink, order, from, to, &fold);
	SPI_connect();
	run_removals(&fold);
	for (int i = 0; i < fold.count; i++)
		if (fold.entries[i].is_written)
			run_upsert(&fold, i);
	SPI_finish();
}

uint64
us_sink_upsert_write(UsSink *sink, const int *order, int from, int to)
{
	int			next;

	for (int i = from; i < to; i = next)
	{
		next = sink->upsert->ordered ? i + 1 : to;
		while (next < to && sink->rows[order[next]].removes == sink->rows[order[i]].removes)
			next++;
		write_folded(sink, order, i, next);
	}
	return (uint64) (to - from);
}
