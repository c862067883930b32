/*-------------------------------------------------------------------------
 * extension/kafka_topic.h
 *    what a broker says about a topic: partitions and watermarks
 *
 * Pure C.  Used inside a caller's transaction (create_stream), so it is
 * bounded, and asks between short steps whether the caller wants to stop.
 *-------------------------------------------------------------------------
 */
#ifndef US_KAFKA_TOPIC_H
#define US_KAFKA_TOPIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extension/server.h"

typedef struct UsTopicPartition
{
	int32_t		partition;
	int32_t		leader;			/* broker id; -1 = none now */
	int64_t		low_offset;		/* first offset in the log */
	int64_t		high_offset;	/* next offset to be given */
	int64_t		time_offset;	/* first message at or after the time asked for; -1 = none */
} UsTopicPartition;

typedef enum UsTopicResult
{
	US_TOPIC_OK = 0,
	US_TOPIC_UNKNOWN,			/* the broker knows no such topic */
	US_TOPIC_NOT_AUTHORIZED,
	US_TOPIC_UNREACHABLE,		/* no broker answered in time; errstr says more */
	US_TOPIC_INTERRUPTED,		/* the caller's check said stop */
	US_TOPIC_FAILED				/* anything else; errstr */
} UsTopicResult;

/*
 * us_kafka_topic_describe -- partitions of a topic with their watermarks
 *
 * In:      time_ms      also ask for the offsets at this time, milliseconds since
 *                       1970; -1 = do not
 *          timeout_ms   for all of it
 *          interrupted  asked at least four times a second; may be NULL
 * Out:     partitions   malloc'd array, ascending, the caller frees it; only
 *                       with US_TOPIC_OK
 *          errstr       for people, holds no secret
 * Errors:  none raised; calls nothing of PostgreSQL
 */
extern UsTopicResult us_kafka_topic_describe(const UsOptionList *options, const char *topic,
											 int64_t time_ms, int timeout_ms,
											 bool (*interrupted) (void),
											 UsTopicPartition **partitions, int *count,
											 char *errstr, size_t errstr_size);

/* a partition of any topic; an offset of -1 is not known */
typedef struct UsTopicEntry
{
	char	   *topic;
	UsTopicPartition partition;
} UsTopicEntry;

/*
 * us_kafka_topics_list -- every topic that the Kafka user may see
 *
 * Out:     entries  malloc'd, by topic and partition, for us_kafka_topics_free;
 *                   only with US_TOPIC_OK
 * The rest is as for us_kafka_topic_describe.
 */
extern UsTopicResult us_kafka_topics_list(const UsOptionList *options, int timeout_ms,
										  bool (*interrupted) (void),
										  UsTopicEntry **entries, int *count,
										  char *errstr, size_t errstr_size);
extern void us_kafka_topics_free(UsTopicEntry *entries, int count);

#endif							/* US_KAFKA_TOPIC_H */
