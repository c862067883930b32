/*-------------------------------------------------------------------------
 * worker/changes.c
 *    a table's committed changes, read from the WAL in this process
 *
 * Runs in mirror workers.  What a walsender does for a subscriber, without
 * the connection: pgoutput writes each message into the context's buffer,
 * and the server's own logicalrep_read_* take it from there.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/xlog.h"
#include "access/xlogreader.h"
#include "access/xlogutils.h"
#include "catalog/partition.h"
#include "extension/compat.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "replication/decode.h"
#include "replication/logical.h"
#include "replication/slot.h"
#include "replication/snapbuild.h"
#include "storage/proc.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "worker/changes.h"

#define PLUGIN		"pgoutput"

struct UsChanges
{
	LogicalDecodingContext *decoding;
	const UsChangeHandler *handler;
	MemoryContext message;		/* of one message */
	MemoryContext round;		/* of one call of us_changes_read */
	LogicalDecodeTruncateCB plugin_truncate;
	bool		paused;
};

static void
prepare_write(LogicalDecodingContext *decoding, XLogRecPtr lsn, TransactionId xid, bool last)
{
	(void) lsn;
	(void) xid;
	(void) last;

	resetStringInfo(decoding->out);
}

/* the message: relation, then 'O' (old row), 'K' (its key) or 'N' (new row) */
static void
give_change(const UsChangeHandler *handler, char kind, StringInfo message)
{
	LogicalRepTupleData old;
	LogicalRepTupleData new;
	bool		has_old = true;
	bool		whole = message->data[message->cursor + sizeof(Oid)] == 'O';
	Oid			relid;

	switch (kind)
	{
		case LOGICAL_REP_MSG_INSERT:
			relid = logicalrep_read_insert(message, &new);
			handler->change(handler->arg, kind, relid, NULL, false, &new);
			break;
		case LOGICAL_REP_MSG_UPDATE:
			relid = logicalrep_read_update(message, &has_old, &old, &new);
			handler->change(handler->arg, kind, relid, has_old ? &old : NULL, whole,
							&new);
			break;
		default:
			relid = logicalrep_read_delete(message, &old);
			handler->change(handler->arg, kind, relid, &old, whole, NULL);
	}
}

/* one message of pgoutput; types and messages of users are of no interest */
static void
give_message(const UsChangeHandler *handler, StringInfo message)
{
	char		kind = pq_getmsgbyte(message);
	LogicalRepBeginData begin;
	LogicalRepCommitData commit;
	bool		cascade;
	bool		restart;

	switch (kind)
	{
		case LOGICAL_REP_MSG_BEGIN:
			logicalrep_read_begin(message, &begin);
			handler->begin(handler->arg, &begin);
			break;
		case LOGICAL_REP_MSG_RELATION:
			handler->relation(handler->arg, logicalrep_read_rel(message));
			break;
		case LOGICAL_REP_MSG_INSERT:
		case LOGICAL_REP_MSG_UPDATE:
		case LOGICAL_REP_MSG_DELETE:
			give_change(handler, kind, message);
			break;
		case LOGICAL_REP_MSG_TRUNCATE:
			handler->truncate(handler->arg, logicalrep_read_truncate(message, &cascade, &restart));
			break;
		case LOGICAL_REP_MSG_COMMIT:
			logicalrep_read_commit(message, &commit);
			handler->commit(handler->arg, &commit);
			break;
		default:
			break;
	}
}

static void
write_message(LogicalDecodingContext *decoding, XLogRecPtr lsn, TransactionId xid, bool last)
{
	UsChanges  *changes = decoding->output_writer_private;
	MemoryContext old = MemoryContextSwitchTo(changes->message);
	StringInfoData message = {decoding->out->data, decoding->out->len, decoding->out->maxlen, 0};

	(void) lsn;
	(void) xid;
	(void) last;

	give_message(changes->handler, &message);
	MemoryContextSwitchTo(old);
	MemoryContextReset(changes->message);
}

static bool
is_among(Relation relations[], int nrelations, List *relids)
{
	for (int i = 0; i < nrelations; i++)
		if (list_member_oid(relids, RelationGetRelid(relations[i])))
			return true;
	return false;
}

/* between the server and its plugin */
static void
truncate_tables(LogicalDecodingContext *decoding, ReorderBufferTXN *txn, int nrelations,
				Relation relations[], ReorderBufferChange *change)
{
	UsChanges  *changes = decoding->output_writer_private;
	MemoryContext old = MemoryContextSwitchTo(changes->message);

	for (int i = 0; i < nrelations; i++)
	{
		List	   *ancestors;

		if (!relations[i]->rd_rel->relispartition)
			continue;
		ancestors = get_partition_ancestors(RelationGetRelid(relations[i]));
		if (!is_among(relations, nrelations, ancestors))
			changes->handler->truncate_partition(changes->handler->arg,
												 RelationGetRelationName(relations[i]), ancestors);
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(changes->message);
	changes->plugin_truncate(decoding, txn, nrelations, relations, change);
}

XLogRecPtr
us_changes_create_slot(const char *name, bool snapshot)
{
	LogicalDecodingContext *decoding;
	XLogRecPtr	start;

	us_replication_slot_create(name);
	decoding = CreateInitDecodingContext(PLUGIN, NIL, snapshot, InvalidXLogRecPtr,
										 XL_ROUTINE(.page_read = read_local_xlog_page,
													.segment_open = wal_segment_open,
													.segment_close = wal_segment_close),
										 NULL, NULL, NULL);
	DecodingContextFindStartpoint(decoding);
	start = MyReplicationSlot->data.confirmed_flush;
	if (snapshot)
	{
		/* a snapshot of the catalogs would hold an xmin, which the other refuses */
		InvalidateCatalogSnapshot();
		RestoreTransactionSnapshot(SnapBuildInitialSnapshot(decoding->snapshot_builder), MyProc);
	}
	FreeDecodingContext(decoding);
	return start;
}

void
us_changes_keep_slot(void)
{
	ReplicationSlotPersist();
	ReplicationSlotRelease();
}

const char *
us_changes_slot_problem(const char *slot, XLogRecPtr start)
{
	ReplicationSlot *found = SearchNamedReplicationSlot(slot, true);
	XLogRecPtr	restart;
	XLogRecPtr	confirmed;

	if (found == NULL)
		return "its replication slot is gone, and the changes since with it";
	SpinLockAcquire(&found->mutex);
	restart = found->data.restart_lsn;
	confirmed = found->data.confirmed_flush;
	SpinLockRelease(&found->mutex);
	if (restart == InvalidXLogRecPtr)
		return "its replication slot was invalidated: the WAL it needed grew past max_slot_wal_keep_size and was removed";
	if (confirmed > start)
		return "its replication slot is ahead of the saved position, so changes between them were forgotten";
	return NULL;
}

/*
 * A decoding context that is made outside a transaction marks its process as one
 * that never writes: snapshots leave out its transactions, and readers take what
 * they see of one under way for aborted, for good.  We save positions.
 */
static void
take_part_in_snapshots(void)
{
	LWLockAcquire(ProcArrayLock, LW_EXCLUSIVE);
	MyProc->statusFlags &= ~PROC_IN_LOGICAL_DECODING;
	ProcGlobal->statusFlags[MyProc->pgxactoff] = MyProc->statusFlags;
	LWLockRelease(ProcArrayLock);
}

UsChanges *
us_changes_open(const char *slot, const char *publication, XLogRecPtr start,
				const UsChangeHandler *handler)
{
	UsChanges  *changes = palloc0(sizeof(UsChanges));
	List	   *options = list_make3(makeDefElem("proto_version", (Node *) makeString("1"), -1),
									 makeDefElem("publication_names",
												 (Node *) makeString(pstrdup(publication)), -1),
									 makeDefElem("binary", (Node *) makeString("true"), -1));

	changes->handler = handler;
	changes->message = AllocSetContextCreate(CurrentMemoryContext, "mirror message",
											 ALLOCSET_DEFAULT_SIZES);
	changes->round = AllocSetContextCreate(CurrentMemoryContext, "mirror records",
										   ALLOCSET_DEFAULT_SIZES);
	us_replication_slot_acquire(slot);
	changes->decoding = CreateDecodingContext(start, options, false,
											  XL_ROUTINE(.page_read = read_local_xlog_page,
														 .segment_open = wal_segment_open,
														 .segment_close = wal_segment_close),
											  prepare_write, write_message, NULL);
	take_part_in_snapshots();
	changes->decoding->output_writer_private = changes;
	changes->plugin_truncate = changes->decoding->callbacks.truncate_cb;
	changes->decoding->callbacks.truncate_cb = truncate_tables;
	XLogBeginRead(changes->decoding->reader, MyReplicationSlot->data.restart_lsn);
	return changes;
}

bool
us_changes_read(UsChanges *changes, int max_records)
{
	XLogReaderState *reader = changes->decoding->reader;
	XLogRecPtr	end = GetFlushRecPtr(NULL);
	MemoryContext old = MemoryContextSwitchTo(changes->round);

	changes->paused = false;
	while (max_records-- > 0 && !changes->paused && reader->EndRecPtr < end)
	{
		char	   *error;
		XLogRecord *record;

		/* large records are the reader's own for longer than a round */
		MemoryContextSwitchTo(changes->decoding->context);
		record = XLogReadRecord(reader, &error);
		MemoryContextSwitchTo(changes->round);
		if (error != NULL)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read WAL at %X/%X: %s",
							LSN_FORMAT_ARGS(reader->EndRecPtr), error)));
		if (record != NULL)
			LogicalDecodingProcessRecord(changes->decoding, reader);
		/* a transaction that was decoded ended another one, and with it left our context */
		MemoryContextSwitchTo(changes->round);
		CHECK_FOR_INTERRUPTS();
	}
	MemoryContextSwitchTo(old);
	MemoryContextReset(changes->round);
	return reader->EndRecPtr < end;
}

void
us_changes_pause(UsChanges *changes)
{
	changes->paused = true;
}

XLogRecPtr
us_changes_read_up_to(const UsChanges *changes)
{
	return changes->decoding->reader->EndRecPtr;
}

uint64
us_changes_kept(const UsChanges *changes)
{
	const ReplicationSlot *slot = MyReplicationSlot;
	XLogRecPtr	read_up_to = us_changes_read_up_to(changes);

	/* set by this process alone, as it decodes */
	if (slot->candidate_restart_valid == InvalidXLogRecPtr ||
		slot->candidate_restart_valid > read_up_to || slot->data.restart_lsn >= read_up_to)
		return 0;
	return read_up_to - slot->data.restart_lsn;
}

void
us_changes_confirm(XLogRecPtr lsn)
{
	LogicalConfirmReceivedLocation(lsn);
}
