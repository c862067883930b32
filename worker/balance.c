/*-------------------------------------------------------------------------
 * worker/balance.c
 *    partitions of a stream with a backlog, shared by what there is to read
 *
 * Runs in the supervisor.  Partitions go to workers by number, which is even
 * when they are.  Where they are not, one worker has long done when another
 * still reads: then some are moved.  A move is a change of the definition: it
 * raises the epoch of what moves and the stream's version, so an old worker
 * fails before it writes, and all of them start anew.  As this costs them
 * what they have fetched, nothing moves unless the busiest worker has more to
 * read than it read since the last look.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/guc.h"
#include "extension/shmem.h"
#include "miscadmin.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/balance.h"
#include "worker/balance_plan.h"
#include "worker/position.h"
#include "worker/session.h"

#define OFF_INTERVAL_MS		60000	/* while the setting is 0 */

/* a stream as it was at one look */
typedef struct Look
{
	int64		stream;
	int			config_version;
	int			nworkers;
	int			count;			/* partitions */
	UsPartitionLive *partitions;	/* in the order of their numbers */
	int		   *workers;		/* that read them */
} Look;

static MemoryContext looks_context = NULL;
static Look *looks = NULL;		/* all of the last time, in looks_context */
static int	nlooks = 0;
static TimestampTz looked_at = 0;

static const Look *
find_look(const Look *look)
{
	for (int i = 0; i < nlooks; i++)
		if (looks[i].stream == look->stream && looks[i].config_version == look->config_version &&
			looks[i].nworkers == look->nworkers && looks[i].count == look->count)
			return &looks[i];
	return NULL;
}

/* false: not all of it is known, or not all of it runs as it should */
static bool
take_look(MemoryContext context, const UsStream *stream, const UsSlot *slots, int nslots,
		  Look *look)
{
	look->stream = stream->id;
	look->config_version = stream->config_version;
	look->nworkers = stream->workers;
	look->count = stream->partitions;
	if (look->nworkers < 2 || look->count <= look->nworkers)
		return false;

	look->partitions = MemoryContextAlloc(context, sizeof(UsPartitionLive) * look->count);
	look->workers = MemoryContextAlloc(context, sizeof(int) * look->count);
	for (int32 p = 0; p < look->count; p++)
	{
		UsPartitionLive *live = &look->partitions[p];
		const UsSlot *slot;

		if (!us_partition_get(MyDatabaseId, stream->id, p, live))
			return false;
		slot = us_slot_of_pid(slots, nslots, stream->id, live->pid);
		if (slot == NULL || slot->config_version != stream->config_version ||
			slot->worker_count != look->nworkers || slot->state > US_STATE_RUNNING ||
			live->high_offset < 0)
			return false;
		look->workers[p] = slot->worker_index;
	}
	return true;
}

/* what waits, and as much as came since the last look, which will come again */
static int64
load_of(const UsPartitionLive *now, const UsPartitionLive *then)
{
	return Max(now->high_offset - now->next_offset, 0) +
		Max(now->high_offset - then->high_offset, 0);
}

/* whether a worker has more to read than it did since the last look, and more than a batch */
static bool
is_behind(const UsStream *stream, const Look *now, const Look *then, int worker)
{
	int64		lag = 0;
	int64		taken = 0;

	for (int p = 0; p < now->count; p++)
	{
		if (now->workers[p] != worker)
			continue;
		lag += Max(now->partitions[p].high_offset - now->partitions[p].next_offset, 0);
		taken += Max(now->partitions[p].next_offset - then->partitions[p].next_offset, 0);
	}
	return lag > Max(taken, stream->options.batch_rows);
}

/* in a transaction of its own; false: someone changes the stream at this moment */
static bool
move(const UsStream *stream, const UsBalanceItem *items, int count)
{
	int		   *workers = palloc(sizeof(int) * count);
	bool		moved = false;

	for (int i = 0; i < count; i++)
		workers[items[i].partition] = items[i].planned == items[i].worker ? -1 : items[i].planned;
	if (us_session_begin("UTC"))
		moved = us_position_assign(stream->id, stream->config_version, workers, count);
	us_session_commit();
	if (moved)
		ereport(LOG,
				(errmsg("stream \"%s\" shares its partitions anew, as one of its workers had much more to read than another",
						stream->name)));
	return moved;
}

static bool
balance(const UsStream *stream, const Look *now, const Look *then)
{
	UsBalanceItem *items = palloc(sizeof(UsBalanceItem) * now->count);
	int64	   *sums = palloc(sizeof(int64) * now->nworkers);
	int			busiest;

	for (int p = 0; p < now->count; p++)
	{
		items[p].partition = p;
		items[p].worker = now->workers[p];
		items[p].load = load_of(&now->partitions[p], &then->partitions[p]);
	}
	busiest = us_balance_busiest(items, now->count, sums, now->nworkers);
	return is_behind(stream, now, then, busiest) &&
		us_balance_plan(items, now->count, sums, now->nworkers) &&
		move(stream, items, now->count);
}

/* look at all, and move; the looks of the last time go, whatever happens */
static bool
look_at_all(const UsStream *streams, int nstreams)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "userstream balance",
												  ALLOCSET_SMALL_SIZES);
	Look	   *taken = MemoryContextAlloc(context, sizeof(Look) * Max(nstreams, 1));
	int			ntaken = 0;
	bool		moved = false;
	UsSlot	   *slots;
	int		   *slotnos;
	int			nslots = us_slot_list(MyDatabaseId, &slots, &slotnos);

	for (int i = 0; i < nstreams; i++)
	{
		Look	   *look = &taken[ntaken];
		const Look *then;

		if (!take_look(context, &streams[i], slots, nslots, look))
			continue;
		then = find_look(look);
		if (then != NULL && balance(&streams[i], look, then))
			moved = true;
		else
			ntaken++;
	}

	MemoryContextSetParent(context, TopMemoryContext);
	if (looks_context != NULL)
		MemoryContextDelete(looks_context);
	looks_context = context;
	looks = taken;
	nlooks = ntaken;
	return moved;
}

long
us_balance_step(const UsStream *streams, int nstreams)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz due;

	if (us_guc_balance_interval_s == 0)
		return OFF_INTERVAL_MS;
	due = TimestampTzPlusMilliseconds(looked_at, us_guc_balance_interval_s * (int64) 1000);
	if (now < due)
		return TimestampDifferenceMilliseconds(now, due) + 1;
	looked_at = now;
	return look_at_all(streams, nstreams) ? 0 : us_guc_balance_interval_s * 1000L;
}
