/*-------------------------------------------------------------------------
 * worker/map_rest.c
 *    what of a message no column takes: @rest, or an error that names it
 *
 * The decoder only notes that there may be such a field; what jsonb makes of
 * the message decides, since an earlier duplicate of a key is gone there.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "worker/map_internal.h"

#define FIELD_SHOWN_MAX	200		/* bytes of an unknown field's path in the error */

/* the node for a key, which is in the database's encoding; -1 = none */
static int
find_key(const UsPathSet *paths, int node, const JsonbValue *key)
{
	const char *name = key->val.string.val;
	int			name_len = key->val.string.len;
	char	   *utf8 = pg_server_to_any(name, name_len, PG_UTF8);

	if (utf8 != name)
		name_len = (int) strlen(utf8);
	return us_path_child(paths, node, utf8, name_len);
}

static bool find_rest(JsonbContainer *container, const UsPathSet *paths, int node,
					  StringInfo where);

/*
 * Whether a value is one that no column took, or holds one.  Where a path
 * leads through, null and what is empty are as good as nothing.
 */
static bool
is_rest(const JsonbValue *value, const UsPathSet *paths, int child, StringInfo where)
{
	if (child < 0)
		return true;
	if (paths->nodes[child].field >= 0 || value->type == jbvNull)
		return false;
	return value->type != jbvBinary || find_rest(value->val.binary.data, paths, child, where);
}

/* the first value that no column took below a node; where gets its path, if not NULL */
static bool
find_rest(JsonbContainer *container, const UsPathSet *paths, int node, StringInfo where)
{
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			element = 0;
	int			len = where != NULL ? where->len : 0;

	check_stack_depth();
	(void) JsonbIteratorNext(&iterator, &value, true);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) == WJB_KEY || token == WJB_ELEM)
	{
		JsonbValue	key = value;
		int			child;

		child = token == WJB_KEY ? find_key(paths, node, &key) :
			us_path_element(paths, node, element);
		if (token == WJB_KEY)
			(void) JsonbIteratorNext(&iterator, &value, true);
		if (where != NULL)
		{
			where->len = len;
			appendStringInfoString(where, len > 0 ? "." : "");
			if (token == WJB_KEY)
				appendBinaryStringInfo(where, key.val.string.val, key.val.string.len);
			else
				appendStringInfo(where, "%d", element);
		}
		element++;
		if (is_rest(&value, paths, child, where))
			return true;
	}
	return false;
}

/* copies an array or object, which belongs to a node of paths, without what columns took */
static JsonbValue *
push_rest(JsonbParseState **state, JsonbContainer *container, const UsPathSet *paths, int node)
{
	bool		object = JsonContainerIsObject(container);
	JsonbIterator *iterator = JsonbIteratorInit(container);
	JsonbIteratorToken token;
	JsonbValue	value;
	int			element = 0;

	check_stack_depth();
	(void) JsonbIteratorNext(&iterator, &value, true);
	pushJsonbValue(state, object ? WJB_BEGIN_OBJECT : WJB_BEGIN_ARRAY, NULL);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) == WJB_KEY || token == WJB_ELEM)
	{
		JsonbValue	key = value;
		int			child;

		child = token == WJB_KEY ? find_key(paths, node, &key) :
			us_path_element(paths, node, element++);
		if (token == WJB_KEY)
			(void) JsonbIteratorNext(&iterator, &value, true);
		if (!is_rest(&value, paths, child, NULL))
			continue;
		if (token == WJB_KEY)
			pushJsonbValue(state, WJB_KEY, &key);
		if (child >= 0 && value.type == jbvBinary)
			push_rest(state, value.val.binary.data, paths, child);
		else
			pushJsonbValue(state, token == WJB_KEY ? WJB_VALUE : WJB_ELEM, &value);
	}
	return pushJsonbValue(state, object ? WJB_END_OBJECT : WJB_END_ARRAY, NULL);
}

/* a member that is an object or array; NULL = there is none */
static Jsonb *
member(Jsonb *document, const char *name)
{
	JsonbValue *value = getKeyJsonValueFromContainer(&document->root, name, (int) strlen(name),
													 NULL);

	return value != NULL && value->type == jbvBinary ? JsonbValueToJsonb(value) : NULL;
}

/* all of a message, or the row of an event; *node: where the paths of its fields begin */
static Jsonb *
message_document(UsMap *map, const UsMessage *message, int *node)
{
	char	   *text = us_message_json_text(map->decoder, message);
	Jsonb	   *document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	Jsonb	   *payload;
	Jsonb	   *row;

	*node = 0;
	if (!map->format->is_event)
		return document;
	*node = us_path_child(map->paths, 0, "after", strlen("after"));
	payload = member(document, "payload");
	row = member(payload != NULL ? payload : document, "after");
	if (row == NULL)
		elog(ERROR, "change event has no row");
	return row;
}

Jsonb *
us_part_rest(UsMap *map, const UsMessage *message)
{
	int			node;
	Jsonb	   *document = message_document(map, message, &node);
	JsonbParseState *state = NULL;

	return JsonbValueToJsonb(push_rest(&state, &document->root, map->paths, node));
}

void
us_part_refuse_rest(UsMap *map, const UsMessage *message)
{
	MemoryContext old = MemoryContextSwitchTo(us_map_scratch(map));
	StringInfoData where;
	int			node;
	Jsonb	   *document = message_document(map, message, &node);

	initStringInfo(&where);
	if (find_rest(&document->root, map->paths, node, &where))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no column takes field \"%.*s\" of the message",
						pg_mbcliplen(where.data, where.len, FIELD_SHOWN_MAX), where.data),
				 errhint("Add a column for it or name the field in columns, or set option unknown_fields of the stream to ignore.")));
	MemoryContextSwitchTo(old);
}
