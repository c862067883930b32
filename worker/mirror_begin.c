/*-------------------------------------------------------------------------
 * worker/mirror_begin.c
 *    a mirror worker's way to its first change: slot, table, copy of the rows
 *
 * What only a person can mend stops the mirror here, with an incident.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "replication/slot.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "worker/mirror_copy.h"
#include "worker/mirror_end.h"
#include "worker/mirror_shape.h"
#include "worker/mirror_table.h"
#include "worker/mirror_worker.h"
#include "worker/session.h"

static char *
advice(const UsMirrorWorker *worker, const char *function, const char *what)
{
	return psprintf("SELECT userstream.%s(%s) %s.", function,
					quote_literal_cstr(worker->mirror->name), what);
}

static void
begin_slot_transaction(UsMirrorWorker *worker, bool copy)
{
	if (SearchNamedReplicationSlot(worker->slot_name, true) != NULL)
		ReplicationSlotDrop(worker->slot_name, false);
	us_slot_report_error(US_STATE_STARTING, "waiting for transactions that are open to end, to make the replication slot");
	us_slot_report_recovered();
	StartTransactionCommand();
	/* it may wait for long, and holds nothing meanwhile */
	SetConfigOption("lock_timeout", "0", PGC_SUSET, PGC_S_SESSION);
	if (copy)
	{
		XactIsoLevel = XACT_REPEATABLE_READ;
		XactReadOnly = true;
	}
}

/* without the rows that are there */
static void
begin_without_copy(UsMirrorWorker *worker)
{
	UsMirrorProgress progress = {0};

	begin_slot_transaction(worker, false);
	progress.lsn = us_changes_create_slot(worker->slot_name, false);
	progress.last_timestamp = Max(us_mirror_epoch_us(GetCurrentTimestamp()),
								  worker->mirror->last_timestamp + 1);
	us_changes_keep_slot();
	CommitTransactionCommand();
	us_mirror_save(worker, &progress);
}

static void
begin_with_copy(UsMirrorWorker *worker)
{
	MemoryContext context = CurrentMemoryContext;
	UsMirrorProgress progress;
	XLogRecPtr	start;

	if (!us_mirror_position_begin_copy(worker->mirror))
		us_mirror_start_anew(worker->mirror, "its position was set from outside");
	begin_slot_transaction(worker, true);
	start = us_changes_create_slot(worker->slot_name, true);
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "copying rows");
	us_slot_report_error(US_STATE_STARTING, "copying the rows that are there");
	us_slot_report_recovered();
	us_mirror_begin_copy(worker->writer);
	if (worker->mirror->clear_first)
		us_mirror_truncate(worker->writer);
	us_mirror_copy(worker->mirror, worker->plan, worker->writer);
	us_mirror_drain(worker->writer);
	us_mirror_commit(worker->writer, start);
	PopActiveSnapshot();
	us_changes_keep_slot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	(void) us_mirror_done(worker->writer, &progress);
	us_mirror_save(worker, &progress);
}

/* types of the table against those of Cassandra */
static void
check_shape(UsMirrorWorker *worker)
{
	char	   *error = NULL;
	int			wrong;
	MemoryContext context = CurrentMemoryContext;

	if (us_session_begin(worker->mirror->timezone))
	{
		(void) us_mirror_plan_shape(worker->plan, &wrong);
		if (wrong >= 0)
			error = MemoryContextStrdup(context,
										us_mirror_type_error(worker->plan, wrong,
															 worker->plan->columns[wrong].type));
		else if (worker->mirror->lsn == InvalidXLogRecPtr)
			us_mirror_shape_keep(worker->mirror, us_mirror_shape_read(worker->mirror));
		if (wrong < 0)
			us_mirror_shape_keep_copied(worker->mirror, worker->plan);
	}
	us_session_commit();
	if (error != NULL)
		us_mirror_give_up(worker->mirror, "type_differs", error,
					psprintf("Change one of the types, or leave the column out with userstream.alter_mirror, then call userstream.resume_mirror(%s).",
							 quote_literal_cstr(worker->mirror->name)));
}

/* rows that Cassandra may not have as they are in the table */
static void
load_parked_keys(UsMirrorWorker *worker)
{
	if (us_session_begin(worker->mirror->timezone))
		us_parked_load_keys(worker->mirror, us_mirror_parked_keys(worker->writer));
	us_session_commit();
}

static void
look_while_waiting(void *arg)
{
	us_mirror_look(arg);
}

void
us_mirror_begin_work(UsMirrorWorker *worker)
{
	UsCqlConsistency consistency = US_CQL_LOCAL_QUORUM;
	UsMirrorTrouble trouble;
	const char *problem;

	if (worker->plan == NULL)
		us_mirror_give_up(worker->mirror, "target_changed",
					psprintf("table %s has no primary key any more, or one with a generated column", worker->mirror->target),
					advice(worker, "resync_mirror", "copies the rows anew once it has one"));
	if (worker->mirror->lsn != InvalidXLogRecPtr &&
		(problem = us_changes_slot_problem(worker->slot_name, worker->mirror->lsn)) != NULL)
		us_mirror_give_up(worker->mirror, "slot_lost", problem,
					advice(worker, "resync_mirror", "copies all rows anew"));

	worker->link = us_cassandra_create(&worker->server);
	/* without a copy every change from now on counts, whether Cassandra is there or not */
	if (worker->mirror->lsn == InvalidXLogRecPtr && !worker->mirror->copy_data &&
		!worker->mirror->clear_first)
		begin_without_copy(worker);
	us_mirror_shape_mark_copied(worker->mirror, worker->plan);
	us_mirror_table_open(worker->mirror, worker->plan, worker->link, look_while_waiting, worker,
						 &trouble);
	if (trouble.kind != NULL)
		us_mirror_give_up(worker->mirror, trouble.kind, trouble.detail, trouble.what_to_do);
	check_shape(worker);
	(void) us_cql_consistency_parse(worker->server.consistency, &consistency);
	worker->writer = us_mirror_writer_create(worker->mirror, worker->plan, worker->link,
											 consistency, us_mirror_report_waiting, worker);
	if (worker->mirror->lsn == InvalidXLogRecPtr)
		begin_with_copy(worker);
	else
		load_parked_keys(worker);

	us_mirror_apply_open(worker);
	/* what both tables are like is kept before the first change */
	worker->next_look_at = 0;
	/* what it told while it began is no error */
	us_slot_report_error(US_STATE_STARTING, "");
	us_slot_report_recovered();
}
