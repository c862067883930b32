/*-------------------------------------------------------------------------
 * worker/cql/value.c
 *    C values <-> the bytes of CQL values
 *
 * Exact numbers are in number.c, the text for people is in text.c.
 *-------------------------------------------------------------------------
 */
#include "worker/cql/value.h"

#define NULL_VALUE		UINT32_C(0xffffffff)	/* -1 */
#define UNSET_VALUE		UINT32_C(0xfffffffe)	/* -2 */
#define DATE_EPOCH		UINT32_C(0x80000000)	/* 1970-01-01 in the middle of u32 */

void
us_cql_put_null(UsCqlWriter *writer)
{
	us_cql_put_u32(writer, NULL_VALUE);
}

void
us_cql_put_unset(UsCqlWriter *writer)
{
	us_cql_put_u32(writer, UNSET_VALUE);
}

void
us_cql_put_blob(UsCqlWriter *writer, const void *data, size_t len)
{
	us_cql_put_long_bytes(writer, data, len);
}

void
us_cql_put_ascii(UsCqlWriter *writer, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if ((unsigned char) text[i] > 0x7f)
		{
			us_cql_writer_refuse(writer, "it has characters beyond ASCII");
			return;
		}
	}
	us_cql_put_long_bytes(writer, text, len);
}

void
us_cql_put_boolean(UsCqlWriter *writer, bool value)
{
	us_cql_put_u32(writer, 1);
	us_cql_put_u8(writer, value ? 1 : 0);
}

size_t
us_cql_integer_size(UsCqlTypeId id)
{
	switch (id)
	{
		case US_CQL_TINYINT:
			return 1;
		case US_CQL_SMALLINT:
			return 2;
		case US_CQL_INT:
			return 4;
		default:
			return 8;
	}
}

void
us_cql_put_integer(UsCqlWriter *writer, UsCqlTypeId id, int64_t value)
{
	int			size = (int) us_cql_integer_size(id);
	int64_t		max = INT64_MAX >> (64 - 8 * size);

	if (value > max || value < -max - 1)
		us_cql_writer_refuse(writer, "it is out of range");
	us_cql_put_u32(writer, (uint32_t) size);
	for (int i = size - 1; i >= 0; i--)
		us_cql_put_u8(writer, (uint8_t) ((uint64_t) value >> (8 * i)));
}

void
us_cql_put_float(UsCqlWriter *writer, float value)
{
	uint32_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	us_cql_put_u32(writer, 4);
	us_cql_put_u32(writer, bits);
}

void
us_cql_put_double(UsCqlWriter *writer, double value)
{
	uint64_t	bits;

	memcpy(&bits, &value, sizeof(bits));
	us_cql_put_u32(writer, 8);
	us_cql_put_u64(writer, bits);
}

void
us_cql_put_date(UsCqlWriter *writer, int32_t days)
{
	us_cql_put_u32(writer, 4);
	us_cql_put_u32(writer, (uint32_t) days + DATE_EPOCH);
}

void
us_cql_put_time(UsCqlWriter *writer, int64_t ns)
{
	if (ns < 0 || ns >= US_CQL_DAY_NS)
		us_cql_writer_refuse(writer, "a day ends before 24:00 there");
	us_cql_put_u32(writer, 8);
	us_cql_put_u64(writer, (uint64_t) ns);
}

void
us_cql_put_timestamp(UsCqlWriter *writer, int64_t ms)
{
	us_cql_put_u32(writer, 8);
	us_cql_put_u64(writer, (uint64_t) ms);
}

void
us_cql_put_uuid(UsCqlWriter *writer, const uint8_t *bytes)
{
	us_cql_put_long_bytes(writer, bytes, 16);
}

void
us_cql_put_timeuuid(UsCqlWriter *writer, const uint8_t *bytes)
{
	if (bytes[6] >> 4 != 1)
		us_cql_writer_refuse(writer, "it is not a UUID of version 1");
	us_cql_put_long_bytes(writer, bytes, 16);
}

void
us_cql_put_inet(UsCqlWriter *writer, const uint8_t *address, size_t len)
{
	if (len != 4 && len != 16)
		us_cql_writer_refuse(writer, "an address has 4 or 16 bytes");
	us_cql_put_long_bytes(writer, address, len);
}

void
us_cql_put_count(UsCqlWriter *writer, int32_t count)
{
	us_cql_put_u32(writer, (uint32_t) count);
}

/*
 * [vint]: zig-zag, then as many leading 1 bits as bytes follow the first one,
 * the rest big-endian
 */
static void
put_vint(UsCqlWriter *writer, int64_t value)
{
	uint64_t	bits = ((uint64_t) value << 1) ^ (value < 0 ? UINT64_MAX : 0);
	int			extra = 0;		/* bytes after the first */

	while (extra < 8 && bits >> (7 * extra + 7) != 0)
		extra++;
	if (extra == 8)
		us_cql_put_u8(writer, 0xff);
	else
		us_cql_put_u8(writer, (uint8_t) (~(0xffu >> extra) | bits >> (8 * extra)));
	for (int i = extra - 1; i >= 0; i--)
		us_cql_put_u8(writer, (uint8_t) (bits >> (8 * i)));
}

static int64_t
get_vint(UsCqlReader *reader)
{
	uint8_t		first = us_cql_get_u8(reader);
	int			extra = 0;
	uint64_t	bits;

	while (extra < 8 && (first & (0x80u >> extra)))
		extra++;
	bits = extra < 8 ? first & (0xffu >> extra) : 0;
	for (int i = 0; i < extra; i++)
		bits = bits << 8 | us_cql_get_u8(reader);
	return (int64_t) (bits >> 1 ^ (bits & 1 ? UINT64_MAX : 0));
}

void
us_cql_put_duration(UsCqlWriter *writer, int32_t months, int32_t days, int64_t ns)
{
	size_t		mark;

	if ((months < 0 || days < 0 || ns < 0) && (months > 0 || days > 0 || ns > 0))
		us_cql_writer_refuse(writer, "months, days and time differ in sign");
	mark = us_cql_open(writer);
	put_vint(writer, months);
	put_vint(writer, days);
	put_vint(writer, ns);
	us_cql_close(writer, mark);
}

bool
us_cql_get_duration(UsCqlBytes bytes, int32_t *months, int32_t *days, int64_t *ns)
{
	UsCqlReader reader;
	int64_t		wide_months;
	int64_t		wide_days;

	us_cql_reader_init(&reader, bytes.data, bytes.len);
	wide_months = get_vint(&reader);
	wide_days = get_vint(&reader);
	*ns = get_vint(&reader);
	*months = (int32_t) wide_months;
	*days = (int32_t) wide_days;
	return !reader.failed && us_cql_left(&reader) == 0 && *months == wide_months &&
		*days == wide_days;
}

bool
us_cql_get_boolean(UsCqlBytes bytes, bool *value)
{
	if (bytes.len != 1)
		return false;
	*value = bytes.data[0] != 0;
	return true;
}

bool
us_cql_get_integer(UsCqlBytes bytes, int64_t *value)
{
	uint64_t	bits;

	if (bytes.len != 1 && bytes.len != 2 && bytes.len != 4 && bytes.len != 8)
		return false;
	bits = bytes.data[0] & 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < bytes.len; i++)
		bits = bits << 8 | bytes.data[i];
	*value = (int64_t) bits;
	return true;
}

bool
us_cql_get_float(UsCqlBytes bytes, float *value)
{
	uint32_t	bits;

	if (bytes.len != 4)
		return false;
	bits = us_cql_load_u32(bytes.data);
	memcpy(value, &bits, sizeof(bits));
	return true;
}

bool
us_cql_get_double(UsCqlBytes bytes, double *value)
{
	uint64_t	bits;

	if (bytes.len != 8)
		return false;
	bits = us_cql_load_u64(bytes.data);
	memcpy(value, &bits, sizeof(bits));
	return true;
}

bool
us_cql_get_date(UsCqlBytes bytes, int32_t *days)
{
	if (bytes.len != 4)
		return false;
	*days = (int32_t) (us_cql_load_u32(bytes.data) - DATE_EPOCH);
	return true;
}

bool
us_cql_get_time(UsCqlBytes bytes, int64_t *ns)
{
	return bytes.len == 8 && us_cql_get_integer(bytes, ns) && *ns >= 0 && *ns < US_CQL_DAY_NS;
}

bool
us_cql_get_timestamp(UsCqlBytes bytes, int64_t *ms)
{
	return bytes.len == 8 && us_cql_get_integer(bytes, ms);
}

bool
us_cql_get_count(UsCqlBytes bytes, UsCqlReader *elements, int32_t *count)
{
	us_cql_reader_init(elements, bytes.data, bytes.len);
	*count = us_cql_get_i32(elements);
	/* each element has a length */
	return !elements->failed && *count >= 0 && us_cql_left(elements) / 4 >= (size_t) *count;
}

UsCqlBytes
us_cql_get_element(UsCqlReader *elements)
{
	return us_cql_get_long_bytes(elements);
}
