/*-------------------------------------------------------------------------
 * worker/key.h
 *    the columns by which upsert recognises a row of its target
 *-------------------------------------------------------------------------
 */
#ifndef US_KEY_H
#define US_KEY_H

#include "access/attnum.h"
#include "fmgr.h"
#include "utils/rel.h"

typedef struct UsKey
{
	Oid			index;			/* unique, over just these columns */
	int			count;			/* at least 1 */
	AttrNumber *attnums;		/* ascending */
	Oid		   *operators;		/* equality, as the unique index has it */
	FmgrInfo   *equal;
	FmgrInfo   *hash;			/* of the same equality */
	Oid		   *collations;
} UsKey;

/*
 * us_key_find -- the key of a relation
 *
 * In:      names, count   columns; count 0 = those of the primary key
 * Returns: palloc'd
 * Errors:  42703 no such column; 42P10 no unique index that ON CONFLICT could
 *          use has just these columns; 0A000 a type without hashing (each
 *          with a hint)
 * Needs:   transaction, relation open and locked
 */
extern UsKey *us_key_find(Relation relation, char *const *names, int count);

/* whether a column is part of the key */
extern bool us_key_has(const UsKey *key, AttrNumber attnum);

#endif							/* US_KEY_H */
