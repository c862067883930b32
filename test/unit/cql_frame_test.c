/*-------------------------------------------------------------------------
 * test/unit/cql_frame_test.c
 *    envelopes and segments: the specification's bytes, in any portions, and broken
 *
 * The vectors were made by another implementation (the Python driver).
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/cql_help.h"

#define OPTIONS_SEGMENT	"090002 a4c8c1 050000000500000000 1086284d"
#define AUTH_SEGMENT \
	"210002 21628d 050000010f00000018 00000014 0063617373616e647261 0063617373616e647261 ddb9db3a"

static void
test_vectors(void)
{
	UsCqlWriter writer;
	UsCqlBytes	bytes;

	us_cql_writer_init(&writer, NULL, 0);
	bytes = cql_hex("090002");
	tap_is(us_cql_crc24(bytes.data, 3), 0xc1c8a4, "CRC24 of a header");
	bytes = cql_hex("ffff01");
	tap_is(us_cql_crc24(bytes.data, 3), 0xfe9138, "CRC24 of the header of 131,071 bytes");
	bytes = cql_hex("050000000500000000");
	tap_is(us_cql_crc32(bytes.data, bytes.len), 0x4d288610, "CRC32 of a payload");
	tap_is(us_cql_crc32(NULL, 0), 0x44777ed3, "CRC32 of an empty payload");

	us_cql_write_options(&writer, 5, 0);
	bytes.data = malloc(writer.len);
	bytes.len = writer.len;
	memcpy((void *) bytes.data, writer.data, writer.len);
	us_cql_writer_reset(&writer);
	us_cql_write_segments(&writer, bytes.data, bytes.len);
	free((void *) bytes.data);
	cql_is_bytes(&writer, OPTIONS_SEGMENT, "OPTIONS in a segment");

	us_cql_write_plain(&writer, 5, 1, "cassandra", "cassandra");
	bytes.data = malloc(writer.len);
	bytes.len = writer.len;
	memcpy((void *) bytes.data, writer.data, writer.len);
	us_cql_writer_reset(&writer);
	us_cql_write_segments(&writer, bytes.data, bytes.len);
	free((void *) bytes.data);
	cql_is_bytes(&writer, AUTH_SEGMENT, "AUTH_RESPONSE in a segment");
	us_cql_writer_free(&writer);
}

/* CRC32 eight bytes at a time is the one of a byte at a time */
static void
test_crc32_lengths(void)
{
	uint8_t		data[70];
	int			wrong = 0;

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t) (i * 37 + 11);
	for (size_t len = 0; len < sizeof(data); len++)
	{
		uint32_t	crc = ~0x44777ed3u;

		for (size_t i = 0; i < len; i++)
		{
			crc ^= data[i];
			for (int bit = 0; bit < 8; bit++)
				crc = (crc >> 1) ^ (crc & 1 ? 0xedb88320u : 0);
		}
		wrong += us_cql_crc32(data, len) != ~crc;
	}
	tap_is(wrong, 0, "CRC32 of every length from 0 to 69");
}

static void
feed(UsCqlFramer *framer, const uint8_t *data, size_t len)
{
	while (len > 0)
	{
		size_t		room;
		uint8_t    *at = us_cql_framer_room(framer, &room);
		size_t		n = len < room ? len : room;

		if (at == NULL)
			return;
		memcpy(at, data, n);
		us_cql_framer_received(framer, n);
		data += n;
		len -= n;
	}
}

/* an answer whose body tells its number and is so long */
static void
put_answer(UsCqlWriter *writer, int version, int number, size_t len)
{
	size_t		mark = us_cql_envelope_open(writer, version | 0x80, number, US_CQL_RESULT);

	for (size_t i = 0; i < len; i++)
		us_cql_put_u8(writer, (uint8_t) (number + i * 7));
	us_cql_envelope_close(writer, mark);
}

static bool
answer_is(const UsCqlEnvelope *envelope, int number, size_t len)
{
	if (envelope->stream != number || envelope->opcode != US_CQL_RESULT ||
		envelope->body.len != len)
		return false;
	for (size_t i = 0; i < len; i++)
	{
		if (envelope->body.data[i] != (uint8_t) (number + i * 7))
			return false;
	}
	return true;
}

/* how many of the n answers came out right, the bytes being cut at one place */
static int
count_right(const UsCqlWriter *bytes, size_t cut, bool segments, const size_t *lens, int n)
{
	UsCqlFramer framer;
	UsCqlEnvelope envelope;
	int			right = 0;

	us_cql_framer_init(&framer, NULL, 0);
	framer.segments = segments;
	for (int part = 0; part < 2; part++)
	{
		if (part == 0)
			feed(&framer, bytes->data, cut);
		else
			feed(&framer, bytes->data + cut, bytes->len - cut);
		while (us_cql_framer_next(&framer, &envelope) == US_CQL_FRAME_ENVELOPE)
			right += right < n && answer_is(&envelope, right, lens[right]);
	}
	if (framer.error != NULL || us_cql_framer_next(&framer, &envelope) != US_CQL_FRAME_MORE)
		right = -1;
	us_cql_framer_free(&framer);
	return right;
}

/* byte by byte */
static int
count_trickled(const UsCqlWriter *bytes, bool segments, const size_t *lens, int n)
{
	UsCqlFramer framer;
	UsCqlEnvelope envelope;
	int			right = 0;

	us_cql_framer_init(&framer, NULL, 0);
	framer.segments = segments;
	for (size_t i = 0; i < bytes->len; i++)
	{
		feed(&framer, bytes->data + i, 1);
		while (us_cql_framer_next(&framer, &envelope) == US_CQL_FRAME_ENVELOPE)
			right += right < n && answer_is(&envelope, right, lens[right]);
	}
	us_cql_framer_free(&framer);
	return right;
}

static void
test_every_cut(bool segments)
{
	static const size_t lens[] = {0, 1, 300, 17, 4, 0, 90};
	const int	n = sizeof(lens) / sizeof(lens[0]);
	UsCqlWriter envelopes;
	UsCqlWriter bytes;
	int			wrong = 0;

	us_cql_writer_init(&envelopes, NULL, 0);
	us_cql_writer_init(&bytes, NULL, 0);
	for (int i = 0; i < n; i++)
	{
		put_answer(&envelopes, segments ? 5 : 4, i, lens[i]);
		/* two segments, the first with several envelopes */
		if (segments && (i == 4 || i == n - 1))
		{
			us_cql_write_segments(&bytes, envelopes.data, envelopes.len);
			us_cql_writer_reset(&envelopes);
		}
	}
	if (!segments)
		us_cql_put_raw(&bytes, envelopes.data, envelopes.len);
	for (size_t cut = 0; cut <= bytes.len; cut++)
		wrong += count_right(&bytes, cut, segments, lens, n) != n;
	tap_is(wrong, 0, "cut in two at every byte, %s", segments ? "v5" : "v4");
	tap_is(count_trickled(&bytes, segments, lens, n), n, "one byte at a time, %s",
		   segments ? "v5" : "v4");
	us_cql_writer_free(&envelopes);
	us_cql_writer_free(&bytes);
}

/* envelopes about as large as a segment, and much larger ones between small ones */
static void
test_large(void)
{
	static const size_t lens[] = {100, 131062, 131063, 131061, 5, 400000, 131071 * 2 - 9, 3,
	262144, 1};
	const int	n = sizeof(lens) / sizeof(lens[0]);
	UsCqlWriter envelopes;
	UsCqlWriter bytes;
	size_t		cuts[] = {0, 1, 5, 6, 131000, 131081, 131082, 262144, 500000};

	us_cql_writer_init(&envelopes, NULL, 0);
	us_cql_writer_init(&bytes, NULL, 0);
	for (int i = 0; i < n; i++)
		put_answer(&envelopes, 5, i, lens[i]);
	us_cql_write_segments(&bytes, envelopes.data, envelopes.len);
	for (size_t i = 0; i < sizeof(cuts) / sizeof(cuts[0]); i++)
		tap_is(count_right(&bytes, cuts[i], true, lens, n), n, "large envelopes, cut at %zu", cuts[i]);
	us_cql_writer_free(&envelopes);
	us_cql_writer_free(&bytes);
}

static UsCqlFrameResult
result_of(const uint8_t *data, size_t len, bool segments, uint32_t max_body, const char **error)
{
	UsCqlFramer framer;
	UsCqlEnvelope envelope;
	UsCqlFrameResult result;

	us_cql_framer_init(&framer, NULL, max_body);
	framer.segments = segments;
	feed(&framer, data, len);
	do
		result = us_cql_framer_next(&framer, &envelope);
	while (result == US_CQL_FRAME_ENVELOPE);
	*error = framer.error;
	us_cql_framer_free(&framer);
	return result;
}

static void
is_broken(const char *hex, bool segments, const char *why)
{
	UsCqlBytes	bytes = cql_hex(hex);
	const char *error;

	tap_is(result_of(bytes.data, bytes.len, segments, 1000, &error), US_CQL_FRAME_BROKEN,
		   "broken: %s", why);
	if (error == NULL || strcmp(error, why) != 0)
		tap_ok(false, "the reason is told: %s", error != NULL ? error : "none");
}

/* one bit wrong anywhere in a segment: never an envelope from it */
static void
test_flipped_bits(void)
{
	UsCqlWriter envelope;
	UsCqlWriter bytes;
	int			accepted = 0;
	int			broken = 0;

	us_cql_writer_init(&envelope, NULL, 0);
	us_cql_writer_init(&bytes, NULL, 0);
	put_answer(&envelope, 5, 1, 40);
	us_cql_write_segments(&bytes, envelope.data, envelope.len);
	for (size_t bit = 0; bit < bytes.len * 8; bit++)
	{
		UsCqlFramer framer;
		UsCqlEnvelope got;

		bytes.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
		us_cql_framer_init(&framer, NULL, 0);
		framer.segments = true;
		feed(&framer, bytes.data, bytes.len);
		accepted += us_cql_framer_next(&framer, &got) == US_CQL_FRAME_ENVELOPE;
		broken += framer.error != NULL;
		us_cql_framer_free(&framer);
		bytes.data[bit / 8] ^= (uint8_t) (1 << bit % 8);
	}
	tap_is(accepted, 0, "no segment with a flipped bit is accepted");
	tap_is(broken, (long long) bytes.len * 8, "each of them ends the connection");
	us_cql_writer_free(&envelope);
	us_cql_writer_free(&bytes);
}

static void
test_broken(void)
{
	UsCqlWriter bytes;
	UsCqlBytes	payload;
	char		hex[200];
	const char *error;

	is_broken("040000000200000000", false, "not an answer of the CQL protocol");
	is_broken("8400000002ffffffff", false, "envelope of negative length");
	is_broken("8400000002000003e9", false, "envelope larger than the limit");
	is_broken("090002a4c8c2", true, "wrong checksum of a segment's header");
	is_broken("090002a4c8c1 050000000500000000 1086284e", true,
			  "wrong checksum of a segment's payload");

	/* a self-contained segment that holds an envelope and the half of another */
	us_cql_writer_init(&bytes, NULL, 0);
	payload = cql_hex("850000000200000000 8500");
	us_cql_write_segments(&bytes, payload.data, 9);
	tap_is(bytes.len, 19, "a segment is 10 bytes and its payload");
	us_cql_writer_reset(&bytes);
	payload = cql_hex("0b0002");
	sprintf(hex, "0b0002 %02x%02x%02x 850000000200000000 8500 ",
			us_cql_crc24(payload.data, 3) & 0xff, us_cql_crc24(payload.data, 3) >> 8 & 0xff,
			us_cql_crc24(payload.data, 3) >> 16);
	payload = cql_hex("850000000200000000 8500");
	sprintf(hex + strlen(hex), "%02x%02x%02x%02x",
			us_cql_crc32(payload.data, 11) & 0xff, us_cql_crc32(payload.data, 11) >> 8 & 0xff,
			us_cql_crc32(payload.data, 11) >> 16 & 0xff, us_cql_crc32(payload.data, 11) >> 24);
	is_broken(hex, true, "segment ends within an envelope");
	us_cql_writer_free(&bytes);

	payload = cql_hex("840000000200000003 aabb");
	tap_is(result_of(payload.data, payload.len, false, 1000, &error), US_CQL_FRAME_MORE,
		   "a truncated envelope is waited for");
	payload = cql_hex("0000026a36c4d37e7744 0000026a36c4d37e7744");
	tap_is(result_of(payload.data, payload.len, true, 1000, &error), US_CQL_FRAME_MORE,
		   "empty segments are nothing");
}

/* a segment with right checksums, self-contained or a part */
static void
put_segment(UsCqlWriter *writer, const uint8_t *data, size_t len, bool self_contained)
{
	uint8_t		header[3] = {(uint8_t) len, (uint8_t) (len >> 8), self_contained ? 0x02 : 0x00};
	uint32_t	crc = us_cql_crc24(header, 3);

	us_cql_put_raw(writer, header, 3);
	for (int i = 0; i < 3; i++)
		us_cql_put_u8(writer, (uint8_t) (crc >> (8 * i)));
	us_cql_put_raw(writer, data, len);
	crc = us_cql_crc32(data, len);
	for (int i = 0; i < 4; i++)
		us_cql_put_u8(writer, (uint8_t) (crc >> (8 * i)));
}

/* an envelope in parts: small ones will do, but nothing may come between or after */
static void
test_parts(void)
{
	UsCqlWriter envelope;
	UsCqlWriter bytes;
	const char *error;
	size_t		lens[] = {40, 3};

	us_cql_writer_init(&envelope, NULL, 0);
	us_cql_writer_init(&bytes, NULL, 0);
	put_answer(&envelope, 5, 0, 40);
	put_answer(&envelope, 5, 1, 3);
	put_segment(&bytes, envelope.data, 4, false);
	put_segment(&bytes, envelope.data + 4, 20, false);
	put_segment(&bytes, envelope.data + 24, 25, false);
	put_segment(&bytes, envelope.data + 49, 12, true);
	tap_is(count_right(&bytes, 30, true, lens, 2), 2, "an envelope in three parts, then one of its own");

	us_cql_writer_reset(&bytes);
	put_segment(&bytes, envelope.data, 20, false);
	put_segment(&bytes, envelope.data + 49, 12, true);
	tap_is(result_of(bytes.data, bytes.len, true, 0, &error), US_CQL_FRAME_BROKEN,
		   "an envelope between the parts of another");
	us_cql_writer_reset(&bytes);
	put_segment(&bytes, envelope.data, 20, false);
	put_segment(&bytes, envelope.data + 20, 30, false);
	tap_is(result_of(bytes.data, bytes.len, true, 0, &error), US_CQL_FRAME_BROKEN,
		   "a part that goes on after its envelope");
	us_cql_writer_free(&envelope);
	us_cql_writer_free(&bytes);
}

/* a large length alone must not cost memory */
static void
test_claims(void)
{
	CqlMemory	memory;
	UsCqlMemory functions = cql_memory(&memory);
	UsCqlFramer framer;
	UsCqlEnvelope envelope;
	UsCqlBytes	header = cql_hex("84000000080fffffff 00");

	us_cql_framer_init(&framer, &functions, 0);
	feed(&framer, header.data, header.len);
	tap_is(us_cql_framer_next(&framer, &envelope), US_CQL_FRAME_MORE, "268,435,455 bytes are announced");
	tap_ok(framer.in.capacity <= 131072, "and nothing is allocated for them yet");
	us_cql_framer_free(&framer);
	tap_is(memory.live, 0, "all is freed");

	memory.fail_at = 0;
	us_cql_framer_init(&framer, &functions, 0);
	feed(&framer, header.data, header.len);
	tap_is(us_cql_framer_next(&framer, &envelope), US_CQL_FRAME_BROKEN, "no memory is a failure");
	tap_is(framer.status, US_CQL_NO_MEMORY, "that says so");
	us_cql_framer_free(&framer);
}

int
main(void)
{
	test_vectors();
	test_crc32_lengths();
	test_every_cut(false);
	test_every_cut(true);
	test_large();
	test_flipped_bits();
	test_broken();
	test_parts();
	test_claims();
	return tap_done();
}
