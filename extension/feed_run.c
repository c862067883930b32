/*-------------------------------------------------------------------------
 * extension/feed_run.c
 *    run_feed: a definition -> a run, with its attempts
 *
 * Runs in the backend that calls the procedure: a person's, or one of
 * pg_cron's in either of its modes.  What waits (for the API, for Kafka, for
 * the time of the next attempt) does so between two commits, with no
 * snapshot, no xid and no lock but the feed's own, which is of the session
 * and is given back at every way out.
 *
 * Whatever works on the database does so in a subtransaction, so that an
 * error takes its SPI connections with it and this file can write down what
 * happened.  A cancelled run is written down too; one whose session is
 * terminated is closed by the supervisor, or by the next run.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/pg_prng.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "extension/feed_run.h"
#include "extension/guc.h"
#include "extension/subtransaction.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(us_run_feed);

#define FIRST_PAUSE_MS		1000	/* before the second attempt; doubles ... */
#define MAX_PAUSE_MS		60000	/* ... up to this */

/* ---- one attempt ---- */

/* NULL when it went well, else the error, in the run's context; no transaction is left half done */
static ErrorData *
try_attempt(UsFeedRun *run)
{
	ErrorData  *volatile error = NULL;

	run->http_status = 0;
	run->pages = run->bytes = run->records = run->failed = run->skipped = 0;
	run->producing = run->may_retry = false;
	run->retry_after_ms = -1;
	PG_TRY();
	{
		us_feed_attempt(run);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->context);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(run->context);
	if (error != NULL)
		SPI_rollback();
	return error;
}

static bool
is_transient(const ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	return category == ERRCODE_TO_CATEGORY(ERRCODE_CONNECTION_EXCEPTION) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_TRANSACTION_ROLLBACK) ||
		category == ERRCODE_TO_CATEGORY(ERRCODE_INSUFFICIENT_RESOURCES) ||
		error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE;
}

/* ---- a run ---- */

typedef struct Ending
{
	UsFeedRun  *run;
	const char *state;
	const char *error;			/* NULL when it succeeded */
} Ending;

static void
write_begin(void *argument)
{
	us_feed_history_begin(argument);
}

static void
write_end(void *argument)
{
	Ending	   *ending = argument;
	bool		succeeded = ending->error == NULL;

	us_feed_history_end(ending->run, ending->state, ending->error);
	if (succeeded || ending->run->retry_after_ms >= 0)
		us_feed_remember(ending->run, succeeded);
}

static void
end_attempt(UsFeedRun *run, const ErrorData *error)
{
	Ending		ending = {run, "succeeded", NULL};

	if (error != NULL)
	{
		ending.state = error->sqlerrcode == ERRCODE_QUERY_CANCELED ? "cancelled" : "failed";
		ending.error = error->detail == NULL ? error->message :
			psprintf("%s\nDETAIL: %s", error->message, error->detail);
	}
	us_do(write_end, &ending);
	SPI_commit();
}

/* pause before the next attempt in ms; -1 = there is none */
static int64
next_pause(const UsFeedRun *run, const ErrorData *error)
{
	int64		pause_ms = FIRST_PAUSE_MS;
	int64		left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), run->deadline);

	if (run->attempt > run->feed->retries || error->sqlerrcode == ERRCODE_QUERY_CANCELED ||
		!(run->may_retry || is_transient(error)))
		return -1;
	for (int i = 1; i < run->attempt && pause_ms < MAX_PAUSE_MS; i++)
		pause_ms *= 2;
	pause_ms = Min(pause_ms, MAX_PAUSE_MS);
	/* half of it is chance: those who failed together shall not come back together */
	pause_ms = pause_ms / 2 + (int64) (pg_prng_double(&pg_global_prng_state) * pause_ms / 2);
	pause_ms = Max(pause_ms, run->retry_after_ms);
	return pause_ms < left_ms ? pause_ms : -1;
}

static void
sleep_for(int64 pause_ms)
{
	TimestampTz end = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), pause_ms);
	long		left_ms;

	while ((left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), end)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, left_ms,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
	CHECK_FOR_INTERRUPTS();
}

static void
end_lost(void *argument)
{
	UsFeedRun  *run = argument;

	us_feed_end_lost_runs(run->feed->id);
}

/* NULL when it went well, else the last attempt's error */
static ErrorData *
run_attempts(UsFeedRun *run)
{
	ErrorData  *error;
	int64		pause_ms;

	us_do(end_lost, run);
	for (;;)
	{
		run->attempt++;
		us_do(write_begin, run);
		SPI_commit();
		error = try_attempt(run);
		end_attempt(run, error);
		if (error == NULL)
			return NULL;
		/* what is still under way would be counted in the next attempt */
		us_feed_producer_discard();
		pause_ms = next_pause(run, error);
		if (pause_ms < 0)
			return error;
		sleep_for(pause_ms);
	}
}

/* cancelled: as it was; failed: with the name of the feed in front */
static void
raise_result(const UsFeed *feed, ErrorData *error)
{
	if (error->sqlerrcode == ERRCODE_QUERY_CANCELED)
		ReThrowError(error);
	ereport(ERROR,
			(errcode(error->sqlerrcode),
			 errmsg("run of feed \"%s\" failed: %s", feed->name, error->message),
			 error->detail == NULL ? 0 : errdetail("%s", error->detail),
			 error->hint == NULL ? 0 : errhint("%s", error->hint)));
}

typedef struct Skip
{
	UsFeedRun  *run;
	const char *reason;
} Skip;

static void
write_skip(void *argument)
{
	Skip	   *skip = argument;

	us_feed_history_skip(skip->run, skip->reason);
}

static void
skip_run(UsFeedRun *run, const char *reason)
{
	Skip		skip = {run, reason};

	us_do(write_skip, &skip);
	SPI_commit();
	ereport(NOTICE, (errmsg("run of feed \"%s\" skipped: %s", run->feed->name, reason)));
}

static void
check_call(FunctionCallInfo fcinfo)
{
	CallContext *context = (CallContext *) fcinfo->context;

	if (context == NULL || !IsA(context, CallContext) || context->atomic)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TRANSACTION_TERMINATION),
				 errmsg("run_feed() cannot run inside a transaction"),
				 errdetail("It commits, so that it waits for the API and for Kafka without holding a transaction open."),
				 errhint("Call it as a statement of its own: CALL userstream.run_feed('...') outside BEGIN, functions, and other statements of the same string.")));
	PreventCommandIfReadOnly("run_feed()");
}

typedef struct Definition
{
	const char *name;
	UsFeed	   *feed;
} Definition;

static void
load_definition(void *argument)
{
	Definition *definition = argument;

	definition->feed = us_feed_find(definition->name, false);
	us_feed_check_home(definition->feed);
}

static UsFeed *
find_feed(const char *name)
{
	Definition	definition = {name, NULL};

	us_do(load_definition, &definition);
	return definition.feed;
}

static void
leave(UsFeedRun *run, const UsFeed *locked)
{
	us_http_close(run->http);
	run->http = NULL;
	us_feed_unlock(locked);
}

/* the lock is held; given back whatever happens */
static ErrorData *
run_locked(UsFeedRun *run)
{
	ErrorData  *volatile error = NULL;
	const UsFeed *volatile locked = run->feed;

	PG_TRY();
	{
		/* as the run before has left it */
		run->feed = find_feed(run->feed->name);
		if (!us_guc_enabled)
			skip_run(run, "userstream.enabled is off");
		else if (run->feed->next_allowed_at > GetCurrentTimestamp())
			skip_run(run, psprintf("the API asked not to be called before %s",
								   timestamptz_to_str(run->feed->next_allowed_at)));
		else
			error = run_attempts(run);
	}
	PG_CATCH();
	{
		leave(run, (const UsFeed *) locked);
		PG_RE_THROW();
	}
	PG_END_TRY();
	leave(run, (const UsFeed *) locked);
	return error;
}

Datum
us_run_feed(PG_FUNCTION_ARGS)
{
	UsFeedRun	run = {0};
	char	   *name;
	ErrorData  *error;

	check_call(fcinfo);
	name = us_feed_name_arg(fcinfo);
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	run.context = CurrentMemoryContext;
	run.feed = find_feed(pstrdup(name));
	run.page = 1;
	run.deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
											   run.feed->options.run_timeout_ms);

	if (!us_feed_lock(run.feed))
	{
		skip_run(&run, "another run of it is under way");
		SPI_finish();
		PG_RETURN_VOID();
	}
	error = run_locked(&run);
	if (error != NULL)
		raise_result(run.feed, error);
	SPI_finish();
	PG_RETURN_VOID();
}
