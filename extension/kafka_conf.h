/*-------------------------------------------------------------------------
 * extension/kafka_conf.h
 *    librdkafka's properties, checked; and a way to call what may block
 *
 * Pure C, librdkafka's types opaque: the validators (which see PostgreSQL)
 * and the kafka_*.c files (which do not) both include this.  Nothing here
 * raises, and nothing calls PostgreSQL.
 *-------------------------------------------------------------------------
 */
#ifndef US_KAFKA_CONF_H
#define US_KAFKA_CONF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "extension/server.h"

typedef enum UsPropertyRule
{
	US_PROPERTY_FREE,			/* on a server, by anyone who may make servers */
	US_PROPERTY_SUPERUSER,		/* on a server, by a superuser */
	US_PROPERTY_CREDENTIAL,		/* in a user mapping */
	US_PROPERTY_NEVER
} UsPropertyRule;

typedef struct UsProperty
{
	const char *name;
	UsPropertyRule rule;
	const char *why;			/* a sentence for SUPERUSER and NEVER, else NULL */
} UsProperty;

/* by name, NULL when it is not in our list; by number, NULL after the last */
extern const UsProperty *us_kafka_property_find(const char *name);
extern const UsProperty *us_kafka_property_at(int number);

typedef enum UsConfCheck
{
	US_CONF_OK,
	US_CONF_UNKNOWN,			/* the property is not in this version of librdkafka */
	US_CONF_UNSUPPORTED,		/* librdkafka was built without what it is for */
	US_CONF_INVALID				/* the value is not one for this property */
} UsConfCheck;

typedef struct UsConfVerdict
{
	UsConfCheck result;
	int			bad;			/* index of the option it is about; -1 = none */
	bool		kerberos;		/* these options log in with the machine's Kerberos ticket */
	char		text[512];		/* librdkafka's words: repeats the value, so only for servers */
} UsConfVerdict;

/*
 * us_kafka_conf_check -- what librdkafka says to options, one by one
 *
 * In:      options, each of which our list allows
 */
extern void us_kafka_conf_check(const UsOptionList *options, UsConfVerdict *verdict);

/* version of the librdkafka that is loaded, "2.0.2" */
extern const char *us_kafka_version(void);

typedef enum UsCallResult
{
	US_CALL_DONE,
	US_CALL_LATE,				/* timeout_ms are over */
	US_CALL_INTERRUPTED,		/* the caller's check said stop */
	US_CALL_FAILED				/* no thread could be made; nothing was called */
} UsCallResult;

/*
 * us_kafka_call -- run something that may block, but wait in bounded time
 *
 * Not all of librdkafka's calls keep to the timeout they are given, and some
 * have none, so they are made in a thread, signals blocked.
 * In:      work         called with argument and a flag that becomes true when
 *                       nobody waits any more; it must call nothing of PostgreSQL
 *          release      called with argument by the thread, after work, when
 *                       the result is LATE or INTERRUPTED: from then on the
 *                       argument is the thread's
 *          interrupted  asked ten times a second; may be NULL
 * A thread that is left behind does not harm the end of the process: exit()
 * waits a second for it and then ends the process with status 1, without the
 * exit handlers that were registered before, which it could trip over.
 */
extern UsCallResult us_kafka_call(void (*work) (void *argument, const atomic_bool *abandoned),
								  void (*release) (void *argument), void *argument,
								  int timeout_ms, bool (*interrupted) (void));

#endif							/* US_KAFKA_CONF_H */
