/*-------------------------------------------------------------------------
 * extension/stream_store.c
 *    a checked definition and its places -> rows of userstream.*
 *
 * Runs in the caller's backend and transaction.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/stream_access.h"
#include "extension/stream_store.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* the columns that both statements write, as $1 and on */
#define COLUMNS \
	"owner, owner_oid, server, server_oid, topic, target, target_oid, format, mode," \
	" key, columns, transform, transform_oid, start_at, on_error, workers, options, filter_oid"
#define VALUES_1_13	"$1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13"
#define VALUES_15_18	"$15, $16, coalesce(jsonb_strip_nulls($17), '{}'), $18"
#define NCOLUMNS	18
#define NVALUES		21
#define VALUE_KEY		9		/* counted from 0 */
#define VALUE_COLUMNS	10
#define VALUE_TRANSFORM	11
#define VALUE_START_AT	13
#define VALUE_OPTIONS	16
#define VALUE_FILTER	17

static const Oid value_types[NVALUES] = {TEXTOID, OIDOID, TEXTOID, OIDOID, TEXTOID, TEXTOID,
	OIDOID, TEXTOID, TEXTOID, TEXTARRAYOID, JSONBOID, TEXTOID, OIDOID, TEXTOID, TEXTOID,
INT4OID, JSONBOID, OIDOID, TEXTOID, TEXTOID, TEXTOID};

static Datum
key_array(const UsStreamArgs *args)
{
	Datum	   *names = palloc(sizeof(Datum) * args->nkey);

	for (int i = 0; i < args->nkey; i++)
		names[i] = CStringGetTextDatum(args->key[i]);
	return PointerGetDatum(construct_array(names, args->nkey, TEXTOID, -1, false, TYPALIGN_INT));
}

static void
set_values(const UsStreamArgs *args, Oid server, Oid owner, const char *start_at,
		   Datum *values, char *nulls)
{
	memset(nulls, ' ', NVALUES);
	nulls[NVALUES] = '\0';
	memset(values, 0, sizeof(Datum) * NVALUES);
	values[0] = CStringGetTextDatum(GetUserNameFromId(owner, false));
	values[1] = ObjectIdGetDatum(owner);
	values[2] = CStringGetTextDatum(args->server);
	values[3] = ObjectIdGetDatum(server);
	values[4] = CStringGetTextDatum(args->topic);
	values[5] = CStringGetTextDatum(us_qualified_name(args->target));
	values[6] = ObjectIdGetDatum(args->target);
	values[7] = CStringGetTextDatum(args->format);
	values[8] = CStringGetTextDatum(args->mode);
	if (args->nkey > 0)
		values[VALUE_KEY] = key_array(args);
	else
		nulls[VALUE_KEY] = 'n';
	if (args->columns != NULL)
		values[VALUE_COLUMNS] = JsonbPGetDatum(args->columns);
	else
		nulls[VALUE_COLUMNS] = 'n';
	values[VALUE_TRANSFORM + 1] = ObjectIdGetDatum(args->transform_oid);
	if (args->transform != NULL)
		values[VALUE_TRANSFORM] = CStringGetTextDatum(args->transform);
	else
		nulls[VALUE_TRANSFORM] = nulls[VALUE_TRANSFORM + 1] = 'n';
	if (start_at != NULL)
		values[VALUE_START_AT] = CStringGetTextDatum(start_at);
	else
		nulls[VALUE_START_AT] = 'n';
	values[14] = CStringGetTextDatum(args->on_error);
	values[15] = Int32GetDatum(args->workers);
	if (args->options != NULL)
		values[VALUE_OPTIONS] = JsonbPGetDatum(args->options);
	else
		nulls[VALUE_OPTIONS] = 'n';
	values[VALUE_FILTER] = ObjectIdGetDatum(args->filter_oid);
	if (!OidIsValid(args->filter_oid))
		nulls[VALUE_FILTER] = 'n';
}

/* partition and offset of each place as two arrays; an empty list is two empty ones */
static void
place_arrays(const UsPlace *places, int count, Datum *partitions, Datum *offsets)
{
	Datum	   *numbers = palloc(sizeof(Datum) * Max(count, 1));

	for (int i = 0; i < count; i++)
		numbers[i] = Int32GetDatum(places[i].partition);
	*partitions = PointerGetDatum(construct_array(numbers, count, INT4OID,
												  sizeof(int32), true, TYPALIGN_INT));
	for (int i = 0; i < count; i++)
		numbers[i] = Int64GetDatum(places[i].offset);
	*offsets = PointerGetDatum(construct_array(numbers, count, INT8OID,
											   sizeof(int64), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
}

/*
 * Partitions that come get an epoch that none before them can have had: one
 * that went and came again must not look like itself to an old worker.
 */
static void
store_places(int64 stream, const UsPlace *places, int count)
{
	static const char *const text =
		"INSERT INTO userstream.stream_position AS p (stream_id, partition, next_offset, epoch)"
		" SELECT $1, u.partition, u.next_offset,"
		" (SELECT coalesce(max(epoch), 0) + 1 FROM userstream.stream_position WHERE stream_id = $1)"
		" FROM unnest($2, $3) AS u (partition, next_offset)"
		" ON CONFLICT (stream_id, partition)"
		" DO UPDATE SET next_offset = excluded.next_offset, last_message_at = NULL";
	Oid			types[] = {INT8OID, INT4ARRAYOID, INT8ARRAYOID};
	Datum		values[3];

	values[0] = Int64GetDatum(stream);
	place_arrays(places, count, &values[1], &values[2]);
	if (SPI_execute_with_args(text, lengthof(values), types, values, NULL, false, 0)
		!= SPI_OK_INSERT)
		elog(ERROR, "could not write userstream.stream_position");
}

static void
delete_others(int64 stream, const UsPlace *places, int count)
{
	static const char *const text =
		"DELETE FROM userstream.stream_position"
		" WHERE stream_id = $1 AND partition <> ALL ($2)";
	Oid			types[] = {INT8OID, INT4ARRAYOID};
	Datum		values[2];
	Datum		offsets;

	values[0] = Int64GetDatum(stream);
	place_arrays(places, count, &values[1], &offsets);
	if (SPI_execute_with_args(text, lengthof(values), types, values, NULL, false, 0)
		!= SPI_OK_DELETE)
		elog(ERROR, "could not delete from userstream.stream_position");
}

/* the definition; 0 when the name is taken after all */
static int64
insert_definition(const UsStreamArgs *args, Oid server, Oid owner, const char *start_at)
{
	static const char *const text =
		"INSERT INTO userstream.stream (" COLUMNS ", name, timezone, home)"
		" VALUES (" VALUES_1_13 ", $14, " VALUES_15_18 ", $19, $20, $21)"
		" ON CONFLICT (name) DO NOTHING RETURNING id";
	Oid			types[NVALUES];
	Datum		values[NVALUES];
	char		nulls[NVALUES + 1];
	bool		isnull;

	memcpy(types, value_types, sizeof(types));
	set_values(args, server, owner, start_at, values, nulls);
	values[NCOLUMNS] = CStringGetTextDatum(args->name);
	values[NCOLUMNS + 1] = CStringGetTextDatum(pg_get_timezone_name(session_timezone));
	values[NCOLUMNS + 2] = CStringGetTextDatum(us_home());

	if (SPI_execute_with_args(text, NVALUES, types, values, nulls, false, 0)
		!= SPI_OK_INSERT_RETURNING)
		elog(ERROR, "could not write userstream.stream");
	if (SPI_processed == 0)
		return 0;
	return DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
}

void
us_stream_store_registry(int64 stream, Oid registry)
{
	static const char *const text =
		"UPDATE userstream.stream SET registry_oid = nullif($2, 0)"
		" WHERE id = $1 AND registry_oid IS DISTINCT FROM nullif($2, 0)";
	Oid			types[] = {INT8OID, OIDOID};
	Datum		values[] = {Int64GetDatum(stream), ObjectIdGetDatum(registry)};
	Oid			schema = get_namespace_oid("userstream", false);

	if (get_attnum(get_relname_relid("stream", schema), "registry_oid") == InvalidAttrNumber)
		return;
	if (SPI_execute_with_args(text, lengthof(values), types, values, NULL, false, 0)
		!= SPI_OK_UPDATE)
		elog(ERROR, "could not write userstream.stream");
}

bool
us_stream_insert(const UsStreamArgs *args, Oid server, Oid owner,
				 const UsPlace *places, int nplaces)
{
	UsElevation saved = us_elevate();
	int64		id;

	SPI_connect();
	id = insert_definition(args, server, owner, us_start_text(args->start, places, nplaces));
	if (id != 0)
	{
		us_stream_store_registry(id, args->registry_oid);
		store_places(id, places, nplaces);
	}
	SPI_finish();
	us_restore(saved);
	return id != 0;
}

void
us_stream_update(int64 stream, const UsStreamArgs *args, Oid server, Oid owner,
				 const char *start_at)
{
	static const char *const text =
		"UPDATE userstream.stream SET (" COLUMNS ")"
		" = ROW (" VALUES_1_13 ", coalesce($14, start_at), " VALUES_15_18 ")"
		" WHERE id = $19";
	Oid			types[NVALUES];
	Datum		values[NVALUES];
	char		nulls[NVALUES + 1];
	UsElevation saved = us_elevate();

	memcpy(types, value_types, sizeof(types));
	types[NCOLUMNS] = INT8OID;
	set_values(args, server, owner, start_at, values, nulls);
	values[NCOLUMNS] = Int64GetDatum(stream);

	SPI_connect();
	if (SPI_execute_with_args(text, NCOLUMNS + 1, types, values, nulls, false, 0)
		!= SPI_OK_UPDATE || SPI_processed != 1)
		elog(ERROR, "could not write userstream.stream");
	us_stream_store_registry(stream, args->registry_oid);
	SPI_finish();
	us_restore(saved);
}

void
us_stream_move(int64 stream, const UsPlace *places, int nplaces, bool others_go)
{
	UsElevation saved = us_elevate();

	SPI_connect();
	us_stream_run("UPDATE userstream.stream SET config_version = config_version + 1"
				  " WHERE id = $1", stream);
	us_stream_run("SELECT 1 FROM userstream.stream_position WHERE stream_id = $1"
				  " ORDER BY partition FOR UPDATE", stream);
	us_stream_run("UPDATE userstream.stream_position SET epoch = epoch + 1, worker = NULL"
				  " WHERE stream_id = $1", stream);
	if (nplaces > 0)
		store_places(stream, places, nplaces);
	if (others_go)
		delete_others(stream, places, nplaces);
	SPI_finish();
	us_restore(saved);
}
