/*-------------------------------------------------------------------------
 * worker/position.c
 *    userstream.stream_position: where each partition stands, and its counters
 *
 * Runs in stream workers, and counts for those who retry dead letters.  A
 * worker that is not the rightful one any more (someone sought, altered or
 * dropped the stream, or the partition went to another worker) finds position
 * or epoch changed and fails before it works.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "extension/catalog.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/position.h"
#include "worker/statement.h"

UsPosition *
us_position_load(int64 stream, int worker_count, int worker_index, int *count)
{
	static const char *const text =
		"SELECT partition, next_offset, epoch, stopped, last_message_at"
		"  FROM userstream.stream_position"
		" WHERE stream_id = $1 AND coalesce(worker, partition) % $2 = $3"
		" ORDER BY partition";
	Oid			types[] = {INT8OID, INT4OID, INT4OID};
	Datum		values[] = {Int64GetDatum(stream), Int32GetDatum(worker_count),
	Int32GetDatum(worker_index)};
	MemoryContext caller = CurrentMemoryContext;
	UsElevation saved = us_elevate();
	UsPosition *positions;

	SPI_connect();
	if (SPI_execute_with_args(text, 3, types, values, NULL, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read stream positions");

	*count = (int) SPI_processed;
	positions = MemoryContextAllocZero(caller, sizeof(UsPosition) * Max(*count, 1));
	for (int i = 0; i < *count; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		UsPosition *position = &positions[i];
		bool		isnull;
		Datum		last;

		position->partition = DatumGetInt32(SPI_getbinval(tuple, desc, 1, &isnull));
		position->next_offset = DatumGetInt64(SPI_getbinval(tuple, desc, 2, &isnull));
		position->epoch = DatumGetInt64(SPI_getbinval(tuple, desc, 3, &isnull));
		position->stopped = DatumGetBool(SPI_getbinval(tuple, desc, 4, &isnull));
		last = SPI_getbinval(tuple, desc, 5, &isnull);
		position->last_message_at = isnull ? 0 : DatumGetTimestampTz(last);
	}

	SPI_finish();
	us_restore(saved);

	return positions;
}

void
us_position_advance(int64 stream, const UsPosition *from, const UsProgress *progress)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.stream_position"
		"   SET next_offset = $5, messages_read = messages_read + $6,"
		"       last_message_at = coalesce($7, last_message_at)"
		" WHERE stream_id = $1 AND partition = $2"
		"   AND next_offset = $3 AND epoch = $4 AND NOT stopped",
		.nargs = 7,
		.types = {INT8OID, INT4OID, INT8OID, INT8OID, INT8OID, INT8OID, TIMESTAMPTZOID}
	};
	Datum		values[] = {
		Int64GetDatum(stream),
		Int32GetDatum(from->partition),
		Int64GetDatum(from->next_offset),
		Int64GetDatum(from->epoch),
		Int64GetDatum(progress->next_offset),
		Int64GetDatum(progress->messages_read),
		TimestampTzGetDatum(progress->last_message_at)
	};
	const char *nulls = progress->last_message_at == 0 ? "      n" : NULL;

	if (us_statement_run(&statement, values, nulls) != 1)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("position of partition %d was changed by another process", from->partition),
				 errdetail("This worker started from offset " INT64_FORMAT ".", from->next_offset)));
}

void
us_position_count(int64 stream, int32 partition, const UsProgress *progress)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.stream_position"
		"   SET messages_applied = messages_applied + $3, rows_written = rows_written + $4,"
		"       dead_letters = dead_letters + $5, skipped = skipped + $6"
		" WHERE stream_id = $1 AND partition = $2",
		.nargs = 6,
		.types = {INT8OID, INT4OID, INT8OID, INT8OID, INT8OID, INT8OID}
	};
	Datum		values[] = {
		Int64GetDatum(stream),
		Int32GetDatum(partition),
		Int64GetDatum(progress->messages_applied),
		Int64GetDatum(progress->rows_written),
		Int64GetDatum(progress->dead_letters),
		Int64GetDatum(progress->skipped)
	};

	if (us_statement_run(&statement, values, NULL) != 1)
		elog(ERROR, "position of partition %d is gone", partition);
}

void
us_position_count_retried(int64 stream, int32 partition, int64 retried)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.stream_position SET retried = retried + $3"
		" WHERE stream_id = $1 AND partition = $2",
		.nargs = 3,
		.types = {INT8OID, INT4OID, INT8OID}
	};
	Datum		values[] = {
		Int64GetDatum(stream),
		Int32GetDatum(partition),
		Int64GetDatum(retried)
	};

	(void) us_statement_run(&statement, values, NULL);
}

void
us_position_stop(int64 stream, int32 partition, const char *error)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.stream_position"
		"   SET stopped = true, last_error = $3, last_error_at = now()"
		" WHERE stream_id = $1 AND partition = $2",
		.nargs = 3,
		.types = {INT8OID, INT4OID, TEXTOID}
	};
	Datum		values[] = {
		Int64GetDatum(stream),
		Int32GetDatum(partition),
		CStringGetTextDatum(error)
	};

	(void) us_statement_run(&statement, values, NULL);
}

/* the row of the stream is locked before its positions, as everywhere */
static bool
lock_definition(int64 stream, int config_version)
{
	static UsStatement statement = {
		.text = "SELECT 1 FROM userstream.stream WHERE id = $1 AND config_version = $2"
		" FOR UPDATE SKIP LOCKED",
		.nargs = 2,
		.types = {INT8OID, INT4OID}
	};
	Datum		values[] = {Int64GetDatum(stream), Int32GetDatum(config_version)};

	return us_statement_run(&statement, values, NULL) == 1;
}

static bool
add_one(int64 stream, const UsTopicPartition *partition)
{
	static UsStatement statement = {
		.text = "INSERT INTO userstream.stream_position (stream_id, partition, next_offset)"
		" VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
		.nargs = 3,
		.types = {INT8OID, INT4OID, INT8OID}
	};
	Datum		values[] = {
		Int64GetDatum(stream),
		Int32GetDatum(partition->partition),
		Int64GetDatum(partition->low_offset)
	};

	return us_statement_run(&statement, values, NULL) == 1;
}

/* all workers of the stream start anew */
static void
raise_version(int64 stream)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.stream SET config_version = config_version + 1 WHERE id = $1",
		.nargs = 1,
		.types = {INT8OID}
	};
	Datum		values[] = {Int64GetDatum(stream)};

	(void) us_statement_run(&statement, values, NULL);
}

bool
us_position_add(int64 stream, int config_version, const UsTopicPartition *partitions, int count)
{
	bool		added = false;

	if (!lock_definition(stream, config_version))
		return false;
	for (int i = 0; i < count; i++)
		added = add_one(stream, &partitions[i]) || added;
	if (added)
		raise_version(stream);
	return added;
}

bool
us_position_assign(int64 stream, int config_version, const int *workers, int count)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.stream_position SET worker = $3, epoch = epoch + 1"
		" WHERE stream_id = $1 AND partition = $2",
		.nargs = 3,
		.types = {INT8OID, INT4OID, INT4OID}
	};

	if (!lock_definition(stream, config_version))
		return false;
	/* ascending, as a batch does */
	for (int32 p = 0; p < count; p++)
	{
		Datum		values[] = {Int64GetDatum(stream), Int32GetDatum(p), Int32GetDatum(workers[p])};

		if (workers[p] >= 0)
			(void) us_statement_run(&statement, values, NULL);
	}
	raise_version(stream);
	return true;
}
