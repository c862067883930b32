/*-------------------------------------------------------------------------
 * worker/mirror_shape.c
 *    what ALTER TABLE does to rows without a change of each
 *
 * Runs in mirror workers, at the start and when the table's definition has
 * changed.  What it was before is kept beside the position, because it may
 * change while no worker runs.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "utils/builtins.h"
#include "worker/incident.h"
#include "worker/mirror_shape.h"
#include "worker/statement.h"

/* columns by number: ["name", "type", has a value for rows that are there] */
#define COLUMNS \
	"(SELECT coalesce(jsonb_object_agg(attnum, jsonb_build_array(attname," \
	" format_type(atttypid, atttypmod), atthasmissing OR atthasdef)), '{}')" \
	" FROM pg_attribute WHERE attrelid = $2 AND attnum > 0 AND NOT attisdropped" \
	" AND attgenerated = '')"

/* names of partitions with rows by oid */
#define PARTITIONS \
	"(SELECT coalesce(jsonb_object_agg(relid::oid, relid::regclass::text), '{}')" \
	" FROM pg_partition_tree($2) WHERE isleaf)"

void
us_mirror_shape_differs(const UsMirror *mirror, const char *detail)
{
	us_mirror_incident_open(mirror, "table_changed", detail,
							psprintf("SELECT userstream.resync_mirror(%s) copies all rows anew.",
									 quote_literal_cstr(mirror->name)));
}

static void
look_at_columns(const UsMirror *mirror, Datum *values)
{
	/* another name or type; or new, with values or the name of one that is gone */
	static UsStatement changed = {
		.text = "SELECT 1 FROM userstream.mirror_position p, jsonb_each(" COLUMNS ") AS n (number, now)"
		" WHERE p.mirror_id = $1 AND p.shape IS NOT NULL"
		" AND CASE WHEN p.shape -> 'columns' ? n.number"
		" THEN (p.shape -> 'columns' -> n.number) - 2 <> n.now - 2"
		" ELSE (n.now -> 2)::boolean"
		" OR EXISTS (SELECT 1 FROM jsonb_each(p.shape -> 'columns') b"
		" WHERE b.value -> 0 = n.now -> 0) END",
		.nargs = 2,
		.types = {INT8OID, OIDOID}
	};

	if (us_statement_run(&changed, values, NULL) > 0)
		us_mirror_shape_differs(mirror,
								psprintf("ALTER TABLE gave rows of %s other values or columns without changing them one by one",
										 mirror->target));
}

/* a row for each partition that came or went: oid, name, whether it came */
static List *
look_at_partitions(const UsMirror *mirror, Datum *values)
{
	const char *text = "SELECT coalesce(n.key, b.key)::oid, coalesce(n.value, b.value), b.key IS NULL"
	" FROM (SELECT key, value FROM jsonb_each_text(" PARTITIONS ")) n"
	" FULL JOIN (SELECT e.key, e.value"
	" FROM userstream.mirror_position p, jsonb_each_text(p.shape -> 'partitions') e"
	" WHERE p.mirror_id = $1) b ON b.key = n.key"
	" WHERE (n.key IS NULL OR b.key IS NULL)"
	" AND EXISTS (SELECT FROM userstream.mirror_position p"
	" WHERE p.mirror_id = $1 AND p.shape ? 'partitions')";
	Oid			types[] = {INT8OID, OIDOID};
	MemoryContext context = CurrentMemoryContext;
	UsElevation saved = us_elevate();
	List	   *came = NIL;
	char	   *gone = NULL;

	SPI_connect();
	if (SPI_execute_with_args(text, lengthof(types), types, values, NULL, false, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read partitions");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		HeapTuple	tuple = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		bool		isnull;
		Oid			partition = DatumGetObjectId(SPI_getbinval(tuple, desc, 1, &isnull));
		MemoryContext old = MemoryContextSwitchTo(context);

		if (DatumGetBool(SPI_getbinval(tuple, desc, 3, &isnull)))
			came = lappend_oid(came, partition);
		else
			gone = SPI_getvalue(tuple, desc, 2);
		MemoryContextSwitchTo(old);
	}
	SPI_finish();
	us_restore(saved);
	if (gone != NULL)
		us_mirror_shape_differs(mirror,
								psprintf("partition %s was taken from %s, and its rows are in Cassandra still",
										 gone, mirror->target));
	return came;
}

List *
us_mirror_shape_look(const UsMirror *mirror)
{
	Datum		values[] = {Int64GetDatum(mirror->id), ObjectIdGetDatum(mirror->target_oid)};

	look_at_columns(mirror, values);
	return look_at_partitions(mirror, values);
}

void
us_mirror_shape_keep(const UsMirror *mirror)
{
	static UsStatement keep = {
		.text = "UPDATE userstream.mirror_position p SET shape = n.shape"
		" FROM (SELECT jsonb_build_object('columns', " COLUMNS ", 'partitions', " PARTITIONS ") AS shape) n"
		" WHERE p.mirror_id = $1 AND p.shape IS DISTINCT FROM n.shape",
		.nargs = 2,
		.types = {INT8OID, OIDOID}
	};
	Datum		values[] = {Int64GetDatum(mirror->id), ObjectIdGetDatum(mirror->target_oid)};

	(void) us_statement_run(&keep, values, NULL);
}
