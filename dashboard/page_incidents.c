/*-------------------------------------------------------------------------
 * dashboard/page_incidents.c
 *    what waits for a person, on the pages of those that it is about
 *-------------------------------------------------------------------------
 */
#include "dashboard/route.h"

static const UsColumn incident_columns[] = {
	{"opened_at", "Since", US_KIND_TIME, NULL, NULL, NULL},
	{"about", "About", US_KIND_TEXT, NULL, NULL, NULL},
	{"partition", "Partition", US_KIND_OFFSET, NULL, NULL, NULL},
	{"kind", "Kind", US_KIND_TEXT, NULL, NULL, NULL},
	{"detail", "What happened", US_KIND_NOTE, NULL, NULL, NULL},
	{"what_to_do", "What to do:", US_KIND_TEXT, NULL, NULL, NULL},
	{0}
};

static const UsPanel incidents_panel = {
	"incidents", "Open incidents",
	"SELECT opened_at, coalesce('stream ' || stream, 'feed ' || feed, 'mirror ' || mirror) AS about,"
	" partition, kind, detail, what_to_do"
	" FROM userstream.incident WHERE closed_at IS NULL AND ($1::text IS NULL OR stream = $1)"
	" AND ($2::text IS NULL OR mirror IS NOT NULL)"
	" ORDER BY opened_at DESC, id DESC LIMIT 1001",
	incident_columns, "None: nothing waits for a person.", NULL, NULL, false, false, "opened_at descending"
};

void
us_show_incidents(UsPage *page, const char *stream, bool mirrors)
{
	const char *params[] = {stream, mirrors ? "mirrors" : NULL};

	us_page_panel(page, &incidents_panel, 2, params);
}
