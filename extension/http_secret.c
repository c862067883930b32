/*-------------------------------------------------------------------------
 * extension/http_secret.c
 *    a text and the secrets of a user mapping -> whether it shows one
 *
 * Asked before anything that came from an API goes into an error.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "extension/http_secret.h"
#include "extension/http_url.h"

#define MIN_SECRET_LENGTH	4		/* shorter ones would hide half of all texts */

static bool
holds_secret(const char *text, const char *secret)
{
	char	   *encoded;
	bool		found;

	if (strlen(secret) < MIN_SECRET_LENGTH)
		return false;
	if (strstr(text, secret) != NULL)
		return true;
	encoded = us_http_url_encode(secret);
	found = encoded != NULL && strstr(text, encoded) != NULL;
	free(encoded);
	return found;
}

/* a value as a whole, and its last word: "Bearer abc" is as secret as "abc" */
static bool
holds_value(const char *text, const char *item, char separator)
{
	const char *value = strchr(item, separator);
	const char *word;

	if (value == NULL)
		return false;
	value++;
	value += strspn(value, " \t");
	word = strrchr(value, ' ');
	return holds_secret(text, value) || (word != NULL && holds_secret(text, word + 1));
}

bool
us_http_shows_secret(const UsHttpServer *server, const char *text)
{
	for (int i = 0; i < server->nheaders; i++)
		if (holds_value(text, server->headers[i], ':'))
			return true;
	for (int i = 0; i < server->nqueries; i++)
		if (holds_value(text, server->queries[i], '='))
			return true;
	return false;
}
