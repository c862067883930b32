/*-------------------------------------------------------------------------
 * extension/feed.h
 *    definitions of feeds as C structs: reading, checking, finding them
 *-------------------------------------------------------------------------
 */
#ifndef US_FEED_H
#define US_FEED_H

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "utils/jsonb.h"

/* options of a feed, all set */
typedef struct UsFeedOptions
{
	int			run_timeout_ms; /* for a run with all its attempts */
	bool		ndjson;			/* a body is a JSON value a line */
	char	   *next;			/* JSON path of the next page's URL; NULL = none */
	char	   *page;			/* parameter that takes the page's number; NULL = none */
	int			max_pages;		/* of a run; 0 = no end asked for */
	char	   *since_parameter;	/* NULL = none, and no path */
	char	   *since_path;		/* JSON path of its next value */
	int			create_partitions;	/* of a topic that is not there; 0 = not created */
	int			create_replication_factor;
} UsFeedOptions;

/* one row of userstream.feed; NULL where the column is null */
typedef struct UsFeed
{
	int64		id;
	char	   *name;
	char	   *owner;			/* role name; owner_oid is what counts at home */
	Oid			owner_oid;
	char	   *server;
	Oid			server_oid;
	char	   *kafka_server;
	Oid			kafka_server_oid;
	char	   *topic;
	char	   *records;
	char	   *transform;		/* schema.function(jsonb), quoted */
	Oid			transform_oid;
	char	   *key;
	int			retries;
	Jsonb	   *raw_options;	/* as stored */
	UsFeedOptions options;
	char	   *timezone;
	char	   *since_value;
	TimestampTz next_allowed_at;	/* 0 = at any time */
	char	   *home;
} UsFeed;

/* every feed of this database, palloc'd; one by name, NULL when there is none */
extern UsFeed *us_feeds(int *count);
extern UsFeed *us_feed_by_name(const char *name);

/*
 * us_feed_find -- a feed that the caller may change or run
 *
 * Errors:  42704 there is none (with missing_ok: NULL and a NOTICE);
 *          42501 the caller has not the rights of its owner
 */
extern UsFeed *us_feed_find(const char *name, bool missing_ok);

/*
 * us_feed_owner -- the role that owns it
 *
 * Errors:  42704 when there is no such role any more
 */
extern Oid	us_feed_owner(const UsFeed *feed);

/* whether it is a definition of this database, where its oids mean something */
extern bool us_feed_is_home(const UsFeed *feed);

/* refuses a definition that comes from another database; 55000 */
extern void us_feed_check_home(const UsFeed *feed);

#define US_FEED_TRANSFORM_HINT	"A transform is f(jsonb), and returns jsonb or SETOF jsonb."

/*
 * us_feed_transform_check -- whether a function can be a transform, and an
 * owner may call it
 *
 * Errors:  42883, 42P13, 42501, each with a hint
 */
extern void us_feed_transform_check(Oid function, Oid owner);

/* one running feed has this lock; false when another session has it */
extern bool us_feed_lock(const UsFeed *feed);
extern void us_feed_unlock(const UsFeed *feed);

/* beside 1 and 2 of PostgreSQL's own functions, so that no user's lock is ours */
#define US_FEED_LOCK_CLASS	7

/* whether a row of pg_locks is that lock, held for the feed that an SQL expression numbers */
#define US_FEED_HOLDS_LOCK(id) \
	"locktype = 'advisory' AND objsubid = " CppAsString2(US_FEED_LOCK_CLASS) " AND granted" \
	" AND database = (SELECT oid FROM pg_database WHERE datname = current_database())" \
	" AND classid = (" id " >> 32)::oid AND objid = (" id " & 4294967295)::oid"

/*
 * us_feed_end_lost_runs -- say of runs whose session is gone that they failed
 *
 * In:      locked   id of a feed whose lock the caller holds; 0 = of none
 * Needs:   transaction with an active snapshot
 */
extern void us_feed_end_lost_runs(int64 locked);

/*
 * us_feed_options_read -- check and read the options of a feed
 *
 * In:      options   NULL = all defaults
 * Errors:  HV00D unknown option (hint: the nearest name); 22023 a value that
 *          means nothing
 */
extern void us_feed_options_read(Jsonb *options, UsFeedOptions *result);

/* a JSON path that parses; argument is what an error calls it */
extern Datum us_feed_json_path(const char *argument, const char *path);

/* what create_feed and alter_feed are to store; palloc'd */
typedef struct UsFeedArgs
{
	char	   *name;
	char	   *server;
	char	   *kafka_server;
	char	   *topic;
	char	   *records;
	Oid			transform_oid;	/* InvalidOid = none */
	char	   *key;			/* NULL = none */
	int			retries;
	Jsonb	   *options;		/* NULL = all defaults */
	UsFeedOptions parsed;
	bool		if_not_exists;
} UsFeedArgs;

/*
 * us_feed_args_create, us_feed_args_alter -- arguments, checked as far as
 * nothing but themselves is needed
 *
 * In:      feed   as it is: for alter, where a null argument keeps
 * Errors:  22004, 22023, HV00D, 42883, 42601 (each with a hint or context)
 */
extern void us_feed_args_create(FunctionCallInfo fcinfo, UsFeedArgs *args);
extern void us_feed_args_alter(FunctionCallInfo fcinfo, const UsFeed *feed, UsFeedArgs *args);

/* argument number 0, a feed's name, of every function; 22004 when null */
extern char *us_feed_name_arg(FunctionCallInfo fcinfo);

/*
 * us_feed_topic_prepare -- see that the topic is there, or make it
 *
 * Asks the broker, for at most 10 seconds, cancellable.
 * Errors:  as us_stream_topic_describe; 42704 with a hint on create_topic
 */
extern void us_feed_topic_prepare(const char *server_name, Oid server, Oid owner,
								  const char *topic, const UsFeedOptions *options);

#endif							/* US_FEED_H */
