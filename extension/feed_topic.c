/*-------------------------------------------------------------------------
 * extension/feed_topic.c
 *    the topic of a feed: there, or made
 *
 * Runs where a feed is defined, inside the caller's transaction, and at the
 * start of each run: in bounded time, cancellable, and with no lock of ours.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/broker.h"
#include "extension/feed.h"
#include "extension/kafka_admin.h"
#include "extension/stream_topic.h"

typedef struct Creation
{
	const UsTopicQuestion *question;
	const UsFeedOptions *options;
	UsOptionList server_options;
} Creation;

static UsTopicResult
ask_creation(void *argument, int timeout_ms, bool (*interrupted) (void),
			 char *errstr, size_t errstr_size)
{
	Creation   *creation = argument;

	return us_kafka_topic_create(&creation->server_options, creation->question->topic,
								 creation->options->create_partitions,
								 creation->options->create_replication_factor,
								 timeout_ms, interrupted, errstr, errstr_size);
}

static void
create_topic(const UsTopicQuestion *question, const UsFeedOptions *options)
{
	Creation	creation = {
		.question = question,
		.options = options,
		.server_options = us_server_options(question->server, question->owner)
	};
	char		errstr[512];
	UsTopicResult result = us_broker_ask(ask_creation, &creation, errstr, sizeof(errstr));

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

	/* to make topics is a right of its own, and one of the controller's */
	if (options->create_partitions == 0)
		us_stream_topic_describe(&question, &described);
	else if (!us_stream_topic_find(&question, &described))
		create_topic(&question, options);
}
