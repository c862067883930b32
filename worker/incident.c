/*-------------------------------------------------------------------------
 * worker/incident.c
 *    userstream.incident: what an operator must know
 *
 * Runs in stream workers and supervisors.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "worker/incident.h"
#include "worker/position.h"
#include "worker/statement.h"

/* whose incident it is */
typedef struct Subject
{
	const char *owner;
	Oid			owner_oid;
	const char *stream;			/* NULL: of a mirror */
	const char *mirror;
} Subject;

/* whether it was not open already */
static bool
open_incident(const Subject *subject, int32 partition, const char *kind, const char *detail,
			  const char *what_to_do)
{
	static UsStatement statement = {
		.text = "INSERT INTO userstream.incident"
		" (owner, owner_oid, stream, partition, kind, detail, what_to_do, mirror)"
		" SELECT $1, $2, $3, $4, $5, $6, $7, $8"
		" WHERE NOT EXISTS (SELECT FROM userstream.incident"
		"                    WHERE stream IS NOT DISTINCT FROM $3 AND mirror IS NOT DISTINCT FROM $8"
		"                      AND partition IS NOT DISTINCT FROM $4"
		"                      AND kind = $5 AND detail = $6 AND closed_at IS NULL)",
		.nargs = 8,
		.types = {TEXTOID, OIDOID, TEXTOID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID}
	};
	Datum		values[] = {
		CStringGetTextDatum(subject->owner),
		ObjectIdGetDatum(subject->owner_oid),
		subject->stream ? CStringGetTextDatum(subject->stream) : (Datum) 0,
		Int32GetDatum(partition),
		CStringGetTextDatum(kind),
		CStringGetTextDatum(detail),
		what_to_do ? CStringGetTextDatum(what_to_do) : (Datum) 0,
		subject->mirror ? CStringGetTextDatum(subject->mirror) : (Datum) 0
	};
	char		nulls[] = "        ";

	if (subject->stream == NULL)
		nulls[2] = 'n';
	if (partition < 0)
		nulls[3] = 'n';
	if (what_to_do == NULL)
		nulls[6] = 'n';
	if (subject->mirror == NULL)
		nulls[7] = 'n';
	return us_statement_run(&statement, values, nulls) > 0;
}

void
us_incident_open(const UsStream *stream, int32 partition, const char *kind,
				 const char *detail, const char *what_to_do)
{
	Subject		subject = {stream->owner, stream->owner_oid, stream->name, NULL};

	open_incident(&subject, partition, kind, detail, what_to_do);
}

void
us_mirror_incident_open(const UsMirror *mirror, const char *kind, const char *detail,
						const char *what_to_do)
{
	Subject		subject = {mirror->owner, mirror->owner_oid, NULL, mirror->name};

	open_incident(&subject, -1, kind, detail, what_to_do);
}

void
us_mirror_stop(const UsMirror *mirror, const char *kind, const char *detail,
			   const char *what_to_do)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.mirror SET stop_reason = $2, stopped_at = now() WHERE id = $1",
		.nargs = 2,
		.types = {INT8OID, TEXTOID}
	};
	Datum		values[] = {
		Int64GetDatum(mirror->id),
		CStringGetTextDatum(psprintf("%s (%s)", detail, what_to_do))
	};

	us_mirror_incident_open(mirror, kind, detail, what_to_do);
	(void) us_statement_run(&statement, values, NULL);
}

void
us_incident_note(const UsStream *stream, int32 partition, const char *kind, const char *detail)
{
	static UsStatement statement = {
		.text = "INSERT INTO userstream.incident"
		" (owner, owner_oid, stream, partition, kind, detail, closed_at)"
		" VALUES ($1, $2, $3, $4, $5, $6, now())",
		.nargs = 6,
		.types = {TEXTOID, OIDOID, TEXTOID, INT4OID, TEXTOID, TEXTOID}
	};
	Datum		values[] = {
		CStringGetTextDatum(stream->owner),
		ObjectIdGetDatum(stream->owner_oid),
		CStringGetTextDatum(stream->name),
		Int32GetDatum(partition),
		CStringGetTextDatum(kind),
		CStringGetTextDatum(detail)
	};

	(void) us_statement_run(&statement, values, NULL);
}

void
us_stream_stop(const UsStream *stream, int32 partition, const char *kind,
			   const char *detail, const char *what_to_do)
{
	char	   *reason = psprintf("%s (%s)", detail, what_to_do);

	us_incident_open(stream, partition, kind, detail, what_to_do);

	if (partition >= 0)
		us_position_stop(stream->id, partition, reason);
	else
	{
		static UsStatement statement = {
			.text = "UPDATE userstream.stream SET stop_reason = $2, stopped_at = now()"
			" WHERE id = $1",
			.nargs = 2,
			.types = {INT8OID, TEXTOID}
		};
		Datum		values[] = {Int64GetDatum(stream->id), CStringGetTextDatum(reason)};

		(void) us_statement_run(&statement, values, NULL);
	}
}

/* a problem is a cause and, after the last semicolon, what continues */
static char *
split_problem(char *problem)
{
	char	   *what_to_do = NULL;

	for (char *at = problem; (at = strstr(at, "; ")) != NULL; at++)
		what_to_do = at;
	if (what_to_do == NULL)
		return NULL;
	*what_to_do = '\0';
	return what_to_do + 2;
}

static void
close_problems(Datum *streams, Datum *details, int count)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.incident SET closed_at = now()"
		" WHERE closed_at IS NULL AND kind IN ('cannot_run', 'wal_retained')"
		"   AND NOT EXISTS (SELECT FROM unnest($1, $2) AS u (s, d)"
		"                    WHERE s IN ('s' || stream, 'm' || mirror) AND d = detail)",
		.nargs = 2,
		.types = {TEXTARRAYOID, TEXTARRAYOID}
	};
	Datum		values[] = {
		PointerGetDatum(construct_array(streams, count, TEXTOID, -1, false, TYPALIGN_INT)),
		PointerGetDatum(construct_array(details, count, TEXTOID, -1, false, TYPALIGN_INT))
	};

	(void) us_statement_run(&statement, values, NULL);
}

/* what was found, for close_problems */
typedef struct Found
{
	int			count;
	Datum	   *names;			/* "s" or "m" and the name */
	Datum	   *details;
} Found;

/* whether it is a new one */
static bool
take_problem(Found *found, const Subject *subject, const char *kind, char *problem)
{
	char	   *what_to_do = split_problem(problem);
	bool		opened = open_incident(subject, -1, kind, problem, what_to_do);

	found->names[found->count] =
		CStringGetTextDatum(subject->stream != NULL ? psprintf("s%s", subject->stream) :
							psprintf("m%s", subject->mirror));
	found->details[found->count++] = CStringGetTextDatum(problem);
	return opened;
}

/* also of one that is paused or stopped: then above all */
static void
follow_wal(Found *found, const UsMirror *mirror, const Subject *subject)
{
	char	   *problem = us_mirror_wal_problem(mirror);

	if (problem != NULL && take_problem(found, subject, "wal_retained", problem))
		ereport(WARNING,
				(errmsg("mirror \"%s\" falls behind: %s", mirror->name, problem)));
}

/* one that stopped has its incident; away from home nothing is wrong with it */
void
us_incident_follow_problems(const UsStream *streams, int nstreams,
							const UsMirror *mirrors, int nmirrors)
{
	char	   *home = us_home();
	Found		found = {
		0,
		palloc(sizeof(Datum) * (nstreams + 2 * nmirrors + 1)),
		palloc(sizeof(Datum) * (nstreams + 2 * nmirrors + 1))
	};
	char	   *problem;

	for (int i = 0; i < nstreams; i++)
	{
		const UsStream *stream = &streams[i];
		Subject		subject = {stream->owner, stream->owner_oid, stream->name, NULL};

		if (!stream->paused && stream->stop_reason == NULL && strcmp(stream->home, home) == 0 &&
			(problem = us_stream_problem(stream)) != NULL)
			(void) take_problem(&found, &subject, "cannot_run", problem);
	}
	for (int i = 0; i < nmirrors; i++)
	{
		const UsMirror *mirror = &mirrors[i];
		Subject		subject = {mirror->owner, mirror->owner_oid, NULL, mirror->name};

		if (!mirror->paused && mirror->stop_reason == NULL && strcmp(mirror->home, home) == 0 &&
			(problem = us_mirror_problem(mirror)) != NULL)
			(void) take_problem(&found, &subject, "cannot_run", problem);
		follow_wal(&found, mirror, &subject);
	}
	close_problems(found.names, found.details, found.count);
}
