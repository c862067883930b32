/*-------------------------------------------------------------------------
 * test/unit/avro_fuzz.c
 *    any bytes as an Avro message, and as a schema: refused, or good JSON
 *
 * Built with libFuzzer (make fuzz), and without it as a test of a few thousand
 * random inputs (make check).  What is taken as values can be taken as JSON,
 * unless only what no path wants is wrong, and is JSON to another parser.
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "common/jsonapi.h"
#include "extension/compat.h"
#include "mb/pg_wchar.h"
#include "test/unit/avro_help.h"
#include "test/unit/fuzz.h"
#include "test/unit/message.h"
#include "test/unit/tap.h"
#include "worker/json_tree.h"

#define MAX_BYTES	4096

/* every kind of type, and one that holds itself */
static const char everything[] =
"{\"type\":\"record\",\"name\":\"r\",\"fields\":["
"{\"name\":\"c\",\"type\":{\"type\":\"enum\",\"name\":\"e\",\"symbols\":[\"A\",\"B\"]}},"
"{\"name\":\"u\",\"type\":[\"null\",\"boolean\",\"int\",\"long\",\"float\",\"double\",\"bytes\",\"string\",\"e\",\"r\","
"{\"type\":\"array\",\"items\":\"r\"},{\"type\":\"map\",\"values\":\"r\"},{\"type\":\"array\",\"items\":\"null\"},"
"{\"type\":\"bytes\",\"logicalType\":\"decimal\",\"precision\":9,\"scale\":3},{\"type\":\"int\",\"logicalType\":\"date\"},"
"{\"type\":\"long\",\"logicalType\":\"time-micros\"},{\"type\":\"long\",\"logicalType\":\"timestamp-millis\"},"
"{\"type\":\"long\",\"logicalType\":\"timestamp-nanos\"},{\"type\":\"long\",\"logicalType\":\"local-timestamp-micros\"},"
"{\"type\":\"fixed\",\"name\":\"f\",\"size\":12,\"logicalType\":\"duration\"},"
"{\"type\":\"fixed\",\"name\":\"g\",\"size\":16,\"logicalType\":\"uuid\"}]},"
"{\"name\":\"m\",\"type\":{\"type\":\"map\",\"values\":[\"null\",\"string\",\"r\"]}}]}";

static const char paths[] = "c u u.c u.u.c u.0.u u.1 u.k.c m m.k m.k.c m.k.u";

/* PostgreSQL's own parser, which wants the NUL behind */
static bool
is_json(const char *text, size_t len)
{
	JsonLexContext lex;
	char	   *copy = malloc(len + 1);
	bool		good;

	memcpy(copy, text, len);
	copy[len] = '\0';
	us_json_lexer_start(&lex, (const char *) copy, len);
	good = pg_parse_json(&lex, &nullSemAction) == JSON_SUCCESS &&
		pg_encoding_verifymbstr(PG_UTF8, copy, (int) len) == (int) len;
	free(copy);
	return good;
}

/* NULL, or what is wrong */
static const char *
judge_value(const UsValue *value)
{
	if (value->kind <= US_VALUE_NULL)
		return NULL;
	if (pg_encoding_verifymbstr(PG_UTF8, value->data, (int) value->len) != (int) value->len)
		return "a value that is not UTF-8";
	if (value->kind != US_VALUE_STRING && !is_json(value->data, value->len))
		return "a value that is not JSON";
	return NULL;
}

static const char *
judge_message(UsDecoder *decoder, const char *message, size_t len)
{
	UsValue		values[32];
	const char *wrong = NULL;
	const char *text;
	size_t		text_len;
	UsDecodeResult result;

	us_decoder_reset(decoder);
	result = decoder->decode(decoder, message, len, values);
	if (result != US_DECODE_OK && result != US_DECODE_REFUSED)
		return "another result than OK or REFUSED";
	if (result == US_DECODE_REFUSED &&
		(strlen(decoder->error.sqlstate) != 5 || decoder->error.message[0] == '\0'))
		return "a refusal without words";
	for (int i = 0; result == US_DECODE_OK && wrong == NULL && i < decoder->paths->nfields; i++)
		wrong = judge_value(&values[i]);
	if (wrong != NULL)
		return wrong;

	if (decoder->format->document(decoder, message, len, &text, &text_len) == US_DECODE_OK)
	{
		if (result != US_DECODE_OK)
			return "JSON of a message that was refused";
		if (!is_json(text, text_len))
			return "a document that is not JSON";
	}
	return NULL;
}

/* the same message by decoders that are asked for each of the forms */
static const char *
judge_forms(UsDecoder *decoder, const char *message, size_t len)
{
	static UsDecoder *others[AVRO_FORMS];
	UsValue		texts[32];
	UsValue		values[32];
	UsDecodeResult result;

	us_decoder_reset(decoder);
	result = decoder->decode(decoder, message, len, texts);
	for (UsForm form = US_FORM_TEXT + 1; form < AVRO_FORMS; form++)
	{
		if (others[form] == NULL)
		{
			others[form] = avro_decoder(everything, paths);
			avro_ask_form(others[form], form);
		}
		us_decoder_reset(others[form]);
		if (others[form]->decode(others[form], message, len, values) != result)
			return "a message that is good or not by the form of its values";
		if (result == US_DECODE_REFUSED &&
			strcmp(decoder->error.message, others[form]->error.message) != 0)
			return "a refusal for another reason";
		for (int i = 0; result == US_DECODE_OK && i < decoder->paths->nfields; i++)
			if (!avro_same_value(form, &values[i], &texts[i]))
				return "a value that is another one in another form";
	}
	return NULL;
}

static const char *
judge(const char *bytes, size_t len)
{
	static UsDecoder *decoder;
	char	   *framed = malloc(len + US_FRAME_BYTES);
	char	   *message;
	char	   *schema = malloc(len + 1);
	const char *text = schema;
	const char *wrong;
	char		error[US_SCHEMA_ERROR_BYTES];

	if (decoder == NULL)
		decoder = avro_decoder(everything, paths);
	memcpy(framed, "\0\0\0\0\7", US_FRAME_BYTES);
	memcpy(framed + US_FRAME_BYTES, bytes, len);
	message = message_create(framed, len + US_FRAME_BYTES);
	wrong = judge_message(decoder, message, len + US_FRAME_BYTES);
	if (wrong == NULL)
		wrong = judge_forms(decoder, message, len + US_FRAME_BYTES);
	message_free(message, len + US_FRAME_BYTES);
	free(framed);

	memcpy(schema, bytes, len);
	schema[len] = '\0';
	if (us_avro_schema_parse(&text, 1, error, sizeof(error)) == NULL && error[0] == '\0')
		wrong = "a bad schema without words";
	free(schema);
	return wrong;
}

static const char *
judge_input(const uint8_t *data, size_t len)
{
	return judge((const char *) data, len);
}

const FuzzTarget fuzz_target = {"avro", "is refused, or good", MAX_BYTES, 0, judge_input};

#ifndef FUZZ

int
main(void)
{
	uint32		state = 1;
	const char *wrong = NULL;

	for (int round = 0; round < 20000 && wrong == NULL; round++)
	{
		char		bytes[64];
		size_t		len = 0;
		size_t		wanted;

		state = state * 1664525 + 1013904223;
		wanted = state >> 26;
		for (; len < wanted; len++)
		{
			state = state * 1664525 + 1013904223;
			/* small numbers are lengths and branches that exist */
			bytes[len] = (char) ((state >> 8) % 4 == 0 ? state >> 24 : (state >> 24) % 44);
		}
		wrong = judge(bytes, len);
	}
	if (!tap_ok(wrong == NULL, "random messages are refused, or good"))
		tap_note("%s", wrong);
	wrong = judge(everything, sizeof(everything) - 1);
	tap_ok(wrong == NULL, "so is a schema");
	return tap_done();
}

#endif
