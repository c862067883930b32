/*-------------------------------------------------------------------------
 * worker/json_token.h
 *    the tokens of a JSON text, and what its strings say
 *
 * For worker/decode_json.c, in whose loop this is inlined, and for
 * worker/json_tree.c.  A token is good here exactly when it is one for
 * PostgreSQL's lexer and something that may follow it comes after it.  What is
 * wrong with a bad one is not asked: the message is refused, and jsonb has the
 * words.
 *-------------------------------------------------------------------------
 */
#ifndef US_JSON_TOKEN_H
#define US_JSON_TOKEN_H

#include "mb/pg_wchar.h"

#include "worker/json_marks.h"

typedef struct UsJsonTokens
{
	const char *text;
	const char *end;			/* of the text */
	const uint64 *marks;		/* of the text: worker/json_marks.h */
	const char *at;				/* the next byte */

	/* the string, number or word read last, which ends at at */
	const char *start;
	bool		escaped;		/* a string with a backslash */
} UsJsonTokens;

/* marks: of us_json_mark, which found the text good */
static inline void
us_json_tokens_start(UsJsonTokens *tokens, const char *data, size_t len, const uint64 *marks)
{
	tokens->text = data;
	tokens->end = data + len;
	tokens->marks = marks;
	tokens->at = data;
}

static inline bool
us_json_is_blank(char c)
{
	return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

/* the byte that the next token begins with; zero at the end, for the text has none */
static inline char
us_json_peek(UsJsonTokens *tokens)
{
	const char *s = tokens->at;
	const char *end = tokens->end;

	while (s < end && us_json_is_blank(*s))
		s++;
	tokens->at = s;
	return s < end ? *s : '\0';
}

/* the first mark at or behind s; the text's end when there is none */
static inline const char *
us_json_next_mark(const UsJsonTokens *tokens, const char *s)
{
	return tokens->text + us_json_mark_find(tokens->marks, s - tokens->text);
}

static inline bool
us_json_is_hex(char c)
{
	return (unsigned char) (c - '0') <= 9 || (unsigned char) ((c | 0x20) - 'a') <= 5;
}

/* the quote that ends a string whose first mark is at s; NULL: it has none, or a bad escape */
static const char *
us_json_escaped_end(const UsJsonTokens *tokens, const char *s)
{
	const char *end = tokens->end;

	while (s < end && *s != '"')
	{
		if (*s != '\\' || end - s < 2)
			return NULL;
		switch (s[1])
		{
			case '"':
			case '\\':
			case '/':
			case 'b':
			case 'f':
			case 'n':
			case 'r':
			case 't':
				s += 2;
				break;
			case 'u':
				if (end - s < 6 || !us_json_is_hex(s[2]) || !us_json_is_hex(s[3]) ||
					!us_json_is_hex(s[4]) || !us_json_is_hex(s[5]))
					return NULL;
				s += 6;
				break;
			default:
				return NULL;
		}
		s = us_json_next_mark(tokens, s);
	}
	return s < end ? s : NULL;
}

/* the string whose quote is next; what \u stands for is checked by us_json_unescape */
static inline bool
us_json_read_string(UsJsonTokens *tokens)
{
	const char *mark = us_json_next_mark(tokens, tokens->at + 1);

	tokens->start = tokens->at;
	tokens->escaped = (mark == tokens->end || *mark != '"');
	if (unlikely(tokens->escaped))
	{
		mark = us_json_escaped_end(tokens, mark);
		if (mark == NULL)
			return false;
	}
	tokens->at = mark + 1;
	return true;
}

/* whether a number or word may end before s */
static inline bool
us_json_may_end(const UsJsonTokens *tokens, const char *s)
{
	return s == tokens->end || *s == ',' || *s == '}' || *s == ']' || us_json_is_blank(*s);
}

static inline const char *
us_json_skip_digits(const char *s, const char *end)
{
	while (s < end && (unsigned char) (*s - '0') <= 9)
		s++;
	return s;
}

/* a number, if one is next */
static inline bool
us_json_read_number(UsJsonTokens *tokens)
{
	const char *end = tokens->end;
	const char *s = tokens->at;
	const char *digits;

	tokens->start = s;
	digits = s < end && *s == '-' ? s + 1 : s;
	s = us_json_skip_digits(digits, end);
	if (s == digits || (*digits == '0' && s > digits + 1))
		return false;
	if (s < end && *s == '.')
	{
		digits = s + 1;
		s = us_json_skip_digits(digits, end);
		if (s == digits)
			return false;
	}
	if (s < end && (*s == 'e' || *s == 'E'))
	{
		digits = s + 1;
		if (digits < end && (*digits == '+' || *digits == '-'))
			digits++;
		s = us_json_skip_digits(digits, end);
		if (s == digits)
			return false;
	}
	tokens->at = s;
	return us_json_may_end(tokens, s);
}

/* true, false or null, if it is next */
static inline bool
us_json_read_word(UsJsonTokens *tokens, const char *word, size_t len)
{
	tokens->start = tokens->at;
	if ((size_t) (tokens->end - tokens->at) < len || memcmp(tokens->at, word, len) != 0)
		return false;
	tokens->at += len;
	return us_json_may_end(tokens, tokens->at);
}

/* four hex digits, which were checked */
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

/* the byte that a backslash and this letter stand for; it was checked */
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
 * bytes; with dst NULL only check what \u stands for, which is all that is left
 * to check.
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
