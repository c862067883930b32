/*-------------------------------------------------------------------------
 * test/unit/avro_help.c
 *    schemas and messages of Avro, for the tests and the fuzzer
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "test/unit/avro_help.h"
#include "test/unit/message.h"

#define MAX_BYTES	65536

UsDecoder *
avro_decoder(const char *schema, const char *paths)
{
	UsDecoder  *json = decoder_for(paths);
	UsDecoder  *decoder = us_decoder_create("avro", json->paths);
	char		error[US_SCHEMA_ERROR_BYTES];
	UsAvroSchema *parsed = us_avro_schema_parse(&schema, 1, error, sizeof(error));

	if (parsed == NULL)
	{
		fprintf(stderr, "schema: %s\n", error);
		abort();
	}
	decoder->schemas = us_schemas_create();
	us_schemas_put(decoder->schemas, AVRO_ID, parsed->root, NULL);
	return decoder;
}

size_t
avro_bytes(const char *hex, char *bytes)
{
	size_t		len = 0;
	unsigned int byte;

	for (; *hex != '\0'; hex++)
	{
		if (*hex == ' ')
			continue;
		if (sscanf(hex, "%2x", &byte) != 1 || len == MAX_BYTES)
			abort();
		bytes[len++] = (char) byte;
		hex++;
	}
	return len;
}

/* a page behind it that cannot be read; stays for the values to point into */
static char *
make_message(const char *hex, size_t *len)
{
	static char bytes[MAX_BYTES + US_FRAME_BYTES] = {0, 0, 0, 0, AVRO_ID};

	*len = US_FRAME_BYTES + avro_bytes(hex, bytes + US_FRAME_BYTES);
	return message_create(bytes, *len);
}

UsDecodeResult
avro_decode(UsDecoder *decoder, const char *hex, UsValue *values)
{
	size_t		len;
	char	   *message = make_message(hex, &len);

	us_decoder_reset(decoder);
	memset(values, 0x7f, sizeof(UsValue) * decoder->paths->nfields);
	return decoder->decode(decoder, message, len, values);
}

const char *
avro_json(UsDecoder *decoder, const char *hex)
{
	static char copy[MAX_BYTES];
	size_t		len;
	char	   *message = make_message(hex, &len);
	const char *text;
	size_t		text_len;

	us_decoder_reset(decoder);
	if (decoder->format->document(decoder, message, len, &text, &text_len) != US_DECODE_OK)
		return NULL;
	if (text_len >= sizeof(copy))
		abort();
	memcpy(copy, text, text_len);
	copy[text_len] = '\0';
	return copy;
}
