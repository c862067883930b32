/*-------------------------------------------------------------------------
 * worker/retention.h
 *    how long dead letters and closed incidents and runs of feeds are kept
 *-------------------------------------------------------------------------
 */
#ifndef US_RETENTION_H
#define US_RETENTION_H

/*
 * us_retention_step -- delete what is older than the settings allow, some of it
 *
 * Returns: whether there may be more
 * Needs:   transaction; short, so that nothing waits for it
 */
extern bool us_retention_step(void);

#endif							/* US_RETENTION_H */
