/*-------------------------------------------------------------------------
 * dashboard/parse.c
 *    numbers and times of a request, read strictly
 *-------------------------------------------------------------------------
 */
#include "dashboard/parse.h"

#include <string.h>

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
us_parse_int64(const char *text, int64_t max, int64_t *value)
{
	int64_t		n = 0;

	if (*text == '\0')
		return false;
	for (; *text; text++)
	{
		int			digit = *text - '0';

		if (!is_digit(*text) || n > (max - digit) / 10)
			return false;
		n = n * 10 + digit;
	}
	if (n > max)
		return false;
	*value = n;
	return true;
}

/* so many digits at *at, between low and high; moves behind them */
static bool
take(const char **at, int digits, int low, int high, int *value)
{
	*value = 0;
	for (int i = 0; i < digits; i++, (*at)++)
	{
		if (!is_digit(**at))
			return false;
		*value = *value * 10 + (**at - '0');
	}
	return *value >= low && *value <= high;
}

static bool
take_char(const char **at, char c)
{
	if (**at != c)
		return false;
	(*at)++;
	return true;
}

static int
days_of(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool		leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

bool
us_parse_time(const char *text)
{
	const char *at = text;
	int			year;
	int			month;
	int			day;
	int			n;

	if (!take(&at, 4, 1, 9999, &year) || !take_char(&at, '-') ||
		!take(&at, 2, 1, 12, &month) || !take_char(&at, '-') ||
		!take(&at, 2, 1, days_of(year, month), &day) || !take_char(&at, 'T') ||
		!take(&at, 2, 0, 23, &n) || !take_char(&at, ':') ||
		!take(&at, 2, 0, 59, &n) || !take_char(&at, ':') || !take(&at, 2, 0, 59, &n))
		return false;
	if (take_char(&at, '.'))
	{
		size_t		digits = strspn(at, "0123456789");

		if (digits < 1 || digits > 6)
			return false;
		at += digits;
	}
	if (take_char(&at, 'Z'))
		return *at == '\0';
	if (!take_char(&at, '+') && !take_char(&at, '-'))
		return false;
	return take(&at, 2, 0, 14, &n) && take_char(&at, ':') && take(&at, 2, 0, 59, &n) && *at == '\0';
}
