/*-------------------------------------------------------------------------
 * worker/cql/request.h
 *    what a client asks: structures -> envelopes
 *-------------------------------------------------------------------------
 */
#ifndef US_CQL_REQUEST_H
#define US_CQL_REQUEST_H

#include "worker/cql/response.h"

/* [consistency] */
typedef enum UsCqlConsistency
{
	US_CQL_ANY = 0,
	US_CQL_ONE = 1,
	US_CQL_TWO = 2,
	US_CQL_THREE = 3,
	US_CQL_QUORUM = 4,
	US_CQL_ALL = 5,
	US_CQL_LOCAL_QUORUM = 6,
	US_CQL_EACH_QUORUM = 7,
	US_CQL_SERIAL = 8,
	US_CQL_LOCAL_SERIAL = 9,
	US_CQL_LOCAL_ONE = 10
} UsCqlConsistency;

/* by its CQL name, any case ("local_quorum"); false = there is none of that name */
extern bool us_cql_consistency_parse(const char *name, UsCqlConsistency *consistency);

/* a constant, upper case; "unknown" for a number that there is not */
extern const char *us_cql_consistency_name(int consistency);

/*
 * A prepared statement, of one connection.  It belongs to the connection,
 * which keeps it prepared; others only read it.
 */
typedef struct UsCqlStatement
{
	struct UsCqlStatement *next;	/* of the connection's */
	char	   *query;
	size_t		query_len;		/* bytes */
	void	   *tag;			/* the caller's */
	bool		prepared;		/* id and columns are valid */
	bool		preparing;		/* a PREPARE is under way */
	uint32_t	generation;		/* raised when the markers change: values bound before are stale */
	uint32_t	result_generation;	/* raised with each result below */
	UsCqlBytes	id;
	UsCqlBytes	result_id;		/* v5; else null */
	UsCqlColumns markers;		/* what to bind */
	UsCqlColumns result;		/* what comes back; 0 columns unless it selects */
	UsCqlArena	memory;			/* what the above points to ... */
	UsCqlArena	result_memory;	/* ... and the result, once it has changed (v5) */
} UsCqlStatement;

/*
 * A request of the caller, who keeps it, and what it points to, as it is
 * until the connection has told its end.  Zeros are good defaults.
 */
typedef struct UsCqlRequest
{
	UsCqlStatement *statement;	/* EXECUTE; NULL: QUERY of the next two */
	const char *query;
	size_t		query_len;		/* bytes */
	const uint8_t *values;		/* nvalues [value], by us_cql_put_*; one per bind marker */
	size_t		values_len;		/* bytes */
	uint16_t	nvalues;
	uint16_t	consistency;	/* UsCqlConsistency */
	uint16_t	serial_consistency; /* of compare-and-set; 0 = not given */
	int32_t		page_size;		/* rows of an answer; 0 = all at once */
	UsCqlBytes	paging_state;	/* from the answer before; null = the first page */
	bool		has_timestamp;
	int64_t		timestamp_us;	/* since 1970, if has_timestamp and the statement names none */
	bool		tracing;
	void	   *tag;			/* the caller's */

	/* the connection's */
	size_t		wire_bytes;		/* of its envelope, once sent */
	uint32_t	generation;		/* of the statement when the values were bound ... */
	uint32_t	result_generation;	/* ... and when it was sent */
	uint8_t		prepares;		/* times it was sent again after UNPREPARED */
} UsCqlRequest;

/* OPTIONS: version as it stands in the header */
extern void us_cql_write_options(UsCqlWriter *writer, int version, int stream);

/* STARTUP with CQL_VERSION 3.0.0 and THROW_ON_OVERLOAD; driver strings may be NULL */
extern void us_cql_write_startup(UsCqlWriter *writer, int version, int stream,
								 const char *driver_name, const char *driver_version);

/* AUTH_RESPONSE of SASL PLAIN: user and password, NUL-terminated */
extern void us_cql_write_plain(UsCqlWriter *writer, int version, int stream,
							   const char *username, const char *password);

extern void us_cql_write_prepare(UsCqlWriter *writer, int version, int stream,
								 const char *query, size_t len);

/* QUERY or EXECUTE; of a statement that is prepared */
extern void us_cql_write_request(UsCqlWriter *writer, int version, int stream,
								 const UsCqlRequest *request);

#endif							/* US_CQL_REQUEST_H */
