/*-------------------------------------------------------------------------
 * worker/expand.h
 *    messages -> the pieces that become rows: explode, filter, transform
 *
 * Without any of them a message is a row, and none of this is used.
 *-------------------------------------------------------------------------
 */
#ifndef US_EXPAND_H
#define US_EXPAND_H

#include "extension/catalog.h"
#include "utils/rel.h"
#include "worker/map.h"
#include "worker/source.h"

typedef struct UsExpand UsExpand;

/* what one row is to be made of */
typedef struct UsPiece
{
	int			owner;			/* place of its message in the chunk, from 0 */
	UsMessage	message;		/* with the value that is mapped to columns, text or Jsonb ... */
	Datum	   *values;			/* ... unless a transform gave the row: one for each of */
	bool	   *isnull;			/* us_expand_columns; NULL = map the message */
} UsPiece;

/*
 * us_expand_compile -- what a stream does to its messages
 *
 * In:      target    the relation whose rows a transform may return
 *          map       of its columns; takes documents afterwards where pieces have them
 * Returns: NULL when each message is a row; else in context
 * Errors:  42883 a function is gone; 42P13 it does not fit (any more)
 * Needs:   transaction, SPI not connected
 */
extern UsExpand *us_expand_compile(const UsStream *stream, Relation target,
								   UsMap *map, MemoryContext context);

/*
 * us_expand_is_stale -- whether a function is gone or has another name: compile
 * again, or be told so
 *
 * The functions are locked first: none becomes another before the transaction ends.
 */
extern bool us_expand_is_stale(const UsExpand *expand);

/* frees what memory contexts do not */
extern void us_expand_forget(UsExpand *expand);

/*
 * us_expand_run -- the pieces of messages[order[from .. to)], in their order
 *
 * Messages without a value are handed on as they are.
 * Returns: *count pieces, in CurrentMemoryContext, which with SPI's must live
 *          until they are written
 * Errors:  what is wrong with a message, and whatever a function raises.
 *          us_expand_failed_at then gives the place of the message, -1 = unknown
 * Needs:   SPI_connect
 */
extern UsPiece *us_expand_run(UsExpand *expand, const UsMessage *messages, const int *order,
							  int from, int to, int *count);
extern int	us_expand_failed_at(const UsExpand *expand);

/*
 * us_expand_resolve -- the function that a signature, such as app.f(jsonb), names
 *
 * In:      what  the word for it, such as "transform"
 *          hint  which functions can be one
 * Errors:  22023 what is no signature; what regprocedure's input raises, with a hint
 */
extern Oid	us_expand_resolve(const char *signature, const char *what, const char *hint);

/*
 * us_expand_check -- whether a function can be the filter or transform of a stream
 *
 * In:      kept       the function that the stream has; InvalidOid = resolve
 *          signature  as written, by the search path
 *          target     InvalidOid = it is a filter
 *          owner      needs EXECUTE
 * Returns: its oid
 * Errors:  42883, 42P13, 42501 (each with a hint)
 */
extern Oid	us_expand_check(Oid kept, const char *signature, Oid target, const char *format,
							Oid owner);

/* whether a transform gives rows of its target, not documents to be mapped */
extern bool us_expand_gives_rows(Oid function);

/* schema.name(argument), as it is stored; NULL when it is gone */
extern char *us_expand_signature(Oid function);

#endif							/* US_EXPAND_H */
