/*-------------------------------------------------------------------------
 * test/unit/dashboard_fuzz.c
 *    any bytes -> the dashboard's parsers do no harm, its escapers let nothing through
 *
 * Built with libFuzzer (make fuzz FUZZ=dashboard), and without it as a test
 * that runs the files of corpus/dashboard (make check).  The first byte of an
 * input says what the others are.  What an escaper wrote is read back by the
 * plainest reader of its context, and must be the text again.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dashboard/escape.h"
#include "dashboard/format.h"
#include "dashboard/parse.h"
#include "dashboard/route.h"
#include "test/unit/fuzz.h"

#define MAX_BYTES	6000

/* what the bytes after the first are */
typedef enum Kind
{
	KIND_QUERY,					/* QUERY_STRING */
	KIND_PATH,					/* PATH_INFO */
	KIND_HEADERS,				/* method, host, accepted types, tag; a line each */
	KIND_TEXT,					/* text of others, for the escapers */
	KIND_NUMBER,				/* a number or a time of a request, a value to be shown */
	KINDS
} Kind;

/* the routes name the pages, which are not called here */
#define NO_PAGE(name) void name(UsPage *page, const char *of) { (void) page; (void) of; abort(); }
NO_PAGE(us_show_users)
NO_PAGE(us_show_streams)
NO_PAGE(us_show_stream)
NO_PAGE(us_show_messages)
NO_PAGE(us_show_feeds)
NO_PAGE(us_show_feed)
NO_PAGE(us_show_dead_letters)
NO_PAGE(us_show_dead_letter)
NO_PAGE(us_show_mirrors)

typedef struct Variables
{
	const char *names[5];
	const char *values[5];
} Variables;

static const char *
variable(void *context, const char *name)
{
	const Variables *variables = context;

	for (int i = 0; i < 5; i++)
	{
		if (variables->names[i] && strcmp(variables->names[i], name) == 0)
			return variables->values[i];
	}
	return NULL;
}

static UsRequest *
read_one(const char *name, const char *value)
{
	UsRequest  *request = malloc(sizeof(*request));
	Variables	variables = {.names = {name}, .values = {value}};

	us_request_read(request, variable, &variables);
	return request;
}

static bool
is_utf8(const char *text, size_t len)
{
	while (len > 0)
	{
		int			n = us_utf8_length(text, len, NULL);

		if (n == 0)
			return false;
		text += n;
		len -= (size_t) n;
	}
	return true;
}

static bool
is_harmless(const char *text)
{
	for (const char *at = text; *at; at++)
	{
		if ((unsigned char) *at < 0x20 || *at == 0x7f)
			return false;
	}
	return is_utf8(text, strlen(text));
}

static const char *
judge_request(const UsRequest *request)
{
	if (request->error_status != 0)
	{
		if (request->error_status < 400 || request->error_status > 599 || request->error[0] == '\0')
			return "a refusal without status or reason";
		return NULL;
	}
	if (request->path[0] != '/' || !is_harmless(request->path))
		return "a bad path is taken";
	if (request->nparams > US_REQUEST_MAX_PARAMS)
		return "too many parameters";
	for (int i = 0; i < request->nparams; i++)
	{
		const UsParam *param = &request->params[i];

		if (param->name[0] == '\0' || !is_harmless(param->name) || !is_harmless(param->value))
			return "a bad parameter is taken";
		for (int j = 0; j < i; j++)
		{
			if (strcmp(param->name, request->params[j].name) == 0)
				return "a parameter is there twice";
		}
	}
	return NULL;
}

/* written as a query again, the parameters are the same ones */
static const char *
judge_again(const UsRequest *request)
{
	const char *wrong = NULL;
	UsRequest  *again;
	UsBuf		query = {0};

	for (int i = 0; i < request->nparams; i++)
	{
		us_buf_puts(&query, i ? "&" : "");
		us_url_arg(&query, request->params[i].name);
		us_buf_puts(&query, "=");
		us_url_arg(&query, request->params[i].value);
	}
	again = read_one("QUERY_STRING", us_buf_text(&query));
	if (again->error_status == 414)
		/* longer than it was: each byte takes three */ ;
	else if (again->error_status != 0 || again->nparams != request->nparams)
		wrong = "a query that is written again is another one";
	for (int i = 0; wrong == NULL && again->error_status == 0 && i < request->nparams; i++)
	{
		if (strcmp(again->params[i].name, request->params[i].name) != 0 ||
			strcmp(again->params[i].value, request->params[i].value) != 0)
			wrong = "a parameter that is written again is another one";
	}
	free(again);
	us_buf_free(&query);
	return wrong;
}

static const char *
judge_query(const char *text)
{
	UsRequest  *request = read_one("QUERY_STRING", text);
	const char *wrong = judge_request(request);

	if (wrong == NULL && request->error_status == 0)
	{
		wrong = judge_again(request);
		for (const UsRoute *route = us_routes; route->path && wrong == NULL; route++)
		{
			int			nparams = request->nparams;

			request->error_status = 0;
			if (us_route_accepts(route, request) && request->error_status != 0)
				wrong = "a request is taken and refused";
			for (int i = 0; i < nparams && request->error_status == 0; i++)
			{
				if (strstr(route->params, request->params[i].name) == NULL)
					wrong = "a page takes a parameter that it does not have";
			}
		}
		request->error_status = 0;
		(void) us_request_number(request, "offset", 0, INT64_MAX, 0);
		(void) us_request_number(request, "limit", 10, 200, 50);
	}
	free(request);
	return wrong;
}

static const char *
judge_path(const char *text)
{
	UsRequest  *request = read_one("PATH_INFO", text);
	const char *wrong = judge_request(request);
	const char *name;
	const UsRoute *route;

	if (wrong == NULL && request->error_status == 0)
	{
		route = us_route_find(request->path, &name);
		if (route && strncmp(request->path, route->path, strlen(route->path)) != 0)
			wrong = "a path leads to another page";
		if (route && *name && name != request->path + strlen(route->path))
			wrong = "a name is not the rest of its path";
	}
	free(request);
	return wrong;
}

static const char *
judge_headers(char *text)
{
	Variables	variables = {.names = {"REQUEST_METHOD", "HTTP_HOST", "HTTP_ACCEPT", "HTTP_IF_NONE_MATCH", "USERSTREAM_HOST"}};
	UsRequest  *request = malloc(sizeof(*request));
	const char *wrong;

	for (int i = 0; i < 5 && text; i++)
		variables.values[i] = strsep(&text, "\n");
	us_request_read(request, variable, &variables);
	wrong = judge_request(request);
	(void) us_etag_matches(request->if_none_match, "\"0123456789abcdef\"");
	free(request);
	return wrong;
}

/* the character that an entity at text stands for, and its length; 0: it is none of ours */
static char
read_entity(const char *text, size_t *len)
{
	static const struct
	{
		const char *entity;
		char		c;
	}			entities[] = {{"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&#39;", '\''}};

	for (size_t i = 0; i < sizeof(entities) / sizeof(entities[0]); i++)
	{
		*len = strlen(entities[i].entity);
		if (strncmp(text, entities[i].entity, *len) == 0)
			return entities[i].c;
	}
	return '\0';
}

/* no character that means something in a quoted attribute or between tags is left */
static const char *
judge_markup(const char *html, size_t len)
{
	size_t		n;

	if (!is_utf8(html, len))
		return "HTML that is no UTF-8";
	for (const char *at = html; at < html + len; at += n)
	{
		n = 1;
		if (*at == '&' && read_entity(at, &n) == '\0')
			return "a bare & in HTML";
		if (strchr("<>\"'", *at) || ((unsigned char) *at < 0x20 && !strchr("\t\n", *at)))
			return "a character that means something is left in HTML";
	}
	return NULL;
}

/* the marks around what cannot be shown are the only elements */
static const char *
judge_html(const UsBuf *buf)
{
	static const char open[] = "<span class=\"odd\">";
	static const char close[] = "</span>";
	UsBuf		bare = {0};
	const char *wrong = NULL;
	int			depth = 0;

	for (const char *at = us_buf_text(buf); *at && wrong == NULL;)
	{
		if (strncmp(at, open, strlen(open)) == 0 && depth++ == 0)
			at += strlen(open);
		else if (strncmp(at, close, strlen(close)) == 0 && depth-- == 1)
			at += strlen(close);
		else
			us_buf_add(&bare, at++, 1);
	}
	if (depth != 0)
		wrong = "a mark is not closed";
	else
		wrong = judge_markup(us_buf_text(&bare), bare.len);
	us_buf_free(&bare);
	return wrong;
}

static const char *
judge_url(const char *text)
{
	UsBuf		url = {0};
	const char *at = text;
	const char *wrong = NULL;

	us_url_arg(&url, text);
	for (const char *c = us_buf_text(&url); *c && wrong == NULL; c++, at++)
	{
		unsigned	code = (unsigned char) *c;

		if (*c == '%' && sscanf(c + 1, "%2x", &code) == 1)
			c += 2;
		else if (strchr("%&=+#?/\\\"'<> ", *c))
			wrong = "a character that means something is left in a URL";
		if ((unsigned char) *at != code)
			wrong = "a URL stands for another text";
	}
	us_buf_free(&url);
	return wrong;
}

static const char *
judge_csv(const char *text)
{
	UsBuf		csv = {0};
	const char *field;
	const char *wrong = NULL;

	us_csv_field(&csv, text);
	field = us_buf_text(&csv);
	if (*field && strchr("=+@\t\r", *field))
		wrong = "a formula in CSV";
	else if (*field != '"')
		wrong = field[strcspn(field, ",\"\r\n")] ? "a bare separator in CSV" : NULL;
	else
	{
		/* ends at the first quote that is not doubled: that must be its end */
		for (field++; field[0] && (field[0] != '"' || field[1] == '"'); field += field[0] == '"' ? 2 : 1)
			 /* go on */ ;
		if (field[0] != '"' || field[1] != '\0')
			wrong = "a quoted field of CSV that ends elsewhere";
	}
	us_buf_free(&csv);
	return wrong;
}

static const char *
judge_label(const char *text)
{
	UsBuf		label = {0};
	const char *wrong = NULL;

	us_metric_label(&label, text);
	for (const char *at = us_buf_text(&label); *at && wrong == NULL; at++)
	{
		if (*at == '\n' || *at == '"')
			wrong = "a metric's label ends early";
		if (*at == '\\' && (*++at == '\0' || !strchr("\\\"n", *at)))
			wrong = "a bad escape in a metric's label";
	}
	if (!is_utf8(us_buf_text(&label), label.len))
		wrong = "a metric's label is no UTF-8";
	us_buf_free(&label);
	return wrong;
}

static const char *
judge_text(const char *text, size_t len)
{
	UsBuf		buf = {0};
	const char *wrong;

	us_html_bytes(&buf, text, len);
	wrong = judge_html(&buf);
	us_buf_free(&buf);
	us_html_attr(&buf, text);
	if (wrong == NULL)
		wrong = judge_markup(us_buf_text(&buf), buf.len);
	us_buf_free(&buf);
	us_json_clean(&buf, text, len);
	if (wrong == NULL && !is_utf8(us_buf_text(&buf), buf.len))
		wrong = "JSON that is no UTF-8";
	us_buf_free(&buf);
	if (wrong == NULL)
		wrong = judge_url(text);
	if (wrong == NULL)
		wrong = judge_csv(text);
	return wrong ? wrong : judge_label(text);
}

static const char *
judge_number(const char *text)
{
	int64_t		value = -1;
	char		again[24];
	UsBuf		buf = {0};
	const char *wrong = NULL;

	if (us_parse_int64(text, INT64_MAX, &value))
	{
		snprintf(again, sizeof(again), "%lld", (long long) value);
		if (value < 0 || strcmp(again, text + strspn(text, "0") - (value == 0)) != 0)
			wrong = "a number is another one";
	}
	if (us_parse_time(text) && strspn(text, "0123456789TtZz:.+- ") != strlen(text))
		wrong = "a time with other characters";
	us_format_count(&buf, text);
	us_format_time(&buf, text);
	us_format_seconds(&buf, strtod(text, NULL));
	us_format_bytes(&buf, strtod(text, NULL));
	if (!is_utf8(us_buf_text(&buf), buf.len))
		wrong = "a value is shown as no UTF-8";
	us_buf_free(&buf);
	return wrong;
}

static const char *
judge_kind(int kind, char *text, size_t len)
{
	switch ((Kind) kind)
	{
		case KIND_QUERY:
			return judge_query(text);
		case KIND_PATH:
			return judge_path(text);
		case KIND_HEADERS:
			return judge_headers(text);
		case KIND_TEXT:
			return judge_text(text, len);
		case KIND_NUMBER:
			return judge_number(text);
		case KINDS:
			break;
	}
	return NULL;
}

static const char *
judge(const uint8_t *data, size_t len)
{
	return fuzz_judge_text(data, len, judge_kind);
}

const FuzzTarget fuzz_target = {"dashboard", "does no harm", MAX_BYTES, KINDS, judge};

#ifndef FUZZ

int
main(void)
{
	return fuzz_corpus();
}

#endif
