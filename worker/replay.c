/*-------------------------------------------------------------------------
 * worker/replay.c
 *    dead letters of a stream -> its target, by the path of its workers
 *
 * Runs in the backend and transaction of who calls retry_dead_letters.  Window
 * by window: fetch letters (as the caller, who must own them), write rows (as
 * the stream's owner, restricted), mark the letters (as the owner of our
 * tables).  Positions are counted last, so that workers are kept from theirs
 * for a moment only.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "extension/registry.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "worker/dead_letter.h"
#include "worker/position.h"
#include "worker/replay.h"
#include "worker/session.h"
#include "worker/sink_table.h"
#include "worker/window.h"

typedef enum Fate
{
	FATE_NONE,
	FATE_APPLIED,
	FATE_SKIPPED,
	FATE_REJECTED
} Fate;

/* letters of one partition that were applied for the first time */
typedef struct Tally
{
	int32		partition;
	int64		retried;
} Tally;

typedef struct Replay
{
	UsRun		run;			/* first, so that one is the other */
	MemoryContext context;		/* of the whole call */
	UsRegistry *registry;		/* NULL = the messages need no schemas */

	int64		taken;
	int64		applied;
	int			ntallies;
	int			tallies_capacity;
	Tally	   *tallies;		/* in the order of letters: ascending */

	/* of one window */
	MemoryContext message_context;	/* bytes of its messages */
	int			count;
	UsMessage	messages[US_SINK_WINDOW];
	UsStoredLetter stored[US_SINK_WINDOW];
	Fate		fates[US_SINK_WINDOW];
} Replay;

static void
set_fate(UsRun *run, const UsMessage *message, Fate fate)
{
	Replay	   *replay = (Replay *) run;

	replay->fates[message - replay->messages] = fate;
}

static void
note_applied(UsRun *run, const UsMessage *message, int rows)
{
	(void) rows;
	set_fate(run, message, FATE_APPLIED);
}

static void
note_skipped(UsRun *run, const UsMessage *message)
{
	set_fate(run, message, FATE_SKIPPED);
}

static void
note_rejected(UsRun *run, const UsMessage *message, const ErrorData *edata)
{
	(void) edata;
	set_fate(run, message, FATE_REJECTED);
}

static const UsRunCalls replay_calls = {NULL, note_applied, note_skipped, note_rejected};

static Replay *
create_replay(UsStream *stream)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dead letters",
												  ALLOCSET_DEFAULT_SIZES);
	Replay	   *replay = MemoryContextAllocZero(context, sizeof(Replay));

	replay->context = context;
	replay->message_context = AllocSetContextCreate(context, "messages", ALLOCSET_DEFAULT_SIZES);
	replay->registry = us_registry_create(context, stream,
										  us_catalog_owner(stream->owner, stream->owner_oid,
														   stream->home));
	replay->run.stream = stream;
	replay->run.sink = us_sink_create(context, stream);
	replay->run.calls = &replay_calls;
	replay->run.context = AllocSetContextCreate(context, "errors", ALLOCSET_DEFAULT_SIZES);
	replay->run.row_context = AllocSetContextCreate(context, "rows", ALLOCSET_DEFAULT_SIZES);
	return replay;
}

/*
 * As the owner of the stream.  Restricted, so that his triggers and functions
 * can neither leave the role nor leave anything behind in the caller's
 * session.
 */
static void
as_owner(Replay *replay, void (*work) (Replay *))
{
	const UsStream *stream = replay->run.stream;
	Oid			role;
	int			security_context;

	GetUserIdAndSecContext(&role, &security_context);
	SetUserIdAndSecContext(us_catalog_owner(stream->owner, stream->owner_oid, stream->home),
						   security_context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_RESTRICTED_OPERATION);
	work(replay);
	SetUserIdAndSecContext(role, security_context);
}

static void
begin_target(Replay *replay)
{
	us_sink_begin(replay->run.sink);
}

static void
write_messages(Replay *replay)
{
	us_window_write(&replay->run, replay->messages, replay->count);
}

/* rows [from, to) as messages, as many as batch_bytes allows; returns where it stopped */
static uint64
take_messages(Replay *replay, const SPITupleTable *rows, uint64 from, uint64 to)
{
	int64		bytes = 0;
	uint64		next = from;
	MemoryContext old;

	MemoryContextReset(replay->message_context);
	old = MemoryContextSwitchTo(replay->message_context);
	replay->count = 0;
	while (next < to && bytes < replay->run.stream->options.batch_bytes)
	{
		int			i = replay->count++;

		us_dead_letter_read(rows->vals[next++], rows->tupdesc, &replay->stored[i],
							&replay->messages[i]);
		replay->fates[i] = FATE_NONE;
		bytes += replay->messages[i].value_len;
	}
	MemoryContextSwitchTo(old);
	replay->taken += replay->count;
	return next;
}

static void
tally(Replay *replay, int32 partition)
{
	if (replay->ntallies == 0 || replay->tallies[replay->ntallies - 1].partition != partition)
	{
		if (replay->ntallies == replay->tallies_capacity)
		{
			MemoryContext old = MemoryContextSwitchTo(replay->context);

			replay->tallies_capacity = Max(16, replay->tallies_capacity * 2);
			replay->tallies = replay->tallies == NULL ?
				palloc(sizeof(Tally) * replay->tallies_capacity) :
				repalloc(replay->tallies, sizeof(Tally) * replay->tallies_capacity);
			MemoryContextSwitchTo(old);
		}
		replay->tallies[replay->ntallies].partition = partition;
		replay->tallies[replay->ntallies++].retried = 0;
	}
	replay->tallies[replay->ntallies - 1].retried++;
}

/* what became of the window's messages, into their letters */
static void
settle_letters(Replay *replay)
{
	const UsRun *run = &replay->run;
	MemoryContext old = MemoryContextSwitchTo(replay->message_context);
	int64	   *settled = palloc(sizeof(int64) * replay->count);
	int			nsettled = 0;

	for (int i = 0; i < replay->count; i++)
	{
		Fate		fate = replay->fates[i];

		if (fate != FATE_APPLIED && fate != FATE_SKIPPED)
			continue;
		settled[nsettled++] = replay->stored[i].id;
		if (fate == FATE_APPLIED)
			replay->applied++;
		if (!replay->stored[i].retried)
			tally(replay, replay->messages[i].partition);
	}
	us_dead_letter_settle(settled, nsettled);
	for (int i = 0; i < run->nletters; i++)
		us_dead_letter_fail(replay->stored[run->letters[i].message - replay->messages].id,
							&run->letters[i]);
	if (nsettled + run->nletters != replay->count)
		elog(ERROR, "retry took %d dead letters but settled %d",
			 replay->count, nsettled + run->nletters);
	MemoryContextSwitchTo(old);
}

/* the first suspect stays where it is: it may have to be raised in the end */
static void
forget_errors(Replay *replay)
{
	UsRun	   *run = &replay->run;
	MemoryContext owner = run->first_suspect == NULL ? NULL :
		GetMemoryChunkContext(run->first_suspect);

	run->letters = NULL;
	run->nletters = 0;
	run->letters_capacity = 0;
	if (owner == run->context)
		run->context = AllocSetContextCreate(replay->context, "errors", ALLOCSET_DEFAULT_SIZES);
	else
		MemoryContextReset(run->context);
}

/* false: there was none left */
static bool
replay_window(Replay *replay, Portal letters)
{
	SPITupleTable *rows;
	uint64		nrows;
	uint64		next = 0;

	CHECK_FOR_INTERRUPTS();
	SPI_cursor_fetch(letters, true, US_SINK_WINDOW);
	rows = SPI_tuptable;
	nrows = SPI_processed;
	if (nrows > 0 && replay->taken == 0)
		as_owner(replay, begin_target);
	while (next < nrows)
	{
		next = take_messages(replay, rows, next, nrows);
		us_registry_require(replay->registry, replay->messages, replay->count);
		as_owner(replay, write_messages);
		settle_letters(replay);
		forget_errors(replay);
	}
	SPI_freetuptable(rows);
	return nrows > 0;
}

int64
us_replay_dead_letters(UsStream *stream, ArrayType *ids)
{
	Replay	   *replay = create_replay(stream);
	int64		applied;
	int			nest_level;
	Portal		letters;

	/* before the owner's role: it also fires what the caller has waiting */
	us_session_constraints_immediate();
	nest_level = us_session_borrow(stream->timezone);
	SPI_connect();
	letters = us_dead_letter_open(stream->name, ids);
	while (replay_window(replay, letters))
		;
	us_dead_letter_close(letters);
	if (replay->taken > 0)
		us_sink_end(replay->run.sink);
	us_run_check_suspects(&replay->run, replay->taken, 0);
	for (int i = 0; i < replay->ntallies; i++)
		us_position_count_retried(stream->id, replay->tallies[i].partition,
								  replay->tallies[i].retried);
	SPI_finish();
	us_session_give_back(nest_level);

	applied = replay->applied;
	MemoryContextDelete(replay->context);
	return applied;
}
