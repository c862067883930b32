/*-------------------------------------------------------------------------
 * worker/mirror_end.h
 *    how a mirror worker ends by itself
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_END_H
#define US_MIRROR_END_H

#include "extension/compat.h"
#include "extension/mirror.h"

/* the successor looks at everything anew, and goes on from the saved position */
pg_noreturn extern void us_mirror_start_anew(const UsMirror *mirror, const char *why);

/* the same where it was no failure: the successor need not wait */
pg_noreturn extern void us_mirror_follow_change(const UsMirror *mirror, const char *why);

/*
 * us_mirror_give_up -- no successor: the mirror waits for a person
 *
 * As us_mirror_stop, in a transaction of its own; what_to_do is a hint.
 * Needs:   no transaction
 */
pg_noreturn extern void us_mirror_give_up(const UsMirror *mirror, const char *kind,
										  const char *detail, const char *what_to_do);

#endif							/* US_MIRROR_END_H */
