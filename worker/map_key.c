/*-------------------------------------------------------------------------
 * worker/map_key.c
 *    the key of a message without a value -> the key of the row to remove
 *
 * Part of the slow way, see map_slow.c.  A key is a JSON object with the key
 * columns by name, or by the path that their value has in messages; where it
 * gives one column only, it may also be the plain value, or a JSON string of
 * it.  Key columns from the message's topic, partition or key itself are as in
 * messages with a value.  A change event that removes its row has the key there
 * too, or else in the row that was.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "worker/debezium.h"
#include "worker/map_internal.h"
#include "worker/schemas.h"

static UsMapColumn *
find_column(UsMap *map, AttrNumber attnum)
{
	for (int i = 0; i < map->ncolumns; i++)
		if (map->columns[i].index == attnum - 1 && map->columns[i].origin != US_ORIGIN_DEFAULT)
			return &map->columns[i];
	return NULL;
}

/* whether a message without a value has it as any other */
static bool
is_known_part(const UsMapColumn *column)
{
	return column->origin == US_ORIGIN_PART &&
		(column->part == US_PART_TOPIC || column->part == US_PART_PARTITION ||
		 column->part == US_PART_KEY);
}

/* the path of a field in messages, of an event's in its row; returns the number of steps */
static int
steps_of(const UsMap *map, int field, char ***steps)
{
	const UsPathSet *paths = map->paths;
	int			first = paths->depth;
	int			node = 0;

	*steps = palloc(sizeof(char *) * paths->depth);
	while (paths->nodes[node].field != field)
		node++;
	for (; paths->nodes[node].parent >= 0; node = paths->nodes[node].parent)
		(*steps)[--first] = pnstrdup(paths->nodes[node].name, paths->nodes[node].name_len);
	if (map->format->is_event && paths->depth - first > 1)
		first++;
	*steps += first;
	return paths->depth - first;
}

/* an event without a key: the row that was may have it */
static void
add_before(UsMap *map, int i, AttrNumber attnum)
{
	const UsMapColumn *column = find_column(map, attnum);
	char	  **steps;
	char	  **before;
	int			nsteps;

	map->key_befores[i] = -1;
	if (!map->format->is_event || column == NULL || column->origin != US_ORIGIN_FIELD)
		return;
	nsteps = steps_of(map, column->field, &steps);
	before = palloc(sizeof(char *) * (nsteps + 1));
	before[0] = pstrdup("before");
	memcpy(before + 1, steps, sizeof(char *) * nsteps);
	map->key_befores[i] = us_path_set_add(map->paths, before, nsteps + 1);
}

static void
take_key_column(UsMap *map, int i, AttrNumber attnum)
{
	char	   *name = NameStr(TupleDescAttr(map->descriptor, attnum - 1)->attname);
	UsMapColumn *column = find_column(map, attnum);
	int			nfields = map->paths->nfields;

	if (column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("key column \"%s\" takes nothing from messages", name),
				 errhint("Give it a source in columns, or choose another key.")));
	map->key_columns[i] = *column;
	map->key_others[i] = -1;
	if (is_known_part(column))
	{
		map->needs_key |= column->part == US_PART_KEY;
		return;
	}
	name = pg_server_to_any(name, (int) strlen(name), PG_UTF8);
	map->key_columns[i].origin = US_ORIGIN_FIELD;
	map->key_columns[i].field = nfields + us_path_set_add(map->key_paths, &name, 1);
	if (column->origin == US_ORIGIN_FIELD)
	{
		char	  **steps;
		int			nsteps = steps_of(map, column->field, &steps);

		map->key_others[i] = nfields + us_path_set_add(map->key_paths, steps, nsteps);
	}
	map->nkey_fields++;
	map->needs_key = true;
}

void
us_map_take_key(UsMap *map, const UsKey *key, bool removes)
{
	MemoryContext old = MemoryContextSwitchTo(map->context);

	map->upserts = true;
	map->removes = removes;
	map->leave_unfed = true;
	map->nkeys = key->count;
	map->key_columns = palloc(sizeof(UsMapColumn) * key->count);
	map->key_others = palloc(sizeof(int) * key->count);
	map->key_befores = palloc(sizeof(int) * key->count);
	map->key_paths = us_path_set_create();

	/* all of these first: the fields of keys come behind those of messages */
	for (int i = 0; i < key->count; i++)
		add_before(map, i, key->attnums[i]);
	for (int i = 0; i < key->count; i++)
		take_key_column(map, i, key->attnums[i]);
	if (map->format->is_event)
		us_debezium_add_paths(map->key_paths, false);
	map->key_decoder = us_decoder_create("json", map->key_paths);
	if (map->format->is_event)
		map->key_decoder->decode = us_decode_debezium_key;
	map->values = repalloc(map->values, sizeof(UsValue) *
						   Max(map->paths->nfields + map->key_paths->nfields, 1));
	MemoryContextSwitchTo(old);
}

bool
us_map_key_is_safe(const UsMap *map)
{
	for (int i = 0; i < map->nkeys; i++)
		if (!map->key_columns[i].safe)
			return false;
	return true;
}

/* a key that is no object, as the text of the one key column */
static char *
plain_key(const UsMessage *message, UsDecodeResult result)
{
	char	   *text = us_message_text(message->key, message->key_len);

	if (result == US_DECODE_NOT_OBJECT && text[strspn(text, " \t\r\n")] == '"')
	{
		Jsonb	   *document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
		JsonbValue	value;

		if (JsonbExtractScalar(&document->root, &value) && value.type == jbvString)
			return pnstrdup(value.val.string.val, value.val.string.len);
	}
	return text;
}

static void
refuse_key(const UsMap *map)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("key of message is not a JSON object"),
			 errdetail("The key of the row has %d columns.", map->nkeys)));
}

static UsDecodeResult
decode_key(UsMap *map, const UsMessage *message)
{
	MemoryContext old = MemoryContextSwitchTo(map->context);
	UsDecodeResult result;

	us_decoder_reset(map->key_decoder);
	result = map->key_decoder->decode(map->key_decoder, message->key, message->key_len,
									  map->values + map->paths->nfields);
	MemoryContextSwitchTo(old);
	return result;
}

/* the one field that the key as a whole is */
static void
take_plain_key(UsMap *map, const UsMessage *message, UsDecodeResult result)
{
	if (map->nkey_fields > 1)
		refuse_key(map);
	for (int i = 0; i < map->nkeys; i++)
	{
		UsValue    *value = &map->values[map->key_columns[i].field];

		if (map->key_columns[i].origin != US_ORIGIN_FIELD)
			continue;
		value->kind = US_VALUE_STRING;
		value->data = plain_key(message, result);
		value->len = (uint32) strlen(value->data);
	}
}

/* in a database of another encoding: the values as texts of this one */
static void
convert_key(UsMap *map)
{
	UsValue    *values = map->values + map->paths->nfields;

	for (int i = 0; i < map->key_paths->nfields; i++)
	{
		if (values[i].kind == US_VALUE_ABSENT || values[i].kind == US_VALUE_NULL)
			continue;
		values[i].data = us_message_text(values[i].data, values[i].len);
		values[i].len = (uint32) strlen(values[i].data);
	}
}

/* the message with its key as JSON, whatever its format makes of it */
static UsMessage
unframe_key(UsMap *map, const UsMessage *message)
{
	UsMessage	result = *message;
	int32		id;

	if (map->format->key != NULL && message->key != NULL &&
		us_frame_read(message->key, message->key_len, &id) &&
		map->format->key(map->decoder, message->key, message->key_len,
						 &result.key, &result.key_len) != US_DECODE_OK)
		us_map_raise_refused(map, &map->decoder->error);
	return result;
}

/* fills the values of the key columns */
static void
read_key(UsMap *map, const UsMessage *message)
{
	UsMessage	unframed;
	UsDecodeResult result = US_DECODE_OK;
	bool		has_before = map->format->is_event && message->value != NULL;

	if (message->key == NULL && map->needs_key && !has_before)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("message has neither a value nor a key"),
				 errdetail("Without a key it is not known which row to remove.")));
	if (map->nkey_fields == 0)
		return;
	for (int i = 0; i < map->key_paths->nfields; i++)
		map->values[map->paths->nfields + i].kind = US_VALUE_ABSENT;
	unframed = unframe_key(map, message);
	message = &unframed;
	if (message->key != NULL)
		result = decode_key(map, message);
	if (result == US_DECODE_REFUSED)
		us_map_raise_refused(map, &map->key_decoder->error);
	/* an object that only jsonb can judge: it raises when it is none */
	if (result == US_DECODE_UNSURE)
		(void) DirectFunctionCall1(jsonb_in,
								   CStringGetDatum(us_message_text(message->key,
																   message->key_len)));
	if (result != US_DECODE_OK && result != US_DECODE_UNSURE)
	{
		take_plain_key(map, message, result);
		return;
	}
	if (!map->utf8)
		convert_key(map);
	for (int i = 0; i < map->nkeys; i++)
	{
		UsValue    *value = &map->values[map->key_columns[i].field];

		if (map->key_columns[i].origin != US_ORIGIN_FIELD)
			continue;
		if (value->kind == US_VALUE_ABSENT && map->key_others[i] >= 0)
			*value = map->values[map->key_others[i]];
		if (value->kind == US_VALUE_ABSENT && has_before && map->key_befores[i] >= 0)
			*value = map->values[map->key_befores[i]];
	}
}

void
us_map_key_row(UsMap *map, const UsMessage *message, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(us_map_scratch(map));

	read_key(map, message);
	MemoryContextSwitchTo(old);
	us_map_begin_row(map, slot);
	for (int i = 0; i < map->nkeys; i++)
	{
		UsMapColumn *column = &map->key_columns[i];
		UsValueKind kind = column->origin == US_ORIGIN_FIELD ?
			map->values[column->field].kind : US_VALUE_STRING;

		map->error_column = NameStr(TupleDescAttr(map->descriptor, column->index)->attname);
		if (kind == US_VALUE_ABSENT || kind == US_VALUE_NULL)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("key of message has no value for column \"%s\"", map->error_column)));
		us_map_column_slow(map, column, message,
						   &slot->tts_values[column->index], &slot->tts_isnull[column->index]);
	}
}

void
us_map_note_present(const UsMap *map, bool *present)
{
	int			n = 0;

	for (int i = 0; i < map->ncolumns; i++)
	{
		const UsMapColumn *column = &map->columns[i];

		if (column->origin != US_ORIGIN_DEFAULT)
			present[n++] = column->origin == US_ORIGIN_PART ||
				map->values[column->field].kind != US_VALUE_ABSENT;
	}
}
