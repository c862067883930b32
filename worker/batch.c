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
#include "commands/trigger.h"
#include "nodes/parsenodes.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/batch_internal.h"
#include "worker/fault.h"
#include "worker/incident.h"
#include "worker/session.h"

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

bool
us_batch_takes(const UsPartition *partition, const UsMessage *message)
{
	return partition->stop_at < 0 || message->offset < partition->stop_at;
}

/* what the messages and end-of-partition events move, before any row is looked at */
static void
begin_progress(UsRun *run)
{
	UsBatch    *batch = run->batch;

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

		if (!us_batch_takes(partition, message))
			continue;
		run->taken++;
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
advance_positions(UsRun *run)
{
	UsBatch    *batch = run->batch;

	run->phase = US_PHASE_POSITION;
	for (int i = 0; i < batch->npartitions; i++)
	{
		const UsPartition *partition = &batch->partitions[i];

		if (partition->progress.next_offset != partition->position.next_offset)
			us_position_advance(batch->stream->id, &partition->position, &partition->progress);
	}
}

/* a deferred constraint is one message's fault too, so none is deferred */
static void
set_constraints_immediate(void)
{
	ConstraintsSetStmt *statement = makeNode(ConstraintsSetStmt);

	statement->constraints = NIL;
	statement->deferred = false;
	AfterTriggerSetState(statement);
}

static void
write_rows(UsRun *run)
{
	UsBatch    *batch = run->batch;

	if (run->taken == 0)
		return;

	run->phase = US_PHASE_TARGET;
	us_sink_begin(batch->sink);
	set_constraints_immediate();

	run->phase = US_PHASE_ROWS;
	for (int from = 0; from < batch->nmessages; from += US_SINK_WINDOW)
		us_window_write(run, from, Min(from + US_SINK_WINDOW, batch->nmessages));

	run->phase = US_PHASE_TARGET;
	us_sink_end(batch->sink);
}

/*
 * Every message of a large batch failed, and not for reasons that lie in
 * data: then it is the definition that is wrong, not the messages.
 */
static void
check_suspects(const UsRun *run)
{
	if (run->taken >= US_FAULT_SUSPECT_BATCH && run->suspects == run->taken)
		ReThrowError(run->first_suspect);
}

static void
store_results(UsRun *run)
{
	UsBatch    *batch = run->batch;
	const UsStream *stream = batch->stream;
	int64		settled = 0;

	run->phase = US_PHASE_RESULTS;
	us_dead_letter_store(stream, run->letters, run->nletters);

	for (int i = 0; i < batch->npartitions; i++)
	{
		const UsPartition *partition = &batch->partitions[i];
		const UsProgress *progress = &partition->progress;

		settled += progress->messages_applied + progress->dead_letters + progress->skipped;
		if (progress->messages_read > 0)
			us_position_count(stream->id, partition->position.partition, progress);
		if (partition->stop_at >= 0)
			us_stream_stop(stream, partition->position.partition, "bad_message",
						   partition->stop_text,
						   "Mend the cause or seek past the message, then call userstream.resume_stream.");
	}

	if (settled != run->taken)
		elog(ERROR, "batch took %d messages but settled " INT64_FORMAT, run->taken, settled);
}

static void
run_transaction(UsRun *run)
{
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	us_session_apply(run->batch->stream->timezone);
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(run->batch->context);

	begin_progress(run);
	advance_positions(run);
	write_rows(run);
	check_suspects(run);
	store_results(run);

	run->phase = US_PHASE_COMMIT;
	PopActiveSnapshot();
	CommitTransactionCommand();
}

/* what the committed transaction means for memory */
static void
finish(UsRun *run)
{
	UsBatch    *batch = run->batch;

	batch->rows_written = 0;
	batch->dead_letters = run->nletters;
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
judge(const UsRun *run, const ErrorData *edata)
{
	const char *sqlstate = unpack_sql_state(edata->sqlerrcode);
	bool		ours = run->phase == US_PHASE_POSITION || run->phase == US_PHASE_RESULTS;

	if (run->phase == US_PHASE_POSITION &&
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
}

/* one attempt; *again: a partition was told to stop earlier, so run once more without it */
static UsBatchOutcome
attempt(UsBatch *batch, UsBatchError *error, bool *again)
{
	MemoryContext caller = CurrentMemoryContext;
	UsRun	   *run;
	volatile UsBatchOutcome outcome = US_BATCH_COMMITTED;

	MemoryContextReset(batch->context);
	batch->row_context = AllocSetContextCreate(batch->context, "batch rows",
											   ALLOCSET_DEFAULT_SIZES);
	run = MemoryContextAllocZero(batch->context, sizeof(UsRun));
	run->batch = batch;
	*again = false;

	PG_TRY();
	{
		run_transaction(run);
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
		*again = run->again;
		outcome = judge(run, edata);
	}
	PG_END_TRY();

	MemoryContextSwitchTo(caller);
	if (outcome == US_BATCH_COMMITTED)
		finish(run);
	return outcome;
}

UsBatchOutcome
us_batch_run(UsBatch *batch, UsBatchError *error)
{
	UsBatchOutcome outcome;
	bool		again;

	do
	{
		outcome = attempt(batch, error, &again);
	} while (again);

	if (outcome == US_BATCH_COMMITTED)
	{
		for (int i = 0; i < batch->npartitions; i++)
			if (batch->partitions[i].stop_at >= 0)
				return US_BATCH_PARTITION_STOPPED;
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
