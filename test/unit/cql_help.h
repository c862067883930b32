/*-------------------------------------------------------------------------
 * test/unit/cql_help.h
 *    bytes by their hexadecimal, memory that can fail, a server that is made up
 *-------------------------------------------------------------------------
 */
#ifndef US_TEST_CQL_HELP_H
#define US_TEST_CQL_HELP_H

#include "test/unit/tap.h"
#include "worker/cql/conn.h"
#include "worker/cql/value.h"

/* memory that counts, and fails from a chosen request on */
typedef struct CqlMemory
{
	long		live;			/* allocations that are not freed */
	long		calls;			/* requests for memory so far */
	long		fail_at;		/* fails the request of this number and later ones; -1 = never */
	bool		once;			/* fails only that one */
} CqlMemory;

extern UsCqlMemory cql_memory(CqlMemory *memory);

/* bytes of "0a0B 0c"; blanks are skipped; one of a few static buffers of 64 kB */
extern UsCqlBytes cql_hex(const char *hex);

/* one result: the writer holds just these bytes and has no error; it is reset */
extern bool cql_is_bytes(UsCqlWriter *writer, const char *hex, const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* one result: text (bytes) is this string */
extern bool cql_is_text(UsCqlBytes got, const char *expected, const char *format,...)
			__attribute__((format(printf, 3, 4)));

extern UsCqlBytes cql_bytes(const char *text);

/* a server: what it will send, in the form of its version */
typedef struct CqlServer
{
	UsCqlWriter out;			/* bytes to come */
	int			version;		/* of its headers */
	bool		segments;		/* since the answer to STARTUP */
} CqlServer;

/* an answer with these bytes as its body, into server->out */
extern void cql_answer(CqlServer *server, int stream, UsCqlOpcode opcode, uint8_t flags,
					   UsCqlBytes body);
extern void cql_answer_hex(CqlServer *server, int stream, UsCqlOpcode opcode, uint8_t flags,
						   const char *hex);

/* an ERROR with a message, and more bytes after it */
extern void cql_answer_error(CqlServer *server, int stream, int32_t code, const char *message,
							 const char *more_hex);

/* all that server->out has goes into the connection, in portions of so many bytes */
extern void cql_deliver(CqlServer *server, UsCqlConn *conn, size_t portion, int64_t now_ms);

/*
 * A connection that is ready, greeted by this server (no password); NULL when
 * it does not come to that.  config may be NULL.
 */
extern UsCqlConn *cql_connected(CqlServer *server, const UsCqlConfig *config, int version);

/* takes the output as bytes sent; from segments the envelopes alone; one static buffer */
extern UsCqlBytes cql_sent(UsCqlConn *conn, bool segments);

extern void cql_server_free(CqlServer *server);

/* the next event's kind */
extern UsCqlEventKind cql_next(UsCqlConn *conn, int64_t now_ms, UsCqlEvent *event);

#define CQL_SUPPORTED \
	"0002 0011 50524f544f434f4c5f56455253494f4e53 0004 0004 332f7633 0004 342f7634 0004 352f7635" \
	" 0009 362f76362d62657461 000b 43514c5f56455253494f4e 0001 0005 332e342e37"

#endif							/* US_TEST_CQL_HELP_H */
