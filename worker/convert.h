/*-------------------------------------------------------------------------
 * worker/convert.h
 *    shortcuts from text to values, for the forms that messages mostly have
 *
 * Each gives exactly what the type's input function gives for the same text,
 * or refuses (false), and then the input function decides.  They raise
 * nothing, allocate nothing, and depend on no setting (DateStyle, TimeZone).
 * Texts are not NUL-terminated.
 *-------------------------------------------------------------------------
 */
#ifndef US_CONVERT_H
#define US_CONVERT_H

#include "datatype/timestamp.h"
#include "utils/date.h"

#define US_UUID_SIZE		16	/* bytes of a uuid */

/* true, false, t, f, 1, 0 */
extern bool us_convert_bool(const char *text, uint32 len, bool *result);

/* decimal digits with an optional minus; min and max are the type's */
extern bool us_convert_int(const char *text, uint32 len, int64 min, int64 max, int64 *result);

/*
 * us_convert_float8, us_convert_float4 -- JSON's form of numbers
 *
 * In:      json_number  the text is a JSON number, which jsonb makes a
 *                       numeric of: it knows no negative zero
 */
extern bool us_convert_float8(const char *text, uint32 len, bool json_number, float8 *result);
extern bool us_convert_float4(const char *text, uint32 len, bool json_number, float4 *result);

/* 8-4-4-4-12 hexadecimal digits */
extern bool us_convert_uuid(const char *text, uint32 len, unsigned char *result);

/* YYYY-MM-DD */
extern bool us_convert_date(const char *text, uint32 len, DateADT *result);

/*
 * us_convert_timestamp, us_convert_timestamptz -- ISO 8601
 *
 * YYYY-MM-DD, T or a blank, HH:MM:SS, .f to .ffffff, and Z or +hh, +hhmm or
 * +hh:mm.  The zone is wanted for timestamptz, and without effect for
 * timestamp (as PostgreSQL has it).
 * In:      typmod  of the type: digits of the second, -1 = not limited
 */
extern bool us_convert_timestamp(const char *text, uint32 len, int32 typmod, Timestamp *result);
extern bool us_convert_timestamptz(const char *text, uint32 len, int32 typmod,
								   TimestampTz *result);

/*
 * us_number_is_plain -- whether jsonb prints a JSON number as it is written
 *
 * No exponent, no negative zero, not long enough to meet a limit of numeric.
 */
extern bool us_number_is_plain(const char *text, uint32 len);

#endif							/* US_CONVERT_H */
