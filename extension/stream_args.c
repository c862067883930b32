/*-------------------------------------------------------------------------
 * extension/stream_args.c
 *    the arguments of create_stream and alter_stream -> a checked definition to be
 *
 * Runs in the caller's backend, before anything else is looked up.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "extension/args.h"
#include "extension/catalog.h"
#include "extension/options.h"
#include "extension/server.h"
#include "extension/stream_args.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "worker/csv.h"
#include "worker/decode.h"
#include "worker/expand.h"

/* positions in the signatures of create_stream and alter_stream */
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
	ARG_OPTIONS
};

StaticAssertDecl(ARG_OPTIONS + 1 == US_STREAM_ARG_LAST, "arguments of stream functions");

/* words that an argument takes, now and later; both lists NULL-terminated */
typedef struct Words
{
	const char *argument;
	const char *const *now;
	const char *const *later;
	const char *hint;
} Words;

static const char *const no_words[] = {NULL};
static const char *const formats_now[] = {"json", "debezium", "json_sr", "avro", "csv", "text", "bytes", NULL};
static const char *const formats_later[] = {"protobuf", NULL};
static const char *const modes_now[] = {"append", "upsert", NULL};
static const char *const on_errors_now[] = {"dead_letter", "stop", NULL};

static const Words format_words = {"format", formats_now, formats_later,
"The format of the messages can be json, debezium, json_sr, avro, csv, text or bytes."};
static const Words mode_words = {"mode", modes_now, no_words,
"The mode can be append or upsert."};
static const Words on_error_words = {"on_error", on_errors_now, no_words,
"A message that cannot be taken can become a dead_letter, or stop its partition."};

static void
check_word(const char *word, const Words *words)
{
	const char *nearest;

	if (us_is_word(word, words->now))
		return;
	if (us_is_word(word, words->later))
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
			return us_is_word(word, all[i]->now);
	return false;
}

static void
take_text(FunctionCallInfo fcinfo, int arg, char **value)
{
	if (!PG_ARGISNULL(arg))
		*value = text_to_cstring(PG_GETARG_TEXT_PP(arg));
}

/* an empty object is the same as none */
static Jsonb *
columns_arg(FunctionCallInfo fcinfo)
{
	Jsonb	   *columns = PG_GETARG_JSONB_P(ARG_COLUMNS);

	return JB_ROOT_IS_OBJECT(columns) && JB_ROOT_COUNT(columns) == 0 ? NULL : columns;
}

/*
 * Over those that there are; a JSON null goes back to the default, and takes
 * out one that this version does not know.
 */
static Jsonb *
options_arg(FunctionCallInfo fcinfo, Jsonb *kept)
{
	Jsonb	   *options = PG_GETARG_JSONB_P(ARG_OPTIONS);
	UsStreamOptions ignored;

	if (kept != NULL && JB_ROOT_IS_OBJECT(options))
	{
		Datum		merged = DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(kept),
												 JsonbPGetDatum(options));

		/* since 18 there is a second argument */
		options = DatumGetJsonbP(DirectFunctionCall2(jsonb_strip_nulls, merged,
													 BoolGetDatum(false)));
	}
	us_parse_stream_options(options, &ignored);
	return options;
}

/* a filter that is named is looked for, also when the name is that of the one before */
static bool
names_filter(Jsonb *options)
{
	return JB_ROOT_IS_OBJECT(options) &&
		getKeyJsonValueFromContainer(&options->root, "filter", strlen("filter"), NULL) != NULL;
}

static void
take_key(ArrayType *key, UsStreamArgs *args)
{
	if (array_contains_nulls(key))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"key\" must not hold a null"),
				 errhint("Name the columns of a unique constraint of the target: key => '{...}'.")));
	args->nkey = us_catalog_names(key, NAMEOID, &args->key);
	for (int i = 1; i < args->nkey; i++)
		for (int j = 0; j < i; j++)
			if (strcmp(args->key[i], args->key[j]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" is named twice in key", args->key[i]),
						 errhint("Name each column once.")));
}

static void
take_arguments(FunctionCallInfo fcinfo, UsStreamArgs *args)
{
	if (!PG_ARGISNULL(ARG_SERVER))
		args->server = pstrdup(NameStr(*PG_GETARG_NAME(ARG_SERVER)));
	take_text(fcinfo, ARG_TOPIC, &args->topic);
	if (!PG_ARGISNULL(ARG_TARGET))
		args->target = PG_GETARG_OID(ARG_TARGET);
	take_text(fcinfo, ARG_FORMAT, &args->format);
	take_text(fcinfo, ARG_MODE, &args->mode);
	if (!PG_ARGISNULL(ARG_KEY))
		take_key(PG_GETARG_ARRAYTYPE_P(ARG_KEY), args);
	if (!PG_ARGISNULL(ARG_COLUMNS))
		args->columns = columns_arg(fcinfo);
	if (!PG_ARGISNULL(ARG_TRANSFORM))
	{
		take_text(fcinfo, ARG_TRANSFORM, &args->transform);
		args->transform_oid = InvalidOid;
	}
	if (args->transform != NULL && strcmp(args->transform, "-") == 0)
		args->transform = NULL;
	take_text(fcinfo, ARG_ON_ERROR, &args->on_error);
	if (!PG_ARGISNULL(ARG_WORKERS))
		args->workers = PG_GETARG_INT32(ARG_WORKERS);
}

static void
refuse_option(const char *format, const char *option, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("option \"%s\" has no meaning for format \"%s\"", option, format),
			 errdetail("%s", why),
			 errhint("Leave the option out.")));
}

static void
check_csv(const char *format, const UsStreamOptions *options)
{
	const char *option = options->delimiter != NULL ? "delimiter" :
		options->quote != NULL ? "quote" : options->escape != NULL ? "escape" :
		options->null_text != NULL ? "null" : options->header != NULL ? "header" : NULL;
	const char *wrong;
	UsCsv		dialect;

	if (option != NULL && strcmp(format, "csv") != 0)
		refuse_option(format, option, "It is about the fields of CSV.");
	wrong = us_csv_dialect(&dialect, options->delimiter, options->quote, options->escape,
						   options->null_text);
	if (wrong != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid options of format \"csv\""),
				 errdetail("%s", wrong),
				 errhint("Options are \"delimiter\", \"quote\", \"escape\" and \"null\", as those of COPY.")));
}

/* options that are about another format, or that it needs */
static void
check_format(const char *name, const UsStreamOptions *options)
{
	const UsFormat *format = us_format_find(name);

	check_csv(name, options);
	if (options->explode && (!format->is_json || format->is_event) && strcmp(name, "csv") != 0)
		refuse_option(name, "explode", "It is about arrays and lines of JSON.");
	if (options->refuse_unknown_fields && format->document == NULL)
		refuse_option(name, "unknown_fields", "It is about the fields of JSON and Avro.");
	if (options->registry != NULL && !format->needs_schemas)
		refuse_option(name, "registry", "Messages of this format are read without a schema.");
	if (options->registry == NULL && format->needs_schemas)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("format \"%s\" needs option \"registry\"", name),
				 errdetail("A message holds the number of its schema, not the schema."),
				 errhint("Create a server for the schema registry with FOREIGN DATA WRAPPER userstream_http, and name it: options => '{\"registry\": \"...\"}'.")));
}

/* what a mode makes of the other arguments */
static void
check_mode(const UsStreamArgs *args)
{
	UsStreamOptions options;

	us_parse_stream_options(args->options, &options);
	check_format(args->format, &options);
	if (strcmp(args->mode, "upsert") == 0)
	{
		if (options.ignore_conflicts)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"on_conflict\" can be \"nothing\" in mode append only"),
					 errdetail("In mode upsert a message changes the row that has its key."),
					 errhint("Leave the option out, or choose mode => 'append'.")));
		return;
	}
	if (args->nkey > 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("mode append takes no key"),
				 errhint("Leave key out, or choose mode => 'upsert'.")));
	if (options.tombstone == US_TOMBSTONE_DELETE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"tombstone\" can be \"delete\" in mode upsert only"),
				 errdetail("In mode append no message removes a row."),
				 errhint("Leave the option out, or choose mode => 'upsert'.")));
}

static void
check_arguments(FunctionCallInfo fcinfo, UsStreamArgs *args)
{
	us_args_check_topic(args->topic);
	check_word(args->format, &format_words);
	check_word(args->mode, &mode_words);
	if (!PG_ARGISNULL(ARG_START_AT))
		args->start = us_start_parse("start_at", text_to_cstring(PG_GETARG_TEXT_PP(ARG_START_AT)));
	check_word(args->on_error, &on_error_words);
	if (args->workers < 1 || args->workers > US_MAX_WORKERS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid number of workers: %d", args->workers),
				 errhint("A stream can have 1 to %d workers.", US_MAX_WORKERS)));
	if (!PG_ARGISNULL(ARG_OPTIONS))
	{
		args->options = options_arg(fcinfo, args->options);
		if (names_filter(PG_GETARG_JSONB_P(ARG_OPTIONS)))
			args->filter_oid = InvalidOid;
	}
	/* a key goes with the mode that needed it */
	if (PG_ARGISNULL(ARG_KEY) && strcmp(args->mode, "append") == 0)
		args->nkey = 0;
	check_mode(args);
}

void
us_stream_args_create(FunctionCallInfo fcinfo, UsStreamArgs *args)
{
	static const char *const required[] = {"name", "server", "topic", "target"};

	for (int i = ARG_NAME; i <= ARG_TARGET; i++)
		if (PG_ARGISNULL(i))
			us_args_refuse_null(required[i]);

	memset(args, 0, sizeof(*args));
	args->name = us_stream_name_arg(fcinfo);
	args->format = pstrdup("json");
	args->mode = pstrdup("append");
	args->start = us_start_parse("start_at", "earliest");
	args->on_error = pstrdup("dead_letter");
	args->workers = 1;
	us_args_check_name("stream", args->name);
	take_arguments(fcinfo, args);
	check_arguments(fcinfo, args);
}

/* what stays unless the call names others, under the names that it has now */
static void
keep_named(const UsStream *stream, UsStreamArgs *args)
{
	char	   *transform;
	char	   *filter;
	char	   *registry;

	if (!us_stream_at_home(stream))
		return;
	args->transform_oid = stream->transform_oid;
	transform = us_expand_signature(stream->transform_oid);
	if (transform != NULL)
		args->transform = transform;
	args->filter_oid = stream->filter_oid;
	filter = us_expand_signature(stream->filter_oid);
	if (filter != NULL && stream->options.filter != NULL)
		args->options = us_set_stream_option(args->options, "filter", filter);
	registry = us_server_display_name(stream->registry_oid);
	if (registry != NULL && stream->options.registry != NULL)
		args->options = us_set_stream_option(args->options, "registry", registry);
}

void
us_stream_args_of(const UsStream *stream, UsStreamArgs *args)
{
	char	   *server = us_server_display_name(stream->server_oid);

	memset(args, 0, sizeof(*args));
	args->name = stream->name;
	args->server = server != NULL && us_stream_at_home(stream) ? server : stream->server;
	args->topic = stream->topic;
	args->target = stream->target_oid;
	args->format = stream->format;
	args->mode = stream->mode;
	args->key = stream->key;
	args->nkey = stream->nkey;
	args->transform = stream->transform;
	args->columns = stream->columns;
	args->on_error = stream->on_error_given;
	args->workers = stream->workers;
	args->options = stream->options_given;
	keep_named(stream, args);
}

void
us_stream_args_alter(FunctionCallInfo fcinfo, const UsStream *stream, UsStreamArgs *args)
{
	us_stream_args_of(stream, args);
	take_arguments(fcinfo, args);
	check_arguments(fcinfo, args);
}

char *
us_stream_name_arg(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARG_NAME))
		us_args_refuse_null("name");
	return text_to_cstring(PG_GETARG_TEXT_PP(ARG_NAME));
}
