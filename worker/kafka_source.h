/*-------------------------------------------------------------------------
 * worker/kafka_source.h
 *    what the files of the Kafka source share; others see source.h
 *-------------------------------------------------------------------------
 */
#ifndef US_KAFKA_SOURCE_H
#define US_KAFKA_SOURCE_H

#include "worker/source.h"

#define US_KAFKA_MAX_EVENTS 1100	/* a chunk of messages, and some of the handle's */

/* librdkafka's types, opaque here */
struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_message_s;
struct rd_kafka_queue_s;
struct rd_kafka_topic_partition_list_s;

struct UsSource
{
	struct rd_kafka_s *rk;
	struct rd_kafka_queue_s *messages;	/* fetched messages and end-of-partition marks */
	struct rd_kafka_queue_s *main;	/* errors and logs of the handle */
	int			wake_fd;		/* eventfd, non-blocking: librdkafka writes under a lock */
	char	   *topic;
	const UsOptionList *options;
	struct rd_kafka_topic_partition_list_s *first_low;	/* watermarks at the start; */
	struct rd_kafka_topic_partition_list_s *first_high; /* NULL = unknown */
	int64_t		wake_bytes;		/* taken before the library is woken; 0 = it wakes by itself */
	int64_t		taken_bytes;	/* since it was */
	int			log_level;
	bool		publishing;		/* positions are on their way to the broker ... */
	bool		publish_lost;	/* or did not get there */
	UsEventKind cause;			/* of the last error of a broker's connection, ... */
	char		cause_text[512];	/* and its words; empty = none yet */
	int			nbroken;
	int32_t    *broken;			/* partitions of which nothing more is taken; room for all */

	int			nevents;
	int			first_event;
	UsEvent		events[US_KAFKA_MAX_EVENTS];
};

/* the broker's answer to us_source_publish, as librdkafka's error code */
extern void us_kafka_source_published(UsSource *source, int error);

/* the size of the queue, and our defaults for fetching; what the server's options say wins */
extern void us_kafka_queue_set(struct rd_kafka_conf_s *conf, const UsSourceConfig *config);

/* what was taken from the queue, 0 too, makes room: the library may have to be told */
extern void us_kafka_queue_begin(UsSource *source);
extern void us_kafka_queue_took(UsSource *source, struct rd_kafka_message_s **messages,
								size_t count);

/* ask the broker for the watermarks to begin with, a second at most */
extern void us_kafka_source_ask_watermarks(UsSource *source, const UsSourceConfig *config);
extern void us_kafka_source_forget_watermarks(UsSource *source);

#endif							/* US_KAFKA_SOURCE_H */
