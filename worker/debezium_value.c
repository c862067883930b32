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

#include "worker/debezium_internal.h"
#include "worker/json_token.h"
#include "worker/scalar_text.h"

#define DATETIME_RANGE		"22008"

/*
 * PostgreSQL's infinities as they come: as the ends of the type, as its driver
 * has them in milliseconds, and as what Debezium 3.6 makes of these: days that
 * no longer fit into 32 bits (one pair for rows, one for changes), years that
 * no type of PostgreSQL has.  No finite value is among them.
 */
typedef struct Infinity
{
	int64		number;
	int			sign;
} Infinity;

static const Infinity days_of_infinity[] = {
	{PG_INT32_MAX, 1}, {PG_INT32_MIN, -1},
	{-622191234, 1}, {-625821272, -1},
	{-2147472692, 1}, {-2147472691, -1},
};

static const Infinity units_of_infinity[] = {
	{PG_INT64_MAX, 1}, {PG_INT64_MIN, -1},
	{INT64CONST(9223372036825200000), 1}, {INT64CONST(-9223372036832400000), -1},
	{INT64CONST(9223372036825200), 1}, {INT64CONST(-9223372036832400), -1},
};

static const struct
{
	const char *prefix;
	int			sign;
}			texts_of_infinity[] = {
	{"+292278994-08-16", 1}, {"-292275055-05-16", -1},
	{"+292269055-12-02", -1},
	{"-5877611-06-21", 1}, {"-5877611-06-22", -1},
	{"+294247-01-10T04:00:25.2Z", 1}, {"-290308-12-21T19:59:27.6Z", -1},
};

bool
us_conversion_refuse(UsConversion *c, const char *sqlstate, const char *what)
{
	(void) us_decoder_refuse(c->decoder, c->field, sqlstate, NULL, "%s: \"%.*s\"", what,
							 us_decoder_clip(c->value->data, c->value->len), c->value->data);
	return false;
}

void
us_conversion_set(UsConversion *c, UsValueKind kind, const char *text, size_t len)
{
	char	   *copy = us_decoder_text(c->decoder, len);

	memcpy(copy, text, len);
	*c->value = (UsValue) {copy, (uint32) len, kind};
}

bool
us_conversion_integer(UsConversion *c, int64 *result)
{
	const char *text = c->value->data;
	uint32		len = c->value->len;
	bool		minus = len > 0 && text[0] == '-';
	uint64		magnitude = 0;

	for (uint32 i = minus; i < len; i++)
	{
		unsigned int digit = (unsigned char) (text[i] - '0');

		if (digit > 9)
			return us_conversion_refuse(c, US_INVALID_TEXT, "a whole number was expected");
		if (magnitude > (PG_UINT64_MAX - digit) / 10)
			return us_conversion_refuse(c, US_OUT_OF_RANGE, "the number is out of range");
		magnitude = magnitude * 10 + digit;
	}
	if (magnitude > (uint64) PG_INT64_MAX + minus)
		return us_conversion_refuse(c, US_OUT_OF_RANGE, "the number is out of range");
	*result = minus ? (int64) (0 - magnitude) : (int64) magnitude;
	return true;
}

/*
 * Dates and times.
 */

/* len of a text in a buffer, which is -1 where PostgreSQL has no such value */
static bool
set_moment(UsConversion *c, const char *text, int len)
{
	if (len < 0)
		return us_conversion_refuse(c, DATETIME_RANGE, "date or time out of range");
	us_conversion_set(c, US_VALUE_STRING, text, len);
	return true;
}

static bool
set_infinity(UsConversion *c, bool positive)
{
	return positive ? set_moment(c, "infinity", 8) : set_moment(c, "-infinity", 9);
}

/* -1, 1, 0 = it is finite */
static int
find_infinity(const Infinity *known, size_t count, int64 number)
{
	for (size_t i = 0; i < count; i++)
		if (known[i].number == number)
			return known[i].sign;
	return 0;
}

static bool
convert_date(UsConversion *c)
{
	char		text[US_TEXT_BYTES];
	int64		days;
	int			sign;

	if (!us_conversion_integer(c, &days))
		return false;
	sign = find_infinity(days_of_infinity, lengthof(days_of_infinity), days);
	if (sign != 0)
		return set_infinity(c, sign > 0);
	return set_moment(c, text, us_text_date(days, text));
}

static bool
convert_time(UsConversion *c)
{
	char		text[US_TEXT_BYTES];
	int64		units;

	return us_conversion_integer(c, &units) &&
		set_moment(c, text, us_text_time(units, c->type->units_per_second, text));
}

static bool
convert_timestamp(UsConversion *c)
{
	char		text[US_TEXT_BYTES];
	int64		units;
	int			sign;

	if (!us_conversion_integer(c, &units))
		return false;
	sign = find_infinity(units_of_infinity, lengthof(units_of_infinity), units);
	if (sign != 0)
		return set_infinity(c, sign > 0);
	return set_moment(c, text, us_text_timestamp(units, c->type->units_per_second, false, text));
}

/* a fraction of a second keeps its zeros: interval's input takes them */
static bool
convert_duration(UsConversion *c)
{
	char		text[US_TEXT_BYTES];
	int64		units;
	uint64		second = (uint64) c->type->units_per_second;
	uint64		magnitude;
	int			digits = second == 1000000 ? 6 : 9;
	int			len;

	if (!us_conversion_integer(c, &units))
		return false;
	magnitude = units < 0 ? 0 - (uint64) units : (uint64) units;
	len = sprintf(text, "%s" UINT64_FORMAT ".%0*d seconds", units < 0 ? "-" : "",
				  magnitude / second, digits, (int) (magnitude % second));
	us_conversion_set(c, US_VALUE_STRING, text, len);
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
convert_zoned(UsConversion *c)
{
	const char *data = c->value->data;
	uint32		len = c->value->len;
	uint32		digits = 1;
	int			year = 0;
	char	   *text;

	for (size_t i = 0; i < lengthof(texts_of_infinity); i++)
		if (has_prefix(c->value, texts_of_infinity[i].prefix))
			return set_infinity(c, texts_of_infinity[i].sign > 0);
	/* infinity is sent as such, with its sign */
	if (len < 5 || (data[0] == '-' && (data[1] < '0' || data[1] > '9')) ||
		(data[0] != '+' && data[0] != '-' && memcmp(data, "0000-", 5) != 0))
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
		return us_conversion_refuse(c, DATETIME_RANGE, "timestamp out of range");
	text = us_decoder_text(c->decoder, len + US_TEXT_BYTES);
	len = (uint32) sprintf(text, "%04d%.*s BC", year + 1, (int) (len - digits), data + digits);
	us_decoder_text_trim(c->decoder, c->value->len + US_TEXT_BYTES - len);
	*c->value = (UsValue) {text, len, US_VALUE_STRING};
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
convert_one(UsConversion *c)
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
			return us_debezium_decimal(c);
		case US_DEBEZIUM_VARIABLE:
			return us_debezium_variable(c);
		case US_DEBEZIUM_BYTES:
			return us_debezium_bytes(c);
		case US_DEBEZIUM_BITS:
			return us_debezium_bits(c);
		case US_DEBEZIUM_POINT:
			return us_debezium_point(c);
		case US_DEBEZIUM_GEOMETRY:
			return us_debezium_geometry(c);
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
convert_array(UsConversion *c)
{
	const UsValue whole = *c->value;
	const char *at = whole.data;
	const char *data;
	size_t		len;
	size_t		used = 0;
	size_t		room = 64;
	char	   *text = palloc(room);

	while (us_debezium_next_element(&at, whole.data + whole.len, &data, &len))
	{
		UsValue		element = element_value(c->decoder, data, len);
		const char *piece = data;
		UsConversion	one = *c;
		bool		quoted;

		one.value = &element;
		if (!is_convertible(c->type->kind, &element))
			quoted = false;
		else if (!convert_one(&one))
		{
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
			text = repalloc(text, room);
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
	if (used > 0)
	{
		text[used++] = ']';
		us_conversion_set(c, US_VALUE_ARRAY, text, used);
	}
	pfree(text);
	return true;
}

bool
us_debezium_convert(UsDecoder *decoder, UsDecoder *parts, const UsDebeziumType *type, int field,
					UsValue *value)
{
	UsConversion	c = {decoder, parts, type, field, value};

	if (!type->is_array)
		return convert_one(&c);
	return value->kind != US_VALUE_ARRAY || convert_array(&c);
}
