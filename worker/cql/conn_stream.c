/*-------------------------------------------------------------------------
 * worker/cql/conn_stream.c
 *    stream ids and the requests of a connection
 *
 * A stream id is free, or taken from its request until its answer: also when
 * the caller has been told of a timeout, and while a request waits for its
 * statement to be prepared again (conn_statement.c).
 *-------------------------------------------------------------------------
 */
#include "worker/cql/conn_internal.h"

#define ORPHAN_PART		4		/* a quarter of the stream ids may wait for late answers */

bool
us_cql_streams_create(UsCqlConn *conn)
{
	/* one id more is kept for PREPARE and heartbeats, which must not wait */
	int			n = conn->config.max_streams + 1;

	conn->nstreams = n;
	conn->streams = us_cql_resize(&conn->memory, NULL, sizeof(UsCqlStream) * (size_t) n);
	if (conn->streams == NULL)
		return false;
	memset(conn->streams, 0, sizeof(UsCqlStream) * (size_t) n);
	for (int i = 0; i < n; i++)
		conn->streams[i].older = i + 1 < n ? i + 1 : -1;
	conn->free_stream = 0;
	conn->oldest = -1;
	conn->newest = -1;
	return true;
}

UsCqlStream *
us_cql_stream_take(UsCqlConn *conn, UsCqlStreamState state, int64_t now_ms)
{
	int			index = conn->free_stream;
	UsCqlStream *stream = &conn->streams[index];

	conn->free_stream = stream->older;
	stream->state = state;
	stream->sent_ms = now_ms;
	stream->older = conn->newest;
	stream->newer = -1;
	if (conn->newest >= 0)
		conn->streams[conn->newest].newer = index;
	else
		conn->oldest = index;
	conn->newest = index;
	return stream;
}

/* out of the list of those whose time runs */
static void
unlink_stream(UsCqlConn *conn, UsCqlStream *stream)
{
	if (stream->older >= 0)
		conn->streams[stream->older].newer = stream->newer;
	else
		conn->oldest = stream->newer;
	if (stream->newer >= 0)
		conn->streams[stream->newer].older = stream->older;
	else
		conn->newest = stream->older;
}

static void
free_stream(UsCqlConn *conn, UsCqlStream *stream)
{
	memset(stream, 0, sizeof(*stream));
	stream->older = conn->free_stream;
	conn->free_stream = (int) (stream - conn->streams);
}

void
us_cql_stream_release(UsCqlConn *conn, UsCqlStream *stream)
{
	unlink_stream(conn, stream);
	if (stream->request != NULL)
		conn->in_flight--;
	free_stream(conn, stream);
}

/* keeps the id until the answer that nobody waits for any more */
static void
orphan_stream(UsCqlConn *conn, UsCqlStream *stream)
{
	unlink_stream(conn, stream);
	if (stream->request != NULL)
		conn->in_flight--;
	stream->state = US_CQL_STREAM_ORPHAN;
	stream->request = NULL;
	stream->statement = NULL;
	conn->orphans++;
	if (conn->orphans > conn->nstreams / ORPHAN_PART)
		us_cql_conn_fail(conn, US_CQL_FAILURE_ORPHANS, "too many requests without an answer", NULL);
}

static int
id_of(const UsCqlConn *conn, const UsCqlStream *stream)
{
	return (int) (stream - conn->streams);
}

UsCqlStatus
us_cql_stream_end_write(UsCqlConn *conn, size_t mark)
{
	UsCqlStatus status = conn->pending.status;

	if (status != US_CQL_OK)
	{
		conn->pending.len = mark;
		conn->pending.status = US_CQL_OK;
	}
	return status;
}

UsCqlStatus
us_cql_stream_write(UsCqlConn *conn, UsCqlStream *stream)
{
	size_t		mark = conn->pending.len;

	if (stream->request->statement != NULL)
		stream->request->result_generation = stream->request->statement->result_generation;
	us_cql_write_request(&conn->pending, conn->version, id_of(conn, stream), stream->request);
	stream->request->wire_bytes = conn->pending.len - mark;
	stream->state = US_CQL_STREAM_REQUEST;
	return us_cql_stream_end_write(conn, mark);
}

void
us_cql_stream_heartbeat(UsCqlConn *conn, int64_t now_ms)
{
	size_t		mark = conn->pending.len;

	us_cql_write_options(&conn->pending, conn->version, conn->free_stream);
	if (us_cql_stream_end_write(conn, mark) != US_CQL_OK)
	{
		us_cql_conn_fail(conn, US_CQL_FAILURE_MEMORY, us_cql_status_text(US_CQL_NO_MEMORY), NULL);
		return;
	}
	(void) us_cql_stream_take(conn, US_CQL_STREAM_OURS, now_ms);
	conn->heartbeat_ms = now_ms;
}

UsCqlStatus
us_cql_conn_send(UsCqlConn *conn, UsCqlRequest *request, int64_t now_ms)
{
	UsCqlStatement *statement = request->statement;
	UsCqlStream *stream;
	UsCqlStatus status = US_CQL_OK;

	if (conn->state != US_CQL_CONN_READY || (statement != NULL && !statement->prepared))
		return US_CQL_NOT_READY;
	if (conn->free_stream < 0 || conn->streams[conn->free_stream].older < 0)
		return US_CQL_BUSY;
	request->prepares = 0;
	request->generation = statement != NULL ? statement->generation : 0;
	stream = us_cql_stream_take(conn, US_CQL_STREAM_WAITING, now_ms);
	stream->request = request;
	conn->in_flight++;
	if (statement == NULL || !statement->preparing)
		status = us_cql_stream_write(conn, stream);
	if (status != US_CQL_OK)
		us_cql_stream_release(conn, stream);
	return status;
}

static bool
take_answer(UsCqlConn *conn, UsCqlStream *stream, const UsCqlEnvelope *envelope, int64_t now_ms,
			UsCqlEvent *event)
{
	UsCqlRequest *request = stream->request;
	bool		stale = false;

	if (conn->response.opcode == US_CQL_ERROR)
	{
		if (conn->response.error.code == US_CQL_ERR_UNPREPARED &&
			us_cql_statement_again(conn, stream, now_ms))
			return false;
	}
	else if (conn->response.opcode != US_CQL_RESULT || conn->response.kind == US_CQL_PREPARED)
	{
		us_cql_conn_fail(conn, US_CQL_FAILURE_PROTOCOL, "unexpected answer to a request", NULL);
		return false;
	}
	else if (conn->response.kind == US_CQL_ROWS &&
			 !us_cql_statement_rows(conn, request, envelope, &stale))
		return false;
	us_cql_stream_release(conn, stream);
	event->kind = stale ? US_CQL_EVENT_STALE : US_CQL_EVENT_ANSWER;
	event->request = request;
	event->response = stale ? NULL : &conn->response;
	return true;
}

/* what the server sends of itself */
static bool
take_server_event(UsCqlConn *conn, UsCqlEvent *event)
{
	if (conn->response.opcode == US_CQL_EVENT)
	{
		event->kind = US_CQL_EVENT_SERVER;
		event->response = &conn->response;
		return true;
	}
	us_cql_conn_fail(conn, US_CQL_FAILURE_PROTOCOL, "the server complained about the connection",
					 conn->response.opcode == US_CQL_ERROR ? &conn->response.error : NULL);
	return false;
}

bool
us_cql_stream_answer(UsCqlConn *conn, const UsCqlEnvelope *envelope, int64_t now_ms,
					 UsCqlEvent *event)
{
	UsCqlStream *stream = NULL;
	UsCqlStatus status;

	if (envelope->stream >= 0 && envelope->stream < conn->nstreams)
		stream = &conn->streams[envelope->stream];
	if (stream != NULL && stream->state == US_CQL_STREAM_ORPHAN)
	{
		/* whatever it says, nobody waits for it */
		conn->orphans--;
		conn->late++;
		free_stream(conn, stream);
		return false;
	}
	if (envelope->version != conn->version)
	{
		us_cql_conn_fail(conn, US_CQL_FAILURE_PROTOCOL, "answer in another version of the protocol",
						 NULL);
		return false;
	}
	status = us_cql_read_response(envelope, conn->version, &conn->arena, &conn->response);
	if (status != US_CQL_OK)
	{
		us_cql_conn_fail_reading(conn, status);
		return false;
	}
	if (envelope->stream == -1)
		return take_server_event(conn, event);
	switch (stream != NULL ? stream->state : US_CQL_STREAM_FREE)
	{
		case US_CQL_STREAM_OURS:
			conn->heartbeat_ms = -1;
			us_cql_stream_release(conn, stream);
			return false;
		case US_CQL_STREAM_PREPARE:
			return us_cql_statement_answer(conn, stream, envelope, event);
		case US_CQL_STREAM_REQUEST:
			return take_answer(conn, stream, envelope, now_ms, event);
		case US_CQL_STREAM_FREE:
		case US_CQL_STREAM_WAITING:
		case US_CQL_STREAM_ORPHAN:
			break;
	}
	us_cql_conn_fail(conn, US_CQL_FAILURE_PROTOCOL, "answer to a request that was not made", NULL);
	return false;
}

bool
us_cql_stream_timeout(UsCqlConn *conn, int64_t now_ms, UsCqlEvent *event)
{
	while (conn->oldest >= 0 && conn->failure.kind == US_CQL_FAILURE_NONE)
	{
		UsCqlStream *stream = &conn->streams[conn->oldest];
		UsCqlStreamState state = stream->state;

		if (now_ms - stream->sent_ms < conn->config.request_timeout_ms)
			return false;
		event->request = stream->request;
		event->statement = stream->statement;
		if (state == US_CQL_STREAM_WAITING)
			us_cql_stream_release(conn, stream);
		else
			orphan_stream(conn, stream);
		if (state == US_CQL_STREAM_OURS)
			conn->heartbeat_ms = -1;
		if (event->statement != NULL)
			event->statement->preparing = false;
		/* one that was prepared before has no caller who waits for it */
		if (event->request != NULL || (event->statement != NULL && !event->statement->prepared))
		{
			event->kind = US_CQL_EVENT_TIMEOUT;
			return true;
		}
		event->statement = NULL;
	}
	return false;
}

bool
us_cql_stream_lost(UsCqlConn *conn, UsCqlEvent *event)
{
	while (conn->oldest >= 0)
	{
		UsCqlStream *stream = &conn->streams[conn->oldest];

		event->request = stream->request;
		us_cql_stream_release(conn, stream);
		if (event->request != NULL)
		{
			event->kind = US_CQL_EVENT_LOST;
			return true;
		}
	}
	return false;
}
