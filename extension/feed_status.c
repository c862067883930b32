/*-------------------------------------------------------------------------
 * extension/feed_status.c
 *    locks and pg_cron's jobs -> rows for feed_status
 *
 * Runs in the backend of whoever reads the view.  pg_cron keeps its jobs in
 * one database; when that is not this one, or it is not installed, nothing is
 * known of schedules.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "extension/catalog.h"
#include "extension/cron_schedule.h"
#include "extension/feed.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(us_feed_live);

#define MAX_DAYS_AHEAD		(8 * 366)	/* a 29th of February is further only around 2100 */

/* the table of jobs if it is pg_cron's own: a stranger's could run what it likes as us */
static bool
has_cron(void)
{
	Oid			extension = get_extension_oid("pg_cron", true);
	Oid			schema = get_namespace_oid("cron", true);
	Oid			table;

	if (!OidIsValid(extension) || !OidIsValid(schema))
		return false;
	table = get_relname_relid("job", schema);
	return OidIsValid(table) && get_rel_relkind(table) == RELKIND_RELATION &&
		getExtensionOfObject(RelationRelationId, table) == extension;
}

/* palloc'd in context; NULL = no active job runs it */
static char *
find_schedule(const UsFeed *feed, MemoryContext context)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(quote_literal_cstr(feed->name))};
	char	   *schedule;

	if (SPI_execute_with_args("SELECT schedule FROM cron.job"
							  " WHERE active AND database = current_database()"
							  " AND position('run_feed' IN command) > 0"
							  " AND position($1 IN command) > 0"
							  " ORDER BY jobid LIMIT 1",
							  1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read cron.job");
	if (SPI_processed == 0)
		return NULL;
	schedule = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	return schedule == NULL ? NULL : MemoryContextStrdup(context, schedule);
}

static bool
is_locked(const UsFeed *feed)
{
	Oid			types[1] = {INT8OID};
	Datum		values[1] = {Int64GetDatum(feed->id)};

	if (SPI_execute_with_args("SELECT 1 FROM pg_locks WHERE " US_FEED_HOLDS_LOCK("$1"),
							  1, types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_locks");
	return SPI_processed > 0;
}

/* what pg_cron reckons in: GMT, unless cron.timezone (since 1.5) says another */
static pg_tz *
cron_timezone(void)
{
	const char *name = GetConfigOption("cron.timezone", true, false);
	pg_tz	   *zone = name == NULL ? NULL : pg_tzset(name);

	return zone == NULL ? pg_tzset("GMT") : zone;
}

/* the first minute after now that a schedule means; false = none that is known */
static bool
next_minute(const char *text, TimestampTz *result)
{
	UsCronSchedule schedule;
	pg_tz	   *zone = cron_timezone();
	struct pg_tm tm;
	fsec_t		fsec;
	int			offset;
	int			day;
	int			minute;

	if (!us_cron_parse(text, &schedule) ||
		timestamp2tm(GetCurrentTimestamp(), &offset, &tm, &fsec, NULL, zone) != 0)
		return false;
	day = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
	minute = tm.tm_hour * 60 + tm.tm_min + 1;
	for (int i = 0; i < MAX_DAYS_AHEAD; i++, day++, minute = 0)
	{
		j2date(day, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		if (!us_cron_has_day(&schedule, tm.tm_mon, tm.tm_mday, j2day(day)))
			continue;
		for (; minute < 24 * 60; minute++)
		{
			if (!us_cron_has_minute(&schedule, minute / 60, minute % 60))
				continue;
			tm.tm_hour = minute / 60;
			tm.tm_min = minute % 60;
			tm.tm_sec = 0;
			offset = DetermineTimeZoneOffset(&tm, zone);
			return tm2timestamp(&tm, 0, &offset, result) == 0;
		}
	}
	return false;
}

static void
put_feed(ReturnSetInfo *rsinfo, const UsFeed *feed, const char *schedule, bool running)
{
	Datum		values[4];
	bool		nulls[4] = {false};
	TimestampTz next = 0;

	values[0] = Int64GetDatum(feed->id);
	values[1] = BoolGetDatum(running);
	nulls[2] = schedule == NULL;
	values[2] = schedule == NULL ? (Datum) 0 : CStringGetTextDatum(schedule);
	nulls[3] = schedule == NULL || !next_minute(schedule, &next);
	values[3] = TimestampTzGetDatum(next);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
us_feed_live(PG_FUNCTION_ARGS)
{
	Oid			reader = GetUserId();
	bool		cron = has_cron();
	int			count;
	UsFeed	   *feeds = us_feeds(&count);
	MemoryContext context = CurrentMemoryContext;
	char	  **schedules = palloc0(sizeof(char *) * Max(count, 1));
	bool	   *running = palloc0(sizeof(bool) * Max(count, 1));
	UsElevation saved = us_elevate();

	SPI_connect();
	for (int i = 0; i < count; i++)
	{
		running[i] = is_locked(&feeds[i]);
		schedules[i] = cron ? find_schedule(&feeds[i], context) : NULL;
	}
	SPI_finish();
	us_restore(saved);

	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < count; i++)
		if (us_catalog_sees(reader, us_catalog_owner(feeds[i].owner, feeds[i].owner_oid,
													 feeds[i].home)))
			put_feed((ReturnSetInfo *) fcinfo->resultinfo, &feeds[i], schedules[i], running[i]);
	return (Datum) 0;
}
