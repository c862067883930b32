/*-------------------------------------------------------------------------
 * extension/stream_api.c
 *    create_stream: arguments, table and broker -> a definition with positions
 *
 * Runs in the caller's backend and transaction.  Everything that can be
 * checked is checked here, the cheap before the broker.  The broker is asked
 * with no lock of ours on the target, so that a slow one keeps nobody waiting
 * but the caller; what may have changed meanwhile is then checked again.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/relation.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "extension/compat.h"
#include "extension/guc.h"
#include "extension/server.h"
#include "extension/shmem.h"
#include "extension/stream_args.h"
#include "extension/stream_topic.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "worker/map.h"

PG_FUNCTION_INFO_V1(us_create_stream);

/* raises, or says that there is nothing to do */
static void
report_name_taken(const UsStreamArgs *args)
{
	if (!args->if_not_exists)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("stream \"%s\" already exists", args->name),
				 errhint("Choose another name, or remove it with userstream.drop_stream(%s).",
						 quote_literal_cstr(args->name))));
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("stream \"%s\" already exists, skipping", args->name)));
}

/* workers connect as the owner */
static void
check_owner(Oid owner)
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

/*
 * Kind, columns and privileges of the target.  A lock that is kept makes the
 * result hold until the transaction ends.
 */
static void
check_target(const UsStreamArgs *args, Oid owner, bool keep_lock)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "create_stream map",
												  ALLOCSET_DEFAULT_SIZES);
	Relation	target;
	UsMap	   *map;

	/* the wrong kind is told without waiting for a lock */
	us_check_target(args->target);
	target = try_relation_open(args->target, AccessShareLock);
	us_check_target(args->target);
	if (target == NULL)
		elog(ERROR, "could not open relation with OID %u", args->target);

	map = us_map_compile(target, args->format, args->columns, context);
	check_privileges(target, map, owner);
	relation_close(target, keep_lock ? NoLock : AccessShareLock);
	MemoryContextDelete(context);
}

/* the definition; 0 when the name is taken after all */
static int64
insert_stream(const UsStreamArgs *args, Oid server, Oid owner)
{
	static const char *const text =
		"INSERT INTO userstream.stream (name, owner, owner_oid, server, server_oid, topic,"
		" target, target_oid, format, mode, columns, start_at, on_error, workers, options,"
		" timezone, home)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,"
		" coalesce(jsonb_strip_nulls($15), '{}'), $16, $17)"
		" ON CONFLICT (name) DO NOTHING RETURNING id";
	Oid			types[] = {TEXTOID, TEXTOID, OIDOID, TEXTOID, OIDOID, TEXTOID,
		TEXTOID, OIDOID, TEXTOID, TEXTOID, JSONBOID, TEXTOID, TEXTOID, INT4OID, JSONBOID,
	TEXTOID, TEXTOID};
	Datum		values[] = {
		CStringGetTextDatum(args->name),
		CStringGetTextDatum(GetUserNameFromId(owner, false)),
		ObjectIdGetDatum(owner),
		CStringGetTextDatum(args->server),
		ObjectIdGetDatum(server),
		CStringGetTextDatum(args->topic),
		CStringGetTextDatum(us_qualified_name(args->target)),
		ObjectIdGetDatum(args->target),
		CStringGetTextDatum(args->format),
		CStringGetTextDatum(args->mode),
		PointerGetDatum(args->columns),
		CStringGetTextDatum(args->start_at),
		CStringGetTextDatum(args->on_error),
		Int32GetDatum(args->workers),
		PointerGetDatum(args->options),
		CStringGetTextDatum(pg_get_timezone_name(session_timezone)),
		CStringGetTextDatum(us_home())
	};
	char		nulls[lengthof(values) + 1];
	bool		isnull;

	memset(nulls, ' ', lengthof(values));
	nulls[lengthof(values)] = '\0';
	if (args->columns == NULL)
		nulls[10] = 'n';
	if (args->options == NULL)
		nulls[14] = 'n';

	if (SPI_execute_with_args(text, lengthof(values), types, values, nulls, false, 0)
		!= SPI_OK_INSERT_RETURNING)
		elog(ERROR, "could not write userstream.stream");
	if (SPI_processed == 0)
		return 0;
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

static void
insert_positions(int64 stream, const UsTopic *topic, bool from_latest)
{
	static const char *const text =
		"INSERT INTO userstream.stream_position (stream_id, partition, next_offset)"
		" SELECT $1, u.partition, u.next_offset"
		" FROM unnest($2, $3) AS u (partition, next_offset)";
	Oid			types[] = {INT8OID, INT4ARRAYOID, INT8ARRAYOID};
	Datum	   *partitions = palloc(sizeof(Datum) * topic->count);
	Datum	   *offsets = palloc(sizeof(Datum) * topic->count);
	Datum		values[3];

	for (int i = 0; i < topic->count; i++)
	{
		const UsTopicPartition *partition = &topic->partitions[i];

		partitions[i] = Int32GetDatum(partition->partition);
		offsets[i] = Int64GetDatum(from_latest ? partition->high_offset : partition->low_offset);
	}
	values[0] = Int64GetDatum(stream);
	values[1] = PointerGetDatum(construct_array(partitions, topic->count, INT4OID,
												sizeof(int32), true, TYPALIGN_INT));
	values[2] = PointerGetDatum(construct_array(offsets, topic->count, INT8OID,
												sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));

	if (SPI_execute_with_args(text, lengthof(values), types, values, NULL, false, 0)
		!= SPI_OK_INSERT)
		elog(ERROR, "could not write userstream.stream_position");
}

/* whether it was this call that made the stream */
static bool
store_stream(const UsStreamArgs *args, Oid server, Oid owner, const UsTopic *topic)
{
	UsElevation saved = us_elevate();
	int64		id;

	SPI_connect();
	id = insert_stream(args, server, owner);
	if (id != 0)
		insert_positions(id, topic, strcmp(args->start_at, "latest") == 0);
	SPI_finish();
	us_restore(saved);
	return id != 0;
}

/* a definition that nothing acts on is no error, but a surprise */
static void
warn_when_idle(const char *name)
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

Datum
us_create_stream(PG_FUNCTION_ARGS)
{
	Oid			owner = GetUserId();
	UsStreamArgs args;
	UsTopic		topic;
	Oid			server;

	us_stream_args_read(fcinfo, &args);
	PreventCommandIfReadOnly("create_stream()");
	if (us_catalog_stream_by_name(args.name) != NULL)
	{
		report_name_taken(&args);
		PG_RETURN_VOID();
	}
	check_owner(owner);
	server = us_server_lookup(args.server, US_SERVER_KAFKA, owner);
	check_target(&args, owner, false);

	us_stream_topic_describe(&args, server, owner, &topic);

	check_target(&args, owner, true);
	if (!store_stream(&args, server, owner, &topic))
	{
		report_name_taken(&args);
		PG_RETURN_VOID();
	}
	us_wake_at_commit();
	warn_when_idle(args.name);
	PG_RETURN_VOID();
}
