/*-------------------------------------------------------------------------
 * extension/userstream.c
 *    the module: settings, shared memory, launcher, hook
 *
 * Loaded by shared_preload_libraries all parts are there.  Loaded later (a
 * function was called in a server that does not preload it), definitions can
 * be made and looked at, but nothing runs; the views say so.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/guc.h"
#include "extension/hook.h"
#include "extension/shmem.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "worker/launcher.h"

#ifdef PG_MODULE_MAGIC_EXT
PG_MODULE_MAGIC_EXT(
					.name = "userstream",
					.version = US_VERSION
);
#else
PG_MODULE_MAGIC;
#endif

void		_PG_init(void);

void
_PG_init(void)
{
	/* pg_upgrade starts both servers: nothing may move then */
	if (IsBinaryUpgrade)
		return;

	us_guc_init();
	us_wake_init();

	if (!process_shared_preload_libraries_in_progress)
		return;

	us_shmem_init();
	us_hook_init();
	us_launcher_register();
}
