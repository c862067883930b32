/*-------------------------------------------------------------------------
 * extension/kafka_produce.h
 *    messages into topics, confirmed
 *
 * Pure C.  A producer lives as long as the backend that made it; nothing here
 * raises, calls PostgreSQL or blocks longer than it is told to.
 *-------------------------------------------------------------------------
 */
#ifndef US_KAFKA_PRODUCE_H
#define US_KAFKA_PRODUCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extension/server.h"

typedef struct UsProducer UsProducer;

/* bytes, which may end with a NUL that does not count */
typedef struct UsFeedMessage
{
	char	   *key;			/* NULL = none */
	int			key_len;
	char	   *value;
	int			value_len;
} UsFeedMessage;

/* offsets that messages got in one partition */
typedef struct UsOffsetRange
{
	int32_t		partition;
	int64_t		first;
	int64_t		last;
} UsOffsetRange;

/* of all messages since us_producer_begin */
typedef struct UsDelivery
{
	int64_t		sent;
	int64_t		delivered;		/* confirmed by all replicas that are in sync */
	int64_t		failed;
	char		error[512];		/* of the first that failed; empty = none; without secrets */
	bool		refused_login;	/* it will not get better by waiting */
	int			nreturned;		/* neither sent nor failed any more: see below */
	int		   *returned;		/* their numbers, malloc'd, the producer's */
	char		return_error[128];	/* why, of the last */
	int			nranges;
	UsOffsetRange *ranges;		/* malloc'd, the producer's */
} UsDelivery;

typedef enum UsSendResult
{
	US_SEND_OK,
	US_SEND_FULL,				/* poll, then try again */
	US_SEND_FAILED				/* this message never will: errstr */
} UsSendResult;

/*
 * us_producer_open -- an idempotent producer, acks=all
 *
 * In:      options   as us_server_options gives them; copied
 * Returns: NULL and errstr when it cannot be made
 */
extern UsProducer *us_producer_open(const UsOptionList *options,
									char *errstr, size_t errstr_size);

/* whether it was made of the same options, and still works */
extern bool us_producer_fits(const UsProducer *producer, const UsOptionList *options);

/* how long the broker may take for a message, in ms, by the server's options */
extern int	us_producer_timeout_ms(const UsProducer *producer);

/* forget what was delivered before */
extern void us_producer_begin(UsProducer *producer);

/*
 * us_producer_send -- hand over a copy of a message
 *
 * librdkafka puts messages together to batches, and a broker refuses a batch
 * that is larger than its topic takes as a whole.  Which message was too
 * large it does not say: all of them come back, to be sent again in smaller
 * company.
 *
 * In:      number   of the message, for delivery->returned
 */
extern UsSendResult us_producer_send(UsProducer *producer, const char *topic,
									 const UsFeedMessage *message, int number,
									 char *errstr, size_t errstr_size);

/* forget what came back */
extern void us_producer_clear_returned(UsProducer *producer);

/* take reports for at most wait_ms; returns messages without a report yet */
extern int64_t us_producer_poll(UsProducer *producer, int wait_ms);

extern const UsDelivery *us_producer_delivery(const UsProducer *producer);

/* the last thing that librdkafka said of a connection; empty = nothing */
extern const char *us_producer_cause(const UsProducer *producer);

/* ends it in bounded time; messages without a report are given up */
extern void us_producer_close(UsProducer *producer, int timeout_ms);

#endif							/* US_KAFKA_PRODUCE_H */
