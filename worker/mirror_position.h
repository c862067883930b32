/*-------------------------------------------------------------------------
 * worker/mirror_position.h
 *    userstream.mirror_position: where a mirror stands, and its counters
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_POSITION_H
#define US_MIRROR_POSITION_H

#include "extension/mirror.h"
#include "nodes/pg_list.h"
#include "worker/mirror_parked.h"

/* what is done since the position was saved last */
typedef struct UsMirrorProgress
{
	XLogRecPtr	lsn;
	int64		last_timestamp;
	int64		rows;
	int64		deletes;
	List	   *parked;			/* of UsParkedRows */
} UsMirrorProgress;

/*
 * us_mirror_position_save -- in a transaction of its own, on disk when it returns
 *
 * Compare-and-set by the epoch; takes the new position into mirror, and frees
 * the parked rows.
 * Returns: false when someone set the position, or dropped the mirror: then
 *          this worker must end
 */
extern bool us_mirror_position_save(UsMirror *mirror, const UsMirrorProgress *progress);

#endif							/* US_MIRROR_POSITION_H */
