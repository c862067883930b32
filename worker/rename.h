/*-------------------------------------------------------------------------
 * worker/rename.h
 *    the names in definitions follow those of the objects
 *-------------------------------------------------------------------------
 */
#ifndef US_RENAME_H
#define US_RENAME_H

#include "extension/catalog.h"
#include "extension/mirror.h"

/*
 * us_rename_follow -- write the names that owner, server, target and functions have now
 *
 * Away from home, in a dump or a copy, only names count.  Rows that someone
 * has locked are left for the next turn.
 * Needs:   transaction with an active snapshot
 */
extern void us_rename_follow(const UsStream *streams, int nstreams,
							 const UsMirror *mirrors, int nmirrors);

#endif							/* US_RENAME_H */
