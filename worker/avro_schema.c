/*-------------------------------------------------------------------------
 * worker/avro_schema.c
 *    an Avro schema -> the types that a message is read by
 *
 * Called when a worker, or a caller's backend, meets the number of a schema
 * for the first time.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include <limits.h>

#include "worker/avro_schema.h"
#include "worker/decimal_text.h"
#include "worker/json_tree.h"

#define MAX_DEPTH		100
#define MAX_FIXED		(64 * 1024 * 1024)
#define DURATION_SIZE	12
#define UUID_SIZE		16

typedef struct Parser
{
	UsAvroType *named;			/* all types with a name so far */
	char	   *error;
	size_t		error_size;
} Parser;

typedef struct KindName
{
	const char *name;
	UsAvroKind	kind;
} KindName;

static const KindName primitives[] = {
	{"null", US_AVRO_NULL},
	{"boolean", US_AVRO_BOOLEAN},
	{"int", US_AVRO_INT},
	{"long", US_AVRO_LONG},
	{"float", US_AVRO_FLOAT},
	{"double", US_AVRO_DOUBLE},
	{"bytes", US_AVRO_BYTES},
	{"string", US_AVRO_STRING},
};

static const KindName complexes[] = {
	{"record", US_AVRO_RECORD},
	{"error", US_AVRO_RECORD},
	{"enum", US_AVRO_ENUM},
	{"array", US_AVRO_ARRAY},
	{"map", US_AVRO_MAP},
	{"fixed", US_AVRO_FIXED},
};

/* which underlying type a logical one is of, and what it counts */
typedef struct LogicalRule
{
	const char *name;
	UsAvroKind	kind;
	UsAvroLogical logical;
	int			units_per_second;
	int			size;			/* of fixed; 0 = any */
} LogicalRule;

static const LogicalRule logical_rules[] = {
	{"decimal", US_AVRO_BYTES, US_AVRO_DECIMAL, 0, 0},
	{"decimal", US_AVRO_FIXED, US_AVRO_DECIMAL, 0, 0},
	{"date", US_AVRO_INT, US_AVRO_DATE, 0, 0},
	{"time-millis", US_AVRO_INT, US_AVRO_TIME, 1000, 0},
	{"time-micros", US_AVRO_LONG, US_AVRO_TIME, 1000000, 0},
	{"timestamp-millis", US_AVRO_LONG, US_AVRO_TIMESTAMP, 1000, 0},
	{"timestamp-micros", US_AVRO_LONG, US_AVRO_TIMESTAMP, 1000000, 0},
	{"timestamp-nanos", US_AVRO_LONG, US_AVRO_TIMESTAMP, 1000000000, 0},
	{"local-timestamp-millis", US_AVRO_LONG, US_AVRO_LOCAL_TIMESTAMP, 1000, 0},
	{"local-timestamp-micros", US_AVRO_LONG, US_AVRO_LOCAL_TIMESTAMP, 1000000, 0},
	{"local-timestamp-nanos", US_AVRO_LONG, US_AVRO_LOCAL_TIMESTAMP, 1000000000, 0},
	{"uuid", US_AVRO_FIXED, US_AVRO_UUID, 0, UUID_SIZE},
	{"duration", US_AVRO_FIXED, US_AVRO_DURATION, 0, DURATION_SIZE},
};

static UsAvroType *parse_type(Parser *parser, const UsJson *json, const char *space, int depth);

/* always NULL, for the caller to return */
static UsAvroType *
refuse(Parser *parser, const char *what, const char *name)
{
	if (parser->error[0] == '\0')
		snprintf(parser->error, parser->error_size, "%s%s%.100s%s", what,
				 name != NULL ? " \"" : "", name != NULL ? name : "", name != NULL ? "\"" : "");
	return NULL;
}

static UsAvroType *
new_type(UsAvroKind kind)
{
	UsAvroType *type = palloc0(sizeof(UsAvroType));

	type->kind = kind;
	return type;
}

static const KindName *
find_kind(const KindName *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i].name, name) == 0)
			return &names[i];
	return NULL;
}

static char *
join_names(const char *space, const char *name)
{
	if (space == NULL || space[0] == '\0' || strchr(name, '.') != NULL)
		return pstrdup(name);
	return psprintf("%s.%s", space, name);
}

static UsAvroType *
find_named(const Parser *parser, const char *full_name)
{
	for (UsAvroType *type = parser->named; type != NULL; type = type->next_named)
		if (strcmp(type->full_name, full_name) == 0)
			return type;
	return NULL;
}

/* a primitive, or a type that was named before */
static UsAvroType *
parse_reference(Parser *parser, const char *name, const char *space)
{
	const KindName *primitive = find_kind(primitives, lengthof(primitives), name);
	UsAvroType *type;

	if (primitive != NULL)
		return new_type(primitive->kind);
	type = find_named(parser, join_names(space, name));
	if (type == NULL)
		type = find_named(parser, name);
	return type != NULL ? type : refuse(parser, "the schema has no type", name);
}

/* the name of a type that has one; *space is what holds inside it */
static bool
name_type(Parser *parser, UsAvroType *type, const UsJson *json, const char **space)
{
	const char *name = us_json_string_member(json, "name");
	const char *own_space = us_json_string_member(json, "namespace");
	char	   *full_name;
	const char *dot;

	if (name == NULL || name[0] == '\0')
		return refuse(parser, "a type of the schema has no name", NULL) != NULL;
	full_name = join_names(own_space != NULL ? own_space : *space, name);
	if (find_named(parser, full_name) != NULL)
		return refuse(parser, "the schema defines a type twice:", full_name) != NULL;
	type->full_name = full_name;
	type->next_named = parser->named;
	parser->named = type;
	dot = strrchr(full_name, '.');
	*space = dot == NULL ? NULL : pnstrdup(full_name, dot - full_name);
	return true;
}

static int
count_elements(const UsJson *array)
{
	int			count = 0;

	for (const UsJson *element = array->first; element != NULL; element = element->next)
		count++;
	return count;
}

static const UsJson *
array_member(Parser *parser, const UsJson *json, const char *name)
{
	const UsJson *member = us_json_member(json, name);

	if (member != NULL && member->kind == US_JSON_ARRAY)
		return member;
	(void) refuse(parser, "a type of the schema lacks the list", name);
	return NULL;
}

static UsAvroType *
parse_record(Parser *parser, UsAvroType *type, const UsJson *json, const char *space, int depth)
{
	const UsJson *fields = array_member(parser, json, "fields");

	if (fields == NULL)
		return NULL;
	type->members = palloc0(sizeof(UsAvroMember) * Max(count_elements(fields), 1));
	for (const UsJson *field = fields->first; field != NULL; field = field->next)
	{
		UsAvroMember *member = &type->members[type->nmembers];
		const char *name = us_json_string_member(field, "name");
		const UsJson *field_type = us_json_member(field, "type");

		if (name == NULL || field_type == NULL)
			return refuse(parser, "a field lacks name or type in record", type->full_name);
		member->name = name;
		member->name_len = (int) strlen(name);
		member->type = parse_type(parser, field_type, space, depth + 1);
		if (member->type == NULL)
			return NULL;
		type->nmembers++;
	}
	return type;
}

static UsAvroType *
parse_enum(Parser *parser, UsAvroType *type, const UsJson *json)
{
	const UsJson *symbols = array_member(parser, json, "symbols");

	if (symbols == NULL)
		return NULL;
	type->members = palloc0(sizeof(UsAvroMember) * Max(count_elements(symbols), 1));
	for (const UsJson *symbol = symbols->first; symbol != NULL; symbol = symbol->next)
	{
		if (symbol->kind != US_JSON_STRING)
			return refuse(parser, "a symbol is not a string in enum", type->full_name);
		type->members[type->nmembers].name = symbol->text;
		type->members[type->nmembers++].name_len = symbol->len;
	}
	return type;
}

static UsAvroType *
parse_union(Parser *parser, const UsJson *json, const char *space, int depth)
{
	UsAvroType *type = new_type(US_AVRO_UNION);

	type->members = palloc0(sizeof(UsAvroMember) * Max(count_elements(json), 1));
	for (const UsJson *branch = json->first; branch != NULL; branch = branch->next)
	{
		UsAvroType *member = parse_type(parser, branch, space, depth + 1);

		if (member == NULL)
			return NULL;
		if (member->kind == US_AVRO_UNION)
			return refuse(parser, "a union of the schema holds a union", NULL);
		type->members[type->nmembers++].type = member;
	}
	return type;
}

/* the specification has it that a logical type which does not fit is none */
static void
set_logical(UsAvroType *type, const UsJson *json)
{
	const char *name = us_json_string_member(json, "logicalType");
	int			precision = us_json_int_member(json, "precision", 1, INT_MAX, 0);
	int			scale = us_json_int_member(json, "scale", 0, US_DECIMAL_SCALE_MAX,
										   us_json_member(json, "scale") == NULL ? 0 : -1);

	for (size_t i = 0; name != NULL && i < lengthof(logical_rules); i++)
	{
		const LogicalRule *rule = &logical_rules[i];

		if (strcmp(rule->name, name) != 0 || rule->kind != type->kind ||
			(rule->size != 0 && rule->size != type->size))
			continue;
		if (rule->logical == US_AVRO_DECIMAL && (scale < 0 || precision < scale || precision < 1))
			return;
		type->logical = rule->logical;
		type->units_per_second = rule->units_per_second;
		type->scale = rule->logical == US_AVRO_DECIMAL ? scale : 0;
	}
}

static UsAvroType *
parse_complex(Parser *parser, UsAvroType *type, const UsJson *json, const char *space, int depth)
{
	const UsJson *items;

	if (type->kind != US_AVRO_ARRAY && type->kind != US_AVRO_MAP &&
		!name_type(parser, type, json, &space))
		return NULL;
	switch (type->kind)
	{
		case US_AVRO_RECORD:
			return parse_record(parser, type, json, space, depth);
		case US_AVRO_ENUM:
			return parse_enum(parser, type, json);
		case US_AVRO_FIXED:
			type->size = us_json_int_member(json, "size", 0, MAX_FIXED, -1);
			if (type->size < 0)
				return refuse(parser, "no valid size in fixed", type->full_name);
			set_logical(type, json);
			return type;
		default:
			items = us_json_member(json, type->kind == US_AVRO_ARRAY ? "items" : "values");
			if (items == NULL)
				return refuse(parser, "an array or map of the schema says not of what", NULL);
			type->items = parse_type(parser, items, space, depth + 1);
			return type->items != NULL ? type : NULL;
	}
}

/* {"type": ...} */
static UsAvroType *
parse_object(Parser *parser, const UsJson *json, const char *space, int depth)
{
	const UsJson *kind = us_json_member(json, "type");
	const KindName *complex;
	UsAvroType *type;

	if (kind == NULL)
		return refuse(parser, "a type of the schema lacks \"type\"", NULL);
	if (kind->kind != US_JSON_STRING)
		return parse_type(parser, kind, space, depth + 1);
	complex = find_kind(complexes, lengthof(complexes), kind->text);
	if (complex != NULL)
		return parse_complex(parser, new_type(complex->kind), json, space, depth);
	type = parse_reference(parser, kind->text, space);
	if (type != NULL && type->full_name == NULL)
		set_logical(type, json);
	return type;
}

static UsAvroType *
parse_type(Parser *parser, const UsJson *json, const char *space, int depth)
{
	if (depth > MAX_DEPTH)
		return refuse(parser, "the schema is nested too deeply", NULL);
	switch (json->kind)
	{
		case US_JSON_STRING:
			return parse_reference(parser, json->text, space);
		case US_JSON_ARRAY:
			return parse_union(parser, json, space, depth);
		case US_JSON_OBJECT:
			return parse_object(parser, json, space, depth);
		default:
			return refuse(parser, "a type of the schema is neither string, list nor object", NULL);
	}
}

UsAvroSchema *
us_avro_schema_parse(const char *const *texts, int ntexts, char *error, size_t error_size)
{
	UsAvroSchema *schema = palloc0(sizeof(UsAvroSchema));
	Parser		parser = {NULL, error, error_size};

	error[0] = '\0';
	for (int i = 0; i < ntexts; i++)
	{
		UsJson	   *json = us_json_tree(texts[i], strlen(texts[i]));

		if (json == NULL)
			(void) refuse(&parser, "the schema is not JSON", NULL);
		else
			schema->root = parse_type(&parser, json, NULL, 0);
		if (error[0] != '\0')
			return NULL;
	}
	return schema->root != NULL ? schema : NULL;
}
