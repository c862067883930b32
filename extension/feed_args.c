/*-------------------------------------------------------------------------
 * extension/feed_args.c
 *    the arguments of create_feed and alter_feed as C values
 *
 * Runs in the caller's backend, before anything is looked up.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/args.h"
#include "extension/feed.h"
#include "extension/server.h"
#include "utils/builtins.h"
#include "worker/expand.h"

#define MAX_RETRIES			100
#define CLEAR				"-"	/* the value of an argument of alter_feed that removes */

/* positions in both signatures; the last one differs */
enum
{
	ARG_NAME,
	ARG_SERVER,
	ARG_KAFKA_SERVER,
	ARG_TOPIC,
	ARG_RECORDS,
	ARG_TRANSFORM,
	ARG_KEY,
	ARG_RETRIES,
	ARG_OPTIONS,
	ARG_IF_NOT_EXISTS
};

static void
check_values(UsFeedArgs *args)
{
	us_args_check_topic(args->topic);
	(void) us_feed_json_path("records", args->records);
	if (args->retries < 0 || args->retries > MAX_RETRIES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid number of retries: %d", args->retries),
				 errhint("A run can have 0 to %d retries.", MAX_RETRIES)));
	if (args->key != NULL && args->key[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid key \"\""),
				 errhint("Name a field of the messages, such as id, or a path, such as login.uuid.")));
	us_feed_options_read(args->options, &args->parsed);
}

static Oid
resolve(const char *transform)
{
	return us_expand_resolve(transform, "transform", US_FEED_TRANSFORM_HINT);
}

void
us_feed_args_create(FunctionCallInfo fcinfo, UsFeedArgs *args)
{
	static const char *const required[] = {"name", "server", "kafka_server", "topic"};
	char	   *transform;

	for (int i = ARG_NAME; i <= ARG_TOPIC; i++)
		if (PG_ARGISNULL(i))
			us_args_refuse_null(required[i]);

	args->name = us_feed_name_arg(fcinfo);
	args->server = pstrdup(NameStr(*PG_GETARG_NAME(ARG_SERVER)));
	args->kafka_server = pstrdup(NameStr(*PG_GETARG_NAME(ARG_KAFKA_SERVER)));
	args->topic = us_args_text(fcinfo, ARG_TOPIC, NULL);
	args->records = us_args_text(fcinfo, ARG_RECORDS, "$");
	args->key = us_args_text(fcinfo, ARG_KEY, NULL);
	args->retries = PG_ARGISNULL(ARG_RETRIES) ? 3 : PG_GETARG_INT32(ARG_RETRIES);
	args->options = PG_ARGISNULL(ARG_OPTIONS) ? NULL : PG_GETARG_JSONB_P(ARG_OPTIONS);
	args->if_not_exists = !PG_ARGISNULL(ARG_IF_NOT_EXISTS) && PG_GETARG_BOOL(ARG_IF_NOT_EXISTS);
	us_args_check_name("feed", args->name);
	check_values(args);
	transform = us_args_text(fcinfo, ARG_TRANSFORM, NULL);
	args->transform_oid = transform == NULL ? InvalidOid : resolve(transform);
}

/* the old options with the new ones over them; a JSON null removes when stored */
static Jsonb *
merge_options(Jsonb *old, Jsonb *new)
{
	return DatumGetJsonbP(DirectFunctionCall2(jsonb_concat, JsonbPGetDatum(old),
											  JsonbPGetDatum(new)));
}

/* as it is called now, at home; elsewhere the name is all there is */
static char *
server_name(const UsFeed *feed, Oid server, char *written)
{
	char	   *now = us_feed_is_home(feed) ? us_server_display_name(server) : NULL;

	return now != NULL ? now : written;
}

static Oid
kept_transform(const UsFeed *feed)
{
	if (feed->transform == NULL || us_feed_is_home(feed))
		return feed->transform_oid;
	return resolve(feed->transform);
}

void
us_feed_args_alter(FunctionCallInfo fcinfo, const UsFeed *feed, UsFeedArgs *args)
{
	char	   *transform = us_args_text(fcinfo, ARG_TRANSFORM, NULL);

	memset(args, 0, sizeof(*args));
	args->name = feed->name;
	args->server = PG_ARGISNULL(ARG_SERVER) ?
		server_name(feed, feed->server_oid, feed->server) :
		pstrdup(NameStr(*PG_GETARG_NAME(ARG_SERVER)));
	args->kafka_server = PG_ARGISNULL(ARG_KAFKA_SERVER) ?
		server_name(feed, feed->kafka_server_oid, feed->kafka_server) :
		pstrdup(NameStr(*PG_GETARG_NAME(ARG_KAFKA_SERVER)));
	args->topic = us_args_text(fcinfo, ARG_TOPIC, feed->topic);
	args->records = us_args_text(fcinfo, ARG_RECORDS, feed->records);
	args->key = us_args_text(fcinfo, ARG_KEY, feed->key);
	if (args->key != NULL && strcmp(args->key, CLEAR) == 0)
		args->key = NULL;
	args->retries = PG_ARGISNULL(ARG_RETRIES) ? feed->retries : PG_GETARG_INT32(ARG_RETRIES);
	args->options = feed->raw_options;
	if (!PG_ARGISNULL(ARG_OPTIONS))
	{
		UsFeedOptions ignored;
		Jsonb	   *options = PG_GETARG_JSONB_P(ARG_OPTIONS);

		if (!JB_ROOT_IS_OBJECT(options))
			us_feed_options_read(options, &ignored);	/* says what is wrong */
		args->options = merge_options(args->options, options);
	}
	check_values(args);

	if (transform == NULL)
		args->transform_oid = kept_transform(feed);
	else if (strcmp(transform, CLEAR) != 0)
		args->transform_oid = resolve(transform);
}

char *
us_feed_name_arg(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARG_NAME))
		us_args_refuse_null("name");
	return us_args_text(fcinfo, ARG_NAME, NULL);
}
