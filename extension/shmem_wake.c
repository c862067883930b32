/*-------------------------------------------------------------------------
 * extension/shmem_wake.c
 *    who is woken when something happened: by latch, or by commits of workers
 *
 * A wake is a hint: whoever is woken looks at regular times anyway.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "extension/shmem_internal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"

/* something to tell the supervisor when the transaction commits */
static bool wake_pending = false;

void
us_shmem_wake_process(pid_t pid, int pgprocno)
{
	Assert(LWLockHeldByMe(us_shared->lock));

	if (pid != 0)
		SetLatch(&ProcGlobal->allProcs[pgprocno].procLatch);
}

static void
wake_kind(UsSlotKind kind, Oid database)
{
	if (us_shared == NULL)
		return;

	LWLockAcquire(us_shared->lock, LW_SHARED);
	for (int i = 0; i < US_MAX_SLOTS; i++)
	{
		const UsSlot *slot = &us_shared->slots[i];

		if (slot->kind == kind && slot->database == database)
			us_shmem_wake_process(slot->pid, slot->pgprocno);
	}
	LWLockRelease(us_shared->lock);
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
	if (us_shared == NULL)
		return;

	LWLockAcquire(us_shared->lock, LW_SHARED);
	us_shmem_wake_process(us_shared->launcher_pid, us_shared->launcher_pgprocno);
	LWLockRelease(us_shared->lock);
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

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	if (us_shared->launcher_pid == MyProcPid)
		us_shared->launcher_pid = 0;
	LWLockRelease(us_shared->lock);
}

void
us_launcher_attach(void)
{
	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	us_shared->launcher_pid = MyProcPid;
	us_shared->launcher_pgprocno = MyProc - ProcGlobal->allProcs;
	LWLockRelease(us_shared->lock);

	before_shmem_exit(detach_launcher, (Datum) 0);
}

/*
 * Commits of workers.
 */

void
us_commit_announce(void)
{
	ConditionVariableBroadcast(&us_shared->committed);
}

void
us_commit_watch(void)
{
	if (us_shared != NULL)
		ConditionVariablePrepareToSleep(&us_shared->committed);
}

bool
us_commit_wait(long timeout_ms)
{
	int			events;

	if (us_shared != NULL)
		return !ConditionVariableTimedSleep(&us_shared->committed, timeout_ms, PG_WAIT_EXTENSION);

	events = WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
					   timeout_ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
	return (events & WL_TIMEOUT) == 0;
}

void
us_commit_unwatch(void)
{
	if (us_shared != NULL)
		ConditionVariableCancelSleep();
}
