/*-------------------------------------------------------------------------
 * worker/dead_letter.c
 *    userstream.dead_letter: messages that could not be taken, with the reason
 *
 * Storing runs in stream workers, in the transaction that moves the position
 * past the message: a message is either in the target or here, never in
 * neither.  The rest runs in the backend and transaction of who retries them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "storage/lmgr.h"
#include "executor/spi.h"
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

static Datum
put_text(const char *text, char *null)
{
	*null = text != NULL ? ' ' : 'n';
	return text != NULL ? CStringGetTextDatum(text) : (Datum) 0;
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
	values[n] = put_text(letter->column_name, &nulls[n]);
	n++;
	values[n] = put_text(letter->constraint_name, &nulls[n]);
	n++;
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

/*
 * Of the letters named: whether each is there for the current role, and which
 * were applied before.
 */
static ArrayType *
applied_before(const char *stream, ArrayType *ids)
{
	static const char *const text =
		"SELECT min(i) FILTER (WHERE d.id IS NULL),"
		"       coalesce(array_agg(i) FILTER (WHERE d.retried_at IS NOT NULL), '{}')"
		"  FROM unnest($2) i"
		"  LEFT JOIN userstream.dead_letter d ON d.id = i AND d.stream = $1";
	Oid			types[] = {TEXTOID, INT8ARRAYOID};
	Datum		values[] = {CStringGetTextDatum(stream), PointerGetDatum(ids)};
	Datum		missing;
	bool		isnull;

	/* as the caller: the policy of the table leaves out what is not his */
	if (SPI_execute_with_args(text, 2, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read dead letters");
	missing = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (!isnull)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("stream \"%s\" has no dead letter " INT64_FORMAT,
						stream, DatumGetInt64(missing)),
				 errhint("SELECT id FROM userstream.dead_letter WHERE stream = %s shows those that there are.",
						 quote_literal_cstr(stream))));
	return DatumGetArrayTypeP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc,
											2, &isnull));
}

#define LETTERS_OF_STREAM \
	"SELECT id, retried_at IS NOT NULL, topic, partition, kafka_offset, message_at, key, value," \
	"       headers" \
	"  FROM userstream.dead_letter" \
	" WHERE stream = $1 AND userstream._owns(owner, owner_oid, home)"
#define IN_ORDER_LOCKED \
	" ORDER BY partition, kafka_offset, id FOR UPDATE"

/*
 * Opened as the owner of our tables, who may lock rows, and fetched from as
 * the caller, for whom _owns then speaks.  Pinned, because triggers run
 * between two fetches, and one could close it.
 */
Portal
us_dead_letter_open(const char *stream, ArrayType *ids)
{
	Oid			types[] = {TEXTOID, INT8ARRAYOID, INT8ARRAYOID};
	Datum		values[] = {CStringGetTextDatum(stream), (Datum) 0, (Datum) 0};
	UsElevation saved;
	Portal		letters;

	if (ids != NULL)
	{
		values[1] = PointerGetDatum(ids);
		values[2] = PointerGetDatum(applied_before(stream, ids));
	}
	saved = us_elevate();
	letters = SPI_cursor_open_with_args(NULL, ids == NULL ?
										LETTERS_OF_STREAM " AND retried_at IS NULL"
										IN_ORDER_LOCKED :
										LETTERS_OF_STREAM " AND id = ANY ($2)"
										" AND (retried_at IS NULL OR id = ANY ($3))"
										IN_ORDER_LOCKED,
										ids == NULL ? 1 : 3, types, values, NULL, false,
										CURSOR_OPT_FAST_PLAN);
	us_restore(saved);
	PinPortal(letters);
	return letters;
}

void
us_dead_letter_close(Portal letters)
{
	UnpinPortal(letters);
	SPI_cursor_close(letters);
}

static Datum
column(HeapTuple row, TupleDesc desc, int number, bool *isnull)
{
	return SPI_getbinval(row, desc, number, isnull);
}

/* NULL for null */
static const char *
bytes_column(HeapTuple row, TupleDesc desc, int number, size_t *len)
{
	bool		isnull;
	Datum		value = column(row, desc, number, &isnull);
	bytea	   *bytes;

	*len = 0;
	if (isnull)
		return NULL;
	bytes = DatumGetByteaPCopy(value);
	*len = VARSIZE_ANY_EXHDR(bytes);
	return VARDATA_ANY(bytes);
}

void
us_dead_letter_read(HeapTuple row, TupleDesc desc, UsStoredLetter *stored, UsMessage *message)
{
	bool		isnull;
	Datum		value;

	memset(message, 0, sizeof(*message));
	stored->id = DatumGetInt64(column(row, desc, 1, &isnull));
	stored->retried = DatumGetBool(column(row, desc, 2, &isnull));
	message->topic = SPI_getvalue(row, desc, 3);
	message->partition = DatumGetInt32(column(row, desc, 4, &isnull));
	message->offset = DatumGetInt64(column(row, desc, 5, &isnull));
	value = column(row, desc, 6, &isnull);
	message->timestamp_ms = isnull ? -1 : us_message_ms(DatumGetTimestampTz(value));
	message->key = bytes_column(row, desc, 7, &message->key_len);
	message->value = bytes_column(row, desc, 8, &message->value_len);
	value = column(row, desc, 9, &isnull);
	message->stored_headers = isnull ? NULL : DatumGetJsonbPCopy(value);
}

void
us_dead_letter_settle(const int64 *ids, int count)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.dead_letter SET retried_at = now() WHERE id = ANY ($1)",
		.nargs = 1,
		.types = {INT8ARRAYOID}
	};
	Datum	   *elements = palloc(sizeof(Datum) * Max(count, 1));
	Datum		values[1];

	for (int i = 0; i < count; i++)
		elements[i] = Int64GetDatum(ids[i]);
	values[0] = PointerGetDatum(construct_array(elements, count, INT8OID, sizeof(int64),
												FLOAT8PASSBYVAL, TYPALIGN_DOUBLE));
	if (us_statement_run(&statement, values, NULL) != (uint64) count)
		elog(ERROR, "could not settle dead letters");
}

void
us_dead_letter_fail(int64 id, const UsDeadLetter *letter)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.dead_letter"
		"   SET sqlstate = $2, error = $3, column_name = $4, constraint_name = $5,"
		"       retries = retries + 1"
		" WHERE id = $1",
		.nargs = 5,
		.types = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
	};
	Datum		values[5];
	char		nulls[] = "     ";

	values[0] = Int64GetDatum(id);
	values[1] = CStringGetTextDatum(letter->sqlstate);
	values[2] = CStringGetTextDatum(letter->error);
	values[3] = put_text(letter->column_name, &nulls[3]);
	values[4] = put_text(letter->constraint_name, &nulls[4]);
	if (us_statement_run(&statement, values, nulls) != 1)
		elog(ERROR, "could not keep a dead letter");
}
