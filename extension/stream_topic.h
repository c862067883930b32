/*-------------------------------------------------------------------------
 * extension/stream_topic.h
 *    the topic of a stream that is being defined or moved
 *-------------------------------------------------------------------------
 */
#ifndef US_STREAM_TOPIC_H
#define US_STREAM_TOPIC_H

#include "extension/compat.h"
#include "extension/kafka_topic.h"

/* what to ask, and whom; names are for messages */
typedef struct UsTopicQuestion
{
	const char *server_name;
	const char *topic;
	Oid			server;
	Oid			owner;			/* whose user mapping is used */
	int64		time_ms;		/* also the offsets at this time; -1 = no */
} UsTopicQuestion;

typedef struct UsTopic
{
	int			count;			/* at least 1 */
	UsTopicPartition *partitions;	/* palloc'd, ascending, watermarks known */
} UsTopic;

/*
 * us_stream_topic_describe -- ask the broker, for 10 seconds at most
 *
 * Errors:  42704 no such topic; 42501 not allowed there; 08001 no broker
 *          answered, or a partition has no leader; HV000 anything else (each
 *          with detail and hint); 57014 when cancelled
 */
extern void us_stream_topic_describe(const UsTopicQuestion *question, UsTopic *topic);

/* the same; false instead of 42704 */
extern bool us_stream_topic_find(const UsTopicQuestion *question, UsTopic *topic);

/* raises what the broker's answer means; topic NULL: the question was about all */
pg_noreturn extern void us_stream_topic_refuse(const UsTopicQuestion *question,
											   UsTopicResult result, const char *errstr);

#endif							/* US_STREAM_TOPIC_H */
