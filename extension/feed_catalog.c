/*-------------------------------------------------------------------------
 * extension/feed_catalog.c
 *    rows of userstream.feed -> C structs, and who may use them
 *
 * Called in backends: by the functions that change feeds, by the procedure
 * that runs them, and by the view.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "extension/catalog.h"
#include "extension/compat.h"
#include "extension/feed.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/regproc.h"
#include "utils/syscache.h"

#define FEED_QUERY \
	"SELECT id, name, owner, owner_oid, server, server_oid, kafka_server, kafka_server_oid," \
	" topic, records, transform, transform_oid, key, retries, options, timezone, since_value," \
	" next_allowed_at, home" \
	" FROM userstream.feed"

static void
read_feed(UsReader *reader, void *object)
{
	UsFeed	   *feed = object;
	Datum		time;

	feed->id = DatumGetInt64(us_next_value(reader));
	feed->name = us_next_text(reader);
	feed->owner = us_next_text(reader);
	feed->owner_oid = DatumGetObjectId(us_next_value(reader));
	feed->server = us_next_text(reader);
	feed->server_oid = DatumGetObjectId(us_next_value(reader));
	feed->kafka_server = us_next_text(reader);
	feed->kafka_server_oid = DatumGetObjectId(us_next_value(reader));
	feed->topic = us_next_text(reader);
	feed->records = us_next_text(reader);
	feed->transform = us_next_text(reader);
	feed->transform_oid = DatumGetObjectId(us_next_value(reader));
	feed->key = us_next_text(reader);
	feed->retries = DatumGetInt32(us_next_value(reader));
	feed->raw_options = DatumGetJsonbPCopy(us_next_value(reader));
	feed->timezone = us_next_text(reader);
	feed->since_value = us_next_text(reader);
	time = us_next_value(reader);
	feed->next_allowed_at = time == 0 ? 0 : DatumGetTimestampTz(time);
	feed->home = us_next_text(reader);
}

UsFeed *
us_feeds(int *count)
{
	return us_catalog_read(FEED_QUERY " ORDER BY id", 0, NULL, NULL,
						   sizeof(UsFeed), read_feed, count);
}

UsFeed *
us_feed_by_name(const char *name)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};
	int			count;
	UsFeed	   *feed = us_catalog_read(FEED_QUERY " WHERE name = $1", 1, types, values,
									   sizeof(UsFeed), read_feed, &count);

	if (feed != NULL)
		us_feed_options_read(feed->raw_options, &feed->options);
	return feed;
}

UsFeed *
us_feed_find(const char *name, bool missing_ok)
{
	UsFeed	   *feed = us_feed_by_name(name);

	if (feed == NULL)
	{
		ereport(missing_ok ? NOTICE : ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 missing_ok ?
				 errmsg("feed \"%s\" does not exist, skipping", name) :
				 errmsg("feed \"%s\" does not exist", name),
				 missing_ok ? 0 :
				 errhint("SELECT feed FROM userstream.feed_status shows those that there are.")));
		return NULL;
	}
	us_catalog_check_owner(GetUserId(), "feed", name, feed->owner, feed->owner_oid, feed->home);
	return feed;
}

Oid
us_feed_owner(const UsFeed *feed)
{
	Oid			owner = us_catalog_owner(feed->owner, feed->owner_oid, feed->home);

	if (!OidIsValid(owner))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("owner \"%s\" of feed \"%s\" does not exist any more",
						feed->owner, feed->name),
				 errhint("userstream.alter_feed(%s, owner => ...) gives it another.",
						 quote_literal_cstr(feed->name))));
	return owner;
}

bool
us_feed_is_home(const UsFeed *feed)
{
	return strcmp(feed->home, us_home()) == 0;
}

void
us_feed_check_home(const UsFeed *feed)
{
	if (us_feed_is_home(feed))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("feed \"%s\" comes from another database", feed->name),
			 errdetail("Its definition was restored or copied, and nothing runs by it here."),
			 errhint("SELECT userstream.alter_feed(%s) takes it over.",
					 quote_literal_cstr(feed->name))));
}

void
us_feed_transform_check(Oid function, Oid owner)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	Form_pg_proc proc;
	bool		fits;
	Oid			schema;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FUNCTION),
				 errmsg("the transform does not exist any more"),
				 errhint("Create the function and name it anew: userstream.alter_feed(..., transform => ...).")));
	proc = (Form_pg_proc) GETSTRUCT(tuple);
	fits = proc->prokind == PROKIND_FUNCTION && proc->prorettype == JSONBOID &&
		proc->pronargs == 1 && proc->proargtypes.values[0] == JSONBOID;
	schema = proc->pronamespace;
	ReleaseSysCache(tuple);
	if (!fits)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_FUNCTION_DEFINITION),
				 errmsg("function %s cannot be the transform of a feed",
						format_procedure(function)),
				 errhint("%s", US_FEED_TRANSFORM_HINT)));
	if (us_namespace_aclcheck(schema, owner, ACL_USAGE) != ACLCHECK_OK ||
		us_function_aclcheck(function, owner, ACL_EXECUTE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for function %s", format_procedure(function)),
				 errdetail("Role \"%s\", which owns the feed, may not call it.",
						   GetUserNameFromId(owner, false)),
				 errhint("GRANT USAGE ON SCHEMA %s and EXECUTE ON FUNCTION %s TO %s allow it.",
						 quote_identifier(get_namespace_name(schema)),
						 format_procedure_qualified(function),
						 quote_identifier(GetUserNameFromId(owner, false)))));
}

static void
make_lock_tag(const UsFeed *feed, LOCKTAG *tag)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, (uint32) (feed->id >> 32), (uint32) feed->id,
						 US_FEED_LOCK_CLASS);
}

bool
us_feed_lock(const UsFeed *feed)
{
	LOCKTAG		tag;

	make_lock_tag(feed, &tag);
	return LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_OK;
}

void
us_feed_unlock(const UsFeed *feed)
{
	LOCKTAG		tag;

	make_lock_tag(feed, &tag);
	(void) LockRelease(&tag, ExclusiveLock, true);
}
