/*-------------------------------------------------------------------------
 * worker/cassandra.c
 *    a connection to a Cassandra cluster that comes back by itself
 *
 * Runs in mirror workers.  Sockets do not block, names are resolved elsewhere
 * and looked at while waiting, and every wait is one of the latch too.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "extension/compat.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "worker/cassandra.h"
#include "worker/cql/hosts.h"
#include "worker/host_lookup.h"
#include "worker/tls_socket.h"

#define LOOKUP_INTERVAL_MS	20	/* a name is looked at this often */
#define CONNECT_TIMEOUT_MS	10000	/* of a name, then of each of its addresses */
#define REQUEST_TIMEOUT_MS	65000	/* a TRUNCATE may take a minute; silence is seen earlier */

#define DATA_CENTER_QUERY	"SELECT data_center FROM system.local"

/*
 * What is set of a host on its way: lookup, then address and sock, then conn,
 * then ready.
 */
struct UsCassandra
{
	const UsCassandraServer *server;
	UsCqlHosts	hosts;
	int			host;			/* that is connected to, or tried; -1 = none */
	bool		old_version;	/* of this host: it did not take version 5 */
	int64		started_ms;		/* the lookup, or the try of this address */
	UsLookup   *lookup;
	const struct addrinfo *address; /* of the lookup's, that is connected to, or tried */
	UsSocket   *sock;
	UsCqlConn  *conn;			/* NULL until the socket is connected */
	UsCqlRequest data_center;	/* asked before it is ready */
	bool		ready;
	bool		refused_slow;	/* the connection was refused, for long */
	WaitEventSet *wait_set;		/* latch, postmaster, socket; NULL while there is no socket */
	int			wait_pos;
	uint32		wait_events;
	char		name[128];
	char		error[400];
};

static void start_address(UsCassandra *link);

int64_t
us_cassandra_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

UsCassandra *
us_cassandra_create(const UsCassandraServer *server)
{
	UsCassandra *link = palloc0(sizeof(UsCassandra));
	const char *error;

	link->server = server;
	link->host = -1;
	link->data_center.query = DATA_CENTER_QUERY;
	link->data_center.query_len = strlen(DATA_CENTER_QUERY);
	link->data_center.consistency = US_CQL_ONE;
	if (us_cql_hosts_parse(&link->hosts, server->hosts, NULL, (uint64_t) MyProcPid, &error)
		!= US_CQL_OK)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
				 errmsg("invalid value for option \"hosts\": %s", error)));
	return link;
}

static void
close_socket(UsCassandra *link)
{
	if (link->wait_set != NULL)
		FreeWaitEventSet(link->wait_set);
	link->wait_set = NULL;
	if (link->conn != NULL)
		us_cql_conn_free(link->conn);
	link->conn = NULL;
	us_socket_free(link->sock);
	link->sock = NULL;
	link->ready = false;
	link->refused_slow = false;
}

static void
close_host(UsCassandra *link)
{
	close_socket(link);
	us_lookup_free(link->lookup);
	link->lookup = NULL;
	link->address = NULL;
	link->host = -1;
	link->old_version = false;
}

void
us_cassandra_close(UsCassandra *link)
{
	close_host(link);
	us_cql_hosts_free(&link->hosts);
}

static void
set_error(UsCassandra *link, const char *why)
{
	snprintf(link->error, sizeof(link->error), "%s: %s", link->name, why);
}

/* of a slow failure only a person can mend the cause */
static void
give_up_host(UsCassandra *link, const char *why, bool slow)
{
	set_error(link, why);
	us_cql_hosts_failed(&link->hosts, link->host, us_cassandra_now(), slow);
	close_host(link);
}

/* a name may have several addresses, and the server not listen on all of them */
static void
give_up_address(UsCassandra *link, const char *why)
{
	close_socket(link);
	/* there is one while there is a socket: NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
	link->address = link->address->ai_next;
	if (link->address == NULL)
		give_up_host(link, why, false);
	else
		start_address(link);
}

static void
watch_socket(UsCassandra *link)
{
	link->wait_set = us_create_wait_event_set(3);
	AddWaitEventToSet(link->wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(link->wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	link->wait_events = WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE;
	link->wait_pos = AddWaitEventToSet(link->wait_set, link->wait_events,
									   us_socket_descriptor(link->sock), NULL, NULL);
}

static void
start_address(UsCassandra *link)
{
	char		error[256];

	link->started_ms = us_cassandra_now();
	link->sock = us_socket_connect(link->address, error, sizeof(error));
	if (link->sock == NULL)
		give_up_address(link, error);
	else
		watch_socket(link);
}

static void
start_host(UsCassandra *link)
{
	const UsCqlHost *host = &link->hosts.hosts[link->host];

	link->started_ms = us_cassandra_now();
	snprintf(link->name, sizeof(link->name), strchr(host->name, ':') ? "[%s]:%u" : "%s:%u",
			 host->name, host->port);
	link->lookup = us_lookup_start(host->name, host->port);
	if (link->lookup == NULL)
		give_up_host(link, "out of memory", false);
}

static void
look_at_lookup(UsCassandra *link)
{
	if (!us_lookup_done(link->lookup))
	{
		if (us_cassandra_now() - link->started_ms >= CONNECT_TIMEOUT_MS)
			give_up_host(link, "its name was not resolved in time", false);
		return;
	}
	link->address = us_lookup_addresses(link->lookup);
	if (link->address != NULL)
		start_address(link);
	else
		give_up_host(link, us_lookup_error(link->lookup), false);
}

static void
greet(UsCassandra *link)
{
	const UsCassandraServer *server = link->server;
	UsCqlConfig config = {
		.version = link->old_version ? 4 : server->protocol,
		.username = server->username,
		.password = server->password,
		.driver_name = "userstream",
		.request_timeout_ms = REQUEST_TIMEOUT_MS
	};

	if (server->tls && !us_socket_start_tls(link->sock, link->hosts.hosts[link->host].name,
											server->ca_file))
	{
		give_up_host(link, us_socket_error(link->sock), true);
		return;
	}
	link->conn = us_cql_conn_create(&config, us_cassandra_now());
	if (link->conn == NULL)
		give_up_host(link, "out of memory", false);
}

static void
finish_connecting(UsCassandra *link)
{
	char		error[256];

	if (us_socket_connected(link->sock))
		greet(link);
	else
	{
		/* the socket goes, and its text with it */
		strlcpy(error, us_socket_error(link->sock), sizeof(error));
		give_up_address(link, error);
	}
}

/* true = bytes went through */
static bool
take_result(UsCassandra *link, UsSocketResult result)
{
	switch (result)
	{
		case US_SOCKET_OK:
			return true;
		case US_SOCKET_AGAIN:
			break;
		case US_SOCKET_CLOSED:
			us_cql_conn_closed(link->conn, NULL);
			break;
		case US_SOCKET_FAILED:
			us_cql_conn_closed(link->conn, us_socket_error(link->sock));
			break;
	}
	return false;
}

static void
send_output(UsCassandra *link)
{
	const uint8_t *data;
	size_t		len;
	size_t		sent;

	while ((data = us_cql_conn_output(link->conn, &len)) != NULL &&
		   take_result(link, us_socket_write(link->sock, data, len, &sent)))
		us_cql_conn_sent(link->conn, sent);
}

/* once: what is received is looked at before there is room for more */
static void
receive_input(UsCassandra *link)
{
	size_t		room;
	size_t		got;
	uint8_t    *data = us_cql_conn_room(link->conn, &room);

	if (data != NULL && take_result(link, us_socket_read(link->sock, data, room, &got)))
		us_cql_conn_received(link->conn, got, us_cassandra_now());
}

void
us_cassandra_pump(UsCassandra *link)
{
	if (link->conn == NULL)
		return;
	send_output(link);
	receive_input(link);
}

/* returns how long there is nothing to do, in ms; -1 = as long as one likes */
static int64
advance(UsCassandra *link)
{
	int64		wait_ms = -1;

	if (link->host < 0)
	{
		link->host = us_cql_hosts_next(&link->hosts, us_cassandra_now(), &wait_ms);
		if (link->host < 0)
			return wait_ms;
		start_host(link);
	}
	if (link->lookup != NULL && link->address == NULL)
	{
		look_at_lookup(link);
		if (link->lookup != NULL && link->address == NULL)
			return LOOKUP_INTERVAL_MS;
	}
	if (link->sock != NULL && link->conn == NULL)
	{
		wait_ms = link->started_ms + CONNECT_TIMEOUT_MS - us_cassandra_now();
		if (wait_ms > 0)
			return wait_ms;
		give_up_address(link, "no connection in time");
	}
	return link->host < 0 || link->conn == NULL ? 0 : -1;
}

static void
wait_for_socket(UsCassandra *link, long timeout_ms, bool writable)
{
	WaitEvent	event;
	uint32		events = WL_SOCKET_READABLE | (writable ? WL_SOCKET_WRITEABLE : 0);

	if (events != link->wait_events)
		ModifyWaitEvent(link->wait_set, link->wait_pos, events, NULL);
	link->wait_events = events;
	if (WaitEventSetWait(link->wait_set, timeout_ms, &event, 1, PG_WAIT_EXTENSION) == 0)
		return;
	if (event.events & WL_LATCH_SET)
		ResetLatch(MyLatch);
	else if (link->conn == NULL)
		finish_connecting(link);
}

static bool
has_failed(const UsCassandra *link)
{
	return us_cql_conn_failure(link->conn)->kind != US_CQL_FAILURE_NONE;
}

void
us_cassandra_wait(UsCassandra *link, long timeout_ms)
{
	int64		wait_ms = advance(link);
	bool		writable = true;	/* when it is, it is connected */

	if (wait_ms >= 0)
		timeout_ms = (long) Min(timeout_ms, wait_ms);
	if (link->wait_set == NULL)
	{
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout_ms,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		return;
	}
	if (link->conn != NULL)
	{
		int64		deadline = us_cql_conn_deadline(link->conn);

		send_output(link);
		writable = us_socket_wants_write(link->sock);
		if (deadline != INT64_MAX)
			timeout_ms = (long) Min(timeout_ms, Max(deadline - us_cassandra_now(), 0));
		/* it failed while sending: there are events to be taken */
		if (has_failed(link))
			return;
		if (us_socket_has_pending(link->sock))
			timeout_ms = 0;
	}
	wait_for_socket(link, timeout_ms, writable);
	if (link->conn != NULL && !has_failed(link))
		receive_input(link);
}

/* the same host once more, in the older version of the protocol */
static bool
is_to_go_back(const UsCassandra *link)
{
	return us_cql_conn_failure(link->conn)->kind == US_CQL_FAILURE_VERSION && !link->old_version;
}

/* what is wrong, and what to set against it */
static void
explain_failure(const UsCassandra *link, char *text, size_t size)
{
	const UsCqlFailure *failure = us_cql_conn_failure(link->conn);
	const char *hint = "";
	UsCqlConnStatus status;

	us_cql_conn_status(link->conn, &status);
	if (failure->kind == US_CQL_FAILURE_CREDENTIALS)
		hint = " (username and password are options of the user mapping)";
	else if (status.version == 0 && !link->server->tls &&
			 (failure->kind == US_CQL_FAILURE_CLOSED || failure->kind == US_CQL_FAILURE_PROTOCOL))
		/* not a word was understood */
		hint = " (if the node wants TLS, set the option tls of the server)";
	snprintf(text, size, "%s%s", failure->text, hint);
}

/* the connection has told all that it had to tell */
static void
bury(UsCassandra *link)
{
	UsCqlFailureKind kind = us_cql_conn_failure(link->conn)->kind;
	char		text[350];

	if (is_to_go_back(link))
	{
		close_socket(link);
		link->old_version = true;
		start_address(link);
		return;
	}
	explain_failure(link, text, sizeof(text));
	give_up_host(link, text, link->refused_slow || kind == US_CQL_FAILURE_CREDENTIALS ||
				 kind == US_CQL_FAILURE_VERSION);
}

static void
ask_data_center(UsCassandra *link)
{
	if (us_cql_conn_send(link->conn, &link->data_center, us_cassandra_now()) != US_CQL_OK)
		us_cql_conn_closed(link->conn, "out of memory");
}

/* a node of another data center is not for us, however we came to it */
static bool
is_our_data_center(UsCassandra *link, const UsCqlEvent *event)
{
	UsCqlResponse *response = event->response;
	const char *ours = link->server->local_dc;
	UsCqlBytes	cell;
	char		why[256];

	if (event->kind != US_CQL_EVENT_ANSWER || response->opcode != US_CQL_RESULT ||
		response->kind != US_CQL_ROWS || response->nrows != 1 || response->result.ncolumns != 1 ||
		us_cql_next_row(response, &cell) != US_CQL_OK)
	{
		us_cql_conn_closed(link->conn, "the node does not tell its data center");
		return false;
	}
	if (cell.len == strlen(ours) && memcmp(cell.data, ours, cell.len) == 0)
		return true;
	snprintf(why, sizeof(why), "the node is in data center \"%.*s\", not \"%.80s\" (option local_dc)",
			 (int) Min(cell.len, 80), (const char *) cell.data, ours);
	us_cassandra_refuse(link, why, true);
	return false;
}

/* false = the event is ours alone */
static bool
note_event(UsCassandra *link, UsCqlEvent *event)
{
	char		text[350];

	if (event->kind == US_CQL_EVENT_FAILED)
	{
		link->ready = false;
		if (is_to_go_back(link))
			return true;
		/* it is to be seen from now on, though there are requests yet to be told as lost */
		explain_failure(link, text, sizeof(text));
		set_error(link, text);
	}
	else if (event->kind == US_CQL_EVENT_READY)
	{
		if (link->server->local_dc != NULL)
		{
			ask_data_center(link);
			return false;
		}
		link->ready = true;
	}
	else if (event->request == &link->data_center)
	{
		if (event->kind == US_CQL_EVENT_LOST || !is_our_data_center(link, event))
			return false;
		*event = (UsCqlEvent) {.kind = US_CQL_EVENT_READY};
		link->ready = true;
	}
	return true;
}

bool
us_cassandra_next(UsCassandra *link, UsCqlEvent *event)
{
	if (link->conn == NULL)
		return false;
	while (us_cql_conn_next(link->conn, us_cassandra_now(), event))
	{
		if (note_event(link, event))
			return true;
	}
	if (has_failed(link))
		bury(link);
	return false;
}

UsCqlConn *
us_cassandra_conn(UsCassandra *link)
{
	return link->ready ? link->conn : NULL;
}

void
us_cassandra_refuse(UsCassandra *link, const char *why, bool slow)
{
	if (link->conn == NULL)
		return;
	link->refused_slow = slow;
	us_cql_conn_closed(link->conn, why);
}

void
us_cassandra_succeeded(UsCassandra *link)
{
	if (link->host >= 0)
		us_cql_hosts_succeeded(&link->hosts, link->host);
}

const char *
us_cassandra_host(const UsCassandra *link)
{
	return link->ready ? link->name : NULL;
}

const char *
us_cassandra_error(const UsCassandra *link)
{
	return link->error;
}
