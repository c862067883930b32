/*-------------------------------------------------------------------------
 * test/servers/cql_client.c
 *    a blocking socket around the CQL client, for tools
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "test/servers/cql_client.h"
#include "worker/cql/hosts.h"

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

static int
open_socket(const UsCqlHost *host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	struct addrinfo *addresses;
	char		port[8];
	int			fd = -1;

	snprintf(port, sizeof(port), "%u", host->port);
	if (getaddrinfo(host->name, port, &hints, &addresses) != 0)
		fail(host->name, "is not known");
	for (struct addrinfo *at = addresses; at != NULL && fd < 0; at = at->ai_next)
	{
		fd = socket(at->ai_family, at->ai_socktype, 0);
		if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) != 0)
		{
			close(fd);
			fd = -1;
		}
	}
	freeaddrinfo(addresses);
	return fd;
}

static void
send_output(CqlClient *client)
{
	size_t		len;
	const uint8_t *data;

	while ((data = us_cql_conn_output(client->conn, &len)) != NULL)
	{
		ssize_t		sent = send(client->fd, data, len, MSG_NOSIGNAL);

		if (sent < 0)
		{
			us_cql_conn_closed(client->conn, strerror(errno));
			return;
		}
		us_cql_conn_sent(client->conn, (size_t) sent);
	}
}

static void
receive_input(CqlClient *client)
{
	struct pollfd wanted = {.fd = client->fd, .events = POLLIN};
	int64_t		wait = us_cql_conn_deadline(client->conn) - cql_now();
	size_t		room;
	uint8_t    *data;
	ssize_t		got;

	if (wait < 0)
		wait = 0;
	if (poll(&wanted, 1, wait > 1000 ? 1000 : (int) wait) <= 0)
		return;
	data = us_cql_conn_room(client->conn, &room);
	if (data == NULL)
		return;
	got = recv(client->fd, data, room, 0);
	if (got <= 0)
		us_cql_conn_closed(client->conn, got == 0 ? NULL : strerror(errno));
	else
		us_cql_conn_received(client->conn, (size_t) got, cql_now());
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
	close(client->fd);
}

CqlClient
cql_connect(const char *address, const UsCqlConfig *config, int seconds)
{
	static const struct timespec ms100 = {0, 100 * 1000 * 1000};
	UsCqlConfig ours = *config;
	UsCqlHosts	hosts;
	const char *error;
	int64_t		end = cql_now() + seconds * 1000;
	char		why[300] = "no answer";

	if (us_cql_hosts_parse(&hosts, address, NULL, (uint64_t) getpid(), &error) != US_CQL_OK)
		fail(address, error);
	do
	{
		CqlClient	client = {open_socket(&hosts.hosts[0]), NULL};

		if (client.fd < 0)
			snprintf(why, sizeof(why), "%s", strerror(errno));
		else
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
