/*-------------------------------------------------------------------------
 * test/unit/message.h
 *    messages for the decoder's tests, placed where reading past them is seen
 *-------------------------------------------------------------------------
 */
#ifndef US_TEST_MESSAGE_H
#define US_TEST_MESSAGE_H

#include <stddef.h>

#include "worker/decode.h"

/*
 * A copy of len bytes that ends where the next byte cannot be read.  The
 * sanitizer does not look into PostgreSQL's own library, the page does.
 */
extern char *message_create(const char *bytes, size_t len);
extern void message_free(char *message, size_t len);

/* a JSON decoder for dotted paths, given as one string with blanks between */
extern UsDecoder *decoder_for(const char *paths);

/*
 * Decodes by every way of finding marks that the processor has, and aborts
 * when they do not agree.  best has room for decoder->paths->nfields values,
 * those of the best way.
 */
extern UsDecodeResult decode_every_way(UsDecoder *decoder, const char *data, size_t len,
									   UsValue *best);

/* decodes a copy of len bytes; the values of the last call, until the next one */
extern UsDecodeResult decode_bytes(UsDecoder *decoder, const char *bytes, size_t len);
extern const UsValue *decoded(int field);

extern const char *result_name(UsDecodeResult result);
extern const char *kind_name(UsValueKind kind);

#endif							/* US_TEST_MESSAGE_H */
