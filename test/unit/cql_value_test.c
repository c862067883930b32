/*-------------------------------------------------------------------------
 * test/unit/cql_value_test.c
 *    values in both directions: known bytes, limits, and random numbers
 *
 * The bytes of numbers and durations were made by another implementation (the
 * Python driver).
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/cql_help.h"

static UsCqlWriter w;
static UsCqlWriter text;

/* what the writer holds, without the length before it; the writer is not reset */
static UsCqlBytes
written(void)
{
	UsCqlBytes	bytes = {w.data + 4, w.len - 4};

	return bytes;
}

static void
fails(UsCqlStatus status, const char *name)
{
	tap_is(w.status, status, "refused: %s", name);
	tap_ok(status != US_CQL_BAD_VALUE || (w.why != NULL && w.why[0] != '\0'), "with a reason");
	us_cql_writer_reset(&w);
	tap_ok(w.why == NULL, "which is forgotten with it");
}

static void
test_decimal(void)
{
	static const struct
	{
		const char *in;
		const char *bytes;
		const char *out;		/* NULL: as in */
	}			cases[] = {
		{"0", "0000000000", NULL},
		{"127", "000000007f", NULL},
		{"128", "000000000080", NULL},
		{"-1", "00000000ff", NULL},
		{"-128", "0000000080", NULL},
		{"-129", "00000000ff7f", NULL},
		{"1.10", "000000026e", NULL},
		{"-0.001", "00000003ff", NULL},
		{"123456789012345678901234567890.123456789", "000000095ce0e9a56015fec5aadfa328ae398115", NULL},
		{"1e5", "fffffffb01", NULL},
		{"1E+5", "fffffffb01", "1e5"},
		{"15e-1", "000000010f", "1.5"},
		{"1.50e1", "0000000100 96", "15.0"},
		{"+7", "0000000007", "7"},
		{".5", "0000000105", "0.5"},
		{"5.", "0000000005", "5"},
		{"-0", "0000000000", "0"},
		{"-99999999999999999999", "00000000fa9438a1d29cf00001", NULL},
		{"18446744073709551615", "0000000000ffffffffffffffff", NULL},
		{"18446744073709551616", "00000000010000000000000000", NULL},
		{"-18446744073709551616", "00000000ff0000000000000000", NULL},
		{"9223372036854775807", "000000007fffffffffffffff", NULL},
		{"-9223372036854775808", "000000008000000000000000", NULL},
		{"-9223372036854775809", "00000000ff7fffffffffffffff", NULL},
		{"0000000000000000000000000000", "0000000000", "0"},
		{"-0000000000000000000000000128", "0000000080", "-128"},
		{"0.0000000000000000000000000001", "0000001c01", NULL},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		UsCqlBytes	expected = cql_hex(cases[i].bytes);
		UsCqlBytes	got;

		us_cql_put_decimal(&w, cases[i].in, strlen(cases[i].in));
		got = written();
		tap_ok(w.status == US_CQL_OK && got.len == expected.len &&
			   memcmp(got.data, expected.data, got.len) == 0, "decimal %s", cases[i].in);
		us_cql_writer_reset(&text);
		tap_ok(us_cql_get_decimal(got, &text), "and back");
		got.data = text.data;
		got.len = text.len;
		cql_is_text(got, cases[i].out != NULL ? cases[i].out : cases[i].in, "exactly");
		us_cql_writer_reset(&w);
	}
}

static void
test_varint(void)
{
	static const char *const cases[][2] = {
		{"0", "00"}, {"127", "7f"}, {"128", "0080"}, {"-1", "ff"}, {"-128", "80"}, {"-129", "ff7f"},
		{"255", "00ff"}, {"256", "0100"}, {"-256", "ff00"}, {"-257", "feff"},
		{"2147483648", "0080000000"}, {"-2147483648", "80000000"},
		{"999999999999999999", "0de0b6b3a763ffff"}, {"1000000000000000000", "0de0b6b3a7640000"},
		{"-1000000000000000000", "f21f494c589c0000"},
		{"9223372036854775807", "7fffffffffffffff"}, {"-9223372036854775808", "8000000000000000"},
		{"9223372036854775808", "008000000000000000"}, {"-9223372036854775809", "ff7fffffffffffffff"},
		{"18446744073709551616", "010000000000000000"}, {"-18446744073709551616", "ff0000000000000000"},
		{"10000000000000000000000000000000000000000", "1d6329f1c35ca4bfabb9f5610000000000"},
		{"-10000000000000000000000000000000000000000", "e29cd60e3ca35b4054460a9f0000000000"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		UsCqlBytes	expected = cql_hex(cases[i][1]);
		UsCqlBytes	got;

		us_cql_put_varint(&w, cases[i][0], strlen(cases[i][0]));
		got = written();
		tap_ok(w.status == US_CQL_OK && got.len == expected.len &&
			   memcmp(got.data, expected.data, got.len) == 0, "varint %s", cases[i][0]);
		us_cql_writer_reset(&text);
		tap_ok(us_cql_get_varint(got, &text), "and back");
		got.data = text.data;
		got.len = text.len;
		cql_is_text(got, cases[i][0], "exactly");
		us_cql_writer_reset(&w);
	}
	us_cql_put_varint(&w, "5.00", 4);
	cql_is_bytes(&w, "0000000105", "a fraction of zeros is none");
}

static void
test_not_numbers(void)
{
	static const char *const cases[] = {"", "-", ".", "NaN", "Infinity", "-Infinity", "1 ", " 1", "1e",
	"1e+", "0x1", "1.2.3", "--1", "1e99999999999"};
	static char digits[200002];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		us_cql_put_decimal(&w, cases[i], strlen(cases[i]));
		fails(US_CQL_BAD_VALUE, cases[i]);
	}
	us_cql_put_varint(&w, "1.5", 3);
	fails(US_CQL_BAD_VALUE, "a varint with a fraction");
	us_cql_put_varint(&w, "1e3", 3);
	fails(US_CQL_BAD_VALUE, "a varint with an exponent");
	us_cql_put_decimal(&w, "1e3000000000", 12);
	fails(US_CQL_TOO_LARGE, "a scale beyond int32");
	us_cql_put_decimal(&w, "1e-3000000000", 13);
	fails(US_CQL_TOO_LARGE, "a negative scale beyond int32");
	memset(digits, '9', sizeof(digits));
	us_cql_put_varint(&w, digits, 200001);
	fails(US_CQL_TOO_LARGE, "more digits than there can be");
}

/* so many random digits: there and back is the same */
static void
test_random_numbers(void)
{
	static char digits[20000];
	int			wrong = 0;

	srandom(1);
	for (int round = 0; round < 4000; round++)
	{
		size_t		n = 1 + (size_t) random() % (round % 100 == 0 ? 3000 : 60);
		size_t		scale = (size_t) random() % n;
		size_t		len = 0;
		UsCqlBytes	got;

		if (random() % 2)
			digits[len++] = '-';
		for (size_t i = 0; i < n; i++)
		{
			digits[len++] = (char) ('0' + (i == 0 ? 1 + random() % 9 : random() % 10));
			if (scale > 0 && i == n - scale - 1)
				digits[len++] = '.';
		}
		us_cql_put_decimal(&w, digits, len);
		us_cql_writer_reset(&text);
		got = written();
		wrong += w.status != US_CQL_OK || !us_cql_get_decimal(got, &text) || text.len != len ||
			memcmp(text.data, digits, len) != 0;
		/* minimal: the first byte is not only sign */
		wrong += got.len > 5 && ((got.data[4] == 0 && !(got.data[5] & 0x80)) ||
								 (got.data[4] == 0xff && (got.data[5] & 0x80)));
		us_cql_writer_reset(&w);
	}
	tap_is(wrong, 0, "4,000 random decimals, there and back, in the fewest bytes");
}

/* all int64 around powers of two against the plain rule */
static void
test_varint_borders(void)
{
	int			wrong = 0;

	for (int bit = 0; bit < 63; bit++)
	{
		for (int64_t delta = -2; delta <= 2; delta++)
		{
			for (int sign = -1; sign <= 1; sign += 2)
			{
				int64_t		value = sign * ((INT64_C(1) << bit) + delta);
				int64_t		got = 0;
				int			unused;
				char		digits[32];

				us_cql_put_varint(&w, digits, (size_t) sprintf(digits, "%lld", (long long) value));
				for (size_t i = 4; i < w.len; i++)
					got = (int64_t) ((uint64_t) got << 8 | w.data[i]);
				unused = 64 - 8 * (int) (w.len - 4);
				got = (int64_t) ((uint64_t) got << unused) >> unused;
				wrong += got != value || w.len - 4 > 8;
				us_cql_writer_reset(&w);
			}
		}
	}
	tap_is(wrong, 0, "varints around every power of two");
}

static void
test_integers(void)
{
	static const struct
	{
		UsCqlTypeId id;
		int64_t		min;
		int64_t		max;
		const char *min_bytes;
		const char *max_bytes;
	}			cases[] = {
		{US_CQL_TINYINT, -128, 127, "00000001 80", "00000001 7f"},
		{US_CQL_SMALLINT, -32768, 32767, "00000002 8000", "00000002 7fff"},
		{US_CQL_INT, INT32_MIN, INT32_MAX, "00000004 80000000", "00000004 7fffffff"},
		{US_CQL_BIGINT, INT64_MIN, INT64_MAX, "00000008 8000000000000000", "00000008 7fffffffffffffff"},
		{US_CQL_COUNTER, INT64_MIN, INT64_MAX, "00000008 8000000000000000", "00000008 7fffffffffffffff"},
	};
	int64_t		back;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		us_cql_put_integer(&w, cases[i].id, cases[i].min);
		tap_ok(us_cql_get_integer(written(), &back) && back == cases[i].min, "the least of %zu", i);
		cql_is_bytes(&w, cases[i].min_bytes, "its bytes");
		us_cql_put_integer(&w, cases[i].id, cases[i].max);
		tap_ok(us_cql_get_integer(written(), &back) && back == cases[i].max, "the largest");
		cql_is_bytes(&w, cases[i].max_bytes, "its bytes");
		if (cases[i].max == INT64_MAX)
			continue;
		us_cql_put_integer(&w, cases[i].id, cases[i].max + 1);
		fails(US_CQL_BAD_VALUE, "one more");
		us_cql_put_integer(&w, cases[i].id, cases[i].min - 1);
		fails(US_CQL_BAD_VALUE, "one less");
	}
	tap_ok(!us_cql_get_integer(cql_hex("000001"), &back), "three bytes are no integer");
	tap_ok(!us_cql_get_integer(cql_hex(""), &back), "no bytes are no integer");
}

static void
test_scalars(void)
{
	double		d;
	float		f;
	bool		b;
	int32_t		days;
	int64_t		wide;
	static const uint8_t uuid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99,
	0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};
	static const uint8_t timeuuid[16] = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x16, 0x77, 0x88, 0x99,
	0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff};

	us_cql_put_null(&w);
	cql_is_bytes(&w, "ffffffff", "null");
	us_cql_put_unset(&w);
	cql_is_bytes(&w, "fffffffe", "unset");
	us_cql_put_blob(&w, "", 0);
	cql_is_bytes(&w, "00000000", "empty");
	us_cql_put_ascii(&w, "az\x7f", 3);
	cql_is_bytes(&w, "00000003 617a7f", "ascii");
	us_cql_put_ascii(&w, "\xc3\xa9", 2);
	fails(US_CQL_BAD_VALUE, "ascii beyond 0x7f");
	us_cql_put_boolean(&w, true);
	tap_ok(us_cql_get_boolean(written(), &b) && b, "true, and back");
	us_cql_put_boolean(&w, false);
	cql_is_bytes(&w, "00000001 01 00000001 00", "booleans");
	us_cql_put_double(&w, -1.5);
	tap_ok(us_cql_get_double(written(), &d) && d == -1.5, "double, and back");
	cql_is_bytes(&w, "00000008 bff8000000000000", "its bytes");
	us_cql_put_float(&w, 0.1f);
	tap_ok(us_cql_get_float(written(), &f) && f == 0.1f, "float, and back");
	cql_is_bytes(&w, "00000004 3dcccccd", "its bytes");
	us_cql_put_date(&w, 0);
	cql_is_bytes(&w, "00000004 80000000", "1970-01-01");
	us_cql_put_date(&w, -1);
	tap_ok(us_cql_get_date(written(), &days) && days == -1, "the day before, and back");
	cql_is_bytes(&w, "00000004 7fffffff", "its bytes");
	us_cql_put_date(&w, INT32_MIN);
	tap_ok(us_cql_get_date(written(), &days) && days == INT32_MIN, "the first day, and back");
	cql_is_bytes(&w, "00000004 00000000", "its bytes");
	us_cql_put_time(&w, US_CQL_DAY_NS - 1);
	tap_ok(us_cql_get_time(written(), &wide) && wide == US_CQL_DAY_NS - 1, "the last time, and back");
	cql_is_bytes(&w, "00000008 00004e94914effff", "its bytes");
	us_cql_put_time(&w, US_CQL_DAY_NS);
	fails(US_CQL_BAD_VALUE, "24:00");
	us_cql_put_time(&w, -1);
	fails(US_CQL_BAD_VALUE, "a time before midnight");
	tap_ok(!us_cql_get_time(cql_hex("00004e9491500000"), &wide), "24:00 from a server is none");
	us_cql_put_timestamp(&w, -1);
	tap_ok(us_cql_get_timestamp(written(), &wide) && wide == -1, "timestamp, and back");
	cql_is_bytes(&w, "00000008 ffffffffffffffff", "its bytes");
	us_cql_put_uuid(&w, uuid);
	cql_is_bytes(&w, "00000010 00112233445566778899aabbccddeeff", "uuid");
	us_cql_put_timeuuid(&w, timeuuid);
	cql_is_bytes(&w, "00000010 00112233445516778899aabbccddeeff", "timeuuid");
	us_cql_put_timeuuid(&w, uuid);
	fails(US_CQL_BAD_VALUE, "a timeuuid that is not of version 1");
	us_cql_put_inet(&w, uuid, 4);
	cql_is_bytes(&w, "00000004 00112233", "inet of version 4");
	us_cql_put_inet(&w, uuid, 16);
	cql_is_bytes(&w, "00000010 00112233445566778899aabbccddeeff", "inet of version 6");
	us_cql_put_inet(&w, uuid, 5);
	fails(US_CQL_BAD_VALUE, "inet of 5 bytes");
	tap_ok(!us_cql_get_double(cql_hex("00"), &d) && !us_cql_get_float(cql_hex("00"), &f) &&
		   !us_cql_get_boolean(cql_hex(""), &b) && !us_cql_get_date(cql_hex("00"), &days) &&
		   !us_cql_get_timestamp(cql_hex("00000000"), &wide), "wrong lengths are no values");
}

static void
test_durations(void)
{
	static const struct
	{
		int32_t		months;
		int32_t		days;
		int64_t		ns;
		const char *bytes;
	}			cases[] = {
		{0, 0, 0, "00000003 000000"},
		{1, 2, 3, "00000003 020406"},
		{-1, -2, -3, "00000003 010305"},
		{0, 0, 63, "00000003 00007e"},
		{0, 0, 64, "00000004 00008080"},
		{0, 0, 8192, "00000005 0000c04000"},
		{12, 400, INT64_C(86400000000000), "0000000a 188320fc9d29229e0000"},
		{INT32_MAX, INT32_MAX, INT64_MAX, "00000013 f0fffffffef0fffffffefffffffffffffffffe"},
		{INT32_MIN, INT32_MIN, INT64_MIN, "00000013 f0fffffffff0ffffffffffffffffffffffffff"},
	};
	int32_t		months;
	int32_t		days;
	int64_t		ns;
	int			wrong = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
	{
		us_cql_put_duration(&w, cases[i].months, cases[i].days, cases[i].ns);
		tap_ok(us_cql_get_duration(written(), &months, &days, &ns) && months == cases[i].months &&
			   days == cases[i].days && ns == cases[i].ns, "duration %zu, and back", i);
		cql_is_bytes(&w, cases[i].bytes, "its bytes");
	}
	for (int bit = 0; bit < 63; bit++)
	{
		us_cql_put_duration(&w, 0, 0, INT64_C(1) << bit);
		wrong += !us_cql_get_duration(written(), &months, &days, &ns) || ns != INT64_C(1) << bit;
		us_cql_writer_reset(&w);
	}
	tap_is(wrong, 0, "every power of two");
	us_cql_put_duration(&w, 1, -1, 0);
	fails(US_CQL_BAD_VALUE, "a duration of two signs");
	tap_ok(!us_cql_get_duration(cql_hex("00ff"), &months, &days, &ns), "a cut duration is none");
	tap_ok(!us_cql_get_duration(cql_hex("00000000"), &months, &days, &ns), "nor one with more");
}

/* text of bytes of a type that is told by its own bytes */
static void
shows(const char *type_hex, const char *value_hex, const char *expected)
{
	UsCqlBytes	type_bytes = cql_hex(type_hex);
	UsCqlReader reader;
	UsCqlArena	arena;
	UsCqlType	type;
	UsCqlBytes	got;

	us_cql_arena_init(&arena, NULL);
	us_cql_reader_init(&reader, type_bytes.data, type_bytes.len);
	us_cql_writer_reset(&text);
	if (us_cql_read_type(&reader, &arena, &type) == US_CQL_OK &&
		us_cql_put_text(&text, &type, cql_hex(value_hex)))
	{
		got.data = text.data;
		got.len = text.len;
		cql_is_text(got, expected != NULL ? expected : "(refused)", "shown: %s", expected);
	}
	else
		tap_ok(expected == NULL, "%s is not shown as %s", value_hex, type_hex);
	us_cql_arena_free(&arena);
}

static void
test_text(void)
{
	shows("000d", "c3a9", "\xc3\xa9");
	shows("0001", "41", "A");
	shows("0002", "ffffffffffffffff", "-1");
	shows("0003", "00ff", "0x00ff");
	shows("0004", "01", "true");
	shows("0005", "0000000000000007", "7");
	shows("0006", "00000002ff85", "-1.23");
	shows("0007", "3ff199999999999a", "1.1");
	shows("0007", "7ff0000000000000", "inf");
	shows("0008", "3dcccccd", "0.1");
	shows("0009", "80000000", "-2147483648");
	shows("000b", "0000000000000000", "1970-01-01 00:00:00.000+0000");
	shows("000b", "ffffffffffffffff", "1969-12-31 23:59:59.999+0000");
	shows("000b", "0000018df4d7d080", "2024-02-29 12:30:00.832+0000");
	shows("000c", "00112233445566778899aabbccddeeff", "00112233-4455-6677-8899-aabbccddeeff");
	shows("000e", "ff7f", "-129");
	shows("0010", "7f000001", "127.0.0.1");
	shows("0010", "00000000000000000000000000000001", "::1");
	shows("0010", "00000000000000000000000000000000", "::");
	shows("0010", "20010db8000000000001000000000000", "2001:db8:0:0:1::");
	shows("0010", "20010db8000000010000000000000001", "2001:db8:0:1::1");
	shows("0010", "20010db8000000010001000100010001", "2001:db8:0:1:1:1:1:1");
	shows("0011", "80000000", "1970-01-01");
	shows("0011", "80004d0b", "2024-01-01");
	shows("0011", "00000000", "-5877641-06-23");
	shows("0011", "ffffffff", "5881580-07-11");
	shows("0012", "00004e94914effff", "23:59:59.999999999");
	shows("0013", "8000", "-32768");
	shows("0014", "80", "-128");
	shows("0015", "020406", "1mo2d3ns");
	shows("0020 000d", "00000002 00000001 61 00000002 6227", "['a', 'b''']");
	shows("0022 0009", "00000002 00000004 00000001 00000004 00000002", "{1, 2}");
	shows("0021 000d 0022 0009", "00000001 00000001 6b 00000004 00000000", "{'k': {}}");
	shows("0031 0002 0009 000d", "00000004 00000001 ffffffff", "(1, null)");
	shows("0031 0002 0009 000d", "00000004 00000001", "(1, null)");
	shows("0030 0002 6b73 0001 75 0002 0001 61 0009 0001 62 000d", "00000004 00000001 00000001 78",
		  "{a: 1, b: 'x'}");
	shows("0000 0003 612e62", "00ff", "0x00ff");
	shows("0009", "00", NULL);
	shows("0020 0009", "00000002 00000004 00000001", NULL);
	shows("0020 0009", "ffffffff", NULL);
	shows("0020 0009", "00000001 00000001 00", NULL);
	shows("0006", "00000002", NULL);
	shows("000e", "", NULL);
	shows("000c", "00", NULL);
	shows("0010", "7f0000", NULL);
}

static void
names(const char *type_hex, const char *expected)
{
	UsCqlBytes	type_bytes = cql_hex(type_hex);
	UsCqlReader reader;
	UsCqlArena	arena;
	UsCqlType	type;
	UsCqlType	other;
	UsCqlBytes	got;

	us_cql_arena_init(&arena, NULL);
	us_cql_reader_init(&reader, type_bytes.data, type_bytes.len);
	us_cql_writer_reset(&text);
	tap_is(us_cql_read_type(&reader, &arena, &type), US_CQL_OK, "a type");
	us_cql_put_type_name(&text, &type);
	got.data = text.data;
	got.len = text.len;
	cql_is_text(got, expected, "is called %s", expected);
	us_cql_reader_init(&reader, type_bytes.data, type_bytes.len);
	(void) us_cql_read_type(&reader, &arena, &other);
	tap_ok(us_cql_same_type(&type, &other), "and is the same as itself");
	type_bytes = cql_hex("0021 000d 0020 0002");
	us_cql_reader_init(&reader, type_bytes.data, type_bytes.len);
	(void) us_cql_read_type(&reader, &arena, &other);
	tap_ok(!us_cql_same_type(&type, &other), "and no other");
	us_cql_arena_free(&arena);
}

static void
test_names(void)
{
	names("000d", "text");
	names("0021 000d 0020 0009", "map<text, list<int>>");
	names("0031 0002 0009 0022 000c", "tuple<int, set<uuid>>");
	names("0030 0002 6b73 0001 75 0001 0001 61 0009", "ks.u");
	names("0000 0003 612e62", "a.b");
	/* as v4 calls it */
	names("0000 002c 6f72672e6170616368652e63617373616e6472612e64622e6d61727368616c2e4475726174696f6e54797065",
		  "duration");
}

/* nested: a map of text to a list of tuples, written and read */
static void
test_collections(void)
{
	size_t		map;
	size_t		list;
	size_t		tuple;

	map = us_cql_open(&w);
	us_cql_put_count(&w, 1);
	us_cql_put_blob(&w, "k", 1);
	list = us_cql_open(&w);
	us_cql_put_count(&w, 1);
	tuple = us_cql_open(&w);
	us_cql_put_integer(&w, US_CQL_INT, 5);
	us_cql_put_null(&w);
	us_cql_close(&w, tuple);
	us_cql_close(&w, list);
	us_cql_close(&w, map);
	cql_is_bytes(&w, "00000021 00000001 00000001 6b 00000014 00000001 0000000c 00000004 00000005 ffffffff",
				 "a map of lists of tuples");
}

static void
test_limits(void)
{
	CqlMemory	memory;
	UsCqlMemory functions = cql_memory(&memory);
	UsCqlWriter small;

	us_cql_writer_init(&small, &functions, 100);
	for (int i = 0; i < 40; i++)
		us_cql_put_integer(&small, US_CQL_BIGINT, i);
	tap_ok(small.status == US_CQL_TOO_LARGE && small.len <= 100, "a writer keeps to its limit");
	us_cql_writer_reset(&small);
	us_cql_put_string(&small, "x", 65536);
	tap_is(small.status, US_CQL_TOO_LARGE, "a string of more than 65,535 bytes");
	us_cql_writer_free(&small);

	memory.fail_at = memory.calls + 2;
	us_cql_writer_init(&small, &functions, 0);
	us_cql_put_decimal(&small, "1234567890123456789012345678901234567890", 40);
	tap_is(small.status, US_CQL_NO_MEMORY, "no memory for the digits");
	us_cql_writer_free(&small);
	tap_is(memory.live, 0, "and none is kept");
}

int
main(void)
{
	us_cql_writer_init(&w, NULL, 0);
	us_cql_writer_init(&text, NULL, 0);
	test_decimal();
	test_varint();
	test_not_numbers();
	test_random_numbers();
	test_varint_borders();
	test_integers();
	test_scalars();
	test_durations();
	test_text();
	test_names();
	test_collections();
	test_limits();
	us_cql_writer_free(&w);
	us_cql_writer_free(&text);
	return tap_done();
}
