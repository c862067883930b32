/*-------------------------------------------------------------------------
 * worker/changes.h
 *    a table's committed changes, read from the WAL in this process
 *
 * Logical decoding by a replication slot and the server's own pgoutput, with
 * no connection: its messages come to the handler as they are made.
 *-------------------------------------------------------------------------
 */
#ifndef US_CHANGES_H
#define US_CHANGES_H

#include "replication/logicalproto.h"

/*
 * Called in commit order.  Inside, the catalogs are those of the change's
 * time: no table of users may be read and nothing written.
 */
typedef struct UsChangeHandler
{
	void	   *arg;
	void		(*begin) (void *arg, const LogicalRepBeginData *begin);
	void		(*relation) (void *arg, const LogicalRepRelation *relation);
	/*
	 * old: NULL = the key did not change (update), or there is none (insert);
	 * whole: it is the row (replica identity FULL), else its key alone
	 */
	void		(*change) (void *arg, char kind, Oid relid, const LogicalRepTupleData *old,
						   bool whole, const LogicalRepTupleData *new);
	void		(*truncate) (void *arg, List *relids);
	/* one that is emptied without those it is a partition of; pgoutput does not tell it */
	void		(*truncate_partition) (void *arg, const char *name, List *ancestors);
	void		(*commit) (void *arg, const LogicalRepCommitData *commit);
} UsChangeHandler;

typedef struct UsChanges UsChanges;

/*
 * us_changes_create_slot -- make a slot that is lost with an error until it is kept
 *
 * In:      snapshot   also give the transaction a snapshot of where it starts
 * Needs:   a transaction of its own, REPEATABLE READ and read-only, without a snapshot;
 *          waits for writers that are open
 * Returns: where it starts
 */
extern XLogRecPtr us_changes_create_slot(const char *name, bool snapshot);
extern void us_changes_keep_slot(void);

/*
 * us_changes_open -- read from a position on
 *
 * Errors:  55000 (hint: resync) the slot is gone, or invalid, or ahead of the position
 * Needs:   no transaction; what is made is in CurrentMemoryContext
 */
extern UsChanges *us_changes_open(const char *slot, const char *publication, XLogRecPtr start,
								  const UsChangeHandler *handler);

/* what is wrong with a slot, for a person; NULL = nothing */
extern const char *us_changes_slot_problem(const char *slot, XLogRecPtr start);

/*
 * us_changes_read -- decode some records; calls the handler
 *
 * Returns: false when all that is written out was read
 * Needs:   no transaction
 */
extern bool us_changes_read(UsChanges *changes, int max_records);

/* for the handler: the call of us_changes_read returns before another transaction begins */
extern void us_changes_pause(UsChanges *changes);

/* all before it was given to the handler */
extern XLogRecPtr us_changes_read_up_to(const UsChanges *changes);

/*
 * How many bytes of WAL the server keeps for the slot, if it could keep fewer
 * once all that was read is confirmed; else 0
 */
extern uint64 us_changes_kept(const UsChanges *changes);

/* the server may forget what is before it */
extern void us_changes_confirm(XLogRecPtr lsn);

#endif							/* US_CHANGES_H */
