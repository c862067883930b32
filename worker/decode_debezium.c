/*-------------------------------------------------------------------------
 * worker/decode_debezium.c
 *    a change event of Debezium -> the values of the row that it is about
 *
 * An event is {"before": , "after": , "source": , "op": ...}, by itself or as
 * the payload beside a schema, as Connect's JsonConverter writes it with
 * schemas.enable.  The paths of columns begin in the payload, so the decoder
 * of JSON finds them all in one walk.  A schema says what numbers and texts
 * stand for; it is several times as long as the row, but the same in message
 * after message: where the bytes before the payload are those of the last
 * message, only the payload is walked.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "worker/alloc.h"
#include "worker/debezium.h"

#define SCHEMA_START		"{\"schema\":"
#define PAYLOAD_START		",\"payload\":"
#define KEPT_BYTES_MAX		(1024 * 1024)	/* of a schema; a longer one is read each time */

/* in place of a value that PostgreSQL did not log: an unchanged TOAST value */
#define UNAVAILABLE			"__debezium_unavailable_value"
#define UNAVAILABLE_BYTES	"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ=="
#define UNAVAILABLE_ARRAY	"[\"" UNAVAILABLE "\"]"

#define BAD_MESSAGE			"22023"
#define UNSUPPORTED			"0A000"

typedef struct Debezium
{
	UsDecoder  *json;			/* over the same paths */
	UsDecoder  *described;		/* see us_debezium_read_schema */
	UsDecoder  *parts;			/* see us_debezium_convert */
	int			schema;			/* fields that it looks for itself ... */
	int			payload;
	int			op;				/* ... and in a key does not: -1 */
	int			after;
	UsDebeziumType *types;		/* by field */
	bool		has_types;		/* the last message had a schema */

	/* bytes of the last message up to its payload; 0 = nothing is kept */
	char	   *prefix;
	size_t		prefix_len;
	size_t		prefix_size;
} Debezium;

static char *const event_paths[] = {"schema", "payload", "op", "after"};

void
us_debezium_add_paths(UsPathSet *paths, bool event)
{
	for (int i = 0; i < (event ? 4 : 2); i++)
		(void) us_path_set_add(paths, &event_paths[i], 1);
}

static int
find_path(const UsPathSet *paths, const char *name)
{
	int			node = us_path_child(paths, 0, name, (int) strlen(name));

	return node >= 0 ? paths->nodes[node].field : -1;
}

static Debezium *
create_state(UsDecoder *decoder)
{
	Debezium   *state = us_alloc_beside(decoder, sizeof(Debezium));
	int			nfields = decoder->paths->nfields;

	memset(state, 0, sizeof(*state));
	state->json = us_decoder_create("json", decoder->paths);
	state->described = us_debezium_schema_create();
	state->parts = us_debezium_parts_create();
	state->schema = find_path(decoder->paths, "schema");
	state->payload = find_path(decoder->paths, "payload");
	state->op = -1;
	state->after = -1;
	if (decoder->decode == us_decode_debezium)
	{
		state->op = find_path(decoder->paths, "op");
		state->after = find_path(decoder->paths, "after");
	}
	state->types = us_alloc_beside(decoder, sizeof(UsDebeziumType) * nfields);
	memset(state->types, 0, sizeof(UsDebeziumType) * nfields);
	return state;
}

/*
 * The types of a schema, and the bytes up to the payload, when they are in the
 * form that JsonConverter writes: then the next message is looked at for them.
 */
static void
take_schema(UsDecoder *decoder, const char *data, size_t len, const UsValue *schema,
			const UsValue *payload)
{
	Debezium   *state = decoder->state;
	const char *stop = schema->data + schema->len;
	size_t		prefix_len = payload->data - data;

	us_debezium_read_schema(decoder, state->described, schema, state->types);
	state->has_types = true;
	state->prefix_len = 0;
	if (schema->data != data + strlen(SCHEMA_START) ||
		memcmp(data, SCHEMA_START, strlen(SCHEMA_START)) != 0 ||
		payload->data != stop + strlen(PAYLOAD_START) ||
		memcmp(stop, PAYLOAD_START, strlen(PAYLOAD_START)) != 0 ||
		payload->data + payload->len + 1 != data + len || prefix_len > KEPT_BYTES_MAX)
		return;
	if (prefix_len > state->prefix_size)
	{
		if (state->prefix != NULL)
			pfree(state->prefix);
		state->prefix_size = prefix_len * 2;
		state->prefix = us_alloc_beside(decoder, state->prefix_size);
	}
	memcpy(state->prefix, data, prefix_len);
	state->prefix_len = prefix_len;
}

/*
 * The payload of a message that begins as the last one did: what is left of it
 * is one JSON value and the closing brace, exactly when all of it is JSON.
 */
static bool
decode_like_last(Debezium *state, const char *data, size_t len, UsValue *values,
				 UsDecodeResult *result)
{
	if (state->prefix_len == 0 || len <= state->prefix_len + 1 || data[len - 1] != '}' ||
		memcmp(data, state->prefix, state->prefix_len) != 0)
		return false;
	*result = us_decode_json(state->json, data + state->prefix_len,
							 len - state->prefix_len - 1, values);
	return *result <= US_DECODE_UNSURE;
}

/* the payload, by itself or beside a schema; *is_null: there is a null in its place */
static UsDecodeResult
decode_payload(UsDecoder *decoder, const char *data, size_t len, UsValue *values, bool *is_null)
{
	Debezium   *state = decoder->state;
	UsDecodeResult result;
	UsDecodeResult inner;
	UsValue		schema;
	UsValue		payload;

	*is_null = false;
	us_decoder_reset(state->json);
	if (decode_like_last(state, data, len, values, &result))
	{
		state->has_types = true;
		return result;
	}
	state->has_types = false;
	result = us_decode_json(state->json, data, len, values);
	if (result > US_DECODE_UNSURE)
		return result;
	schema = values[state->schema];
	payload = values[state->payload];
	if (schema.kind == US_VALUE_ABSENT ||
		(payload.kind != US_VALUE_OBJECT && payload.kind != US_VALUE_NULL))
		return result;

	*is_null = payload.kind == US_VALUE_NULL;
	if (*is_null)
		return result;
	if (schema.kind == US_VALUE_OBJECT)
		take_schema(decoder, data, len, &schema, &payload);
	inner = us_decode_json(state->json, payload.data, payload.len, values);
	return inner == US_DECODE_OK ? result : inner;
}

static bool
is_bytes(const UsValue *value, const char *bytes)
{
	return value->len == strlen(bytes) && memcmp(value->data, bytes, value->len) == 0;
}

/* one that the source did not send: it stays as it is */
static bool
is_unavailable(const UsValue *value)
{
	if (value->kind == US_VALUE_ARRAY)
		return is_bytes(value, UNAVAILABLE_ARRAY);
	return value->kind == US_VALUE_STRING &&
		(is_bytes(value, UNAVAILABLE) || is_bytes(value, UNAVAILABLE_BYTES));
}

/* lenient: what cannot be is as good as absent */
static UsDecodeResult
convert_values(UsDecoder *decoder, UsValue *values, bool lenient)
{
	Debezium   *state = decoder->state;
	UsDebeziumType guess = {.number = US_DEBEZIUM_NO_NUMBER};

	for (int i = 0; i < decoder->paths->nfields; i++)
	{
		const UsDebeziumType *type = &state->types[i];
		UsValue    *value = &values[i];

		if (value->kind <= US_VALUE_NULL || i == state->schema || i == state->payload ||
			i == state->op || i == state->after)
			continue;
		if (is_unavailable(value))
		{
			value->kind = US_VALUE_ABSENT;
			continue;
		}
		if (!state->has_types)
		{
			if (value->kind != US_VALUE_OBJECT)
				continue;
			guess.kind = us_debezium_guess(state->parts, value);
			type = &guess;
		}
		if (type->kind == US_DEBEZIUM_PLAIN ||
			us_debezium_convert(decoder, state->parts, type, i, value))
			continue;
		if (!lenient)
			return US_DECODE_REFUSED;
		value->kind = US_VALUE_ABSENT;
	}
	return US_DECODE_OK;
}

static UsDecodeResult
refuse_event(UsDecoder *decoder)
{
	return us_decoder_refuse(decoder, -1, BAD_MESSAGE,
							 "Messages that a transformation has made plain rows of (ExtractNewRecordState) are of format json.",
							 "message is not a change event of Debezium: it has no \"op\"");
}

/* what the event's operation asks for */
static UsDecodeResult
read_event(UsDecoder *decoder, UsValue *values, UsDecodeResult result)
{
	Debezium   *state = decoder->state;
	const UsValue *op = &values[state->op];
	UsDecodeResult converted;

	if (op->kind != US_VALUE_STRING)
		return refuse_event(decoder);
	switch (op->len == 1 ? op->data[0] : '\0')
	{
		case 'c':
		case 'r':
		case 'u':
			if (values[state->after].kind != US_VALUE_OBJECT)
				return us_decoder_refuse(decoder, -1, BAD_MESSAGE, NULL,
										 "change event has no row in \"after\"");
			converted = convert_values(decoder, values, false);
			return converted == US_DECODE_OK ? result : converted;
		case 'd':
			(void) convert_values(decoder, values, true);
			return US_DECODE_REMOVED;
		case 't':
			return us_decoder_refuse(decoder, -1, UNSUPPORTED,
									 "Empty the target yourself; skipped.operations of the connector (default t) keeps such events out.",
									 "source table was truncated, which is not applied");
		default:
			return us_decoder_refuse(decoder, -1, UNSUPPORTED, NULL,
									 "operation \"%.*s\" of a change event is not supported",
									 us_decoder_clip(op->data, op->len), op->data);
	}
}

static void
start_message(UsDecoder *decoder)
{
	decoder->unknown = true;
	if (decoder->state == NULL)
		decoder->state = create_state(decoder);
}

UsDecodeResult
us_decode_debezium(UsDecoder *decoder, const char *data, size_t len, UsValue *values)
{
	UsDecodeResult result;
	bool		is_null;

	start_message(decoder);
	result = decode_payload(decoder, data, len, values, &is_null);
	if (result > US_DECODE_UNSURE)
		return result;
	return is_null ? US_DECODE_REMOVED : read_event(decoder, values, result);
}

UsDecodeResult
us_decode_debezium_key(UsDecoder *decoder, const char *data, size_t len, UsValue *values)
{
	UsDecodeResult result;
	UsDecodeResult converted;
	bool		is_null;

	start_message(decoder);
	result = decode_payload(decoder, data, len, values, &is_null);
	if (result > US_DECODE_UNSURE)
		return result;
	converted = convert_values(decoder, values, false);
	return converted == US_DECODE_OK ? result : converted;
}
