/*-------------------------------------------------------------------------
 * worker/mirror_position.c
 *    userstream.mirror_position: where a mirror stands, and its counters
 *
 * Runs in mirror workers.  The position is on disk before the slot moves:
 * a slot ahead of it would have forgotten changes.  Parked rows are stored
 * with it, so that none is stored twice or not at all.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/pg_lsn.h"
#include "utils/timestamp.h"
#include "worker/incident.h"
#include "worker/mirror_position.h"
#include "worker/session.h"
#include "worker/statement.h"

#define PARKED_SQLSTATE		"22023"

static Datum
make_bytea(const char *text)
{
	return PointerGetDatum(cstring_to_text(text));
}

static void
store_parked(const UsMirror *mirror, const UsParkedRow *row)
{
	static UsStatement statement = {
		.text = "INSERT INTO userstream.dead_letter"
		" (owner, owner_oid, home, mirror, message_at, key, value, sqlstate, error)"
		" VALUES ($1, $2, $3, $4, $5, $6, $7, '" PARKED_SQLSTATE "', $8)",
		.nargs = 8,
		.types = {TEXTOID, OIDOID, TEXTOID, TEXTOID, TIMESTAMPTZOID, BYTEAOID, BYTEAOID, TEXTOID}
	};
	Datum		values[] = {
		CStringGetTextDatum(mirror->owner),
		ObjectIdGetDatum(mirror->owner_oid),
		CStringGetTextDatum(mirror->home),
		CStringGetTextDatum(mirror->name),
		TimestampTzGetDatum(row->changed_at),
		make_bytea(row->key),
		row->value != NULL ? make_bytea(row->value) : (Datum) 0,
		CStringGetTextDatum(row->error)
	};
	char		nulls[] = "        ";

	if (row->changed_at == 0)
		nulls[4] = 'n';
	if (row->value == NULL)
		nulls[6] = 'n';
	if (us_statement_run(&statement, values, nulls) != 1)
		elog(ERROR, "could not store a dead letter");
}

static bool
update_position(const UsMirror *mirror, const UsMirrorProgress *progress)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.mirror_position SET lsn = $3, last_timestamp = $4,"
		" rows_mirrored = rows_mirrored + $5, deletes = deletes + $6, parked = parked + $7,"
		" last_error = coalesce($8, last_error),"
		" last_error_at = CASE WHEN $8 IS NULL THEN last_error_at ELSE now() END,"
		" clear_first = false"
		" WHERE mirror_id = $1 AND epoch = $2",
		.nargs = 8,
		.types = {INT8OID, INT8OID, LSNOID, INT8OID, INT8OID, INT8OID, INT8OID, TEXTOID}
	};
	int			nparked = list_length(progress->parked);
	Datum		values[] = {
		Int64GetDatum(mirror->id),
		Int64GetDatum(mirror->epoch),
		LSNGetDatum(progress->lsn),
		Int64GetDatum(progress->last_timestamp),
		Int64GetDatum(progress->rows),
		Int64GetDatum(progress->deletes),
		Int64GetDatum(nparked),
		nparked > 0 ?
		CStringGetTextDatum(((UsParkedRow *) llast(progress->parked))->error) : (Datum) 0
	};

	return us_statement_run(&statement, values, nparked > 0 ? NULL : "       n") == 1;
}

bool
us_mirror_position_save(UsMirror *mirror, const UsMirrorProgress *progress)
{
	ListCell   *cell;
	bool		saved = us_session_begin(mirror->timezone) && update_position(mirror, progress);

	if (saved)
		foreach(cell, progress->parked)
			store_parked(mirror, lfirst(cell));
	us_session_commit();
	if (!saved)
		return false;
	/* whatever synchronous_commit is for this role */
	XLogFlush(XactLastCommitEnd);
	mirror->lsn = progress->lsn;
	mirror->last_timestamp = progress->last_timestamp;
	mirror->clear_first = false;
	return true;
}

/* columns as {"name": ["type", has a value for rows that are there]} */
#define SHAPE_QUERY \
	"(SELECT coalesce(jsonb_object_agg(attname, jsonb_build_array(" \
	" format_type(atttypid, atttypmod), atthasmissing OR atthasdef)), '{}')" \
	" FROM pg_attribute WHERE attrelid = $2 AND attnum > 0 AND NOT attisdropped" \
	" AND attgenerated = '')"

void
us_mirror_shape_follow(const UsMirror *mirror)
{
	static UsStatement changed = {
		.text = "SELECT 1 FROM userstream.mirror_position p, jsonb_each(" SHAPE_QUERY ") AS n (name, now)"
		" WHERE p.mirror_id = $1 AND p.shape IS NOT NULL"
		" AND CASE WHEN p.shape ? n.name THEN p.shape -> n.name -> 0 <> n.now -> 0"
		" ELSE (n.now -> 1)::boolean END",
		.nargs = 2,
		.types = {INT8OID, OIDOID}
	};
	static UsStatement keep = {
		.text = "UPDATE userstream.mirror_position SET shape = " SHAPE_QUERY
		" WHERE mirror_id = $1 AND shape IS DISTINCT FROM " SHAPE_QUERY,
		.nargs = 2,
		.types = {INT8OID, OIDOID}
	};
	Datum		values[] = {Int64GetDatum(mirror->id), ObjectIdGetDatum(mirror->target_oid)};

	if (mirror->lsn != InvalidXLogRecPtr && us_statement_run(&changed, values, NULL) > 0)
		us_mirror_incident_open(mirror, "table_changed",
								psprintf("ALTER TABLE gave rows of %s new values without changing them one by one",
										 mirror->target),
								psprintf("SELECT userstream.resync_mirror(%s) copies all rows anew.",
										 quote_literal_cstr(mirror->name)));
	(void) us_statement_run(&keep, values, NULL);
}
