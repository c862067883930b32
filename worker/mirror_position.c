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
#include "worker/mirror_position.h"
#include "worker/session.h"
#include "worker/statement.h"

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
	UsParkedRows *last = progress->parked != NIL ? llast(progress->parked) : NULL;
	int64		nparked = 0;
	ListCell   *cell;
	Datum		values[] = {
		Int64GetDatum(mirror->id),
		Int64GetDatum(mirror->epoch),
		LSNGetDatum(progress->lsn),
		Int64GetDatum(progress->last_timestamp),
		Int64GetDatum(progress->rows),
		Int64GetDatum(progress->deletes),
		(Datum) 0,
		last != NULL ? CStringGetTextDatum(us_parked_error(last)) : (Datum) 0
	};

	foreach(cell, progress->parked)
		nparked += us_parked_count(lfirst(cell));
	values[6] = Int64GetDatum(nparked);
	return us_statement_run(&statement, values, last != NULL ? NULL : "       n") == 1;
}

bool
us_mirror_position_save(UsMirror *mirror, const UsMirrorProgress *progress)
{
	ListCell   *cell;
	bool		saved = us_session_begin(mirror->timezone) && update_position(mirror, progress);

	if (saved)
		foreach(cell, progress->parked)
			us_parked_store(lfirst(cell), mirror);
	us_session_commit();
	if (!saved)
		return false;
	foreach(cell, progress->parked)
		us_parked_free(lfirst(cell));
	list_free(progress->parked);
	/* whatever synchronous_commit is for this role */
	XLogFlush(XactLastCommitEnd);
	mirror->lsn = progress->lsn;
	mirror->last_timestamp = progress->last_timestamp;
	mirror->clear_first = false;
	return true;
}

bool
us_mirror_position_begin_copy(const UsMirror *mirror)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.mirror_position SET clear_first = true"
		" WHERE mirror_id = $1 AND epoch = $2",
		.nargs = 2,
		.types = {INT8OID, INT8OID}
	};
	Datum		values[] = {Int64GetDatum(mirror->id), Int64GetDatum(mirror->epoch)};
	bool		noted = us_session_begin(mirror->timezone) &&
		us_statement_run(&statement, values, NULL) == 1;

	us_session_commit();
	if (noted)
		XLogFlush(XactLastCommitEnd);
	return noted;
}
