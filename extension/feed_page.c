/*-------------------------------------------------------------------------
 * extension/feed_page.c
 *    a response -> its text -> messages of a page
 *
 * Runs in the backend of run_feed, in a transaction of the page's own.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "extension/feed_run.h"
#include "extension/subtransaction.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "tcop/pquery.h"
#include "utils/memutils.h"

#define MAX_CHARSET_LENGTH	64
#define HTTP_NO_CONTENT		204

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
	if (error != NULL && us_feed_is_about_text(error))
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

/* no content is no records, where content that has none is nothing too */
static bool
has_no_records(const UsFeedRun *run, const UsHttpResponse *response)
{
	return response->size == 0 &&
		(response->status == HTTP_NO_CONTENT || run->feed->options.ndjson);
}

void
us_feed_page_read(UsFeedRun *run, const UsHttpResponse *response)
{
	char	   *text;

	if (has_no_records(run, response))
		return;
	EnsurePortalSnapshotExists();
	SPI_connect();
	us_feed_records_begin(run);
	text = body_text(run, response);
	if (run->feed->options.ndjson)
		us_feed_read_ndjson(run, response, text);
	else
		us_feed_read_json(run, response, text);
	SPI_finish();
}
