/*-------------------------------------------------------------------------
 * worker/sink_query.c
 *    rows -> any table, by INSERT .. SELECT from an ephemeral relation
 *
 * Runs as sink_table.c does, inside the subtransaction of a chunk of rows.
 * Privileges, row security, rules, triggers, partitions, generated columns
 * and identities are the rewriter's and the executor's, as for everybody.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/rel.h"
#include "utils/reltrigger.h"
#include "utils/tuplestore.h"
#include "worker/sink_internal.h"

TupleDesc
us_sink_query_descriptor(const UsSink *sink, const AttrNumber *attnums, int count)
{
	TupleDesc	descriptor = CreateTemplateTupleDesc(count);

	for (int i = 0; i < count; i++)
		TupleDescCopyEntry(descriptor, i + 1, sink->descriptor, attnums[i]);
	return descriptor;
}

/*
 * The ephemeral relation has the columns that messages give, under the
 * target's names and types, so that nothing is cast on the way.
 */
static void
make_query_descriptor(UsSink *sink)
{
	const AttrNumber *attnums;
	int			count = us_map_columns(sink->map, &attnums);
	MemoryContext old = MemoryContextSwitchTo(sink->plan_context);

	sink->query_descriptor = us_sink_query_descriptor(sink, attnums, count);
	sink->query_attnums = palloc(sizeof(AttrNumber) * Max(count, 1));
	memcpy(sink->query_attnums, attnums, sizeof(AttrNumber) * count);
	MemoryContextSwitchTo(old);
}

static char *
make_insert(const UsSink *sink)
{
	TupleDesc	desc = sink->query_descriptor;
	StringInfoData columns;
	StringInfoData text;

	initStringInfo(&columns);
	for (int i = 0; i < desc->natts; i++)
		appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(desc, i)->attname)));

	initStringInfo(&text);
	appendStringInfo(&text, "INSERT INTO %s (%s) SELECT %s FROM " US_ROWS_NAME,
					 sink->name, columns.data, columns.data);
	if (sink->stream->options.ignore_conflicts)
		appendStringInfoString(&text, " ON CONFLICT DO NOTHING");
	return text.data;
}

static void
register_rows(TupleDesc descriptor, Tuplestorestate *store, int count)
{
	EphemeralNamedRelation enr = palloc0(sizeof(EphemeralNamedRelationData));

	enr->md.name = US_ROWS_NAME;
	enr->md.reliddesc = InvalidOid;
	enr->md.tupdesc = descriptor;
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;
	enr->md.enrtuples = count;
	enr->reldata = store;
	if (SPI_register_relation(enr) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register rows");
}

/* a BEFORE trigger or a rule can drop a row; those of leaves are not looked at, but assumed */
bool
us_sink_query_may_suppress(Relation relation)
{
	return relation->rd_rel->relkind == RELKIND_PARTITIONED_TABLE ||
		relation->rd_rules != NULL ||
		(relation->trigdesc != NULL && relation->trigdesc->trig_insert_before_row);
}

/* one at a time: a function that is called once must be able to prepare another */
static void
unregister_rows(void)
{
	(void) SPI_unregister_relation(US_ROWS_NAME);
}

SPIPlanPtr
us_sink_query_plan(TupleDesc descriptor, const char *text)
{
	SPIPlanPtr	plan;

	register_rows(descriptor, NULL, 0);
	plan = SPI_prepare(text, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", text, SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	unregister_rows();
	return plan;
}

/*
 * Prepared at compile time, so that what is wrong with the statement itself
 * (a privilege, a column) shows before any row is touched.
 */
void
us_sink_query_prepare(UsSink *sink)
{
	make_query_descriptor(sink);
	if (sink->query_descriptor->natts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("no column of the target takes anything from messages")));

	SPI_connect();
	sink->insert_plan = us_sink_query_plan(sink->query_descriptor, make_insert(sink));
	SPI_finish();
}

void
us_sink_query_put(Tuplestorestate *store, TupleDesc descriptor, const AttrNumber *attnums,
				  const Datum *values, const bool *isnull)
{
	Datum		row_values[MaxHeapAttributeNumber];
	bool		row_isnull[MaxHeapAttributeNumber];

	for (int i = 0; i < descriptor->natts; i++)
	{
		row_values[i] = values[attnums[i] - 1];
		row_isnull[i] = isnull[attnums[i] - 1];
	}
	tuplestore_putvalues(store, descriptor, row_values, row_isnull);
}

uint64
us_sink_query_run(SPIPlanPtr plan, TupleDesc descriptor, Tuplestorestate *store, int count)
{
	int			result;

	register_rows(descriptor, store, count);
	result = SPI_execute_plan(plan, NULL, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "could not write rows: %s", SPI_result_code_string(result));
	unregister_rows();
	return SPI_processed;
}

uint64
us_sink_query_write(UsSink *sink, const int *order, int from, int to)
{
	Tuplestorestate *store;
	uint64		written;

	SPI_connect();
	store = tuplestore_begin_heap(false, false, work_mem);
	for (int i = from; i < to; i++)
	{
		TupleTableSlot *slot = sink->rows[order[i]].slot;

		us_sink_query_put(store, sink->query_descriptor, sink->query_attnums,
						  slot->tts_values, slot->tts_isnull);
	}
	written = us_sink_query_run(sink->insert_plan, sink->query_descriptor, store, to - from);
	tuplestore_end(store);
	SPI_finish();

	return written;
}
