/*-------------------------------------------------------------------------
 * dashboard/page_dead_letters.c
 *    the dead letters, and one of them
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dashboard/chart.h"
#include "dashboard/escape.h"
#include "dashboard/message.h"
#include "dashboard/parse.h"
#include "dashboard/route.h"
#include "dashboard/words.h"

/* which of them: $1 stream, $2 feed, $3 mirror, of which at most one is not null */
#define ABOUT \
	"($1::text IS NULL OR stream = $1) AND ($2::text IS NULL OR feed = $2)" \
	" AND ($3::text IS NULL OR mirror = $3)"

static const UsColumn summary_columns[] = {
	{"about", "Of", US_KIND_TEXT, NULL, NULL, NULL},
	{"sqlstate", "SQLSTATE", US_KIND_CODE, NULL, NULL, NULL},
	{"column_name", "Column", US_KIND_CODE, NULL, NULL, NULL},
	{"n", "Dead letters", US_KIND_COUNT, NULL, NULL, NULL},
	{"waiting", "not applied since", US_KIND_COUNT, NULL, NULL, NULL},
	{0}
};

/* of so many, so that it costs the same in a flood */
#define SUMMARY_LETTERS "1000"

static const UsPanel summary_panel = {
	"summary", "Last 24 hours, by reason (of the newest 1000)",
	"SELECT coalesce('stream ' || stream, 'feed ' || feed, 'mirror ' || mirror) AS about, sqlstate,"
	" column_name, count(*) AS n, count(*) FILTER (WHERE retried_at IS NULL) AS waiting,"
	" max(created_at) AS latest FROM (SELECT * FROM userstream.dead_letter WHERE " ABOUT
	" ORDER BY created_at DESC, id DESC LIMIT " SUMMARY_LETTERS ") newest"
	" WHERE created_at > now() - interval '24 hours'"
	" GROUP BY stream, feed, mirror, sqlstate, column_name ORDER BY n DESC, about LIMIT 1001",
	summary_columns, "None came in the last 24 hours.", NULL, NULL, false, false, "n descending"
};

static const UsColumn arrival_columns[] = {
	{"hour", "Hour from", US_KIND_TEXT, NULL, NULL, NULL},
	{"n", "Dead letters", US_KIND_COUNT, NULL, NULL, NULL},
	{0}
};

/* counted in an index, and no more than so many: a flood costs no more than that */
static const UsPanel arrivals_panel = {
	"arrivals", "Arrivals, last 24 hours",
	"SELECT to_char(h, 'HH24:MI') AS hour, n"
	" FROM generate_series(date_trunc('hour', now()) - interval '23 hours', date_trunc('hour', now()),"
	" interval '1 hour') h,"
	" LATERAL (SELECT count(*) AS n FROM (SELECT FROM userstream.dead_letter"
	" WHERE created_at >= h AND created_at < h + interval '1 hour' AND " ABOUT " LIMIT 2000) letters) l ORDER BY h",
	arrival_columns, "", NULL, NULL, false, true, NULL
};

static const UsChart arrivals_chart = {
	"arrivals", "Dead letters by hour, last 24 hours (counted to 2000)", "hour, UTC", "dead letters", "hour",
	{{"n", "dead letters"}, {0}}
};

static const UsColumn letter_columns[] = {
	{"id", "Id", US_KIND_OFFSET, "/dead-letters/", NULL, NULL},
	{"created_at", "Came", US_KIND_TIME, NULL, NULL, NULL},
	{"about", "Of", US_KIND_TEXT, NULL, NULL, NULL},
	{"partition", "Partition", US_KIND_OFFSET, NULL, NULL, NULL},
	{"kafka_offset", "Offset", US_KIND_OFFSET, NULL, NULL, NULL},
	{"sqlstate", "SQLSTATE", US_KIND_CODE, NULL, NULL, NULL},
	{"column_name", "Column", US_KIND_CODE, NULL, NULL, NULL},
	{"retries", "Retries", US_KIND_COUNT, NULL, NULL, NULL},
	{"retried_at", "Applied since", US_KIND_TIME, NULL, NULL, NULL},
	{"error", "Reason", US_KIND_NOTE, NULL, NULL, NULL},
	{0}
};

/* behind the letter $6, not by OFFSET: the last page costs what the first does */
static const UsPanel letters_panel = {
	"dead_letters", "Dead letters, newest first",
	"SELECT id, created_at, coalesce('stream ' || stream, 'feed ' || feed, 'mirror ' || mirror) AS about,"
	" topic, partition, kafka_offset, sqlstate, column_name, constraint_name, error, retries, retried_at"
	" FROM userstream.dead_letter"
	" WHERE " ABOUT " AND ($4::text IS NULL OR sqlstate = $4)"
	" AND ($5::text IS NULL OR retried_at IS NULL) AND ($6::bigint IS NULL OR (created_at, id) <"
	" (SELECT b.created_at, b.id FROM userstream.dead_letter b WHERE b.id = $6))"
	" ORDER BY created_at DESC, id DESC LIMIT $7::integer",
	letter_columns, "There is none: every message became its rows, or this role may not see others' dead letters.",
	NULL, NULL, false, false, "created_at descending"
};

/* what the list can be asked for, in the order of its statement's parameters */
static const struct
{
	const char *name;
	const char *label;
}			filters[] = {
	{"stream", "Stream"}, {"feed", "Feed"}, {"mirror", "Mirror"}, {"sqlstate", "SQLSTATE"},
	{"waiting", "not applied since"}
};

enum
{
	FILTERS = sizeof(filters) / sizeof(filters[0]),
	ABOUTS = 3
};

static void
write_filter(UsPage *page)
{
	if (!us_page_is_html(page))
		return;
	us_buf_printf(page->body, "<form method=\"get\" class=\"filter\" role=\"search\" aria-label=\"%s\">", us_text("Filter"));
	for (int i = 0; i < FILTERS - 1; i++)
	{
		const char *value = us_request_param(page->request, filters[i].name);

		us_buf_printf(page->body, "<label>%s <input name=\"%s\" id=\"%s\" value=\"", us_text(filters[i].label),
					  filters[i].name, i == 0 ? "filter" : filters[i].name);
		us_html_attr(page->body, value ? value : "");
		us_buf_puts(page->body, "\"></label> ");
	}
	us_buf_printf(page->body, "<label><input type=\"checkbox\" name=\"waiting\" id=\"waiting\" "
				  "value=\"1\"%s> %s</label> <button>%s</button></form>\n",
				  us_request_param(page->request, "waiting") ? " checked" : "",
				  us_text(filters[FILTERS - 1].label), us_text("Filter"));
}

void
us_show_dead_letters(UsPage *page, const char *name)
{
	static const UsChart *const charts[] = {&arrivals_chart};
	UsRequest  *request = page->request;
	int64_t		before = us_request_number(request, "before", 0, INT64_MAX, -1);
	int64_t		limit = us_request_number(request, "limit", 10, US_PAGE_MAX_ROWS, 100);
	char		before_text[24];
	char		limit_text[24];
	const char *params[FILTERS + 2];
	PGresult   *letters;

	(void) name;
	if (request->error_status != 0)
		return;
	for (int i = 0; i < FILTERS; i++)
		params[i] = us_request_param(request, filters[i].name);
	snprintf(before_text, sizeof(before_text), "%" PRId64, before);
	snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
	params[FILTERS] = before >= 0 ? before_text : NULL;
	params[FILTERS + 1] = limit_text;
	us_page_begin(page, "Dead letters", NULL);
	write_filter(page);
	if (before < 0)
	{
		us_page_begin_charts(page);
		us_page_panel(page, &summary_panel, ABOUTS, params);
		us_page_charts(page, &arrivals_panel, ABOUTS, params, charts, 1, us_chart_bars);
		us_page_end_charts(page);
	}
	letters = us_page_query(page, &letters_panel, FILTERS + 2, params);
	if (letters)
		us_page_table(page, &letters_panel, letters);
	if (letters && us_page_is_html(page) && PQntuples(letters) == limit)
	{
		const char *const changes[] = {"before", us_row_text(letters, (int) limit - 1, "id"), NULL};

		us_buf_puts(page->body, "<p>");
		us_page_link(page, "next", us_text("Older ones"), changes);
		us_buf_puts(page->body, "</p>\n");
	}
	PQclear(letters);
	us_page_end(page);
}

static const UsColumn letter_parts[] = {
	{"id", "Id", US_KIND_OFFSET, NULL, NULL, NULL},
	{"created_at", "Came", US_KIND_TIME, NULL, NULL, NULL},
	{"stream", "Stream", US_KIND_TEXT, "/streams/", NULL, NULL},
	{"feed", "Feed", US_KIND_TEXT, "/feeds/", NULL, NULL},
	{"mirror", "Mirror", US_KIND_TEXT, NULL, NULL, NULL},
	{"owner", "Owner", US_KIND_TEXT, NULL, NULL, NULL},
	{"topic", "Topic", US_KIND_CODE, NULL, NULL, NULL},
	{"partition", "Partition", US_KIND_OFFSET, NULL, NULL, NULL},
	{"kafka_offset", "Offset", US_KIND_OFFSET, NULL, NULL, NULL},
	{"message_at", "Time of the message", US_KIND_TIME, NULL, NULL, NULL},
	{"sqlstate", "SQLSTATE", US_KIND_CODE, NULL, NULL, NULL},
	{"error", "Reason", US_KIND_LONG, NULL, NULL, NULL},
	{"column_name", "Column", US_KIND_CODE, NULL, NULL, NULL},
	{"constraint_name", "Constraint", US_KIND_CODE, NULL, NULL, NULL},
	{"retries", "Retries", US_KIND_COUNT, NULL, NULL, NULL},
	{"retried_at", "Applied since", US_KIND_TIME, NULL, NULL, NULL},
	{0}
};

static const UsPanel letter_panel = {
	"dead_letter", "Dead letter",
	"SELECT id, stream, feed, mirror, owner, created_at, topic, partition, kafka_offset, message_at,"
	" sqlstate, error, column_name, constraint_name, retries, retried_at"
	" FROM userstream.dead_letter WHERE id = $1::bigint",
	letter_parts, "", NULL, NULL, false, false, NULL
};

static const UsPanel message_panel = {
	"message", "What it holds",
	"SELECT part, octet_length(b) AS size, substring(b FROM 1 FOR " US_MESSAGE_SHOWN_SQL ") AS bytes"
	" FROM userstream.dead_letter d, LATERAL (VALUES (1, 'key', d.key), (2, 'value', d.value),"
	" (3, 'headers', convert_to(d.headers::text, 'UTF8'))) AS p(n, part, b)"
	" WHERE d.id = $1::bigint ORDER BY n",
	NULL, "", NULL, NULL, false, false, NULL
};

static const UsPanel bytes_panel = {
	"bytes", "Bytes",
	"SELECT CASE $2 WHEN 'key' THEN key ELSE value END FROM userstream.dead_letter WHERE id = $1::bigint",
	NULL, "", NULL, NULL, false, false, NULL
};

static void
download(UsPage *page, const char *name, int64_t id, const char *part)
{
	const char *params[] = {name, part};
	PGresult   *bytes = us_page_query(page, &bytes_panel, 2, params);

	us_message_download(page, bytes, "dead-letter", id);
	PQclear(bytes);
}

static void
write_calls(UsPage *page, const PGresult *letter, const char *id)
{
	const char *stream = us_row_text(letter, 0, "stream");
	UsBuf		after = {0};

	if (stream == NULL)
		return;
	us_buf_printf(&after, ", '{%s}')", id);
	us_page_call_with(page, "Try it again", "SELECT userstream.retry_dead_letters(", stream, us_buf_text(&after));
	us_buf_free(&after);
	us_buf_printf(&after, ", d.value, d.key) AS t WHERE d.id = %s", id);
	us_page_call_with(page, "Which rows it would give now, as the stream's owner",
					  "SELECT t.* FROM userstream.dead_letter AS d, userstream.try_message(", stream,
					  us_buf_text(&after));
	us_buf_free(&after);
}

void
us_show_dead_letter(UsPage *page, const char *name)
{
	const char *part = us_message_wanted(page->request);
	int64_t		id;
	PGresult   *letter;

	if (page->request->error_status != 0)
		return;
	if (!us_parse_int64(name, INT64_MAX, &id))
	{
		us_page_not_found(page, "There is no dead letter", name);
		return;
	}
	if (part)
	{
		download(page, name, id, part);
		return;
	}
	if (!us_page_one(page, "Dead letter", &letter_panel, 1, &name, name, "There is no dead letter", &letter))
		return;
	if (letter || !us_page_is_html(page))
	{
		PGresult   *message = us_page_query(page, &message_panel, 1, &name);

		if (message)
			us_message_write(page, message);
		PQclear(message);
	}
	if (letter && us_page_is_html(page))
		write_calls(page, letter, us_row_text(letter, 0, "id"));
	PQclear(letter);
	us_page_end(page);
}
