/*-------------------------------------------------------------------------
 * dashboard/buf.c
 *    a growing buffer of bytes
 *-------------------------------------------------------------------------
 */
#include "dashboard/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool
reserve(UsBuf *buf, size_t more)
{
	size_t		cap = buf->cap ? buf->cap : 4096;
	char	   *data;

	if (buf->failed || more > US_BUF_MAX_BYTES || buf->len + more + 1 > US_BUF_MAX_BYTES)
	{
		buf->failed = true;
		return false;
	}
	while (cap < buf->len + more + 1)
		cap *= 2;
	if (cap == buf->cap)
		return true;
	data = realloc(buf->data, cap);
	if (data == NULL)
	{
		buf->failed = true;
		return false;
	}
	buf->data = data;
	buf->cap = cap;
	return true;
}

void
us_buf_add(UsBuf *buf, const char *bytes, size_t len)
{
	if (!reserve(buf, len))
		return;
	memcpy(buf->data + buf->len, bytes, len);
	buf->len += len;
	buf->data[buf->len] = '\0';
}

void
us_buf_puts(UsBuf *buf, const char *text)
{
	us_buf_add(buf, text, strlen(text));
}

void
us_buf_printf(UsBuf *buf, const char *format,...)
{
	va_list		args;
	int			len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !reserve(buf, (size_t) len))
	{
		buf->failed = true;
		return;
	}
	va_start(args, format);
	vsnprintf(buf->data + buf->len, (size_t) len + 1, format, args);
	va_end(args);
	buf->len += (size_t) len;
}

const char *
us_buf_text(const UsBuf *buf)
{
	return buf->data ? buf->data : "";
}

void
us_buf_free(UsBuf *buf)
{
	free(buf->data);
	memset(buf, 0, sizeof(*buf));
}
