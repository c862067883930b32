/*-------------------------------------------------------------------------
 * worker/history.c
 *    userstream.stream_history: a row per stream and minute, a day kept
 *
 * Runs in the supervisor.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "worker/history.h"
#include "worker/statement.h"

void
us_history_write(void)
{
	static UsStatement insert = {
		.text = "INSERT INTO userstream.stream_history"
		" (stream, at, owner_oid, lag_messages, messages_read, rows_written, dead_letters)"
		" SELECT s.name, now(), s.owner_oid, v.lag_messages,"
		"        v.messages_read, v.rows_written, v.dead_letters"
		"   FROM userstream.stream s JOIN userstream.stream_status v ON v.stream = s.name"
		" ON CONFLICT DO NOTHING"
	};
	static UsStatement delete = {
		.text = "DELETE FROM userstream.stream_history WHERE at < now() - interval '24 hours'"
	};

	(void) us_statement_run(&insert, NULL, NULL);
	(void) us_statement_run(&delete, NULL, NULL);
}
