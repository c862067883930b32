/*-------------------------------------------------------------------------
 * test/unit/tap.c
 *    results of a C test program, in the form that prove reads
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "test/unit/tap.h"

static int	results;
static int	failures;

static bool
report(bool passed, const char *format, va_list args)
{
	results++;
	if (!passed)
		failures++;
	printf("%sok %d - ", passed ? "" : "not ", results);
	vprintf(format, args);
	putchar('\n');
	/* a sanitizer ends the program without a flush */
	fflush(stdout);
	return passed;
}

bool
tap_ok(bool passed, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	report(passed, format, args);
	va_end(args);
	return passed;
}

bool
tap_is(long long got, long long expected, const char *format,...)
{
	va_list		args;

	va_start(args, format);
	report(got == expected, format, args);
	va_end(args);
	if (got != expected)
		tap_note("got %lld, expected %lld", got, expected);
	return got == expected;
}

void
tap_note(const char *format,...)
{
	va_list		args;

	printf("# ");
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
}

const char *
tap_bytes(const char *bytes, size_t len)
{
	static char buffers[4][96];
	static int	next;
	char	   *text = buffers[next++ % 4];
	size_t		used = 0;

	for (size_t i = 0; i < len; i++)
	{
		unsigned char byte = (unsigned char) bytes[i];

		if (used > 70)
		{
			used += sprintf(text + used, "... %zu bytes", len);
			break;
		}
		/* # would begin a directive */
		if (byte < 0x20 || byte > 0x7e || byte == '#')
			used += sprintf(text + used, "<%02x>", byte);
		else
			text[used++] = (char) byte;
	}
	text[used] = '\0';
	return text;
}

int
tap_done(void)
{
	printf("1..%d\n", results);
	return failures == 0 ? 0 : 1;
}
