/*-------------------------------------------------------------------------
 * extension/stream_args.c
 *    the arguments of create_stream, from datums -> checked C values
 *
 * Runs in the caller's backend, before anything is looked up.  A null where
 * there is a default means the default.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/args.h"
#include "extension/catalog.h"
#include "extension/options.h"
#include "extension/stream_args.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* positions in the signature of create_stream */
enum
{
	ARG_NAME,
	ARG_SERVER,
	ARG_TOPIC,
	ARG_TARGET,
	ARG_FORMAT,
	ARG_MODE,
	ARG_KEY,
	ARG_COLUMNS,
	ARG_TRANSFORM,
	ARG_START_AT,
	ARG_ON_ERROR,
	ARG_WORKERS,
	ARG_OPTIONS,
	ARG_IF_NOT_EXISTS
};

/* words that an argument takes, now and later; both lists NULL-terminated */
typedef struct Words
{
	const char *argument;
	const char *const *now;
	const char *const *later;
	const char *hint;
} Words;

static const char *const no_words[] = {NULL};
static const char *const formats_now[] = {"json", NULL};
static const char *const formats_later[] = {"avro", "protobuf", "csv", "text", NULL};
static const char *const modes_now[] = {"append", NULL};
static const char *const modes_later[] = {"upsert", NULL};
static const char *const starts_now[] = {"earliest", "latest", NULL};
static const char *const on_errors_now[] = {"dead_letter", "stop", NULL};

static const Words format_words = {"format", formats_now, formats_later,
"The format of the messages can be json."};
static const Words mode_words = {"mode", modes_now, modes_later,
"The mode can be append."};
static const Words start_words = {"start_at", starts_now, no_words,
"A stream can start at earliest or latest."};
static const Words on_error_words = {"on_error", on_errors_now, no_words,
"A message that cannot be taken can become a dead_letter, or stop its partition."};

static bool
is_listed(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

static void
check_word(const char *word, const Words *words)
{
	const char *nearest;

	if (is_listed(word, words->now))
		return;
	if (is_listed(word, words->later))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("%s \"%s\" is not supported yet", words->argument, word),
				 errhint("%s", words->hint)));

	nearest = us_nearest_word(word, words->now);
	if (nearest == NULL)
		nearest = us_nearest_word(word, words->later);
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s \"%s\"", words->argument, word),
			 nearest != NULL ?
			 errhint("Perhaps you meant \"%s\".", nearest) :
			 errhint("%s", words->hint)));
}

bool
us_stream_word_is_known(const char *argument, const char *word)
{
	const Words *const all[] = {&format_words, &mode_words, &on_error_words};

	for (size_t i = 0; i < lengthof(all); i++)
		if (strcmp(all[i]->argument, argument) == 0)
			return is_listed(word, all[i]->now);
	return false;
}

/* positions of other kinds are known words of this argument, but come later */
static void
check_start_at(const char *start_at)
{
	if (start_at[0] == '{' || strpbrk(start_at, "0123456789") != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("start_at \"%s\" is not supported yet", start_at),
				 errdetail("To start at a time, or at an offset of each partition, is not possible yet."),
				 errhint("%s", start_words.hint)));
	check_word(start_at, &start_words);
}

static void
refuse_later_arguments(FunctionCallInfo fcinfo)
{
	if (!PG_ARGISNULL(ARG_KEY) &&
		ArrayGetNItems(ARR_NDIM(PG_GETARG_ARRAYTYPE_P(ARG_KEY)),
					   ARR_DIMS(PG_GETARG_ARRAYTYPE_P(ARG_KEY))) > 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("argument \"key\" is not supported yet"),
				 errhint("Leave it out: mode append needs no key.")));
	if (!PG_ARGISNULL(ARG_TRANSFORM))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("argument \"transform\" is not supported yet"),
				 errhint("Leave it out: columns => ... says where each column takes its value from.")));
}

void
us_stream_args_read(FunctionCallInfo fcinfo, UsStreamArgs *args)
{
	static const char *const required[] = {"name", "server", "topic", "target"};
	UsStreamOptions ignored;

	for (int i = ARG_NAME; i <= ARG_TARGET; i++)
		if (PG_ARGISNULL(i))
			us_args_refuse_null(required[i]);

	args->name = us_stream_name_arg(fcinfo);
	args->server = pstrdup(NameStr(*PG_GETARG_NAME(ARG_SERVER)));
	args->topic = text_to_cstring(PG_GETARG_TEXT_PP(ARG_TOPIC));
	args->target = PG_GETARG_OID(ARG_TARGET);
	args->format = us_args_text(fcinfo, ARG_FORMAT, "json");
	args->mode = us_args_text(fcinfo, ARG_MODE, "append");
	args->columns = PG_ARGISNULL(ARG_COLUMNS) ? NULL : PG_GETARG_JSONB_P(ARG_COLUMNS);
	args->start_at = us_args_text(fcinfo, ARG_START_AT, "earliest");
	args->on_error = us_args_text(fcinfo, ARG_ON_ERROR, "dead_letter");
	args->workers = PG_ARGISNULL(ARG_WORKERS) ? 1 : PG_GETARG_INT32(ARG_WORKERS);
	args->options = PG_ARGISNULL(ARG_OPTIONS) ? NULL : PG_GETARG_JSONB_P(ARG_OPTIONS);
	args->if_not_exists = !PG_ARGISNULL(ARG_IF_NOT_EXISTS) && PG_GETARG_BOOL(ARG_IF_NOT_EXISTS);

	us_args_check_name("stream", args->name);
	us_args_check_topic(args->topic);
	check_word(args->format, &format_words);
	check_word(args->mode, &mode_words);
	refuse_later_arguments(fcinfo);
	check_start_at(args->start_at);
	check_word(args->on_error, &on_error_words);
	if (args->workers < 1 || args->workers > US_MAX_WORKERS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid number of workers: %d", args->workers),
				 errhint("A stream can have 1 to %d workers.", US_MAX_WORKERS)));
	us_parse_stream_options(args->options, &ignored);
}

char *
us_stream_name_arg(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARG_NAME))
		us_args_refuse_null("name");
	return text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME));
}
