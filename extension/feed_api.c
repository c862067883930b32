/*-------------------------------------------------------------------------
 * extension/feed_api.c
 *    create_feed, alter_feed, drop_feed: arguments -> a definition
 *
 * Run in the caller's backend and transaction.  Everything that can be
 * checked is checked here, the cheap before the broker; the API itself is
 * asked by a run only.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "extension/feed.h"
#include "extension/server.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

PG_FUNCTION_INFO_V1(us_create_feed);
PG_FUNCTION_INFO_V1(us_alter_feed);
PG_FUNCTION_INFO_V1(us_drop_feed);

#define ARG_OWNER			9	/* of alter_feed */

/* raises, or says that there is nothing to do */
static void
report_name_taken(const UsFeedArgs *args)
{
	if (!args->if_not_exists)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("feed \"%s\" already exists", args->name),
				 errhint("Choose another name, or remove it with userstream.drop_feed(%s).",
						 quote_literal_cstr(args->name))));
	ereport(NOTICE,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("feed \"%s\" already exists, skipping", args->name)));
}

/* what both create_feed and alter_feed store, from $1 on */
#define DEFINITION_COLUMNS \
	"owner, owner_oid, server, server_oid, kafka_server, kafka_server_oid, topic, records," \
	" transform, transform_oid, key, retries, options, home"
#define DEFINITION_VALUES \
	"$2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13," \
	" coalesce(jsonb_strip_nulls($14), '{}'), $15"

static const char *const insert_text =
"INSERT INTO userstream.feed (name, timezone, " DEFINITION_COLUMNS ")"
" VALUES ($1, $16, " DEFINITION_VALUES ")"
" ON CONFLICT (name) DO NOTHING";

/* with another API or parameter, the value read last means nothing */
static const char *const update_text =
"UPDATE userstream.feed SET (" DEFINITION_COLUMNS ") = (" DEFINITION_VALUES "),"
" since_value = CASE WHEN server_oid = $5 AND options -> 'since' IS NOT DISTINCT FROM $14 -> 'since'"
" THEN since_value END,"
" next_allowed_at = CASE WHEN server_oid = $5 THEN next_allowed_at END,"
" config_version = config_version + 1"
" WHERE id = $17";

/* rows written; Needs us_elevate and SPI_connect */
static uint64
write_feed(const char *text, int64 id, const UsFeedArgs *args, Oid owner, Oid server,
		   Oid kafka_server)
{
	Oid			types[] = {TEXTOID, TEXTOID, OIDOID, TEXTOID, OIDOID, TEXTOID, OIDOID, TEXTOID,
		TEXTOID, TEXTOID, OIDOID, TEXTOID, INT4OID, JSONBOID, TEXTOID, TEXTOID, INT8OID};
	char	   *transform = OidIsValid(args->transform_oid) ?
		format_procedure_qualified(args->transform_oid) : NULL;
	Datum		values[] = {
		CStringGetTextDatum(args->name),
		CStringGetTextDatum(GetUserNameFromId(owner, false)),
		ObjectIdGetDatum(owner),
		CStringGetTextDatum(args->server),
		ObjectIdGetDatum(server),
		CStringGetTextDatum(args->kafka_server),
		ObjectIdGetDatum(kafka_server),
		CStringGetTextDatum(args->topic),
		CStringGetTextDatum(args->records),
		transform == NULL ? (Datum) 0 : CStringGetTextDatum(transform),
		ObjectIdGetDatum(args->transform_oid),
		args->key == NULL ? (Datum) 0 : CStringGetTextDatum(args->key),
		Int32GetDatum(args->retries),
		PointerGetDatum(args->options),
		CStringGetTextDatum(us_home()),
		CStringGetTextDatum(pg_get_timezone_name(session_timezone)),
		Int64GetDatum(id)
	};
	char		nulls[lengthof(values) + 1];

	memset(nulls, ' ', lengthof(values));
	nulls[lengthof(values)] = '\0';
	if (transform == NULL)
		nulls[9] = nulls[10] = 'n';
	if (args->key == NULL)
		nulls[11] = 'n';
	if (args->options == NULL)
		nulls[13] = 'n';
	if (SPI_execute_with_args(text, lengthof(values), types, values, nulls, false, 0) < 0)
		elog(ERROR, "could not write userstream.feed");
	return SPI_processed;
}

static uint64
store(const char *text, int64 id, const UsFeedArgs *args, Oid owner, Oid server, Oid kafka_server)
{
	UsElevation saved = us_elevate();
	uint64		rows;

	SPI_connect();
	rows = write_feed(text, id, args, owner, server, kafka_server);
	SPI_finish();
	us_restore(saved);
	return rows;
}

/* all that a definition needs, the broker last */
static void
check_definition(const UsFeedArgs *args, Oid owner, Oid *server, Oid *kafka_server)
{
	*server = us_server_lookup(args->server, US_SERVER_HTTP, owner);
	*kafka_server = us_server_lookup(args->kafka_server, US_SERVER_KAFKA, owner);
	if (OidIsValid(args->transform_oid))
		us_feed_transform_check(args->transform_oid, owner);
	us_feed_topic_prepare(args->kafka_server, *kafka_server, owner, args->topic, &args->parsed);
}

Datum
us_create_feed(PG_FUNCTION_ARGS)
{
	Oid			owner = GetUserId();
	UsFeedArgs	args;
	Oid			server;
	Oid			kafka_server;

	us_feed_args_create(fcinfo, &args);
	PreventCommandIfReadOnly("create_feed()");
	if (us_feed_by_name(args.name) != NULL)
	{
		report_name_taken(&args);
		PG_RETURN_VOID();
	}
	check_definition(&args, owner, &server, &kafka_server);
	if (store(insert_text, 0, &args, owner, server, kafka_server) == 0)
		report_name_taken(&args);
	PG_RETURN_VOID();
}

/* who gives a feed to a role makes that role act, so he must have its rights */
static Oid
new_owner(FunctionCallInfo fcinfo, const UsFeed *feed)
{
	Oid			owner;

	if (!PG_ARGISNULL(ARG_OWNER))
	{
		char	   *name = NameStr(*PG_GETARG_NAME(ARG_OWNER));

		owner = get_role_oid(name, false);
		if (!has_privs_of_role(GetUserId(), owner))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("must be member of role \"%s\"", name),
					 errdetail("Its rights would be used by the feed."),
					 errhint("Have a member of both roles call this.")));
		return owner;
	}
	return us_feed_owner(feed);
}

/* another call's change in between is lost in favour of this one's */
Datum
us_alter_feed(PG_FUNCTION_ARGS)
{
	UsFeed	   *feed = us_feed_find(us_feed_name_arg(fcinfo), false);
	UsFeedArgs	args;
	Oid			owner;
	Oid			server;
	Oid			kafka_server;

	PreventCommandIfReadOnly("alter_feed()");
	us_feed_args_alter(fcinfo, feed, &args);
	owner = new_owner(fcinfo, feed);
	check_definition(&args, owner, &server, &kafka_server);
	if (store(update_text, feed->id, &args, owner, server, kafka_server) == 0)
		(void) us_feed_find(args.name, false);	/* dropped meanwhile: says so */
	PG_RETURN_VOID();
}

Datum
us_drop_feed(PG_FUNCTION_ARGS)
{
	char	   *name = us_feed_name_arg(fcinfo);
	bool		if_exists = !PG_ARGISNULL(1) && PG_GETARG_BOOL(1);
	Oid			types[1] = {INT8OID};
	Datum		values[1];
	UsElevation saved;
	UsFeed	   *feed;

	PreventCommandIfReadOnly("drop_feed()");
	feed = us_feed_find(name, if_exists);
	if (feed == NULL)
		PG_RETURN_VOID();
	values[0] = Int64GetDatum(feed->id);
	saved = us_elevate();
	SPI_connect();
	if (SPI_execute_with_args("DELETE FROM userstream.feed WHERE id = $1",
							  1, types, values, NULL, false, 0) < 0)
		elog(ERROR, "could not write userstream.feed");
	SPI_finish();
	us_restore(saved);
	PG_RETURN_VOID();
}
