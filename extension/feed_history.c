/*-------------------------------------------------------------------------
 * extension/feed_history.c
 *    userstream.feed_run: what became of each attempt
 *
 * Runs in the backend of run_feed.  The rows are written as the owner of our
 * tables, in transactions of their own, so that a run's history stays when
 * the run fails.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "extension/feed_run.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#define MAX_ARGS			16
#define MAX_WAIT_MS			(INT64CONST(24) * 60 * 60 * 1000)	/* that an API may ask for */

/* arguments of a statement, one after another */
typedef struct Arguments
{
	int			count;
	Oid			types[MAX_ARGS];
	Datum		values[MAX_ARGS];
	char		nulls[MAX_ARGS];
} Arguments;

static void
add(Arguments *arguments, Oid type, Datum value, bool isnull)
{
	Assert(arguments->count < MAX_ARGS);
	arguments->types[arguments->count] = type;
	arguments->values[arguments->count] = value;
	arguments->nulls[arguments->count++] = isnull ? 'n' : ' ';
}

static void
add_text(Arguments *arguments, const char *text)
{
	add(arguments, TEXTOID, text == NULL ? (Datum) 0 : CStringGetTextDatum(text), text == NULL);
}

static void
add_number(Arguments *arguments, int64 number)
{
	add(arguments, INT8OID, Int64GetDatum(number), false);
}

static void
add_json(Arguments *arguments, const char *text)
{
	add(arguments, JSONBOID,
		text == NULL ? (Datum) 0 : DirectFunctionCall1(jsonb_in, CStringGetDatum(text)),
		text == NULL);
}

/* runs it as the owner of our tables; the first row's first two columns */
static void
run_statement(const char *text, Arguments *arguments, int64 *first, int64 *second)
{
	UsElevation saved = us_elevate();
	bool		isnull;

	SPI_connect();
	if (SPI_execute_with_args(text, arguments->count, arguments->types, arguments->values,
							  arguments->nulls, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", text);
	if (first != NULL)
		*first = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
											 1, &isnull));
	if (second != NULL)
		*second = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
											  2, &isnull));
	SPI_finish();
	us_restore(saved);
}

void
us_feed_history_begin(UsFeedRun *run)
{
	Arguments	arguments = {0};

	add(&arguments, INT8OID, Int64GetDatum(run->run_id), run->run_id == 0);
	add_text(&arguments, run->feed->name);
	add(&arguments, OIDOID, ObjectIdGetDatum(run->feed->owner_oid), false);
	add_number(&arguments, run->attempt);
	run_statement("INSERT INTO userstream.feed_run"
				  " (run_id, feed, owner_oid, attempt, state, started_at)"
				  " VALUES (coalesce($1, nextval('userstream.feed_run_run_id_seq')), $2, $3, $4,"
				  " 'running', clock_timestamp()) RETURNING id, run_id",
				  &arguments, &run->id, &run->run_id);
}

static void
write_counters(UsFeedRun *run, const char *state, const char *error)
{
	Arguments	arguments = {0};
	char	   *first_offsets;
	char	   *last_offsets;
	int64		produced = us_feed_produced(run, &first_offsets, &last_offsets);

	add_number(&arguments, run->id);
	add_text(&arguments, state);
	add_text(&arguments, error);
	add(&arguments, INT4OID, Int32GetDatum(run->http_status), run->http_status == 0);
	add_number(&arguments, run->pages);
	add_number(&arguments, run->bytes);
	add_number(&arguments, run->records);
	add_number(&arguments, produced);
	add_number(&arguments, run->failed);
	add_number(&arguments, run->skipped);
	add_json(&arguments, first_offsets);
	add_json(&arguments, last_offsets);
	run_statement("UPDATE userstream.feed_run SET state = $2, error = $3, http_status = $4,"
				  " pages = $5, bytes = $6, records = $7, records_produced = $8,"
				  " records_failed = $9, records_skipped = $10,"
				  " first_offsets = $11, last_offsets = $12,"
				  " finished_at = CASE WHEN $2 <> 'running' THEN clock_timestamp() END"
				  " WHERE id = $1", &arguments, NULL, NULL);
}

static void
store_bad_record(const UsFeed *feed, const UsBadRecord *bad)
{
	Arguments	arguments = {0};

	add_text(&arguments, feed->owner);
	add(&arguments, OIDOID, ObjectIdGetDatum(feed->owner_oid), false);
	add_text(&arguments, feed->home);
	add_text(&arguments, feed->name);
	add_text(&arguments, feed->topic);
	add(&arguments, BYTEAOID,
		PointerGetDatum(cstring_to_text_with_len(bad->value, bad->value_len)), false);
	add_text(&arguments, bad->sqlstate);
	add_text(&arguments, bad->error);
	run_statement("INSERT INTO userstream.dead_letter"
				  " (owner, owner_oid, home, feed, topic, value, sqlstate, error)"
				  " VALUES ($1, $2, $3, $4, $5, $6, $7, $8)", &arguments, NULL, NULL);
}

void
us_feed_history_page(UsFeedRun *run)
{
	for (int i = 0; i < run->current.nbad; i++)
		store_bad_record(run->feed, &run->current.bad[i]);
	write_counters(run, "running", NULL);
}

void
us_feed_history_end(UsFeedRun *run, const char *state, const char *error)
{
	write_counters(run, state, error);
}

void
us_feed_history_skip(UsFeedRun *run, const char *reason)
{
	Arguments	arguments = {0};

	add_text(&arguments, run->feed->name);
	add(&arguments, OIDOID, ObjectIdGetDatum(run->feed->owner_oid), false);
	add_text(&arguments, reason);
	run_statement("INSERT INTO userstream.feed_run"
				  " (run_id, feed, owner_oid, attempt, state, started_at, finished_at, error)"
				  " VALUES (nextval('userstream.feed_run_run_id_seq'), $1, $2, 1,"
				  " 'skipped', clock_timestamp(), clock_timestamp(), $3)",
				  &arguments, NULL, NULL);
}

/*
 * A run holds the lock of its feed before its row can be seen and until the
 * row says how it ended, and the locks are read after the rows; a row that was
 * written meanwhile is looked at again.
 */
void
us_feed_end_lost_runs(int64 locked)
{
	Arguments	arguments = {0};

	add_number(&arguments, locked);
	run_statement("UPDATE userstream.feed_run r SET state = 'failed', finished_at = clock_timestamp(),"
				  " error = 'the session that ran it ended before the run did'"
				  " WHERE state = 'running' AND NOT EXISTS (SELECT FROM userstream.feed f"
				  " JOIN pg_locks ON " US_FEED_HOLDS_LOCK("f.id")
				  " WHERE f.name = r.feed AND f.id <> $1)", &arguments, NULL, NULL);
}

void
us_feed_remember(UsFeedRun *run, bool succeeded)
{
	Arguments	arguments = {0};
	int64		wait_ms = Min(run->retry_after_ms, MAX_WAIT_MS);

	add_number(&arguments, run->feed->id);
	add_text(&arguments, succeeded ? run->since : NULL);
	add(&arguments, TIMESTAMPTZOID,
		TimestampTzGetDatum(TimestampTzPlusMilliseconds(GetCurrentTimestamp(), wait_ms)),
		succeeded || wait_ms < 0);
	/* of what the feed was when the run began: it may have been altered meanwhile */
	add(&arguments, OIDOID, ObjectIdGetDatum(run->feed->server_oid), false);
	add(&arguments, JSONBOID, JsonbPGetDatum(run->feed->raw_options), false);
	run_statement("UPDATE userstream.feed SET since_value = coalesce($2, since_value),"
				  " next_allowed_at = $3"
				  " WHERE id = $1 AND server_oid = $4"
				  " AND options -> 'since' IS NOT DISTINCT FROM $5 -> 'since'"
				  " AND (since_value, next_allowed_at) IS DISTINCT FROM"
				  " (coalesce($2, since_value), $3)", &arguments, NULL, NULL);
}
