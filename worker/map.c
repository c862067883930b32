/*-------------------------------------------------------------------------
 * worker/map.c
 *    one message -> the columns of one row, by a plan compiled once
 *
 * This is the fast way: what can neither raise nor run foreign code.  In a
 * database whose encoding is not UTF-8 that is only messages of plain ASCII
 * without backslashes, which are the same in both encodings.  What it leaves,
 * map_slow.c finishes.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/forced.h"
#include "worker/map_internal.h"
#include "worker/stage.h"

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
		message->value_len > US_FAST_JSON_MAX ||
		(column->part == US_PART_REST && !map->format->is_json))
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
	if (US_FORCED(INPUT))
		return false;
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
	if (map->upserts || (column->origin == US_ORIGIN_DEFAULT && map->leave_unfed))
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

bool
us_map_same_text(const UsMap *map, const UsMessage *message)
{
	if (map->utf8 || !map->format->has_fields)
		return true;
	for (size_t i = 0; i < message->value_len; i++)
		if (IS_HIGHBIT_SET(message->value[i]) || message->value[i] == '\\')
			return false;
	return true;
}

void
us_map_begin_row(const UsMap *map, TupleTableSlot *slot)
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
	if (map->upserts || (column->origin == US_ORIGIN_DEFAULT && map->leave_unfed))
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

UsDecodeResult
us_map_decode(UsMap *map, const UsMessage *message)
{
	MemoryContext old = MemoryContextSwitchTo(map->context);
	UsDecodeResult result;

	us_decoder_reset(map->decoder);
	if (map->takes_documents)
		result = us_document_decode(map, us_map_document(message));
	else
		result = map->decoder->decode(map->decoder, message->value, message->value_len,
									  map->values);
	if (US_FORCED(PARSER) && result == US_DECODE_OK && map->format->is_json)
		result = US_DECODE_UNSURE;
	us_stage_sample_decoded();
	MemoryContextSwitchTo(old);
	return result;
}

void
us_map_begin_message(UsMap *map)
{
	map->left = NULL;
	map->removed = false;
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
	us_map_begin_message(map);
	us_decoder_reset(map->decoder);
	map->batch_context = batch_context;
	map->batch++;
	map->arena = NULL;
	map->arena_end = NULL;
}

bool
us_map_column_fast(UsMap *map, UsMapColumn *column, const UsMessage *message,
				   Datum *result, bool *isnull)
{
	return fast_column(map, column, message, result, isnull);
}

static inline UsMapResult
map_fast(UsMap *map, const UsMessage *message, TupleTableSlot *slot)
{
	Datum	   *values = slot->tts_values;
	bool	   *isnull = slot->tts_isnull;
	UsDecodeResult result;

	if (message->value == NULL && !map->removes)
		return US_MAP_SKIP;
	us_map_begin_message(map);
	if (message->value == NULL)
		return us_map_key_is_safe(map) ? US_MAP_SLOW_SAFE : US_MAP_SLOW;
	result = us_map_decode(map, message);
	if (unlikely(result == US_DECODE_REMOVED))
		return !map->removes ? US_MAP_SKIP :
			us_map_key_is_safe(map) ? US_MAP_SLOW_SAFE : US_MAP_SLOW;
	if (US_FORCED(ROWS))
		return US_MAP_SLOW;
	if (unlikely(result == US_DECODE_UNSURE || !us_map_same_text(map, message) ||
				 (map->refuse_unknown && map->decoder->unknown)))
	{
		UsMapResult way = leave_message(map, message, slot, 0);

		map->left = NULL;
		return way;
	}
	if (unlikely(result != US_DECODE_OK))
		return US_MAP_SLOW_SAFE;

	us_map_begin_row(map, slot);
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

UsMapResult
us_map_fast(UsMap *map, const UsMessage *message, TupleTableSlot *slot)
{
	bool		sampled = us_stage_sample_begin();
	UsMapResult result = map_fast(map, message, slot);

	if (sampled)
		us_stage_sample_end();
	return result;
}
