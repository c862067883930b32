/*-------------------------------------------------------------------------
 * worker/cql/window.h
 *    how many writes may be in flight: additive increase, multiplicative decrease
 *
 * A server that is told THROW_ON_OVERLOAD says so when it has too much to do,
 * instead of stalling the connection.  The window grows by one for each
 * window of good answers, and is halved by a sign of too much, once for all
 * that was in flight then.  Pure arithmetic: no clock, no memory.
 *-------------------------------------------------------------------------
 */
#ifndef US_CQL_WINDOW_H
#define US_CQL_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define US_CQL_WINDOW_MIN	16		/* requests */
#define US_CQL_WINDOW_MAX	1024	/* requests */
#define US_CQL_WINDOW_START	128		/* requests */

/*
 * A node takes 1 MiB of a connection's requests into its queue and 10 MB or
 * so of an address's in all; past that it calls itself overloaded.
 */
#define US_CQL_WINDOW_BYTES	(768 * 1024)

typedef struct UsCqlWindow
{
	int			min;			/* requests */
	int			max;			/* requests */
	int			size;			/* requests that may be in flight, min .. max */
	int			credit;			/* good answers towards the next one more, 0 .. size - 1 */
	int			in_flight;		/* requests */
	size_t		max_bytes;		/* in flight; one request always may */
	size_t		bytes;			/* in flight */
	uint64_t	sent;			/* requests ever sent: the number of the next one */
	uint64_t	cut_at;			/* requests before this number do not cut again */
} UsCqlWindow;

/* limits of 0 take the values above */
extern void us_cql_window_init(UsCqlWindow *window, int min, int max, int start, size_t max_bytes);

/* may a request of so many bytes be sent now? */
extern bool us_cql_window_open(const UsCqlWindow *window, size_t bytes);

/* it was sent; returns its number, to be handed to us_cql_window_answered */
extern uint64_t us_cql_window_sent(UsCqlWindow *window, size_t bytes);

typedef enum UsCqlOutcome
{
	US_CQL_OUTCOME_GOOD,		/* done */
	US_CQL_OUTCOME_SLOWER,		/* overloaded, timed out: US_CQL_REMEDY_SLOWER, or no answer */
	US_CQL_OUTCOME_OTHER		/* says nothing about load */
} UsCqlOutcome;

/* a request is in flight no more */
extern void us_cql_window_answered(UsCqlWindow *window, uint64_t number, size_t bytes,
								   UsCqlOutcome outcome);

#endif							/* US_CQL_WINDOW_H */
