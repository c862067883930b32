/*-------------------------------------------------------------------------
 * worker/mirror_parked.c
 *    rows that Cassandra will never take, until they are dead letters
 *
 * Runs in mirror workers.  They become dead letters together with the
 * position behind their transaction, so that none is stored twice; until then
 * one transaction can have millions, hence they go to a temporary file beyond
 * some memory.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/tupdesc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "extension/catalog.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
#include "worker/mirror_parked.h"
#include "worker/statement.h"

#define MEMORY_KB			1024
#define FETCH_ROWS			1000
#define PARKED_SQLSTATE		"22023"

enum
{
	PARKED_KEY,
	PARKED_VALUE,
	PARKED_ERROR,
	PARKED_COLUMN,
	PARKED_COLUMNS
};

struct UsParkedRows
{
	MemoryContext context;
	TupleDesc	desc;
	Tuplestorestate *store;
	TimestampTz changed_at;
	int64		count;
	char		error[300];
};

UsParkedRows *
us_parked_create(MemoryContext context, TimestampTz changed_at)
{
	MemoryContext own = AllocSetContextCreate(context, "mirror parked rows",
											  ALLOCSET_SMALL_SIZES);
	MemoryContext old = MemoryContextSwitchTo(own);
	ResourceOwner owner = CurrentResourceOwner;
	UsParkedRows *rows = palloc0(sizeof(UsParkedRows));

	rows->context = own;
	rows->changed_at = changed_at;
	rows->desc = CreateTemplateTupleDesc(PARKED_COLUMNS);
	/* catalogs cannot be read here, nor need be */
	for (int i = 1; i <= PARKED_COLUMNS; i++)
		TupleDescInitBuiltinEntry(rows->desc, i, "", TEXTOID, -1, 0);
	/* no transaction's: it is filled in one and read in another */
	CurrentResourceOwner = NULL;
	rows->store = tuplestore_begin_heap(false, true, MEMORY_KB);
	CurrentResourceOwner = owner;
	MemoryContextSwitchTo(old);
	return rows;
}

void
us_parked_add(UsParkedRows *rows, const char *key, const char *value, const char *error,
			  const char *column)
{
	Datum		values[PARKED_COLUMNS] = {
		[PARKED_KEY] = CStringGetTextDatum(key),
		[PARKED_VALUE] = value != NULL ? CStringGetTextDatum(value) : (Datum) 0,
		[PARKED_ERROR] = CStringGetTextDatum(error),
		[PARKED_COLUMN] = column != NULL ? CStringGetTextDatum(column) : (Datum) 0
	};
	bool		nulls[PARKED_COLUMNS] = {
		[PARKED_VALUE] = value == NULL,
		[PARKED_COLUMN] = column == NULL
	};

	tuplestore_putvalues(rows->store, rows->desc, values, nulls);
	rows->count++;
	strlcpy(rows->error, error, sizeof(rows->error));
	for (int i = 0; i < PARKED_COLUMNS; i++)
		if (!nulls[i])
			pfree(DatumGetPointer(values[i]));
}

int64
us_parked_count(const UsParkedRows *rows)
{
	return rows->count;
}

const char *
us_parked_error(const UsParkedRows *rows)
{
	return rows->error;
}

static void
store_row(const UsParkedRows *rows, const UsMirror *mirror, TupleTableSlot *slot)
{
	static UsStatement statement = {
		.text = "INSERT INTO userstream.dead_letter"
		" (owner, owner_oid, home, mirror, message_at, key, value, sqlstate, error,"
		" column_name)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, '" PARKED_SQLSTATE "', $8, $9)",
		.nargs = 9,
		.types = {TEXTOID, OIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, BYTEAOID, BYTEAOID, TEXTOID,
			TEXTOID}
	};
	Datum		values[] = {
		CStringGetTextDatum(mirror->owner),
		ObjectIdGetDatum(mirror->owner_oid),
		CStringGetTextDatum(mirror->home),
		CStringGetTextDatum(mirror->name),
		TimestampTzGetDatum(rows->changed_at),
		slot->tts_values[PARKED_KEY],
		slot->tts_values[PARKED_VALUE],
		slot->tts_values[PARKED_ERROR],
		slot->tts_values[PARKED_COLUMN]
	};
	char		nulls[] = "         ";

	if (rows->changed_at == 0)
		nulls[4] = 'n';
	if (slot->tts_isnull[PARKED_VALUE])
		nulls[6] = 'n';
	if (slot->tts_isnull[PARKED_COLUMN])
		nulls[8] = 'n';
	if (us_statement_run(&statement, values, nulls) != 1)
		elog(ERROR, "could not store a dead letter");
}

void
us_parked_store(UsParkedRows *rows, const UsMirror *mirror)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mirror parked row",
												  ALLOCSET_DEFAULT_SIZES);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(rows->desc, &TTSOpsMinimalTuple);
	MemoryContext old = MemoryContextSwitchTo(context);

	while (tuplestore_gettupleslot(rows->store, true, false, slot))
	{
		slot_getallattrs(slot);
		store_row(rows, mirror, slot);
		/* the slot frees its tuple, which is in the context */
		ExecClearTuple(slot);
		MemoryContextReset(context);
	}
	MemoryContextSwitchTo(old);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(context);
}

void
us_parked_free(UsParkedRows *rows)
{
	tuplestore_end(rows->store);
	MemoryContextDelete(rows->context);
}

void
us_parked_load_keys(const UsMirror *mirror, UsKeySet *keys)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(mirror->name)};
	UsElevation saved = us_elevate();
	Portal		portal;

	SPI_connect();
	portal = SPI_cursor_open_with_args(NULL,
									   "SELECT key FROM userstream.dead_letter"
									   " WHERE mirror = $1 AND value IS NOT NULL",
									   lengthof(types), types, values, NULL, true, 0);
	do
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			bool		isnull;
			bytea	   *key = DatumGetByteaPP(SPI_getbinval(SPI_tuptable->vals[i],
															SPI_tuptable->tupdesc, 1, &isnull));

			us_key_set_add(keys, VARDATA_ANY(key), VARSIZE_ANY_EXHDR(key));
		}
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_finish();
	us_restore(saved);
}
