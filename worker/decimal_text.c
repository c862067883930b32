/*-------------------------------------------------------------------------
 * worker/decimal_text.c
 *    a decimal in two's complement -> its digits
 *
 * Nearly all decimals fit into a machine's word.  Those that do not are turned
 * into limbs of nine decimal digits, four bytes at a time.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "worker/decimal_text.h"

#define WORD_BYTES		8
#define LIMB			1000000000
#define LIMB_DIGITS		9

static int
write_word(uint64 number, char *out)
{
	char		digits[20];
	int			count = 0;

	do
	{
		digits[count++] = (char) ('0' + number % 10);
		number /= 10;
	} while (number > 0);
	for (int i = 0; i < count; i++)
		out[i] = digits[count - 1 - i];
	return count;
}

/* limbs * 2^shift + carry; returns how many limbs there are then */
static int
push_bits(uint32 *limbs, int nlimbs, uint64 carry, int shift)
{
	for (int i = 0; i < nlimbs; i++)
	{
		carry += (uint64) limbs[i] << shift;
		limbs[i] = (uint32) (carry % LIMB);
		carry /= LIMB;
	}
	for (; carry > 0; carry /= LIMB)
		limbs[nlimbs++] = (uint32) (carry % LIMB);
	return nlimbs;
}

/* the amount of more bytes than a word has; minus x is the complement of x - 1 */
static int
write_long(const unsigned char *bytes, int len, bool minus, char *out)
{
	int			room = len * 241 / (100 * LIMB_DIGITS) + 3; /* 2.41 digits a byte */
	uint32	   *limbs = palloc(sizeof(uint32) * room);
	int			nlimbs = 0;
	int			count = 0;

	/* four bytes at a time, what is odd at first */
	for (int i = 0; i < len;)
	{
		int			first = i;
		uint64		part = 0;

		do
			part = part << 8 | (unsigned char) (minus ? ~bytes[i] : bytes[i]);
		while (++i % 4 != len % 4);
		nlimbs = push_bits(limbs, nlimbs, part, (i - first) * 8);
	}
	if (minus)
		nlimbs = push_bits(limbs, nlimbs, 1, 0);
	for (int i = nlimbs - 1; i >= 0; i--)
	{
		char		digits[20];
		int			n = write_word(limbs[i], digits);
		int			zeros = i == nlimbs - 1 ? 0 : LIMB_DIGITS - n;

		memset(out + count, '0', zeros);
		memcpy(out + count + zeros, digits, n);
		count += zeros + n;
	}
	pfree(limbs);
	if (count == 0)
		out[count++] = '0';
	return count;
}

/* the amount's digits, without a needless zero; returns how many */
static int
write_amount(const unsigned char *bytes, int len, bool minus, char *out)
{
	uint64		number = minus ? PG_UINT64_MAX : 0;

	if (len > WORD_BYTES)
		return write_long(bytes, len, minus, out);
	for (int i = 0; i < len; i++)
		number = number << 8 | bytes[i];
	return write_word(minus ? 0 - number : number, out);
}

/* digits that stand at the text's start, with a point and zeros as needed */
static int
set_point(char *text, int count, int scale)
{
	if (scale < 0 && !(count == 1 && text[0] == '0'))
	{
		memset(text + count, '0', -scale);
		count -= scale;
	}
	if (scale <= 0)
		return count;
	if (count <= scale)
	{
		int			zeros = scale + 1 - count;

		memmove(text + zeros, text, count);
		memset(text, '0', zeros);
		count += zeros;
	}
	memmove(text + count - scale + 1, text + count - scale, scale);
	text[count - scale] = '.';
	return count + 1;
}

int
us_decimal_text(const char *bytes, int len, int scale, char *text)
{
	bool		minus = len > 0 && (bytes[0] & 0x80) != 0;
	char	   *digits = text + minus;

	if (minus)
		text[0] = '-';
	return minus + set_point(digits, write_amount((const unsigned char *) bytes, len, minus,
												  digits), scale);
}
