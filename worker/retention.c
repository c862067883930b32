/*-------------------------------------------------------------------------
 * worker/retention.c
 *    how long dead letters, closed incidents and runs of feeds are kept
 *
 * Runs in the supervisor, some thousand rows a transaction.  Rows that
 * someone has locked (a retry) are left to the next time.  Counters of
 * streams stay: they count what was ever stored.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "extension/guc.h"
#include "worker/retention.h"
#include "worker/statement.h"

#define STEP_ROWS		10000
#define STEP_ROWS_TEXT	"10000"

/* returns the number of rows deleted; a setting of 0 keeps all */
static uint64
delete_older(UsStatement *statement, int minutes)
{
	Datum		values[] = {Int32GetDatum(minutes)};

	return minutes > 0 ? us_statement_run(statement, values, NULL) : 0;
}

bool
us_retention_step(void)
{
	static UsStatement letters = {
		.text = "DELETE FROM userstream.dead_letter WHERE id IN"
		" (SELECT id FROM userstream.dead_letter"
		"   WHERE created_at < now() - make_interval(mins => $1)"
		"   ORDER BY created_at LIMIT " STEP_ROWS_TEXT " FOR UPDATE SKIP LOCKED)",
		.nargs = 1,
		.types = {INT4OID}
	};
	static UsStatement incidents = {
		.text = "DELETE FROM userstream.incident WHERE id IN"
		" (SELECT id FROM userstream.incident"
		"   WHERE closed_at < now() - make_interval(mins => $1)"
		"   LIMIT " STEP_ROWS_TEXT " FOR UPDATE SKIP LOCKED)",
		.nargs = 1,
		.types = {INT4OID}
	};
	static UsStatement runs = {
		.text = "DELETE FROM userstream.feed_run WHERE id IN"
		" (SELECT id FROM userstream.feed_run"
		"   WHERE started_at < now() - make_interval(mins => $1)"
		"   ORDER BY started_at LIMIT " STEP_ROWS_TEXT " FOR UPDATE SKIP LOCKED)",
		.nargs = 1,
		.types = {INT4OID}
	};
	bool		more;

	more = delete_older(&letters, us_guc_dead_letter_retention_min) == STEP_ROWS;
	more = delete_older(&incidents, us_guc_run_retention_min) == STEP_ROWS || more;
	more = delete_older(&runs, us_guc_run_retention_min) == STEP_ROWS || more;
	return more;
}
