/*-------------------------------------------------------------------------
 * extension/options.c
 *    options of a stream, from jsonb -> UsStreamOptions
 *
 * Used where a stream is defined and wherever a definition is read, so what
 * is stored is what was checked.  A definition that is read may still hold
 * anything (an editor, a newer version): then it is told, not raised, because
 * the supervisor reads all of them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "extension/catalog.h"
#include "extension/options.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/json.h"
#include "utils/numeric.h"
#include "utils/varlena.h"

#define MAX_WORD_LENGTH		64	/* bytes compared; every word of ours is shorter */
#define DEFAULT_BATCH_ROWS	10000
#define DEFAULT_BATCH_BYTES	(16 * 1024 * 1024)
#define DEFAULT_REFRESH_S	60
#define SECONDS_PER_DAY		(24 * 60 * 60)

typedef enum OptionKind
{
	OPTION_NUMBER,				/* whole, with a unit when there are flags */
	OPTION_WORD,				/* the field gets the word's place in the list */
	OPTION_TEXT,				/* as it is, of min to max bytes */
	OPTION_FLAG					/* true or false; with a list: its second word means true */
} OptionKind;

typedef struct OptionRule
{
	const char *name;
	size_t		field;			/* in UsStreamOptions: int, enum, text or bool by kind */
	OptionKind	kind;
	int			flags;			/* GUC_UNIT_*; 0 = a plain number */
	int			min;
	int			max;
	const char *const *words;	/* NULL-terminated, in the order of the enum */
	const char *hint;
} OptionRule;

static const char *const reset_words[] = {"stop", "earliest", "latest", NULL};
static const char *const tombstone_words[] = {"ignore", "dead_letter", "delete", NULL};
static const char *const conflict_words[] = {"error", "nothing", NULL};
static const char *const unknown_field_words[] = {"ignore", "dead_letter", NULL};

#define FIELD(name)		offsetof(UsStreamOptions, name)

/* all that a stream can be given, in the order of the documentation */
static const OptionRule rules[] = {
	{"batch_rows", FIELD(batch_rows), OPTION_NUMBER, 0, 1, 1000000, NULL,
	"Give a number of messages, such as 10000."},
	{"batch_bytes", FIELD(batch_bytes), OPTION_NUMBER, GUC_UNIT_BYTE, 1024, 1024 * 1024 * 1024, NULL,
	"Give a number of bytes, or a text such as \"16MB\"."},
	{"metadata_refresh", FIELD(metadata_refresh_s), OPTION_NUMBER, GUC_UNIT_S, 1, SECONDS_PER_DAY, NULL,
	"Give a number of seconds, or a text such as \"5min\"."},
	{"on_offset_out_of_range", FIELD(on_offset_out_of_range), OPTION_WORD, 0, 0, 0, reset_words,
	"It can be stop, earliest or latest."},
	{"max_dead_letters_per_minute", FIELD(max_dead_letters_per_minute), OPTION_NUMBER, 0, 0, INT_MAX, NULL,
	"Give a number of messages, such as 100."},
	{"filter", FIELD(filter), OPTION_TEXT, 0, 1, INT_MAX, NULL,
	"Give a function, such as \"is_wanted(jsonb)\"."},
	{"registry", FIELD(registry), OPTION_TEXT, 0, 1, INT_MAX, NULL,
	"Give the name of a server that was created with FOREIGN DATA WRAPPER userstream_http."},
	{"tombstone", FIELD(tombstone), OPTION_WORD, 0, 0, 0, tombstone_words,
	"It can be ignore, dead_letter or delete."},
	{"on_conflict", FIELD(ignore_conflicts), OPTION_FLAG, 0, 0, 0, conflict_words,
	"It can be error or nothing."},
	{"unknown_fields", FIELD(refuse_unknown_fields), OPTION_FLAG, 0, 0, 0, unknown_field_words,
	"It can be ignore or dead_letter."},
	{"explode", FIELD(explode), OPTION_FLAG, 0, 0, 0, NULL,
	"Give true or false."},
	{"delimiter", FIELD(delimiter), OPTION_TEXT, 0, 1, 1, NULL,
	"Give the character between the fields of CSV, of one byte."},
	{"quote", FIELD(quote), OPTION_TEXT, 0, 1, 1, NULL,
	"Give the character around fields of CSV, of one byte."},
	{"escape", FIELD(escape), OPTION_TEXT, 0, 1, 1, NULL,
	"Give the character before a quote within quotes, of one byte."},
	{"null", FIELD(null_text), OPTION_TEXT, 0, 0, INT_MAX, NULL,
	"Give the text that stands for NULL where it is not quoted."},
	{"header", FIELD(header), OPTION_TEXT, 0, 1, INT_MAX, NULL,
	"Give the names of the fields as a line of CSV, such as \"id,name\"."},
	{"notify", FIELD(notify), OPTION_FLAG, 0, 0, 0, NULL,
	"Give true or false."},
};

/* what is wrong with options: the parts of an error, NULL where there is none */
typedef struct OptionError
{
	int			sqlerrcode;		/* 0 = nothing is wrong */
	const char *option;			/* the last one looked at */
	const char *message;
	const char *detail;
	const char *hint;
} OptionError;

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

bool
us_is_word(const char *word, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

void
us_refuse_server_option(const char *name, const char *value, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
			 value == NULL ? errmsg("invalid value for option \"%s\"", name) :
			 errmsg("invalid value for option \"%s\": \"%s\"", name, value),
			 detail == NULL ? 0 : errdetail("%s", detail),
			 errhint("%s", hint),
			 errhidestmt(true), errhidecontext(true)));
}

static void
refuse(OptionError *error, int sqlerrcode, const char *message, const char *detail,
	   const char *hint)
{
	error->sqlerrcode = sqlerrcode;
	error->message = message;
	error->detail = detail;
	error->hint = hint;
}

static const OptionRule *
find_rule(const char *name)
{
	for (size_t i = 0; i < lengthof(rules); i++)
		if (strcmp(rules[i].name, name) == 0)
			return &rules[i];
	return NULL;
}

/* "a, b and c": the options that can be set */
static char *
list_options(void)
{
	StringInfoData list;
	const char *last = NULL;

	initStringInfo(&list);
	for (size_t i = 0; i < lengthof(rules); i++)
	{
		if (last != NULL)
			appendStringInfo(&list, "%s%s", list.len > 0 ? ", " : "", last);
		last = rules[i].name;
	}
	appendStringInfo(&list, " and %s", last);
	return list.data;
}

static void
refuse_unknown(const char *name, OptionError *error)
{
	const char *names[lengthof(rules) + 1];
	const char *nearest;

	for (size_t i = 0; i < lengthof(rules); i++)
		names[i] = rules[i].name;
	names[lengthof(rules)] = NULL;
	nearest = us_nearest_word(name, names);
	refuse(error, ERRCODE_FDW_INVALID_OPTION_NAME, psprintf("invalid option \"%s\"", name), NULL,
		   nearest != NULL ? psprintf("Perhaps you meant the option \"%s\".", nearest) :
		   psprintf("Options of a stream are %s.", list_options()));
}

static void
refuse_value(const OptionRule *rule, const char *text, const char *detail, const char *hint,
			 OptionError *error)
{
	refuse(error, ERRCODE_INVALID_PARAMETER_VALUE,
		   text == NULL ? psprintf("invalid value for option \"%s\"", rule->name) :
		   psprintf("invalid value for option \"%s\": \"%s\"", rule->name, text),
		   detail, hint);
}

/* the text of a number, string or boolean; NULL for anything else */
static char *
scalar_text(const JsonbValue *value)
{
	switch (value->type)
	{
		case jbvNumeric:
			return DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
		case jbvString:
			return pnstrdup(value->val.string.val, value->val.string.len);
		case jbvBool:
			return pstrdup(value->val.boolean ? "true" : "false");
		default:
			return NULL;
	}
}

/* a whole number, with a unit when the rule names one (PostgreSQL's own rules) */
static void
take_number(const OptionRule *rule, const JsonbValue *value, const char *text, int *result,
			OptionError *error)
{
	bool		is_integer = text[strspn(text, "+-0123456789")] == '\0';
	const char *unit_hint = NULL;
	int			number;

	/* parse_int rounds; only with a unit does a fraction make sense */
	if ((rule->flags == 0 || value->type == jbvNumeric) && !is_integer)
		refuse_value(rule, text, "The value is not a whole number.", rule->hint, error);
	else if (!parse_int(text, &number, rule->flags, &unit_hint))
		refuse_value(rule, text, NULL, unit_hint != NULL ? _(unit_hint) : rule->hint, error);
	else if (number < rule->min || number > rule->max)
		refuse_value(rule, text, psprintf("The value is outside the range %d .. %d%s.",
										  rule->min, rule->max,
										  rule->flags == GUC_UNIT_S ? " seconds" : ""),
					 rule->hint, error);
	else
		*result = number;
}

/* the place of a word in the rule's list; -1 when it is not one of them */
static int
find_word(const OptionRule *rule, const char *text)
{
	for (int i = 0; rule->words[i] != NULL; i++)
		if (strcmp(rule->words[i], text) == 0)
			return i;
	return -1;
}

static void
refuse_word(const OptionRule *rule, const char *text, OptionError *error)
{
	const char *nearest = us_nearest_word(text, rule->words);

	refuse_value(rule, text, NULL,
				 nearest != NULL ? psprintf("Perhaps you meant \"%s\".", nearest) : rule->hint,
				 error);
}

static void
take_option(const char *name, const JsonbValue *value, UsStreamOptions *result, OptionError *error)
{
	const OptionRule *rule = find_rule(name);
	char	   *text;
	void	   *field;
	int			place;

	error->option = name;
	if (rule == NULL)
	{
		refuse_unknown(name, error);
		return;
	}
	if (value->type == jbvNull)
		return;
	text = scalar_text(value);
	if (text == NULL || (rule->kind == OPTION_NUMBER && value->type == jbvBool))
	{
		refuse_value(rule, NULL, rule->kind == OPTION_NUMBER ?
					 "The value is neither a number nor a string." :
					 "The value is an array or an object.", rule->hint, error);
		return;
	}

	field = (char *) result + rule->field;
	place = rule->words != NULL ? find_word(rule, text) : 0;
	if (rule->kind == OPTION_NUMBER)
		take_number(rule, value, text, field, error);
	else if (rule->kind == OPTION_TEXT)
	{
		size_t		len = strlen(text);

		if (value->type != jbvString || len < (size_t) rule->min || len > (size_t) rule->max)
			refuse_value(rule, text, rule->max == 1 ? "The value is not a text of one byte." :
						 value->type == jbvString ? "The value is empty." :
						 "The value is not a text.", rule->hint, error);
		else
			*(char **) field = text;
	}
	else if (place < 0)
		refuse_word(rule, text, error);
	else if (rule->kind == OPTION_WORD)
		*(int *) field = place;
	else if (rule->words != NULL)
		*(bool *) field = place == 1;
	else if (value->type == jbvNumeric || !parse_bool(text, field))
		refuse_value(rule, text, "The value is not a boolean.", rule->hint, error);
}

/* takes all that are right; error holds the first that is not */
static void
take_options(Jsonb *options, UsStreamOptions *result, OptionError *error)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	item;
	const char *name = "";

	memset(result, 0, sizeof(*result));
	result->batch_rows = DEFAULT_BATCH_ROWS;
	result->batch_bytes = DEFAULT_BATCH_BYTES;
	result->metadata_refresh_s = DEFAULT_REFRESH_S;
	result->max_dead_letters_per_minute = -1;
	result->tombstone = US_TOMBSTONE_BY_MODE;
	memset(error, 0, sizeof(*error));
	if (options == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(options))
	{
		refuse(error, ERRCODE_INVALID_PARAMETER_VALUE, "options must be a JSON object", NULL,
			   "Write them as '{\"batch_rows\": 10000}'.");
		return;
	}

	it = JsonbIteratorInit(&options->root);
	while (error->sqlerrcode == 0 &&
		   (token = JsonbIteratorNext(&it, &item, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			name = pnstrdup(item.val.string.val, item.val.string.len);
		else if (token == WJB_VALUE)
			take_option(name, &item, result, error);
	}
}

void
us_parse_stream_options(Jsonb *options, UsStreamOptions *result)
{
	OptionError error;

	take_options(options, result, &error);
	if (error.sqlerrcode != 0)
		ereport(ERROR,
				(errcode(error.sqlerrcode),
				 errmsg_internal("%s", error.message),
				 error.detail != NULL ? errdetail_internal("%s", error.detail) : 0,
				 error.hint != NULL ? errhint("%s", error.hint) : 0));
}

char *
us_read_stream_options(Jsonb *options, UsStreamOptions *result, const char **option)
{
	OptionError error;

	take_options(options, result, &error);
	*option = error.option;
	return error.sqlerrcode != 0 ? pstrdup(error.message) : NULL;
}

Jsonb *
us_set_stream_option(Jsonb *options, const char *name, const char *value)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoChar(&text, '{');
	escape_json(&text, name);
	appendStringInfoString(&text, ": ");
	escape_json(&text, value);
	appendStringInfoChar(&text, '}');
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(options),
											  DirectFunctionCall1(jsonb_in,
																  CStringGetDatum(text.data))));
}
