/*-------------------------------------------------------------------------
 * worker/trial.c
 *    what a message would become, without its becoming anything
 *
 * Runs in the backend and transaction of who calls try_message: as the owner
 * of the stream, restricted, with the settings of a worker.  The rows do go
 * into the target, so that constraints and triggers have their say, and are
 * taken back by the subtransaction around them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "extension/registry.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "worker/session.h"
#include "worker/sink_table.h"
#include "worker/trial.h"
#include "worker/window.h"

static void
note_applied(UsRun *run, const UsMessage *message, int rows)
{
	(void) run;
	(void) message;
	(void) rows;
}

static void
note_skipped(UsRun *run, const UsMessage *message)
{
	us_sink_forget_rows(run->sink);
	(void) message;
}

/* what would be a dead letter is the caller's error */
static void
raise_error(UsRun *run, const UsMessage *message, const ErrorData *edata)
{
	(void) run;
	(void) message;
	ReThrowError(unconstify(ErrorData *, edata));
}

static const UsRunCalls trial_calls = {NULL, note_applied, note_skipped, raise_error};

/* columns that are left to the target are not part of what is shown */
static Jsonb *
row_document(const UsSinkRowView *row, TupleDesc descriptor)
{
	HeapTuple	tuple = heap_form_tuple(descriptor, row->values, row->isnull);
	Datum		document = DirectFunctionCall1(row_to_json, HeapTupleGetDatum(tuple));
	Datum	   *names = palloc(sizeof(Datum) * descriptor->natts);
	int			nnames = 0;

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (!attribute->attisdropped && !row->known[i])
			names[nnames++] = CStringGetTextDatum(NameStr(attribute->attname));
	}
	document = DirectFunctionCall1(jsonb_in,
								   CStringGetDatum(TextDatumGetCString(document)));
	document = DirectFunctionCall2(jsonb_delete_array, document,
								   PointerGetDatum(construct_array(names, nnames, TEXTOID, -1,
																   false, TYPALIGN_INT)));
	return DatumGetJsonbP(document);
}

static Jsonb **
collect_rows(UsSink *sink, MemoryContext context, int *count, bool *removes)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	Jsonb	  **documents;

	*count = us_sink_row_count(sink);
	*removes = false;
	documents = palloc(sizeof(Jsonb *) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		UsSinkRowView row;

		us_sink_view_row(sink, i, &row);
		*removes |= row.removes;
		documents[i] = row_document(&row, us_map_descriptor(us_sink_map(sink)));
	}
	MemoryContextSwitchTo(old);
	return documents;
}

static void
write_message(UsRun *run, const UsMessage *message)
{
	const UsStream *stream = run->stream;
	Oid			role;
	int			security_context;

	us_session_constraints_immediate();
	GetUserIdAndSecContext(&role, &security_context);
	SetUserIdAndSecContext(us_catalog_owner(stream->owner, stream->owner_oid, stream->home),
						   security_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	us_sink_begin(run->sink);
	us_window_write(run, message, 1);
	us_sink_end(run->sink);
	SetUserIdAndSecContext(role, security_context);
}

static void
init_run(UsRun *run, const UsStream *stream, MemoryContext context)
{
	memset(run, 0, sizeof(*run));
	run->stream = stream;
	run->sink = us_sink_create(context, stream);
	run->calls = &trial_calls;
	run->context = context;
	run->row_context = AllocSetContextCreate(context, "rows", ALLOCSET_DEFAULT_SIZES);
}

Jsonb **
us_trial_rows(UsStream *stream, const UsMessage *message, int *count, bool *removes)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	MemoryContext context = AllocSetContextCreate(caller, "trial", ALLOCSET_DEFAULT_SIZES);
	Jsonb	  **volatile documents = NULL;
	UsRun		run;

	/* before anything is open; the schemas go with what was made to try */
	us_registry_require(us_registry_create(context, stream,
										   us_catalog_owner(stream->owner, stream->owner_oid,
															stream->home)),
						message, 1);
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		/* the end of the subtransaction gives the settings back */
		(void) us_session_borrow(stream->timezone);
		init_run(&run, stream, context);
		write_message(&run, message);
		documents = collect_rows(run.sink, caller, count, removes);
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(caller);
		edata = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(caller);
		CurrentResourceOwner = owner;
		MemoryContextDelete(context);
		ReThrowError(edata);
	}
	PG_END_TRY();
	RollbackAndReleaseCurrentSubTransaction();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	MemoryContextDelete(context);
	return documents;
}
