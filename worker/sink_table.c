/*-------------------------------------------------------------------------
 * worker/sink_table.c
 *    rows -> the target table: opening it, and choosing the way in
 *
 * Runs as the owner of the stream, in its workers and in the backend of who
 * retries dead letters.  What was compiled for
 * the relation is kept from batch to batch and thrown away when an
 * invalidation says that the relation changed, so ALTER TABLE acts from the
 * next batch on.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "extension/catalog.h"
#include "extension/compat.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "worker/decode.h"
#include "worker/sink_internal.h"

#define CLEAN_ROWS	20000			/* in a row, before a large window is tried again */

/* a worker has one, a backend one for each retry under way */
static UsSink *sinks = NULL;

static void
invalidate_sinks(Datum arg, Oid relid)
{
	(void) arg;

	/*
	 * A partitioned target is checked with all its partitions, whose oids we
	 * do not keep: while nobody changes tables, looking again costs nothing.
	 */
	for (UsSink *sink = sinks; sink != NULL; sink = sink->next)
		if (relid == InvalidOid || relid == sink->target || !sink->direct)
			sink->changes++;
}

/*
 * plan_context goes, or is emptied.  Only its children are gone yet, so what
 * lies in it can still be read.
 */
static void
forget_plans(void *arg)
{
	UsSink	   *sink = arg;

	if (sink->insert_plan != NULL)
		SPI_freeplan(sink->insert_plan);
	sink->insert_plan = NULL;
	if (sink->upsert != NULL)
		us_sink_upsert_forget(sink->upsert);
	sink->upsert = NULL;
	if (sink->expand != NULL)
		us_expand_forget(sink->expand);
	sink->expand = NULL;
}

/* the memory it lives in goes away */
static void
forget_sink(void *arg)
{
	UsSink	   *sink = arg;

	for (UsSink **place = &sinks; *place != NULL; place = &(*place)->next)
	{
		if (*place == sink)
		{
			*place = sink->next;
			break;
		}
	}
}

/* a column takes the default of its domain, which can change without a word to the table */
static void
invalidate_domains(Datum arg, int cache, uint32 hash)
{
	(void) arg;
	(void) cache;

	for (UsSink *sink = sinks; sink != NULL; sink = sink->next)
		for (int i = 0; i < sink->ndomains; i++)
			if (hash == 0 || hash == sink->domains[i])
				sink->changes++;
}

UsSink *
us_sink_create(MemoryContext context, const UsStream *stream)
{
	static bool registered = false;
	UsSink	   *sink = MemoryContextAllocZero(context, sizeof(UsSink));

	if (!registered)
	{
		CacheRegisterRelcacheCallback(invalidate_sinks, (Datum) 0);
		CacheRegisterSyscacheCallback(TYPEOID, invalidate_domains, (Datum) 0);
	}
	registered = true;

	sink->stream = stream;
	sink->target = stream->target_oid;
	sink->failed_row = -1;
	sink->clean_rows = CLEAN_ROWS;
	sink->changes = 1;
	sink->plan_context = AllocSetContextCreate(context, "sink plan", ALLOCSET_DEFAULT_SIZES);
	sink->forget_plans.func = forget_plans;
	sink->forget_plans.arg = sink;
	sink->forget.func = forget_sink;
	sink->forget.arg = sink;
	MemoryContextRegisterResetCallback(context, &sink->forget);
	sink->next = sinks;
	sinks = sink;

	return sink;
}

/*
 * The direct path asks no rewriter and no executor for the rights, and a
 * prepared plan does not ask for that of the schema again, so it is asked
 * here, at each batch: a REVOKE acts at once.  INSERT on the table is enough,
 * else it is needed on each column that messages give.
 */
static void
check_privilege(const UsSink *sink)
{
	const AttrNumber *attnums;
	int			count = us_map_columns(sink->map, &attnums);
	Oid			schema = RelationGetNamespace(sink->relation);

	if (us_namespace_aclcheck(schema, GetUserId(), ACL_USAGE) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_SCHEMA, get_namespace_name(schema));
	if (pg_class_aclcheck(sink->target, GetUserId(), ACL_INSERT) == ACLCHECK_OK)
		return;

	for (int i = 0; i < count; i++)
	{
		if (pg_attribute_aclcheck(sink->target, attnums[i], GetUserId(),
								  ACL_INSERT) != ACLCHECK_OK)
			aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE,
						   RelationGetRelationName(sink->relation));
	}
	if (count == 0)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, RelationGetRelationName(sink->relation));
}

static void
collect_domains(UsSink *sink)
{
	sink->domains = palloc(sizeof(uint32) * Max(sink->descriptor->natts, 1));
	for (int i = 0; i < sink->descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(sink->descriptor, i);

		if (!attribute->attisdropped && get_typtype(attribute->atttypid) == TYPTYPE_DOMAIN)
			sink->domains[sink->ndomains++] =
				GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(attribute->atttypid));
	}
}

/* what was exploded, or came of a transform, is JSON whatever the message was */
static const char *
mapped_format(const UsStream *stream)
{
	bool		made = stream->options.explode ||
		(stream->transform != NULL && !us_expand_gives_rows(stream->transform_oid));

	return made && us_format_find(stream->format)->document != NULL ? "json" : stream->format;
}

/* throw away what was compiled, and compile it for the relation as it is now */
static void
compile(UsSink *sink)
{
	uint64		changes = sink->changes;
	MemoryContext old;

	MemoryContextReset(sink->plan_context);
	MemoryContextRegisterResetCallback(sink->plan_context, &sink->forget_plans);
	sink->map = NULL;
	sink->rows = NULL;
	sink->nrows = 0;
	sink->name = NULL;
	sink->ndomains = 0;
	sink->compiled = 0;

	us_check_target(sink->target);
	sink->map = us_map_compile(sink->relation, mapped_format(sink->stream),
							   sink->stream->columns, &sink->stream->options,
							   sink->plan_context);
	us_map_take_schemas(sink->map, sink->stream->schemas);
	us_map_refuse_unknown(sink->map, sink->stream->options.refuse_unknown_fields);
	sink->descriptor = us_map_descriptor(sink->map);
	sink->direct = !sink->stream->upsert && !sink->stream->options.ignore_conflicts &&
		us_sink_direct_possible(sink->relation);
	sink->may_suppress = !sink->direct && !sink->stream->upsert &&
		(sink->stream->options.ignore_conflicts || us_sink_query_may_suppress(sink->relation));

	old = MemoryContextSwitchTo(sink->plan_context);
	sink->name = us_qualified_name(sink->target);
	collect_domains(sink);
	MemoryContextSwitchTo(old);

	if (sink->stream->upsert)
		us_sink_upsert_prepare(sink);
	else if (!sink->direct)
	{
		us_map_leave_unfed(sink->map, true);
		us_sink_query_prepare(sink);
	}

	us_sink_expand_prepare(sink);

	/* an invalidation that came meanwhile has counted further */
	sink->compiled = changes;
}

void
us_sink_begin(UsSink *sink)
{
	Assert(sink->relation == NULL);

	sink->relation = try_relation_open(sink->target, RowExclusiveLock);
	if (sink->relation == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("target table %s does not exist any more",
						sink->name != NULL ? sink->name : sink->stream->target),
				 errhint("Name another target with userstream.alter_stream.")));

	if (sink->compiled != sink->changes || us_sink_was_renamed(sink))
		compile(sink);
	while (sink->expand != NULL && us_expand_is_stale(sink->expand))
		compile(sink);

	check_privilege(sink);
}

bool
us_sink_was_renamed(const UsSink *sink)
{
	char	   *name = us_qualified_name(sink->target);

	return name == NULL || sink->name == NULL || strcmp(name, sink->name) != 0;
}

UsMap *
us_sink_map(UsSink *sink)
{
	return sink->map;
}

/* mostly a window of rows is enough; what messages explode into may be more */
static void
make_room(UsSink *sink, int i)
{
	int			nrows = sink->nrows == 0 ? US_SINK_WINDOW : sink->nrows * 2;

	nrows = Max(nrows, i + 1);
	if (sink->rows == NULL)
		sink->rows = MemoryContextAllocZero(sink->plan_context, sizeof(UsSinkRow) * nrows);
	else
	{
		sink->rows = repalloc_huge(sink->rows, sizeof(UsSinkRow) * nrows);
		memset(sink->rows + sink->nrows, 0, sizeof(UsSinkRow) * (nrows - sink->nrows));
	}
	sink->nrows = nrows;
}

static void
make_row(UsSink *sink, UsSinkRow *row)
{
	MemoryContext old = MemoryContextSwitchTo(sink->plan_context);
	const AttrNumber *attnums;

	row->slot = MakeSingleTupleTableSlot(sink->descriptor,
										 sink->direct ? &TTSOpsHeapTuple : &TTSOpsVirtual);
	if (sink->upsert != NULL)
		row->present = palloc0(sizeof(bool) * Max(us_map_columns(sink->map, &attnums), 1));
	MemoryContextSwitchTo(old);
}

TupleTableSlot *
us_sink_slot(UsSink *sink, int i)
{
	if (i >= sink->nrows)
		make_room(sink, i);
	if (sink->rows[i].slot == NULL)
		make_row(sink, &sink->rows[i]);
	return sink->rows[i].slot;
}

void
us_sink_note(UsSink *sink, int i)
{
	UsSinkRow  *row = &sink->rows[i];

	if (sink->upsert == NULL)
		return;
	row->removes = us_map_is_removal(sink->map);
	if (!row->removes)
		us_map_note_present(sink->map, row->present);
}

int
us_sink_window(const UsSink *sink)
{
	const UsUpsert *upsert = sink->upsert;
	bool		direct = upsert == NULL ? sink->direct :
		upsert->nplans == 1 && upsert->plans->direct;	/* all messages have all columns */

	return direct && sink->expand == NULL && sink->clean_rows == CLEAN_ROWS ?
		US_SINK_LARGE_WINDOW : US_SINK_WINDOW;
}

void
us_sink_note_window(UsSink *sink, int nrows, bool had_failure)
{
	sink->clean_rows = had_failure ? 0 : Min(sink->clean_rows + nrows, CLEAN_ROWS);
}

uint64
us_sink_write(UsSink *sink, const int *order, int from, int to)
{
	sink->failed_row = -1;
	sink->nwritten = to - from;
	if (sink->upsert != NULL)
		return us_sink_upsert_write(sink, order, from, to);
	return sink->direct ? us_sink_direct_write(sink, order, from, to) :
		us_sink_query_write(sink, order, from, to);
}

bool
us_sink_may_suppress(const UsSink *sink)
{
	return sink->may_suppress;
}

bool
us_sink_expands(const UsSink *sink)
{
	return sink->expand != NULL;
}

int
us_sink_failed_row(const UsSink *sink)
{
	if (sink->expand != NULL)
		return us_sink_failed_message(sink);
	return sink->failed_row;
}

int
us_sink_row_count(const UsSink *sink)
{
	return sink->nwritten;
}

void
us_sink_forget_rows(UsSink *sink)
{
	sink->nwritten = 0;
}

void
us_sink_view_row(const UsSink *sink, int i, UsSinkRowView *view)
{
	const UsSinkRow *row = &sink->rows[i];
	const AttrNumber *attnums;
	int			count = us_map_columns(sink->map, &attnums);

	/* a row that went straight into the heap is a tuple by now */
	slot_getallattrs(row->slot);
	view->values = row->slot->tts_values;
	view->isnull = row->slot->tts_isnull;
	view->removes = sink->upsert != NULL && row->removes;
	view->known = palloc0(sizeof(bool) * Max(sink->descriptor->natts, 1));
	for (int column = 0; column < count; column++)
		view->known[attnums[column] - 1] = sink->upsert == NULL ||
			(row->removes ? !row->slot->tts_isnull[attnums[column] - 1] : row->present[column]);
	/* on the direct way every column has its value here, but what is generated is the table's */
	for (int column = 0; sink->direct && column < sink->descriptor->natts; column++)
		view->known[column] = !TupleDescAttr(sink->descriptor, column)->attgenerated;
}

void
us_sink_end(UsSink *sink)
{
	/* partitions are not locked before rows go in: one may have become unlogged in between */
	if (!sink->direct && sink->compiled != sink->changes)
		us_check_target(sink->target);
	table_close(sink->relation, NoLock);
	sink->relation = NULL;
}

void
us_sink_reset(UsSink *sink)
{
	/* the transaction's abort has closed it */
	sink->relation = NULL;
}
