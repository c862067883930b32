/*-------------------------------------------------------------------------
 * worker/session.c
 *    the settings under which a stream's messages become rows
 *
 * Runs in stream workers, at the start of each batch, and in the backends of
 * those who retry dead letters.  One message must give the same row whoever
 * the owner is, whoever retries it, and whatever ran before it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "commands/trigger.h"
#include "extension/catalog.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
#include "worker/session.h"

/* what a row depends on */
static const char *const row_settings[][2] = {
	{"search_path", "pg_catalog, pg_temp"},
	{"datestyle", "ISO, MDY"},
	{"intervalstyle", "postgres"},
	{"row_security", "on"},
	{"session_replication_role", "origin"}
};

/*
 * How long a worker waits.  Where it and a user wait for each other, it is the
 * worker that gives way: it looks for a deadlock ten times as soon as others do
 * by default, and has left the lock when who came later looks.
 */
static const char *const worker_settings[][2] = {
	{"statement_timeout", "0"},
	{"idle_in_transaction_session_timeout", "0"},
	{"idle_session_timeout", "0"},
	{"deadlock_timeout", "100ms"},
	{"lock_timeout", "900ms"}
};

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
	for (size_t i = 0; i < lengthof(row_settings); i++)
		apply(row_settings[i][0], row_settings[i][1]);
	for (size_t i = 0; i < lengthof(worker_settings); i++)
		apply(worker_settings[i][0], worker_settings[i][1]);
	/* whose session it is, is the stream's business too */
	if (GetSessionUserId() != GetAuthenticatedUserId())
		SetConfigOption("session_authorization", NULL, PGC_SUSET, PGC_S_SESSION);
	apply("role", "none");
	apply("TimeZone", timezone);
	if (GetConfigOption("transaction_timeout", true, false) != NULL)
		apply("transaction_timeout", "0");	/* since 17 */

	/* the role's or database's defaults have already been taken by this transaction */
	XactIsoLevel = XACT_READ_COMMITTED;
	XactReadOnly = false;
	XactDeferrable = false;
}

static void
borrow(const char *name, const char *value)
{
	(void) set_config_option(name, value, PGC_SUSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
}

int
us_session_borrow(const char *timezone)
{
	int			nest_level = NewGUCNestLevel();

	for (size_t i = 0; i < lengthof(row_settings); i++)
		borrow(row_settings[i][0], row_settings[i][1]);
	borrow("TimeZone", timezone);
	return nest_level;
}

void
us_session_give_back(int nest_level)
{
	AtEOXact_GUC(false, nest_level);
}

void
us_session_constraints_immediate(void)
{
	ConstraintsSetStmt *statement = makeNode(ConstraintsSetStmt);

	statement->constraints = NIL;
	statement->deferred = false;
	AfterTriggerSetState(statement);
}

static MemoryContext context_before;

bool
us_session_begin(const char *timezone)
{
	context_before = CurrentMemoryContext;
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	us_session_apply(timezone);
	PushActiveSnapshot(GetTransactionSnapshot());
	return us_extension_hold();
}

void
us_session_commit(void)
{
	PopActiveSnapshot();
	CommitTransactionCommand();
	MemoryContextSwitchTo(context_before);
}
