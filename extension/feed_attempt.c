/*-------------------------------------------------------------------------
 * extension/feed_attempt.c
 *    one attempt of a run: page after page, each fetched, made into messages,
 *    produced and written down
 *
 * Runs in the backend of run_feed.  Whatever waits does so between two
 * commits; whatever works on the database does so in a subtransaction, so
 * that an error takes its SPI connections with it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "extension/feed_run.h"
#include "extension/http_url.h"
#include "extension/server_http.h"
#include "extension/subtransaction.h"
#include "utils/memutils.h"

#define MAX_UNASKED_PAGES	10000	/* without option max_pages: an API that never ends */

/* ---- one page ---- */

typedef struct PageWork
{
	UsFeedRun  *run;
	const UsHttpResponse *response;
} PageWork;

static void
read_page(void *argument)
{
	PageWork   *work = argument;

	us_feed_page_read(work->run, work->response);
}

static void
write_page(void *argument)
{
	us_feed_history_page(argument);
}

/* URL of the page after this one; NULL = this was the last */
static char *
next_url(UsFeedRun *run)
{
	char	   *url;
	char	   *copy;

	if (run->current.next == NULL || run->current.next[0] == '\0')
		return NULL;
	url = us_http_url_resolve(us_http_response(run->http)->url, run->current.next);
	if (url == NULL || us_http_url_problem(url, false) != NULL)
	{
		free(url);
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("the next page of feed \"%s\" has no valid URL", run->feed->name),
				 errhint("Look at option next of the feed, and at what the API gives there.")));
	}
	copy = MemoryContextStrdup(run->context, url);
	free(url);
	if (strcmp(copy, run->url) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("the next page of feed \"%s\" is the page itself", run->feed->name),
				 errhint("Look at option next of the feed, and at what the API gives there.")));
	return copy;
}

/* whether there is another page, where the run then stands */
static bool
turn_page(UsFeedRun *run)
{
	const UsFeedOptions *options = &run->feed->options;
	char	   *next = options->next == NULL ? NULL : next_url(run);
	bool		more = options->next != NULL ? next != NULL :
		options->page != NULL && run->current.records > 0;

	if (!more || (options->max_pages > 0 && run->page >= options->max_pages))
		return false;
	if (run->page >= MAX_UNASKED_PAGES && options->max_pages == 0)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("the API has more than %d pages", MAX_UNASKED_PAGES),
				 errhint("Set option max_pages of the feed.")));
	run->page++;
	run->url = next;
	return true;
}

/* fetched, made into messages, produced, written down; true when another follows */
static bool
run_page(UsFeedRun *run)
{
	UsFeedPage *page = &run->current;
	MemoryContext old;
	PageWork	work = {run, us_feed_fetch(run)};
	bool		more;

	us_feed_cpu_spent(run, US_PART_FETCH);
	if (page->context != NULL)
		MemoryContextDelete(page->context);
	memset(page, 0, sizeof(*page));
	page->context = AllocSetContextCreate(run->context, "feed page", ALLOCSET_DEFAULT_SIZES);
	old = MemoryContextSwitchTo(page->context);
	us_do(read_page, &work);
	SPI_commit();
	us_feed_cpu_spent(run, US_PART_READ);
	us_feed_produce(run);
	us_feed_cpu_spent(run, US_PART_PRODUCE);
	MemoryContextSwitchTo(old);

	run->pages++;
	run->records += page->records;
	run->failed += page->nbad;
	run->skipped += page->skipped;
	if (page->since != NULL)
		run->since = MemoryContextStrdup(run->context, page->since);
	us_do(write_page, run);
	SPI_commit();
	more = turn_page(run);
	us_feed_cpu_spent(run, US_PART_REST);
	return more;
}

/* ---- one attempt ---- */

/* rights and options as they are now */
static void
read_connections(void *argument)
{
	UsFeedRun  *run = argument;
	const UsFeed *feed = run->feed;
	MemoryContext old = MemoryContextSwitchTo(run->context);
	Oid			owner = us_feed_owner(feed);
	UsOptionList options = us_server_options(feed->server_oid, owner);

	us_server_http_read(&options, &run->server);
	run->kafka_options = us_server_options(feed->kafka_server_oid, owner);
	if (OidIsValid(feed->transform_oid))
		us_feed_transform_check(feed->transform_oid, owner);
	MemoryContextSwitchTo(old);
}

static void
open_client(UsFeedRun *run)
{
	char		errstr[256];

	us_http_close(run->http);
	run->http = us_http_open(&run->server, errstr, sizeof(errstr));
	if (run->http == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("could not make an HTTP client"),
				 errdetail("%s.", errstr)));
}

void
us_feed_attempt(UsFeedRun *run)
{
	const UsFeed *feed = run->feed;

	us_feed_cpu_begin(run);
	us_do(read_connections, run);
	us_feed_topic_prepare(feed->kafka_server, feed->kafka_server_oid, feed->owner_oid,
						  feed->topic, &feed->options);
	SPI_commit();
	open_client(run);
	us_feed_producer_begin(run);
	us_feed_cpu_spent(run, US_PART_REST);
	while (run_page(run))
		;
	us_feed_cpu_report(run);
}
