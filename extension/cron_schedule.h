/*-------------------------------------------------------------------------
 * extension/cron_schedule.h
 *    the schedule of a cron job: which minutes it means
 *-------------------------------------------------------------------------
 */
#ifndef US_CRON_SCHEDULE_H
#define US_CRON_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

/* a bit per value that is meant */
typedef struct UsCronSchedule
{
	uint64_t	minutes;		/* 0 .. 59 */
	uint32_t	hours;			/* 0 .. 23 */
	uint32_t	days;			/* of the month, 1 .. 31 */
	uint32_t	months;			/* 1 .. 12 */
	uint32_t	weekdays;		/* 0 .. 6, 0 = Sunday */
	bool		any_day;		/* the days of the month are "*" */
	bool		any_weekday;	/* the days of the week are "*" */
} UsCronSchedule;

/*
 * us_cron_parse -- "minute hour day month weekday", or @hourly and the like
 *
 * Lists, ranges, steps and names of months and weekdays, as pg_cron has them.
 * Returns: false for anything else, such as an interval in seconds
 */
extern bool us_cron_parse(const char *text, UsCronSchedule *schedule);

/* whether a day is meant at all: with both kinds of days given, either one suffices */
extern bool us_cron_has_day(const UsCronSchedule *schedule, int month, int day, int weekday);

/* whether a minute of such a day is meant */
extern bool us_cron_has_minute(const UsCronSchedule *schedule, int hour, int minute);

#endif							/* US_CRON_SCHEDULE_H */
