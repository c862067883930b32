/*-------------------------------------------------------------------------
 * worker/mirror_end.c
 *    how a mirror worker ends by itself
 *
 * Any surprise ends the process, since a replay does no harm: the same values
 * with the same timestamps.  What no successor could do better is for a
 * person.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/shmem.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "worker/incident.h"
#include "worker/launcher.h"
#include "worker/mirror_end.h"
#include "worker/session.h"

void
us_mirror_start_anew(const UsMirror *mirror, const char *why)
{
	ereport(LOG,
			(errmsg("mirror \"%s\" starts anew: %s", mirror->name, why)));
	proc_exit(1);
}

void
us_mirror_follow_change(const UsMirror *mirror, const char *why)
{
	us_slot_request_successor();
	us_wake_supervisor(MyDatabaseId);
	us_mirror_start_anew(mirror, why);
}

void
us_mirror_give_up(const UsMirror *mirror, const char *kind, const char *detail,
				  const char *what_to_do)
{
	if (us_session_begin(mirror->timezone))
		us_mirror_stop(mirror, kind, detail, what_to_do);
	us_session_commit();
	us_slot_report_error(US_STATE_STOPPED, detail);
	ereport(LOG,
			(errmsg("mirror \"%s\" stopped: %s", mirror->name, detail),
			 errhint("%s", what_to_do)));
	us_wake_supervisor(MyDatabaseId);
	proc_exit(1);
}
