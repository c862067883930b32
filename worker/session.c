/*-------------------------------------------------------------------------
 * worker/session.c
 *    the settings under which a stream's messages become rows
 *
 * Runs in stream workers, at the start of each batch.  One message must give
 * the same row whoever the owner is and whatever ran before it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/guc.h"
#include "worker/session.h"

static void
apply(const char *name, const char *value)
{
	const char *now = GetConfigOption(name, true, false);

	if (now == NULL || strcmp(now, value) != 0)
		SetConfigOption(name, value, PGC_SUSET, PGC_S_SESSION);
}

void
us_session_apply(const char *timezone)
{
	static const char *const settings[][2] = {
		{"search_path", "pg_catalog, pg_temp"},
		{"datestyle", "ISO, MDY"},
		{"intervalstyle", "postgres"},
		{"row_security", "on"},
		{"session_replication_role", "origin"},
		{"statement_timeout", "0"},
		{"idle_in_transaction_session_timeout", "0"},
		{"idle_session_timeout", "0"},
		{"lock_timeout", "1s"}
	};

	for (size_t i = 0; i < lengthof(settings); i++)
		apply(settings[i][0], settings[i][1]);
	apply("TimeZone", timezone);
	if (GetConfigOption("transaction_timeout", true, false) != NULL)
		apply("transaction_timeout", "0");	/* since 17 */

	/* the role's or database's defaults have already been taken by this transaction */
	XactIsoLevel = XACT_READ_COMMITTED;
	XactReadOnly = false;
	XactDeferrable = false;
}
