/*-------------------------------------------------------------------------
 * extension/stream_change.c
 *    drop_stream, pause_stream, resume_stream
 *
 * Run in the caller's backend and transaction.  Rows are locked in one order,
 * the stream before its positions, and those ascending, as workers do: a
 * batch that is under way is waited for, never broken into.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "extension/shmem.h"
#include "extension/stream_args.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(us_drop_stream);
PG_FUNCTION_INFO_V1(us_pause_stream);
PG_FUNCTION_INFO_V1(us_resume_stream);

#define FIND_STREAM \
	"SELECT id, owner, owner_oid, home FROM userstream.stream WHERE name = $1"

/* one of our statements, with a stream's number as its only argument */
static void
run_for_stream(const char *text, int64 stream)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(stream)};

	if (SPI_execute_with_args(text, 1, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", text);
}

/* the same with its name */
static void
run_for_name(const char *text, const char *name)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};

	if (SPI_execute_with_args(text, 1, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", text);
}

/* the rights of the owner are needed; the row is that of FIND_STREAM */
static void
check_membership(const char *name, Oid caller)
{
	HeapTuple	row = SPI_tuptable->vals[0];
	TupleDesc	desc = SPI_tuptable->tupdesc;
	bool		isnull;
	char	   *owner = SPI_getvalue(row, desc, 2);
	Oid			owner_oid = DatumGetObjectId(SPI_getbinval(row, desc, 3, &isnull));
	char	   *home = SPI_getvalue(row, desc, 4);
	Oid			role = us_catalog_owner(owner, owner_oid, home);

	if (has_privs_of_role(caller, role))
		return;
	if (OidIsValid(role))
		owner = GetUserNameFromId(role, false);
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("must be owner of stream \"%s\"", name),
			 errdetail("The stream belongs to role \"%s\", and role \"%s\" is not a member of it.",
					   owner, GetUserNameFromId(caller, false)),
			 errhint("Have its owner call this, or GRANT %s TO %s.",
					 quote_identifier(owner),
					 quote_identifier(GetUserNameFromId(caller, false)))));
}

/*
 * Find a stream, ask for the right to change it, and lock its row.  The right
 * is asked for before the lock too: who has none may not hold up others.
 */
static bool
lock_stream(const char *name, Oid caller, bool missing_ok, int64 *stream)
{
	bool		isnull;

	run_for_name(FIND_STREAM, name);
	if (SPI_processed > 0)
	{
		check_membership(name, caller);
		run_for_name(FIND_STREAM " FOR UPDATE", name);
	}
	if (SPI_processed > 0)
	{
		check_membership(name, caller);
		*stream = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
											  1, &isnull));
		return true;
	}
	if (!missing_ok)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("stream \"%s\" does not exist", name),
				 errhint("SELECT stream FROM userstream.stream_status shows those that there are.")));
	ereport(NOTICE,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("stream \"%s\" does not exist, skipping", name)));
	return false;
}

Datum
us_drop_stream(PG_FUNCTION_ARGS)
{
	char	   *name = us_stream_name_arg(fcinfo);
	bool		if_exists = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	UsElevation saved;
	int64		stream;

	PreventCommandIfReadOnly("drop_stream()");
	saved = us_elevate();
	SPI_connect();
	if (lock_stream(name, saved.role, if_exists, &stream))
	{
		run_for_stream("SELECT 1 FROM userstream.stream_position WHERE stream_id = $1"
					   " ORDER BY partition FOR UPDATE", stream);
		run_for_stream("DELETE FROM userstream.stream_position WHERE stream_id = $1", stream);
		run_for_stream("DELETE FROM userstream.stream WHERE id = $1", stream);
		run_for_name("DELETE FROM userstream.stream_history WHERE stream = $1", name);
		run_for_name("UPDATE userstream.incident SET closed_at = now()"
					 " WHERE stream = $1 AND closed_at IS NULL", name);
		us_wake_at_commit();
	}
	SPI_finish();
	us_restore(saved);
	PG_RETURN_VOID();
}

Datum
us_pause_stream(PG_FUNCTION_ARGS)
{
	char	   *name = us_stream_name_arg(fcinfo);
	UsElevation saved;
	int64		stream;

	PreventCommandIfReadOnly("pause_stream()");
	saved = us_elevate();
	SPI_connect();
	(void) lock_stream(name, saved.role, false, &stream);
	run_for_stream("UPDATE userstream.stream"
				   " SET paused = true, config_version = config_version + 1"
				   " WHERE id = $1 AND NOT paused", stream);
	SPI_finish();
	us_restore(saved);
	us_wake_at_commit();
	PG_RETURN_VOID();
}

Datum
us_resume_stream(PG_FUNCTION_ARGS)
{
	char	   *name = us_stream_name_arg(fcinfo);
	UsElevation saved;
	int64		stream;

	PreventCommandIfReadOnly("resume_stream()");
	saved = us_elevate();
	SPI_connect();
	(void) lock_stream(name, saved.role, false, &stream);
	/* the new version makes workers start anew and find their partitions free */
	run_for_stream("UPDATE userstream.stream"
				   " SET paused = false, stop_reason = NULL, stopped_at = NULL,"
				   " config_version = config_version + 1"
				   " WHERE id = $1", stream);
	run_for_stream("SELECT 1 FROM userstream.stream_position WHERE stream_id = $1 AND stopped"
				   " ORDER BY partition FOR UPDATE", stream);
	run_for_stream("UPDATE userstream.stream_position SET stopped = false"
				   " WHERE stream_id = $1 AND stopped", stream);
	run_for_name("UPDATE userstream.incident SET closed_at = now()"
				 " WHERE stream = $1 AND closed_at IS NULL", name);
	SPI_finish();
	us_restore(saved);
	us_wake_at_commit();
	PG_RETURN_VOID();
}
