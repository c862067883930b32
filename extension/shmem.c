/*-------------------------------------------------------------------------
 * extension/shmem.c
 *    what the processes of userstream share: the memory, and the slots in it
 *
 * A few fixed arrays and one hash table under one lock.  They are small and
 * touched once a batch at most, so nothing finer is needed.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "extension/shmem_internal.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"

UsShared   *us_shared = NULL;
HTAB	   *us_shared_partitions = NULL;

static shmem_request_hook_type prev_shmem_request_hook = NULL;
static shmem_startup_hook_type prev_shmem_startup_hook = NULL;

/* in a process of ours: its slot */
static int	my_slotno = -1;
static uint32 my_generation = 0;

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

	us_shared = ShmemInitStruct("userstream", sizeof(UsShared), &found);
	if (!found)
	{
		memset(us_shared, 0, sizeof(UsShared));
		ConditionVariableInit(&us_shared->committed);
		us_shared->lock = &(GetNamedLWLockTranche("userstream"))->lock;
	}

	info.keysize = sizeof(UsPartitionKey);
	info.entrysize = sizeof(UsPartitionLive);
	us_shared_partitions = ShmemInitHash("userstream partitions",
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
	return us_shared != NULL;
}

/*
 * Slots
 */

int
us_slot_acquire(UsSlotKind kind, Oid database, int64 definition, int worker_index)
{
	int			slotno = -1;

	if (us_shared == NULL)
		return -1;

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < US_MAX_SLOTS; i++)
	{
		UsSlot	   *slot = &us_shared->slots[i];

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
	LWLockRelease(us_shared->lock);

	return slotno;
}

void
us_slot_release(int slotno)
{
	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	us_shared->slots[slotno].kind = US_SLOT_FREE;
	us_shared->slots[slotno].generation++;
	LWLockRelease(us_shared->lock);
}

int
us_slot_list(Oid database, UsSlot **slots, int **slotnos)
{
	int			count = 0;

	if (us_shared == NULL)
	{
		*slots = NULL;
		*slotnos = NULL;
		return 0;
	}

	/* allocate first: nothing may fail while the lock is held */
	*slots = palloc(sizeof(UsSlot) * US_MAX_SLOTS);
	*slotnos = palloc(sizeof(int) * US_MAX_SLOTS);

	LWLockAcquire(us_shared->lock, LW_SHARED);
	for (int i = 0; i < US_MAX_SLOTS; i++)
	{
		const UsSlot *slot = &us_shared->slots[i];

		if (slot->kind == US_SLOT_FREE ||
			(OidIsValid(database) && slot->database != database))
			continue;
		(*slots)[count] = *slot;
		(*slotnos)[count] = i;
		count++;
	}
	LWLockRelease(us_shared->lock);

	return count;
}

const UsSlot *
us_slot_of_pid(const UsSlot *slots, int count, int64 stream, pid_t pid)
{
	for (int i = 0; i < count; i++)
		if (slots[i].kind == US_SLOT_STREAM && slots[i].definition == stream &&
			slots[i].pid == pid && pid != 0)
			return &slots[i];
	return NULL;
}

bool
us_slot_get(int slotno, UsSlot *slot)
{
	LWLockAcquire(us_shared->lock, LW_SHARED);
	*slot = us_shared->slots[slotno];
	LWLockRelease(us_shared->lock);

	return slot->kind != US_SLOT_FREE;
}

uint32
us_slot_prepare_start(int slotno, Oid owner, int worker_count, int config_version)
{
	UsSlot	   *slot = &us_shared->slots[slotno];
	TimestampTz now = GetCurrentTimestamp();
	uint32		generation;

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	slot->owner = owner;
	slot->worker_count = worker_count;
	slot->config_version = config_version;
	slot->stop = false;
	slot->refused = false;
	slot->started_at = now;
	generation = ++slot->generation;
	LWLockRelease(us_shared->lock);

	return generation;
}

void
us_slot_request_stop(int slotno)
{
	UsSlot	   *slot = &us_shared->slots[slotno];

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	slot->stop = true;
	us_shmem_wake_process(slot->pid, slot->pgprocno);
	LWLockRelease(us_shared->lock);
}

void
us_slot_request_successor(void)
{
	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	us_shared->slots[my_slotno].stop = true;
	LWLockRelease(us_shared->lock);
}

void
us_slot_terminate(int slotno)
{
	LWLockAcquire(us_shared->lock, LW_SHARED);
	if (us_shared->slots[slotno].pid != 0 && us_shared->slots[slotno].stop)
		kill(us_shared->slots[slotno].pid, SIGTERM);
	LWLockRelease(us_shared->lock);
}

void
us_slot_set_failures(int slotno, int failures)
{
	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	us_shared->slots[slotno].failures = failures;
	LWLockRelease(us_shared->lock);
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
	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	us_shared->slots[slotno].refused = refused;
	LWLockRelease(us_shared->lock);
}

void
us_slot_set_error(int slotno, UsState state, const char *error)
{
	TimestampTz now = GetCurrentTimestamp();

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	note_error(&us_shared->slots[slotno], state, error, now);
	LWLockRelease(us_shared->lock);
}

/*
 * Only our own pid is cleared: a successor may sit in the slot already.
 */
static void
detach_slot(int code, Datum arg)
{
	UsSlot	   *slot = &us_shared->slots[my_slotno];
	UsSlotKind	kind;
	Oid			database;

	(void) code;
	(void) arg;

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	kind = slot->kind;
	database = slot->database;
	if (slot->pid == MyProcPid)
	{
		slot->pid = 0;
		slot->rows_per_second = 0;
		if (slot->state == US_STATE_RUNNING || slot->state == US_STATE_CAUGHT_UP)
			slot->state = US_STATE_STARTING;
	}
	LWLockRelease(us_shared->lock);

	/* the postmaster tells it to who started us, who may have had a successor since */
	if (kind == US_SLOT_SUPERVISOR)
		us_wake_launcher();
	else
		us_wake_supervisor(database);
}

bool
us_slot_attach(int slotno, uint32 generation, UsSlot *copy)
{
	UsSlot	   *slot = &us_shared->slots[slotno];
	bool		attached = false;

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	if (slot->kind != US_SLOT_FREE && slot->generation == generation &&
		slot->pid == 0 && !slot->stop && !us_shmem_is_held(slot->database))
	{
		slot->pid = MyProcPid;
		slot->pgprocno = MyProc - ProcGlobal->allProcs;
		memset(slot->stage_us, 0, sizeof(slot->stage_us));
		slot->limit = US_LIMIT_NONE;
		attached = true;
	}
	*copy = *slot;
	LWLockRelease(us_shared->lock);

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
	const UsSlot *slot = &us_shared->slots[my_slotno];
	bool		stop;

	LWLockAcquire(us_shared->lock, LW_SHARED);
	stop = slot->stop || slot->generation != my_generation;
	LWLockRelease(us_shared->lock);

	return stop;
}

void
us_slot_report(UsState state, double rows_per_second)
{
	UsSlot	   *slot = &us_shared->slots[my_slotno];

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	slot->state = state;
	slot->rows_per_second = rows_per_second;
	LWLockRelease(us_shared->lock);
}

void
us_slot_report_error(UsState state, const char *error)
{
	us_slot_set_error(my_slotno, state, error);
}

void
us_slot_report_recovered(void)
{
	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	us_shared->slots[my_slotno].failing_since = 0;
	LWLockRelease(us_shared->lock);
}

void
us_slot_report_stages(const int64 *stage_us)
{
	UsSlot	   *slot = &us_shared->slots[my_slotno];

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	memcpy(slot->stage_us, stage_us, sizeof(slot->stage_us));
	LWLockRelease(us_shared->lock);
}

void
us_slot_report_limit(UsLimit limit, double share)
{
	UsSlot	   *slot = &us_shared->slots[my_slotno];

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	slot->limit = limit;
	slot->limit_share = share;
	LWLockRelease(us_shared->lock);
}

void
us_slot_report_mirror(const UsMirrorLive *live)
{
	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	us_shared->slots[my_slotno].mirror = *live;
	LWLockRelease(us_shared->lock);
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

const char *
us_stage_name(UsStage stage)
{
	switch (stage)
	{
		case US_STAGE_FETCH_WAIT:
			return "fetch_wait";
		case US_STAGE_FETCH:
			return "fetch";
		case US_STAGE_DECODE:
			return "decode";
		case US_STAGE_CONVERT:
			return "convert";
		case US_STAGE_TRANSFORM:
			return "transform";
		case US_STAGE_INSERT:
			return "insert";
		case US_STAGE_INDEX:
			return "index";
		case US_STAGE_COMMIT:
			return "commit";
		case US_STAGE_RETRY_WAIT:
			return "retry_wait";
		case US_STAGE_IDLE:
			return "idle";
		case US_STAGE_COUNT:
			break;
	}
	return NULL;
}
