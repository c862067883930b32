/*-------------------------------------------------------------------------
 * worker/cql/type.h
 *    the types of CQL values, as the server describes them
 *-------------------------------------------------------------------------
 */
#ifndef US_CQL_TYPE_H
#define US_CQL_TYPE_H

#include "worker/cql/buf.h"

#define US_CQL_TYPE_DEPTH	32	/* levels of nesting that are accepted */

/* numbers of the protocol's [option], section 4.2.5.2 */
typedef enum UsCqlTypeId
{
	US_CQL_CUSTOM = 0x00,
	US_CQL_ASCII = 0x01,
	US_CQL_BIGINT = 0x02,
	US_CQL_BLOB = 0x03,
	US_CQL_BOOLEAN = 0x04,
	US_CQL_COUNTER = 0x05,
	US_CQL_DECIMAL = 0x06,
	US_CQL_DOUBLE = 0x07,
	US_CQL_FLOAT = 0x08,
	US_CQL_INT = 0x09,
	US_CQL_TIMESTAMP = 0x0b,
	US_CQL_UUID = 0x0c,
	US_CQL_VARCHAR = 0x0d,
	US_CQL_VARINT = 0x0e,
	US_CQL_TIMEUUID = 0x0f,
	US_CQL_INET = 0x10,
	US_CQL_DATE = 0x11,
	US_CQL_TIME = 0x12,
	US_CQL_SMALLINT = 0x13,
	US_CQL_TINYINT = 0x14,
	US_CQL_DURATION = 0x15,
	US_CQL_LIST = 0x20,
	US_CQL_MAP = 0x21,
	US_CQL_SET = 0x22,
	US_CQL_UDT = 0x30,
	US_CQL_TUPLE = 0x31
} UsCqlTypeId;

typedef struct UsCqlType
{
	UsCqlTypeId id;
	int			nparts;			/* list, set 1; map 2 (key, value); tuple, udt: fields; else 0 */
	struct UsCqlType *parts;	/* nparts of them */
	UsCqlBytes	name;			/* udt: its name; custom: its Java class; else null */
	UsCqlBytes	keyspace;		/* udt; else null */
	UsCqlBytes *fields;			/* udt: nparts names; else NULL */
} UsCqlType;

/*
 * us_cql_read_type -- [option] -> a tree
 *
 * Out:     type, filled; what it points to is in the arena, its names in the bytes read
 * Errors:  US_CQL_MALFORMED (also a number that this protocol does not have, and
 *          nesting deeper than US_CQL_TYPE_DEPTH), US_CQL_NO_MEMORY.  Never
 *          allocates for more parts than the bytes that are left can hold.
 */
extern UsCqlStatus us_cql_read_type(UsCqlReader *reader, UsCqlArena *arena, UsCqlType *type);

/* the name as CQL writes it: "map<text, frozen<list<int>>>" without the frozen, which is not sent */
extern void us_cql_put_type_name(UsCqlWriter *writer, const UsCqlType *type);

/* the same ids, parts and names of fields; names of columns do not count */
extern bool us_cql_same_type(const UsCqlType *a, const UsCqlType *b);

#endif							/* US_CQL_TYPE_H */
