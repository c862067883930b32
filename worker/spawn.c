/*-------------------------------------------------------------------------
 * worker/spawn.c
 *    starting background workers that sit in slots
 *
 * The postmaster never restarts them: who started a process sees it end and
 * decides, so that a stream that always fails cannot spin.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/guc.h"
#include "miscadmin.h"
#include "postmaster/bgworker.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/spawn.h"

#define MAX_RESTART_INTERVAL_MS	60000	/* design choice: a minute at most */
#define MAX_DOUBLINGS			10

/* of this process's children, by slot number */
static BackgroundWorkerHandle *handles[US_MAX_SLOTS];

bool
us_spawn(const UsSpawn *spawn)
{
	BackgroundWorker worker;
	MemoryContext old;
	UsSlot		slot;
	uint32		generation;
	bool		registered;

	if (!us_slot_get(spawn->slotno, &slot))
		return false;
	us_spawn_forget(spawn->slotno);

	/* it counts as failed until it has lasted, or was asked to stop */
	if (slot.stop || slot.started_at == 0 ||
		TimestampDifferenceExceeds(slot.started_at, GetCurrentTimestamp(), MAX_RESTART_INTERVAL_MS))
		us_slot_set_failures(spawn->slotno, 0);
	else
		us_slot_set_failures(spawn->slotno, Min(slot.failures + 1, MAX_DOUBLINGS));

	generation = us_slot_prepare_start(spawn->slotno, spawn->owner, spawn->worker_count,
									   spawn->config_version);

	memset(&worker, 0, sizeof(worker));
	strlcpy(worker.bgw_library_name, "userstream", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, spawn->function, sizeof(worker.bgw_function_name));
	strlcpy(worker.bgw_name, spawn->name, sizeof(worker.bgw_name));
	strlcpy(worker.bgw_type, spawn->type, sizeof(worker.bgw_type));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	worker.bgw_notify_pid = MyProcPid;
	worker.bgw_main_arg = Int32GetDatum(spawn->slotno);
	memcpy(worker.bgw_extra, &generation, sizeof(generation));

	old = MemoryContextSwitchTo(TopMemoryContext);
	registered = RegisterDynamicBackgroundWorker(&worker, &handles[spawn->slotno]);
	MemoryContextSwitchTo(old);

	if (!registered)
	{
		handles[spawn->slotno] = NULL;
		us_slot_set_refused(spawn->slotno, true);
	}
	return registered;
}

void
us_spawn_note_refused(Oid database)
{
	char		error[US_ERROR_TEXT_LEN];
	int			missing = 0;
	UsSlot	   *slots;
	int		   *slotnos;
	int			count = us_slot_list(InvalidOid, &slots, &slotnos);

	for (int i = 0; i < count; i++)
		if (slots[i].refused)
			missing++;
	snprintf(error, sizeof(error),
			 "no free background worker slot; max_worker_processes = %d would be enough (it is %d)",
			 max_worker_processes + missing, max_worker_processes);

	for (int i = 0; i < count; i++)
		if (slots[i].refused && (!OidIsValid(database) || slots[i].database == database) &&
			strcmp(slots[i].last_error, error) != 0)
			us_slot_set_error(slotnos[i], US_STATE_STARTING, error);
	pfree(slots);
	pfree(slotnos);
}

bool
us_spawn_pending(int slotno)
{
	pid_t		pid;

	if (handles[slotno] == NULL)
		return false;

	switch (GetBackgroundWorkerPid(handles[slotno], &pid))
	{
		case BGWH_STARTED:
		case BGWH_NOT_YET_STARTED:
			return true;
		case BGWH_STOPPED:
		case BGWH_POSTMASTER_DIED:
			us_spawn_forget(slotno);
			return false;
	}
	return false;
}

void
us_spawn_forget(int slotno)
{
	if (handles[slotno] != NULL)
		pfree(handles[slotno]);
	handles[slotno] = NULL;
}

TimestampTz
us_spawn_due(const UsSlot *slot)
{
	double		interval_ms = us_guc_restart_interval_ms;

	if (slot->stop || slot->started_at == 0)
		return 0;

	for (int i = 0; i < slot->failures && interval_ms < MAX_RESTART_INTERVAL_MS; i++)
		interval_ms *= 2;
	interval_ms = Min(interval_ms, Max(MAX_RESTART_INTERVAL_MS, us_guc_restart_interval_ms));

	return TimestampTzPlusMilliseconds(slot->started_at, (int64) interval_ms);
}

bool
us_spawn_attach(Datum arg, UsSlot *slot)
{
	uint32		generation;

	memcpy(&generation, MyBgworkerEntry->bgw_extra, sizeof(generation));

	return us_slot_attach(DatumGetInt32(arg), generation, slot);
}
