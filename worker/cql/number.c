/*-------------------------------------------------------------------------
 * worker/cql/number.c
 *    decimal text <-> varint and decimal, exactly, of any length
 *
 * Numbers that fit 64 bits, which is nearly all of them, take the short way.
 * Others are worked on in limbs of 32 bits, nine decimal digits a step: time
 * grows with the square of the digits, hence the limits.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "worker/cql/value.h"

#define MAX_DIGITS		200000	/* decimal; a numeric has at most 131,072 + 16,383 */
#define MAX_BYTES		83100	/* of a varint: about as many digits */
#define SHORT_DIGITS	18		/* always fit an int64 */
#define STEP_DIGITS		9
#define STEP			UINT32_C(1000000000)

/* a number's text, cut: digits are those of whole, then those of fraction */
typedef struct Digits
{
	bool		negative;
	const char *whole;
	size_t		nwhole;
	const char *fraction;
	size_t		nfraction;
	int64_t		exponent;
} Digits;

static size_t
count_digits(const char *text, const char *end)
{
	size_t		n = 0;

	while (text + n < end && text[n] >= '0' && text[n] <= '9')
		n++;
	return n;
}

/* the exponent's digits; false when there are none, or too many to mean anything */
static bool
parse_exponent(const char *at, const char *end, int64_t *exponent)
{
	bool		negative = at < end && *at == '-';
	size_t		n;

	if (at < end && (*at == '-' || *at == '+'))
		at++;
	n = count_digits(at, end);
	if (n == 0 || n > 10 || at + n != end)
		return false;
	*exponent = 0;
	for (size_t i = 0; i < n; i++)
		*exponent = *exponent * 10 + (at[i] - '0');
	if (negative)
		*exponent = -*exponent;
	return true;
}

static UsCqlStatus
parse_number(const char *text, size_t len, Digits *digits)
{
	const char *end = text + len;
	const char *at = text;

	memset(digits, 0, sizeof(*digits));
	if (at < end && (*at == '-' || *at == '+'))
		digits->negative = *at++ == '-';
	digits->whole = at;
	digits->nwhole = count_digits(at, end);
	at += digits->nwhole;
	if (at < end && *at == '.')
	{
		digits->fraction = ++at;
		digits->nfraction = count_digits(at, end);
		at += digits->nfraction;
	}
	if (digits->nwhole + digits->nfraction == 0)
		return US_CQL_BAD_VALUE;
	if (digits->nwhole + digits->nfraction > MAX_DIGITS)
		return US_CQL_TOO_LARGE;
	if (at < end && (*at == 'e' || *at == 'E') && parse_exponent(at + 1, end, &digits->exponent))
		return US_CQL_OK;
	return at == end ? US_CQL_OK : US_CQL_BAD_VALUE;
}

static void
refuse_number(UsCqlWriter *writer, UsCqlStatus status)
{
	if (status == US_CQL_BAD_VALUE)
		us_cql_writer_refuse(writer, "it is not a finite number");
	else
		us_cql_writer_fail(writer, status);
}

static uint32_t
digit_at(const Digits *digits, size_t i)
{
	if (i < digits->nwhole)
		return (uint32_t) (digits->whole[i] - '0');
	return (uint32_t) (digits->fraction[i - digits->nwhole] - '0');
}

/* minimal two's complement: as few bytes as keep the sign */
static void
put_short_integer(UsCqlWriter *writer, int64_t value)
{
	int			size = 8;

	while (size > 1)
	{
		int64_t		rest = value >> (8 * (size - 1) - 1);

		if (rest != 0 && rest != -1)
			break;
		size--;
	}
	for (int i = size - 1; i >= 0; i--)
		us_cql_put_u8(writer, (uint8_t) ((uint64_t) value >> (8 * i)));
}

/* magnitude of the first n digits -> limbs, least first; returns how many are used */
static size_t
digits_to_limbs(const Digits *digits, size_t n, uint32_t *limbs)
{
	size_t		nlimbs = 0;
	size_t		at = 0;

	while (at < n)
	{
		uint64_t	carry = 0;
		uint32_t	factor = 1;
		size_t		stop = at + ((n - at) % STEP_DIGITS ? (n - at) % STEP_DIGITS : STEP_DIGITS);

		for (; at < stop; at++)
		{
			carry = carry * 10 + digit_at(digits, at);
			factor *= 10;
		}
		for (size_t i = 0; i < nlimbs; i++)
		{
			carry += (uint64_t) limbs[i] * factor;
			limbs[i] = (uint32_t) carry;
			carry >>= 32;
		}
		if (carry > 0)
			limbs[nlimbs++] = (uint32_t) carry;
	}
	return nlimbs;
}

/* two's complement of the magnitude in limbs, minimal, most significant byte first */
static void
put_limbs(UsCqlWriter *writer, const uint32_t *limbs, size_t nlimbs, bool negative)
{
	size_t		nbytes = nlimbs * 4;
	bool		started = false;
	bool		borrow = negative;	/* -x = ~(x - 1) */
	uint8_t    *bytes;

	if (!us_cql_room(writer, nbytes + 1))
		return;
	/* least first, with one byte more for the sign; turned round below */
	bytes = writer->data + writer->len;
	for (size_t i = 0; i <= nbytes; i++)
	{
		uint8_t		byte = i < nbytes ? (uint8_t) (limbs[i / 4] >> (8 * (i % 4))) : 0;

		if (borrow)
		{
			borrow = byte == 0;
			byte--;
		}
		bytes[i] = negative ? (uint8_t) ~byte : byte;
	}
	nbytes++;
	while (nbytes > 1 && !started)
	{
		uint8_t		sign = bytes[nbytes - 2] & 0x80 ? 0xff : 0x00;

		if (bytes[nbytes - 1] == sign)
			nbytes--;
		else
			started = true;
	}
	for (size_t i = 0; i < nbytes / 2; i++)
	{
		uint8_t		byte = bytes[i];

		bytes[i] = bytes[nbytes - 1 - i];
		bytes[nbytes - 1 - i] = byte;
	}
	writer->len += nbytes;
}

/* the first n digits as a varint, without a length before it */
static void
put_digits(UsCqlWriter *writer, const Digits *digits, size_t n)
{
	uint32_t   *limbs;

	if (n <= SHORT_DIGITS)
	{
		int64_t		value = 0;

		for (size_t i = 0; i < n; i++)
			value = value * 10 + digit_at(digits, i);
		put_short_integer(writer, digits->negative ? -value : value);
		return;
	}
	/* nine digits are less than one limb */
	limbs = us_cql_resize(&writer->memory, NULL, (n / STEP_DIGITS + 1) * sizeof(uint32_t));
	if (limbs == NULL)
	{
		us_cql_writer_fail(writer, US_CQL_NO_MEMORY);
		return;
	}
	put_limbs(writer, limbs, digits_to_limbs(digits, n, limbs), digits->negative);
	us_cql_free(&writer->memory, limbs);
}

void
us_cql_put_decimal(UsCqlWriter *writer, const char *text, size_t len)
{
	Digits		digits;
	UsCqlStatus status = parse_number(text, len, &digits);
	int64_t		scale = (int64_t) digits.nfraction - digits.exponent;
	size_t		mark;

	if (status == US_CQL_OK && (scale > INT32_MAX || scale < INT32_MIN))
		status = US_CQL_TOO_LARGE;
	if (status != US_CQL_OK)
	{
		refuse_number(writer, status);
		return;
	}
	mark = us_cql_open(writer);
	us_cql_put_u32(writer, (uint32_t) scale);
	put_digits(writer, &digits, digits.nwhole + digits.nfraction);
	us_cql_close(writer, mark);
}

void
us_cql_put_varint(UsCqlWriter *writer, const char *text, size_t len)
{
	Digits		digits;
	UsCqlStatus status = parse_number(text, len, &digits);
	bool		whole = digits.exponent == 0;
	size_t		mark;

	if (status != US_CQL_OK)
	{
		refuse_number(writer, status);
		return;
	}
	for (size_t i = 0; i < digits.nfraction; i++)
		whole &= digits.fraction[i] == '0';
	if (!whole)
	{
		us_cql_writer_refuse(writer, "it is not a whole number");
		return;
	}
	mark = us_cql_open(writer);
	put_digits(writer, &digits, digits.nwhole);
	us_cql_close(writer, mark);
}

/* divides the magnitude by STEP in place; returns the remainder */
static uint32_t
divide_limbs(uint32_t *limbs, size_t nlimbs)
{
	uint64_t	rest = 0;

	for (size_t i = nlimbs; i-- > 0;)
	{
		rest = rest << 32 | limbs[i];
		limbs[i] = (uint32_t) (rest / STEP);
		rest %= STEP;
	}
	return (uint32_t) rest;
}

/* magnitude of two's complement bytes -> limbs, least first */
static void
bytes_to_limbs(UsCqlBytes bytes, uint32_t *limbs, size_t nlimbs)
{
	bool		negative = bytes.data[0] & 0x80;
	unsigned int carry = negative;

	memset(limbs, 0, nlimbs * sizeof(uint32_t));
	for (size_t i = 0; i < nlimbs * 4; i++)
	{
		unsigned int byte = negative ? 0xff : 0;

		if (i < bytes.len)
			byte = bytes.data[bytes.len - 1 - i];
		if (negative)
			byte = (byte ^ 0xff) + carry;
		carry = byte >> 8;
		limbs[i / 4] |= (uint32_t) (byte & 0xff) << (8 * (i % 4));
	}
}

/* digits of the magnitude, most significant first, into room of nine bytes a group */
static void
put_groups(UsCqlWriter *text, const uint32_t *groups, size_t ngroups)
{
	char		digits[16];

	for (size_t i = ngroups; i-- > 0;)
	{
		int			n = snprintf(digits, sizeof(digits), i == ngroups - 1 ? "%u" : "%09u", groups[i]);

		us_cql_put_raw(text, digits, (size_t) n);
	}
}

/* a varint's digits, with a minus before them */
static bool
put_integer_text(UsCqlWriter *text, UsCqlBytes bytes)
{
	size_t		nlimbs = bytes.len / 4 + 1;
	size_t		max_groups = nlimbs * 32 / 29 + 1;	/* nine digits are more than 29 bits */
	size_t		ngroups = 0;
	uint32_t   *limbs;
	uint32_t   *groups;

	if (bytes.len == 0 || bytes.len > MAX_BYTES)
		return false;
	limbs = us_cql_resize(&text->memory, NULL, (nlimbs + max_groups) * sizeof(uint32_t));
	if (limbs == NULL)
	{
		us_cql_writer_fail(text, US_CQL_NO_MEMORY);
		return false;
	}
	groups = limbs + nlimbs;
	bytes_to_limbs(bytes, limbs, nlimbs);
	do
	{
		groups[ngroups++] = divide_limbs(limbs, nlimbs);
		while (nlimbs > 0 && limbs[nlimbs - 1] == 0)
			nlimbs--;
	} while (nlimbs > 0);
	if (bytes.data[0] & 0x80)
		us_cql_put_u8(text, '-');
	put_groups(text, groups, ngroups);
	us_cql_free(&text->memory, limbs);
	return true;
}

bool
us_cql_get_varint(UsCqlBytes bytes, UsCqlWriter *text)
{
	return put_integer_text(text, bytes);
}

/* puts the point scale digits from the end, with zeros before it if there are too few */
static void
insert_point(UsCqlWriter *text, size_t start, size_t scale)
{
	size_t		ndigits;
	size_t		zeros;
	uint8_t    *digits;

	if (text->status != US_CQL_OK)
		return;
	if (text->data[start] == '-')
		start++;
	ndigits = text->len - start;
	zeros = ndigits <= scale ? scale + 1 - ndigits : 0;
	if (!us_cql_room(text, zeros + 1))
		return;
	digits = text->data + start;
	memmove(digits + zeros, digits, ndigits);
	memset(digits, '0', zeros);
	ndigits += zeros;
	memmove(digits + ndigits - scale + 1, digits + ndigits - scale, scale);
	digits[ndigits - scale] = '.';
	text->len += zeros + 1;
}

bool
us_cql_get_decimal(UsCqlBytes bytes, UsCqlWriter *text)
{
	size_t		start = text->len;
	char		exponent[16];
	int32_t		scale;

	if (bytes.len < 5)
		return false;
	scale = (int32_t) us_cql_load_u32(bytes.data);
	bytes.data += 4;
	bytes.len -= 4;
	if (!put_integer_text(text, bytes))
		return false;
	if (scale > 0 && scale <= MAX_DIGITS)
		insert_point(text, start, (size_t) scale);
	else if (scale != 0)
	{
		int			n = snprintf(exponent, sizeof(exponent), "e%lld", -(long long) scale);

		us_cql_put_raw(text, exponent, (size_t) n);
	}
	return text->status == US_CQL_OK;
}
