/*-------------------------------------------------------------------------
 * extension/wait.c
 *    wait_for: until a partition's committed position is past a message
 *
 * Runs in the caller's backend.  The table decides; shared memory only says
 * when to look.  It says nothing when no worker runs, the library is not
 * preloaded, or this server is a standby, so the table is looked at every
 * second anyway.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/args.h"
#include "extension/catalog.h"
#include "extension/shmem.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define LOOK_INTERVAL_MS	1000
#define DEFAULT_TIMEOUT_US	(30 * USECS_PER_SEC)

PG_FUNCTION_INFO_V1(us_wait_for);

/* what to wait for */
typedef struct Goal
{
	const UsStream *stream;
	int32		partition;
	int64		offset;			/* next_offset must be greater */
} Goal;

/* a repeatable snapshot would not see the rows, however long it waited */
static void
check_isolation(void)
{
	if (!IsolationUsesXactSnapshot())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("wait_for needs isolation level READ COMMITTED"),
			 errdetail("This transaction sees the database as it was when its first statement began."),
			 errhint("Call it before that transaction, or BEGIN ISOLATION LEVEL READ COMMITTED.")));
}

static UsStream *
find_stream(const char *name)
{
	UsStream   *stream = us_catalog_stream_by_name(name);

	if (stream == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("stream \"%s\" does not exist", name),
				 errhint("SELECT stream FROM userstream.stream_status shows those that there are.")));
	if (!us_catalog_sees(GetUserId(), us_catalog_owner(stream->owner, stream->owner_oid,
													   stream->home)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for stream \"%s\"", name),
				 errhint("Its owner, and members of that role or of pg_monitor, may wait for it.")));
	return stream;
}

static TimestampTz
deadline_arg(FunctionCallInfo fcinfo, int arg)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz deadline;

	if (PG_ARGISNULL(arg))
		return now + DEFAULT_TIMEOUT_US;
	deadline = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval,
													   TimestampTzGetDatum(now),
													   PG_GETARG_DATUM(arg)));
	if (deadline < now)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("timeout must not be negative"),
				 errhint("'0 s' looks once.")));
	return deadline;
}

/* as it is committed now, whatever the caller's statement sees */
static bool
is_reached(const Goal *goal)
{
	static const char *const text =
		"SELECT next_offset FROM userstream.stream_position"
		" WHERE stream_id = $1 AND partition = $2";
	Oid			types[] = {INT8OID, INT4OID};
	Datum		values[] = {Int64GetDatum(goal->stream->id), Int32GetDatum(goal->partition)};
	UsElevation saved = us_elevate();
	int64		next_offset;
	bool		isnull;

	SPI_connect();
	/* not read-only: then it takes a snapshot of its own */
	if (SPI_execute_with_args(text, 2, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read stream positions");
	if (SPI_processed == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("stream \"%s\" has no partition %d", goal->stream->name, goal->partition),
				 errhint("SELECT partition FROM userstream.partition_status WHERE stream = %s shows those that there are.",
						 quote_literal_cstr(goal->stream->name))));
	next_offset = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
											  1, &isnull));
	SPI_finish();
	us_restore(saved);
	return next_offset > goal->offset;
}

/* until a worker says that it is reached, or it is time to look */
static void
wait_for_sign(const Goal *goal, TimestampTz deadline)
{
	TimestampTz look_at = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), LOOK_INTERVAL_MS);
	UsPartitionLive live;
	long		timeout_ms;

	look_at = Min(look_at, deadline);
	do
	{
		timeout_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), look_at);
		if (timeout_ms <= 0 || !us_commit_wait(timeout_ms))
			return;
	} while (!us_partition_get(MyDatabaseId, goal->stream->id, goal->partition, &live) ||
			 live.next_offset <= goal->offset);
}

Datum
us_wait_for(PG_FUNCTION_ARGS)
{
	static const char *const arguments[] = {"stream", "partition", "kafka_offset"};
	Goal		goal;
	TimestampTz deadline;
	bool		reached;

	for (int i = 0; i < (int) lengthof(arguments); i++)
		if (PG_ARGISNULL(i))
			us_args_refuse_null(arguments[i]);
	deadline = deadline_arg(fcinfo, 3);
	check_isolation();
	goal.stream = find_stream(text_to_cstring(PG_GETARG_TEXT_PP(0)));
	goal.partition = PG_GETARG_INT32(1);
	goal.offset = PG_GETARG_INT64(2);

	/* from here on no commit is missed between a look and the wait after it */
	us_commit_watch();
	while (!(reached = is_reached(&goal)) && GetCurrentTimestamp() < deadline)
		wait_for_sign(&goal, deadline);
	us_commit_unwatch();

	PG_RETURN_BOOL(reached);
}
