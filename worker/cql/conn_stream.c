/*-------------------------------------------------------------------------
 * worker/cql/conn_stream.c
 *    what happens to the requests and statements of a connection
 *
 * A stream id is free, or taken from its request until its answer: also when
 * the caller has been told of a timeout, and while a request waits for its
 * statement to be prepared again.  The server forgets statements (restart,
 * schema change, a full cache); then all requests in flight come back
 * UNPREPARED, one PREPARE is sent, and they follow it.
 *-------------------------------------------------------------------------
 */
#include "worker/cql/conn_internal.h"

#define MAX_PREPARES	2		/* times a request is sent again; more is a loop */
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

/* the caller has seen that one is free */
static UsCqlStream *
take_stream(UsCqlConn *conn, UsCqlStreamState state, int64_t now_ms)
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

static void
release_stream(UsCqlConn *conn, UsCqlStream *stream)
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

/* what was written since mark stays, or is taken back */
static UsCqlStatus
end_write(UsCqlConn *conn, size_t mark)
{
	UsCqlStatus status = conn->pending.status;

	if (status != US_CQL_OK)
	{
		conn->pending.len = mark;
		conn->pending.status = US_CQL_OK;
	}
	return status;
}

static UsCqlStatus
write_request(UsCqlConn *conn, UsCqlStream *stream)
{
	size_t		mark = conn->pending.len;

	if (stream->request->statement != NULL)
		stream->request->result_generation = stream->request->statement->result_generation;
	us_cql_write_request(&conn->pending, conn->version, id_of(conn, stream), stream->request);
	stream->request->wire_bytes = conn->pending.len - mark;
	stream->state = US_CQL_STREAM_REQUEST;
	return end_write(conn, mark);
}

static UsCqlStatus
write_prepare(UsCqlConn *conn, UsCqlStatement *statement, int64_t now_ms)
{
	size_t		mark = conn->pending.len;
	UsCqlStream *stream;
	UsCqlStatus status;

	if (conn->free_stream < 0)
		return US_CQL_BUSY;
	us_cql_write_prepare(&conn->pending, conn->version, conn->free_stream, statement->query,
						 statement->query_len);
	status = end_write(conn, mark);
	if (status != US_CQL_OK)
		return status;
	stream = take_stream(conn, US_CQL_STREAM_PREPARE, now_ms);
	stream->statement = statement;
	statement->preparing = true;
	return US_CQL_OK;
}

void
us_cql_stream_heartbeat(UsCqlConn *conn, int64_t now_ms)
{
	size_t		mark = conn->pending.len;

	us_cql_write_options(&conn->pending, conn->version, conn->free_stream);
	if (end_write(conn, mark) != US_CQL_OK)
	{
		us_cql_conn_fail(conn, US_CQL_FAILURE_MEMORY, us_cql_status_text(US_CQL_NO_MEMORY), NULL);
		return;
	}
	(void) take_stream(conn, US_CQL_STREAM_OURS, now_ms);
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
	stream = take_stream(conn, US_CQL_STREAM_WAITING, now_ms);
	stream->request = request;
	conn->in_flight++;
	if (statement == NULL || !statement->preparing)
		status = write_request(conn, stream);
	if (status != US_CQL_OK)
		release_stream(conn, stream);
	return status;
}

void
us_cql_statement_free(UsCqlConn *conn, UsCqlStatement *statement)
{
	us_cql_arena_free(&statement->memory);
	us_cql_arena_free(&statement->result_memory);
	us_cql_free(&conn->memory, statement->query);
	us_cql_free(&conn->memory, statement);
}

UsCqlStatus
us_cql_conn_prepare(UsCqlConn *conn, const char *query, size_t len, void *tag, int64_t now_ms,
					UsCqlStatement **result)
{
	UsCqlStatement *statement;
	UsCqlStatus status;

	*result = NULL;
	if (conn->state != US_CQL_CONN_READY)
		return US_CQL_NOT_READY;
	statement = us_cql_resize(&conn->memory, NULL, sizeof(UsCqlStatement));
	if (statement == NULL)
		return US_CQL_NO_MEMORY;
	memset(statement, 0, sizeof(*statement));
	us_cql_arena_init(&statement->memory, &conn->memory);
	us_cql_arena_init(&statement->result_memory, &conn->memory);
	statement->tag = tag;
	statement->query_len = len;
	statement->query = us_cql_resize(&conn->memory, NULL, len + 1);
	if (statement->query != NULL)
	{
		memcpy(statement->query, query, len);
		statement->query[len] = '\0';
		status = write_prepare(conn, statement, now_ms);
	}
	else
		status = US_CQL_NO_MEMORY;
	if (status != US_CQL_OK)
	{
		us_cql_statement_free(conn, statement);
		return status;
	}
	statement->next = conn->statements;
	conn->statements = statement;
	*result = statement;
	return US_CQL_OK;
}

bool
us_cql_conn_forget(UsCqlConn *conn, UsCqlStatement *statement)
{
	if (statement->preparing && conn->failure.kind == US_CQL_FAILURE_NONE)
		return false;
	for (UsCqlStatement **at = &conn->statements; *at != NULL; at = &(*at)->next)
	{
		if (*at == statement)
		{
			*at = statement->next;
			us_cql_statement_free(conn, statement);
			return true;
		}
	}
	return false;
}

static void
fail_reading(UsCqlConn *conn, UsCqlStatus status)
{
	us_cql_conn_fail(conn, status == US_CQL_NO_MEMORY ? US_CQL_FAILURE_MEMORY :
					 US_CQL_FAILURE_PROTOCOL,
					 status == US_CQL_NO_MEMORY ? us_cql_status_text(status) : "malformed answer",
					 NULL);
}

/*
 * The response once more, from a copy of len bytes of its body that lives in
 * an arena.  On failure the arena is freed.
 */
static UsCqlStatus
read_copy(const UsCqlEnvelope *envelope, size_t len, int version, bool without_rows,
		  UsCqlArena *arena, UsCqlResponse *response)
{
	UsCqlEnvelope kept = *envelope;
	uint8_t    *copy = us_cql_arena_alloc(arena, len);
	UsCqlStatus status = US_CQL_NO_MEMORY;

	if (copy != NULL)
	{
		memcpy(copy, envelope->body.data, len);
		/* the number of rows comes last before them */
		if (without_rows)
			memset(copy + len - 4, 0, 4);
		kept.body.data = copy;
		kept.body.len = len;
		status = us_cql_read_response(&kept, version, arena, response);
	}
	if (status != US_CQL_OK)
		us_cql_arena_free(arena);
	return status;
}

static bool
same_columns(const UsCqlColumns *a, const UsCqlColumns *b)
{
	if (a->ncolumns != b->ncolumns)
		return false;
	for (int i = 0; i < a->ncolumns; i++)
	{
		if (!us_cql_same_type(&a->columns[i].type, &b->columns[i].type))
			return false;
	}
	return true;
}

/* what PREPARED says becomes the statement's */
static bool
adopt_prepared(UsCqlConn *conn, UsCqlStatement *statement, const UsCqlEnvelope *envelope)
{
	UsCqlArena	arena;
	UsCqlResponse response;
	UsCqlStatus status;

	us_cql_arena_init(&arena, &conn->memory);
	status = read_copy(envelope, envelope->body.len, conn->version, false, &arena, &response);
	if (status == US_CQL_OK && response.markers.columns == NULL && response.markers.ncolumns > 0)
	{
		/* without types there is nothing to bind by */
		us_cql_arena_free(&arena);
		status = US_CQL_MALFORMED;
	}
	if (status != US_CQL_OK)
	{
		fail_reading(conn, status);
		return false;
	}
	if (statement->prepared && !same_columns(&statement->markers, &response.markers))
		statement->generation++;
	us_cql_arena_free(&statement->memory);
	us_cql_arena_free(&statement->result_memory);
	statement->memory = arena;
	statement->id = response.id;
	statement->result_id = response.result_id;
	statement->markers = response.markers;
	statement->result = response.result;
	statement->result_generation++;
	statement->prepared = true;
	return true;
}

/* v5: the rows say that the statement's result has other columns since */
static bool
adopt_result(UsCqlConn *conn, UsCqlStatement *statement, const UsCqlEnvelope *envelope)
{
	size_t		len = (size_t) (conn->response.cells.at - envelope->body.data);
	UsCqlArena	arena;
	UsCqlResponse response;
	UsCqlStatus status;

	us_cql_arena_init(&arena, &conn->memory);
	status = read_copy(envelope, len, conn->version, true, &arena, &response);
	if (status != US_CQL_OK)
	{
		fail_reading(conn, status);
		return false;
	}
	us_cql_arena_free(&statement->result_memory);
	statement->result_memory = arena;
	statement->result_id = response.result.new_id;
	statement->result = response.result;
	statement->result_generation++;
	return true;
}

/*
 * Rows without metadata have that of the statement, unless this has changed
 * since the request was sent: then nobody knows what they are.
 */
static bool
complete_rows(UsCqlConn *conn, const UsCqlRequest *request, const UsCqlEnvelope *envelope,
			  bool *stale)
{
	UsCqlColumns *result = &conn->response.result;
	UsCqlStatement *statement = request->statement;

	*stale = false;
	if (result->columns != NULL)
	{
		if (statement != NULL && result->new_id.data != NULL)
			return adopt_result(conn, statement, envelope);
		return true;
	}
	*stale = statement != NULL && request->result_generation != statement->result_generation;
	if (*stale)
		return true;
	if (statement == NULL || statement->result.columns == NULL ||
		statement->result.ncolumns != result->ncolumns)
	{
		us_cql_conn_fail(conn, US_CQL_FAILURE_PROTOCOL, "rows without their metadata", NULL);
		return false;
	}
	result->columns = statement->result.columns;
	return true;
}

/* the statement is prepared again: what waited for it follows */
static void
send_waiting(UsCqlConn *conn, UsCqlStatement *statement)
{
	for (int i = conn->oldest; i >= 0; i = conn->streams[i].newer)
	{
		UsCqlStream *stream = &conn->streams[i];

		if (stream->state != US_CQL_STREAM_WAITING || stream->request->statement != statement)
			continue;
		if (stream->request->generation != statement->generation)
		{
			conn->in_vain = statement;
			conn->in_vain_stale = true;
		}
		else if (write_request(conn, stream) != US_CQL_OK)
		{
			fail_reading(conn, US_CQL_NO_MEMORY);
			return;
		}
	}
}

bool
us_cql_stream_in_vain(UsCqlConn *conn, UsCqlEvent *event)
{
	for (int i = conn->oldest; i >= 0; i = conn->streams[i].newer)
	{
		UsCqlStream *stream = &conn->streams[i];

		if (stream->state != US_CQL_STREAM_WAITING || stream->request->statement != conn->in_vain)
			continue;
		event->kind = conn->in_vain_stale ? US_CQL_EVENT_STALE : US_CQL_EVENT_ANSWER;
		event->request = stream->request;
		event->response = conn->in_vain_stale ? NULL : &conn->response;
		release_stream(conn, stream);
		return true;
	}
	conn->in_vain = NULL;
	return false;
}

/* the answer to PREPARE */
static bool
take_prepared(UsCqlConn *conn, UsCqlStream *stream, const UsCqlEnvelope *envelope,
			  UsCqlEvent *event)
{
	UsCqlStatement *statement = stream->statement;
	bool		again = statement->prepared;

	release_stream(conn, stream);
	statement->preparing = false;
	if (conn->response.opcode == US_CQL_RESULT && conn->response.kind == US_CQL_PREPARED)
	{
		if (!adopt_prepared(conn, statement, envelope))
			return false;
		if (again)
			send_waiting(conn, statement);
	}
	else if (conn->response.opcode != US_CQL_ERROR)
	{
		us_cql_conn_fail(conn, US_CQL_FAILURE_PROTOCOL, "unexpected answer to PREPARE", NULL);
		return false;
	}
	else if (again)
	{
		conn->in_vain = statement;
		conn->in_vain_stale = false;
	}
	if (again)
		return false;
	event->kind = US_CQL_EVENT_PREPARED;
	event->statement = statement;
	event->response = &conn->response;
	return true;
}

/*
 * The server does not know the statement of this request (any more).  True =
 * the request goes on; false = its answer is the error.
 */
static bool
prepare_again(UsCqlConn *conn, UsCqlStream *stream, int64_t now_ms)
{
	UsCqlRequest *request = stream->request;
	UsCqlStatement *statement = request->statement;
	UsCqlBytes	id = conn->response.error.id;
	bool		same_id;

	if (statement == NULL || request->prepares >= MAX_PREPARES)
		return false;
	request->prepares++;
	same_id = id.len == statement->id.len && memcmp(id.data, statement->id.data, id.len) == 0;
	stream->state = US_CQL_STREAM_WAITING;
	if (statement->preparing)
		return true;
	if (!same_id)
	{
		/* it was prepared again since, under another id */
		send_waiting(conn, statement);
		return true;
	}
	conn->prepares++;
	if (write_prepare(conn, statement, now_ms) != US_CQL_OK)
	{
		stream->state = US_CQL_STREAM_REQUEST;
		return false;
	}
	return true;
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
			prepare_again(conn, stream, now_ms))
			return false;
	}
	else if (conn->response.opcode != US_CQL_RESULT || conn->response.kind == US_CQL_PREPARED)
	{
		us_cql_conn_fail(conn, US_CQL_FAILURE_PROTOCOL, "unexpected answer to a request", NULL);
		return false;
	}
	else if (conn->response.kind == US_CQL_ROWS &&
			 !complete_rows(conn, request, envelope, &stale))
		return false;
	release_stream(conn, stream);
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
		fail_reading(conn, status);
		return false;
	}
	if (envelope->stream == -1)
		return take_server_event(conn, event);
	switch (stream != NULL ? stream->state : US_CQL_STREAM_FREE)
	{
		case US_CQL_STREAM_OURS:
			conn->heartbeat_ms = -1;
			release_stream(conn, stream);
			return false;
		case US_CQL_STREAM_PREPARE:
			return take_prepared(conn, stream, envelope, event);
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
			release_stream(conn, stream);
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
		release_stream(conn, stream);
		if (event->request != NULL)
		{
			event->kind = US_CQL_EVENT_LOST;
			return true;
		}
	}
	return false;
}
