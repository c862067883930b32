/*-------------------------------------------------------------------------
 * test/unit/json_limits_test.c
 *    messages that are deep, wide, long, or beyond what is surely jsonb
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <time.h>

#include "test/unit/message.h"
#include "test/unit/tap.h"

/* a message that is built piece by piece */
static char *message;
static size_t used;
static size_t size;

static void
put(const char *bytes)
{
	size_t		len = strlen(bytes);

	while (used + len + 1 > size)
	{
		size = size * 2 + 1024;
		message = realloc(message, size);
	}
	memcpy(message + used, bytes, len + 1);
	used += len;
}

static void
put_times(int times, const char *bytes)
{
	for (int i = 0; i < times; i++)
		put(bytes);
}

static UsDecodeResult
decode_message(UsDecoder *decoder)
{
	UsDecodeResult result = decode_bytes(decoder, message, used);

	used = 0;
	return result;
}

static void
is_result(UsDecodeResult got, UsDecodeResult expected, const char *what)
{
	if (!tap_ok(got == expected, "%s: %s", what, result_name(expected)))
		tap_note("got %s", result_name(got));
}

static void
test_depth(void)
{
	UsDecoder  *decoder = decoder_for("a b");
	const UsValue *deep;

	put("{\"a\":");
	put_times(199, "[");
	put_times(199, "]");
	put("}");
	is_result(decode_message(decoder), US_DECODE_OK, "200 levels");

	put("{\"a\":");
	put_times(200, "[");
	put_times(200, "]");
	put("}");
	is_result(decode_message(decoder), US_DECODE_UNSURE, "201 levels");

	put("{\"a\":");
	put_times(100000, "[");
	put_times(100000, "]");
	put(",\"b\":7}");
	is_result(decode_message(decoder), US_DECODE_UNSURE, "100,000 arrays");
	deep = decoded(0);
	tap_ok(deep->kind == US_VALUE_ARRAY && deep->len == 200000, "the value is all of them");
	tap_ok(decoded(1)->len == 1 && *decoded(1)->data == '7', "and the one behind is found");

	put_times(100000, "{\"a\":");
	put("1");
	put_times(100000, "}");
	is_result(decode_message(decoder), US_DECODE_UNSURE, "100,000 objects");

	put("{\"x\":");
	put_times(50000, "[{\"a\":");
	put("{}");
	put_times(50000, "}]");
	put("}");
	is_result(decode_message(decoder), US_DECODE_UNSURE, "100,000 of both");

	put("{\"x\":");
	put_times(50000, "[{\"a\":");
	put("{}");
	put_times(49999, "}]");
	put("]}}");
	is_result(decode_message(decoder), US_DECODE_INVALID, "100,000 of both, two ends exchanged");

	put_times(100000, "[");
	is_result(decode_message(decoder), US_DECODE_INVALID, "100,000 without ends");
	put_times(100000, "{\"a\":");
	is_result(decode_message(decoder), US_DECODE_INVALID, "100,000 objects without ends");
	put_times(100000, "[");
	put_times(100000, "]");
	is_result(decode_message(decoder), US_DECODE_NOT_OBJECT, "100,000 arrays alone");

	put("{\"a\":1}");
	is_result(decode_message(decoder), US_DECODE_OK, "an ordinary one after that");
}

/* a path as deep as the message */
static void
test_deep_path(void)
{
	UsPathSet  *set = us_path_set_create();
	char	   *steps[300];

	for (int i = 0; i < 300; i++)
		steps[i] = i % 2 == 0 ? "a" : "0";
	us_path_set_add(set, steps, 300);
	us_path_set_add(set, steps, 100);
	put_times(150, "{\"a\":[");
	put("\"bottom\"");
	put_times(150, "]}");
	is_result(decode_message(us_decoder_create("json", set)), US_DECODE_UNSURE, "a path of 300 steps");
	tap_ok(decoded(0)->kind == US_VALUE_STRING && decoded(0)->len == 6, "reaches its value");
	tap_ok(decoded(1)->kind == US_VALUE_OBJECT, "and the one on its way");
}

/* fields in another order than the columns, and as many unknown ones */
static void
test_wide(int width, int stride)
{
	UsPathSet  *set = us_path_set_create();
	char		piece[64];
	char	   *step[1] = {piece};
	int			wrong = 0;

	for (int i = 0; i < width; i++)
	{
		snprintf(piece, sizeof(piece), "column_%d", i);
		us_path_set_add(set, step, 1);
	}
	put("{");
	for (int i = 0; i < width; i++)
	{
		int			column = (int) ((long) i * stride % width);

		snprintf(piece, sizeof(piece), "%s\"column_%d\":%d,\"other_%d\":null", i > 0 ? "," : "",
				 column, column * 3, column);
		put(piece);
	}
	put("}");
	is_result(decode_message(us_decoder_create("json", set)), US_DECODE_OK, "a wide message");
	for (int i = 0; i < width; i++)
	{
		int			len = snprintf(piece, sizeof(piece), "%d", i * 3);

		if (decoded(i)->kind != US_VALUE_NUMBER || decoded(i)->len != (uint32) len ||
			memcmp(decoded(i)->data, piece, len) != 0)
			wrong++;
	}
	tap_is(wrong, 0, "%d columns, step %d: each has its value", width, stride);
}

/* a wide table must not cost columns times fields */
static void
test_wide_time(void)
{
	UsPathSet  *set = us_path_set_create();
	UsDecoder  *decoder;
	UsValue    *values = palloc(sizeof(UsValue) * 1600);
	char		piece[64];
	char	   *step[1] = {piece};
	clock_t		start;
	double		us;

	for (int i = 0; i < 1600; i++)
	{
		snprintf(piece, sizeof(piece), "measurement_%d", i);
		us_path_set_add(set, step, 1);
	}
	put("{");
	for (int i = 1599; i >= 0; i--)
	{
		snprintf(piece, sizeof(piece), "\"measurement_%d\":%d%s", i, i, i > 0 ? "," : "}");
		put(piece);
	}
	decoder = us_decoder_create("json", set);
	start = clock();
	for (int i = 0; i < 20; i++)
		decoder->decode(decoder, message, used, values);
	us = (double) (clock() - start) * 1e6 / CLOCKS_PER_SEC / 20 / 1600;
	used = 0;
	/* searched one by one this takes some 10 us with the sanitizers, hashed 0.2 */
	if (!tap_ok(us < 3, "1,600 columns in reverse cost little a field"))
		tap_note("%.2f us a field", us);
}

static void
put_number(const char *sign, const char *first, int digits, const char *rest)
{
	put("{\"a\":");
	put(sign);
	put(first);
	put_times(digits - 1, "3");
	put(rest);
	put("}");
}

static void
test_numbers(void)
{
	UsDecoder  *decoder = decoder_for("a");
	UsDecoder  *other = decoder_for("b");
	static const char *const unsure[] = {
		"1e1000", "1E+1000", "1e-1000", "1e0001", "1e99999999999", "-1.5e-10000", "0e1000"
	};

	put_number("", "1", 1000, "");
	is_result(decode_message(decoder), US_DECODE_OK, "1,000 digits");
	tap_is(decoded(0)->len, 1000, "all of them");
	put_number("", "1", 1001, "");
	is_result(decode_message(decoder), US_DECODE_UNSURE, "1,001 digits");
	put_number("-", "0.", 999, "");
	is_result(decode_message(decoder), US_DECODE_UNSURE, "1,001 bytes of a number");
	put_number("", "0.", 900, "e-999");
	is_result(decode_message(decoder), US_DECODE_OK, "many digits far behind the point");
	tap_is(decoded(0)->len, 2 + 999 + 899, "are written out");
	put_number("-", "1.", 900, "e+999");
	is_result(decode_message(decoder), US_DECODE_OK, "many digits far before the point");
	tap_is(decoded(0)->len, 1001, "are written out too");

	for (size_t i = 0; i < lengthof(unsure); i++)
	{
		put("{\"a\":");
		put(unsure[i]);
		put("}");
		is_result(decode_message(decoder), US_DECODE_UNSURE, unsure[i]);
		put("{\"a\":[");
		put(unsure[i]);
		put("]}");
		is_result(decode_message(other), US_DECODE_UNSURE, "the same where nobody looks");
		put("[");
		put(unsure[i]);
		put("]");
		is_result(decode_message(decoder), US_DECODE_NOT_OBJECT, "the same in no object");
	}
	put("{\"a\":1e1000");
	is_result(decode_message(decoder), US_DECODE_INVALID, "unsure, but cut");
	put("{\"a\":1e999}");
	is_result(decode_message(decoder), US_DECODE_OK, "1e999");
	tap_is(decoded(0)->len, 1000, "has 1,000 digits");
}

static void
test_size(void)
{
	UsDecoder  *decoder = decoder_for("a b");
	size_t		limit = 16 * 1024 * 1024;

	put("{\"b\":1,\"a\":\"");
	while (used < limit - 2)
		put("x");
	put("\"}");
	is_result(decode_message(decoder), US_DECODE_OK, "16 MB");
	tap_is(decoded(0)->len, limit - 14, "a long string");

	put("{\"b\":1,\"a\":\"\\n");
	while (used < limit)
		put("x");
	put("\"}");
	is_result(decode_message(decoder), US_DECODE_UNSURE, "more than 16 MB");
	tap_is(decoded(0)->len, limit - 13, "a long string with an escape");
	us_decoder_reset(decoder);

	put("{\"b\":[");
	put_times(1000000, "0,");
	put("1],\"a\":2}");
	is_result(decode_message(decoder), US_DECODE_OK, "an array of a million");
	tap_is(decoded(1)->len, 2000003, "whole");
}

/* every length of string against the eight bytes that are looked at at once */
static void
test_alignment(void)
{
	static const char *const ends[] = {"\\n", "\\u0041", "\xc3\xa9", "\x7f", "/"};
	UsDecoder  *decoder = decoder_for("a");
	char		piece[128];
	int			wrong = 0;

	for (int before = 0; before < 20; before++)
	{
		for (int after = 0; after < 20; after++)
		{
			for (size_t i = 0; i < lengthof(ends); i++)
			{
				size_t		expected = before + after + 1 + (i == 2);

				snprintf(piece, sizeof(piece), "{\"a\":\"%.*s%s%.*s\"}", before,
						 "xxxxxxxxxxxxxxxxxxxxxxxx", ends[i], after, "yyyyyyyyyyyyyyyyyyyyyyyy");
				put(piece);
				if (decode_message(decoder) != US_DECODE_OK || decoded(0)->len != expected)
					wrong++;
				/* without the quote at its end */
				snprintf(piece, sizeof(piece), "{\"a\":\"%.*s%s%.*s", before,
						 "xxxxxxxxxxxxxxxxxxxxxxxx", ends[i], after, "yyyyyyyyyyyyyyyyyyyyyyyy");
				put(piece);
				if (decode_message(decoder) != US_DECODE_INVALID)
					wrong++;
				/* with a control character */
				snprintf(piece, sizeof(piece), "{\"a\":\"%.*s\x1f%.*s%s\"}", before,
						 "xxxxxxxxxxxxxxxxxxxxxxxx", after, "yyyyyyyyyyyyyyyyyyyyyyyy", ends[i]);
				put(piece);
				if (decode_message(decoder) != US_DECODE_INVALID)
					wrong++;
			}
		}
	}
	tap_is(wrong, 0, "strings of each length, an odd byte at each place");
}

int
main(void)
{
	test_depth();
	test_deep_path();
	test_wide(17, 5);
	test_wide(500, 1);
	test_wide(500, 499);
	test_wide(500, 123);
	test_wide(1600, 1599);
	test_wide(1600, 637);
	test_wide_time();
	test_numbers();
	test_size();
	test_alignment();
	return tap_done();
}
