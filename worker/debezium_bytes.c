/*-------------------------------------------------------------------------
 * worker/debezium_bytes.c
 *    what Connect writes in base64 -> the text of PostgreSQL's type
 *
 * Bytes, bits and decimals; and the structs that hold them.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "common/base64.h"
#include "worker/debezium_internal.h"
#include "worker/decimal_text.h"
#include "worker/scalar_text.h"

#define BITS_MAX	1000000

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

UsDecoder *
us_debezium_parts_create(void)
{
	UsPathSet  *paths = us_path_set_create();

	for (int i = 0; i < NPARTS; i++)
		(void) us_path_set_add(paths, &parts_paths[i], 1);
	return us_decoder_create("json", paths);
}

/*
 * Bytes.
 */

/* what base64 stands for, in the decoder's text; NULL = it is none, and that is refused */
static char *
take_base64(UsConversion *c, const UsValue *base64, int *len)
{
	int			room = pg_b64_dec_len((int) base64->len);
	char	   *bytes = us_decoder_text(c->decoder, room + 1);

	/* through void: the argument is unsigned in some versions */
	*len = pg_b64_decode(base64->data, (int) base64->len, (void *) bytes, room);
	if (*len >= 0)
		return bytes;
	(void) us_conversion_refuse(c, "22023", "invalid base64");
	return NULL;
}

bool
us_debezium_bytes(UsConversion *c)
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

bool
us_debezium_bits(UsConversion *c)
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
		return us_conversion_refuse(c, US_OUT_OF_RANGE, "too many bits");
	text = us_decoder_text(c->decoder, count);
	for (int bit = 0; bit < count; bit++)
	{
		unsigned char byte = bit / 8 < len ? (unsigned char) bytes[bit / 8] : 0;

		text[count - 1 - bit] = (byte >> bit % 8) & 1 ? '1' : '0';
	}
	*c->value = (UsValue) {text, (uint32) count, US_VALUE_STRING};
	return true;
}

/*
 * Decimals.
 */

static bool
convert_unscaled(UsConversion *c, const UsValue *base64, int scale)
{
	int			len;
	char	   *bytes = take_base64(c, base64, &len);
	size_t		room;
	char	   *text;
	int			count;

	if (bytes == NULL)
		return false;
	if (abs(scale) > US_DECIMAL_SCALE_MAX || len > US_DECIMAL_BYTES_MAX)
		return us_conversion_refuse(c, US_OUT_OF_RANGE, "decimal out of range");
	room = US_DECIMAL_TEXT_BYTES(len, scale);
	text = us_decoder_text(c->decoder, room);
	count = us_decimal_text(bytes, len, scale, text);
	us_decoder_text_trim(c->decoder, room - count);
	*c->value = (UsValue) {text, (uint32) count, US_VALUE_NUMBER};
	return true;
}

bool
us_debezium_decimal(UsConversion *c)
{
	if (c->type->number == US_DEBEZIUM_NO_NUMBER)
		return us_conversion_refuse(c, "22023", "the schema of a decimal has no scale");
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

UsDebeziumKind
us_debezium_guess(UsDecoder *parts, const UsValue *value)
{
	UsValue		v[NPARTS];
	bool		scaled;
	bool		located;

	if (!read_parts(parts, value, v) || parts->unknown)
		return US_DEBEZIUM_PLAIN;
	scaled = v[PART_SCALE].kind != US_VALUE_ABSENT || v[PART_VALUE].kind != US_VALUE_ABSENT;
	located = v[PART_X].kind != US_VALUE_ABSENT || v[PART_Y].kind != US_VALUE_ABSENT;
	if (v[PART_WKB].kind == US_VALUE_ABSENT && v[PART_SRID].kind == US_VALUE_ABSENT)
		return !located && v[PART_SCALE].kind == US_VALUE_NUMBER &&
			v[PART_VALUE].kind == US_VALUE_STRING ? US_DEBEZIUM_VARIABLE : US_DEBEZIUM_PLAIN;
	if (scaled || v[PART_SRID].kind == US_VALUE_ABSENT)
		return US_DEBEZIUM_PLAIN;
	if (v[PART_X].kind == US_VALUE_NUMBER && v[PART_Y].kind == US_VALUE_NUMBER)
		return US_DEBEZIUM_POINT;
	return !located && v[PART_WKB].kind == US_VALUE_STRING ? US_DEBEZIUM_GEOMETRY :
		US_DEBEZIUM_PLAIN;
}

bool
us_debezium_variable(UsConversion *c)
{
	UsValue		values[NPARTS];
	UsConversion	scale = *c;
	int64		number;

	if (!read_parts(c->parts, c->value, values) ||
		values[PART_SCALE].kind != US_VALUE_NUMBER)
		return us_conversion_refuse(c, US_INVALID_TEXT, "a decimal without a scale");
	if (values[PART_VALUE].kind == US_VALUE_NUMBER)
	{
		us_conversion_set(c, US_VALUE_NUMBER, values[PART_VALUE].data, values[PART_VALUE].len);
		return true;
	}
	scale.value = &values[PART_SCALE];
	if (values[PART_VALUE].kind != US_VALUE_STRING || !us_conversion_integer(&scale, &number))
		return us_conversion_refuse(c, US_INVALID_TEXT, "a decimal that is none");
	if (number < -US_DECIMAL_SCALE_MAX || number > US_DECIMAL_SCALE_MAX)
		return us_conversion_refuse(c, US_OUT_OF_RANGE, "decimal out of range");
	return convert_unscaled(c, &values[PART_VALUE], (int) number);
}

bool
us_debezium_point(UsConversion *c)
{
	UsValue		values[NPARTS];
	const UsValue *x = &values[PART_X];
	const UsValue *y = &values[PART_Y];
	char	   *text;
	size_t		len;

	if (!read_parts(c->parts, c->value, values) ||
		x->kind != US_VALUE_NUMBER || y->kind != US_VALUE_NUMBER)
		return us_conversion_refuse(c, US_INVALID_TEXT, "a point without x and y");
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
bool
us_debezium_geometry(UsConversion *c)
{
	UsValue		values[NPARTS];
	const UsValue *srid = &values[PART_SRID];
	char	   *bytes;
	char	   *text;
	int			len;
	int			start = 0;

	if (!read_parts(c->parts, c->value, values) || values[PART_WKB].kind != US_VALUE_STRING)
		return us_conversion_refuse(c, US_INVALID_TEXT, "a geometry without wkb");
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
