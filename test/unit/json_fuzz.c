/*-------------------------------------------------------------------------
 * test/unit/json_fuzz.c
 *    any bytes -> the decoder says of them what PostgreSQL's parser says
 *
 * Built with libFuzzer (make fuzz), and without it as a test that runs the
 * files of the folder CORPUS (make check).  PostgreSQL's own
 * parser judges the grammar; the escapes that only jsonb looks at are judged
 * here, in the plainest way.
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include <dirent.h>

#include "common/jsonapi.h"
#include "mb/pg_wchar.h"

#include "extension/compat.h"
#include "test/unit/message.h"
#include "test/unit/tap.h"

#define MAX_BYTES	4096		/* PostgreSQL's parser recurses */

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

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

#ifdef FUZZ

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static UsDecoder *decoder;
	const char *wrong;

	if (decoder == NULL)
		decoder = decoder_for(paths);
	if (len > MAX_BYTES)
		return 0;
	wrong = judge_decoder(decoder, (const char *) data, len);
	if (wrong != NULL)
	{
		fprintf(stderr, "decoder disagrees with the parser: %s\n", wrong);
		abort();
	}
	return 0;
}

#else

static void
test_file(UsDecoder *decoder, const char *folder, const char *name)
{
	char		bytes[MAX_BYTES];
	char		path[MAXPGPATH];
	const char *wrong;
	FILE	   *file;
	size_t		len;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "rb");
	if (!tap_ok(file != NULL, "corpus %s", name))
		return;
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);

	/* as it is, and with each byte left out */
	wrong = judge_decoder(decoder, bytes, len);
	for (size_t at = 0; at < len && wrong == NULL; at++)
	{
		char		without[MAX_BYTES];

		memcpy(without, bytes, at);
		memcpy(without + at, bytes + at + 1, len - at - 1);
		wrong = judge_decoder(decoder, without, len - 1);
	}
	if (!tap_ok(wrong == NULL, "the decoder agrees with the parser"))
		tap_note("decoder said %s", wrong);
}

int
main(void)
{
	const char *folder = getenv("CORPUS");
	DIR		   *dir = opendir(folder != NULL ? folder : "corpus/json");
	struct dirent *entry;

	if (dir == NULL)
	{
		tap_ok(false, "the folder CORPUS can be read");
		return tap_done();
	}
	while ((entry = readdir(dir)) != NULL)
	{
		if (entry->d_name[0] != '.')
			test_file(decoder_for(paths), folder != NULL ? folder : "corpus/json", entry->d_name);
	}
	closedir(dir);
	return tap_done();
}

#endif
