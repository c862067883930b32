/*-------------------------------------------------------------------------
 * worker/window.c
 *    up to a thousand messages -> rows, so that one bad message costs one
 *
 * Runs in stream workers, inside the batch's transaction.  Rows go in by
 * chunks, each in a subtransaction.  The sink says which row of a chunk
 * failed, so what was before it goes in again as one chunk and the row alone;
 * only where the failing row is not known (AFTER triggers run at the end of
 * their statement) the chunk gets smaller step by step.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/tuptable.h"
#include "extension/compat.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "worker/batch_internal.h"
#include "worker/fault.h"

#define FAILED_ROW_UNKNOWN	(-1)
#define SMALL_CHUNK_ROWS	8	/* after a bad row: others may follow closely */
#define SHRINK_FACTOR		8

typedef struct Window
{
	UsRun	   *run;
	int			first;			/* index of the window's first message */
	int			nrows;
	int			order[US_SINK_WINDOW];	/* rows in order: numbers of slots = messages after first */
	bool		mapped[US_SINK_WINDOW]; /* by slot: whether it holds its row already */
} Window;

static const UsMessage *
row_message(const Window *window, int row)
{
	return &window->run->batch->messages[window->first + window->order[row]];
}

/* row security raises the code of a missing privilege, but it is about this row */
static bool
is_row_security(const ErrorData *edata)
{
	return edata->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE &&
		edata->funcname != NULL && strcmp(edata->funcname, "ExecWithCheckOptions") == 0;
}

static char *
error_text(const ErrorData *edata)
{
	if (edata->detail != NULL)
		return psprintf("%s\nDETAIL: %s", edata->message, edata->detail);
	return pstrdup(edata->message);
}

static void
add_letter(UsRun *run, const UsMessage *message, const ErrorData *edata, const char *column)
{
	UsDeadLetter *letter;

	if (run->nletters == run->letters_capacity)
	{
		run->letters_capacity = Max(64, run->letters_capacity * 2);
		run->letters = run->letters == NULL ?
			palloc(sizeof(UsDeadLetter) * run->letters_capacity) :
			repalloc(run->letters, sizeof(UsDeadLetter) * run->letters_capacity);
	}

	letter = &run->letters[run->nletters++];
	letter->message = message;
	strlcpy(letter->sqlstate, unpack_sql_state(edata->sqlerrcode), sizeof(letter->sqlstate));
	letter->error = error_text(edata);
	letter->column_name = edata->column_name ? pstrdup(edata->column_name) :
		column ? pstrdup(column) : NULL;
	letter->constraint_name = edata->constraint_name ? pstrdup(edata->constraint_name) : NULL;
}

/*
 * on_error stop: the partition is to end before this message.  What was done
 * in this attempt may come after it, so the attempt is void.
 */
pg_noreturn static void
stop_partition(UsRun *run, UsPartition *partition, const UsMessage *message,
			   const ErrorData *edata)
{
	partition->stop_at = message->offset;
	snprintf(partition->stop_text, sizeof(partition->stop_text),
			 "message at offset " INT64_FORMAT " of partition %d: %s",
			 message->offset, message->partition, edata->message);
	run->again = true;
	ereport(ERROR,
			(errcode(edata->sqlerrcode),
			 errmsg_internal("%s", partition->stop_text)));
}

/*
 * An error came up while one message was mapped or written alone.  Raises it
 * again unless it is the message's own.
 */
static void
settle_bad_message(UsRun *run, const UsMessage *message, ErrorData *edata, const char *column)
{
	UsPartition *partition = us_batch_partition(run->batch, message->partition);
	MemoryContext old = MemoryContextSwitchTo(run->batch->context);
	UsFault		fault;

	fault = us_fault_classify(unpack_sql_state(edata->sqlerrcode), US_PLACE_MESSAGE,
							  is_row_security(edata));
	if (fault == US_FAULT_TRANSIENT || fault == US_FAULT_STOP)
		ReThrowError(edata);
	if (run->batch->stream->on_error == US_ON_ERROR_STOP)
		stop_partition(run, partition, message, edata);

	if (fault == US_FAULT_SUSPECT)
	{
		if (run->suspects++ == 0)
			run->first_suspect = edata;
	}
	partition->progress.dead_letters++;
	add_letter(run, message, edata, column);
	MemoryContextSwitchTo(old);
}

/*
 * Only built-in input functions run in here, which hold nothing that a
 * subtransaction would have to give back.
 */
static bool
map_safely(UsRun *run, UsMap *map, const UsMessage *message, TupleTableSlot *slot)
{
	MemoryContext context = CurrentMemoryContext;
	volatile bool mapped = true;

	PG_TRY();
	{
		us_map_slow(map, message, slot);
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(run->batch->context);
		edata = CopyErrorData();
		FlushErrorState();
		MemoryContextSwitchTo(context);
		settle_bad_message(run, message, edata, us_map_error_column(map));
		mapped = false;
	}
	PG_END_TRY();

	return mapped;
}

/* what there is to say of a tombstone where none may come */
static ErrorData *
tombstone_error(UsRun *run)
{
	ErrorData  *edata = MemoryContextAllocZero(run->batch->context, sizeof(ErrorData));

	edata->elevel = ERROR;
	edata->sqlerrcode = ERRCODE_NULL_VALUE_NOT_ALLOWED;
	edata->message = "message has no value";
	edata->detail = "Option \"tombstone\" of the stream is \"dead_letter\".";
	return edata;
}

/* fill the slots, as far as that can be done without a subtransaction */
static void
map_messages(Window *window, int to)
{
	UsRun	   *run = window->run;
	UsBatch    *batch = run->batch;
	UsMap	   *map = us_sink_map(batch->sink);

	for (int i = window->first; i < to; i++)
	{
		const UsMessage *message = &batch->messages[i];
		UsPartition *partition = us_batch_partition(batch, message->partition);
		int			slotno = i - window->first;
		TupleTableSlot *slot;
		bool		is_row = true;

		if (!us_batch_takes(partition, message))
			continue;

		slot = us_sink_slot(batch->sink, slotno);
		ExecClearTuple(slot);
		window->mapped[slotno] = true;
		switch (us_map_fast(map, message, slot))
		{
			case US_MAP_DONE:
				break;
			case US_MAP_SKIP:
				if (message->value == NULL &&
					batch->stream->options.tombstone == US_TOMBSTONE_DEAD_LETTER)
					settle_bad_message(run, message, tombstone_error(run), NULL);
				else
					partition->progress.skipped++;
				is_row = false;
				break;
			case US_MAP_SLOW_SAFE:
				is_row = map_safely(run, map, message, slot);
				break;
			case US_MAP_SLOW:
				window->mapped[slotno] = false;
				break;
		}
		if (is_row)
			window->order[window->nrows++] = slotno;
	}
}

/*
 * Write rows [from, to) in a subtransaction.  Returns the error when it
 * failed (and *failed_row where known), else NULL.
 */
static ErrorData *
try_chunk(Window *window, int from, int to, volatile int *failed_row, volatile uint64 *written)
{
	UsBatch    *batch = window->run->batch;
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile edata = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);

	PG_TRY();
	{
		for (int row = from; row < to; row++)
		{
			int			slotno = window->order[row];

			if (window->mapped[slotno])
				continue;
			*failed_row = row;
			us_map_slow(us_sink_map(batch->sink), row_message(window, row),
						us_sink_slot(batch->sink, slotno));
			window->mapped[slotno] = true;
		}
		*failed_row = FAILED_ROW_UNKNOWN;

		*written = us_sink_write(batch->sink, window->order, from, to);

		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(batch->context);
		edata = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (*failed_row == FAILED_ROW_UNKNOWN)
			*failed_row = us_sink_failed_row(batch->sink);
	}
	PG_END_TRY();

	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return edata;
}

/*
 * A BEFORE trigger can suppress rows, and nobody says which: the total stays
 * right, the last rows' partitions are taken to have lost theirs.
 */
static void
count_rows(const Window *window, int from, int to, uint64 written)
{
	for (int row = from; row < to; row++)
	{
		UsPartition *partition = us_batch_partition(window->run->batch,
													row_message(window, row)->partition);

		partition->progress.messages_applied++;
		if (written > 0)
		{
			partition->progress.rows_written++;
			written--;
		}
	}
}

/* size of the next chunk after [from, to) failed */
static int
shrink_chunk(int from, int to, int failed_row)
{
	if (failed_row == FAILED_ROW_UNKNOWN)
		return Max((to - from) / SHRINK_FACTOR, 1);
	return Max(failed_row - from, 1);
}

static void
write_rows(Window *window)
{
	UsRun	   *run = window->run;
	int			chunk = window->nrows;
	int			suspect = FAILED_ROW_UNKNOWN;
	int			run_start = 0;	/* row after the last bad one */
	int			from = 0;

	while (from < window->nrows)
	{
		int			to = Min(from + chunk, window->nrows);
		int			failed_row = FAILED_ROW_UNKNOWN;
		uint64		written = 0;
		ErrorData  *edata = try_chunk(window, from, to, &failed_row, &written);

		if (edata == NULL)
		{
			count_rows(window, from, to, written);
			from = to;
			chunk = from == suspect ? 1 : Min(chunk * 2, US_SINK_WINDOW);
		}
		else if (to - from == 1)
		{
			int			slotno = window->order[from];
			const char *column = window->mapped[slotno] ? NULL :
				us_map_error_column(us_sink_map(run->batch->sink));

			settle_bad_message(run, row_message(window, from), edata, column);
			chunk = Max(SMALL_CHUNK_ROWS, from - run_start);
			run_start = ++from;
		}
		else
		{
			UsFault		fault;

			fault = us_fault_classify(unpack_sql_state(edata->sqlerrcode), US_PLACE_MESSAGE,
									  is_row_security(edata));
			if (fault == US_FAULT_TRANSIENT || fault == US_FAULT_STOP)
				ReThrowError(edata);
			FreeErrorData(edata);
			suspect = failed_row;
			chunk = shrink_chunk(from, to, failed_row);
		}
	}
}

void
us_window_write(UsRun *run, int from, int to)
{
	Window		window;
	MemoryContext old;

	window.run = run;
	window.first = from;
	window.nrows = 0;

	MemoryContextReset(run->batch->row_context);
	old = MemoryContextSwitchTo(run->batch->row_context);
	us_map_begin_batch(us_sink_map(run->batch->sink), run->batch->row_context);

	map_messages(&window, to);
	write_rows(&window);

	MemoryContextSwitchTo(old);
}
