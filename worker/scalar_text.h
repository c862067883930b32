/*-------------------------------------------------------------------------
 * worker/scalar_text.h
 *    scalar values -> texts that PostgreSQL's types take
 *
 * Pure: builds in the server and, with FRONTEND, in the unit tests.  Each
 * writes into a buffer of the size that is said, without a NUL, and returns
 * the length; -1 where PostgreSQL has no such value.  No arithmetic is done in
 * floating point.
 *-------------------------------------------------------------------------
 */
#ifndef US_SCALAR_TEXT_H
#define US_SCALAR_TEXT_H

#define US_TEXT_BYTES	64	/* enough for all but decimals and bytes */

extern int	us_text_int(int64 value, char *text);

/* the shortest text that reads back as the same; NaN, Infinity and -Infinity too */
extern int	us_text_float(float value, char *text);
extern int	us_text_double(double value, char *text);

/* days since 1970-01-01 -> 2020-02-29, 12345-01-01, 0044-03-15 BC */
extern int	us_text_date(int64 days, char *text);

/* units since midnight -> 23:59:59.999, without trailing zeros */
extern int	us_text_time(int64 units, int units_per_second, char *text);

/* units since 1970-01-01 00:00 UTC -> 2020-02-29T23:59:59.999+00:00; the zone only if zoned */
extern int	us_text_timestamp(int64 units, int units_per_second, bool zoned, char *text);

/* sixteen bytes -> 8-4-4-4-12 hexadecimal digits */
extern int	us_text_uuid(const char *bytes, char *text);

/* months, days, milliseconds, each four bytes with the lowest first -> P1M2DT3.004S */
extern int	us_text_duration(const char *bytes, char *text);

/* -> 0aff, of 2 * len bytes */
extern void us_text_hex(const char *bytes, int len, char *text);

/* -> \x0aff, of 2 * len + 2 bytes */
extern int	us_text_bytes(const char *bytes, int len, char *text);

#endif							/* US_SCALAR_TEXT_H */
