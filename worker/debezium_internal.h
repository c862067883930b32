/*-------------------------------------------------------------------------
 * worker/debezium_internal.h
 *    a value under way, for debezium_value.c and debezium_bytes.c
 *
 * Pure.  What returns a bool has set the decoder's error when that is false.
 *-------------------------------------------------------------------------
 */
#ifndef US_DEBEZIUM_INTERNAL_H
#define US_DEBEZIUM_INTERNAL_H

#include "worker/debezium.h"

#define US_INVALID_TEXT	"22P02"
#define US_OUT_OF_RANGE	"22003"

typedef struct UsConversion
{
	UsDecoder  *decoder;
	UsDecoder  *parts;			/* see us_debezium_parts_create */
	const UsDebeziumType *type;
	int			field;			/* for the error */
	UsValue    *value;			/* in and out */
} UsConversion;

/* always false, for the caller to return; what is a constant */
extern bool us_conversion_refuse(UsConversion *c, const char *sqlstate, const char *what);

/* the value becomes a copy of a text */
extern void us_conversion_set(UsConversion *c, UsValueKind kind, const char *text, size_t len);

/* of a JSON number without point and exponent */
extern bool us_conversion_integer(UsConversion *c, int64 *result);

/* worker/debezium_bytes.c, by US_DEBEZIUM_BYTES and so on */
extern bool us_debezium_bytes(UsConversion *c);
extern bool us_debezium_bits(UsConversion *c);
extern bool us_debezium_decimal(UsConversion *c);
extern bool us_debezium_variable(UsConversion *c);
extern bool us_debezium_point(UsConversion *c);
extern bool us_debezium_geometry(UsConversion *c);

#endif							/* US_DEBEZIUM_INTERNAL_H */
