/*-------------------------------------------------------------------------
 * worker/expand_split.c
 *    option explode: one message -> the documents that are in it
 *
 * A JSON array gives its elements, lines of JSON one document each, anything
 * else is one document.  PostgreSQL's own parser finds them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "worker/expand_internal.h"
#include "worker/map.h"

/* NULL when the text is no JSON; jsonb_in holds nothing while it raises */
static Jsonb *
parse(char *text)
{
	MemoryContext context = CurrentMemoryContext;
	Jsonb	   *volatile document = NULL;

	PG_TRY();
	{
		document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	PG_CATCH();
	{
		int			category = ERRCODE_TO_CATEGORY(geterrcode());

		if (category != ERRCODE_DATA_EXCEPTION && category != ERRCODE_PROGRAM_LIMIT_EXCEEDED)
			PG_RE_THROW();
		MemoryContextSwitchTo(context);
		FlushErrorState();
	}
	PG_END_TRY();
	return document;
}

static void
put(const char **texts, int *lengths, int i, const char *text, int length)
{
	texts[i] = text;
	lengths[i] = length;
}

static int
split_array(Jsonb *array, const char ***texts, int **lengths)
{
	int			count = (int) JsonContainerSize(&array->root);
	JsonbIterator *iterator = JsonbIteratorInit(&array->root);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			n = 0;

	*texts = palloc(sizeof(char *) * Max(count, 1));
	*lengths = palloc(sizeof(int) * Max(count, 1));
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		Jsonb	   *element;
		char	   *text;

		if (token != WJB_ELEM)
			continue;
		element = JsonbValueToJsonb(&value);
		text = JsonbToCString(NULL, &element->root, VARSIZE(element));
		text = pg_server_to_any(text, (int) strlen(text), PG_UTF8);
		put(*texts, *lengths, n++, text, (int) strlen(text));
	}
	return n;
}

/* blank lines are none */
static int
split_lines(const UsMessage *message, const char ***texts, int **lengths)
{
	const char *end = message->value + message->value_len;
	int			count = 1;
	int			n = 0;

	for (const char *c = message->value; c < end; c++)
		count += *c == '\n';
	*texts = palloc(sizeof(char *) * count);
	*lengths = palloc(sizeof(int) * count);
	for (const char *line = message->value; line < end;)
	{
		const char *newline = memchr(line, '\n', end - line);
		const char *line_end = newline != NULL ? newline : end;

		for (const char *c = line; c < line_end; c++)
		{
			if (strchr(" \t\r", *c) != NULL && *c != '\0')
				continue;
			put(*texts, *lengths, n++, line, (int) (line_end - line));
			break;
		}
		line = line_end + 1;
	}
	return n;
}

int
us_expand_split_csv(const UsCsv *csv, const UsMessage *message, const char ***texts, int **lengths)
{
	const char *end = message->value + message->value_len;
	int			count = 1;
	int			n = 0;

	for (const char *c = message->value; c < end; c++)
		count += *c == '\n' || *c == '\r';
	*texts = palloc(sizeof(char *) * count);
	*lengths = palloc(sizeof(int) * count);
	for (const char *line = message->value; line < end;)
	{
		const char *line_end = us_csv_line_end(csv, line, end);

		put(*texts, *lengths, n++, line, (int) (line_end - line));
		line = us_csv_skip_end(line_end, end);
	}
	return n;
}

int
us_expand_split(const UsMessage *message, const char ***texts, int **lengths)
{
	Jsonb	   *document = parse(us_message_text(message->value, message->value_len));

	if (document != NULL && JB_ROOT_IS_ARRAY(document) && !JB_ROOT_IS_SCALAR(document))
		return split_array(document, texts, lengths);
	if (document == NULL && memchr(message->value, '\n', message->value_len) != NULL)
		return split_lines(message, texts, lengths);
	*texts = palloc(sizeof(char *));
	*lengths = palloc(sizeof(int));
	put(*texts, *lengths, 0, message->value, (int) message->value_len);
	return 1;
}
