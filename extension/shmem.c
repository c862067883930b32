/*-------------------------------------------------------------------------
 * extension/shmem.c
 *    what the processes of userstream share
 *
 * A few fixed arrays and one hash table under one lock.  They are small and
 * touched once a batch at most, so nothing finer is needed.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "access/xact.h"
#include "extension/shmem.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/condition_variable.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lwlock.h"
#include "storage/shmem.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

/* someone is about to drop, rename, move or copy a database */
typedef struct UsHold
{
	Oid			database;		/* InvalidOid = free */
	pid_t		pid;			/* backend that runs the command */
} UsHold;

typedef struct UsIdleDatabase
{
	Oid			database;		/* InvalidOid = free */
	TimestampTz until;
} UsIdleDatabase;

typedef struct UsShared
{
	LWLock	   *lock;			/* guards all below and the partition hash */
	ConditionVariable committed;	/* a worker moved a position; guards itself */
	pid_t		launcher_pid;	/* 0 = none; written by the launcher */
	int			launcher_pgprocno;
	UsSlot		slots[US_MAX_SLOTS];
	UsHold		holds[US_MAX_HOLDS];
	UsIdleDatabase idle[US_MAX_DATABASES];
} UsShared;

static UsShared *shared = NULL;
static HTAB *partitions = NULL;

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

/* in a process of ours: its slot */
static int	my_slotno = -1;
static uint32 my_generation = 0;

/* something to tell the supervisor when the transaction commits */
static bool wake_pending = false;

static void
request_shmem(void)
{
	if (prev_shmem_request_hook)
		prev_shmem_request_hook();

	RequestAddinShmemSpace(sizeof(UsShared));
	RequestAddinShmemSpace(hash_estimate_size(US_MAX_PARTITIONS, sizeof(UsPartitionLive)));
	RequestNamedLWLockTranche("userstream", 1);
}

static void
startup_shmem(void)
{
	HASHCTL		info;
	bool		found;

	if (prev_shmem_startup_hook)
		prev_shmem_startup_hook();

	LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);

	shared = ShmemInitStruct("userstream", sizeof(UsShared), &found);
	if (!found)
	{
		memset(shared, 0, sizeof(UsShared));
		ConditionVariableInit(&shared->committed);
		shared->lock = &(GetNamedLWLockTranche("userstream"))->lock;
	}

	info.keysize = sizeof(UsPartitionKey);
	info.entrysize = sizeof(UsPartitionLive);
	partitions = ShmemInitHash("userstream partitions",
							   US_MAX_PARTITIONS, US_MAX_PARTITIONS,
							   &info, HASH_ELEM | HASH_BLOBS);

	LWLockRelease(AddinShmemInitLock);
}

void
us_shmem_init(void)
{
	prev_shmem_request_hook = shmem_request_hook;
	shmem_request_hook = request_shmem;
	prev_shmem_startup_hook = shmem_startup_hook;
	shmem_startup_hook = startup_shmem;
}

bool
us_shmem_available(void)
{
	return shared != NULL;
}

/* the lock must be held */
static void
wake_process(pid_t pid, int pgprocno)
{
	Assert(LWLockHeldByMe(shared->lock));

	if (pid != 0)
		SetLatch(&ProcGlobal->allProcs[pgprocno].procLatch);
}

/*
 * Slots
 */

int
us_slot_acquire(UsSlotKind kind, Oid database, int64 definition, int worker_index)
{
	int			slotno = -1;

	if (shared == NULL)
		return -1;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < US_MAX_SLOTS; i++)
	{
		UsSlot	   *slot = &shared->slots[i];

		if (slot->kind != US_SLOT_FREE)
			continue;
		/* the generation goes on counting, so that a process of the slot's past is known */
		memset((char *) slot + offsetof(UsSlot, stop), 0, sizeof(UsSlot) - offsetof(UsSlot, stop));
		slot->kind = kind;
		slot->database = database;
		slot->owner = InvalidOid;
		slot->definition = definition;
		slot->worker_index = worker_index;
		slot->worker_count = 0;
		slot->config_version = 0;
		slot->state = US_STATE_STARTING;
		slotno = i;
		break;
	}
	LWLockRelease(shared->lock);

	return slotno;
}

void
us_slot_release(int slotno)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->slots[slotno].kind = US_SLOT_FREE;
	shared->slots[slotno].generation++;
	LWLockRelease(shared->lock);
}

int
us_slot_list(Oid database, UsSlot **slots, int **slotnos)
{
	int			count = 0;

	if (shared == NULL)
	{
		*slots = NULL;
		*slotnos = NULL;
		return 0;
	}

	/* allocate first: nothing may fail while the lock is held */
	*slots = palloc(sizeof(UsSlot) * US_MAX_SLOTS);
	*slotnos = palloc(sizeof(int) * US_MAX_SLOTS);

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < US_MAX_SLOTS; i++)
	{
		const UsSlot *slot = &shared->slots[i];

		if (slot->kind == US_SLOT_FREE ||
			(OidIsValid(database) && slot->database != database))
			continue;
		(*slots)[count] = *slot;
		(*slotnos)[count] = i;
		count++;
	}
	LWLockRelease(shared->lock);

	return count;
}

bool
us_slot_get(int slotno, UsSlot *slot)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	*slot = shared->slots[slotno];
	LWLockRelease(shared->lock);

	return slot->kind != US_SLOT_FREE;
}

uint32
us_slot_prepare_start(int slotno, Oid owner, int worker_count, int config_version)
{
	UsSlot	   *slot = &shared->slots[slotno];
	TimestampTz now = GetCurrentTimestamp();
	uint32		generation;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->owner = owner;
	slot->worker_count = worker_count;
	slot->config_version = config_version;
	slot->stop = false;
	slot->refused = false;
	slot->started_at = now;
	generation = ++slot->generation;
	LWLockRelease(shared->lock);

	return generation;
}

void
us_slot_request_stop(int slotno)
{
	UsSlot	   *slot = &shared->slots[slotno];

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->stop = true;
	wake_process(slot->pid, slot->pgprocno);
	LWLockRelease(shared->lock);
}

void
us_slot_terminate(int slotno)
{
	LWLockAcquire(shared->lock, LW_SHARED);
	if (shared->slots[slotno].pid != 0 && shared->slots[slotno].stop)
		kill(shared->slots[slotno].pid, SIGTERM);
	LWLockRelease(shared->lock);
}

void
us_slot_set_failures(int slotno, int failures)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->slots[slotno].failures = failures;
	LWLockRelease(shared->lock);
}

/* the lock must be held */
static void
note_error(UsSlot *slot, UsState state, const char *error, TimestampTz now)
{
	slot->state = state;
	strlcpy(slot->last_error, error, US_ERROR_TEXT_LEN);
	slot->last_error_at = now;
	if (slot->failing_since == 0)
		slot->failing_since = now;
}

void
us_slot_set_refused(int slotno, bool refused)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->slots[slotno].refused = refused;
	LWLockRelease(shared->lock);
}

void
us_slot_set_error(int slotno, UsState state, const char *error)
{
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	note_error(&shared->slots[slotno], state, error, now);
	LWLockRelease(shared->lock);
}

/*
 * Only our own pid is cleared: a successor may sit in the slot already.
 */
static void
detach_slot(int code, Datum arg)
{
	UsSlot	   *slot = &shared->slots[my_slotno];
	UsSlotKind	kind;
	Oid			database;

	(void) code;
	(void) arg;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	kind = slot->kind;
	database = slot->database;
	if (slot->pid == MyProcPid)
	{
		slot->pid = 0;
		slot->rows_per_second = 0;
		if (slot->state == US_STATE_RUNNING || slot->state == US_STATE_CAUGHT_UP)
			slot->state = US_STATE_STARTING;
	}
	LWLockRelease(shared->lock);

	/* the postmaster tells it to who started us, who may have had a successor since */
	if (kind == US_SLOT_SUPERVISOR)
		us_wake_launcher();
	else
		us_wake_supervisor(database);
}

bool
us_slot_attach(int slotno, uint32 generation, UsSlot *copy)
{
	UsSlot	   *slot = &shared->slots[slotno];
	bool		attached = false;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (slot->kind != US_SLOT_FREE && slot->generation == generation &&
		slot->pid == 0 && !slot->stop)
	{
		bool		held = false;

		for (int i = 0; i < US_MAX_HOLDS; i++)
			held |= shared->holds[i].database == slot->database;
		if (!held)
		{
			slot->pid = MyProcPid;
			slot->pgprocno = MyProc - ProcGlobal->allProcs;
			attached = true;
		}
	}
	*copy = *slot;
	LWLockRelease(shared->lock);

	if (attached)
	{
		my_slotno = slotno;
		my_generation = generation;
		before_shmem_exit(detach_slot, (Datum) 0);
	}
	return attached;
}

bool
us_slot_stop_requested(void)
{
	const UsSlot *slot = &shared->slots[my_slotno];
	bool		stop;

	LWLockAcquire(shared->lock, LW_SHARED);
	stop = slot->stop || slot->generation != my_generation;
	LWLockRelease(shared->lock);

	return stop;
}

void
us_slot_report(UsState state, double rows_per_second)
{
	UsSlot	   *slot = &shared->slots[my_slotno];

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	slot->state = state;
	slot->rows_per_second = rows_per_second;
	LWLockRelease(shared->lock);
}

void
us_slot_report_error(UsState state, const char *error)
{
	us_slot_set_error(my_slotno, state, error);
}

void
us_slot_report_recovered(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->slots[my_slotno].failing_since = 0;
	LWLockRelease(shared->lock);
}

void
us_slot_report_mirror(const UsMirrorLive *live)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->slots[my_slotno].mirror = *live;
	LWLockRelease(shared->lock);
}

/*
 * Live partitions.  When the table is full, the views show NULL for the rest.
 */

void
us_partition_report(const UsPartitionLive *live)
{
	UsPartitionLive *entry;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	entry = hash_search(partitions, &live->key, HASH_ENTER_NULL, NULL);
	if (entry != NULL)
		*entry = *live;
	LWLockRelease(shared->lock);
}

bool
us_partition_get(Oid database, int64 stream, int32 partition, UsPartitionLive *live)
{
	UsPartitionKey key;
	const UsPartitionLive *entry;

	if (shared == NULL)
		return false;

	memset(&key, 0, sizeof(key));
	key.database = database;
	key.stream = stream;
	key.partition = partition;

	LWLockAcquire(shared->lock, LW_SHARED);
	entry = hash_search(partitions, &key, HASH_FIND, NULL);
	if (entry != NULL)
		*live = *entry;
	LWLockRelease(shared->lock);

	return entry != NULL;
}

void
us_partition_forget(Oid database, int64 stream)
{
	HASH_SEQ_STATUS scan;
	UsPartitionLive *entry;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	hash_seq_init(&scan, partitions);
	while ((entry = hash_seq_search(&scan)) != NULL)
	{
		if (entry->key.database == database && entry->key.stream == stream)
			hash_search(partitions, &entry->key, HASH_REMOVE, NULL);
	}
	LWLockRelease(shared->lock);
}

/*
 * Commits
 */

void
us_commit_announce(void)
{
	ConditionVariableBroadcast(&shared->committed);
}

void
us_commit_watch(void)
{
	if (shared != NULL)
		ConditionVariablePrepareToSleep(&shared->committed);
}

bool
us_commit_wait(long timeout_ms)
{
	int			events;

	if (shared != NULL)
		return !ConditionVariableTimedSleep(&shared->committed, timeout_ms, PG_WAIT_EXTENSION);

	events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					   timeout_ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return (events & WL_TIMEOUT) == 0;
}

void
us_commit_unwatch(void)
{
	if (shared != NULL)
		ConditionVariableCancelSleep();
}

/*
 * Waking
 */

static void
wake_kind(UsSlotKind kind, Oid database)
{
	if (shared == NULL)
		return;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < US_MAX_SLOTS; i++)
	{
		const UsSlot *slot = &shared->slots[i];

		if (slot->kind == kind && slot->database == database)
			wake_process(slot->pid, slot->pgprocno);
	}
	LWLockRelease(shared->lock);
}

void
us_wake_supervisor(Oid database)
{
	wake_kind(US_SLOT_SUPERVISOR, database);
}

void
us_wake_mirrors(Oid database)
{
	wake_kind(US_SLOT_MIRROR, database);
}

void
us_wake_launcher(void)
{
	if (shared == NULL)
		return;

	LWLockAcquire(shared->lock, LW_SHARED);
	wake_process(shared->launcher_pid, shared->launcher_pgprocno);
	LWLockRelease(shared->lock);
}

void
us_wake_at_commit(void)
{
	wake_pending = true;
}

static void
wake_after_commit(XactEvent event, void *arg)
{
	(void) arg;

	if (!wake_pending)
		return;

	switch (event)
	{
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_PARALLEL_COMMIT:
			us_database_set_idle(MyDatabaseId, 0);
			us_wake_supervisor(MyDatabaseId);
			us_wake_launcher();
			wake_pending = false;
			break;
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PARALLEL_ABORT:
		case XACT_EVENT_PREPARE:
			/* a prepared one is found by the supervisor's regular look */
			wake_pending = false;
			break;
		default:
			break;
	}
}

void
us_wake_init(void)
{
	RegisterXactCallback(wake_after_commit, NULL);
}

static void
detach_launcher(int code, Datum arg)
{
	(void) code;
	(void) arg;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	if (shared->launcher_pid == MyProcPid)
		shared->launcher_pid = 0;
	LWLockRelease(shared->lock);
}

void
us_launcher_attach(void)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	shared->launcher_pid = MyProcPid;
	shared->launcher_pgprocno = MyProc - ProcGlobal->allProcs;
	LWLockRelease(shared->lock);

	before_shmem_exit(detach_launcher, (Datum) 0);
}

bool
us_database_is_idle(Oid database, TimestampTz now)
{
	bool		idle = false;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < US_MAX_DATABASES && !idle; i++)
		idle = shared->idle[i].database == database && shared->idle[i].until > now;
	LWLockRelease(shared->lock);

	return idle;
}

/*
 * Takes the database's own entry, else a free one, else one whose time is
 * up.  With none of these the database is just looked at more often.
 */
void
us_database_set_idle(Oid database, TimestampTz until)
{
	TimestampTz now = GetCurrentTimestamp();
	UsIdleDatabase *place = NULL;

	if (shared == NULL)
		return;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < US_MAX_DATABASES; i++)
	{
		UsIdleDatabase *entry = &shared->idle[i];

		if (entry->database == database)
		{
			place = entry;
			break;
		}
		if (place == NULL && (!OidIsValid(entry->database) || entry->until <= now))
			place = entry;
	}
	if (place != NULL)
	{
		place->database = until > now ? database : InvalidOid;
		place->until = until;
	}
	LWLockRelease(shared->lock);
}

/*
 * Holds
 */

bool
us_hold_acquire(Oid database)
{
	bool		acquired = false;

	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < US_MAX_HOLDS && !acquired; i++)
	{
		UsHold	   *hold = &shared->holds[i];

		if (OidIsValid(hold->database))
			continue;
		hold->database = database;
		hold->pid = MyProcPid;
		acquired = true;
	}
	LWLockRelease(shared->lock);

	return acquired;
}

void
us_hold_release(Oid database)
{
	LWLockAcquire(shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < US_MAX_HOLDS; i++)
	{
		UsHold	   *hold = &shared->holds[i];

		if (hold->database == database && hold->pid == MyProcPid)
			hold->database = InvalidOid;
	}
	LWLockRelease(shared->lock);
}

bool
us_hold_exists(Oid database)
{
	bool		held = false;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < US_MAX_HOLDS; i++)
		held |= shared->holds[i].database == database;
	LWLockRelease(shared->lock);

	return held;
}

/*
 * A process that was asked for but has not attached yet is no obstacle: it
 * looks for holds before it connects to the database.
 */
int
us_hold_evict(Oid database)
{
	int			count = 0;

	LWLockAcquire(shared->lock, LW_SHARED);
	for (int i = 0; i < US_MAX_SLOTS; i++)
	{
		const UsSlot *slot = &shared->slots[i];

		if (slot->kind == US_SLOT_FREE || slot->database != database || slot->pid == 0)
			continue;
		kill(slot->pid, SIGTERM);
		count++;
	}
	LWLockRelease(shared->lock);

	return count;
}

const char *
us_state_name(UsState state)
{
	switch (state)
	{
		case US_STATE_NONE:
			break;
		case US_STATE_CAUGHT_UP:
			return "caught_up";
		case US_STATE_RUNNING:
			return "running";
		case US_STATE_STARTING:
			return "starting";
		case US_STATE_WAITING:
			return "waiting";
		case US_STATE_BLOCKED:
			return "blocked";
		case US_STATE_PAUSED:
			return "paused";
		case US_STATE_STOPPED:
			return "stopped";
	}
	return NULL;
}
