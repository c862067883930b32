/*-------------------------------------------------------------------------
 * dashboard/format.c
 *    values of PostgreSQL's text form made readable
 *-------------------------------------------------------------------------
 */
#include "dashboard/format.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "dashboard/escape.h"

void
us_format_count(UsBuf *buf, const char *text)
{
	size_t		digits = strspn(text + (*text == '-'), "0123456789");

	if (*text == '-')
		us_buf_add(buf, text++, 1);
	for (size_t i = 0; i < digits; i++)
	{
		if (i > 0 && (digits - i) % 3 == 0)
			us_buf_puts(buf, ",");
		us_buf_add(buf, text + i, 1);
	}
	/* what is no integer after all, or its decimals */
	us_html_text(buf, text + digits);
}

void
us_format_number(UsBuf *buf, double value, int decimals)
{
	char		text[352];

	if (!isfinite(value))
	{
		us_buf_puts(buf, "unknown");
		return;
	}
	snprintf(text, sizeof(text), "%.*f", decimals, value);
	us_format_count(buf, text);
}

void
us_format_seconds(UsBuf *buf, double seconds)
{
	if (!isfinite(seconds))
		us_buf_puts(buf, "unknown");
	else if (seconds < 10)
		us_buf_printf(buf, "%.1f s", seconds);
	else if (seconds < 60)
		us_buf_printf(buf, "%.0f s", seconds);
	else if (seconds < 3600)
		us_buf_printf(buf, "%d min %d s", (int) (seconds / 60), (int) fmod(seconds, 60));
	else if (seconds < 86400)
		us_buf_printf(buf, "%d h %d min", (int) (seconds / 3600), (int) (fmod(seconds, 3600) / 60));
	else
		us_buf_printf(buf, "%.0f d %d h", floor(seconds / 86400),
					  (int) (fmod(seconds, 86400) / 3600));
}

void
us_format_bytes(UsBuf *buf, double bytes)
{
	static const char *const units[] = {"bytes", "kB", "MB", "GB", "TB", "PB"};
	int			unit = 0;

	while (fabs(bytes) >= 1024 && unit < 5)
	{
		bytes /= 1024;
		unit++;
	}
	us_format_number(buf, bytes, unit == 0 ? 0 : 1);
	us_buf_printf(buf, " %s", units[unit]);
}

/* the session's DateStyle is ISO and its TimeZone UTC */
void
us_format_time(UsBuf *buf, const char *text)
{
	size_t		len = strlen(text);

	if (len < 19 || text[10] != ' ' || strcmp(text + len - 3, "+00") != 0)
	{
		/* infinity, or before our era */
		us_html_text(buf, text);
		return;
	}
	us_buf_printf(buf, "<time datetime=\"%.10sT%.8sZ\">%.19s UTC</time>", text, text + 11, text);
}
