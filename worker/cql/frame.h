/*-------------------------------------------------------------------------
 * worker/cql/frame.h
 *    a stream of bytes <-> envelopes, in segments (v5) or bare (v4)
 *
 * Knows no socket: bytes received are put into the framer in whatever
 * portions they come, and envelopes are asked for.
 *-------------------------------------------------------------------------
 */
#ifndef US_CQL_FRAME_H
#define US_CQL_FRAME_H

#include "worker/cql/buf.h"

#define US_CQL_ENVELOPE_HEADER	9	/* bytes */
#define US_CQL_SEGMENT_PAYLOAD	131071	/* bytes, 17 bits */
#define US_CQL_MAX_ENVELOPE		(256u * 1024 * 1024)	/* bytes of a body, by the specification */

/* flags of an envelope */
#define US_CQL_FLAG_COMPRESSED	0x01
#define US_CQL_FLAG_TRACING		0x02
#define US_CQL_FLAG_PAYLOAD		0x04
#define US_CQL_FLAG_WARNING		0x08

typedef enum UsCqlOpcode
{
	US_CQL_ERROR = 0x00,
	US_CQL_STARTUP = 0x01,
	US_CQL_READY = 0x02,
	US_CQL_AUTHENTICATE = 0x03,
	US_CQL_OPTIONS = 0x05,
	US_CQL_SUPPORTED = 0x06,
	US_CQL_QUERY = 0x07,
	US_CQL_RESULT = 0x08,
	US_CQL_PREPARE = 0x09,
	US_CQL_EXECUTE = 0x0a,
	US_CQL_REGISTER = 0x0b,
	US_CQL_EVENT = 0x0c,
	US_CQL_BATCH = 0x0d,
	US_CQL_AUTH_CHALLENGE = 0x0e,
	US_CQL_AUTH_RESPONSE = 0x0f,
	US_CQL_AUTH_SUCCESS = 0x10
} UsCqlOpcode;

/*
 * Shape:   version u8 (| 0x80 from the server) | flags u8 | stream i16 | opcode u8 | length i32 |
 *          body, big-endian
 * Source:  CQL native protocol v5, section 3
 */
typedef struct UsCqlEnvelope
{
	uint8_t		version;		/* 3 .. 6, without the direction bit */
	uint8_t		flags;			/* US_CQL_FLAG_* */
	int16_t		stream;			/* -1: an event of the server */
	uint8_t		opcode;			/* UsCqlOpcode, or one we do not know */
	UsCqlBytes	body;			/* data never NULL */
} UsCqlEnvelope;

/* CRC24 of a segment's header: len 3 or 5 bytes, the first one first */
extern uint32_t us_cql_crc24(const uint8_t *data, size_t len);

/* CRC32 of a segment's payload (zlib's, after the four bytes that the protocol puts first) */
extern uint32_t us_cql_crc32(const uint8_t *data, size_t len);

/* header of a request; us_cql_envelope_close fills in the length; returns a mark for it */
extern size_t us_cql_envelope_open(UsCqlWriter *writer, int version, int stream,
								   UsCqlOpcode opcode);
extern void us_cql_envelope_close(UsCqlWriter *writer, size_t mark);

/*
 * us_cql_write_segments -- whole envelopes -> v5 segments, uncompressed
 *
 * In:      envelopes, one after the other, each whole
 * Out:     appended to writer: as many envelopes per segment as go in; one
 *          that is larger than a segment goes alone into several
 * Shape:   payload length 17 bits, self-contained 1 bit, 6 bits 0 (3 bytes) | CRC24 (3) |
 *          payload | CRC32 (4), little-endian
 * Source:  CQL native protocol v5, section 2.1
 */
extern void us_cql_write_segments(UsCqlWriter *writer, const uint8_t *envelopes, size_t len);

typedef enum UsCqlFrameResult
{
	US_CQL_FRAME_MORE = 0,		/* bytes are wanted */
	US_CQL_FRAME_ENVELOPE,
	US_CQL_FRAME_BROKEN			/* sticks; status and error say why */
} UsCqlFrameResult;

/*
 * in:  0 .. done -- taken | done .. in.len -- not looked at
 * Within a self-contained segment payload_end is where its payload ends, and
 * done lies in it; otherwise 0.
 */
typedef struct UsCqlFramer
{
	UsCqlWriter in;
	size_t		done;
	size_t		payload_end;
	UsCqlWriter parts;			/* the envelope that comes in several segments */
	bool		parts_taken;	/* parts was given out and is to be emptied */
	bool		segments;		/* v5, after the answer to STARTUP */
	uint32_t	max_body;		/* bytes of an envelope's body that are accepted */
	UsCqlStatus status;			/* of a broken one */
	const char *error;			/* a constant; NULL unless broken */
} UsCqlFramer;

/* max_body in bytes, 0 = the specification's; memory may be NULL */
extern void us_cql_framer_init(UsCqlFramer *framer, const UsCqlMemory *memory, uint32_t max_body);
extern void us_cql_framer_free(UsCqlFramer *framer);

/*
 * us_cql_framer_room -- where bytes received go
 *
 * Out:     *room bytes that may be written there, at least 64 kB; NULL = no memory
 *          Ends the life of the envelope given out last.
 */
extern uint8_t *us_cql_framer_room(UsCqlFramer *framer, size_t *room);

/* so many bytes were written there */
extern void us_cql_framer_received(UsCqlFramer *framer, size_t len);

/*
 * us_cql_framer_next -- the next envelope
 *
 * Out:     envelope, whose body lies in the framer until the next call
 * Errors:  wrong checksum, a length over the cap, an envelope cut by its segment,
 *          no direction bit: BROKEN for good, the connection is to be closed
 */
extern UsCqlFrameResult us_cql_framer_next(UsCqlFramer *framer, UsCqlEnvelope *envelope);

#endif							/* US_CQL_FRAME_H */
