/*-------------------------------------------------------------------------
 * worker/map_slow.c
 *    the messages and columns that the fast way leaves, by PostgreSQL itself
 *
 * Runs under whatever its caller needs to catch errors: PG_TRY where only
 * built-in input functions come up, else a subtransaction.  It goes on where
 * us_map_fast stopped, with the same shortcuts first.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "worker/map_internal.h"

/* the document is not one that gives a row */
static void
refuse_document(Jsonb *document)
{
	const char *kind = "an array";

	if (JB_ROOT_IS_SCALAR(document))
	{
		JsonbValue	value;

		(void) JsonbExtractScalar(&document->root, &value);
		kind = value.type == jbvString ? "a string" :
			value.type == jbvNumeric ? "a number" :
			value.type == jbvBool ? "a boolean" : "null";
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("message is not a JSON object"),
			 errdetail("Its value is %s.", kind)));
}

/* texts that come from the decoder, in the database's encoding */
static const char *
error_text(const char *text)
{
	return text != NULL ? pg_any_to_server(text, (int) strlen(text), PG_UTF8) : NULL;
}

pg_noreturn static void
raise_refused(const UsDecodeError *error)
{
	const char *state = error->sqlstate;

	ereport(ERROR,
			(errcode(MAKE_SQLSTATE(state[0], state[1], state[2], state[3], state[4])),
			 errmsg_internal("%s", error_text(error->message)),
			 error->detail != NULL ? errdetail_internal("%s", error_text(error->detail)) : 0,
			 error->hint != NULL ? errhint("%s", error_text(error->hint)) : 0));
}

void
us_message_json(UsDecoder *decoder, const UsMessage *message, UsMessage *json)
{
	*json = *message;
	if (decoder->format->document != NULL &&
		decoder->format->document(decoder, message->value, message->value_len,
								  &json->value, &json->value_len) != US_DECODE_OK)
		raise_refused(&decoder->error);
}

char *
us_message_json_text(UsDecoder *decoder, const UsMessage *message)
{
	UsMessage	json;

	us_message_json(decoder, message, &json);
	return us_message_text(json.value, json.value_len);
}

/* in a database of another encoding: the values as texts of this one */
static void
convert_values(UsMap *map)
{
	MemoryContext old = MemoryContextSwitchTo(us_map_scratch(map));

	for (int i = 0; i < map->paths->nfields; i++)
	{
		UsValue    *value = &map->values[i];

		if (value->kind == US_VALUE_ABSENT || value->kind == US_VALUE_NULL)
			continue;
		value->data = us_message_text(value->data, value->len);
		value->len = (uint32) strlen(value->data);
	}
	MemoryContextSwitchTo(old);
}

void
us_map_raise_refused(UsMap *map, const UsDecodeError *error)
{
	for (int i = 0; i < map->ncolumns; i++)
	{
		const UsMapColumn *column = &map->columns[i];

		if (column->origin == US_ORIGIN_FIELD && column->field == error->field)
			map->error_column = NameStr(TupleDescAttr(map->descriptor, column->index)->attname);
	}
	raise_refused(error);
}

/* decodes a message; whatever is wrong with JSON, jsonb has the words */
static void
decode_or_raise(UsMap *map, const UsMessage *message)
{
	UsDecodeResult result = us_map_decode(map, message);
	MemoryContext old;
	char	   *text;
	Jsonb	   *document;

	map->removed = result == US_DECODE_REMOVED;
	if (result == US_DECODE_REFUSED)
		us_map_raise_refused(map, &map->decoder->error);
	if (result == US_DECODE_OK && us_map_same_text(map, message))
		return;
	if (map->removed || (result == US_DECODE_OK && !map->format->is_json))
	{
		convert_values(map);
		return;
	}
	old = MemoryContextSwitchTo(us_map_scratch(map));
	if (map->takes_documents)
		document = us_map_document(message);
	else
	{
		text = us_message_json_text(map->decoder, message);
		document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	}
	MemoryContextSwitchTo(old);
	if (!JB_ROOT_IS_OBJECT(document))
		refuse_document(document);
	if (result != US_DECODE_OK && result != US_DECODE_UNSURE)
		elog(ERROR, "message was refused (%d), but jsonb accepts it", (int) result);
	if (!map->utf8)
		convert_values(map);
}

/* the text for the column's input function; NULL for null */
static char *
slow_text(UsMap *map, UsMapColumn *column, const UsMessage *message)
{
	UsValue    *value;

	if (column->origin == US_ORIGIN_PART)
		return us_part_text(map, message, column->part, column->bytes_form);
	value = &map->values[column->field];
	if (value->kind == US_VALUE_ABSENT || value->kind == US_VALUE_NULL)
		return NULL;
	if (column->is_bits && (value->kind == US_VALUE_TRUE || value->kind == US_VALUE_FALSE))
		return pstrdup(value->kind == US_VALUE_TRUE ? "1" : "0");
	return us_value_string(map, column, value);
}

/*
 * A bytea that was sent in base64; domains over it take its text.  Of an event
 * with a schema the decoder has made hexadecimal digits.
 */
static Datum
decode_base64(const UsMap *map, UsMapColumn *column, char *text)
{
	Datum		bytes;

	if (map->format->is_event && text[0] == '\\')
		return InputFunctionCall(&column->input, text, column->typioparam, column->typmod);
	bytes = DirectFunctionCall2(binary_decode, CStringGetTextDatum(text),
											CStringGetTextDatum("base64"));

	if (column->shortcut == US_SHORTCUT_BYTEA)
		return bytes;
	text = DatumGetCString(DirectFunctionCall1(byteaout, bytes));
	return InputFunctionCall(&column->input, text, column->typioparam, column->typmod);
}

/* a JSON array that has a number among its elements, or a string that is no hexadecimal bytea */
static bool
array_has(const UsValue *value, bool bytes)
{
	bool		quoted = false;

	for (uint32 i = 0; i < value->len; i++)
	{
		char		c = value->data[i];

		if (quoted && c == '\\')
			i++;
		else if (c == '"')
		{
			quoted = !quoted;
			if (bytes && quoted && value->data[i + 1] != '\\')
				return true;
		}
		else if (!bytes && !quoted && c >= '0' && c <= '9')
			return true;
	}
	return false;
}

/* 0 and 1 is what the decoder makes of bits; bit's input takes other texts too */
static bool
is_undescribed_bits(const UsValue *value)
{
	return value->kind == US_VALUE_STRING && value->len > 0 && value->data[0] != '0' &&
		value->data[0] != '1';
}

/*
 * What an event without a schema does not say, and an input function would take
 * for something else: 200101 is a date of the year 2020 to PostgreSQL, and any
 * base64 a bytea.
 */
static void
refuse_undescribed(const UsMap *map, const UsMapColumn *column)
{
	const UsValue *value = &map->values[column->field];
	bool		is_array = value->kind == US_VALUE_ARRAY;

	if (column->is_dated &&
		(value->kind == US_VALUE_NUMBER || (is_array && array_has(value, false))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_DATETIME_FORMAT),
				 errmsg("column \"%s\" cannot take a number", map->error_column),
				 errdetail("Without a schema, the message does not say what the number counts."),
				 errhint("Set value.converter.schemas.enable=true in the connector, or time.precision.mode=isostring.")));
	if ((column->is_bits && is_undescribed_bits(value)) ||
		(column->is_bytes_array && is_array && array_has(value, true)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("column \"%s\" cannot take bytes in base64", map->error_column),
				 errdetail("Without a schema, the message does not say what the bytes stand for."),
				 errhint("Set value.converter.schemas.enable=true in the connector.")));
}

/* whether a column is left to its default: the message has no such field */
static bool
is_left_out(const UsMap *map, const UsMapColumn *column)
{
	return column->origin == US_ORIGIN_DEFAULT ||
		(column->origin == US_ORIGIN_FIELD &&
		 map->values[column->field].kind == US_VALUE_ABSENT);
}

void
us_map_column_slow(UsMap *map, UsMapColumn *column, const UsMessage *message,
				   Datum *result, bool *isnull)
{
	MemoryContext old;
	char	   *text = NULL;

	*isnull = false;
	if (us_map_column_fast(map, column, message, result, isnull))
		return;
	if (map->format->is_event && column->origin == US_ORIGIN_FIELD)
		refuse_undescribed(map, column);
	old = MemoryContextSwitchTo(us_map_scratch(map));
	if (is_left_out(map, column) && column->def.state != US_DEFAULT_NONE)
		*result = us_default_value(map, column, isnull);
	else if (column->origin == US_ORIGIN_FIELD &&
			 us_nested_wanted(column, &map->values[column->field]))
		*result = us_nested_value(map, column, &map->values[column->field], isnull);
	else
	{
		text = slow_text(map, column, message);
		*isnull = text == NULL;
		if (text != NULL && column->base64)
			*result = decode_base64(map, column, text);
		else
			*result = InputFunctionCall(&column->input, text, column->typioparam,
										column->typmod);
	}
	MemoryContextSwitchTo(old);
	*result = *isnull ? (Datum) 0 : us_map_store(map, column, *result);
}

static void
report_position(void *arg)
{
	UsMap	   *map = arg;

	if (map->error_column != NULL)
		errcontext("column \"%s\" of message at offset " INT64_FORMAT " of partition %d",
				   map->error_column, map->message->offset, map->message->partition);
	else
		errcontext("message at offset " INT64_FORMAT " of partition %d",
				   map->message->offset, map->message->partition);
}

void
us_map_slow(UsMap *map, const UsMessage *message, TupleTableSlot *slot)
{
	bool		left = map->left == message && map->left_value == message->value &&
		map->left_slot == slot;
	int			first = left ? map->left_column : 0;
	ErrorContextCallback callback;

	if (message->value == NULL && !map->removes)
		elog(ERROR, "message without a value has no row");
	us_map_begin_message(map);
	map->message = message;
	callback.callback = report_position;
	callback.arg = map;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	map->removed = message->value == NULL;
	if (!left && !map->removed)
		decode_or_raise(map, message);
	if (map->removed)
	{
		us_map_key_row(map, message, slot);
		first = map->ncolumns;
	}
	else if (!left)
	{
		if (map->refuse_unknown && map->decoder->unknown)
			us_part_refuse_rest(map, message);
		us_map_begin_row(map, slot);
	}
	for (int i = first; i < map->ncolumns; i++)
	{
		UsMapColumn *column = &map->columns[i];

		map->error_column = NameStr(TupleDescAttr(map->descriptor, column->index)->attname);
		us_map_column_slow(map, column, message,
						   &slot->tts_values[column->index], &slot->tts_isnull[column->index]);
	}
	map->error_column = NULL;
	error_context_stack = callback.previous;
	ExecStoreVirtualTuple(slot);
}

bool
us_map_is_removal(const UsMap *map)
{
	return map->removed;
}

const char *
us_map_error_column(const UsMap *map)
{
	return map->error_column;
}
