/*-------------------------------------------------------------------------
 * worker/sink_statement.c
 *    the statements of mode upsert: DELETE, and INSERT .. ON CONFLICT DO UPDATE
 *
 * A column that a message does not have is neither inserted nor updated; so
 * there is a statement for each set of columns that messages have.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/ruleutils.h"
#include "worker/sink_internal.h"

/* by hand, since no memory context does it */
static void
free_plans(UsUpsert *upsert)
{
	for (int i = 0; i < upsert->nplans; i++)
		SPI_freeplan(upsert->saved[i]);
	upsert->nplans = 0;
	upsert->plans = NULL;
}

void
us_sink_upsert_forget(UsUpsert *upsert)
{
	free_plans(upsert);
	if (upsert->removal != NULL)
		SPI_freeplan(upsert->removal);
	upsert->removal = NULL;
}

static const char *
column_name(const UsSink *sink, AttrNumber attnum)
{
	return quote_identifier(NameStr(TupleDescAttr(sink->descriptor, attnum - 1)->attname));
}

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

/* whether a row of these columns is a whole one, none generated, and the table needs no executor */
static bool
is_direct(const UsSink *sink, int count)
{
	int			nlive = 0;

	for (int i = 0; i < sink->descriptor->natts; i++)
		nlive += !TupleDescAttr(sink->descriptor, i)->attisdropped;
	return count == nlive && count > sink->upsert->key->count &&
		us_sink_direct_possible(sink->relation);
}

UsUpsertPlan *
us_sink_upsert_plan(UsSink *sink, const bool *present)
{
	UsUpsert   *upsert = sink->upsert;
	UsUpsertPlan *plan;
	MemoryContext old;

	for (plan = upsert->plans; plan != NULL; plan = plan->next)
		if (memcmp(plan->present, present, sizeof(bool) * upsert->ncolumns) == 0)
			return plan;

	if (upsert->nplans == US_MAX_UPSERT_PLANS)
	{
		free_plans(upsert);
		MemoryContextReset(upsert->plans_context);
	}
	old = MemoryContextSwitchTo(upsert->plans_context);
	plan = palloc0(sizeof(UsUpsertPlan));
	describe_columns(sink, plan, present);
	plan->direct = is_direct(sink, plan->descriptor->natts);
	MemoryContextSwitchTo(old);
	plan->plan = us_sink_query_plan(plan->descriptor,
									upsert_text(sink, plan->attnums, plan->descriptor->natts));
	plan->next = upsert->plans;
	upsert->plans = plan;
	upsert->saved[upsert->nplans++] = plan->plan;
	return plan;
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
SPIPlanPtr
us_sink_removal_plan(UsSink *sink)
{
	const UsKey *key = sink->upsert->key;
	Oid		   *types;
	SPIPlanPtr	plan;

	if (sink->upsert->removal != NULL)
		return sink->upsert->removal;
	types = palloc(sizeof(Oid) * key->count);
	for (int i = 0; i < key->count; i++)
		types[i] = TupleDescAttr(sink->descriptor, key->attnums[i] - 1)->atttypid;
	plan = SPI_prepare(removal_text(sink), key->count, types);
	if (plan == NULL)
		elog(ERROR, "could not prepare the removal: %s", SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	sink->upsert->removal = plan;
	return plan;
}
