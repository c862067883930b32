/*-------------------------------------------------------------------------
 * worker/convert.c
 *    shortcuts from text to values, for the forms that messages mostly have
 *
 * Called for nearly every value of every message: the forms are checked
 * character by character at fixed places, and anything unusual is refused.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "utils/datetime.h"
#include "worker/convert.h"

#define NUMBER_LEN_MAX		64	/* bytes; longer numbers are left to numeric_in */
#define UUID_LEN			36	/* 32 digits and 4 dashes */
#define DATE_LEN			10	/* YYYY-MM-DD */
#define TIME_END			19	/* YYYY-MM-DDTHH:MM:SS */
#define ZONE_HOUR_MAX		14	/* PostgreSQL takes 15 too; nobody sends it */

static inline bool
is_digit(char c)
{
	return (unsigned char) (c - '0') <= 9;
}

/* two digits; false when they are not */
static inline bool
read_two(const char *text, int *result)
{
	if (!is_digit(text[0]) || !is_digit(text[1]))
		return false;
	*result = (text[0] - '0') * 10 + (text[1] - '0');
	return true;
}

bool
us_convert_bool(const char *text, uint32 len, bool *result)
{
	if (len == 1)
	{
		*result = text[0] == 't' || text[0] == '1';
		return *result || text[0] == 'f' || text[0] == '0';
	}
	*result = len == 4;
	return (len == 4 && memcmp(text, "true", 4) == 0) ||
		(len == 5 && memcmp(text, "false", 5) == 0);
}

bool
us_convert_int(const char *text, uint32 len, int64 min, int64 max, int64 *result)
{
	bool		negative = len > 0 && text[0] == '-';
	uint32		start = negative ? 1 : 0;
	int64		value = 0;

	/* 18 digits cannot overflow; the few longer ones go the slow way */
	if (len == start || len - start > 18)
		return false;
	for (uint32 i = start; i < len; i++)
	{
		if (!is_digit(text[i]))
			return false;
		value = value * 10 + (text[i] - '0');
	}
	if (negative)
		value = -value;
	*result = value;
	return value >= min && value <= max;
}

/*
 * Copies a number in JSON's form, NUL-terminated, for strtod.  Out: zero says
 * that all its digits are, exponent that it has one.
 */
static bool
copy_number(const char *text, uint32 len, char *copy, bool *zero, bool *exponent)
{
	const char *p = text;
	const char *end = text + len;

	if (len == 0 || len > NUMBER_LEN_MAX)
		return false;
	*zero = true;
	*exponent = false;
	if (*p == '-')
		p++;
	if (p == end || !is_digit(*p))
		return false;
	for (; p < end && is_digit(*p); p++)
		*zero &= *p == '0';
	if (p < end && *p == '.')
	{
		p++;
		if (p == end || !is_digit(*p))
			return false;
		for (; p < end && is_digit(*p); p++)
			*zero &= *p == '0';
	}
	if (p < end && (*p == 'e' || *p == 'E'))
	{
		*exponent = true;
		p++;
		if (p < end && (*p == '+' || *p == '-'))
			p++;
		if (p == end || !is_digit(*p))
			return false;
		while (p < end && is_digit(*p))
			p++;
	}
	if (p != end)
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	return true;
}

bool
us_convert_float8(const char *text, uint32 len, bool json_number, float8 *result)
{
	char		copy[NUMBER_LEN_MAX + 1];
	bool		zero;
	bool		exponent;
	char	   *end;

	if (!copy_number(text, len, copy, &zero, &exponent))
		return false;
	if (zero && json_number)
	{
		*result = 0;
		return true;
	}
	errno = 0;
	*result = strtod(copy, &end);

	/* too large and too small: the input function has the words for it */
	return *end == '\0' && errno == 0 && !isinf(*result) && (zero || *result != 0);
}

bool
us_convert_float4(const char *text, uint32 len, bool json_number, float4 *result)
{
	char		copy[NUMBER_LEN_MAX + 1];
	bool		zero;
	bool		exponent;
	char	   *end;

	if (!copy_number(text, len, copy, &zero, &exponent))
		return false;
	if (zero && json_number)
	{
		*result = 0;
		return true;
	}
	errno = 0;
	*result = strtof(copy, &end);
	return *end == '\0' && errno == 0 && !isinf(*result) && (zero || *result != 0);
}

bool
us_number_is_plain(const char *text, uint32 len)
{
	char		copy[NUMBER_LEN_MAX + 1];
	bool		zero;
	bool		exponent;

	return copy_number(text, len, copy, &zero, &exponent) &&
		!exponent && !(zero && text[0] == '-');
}

#define X				0xff
#define X16				X, X, X, X, X, X, X, X, X, X, X, X, X, X, X, X

/* value of a hexadecimal digit; X for any other character */
static const uint8 hex_value[256] = {
	X16, X16, X16,
	0, 1, 2, 3, 4, 5, 6, 7, 8, 9, X, X, X, X, X, X,
	X, 10, 11, 12, 13, 14, 15, X, X, X, X, X, X, X, X, X,
	X16,
	X, 10, 11, 12, 13, 14, 15, X, X, X, X, X, X, X, X, X,
	X16, X16, X16, X16, X16, X16, X16, X16, X16
};

#undef X
#undef X16

bool
us_convert_uuid(const char *text, uint32 len, unsigned char *result)
{
	/* where the two digits of each byte stand */
	static const uint8 place[US_UUID_SIZE] =
	{0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
	unsigned int bad = 0;

	if (len != UUID_LEN || text[8] != '-' || text[13] != '-' ||
		text[18] != '-' || text[23] != '-')
		return false;
	for (int i = 0; i < US_UUID_SIZE; i++)
	{
		unsigned int high = hex_value[(unsigned char) text[place[i]]];
		unsigned int low = hex_value[(unsigned char) text[place[i] + 1]];

		bad |= high | low;
		result[i] = (unsigned char) (high << 4 | low);
	}
	return bad <= 0x0f;
}

bool
us_convert_date(const char *text, uint32 len, DateADT *result)
{
	int			century;
	int			year;
	int			month;
	int			day;

	if (len != DATE_LEN || text[4] != '-' || text[7] != '-' ||
		!read_two(text, &century) || !read_two(text + 2, &year) ||
		!read_two(text + 5, &month) || !read_two(text + 8, &day))
		return false;
	year += century * 100;

	/* there is no year 0, and 0001 .. 0099 depend on how PostgreSQL reads short years */
	if (year < 100 || month < 1 || month > 12 || day < 1 ||
		day > day_tab[isleap(year)][month - 1])
		return false;
	*result = date2j(year, month, day) - POSTGRES_EPOCH_JDATE;
	return true;
}

/* ".ffffff" in front of end: microseconds, and how many characters were read */
static bool
read_fraction(const char *text, const char *end, int *usec, int *ndigits)
{
	const char *p = text + 1;
	int			value = 0;

	for (; p < end && is_digit(*p); p++)
	{
		if (p - text > 6)
			return false;
		value = value * 10 + (*p - '0');
	}
	*ndigits = (int) (p - text) - 1;
	if (*ndigits == 0)
		return false;
	for (int i = *ndigits; i < 6; i++)
		value *= 10;
	*usec = value;
	return true;
}

/* Z, +hh, +hhmm, +hh:mm up to end: seconds east of Greenwich */
static bool
read_zone(const char *text, const char *end, int *seconds)
{
	int			hours;
	int			minutes = 0;

	if (end - text == 1 && *text == 'Z')
	{
		*seconds = 0;
		return true;
	}
	if (end - text < 3 || (*text != '+' && *text != '-') || !read_two(text + 1, &hours) ||
		hours > ZONE_HOUR_MAX)
		return false;
	if (end - text == 5 ? !read_two(text + 3, &minutes) :
		end - text == 6 ? (text[3] != ':' || !read_two(text + 4, &minutes)) :
		end - text != 3)
		return false;
	if (minutes > 59)
		return false;
	*seconds = (hours * 60 + minutes) * SECS_PER_MINUTE;
	if (*text == '-')
		*seconds = -*seconds;
	return true;
}

/* both kinds; zoned says that there was a zone, seconds how far east it is */
static bool
read_timestamp(const char *text, uint32 len, int32 typmod, Timestamp *local,
			   bool *zoned, int *seconds)
{
	const char *end = text + len;
	const char *p = text + TIME_END;
	DateADT		date;
	int			hour;
	int			minute;
	int			second;
	int			usec = 0;

	if (len < TIME_END || (text[10] != 'T' && text[10] != ' ') ||
		text[13] != ':' || text[16] != ':' ||
		!read_two(text + 11, &hour) || !read_two(text + 14, &minute) ||
		!read_two(text + 17, &second) ||
		hour > 23 || minute > 59 || second > 59 ||
		!us_convert_date(text, DATE_LEN, &date))
		return false;
	if (p < end && *p == '.')
	{
		int			ndigits;

		if (!read_fraction(p, end, &usec, &ndigits) ||
			(typmod >= 0 && ndigits > typmod))
			return false;
		p += ndigits + 1;
	}
	*zoned = p < end;
	*seconds = 0;
	if (*zoned && !read_zone(p, end, seconds))
		return false;
	*local = (Timestamp) date * USECS_PER_DAY +
		((hour * MINS_PER_HOUR + minute) * SECS_PER_MINUTE + second) * USECS_PER_SEC + usec;
	return true;
}

bool
us_convert_timestamp(const char *text, uint32 len, int32 typmod, Timestamp *result)
{
	bool		zoned;
	int			seconds;

	return read_timestamp(text, len, typmod, result, &zoned, &seconds);
}

bool
us_convert_timestamptz(const char *text, uint32 len, int32 typmod, TimestampTz *result)
{
	Timestamp	local;
	bool		zoned;
	int			seconds;

	if (!read_timestamp(text, len, typmod, &local, &zoned, &seconds) || !zoned)
		return false;
	*result = local - (int64) seconds * USECS_PER_SEC;
	return true;
}
