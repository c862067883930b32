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
#include "extension/catalog.h"
#include "extension/compat.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "pgtime.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "tcop/tcopprot.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "worker/launcher.h"
#include "worker/mirror_end.h"
#include "worker/mirror_worker.h"
#include "worker/session.h"
#include "worker/spawn.h"

#define BUSY_WAIT_MS		50		/* while answers are due and there is nothing to read */
#define IDLE_WAIT_MS		200		/* commits of others wake nobody */
#define SAVE_INTERVAL_MS	200
#define IDLE_SAVE_BYTES		(1024 * 1024)	/* WAL that makes a save worth it */
#define LOOK_INTERVAL_MS	2000	/* for changes of server, mapping and table */
#define REPORT_INTERVAL_MS	250
#define RATE_WINDOW_S		5.0

static UsMirrorWorker *MyUsMirror = NULL;
static bool look_again = true;

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

/* definition, plan and connection, in one transaction; false: nothing to run */
static bool
load(UsMirrorWorker *worker)
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
	/* before the plan: whoever changes the table meanwhile commits after it */
	worker->started_lsn = GetXLogInsertRecPtr();
	worker->plan = us_mirror_plan_create(worker->mirror);
	worker->options = us_server_options(worker->mirror->server_oid, GetUserId());
	us_server_cassandra_read(&worker->options, &worker->server);
	us_mirror_slot_name(worker->mirror->id, worker->slot_name);
	worker->next_look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_INTERVAL_MS);

	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	return true;
}

/*
 * Reports
 */

static void
sample_rate(UsMirrorWorker *worker, TimestampTz now)
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

void
us_mirror_report(UsMirrorWorker *worker, bool now_please)
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
follow_changes_inside(UsMirrorWorker *worker)
{
	bool		before = look_again;

	if (us_cassandra_host(worker->link) != NULL || GetCurrentTimestamp() < worker->next_look_at)
		return;
	worker->next_look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_INTERVAL_MS);
	look_again = false;
	AcceptInvalidationMessages();
	if (look_again)
		us_mirror_follow_change(worker->mirror, "its table or its server may have changed");
	look_again = before;
}

void
us_mirror_report_waiting(void *arg)
{
	UsMirrorWorker *worker = arg;

	worker->caught_up = false;
	us_mirror_report(worker, false);
	follow_changes_inside(worker);
}

void
us_mirror_save(UsMirrorWorker *worker, const UsMirrorProgress *progress)
{
	if (!us_mirror_position_save(worker->mirror, progress))
		us_mirror_start_anew(worker->mirror, "its position was set from outside");
}

/*
 * Running
 */

/* what is done is saved, then the slot may follow */
static void
settle(UsMirrorWorker *worker, bool idle)
{
	TimestampTz now = GetCurrentTimestamp();
	UsMirrorProgress progress;
	XLogRecPtr	read_up_to = us_changes_read_up_to(worker->changes);

	if (!idle && now < worker->next_save_at)
		return;
	if (!us_mirror_done(worker->writer, &progress))
	{
		/* WAL need not be kept for us; a save makes some too, hence the distance */
		if (!us_mirror_writer_idle(worker->writer) ||
			(read_up_to < worker->mirror->lsn + IDLE_SAVE_BYTES &&
			 us_changes_kept(worker->changes) < IDLE_SAVE_BYTES))
			return;
		progress.lsn = read_up_to;
		progress.last_timestamp = worker->mirror->last_timestamp;
	}
	us_mirror_save(worker, &progress);
	us_changes_confirm(progress.lsn);
	pgstat_report_stat(false);
	worker->next_save_at = TimestampTzPlusMilliseconds(now, SAVE_INTERVAL_MS);
}

/* server, mapping or table changed: the successor sees them as they are */
void
us_mirror_look(UsMirrorWorker *worker)
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
			us_mirror_follow_change(worker->mirror, "its table or its server has changed");
		worker->shape_pending = true;
	}
	CommitTransactionCommand();
	MemoryContextSwitchTo(context);
	/* also called while it begins: then it is looked at when that is over */
	if (worker->shape_pending && worker->changes != NULL)
	{
		worker->shape_pending = false;
		us_mirror_apply_shape(worker);
	}
}

static void
serve_interrupts(void)
{
	QueryCancelPending = false;
	CHECK_FOR_INTERRUPTS();
	us_process_main_loop_interrupts();
}

/* for the views; the process ends of it, and the server's log has the rest */
static void
report_error(MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	ErrorData  *error = CopyErrorData();

	us_slot_report_error(US_STATE_BLOCKED, error->message);
	MemoryContextSwitchTo(old);
}

static void
run(UsMirrorWorker *worker)
{
	while (!us_slot_stop_requested())
	{
		bool		more;
		bool		idle;
		bool		was_caught_up = worker->caught_up;

		serve_interrupts();
		us_mirror_look(worker);
		more = us_mirror_apply_read(worker);
		settle(worker, false);
		idle = !more && us_mirror_writer_idle(worker->writer);
		worker->caught_up = idle;
		us_mirror_report(worker, was_caught_up != idle);
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
	UsMirrorWorker *worker;
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
	worker = palloc0(sizeof(UsMirrorWorker));
	worker->slot = slot;
	worker->shape_context = AllocSetContextCreate(context, "mirror shape", ALLOCSET_SMALL_SIZES);
	if (!load(worker))
		return;
	MyUsMirror = worker;
	CacheRegisterSyscacheCallback(FOREIGNSERVEROID, note_syscache_change, (Datum) 0);
	CacheRegisterSyscacheCallback(USERMAPPINGOID, note_syscache_change, (Datum) 0);
	CacheRegisterRelcacheCallback(note_relcache_change, (Datum) 0);
	pgstat_report_appname(psprintf("userstream: %s", worker->mirror->name));

	PG_TRY();
	{
		us_mirror_begin_work(worker);
		run(worker);
	}
	PG_CATCH();
	{
		report_error(context);
		PG_RE_THROW();
	}
	PG_END_TRY();
}
