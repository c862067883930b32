/*-------------------------------------------------------------------------
 * worker/mirror_worker.c
 *    one table's committed changes -> its copy in Cassandra
 *
 * Started by the supervisor; connects as the owner of the mirror.  Reads the
 * WAL up to what is written out, gives the changes to the writer, saves how
 * far everything is done, lets the slot follow, and waits on latch and socket
 * when there is nothing.  Any surprise ends the process: its successor goes
 * on from the saved position, and a replay sends the same values with the
 * same timestamps.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>
#include <signal.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "extension/compat.h"
#include "extension/guc.h"
#include "extension/mirror.h"
#include "extension/server.h"
#include "extension/shmem.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "pgtime.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "replication/slot.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "worker/changes.h"
#include "worker/incident.h"
#include "worker/launcher.h"
#include "worker/mirror_copy.h"
#include "worker/mirror_table.h"
#include "worker/mirror_write.h"
#include "worker/session.h"
#include "worker/spawn.h"

#define RECORDS_A_TURN		500
#define BUSY_WAIT_MS		50		/* while answers are due and there is nothing to read */
#define IDLE_WAIT_MS		200		/* commits of others wake nobody */
#define SAVE_INTERVAL_MS	200
#define IDLE_SAVE_BYTES		(1024 * 1024)	/* WAL of others that makes a save worth it */
#define LOOK_INTERVAL_MS	2000	/* for changes of server, mapping and table */
#define REPORT_INTERVAL_MS	250
#define RATE_WINDOW_S		5.0

typedef struct MirrorWorker
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
	XLogRecPtr	commit_lsn;		/* of the transaction being decoded */

	MemoryContext shape_context;
	UsMirrorShape *shape;		/* of the rows that come; NULL = not told yet */

	TimestampTz next_save_at;
	TimestampTz next_look_at;
	TimestampTz next_report_at;
	TimestampTz rate_at;
	uint64		rate_rows;
	double		rows_per_second;
	bool		caught_up;
} MirrorWorker;

static MirrorWorker *MyUsMirror = NULL;
static bool look_again = false;

static void
close_link_at_exit(int code, Datum arg)
{
	(void) code;
	(void) arg;

	if (MyUsMirror != NULL && MyUsMirror->link != NULL)
		us_cassandra_close(MyUsMirror->link);
}

static void
note_syscache_change(Datum arg, int cacheid, uint32 hashvalue)
{
	(void) arg;
	(void) cacheid;
	(void) hashvalue;

	look_again = true;
}

static void
note_relcache_change(Datum arg, Oid relid)
{
	(void) arg;

	if (!OidIsValid(relid) || (MyUsMirror != NULL && MyUsMirror->mirror != NULL &&
							   relid == MyUsMirror->mirror->target_oid))
		look_again = true;
}

/* texts of values do not depend on whose session it is */
static void
apply_settings(const char *timezone)
{
	us_session_apply(timezone);
	SetConfigOption("client_encoding", "UTF8", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("bytea_output", "hex", PGC_USERSET, PGC_S_SESSION);
	SetConfigOption("extra_float_digits", "1", PGC_USERSET, PGC_S_SESSION);
}

/* in a transaction of its own: the mirror waits for a person */
pg_noreturn static void
stop_mirror(MirrorWorker *worker, const char *kind, const char *detail, const char *what_to_do)
{
	if (us_session_begin(worker->mirror->timezone))
		us_mirror_stop(worker->mirror, kind, detail, what_to_do);
	us_session_commit();
	us_slot_report_error(US_STATE_STOPPED, detail);
	ereport(LOG,
			(errmsg("mirror \"%s\" stopped: %s", worker->mirror->name, detail),
			 errhint("%s", what_to_do)));
	us_wake_supervisor(MyDatabaseId);
	proc_exit(1);
}

static char *
advice(const MirrorWorker *worker, const char *function, const char *what)
{
	return psprintf("SELECT userstream.%s(%s) %s.", function,
					quote_literal_cstr(worker->mirror->name), what);
}

/* definition, plan and connection, in one transaction; false: nothing to run */
static bool
load(MirrorWorker *worker)
{
	MemoryContext context = CurrentMemoryContext;
	char	   *problem;

	StartTransactionCommand();
	us_session_apply(pg_get_timezone_name(session_timezone));
	PushActiveSnapshot(GetTransactionSnapshot());
	MemoryContextSwitchTo(context);

	if (us_extension_hold())
		worker->mirror = us_mirror(worker->slot.definition);
	if (worker->mirror == NULL || worker->mirror->paused)
		return false;
	problem = us_mirror_problem(worker->mirror);
	if (problem != NULL)
	{
		us_slot_report_error(US_STATE_STOPPED, problem);
		return false;
	}
	apply_settings(worker->mirror->timezone);
	worker->plan = us_mirror_plan_create(worker->mirror);
	worker->options = us_server_options(worker->mirror->server_oid, GetUserId());
	us_server_cassandra_read(&worker->options, &worker->server);
	us_mirror_slot_name(worker->mirror->id, worker->slot_name);
	worker->next_look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_INTERVAL_MS);
	worker->started_lsn = GetXLogInsertRecPtr();

	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return true;
}

pg_noreturn static void follow_change(const MirrorWorker *worker, const char *why);
static void look(MirrorWorker *worker);

/*
 * Reports
 */

static void
sample_rate(MirrorWorker *worker, TimestampTz now)
{
	uint64		rows = us_mirror_writer_rows(worker->writer);
	double		seconds;
	double		weight;

	if (worker->rate_at == 0)
		worker->rate_at = worker->slot.started_at;
	seconds = Max((now - worker->rate_at) / 1e6, 1e-3);
	weight = 1 - exp(-seconds / RATE_WINDOW_S);
	worker->rows_per_second += weight * ((rows - worker->rate_rows) / seconds -
										 worker->rows_per_second);
	if (worker->rows_per_second < 0.01)
		worker->rows_per_second = 0;
	worker->rate_at = now;
	worker->rate_rows = rows;
}

static void
report(MirrorWorker *worker, bool now_please)
{
	TimestampTz now = GetCurrentTimestamp();
	const char *error = us_mirror_writer_error(worker->writer);
	UsMirrorLive live;

	if (!now_please && now < worker->next_report_at)
		return;
	worker->next_report_at = TimestampTzPlusMilliseconds(now, REPORT_INTERVAL_MS);
	sample_rate(worker, now);
	us_mirror_writer_live(worker->writer, &live);
	live.done_lsn = worker->mirror->lsn;
	if (worker->changes != NULL && us_mirror_writer_idle(worker->writer))
		live.done_lsn = us_changes_read_up_to(worker->changes);
	us_slot_report_mirror(&live);
	us_slot_report(error != NULL ? US_STATE_WAITING :
				   worker->changes == NULL ? US_STATE_STARTING :
				   worker->caught_up ? US_STATE_CAUGHT_UP : US_STATE_RUNNING,
				   worker->rows_per_second);
}

/*
 * Inside decoding it cannot be seen what server and table are now, only that
 * someone changed them.  That matters while there is no connection: it may be
 * what would bring one.
 */
static void
follow_changes_inside(MirrorWorker *worker)
{
	bool		before = look_again;

	if (us_cassandra_host(worker->link) != NULL || GetCurrentTimestamp() < worker->next_look_at)
		return;
	worker->next_look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_INTERVAL_MS);
	look_again = false;
	AcceptInvalidationMessages();
	if (look_again)
		follow_change(worker, "its table or its server may have changed");
	look_again = before;
}

static void
report_inside(void *arg)
{
	MirrorWorker *worker = arg;

	worker->caught_up = false;
	report(worker, false);
	follow_changes_inside(worker);
}

static void
look_while_waiting(void *arg)
{
	look(arg);
}

/*
 * Changes, inside decoding
 */

pg_noreturn static void
start_anew(const MirrorWorker *worker, const char *why)
{
	ereport(LOG,
			(errmsg("mirror \"%s\" starts anew: %s", worker->mirror->name, why)));
	proc_exit(1);
}

/* it was no failure: the successor need not wait */
static void
follow_change(const MirrorWorker *worker, const char *why)
{
	us_slot_request_successor();
	us_wake_supervisor(MyDatabaseId);
	start_anew(worker, why);
}

static void
take_begin(void *arg, const LogicalRepBeginData *begin)
{
	MirrorWorker *worker = arg;

	worker->commit_lsn = begin->final_lsn;
	us_mirror_begin(worker->writer, begin->committime);
}

static bool
has_column(const MirrorWorker *worker, const char *name)
{
	for (int c = 0; c < worker->plan->ncolumns; c++)
		if (strcmp(worker->plan->columns[c].name, name) == 0)
			return true;
	return us_mirror_column_name(worker->mirror->columns, name) == NULL;
}

/*
 * What the plan does not know: of a transaction before it, it is gone again;
 * after it, the plan is out of date.
 */
static void
take_relation(void *arg, const LogicalRepRelation *relation)
{
	MirrorWorker *worker = arg;
	MemoryContext old;
	int			wrong;

	if (relation->remoteid != worker->mirror->target_oid)
		return;
	MemoryContextReset(worker->shape_context);
	old = MemoryContextSwitchTo(worker->shape_context);
	worker->shape = us_mirror_shape_compile(worker->plan, relation->natts, relation->attnames,
											relation->atttyps, &wrong);
	worker->shape->full = relation->replident == REPLICA_IDENTITY_FULL;
	MemoryContextSwitchTo(old);
	if (worker->commit_lsn < worker->started_lsn)
		return;
	for (int i = 0; i < relation->natts; i++)
		if (!has_column(worker, relation->attnames[i]))
			follow_change(worker, "the table has changed");
	if (wrong >= 0)
		follow_change(worker, "the type of a column has changed");
}

static void
take_change(void *arg, char kind, Oid relid, const LogicalRepTupleData *old,
			const LogicalRepTupleData *new)
{
	MirrorWorker *worker = arg;

	if (relid != worker->mirror->target_oid || worker->shape == NULL)
		return;
	if (kind == LOGICAL_REP_MSG_DELETE)
		us_mirror_delete(worker->writer, worker->shape, old);
	else
		us_mirror_upsert(worker->writer, worker->shape, new, old, kind == LOGICAL_REP_MSG_UPDATE);
}

static void
take_truncate(void *arg, List *relids)
{
	MirrorWorker *worker = arg;

	if (list_member_oid(relids, worker->mirror->target_oid))
		us_mirror_truncate(worker->writer);
}

static void
take_commit(void *arg, const LogicalRepCommitData *commit)
{
	MirrorWorker *worker = arg;

	us_mirror_commit(worker->writer, commit->end_lsn);
}

/*
 * Beginning
 */

static void
save(MirrorWorker *worker, const UsMirrorProgress *progress)
{
	if (!us_mirror_position_save(worker->mirror, progress))
		start_anew(worker, "its position was set from outside");
	us_mirror_free_parked(progress->parked);
}

static void
begin_slot_transaction(MirrorWorker *worker, bool copy)
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
begin_without_copy(MirrorWorker *worker)
{
	UsMirrorProgress progress = {0};

	begin_slot_transaction(worker, false);
	progress.lsn = us_changes_create_slot(worker->slot_name, false);
	progress.last_timestamp = Max(us_mirror_epoch_us(GetCurrentTimestamp()),
								  worker->mirror->last_timestamp + 1);
	us_changes_keep_slot();
	CommitTransactionCommand();
	save(worker, &progress);
}

static UsMirrorShape *
shape_of_table(const UsMirrorPlan *plan, int *wrong)
{
	char	  **names = palloc(sizeof(char *) * Max(plan->ncolumns, 1));
	Oid		   *types = palloc(sizeof(Oid) * Max(plan->ncolumns, 1));

	for (int c = 0; c < plan->ncolumns; c++)
	{
		names[c] = plan->columns[c].name;
		types[c] = plan->columns[c].type;
	}
	return us_mirror_shape_compile(plan, plan->ncolumns, names, types, wrong);
}

static void
begin_with_copy(MirrorWorker *worker)
{
	MemoryContext context = CurrentMemoryContext;
	UsMirrorProgress progress;
	XLogRecPtr	start;
	int			wrong;

	begin_slot_transaction(worker, true);
	start = us_changes_create_slot(worker->slot_name, true);
	PushActiveSnapshot(GetTransactionSnapshot());
	pgstat_report_activity(STATE_RUNNING, "copying rows");
	us_slot_report_error(US_STATE_STARTING, "copying the rows that are there");
	us_slot_report_recovered();
	us_mirror_begin_copy(worker->writer);
	if (worker->mirror->clear_first)
		us_mirror_truncate(worker->writer);
	us_mirror_copy(worker->mirror, worker->plan, shape_of_table(worker->plan, &wrong),
				   worker->writer);
	us_mirror_drain(worker->writer);
	us_mirror_commit(worker->writer, start);
	PopActiveSnapshot();
	us_changes_keep_slot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	(void) us_mirror_done(worker->writer, &progress);
	save(worker, &progress);
}

/* types of the table against those of Cassandra, and what ALTER TABLE did meanwhile */
static void
check_shape(MirrorWorker *worker)
{
	char	   *error = NULL;
	int			wrong;
	MemoryContext context = CurrentMemoryContext;

	if (us_session_begin(worker->mirror->timezone))
	{
		(void) shape_of_table(worker->plan, &wrong);
		if (wrong >= 0)
			error = MemoryContextStrdup(context,
										us_mirror_type_error(worker->plan, wrong,
															 worker->plan->columns[wrong].type));
		else
			us_mirror_shape_follow(worker->mirror);
	}
	us_session_commit();
	if (error != NULL)
		stop_mirror(worker, "type_differs", error,
					psprintf("Change one of the types, or leave the column out with userstream.alter_mirror, then call userstream.resume_mirror(%s).",
							 quote_literal_cstr(worker->mirror->name)));
}

static void
begin(MirrorWorker *worker)
{
	static UsChangeHandler handler = {
		.begin = take_begin,
		.relation = take_relation,
		.change = take_change,
		.truncate = take_truncate,
		.commit = take_commit
	};
	UsCqlConsistency consistency = US_CQL_LOCAL_QUORUM;
	UsMirrorTrouble trouble;
	const char *problem;
	char		publication[US_MIRROR_NAME_LEN];

	if (worker->plan == NULL)
		stop_mirror(worker, "target_changed",
					psprintf("table %s has no primary key any more", worker->mirror->target),
					advice(worker, "resync_mirror", "copies the rows anew once it has one"));
	if (worker->mirror->lsn != InvalidXLogRecPtr &&
		(problem = us_changes_slot_problem(worker->slot_name, worker->mirror->lsn)) != NULL)
		stop_mirror(worker, "slot_lost", problem,
					advice(worker, "resync_mirror", "copies all rows anew"));

	worker->link = us_cassandra_create(&worker->server);
	/* without a copy every change from now on counts, whether Cassandra is there or not */
	if (worker->mirror->lsn == InvalidXLogRecPtr && !worker->mirror->copy_data &&
		!worker->mirror->clear_first)
		begin_without_copy(worker);
	us_mirror_table_open(worker->mirror, worker->plan, worker->link, look_while_waiting, worker,
						 &trouble);
	if (trouble.kind != NULL)
		stop_mirror(worker, trouble.kind, trouble.detail, trouble.what_to_do);
	check_shape(worker);
	(void) us_cql_consistency_parse(worker->server.consistency, &consistency);
	worker->writer = us_mirror_writer_create(worker->mirror, worker->plan, worker->link,
											 consistency, report_inside, worker);
	if (worker->mirror->lsn == InvalidXLogRecPtr)
		begin_with_copy(worker);

	handler.arg = worker;
	us_mirror_publication_name(worker->mirror->id, publication);
	worker->changes = us_changes_open(worker->slot_name, publication, worker->mirror->lsn,
									  &handler);
	/* what it told while it began is no error */
	us_slot_report_error(US_STATE_STARTING, "");
	us_slot_report_recovered();
}

/*
 * Running
 */

/* what is done is saved, then the slot may follow */
static void
settle(MirrorWorker *worker, bool idle)
{
	TimestampTz now = GetCurrentTimestamp();
	UsMirrorProgress progress;
	XLogRecPtr	read_up_to = us_changes_read_up_to(worker->changes);

	if (!idle && now < worker->next_save_at)
		return;
	if (!us_mirror_done(worker->writer, &progress))
	{
		/* other tables' WAL need not be kept for us; a save makes some too, hence the distance */
		if (!us_mirror_writer_idle(worker->writer) ||
			read_up_to < worker->mirror->lsn + IDLE_SAVE_BYTES)
			return;
		progress.lsn = read_up_to;
		progress.last_timestamp = worker->mirror->last_timestamp;
	}
	save(worker, &progress);
	us_changes_confirm(progress.lsn);
	pgstat_report_stat(false);
	worker->next_save_at = TimestampTzPlusMilliseconds(now, SAVE_INTERVAL_MS);
}

/* server, mapping or table changed: the successor sees them as they are */
static void
look(MirrorWorker *worker)
{
	MemoryContext context = CurrentMemoryContext;
	UsOptionList options;
	UsMirrorPlan *plan;
	bool		same;

	if (GetCurrentTimestamp() < worker->next_look_at)
		return;
	worker->next_look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_INTERVAL_MS);
	/* takes in the messages of other sessions */
	StartTransactionCommand();
	if (look_again)
	{
		look_again = false;
		options = us_server_options(worker->mirror->server_oid, GetUserId());
		plan = us_mirror_plan_create(worker->mirror);
		same = plan != NULL && us_server_same_options(&options, &worker->options) &&
			strcmp(plan->insert, worker->plan->insert) == 0 &&
			strcmp(plan->delete, worker->plan->delete) == 0;
		for (int c = 0; same && c < plan->ncolumns; c++)
			same = plan->columns[c].type == worker->plan->columns[c].type;
		if (!same)
			follow_change(worker, "its table or its server has changed");
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
}

static void
serve_interrupts(void)
{
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	us_process_main_loop_interrupts();
}

static void
run(MirrorWorker *worker)
{
	while (!us_slot_stop_requested())
	{
		bool		more;
		bool		idle;
		bool		was_caught_up = worker->caught_up;

		serve_interrupts();
		look(worker);
		more = us_changes_read(worker->changes, RECORDS_A_TURN);
		settle(worker, false);
		idle = !more && us_mirror_writer_idle(worker->writer);
		worker->caught_up = idle;
		report(worker, was_caught_up != idle);
		if (idle)
		{
			settle(worker, true);
			pgstat_report_activity(STATE_IDLE, "idle");
			pgstat_report_stat(true);
		}
		us_mirror_turn(worker->writer, more ? 0 : idle ? IDLE_WAIT_MS : BUSY_WAIT_MS);
	}
}

void
us_mirror_worker_main(Datum arg)
{
	MemoryContext context;
	MirrorWorker *worker;
	UsSlot		slot;

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	pqsignal(SIGTERM, die);
	pqsignal(SIGPIPE, SIG_IGN);
	BackgroundWorkerUnblockSignals();

	if (!us_spawn_attach(arg, &slot))
		return;
	before_shmem_exit(close_link_at_exit, (Datum) 0);
	BackgroundWorkerInitializeConnectionByOid(slot.database, slot.owner, 0);

	context = AllocSetContextCreate(TopMemoryContext, "mirror worker", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(context);
	worker = palloc0(sizeof(MirrorWorker));
	worker->slot = slot;
	worker->shape_context = AllocSetContextCreate(context, "mirror shape", ALLOCSET_SMALL_SIZES);
	if (!load(worker))
		return;
	MyUsMirror = worker;
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, note_syscache_change, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, note_syscache_change, (Datum) 0);
	CacheRegisterRelcacheCallback(note_relcache_change, (Datum) 0);
	pgstat_report_appname(psprintf("userstream: %s", worker->mirror->name));

	begin(worker);
	run(worker);
}
