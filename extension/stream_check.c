/*-------------------------------------------------------------------------
 * extension/stream_check.c
 *    whether an owner may have a stream into a target
 *
 * Runs in the caller's backend, wherever a stream is defined, changed or
 * adopted: PostgreSQL's own catalogs only, no broker.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "commands/dbcommands.h"
#include "extension/compat.h"
#include "extension/guc.h"
#include "extension/registry.h"
#include "extension/server.h"
#include "extension/shmem.h"
#include "extension/stream_check.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "worker/expand.h"
#include "worker/map.h"

void
us_stream_check_owner(Oid owner)
{
	HeapTuple	tuple = SearchSysCache1(AUTHOID, ObjectIdGetDatum(owner));
	char	   *name = GetUserNameFromId(owner, false);
	bool		can_login;

	if (!HeapTupleIsValid(tuple))
		elog(ERROR, "cache lookup failed for role %u", owner);
	can_login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);

	if (!can_login)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" cannot own a stream", name),
				 errdetail("The workers of a stream connect as its owner, and this role may not log in."),
				 errhint("ALTER ROLE %s LOGIN allows it, or SET ROLE to one that may.",
						 quote_identifier(name))));
	if (us_database_aclcheck(MyDatabaseId, owner, ACL_CONNECT) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("role \"%s\" cannot own a stream", name),
				 errdetail("The workers of a stream connect as its owner, and this role may not connect to the database."),
				 errhint("GRANT CONNECT ON DATABASE %s TO %s allows it.",
						 quote_identifier(get_database_name(MyDatabaseId)),
						 quote_identifier(name))));
}

/* INSERT on the columns that messages give; on the whole table is enough too */
static void
check_privileges(Relation target, const UsMap *map, Oid owner)
{
	Oid			relid = RelationGetRelid(target);
	const AttrNumber *attnums;
	int			count = us_map_columns(map, &attnums);
	char	   *role = GetUserNameFromId(owner, false);

	if (us_namespace_aclcheck(RelationGetNamespace(target), owner, ACL_USAGE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for schema %s",
						get_namespace_name(RelationGetNamespace(target))),
				 errdetail("The target of the stream is in this schema."),
				 errhint("GRANT USAGE ON SCHEMA %s TO %s allows it.",
						 quote_identifier(get_namespace_name(RelationGetNamespace(target))),
						 quote_identifier(role))));
	if (pg_class_aclcheck(relid, owner, ACL_INSERT) == ACLCHECK_OK)
		return;
	for (int i = 0; i < count; i++)
	{
		char	   *column;

		if (pg_attribute_aclcheck(relid, attnums[i], owner, ACL_INSERT) == ACLCHECK_OK)
			continue;
		column = get_attname(relid, attnums[i], false);
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table %s", RelationGetRelationName(target)),
				 errdetail("Role \"%s\" may not insert into column \"%s\", which messages give.",
						   role, column),
				 errhint("GRANT INSERT ON %s TO %s allows it; columns => '{\"%s\": null}' leaves the column out.",
						 us_qualified_name(relid), quote_identifier(role), column)));
	}
	if (count == 0 &&
		pg_attribute_aclcheck_all(relid, owner, ACL_INSERT, ACLMASK_ANY) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table %s", RelationGetRelationName(target)),
				 errhint("GRANT INSERT ON %s TO %s allows it.",
						 us_qualified_name(relid), quote_identifier(role))));
}

static void
check_registry(UsStreamArgs *args, Oid owner)
{
	UsStreamOptions options;

	us_parse_stream_options(args->options, &options);
	args->registry_oid = options.registry == NULL ? InvalidOid :
		us_server_lookup(options.registry, US_SERVER_HTTP, owner);
}

void
us_stream_ask_registry(const UsStreamArgs *args, Oid owner)
{
	UsStreamOptions options;

	us_parse_stream_options(args->options, &options);
	if (options.registry != NULL)
		us_registry_check(options.registry, owner);
}

/* the names that are stored mean the same for every search path */
static void
check_functions(UsStreamArgs *args, Oid owner)
{
	UsStreamOptions options;

	us_parse_stream_options(args->options, &options);
	if (args->transform != NULL)
	{
		args->transform_oid = us_expand_check(args->transform_oid, args->transform, args->target,
											  args->format, owner);
		args->transform = us_expand_signature(args->transform_oid);
		if (args->columns != NULL && us_expand_gives_rows(args->transform_oid))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("columns has no meaning where the transform returns rows"),
					 errdetail("Function %s gives every column itself.", args->transform),
					 errhint("Leave columns out, or let the function return jsonb.")));
	}
	if (options.filter != NULL)
	{
		args->filter_oid = us_expand_check(args->filter_oid, options.filter, InvalidOid,
										   args->format, owner);
		args->options = us_set_stream_option(args->options, "filter",
											 us_expand_signature(args->filter_oid));
	}
}

/* what upsert needs beside INSERT: whether a message finds, changes and removes rows */
static void
check_upsert_privileges(Relation target, const UsMap *map, const UsKey *key, bool removes,
						Oid owner)
{
	Oid			relid = RelationGetRelid(target);
	const AttrNumber *attnums;
	int			count = us_map_columns(map, &attnums);
	const char *missing = NULL;

	/* PostgreSQL asks for SELECT on what excluded.column names, too */
	for (int i = 0; i < count; i++)
		if (pg_class_aclcheck(relid, owner, ACL_SELECT) != ACLCHECK_OK &&
			pg_attribute_aclcheck(relid, attnums[i], owner, ACL_SELECT) != ACLCHECK_OK)
			missing = "SELECT";
	for (int i = 0; i < count; i++)
		if (!us_key_has(key, attnums[i]) &&
			pg_class_aclcheck(relid, owner, ACL_UPDATE) != ACLCHECK_OK &&
			pg_attribute_aclcheck(relid, attnums[i], owner, ACL_UPDATE) != ACLCHECK_OK)
			missing = "UPDATE";
	if (removes && pg_class_aclcheck(relid, owner, ACL_DELETE) != ACLCHECK_OK)
		missing = "DELETE";
	if (missing != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for table %s", RelationGetRelationName(target)),
				 errdetail("Mode upsert needs %s on it%s.", missing,
						   strcmp(missing, "DELETE") == 0 ? ", unless option \"tombstone\" says otherwise" : ""),
				 errhint("GRANT %s ON %s TO %s allows it.", missing, us_qualified_name(relid),
						 quote_identifier(GetUserNameFromId(owner, false)))));
}

void
us_stream_check_target(UsStreamArgs *args, Oid owner, bool keep_lock)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "stream check",
												  ALLOCSET_DEFAULT_SIZES);
	UsStreamOptions options;
	Relation	target;
	UsMap	   *map;

	/* the wrong kind is told without waiting for a lock */
	us_check_target(args->target);
	target = try_relation_open(args->target, AccessShareLock);
	us_check_target(args->target);
	if (target == NULL)
		elog(ERROR, "could not open relation with OID %u", args->target);

	check_registry(args, owner);
	check_functions(args, owner);
	us_parse_stream_options(args->options, &options);
	map = us_map_compile(target, args->format, args->columns, &options, context);
	check_privileges(target, map, owner);
	if (strcmp(args->mode, "upsert") == 0)
	{
		UsKey	   *key = us_key_find(target, args->key, args->nkey);
		bool		removes = options.tombstone == US_TOMBSTONE_BY_MODE ||
			options.tombstone == US_TOMBSTONE_DELETE;

		us_map_take_key(map, key, removes);
		check_upsert_privileges(target, map, key, removes, owner);
	}
	relation_close(target, keep_lock ? NoLock : AccessShareLock);
	MemoryContextDelete(context);
}

void
us_stream_warn_idle(const char *name)
{
	if (!us_shmem_available())
		ereport(WARNING,
				(errmsg("stream \"%s\" will not run yet", name),
				 errdetail("The library is not preloaded, so no worker can be started."),
				 errhint("Add userstream to \"shared_preload_libraries\" and restart the server.")));
	else if (!us_guc_enabled)
		ereport(WARNING,
				(errmsg("stream \"%s\" will not run yet", name),
				 errdetail("The setting \"userstream.enabled\" is off."),
				 errhint("ALTER SYSTEM SET userstream.enabled = on; SELECT pg_reload_conf();")));
}
