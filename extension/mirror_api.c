/*-------------------------------------------------------------------------
 * extension/mirror_api.c
 *    create_mirror, alter_mirror, drop_mirror, pause, resume and resync
 *
 * Run in the caller's backend and transaction.  The slot is nobody's business
 * here: the worker makes it, and the supervisor drops one whose mirror is no
 * more, so a rolled back drop_mirror has lost nothing.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/args.h"
#include "extension/catalog.h"
#include "extension/guc.h"
#include "extension/mirror.h"
#include "extension/server.h"
#include "extension/shmem.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "pgtime.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(us_create_mirror);
PG_FUNCTION_INFO_V1(us_alter_mirror);
PG_FUNCTION_INFO_V1(us_drop_mirror);
PG_FUNCTION_INFO_V1(us_pause_mirror);
PG_FUNCTION_INFO_V1(us_resume_mirror);
PG_FUNCTION_INFO_V1(us_resync_mirror);

/* positions of create_mirror's arguments */
enum
{
	ARG_NAME,
	ARG_TARGET,
	ARG_SERVER,
	ARG_KEYSPACE,
	ARG_TABLE_NAME,
	ARG_COLUMNS,
	ARG_CREATE_TABLE,
	ARG_COPY_DATA,
	ARG_OPTIONS,
	ARG_IF_NOT_EXISTS
};

/* ... and of alter_mirror's */
enum
{
	ALTER_NAME,
	ALTER_SERVER,
	ALTER_KEYSPACE,
	ALTER_TABLE_NAME,
	ALTER_COLUMNS,
	ALTER_CREATE_TABLE,
	ALTER_OPTIONS,
	ALTER_OWNER
};

#define COLUMNS \
	"owner, owner_oid, target, target_oid, server, server_oid, keyspace, table_name, columns," \
	" create_table, copy_data, options, home"
#define VALUES \
	"$2, $3, $4, $5, $6, $7, $8, $9, nullif($10, '{}'), $11, $12," \
	" coalesce(jsonb_strip_nulls($13), '{}'), $14"
#define VALUE_COLUMNS	9		/* counted from 0 */
#define VALUE_OPTIONS	12

/* the id of the row written; 0 when there is none */
static int64
write_mirror(const char *text, const UsMirror *mirror)
{
	Oid			types[] = {TEXTOID, TEXTOID, OIDOID, TEXTOID, OIDOID, TEXTOID, OIDOID, TEXTOID,
		TEXTOID, JSONBOID, BOOLOID, BOOLOID, JSONBOID, TEXTOID, TEXTOID};
	Datum		values[] = {
		CStringGetTextDatum(mirror->name),
		CStringGetTextDatum(GetUserNameFromId(mirror->owner_oid, false)),
		ObjectIdGetDatum(mirror->owner_oid),
		CStringGetTextDatum(us_qualified_name(mirror->target_oid)),
		ObjectIdGetDatum(mirror->target_oid),
		CStringGetTextDatum(mirror->server),
		ObjectIdGetDatum(mirror->server_oid),
		CStringGetTextDatum(mirror->keyspace),
		CStringGetTextDatum(mirror->table_name),
		JsonbPGetDatum(mirror->columns),
		BoolGetDatum(mirror->create_table),
		BoolGetDatum(mirror->copy_data),
		JsonbPGetDatum(mirror->options),
		CStringGetTextDatum(us_home()),
		CStringGetTextDatum(pg_get_timezone_name(session_timezone))
	};
	char		nulls[lengthof(values) + 1];
	UsElevation saved = us_elevate();
	int64		id = 0;
	bool		isnull;

	memset(nulls, ' ', lengthof(values));
	nulls[lengthof(values)] = '\0';
	if (mirror->columns == NULL)
		nulls[VALUE_COLUMNS] = 'n';
	if (mirror->options == NULL)
		nulls[VALUE_OPTIONS] = 'n';
	SPI_connect();
	if (SPI_execute_with_args(text, lengthof(values), types, values, nulls, false, 0) < 0)
		elog(ERROR, "could not write userstream.mirror");
	if (SPI_processed > 0)
		id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
										 &isnull));
	SPI_finish();
	us_restore(saved);
	return id;
}

/* one of our statements, with a mirror's number as $1 and its name as $2 */
static void
run_statement(const char *text, int64 id, const char *name)
{
	Oid			types[] = {INT8OID, TEXTOID};
	Datum		values[] = {Int64GetDatum(id), CStringGetTextDatum(name != NULL ? name : "")};
	UsElevation saved = us_elevate();

	SPI_connect();
	if (SPI_execute_with_args(text, name != NULL ? 2 : 1, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not run \"%s\"", text);
	SPI_finish();
	us_restore(saved);
}

void
us_mirror_restart(int64 mirror, bool clear)
{
	run_statement("UPDATE userstream.mirror SET config_version = config_version + 1,"
				  " stop_reason = NULL, stopped_at = NULL WHERE id = $1", mirror, NULL);
	run_statement(clear ?
				  "UPDATE userstream.mirror_position SET lsn = NULL, shape = NULL,"
				  " epoch = epoch + 1, clear_first = true WHERE mirror_id = $1" :
				  "UPDATE userstream.mirror_position SET lsn = NULL, shape = NULL,"
				  " epoch = epoch + 1, clear_first = false WHERE mirror_id = $1",
				  mirror, NULL);
}

static void
close_incidents(int64 id, const char *name)
{
	run_statement("UPDATE userstream.incident SET closed_at = now()"
				  " WHERE $1 IS NOT NULL AND mirror = $2 AND closed_at IS NULL", id, name);
}

static void
warn_idle(const char *name)
{
	if (!us_shmem_available())
		ereport(WARNING,
				(errmsg("mirror \"%s\" will not run yet", name),
				 errdetail("The library is not preloaded, so no worker can be started."),
				 errhint("Add userstream to \"shared_preload_libraries\" and restart the server.")));
	else if (!us_guc_enabled)
		ereport(WARNING,
				(errmsg("mirror \"%s\" will not run yet", name),
				 errdetail("The setting \"userstream.enabled\" is off."),
				 errhint("ALTER SYSTEM SET userstream.enabled = on; SELECT pg_reload_conf();")));
}

/* each empties and deletes what the other has written */
static void
warn_shared_table(int64 id, const char *name)
{
	Oid			types[] = {INT8OID};
	Datum		values[] = {Int64GetDatum(id)};
	MemoryContext context = CurrentMemoryContext;
	char	   *other = NULL;
	UsElevation saved = us_elevate();

	SPI_connect();
	if (SPI_execute_with_args("SELECT o.name FROM userstream.mirror m JOIN userstream.mirror o"
							  " USING (home, server_oid, keyspace, table_name)"
							  " WHERE m.id = $1 AND o.id <> m.id ORDER BY o.id LIMIT 1",
							  1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read userstream.mirror");
	if (SPI_processed > 0)
		other = MemoryContextStrdup(context,
									SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1));
	SPI_finish();
	us_restore(saved);
	if (other != NULL)
		ereport(WARNING,
				(errmsg("mirrors \"%s\" and \"%s\" write to one table in Cassandra", name, other),
				 errdetail("A resync or TRUNCATE of one takes away the rows of the other, and rows with the same key overwrite each other."),
				 errhint("Give it a table of its own with userstream.alter_mirror(%s, table_name => ...).",
						 quote_literal_cstr(name))));
}

static void
notice_begins_anew(const UsMirror *mirror)
{
	ereport(NOTICE,
			mirror->copy_data ?
			(errmsg("mirror \"%s\" copies all rows anew", mirror->name)) :
			(errmsg("mirror \"%s\" begins anew, with changes from now on", mirror->name),
			 errdetail("Rows that are there are not copied, because copy_data is false."),
			 errhint("SELECT userstream.resync_mirror(%s) empties the table in Cassandra and copies them.",
					 quote_literal_cstr(mirror->name))));
}

static void
report_name_taken(const char *name, bool if_not_exists)
{
	if (!if_not_exists)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("mirror \"%s\" already exists", name),
				 errhint("Choose another name, or remove it with userstream.drop_mirror(%s).",
						 quote_literal_cstr(name))));
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("mirror \"%s\" already exists, skipping", name)));
}

static void
read_arguments(FunctionCallInfo fcinfo, UsMirror *mirror)
{
	static const char *const required[] = {"name", "target", "server", "keyspace", "table_name"};

	for (int i = ARG_NAME; i <= ARG_TABLE_NAME; i++)
		if (PG_ARGISNULL(i))
			us_args_refuse_null(required[i]);
	memset(mirror, 0, sizeof(*mirror));
	mirror->name = us_args_text(fcinfo, ARG_NAME, NULL);
	mirror->target_oid = PG_GETARG_OID(ARG_TARGET);
	mirror->server = pstrdup(NameStr(*PG_GETARG_NAME(ARG_SERVER)));
	mirror->keyspace = us_args_text(fcinfo, ARG_KEYSPACE, NULL);
	mirror->table_name = us_args_text(fcinfo, ARG_TABLE_NAME, NULL);
	mirror->columns = PG_ARGISNULL(ARG_COLUMNS) ? NULL : PG_GETARG_JSONB_P(ARG_COLUMNS);
	mirror->create_table = PG_ARGISNULL(ARG_CREATE_TABLE) || PG_GETARG_BOOL(ARG_CREATE_TABLE);
	mirror->copy_data = PG_ARGISNULL(ARG_COPY_DATA) || PG_GETARG_BOOL(ARG_COPY_DATA);
	mirror->options = PG_ARGISNULL(ARG_OPTIONS) ? NULL : PG_GETARG_JSONB_P(ARG_OPTIONS);
	mirror->owner_oid = GetUserId();
}

/* all that a definition needs; Cassandra is asked by the worker */
static void
check_definition(UsMirror *mirror)
{
	us_mirror_check_words(mirror->keyspace, mirror->table_name, mirror->options);
	mirror->server_oid = us_server_lookup(mirror->server, US_SERVER_CASSANDRA, mirror->owner_oid);
	us_mirror_check_target(mirror->target_oid, mirror->columns);
	us_mirror_check_owner(mirror->owner_oid, mirror->target_oid);
}

Datum
us_create_mirror(PG_FUNCTION_ARGS)
{
	bool		if_not_exists = !PG_ARGISNULL(ARG_IF_NOT_EXISTS) &&
		PG_GETARG_BOOL(ARG_IF_NOT_EXISTS);
	UsMirror	mirror;
	int64		id;

	read_arguments(fcinfo, &mirror);
	us_args_check_name("mirror", mirror.name);
	PreventCommandIfReadOnly("create_mirror()");
	if (us_mirror_by_name(mirror.name) != NULL)
	{
		report_name_taken(mirror.name, if_not_exists);
		PG_RETURN_VOID();
	}
	check_definition(&mirror);
	us_mirror_check_server();
	id = write_mirror("INSERT INTO userstream.mirror (name, timezone, " COLUMNS ")"
					  " VALUES ($1, $15, " VALUES ") ON CONFLICT (name) DO NOTHING RETURNING id",
					  &mirror);
	if (id == 0)
	{
		report_name_taken(mirror.name, if_not_exists);
		PG_RETURN_VOID();
	}
	run_statement("INSERT INTO userstream.mirror_position (mirror_id) VALUES ($1)", id, NULL);
	us_mirror_publish(id, mirror.target_oid);
	us_wake_at_commit();
	warn_shared_table(id, mirror.name);
	warn_idle(mirror.name);
	PG_RETURN_VOID();
}

static char *
name_arg(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARG_NAME))
		us_args_refuse_null("name");
	return us_args_text(fcinfo, ARG_NAME, NULL);
}

/* who gives a mirror to a role makes that role act, so he must have its rights */
static Oid
new_owner(const UsMirror *mirror, const char *name)
{
	Oid			owner = get_role_oid(name, false);

	if (!has_privs_of_role(GetUserId(), owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be member of role \"%s\"", name),
				 errdetail("Its rights would be used by the mirror."),
				 errhint("Have a member of both roles call this.")));
	us_mirror_give_publication(mirror->id, owner);
	return owner;
}

static bool
is_same_jsonb(Jsonb *a, Jsonb *b)
{
	if (a == NULL || b == NULL)
		return a == b;
	return compareJsonbContainers(&a->root, &b->root) == 0;
}

/* takes the arguments that are given; returns whether the copy is another one by them */
static bool
change_definition(FunctionCallInfo fcinfo, UsMirror *mirror)
{
	UsMirror	old = *mirror;

	if (!PG_ARGISNULL(ALTER_SERVER))
		mirror->server = pstrdup(NameStr(*PG_GETARG_NAME(ALTER_SERVER)));
	else if (us_server_display_name(mirror->server_oid) != NULL)
		mirror->server = us_server_display_name(mirror->server_oid);
	mirror->keyspace = us_args_text(fcinfo, ALTER_KEYSPACE, mirror->keyspace);
	mirror->table_name = us_args_text(fcinfo, ALTER_TABLE_NAME, mirror->table_name);
	if (!PG_ARGISNULL(ALTER_COLUMNS))
		mirror->columns = PG_GETARG_JSONB_P(ALTER_COLUMNS);
	if (mirror->columns != NULL && JB_ROOT_IS_OBJECT(mirror->columns) &&
		JB_ROOT_COUNT(mirror->columns) == 0)
		mirror->columns = NULL;
	if (!PG_ARGISNULL(ALTER_CREATE_TABLE))
		mirror->create_table = PG_GETARG_BOOL(ALTER_CREATE_TABLE);
	if (!PG_ARGISNULL(ALTER_OPTIONS))
	{
		us_mirror_check_words(mirror->keyspace, mirror->table_name,
							  PG_GETARG_JSONB_P(ALTER_OPTIONS));
		mirror->options =
			DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(mirror->options),
											   PG_GETARG_DATUM(ALTER_OPTIONS)));
	}
	if (!PG_ARGISNULL(ALTER_OWNER))
		mirror->owner_oid = new_owner(&old, NameStr(*PG_GETARG_NAME(ALTER_OWNER)));
	check_definition(mirror);
	return mirror->server_oid != old.server_oid ||
		strcmp(mirror->keyspace, old.keyspace) != 0 ||
		strcmp(mirror->table_name, old.table_name) != 0 ||
		!is_same_jsonb(mirror->columns, old.columns);
}

Datum
us_alter_mirror(PG_FUNCTION_ARGS)
{
	UsMirror   *mirror;
	bool		another_copy;

	PreventCommandIfReadOnly("alter_mirror()");
	mirror = us_mirror_lock(name_arg(fcinfo), false);
	us_mirror_check_home(mirror);
	another_copy = change_definition(fcinfo, mirror);
	(void) write_mirror("UPDATE userstream.mirror SET (" COLUMNS ") = ROW (" VALUES "),"
						" config_version = config_version + 1"
						" WHERE name = $1 AND $15 IS NOT NULL RETURNING id", mirror);
	if (another_copy)
	{
		us_mirror_restart(mirror->id, false);
		notice_begins_anew(mirror);
		warn_shared_table(mirror->id, mirror->name);
	}
	us_wake_at_commit();
	PG_RETURN_VOID();
}

Datum
us_drop_mirror(PG_FUNCTION_ARGS)
{
	UsMirror   *mirror;

	PreventCommandIfReadOnly("drop_mirror()");
	mirror = us_mirror_lock(name_arg(fcinfo), !PG_ARGISNULL(1) && PG_GETARG_BOOL(1));
	if (mirror == NULL)
		PG_RETURN_VOID();
	us_mirror_unpublish(mirror->id);
	run_statement("DELETE FROM userstream.mirror_position WHERE mirror_id = $1", mirror->id, NULL);
	run_statement("DELETE FROM userstream.mirror WHERE id = $1", mirror->id, NULL);
	close_incidents(mirror->id, mirror->name);
	us_wake_at_commit();
	PG_RETURN_VOID();
}

Datum
us_pause_mirror(PG_FUNCTION_ARGS)
{
	UsMirror   *mirror;

	PreventCommandIfReadOnly("pause_mirror()");
	mirror = us_mirror_lock(name_arg(fcinfo), false);
	run_statement("UPDATE userstream.mirror SET paused = true, config_version = config_version + 1"
				  " WHERE id = $1 AND NOT paused", mirror->id, NULL);
	us_wake_at_commit();
	PG_RETURN_VOID();
}

Datum
us_resume_mirror(PG_FUNCTION_ARGS)
{
	UsMirror   *mirror;

	PreventCommandIfReadOnly("resume_mirror()");
	mirror = us_mirror_lock(name_arg(fcinfo), false);
	/* whoever goes on with another table in Cassandra takes it as it is */
	run_statement("UPDATE userstream.mirror_position SET shape = shape - 'copied_to'"
				  " WHERE mirror_id = $1 AND EXISTS (SELECT FROM userstream.incident"
				  " WHERE mirror = $2 AND kind = 'table_replaced' AND closed_at IS NULL)",
				  mirror->id, mirror->name);
	run_statement("UPDATE userstream.mirror SET paused = false, stop_reason = NULL,"
				  " stopped_at = NULL, config_version = config_version + 1 WHERE id = $1",
				  mirror->id, NULL);
	close_incidents(mirror->id, mirror->name);
	us_wake_at_commit();
	PG_RETURN_VOID();
}

Datum
us_resync_mirror(PG_FUNCTION_ARGS)
{
	UsMirror   *mirror;

	PreventCommandIfReadOnly("resync_mirror()");
	mirror = us_mirror_lock(name_arg(fcinfo), false);
	us_mirror_check_home(mirror);
	if (!us_mirror_is_published(mirror->id))
	{
		us_mirror_publish(mirror->id, mirror->target_oid);
		us_mirror_give_publication(mirror->id, mirror->owner_oid);
	}
	us_mirror_restart(mirror->id, true);
	close_incidents(mirror->id, mirror->name);
	us_wake_at_commit();
	PG_RETURN_VOID();
}

bool
us_mirror_adopt(const char *name)
{
	UsMirror   *mirror = us_mirror_lock(name, false);
	List	   *names;
	Oid			owner;

	if (us_mirror_at_home(mirror))
		return false;
	owner = get_role_oid(mirror->owner, true);
	names = textToQualifiedNameList(cstring_to_text(mirror->target));
	mirror->target_oid = RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, true);
	if (!OidIsValid(owner) || !OidIsValid(mirror->target_oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 !OidIsValid(owner) ?
				 errmsg("role \"%s\" does not exist", mirror->owner) :
				 errmsg("target %s does not exist", mirror->target),
				 errdetail("Mirror \"%s\" needs it.", name),
				 errhint("Create it; or userstream.drop_mirror(%s) removes the mirror.",
						 quote_literal_cstr(name))));
	mirror->owner_oid = owner;
	check_definition(mirror);
	(void) write_mirror("UPDATE userstream.mirror SET (" COLUMNS ") = ROW (" VALUES ")"
						" WHERE name = $1 AND $15 IS NOT NULL RETURNING id", mirror);
	run_statement("UPDATE userstream.dead_letter d SET owner_oid = m.owner_oid, home = m.home"
				  " FROM userstream.mirror m WHERE m.id = $1 AND d.mirror = $2"
				  " AND d.owner = m.owner AND d.home <> m.home", mirror->id, name);
	/* positions in another server's WAL mean nothing here */
	us_mirror_restart(mirror->id, false);
	us_mirror_unpublish(mirror->id);
	us_mirror_publish(mirror->id, mirror->target_oid);
	notice_begins_anew(mirror);
	warn_shared_table(mirror->id, name);
	warn_idle(name);
	return true;
}
