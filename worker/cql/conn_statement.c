/*-------------------------------------------------------------------------
 * worker/cql/conn_statement.c
 *    statements of a connection: prepared, and prepared again
 *
 * The server forgets statements (restart, schema change, a full cache); then
 * all requests in flight come back UNPREPARED, one PREPARE is sent, and they
 * follow it, unless what they are bound to has changed.
 *-------------------------------------------------------------------------
 */
#include "worker/cql/conn_internal.h"

#define MAX_PREPARES	2		/* times a request is sent again; more is a loop */

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
	status = us_cql_stream_end_write(conn, mark);
	if (status != US_CQL_OK)
		return status;
	stream = us_cql_stream_take(conn, US_CQL_STREAM_PREPARE, now_ms);
	stream->statement = statement;
	statement->preparing = true;
	return US_CQL_OK;
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
		us_cql_conn_fail_reading(conn, status);
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
		us_cql_conn_fail_reading(conn, status);
		return false;
	}
	us_cql_arena_free(&statement->result_memory);
	statement->result_memory = arena;
	statement->result_id = response.result.new_id;
	statement->result = response.result;
	statement->result_generation++;
	return true;
}

bool
us_cql_statement_rows(UsCqlConn *conn, const UsCqlRequest *request,
					  const UsCqlEnvelope *envelope, bool *stale)
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
		else if (us_cql_stream_write(conn, stream) != US_CQL_OK)
		{
			us_cql_conn_fail_reading(conn, US_CQL_NO_MEMORY);
			return;
		}
	}
}

bool
us_cql_statement_in_vain(UsCqlConn *conn, UsCqlEvent *event)
{
	for (int i = conn->oldest; i >= 0; i = conn->streams[i].newer)
	{
		UsCqlStream *stream = &conn->streams[i];

		if (stream->state != US_CQL_STREAM_WAITING || stream->request->statement != conn->in_vain)
			continue;
		event->kind = conn->in_vain_stale ? US_CQL_EVENT_STALE : US_CQL_EVENT_ANSWER;
		event->request = stream->request;
		event->response = conn->in_vain_stale ? NULL : &conn->response;
		us_cql_stream_release(conn, stream);
		return true;
	}
	conn->in_vain = NULL;
	return false;
}

bool
us_cql_statement_answer(UsCqlConn *conn, UsCqlStream *stream, const UsCqlEnvelope *envelope,
						UsCqlEvent *event)
{
	UsCqlStatement *statement = stream->statement;
	bool		again = statement->prepared;

	us_cql_stream_release(conn, stream);
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

bool
us_cql_statement_again(UsCqlConn *conn, UsCqlStream *stream, int64_t now_ms)
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
