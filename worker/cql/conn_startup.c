/*-------------------------------------------------------------------------
 * worker/cql/conn_startup.c
 *    the greeting of a connection: OPTIONS, STARTUP, authentication
 *
 * A server of 4.0 and later answers OPTIONS without settling on a version,
 * and settles on that of STARTUP, so one connection does to find out.  One
 * step at a time: what follows STARTUP is in segments only once the server
 * has answered it.
 *-------------------------------------------------------------------------
 */
#include "worker/cql/conn_internal.h"

#define GREETING_STREAM	0		/* nothing else is in flight */

/* what some servers ask for instead of taking PLAIN's token at once */
static const char plain_start[] = "PLAIN-START";

void
us_cql_conn_start(UsCqlConn *conn, int64_t now_ms)
{
	conn->started_ms = now_ms;
	conn->received_ms = now_ms;
	conn->state = US_CQL_CONN_OPTIONS;
	/* any server of version 4 understands it, and 5 is not agreed yet */
	us_cql_write_options(&conn->pending, 4, GREETING_STREAM);
}

static void
check_written(UsCqlConn *conn)
{
	if (conn->pending.status != US_CQL_OK)
		us_cql_conn_fail(conn, US_CQL_FAILURE_MEMORY, us_cql_status_text(conn->pending.status),
						 NULL);
}

static void
send_startup(UsCqlConn *conn)
{
	bool		has_5 = us_cql_supports(&conn->response, "PROTOCOL_VERSIONS", "5/", "beta");

	if (conn->config.version == 5 && !has_5)
	{
		us_cql_conn_fail(conn, US_CQL_FAILURE_PROTOCOL,
						 "the server does not speak version 5 of the protocol", NULL);
		return;
	}
	conn->version = conn->config.version == 4 || !has_5 ? 4 : 5;
	conn->state = US_CQL_CONN_STARTUP;
	us_cql_write_startup(&conn->pending, conn->version, GREETING_STREAM,
						 conn->config.driver_name, conn->config.driver_version);
	check_written(conn);
}

static void
send_plain(UsCqlConn *conn)
{
	if (conn->username == NULL)
	{
		us_cql_conn_fail(conn, US_CQL_FAILURE_CREDENTIALS,
						 "the server wants a user and a password, and none are given", NULL);
		return;
	}
	conn->state = US_CQL_CONN_PLAIN;
	us_cql_write_plain(&conn->pending, conn->version, GREETING_STREAM, conn->username,
					   conn->password);
	check_written(conn);
}

static bool
become_ready(UsCqlConn *conn, int64_t now_ms, UsCqlEvent *event)
{
	conn->state = US_CQL_CONN_READY;
	conn->received_ms = now_ms;
	event->kind = US_CQL_EVENT_READY;
	return true;
}

/* the answer to STARTUP was the last outside of segments */
static void
begin_segments(UsCqlConn *conn)
{
	if (conn->version < 5)
		return;
	conn->segments = true;
	conn->framer.segments = true;
}

static void
take_error(UsCqlConn *conn)
{
	const UsCqlError *error = &conn->response.error;
	UsCqlRemedy remedy = us_cql_error_remedy(error->code);

	if (error->code == US_CQL_ERR_PROTOCOL && conn->state == US_CQL_CONN_STARTUP &&
		conn->version == 5 && conn->config.version == 0)
		us_cql_conn_fail(conn, US_CQL_FAILURE_VERSION,
						 "the server does not take version 5 of the protocol", error);
	else if (remedy == US_CQL_REMEDY_CREDENTIALS)
		us_cql_conn_fail(conn, US_CQL_FAILURE_CREDENTIALS,
						 "the server refused user and password", error);
	else if (remedy == US_CQL_REMEDY_RIGHTS)
		us_cql_conn_fail(conn, US_CQL_FAILURE_CREDENTIALS, "the server refused the user", error);
	else if (remedy == US_CQL_REMEDY_RECONNECT)
		us_cql_conn_fail(conn, US_CQL_FAILURE_PROTOCOL, "the server refused the greeting", error);
	else
		us_cql_conn_fail(conn, US_CQL_FAILURE_SERVER, "the server refused the connection", error);
}

static void
take_challenge(UsCqlConn *conn)
{
	UsCqlBytes	token = conn->response.token;

	if (token.len == sizeof(plain_start) - 1 && memcmp(token.data, plain_start, token.len) == 0)
		send_plain(conn);
	else
		us_cql_conn_fail(conn, US_CQL_FAILURE_CREDENTIALS,
						 "the server wants another authentication than by password", NULL);
}

bool
us_cql_conn_greet(UsCqlConn *conn, const UsCqlEnvelope *envelope, int64_t now_ms,
				  UsCqlEvent *event)
{
	/* before a version is agreed the server may answer in any that it has */
	int			version = conn->version != 0 ? conn->version : 4;
	UsCqlStatus status = us_cql_read_response(envelope, version, &conn->arena, &conn->response);
	UsCqlConnState state = conn->state;

	if (status != US_CQL_OK)
	{
		us_cql_conn_fail(conn, status == US_CQL_NO_MEMORY ? US_CQL_FAILURE_MEMORY :
						 US_CQL_FAILURE_PROTOCOL, "malformed answer to the greeting", NULL);
		return false;
	}
	switch (envelope->opcode)
	{
		case US_CQL_SUPPORTED:
			if (state != US_CQL_CONN_OPTIONS)
				break;
			send_startup(conn);
			return false;
		case US_CQL_READY:
			if (state != US_CQL_CONN_STARTUP)
				break;
			begin_segments(conn);
			return become_ready(conn, now_ms, event);
		case US_CQL_AUTHENTICATE:
			if (state != US_CQL_CONN_STARTUP)
				break;
			begin_segments(conn);
			send_plain(conn);
			return false;
		case US_CQL_AUTH_CHALLENGE:
			if (state != US_CQL_CONN_PLAIN)
				break;
			take_challenge(conn);
			return false;
		case US_CQL_AUTH_SUCCESS:
			if (state != US_CQL_CONN_PLAIN)
				break;
			return become_ready(conn, now_ms, event);
		case US_CQL_ERROR:
			take_error(conn);
			return false;
		default:
			break;
	}
	us_cql_conn_fail(conn, US_CQL_FAILURE_PROTOCOL, "unexpected answer to the greeting", NULL);
	return false;
}
