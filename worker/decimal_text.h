/*-------------------------------------------------------------------------
 * worker/decimal_text.h
 *    a decimal in two's complement -> its digits
 *
 * Pure: builds in the server and, with FRONTEND, in the unit tests.  Avro and
 * Kafka Connect both write decimals so: the highest byte first, and a scale
 * beside it.  No arithmetic is done in floating point.
 *-------------------------------------------------------------------------
 */
#ifndef US_DECIMAL_TEXT_H
#define US_DECIMAL_TEXT_H

#define US_DECIMAL_SCALE_MAX	16383	/* digits that numeric keeps behind the point */
#define US_DECIMAL_BYTES_MAX	54500	/* about 131,072 digits, which is what numeric holds */

/* room for the text: three digits a byte are more than enough */
#define US_DECIMAL_TEXT_BYTES(len, scale)	((size_t) (len) * 3 + (size_t) abs(scale) + 16)

/*
 * us_decimal_text -- the digits, with a point where the scale has it
 *
 * In:      bytes  len of them, at most US_DECIMAL_BYTES_MAX; none are a zero.
 *                 The work grows with the square of what goes beyond eight.
 *          scale  digits behind the point; below zero: zeros before it
 * Out:     text   of US_DECIMAL_TEXT_BYTES; no NUL
 * Returns: the length
 */
extern int	us_decimal_text(const char *bytes, int len, int scale, char *text);

#endif							/* US_DECIMAL_TEXT_H */
