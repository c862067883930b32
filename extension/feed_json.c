/*-------------------------------------------------------------------------
 * extension/feed_json.c
 *    the text of a page -> records
 *
 * Runs in the backend of run_feed, in a transaction of the page's own.  All
 * JSON is read by PostgreSQL's own parser into jsonb, so numbers stay exact.
 * Where records are lines, or elements of an array that is found without
 * reading it, they are read one by one: a page as one jsonb takes several
 * times its size in memory, and twice the time.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/feed_run.h"
#include "extension/feed_split.h"
#include "extension/subtransaction.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/jsonpath.h"
#include "utils/memutils.h"

#define CHUNK_RECORDS		500 /* that go through the transform in one statement */
#define SCRATCH_BYTES		(64 * 1024)	/* for what the parser makes of a record of some kB */

/* ---- texts ---- */

/* some of a page, each a JSON value when all is well, for us_try */
typedef struct Texts
{
	int			n;
	int			from;			/* those that are to be read, and up to which */
	int			to;
	const char *starts[CHUNK_RECORDS];
	const char *stops[CHUNK_RECORDS];	/* the byte behind each */
	Jsonb	   *values[CHUNK_RECORDS];	/* what was read of them */
	bool		any;			/* one was read */
	MemoryContext context;		/* of values */
	MemoryContext scratch;		/* of what reading one leaves behind */
} Texts;

static Texts *
make_texts(void)
{
	Texts	   *texts = palloc(sizeof(Texts));

	texts->n = 0;
	texts->any = false;
	texts->context = AllocSetContextCreate(CurrentMemoryContext, "feed records",
										   ALLOCSET_DEFAULT_SIZES);
	texts->scratch = AllocSetContextCreate(CurrentMemoryContext, "feed record",
										   0, SCRATCH_BYTES, ALLOCSET_DEFAULT_MAXSIZE);
	return texts;
}

static void
free_texts(Texts *texts)
{
	MemoryContextDelete(texts->scratch);
	MemoryContextDelete(texts->context);
	pfree(texts);
}

static void
read_texts(void *argument)
{
	Texts	   *texts = argument;

	for (int i = texts->from; i < texts->to; i++)
	{
		const char *start = texts->starts[i];
		MemoryContext old = MemoryContextSwitchTo(texts->scratch);
		char	   *text = pnstrdup(start, (Size) (texts->stops[i] - start));
		Datum		value = DirectFunctionCall1(jsonb_in, CStringGetDatum(text));

		MemoryContextSwitchTo(texts->context);
		texts->values[i] = DatumGetJsonbPCopy(value);
		texts->any = true;
		MemoryContextSwitchTo(old);
		MemoryContextReset(texts->scratch);
	}
}

bool
us_feed_is_about_text(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_DATA_EXCEPTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_PROGRAM_LIMIT_EXCEEDED);
}

char *
us_feed_error_text(const ErrorData *error)
{
	return error->detail == NULL ? error->message :
		psprintf("%s: %s", error->message, error->detail);
}

/* NULL when all are read; else what is wrong with one of them */
static ErrorData *
try_texts(Texts *texts, int from, int to)
{
	ErrorData  *error;

	CHECK_FOR_INTERRUPTS();
	texts->from = from;
	texts->to = to;
	error = us_try(read_texts, texts);
	if (error != NULL && !us_feed_is_about_text(error))
		ReThrowError(error);
	return error;
}

static void
take_values(UsFeedRun *run, Texts *texts, int n)
{
	MemoryContext old = MemoryContextSwitchTo(texts->context);

	us_feed_records_add(run, texts->values, n);
	MemoryContextSwitchTo(old);
	MemoryContextReset(texts->context);
}

/* ---- JSON paths ---- */

/* "$" means the value, or its elements when it is an array: a list is never one record */
static const char *
records_path(const UsFeed *feed)
{
	return strcmp(feed->records, "$") == 0 ? "$[*]" : feed->records;
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

/* the records of one JSON value, chunk by chunk */
static void
add_records(UsFeedRun *run, Jsonb *body)
{
	Oid			types[] = {JSONBOID, JSONPATHOID};
	Datum		values[] = {JsonbPGetDatum(body),
		us_feed_json_path("records", records_path(run->feed))};
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

/* ---- a page that is one JSON value ---- */

/* for us_try */
typedef struct Whole
{
	const char *text;
	Jsonb	   *value;
} Whole;

static void
read_whole(void *argument)
{
	Whole	   *whole = argument;

	whole->value = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(whole->text)));
}

/* NULL when it went well */
static ErrorData *
try_whole(Whole *whole)
{
	ErrorData  *error = us_try(read_whole, whole);

	if (error != NULL && !us_feed_is_about_text(error))
		ReThrowError(error);
	return error;
}

/* whether next and since cannot lead into the records */
static bool
may_split(const UsFeed *feed)
{
	const char *path = records_path(feed);
	const char *others[] = {feed->options.next, feed->options.since_path};

	if (!us_feed_path_is_plain(path) || path[strlen(path) - 1] != ']')
		return false;
	for (int i = 0; i < (int) lengthof(others); i++)
		if (others[i] != NULL &&
			!(us_feed_path_is_plain(others[i]) && us_feed_paths_part(path, others[i])))
			return false;
	return true;
}

/* what stands around the records; NULL when that is not JSON */
static Jsonb *
read_rest(const char *text, const char *array, const char *end)
{
	StringInfoData rest;
	Whole		whole;

	initStringInfo(&rest);
	appendBinaryStringInfo(&rest, text, (int) (array + 1 - text));
	appendStringInfoString(&rest, end);
	whole = (Whole) {rest.data, NULL};
	return try_whole(&whole) == NULL ? whole.value : NULL;
}

/* the page but for its records; NULL when it is not JSON, and then nothing was added */
static Jsonb *
add_elements(UsFeedRun *run, const char *text, const char *array, const char *end)
{
	UsFeedPage *page = &run->current;
	Jsonb	   *rest = read_rest(text, array, end);
	Texts	   *texts = make_texts();
	const char *at = array;

	while (rest != NULL && at != NULL)
	{
		int			n = 0;

		while (n < CHUNK_RECORDS &&
			   (at = us_feed_array_next(at, end, &texts->starts[n], &texts->stops[n])) != NULL)
			n++;
		if (try_texts(texts, 0, n) != NULL)
			rest = NULL;
		else if (n > 0)
			take_values(run, texts, n);
	}
	free_texts(texts);
	if (rest == NULL)
		page->records = page->skipped = page->nmessages = page->nbad = 0;
	return rest;
}

/* a page that is not JSON is read as a whole, so that the error says where it is wrong */
void
us_feed_read_json(UsFeedRun *run, const UsHttpResponse *response, const char *text)
{
	const UsFeedOptions *options = &run->feed->options;
	const char *path = records_path(run->feed);
	const char *end;
	const char *array = may_split(run->feed) ? us_feed_array_find(text, path, &end) : NULL;
	Jsonb	   *body = array == NULL ? NULL : add_elements(run, text, array, end);

	if (body == NULL)
	{
		Whole		whole = {text, NULL};
		ErrorData  *error = try_whole(&whole);

		if (error != NULL)
			us_feed_refuse_body(run, response, us_feed_error_text(error));
		body = whole.value;
		add_records(run, body);
	}
	if (options->next != NULL)
		run->current.next = path_text(run, body, "next", options->next);
	if (options->since_path != NULL)
		run->current.since = path_text(run, body, "since", options->since_path);
}

/* ---- a page that is a JSON value a line ---- */

/* values that are records themselves go together */
static void
add_lines(UsFeedRun *run, Texts *texts)
{
	bool		is_root = strcmp(run->feed->records, "$") == 0;
	MemoryContext old = MemoryContextSwitchTo(texts->context);
	int			n = 0;

	for (int i = 0; i < texts->n; i++)
	{
		Jsonb	   *value = texts->values[i];

		if (value == NULL)
			continue;
		if (is_root && !JB_ROOT_IS_ARRAY(value))
		{
			texts->values[n++] = value;
			continue;
		}
		us_feed_records_add(run, texts->values, n);
		n = 0;
		add_records(run, value);
	}
	us_feed_records_add(run, texts->values, n);
	MemoryContextSwitchTo(old);
	MemoryContextReset(texts->context);
	texts->n = 0;
}

/* what is wrong with the first bad line is kept in first_error, unless there is one */
static void
read_lines(UsFeedRun *run, Texts *texts, char **first_error)
{
	if (try_texts(texts, 0, texts->n) == NULL)
		return;
	for (int i = 0; i < texts->n; i++)
	{
		ErrorData  *error = try_texts(texts, i, i + 1);

		if (error == NULL)
			continue;
		texts->values[i] = NULL;
		run->current.records++;
		us_feed_bad_record(&run->current, texts->starts[i],
						   (int) (texts->stops[i] - texts->starts[i]), error->sqlerrcode,
						   us_feed_error_text(error));
		if (*first_error == NULL)
			*first_error = MemoryContextStrdup(run->current.context, us_feed_error_text(error));
	}
}

/* a line that is not JSON is a bad record; a body without one that is, is no NDJSON */
void
us_feed_read_ndjson(UsFeedRun *run, const UsHttpResponse *response, const char *text)
{
	Texts	   *texts = make_texts();
	char	   *first_error = NULL;

	for (const char *line = text; *line != '\0';)
	{
		const char *end = line + strcspn(line, "\n");

		if (line + strspn(line, " \t\r") < end)
		{
			texts->starts[texts->n] = line;
			texts->stops[texts->n++] = end;
		}
		line = *end == '\0' ? end : end + 1;
		if (texts->n == CHUNK_RECORDS || *line == '\0')
		{
			read_lines(run, texts, &first_error);
			add_lines(run, texts);
		}
	}
	if (first_error != NULL && !texts->any)
		us_feed_refuse_body(run, response, first_error);
	free_texts(texts);
}
