/*-------------------------------------------------------------------------
 * worker/map.c
 *    one message -> the columns of one row, by a plan compiled once
 *
 * us_map_fast does what can neither raise nor run foreign code.  In a
 * database whose encoding is not UTF-8 that is only messages of plain ASCII
 * without backslashes, which are the same in both encodings.  us_map_slow
 * goes on where us_map_fast stopped, with the same shortcuts first.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/map_internal.h"

/* bytes of a message into text or bytea as they are */
static bool
fast_bytes(UsMap *map, const UsMapColumn *column, const char *data, size_t len, Datum *result)
{
	if (column->shortcut == US_SHORTCUT_TEXT)
	{
		if (!map->utf8 || !pg_verify_mbstr(PG_UTF8, data, (int) len, true))
			return false;
	}
	else if (column->shortcut != US_SHORTCUT_BYTEA)
		return false;
	*result = us_map_store_bytes(map, column, data, len);
	return true;
}

/* @headers or @rest into a jsonb */
static bool
fast_document(UsMap *map, const UsMapColumn *column, const UsMessage *message,
			  Datum *result, bool *isnull)
{
	MemoryContext old;
	Jsonb	   *document;

	if (column->shortcut != US_SHORTCUT_JSONB || !map->utf8 ||
		message->value_len > US_FAST_JSON_MAX)
		return false;
	old = MemoryContextSwitchTo(us_map_scratch(map));
	document = us_part_jsonb(map, message, column->part);
	MemoryContextSwitchTo(old);
	*isnull = document == NULL;
	if (!*isnull)
		*result = us_map_store(map, column, JsonbPGetDatum(document));
	return true;
}

/* a part of the message; false: the slow way, true: done, perhaps null */
static bool
fast_part(UsMap *map, const UsMapColumn *column, const UsMessage *message,
		  Datum *result, bool *isnull)
{
	TimestampTz time;

	*isnull = false;
	switch (column->part)
	{
		case US_PART_TOPIC:
			return fast_bytes(map, column, message->topic, strlen(message->topic), result);
		case US_PART_PARTITION:
			*result = Int32GetDatum(message->partition);
			return column->shortcut == US_SHORTCUT_INT4;
		case US_PART_OFFSET:
			*result = Int64GetDatum(message->offset);
			return column->shortcut == US_SHORTCUT_INT8;
		case US_PART_TIMESTAMP:
			*isnull = !us_message_time(message, &time);
			if (*isnull)
				return !column->null_call;
			*result = TimestampTzGetDatum(time);
			return column->shortcut == US_SHORTCUT_TIMESTAMPTZ && column->typmod < 0;
		case US_PART_KEY:
			*isnull = message->key == NULL;
			if (*isnull)
				return !column->null_call;
			return fast_bytes(map, column, message->key, message->key_len, result);
		case US_PART_VALUE:
			return fast_bytes(map, column, message->value, message->value_len, result);
		case US_PART_HEADERS:
		case US_PART_REST:
			return fast_document(map, column, message, result, isnull);
	}
	return false;
}

/* a default that needs no care; false: the slow way */
static bool
fast_default(UsMap *map, UsMapColumn *column, Datum *result, bool *isnull)
{
	*isnull = true;
	if (column->origin == US_ORIGIN_DEFAULT && map->leave_unfed)
		return true;
	switch (column->def.state)
	{
		case US_DEFAULT_NONE:
			return !column->null_call;
		case US_DEFAULT_CONST:
			*result = column->def.value;
			*isnull = column->def.isnull;
			return true;
		case US_DEFAULT_HARMLESS:
			*result = us_default_harmless(column, isnull);
			if (!*isnull)
				*result = us_map_store(map, column, *result);
			return true;
		case US_DEFAULT_UNREADY:
		case US_DEFAULT_EXPRESSION:
			return false;
	}
	return false;
}

/* one column; false: the slow way */
static inline bool
fast_column(UsMap *map, UsMapColumn *column, const UsMessage *message,
			Datum *result, bool *isnull)
{
	if (likely(column->origin == US_ORIGIN_FIELD))
	{
		const UsValue *value = &map->values[column->field];

		if (likely(value->kind > US_VALUE_NULL))
		{
			*isnull = false;
			return us_value_fast(map, column, value, result);
		}
		if (value->kind == US_VALUE_NULL)
		{
			*isnull = true;
			return !column->null_call;
		}
	}
	else if (column->origin == US_ORIGIN_PART)
		return fast_part(map, column, message, result, isnull);
	return fast_default(map, column, result, isnull);
}

/* whether a message of another encoding means the same in this database's */
static bool
is_common_text(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (IS_HIGHBIT_SET(data[i]) || data[i] == '\\')
			return false;
	return true;
}

static void
begin_row(const UsMap *map, TupleTableSlot *slot)
{
	int			natts = map->descriptor->natts;

	memset(slot->tts_isnull, true, sizeof(bool) * natts);
	memset(slot->tts_values, 0, sizeof(Datum) * natts);
}

/* whether a column can be left to the slow way without a subtransaction around it */
static bool
column_is_safe(const UsMap *map, const UsMapColumn *column)
{
	UsValueKind kind = column->origin == US_ORIGIN_FIELD ?
		map->values[column->field].kind : US_VALUE_ABSENT;

	if (column->origin == US_ORIGIN_PART || kind > US_VALUE_NULL)
		return column->safe;
	if (kind == US_VALUE_NULL)
		return !column->null_call;
	if (column->origin == US_ORIGIN_DEFAULT && map->leave_unfed)
		return true;
	return column->def.state == US_DEFAULT_NONE ? !column->null_call :
		column->def.state == US_DEFAULT_CONST || column->def.state == US_DEFAULT_HARMLESS;
}

/* leaves a message at a column, to us_map_slow */
static UsMapResult
leave_message(UsMap *map, const UsMessage *message, TupleTableSlot *slot, int first)
{
	map->left = message;
	map->left_value = message->value;
	map->left_slot = slot;
	map->left_column = first;
	for (int i = first; i < map->ncolumns; i++)
		if (!column_is_safe(map, &map->columns[i]))
			return US_MAP_SLOW;
	return US_MAP_SLOW_SAFE;
}

static UsDecodeResult
decode_message(UsMap *map, const UsMessage *message)
{
	MemoryContext old = MemoryContextSwitchTo(map->context);
	UsDecodeResult result;

	us_decoder_reset(map->decoder);
	result = map->decoder->decode(map->decoder, message->value, message->value_len, map->values);
	MemoryContextSwitchTo(old);
	return result;
}

/* forgets the message before */
static void
begin_message(UsMap *map)
{
	map->left = NULL;
	map->error_column = NULL;
	if (map->scratch_used)
	{
		MemoryContextReset(map->scratch);
		map->scratch_used = false;
	}
}

void
us_map_begin_batch(UsMap *map, MemoryContext batch_context)
{
	begin_message(map);
	map->batch_context = batch_context;
	map->batch++;
	map->arena = NULL;
	map->arena_end = NULL;
}

UsMapResult
us_map_fast(UsMap *map, const UsMessage *message, TupleTableSlot *slot)
{
	Datum	   *values = slot->tts_values;
	bool	   *isnull = slot->tts_isnull;
	UsDecodeResult result;

	if (message->value == NULL)
		return US_MAP_SKIP;
	begin_message(map);
	result = decode_message(map, message);
	if (unlikely(result == US_DECODE_UNSURE ||
				 (!map->utf8 && !is_common_text(message->value, message->value_len))))
	{
		UsMapResult way = leave_message(map, message, slot, 0);

		map->left = NULL;
		return way;
	}
	if (unlikely(result != US_DECODE_OK))
		return US_MAP_SLOW_SAFE;

	begin_row(map, slot);
	for (int i = 0; i < map->ncolumns; i++)
	{
		UsMapColumn *column = &map->columns[i];

		if (unlikely(!fast_column(map, column, message,
								  &values[column->index], &isnull[column->index])))
			return leave_message(map, message, slot, i);
	}
	ExecStoreVirtualTuple(slot);
	return US_MAP_DONE;
}

/*
 * The slow way.
 */

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

/* decodes a message; whatever is wrong with it, jsonb has the words */
static void
decode_or_raise(UsMap *map, const UsMessage *message)
{
	UsDecodeResult result = decode_message(map, message);
	MemoryContext old;
	char	   *text;
	Jsonb	   *document;

	if (result == US_DECODE_OK &&
		(map->utf8 || is_common_text(message->value, message->value_len)))
		return;
	old = MemoryContextSwitchTo(us_map_scratch(map));
	text = us_message_text(message->value, message->value_len);
	document = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
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
	return us_value_string(map, column, value);
}

/* a bytea that was sent in base64; domains over it take its text */
static Datum
decode_base64(UsMapColumn *column, char *text)
{
	Datum		bytes = DirectFunctionCall2(binary_decode, CStringGetTextDatum(text),
											CStringGetTextDatum("base64"));

	if (column->shortcut == US_SHORTCUT_BYTEA)
		return bytes;
	text = DatumGetCString(DirectFunctionCall1(byteaout, bytes));
	return InputFunctionCall(&column->input, text, column->typioparam, column->typmod);
}

/* whether a column is left to its default: the message has no such field */
static bool
is_left_out(const UsMap *map, const UsMapColumn *column)
{
	return column->origin == US_ORIGIN_DEFAULT ||
		(column->origin == US_ORIGIN_FIELD &&
		 map->values[column->field].kind == US_VALUE_ABSENT);
}

static void
slow_column(UsMap *map, UsMapColumn *column, const UsMessage *message,
			Datum *result, bool *isnull)
{
	MemoryContext old;
	char	   *text = NULL;

	*isnull = false;
	if (fast_column(map, column, message, result, isnull))
		return;
	old = MemoryContextSwitchTo(us_map_scratch(map));
	if (is_left_out(map, column) && column->def.state != US_DEFAULT_NONE)
		*result = us_default_value(map, column, isnull);
	else
	{
		text = slow_text(map, column, message);
		*isnull = text == NULL;
		if (text != NULL && column->base64)
			*result = decode_base64(column, text);
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

	if (message->value == NULL)
		elog(ERROR, "message without a value has no row");
	begin_message(map);
	map->message = message;
	callback.callback = report_position;
	callback.arg = map;
	callback.previous = error_context_stack;
	error_context_stack = &callback;
	if (!left)
	{
		decode_or_raise(map, message);
		begin_row(map, slot);
	}
	for (int i = first; i < map->ncolumns; i++)
	{
		UsMapColumn *column = &map->columns[i];

		map->error_column = NameStr(TupleDescAttr(map->descriptor, column->index)->attname);
		slow_column(map, column, message,
					&slot->tts_values[column->index], &slot->tts_isnull[column->index]);
	}
	map->error_column = NULL;
	error_context_stack = callback.previous;
	ExecStoreVirtualTuple(slot);
}

const char *
us_map_error_column(const UsMap *map)
{
	return map->error_column;
}
