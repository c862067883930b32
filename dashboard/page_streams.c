/*-------------------------------------------------------------------------
 * dashboard/page_streams.c
 *    all streams, and one of them
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "dashboard/chart.h"
#include "dashboard/escape.h"
#include "dashboard/route.h"
#include "dashboard/words.h"

static const UsColumn stream_columns[] = {
	{"stream", "Stream", US_KIND_TEXT, "/streams/", NULL, NULL},
	{"state", "State", US_KIND_STATE, NULL, NULL, "unknown"},
	{"lag_messages", "Lag, messages", US_KIND_COUNT, NULL, NULL, "unknown"},
	{"lag_seconds", "Lag", US_KIND_SECONDS, NULL, NULL, "unknown"},
	{"rows_per_second", "Rows/s", US_KIND_NUMBER, NULL, NULL, NULL},
	{"rows_written", "Rows written", US_KIND_COUNT, NULL, NULL, NULL},
	{"dead_letters", "Dead letters", US_KIND_COUNT, NULL, NULL, NULL},
	{"target", "Target", US_KIND_CODE, NULL, NULL, NULL},
	{"topic", "Topic", US_KIND_CODE, NULL, NULL, NULL},
	{"last_error", "Last error", US_KIND_NOTE, NULL, NULL, NULL},
	{"last_error_at", "at", US_KIND_TIME, NULL, NULL, NULL},
	{"failing_since", "failing since", US_KIND_TIME, NULL, NULL, NULL},
	{0}
};

static const UsPanel streams_panel = {
	"streams", "Streams",
	"SELECT stream, state, lag_messages, lag_seconds, rows_per_second, messages_read, rows_written,"
	" dead_letters, owner, target, topic, workers, failing_since, last_error, last_error_at"
	" FROM userstream.stream_status"
	" WHERE ($1::text IS NULL OR state = $1)"
	" AND ($2::text IS NULL OR position(lower($2) IN lower(stream)) > 0)"
	" ORDER BY " US_STATES_WORST_FIRST ", lag_messages DESC NULLS LAST, stream"
	" LIMIT 1001",
	stream_columns,
	"No stream yet, or none that this page's filter or its role may see.",
	"SELECT userstream.create_stream('users', server => 'kafka', topic => 'users_created', target => 'created_users')",
	NULL, false, false, "state other"
};

static const UsColumn past_columns[] = {
	{"opened_at", "From", US_KIND_TIME, NULL, NULL, NULL},
	{"closed_at", "to", US_KIND_TIME, NULL, NULL, NULL},
	{"partition", "Partition", US_KIND_OFFSET, NULL, NULL, NULL},
	{"kind", "Kind", US_KIND_TEXT, NULL, NULL, NULL},
	{"detail", "What happened", US_KIND_LONG, NULL, NULL, NULL},
	{0}
};

static const UsPanel past_panel = {
	"past_incidents", "Incidents that are over",
	"SELECT opened_at, closed_at, partition, kind, detail FROM userstream.incident"
	" WHERE closed_at IS NOT NULL AND stream = $1 ORDER BY closed_at DESC, id DESC LIMIT 20",
	past_columns, "None that is kept.", NULL, NULL, false, false, "closed_at descending"
};

static const UsColumn definition_columns[] = {
	{"part", "Part", US_KIND_WORD, NULL, NULL, NULL},
	{"value", "Value", US_KIND_LONG, NULL, NULL, NULL},
	{0}
};

/* what create_stream was told, in its words; what was left out is not shown */
static const UsPanel definition_panel = {
	"definition", "Definition",
	"SELECT part, value FROM userstream.stream_definition d, LATERAL (VALUES"
	" (1, 'server', server), (2, 'topic', topic), (3, 'target', target), (4, 'format', format),"
	" (5, 'mode', mode), (6, 'key', key::text), (7, 'columns', columns::text), (8, 'transform', transform),"
	" (9, 'start_at', start_at), (10, 'on_error', on_error), (11, 'workers', workers::text),"
	" (12, 'options', nullif(options, '{}')::text), (13, 'owner', owner), (14, 'time zone', timezone),"
	" (15, 'version', config_version::text), (16, 'created', created_at::text)) AS v(n, part, value)"
	" WHERE stream = $1 AND value IS NOT NULL ORDER BY n",
	definition_columns, "", NULL, "This version of userstream does not show definitions.", false, false, NULL
};

static const UsColumn partition_columns[] = {
	{"partition", "Partition", US_KIND_OFFSET, NULL, NULL, NULL},
	{"state", "State", US_KIND_STATE, NULL, NULL, "unknown"},
	{"lag_messages", "Lag, messages", US_KIND_COUNT, NULL, NULL, "unknown"},
	{"share", "of the largest", US_KIND_METER, NULL, NULL, NULL},
	{"next_offset", "Next offset", US_KIND_OFFSET, NULL, NULL, NULL},
	{"low_offset", "In Kafka from", US_KIND_OFFSET, NULL, NULL, "unknown"},
	{"high_offset", "to", US_KIND_OFFSET, NULL, NULL, "unknown"},
	{"last_message_at", "Last message", US_KIND_TIME, NULL, NULL, "none yet"},
	{"rows_written", "Rows", US_KIND_COUNT, NULL, NULL, NULL},
	{"dead_letters", "Dead letters", US_KIND_COUNT, NULL, NULL, NULL},
	{"worker", "Worker", US_KIND_OFFSET, NULL, NULL, "none"},
	{"last_error", "Last error", US_KIND_NOTE, NULL, NULL, NULL},
	{"last_error_at", "at", US_KIND_TIME, NULL, NULL, NULL},
	{0}
};

static const UsPanel partitions_panel = {
	"partitions", "Partitions",
	"SELECT partition, state, lag_messages,"
	" lag_messages::float8 / nullif(max(lag_messages) OVER (), 0) AS share,"
	" next_offset, low_offset, high_offset, last_message_at, messages_read, rows_written,"
	" dead_letters, skipped, worker, last_error, last_error_at"
	" FROM userstream.partition_status WHERE stream = $1 ORDER BY partition LIMIT 1001",
	partition_columns, "No partition is known.", NULL, NULL, false, false, "partition ascending"
};

static const UsColumn ledger_columns[] = {
	{"partition", "Partition", US_KIND_OFFSET, NULL, NULL, "all"},
	{"messages_read", "Messages read", US_KIND_COUNT, NULL, NULL, NULL},
	{"messages_applied", "= applied", US_KIND_COUNT, NULL, NULL, NULL},
	{"dead_letters", "+ dead letters", US_KIND_COUNT, NULL, NULL, NULL},
	{"skipped", "+ skipped", US_KIND_COUNT, NULL, NULL, NULL},
	{"retried", "Retried since", US_KIND_COUNT, NULL, NULL, NULL},
	{"balanced", "Balanced", US_KIND_YES, NULL, NULL, NULL},
	{0}
};

static const UsPanel ledger_panel = {
	"ledger", "Ledger",
	"SELECT partition, sum(messages_read)::bigint AS messages_read,"
	" sum(messages_applied)::bigint AS messages_applied, sum(dead_letters)::bigint AS dead_letters,"
	" sum(skipped)::bigint AS skipped, sum(retried)::bigint AS retried, bool_and(balanced) AS balanced"
	" FROM userstream.ledger WHERE stream = $1"
	" GROUP BY GROUPING SETS ((partition), ()) HAVING count(*) > 0"
	" ORDER BY partition NULLS FIRST LIMIT 1001",
	ledger_columns, "Nothing was read yet.", NULL, NULL, false, false, "partition ascending"
};

static const UsColumn history_columns[] = {
	{"at", "From", US_KIND_TIME, NULL, NULL, NULL},
	{"lag_messages", "Largest lag, messages", US_KIND_COUNT, NULL, NULL, "unknown"},
	{"messages_per_second", "Messages read a second", US_KIND_NUMBER, NULL, NULL, NULL},
	{"rows_per_second", "Rows written a second", US_KIND_NUMBER, NULL, NULL, NULL},
	{0}
};

/* a counter that went back belongs to another stream of that name */
static const UsPanel history_panel = {
	"history", "Last 24 hours, by five minutes",
	"SELECT slot AS at, extract(epoch FROM slot)::float8 AS t, lag_messages,"
	" (greatest(messages_read - lag(messages_read) OVER w, 0) /"
	" extract(epoch FROM last - lag(last) OVER w))::float8 AS messages_per_second,"
	" (greatest(rows_written - lag(rows_written) OVER w, 0) /"
	" extract(epoch FROM last - lag(last) OVER w))::float8 AS rows_per_second"
	" FROM (SELECT date_bin('5 minutes', at, '2000-01-01 00:00:00+00') AS slot, max(at) AS last,"
	" max(lag_messages) AS lag_messages,"
	" (array_agg(messages_read ORDER BY at DESC))[1] AS messages_read,"
	" (array_agg(rows_written ORDER BY at DESC))[1] AS rows_written"
	" FROM userstream.stream_history WHERE stream = $1 AND at > now() - interval '24 hours' GROUP BY 1) slots"
	" WINDOW w AS (ORDER BY slot) ORDER BY slot LIMIT 1001",
	history_columns, "A line is added each minute while the stream runs; there is none yet.",
	NULL, NULL, false, true, "at ascending"
};

static const UsChart lag_chart = {
	"lag", "Lag, last 24 hours", "time, UTC", "lag, messages", "t", {{"lag_messages", "lag"}, {0}}
};

static const UsChart rate_chart = {
	"rate", "Rate, last 24 hours", "time, UTC", "per second", "t",
	{{"messages_per_second", "messages read"}, {"rows_per_second", "rows written"}, {0}}
};

static void
write_filter(UsPage *page)
{
	static const char *const states[] = {
		"stopped", "blocked", "waiting", "starting", "running", "paused", "caught_up"
	};
	const char *state = us_request_param(page->request, "state");
	const char *q = us_request_param(page->request, "q");

	if (!us_page_is_html(page))
		return;
	us_buf_printf(page->body, "<form method=\"get\" class=\"filter\" role=\"search\" aria-label=\"%s\"><label>%s "
				  "<input type=\"search\" name=\"q\" id=\"filter\" value=\"", us_text("Filter"), us_text("Name has"));
	us_html_attr(page->body, q ? q : "");
	us_buf_printf(page->body, "\"></label> <label>%s <select name=\"state\" id=\"state\">"
				  "<option value=\"\">%s</option>", us_text("State"), us_text("any"));
	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		us_buf_printf(page->body, "<option value=\"%s\"%s>%s</option>", states[i],
					  state && strcmp(state, states[i]) == 0 ? " selected" : "", us_text(states[i]));
	us_buf_printf(page->body, "</select></label> <button>%s</button></form>\n", us_text("Filter"));
}

void
us_show_streams(UsPage *page, const char *name)
{
	const char *params[] = {
		us_request_param(page->request, "state"), us_request_param(page->request, "q")
	};

	(void) name;
	us_page_begin(page, "Streams", NULL);
	write_filter(page);
	us_page_panel(page, &streams_panel, 2, params);
	us_show_incidents(page, NULL, false);
	us_page_end(page);
}

static const UsColumn stream_facts[] = {
	{"state", "State", US_KIND_STATE, NULL, NULL, "unknown"},
	{"owner", "Owner", US_KIND_TEXT, NULL, NULL, NULL},
	{"topic", "Topic", US_KIND_CODE, NULL, NULL, NULL},
	{"target", "Target", US_KIND_CODE, NULL, NULL, NULL},
	{"lag_messages", "Lag, messages", US_KIND_COUNT, NULL, NULL, "unknown"},
	{"lag_seconds", "Lag, time", US_KIND_SECONDS, NULL, NULL, "unknown"},
	{"rows_per_second", "Rows/s", US_KIND_NUMBER, NULL, NULL, NULL},
	{"hint", "What limits it", US_KIND_LONG, NULL, NULL, "nothing stands out"},
	{"messages_read", "Messages read", US_KIND_COUNT, NULL, NULL, NULL},
	{"rows_written", "Rows written", US_KIND_COUNT, NULL, NULL, NULL},
	{"dead_letters", "Dead letters", US_KIND_COUNT, "/dead-letters?stream=", "stream", NULL},
	{"last_error", "Last error", US_KIND_LONG, NULL, NULL, NULL},
	{"last_error_at", "Last error at", US_KIND_TIME, NULL, NULL, "never"},
	{"failing_since", "Failing since", US_KIND_TIME, NULL, NULL, NULL},
	{0}
};

static const UsPanel stream_panel = {
	"stream", "State",
	"SELECT stream, owner, state, target, topic, workers, pids::text AS pids, lag_messages, lag_seconds,"
	" rows_per_second, hint, messages_read, rows_written, dead_letters, last_error, last_error_at,"
	" failing_since, config_version FROM userstream.stream_status WHERE stream = $1",
	stream_facts, "", NULL, NULL, false, false, NULL
};

static void
write_calls(UsPage *page, const char *name, const char *state)
{
	if (!us_page_is_html(page))
		return;
	us_buf_printf(page->body, "<section id=\"calls\"><h2>%s</h2>\n<p><a href=\"/messages/", us_text("What one can do"));
	us_url_arg(page->body, name);
	us_buf_printf(page->body, "\">%s</a> · <a href=\"/dead-letters?stream=", us_text("Messages of its topic"));
	us_url_arg(page->body, name);
	us_buf_printf(page->body, "\">%s</a></p>\n", us_text("Its dead letters"));
	if (state && (strcmp(state, "paused") == 0 || strcmp(state, "stopped") == 0))
		us_page_call_with(page, "Go on", "SELECT userstream.resume_stream(", name, ")");
	else
		us_page_call_with(page, "Pause", "SELECT userstream.pause_stream(", name, ")");
	us_page_call_with(page, "Read again from the first message", "SELECT userstream.seek_stream(", name,
					  ", 'earliest')");
	us_page_call_with(page, "Try dead letters again", "SELECT userstream.retry_dead_letters(", name, ")");
	us_buf_puts(page->body, "</section>\n");
}

void
us_show_stream(UsPage *page, const char *name)
{
	static const UsChart *const charts[] = {&lag_chart, &rate_chart};
	PGresult   *stream;

	if (!us_page_one(page, "Stream", &stream_panel, 1, &name, name, "There is no stream", &stream))
		return;
	us_show_incidents(page, name, false);
	us_page_panel(page, &partitions_panel, 1, &name);
	us_page_panel(page, &ledger_panel, 1, &name);
	us_page_charts(page, &history_panel, 1, &name, charts, 2, us_chart_lines);
	us_page_panel(page, &definition_panel, 1, &name);
	us_page_panel(page, &past_panel, 1, &name);
	write_calls(page, name, stream ? us_row_text(stream, 0, "state") : NULL);
	PQclear(stream);
	us_page_end(page);
}
