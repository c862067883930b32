/*-------------------------------------------------------------------------
 * extension/try.c
 *    try_message: rights and arguments, then worker/trial.c
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/args.h"
#include "extension/compat.h"
#include "extension/stream_access.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "worker/trial.h"

PG_FUNCTION_INFO_V1(us_try_message);

#define UNIX_EPOCH_US \
	((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY)

/* null is null, an empty one is empty */
static const char *
bytes_arg(FunctionCallInfo fcinfo, int arg, size_t *len)
{
	bytea	   *bytes;

	*len = 0;
	if (PG_ARGISNULL(arg))
		return NULL;
	bytes = PG_GETARG_BYTEA_PP(arg);
	*len = VARSIZE_ANY_EXHDR(bytes);
	return VARDATA_ANY(bytes);
}

Datum
us_try_message(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	UsMessage	message = {0};
	UsStream   *stream;
	Jsonb	  **rows;
	bool		removes;
	int			count;

	if (PG_ARGISNULL(0))
		us_args_refuse_null("stream");
	PreventCommandIfReadOnly("try_message()");
	stream = us_stream_find(text_to_cstring(PG_GETARG_TEXT_PP(0)), GetUserId(), false);
	us_stream_check_home(stream);
	message.topic = stream->topic;
	message.timestamp_ms = (GetCurrentTimestamp() + UNIX_EPOCH_US) / 1000;
	message.value = bytes_arg(fcinfo, 1, &message.value_len);
	message.key = bytes_arg(fcinfo, 2, &message.key_len);

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	rows = us_trial_rows(stream, &message, &count, &removes);
	if (removes)
		ereport(NOTICE,
				(errmsg("the message removes the row with this key")));
	for (int i = 0; i < count; i++)
	{
		Datum		value = JsonbPGetDatum(rows[i]);
		bool		isnull = false;

		tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, &value, &isnull);
	}
	return (Datum) 0;
}
