/*-------------------------------------------------------------------------
 * worker/map_value.c
 *    the value of one field -> a column's value, or the text for its type
 *
 * The shortcuts here are what most values of most messages go through.  They
 * must give what the input function gives for value::jsonb ->> 'field', and
 * never raise: the decoder has found the message good for jsonb, and what is
 * large enough to meet a limit of jsonb is left to the slow way.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/expandeddatum.h"
#include "utils/fmgrprotos.h"
#include "utils/json.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/convert.h"
#include "worker/forced.h"
#include "worker/jsonb_build.h"
#include "worker/map_internal.h"

#define ARENA_CHUNK		(64 * 1024)	/* bytes taken from the batch's context at once */
#define ARENA_VALUE_MAX	(8 * 1024)	/* bytes; larger values are allocated alone */

/*
 * Arena: values of a batch, one behind the other.
 */

char *
us_map_more(UsMap *map, Size size)
{
	if (size > ARENA_VALUE_MAX)
		return MemoryContextAlloc(map->batch_context, size);
	map->arena = MemoryContextAlloc(map->batch_context, ARENA_CHUNK);
	map->arena_end = map->arena + ARENA_CHUNK;
	map->arena += size;
	return map->arena - size;
}

static inline char *
arena_aligned(UsMap *map, Size size)
{
	char	   *start = (char *) MAXALIGN(map->arena);

	if (unlikely(start > map->arena_end))
		start = map->arena_end;
	map->arena = start;
	return us_map_room(map, size);
}

Datum
us_map_store_bytes(UsMap *map, const UsMapColumn *column, const char *data, Size len)
{
	char	   *result;

	if (len + VARHDRSZ_SHORT <= VARATT_SHORT_MAX && column->short_header)
	{
		result = us_map_room(map, len + VARHDRSZ_SHORT);
		SET_VARSIZE_SHORT(result, len + VARHDRSZ_SHORT);
		memcpy(result + VARHDRSZ_SHORT, data, len);
	}
	else
	{
		result = arena_aligned(map, len + VARHDRSZ);
		SET_VARSIZE(result, len + VARHDRSZ);
		memcpy(result + VARHDRSZ, data, len);
	}
	return PointerGetDatum(result);
}

Datum
us_map_store(UsMap *map, const UsMapColumn *column, Datum value)
{
	Size		size;
	char	   *result;

	if (column->typbyval)
		return value;
	if (column->typlen == -1 && VARATT_IS_EXTERNAL_EXPANDED(DatumGetPointer(value)))
	{
		MemoryContext old = MemoryContextSwitchTo(map->batch_context);

		value = datumCopy(value, false, -1);
		MemoryContextSwitchTo(old);
		return value;
	}
	size = datumGetSize(value, false, column->typlen);
	result = arena_aligned(map, size);
	memcpy(result, DatumGetPointer(value), size);
	return PointerGetDatum(result);
}

/*
 * Texts of values.
 */

/* a NUL-terminated copy in the scratch */
static char *
scratch_string(UsMap *map, const char *data, uint32 len)
{
	char	   *copy = MemoryContextAlloc(us_map_scratch(map), (Size) len + 1);

	memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}

/* jsonb of a number, array or object that the decoder accepted; in the scratch */
static Jsonb *
value_jsonb(UsMap *map, const UsValue *value)
{
	MemoryContext old = MemoryContextSwitchTo(us_map_scratch(map));
	Jsonb	   *result = us_jsonb_build(value->data, value->len);

	if (result == NULL)
	{
		char	   *text = scratch_string(map, value->data, value->len);

		result = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	MemoryContextSwitchTo(old);
	return result;
}

/* the text that jsonb ->> gives; not NUL-terminated */
static void
value_text(UsMap *map, const UsValue *value, const char **data, uint32 *len)
{
	MemoryContext old;
	Jsonb	   *document;

	*data = value->data;
	*len = value->len;
	switch (value->kind)
	{
		case US_VALUE_ABSENT:
		case US_VALUE_NULL:
		case US_VALUE_STRING:
			return;
		case US_VALUE_TRUE:
			*data = "true";
			*len = 4;
			return;
		case US_VALUE_FALSE:
			*data = "false";
			*len = 5;
			return;
		case US_VALUE_NUMBER:
			if (us_number_is_plain(value->data, value->len))
				return;
			break;
		case US_VALUE_OBJECT:
		case US_VALUE_ARRAY:
			break;
		case US_VALUE_BINARY:
			/* only a column with the shortcut that it was made for gets it */
			Assert(false);
			return;
	}
	document = value_jsonb(map, value);
	old = MemoryContextSwitchTo(us_map_scratch(map));
	*data = JsonbToCString(NULL, &document->root, VARSIZE(document));
	*len = (uint32) strlen(*data);
	MemoryContextSwitchTo(old);
}

/* the text that jsonb -> gives: a string keeps its quotes; in the scratch */
static char *
value_json_text(UsMap *map, const UsValue *value)
{
	const char *data;
	uint32		len;
	StringInfoData text;
	MemoryContext old;

	if (value->kind != US_VALUE_STRING)
	{
		value_text(map, value, &data, &len);
		return scratch_string(map, data, len);
	}
	old = MemoryContextSwitchTo(us_map_scratch(map));
	initStringInfo(&text);
	escape_json(&text, scratch_string(map, value->data, value->len));
	MemoryContextSwitchTo(old);
	return text.data;
}

/*
 * Shortcuts.  Each returns false to leave the value to the input function.
 */

static bool
fast_jsonb(UsMap *map, const UsMapColumn *column, const UsValue *value, Datum *result)
{
	MemoryContext old;
	JsonbValue	scalar;
	Jsonb	   *document;

	if (value->len > US_FAST_JSON_MAX)
		return false;
	if (value->kind != US_VALUE_STRING && value->kind != US_VALUE_TRUE &&
		value->kind != US_VALUE_FALSE)
	{
		*result = us_map_store(map, column, JsonbPGetDatum(value_jsonb(map, value)));
		return true;
	}
	if (value->kind == US_VALUE_STRING)
	{
		scalar.type = jbvString;
		scalar.val.string.val = unconstify(char *, value->data);
		scalar.val.string.len = (int) value->len;
	}
	else
	{
		scalar.type = jbvBool;
		scalar.val.boolean = value->kind == US_VALUE_TRUE;
	}
	old = MemoryContextSwitchTo(us_map_scratch(map));
	document = JsonbValueToJsonb(&scalar);
	MemoryContextSwitchTo(old);
	*result = us_map_store(map, column, JsonbPGetDatum(document));
	return true;
}

static bool
fast_json(UsMap *map, const UsMapColumn *column, const UsValue *value, Datum *result)
{
	char	   *text;

	if (value->len > US_FAST_JSON_MAX)
		return false;
	text = value_json_text(map, value);
	*result = us_map_store_bytes(map, column, text, strlen(text));
	return true;
}

static bool
fast_numeric(UsMap *map, const UsMapColumn *column, const UsValue *value, Datum *result)
{
	MemoryContext old;
	char	   *text;

	/* a limit on digits can be exceeded, and a string can hold anything */
	if (value->kind != US_VALUE_NUMBER || column->typmod >= 0)
		return false;
	old = MemoryContextSwitchTo(us_map_scratch(map));
	text = scratch_string(map, value->data, value->len);
	*result = DirectFunctionCall3(numeric_in, CStringGetDatum(text),
								  ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
	MemoryContextSwitchTo(old);
	*result = us_map_store(map, column, *result);
	return true;
}

/* numbers and booleans, from strings too */
static bool
fast_scalar(UsShortcut shortcut, const UsValue *value, Datum *result)
{
	bool		json_number = value->kind == US_VALUE_NUMBER;
	bool		boolean;
	int64		integer;
	float4		single;
	float8		real;

	if (value->kind != US_VALUE_STRING && !json_number)
		return false;
	switch (shortcut)
	{
		case US_SHORTCUT_BOOL:
			if (!us_convert_bool(value->data, value->len, &boolean))
				return false;
			*result = BoolGetDatum(boolean);
			return true;
		case US_SHORTCUT_INT2:
			if (!us_convert_int(value->data, value->len, PG_INT16_MIN, PG_INT16_MAX, &integer))
				return false;
			*result = Int16GetDatum((int16) integer);
			return true;
		case US_SHORTCUT_INT4:
			if (!us_convert_int(value->data, value->len, PG_INT32_MIN, PG_INT32_MAX, &integer))
				return false;
			*result = Int32GetDatum((int32) integer);
			return true;
		case US_SHORTCUT_INT8:
			if (!us_convert_int(value->data, value->len, PG_INT64_MIN, PG_INT64_MAX, &integer))
				return false;
			*result = Int64GetDatum(integer);
			return true;
		case US_SHORTCUT_FLOAT4:
			if (!us_convert_float4(value->data, value->len, json_number, &single))
				return false;
			*result = Float4GetDatum(single);
			return true;
		case US_SHORTCUT_FLOAT8:
			if (!us_convert_float8(value->data, value->len, json_number, &real))
				return false;
			*result = Float8GetDatum(real);
			return true;
		default:
			return false;
	}
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* the form \x0aff of a bytea, which bytes of Avro have too */
static bool
fast_hex(UsMap *map, const UsMapColumn *column, const UsValue *value, Datum *result)
{
	const char *digits = value->data + 2;
	uint32		len = (value->len - 2) / 2;
	char	   *bytes;

	if (value->kind != US_VALUE_STRING || value->len < 2 || value->len % 2 != 0 ||
		value->data[0] != '\\' || value->data[1] != 'x' || value->len > US_FAST_JSON_MAX)
		return false;
	for (uint32 i = 0; i < len * 2; i++)
		if (hex_digit(digits[i]) < 0)
			return false;
	*result = us_map_store_bytes(map, column, digits, len);
	bytes = VARDATA_ANY(DatumGetPointer(*result));
	for (uint32 i = 0; i < len; i++)
		bytes[i] = (char) (hex_digit(digits[i * 2]) * 16 + hex_digit(digits[i * 2 + 1]));
	return true;
}

/* in the form that the column asked for (column_form) */
static Datum
binary_value(UsMap *map, const UsMapColumn *column, const UsValue *value)
{
	int64		number = 0;
	float4		single;
	float8		real;
	char	   *bytes;

	switch (column->shortcut)
	{
		case US_SHORTCUT_UUID:
			bytes = us_map_room(map, US_UUID_SIZE);
			memcpy(bytes, value->data, US_UUID_SIZE);
			return PointerGetDatum(bytes);
		case US_SHORTCUT_BYTEA:
			return us_map_store_bytes(map, column, value->data, value->len);
		case US_SHORTCUT_FLOAT4:
			memcpy(&single, value->data, sizeof(single));
			return Float4GetDatum(single);
		case US_SHORTCUT_FLOAT8:
			memcpy(&real, value->data, sizeof(real));
			return Float8GetDatum(real);
		case US_SHORTCUT_INT2:
			memcpy(&number, value->data, sizeof(number));
			return Int16GetDatum((int16) number);
		case US_SHORTCUT_INT4:
		case US_SHORTCUT_DATE:
			memcpy(&number, value->data, sizeof(number));
			return Int32GetDatum((int32) number);
		default:
			memcpy(&number, value->data, sizeof(number));
			return Int64GetDatum(number);
	}
}

bool
us_value_fast(UsMap *map, const UsMapColumn *column, const UsValue *value, Datum *result)
{
	const char *data;
	uint32		len;
	DateADT		date;
	Timestamp	time;
	char	   *bytes;

	if (value->kind == US_VALUE_BINARY)
	{
		*result = binary_value(map, column, value);
		return true;
	}
	if (US_FORCED(INPUT))
		return false;
	switch (column->shortcut)
	{
		case US_SHORTCUT_TEXT:
		case US_SHORTCUT_VARCHAR:
			data = value->data;
			len = value->len;
			if (value->kind != US_VALUE_STRING)
			{
				if (len > US_FAST_JSON_MAX)
					return false;
				value_text(map, value, &data, &len);
			}

			/* as many bytes are at most as many characters */
			if (column->shortcut == US_SHORTCUT_VARCHAR &&
				(int64) len > (int64) column->typmod - VARHDRSZ)
				return false;
			*result = us_map_store_bytes(map, column, data, len);
			return true;
		case US_SHORTCUT_UUID:
			if (value->kind != US_VALUE_STRING)
				return false;
			bytes = us_map_room(map, US_UUID_SIZE);
			*result = PointerGetDatum(bytes);
			return us_convert_uuid(value->data, value->len, (unsigned char *) bytes);
		case US_SHORTCUT_DATE:
			if (value->kind != US_VALUE_STRING ||
				!us_convert_date(value->data, value->len, &date))
				return false;
			*result = DateADTGetDatum(date);
			return true;
		case US_SHORTCUT_TIMESTAMP:
			if (value->kind != US_VALUE_STRING ||
				!us_convert_timestamp(value->data, value->len, column->typmod, &time))
				return false;
			*result = TimestampGetDatum(time);
			return true;
		case US_SHORTCUT_TIMESTAMPTZ:
			if (value->kind != US_VALUE_STRING ||
				!us_convert_timestamptz(value->data, value->len, column->typmod, &time))
				return false;
			*result = TimestampTzGetDatum(time);
			return true;
		case US_SHORTCUT_BOOL:
			if (value->kind == US_VALUE_TRUE || value->kind == US_VALUE_FALSE)
			{
				*result = BoolGetDatum(value->kind == US_VALUE_TRUE);
				return true;
			}
			/* FALLTHROUGH */
		case US_SHORTCUT_INT2:
		case US_SHORTCUT_INT4:
		case US_SHORTCUT_INT8:
		case US_SHORTCUT_FLOAT4:
		case US_SHORTCUT_FLOAT8:
			return fast_scalar(column->shortcut, value, result);
		case US_SHORTCUT_NUMERIC:
			return fast_numeric(map, column, value, result);
		case US_SHORTCUT_JSONB:
			return fast_jsonb(map, column, value, result);
		case US_SHORTCUT_JSON:
			return fast_json(map, column, value, result);
		case US_SHORTCUT_BYTEA:
			return (!column->base64 || map->format->is_event) &&
				fast_hex(map, column, value, result);
		case US_SHORTCUT_NONE:
			return false;
	}
	return false;
}

char *
us_value_string(UsMap *map, const UsMapColumn *column, const UsValue *value)
{
	const char *data;
	uint32		len;

	if (column->json_form)
		return value_json_text(map, value);
	value_text(map, value, &data, &len);
	return scratch_string(map, data, len);
}
