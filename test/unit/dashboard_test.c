/*-------------------------------------------------------------------------
 * test/unit/dashboard_test.c
 *    the dashboard's escapers, request parser, router, numbers and charts
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dashboard/chart.h"
#include "dashboard/escape.h"
#include "dashboard/format.h"
#include "dashboard/parse.h"
#include "dashboard/reply.h"
#include "dashboard/request.h"
#include "dashboard/words.h"
#include "test/unit/tap.h"

#define lengthof(array) (sizeof(array) / sizeof((array)[0]))

typedef void (*Writer) (UsBuf *buf, const char *text);

typedef struct Case
{
	const char *in;
	const char *out;
} Case;

static void
check(const char *what, Writer writer, const Case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++)
	{
		UsBuf		buf = {0};

		writer(&buf, cases[i].in);
		if (!tap_ok(strcmp(us_buf_text(&buf), cases[i].out) == 0, "%s of %s", what,
					tap_bytes(cases[i].in, strlen(cases[i].in))))
			tap_note("got %s", us_buf_text(&buf));
		us_buf_free(&buf);
	}
}

static void
test_escapers(void)
{
	static const Case text[] = {
		{"", ""}, {"plain text", "plain text"}, {"a<b>&\"'", "a&lt;b&gt;&amp;&quot;&#39;"},
		{"</script><img src=x onerror=alert(1)>", "&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"},
		{"\xff\xfe", "<span class=\"odd\">\\xff</span><span class=\"odd\">\\xfe</span>"},
		{"a\xe2\x80\xae" "b", "a<span class=\"odd\">&lt;U+202E&gt;</span>b"},
		{"\x01\n\t", "<span class=\"odd\">&lt;U+0001&gt;</span>\n\t"},
		{"\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80"},
		{"\xc2\x85", "<span class=\"odd\">&lt;U+0085&gt;</span>"},
		{"\xe2\x82", "<span class=\"odd\">\\xe2</span><span class=\"odd\">\\x82</span>"},
	};
	static const Case attr[] = {
		{"\" onclick=\"x", "&quot; onclick=&quot;x"}, {"\xe2\x81\xa6", "&lt;U+2066&gt;"}, {"\xff", "\\xff"},
		{"<a href='x'>", "&lt;a href=&#39;x&#39;&gt;"},
	};
	static const Case url[] = {
		{"a b/c?d&e=f#g%", "a%20b%2Fc%3Fd%26e%3Df%23g%25"}, {"A-z_0.~", "A-z_0.~"}, {"\xc3\xa9\xff", "%C3%A9%FF"},
		{"</script>", "%3C%2Fscript%3E"}, {"javascript:x", "javascript%3Ax"},
	};
	static const Case csv[] = {
		{"", ""}, {"a", "a"}, {"a,b", "\"a,b\""}, {"a\"b", "\"a\"\"b\""}, {"a\nb", "\"a\nb\""},
		{"=1+2", "\"'=1+2\""}, {"@x", "\"'@x\""}, {"-1", "-1"}, {"-1.5", "-1.5"}, {"-1+2", "\"'-1+2\""},
		{"+x", "\"'+x\""}, {"--1", "\"'--1\""}, {"-", "\"'-\""},
	};
	static const Case label[] = {
		{"a\\b\"c\nd", "a\\\\b\\\"c\\nd"}, {"\xff", "\xef\xbf\xbd"}, {"<\xc3\xa9>", "<\xc3\xa9>"},
	};

	check("HTML", us_html_text, text, lengthof(text));
	check("attribute", us_html_attr, attr, lengthof(attr));
	check("SVG", us_svg_text, attr, lengthof(attr));
	check("URL", us_url_arg, url, lengthof(url));
	check("CSV", us_csv_field, csv, lengthof(csv));
	check("label", us_metric_label, label, lengthof(label));
}

static void
test_utf8(void)
{
	static const char *const bad[] = {
		"\x80", "\xc0\xaf", "\xc1\xbf", "\xe0\x80\xaf", "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80",
		"\xf8\x88\x80\x80\x80", "\xc3", "\xc3(", "\xff"
	};
	UsBuf		buf = {0};

	for (size_t i = 0; i < lengthof(bad); i++)
		tap_is(us_utf8_length(bad[i], strlen(bad[i]), NULL), 0, "no character %d", (int) i);
	us_html_bytes(&buf, "a\0b", 3);
	tap_ok(strcmp(us_buf_text(&buf), "a<span class=\"odd\">&lt;U+0000&gt;</span>b") == 0, "a zero byte is shown");
	us_buf_free(&buf);
	us_json_clean(&buf, "a\xff", 2);
	tap_ok(strcmp(us_buf_text(&buf), "a\\xff") == 0, "JSON gets valid UTF-8");
	us_buf_free(&buf);
}

static void
test_numbers(void)
{
	static const char *const bad[] = {"", "-1", "+5", " 5", "5 ", "1e3", "0x10", "9223372036854775808", "99999999999999999999"};
	int64_t		value = 0;

	for (size_t i = 0; i < lengthof(bad); i++)
		tap_ok(!us_parse_int64(bad[i], INT64_MAX, &value), "\"%s\" is no number", bad[i]);
	tap_ok(us_parse_int64("9223372036854775807", INT64_MAX, &value) && value == INT64_MAX, "the largest is");
	tap_ok(us_parse_int64("0", INT64_MAX, &value) && value == 0, "and so is 0");
	tap_ok(!us_parse_int64("2147483648", INT32_MAX, &value), "above what is allowed");
	tap_ok(!us_parse_int64("5", 4, &value) && !us_parse_int64("5", 0, &value), "or just above");
}

static void
test_times(void)
{
	static const char *const good[] = {
		"2026-01-31T00:00:00Z", "2024-02-29T23:59:59.123456+14:00", "0001-01-01T00:00:00-05:30"
	};
	static const char *const bad[] = {
		"", "now", "infinity", "10000-01-01", "2026-02-30T00:00:00Z", "2026-02-29T00:00:00Z",
		"2026-01-31", "2026-01-31T00:00:00", "2026-01-31 00:00:00Z", "2026-01-31T24:00:00Z",
		"2026-01-31T00:00:00.Z", "2026-01-31T00:00:00.1234567Z", "2026-01-31T00:00:00Zx", "2026-1-31T00:00:00Z",
		"0000-01-01T00:00:00Z", "2026-00-01T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-31T00:00:00+15:00"
	};

	for (size_t i = 0; i < lengthof(good); i++)
		tap_ok(us_parse_time(good[i]), "%s is a time", good[i]);
	for (size_t i = 0; i < lengthof(bad); i++)
		tap_ok(!us_parse_time(bad[i]), "\"%s\" is none", bad[i]);
}

/* variables as name, value, ..., NULL */
static const char *
variable(void *context, const char *name)
{
	for (const char *const *at = context; *at; at += 2)
	{
		if (strcmp(at[0], name) == 0)
			return at[1];
	}
	return NULL;
}

static UsRequest request;

static int
read_request(const char *const *variables)
{
	us_request_read(&request, variable, (void *) variables);
	return request.error_status;
}

static int
read_query(const char *query)
{
	const char *variables[] = {"QUERY_STRING", query, NULL};

	return read_request(variables);
}

static void
test_query(void)
{
	static const char *const bad[] = {
		"a=%", "a=%4", "a=%zz", "a=%u0041", "%=1", "=x", "a=%00", "a=%0d%0aX:1", "a=%c0%af", "a=%ff", "a=1&a=2",
		"a=1&a", "format=xml", "format=json&format=csv", "a=\x01", "%41=1&A=2"
	};
	char		many[1024] = "";
	char		long_query[5000];

	for (size_t i = 0; i < lengthof(bad); i++)
		tap_is(read_query(bad[i]), 400, "query %s is refused", tap_bytes(bad[i], strlen(bad[i])));
	tap_is(read_query("a=x%20y+z%C3%A9&b&&&c=&format=json"), 0, "a query");
	tap_ok(strcmp(us_request_param(&request, "a"), "x y z\xc3\xa9") == 0, "is decoded");
	tap_ok(us_request_param(&request, "b") == NULL && us_request_param(&request, "c") == NULL &&
		   us_request_param(&request, "x") == NULL, "what is empty is absent");
	tap_ok(request.format == US_FORMAT_JSON && request.nparams == 3, "the format is no parameter");
	tap_is(read_query("contains=%25_%5C"), 0, "signs of patterns");
	tap_ok(strcmp(us_request_param(&request, "contains"), "%_\\") == 0, "are only signs");
	for (int i = 0; i < 33; i++)
		sprintf(many + strlen(many), "&p%d=1", i);
	tap_is(read_query(many), 400, "33 parameters are too many");
	memset(long_query, 'a', sizeof(long_query) - 1);
	long_query[sizeof(long_query) - 1] = '\0';
	tap_is(read_query(long_query), 414, "a long query");
	long_query[4094] = '\0';
	tap_is(read_query(long_query), 0, "the longest query");
	for (int i = 0; i < 4094; i += 2)
		memcpy(long_query + i, "a&", 2);
	tap_is(read_query(long_query), 400, "many short names");
	tap_is(read_query("n=5"), 0, "a number");
	tap_is(us_request_number(&request, "n", 0, 10, 7), 5, "is read");
	tap_is(us_request_number(&request, "m", 0, 10, 7), 7, "or absent");
	tap_is(us_request_number(&request, "n", 6, 10, 7), 7, "or too small");
	tap_is(request.error_status, 400, "which is refused");
}

static void
test_request(void)
{
	static const struct
	{
		const char *variables[5];
		int			status;
		const char *what;
	}			cases[] = {
		{{NULL}, 0, "no variable at all"},
		{{"REQUEST_METHOD", "GET", NULL}, 0, "GET"},
		{{"REQUEST_METHOD", "HEAD", NULL}, 0, "HEAD"},
		{{"REQUEST_METHOD", "POST", NULL}, 405, "POST"},
		{{"REQUEST_METHOD", "get", NULL}, 501, "get"},
		{{"REQUEST_METHOD", "", NULL}, 501, "no method"},
		{{"HTTP_HOST", "localhost", NULL}, 0, "Host localhost"},
		{{"HTTP_HOST", "127.0.0.1:5000", NULL}, 0, "Host with a port"},
		{{"HTTP_HOST", "[::1]:5000", NULL}, 0, "Host of IPv6"},
		{{"HTTP_HOST", "LocalHost:5000", NULL}, 0, "Host in other letters"},
		{{"HTTP_HOST", "evil.example", NULL}, 403, "another Host"},
		{{"HTTP_HOST", "localhost.evil.com", NULL}, 403, "a Host that begins well"},
		{{"HTTP_HOST", "localhost:x", NULL}, 400, "a port that is none"},
		{{"HTTP_HOST", "[::1", NULL}, 400, "a Host that does not end"},
		{{"HTTP_HOST", "", NULL}, 403, "an empty Host"},
		{{"HTTP_HOST", "db.example", "USERSTREAM_HOST", "db.example", NULL}, 0, "a Host that is allowed"},
		{{"PATH_INFO", "x", NULL}, 400, "a path without a slash"},
		{{"PATH_INFO", "/a\xff", NULL}, 400, "a path that is no UTF-8"},
		{{"PATH_INFO", "/a\r\nX: 1", NULL}, 400, "a path with a line feed"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
		tap_is(read_request(cases[i].variables), cases[i].status, "%s", cases[i].what);
}

static void
test_etag(void)
{
	tap_ok(us_etag_matches("\"abc\"", "abc"), "the tag");
	tap_ok(us_etag_matches("W/\"abc\"", "abc"), "a weak one");
	tap_ok(us_etag_matches("\"x\", \"abc-gzip\"", "abc"), "one of several, compressed");
	tap_ok(us_etag_matches("*", "abc"), "any");
	tap_ok(!us_etag_matches("\"abcd\"", "abc") && !us_etag_matches("\"ab\"", "abc") &&
		   !us_etag_matches("abc", "abc") && !us_etag_matches("\"abc", "abc") && !us_etag_matches("", "abc"),
		   "not another one");
}

static void
seconds(UsBuf *buf, const char *text)
{
	us_format_seconds(buf, strtod(text, NULL));
}

static void
bytes(UsBuf *buf, const char *text)
{
	us_format_bytes(buf, strtod(text, NULL));
}

static void
test_format(void)
{
	static const Case counts[] = {
		{"0", "0"}, {"999", "999"}, {"1000", "1,000"}, {"-1234567", "-1,234,567"},
		{"9223372036854775807", "9,223,372,036,854,775,807"}, {"x<", "x&lt;"}, {"", ""},
	};
	static const Case durations[] = {
		{"0", "0 s"}, {"0.04", "0.0 s"}, {"9.94", "9.9 s"}, {"12.4", "12 s"}, {"185", "3 min 5 s"}, {"7500", "2 h 5 min"},
		{"187200", "2 d 4 h"}, {"nan", "unknown"},
	};
	static const Case sizes[] = {{"0", "0 bytes"}, {"1023", "1,023 bytes"}, {"1536", "1.5 kB"}, {"1073741824", "1.0 GB"}};
	static const Case times[] = {
		{"2026-01-02 03:04:05.6+00", "<time datetime=\"2026-01-02T03:04:05Z\">2026-01-02 03:04:05 UTC</time>"},
		{"infinity", "infinity"}, {"", ""}, {"0044-01-02 03:04:05+00 BC", "0044-01-02 03:04:05+00 BC"},
	};

	check("count", us_format_count, counts, lengthof(counts));
	check("seconds", seconds, durations, lengthof(durations));
	check("bytes", bytes, sizes, lengthof(sizes));
	check("time", us_format_time, times, lengthof(times));
	tap_ok(us_chart_step(0) == 1 && us_chart_step(6) == 1 && us_chart_step(7) == 2 &&
		   us_chart_step(25) == 5 && us_chart_step(100) == 20, "steps of an axis");
}

/* rows of a label and two values; NULL is null */
static PGresult *
make_rows(const char *const (*values)[3], int n)
{
	static PGresAttDesc columns[] = {
		{"label", 0, 0, 0, 25, -1, -1}, {"a", 0, 0, 0, 20, -1, -1}, {"b", 0, 0, 0, 20, -1, -1}
	};
	PGresult   *rows = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);

	PQsetResultAttrs(rows, 3, columns);
	for (int row = 0; row < n; row++)
	{
		for (int column = 0; column < 3; column++)
		{
			const char *value = values[row][column];

			PQsetvalue(rows, row, column, (char *) value, value ? (int) strlen(value) : -1);
		}
	}
	return rows;
}

static void
test_charts(void)
{
	static const UsChart chart = {
		"c", "Chart", "x", "y", "label", {{"a", "first"}, {"b", "second"}, {0}}
	};
	static const char *const bars[][3] = {
		{"<a href=\"https://evil.example/\">US</a>", "3", "1"}, {"", NULL, NULL}, {"\xf0\x9f\x98\x80", "0", "-5"}
	};
	static const char *const parts[][3] = {{"p", "0.25", NULL}};
	static const char *const lines[][3] = {
		{"0", "1", NULL}, {"60", NULL, NULL}, {"120", "3", "2"}, {"180", "4", "nan"}
	};
	PGresult   *rows = make_rows(bars, 3);
	UsBuf		buf = {0};

	us_chart_bars(&buf, &chart, rows);
	tap_ok(strstr(us_buf_text(&buf), "<a ") == NULL && strstr(us_buf_text(&buf), "&lt;a href=") != NULL,
		   "a label is text in SVG");
	tap_ok(strstr(us_buf_text(&buf), "<title>&lt;a href=&quot;https://evil.example/&quot;&gt;US&lt;/a&gt;, first: 3<") != NULL,
		   "a bar tells its number");
	tap_ok(strstr(us_buf_text(&buf), "nan") == NULL && strstr(us_buf_text(&buf), "height=\"-") == NULL,
		   "null and negative values draw nothing");
	us_buf_free(&buf);
	us_chart_bars_reversed(&buf, &chart, rows);
	tap_ok(strstr(us_buf_text(&buf), "<rect class=\"s0\" x=\"434.8\"") != NULL, "reversed, the first row is the last bar");
	us_buf_free(&buf);
	PQclear(rows);
	rows = make_rows(parts, 1);
	us_chart_bars(&buf, &chart, rows);
	tap_ok(strstr(us_buf_text(&buf), "first: 0.25<") != NULL, "a part of one is told as it is");
	us_buf_free(&buf);
	PQclear(rows);
	rows = make_rows(lines, 4);
	us_chart_lines(&buf, &chart, rows);
	tap_ok(strstr(us_buf_text(&buf), "class=\"line s0\" d=\"M68.0 188.5h0M417.3 85.5h0L592.0 34.0\"") != NULL,
		   "a line begins anew behind a gap");
	tap_ok(strstr(us_buf_text(&buf), "nan") == NULL, "a value that is no number is a gap");
	us_buf_free(&buf);
	PQclear(rows);
	rows = make_rows(lines, 0);
	us_chart_lines(&buf, &chart, rows);
	us_chart_bars(&buf, &chart, rows);
	tap_is((long long) buf.len, 0, "no rows, no chart");
	PQclear(rows);
}

/* what us_format_json makes of text */
static void
indent(UsBuf *buf, const char *text)
{
	us_format_json(buf, text, strlen(text));
}

static void
test_messages(void)
{
	static const Case indented[] = {
		{"{}", "{}"}, {"[]", "[]"}, {"1", "1"}, {"{\"a\":1}", "{\n  \"a\": 1\n}"},
		{"{\"a\" : [1 , {} ],\n\"b\":\"x\"}", "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": \"x\"\n}"},
		{"\"{\\\"[,:\"", "\"{\\\"[,:\""}, {"12345678901234567890.10", "12345678901234567890.10"},
		{"]]]", "\n]\n]\n]"}, {"\"\\", "\"\\"}, {"", ""},
	};
	UsBuf		bytes = {0};

	check("indented", indent, indented, lengthof(indented));
	us_format_unhex(&bytes, "\\x00ff7");
	tap_ok(bytes.len == 2 && memcmp(us_buf_text(&bytes), "\0\xff", 2) == 0, "bytes of their hexadecimal form");
	us_buf_free(&bytes);
	us_format_unhex(&bytes, "x00");
	tap_is((long long) bytes.len, 0, "what is none has no bytes");
}

/* where the next conversion of a format ends, and where it begins; NULL: there is none */
static const char *
next_conversion(const char *at, const char **begin)
{
	*begin = strchr(at, '%');
	/* a per cent sign before a word is one */
	if (*begin == NULL || (*begin)[1] == ' ')
		return NULL;
	return *begin + 2 + strspn(*begin + 1, "l");
}

static bool
has_same_conversions(const char *english, const char *spanish)
{
	const char *a;
	const char *b;

	for (;;)
	{
		english = next_conversion(english, &a);
		spanish = next_conversion(spanish, &b);
		if (english == NULL || spanish == NULL)
			return english == spanish;
		if (english - a != spanish - b || memcmp(a, b, (size_t) (english - a)) != 0)
			return false;
	}
}

static void
test_words(void)
{
	static const Case durations[] = {{"0.25", "0,2 s"}, {"42", "42 s"}};
	static const Case counts[] = {{"1234567", "1\u202f234\u202f567"}, {"1234.5", "1\u202f234,5"}, {"x.y", "x.y"}};
	const char *before = "";
	const char *spanish;
	const char *english;
	int			n = 0;
	bool		ordered = true;

	for (; (english = us_words_pair(n, &spanish)) != NULL; n++)
	{
		ordered = ordered && strcmp(before, english) < 0;
		if (spanish[0] == '\0' || !has_same_conversions(english, spanish))
			tap_ok(false, "Spanish of \"%s\"", english);
		before = english;
	}
	tap_ok(n > 200 && ordered, "the words are in order, each stands there once");
	tap_ok(!has_same_conversions("%s of %d", "%d de %s") && !has_same_conversions("%d", "%ld") &&
		   !has_same_conversions("%s", ""), "the control: other arguments are noticed");
	tap_ok(strcmp(us_text("Users"), "Users") == 0, "English is English");
	us_language_choose(US_LANGUAGE_SPANISH);
	tap_ok(strcmp(us_text("Users"), "Usuarios") == 0 && strcmp(us_word("caught_up"), "al día") == 0, "Spanish is Spanish");
	tap_ok(strcmp(us_word("Springfield"), "Springfield") == 0, "what is no word of ours stays");
	check("Spanish seconds", seconds, durations, lengthof(durations));
	check("Spanish count", us_format_count, counts, lengthof(counts));
	us_language_choose(US_LANGUAGE_ENGLISH);
	tap_ok(us_language_accepted("es;q=0.1, en;q=0.1") == US_LANGUAGE_SPANISH, "the first of equals");
	tap_ok(us_language_accepted("es;q=0, fr") == US_LANGUAGE_ENGLISH, "a language that is refused");
	tap_ok(us_language_accepted("ES-419 ; q=1") == US_LANGUAGE_SPANISH, "in capitals, with a region");
	tap_ok(us_language_accepted(";;,,;q=, e") == US_LANGUAGE_ENGLISH, "nonsense");
}

int
main(void)
{
	UsBuf		buf = {0};

	test_words();
	test_messages();

	test_escapers();
	test_utf8();
	test_numbers();
	test_times();
	test_query();
	test_request();
	test_etag();
	test_format();
	test_charts();
	us_buf_add(&buf, "x", US_BUF_MAX_BYTES + 1UL);
	tap_ok(buf.failed && buf.len == 0, "a buffer has an end");
	us_buf_free(&buf);
	return tap_done();
}
