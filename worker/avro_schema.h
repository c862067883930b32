/*-------------------------------------------------------------------------
 * worker/avro_schema.h
 *    an Avro schema -> the types that a message is read by
 *
 * Pure: builds in the server and, with FRONTEND, in the unit tests.  Raises
 * nothing.
 *
 * Ours and not avro-c's: that one knows no logical types, builds a tree of
 * values for each message with an allocation for each, and its memory is not
 * a memory context's.  What Avro's binary form needs is less than the code
 * that would bridge the two.
 *-------------------------------------------------------------------------
 */
#ifndef US_AVRO_SCHEMA_H
#define US_AVRO_SCHEMA_H

typedef enum UsAvroKind
{
	US_AVRO_NULL,
	US_AVRO_BOOLEAN,
	US_AVRO_INT,
	US_AVRO_LONG,
	US_AVRO_FLOAT,
	US_AVRO_DOUBLE,
	US_AVRO_BYTES,
	US_AVRO_STRING,
	US_AVRO_FIXED,
	US_AVRO_ENUM,
	US_AVRO_RECORD,
	US_AVRO_ARRAY,
	US_AVRO_MAP,
	US_AVRO_UNION
} UsAvroKind;

/* what an underlying type stands for; one that does not fit it is none */
typedef enum UsAvroLogical
{
	US_AVRO_PLAIN,
	US_AVRO_DECIMAL,
	US_AVRO_DATE,
	US_AVRO_TIME,
	US_AVRO_TIMESTAMP,			/* an instant */
	US_AVRO_LOCAL_TIMESTAMP,	/* of no zone */
	US_AVRO_UUID,				/* of fixed(16); of a string it is the string */
	US_AVRO_DURATION
} UsAvroLogical;

typedef struct UsAvroType UsAvroType;

/* a field of a record, a symbol of an enum, a branch of a union */
typedef struct UsAvroMember
{
	const char *name;			/* UTF-8, NUL-terminated; NULL in a union */
	int			name_len;		/* bytes */
	UsAvroType *type;			/* NULL in an enum */
} UsAvroMember;

struct UsAvroType
{
	UsAvroKind	kind;
	UsAvroLogical logical;
	int			scale;			/* decimal: digits behind the point */
	int			units_per_second;	/* of times and timestamps: thousand, million, billion */
	int			size;			/* fixed: bytes */
	int			nmembers;
	UsAvroMember *members;
	UsAvroType *items;			/* of an array or map */
	const char *full_name;		/* named types: with its namespace */
	UsAvroType *next_named;
};

typedef struct UsAvroSchema
{
	UsAvroType *root;
} UsAvroSchema;

/*
 * us_avro_schema_parse -- the types of a schema
 *
 * In:      texts   JSON texts, NUL-terminated: first those that it refers to,
 *                  each after those that it needs itself, at last the schema
 * Out:     error   for people, when the result is NULL
 * Returns: palloc'd in the current context; types refer to each other, also
 *          in circles
 */
extern UsAvroSchema *us_avro_schema_parse(const char *const *texts, int ntexts,
										  char *error, size_t error_size);

#endif							/* US_AVRO_SCHEMA_H */
