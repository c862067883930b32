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
#include "dashboard/words.h"

/* between groups of three digits; Spanish has a narrow blank that breaks no line */
static const char *const groups[US_LANGUAGES] = {",", "\u202f"};
static const char decimal_points[US_LANGUAGES] = {'.', ','};

/* deeper levels of JSON are not moved further in */
#define INDENT_DEPTH 64

void
us_format_count(UsBuf *buf, const char *text)
{
	UsLanguage	language = us_language_chosen();
	size_t		digits = strspn(text + (*text == '-'), "0123456789");

	if (*text == '-')
		us_buf_add(buf, text++, 1);
	for (size_t i = 0; i < digits; i++)
	{
		if (i > 0 && (digits - i) % 3 == 0)
			us_buf_puts(buf, groups[language]);
		us_buf_add(buf, text + i, 1);
	}
	text += digits;
	if (digits > 0 && text[0] == '.')
		us_buf_add(buf, &decimal_points[language], *text++ == '.');
	/* its decimals, or what is no number after all */
	us_html_text(buf, text);
}

void
us_format_number(UsBuf *buf, double value, int decimals)
{
	char		text[352];

	if (!isfinite(value))
	{
		us_buf_puts(buf, us_text("unknown"));
		return;
	}
	snprintf(text, sizeof(text), "%.*f", decimals, value);
	us_format_count(buf, text);
}

void
us_format_seconds(UsBuf *buf, double seconds)
{
	if (!isfinite(seconds))
		us_buf_puts(buf, us_text("unknown"));
	else if (seconds == 0)
		us_buf_puts(buf, "0 s");
	else if (seconds < 10)
	{
		us_format_number(buf, seconds, 1);
		us_buf_puts(buf, " s");
	}
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
	us_buf_printf(buf, " %s", us_word(units[unit]));
}

/* the session's DateStyle is ISO and its TimeZone UTC */
void
us_format_time(UsBuf *buf, const char *text)
{
	size_t		len = strlen(text);

	if (len < 19 || text[10] != ' ' || strcmp(text + len - 3, "+00") != 0 ||
		strspn(text, "0123456789-:. +") != len)
	{
		/* infinity, or before our era */
		us_html_text(buf, text);
		return;
	}
	us_buf_printf(buf, "<time datetime=\"%.10sT%.8sZ\">%.19s UTC</time>", text, text + 11, text);
}

static int
hex_value(char c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

void
us_format_unhex(UsBuf *bytes, const char *text)
{
	if (strncmp(text, "\\x", 2) != 0)
		return;
	for (text += 2; text[0] && text[1]; text += 2)
	{
		char		c = (char) (hex_value(text[0]) << 4 | hex_value(text[1]));

		us_buf_add(bytes, &c, 1);
	}
}

static void
new_line(UsBuf *buf, int depth)
{
	us_buf_puts(buf, "\n");
	for (int i = 0; i < depth && i < INDENT_DEPTH; i++)
		us_buf_puts(buf, "  ");
}

void
us_format_json(UsBuf *buf, const char *json, size_t len)
{
	bool		quoted = false;
	int			depth = 0;
	char		last = '\0';

	for (size_t i = 0; i < len; i++)
	{
		char		c = json[i];

		if (quoted)
		{
			us_buf_add(buf, &c, 1);
			if (c == '\\' && i + 1 < len)
				us_buf_add(buf, &json[++i], 1);
			quoted = c != '"';
			continue;
		}
		if (strchr(" \t\r\n", c))
			continue;
		if (c == '}' || c == ']')
		{
			depth--;
			if (last != '{' && last != '[')
				new_line(buf, depth);
		}
		else if (last == '{' || last == '[')
			new_line(buf, depth);
		us_buf_add(buf, &c, 1);
		if (c == '{' || c == '[')
			depth++;
		else if (c == ',')
			new_line(buf, depth);
		else if (c == ':')
			us_buf_puts(buf, " ");
		quoted = c == '"';
		last = c;
	}
}
