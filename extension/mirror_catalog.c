/*-------------------------------------------------------------------------
 * extension/mirror_catalog.c
 *    rows of userstream.mirror -> C structs, and who may change them
 *
 * Called in backends (SQL functions, the view), in the supervisor and in
 * mirror workers.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "extension/mirror.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/pg_lsn.h"

#define MIRROR_QUERY \
	"SELECT m.id, m.name, m.owner, m.owner_oid, m.target, m.target_oid, m.server, m.server_oid," \
	" m.keyspace, m.table_name, m.columns, m.create_table, m.copy_data, m.options, m.timezone," \
	" m.paused, m.stop_reason, m.home, m.config_version," \
	" p.lsn, p.last_timestamp, p.epoch, p.clear_first, p.shape" \
	" FROM userstream.mirror m JOIN userstream.mirror_position p ON p.mirror_id = m.id"

static Jsonb *
next_jsonb(UsReader *reader)
{
	Datum		value = us_next_value(reader);

	return value == 0 ? NULL : DatumGetJsonbPCopy(value);
}

/* everything is made in CurrentMemoryContext */
static void
read_mirror(UsReader *reader, void *object)
{
	UsMirror   *mirror = object;

	mirror->id = DatumGetInt64(us_next_value(reader));
	mirror->name = us_next_text(reader);
	mirror->owner = us_next_text(reader);
	mirror->owner_oid = DatumGetObjectId(us_next_value(reader));
	mirror->target = us_next_text(reader);
	mirror->target_oid = DatumGetObjectId(us_next_value(reader));
	mirror->server = us_next_text(reader);
	mirror->server_oid = DatumGetObjectId(us_next_value(reader));
	mirror->keyspace = us_next_text(reader);
	mirror->table_name = us_next_text(reader);
	mirror->columns = next_jsonb(reader);
	mirror->create_table = DatumGetBool(us_next_value(reader));
	mirror->copy_data = DatumGetBool(us_next_value(reader));
	mirror->options = next_jsonb(reader);
	mirror->timezone = us_next_text(reader);
	mirror->paused = DatumGetBool(us_next_value(reader));
	mirror->stop_reason = us_next_text(reader);
	mirror->home = us_next_text(reader);
	mirror->config_version = DatumGetInt32(us_next_value(reader));
	mirror->lsn = DatumGetLSN(us_next_value(reader));
	mirror->last_timestamp = DatumGetInt64(us_next_value(reader));
	mirror->epoch = DatumGetInt64(us_next_value(reader));
	mirror->clear_first = DatumGetBool(us_next_value(reader));
	mirror->shape = next_jsonb(reader);
}

UsMirror *
us_mirrors(int *count)
{
	return us_catalog_read(MIRROR_QUERY " ORDER BY m.id", 0, NULL, NULL,
						   sizeof(UsMirror), read_mirror, count);
}

UsMirror *
us_mirror(int64 id)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(id)};
	int			count;

	return us_catalog_read(MIRROR_QUERY " WHERE m.id = $1", 1, types, values,
						   sizeof(UsMirror), read_mirror, &count);
}

UsMirror *
us_mirror_by_name(const char *name)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};
	int			count;

	return us_catalog_read(MIRROR_QUERY " WHERE m.name = $1", 1, types, values,
						   sizeof(UsMirror), read_mirror, &count);
}

bool
us_mirror_at_home(const UsMirror *mirror)
{
	return strcmp(mirror->home, us_home()) == 0;
}

UsMirror *
us_mirror_find(const char *name, bool missing_ok)
{
	UsMirror   *mirror = us_mirror_by_name(name);

	if (mirror != NULL)
	{
		us_catalog_check_owner(GetUserId(), "mirror", name, mirror->owner, mirror->owner_oid,
							   mirror->home);
		return mirror;
	}
	ereport(missing_ok ? NOTICE : ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 missing_ok ?
			 errmsg("mirror \"%s\" does not exist, skipping", name) :
			 errmsg("mirror \"%s\" does not exist", name),
			 missing_ok ? 0 :
			 errhint("SELECT mirror FROM userstream.mirror_status shows those that there are.")));
	return NULL;
}

UsMirror *
us_mirror_lock(const char *name, bool missing_ok)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};
	UsElevation saved;

	/* who has no right may not hold up others */
	if (us_mirror_find(name, missing_ok) == NULL)
		return NULL;
	saved = us_elevate();
	SPI_connect();
	if (SPI_execute_with_args("SELECT 1 FROM userstream.mirror WHERE name = $1 FOR UPDATE",
							  1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not lock userstream.mirror");
	SPI_finish();
	us_restore(saved);
	return us_mirror_find(name, missing_ok);
}

void
us_mirror_check_home(const UsMirror *mirror)
{
	if (us_mirror_at_home(mirror))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("mirror \"%s\" comes from another database", mirror->name),
			 errdetail("Its definition was restored or copied, and nothing runs by it here."),
			 errhint("Call userstream.adopt(%s) first.", quote_literal_cstr(mirror->name))));
}

void
us_mirror_slot_name(int64 mirror, char *name)
{
	snprintf(name, US_MIRROR_NAME_LEN, "userstream_%u_" INT64_FORMAT, MyDatabaseId, mirror);
}

void
us_mirror_publication_name(int64 mirror, char *name)
{
	snprintf(name, US_MIRROR_NAME_LEN, "userstream_mirror_" INT64_FORMAT, mirror);
}

bool
us_mirror_of_slot(const char *name, int64 *mirror)
{
	char		again[US_MIRROR_NAME_LEN];
	const char *number = strrchr(name, '_');

	if (number == NULL)
		return false;
	*mirror = strtoll(number + 1, NULL, 10);
	us_mirror_slot_name(*mirror, again);
	return strcmp(name, again) == 0;
}

const char *
us_mirror_target_name(const UsMirror *mirror)
{
	char	   *now = us_mirror_at_home(mirror) ? us_qualified_name(mirror->target_oid) : NULL;

	return now != NULL ? now : mirror->target;
}

/* what the views and the supervisor say of a table that is not what it was */
static char *
target_problem(const UsMirror *mirror)
{
	char	   *owner = GetUserNameFromId(mirror->owner_oid, false);

	if (get_rel_name(mirror->target_oid) == NULL)
		return psprintf("target %s does not exist any more; userstream.drop_mirror(%s) ends the mirror",
						mirror->target, quote_literal_cstr(mirror->name));
	if (!us_mirror_owns(mirror->owner_oid, mirror->target_oid))
		return psprintf("owner \"%s\" does not own the table %s any more; ALTER TABLE %s OWNER TO %s continues",
						owner, us_mirror_target_name(mirror), us_mirror_target_name(mirror),
						quote_identifier(owner));
	if (!us_mirror_may_replicate(mirror->owner_oid))
		return psprintf("owner \"%s\" may not replicate any more; ALTER ROLE %s REPLICATION continues",
						owner, quote_identifier(owner));
	if (!us_mirror_is_published(mirror->id))
		return psprintf("its publication is gone, and changes with it; userstream.resync_mirror(%s) makes it again and copies all rows",
						quote_literal_cstr(mirror->name));
	return NULL;
}

char *
us_mirror_problem(const UsMirror *mirror)
{
	UsDefinition definition = {
		.kind = "mirror",
		.name = mirror->name,
		.owner = mirror->owner,
		.owner_oid = mirror->owner_oid,
		.server = mirror->server,
		.server_oid = mirror->server_oid,
		.another_server = "server => ..."
	};
	char	   *problem;

	if (!us_mirror_at_home(mirror))
		return pstrdup("definition comes from another database; userstream.adopt() has the rows copied anew");
	if (mirror->stop_reason != NULL && strstr(mirror->stop_reason, "userstream.") != NULL)
		return pstrdup(mirror->stop_reason);
	if (mirror->stop_reason != NULL)
		return psprintf("%s; userstream.resume_mirror(%s) continues",
						mirror->stop_reason, quote_literal_cstr(mirror->name));
	problem = us_definition_problem(&definition);
	return problem != NULL ? problem : target_problem(mirror);
}
