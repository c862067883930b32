/*-------------------------------------------------------------------------
 * worker/cql/buf.h
 *    bytes being written and bytes being read, both within bounds
 *
 * Everything of the CQL client that touches bytes goes through these two.
 * An error sticks, so that a caller writes or reads a whole structure and
 * asks once at its end.  Nothing here aborts: memory that cannot be had is
 * a status like any other.
 *-------------------------------------------------------------------------
 */
#ifndef US_CQL_BUF_H
#define US_CQL_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* what went wrong first */
typedef enum UsCqlStatus
{
	US_CQL_OK = 0,
	US_CQL_NO_MEMORY,
	US_CQL_TOO_LARGE,			/* more bytes than the limit of the writer, or of the protocol */
	US_CQL_BAD_VALUE,			/* a value that its CQL type cannot hold */
	US_CQL_MALFORMED,			/* bytes received are not what the protocol says */
	US_CQL_NOT_READY,			/* the connection takes no request (yet, or any more) */
	US_CQL_BUSY					/* all stream ids of the connection are taken */
} UsCqlStatus;

/* a status for people: a constant, lower case */
extern const char *us_cql_status_text(UsCqlStatus status);

/*
 * Where memory comes from.  resize is as realloc, but with size 0 it frees and
 * gives NULL; on failure it gives NULL and leaves the old memory alone.
 * resize = NULL means the C library's.
 */
typedef struct UsCqlMemory
{
	void	   *(*resize) (void *arg, void *pointer, size_t size);
	void	   *arg;
} UsCqlMemory;

extern void *us_cql_resize(const UsCqlMemory *memory, void *pointer, size_t size);
extern void us_cql_free(const UsCqlMemory *memory, void *pointer);

/*
 * A writer.  0 .. len -- written | len .. capacity -- room
 * After an error nothing more is written, and status says what was first.
 */
typedef struct UsCqlWriter
{
	uint8_t    *data;
	size_t		len;			/* bytes */
	size_t		capacity;		/* bytes */
	size_t		limit;			/* bytes that len never passes */
	UsCqlStatus status;
	const char *why;			/* of US_CQL_BAD_VALUE, for people: a constant; NULL = not known */
	UsCqlMemory memory;
} UsCqlWriter;

/* empty, allocates nothing; memory may be NULL; limit in bytes, 0 = 256 MB */
extern void us_cql_writer_init(UsCqlWriter *writer, const UsCqlMemory *memory, size_t limit);

/* empty again, no error, memory kept for the next use */
extern void us_cql_writer_reset(UsCqlWriter *writer);

extern void us_cql_writer_free(UsCqlWriter *writer);

/* the first error sticks */
extern void us_cql_writer_fail(UsCqlWriter *writer, UsCqlStatus status);

/* fails with US_CQL_BAD_VALUE; why says of the value what is wrong: "it is infinite", a constant */
extern void us_cql_writer_refuse(UsCqlWriter *writer, const char *why);

/* makes room for more bytes, at least doubling; false = error, status says which */
extern bool us_cql_writer_grow(UsCqlWriter *writer, size_t more);

/* room for so many more bytes at data + len; false after an error */
static inline bool
us_cql_room(UsCqlWriter *writer, size_t more)
{
	if (writer->status == US_CQL_OK && writer->capacity - writer->len >= more)
		return true;
	return us_cql_writer_grow(writer, more);
}

static inline void
us_cql_store_u16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t) (value >> 8);
	at[1] = (uint8_t) value;
}

static inline void
us_cql_store_u32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t) (value >> 24);
	at[1] = (uint8_t) (value >> 16);
	at[2] = (uint8_t) (value >> 8);
	at[3] = (uint8_t) value;
}

static inline void
us_cql_put_u8(UsCqlWriter *writer, uint8_t value)
{
	if (us_cql_room(writer, 1))
		writer->data[writer->len++] = value;
}

static inline void
us_cql_put_u16(UsCqlWriter *writer, uint16_t value)
{
	if (us_cql_room(writer, 2))
	{
		us_cql_store_u16(writer->data + writer->len, value);
		writer->len += 2;
	}
}

static inline void
us_cql_put_u32(UsCqlWriter *writer, uint32_t value)
{
	if (us_cql_room(writer, 4))
	{
		us_cql_store_u32(writer->data + writer->len, value);
		writer->len += 4;
	}
}

static inline void
us_cql_put_u64(UsCqlWriter *writer, uint64_t value)
{
	if (us_cql_room(writer, 8))
	{
		us_cql_store_u32(writer->data + writer->len, (uint32_t) (value >> 32));
		us_cql_store_u32(writer->data + writer->len + 4, (uint32_t) value);
		writer->len += 8;
	}
}

/* bytes without a length before them */
static inline void
us_cql_put_raw(UsCqlWriter *writer, const void *data, size_t len)
{
	if (len > 0 && us_cql_room(writer, len))
	{
		memcpy(writer->data + writer->len, data, len);
		writer->len += len;
	}
}

/* [string]: u16 length | bytes; longer than 65,535 is US_CQL_TOO_LARGE */
extern void us_cql_put_string(UsCqlWriter *writer, const char *text, size_t len);

/* a string of C, NUL-terminated, as [string] */
extern void us_cql_put_cstring(UsCqlWriter *writer, const char *text);

/* [long string] and [bytes]: i32 length | bytes; longer than 2^31 - 1 is US_CQL_TOO_LARGE */
extern void us_cql_put_long_bytes(UsCqlWriter *writer, const void *data, size_t len);

/*
 * A length that is known only after what it counts: us_cql_open leaves room
 * for an i32 and says where, us_cql_close fills in the bytes written since.
 */
extern size_t us_cql_open(UsCqlWriter *writer);
extern void us_cql_close(UsCqlWriter *writer, size_t mark);

/* bytes seen, not owned; data NULL = null (len 0) */
typedef struct UsCqlBytes
{
	const uint8_t *data;
	size_t		len;
} UsCqlBytes;

/*
 * A reader.  Reading past the end sets failed and gives zeros and empty
 * bytes from then on; nothing is ever read beyond end.
 */
typedef struct UsCqlReader
{
	const uint8_t *at;
	const uint8_t *end;
	bool		failed;
} UsCqlReader;

static inline void
us_cql_reader_init(UsCqlReader *reader, const void *data, size_t len)
{
	/* never NULL, so that adding 0 to it is defined */
	reader->at = data != NULL ? data : (const void *) "";
	reader->end = reader->at + (data != NULL ? len : 0);
	reader->failed = false;
}

/* bytes not read yet; 0 after an error */
static inline size_t
us_cql_left(const UsCqlReader *reader)
{
	return reader->failed ? 0 : (size_t) (reader->end - reader->at);
}

/* the next len bytes; NULL = error */
static inline const uint8_t *
us_cql_take(UsCqlReader *reader, size_t len)
{
	const uint8_t *taken = reader->at;

	if (reader->failed || (size_t) (reader->end - reader->at) < len)
	{
		reader->failed = true;
		return NULL;
	}
	reader->at += len;
	return taken;
}

static inline uint16_t
us_cql_load_u16(const uint8_t *at)
{
	return (uint16_t) (at[0] << 8 | at[1]);
}

static inline uint32_t
us_cql_load_u32(const uint8_t *at)
{
	return (uint32_t) at[0] << 24 | (uint32_t) at[1] << 16 | (uint32_t) at[2] << 8 | at[3];
}

static inline uint64_t
us_cql_load_u64(const uint8_t *at)
{
	return (uint64_t) us_cql_load_u32(at) << 32 | us_cql_load_u32(at + 4);
}

static inline uint8_t
us_cql_get_u8(UsCqlReader *reader)
{
	const uint8_t *at = us_cql_take(reader, 1);

	return at != NULL ? *at : 0;
}

static inline uint16_t
us_cql_get_u16(UsCqlReader *reader)
{
	const uint8_t *at = us_cql_take(reader, 2);

	return at != NULL ? us_cql_load_u16(at) : 0;
}

static inline int32_t
us_cql_get_i32(UsCqlReader *reader)
{
	const uint8_t *at = us_cql_take(reader, 4);

	return at != NULL ? (int32_t) us_cql_load_u32(at) : 0;
}

/* [string] and [short bytes]: u16 length | bytes; never null */
extern UsCqlBytes us_cql_get_string(UsCqlReader *reader);

/* [bytes]: i32 length | bytes; a negative length is null */
extern UsCqlBytes us_cql_get_long_bytes(UsCqlReader *reader);

/*
 * Memory for what is decoded from one answer, given back as a whole.  The
 * first chunk is kept from one answer to the next.
 */
typedef struct UsCqlChunk
{
	struct UsCqlChunk *next;
	size_t		size;			/* bytes in data */
	size_t		used;
	_Alignas(16) uint8_t data[];
} UsCqlChunk;

typedef struct UsCqlArena
{
	UsCqlMemory memory;
	UsCqlChunk *chunks;			/* the one being filled first */
} UsCqlArena;

extern void us_cql_arena_init(UsCqlArena *arena, const UsCqlMemory *memory);

/* zeroed, aligned for any type; NULL = no memory */
extern void *us_cql_arena_alloc(UsCqlArena *arena, size_t size);

/* all given out is invalid; one chunk stays */
extern void us_cql_arena_reset(UsCqlArena *arena);
extern void us_cql_arena_free(UsCqlArena *arena);

#endif							/* US_CQL_BUF_H */
