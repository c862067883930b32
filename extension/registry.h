/*-------------------------------------------------------------------------
 * extension/registry.h
 *    a schema registry: asked for the schemas that messages name by number
 *
 * It is a server of userstream_http, whose url is what stands before
 * /schemas/ids/1, used with the mapping of the stream's owner.  It is asked
 * before messages are decoded, outside of a worker's transactions, and in a
 * caller's for ten seconds at most.
 *-------------------------------------------------------------------------
 */
#ifndef US_REGISTRY_H
#define US_REGISTRY_H

#include "extension/catalog.h"
#include "worker/source.h"

#define US_REGISTRY_TIMEOUT_MS	10000	/* for all that is asked in one call */

typedef struct UsRegistry UsRegistry;

/*
 * us_registry_create -- the registry of a stream; asks nothing yet
 *
 * In:      stream  gets the schemas, which live as long as context
 *          owner   of the stream: needs USAGE, and his mapping is used
 * Returns: NULL for a format without schemas
 */
extern UsRegistry *us_registry_create(MemoryContext context, UsStream *stream, Oid owner);

/*
 * us_registry_prepare -- know the schemas of some messages
 *
 * Reads the options of the server anew whenever there is something to ask,
 * in a transaction of its own if there is none.
 * In:      again  ask again for numbers that were unknown
 * Out:     error  when the result is false: for people, without secrets
 * Returns: false when the registry does not say what it must; what it said
 *          so far is kept
 * Errors:  42704, 42809, 42501 the server cannot be used; 57014 and the like
 * Needs:   in a worker: no transaction
 */
extern bool us_registry_prepare(UsRegistry *registry, const UsMessage *messages, int count,
								bool again, char *error, size_t error_size);

/* the same in a caller's transaction; 08006 instead of false; nothing to do without a registry */
extern void us_registry_require(UsRegistry *registry, const UsMessage *messages, int count);

/*
 * us_registry_check -- whether a server is a registry that answers
 *
 * Errors:  as for us_registry_require
 */
extern void us_registry_check(const char *server, Oid owner);

#endif							/* US_REGISTRY_H */
