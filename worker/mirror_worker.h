/*-------------------------------------------------------------------------
 * worker/mirror_worker.h
 *    what a mirror worker is made of
 *
 * mirror_worker.c runs it, mirror_begin.c brings it to where changes can be
 * read, mirror_apply.c takes them.
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_WORKER_H
#define US_MIRROR_WORKER_H

#include "extension/mirror.h"
#include "extension/server.h"
#include "extension/shmem.h"
#include "worker/changes.h"
#include "worker/mirror_write.h"

typedef struct UsMirrorWorker
{
	UsSlot		slot;			/* as it was at the start */
	UsMirror   *mirror;
	UsMirrorPlan *plan;
	UsOptionList options;
	UsCassandraServer server;
	UsCassandra *link;
	UsMirrorWriter *writer;
	UsChanges  *changes;
	char		slot_name[US_MIRROR_NAME_LEN];
	XLogRecPtr	started_lsn;	/* the plan is of the table as it was then */

	/* of the transaction being decoded, or whose rows are to be read */
	XLogRecPtr	commit_lsn;
	TransactionId xid;
	XLogRecPtr	refill_lsn;		/* its end, while rows are to be read; else invalid */

	MemoryContext shape_context;
	UsMirrorShape *shape;		/* of the rows that come; NULL = not told yet */
	bool		shape_pending;	/* the definition may have changed; not looked at yet */
	bool		keyless;		/* changes came that do not tell their key */
	char	   *emptied;		/* a partition that was truncated; NULL = none */

	TimestampTz next_save_at;
	TimestampTz next_look_at;
	TimestampTz next_report_at;
	TimestampTz rate_at;
	uint64		rate_rows;
	double		rows_per_second;
	bool		caught_up;
} UsMirrorWorker;

/* mirror_begin.c: slot, table in Cassandra, first copy; may wait long, and end the process */
extern void us_mirror_begin_work(UsMirrorWorker *worker);

/* mirror_apply.c: read on from the position */
extern void us_mirror_apply_open(UsMirrorWorker *worker);

/*
 * us_mirror_apply_read -- decode some records and give their changes to the writer
 *
 * Returns: false when all that is written out was read
 */
extern bool us_mirror_apply_read(UsMirrorWorker *worker);

/* mirror_apply.c: the table's definition may have changed: incidents, rows of new partitions */
extern void us_mirror_apply_shape(UsMirrorWorker *worker);

/* mirror_worker.c: for the views, when it is time to, or now */
extern void us_mirror_report(UsMirrorWorker *worker, bool now_please);

/* the writer's: a change waits for Cassandra; arg is the worker */
extern void us_mirror_report_waiting(void *arg);

/* mirror_worker.c: in no transaction; ends the process when server or table changed */
extern void us_mirror_look(UsMirrorWorker *worker);

/* the position of what is done, on disk when it returns */
extern void us_mirror_save(UsMirrorWorker *worker, const UsMirrorProgress *progress);

#endif							/* US_MIRROR_WORKER_H */
