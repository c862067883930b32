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

#include <dirent.h>

#include "mb/pg_wchar.h"
#include "test/unit/message.h"
#include "test/unit/tap.h"
#include "worker/csv.h"
#include "worker/debezium.h"

#define MAX_BYTES	4096
#define NDECODERS	3
#define FOLDER		"corpus/formats"

extern int	LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

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

#ifdef FUZZ

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	const char *wrong = len > MAX_BYTES ? NULL : judge_all((const char *) data, len);

	if (wrong != NULL)
	{
		fprintf(stderr, "%s\n", wrong);
		abort();
	}
	return 0;
}

#else

static void
test_file(const char *name)
{
	char		bytes[MAX_BYTES];
	char		path[MAXPGPATH];
	const char *wrong;
	FILE	   *file;
	size_t		len;

	snprintf(path, sizeof(path), FOLDER "/%s", name);
	file = fopen(path, "rb");
	if (!tap_ok(file != NULL, "corpus %s", name))
		return;
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	wrong = judge_all(bytes, len);
	for (size_t at = 0; at < len && wrong == NULL; at++)
	{
		char		without[MAX_BYTES];

		memcpy(without, bytes, at);
		memcpy(without + at, bytes + at + 1, len - at - 1);
		wrong = judge_all(without, len - 1);
	}
	if (!tap_ok(wrong == NULL, "the decoders agree with themselves"))
		tap_note("%s", wrong);
}

int
main(void)
{
	DIR		   *dir = opendir(FOLDER);
	struct dirent *entry;

	if (dir == NULL)
	{
		tap_ok(false, "the folder " FOLDER " can be read");
		return tap_done();
	}
	while ((entry = readdir(dir)) != NULL)
		if (entry->d_name[0] != '.')
			test_file(entry->d_name);
	closedir(dir);
	return tap_done();
}

#endif
