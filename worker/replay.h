/*-------------------------------------------------------------------------
 * worker/replay.h
 *    dead letters of a stream -> its target, by the path of its workers
 *-------------------------------------------------------------------------
 */
#ifndef US_REPLAY_H
#define US_REPLAY_H

#include "extension/catalog.h"
#include "utils/array.h"

/*
 * us_replay_dead_letters -- retry them in the current transaction
 *
 * Rows go in as the stream's owner, in a security-restricted operation and
 * with the settings of a worker; everything else is done for the current role.
 * In:      ids      NULL = those that no retry applied yet
 * Returns: messages applied
 * Errors:  42704 an id that the current role has no such letter of; transient
 *          errors and those of the definition
 */
extern int64 us_replay_dead_letters(UsStream *stream, ArrayType *ids);

#endif							/* US_REPLAY_H */
