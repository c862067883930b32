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

#include "mb/pg_wchar.h"

#include "worker/avro_schema.h"
#include "worker/decode.h"

#define US_AVRO_MAX_DEPTH	100	/* of records, arrays and maps in each other */
#define US_AVRO_MAX_JSON_BYTES	(128 * 1024 * 1024)	/* half of what a value of jsonb can hold */

/* the sqlstates that most messages are refused with */
#define US_AVRO_BAD_BYTES	"22P02" /* not what the schema says */
#define US_AVRO_BAD_ENCODING	"22021"
#define US_AVRO_TOO_LARGE	"54000"

#define US_AVRO_VARINT_BYTES	10	/* of a long at most */

/* see us_avro_children */
typedef struct UsAvroPlan
{
	const UsAvroType *type;		/* NULL: this slot is free */
	int			node;
	int		   *children;
} UsAvroPlan;

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

	/* a hash; the types stay, for schemas do */
	UsAvroPlan *plans;
	uint32		nplans;
	uint32		plan_slots;		/* a power of two, at least twice nplans */

	/* the JSON that is being written */
	char	   *json;
	size_t		json_len;
	size_t		json_size;
} UsAvroWalk;

/* always false, for the caller to return; what is a constant */
extern bool us_avro_refuse(UsAvroWalk *walk, const char *sqlstate, const char *what);

/* the message ends too early */
extern bool us_avro_refuse_short(UsAvroWalk *walk);

/* the type that is really there of a union; NULL when refused */
extern const UsAvroType *us_avro_branch(UsAvroWalk *walk, const UsAvroType *type);

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

/*
 * us_avro_take_scalar -- one of any type but union, record, array and map
 *
 * In:      form   in which it is best, if it is one of those
 * Out:     value  bytes of the message or the decoder
 */
extern bool us_avro_take_scalar(UsAvroWalk *walk, const UsAvroType *type, UsForm form,
								UsValue *value);

/*
 * us_avro_children -- where the fields of a record go (worker/avro_plan.c)
 *
 * In:      node  of the paths, that the record is the value of
 * Returns: for each field its node, -1 = no path leads there; stays valid
 */
extern const int *us_avro_children(UsAvroWalk *walk, const UsAvroType *type, int node);

/*
 * What most of a message is read by.
 */

static inline bool
us_avro_read_long(UsAvroWalk *walk, int64 *result)
{
	const char *pos = walk->pos;
	uint64		value = 0;
	int			shift = 0;

	*result = 0;
	for (;;)
	{
		uint8		byte;

		if (unlikely(pos == walk->end))
			return us_avro_refuse_short(walk);
		byte = (uint8) *pos++;
		/* the last of ten bytes has one bit left to say */
		if (unlikely(shift == 7 * (US_AVRO_VARINT_BYTES - 1) && byte > 1))
			return us_avro_refuse(walk, US_AVRO_BAD_BYTES, "message holds a number of more than 64 bits");
		value |= (uint64) (byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			break;
		shift += 7;
	}
	walk->pos = pos;
	*result = (int64) (value >> 1) ^ -(int64) (value & 1);
	return true;
}

/* a length and as many bytes */
static inline bool
us_avro_read_counted(UsAvroWalk *walk, const char **bytes, int *len)
{
	int64		count;

	*bytes = walk->pos;
	*len = 0;
	if (!us_avro_read_long(walk, &count))
		return false;
	if (unlikely(count < 0 || count > walk->end - walk->pos))
		return us_avro_refuse_short(walk);
	*bytes = walk->pos;
	*len = (int) count;
	walk->pos += count;
	return true;
}

/* nothing but ASCII without a zero, eight bytes at a time, the last ones again */
static inline bool
us_avro_is_ascii(const char *bytes, int len)
{
	const uint64 ones = UINT64CONST(0x0101010101010101);
	uint64		seen = 0;
	uint64		word;
	uint32		half;

	if (len >= (int) sizeof(word))
	{
		for (int i = 0; i < len; i += sizeof(word))
		{
			memcpy(&word, bytes + Min(i, len - (int) sizeof(word)), sizeof(word));
			seen |= word | (word - ones);
		}
	}
	else if (len >= (int) sizeof(half))
	{
		memcpy(&half, bytes, sizeof(half));
		word = (uint64) half << 32;
		memcpy(&half, bytes + len - sizeof(half), sizeof(half));
		word |= half;
		seen = word | (word - ones);
	}
	else
	{
		for (int i = 0; i < len; i++)
			seen |= (uint8) bytes[i] | ((uint8) bytes[i] - 1);
	}
	return (seen & (ones << 7)) == 0;
}

/* checked UTF-8 without a zero byte */
static inline bool
us_avro_read_string(UsAvroWalk *walk, const char **bytes, int *len)
{
	if (!us_avro_read_counted(walk, bytes, len))
		return false;
	if (!us_avro_is_ascii(*bytes, *len) &&
		pg_encoding_verifymbstr(PG_UTF8, *bytes, *len) != *len)
		return us_avro_refuse(walk, US_AVRO_BAD_ENCODING, "message holds a string that is not UTF-8, or has a zero byte");
	return true;
}

/* us_avro_take_scalar for a string */
static inline bool
us_avro_take_string(UsAvroWalk *walk, UsValue *value)
{
	const char *bytes;
	int			len;

	if (!us_avro_read_string(walk, &bytes, &len))
		return false;
	*value = (UsValue) {bytes, (uint32) len, US_VALUE_STRING};
	return true;
}

/* of a union the type that is really there, NULL when refused; else the type itself */
static inline const UsAvroType *
us_avro_resolve(UsAvroWalk *walk, const UsAvroType *type)
{
	return type->kind != US_AVRO_UNION ? type : us_avro_branch(walk, type);
}

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
