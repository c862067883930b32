/*-------------------------------------------------------------------------
 * worker/cassandra.h
 *    a connection to a Cassandra cluster that comes back by itself
 *
 * The bridge between the CQL client, which knows no socket, and the worker's
 * WaitEventSet: one node at a time, the next one when it fails, for ever.
 *
 *    loop:
 *        while us_cassandra_next(link, &event): handle it
 *        us_cql_conn_send(us_cassandra_conn(link), ...)
 *        us_cassandra_wait(link, timeout_ms)
 *-------------------------------------------------------------------------
 */
#ifndef US_CASSANDRA_H
#define US_CASSANDRA_H

#include "extension/server_cassandra.h"
#include "worker/cql/conn.h"

typedef struct UsCassandra UsCassandra;

/*
 * us_cassandra_create -- nothing is connected yet
 *
 * In:      server   its strings must live as long.  With local_dc, READY comes only of nodes
 *                   of that data center
 * What is made is in CurrentMemoryContext, sockets and the client's memory beside it.
 */
extern UsCassandra *us_cassandra_create(const UsCassandraServer *server);

/* at the end of the process too */
extern void us_cassandra_close(UsCassandra *link);

/*
 * us_cassandra_next -- what happened next; false = nothing more for now
 *
 * Events of the client.  After FAILED and its LOST the next node is tried;
 * statements of the old connection are gone then.
 */
extern bool us_cassandra_next(UsCassandra *link, UsCqlEvent *event);

/*
 * us_cassandra_wait -- send, and wait for the socket, the latch or the time
 *
 * Connects when it is time to.  Resets the latch.
 */
extern void us_cassandra_wait(UsCassandra *link, long timeout_ms);

/* send what there is, receive what is there; no waiting */
extern void us_cassandra_pump(UsCassandra *link);

/* the ready connection; NULL = there is none now */
extern UsCqlConn *us_cassandra_conn(UsCassandra *link);

/* the caller found the node of no use: as if the connection broke; slow: for long */
extern void us_cassandra_refuse(UsCassandra *link, const char *why, bool slow);

/* a request succeeded: this node is good */
extern void us_cassandra_succeeded(UsCassandra *link);

/* host:port of the connection; NULL = none */
extern const char *us_cassandra_host(const UsCassandra *link);

/* why there is none; empty = not tried yet */
extern const char *us_cassandra_error(const UsCassandra *link);

/* milliseconds of a clock that does not jump back */
extern int64_t us_cassandra_now(void);

#endif							/* US_CASSANDRA_H */
