/*-------------------------------------------------------------------------
 * extension/stream_change.c
 *    drop_stream, pause_stream, resume_stream
 *
 * Run in the caller's backend and transaction.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "extension/shmem.h"
#include "extension/stream_access.h"
#include "extension/stream_args.h"
#include "extension/stream_check.h"
#include "miscadmin.h"

PG_FUNCTION_INFO_V1(us_drop_stream);
PG_FUNCTION_INFO_V1(us_pause_stream);
PG_FUNCTION_INFO_V1(us_resume_stream);

Datum
us_drop_stream(PG_FUNCTION_ARGS)
{
	char	   *name = us_stream_name_arg(fcinfo);
	bool		if_exists = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	UsStream   *stream;

	PreventCommandIfReadOnly("drop_stream()");
	stream = us_stream_lock(name, GetUserId(), if_exists);
	if (stream != NULL)
	{
		UsElevation saved = us_elevate();

		SPI_connect();
		us_stream_run("SELECT 1 FROM userstream.stream_position WHERE stream_id = $1"
					  " ORDER BY partition FOR UPDATE", stream->id);
		us_stream_run("DELETE FROM userstream.stream_position WHERE stream_id = $1", stream->id);
		us_stream_run("DELETE FROM userstream.stream WHERE id = $1", stream->id);
		us_stream_run_by_name("DELETE FROM userstream.stream_history WHERE stream = $1", name);
		us_stream_run_by_name("UPDATE userstream.incident SET closed_at = now()"
							  " WHERE stream = $1 AND closed_at IS NULL", name);
		SPI_finish();
		us_restore(saved);
		us_wake_at_commit();
	}
	PG_RETURN_VOID();
}

Datum
us_pause_stream(PG_FUNCTION_ARGS)
{
	char	   *name = us_stream_name_arg(fcinfo);
	UsElevation saved;
	UsStream   *stream;

	PreventCommandIfReadOnly("pause_stream()");
	stream = us_stream_lock(name, GetUserId(), false);
	saved = us_elevate();
	SPI_connect();
	us_stream_run("UPDATE userstream.stream"
				  " SET paused = true, config_version = config_version + 1"
				  " WHERE id = $1 AND NOT paused", stream->id);
	SPI_finish();
	us_restore(saved);
	us_wake_at_commit();
	PG_RETURN_VOID();
}

/* what resuming does not mend, such as an owner who may not log in */
static void
note_problem(UsStream *stream)
{
	char	   *problem;

	stream->stop_reason = NULL;
	problem = us_stream_problem(stream);
	if (problem != NULL)
		ereport(NOTICE, (errmsg("stream \"%s\" stays stopped: %s", stream->name, problem)));
}

Datum
us_resume_stream(PG_FUNCTION_ARGS)
{
	char	   *name = us_stream_name_arg(fcinfo);
	UsElevation saved;
	UsStream   *stream;

	PreventCommandIfReadOnly("resume_stream()");
	stream = us_stream_lock(name, GetUserId(), false);
	saved = us_elevate();
	SPI_connect();
	/* the new version makes workers start anew and find their partitions free */
	us_stream_run("UPDATE userstream.stream"
				  " SET paused = false, stop_reason = NULL, stopped_at = NULL,"
				  " config_version = config_version + 1"
				  " WHERE id = $1", stream->id);
	us_stream_run("SELECT 1 FROM userstream.stream_position WHERE stream_id = $1 AND stopped"
				  " ORDER BY partition FOR UPDATE", stream->id);
	/* what happened stays to be read, but nothing is to be done any more */
	us_stream_run("UPDATE userstream.stream_position p SET stopped = false, last_error = coalesce("
				  "  (SELECT i.detail FROM userstream.incident i"
				  "    JOIN userstream.stream s ON s.name = i.stream"
				  "   WHERE s.id = p.stream_id AND i.partition = p.partition AND i.closed_at IS NULL"
				  "   ORDER BY i.id DESC LIMIT 1), last_error)"
				  " WHERE stream_id = $1 AND stopped", stream->id);
	us_stream_run_by_name("UPDATE userstream.incident SET closed_at = now()"
						  " WHERE stream = $1 AND closed_at IS NULL", name);
	SPI_finish();
	us_restore(saved);
	us_wake_at_commit();
	note_problem(stream);
	us_stream_warn_idle(name);
	PG_RETURN_VOID();
}
