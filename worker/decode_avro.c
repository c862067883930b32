/*-------------------------------------------------------------------------
 * worker/decode_avro.c
 *    an Avro message -> the values at the wanted paths, or all of it as JSON
 *
 * The message is read once, by the schema that its number stands for; what no
 * path wants is stepped over unlooked at.  A scalar becomes the text that the
 * input functions of PostgreSQL's types take (avro_text.h); a record, array or
 * map that is wanted whole becomes JSON.  Neither the depth nor the work is
 * the message's to choose: values that take no bytes are counted too.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "mb/pg_wchar.h"

#include "worker/alloc.h"
#include "worker/avro_text.h"
#include "worker/decode.h"
#include "worker/schemas.h"

#define MAX_DEPTH		100		/* of records, arrays and maps in each other */
#define MAX_FREE_VALUES	100000	/* of a message, beyond one for each byte: nulls take none */
#define MAX_JSON_BYTES	(128 * 1024 * 1024) /* half of what a value of jsonb can hold */
#define MAX_VARINT_BYTES	10
#define FIRST_JSON_BYTES	1024

/* the sqlstates that a message is refused with */
#define BAD_BYTES		"22P02" /* invalid_text_representation: not what the schema says */
#define BAD_ENCODING	"22021"
#define OUT_OF_RANGE	"22008"
#define TOO_LARGE		"54000"
#define BAD_VALUE		"22023"

/* what is kept from message to message */
typedef struct AvroWalk
{
	UsDecoder  *decoder;
	const UsPathSet *paths;
	UsValue    *values;			/* NULL: no path is looked for */
	const char *pos;
	const char *end;
	int			depth;
	size_t		values_left;	/* that may still be read */

	/* the JSON that is being written */
	char	   *json;
	size_t		json_len;
	size_t		json_size;
} AvroWalk;

static bool skip_value(AvroWalk *walk, const UsAvroType *type);
static bool write_value(AvroWalk *walk, const UsAvroType *type);
static bool take_value(AvroWalk *walk, const UsAvroType *type, int node, bool taken);

/* always false, for the caller to return */
static bool
refuse(AvroWalk *walk, const char *sqlstate, const char *what)
{
	(void) us_decoder_refuse(walk->decoder, -1, sqlstate, NULL, "%s", what);
	return false;
}

static bool
refuse_short(AvroWalk *walk)
{
	return refuse(walk, BAD_BYTES, "message ends within a value");
}

/*
 * Bytes.
 */

static inline bool
read_long(AvroWalk *walk, int64 *result)
{
	uint64		value = 0;
	int			shift = 0;

	*result = 0;
	for (;;)
	{
		uint8		byte;

		if (unlikely(walk->pos == walk->end))
			return refuse_short(walk);
		byte = (uint8) *walk->pos++;
		/* the last of ten bytes has one bit left to say */
		if (unlikely(shift == 7 * (MAX_VARINT_BYTES - 1) && byte > 1))
			return refuse(walk, BAD_BYTES, "message holds a number of more than 64 bits");
		value |= (uint64) (byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			break;
		shift += 7;
	}
	*result = (int64) (value >> 1) ^ -(int64) (value & 1);
	return true;
}

static inline bool
read_bytes(AvroWalk *walk, size_t len, const char **bytes)
{
	*bytes = walk->pos;
	if ((size_t) (walk->end - walk->pos) < len)
		return refuse_short(walk);
	walk->pos += len;
	return true;
}

/* a length and as many bytes */
static inline bool
read_counted(AvroWalk *walk, const char **bytes, int *len)
{
	int64		count;

	*bytes = walk->pos;
	*len = 0;
	if (!read_long(walk, &count))
		return false;
	if (count < 0 || count > walk->end - walk->pos)
		return refuse_short(walk);
	*len = (int) count;
	return read_bytes(walk, (size_t) count, bytes);
}

static bool
read_string(AvroWalk *walk, const char **bytes, int *len)
{
	if (!read_counted(walk, bytes, len))
		return false;
	if (pg_encoding_verifymbstr(PG_UTF8, *bytes, *len) != *len)
		return refuse(walk, BAD_ENCODING, "message holds a string that is not UTF-8, or has a zero byte");
	return true;
}

static bool
read_float(AvroWalk *walk, int size, float *single, double *number)
{
	const char *bytes;
	uint64		bits = 0;
	uint32		low;

	if (!read_bytes(walk, size, &bytes))
		return false;
	for (int i = size - 1; i >= 0; i--)
		bits = bits << 8 | (unsigned char) bytes[i];
	low = (uint32) bits;
	if (size == sizeof(float))
		memcpy(single, &low, sizeof(float));
	else
		memcpy(number, &bits, sizeof(double));
	return true;
}

/* a boolean, the number of a symbol, or that of a union's branch */
static bool
read_choice(AvroWalk *walk, const UsAvroType *type, int64 *choice)
{
	if (type->kind == US_AVRO_BOOLEAN)
	{
		const char *byte;

		if (!read_bytes(walk, 1, &byte))
			return false;
		*choice = *byte;
		return (*choice == 0 || *choice == 1) ? true :
			refuse(walk, BAD_BYTES, "message holds a boolean that is neither 0 nor 1");
	}
	if (!read_long(walk, choice))
		return false;
	if (*choice >= 0 && *choice < type->nmembers)
		return true;
	return refuse(walk, BAD_BYTES, type->kind == US_AVRO_ENUM ?
				  "message holds a symbol that its schema does not have" :
				  "message holds a branch of a union that its schema does not have");
}

/* the type that is really there */
static inline const UsAvroType *
resolve_union(AvroWalk *walk, const UsAvroType *type)
{
	int64		branch;

	if (type->kind != US_AVRO_UNION)
		return type;
	return read_choice(walk, type, &branch) ? type->members[branch].type : NULL;
}

/* one more value, one level deeper if it holds others; to be left by leave_value */
static inline bool
enter_value(AvroWalk *walk, bool container)
{
	if (unlikely(walk->values_left-- == 0))
		return refuse(walk, TOO_LARGE, "message holds more than 100000 values that take no bytes");
	if (container && unlikely(++walk->depth > MAX_DEPTH))
		return refuse(walk, TOO_LARGE, "message is nested more than 100 levels deep");
	return true;
}

static inline void
leave_container(AvroWalk *walk)
{
	walk->depth--;
}

static inline bool
is_container(const UsAvroType *type)
{
	return type->kind == US_AVRO_RECORD || type->kind == US_AVRO_ARRAY ||
		type->kind == US_AVRO_MAP;
}

/*
 * The next block of an array or map: how many items, and how many bytes when
 * it says so (else -1).  No items: that was all.
 */
static bool
read_block(AvroWalk *walk, int64 *count, int64 *bytes)
{
	*bytes = -1;
	if (!read_long(walk, count))
		return false;
	if (*count >= 0)
		return true;
	if (*count == PG_INT64_MIN)
		return refuse(walk, BAD_BYTES, "message holds a block of impossible length");
	*count = -*count;
	if (!read_long(walk, bytes))
		return false;
	if (*bytes < 0 || *bytes > walk->end - walk->pos)
		return refuse_short(walk);
	return true;
}

/*
 * Stepping over.
 */

static bool
skip_blocks(AvroWalk *walk, const UsAvroType *type)
{
	int64		count;
	int64		bytes;

	for (;;)
	{
		if (!read_block(walk, &count, &bytes))
			return false;
		if (count == 0)
			return true;
		if (bytes >= 0)
		{
			walk->pos += bytes;
			continue;
		}
		for (; count > 0; count--)
		{
			const char *key;
			int			len;

			if ((type->kind == US_AVRO_MAP && !read_counted(walk, &key, &len)) ||
				!skip_value(walk, type->items))
				return false;
		}
	}
}

static bool
skip_container(AvroWalk *walk, const UsAvroType *type)
{
	bool		ok = true;

	if (type->kind == US_AVRO_RECORD)
	{
		for (int i = 0; ok && i < type->nmembers; i++)
			ok = skip_value(walk, type->members[i].type);
	}
	else
		ok = skip_blocks(walk, type);
	leave_container(walk);
	return ok;
}

static bool
skip_value(AvroWalk *walk, const UsAvroType *type)
{
	const char *bytes;
	int64		number;
	int			len;

	type = resolve_union(walk, type);
	if (type == NULL || !enter_value(walk, is_container(type)))
		return false;
	switch (type->kind)
	{
		case US_AVRO_NULL:
			return true;
		case US_AVRO_BOOLEAN:
		case US_AVRO_ENUM:
			return read_choice(walk, type, &number);
		case US_AVRO_INT:
		case US_AVRO_LONG:
			return read_long(walk, &number);
		case US_AVRO_FLOAT:
			return read_bytes(walk, sizeof(float), &bytes);
		case US_AVRO_DOUBLE:
			return read_bytes(walk, sizeof(double), &bytes);
		case US_AVRO_BYTES:
		case US_AVRO_STRING:
			return read_counted(walk, &bytes, &len);
		case US_AVRO_FIXED:
			return read_bytes(walk, type->size, &bytes);
		default:
			return skip_container(walk, type);
	}
}

/*
 * Scalars.
 */

static bool
set_text(AvroWalk *walk, UsValue *value, UsValueKind kind, char *text, size_t room, int len)
{
	us_decoder_text_trim(walk->decoder, room - Max(len, 0));
	if (len < 0)
		return refuse(walk, OUT_OF_RANGE, "message holds a date or time that is out of range");
	*value = (UsValue) {text, (uint32) len, kind};
	return true;
}

static bool
take_int(AvroWalk *walk, const UsAvroType *type, UsValue *value)
{
	bool		zoned = type->logical == US_AVRO_TIMESTAMP;
	char	   *text;
	int64		number;
	int			len;

	if (!read_long(walk, &number))
		return false;
	if (type->kind == US_AVRO_INT && (number < PG_INT32_MIN || number > PG_INT32_MAX))
		return refuse(walk, BAD_BYTES, "message holds an int of more than 32 bits");
	text = us_decoder_text(walk->decoder, US_AVRO_TEXT_BYTES);
	switch (type->logical)
	{
		case US_AVRO_DATE:
			len = us_avro_date_text(number, text);
			break;
		case US_AVRO_TIME:
			len = us_avro_time_text(number, type->units_per_second, text);
			break;
		case US_AVRO_TIMESTAMP:
		case US_AVRO_LOCAL_TIMESTAMP:
			len = us_avro_timestamp_text(number, type->units_per_second, zoned, text);
			break;
		default:
			len = us_avro_int_text(number, text);
			return set_text(walk, value, US_VALUE_NUMBER, text, US_AVRO_TEXT_BYTES, len);
	}
	return set_text(walk, value, US_VALUE_STRING, text, US_AVRO_TEXT_BYTES, len);
}

static bool
take_float(AvroWalk *walk, const UsAvroType *type, UsValue *value)
{
	bool		is_single = type->kind == US_AVRO_FLOAT;
	float		single = 0;
	double		number = 0;
	char	   *text;
	int			len;

	if (!read_float(walk, is_single ? sizeof(float) : sizeof(double), &single, &number))
		return false;
	text = us_decoder_text(walk->decoder, US_AVRO_TEXT_BYTES);
	len = is_single ? us_avro_float_text(single, text) : us_avro_double_text(number, text);
	/* JSON has no number for NaN and Infinity */
	return set_text(walk, value, text[len - 1] >= '0' && text[len - 1] <= '9' ?
					US_VALUE_NUMBER : US_VALUE_STRING, text, US_AVRO_TEXT_BYTES, len);
}

/* bytes and fixed, whatever they stand for */
static bool
take_bytes(AvroWalk *walk, const UsAvroType *type, UsValue *value)
{
	const char *bytes;
	int			len = type->size;
	size_t		room;
	char	   *text;

	if (type->kind == US_AVRO_FIXED ? !read_bytes(walk, len, &bytes) :
		!read_counted(walk, &bytes, &len))
		return false;
	if (type->logical == US_AVRO_DECIMAL && len > US_AVRO_DECIMAL_BYTES)
		return refuse(walk, TOO_LARGE, "message holds a decimal of more than 4096 bytes");
	if ((size_t) len > MAX_JSON_BYTES / 2)
		return refuse(walk, TOO_LARGE, "message holds more than 64 MB of bytes");
	room = type->logical == US_AVRO_DECIMAL ? US_AVRO_DECIMAL_TEXT(len, type->scale) :
		Max((size_t) len * 2 + 2, US_AVRO_TEXT_BYTES);
	text = us_decoder_text(walk->decoder, room);
	switch (type->logical)
	{
		case US_AVRO_DECIMAL:
			return set_text(walk, value, US_VALUE_NUMBER, text, room,
							us_avro_decimal_text(bytes, len, type->scale, text));
		case US_AVRO_UUID:
			return set_text(walk, value, US_VALUE_STRING, text, room,
							us_avro_uuid_text(bytes, text));
		case US_AVRO_DURATION:
			return set_text(walk, value, US_VALUE_STRING, text, room,
							us_avro_duration_text(bytes, text));
		default:
			return set_text(walk, value, US_VALUE_STRING, text, room,
							us_avro_bytes_text(bytes, len, text));
	}
}

/* any type but union, record, array and map */
static bool
take_scalar(AvroWalk *walk, const UsAvroType *type, UsValue *value)
{
	int64		choice;
	int			len;

	switch (type->kind)
	{
		case US_AVRO_NULL:
			*value = (UsValue) {NULL, 0, US_VALUE_NULL};
			return true;
		case US_AVRO_BOOLEAN:
			if (!read_choice(walk, type, &choice))
				return false;
			*value = choice != 0 ? (UsValue) {"true", 4, US_VALUE_TRUE} :
				(UsValue) {"false", 5, US_VALUE_FALSE};
			return true;
		case US_AVRO_ENUM:
			if (!read_choice(walk, type, &choice))
				return false;
			*value = (UsValue) {type->members[choice].name,
				(uint32) type->members[choice].name_len, US_VALUE_STRING};
			return true;
		case US_AVRO_STRING:
			value->kind = US_VALUE_STRING;
			if (!read_string(walk, &value->data, &len))
				return false;
			value->len = (uint32) len;
			return true;
		case US_AVRO_FLOAT:
		case US_AVRO_DOUBLE:
			return take_float(walk, type, value);
		case US_AVRO_BYTES:
		case US_AVRO_FIXED:
			return take_bytes(walk, type, value);
		default:
			return take_int(walk, type, value);
	}
}

/*
 * JSON.
 */

static bool
put(AvroWalk *walk, const char *bytes, size_t len)
{
	if (len > MAX_JSON_BYTES - walk->json_len)
		return refuse(walk, TOO_LARGE, "message is longer than 128 MB as JSON");
	if (walk->json_len + len > walk->json_size)
	{
		walk->json_size = Max(walk->json_size * 2, walk->json_len + len);
		walk->json = repalloc(walk->json, walk->json_size);
	}
	memcpy(walk->json + walk->json_len, bytes, len);
	walk->json_len += len;
	return true;
}

static bool
put_string(AvroWalk *walk, const char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const char *end = bytes + len;

	if (!put(walk, "\"", 1))
		return false;
	while (bytes < end)
	{
		const char *plain = bytes;
		char		escape[6] = "\\u00";
		int			escape_len = 2;

		while (bytes < end && (unsigned char) *bytes >= 0x20 && *bytes != '"' && *bytes != '\\')
			bytes++;
		if (!put(walk, plain, bytes - plain))
			return false;
		if (bytes == end)
			break;
		if ((unsigned char) *bytes >= 0x20)
			escape[1] = *bytes;
		else
		{
			escape[4] = digits[*bytes >> 4];
			escape[5] = digits[*bytes & 15];
			escape_len = 6;
		}
		if (!put(walk, escape, escape_len))
			return false;
		bytes++;
	}
	return put(walk, "\"", 1);
}

static bool
write_record(AvroWalk *walk, const UsAvroType *type)
{
	for (int i = 0; i < type->nmembers; i++)
	{
		const UsAvroMember *member = &type->members[i];

		if ((i > 0 && !put(walk, ",", 1)) ||
			!put_string(walk, member->name, member->name_len) || !put(walk, ":", 1) ||
			!write_value(walk, member->type))
			return false;
	}
	return true;
}

static bool
write_blocks(AvroWalk *walk, const UsAvroType *type)
{
	bool		first = true;
	int64		count;
	int64		bytes;

	for (;;)
	{
		if (!read_block(walk, &count, &bytes))
			return false;
		if (count == 0)
			return true;
		for (; count > 0; count--, first = false)
		{
			const char *key;
			int			len;

			if (!first && !put(walk, ",", 1))
				return false;
			if (type->kind == US_AVRO_MAP &&
				(!read_string(walk, &key, &len) || !put_string(walk, key, len) ||
				 !put(walk, ":", 1)))
				return false;
			if (!write_value(walk, type->items))
				return false;
		}
	}
}

static bool
write_container(AvroWalk *walk, const UsAvroType *type)
{
	bool		is_array = type->kind == US_AVRO_ARRAY;
	bool		ok = put(walk, is_array ? "[" : "{", 1) &&
		(type->kind == US_AVRO_RECORD ? write_record(walk, type) : write_blocks(walk, type)) &&
		put(walk, is_array ? "]" : "}", 1);

	leave_container(walk);
	return ok;
}

static bool
write_value(AvroWalk *walk, const UsAvroType *type)
{
	UsValue		value;

	type = resolve_union(walk, type);
	if (type == NULL || !enter_value(walk, is_container(type)))
		return false;
	if (is_container(type))
		return write_container(walk, type);
	if (!take_scalar(walk, type, &value))
		return false;
	if (value.kind == US_VALUE_NULL)
		return put(walk, "null", 4);
	if (!(value.kind == US_VALUE_STRING ? put_string(walk, value.data, value.len) :
		  put(walk, value.data, value.len)))
		return false;
	/* a text that was made for it has served */
	if (type->kind != US_AVRO_STRING && type->kind != US_AVRO_ENUM &&
		type->kind != US_AVRO_BOOLEAN)
		us_decoder_text_trim(walk->decoder, value.len);
	return true;
}

/* from pos on: JSON of a value, in the decoder's text */
static bool
write_text(AvroWalk *walk, const UsAvroType *type, const char **text, size_t *len)
{
	char	   *copy;

	walk->json_len = 0;
	if (!write_value(walk, type))
		return false;
	copy = us_decoder_text(walk->decoder, walk->json_len);
	memcpy(copy, walk->json, walk->json_len);
	*text = copy;
	*len = walk->json_len;
	return true;
}

/*
 * Paths.
 */

/* a key seen again replaces all that was found below the first one */
static void
forget_below(AvroWalk *walk, int node)
{
	const UsPathNode *nodes = walk->paths->nodes;

	if (nodes[node].field >= 0)
		walk->values[nodes[node].field].kind = US_VALUE_ABSENT;
	for (int child = nodes[node].first_child; child >= 0; child = nodes[child].next_sibling)
		forget_below(walk, child);
}

static bool
take_record(AvroWalk *walk, const UsAvroType *type, int node, bool taken)
{
	const UsPathNode *nodes = walk->paths->nodes;
	int			expected = nodes[node].first_child;

	for (int i = 0; i < type->nmembers; i++)
	{
		const UsAvroMember *member = &type->members[i];
		int			child = expected;

		/* mostly the path after the last one */
		if (child < 0 || nodes[child].name_len != member->name_len ||
			memcmp(nodes[child].name, member->name, member->name_len) != 0)
			child = us_path_child(walk->paths, node, member->name, member->name_len);
		if (child >= 0)
			expected = nodes[child].next_sibling;
		else if (!taken)
			walk->decoder->unknown = true;
		if (child >= 0 ? !take_value(walk, member->type, child, taken) :
			!skip_value(walk, member->type))
			return false;
	}
	return true;
}

static bool
take_item(AvroWalk *walk, const UsAvroType *type, int node, int64 element, bool taken)
{
	int			child;

	if (type->kind == US_AVRO_MAP)
	{
		const char *key;
		int			len;

		if (!read_string(walk, &key, &len))
			return false;
		child = us_path_child(walk->paths, node, key, len);
		if (child >= 0)
			forget_below(walk, child);
	}
	else
		child = us_path_element(walk->paths, node, (int) Min(element, PG_INT32_MAX));
	if (child >= 0)
		return take_value(walk, type->items, child, taken);
	if (!taken)
		walk->decoder->unknown = true;
	return skip_value(walk, type->items);
}

static bool
take_blocks(AvroWalk *walk, const UsAvroType *type, int node, bool taken)
{
	int64		element = 0;
	int64		count;
	int64		bytes;

	for (;;)
	{
		if (!read_block(walk, &count, &bytes))
			return false;
		if (count == 0)
			return true;
		for (; count > 0; count--)
			if (!take_item(walk, type, node, element++, taken))
				return false;
	}
}

static bool
take_container(AvroWalk *walk, const UsAvroType *type, int node, bool taken)
{
	bool		ok = type->kind == US_AVRO_RECORD ? take_record(walk, type, node, taken) :
		take_blocks(walk, type, node, taken);

	leave_container(walk);
	return ok;
}

/*
 * A value that a path leads to or through.  One that is wanted whole, and in
 * parts as well, is read twice.
 */
static bool
take_value(AvroWalk *walk, const UsAvroType *type, int node, bool taken)
{
	const UsPathNode *path = &walk->paths->nodes[node];
	UsValue    *value = path->field >= 0 ? &walk->values[path->field] : NULL;
	size_t		values_left = walk->values_left;
	const char *start;
	size_t		len;

	type = resolve_union(walk, type);
	if (type == NULL)
		return false;
	if (!is_container(type))
	{
		/* no path leads into a scalar; null is as good as nothing */
		if (value == NULL && !taken && type->kind != US_AVRO_NULL)
			walk->decoder->unknown = true;
		if (value == NULL)
			return skip_value(walk, type);
		return enter_value(walk, false) && take_scalar(walk, type, value);
	}
	start = walk->pos;
	if (value != NULL)
	{
		if (!write_text(walk, type, &value->data, &len))
			return false;
		value->len = (uint32) len;
		value->kind = type->kind == US_AVRO_ARRAY ? US_VALUE_ARRAY : US_VALUE_OBJECT;
		if (path->first_child < 0)
			return true;
		walk->pos = start;
		walk->values_left = values_left;
	}
	return enter_value(walk, true) && take_container(walk, type, node, taken || value != NULL);
}

/*
 * Messages.
 */

/* the schema of a message, from whose first byte the walk begins; NULL when refused */
static const UsAvroType *
begin_message(UsDecoder *decoder, const char *data, size_t len)
{
	AvroWalk   *walk = decoder->state;
	const UsSchema *schema;
	int32		id;

	if (walk == NULL)
	{
		walk = us_alloc_beside(decoder, sizeof(AvroWalk));
		memset(walk, 0, sizeof(*walk));
		walk->decoder = decoder;
		walk->paths = decoder->paths;
		walk->json_size = FIRST_JSON_BYTES;
		walk->json = us_alloc_beside(decoder, walk->json_size);
		decoder->state = walk;
	}
	walk->pos = data + US_FRAME_BYTES;
	walk->end = data + len;
	walk->depth = 0;
	walk->values_left = len + MAX_FREE_VALUES;

	if (us_decoder_frame(decoder, data, len, &id) != US_DECODE_OK)
		return NULL;
	schema = decoder->schemas != NULL ? us_schemas_find(decoder->schemas, id) : NULL;
	if (schema == NULL)
		(void) us_decoder_refuse(decoder, -1, BAD_VALUE, NULL, "schema %d was not asked for", id);
	else if (schema->unknown)
		(void) us_decoder_refuse(decoder, -1, BAD_VALUE, NULL,
								 "schema %d of the message is not in the registry", id);
	else if (schema->error != NULL)
		(void) us_decoder_refuse(decoder, -1, BAD_VALUE, NULL, "schema %d of the message cannot be used: %s",
								 id, schema->error);
	else
		return schema->root;
	return NULL;
}

/* what the root really is: a record, or a map */
static const UsAvroType *
find_object(AvroWalk *walk, const UsAvroType *root)
{
	const UsAvroType *type = root == NULL ? NULL : resolve_union(walk, root);

	if (type == NULL || type->kind == US_AVRO_RECORD || type->kind == US_AVRO_MAP)
		return type;
	(void) refuse(walk, BAD_VALUE, "message is neither a record nor a map");
	return NULL;
}

static UsDecodeResult
end_message(AvroWalk *walk)
{
	if (walk->pos == walk->end)
		return US_DECODE_OK;
	return us_decoder_refuse(walk->decoder, -1, BAD_BYTES, NULL,
							 "message goes on for %zu bytes after its value",
							 (size_t) (walk->end - walk->pos));
}

UsDecodeResult
us_decode_avro(UsDecoder *decoder, const char *data, size_t len, UsValue *values)
{
	const UsAvroType *root = begin_message(decoder, data, len);
	AvroWalk   *walk = decoder->state;
	const UsAvroType *type;

	decoder->unknown = false;
	for (int i = 0; i < decoder->paths->nfields; i++)
		values[i] = (UsValue) {NULL, 0, US_VALUE_ABSENT};
	type = find_object(walk, root);
	walk->values = values;
	if (type == NULL || !enter_value(walk, true) || !take_container(walk, type, 0, false))
		return US_DECODE_REFUSED;
	return end_message(walk);
}

UsDecodeResult
us_document_avro(UsDecoder *decoder, const char *data, size_t len,
				 const char **text, size_t *text_len)
{
	const UsAvroType *root = begin_message(decoder, data, len);
	AvroWalk   *walk = decoder->state;
	const UsAvroType *type = find_object(walk, root);

	if (type == NULL || !write_text(walk, type, text, text_len))
		return US_DECODE_REFUSED;
	return end_message(walk);
}
