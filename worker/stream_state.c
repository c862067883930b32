/*-------------------------------------------------------------------------
 * worker/stream_state.c
 *    what a stream worker knows of its stream, and tells the views
 *
 * Runs in stream workers, outside transactions.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "common/pg_prng.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/backend_status.h"
#include "utils/timestamp.h"
#include "worker/limit.h"
#include "worker/stage.h"
#include "worker/stream_state.h"
#include "worker/topic_watch.h"

#define RATE_WINDOW_S		5.0		/* time constant of rows_per_second */
#define MAX_RETRY_DOUBLINGS 16
#define PROBE_FIRST_MS		1000	/* after an error the broker is asked this much later */
#define REOPEN_MAX_MS		30000	/* ... and at most so much, where one partition fails again */
#define PROBE_LOGIN_MS		10000	/* a refused login: too many tries may lock the account */
#define SILENCE_MS			5000	/* of a source: then the broker is asked */
#define PUBLISH_INTERVAL_MS	5000	/* Kafka's tools are told this often at most */

void
us_worker_failing(UsWorker *worker, UsState state, const char *error)
{
	/* librdkafka has many words for one outage: the view shows the last, the log the first */
	if (!worker->failing || worker->failing_state != state)
		ereport(LOG,
				(errmsg("stream \"%s\" is %s: %s", worker->stream->name,
						us_state_name(state), error)));
	worker->failing = true;
	worker->failing_state = state;
	us_slot_report_error(state, error);
}

void
us_worker_recovered(UsWorker *worker)
{
	if (!worker->failing || worker->reopen)
		return;
	worker->failing = false;
	worker->source_failing = false;
	us_slot_report_recovered();
	ereport(LOG,
			(errmsg("stream \"%s\" goes on", worker->stream->name)));
}

/* the source failed; the broker is asked after a while whether it is over */
static void
note_source_error(UsWorker *worker, int delay_ms, const char *text)
{
	if (!worker->source_failing)
		worker->probe_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), delay_ms);
	worker->source_failing = true;
	us_worker_failing(worker, US_STATE_WAITING, text);
}

/* others of the worker are read anew too, so a partition that does not get on waits longer */
static int
reopen_delay(UsPartition *partition)
{
	if (partition == NULL)
		return PROBE_FIRST_MS;
	if (partition->position.next_offset > partition->failed_at)
		partition->failures = 0;
	partition->failed_at = partition->position.next_offset;
	return us_worker_retry_delay(&partition->failures, PROBE_FIRST_MS, REOPEN_MAX_MS);
}

void
us_worker_reopen_later(UsWorker *worker, UsPartition *partition, const char *text)
{
	worker->reopen = true;
	note_source_error(worker, reopen_delay(partition), text);
}

void
us_worker_note_event(UsWorker *worker, const UsEvent *event)
{
	UsPartition *partition = event->partition >= 0 ?
		us_batch_partition(worker->batch, event->partition) : NULL;

	if (event->kind != US_EVENT_NONE && event->kind != US_EVENT_LOG)
		worker->silent_at = 0;
	switch (event->kind)
	{
		case US_EVENT_NONE:
			break;
		case US_EVENT_EOF:
			if (partition != NULL)
			{
				partition->eof_offset = Max(partition->eof_offset, event->offset);
				partition->at_end = true;
			}
			us_worker_recovered(worker);
			break;
		case US_EVENT_OUT_OF_RANGE:
			if (partition != NULL)
				worker->stops[partition - worker->batch->partitions] = *event;
			break;
		case US_EVENT_PARTITION_ERROR:
			us_topic_watch_hurry(worker);
			us_worker_reopen_later(worker, partition, event->text);
			break;
		case US_EVENT_TRANSIENT:
			note_source_error(worker, PROBE_FIRST_MS, event->text);
			break;
		case US_EVENT_AUTHENTICATION:
			note_source_error(worker, PROBE_LOGIN_MS, event->text);
			break;
		case US_EVENT_LOG:
			ereport(LOG,
					(errmsg("stream \"%s\": Kafka library: %s", worker->stream->name, event->text)));
			break;
		case US_EVENT_FATAL:
			us_slot_report_error(US_STATE_WAITING, event->text);
			ereport(FATAL,
					(errcode(ERRCODE_CONNECTION_FAILURE),
					 errmsg("reading topic \"%s\" failed: %s",
							worker->stream->topic, event->text)));
			break;
	}
}

/* the first partition that is read; NULL: there is none */
static const UsPosition *
first_position(const UsWorker *worker)
{
	for (int i = 0; i < worker->batch->npartitions; i++)
		if (!worker->batch->partitions[i].position.stopped)
			return &worker->batch->partitions[i].position;
	return NULL;
}

static bool
ask_broker(UsWorker *worker, int timeout_ms, char *errstr, size_t errstr_size)
{
	const UsPosition *position = first_position(worker);
	int64		low;
	int64		high;

	errstr[0] = '\0';
	return position != NULL &&
		us_source_probe(worker->source, position->partition, timeout_ms, &low, &high,
						errstr, errstr_size);
}

bool
us_worker_probe(UsWorker *worker, int timeout_ms)
{
	char		errstr[256];

	if (ask_broker(worker, timeout_ms, errstr, sizeof(errstr)))
		return true;

	/* of a topic the broker's own answer says more than the library's error */
	if (worker->reopen && errstr[0] != '\0')
		us_worker_failing(worker, US_STATE_WAITING, errstr);
	return false;
}

void
us_worker_expect_word(UsWorker *worker)
{
	const UsPosition *position = first_position(worker);
	int64		low;
	int64		high;

	worker->silent_at = 0;
	if (worker->source == NULL || position == NULL ||
		us_source_watermarks(worker->source, position->partition, &low, &high))
		return;
	worker->silent_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), SILENCE_MS);
}

/*
 * The library says nothing of answers that it cannot use, those of a port where
 * something else listens, say: it asks again, and we would wait for ever.
 */
void
us_worker_look_at_silence(UsWorker *worker, int timeout_ms)
{
	char		errstr[256];

	if (worker->silent_at == 0 || GetCurrentTimestamp() < worker->silent_at)
		return;
	if (!worker->source_failing && !ask_broker(worker, timeout_ms, errstr, sizeof(errstr)) &&
		errstr[0] != '\0')
		us_worker_reopen_later(worker, NULL, errstr);
	us_worker_expect_word(worker);
}

long
us_worker_publish(UsWorker *worker)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz due = TimestampTzPlusMilliseconds(worker->published_at, PUBLISH_INTERVAL_MS);
	UsBatch    *batch = worker->batch;
	UsAssignment *positions;

	if (worker->source == NULL)
		return -1;
	if (us_source_publish_lost(worker->source))
		worker->unpublished = true;
	if (!worker->unpublished)
		return -1;
	if (now < due)
		return TimestampDifferenceMilliseconds(now, due) + 1;

	positions = palloc(sizeof(UsAssignment) * batch->npartitions);
	for (int i = 0; i < batch->npartitions; i++)
	{
		positions[i].partition = batch->partitions[i].position.partition;
		positions[i].offset = batch->partitions[i].position.next_offset;
	}
	worker->unpublished = !us_source_publish(worker->source, positions, batch->npartitions);
	pfree(positions);

	worker->published_at = now;
	return worker->unpublished ? PUBLISH_INTERVAL_MS : -1;
}

/*
 * Lag by offsets is what the broker last told with a fetch; transaction
 * markers take offsets too, so the end-of-partition event has the last word.
 */
static UsState
partition_state(UsWorker *worker, const UsPartition *partition, UsPartitionLive *live)
{
	int64		low;
	int64		high;

	live->low_offset = -1;
	live->high_offset = -1;
	live->oldest_unread_at = 0;
	if (partition->position.stopped)
		return US_STATE_STOPPED;
	if (us_source_watermarks(worker->source, partition->position.partition, &low, &high))
	{
		live->low_offset = low;
		live->high_offset = Max(high, partition->position.next_offset);
	}
	if (partition->at_end && partition->eof_offset <= partition->position.next_offset)
	{
		live->high_offset = partition->position.next_offset;
		return US_STATE_CAUGHT_UP;
	}
	if (live->high_offset >= 0 && live->high_offset <= partition->position.next_offset)
		return US_STATE_CAUGHT_UP;
	live->oldest_unread_at = partition->position.last_message_at;
	return live->high_offset < 0 ? US_STATE_STARTING : US_STATE_RUNNING;
}

/* all partitions, and the worst of them as the worker's state */
static void
report(UsWorker *worker, bool all)
{
	UsBatch    *batch = worker->batch;
	TimestampTz now = GetCurrentTimestamp();
	UsState		worst = US_STATE_CAUGHT_UP;

	worker->behind = false;
	for (int i = 0; i < batch->npartitions; i++)
	{
		const UsPartition *partition = &batch->partitions[i];
		UsPartitionLive live;

		memset(&live, 0, sizeof(live));
		live.key.database = MyDatabaseId;
		live.key.partition = partition->position.partition;
		live.key.stream = worker->stream->id;
		live.pid = MyProcPid;
		live.next_offset = partition->position.next_offset;
		live.sampled_at = now;
		live.state = partition_state(worker, partition, &live);
		worst = Max(worst, live.state);
		worker->behind |= live.state == US_STATE_RUNNING || live.state == US_STATE_STARTING;
		if (worker->failing && live.state != US_STATE_STOPPED)
			live.state = worker->failing_state;
		if (all || partition->progress.messages_read > 0)
			us_partition_report(&live);
	}

	/* before the state: who sees that all was read also sees what that took */
	us_stage_report();
	us_limit_report(worker);
	us_slot_report(worker->failing ? Max(worst, worker->failing_state) : worst,
				   worker->rows_per_second);
}

/* exponentially smoothed, so that it needs no history */
static void
sample_rate(UsWorker *worker, uint64 rows)
{
	TimestampTz now = GetCurrentTimestamp();
	double		seconds;
	double		weight;

	if (worker->rate_at == 0)
		worker->rate_at = worker->slot.started_at;
	seconds = Max((now - worker->rate_at) / 1e6, 1e-3);
	weight = 1 - exp(-seconds / RATE_WINDOW_S);
	worker->rows_per_second += weight * (rows / seconds - worker->rows_per_second);
	worker->rate_at = now;
}

void
us_worker_report_start(UsWorker *worker)
{
	report(worker, true);
}

void
us_worker_report_batch(UsWorker *worker)
{
	sample_rate(worker, worker->batch->rows_written);
	report(worker, false);
	us_commit_announce();
	us_wake_mirrors(MyDatabaseId);
}

void
us_worker_report_idle(UsWorker *worker)
{
	sample_rate(worker, 0);
	if (worker->rows_per_second < 0.01)
		worker->rows_per_second = 0;
	report(worker, true);
	pgstat_report_activity(STATE_IDLE, "idle");
}

int
us_worker_retry_delay(int *retries, int first_ms, int max_ms)
{
	double		delay_ms = first_ms * pow(2, Min(*retries, MAX_RETRY_DOUBLINGS));

	(*retries)++;
	delay_ms = Min(delay_ms, max_ms);
	return (int) (delay_ms * (0.75 + 0.5 * pg_prng_double(&pg_global_prng_state)));
}
