/*-------------------------------------------------------------------------
 * worker/schemas.h
 *    the schemas that are known so far, by the numbers that messages have
 *
 * Pure: builds in the server and, with FRONTEND, in the unit tests.  A schema
 * never changes under its number, so what is known stays; extension/registry.h
 * fills it before messages are decoded, because a decoder must not wait.
 *
 * Shape of a message: magic u8 = 0 | number of the schema i32, big-endian | value
 *-------------------------------------------------------------------------
 */
#ifndef US_SCHEMAS_H
#define US_SCHEMAS_H

#include "worker/avro_schema.h"

#define US_FRAME_BYTES	5		/* before the value */
#define US_SCHEMA_ERROR_BYTES	256

/* a schema and its number; without a type the number stands for nothing that can be read */
typedef struct UsSchema
{
	int32		id;
	bool		used;			/* in the table */
	bool		unknown;		/* the registry has no such number */
	UsAvroType *root;
	char	   *error;			/* why it cannot be read; NULL with a root */
} UsSchema;

typedef struct UsSchemas UsSchemas;

/* none yet; what is added lives in the context that is current now */
extern UsSchemas *us_schemas_create(void);

/* NULL: not asked for yet; valid until the next put or forget */
extern const UsSchema *us_schemas_find(UsSchemas *schemas, int32 id);

/* under a number that is not there yet; error NULL without root: unknown; error is copied */
extern void us_schemas_put(UsSchemas *schemas, int32 id, UsAvroType *root, const char *error);

/* numbers that the registry did not know: it may by now */
extern void us_schemas_forget_unknown(UsSchemas *schemas);

/* the number before a value; false: these bytes are no such message */
static inline bool
us_frame_read(const char *data, size_t len, int32 *id)
{
	const unsigned char *bytes = (const unsigned char *) data;

	if (len < US_FRAME_BYTES || bytes[0] != 0)
		return false;
	*id = (int32) ((uint32) bytes[1] << 24 | (uint32) bytes[2] << 16 |
				   (uint32) bytes[3] << 8 | (uint32) bytes[4]);
	return true;
}

#endif							/* US_SCHEMAS_H */
