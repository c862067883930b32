/*-------------------------------------------------------------------------
 * worker/map_key.c
 *    the key of a message without a value -> the key of the row to remove
 *
 * Part of the slow way, see map_slow.c.  A key is a JSON object with the key
 * columns by name; where the key is one column, it may also be the plain
 * value, or a JSON string of it.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "worker/map_internal.h"

static UsMapColumn *
find_column(UsMap *map, AttrNumber attnum)
{
	for (int i = 0; i < map->ncolumns; i++)
		if (map->columns[i].index == attnum - 1 && map->columns[i].origin != US_ORIGIN_DEFAULT)
			return &map->columns[i];
	return NULL;
}

void
us_map_take_key(UsMap *map, const UsKey *key, bool removes)
{
	MemoryContext old = MemoryContextSwitchTo(map->context);
	int			nfields = map->paths->nfields;

	map->upserts = true;
	map->removes = removes;
	map->leave_unfed = true;
	map->nkeys = key->count;
	map->key_columns = palloc(sizeof(UsMapColumn) * key->count);
	map->key_paths = us_path_set_create();
	for (int i = 0; i < key->count; i++)
	{
		char	   *name = NameStr(TupleDescAttr(map->descriptor, key->attnums[i] - 1)->attname);
		UsMapColumn *column = find_column(map, key->attnums[i]);

		if (column == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
					 errmsg("key column \"%s\" takes nothing from messages", name),
					 errhint("Give it a source in columns, or choose another key.")));
		map->key_columns[i] = *column;
		map->key_columns[i].origin = US_ORIGIN_FIELD;
		map->key_columns[i].base64 = false;
		name = pg_server_to_any(name, (int) strlen(name), PG_UTF8);
		map->key_columns[i].field = nfields + us_path_set_add(map->key_paths, &name, 1);
	}
	map->key_decoder = us_decoder_create("json", map->key_paths);
	map->values = repalloc(map->values, sizeof(UsValue) * (nfields + key->count));
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

/* fills the values of the key columns */
static void
read_key(UsMap *map, const UsMessage *message)
{
	UsValue    *values = map->values + map->paths->nfields;
	UsDecodeResult result;

	if (message->key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("message has neither a value nor a key"),
				 errdetail("Without a key it is not known which row to remove.")));
	result = decode_key(map, message);
	/* an object that only jsonb can judge: it raises when it is none */
	if (result == US_DECODE_UNSURE)
		(void) DirectFunctionCall1(jsonb_in,
								   CStringGetDatum(us_message_text(message->key,
																   message->key_len)));
	if (result != US_DECODE_OK && result != US_DECODE_UNSURE)
	{
		if (map->nkeys > 1)
			refuse_key(map);
		values[0].kind = US_VALUE_STRING;
		values[0].data = plain_key(message, result);
		values[0].len = (uint32) strlen(values[0].data);
		return;
	}
	for (int i = 0; i < map->nkeys && !map->utf8; i++)
	{
		if (values[i].kind == US_VALUE_ABSENT || values[i].kind == US_VALUE_NULL)
			continue;
		values[i].data = us_message_text(values[i].data, values[i].len);
		values[i].len = (uint32) strlen(values[i].data);
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
		UsValueKind kind = map->values[column->field].kind;

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
