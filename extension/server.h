/*-------------------------------------------------------------------------
 * extension/server.h
 *    foreign servers and user mappings as connection descriptions
 *
 * No PostgreSQL header but the public one that defines Oid, and none of
 * librdkafka: the consumer, which may not see PostgreSQL, includes this too.
 *-------------------------------------------------------------------------
 */
#ifndef US_SERVER_H
#define US_SERVER_H

#include <stdbool.h>
#include <stddef.h>

#include "postgres_ext.h"

typedef enum UsServerKind
{
	US_SERVER_KAFKA,
	US_SERVER_HTTP,
	US_SERVER_CASSANDRA
} UsServerKind;

/* one option; both strings NUL-terminated, value may be a secret: never log it */
typedef struct UsOption
{
	char	   *name;
	char	   *value;
} UsOption;

/* options of a server and of one user mapping together, in that order */
typedef struct UsOptionList
{
	int			count;
	UsOption   *items;			/* palloc'd in the context current at the call */
} UsOptionList;

/*
 * us_server_lookup -- find a foreign server of one kind by name
 *
 * In:      name, kind; role whose USAGE is required
 * Returns: the server's OID
 * Errors:  42704 no such server; 42809 server of another wrapper;
 *          42501 no USAGE (each with a hint)
 * Needs:   transaction
 */
extern Oid	us_server_lookup(const char *name, UsServerKind kind, Oid role);

/*
 * us_server_options -- the options to connect with, as a role
 *
 * In:      server, role whose mapping is used (else PUBLIC's, else none)
 * Returns: options of server and mapping, copied into CurrentMemoryContext
 * Errors:  42704 server is gone; 42501 role has no USAGE
 * Needs:   transaction
 */
extern UsOptionList us_server_options(Oid server, Oid role);

/* whether two lists say the same */
extern bool us_server_same_options(const UsOptionList *a, const UsOptionList *b);

/*
 * us_server_display_name -- name of a server for messages; NULL if it is gone
 */
extern char *us_server_display_name(Oid server);

/* librdkafka's configuration object, opaque here */
struct rd_kafka_conf_s;

/*
 * us_kafka_conf_create -- options to a librdkafka configuration
 *
 * In:      options as us_server_options gives them (checked at CREATE already)
 * Out:     errstr on failure: names the property, never a value
 * Returns: a configuration the caller owns (rd_kafka_new takes it over, else
 *          rd_kafka_conf_destroy), or NULL
 * Errors:  none raised; calls nothing of PostgreSQL
 */
extern struct rd_kafka_conf_s *us_kafka_conf_create(const UsOptionList *options,
													char *errstr, size_t errstr_size);

/*
 * us_kafka_option_is_set -- whether the user chose this property himself
 */
extern bool us_kafka_option_is_set(const UsOptionList *options, const char *name);

/*
 * us_kafka_hide_secrets -- make a text of librdkafka fit to be shown
 *
 * Replaces the whole text when it holds a value of a mapping (but the user
 * name), and cuts trailing white space.
 */
extern void us_kafka_hide_secrets(const UsOptionList *options, char *text, size_t text_size);

/*
 * us_kafka_authentication_text -- words for a refused login
 *
 * In:      cause    librdkafka's text; may be NULL
 * Out:     buffer   "authentication failed: ...", without secrets; names the
 *                   known case in which the right password is refused too
 */
extern void us_kafka_authentication_text(const UsOptionList *options, const char *cause,
										 char *buffer, size_t buffer_size);

struct rd_kafka_s;

/*
 * us_kafka_wake -- have all broker threads of a handle look round
 *
 * In:      options  those that the handle was made with
 * A consumer's look again then whether their queue has room for more messages.
 * Never waits.
 */
extern void us_kafka_wake(struct rd_kafka_s *rk, const UsOptionList *options);

/*
 * us_kafka_destroy -- end a librdkafka handle in bounded time
 *
 * librdkafka's own destroy can wait for ever while brokers are away, so it
 * runs in a helper thread (signals blocked) for at most timeout_ms.
 * Returns: true when the handle is gone; false when its threads were left
 *          behind (the caller must then leave the process by _exit, or live
 *          with them until it ends)
 * Errors:  none raised; calls nothing of PostgreSQL
 */
extern bool us_kafka_destroy(struct rd_kafka_s *rk, int timeout_ms);

#endif							/* US_SERVER_H */
