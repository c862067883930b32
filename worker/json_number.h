/*-------------------------------------------------------------------------
 * worker/json_number.h
 *    a JSON number -> its text as jsonb prints it
 *
 * Pure: builds in the server and, with FRONTEND, in the unit tests.  Only for
 * worker/decode_json.c.
 *-------------------------------------------------------------------------
 */
#ifndef US_JSON_NUMBER_H
#define US_JSON_NUMBER_H

#include "worker/decode.h"

/*
 * us_json_number_print -- a number with an exponent, or perhaps a zero with a minus
 *
 * In:      number    a valid JSON number of len bytes
 *          mantissa  bytes before its exponent; len when it has none
 * Out:     value     if not NULL, holds the number as written and gets it as
 *                    printed; bytes of the decoder's
 * Returns: false when only jsonb knows whether it takes the number
 */
extern bool us_json_number_print(UsDecoder *decoder, const char *number, int len, int mantissa,
								 UsValue *value);

#endif							/* US_JSON_NUMBER_H */
