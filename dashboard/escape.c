/*-------------------------------------------------------------------------
 * dashboard/escape.c
 *    text of others made harmless, one writer for each context
 *-------------------------------------------------------------------------
 */
#include "dashboard/escape.h"

#include <stdio.h>
#include <string.h>

int
us_utf8_length(const char *text, size_t len, unsigned *code)
{
	const unsigned char *s = (const unsigned char *) text;
	static const unsigned smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned	value;
	int			n;

	if (len == 0)
		return 0;
	if (s[0] < 0x80)
	{
		if (code)
			*code = s[0];
		return 1;
	}
	n = s[0] >= 0xf0 && s[0] < 0xf8 ? 4 : s[0] >= 0xe0 && s[0] < 0xf0 ? 3 :
		s[0] >= 0xc0 && s[0] < 0xe0 ? 2 : 0;
	if (n == 0 || len < (size_t) n)
		return 0;
	value = s[0] & (0xffu >> (n + 1));
	for (int i = 1; i < n; i++)
	{
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (s[i] & 0x3f);
	}
	if (value < smallest[n] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	if (code)
		*code = value;
	return n;
}

static bool
is_unseen(unsigned code)
{
	return (code < 0x20 && code != '\t' && code != '\n') ||
		(code >= 0x7f && code <= 0x9f) ||
		code == 0x200e || code == 0x200f || code == 0x2028 || code == 0x2029 ||
		(code >= 0x202a && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) ||
		code == 0xfeff;
}

/* what stands for an ASCII character in HTML, or NULL */
static const char *
entity(unsigned code)
{
	switch (code)
	{
		case '&':
			return "&amp;";
		case '<':
			return "&lt;";
		case '>':
			return "&gt;";
		case '"':
			return "&quot;";
		case '\'':
			return "&#39;";
		default:
			return NULL;
	}
}

/* open and close stand around what is shown instead of a character */
static void
write_markup(UsBuf *buf, const char *text, size_t len, const char *open, const char *close)
{
	while (len > 0)
	{
		unsigned	code = 0;
		int			n = us_utf8_length(text, len, &code);

		if (n == 0)
			us_buf_printf(buf, "%s\\x%02x%s", open, (unsigned char) *text, close);
		else if (is_unseen(code))
			us_buf_printf(buf, "%s&lt;U+%04X&gt;%s", open, code, close);
		else if (n == 1 && entity(code))
			us_buf_puts(buf, entity(code));
		else
			us_buf_add(buf, text, (size_t) n);
		text += n ? n : 1;
		len -= n ? (size_t) n : 1;
	}
}

void
us_html_bytes(UsBuf *buf, const char *bytes, size_t len)
{
	write_markup(buf, bytes, len, "<span class=\"odd\">", "</span>");
}

void
us_html_text(UsBuf *buf, const char *text)
{
	us_html_bytes(buf, text, strlen(text));
}

void
us_html_attr(UsBuf *buf, const char *text)
{
	write_markup(buf, text, strlen(text), "", "");
}

/* an HTML element inside SVG's text would end the SVG */
void
us_svg_text(UsBuf *buf, const char *text)
{
	write_markup(buf, text, strlen(text), "", "");
}

void
us_url_arg(UsBuf *buf, const char *text)
{
	for (; *text; text++)
	{
		unsigned char c = (unsigned char) *text;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			c == '-' || c == '_' || c == '.' || c == '~')
			us_buf_add(buf, text, 1);
		else
			us_buf_printf(buf, "%%%02X", c);
	}
}

/* a number may begin with a minus: it is no formula */
static bool
is_number(const char *text)
{
	size_t		n = strspn(text, "-");

	return n <= 1 && text[n] != '\0' && text[n + strspn(text + n, "0123456789.")] == '\0';
}

void
us_csv_field(UsBuf *buf, const char *text)
{
	bool		formula = *text && strchr("=+-@\t\r", *text) && !is_number(text);

	if (!formula && text[strcspn(text, ",\"\r\n")] == '\0')
	{
		us_buf_puts(buf, text);
		return;
	}
	us_buf_puts(buf, formula ? "\"'" : "\"");
	for (; *text; text++)
	{
		if (*text == '"')
			us_buf_puts(buf, "\"");
		us_buf_add(buf, text, 1);
	}
	us_buf_puts(buf, "\"");
}

void
us_metric_label(UsBuf *buf, const char *text)
{
	size_t		len = strlen(text);

	while (len > 0)
	{
		int			n = us_utf8_length(text, len, NULL);

		if (n == 0)
			us_buf_puts(buf, "\xef\xbf\xbd");
		else if (*text == '\\' || *text == '"')
			us_buf_printf(buf, "\\%c", *text);
		else if (*text == '\n')
			us_buf_puts(buf, "\\n");
		else
			us_buf_add(buf, text, (size_t) n);
		text += n ? n : 1;
		len -= n ? (size_t) n : 1;
	}
}

void
us_json_clean(UsBuf *buf, const char *text, size_t len)
{
	while (len > 0)
	{
		int			n = us_utf8_length(text, len, NULL);

		if (n == 0)
			us_buf_printf(buf, "\\x%02x", (unsigned char) *text);
		else
			us_buf_add(buf, text, (size_t) n);
		text += n ? n : 1;
		len -= n ? (size_t) n : 1;
	}
}
