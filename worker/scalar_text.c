/*-------------------------------------------------------------------------
 * worker/scalar_text.c
 *    scalar values -> texts that PostgreSQL's types take
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "common/shortest_dec.h"
#include "datatype/timestamp.h"

#include "worker/scalar_text.h"

#define FIRST_DAY		(-UNIX_EPOCH_JDATE) /* of what date and timestamp can hold */
#define END_DAY			(DATE_END_JULIAN - UNIX_EPOCH_JDATE)
#define TIMESTAMP_END_DAY	(TIMESTAMP_END_JULIAN - UNIX_EPOCH_JDATE)
#define EPOCH_DAYS		719468	/* from 0000-03-01 to 1970-01-01 */
#define ERA_DAYS		146097	/* of 400 years */

static const char hex_digits[] = "0123456789abcdef";

/* a number of at least so many digits */
static char *
put_number(char *out, uint64 value, int width)
{
	char		digits[20];
	int			count = 0;

	do
	{
		digits[count++] = (char) ('0' + value % 10);
		value /= 10;
	} while (value > 0 || count < width);
	while (count > 0)
		*out++ = digits[--count];
	return out;
}

/* the part of a second that is left, without the zeros at its end */
static char *
put_fraction(char *out, int64 units, int units_per_second)
{
	int			width = 0;

	if (units == 0)
		return out;
	for (int unit = units_per_second; unit > 1; unit /= 10)
		width++;
	*out++ = '.';
	out = put_number(out, (uint64) units, width);
	while (out[-1] == '0')
		out--;
	return out;
}

/* two digits */
static inline char *
put_pair(char *out, int number)
{
	*out++ = (char) ('0' + number / 10);
	*out++ = (char) ('0' + number % 10);
	return out;
}

/* four digits at least */
static inline char *
put_year(char *out, int64 year)
{
	if (year > 9999)
		return put_number(out, (uint64) year, 4);
	return put_pair(put_pair(out, (int) year / 100), (int) year % 100);
}

static char *
put_time(char *out, int64 units, int units_per_second)
{
	int			seconds = (int) (units / units_per_second);

	out = put_pair(out, seconds / SECS_PER_HOUR);
	*out++ = ':';
	out = put_pair(out, seconds / SECS_PER_MINUTE % MINS_PER_HOUR);
	*out++ = ':';
	out = put_pair(out, seconds % SECS_PER_MINUTE);
	return put_fraction(out, units % units_per_second, units_per_second);
}

static int64
floor_divide(int64 value, int64 by)
{
	return value / by - (value % by < 0);
}

/*
 * Days since 1970-01-01 -> year, and YYYY-MM-DD without what makes it one before
 * Christ.  Of the Gregorian calendar, extended to all times; counted in years
 * that begin in March, so that the leap day is the last.
 */
static char *
put_date(char *out, int64 days, int64 *year)
{
	int64		era = floor_divide(days + EPOCH_DAYS, ERA_DAYS);
	int			day = (int) (days + EPOCH_DAYS - era * ERA_DAYS);
	int			year_of_era = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	int			month;

	day -= 365 * year_of_era + year_of_era / 4 - year_of_era / 100;
	month = (5 * day + 2) / 153;	/* 0 = March */
	day -= (153 * month + 2) / 5;
	*year = era * 400 + year_of_era + (month >= 10);
	out = put_year(out, *year > 0 ? *year : 1 - *year);
	*out++ = '-';
	out = put_pair(out, month < 10 ? month + 3 : month - 9);
	*out++ = '-';
	return put_pair(out, day + 1);
}

static char *
put_era(char *out, int64 year)
{
	if (year > 0)
		return out;
	memcpy(out, " BC", 3);
	return out + 3;
}

int
us_text_int(int64 value, char *text)
{
	char	   *out = text;

	if (value < 0)
		*out++ = '-';
	return (int) (put_number(out, value < 0 ? -(uint64) value : (uint64) value, 1) - text);
}

int
us_text_float(float value, char *text)
{
	return float_to_shortest_decimal_bufn(value, text);
}

int
us_text_double(double value, char *text)
{
	return double_to_shortest_decimal_bufn(value, text);
}

int
us_text_date(int64 days, char *text)
{
	int64		year;
	char	   *out;

	if (days < FIRST_DAY || days >= END_DAY)
		return -1;
	out = put_date(text, days, &year);
	return (int) (put_era(out, year) - text);
}

int
us_text_time(int64 units, int units_per_second, char *text)
{
	if (units < 0 || units > (int64) SECS_PER_DAY * units_per_second)
		return -1;
	return (int) (put_time(text, units, units_per_second) - text);
}

int
us_text_timestamp(int64 units, int units_per_second, bool zoned, char *text)
{
	int64		day_units = (int64) SECS_PER_DAY * units_per_second;
	int64		days = floor_divide(units, day_units);
	int64		year;
	char	   *out;

	if (days < FIRST_DAY || days >= TIMESTAMP_END_DAY)
		return -1;
	out = put_date(text, days, &year);
	*out++ = 'T';
	out = put_time(out, units - days * day_units, units_per_second);
	if (zoned)
	{
		memcpy(out, "+00:00", 6);
		out += 6;
	}
	return (int) (put_era(out, year) - text);
}

static char *
put_hex(char *out, const char *bytes, int len)
{
	for (int i = 0; i < len; i++)
	{
		unsigned char byte = (unsigned char) bytes[i];

		*out++ = hex_digits[byte >> 4];
		*out++ = hex_digits[byte & 15];
	}
	return out;
}

int
us_text_uuid(const char *bytes, char *text)
{
	static const int groups[] = {4, 2, 2, 2, 6};
	char	   *out = text;

	for (int i = 0; i < (int) lengthof(groups); i++)
	{
		if (i > 0)
			*out++ = '-';
		out = put_hex(out, bytes, groups[i]);
		bytes += groups[i];
	}
	return (int) (out - text);
}

static uint32
read_uint32(const char *bytes)
{
	const unsigned char *b = (const unsigned char *) bytes;

	return (uint32) b[3] << 24 | (uint32) b[2] << 16 | (uint32) b[1] << 8 | (uint32) b[0];
}

int
us_text_duration(const char *bytes, char *text)
{
	uint32		millis = read_uint32(bytes + 8);
	char	   *out = text;

	*out++ = 'P';
	out = put_number(out, read_uint32(bytes), 1);
	*out++ = 'M';
	out = put_number(out, read_uint32(bytes + 4), 1);
	*out++ = 'D';
	*out++ = 'T';
	out = put_number(out, millis / 1000, 1);
	out = put_fraction(out, millis % 1000, 1000);
	*out++ = 'S';
	return (int) (out - text);
}

void
us_text_hex(const char *bytes, int len, char *text)
{
	(void) put_hex(text, bytes, len);
}

int
us_text_bytes(const char *bytes, int len, char *text)
{
	text[0] = '\\';
	text[1] = 'x';
	return (int) (put_hex(text + 2, bytes, len) - text);
}
