/*-------------------------------------------------------------------------
 * extension/catalog.c
 *    rows of userstream.* -> C structs, and the way up to our tables' owner
 *
 * Called in backends (SQL functions, views), in the supervisor and in
 * workers.  All reading goes through SPI as the owner of our tables, so that
 * a plain role needs no right on them, and with the search path closed, so
 * that nothing a user made can stand in for what we mean.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "extension/stream_args.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "pgtime.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* by name, since the table has fewer columns until ALTER EXTENSION userstream UPDATE */
#define STREAM_QUERY \
	"SELECT s.*," \
	" (SELECT count(*)::int FROM userstream.stream_position p" \
	" WHERE p.stream_id = s.id) AS partitions" \
	" FROM userstream.stream s"

/*
 * The table whose owner we act as; InvalidOid when the extension is not
 * there.  Asking for the extension first matters: without it, a schema of
 * our name may belong to anybody.
 */
static Oid
find_position_table(void)
{
	Oid			schema;

	if (!OidIsValid(get_extension_oid("userstream", true)))
		return InvalidOid;
	schema = get_namespace_oid("userstream", true);
	if (!OidIsValid(schema))
		return InvalidOid;
	return get_relname_relid("stream_position", schema);
}

static Oid
tables_owner(void)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(find_position_table()));
	Oid			owner = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
		ReleaseSysCache(tuple);
	}
	return owner;
}

bool
us_extension_hold(void)
{
	Oid			extension = get_extension_oid("userstream", true);

	if (!OidIsValid(extension))
		return false;
	LockDatabaseObject(ExtensionRelationId, extension, 0, AccessShareLock);
	return get_extension_oid("userstream", true) == extension;
}

UsElevation
us_elevate(void)
{
	UsElevation saved;
	Oid			owner = tables_owner();

	if (!OidIsValid(owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation \"userstream.stream_position\" does not exist"),
				 errhint("Create the extension in this database.")));

	GetUserIdAndSecContext(&saved.role, &saved.security_context);
	saved.guc_nest_level = NewGUCNestLevel();
	(void) set_config_option("search_path", "pg_catalog, pg_temp",
							 PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	SetUserIdAndSecContext(owner, saved.security_context | SECURITY_LOCAL_USERID_CHANGE);
	return saved;
}

void
us_restore(UsElevation saved)
{
	AtEOXact_GUC(false, saved.guc_nest_level);
	SetUserIdAndSecContext(saved.role, saved.security_context);
}

char *
us_home(void)
{
	return psprintf(UINT64_FORMAT "/%u", GetSystemIdentifier(), MyDatabaseId);
}

Oid
us_catalog_owner(const char *owner, Oid owner_oid, const char *home)
{
	if (home != NULL)
	{
		char	   *here = us_home();
		bool		at_home = strcmp(home, here) == 0;

		pfree(here);
		if (!at_home)
			return get_role_oid(owner, true);
	}
	if (!SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(owner_oid)))
		return InvalidOid;
	return owner_oid;
}

void
us_catalog_check_owner(Oid role, const char *kind, const char *name,
					   const char *owner, Oid owner_oid, const char *home)
{
	Oid			now = us_catalog_owner(owner, owner_oid, home);
	const char *role_name;

	if (has_privs_of_role(role, now))
		return;
	role_name = GetUserNameFromId(role, false);
	if (OidIsValid(now))
		owner = GetUserNameFromId(now, false);
	/* nobody should be told to hand out a superuser */
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("must be owner of %s \"%s\"", kind, name),
			 errdetail("The %s belongs to role \"%s\", and role \"%s\" is not a member of it.",
					   kind, owner, role_name),
			 !OidIsValid(now) ? errhint("That role does not exist any more: have a superuser call this.") :
			 superuser_arg(now) ? errhint("Have a superuser call this.") :
			 errhint("Have its owner call this, or GRANT %s TO %s.",
					 quote_identifier(owner), quote_identifier(role_name))));
}

bool
us_catalog_sees(Oid reader, Oid owner)
{
	return has_privs_of_role(reader, owner) ||
		has_privs_of_role(reader, ROLE_PG_MONITOR) ||
		reader == tables_owner();
}

Datum
us_next_value(UsReader *reader)
{
	bool		isnull;
	Datum		value = SPI_getbinval(reader->tuple, reader->desc, ++reader->column, &isnull);

	return isnull ? (Datum) 0 : value;
}

char *
us_next_text(UsReader *reader)
{
	Datum		value = us_next_value(reader);

	return value == 0 ? NULL : TextDatumGetCString(value);
}

void *
us_catalog_read(const char *query, int nargs, Oid *types, Datum *values,
				size_t size, void (*read) (UsReader *reader, void *object), int *count)
{
	MemoryContext caller = CurrentMemoryContext;
	char	   *objects = NULL;
	UsElevation saved;
	bool		pushed = false;

	*count = 0;
	if (!OidIsValid(find_position_table()))
		return NULL;

	/* a worker between its batches has no snapshot of its own */
	if (!ActiveSnapshotSet())
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		pushed = true;
	}
	saved = us_elevate();
	SPI_connect();
	/* not read-only: an earlier call in the same statement must be seen */
	if (SPI_execute_with_args(query, nargs, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run \"%s\"", query);

	if (SPI_processed > 0)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);

		*count = (int) SPI_processed;
		objects = palloc0(size * *count);
		for (int i = 0; i < *count; i++)
		{
			UsReader	reader = {SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 0};

			read(&reader, objects + size * i);
		}
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	us_restore(saved);
	if (pushed)
		PopActiveSnapshot();
	return objects;
}

/* ---- streams ---- */

/* a column that is not there is null */
static Datum
column_value(HeapTuple tuple, TupleDesc desc, const char *column, bool *isnull)
{
	int			number = SPI_fnumber(desc, column);

	*isnull = true;
	return number == SPI_ERROR_NOATTRIBUTE ? (Datum) 0 : SPI_getbinval(tuple, desc, number, isnull);
}

/* text column -> C string; NULL for null */
static char *
text_column(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = column_value(tuple, desc, column, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

/* InvalidOid for null */
static Oid
oid_column(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = column_value(tuple, desc, column, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(value);
}

static Datum
notnull_column(HeapTuple tuple, TupleDesc desc, const char *column)
{
	bool		isnull;
	Datum		value = column_value(tuple, desc, column, &isnull);

	if (isnull)
		elog(ERROR, "column \"%s\" of userstream.stream is null", column);
	return value;
}

/* a word that create_stream or alter_stream would have refused */
static char *
word_misfit(const UsStream *stream, const char *argument, const char *word, const char *right)
{
	if (us_stream_word_is_known(argument, word))
		return NULL;
	return psprintf("%s \"%s\" is not known to this version; userstream.alter_stream(%s, %s => '%s') continues",
					argument, word, quote_literal_cstr(stream->name), argument, right);
}

static char *
read_options(UsStream *stream, Jsonb *options)
{
	const char *option;
	char	   *error = us_read_stream_options(options, &stream->options, &option);
	StringInfoData without;

	if (error == NULL)
		return NULL;
	if (option == NULL)
		return psprintf("%s; userstream.drop_stream(%s) and userstream.create_stream() define the stream anew",
						error, quote_literal_cstr(stream->name));
	initStringInfo(&without);
	appendStringInfoChar(&without, '{');
	escape_json(&without, option);
	appendStringInfoString(&without, ": null}");
	return psprintf("%s; userstream.alter_stream(%s, options => %s) takes it out",
					error, quote_literal_cstr(stream->name), quote_literal_cstr(without.data));
}

/*
 * Rows may be edited by hand, or written by a newer version.  What they hold
 * must not raise here: the supervisor and the views read all of them.
 */
static char *
find_misfit(const UsStream *stream, int workers)
{
	char	   *misfit = word_misfit(stream, "format", stream->format, "json");

	if (misfit == NULL)
		misfit = word_misfit(stream, "mode", stream->mode, "append");
	if (misfit == NULL)
		misfit = word_misfit(stream, "on_error", stream->on_error_given, "dead_letter");
	if (misfit == NULL && stream->workers != workers)
		misfit = psprintf("a stream cannot have %d workers; userstream.alter_stream(%s, workers => %d) continues",
						  workers, quote_literal_cstr(stream->name), stream->workers);
	if (misfit == NULL && pg_tzset(stream->timezone) == NULL)
		misfit = psprintf("time zone \"%s\" is not known; userstream.drop_stream(%s) and userstream.create_stream() define the stream anew",
						  stream->timezone, quote_literal_cstr(stream->name));
	return misfit;
}

int
us_catalog_names(ArrayType *array, Oid type, char ***names)
{
	Datum	   *values;
	bool	   *nulls;
	int			count;

	if (type == NAMEOID)
		deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR,
						  &values, &nulls, &count);
	else
		deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &values, &nulls, &count);
	*names = palloc(sizeof(char *) * Max(count, 1));
	for (int i = 0; i < count; i++)
		(*names)[i] = nulls[i] ? pstrdup("") :
			type == NAMEOID ? pstrdup(NameStr(*DatumGetName(values[i]))) :
			TextDatumGetCString(values[i]);
	return count;
}

/* everything is made in CurrentMemoryContext */
static void
read_stream(UsReader *reader, void *object)
{
	UsStream   *stream = object;
	HeapTuple	tuple = reader->tuple;
	TupleDesc	desc = reader->desc;
	Datum		value;
	bool		isnull;
	int			workers;

	stream->id = DatumGetInt64(notnull_column(tuple, desc, "id"));
	stream->name = text_column(tuple, desc, "name");
	stream->owner = text_column(tuple, desc, "owner");
	stream->owner_oid = DatumGetObjectId(notnull_column(tuple, desc, "owner_oid"));
	stream->server = text_column(tuple, desc, "server");
	stream->server_oid = DatumGetObjectId(notnull_column(tuple, desc, "server_oid"));
	stream->topic = text_column(tuple, desc, "topic");
	stream->target = text_column(tuple, desc, "target");
	stream->target_oid = DatumGetObjectId(notnull_column(tuple, desc, "target_oid"));
	stream->format = text_column(tuple, desc, "format");
	stream->mode = text_column(tuple, desc, "mode");
	stream->upsert = strcmp(stream->mode, "upsert") == 0;
	value = column_value(tuple, desc, "key", &isnull);
	if (!isnull)
		stream->nkey = us_catalog_names(DatumGetArrayTypeP(value), TEXTOID, &stream->key);
	value = column_value(tuple, desc, "columns", &isnull);
	if (!isnull)
		stream->columns = DatumGetJsonbPCopy(value);
	stream->transform = text_column(tuple, desc, "transform");
	stream->transform_oid = oid_column(tuple, desc, "transform_oid");
	stream->filter_oid = oid_column(tuple, desc, "filter_oid");
	stream->registry_oid = oid_column(tuple, desc, "registry_oid");
	stream->on_error_given = text_column(tuple, desc, "on_error");
	stream->on_error = strcmp(stream->on_error_given, "stop") == 0 ? US_ON_ERROR_STOP :
		US_ON_ERROR_DEAD_LETTER;
	workers = DatumGetInt32(notnull_column(tuple, desc, "workers"));
	stream->workers = Min(Max(workers, 1), US_MAX_WORKERS);
	stream->timezone = text_column(tuple, desc, "timezone");
	stream->paused = DatumGetBool(notnull_column(tuple, desc, "paused"));
	stream->stop_reason = text_column(tuple, desc, "stop_reason");
	stream->home = text_column(tuple, desc, "home");
	stream->config_version = DatumGetInt32(notnull_column(tuple, desc, "config_version"));
	stream->partitions = DatumGetInt32(notnull_column(tuple, desc, "partitions"));
	stream->options_given = DatumGetJsonbPCopy(notnull_column(tuple, desc, "options"));
	stream->misfit = read_options(stream, stream->options_given);
	/* 1.0 kept its name only */
	if (stream->registry_oid == InvalidOid && stream->options.registry != NULL)
		stream->registry_oid = get_foreign_server_oid(stream->options.registry, true);
	if (stream->misfit == NULL)
		stream->misfit = find_misfit(stream, workers);
}

UsStream *
us_catalog_streams(int *count)
{
	return us_catalog_read(STREAM_QUERY " ORDER BY s.id", 0, NULL, NULL,
						   sizeof(UsStream), read_stream, count);
}

UsStream *
us_catalog_stream(int64 id)
{
	Oid			argtypes[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(id)};
	int			count;

	return us_catalog_read(STREAM_QUERY " WHERE s.id = $1", 1, argtypes, values,
						   sizeof(UsStream), read_stream, &count);
}

UsStream *
us_catalog_stream_by_name(const char *name)
{
	Oid			argtypes[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};
	int			count;

	return us_catalog_read(STREAM_QUERY " WHERE s.name = $1", 1, argtypes, values,
						   sizeof(UsStream), read_stream, &count);
}
