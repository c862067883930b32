/*-------------------------------------------------------------------------
 * worker/avro_read.c
 *    an Avro message being read: bytes, scalars, and what is stepped over
 *
 * Whatever the bytes are, nothing behind the message's end is read, and no
 * more is done than its length allows.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "mb/pg_wchar.h"

#include "worker/avro_read.h"
#include "worker/decimal_text.h"
#include "worker/scalar_text.h"

#define MAX_VARINT_BYTES	10
#define MAX_DECIMAL_BYTES	4096	/* longer ones are refused: the work is quadratic */
#define BAD_ENCODING	"22021"
#define OUT_OF_RANGE	"22008"

bool
us_avro_refuse(UsAvroWalk *walk, const char *sqlstate, const char *what)
{
	(void) us_decoder_refuse(walk->decoder, -1, sqlstate, NULL, "%s", what);
	return false;
}

static bool
refuse_short(UsAvroWalk *walk)
{
	return us_avro_refuse(walk, US_AVRO_BAD_BYTES, "message ends within a value");
}

/*
 * Bytes.
 */

static inline bool
read_long(UsAvroWalk *walk, int64 *result)
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
			return us_avro_refuse(walk, US_AVRO_BAD_BYTES, "message holds a number of more than 64 bits");
		value |= (uint64) (byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			break;
		shift += 7;
	}
	*result = (int64) (value >> 1) ^ -(int64) (value & 1);
	return true;
}

static inline bool
read_bytes(UsAvroWalk *walk, size_t len, const char **bytes)
{
	*bytes = walk->pos;
	if ((size_t) (walk->end - walk->pos) < len)
		return refuse_short(walk);
	walk->pos += len;
	return true;
}

/* a length and as many bytes */
static inline bool
read_counted(UsAvroWalk *walk, const char **bytes, int *len)
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

/* nothing but ASCII without a zero, eight bytes at a time, the last ones again */
static inline bool
is_ascii(const char *bytes, int len)
{
	const uint64 ones = UINT64CONST(0x0101010101010101);
	uint64		seen = 0;
	uint64		word;

	if (len < (int) sizeof(word))
	{
		for (int i = 0; i < len; i++)
			seen |= (uint8) bytes[i] | ((uint8) bytes[i] - 1);
		return (seen & 0x80) == 0;
	}
	for (int i = 0; i < len; i += sizeof(word))
	{
		memcpy(&word, bytes + Min(i, len - (int) sizeof(word)), sizeof(word));
		seen |= word | (word - ones);
	}
	return (seen & (ones << 7)) == 0;
}

bool
us_avro_read_string(UsAvroWalk *walk, const char **bytes, int *len)
{
	if (!read_counted(walk, bytes, len))
		return false;
	if (!is_ascii(*bytes, *len) && pg_encoding_verifymbstr(PG_UTF8, *bytes, *len) != *len)
		return us_avro_refuse(walk, BAD_ENCODING, "message holds a string that is not UTF-8, or has a zero byte");
	return true;
}

static bool
read_float(UsAvroWalk *walk, int size, float *single, double *number)
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
read_choice(UsAvroWalk *walk, const UsAvroType *type, int64 *choice)
{
	if (type->kind == US_AVRO_BOOLEAN)
	{
		const char *byte;

		if (!read_bytes(walk, 1, &byte))
			return false;
		/* of the message, never null: NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
		*choice = (unsigned char) *byte;
		return (*choice == 0 || *choice == 1) ? true :
			us_avro_refuse(walk, US_AVRO_BAD_BYTES, "message holds a boolean that is neither 0 nor 1");
	}
	if (!read_long(walk, choice))
		return false;
	if (*choice >= 0 && *choice < type->nmembers)
		return true;
	return us_avro_refuse(walk, US_AVRO_BAD_BYTES, type->kind == US_AVRO_ENUM ?
				  "message holds a symbol that its schema does not have" :
				  "message holds a branch of a union that its schema does not have");
}

/* the type that is really there */
const UsAvroType *
us_avro_resolve(UsAvroWalk *walk, const UsAvroType *type)
{
	int64		branch;

	if (type->kind != US_AVRO_UNION)
		return type;
	return read_choice(walk, type, &branch) ? type->members[branch].type : NULL;
}

/* how many items the next block has, 0 behind the last, and where it says that it ends */
static bool
read_block(UsAvroWalk *walk, UsAvroItems *items)
{
	int64		bytes;

	items->block_end = NULL;
	if (!read_long(walk, &items->left))
		return false;
	if (items->left >= 0)
		return true;
	if (items->left == PG_INT64_MIN)
		return us_avro_refuse(walk, US_AVRO_BAD_BYTES, "message holds a block of impossible length");
	items->left = -items->left;
	if (!read_long(walk, &bytes))
		return false;
	if (bytes < 0 || bytes > walk->end - walk->pos)
		return refuse_short(walk);
	items->block_end = walk->pos + bytes;
	return true;
}

/*
 * A block that takes other bytes than it says would be two messages: one for
 * who reads its items, and one for who steps over it.
 */
bool
us_avro_next_item(UsAvroWalk *walk, UsAvroItems *items)
{
	if (items->left > 1)
	{
		items->left--;
		return true;
	}
	if (items->block_end != NULL && walk->pos != items->block_end)
		return us_avro_refuse(walk, US_AVRO_BAD_BYTES, "message holds a block that is not as long as it says");
	return read_block(walk, items);
}

/*
 * Stepping over.
 */

static bool
skip_items(UsAvroWalk *walk, const UsAvroType *type)
{
	UsAvroItems items = {0};
	const char *key;
	int			len;

	for (;;)
	{
		if (!us_avro_next_item(walk, &items))
			return false;
		if (items.left == 0)
			return true;
		if (items.block_end != NULL)
		{
			walk->pos = items.block_end;
			items.left = 1;
		}
		else if ((type->kind == US_AVRO_MAP && !read_counted(walk, &key, &len)) ||
				 !us_avro_skip(walk, type->items))
			return false;
	}
}

static bool
skip_container(UsAvroWalk *walk, const UsAvroType *type)
{
	bool		ok = true;

	if (type->kind == US_AVRO_RECORD)
	{
		for (int i = 0; ok && i < type->nmembers; i++)
			ok = us_avro_skip(walk, type->members[i].type);
	}
	else
		ok = skip_items(walk, type);
	us_avro_leave(walk);
	return ok;
}

bool
us_avro_skip(UsAvroWalk *walk, const UsAvroType *type)
{
	const char *bytes;
	int64		number;
	int			len;

	type = us_avro_resolve(walk, type);
	if (type == NULL || !us_avro_enter(walk, us_avro_is_container(type)))
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
set_text(UsAvroWalk *walk, UsValue *value, UsValueKind kind, const char *text, size_t room, int len)
{
	us_decoder_text_trim(walk->decoder, room - Max(len, 0));
	if (len < 0)
		return us_avro_refuse(walk, OUT_OF_RANGE, "message holds a date or time that is out of range");
	*value = (UsValue) {text, (uint32) len, kind};
	return true;
}

static bool
take_int(UsAvroWalk *walk, const UsAvroType *type, UsValue *value)
{
	bool		zoned = type->logical == US_AVRO_TIMESTAMP;
	char	   *text;
	int64		number;
	int			len;

	if (!read_long(walk, &number))
		return false;
	if (type->kind == US_AVRO_INT && (number < PG_INT32_MIN || number > PG_INT32_MAX))
		return us_avro_refuse(walk, US_AVRO_BAD_BYTES, "message holds an int of more than 32 bits");
	text = us_decoder_text(walk->decoder, US_TEXT_BYTES);
	switch (type->logical)
	{
		case US_AVRO_DATE:
			len = us_text_date(number, text);
			break;
		case US_AVRO_TIME:
			len = us_text_time(number, type->units_per_second, text);
			break;
		case US_AVRO_TIMESTAMP:
		case US_AVRO_LOCAL_TIMESTAMP:
			len = us_text_timestamp(number, type->units_per_second, zoned, text);
			break;
		default:
			len = us_text_int(number, text);
			return set_text(walk, value, US_VALUE_NUMBER, text, US_TEXT_BYTES, len);
	}
	return set_text(walk, value, US_VALUE_STRING, text, US_TEXT_BYTES, len);
}

static bool
take_float(UsAvroWalk *walk, const UsAvroType *type, UsValue *value)
{
	bool		is_single = type->kind == US_AVRO_FLOAT;
	float		single = 0;
	double		number = 0;
	char	   *text;
	int			len;

	if (!read_float(walk, is_single ? sizeof(float) : sizeof(double), &single, &number))
		return false;
	text = us_decoder_text(walk->decoder, US_TEXT_BYTES);
	len = is_single ? us_text_float(single, text) : us_text_double(number, text);
	/* JSON has no number for NaN and Infinity */
	return set_text(walk, value, text[len - 1] >= '0' && text[len - 1] <= '9' ?
					US_VALUE_NUMBER : US_VALUE_STRING, text, US_TEXT_BYTES, len);
}

/* bytes and fixed, whatever they stand for */
static bool
take_bytes(UsAvroWalk *walk, const UsAvroType *type, UsValue *value)
{
	const char *bytes;
	int			len = type->size;
	size_t		room;
	char	   *text;

	if (type->kind == US_AVRO_FIXED ? !read_bytes(walk, len, &bytes) :
		!read_counted(walk, &bytes, &len))
		return false;
	if (type->logical == US_AVRO_DECIMAL && len > MAX_DECIMAL_BYTES)
		return us_avro_refuse(walk, US_AVRO_TOO_LARGE, "message holds a decimal of more than 4096 bytes");
	if ((size_t) len > US_AVRO_MAX_JSON_BYTES / 2)
		return us_avro_refuse(walk, US_AVRO_TOO_LARGE, "message holds more than 64 MB of bytes");
	room = type->logical == US_AVRO_DECIMAL ? US_DECIMAL_TEXT_BYTES(len, type->scale) :
		Max((size_t) len * 2 + 2, US_TEXT_BYTES);
	text = us_decoder_text(walk->decoder, room);
	switch (type->logical)
	{
		case US_AVRO_DECIMAL:
			return set_text(walk, value, US_VALUE_NUMBER, text, room,
							us_decimal_text(bytes, len, type->scale, text));
		case US_AVRO_UUID:
			return set_text(walk, value, US_VALUE_STRING, text, room,
							us_text_uuid(bytes, text));
		case US_AVRO_DURATION:
			return set_text(walk, value, US_VALUE_STRING, text, room,
							us_text_duration(bytes, text));
		default:
			return set_text(walk, value, US_VALUE_STRING, text, room,
							us_text_bytes(bytes, len, text));
	}
}

/* any type but union, record, array and map */
bool
us_avro_take_scalar(UsAvroWalk *walk, const UsAvroType *type, UsValue *value)
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
			if (!us_avro_read_string(walk, &value->data, &len))
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
