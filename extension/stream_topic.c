/*-------------------------------------------------------------------------
 * extension/stream_topic.c
 *    what the broker says of a topic -> partitions and their offsets, or an error
 *
 * Runs in the backend of create_stream, alter_stream and seek_stream, inside
 * the caller's transaction: in bounded time, cancellable, and with no lock of
 * ours.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/broker.h"
#include "extension/compat.h"
#include "extension/server.h"
#include "extension/stream_topic.h"
#include "miscadmin.h"
#include "utils/palloc.h"
#include "utils/wait_event.h"


void
us_stream_topic_refuse(const UsTopicQuestion *question, UsTopicResult result, const char *errstr)
{
	switch (result)
	{
		case US_TOPIC_UNKNOWN:
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("topic \"%s\" does not exist", question->topic),
					 errdetail("The brokers of server \"%s\" know no topic of this name.",
							   question->server_name),
					 errhint("Create the topic first, or look for the right name: upper and lower case differ.")));
		case US_TOPIC_NOT_AUTHORIZED:
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("permission denied for topic \"%s\"", question->topic),
					 errdetail("The brokers of server \"%s\" answered: %s.", question->server_name, errstr),
					 errhint("Allow the Kafka user of the server's user mapping to describe and read the topic.")));
		case US_TOPIC_INTERRUPTED:
			errstr = "no answer in time";
			/* FALLTHROUGH */
		case US_TOPIC_UNREACHABLE:
			ereport(ERROR,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("could not reach the brokers of server \"%s\"", question->server_name),
					 errdetail("Within %d seconds: %s.", US_BROKER_TIMEOUT_MS / 1000, errstr),
					 errhint("Check that Kafka runs, \"bootstrap.servers\" and the security options of the server, and the credentials of its user mapping.")));
		default:
			if (question->topic == NULL)
				ereport(ERROR,
						(errcode(ERRCODE_FDW_ERROR),
						 errmsg("could not list the topics of server \"%s\"",
								question->server_name),
						 errdetail("The Kafka library says: %s.", errstr),
						 errhint("Check the options of the server and of its user mapping.")));
			ereport(ERROR,
					(errcode(ERRCODE_FDW_ERROR),
					 errmsg("could not read what is in topic \"%s\" of server \"%s\"",
							question->topic, question->server_name),
					 errdetail("The Kafka library says: %s.", errstr),
					 errhint("Check the options of the server and of its user mapping.")));
	}
}

/* a partition without a leader has no watermarks to start at */
static void
check_topic(const UsTopicQuestion *question, const UsTopic *topic)
{
	for (int i = 0; i < topic->count; i++)
		if (topic->partitions[i].low_offset < 0 || topic->partitions[i].high_offset < 0)
			ereport(ERROR,
					(errcode(ERRCODE_SQLCLIENT_UNABLE_TO_ESTABLISH_SQLCONNECTION),
					 errmsg("partition %d of topic \"%s\" has no leader",
							topic->partitions[i].partition, question->topic),
					 errdetail("Without it, the offsets that the partition holds are not known."),
					 errhint("Call again when all brokers run.")));
}

typedef struct Description
{
	const UsTopicQuestion *question;
	UsOptionList options;
	UsTopicPartition *found;	/* malloc'd */
	int			count;
} Description;

static UsTopicResult
ask_topic(void *argument, int timeout_ms, bool (*interrupted) (void),
		  char *errstr, size_t errstr_size)
{
	Description *description = argument;
	const UsTopicQuestion *question = description->question;

	return us_kafka_topic_describe(&description->options, question->topic, question->time_ms,
								   timeout_ms, interrupted, &description->found,
								   &description->count, errstr, errstr_size);
}

bool
us_stream_topic_find(const UsTopicQuestion *question, UsTopic *topic)
{
	Description description = {
		.question = question,
		.options = us_server_options(question->server, question->owner)
	};
	char		errstr[512];
	UsTopicResult result = us_broker_ask(ask_topic, &description, errstr, sizeof(errstr));
	Size		size;

	if (result == US_TOPIC_UNKNOWN)
		return false;
	if (result != US_TOPIC_OK)
		us_stream_topic_refuse(question, result, errstr);

	/* nothing may raise before what was found is freed */
	topic->count = description.count;
	size = sizeof(UsTopicPartition) * topic->count;
	topic->partitions = palloc_extended(size, MCXT_ALLOC_NO_OOM);
	if (topic->partitions != NULL && size > 0)
		memcpy(topic->partitions, description.found, size);
	free(description.found);
	if (topic->partitions == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	CHECK_FOR_INTERRUPTS();
	if (topic->count == 0)
		return false;
	check_topic(question, topic);
	return true;
}

void
us_stream_topic_describe(const UsTopicQuestion *question, UsTopic *topic)
{
	if (!us_stream_topic_find(question, topic))
		us_stream_topic_refuse(question, US_TOPIC_UNKNOWN, "");
}
