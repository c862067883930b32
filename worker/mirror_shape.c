/*-------------------------------------------------------------------------
 * worker/mirror_shape.c
 *    what ALTER TABLE does to rows without a change of each
 *
 * Runs in mirror workers, at the start and when the table's definition has
 * changed.  What it was before is kept beside the position, because it may
 * change while no worker runs.  It is read once, compared, and kept as it was
 * read: what changes meanwhile is seen the next time.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "worker/incident.h"
#include "worker/mirror_shape.h"
#include "worker/statement.h"

/*
 * columns, by number: ["name", "type", has a value for rows that were there
 * before it, which version of its row in the catalog it is]
 */
#define COLUMNS \
	"(SELECT coalesce(jsonb_object_agg(attnum, jsonb_build_array(attname," \
	" format_type(atttypid, NULL), atthasmissing, xmin::text)), '{}')" \
	" FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped" \
	" AND attgenerated = '')"

/* names of partitions with rows, by oid; and their files, or that of a table without partitions */
#define PARTITIONS \
	"(SELECT coalesce(jsonb_object_agg(relid::oid, relid::regclass::text), '{}')" \
	" FROM pg_partition_tree($1) WHERE isleaf)"
#define FILES \
	"(SELECT coalesce(jsonb_object_agg(oid, relfilenode::text), '{}') FROM pg_class" \
	" WHERE relfilenode <> 0" \
	" AND (oid = $1 OR oid IN (SELECT relid FROM pg_partition_tree($1) WHERE isleaf)))"

void
us_mirror_shape_differs(const UsMirror *mirror, const char *detail)
{
	us_mirror_incident_open(mirror, "table_changed", detail,
							psprintf("SELECT userstream.resync_mirror(%s) copies all rows anew.",
									 quote_literal_cstr(mirror->name)));
}

Jsonb *
us_mirror_shape_read(const UsMirror *mirror)
{
	const char *text = "SELECT jsonb_build_object('columns', " COLUMNS ", 'partitions', " PARTITIONS
	", 'files', " FILES ")";
	Oid			types[] = {OIDOID};
	Datum		values[] = {ObjectIdGetDatum(mirror->target_oid)};
	MemoryContext context = CurrentMemoryContext;
	MemoryContext spi;
	Jsonb	   *shape;
	bool		isnull;

	SPI_connect();
	if (SPI_execute_with_args(text, lengthof(types), types, values, NULL, true, 0) !=
		SPI_OK_SELECT || SPI_processed != 1)
		elog(ERROR, "could not read the shape of a table");
	spi = MemoryContextSwitchTo(context);
	shape = DatumGetJsonbPCopy(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
											 &isnull));
	MemoryContextSwitchTo(spi);
	SPI_finish();
	return shape;
}

/*
 * VACUUM FULL, CLUSTER and TRUNCATE give a table other files too, but leave its
 * columns alone.  A column that ALTER TABLE ... TYPE ... USING gives other
 * values, be it in the type that it had, has another row in the catalog.  So
 * has one whose statistics target was set, say: if VACUUM FULL comes between the
 * same two looks it is taken for that, which is a needless incident.
 */
static void
compare_columns(const UsMirror *mirror, Datum *values)
{
	/* another name, type or values; or new, with values or the name of one that was there */
	static UsStatement changed = {
		.text = "SELECT 1 FROM userstream.mirror_position p,"
		" LATERAL (SELECT EXISTS (SELECT FROM jsonb_each($2 -> 'files') f"
		" WHERE p.shape -> 'files' -> f.key <> f.value)) r (rewritten),"
		" jsonb_each($2 -> 'columns') n (number, now),"
		" LATERAL (SELECT p.shape -> 'columns' -> n.number) b (before)"
		" WHERE p.mirror_id = $1 AND p.shape IS NOT NULL"
		" AND CASE WHEN before IS NOT NULL"
		" THEN now -> 0 <> before -> 0 OR now -> 1 <> before -> 1"
		" OR rewritten AND now -> 3 <> before -> 3"
		" ELSE (now -> 2)::boolean OR rewritten"
		" OR p.shape -> 'names' ? (now ->> 0) END",
		.nargs = 2,
		.types = {INT8OID, JSONBOID}
	};

	if (us_statement_run(&changed, values, NULL) > 0)
		us_mirror_shape_differs(mirror,
								psprintf("ALTER TABLE gave rows of %s other values or columns without changing them one by one",
										 us_mirror_target_name(mirror)));
}

/* a row for each partition that came or went: oid, name, whether it came */
static List *
compare_partitions(const UsMirror *mirror, Datum *values)
{
	const char *text = "SELECT coalesce(n.key, b.key)::oid, coalesce(n.value, b.value), b.key IS NULL"
	" FROM jsonb_each_text($2 -> 'partitions') n"
	" FULL JOIN (SELECT e.key, e.value"
	" FROM userstream.mirror_position p, jsonb_each_text(p.shape -> 'partitions') e"
	" WHERE p.mirror_id = $1) b ON b.key = n.key"
	" WHERE (n.key IS NULL OR b.key IS NULL)"
	" AND EXISTS (SELECT FROM userstream.mirror_position p"
	" WHERE p.mirror_id = $1 AND p.shape ? 'partitions')";
	Oid			types[] = {INT8OID, JSONBOID};
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
										 gone, us_mirror_target_name(mirror)));
	return came;
}

List *
us_mirror_shape_compare(const UsMirror *mirror, const Jsonb *now)
{
	Datum		values[] = {Int64GetDatum(mirror->id), JsonbPGetDatum(now)};

	compare_columns(mirror, values);
	return compare_partitions(mirror, values);
}

/*
 * Names of columns are kept until the next copy, for Cassandra keeps the values
 * of one that is dropped here, and another one by its name would have them.
 */
void
us_mirror_shape_keep(const UsMirror *mirror, const Jsonb *now)
{
	static UsStatement keep = {
		.text = "UPDATE userstream.mirror_position SET shape = $2 || jsonb_build_object('names',"
		" CASE WHEN lsn IS NULL THEN '{}' ELSE coalesce(shape -> 'names', '{}') END"
		" || (SELECT coalesce(jsonb_object_agg(value ->> 0, true), '{}')"
		" FROM jsonb_each($2 -> 'columns')),"
		" 'copied', coalesce(shape -> 'copied', '[]'), 'copied_to', shape -> 'copied_to')"
		" WHERE mirror_id = $1 AND (lsn IS NULL"
		" OR shape - 'names' - 'copied' - 'copied_to' IS DISTINCT FROM $2)",
		.nargs = 2,
		.types = {INT8OID, JSONBOID}
	};
	Datum		values[] = {Int64GetDatum(mirror->id), JsonbPGetDatum(now)};

	(void) us_statement_run(&keep, values, NULL);
}

static JsonbValue *
kept(const UsMirror *mirror, const char *name)
{
	return mirror->shape == NULL || mirror->lsn == InvalidXLogRecPtr ? NULL :
		getKeyJsonValueFromContainer(&mirror->shape->root, name, strlen(name), NULL);
}

void
us_mirror_shape_mark_copied(const UsMirror *mirror, UsMirrorPlan *plan)
{
	JsonbValue *names = kept(mirror, "copied");
	JsonbValue *id = kept(mirror, "copied_to");

	for (int i = 0; i < plan->ncolumns; i++)
	{
		JsonbValue	name = {.type = jbvString};

		name.val.string.val = plan->columns[i].cql_name;
		name.val.string.len = strlen(plan->columns[i].cql_name);
		plan->columns[i].copied = names != NULL &&
			findJsonbValueFromContainer(names->val.binary.data, JB_FARRAY, &name) != NULL;
	}
	if (id != NULL && id->type == jbvString)
		plan->copied_to = pnstrdup(id->val.string.val, id->val.string.len);
}

/* beside what the table was, which there may not be yet */
void
us_mirror_shape_keep_copied(const UsMirror *mirror, const UsMirrorPlan *plan)
{
	static UsStatement keep = {
		.text = "UPDATE userstream.mirror_position"
		" SET shape = shape || jsonb_build_object('copied', $2, 'copied_to', $3)"
		" WHERE mirror_id = $1 AND (shape -> 'copied', shape ->> 'copied_to')"
		" IS DISTINCT FROM (to_jsonb($2), $3)",
		.nargs = 3,
		.types = {INT8OID, TEXTARRAYOID, TEXTOID}
	};
	Datum	   *names = palloc_array(Datum, plan->ncolumns);
	Datum		values[3] = {0};
	char		nulls[] = {' ', ' ', plan->table_id == NULL ? 'n' : ' '};

	for (int i = 0; i < plan->ncolumns; i++)
		names[i] = CStringGetTextDatum(plan->columns[i].cql_name);
	values[0] = Int64GetDatum(mirror->id);
	values[1] = PointerGetDatum(construct_array(names, plan->ncolumns, TEXTOID, -1, false,
												TYPALIGN_INT));
	if (plan->table_id != NULL)
		values[2] = CStringGetTextDatum(plan->table_id);
	(void) us_statement_run(&keep, values, nulls);
}
