/*-------------------------------------------------------------------------
 * worker/expand_internal.h
 *    what the expand_*.c files share
 *-------------------------------------------------------------------------
 */
#ifndef US_EXPAND_INTERNAL_H
#define US_EXPAND_INTERNAL_H

#include "worker/csv.h"
#include "worker/expand.h"

/* what counts of a function */
typedef struct UsFunction
{
	Oid			oid;
	bool		is_plain;		/* a function with one argument */
	Oid			argument;
	Oid			type;			/* that it returns ... */
	bool		is_set;			/* ... any number of */
} UsFunction;

/* worker/expand_function.c */

/* oid of userstream.message */
extern Oid	us_expand_message_type(void);

/* false when it is gone */
extern bool us_expand_read_function(Oid function, UsFunction *result);

/* 42883 when it is gone, 42P13 when it does not fit; target InvalidOid = it is a filter */
extern UsFunction us_expand_find_function(Oid oid, const char *signature, Oid target,
										  const char *format);

/* worker/expand_split.c */

/*
 * us_expand_split -- a message's array, lines or object -> documents
 *
 * Out:     *texts, *lengths  UTF-8, in CurrentMemoryContext or the message's own
 * Returns: how many
 * Errors:  what jsonb_in raises
 */
extern int	us_expand_split(const UsMessage *message, const char ***texts, int **lengths);

/* the same of lines of CSV, all of them; raises nothing */
extern int	us_expand_split_csv(const UsCsv *csv, const UsMessage *message, const char ***texts,
								int **lengths);

#endif							/* US_EXPAND_INTERNAL_H */
