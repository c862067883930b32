/*-------------------------------------------------------------------------
 * worker/supervisor.c
 *    one per database: keeps the workers that definitions of streams and mirrors ask for
 *
 * Started by the launcher in every database; leaves at once where the
 * extension is not.  Each turn reads all definitions and compares the
 * workers wanted with the slots there are (level, not edge): a commit that
 * changes a definition only wakes it earlier.  A worker is changed by being
 * asked to end after its batch and started again.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_database.h"
#include "extension/catalog.h"
#include "extension/compat.h"
#include "extension/feed.h"
#include "extension/guc.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "worker/balance.h"
#include "worker/history.h"
#include "worker/incident.h"
#include "worker/launcher.h"
#include "worker/mirror_slot.h"
#include "worker/rename.h"
#include "worker/retention.h"
#include "worker/session.h"
#include "worker/spawn.h"

#define TURN_INTERVAL_MS		5000	/* looks this often without being woken */
#define HISTORY_INTERVAL_MS		60000	/* a row of stream_history a minute */
#define RETENTION_INTERVAL_MS	60000	/* looks for rows that are too old */
#define RETENTION_PAUSE_MS		100		/* ... and again so soon while there are more */
#define SLOT_INTERVAL_MS		500		/* looks again at a slot that is to go and is busy */
#define IDLE_INTERVAL_MS		600000	/* a database without the extension is looked at again */

/* one worker that should run */
typedef struct Wanted
{
	UsSlotKind	kind;
	int64		definition;		/* stream.id or mirror.id */
	Oid			owner;
	int			config_version;
	int			worker_index;
	int			worker_count;
	bool		found;			/* a slot holds it */
} Wanted;

static TimestampTz next_history_at = 0;
static TimestampTz next_retention_at = 0;

typedef struct WantedList
{
	int			count;
	int			capacity;
	Wanted	   *items;
} WantedList;

static void
add_wanted(WantedList *list, const Wanted *wanted)
{
	if (list->count == list->capacity)
	{
		list->capacity = Max(list->capacity * 2, 16);
		list->items = list->items == NULL ? palloc(sizeof(Wanted) * list->capacity) :
			repalloc(list->items, sizeof(Wanted) * list->capacity);
	}
	list->items[list->count++] = *wanted;
}

/* the workers that the definitions ask for, streams first */
static WantedList
list_wanted(const UsStream *streams, int nstreams, const UsMirror *mirrors, int nmirrors)
{
	WantedList	list = {0, 0, NULL};

	for (int i = 0; i < nstreams; i++)
	{
		const UsStream *stream = &streams[i];
		Wanted		wanted = {
			.kind = US_SLOT_STREAM,
			.definition = stream->id,
			.owner = stream->owner_oid,
			.config_version = stream->config_version,
			.worker_count = Min(stream->workers, stream->partitions)
		};

		if (!us_guc_enabled || stream->paused || us_stream_problem(stream) != NULL)
			continue;
		for (; wanted.worker_index < wanted.worker_count; wanted.worker_index++)
			add_wanted(&list, &wanted);
	}
	for (int i = 0; i < nmirrors; i++)
	{
		const UsMirror *mirror = &mirrors[i];
		Wanted		wanted = {
			.kind = US_SLOT_MIRROR,
			.definition = mirror->id,
			.owner = mirror->owner_oid,
			.config_version = mirror->config_version,
			.worker_count = 1
		};

		if (us_guc_enabled && !mirror->paused && us_mirror_problem(mirror) == NULL)
			add_wanted(&list, &wanted);
	}
	return list;
}

static Wanted *
find_wanted(const WantedList *list, const UsSlot *slot)
{
	for (int i = 0; i < list->count; i++)
	{
		Wanted	   *wanted = &list->items[i];

		if (wanted->kind == slot->kind && wanted->definition == slot->definition &&
			wanted->worker_index == slot->worker_index)
			return wanted;
	}
	return NULL;
}

/* whether the process in a slot was started for what is wanted now */
static bool
is_current(const UsSlot *slot, const Wanted *wanted)
{
	return slot->worker_count == wanted->worker_count &&
		slot->config_version == wanted->config_version &&
		slot->owner == wanted->owner;
}

static void
start_worker(int slotno, const Wanted *wanted)
{
	bool		mirror = wanted->kind == US_SLOT_MIRROR;
	UsSpawn		spawn = {
		.slotno = slotno,
		.owner = wanted->owner,
		.worker_count = wanted->worker_count,
		.config_version = wanted->config_version,
		.function = mirror ? "us_mirror_worker_main" : "us_stream_worker_main",
		.type = mirror ? "userstream mirror" : "userstream stream"
	};

	snprintf(spawn.name, sizeof(spawn.name), "%s %u/" INT64_FORMAT " #%d", spawn.type,
			 MyDatabaseId, wanted->definition, wanted->worker_index);
	us_spawn(&spawn);
}

/*
 * Start what a slot holds if its time has come; returns how long to wait
 * until then, in ms (0: nothing to wait for).
 */
static long
start_when_due(int slotno, const UsSlot *slot, const Wanted *wanted, TimestampTz now)
{
	TimestampTz due = us_spawn_due(slot);

	/* a new definition is no repetition of an old failure */
	if (due > now && is_current(slot, wanted))
		return TimestampDifferenceMilliseconds(now, due) + 1;

	start_worker(slotno, wanted);
	return 0;
}

/* the worker is wanted, but there are enough: its slot says so */
static void
note_limit(int slotno)
{
	char		error[US_ERROR_TEXT_LEN];

	snprintf(error, sizeof(error), "userstream.max_workers (%d) is reached; raise it",
			 us_guc_max_workers);
	us_slot_set_refused(slotno, false);
	us_slot_set_error(slotno, US_STATE_STARTING, error);
}

/*
 * Compare workers wanted with slots.  Returns how long the next turn can
 * wait, in ms.
 */
static long
keep_workers(WantedList *wanted)
{
	TimestampTz now = GetCurrentTimestamp();
	long		wait_ms = TURN_INTERVAL_MS;
	int			places = us_guc_max_workers > 0 ? us_guc_max_workers : US_MAX_SLOTS;
	UsSlot	   *slots;
	int		   *slotnos;
	int			nslots = us_slot_list(MyDatabaseId, &slots, &slotnos);

	for (int i = 0; i < nslots; i++)
	{
		Wanted	   *match;
		bool		allowed;

		if (slots[i].kind != US_SLOT_STREAM && slots[i].kind != US_SLOT_MIRROR)
			continue;

		match = find_wanted(wanted, &slots[i]);
		allowed = match != NULL && places > 0;
		if (match != NULL)
			match->found = true;
		if (allowed)
			places--;

		if (slots[i].pid != 0 || us_spawn_pending(slotnos[i]))
		{
			if (allowed && is_current(&slots[i], match))
				continue;
			if (!slots[i].stop)
				us_slot_request_stop(slotnos[i]);
			else if (slots[i].kind == US_SLOT_MIRROR && slots[i].pid != 0)
				/* it may wait for someone's transaction where it sees no request */
				us_slot_terminate(slotnos[i]);
		}
		else if (match == NULL)
		{
			us_spawn_forget(slotnos[i]);
			us_slot_release(slotnos[i]);
		}
		else if (!allowed)
			note_limit(slotnos[i]);
		else
		{
			long		due_ms = start_when_due(slotnos[i], &slots[i], match, now);

			if (due_ms > 0)
				wait_ms = Min(wait_ms, due_ms);
		}
	}

	for (int i = 0; i < wanted->count; i++)
	{
		const Wanted *item = &wanted->items[i];
		int			slotno;

		if (item->found)
			continue;
		slotno = us_slot_acquire(item->kind, MyDatabaseId, item->definition, item->worker_index);
		if (slotno < 0)
			continue;
		if (places-- > 0)
			start_worker(slotno, item);
		else
			note_limit(slotno);
	}
	us_spawn_note_refused(MyDatabaseId);

	return wait_ms;
}

/* a row of history a minute, and those older than a day away */
static void
write_history(TimestampTz now)
{
	if (now < next_history_at)
		return;
	next_history_at = TimestampTzPlusMilliseconds(now, HISTORY_INTERVAL_MS);

	us_history_write();
}

/* one step of it in a transaction of its own; returns when to call again, in ms */
static long
keep_retention(void)
{
	static int	letters_min = 0;
	static int	runs_min = 0;
	TimestampTz now = GetCurrentTimestamp();
	bool		more;

	/* who shortens a setting sees it at once */
	if (letters_min != us_guc_dead_letter_retention_min || runs_min != us_guc_run_retention_min)
		next_retention_at = now;
	letters_min = us_guc_dead_letter_retention_min;
	runs_min = us_guc_run_retention_min;
	if (now < next_retention_at)
		return TimestampDifferenceMilliseconds(now, next_retention_at) + 1;

	more = us_session_begin("UTC") && us_retention_step();
	us_session_commit();
	next_retention_at =
		TimestampTzPlusMilliseconds(now, more ? RETENTION_PAUSE_MS : RETENTION_INTERVAL_MS);
	return more ? RETENTION_PAUSE_MS : RETENTION_INTERVAL_MS;
}

/* stop everything in this database; it is about to be left alone */
static void
stop_all(void)
{
	WantedList	none = {0, 0, NULL};

	(void) keep_workers(&none);
}

/* nobody is to be in a template, or where connections are not allowed */
static bool
database_is_open(void)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(MyDatabaseId));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		result = database->datallowconn && !database->datistemplate;
		ReleaseSysCache(tuple);
	}
	return result;
}

/*
 * One turn.  Returns how long the next can wait, in ms; -1 when there is
 * nothing to do here: the extension is not there, or nobody may connect.
 */
static long
supervise(void)
{
	UsStream   *streams = NULL;
	UsMirror   *mirrors = NULL;
	WantedList	wanted = {0, 0, NULL};
	int			nstreams = 0;
	int			nmirrors = 0;
	bool		present;
	bool		open;
	long		wait_ms;
	MemoryContext context = CurrentMemoryContext;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	us_session_apply("UTC");
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);

	open = database_is_open();
	present = us_extension_hold();
	if (present && open)
	{
		streams = us_catalog_streams(&nstreams);
		mirrors = us_mirrors(&nmirrors);
		us_incident_follow_problems(streams, nstreams, mirrors, nmirrors);
		us_rename_follow(streams, nstreams, mirrors, nmirrors);
		wanted = list_wanted(streams, nstreams, mirrors, nmirrors);
		write_history(GetCurrentTimestamp());
		us_feed_end_lost_runs(0);
	}

	PopActiveSnapshot();
	CommitTransactionCommand();
	pgstat_report_stat(true);
	MemoryContextSwitchTo(context);

	if (!present)
		us_database_set_idle(MyDatabaseId,
							 TimestampTzPlusMilliseconds(GetCurrentTimestamp(), IDLE_INTERVAL_MS));
	if (!present || !open)
	{
		stop_all();
		/* nobody else would free slots that mirrors had, so a busy one is waited for */
		return present || us_mirror_slots_clean(NULL, 0) ? -1 : SLOT_INTERVAL_MS;
	}
	wait_ms = Min(keep_workers(&wanted), us_balance_step(streams, nstreams));
	if (!us_mirror_slots_clean(mirrors, nmirrors))
		wait_ms = Min(wait_ms, SLOT_INTERVAL_MS);
	return Min(wait_ms, keep_retention());
}

/*
 * Errors that a turn may meet and the next one may not: DROP EXTENSION takes
 * our tables away, or someone holds a lock on them.
 */
static bool
is_passing(int code)
{
	return code == ERRCODE_UNDEFINED_TABLE || code == ERRCODE_UNDEFINED_SCHEMA ||
		code == ERRCODE_UNDEFINED_FUNCTION || code == ERRCODE_UNDEFINED_OBJECT ||
		code == ERRCODE_OBJECT_IN_USE ||
		code == ERRCODE_LOCK_NOT_AVAILABLE || code == ERRCODE_T_R_DEADLOCK_DETECTED;
}

static long
supervise_through_errors(void)
{
	MemoryContext context = CurrentMemoryContext;
	volatile long wait_ms = 0;

	PG_TRY();
	{
		wait_ms = supervise();
	}
	PG_CATCH();
	{
		if (!is_passing(geterrcode()))
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
		AbortCurrentTransaction();
		MemoryContextSwitchTo(context);
		wait_ms = 1000;
	}
	PG_END_TRY();

	return wait_ms;
}

void
us_supervisor_main(Datum arg)
{
	MemoryContext context;
	UsSlot		slot;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	if (!us_spawn_attach(arg, &slot))
		return;
	BackgroundWorkerInitializeConnectionByOid(slot.database, InvalidOid, 0);
	pgstat_report_appname("userstream: supervisor");
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_SUSET, PGC_S_OVERRIDE);
	us_slot_report(US_STATE_RUNNING, 0);

	context = AllocSetContextCreate(TopMemoryContext, "userstream supervisor",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);

	while (!us_slot_stop_requested() && !us_hold_exists(MyDatabaseId))
	{
		long		wait_ms;

		CHECK_FOR_INTERRUPTS();
		us_process_main_loop_interrupts();

		wait_ms = supervise_through_errors();
		MemoryContextReset(context);
		if (wait_ms < 0)
			break;

		pgstat_report_activity(STATE_IDLE, NULL);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 wait_ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}
