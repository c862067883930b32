/*-------------------------------------------------------------------------
 * worker/expand.c
 *    messages -> the pieces that become rows: explode, filter, transform
 *
 * Runs as the owner of the stream, inside the subtransaction of a chunk of
 * messages.  Filter and transform are one query over the messages of a chunk,
 * so that they cost little more than their own work, and a SQL function can
 * be inlined.  What the query gives is put back into the order of messages.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/compat.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"
#include "worker/decode.h"
#include "worker/expand_internal.h"
#include "worker/jsonb_build.h"
#include "worker/map.h"

#define MESSAGES_NAME	"us_messages"	/* the ephemeral relation */

/* its columns */
enum
{
	COL_N,						/* number of the piece */
	COL_MESSAGE,				/* userstream.message, or null when nobody takes it */
	COL_DOCUMENT,				/* its value as jsonb, or null when nobody takes it */
	NCOLUMNS
};

struct UsExpand
{
	Oid			transform;		/* InvalidOid = none */
	Oid			filter;			/* InvalidOid = none */
	char	   *transform_signature;	/* as they were called when compiled */
	char	   *filter_signature;
	bool		explodes;
	const UsCsv *csv;			/* dialect of the lines that explode; NULL = JSON */
	UsDecoder  *decoder;		/* knows what a message is as JSON */
	bool		gives_rows;
	bool		gives_documents;	/* Jsonb, not its text */
	bool		wants_message;
	bool		wants_document;
	TupleDesc	message_type;	/* of userstream.message; NULL when nobody takes it */
	TupleDesc	input;			/* of the ephemeral relation; NULL = there is no query */
	SPIPlanPtr	plan;			/* saved, freed by hand */
	int			ncolumns;		/* that a transform's rows give */

	/* of one run */
	int			from;
	int			failed_at;		/* -1 = unknown */
};

/* the rows that the query gives, as they come */
typedef struct Receiver
{
	DestReceiver dest;			/* first, so that one is the other */
	UsExpand   *expand;
	const UsPiece *inputs;
	int			ninputs;
	MemoryContext context;
	UsPiece    *pieces;
	int		   *numbers;		/* COL_N of each */
	int			count;
	int			capacity;
} Receiver;

/*
 * Compiling.
 */

static const char *
argument_of(UsExpand *expand, const UsFunction *function)
{
	if (function->argument == JSONBOID)
		expand->wants_document = true;
	else
		expand->wants_message = true;
	return function->argument == JSONBOID ? "m.document" : "m.message";
}

static const char *
function_name(Oid oid)
{
	return quote_qualified_identifier(get_namespace_name(get_func_namespace(oid)),
									  get_func_name(oid));
}

/* what the query gives of a transform's result, which row stands for in it */
static char *
result_columns(const UsExpand *expand, const char *row, Relation target,
			   const AttrNumber *attnums, int nattnums)
{
	StringInfoData text;

	if (expand->gives_documents)
		return psprintf(", %s", row);
	if (!expand->gives_rows)
		return psprintf(", %s::pg_catalog.text", row);
	initStringInfo(&text);
	for (int i = 0; i < nattnums; i++)
		appendStringInfo(&text, ", %s.%s", row,
						 quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(target),
																attnums[i] - 1)->attname)));
	return text.data;
}

/*
 * SELECT number and result FROM the messages, by transform and filter, where
 * there are such.  A function in FROM costs a tuplestore for each message
 * unless it is a set that can be inlined.  So one that gives no set is called
 * in a select list; OFFSET 0 keeps that apart, else it were called for each
 * use of its result.  It also keeps the conditions of a set that is inlined
 * away from messages that the filter leaves out.
 */
static char *
make_query(UsExpand *expand, const UsFunction *transform, const UsFunction *filter,
		   Relation target, const AttrNumber *attnums, int nattnums)
{
	const char *condition = filter == NULL ? "true" :
		psprintf("%s(%s)", function_name(filter->oid), argument_of(expand, filter));
	const char *messages = filter == NULL ? MESSAGES_NAME :
		psprintf("(SELECT * FROM " MESSAGES_NAME " m WHERE %s OFFSET 0)", condition);
	const char *call;
	const char *row;

	if (transform == NULL)
		return psprintf("SELECT m.n FROM " MESSAGES_NAME " m WHERE %s", condition);

	call = psprintf("%s(%s)", function_name(transform->oid), argument_of(expand, transform));
	if (!transform->is_set)
		return psprintf("SELECT m.n%s FROM (SELECT m.n, %s AS r FROM " MESSAGES_NAME " m WHERE %s OFFSET 0) m "
						"WHERE NOT (m.r IS NULL)",
						result_columns(expand, "(m.r)", target, attnums, nattnums), call, condition);
	row = expand->gives_rows ? "r" : "r.v";
	return psprintf("SELECT m.n%s FROM %s m CROSS JOIN LATERAL %s AS r%s WHERE NOT (%s IS NULL)",
					result_columns(expand, row, target, attnums, nattnums), messages, call,
					expand->gives_rows ? "" : "(v)", row);
}

static void
register_messages(const UsExpand *expand, Tuplestorestate *store, int count)
{
	EphemeralNamedRelation enr = palloc0(sizeof(EphemeralNamedRelationData));

	enr->md.name = MESSAGES_NAME;
	enr->md.reliddesc = InvalidOid;
	enr->md.tupdesc = expand->input;
	enr->md.enrtype = ENR_NAMED_TUPLESTORE;
	enr->md.enrtuples = count;
	enr->reldata = store;
	if (SPI_register_relation(enr) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register messages");
}

static void
prepare_query(UsExpand *expand, const char *text)
{
	SPIPlanPtr	plan;

	expand->input = CreateTemplateTupleDesc(NCOLUMNS);
	TupleDescInitEntry(expand->input, COL_N + 1, "n", INT4OID, -1, 0);
	TupleDescInitEntry(expand->input, COL_MESSAGE + 1, "message", us_expand_message_type(), -1, 0);
	TupleDescInitEntry(expand->input, COL_DOCUMENT + 1, "document", JSONBOID, -1, 0);
	if (expand->wants_message)
		expand->message_type = lookup_rowtype_tupdesc_copy(us_expand_message_type(), -1);

	SPI_connect();
	register_messages(expand, NULL, 1000);
	plan = SPI_prepare(text, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", text, SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	expand->plan = plan;
	SPI_finish();
}

UsExpand *
us_expand_compile(const UsStream *stream, Relation target, UsMap *map, MemoryContext context)
{
	const AttrNumber *attnums;
	int			nattnums = us_map_columns(map, &attnums);
	const char *filter_name = stream->options.filter;
	MemoryContext old;
	UsExpand   *expand;
	UsFunction	transform;
	UsFunction	filter;

	if (!stream->options.explode && filter_name == NULL && stream->transform == NULL)
		return NULL;

	old = MemoryContextSwitchTo(context);
	expand = palloc0(sizeof(UsExpand));
	expand->explodes = stream->options.explode;
	expand->csv = us_map_csv(map);
	expand->decoder = us_decoder_create(stream->format, us_path_set_create());
	expand->decoder->schemas = stream->schemas;
	expand->ncolumns = nattnums;
	if (stream->transform != NULL)
	{
		transform = us_expand_find_function(stream->transform_oid, stream->transform,
											RelationGetRelid(target), stream->format);
		expand->transform = transform.oid;
		expand->transform_signature = us_expand_signature(transform.oid);
		expand->gives_rows = transform.type != JSONBOID;
		expand->gives_documents = !expand->gives_rows && us_map_take_documents(map);
	}
	if (filter_name != NULL)
	{
		filter = us_expand_find_function(stream->filter_oid, filter_name, InvalidOid,
										 stream->format);
		expand->filter = filter.oid;
		expand->filter_signature = us_expand_signature(filter.oid);
	}
	if (stream->transform != NULL || filter_name != NULL)
	{
		char	   *text = make_query(expand, stream->transform != NULL ? &transform : NULL,
									  filter_name != NULL ? &filter : NULL,
									  target, attnums, nattnums);

		prepare_query(expand, text);
	}
	MemoryContextSwitchTo(old);
	return expand;
}

/*
 * The query has the function by its name, which must not come to be another's
 * while it runs: ALTER and DROP wait for the lock.
 */
static bool
is_renamed(Oid function, const char *signature)
{
	char	   *now;

	if (!OidIsValid(function))
		return false;
	LockDatabaseObject(ProcedureRelationId, function, 0, AccessShareLock);
	now = us_expand_signature(function);
	return now == NULL || strcmp(now, signature) != 0;
}

bool
us_expand_is_stale(const UsExpand *expand)
{
	return is_renamed(expand->transform, expand->transform_signature) ||
		is_renamed(expand->filter, expand->filter_signature);
}

void
us_expand_forget(UsExpand *expand)
{
	if (expand->plan != NULL)
		SPI_freeplan(expand->plan);
	expand->plan = NULL;
}

/*
 * Splitting.
 */

static UsPiece *
add_piece(UsPiece **pieces, int *count, int *capacity, int owner, const UsMessage *message)
{
	UsPiece    *piece;

	if (*count == *capacity)
	{
		*capacity *= 2;
		*pieces = repalloc_huge(*pieces, sizeof(UsPiece) * *capacity);
	}
	piece = &(*pieces)[(*count)++];
	memset(piece, 0, sizeof(UsPiece));
	piece->owner = owner;
	piece->message = *message;
	return piece;
}

/* each message as it is, or what it explodes into */
static UsPiece *
split_messages(UsExpand *expand, const UsMessage *messages, const int *order, int from, int to,
			   int *count)
{
	int			capacity = to - from;
	UsPiece    *pieces = palloc(sizeof(UsPiece) * capacity);

	*count = 0;
	for (int i = from; i < to; i++)
	{
		const UsMessage *message = &messages[order[i]];
		const char **texts;
		int		   *lengths;
		int			ntexts;
		UsMessage	json;

		expand->failed_at = i;
		if (!expand->explodes || message->value == NULL)
		{
			add_piece(&pieces, count, &capacity, i - from, message);
			continue;
		}
		if (expand->csv != NULL)
			ntexts = us_expand_split_csv(expand->csv, message, &texts, &lengths);
		else
		{
			us_message_json(expand->decoder, message, &json);
			ntexts = us_expand_split(&json, &texts, &lengths);
		}
		for (int n = 0; n < ntexts; n++)
		{
			UsPiece    *piece = add_piece(&pieces, count, &capacity, i - from, message);

			piece->message.value = texts[n];
			piece->message.value_len = lengths[n];
		}
	}
	return pieces;
}

/*
 * The query.
 */

/* a message as jsonb; what was exploded is JSON already, whatever the message was */
static Datum
make_document(const UsExpand *expand, const UsMessage *message)
{
	UsMessage	json = *message;
	Jsonb	   *document;
	char	   *text;

	if (!expand->explodes)
	{
		us_decoder_reset(expand->decoder);
		us_message_json(expand->decoder, message, &json);
	}
	document = us_jsonb_build(json.value, json.value_len);
	if (document != NULL)
		return JsonbPGetDatum(document);
	text = us_message_text(json.value, json.value_len);
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
}

/* a removal needs no function: it stays what it is */
static Tuplestorestate *
store_messages(UsExpand *expand, const UsPiece *pieces, int count)
{
	Tuplestorestate *store = tuplestore_begin_heap(false, false, work_mem);
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "message for a function",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	for (int i = 0; i < count; i++)
	{
		const UsMessage *message = &pieces[i].message;
		Datum		values[NCOLUMNS] = {Int32GetDatum(i)};
		bool		nulls[NCOLUMNS] = {false, true, true};

		if (message->value == NULL)
			continue;
		expand->failed_at = expand->from + pieces[i].owner;
		if (expand->wants_message)
		{
			HeapTuple	tuple = us_message_tuple(message, expand->message_type);

			values[COL_MESSAGE] = HeapTupleGetDatum(tuple);
			nulls[COL_MESSAGE] = false;
		}
		if (expand->wants_document)
		{
			values[COL_DOCUMENT] = make_document(expand, message);
			nulls[COL_DOCUMENT] = false;
		}
		tuplestore_putvalues(store, expand->input, values, nulls);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return store;
}

static void
receiver_start(DestReceiver *self, int operation, TupleDesc type)
{
	(void) self;
	(void) operation;
	(void) type;
}

static void
receiver_end(DestReceiver *self)
{
	(void) self;
}

/* a transform's row, in memory that lasts */
static void
take_row(const UsExpand *expand, TupleTableSlot *slot, UsPiece *piece)
{
	piece->values = palloc(sizeof(Datum) * expand->ncolumns);
	piece->isnull = palloc(sizeof(bool) * expand->ncolumns);
	for (int i = 0; i < expand->ncolumns; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(slot->tts_tupleDescriptor, i + 1);

		piece->isnull[i] = slot->tts_isnull[i + 1];
		piece->values[i] = piece->isnull[i] ? (Datum) 0 :
			datumCopy(slot->tts_values[i + 1], attribute->attbyval, attribute->attlen);
	}
}

static bool
receive_row(TupleTableSlot *slot, DestReceiver *self)
{
	Receiver   *receiver = (Receiver *) self;
	UsExpand   *expand = receiver->expand;
	MemoryContext old = MemoryContextSwitchTo(receiver->context);
	int			n;
	UsPiece    *piece;

	slot_getallattrs(slot);
	n = DatumGetInt32(slot->tts_values[0]);
	if (receiver->count == receiver->capacity)
		receiver->numbers = repalloc_huge(receiver->numbers, sizeof(int) * receiver->capacity * 2);
	piece = add_piece(&receiver->pieces, &receiver->count, &receiver->capacity,
					  receiver->inputs[n].owner, &receiver->inputs[n].message);
	receiver->numbers[receiver->count - 1] = n;
	if (expand->gives_rows)
		take_row(expand, slot, piece);
	else if (expand->gives_documents)
	{
		Jsonb	   *document = DatumGetJsonbPCopy(slot->tts_values[1]);

		piece->message.value = (const char *) document;
		piece->message.value_len = VARSIZE(document);
	}
	else if (slot->tts_tupleDescriptor->natts > 1)
	{
		char	   *document = TextDatumGetCString(slot->tts_values[1]);

		piece->message.value = pg_server_to_any(document, (int) strlen(document), PG_UTF8);
		piece->message.value_len = strlen(piece->message.value);
	}

	/* mostly the next message is the one that fails, if one does: then try this first */
	if (n + 1 < receiver->ninputs)
		expand->failed_at = expand->from + receiver->inputs[n + 1].owner;
	MemoryContextSwitchTo(old);
	return true;
}

static void
init_receiver(Receiver *receiver, UsExpand *expand, const UsPiece *inputs, int ninputs)
{
	memset(receiver, 0, sizeof(*receiver));
	receiver->dest.receiveSlot = receive_row;
	receiver->dest.rStartup = receiver_start;
	receiver->dest.rShutdown = receiver_end;
	receiver->dest.rDestroy = receiver_end;
	receiver->dest.mydest = DestTuplestore;
	receiver->expand = expand;
	receiver->inputs = inputs;
	receiver->ninputs = ninputs;
	receiver->context = CurrentMemoryContext;
	receiver->capacity = Max(ninputs, 64);
	receiver->pieces = palloc(sizeof(UsPiece) * receiver->capacity);
	receiver->numbers = palloc(sizeof(int) * receiver->capacity);
}

/* a plan may give rows in any order: those of one message in theirs, messages in theirs */
static UsPiece *
sort_pieces(const Receiver *receiver, int *count)
{
	const UsPiece *inputs = receiver->inputs;
	int		   *places = palloc0(sizeof(int) * (receiver->ninputs + 1));
	UsPiece    *sorted;

	for (int i = 0; i < receiver->count; i++)
		places[receiver->numbers[i] + 1]++;
	for (int n = 0; n < receiver->ninputs; n++)
	{
		if (inputs[n].message.value == NULL)
			places[n + 1]++;
		places[n + 1] += places[n];
	}
	*count = places[receiver->ninputs];
	sorted = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(UsPiece) * Max(*count, 1));
	for (int n = 0; n < receiver->ninputs; n++)
		if (inputs[n].message.value == NULL)
			sorted[places[n]] = inputs[n];
	for (int i = 0; i < receiver->count; i++)
		sorted[places[receiver->numbers[i]]++] = receiver->pieces[i];
	return sorted;
}

static UsPiece *
run_query(UsExpand *expand, const UsPiece *inputs, int ninputs, int *count)
{
	MemoryContext context = CurrentMemoryContext;
	Tuplestorestate *store = store_messages(expand, inputs, ninputs);
	SPIExecuteOptions options = {0};
	Receiver	receiver;
	int			result;

	init_receiver(&receiver, expand, inputs, ninputs);
	register_messages(expand, store, ninputs);
	expand->failed_at = expand->from;
	options.dest = &receiver.dest;
	result = SPI_execute_plan_extended(expand->plan, &options);
	/* SPI leaves its own behind, which an error takes away */
	MemoryContextSwitchTo(context);
	if (result < 0)
		elog(ERROR, "could not run the filter or transform: %s", SPI_result_code_string(result));
	(void) SPI_unregister_relation(MESSAGES_NAME);
	tuplestore_end(store);
	expand->failed_at = -1;
	return sort_pieces(&receiver, count);
}

UsPiece *
us_expand_run(UsExpand *expand, const UsMessage *messages, const int *order, int from, int to,
			  int *count)
{
	UsPiece    *pieces;

	expand->from = from;
	pieces = split_messages(expand, messages, order, from, to, count);
	if (expand->input != NULL)
		pieces = run_query(expand, pieces, *count, count);
	expand->failed_at = -1;
	return pieces;
}

int
us_expand_failed_at(const UsExpand *expand)
{
	return expand->failed_at;
}
