/*-------------------------------------------------------------------------
 * worker/cql/conn.h
 *    one connection to a CQL server, without its socket
 *
 * The caller owns socket and clock.  It puts in what it received, sends what
 * is to be sent, and asks for events:
 *
 *    conn = us_cql_conn_create(&config, now);
 *    loop:
 *        while us_cql_conn_output(conn, &len): send, us_cql_conn_sent(conn, n)
 *        wait until readable, writable (while there is output), or us_cql_conn_deadline
 *        buffer = us_cql_conn_room(conn, &room); n = recv; us_cql_conn_received(conn, n, now)
 *            (n = 0, or an error: us_cql_conn_closed(conn, why))
 *        while us_cql_conn_next(conn, now, &event): handle it; us_cql_conn_send(conn, request, now)
 *
 * Greeting, choice of the protocol's version, authentication, heartbeats and
 * preparing anew what the server forgot happen inside.  A stream id whose
 * request timed out stays taken until its answer comes, so that a late answer
 * is never taken for another's.
 *
 * All times are milliseconds of a clock that does not jump back.  Never
 * blocks, never aborts; memory that cannot be had is a failure like others.
 *-------------------------------------------------------------------------
 */
#ifndef US_CQL_CONN_H
#define US_CQL_CONN_H

#include "worker/cql/request.h"

typedef struct UsCqlConn UsCqlConn;

/* zeros take the defaults */
typedef struct UsCqlConfig
{
	UsCqlMemory memory;
	int			version;		/* 4 or 5 only; 0 = 5 if the server has it, else 4 */
	const char *username;		/* NULL: none; copied */
	const char *password;		/* copied, overwritten when freed */
	const char *driver_name;	/* NULL: none; must outlive the connection */
	const char *driver_version;
	uint32_t	max_envelope_bytes; /* of an answer's body that is accepted; 256 MB */
	int			max_streams;	/* requests in flight; 1024, at most 32767 */
	int			connect_timeout_ms; /* until READY; 10000 */
	int			request_timeout_ms; /* until an answer; 12000, as the server's own */
	int			heartbeat_ms;	/* of silence before one is sent; 15000 */
	int			heartbeat_timeout_ms;	/* of silence after it before giving up; 5000 */
} UsCqlConfig;

typedef enum UsCqlFailureKind
{
	US_CQL_FAILURE_NONE = 0,
	US_CQL_FAILURE_CLOSED,		/* the caller said so */
	US_CQL_FAILURE_PROTOCOL,	/* the server sent what the protocol forbids, or said we did */
	US_CQL_FAILURE_VERSION,		/* not this version: connect again with config.version = 4 */
	US_CQL_FAILURE_CREDENTIALS, /* refused, or none given */
	US_CQL_FAILURE_SERVER,		/* an error instead of a greeting (overloaded, bootstrapping ...) */
	US_CQL_FAILURE_TIMEOUT,		/* no greeting in time, or silence after a heartbeat */
	US_CQL_FAILURE_ORPHANS,		/* too many stream ids wait for late answers */
	US_CQL_FAILURE_MEMORY
} UsCqlFailureKind;

typedef struct UsCqlFailure
{
	UsCqlFailureKind kind;
	int32_t		code;			/* of the server's ERROR; -1 = it was none */
	char		text[256];		/* for people; may quote the server; never a secret */
} UsCqlFailure;

typedef enum UsCqlEventKind
{
	US_CQL_EVENT_NONE = 0,
	US_CQL_EVENT_READY,			/* requests and statements are taken from now on */
	US_CQL_EVENT_ANSWER,		/* request: ended, response: RESULT or ERROR */
	US_CQL_EVENT_TIMEOUT,		/* request: no answer in time, the outcome is unknown;
								 * or statement: not prepared in time */
	US_CQL_EVENT_STALE,			/* request: not done, its statement's markers have changed; or
								 * rows that cannot be read, its result has: bind and send anew */
	US_CQL_EVENT_PREPARED,		/* statement: response: RESULT, or ERROR and it cannot be used */
	US_CQL_EVENT_SERVER,		/* response: EVENT */
	US_CQL_EVENT_FAILED,		/* the connection is of no more use; us_cql_conn_failure says why */
	US_CQL_EVENT_LOST			/* request: the outcome is unknown; after FAILED, for each */
} UsCqlEventKind;

/* response and all it shows live until the next us_cql_conn_next or us_cql_conn_room */
typedef struct UsCqlEvent
{
	UsCqlEventKind kind;
	UsCqlRequest *request;
	UsCqlStatement *statement;
	UsCqlResponse *response;
} UsCqlEvent;

typedef struct UsCqlConnStatus
{
	int			version;		/* 4, 5; 0 = not agreed yet */
	bool		ready;
	int			in_flight;		/* requests of the caller */
	int			orphans;		/* stream ids that wait for late answers */
	uint64_t	late;			/* late answers so far */
	uint64_t	prepares;		/* statements prepared again so far */
	uint64_t	received_bytes;
	uint64_t	sent_bytes;
} UsCqlConnStatus;

/* greets at once (see the output); NULL = no memory */
extern UsCqlConn *us_cql_conn_create(const UsCqlConfig *config, int64_t now_ms);

/* statements too; requests in flight are forgotten without an event */
extern void us_cql_conn_free(UsCqlConn *conn);

/*
 * us_cql_conn_output -- what is to be sent
 *
 * Out:     *len bytes; NULL and 0 = nothing.  Valid until the next call on the
 *          connection.  Requests that were made since the last call leave in
 *          as few segments as they need: ask once for many.
 */
extern const uint8_t *us_cql_conn_output(UsCqlConn *conn, size_t *len);

/* so many bytes of it were sent */
extern void us_cql_conn_sent(UsCqlConn *conn, size_t len);

/*
 * us_cql_conn_room -- where received bytes go; NULL = no memory, the connection has failed
 *
 * To be called when us_cql_conn_next has given all events.
 */
extern uint8_t *us_cql_conn_room(UsCqlConn *conn, size_t *room);
extern void us_cql_conn_received(UsCqlConn *conn, size_t len, int64_t now_ms);

/* the socket is closed or broken; text for people, NULL = "connection closed by the server" */
extern void us_cql_conn_closed(UsCqlConn *conn, const char *text);

/*
 * us_cql_conn_next -- what happened next; false (kind NONE) = nothing more for now
 *
 * Also to be called when the deadline has passed.
 */
extern bool us_cql_conn_next(UsCqlConn *conn, int64_t now_ms, UsCqlEvent *event);

/* when us_cql_conn_next is to be called at the latest; INT64_MAX = not by time */
extern int64_t us_cql_conn_deadline(const UsCqlConn *conn);

/*
 * us_cql_conn_send -- a request on its way
 *
 * In:      request   the caller's until ANSWER, TIMEOUT, STALE or LOST tells its end
 * Errors:  US_CQL_NOT_READY; US_CQL_BUSY, no stream id is free; US_CQL_NO_MEMORY,
 *          US_CQL_TOO_LARGE.  Then nothing was sent and the connection goes on.
 */
extern UsCqlStatus us_cql_conn_send(UsCqlConn *conn, UsCqlRequest *request, int64_t now_ms);

/*
 * us_cql_conn_prepare -- a statement for requests of this connection
 *
 * In:      query     copied; names its keyspace ("ks.table")
 * Out:     *result   a statement, usable after US_CQL_EVENT_PREPARED without an error;
 *          lives as long as the connection
 * Errors:  as us_cql_conn_send
 */
extern UsCqlStatus us_cql_conn_prepare(UsCqlConn *conn, const char *query, size_t len, void *tag,
									   int64_t now_ms, UsCqlStatement **result);

/*
 * us_cql_conn_forget -- frees a statement before the connection is
 *
 * No request of it may be in flight; false (and nothing done) while it is
 * being prepared.
 */
extern bool us_cql_conn_forget(UsCqlConn *conn, UsCqlStatement *statement);

extern const UsCqlFailure *us_cql_conn_failure(const UsCqlConn *conn);
extern void us_cql_conn_status(const UsCqlConn *conn, UsCqlConnStatus *status);

#endif							/* US_CQL_CONN_H */
