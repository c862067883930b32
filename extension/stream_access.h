/*-------------------------------------------------------------------------
 * extension/stream_access.h
 *    find a stream by name, ask for the right to change it, lock it
 *
 * Rows are locked in one order, the stream before its positions, and those
 * ascending, as workers do: a batch that is under way is waited for, never
 * broken into.
 *-------------------------------------------------------------------------
 */
#ifndef US_STREAM_ACCESS_H
#define US_STREAM_ACCESS_H

#include "extension/catalog.h"

/*
 * us_stream_find -- a stream that a role may change, without a lock
 *
 * Errors:  42704 there is none (with missing_ok: NULL and a NOTICE);
 *          42501 the role has not the owner's rights
 */
extern UsStream *us_stream_find(const char *name, Oid role, bool missing_ok);

/*
 * us_stream_lock -- the same, its row locked and as it is then
 *
 * The right is asked for before the lock too: who has none may not hold up
 * others.
 */
extern UsStream *us_stream_lock(const char *name, Oid role, bool missing_ok);

/* refuses a definition that comes from another database; 55000 */
extern void us_stream_check_home(const UsStream *stream);

/* tells, when the stream is paused, or it or a partition of it stopped, what continues */
extern void us_stream_note_halted(const UsStream *stream);

/*
 * One of our statements, with a stream's number or name as its only argument.
 * Needs:   us_elevate, SPI_connect
 * Returns: rows processed
 */
extern uint64 us_stream_run(const char *text, int64 stream);
extern uint64 us_stream_run_by_name(const char *text, const char *name);

#endif							/* US_STREAM_ACCESS_H */
