/*-------------------------------------------------------------------------
 * extension/kafka_topic.c
 *    asks a broker for the partitions of a topic and their watermarks
 *
 * Called in the backends of create_stream, alter_stream, seek_stream and peek,
 * and by a worker that looks whether its topic has changed.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "extension/kafka_inquiry.h"

/* what is asked about each partition */
typedef enum Question
{
	LOW_OFFSETS,
	HIGH_OFFSETS,
	OFFSETS_AT_TIME
} Question;

/* what is asked about one topic */
typedef struct TopicInquiry
{
	UsInquiry	inquiry;		/* first, so that one is the other */
	rd_kafka_topic_t *topic;
	int64_t		time_ms;		/* -1 = nothing to ask about a time */
	UsTopicPartition *partitions;
	int			count;
} TopicInquiry;

static int
compare_partitions(const void *a, const void *b)
{
	int32_t		x = ((const UsTopicPartition *) a)->partition;
	int32_t		y = ((const UsTopicPartition *) b)->partition;

	return (x > y) - (x < y);
}

static bool
copy_partitions(TopicInquiry *ask, const rd_kafka_metadata_topic_t *topic)
{
	ask->partitions = calloc((size_t) topic->partition_cnt, sizeof(UsTopicPartition));
	if (ask->partitions == NULL)
	{
		us_inquiry_fail(&ask->inquiry, US_TOPIC_FAILED, "out of memory");
		return false;
	}
	ask->count = topic->partition_cnt;
	for (int i = 0; i < topic->partition_cnt; i++)
	{
		ask->partitions[i].partition = topic->partitions[i].id;
		ask->partitions[i].leader = topic->partitions[i].leader;
		ask->partitions[i].time_offset = -1;
	}
	qsort(ask->partitions, (size_t) ask->count, sizeof(UsTopicPartition),
		  compare_partitions);
	return true;
}

/* one answer about the topic; true when the answer ends the question */
static bool
read_metadata(TopicInquiry *ask, const rd_kafka_metadata_t *metadata, bool *known)
{
	const rd_kafka_metadata_topic_t *topic;

	if (metadata->topic_cnt != 1)
		return false;
	topic = &metadata->topics[0];
	switch (topic->err)
	{
		case RD_KAFKA_RESP_ERR_NO_ERROR:
			if (topic->partition_cnt == 0)
				return false;
			*known = copy_partitions(ask, topic);
			return true;
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
			us_inquiry_fail(&ask->inquiry, US_TOPIC_UNKNOWN, "the broker knows no such topic");
			return true;
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
			us_inquiry_fail(&ask->inquiry, US_TOPIC_NOT_AUTHORIZED, "the broker does not let this user see the topic");
			return true;
		case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
			return false;		/* it is just being created */
		default:
			us_inquiry_fail(&ask->inquiry, US_TOPIC_FAILED, rd_kafka_err2str(topic->err));
			return true;
	}
}

static bool
ask_partitions(TopicInquiry *ask)
{
	bool		known = false;
	bool		ended = false;
	const char *error;

	do
	{
		const rd_kafka_metadata_t *metadata;
		rd_kafka_resp_err_t err;

		err = rd_kafka_metadata(ask->inquiry.rk, 0, ask->topic, &metadata,
								us_inquiry_step_ms(&ask->inquiry));
		error = err ? rd_kafka_err2str(err) : "the topic has no leader";
		if (!err)
		{
			ended = read_metadata(ask, metadata, &known);
			rd_kafka_metadata_destroy(metadata);
		}
	} while (!ended && us_inquiry_may_ask_again(&ask->inquiry, error));
	return known;
}

/* an answer without an offset is one only to the question about a time */
static bool
take_offset(UsTopicPartition *partition, Question question, int64_t offset)
{
	switch (question)
	{
		case LOW_OFFSETS:
			partition->low_offset = offset;
			return offset >= 0;
		case HIGH_OFFSETS:
			partition->high_offset = offset;
			return offset >= 0;
		case OFFSETS_AT_TIME:
			partition->time_offset = offset >= 0 ? offset : -1;
			return true;
	}
	return false;
}

/* one answer for all partitions; false and text when one of them is missing */
static bool
read_offsets(TopicInquiry *ask, const rd_kafka_topic_partition_list_t *list, Question question,
			 char *text, size_t text_size)
{
	for (int i = 0; i < ask->count; i++)
	{
		const rd_kafka_topic_partition_t *answer = &list->elems[i];

		if (answer->err || !take_offset(&ask->partitions[i], question, answer->offset))
		{
			snprintf(text, text_size, "partition %d: %s", (int) answer->partition,
					 answer->err ? rd_kafka_err2str(answer->err) : "no offset");
			return false;
		}
	}
	return true;
}

/*
 * Earliest and latest are special times in Kafka's protocol, with the values
 * of librdkafka's special offsets.
 */
static int64_t
time_of(const TopicInquiry *ask, Question question)
{
	if (question == OFFSETS_AT_TIME)
		return ask->time_ms;
	return question == HIGH_OFFSETS ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
}

/*
 * Ask one thing about every partition at once.  (librdkafka's call for the two
 * watermarks of one partition takes a round trip for each, and before 2.3 it
 * does not keep to its timeout.)
 */
static bool
ask_offsets(TopicInquiry *ask, Question question)
{
	const char *topic = rd_kafka_topic_name(ask->topic);
	char		text[256];
	bool		answered = false;

	do
	{
		rd_kafka_topic_partition_list_t *list;
		rd_kafka_resp_err_t err;

		list = rd_kafka_topic_partition_list_new(ask->count);
		for (int i = 0; i < ask->count; i++)
		{
			rd_kafka_topic_partition_list_add(list, topic, ask->partitions[i].partition);
			list->elems[i].offset = time_of(ask, question);
		}
		err = rd_kafka_offsets_for_times(ask->inquiry.rk, list, us_inquiry_step_ms(&ask->inquiry));
		if (!err && list->elems[0].err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
			err = list->elems[0].err;
		if (err)
			snprintf(text, sizeof(text), "%s", rd_kafka_err2str(err));
		else
			answered = read_offsets(ask, list, question, text, sizeof(text));
		rd_kafka_topic_partition_list_destroy(list);

		if (err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
		{
			us_inquiry_fail(&ask->inquiry, US_TOPIC_NOT_AUTHORIZED, "the broker does not let this user read the topic");
			return false;
		}
	} while (!answered && us_inquiry_may_ask_again(&ask->inquiry, text));
	return answered;
}

/* runs in the helper thread */
static void
inquire(void *argument, const atomic_bool *abandoned)
{
	TopicInquiry *ask = argument;

	ask->inquiry.abandoned = abandoned;
	if (!ask_partitions(ask))
		return;
	ask->inquiry.step_ms = US_INQUIRY_FIRST_STEP_MS;
	if (!ask_offsets(ask, LOW_OFFSETS) || !ask_offsets(ask, HIGH_OFFSETS))
		return;
	/* after the ends: where no message is that late, the end known by now is before any */
	if (ask->time_ms < 0 || ask_offsets(ask, OFFSETS_AT_TIME))
		ask->inquiry.result = US_TOPIC_OK;
}

/* all but the inquiry */
static void
free_parts(TopicInquiry *ask)
{
	free(ask->partitions);
	if (ask->topic != NULL)
		rd_kafka_topic_destroy(ask->topic);
}

/* runs in a helper thread that nobody waits for */
static void
release_ask(void *argument)
{
	TopicInquiry *ask = argument;

	free_parts(ask);
	us_inquiry_abandon(&ask->inquiry);
	free(ask);
}

/* NULL and errstr on failure */
static TopicInquiry *
open_ask(const UsOptionList *options, const char *topic, int timeout_ms,
		 char *errstr, size_t errstr_size)
{
	TopicInquiry *ask = calloc(1, sizeof(TopicInquiry));

	if (ask == NULL)
	{
		snprintf(errstr, errstr_size, "out of memory");
		return NULL;
	}
	if (!us_inquiry_open(&ask->inquiry, options, timeout_ms, errstr, errstr_size))
	{
		free(ask);
		return NULL;
	}
	ask->topic = rd_kafka_topic_new(ask->inquiry.rk, topic, NULL);
	if (ask->topic == NULL)
	{
		snprintf(errstr, errstr_size, "%s", rd_kafka_err2str(rd_kafka_last_error()));
		us_inquiry_close(&ask->inquiry);
		free(ask);
		return NULL;
	}
	return ask;
}

UsTopicResult
us_kafka_topic_describe(const UsOptionList *options, const char *topic,
						int64_t time_ms, int timeout_ms, bool (*interrupted) (void),
						UsTopicPartition **partitions, int *count,
						char *errstr, size_t errstr_size)
{
	TopicInquiry *ask = open_ask(options, topic, timeout_ms, errstr, errstr_size);
	UsTopicResult result;
	bool		owned;

	*partitions = NULL;
	*count = 0;
	if (ask == NULL)
		return US_TOPIC_FAILED;
	ask->time_ms = time_ms;
	result = us_inquiry_run(&ask->inquiry, inquire, release_ask, timeout_ms, interrupted, &owned,
							errstr, errstr_size);
	if (!owned)
		return result;
	if (result == US_TOPIC_OK)
	{
		*partitions = ask->partitions;
		*count = ask->count;
		ask->partitions = NULL;
	}
	else
		us_inquiry_text(&ask->inquiry, options, errstr, errstr_size);
	free_parts(ask);
	us_inquiry_close(&ask->inquiry);
	free(ask);
	return result;
}
