/*-------------------------------------------------------------------------
 * worker/source.h
 *    where a stream's messages come from
 *
 * Pure C: no PostgreSQL header and none of the library behind it.  A source
 * never calls PostgreSQL, never blocks longer than a second, and reports all
 * that happens as events that the worker reads.  It is made after fork, in
 * the process that uses it.
 *-------------------------------------------------------------------------
 */
#ifndef US_SOURCE_H
#define US_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extension/server.h"

/* one message; bytes belong to the source, if it is of one, until us_source_release */
typedef struct UsMessage
{
	const char *topic;			/* NUL-terminated */
	int32_t		partition;
	int64_t		offset;
	int64_t		timestamp_ms;	/* since 1970-01-01 UTC; -1 = none */
	const char *key;			/* NULL: no key (an empty key is not NULL) */
	size_t		key_len;		/* bytes */
	const char *value;			/* NULL: tombstone; not NUL-terminated */
	size_t		value_len;		/* bytes */
	void	   *handle;			/* of the source; NULL: kept in a table meanwhile */
	const void *stored_headers; /* without a handle: its headers as jsonb; NULL = none */
} UsMessage;

typedef enum UsEventKind
{
	US_EVENT_NONE = 0,
	US_EVENT_EOF,				/* partition read to its end; offset = next to come */
	US_EVENT_OUT_OF_RANGE,		/* position not in the log any more, or not yet */
	US_EVENT_PARTITION_ERROR,	/* this partition fails; others go on */
	US_EVENT_TRANSIENT,			/* broker away, no leader ...; the source tries again by itself */
	US_EVENT_AUTHENTICATION,	/* credentials refused; the source tries again by itself */
	US_EVENT_LOG,				/* a line for the log; nothing happened */
	US_EVENT_FATAL				/* this handle is of no more use */
} UsEventKind;

typedef struct UsEvent
{
	UsEventKind kind;
	int32_t		partition;		/* -1 when not about one */
	int64_t		offset;			/* EOF: next offset; else -1 */
	char		text[512];		/* for people; never holds a secret */
} UsEvent;

typedef struct UsAssignment
{
	int32_t		partition;
	int64_t		offset;			/* first to read */
} UsAssignment;

typedef struct UsSourceConfig
{
	const UsOptionList *options;
	const char *topic;
	const char *group_id;		/* librdkafka wants one; nothing is ever read from it */
	const char *client_id;
	int			queue_memory_kb;	/* of keys and values fetched ahead; 0 = as much as is of use */
	int			log_level;		/* lines up to this level become events; syslog's, -1 = none */
	int			nassignments;
	const UsAssignment *assignments;
} UsSourceConfig;

typedef struct UsSource UsSource;

/* one header of a message; value NULL when null */
typedef struct UsHeader
{
	const char *name;			/* NUL-terminated */
	const char *value;
	size_t		value_len;		/* bytes */
} UsHeader;

/* opens and assigns; NULL and errstr on failure */
extern UsSource *us_source_open(const UsSourceConfig *config, char *errstr, size_t errstr_size);

/*
 * The queue's limit counts keys and values.  Each message takes about 330
 * bytes besides (measured with librdkafka 2.0.2), so that small ones would
 * take many times the limit: their number is limited too, as if none were
 * smaller than this.
 */
#define US_QUEUE_MESSAGE_BYTES	384

/* lines of the library up to another level; -1 = none */
extern void us_source_set_log_level(UsSource *source, int log_level);

/* becomes readable when messages or events come after there were none */
extern int	us_source_wake_fd(const UsSource *source);

/*
 * us_source_poll -- take what is there, without waiting
 *
 * Out:     messages[0 .. result)
 *          in offset order within a partition
 * Returns: number of messages, 0..max; 0 with us_source_next_event() none
 *          means: wait on the fd
 */
extern int	us_source_poll(UsSource *source, UsMessage *messages, int max);

/*
 * us_source_next_event -- take the oldest event
 *
 * An EOF event comes only after every message before it was handed out by
 * us_source_poll.  Returns false when there is none.
 */
extern bool us_source_next_event(UsSource *source, UsEvent *event);

/* gives the bytes of messages back */
extern void us_source_release(UsSource *source, UsMessage *messages, int count);

/*
 * known watermarks of a partition, without asking the broker: those of the
 * last fetch, else those at the start; false: unknown
 */
extern bool us_source_watermarks(UsSource *source, int32_t partition,
								 int64_t *low, int64_t *high);

/*
 * us_source_probe -- ask the broker for one partition's watermarks, at most
 * timeout_ms (<= 1000); false and errstr when it does not answer.  Used while
 * waiting for a broker, and to tell which side an offset is out of range on.
 */
extern bool us_source_probe(UsSource *source, int32_t partition, int timeout_ms,
							int64_t *low, int64_t *high,
							char *errstr, size_t errstr_size);

/*
 * us_source_publish -- tell the broker where partitions stand, for its tools
 *
 * Asynchronous: does not wait, and a refusal changes nothing.  Returns false,
 * and does nothing, while an earlier one is not answered: of two under way
 * either might come last.
 */
extern bool us_source_publish(UsSource *source, const UsAssignment *positions, int count);

/* did the last one not get through?  says so once */
extern bool us_source_publish_lost(UsSource *source);

/* header number i of a message; false when there is none */
extern bool us_source_header(const UsMessage *message, size_t i, UsHeader *header);

/* bounded; see us_kafka_destroy */
extern bool us_source_close(UsSource *source, int timeout_ms);

#endif							/* US_SOURCE_H */
