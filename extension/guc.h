/*-------------------------------------------------------------------------
 * extension/guc.h
 *    the settings of userstream
 *-------------------------------------------------------------------------
 */
#ifndef US_GUC_H
#define US_GUC_H

extern bool us_guc_enabled;			/* userstream.enabled, sighup: off = no worker runs */
/* userstream.queue_memory, kB per worker at most; 0 = by version */
extern int	us_guc_queue_memory_kb;
extern int	us_guc_max_workers;		/* userstream.max_workers per database; 0 = no limit */
extern int	us_guc_restart_interval_ms; /* userstream.restart_interval, ms, at least 100 */

extern int	us_guc_balance_interval_s;	/* userstream.balance_interval, seconds; 0 = never */

extern int	us_guc_dead_letter_retention_min;	/* userstream.dead_letter_retention; 0 = keep */
extern int	us_guc_run_retention_min;	/* userstream.run_retention, minutes; 0 = keep */
extern int	us_guc_log_level;		/* userstream.log_level, as syslog counts; -1 = off */

/* defines all of them and reserves the prefix; called once from _PG_init */
extern void us_guc_init(void);

#endif							/* US_GUC_H */
