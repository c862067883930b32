/*-------------------------------------------------------------------------
 * extension/feed_records.c
 *    records -> messages, by the transform, as the feed's owner
 *
 * Runs in the backend of run_feed.  The transform sees the settings that a
 * stream's rows are made with, a closed search path, and the rights of the
 * feed's owner and nobody else, whoever calls.  A chunk of records goes
 * through one statement; when it fails, each record goes alone, and a bad one
 * costs itself only.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/feed_run.h"
#include "extension/subtransaction.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

/* one chunk, for us_try */
typedef struct Chunk
{
	UsFeedRun  *run;
	Jsonb	  **records;
	int			n;
} Chunk;

/* ---- the owner ---- */

typedef struct Session
{
	Oid			role;
	int			security_context;
	int			guc_nest_level;
} Session;

static void
set(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE,
							 true, 0, false);
}

/* as for the rows of a stream, but for timeouts: those are the caller's */
static Session
become_owner(const UsFeed *feed)
{
	Session		saved;

	GetUserIdAndSecContext(&saved.role, &saved.security_context);
	saved.guc_nest_level = NewGUCNestLevel();
	set("search_path", "pg_catalog, pg_temp");
	set("datestyle", "ISO, MDY");
	set("intervalstyle", "postgres");
	set("row_security", "on");
	set("session_replication_role", "origin");
	set("TimeZone", feed->timezone);
	SetUserIdAndSecContext(feed->owner_oid,
						   saved.security_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	return saved;
}

static void
become_caller(Session saved)
{
	SetUserIdAndSecContext(saved.role, saved.security_context);
	AtEOXact_GUC(false, saved.guc_nest_level);
}

/* ---- messages ---- */

/* "login.uuid" -> {login,uuid} */
static Datum
key_path(const char *key)
{
	return DirectFunctionCall2Coll(text_to_array, DEFAULT_COLLATION_OID,
								   CStringGetTextDatum(key), CStringGetTextDatum("."));
}

/* NULL when the message has no such field, or JSON null there */
static char *
key_of(Jsonb *message, Datum path)
{
	LOCAL_FCINFO(fcinfo, 2);
	Datum		result;

	InitFunctionCallInfoData(*fcinfo, NULL, 2, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = JsonbPGetDatum(message);
	fcinfo->args[0].isnull = false;
	fcinfo->args[1].value = path;
	fcinfo->args[1].isnull = false;
	result = jsonb_extract_path_text(fcinfo);
	return fcinfo->isnull ? NULL : TextDatumGetCString(result);
}

/* a copy in UTF-8, in the page's context; length is that of text, then of the copy */
static char *
keep(UsFeedPage *page, char *text, int *length)
{
	char	   *utf8 = pg_server_to_any(text, *length, PG_UTF8);
	char	   *copy;

	if (utf8 != text)
		*length = (int) strlen(utf8);
	copy = MemoryContextAlloc(page->context, *length + 1);
	memcpy(copy, utf8, *length + 1);
	return copy;
}

static void
add_message(UsFeedRun *run, Jsonb *value, Datum path, StringInfo buffer)
{
	UsFeedPage *page = &run->current;
	UsFeedMessage message = {0};

	if (run->feed->key != NULL)
	{
		char	   *key = key_of(value, path);

		if (key == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("the message has no field \"%s\", which is its key",
							run->feed->key)));
		message.key_len = (int) strlen(key);
		message.key = keep(page, key, &message.key_len);
	}
	resetStringInfo(buffer);
	(void) JsonbToCString(buffer, &value->root, VARSIZE(value));
	message.value_len = buffer->len;
	message.value = keep(page, buffer->data, &message.value_len);

	if (page->nmessages == page->messages_capacity)
	{
		page->messages_capacity = page->messages_capacity * 2 + 256;
		page->messages = page->messages == NULL ?
			MemoryContextAlloc(page->context, sizeof(UsFeedMessage) * page->messages_capacity) :
			repalloc_huge(page->messages, sizeof(UsFeedMessage) * page->messages_capacity);
	}
	page->messages[page->nmessages++] = message;
}

/* ---- the transform ---- */

/* n and value of each message, in the order of records */
static char *
transform_query(const UsFeed *feed)
{
	Oid			function = feed->transform_oid;
	char	   *name;

	if (!OidIsValid(function))
		return NULL;
	name = quote_qualified_identifier(get_namespace_name(get_func_namespace(function)),
									  get_func_name(function));
	if (get_func_retset(function))
		return psprintf("SELECT r.n, t.value"
						" FROM pg_catalog.unnest($1) WITH ORDINALITY AS r (record, n),"
						" LATERAL %s(r.record) WITH ORDINALITY AS t (value, m)"
						" ORDER BY r.n, t.m", name);
	return psprintf("SELECT r.n, %s(r.record)"
					" FROM pg_catalog.unnest($1) WITH ORDINALITY AS r (record, n)", name);
}

/*
 * One plan for all chunks of a page: it is made at its first use, for any
 * array, and ends with the caller's SPI connection.
 */
void
us_feed_records_begin(UsFeedRun *run)
{
	const char *query = transform_query(run->feed);
	Oid			types[1] = {JSONBARRAYOID};
	Session		saved;

	run->transform = NULL;
	if (query == NULL)
		return;
	saved = become_owner(run->feed);
	run->transform = SPI_prepare_cursor(query, 1, types, CURSOR_OPT_GENERIC_PLAN);
	if (run->transform == NULL)
		elog(ERROR, "could not prepare the transform of feed \"%s\"", run->feed->name);
	become_caller(saved);
}

/* the results of the statement that just ran */
static void
take_results(Chunk *chunk, Datum path, StringInfo buffer)
{
	uint64		rows = SPI_processed;
	SPITupleTable *table = SPI_tuptable;
	int64		last = 0;

	for (uint64 i = 0; i < rows; i++)
	{
		bool		isnull;
		int64		n = DatumGetInt64(SPI_getbinval(table->vals[i], table->tupdesc, 1, &isnull));
		Datum		value = SPI_getbinval(table->vals[i], table->tupdesc, 2, &isnull);

		if (isnull)
			continue;
		add_message(chunk->run, DatumGetJsonbP(value), path, buffer);
		if (n != last)
			chunk->run->current.skipped--;
		last = n;
	}
}

static Datum
record_array(const Chunk *chunk)
{
	Datum	   *items = palloc(sizeof(Datum) * chunk->n);

	for (int i = 0; i < chunk->n; i++)
		items[i] = JsonbPGetDatum(chunk->records[i]);
	return PointerGetDatum(construct_array(items, chunk->n, JSONBOID, -1, false, TYPALIGN_INT));
}

static void
transform_chunk(void *argument)
{
	Chunk	   *chunk = argument;
	const UsFeed *feed = chunk->run->feed;
	Datum		path = feed->key == NULL ? (Datum) 0 : key_path(feed->key);
	Datum		values[1];
	StringInfoData buffer;

	initStringInfo(&buffer);
	if (chunk->run->transform == NULL)
	{
		for (int i = 0; i < chunk->n; i++)
			add_message(chunk->run, chunk->records[i], path, &buffer);
		return;
	}

	values[0] = record_array(chunk);
	SPI_connect();
	chunk->run->current.skipped += chunk->n;
	if (SPI_execute_plan(chunk->run->transform, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not call the transform of feed \"%s\"", feed->name);
	take_results(chunk, path, &buffer);
	SPI_finish();
}

/* whether one record alone is to blame; else the definition or the moment is */
static bool
is_records_fault(const ErrorData *error)
{
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case MAKE_SQLSTATE('0', '8', '0', '0', '0'):
		case MAKE_SQLSTATE('2', '5', '0', '0', '0'):
		case MAKE_SQLSTATE('2', 'D', '0', '0', '0'):
		case MAKE_SQLSTATE('4', '0', '0', '0', '0'):
		case MAKE_SQLSTATE('4', '2', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '3', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '5', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '7', '0', '0', '0'):
		case MAKE_SQLSTATE('5', '8', '0', '0', '0'):
		case MAKE_SQLSTATE('X', 'X', '0', '0', '0'):
			return false;
		default:
			return true;
	}
}

static void
keep_bad_record(UsFeedRun *run, Jsonb *record, const ErrorData *error)
{
	char	   *text = JsonbToCString(NULL, &record->root, VARSIZE(record));
	int			length = (int) strlen(text);
	char	   *value = keep(&run->current, text, &length);

	us_feed_bad_record(&run->current, value, length, error->sqlerrcode,
					   error->detail == NULL ? error->message :
					   psprintf("%s\nDETAIL: %s", error->message, error->detail));
}

/* NULL when it went well; the page is as before when it did not */
static ErrorData *
try_chunk(Chunk *chunk)
{
	UsFeedPage *page = &chunk->run->current;
	int			nmessages = page->nmessages;
	int			skipped = page->skipped;
	ErrorData  *error = us_try(transform_chunk, chunk);

	if (error == NULL)
		return NULL;
	page->nmessages = nmessages;
	page->skipped = skipped;
	if (!is_records_fault(error))
		ReThrowError(error);
	return error;
}

void
us_feed_records_add(UsFeedRun *run, Jsonb **records, int n)
{
	Chunk		all = {run, records, n};
	Session		saved;

	if (n == 0)
		return;
	us_feed_cpu_spent(run, US_PART_READ);
	saved = become_owner(run->feed);
	run->current.records += n;
	if (try_chunk(&all) != NULL)
	{
		for (int i = 0; i < n; i++)
		{
			Chunk		one = {run, &records[i], 1};
			ErrorData  *error = try_chunk(&one);

			if (error != NULL)
				keep_bad_record(run, records[i], error);
		}
	}
	become_caller(saved);
	us_feed_cpu_spent(run, US_PART_TRANSFORM);
}
