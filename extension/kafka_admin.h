/*-------------------------------------------------------------------------
 * extension/kafka_admin.h
 *    making a topic
 *-------------------------------------------------------------------------
 */
#ifndef US_KAFKA_ADMIN_H
#define US_KAFKA_ADMIN_H

#include "extension/kafka_topic.h"

/*
 * us_kafka_topic_create -- make a topic that is not there yet
 *
 * In:      timeout_ms   for all of it
 *          interrupted  asked ten times a second; may be NULL
 * Out:     errstr       for people, holds no secret
 * Returns: US_TOPIC_OK also when the topic was there
 * Errors:  none raised; calls nothing of PostgreSQL
 */
extern UsTopicResult us_kafka_topic_create(const UsOptionList *options, const char *topic,
										   int partitions, int replication_factor,
										   int timeout_ms, bool (*interrupted) (void),
										   char *errstr, size_t errstr_size);

#endif							/* US_KAFKA_ADMIN_H */
