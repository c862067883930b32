/*-------------------------------------------------------------------------
 * test/unit/paths_fuzz.c
 *    any paths, any message -> what a plain reader finds at each of them
 *
 * Built with libFuzzer (make fuzz), and without it as a test that runs the
 * files of corpus/paths (make check).  The first line of an input is paths
 * with blanks between, what follows is a message.
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "test/unit/fuzz.h"
#include "test/unit/message.h"
#include "test/unit/plain_json.h"

#define MAX_BYTES	4096
#define MAX_PATHS	64

/* one set and one decoder for all inputs: what a set takes lives as long as its stream */
static UsPathSet *set;
static UsDecoder *decoder;

static UsPath paths[MAX_PATHS];
static int	npaths;

static void
forget_paths(void)
{
	for (int i = 0; i < npaths; i++)
		pfree(paths[i].steps);
	npaths = 0;
	for (int i = 1; i < set->nnodes; i++)
		pfree((void *) set->nodes[i].name);
	for (int i = 0; i < set->nnodes; i++)
		if (set->nodes[i].hash != NULL)
			pfree(set->nodes[i].hash);
	set->nodes[0].hash = NULL;
	set->nodes[0].hash_size = set->nodes[0].nchildren = 0;
	set->nodes[0].first_child = set->nodes[0].last_child = set->nodes[0].max_element = -1;
	set->nnodes = 1;
	set->nfields = set->depth = 0;
}

/* NULL, or what is wrong; the steps with dots between are the text */
static const char *
judge_steps(const char *text, const UsPath *path)
{
	for (int i = 0; i < path->nsteps; i++)
	{
		size_t		len = strlen(path->steps[i]);

		if (len == 0 || strncmp(text, path->steps[i], len) != 0 || strchr(path->steps[i], '.'))
			return "a step is not what stands between two dots";
		text += len;
		if (*text != (i + 1 < path->nsteps ? '.' : '\0'))
			return "a path ends elsewhere";
		text++;
	}
	return NULL;
}

/* adds a path, if it is one */
static const char *
take_path(const char *text)
{
	bool		expected = *text != '\0' && *text != '.' && text[strlen(text) - 1] != '.' &&
		strstr(text, "..") == NULL;
	UsPath	   *path = &paths[npaths];
	const char *error = NULL;
	const char *wrong;
	int			field;

	if (us_path_parse(text, path, &error) != expected)
		return "a path is judged wrongly";
	if (!expected)
		return error == NULL ? "a path is refused without a word" : NULL;
	npaths++;
	wrong = judge_steps(text, path);
	if (wrong != NULL)
		return wrong;
	field = us_path_set_add(set, path->steps, path->nsteps);
	if (field < 0 || field >= set->nfields || set->depth < path->nsteps)
		return "a path has no place in its set";
	if (us_path_set_add(set, path->steps, path->nsteps) != field)
		return "a path has two places in its set";
	return NULL;
}

/* as jsonb writes it: only those numbers that it leaves as they are */
static bool
number_stays(const char *text, size_t len)
{
	return memchr(text, 'e', len) == NULL && memchr(text, 'E', len) == NULL &&
		!(len > 1 && text[0] == '-' && text[1] == '0');
}

static const char *
judge_value(const UsValue *value, const char *expected)
{
	static const char first[] = {
		[US_VALUE_NULL] = 'n', [US_VALUE_STRING] = '"', [US_VALUE_TRUE] = 't',
		[US_VALUE_FALSE] = 'f', [US_VALUE_OBJECT] = '{', [US_VALUE_ARRAY] = '['
	};
	size_t		len;
	char	   *text;
	bool		same;

	if (expected == NULL || value->kind == US_VALUE_ABSENT)
		return expected == NULL && value->kind == US_VALUE_ABSENT ? NULL :
			"a value is there for one reader only";
	if (value->kind == US_VALUE_NUMBER ? !strchr("-0123456789", *expected) : *expected != first[value->kind])
		return "a value of another kind";
	len = (size_t) (plain_json_skip(expected) - expected);
	switch (value->kind)
	{
		case US_VALUE_STRING:
			text = malloc(len);
			len = plain_json_unescape(expected, text);
			same = value->len == len && memcmp(value->data, text, len) == 0;
			free(text);
			return same ? NULL : "another text";
		case US_VALUE_NUMBER:
			if (!number_stays(expected, len))
				return NULL;
			break;
		case US_VALUE_OBJECT:
		case US_VALUE_ARRAY:
			break;
		default:
			return NULL;
	}
	return value->len == len && memcmp(value->data, expected, len) == 0 ? NULL : "another value";
}

/* NULL, or what is wrong; the terminator of message is not the decoder's */
static const char *
judge_message(const char *message, size_t len)
{
	UsValue		values[MAX_PATHS];
	char	   *text = message_create(message, len);
	const char *wrong = NULL;
	UsDecodeResult result;

	us_decoder_reset(decoder);
	result = decode_every_way(decoder, text, len, values);
	for (int i = 0; result <= US_DECODE_UNSURE && wrong == NULL && i < npaths; i++)
	{
		int			field = us_path_set_add(set, paths[i].steps, paths[i].nsteps);

		wrong = judge_value(&values[field],
							plain_json_find(message, paths[i].steps, paths[i].nsteps));
	}
	message_free(text, len);
	return wrong;
}

static const char *
judge_input(const uint8_t *data, size_t len)
{
	char	   *text = malloc(len + 1);
	char	   *line = text;
	char	   *message;
	const char *wrong = NULL;

	memcpy(text, data, len);
	text[len] = '\0';
	message = memchr(text, '\n', len);
	if (message != NULL && memchr(text, '\0', (size_t) (message - text)) == NULL)
	{
		if (set == NULL)
		{
			set = us_path_set_create();
			decoder = us_decoder_create("json", set);
		}
		*message++ = '\0';
		while (line != NULL && wrong == NULL && npaths < MAX_PATHS)
			wrong = take_path(strsep(&line, " "));
		if (wrong == NULL)
			wrong = judge_message(message, len - (size_t) (message - text));
		forget_paths();
	}
	free(text);
	return wrong;
}

const FuzzTarget fuzz_target = {"paths", "a plain reader finds the same", MAX_BYTES, 0, judge_input};

#ifndef FUZZ

int
main(void)
{
	return fuzz_corpus();
}

#endif
