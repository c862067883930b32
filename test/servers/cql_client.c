/*-------------------------------------------------------------------------
 * test/servers/cql_client.c
 *    a socket around the CQL client, for tools that wait
 *-------------------------------------------------------------------------
 */
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "test/servers/cql_client.h"
#include "worker/cql/hosts.h"

#define PATIENCE_MS		120000

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "cql: %s: %s\n", what, why);
	exit(1);
}

int64_t
cql_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* waits for the socket, at most a second */
static void
wait_for_socket(CqlClient *client, int64_t wait_ms, bool writable)
{
	struct pollfd wanted = {
		.fd = us_socket_descriptor(client->sock),
		.events = (short) (POLLIN | (writable ? POLLOUT : 0))
	};

	if (us_socket_has_pending(client->sock) || wait_ms < 0)
		wait_ms = 0;
	(void) poll(&wanted, 1, wait_ms > 1000 ? 1000 : (int) wait_ms);
}

/* NULL = why says why */
static UsSocket *
open_socket(const UsCqlHost *host, const char *ca_file, char *why, size_t size)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *addresses;
	char		port[8];
	UsSocket   *sock = NULL;

	snprintf(port, sizeof(port), "%u", host->port);
	if (getaddrinfo(host->name, port, &hints, &addresses) != 0)
		fail(host->name, "is not known");
	for (struct addrinfo *at = addresses; at != NULL && sock == NULL; at = at->ai_next)
	{
		struct pollfd wanted = {.events = POLLOUT};

		sock = us_socket_connect(at, why, size);
		if (sock == NULL)
			continue;
		wanted.fd = us_socket_descriptor(sock);
		(void) poll(&wanted, 1, -1);
		if (us_socket_connected(sock) &&
			(ca_file == NULL || us_socket_start_tls(sock, host->name, ca_file)))
			continue;
		snprintf(why, size, "%s", us_socket_error(sock));
		us_socket_free(sock);
		sock = NULL;
	}
	freeaddrinfo(addresses);
	return sock;
}

/* true = bytes went through */
static bool
take_result(CqlClient *client, UsSocketResult result)
{
	if (result == US_SOCKET_CLOSED)
		us_cql_conn_closed(client->conn, NULL);
	else if (result == US_SOCKET_FAILED)
		us_cql_conn_closed(client->conn, us_socket_error(client->sock));
	return result == US_SOCKET_OK;
}

static void
send_output(CqlClient *client)
{
	size_t		len;
	size_t		sent;
	const uint8_t *data;

	while ((data = us_cql_conn_output(client->conn, &len)) != NULL &&
		   take_result(client, us_socket_write(client->sock, data, len, &sent)))
		us_cql_conn_sent(client->conn, sent);
}

static void
receive_input(CqlClient *client)
{
	size_t		room;
	size_t		got;
	uint8_t    *data;

	wait_for_socket(client, us_cql_conn_deadline(client->conn) - cql_now(),
					us_socket_wants_write(client->sock));
	data = us_cql_conn_room(client->conn, &room);
	if (data != NULL && take_result(client, us_socket_read(client->sock, data, room, &got)))
		us_cql_conn_received(client->conn, got, cql_now());
}

UsCqlEvent
cql_wait(CqlClient *client)
{
	UsCqlEvent	event;

	while (!us_cql_conn_next(client->conn, cql_now(), &event))
	{
		send_output(client);
		if (us_cql_conn_failure(client->conn)->kind == US_CQL_FAILURE_NONE)
			receive_input(client);
	}
	return event;
}

void
cql_close(CqlClient *client)
{
	us_cql_conn_free(client->conn);
	us_socket_free(client->sock);
}

CqlClient
cql_connect(const char *address, const UsCqlConfig *config, const char *ca_file, int seconds)
{
	static const struct timespec ms100 = {0, 100 * 1000 * 1000};
	UsCqlConfig ours = *config;
	UsCqlHosts	hosts;
	const char *error;
	int64_t		end = cql_now() + seconds * 1000;
	char		why[300] = "no answer";

	/* a node that shares its machine with a whole run of tests takes its time */
	ours.request_timeout_ms = PATIENCE_MS;
	ours.heartbeat_timeout_ms = PATIENCE_MS;
	if (us_cql_hosts_parse(&hosts, address, NULL, (uint64_t) getpid(), &error) != US_CQL_OK)
		fail(address, error);
	do
	{
		CqlClient	client = {open_socket(&hosts.hosts[0], ca_file, why, sizeof(why)), NULL};

		if (client.sock != NULL)
		{
			client.conn = us_cql_conn_create(&ours, cql_now());
			if (client.conn == NULL)
				fail(address, "out of memory");
			if (cql_wait(&client).kind == US_CQL_EVENT_READY)
			{
				us_cql_hosts_free(&hosts);
				return client;
			}
			snprintf(why, sizeof(why), "%s", us_cql_conn_failure(client.conn)->text);
			if (us_cql_conn_failure(client.conn)->kind == US_CQL_FAILURE_VERSION)
				ours.version = 4;
			cql_close(&client);
		}
		nanosleep(&ms100, NULL);
	} while (cql_now() < end);
	fail(address, why);
	exit(1);
}

UsCqlResponse *
cql_ask(CqlClient *client, UsCqlRequest *request)
{
	UsCqlStatus status = us_cql_conn_send(client->conn, request, cql_now());
	UsCqlEvent	event;

	if (status != US_CQL_OK)
		fail("request", us_cql_status_text(status));
	do
		event = cql_wait(client);
	while (event.request != request && event.kind != US_CQL_EVENT_FAILED);
	if (event.kind == US_CQL_EVENT_FAILED)
		fail("connection", us_cql_conn_failure(client->conn)->text);
	if (event.kind != US_CQL_EVENT_ANSWER)
		fail("request", event.kind == US_CQL_EVENT_STALE ? "stale" : "no answer in time");
	return event.response;
}

UsCqlResponse *
cql_query(CqlClient *client, const char *query)
{
	UsCqlRequest request = {.query = query, .query_len = strlen(query), .consistency = US_CQL_ONE};

	return cql_ask(client, &request);
}

UsCqlStatement *
cql_prepare(CqlClient *client, const char *query)
{
	UsCqlStatement *statement;
	UsCqlStatus status = us_cql_conn_prepare(client->conn, query, strlen(query), NULL, cql_now(),
											 &statement);
	UsCqlEvent	event;

	if (status != US_CQL_OK)
		fail(query, us_cql_status_text(status));
	do
		event = cql_wait(client);
	while (event.statement != statement && event.kind != US_CQL_EVENT_FAILED);
	if (event.kind == US_CQL_EVENT_FAILED)
		fail(query, us_cql_conn_failure(client->conn)->text);
	if (!statement->prepared)
	{
		fprintf(stderr, "cql: %.*s\n", (int) event.response->error.message.len,
				event.response->error.message.data);
		exit(1);
	}
	return statement;
}
