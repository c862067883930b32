/*-------------------------------------------------------------------------
 * worker/kafka_group.c
 *    a stream's positions as Kafka's committed offsets, for others to look at
 *
 * Runs in stream workers, behind source.h.  Lag tools of Kafka read the
 * offsets of the group userstream.<database>.<stream>; nobody here does.  So
 * nobody waits for the broker's answer either, and a refusal changes nothing.
 *-------------------------------------------------------------------------
 */
#include <librdkafka/rdkafka.h>

#include "worker/kafka_source.h"

void
us_source_publish(UsSource *source, const UsAssignment *positions, int count)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);

	for (int i = 0; i < count; i++)
		rd_kafka_topic_partition_list_add(list, source->topic, positions[i].partition)->offset =
			positions[i].offset;

	/* the list is copied; without a coordinator librdkafka keeps it for some seconds */
	(void) rd_kafka_commit(source->rk, list, 1);
	rd_kafka_topic_partition_list_destroy(list);
}
