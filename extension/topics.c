/*-------------------------------------------------------------------------
 * extension/topics.c
 *    topics: what is on the brokers of a server
 *
 * Runs in the caller's backend and transaction: in bounded time, cancellable,
 * with no lock of ours.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/args.h"
#include "extension/broker.h"
#include "extension/server.h"
#include "extension/stream_topic.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"

PG_FUNCTION_INFO_V1(us_topics);

typedef struct TopicList
{
	UsOptionList options;
	UsTopicEntry *entries;
	int			count;
} TopicList;

static UsTopicResult
ask_topics(void *argument, int timeout_ms, bool (*interrupted) (void),
		   char *errstr, size_t errstr_size)
{
	TopicList  *list = argument;

	return us_kafka_topics_list(&list->options, timeout_ms, interrupted,
								&list->entries, &list->count, errstr, errstr_size);
}

static void
put_entry(ReturnSetInfo *rsinfo, const UsTopicEntry *entry)
{
	const UsTopicPartition *partition = &entry->partition;
	Datum		values[5];
	bool		nulls[5] = {false};

	values[0] = CStringGetTextDatum(entry->topic);
	values[1] = Int32GetDatum(partition->partition);
	values[2] = Int64GetDatum(partition->low_offset);
	nulls[2] = partition->low_offset < 0;
	values[3] = Int64GetDatum(partition->high_offset);
	nulls[3] = partition->high_offset < 0;
	values[4] = Int32GetDatum(partition->leader);
	nulls[4] = partition->leader < 0;
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
us_topics(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	UsTopicQuestion question = {.time_ms = -1};
	TopicList	list = {0};
	UsTopicResult result;
	char		errstr[512];

	if (PG_ARGISNULL(0))
		us_args_refuse_null("server");
	InitMaterializedSRF(fcinfo, 0);
	question.server_name = NameStr(*PG_GETARG_NAME(0));
	question.owner = GetUserId();
	question.server = us_server_lookup(question.server_name, US_SERVER_KAFKA, question.owner);
	list.options = us_server_options(question.server, question.owner);
	result = us_broker_ask(ask_topics, &list, errstr, sizeof(errstr));
	if (result != US_TOPIC_OK)
		us_stream_topic_refuse(&question, result, errstr);
	PG_TRY();
	{
		for (int i = 0; i < list.count; i++)
			put_entry(rsinfo, &list.entries[i]);
	}
	PG_FINALLY();
	{
		us_kafka_topics_free(list.entries, list.count);
	}
	PG_END_TRY();
	return (Datum) 0;
}
