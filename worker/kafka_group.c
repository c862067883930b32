/*-------------------------------------------------------------------------
 * worker/kafka_group.c
 *    a stream's positions as Kafka's committed offsets, for others to look at
 *
 * Runs in stream workers, behind source.h.  Lag tools of Kafka read the
 * offsets of the group userstream.<database>.<stream>; nobody here does.  So
 * nobody waits for the broker's answer either, and a refusal changes nothing;
 * but what was lost on its way is sent again, as a stream may be idle for long.
 *-------------------------------------------------------------------------
 */
#include <librdkafka/rdkafka.h>

#include "worker/kafka_source.h"

bool
us_source_publish(UsSource *source, const UsAssignment *positions, int count)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t err;

	if (source->publishing)
		return false;

	list = rd_kafka_topic_partition_list_new(count);
	for (int i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, source->topic, positions[i].partition)->offset =
			positions[i].offset;

	/* the list is copied; without a coordinator librdkafka keeps it for some seconds */
	err = rd_kafka_commit_queue(source->rk, list, source->main, NULL, NULL);
	source->publishing = err == RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_topic_partition_list_destroy(list);
	return true;
}

void
us_kafka_source_published(UsSource *source, int error)
{
	source->publishing = false;
	switch (error)
	{
		case RD_KAFKA_RESP_ERR__TRANSPORT:
		case RD_KAFKA_RESP_ERR__TIMED_OUT:
		case RD_KAFKA_RESP_ERR__WAIT_COORD:
		case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
		case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
		case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
		case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
			source->publish_lost = true;
			break;
		default:
			break;
	}
}

bool
us_source_publish_lost(UsSource *source)
{
	bool		lost = source->publish_lost;

	source->publish_lost = false;
	return lost;
}
