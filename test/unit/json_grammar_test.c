/*-------------------------------------------------------------------------
 * test/unit/json_grammar_test.c
 *    which bytes are a message: exactly those that jsonb accepts
 *
 * What jsonb says to each of these was compared once in a server; a case that
 * begins with another byte than { is wrapped, so that it stands for a value
 * at any place.
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "test/unit/message.h"
#include "test/unit/tap.h"

/* values that are JSON */
static const char *const good_values[] = {
	"null", "true", "false",
	"0", "-0", "1", "-1", "12", "1234567890123456789012345678901234567890",
	"0.0", "0.5", "-0.5", "1.25", "10.010",
	"0e0", "1e1", "1E1", "1e+1", "1E-1", "1.5e3", "-1.5e-3", "1e001",
	"\"\"", "\"a\"", "\" \"", "\"\x7f\"", "\"'\"", "\"/\"", "\"//\"",
	"\"\\\"\"", "\"\\\\\"", "\"\\/\"", "\"\\b\\f\\n\\r\\t\"",
	"\"\\u0001\"", "\"\\u0020\"", "\"\\u00e9\"", "\"\\u20AC\"", "\"\\uabCD\"", "\"\\uffff\"",
	"\"\\ufffe\"", "\"\\ufdd0\"", "\"\\ud7ff\\ue000\"",
	"\"\\ud800\\udc00\"", "\"\\uDBFF\\uDFFF\"", "\"\\ud83d\\ude00\\ud83d\\ude00\"",
	"\"x\\ud83d\\ude00y\"", "\"\\\\ud83d\"", "\"\\\\u0000\"", "\"\\\\\\\\u\"",
	"\"\xc3\xa9\"", "\"\xe2\x82\xac\"", "\"\xf0\x9f\x98\x80\"", "\"\xf4\x8f\xbf\xbf\"",
	"\"\xef\xbf\xbf\"", "\"\xed\x9f\xbf\xee\x80\x80\"", "\"\xc2\x80\"", "\"\xe2\x80\xa8\"",
	"\"{\"", "\"}\"", "\"[,]:\"", "\"true\"",
	"\"12345678\"", "\"1234567\"", "\"123456\\n\"", "\"1234567\\n\"", "\"12345678\\n\"",
	"[]", "[ ]", "[\n]", "[1]", "[1,2]", "[ 1 , 2 ]", "[[]]", "[[],[]]", "[{}]", "[null]",
	"[[[[[[[[[[]]]]]]]]]]", "[\"\"]", "[1,[2,[3,[4]]]]",
	"{}", "{ }", "{\t}", "{\"a\":1}", "{\"\":0}", "{\"\":\"\"}", "{\"a\":1,\"b\":2}",
	"{ \"a\" : 1 , \"b\" : [ ] }", "{\"a\":{}}", "{\"a\":{\"a\":{\"a\":{}}}}",
	"{\"a\":1,\"a\":2}", "{\"\\u0061\":1}", "{\"\\ud83d\\ude00\":1}", "{\"\\n\":1}",
	"{\"a\":[{\"b\":[{}]}]}", "{\"a\":null,\"b\":true,\"c\":false}",
};

/* values that are not, or that jsonb refuses */
static const char *const bad_values[] = {
	"", " ", ",", ":", "}", "]", "{", "[", "\"", "'", "'a'", "a", "x", "\\", "\\u0061", "/", "#", "*",
	"/**/1", "1/**/", "//\n1", "#\n1", "--1", "&", "(1)", "<1>", "=", "`1`",
	"nul", "nulll", "NULL", "Null", "tru", "truee", "True", "TRUE", "fals", "False", "none",
	"undefined", "NaN", "nan", "Infinity", "-Infinity", "inf", "-inf", "true1", "null_", "nulltrue",
	"true\xc3\xa9", "true\"\"", "-", "+", "+1", "--1", "-a", "- 1", "00", "01", "-01", "007", "1.",
	"1.e1", ".5", "-.5", ".", "1..2", "1.2.3", "1e", "1e+", "1e-", "1E", "e1", "1ee1", "1e1.5", "1e1e1",
	"1 2", "1a", "1_000", "0x10", "0b1", "0o7", "1f", "1L", "1,", "1.5x", "1e5x", "1\xc3\xa9", "12\"\"",
	"\xef\xbc\x91", "1,000",
	"\"a", "a\"", "\"a\"b", "\"a\"\"b\"", "\"\"\"", "\"\\\"", "\"\\\\\\\"", "\"a\\",
	"\"\\a\"", "\"\\x41\"", "\"\\'\"", "\"\\0\"", "\"\\ \"", "\"\\\n\"", "\"\\B\"", "\"\\U0041\"", "\"\\v\"",
	"\"\\\xc3\xa9\"", "\"\\u\"", "\"\\u1\"", "\"\\u12\"", "\"\\u123\"", "\"\\u123g\"", "\"\\uG123\"",
	"\"\\u 123\"", "\"\\u+123\"", "\"\\u-123\"", "\"\\u00\xc3\xa9\"", "\"\\u{61}\"", "\"\\u12\"34\"",
	"\"\t\"", "\"\n\"", "\"\r\"", "\"a\nb\"", "\"\x01\"", "\"\x1f\"", "\"12345678\x1f\"", "\"1234567\n89\"",
	"\"abc\\n\x02\"",
	"\"\\u0000\"", "\"a\\u0000b\"", "\"\\n\\u0000\"",
	"\"\\ud800\"", "\"\\udbff\"", "\"\\udc00\"", "\"\\udfff\"", "\"\\uD800\"", "\"\\ud83dx\"",
	"\"\\ud83d\\n\"", "\"\\ud83d\\nde00\"", "\"\\ud83d\\\\ude00\"", "\"\\ud83d ude00\"", "\"\\ud83d\\u0041\"",
	"\"\\ud83d\\ud83d\"", "\"\\ud83d\\ud83d\\ude00\"", "\"\\ude00\\ud83d\"", "\"\\ud83d\\ude00\\ude00\"",
	"\"\\ud83d\xf0\x9f\x98\x80\"", "\"\\ud83d\\ue000\"", "\"\\ud83d\\ude0\"",
	"[", "]", "[1", "[1,", "[,", "[,]", "[1,]", "[,1]", "[1,,2]", "[1 2]", "[1:2]", "[\"a\":1]", "[1}",
	"[1]]", "[[1]", "[[]", "[] []", "[];", "[\"a]", "[1,null,,]", "[}",
	"{", "{]", "{\"a\"", "{\"a\":", "{\"a\":1", "{\"a\":1,", "{\"a\":1,}", "{,}", "{,\"a\":1}", "{\"a\"}",
	"{\"a\",}", "{\"a\",\"b\"}", "{\"a\" 1}", "{\"a\" 2 1}",
	"{\"a\" {} 1}", "{\"a\"[1}", "{\"a\",1}", "{\"a\"\"b\"1}", "{\"a\"::1}", "{\"a\":1:2}", "{\"a\":,}", "{\"a\":}", "{:1}",
	"{a:1}", "{'a':1}", "{1:1}", "{null:1}", "{true:1}", "{[]:1}", "{{}:1}", "{\"a\":1 \"b\":2}",
	"{\"a\":1;\"b\":2}", "{\"a\":1,,\"b\":2}", "{\"a\"=1}", "{\"a\":1]", "{\"a\":1}}", "{\"a\":1},", "{}{}",
	"{} {}", "{}1", "{}\"\"", "{}x", "{}null", "{\"\\ud800\":1}", "{\"\\u0000\":1}", "{\"\\q\":1}",
	"{\"a\nb\":1}", "{\"a:1}", "{\"a\":\"}", "{\"a\":'b'}", "{\"a\":{\"b\":}}", "{\"a\":[1,2}",
	"{\"x\":{\"\\ud83d\":1}}",
	"\f1", "\v1", "1\f", "\xc2\xa0" "1", "\xe2\x80\xa8" "1", "\xef\xbb\xbf" "1", "\xef\xbb\xbf", "\x01", "\x7f",
	"\xc3\xa9", "\x1e{}",
};

/* not UTF-8, at any place */
static const char *const bad_bytes[] = {
	"\x80", "\xbf", "\xff", "\xfe", "\xc0\x80", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xc3(", "\xc3\xc3",
	"\xe2", "\xe2\x82", "\xe2\x82(", "\xe2(\xac", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xed\xa0\x80",
	"\xed\xbf\xbf", "\xed\xa0\xbd\xed\xb8\x80", "\xf0", "\xf0\x9f", "\xf0\x9f\x98", "\xf0\x80\x80\x80",
	"\xf0\x8f\xbf\xbf", "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80",
};

static UsDecoder *decoder;

static void
expect(UsDecodeResult expected, const char *bytes, size_t len)
{
	UsDecodeResult got = decode_bytes(decoder, bytes, len);

	if (!tap_ok(got == expected, "%s: %s", result_name(expected), tap_bytes(bytes, len)))
		tap_note("got %s", result_name(got));
}

static void
expect_text(UsDecodeResult expected, const char *before, const char *text, const char *after)
{
	char		message[300];
	int			len = snprintf(message, sizeof(message), "%s%s%s", before, text, after);

	expect(expected, message, len);
}

/* as the value of a wanted field, of an unwanted one, in an array, alone */
static void
test_values(void)
{
	for (size_t i = 0; i < lengthof(good_values); i++)
	{
		const char *text = good_values[i];

		expect_text(US_DECODE_OK, "{\"a\":", text, "}");
		expect_text(US_DECODE_OK, "{\"z\":", text, "}");
		expect_text(US_DECODE_OK, "{\"a\":[7,", text, "],\"b\":0}");
		expect_text(text[0] == '{' ? US_DECODE_OK : US_DECODE_NOT_OBJECT, "", text, "");
	}
	for (size_t i = 0; i < lengthof(bad_values); i++)
	{
		const char *text = bad_values[i];
		bool		blank = (text[0] == '\0' || strcmp(text, " ") == 0);

		expect_text(US_DECODE_INVALID, "{\"a\":", text, "}");
		expect_text(US_DECODE_INVALID, "{\"z\":", text, "}");
		expect_text(US_DECODE_INVALID, "{\"z\":[7,", text, "],\"b\":0}");
		expect_text(blank ? US_DECODE_EMPTY : US_DECODE_INVALID, "", text, "");
	}
}

static void
test_encoding(void)
{
	for (size_t i = 0; i < lengthof(bad_bytes); i++)
	{
		const char *bytes = bad_bytes[i];

		expect_text(US_DECODE_BAD_ENCODING, "{\"a\":\"", bytes, "\"}");
		expect_text(US_DECODE_BAD_ENCODING, "{\"a\":\"0123456789abcdef0123456789abcdef", bytes, "\"}");
		expect_text(US_DECODE_BAD_ENCODING, "{\"a\":1,\"", bytes, "\":2}");
		expect_text(US_DECODE_BAD_ENCODING, "{\"a\":1}", bytes, "");
		expect_text(US_DECODE_BAD_ENCODING, "", bytes, "");
	}
}

static void
test_zero_bytes(void)
{
	static const char message[] = "{\"a\": \"bcdefghijklmnopqrstuvw\", \"x\": [1, 2]}";
	char		text[sizeof(message)];
	size_t		len = sizeof(message) - 1;
	int			wrong = 0;

	for (size_t at = 0; at < len; at++)
	{
		memcpy(text, message, sizeof(message));
		text[at] = '\0';
		if (decode_bytes(decoder, text, len) != US_DECODE_BAD_ENCODING)
			wrong++;
	}
	tap_is(wrong, 0, "a zero byte at any place is bad encoding");
	expect(US_DECODE_BAD_ENCODING, message, sizeof(message));
	expect(US_DECODE_BAD_ENCODING, "", 1);
	expect(US_DECODE_BAD_ENCODING, "{\"a\":\"\\\0\"}", 10);
}

static void
test_blanks(void)
{
	static const char *const blanks[] = {"", " ", "\t", "\n", "\r", "\r\n", "  \t\n\r  \t\n\r    "};
	static const char *const not_blanks[] = {"\f", "\v", " \f", "\xc2\xa0", "\x1f", "\xe3\x80\x80"};

	for (size_t i = 0; i < lengthof(blanks); i++)
	{
		expect_text(US_DECODE_EMPTY, blanks[i], "", "");
		expect_text(US_DECODE_OK, blanks[i], "{}", blanks[i]);
		expect_text(US_DECODE_OK, "{\"a\":", blanks[i], "1}");
		expect_text(US_DECODE_OK, "{\"a\":1", blanks[i], "}");
		expect_text(US_DECODE_OK, "{\"a\"", blanks[i], ":\"\"}");
		expect_text(US_DECODE_OK, "{", blanks[i], "\"a\":1}");
		expect_text(US_DECODE_OK, "{\"a\":1,", blanks[i], "\"b\":2}");
		expect_text(US_DECODE_OK, "{\"a\":[", blanks[i], "]}");
	}
	for (size_t i = 0; i < lengthof(not_blanks); i++)
	{
		expect_text(US_DECODE_INVALID, not_blanks[i], "", "");
		expect_text(US_DECODE_INVALID, not_blanks[i], "{}", "");
		expect_text(US_DECODE_INVALID, "{}", not_blanks[i], "");
		expect_text(US_DECODE_INVALID, "{", not_blanks[i], "}");
	}
}

/* a message cut anywhere is not a message; nor is one with a byte more */
static void
test_prefixes(const char *message)
{
	size_t		len = strlen(message);
	char	   *longer = malloc(len + 1);
	int			wrong = 0;

	for (size_t cut = 1; cut < len; cut++)
	{
		UsDecodeResult got = decode_bytes(decoder, message, cut);

		/* inside a character the cut is bad encoding */
		if (got != US_DECODE_INVALID && got != US_DECODE_BAD_ENCODING)
			wrong++;
	}
	tap_is(wrong, 0, "no prefix passes of %s", tap_bytes(message, len));
	expect(US_DECODE_OK, message, len);

	wrong = 0;
	memcpy(longer, message, len);
	for (int byte = 1; byte < 256; byte++)
	{
		longer[len] = (char) byte;
		if ((decode_bytes(decoder, longer, len + 1) == US_DECODE_OK) !=
			(strchr(" \t\r\n", byte) != NULL))
			wrong++;
	}
	tap_is(wrong, 0, "only blanks may follow %s", tap_bytes(message, len));
	free(longer);
}

int
main(void)
{
	decoder = decoder_for("a a.b a.0 b");
	test_values();
	test_encoding();
	test_zero_bytes();
	test_blanks();
	test_prefixes("{}");
	test_prefixes("{\"a\": {\"b\": [1, -2.50e-1, \"\\ud83d\\ude00 \\n\", null, true, false]}, "
				  "\"b\": \"\xe2\x82\xac and \\u20ac, 0123456789 0123456789\", \"\": {\"\": []}}");
	return tap_done();
}
