/*-------------------------------------------------------------------------
 * dashboard/request.c
 *    what a web server tells of a request, checked once
 *-------------------------------------------------------------------------
 */
#include "dashboard/request.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "dashboard/escape.h"
#include "dashboard/parse.h"

bool
us_request_refuse(UsRequest *request, int status, const char *format,...)
{
	va_list		args;

	if (request->error_status != 0)
		return false;
	request->error_status = status;
	va_start(args, format);
	vsnprintf(request->error, sizeof(request->error), us_text(format), args);
	va_end(args);
	return false;
}

const char *
us_request_param(const UsRequest *request, const char *name)
{
	for (int i = 0; i < request->nparams; i++)
	{
		if (strcmp(request->params[i].name, name) == 0)
			return request->params[i].value[0] ? request->params[i].value : NULL;
	}
	return NULL;
}

/* unlike other parameters an empty number is refused: nothing of ours makes one */
int64_t
us_request_number(UsRequest *request, const char *name, int64_t low, int64_t high, int64_t fallback)
{
	for (int i = 0; i < request->nparams; i++)
	{
		int64_t		value;

		if (strcmp(request->params[i].name, name) != 0)
			continue;
		if (us_parse_int64(request->params[i].value, high, &value) && value >= low)
			return value;
		us_request_refuse(request, 400, "%s must be %" PRId64 "..%" PRId64, name, low, high);
	}
	return fallback;
}

/* no control, no byte that is not UTF-8: no name of ours or of PostgreSQL's needs one */
static bool
is_clean(const char *text)
{
	size_t		len = strlen(text);

	while (len > 0)
	{
		unsigned	code = 0;
		int			n = us_utf8_length(text, len, &code);

		if (n == 0 || code < 0x20 || code == 0x7f)
			return false;
		text += n;
		len -= (size_t) n;
	}
	return true;
}

/* servers spell it in capitals; no other method does anything here */
static bool
read_method(UsRequest *request, const char *method)
{
	if (method == NULL || strcmp(method, "GET") == 0)
		return true;
	if (strcmp(method, "HEAD") == 0)
		return request->is_head = true;
	if (strcmp(method, "POST") == 0)
		return us_request_refuse(request, 405, "nothing is changed here: only GET and HEAD");
	return us_request_refuse(request, 501, "only GET and HEAD");
}

/*
 * A page of another site whose name was made to resolve to this machine must
 * not read ours: only the names of this machine, or those of the setting.
 */
static bool
read_host(UsRequest *request, const char *host, const char *allowed)
{
	static const char *const local[] = {"localhost", "127.0.0.1", "[::1]"};
	size_t		len;

	if (host == NULL)
		return true;
	len = host[0] == '[' ? strcspn(host, "]") + 1 : strcspn(host, ":");
	if (len > strlen(host))
		return us_request_refuse(request, 400, "invalid Host");
	if (host[len] != '\0' && (host[len] != ':' ||
							  host[len + 1 + strspn(host + len + 1, "0123456789")] != '\0'))
		return us_request_refuse(request, 400, "invalid Host");
	for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
	{
		if (len == strlen(local[i]) && strncasecmp(host, local[i], len) == 0)
			return true;
	}
	if (allowed && len > 0 && len == strlen(allowed) && strncasecmp(host, allowed, len) == 0)
		return true;
	return us_request_refuse(request, 403, "this Host is not served here");
}

static bool
read_path(UsRequest *request, const char *path)
{
	if (path == NULL || *path == '\0')
		path = "/";
	if (strlen(path) >= sizeof(request->path))
		return us_request_refuse(request, 414, "the path is too long");
	if (*path != '/' || !is_clean(path))
		return us_request_refuse(request, 400, "the path is no UTF-8 text");
	strcpy(request->path, path);
	return true;
}

static int
hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* decodes len bytes to *out, terminated, and moves *out behind; false: a bad escape */
static bool
decode(const char *bytes, size_t len, char **out)
{
	for (size_t i = 0; i < len; i++)
	{
		char		c = bytes[i];

		if (c == '%')
		{
			int			high = i + 2 < len ? hex_value(bytes[i + 1]) : -1;
			int			low = i + 2 < len ? hex_value(bytes[i + 2]) : -1;

			if (high < 0 || low < 0)
				return false;
			c = (char) (high << 4 | low);
			i += 2;
		}
		else if (c == '+')
			c = ' ';
		if (c == '\0')
			return false;
		*(*out)++ = c;
	}
	*(*out)++ = '\0';
	return true;
}

static bool
add_param(UsRequest *request, const char *name, const char *value)
{
	if (*name == '\0')
		return us_request_refuse(request, 400, "a parameter has no name");
	if (!is_clean(name) || !is_clean(value))
		return us_request_refuse(request, 400, "a parameter is no UTF-8 text, or has controls in it");
	for (int i = 0; i < request->nparams; i++)
	{
		if (strcmp(request->params[i].name, name) == 0)
			return us_request_refuse(request, 400, "a parameter stands there twice");
	}
	if (request->nparams == US_REQUEST_MAX_PARAMS)
		return us_request_refuse(request, 400, "more than %d parameters", US_REQUEST_MAX_PARAMS);
	request->params[request->nparams].name = name;
	request->params[request->nparams++].value = value;
	return true;
}

static bool
read_query(UsRequest *request, const char *query)
{
	char	   *out = request->decoded;

	if (query == NULL)
		return true;
	/* each pair takes its own length and two terminators at most, less '=' and '&' */
	if (strlen(query) + 2 > sizeof(request->decoded))
		return us_request_refuse(request, 414, "the query is too long");
	while (*query)
	{
		size_t		len = strcspn(query, "&");
		size_t		name_len = strcspn(query, "=&");
		const char *name = out;
		const char *value;
		size_t		value_at = name_len < len ? name_len + 1 : len;

		if (len > 0)
		{
			if (!decode(query, name_len, &out))
				return us_request_refuse(request, 400, "a %% is not followed by two hexadecimal digits");
			value = out;
			if (value_at == len)
				value = out - 1;	/* the name's terminator */
			else if (!decode(query + value_at, len - value_at, &out))
				return us_request_refuse(request, 400, "a %% is not followed by two hexadecimal digits");
			if (!add_param(request, name, value))
				return false;
		}
		query += len;
		if (*query == '&')
			query++;
	}
	return true;
}

/* a parameter that is every page's is taken out of the list; its value, or NULL */
static const char *
take_param(UsRequest *request, const char *name)
{
	for (int i = 0; i < request->nparams; i++)
	{
		const char *value = request->params[i].value;

		if (strcmp(request->params[i].name, name) != 0)
			continue;
		request->params[i] = request->params[--request->nparams];
		return value;
	}
	return NULL;
}

static bool
read_format(UsRequest *request)
{
	const char *value = take_param(request, "format");

	if (value && strcmp(value, "json") == 0)
		request->format = US_FORMAT_JSON;
	else if (value && strcmp(value, "csv") == 0)
		request->format = US_FORMAT_CSV;
	else if (value && strcmp(value, "html") != 0)
		return us_request_refuse(request, 400, "format must be html, json or csv");
	return true;
}

static bool
read_language(UsRequest *request)
{
	const char *value = take_param(request, "lang");

	request->sets_language = value && us_language_find(value, &request->language);
	if (value && !request->sets_language)
		return us_request_refuse(request, 400, "lang must be en or es");
	us_language_choose(request->language);
	return true;
}

/* the cookie, unless there is none of ours; then what the browser asks for */
static void
guess_language(UsRequest *request, const char *cookies, const char *accepted)
{
	const char *at = cookies ? strstr(cookies, US_REQUEST_COOKIE "=") : NULL;
	char		code[3] = "";

	if (at)
		snprintf(code, sizeof(code), "%s", at + strlen(US_REQUEST_COOKIE "="));
	if (!us_language_find(code, &request->language) && accepted)
		request->language = us_language_accepted(accepted);
	us_language_choose(request->language);
}

void
us_request_read(UsRequest *request, UsVariable variable, void *context)
{
	const char *accept = variable(context, "HTTP_ACCEPT");
	const char *etag = variable(context, "HTTP_IF_NONE_MATCH");

	memset(request, 0, offsetof(UsRequest, decoded));
	strcpy(request->path, "/");
	guess_language(request, variable(context, "HTTP_COOKIE"), variable(context, "HTTP_ACCEPT_LANGUAGE"));
	request->openmetrics = accept && strstr(accept, "application/openmetrics-text");
	if (etag && strlen(etag) < sizeof(request->if_none_match))
		strcpy(request->if_none_match, etag);
	if (read_method(request, variable(context, "REQUEST_METHOD")) &&
		read_host(request, variable(context, "HTTP_HOST"), variable(context, "USERSTREAM_HOST")) &&
		read_path(request, variable(context, "PATH_INFO")) &&
		read_query(request, variable(context, "QUERY_STRING")) &&
		read_format(request))
		read_language(request);
}
