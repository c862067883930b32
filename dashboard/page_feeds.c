/*-------------------------------------------------------------------------
 * dashboard/page_feeds.c
 *    all feeds with their last runs, one feed, one run
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dashboard/chart.h"
#include "dashboard/db.h"
#include "dashboard/escape.h"
#include "dashboard/parse.h"
#include "dashboard/route.h"
#include "dashboard/words.h"

static const UsColumn feed_columns[] = {
	{"feed", "Feed", US_KIND_TEXT, "/feeds/", NULL, NULL},
	{"state", "State", US_KIND_STATE, NULL, NULL, "never ran"},
	{"last_run_at", "Last run", US_KIND_TIME, NULL, NULL, "never"},
	{"last_success_at", "Last success", US_KIND_TIME, NULL, NULL, "never"},
	{"last_success_seconds", "Since then", US_KIND_SECONDS, NULL, NULL, NULL},
	{"schedule", "Schedule", US_KIND_CODE, NULL, NULL, "none"},
	{"next_run_at", "Next run", US_KIND_TIME, NULL, NULL, NULL},
	{"runs_24h", "Runs, 24 h", US_KIND_COUNT, NULL, NULL, NULL},
	{"failures_24h", "failed", US_KIND_COUNT, NULL, NULL, NULL},
	{"last_error", "Last error", US_KIND_NOTE, NULL, NULL, NULL},
	{0}
};

#define FEEDS \
	"SELECT feed, state, last_run_at, last_success_at," \
	" extract(epoch FROM last_success_age)::float8 AS last_success_seconds, schedule, next_run_at," \
	" runs_24h, failures_24h, last_error FROM userstream.feed_status WHERE ($1::text IS NULL OR feed = $1)" \
	" ORDER BY " US_STATES_WORST_FIRST " NULLS LAST, feed" \
	" LIMIT 1001"

static const UsPanel feeds_panel = {
	"feeds", "Feeds", FEEDS,
	feed_columns, "No feed yet, or none that this page's role may see.",
	"SELECT userstream.create_feed('randomuser', server => 'randomuser', records => '$.results[*]',"
	" kafka_server => 'kafka', topic => 'users_created', key => 'id')",
	NULL, false, false, "state other"
};

/* of one feed, all but its name */
static const UsPanel feed_panel = {
	"feeds", "State", FEEDS, &feed_columns[1], "", NULL, NULL, false, false, NULL
};

static const UsColumn run_columns[] = {
	{"run_id", "Run", US_KIND_OFFSET, "/feeds/", "place", NULL},
	{"feed", "Feed", US_KIND_TEXT, "/feeds/", NULL, NULL},
	{"state", "State", US_KIND_STATE, NULL, NULL, NULL},
	{"started_at", "Started", US_KIND_TIME, NULL, NULL, NULL},
	{"seconds", "Took", US_KIND_SECONDS, NULL, NULL, "runs"},
	{"attempts", "Attempts", US_KIND_COUNT, NULL, NULL, NULL},
	{"records", "Records", US_KIND_COUNT, NULL, NULL, NULL},
	{"records_produced", "in Kafka", US_KIND_COUNT, NULL, NULL, NULL},
	{"records_failed", "Dead letters", US_KIND_COUNT, NULL, NULL, NULL},
	{"error", "Error", US_KIND_NOTE, NULL, NULL, NULL},
	{0}
};

/*
 * A run is its attempts; its state and error are the last one's.  The last
 * attempts are read by the index, so a month of runs costs what a day does; 300
 * are 30 runs, unless each was tried more than ten times.
 */
#define RUNS \
	"SELECT run_id, feed, feed || '/' || run_id AS place, (array_agg(state ORDER BY attempt DESC))[1] AS state," \
	" min(started_at) AS started_at," \
	" CASE WHEN bool_and(finished_at IS NOT NULL)" \
	" THEN extract(epoch FROM max(finished_at) - min(started_at))::float8 END AS seconds," \
	" count(*) AS attempts, sum(records)::bigint AS records," \
	" sum(records_produced)::bigint AS records_produced, sum(records_failed)::bigint AS records_failed," \
	" (array_agg(error ORDER BY attempt DESC))[1] AS error" \
	" FROM (SELECT feed FROM userstream.feed_status WHERE $1::text IS NULL OR feed = $1) AS f," \
	" LATERAL (SELECT *, dense_rank() OVER (ORDER BY run_id DESC) AS nth FROM" \
	" (SELECT run_id, state, attempt, started_at, finished_at, records, records_produced, records_failed, error" \
	" FROM userstream.feed_run AS r WHERE r.feed = f.feed ORDER BY started_at DESC LIMIT 300) AS latest) AS attempts" \
	" WHERE nth <= 30 GROUP BY feed, run_id ORDER BY feed, run_id DESC LIMIT 1001"

static const UsPanel runs_panel = {
	"runs", "Last 30 runs of each feed", RUNS,
	run_columns, "No run is kept.", "CALL userstream.run_feed('randomuser')",
	NULL, false, true, NULL
};

static const UsPanel feed_runs_panel = {
	"runs", "Last 30 runs", RUNS,
	run_columns, "It never ran, or its runs are no longer kept.", NULL, NULL, false, false, "run_id descending"
};

static const UsChart duration_chart = {
	"durations", "How long the last 30 runs took", "run", "seconds", "run_id",
	{{"seconds", "seconds"}, {0}}
};
static const UsChart *const duration_charts[] = {&duration_chart};

static const UsColumn attempt_columns[] = {
	{"attempt", "Attempt", US_KIND_OFFSET, NULL, NULL, NULL},
	{"state", "State", US_KIND_STATE, NULL, NULL, NULL},
	{"started_at", "Started", US_KIND_TIME, NULL, NULL, NULL},
	{"seconds", "Took", US_KIND_SECONDS, NULL, NULL, "runs"},
	{"http_status", "HTTP status", US_KIND_OFFSET, NULL, NULL, "no answer"},
	{"pages", "Pages", US_KIND_COUNT, NULL, NULL, NULL},
	{"bytes", "Bytes", US_KIND_BYTES, NULL, NULL, NULL},
	{"records", "Records", US_KIND_COUNT, NULL, NULL, NULL},
	{"records_produced", "in Kafka", US_KIND_COUNT, NULL, NULL, NULL},
	{"records_failed", "Dead letters", US_KIND_COUNT, NULL, NULL, NULL},
	{"records_skipped", "Skipped", US_KIND_COUNT, NULL, NULL, NULL},
	{"error", "Error", US_KIND_NOTE, NULL, NULL, NULL},
	{0}
};

static const UsPanel attempts_panel = {
	"attempts", "Attempts",
	"SELECT attempt, state, started_at, finished_at,"
	" extract(epoch FROM finished_at - started_at)::float8 AS seconds, http_status, pages, bytes, records,"
	" records_produced, records_failed, records_skipped, first_offsets::text AS first_offsets,"
	" last_offsets::text AS last_offsets, error"
	" FROM userstream.feed_run WHERE feed = $1 AND run_id = $2::bigint ORDER BY attempt LIMIT 1001",
	attempt_columns, "", NULL, NULL, false, false, "attempt ascending"
};

static const UsColumn sent_columns[] = {
	{"partition", "Partition", US_KIND_OFFSET, NULL, NULL, NULL},
	{"attempt", "Attempt", US_KIND_OFFSET, NULL, NULL, NULL},
	{"first_offset", "First offset", US_KIND_OFFSET, "/messages/", "first_place", NULL},
	{"last_offset", "Last offset", US_KIND_OFFSET, "/messages/", "last_place", NULL},
	{"topic", "Topic", US_KIND_CODE, NULL, NULL, NULL},
	{"stream", "Read by stream", US_KIND_TEXT, "/streams/", NULL, "none"},
	{0}
};

/* messages are looked at by a stream that reads the topic */
static const UsPanel sent_panel = {
	"messages", "Messages in Kafka",
	"SELECT p.partition::integer AS partition, r.attempt, p.first AS first_offset, r.last_offsets ->> p.partition AS last_offset,"
	" f.topic, d.stream, d.stream || '/' || p.partition || '/' || p.first AS first_place,"
	" d.stream || '/' || p.partition || '/' || (r.last_offsets ->> p.partition) AS last_place"
	" FROM userstream.feed_run r JOIN userstream.feed_status f ON f.feed = r.feed"
	" CROSS JOIN LATERAL jsonb_each_text(r.first_offsets) AS p(partition, first)"
	" LEFT JOIN userstream.stream_definition d ON d.topic = f.topic AND d.server = f.kafka_server"
	" WHERE r.feed = $1 AND r.run_id = $2::bigint ORDER BY 1, r.attempt, d.stream LIMIT 1001",
	sent_columns, "None.", NULL, NULL, false, false, "partition ascending"
};

/* of a run's square, in each language */
static const char *const letters[][2] = {
	{"succeeded", "S"}, {"failed", "F"}, {"running", "R"}, {"cancelled", "C"}, {"skipped", "–"}
};

static const char *
run_letter(const char *state)
{
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
	{
		if (strcmp(state, letters[i][0]) == 0)
			return letters[i][1];
	}
	return "?";
}

/* a square with a letter for each run, the oldest first */
static void
write_grid(UsPage *page, const PGresult *runs)
{
	const char *feed = NULL;
	int			row = 0;

	us_buf_printf(page->body, "<section id=\"grid\"><h2>%s</h2>\n", us_text("Last runs"));
	while (row < PQntuples(runs))
	{
		int			end = row;

		feed = us_row_text(runs, row, "feed");
		while (end < PQntuples(runs) && strcmp(us_row_text(runs, end, "feed"), feed) == 0)
			end++;
		us_buf_puts(page->body, "<div class=\"grid\"><h3>");
		us_html_text(page->body, feed);
		us_buf_puts(page->body, "</h3><ol>");
		for (int i = end - 1; i >= row; i--)
		{
			const char *state = us_row_text(runs, i, "state");

			us_buf_puts(page->body, "<li class=\"run ");
			us_html_attr(page->body, state);
			us_buf_puts(page->body, "\"><a href=\"/feeds/");
			us_url_arg(page->body, feed);
			us_buf_printf(page->body, "/%s\" title=\"", us_row_text(runs, i, "run_id"));
			us_html_attr(page->body, us_word(state));
			us_buf_puts(page->body, ", ");
			us_html_attr(page->body, us_row_text(runs, i, "started_at"));
			us_buf_puts(page->body, "\"><span class=\"sr\">");
			us_html_text(page->body, us_word(state));
			us_buf_printf(page->body, "</span><span aria-hidden=\"true\">%s</span></a></li>", run_letter(state));
		}
		us_buf_puts(page->body, "</ol></div>\n");
		row = end;
	}
	us_buf_puts(page->body, "<p class=\"note\">");
	for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
		us_buf_printf(page->body, "%s%s %s", i ? " · " : "", letters[i][1], us_text(letters[i][0]));
	us_buf_puts(page->body, "</p></section>\n");
}

void
us_show_feeds(UsPage *page, const char *name)
{
	const char *all[] = {NULL};
	PGresult   *runs;

	(void) name;
	us_page_begin(page, "Feeds", NULL);
	us_page_panel(page, &feeds_panel, 1, all);
	runs = us_page_query(page, &runs_panel, 1, all);
	if (runs)
	{
		if (us_page_is_html(page) && PQntuples(runs) > 0)
			write_grid(page, runs);
		us_page_table(page, &runs_panel, runs);
	}
	PQclear(runs);
	us_page_end(page);
}

static void
show_run(UsPage *page, const char *place, const char *feed, const char *run)
{
	const char *params[] = {feed, run};
	PGresult   *attempts;

	if (!us_page_one(page, "Run", &attempts_panel, 2, params, place, "There is no run", &attempts))
		return;
	PQclear(attempts);
	us_page_panel(page, &sent_panel, 2, params);
	us_page_call_with(page, "Run it now", "CALL userstream.run_feed(", feed, ")");
	us_page_end(page);
}

static bool
is_feed(const char *name)
{
	PGresult   *rows = us_db_query("SELECT FROM userstream.feed_status WHERE feed = $1", 1, &name);
	bool		found = rows && PQntuples(rows) > 0;

	PQclear(rows);
	return found;
}

/* NAME, or NAME/RUN: a name may have slashes and numbers itself */
void
us_show_feed(UsPage *page, const char *name)
{
	char		feed[US_REQUEST_MAX_BYTES];
	char	   *slash;
	int64_t		run;
	const char *param = feed;
	PGresult   *found;

	snprintf(feed, sizeof(feed), "%s", name);
	slash = strrchr(feed, '/');
	if (slash && us_parse_int64(slash + 1, INT64_MAX, &run) && !is_feed(name))
	{
		*slash = '\0';
		show_run(page, name, feed, slash + 1);
		return;
	}
	if (!us_page_one(page, "Feed", &feed_panel, 1, &param, feed, "There is no feed", &found))
		return;
	PQclear(found);
	us_page_charts(page, &feed_runs_panel, 1, &param, duration_charts, 1, us_chart_bars_reversed);
	us_page_call_with(page, "Run it now", "CALL userstream.run_feed(", feed, ")");
	us_page_end(page);
}
