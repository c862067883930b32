/*-------------------------------------------------------------------------
 * worker/statement.h
 *    our own statements on userstream.*: prepared once, run as the owner
 *-------------------------------------------------------------------------
 */
#ifndef US_STATEMENT_H
#define US_STATEMENT_H

#include "executor/spi.h"

#define US_STATEMENT_MAX_ARGS	20

/* initialise text, nargs and types; the rest is zero */
typedef struct UsStatement
{
	const char *text;
	int			nargs;
	Oid			types[US_STATEMENT_MAX_ARGS];
	SPIPlanPtr	plan;			/* made at first use, kept for the session */
} UsStatement;

/*
 * us_statement_run -- run it as the owner of our tables
 *
 * In:      values, nulls   nargs of each; nulls as SPI has them (' ' or 'n')
 * Returns: rows processed
 * Errors:  whatever it raises; 42P01 when the extension is gone
 * Needs:   transaction with an active snapshot
 */
extern uint64 us_statement_run(UsStatement *statement, Datum *values, const char *nulls);

#endif							/* US_STATEMENT_H */
