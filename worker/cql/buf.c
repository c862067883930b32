/*-------------------------------------------------------------------------
 * worker/cql/buf.c
 *    bytes being written and bytes being read, both within bounds
 *
 * A writer grows by doubling, so bytes that come in one at a time cost no
 * more than twice their copying; a length that the other side names is never
 * allocated before its bytes are here.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>

#include "worker/cql/buf.h"

#define DEFAULT_LIMIT	((size_t) 256 * 1024 * 1024)	/* bytes: the protocol's largest body */
#define FIRST_CAPACITY	256		/* bytes */
#define CHUNK_SIZE		4000	/* bytes: a handful of columns */

const char *
us_cql_status_text(UsCqlStatus status)
{
	switch (status)
	{
		case US_CQL_OK:
			return "no error";
		case US_CQL_NO_MEMORY:
			return "out of memory";
		case US_CQL_TOO_LARGE:
			return "too many bytes";
		case US_CQL_BAD_VALUE:
			return "value out of range for its type";
		case US_CQL_MALFORMED:
			return "malformed bytes";
		case US_CQL_NOT_READY:
			return "connection is not ready";
		case US_CQL_BUSY:
			return "no free stream id";
	}
	return "unknown status";
}

void *
us_cql_resize(const UsCqlMemory *memory, void *pointer, size_t size)
{
	if (memory != NULL && memory->resize != NULL)
		return memory->resize(memory->arg, pointer, size);
	if (size > 0)
		return realloc(pointer, size);
	free(pointer);
	return NULL;
}

void
us_cql_free(const UsCqlMemory *memory, void *pointer)
{
	if (pointer != NULL)
		(void) us_cql_resize(memory, pointer, 0);
}

void
us_cql_writer_init(UsCqlWriter *writer, const UsCqlMemory *memory, size_t limit)
{
	memset(writer, 0, sizeof(*writer));
	if (memory != NULL)
		writer->memory = *memory;
	writer->limit = limit > 0 ? limit : DEFAULT_LIMIT;
}

void
us_cql_writer_reset(UsCqlWriter *writer)
{
	writer->len = 0;
	writer->status = US_CQL_OK;
	writer->why = NULL;
}

void
us_cql_writer_free(UsCqlWriter *writer)
{
	us_cql_free(&writer->memory, writer->data);
	us_cql_writer_init(writer, &writer->memory, writer->limit);
}

void
us_cql_writer_fail(UsCqlWriter *writer, UsCqlStatus status)
{
	if (writer->status == US_CQL_OK)
		writer->status = status;
}

void
us_cql_writer_refuse(UsCqlWriter *writer, const char *why)
{
	if (writer->status == US_CQL_OK)
		writer->why = why;
	us_cql_writer_fail(writer, US_CQL_BAD_VALUE);
}

bool
us_cql_writer_grow(UsCqlWriter *writer, size_t more)
{
	size_t		capacity = writer->capacity;
	uint8_t    *data;

	if (writer->status != US_CQL_OK)
		return false;
	if (more > writer->limit - writer->len)
	{
		us_cql_writer_fail(writer, US_CQL_TOO_LARGE);
		return false;
	}
	if (capacity == 0)
		capacity = FIRST_CAPACITY;
	while (capacity - writer->len < more)
		capacity *= 2;
	if (capacity > writer->limit)
		capacity = writer->limit;
	data = us_cql_resize(&writer->memory, writer->data, capacity);
	if (data == NULL)
	{
		us_cql_writer_fail(writer, US_CQL_NO_MEMORY);
		return false;
	}
	writer->data = data;
	writer->capacity = capacity;
	return true;
}

void
us_cql_put_string(UsCqlWriter *writer, const char *text, size_t len)
{
	if (len > UINT16_MAX)
		us_cql_writer_fail(writer, US_CQL_TOO_LARGE);
	us_cql_put_u16(writer, (uint16_t) len);
	us_cql_put_raw(writer, text, len);
}

void
us_cql_put_cstring(UsCqlWriter *writer, const char *text)
{
	us_cql_put_string(writer, text, strlen(text));
}

void
us_cql_put_long_bytes(UsCqlWriter *writer, const void *data, size_t len)
{
	if (len > INT32_MAX)
		us_cql_writer_fail(writer, US_CQL_TOO_LARGE);
	us_cql_put_u32(writer, (uint32_t) len);
	us_cql_put_raw(writer, data, len);
}

size_t
us_cql_open(UsCqlWriter *writer)
{
	size_t		mark = writer->len;

	us_cql_put_u32(writer, 0);
	return mark;
}

void
us_cql_close(UsCqlWriter *writer, size_t mark)
{
	if (writer->status != US_CQL_OK)
		return;
	if (writer->len - mark - 4 > INT32_MAX)
		us_cql_writer_fail(writer, US_CQL_TOO_LARGE);
	else
		us_cql_store_u32(writer->data + mark, (uint32_t) (writer->len - mark - 4));
}

UsCqlBytes
us_cql_get_string(UsCqlReader *reader)
{
	UsCqlBytes	bytes;

	bytes.len = us_cql_get_u16(reader);
	bytes.data = us_cql_take(reader, bytes.len);
	if (bytes.data == NULL)
		bytes.len = 0;
	return bytes;
}

UsCqlBytes
us_cql_get_long_bytes(UsCqlReader *reader)
{
	UsCqlBytes	bytes = {NULL, 0};
	int32_t		len = us_cql_get_i32(reader);

	if (reader->failed || len < 0)
		return bytes;
	bytes.data = us_cql_take(reader, (size_t) len);
	if (bytes.data != NULL)
		bytes.len = (size_t) len;
	return bytes;
}

void
us_cql_arena_init(UsCqlArena *arena, const UsCqlMemory *memory)
{
	memset(arena, 0, sizeof(*arena));
	if (memory != NULL)
		arena->memory = *memory;
}

void *
us_cql_arena_alloc(UsCqlArena *arena, size_t size)
{
	UsCqlChunk *chunk = arena->chunks;
	void	   *memory;

	if (size > SIZE_MAX / 2)
		return NULL;
	size = (size + 15) / 16 * 16;
	if (chunk == NULL || chunk->size - chunk->used < size)
	{
		size_t		room = size > CHUNK_SIZE ? size : CHUNK_SIZE;

		chunk = us_cql_resize(&arena->memory, NULL, sizeof(UsCqlChunk) + room);
		if (chunk == NULL)
			return NULL;
		chunk->next = arena->chunks;
		chunk->size = room;
		chunk->used = 0;
		arena->chunks = chunk;
	}
	memory = chunk->data + chunk->used;
	chunk->used += size;
	memset(memory, 0, size);
	return memory;
}

void
us_cql_arena_reset(UsCqlArena *arena)
{
	UsCqlChunk *chunk = arena->chunks;

	if (chunk == NULL)
		return;
	while (chunk->next != NULL)
	{
		UsCqlChunk *next = chunk->next;

		us_cql_free(&arena->memory, chunk);
		chunk = next;
	}
	chunk->used = 0;
	arena->chunks = chunk;
}

void
us_cql_arena_free(UsCqlArena *arena)
{
	us_cql_arena_reset(arena);
	us_cql_free(&arena->memory, arena->chunks);
	arena->chunks = NULL;
}
