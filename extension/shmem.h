/*-------------------------------------------------------------------------
 * extension/shmem.h
 *    what the processes of userstream share
 *
 * Fixed in size, made at preload.  One lock guards all of it; nothing that
 * can raise or wait is called while it is held.  No handle, file descriptor
 * or pointer of a process is kept here.
 *-------------------------------------------------------------------------
 */
#ifndef US_SHMEM_H
#define US_SHMEM_H

#include "datatype/timestamp.h"
#include "storage/proc.h"

#define US_MAX_SLOTS		1024	/* wanted workers of all databases together */
#define US_MAX_PARTITIONS	8192	/* partitions of all streams together that views show live */
#define US_MAX_HOLDS		16		/* databases that someone is dropping, renaming or copying */
#define US_MAX_DATABASES	1024	/* databases known to lack the extension */
#define US_ERROR_TEXT_LEN	512		/* bytes kept of an error, with the zero */

typedef enum UsSlotKind
{
	US_SLOT_FREE = 0,
	US_SLOT_SUPERVISOR,
	US_SLOT_STREAM,
	US_SLOT_MIRROR
} UsSlotKind;

/* in the order of how much it concerns an operator: the highest wins */
typedef enum UsState
{
	US_STATE_NONE = 0,
	US_STATE_CAUGHT_UP,
	US_STATE_RUNNING,
	US_STATE_STARTING,
	US_STATE_WAITING,
	US_STATE_BLOCKED,
	US_STATE_PAUSED,
	US_STATE_STOPPED
} UsState;

/* what a stream worker can spend its time on, in the order of a message's way */
typedef enum UsStage
{
	US_STAGE_FETCH_WAIT = 0,	/* waits for messages that are known to be there */
	US_STAGE_FETCH,				/* takes messages from the library, and gives them back */
	US_STAGE_DECODE,			/* finds values in messages */
	US_STAGE_CONVERT,			/* makes them the columns' */
	US_STAGE_TRANSFORM,			/* filter, transform, explode */
	US_STAGE_INSERT,			/* rows into the target, by INSERT indexes too */
	US_STAGE_INDEX,				/* index entries of rows that went in without INSERT */
	US_STAGE_COMMIT,			/* positions, dead letters, counters, and the commit itself */
	US_STAGE_RETRY_WAIT,		/* waits to try a batch again */
	US_STAGE_IDLE,				/* waits; there is nothing to read */
	US_STAGE_COUNT
} UsStage;

/* what a stream worker's speed ends at while it has a backlog */
typedef enum UsLimit
{
	US_LIMIT_NONE = 0,			/* all is read, or nothing stands out */
	US_LIMIT_FETCH,				/* messages come too slowly, though they are there */
	US_LIMIT_TRANSFORM,			/* from here on: the stage of that name */
	US_LIMIT_INSERT,
	US_LIMIT_INDEX,
	US_LIMIT_COMMIT
} UsLimit;

#define US_HOST_TEXT_LEN	128

/* what only a running mirror worker knows */
typedef struct UsMirrorLive
{
	uint64		done_lsn;		/* all before it is in Cassandra; 0 = unknown */
	TimestampTz oldest_at;		/* commit time of the oldest transaction under way; 0 = none */
	int			in_flight;		/* writes without an answer */
	int64		write_p99_us;	/* of the last thousand; 0 = none */
	char		host[US_HOST_TEXT_LEN]; /* connected to; empty = none */
} UsMirrorLive;

/* one wanted process; made by the supervisor (or, for it, by the launcher) */
typedef struct UsSlot
{
	/* written by the one who starts the process */
	UsSlotKind	kind;
	Oid			database;
	Oid			owner;			/* role the worker connects as */
	int64		definition;		/* stream.id or mirror.id */
	int			worker_index;	/* 0 .. worker_count - 1 */
	int			worker_count;	/* partitions are split modulo this */
	int			config_version; /* of the definition that it was started for */
	uint32		generation;		/* raised at each start: an older process leaves */
	bool		stop;			/* the process should end after its batch */
	TimestampTz started_at;		/* last registration; 0 = never */
	int			failures;		/* starts in a row that did not last */
	bool		refused;		/* the server had no room for the process at its last start */

	/* written by the process itself */
	pid_t		pid;			/* 0 = not running */
	int			pgprocno;		/* valid while pid != 0 */
	UsState		state;
	double		rows_per_second;
	char		last_error[US_ERROR_TEXT_LEN];	/* empty = none */
	TimestampTz last_error_at;	/* 0 = never */
	TimestampTz failing_since;	/* 0 = not failing */
	int64		stage_us[US_STAGE_COUNT];	/* of a stream worker: microseconds since it started */
	UsLimit		limit;			/* of a stream worker, lately ... */
	double		limit_share;	/* ... and the part of its time that this takes, 0 .. 1 */
	UsMirrorLive mirror;		/* of a mirror worker */
} UsSlot;

/* live picture of a partition, kept by its worker */
typedef struct UsPartitionKey
{
	Oid			database;
	int32		partition;
	int64		stream;
} UsPartitionKey;

typedef struct UsPartitionLive
{
	UsPartitionKey key;
	pid_t		pid;			/* worker that keeps it; 0 = none now */
	UsState		state;
	int64		low_offset;		/* -1 = unknown */
	int64		high_offset;	/* -1 = unknown */
	int64		next_offset;	/* committed */
	TimestampTz oldest_unread_at;	/* message time; 0 = unknown */
	TimestampTz sampled_at;
} UsPartitionLive;

/* whether shared memory is there: false when the library is not preloaded */
extern bool us_shmem_available(void);
/* shared memory hooks; called once from _PG_init while preloading */
extern void us_shmem_init(void);

/*
 * Slots.  A slot number is stable while the slot is in use.
 */
extern int	us_slot_acquire(UsSlotKind kind, Oid database, int64 definition, int worker_index);
extern void us_slot_release(int slotno);

/* copies all slots in use of a database (InvalidOid: of all) into palloc'd arrays */
extern int	us_slot_list(Oid database, UsSlot **slots, int **slotnos);

/* that of the worker of a stream with this process id, in such an array; NULL = none */
extern const UsSlot *us_slot_of_pid(const UsSlot *slots, int count, int64 stream, pid_t pid);

/* the slot as it stands; false if it is not in use any more */
extern bool us_slot_get(int slotno, UsSlot *slot);

/* before a start: raises the generation, clears stop, notes the time; returns the generation */
extern uint32 us_slot_prepare_start(int slotno, Oid owner, int worker_count, int config_version);

/* ask a process to end after its batch, and wake it */
extern void us_slot_request_stop(int slotno);

/* this process ends because of what someone changed: the next one need not wait */
extern void us_slot_request_successor(void);

/* SIGTERM for one that does not see the request */
extern void us_slot_terminate(int slotno);

/* count of starts in a row that failed */
extern void us_slot_set_failures(int slotno, int failures);

/* whether the server had no room for the process; each start clears it */
extern void us_slot_set_refused(int slotno, bool refused);

/* keep a reason in a slot whose process does not run */
extern void us_slot_set_error(int slotno, UsState state, const char *error);

/*
 * In the process itself.  Attach returns false when the slot is not this
 * start's any more, or a hold is on its database: then exit.
 */
extern bool us_slot_attach(int slotno, uint32 generation, UsSlot *copy);
extern bool us_slot_stop_requested(void);
extern void us_slot_report(UsState state, double rows_per_second);
extern void us_slot_report_error(UsState state, const char *error);
extern void us_slot_report_recovered(void);
extern void us_slot_report_stages(const int64 *stage_us);
extern void us_slot_report_limit(UsLimit limit, double share);
extern void us_slot_report_mirror(const UsMirrorLive *live);

/*
 * Live partitions.
 */
extern void us_partition_report(const UsPartitionLive *live);
extern bool us_partition_get(Oid database, int64 stream, int32 partition, UsPartitionLive *live);
/* drops the entries of a stream that no worker keeps any more */
extern void us_partition_forget(Oid database, int64 stream);

/*
 * Commits.  A worker that moved a position wakes whoever watches; which one it
 * was is in the live partitions.  Between us_commit_watch and us_commit_unwatch
 * none is missed; without shared memory the waits just take their time.
 */
extern void us_commit_announce(void);
extern void us_commit_watch(void);
/* interruptible; false when the time is up */
extern bool us_commit_wait(long timeout_ms);
extern void us_commit_unwatch(void);

/*
 * Waking and poking.  Safe to call anywhere; without shared memory they do
 * nothing.  A wake is a hint: whoever is woken looks at regular times anyway.
 */
extern void us_wake_init(void);
extern void us_wake_supervisor(Oid database);
extern void us_wake_launcher(void);
/* those of a database: there is WAL to read */
extern void us_wake_mirrors(Oid database);

/* wake this database's supervisor, or have one started, when the transaction commits */
extern void us_wake_at_commit(void);

/* in the launcher: be the one that us_wake_launcher wakes */
extern void us_launcher_attach(void);

/*
 * Databases without the extension are left alone until a time, or until
 * us_wake_at_commit was called in them.
 */
extern bool us_database_is_idle(Oid database, TimestampTz now);
extern void us_database_set_idle(Oid database, TimestampTz until);

/*
 * Holds: while there is one on a database, no process of ours is in it.
 */
extern bool us_hold_acquire(Oid database);
extern void us_hold_release(Oid database);
extern bool us_hold_exists(Oid database);
/* terminates our processes in the database; returns how many are (or may come to be) in it */
extern int	us_hold_evict(Oid database);

extern const char *us_state_name(UsState state);
extern const char *us_stage_name(UsStage stage);

#endif							/* US_SHMEM_H */
