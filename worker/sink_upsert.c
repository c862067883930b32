/*-------------------------------------------------------------------------
 * worker/sink_upsert.c
 *    rows and removals by key -> DELETE and INSERT .. ON CONFLICT DO UPDATE
 *
 * Runs as sink_table.c does, inside the subtransaction of a chunk of rows.
 * What messages of one chunk say about one key is folded into one row, the
 * later over the earlier, so that a statement meets each key once.  Removals
 * come first, but where they may touch other rows too: then in their turn.  A
 * column that a message does not have is neither inserted nor updated; so
 * there is a statement for each set of columns that messages have.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "port/pg_bitutils.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"
#include "worker/sink_internal.h"

#define MAX_PLANS	64			/* then all of them are made anew */

/* the statement for messages that have just these columns */
typedef struct UsUpsertPlan
{
	struct UsUpsertPlan *next;
	bool	   *present;		/* one for each column that messages give */
	TupleDesc	descriptor;		/* of the ephemeral relation */
	AttrNumber *attnums;
	SPIPlanPtr	plan;			/* saved, freed by hand */
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
	int			nplans;
	SPIPlanPtr	removal;		/* DELETE by key; saved, NULL until needed */
};

/* what a chunk says about one key */
typedef struct Folded
{
	uint32		hash;
	int			next;			/* of the same bucket; -1 = last */
	bool		is_removed;		/* the row goes first ... */
	bool		is_written;		/* ... and then there is this one */
	bool		is_own;			/* the arrays are ours, else the slot's */
	bool	   *present;
	Datum	   *values;
	bool	   *isnull;
} Folded;

typedef struct Fold
{
	UsSink	   *sink;
	Folded	   *entries;
	int			count;
	int		   *buckets;		/* first entry of each; -1 = none */
	uint32		mask;
} Fold;

static void
forget_plans(UsUpsert *upsert)
{
	for (UsUpsertPlan *plan = upsert->plans; plan != NULL; plan = plan->next)
		SPI_freeplan(plan->plan);
	upsert->plans = NULL;
	upsert->nplans = 0;
	MemoryContextReset(upsert->plans_context);
}

void
us_sink_upsert_forget(UsUpsert *upsert)
{
	forget_plans(upsert);
	if (upsert->removal != NULL)
		SPI_freeplan(upsert->removal);
	upsert->removal = NULL;
}

static const char *
column_name(const UsSink *sink, AttrNumber attnum)
{
	return quote_identifier(NameStr(TupleDescAttr(sink->descriptor, attnum - 1)->attname));
}

/*
 * Statements.
 */

/* column i of the key as the index compares it, of the relation under this alias */
static char *
key_operand(const UsSink *sink, const char *alias, int i)
{
	const UsKey *key = sink->upsert->key;
	Form_pg_attribute attribute = TupleDescAttr(sink->descriptor, key->attnums[i] - 1);
	char	   *name = psprintf("%s.%s", alias, column_name(sink, key->attnums[i]));

	if (key->collations[i] == attribute->attcollation || !OidIsValid(key->collations[i]))
		return name;
	return psprintf("(%s COLLATE %s)", name, generate_collation_name(key->collations[i]));
}

/* right NULL: parameters */
static void
append_key_match(StringInfo text, const UsSink *sink, const char *left, const char *right)
{
	const UsKey *key = sink->upsert->key;

	for (int i = 0; i < key->count; i++)
	{
		const char *name = column_name(sink, key->attnums[i]);
		Oid			type = TupleDescAttr(sink->descriptor, key->attnums[i] - 1)->atttypid;

		appendStringInfoString(text, i > 0 ? " AND " : "");
		generate_operator_clause(text, key_operand(sink, left, i), type, key->operators[i],
								 right == NULL ? psprintf("$%d", i + 1) :
								 psprintf("%s.%s", right, name), type);
	}
}

/* columns but the key's, each from the relation under this name */
static void
append_assignments(StringInfo text, const UsSink *sink, const AttrNumber *attnums, int count,
				   const char *source)
{
	const char *separator = "";

	for (int i = 0; i < count; i++)
	{
		const char *name = column_name(sink, attnums[i]);

		if (us_key_has(sink->upsert->key, attnums[i]))
			continue;
		appendStringInfo(text, "%s%s = %s.%s", separator, name, source, name);
		separator = ", ";
	}
}

static void
append_columns(StringInfo text, const UsSink *sink, const char *prefix,
			   const AttrNumber *attnums, int count)
{
	for (int i = 0; i < count; i++)
		appendStringInfo(text, "%s%s%s", i > 0 ? ", " : "", prefix,
						 column_name(sink, attnums[i]));
}

/* whether a row of these columns alone would have a null where none may be */
static bool
is_incomplete(const UsSink *sink, const AttrNumber *attnums, int count)
{
	for (int i = 0; i < sink->descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(sink->descriptor, i);
		bool		is_given = false;

		if (attribute->attisdropped || !attribute->attnotnull || attribute->atthasdef ||
			attribute->attidentity != '\0')
			continue;
		for (int k = 0; k < count && !is_given; k++)
			is_given = attnums[k] == attribute->attnum;
		if (!is_given)
			return true;
	}
	return false;
}

/*
 * INSERT .. ON CONFLICT looks at NOT NULL before it looks for a conflict.  So
 * where a message has too little for a row of its own, the rows that are
 * there are updated first, and only the others inserted.
 */
static char *
upsert_text(const UsSink *sink, const AttrNumber *attnums, int count)
{
	const UsKey *key = sink->upsert->key;
	bool		incomplete = is_incomplete(sink, attnums, count);
	bool		updates = count > key->count;
	StringInfoData text;

	initStringInfo(&text);
	if (incomplete && updates)
	{
		appendStringInfo(&text, "WITH known AS (UPDATE %s AS t SET ", sink->name);
		append_assignments(&text, sink, attnums, count, "r");
		appendStringInfoString(&text, " FROM " US_ROWS_NAME " AS r WHERE ");
		append_key_match(&text, sink, "t", "r");
		appendStringInfoString(&text, " RETURNING ");
		append_columns(&text, sink, "r.", key->attnums, key->count);
		appendStringInfoString(&text, ") ");
	}
	appendStringInfo(&text, "INSERT INTO %s (", sink->name);
	append_columns(&text, sink, "", attnums, count);
	appendStringInfoString(&text, ") SELECT ");
	append_columns(&text, sink, "r.", attnums, count);
	appendStringInfoString(&text, " FROM " US_ROWS_NAME " AS r");
	if (incomplete)
	{
		appendStringInfo(&text, " WHERE NOT EXISTS (SELECT 1 FROM %s AS k WHERE ",
						 updates ? "known" : sink->name);
		append_key_match(&text, sink, "k", "r");
		appendStringInfoChar(&text, ')');
	}
	appendStringInfoString(&text, " ON CONFLICT (");
	append_columns(&text, sink, "", key->attnums, key->count);
	appendStringInfoString(&text, updates ? ") DO UPDATE SET " : ") DO NOTHING");
	if (updates)
		append_assignments(&text, sink, attnums, count, "excluded");
	return text.data;
}

/* the columns of a message as the ephemeral relation has them */
static void
describe_columns(const UsSink *sink, UsUpsertPlan *plan, const bool *present)
{
	const UsUpsert *upsert = sink->upsert;
	int			count = 0;

	plan->present = palloc(sizeof(bool) * upsert->ncolumns);
	memcpy(plan->present, present, sizeof(bool) * upsert->ncolumns);
	plan->attnums = palloc(sizeof(AttrNumber) * upsert->ncolumns);
	for (int i = 0; i < upsert->ncolumns; i++)
		if (present[i])
			plan->attnums[count++] = upsert->attnums[i];
	plan->descriptor = us_sink_query_descriptor(sink, plan->attnums, count);
}

/* needs SPI_connect */
static UsUpsertPlan *
find_plan(UsSink *sink, const bool *present)
{
	UsUpsert   *upsert = sink->upsert;
	UsUpsertPlan *plan;
	MemoryContext old;

	for (plan = upsert->plans; plan != NULL; plan = plan->next)
		if (memcmp(plan->present, present, sizeof(bool) * upsert->ncolumns) == 0)
			return plan;

	if (upsert->nplans == MAX_PLANS)
		forget_plans(upsert);
	old = MemoryContextSwitchTo(upsert->plans_context);
	plan = palloc0(sizeof(UsUpsertPlan));
	describe_columns(sink, plan, present);
	MemoryContextSwitchTo(old);
	plan->plan = us_sink_query_plan(plan->descriptor,
									upsert_text(sink, plan->attnums, plan->descriptor->natts));
	plan->next = upsert->plans;
	upsert->plans = plan;
	upsert->nplans++;
	return plan;
}

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
	(void) find_plan(sink, present);
	SPI_finish();
}

static char *
removal_text(const UsSink *sink)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "DELETE FROM %s AS t WHERE ", sink->name);
	append_key_match(&text, sink, "t", NULL);
	return text.data;
}

/* a plan for one key, so that it goes by the index however small the table was */
static void
prepare_removal(UsSink *sink)
{
	const UsKey *key = sink->upsert->key;
	Oid		   *types = palloc(sizeof(Oid) * key->count);
	SPIPlanPtr	plan;

	for (int i = 0; i < key->count; i++)
		types[i] = TupleDescAttr(sink->descriptor, key->attnums[i] - 1)->atttypid;
	plan = SPI_prepare(removal_text(sink), key->count, types);
	if (plan == NULL)
		elog(ERROR, "could not prepare the removal: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	sink->upsert->removal = plan;
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
											entry->values[column], slot->tts_values[column])))
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
	entry->values = slot->tts_values;
	entry->isnull = slot->tts_isnull;
	entry->next = *bucket;
	*bucket = fold->count++;
	return entry;
}

/* the slots must stay as they are: the chunk may have to be tried in parts */
static void
make_own(const Fold *fold, Folded *entry)
{
	int			natts = fold->sink->descriptor->natts;
	int			ncolumns = fold->sink->upsert->ncolumns;
	Datum	   *values = palloc(sizeof(Datum) * natts);
	bool	   *isnull = palloc(sizeof(bool) * natts);
	bool	   *present = palloc(sizeof(bool) * ncolumns);

	memcpy(values, entry->values, sizeof(Datum) * natts);
	memcpy(isnull, entry->isnull, sizeof(bool) * natts);
	memcpy(present, entry->present, sizeof(bool) * ncolumns);
	entry->values = values;
	entry->isnull = isnull;
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
		entry->values[column] = row->slot->tts_values[column];
		entry->isnull[column] = row->slot->tts_isnull[column];
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
		entry->values = row->slot->tts_values;
		entry->isnull = row->slot->tts_isnull;
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
		if (sink->upsert->removal == NULL)
			prepare_removal(sink);
		for (int k = 0; k < key->count; k++)
			values[k] = entry->values[key->attnums[k] - 1];
		result = SPI_execute_plan(sink->upsert->removal, values, NULL, false, 0);
		if (result < 0)
			elog(ERROR, "could not run the removal: %s", SPI_result_code_string(result));
	}
}

/* all entries from the first on that have the same columns; they are done then */
static void
run_upsert(Fold *fold, int first)
{
	const bool *present = fold->entries[first].present;
	int			ncolumns = fold->sink->upsert->ncolumns;
	UsUpsertPlan *plan = find_plan(fold->sink, present);
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);
	int			count = 0;

	for (int i = first; i < fold->count; i++)
	{
		Folded	   *entry = &fold->entries[i];

		if (!entry->is_written || (entry->present != present &&
								   memcmp(entry->present, present, sizeof(bool) * ncolumns) != 0))
			continue;
		us_sink_query_put(store, plan->descriptor, plan->attnums, entry->values, entry->isnull);
		entry->is_written = false;
		count++;
	}
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
