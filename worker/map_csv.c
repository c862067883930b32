/*-------------------------------------------------------------------------
 * worker/map_csv.c
 *    options and a relation -> the dialect of CSV, and which column takes which field
 *
 * Used when a map is compiled.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/rel.h"
#include "worker/csv.h"
#include "worker/map_internal.h"

#define CSV_MAX_COLUMNS		(2 * MaxHeapAttributeNumber)

pg_noreturn static void refuse_header(const char *detail);

static void
refuse_header(const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"header\""),
			 errdetail_internal("%s", detail),
			 errhint("Give the names of the fields as a line of CSV, such as \"id,name\".")));
}

static void
add_name(UsCsv *csv, char *name)
{
	if (csv->ncolumns == CSV_MAX_COLUMNS)
		refuse_header("There are too many names.");
	for (int i = 0; i < csv->ncolumns; i++)
		if (strcmp(csv->names[i], name) == 0)
			refuse_header(psprintf("The name \"%s\" is there twice.", name));
	csv->names[csv->ncolumns++] = name;
}

/* a line of names, in the dialect itself */
static void
take_header(UsCsv *csv, const char *header)
{
	const char *data = pg_server_to_any(header, (int) strlen(header), PG_UTF8);
	const char *end = data + strlen(data);
	char	   *text = palloc(strlen(data) + 1);
	UsCsvEnd	found;

	do
	{
		UsValue		value;

		found = us_csv_next(csv, &data, end, text, &value);
		if (found == US_CSV_OPEN)
			refuse_header("A name is not closed by a quote.");
		if (value.len == 0)
			refuse_header("A name is empty.");
		add_name(csv, pnstrdup(value.data, value.len));
	} while (found == US_CSV_FIELD);
	if (data < end)
		refuse_header("It has more than one line.");
}

/* in the order of the table, without those that nobody may give */
static void
take_columns(UsCsv *csv, TupleDesc descriptor)
{
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		char	   *name = NameStr(attribute->attname);

		if (!attribute->attisdropped && !attribute->attgenerated &&
			attribute->attidentity != ATTRIBUTE_IDENTITY_ALWAYS)
			add_name(csv, pstrdup(pg_server_to_any(name, (int) strlen(name), PG_UTF8)));
	}
}

UsCsv *
us_map_plan_csv(TupleDesc descriptor, const UsStreamOptions *options)
{
	UsCsv	   *csv = palloc0(sizeof(UsCsv));
	const char *null = options->null_text != NULL ? options->null_text : "";
	const char *wrong;

	null = pg_server_to_any(pstrdup(null), (int) strlen(null), PG_UTF8);
	wrong = us_csv_dialect(csv, options->delimiter, options->quote, options->escape, null);

	/* what is stored was checked; someone may have edited it */
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid options of format \"csv\""),
				 errdetail_internal("%s", wrong)));
	csv->names = palloc(sizeof(char *) * CSV_MAX_COLUMNS);
	if (options->header != NULL)
		take_header(csv, options->header);
	else
		take_columns(csv, descriptor);
	return csv;
}

/* a source in columns must be a field that there is */
static void
check_field(UsMap *map, const UsMapColumn *column)
{
	const UsPathNode *nodes = map->paths->nodes;
	const char *name = NameStr(TupleDescAttr(map->descriptor, column->index)->attname);
	int			node = 0;

	while (nodes[node].field != column->field)
		node++;
	for (int i = 0; i < map->csv->ncolumns; i++)
		if (nodes[node].parent == 0 &&
			strcmp(map->csv->names[i], nodes[node].name) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("column \"%s\" cannot take its field: no field has that name", name),
			 errdetail("The fields of CSV are named by option \"header\", or else after the columns of the table."),
			 errhint("Name one of them in columns, as it is, or in option \"header\" of the stream.")));
}

const UsCsv *
us_map_csv(const UsMap *map)
{
	return map->csv;
}

void
us_map_bind_csv(UsMap *map, Jsonb *columns)
{
	UsCsv	   *csv = map->csv;

	csv->fields = palloc(sizeof(int) * Max(csv->ncolumns, 1));
	for (int i = 0; i < csv->ncolumns; i++)
	{
		int			node = us_path_child(map->paths, 0, csv->names[i],
										 (int) strlen(csv->names[i]));

		csv->fields[i] = node >= 0 ? map->paths->nodes[node].field : -1;
	}
	for (int i = 0; i < map->ncolumns; i++)
	{
		const UsMapColumn *column = &map->columns[i];
		const char *name = NameStr(TupleDescAttr(map->descriptor, column->index)->attname);

		if (column->origin == US_ORIGIN_FIELD && columns != NULL &&
			getKeyJsonValueFromContainer(&columns->root, name, (int) strlen(name), NULL) != NULL)
			check_field(map, column);
		if (column->origin == US_ORIGIN_PART && column->part == US_PART_REST)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("column \"%s\" cannot take \"@rest\" of messages of format \"csv\"", name),
					 errhint("Give it \"@value\", which is the whole line.")));
	}
	map->decoder->csv = csv;
}
