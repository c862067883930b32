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
#include "dashboard/parse.h"
#include "dashboard/route.h"

static const UsColumn summary_columns[] = {
	{"about", "Of", US_KIND_TEXT, NULL, NULL, NULL},
	{"sqlstate", "SQLSTATE", US_KIND_CODE, NULL, NULL, NULL},
	{"column_name", "Column", US_KIND_CODE, NULL, NULL, NULL},
	{"n", "Dead letters", US_KIND_COUNT, NULL, NULL, NULL},
	{"waiting", "not applied since", US_KIND_COUNT, NULL, NULL, NULL},
	{"latest", "Latest", US_KIND_TIME, NULL, NULL, NULL},
	{0}
};

static const UsPanel summary_panel = {
	"summary", "Last 24 hours, by reason",
	"SELECT coalesce('stream ' || stream, 'feed ' || feed, 'mirror ' || mirror) AS about, sqlstate,"
	" column_name, count(*) AS n, count(*) FILTER (WHERE retried_at IS NULL) AS waiting,"
	" max(created_at) AS latest FROM userstream.dead_letter"
	" WHERE created_at > now() - interval '24 hours' AND ($1::text IS NULL OR stream = $1)"
	" GROUP BY stream, feed, mirror, sqlstate, column_name ORDER BY n DESC, about LIMIT 1001",
	summary_columns, "None came in the last 24 hours.", NULL, NULL, false, false
};

static const UsColumn arrival_columns[] = {
	{"hour", "Hour from", US_KIND_TEXT, NULL, NULL, NULL},
	{"n", "Dead letters", US_KIND_COUNT, NULL, NULL, NULL},
	{0}
};

static const UsPanel arrivals_panel = {
	"arrivals", "Arrivals, last 24 hours",
	"SELECT to_char(h, 'HH24:MI') AS hour, count(d.created_at) AS n"
	" FROM generate_series(date_trunc('hour', now()) - interval '23 hours', date_trunc('hour', now()),"
	" interval '1 hour') h"
	" LEFT JOIN (SELECT date_trunc('hour', created_at) AS at, created_at FROM userstream.dead_letter"
	" WHERE created_at > now() - interval '24 hours' AND ($1::text IS NULL OR stream = $1)) d ON d.at = h"
	" GROUP BY h ORDER BY h",
	arrival_columns, "", NULL, NULL, false, true
};

static const UsChart arrivals_chart = {
	"arrivals", "Dead letters by hour, last 24 hours", "hour, UTC", "dead letters", "hour",
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
	{"error", "Reason", US_KIND_LONG, NULL, NULL, NULL},
	{"retries", "Retries", US_KIND_COUNT, NULL, NULL, NULL},
	{"retried_at", "Applied since", US_KIND_TIME, NULL, NULL, NULL},
	{0}
};

/* by id, not by OFFSET: the last page costs what the first does */
static const UsPanel letters_panel = {
	"dead_letters", "Dead letters, newest first",
	"SELECT id, created_at, coalesce('stream ' || stream, 'feed ' || feed, 'mirror ' || mirror) AS about,"
	" topic, partition, kafka_offset, sqlstate, column_name, constraint_name, error, retries, retried_at"
	" FROM userstream.dead_letter"
	" WHERE ($1::text IS NULL OR stream = $1) AND ($2::text IS NULL OR sqlstate = $2)"
	" AND ($3::bigint IS NULL OR id < $3) AND ($4::text IS NULL OR retried_at IS NULL)"
	" ORDER BY id DESC LIMIT $5::integer",
	letter_columns, "There is none: every message became its rows, or this role may not see others' dead letters.",
	NULL, NULL, false, false
};

static void
write_filter(UsPage *page, const char *stream, const char *sqlstate, const char *waiting)
{
	if (!us_page_is_html(page))
		return;
	us_buf_puts(page->body, "<form method=\"get\" class=\"filter\" role=\"search\"><label>Stream "
				"<input name=\"stream\" id=\"filter\" value=\"");
	us_html_attr(page->body, stream ? stream : "");
	us_buf_puts(page->body, "\"></label> <label>SQLSTATE <input name=\"sqlstate\" id=\"sqlstate\" size=\"5\" "
				"maxlength=\"5\" value=\"");
	us_html_attr(page->body, sqlstate ? sqlstate : "");
	us_buf_printf(page->body, "\"></label> <label><input type=\"checkbox\" name=\"waiting\" id=\"waiting\" "
				  "value=\"1\"%s> not applied since</label> <button>Filter</button></form>\n",
				  waiting ? " checked" : "");
}

/* the next page's address keeps the filter */
static void
write_next(UsPage *page, const char *stream, const char *sqlstate, const char *waiting,
		   const char *last_id)
{
	us_buf_puts(page->body, "<p><a rel=\"next\" href=\"?before=");
	us_url_arg(page->body, last_id);
	if (stream)
	{
		us_buf_puts(page->body, "&amp;stream=");
		us_url_arg(page->body, stream);
	}
	if (sqlstate)
	{
		us_buf_puts(page->body, "&amp;sqlstate=");
		us_url_arg(page->body, sqlstate);
	}
	us_buf_puts(page->body, waiting ? "&amp;waiting=1\">Older ones</a></p>\n" : "\">Older ones</a></p>\n");
}

void
us_show_dead_letters(UsPage *page, const char *name)
{
	UsRequest  *request = page->request;
	const char *stream = us_request_param(request, "stream");
	const char *sqlstate = us_request_param(request, "sqlstate");
	const char *waiting = us_request_param(request, "waiting");
	int64_t		before = us_request_number(request, "before", 0, INT64_MAX, -1);
	int64_t		limit = us_request_number(request, "limit", 10, 1000, 100);
	char		before_text[24];
	char		limit_text[24];
	const char *params[] = {stream, sqlstate, NULL, waiting, limit_text};
	PGresult   *arrivals;
	PGresult   *letters;

	(void) name;
	if (request->error_status != 0)
		return;
	if (before >= 0)
		params[2] = before_text;
	snprintf(before_text, sizeof(before_text), "%" PRId64, before);
	snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
	us_page_begin(page, "Dead letters");
	write_filter(page, stream, sqlstate, waiting);
	if (before < 0)
	{
		us_page_panel(page, &summary_panel, 1, &stream);
		arrivals = us_page_query(page, &arrivals_panel, 1, &stream);
		if (arrivals && us_page_is_html(page))
		{
			us_buf_puts(page->body, "<section id=\"arrivals\"><h2>Arrivals, last 24 hours</h2>\n");
			us_chart_bars(page->body, &arrivals_chart, arrivals);
			us_page_table(page, &arrivals_panel, arrivals);
			us_buf_puts(page->body, "</section>\n");
		}
		PQclear(arrivals);
	}
	letters = us_page_query(page, &letters_panel, 5, params);
	if (letters)
	{
		us_page_table(page, &letters_panel, letters);
		if (us_page_is_html(page) && PQntuples(letters) == limit)
			write_next(page, stream, sqlstate, waiting, us_row_text(letters, (int) limit - 1, "id"));
	}
	PQclear(letters);
	us_page_end(page);
}

static const UsColumn letter_parts[] = {
	{"id", "Id", US_KIND_OFFSET, NULL, NULL, NULL},
	{"created_at", "Came", US_KIND_TIME, NULL, NULL, NULL},
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
	letter_parts, "", NULL, NULL, false, false
};

static const UsColumn message_columns[] = {
	{"part", "Part", US_KIND_TEXT, NULL, NULL, NULL},
	{"size", "Size", US_KIND_BYTES, NULL, NULL, NULL},
	{"bytes", "As text", US_KIND_BINARY, NULL, NULL, "null"},
	{"hex", "First bytes", US_KIND_CODE, NULL, NULL, NULL},
	{0}
};

static const UsPanel message_panel = {
	"message", "What it holds",
	"SELECT part, octet_length(b) AS size, substring(b FROM 1 FOR 65536) AS bytes,"
	" encode(substring(b FROM 1 FOR 16), 'hex') AS hex"
	" FROM userstream.dead_letter d, LATERAL (VALUES (1, 'key', d.key), (2, 'value', d.value),"
	" (3, 'headers', convert_to(d.headers::text, 'UTF8'))) AS p(n, part, b)"
	" WHERE d.id = $1::bigint ORDER BY n",
	message_columns, "", NULL, NULL, false, false
};

static void
write_retry(UsPage *page, const char *stream, const char *id)
{
	UsBuf		sql = {0};

	us_buf_puts(&sql, "SELECT userstream.retry_dead_letters(");
	us_sql_literal(&sql, stream);
	us_buf_printf(&sql, ", '{%s}')", id);
	us_page_call(page, "Try it again", us_buf_text(&sql));
	us_buf_free(&sql);
}

void
us_show_dead_letter(UsPage *page, const char *name)
{
	int64_t		id;
	PGresult   *letter = NULL;
	const char *stream;

	if (!us_parse_int64(name, INT64_MAX, &id))
	{
		us_page_not_found(page, "dead letter", name);
		return;
	}
	us_page_begin(page, "Dead letter");
	letter = us_page_query(page, &letter_panel, 1, &name);
	if (letter && PQntuples(letter) == 0)
	{
		us_buf_free(page->body);
		us_page_not_found(page, "dead letter", name);
		PQclear(letter);
		return;
	}
	if (letter)
	{
		us_page_table(page, &letter_panel, letter);
		us_page_panel(page, &message_panel, 1, &name);
		stream = us_row_text(letter, 0, "stream");
		if (stream)
			write_retry(page, stream, us_row_text(letter, 0, "id"));
	}
	PQclear(letter);
	us_page_end(page);
}
