/*-------------------------------------------------------------------------
 * worker/mirror_copy.c
 *    the rows that are there when a mirror begins
 *
 * Runs in a mirror worker, as the owner of the table, in the transaction
 * whose snapshot is the slot's start: every change after it comes from the
 * WAL.  Rows take the form that pgoutput gives changes, and the same way.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "worker/mirror_copy.h"

#define FETCH_ROWS		500

/* how a column becomes what pgoutput would send */
typedef struct Sender
{
	FmgrInfo	function;
	bool		binary;
} Sender;

static char *
query_text(const UsMirror *mirror, const UsMirrorPlan *plan)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, "SELECT ");
	for (int c = 0; c < plan->ncolumns; c++)
		appendStringInfo(&text, "%s%s", c > 0 ? ", " : "", quote_identifier(plan->columns[c].name));
	appendStringInfo(&text, " FROM %s%s",
					 get_rel_relkind(mirror->target_oid) == RELKIND_PARTITIONED_TABLE ? "" : "ONLY ",
					 us_qualified_name(mirror->target_oid));
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
	us_mirror_upsert(writer, shape, row, NULL, false);
}

void
us_mirror_copy(const UsMirror *mirror, const UsMirrorPlan *plan, const UsMirrorShape *shape,
			   UsMirrorWriter *writer)
{
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
	portal = SPI_cursor_open_with_args(NULL, query_text(mirror, plan), 0, NULL, NULL, NULL,
									   true, 0);
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
