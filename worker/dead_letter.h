/*-------------------------------------------------------------------------
 * worker/dead_letter.h
 *    userstream.dead_letter: messages that could not be taken, with the reason
 *-------------------------------------------------------------------------
 */
#ifndef US_DEAD_LETTER_H
#define US_DEAD_LETTER_H

#include "extension/catalog.h"
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

#endif							/* US_DEAD_LETTER_H */
