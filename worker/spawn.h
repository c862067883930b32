/*-------------------------------------------------------------------------
 * worker/spawn.h
 *    starting background workers that sit in slots
 *
 * Used by the launcher for supervisors and by supervisors for workers.
 *-------------------------------------------------------------------------
 */
#ifndef US_SPAWN_H
#define US_SPAWN_H

#include "datatype/timestamp.h"
#include "extension/shmem.h"

typedef struct UsSpawn
{
	int			slotno;
	Oid			owner;			/* role to connect as; InvalidOid for a supervisor */
	int			worker_count;
	int			config_version;
	const char *function;		/* name of the main function */
	const char *type;			/* backend_type */
	char		name[64];
} UsSpawn;

/*
 * us_spawn -- ask the postmaster for the process
 *
 * Returns: false when it has no free slot: then call us_spawn_note_refused
 *          once all starts of this turn were tried
 */
extern bool us_spawn(const UsSpawn *spawn);

/*
 * us_spawn_note_refused -- say in slots how many processes the server needs
 *
 * In:      database   InvalidOid = in the slots of all
 */
extern void us_spawn_note_refused(Oid database);

/* whether a process asked for is still on its way (true) or ended or never was (false) */
extern bool us_spawn_pending(int slotno);

/* forget the handle of a slot that is given back */
extern void us_spawn_forget(int slotno);

/*
 * us_spawn_due -- when a process that ended may be started again
 *
 * At once when it was asked to stop, else one restart interval after its
 * last start, doubled for each start in a row that did not last.
 */
extern TimestampTz us_spawn_due(const UsSlot *slot);

/* reads slotno and generation out of bgw_main_arg and bgw_extra */
extern bool us_spawn_attach(Datum arg, UsSlot *slot);

#endif							/* US_SPAWN_H */
