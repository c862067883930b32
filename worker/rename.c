/*-------------------------------------------------------------------------
 * worker/rename.c
 *    the names in definitions follow those of the objects
 *
 * Runs in the supervisor.  Nothing tells us of a renaming, so the names are
 * compared in each turn; a difference is rare.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "extension/server.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "worker/expand.h"
#include "worker/rename.h"
#include "worker/statement.h"

/* what an object is called now; the name kept when it is gone */
static const char *
name_now(const char *now, const char *kept)
{
	return now != NULL ? now : kept;
}

static void
write_names(const UsStream *stream, const char *owner, const char *server, const char *target,
			const char *transform, const char *filter, const char *registry)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.stream SET owner = $2, server = $3, target = $4,"
		" transform = $5,"
		" options = options || jsonb_strip_nulls(jsonb_build_object('filter', $6, 'registry', $8))"
		" WHERE id = (SELECT id FROM userstream.stream WHERE id = $1 AND config_version = $7"
		"               FOR UPDATE SKIP LOCKED)",
		.nargs = 8,
		.types = {INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, TEXTOID}
	};
	Datum		values[] = {
		Int64GetDatum(stream->id),
		CStringGetTextDatum(owner),
		CStringGetTextDatum(server),
		CStringGetTextDatum(target),
		transform != NULL ? CStringGetTextDatum(transform) : (Datum) 0,
		filter != NULL ? CStringGetTextDatum(filter) : (Datum) 0,
		Int32GetDatum(stream->config_version),
		registry != NULL ? CStringGetTextDatum(registry) : (Datum) 0
	};
	const char	nulls[] = {' ', ' ', ' ', ' ', transform != NULL ? ' ' : 'n',
	filter != NULL ? ' ' : 'n', ' ', registry != NULL ? ' ' : 'n', '\0'};

	(void) us_statement_run(&statement, values, nulls);
}

/* adopt finds the dead letters of a stream or mirror by the owner's name */
static void
write_owner_of_letters(const char *name, Oid owner_oid, const char *home, const char *owner)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.dead_letter SET owner = $2"
		" WHERE id IN (SELECT id FROM userstream.dead_letter"
		"               WHERE (stream = $1 OR mirror = $1) AND owner_oid = $3 AND home = $4 AND owner <> $2"
		"                 FOR UPDATE SKIP LOCKED)",
		.nargs = 4,
		.types = {TEXTOID, TEXTOID, OIDOID, TEXTOID}
	};
	Datum		values[] = {
		CStringGetTextDatum(name),
		CStringGetTextDatum(owner),
		ObjectIdGetDatum(owner_oid),
		CStringGetTextDatum(home)
	};

	(void) us_statement_run(&statement, values, NULL);
}

static void
write_names_of_mirror(const UsMirror *mirror, const char *owner, const char *server,
					  const char *target)
{
	static UsStatement statement = {
		.text = "UPDATE userstream.mirror SET owner = $2, server = $3, target = $4"
		" WHERE id = (SELECT id FROM userstream.mirror WHERE id = $1 FOR UPDATE SKIP LOCKED)",
		.nargs = 4,
		.types = {INT8OID, TEXTOID, TEXTOID, TEXTOID}
	};
	Datum		values[] = {
		Int64GetDatum(mirror->id),
		CStringGetTextDatum(owner),
		CStringGetTextDatum(server),
		CStringGetTextDatum(target)
	};

	(void) us_statement_run(&statement, values, NULL);
}

static void
follow_mirror(const UsMirror *mirror)
{
	const char *owner = name_now(GetUserNameFromId(mirror->owner_oid, true), mirror->owner);
	const char *server = name_now(us_server_display_name(mirror->server_oid), mirror->server);
	const char *target = name_now(us_qualified_name(mirror->target_oid), mirror->target);

	if (strcmp(owner, mirror->owner) != 0)
		write_owner_of_letters(mirror->name, mirror->owner_oid, mirror->home, owner);
	if (strcmp(owner, mirror->owner) != 0 || strcmp(server, mirror->server) != 0 ||
		strcmp(target, mirror->target) != 0)
		write_names_of_mirror(mirror, owner, server, target);
}

void
us_rename_follow(const UsStream *streams, int nstreams, const UsMirror *mirrors, int nmirrors)
{
	for (int i = 0; i < nmirrors; i++)
		if (us_mirror_at_home(&mirrors[i]))
			follow_mirror(&mirrors[i]);
	for (int i = 0; i < nstreams; i++)
	{
		const UsStream *stream = &streams[i];
		const char *owner;
		const char *server;
		const char *target;
		const char *transform = stream->transform;
		const char *filter = stream->options.filter;
		const char *registry = stream->options.registry;

		if (!us_stream_at_home(stream))
			continue;
		owner = name_now(GetUserNameFromId(stream->owner_oid, true), stream->owner);
		server = name_now(us_server_display_name(stream->server_oid), stream->server);
		target = name_now(us_qualified_name(stream->target_oid), stream->target);
		if (transform != NULL)
			transform = name_now(us_expand_signature(stream->transform_oid), transform);
		if (filter != NULL)
			filter = name_now(us_expand_signature(stream->filter_oid), filter);
		if (registry != NULL)
			registry = name_now(us_server_display_name(stream->registry_oid), registry);
		if (strcmp(owner, stream->owner) != 0)
			write_owner_of_letters(stream->name, stream->owner_oid, stream->home, owner);
		if (strcmp(owner, stream->owner) != 0 || strcmp(server, stream->server) != 0 ||
			strcmp(target, stream->target) != 0 ||
			(transform != NULL && strcmp(transform, stream->transform) != 0) ||
			(filter != NULL && strcmp(filter, stream->options.filter) != 0) ||
			(registry != NULL && strcmp(registry, stream->options.registry) != 0))
			write_names(stream, owner, server, target, transform, filter, registry);
	}
}
