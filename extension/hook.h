/*-------------------------------------------------------------------------
 * extension/hook.h
 *    commands that need a database without our processes
 *-------------------------------------------------------------------------
 */
#ifndef US_HOOK_H
#define US_HOOK_H

/* installs the ProcessUtility hook; called once from _PG_init while preloading */
extern void us_hook_init(void);

#endif							/* US_HOOK_H */
