/*-------------------------------------------------------------------------
 * extension/hook.c
 *    commands that need a database without our processes
 *
 * DROP DATABASE, ALTER DATABASE RENAME and SET TABLESPACE, and CREATE
 * DATABASE with a template refuse while anybody is connected.  Nobody should
 * have to know that a supervisor is, so the backend that runs such a command
 * puts a hold on the database, waits for ours to leave and runs it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "extension/compat.h"
#include "extension/hook.h"
#include "extension/shmem.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#define EVICT_TIMEOUT_MS	10000	/* then the command runs, and says who is still there */
#define EVICT_INTERVAL_MS	20

/* never null: what was hooked in before us, or the standard one */
static ProcessUtility_hook_type next_process_utility;

static const char *
find_option(List *options, const char *name)
{
	ListCell   *cell;

	foreach(cell, options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, name) == 0 && option->arg != NULL)
			return defGetString(option);
	}
	return NULL;
}

static bool
may_create_databases(void)
{
	HeapTuple	tuple;
	bool		result = superuser();

	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(GetUserId()));
	if (HeapTupleIsValid(tuple))
	{
		result |= ((Form_pg_authid) GETSTRUCT(tuple))->rolcreatedb;
		ReleaseSysCache(tuple);
	}
	return result;
}

static bool
is_template(Oid database)
{
	HeapTuple	tuple = SearchSysCache1(DATABASEOID, ObjectIdGetDatum(database));
	bool		result = false;

	if (HeapTupleIsValid(tuple))
	{
		result = ((Form_pg_database) GETSTRUCT(tuple))->datistemplate;
		ReleaseSysCache(tuple);
	}
	return result;
}

/*
 * The database that a statement wants to itself; InvalidOid when there is
 * none, or when the caller may not run the statement anyway: then he must not
 * be able to stop our processes with it either.
 */
static Oid
database_to_empty(Node *statement)
{
	const char *name = NULL;
	bool		copies = false;
	Oid			database;

	if (IsA(statement, DropdbStmt))
		name = ((DropdbStmt *) statement)->dbname;
	else if (IsA(statement, RenameStmt) &&
			 ((RenameStmt *) statement)->renameType == OBJECT_DATABASE)
		name = ((RenameStmt *) statement)->subname;
	else if (IsA(statement, AlterDatabaseStmt) &&
			 find_option(((AlterDatabaseStmt *) statement)->options, "tablespace") != NULL)
		name = ((AlterDatabaseStmt *) statement)->dbname;
	else if (IsA(statement, CreatedbStmt))
	{
		name = find_option(((CreatedbStmt *) statement)->options, "template");
		copies = true;
	}
	if (name == NULL)
		return InvalidOid;

	database = get_database_oid(name, true);
	if (!OidIsValid(database) || (database == MyDatabaseId && !copies))
		return InvalidOid;
	if (us_database_ownercheck(database, GetUserId()))
		return copies && !may_create_databases() ? InvalidOid : database;
	if (copies && is_template(database) && may_create_databases())
		return database;
	return InvalidOid;
}

static void
release_hold(int code, Datum arg)
{
	(void) code;

	us_hold_release(DatumGetObjectId(arg));
	us_wake_launcher();
}

static void
wait_until_empty(Oid database)
{
	TimestampTz start = GetCurrentTimestamp();

	while (us_hold_evict(database) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		if (TimestampDifferenceExceeds(start, GetCurrentTimestamp(), EVICT_TIMEOUT_MS))
			return;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
						 EVICT_INTERVAL_MS, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
	}
}

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only_tree,
				ProcessUtilityContext context, ParamListInfo params,
				QueryEnvironment *environment, DestReceiver *dest, QueryCompletion *completion)
{
	const Oid	database = context == PROCESS_UTILITY_TOPLEVEL && us_shmem_available() ?
		database_to_empty(pstmt->utilityStmt) : InvalidOid;

	if (!OidIsValid(database) || !us_hold_acquire(database))
	{
		next_process_utility(pstmt, query, read_only_tree, context, params, environment, dest,
							 completion);
		return;
	}

	PG_ENSURE_ERROR_CLEANUP(release_hold, ObjectIdGetDatum(database));
	{
		wait_until_empty(database);
		next_process_utility(pstmt, query, read_only_tree, context, params, environment, dest,
							 completion);
	}
	PG_END_ENSURE_ERROR_CLEANUP(release_hold, ObjectIdGetDatum(database));
	release_hold(0, ObjectIdGetDatum(database));
}

void
us_hook_init(void)
{
	next_process_utility = ProcessUtility_hook ? ProcessUtility_hook : standard_ProcessUtility;
	ProcessUtility_hook = process_utility;
}
