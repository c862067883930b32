/*-------------------------------------------------------------------------
 * worker/cql/frame.c
 *    a stream of bytes <-> envelopes, in segments (v5) or bare (v4)
 *
 * A self-contained segment's envelopes are given out where they lie; only an
 * envelope that comes in several segments is put together elsewhere.  There
 * is no way back into step after a wrong checksum, so it ends the connection.
 *-------------------------------------------------------------------------
 */
#include "worker/cql/frame.h"

#define SEGMENT_HEADER	6		/* bytes: 3, and 3 of CRC24 */
#define SEGMENT_TRAILER	4		/* bytes of CRC32 */
#define SELF_CONTAINED	(1u << 17)
#define RESPONSE		0x80	/* direction bit of the version byte */

#define MIN_ROOM		65536	/* bytes offered to a read */
#define KEEP_CAPACITY	(1024 * 1024)	/* bytes kept by an idle buffer */

/* init value and polynomial of the specification, section 2.3 */
#define CRC24_INIT		0x875060u
#define CRC24_POLY		0x1974f0bu

/* zlib's CRC32 of FA 2D 55 CA, which precede every payload */
#define CRC32_INIT		0x44777ed3u
#define CRC32_POLY		0xedb88320u

uint32_t
us_cql_crc24(const uint8_t *data, size_t len)
{
	uint32_t	crc = CRC24_INIT;

	for (size_t i = 0; i < len; i++)
	{
		crc ^= (uint32_t) data[i] << 16;
		for (int bit = 0; bit < 8; bit++)
		{
			crc <<= 1;
			if (crc & 0x1000000u)
				crc ^= CRC24_POLY;
		}
	}
	return crc;
}

/* eight bytes at a time; the tables are made once per process (there are no threads) */
static uint32_t crc32_table[8][256];

static void
make_crc32_table(void)
{
	for (uint32_t byte = 0; byte < 256; byte++)
	{
		uint32_t	crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = (crc >> 1) ^ (crc & 1 ? CRC32_POLY : 0);
		crc32_table[0][byte] = crc;
	}
	for (int i = 1; i < 8; i++)
	{
		for (uint32_t byte = 0; byte < 256; byte++)
		{
			uint32_t	crc = crc32_table[i - 1][byte];

			crc32_table[i][byte] = (crc >> 8) ^ crc32_table[0][crc & 0xff];
		}
	}
}

static inline uint32_t
load_le32(const uint8_t *at)
{
	return (uint32_t) at[3] << 24 | (uint32_t) at[2] << 16 | (uint32_t) at[1] << 8 | at[0];
}

static inline uint32_t
load_le24(const uint8_t *at)
{
	return (uint32_t) at[2] << 16 | (uint32_t) at[1] << 8 | at[0];
}

uint32_t
us_cql_crc32(const uint8_t *data, size_t len)
{
	uint32_t	crc = ~CRC32_INIT;

	if (crc32_table[0][1] == 0)
		make_crc32_table();
	for (; len >= 8; len -= 8, data += 8)
	{
		uint32_t	low = crc ^ load_le32(data);
		uint32_t	high = load_le32(data + 4);

		crc = crc32_table[7][low & 0xff] ^ crc32_table[6][low >> 8 & 0xff] ^
			crc32_table[5][low >> 16 & 0xff] ^ crc32_table[4][low >> 24] ^
			crc32_table[3][high & 0xff] ^ crc32_table[2][high >> 8 & 0xff] ^
			crc32_table[1][high >> 16 & 0xff] ^ crc32_table[0][high >> 24];
	}
	for (; len > 0; len--, data++)
		crc = (crc >> 8) ^ crc32_table[0][(crc ^ *data) & 0xff];
	return ~crc;
}

size_t
us_cql_envelope_open(UsCqlWriter *writer, int version, int stream, UsCqlOpcode opcode)
{
	us_cql_put_u8(writer, (uint8_t) version);
	us_cql_put_u8(writer, 0);
	us_cql_put_u16(writer, (uint16_t) stream);
	us_cql_put_u8(writer, (uint8_t) opcode);
	return us_cql_open(writer);
}

void
us_cql_envelope_close(UsCqlWriter *writer, size_t mark)
{
	us_cql_close(writer, mark);
}

static void
put_le(UsCqlWriter *writer, uint32_t value, int nbytes)
{
	for (int i = 0; i < nbytes; i++)
		us_cql_put_u8(writer, (uint8_t) (value >> (8 * i)));
}

static void
write_segment(UsCqlWriter *writer, const uint8_t *payload, size_t len, bool self_contained)
{
	uint32_t	header = (uint32_t) len | (self_contained ? SELF_CONTAINED : 0);
	uint8_t		bytes[3] = {(uint8_t) header, (uint8_t) (header >> 8), (uint8_t) (header >> 16)};

	us_cql_put_raw(writer, bytes, sizeof(bytes));
	put_le(writer, us_cql_crc24(bytes, sizeof(bytes)), 3);
	us_cql_put_raw(writer, payload, len);
	put_le(writer, us_cql_crc32(payload, len), 4);
}

void
us_cql_write_segments(UsCqlWriter *writer, const uint8_t *envelopes, size_t len)
{
	size_t		start = 0;		/* of the segment being filled */
	size_t		at = 0;			/* of the envelope looked at */

	while (at < len)
	{
		size_t		size = US_CQL_ENVELOPE_HEADER + us_cql_load_u32(envelopes + at + 5);

		if (at + size - start > US_CQL_SEGMENT_PAYLOAD && at > start)
		{
			write_segment(writer, envelopes + start, at - start, true);
			start = at;
		}
		at += size;
		while (size > US_CQL_SEGMENT_PAYLOAD && start < at)
		{
			size_t		part = at - start;

			if (part > US_CQL_SEGMENT_PAYLOAD)
				part = US_CQL_SEGMENT_PAYLOAD;
			write_segment(writer, envelopes + start, part, false);
			start += part;
		}
	}
	if (start < len)
		write_segment(writer, envelopes + start, len - start, true);
}

void
us_cql_framer_init(UsCqlFramer *framer, const UsCqlMemory *memory, uint32_t max_body)
{
	memset(framer, 0, sizeof(*framer));
	framer->max_body = US_CQL_MAX_ENVELOPE;
	if (max_body > 0 && max_body < US_CQL_MAX_ENVELOPE)
		framer->max_body = max_body;
	/* what is waiting may be a whole envelope and the first bytes of the next */
	us_cql_writer_init(&framer->in, memory, (size_t) framer->max_body + 2 * KEEP_CAPACITY);
	us_cql_writer_init(&framer->parts, memory, (size_t) framer->max_body + KEEP_CAPACITY);
}

void
us_cql_framer_free(UsCqlFramer *framer)
{
	us_cql_writer_free(&framer->in);
	us_cql_writer_free(&framer->parts);
}

static UsCqlFrameResult
broken(UsCqlFramer *framer, UsCqlStatus status, const char *error)
{
	if (framer->error == NULL)
	{
		framer->status = status;
		framer->error = error;
	}
	return US_CQL_FRAME_BROKEN;
}

/* what was put together has been given out */
static void
forget_parts(UsCqlFramer *framer)
{
	if (!framer->parts_taken)
		return;
	framer->parts_taken = false;
	us_cql_writer_reset(&framer->parts);
	if (framer->parts.capacity > KEEP_CAPACITY)
		us_cql_writer_free(&framer->parts);
}

uint8_t *
us_cql_framer_room(UsCqlFramer *framer, size_t *room)
{
	UsCqlWriter *in = &framer->in;

	*room = 0;
	forget_parts(framer);
	if (framer->done > 0)
	{
		memmove(in->data, in->data + framer->done, in->len - framer->done);
		in->len -= framer->done;
		if (framer->payload_end > 0)
			framer->payload_end -= framer->done;
		framer->done = 0;
	}
	if (in->len == 0 && in->capacity > KEEP_CAPACITY)
		us_cql_writer_free(in);
	if (!us_cql_room(in, MIN_ROOM))
	{
		(void) broken(framer, in->status, us_cql_status_text(in->status));
		return NULL;
	}
	*room = in->capacity - in->len;
	return in->data + in->len;
}

void
us_cql_framer_received(UsCqlFramer *framer, size_t len)
{
	framer->in.len += len;
}

/* the header at data; the length may be more than is there */
static UsCqlFrameResult
read_header(UsCqlFramer *framer, const uint8_t *data, UsCqlEnvelope *envelope)
{
	uint32_t	len = us_cql_load_u32(data + 5);

	if (!(data[0] & RESPONSE))
		return broken(framer, US_CQL_MALFORMED, "not an answer of the CQL protocol");
	if (len > INT32_MAX)
		return broken(framer, US_CQL_MALFORMED, "envelope of negative length");
	if (len > framer->max_body)
		return broken(framer, US_CQL_TOO_LARGE, "envelope larger than the limit");
	envelope->version = data[0] & ~RESPONSE;
	envelope->flags = data[1];
	envelope->stream = (int16_t) us_cql_load_u16(data + 2);
	envelope->opcode = data[4];
	envelope->body.data = data + US_CQL_ENVELOPE_HEADER;
	envelope->body.len = len;
	return US_CQL_FRAME_ENVELOPE;
}

/* an envelope in the bytes from done to end */
static UsCqlFrameResult
next_bare(UsCqlFramer *framer, size_t end, UsCqlEnvelope *envelope)
{
	size_t		have = end - framer->done;

	if (have < US_CQL_ENVELOPE_HEADER)
		return US_CQL_FRAME_MORE;
	if (read_header(framer, framer->in.data + framer->done, envelope) == US_CQL_FRAME_BROKEN)
		return US_CQL_FRAME_BROKEN;
	if (have - US_CQL_ENVELOPE_HEADER < envelope->body.len)
		return US_CQL_FRAME_MORE;
	framer->done += US_CQL_ENVELOPE_HEADER + envelope->body.len;
	return US_CQL_FRAME_ENVELOPE;
}

/* the next of a self-contained segment, which must end where an envelope ends */
static UsCqlFrameResult
next_of_segment(UsCqlFramer *framer, UsCqlEnvelope *envelope)
{
	UsCqlFrameResult result = next_bare(framer, framer->payload_end, envelope);

	if (result == US_CQL_FRAME_MORE)
		return broken(framer, US_CQL_MALFORMED, "segment ends within an envelope");
	if (result == US_CQL_FRAME_ENVELOPE && framer->done == framer->payload_end)
	{
		framer->done += SEGMENT_TRAILER;
		framer->payload_end = 0;
	}
	return result;
}

/* one more part of a large envelope */
static UsCqlFrameResult
add_part(UsCqlFramer *framer, const uint8_t *payload, size_t len, UsCqlEnvelope *envelope)
{
	UsCqlWriter *parts = &framer->parts;
	size_t		whole;

	us_cql_put_raw(parts, payload, len);
	if (parts->status != US_CQL_OK)
		return broken(framer, parts->status, us_cql_status_text(parts->status));
	if (parts->len < US_CQL_ENVELOPE_HEADER)
		return US_CQL_FRAME_MORE;
	if (read_header(framer, parts->data, envelope) == US_CQL_FRAME_BROKEN)
		return US_CQL_FRAME_BROKEN;
	whole = US_CQL_ENVELOPE_HEADER + envelope->body.len;
	if (parts->len > whole)
		return broken(framer, US_CQL_MALFORMED, "segment goes on after its envelope");
	if (parts->len < whole)
		return US_CQL_FRAME_MORE;
	framer->parts_taken = true;
	return US_CQL_FRAME_ENVELOPE;
}

static UsCqlFrameResult
next_segment(UsCqlFramer *framer, UsCqlEnvelope *envelope)
{
	size_t		have = framer->in.len - framer->done;
	const uint8_t *data;
	uint32_t	header;
	size_t		len;

	if (have < SEGMENT_HEADER)
		return US_CQL_FRAME_MORE;
	data = framer->in.data + framer->done;
	header = load_le24(data);
	if (us_cql_crc24(data, 3) != load_le24(data + 3))
		return broken(framer, US_CQL_MALFORMED, "wrong checksum of a segment's header");
	len = header & US_CQL_SEGMENT_PAYLOAD;
	if (have < SEGMENT_HEADER + len + SEGMENT_TRAILER)
		return US_CQL_FRAME_MORE;
	data += SEGMENT_HEADER;
	if (us_cql_crc32(data, len) != load_le32(data + len))
		return broken(framer, US_CQL_MALFORMED, "wrong checksum of a segment's payload");

	if (!(header & SELF_CONTAINED))
	{
		framer->done += SEGMENT_HEADER + len + SEGMENT_TRAILER;
		return add_part(framer, data, len, envelope);
	}
	if (framer->parts.len > 0)
		return broken(framer, US_CQL_MALFORMED, "segment between the parts of an envelope");
	framer->done += SEGMENT_HEADER;
	if (len > 0)
		framer->payload_end = framer->done + len;
	else
		framer->done += SEGMENT_TRAILER;
	return US_CQL_FRAME_MORE;
}

UsCqlFrameResult
us_cql_framer_next(UsCqlFramer *framer, UsCqlEnvelope *envelope)
{
	if (framer->error != NULL)
		return US_CQL_FRAME_BROKEN;
	forget_parts(framer);
	if (!framer->segments)
		return next_bare(framer, framer->in.len, envelope);
	while (true)
	{
		size_t		before = framer->done;
		UsCqlFrameResult result;

		if (framer->payload_end > 0)
			return next_of_segment(framer, envelope);
		result = next_segment(framer, envelope);
		/* a segment was opened, or was a part: look at what follows */
		if (result != US_CQL_FRAME_MORE || framer->done == before)
			return result;
	}
}
