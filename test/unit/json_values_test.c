/*-------------------------------------------------------------------------
 * test/unit/json_values_test.c
 *    what the decoder finds at a path: exactly what jsonb finds there
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "test/unit/message.h"
#include "test/unit/tap.h"

#define ABSENT	US_VALUE_ABSENT
#define NUL		US_VALUE_NULL
#define STRING	US_VALUE_STRING
#define NUMBER	US_VALUE_NUMBER
#define YES		US_VALUE_TRUE
#define NO		US_VALUE_FALSE
#define OBJECT	US_VALUE_OBJECT
#define ARRAY	US_VALUE_ARRAY

typedef struct Case
{
	const char *message;
	const char *paths;			/* the first is looked at, the others may disturb */
	UsValueKind kind;
	const char *text;			/* NULL for the kinds that have none */
} Case;

static const Case kinds[] =
{
	{"{}", "a", ABSENT, NULL},
	{"{\"b\":1}", "a", ABSENT, NULL},
	{"{\"a\":null}", "a", NUL, NULL},
	{"{\"a\":true}", "a", YES, NULL},
	{"{\"a\":false}", "a", NO, NULL},
	{"{\"a\":\"\"}", "a", STRING, ""},
	{"{\"a\":\"null\"}", "a", STRING, "null"},
	{"{\"a\":\" x \"}", "a", STRING, " x "},
	{"{\"a\":12}", "a", NUMBER, "12"},
	{"{\"a\":{}}", "a", OBJECT, "{}"},
	{"{\"a\":{ }}", "a", OBJECT, "{ }"},
	{"{\"a\":[]}", "a", ARRAY, "[]"},
	{"{\"a\": {\"x\" : [1 , {\"y\":\"\\n\"}] }  }", "a", OBJECT, "{\"x\" : [1 , {\"y\":\"\\n\"}] }"},
	{"{\"a\":\n[ {\"a\":1}, \"]\" ]\n,\"b\":2}", "a", ARRAY, "[ {\"a\":1}, \"]\" ]"},
	{"{\"A\":1,\"a \":2,\" a\":3,\"aa\":4,\"\":5}", "a", ABSENT, NULL},
	{"{\"x\":{\"a\":1},\"y\":[{\"a\":2}]}", "a", ABSENT, NULL},
};

static const Case escapes[] =
{
	{"{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "a", STRING, "\"\\/\b\f\n\r\t"},
	{"{\"a\":\"x\\ny\"}", "a", STRING, "x\ny"},
	{"{\"a\":\"\\n12345678901234567890\"}", "a", STRING, "\n12345678901234567890"},
	{"{\"a\":\"12345678901234567890\\n\"}", "a", STRING, "12345678901234567890\n"},
	{"{\"a\":\"\\\\n\"}", "a", STRING, "\\n"},
	{"{\"a\":\"\\\\u0041\"}", "a", STRING, "\\u0041"},
	{"{\"a\":\"\\u0041\\u00e9\\u20AC\\uffff\"}", "a", STRING, "A\xc3\xa9\xe2\x82\xac\xef\xbf\xbf"},
	{"{\"a\":\"\\u007f\\u0080\\u07ff\\u0800\"}", "a", STRING, "\x7f\xc2\x80\xdf\xbf\xe0\xa0\x80"},
	{"{\"a\":\"\\ud83d\\ude00\"}", "a", STRING, "\xf0\x9f\x98\x80"},
	{"{\"a\":\"\\uD800\\uDC00\\udbff\\udfff\"}", "a", STRING, "\xf0\x90\x80\x80\xf4\x8f\xbf\xbf"},
	{"{\"a\":\"\xc3\xa9\\u00e9\xf0\x9f\x98\x80\"}", "a", STRING, "\xc3\xa9\xc3\xa9\xf0\x9f\x98\x80"},
	{"{\"a\":\"\\u0061b\",\"c\":\"\\u0064\",\"e\":\"\\n\"}", "a c e", STRING, "ab"},
	{"{\"a\":\"\\u0061b\",\"c\":\"\\u0064\",\"e\":\"\\n\"}", "c a e", STRING, "d"},
	{"{\"a\":\"\\u0061b\",\"\\u0063\":\"\\u0064\",\"\\u0065\":\"\\n\"}", "c a e", STRING, "d"},
	{"{\"\\u0061\":1}", "a", NUMBER, "1"},
	{"{\"\\u00E9\":1}", "\xc3\xa9", NUMBER, "1"},
	{"{\"\xc3\xa9\":1}", "\xc3\xa9", NUMBER, "1"},
	{"{\"\\ud83d\\ude00\":1}", "\xf0\x9f\x98\x80", NUMBER, "1"},
	{"{\"a\\u002eb\":1}", "a.b", ABSENT, NULL},
	{"{\"x\":{\"\\u0062\":1}}", "x.b", NUMBER, "1"},
	{"{\"x\\u0062\":1}", "x", ABSENT, NULL},
	{"{\"a\":{\"k\":\"\\u0041\\n\"}}", "a", OBJECT, "{\"k\":\"\\u0041\\n\"}"},
};

/* numeric has no -0 and no exponent, but keeps the digits behind the point */
static const Case numbers[] =
{
	{"{\"a\":0}", "a", NUMBER, "0"},
	{"{\"a\":-1}", "a", NUMBER, "-1"},
	{"{\"a\":1.50}", "a", NUMBER, "1.50"},
	{"{\"a\":-0.50}", "a", NUMBER, "-0.50"},
	{"{\"a\":123456789012345678901234567890.00}", "a", NUMBER, "123456789012345678901234567890.00"},
	{"{\"a\":-0}", "a", NUMBER, "0"},
	{"{\"a\":-0.0}", "a", NUMBER, "0.0"},
	{"{\"a\":-0.000}", "a", NUMBER, "0.000"},
	{"{\"a\":-0.001}", "a", NUMBER, "-0.001"},
	{"{\"a\":1e0}", "a", NUMBER, "1"},
	{"{\"a\":1e5}", "a", NUMBER, "100000"},
	{"{\"a\":1E+5}", "a", NUMBER, "100000"},
	{"{\"a\":1e-5}", "a", NUMBER, "0.00001"},
	{"{\"a\":-1e-2}", "a", NUMBER, "-0.01"},
	{"{\"a\":1.50e1}", "a", NUMBER, "15.0"},
	{"{\"a\":1.50e2}", "a", NUMBER, "150"},
	{"{\"a\":1.50e3}", "a", NUMBER, "1500"},
	{"{\"a\":-12.34e-1}", "a", NUMBER, "-1.234"},
	{"{\"a\":-12.34e-2}", "a", NUMBER, "-0.1234"},
	{"{\"a\":-12.34e-3}", "a", NUMBER, "-0.01234"},
	{"{\"a\":0.05e1}", "a", NUMBER, "0.5"},
	{"{\"a\":0.05e2}", "a", NUMBER, "5"},
	{"{\"a\":0.05e3}", "a", NUMBER, "50"},
	{"{\"a\":0.0001e-2}", "a", NUMBER, "0.000001"},
	{"{\"a\":0e5}", "a", NUMBER, "0"},
	{"{\"a\":-0e5}", "a", NUMBER, "0"},
	{"{\"a\":-0.00e1}", "a", NUMBER, "0.0"},
	{"{\"a\":0e-3}", "a", NUMBER, "0.000"},
	{"{\"a\":-0e-3}", "a", NUMBER, "0.000"},
	{"{\"a\":1e007}", "a", NUMBER, "10000000"},
	{"{\"a\":2.5e-3,\"b\":4e2,\"c\":\"\\u0041\"}", "b a c", NUMBER, "400"},
	{"{\"a\":{\"n\":1e5}}", "a", OBJECT, "{\"n\":1e5}"},
};

static const Case duplicates[] =
{
	{"{\"a\":1,\"a\":2}", "a", NUMBER, "2"},
	{"{\"a\":1,\"b\":3,\"a\":2}", "a b", NUMBER, "2"},
	{"{\"a\":1,\"\\u0061\":2}", "a", NUMBER, "2"},
	{"{\"\\u0061\":1,\"a\":2}", "a", NUMBER, "2"},
	{"{\"a\":1,\"a\":null}", "a", NUL, NULL},
	{"{\"a\":\"\\n\",\"a\":\"\\t\"}", "a", STRING, "\t"},
	{"{\"a\":{},\"a\":1}", "a", NUMBER, "1"},
	{"{\"a\":1,\"a\":{}}", "a", OBJECT, "{}"},
	{"{\"x\":{\"a\":1,\"a\":2}}", "x.a", NUMBER, "2"},
	/* the later one replaces the earlier as a whole */
	{"{\"a\":{\"b\":1},\"a\":{\"c\":2}}", "a.b", ABSENT, NULL},
	{"{\"a\":{\"b\":1},\"a\":{\"c\":2}}", "a.c a.b", NUMBER, "2"},
	{"{\"a\":{\"b\":1},\"a\":5}", "a.b", ABSENT, NULL},
	{"{\"a\":{\"b\":1},\"a\":5}", "a a.b", NUMBER, "5"},
	{"{\"a\":{\"b\":1},\"a\":null}", "a.b", ABSENT, NULL},
	{"{\"a\":{\"b\":1},\"a\":{}}", "a.b", ABSENT, NULL},
	{"{\"a\":{\"b\":1},\"a\":[]}", "a.b", ABSENT, NULL},
	{"{\"a\":{\"b\":1},\"a\":\"x\"}", "a.b", ABSENT, NULL},
	{"{\"a\":5,\"a\":{\"b\":1}}", "a.b", NUMBER, "1"},
	{"{\"a\":{\"b\":1},\"a\":{\"b\":2}}", "a.b", NUMBER, "2"},
	{"{\"a\":{\"b\":1},\"\\u0061\":{}}", "a.b", ABSENT, NULL},
	{"{\"a\":{\"b\":{\"c\":1}},\"a\":{\"b\":2}}", "a.b.c", ABSENT, NULL},
	{"{\"a\":{\"b\":{\"c\":1},\"b\":{\"d\":2}}}", "a.b.c", ABSENT, NULL},
	{"{\"a\":{\"b\":{\"c\":1},\"b\":{\"d\":2}}}", "a.b.d a.b.c a.b", NUMBER, "2"},
	{"{\"a\":[1,2],\"a\":[3]}", "a.1", ABSENT, NULL},
	{"{\"a\":[1,2],\"a\":[3]}", "a.0 a.1", NUMBER, "3"},
	{"{\"a\":{\"b\":1},\"c\":3,\"a\":{}}", "c a.b", NUMBER, "3"},
};

static const Case paths[] =
{
	{"{\"a\":{\"b\":1}}", "a.b", NUMBER, "1"},
	{"{\"a\":{\"b\":1}}", "a.b a", NUMBER, "1"},
	{"{\"a\":{\"b\":1}}", "a a.b", OBJECT, "{\"b\":1}"},
	{"{\"a\":{\"b\":{\"c\":true}}}", "a.b.c a.b a", YES, NULL},
	{"{\"a\":{\"b\":{\"c\":true}}}", "a.b a.b.c a", OBJECT, "{\"c\":true}"},
	{"{\"a\":1}", "a.b", ABSENT, NULL},
	{"{\"a\":null}", "a.b", ABSENT, NULL},
	{"{\"a\":\"b\"}", "a.b", ABSENT, NULL},
	{"{\"a\":[\"b\"]}", "a.b", ABSENT, NULL},
	{"{\"a\":[{\"b\":1}]}", "a.b", ABSENT, NULL},
	{"{\"b\":{\"a\":{\"b\":1}}}", "a.b", ABSENT, NULL},
	{"{\"a\":{\"x\":{\"b\":1}}}", "a.b", ABSENT, NULL},
	{"{\"a\":{\"b\":1},\"b\":2}", "b a.b", NUMBER, "2"},
	{"{\"a\":{\"x\":0,\"b\":1,\"y\":[{}]},\"c\":{\"b\":2}}", "c.b a.b", NUMBER, "2"},
	{"{\"a\":[1,2,3]}", "a.0", NUMBER, "1"},
	{"{\"a\":[1,2,3]}", "a.2 a.0", NUMBER, "3"},
	{"{\"a\":[1,2,3]}", "a.3", ABSENT, NULL},
	{"{\"a\":[]}", "a.0", ABSENT, NULL},
	{"{\"a\":[null]}", "a.0", NUL, NULL},
	{"{\"a\":[[1],[2,[3]]]}", "a.1.1.0", NUMBER, "3"},
	{"{\"a\":[{\"b\":1},{\"b\":2}]}", "a.1.b", NUMBER, "2"},
	{"{\"a\":[{\"b\":1},{\"c\":2}]}", "a.1.b a.0.b", ABSENT, NULL},
	{"{\"a\":[{\"b\":1},{\"c\":2}]}", "a.0.b a.1.b", NUMBER, "1"},
	{"{\"a\":[{},[],\"x\",{\"b\":\"\\u0041\"}]}", "a.3.b", STRING, "A"},
	{"{\"a\":[0,1,2,3,4,5,6,7,8,9,10,11]}", "a.11 a.1", NUMBER, "11"},
	/* a number is also a field's name */
	{"{\"a\":{\"0\":1}}", "a.0", NUMBER, "1"},
	{"{\"0\":{\"0\":{\"0\":1}}}", "0.0.0", NUMBER, "1"},
	{"{\"0\":[[1]]}", "0.0.0", NUMBER, "1"},
	{"{\"a\":[5]}", "a.00", ABSENT, NULL},
	{"{\"a\":[5]}", "a.-1", ABSENT, NULL},
	{"{\"a\":{\"00\":1,\"0\":2}}", "a.00 a.0", NUMBER, "1"},
	/* names that are parts of others, order against the paths' */
	{"{\"ab\":1,\"a\":2,\"abc\":3}", "a ab abc", NUMBER, "2"},
	{"{\"ab\":1,\"a\":2,\"abc\":3}", "abc a ab", NUMBER, "3"},
	{"{\"c\":3,\"b\":2,\"a\":1}", "a b c", NUMBER, "1"},
	{"{\"x\":0,\"a\":1,\"y\":0,\"b\":2,\"z\":0,\"c\":3}", "c a b", NUMBER, "3"},
};

static void
check(const Case *c)
{
	UsDecoder  *decoder = decoder_for(c->paths);
	UsDecodeResult result = decode_bytes(decoder, c->message, strlen(c->message));
	const UsValue *value = decoded(0);
	bool		passed = (result == US_DECODE_OK && value->kind == c->kind);

	if (passed && c->text != NULL)
		passed = (value->len == strlen(c->text) &&
				  memcmp(value->data, c->text, value->len) == 0);
	if (!tap_ok(passed, "%s in %s", c->paths, tap_bytes(c->message, strlen(c->message))))
		tap_note("got %s %s \"%s\", expected %s \"%s\"", result_name(result),
				 kind_name(value->kind),
				 value->kind > US_VALUE_NULL ? tap_bytes(value->data, value->len) : "",
				 kind_name(c->kind), c->text != NULL ? c->text : "");
}

/* a step may hold a dot or nothing when the path was given as an array */
static void
test_odd_steps(void)
{
	static char *const steps[][2] = {{"a.b", NULL}, {"", NULL}, {"", ""}};
	static const char message[] = "{\"a\":{\"b\":1},\"a.b\":2,\"\":{\"\":3}}";
	UsPathSet  *set = us_path_set_create();

	us_path_set_add(set, steps[0], 1);
	us_path_set_add(set, steps[1], 1);
	us_path_set_add(set, steps[2], 2);
	decode_bytes(us_decoder_create("json", set), message, sizeof(message) - 1);
	tap_ok(decoded(0)->len == 1 && *decoded(0)->data == '2', "a step with a dot in it");
	tap_is(decoded(1)->kind, OBJECT, "an empty step");
	tap_ok(decoded(2)->len == 1 && *decoded(2)->data == '3', "two empty steps");
}

/* a whole tree of paths is forgotten, and nothing beside it */
static void
test_forget_tree(void)
{
	static const char message[] = "{\"y\":1,\"a\":{\"b\":{\"x\":1,\"y\":{\"z\":2}},\"c\":3,"
		"\"d\":[4]},\"z\":5,\"a\":0}";
	UsDecoder  *decoder = decoder_for("y a.b.x a.b.y.z a.b.y a.c a.d.0 z");
	int			wrong = 0;

	decode_bytes(decoder, message, sizeof(message) - 1);
	for (int field = 1; field <= 5; field++)
		wrong += (decoded(field)->kind != ABSENT);
	tap_is(wrong, 0, "all below a replaced object is forgotten");
	tap_ok(decoded(0)->kind == NUMBER && decoded(6)->kind == NUMBER, "what is beside it stays");
}

/* only what was de-escaped takes memory, and only for its length */
static void
test_memory(void)
{
	UsDecoder  *decoder = decoder_for("a b n");
	static const char message[] = "{\"\\u0061\":\"\\u0041\\u0042xyz\",\"b\":\"plain\",\"n\":1.25e1,"
		"\"other\\n\":\"\\t\"}";
	UsValue		values[3];

	decode_bytes(decoder, message, sizeof(message) - 1);
	us_decoder_reset(decoder);
	decoder->decode(decoder, message, sizeof(message) - 1, values);
	tap_is(decoder->chunk->used, strlen("ABxyz" "12.5"), "memory of de-escaped strings");
}

/* what one message left must not be seen in the next */
static void
test_one_after_another(void)
{
	UsDecoder  *decoder = decoder_for("a b.c d.0");
	static const char full[] = "{\"a\":\"\\n\",\"b\":{\"c\":1},\"d\":[true]}";
	static const char *const others[] = {
		"{}", "[1]", "5", "", "{\"a\":", "{\"a\":1,\"b\":{\"c\":2},\"d\":[3]", "{\"x\":[[[[", "\xff"
	};

	for (size_t i = 0; i < lengthof(others); i++)
	{
		int			wrong = 0;

		decode_bytes(decoder, others[i], strlen(others[i]));
		if (decode_bytes(decoder, full, sizeof(full) - 1) != US_DECODE_OK)
			wrong++;
		if (decoded(0)->kind != STRING || decoded(1)->kind != NUMBER || decoded(2)->kind != YES)
			wrong++;
		if (decode_bytes(decoder, "{}", 2) != US_DECODE_OK)
			wrong++;
		for (int field = 0; field < 3; field++)
			wrong += (decoded(field)->kind != ABSENT);
		tap_is(wrong, 0, "a message after %s", tap_bytes(others[i], strlen(others[i])));
	}
}

/* values of many messages stay until the decoder is reset */
static void
test_until_reset(void)
{
	enum
	{
		MESSAGES = 3000
	};
	UsDecoder  *decoder = decoder_for("a");
	UsValue    *values = palloc(sizeof(UsValue) * MESSAGES);
	char		message[200];
	int			wrong = 0;

	for (int round = 0; round < 2; round++)
	{
		for (int i = 0; i < MESSAGES; i++)
		{
			int			len = snprintf(message, sizeof(message), "{\"\\u0061\":\"\\t%0*d\"}",
									   1 + i % 90, i);

			if (decoder->decode(decoder, message, len, &values[i]) != US_DECODE_OK)
				wrong++;
		}
		for (int i = 0; i < MESSAGES; i++)
		{
			int			len = snprintf(message, sizeof(message), "\t%0*d", 1 + i % 90, i);

			if (values[i].len != (uint32) len || memcmp(values[i].data, message, len) != 0)
				wrong++;
		}
		us_decoder_reset(decoder);
	}
	tap_is(wrong, 0, "de-escaped strings stay until the reset");
}

static void
test_no_paths(void)
{
	UsDecoder  *decoder = us_decoder_create("json", us_path_set_create());

	tap_is(decode_bytes(decoder, "{\"a\":[1]}", 9), US_DECODE_OK, "no path at all");
	tap_is(decode_bytes(decoder, "{\"a\":[1}", 8), US_DECODE_INVALID, "no path, bad message");
}

#define CHECK_ALL(cases) \
	for (size_t i = 0; i < lengthof(cases); i++) \
		check(&cases[i])

typedef struct UnknownCase
{
	const char *message;
	const char *paths;
	bool		unknown;
} UnknownCase;

static const UnknownCase unknowns[] =
{
	{"{}", "a", false},
	{"{\"a\":1}", "a", false},
	{"{\"\\u0061\":1}", "a", false},
	{"{\"a\":{\"x\":[1,{\"y\":2}]}}", "a", false},
	{"{\"b\":1}", "a", true},
	{"{\"b\":null}", "a", true},
	{"{\"a\":1,\"b\":{}}", "a", true},
	{"{\"a\":{\"b\":1}}", "a.b", false},
	{"{\"a\":{}}", "a.b", false},
	{"{\"a\":[]}", "a.b", false},
	{"{\"a\":null}", "a.b", false},
	{"{\"a\":1}", "a.b", true},
	{"{\"a\":\"x\"}", "a.b", true},
	{"{\"a\":{\"b\":1,\"c\":2}}", "a.b", true},
	{"{\"a\":[1]}", "a.b", true},
	{"{\"a\":[1]}", "a.0", false},
	{"{\"a\":[1,2]}", "a.0", true},
	{"{\"a\":[1,2]}", "a.1", true},
	{"{\"a\":[1,2]}", "a.0 a.1", false},
	{"{\"a\":[[1],{\"b\":2}]}", "a.0.0 a.1.b", false},
	{"{\"a\":[[1],{\"b\":2,\"c\":3}]}", "a.0.0 a.1.b", true},
	{"{\"a\":{\"b\":{\"c\":1,\"d\":2},\"e\":3}}", "a a.b.c", false},
	{"{\"a\":{\"b\":{\"c\":1,\"d\":2},\"e\":3},\"f\":[{}]}", "a a.b.c f.0.x", false},
	{"{\"a\":{\"b\":{\"c\":{\"d\":{\"x\":1}}}}}", "a.b.c.d a.b.c.d.e", false},
	{"{\"a\":{\"b\":1}} ", "a.c a.b a.d", false},
};

/* what paths take is never unknown; false alarms are for the caller to find out */
static void
test_unknown(void)
{
	for (size_t i = 0; i < lengthof(unknowns); i++)
	{
		const UnknownCase *c = &unknowns[i];
		UsDecoder  *decoder = decoder_for(c->paths);
		bool		decodes;

		/* what the message before had does not stay */
		decode_bytes(decoder, "{\"zz\":1}", 8);
		decodes = decode_bytes(decoder, c->message, strlen(c->message)) == US_DECODE_OK;
		tap_ok(decodes && decoder->unknown == c->unknown, "%s of %s: %s unknown",
			   c->paths, c->message, c->unknown ? "something is" : "nothing is");
	}
}

int
main(void)
{
	CHECK_ALL(kinds);
	CHECK_ALL(escapes);
	CHECK_ALL(numbers);
	CHECK_ALL(duplicates);
	CHECK_ALL(paths);
	test_unknown();
	test_odd_steps();
	test_forget_tree();
	test_memory();
	test_one_after_another();
	test_until_reset();
	test_no_paths();
	return tap_done();
}
