/*-------------------------------------------------------------------------
 * extension/feed_page.c
 *    a response -> records -> messages of a page
 *
 * Runs in the backend of run_feed, in a transaction of the page's own.  All
 * JSON is read by PostgreSQL's own parser into jsonb, so numbers stay exact.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/feed_run.h"
#include "extension/subtransaction.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/jsonpath.h"
#include "utils/memutils.h"

#define CHUNK_RECORDS		500 /* that go through the transform in one statement */
#define MAX_CHARSET_LENGTH	64

/* one text to be parsed, for us_try */
typedef struct Parse
{
	char	   *text;
	Jsonb	   *result;
} Parse;

static void
parse_json(void *argument)
{
	Parse	   *parse = argument;

	parse->result = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(parse->text)));
}

/* what a text says by its kind of error; another error is not about the text */
static bool
is_about_text(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}

static char *
error_text(const ErrorData *error)
{
	return error->detail == NULL ? error->message :
		psprintf("%s: %s", error->message, error->detail);
}

/* the encoding that a Content-Type names; UTF-8, which JSON is by its standard, if none */
static int
encoding_of(const char *content_type)
{
	const char *at = strcasestr(content_type, "charset=");
	char		name[MAX_CHARSET_LENGTH];
	size_t		length;
	int			encoding;

	if (at == NULL)
		return PG_UTF8;
	at += strlen("charset=");
	at += strspn(at, "\"");
	length = strcspn(at, "\"; \t");
	if (length >= sizeof(name))
		return PG_UTF8;
	memcpy(name, at, length);
	name[length] = '\0';
	encoding = pg_char_to_encoding(name);
	return encoding < 0 ? PG_UTF8 : encoding;
}

/* for us_try */
typedef struct Conversion
{
	const UsHttpResponse *response;
	char	   *text;
} Conversion;

static void
convert_body(void *argument)
{
	Conversion *conversion = argument;
	const UsHttpResponse *response = conversion->response;

	conversion->text = pg_any_to_server(response->body, (int) response->size,
										encoding_of(response->content_type));
}

/* in the database's encoding, without a byte order mark */
static char *
body_text(const UsFeedRun *run, const UsHttpResponse *response)
{
	Conversion	conversion = {response, NULL};
	ErrorData  *error;

	if (response->size == 0)
		us_feed_refuse_body(run, response, "it is empty");
	if (strlen(response->body) != response->size)
		us_feed_refuse_body(run, response, "it holds a null byte");
	error = us_try(convert_body, &conversion);
	if (error != NULL && is_about_text(error))
		us_feed_refuse_body(run, response, error->message);
	if (error != NULL)
		ReThrowError(error);
	if (GetDatabaseEncoding() == PG_UTF8 && strncmp(conversion.text, "\xEF\xBB\xBF", 3) == 0)
		return conversion.text + 3;
	return conversion.text;
}

void
us_feed_bad_record(UsFeedPage *page, const char *value, int value_len,
				   int sqlerrcode, const char *error)
{
	MemoryContext old = MemoryContextSwitchTo(page->context);
	UsBadRecord *bad;

	if (page->nbad == page->bad_capacity)
	{
		page->bad_capacity = page->bad_capacity * 2 + 16;
		page->bad = page->bad == NULL ? palloc(sizeof(UsBadRecord) * page->bad_capacity) :
			repalloc_huge(page->bad, sizeof(UsBadRecord) * page->bad_capacity);
	}
	bad = &page->bad[page->nbad++];
	bad->value = palloc(value_len + 1);
	memcpy(bad->value, value, value_len);
	bad->value_len = value_len;
	strlcpy(bad->sqlstate, unpack_sql_state(sqlerrcode), sizeof(bad->sqlstate));
	bad->error = pstrdup(error);
	MemoryContextSwitchTo(old);
}

/* the text of the first thing that a path finds; NULL = none, or JSON null */
static char *
path_text(UsFeedRun *run, Jsonb *body, const char *name, const char *path)
{
	Oid			types[] = {JSONBOID, JSONPATHOID};
	Datum		values[] = {JsonbPGetDatum(body), us_feed_json_path(name, path)};
	char	   *result = NULL;
	bool		isnull;
	Datum		value;

	SPI_connect();
	if (SPI_execute_with_args("SELECT pg_catalog.jsonb_path_query_first($1, $2)"
							  " OPERATOR(pg_catalog.#>>) '{}'",
							  lengthof(values), types, values, NULL, false, 0) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not look for \"%s\"", path);
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
	{
		MemoryContext old = MemoryContextSwitchTo(run->current.context);

		result = TextDatumGetCString(value);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	return result;
}

/*
 * The records of one JSON value, chunk by chunk.  "$" means the value, or
 * its elements when it is an array: a list is never one record.
 */
static void
add_records(UsFeedRun *run, Jsonb *body)
{
	const char *path = strcmp(run->feed->records, "$") == 0 ? "$[*]" : run->feed->records;
	Oid			types[] = {JSONBOID, JSONPATHOID};
	Datum		values[] = {JsonbPGetDatum(body), us_feed_json_path("records", path)};
	MemoryContext chunk = AllocSetContextCreate(CurrentMemoryContext, "feed records",
												ALLOCSET_DEFAULT_SIZES);
	Portal		cursor;

	SPI_connect();
	cursor = SPI_cursor_open_with_args(NULL, "SELECT pg_catalog.jsonb_path_query($1, $2)",
									   lengthof(values), types, values, NULL, false, 0);
	for (;;)
	{
		Jsonb	   *records[CHUNK_RECORDS];
		MemoryContext old;
		int			n;

		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(cursor, true, CHUNK_RECORDS);
		n = (int) SPI_processed;
		if (n == 0)
			break;
		old = MemoryContextSwitchTo(chunk);
		for (int i = 0; i < n; i++)
		{
			bool		isnull;
			Datum		value = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1,
											  &isnull);

			records[i] = DatumGetJsonbPCopy(value);
		}
		SPI_freetuptable(SPI_tuptable);
		us_feed_records_add(run, records, n);
		MemoryContextSwitchTo(old);
		MemoryContextReset(chunk);
	}
	SPI_cursor_close(cursor);
	SPI_finish();
	MemoryContextDelete(chunk);
}

static void
read_json(UsFeedRun *run, const UsHttpResponse *response, char *text)
{
	const UsFeedOptions *options = &run->feed->options;
	Parse		parse = {text, NULL};
	ErrorData  *error = us_try(parse_json, &parse);

	if (error != NULL && is_about_text(error))
		us_feed_refuse_body(run, response, error_text(error));
	if (error != NULL)
		ReThrowError(error);
	add_records(run, parse.result);
	if (options->next != NULL)
		run->current.next = path_text(run, parse.result, "next", options->next);
	if (options->since_path != NULL)
		run->current.since = path_text(run, parse.result, "since", options->since_path);
}

/* a line that is not JSON is a bad record; a body without one that is, is no NDJSON */
static void
read_ndjson(UsFeedRun *run, const UsHttpResponse *response, char *text)
{
	MemoryContext line_context = AllocSetContextCreate(CurrentMemoryContext, "feed line",
													   ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(line_context);
	bool		any = false;
	char	   *first_error = NULL;

	for (char *line = text; line != NULL && *line != '\0';)
	{
		char	   *end = strchr(line, '\n');
		Parse		parse = {line, NULL};
		ErrorData  *error;

		if (end != NULL)
			*end++ = '\0';
		if (line[strspn(line, " \t\r")] != '\0')
		{
			CHECK_FOR_INTERRUPTS();
			error = us_try(parse_json, &parse);
			if (error != NULL && !is_about_text(error))
				ReThrowError(error);
			if (error == NULL)
			{
				any = true;
				add_records(run, parse.result);
			}
			else
			{
				run->current.records++;
				us_feed_bad_record(&run->current, line, (int) strlen(line), error->sqlerrcode,
								   error_text(error));
				if (first_error == NULL)
					first_error = MemoryContextStrdup(run->current.context, error_text(error));
			}
			MemoryContextReset(line_context);
		}
		line = end;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(line_context);
	if (!any && first_error != NULL)
		us_feed_refuse_body(run, response, first_error);
}

void
us_feed_page_read(UsFeedRun *run, const UsHttpResponse *response)
{
	char	   *text;

	EnsurePortalSnapshotExists();
	text = body_text(run, response);
	if (run->feed->options.ndjson)
		read_ndjson(run, response, text);
	else
		read_json(run, response, text);
}
