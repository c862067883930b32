/*-------------------------------------------------------------------------
 * worker/batch.c
 *    the messages that one transaction takes
 *
 * Runs in stream workers, as the owner of the stream.  The order inside the
 * transaction is: positions (compare-and-set, so that a stale worker fails
 * before it works), rows, dead letters, counters.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/async.h"
#include "extension/compat.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/batch.h"
#include "worker/fault.h"
#include "worker/incident.h"
#include "worker/session.h"
#include "worker/stage.h"
#include "worker/window.h"

/* where in the transaction an error came from */
typedef enum UsBatchPhase
{
	US_PHASE_POSITION,			/* our own tables */
	US_PHASE_TARGET,			/* opening and closing the target */
	US_PHASE_ROWS,
	US_PHASE_RESULTS,			/* our own tables */
	US_PHASE_COMMIT
} UsBatchPhase;

/* one attempt; lives in the batch's context */
typedef struct UsAttempt
{
	UsRun		run;			/* first, so that one is the other */
	UsBatch    *batch;
	UsBatchPhase phase;
	int			taken;			/* messages that this attempt takes */
	bool		again;			/* a stop_at was set: this attempt is void */
	bool		letters_counted;	/* letters_room is known */
	int			letters_room;	/* dead letters that this attempt may store */
} UsAttempt;

UsBatch *
us_batch_create(const UsStream *stream, UsSink *sink, const UsPosition *positions, int npositions)
{
	UsBatch    *batch = palloc0(sizeof(UsBatch));

	batch->stream = stream;
	batch->sink = sink;
	batch->npartitions = npositions;
	batch->partitions = palloc0(sizeof(UsPartition) * Max(npositions, 1));
	for (int i = 0; i < npositions; i++)
	{
		batch->partitions[i].position = positions[i];
		batch->partitions[i].eof_offset = -1;
		batch->partitions[i].stop_at = -1;
		batch->partitions[i].failed_at = -1;
	}
	batch->capacity = stream->options.batch_rows;
	batch->messages = MemoryContextAllocHuge(CurrentMemoryContext,
											 sizeof(UsMessage) * batch->capacity);
	batch->context = AllocSetContextCreate(CurrentMemoryContext, "batch",
										   ALLOCSET_DEFAULT_SIZES);
	return batch;
}

UsPartition *
us_batch_partition(UsBatch *batch, int32 partition)
{
	int			low = 0;
	int			high = batch->npartitions - 1;

	while (low <= high)
	{
		int			middle = (low + high) / 2;
		UsPartition *candidate = &batch->partitions[middle];

		if (candidate->position.partition == partition)
			return candidate;
		if (candidate->position.partition < partition)
			low = middle + 1;
		else
			high = middle - 1;
	}
	return NULL;
}

bool
us_batch_is_due(const UsBatch *batch)
{
	if (batch->nmessages > 0)
		return true;
	for (int i = 0; i < batch->npartitions; i++)
		if (batch->partitions[i].eof_offset > batch->partitions[i].position.next_offset)
			return true;
	return false;
}

static UsPartition *
partition_of(const UsRun *run, const UsMessage *message)
{
	return us_batch_partition(((const UsAttempt *) run)->batch, message->partition);
}

/* whether a message comes before the place where its partition stops */
static bool
takes(const UsRun *run, const UsMessage *message)
{
	const UsPartition *partition = partition_of(run, message);

	return partition->stop_at < 0 || message->offset < partition->stop_at;
}

static void
count_applied(UsRun *run, const UsMessage *message, int rows)
{
	UsProgress *progress = &partition_of(run, message)->progress;

	progress->messages_applied++;
	progress->rows_written += rows;
}

static void
count_skipped(UsRun *run, const UsMessage *message)
{
	partition_of(run, message)->progress.skipped++;
}

/* a text that filled its buffer may end inside a character */
static void
clip_text(char *text)
{
	int			length = (int) strlen(text);

	text[pg_mbcliplen(text, length, length)] = '\0';
}

/*
 * The partition is to end before this message.  What was done in this attempt
 * may come after it, so the attempt is void.
 */
pg_noreturn static void
stop_partition(UsAttempt *attempt, UsPartition *partition, const UsMessage *message,
			   const ErrorData *edata)
{
	int			limit = attempt->batch->stream->options.max_dead_letters_per_minute;
	int			length = 0;

	partition->stop_at = message->offset;
	if (attempt->batch->letters_full)
		length = snprintf(partition->stop_text, sizeof(partition->stop_text),
						  "more than %d dead letters within a minute, the next would be ", limit);
	snprintf(partition->stop_text + length, sizeof(partition->stop_text) - length,
			 "message at offset " INT64_FORMAT " of partition %d: %s",
			 message->offset, message->partition, edata->message);
	clip_text(partition->stop_text);
	attempt->again = true;
	ereport(ERROR,
			(errcode(edata->sqlerrcode),
			 errmsg_internal("%s", partition->stop_text)));
}

/* whether the stream's limit has room for one more; asked only in batches that have some */
static bool
is_letter_allowed(UsAttempt *attempt)
{
	const UsStream *stream = attempt->batch->stream;
	int			limit = stream->options.max_dead_letters_per_minute;

	if (limit < 0)
		return true;
	if (!attempt->letters_counted)
	{
		attempt->letters_room = limit - us_dead_letter_count_recent(stream);
		attempt->letters_counted = true;
	}
	return attempt->run.nletters < attempt->letters_room;
}

static void
count_rejected(UsRun *run, const UsMessage *message, const ErrorData *edata)
{
	UsAttempt  *attempt = (UsAttempt *) run;
	UsPartition *partition = partition_of(run, message);

	if (run->stream->on_error == US_ON_ERROR_STOP)
		stop_partition(attempt, partition, message, edata);
	if (!is_letter_allowed(attempt))
	{
		attempt->batch->letters_full = true;
		stop_partition(attempt, partition, message, edata);
	}
	partition->progress.dead_letters++;
}

static const UsRunCalls batch_calls = {takes, count_applied, count_skipped, count_rejected};

/* what the messages and end-of-partition events move, before any row is looked at */
static void
begin_progress(UsAttempt *attempt)
{
	UsBatch    *batch = attempt->batch;

	for (int i = 0; i < batch->npartitions; i++)
	{
		UsPartition *partition = &batch->partitions[i];

		memset(&partition->progress, 0, sizeof(UsProgress));
		partition->progress.next_offset = partition->position.next_offset;
		partition->first_message_at = 0;
	}

	for (int i = 0; i < batch->nmessages; i++)
	{
		const UsMessage *message = &batch->messages[i];
		UsPartition *partition = us_batch_partition(batch, message->partition);
		UsProgress *progress = &partition->progress;
		TimestampTz at;

		if (!takes(&attempt->run, message))
			continue;
		attempt->taken++;
		progress->messages_read++;
		progress->next_offset = Max(progress->next_offset, message->offset + 1);
		if (us_message_time(message, &at))
		{
			progress->last_message_at = at;
			if (partition->first_message_at == 0)
				partition->first_message_at = at;
		}
	}

	for (int i = 0; i < batch->npartitions; i++)
	{
		UsPartition *partition = &batch->partitions[i];

		if (partition->stop_at < 0)
			partition->progress.next_offset = Max(partition->progress.next_offset,
												  partition->eof_offset);
	}
}

static void
advance_positions(UsAttempt *attempt)
{
	UsBatch    *batch = attempt->batch;

	attempt->phase = US_PHASE_POSITION;
	for (int i = 0; i < batch->npartitions; i++)
	{
		const UsPartition *partition = &batch->partitions[i];

		if (partition->progress.next_offset != partition->position.next_offset)
			us_position_advance(batch->stream->id, &partition->position, &partition->progress);
	}
}

static void
write_rows(UsAttempt *attempt)
{
	UsBatch    *batch = attempt->batch;

	if (attempt->taken == 0)
		return;

	attempt->phase = US_PHASE_TARGET;
	us_sink_begin(batch->sink);
	us_session_constraints_immediate();

	attempt->phase = US_PHASE_ROWS;
	for (int from = 0, count; from < batch->nmessages; from += count)
	{
		count = Min(us_sink_window(batch->sink), batch->nmessages - from);
		us_window_write(&attempt->run, batch->messages + from, count);
	}

	attempt->phase = US_PHASE_TARGET;
	us_sink_end(batch->sink);
	us_stage_enter(US_STAGE_COMMIT);
}

/*
 * Messages that are not taken: their partitions wait for a person, or the
 * whole stream when it is one dead letter too many.
 */
static void
store_stops(const UsBatch *batch)
{
	for (int i = 0; i < batch->npartitions; i++)
	{
		const UsPartition *partition = &batch->partitions[i];

		if (partition->stop_at < 0)
			continue;
		if (batch->letters_full)
		{
			us_stream_stop(batch->stream, -1, US_TOO_MANY_KIND, partition->stop_text,
						   US_TOO_MANY_ADVICE);
			return;
		}
		us_stream_stop(batch->stream, partition->position.partition, "bad_message",
					   partition->stop_text,
					   "Mend the cause or seek past the message, then call userstream.resume_stream.");
	}
}

static void
send_notification(const UsStream *stream, int64 rows)
{
	StringInfoData payload;

	initStringInfo(&payload);
	appendStringInfoString(&payload, "{\"stream\": ");
	escape_json(&payload, stream->name);
	appendStringInfo(&payload, ", \"rows\": " INT64_FORMAT "}", rows);
	Async_Notify("userstream", payload.data);
}

static void
store_results(UsAttempt *attempt)
{
	UsBatch    *batch = attempt->batch;
	const UsRun *run = &attempt->run;
	const UsStream *stream = batch->stream;
	int64		settled = 0;
	int64		rows = 0;

	attempt->phase = US_PHASE_RESULTS;
	us_dead_letter_store(stream, run->letters, run->nletters);

	for (int i = 0; i < batch->npartitions; i++)
	{
		const UsPartition *partition = &batch->partitions[i];
		const UsProgress *progress = &partition->progress;

		settled += progress->messages_applied + progress->dead_letters + progress->skipped;
		rows += progress->rows_written;
		if (progress->messages_read > 0)
			us_position_count(stream->id, partition->position.partition, progress);
	}
	store_stops(batch);

	if (settled != attempt->taken)
		elog(ERROR, "batch took %d messages but settled " INT64_FORMAT, attempt->taken, settled);
	if (stream->options.notify && rows > 0)
		send_notification(stream, rows);
}

static void
run_transaction(UsAttempt *attempt)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	us_session_apply(attempt->batch->stream->timezone);
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(attempt->batch->context);

	if (!us_extension_hold())
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the extension was dropped")));
	begin_progress(attempt);
	advance_positions(attempt);
	write_rows(attempt);
	us_run_check_suspects(&attempt->run, attempt->taken, attempt->batch->suspects_before);
	store_results(attempt);

	attempt->phase = US_PHASE_COMMIT;
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* what the committed transaction means for memory */
static void
finish(UsAttempt *attempt)
{
	UsBatch    *batch = attempt->batch;

	batch->rows_written = 0;
	batch->dead_letters = attempt->run.nletters;
	batch->suspects_before = us_fault_run(attempt->run.suspects, attempt->taken,
										  batch->suspects_before);
	for (int i = 0; i < batch->npartitions; i++)
	{
		UsPartition *partition = &batch->partitions[i];

		partition->position.next_offset = partition->progress.next_offset;
		if (partition->progress.last_message_at != 0)
			partition->position.last_message_at = partition->progress.last_message_at;
		if (partition->stop_at >= 0)
			partition->position.stopped = true;
		batch->rows_written += partition->progress.rows_written;
	}
}

static UsBatchOutcome
judge(const UsAttempt *attempt, const ErrorData *edata)
{
	const char *sqlstate = unpack_sql_state(edata->sqlerrcode);
	bool		ours = attempt->phase == US_PHASE_POSITION || attempt->phase == US_PHASE_RESULTS;

	if (attempt->phase == US_PHASE_POSITION &&
		edata->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE)
		return US_BATCH_LOST;

	/* our own tables are gone: the extension was dropped */
	if (ours && (edata->sqlerrcode == ERRCODE_UNDEFINED_TABLE ||
				 edata->sqlerrcode == ERRCODE_UNDEFINED_SCHEMA))
		return US_BATCH_LOST;

	if (us_fault_classify(sqlstate, US_PLACE_BATCH, false) == US_FAULT_TRANSIENT)
		return US_BATCH_RETRY;
	return US_BATCH_STOP;
}

static void
describe(const ErrorData *edata, UsBatchError *error)
{
	strlcpy(error->sqlstate, unpack_sql_state(edata->sqlerrcode), sizeof(error->sqlstate));
	snprintf(error->text, sizeof(error->text), "%s%s%s", edata->message,
			 edata->detail ? ": " : "", edata->detail ? edata->detail : "");
	clip_text(error->text);
	strlcpy(error->hint, edata->hint ? edata->hint : "", sizeof(error->hint));
}

/* one attempt; *again: a partition was told to stop earlier, so run once more without it */
static UsBatchOutcome
run_attempt(UsBatch *batch, UsBatchError *error, bool *again)
{
	MemoryContext caller = CurrentMemoryContext;
	UsAttempt  *attempt;
	volatile UsBatchOutcome outcome = US_BATCH_COMMITTED;

	MemoryContextReset(batch->context);
	attempt = MemoryContextAllocZero(batch->context, sizeof(UsAttempt));
	attempt->batch = batch;
	attempt->run.stream = batch->stream;
	attempt->run.sink = batch->sink;
	attempt->run.calls = &batch_calls;
	attempt->run.context = batch->context;
	attempt->run.row_context = AllocSetContextCreate(batch->context, "batch rows",
													 ALLOCSET_DEFAULT_SIZES);
	*again = false;
	us_stage_enter(US_STAGE_COMMIT);

	PG_TRY();
	{
		run_transaction(attempt);
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(batch->context);
		edata = CopyErrorData();
		FlushErrorState();
		AbortCurrentTransaction();
		us_sink_reset(batch->sink);
		describe(edata, error);
		*again = attempt->again;
		outcome = judge(attempt, edata);
	}
	PG_END_TRY();

	MemoryContextSwitchTo(caller);
	if (outcome == US_BATCH_COMMITTED)
		finish(attempt);
	return outcome;
}

UsBatchOutcome
us_batch_run(UsBatch *batch, UsBatchError *error)
{
	UsBatchOutcome outcome;
	bool		again;

	do
	{
		outcome = run_attempt(batch, error, &again);
	} while (again);

	if (outcome == US_BATCH_COMMITTED)
	{
		for (int i = 0; i < batch->npartitions; i++)
			if (batch->partitions[i].stop_at >= 0)
			{
				strlcpy(error->text, batch->partitions[i].stop_text, sizeof(error->text));
				return batch->letters_full ? US_BATCH_STREAM_STOPPED : US_BATCH_PARTITION_STOPPED;
			}
	}
	return outcome;
}

void
us_batch_clear(UsBatch *batch)
{
	batch->nmessages = 0;
	batch->bytes = 0;
	for (int i = 0; i < batch->npartitions; i++)
		batch->partitions[i].eof_offset = -1;
}
