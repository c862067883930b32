/*-------------------------------------------------------------------------
 * worker/decode.h
 *    bytes of a message -> values at the wanted paths
 *
 * Pure: builds in the server and, with FRONTEND, in the unit tests; raises
 * nothing.  A decoder of JSON accepts a message only when PostgreSQL's own
 * ::jsonb accepts it.  Where it is not sure (depth, huge numbers ...) it says
 * US_DECODE_UNSURE and the caller lets jsonb decide; when it refuses, the
 * caller asks jsonb for the error text, so that both always agree.  What a
 * format itself has to say about a message is US_DECODE_REFUSED.
 *-------------------------------------------------------------------------
 */
#ifndef US_DECODE_H
#define US_DECODE_H

#include "worker/path.h"

typedef enum UsValueKind
{
	US_VALUE_ABSENT = 0,		/* the message has no such field */
	US_VALUE_NULL,
	US_VALUE_STRING,			/* data: the string, de-escaped, without quotes */
	US_VALUE_NUMBER,			/* data: the number as ->> gives it: exponent worked out, no -0;
								 * when the result is US_DECODE_UNSURE, perhaps as written */
	US_VALUE_TRUE,
	US_VALUE_FALSE,
	US_VALUE_OBJECT,			/* data: the JSON text with its braces, as written */
	US_VALUE_ARRAY,				/* data: the JSON text with its brackets, as written */
	US_VALUE_BINARY				/* data: not aligned, in the form that its path asks for */
} UsValueKind;

/* bytes are the message's own, or the decoder's until us_decoder_reset */
typedef struct UsValue
{
	const char *data;			/* not NUL-terminated */
	uint32		len;			/* bytes */
	UsValueKind kind;
} UsValue;

typedef enum UsDecodeResult
{
	US_DECODE_OK = 0,
	US_DECODE_UNSURE,			/* values are filled, but ask jsonb first whether it accepts */
	US_DECODE_EMPTY,			/* no bytes, or blanks only */
	US_DECODE_BAD_ENCODING,		/* not UTF-8, or a zero byte */
	US_DECODE_INVALID,			/* not JSON, or JSON that jsonb refuses (\u0000 ...) */
	US_DECODE_NOT_OBJECT,		/* valid JSON, but not an object */
	US_DECODE_REMOVED,			/* the row of the message's key has to go */
	US_DECODE_REFUSED			/* the decoder's error says why */
} UsDecodeResult;

/* texts are UTF-8, constants or the decoder's until its next message */
typedef struct UsDecodeError
{
	const char *sqlstate;
	const char *message;
	const char *detail;			/* NULL = none */
	const char *hint;			/* NULL = none */
	int			field;			/* that it is about; -1 = none */
} UsDecodeError;

typedef struct UsDecoder UsDecoder;
typedef struct UsCsv UsCsv;		/* worker/csv.h */

/* the format's function: fills values[0 .. paths->nfields), all of them */
typedef UsDecodeResult (*UsDecodeFunction) (UsDecoder *decoder,
											const char *data, size_t len,
											UsValue *values);

/* a message as JSON, in its own bytes or those of the decoder: US_DECODE_OK or US_DECODE_REFUSED */
typedef UsDecodeResult (*UsDocumentFunction) (UsDecoder *decoder,
											  const char *data, size_t len,
											  const char **text, size_t *text_len);

/* what is the same for all messages of a format */
typedef struct UsFormat
{
	const char *name;			/* as create_stream takes it */
	UsDecodeFunction decode;
	UsDocumentFunction document;	/* NULL: a message is nothing that jsonb could hold */
	UsDocumentFunction key;		/* of a key behind the number of a schema; NULL: keys are JSON */
	bool		has_fields;		/* else the value is one whole, for @value */
	bool		is_json;		/* document gives bytes of the message, which jsonb judges */
	bool		is_event;		/* the row lies in the event's "after", its key also in "before" */
	bool		strings_are_text;	/* for the type's input function, also where that is json */
	bool		needs_schemas;	/* decoders are given them */
} UsFormat;

/* a chunk of de-escaped strings; chunks are kept and reused */
typedef struct UsTextChunk
{
	struct UsTextChunk *next;
	size_t		size;			/* bytes in data */
	size_t		used;
	char		data[FLEXIBLE_ARRAY_MEMBER];
} UsTextChunk;

struct UsDecoder
{
	const UsFormat *format;
	UsDecodeFunction decode;	/* the format's */
	const UsPathSet *paths;
	struct UsSchemas *schemas;	/* of formats that need them, given by the caller; else NULL */
	UsTextChunk *chunks;		/* first chunk; de-escaped strings live here */
	UsTextChunk *chunk;			/* the one being filled */
	UsDecodeError error;		/* of US_DECODE_REFUSED */
	bool		unknown;		/* false: paths took all of the last message; true: perhaps not */
	const UsCsv *csv;			/* format csv: set before the first message */
	void	   *state;			/* the format's own; NULL until the first message */
};

/* NULL for a format that does not exist */
extern const UsFormat *us_format_find(const char *name);

/*
 * us_decoder_create -- a decoder for a format
 *
 * In:      paths must outlive the decoder
 * Returns: NULL for a format that does not exist.  What the decoder needs
 *          later comes from the memory context that is current now.
 */
extern UsDecoder *us_decoder_create(const char *format, const UsPathSet *paths);

/*
 * us_decoder_refuse -- set the error, as printf does its message
 *
 * In:      field  -1 = none
 *          hint   a constant, or NULL
 * Returns: US_DECODE_REFUSED
 */
extern UsDecodeResult us_decoder_refuse(UsDecoder *decoder, int field, const char *sqlstate,
										const char *hint, const char *message,...)
			__attribute__((format(printf, 5, 6)));

/* bytes of a text that an error shows, at most so many of it, whole characters */
extern int	us_decoder_clip(const char *text, size_t len);

/* the number before a value, as schemas.h has it; US_DECODE_OK or US_DECODE_REFUSED */
extern UsDecodeResult us_decoder_frame(UsDecoder *decoder, const char *data, size_t len,
									   int32 *id);

/* forgets the de-escaped strings; once per batch */
extern void us_decoder_reset(UsDecoder *decoder);

/* room for a string until the next reset; for decoders */
extern char *us_decoder_text(UsDecoder *decoder, size_t len);

/* gives back the last bytes of what us_decoder_text gave last */
extern void us_decoder_text_trim(UsDecoder *decoder, size_t spare);

/* worker/decode_json.c */
extern UsDecodeResult us_decode_json(UsDecoder *decoder, const char *data, size_t len,
									 UsValue *values);

/* worker/decode_avro.c */
extern UsDecodeResult us_decode_avro(UsDecoder *decoder, const char *data, size_t len,
									 UsValue *values);
extern UsDecodeResult us_document_avro(UsDecoder *decoder, const char *data, size_t len,
									   const char **text, size_t *text_len);
extern UsDecodeResult us_key_avro(UsDecoder *decoder, const char *data, size_t len,
								  const char **text, size_t *text_len);

#endif							/* US_DECODE_H */
