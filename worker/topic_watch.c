/*-------------------------------------------------------------------------
 * worker/topic_watch.c
 *    what happens to a topic while its stream runs
 *
 * Runs in stream workers, between batches.  Partitions that are added,
 * deleted messages that were not read, a topic deleted or made anew: what
 * the definition answers is done, everything else stops for a person.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/kafka_topic.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/incident.h"
#include "worker/session.h"
#include "worker/topic_watch.h"

#define LOOK_TIMEOUT_MS		1000
#define CONFIRM_MS			4000	/* a broker that just started may not know its topics yet */
#define RANGE_TIMEOUT_MS	1000

#define DEFINE_ANEW \
	"userstream.drop_stream() and userstream.create_stream() define the stream anew."

void
us_topic_watch_begin(UsWorker *worker)
{
	if (worker->slot.worker_index == 0)
		worker->look_at =
			TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
										(int64) worker->stream->options.metadata_refresh_s * 1000);
}

void
us_topic_watch_hurry(UsWorker *worker)
{
	TimestampTz soon = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CONFIRM_MS);

	if (worker->look_at > soon)
		worker->look_at = soon;
}

static bool
should_leave(void)
{
	return InterruptPending || us_slot_stop_requested();
}

/* positions for partitions from number known on */
static void
add_partitions(UsWorker *worker, const UsTopicPartition *partitions, int count)
{
	int			known = worker->stream->partitions;

	if (us_session_begin(worker->stream->timezone) &&
		us_position_add(worker->stream->id, worker->stream->config_version,
						partitions + known, count - known))
		ereport(LOG,
				(errmsg("stream \"%s\" takes %d new partitions of topic \"%s\"",
						worker->stream->name, count - known, worker->stream->topic)));
	us_session_commit();
	us_wake_supervisor(MyDatabaseId);
}

/* true when the looks of some time have all seen it, not only this one */
static bool
is_confirmed(UsWorker *worker)
{
	TimestampTz now = GetCurrentTimestamp();

	if (worker->suspicious_since == 0)
		worker->suspicious_since = now;
	else if (TimestampDifferenceExceeds(worker->suspicious_since, now, CONFIRM_MS))
		return true;
	us_topic_watch_hurry(worker);
	return false;
}

bool
us_topic_watch_look(UsWorker *worker, UsTopicTrouble *trouble)
{
	const UsStream *stream = worker->stream;
	UsTopicPartition *partitions = NULL;
	UsTopicResult result;
	int			count = 0;
	char		errstr[512];

	us_topic_watch_begin(worker);
	result = us_kafka_topic_describe(&worker->options, stream->topic, -1, LOOK_TIMEOUT_MS,
									 should_leave, &partitions, &count, errstr, sizeof(errstr));

	if (result == US_TOPIC_UNKNOWN)
	{
		if (!is_confirmed(worker))
			return false;
		trouble->kind = "topic_missing";
		trouble->detail = psprintf("topic \"%s\" does not exist any more", stream->topic);
		trouble->what_to_do = psprintf("A topic that is created again begins anew: call userstream.seek_stream(%s, 'earliest'), "
									   "then userstream.resume_stream. One that only could not be seen needs resume_stream alone.",
									   quote_literal_cstr(stream->name));
		return true;
	}
	if (result == US_TOPIC_OK && count < stream->partitions)
	{
		free(partitions);
		if (!is_confirmed(worker))
			return false;
		trouble->kind = "topic_recreated";
		trouble->detail = psprintf("topic \"%s\" has %d partitions, but %d were read: the topic was recreated",
								   stream->topic, count, stream->partitions);
		trouble->what_to_do = DEFINE_ANEW;
		return true;
	}

	worker->suspicious_since = 0;
	if (result == US_TOPIC_OK && count > stream->partitions)
	{
		/* malloc'd: nothing may raise before it is freed */
		UsTopicPartition *found = palloc_extended(sizeof(UsTopicPartition) * count,
												  MCXT_ALLOC_NO_OOM);

		if (found != NULL)
			memcpy(found, partitions, sizeof(UsTopicPartition) * count);
		free(partitions);
		if (found != NULL)
		{
			add_partitions(worker, found, count);
			pfree(found);
		}
	}
	else
		free(partitions);
	return false;
}

/* how a position lies outside of what its partition holds */
static char *
range_text(const UsPosition *position, int64 low, int64 high)
{
	if (position->next_offset > high)
		return psprintf("offset " INT64_FORMAT " of partition %d is past its end at "
						INT64_FORMAT ": the topic was recreated or truncated",
						position->next_offset, position->partition, high);
	if (position->next_offset < low)
		return psprintf("offset " INT64_FORMAT " of partition %d is no longer there: "
						"it begins at " INT64_FORMAT ", " INT64_FORMAT
						" messages were deleted unread",
						position->next_offset, position->partition, low,
						low - position->next_offset);
	return psprintf("offset " INT64_FORMAT " of partition %d was out of range, "
					"though it now has " INT64_FORMAT " to " INT64_FORMAT
					": the topic may have been recreated or truncated",
					position->next_offset, position->partition, low, high);
}

static void
describe_range(const UsPosition *position, int64 low, int64 high, UsTopicTrouble *trouble)
{
	trouble->kind = position->next_offset > high ? "topic_recreated" : "offset_out_of_range";
	trouble->detail = range_text(position, low, high);
	trouble->what_to_do = "Choose where to go on with userstream.seek_stream, "
		"then call userstream.resume_stream.";
}

static void
move_position(UsWorker *worker, UsPosition *position, int64 to)
{
	UsProgress	progress = {.next_offset = to};
	int64		passed = Max(to - position->next_offset, 0);
	char	   *detail;

	if (!us_session_begin(worker->stream->timezone))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the extension was dropped")));
	us_position_advance(worker->stream->id, position, &progress);
	detail = psprintf("offset " INT64_FORMAT " of partition %d was out of range: moved to "
					  INT64_FORMAT ", " INT64_FORMAT " offsets were passed over",
					  position->next_offset, position->partition, to, passed);
	us_incident_note(worker->stream, position->partition, "offset_out_of_range", detail);
	ereport(LOG,
			(errmsg("stream \"%s\": %s", worker->stream->name, detail)));
	us_session_commit();
	position->next_offset = to;
}

UsRangeOutcome
us_topic_settle_range(UsWorker *worker, UsPosition *position, UsTopicTrouble *trouble)
{
	UsOffsetReset reset = worker->stream->options.on_offset_out_of_range;
	int64		low;
	int64		high;
	char		errstr[256];
	bool		known = us_source_probe(worker->source, position->partition, RANGE_TIMEOUT_MS,
										&low, &high, errstr, sizeof(errstr));

	if (!known)
	{
		worker->source_failing = true;
		us_worker_failing(worker, US_STATE_WAITING, errstr);
		return US_RANGE_LATER;
	}

	if (reset == US_RESET_STOP)
	{
		describe_range(position, low, high, trouble);
		return US_RANGE_STOP;
	}
	/* it may have come into range meanwhile; a broker that says so often is asked slowly */
	if (position->next_offset >= low && position->next_offset <= high)
	{
		us_worker_reopen_later(worker, us_batch_partition(worker->batch, position->partition),
							   range_text(position, low, high));
		return US_RANGE_HELD;
	}
	move_position(worker, position, reset == US_RESET_EARLIEST ? low : high);
	return US_RANGE_MOVED;
}
