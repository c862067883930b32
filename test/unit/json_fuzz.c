/*-------------------------------------------------------------------------
 * test/unit/json_fuzz.c
 *    any bytes -> the decoder says of them what PostgreSQL's parser says
 *
 * Built with libFuzzer (make fuzz), and without it as a test that runs the
 * files of corpus/json (make check).  PostgreSQL's own
 * parser judges the grammar; the escapes that only jsonb looks at are judged
 * here, in the plainest way.
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"

#include "extension/compat.h"
#include "test/unit/fuzz.h"
#include "test/unit/message.h"

#define MAX_BYTES	4096		/* PostgreSQL's parser recurses */

static const char paths[] = "a a.b a.b.c a.0 a.1.b b 0 0.0 c key.key";

/* the code unit of \uXXXX at text, -1 if there is none */
static int
code_unit(const char *text, const char *end)
{
	unsigned int unit;
	char		digits[5] = {0};

	if (end - text < 6 || text[0] != '\\' || text[1] != 'u')
		return -1;
	memcpy(digits, text + 2, 4);
	return sscanf(digits, "%4x", &unit) == 1 ? (int) unit : -1;
}

/* of text that is valid but for what \u stands for: is that something? */
static bool
escapes_are_good(const char *text, size_t len)
{
	const char *end = text + len;

	while (text < end)
	{
		int			unit;

		if (*text != '\\')
		{
			text++;
			continue;
		}
		unit = code_unit(text, end);
		if (unit < 0)
		{
			text += 2;
			continue;
		}
		if (unit == 0 || (unit >= 0xdc00 && unit <= 0xdfff))
			return false;
		text += 6;
		if (unit >= 0xd800 && unit <= 0xdbff)
		{
			unit = code_unit(text, end);
			if (unit < 0xdc00 || unit > 0xdfff)
				return false;
			text += 6;
		}
	}
	return true;
}

static UsDecodeResult
judge(const char *text, size_t len)
{
	JsonLexContext lex;

	if (strspn(text, " \t\r\n") == len)
		return US_DECODE_EMPTY;
	if (pg_encoding_verifymbstr(PG_UTF8, text, (int) len) != (int) len)
		return US_DECODE_BAD_ENCODING;
	us_json_lexer_start(&lex, text, len);
	if (pg_parse_json(&lex, &nullSemAction) != JSON_SUCCESS || !escapes_are_good(text, len))
		return US_DECODE_INVALID;
	return text[strspn(text, " \t\r\n")] == '{' ? US_DECODE_OK : US_DECODE_NOT_OBJECT;
}

/* a value's text lies in the message or in the decoder's chunks, and is of its kind */
static bool
value_is_good(const UsDecoder *decoder, const UsValue *value, const char *text, size_t len)
{
	bool		inside;

	if (value->kind == US_VALUE_ABSENT)
		return true;
	inside = (value->data >= text && value->data + value->len <= text + len);
	for (const UsTextChunk *chunk = decoder->chunks; chunk != NULL; chunk = chunk->next)
		inside = inside || (value->data >= chunk->data &&
							value->data + value->len <= chunk->data + chunk->used);
	if (!inside || pg_encoding_verifymbstr(PG_UTF8, value->data, value->len) != (int) value->len)
		return false;
	if (value->kind == US_VALUE_NUMBER)
		return IsValidJsonNumber(value->data, value->len);
	if (value->kind == US_VALUE_OBJECT || value->kind == US_VALUE_ARRAY)
	{
		char	   *copy = pnstrdup(value->data, value->len);
		UsDecodeResult result = judge(copy, value->len);

		pfree(copy);
		return result == (value->kind == US_VALUE_OBJECT ? US_DECODE_OK : US_DECODE_NOT_OBJECT);
	}
	return true;
}

/* NULL, or what is wrong */
static const char *
judge_decoder(UsDecoder *decoder, const char *bytes, size_t len)
{
	static UsValue values[32];
	const char *wrong = NULL;
	char	   *text = message_create(bytes, len);
	char	   *terminated = malloc(len + 1);
	UsDecodeResult expected;
	UsDecodeResult got;

	memcpy(terminated, bytes, len);
	terminated[len] = '\0';
	expected = judge(terminated, len);
	us_decoder_reset(decoder);
	got = decode_every_way(decoder, text, len, values);
	if (got != expected && !(got == US_DECODE_UNSURE && expected == US_DECODE_OK))
		wrong = result_name(got);
	for (int i = 0; got <= US_DECODE_UNSURE && i < decoder->paths->nfields; i++)
	{
		if (!value_is_good(decoder, &values[i], text, len))
			wrong = "a bad value";
	}
	message_free(text, len);
	free(terminated);
	return wrong;
}

static const char *
judge_input(const uint8_t *data, size_t len)
{
	static UsDecoder *decoder;

	if (decoder == NULL)
		decoder = decoder_for(paths);
	return judge_decoder(decoder, (const char *) data, len);
}

const FuzzTarget fuzz_target = {"json", "the decoder agrees with the parser", MAX_BYTES, 0, judge_input};

#ifndef FUZZ

int
main(void)
{
	return fuzz_corpus();
}

#endif
