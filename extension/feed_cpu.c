/*-------------------------------------------------------------------------
 * extension/feed_cpu.c
 *    CPU time of an attempt -> a debug message, by part
 *
 * Runs in the backend of run_feed.  It is what the measurements read, and
 * says on any machine which part of a feed is worth making faster: of the
 * parts, the transform is the user's.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <time.h>

#include "extension/feed_run.h"

static int64
cpu_ns(clockid_t clock)
{
	struct timespec spent;

	(void) clock_gettime(clock, &spent);
	return (int64) spent.tv_sec * INT64CONST(1000000000) + spent.tv_nsec;
}

void
us_feed_cpu_begin(UsFeedRun *run)
{
	memset(run->spent, 0, sizeof(run->spent));
	run->thread_ns = cpu_ns(CLOCK_THREAD_CPUTIME_ID);
	run->process_ns = cpu_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void
us_feed_cpu_spent(UsFeedRun *run, UsFeedPart part)
{
	int64		now = cpu_ns(CLOCK_THREAD_CPUTIME_ID);

	run->spent[part] += now - run->thread_ns;
	run->thread_ns = now;
}

void
us_feed_cpu_report(const UsFeedRun *run)
{
	int64		others = cpu_ns(CLOCK_PROCESS_CPUTIME_ID) - run->process_ns;

	for (int i = 0; i < US_NPARTS; i++)
		others -= run->spent[i];
	ereport(DEBUG1,
			(errmsg_internal("CPU time of feed \"%s\" in us: fetch " INT64_FORMAT
							 ", read " INT64_FORMAT ", transform " INT64_FORMAT
							 ", produce " INT64_FORMAT ", rest " INT64_FORMAT
							 ", threads " INT64_FORMAT,
							 run->feed->name,
							 run->spent[US_PART_FETCH] / 1000, run->spent[US_PART_READ] / 1000,
							 run->spent[US_PART_TRANSFORM] / 1000,
							 run->spent[US_PART_PRODUCE] / 1000,
							 run->spent[US_PART_REST] / 1000, others / 1000)));
}
