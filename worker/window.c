/*-------------------------------------------------------------------------
 * worker/window.c
 *    a window of messages -> rows, so that one bad message costs one
 *
 * Runs in stream workers, inside the batch's transaction, and in that of a
 * caller of retry_dead_letters.  Rows go in by chunks, each in a
 * subtransaction.  The sink says which row of a chunk
 * failed, so what was before it goes in again as one chunk and the row alone;
 * only where the failing row is not known (AFTER triggers run at the end of
 * their statement) the chunk gets smaller step by step.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "executor/tuptable.h"
#include "extension/compat.h"
#include "mb/pg_wchar.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "worker/fault.h"
#include "worker/forced.h"
#include "worker/stage.h"
#include "worker/window.h"

#define FAILED_ROW_UNKNOWN	(-1)
#define SMALL_CHUNK_ROWS	8	/* after a bad row: others may follow closely */
#define SHRINK_FACTOR		8
#define ERROR_BYTES_MAX		8192	/* of the text that a dead letter keeps */

typedef struct Window
{
	UsRun	   *run;
	const UsMessage *messages;
	int			nrows;
	int		   *order;			/* rows in order: numbers of slots = of messages */
	bool	   *mapped;			/* by slot: whether it holds its row already */
	/* where messages expand, as order: rows of each, and how many the table took */
	int		   *rows_of;
	int		   *written_of;
} Window;

static const UsMessage *
row_message(const Window *window, int row)
{
	return &window->messages[window->order[row]];
}

/* row security raises the code of a missing privilege, but it is about this row */
static bool
is_row_security(const ErrorData *edata)
{
	return edata->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE &&
		edata->funcname != NULL && strcmp(edata->funcname, "ExecWithCheckOptions") == 0;
}

static UsFault
classify(const UsRun *run, const ErrorData *edata)
{
	UsFault		fault = us_fault_classify(unpack_sql_state(edata->sqlerrcode), US_PLACE_MESSAGE,
										  is_row_security(edata));

	if (fault == US_FAULT_SUSPECT && us_sink_was_renamed(run->sink))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the target was renamed while rows were written")));
	return fault;
}

/* input functions quote the value, however long; the letter has it anyway */
static char *
error_text(const ErrorData *edata)
{
	const char *message = edata->message;
	char	   *text = edata->detail == NULL ? pstrdup(message) :
		psprintf("%s\nDETAIL: %s", message, edata->detail);
	size_t		len = strlen(text);

	if (len <= ERROR_BYTES_MAX)
		return text;
	len = pg_mbcliplen(text, (int) len, ERROR_BYTES_MAX);
	return psprintf("%.*s ...", (int) len, text);
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
 * An error came up while one message was mapped or written alone.  Raises it
 * again unless it is the message's own.
 */
static void
settle_bad_message(UsRun *run, const UsMessage *message, ErrorData *edata, const char *column)
{
	MemoryContext old = MemoryContextSwitchTo(run->context);
	UsFault		fault;

	fault = classify(run, edata);
	if (fault == US_FAULT_TRANSIENT || fault == US_FAULT_STOP)
		ReThrowError(edata);
	run->calls->rejected(run, message, edata);

	if (fault == US_FAULT_SUSPECT)
	{
		if (run->suspects++ == 0)
			run->first_suspect = edata;
	}
	add_letter(run, message, edata, column);
	MemoryContextSwitchTo(old);
}

/*
 * Only built-in input functions run in here, which hold nothing that a
 * subtransaction would have to give back.
 */
static bool
map_safely(UsRun *run, UsMap *map, const UsMessage *message, int slotno)
{
	MemoryContext context = CurrentMemoryContext;
	TupleTableSlot *slot = us_sink_slot(run->sink, slotno);
	volatile bool mapped = true;

	PG_TRY();
	{
		us_map_slow(map, message, slot);
		us_sink_note(run->sink, slotno);
	}
	PG_CATCH();
	{
		ErrorData  *edata;

		MemoryContextSwitchTo(run->context);
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
tombstone_error(UsRun *run, const UsMessage *message)
{
	ErrorData  *edata = MemoryContextAllocZero(run->context, sizeof(ErrorData));

	edata->elevel = ERROR;
	edata->sqlerrcode = ERRCODE_NULL_VALUE_NOT_ALLOWED;
	edata->message = message->value == NULL ? "message has no value" : "message removes its row";
	edata->detail = "Option \"tombstone\" of the stream is \"dead_letter\".";
	return edata;
}

/* a message without a value, where that does not mean that a row has to go */
static void
settle_tombstone(UsRun *run, const UsMessage *message)
{
	if (us_stream_tombstone(run->stream) == US_TOMBSTONE_DEAD_LETTER)
		settle_bad_message(run, message, tombstone_error(run, message), NULL);
	else
		run->calls->skipped(run, message);
}

/* messages that expand are mapped with their chunk */
static void
list_messages(Window *window, int count)
{
	UsRun	   *run = window->run;

	for (int i = 0; i < count; i++)
	{
		const UsMessage *message = &window->messages[i];

		if (run->calls->takes != NULL && !run->calls->takes(run, message))
			continue;
		window->mapped[i] = false;
		if (message->value != NULL || us_stream_tombstone(run->stream) == US_TOMBSTONE_DELETE)
			window->order[window->nrows++] = i;
		else
			settle_tombstone(run, message);
	}
}

/* fill the slots, as far as that can be done without a subtransaction */
static void
map_messages(Window *window, int count)
{
	UsRun	   *run = window->run;
	UsMap	   *map = us_sink_map(run->sink);

	us_stage_enter(US_STAGE_CONVERT);
	for (int slotno = 0; slotno < count; slotno++)
	{
		const UsMessage *message = &window->messages[slotno];
		TupleTableSlot *slot;
		bool		is_row = true;

		if (run->calls->takes != NULL && !run->calls->takes(run, message))
			continue;

		slot = us_sink_slot(run->sink, slotno);
		ExecClearTuple(slot);
		window->mapped[slotno] = true;
		switch (us_map_fast(map, message, slot))
		{
			case US_MAP_DONE:
				us_sink_note(run->sink, slotno);
				break;
			case US_MAP_SKIP:
				settle_tombstone(run, message);
				is_row = false;
				break;
			case US_MAP_SLOW_SAFE:
				is_row = map_safely(run, map, message, slotno);
				break;
			case US_MAP_SLOW:
				window->mapped[slotno] = false;
				break;
		}
		if (is_row)
			window->order[window->nrows++] = slotno;
	}
}

/* what map_messages left, inside the subtransaction */
static void
map_rest(Window *window, int from, int to, volatile int *failed_row)
{
	UsRun	   *run = window->run;

	for (int row = from; row < to; row++)
	{
		int			slotno = window->order[row];

		if (window->mapped[slotno])
			continue;
		*failed_row = row;
		us_map_slow(us_sink_map(run->sink), row_message(window, row),
					us_sink_slot(run->sink, slotno));
		us_sink_note(run->sink, slotno);
		window->mapped[slotno] = true;
	}
	*failed_row = FAILED_ROW_UNKNOWN;
}

/*
 * Write rows [from, to) in a subtransaction.  Returns the error when it
 * failed (and *failed_row where known), else NULL.
 */
static ErrorData *
try_chunk(Window *window, int from, int to, volatile int *failed_row, volatile uint64 *written)
{
	UsRun	   *run = window->run;
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	int			guc_nest_level;
	ErrorData  *volatile edata = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	guc_nest_level = NewGUCNestLevel();
	us_stage_enter(US_STAGE_INSERT);

	PG_TRY();
	{
		if (us_sink_expands(run->sink))
			us_sink_write_messages(run->sink, window->messages, window->order, from, to,
								   window->rows_of, window->written_of);
		else
		{
			us_stage_enter(US_STAGE_CONVERT);
			map_rest(window, from, to, failed_row);
			us_stage_enter(US_STAGE_INSERT);
			*written = us_sink_write(run->sink, window->order, from, to);
		}

		/* what user code SET, a role too, ends with its statement, as where retry borrows them */
		AtEOXact_GUC(false, guc_nest_level);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(run->context);
		edata = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		if (*failed_row == FAILED_ROW_UNKNOWN)
			*failed_row = us_sink_failed_row(run->sink);
	}
	PG_END_TRY();

	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return edata;
}

/*
 * Where rows can be suppressed nobody says which were, so a chunk is of one
 * partition only and its number of rows is right.
 */
static void
count_rows(const Window *window, int from, int to, uint64 written)
{
	UsRun	   *run = window->run;
	bool		expands = us_sink_expands(run->sink);

	for (int row = from; row < to; row++)
	{
		const UsMessage *message = row_message(window, row);
		/* the sink fills it: NOLINTNEXTLINE(clang-analyzer-core.uninitialized.Assign) */
		int			rows = expands ? window->rows_of[row] : 1;
		int			share = expands ? window->written_of[row] : written > 0;

		if (rows == 0 || (share == 0 && run->stream->options.ignore_conflicts))
			run->calls->skipped(run, message);
		else
			run->calls->applied(run, message, share);
		written -= expands ? 0 : share;
	}
}

static int
chunk_end(const Window *window, int from, int chunk)
{
	int			to = Min(from + (US_FORCED(ROWS) ? 1 : chunk), window->nrows);

	if (!us_sink_may_suppress(window->run->sink) || us_sink_expands(window->run->sink))
		return to;
	for (int row = from + 1; row < to; row++)
		if (row_message(window, row)->partition != row_message(window, from)->partition)
			return row;
	return to;
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
	bool		had_failure = false;

	while (from < window->nrows)
	{
		int			to = chunk_end(window, from, chunk);
		int			failed_row = FAILED_ROW_UNKNOWN;
		uint64		written = 0;
		ErrorData  *edata = try_chunk(window, from, to, &failed_row, &written);

		if (edata == NULL)
		{
			count_rows(window, from, to, written);
			from = to;
			chunk = from == suspect ? 1 : Min(chunk * 2, window->nrows);
			continue;
		}

		had_failure = true;
		if (to - from == 1)
		{
			int			slotno = window->order[from];
			const char *column = window->mapped[slotno] ? NULL :
				us_map_error_column(us_sink_map(run->sink));

			settle_bad_message(run, row_message(window, from), edata, column);
			chunk = Max(SMALL_CHUNK_ROWS, from - run_start);
			run_start = ++from;
		}
		else
		{
			UsFault		fault;

			fault = classify(run, edata);
			if (fault == US_FAULT_TRANSIENT || fault == US_FAULT_STOP)
				ReThrowError(edata);
			FreeErrorData(edata);
			Assert(failed_row == FAILED_ROW_UNKNOWN || (failed_row >= from && failed_row < to));
			suspect = failed_row;
			chunk = shrink_chunk(from, to, failed_row);
		}
	}
	us_sink_note_window(run->sink, window->nrows, had_failure);
}

void
us_window_write(UsRun *run, const UsMessage *messages, int count)
{
	Window		window;
	MemoryContext old;

	Assert(count <= us_sink_window(run->sink));

	window.run = run;
	window.messages = messages;
	window.nrows = 0;

	MemoryContextReset(run->row_context);
	old = MemoryContextSwitchTo(run->row_context);
	window.order = palloc(sizeof(int) * count);
	window.mapped = palloc(sizeof(bool) * count);
	window.rows_of = palloc(sizeof(int) * count);
	window.written_of = palloc(sizeof(int) * count);
	us_map_begin_batch(us_sink_map(run->sink), run->row_context);

	if (us_sink_expands(run->sink))
		list_messages(&window, count);
	else
		map_messages(&window, count);
	write_rows(&window);

	MemoryContextSwitchTo(old);
}

void
us_run_check_suspects(const UsRun *run, int64 taken, int64 before)
{
	if (us_fault_is_definition(run->suspects, taken, before))
		ReThrowError(run->first_suspect);
}
