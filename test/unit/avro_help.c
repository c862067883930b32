/*-------------------------------------------------------------------------
 * test/unit/avro_help.c
 *    schemas and messages of Avro, for the tests and the fuzzer
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "datatype/timestamp.h"
#include "test/unit/avro_help.h"
#include "test/unit/message.h"
#include "worker/scalar_text.h"

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

void
avro_ask_form(UsDecoder *decoder, UsForm form)
{
	for (int i = 0; i < decoder->paths->nfields; i++)
		us_path_set_form((UsPathSet *) decoder->paths, i, form);
}

/* the text of a value in a form; zoned: with a zone behind a timestamp */
static int
spell(UsForm form, const UsValue *value, bool zoned, char *text)
{
	const int	epoch_days = POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE;
	int64		number = 0;
	float		single;
	double		real;

	switch (form)
	{
		case US_FORM_UUID:
			return us_text_uuid(value->data, text);
		case US_FORM_BYTES:
			return us_text_bytes(value->data, (int) value->len, text);
		case US_FORM_FLOAT4:
			memcpy(&single, value->data, sizeof(single));
			return us_text_float(single, text);
		case US_FORM_FLOAT8:
			memcpy(&real, value->data, sizeof(real));
			return us_text_double(real, text);
		default:
			memcpy(&number, value->data, sizeof(number));
			return form == US_FORM_DATE ? us_text_date(number + epoch_days, text) :
				form == US_FORM_TIMESTAMP || form == US_FORM_TIMESTAMPTZ ?
				us_text_timestamp(number + epoch_days * USECS_PER_DAY, USECS_PER_SEC, zoned, text) :
				us_text_int(number, text);
	}
}

bool
avro_same_value(UsForm form, const UsValue *value, const UsValue *text)
{
	char	   *spelled;
	bool		zoned = text->len > 6 && memcmp(text->data + text->len - 6, "+00:00", 6) == 0;
	int			len;
	bool		same;

	if (value->kind != US_VALUE_BINARY)
		return value->kind == text->kind && value->len == text->len &&
			(value->len == 0 || memcmp(value->data, text->data, value->len) == 0);
	spelled = palloc((size_t) value->len * 2 + US_TEXT_BYTES);
	len = spell(form, value, zoned, spelled);
	same = (text->kind == US_VALUE_STRING || text->kind == US_VALUE_NUMBER) &&
		len == (int) text->len && memcmp(spelled, text->data, text->len) == 0;
	pfree(spelled);
	return same;
}
