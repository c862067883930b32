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

#include <math.h>

#include "datatype/timestamp.h"

#include "worker/avro_read.h"
#include "worker/decimal_text.h"
#include "worker/scalar_text.h"

#define MAX_DECIMAL_BYTES	4096	/* longer ones are refused: the work is quadratic */
#define OUT_OF_RANGE	"22008"

/* seconds since 1970 of 0100-01-01, 10000-01-01 and 2000-01-01 */
#define FIRST_SECOND	((INT64CONST(1757585) - UNIX_EPOCH_JDATE) * SECS_PER_DAY)
#define END_SECOND		((INT64CONST(5373485) - UNIX_EPOCH_JDATE) * SECS_PER_DAY)
#define EPOCH_SECOND	((INT64CONST(0) + POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY)

bool
us_avro_refuse(UsAvroWalk *walk, const char *sqlstate, const char *what)
{
	(void) us_decoder_refuse(walk->decoder, -1, sqlstate, NULL, "%s", what);
	return false;
}

bool
us_avro_refuse_short(UsAvroWalk *walk)
{
	return us_avro_refuse(walk, US_AVRO_BAD_BYTES, "message ends within a value");
}

/*
 * Bytes.
 */

static inline bool
read_bytes(UsAvroWalk *walk, size_t len, const char **bytes)
{
	*bytes = walk->pos;
	if ((size_t) (walk->end - walk->pos) < len)
		return us_avro_refuse_short(walk);
	walk->pos += len;
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
	if (!us_avro_read_long(walk, choice))
		return false;
	if (*choice >= 0 && *choice < type->nmembers)
		return true;
	return us_avro_refuse(walk, US_AVRO_BAD_BYTES, type->kind == US_AVRO_ENUM ?
				  "message holds a symbol that its schema does not have" :
				  "message holds a branch of a union that its schema does not have");
}

const UsAvroType *
us_avro_branch(UsAvroWalk *walk, const UsAvroType *type)
{
	int64		branch;

	return read_choice(walk, type, &branch) ? type->members[branch].type : NULL;
}

/* how many items the next block has, 0 behind the last, and where it says that it ends */
static bool
read_block(UsAvroWalk *walk, UsAvroItems *items)
{
	int64		bytes;

	items->block_end = NULL;
	if (!us_avro_read_long(walk, &items->left))
		return false;
	if (items->left >= 0)
		return true;
	if (items->left == PG_INT64_MIN)
		return us_avro_refuse(walk, US_AVRO_BAD_BYTES, "message holds a block of impossible length");
	items->left = -items->left;
	if (!us_avro_read_long(walk, &bytes))
		return false;
	if (bytes < 0 || bytes > walk->end - walk->pos)
		return us_avro_refuse_short(walk);
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
		else if ((type->kind == US_AVRO_MAP && !us_avro_read_counted(walk, &key, &len)) ||
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
			return us_avro_read_long(walk, &number);
		case US_AVRO_FLOAT:
			return read_bytes(walk, sizeof(float), &bytes);
		case US_AVRO_DOUBLE:
			return read_bytes(walk, sizeof(double), &bytes);
		case US_AVRO_BYTES:
		case US_AVRO_STRING:
			return us_avro_read_counted(walk, &bytes, &len);
		case US_AVRO_FIXED:
			return read_bytes(walk, type->size, &bytes);
		default:
			return skip_container(walk, type);
	}
}

/*
 * Binary forms.  What they do not hold exactly, or is rare, becomes a text: then
 * the column's type has the word.
 */

static bool
set_binary(UsAvroWalk *walk, UsValue *value, const void *bytes, size_t len)
{
	char	   *copy = us_decoder_text(walk->decoder, len);

	memcpy(copy, bytes, len);
	*value = (UsValue) {copy, (uint32) len, US_VALUE_BINARY};
	return true;
}

/* units since 1970 -> microseconds since 2000; false: rather as text */
static bool
to_timestamp(int64 *number, int units_per_second)
{
	int64		units = *number;

	if (units_per_second > USECS_PER_SEC)
	{
		if (units % (units_per_second / USECS_PER_SEC) != 0)
			return false;
		units /= units_per_second / USECS_PER_SEC;
		units_per_second = USECS_PER_SEC;
	}
	if (units < FIRST_SECOND * units_per_second || units >= END_SECOND * units_per_second)
		return false;
	if (units_per_second < USECS_PER_SEC)
		units *= USECS_PER_SEC / units_per_second;
	*number = units - EPOCH_SECOND * USECS_PER_SEC;
	return true;
}

/* days since 1970 -> days since 2000; false: rather as text */
static bool
to_date(int64 *number)
{
	if (*number < FIRST_SECOND / SECS_PER_DAY || *number >= END_SECOND / SECS_PER_DAY)
		return false;
	*number -= EPOCH_SECOND / SECS_PER_DAY;
	return true;
}

/* an int or long as what a form has; false: there is none */
static bool
to_form(const UsAvroType *type, UsForm form, int64 *number)
{
	switch (form)
	{
		case US_FORM_INT2:
			return type->logical == US_AVRO_PLAIN && *number >= PG_INT16_MIN &&
				*number <= PG_INT16_MAX;
		case US_FORM_INT4:
			return type->logical == US_AVRO_PLAIN && *number >= PG_INT32_MIN &&
				*number <= PG_INT32_MAX;
		case US_FORM_INT8:
			return type->logical == US_AVRO_PLAIN;
		case US_FORM_DATE:
			return type->logical == US_AVRO_DATE && to_date(number);
		case US_FORM_TIMESTAMP:
			/* the type ignores a zone, and the text has that of Greenwich */
			return (type->logical == US_AVRO_TIMESTAMP ||
					type->logical == US_AVRO_LOCAL_TIMESTAMP) &&
				to_timestamp(number, type->units_per_second);
		case US_FORM_TIMESTAMPTZ:
			return type->logical == US_AVRO_TIMESTAMP &&
				to_timestamp(number, type->units_per_second);
		default:
			return false;
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
take_int(UsAvroWalk *walk, const UsAvroType *type, UsForm form, UsValue *value)
{
	bool		zoned = type->logical == US_AVRO_TIMESTAMP;
	char	   *text;
	int64		number;
	int			len;

	if (!us_avro_read_long(walk, &number))
		return false;
	if (type->kind == US_AVRO_INT && (number < PG_INT32_MIN || number > PG_INT32_MAX))
		return us_avro_refuse(walk, US_AVRO_BAD_BYTES, "message holds an int of more than 32 bits");
	if (form != US_FORM_TEXT && to_form(type, form, &number))
		return set_binary(walk, value, &number, sizeof(number));
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
take_float(UsAvroWalk *walk, const UsAvroType *type, UsForm form, UsValue *value)
{
	bool		is_single = type->kind == US_AVRO_FLOAT;
	float		single = 0;
	double		number = 0;
	char	   *text;
	int			len;

	if (!read_float(walk, is_single ? sizeof(float) : sizeof(double), &single, &number))
		return false;
	/* the smallest ones have no text that is as sure to be read as the same */
	if (form == US_FORM_FLOAT4 && is_single && isnormal(single))
		return set_binary(walk, value, &single, sizeof(single));
	if (form == US_FORM_FLOAT8 && !is_single && isnormal(number))
		return set_binary(walk, value, &number, sizeof(number));
	text = us_decoder_text(walk->decoder, US_TEXT_BYTES);
	len = is_single ? us_text_float(single, text) : us_text_double(number, text);
	/* JSON has no number for NaN and Infinity */
	return set_text(walk, value, text[len - 1] >= '0' && text[len - 1] <= '9' ?
					US_VALUE_NUMBER : US_VALUE_STRING, text, US_TEXT_BYTES, len);
}

/* bytes and fixed, whatever they stand for */
static bool
take_bytes(UsAvroWalk *walk, const UsAvroType *type, UsForm form, UsValue *value)
{
	const char *bytes;
	int			len = type->size;
	size_t		room;
	char	   *text;

	if (type->kind == US_AVRO_FIXED ? !read_bytes(walk, len, &bytes) :
		!us_avro_read_counted(walk, &bytes, &len))
		return false;
	if (type->logical == US_AVRO_DECIMAL && len > MAX_DECIMAL_BYTES)
		return us_avro_refuse(walk, US_AVRO_TOO_LARGE, "message holds a decimal of more than 4096 bytes");
	if ((size_t) len > US_AVRO_MAX_JSON_BYTES / 2)
		return us_avro_refuse(walk, US_AVRO_TOO_LARGE, "message holds more than 64 MB of bytes");
	if ((form == US_FORM_BYTES && type->logical == US_AVRO_PLAIN) ||
		(form == US_FORM_UUID && type->logical == US_AVRO_UUID))
	{
		*value = (UsValue) {bytes, (uint32) len, US_VALUE_BINARY};
		return true;
	}
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

bool
us_avro_take_scalar(UsAvroWalk *walk, const UsAvroType *type, UsForm form, UsValue *value)
{
	int64		choice;

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
			return us_avro_take_string(walk, value);
		case US_AVRO_FLOAT:
		case US_AVRO_DOUBLE:
			return take_float(walk, type, form, value);
		case US_AVRO_BYTES:
		case US_AVRO_FIXED:
			return take_bytes(walk, type, form, value);
		default:
			return take_int(walk, type, form, value);
	}
}
