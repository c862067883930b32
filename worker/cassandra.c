/*-------------------------------------------------------------------------
 * worker/cassandra.c
 *    a connection to a Cassandra cluster that comes back by itself
 *
 * Runs in mirror workers.  Sockets do not block, names are resolved by
 * glibc's own thread and looked at while waiting, and every wait is one of
 * the latch too.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "extension/compat.h"
#include "libpq/pqsignal.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/memutils.h"
#include "worker/cassandra.h"
#include "worker/cql/hosts.h"
#include "worker/tls_socket.h"

#define RESOLVE_INTERVAL_MS	20	/* a name is looked at this often */
#define CONNECT_TIMEOUT_MS	10000
#define REQUEST_TIMEOUT_MS	65000	/* a TRUNCATE may take a minute; silence is seen earlier */

/* memory of glibc's thread: never freed while it works */
typedef struct Lookup
{
	struct gaicb request;
	struct addrinfo hints;
	char	   *name;
	char		port[8];
} Lookup;

struct UsCassandra
{
	const UsCassandraServer *server;
	UsCqlHosts	hosts;
	int			host;			/* that is connected to, or tried; -1 = none */
	bool		old_version;	/* of this host: it did not take version 5 */
	Lookup	   *lookup;			/* under way */
	int64		started_ms;		/* the try of this host */
	int			fd;				/* -1 = none */
	bool		connecting;		/* the socket is not connected yet */
	UsTls	   *tls;
	UsCqlConn  *conn;			/* NULL until the socket is connected */
	bool		ready;
	bool		refused_slow;	/* the caller refused it, for long */
	WaitEventSet *wait_set;		/* latch, postmaster, socket; NULL while there is no socket */
	int			wait_pos;
	uint32		wait_events;
	char		name[128];
	char		error[400];
};

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
	link->fd = -1;
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
	us_tls_free(link->tls);
	link->tls = NULL;
	if (link->conn != NULL)
		us_cql_conn_free(link->conn);
	link->conn = NULL;
	if (link->fd >= 0)
		close(link->fd);
	link->fd = -1;
	link->ready = false;
	link->connecting = false;
}

void
us_cassandra_close(UsCassandra *link)
{
	close_socket(link);
	us_cql_hosts_free(&link->hosts);
}

/* of a slow failure only a person can mend the cause */
static void
give_up_host(UsCassandra *link, const char *why, bool slow)
{
	snprintf(link->error, sizeof(link->error), "%s:%u: %s",
			 link->hosts.hosts[link->host].name, link->hosts.hosts[link->host].port, why);
	close_socket(link);
	us_cql_hosts_failed(&link->hosts, link->host, us_cassandra_now(), slow);
	link->host = -1;
	link->old_version = false;
}

static void
watch_socket(UsCassandra *link)
{
	link->wait_set = us_create_wait_event_set(3);
	AddWaitEventToSet(link->wait_set, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
	AddWaitEventToSet(link->wait_set, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
	link->wait_events = WL_SOCKET_READABLE | WL_SOCKET_WRITEABLE;
	link->wait_pos = AddWaitEventToSet(link->wait_set, link->wait_events, link->fd, NULL, NULL);
}

static void
open_socket(UsCassandra *link, const struct addrinfo *address)
{
	int			on = 1;

	link->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (link->fd < 0)
	{
		give_up_host(link, strerror(errno), false);
		return;
	}
	(void) setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void) setsockopt(link->fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (connect(link->fd, address->ai_addr, address->ai_addrlen) != 0 && errno != EINPROGRESS)
	{
		give_up_host(link, strerror(errno), false);
		return;
	}
	link->connecting = true;
	watch_socket(link);
}

/* the thread that glibc starts must not take signals that are the process's */
static void
start_lookup(UsCassandra *link, const UsCqlHost *host)
{
	Lookup	   *lookup = calloc(1, sizeof(Lookup));
	struct gaicb *list[1];
	sigset_t	all;
	sigset_t	before;
	int			result;

	if (lookup == NULL)
		ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("out of memory")));
	lookup->name = strdup(host->name);
	snprintf(lookup->port, sizeof(lookup->port), "%u", host->port);
	lookup->hints.ai_socktype = SOCK_STREAM;
	lookup->request.ar_name = lookup->name;
	lookup->request.ar_service = lookup->port;
	lookup->request.ar_request = &lookup->hints;
	list[0] = &lookup->request;
	sigfillset(&all);
	(void) pthread_sigmask(SIG_SETMASK, &all, &before);
	result = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
	(void) pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result != 0)
		give_up_host(link, gai_strerror(result), false);
	else
		link->lookup = lookup;
}

/* one that is not done in time is left to its thread, memory and all */
static void
look_at_lookup(UsCassandra *link)
{
	Lookup	   *lookup = link->lookup;
	int			result = gai_error(&lookup->request);

	if (result == EAI_INPROGRESS)
	{
		if (us_cassandra_now() - link->started_ms < CONNECT_TIMEOUT_MS)
			return;
		link->lookup = NULL;
		give_up_host(link, "its name was not resolved in time", false);
		return;
	}
	link->lookup = NULL;
	if (result != 0)
		give_up_host(link, gai_strerror(result), false);
	else
		open_socket(link, lookup->request.ar_result);
	if (lookup->request.ar_result != NULL)
		freeaddrinfo(lookup->request.ar_result);
	free(lookup->name);
	free(lookup);
}

static void
start_host(UsCassandra *link)
{
	const UsCqlHost *host = &link->hosts.hosts[link->host];
	struct addrinfo hints = {
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
	};
	struct addrinfo *address;
	char		port[8];

	link->started_ms = us_cassandra_now();
	snprintf(port, sizeof(port), "%u", host->port);
	snprintf(link->name, sizeof(link->name), strchr(host->name, ':') ? "[%s]:%u" : "%s:%u",
			 host->name, host->port);
	if (getaddrinfo(host->name, port, &hints, &address) != 0)
	{
		start_lookup(link, host);
		return;
	}
	open_socket(link, address);
	freeaddrinfo(address);
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
	char		error[256];

	if (server->tls)
	{
		link->tls = us_tls_create(link->fd, link->hosts.hosts[link->host].name, server->ca_file,
								  error, sizeof(error));
		if (link->tls == NULL)
		{
			give_up_host(link, error, true);
			return;
		}
	}
	link->conn = us_cql_conn_create(&config, us_cassandra_now());
	if (link->conn == NULL)
		give_up_host(link, "out of memory", false);
}

static void
finish_connecting(UsCassandra *link)
{
	int			error = 0;
	socklen_t	len = sizeof(error);

	if (getsockopt(link->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		error = errno;
	if (error != 0)
	{
		give_up_host(link, strerror(error), false);
		return;
	}
	link->connecting = false;
	greet(link);
}

/* -1 = not now; else as send and recv, 0 = closed */
static ssize_t
write_socket(UsCassandra *link, const uint8_t *data, size_t len)
{
	size_t		sent = 0;
	ssize_t		result;

	if (link->tls != NULL)
	{
		switch (us_tls_write(link->tls, data, len, &sent))
		{
			case US_TLS_OK:
				return (ssize_t) sent;
			case US_TLS_AGAIN:
				return -1;
			case US_TLS_CLOSED:
				us_cql_conn_closed(link->conn, NULL);
				return 0;
			case US_TLS_FAILED:
				us_cql_conn_closed(link->conn, us_tls_error(link->tls));
				return 0;
		}
	}
	result = send(link->fd, data, len, MSG_NOSIGNAL);
	if (result > 0)
		return result;
	if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return -1;
	us_cql_conn_closed(link->conn, strerror(errno));
	return 0;
}

static ssize_t
read_socket(UsCassandra *link, uint8_t *data, size_t room)
{
	size_t		got = 0;
	ssize_t		result;

	if (link->tls != NULL)
	{
		switch (us_tls_read(link->tls, data, room, &got))
		{
			case US_TLS_OK:
				return (ssize_t) got;
			case US_TLS_AGAIN:
				return -1;
			case US_TLS_CLOSED:
				us_cql_conn_closed(link->conn, NULL);
				return 0;
			case US_TLS_FAILED:
				us_cql_conn_closed(link->conn, us_tls_error(link->tls));
				return 0;
		}
	}
	result = recv(link->fd, data, room, 0);
	if (result > 0)
		return result;
	if (result < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return -1;
	us_cql_conn_closed(link->conn, result == 0 ? NULL : strerror(errno));
	return 0;
}

/* true while there is something that the socket does not take */
static bool
send_output(UsCassandra *link)
{
	const uint8_t *data;
	size_t		len;

	while ((data = us_cql_conn_output(link->conn, &len)) != NULL)
	{
		ssize_t		sent = write_socket(link, data, len);

		if (sent < 0)
			return true;
		if (sent == 0)
			return false;
		us_cql_conn_sent(link->conn, (size_t) sent);
	}
	return false;
}

/* once: what is received is looked at before there is room for more */
static void
receive_input(UsCassandra *link)
{
	size_t		room;
	uint8_t    *data = us_cql_conn_room(link->conn, &room);
	ssize_t		got;

	if (data == NULL)
		return;
	got = read_socket(link, data, room);
	if (got > 0)
		us_cql_conn_received(link->conn, (size_t) got, us_cassandra_now());
}

void
us_cassandra_pump(UsCassandra *link)
{
	if (link->conn == NULL)
		return;
	(void) send_output(link);
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
	if (link->lookup != NULL)
	{
		look_at_lookup(link);
		if (link->lookup != NULL)
			return RESOLVE_INTERVAL_MS;
	}
	if (link->connecting)
	{
		wait_ms = link->started_ms + CONNECT_TIMEOUT_MS - us_cassandra_now();
		if (wait_ms > 0)
			return wait_ms;
		give_up_host(link, "no connection in time", false);
	}
	if (link->host < 0)
		return 0;
	return -1;
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
	else if (link->connecting)
		finish_connecting(link);
}

void
us_cassandra_wait(UsCassandra *link, long timeout_ms)
{
	int64		wait_ms = advance(link);
	bool		writable = link->connecting;

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

		writable = send_output(link) || (link->tls != NULL && us_tls_wants_write(link->tls));
		if (deadline != INT64_MAX)
			timeout_ms = (long) Min(timeout_ms, Max(deadline - us_cassandra_now(), 0));
		/* it failed while sending: there are events to be taken */
		if (us_cql_conn_failure(link->conn)->kind != US_CQL_FAILURE_NONE)
			return;
		/* bytes that TLS has taken from the socket already wake nobody */
		if (link->tls != NULL && us_tls_has_pending(link->tls))
			timeout_ms = 0;
	}
	wait_for_socket(link, timeout_ms, writable);
	if (link->conn != NULL)
	{
		if (us_cql_conn_failure(link->conn)->kind == US_CQL_FAILURE_NONE)
			receive_input(link);
	}
}

/* the connection has told all that it had to tell */
static void
bury(UsCassandra *link)
{
	UsCqlFailure failure = *us_cql_conn_failure(link->conn);

	if (failure.kind == US_CQL_FAILURE_VERSION && !link->old_version && link->server->protocol == 0)
	{
		close_socket(link);
		link->old_version = true;
		start_host(link);
		return;
	}
	give_up_host(link, failure.text, link->refused_slow ||
				 failure.kind == US_CQL_FAILURE_CREDENTIALS ||
				 failure.kind == US_CQL_FAILURE_VERSION);
	link->refused_slow = false;
}

bool
us_cassandra_next(UsCassandra *link, UsCqlEvent *event)
{
	if (link->conn == NULL)
		return false;
	if (us_cql_conn_next(link->conn, us_cassandra_now(), event))
	{
		if (event->kind == US_CQL_EVENT_READY)
			link->ready = true;
		else if (event->kind == US_CQL_EVENT_FAILED)
			link->ready = false;
		return true;
	}
	if (us_cql_conn_failure(link->conn)->kind != US_CQL_FAILURE_NONE)
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
