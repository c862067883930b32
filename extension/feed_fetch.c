/*-------------------------------------------------------------------------
 * extension/feed_fetch.c
 *    where a run stands -> the response of the API
 *
 * Runs in the backend of run_feed, between two of its commits: no snapshot,
 * no xid and no lock but the feed's own.  The client works in short steps, so
 * whatever hangs, interrupts are served ten times a second.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/compat.h"
#include "extension/feed_run.h"
#include "extension/http_secret.h"
#include "extension/http_url.h"
#include "extension/interrupts.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define STEP_MS				100
#define SHOWN_BYTES			200		/* of a body that is refused */

/* what http_url.c gives is malloc'd; ours shall go with the run */
static char *
keep(UsFeedRun *run, char *text)
{
	char	   *copy;

	if (text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("the next page of feed \"%s\" has no valid URL", run->feed->name),
				 errhint("Look at option next of the feed, and at what the API gives there.")));
	copy = MemoryContextStrdup(run->context, text);
	free(text);
	return copy;
}

/* for messages, without path and parameters: those may hold secrets */
static char *
origin_of(const char *url)
{
	char	   *origin = us_http_url_origin(url);
	char	   *copy = pstrdup(origin != NULL ? origin : "the API");

	free(origin);
	return copy;
}

/* with the parameters that the feed itself counts on; the server's url may begin with others */
static char *
page_url(UsFeedRun *run)
{
	const UsFeedOptions *options = &run->feed->options;
	char	   *url = MemoryContextStrdup(run->context, run->server.url);

	if (run->url != NULL)
		return run->url;
	if (options->page != NULL)
		url = keep(run, us_http_url_set(url, psprintf("%s=%d", options->page, run->page)));
	if (options->since_parameter != NULL && run->feed->since_value != NULL)
		url = keep(run, us_http_url_set(url, psprintf("%s=%s", options->since_parameter,
													  run->feed->since_value)));
	return url;
}

/* the first bytes of a body, whatever they are, on one line */
static char *
shown_body(const UsFeedRun *run, const UsHttpResponse *response)
{
	StringInfoData text;
	size_t		size = Min(response->size, SHOWN_BYTES);

	/* of the whole body: a secret may stand across the end of what is shown */
	for (const char *c = response->body; c < response->body + response->size; c += strlen(c) + 1)
		if (us_http_shows_secret(&run->server, c))
			return pstrdup("(not shown: it holds a part of the user mapping)");
	initStringInfo(&text);
	for (size_t i = 0; i < size; i++)
	{
		unsigned char c = (unsigned char) response->body[i];

		if (c == '\n')
			appendStringInfoString(&text, "\\n");
		else if (c == '\\')
			appendStringInfoString(&text, "\\\\");
		else if (c < ' ' || c >= 0x7f)
			appendStringInfo(&text, "\\x%02x", c);
		else
			appendStringInfoChar(&text, (char) c);
	}
	return text.data;
}

/* printable ASCII of a header's value; anything else is not worth the risk */
static char *
shown_type(const UsHttpResponse *response)
{
	char	   *text = pstrdup(response->content_type);

	for (char *c = text; *c != '\0'; c++)
		if (*c < ' ' || *c >= 0x7f)
			*c = '?';
	return text;
}

void
us_feed_refuse_body(const UsFeedRun *run, const UsHttpResponse *response, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
			 errmsg("response of %s is not JSON (HTTP status %d, content type \"%s\"): %s",
					origin_of(response->url), response->status, shown_type(response), reason),
			 errdetail("It begins with \"%s\".", shown_body(run, response)),
			 errhint("Look at what the API answers: a login page or a proxy's page can come with status 200 too.")));
}

/* whether asking again later can help */
static bool
may_pass(int status)
{
	return status == 408 || status == 425 || status == 429 || status >= 500;
}

static void
refuse_status(UsFeedRun *run, const UsHttpResponse *response)
{
	run->may_retry = may_pass(response->status);
	run->retry_after_ms = response->retry_after_ms;
	ereport(ERROR,
			(errcode(ERRCODE_FDW_ERROR),
			 errmsg("response of %s has HTTP status %d", origin_of(response->url), response->status),
			 response->size == 0 ? 0 :
			 errdetail("It begins with \"%s\".", shown_body(run, response)),
			 response->status == 401 || response->status == 403 ?
			 errhint("Look at header and query in the user mapping of the feed's owner.") :
			 response->status >= 300 && response->status < 400 ?
			 errhint("It names no place to go to; set the server's url to where the API is.") : 0));
}

static void
refuse_transfer(UsFeedRun *run, const UsHttpResponse *response)
{
	static const int codes[] = {
		[US_HTTP_TRANSIENT] = ERRCODE_CONNECTION_FAILURE,
		[US_HTTP_ADDRESS] = ERRCODE_INSUFFICIENT_PRIVILEGE,
		[US_HTTP_TLS] = ERRCODE_FDW_ERROR,	/* not of class 08, which is tried again */
		[US_HTTP_TOO_LARGE] = ERRCODE_PROGRAM_LIMIT_EXCEEDED,
		[US_HTTP_REDIRECT] = ERRCODE_FDW_ERROR,
		[US_HTTP_OTHER] = ERRCODE_FDW_ERROR
	};
	static const char *const hints[] = {
		[US_HTTP_TRANSIENT] = "Look whether the API answers; timeout_ms and connect_timeout_ms of the server and run_timeout of the feed limit the wait.",
		[US_HTTP_ADDRESS] = "A superuser can allow it: ALTER SERVER ... OPTIONS (ADD allow_private 'true').",
		[US_HTTP_TLS] = "The certificate must be signed by an authority that is known: of the system, or in the server's ca_file.",
		[US_HTTP_TOO_LARGE] = "Ask the API for less at a time, or raise max_bytes of the server.",
		[US_HTTP_REDIRECT] = "Set the server's url to where the API is now.",
		[US_HTTP_OTHER] = NULL
	};

	run->may_retry = response->fault == US_HTTP_TRANSIENT;
	ereport(ERROR,
			(errcode(codes[response->fault]),
			 errmsg("could not get a response of %s: %s", origin_of(response->url),
					response->error),
			 hints[response->fault] == NULL ? 0 : errhint("%s", hints[response->fault])));
}

int
us_feed_time_left(const UsFeedRun *run)
{
	long		left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), run->deadline);

	if (left_ms <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("the run takes longer than its run_timeout of %d s",
						run->feed->options.run_timeout_ms / 1000),
				 errhint("Raise option run_timeout of the feed, or ask the API for less at a time.")));
	return (int) left_ms;
}

const UsHttpResponse *
us_feed_fetch(UsFeedRun *run)
{
	const UsHttpResponse *response;

	run->url = page_url(run);
	if (us_http_start(run->http, run->url, us_feed_time_left(run)))
	{
		bool		done;

		do
		{
			us_check_interrupts();
			pgstat_report_wait_start(PG_WAIT_EXTENSION);
			done = us_http_step(run->http, STEP_MS);
			pgstat_report_wait_end();
		} while (!done);
	}
	CHECK_FOR_INTERRUPTS();

	response = us_http_response(run->http);
	if (response->status != 0)
		run->http_status = response->status;
	run->bytes += (int64) response->size;
	if (response->fault != US_HTTP_NONE)
		refuse_transfer(run, response);
	if (response->status < 200 || response->status > 299)
		refuse_status(run, response);
	return response;
}
