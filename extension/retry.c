/*-------------------------------------------------------------------------
 * extension/retry.c
 *    retry_dead_letters: rights and arguments, then worker/replay.c
 *
 * Runs in the caller's backend and transaction.  The stream's row is not
 * locked: whoever alters or drops the stream meanwhile comes after us, and
 * does not wait for us.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "extension/args.h"
#include "extension/stream_access.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "worker/replay.h"

PG_FUNCTION_INFO_V1(us_retry_dead_letters);

static ArrayType *
ids_arg(FunctionCallInfo fcinfo)
{
	ArrayType  *ids;

	if (PG_ARGISNULL(1))
		return NULL;
	ids = PG_GETARG_ARRAYTYPE_P(1);
	if (array_contains_nulls(ids))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"ids\" must not hold a null"),
				 errhint("Leave the argument out to retry all dead letters of the stream that were not applied yet.")));
	return ids;
}

Datum
us_retry_dead_letters(PG_FUNCTION_ARGS)
{
	UsStream   *stream;
	ArrayType  *ids;

	if (PG_ARGISNULL(0))
		us_args_refuse_null("stream");
	ids = ids_arg(fcinfo);
	PreventCommandIfReadOnly("retry_dead_letters()");
	stream = us_stream_find(text_to_cstring(PG_GETARG_TEXT_PP(0)), GetUserId(), false);
	us_stream_check_home(stream);
	PG_RETURN_INT64(us_replay_dead_letters(stream, ids));
}
