/*-------------------------------------------------------------------------
 * extension/stream_adopt.c
 *    adopt: a definition that came by restore, template or copy -> one at home here
 *
 * Runs in the caller's backend and transaction.  Away from home the oids of
 * a definition mean nothing, so owner, server, target and functions are looked
 * for by name, and checked as create_stream does but for the broker: positions are
 * the restored ones, and a worker finds out whether the topic still has them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/mirror.h"
#include "extension/shmem.h"
#include "extension/stream_access.h"
#include "extension/stream_check.h"
#include "extension/stream_store.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

PG_FUNCTION_INFO_V1(us_adopt);

/* what the names of a definition mean here */
typedef struct Resolved
{
	Oid			owner;
	Oid			server;
	Oid			target;
	Oid			transform;		/* InvalidOid = none */
	Oid			filter;			/* InvalidOid = none */
	Oid			registry;		/* InvalidOid = none */
} Resolved;

static void
name_stream(void *argument)
{
	errcontext("adopting stream \"%s\"", ((const UsStream *) argument)->name);
}

static Oid
resolve_owner(const UsStream *stream)
{
	Oid			owner = get_role_oid(stream->owner, true);

	if (!OidIsValid(owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("role \"%s\" does not exist", stream->owner),
				 errdetail("It owns the stream."),
				 errhint("CREATE ROLE %s LOGIN makes it; userstream.drop_stream(%s) removes the stream.",
						 quote_identifier(stream->owner), quote_literal_cstr(stream->name))));
	us_stream_check_owner(owner);
	return owner;
}

static Oid
resolve_target(const UsStream *stream)
{
	List	   *names = textToQualifiedNameList(cstring_to_text(stream->target));
	Oid			target = RangeVarGetRelid(makeRangeVarFromNameList(names), NoLock, true);

	if (!OidIsValid(target))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("target %s does not exist", stream->target),
				 errdetail("The stream writes into it."),
				 errhint("Restore or create the table; userstream.drop_stream(%s) removes the stream.",
						 quote_literal_cstr(stream->name))));
	return target;
}

/* all that is checked; the lock on the target stays */
static Resolved
resolve(const UsStream *stream)
{
	ErrorContextCallback callback = {
		.previous = error_context_stack,
		.callback = name_stream,
		.arg = unconstify(UsStream *, stream)
	};
	Resolved	resolved;
	UsStreamArgs args;

	error_context_stack = &callback;
	resolved.owner = resolve_owner(stream);
	resolved.server = us_server_lookup(stream->server, US_SERVER_KAFKA, resolved.owner);
	resolved.target = resolve_target(stream);
	us_stream_args_of(stream, &args);
	args.target = resolved.target;
	us_stream_check_target(&args, resolved.owner, true);
	resolved.transform = args.transform_oid;
	resolved.filter = args.filter_oid;
	resolved.registry = args.registry_oid;
	error_context_stack = callback.previous;
	return resolved;
}

/* the definition, and the dead letters that came with it */
static void
store(const UsStream *stream, const Resolved *resolved)
{
	static const char *const texts[] = {
		"UPDATE userstream.stream SET owner_oid = $3, server_oid = $4, target_oid = $5, home = $6,"
		" transform_oid = nullif($7, 0), filter_oid = nullif($8, 0)"
		" WHERE name = $1",
		"UPDATE userstream.dead_letter SET owner_oid = $3, home = $6"
		" WHERE stream = $1 AND owner = $2 AND home <> $6"
	};
	Oid			types[] = {TEXTOID, TEXTOID, OIDOID, OIDOID, OIDOID, TEXTOID, OIDOID, OIDOID};
	Datum		values[] = {
		CStringGetTextDatum(stream->name),
		CStringGetTextDatum(stream->owner),
		ObjectIdGetDatum(resolved->owner),
		ObjectIdGetDatum(resolved->server),
		ObjectIdGetDatum(resolved->target),
		CStringGetTextDatum(us_home()),
		ObjectIdGetDatum(resolved->transform),
		ObjectIdGetDatum(resolved->filter)
	};
	UsElevation saved = us_elevate();

	SPI_connect();
	for (size_t i = 0; i < lengthof(texts); i++)
		if (SPI_execute_with_args(texts[i], lengthof(values), types, values, NULL, false, 0)
			!= SPI_OK_UPDATE)
			elog(ERROR, "could not run \"%s\"", texts[i]);
	us_stream_store_registry(stream->id, resolved->registry);
	SPI_finish();
	us_restore(saved);
	us_stream_move(stream->id, NULL, 0, false);
}

/* whether there was something to do */
static bool
adopt_stream(const char *name)
{
	UsStream   *stream = us_stream_find(name, GetUserId(), false);
	Resolved	resolved;

	if (us_stream_at_home(stream))
		return false;
	resolved = resolve(stream);
	/* another call may have been faster */
	stream = us_stream_lock(name, GetUserId(), false);
	if (us_stream_at_home(stream))
		return false;
	store(stream, &resolved);
	ereport(NOTICE,
			(errmsg("stream \"%s\" goes on from its restored positions", name)));
	us_stream_note_halted(stream);
	us_stream_warn_idle(name);
	return true;
}

/* those that the caller owns by name; none of others, so that they are no error */
static bool
adopt_all(void)
{
	bool		any = false;
	int			count;
	UsStream   *streams = us_catalog_streams(&count);

	for (int i = 0; i < count; i++)
	{
		const UsStream *stream = &streams[i];

		if (!us_stream_at_home(stream) &&
			has_privs_of_role(GetUserId(), us_catalog_owner(stream->owner, stream->owner_oid,
															stream->home)))
			any |= adopt_stream(stream->name);
	}
	return any;
}

static bool
adopt_all_mirrors(void)
{
	bool		any = false;
	int			count;
	UsMirror   *mirrors = us_mirrors(&count);

	for (int i = 0; i < count; i++)
	{
		const UsMirror *mirror = &mirrors[i];

		if (!us_mirror_at_home(mirror) &&
			has_privs_of_role(GetUserId(), us_catalog_owner(mirror->owner, mirror->owner_oid,
															mirror->home)))
			any |= us_mirror_adopt(mirror->name);
	}
	return any;
}

Datum
us_adopt(PG_FUNCTION_ARGS)
{
	PreventCommandIfReadOnly("adopt()");
	if (PG_ARGISNULL(0))
	{
		bool		any = adopt_all();

		any |= adopt_all_mirrors();
		if (!any)
			ereport(NOTICE, (errmsg("there is no stream or mirror to adopt")));
	}
	else
	{
		char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));
		bool		is_mirror = us_mirror_by_name(name) != NULL;

		/* one name may be a stream's and a mirror's, as with the table they share */
		if (is_mirror && !us_mirror_adopt(name))
			ereport(NOTICE, (errmsg("mirror \"%s\" is at home already", name)));
		if ((!is_mirror || us_catalog_stream_by_name(name) != NULL) && !adopt_stream(name))
			ereport(NOTICE, (errmsg("stream \"%s\" is at home already", name)));
	}
	us_wake_at_commit();
	PG_RETURN_VOID();
}
