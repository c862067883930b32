/*-------------------------------------------------------------------------
 * worker/debezium.h
 *    what decode_debezium.c, debezium_schema.c and debezium_value.c share
 *
 * Pure: builds in the server and, with FRONTEND, in the unit tests.
 *-------------------------------------------------------------------------
 */
#ifndef US_DEBEZIUM_H
#define US_DEBEZIUM_H

#include "worker/decode.h"

/* what the number or the text of a field stands for, by the name of its schema */
typedef enum UsDebeziumKind
{
	US_DEBEZIUM_PLAIN = 0,		/* just what it looks like */
	US_DEBEZIUM_DATE,			/* days since 1970-01-01 */
	US_DEBEZIUM_TIME,			/* units since midnight */
	US_DEBEZIUM_TIMESTAMP,		/* units since 1970-01-01 00:00, without a zone */
	US_DEBEZIUM_ZONED,			/* ISO 8601 as Java writes it */
	US_DEBEZIUM_DURATION,		/* units */
	US_DEBEZIUM_DECIMAL,		/* base64 of a two's complement, big-endian */
	US_DEBEZIUM_VARIABLE,		/* the same with its scale: {"scale": , "value": } */
	US_DEBEZIUM_BYTES,			/* base64 */
	US_DEBEZIUM_BITS,			/* base64 of bits, the lowest first */
	US_DEBEZIUM_POINT,			/* {"x": , "y": } */
	US_DEBEZIUM_GEOMETRY		/* {"wkb": base64, "srid": } */
} UsDebeziumKind;

#define US_DEBEZIUM_NO_NUMBER	PG_INT32_MIN

typedef struct UsDebeziumType
{
	UsDebeziumKind kind;
	bool		is_array;		/* the kind is that of its elements */
	int			units_per_second;	/* of times: thousand, million, billion */
	int			number;			/* scale of DECIMAL, length of BITS; US_DEBEZIUM_NO_NUMBER */
} UsDebeziumType;

/*
 * us_debezium_read_schema -- the types of the fields that are looked for
 *
 * In:      decoder    its paths begin where the payload does
 *          described  as us_debezium_schema_create made it
 *          schema     an object, good JSON
 * Out:     types      one for each field of paths
 */
extern void us_debezium_read_schema(UsDecoder *decoder, UsDecoder *described,
									const UsValue *schema, UsDebeziumType *types);
extern UsDecoder *us_debezium_schema_create(void);

/*
 * us_debezium_convert -- the value that a type's input function takes
 *
 * In:      parts  as us_debezium_parts_create made it
 *          field  for the error
 * Returns: false with the decoder's error set
 */
extern bool us_debezium_convert(UsDecoder *decoder, UsDecoder *parts, const UsDebeziumType *type,
								int field, UsValue *value);
extern UsDecoder *us_debezium_parts_create(void);

/*
 * us_debezium_next_element -- the elements of an array, one after the other
 *
 * In:      at   its bracket, or what the last call left there; the array is
 *               good JSON and ends before end
 * Returns: false when there is no more
 */
extern bool us_debezium_next_element(const char **at, const char *end, const char **data,
									 size_t *len);

/* what an object is that no schema describes: VARIABLE, POINT, GEOMETRY, or else PLAIN */
extern UsDebeziumKind us_debezium_guess(UsDecoder *parts, const UsValue *value);

/*
 * us_debezium_add_paths -- what the decoder itself looks for in a message, or in its key
 *
 * In:      event  false: a key
 */
extern void us_debezium_add_paths(UsPathSet *paths, bool event);

/* the format's decoder, and the one of keys */
extern UsDecodeResult us_decode_debezium(UsDecoder *decoder, const char *data, size_t len,
										 UsValue *values);
extern UsDecodeResult us_decode_debezium_key(UsDecoder *decoder, const char *data, size_t len,
											 UsValue *values);

#endif							/* US_DEBEZIUM_H */
