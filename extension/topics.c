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
#include "extension/compat.h"
#include "extension/server.h"
#include "extension/stream_topic.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(us_topics);

static bool
interrupt_pending(void)
{
	return InterruptPending;
}

static void
list_topics(const UsTopicQuestion *question, UsTopicEntry **entries, int *count)
{
	UsOptionList options = us_server_options(question->server, question->owner);
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													   US_BROKER_TIMEOUT_MS);
	UsTopicResult result;
	char		errstr[512];
	long		left_ms;

	InvalidateCatalogSnapshot();
	/* an interrupt that turns out not to end us starts the question anew */
	do
	{
		CHECK_FOR_INTERRUPTS();
		left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
		errstr[0] = '\0';
		pgstat_report_wait_start(PG_WAIT_EXTENSION);
		result = us_kafka_topics_list(&options, (int) Max(left_ms, 1), interrupt_pending,
									  entries, count, errstr, sizeof(errstr));
		pgstat_report_wait_end();
	} while (result == US_TOPIC_INTERRUPTED && left_ms > 0);

	if (result != US_TOPIC_OK)
	{
		CHECK_FOR_INTERRUPTS();
		us_stream_topic_refuse(question, result, errstr);
	}
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
	UsTopicEntry *entries = NULL;
	int			count = 0;

	if (PG_ARGISNULL(0))
		us_args_refuse_null("server");
	InitMaterializedSRF(fcinfo, 0);
	question.server_name = NameStr(*PG_GETARG_NAME(0));
	question.owner = GetUserId();
	question.server = us_server_lookup(question.server_name, US_SERVER_KAFKA, question.owner);
	list_topics(&question, &entries, &count);
	PG_TRY();
	{
		for (int i = 0; i < count; i++)
			put_entry(rsinfo, &entries[i]);
	}
	PG_FINALLY();
	{
		us_kafka_topics_free(entries, count);
	}
	PG_END_TRY();
	return (Datum) 0;
}
