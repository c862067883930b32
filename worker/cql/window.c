/*-------------------------------------------------------------------------
 * worker/cql/window.c
 *    how many writes may be in flight: additive increase, multiplicative decrease
 *
 * Only answers that came while the window was in use make it grow: one that
 * was never filled says nothing about what the server can take.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "worker/cql/window.h"

void
us_cql_window_init(UsCqlWindow *window, int min, int max, int start, size_t max_bytes)
{
	memset(window, 0, sizeof(*window));
	window->min = min > 0 ? min : US_CQL_WINDOW_MIN;
	window->max = max > 0 ? max : US_CQL_WINDOW_MAX;
	if (window->min > window->max)
		window->min = window->max;
	window->size = start > 0 ? start : US_CQL_WINDOW_START;
	if (window->size < window->min)
		window->size = window->min;
	if (window->size > window->max)
		window->size = window->max;
	window->max_bytes = max_bytes > 0 ? max_bytes : US_CQL_WINDOW_BYTES;
}

bool
us_cql_window_open(const UsCqlWindow *window, size_t bytes)
{
	if (window->in_flight == 0)
		return true;
	return window->in_flight < window->size && bytes <= window->max_bytes &&
		window->bytes <= window->max_bytes - bytes;
}

uint64_t
us_cql_window_sent(UsCqlWindow *window, size_t bytes)
{
	window->in_flight++;
	window->bytes += bytes;
	return window->sent++;
}

void
us_cql_window_answered(UsCqlWindow *window, uint64_t number, size_t bytes, UsCqlOutcome outcome)
{
	bool		in_use = window->in_flight > window->size / 2;

	window->in_flight--;
	window->bytes -= bytes;
	if (outcome == US_CQL_OUTCOME_SLOWER && number >= window->cut_at)
	{
		window->size = window->size / 2 > window->min ? window->size / 2 : window->min;
		window->credit = 0;
		window->cut_at = window->sent;
	}
	if (outcome != US_CQL_OUTCOME_GOOD || !in_use || window->size == window->max)
		return;
	if (++window->credit >= window->size)
	{
		window->credit = 0;
		window->size++;
	}
}
