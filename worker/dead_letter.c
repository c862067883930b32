/*-------------------------------------------------------------------------
 * worker/dead_letter.c
 *    userstream.dead_letter: messages that could not be taken, with the reason
 *
 * Runs in stream workers, in the transaction that moves the position past
 * the message: a message is either in the target or here, never in neither.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/dead_letter.h"
#include "worker/map.h"
#include "worker/statement.h"

#define DEAD_LETTER_ARGS	15

static Datum
make_bytea(const char *data, size_t len)
{
	return PointerGetDatum(cstring_to_text_with_len(data, (int) len));
}

static void
store_one(const UsStream *stream, const UsDeadLetter *letter)
{
	static UsStatement statement = {
		.text = "INSERT INTO userstream.dead_letter"
		" (owner, owner_oid, home, stream, topic, partition, kafka_offset, message_at,"
		"  key, value, headers, sqlstate, error, column_name, constraint_name)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)",
		.nargs = DEAD_LETTER_ARGS,
		.types = {TEXTOID, OIDOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, INT8OID, TIMESTAMPTZOID,
		BYTEAOID, BYTEAOID, JSONBOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
	};
	const UsMessage *message = letter->message;
	Jsonb	   *headers = us_message_headers(message);
	TimestampTz at = 0;
	bool		has_time = us_message_time(message, &at);
	Datum		values[DEAD_LETTER_ARGS];
	char		nulls[DEAD_LETTER_ARGS];
	int			n = 0;

	memset(nulls, ' ', sizeof(nulls));
	values[n++] = CStringGetTextDatum(stream->owner);
	values[n++] = ObjectIdGetDatum(stream->owner_oid);
	values[n++] = CStringGetTextDatum(stream->home);
	values[n++] = CStringGetTextDatum(stream->name);
	values[n++] = CStringGetTextDatum(message->topic);
	values[n++] = Int32GetDatum(message->partition);
	values[n++] = Int64GetDatum(message->offset);
	nulls[n] = has_time ? ' ' : 'n';
	values[n++] = TimestampTzGetDatum(at);
	nulls[n] = message->key ? ' ' : 'n';
	values[n++] = message->key ? make_bytea(message->key, message->key_len) : (Datum) 0;
	nulls[n] = message->value ? ' ' : 'n';
	values[n++] = message->value ? make_bytea(message->value, message->value_len) : (Datum) 0;
	nulls[n] = headers ? ' ' : 'n';
	values[n++] = headers ? JsonbPGetDatum(headers) : (Datum) 0;
	values[n++] = CStringGetTextDatum(letter->sqlstate);
	values[n++] = CStringGetTextDatum(letter->error);
	nulls[n] = letter->column_name ? ' ' : 'n';
	values[n++] = letter->column_name ? CStringGetTextDatum(letter->column_name) : (Datum) 0;
	nulls[n] = letter->constraint_name ? ' ' : 'n';
	values[n++] = letter->constraint_name ?
		CStringGetTextDatum(letter->constraint_name) : (Datum) 0;
	Assert(n == DEAD_LETTER_ARGS);

	if (us_statement_run(&statement, values, nulls) != 1)
		elog(ERROR, "could not store a dead letter");
}

void
us_dead_letter_store(const UsStream *stream, const UsDeadLetter *letters, int count)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "dead letters",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);

	for (int i = 0; i < count; i++)
	{
		store_one(stream, &letters[i]);
		MemoryContextReset(context);
	}

	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
}

int
us_dead_letter_count_recent(const UsStream *stream)
{
	static UsStatement statement = {
		.text = "SELECT 1 FROM userstream.dead_letter"
		" WHERE stream = $1"
		"   AND created_at >= now() - interval '1 minute'"
		"   AND created_at >= (SELECT created_at FROM userstream.stream WHERE id = $2)"
		"   AND created_at > coalesce((SELECT max(closed_at) FROM userstream.incident"
		"                               WHERE stream = $1 AND kind = '" US_TOO_MANY_KIND "'),"
		"                             '-infinity')"
		" LIMIT $3",
		.nargs = 3,
		.types = {TEXTOID, INT8OID, INT8OID}
	};
	Datum		values[] = {
		CStringGetTextDatum(stream->name),
		Int64GetDatum(stream->id),
		Int64GetDatum(stream->options.max_dead_letters_per_minute)
	};
	Oid			schema = get_namespace_oid("userstream", false);

	LockDatabaseObject(get_relname_relid("dead_letter", schema), (Oid) stream->id, 0,
					   ExclusiveLock);
	return (int) us_statement_run(&statement, values, NULL);
}
