/*-------------------------------------------------------------------------
 * worker/mirror_write.h
 *    changed rows -> writes in flight to Cassandra, and what is done of them
 *
 * Many writes are under way at a time and are answered in any order; each
 * has a write timestamp of its own, so the order in which they arrive does
 * not matter.  What counts is the oldest transaction that is not done.
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_WRITE_H
#define US_MIRROR_WRITE_H

#include "extension/shmem.h"
#include "worker/cassandra.h"
#include "worker/key_set.h"
#include "worker/mirror_plan.h"
#include "worker/mirror_position.h"

typedef struct UsMirrorWriter UsMirrorWriter;

/* report is called often while a change waits; what is made is below the current context */
extern UsMirrorWriter *us_mirror_writer_create(const UsMirror *mirror, const UsMirrorPlan *plan,
											   UsCassandra *link, UsCqlConsistency consistency,
											   void (*report) (void *arg), void *arg);

/*
 * A transaction: begin, changes, commit.  Each may wait for Cassandra when
 * too much is under way; then it serves interrupts, and ends the process when
 * the supervisor asks for it.
 */
extern void us_mirror_begin(UsMirrorWriter *writer, TimestampTz commit_at);
extern void us_mirror_upsert(UsMirrorWriter *writer, const UsMirrorShape *shape,
							 const LogicalRepTupleData *new, const LogicalRepTupleData *old,
							 bool whole, bool update);
extern void us_mirror_delete(UsMirrorWriter *writer, const UsMirrorShape *shape,
							 const LogicalRepTupleData *old);
extern void us_mirror_truncate(UsMirrorWriter *writer);
extern void us_mirror_commit(UsMirrorWriter *writer, XLogRecPtr end_lsn);

/*
 * Rows that the open transaction gave another key, or that were parked before.
 * A value that is stored out of line and did not change is not in such a
 * change (unless old rows are whole, replica identity FULL), and Cassandra does
 * not have it: whose long text's row is moved or mended would lose it.
 */
typedef struct UsMirrorMoved
{
	List	   *keys;			/* of char **: texts in the key's order */
	bool		many;			/* so many that keys is empty: any row may be one */
} UsMirrorMoved;

/* after its last change, before its commit; NULL = none */
extern const UsMirrorMoved *us_mirror_moved(const UsMirrorWriter *writer);

/* keys of rows that were parked in an earlier process; see us_parked_load_keys */
extern UsKeySet *us_mirror_parked_keys(UsMirrorWriter *writer);

/*
 * Whether a row was refused after a later change of it had been sent that
 * relied on its values: all rows are to be read again, and soon.  True once.
 */
extern bool us_mirror_must_reread(UsMirrorWriter *writer);

/* all rows from here to the commit have one timestamp, later than its changes */
extern void us_mirror_begin_refill(UsMirrorWriter *writer);

/* rows of the initial copy have one timestamp, which every change is later than */
extern void us_mirror_begin_copy(UsMirrorWriter *writer);

/*
 * us_mirror_turn -- take answers, send what may be sent, wait
 *
 * In:      timeout_ms   0 = only look
 */
extern void us_mirror_turn(UsMirrorWriter *writer, long timeout_ms);

/* until a change can be given without a wait */
extern void us_mirror_make_room(UsMirrorWriter *writer);

/* until all that was given is done */
extern void us_mirror_drain(UsMirrorWriter *writer);

/* whether nothing is under way, and no transaction is open */
extern bool us_mirror_writer_idle(const UsMirrorWriter *writer);

/*
 * us_mirror_done -- transactions that are done since the last call
 *
 * Out:     progress   its parked rows are the caller's
 * Returns: false when there are none
 */
extern bool us_mirror_done(UsMirrorWriter *writer, UsMirrorProgress *progress);

/* for the views: in flight, latency, oldest transaction, host */
extern void us_mirror_writer_live(const UsMirrorWriter *writer, UsMirrorLive *live);

/* why Cassandra does not take writes now; NULL = it does, or there are none */
extern const char *us_mirror_writer_error(const UsMirrorWriter *writer);

/* rows written and deleted since the process began */
extern uint64 us_mirror_writer_rows(const UsMirrorWriter *writer);

/* microseconds since 1970 */
extern int64 us_mirror_epoch_us(TimestampTz time);

#endif							/* US_MIRROR_WRITE_H */
