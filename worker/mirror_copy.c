/*-------------------------------------------------------------------------
 * worker/mirror_copy.c
 *    rows of the table itself: those there at the beginning, and those moved
 *
 * Runs in a mirror worker, as the owner of the table.  The first copy is in
 * the transaction whose snapshot is the slot's start: every change after it
 * comes from the WAL.  Rows take the form that pgoutput gives changes, and the
 * same way.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/stratnum.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "mb/pg_wchar.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "worker/mirror_copy.h"
#include "worker/session.h"

#define FETCH_ROWS		500

/* how a column becomes what pgoutput would send */
typedef struct Sender
{
	FmgrInfo	function;
	bool		binary;
} Sender;

static char *
query_text(Oid table, const UsMirrorPlan *plan, const char *condition)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, "SELECT ");
	for (int c = 0; c < plan->ncolumns; c++)
		appendStringInfo(&text, "%s%s", c > 0 ? ", " : "", quote_identifier(plan->columns[c].name));
	appendStringInfo(&text, " FROM %s%s",
					 get_rel_relkind(table) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
					 us_qualified_name(table));
	if (condition != NULL)
		appendStringInfo(&text, " WHERE %s", condition);
	return text.data;
}

static Sender *
find_senders(const UsMirrorPlan *plan)
{
	Sender	   *senders = palloc0(sizeof(Sender) * Max(plan->ncolumns, 1));

	for (int c = 0; c < plan->ncolumns; c++)
	{
		Oid			function = us_mirror_send_function(plan->columns[c].type);
		bool		varlena;

		senders[c].binary = OidIsValid(function);
		if (!senders[c].binary)
			getTypeOutputInfo(plan->columns[c].type, &function, &varlena);
		fmgr_info(function, &senders[c].function);
	}
	return senders;
}

static void
send_value(Sender *sender, Datum value, LogicalRepTupleData *row, int c)
{
	StringInfo	out = &row->colvalues[c];

	memset(out, 0, sizeof(*out));
	if (sender->binary)
	{
		bytea	   *bytes = SendFunctionCall(&sender->function, value);

		row->colstatus[c] = LOGICALREP_COLUMN_BINARY;
		out->data = VARDATA(bytes);
		out->len = VARSIZE(bytes) - VARHDRSZ;
	}
	else
	{
		char	   *text = OutputFunctionCall(&sender->function, value);

		row->colstatus[c] = LOGICALREP_COLUMN_TEXT;
		out->data = pg_server_to_client(text, strlen(text));
		out->len = strlen(out->data);
	}
}

static void
copy_row(HeapTuple tuple, TupleDesc desc, Sender *senders, const UsMirrorShape *shape,
		 LogicalRepTupleData *row, UsMirrorWriter *writer)
{
	for (int c = 0; c < row->ncols; c++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(tuple, desc, c + 1, &isnull);

		if (isnull)
			row->colstatus[c] = LOGICALREP_COLUMN_NULL;
		else
			send_value(&senders[c], value, row, c);
	}
	us_mirror_upsert(writer, shape, row, NULL, false, false);
}

/* in a transaction; table: the target or one of its partitions; condition: NULL = all rows */
static void
copy_rows(Oid table, const UsMirrorPlan *plan, const char *condition, UsMirrorWriter *writer)
{
	int			wrong;
	UsMirrorShape *shape = us_mirror_plan_shape(plan, &wrong);
	Sender	   *senders = find_senders(plan);
	LogicalRepTupleData row = {
		.colvalues = palloc0(sizeof(StringInfoData) * Max(plan->ncolumns, 1)),
		.colstatus = palloc0(Max(plan->ncolumns, 1)),
		.ncols = plan->ncolumns
	};
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mirror copy",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old;
	Portal		portal;

	/* a policy would leave rows out in silence: an error says so instead */
	SetConfigOption("row_security", "off", PGC_SUSET, PGC_S_SESSION);
	SPI_connect();
	portal = SPI_cursor_open_with_args(NULL, query_text(table, plan, condition), 0, NULL, NULL,
									   NULL, true, 0);
	do
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		old = MemoryContextSwitchTo(context);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			copy_row(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, senders, shape, &row, writer);
			MemoryContextReset(context);
		}
		MemoryContextSwitchTo(old);
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_finish();
	MemoryContextDelete(context);
}

void
us_mirror_copy(const UsMirror *mirror, const UsMirrorPlan *plan, UsMirrorWriter *writer)
{
	copy_rows(mirror->target_oid, plan, NULL, writer);
}

/* by the equality that makes the key unique, whatever type it has and wherever that is */
static char *
key_condition(const UsMirror *mirror, const UsMirrorPlan *plan, char *const *texts)
{
	Relation	table = relation_open(mirror->target_oid, AccessShareLock);
	Relation	index;
	StringInfoData text;

	list_free(RelationGetIndexList(table));
	if (!OidIsValid(table->rd_pkindex))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table %s has no primary key any more", us_mirror_target_name(mirror))));
	index = index_open(table->rd_pkindex, AccessShareLock);
	initStringInfo(&text);
	for (int i = 0; i < plan->nkeys; i++)
	{
		const UsMirrorColumn *column = &plan->columns[plan->keys[i]];
		Oid			equal = get_opfamily_member(index->rd_opfamily[i], index->rd_opcintype[i],
												index->rd_opcintype[i], BTEqualStrategyNumber);
		char	   *type = format_type_extended(column->type, -1, FORMAT_TYPE_FORCE_QUALIFY);

		if (i > 0)
			appendStringInfoString(&text, " AND ");
		generate_operator_clause(&text, quote_identifier(column->name), column->type, equal,
								 psprintf("%s::%s", quote_literal_cstr(texts[i]), type),
								 column->type);
	}
	index_close(index, AccessShareLock);
	relation_close(table, NoLock);
	return text.data;
}

/* key: NULL = all rows */
static void
copy_again(const UsMirror *mirror, Oid table, const UsMirrorPlan *plan, char *const *key,
		   UsMirrorWriter *writer)
{
	/* a table that was dropped has no rows to be missed */
	if (us_session_begin(mirror->timezone) && get_rel_name(table) != NULL)
		copy_rows(table, plan, key != NULL ? key_condition(mirror, plan, key) : NULL, writer);
	us_session_commit();
}

/*
 * Its commit is in the WAL, but others may not see it yet.
 */
static void
wait_until_visible(TransactionId xid)
{
	MemoryContext context = CurrentMemoryContext;

	StartTransactionCommand();
	XactLockTableWait(xid, NULL, NULL, XLTW_None);
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

/*
 * What is read is the rows as they are now, which may be newer than the
 * transaction: then the changes that made them so are yet to come, each with a
 * later timestamp.  A row that is not there by that key any more needs
 * nothing: its removal is to come too, and if it was moved once more, it is
 * read again then.
 */
void
us_mirror_refill(const UsMirror *mirror, const UsMirrorPlan *plan, TransactionId xid,
				 UsMirrorWriter *writer)
{
	const UsMirrorMoved *moved = us_mirror_moved(writer);
	ListCell   *cell;

	wait_until_visible(xid);
	us_mirror_begin_refill(writer);
	if (moved->many)
		copy_again(mirror, mirror->target_oid, plan, NULL, writer);
	foreach(cell, moved->keys)
	{
		/* not in the transaction, which would hold a snapshot meanwhile */
		us_mirror_make_room(writer);
		copy_again(mirror, mirror->target_oid, plan, lfirst(cell), writer);
	}
}

void
us_mirror_copy_tables(const UsMirror *mirror, const UsMirrorPlan *plan, List *tables,
					  UsMirrorWriter *writer)
{
	ListCell   *cell;

	us_mirror_begin_refill(writer);
	foreach(cell, tables)
		copy_again(mirror, lfirst_oid(cell), plan, NULL, writer);
}
