/*-------------------------------------------------------------------------
 * worker/json_number.c
 *    a JSON number -> its text as jsonb prints it
 *
 * For the few numbers whose text is not what the message has: jsonb makes a
 * numeric of a number, which knows no exponent and no negative zero.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "worker/json_number.h"

#define SURE_EXPONENT	3		/* digits; far from what numeric takes */

/* digit i of a number's digits, its point left out; zeros all around */
static inline char
digit_at(const char *number, int int_len, int ndigits, int i)
{
	if (i < 0 || i >= ndigits)
		return '0';
	return number[i < int_len ? i : i + 1];
}

/*
 * Write a number without its exponent, as numeric prints it: "1.50e1" is
 * 15.0, "1e-3" is 0.001.  All but the sign is given; returns the length.
 */
static int
write_number(const char *number, int len, int exponent, char *dst)
{
	const char *point = memchr(number, '.', len);
	int			int_len = point != NULL ? (int) (point - number) : len;
	int			ndigits = point != NULL ? len - 1 : len;
	int			before = int_len + exponent;	/* digits before the new point */
	int			first = 0;
	char	   *out = dst;

	while (first < before - 1 && digit_at(number, int_len, ndigits, first) == '0')
		first++;
	if (before <= 0)
		*out++ = '0';
	for (int i = first; i < before; i++)
		*out++ = digit_at(number, int_len, ndigits, i);

	if (ndigits > before)
		*out++ = '.';
	for (int i = before; i < ndigits; i++)
		*out++ = digit_at(number, int_len, ndigits, i);
	return (int) (out - dst);
}

bool
us_json_number_print(UsDecoder *decoder, const char *number, int len, int mantissa,
					 UsValue *value)
{
	bool		minus = (number[0] == '-');
	const char *digits = number + minus;
	int			ndigits = mantissa - minus;
	const char *p = number + mantissa + 1;
	bool		zero = true;
	bool		down;
	int			exponent = 0;
	char	   *text;

	for (int i = 0; i < ndigits; i++)
		zero = zero && (digits[i] == '0' || digits[i] == '.');

	if (mantissa == len)
	{
		/* numeric knows no negative zero */
		if (value != NULL && minus && zero)
		{
			value->data = digits;
			value->len = ndigits;
		}
		return true;
	}

	down = (*p == '-');
	if (*p == '-' || *p == '+')
		p++;
	if (number + len - p > SURE_EXPONENT)
		return false;
	if (value == NULL)
		return true;

	for (; p < number + len; p++)
		exponent = exponent * 10 + (*p - '0');
	/* with the sign, the zero and the point that may be added */
	text = us_decoder_text(decoder, ndigits + exponent + 3);
	value->data = text;
	if (minus && !zero)
		*text++ = '-';
	text += write_number(digits, ndigits, down ? -exponent : exponent, text);
	value->len = (uint32) (text - value->data);
	us_decoder_text_trim(decoder, ndigits + exponent + 3 - value->len);
	return true;
}
