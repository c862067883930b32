/*-------------------------------------------------------------------------
 * worker/json_tree.c
 *    a small JSON text -> a tree, for what is read once: schemas, answers
 *
 * By the tokens of worker/json_token.h, as messages are read.  The recursion
 * is bounded, because the text comes from outside.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include <limits.h>

#include "worker/json_token.h"
#include "worker/json_tree.h"

#define MAX_DEPTH	100

static UsJson *read_value(UsJsonTokens *tokens, int depth);

/* the string that is next, de-escaped; NULL: there is none, or a bad one */
static char *
read_string(UsJsonTokens *tokens, int *len)
{
	int			raw;
	char	   *text;

	if (us_json_peek(tokens) != '"' || !us_json_read_string(tokens))
		return NULL;
	raw = (int) (tokens->at - tokens->start) - 2;
	text = palloc(raw + 1);
	*len = us_json_unescape(tokens->start + 1, raw, text);
	if (*len < 0)
		return NULL;
	text[*len] = '\0';
	return text;
}

/* whether this punctuation is next; then it is read */
static bool
read_mark(UsJsonTokens *tokens, char mark)
{
	if (us_json_peek(tokens) != mark)
		return false;
	tokens->at++;
	return true;
}

/* all up to the bracket that closes, behind the one that opens */
static bool
read_members(UsJsonTokens *tokens, UsJson *parent, char closing, int depth)
{
	UsJson	  **link = &parent->first;

	if (read_mark(tokens, closing))
		return true;
	do
	{
		char	   *name = NULL;
		int			name_len = 0;

		if (closing == '}' && ((name = read_string(tokens, &name_len)) == NULL ||
							   !read_mark(tokens, ':')))
			return false;
		*link = read_value(tokens, depth + 1);
		if (*link == NULL)
			return false;
		(*link)->name = name;
		(*link)->name_len = name_len;
		link = &(*link)->next;
	} while (read_mark(tokens, ','));
	return read_mark(tokens, closing);
}

static bool
read_word(UsJsonTokens *tokens)
{
	return us_json_read_word(tokens, "true", 4) || us_json_read_word(tokens, "false", 5) ||
		us_json_read_word(tokens, "null", 4);
}

static UsJson *
read_value(UsJsonTokens *tokens, int depth)
{
	UsJson	   *value;
	char		first = us_json_peek(tokens);

	if (depth > MAX_DEPTH)
		return NULL;
	value = palloc0(sizeof(UsJson));
	if (first == '{' || first == '[')
	{
		tokens->at++;
		value->kind = first == '{' ? US_JSON_OBJECT : US_JSON_ARRAY;
		return read_members(tokens, value, first == '{' ? '}' : ']', depth) ? value : NULL;
	}
	if (first == '"')
	{
		value->kind = US_JSON_STRING;
		value->text = read_string(tokens, &value->len);
		return value->text != NULL ? value : NULL;
	}
	value->kind = first == '-' || (first >= '0' && first <= '9') ? US_JSON_NUMBER : US_JSON_WORD;
	if (value->kind == US_JSON_NUMBER ? !us_json_read_number(tokens) : !read_word(tokens))
		return NULL;
	value->len = (int) (tokens->at - tokens->start);
	value->text = pnstrdup(tokens->start, value->len);
	return value;
}

UsJson *
us_json_tree(const char *text, size_t len)
{
	UsJsonTokens tokens;
	UsJson	   *tree = NULL;
	uint64	   *marks;

	if (len > INT_MAX / 2)
		return NULL;
	marks = palloc(sizeof(uint64) * US_JSON_MARK_WORDS(len));
	if (us_json_mark(text, len, marks))
	{
		us_json_tokens_start(&tokens, text, len, marks);
		tree = read_value(&tokens, 0);
		if (us_json_peek(&tokens) != '\0')
			tree = NULL;
	}
	pfree(marks);
	return tree;
}

UsJson *
us_json_member(const UsJson *object, const char *name)
{
	UsJson	   *found = NULL;

	if (object == NULL || object->kind != US_JSON_OBJECT)
		return NULL;
	for (UsJson *member = object->first; member != NULL; member = member->next)
		if (strcmp(member->name, name) == 0)
			found = member;
	return found;
}

const char *
us_json_string_member(const UsJson *object, const char *name)
{
	const UsJson *member = us_json_member(object, name);

	return member != NULL && member->kind == US_JSON_STRING ? member->text : NULL;
}

int
us_json_int_member(const UsJson *object, const char *name, int min, int max, int otherwise)
{
	const UsJson *member = us_json_member(object, name);
	char	   *end;
	long		number;

	if (member == NULL || member->kind != US_JSON_NUMBER || member->len > 10)
		return otherwise;
	number = strtol(member->text, &end, 10);
	return *end == '\0' && number >= min && number <= max ? (int) number : otherwise;
}
