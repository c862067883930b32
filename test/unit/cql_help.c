/*-------------------------------------------------------------------------
 * test/unit/cql_help.c
 *    bytes by their hexadecimal, memory that can fail, a server that is made up
 *-------------------------------------------------------------------------
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/cql_help.h"

#define BUFFERS		8
#define BUFFER_SIZE	65536

static void *
resize(void *arg, void *pointer, size_t size)
{
	CqlMemory  *memory = arg;
	void	   *result;

	if (size == 0)
	{
		if (pointer != NULL)
			memory->live--;
		free(pointer);
		return NULL;
	}
	memory->calls++;
	if (memory->fail_at >= 0 && (memory->once ? memory->calls == memory->fail_at :
								 memory->calls >= memory->fail_at))
		return NULL;
	/* always another place: who keeps an old pointer is caught */
	result = malloc(size);
	if (pointer == NULL)
		memory->live++;
	else
	{
		free(result);
		result = realloc(pointer, size);
	}
	return result;
}

UsCqlMemory
cql_memory(CqlMemory *memory)
{
	UsCqlMemory result = {resize, memory};

	memory->live = 0;
	memory->calls = 0;
	memory->fail_at = -1;
	memory->once = false;
	return result;
}

static int
digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return (c | 0x20) - 'a' + 10;
}

UsCqlBytes
cql_hex(const char *hex)
{
	static uint8_t buffers[BUFFERS][BUFFER_SIZE];
	static int	next;
	UsCqlBytes	bytes = {buffers[next], 0};
	uint8_t    *at = buffers[next];

	next = (next + 1) % BUFFERS;
	while (*hex != '\0' && bytes.len < BUFFER_SIZE)
	{
		if (*hex == ' ')
		{
			hex++;
			continue;
		}
		at[bytes.len++] = (uint8_t) (digit(hex[0]) << 4 | digit(hex[1]));
		hex += 2;
	}
	return bytes;
}

UsCqlBytes
cql_bytes(const char *text)
{
	UsCqlBytes	bytes = {(const uint8_t *) text, strlen(text)};

	return bytes;
}

static bool
compare(UsCqlBytes got, UsCqlBytes expected, const char *format, va_list args)
{
	char		name[256];
	bool		same = got.len == expected.len &&
		(got.len == 0 || memcmp(got.data, expected.data, got.len) == 0);

	vsnprintf(name, sizeof(name), format, args);
	if (!tap_ok(same, "%s", name))
	{
		tap_note("got %s", tap_bytes((const char *) got.data, got.len));
		tap_note("expected %s", tap_bytes((const char *) expected.data, expected.len));
	}
	return same;
}

bool
cql_is_bytes(UsCqlWriter *writer, const char *hex, const char *format,...)
{
	UsCqlBytes	got = {writer->data, writer->len};
	va_list		args;
	bool		same;

	va_start(args, format);
	same = compare(got, cql_hex(hex), format, args);
	va_end(args);
	if (writer->status != US_CQL_OK)
		same = tap_ok(false, "no error of the writer: %s", us_cql_status_text(writer->status));
	us_cql_writer_reset(writer);
	return same;
}

bool
cql_is_text(UsCqlBytes got, const char *expected, const char *format,...)
{
	va_list		args;
	bool		same;

	va_start(args, format);
	same = compare(got, cql_bytes(expected), format, args);
	va_end(args);
	return same;
}

void
cql_answer(CqlServer *server, int stream, UsCqlOpcode opcode, uint8_t flags, UsCqlBytes body)
{
	UsCqlWriter envelope;
	size_t		mark;

	us_cql_writer_init(&envelope, NULL, 0);
	mark = us_cql_envelope_open(&envelope, server->version | 0x80, stream, opcode);
	us_cql_put_raw(&envelope, body.data, body.len);
	us_cql_envelope_close(&envelope, mark);
	envelope.data[1] = flags;
	if (server->segments)
		us_cql_write_segments(&server->out, envelope.data, envelope.len);
	else
		us_cql_put_raw(&server->out, envelope.data, envelope.len);
	us_cql_writer_free(&envelope);
}

void
cql_answer_hex(CqlServer *server, int stream, UsCqlOpcode opcode, uint8_t flags, const char *hex)
{
	cql_answer(server, stream, opcode, flags, cql_hex(hex));
}

void
cql_answer_error(CqlServer *server, int stream, int32_t code, const char *message,
				 const char *more_hex)
{
	UsCqlWriter body;
	UsCqlBytes	more = cql_hex(more_hex);
	UsCqlBytes	bytes;

	us_cql_writer_init(&body, NULL, 0);
	us_cql_put_u32(&body, (uint32_t) code);
	us_cql_put_cstring(&body, message);
	us_cql_put_raw(&body, more.data, more.len);
	bytes.data = body.data;
	bytes.len = body.len;
	cql_answer(server, stream, US_CQL_ERROR, 0, bytes);
	us_cql_writer_free(&body);
}

void
cql_deliver(CqlServer *server, UsCqlConn *conn, size_t portion, int64_t now_ms)
{
	size_t		done = 0;

	while (done < server->out.len)
	{
		size_t		room;
		size_t		len = server->out.len - done;
		uint8_t    *buffer = us_cql_conn_room(conn, &room);

		if (buffer == NULL)
			break;
		len = len > portion ? portion : len;
		len = len > room ? room : len;
		memcpy(buffer, server->out.data + done, len);
		us_cql_conn_received(conn, len, now_ms);
		done += len;
		if (portion == SIZE_MAX)
			continue;
		break;
	}
	/* what is left comes with the next call */
	if (done > 0)
		memmove(server->out.data, server->out.data + done, server->out.len - done);
	server->out.len -= done;
}

UsCqlEventKind
cql_next(UsCqlConn *conn, int64_t now_ms, UsCqlEvent *event)
{
	(void) us_cql_conn_next(conn, now_ms, event);
	return event->kind;
}

UsCqlBytes
cql_sent(UsCqlConn *conn, bool segments)
{
	static uint8_t buffer[4 * 1024 * 1024];
	UsCqlBytes	result = {buffer, 0};
	size_t		len;
	const uint8_t *data = us_cql_conn_output(conn, &len);
	size_t		at = 0;

	if (data == NULL)
		return result;
	if (!segments)
	{
		memcpy(buffer, data, len);
		result.len = len;
	}
	while (segments && at < len)
	{
		size_t		payload = (data[at] | data[at + 1] << 8 | data[at + 2] << 16) & 0x1ffff;

		memcpy(buffer + result.len, data + at + 6, payload);
		result.len += payload;
		at += 6 + payload + 4;
	}
	us_cql_conn_sent(conn, len);
	return result;
}

UsCqlConn *
cql_connected(CqlServer *server, const UsCqlConfig *config, int version)
{
	static const UsCqlConfig defaults;
	UsCqlConfig ours = config != NULL ? *config : defaults;
	UsCqlConn  *conn;
	UsCqlEvent	event;

	memset(server, 0, sizeof(*server));
	us_cql_writer_init(&server->out, NULL, 0);
	ours.version = version;
	conn = us_cql_conn_create(&ours, 0);
	if (conn == NULL)
		return NULL;
	server->version = 4;
	cql_answer_hex(server, 0, US_CQL_SUPPORTED, 0, CQL_SUPPORTED);
	(void) cql_sent(conn, false);
	cql_deliver(server, conn, SIZE_MAX, 0);
	if (cql_next(conn, 0, &event) != US_CQL_EVENT_NONE)
	{
		us_cql_conn_free(conn);
		return NULL;
	}
	(void) cql_sent(conn, false);
	server->version = version;
	cql_answer_hex(server, 0, US_CQL_READY, 0, "");
	server->segments = version == 5;
	cql_deliver(server, conn, SIZE_MAX, 0);
	if (cql_next(conn, 0, &event) != US_CQL_EVENT_READY)
	{
		us_cql_conn_free(conn);
		return NULL;
	}
	return conn;
}

void
cql_server_free(CqlServer *server)
{
	us_cql_writer_free(&server->out);
}
