/*-------------------------------------------------------------------------
 * worker/mirror_apply.c
 *    a table's changes, as they are decoded -> the writer
 *
 * Runs in mirror workers.  Inside the decoding of a transaction the catalogs
 * are those of its time, no table may be read, and nothing written.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/mirror_copy.h"
#include "worker/mirror_end.h"
#include "worker/mirror_shape.h"
#include "worker/mirror_worker.h"
#include "worker/session.h"

#define RECORDS_A_TURN		500

static void
take_begin(void *arg, const LogicalRepBeginData *begin)
{
	UsMirrorWorker *worker = arg;

	worker->commit_lsn = begin->final_lsn;
	worker->xid = begin->xid;
	us_mirror_begin(worker->writer, begin->committime);
}

static bool
has_column(const UsMirrorWorker *worker, const char *name)
{
	for (int c = 0; c < worker->plan->ncolumns; c++)
		if (strcmp(worker->plan->columns[c].name, name) == 0)
			return true;
	return us_mirror_column_name(worker->mirror->columns, name) == NULL;
}

/* whether changes carry the key of their row: the replica identity may have been changed */
static bool
tells_key(const UsMirrorWorker *worker, const LogicalRepRelation *relation)
{
	const UsMirrorPlan *plan = worker->plan;

	if (relation->replident == REPLICA_IDENTITY_FULL)
		return true;
	for (int k = 0; k < plan->nkeys; k++)
		for (int i = 0; i < relation->natts; i++)
			if (strcmp(relation->attnames[i], plan->columns[plan->keys[k]].name) == 0 &&
				!bms_is_member(i, relation->attkeys))
				return false;
	return true;
}

/*
 * What the plan does not know: of a transaction before it, it is gone again;
 * after it, the plan is out of date.
 */
static void
take_relation(void *arg, const LogicalRepRelation *relation)
{
	UsMirrorWorker *worker = arg;
	MemoryContext old;
	int			wrong;

	if (relation->remoteid != worker->mirror->target_oid)
		return;
	MemoryContextReset(worker->shape_context);
	worker->shape = NULL;
	if (!tells_key(worker, relation))
	{
		/* nothing of it is taken, and the process ends when decoding has */
		worker->keyless = true;
		us_changes_pause(worker->changes);
		return;
	}
	old = MemoryContextSwitchTo(worker->shape_context);
	worker->shape = us_mirror_shape_compile(worker->plan, relation->natts, relation->attnames,
											relation->atttyps, &wrong);
	MemoryContextSwitchTo(old);
	if (worker->commit_lsn < worker->started_lsn)
		return;
	for (int i = 0; i < relation->natts; i++)
		if (!has_column(worker, relation->attnames[i]))
			us_mirror_follow_change(worker->mirror, "the table has changed");
	if (wrong >= 0)
		us_mirror_follow_change(worker->mirror, "the type of a column has changed");
}

static void
take_change(void *arg, char kind, Oid relid, const LogicalRepTupleData *old, bool whole,
			const LogicalRepTupleData *new)
{
	UsMirrorWorker *worker = arg;

	if (relid != worker->mirror->target_oid || worker->shape == NULL)
		return;
	if (kind == LOGICAL_REP_MSG_DELETE)
		us_mirror_delete(worker->writer, worker->shape, old);
	else
		us_mirror_upsert(worker->writer, worker->shape, new, old, whole,
						 kind == LOGICAL_REP_MSG_UPDATE);
}

static void
take_truncate(void *arg, List *relids)
{
	UsMirrorWorker *worker = arg;

	if (list_member_oid(relids, worker->mirror->target_oid))
		us_mirror_truncate(worker->writer);
}

/* which rows it had is not known any more */
static void
take_truncate_partition(void *arg, const char *name, List *ancestors)
{
	UsMirrorWorker *worker = arg;

	if (!list_member_oid(ancestors, worker->mirror->target_oid))
		return;
	worker->emptied = MemoryContextStrdup(TopMemoryContext, name);
	us_changes_pause(worker->changes);
}

/* rows that it moved are read when its decoding has ended, and before the next one's */
static void
take_commit(void *arg, const LogicalRepCommitData *commit)
{
	UsMirrorWorker *worker = arg;

	if (us_mirror_moved(worker->writer) == NULL)
	{
		us_mirror_commit(worker->writer, commit->end_lsn);
		return;
	}
	worker->refill_lsn = commit->end_lsn;
	us_changes_pause(worker->changes);
}

void
us_mirror_apply_open(UsMirrorWorker *worker)
{
	static UsChangeHandler handler = {
		.begin = take_begin,
		.relation = take_relation,
		.change = take_change,
		.truncate = take_truncate,
		.truncate_partition = take_truncate_partition,
		.commit = take_commit
	};
	char		publication[US_MIRROR_NAME_LEN];

	handler.arg = worker;
	us_mirror_publication_name(worker->mirror->id, publication);
	worker->changes = us_changes_open(worker->slot_name, publication, worker->mirror->lsn,
									  &handler);
}

static void
report_emptied(UsMirrorWorker *worker)
{
	if (us_session_begin(worker->mirror->timezone))
		us_mirror_shape_differs(worker->mirror,
								psprintf("partition \"%s\" of %s was truncated, and its rows are in Cassandra still",
										 worker->emptied, us_mirror_target_name(worker->mirror)));
	us_session_commit();
	pfree(worker->emptied);
	worker->emptied = NULL;
}

/* rows as they are now, with a timestamp before that of any change that is yet to be read */
static void
copy_now(UsMirrorWorker *worker, List *tables)
{
	us_mirror_begin(worker->writer, GetCurrentTimestamp());
	us_mirror_copy_tables(worker->mirror, worker->plan, tables, worker->writer);
	us_mirror_drain(worker->writer);
	us_mirror_commit(worker->writer, us_changes_read_up_to(worker->changes));
}

/* before the position behind the row that was refused is saved: a replay would not do it */
static void
reread(UsMirrorWorker *worker)
{
	List	   *table = list_make1_oid(worker->mirror->target_oid);

	ereport(LOG,
			(errmsg("mirror \"%s\" reads all rows again: one was refused that a later change relied on",
					worker->mirror->name)));
	copy_now(worker, table);
	list_free(table);
}

void
us_mirror_apply_shape(UsMirrorWorker *worker)
{
	Jsonb	   *now = NULL;
	List	   *partitions = NIL;
	MemoryContext context = CurrentMemoryContext;
	MemoryContext own = AllocSetContextCreate(context, "mirror partitions", ALLOCSET_SMALL_SIZES);

	MemoryContextSwitchTo(own);
	if (us_session_begin(worker->mirror->timezone))
	{
		MemoryContextSwitchTo(own);
		now = us_mirror_shape_read(worker->mirror);
		partitions = us_mirror_shape_compare(worker->mirror, now);
	}
	us_session_commit();
	if (partitions != NIL)
		copy_now(worker, partitions);
	if (us_session_begin(worker->mirror->timezone) && now != NULL)
	{
		us_mirror_shape_keep(worker->mirror, now);
		us_mirror_shape_keep_copied(worker->mirror, worker->plan);
	}
	us_session_commit();
	MemoryContextSwitchTo(context);
	MemoryContextDelete(own);
}

static void
give_up_keyless(UsMirrorWorker *worker)
{
	const UsMirror *mirror = worker->mirror;
	MemoryContext context = CurrentMemoryContext;
	const char *table = mirror->target;

	if (us_session_begin(mirror->timezone))
		table = MemoryContextStrdup(context, us_mirror_target_name(mirror));
	us_session_commit();
	us_mirror_give_up(mirror, "identity_changed",
					  psprintf("changes of table %s do not tell the key of their row: its replica identity is not its primary key",
							   table),
					  psprintf("ALTER TABLE %s REPLICA IDENTITY DEFAULT, then SELECT userstream.resync_mirror(%s).",
							   table, quote_literal_cstr(mirror->name)));
}

bool
us_mirror_apply_read(UsMirrorWorker *worker)
{
	bool		more = us_changes_read(worker->changes, RECORDS_A_TURN);

	if (worker->keyless)
		give_up_keyless(worker);
	if (worker->emptied != NULL)
		report_emptied(worker);
	if (worker->refill_lsn != InvalidXLogRecPtr)
	{
		us_mirror_refill(worker->mirror, worker->plan, worker->xid, worker->writer);
		us_mirror_commit(worker->writer, worker->refill_lsn);
		worker->refill_lsn = InvalidXLogRecPtr;
	}
	while (us_mirror_must_reread(worker->writer))
		reread(worker);
	return more;
}
