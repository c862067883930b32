/*-------------------------------------------------------------------------
 * extension/feed_split.c
 *    a JSON text -> where the elements of one of its arrays stand
 *
 * See feed_split.h.  The text ends with a null byte, at which every walk
 * stops.
 *-------------------------------------------------------------------------
 */
#include <string.h>

#include "extension/feed_split.h"

#define BLANKS " \t\n\r"

/* ---- paths ---- */

static bool
is_key_byte(char c, bool is_first)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
		(!is_first && c >= '0' && c <= '9');
}

/* the key that follows ".", and its length; 0 = none follows */
static size_t
next_key(const char **path, const char **key)
{
	size_t		length = 0;

	if (**path != '.')
		return 0;
	*key = *path + 1;
	while (is_key_byte((*key)[length], length == 0))
		length++;
	*path = *key + length;
	return length;
}

bool
us_feed_path_is_plain(const char *path)
{
	const char *key;

	if (*path++ != '$')
		return false;
	while (*path == '.')
		if (next_key(&path, &key) == 0)
			return false;
	return *path == '\0' || strcmp(path, "[*]") == 0;
}

bool
us_feed_paths_part(const char *path, const char *other)
{
	const char *key;
	const char *other_key;
	size_t		length;
	size_t		other_length;

	for (path++, other++;;)
	{
		length = next_key(&path, &key);
		other_length = next_key(&other, &other_key);
		if (length == 0 || other_length == 0)
			return false;
		if (length != other_length || memcmp(key, other_key, length) != 0)
			return true;
	}
}

/* ---- values ---- */

static const char *
skip_blanks(const char *at)
{
	return at + strspn(at, BLANKS);
}

/* what a walk must look at: outside of strings, and in one */
enum
{
	IN_TEXT = 1,
	IN_STRING = 2
};

static const unsigned char stops[256] = {
	['\0'] = IN_TEXT | IN_STRING, ['"'] = IN_TEXT | IN_STRING, ['\\'] = IN_STRING,
	['{'] = IN_TEXT, ['}'] = IN_TEXT, ['['] = IN_TEXT, [']'] = IN_TEXT, [','] = IN_TEXT,
};

static const char *
next_stop(const char *at, unsigned char where)
{
	while ((stops[(unsigned char) *at] & where) == 0)
		at++;
	return at;
}

/* from a quote to behind the one that ends it, or to the end of the text */
static const char *
skip_string(const char *at)
{
	for (at = next_stop(at + 1, IN_STRING); *at == '\\'; at = next_stop(at + 1, IN_STRING))
		if (*++at == '\0')
			return at;
	return *at == '"' ? at + 1 : at;
}

/* from the first byte of a value to behind it; of what is none, to the next punctuation */
static const char *
skip_value(const char *at)
{
	int			depth = 0;

	for (;; at++)
	{
		at = next_stop(at, IN_TEXT);
		switch (*at)
		{
			case '\0':
				return at;
			case '"':
				at = skip_string(at);
				if (depth == 0 || *at == '\0')
					return at;
				at--;
				break;
			case '{':
			case '[':
				depth++;
				break;
			case ',':
				if (depth == 0)
					return at;
				break;
			default:
				if (depth == 0)
					return at;
				if (--depth == 0)
					return at + 1;
				break;
		}
	}
}

/* a value of a text */
typedef struct Span
{
	const char *start;			/* NULL = there is none, or it is not to be told */
	const char *stop;			/* the byte behind it */
} Span;

/* the value of a key in an object; a key that is there twice has none */
static Span
find_member(Span object, const char *key, size_t length)
{
	const char *at = object.start;
	Span		none = {NULL, NULL};
	Span		found = none;

	if (*at != '{')
		return none;
	do
	{
		const char *name = skip_blanks(at + 1);
		Span		value;

		if (*name != '"')
			return none;
		at = skip_string(name);
		if (memchr(name, '\\', (size_t) (at - name)) != NULL)
			return none;
		value.stop = skip_blanks(at);
		if (*value.stop != ':')
			return none;
		value.start = skip_blanks(value.stop + 1);
		value.stop = skip_value(value.start);
		if ((size_t) (at - name) == length + 2 && memcmp(name + 1, key, length) == 0)
		{
			if (found.start != NULL)
				return none;
			found = value;
		}
		at = skip_blanks(value.stop);
	} while (*at == ',');
	return *at == '}' ? found : none;
}

const char *
us_feed_array_find(const char *text, const char *path, const char **end)
{
	Span		value = {skip_blanks(text), NULL};
	const char *key;
	size_t		length;

	for (path++; value.start != NULL && (length = next_key(&path, &key)) > 0;)
		value = find_member(value, key, length);
	if (value.start == NULL || *value.start != '[')
		return NULL;
	*end = (value.stop != NULL ? value.stop : skip_value(value.start)) - 1;
	return **end == ']' ? value.start : NULL;
}

const char *
us_feed_array_next(const char *at, const char *end, const char **start, const char **stop)
{
	bool		is_first = *at == '[';

	if (at == end)
		return NULL;
	*start = skip_blanks(at + 1);
	if (is_first && *start == end)
		return NULL;
	/* what stands between an element and the next comma is given with it */
	for (at = *start; at < end && *at != ',';)
	{
		const char *next = skip_blanks(skip_value(at));

		at = next > at ? next : at + 1;
	}
	if (at > end)
		at = end;
	*stop = at;
	return at;
}
