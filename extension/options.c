/*-------------------------------------------------------------------------
 * extension/options.c
 *    options of a stream, from jsonb -> UsStreamOptions
 *
 * Used where a stream is defined and wherever a definition is read, so what
 * is stored is what was checked.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/catalog.h"
#include "extension/options.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/numeric.h"
#include "utils/varlena.h"

/* all that a stream can be given, in the order of the documentation */
static const char *const option_names[] = {
	"batch_rows", "batch_bytes", "metadata_refresh", "on_offset_out_of_range",
	"max_dead_letters_per_minute", "filter", "tombstone", "on_conflict",
	"unknown_fields", "explode", "notify", NULL
};

#define MAX_WORD_LENGTH		64	/* bytes compared; every word of ours is shorter */
#define MIN_BATCH_ROWS		1
#define MAX_BATCH_ROWS		1000000
#define DEFAULT_BATCH_ROWS	10000
#define MIN_BATCH_BYTES		1024
#define MAX_BATCH_BYTES		(1024 * 1024 * 1024)
#define DEFAULT_BATCH_BYTES	(16 * 1024 * 1024)

const char *
us_nearest_word(const char *wrong, const char *const *words)
{
	int			length = pg_mbcliplen(wrong, (int) strlen(wrong), MAX_WORD_LENGTH);
	int			best = length / 2 + 1;	/* more changes than that: another word */
	const char *nearest = NULL;

	for (; *words != NULL; words++)
	{
		int			distance = varstr_levenshtein_less_equal(wrong, length, *words,
															 (int) strlen(*words),
															 1, 1, 1, best, true);

		if (distance < best)
		{
			best = distance;
			nearest = *words;
		}
	}
	return nearest;
}

static void
unknown_option(const char *name)
{
	const char *nearest = us_nearest_word(name, option_names);

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 nearest != NULL ?
			 errhint("Perhaps you meant the option \"%s\".", nearest) :
			 errhint("Options of a stream are batch_rows and batch_bytes.")));
}

static bool
is_option(const char *name)
{
	for (int i = 0; option_names[i] != NULL; i++)
		if (strcmp(option_names[i], name) == 0)
			return true;
	return false;
}

/* the text of a number or string; for anything else an error */
static char *
scalar_text(const char *name, const JsonbValue *value)
{
	if (value->type == jbvNumeric)
		return DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(value->val.numeric)));
	if (value->type == jbvString)
		return pnstrdup(value->val.string.val, value->val.string.len);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\"", name),
			 errdetail("The value is neither a number nor a string.")));
}

/* a whole number, with a unit when flags name one (PostgreSQL's own rules) */
static int
number_option(const char *name, const JsonbValue *value, int flags,
			  int min, int max, const char *hint)
{
	char	   *text = scalar_text(name, value);
	bool		is_integer = text[strspn(text, "+-0123456789")] == '\0';
	const char *unit_hint = NULL;
	int			result;

	/* parse_int rounds; only with a unit does a fraction make sense */
	if ((flags == 0 || value->type == jbvNumeric) && !is_integer)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", name, text),
				 errdetail("The value is not a whole number."),
				 errhint("%s", hint)));
	if (!parse_int(text, &result, flags, &unit_hint))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", name, text),
				 errhint("%s", unit_hint != NULL ? _(unit_hint) : hint)));
	if (result < min || result > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"%s\": \"%s\"", name, text),
				 errdetail("The value is outside the range %d .. %d.", min, max),
				 errhint("%s", hint)));
	return result;
}

static void
take_option(const char *name, const JsonbValue *value, UsStreamOptions *result)
{
	if (!is_option(name))
		unknown_option(name);

	if (strcmp(name, "batch_rows") == 0)
	{
		if (value->type != jbvNull)
			result->batch_rows = number_option(name, value, 0, MIN_BATCH_ROWS, MAX_BATCH_ROWS,
											   "Give a number of messages, such as 10000.");
	}
	else if (strcmp(name, "batch_bytes") == 0)
	{
		if (value->type != jbvNull)
			result->batch_bytes = number_option(name, value, GUC_UNIT_BYTE,
												MIN_BATCH_BYTES, MAX_BATCH_BYTES,
												"Give a number of bytes, or a text such as \"16MB\".");
	}
	else
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("option \"%s\" is not supported yet", name),
				 errhint("Leave it out; batch_rows and batch_bytes can be set.")));
}

void
us_parse_stream_options(Jsonb *options, UsStreamOptions *result)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	item;
	char	   *name = NULL;

	result->batch_rows = DEFAULT_BATCH_ROWS;
	result->batch_bytes = DEFAULT_BATCH_BYTES;
	if (options == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options must be a JSON object"),
				 errhint("Write them as '{\"batch_rows\": 10000}'.")));

	it = JsonbIteratorInit(&options->root);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(item.val.string.val, item.val.string.len);
		else if (token == WJB_VALUE)
			take_option(name, &item, result);
	}
}
