/*-------------------------------------------------------------------------
 * worker/decode.c
 *    formats by name, and the memory of de-escaped strings
 *
 * Most strings of a message need no copy: a value points into the message.
 * The few that do are put one after another into chunks that stay from batch
 * to batch.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "worker/alloc.h"
#include "worker/csv.h"
#include "worker/debezium.h"
#include "worker/decode.h"
#include "worker/schemas.h"

#define CHUNK_BYTES			(64 * 1024) /* usual size of a chunk */
#define CHUNK_KEEP_BYTES	(1024 * 1024)	/* a larger one is given back at reset */
#define SHOWN_BYTES			80	/* of a value, in an error */
#define ERROR_BYTES			512 /* room for a message with two such values */
#define KEEP_BYTES			(4 * 1024 * 1024)	/* all that is kept over a reset */

/* nothing in it has a path */
static UsDecodeResult
decode_opaque(UsDecoder *decoder, const char *data, size_t len, UsValue *values)
{
	(void) data;
	(void) len;

	for (int i = 0; i < decoder->paths->nfields; i++)
		values[i].kind = US_VALUE_ABSENT;
	return US_DECODE_OK;
}

static UsDecodeResult
document_json(UsDecoder *decoder, const char *data, size_t len, const char **text, size_t *text_len)
{
	(void) decoder;

	*text = data;
	*text_len = len;
	return US_DECODE_OK;
}

UsDecodeResult
us_decoder_frame(UsDecoder *decoder, const char *data, size_t len, int32 *id)
{
	if (us_frame_read(data, len, id))
		return US_DECODE_OK;
	if (len == 0)
		return us_decoder_refuse(decoder, -1, "22P02", NULL, "message is empty");
	if (data[0] == 0)
		return us_decoder_refuse(decoder, -1, "22P02", NULL,
								 "message ends before the number of its schema is complete");
	return us_decoder_refuse(decoder, -1, "22P02", NULL,
							 "message begins with byte %d, not with the 0 of a schema registry",
							 (unsigned char) data[0]);
}

/* JSON behind the number of a schema, which is not looked at */
static UsDecodeResult
decode_json_sr(UsDecoder *decoder, const char *data, size_t len, UsValue *values)
{
	int32		id;

	if (us_decoder_frame(decoder, data, len, &id) != US_DECODE_OK)
		return US_DECODE_REFUSED;
	return us_decode_json(decoder, data + US_FRAME_BYTES, len - US_FRAME_BYTES, values);
}

static UsDecodeResult
document_json_sr(UsDecoder *decoder, const char *data, size_t len,
				 const char **text, size_t *text_len)
{
	int32		id;

	if (us_decoder_frame(decoder, data, len, &id) != US_DECODE_OK)
		return US_DECODE_REFUSED;
	return document_json(decoder, data + US_FRAME_BYTES, len - US_FRAME_BYTES, text, text_len);
}

static const UsFormat formats[] = {
	{.name = "json", .decode = us_decode_json, .document = document_json, .has_fields = true,
	.is_json = true},
	{.name = "json_sr", .decode = decode_json_sr, .document = document_json_sr, .key = document_json_sr,
	.has_fields = true, .is_json = true},
	{.name = "csv", .decode = us_decode_csv, .has_fields = true, .strings_are_text = true},
	{.name = "avro", .decode = us_decode_avro, .document = us_document_avro, .key = us_key_avro,
	.has_fields = true, .needs_schemas = true},
	{.name = "debezium", .decode = us_decode_debezium, .document = document_json,
	.has_fields = true, .is_json = true, .is_event = true, .strings_are_text = true},
	{.name = "text", .decode = decode_opaque},
	{.name = "bytes", .decode = decode_opaque},
};

const UsFormat *
us_format_find(const char *name)
{
	for (size_t i = 0; i < lengthof(formats); i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

UsDecoder *
us_decoder_create(const char *format, const UsPathSet *paths)
{
	const UsFormat *found = us_format_find(format);
	UsDecoder  *decoder;

	if (found == NULL)
		return NULL;
	decoder = palloc0(sizeof(UsDecoder));
	decoder->format = found;
	decoder->decode = found->decode;
	decoder->paths = paths;
	return decoder;
}

int
us_decoder_clip(const char *text, size_t len)
{
	if (len <= SHOWN_BYTES)
		return (int) len;
	len = SHOWN_BYTES;
	while (len > 0 && ((unsigned char) text[len] & 0xc0) == 0x80)
		len--;
	return (int) len;
}

UsDecodeResult
us_decoder_refuse(UsDecoder *decoder, int field, const char *sqlstate, const char *hint,
				  const char *message,...)
{
	char	   *text = us_decoder_text(decoder, ERROR_BYTES);
	va_list		args;

	va_start(args, message);
	vsnprintf(text, ERROR_BYTES, message, args);
	va_end(args);
	decoder->error = (UsDecodeError) {sqlstate, text, NULL, hint, field};
	return US_DECODE_REFUSED;
}

void
us_decoder_reset(UsDecoder *decoder)
{
	UsTextChunk **link = &decoder->chunks;
	size_t		kept = 0;

	while (*link != NULL)
	{
		UsTextChunk *chunk = *link;

		if (chunk->size > CHUNK_KEEP_BYTES || kept + chunk->size > KEEP_BYTES)
		{
			*link = chunk->next;
			pfree(chunk);
			continue;
		}
		kept += chunk->size;
		chunk->used = 0;
		link = &chunk->next;
	}
	decoder->chunk = decoder->chunks;
}

/* the next chunk with room for len bytes: one that is kept, or a new one */
static void
next_chunk(UsDecoder *decoder, size_t len)
{
	UsTextChunk *last = decoder->chunk;
	UsTextChunk *chunk = last != NULL ? last->next : decoder->chunks;

	/* chunks after the current one are empty; one too small stays for later */
	if (chunk == NULL || chunk->size < len)
	{
		size_t		size = Max(len, CHUNK_BYTES);

		chunk = us_alloc_beside(decoder, offsetof(UsTextChunk, data) + size);
		chunk->size = size;
		chunk->used = 0;
		if (last != NULL)
		{
			chunk->next = last->next;
			last->next = chunk;
		}
		else
		{
			chunk->next = decoder->chunks;
			decoder->chunks = chunk;
		}
	}
	decoder->chunk = chunk;
}

char *
us_decoder_text(UsDecoder *decoder, size_t len)
{
	UsTextChunk *chunk = decoder->chunk;
	char	   *text;

	if (chunk == NULL || chunk->size - chunk->used < len)
	{
		next_chunk(decoder, len);
		chunk = decoder->chunk;
	}
	text = chunk->data + chunk->used;
	chunk->used += len;
	return text;
}

void
us_decoder_text_trim(UsDecoder *decoder, size_t spare)
{
	decoder->chunk->used -= spare;
}
