/*-------------------------------------------------------------------------
 * worker/map_part.c
 *    the parts of a message beside the fields of its value
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "common/base64.h"
#include "common/int.h"
#include "common/string.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#include "worker/map_internal.h"

char *
us_message_text(const char *data, size_t len)
{
	pg_verify_mbstr(PG_UTF8, data, (int) len, false);
	return pg_any_to_server(pnstrdup(data, len), (int) len, PG_UTF8);
}

bool
us_message_time(const UsMessage *message, TimestampTz *time)
{
	int64		usec;

	/* shifted before it is multiplied, for the last years would overflow */
	if (message->timestamp_ms == -1 ||
		pg_sub_s64_overflow(message->timestamp_ms,
							(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (USECS_PER_DAY / 1000),
							&usec) ||
		pg_mul_s64_overflow(usec, INT64CONST(1000), &usec) ||
		!IS_VALID_TIMESTAMP(usec))
		return false;
	*time = usec;
	return true;
}

int64
us_message_ms(TimestampTz time)
{
	return time / 1000 + (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * (int64) (SECS_PER_DAY * 1000);
}

/*
 * The same as us_message_text, but NULL where that would raise: a header is
 * kept in any case.
 */
static char *
text_or_null(const char *data, size_t len)
{
	int			encoding = GetDatabaseEncoding();
	size_t		size;
	char	   *text;
	Oid			conversion;

	if (!pg_verify_mbstr(PG_UTF8, data, (int) len, true))
		return NULL;
	text = pnstrdup(data, len);
	if (encoding == PG_UTF8 || encoding == PG_SQL_ASCII || pg_is_ascii(text))
		return text;
	conversion = FindDefaultConversionProc(PG_UTF8, encoding);
	if (!OidIsValid(conversion))
		return NULL;
	size = len * MAX_CONVERSION_GROWTH + 1;
	text = palloc(size);
	if (pg_do_encoding_conversion_buf(conversion, PG_UTF8, encoding,
									  (unsigned char *) unconstify(char *, data), (int) len,
									  (unsigned char *) text, (int) size, true) != (int) len)
		return NULL;
	return text;
}

static void
push_string(JsonbParseState **state, JsonbIteratorToken token, const char *text)
{
	JsonbValue	value;

	value.type = jbvString;
	value.val.string.val = unconstify(char *, text);
	value.val.string.len = (int) strlen(text);
	pushJsonbValue(state, token, &value);
}

static char *
encode_base64(const char *data, size_t len)
{
	int			size = pg_b64_enc_len((int) len);
	char	   *text = palloc(size + 1);

	/* through void: the argument is unsigned in some versions */
	size = pg_b64_encode((const void *) data, (int) len, text, size);
	text[Max(size, 0)] = '\0';
	return text;
}

/* a name or a value of a header: as text if it is one, else in base64 */
static void
push_bytes(JsonbParseState **state, const char *text_key, const char *base64_key,
		   const char *data, size_t len)
{
	char	   *text = text_or_null(data, len);

	push_string(state, WJB_KEY, text != NULL ? text_key : base64_key);
	push_string(state, WJB_VALUE, text != NULL ? text : encode_base64(data, len));
}

Jsonb *
us_message_headers(const UsMessage *message)
{
	JsonbParseState *state = NULL;
	JsonbValue *result;
	UsHeader	header;

	if (message->handle == NULL)
		return unconstify(Jsonb *, (const Jsonb *) message->stored_headers);
	if (!us_source_header(message, 0, &header))
		return NULL;
	pushJsonbValue(&state, WJB_BEGIN_ARRAY, NULL);
	for (size_t i = 0; us_source_header(message, i, &header); i++)
	{
		pushJsonbValue(&state, WJB_BEGIN_OBJECT, NULL);
		push_bytes(&state, "key", "key_base64", header.name, strlen(header.name));
		if (header.value == NULL)
		{
			JsonbValue	null;

			null.type = jbvNull;
			push_string(&state, WJB_KEY, "value");
			pushJsonbValue(&state, WJB_VALUE, &null);
		}
		else
			push_bytes(&state, "value", "base64", header.value, header.value_len);
		pushJsonbValue(&state, WJB_END_OBJECT, NULL);
	}
	result = pushJsonbValue(&state, WJB_END_ARRAY, NULL);
	return JsonbValueToJsonb(result);
}

Jsonb *
us_part_jsonb(UsMap *map, const UsMessage *message, UsPart part)
{
	if (part == US_PART_REST)
		return us_part_rest(map, message);
	return us_message_headers(message);
}

/* a key or a value */
static char *
bytes_text(const char *data, size_t len, bool bytes_form)
{
	text	   *bytes;

	if (data == NULL)
		return NULL;
	if (!bytes_form)
		return us_message_text(data, len);
	bytes = cstring_to_text_with_len(data, (int) len);
	return DatumGetCString(DirectFunctionCall1(byteaout, PointerGetDatum(bytes)));
}

char *
us_part_text(UsMap *map, const UsMessage *message, UsPart part, bool bytes_form)
{
	Jsonb	   *document;
	TimestampTz time;

	switch (part)
	{
		case US_PART_TOPIC:
			return us_message_text(message->topic, strlen(message->topic));
		case US_PART_PARTITION:
			return psprintf("%d", message->partition);
		case US_PART_OFFSET:
			return psprintf(INT64_FORMAT, message->offset);
		case US_PART_TIMESTAMP:
			if (!us_message_time(message, &time))
				return NULL;
			return DatumGetCString(DirectFunctionCall1(timestamptz_out,
													   TimestampTzGetDatum(time)));
		case US_PART_KEY:
			return bytes_text(message->key, message->key_len, bytes_form);
		case US_PART_VALUE:
			return bytes_text(message->value, message->value_len, bytes_form);
		case US_PART_HEADERS:
		case US_PART_REST:
			document = us_part_jsonb(map, message, part);
			if (document == NULL)
				return NULL;
			return JsonbToCString(NULL, &document->root, VARSIZE(document));
	}
	return NULL;
}

static Datum
bytes_or_null(const char *data, size_t len, bool *isnull)
{
	*isnull = data == NULL;
	return data == NULL ? (Datum) 0 : PointerGetDatum(cstring_to_text_with_len(data, (int) len));
}

HeapTuple
us_message_tuple(const UsMessage *message, TupleDesc type)
{
	Datum		values[7];
	bool		nulls[7] = {false};
	TimestampTz at = 0;
	Jsonb	   *headers = us_message_headers(message);

	Assert(type->natts == lengthof(values));
	values[0] = CStringGetTextDatum(message->topic);
	values[1] = Int32GetDatum(message->partition);
	values[2] = Int64GetDatum(message->offset);
	nulls[3] = !us_message_time(message, &at);
	values[3] = TimestampTzGetDatum(at);
	values[4] = bytes_or_null(message->key, message->key_len, &nulls[4]);
	values[5] = bytes_or_null(message->value, message->value_len, &nulls[5]);
	nulls[6] = headers == NULL;
	values[6] = headers == NULL ? (Datum) 0 : JsonbPGetDatum(headers);
	return heap_form_tuple(type, values, nulls);
}
