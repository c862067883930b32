/*-------------------------------------------------------------------------
 * extension/kafka_topics.c
 *    asks a broker for all topics, their partitions and watermarks
 *
 * Called in the backend of topics.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "extension/kafka_inquiry.h"

typedef struct ListInquiry
{
	UsInquiry	inquiry;		/* first, so that one is the other */
	UsTopicEntry *entries;
	int			count;
} ListInquiry;

static int
compare_entries(const void *a, const void *b)
{
	const UsTopicEntry *x = a;
	const UsTopicEntry *y = b;
	int			by_name = strcmp(x->topic, y->topic);

	if (by_name != 0)
		return by_name;
	return (x->partition.partition > y->partition.partition) -
		(x->partition.partition < y->partition.partition);
}

static bool
copy_topics(ListInquiry *ask, const rd_kafka_metadata_t *metadata)
{
	size_t		partitions = 0;

	for (int i = 0; i < metadata->topic_cnt; i++)
		partitions += (size_t) metadata->topics[i].partition_cnt;
	ask->entries = calloc(partitions + 1, sizeof(UsTopicEntry));
	for (int i = 0; ask->entries != NULL && i < metadata->topic_cnt; i++)
	{
		const rd_kafka_metadata_topic_t *topic = &metadata->topics[i];

		for (int p = 0; p < topic->partition_cnt; p++)
		{
			UsTopicEntry *entry = &ask->entries[ask->count];

			entry->topic = strdup(topic->topic);
			if (entry->topic == NULL)
				return false;
			entry->partition.partition = topic->partitions[p].id;
			entry->partition.leader = topic->partitions[p].leader;
			entry->partition.low_offset = -1;
			entry->partition.high_offset = -1;
			entry->partition.time_offset = -1;
			ask->count++;
		}
	}
	return ask->entries != NULL;
}

static bool
ask_topics(ListInquiry *ask)
{
	rd_kafka_resp_err_t err;

	do
	{
		const rd_kafka_metadata_t *metadata;

		err = rd_kafka_metadata(ask->inquiry.rk, 1, NULL, &metadata,
								us_inquiry_step_ms(&ask->inquiry));
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
		{
			bool		copied = copy_topics(ask, metadata);

			rd_kafka_metadata_destroy(metadata);
			if (!copied)
				us_inquiry_fail(&ask->inquiry, US_TOPIC_FAILED, "out of memory");
			else
				qsort(ask->entries, (size_t) ask->count, sizeof(UsTopicEntry), compare_entries);
			return copied;
		}
	} while (us_inquiry_may_ask_again(&ask->inquiry, rd_kafka_err2str(err)));
	return false;
}

/* what is not answered for a partition stays unknown: it has no leader, or is not ours to read */
static bool
ask_offsets(ListInquiry *ask, bool high)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t err;

	do
	{
		list = rd_kafka_topic_partition_list_new(ask->count);
		for (int i = 0; i < ask->count; i++)
			rd_kafka_topic_partition_list_add(list, ask->entries[i].topic,
											  ask->entries[i].partition.partition)->offset =
				high ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
		err = rd_kafka_offsets_for_times(ask->inquiry.rk, list, us_inquiry_step_ms(&ask->inquiry));
		for (int i = 0; err == RD_KAFKA_RESP_ERR_NO_ERROR && i < ask->count; i++)
		{
			UsTopicPartition *partition = &ask->entries[i].partition;
			int64_t		offset = list->elems[i].err ? -1 : list->elems[i].offset;

			*(high ? &partition->high_offset : &partition->low_offset) = offset < 0 ? -1 : offset;
		}
		rd_kafka_topic_partition_list_destroy(list);
		if (err == RD_KAFKA_RESP_ERR_NO_ERROR)
			return true;
	} while (us_inquiry_may_ask_again(&ask->inquiry, rd_kafka_err2str(err)));
	return false;
}

/* runs in the helper thread */
static void
inquire(void *argument, const atomic_bool *abandoned)
{
	ListInquiry *ask = argument;

	ask->inquiry.abandoned = abandoned;
	if (!ask_topics(ask))
		return;
	ask->inquiry.step_ms = US_INQUIRY_FIRST_STEP_MS;
	if (ask->count == 0 || (ask_offsets(ask, false) && ask_offsets(ask, true)))
		ask->inquiry.result = US_TOPIC_OK;
}

void
us_kafka_topics_free(UsTopicEntry *entries, int count)
{
	for (int i = 0; i < count; i++)
		free(entries[i].topic);
	free(entries);
}

/* runs in a helper thread that nobody waits for */
static void
release_ask(void *argument)
{
	ListInquiry *ask = argument;

	us_kafka_topics_free(ask->entries, ask->count);
	us_inquiry_abandon(&ask->inquiry);
	free(ask);
}

UsTopicResult
us_kafka_topics_list(const UsOptionList *options, int timeout_ms, bool (*interrupted) (void),
					 UsTopicEntry **entries, int *count, char *errstr, size_t errstr_size)
{
	ListInquiry *ask = calloc(1, sizeof(ListInquiry));
	UsTopicResult result;
	bool		owned;

	*entries = NULL;
	*count = 0;
	if (ask == NULL || !us_inquiry_open(&ask->inquiry, options, timeout_ms, errstr, errstr_size))
	{
		if (ask == NULL)
			snprintf(errstr, errstr_size, "out of memory");
		free(ask);
		return US_TOPIC_FAILED;
	}
	result = us_inquiry_run(&ask->inquiry, inquire, release_ask, timeout_ms, interrupted, &owned,
							errstr, errstr_size);
	if (!owned)
		return result;
	if (result == US_TOPIC_OK)
	{
		*entries = ask->entries;
		*count = ask->count;
	}
	else
	{
		us_inquiry_text(&ask->inquiry, options, errstr, errstr_size);
		us_kafka_topics_free(ask->entries, ask->count);
	}
	us_inquiry_close(&ask->inquiry);
	free(ask);
	return result;
}
