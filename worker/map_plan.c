/*-------------------------------------------------------------------------
 * worker/map_plan.c
 *    a relation and the columns of create_stream -> the plan of a map
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/heap.h"
#include "catalog/pg_type.h"
#include "extension/compat.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/varlena.h"
#include "worker/csv.h"
#include "worker/debezium.h"
#include "worker/map_internal.h"

#define NAME_LEN_TO_COMPARE	255 /* bytes; no hint for longer wrong names */

typedef struct PartName
{
	const char *name;
	UsPart		part;
} PartName;

static const PartName part_names[] = {
	{"@topic", US_PART_TOPIC},
	{"@partition", US_PART_PARTITION},
	{"@offset", US_PART_OFFSET},
	{"@timestamp", US_PART_TIMESTAMP},
	{"@key", US_PART_KEY},
	{"@value", US_PART_VALUE},
	{"@headers", US_PART_HEADERS},
	{"@rest", US_PART_REST},
};

pg_noreturn static void refuse_source(const char *column, const char *detail);
pg_noreturn static void refuse_path(const char *column, const char *path, const char *reason);

static void
refuse_source(const char *column, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid source of column \"%s\" in columns", column),
			 errdetail_internal("%s", detail),
			 errhint("Give a path such as \"name.first\", a list of names such as [\"a.b\", 0], a part of the message such as \"@offset\", {\"path\": ..., \"encoding\": \"base64\"}, or null.")));
}

static void
refuse_path(const char *column, const char *path, const char *reason)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid path \"%s\" of column \"%s\" in columns", path, column),
			 errdetail_internal("%c%s.", pg_toupper((unsigned char) reason[0]), reason + 1),
			 errhint("Names that hold a dot or are empty are given as a list, such as [\"a.b\", \"c\"].")));
}

/* names of fields are UTF-8, as messages are */
static char *
to_message_encoding(const char *text)
{
	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

static UsPart
parse_part(const char *column, const char *name)
{
	for (int i = 0; i < (int) lengthof(part_names); i++)
		if (strcmp(part_names[i].name, name) == 0)
			return part_names[i].part;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown part \"%s\" of a message for column \"%s\" in columns", name, column),
			 errdetail("A source that begins with @ is a part of the message, not a field of its value."),
			 errhint("Parts are @topic, @partition, @offset, @timestamp, @key, @value, @headers and @rest. A field whose name begins with @ is given as a list: [\"%s\"].",
					 name)));
}

static void
plan_field(UsMap *map, UsMapColumn *column, char *const *steps, int nsteps)
{
	column->origin = US_ORIGIN_FIELD;
	if (map->format->is_event)
	{
		char	  **row_steps = palloc(sizeof(char *) * (nsteps + 1));

		row_steps[0] = pstrdup("after");
		memcpy(row_steps + 1, steps, sizeof(char *) * nsteps);
		column->field = us_path_set_add(map->paths, row_steps, nsteps + 1);
		return;
	}
	column->field = us_path_set_add(map->paths, steps, nsteps);
}

/* what an event says beside its row: "@source.lsn", "@before.name", "@op" ... */
static bool
plan_event_part(UsMap *map, UsMapColumn *column, const char *name, char *text)
{
	static const char *const parts[] = {
		"before", "source", "transaction", "op", "ts_ms", "ts_us", "ts_ns"
	};
	const char *error = NULL;
	UsPath		path;

	for (size_t i = 0; text[0] == '@' && i < lengthof(parts); i++)
	{
		size_t		len = strlen(parts[i]);

		if (strncmp(text + 1, parts[i], len) != 0 ||
			(text[1 + len] != '\0' && text[1 + len] != '.'))
			continue;
		if (!us_path_parse(to_message_encoding(text + 1), &path, &error))
			refuse_path(name, text, error);
		column->origin = US_ORIGIN_FIELD;
		column->field = us_path_set_add(map->paths, path.steps, path.nsteps);
		return true;
	}
	return false;
}

static void
plan_string(UsMap *map, UsMapColumn *column, const char *name, const JsonbValue *value)
{
	char	   *text = pnstrdup(value->val.string.val, value->val.string.len);
	const char *error = NULL;
	UsPath		path;

	if (map->format->is_event && plan_event_part(map, column, name, text))
		return;
	if (text[0] == '@')
	{
		column->origin = US_ORIGIN_PART;
		column->part = parse_part(name, text);
		return;
	}
	if (map->csv != NULL)
	{
		char	   *step = to_message_encoding(text);

		plan_field(map, column, &step, 1);
		return;
	}
	if (!us_path_parse(to_message_encoding(text), &path, &error))
		refuse_path(name, text, error);
	plan_field(map, column, path.steps, path.nsteps);
}

/* one element of a list: a name, or the number of an array's element */
static char *
parse_list_step(const char *column, const JsonbValue *value)
{
	char	   *text;

	if (value->type == jbvString)
		return to_message_encoding(pnstrdup(value->val.string.val, value->val.string.len));
	if (value->type != jbvNumeric)
		refuse_source(column, "A list holds only names and numbers.");
	text = DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value->val.numeric)));
	if (strspn(text, "0123456789") != strlen(text) || strlen(text) > 9)
		refuse_source(column, "A number in a list is the place of an array's element, counted from 0.");
	return text;
}

static void
plan_list(UsMap *map, UsMapColumn *column, const char *name, JsonbContainer *list)
{
	int			nsteps = (int) JsonContainerSize(list);
	char	  **steps = palloc(sizeof(char *) * Max(nsteps, 1));

	if (nsteps == 0)
		refuse_source(name, "The list is empty.");
	for (int i = 0; i < nsteps; i++)
		steps[i] = parse_list_step(name, getIthJsonbValueFromContainer(list, i));
	plan_field(map, column, steps, nsteps);
}

/* string or list; false when it is neither */
static bool
plan_path(UsMap *map, UsMapColumn *column, const char *name, const JsonbValue *value)
{
	if (value->type == jbvString)
		plan_string(map, column, name, value);
	else if (value->type == jbvBinary && JsonContainerIsArray(value->val.binary.data))
		plan_list(map, column, name, value->val.binary.data);
	else
		return false;
	return true;
}

static bool
string_equals(const JsonbValue *value, const char *text)
{
	return value->type == jbvString && value->val.string.len == (int) strlen(text) &&
		memcmp(value->val.string.val, text, value->val.string.len) == 0;
}

/* {"path": ..., "encoding": ...} */
static void
plan_object(UsMap *map, UsMapColumn *column, const char *name, JsonbContainer *object,
			Oid base_type)
{
	JsonbValue *path = getKeyJsonValueFromContainer(object, "path", 4, NULL);
	JsonbIterator *iterator = JsonbIteratorInit(object);
	JsonbValue	key;
	JsonbValue	value;

	if (path == NULL || !plan_path(map, column, name, path))
		refuse_source(name, "The object needs \"path\", a string or a list.");
	(void) JsonbIteratorNext(&iterator, &key, true);
	while (JsonbIteratorNext(&iterator, &key, true) == WJB_KEY)
	{
		(void) JsonbIteratorNext(&iterator, &value, true);
		if (string_equals(&key, "path"))
			continue;
		if (!string_equals(&key, "encoding"))
			refuse_source(name, psprintf("Unknown key \"%.*s\".",
										 key.val.string.len, key.val.string.val));
		if (!string_equals(&value, "base64"))
			refuse_source(name, "The only encoding is \"base64\".");
		if (base_type != BYTEAOID)
			refuse_source(name, "An encoding is for columns of type bytea.");
		if (column->origin != US_ORIGIN_FIELD)
			refuse_source(name, "An encoding is for fields, not for parts of the message.");
		column->base64 = true;
	}
}

/* where the value comes from, by columns or by name */
static void
plan_origin(UsMap *map, UsMapColumn *column, Form_pg_attribute attribute, Jsonb *columns)
{
	char	   *name = NameStr(attribute->attname);
	JsonbValue *source = NULL;

	if (columns != NULL)
		source = getKeyJsonValueFromContainer(&columns->root, name, (int) strlen(name), NULL);
	if (attribute->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
		column->origin = US_ORIGIN_DEFAULT;
	else if (source == NULL && !map->format->has_fields)
	{
		/* without a word about columns, the only one takes it */
		column->origin = columns != NULL ? US_ORIGIN_DEFAULT : US_ORIGIN_PART;
		column->part = US_PART_VALUE;
	}
	else if (source == NULL)
	{
		char	   *step = to_message_encoding(name);

		plan_field(map, column, &step, 1);
	}
	else if (source->type == jbvNull)
		column->origin = US_ORIGIN_DEFAULT;
	else if (plan_path(map, column, name, source))
		return;
	else if (source->type == jbvBinary)
		plan_object(map, column, name, source->val.binary.data, getBaseType(attribute->atttypid));
	else
		refuse_source(name, "It is a number or a boolean.");
}

/* the live column nearest to a wrong name; NULL when none is near */
static const char *
nearest_column(TupleDesc descriptor, const char *name, int len)
{
	const char *nearest = NULL;
	int			limit = len / 2 + 1;

	if (len > NAME_LEN_TO_COMPARE)
		return NULL;
	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);
		const char *candidate = NameStr(attribute->attname);
		int			distance;

		if (attribute->attisdropped)
			continue;
		distance = varstr_levenshtein_less_equal(name, len, candidate, (int) strlen(candidate),
												 1, 1, 1, limit - 1, true);
		if (distance < limit)
		{
			nearest = candidate;
			limit = distance;
		}
	}
	return nearest;
}

/* a key of columns must be a column that a message may give */
static void
check_column_name(Relation relation, const char *name)
{
	TupleDesc	descriptor = RelationGetDescr(relation);
	const char *nearest;

	for (int i = 0; i < descriptor->natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(descriptor, i);

		if (attribute->attisdropped || strcmp(NameStr(attribute->attname), name) != 0)
			continue;
		if (attribute->attgenerated || attribute->attidentity == ATTRIBUTE_IDENTITY_ALWAYS)
			ereport(ERROR,
					(errcode(ERRCODE_GENERATED_ALWAYS),
					 errmsg("column \"%s\" of relation \"%s\" cannot be given by messages",
							name, RelationGetRelationName(relation)),
					 attribute->attgenerated ?
					 errdetail("It is a generated column.") :
					 errdetail("It is an identity column defined as GENERATED ALWAYS."),
					 errhint("Leave it out of columns.")));
		return;
	}
	if (SystemAttributeByName(name) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("system column \"%s\" cannot be given by messages", name),
				 errhint("Leave it out of columns.")));
	nearest = nearest_column(descriptor, name, (int) strlen(name));
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of relation \"%s\" does not exist",
					name, RelationGetRelationName(relation)),
			 errdetail("It is named in columns."),
			 nearest != NULL ? errhint("Perhaps you meant the column \"%s\".", nearest) : 0));
}

static void
check_columns(Relation relation, Jsonb *columns)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(columns))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("columns is not a JSON object"),
				 errhint("Give an object of column names and sources, such as {\"first_name\": \"name.first\"}.")));
	iterator = JsonbIteratorInit(&columns->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
		if (token == WJB_KEY)
			check_column_name(relation, pnstrdup(value.val.string.val, value.val.string.len));
}

/* the columns that are filled by us; generated ones by whoever writes the row */
static void
plan_columns(UsMap *map, Relation relation, Jsonb *columns)
{
	int			natts = map->descriptor->natts;

	map->columns = palloc0(sizeof(UsMapColumn) * Max(natts, 1));
	map->attnums = palloc0(sizeof(AttrNumber) * Max(natts, 1));
	for (int i = 0; i < natts; i++)
	{
		Form_pg_attribute attribute = TupleDescAttr(map->descriptor, i);
		UsMapColumn *column = &map->columns[map->ncolumns];

		if (attribute->attisdropped || attribute->attgenerated)
			continue;
		column->index = i;
		plan_origin(map, column, attribute, columns);
		us_map_plan_type(map->format, column, attribute);
		us_default_init(&column->def, relation, (AttrNumber) (i + 1));
		if (column->origin != US_ORIGIN_DEFAULT)
			map->attnums[map->nattnums++] = attribute->attnum;
		map->ncolumns++;
	}
}

/* where the value as a whole goes */
static void
check_opaque(const UsMap *map, const char *format)
{
	int			count = 0;

	for (int i = 0; i < map->ncolumns; i++)
	{
		const UsMapColumn *column = &map->columns[i];
		Form_pg_attribute attribute = TupleDescAttr(map->descriptor, column->index);
		const char *name = NameStr(attribute->attname);

		if (column->origin == US_ORIGIN_FIELD)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("column \"%s\" cannot take a field of a message", name),
					 errdetail("Messages of format \"%s\" have no fields.", format),
					 errhint("Give it a part of the message, such as \"@value\".")));
		if (column->origin != US_ORIGIN_PART || column->part != US_PART_VALUE)
			continue;
		count++;
		if (strcmp(format, "bytes") == 0 && !column->bytes_form)
			ereport(ERROR,
					(errcode(ERRCODE_DATATYPE_MISMATCH),
					 errmsg("column \"%s\" cannot take bytes", name),
					 errdetail("It is of type %s.", format_type_be(attribute->atttypid)),
					 errhint("Choose a column of type bytea, or format => 'text'.")));
	}
	if (count != 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("one column must take the message of format \"%s\"", format),
				 errdetail("%d columns do.", count),
				 errhint("Name it in columns, such as {\"line\": \"@value\"}.")));
}

UsMap *
us_map_compile(Relation relation, const char *format, Jsonb *columns,
			   const UsStreamOptions *options, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	UsMap	   *map = palloc0(sizeof(UsMap));

	if (columns != NULL)
		check_columns(relation, columns);
	map->context = context;
	map->scratch = AllocSetContextCreate(context, "userstream map scratch",
										 ALLOCSET_DEFAULT_MINSIZE, 32 * 1024,
										 ALLOCSET_DEFAULT_MAXSIZE);
	map->descriptor = CreateTupleDescCopyConstr(RelationGetDescr(relation));
	map->utf8 = GetDatabaseEncoding() == PG_UTF8;
	map->format = us_format_find(format);
	if (map->format == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("unknown format \"%s\" of messages", format)));
	map->paths = us_path_set_create();
	if (map->format->decode == us_decode_csv)
		map->csv = us_map_plan_csv(map->descriptor, options);
	plan_columns(map, relation, columns);
	if (!map->format->has_fields)
		check_opaque(map, format);
	if (map->format->is_event)
		us_debezium_add_paths(map->paths, true);
	us_map_plan_forms(map);
	map->decoder = us_decoder_create(format, map->paths);
	if (map->csv != NULL)
		us_map_bind_csv(map, columns);
	map->values = palloc0(sizeof(UsValue) * Max(map->paths->nfields, 1));
	MemoryContextSwitchTo(old);
	return map;
}

int
us_map_columns(const UsMap *map, const AttrNumber **attnums)
{
	*attnums = map->attnums;
	return map->nattnums;
}

TupleDesc
us_map_descriptor(const UsMap *map)
{
	return map->descriptor;
}

void
us_map_refuse_unknown(UsMap *map, bool refuse)
{
	map->refuse_unknown = refuse;
	for (int i = 0; i < map->ncolumns; i++)
		if (map->columns[i].origin == US_ORIGIN_PART && map->columns[i].part == US_PART_REST)
			map->refuse_unknown = false;
}

void
us_map_take_schemas(UsMap *map, struct UsSchemas *schemas)
{
	map->decoder->schemas = schemas;
}

void
us_map_leave_unfed(UsMap *map, bool leave)
{
	map->leave_unfed = leave;
}
