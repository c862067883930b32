/*-------------------------------------------------------------------------
 * worker/avro_read.h
 *    an Avro message being read: bytes, scalars, and what is stepped over
 *
 * Pure.  Only for worker/decode_avro.c.  What returns a bool has refused the
 * message when that is false: the decoder's error says why.
 *-------------------------------------------------------------------------
 */
#ifndef US_AVRO_READ_H
#define US_AVRO_READ_H

#include "worker/avro_schema.h"
#include "worker/decode.h"

#define US_AVRO_MAX_DEPTH	100	/* of records, arrays and maps in each other */
#define US_AVRO_MAX_JSON_BYTES	(128 * 1024 * 1024)	/* half of what a value of jsonb can hold */

/* the sqlstates that most messages are refused with */
#define US_AVRO_BAD_BYTES	"22P02" /* not what the schema says */
#define US_AVRO_TOO_LARGE	"54000"

/* what is kept from message to message */
typedef struct UsAvroWalk
{
	UsDecoder  *decoder;
	const UsPathSet *paths;
	UsValue    *values;			/* of the message, for paths */
	const char *pos;
	const char *end;
	int			depth;
	size_t		values_left;	/* that may still be read */

	/* the JSON that is being written */
	char	   *json;
	size_t		json_len;
	size_t		json_size;
} UsAvroWalk;

/* always false, for the caller to return; what is a constant */
extern bool us_avro_refuse(UsAvroWalk *walk, const char *sqlstate, const char *what);

/* checked UTF-8 without a zero byte */
extern bool us_avro_read_string(UsAvroWalk *walk, const char **bytes, int *len);

/* of a union the type that is really there, NULL when refused; else the type itself */
extern const UsAvroType *us_avro_resolve(UsAvroWalk *walk, const UsAvroType *type);

/* where a walk over an array or map is; all zero before the first item */
typedef struct UsAvroItems
{
	int64		left;			/* of the block, the present one included; 0: there are no more */
	const char *block_end;		/* NULL: the block does not say */
} UsAvroItems;

/* to the next item, whose key (of a map) is to be read first */
extern bool us_avro_next_item(UsAvroWalk *walk, UsAvroItems *items);

/* a value of any type, not looked at */
extern bool us_avro_skip(UsAvroWalk *walk, const UsAvroType *type);

/* one of any type but union, record, array and map; bytes of the message or the decoder */
extern bool us_avro_take_scalar(UsAvroWalk *walk, const UsAvroType *type, UsValue *value);

/* one more value, one level deeper if it holds others; to be left by us_avro_leave */
static inline bool
us_avro_enter(UsAvroWalk *walk, bool container)
{
	if (unlikely(walk->values_left-- == 0))
		return us_avro_refuse(walk, US_AVRO_TOO_LARGE, "message holds more than 100000 values that take no bytes");
	if (container && unlikely(++walk->depth > US_AVRO_MAX_DEPTH))
		return us_avro_refuse(walk, US_AVRO_TOO_LARGE, "message is nested more than 100 levels deep");
	return true;
}

static inline void
us_avro_leave(UsAvroWalk *walk)
{
	walk->depth--;
}

static inline bool
us_avro_is_container(const UsAvroType *type)
{
	return type->kind == US_AVRO_RECORD || type->kind == US_AVRO_ARRAY ||
		type->kind == US_AVRO_MAP;
}

#endif							/* US_AVRO_READ_H */
