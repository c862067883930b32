/*-------------------------------------------------------------------------
 * worker/debezium_value.c
 *    what Connect and Debezium make of a value -> the text of PostgreSQL's type
 *
 * Integers only: no double comes near a value.  What no type of PostgreSQL
 * holds is written out as it is and left to the type's input function, which
 * has the words for it; only what cannot be written is refused here.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "common/base64.h"
#include "worker/debezium.h"
#include "worker/decimal_text.h"
#include "worker/json_token.h"
#include "worker/scalar_text.h"

#define BITS_MAX			1000000

/* what the driver of PostgreSQL gives for infinity, in ms; Debezium hands it on, also as us */
#define DRIVER_INFINITY		INT64CONST(9223372036825200000)
#define DRIVER_MINUS_INFINITY INT64CONST(-9223372036832400000)

#define INVALID_TEXT		"22P02"
#define OUT_OF_RANGE		"22003"
#define DATETIME_RANGE		"22008"

/* places in parts_paths */
enum
{
	PART_SCALE,
	PART_VALUE,
	PART_X,
	PART_Y,
	PART_WKB,
	PART_SRID,
	NPARTS
};

static char *const parts_paths[NPARTS] = {"scale", "value", "x", "y", "wkb", "srid"};

/* one value under way */
typedef struct Conversion
{
	UsDecoder  *decoder;
	UsDecoder  *parts;
	const UsDebeziumType *type;
	int			field;
	UsValue    *value;
} Conversion;

UsDecoder *
us_debezium_parts_create(void)
{
	UsPathSet  *paths = us_path_set_create();

	for (int i = 0; i < NPARTS; i++)
		(void) us_path_set_add(paths, &parts_paths[i], 1);
	return us_decoder_create("json", paths);
}

static bool
refuse(Conversion *c, const char *sqlstate, const char *what)
{
	(void) us_decoder_refuse(c->decoder, c->field, sqlstate, NULL, "%s: \"%.*s\"", what,
							 us_decoder_clip(c->value->data, c->value->len), c->value->data);
	return false;
}

static void
set_text(Conversion *c, UsValueKind kind, const char *text, size_t len)
{
	char	   *copy = us_decoder_text(c->decoder, len);

	memcpy(copy, text, len);
	*c->value = (UsValue) {copy, (uint32) len, kind};
}

static bool
take_integer(Conversion *c, int64 *result)
{
	const char *text = c->value->data;
	uint32		len = c->value->len;
	bool		minus = len > 0 && text[0] == '-';
	uint64		magnitude = 0;

	for (uint32 i = minus; i < len; i++)
	{
		unsigned int digit = (unsigned char) (text[i] - '0');

		if (digit > 9)
			return refuse(c, INVALID_TEXT, "a whole number was expected");
		if (magnitude > (PG_UINT64_MAX - digit) / 10)
			return refuse(c, OUT_OF_RANGE, "the number is out of range");
		magnitude = magnitude * 10 + digit;
	}
	if (magnitude > (uint64) PG_INT64_MAX + minus)
		return refuse(c, OUT_OF_RANGE, "the number is out of range");
	*result = minus ? (int64) (0 - magnitude) : (int64) magnitude;
	return true;
}

/*
 * Dates and times.
 */

/* len of a text in a buffer, which is -1 where PostgreSQL has no such value */
static bool
set_moment(Conversion *c, const char *text, int len)
{
	if (len < 0)
		return refuse(c, DATETIME_RANGE, "date or time out of range");
	set_text(c, US_VALUE_STRING, text, len);
	return true;
}

static bool
set_infinity(Conversion *c, bool positive)
{
	return positive ? set_moment(c, "infinity", 8) : set_moment(c, "-infinity", 9);
}

static bool
convert_date(Conversion *c)
{
	char		text[US_TEXT_BYTES];
	int64		days;

	if (!take_integer(c, &days))
		return false;
	if (days == PG_INT32_MAX || days == PG_INT32_MIN)
		return set_infinity(c, days > 0);
	return set_moment(c, text, us_text_date(days, text));
}

static bool
convert_time(Conversion *c)
{
	char		text[US_TEXT_BYTES];
	int64		units;

	return take_integer(c, &units) &&
		set_moment(c, text, us_text_time(units, c->type->units_per_second, text));
}

/* -1, 1, 0 = it is finite */
static int
infinity_sign(int64 units)
{
	if (units == PG_INT64_MAX || units == DRIVER_INFINITY || units == DRIVER_INFINITY / 1000)
		return 1;
	if (units == PG_INT64_MIN || units == DRIVER_MINUS_INFINITY ||
		units == DRIVER_MINUS_INFINITY / 1000)
		return -1;
	return 0;
}

static bool
convert_timestamp(Conversion *c)
{
	char		text[US_TEXT_BYTES];
	int64		units;
	int			sign;

	if (!take_integer(c, &units))
		return false;
	sign = infinity_sign(units);
	if (sign != 0)
		return set_infinity(c, sign > 0);
	return set_moment(c, text, us_text_timestamp(units, c->type->units_per_second, false, text));
}

/* a fraction of a second keeps its zeros: interval's input takes them */
static bool
convert_duration(Conversion *c)
{
	char		text[US_TEXT_BYTES];
	int64		units;
	uint64		second = (uint64) c->type->units_per_second;
	uint64		magnitude;
	int			digits = second == 1000000 ? 6 : 9;
	int			len;

	if (!take_integer(c, &units))
		return false;
	magnitude = units < 0 ? 0 - (uint64) units : (uint64) units;
	len = sprintf(text, "%s" UINT64_FORMAT ".%0*d seconds", units < 0 ? "-" : "",
				  magnitude / second, digits, (int) (magnitude % second));
	set_text(c, US_VALUE_STRING, text, len);
	return true;
}

static bool
has_prefix(const UsValue *value, const char *prefix)
{
	return value->len >= strlen(prefix) && memcmp(value->data, prefix, strlen(prefix)) == 0;
}

/*
 * ISO 8601 has a sign before a year of more than four digits, and a year 0;
 * PostgreSQL has neither.
 */
static bool
convert_zoned(Conversion *c)
{
	const char *data = c->value->data;
	uint32		len = c->value->len;
	uint32		digits = 1;
	int			year = 0;
	char	   *text;

	if (has_prefix(c->value, "+292278994-08-16T23:00:00") ||
		has_prefix(c->value, "-292275055-05-16T23:00:00"))
		return set_infinity(c, data[0] == '+');
	if (len < 5 || (data[0] != '+' && data[0] != '-' && memcmp(data, "0000-", 5) != 0))
		return true;
	if (data[0] == '+')
	{
		c->value->data++;
		c->value->len--;
		return true;
	}
	for (digits = data[0] == '-'; digits < len && data[digits] >= '0' && data[digits] <= '9' &&
		 year < 100000000; digits++)
		year = year * 10 + (data[digits] - '0');
	if (digits == len || data[digits] != '-')
		return refuse(c, DATETIME_RANGE, "timestamp out of range");
	text = us_decoder_text(c->decoder, len + US_TEXT_BYTES);
	len = (uint32) sprintf(text, "%04d%.*s BC", year + 1, (int) (len - digits), data + digits);
	us_decoder_text_trim(c->decoder, c->value->len + US_TEXT_BYTES - len);
	*c->value = (UsValue) {text, len, US_VALUE_STRING};
	return true;
}

/*
 * Bytes.
 */

/* what base64 stands for, in the decoder's text; NULL = it is none, and that is refused */
static char *
take_base64(Conversion *c, const UsValue *base64, int *len)
{
	int			room = pg_b64_dec_len((int) base64->len);
	char	   *bytes = us_decoder_text(c->decoder, room + 1);

	/* through void: the argument is unsigned in some versions */
	*len = pg_b64_decode(base64->data, (int) base64->len, (void *) bytes, room);
	if (*len >= 0)
		return bytes;
	(void) refuse(c, "22023", "invalid base64");
	return NULL;
}

static bool
convert_bytes(Conversion *c)
{
	int			len;
	char	   *bytes = take_base64(c, c->value, &len);
	char	   *text;

	if (bytes == NULL)
		return false;
	text = us_decoder_text(c->decoder, 2 + (size_t) len * 2);
	*c->value = (UsValue) {text, (uint32) us_text_bytes(bytes, len, text), US_VALUE_STRING};
	return true;
}

static bool
convert_bits(Conversion *c)
{
	int			len;
	char	   *bytes = take_base64(c, c->value, &len);
	int			count = c->type->number;
	char	   *text;

	if (bytes == NULL)
		return false;
	/* a bit varying without a limit has the largest length there is */
	if (count == US_DEBEZIUM_NO_NUMBER || count == PG_INT32_MAX)
		count = len * 8;
	if (count < 0 || count > BITS_MAX)
		return refuse(c, OUT_OF_RANGE, "too many bits");
	text = us_decoder_text(c->decoder, count);
	for (int bit = 0; bit < count; bit++)
		text[count - 1 - bit] = bit / 8 < len && ((unsigned char) bytes[bit / 8] >> bit % 8) & 1 ? '1' : '0';
	*c->value = (UsValue) {text, (uint32) count, US_VALUE_STRING};
	return true;
}

/*
 * Decimals.
 */

static bool
convert_unscaled(Conversion *c, const UsValue *base64, int scale)
{
	int			len;
	char	   *bytes = take_base64(c, base64, &len);
	size_t		room;
	char	   *text;
	int			count;

	if (bytes == NULL)
		return false;
	if (abs(scale) > US_DECIMAL_SCALE_MAX || len > US_DECIMAL_BYTES_MAX)
		return refuse(c, OUT_OF_RANGE, "decimal out of range");
	room = US_DECIMAL_TEXT_BYTES(len, scale);
	text = us_decoder_text(c->decoder, room);
	count = us_decimal_text(bytes, len, scale, text);
	us_decoder_text_trim(c->decoder, room - count);
	*c->value = (UsValue) {text, (uint32) count, US_VALUE_NUMBER};
	return true;
}

static bool
convert_decimal(Conversion *c)
{
	if (c->type->number == US_DEBEZIUM_NO_NUMBER)
		return refuse(c, "22023", "the schema of a decimal has no scale");
	return convert_unscaled(c, c->value, c->type->number);
}

/*
 * Structs.
 */

static bool
read_parts(UsDecoder *parts, const UsValue *value, UsValue *values)
{
	us_decoder_reset(parts);
	return value->kind == US_VALUE_OBJECT &&
		us_decode_json(parts, value->data, value->len, values) == US_DECODE_OK;
}

bool
us_debezium_is_variable(UsDecoder *parts, const UsValue *value)
{
	UsValue		values[NPARTS];

	return read_parts(parts, value, values) && !parts->unknown &&
		values[PART_SCALE].kind == US_VALUE_NUMBER &&
		values[PART_VALUE].kind == US_VALUE_STRING &&
		values[PART_X].kind == US_VALUE_ABSENT && values[PART_Y].kind == US_VALUE_ABSENT &&
		values[PART_WKB].kind == US_VALUE_ABSENT && values[PART_SRID].kind == US_VALUE_ABSENT;
}

static bool
convert_variable(Conversion *c)
{
	UsValue		values[NPARTS];
	Conversion	scale = *c;
	int64		number;

	if (!read_parts(c->parts, c->value, values) ||
		values[PART_SCALE].kind != US_VALUE_NUMBER)
		return refuse(c, INVALID_TEXT, "a decimal without a scale");
	if (values[PART_VALUE].kind == US_VALUE_NUMBER)
	{
		set_text(c, US_VALUE_NUMBER, values[PART_VALUE].data, values[PART_VALUE].len);
		return true;
	}
	scale.value = &values[PART_SCALE];
	if (values[PART_VALUE].kind != US_VALUE_STRING || !take_integer(&scale, &number))
		return refuse(c, INVALID_TEXT, "a decimal that is none");
	if (number < -US_DECIMAL_SCALE_MAX || number > US_DECIMAL_SCALE_MAX)
		return refuse(c, OUT_OF_RANGE, "decimal out of range");
	return convert_unscaled(c, &values[PART_VALUE], (int) number);
}

static bool
convert_point(Conversion *c)
{
	UsValue		values[NPARTS];
	const UsValue *x = &values[PART_X];
	const UsValue *y = &values[PART_Y];
	char	   *text;
	size_t		len;

	if (!read_parts(c->parts, c->value, values) ||
		x->kind != US_VALUE_NUMBER || y->kind != US_VALUE_NUMBER)
		return refuse(c, INVALID_TEXT, "a point without x and y");
	len = (size_t) x->len + y->len + 3;
	text = us_decoder_text(c->decoder, len);
	text[0] = '(';
	memcpy(text + 1, x->data, x->len);
	text[1 + x->len] = ',';
	memcpy(text + 2 + x->len, y->data, y->len);
	text[len - 1] = ')';
	*c->value = (UsValue) {text, (uint32) len, US_VALUE_STRING};
	return true;
}

/* as PostGIS takes it: SRID=n; and the hexadecimal form */
static bool
convert_geometry(Conversion *c)
{
	UsValue		values[NPARTS];
	const UsValue *srid = &values[PART_SRID];
	char	   *bytes;
	char	   *text;
	int			len;
	int			start = 0;

	if (!read_parts(c->parts, c->value, values) || values[PART_WKB].kind != US_VALUE_STRING)
		return refuse(c, INVALID_TEXT, "a geometry without wkb");
	bytes = take_base64(c, &values[PART_WKB], &len);
	if (bytes == NULL)
		return false;
	text = us_decoder_text(c->decoder, (size_t) len * 2 + srid->len + 8);
	if (srid->kind == US_VALUE_NUMBER)
		start = sprintf(text, "SRID=%.*s;", (int) srid->len, srid->data);
	us_text_hex(bytes, len, text + start);
	*c->value = (UsValue) {text, (uint32) (start + len * 2), US_VALUE_STRING};
	return true;
}

/* whether a type has something to do with a value that looks like this */
static bool
is_convertible(UsDebeziumKind kind, const UsValue *value)
{
	switch (kind)
	{
		case US_DEBEZIUM_PLAIN:
			return false;
		case US_DEBEZIUM_DATE:
		case US_DEBEZIUM_TIME:
		case US_DEBEZIUM_TIMESTAMP:
		case US_DEBEZIUM_DURATION:
			return value->kind == US_VALUE_NUMBER;
		case US_DEBEZIUM_ZONED:
		case US_DEBEZIUM_DECIMAL:
		case US_DEBEZIUM_BYTES:
		case US_DEBEZIUM_BITS:
			return value->kind == US_VALUE_STRING;
		case US_DEBEZIUM_VARIABLE:
		case US_DEBEZIUM_POINT:
		case US_DEBEZIUM_GEOMETRY:
			return value->kind == US_VALUE_OBJECT;
	}
	return false;
}

static bool
convert_one(Conversion *c)
{
	if (!is_convertible(c->type->kind, c->value))
		return true;
	switch (c->type->kind)
	{
		case US_DEBEZIUM_PLAIN:
			return true;
		case US_DEBEZIUM_DATE:
			return convert_date(c);
		case US_DEBEZIUM_TIME:
			return convert_time(c);
		case US_DEBEZIUM_TIMESTAMP:
			return convert_timestamp(c);
		case US_DEBEZIUM_ZONED:
			return convert_zoned(c);
		case US_DEBEZIUM_DURATION:
			return convert_duration(c);
		case US_DEBEZIUM_DECIMAL:
			return convert_decimal(c);
		case US_DEBEZIUM_VARIABLE:
			return convert_variable(c);
		case US_DEBEZIUM_BYTES:
			return convert_bytes(c);
		case US_DEBEZIUM_BITS:
			return convert_bits(c);
		case US_DEBEZIUM_POINT:
			return convert_point(c);
		case US_DEBEZIUM_GEOMETRY:
			return convert_geometry(c);
	}
	return true;
}

/* an element of an array, as a value; a string without its quotes */
static UsValue
element_value(UsDecoder *decoder, const char *data, size_t len)
{
	UsValue		value = {data, (uint32) len, US_VALUE_NUMBER};
	char	   *text;

	if (data[0] == '{')
		value.kind = US_VALUE_OBJECT;
	else if (data[0] == 'n')
		value.kind = US_VALUE_NULL;
	else if (data[0] == '"')
	{
		text = us_decoder_text(decoder, len);
		value.len = (uint32) us_json_unescape(data + 1, (int) len - 2, text);
		value.data = text;
		value.kind = US_VALUE_STRING;
	}
	return value;
}

/* the array anew with converted elements; what they become has no byte to escape but \ */
static bool
convert_array(Conversion *c)
{
	const UsValue whole = *c->value;
	const char *at = whole.data;
	const char *data;
	size_t		len;
	size_t		used = 0;
	size_t		room = 0;
	char	   *text = NULL;

	while (us_debezium_next_element(&at, whole.data + whole.len, &data, &len))
	{
		UsValue		element = element_value(c->decoder, data, len);
		const char *piece = data;
		Conversion	one = *c;
		bool		quoted;

		one.value = &element;
		if (!is_convertible(c->type->kind, &element))
			quoted = false;
		else if (!convert_one(&one))
		{
			if (text != NULL)
				pfree(text);
			return false;
		}
		else
		{
			quoted = element.kind == US_VALUE_STRING;
			piece = element.data;
			len = element.len;
		}
		if (used + len + 8 > room)
		{
			room = (used + len + 8) * 2;
			text = text == NULL ? palloc(room) : repalloc(text, room);
		}
		text[used] = used == 0 ? '[' : ',';
		used++;
		if (quoted)
			text[used++] = '"';
		if (quoted && len > 0 && piece[0] == '\\')
			text[used++] = '\\';
		memcpy(text + used, piece, len);
		used += len;
		if (quoted)
			text[used++] = '"';
	}
	if (text == NULL)
		return true;
	text[used++] = ']';
	set_text(c, US_VALUE_ARRAY, text, used);
	pfree(text);
	return true;
}

bool
us_debezium_convert(UsDecoder *decoder, UsDecoder *parts, const UsDebeziumType *type, int field,
					UsValue *value)
{
	Conversion	c = {decoder, parts, type, field, value};

	if (!type->is_array)
		return convert_one(&c);
	return value->kind != US_VALUE_ARRAY || convert_array(&c);
}
