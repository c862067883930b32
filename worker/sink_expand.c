/*-------------------------------------------------------------------------
 * worker/sink_expand.c
 *    messages that give any number of rows -> the sink
 *
 * Runs as sink_table.c does, inside the subtransaction of a chunk of
 * messages: all rows of a message go in, or none.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "utils/memutils.h"
#include "worker/sink_internal.h"
#include "worker/stage.h"

void
us_sink_expand_prepare(UsSink *sink)
{
	sink->expand = us_expand_compile(sink->stream, sink->relation, sink->map, sink->plan_context);
	if (sink->expand != NULL)
		sink->expand_context = AllocSetContextCreate(sink->plan_context, "sink messages",
													 ALLOCSET_DEFAULT_SIZES);
}

/* a row that a transform gave */
static void
fill_row(UsSink *sink, int i, const UsPiece *piece)
{
	TupleTableSlot *slot = us_sink_slot(sink, i);
	const AttrNumber *attnums;
	int			count = us_map_columns(sink->map, &attnums);

	memset(slot->tts_isnull, true, sizeof(bool) * sink->descriptor->natts);
	memset(slot->tts_values, 0, sizeof(Datum) * sink->descriptor->natts);
	for (int column = 0; column < count; column++)
	{
		slot->tts_values[attnums[column] - 1] = piece->values[column];
		slot->tts_isnull[attnums[column] - 1] = piece->isnull[column];
	}
	ExecStoreVirtualTuple(slot);
	if (sink->upsert != NULL)
	{
		memset(sink->rows[i].present, true, sizeof(bool) * count);
		sink->rows[i].removes = false;
	}
}

/* false: the message gives no row, for it removes one where none is removed */
static bool
map_row(UsSink *sink, int i, const UsPiece *piece)
{
	TupleTableSlot *slot = us_sink_slot(sink, i);
	UsMapResult result = us_map_fast(sink->map, &piece->message, slot);

	if (result == US_MAP_SKIP)
	{
		if (us_stream_tombstone(sink->stream) == US_TOMBSTONE_DEAD_LETTER)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("message removes its row"),
					 errdetail("Option \"tombstone\" of the stream is \"dead_letter\".")));
		return false;
	}
	if (result != US_MAP_DONE)
		us_map_slow(sink->map, &piece->message, slot);
	us_sink_note(sink, i);
	return true;
}

/* slots 0 and on, and whose they are; returns how many */
static int
make_rows(UsSink *sink, const UsPiece *pieces, int count, int from, int *rows_of)
{
	int			row = 0;

	sink->owners = MemoryContextAllocHuge(CurrentMemoryContext, sizeof(int) * Max(count, 1));
	sink->step = US_STEP_MAP;
	us_stage_enter(US_STAGE_CONVERT);
	for (int i = 0; i < count; i++)
	{
		sink->owners[row] = from + pieces[i].owner;
		sink->failed_row = row;
		ExecClearTuple(us_sink_slot(sink, row));
		if (pieces[i].values != NULL)
			fill_row(sink, row, &pieces[i]);
		else if (!map_row(sink, row, &pieces[i]))
			continue;
		rows_of[sink->owners[row++]]++;
	}
	return row;
}

/*
 * Where the table can drop rows, each message is written by itself: nobody
 * says whose rows were dropped.
 */
static void
write_rows(UsSink *sink, int count, const int *rows_of, int *written_of, int from, int to)
{
	int		   *identity = MemoryContextAllocHuge(CurrentMemoryContext,
												  sizeof(int) * Max(count, 1));
	int			row = 0;

	for (int i = 0; i < count; i++)
		identity[i] = i;
	sink->step = US_STEP_WRITE;
	us_stage_enter(US_STAGE_INSERT);
	if (!sink->may_suppress)
	{
		if (count > 0)
			(void) us_sink_write(sink, identity, 0, count);
		memcpy(written_of + from, rows_of + from, sizeof(int) * (to - from));
		return;
	}
	for (int i = from; i < to; i++)
	{
		written_of[i] = rows_of[i] == 0 ? 0 :
			(int) us_sink_write(sink, identity, row, row + rows_of[i]);
		row += rows_of[i];
	}
}

void
us_sink_write_messages(UsSink *sink, const UsMessage *messages, const int *order,
					   int from, int to, int *rows_of, int *written_of)
{
	MemoryContext old;
	UsPiece    *pieces;
	int			count;

	memset(rows_of + from, 0, sizeof(int) * (to - from));
	MemoryContextReset(sink->expand_context);
	us_map_begin_batch(sink->map, sink->expand_context);
	SPI_connect();
	old = MemoryContextSwitchTo(sink->expand_context);

	sink->step = US_STEP_EXPAND;
	us_stage_enter(US_STAGE_TRANSFORM);
	pieces = us_expand_run(sink->expand, messages, order, from, to, &count);
	count = make_rows(sink, pieces, count, from, rows_of);
	write_rows(sink, count, rows_of, written_of, from, to);

	MemoryContextSwitchTo(old);
	SPI_finish();
}

int
us_sink_failed_message(const UsSink *sink)
{
	if (sink->step == US_STEP_EXPAND)
		return us_expand_failed_at(sink->expand);
	return sink->failed_row < 0 ? -1 : sink->owners[sink->failed_row];
}
