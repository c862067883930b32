/*-------------------------------------------------------------------------
 * worker/session.h
 *    the settings under which a stream's messages become rows
 *-------------------------------------------------------------------------
 */
#ifndef US_SESSION_H
#define US_SESSION_H

/*
 * us_session_apply -- set them, whatever role, database or user code set
 *
 * In:      timezone   of the stream
 * Needs:   transaction; once per batch, since a trigger can set what it likes
 */
extern void us_session_apply(const char *timezone);

#endif							/* US_SESSION_H */
