/*-------------------------------------------------------------------------
 * extension/feed_options.c
 *    options of a feed, from jsonb -> UsFeedOptions
 *
 * Used where a feed is defined and wherever a definition is read, so what is
 * stored is what was checked.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/compat.h"
#include "extension/feed.h"
#include "extension/options.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonpath.h"
#include "utils/numeric.h"

#define DEFAULT_RUN_TIMEOUT_MS	(5 * 60 * 1000)
#define MIN_RUN_TIMEOUT_MS		1000
#define MAX_RUN_TIMEOUT_MS		(24 * 60 * 60 * 1000)
#define MAX_PAGES				1000000
#define MAX_PARTITIONS			10000
#define MAX_REPLICATION_FACTOR	1000

static const char *const option_names[] = {
	"run_timeout", "format", "next", "page", "max_pages", "since", "create_topic", NULL
};
static const char *const since_names[] = {"parameter", "path", NULL};
static const char *const topic_names[] = {"partitions", "replication_factor", NULL};

pg_noreturn static void refuse_value(const char *name, const char *detail, const char *hint);

static void
refuse_value(const char *name, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\"", name),
			 detail == NULL ? 0 : errdetail("%s", detail),
			 errhint("%s", hint)));
}

static void
check_name(const char *name, const char *const *names, const char *hint)
{
	const char *nearest;

	for (int i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return;
	nearest = us_nearest_word(name, names);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 nearest != NULL ? errhint("Perhaps you meant the option \"%s\".", nearest) :
			 errhint("%s", hint)));
}

static void
json_path_context(void *argument)
{
	errcontext("JSON path of \"%s\"", (const char *) argument);
	errhint("Write a path of PostgreSQL's, such as \"$.results[*]\".");
}

Datum
us_feed_json_path(const char *argument, const char *path)
{
	ErrorContextCallback callback;
	Datum		result;

	callback.callback = json_path_context;
	callback.arg = unconstify(char *, argument);
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	result = DirectFunctionCall1(jsonpath_in, CStringGetDatum(path));
	error_context_stack = callback.previous;
	return result;
}

static char *
text_option(const char *name, const JsonbValue *value, const char *hint)
{
	if (value->type != jbvString || value->val.string.len == 0)
		refuse_value(name, "The value is not a text.", hint);
	return pnstrdup(value->val.string.val, value->val.string.len);
}

static char *
path_option(const char *name, const JsonbValue *value)
{
	char	   *path = text_option(name, value, "Give a JSON path, such as \"$.info.next\".");

	(void) us_feed_json_path(name, path);
	return path;
}

/* a whole number, with a unit when flags name one (PostgreSQL's own rules) */
static int
number_option(const char *name, const JsonbValue *value, int flags, int min, int max,
			  const char *hint)
{
	char	   *text = NULL;
	const char *unit_hint = NULL;
	int			result;

	if (value->type == jbvNumeric)
		text = DatumGetCString(DirectFunctionCall1(numeric_out,
												   NumericGetDatum(value->val.numeric)));
	else if (value->type == jbvString && flags != 0)
		text = pnstrdup(value->val.string.val, value->val.string.len);
	if (text == NULL || (value->type == jbvNumeric && strspn(text, "0123456789") != strlen(text)))
		refuse_value(name, "The value is not a whole number.", hint);
	if (!parse_int(text, &result, flags, &unit_hint))
		refuse_value(name, NULL, unit_hint != NULL ? _(unit_hint) : hint);
	if (result < min || result > max)
		refuse_value(name, psprintf("The value is outside the range %d .. %d.", min, max), hint);
	return result;
}

/* a plain number of run_timeout means seconds, as in all other options of ours */
static int
time_option(const char *name, const JsonbValue *value)
{
	static const char *const hint = "Give a number of seconds, or a text such as \"5min\".";

	if (value->type == jbvNumeric)
		return 1000 * number_option(name, value, 0, MIN_RUN_TIMEOUT_MS / 1000,
									MAX_RUN_TIMEOUT_MS / 1000, hint);
	return number_option(name, value, GUC_UNIT_MS, MIN_RUN_TIMEOUT_MS, MAX_RUN_TIMEOUT_MS, hint);
}

/* calls take for each field of an object */
static void
each_field(const char *name, const JsonbValue *value, const char *hint,
		   const char *const *names, UsFeedOptions *result,
		   void (*take) (const char *field, const JsonbValue *value, UsFeedOptions *result))
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	item;
	const char *field = "";

	if (value->type != jbvBinary || !JsonContainerIsObject(value->val.binary.data))
		refuse_value(name, "The value is not an object.", hint);
	it = JsonbIteratorInit(value->val.binary.data);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
		{
			field = pnstrdup(item.val.string.val, item.val.string.len);
			check_name(field, names, hint);
		}
		else if (token == WJB_VALUE)
			take(field, &item, result);
	}
}

static void
take_since(const char *field, const JsonbValue *value, UsFeedOptions *result)
{
	if (strcmp(field, "parameter") == 0)
		result->since_parameter = text_option(field, value, "Give the name of a parameter.");
	else
		result->since_path = path_option(field, value);
}

static void
take_topic(const char *field, const JsonbValue *value, UsFeedOptions *result)
{
	if (strcmp(field, "partitions") == 0)
		result->create_partitions = number_option(field, value, 0, 1, MAX_PARTITIONS,
												  "Give the number of partitions.");
	else
		result->create_replication_factor = number_option(field, value, 0, 1,
														  MAX_REPLICATION_FACTOR,
														  "Give the number of brokers that keep each message.");
}

static void
take_option(const char *name, const JsonbValue *value, UsFeedOptions *result)
{
	static const char *const since_hint =
		"Write it as {\"parameter\": \"updated_after\", \"path\": \"$.newest\"}.";
	static const char *const topic_hint =
		"Write it as {\"partitions\": 4, \"replication_factor\": 3}.";

	check_name(name, option_names,
			   "Options of a feed are run_timeout, format, next, page, max_pages, since and create_topic.");
	if (value->type == jbvNull)
		return;
	if (strcmp(name, "run_timeout") == 0)
		result->run_timeout_ms = time_option(name, value);
	else if (strcmp(name, "format") == 0)
	{
		char	   *format = text_option(name, value, "It can be json or ndjson.");

		result->ndjson = strcmp(format, "ndjson") == 0;
		if (!result->ndjson && strcmp(format, "json") != 0)
			refuse_value(name, NULL, "It can be json or ndjson.");
	}
	else if (strcmp(name, "next") == 0)
		result->next = path_option(name, value);
	else if (strcmp(name, "page") == 0)
		result->page = text_option(name, value, "Give the name of a parameter, such as \"page\".");
	else if (strcmp(name, "max_pages") == 0)
		result->max_pages = number_option(name, value, 0, 1, MAX_PAGES, "Give a number of pages.");
	else if (strcmp(name, "since") == 0)
	{
		each_field(name, value, since_hint, since_names, result, take_since);
		if (result->since_parameter == NULL || result->since_path == NULL)
			refuse_value(name, "Parameter and path are both needed.", since_hint);
	}
	else
	{
		result->create_partitions = 1;
		result->create_replication_factor = 1;
		each_field(name, value, topic_hint, topic_names, result, take_topic);
	}
}

void
us_feed_options_read(Jsonb *options, UsFeedOptions *result)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	item;
	const char *name = "";

	memset(result, 0, sizeof(*result));
	result->run_timeout_ms = DEFAULT_RUN_TIMEOUT_MS;
	if (options == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options must be a JSON object"),
				 errhint("Write them as '{\"run_timeout\": \"5min\"}'.")));

	it = JsonbIteratorInit(&options->root);
	while ((token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(item.val.string.val, item.val.string.len);
		else if (token == WJB_VALUE)
			take_option(name, &item, result);
	}
	if (result->next != NULL && result->page != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options \"next\" and \"page\" exclude each other"),
				 errhint("Use next when a response names the next page, page when pages are counted.")));
	if (result->ndjson && (result->next != NULL || result->since_path != NULL))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("format \"ndjson\" excludes the options \"next\" and \"since\""),
				 errdetail("Lines are records; there is nothing around them for a path to point into."),
				 errhint("Leave them out.")));
}
