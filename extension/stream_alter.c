/*-------------------------------------------------------------------------
 * extension/stream_alter.c
 *    alter_stream, seek_stream: what there is and arguments -> another definition,
 *    other positions
 *
 * Run in the caller's backend and transaction.  The broker is asked before
 * anything is locked; then the stream is locked and looked at again, so that
 * of two calls at once the second changes what the first has made.  Workers
 * of the definition before fail at their next batch, because its positions
 * are in another epoch, and are started anew by its version.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "executor/spi.h"
#include "extension/args.h"
#include "extension/shmem.h"
#include "extension/stream_access.h"
#include "extension/stream_check.h"
#include "extension/stream_store.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(us_alter_stream);
PG_FUNCTION_INFO_V1(us_seek_stream);

/* a definition to be, checked but for the broker */
typedef struct Alteration
{
	UsStreamArgs args;
	Oid			owner;
	Oid			server;
	bool		elsewhere;		/* another topic: the positions so far mean nothing there */
} Alteration;

/* where to go, as the broker said it */
typedef struct Destination
{
	UsTopicQuestion question;
	UsPlace    *places;			/* NULL = positions stay */
	int			nplaces;
	bool		elsewhere;
	bool		others_go;		/* partitions that are not among places */
} Destination;

static void
check_owner_exists(const UsStream *stream)
{
	if (SearchSysCacheExists1(AUTHOID, ObjectIdGetDatum(stream->owner_oid)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("owner \"%s\" of stream \"%s\" does not exist any more",
					stream->owner, stream->name),
			 errhint("userstream.alter_stream(%s, owner => ...) gives it another.",
					 quote_literal_cstr(stream->name))));
}

/*
 * The owner that is to be.  Whoever gives a stream to a role makes that role
 * act, so he must have its rights.
 */
static Oid
new_owner(FunctionCallInfo fcinfo, const UsStream *stream)
{
	Oid			owner = stream->owner_oid;

	if (!PG_ARGISNULL(US_STREAM_ARG_LAST))
	{
		char	   *name = NameStr(*PG_GETARG_NAME(US_STREAM_ARG_LAST));

		owner = get_role_oid(name, false);
		if (!has_privs_of_role(GetUserId(), owner))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("must be member of role \"%s\"", name),
					 errdetail("Its rights would be used by the stream."),
					 errhint("Have a member of both roles call this.")));
	}
	else
		check_owner_exists(stream);
	return owner;
}

static void
check_target_exists(const UsStream *stream, Oid target)
{
	if (target != stream->target_oid || get_rel_name(target) != NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_TABLE),
			 errmsg("target %s of stream \"%s\" does not exist any more",
					stream->target, stream->name),
			 errhint("Name another table: target => ...")));
}

/* everything that needs no broker; the lock on the target stays when told so */
static void
prepare(FunctionCallInfo fcinfo, const UsStream *stream, bool keep_lock, Alteration *alteration)
{
	UsStreamArgs *args = &alteration->args;

	us_stream_check_home(stream);
	us_stream_args_alter(fcinfo, stream, args);
	alteration->owner = new_owner(fcinfo, stream);
	us_stream_check_owner(alteration->owner);
	alteration->server = us_server_lookup(args->server, US_SERVER_KAFKA, alteration->owner);
	alteration->elsewhere = alteration->server != stream->server_oid ||
		strcmp(args->topic, stream->topic) != 0;
	check_target_exists(stream, args->target);
	us_stream_check_target(args, alteration->owner, keep_lock);

	if (alteration->elsewhere && args->start == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("start_at is needed to read another topic or server"),
				 errdetail("The positions of stream \"%s\" say nothing about it.", stream->name),
				 errhint("Say where to start: start_at => 'earliest', for example.")));
}

static void
ask_broker(const char *server_name, const char *topic,
		   Oid server, Oid owner, const UsStart *start, bool elsewhere, Destination *destination)
{
	UsTopic		described;

	destination->question.server_name = server_name;
	destination->question.topic = topic;
	destination->question.server = server;
	destination->question.owner = owner;
	destination->question.time_ms = start->time_ms;
	us_stream_topic_describe(&destination->question, &described);
	destination->places = us_start_resolve(start, elsewhere, &destination->question, &described,
										   &destination->nplaces);
	destination->elsewhere = elsewhere;
	/* a word or a time is said of the topic as it is; offsets only of what they name */
	destination->others_go = elsewhere || start->kind != US_START_OFFSETS;
}

/* what the broker said must be about the stream as it is now */
static void
check_unchanged(const UsStream *stream, const Destination *destination, Oid server,
				const char *topic, bool elsewhere)
{
	if (destination->question.server == server &&
		strcmp(destination->question.topic, topic) == 0 &&
		destination->elsewhere == elsewhere)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("stream \"%s\" was altered by another session meanwhile", stream->name),
			 errhint("Look at it, and call again.")));
}

/* what belongs to a stream goes with it to its new owner */
static void
give_away(const UsStream *stream, Oid owner)
{
	static const char *const texts[] = {
		"UPDATE userstream.dead_letter SET owner = $3, owner_oid = $4"
		" WHERE stream = $1 AND owner_oid = $2 AND home = $5",
		"UPDATE userstream.incident SET owner = $3, owner_oid = $4"
		" WHERE stream = $1 AND owner_oid = $2",
		"UPDATE userstream.stream_history SET owner_oid = $4"
		" WHERE stream = $1 AND owner_oid = $2"
	};
	Oid			types[] = {TEXTOID, OIDOID, TEXTOID, OIDOID, TEXTOID};
	Datum		values[] = {
		CStringGetTextDatum(stream->name),
		ObjectIdGetDatum(stream->owner_oid),
		CStringGetTextDatum(GetUserNameFromId(owner, false)),
		ObjectIdGetDatum(owner),
		CStringGetTextDatum(stream->home)
	};
	UsElevation saved = us_elevate();

	SPI_connect();
	for (size_t i = 0; i < lengthof(texts); i++)
		if (SPI_execute_with_args(texts[i], lengthof(values), types, values, NULL, false, 0)
			!= SPI_OK_UPDATE)
			elog(ERROR, "could not run \"%s\"", texts[i]);
	SPI_finish();
	us_restore(saved);
}

Datum
us_alter_stream(PG_FUNCTION_ARGS)
{
	char	   *name = us_stream_name_arg(fcinfo);
	UsStream   *stream;
	Alteration	alteration;
	Destination destination;
	char	   *start_at = NULL;

	PreventCommandIfReadOnly("alter_stream()");
	memset(&destination, 0, sizeof(destination));
	stream = us_stream_find(name, GetUserId(), false);
	prepare(fcinfo, stream, false, &alteration);
	if (!PG_ARGISNULL(US_STREAM_ARG_OPTIONS))
		us_stream_ask_registry(&alteration.args, alteration.owner);
	if (alteration.args.start != NULL)
	{
		ask_broker(alteration.args.server, alteration.args.topic, alteration.server,
				   alteration.owner, alteration.args.start, alteration.elsewhere, &destination);
		start_at = us_start_text(alteration.args.start, destination.places, destination.nplaces);
	}

	/* the target is locked before the stream, so that nobody waits for both */
	prepare(fcinfo, stream, true, &alteration);
	stream = us_stream_lock(name, GetUserId(), false);
	prepare(fcinfo, stream, true, &alteration);
	if (destination.places != NULL)
		check_unchanged(stream, &destination, alteration.server, alteration.args.topic,
						alteration.elsewhere);
	us_stream_update(stream->id, &alteration.args, alteration.server, alteration.owner, start_at);
	us_stream_move(stream->id, destination.places, destination.nplaces, destination.others_go);
	if (alteration.owner != stream->owner_oid)
		give_away(stream, alteration.owner);

	us_wake_at_commit();
	us_stream_note_halted(stream);
	us_stream_warn_idle(name);
	PG_RETURN_VOID();
}

Datum
us_seek_stream(PG_FUNCTION_ARGS)
{
	char	   *name = us_stream_name_arg(fcinfo);
	UsStream   *stream;
	UsStart    *start;
	UsStreamArgs args;
	Destination destination = {0};

	if (PG_ARGISNULL(1))
		us_args_refuse_null("to_position");
	start = us_start_parse("to_position", text_to_cstring(PG_GETARG_TEXT_PP(1)));
	PreventCommandIfReadOnly("seek_stream()");
	stream = us_stream_find(name, GetUserId(), false);
	us_stream_check_home(stream);
	check_owner_exists(stream);
	us_stream_args_of(stream, &args);
	(void) us_server_lookup(args.server, US_SERVER_KAFKA, stream->owner_oid);
	ask_broker(args.server, stream->topic, stream->server_oid, stream->owner_oid,
			   start, false, &destination);

	stream = us_stream_lock(name, GetUserId(), false);
	check_unchanged(stream, &destination, stream->server_oid, stream->topic, false);
	us_stream_move(stream->id, destination.places, destination.nplaces, destination.others_go);

	us_wake_at_commit();
	us_stream_note_halted(stream);
	us_stream_warn_idle(name);
	PG_RETURN_VOID();
}
