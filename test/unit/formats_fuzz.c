/*-------------------------------------------------------------------------
 * test/unit/formats_fuzz.c
 *    any bytes -> events of Debezium, keys of them and lines of CSV: an answer
 *    each, the same one again, and values that are texts
 *
 * Built with libFuzzer (make fuzz), and without it as a test that runs the
 * files of corpus/formats, also with each byte left out (make check).
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "mb/pg_wchar.h"
#include "test/unit/fuzz.h"
#include "test/unit/message.h"
#include "worker/csv.h"
#include "worker/debezium.h"

#define MAX_BYTES	4096
#define NDECODERS	3

static UsDecoder *decoders[NDECODERS];

static UsDecoder *
create(const char *format, char *const *names, int count)
{
	UsPathSet  *paths = us_path_set_create();

	for (int i = 0; i < count; i++)
	{
		char	   *steps[2] = {"after", names[i]};
		bool		is_event = strcmp(format, "debezium") == 0;

		(void) us_path_set_add(paths, is_event ? steps : steps + 1, is_event ? 2 : 1);
	}
	if (strcmp(format, "csv") != 0)
		us_debezium_add_paths(paths, strcmp(format, "debezium") == 0);
	return us_decoder_create(strcmp(format, "key") == 0 ? "json" : format, paths);
}

static void
create_all(void)
{
	static char *names[] = {"a", "b", "c"};
	static int	fields[] = {0, 1, -1};
	static UsCsv csv = {.ncolumns = 3, .names = names, .fields = fields};

	decoders[0] = create("debezium", names, 3);
	decoders[1] = create("key", names, 3);
	decoders[1]->decode = us_decode_debezium_key;
	decoders[2] = create("csv", names, 2);
	us_csv_dialect(&csv, NULL, NULL, "~", NULL);
	decoders[2]->csv = &csv;
}

/* whole characters, so that all of a value is read */
static bool
is_text(const UsValue *value)
{
	return value->kind <= US_VALUE_NULL ||
		pg_encoding_verifymbstr(PG_UTF8, value->data, (int) value->len) == (int) value->len;
}

/* NULL, or what is wrong */
static const char *
judge(UsDecoder *decoder, const char *bytes, size_t len)
{
	UsValue		first[16];
	UsValue		second[16];
	char	   *text = message_create(bytes, len);
	const char *wrong = NULL;
	UsDecodeResult result;

	us_decoder_reset(decoder);
	result = decoder->decode(decoder, text, len, first);
	/* the second time with what is kept of the first */
	if (decoder->decode(decoder, text, len, second) != result)
		wrong = "another answer for the same bytes";
	if (result == US_DECODE_REFUSED && (strlen(decoder->error.sqlstate) != 5 ||
										strlen(decoder->error.message) == 0))
		wrong = "refused without a word";
	for (int i = 0; result <= US_DECODE_UNSURE && wrong == NULL && i < decoder->paths->nfields; i++)
	{
		if (!is_text(&first[i]) || !is_text(&second[i]))
			wrong = "a value that is no text";
		else if (first[i].kind != second[i].kind ||
				 (first[i].kind > US_VALUE_NULL &&
				  (first[i].len != second[i].len ||
				   memcmp(first[i].data, second[i].data, first[i].len) != 0)))
			wrong = "another value for the same bytes";
	}
	message_free(text, len);
	return wrong;
}

static const char *
judge_all(const char *bytes, size_t len)
{
	const char *wrong = NULL;

	if (decoders[0] == NULL)
		create_all();
	for (int i = 0; i < NDECODERS && wrong == NULL; i++)
		wrong = judge(decoders[i], bytes, len);
	return wrong;
}

static const char *
judge_input(const uint8_t *data, size_t len)
{
	return judge_all((const char *) data, len);
}

const FuzzTarget fuzz_target = {"formats", "the decoders agree with themselves", MAX_BYTES, 0, judge_input};

#ifndef FUZZ

int
main(void)
{
	return fuzz_corpus();
}

#endif
