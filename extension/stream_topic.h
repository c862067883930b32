/*-------------------------------------------------------------------------
 * extension/stream_topic.h
 *    the topic of a stream that is being defined
 *-------------------------------------------------------------------------
 */
#ifndef US_STREAM_TOPIC_H
#define US_STREAM_TOPIC_H

#include "extension/kafka_topic.h"
#include "extension/stream_args.h"

typedef struct UsTopic
{
	int			count;			/* at least 1 */
	UsTopicPartition *partitions;	/* palloc'd, ascending, watermarks known */
} UsTopic;

/*
 * us_stream_topic_describe -- ask the broker, for 10 seconds at most
 *
 * In:      server, owner  whose user mapping is used
 * Errors:  42704 no such topic; 42501 not allowed there; 08001 no broker
 *          answered, or a partition has no leader; HV000 anything else (each
 *          with detail and hint); 57014 when cancelled
 */
extern void us_stream_topic_describe(const UsStreamArgs *args, Oid server, Oid owner,
									 UsTopic *topic);

#endif							/* US_STREAM_TOPIC_H */
