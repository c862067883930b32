/*-------------------------------------------------------------------------
 * extension/stream_store.h
 *    a checked definition and its places -> rows of userstream.*
 *
 * Each call but one goes up to the owner of our tables by itself.
 *-------------------------------------------------------------------------
 */
#ifndef US_STREAM_STORE_H
#define US_STREAM_STORE_H

#include "extension/stream_args.h"

/*
 * us_stream_insert -- a new definition with its positions
 *
 * Returns: false when the name is taken after all
 */
extern bool us_stream_insert(const UsStreamArgs *args, Oid server, Oid owner,
							 const UsPlace *places, int nplaces);

/*
 * us_stream_update -- another definition under the same number and name
 *
 * In:      start_at  what the column keeps; NULL = what is there
 * Needs:   the lock of us_stream_lock
 */
extern void us_stream_update(int64 stream, const UsStreamArgs *args, Oid server, Oid owner,
							 const char *start_at);

/*
 * us_stream_store_registry -- which server the schema registry is; InvalidOid = none
 *
 * The table of 1.0 has no place for it: until ALTER EXTENSION userstream UPDATE
 * the name in the options is all that counts.
 * Needs:   us_elevate, SPI_connect; in the same transaction the definition was
 *          written before, so that the table cannot get the column meanwhile
 */
extern void us_stream_store_registry(int64 stream, Oid registry);

/*
 * us_stream_move -- set positions, in a new epoch and version
 *
 * Waits for batches under way.  A worker that has started from the positions
 * before fails at its next one.
 * In:      places    partitions that are not among them keep theirs, or go
 *                    when others_go
 * Needs:   the lock of us_stream_lock
 */
extern void us_stream_move(int64 stream, const UsPlace *places, int nplaces, bool others_go);

#endif							/* US_STREAM_STORE_H */
