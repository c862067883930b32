/*-------------------------------------------------------------------------
 * dashboard/shared.c
 *    a page made for one reader serves others for a second
 *-------------------------------------------------------------------------
 */
#include "dashboard/shared.h"

#include <stdlib.h>
#include <string.h>

#include "dashboard/db.h"

enum
{
	SHARED_PAGES = 16,
	SHARED_MS = 1000,
	SHARED_BYTES = 1024 * 1024	/* of one page; a larger one is a download */
};

/* one page; replaced in turn */
typedef struct Shared
{
	UsBuf		key;			/* path and parameters; no data when empty */
	UsReply		reply;
	long long	made_ms;
} Shared;

static Shared pages[SHARED_PAGES];
static int	next_page;

static void
make_key(const UsRequest *request, UsBuf *key)
{
	us_buf_printf(key, "%d %d %d %s", (int) request->format, (int) request->language,
				  request->openmetrics, request->path);
	/* no control character is in them, so they cannot run into each other */
	for (int i = 0; i < request->nparams; i++)
		us_buf_printf(key, "\n%s\r%s", request->params[i].name, request->params[i].value);
}

bool
us_shared_find(const UsRequest *request, UsReply *reply)
{
	UsBuf		key = {0};
	long long	now = us_clock_ms();
	bool		found = false;

	if (request->error_status != 0)
		return false;
	make_key(request, &key);
	for (int i = 0; i < SHARED_PAGES && !found; i++)
	{
		if (pages[i].key.data == NULL || now - pages[i].made_ms >= SHARED_MS ||
			strcmp(us_buf_text(&key), us_buf_text(&pages[i].key)) != 0)
			continue;
		*reply = pages[i].reply;
		found = true;
	}
	us_buf_free(&key);
	return found;
}

void
us_shared_keep(const UsRequest *request, UsReply *reply)
{
	Shared	   *page = &pages[next_page];

	if (reply->status != 200 || !reply->shared || reply->body.failed ||
		reply->body.len > SHARED_BYTES)
	{
		us_buf_free(&reply->body);
		return;
	}
	next_page = (next_page + 1) % SHARED_PAGES;
	us_buf_free(&page->key);
	us_buf_free(&page->reply.body);
	make_key(request, &page->key);
	page->reply = *reply;
	page->made_ms = us_clock_ms();
	memset(&reply->body, 0, sizeof(reply->body));
}
