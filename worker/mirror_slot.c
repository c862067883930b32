/*-------------------------------------------------------------------------
 * worker/mirror_slot.c
 *    replication slots of mirrors that are no more
 *
 * Runs in the supervisor.  Dropping a slot is of no transaction, so
 * drop_mirror leaves it to whoever sees that the definition is gone; the same
 * way goes what DROP EXTENSION leaves.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "replication/slot.h"
#include "worker/mirror_slot.h"

static bool
has_mirror(const UsMirror *mirrors, int nmirrors, int64 id)
{
	for (int i = 0; i < nmirrors; i++)
		if (mirrors[i].id == id)
			return true;
	return false;
}

/* names of those to go, palloc'd; busy: one of them is in use */
static List *
list_orphans(const UsMirror *mirrors, int nmirrors, bool *busy)
{
	List	   *names = NIL;
	char	   *name = palloc(sizeof(NameData));

	*busy = false;
	for (int i = 0; i < max_replication_slots; i++)
	{
		ReplicationSlot *slot = &ReplicationSlotCtl->replication_slots[i];
		bool		found = false;
		bool		active = false;
		int64		id;

		LWLockAcquire(ReplicationSlotControlLock, LW_SHARED);
		if (slot->in_use)
		{
			SpinLockAcquire(&slot->mutex);
			found = slot->data.database == MyDatabaseId;
			active = slot->active_pid != 0;
			memcpy(name, NameStr(slot->data.name), NAMEDATALEN);
			SpinLockRelease(&slot->mutex);
		}
		LWLockRelease(ReplicationSlotControlLock);

		if (!found || !us_mirror_of_slot(name, &id) || has_mirror(mirrors, nmirrors, id))
			continue;
		if (active)
			*busy = true;
		else
			names = lappend(names, pstrdup(name));
	}
	return names;
}

bool
us_mirror_slots_clean(const UsMirror *mirrors, int nmirrors)
{
	bool		busy;
	List	   *names = list_orphans(mirrors, nmirrors, &busy);
	ListCell   *cell;

	foreach(cell, names)
		ReplicationSlotDrop(lfirst(cell), true);
	return !busy;
}
