/*-------------------------------------------------------------------------
 * worker/mirror_value.h
 *    values of PostgreSQL, as its types send them -> values of CQL
 *
 * Values come in the form of binary replication and COPY BINARY: what the
 * type's send function gives, or text for a type without one.  Strings are
 * UTF-8 already (client_encoding of the worker).
 *-------------------------------------------------------------------------
 */
#ifndef US_MIRROR_VALUE_H
#define US_MIRROR_VALUE_H

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "worker/cql/value.h"

typedef enum UsValueForm
{
	US_VALUE_NONE,				/* not at all: each is refused */
	US_VALUE_BYTES,				/* as they are: text, bytea, uuid */
	US_VALUE_ASCII,
	US_VALUE_JSONB,				/* a version byte, then text */
	US_VALUE_INTEGER,
	US_VALUE_INTEGER_TEXT,		/* into varint, decimal */
	US_VALUE_FLOAT,
	US_VALUE_BOOLEAN,
	US_VALUE_NUMERIC,
	US_VALUE_DATE,
	US_VALUE_TIME,
	US_VALUE_TIMESTAMP,
	US_VALUE_INTERVAL,
	US_VALUE_INET,
	US_VALUE_TIMEUUID,
	US_VALUE_ARRAY,
	US_VALUE_OUTPUT				/* into text by the type's output function */
} UsValueForm;

/* how values of one column are written */
typedef struct UsMirrorValue
{
	UsValueForm form;
	Oid			type;			/* without domains */
	UsCqlTypeId cql;
	bool		has_receive;	/* OUTPUT, NUMERIC: from binary by these ... */
	FmgrInfo	receive;
	Oid			receive_param;
	FmgrInfo	output;
	struct UsMirrorValue *element;	/* ARRAY */
} UsMirrorValue;

/*
 * us_mirror_value_compile -- whether values of a type can become those of a CQL type, and how
 *
 * Needs:   transaction; what is made is in CurrentMemoryContext
 * Returns: false when they cannot
 */
extern bool us_mirror_value_compile(Oid type, const UsCqlType *cql, UsMirrorValue *value);

/*
 * us_mirror_value_put -- append one as a [value]
 *
 * In:      binary   whether data is what the send function gave, or text
 * Errors:  US_CQL_BAD_VALUE in writer when its CQL type cannot hold it
 */
extern void us_mirror_value_put(UsMirrorValue *value, bool binary, const char *data, int len,
								UsCqlWriter *writer);

/* the function that sends a type's values in binary; InvalidOid = it has none */
extern Oid	us_mirror_send_function(Oid type);

/* as text, for people; palloc'd */
extern char *us_mirror_value_text(Oid type, bool binary, const char *data, int len);

/* the CQL type that create_table gives a column of this type; palloc'd or constant */
extern const char *us_mirror_value_cql_type(Oid type);

#endif							/* US_MIRROR_VALUE_H */
