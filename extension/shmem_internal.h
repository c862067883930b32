/*-------------------------------------------------------------------------
 * extension/shmem_internal.h
 *    what the shmem*.c files share
 *-------------------------------------------------------------------------
 */
#ifndef US_SHMEM_INTERNAL_H
#define US_SHMEM_INTERNAL_H

#include "extension/shmem.h"
#include "storage/condition_variable.h"
#include "storage/lwlock.h"
#include "utils/hsearch.h"

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

/* what lies in shared memory, beside the hash table */
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

/* NULL when the library is not preloaded */
extern UsShared *us_shared;
extern HTAB *us_shared_partitions;	/* UsPartitionLive */

/* extension/shmem_wake.c; the lock must be held; pid 0 = nobody */
extern void us_shmem_wake_process(pid_t pid, int pgprocno);

/* extension/shmem_hold.c; the lock must be held */
extern bool us_shmem_is_held(Oid database);

#endif							/* US_SHMEM_INTERNAL_H */
