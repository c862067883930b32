/*-------------------------------------------------------------------------
 * extension/target.c
 *    whether a stream can run, and into which relations
 *
 * Looks at PostgreSQL's own catalogs only.  Called where a stream is defined,
 * by its workers when the relation changed, by the supervisor before each
 * start, and by the views.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_inherits.h"
#include "commands/dbcommands.h"
#include "extension/catalog.h"
#include "extension/compat.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#define ORDINARY_TABLE_HINT \
	"The target of a stream is a permanent, logged, ordinary or partitioned table."

pg_noreturn static void wrong_target(Oid relid, const char *what, const char *detail,
									 const char *hint);

/* what is a noun with its article */
static void
wrong_target(Oid relid, const char *what, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("cannot use %s \"%s\" as the target of a stream",
					what, get_rel_name(relid)),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

char *
us_qualified_name(Oid relid)
{
	char	   *name = get_rel_name(relid);
	char	   *schema = get_namespace_name(get_rel_namespace(relid));

	if (name == NULL || schema == NULL)
		return NULL;
	return quote_qualified_identifier(schema, name);
}

static void
check_kind(Oid relid, char kind)
{
	switch (kind)
	{
		case RELKIND_RELATION:
		case RELKIND_PARTITIONED_TABLE:
			return;
		case RELKIND_VIEW:
			wrong_target(relid, "view", "A view keeps no rows.",
						 "Name the table behind it.");
		case RELKIND_MATVIEW:
			wrong_target(relid, "materialized view",
						 "A materialized view takes rows from its query only.",
						 ORDINARY_TABLE_HINT);
		case RELKIND_FOREIGN_TABLE:
			wrong_target(relid, "foreign table",
						 "Rows of a foreign table do not commit together with the position of the stream.",
						 ORDINARY_TABLE_HINT);
		case RELKIND_TOASTVALUE:
			wrong_target(relid, "TOAST table", "A TOAST table belongs to another table.",
						 ORDINARY_TABLE_HINT);
		default:
			wrong_target(relid, "relation", "It is not a table.", ORDINARY_TABLE_HINT);
	}
}

static void
check_persistence(Oid relid, char persistence)
{
	if (persistence == RELPERSISTENCE_TEMP)
		wrong_target(relid, "temporary table",
					 "A temporary table is seen by its own session only, and a stream runs in others.",
					 ORDINARY_TABLE_HINT);
	if (persistence == RELPERSISTENCE_UNLOGGED)
		wrong_target(relid, "unlogged table",
					 "An unlogged table loses its rows in a crash while the position of the stream stays.",
					 psprintf("ALTER TABLE %s SET LOGGED makes it a logged one.",
							  us_qualified_name(relid)));
}

/* false when the relation is not there (any more) */
static bool
check_relation(Oid relid, char *kind)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	char		persistence;
	Oid			schema;

	if (!HeapTupleIsValid(tuple))
		return false;
	*kind = ((Form_pg_class) GETSTRUCT(tuple))->relkind;
	persistence = ((Form_pg_class) GETSTRUCT(tuple))->relpersistence;
	schema = ((Form_pg_class) GETSTRUCT(tuple))->relnamespace;
	ReleaseSysCache(tuple);

	check_kind(relid, *kind);
	check_persistence(relid, persistence);
	if (relid < FirstNormalObjectId || IsCatalogNamespace(schema))
		wrong_target(relid, "system catalog", "It belongs to PostgreSQL.",
					 ORDINARY_TABLE_HINT);
	if (schema == get_namespace_oid("userstream", true))
		wrong_target(relid, "table", "It holds definitions and positions of streams themselves.",
					 ORDINARY_TABLE_HINT);
	return true;
}

void
us_check_target(Oid target)
{
	List	   *leaves;
	ListCell   *cell;
	char		kind;

	if (!check_relation(target, &kind))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u does not exist", target),
				 errhint("Create the table before the stream.")));
	if (kind != RELKIND_PARTITIONED_TABLE)
		return;

	/* no locks: a partition that goes away meanwhile takes no rows either */
	leaves = find_all_inheritors(target, NoLock, NULL);
	foreach(cell, leaves)
	{
		if (lfirst_oid(cell) != target)
			(void) check_relation(lfirst_oid(cell), &kind);
	}
	list_free(leaves);
}

/* the role that workers connect as */
static char *
owner_problem(const UsDefinition *definition)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(definition->owner_oid));
	char	   *name;
	bool		can_login;

	if (!HeapTupleIsValid(tuple))
		return psprintf("owner \"%s\" does not exist any more; userstream.alter_%s(%s, owner => ...) by a superuser gives the %s another",
						definition->owner, definition->kind, quote_literal_cstr(definition->name),
						definition->kind);
	name = pstrdup(NameStr(((Form_pg_authid) GETSTRUCT(tuple))->rolname));
	can_login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);

	if (!can_login)
		return psprintf("owner \"%s\" may not log in; ALTER ROLE %s LOGIN continues",
						name, quote_identifier(name));
	if (us_database_aclcheck(MyDatabaseId, definition->owner_oid, ACL_CONNECT) != ACLCHECK_OK)
	{
		char	   *database = get_database_name(MyDatabaseId);

		return psprintf("owner \"%s\" may not connect to database \"%s\"; GRANT CONNECT ON DATABASE %s TO %s continues",
						name, database, quote_identifier(database), quote_identifier(name));
	}
	return NULL;
}

static char *
server_problem(const UsDefinition *definition)
{
	ForeignServer *server = GetForeignServerExtended(definition->server_oid, FSV_MISSING_OK);
	char	   *owner;

	if (server == NULL)
		return psprintf("server \"%s\" does not exist any more; userstream.alter_%s(%s, %s) names another",
						definition->server, definition->kind, quote_literal_cstr(definition->name),
						definition->another_server);
	if (us_server_aclcheck(definition->server_oid, definition->owner_oid, ACL_USAGE) == ACLCHECK_OK)
		return NULL;
	owner = GetUserNameFromId(definition->owner_oid, false);
	return psprintf("owner \"%s\" has no USAGE on server \"%s\"; GRANT USAGE ON FOREIGN SERVER %s TO %s continues",
					owner, server->servername, quote_identifier(server->servername),
					quote_identifier(owner));
}

char *
us_definition_problem(const UsDefinition *definition)
{
	char	   *problem = owner_problem(definition);

	return problem != NULL ? problem : server_problem(definition);
}

bool
us_stream_at_home(const UsStream *stream)
{
	return strcmp(stream->home, us_home()) == 0;
}

/* the schema registry is a server too */
static char *
registry_problem(const UsStream *stream)
{
	UsDefinition definition = {
		.kind = "stream",
		.name = stream->name,
		.owner = stream->owner,
		.owner_oid = stream->owner_oid,
		.server = stream->options.registry,
		.server_oid = stream->registry_oid,
		.another_server = "options => '{\"registry\": ...}'"
	};

	return server_problem(&definition);
}

char *
us_stream_problem(const UsStream *stream)
{
	UsDefinition definition = {
		.kind = "stream",
		.name = stream->name,
		.owner = stream->owner,
		.owner_oid = stream->owner_oid,
		.server = stream->server,
		.server_oid = stream->server_oid,
		.another_server = "server => ..., start_at => ..."
	};
	char	   *problem;

	if (!us_stream_at_home(stream))
		return pstrdup("definition comes from another database; userstream.adopt() continues from the restored positions");
	if (stream->misfit != NULL)
		return pstrdup(stream->misfit);
	if (stream->stop_reason != NULL && strstr(stream->stop_reason, "userstream.") != NULL)
		return pstrdup(stream->stop_reason);
	if (stream->stop_reason != NULL)
		return psprintf("%s; userstream.resume_stream(%s) continues",
						stream->stop_reason, quote_literal_cstr(stream->name));
	problem = us_definition_problem(&definition);
	if (problem == NULL && stream->options.registry != NULL)
		problem = registry_problem(stream);
	if (problem != NULL)
		return problem;
	if (get_rel_name(stream->target_oid) == NULL)
		return psprintf("target \"%s\" does not exist any more; userstream.alter_stream(%s, target => ...) names another",
						stream->target, quote_literal_cstr(stream->name));
	return NULL;
}
