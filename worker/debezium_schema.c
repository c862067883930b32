/*-------------------------------------------------------------------------
 * worker/debezium_schema.c
 *    the schema that Kafka Connect sends with a message -> types of fields
 *
 * Read again only when it changes, so it is read the plain way: an object at
 * a time by the decoder of JSON.  It goes no deeper than the paths do.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "worker/debezium.h"

#define CONNECT	"org.apache.kafka.connect.data."

static const struct
{
	const char *name;
	UsDebeziumKind kind;
	int			units_per_second;
}			names[] =
{
	{CONNECT "Date", US_DEBEZIUM_DATE, 0},
	{CONNECT "Time", US_DEBEZIUM_TIME, 1000},
	{CONNECT "Timestamp", US_DEBEZIUM_TIMESTAMP, 1000},
	{CONNECT "Decimal", US_DEBEZIUM_DECIMAL, 0},
	{"io.debezium.time.Date", US_DEBEZIUM_DATE, 0},
	{"io.debezium.time.Time", US_DEBEZIUM_TIME, 1000},
	{"io.debezium.time.MicroTime", US_DEBEZIUM_TIME, 1000000},
	{"io.debezium.time.NanoTime", US_DEBEZIUM_TIME, 1000000000},
	{"io.debezium.time.Timestamp", US_DEBEZIUM_TIMESTAMP, 1000},
	{"io.debezium.time.MicroTimestamp", US_DEBEZIUM_TIMESTAMP, 1000000},
	{"io.debezium.time.NanoTimestamp", US_DEBEZIUM_TIMESTAMP, 1000000000},
	{"io.debezium.time.ZonedTimestamp", US_DEBEZIUM_ZONED, 0},
	{"io.debezium.time.IsoTimestamp", US_DEBEZIUM_ZONED, 0},
	{"io.debezium.time.IsoDate", US_DEBEZIUM_ZONED, 0},
	{"io.debezium.time.MicroDuration", US_DEBEZIUM_DURATION, 1000000},
	{"io.debezium.time.NanoDuration", US_DEBEZIUM_DURATION, 1000000000},
	{"io.debezium.data.VariableScaleDecimal", US_DEBEZIUM_VARIABLE, 0},
	{"io.debezium.data.Bits", US_DEBEZIUM_BITS, 0},
	{"io.debezium.data.geometry.Point", US_DEBEZIUM_POINT, 0},
	{"io.debezium.data.geometry.Geometry", US_DEBEZIUM_GEOMETRY, 0},
	{"io.debezium.data.geometry.Geography", US_DEBEZIUM_GEOMETRY, 0},
};

/* what is looked for in the schema of a field; places in schema_paths */
enum
{
	SCHEMA_FIELD,
	SCHEMA_FIELDS,
	SCHEMA_TYPE,
	SCHEMA_NAME,
	SCHEMA_SCALE,
	SCHEMA_LENGTH,
	ITEMS_TYPE,
	ITEMS_NAME,
	ITEMS_SCALE,
	ITEMS_LENGTH,
	NSCHEMA
};

static char *const schema_paths[NSCHEMA][3] = {
	{"field"}, {"fields"}, {"type"}, {"name"}, {"parameters", "scale"}, {"parameters", "length"},
	{"items", "type"}, {"items", "name"}, {"items", "parameters", "scale"},
	{"items", "parameters", "length"}
};

UsDecoder *
us_debezium_schema_create(void)
{
	UsPathSet  *paths = us_path_set_create();

	for (int i = 0; i < NSCHEMA; i++)
	{
		int			nsteps = schema_paths[i][1] == NULL ? 1 : schema_paths[i][2] == NULL ? 2 : 3;

		(void) us_path_set_add(paths, schema_paths[i], nsteps);
	}
	return us_decoder_create("json", paths);
}

static bool
is_text(const UsValue *value, const char *text)
{
	return value->kind == US_VALUE_STRING && value->len == strlen(text) &&
		memcmp(value->data, text, value->len) == 0;
}

/* a parameter: Connect has them all as texts */
static int
small_number(const UsValue *value)
{
	char		copy[12] = {0};
	char	   *end;
	long		number;

	if ((value->kind != US_VALUE_STRING && value->kind != US_VALUE_NUMBER) ||
		value->len == 0 || value->len >= sizeof(copy))
		return US_DEBEZIUM_NO_NUMBER;
	memcpy(copy, value->data, value->len);
	errno = 0;
	number = strtol(copy, &end, 10);
	if (*end != '\0' || errno != 0 || number < PG_INT32_MIN || number > PG_INT32_MAX)
		return US_DEBEZIUM_NO_NUMBER;
	return (int) number;
}

static UsDebeziumType
make_type(const UsValue *type, const UsValue *name, const UsValue *scale, const UsValue *length)
{
	UsDebeziumType result = {.number = US_DEBEZIUM_NO_NUMBER};

	if (is_text(type, "bytes"))
		result.kind = US_DEBEZIUM_BYTES;
	for (size_t i = 0; i < lengthof(names); i++)
	{
		if (!is_text(name, names[i].name))
			continue;
		result.kind = names[i].kind;
		result.units_per_second = names[i].units_per_second;
	}
	result.number = small_number(result.kind == US_DEBEZIUM_BITS ? length : scale);
	return result;
}

static UsDebeziumType
read_type(const UsValue *values)
{
	UsDebeziumType type;

	if (!is_text(&values[SCHEMA_TYPE], "array"))
		return make_type(&values[SCHEMA_TYPE], &values[SCHEMA_NAME], &values[SCHEMA_SCALE],
						 &values[SCHEMA_LENGTH]);
	type = make_type(&values[ITEMS_TYPE], &values[ITEMS_NAME], &values[ITEMS_SCALE],
					 &values[ITEMS_LENGTH]);
	type.is_array = type.kind != US_DEBEZIUM_PLAIN;
	return type;
}

static inline bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

bool
us_debezium_next_element(const char **at, const char *end, const char **data, size_t *len)
{
	const char *s = *at + 1;	/* behind the bracket or the comma */
	int			depth = 0;
	bool		quoted = false;

	if (*at == end || **at == ']')
		return false;
	while (s < end && is_blank(*s))
		s++;
	*data = s;
	for (; s < end; s++)
	{
		if (quoted && *s == '\\')
			s++;
		else if (*s == '"')
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (depth == 0 && (*s == ',' || *s == ']'))
			break;
		else if (*s == '[' || *s == '{')
			depth++;
		else if (*s == ']' || *s == '}')
			depth--;
	}
	*at = s;
	if (s >= end)
		return false;
	while (s > *data && is_blank(s[-1]))
		s--;
	*len = s - *data;
	return *len > 0;
}

/* the fields of a struct, which stands for a node of paths */
static void
read_fields(UsDecoder *described, const UsPathSet *paths, int node, const UsValue *fields,
			UsDebeziumType *types)
{
	const char *at = fields->data;
	const char *data;
	size_t		len;

	while (us_debezium_next_element(&at, fields->data + fields->len, &data, &len))
	{
		UsValue		values[NSCHEMA];
		const UsValue *name = &values[SCHEMA_FIELD];
		int			child;

		if (us_decode_json(described, data, len, values) > US_DECODE_UNSURE ||
			name->kind != US_VALUE_STRING)
			continue;
		child = us_path_child(paths, node, name->data, (int) name->len);
		if (child < 0)
			continue;
		if (paths->nodes[child].field >= 0)
			types[paths->nodes[child].field] = read_type(values);
		if (paths->nodes[child].first_child >= 0 && values[SCHEMA_FIELDS].kind == US_VALUE_ARRAY)
			read_fields(described, paths, child, &values[SCHEMA_FIELDS], types);
	}
}

void
us_debezium_read_schema(UsDecoder *decoder, UsDecoder *described, const UsValue *schema,
						UsDebeziumType *types)
{
	UsValue		values[NSCHEMA];

	us_decoder_reset(described);
	memset(types, 0, sizeof(UsDebeziumType) * decoder->paths->nfields);
	if (us_decode_json(described, schema->data, schema->len, values) <= US_DECODE_UNSURE &&
		values[SCHEMA_FIELDS].kind == US_VALUE_ARRAY)
		read_fields(described, decoder->paths, 0, &values[SCHEMA_FIELDS], types);
}
