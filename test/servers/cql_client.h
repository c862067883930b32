/*-------------------------------------------------------------------------
 * test/servers/cql_client.h
 *    a socket around the CQL client, for tools that wait
 *
 * Any failure ends the program with a message: what these tools test is told
 * by answers.
 *-------------------------------------------------------------------------
 */
#ifndef US_TEST_CQL_CLIENT_H
#define US_TEST_CQL_CLIENT_H

#include "worker/cql/conn.h"
#include "worker/cql/value.h"
#include "worker/tls_socket.h"

typedef struct CqlClient
{
	UsSocket   *sock;
	UsCqlConn  *conn;
} CqlClient;

/* milliseconds of a clock that does not jump back */
extern int64_t cql_now(void);

/*
 * Connects to "host:port".  version: 4, 5, 0 = the best; connects again with 4
 * when the server does not take 5.  ca_file: TLS, and whom to trust; NULL:
 * none.  Tries for so many seconds while the server is not there or refuses
 * the password.
 */
extern CqlClient cql_connect(const char *address, const UsCqlConfig *config, const char *ca_file,
							 int seconds);

extern void cql_close(CqlClient *client);

/* sends what is there and waits for one event; READY is among them */
extern UsCqlEvent cql_wait(CqlClient *client);

/* one request and its answer; the response lives until the next call */
extern UsCqlResponse *cql_ask(CqlClient *client, UsCqlRequest *request);

/* a statement by its text; an ERROR is an answer like any other */
extern UsCqlResponse *cql_query(CqlClient *client, const char *query);

/* a prepared statement; ends the program when it is refused */
extern UsCqlStatement *cql_prepare(CqlClient *client, const char *query);

#endif							/* US_TEST_CQL_CLIENT_H */
