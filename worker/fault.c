/*-------------------------------------------------------------------------
 * worker/fault.c
 *    place and SQLSTATE of an error -> what the worker does about it
 *
 * Called by whoever catches an error of a batch, in a worker and in
 * retry_dead_letters.  All of the rule is in here, so that the two cannot
 * come to differ.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "worker/fault.h"

static bool
has_class(const char *sqlstate, const char *class_code)
{
	return strncmp(sqlstate, class_code, 2) == 0;
}

/* something outside that passes by itself: the same batch may work later */
static bool
is_transient(const char *sqlstate)
{
	return has_class(sqlstate, "40") || /* rollback: deadlock, serialization */
		has_class(sqlstate, "08") ||	/* connection */
		has_class(sqlstate, "53") ||	/* resources: disk, memory, connections */
		has_class(sqlstate, "57") ||	/* intervention: cancel, shutdown */
		has_class(sqlstate, "58") ||	/* system: I/O */
		strcmp(sqlstate, "55P03") == 0; /* lock not to be had now */
}

/* classes that speak of the values at hand, never of the definition */
static bool
is_about_data(const char *sqlstate)
{
	return has_class(sqlstate, "21") || /* cardinality */
		has_class(sqlstate, "22") ||	/* data */
		has_class(sqlstate, "23") ||	/* constraints */
		has_class(sqlstate, "44") ||	/* WITH CHECK OPTION */
		has_class(sqlstate, "54") ||	/* too large, too complex */
		has_class(sqlstate, "P0");	/* raised by a function on purpose */
}

UsFault
us_fault_classify(const char *sqlstate, UsFaultPlace place, bool row_security)
{
	if (is_transient(sqlstate))
		return US_FAULT_TRANSIENT;

	/* no message is at hand to blame */
	if (place == US_PLACE_BATCH)
		return US_FAULT_STOP;

	/* a policy judges rows, but may be one that none can meet; any other missing right hits all */
	if (strcmp(sqlstate, "42501") == 0)
		return row_security ? US_FAULT_SUSPECT : US_FAULT_STOP;

	/* the transaction itself is unusable: nothing could be stored */
	if (has_class(sqlstate, "25"))
		return US_FAULT_STOP;

	/*
	 * A function that calls what is not there (42883), or returns what it
	 * should not (42804), may do so in a branch that few messages take, and
	 * input functions raise such codes too: '1 2'::tsquery, 'x'::regclass.
	 */
	return is_about_data(sqlstate) ? US_FAULT_MESSAGE : US_FAULT_SUSPECT;
}

bool
us_fault_is_definition(int64_t suspects, int64_t taken, int64_t before)
{
	return suspects > 0 && suspects == taken && before + taken >= US_FAULT_SUSPECT_RUN;
}

int64_t
us_fault_run(int64_t suspects, int64_t taken, int64_t before)
{
	if (taken == 0)
		return before;
	return suspects == taken ? before + taken : 0;
}
