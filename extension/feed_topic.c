/*-------------------------------------------------------------------------
 * extension/feed_topic.c
 *    the topic of a feed: there, or made
 *
 * Runs where a feed is defined, inside the caller's transaction, and at the
 * start of each run: in bounded time, cancellable, and with no lock of ours.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/feed.h"
#include "extension/kafka_admin.h"
#include "extension/stream_topic.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#define CREATE_TIMEOUT_MS	10000

static bool
interrupt_pending(void)
{
	return InterruptPending;
}

static void
create_topic(const UsTopicQuestion *question, const UsFeedOptions *options)
{
	UsOptionList server_options = us_server_options(question->server, question->owner);
	TimestampTz deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(), CREATE_TIMEOUT_MS);
	UsTopicResult result;
	char		errstr[512];
	long		left_ms;

	/* what the catalogs were read with must not be held while waiting */
	InvalidateCatalogSnapshot();
	/* an interrupt that turns out not to end us starts the question anew */
	do
	{
		CHECK_FOR_INTERRUPTS();
		left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(), deadline);
		errstr[0] = '\0';
		result = us_kafka_topic_create(&server_options, question->topic,
									   options->create_partitions,
									   options->create_replication_factor,
									   (int) Max(left_ms, 1), interrupt_pending,
									   errstr, sizeof(errstr));
	} while (result == US_TOPIC_INTERRUPTED && left_ms > 0);

	CHECK_FOR_INTERRUPTS();
	if (result == US_TOPIC_OK)
		return;
	ereport(ERROR,
			(errcode(result == US_TOPIC_NOT_AUTHORIZED ? ERRCODE_INSUFFICIENT_PRIVILEGE :
					 result == US_TOPIC_FAILED ? ERRCODE_FDW_ERROR :
					 ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
			 errmsg("could not create topic \"%s\" on server \"%s\"",
					question->topic, question->server_name),
			 errdetail("The brokers or the Kafka library say: %s.", errstr),
			 errhint("Check that Kafka runs, the numbers of option create_topic, and what the Kafka user may do; or create the topic by other means.")));
}

void
us_feed_topic_prepare(const char *server_name, Oid server, Oid owner,
					  const char *topic, const UsFeedOptions *options)
{
	UsTopicQuestion question = {
		.server_name = server_name,
		.topic = topic,
		.server = server,
		.owner = owner,
		.time_ms = -1
	};
	UsTopic		described;

	if (options->create_partitions > 0)
		create_topic(&question, options);
	else
		us_stream_topic_describe(&question, &described);
}
