/*-------------------------------------------------------------------------
 * worker/mirror_parked.h
 *    rows that Cassandra will never take, until they are dead letters
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_PARKED_H
#define US_MIRROR_PARKED_H

#include "datatype/timestamp.h"
#include "extension/mirror.h"
#include "worker/key_set.h"

/* of one transaction; any number of them takes the same memory */
typedef struct UsParkedRows UsParkedRows;

/*
 * us_parked_create -- none yet
 *
 * In:      context      where they live, beyond transactions of the database
 *          changed_at   commit time; 0 = of the initial copy
 */
extern UsParkedRows *us_parked_create(MemoryContext context, TimestampTz changed_at);

/* key and value: JSON; value NULL = the row was to be deleted; column: the one at fault, or NULL */
extern void us_parked_add(UsParkedRows *rows, const char *key, const char *value,
						  const char *error, const char *column);

extern int64 us_parked_count(const UsParkedRows *rows);

/* why the last one was refused */
extern const char *us_parked_error(const UsParkedRows *rows);

/*
 * us_parked_store -- write them to userstream.dead_letter
 *
 * Needs:   transaction
 */
extern void us_parked_store(UsParkedRows *rows, const UsMirror *mirror);
extern void us_parked_free(UsParkedRows *rows);

/*
 * us_parked_load_keys -- keys of rows that are dead letters of this mirror already
 *
 * Needs:   transaction
 */
extern void us_parked_load_keys(const UsMirror *mirror, UsKeySet *keys);

#endif							/* US_MIRROR_PARKED_H */
