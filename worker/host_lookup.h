/*-------------------------------------------------------------------------
 * worker/host_lookup.h
 *    addresses of a host's name, without waiting for them
 *
 * Pure C; calls nothing of PostgreSQL.
 *-------------------------------------------------------------------------
 */
#ifndef US_HOST_LOOKUP_H
#define US_HOST_LOOKUP_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct UsLookup UsLookup;

/* name or address, and port; NULL = no memory */
extern UsLookup *us_lookup_start(const char *name, uint16_t port);

/*
 * us_lookup_done -- whether it has ended
 *
 * An address ends at once; a name is asked for elsewhere, so look again now
 * and then.
 */
extern bool us_lookup_done(UsLookup *lookup);

/* when done: where to connect to, one after the other; NULL = us_lookup_error says why */
extern const struct addrinfo *us_lookup_addresses(const UsLookup *lookup);
extern const char *us_lookup_error(const UsLookup *lookup);

/* also while it is under way; NULL is taken */
extern void us_lookup_free(UsLookup *lookup);

#endif							/* US_HOST_LOOKUP_H */
