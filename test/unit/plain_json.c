/*-------------------------------------------------------------------------
 * test/unit/plain_json.c
 *    JSON read in the plainest way, to judge readers that are quick
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "common/jsonapi.h"
#include "extension/compat.h"
#include "mb/pg_wchar.h"
#include "test/unit/plain_json.h"

#define BLANKS	" \t\r\n"

bool
plain_json_is_valid(const char *text, size_t len)
{
	JsonLexContext lex;

	us_json_lexer_start(&lex, text, len);
	return pg_parse_json(&lex, &nullSemAction) == JSON_SUCCESS;
}

static const char *
skip_string(const char *at)
{
	for (at++; *at != '"'; at++)
		at += *at == '\\';
	return at + 1;
}

const char *
plain_json_skip(const char *text)
{
	const char *at = text + strspn(text, BLANKS);
	int			depth = 0;

	if (*at == '"')
		return skip_string(at);
	if (*at != '{' && *at != '[')
		return at + strcspn(at, ",:]}" BLANKS);
	do
	{
		if (*at == '"')
			at = skip_string(at);
		else
		{
			depth += *at == '{' || *at == '[';
			depth -= *at == '}' || *at == ']';
			at++;
		}
	} while (depth > 0);
	return at;
}

static unsigned
code_unit(const char *digits)
{
	char		four[5] = {0};

	memcpy(four, digits, 4);
	return (unsigned) strtoul(four, NULL, 16);
}

size_t
plain_json_unescape(const char *string, char *text)
{
	static const char letters[] = "b\bf\fn\nr\rt\t";
	char	   *out = text;

	for (const char *at = string + 1; *at != '"'; at++)
	{
		unsigned	code;

		if (*at != '\\')
		{
			*out++ = *at;
			continue;
		}
		at++;
		if (*at != 'u')
		{
			const char *letter = strchr(letters, *at);

			*out++ = letter != NULL && (letter - letters) % 2 == 0 ? letter[1] : *at;
			continue;
		}
		code = code_unit(at + 1);
		at += 4;
		if (code >= 0xd800 && code < 0xdc00)
		{
			code = 0x10000 + ((code - 0xd800) << 10) + (code_unit(at + 3) - 0xdc00);
			at += 6;
		}
		unicode_to_utf8(code, (unsigned char *) out);
		out += pg_utf_mblen((unsigned char *) out);
	}
	return (size_t) (out - text);
}

static bool
name_is(const char *string, const char *name)
{
	char	   *text = malloc(strlen(string) + 1);
	size_t		len = plain_json_unescape(string, text);
	bool		same = len == strlen(name) && memcmp(text, name, len) == 0;

	free(text);
	return same;
}

const char *
plain_json_find(const char *text, char *const *steps, int nsteps)
{
	const char *at = text + strspn(text, BLANKS);
	const char *found = NULL;
	bool		is_array = *at == '[';
	char		number[16];

	if (nsteps == 0)
		return at;
	if (*at != '{' && *at != '[')
		return NULL;
	for (int i = 0;; i++)
	{
		const char *item = at + 1 + strspn(at + 1, BLANKS);

		if (*item == '}' || *item == ']')
			break;
		snprintf(number, sizeof(number), "%d", i);
		if (is_array)
		{
			if (strcmp(steps[0], number) == 0)
				found = item;
		}
		else
		{
			bool		wanted = name_is(item, steps[0]);

			item = skip_string(item);
			item += strspn(item, BLANKS) + 1;
			item += strspn(item, BLANKS);
			if (wanted)
				found = item;
		}
		at = plain_json_skip(item);
		at += strspn(at, BLANKS);
		if (*at != ',')
			break;
	}
	return found == NULL ? NULL : plain_json_find(found, steps + 1, nsteps - 1);
}
