/*-------------------------------------------------------------------------
 * worker/stage.c
 *    what a stream worker spends its time on
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <math.h>

#include "portability/instr_time.h"
#include "worker/stage.h"

#define SAMPLE_MESSAGES 64		/* one in so many is looked at by itself */
#define RECENT_US		10e6	/* time constant of what is recent */

static bool running = false;
static UsStage current;			/* stage that the clock runs for ... */
static instr_time since;		/* ... from then on */
static instr_time spent[US_STAGE_COUNT];	/* decoding is in US_STAGE_CONVERT here */

static uint32 nmessages = 0;	/* that could be samples, modulo 2^32 */
static bool sampling = false;	/* one is under way ... */
static instr_time sample_start; /* ... from then on */
static instr_time decoded;		/* all samples, until they were decoded */
static instr_time converted;	/* all samples, decoding included */

static int64 convert_us = 0;	/* so much of US_STAGE_CONVERT was divided ... */
static int64 decode_us = 0;		/* ... and this is decoding's part */

static int64 reported_us[US_STAGE_COUNT];
static double lately_us[US_STAGE_COUNT];	/* smoothed, so that it needs no history */

void
us_stage_start(UsStage first)
{
	running = true;
	current = first;
	INSTR_TIME_SET_CURRENT(since);
}

void
us_stage_enter(UsStage stage)
{
	instr_time	now;

	if (!running)
		return;
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_ACCUM_DIFF(spent[current], now, since);
	since = now;
	current = stage;
	sampling = false;			/* after an error */
}

bool
us_stage_sample_begin(void)
{
	if (nmessages++ % SAMPLE_MESSAGES != 0 || !running)
		return false;
	sampling = true;
	INSTR_TIME_SET_CURRENT(sample_start);
	return true;
}

static void
add_sample(instr_time *sum)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_ACCUM_DIFF(*sum, now, sample_start);
}

void
us_stage_sample_decoded(void)
{
	if (unlikely(sampling))
		add_sample(&decoded);
}

void
us_stage_sample_end(void)
{
	add_sample(&converted);
	sampling = false;
}

/* only what came since the last time, so that no stage's time ever goes back */
static void
divide_convert(void)
{
	int64		new_us = (int64) INSTR_TIME_GET_MICROSEC(spent[US_STAGE_CONVERT]);
	double		whole = INSTR_TIME_GET_DOUBLE(converted);

	if (whole > 0)
		decode_us += (int64) ((new_us - convert_us) * (INSTR_TIME_GET_DOUBLE(decoded) / whole));
	convert_us = new_us;
}

static void
note_recent(const int64 *stage_us)
{
	double		new_us = 0;
	double		keep;

	for (int i = 0; i < US_STAGE_COUNT; i++)
		new_us += stage_us[i] - reported_us[i];
	keep = exp(-new_us / RECENT_US);
	for (int i = 0; i < US_STAGE_COUNT; i++)
		lately_us[i] = lately_us[i] * keep + (stage_us[i] - reported_us[i]);
	memcpy(reported_us, stage_us, sizeof(reported_us));
}

double
us_stage_recent(double *recent_us)
{
	double		sum = 0;

	for (int i = 0; i < US_STAGE_COUNT; i++)
		sum += recent_us[i] = lately_us[i];
	return sum;
}

void
us_stage_report(void)
{
	int64		stage_us[US_STAGE_COUNT];

	/* that of the current stage, too */
	us_stage_enter(current);
	divide_convert();
	for (int i = 0; i < US_STAGE_COUNT; i++)
		stage_us[i] = (int64) INSTR_TIME_GET_MICROSEC(spent[i]);
	stage_us[US_STAGE_DECODE] = decode_us;
	stage_us[US_STAGE_CONVERT] -= decode_us;
	us_slot_report_stages(stage_us);
	note_recent(stage_us);
}
