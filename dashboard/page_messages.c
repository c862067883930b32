/*-------------------------------------------------------------------------
 * dashboard/page_messages.c
 *    messages of a stream's topic, as Kafka has them, without consuming any
 *
 * They hold data of people, so this page shows nothing until someone grants
 * USAGE on the server to the dashboard's role on purpose.
 *-------------------------------------------------------------------------
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dashboard/escape.h"
#include "dashboard/parse.h"
#include "dashboard/route.h"

/* that a filter looks at; it looks no further */
#define LOOK_MESSAGES "5000"

static const UsColumn stream_columns[] = {{0}};

static const UsPanel stream_panel = {
	"stream", "Stream",
	"SELECT s.stream, s.server, s.topic, max(p.partition) AS last_partition"
	" FROM userstream.stream_status s LEFT JOIN userstream.partition_status p USING (stream)"
	" WHERE s.stream = $1 GROUP BY 1, 2, 3",
	stream_columns, "", NULL, NULL, false, false
};

static const UsColumn message_columns[] = {
	{"kafka_offset", "Offset", US_KIND_OFFSET, NULL, NULL, NULL},
	{"partition", "Partition", US_KIND_OFFSET, NULL, NULL, NULL},
	{"message_at", "Time", US_KIND_TIME, NULL, NULL, "none"},
	{"key", "Key", US_KIND_BINARY, NULL, NULL, "no key"},
	{"size", "Size", US_KIND_BYTES, NULL, NULL, "–"},
	{"value", "Value, first 1024 bytes", US_KIND_BINARY, NULL, NULL, "null: a tombstone"},
	{"headers", "Headers", US_KIND_LONG, NULL, NULL, NULL},
	{0}
};

/*
 * The row of counts is there when no message is, so that the page can say how
 * far it looked.  A filter is a plain search for bytes.
 */
static const UsPanel messages_panel = {
	"messages", "Messages",
	"WITH looked AS MATERIALIZED (SELECT m.* FROM userstream.peek($1::name, $2, $3::integer,"
	" $4::bigint, $5::timestamptz, $9::integer, 10485760) m)"
	" SELECT l.looked, l.first_offset, l.last_offset, h.* FROM"
	" (SELECT count(*)::integer AS looked, min(kafka_offset) AS first_offset,"
	" max(kafka_offset) AS last_offset FROM looked) l LEFT JOIN"
	" (SELECT partition, kafka_offset, message_at, substring(key FROM 1 FOR 256) AS key,"
	" octet_length(value) AS size, substring(value FROM 1 FOR 1024) AS value, headers::text AS headers"
	" FROM looked WHERE ($6::text IS NULL OR key = convert_to($6, 'UTF8'))"
	" AND ($7::text IS NULL OR position(convert_to($7, 'UTF8') IN value) > 0"
	" OR position(convert_to($7, 'UTF8') IN key) > 0)"
	" AND ($8::text IS NULL OR headers @> jsonb_build_array(jsonb_build_object('key', $8)))"
	" ORDER BY CASE WHEN $4::bigint IS NULL AND $5::timestamptz IS NULL THEN message_at END DESC NULLS LAST,"
	" CASE WHEN $4::bigint IS NULL AND $5::timestamptz IS NULL THEN kafka_offset END DESC,"
	" kafka_offset, partition LIMIT $10::integer) h ON true",
	message_columns, "No message there.", NULL, NULL, true, false
};

static const struct
{
	const char *name;
	const char *label;
}			inputs[] = {
	{"partition", "Partition"}, {"offset", "From offset"}, {"from", "From time"},
	{"key", "Key is"}, {"contains", "Contains"}, {"header", "Has header"}, {"limit", "At most"},
};

static void
write_form(UsPage *page)
{
	us_buf_puts(page->body, "<form method=\"get\" class=\"filter\" role=\"search\">");
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
	{
		const char *value = us_request_param(page->request, inputs[i].name);

		us_buf_printf(page->body, "<label>%s <input id=\"%s\" name=\"%s\"%s value=\"", inputs[i].label,
					  strcmp(inputs[i].name, "contains") == 0 ? "filter" : inputs[i].name, inputs[i].name,
					  strcmp(inputs[i].name, "from") == 0 ? " placeholder=\"2026-01-31T00:00:00Z\"" : "");
		us_html_attr(page->body, value ? value : "");
		us_buf_puts(page->body, "\"></label> ");
	}
	us_buf_puts(page->body, "<button>Look</button></form>\n");
}

/* an empty field of the form is one that was not asked for */
static int64_t
number_or(UsRequest *request, const char *name, int64_t low, int64_t high, int64_t fallback)
{
	if (us_request_param(request, name) == NULL)
		return fallback;
	return us_request_number(request, name, low, high, fallback);
}

static void
write_looked(UsPage *page, const PGresult *messages, const char *offset)
{
	const char *looked = us_row_text(messages, 0, "looked");
	const char *first = us_row_text(messages, 0, "first_offset");

	if (!us_page_is_html(page) || looked == NULL || first == NULL)
		return;
	us_buf_printf(page->body, "<p class=\"note\">Looked at %s messages, offsets %s to %s.", looked, first,
				  us_row_text(messages, 0, "last_offset"));
	if (offset && strcmp(offset, first) != 0 && us_request_param(page->request, "partition"))
		us_buf_printf(page->body, " Offset %s is absent (compacted, deleted, or a mark of a transaction);"
					  " the next one is %s.", offset, first);
	us_buf_puts(page->body, "</p>\n");
}

/* rows without the one that stands there only for its counts */
static void
write_messages(UsPage *page, const PGresult *messages, const char *offset)
{
	write_looked(page, messages, offset);
	if (us_row_text(messages, 0, "kafka_offset"))
		us_page_table(page, &messages_panel, messages);
	else if (us_page_is_html(page))
		us_buf_printf(page->body, "<section id=\"messages\"><h2>Messages</h2><div class=\"box\">%s</div></section>\n",
					  messages_panel.empty);
}

static void
look(UsPage *page, const PGresult *stream, const char **wanted, int64_t limit)
{
	char		limit_text[24];
	bool		filtered = wanted[3] || wanted[4] || wanted[5];
	const char *params[10] = {us_row_text(stream, 0, "server"), us_row_text(stream, 0, "topic")};
	PGresult   *messages;

	snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
	memcpy(params + 2, wanted, 6 * sizeof(*wanted));
	params[8] = filtered ? LOOK_MESSAGES : limit_text;
	params[9] = limit_text;
	messages = us_page_query(page, &messages_panel, 10, params);
	if (messages)
		write_messages(page, messages, wanted[1]);
	PQclear(messages);
}

void
us_show_messages(UsPage *page, const char *name)
{
	UsRequest  *request = page->request;
	/* partition, offset, from, key, contains, header */
	const char *wanted[6];
	int64_t		partition = number_or(request, "partition", 0, INT32_MAX, -1);
	int64_t		limit = number_or(request, "limit", 10, 200, 50);
	const char *last;
	PGresult   *stream;

	for (int i = 0; i < 6; i++)
		wanted[i] = us_request_param(request, inputs[i].name);
	us_request_number(request, "offset", 0, INT64_MAX, 0);
	if (wanted[2] && !us_parse_time(wanted[2]))
		us_request_refuse(request, 400, "from must be a time such as 2026-01-31T00:00:00Z");
	if (wanted[1] && wanted[2])
		us_request_refuse(request, 400, "offset and from exclude each other");
	if (request->error_status != 0)
		return;
	us_page_begin(page, name);
	stream = us_page_query(page, &stream_panel, 1, &name);
	last = stream ? us_row_text(stream, 0, "last_partition") : NULL;
	if (stream && PQntuples(stream) == 0)
	{
		us_buf_free(page->body);
		us_page_not_found(page, "stream", name);
		PQclear(stream);
		return;
	}
	if (stream && partition >= 0 && partition > (last ? atoll(last) : -1))
		us_request_refuse(request, 404, "partition %" PRId64 " of 0..%s", partition, last ? last : "?");
	else if (stream)
	{
		if (us_page_is_html(page))
			write_form(page);
		look(page, stream, wanted, limit);
	}
	PQclear(stream);
	us_page_end(page);
}
