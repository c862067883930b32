/*-------------------------------------------------------------------------
 * extension/status.c
 *    shared memory and rights -> rows for the views
 *
 * Runs in the backend of whoever reads a view, as that role: what it may not
 * see is left out here.  Works without shared memory and on a standby; then
 * it says why nothing runs.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "extension/catalog.h"
#include "extension/guc.h"
#include "extension/shmem.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(us_role_owns);
PG_FUNCTION_INFO_V1(us_role_sees);
PG_FUNCTION_INFO_V1(us_stream_live);
PG_FUNCTION_INFO_V1(us_partition_live);
PG_FUNCTION_INFO_V1(us_stage_live);

/* all workers of a database as shared memory has them */
typedef struct Workers
{
	int			count;
	UsSlot	   *slots;
} Workers;

/* what the workers of one stream say together */
typedef struct Summary
{
	UsState		state;
	int			npids;
	Datum	   *pids;			/* in the order of workers */
	double		rows_per_second;
	const char *last_error;		/* of the one that failed last; NULL = none did */
	TimestampTz last_error_at;	/* 0 = never */
	TimestampTz failing_since;	/* the earliest; 0 = none fails */
	const UsSlot *limited;		/* whose limit takes most of its time; NULL = none has one */
} Summary;

/* arguments owner, owner_oid, home as us_catalog_owner takes them */
static Oid
owner_arg(FunctionCallInfo fcinfo)
{
	char	   *owner = PG_ARGISNULL(0) ? "" : text_to_cstring(PG_GETARG_TEXT_PP(0));
	char	   *home = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));

	return us_catalog_owner(owner, PG_ARGISNULL(1) ? InvalidOid : PG_GETARG_OID(1), home);
}

Datum
us_role_owns(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(has_privs_of_role(GetUserId(), owner_arg(fcinfo)));
}

Datum
us_role_sees(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(us_catalog_sees(GetUserId(), owner_arg(fcinfo)));
}

static Workers
list_workers(void)
{
	Workers		workers = {0};
	int		   *slotnos;

	if (us_shmem_available())
		workers.count = us_slot_list(MyDatabaseId, &workers.slots, &slotnos);
	return workers;
}

/* number of workers that the supervisor keeps for a stream */
static int
worker_count(const UsStream *stream)
{
	return Min(stream->workers, stream->partitions);
}

static const UsSlot *
find_worker(const Workers *workers, int64 stream, int worker_index)
{
	for (int i = 0; i < workers->count; i++)
	{
		const UsSlot *slot = &workers->slots[i];

		if (slot->kind == US_SLOT_STREAM && slot->definition == stream &&
			slot->worker_index == worker_index)
			return slot;
	}
	return NULL;
}

/* a worker that does not run is starting, or in what keeps it from that */
static UsState
worker_state(const UsSlot *slot)
{
	if (slot == NULL)
		return US_STATE_STARTING;
	if (slot->pid == 0)
		return Max(slot->state, US_STATE_STARTING);
	return slot->state == US_STATE_NONE ? US_STATE_STARTING : slot->state;
}

/* the worker that keeps it, and as it does, troubles of the worker included; NULL: none does */
static const UsSlot *
partition_worker(const UsStream *stream, const Workers *workers, int32 partition,
				 UsPartitionLive *live)
{
	if (!us_partition_get(MyDatabaseId, stream->id, partition, live))
		return NULL;
	return us_slot_of_pid(workers->slots, workers->count, stream->id, live->pid);
}

static void
add_worker(Summary *summary, const UsSlot *slot)
{
	summary->state = Max(summary->state, worker_state(slot));
	if (slot == NULL)
		return;
	if (slot->pid != 0)
	{
		summary->pids[summary->npids++] = Int32GetDatum(slot->pid);
		summary->rows_per_second += slot->rows_per_second;
		if (slot->limit != US_LIMIT_NONE &&
			(summary->limited == NULL || slot->limit_share > summary->limited->limit_share))
			summary->limited = slot;
	}
	if (slot->last_error[0] != '\0' &&
		(summary->last_error == NULL || slot->last_error_at > summary->last_error_at))
	{
		summary->last_error = slot->last_error;
		summary->last_error_at = slot->last_error_at;
	}
	if (slot->failing_since != 0 &&
		(summary->failing_since == 0 || slot->failing_since < summary->failing_since))
		summary->failing_since = slot->failing_since;
}

/* the worst of workers and partitions wins */
static void
summarize(const UsStream *stream, const Workers *workers, Summary *summary)
{
	int			nworkers = worker_count(stream);

	memset(summary, 0, sizeof(*summary));
	summary->pids = palloc(sizeof(Datum) * Max(nworkers, 1));
	if (nworkers == 0)
		summary->state = US_STATE_STARTING;
	for (int i = 0; i < nworkers; i++)
		add_worker(summary, find_worker(workers, stream->id, i));
	for (int32 p = 0; p < stream->partitions; p++)
	{
		UsPartitionLive live;

		if (partition_worker(stream, workers, p, &live) != NULL)
			summary->state = Max(summary->state, live.state);
	}
}


const char *
us_server_note(void)
{
	if (RecoveryInProgress())
		return "this server is a standby (recovery is in progress); streams run on the primary";
	if (!us_shmem_available())
		return "the library is not preloaded; adding userstream to shared_preload_libraries and a restart of the server continue";
	if (!us_guc_enabled)
		return "userstream.enabled is off; ALTER SYSTEM SET userstream.enabled = on and SELECT pg_reload_conf() continue";
	return NULL;
}

/* names as they are now, else as they were when last written */
static char *
current_owner(const UsStream *stream)
{
	Oid			role = us_catalog_owner(stream->owner, stream->owner_oid, stream->home);
	char	   *name = OidIsValid(role) ? GetUserNameFromId(role, true) : NULL;

	return name != NULL ? name : stream->owner;
}

static char *
current_target(const UsStream *stream)
{
	char	   *name = NULL;

	if (strcmp(stream->home, us_home()) == 0)
		name = us_qualified_name(stream->target_oid);
	return name != NULL ? name : stream->target;
}

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL;
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static Datum
time_or_null(TimestampTz time, bool *isnull)
{
	*isnull = time == 0;
	return TimestampTzGetDatum(time);
}

static Datum
offset_or_null(int64 offset, bool *isnull)
{
	*isnull = offset < 0;
	return Int64GetDatum(offset);
}

/* more of them side by side, if there are partitions for them */
static char *
more_workers(const UsStream *stream)
{
	if (stream->workers < stream->partitions)
		return psprintf("raise workers (%d, of %d partitions)", stream->workers, stream->partitions);
	return psprintf("give topic \"%s\" more partitions (%d) and the stream as many workers",
					stream->topic, stream->partitions);
}

/* what would make a stream faster that has a backlog; NULL = nothing stands out */
static char *
hint(const UsStream *stream, const UsSlot *slot)
{
	int			percent = slot == NULL ? 0 : (int) (slot->limit_share * 100);

	switch (slot == NULL ? US_LIMIT_NONE : slot->limit)
	{
		case US_LIMIT_NONE:
			break;
		case US_LIMIT_FETCH:
			return psprintf("%d %% of the time goes into waiting for messages that are in Kafka: where brokers are far away, raise fetch.message.max.bytes and fetch.max.bytes of the server, and userstream.queue_memory",
							percent);
		case US_LIMIT_TRANSFORM:
			return psprintf("%d %% of the time goes into filter and transform: %s, or make the functions cheaper",
							percent, more_workers(stream));
		case US_LIMIT_INSERT:
			return psprintf("%d %% of the time goes into rows, with indexes and triggers if the target has them: %s, drop those that nobody needs, or give the table a faster disk",
							percent, more_workers(stream));
		case US_LIMIT_INDEX:
			return psprintf("%d %% of the time goes into the target's indexes: %s, drop those that nobody needs, or raise shared_buffers until they fit",
							percent, more_workers(stream));
		case US_LIMIT_COMMIT:
			return psprintf("%d %% of the time goes into commits: raise the option batch_rows (%d), or give pg_wal a faster disk",
							percent, stream->options.batch_rows);
	}
	return NULL;
}

/* one row of _stream_live */
static void
put_stream(ReturnSetInfo *rsinfo, const UsStream *stream, const Workers *workers)
{
	char	   *problem = us_stream_problem(stream);
	const char *note = us_server_note();
	UsState		state;
	Summary		summary;
	Datum		values[12];
	bool		nulls[12] = {false};

	summarize(stream, workers, &summary);
	if (problem != NULL)
		state = US_STATE_STOPPED;
	else if (stream->paused)
		state = US_STATE_PAUSED;
	else if (note != NULL)
		state = US_STATE_STARTING;
	else
		state = summary.state;

	values[0] = Int64GetDatum(stream->id);
	values[1] = CStringGetTextDatum(current_owner(stream));
	values[2] = CStringGetTextDatum(current_target(stream));
	values[3] = CStringGetTextDatum(us_state_name(state));
	values[4] = text_or_null(problem, &nulls[4]);
	values[5] = text_or_null(note, &nulls[5]);
	nulls[6] = nulls[7] = summary.npids == 0;
	values[6] = PointerGetDatum(construct_array(summary.pids, summary.npids, INT4OID,
												sizeof(int32), true, TYPALIGN_INT));
	values[7] = Float8GetDatum(summary.rows_per_second);
	values[8] = text_or_null(summary.last_error, &nulls[8]);
	values[9] = time_or_null(summary.last_error_at, &nulls[9]);
	values[10] = time_or_null(summary.failing_since, &nulls[10]);
	values[11] = text_or_null(hint(stream, summary.limited), &nulls[11]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/* rows of _partition_live for one stream */
static void
put_partitions(ReturnSetInfo *rsinfo, const UsStream *stream, const Workers *workers)
{
	for (int32 p = 0; p < stream->partitions; p++)
	{
		UsPartitionLive live;
		const UsSlot *slot = partition_worker(stream, workers, p, &live);
		Datum		values[7];
		bool		nulls[7] = {false};

		if (slot == NULL)
			continue;
		values[0] = Int64GetDatum(stream->id);
		values[1] = Int32GetDatum(p);
		values[2] = CStringGetTextDatum(us_state_name(live.state));
		values[3] = offset_or_null(live.low_offset, &nulls[3]);
		values[4] = offset_or_null(live.high_offset, &nulls[4]);
		values[5] = time_or_null(live.oldest_unread_at, &nulls[5]);
		values[6] = Int32GetDatum(slot->worker_index);
		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
	}
}

/* rows of _stage_live for one stream: of each worker that runs, all stages */
static void
put_stages(ReturnSetInfo *rsinfo, const UsStream *stream, const Workers *workers)
{
	for (int worker = 0; worker < worker_count(stream); worker++)
	{
		const UsSlot *slot = find_worker(workers, stream->id, worker);

		if (slot == NULL || slot->pid == 0)
			continue;
		for (int stage = 0; stage < US_STAGE_COUNT; stage++)
		{
			Datum		values[5];
			bool		nulls[5] = {false};

			values[0] = Int64GetDatum(stream->id);
			values[1] = Int32GetDatum(worker);
			values[2] = Int32GetDatum(stage);
			values[3] = CStringGetTextDatum(us_stage_name(stage));
			values[4] = Float8GetDatum(slot->stage_us[stage] / 1e6);
			tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
		}
	}
}

/* calls put for every stream that the reader may see */
static void
put_visible_streams(ReturnSetInfo *rsinfo,
					void (*put) (ReturnSetInfo *, const UsStream *, const Workers *))
{
	Workers		workers = list_workers();
	int			count;
	UsStream   *streams = us_catalog_streams(&count);

	for (int i = 0; i < count; i++)
	{
		const UsStream *stream = &streams[i];

		if (us_catalog_sees(GetUserId(), us_catalog_owner(stream->owner, stream->owner_oid,
														  stream->home)))
			put(rsinfo, stream, &workers);
	}
}

Datum
us_stream_live(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	put_visible_streams((ReturnSetInfo *) fcinfo->resultinfo, put_stream);
	return (Datum) 0;
}

Datum
us_partition_live(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	put_visible_streams((ReturnSetInfo *) fcinfo->resultinfo, put_partitions);
	return (Datum) 0;
}

Datum
us_stage_live(PG_FUNCTION_ARGS)
{
	InitMaterializedSRF(fcinfo, 0);
	put_visible_streams((ReturnSetInfo *) fcinfo->resultinfo, put_stages);
	return (Datum) 0;
}
