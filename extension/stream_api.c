/*-------------------------------------------------------------------------
 * extension/stream_api.c
 *    create_stream: arguments, table and broker -> a definition with positions
 *
 * Runs in the caller's backend and transaction.  Everything that can be
 * checked is checked here, the cheap before the broker.  The broker is asked
 * with no lock of ours on the target, so that a slow one keeps nobody waiting
 * but the caller; what may have changed meanwhile is then checked again.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/shmem.h"
#include "extension/stream_check.h"
#include "extension/stream_store.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(us_create_stream);

/* raises, or says that there is nothing to do */
static void
report_name_taken(const char *name, bool if_not_exists)
{
	if (!if_not_exists)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("stream \"%s\" already exists", name),
				 errhint("Choose another name, or remove it with userstream.drop_stream(%s).",
						 quote_literal_cstr(name))));
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("stream \"%s\" already exists, skipping", name)));
}

Datum
us_create_stream(PG_FUNCTION_ARGS)
{
	bool		if_not_exists = !PG_ARGISNULL(US_STREAM_ARG_LAST) &&
		PG_GETARG_BOOL(US_STREAM_ARG_LAST);
	Oid			owner = GetUserId();
	UsStreamArgs args;
	UsTopicQuestion question;
	UsTopic		topic;
	UsPlace    *places;
	int			nplaces;

	us_stream_args_create(fcinfo, &args);
	PreventCommandIfReadOnly("create_stream()");
	if (us_catalog_stream_by_name(args.name) != NULL)
	{
		report_name_taken(args.name, if_not_exists);
		PG_RETURN_VOID();
	}
	us_stream_check_owner(owner);
	question.server = us_server_lookup(args.server, US_SERVER_KAFKA, owner);
	question.server_name = args.server;
	question.topic = args.topic;
	question.owner = owner;
	question.time_ms = args.start->time_ms;
	us_stream_check_target(&args, owner, false);

	us_stream_ask_registry(&args, owner);
	us_stream_topic_describe(&question, &topic);
	places = us_start_resolve(args.start, true, &question, &topic, &nplaces);

	us_stream_check_target(&args, owner, true);
	if (!us_stream_insert(&args, question.server, owner, places, nplaces))
	{
		report_name_taken(args.name, if_not_exists);
		PG_RETURN_VOID();
	}
	us_wake_at_commit();
	us_stream_warn_idle(args.name);
	PG_RETURN_VOID();
}
