/*-------------------------------------------------------------------------
 * dashboard/metrics.c
 *    what monitoring reads: OpenMetrics 1.0, or Prometheus text 0.0.4
 *
 * Counters come from tables that nothing shrinks, so they outlive restarts and
 * retention; OpenMetrics is told since when each counts.  What is not known has
 * no sample: a lag of 0 or -1 would be a lie.  No data of messages and no
 * error text stands in a label.  The answer is always 200: a database that is
 * away is userstream_up 0.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "dashboard/db.h"
#include "dashboard/escape.h"
#include "dashboard/route.h"

/* more would be a definition gone wild; then userstream_scrape_truncated is 1 */
#define MAX_SERIES 10000

typedef struct Family
{
	const char *name;			/* without userstream_ and without _total; NULL ends the list */
	const char *type;
	const char *unit;			/* NULL: countable things have none */
	const char *help;
	const char *column;			/* of the value, or of the state */
} Family;

typedef struct Collector
{
	const char *name;
	const char *sql;			/* with counters also a column "created": since when they count */
	const char *labels[4];		/* columns that are labels, of the same name */
	Family		families[9];
} Collector;

static const Collector collectors[] = {
	{"build",
		"SELECT (SELECT extversion FROM pg_extension WHERE extname = 'userstream') AS version,"
		" current_setting('server_version') AS postgres_version, 1 AS one",
		{"version", "postgres_version"},
		{{"build", "info", NULL, "Versions of userstream and of PostgreSQL.", "one"}}},
	{"streams",
		"SELECT stream, state, cardinality(pids) AS workers, lag_seconds,"
		" coalesce(greatest(extract(epoch FROM clock_timestamp() - failing_since), 0), 0) AS failing_seconds"
		" FROM userstream.stream_status ORDER BY stream LIMIT 10001",
		{"stream"},
		{{"stream_state", "stateset", NULL, "State of a stream.", "state"},
			{"stream_workers", "gauge", NULL, "Workers of a stream that run.", "workers"},
			{"stream_failing_seconds", "gauge", "seconds",
			"Time since which a stream fails or is stopped, 0 when it does not.", "failing_seconds"},
			{"stream_lag_seconds", "gauge", "seconds", "Age of the oldest message that was not read.", "lag_seconds"}}},
	{"partitions",
		"SELECT stream, d.topic, partition, next_offset, low_offset, high_offset, p.lag_messages,"
		" p.messages_read, p.rows_written, skipped, p.dead_letters, extract(epoch FROM d.created_at) AS created"
		" FROM userstream.partition_status p LEFT JOIN userstream.stream_definition d USING (stream)"
		" ORDER BY stream, partition LIMIT 10001",
		{"stream", "topic", "partition"},
		{{"partition_next_offset", "gauge", NULL, "Kafka offset that a stream reads next.", "next_offset"},
			{"partition_high_offset", "gauge", NULL, "Kafka offset that the next message gets.", "high_offset"},
			{"partition_low_offset", "gauge", NULL, "First Kafka offset that is kept.", "low_offset"},
			{"partition_lag_messages", "gauge", NULL, "Messages that were not read.", "lag_messages"},
			{"messages_read", "counter", NULL, "Messages that Kafka gave in committed batches.", "messages_read"},
			{"rows_written", "counter", NULL, "Rows written to the target.", "rows_written"},
			{"messages_skipped", "counter", NULL, "Messages left out on purpose.", "skipped"},
			{"dead_letters", "counter", NULL, "Messages stored as dead letters.", "dead_letters"}}},
	{"ledger",
		"SELECT stream, bool_and(balanced)::integer AS balanced,"
		" sum(dead_letters - retried)::bigint AS waiting FROM userstream.ledger"
		" GROUP BY stream ORDER BY stream LIMIT 10001",
		{"stream"},
		{{"ledger_balanced", "gauge", NULL,
			"Whether each message read was applied, dead-lettered or skipped.", "balanced"},
			{"dead_letters_waiting", "gauge", NULL, "Dead letters that no retry applied.", "waiting"}}},
	{"incidents",
		"SELECT kind, count(*) AS n FROM userstream.incident WHERE closed_at IS NULL"
		" GROUP BY kind ORDER BY kind LIMIT 1001",
		{"kind"},
		{{"incidents_open", "gauge", NULL, "Incidents that wait for a person.", "n"}}},
	{"feeds",
		"SELECT f.feed, extract(epoch FROM f.last_success_at) AS last_success,"
		" (SELECT extract(epoch FROM finished_at - started_at) FROM userstream.feed_run r"
		" WHERE r.feed = f.feed AND finished_at IS NOT NULL AND state <> 'skipped'"
		" ORDER BY started_at DESC, id DESC LIMIT 1) AS duration,"
		" runs_24h, failures_24h"
		" FROM userstream.feed_status f ORDER BY f.feed LIMIT 10001",
		{"feed"},
		{{"feed_last_success_timestamp_seconds", "gauge", "seconds", "When the last successful run ended.",
			"last_success"},
			{"feed_last_duration_seconds", "gauge", "seconds", "How long the last attempt took.", "duration"},
			{"feed_runs_24h", "gauge", NULL, "Runs of the last 24 hours.", "runs_24h"},
			{"feed_failures_24h", "gauge", NULL, "Runs of the last 24 hours that failed.", "failures_24h"}}},
	{"mirrors",
		"SELECT mirror, lag_bytes, lag_seconds, rows_mirrored, parked, extract(epoch FROM created_at) AS created"
		" FROM userstream.mirror_status ORDER BY mirror LIMIT 10001",
		{"mirror"},
		{{"mirror_lag_bytes", "gauge", "bytes", "WAL that is not in Cassandra.", "lag_bytes"},
			{"mirror_lag_seconds", "gauge", "seconds", "Age of the oldest change that is not in Cassandra.",
			"lag_seconds"},
			{"mirror_rows_mirrored", "counter", NULL, "Rows written to Cassandra.", "rows_mirrored"},
			{"mirror_parked", "counter", NULL, "Rows that Cassandra will never take.", "parked"}}},
};

#define NCOLLECTORS (sizeof(collectors) / sizeof(collectors[0]))

static const char *const states[] = {
	"starting", "running", "caught_up", "waiting", "blocked", "paused", "stopped"
};

typedef struct Writer
{
	UsBuf	   *body;
	bool		openmetrics;
	int			series;
} Writer;

/* the old form has two types only, and a counter's name with _total */
static void
write_family(Writer *w, const char *name, const char *type, const char *unit, const char *help)
{
	const char *suffix = "";

	if (!w->openmetrics)
	{
		suffix = strcmp(type, "counter") == 0 ? "_total" : strcmp(type, "info") == 0 ? "_info" : "";
		if (strcmp(type, "counter") != 0)
			type = "gauge";
	}
	us_buf_printf(w->body, "# HELP userstream_%s%s %s\n# TYPE userstream_%s%s %s\n",
				  name, suffix, help, name, suffix, type);
	if (w->openmetrics && unit)
		us_buf_printf(w->body, "# UNIT userstream_%s %s\n", name, unit);
}

static void
write_labels(UsBuf *body, const Collector *collector, const PGresult *rows, int row,
			 const char **separator)
{
	*separator = "{";
	for (int i = 0; i < 4 && collector->labels[i]; i++)
	{
		const char *value = us_row_text(rows, row, collector->labels[i]);

		us_buf_printf(body, "%s%s=\"", *separator, collector->labels[i]);
		us_metric_label(body, value ? value : "");
		us_buf_puts(body, "\"");
		*separator = ",";
	}
}

static void
write_states(Writer *w, const Collector *collector, const Family *family,
			 const PGresult *rows, int row)
{
	const char *state = us_row_text(rows, row, family->column);
	const char *separator;

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
	{
		us_buf_printf(w->body, "userstream_%s", family->name);
		write_labels(w->body, collector, rows, row, &separator);
		us_buf_printf(w->body, "%suserstream_%s=\"%s\"} %d\n", separator, family->name, states[i],
					  state && strcmp(state, states[i]) == 0);
		w->series++;
	}
}

static void
write_samples(Writer *w, const Collector *collector, const Family *family, const PGresult *rows)
{
	bool		counts = strcmp(family->type, "counter") == 0;
	const char *separator;

	for (int row = 0; row < PQntuples(rows) && w->series < MAX_SERIES; row++)
	{
		const char *value = us_row_text(rows, row, family->column);
		const char *created = us_row_text(rows, row, "created");

		if (value == NULL)
			continue;
		if (strcmp(family->type, "stateset") == 0)
		{
			write_states(w, collector, family, rows, row);
			continue;
		}
		us_buf_printf(w->body, "userstream_%s%s", family->name,
					  counts ? "_total" : strcmp(family->type, "info") == 0 ? "_info" : "");
		write_labels(w->body, collector, rows, row, &separator);
		us_buf_printf(w->body, "} %s\n", value);
		w->series++;
		if (!w->openmetrics || !counts || created == NULL)
			continue;
		us_buf_printf(w->body, "userstream_%s_created", family->name);
		write_labels(w->body, collector, rows, row, &separator);
		us_buf_printf(w->body, "} %s\n", created);
	}
}

static bool
collect(Writer *w, const Collector *collector)
{
	PGresult   *rows = us_db_query(collector->sql, 0, NULL);

	for (const Family *family = collector->families; rows && family->name; family++)
	{
		write_family(w, family->name, family->type, family->unit, family->help);
		write_samples(w, collector, family, rows);
	}
	PQclear(rows);
	return rows != NULL;
}

/* one gauge of each collector about this look itself */
static void
write_collectors(Writer *w, const bool *success, const long long *ms)
{
	write_family(w, "scrape_collector_success", "gauge", NULL, "Whether a part could be read.");
	for (size_t i = 0; i < NCOLLECTORS; i++)
		us_buf_printf(w->body, "userstream_scrape_collector_success{collector=\"%s\"} %d\n",
					  collectors[i].name, success[i]);
	write_family(w, "scrape_collector_duration_seconds", "gauge", "seconds", "How long it took.");
	for (size_t i = 0; i < NCOLLECTORS; i++)
		us_buf_printf(w->body, "userstream_scrape_collector_duration_seconds{collector=\"%s\"} %lld.%03lld\n",
					  collectors[i].name, ms[i] / 1000, ms[i] % 1000);
	write_family(w, "scrape_truncated", "gauge", NULL, "Whether there were more series than are shown.");
	us_buf_printf(w->body, "userstream_scrape_truncated %d\n", w->series >= MAX_SERIES);
}

void
us_metrics_write(UsBuf *body, bool openmetrics)
{
	Writer		w = {body, openmetrics, 0};
	bool		success[NCOLLECTORS] = {false};
	long long	ms[NCOLLECTORS] = {0};
	bool		up = us_db_begin();

	write_family(&w, "up", "gauge", NULL, "Whether the database could be reached.");
	us_buf_printf(body, "userstream_up %d\n", up);
	for (size_t i = 0; i < NCOLLECTORS && up; i++)
	{
		long long	begin = us_clock_ms();

		success[i] = collect(&w, &collectors[i]);
		ms[i] = us_clock_ms() - begin;
	}
	us_db_end();
	write_collectors(&w, success, ms);
	if (openmetrics)
		us_buf_puts(body, "# EOF\n");
}
