/*-------------------------------------------------------------------------
 * test/unit/cql_fuzz.c
 *    any bytes from a server -> no harm, and the same in any portions
 *
 * Built with libFuzzer (make fuzz FUZZ=cql), and without it as a test that
 * runs the files of corpus/cql (make check).  The first byte of an input says
 * what the others are; a connection gets them whole and then byte by byte, and
 * must tell the same events.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/cql_help.h"
#include "test/unit/fuzz.h"

#define REQUESTS	6
#define MAX_CELLS	64

/* what the bytes after the first are */
typedef enum Kind
{
	KIND_V4,					/* sent by a server of version 4 */
	KIND_V5,					/* ... of version 5 */
	KIND_V5_PAYLOAD,			/* the same, in a segment with right checksums */
	KIND_GREETING,				/* sent before a version is agreed */
	KIND_VALUE,					/* a type, then a value of it */
	KIND_NUMBER,				/* a number's text */
	KINDS
} Kind;

/* PREPARED of a SELECT with a marker: id "SS", result id "R1" */
#define PREPARED_4 \
	"00000004 0002 5353 00000001 00000001 00000001 0000 0002 6b73 0001 74 0001 6b 0009" \
	"00000001 00000001 0002 6b73 0001 74 0001 63 0009"
#define PREPARED_5 \
	"00000004 0002 5353 0002 5231 00000001 00000001 00000001 0000 0002 6b73 0001 74 0001 6b 0009" \
	"00000001 00000001 0002 6b73 0001 74 0001 63 0009"

static CqlServer server;

static uint64_t
mix(uint64_t hash, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
	return hash;
}

/* rows as text, so that each value is decoded */
static uint64_t
mix_rows(uint64_t hash, UsCqlResponse *response)
{
	UsCqlBytes	cells[MAX_CELLS];
	int			ncolumns = response->result.ncolumns;
	UsCqlWriter text;

	if (response->opcode != US_CQL_RESULT || response->kind != US_CQL_ROWS || ncolumns > MAX_CELLS)
		return hash;
	us_cql_writer_init(&text, NULL, 0);
	for (int row = 0; row < response->nrows; row++)
	{
		if (us_cql_next_row(response, cells) != US_CQL_OK)
			break;
		for (int i = 0; i < ncolumns; i++)
		{
			us_cql_put_type_name(&text, &response->result.columns[i].type);
			if (cells[i].data != NULL)
				(void) us_cql_put_text(&text, &response->result.columns[i].type, cells[i]);
		}
	}
	hash = mix(hash, text.data, text.len);
	us_cql_writer_free(&text);
	return hash;
}

static uint64_t
mix_events(uint64_t hash, UsCqlConn *conn)
{
	UsCqlEvent	event;

	while (us_cql_conn_next(conn, 1, &event))
	{
		hash = mix(hash, &event.kind, sizeof(event.kind));
		hash = mix(hash, &event.request, sizeof(void *));
		if (event.response != NULL)
		{
			hash = mix(hash, &event.response->opcode, 1);
			hash = mix(hash, event.response->error.message.data, event.response->error.message.len);
			hash = mix_rows(hash, event.response);
		}
	}
	(void) cql_sent(conn, false);
	return hash;
}

/* a connection with a statement, and requests of it and of others in flight */
static UsCqlConn *
busy_connection(int version, UsCqlRequest *requests, const UsCqlConfig *config)
{
	UsCqlConn  *conn = cql_connected(&server, config, version);
	UsCqlStatement *statement;
	UsCqlEvent	event;

	(void) us_cql_conn_prepare(conn, "SELECT", 6, NULL, 0, &statement);
	cql_answer_hex(&server, 0, US_CQL_RESULT, 0, version == 5 ? PREPARED_5 : PREPARED_4);
	cql_deliver(&server, conn, SIZE_MAX, 0);
	if (cql_next(conn, 0, &event) != US_CQL_EVENT_PREPARED)
		abort();
	for (int i = 0; i < REQUESTS; i++)
	{
		requests[i] = (UsCqlRequest) {.statement = i % 2 ? statement : NULL, .query = "SELECT"};
		if (us_cql_conn_send(conn, &requests[i], 0) != US_CQL_OK)
			abort();
	}
	return conn;
}

static void
put_segment(UsCqlWriter *writer, const uint8_t *data, size_t len)
{
	uint8_t		header[3] = {(uint8_t) len, (uint8_t) (len >> 8), 0x02};
	uint32_t	crc = us_cql_crc24(header, 3);

	us_cql_put_raw(writer, header, 3);
	for (int i = 0; i < 3; i++)
		us_cql_put_u8(writer, (uint8_t) (crc >> (8 * i)));
	us_cql_put_raw(writer, data, len);
	crc = us_cql_crc32(data, len);
	for (int i = 0; i < 4; i++)
		us_cql_put_u8(writer, (uint8_t) (crc >> (8 * i)));
}

/* what the connection tells of these bytes; *kept = memory that it did not free */
static uint64_t
hash_of(Kind kind, const uint8_t *data, size_t len, size_t portion, long *kept)
{
	static UsCqlRequest requests[REQUESTS];
	CqlMemory	memory;
	UsCqlConfig config = {
		.memory = cql_memory(&memory),
		.max_envelope_bytes = 1 << 20,
		.max_streams = 16
	};
	UsCqlConn  *conn;
	uint64_t	hash = UINT64_C(14695981039346656037);

	if (kind == KIND_GREETING)
	{
		memset(&server, 0, sizeof(server));
		us_cql_writer_init(&server.out, NULL, 0);
		config.username = "u";
		conn = us_cql_conn_create(&config, 0);
	}
	else
		conn = busy_connection(kind == KIND_V4 ? 4 : 5, requests, &config);
	if (kind == KIND_V5_PAYLOAD)
		put_segment(&server.out, data, len);
	else
		us_cql_put_raw(&server.out, data, len);
	/* not one call less: what is told may depend on how much is there */
	while (server.out.len > 0 && us_cql_conn_failure(conn)->kind == US_CQL_FAILURE_NONE)
	{
		cql_deliver(&server, conn, portion, 1);
		hash = mix_events(hash, conn);
	}
	hash = mix(hash, us_cql_conn_failure(conn)->text, strlen(us_cql_conn_failure(conn)->text));
	us_cql_conn_closed(conn, NULL);
	hash = mix_events(hash, conn);
	us_cql_conn_free(conn);
	cql_server_free(&server);
	*kept = memory.live;
	return hash;
}

static const char *
judge_connection(Kind kind, const uint8_t *data, size_t len)
{
	long		kept[2];
	uint64_t	whole = hash_of(kind, data, len, SIZE_MAX, &kept[0]);
	uint64_t	trickled = hash_of(kind, data, len, 1, &kept[1]);

	if (kept[0] != 0 || kept[1] != 0)
		return "memory is kept";
	return whole == trickled ? NULL : "other events in other portions";
}

static const char *
judge_value(const uint8_t *data, size_t len)
{
	UsCqlReader reader;
	UsCqlArena	arena;
	UsCqlType	type;
	UsCqlWriter text;
	UsCqlBytes	value;

	us_cql_arena_init(&arena, NULL);
	us_cql_writer_init(&text, NULL, 1 << 20);
	us_cql_reader_init(&reader, data, len);
	if (us_cql_read_type(&reader, &arena, &type) == US_CQL_OK)
	{
		us_cql_put_type_name(&text, &type);
		value.data = reader.at;
		value.len = us_cql_left(&reader);
		(void) us_cql_put_text(&text, &type, value);
	}
	us_cql_writer_free(&text);
	us_cql_arena_free(&arena);
	return NULL;
}

/* what is taken as a number comes back as text that gives the same bytes again */
static const char *
judge_number(const uint8_t *data, size_t len)
{
	const char *wrong = NULL;
	UsCqlWriter first;
	UsCqlWriter text;
	UsCqlWriter second;

	us_cql_writer_init(&first, NULL, 0);
	us_cql_writer_init(&text, NULL, 0);
	us_cql_writer_init(&second, NULL, 0);
	us_cql_put_decimal(&first, (const char *) data, len);
	if (first.status == US_CQL_OK)
	{
		UsCqlBytes	value = {first.data + 4, first.len - 4};

		if (!us_cql_get_decimal(value, &text))
			wrong = "a decimal that is written cannot be read";
		else
		{
			us_cql_put_decimal(&second, (const char *) text.data, text.len);
			if (second.status != US_CQL_OK || second.len != first.len ||
				memcmp(second.data, first.data, first.len) != 0)
				wrong = "a decimal is another one when it comes back";
		}
	}
	us_cql_writer_free(&first);
	us_cql_writer_free(&text);
	us_cql_writer_free(&second);
	return wrong;
}

/* NULL, or what is wrong; the bytes are in a block of their own */
static const char *
judge(const uint8_t *data, size_t len)
{
	const char *wrong;
	uint8_t    *block;
	Kind		kind;

	if (len == 0)
		return NULL;
	kind = data[0] % KINDS;
	data++;
	len--;
	block = malloc(len > 0 ? len : 1);
	if (len > 0)
		memcpy(block, data, len);
	if (kind == KIND_VALUE)
		wrong = judge_value(block, len);
	else if (kind == KIND_NUMBER)
		wrong = judge_number(block, len);
	else
		wrong = judge_connection(kind, block, len);
	free(block);
	return wrong;
}

const FuzzTarget fuzz_target = {"cql", "does no harm", FUZZ_MAX_BYTES, KINDS, judge};

#ifndef FUZZ

int
main(void)
{
	return fuzz_corpus();
}

#endif
