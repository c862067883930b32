/*-------------------------------------------------------------------------
 * worker/limit.c
 *    what a stream worker's speed ends at, while messages wait to be read
 *
 * Runs in stream workers, with each report.  Only what somebody can change
 * counts.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "worker/limit.h"
#include "worker/stage.h"

#define LIMIT_SHARE		0.5		/* of the time: what takes as much is the limit */
#define LIMIT_SECONDS	3.0		/* of time before anything is said */

static const struct
{
	UsStage		stage;
	UsLimit		limit;
}			limits[] = {
	{US_STAGE_FETCH_WAIT, US_LIMIT_FETCH},
	{US_STAGE_TRANSFORM, US_LIMIT_TRANSFORM},
	{US_STAGE_INSERT, US_LIMIT_INSERT},
	{US_STAGE_INDEX, US_LIMIT_INDEX},
	{US_STAGE_COMMIT, US_LIMIT_COMMIT}
};

/* whether a stage takes its time for the reason that the hint would name */
static bool
is_cause(const UsWorker *worker, UsLimit limit)
{
	/* an error says more */
	if (limit == US_LIMIT_FETCH)
		return !worker->failing;
	/* the disk is not to blame for storing dead letters */
	if (limit == US_LIMIT_COMMIT)
		return worker->batch->dead_letters == 0;
	return true;
}

void
us_limit_report(const UsWorker *worker)
{
	double		recent_us[US_STAGE_COUNT];
	double		total_us = us_stage_recent(recent_us);
	UsLimit		limit = US_LIMIT_NONE;
	double		share = 0;

	for (size_t i = 0; i < lengthof(limits); i++)
	{
		double		part = recent_us[limits[i].stage] / Max(total_us, 1);

		if (part < Max(share, LIMIT_SHARE) || !is_cause(worker, limits[i].limit))
			continue;
		limit = limits[i].limit;
		share = part;
	}
	if (!worker->behind || total_us < LIMIT_SECONDS * 1e6)
		limit = US_LIMIT_NONE;
	us_slot_report_limit(limit, limit == US_LIMIT_NONE ? 0 : share);
}
