/*-------------------------------------------------------------------------
 * worker/incident.c
 *    userstream.incident: what an operator must know
 *
 * Runs in stream workers.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "worker/incident.h"
#include "worker/position.h"
#include "worker/statement.h"

void
us_incident_open(const UsStream *stream, int32 partition, const char *kind,
				 const char *detail, const char *what_to_do)
{
	static UsStatement statement = {
		.text = "INSERT INTO userstream.incident"
		" (owner, owner_oid, stream, partition, kind, detail, what_to_do)"
		" SELECT $1, $2, $3, $4, $5, $6, $7"
		" WHERE NOT EXISTS (SELECT FROM userstream.incident"
		"                    WHERE stream = $3 AND partition IS NOT DISTINCT FROM $4"
		"                      AND kind = $5 AND detail = $6 AND closed_at IS NULL)",
		.nargs = 7,
		.types = {TEXTOID, OIDOID, TEXTOID, INT4OID, TEXTOID, TEXTOID, TEXTOID}
	};
	Datum		values[] = {
		CStringGetTextDatum(stream->owner),
		ObjectIdGetDatum(stream->owner_oid),
		CStringGetTextDatum(stream->name),
		Int32GetDatum(partition),
		CStringGetTextDatum(kind),
		CStringGetTextDatum(detail),
		CStringGetTextDatum(what_to_do)
	};

	(void) us_statement_run(&statement, values, partition < 0 ? "   n   " : NULL);
}

void
us_stream_stop(const UsStream *stream, int32 partition, const char *kind,
			   const char *detail, const char *what_to_do)
{
	us_incident_open(stream, partition, kind, detail, what_to_do);

	if (partition >= 0)
		us_position_stop(stream->id, partition, detail);
	else
	{
		static UsStatement statement = {
			.text = "UPDATE userstream.stream SET stop_reason = $2, stopped_at = now()"
			" WHERE id = $1",
			.nargs = 2,
			.types = {INT8OID, TEXTOID}
		};
		char	   *reason = psprintf("%s (%s)", detail, what_to_do);
		Datum		values[] = {Int64GetDatum(stream->id), CStringGetTextDatum(reason)};

		(void) us_statement_run(&statement, values, NULL);
	}
}
