/*-------------------------------------------------------------------------
 * worker/mirror_write_internal.h
 *    what mirror_write.c (rows) and mirror_send.c (the connection) share
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_WRITE_INTERNAL_H
#define US_MIRROR_WRITE_INTERNAL_H

#include "lib/ilist.h"
#include "worker/cql/window.h"
#include "worker/key_set.h"
#include "worker/mirror_write.h"

#define US_WRITER_LATENCIES		1000	/* writes that the percentile is of */

/* a transaction under way */
typedef struct UsWriterTransaction
{
	dlist_node	node;
	TimestampTz commit_at;
	XLogRecPtr	end_lsn;		/* invalid until its commit was read */
	int64		last_timestamp; /* of its last change, then */
	int64		unfinished;		/* writes without a good end */
	int64		rows;
	int64		deletes;
	UsParkedRows *parked;		/* NULL = none */
} UsWriterTransaction;

typedef struct UsWrite
{
	dlist_node	node;			/* in waiting or refused, while it is there */
	UsCqlRequest request;
	UsWriterTransaction *transaction;
	bool		delete;
	int			failures;		/* at Cassandra itself, while others were taken */
	uint64		rows_done;		/* of the writer, when it was queued or failed last */
	uint64		number;			/* in the window */
	int64		sent_us;
	char	   *error;			/* why it was refused */
	uint8_t		values[FLEXIBLE_ARRAY_MEMBER];
} UsWrite;

struct UsMirrorWriter
{
	MemoryContext context;
	const UsMirror *mirror;
	const UsMirrorPlan *plan;
	UsCassandra *link;
	UsCqlConsistency consistency;
	void		(*report) (void *arg);	/* called while a change waits */
	void	   *report_arg;

	/* of the connection; NULL = not prepared on it yet */
	UsCqlStatement *insert;
	UsCqlStatement *delete;
	UsCqlStatement *check;		/* prepared anew because rows were refused */
	UsCqlRequest look;			/* which table is there? */
	bool		looking;		/* it is under way */
	uint64		looked;			/* 1 + how often the connection had prepared anew; 0 = not yet */
	UsCqlWindow window;

	dlist_head	transactions;	/* in commit order */
	int			ntransactions;
	UsWriterTransaction *open;
	int64		last_timestamp;
	int64		base_timestamp; /* of the open transaction */
	bool		copying;		/* all rows have last_timestamp */
	MemoryContext moved_context;
	UsMirrorMoved moved;		/* by the open transaction */
	UsKeySet   *parked_keys;	/* of rows that Cassandra may not have as they were before */
	UsKeySet   *unrepeated;		/* of changes under way that leave a value to what is there */
	bool		reread;			/* a row among unrepeated was refused since */

	dlist_head	waiting;
	int64		nwaiting;
	size_t		waiting_bytes;	/* of them and of those refused */
	int64		unfinished;		/* all writes under way, waiting or refused */
	dlist_head	refused;		/* to be parked, once it is sure that only they are wrong */
	UsCqlWriter buffer;

	bool		truncating;		/* a TRUNCATE is under way ... */
	bool		truncated;		/* ... and was done */

	int64		pause_until_ms;
	int64		pause_ms;
	bool		failing;
	char		error[300];
	uint64		rows_done;
	int			latency_us[US_WRITER_LATENCIES];
	int			nlatencies;
	int			next_latency;
};

/*
 * mirror_write.c
 */

/* a row that will never be taken, for a column or NULL: kept with its transaction */
extern void us_writer_park(UsMirrorWriter *writer, UsWriterTransaction *transaction,
						   const char *key, const char *value, const char *error,
						   const char *column);

/*
 * mirror_send.c
 */

/* to be sent, or refused at once; counted already */
extern void us_writer_add(UsMirrorWriter *writer, UsWrite *write);

/*
 * While a change waits for Cassandra, inside the decoding of its transaction:
 * one turn, in which interrupts and a stop are served.
 */
extern void us_writer_wait(UsMirrorWriter *writer);

#endif							/* US_MIRROR_WRITE_INTERNAL_H */
