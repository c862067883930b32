/*-------------------------------------------------------------------------
 * worker/json_token.h
 *    the tokens of a JSON text, and what its strings say
 *
 * Only for worker/decode_json.c, in whose loop this is inlined.  What is
 * valid is PostgreSQL's lexer's to say.  It looks at strings byte by byte,
 * though, and is most of what a message costs, so two things that cannot be
 * got wrong never reach it: punctuation, and strings without backslash and
 * control character.  Everything else (numbers, words, escapes, errors) does.
 *
 * The text must be checked UTF-8 without zero bytes.
 *-------------------------------------------------------------------------
 */
#ifndef US_JSON_TOKEN_H
#define US_JSON_TOKEN_H

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"
#include "port/pg_bitutils.h"

#include "extension/compat.h"

typedef struct UsJsonTokens
{
	JsonLexContext lex;			/* stands wherever it was needed last */
	const char *end;			/* of the text */

	/* the current token */
	JsonTokenType type;
	bool		escaped;		/* a string with a backslash */
	const char *start;
	const char *stop;			/* the byte after it */
} UsJsonTokens;

static inline void
us_json_tokens_start(UsJsonTokens *tokens, const char *data, size_t len)
{
	us_json_lexer_start(&tokens->lex, data, len);
	tokens->end = data + len;
	tokens->stop = data;
}

/* the first byte that is a quote, a backslash or a control character, else end */
static inline const char *
us_json_plain_end(const char *s, const char *end)
{
	const uint64 ones = UINT64CONST(0x0101010101010101);
	const uint64 highs = UINT64CONST(0x8080808080808080);

	/*
	 * Eight bytes at once.  x - ones borrows into the high bit of a byte that
	 * is zero; a byte above the lowest hit may be a false one, no matter.
	 */
	for (; end - s >= 8; s += 8)
	{
		uint64		x;
		uint64		quotes;
		uint64		slashes;
		uint64		hits;

		memcpy(&x, s, 8);
		quotes = x ^ (ones * '"');
		slashes = x ^ (ones * '\\');
		hits = (((quotes - ones) & ~quotes) | ((slashes - ones) & ~slashes) |
				((x - ones * 0x20) & ~x)) & highs;
		if (hits == 0)
			continue;
#ifndef WORDS_BIGENDIAN
		return s + pg_rightmost_one_pos64(hits) / 8;
#else
		break;
#endif
	}
	while (s < end && *s != '"' && *s != '\\' && (unsigned char) *s >= 0x20)
		s++;
	return s;
}

/* on to the next token; false = not JSON */
static inline bool
us_json_next(UsJsonTokens *tokens)
{
	const char *s = tokens->stop;
	const char *end = tokens->end;
	const char *plain = s;

	while (s < end && (*s == ' ' || *s == '\n' || *s == '\t' || *s == '\r'))
		s++;
	tokens->start = s;
	tokens->stop = s + 1;
	switch (s < end ? *s : '\0')
	{
		case '{':
			tokens->type = JSON_TOKEN_OBJECT_START;
			return true;
		case '}':
			tokens->type = JSON_TOKEN_OBJECT_END;
			return true;
		case '[':
			tokens->type = JSON_TOKEN_ARRAY_START;
			return true;
		case ']':
			tokens->type = JSON_TOKEN_ARRAY_END;
			return true;
		case ',':
			tokens->type = JSON_TOKEN_COMMA;
			return true;
		case ':':
			tokens->type = JSON_TOKEN_COLON;
			return true;
		case '"':
			plain = us_json_plain_end(s + 1, end);
			tokens->escaped = (plain == end || *plain != '"');
			if (!tokens->escaped)
			{
				tokens->type = JSON_TOKEN_STRING;
				tokens->stop = plain + 1;
				return true;
			}
			break;
		default:
			break;
	}

	us_json_lexer_move(&tokens->lex, s);
	if (json_lex(&tokens->lex) != JSON_SUCCESS)
		return false;
	tokens->type = tokens->lex.token_type;
	tokens->stop = tokens->lex.token_terminator;
	return true;
}

/* four hex digits, which the lexer has checked */
static inline pg_wchar
us_json_hex4(const char *digits)
{
	pg_wchar	c = 0;

	for (int i = 0; i < 4; i++)
	{
		char		d = digits[i];

		c = c << 4 | (d <= '9' ? d - '0' : (d | 0x20) - 'a' + 10);
	}
	return c;
}

/*
 * The character of "\uXXXX" at src (which points behind "\u"), of two of them
 * when it is a surrogate pair; 0 for what jsonb refuses, a zero among it.
 */
static inline pg_wchar
us_json_unescape_unicode(const char **src, const char *end)
{
	pg_wchar	c = us_json_hex4(*src);
	pg_wchar	second;

	*src += 4;
	if (is_utf16_surrogate_second(c))
		return 0;
	if (!is_utf16_surrogate_first(c))
		return c;
	if (end - *src < 6 || (*src)[0] != '\\' || (*src)[1] != 'u')
		return 0;
	second = us_json_hex4(*src + 2);
	*src += 6;
	return is_utf16_surrogate_second(second) ? surrogate_pair_to_codepoint(c, second) : 0;
}

/* the byte that a backslash and this letter stand for; the lexer knows the letter */
static inline char
us_json_unescape_letter(char letter)
{
	switch (letter)
	{
		case 'b':
			return '\b';
		case 'f':
			return '\f';
		case 'n':
			return '\n';
		case 'r':
			return '\r';
		case 't':
			return '\t';
		default:
			return letter;
	}
}

/*
 * De-escape the inside of a string token into dst, which has room for as many
 * bytes; with dst NULL only check.  The lexer does not look at what \u stands
 * for, so that is done here.
 *
 * Returns: the length (dst NULL: 0); -1 for an escape that jsonb refuses
 */
static inline int
us_json_unescape(const char *src, int len, char *dst)
{
	const char *end = src + len;
	char	   *out = dst;

	while (src < end)
	{
		const char *slash = memchr(src, '\\', end - src);
		size_t		run = (slash != NULL ? slash : end) - src;

		if (out != NULL)
		{
			memcpy(out, src, run);
			out += run;
		}
		if (slash == NULL)
			break;

		src = slash + 2;
		if (slash[1] == 'u')
		{
			pg_wchar	c = us_json_unescape_unicode(&src, end);

			if (c == 0)
				return -1;
			if (out != NULL)
			{
				unicode_to_utf8(c, (unsigned char *) out);
				out += c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
			}
		}
		else if (out != NULL)
			*out++ = us_json_unescape_letter(slash[1]);
	}
	return out != NULL ? (int) (out - dst) : 0;
}

#endif							/* US_JSON_TOKEN_H */
