/*-------------------------------------------------------------------------
 * worker/map_document.c
 *    a jsonb document -> values at the wanted paths
 *
 * What decode_json.c does with the bytes of a message, for a document that a
 * transform gave: it is a tree already, so each path is looked up in it, and
 * nothing is written as text only to be read again.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "worker/map_internal.h"

bool
us_map_take_documents(UsMap *map)
{
	/* names are UTF-8, and what no column takes is looked for in the text */
	if (!map->utf8 || !map->format->is_json || map->refuse_unknown)
		return false;
	for (int i = 0; i < map->ncolumns; i++)
	{
		const UsMapColumn *column = &map->columns[i];

		if (column->origin == US_ORIGIN_PART &&
			(column->part == US_PART_VALUE || column->part == US_PART_REST))
			return false;
	}
	map->takes_documents = true;
	return true;
}

/* text that is about to go, where the decoder keeps its own */
static UsValue
keep_text(UsMap *map, UsValueKind kind, const char *text)
{
	size_t		len = strlen(text);
	char	   *copy = us_decoder_text(map->decoder, len);

	memcpy(copy, text, len);
	return (UsValue) {copy, (uint32) len, kind};
}

/* what ->> gives of a value */
static UsValue
make_value(UsMap *map, const JsonbValue *found)
{
	JsonbContainer *container;
	Datum		text;

	switch (found->type)
	{
		case jbvNull:
			return (UsValue) {NULL, 0, US_VALUE_NULL};
		case jbvString:
			return (UsValue) {found->val.string.val, (uint32) found->val.string.len,
				US_VALUE_STRING};
		case jbvBool:
			return found->val.boolean ? (UsValue) {"true", 4, US_VALUE_TRUE} :
				(UsValue) {"false", 5, US_VALUE_FALSE};
		case jbvNumeric:
			text = DirectFunctionCall1(numeric_out, NumericGetDatum(found->val.numeric));
			return keep_text(map, US_VALUE_NUMBER, DatumGetCString(text));
		case jbvBinary:
			container = found->val.binary.data;
			return keep_text(map,
							 JsonContainerIsObject(container) ? US_VALUE_OBJECT : US_VALUE_ARRAY,
							 JsonbToCString(NULL, container, found->val.binary.len));
		default:
			elog(ERROR, "unexpected kind of jsonb value: %d", (int) found->type);
	}
}

/* the values at and below the children of a node, which stands for a container */
static void
take_container(UsMap *map, JsonbContainer *container, int node)
{
	const UsPathNode *nodes = map->paths->nodes;

	for (int i = nodes[node].first_child; i >= 0; i = nodes[i].next_sibling)
	{
		const UsPathNode *child = &nodes[i];
		JsonbValue	buffer;
		JsonbValue *found = NULL;

		if (JsonContainerIsObject(container))
			found = getKeyJsonValueFromContainer(container, child->name, child->name_len, &buffer);
		else if (child->element >= 0)
			found = getIthJsonbValueFromContainer(container, (uint32) child->element);
		if (found == NULL)
			continue;
		if (child->field >= 0)
			map->values[child->field] = make_value(map, found);
		if (child->first_child >= 0 && found->type == jbvBinary)
			take_container(map, found->val.binary.data, i);
	}
}

UsDecodeResult
us_document_decode(UsMap *map, Jsonb *document)
{
	MemoryContext old;

	map->decoder->unknown = false;
	for (int i = 0; i < map->paths->nfields; i++)
		map->values[i] = (UsValue) {NULL, 0, US_VALUE_ABSENT};
	if (!JB_ROOT_IS_OBJECT(document))
		return US_DECODE_NOT_OBJECT;

	old = MemoryContextSwitchTo(us_map_scratch(map));
	take_container(map, &document->root, 0);
	MemoryContextSwitchTo(old);
	return US_DECODE_OK;
}
