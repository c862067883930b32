/*-------------------------------------------------------------------------
 * worker/launcher.h
 *    the background workers' entry points
 *-------------------------------------------------------------------------
 */
#ifndef US_LAUNCHER_H
#define US_LAUNCHER_H

#include "extension/compat.h"

/* registers the launcher; called once from _PG_init while preloading */
extern void us_launcher_register(void);

/* the processes' main functions, found by name in the library */
extern PGDLLEXPORT pg_noreturn void us_launcher_main(Datum arg);
extern PGDLLEXPORT void us_supervisor_main(Datum arg);
extern PGDLLEXPORT void us_stream_worker_main(Datum arg);
extern PGDLLEXPORT void us_mirror_worker_main(Datum arg);

#endif							/* US_LAUNCHER_H */
