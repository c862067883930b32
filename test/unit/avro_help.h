/*-------------------------------------------------------------------------
 * test/unit/avro_help.h
 *    schemas and messages of Avro, for the tests and the fuzzer
 *-------------------------------------------------------------------------
 */
#ifndef US_TEST_AVRO_HELP_H
#define US_TEST_AVRO_HELP_H

#include <stddef.h>

#include "worker/decode.h"
#include "worker/schemas.h"

#define AVRO_ID		7			/* the number of avro_decoder's schema */

/* a decoder for dotted paths with blanks between, whose schema AVRO_ID is this; aborts if bad */
extern UsDecoder *avro_decoder(const char *schema, const char *paths);

/* hexadecimal digits and blanks -> bytes, NULL-safe; returns how many */
extern size_t avro_bytes(const char *hex, char *bytes);

/* of a message AVRO_ID with this value in hexadecimal: fills values */
extern UsDecodeResult avro_decode(UsDecoder *decoder, const char *hex, UsValue *values);

/* the same as JSON; text is NUL-terminated, of one static buffer; NULL when refused */
extern const char *avro_json(UsDecoder *decoder, const char *hex);

#define AVRO_FORMS		(US_FORM_BYTES + 1)

/* has all values of a decoder come in this form, where it can be */
extern void avro_ask_form(UsDecoder *decoder, UsForm form);

/* what another decoder gives as a text, that of a value in a form: whether it is the same */
extern bool avro_same_value(UsForm form, const UsValue *value, const UsValue *text);

#endif							/* US_TEST_AVRO_HELP_H */
