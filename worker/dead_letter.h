/*-------------------------------------------------------------------------
 * worker/dead_letter.h
 *    userstream.dead_letter: messages that could not be taken, with the reason
 *-------------------------------------------------------------------------
 */
#ifndef US_DEAD_LETTER_H
#define US_DEAD_LETTER_H

#include "extension/catalog.h"
#include "worker/source.h"

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

#endif							/* US_DEAD_LETTER_H */
