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

/*
 * us_mirror_position_begin_copy -- note that rows will be in Cassandra of no position
 *
 * A copy that does not come to its end is begun anew by another worker, of the
 * table as it is then: that one empties the copy first, or rows and values that
 * are gone meanwhile would stay.  In a transaction of its own.
 * Returns: as us_mirror_position_save
 */
extern bool us_mirror_position_begin_copy(const UsMirror *mirror);

#endif							/* US_MIRROR_POSITION_H */
