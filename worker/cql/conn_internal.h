/*-------------------------------------------------------------------------
 * worker/cql/conn_internal.h
 *    what the parts of a connection share: conn.c and conn_*.c
 *-------------------------------------------------------------------------
 */
#ifndef US_CQL_CONN_INTERNAL_H
#define US_CQL_CONN_INTERNAL_H

#include "worker/cql/conn.h"

typedef enum UsCqlConnState
{
	US_CQL_CONN_OPTIONS,		/* OPTIONS sent */
	US_CQL_CONN_STARTUP,		/* STARTUP sent */
	US_CQL_CONN_PLAIN,			/* AUTH_RESPONSE sent */
	US_CQL_CONN_READY,
	US_CQL_CONN_FAILED,			/* and it has not been told yet */
	US_CQL_CONN_DEAD			/* and it has been told */
} UsCqlConnState;

typedef enum UsCqlStreamState
{
	US_CQL_STREAM_FREE = 0,
	US_CQL_STREAM_OURS,			/* greeting, heartbeat */
	US_CQL_STREAM_PREPARE,		/* of statement */
	US_CQL_STREAM_REQUEST,		/* of the caller, in flight */
	US_CQL_STREAM_WAITING,		/* of the caller, until its statement is prepared again */
	US_CQL_STREAM_ORPHAN		/* timed out; the answer may still come */
} UsCqlStreamState;

/* one stream id: its index; taken ones are in a list, the oldest first */
typedef struct UsCqlStream
{
	UsCqlStreamState state;
	int			older;			/* index; -1 = none.  Free: the next free one */
	int			newer;			/* index; -1 = none */
	int64_t		sent_ms;
	UsCqlRequest *request;
	UsCqlStatement *statement;
} UsCqlStream;

struct UsCqlConn
{
	UsCqlMemory memory;
	UsCqlConfig config;			/* defaults filled in */
	char	   *username;		/* copies; NULL = none */
	char	   *password;
	UsCqlConnState state;
	UsCqlFailure failure;
	int			version;		/* 4, 5; 0 = not agreed yet */

	int64_t		started_ms;
	int64_t		received_ms;	/* last bytes */
	int64_t		heartbeat_ms;	/* sent and not answered; -1 = none is */

	/* out: 0 .. out_done -- sent | out_done .. out.len -- to be sent */
	UsCqlWriter pending;		/* whole envelopes, not in segments yet */
	UsCqlWriter out;
	size_t		out_done;
	bool		segments;		/* what leaves from now on is in segments */

	UsCqlFramer framer;
	UsCqlArena	arena;			/* of response */
	UsCqlResponse response;

	UsCqlStream *streams;		/* nstreams of them */
	int			nstreams;
	int			free_stream;	/* index; -1 = none */
	int			oldest;			/* index; -1 = none is taken */
	int			newest;
	int			in_flight;
	int			orphans;
	uint64_t	late;
	uint64_t	prepares;
	uint64_t	received_bytes;
	uint64_t	sent_bytes;

	UsCqlStatement *statements;

	/*
	 * Requests that waited for this statement in vain are told one by one: with
	 * the error in response, or as stale.
	 */
	UsCqlStatement *in_vain;
	bool		in_vain_stale;
};

/* ends the connection, unless it has ended already; message = the server's, or null */
extern void us_cql_conn_fail(UsCqlConn *conn, UsCqlFailureKind kind, const char *text,
							 const UsCqlError *error);

/* an answer to our greeting; true = event is to be told */
extern bool us_cql_conn_greet(UsCqlConn *conn, const UsCqlEnvelope *envelope, int64_t now_ms,
							  UsCqlEvent *event);

/* writes the first OPTIONS */
extern void us_cql_conn_start(UsCqlConn *conn, int64_t now_ms);

/* no stream id is taken; false = no memory */
extern bool us_cql_streams_create(UsCqlConn *conn);

/* OPTIONS, if a stream id is free */
extern void us_cql_stream_heartbeat(UsCqlConn *conn, int64_t now_ms);

/* the caller has seen that one is free */
extern UsCqlStream *us_cql_stream_take(UsCqlConn *conn, UsCqlStreamState state, int64_t now_ms);
extern void us_cql_stream_release(UsCqlConn *conn, UsCqlStream *stream);

/* the request of a stream, again or for the first time; on an error nothing is written */
extern UsCqlStatus us_cql_stream_write(UsCqlConn *conn, UsCqlStream *stream);

/* what was written to pending since mark stays, or is taken back */
extern UsCqlStatus us_cql_stream_end_write(UsCqlConn *conn, size_t mark);

/* an answer that cannot be read ends the connection */
extern void us_cql_conn_fail_reading(UsCqlConn *conn, UsCqlStatus status);

/* frees what a statement points to, and itself */
extern void us_cql_statement_free(UsCqlConn *conn, UsCqlStatement *statement);

/* an answer when READY; true = event is to be told */
extern bool us_cql_stream_answer(UsCqlConn *conn, const UsCqlEnvelope *envelope, int64_t now_ms,
								 UsCqlEvent *event);

/* the answer to PREPARE; true = event is to be told */
extern bool us_cql_statement_answer(UsCqlConn *conn, UsCqlStream *stream,
									const UsCqlEnvelope *envelope, UsCqlEvent *event);

/*
 * us_cql_statement_again -- the server does not know the statement of this request (any more)
 *
 * True = the request goes on; false = its answer is the error.
 */
extern bool us_cql_statement_again(UsCqlConn *conn, UsCqlStream *stream, int64_t now_ms);

/*
 * us_cql_statement_rows -- rows get the metadata that they came without
 *
 * They have that of the statement, unless this has changed since the request
 * was sent: then nobody knows what they are (*stale).  False = the connection
 * has failed.
 */
extern bool us_cql_statement_rows(UsCqlConn *conn, const UsCqlRequest *request,
								  const UsCqlEnvelope *envelope, bool *stale);

/* the next request that waited in vain; true = event is to be told */
extern bool us_cql_statement_in_vain(UsCqlConn *conn, UsCqlEvent *event);

/* the oldest, if its time is over; true = event is to be told */
extern bool us_cql_stream_timeout(UsCqlConn *conn, int64_t now_ms, UsCqlEvent *event);

/* after FAILED: the next request that is lost; true = event is to be told */
extern bool us_cql_stream_lost(UsCqlConn *conn, UsCqlEvent *event);

#endif							/* US_CQL_CONN_INTERNAL_H */
