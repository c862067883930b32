/*-------------------------------------------------------------------------
 * extension/shmem_hold.c
 *    databases that are left alone: for a moment, by a command on them; for a
 *    time, because the extension is not there
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <signal.h>

#include "extension/shmem_internal.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

bool
us_shmem_is_held(Oid database)
{
	bool		held = false;

	Assert(LWLockHeldByMe(us_shared->lock));

	for (int i = 0; i < US_MAX_HOLDS; i++)
		held |= us_shared->holds[i].database == database;
	return held;
}

bool
us_hold_acquire(Oid database)
{
	bool		acquired = false;

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < US_MAX_HOLDS && !acquired; i++)
	{
		UsHold	   *hold = &us_shared->holds[i];

		if (OidIsValid(hold->database))
			continue;
		hold->database = database;
		hold->pid = MyProcPid;
		acquired = true;
	}
	LWLockRelease(us_shared->lock);

	return acquired;
}

void
us_hold_release(Oid database)
{
	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < US_MAX_HOLDS; i++)
	{
		UsHold	   *hold = &us_shared->holds[i];

		if (hold->database == database && hold->pid == MyProcPid)
			hold->database = InvalidOid;
	}
	LWLockRelease(us_shared->lock);
}

bool
us_hold_exists(Oid database)
{
	bool		held;

	LWLockAcquire(us_shared->lock, LW_SHARED);
	held = us_shmem_is_held(database);
	LWLockRelease(us_shared->lock);

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

	LWLockAcquire(us_shared->lock, LW_SHARED);
	for (int i = 0; i < US_MAX_SLOTS; i++)
	{
		const UsSlot *slot = &us_shared->slots[i];

		if (slot->kind == US_SLOT_FREE || slot->database != database || slot->pid == 0)
			continue;
		kill(slot->pid, SIGTERM);
		count++;
	}
	LWLockRelease(us_shared->lock);

	return count;
}

bool
us_database_is_idle(Oid database, TimestampTz now)
{
	bool		idle = false;

	LWLockAcquire(us_shared->lock, LW_SHARED);
	for (int i = 0; i < US_MAX_DATABASES && !idle; i++)
		idle = us_shared->idle[i].database == database && us_shared->idle[i].until > now;
	LWLockRelease(us_shared->lock);

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

	if (us_shared == NULL)
		return;

	LWLockAcquire(us_shared->lock, LW_EXCLUSIVE);
	for (int i = 0; i < US_MAX_DATABASES; i++)
	{
		UsIdleDatabase *entry = &us_shared->idle[i];

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
	LWLockRelease(us_shared->lock);
}
