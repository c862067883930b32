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
#include "dashboard/message.h"
#include "dashboard/parse.h"
#include "dashboard/route.h"
#include "dashboard/words.h"

/* that a filter looks at; it looks no further */
#define LOOK_MESSAGES 5000
/* partitions that are named as links */
#define MAX_LINKS 64

static const UsPanel stream_panel = {
	"stream", "Stream",
	"SELECT s.stream, s.server, s.topic, max(p.partition) AS last_partition"
	" FROM userstream.stream_status s LEFT JOIN userstream.partition_status p USING (stream)"
	" WHERE s.stream = $1 GROUP BY 1, 2, 3",
	NULL, "", NULL, NULL, false, false, NULL
};

static const UsColumn message_columns[] = {
	{"kafka_offset", "Offset", US_KIND_OFFSET, "/messages/", "place", NULL},
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
	" SELECT l.looked, l.first_offset, l.last_offset, h.*,"
	" $11 || '/' || h.partition || '/' || h.kafka_offset AS place FROM"
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
	message_columns, "No message there.", NULL, NULL, true, false, NULL
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
	us_buf_printf(page->body, "<form method=\"get\" class=\"filter\" role=\"search\" aria-label=\"%s\">", us_text("Filter"));
	for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++)
	{
		const char *value = us_request_param(page->request, inputs[i].name);

		us_buf_printf(page->body, "<label>%s <input id=\"%s\" name=\"%s\"%s value=\"", us_text(inputs[i].label),
					  strcmp(inputs[i].name, "contains") == 0 ? "filter" : inputs[i].name, inputs[i].name,
					  strcmp(inputs[i].name, "from") == 0 ? " placeholder=\"2026-01-31T00:00:00Z\"" : "");
		us_html_attr(page->body, value ? value : "");
		us_buf_puts(page->body, "\"></label> ");
	}
	us_buf_printf(page->body, "<button>%s</button></form>\n", us_text("Look"));
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
	us_buf_puts(page->body, "<p class=\"note\">");
	us_buf_printf(page->body, us_text("Looked at %s messages, offsets %s to %s."), looked, first,
				  us_row_text(messages, 0, "last_offset"));
	if (offset && strcmp(offset, first) != 0 && us_request_param(page->request, "partition"))
		us_buf_printf(page->body, us_text(" Offset %s is absent (compacted, deleted, or a mark of a transaction); the next one is %s."),
					  offset, first);
	us_buf_puts(page->body, "</p>\n");
}

static void
write_offset_link(UsPage *page, const char *rel, const char *label, int64_t offset)
{
	char		text[24];
	const char *const changes[] = {"offset", text, "from", NULL, NULL};

	snprintf(text, sizeof(text), "%" PRId64, offset);
	us_page_link(page, rel, label, changes);
}

/* offsets follow each other within a partition only: else first choose one */
static void
write_steps(UsPage *page, const PGresult *stream, const PGresult *messages, int64_t looked)
{
	const char *first = us_row_text(messages, 0, "first_offset");
	const char *last = us_row_text(messages, 0, "last_offset");
	const char *partition = us_row_text(stream, 0, "last_partition");

	if (!us_page_is_html(page))
		return;
	us_buf_printf(page->body, "<nav aria-label=\"%s\"><p>", us_text("Messages"));
	if (us_request_param(page->request, "partition") == NULL)
	{
		us_buf_puts(page->body, us_text("Partition"));
		for (int i = 0; partition && i <= atoi(partition) && i < MAX_LINKS; i++)
		{
			char		text[12];
			const char *const changes[] = {"partition", text, NULL};

			snprintf(text, sizeof(text), "%d", i);
			us_buf_puts(page->body, " ");
			us_page_link(page, NULL, text, changes);
		}
	}
	else if (first && last)
	{
		int64_t		begin = atoll(first);

		if (begin > 0)
			write_offset_link(page, "prev", us_text("Previous"), begin > looked ? begin - looked : 0);
		us_buf_puts(page->body, begin > 0 ? " · " : "");
		write_offset_link(page, "next", us_text("Next"), atoll(last) + 1);
	}
	us_buf_puts(page->body, "</p></nav>\n");
}

/* rows without the one that stands there only for its counts */
static void
write_messages(UsPage *page, const PGresult *messages, const char *offset)
{
	write_looked(page, messages, offset);
	if (us_row_text(messages, 0, "kafka_offset"))
		us_page_table(page, &messages_panel, messages);
	else
		us_page_empty(page, &messages_panel);
}

static void
look(UsPage *page, const PGresult *stream, const char *name, const char *const *wanted,
	 int64_t limit)
{
	bool		filtered = wanted[3] || wanted[4] || wanted[5];
	int64_t		looked = filtered ? LOOK_MESSAGES : limit;
	char		looked_text[24];
	char		limit_text[24];
	const char *params[] = {
		us_row_text(stream, 0, "server"), us_row_text(stream, 0, "topic"), wanted[0], wanted[1],
		wanted[2], wanted[3], wanted[4], wanted[5], looked_text, limit_text, name
	};
	PGresult   *messages;

	snprintf(looked_text, sizeof(looked_text), "%" PRId64, looked);
	snprintf(limit_text, sizeof(limit_text), "%" PRId64, limit);
	messages = us_page_query(page, &messages_panel, 11, params);
	if (messages)
	{
		write_messages(page, messages, wanted[1]);
		write_steps(page, stream, messages, looked);
	}
	PQclear(messages);
}

static bool
has_partition(UsPage *page, const PGresult *stream, int64_t partition)
{
	const char *last = us_row_text(stream, 0, "last_partition");

	if (partition <= (last ? atoll(last) : -1))
		return true;
	return us_request_refuse(page->request, 404, "partition %" PRId64 " of 0..%s", partition,
							 last ? last : "?");
}

static void
show_list(UsPage *page, const PGresult *stream, const char *name)
{
	UsRequest  *request = page->request;
	/* partition, offset, from, key, contains, header */
	const char *wanted[6];
	int64_t		partition = number_or(request, "partition", 0, INT32_MAX, -1);
	int64_t		limit = number_or(request, "limit", 10, 200, 50);

	for (int i = 0; i < 6; i++)
		wanted[i] = us_request_param(request, inputs[i].name);
	us_request_number(request, "offset", 0, INT64_MAX, 0);
	if (wanted[2] && !us_parse_time(wanted[2]))
		us_request_refuse(request, 400, "from must be a time such as 2026-01-31T00:00:00Z");
	if (wanted[1] && wanted[2])
		us_request_refuse(request, 400, "offset and from exclude each other");
	if (stream == NULL || !has_partition(page, stream, partition) || request->error_status != 0)
		return;
	if (us_page_is_html(page))
		write_form(page);
	look(page, stream, name, wanted, limit);
}

static const UsColumn place_columns[] = {
	{"topic", "Topic", US_KIND_CODE, NULL, NULL, NULL},
	{"partition", "Partition", US_KIND_OFFSET, NULL, NULL, NULL},
	{"kafka_offset", "Offset", US_KIND_OFFSET, NULL, NULL, NULL},
	{"message_at", "Time", US_KIND_TIME, NULL, NULL, "none"},
	{0}
};

/* peek gives the next one when that offset is absent, which is not what was asked for */
#define ONE_MESSAGE \
	" FROM userstream.peek($1::name, $2, $3::integer, $4::bigint, NULL, 1, 33554432) m" \
	" WHERE kafka_offset = $4::bigint"

static const UsPanel place_panel = {
	"place", "Place",
	"SELECT topic, partition, kafka_offset, message_at" ONE_MESSAGE,
	place_columns, "No message has this offset: it is compacted, deleted, not there yet, or a mark of a transaction.",
	NULL, NULL, true, false, NULL
};

static const UsPanel parts_panel = {
	"message", "What it holds",
	"SELECT part, octet_length(b) AS size, substring(b FROM 1 FOR " US_MESSAGE_SHOWN_SQL ") AS bytes"
	" FROM (SELECT *" ONE_MESSAGE ") m, LATERAL (VALUES (1, 'key', m.key), (2, 'value', m.value),"
	" (3, 'headers', convert_to(m.headers::text, 'UTF8'))) AS p(n, part, b) ORDER BY n",
	NULL, "", NULL, NULL, true, false, NULL
};

static const UsPanel bytes_panel = {
	"bytes", "Bytes",
	"SELECT CASE $5 WHEN 'key' THEN key ELSE value END" ONE_MESSAGE,
	NULL, "", NULL, NULL, true, false, NULL
};

/* the statement that a person with the stream's rights can run */
static void
write_try(UsPage *page, const char *const *params, const char *name)
{
	UsBuf		sql = {0};

	us_buf_puts(&sql, "SELECT t.* FROM userstream.peek(");
	us_sql_literal(&sql, params[0]);
	us_buf_puts(&sql, ", ");
	us_sql_literal(&sql, params[1]);
	us_buf_printf(&sql, ", %s, %s, max_messages => 1) AS m, userstream.try_message(", params[2], params[3]);
	us_sql_literal(&sql, name);
	us_buf_puts(&sql, ", m.value, m.key) AS t");
	us_page_call(page, "Which rows it would give, as the stream's owner", us_buf_text(&sql));
	us_buf_free(&sql);
}

static void
write_neighbours(UsPage *page, const char *name, const char *partition, int64_t offset)
{
	if (!us_page_is_html(page))
		return;
	us_buf_printf(page->body, "<nav aria-label=\"%s\"><p>", us_text("Messages"));
	for (int step = -1; step <= 1; step += 2)
	{
		if (offset + step < 0 || offset == INT64_MAX)
			continue;
		us_buf_printf(page->body, "<a rel=\"%s\" href=\"/messages/", step < 0 ? "prev" : "next");
		us_url_arg(page->body, name);
		us_buf_printf(page->body, "/%s/%" PRId64 "\">%s</a> ", partition, offset + step,
					  us_text(step < 0 ? "Previous" : "Next"));
	}
	us_buf_puts(page->body, "<a href=\"/messages/");
	us_url_arg(page->body, name);
	us_buf_printf(page->body, "?partition=%s&amp;offset=%" PRId64 "\">%s</a></p></nav>\n",
				  partition, offset, us_text("List from here"));
}

static void
show_one(UsPage *page, const PGresult *stream, const char *name, const char *partition,
		 const char *offset)
{
	const char *part = us_message_wanted(page->request);
	const char *params[] = {
		us_row_text(stream, 0, "server"), us_row_text(stream, 0, "topic"), partition, offset, part
	};
	const UsPanel *panel = part ? &bytes_panel : &place_panel;
	PGresult   *rows;

	if (!has_partition(page, stream, atoll(partition)) || page->request->error_status != 0)
		return;
	rows = us_page_query(page, panel, part ? 5 : 4, params);
	if (part)
		us_message_download(page, rows, "offset", atoll(offset));
	else if (rows)
		us_page_table(page, panel, rows);
	if (!part && rows && PQntuples(rows) == 0)
		page->reply->status = 404;
	if (!part && rows && PQntuples(rows) > 0)
	{
		PQclear(rows);
		rows = us_page_query(page, &parts_panel, 4, params);
		if (rows)
			us_message_write(page, rows);
		write_try(page, params, name);
	}
	if (!part)
		write_neighbours(page, name, partition, atoll(offset));
	PQclear(rows);
}

/* NAME/PARTITION/OFFSET; cuts name, and says where the others begin */
static bool
split_place(char *name, char **partition, char **offset)
{
	int64_t		number;

	*offset = strrchr(name, '/');
	if (*offset == NULL)
		return false;
	*(*offset)++ = '\0';
	*partition = strrchr(name, '/');
	if (*partition == NULL)
		return false;
	*(*partition)++ = '\0';
	return us_parse_int64(*offset, INT64_MAX, &number) &&
		us_parse_int64(*partition, INT32_MAX, &number);
}

/* a stream of that name; otherwise, if it can be, the stream and place in it */
void
us_show_messages(UsPage *page, const char *name)
{
	char		place[US_REQUEST_MAX_BYTES];
	const char *param = place;
	char	   *partition = NULL;
	char	   *offset = NULL;
	PGresult   *stream;

	us_page_begin(page, "Messages of", name);
	stream = us_page_query(page, &stream_panel, 1, &name);
	snprintf(place, sizeof(place), "%s", name);
	if (stream && PQntuples(stream) == 0 && split_place(place, &partition, &offset))
	{
		PQclear(stream);
		stream = us_page_query(page, &stream_panel, 1, &param);
	}
	if (stream && PQntuples(stream) == 0)
	{
		us_buf_free(page->body);
		us_page_not_found(page, "There is no stream", name);
		PQclear(stream);
		return;
	}
	if (stream && offset)
		show_one(page, stream, place, partition, offset);
	else
		show_list(page, stream, name);
	PQclear(stream);
	/* a download has no frame */
	if (page->request->error_status == 0 && page->reply->file_name == NULL)
		us_page_end(page);
}
