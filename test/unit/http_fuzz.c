/*-------------------------------------------------------------------------
 * test/unit/http_fuzz.c
 *    any URLs, links, bodies and secrets -> none leads astray, nothing is lost
 *
 * Built with libFuzzer (make fuzz), and without it as a test that runs the
 * files of corpus/http (make check).  The first byte of an input says what
 * the others are.  What was split out of a page is judged by PostgreSQL's own
 * parser of JSON, and by the plainest way to the same array.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "extension/feed_split.h"
#include "extension/http_secret.h"
#include "extension/http_url.h"
#include "test/unit/fuzz.h"
#include "test/unit/plain_json.h"

#define MAX_BYTES	2000
#define BLANKS		" \t\r\n"

typedef enum Kind
{
	KIND_URL,					/* a URL, a link on its page, a parameter; a line each */
	KIND_PAGE,					/* a JSON path; a body in the lines after it */
	KIND_SECRET,				/* a header; a text in the lines after it */
	KINDS
} Kind;

/* ---- URLs ---- */

static const char *
judge_origin(const char *url)
{
	char	   *origin = us_http_url_origin(url);
	const char *wrong = NULL;

	if (us_http_url_problem(origin, false) != NULL || !us_http_url_same_origin(url, origin))
		wrong = "an origin is another one";
	else if (strpbrk(strstr(origin, "://") + 3, "/?#@") != NULL)
		wrong = "an origin with a path, parameters or a name";
	free(origin);
	return wrong;
}

/* the value of the last parameter of a URL is the text again */
static bool
ends_with(const char *url, const char *value)
{
	const char *end = url + strcspn(url, "#");
	const char *at = end;
	size_t		i = 0;

	while (at > url && at[-1] != '&' && at[-1] != '?')
		at--;
	for (at += strcspn(at, "=") + 1; at < end; at++, i++)
	{
		unsigned	code = (unsigned char) (*at == '+' ? ' ' : *at);

		if (*at == '%' && sscanf(at + 1, "%2x", &code) == 1)
			at += 2;
		if ((unsigned char) value[i] != code)
			return false;
	}
	return value[i] == '\0';
}

static const char *
judge_longer(const char *url, const char *longer, const char *again)
{
	if (longer == NULL || again == NULL)
		return "a parameter makes a URL none";
	if (us_http_url_problem(longer, false) != NULL || !us_http_url_same_origin(url, longer))
		return "a parameter leads to elsewhere";
	/* libcurl may write %FF as %ff */
	if (strcasecmp(longer, again) != 0)
		return "a parameter comes twice";
	return NULL;
}

static const char *
judge_parameter(const char *url, const char *pair)
{
	size_t		name = strspn(pair, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
	char	   *longer;
	char	   *again;
	const char *wrong;

	if (name == 0 || pair[name] != '=')
		return NULL;
	longer = us_http_url_add(url, pair);
	again = longer == NULL ? NULL : us_http_url_add(longer, pair);
	wrong = judge_longer(url, longer, again);
	if (wrong == NULL && strcmp(url, longer) != 0 && !ends_with(longer, pair + name + 1))
		wrong = "a parameter has another value";
	free(longer);
	free(again);
	if (wrong != NULL)
		return wrong;

	longer = us_http_url_set(url, pair);
	again = longer == NULL ? NULL : us_http_url_set(longer, pair);
	wrong = judge_longer(url, longer, again);
	if (wrong == NULL && !ends_with(longer, pair + name + 1))
		wrong = "a parameter keeps its value";
	free(longer);
	free(again);
	return wrong;
}

static const char *
judge_url(char *text)
{
	const char *url = strsep(&text, "\n");
	const char *link = text ? strsep(&text, "\n") : "";
	const char *wrong = NULL;
	char	   *target;

	(void) us_http_url_problem(url, true);
	if (us_http_url_problem(url, false) != NULL)
		return NULL;
	if (strpbrk(url, BLANKS) || !us_http_url_same_origin(url, url))
		return "a URL is not its own";
	wrong = judge_origin(url);
	target = us_http_url_resolve(url, link);
	/* as a feed does, which goes only to what passes */
	if (wrong == NULL && target != NULL && us_http_url_problem(target, false) == NULL)
	{
		wrong = judge_origin(target);
		if (wrong == NULL && link[0] == '?' && !us_http_url_same_origin(url, target))
			wrong = "parameters lead to elsewhere";
	}
	free(target);
	if (wrong == NULL && text != NULL)
		wrong = judge_parameter(url, text);
	return wrong;
}

/* ---- pages ---- */

/* the rest of a page and its elements are JSON exactly when all of it is */
static const char *
judge_elements(const char *text, const char *array, const char *end)
{
	size_t		before = (size_t) (array + 1 - text);
	char	   *rest = malloc(strlen(text) + 1);
	const char *start;
	const char *stop = NULL;
	const char *behind = array + 1;
	bool		valid;

	memcpy(rest, text, before);
	strcpy(rest + before, end);
	valid = plain_json_is_valid(rest, strlen(rest));
	free(rest);
	for (const char *at = array; (at = us_feed_array_next(at, end, &start, &stop)) != NULL;)
	{
		char	   *element;

		if (behind + strspn(behind, BLANKS) != start || stop < start || stop > end)
			return "an element is elsewhere";
		if (*stop != ',' && stop != end)
			return "an element ends before a comma";
		element = strndup(start, (size_t) (stop - start));
		valid = plain_json_is_valid(element, strlen(element)) && valid;
		free(element);
		behind = stop + 1;
	}
	if (stop == NULL ? behind + strspn(behind, BLANKS) != end : behind != end + 1)
		return "an element is left out";
	return valid == plain_json_is_valid(text, strlen(text)) ? NULL :
		"the parts of a page are judged otherwise than the page";
}

/* a path of keys as steps; the last [*] is left out */
static const char *
judge_place(const char *text, char *path, const char *array)
{
	char	   *steps[MAX_BYTES];
	int			nsteps = 0;

	if (strlen(path) >= 3 && strcmp(path + strlen(path) - 3, "[*]") == 0)
		path[strlen(path) - 3] = '\0';
	strsep(&path, ".");
	while (path != NULL)
		steps[nsteps++] = strsep(&path, ".");
	return plain_json_find(text, steps, nsteps) == array ? NULL : "another array";
}

static const char *
judge_page(char *text)
{
	char	   *path = strsep(&text, "\n");
	const char *end;
	const char *array;
	const char *wrong;

	if (text == NULL || !us_feed_path_is_plain(path))
		return NULL;
	if (us_feed_paths_part(path, path))
		return "a path parts from itself";
	array = us_feed_array_find(text, path, &end);
	if (array == NULL)
		return NULL;
	if (*array != '[' || *end != ']' || end <= array)
		return "what is no array";
	wrong = judge_elements(text, array, end);
	if (wrong == NULL && plain_json_is_valid(text, strlen(text)))
		wrong = judge_place(text, path, array);
	return wrong;
}

/* ---- secrets ---- */

static const char *
judge_secret(char *text)
{
	const char *header = strsep(&text, "\n");
	const char *headers[] = {header};
	UsHttpServer server = {.nheaders = 1, .headers = headers};
	const char *value = strchr(header, ':');
	char	   *encoded;
	bool		shows;

	if (value == NULL || text == NULL)
		return NULL;
	value += 1 + strspn(value + 1, " \t");
	if (strlen(value) < 4)
		return us_http_shows_secret(&server, text) ? "a text shows what is no secret" : NULL;
	encoded = us_http_url_encode(value);
	shows = strstr(text, value) != NULL || strstr(text, encoded) != NULL;
	free(encoded);
	return shows && !us_http_shows_secret(&server, text) ? "a text shows a secret" : NULL;
}

static const char *
judge_kind(int kind, char *text, size_t len)
{
	(void) len;					/* a text ends at its first NUL */
	switch ((Kind) kind)
	{
		case KIND_URL:
			return judge_url(text);
		case KIND_PAGE:
			return judge_page(text);
		case KIND_SECRET:
			return judge_secret(text);
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

const FuzzTarget fuzz_target = {"http", "nothing leads astray", MAX_BYTES, KINDS, judge};

#ifndef FUZZ

int
main(void)
{
	return fuzz_corpus();
}

#endif
