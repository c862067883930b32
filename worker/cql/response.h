/*-------------------------------------------------------------------------
 * worker/cql/response.h
 *    what a server answers: envelopes -> structures
 *
 * All of it is views into the envelope's body plus a little in an arena; both
 * have to live as long as the response is looked at.
 *-------------------------------------------------------------------------
 */
#ifndef US_CQL_RESPONSE_H
#define US_CQL_RESPONSE_H

#include "worker/cql/frame.h"
#include "worker/cql/type.h"

/* codes of ERROR, section 9 of the specification */
typedef enum UsCqlErrorCode
{
	US_CQL_ERR_SERVER = 0x0000,
	US_CQL_ERR_PROTOCOL = 0x000a,
	US_CQL_ERR_CREDENTIALS = 0x0100,
	US_CQL_ERR_UNAVAILABLE = 0x1000,
	US_CQL_ERR_OVERLOADED = 0x1001,
	US_CQL_ERR_BOOTSTRAPPING = 0x1002,
	US_CQL_ERR_TRUNCATE = 0x1003,
	US_CQL_ERR_WRITE_TIMEOUT = 0x1100,
	US_CQL_ERR_READ_TIMEOUT = 0x1200,
	US_CQL_ERR_READ_FAILURE = 0x1300,
	US_CQL_ERR_FUNCTION_FAILURE = 0x1400,
	US_CQL_ERR_WRITE_FAILURE = 0x1500,
	US_CQL_ERR_CDC_WRITE_FAILURE = 0x1600,
	US_CQL_ERR_CAS_UNKNOWN = 0x1700,
	US_CQL_ERR_SYNTAX = 0x2000,
	US_CQL_ERR_UNAUTHORIZED = 0x2100,
	US_CQL_ERR_INVALID = 0x2200,
	US_CQL_ERR_CONFIG = 0x2300,
	US_CQL_ERR_ALREADY_EXISTS = 0x2400,
	US_CQL_ERR_UNPREPARED = 0x2500
} UsCqlErrorCode;

/* what an error asks of one whose writes may be repeated */
typedef enum UsCqlRemedy
{
	US_CQL_REMEDY_RETRY,		/* the same again, after a while; the outcome may be unknown */
	US_CQL_REMEDY_SLOWER,		/* the same again, with fewer in flight */
	US_CQL_REMEDY_OTHER_HOST,	/* the same again, elsewhere */
	US_CQL_REMEDY_RECONNECT,	/* this connection is of no more use */
	US_CQL_REMEDY_CREDENTIALS,	/* a person must mend user or password */
	US_CQL_REMEDY_RIGHTS,		/* a person must grant something */
	US_CQL_REMEDY_REFUSED,		/* this statement or value will never be taken */
	US_CQL_REMEDY_NONE,			/* what was wanted is so already (already exists) */
	US_CQL_REMEDY_PREPARE		/* prepare again, on this connection (the connection does) */
} UsCqlRemedy;

/* fields that the code does not have are zero */
typedef struct UsCqlError
{
	int32_t		code;			/* UsCqlErrorCode, or one we do not know */
	UsCqlBytes	message;		/* UTF-8 */
	uint16_t	consistency;
	int32_t		received;		/* replicas that answered; unavailable: that are alive */
	int32_t		required;		/* replicas that the consistency asks for */
	int32_t		nfailures;		/* replicas that failed */
	UsCqlBytes	reasons;		/* v5: nfailures of (length u8 | address | code u16) */
	bool		data_present;	/* reads: a replica sent the data */
	UsCqlBytes	write_type;		/* writes: SIMPLE, BATCH, UNLOGGED_BATCH, CDC ... */
	int			contentions;	/* v5, write type CAS */
	UsCqlBytes	keyspace;		/* already exists, function failure */
	UsCqlBytes	name;			/* table (empty: the keyspace itself), function */
	UsCqlBytes	arguments;		/* function failure: [string list] of its types */
	UsCqlBytes	id;				/* unprepared: the statement's */
} UsCqlError;

typedef struct UsCqlColumn
{
	UsCqlBytes	keyspace;
	UsCqlBytes	table;
	UsCqlBytes	name;
	UsCqlType	type;
} UsCqlColumn;

/* metadata of bind markers and of results */
typedef struct UsCqlColumns
{
	int			ncolumns;
	UsCqlColumn *columns;		/* NULL: the server left them out */
	int			nkeys;			/* bind markers: of the partition key; 0 = cannot be routed */
	uint16_t   *keys;			/* for each column of the key, its bind marker */
	UsCqlBytes	paging_state;	/* null: the last page */
	UsCqlBytes	new_id;			/* v5: the result's metadata changed, and has this id; else null */
} UsCqlColumns;

typedef enum UsCqlResultKind
{
	US_CQL_VOID = 1,
	US_CQL_ROWS = 2,
	US_CQL_SET_KEYSPACE = 3,
	US_CQL_PREPARED = 4,
	US_CQL_SCHEMA_CHANGE = 5
} UsCqlResultKind;

/* also EVENT SCHEMA_CHANGE */
typedef struct UsCqlSchemaChange
{
	UsCqlBytes	change;			/* CREATED, UPDATED, DROPPED */
	UsCqlBytes	target;			/* KEYSPACE, TABLE, TYPE, FUNCTION, AGGREGATE */
	UsCqlBytes	keyspace;
	UsCqlBytes	name;			/* null when the target is a keyspace */
	UsCqlBytes	arguments;		/* function, aggregate: [string list] of types; else null */
} UsCqlSchemaChange;

typedef struct UsCqlResponse
{
	int			version;		/* 4 or 5 */
	uint8_t		opcode;			/* UsCqlOpcode */
	int16_t		stream;
	UsCqlBytes	tracing_id;		/* 16 bytes; null = none */
	UsCqlBytes	warnings;		/* nwarnings of [string] */
	int			nwarnings;
	UsCqlBytes	payload;		/* npayload of ([string], [bytes]) */
	int			npayload;

	UsCqlError	error;			/* ERROR */
	UsCqlResultKind kind;		/* RESULT */
	UsCqlColumns result;		/* Rows; Prepared: of what it will give */
	int32_t		nrows;			/* Rows */
	UsCqlReader cells;			/* Rows: at the first row; us_cql_next_row */
	UsCqlBytes	id;				/* Prepared */
	UsCqlBytes	result_id;		/* Prepared, v5 */
	UsCqlColumns markers;		/* Prepared */
	UsCqlBytes	keyspace;		/* Set_keyspace */
	UsCqlSchemaChange schema;	/* Schema_change, and EVENT of it */
	UsCqlBytes	event;			/* EVENT: SCHEMA_CHANGE, STATUS_CHANGE, TOPOLOGY_CHANGE */
	UsCqlBytes	authenticator;	/* AUTHENTICATE: a Java class */
	UsCqlBytes	token;			/* AUTH_CHALLENGE, AUTH_SUCCESS; may be null */
	UsCqlReader options;		/* SUPPORTED: noptions of ([string], [string list]) */
	int			noptions;
} UsCqlResponse;

/*
 * us_cql_read_response -- an envelope's body -> a response
 *
 * In:      version   that of the connection (4, 5); the shapes differ
 * Out:     response  all of it; rows are not looked at yet, but there are bytes enough for
 *                    as many cells as it promises
 * Errors:  US_CQL_MALFORMED (also an opcode that is not a server's, a compressed body),
 *          US_CQL_NO_MEMORY.  Bytes after what is expected are ignored.
 */
extern UsCqlStatus us_cql_read_response(const UsCqlEnvelope *envelope, int version,
										UsCqlArena *arena, UsCqlResponse *response);

/*
 * us_cql_next_row -- the cells of the next row
 *
 * Out:     cells[0 .. response->result.ncolumns), views; data NULL = null
 * Returns: US_CQL_OK, or US_CQL_MALFORMED; to be called nrows times at most
 */
extern UsCqlStatus us_cql_next_row(UsCqlResponse *response, UsCqlBytes *cells);

/* SUPPORTED: has this option a value that starts with prefix and lacks without (may be NULL)? */
extern bool us_cql_supports(const UsCqlResponse *response, const char *option, const char *prefix,
							const char *without);

/* name of an error for people, lower case; "unknown error" for a code we do not know */
extern const char *us_cql_error_name(int32_t code);

extern UsCqlRemedy us_cql_error_remedy(int32_t code);

#endif							/* US_CQL_RESPONSE_H */
