/*-------------------------------------------------------------------------
 * worker/launcher.c
 *    one per cluster: finds databases and keeps a supervisor in each
 *
 * It is in no database, so it cannot see whether the extension is there: the
 * supervisor that it starts looks, stays if it is, and else marks the
 * database as idle and leaves.  What runs is compared with what should run at
 * each turn, so a lost wake-up costs time and nothing else.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "extension/compat.h"
#include "extension/guc.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "worker/launcher.h"
#include "worker/spawn.h"

#define LAUNCHER_RESTART_S		5
#define SCAN_INTERVAL_MS		60000	/* new databases show up within this time unless poked */
#define MAX_STARTING			4	/* supervisors at a time: probes must leave room */

void
us_launcher_register(void)
{
	BackgroundWorker worker;

	memset(&worker, 0, sizeof(worker));
	strlcpy(worker.bgw_library_name, "userstream", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "us_launcher_main", sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, "userstream launcher", sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, "userstream launcher", sizeof(worker.bgw_type));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = LAUNCHER_RESTART_S;
	RegisterBackgroundWorker(&worker);
}

/* databases that one can connect to and that are nobody's template */
static int
list_databases(Oid **databases)
{
	MemoryContext caller = CurrentMemoryContext;
	Relation	relation;
	TableScanDesc scan;
	HeapTuple	tuple;
	int			count = 0;
	int			capacity = 64;
	Oid		   *result = palloc(sizeof(Oid) * capacity);

	StartTransactionCommand();
	(void) GetTransactionSnapshot();

	relation = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(relation, 0, NULL);
	while ((tuple = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Form_pg_database database = (Form_pg_database) GETSTRUCT(tuple);

		if (!database->datallowconn || database->datistemplate)
			continue;
		if (count == capacity)
		{
			capacity *= 2;
			result = repalloc(result, sizeof(Oid) * capacity);
		}
		result[count++] = database->oid;
	}
	table_endscan(scan);
	table_close(relation, AccessShareLock);

	CommitTransactionCommand();
	MemoryContextSwitchTo(caller);

	*databases = result;
	return count;
}

static bool
is_listed(Oid database, const Oid *databases, int count)
{
	for (int i = 0; i < count; i++)
		if (databases[i] == database)
			return true;
	return false;
}

static int
find_supervisor(Oid database, const UsSlot *slots, int count)
{
	for (int i = 0; i < count; i++)
		if (slots[i].kind == US_SLOT_SUPERVISOR && slots[i].database == database)
			return i;
	return -1;
}

static void
start_supervisor(Oid database, int slotno)
{
	UsSpawn		spawn = {
		.slotno = slotno,
		.owner = InvalidOid,
		.worker_count = 1,
		.config_version = 0,
		.function = "us_supervisor_main",
		.type = "userstream supervisor"
	};

	snprintf(spawn.name, sizeof(spawn.name), "userstream supervisor %u", database);
	us_spawn(&spawn);
}

/*
 * One turn: give back what is not wanted, start what is missing.  Returns
 * how long the next turn can wait, in ms.
 */
static long
keep_supervisors(void)
{
	TimestampTz now = GetCurrentTimestamp();
	long		wait_ms = SCAN_INTERVAL_MS;
	int			starting = 0;
	UsSlot	   *slots;
	int		   *slotnos;
	Oid		   *databases;
	int			ndatabases = list_databases(&databases);
	int			nslots = us_slot_list(InvalidOid, &slots, &slotnos);

	for (int i = 0; i < nslots; i++)
	{
		if (slots[i].kind != US_SLOT_SUPERVISOR || slots[i].pid != 0)
			continue;
		if (us_spawn_pending(slotnos[i]))
			starting++;
		else if (!is_listed(slots[i].database, databases, ndatabases) ||
				 us_database_is_idle(slots[i].database, now))
		{
			us_spawn_forget(slotnos[i]);
			us_slot_release(slotnos[i]);
		}
	}

	for (int i = 0; i < ndatabases; i++)
	{
		Oid			database = databases[i];
		int			found = find_supervisor(database, slots, nslots);
		int			slotno;

		if (us_database_is_idle(database, now) || us_hold_exists(database))
			continue;
		if (found >= 0)
		{
			TimestampTz due = us_spawn_due(&slots[found]);

			if (slots[found].pid != 0 || us_spawn_pending(slotnos[found]))
				continue;
			if (due > now)
			{
				wait_ms = Min(wait_ms, TimestampDifferenceMilliseconds(now, due) + 1);
				continue;
			}
			slotno = slotnos[found];
		}
		else
			slotno = us_slot_acquire(US_SLOT_SUPERVISOR, database, 0, 0);

		if (slotno < 0 || starting >= MAX_STARTING)
		{
			if (found < 0 && slotno >= 0)
				us_slot_release(slotno);
			wait_ms = Min(wait_ms, 1000);
			continue;
		}
		start_supervisor(database, slotno);
		starting++;
	}
	us_spawn_note_refused(InvalidOid);

	return wait_ms;
}

void
us_launcher_main(Datum arg)
{
	MemoryContext context;

	(void) arg;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();

	us_launcher_attach();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	pgstat_report_appname("userstream: launcher");

	context = AllocSetContextCreate(TopMemoryContext, "userstream launcher",
									ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);

	for (;;)
	{
		long		wait_ms;

		CHECK_FOR_INTERRUPTS();
		us_process_main_loop_interrupts();

		wait_ms = keep_supervisors();
		MemoryContextReset(context);
		pgstat_report_activity(STATE_IDLE, NULL);

		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 wait_ms, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}
