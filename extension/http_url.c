/*-------------------------------------------------------------------------
 * extension/http_url.c
 *    URLs: which may be called, and what they are made of
 *
 * Used by the validator of servers, by the client at each redirect, and where
 * a feed goes from page to page.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <curl/curl.h>

#include "extension/http_url.h"

/* NULL when it is no URL; the caller frees it by curl_url_cleanup */
static CURLU *
parse_url(const char *url)
{
	CURLU	   *handle = curl_url();

	if (handle == NULL)
		return NULL;
	if (curl_url_set(handle, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
	{
		curl_url_cleanup(handle);
		return NULL;
	}
	return handle;
}

/* the part or NULL, to be freed by curl_free */
static char *
url_part(CURLU *handle, CURLUPart part)
{
	char	   *text = NULL;
	unsigned	flags = part == CURLUPART_PORT ? CURLU_DEFAULT_PORT : 0;

	if (curl_url_get(handle, part, &text, flags) != CURLUE_OK)
		return NULL;
	return text;
}

static bool
has_part(CURLU *handle, CURLUPart part)
{
	char	   *text = url_part(handle, part);
	bool		result = text != NULL && text[0] != '\0';

	curl_free(text);
	return result;
}

static bool
is_scheme(CURLU *handle, const char *const *schemes)
{
	char	   *scheme = url_part(handle, CURLUPART_SCHEME);
	bool		result = false;

	for (; scheme != NULL && *schemes != NULL; schemes++)
		result |= strcasecmp(scheme, *schemes) == 0;
	curl_free(scheme);
	return result;
}

static bool
has_control(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char) *text <= ' ' || *text == 0x7f)
			return true;
	return false;
}

/* one that libcurl reads in the same way when it is shown or compared: "%31" is 1, which is 0.0.0.1 */
static bool
has_plain_host(CURLU *handle, const char *url, bool proxy)
{
	char	   *origin = us_http_url_origin(url);
	bool		result = has_part(handle, CURLUPART_HOST) && origin != NULL &&
		!has_control(origin) && (proxy || us_http_url_same_origin(url, origin));

	free(origin);
	return result;
}

const char *
us_http_url_problem(const char *url, bool proxy)
{
	static const char *const http_schemes[] = {"http", "https", NULL};
	static const char *const proxy_schemes[] = {"http", "https", "socks5", "socks5h", NULL};
	const char *problem = NULL;
	CURLU	   *handle;

	/* blanks and controls would be cut or encoded by some and not by others */
	if (has_control(url))
		return "It holds a blank or a control character, which a URL writes as %20 or the like.";

	handle = parse_url(url);
	if (handle == NULL)
		return "It is not a URL: scheme, \"://\", host and path are expected.";
	if (!is_scheme(handle, proxy ? proxy_schemes : http_schemes))
		problem = proxy ? "Its scheme is not http, https, socks5 or socks5h." :
			"Its scheme is not http or https.";
	else if (has_part(handle, CURLUPART_USER) || has_part(handle, CURLUPART_PASSWORD))
		problem = "It holds a user name or password, and every role can read the options of a server.";
	else if (!has_plain_host(handle, url, proxy))
		problem = "It names no host, or one that is encoded.";
	curl_url_cleanup(handle);
	return problem;
}

static bool
same_part(CURLU *a, CURLU *b, CURLUPart part)
{
	char	   *x = url_part(a, part);
	char	   *y = url_part(b, part);
	bool		result = x != NULL && y != NULL && strcasecmp(x, y) == 0;

	curl_free(x);
	curl_free(y);
	return result;
}

bool
us_http_url_same_origin(const char *a, const char *b)
{
	CURLU	   *x = parse_url(a);
	CURLU	   *y = parse_url(b);
	bool		result = x != NULL && y != NULL &&
		same_part(x, y, CURLUPART_SCHEME) && same_part(x, y, CURLUPART_HOST) &&
		same_part(x, y, CURLUPART_PORT);

	curl_url_cleanup(x);
	curl_url_cleanup(y);
	return result;
}

/* whether a parameter "a=1" of a query has the name of a pair, however it is encoded */
static bool
has_name(const char *parameter, const char *pair)
{
	int			length;
	char	   *name = curl_easy_unescape(NULL, parameter, (int) strcspn(parameter, "=&"), &length);
	bool		result = name != NULL && (size_t) length == strcspn(pair, "=") &&
		memcmp(name, pair, (size_t) length) == 0;

	curl_free(name);
	return result;
}

/* takes the parameters with the name of a pair out of a query "a=1&b=2"; whether there were any */
static bool
remove_parameters(char *query, const char *pair)
{
	bool		any = false;

	for (char *at = query; *at != '\0';)
	{
		char	   *next = at + strcspn(at, "&");

		next += *next == '&';
		if (has_name(at, pair))
		{
			memmove(at, next, strlen(next) + 1);
			any = true;
		}
		else
			at = next;
	}
	return any;
}

/* with one more parameter; of one that is there already, either it or the new one stays */
static char *
with_parameter(const char *url, const char *pair, bool replace)
{
	CURLU	   *handle = parse_url(url);
	char	   *query;
	char	   *text = NULL;
	char	   *result = NULL;
	bool		is_there;
	CURLUcode	rc = CURLUE_OK;

	if (handle == NULL)
		return NULL;
	query = url_part(handle, CURLUPART_QUERY);
	is_there = query != NULL && remove_parameters(query, pair);
	if (is_there && replace)
		rc = curl_url_set(handle, CURLUPART_QUERY, query[0] == '\0' ? NULL : query, 0);
	if (is_there && !replace)
		result = strdup(url);
	else if (rc == CURLUE_OK &&
			 curl_url_set(handle, CURLUPART_QUERY, pair,
						  CURLU_APPENDQUERY | CURLU_URLENCODE) == CURLUE_OK &&
			 (text = url_part(handle, CURLUPART_URL)) != NULL)
		result = strdup(text);
	curl_free(query);
	curl_free(text);
	curl_url_cleanup(handle);
	return result;
}

char *
us_http_url_add(const char *url, const char *pair)
{
	return with_parameter(url, pair, false);
}

char *
us_http_url_set(const char *url, const char *pair)
{
	return with_parameter(url, pair, true);
}

char *
us_http_url_resolve(const char *page, const char *link)
{
	CURLU	   *handle = parse_url(page);
	char	   *text = NULL;
	char	   *result = NULL;

	if (handle == NULL)
		return NULL;
	if (curl_url_set(handle, CURLUPART_URL, link, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
		(text = url_part(handle, CURLUPART_URL)) != NULL)
		result = strdup(text);
	curl_free(text);
	curl_url_cleanup(handle);
	return result;
}

char *
us_http_url_origin(const char *url)
{
	CURLU	   *handle = parse_url(url);
	char	   *text = NULL;
	char	   *result;

	if (handle != NULL)
	{
		curl_url_set(handle, CURLUPART_USER, NULL, 0);
		curl_url_set(handle, CURLUPART_PASSWORD, NULL, 0);
		curl_url_set(handle, CURLUPART_PATH, NULL, 0);
		curl_url_set(handle, CURLUPART_QUERY, NULL, 0);
		curl_url_set(handle, CURLUPART_FRAGMENT, NULL, 0);
		text = url_part(handle, CURLUPART_URL);
	}
	result = strdup(text != NULL ? text : "(not a URL)");
	if (result != NULL && text != NULL && result[strlen(result) - 1] == '/')
		result[strlen(result) - 1] = '\0';
	curl_free(text);
	curl_url_cleanup(handle);
	return result;
}

char *
us_http_url_encode(const char *text)
{
	char	   *encoded = curl_easy_escape(NULL, text, 0);
	char	   *result = encoded == NULL ? NULL : strdup(encoded);

	curl_free(encoded);
	return result;
}
