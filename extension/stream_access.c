/*-------------------------------------------------------------------------
 * extension/stream_access.c
 *    find a stream by name, ask for the right to change it, lock it
 *
 * Runs in the caller's backend and transaction.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/stream_access.h"
#include "utils/builtins.h"

uint64
us_stream_run(const char *text, int64 stream)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(stream)};

	if (SPI_execute_with_args(text, 1, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", text);
	return SPI_processed;
}

uint64
us_stream_run_by_name(const char *text, const char *name)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};

	if (SPI_execute_with_args(text, 1, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", text);
	return SPI_processed;
}

UsStream *
us_stream_find(const char *name, Oid role, bool missing_ok)
{
	UsStream   *stream = us_catalog_stream_by_name(name);

	if (stream != NULL)
	{
		us_catalog_check_owner(role, "stream", name, stream->owner, stream->owner_oid, stream->home);
		return stream;
	}
	ereport(missing_ok ? NOTICE : ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 missing_ok ?
			 errmsg("stream \"%s\" does not exist, skipping", name) :
			 errmsg("stream \"%s\" does not exist", name),
			 missing_ok ? 0 :
			 errhint("SELECT stream FROM userstream.stream_status shows those that there are.")));
	return NULL;
}

UsStream *
us_stream_lock(const char *name, Oid role, bool missing_ok)
{
	UsElevation saved;

	if (us_stream_find(name, role, missing_ok) == NULL)
		return NULL;
	saved = us_elevate();
	SPI_connect();
	us_stream_run_by_name("SELECT 1 FROM userstream.stream WHERE name = $1 FOR UPDATE", name);
	SPI_finish();
	us_restore(saved);
	return us_stream_find(name, role, missing_ok);
}

void
us_stream_check_home(const UsStream *stream)
{
	if (us_stream_at_home(stream))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("stream \"%s\" comes from another database", stream->name),
			 errdetail("Its definition was restored or copied, and nothing runs by it here."),
			 errhint("Call userstream.adopt(%s) first.", quote_literal_cstr(stream->name))));
}

void
us_stream_note_halted(const UsStream *stream)
{
	UsElevation saved = us_elevate();
	bool		stopped = stream->stop_reason != NULL;

	SPI_connect();
	stopped |= us_stream_run("SELECT 1 FROM userstream.stream_position"
							 " WHERE stream_id = $1 AND stopped", stream->id) > 0;
	SPI_finish();
	us_restore(saved);
	if (stopped || stream->paused)
		ereport(NOTICE,
				(errmsg("stream \"%s\" is %s", stream->name, stopped ? "stopped" : "paused"),
				 errhint("userstream.resume_stream(%s) continues.",
						 quote_literal_cstr(stream->name))));
}
