/*-------------------------------------------------------------------------
 * worker/kafka_watermarks.c
 *    where a topic's partitions begin and end
 *
 * Runs in stream workers, behind source.h.  What the last fetch told is free;
 * asking the broker takes a round trip and is bounded.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>

#include "extension/kafka_topic.h"
#include "worker/kafka_source.h"

#define FIRST_WATERMARKS_MS	500

/*
 * One end of partitions.  Earliest and latest are special times, with the
 * values of librdkafka's special offsets; its own call for watermarks does
 * not keep to its timeout before 2.3.
 */
static rd_kafka_resp_err_t
ask_offsets(UsSource *source, rd_kafka_topic_partition_list_t *list, int64_t end, int timeout_ms)
{
	for (int i = 0; i < list->cnt; i++)
		list->elems[i].offset = end;
	return rd_kafka_offsets_for_times(source->rk, list, timeout_ms);
}

/*
 * The first fetch from a partition's end is answered only when the broker's
 * patience is over, so whether there is anything to read is asked here.  No
 * answer is no error: the fetches will tell.
 */
void
us_kafka_source_ask_watermarks(UsSource *source, const UsSourceConfig *config)
{
	rd_kafka_topic_partition_list_t *low = rd_kafka_topic_partition_list_new(config->nassignments);
	rd_kafka_topic_partition_list_t *high;

	for (int i = 0; i < config->nassignments; i++)
		rd_kafka_topic_partition_list_add(low, config->topic, config->assignments[i].partition);
	high = rd_kafka_topic_partition_list_copy(low);

	if (ask_offsets(source, low, RD_KAFKA_OFFSET_BEGINNING, FIRST_WATERMARKS_MS) == 0 &&
		ask_offsets(source, high, RD_KAFKA_OFFSET_END, FIRST_WATERMARKS_MS) == 0)
	{
		source->first_low = low;
		source->first_high = high;
		return;
	}
	rd_kafka_topic_partition_list_destroy(low);
	rd_kafka_topic_partition_list_destroy(high);
}

void
us_kafka_source_forget_watermarks(UsSource *source)
{
	if (source->first_low == NULL)
		return;
	rd_kafka_topic_partition_list_destroy(source->first_low);
	rd_kafka_topic_partition_list_destroy(source->first_high);
	source->first_low = source->first_high = NULL;
}

static bool
find_offset(const rd_kafka_topic_partition_list_t *list, int32_t partition, int64_t *offset)
{
	for (int i = 0; list != NULL && i < list->cnt; i++)
	{
		const rd_kafka_topic_partition_t *entry = &list->elems[i];

		if (entry->partition != partition)
			continue;
		*offset = entry->offset;
		return entry->err == RD_KAFKA_RESP_ERR_NO_ERROR && entry->offset >= 0;
	}
	return false;
}

bool
us_source_watermarks(UsSource *source, int32_t partition, int64_t *low, int64_t *high)
{
	if (rd_kafka_get_watermark_offsets(source->rk, source->topic, partition,
									   low, high) == RD_KAFKA_RESP_ERR_NO_ERROR &&
		*high >= 0)
		return true;
	return find_offset(source->first_low, partition, low) &&
		find_offset(source->first_high, partition, high);
}

/*
 * By a handle of its own: a broker answers the requests of a connection one
 * after the other, so behind a fetch that waits for data this one would time
 * out, and newer librdkafka takes that for a dead connection.
 */
bool
us_source_probe(UsSource *source, int32_t partition, int timeout_ms,
				int64_t *low, int64_t *high, char *errstr, size_t errstr_size)
{
	UsTopicPartition *partitions = NULL;
	int			count = 0;
	bool		found = false;

	if (us_kafka_topic_describe(source->options, source->topic, -1, timeout_ms, NULL,
								&partitions, &count, errstr, errstr_size) != US_TOPIC_OK)
		return false;
	for (int i = 0; i < count; i++)
	{
		if (partitions[i].partition != partition)
			continue;
		*low = partitions[i].low_offset;
		*high = partitions[i].high_offset;
		found = true;
	}
	free(partitions);
	if (!found)
		snprintf(errstr, errstr_size, "partition %d is not there any more", partition);
	return found;
}
