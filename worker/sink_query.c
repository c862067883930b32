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

#define ROWS_NAME	"us_rows"	/* the ephemeral relation */

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

	sink->query_descriptor = CreateTemplateTupleDesc(count);
	sink->query_attnums = palloc(sizeof(AttrNumber) * Max(count, 1));
	for (int i = 0; i < count; i++)
	{
		TupleDescCopyEntry(sink->query_descriptor, i + 1, sink->descriptor, attnums[i]);
		sink->query_attnums[i] = attnums[i];
	}
	MemoryContextSwitchTo(old);
}

static char *
make_insert(const UsSink *sink)
{
	TupleDesc	desc = sink->query_descriptor;
	const char *schema;
	const char *target;
	StringInfoData columns;
	StringInfoData text;

	initStringInfo(&columns);
	for (int i = 0; i < desc->natts; i++)
		appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "",
						 quote_identifier(NameStr(TupleDescAttr(desc, i)->attname)));

	schema = get_namespace_name(RelationGetNamespace(sink->relation));
	target = quote_qualified_identifier(schema, RelationGetRelationName(sink->relation));
	initStringInfo(&text);
	appendStringInfo(&text, "INSERT INTO %s (%s) SELECT %s FROM " ROWS_NAME,
					 target, columns.data, columns.data);
	return text.data;
}

static void
register_rows(const UsSink *sink, Tuplestorestate *store, int count)
{
	EphemeralNamedRelation enr = palloc0(sizeof(EphemeralNamedRelationData));

	enr->md.name = ROWS_NAME;
	enr->md.reliddesc = InvalidOid;
	enr->md.tupdesc = sink->query_descriptor;
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

/*
 * Prepared at compile time, so that what is wrong with the statement itself
 * (a privilege, a column) shows before any row is touched.
 */
void
us_sink_query_prepare(UsSink *sink)
{
	SPIPlanPtr	plan;

	make_query_descriptor(sink);
	if (sink->query_descriptor->natts == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("no column of the target takes anything from messages")));

	SPI_connect();
	register_rows(sink, NULL, 0);
	plan = SPI_prepare(make_insert(sink), 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare the insert: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	sink->insert_plan = plan;
	SPI_finish();
}

static Tuplestorestate *
fill_store(const UsSink *sink, const int *order, int from, int to)
{
	TupleDesc	desc = sink->query_descriptor;
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);
	Datum	   *values = palloc(sizeof(Datum) * desc->natts);
	bool	   *nulls = palloc(sizeof(bool) * desc->natts);

	for (int i = from; i < to; i++)
	{
		const TupleTableSlot *slot = sink->slots[order[i]];

		for (int column = 0; column < desc->natts; column++)
		{
			int			source = sink->query_attnums[column] - 1;

			values[column] = slot->tts_values[source];
			nulls[column] = slot->tts_isnull[source];
		}
		tuplestore_putvalues(store, desc, values, nulls);
	}
	return store;
}

uint64
us_sink_query_write(UsSink *sink, const int *order, int from, int to)
{
	Tuplestorestate *store;
	uint64		written;
	int			result;

	SPI_connect();
	store = fill_store(sink, order, from, to);
	register_rows(sink, store, to - from);

	result = SPI_execute_plan(sink->insert_plan, NULL, NULL, false, 0);
	if (result < 0)
		elog(ERROR, "could not run the insert: %s", SPI_result_code_string(result));
	written = SPI_processed;

	tuplestore_end(store);
	SPI_finish();

	return written;
}
