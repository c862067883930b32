/*-------------------------------------------------------------------------
 * extension/mirror_status.c
 *    shared memory and replication slots -> rows for mirror_status
 *
 * Runs in the backend of whoever reads the view; works without shared memory
 * and on a standby.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "extension/catalog.h"
#include "extension/mirror.h"
#include "extension/server.h"
#include "extension/shmem.h"
#include "foreign/foreign.h"
#include "commands/defrem.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "replication/slot.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

PG_FUNCTION_INFO_V1(us_mirror_live);

/* what a slot of the server says; zeros when there is none */
typedef struct Kept
{
	XLogRecPtr	restart_lsn;
	XLogRecPtr	confirmed_lsn;
} Kept;

static const UsSlot *
find_worker(const UsSlot *slots, int count, int64 mirror)
{
	for (int i = 0; i < count; i++)
		if (slots[i].kind == US_SLOT_MIRROR && slots[i].definition == mirror)
			return &slots[i];
	return NULL;
}

static Kept
find_slot(int64 mirror)
{
	char		name[US_MIRROR_NAME_LEN];
	ReplicationSlot *slot;
	Kept		kept = {InvalidXLogRecPtr, InvalidXLogRecPtr};

	us_mirror_slot_name(mirror, name);
	slot = SearchNamedReplicationSlot(name, true);
	if (slot == NULL)
		return kept;
	SpinLockAcquire(&slot->mutex);
	kept.restart_lsn = slot->data.restart_lsn;
	kept.confirmed_lsn = slot->data.confirmed_flush;
	SpinLockRelease(&slot->mutex);
	return kept;
}

static int64
distance(XLogRecPtr from, XLogRecPtr to)
{
	return to > from ? (int64) (to - from) : 0;
}

char *
us_mirror_wal_problem(const UsMirror *mirror)
{
	const int64 mb = 1024 * 1024;
	bool		limited = max_slot_wal_keep_size_mb >= 0;
	XLogRecPtr	restart;

	if (!us_mirror_at_home(mirror) || RecoveryInProgress())
		return NULL;
	restart = find_slot(mirror->id).restart_lsn;
	if (restart == InvalidXLogRecPtr ||
		distance(restart, GetFlushRecPtr(NULL)) <= (limited ? max_slot_wal_keep_size_mb * mb / 2 :
													max_wal_size_mb * mb * 10))
		return NULL;
	return psprintf(limited ?
					"the server keeps more than half of max_slot_wal_keep_size (%d MB) of WAL for it, and beyond that its slot is lost; have it go on, or end it with userstream.drop_mirror(%s)" :
					"the server keeps more than ten times max_wal_size (%d MB) of WAL for it; have it go on, or end it with userstream.drop_mirror(%s)",
					limited ? max_slot_wal_keep_size_mb : max_wal_size_mb,
					quote_literal_cstr(mirror->name));
}

static char *
wanted_hosts(const UsMirror *mirror)
{
	ForeignServer *server = us_mirror_at_home(mirror) ?
		GetForeignServerExtended(mirror->server_oid, FSV_MISSING_OK) : NULL;
	ListCell   *cell;

	if (server == NULL)
		return NULL;
	foreach(cell, server->options)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		if (strcmp(option->defname, "hosts") == 0)
			return defGetString(option);
	}
	return NULL;
}

static UsState
mirror_state(const UsMirror *mirror, const UsSlot *worker, const char *problem, const char *note)
{
	if (problem != NULL)
		return US_STATE_STOPPED;
	if (mirror->paused)
		return US_STATE_PAUSED;
	if (note != NULL || worker == NULL || worker->state == US_STATE_NONE)
		return US_STATE_STARTING;
	return worker->pid == 0 ? Max(worker->state, US_STATE_STARTING) : worker->state;
}

static Datum
text_or_null(const char *text, bool *isnull)
{
	*isnull = text == NULL || text[0] == '\0';
	return *isnull ? (Datum) 0 : CStringGetTextDatum(text);
}

static Datum
time_or_null(TimestampTz time, bool *isnull)
{
	*isnull = time == 0;
	return TimestampTzGetDatum(time);
}

static void
put_lag(Datum *values, bool *nulls, const UsSlot *worker, UsState state, const Kept *kept)
{
	XLogRecPtr	now = RecoveryInProgress() ? InvalidXLogRecPtr : GetFlushRecPtr(NULL);
	bool		running = worker != NULL && worker->pid != 0;
	XLogRecPtr	done = running ? worker->mirror.done_lsn : kept->confirmed_lsn;
	TimestampTz oldest = running ? worker->mirror.oldest_at : 0;

	values[7] = Int64GetDatum(state == US_STATE_CAUGHT_UP ? 0 : distance(done, now));
	nulls[7] = done == InvalidXLogRecPtr || now == InvalidXLogRecPtr;
	values[8] = Float8GetDatum(oldest == 0 ? 0 : Max((GetCurrentTimestamp() - oldest) / 1e6, 0));
	nulls[8] = oldest == 0 && state != US_STATE_CAUGHT_UP;
	values[9] = Int64GetDatum(distance(kept->restart_lsn, now));
	nulls[9] = kept->restart_lsn == InvalidXLogRecPtr || now == InvalidXLogRecPtr;
}

static void
put_mirror(ReturnSetInfo *rsinfo, const UsMirror *mirror, const UsSlot *worker)
{
	char	   *problem = us_mirror_problem(mirror);
	const char *note = us_server_note();
	bool		running = worker != NULL && worker->pid != 0;
	UsState		state = mirror_state(mirror, worker, problem, note);
	Oid			role = us_catalog_owner(mirror->owner, mirror->owner_oid, mirror->home);
	char	   *owner = OidIsValid(role) ? GetUserNameFromId(role, true) : NULL;
	Kept		kept = find_slot(mirror->id);
	Datum		values[16];
	bool		nulls[16] = {false};

	values[0] = Int64GetDatum(mirror->id);
	values[1] = CStringGetTextDatum(owner != NULL ? owner : mirror->owner);
	values[2] = CStringGetTextDatum(us_mirror_target_name(mirror));
	values[3] = CStringGetTextDatum(us_state_name(state));
	values[4] = text_or_null(problem, &nulls[4]);
	values[5] = text_or_null(note, &nulls[5]);
	values[6] = text_or_null(running && worker->mirror.host[0] != '\0' ? worker->mirror.host :
							 wanted_hosts(mirror), &nulls[6]);
	put_lag(values, nulls, worker, state, &kept);
	nulls[10] = nulls[11] = !running;
	values[10] = Float8GetDatum(running ? worker->rows_per_second : 0);
	values[11] = Int32GetDatum(running ? worker->mirror.in_flight : 0);
	nulls[12] = !running || worker->mirror.write_p99_us == 0;
	values[12] = Float8GetDatum(running ? worker->mirror.write_p99_us / 1e6 : 0);
	values[13] = text_or_null(worker != NULL ? worker->last_error : NULL, &nulls[13]);
	values[14] = time_or_null(nulls[13] ? 0 : worker->last_error_at, &nulls[14]);
	values[15] = time_or_null(worker != NULL ? worker->failing_since : 0, &nulls[15]);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

Datum
us_mirror_live(PG_FUNCTION_ARGS)
{
	Oid			reader = GetUserId();
	UsSlot	   *slots = NULL;
	int		   *slotnos;
	int			nslots = 0;
	int			count;
	UsMirror   *mirrors = us_mirrors(&count);

	if (us_shmem_available())
		nslots = us_slot_list(MyDatabaseId, &slots, &slotnos);
	InitMaterializedSRF(fcinfo, 0);
	for (int i = 0; i < count; i++)
		if (us_catalog_sees(reader, us_catalog_owner(mirrors[i].owner, mirrors[i].owner_oid,
													 mirrors[i].home)))
			put_mirror((ReturnSetInfo *) fcinfo->resultinfo, &mirrors[i],
					   find_worker(slots, nslots, mirrors[i].id));
	return (Datum) 0;
}
