/*-------------------------------------------------------------------------
 * extension/guc.c
 *    the settings of userstream
 *
 * All of them can change without a restart: workers read them when they
 * start or at each reload, so nothing here sizes shared memory.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "extension/guc.h"
#include "utils/guc.h"

#define MINS_PER_DAY		(24 * 60)
#define MAX_RETENTION_MIN	(100 * 366 * MINS_PER_DAY)

bool		us_guc_enabled = true;
int			us_guc_queue_memory_kb = 0;
int			us_guc_max_workers = 0;
int			us_guc_restart_interval_ms = 5000;
int			us_guc_balance_interval_s = 60;
int			us_guc_dead_letter_retention_min = 0;
int			us_guc_run_retention_min = 30 * MINS_PER_DAY;
int			us_guc_log_level = -1;

/* as the Kafka library counts: syslog's */
static const struct config_enum_entry log_levels[] = {
	{"off", -1, false},
	{"error", 3, false},
	{"warning", 4, false},
	{"info", 6, false},
	{"debug", 7, false},
	{NULL, 0, false}
};

void
us_guc_init(void)
{
	DefineCustomBoolVariable("userstream.enabled",
							 "Whether streams and mirrors run.",
							 "Off ends every worker after its batch; definitions and positions stay.",
							 &us_guc_enabled,
							 true,
							 PGC_SIGHUP,
							 0,
							 NULL, NULL, NULL);

	DefineCustomIntVariable("userstream.queue_memory",
							"Memory at most for messages fetched ahead, per worker.",
							"0 chooses: 4 MB. A message counts as 384 bytes at least; "
							"the server's own queued.max.messages.kbytes and queued.min.messages win.",
							&us_guc_queue_memory_kb,
							0,
							0, 2 * 1024 * 1024 - 1,
							PGC_SIGHUP,
							GUC_UNIT_KB,
							NULL, NULL, NULL);

	DefineCustomIntVariable("userstream.max_workers",
							"Workers at most per database.",
							"0 means no limit but the server's own max_worker_processes.",
							&us_guc_max_workers,
							0,
							0, 1024,
							PGC_SIGHUP,
							0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("userstream.restart_interval",
							"Time between two starts of a worker that failed.",
							"Doubles with each failure in a row, up to a minute.",
							&us_guc_restart_interval_ms,
							5000,
							100, 3600 * 1000,
							PGC_SIGHUP,
							GUC_UNIT_MS,
							NULL, NULL, NULL);

	DefineCustomIntVariable("userstream.balance_interval",
							"Time between two looks at how much each worker of a stream has to read.",
							"A worker with more to read than it read in that time gives partitions to others, where "
							"that is worth it; their workers start anew. 0 leaves partitions where they are.",
							&us_guc_balance_interval_s,
							60,
							0, 24 * 3600,
							PGC_SIGHUP,
							GUC_UNIT_S,
							NULL, NULL, NULL);

	DefineCustomIntVariable("userstream.dead_letter_retention",
							"How long dead letters are kept.",
							"0 keeps them until the extension's owner deletes them. Counters stay.",
							&us_guc_dead_letter_retention_min,
							0,
							0, MAX_RETENTION_MIN,
							PGC_SIGHUP,
							GUC_UNIT_MIN,
							NULL, NULL, NULL);

	DefineCustomIntVariable("userstream.run_retention",
							"How long closed incidents and runs of feeds are kept.",
							"0 keeps them until someone deletes them.",
							&us_guc_run_retention_min,
							30 * MINS_PER_DAY,
							0, MAX_RETENTION_MIN,
							PGC_SIGHUP,
							GUC_UNIT_MIN,
							NULL, NULL, NULL);

	DefineCustomEnumVariable("userstream.log_level",
							 "Which lines of the Kafka library go to the server log.",
							 "Without secrets; what debug shows depends on the option debug of the server.",
							 &us_guc_log_level,
							 -1,
							 log_levels,
							 PGC_SIGHUP,
							 0,
							 NULL, NULL, NULL);

	MarkGUCPrefixReserved("userstream");
}
