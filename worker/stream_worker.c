/*-------------------------------------------------------------------------
 * worker/stream_worker.c
 *    one stream's partitions (or its share of them) -> the target table
 *
 * Started by the supervisor; connects as the owner of the stream.  Takes what
 * the source has, up to a batch, commits it, reports, and waits on latch and
 * source when there is nothing.  A changed definition ends it after the batch
 * and the supervisor starts its successor.  It never waits inside a
 * transaction.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "commands/dbcommands.h"
#include "extension/catalog.h"
#include "extension/compat.h"
#include "extension/guc.h"
#include "extension/registry.h"
#include "extension/server.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/incident.h"
#include "worker/launcher.h"
#include "worker/session.h"
#include "worker/spawn.h"
#include "worker/stage.h"
#include "worker/stream_source.h"
#include "worker/stream_state.h"
#include "worker/topic_watch.h"
#include "worker/trim.h"

#define SAFETY_INTERVAL_MS	10000	/* looks at the source this often even if nothing wakes it */
#define FAILING_INTERVAL_MS 1000	/* ... and this often while the source fails */
#define FIRST_MESSAGE_BYTES	1024	/* taken to be the size before any has come */
#define RETRY_FIRST_MS		1000
#define RETRY_MAX_MS		30000

static UsWorker *MyUsWorker = NULL;

static void
close_source_at_exit(int code, Datum arg)
{
	(void) code;
	(void) arg;

	if (MyUsWorker != NULL)
		us_worker_close_source(MyUsWorker);
}

/* definition, positions and connection, in one transaction; false: nothing to run */
static bool
load(UsWorker *worker, const UsSlot *slot)
{
	MemoryContext context = CurrentMemoryContext;
	UsPosition *positions;
	int			npositions;
	char	   *problem;

	StartTransactionCommand();
	us_session_apply(pg_get_timezone_name(session_timezone));
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);

	if (us_extension_hold())
		worker->stream = us_catalog_stream(slot->definition);
	if (worker->stream == NULL || worker->stream->paused)
		return false;
	problem = us_stream_problem(worker->stream);
	if (problem != NULL)
	{
		us_slot_report_error(US_STATE_STOPPED, problem);
		return false;
	}

	worker->database = get_database_name(MyDatabaseId);
	worker->options = us_server_options(worker->stream->server_oid, GetUserId());
	positions = us_position_load(worker->stream->id, slot->worker_count, slot->worker_index,
								 &npositions);
	MemoryContextSwitchTo(context);

	worker->registry = us_registry_create(context, worker->stream, GetUserId());
	worker->sink = us_sink_create(context, worker->stream);
	worker->batch = us_batch_create(worker->stream, worker->sink, positions, npositions);
	worker->stops = palloc0(sizeof(UsEvent) * Max(npositions, 1));
	worker->message_bytes = FIRST_MESSAGE_BYTES;

	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return true;
}

/*
 * How many messages the batch still has room for.  The source knows no bytes,
 * and what it has given cannot be given back, so their size is that of the
 * last ones.
 */
static int
room(const UsWorker *worker)
{
	const UsBatch *batch = worker->batch;
	int64		left = worker->stream->options.batch_bytes - batch->bytes;

	return (int) Min((int64) batch->capacity - batch->nmessages,
					 (left + worker->message_bytes - 1) / worker->message_bytes);
}

/* take messages that have come; returns whether there were any, or events */
static bool
take_chunk(UsWorker *worker)
{
	UsBatch    *batch = worker->batch;
	UsMessage  *messages = batch->messages + batch->nmessages;
	int			count = us_source_poll(worker->source, messages, room(worker));
	int64		bytes = 0;
	bool		any = count > 0;
	UsEvent		event;

	for (int i = 0; i < count; i++)
	{
		us_batch_partition(batch, messages[i].partition)->at_end = false;
		bytes += messages[i].value_len;
	}
	batch->bytes += bytes;
	batch->nmessages += count;
	if (count > 0)
	{
		worker->message_bytes = Max(bytes / count, 1);
		worker->silent_at = 0;
		us_worker_recovered(worker);
	}

	while (us_source_next_event(worker->source, &event))
	{
		us_worker_note_event(worker, &event);
		any = true;
	}
	return any;
}

/* a batch is what is there now */
static void
fill_batch(UsWorker *worker)
{
	UsBatch    *batch = worker->batch;

	while (batch->nmessages < batch->capacity &&
		   batch->bytes < worker->stream->options.batch_bytes)
	{
		if (!take_chunk(worker))
			break;
	}
}

static void
report_stop(const UsWorker *worker, const char *detail, const char *what_to_do)
{
	us_slot_report_error(US_STATE_STOPPED, detail);
	ereport(LOG,
			(errmsg("stream \"%s\" stopped: %s", worker->stream->name, detail),
			 errhint("%s", what_to_do)));
}

/* in a transaction of its own: the stream, or one partition, waits for a person */
static void
stop(UsWorker *worker, int32 partition, const char *kind, const char *detail,
	 const char *what_to_do)
{
	if (us_session_begin(worker->stream->timezone))
		us_stream_stop(worker->stream, partition, kind, detail, what_to_do);
	us_session_commit();

	report_stop(worker, detail, what_to_do);
}

/*
 * Positions that the topic does not hold.  Only after the batch is committed,
 * so that what was read before is not lost.
 */
static void
settle_ranges(UsWorker *worker)
{
	bool		changed = false;

	for (int i = 0; i < worker->batch->npartitions; i++)
	{
		UsPosition *position = &worker->batch->partitions[i].position;
		UsTopicTrouble trouble;
		UsRangeOutcome outcome;

		if (worker->stops[i].kind == US_EVENT_NONE)
			continue;
		outcome = us_topic_settle_range(worker, position, &trouble);
		if (outcome == US_RANGE_LATER)
			continue;
		if (outcome == US_RANGE_STOP)
		{
			stop(worker, position->partition, trouble.kind, trouble.detail, trouble.what_to_do);
			position->stopped = true;
		}
		worker->stops[i].kind = US_EVENT_NONE;
		changed |= outcome != US_RANGE_HELD;
	}
	if (changed)
		us_worker_reopen_source(worker);
}

/* the whole stream: the supervisor keeps no worker of it */
pg_noreturn static void
stop_stream(UsWorker *worker, const char *kind, const char *detail, const char *what_to_do)
{
	stop(worker, -1, kind, detail, what_to_do);
	us_wake_supervisor(MyDatabaseId);
	proc_exit(1);
}

static void
look_at_topic(UsWorker *worker)
{
	UsTopicTrouble trouble;

	if (worker->look_at == 0 || worker->retry_at != 0 || worker->look_at > GetCurrentTimestamp())
		return;
	if (us_topic_watch_look(worker, &trouble))
		stop_stream(worker, trouble.kind, trouble.detail, trouble.what_to_do);
}

/* raised by us about the definition, with a hint that says what to do */
static bool
is_well_advised(const UsBatchError *error)
{
	static const char *const sqlstates[] = {
		"42809",				/* the target is of the wrong kind */
		"42P10",				/* upsert: the key has no unique index (any more) */
		"42883",				/* filter or transform is gone ... */
		"42P13"					/* ... or another one */
	};

	for (size_t i = 0; i < lengthof(sqlstates); i++)
		if (strcmp(error->sqlstate, sqlstates[i]) == 0)
			return error->hint[0] != '\0';
	return false;
}

static const char *
stop_advice(const UsBatchError *error)
{
	const char *sqlstate = error->sqlstate;

	if (strcmp(sqlstate, "42501") == 0)
		return "Grant the owner what is missing, then call userstream.resume_stream.";
	if (strcmp(sqlstate, "42P01") == 0)
		return "Name another target with userstream.alter_stream, then call userstream.resume_stream.";
	if (strcmp(sqlstate, "42703") == 0)
		return "Give the table that column, or the stream other columns with userstream.alter_stream, then call userstream.resume_stream.";
	if (is_well_advised(error))
		return psprintf("%s Then call userstream.resume_stream.", error->hint);
	return "Mend the cause, then call userstream.resume_stream.";
}

static const char *
stop_kind(const char *sqlstate)
{
	if (strcmp(sqlstate, "42501") == 0)
		return "privilege";
	if (strcmp(sqlstate, "42P01") == 0)
		return "target_missing";
	if (strcmp(sqlstate, "42809") == 0)
		return "target_kind";
	return "definition";
}

static void
schedule_retry(UsWorker *worker, const UsBatchError *error)
{
	int			delay_ms = us_worker_retry_delay(&worker->retries, RETRY_FIRST_MS, RETRY_MAX_MS);
	bool		outside = strncmp(error->sqlstate, "08", 2) == 0;

	worker->retry_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay_ms);
	us_worker_failing(worker, outside ? US_STATE_WAITING : US_STATE_BLOCKED, error->text);
}

/* a decoder does not wait, so what it needs to know is asked before */
static bool
learn_schemas(UsWorker *worker, UsBatchError *error)
{
	const UsBatch *batch = worker->batch;

	if (worker->registry == NULL)
		return true;
	pgstat_report_activity(STATE_RUNNING, "asking the schema registry");
	if (us_registry_prepare(worker->registry, batch->messages, batch->nmessages, true,
							error->text, sizeof(error->text)))
		return true;
	strlcpy(error->sqlstate, "08006", sizeof(error->sqlstate));
	error->hint[0] = '\0';
	return false;
}

static void
commit_batch(UsWorker *worker)
{
	UsBatch    *batch = worker->batch;
	UsBatchError error;
	UsBatchOutcome outcome;

	worker->retry_at = 0;
	if (!learn_schemas(worker, &error))
	{
		schedule_retry(worker, &error);
		return;
	}
	pgstat_report_activity(STATE_RUNNING, "writing");
	outcome = us_batch_run(batch, &error);
	us_stage_enter(US_STAGE_FETCH);

	switch (outcome)
	{
		case US_BATCH_COMMITTED:
		case US_BATCH_PARTITION_STOPPED:
			us_source_release(worker->source, batch->messages, batch->nmessages);
			worker->retries = 0;
			us_worker_recovered(worker);
			us_worker_report_batch(worker);
			us_trim_note_batch(worker);
			us_batch_clear(batch);
			worker->unpublished = true;
			(void) us_worker_publish(worker);
			pgstat_report_stat(false);
			if (outcome == US_BATCH_PARTITION_STOPPED)
				us_worker_reopen_source(worker);
			break;
		case US_BATCH_STREAM_STOPPED:
			report_stop(worker, error.text, US_TOO_MANY_ADVICE);
			us_wake_supervisor(MyDatabaseId);
			proc_exit(1);
			break;
		case US_BATCH_RETRY:
			schedule_retry(worker, &error);
			break;
		case US_BATCH_LOST:
			ereport(LOG,
					(errmsg("stream \"%s\" starts anew: %s", worker->stream->name, error.text)));
			proc_exit(1);
			break;
		case US_BATCH_STOP:
			stop_stream(worker, stop_kind(error.sqlstate), error.text, stop_advice(&error));
	}
}

/* how long nothing has to be done, in ms */
static long
wait_time(UsWorker *worker)
{
	long		wait_ms = SAFETY_INTERVAL_MS;
	long		publish_ms;

	if (worker->retry_at != 0)
		return TimestampDifferenceMilliseconds(GetCurrentTimestamp(), worker->retry_at);
	if (worker->source_failing)
		wait_ms = FAILING_INTERVAL_MS;
	else if ((publish_ms = us_worker_publish(worker)) >= 0)
		wait_ms = publish_ms;
	if (worker->look_at != 0)
		wait_ms = Min(wait_ms, TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
															   worker->look_at));
	if (worker->silent_at != 0)
		wait_ms = Min(wait_ms, TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
															   worker->silent_at));
	return wait_ms;
}

static void
wait_for_work(UsWorker *worker)
{
	WaitEvent	event;

	us_worker_report_idle(worker);
	if (worker->batch->nmessages == 0 && !worker->behind)
		us_trim(worker);
	pgstat_report_stat(true);
	us_stage_enter(worker->retry_at != 0 ? US_STAGE_RETRY_WAIT :
				   worker->behind ? US_STAGE_FETCH_WAIT : US_STAGE_IDLE);

	/* a full source would wake us for nothing while a batch waits to be retried */
	if (worker->retry_at != 0)
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 wait_time(worker), PG_WAIT_EXTENSION);
	else
		(void) WaitEventSetWait(worker->wait_set, wait_time(worker), &event, 1, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	us_stage_enter(US_STAGE_FETCH);
}

/* interrupts between batches, where there is nothing to cancel */
static void
serve_interrupts(UsWorker *worker)
{
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	us_process_main_loop_interrupts();
	if (worker->source != NULL && worker->log_level != us_guc_log_level)
	{
		worker->log_level = us_guc_log_level;
		us_source_set_log_level(worker->source, worker->log_level);
	}
}

static void
run(UsWorker *worker)
{
	while (!us_slot_stop_requested())
	{
		bool		written = false;

		serve_interrupts(worker);
		us_worker_follow_options(worker);
		look_at_topic(worker);

		if (worker->retry_at == 0 && worker->source != NULL)
			fill_batch(worker);

		if (us_batch_is_due(worker->batch) && worker->retry_at <= GetCurrentTimestamp())
		{
			commit_batch(worker);
			written = true;
		}
		/* also while messages keep coming: those of a partition in trouble do not */
		if (!us_batch_is_due(worker->batch))
		{
			settle_ranges(worker);
			us_worker_look_again(worker);
			if (!written)
				us_worker_receive_changes();
		}
		if (written)
			continue;
		wait_for_work(worker);
	}
}

void
us_stream_worker_main(Datum arg)
{
	UsSlot		slot;
	UsWorker   *worker;
	MemoryContext context;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGPIPE, SIG_IGN);
	BackgroundWorkerUnblockSignals();

	if (!us_spawn_attach(arg, &slot))
		return;
	before_shmem_exit(close_source_at_exit, (Datum) 0);
	BackgroundWorkerInitializeConnectionByOid(slot.database, slot.owner, 0);
	us_worker_watch_options();

	context = AllocSetContextCreate(TopMemoryContext, "stream worker", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	worker = palloc0(sizeof(UsWorker));
	worker->slot = slot;
	if (!load(worker, &slot))
		return;
	MyUsWorker = worker;
	pgstat_report_appname(psprintf("userstream: %s #%d", worker->stream->name,
								   slot.worker_index));

	us_stage_start(US_STAGE_FETCH);
	us_worker_open_source(worker);
	us_topic_watch_begin(worker);
	us_worker_report_start(worker);
	run(worker);
}
