/*-------------------------------------------------------------------------
 * worker/cql/text.c
 *    CQL values -> text for people
 *
 * For a reader of rows, for tests and for messages; nothing reads it back.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "worker/cql/value.h"

#define DAY_MS		INT64_C(86400000)
#define QUOTE		'\''

static bool put_value(UsCqlWriter *writer, const UsCqlType *type, UsCqlBytes bytes, bool nested);

static void
put_words(UsCqlWriter *writer, const char *words)
{
	us_cql_put_raw(writer, words, strlen(words));
}

static void
put_hex(UsCqlWriter *writer, const uint8_t *data, size_t len)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < len; i++)
	{
		us_cql_put_u8(writer, (uint8_t) digits[data[i] >> 4]);
		us_cql_put_u8(writer, (uint8_t) digits[data[i] & 15]);
	}
}

static void
put_blob(UsCqlWriter *writer, UsCqlBytes bytes)
{
	put_words(writer, "0x");
	put_hex(writer, bytes.data, bytes.len);
}

/* text in a collection: in quotes, a quote within doubled */
static void
put_quoted(UsCqlWriter *writer, UsCqlBytes bytes)
{
	us_cql_put_u8(writer, QUOTE);
	for (size_t i = 0; i < bytes.len; i++)
	{
		if (bytes.data[i] == QUOTE)
			us_cql_put_u8(writer, QUOTE);
		us_cql_put_u8(writer, bytes.data[i]);
	}
	us_cql_put_u8(writer, QUOTE);
}

/* the shortest text that gives the same number again */
static void
put_double(UsCqlWriter *writer, double value, bool is_float)
{
	char		text[40];

	for (int digits = is_float ? 6 : 15; digits <= (is_float ? 9 : 17); digits++)
	{
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (is_float ? strtof(text, NULL) == (float) value : strtod(text, NULL) == value)
			break;
	}
	put_words(writer, text);
}

/* days since 1970-01-01 -> year-month-day, proleptic Gregorian, year 0 before 1 */
static void
put_date(UsCqlWriter *writer, int64_t days)
{
	int64_t		shifted = days + 719468;	/* since 0000-03-01 */
	int64_t		era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
	int64_t		day = shifted - era * 146097;	/* of the era of 400 years */
	int64_t		year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int64_t		day_of_year = day - (365 * year + year / 4 - year / 100);	/* from March */
	int64_t		month = (5 * day_of_year + 2) / 153;	/* from March */
	char		text[64];

	snprintf(text, sizeof(text), "%04lld-%02d-%02d",
			 (long long) (year + era * 400 + (month >= 10)),
			 (int) (month < 10 ? month + 3 : month - 9),
			 (int) (day_of_year - (153 * month + 2) / 5 + 1));
	put_words(writer, text);
}

static void
put_timestamp(UsCqlWriter *writer, int64_t ms)
{
	int64_t		days = ms / DAY_MS;
	int			rest = (int) (ms % DAY_MS);
	char		text[64];

	if (rest < 0)
	{
		days--;
		rest += (int) DAY_MS;
	}
	put_date(writer, days);
	snprintf(text, sizeof(text), " %02d:%02d:%02d.%03d+0000", rest / 3600000, rest / 60000 % 60,
			 rest / 1000 % 60, rest % 1000);
	put_words(writer, text);
}

static void
put_time(UsCqlWriter *writer, int64_t ns)
{
	int			seconds = (int) (ns / 1000000000);
	char		text[64];

	snprintf(text, sizeof(text), "%02d:%02d:%02d.%09d", seconds / 3600, seconds / 60 % 60,
			 seconds % 60, (int) (ns % 1000000000));
	put_words(writer, text);
}

static void
put_uuid(UsCqlWriter *writer, const uint8_t *bytes)
{
	static const int groups[] = {4, 2, 2, 2, 6};

	for (int i = 0; i < 5; i++)
	{
		if (i > 0)
			us_cql_put_u8(writer, '-');
		put_hex(writer, bytes, (size_t) groups[i]);
		bytes += groups[i];
	}
}

/* RFC 5952: the first of the longest runs of two or more zero groups becomes "::" */
static void
put_inet6(UsCqlWriter *writer, const uint8_t *bytes)
{
	int			best = -1;
	int			best_len = 1;
	char		text[8];

	for (int i = 0; i < 8; i++)
	{
		int			len = 0;

		while (i + len < 8 && us_cql_load_u16(bytes + 2 * (i + len)) == 0)
			len++;
		if (len > best_len)
		{
			best = i;
			best_len = len;
		}
	}
	for (int i = 0; i < 8; i++)
	{
		if (i == best)
		{
			put_words(writer, "::");
			i += best_len - 1;
			continue;
		}
		snprintf(text, sizeof(text), "%s%x", i > 0 && i != best + best_len ? ":" : "",
				 us_cql_load_u16(bytes + 2 * i));
		put_words(writer, text);
	}
}

static bool
put_inet(UsCqlWriter *writer, UsCqlBytes bytes)
{
	char		text[24];

	if (bytes.len == 16)
	{
		put_inet6(writer, bytes.data);
		return true;
	}
	if (bytes.len != 4)
		return false;
	snprintf(text, sizeof(text), "%d.%d.%d.%d", bytes.data[0], bytes.data[1], bytes.data[2],
			 bytes.data[3]);
	put_words(writer, text);
	return true;
}

static bool
put_duration(UsCqlWriter *writer, UsCqlBytes bytes)
{
	char		text[64];
	int32_t		months;
	int32_t		days;
	int64_t		ns;

	if (!us_cql_get_duration(bytes, &months, &days, &ns))
		return false;
	snprintf(text, sizeof(text), "%dmo%dd%lldns", months, days, (long long) ns);
	put_words(writer, text);
	return true;
}

/* an element may be null in a tuple; there it is told */
static bool
put_element(UsCqlWriter *writer, const UsCqlType *type, UsCqlReader *elements)
{
	UsCqlBytes	element = us_cql_get_element(elements);

	if (elements->failed)
		return false;
	if (element.data == NULL)
	{
		put_words(writer, "null");
		return true;
	}
	return put_value(writer, type, element, true);
}

static bool
put_collection(UsCqlWriter *writer, const UsCqlType *type, UsCqlBytes bytes)
{
	UsCqlReader elements;
	int32_t		count;

	if (!us_cql_get_count(bytes, &elements, &count))
		return false;
	us_cql_put_u8(writer, type->id == US_CQL_LIST ? '[' : '{');
	for (int32_t i = 0; i < count; i++)
	{
		if (i > 0)
			put_words(writer, ", ");
		if (!put_element(writer, &type->parts[0], &elements))
			return false;
		if (type->id != US_CQL_MAP)
			continue;
		put_words(writer, ": ");
		if (!put_element(writer, &type->parts[1], &elements))
			return false;
	}
	us_cql_put_u8(writer, type->id == US_CQL_LIST ? ']' : '}');
	return true;
}

/* trailing fields may be missing: they are null */
static bool
put_fields(UsCqlWriter *writer, const UsCqlType *type, UsCqlBytes bytes)
{
	UsCqlReader elements;

	us_cql_reader_init(&elements, bytes.data, bytes.len);
	us_cql_put_u8(writer, type->id == US_CQL_UDT ? '{' : '(');
	for (int i = 0; i < type->nparts; i++)
	{
		if (i > 0)
			put_words(writer, ", ");
		if (type->id == US_CQL_UDT)
		{
			us_cql_put_raw(writer, type->fields[i].data, type->fields[i].len);
			put_words(writer, ": ");
		}
		if (us_cql_left(&elements) == 0)
			put_words(writer, "null");
		else if (!put_element(writer, &type->parts[i], &elements))
			return false;
	}
	us_cql_put_u8(writer, type->id == US_CQL_UDT ? '}' : ')');
	return true;
}

static bool
put_number(UsCqlWriter *writer, UsCqlTypeId id, UsCqlBytes bytes)
{
	char		text[24];
	int64_t		integer;
	double		wide;
	float		narrow;

	switch (id)
	{
		case US_CQL_DOUBLE:
			if (!us_cql_get_double(bytes, &wide))
				return false;
			put_double(writer, wide, false);
			return true;
		case US_CQL_FLOAT:
			if (!us_cql_get_float(bytes, &narrow))
				return false;
			put_double(writer, narrow, true);
			return true;
		case US_CQL_DECIMAL:
			return us_cql_get_decimal(bytes, writer);
		case US_CQL_VARINT:
			return us_cql_get_varint(bytes, writer);
		default:
			if (bytes.len != us_cql_integer_size(id) || !us_cql_get_integer(bytes, &integer))
				return false;
			snprintf(text, sizeof(text), "%lld", (long long) integer);
			put_words(writer, text);
			return true;
	}
}

static bool
put_moment(UsCqlWriter *writer, UsCqlTypeId id, UsCqlBytes bytes)
{
	int64_t		wide;
	int32_t		days;

	switch (id)
	{
		case US_CQL_TIMESTAMP:
			if (!us_cql_get_timestamp(bytes, &wide))
				return false;
			put_timestamp(writer, wide);
			return true;
		case US_CQL_TIME:
			if (!us_cql_get_time(bytes, &wide))
				return false;
			put_time(writer, wide);
			return true;
		default:
			if (!us_cql_get_date(bytes, &days))
				return false;
			put_date(writer, days);
			return true;
	}
}

static bool
put_value(UsCqlWriter *writer, const UsCqlType *type, UsCqlBytes bytes, bool nested)
{
	bool		yes;

	switch (type->id)
	{
		case US_CQL_ASCII:
		case US_CQL_VARCHAR:
			if (nested)
				put_quoted(writer, bytes);
			else
				us_cql_put_raw(writer, bytes.data, bytes.len);
			return true;
		case US_CQL_CUSTOM:
		case US_CQL_BLOB:
			put_blob(writer, bytes);
			return true;
		case US_CQL_BOOLEAN:
			if (!us_cql_get_boolean(bytes, &yes))
				return false;
			put_words(writer, yes ? "true" : "false");
			return true;
		case US_CQL_TIMESTAMP:
		case US_CQL_TIME:
		case US_CQL_DATE:
			return put_moment(writer, type->id, bytes);
		case US_CQL_UUID:
		case US_CQL_TIMEUUID:
			if (bytes.len != 16)
				return false;
			put_uuid(writer, bytes.data);
			return true;
		case US_CQL_INET:
			return put_inet(writer, bytes);
		case US_CQL_DURATION:
			return put_duration(writer, bytes);
		case US_CQL_LIST:
		case US_CQL_SET:
		case US_CQL_MAP:
			return put_collection(writer, type, bytes);
		case US_CQL_TUPLE:
		case US_CQL_UDT:
			return put_fields(writer, type, bytes);
		default:
			return put_number(writer, type->id, bytes);
	}
}

bool
us_cql_put_text(UsCqlWriter *writer, const UsCqlType *type, UsCqlBytes bytes)
{
	return put_value(writer, type, bytes, false);
}
