/*-------------------------------------------------------------------------
 * worker/cql/conn.c
 *    one connection to a CQL server, without its socket
 *
 * Bytes in, bytes out, time and events.  The greeting is in conn_startup.c,
 * what happens to requests and statements in conn_stream.c.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>

#include "worker/cql/conn_internal.h"

#define MAX_STREAMS				32767	/* and one more: the protocol has 0 .. 32767 */
#define DEFAULT_STREAMS			1024
#define DEFAULT_CONNECT_MS		10000
#define DEFAULT_REQUEST_MS		12000	/* the server's native_transport_timeout */
#define DEFAULT_HEARTBEAT_MS	15000
#define DEFAULT_SILENCE_MS		5000

static int
or_default(int value, int otherwise)
{
	return value > 0 ? value : otherwise;
}

static char *
copy_string(const UsCqlMemory *memory, const char *text)
{
	size_t		size = strlen(text) + 1;
	char	   *copy = us_cql_resize(memory, NULL, size);

	return copy != NULL ? memcpy(copy, text, size) : NULL;
}

/* overwritten first, by stores that are not optimized away */
static void
free_secret(const UsCqlMemory *memory, char *text)
{
	for (volatile char *at = text; at != NULL && *at != '\0'; at++)
		*at = '\0';
	us_cql_free(memory, text);
}

static void
fill_config(UsCqlConn *conn, const UsCqlConfig *config)
{
	UsCqlConfig *ours = &conn->config;

	*ours = *config;
	ours->username = NULL;
	ours->password = NULL;
	ours->max_streams = or_default(config->max_streams, DEFAULT_STREAMS);
	if (ours->max_streams > MAX_STREAMS)
		ours->max_streams = MAX_STREAMS;
	ours->connect_timeout_ms = or_default(config->connect_timeout_ms, DEFAULT_CONNECT_MS);
	ours->request_timeout_ms = or_default(config->request_timeout_ms, DEFAULT_REQUEST_MS);
	ours->heartbeat_ms = or_default(config->heartbeat_ms, DEFAULT_HEARTBEAT_MS);
	ours->heartbeat_timeout_ms = or_default(config->heartbeat_timeout_ms, DEFAULT_SILENCE_MS);
}

static bool
copy_credentials(UsCqlConn *conn, const UsCqlConfig *config)
{
	if (config->username == NULL)
		return true;
	conn->username = copy_string(&conn->memory, config->username);
	conn->password = copy_string(&conn->memory, config->password != NULL ? config->password : "");
	return conn->username != NULL && conn->password != NULL;
}

UsCqlConn *
us_cql_conn_create(const UsCqlConfig *config, int64_t now_ms)
{
	UsCqlConn  *conn = us_cql_resize(&config->memory, NULL, sizeof(UsCqlConn));

	if (conn == NULL)
		return NULL;
	memset(conn, 0, sizeof(*conn));
	conn->memory = config->memory;
	fill_config(conn, config);
	conn->failure.code = -1;
	conn->heartbeat_ms = -1;
	us_cql_writer_init(&conn->pending, &conn->memory, 0);
	us_cql_writer_init(&conn->out, &conn->memory, SIZE_MAX / 4);
	us_cql_framer_init(&conn->framer, &conn->memory, config->max_envelope_bytes);
	us_cql_arena_init(&conn->arena, &conn->memory);
	if (copy_credentials(conn, config) && us_cql_streams_create(conn))
		us_cql_conn_start(conn, now_ms);
	if (conn->streams == NULL || conn->pending.status != US_CQL_OK)
	{
		us_cql_conn_free(conn);
		return NULL;
	}
	return conn;
}

void
us_cql_conn_free(UsCqlConn *conn)
{
	UsCqlMemory memory = conn->memory;

	while (conn->statements != NULL)
	{
		UsCqlStatement *statement = conn->statements;

		conn->statements = statement->next;
		us_cql_statement_free(conn, statement);
	}
	/* the answer to AUTHENTICATE may still be in them */
	if (conn->pending.data != NULL)
		memset(conn->pending.data, 0, conn->pending.capacity);
	if (conn->out.data != NULL)
		memset(conn->out.data, 0, conn->out.capacity);
	us_cql_writer_free(&conn->pending);
	us_cql_writer_free(&conn->out);
	us_cql_framer_free(&conn->framer);
	us_cql_arena_free(&conn->arena);
	us_cql_free(&memory, conn->streams);
	us_cql_free(&memory, conn->username);
	free_secret(&memory, conn->password);
	us_cql_free(&memory, conn);
}

/* at most so many bytes of it, not within a character of UTF-8 */
static int
clip(UsCqlBytes text, size_t max)
{
	size_t		len = text.len;

	if (len > max)
	{
		len = max;
		while (len > 0 && (text.data[len] & 0xc0) == 0x80)
			len--;
	}
	return (int) len;
}

void
us_cql_conn_fail(UsCqlConn *conn, UsCqlFailureKind kind, const char *text, const UsCqlError *error)
{
	UsCqlFailure *failure = &conn->failure;

	if (failure->kind != US_CQL_FAILURE_NONE)
		return;
	failure->kind = kind;
	conn->state = US_CQL_CONN_FAILED;
	conn->in_vain = NULL;
	if (error == NULL)
		snprintf(failure->text, sizeof(failure->text), "%.200s", text);
	else
	{
		failure->code = error->code;
		snprintf(failure->text, sizeof(failure->text), "%.80s: %.*s", text,
				 clip(error->message, 160), (const char *) error->message.data);
	}
}

void
us_cql_conn_fail_reading(UsCqlConn *conn, UsCqlStatus status)
{
	us_cql_conn_fail(conn, status == US_CQL_NO_MEMORY ? US_CQL_FAILURE_MEMORY :
					 US_CQL_FAILURE_PROTOCOL,
					 status == US_CQL_NO_MEMORY ? us_cql_status_text(status) : "malformed answer",
					 NULL);
}

void
us_cql_conn_closed(UsCqlConn *conn, const char *text)
{
	us_cql_conn_fail(conn, US_CQL_FAILURE_CLOSED,
					 text != NULL ? text : "connection closed by the server", NULL);
}

/* from pending to out, in the form that the connection has by now */
static void
move_pending(UsCqlConn *conn)
{
	UsCqlWriter *pending = &conn->pending;
	UsCqlWriter *out = &conn->out;

	if (conn->segments)
		us_cql_write_segments(out, pending->data, pending->len);
	else
		us_cql_put_raw(out, pending->data, pending->len);
	us_cql_writer_reset(pending);
	if (out->status != US_CQL_OK)
		us_cql_conn_fail(conn, US_CQL_FAILURE_MEMORY, us_cql_status_text(out->status), NULL);
}

const uint8_t *
us_cql_conn_output(UsCqlConn *conn, size_t *len)
{
	*len = 0;
	if (conn->failure.kind == US_CQL_FAILURE_NONE && conn->pending.len > 0)
		move_pending(conn);
	if (conn->failure.kind != US_CQL_FAILURE_NONE || conn->out.len == conn->out_done)
		return NULL;
	*len = conn->out.len - conn->out_done;
	return conn->out.data + conn->out_done;
}

void
us_cql_conn_sent(UsCqlConn *conn, size_t len)
{
	conn->out_done += len;
	conn->sent_bytes += len;
	if (conn->out_done == conn->out.len)
	{
		us_cql_writer_reset(&conn->out);
		conn->out_done = 0;
	}
}

uint8_t *
us_cql_conn_room(UsCqlConn *conn, size_t *room)
{
	uint8_t    *data;

	/* an error that is still being told quotes bytes that are about to move */
	if (conn->in_vain != NULL && !conn->in_vain_stale)
	{
		int32_t		code = conn->response.error.code;

		memset(&conn->response.error, 0, sizeof(conn->response.error));
		conn->response.error.code = code;
	}
	data = us_cql_framer_room(&conn->framer, room);
	if (data == NULL)
		us_cql_conn_fail(conn, US_CQL_FAILURE_MEMORY, conn->framer.error, NULL);
	return data;
}

void
us_cql_conn_received(UsCqlConn *conn, size_t len, int64_t now_ms)
{
	us_cql_framer_received(&conn->framer, len);
	conn->received_bytes += len;
	conn->received_ms = now_ms;
}

/* when silence will have lasted too long; INT64_MAX = it cannot be asked about */
static int64_t
heartbeat_due(const UsCqlConn *conn)
{
	if (conn->heartbeat_ms < 0)
		return conn->free_stream >= 0 ? conn->received_ms + conn->config.heartbeat_ms : INT64_MAX;
	return (conn->heartbeat_ms > conn->received_ms ? conn->heartbeat_ms : conn->received_ms) +
		conn->config.heartbeat_timeout_ms;
}

int64_t
us_cql_conn_deadline(const UsCqlConn *conn)
{
	int64_t		deadline;

	if (conn->state == US_CQL_CONN_FAILED || conn->in_vain != NULL)
		return 0;
	if (conn->state == US_CQL_CONN_DEAD)
		return conn->in_flight > 0 ? 0 : INT64_MAX;
	if (conn->state != US_CQL_CONN_READY)
		return conn->started_ms + conn->config.connect_timeout_ms;
	deadline = heartbeat_due(conn);
	if (conn->oldest >= 0)
	{
		int64_t		due = conn->streams[conn->oldest].sent_ms + conn->config.request_timeout_ms;

		if (due < deadline)
			deadline = due;
	}
	return deadline;
}

/* what the clock alone brings about; true = event is to be told */
static bool
check_clock(UsCqlConn *conn, int64_t now_ms, UsCqlEvent *event)
{
	if (now_ms < us_cql_conn_deadline(conn))
		return false;
	if (conn->state != US_CQL_CONN_READY)
	{
		us_cql_conn_fail(conn, US_CQL_FAILURE_TIMEOUT, "no answer to the greeting in time", NULL);
		return false;
	}
	if (us_cql_stream_timeout(conn, now_ms, event))
		return true;
	if (conn->failure.kind != US_CQL_FAILURE_NONE || now_ms < heartbeat_due(conn))
		return false;
	if (conn->heartbeat_ms < 0)
		us_cql_stream_heartbeat(conn, now_ms);
	else
		us_cql_conn_fail(conn, US_CQL_FAILURE_TIMEOUT, "no answer to a heartbeat in time", NULL);
	return false;
}

/* true = event is to be told */
static bool
take_envelope(UsCqlConn *conn, const UsCqlEnvelope *envelope, int64_t now_ms, UsCqlEvent *event)
{
	us_cql_arena_reset(&conn->arena);
	if (conn->state != US_CQL_CONN_READY)
		return us_cql_conn_greet(conn, envelope, now_ms, event);
	return us_cql_stream_answer(conn, envelope, now_ms, event);
}

bool
us_cql_conn_next(UsCqlConn *conn, int64_t now_ms, UsCqlEvent *event)
{
	UsCqlEnvelope envelope;

	memset(event, 0, sizeof(*event));
	while (conn->failure.kind == US_CQL_FAILURE_NONE)
	{
		UsCqlFrameResult result;

		if (conn->in_vain != NULL && us_cql_statement_in_vain(conn, event))
			return true;
		result = us_cql_framer_next(&conn->framer, &envelope);
		if (result == US_CQL_FRAME_ENVELOPE)
		{
			if (take_envelope(conn, &envelope, now_ms, event))
				return true;
		}
		else if (result == US_CQL_FRAME_BROKEN)
			us_cql_conn_fail(conn, conn->framer.status == US_CQL_NO_MEMORY ?
							 US_CQL_FAILURE_MEMORY : US_CQL_FAILURE_PROTOCOL,
							 conn->framer.error, NULL);
		else if (check_clock(conn, now_ms, event))
			return true;
		else if (conn->failure.kind == US_CQL_FAILURE_NONE)
			return false;
	}
	if (conn->state == US_CQL_CONN_FAILED)
	{
		conn->state = US_CQL_CONN_DEAD;
		event->kind = US_CQL_EVENT_FAILED;
		return true;
	}
	return us_cql_stream_lost(conn, event);
}

const UsCqlFailure *
us_cql_conn_failure(const UsCqlConn *conn)
{
	return &conn->failure;
}

void
us_cql_conn_status(const UsCqlConn *conn, UsCqlConnStatus *status)
{
	status->version = conn->version;
	status->ready = conn->state == US_CQL_CONN_READY;
	status->in_flight = conn->in_flight;
	status->orphans = conn->orphans;
	status->late = conn->late;
	status->prepares = conn->prepares;
	status->received_bytes = conn->received_bytes;
	status->sent_bytes = conn->sent_bytes;
}
