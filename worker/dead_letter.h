/*-------------------------------------------------------------------------
 * worker/dead_letter.h
 *    userstream.dead_letter: messages that could not be taken, with the reason
 *-------------------------------------------------------------------------
 */
#ifndef US_DEAD_LETTER_H
#define US_DEAD_LETTER_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "extension/catalog.h"
#include "utils/array.h"
#include "utils/portal.h"
#include "worker/source.h"

#define US_TOO_MANY_KIND	"too_many_dead_letters" /* incident: the stream stopped for them */

typedef struct UsDeadLetter
{
	const UsMessage *message;
	char		sqlstate[6];
	const char *error;			/* primary message, and detail after it when there is one */
	const char *column_name;	/* NULL = not known */
	const char *constraint_name;	/* NULL = none */
} UsDeadLetter;

/*
 * us_dead_letter_store -- keep them, in the batch's transaction
 *
 * Errors:  whatever storing raises; then nothing of the batch may commit
 */
extern void us_dead_letter_store(const UsStream *stream, const UsDeadLetter *letters, int count);

/*
 * us_dead_letter_count_recent -- those of the last minute, of all its workers
 *
 * Since the stream was made, and since it was resumed after it had too many.
 * Returns: no more than max_dead_letters_per_minute
 * Takes a lock until the transaction ends, so that one worker counts at a
 * time; 55P03 when it cannot have it in time.
 */
extern int	us_dead_letter_count_recent(const UsStream *stream);

/* a letter as it stands in the table */
typedef struct UsStoredLetter
{
	int64		id;
	bool		retried;		/* an earlier retry applied it */
} UsStoredLetter;

/*
 * us_dead_letter_open -- a cursor over those of a stream that are to be retried
 *
 * Gives what the role that fetches from it owns, by partition and offset, and
 * locks it.
 * In:      ids      NULL = those that no retry applied yet; else these, applied
 *                   or not, but none that another retry applies meanwhile
 * Returns: a pinned portal, for us_dead_letter_read
 * Errors:  42704 an id that is not one of the stream's letters that the
 *          current role owns
 * Needs:   SPI connection
 */
extern Portal us_dead_letter_open(const char *stream, ArrayType *ids);
extern void us_dead_letter_close(Portal letters);

/* one row of the cursor; the message's bytes are palloc'd */
extern void us_dead_letter_read(HeapTuple row, TupleDesc desc, UsStoredLetter *stored,
								UsMessage *message);

/* a retry applied them */
extern void us_dead_letter_settle(const int64 *ids, int count);

/* a retry failed: the new reason takes the place of the old one */
extern void us_dead_letter_fail(int64 id, const UsDeadLetter *letter);

#endif							/* US_DEAD_LETTER_H */
