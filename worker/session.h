/*-------------------------------------------------------------------------
 * worker/session.h
 *    the settings under which a stream's messages become rows
 *-------------------------------------------------------------------------
 */
#ifndef US_SESSION_H
#define US_SESSION_H

/*
 * us_session_apply -- set them in a worker, whatever role, database or user code set
 *
 * In:      timezone   of the stream
 * Needs:   transaction; once per batch, since a trigger can set what it likes
 */
extern void us_session_apply(const char *timezone);

/*
 * us_session_borrow -- set them in someone's session, until given back
 *
 * Those that say how long to wait, and the isolation level, stay the caller's.
 * Whatever user code sets meanwhile goes too.  An error needs no giving back:
 * (sub)transaction abort does it.
 */
extern int	us_session_borrow(const char *timezone);
extern void us_session_give_back(int nest_level);

/*
 * us_session_constraints_immediate -- no constraint is deferred from here on
 *
 * A deferred one is one message's fault too.  Fires triggers that wait for
 * the end of the transaction, as the current role.
 */
extern void us_session_constraints_immediate(void);

/*
 * us_session_begin -- a transaction of our own, outside batches
 *
 * Starts it, applies the settings, takes a snapshot, holds the extension.
 * us_session_commit ends it and goes back to the memory context of before.
 * Returns: false when the extension is not there any more: then only commit
 */
extern bool us_session_begin(const char *timezone);
extern void us_session_commit(void);

#endif							/* US_SESSION_H */
