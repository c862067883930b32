/*-------------------------------------------------------------------------
 * worker/stream_source.c
 *    a stream worker's source: opened, looked after, opened anew
 *
 * Runs in stream workers, between batches.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "extension/compat.h"
#include "extension/guc.h"
#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "worker/stream_source.h"

#define CLOSE_TIMEOUT_MS	1000
#define PROBE_INTERVAL_MS	1000	/* asks a broker that was away whether it is back */
#define REOPEN_INTERVAL_MS	10000	/* tries another source where this one cannot go on */
#define PROBE_TIMEOUT_MS	800

static bool options_changed = false;	/* of some server, since they were read */

void
us_worker_open_source(UsWorker *worker)
{
	UsBatch    *batch = worker->batch;
	UsAssignment *assignments = palloc(sizeof(UsAssignment) * Max(batch->npartitions, 1));
	UsSourceConfig config = {
		.options = &worker->options,
		.topic = worker->stream->topic,
		.queue_memory_kb = us_guc_queue_memory_kb,
		.log_level = us_guc_log_level,
		.assignments = assignments
	};
	char	   *group = psprintf("userstream.%s.%s", worker->database, worker->stream->name);
	char		errstr[512];

	worker->reopen = false;
	worker->queue_memory_kb = us_guc_queue_memory_kb;
	config.group_id = config.client_id = group;
	for (int i = 0; i < batch->npartitions; i++)
	{
		const UsPosition *position = &batch->partitions[i].position;

		if (position->stopped)
			continue;
		assignments[config.nassignments].partition = position->partition;
		assignments[config.nassignments++].offset = position->next_offset;
	}

	if (config.nassignments > 0)
	{
		worker->source = us_source_open(&config, errstr, sizeof(errstr));
		if (worker->source == NULL)
		{
			us_slot_report_error(US_STATE_WAITING, errstr);
			ereport(FATAL,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("could not open topic \"%s\": %s", worker->stream->topic, errstr)));
		}
	}

	us_worker_expect_word(worker);

	worker->wait_set = us_create_wait_event_set(3);
	AddWaitEventToSet(worker->wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(worker->wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	if (worker->source != NULL)
		AddWaitEventToSet(worker->wait_set, WL_SOCKET_READABLE,
						  us_source_wake_fd(worker->source), NULL, NULL);
	pfree(assignments);
	pfree(group);
}

void
us_worker_close_source(UsWorker *worker)
{
	if (worker->source == NULL)
		return;

	us_source_release(worker->source, worker->batch->messages, worker->batch->nmessages);
	worker->batch->nmessages = 0;
	(void) us_source_close(worker->source, CLOSE_TIMEOUT_MS);
	worker->source = NULL;
}

void
us_worker_reopen_source(UsWorker *worker)
{
	FreeWaitEventSet(worker->wait_set);
	us_worker_close_source(worker);
	us_batch_clear(worker->batch);
	us_worker_open_source(worker);
}

void
us_worker_look_again(UsWorker *worker)
{
	TimestampTz now = GetCurrentTimestamp();

	us_worker_look_at_silence(worker, PROBE_TIMEOUT_MS);
	if (!worker->source_failing || worker->source == NULL || now < worker->probe_at)
		return;

	if (!us_worker_probe(worker, PROBE_TIMEOUT_MS))
		worker->probe_at = TimestampTzPlusMilliseconds(now, PROBE_INTERVAL_MS);
	else if (!worker->reopen)
		us_worker_recovered(worker);
	else
	{
		us_worker_reopen_source(worker);
		worker->probe_at = TimestampTzPlusMilliseconds(now, REOPEN_INTERVAL_MS);
	}
}

void
us_worker_receive_changes(void)
{
	StartTransactionCommand();
	CommitTransactionCommand();
}

static void
note_options_change(Datum arg, int cacheid, uint32 hashvalue)
{
	(void) arg;
	(void) cacheid;
	(void) hashvalue;

	options_changed = true;
}

void
us_worker_watch_options(void)
{
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, note_options_change, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, note_options_change, (Datum) 0);
}

/* the options of the server, if they are others now */
static bool
take_options(UsWorker *worker)
{
	UsOptionList options;
	MemoryContext context = CurrentMemoryContext;

	if (!options_changed)
		return false;
	options_changed = false;

	StartTransactionCommand();
	MemoryContextSwitchTo(context);
	options = us_server_options(worker->stream->server_oid, GetUserId());
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	if (us_server_same_options(&options, &worker->options))
		return false;
	worker->options = options;
	return true;
}

void
us_worker_follow_options(UsWorker *worker)
{
	const char *changed = NULL;

	if (worker->batch->nmessages > 0)
		return;
	if (worker->queue_memory_kb != us_guc_queue_memory_kb)
		changed = "userstream.queue_memory";
	if (take_options(worker))
		changed = "the options of its server";
	if (changed == NULL)
		return;

	ereport(LOG,
			(errmsg("stream \"%s\" connects anew: %s changed", worker->stream->name, changed)));
	us_worker_reopen_source(worker);
}
