/*-------------------------------------------------------------------------
 * worker/mirror_write.c
 *    changed rows -> writes with their timestamps, and which transactions are done
 *
 * Runs in mirror workers, most of it inside the decoding of a transaction:
 * nothing here may read or write a table.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/mirror_table.h"
#include "worker/mirror_write_internal.h"

#define MAX_TRANSACTIONS	4096	/* under way, before changes have to wait */
#define MAX_MOVED			1000	/* rows of one transaction that are read one by one */

int64
us_mirror_epoch_us(TimestampTz time)
{
	return time + ((int64) POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * USECS_PER_DAY;
}

UsMirrorWriter *
us_mirror_writer_create(const UsMirror *mirror, const UsMirrorPlan *plan, UsCassandra *link,
						UsCqlConsistency consistency, void (*report) (void *arg), void *arg)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "mirror writes",
												  ALLOCSET_DEFAULT_SIZES);
	UsMirrorWriter *writer = MemoryContextAllocZero(context, sizeof(UsMirrorWriter));

	writer->context = context;
	writer->moved_context = AllocSetContextCreate(context, "mirror moved rows",
												  ALLOCSET_SMALL_SIZES);
	writer->mirror = mirror;
	writer->plan = plan;
	writer->link = link;
	writer->consistency = consistency;
	writer->report = report;
	writer->report_arg = arg;
	writer->last_timestamp = mirror->last_timestamp;
	writer->look.query = us_mirror_table_id_query(mirror);
	writer->look.query_len = strlen(writer->look.query);
	writer->look.consistency = US_CQL_ONE;
	us_cql_window_init(&writer->window, 0, 0, 0, 0);
	us_cql_writer_init(&writer->buffer, NULL, 0);
	dlist_init(&writer->transactions);
	dlist_init(&writer->waiting);
	dlist_init(&writer->refused);
	writer->parked_keys = us_key_set_create();
	writer->unrepeated = us_key_set_create();
	return writer;
}

/*
 * Transactions
 */

static UsWriterTransaction *
open_transaction(UsMirrorWriter *writer)
{
	UsWriterTransaction *transaction = MemoryContextAllocZero(writer->context,
															  sizeof(UsWriterTransaction));

	dlist_push_tail(&writer->transactions, &transaction->node);
	writer->ntransactions++;
	writer->open = transaction;
	return transaction;
}

static bool
is_done(const UsWriterTransaction *transaction)
{
	return transaction->end_lsn != InvalidXLogRecPtr && transaction->unfinished == 0;
}

static UsWriterTransaction *
first_transaction(const UsMirrorWriter *writer)
{
	return dlist_container(UsWriterTransaction, node, writer->transactions.head.next);
}

static int64
next_timestamp(UsMirrorWriter *writer)
{
	if (!writer->copying)
		writer->last_timestamp = Max(writer->base_timestamp, writer->last_timestamp + 1);
	return writer->last_timestamp;
}

void
us_mirror_begin(UsMirrorWriter *writer, TimestampTz commit_at)
{
	UsWriterTransaction *transaction;

	while (writer->ntransactions >= MAX_TRANSACTIONS && !is_done(first_transaction(writer)))
		us_writer_wait(writer);
	transaction = open_transaction(writer);
	transaction->commit_at = commit_at;
	writer->base_timestamp = us_mirror_epoch_us(commit_at);
	writer->copying = false;
}

void
us_mirror_begin_copy(UsMirrorWriter *writer)
{
	(void) open_transaction(writer);
	writer->last_timestamp = Max(us_mirror_epoch_us(GetCurrentTimestamp()),
								 writer->last_timestamp + 1);
	writer->copying = true;
}

void
us_mirror_begin_refill(UsMirrorWriter *writer)
{
	(void) next_timestamp(writer);
	writer->copying = true;
}

static void
add_write(UsMirrorWriter *writer, bool delete)
{
	size_t		len = writer->buffer.len;
	UsWrite	   *write = MemoryContextAlloc(writer->context, offsetof(UsWrite, values) + len);

	memset(write, 0, offsetof(UsWrite, values));
	memcpy(write->values, writer->buffer.data, len);
	write->delete = delete;
	write->transaction = writer->open;
	write->request.values = write->values;
	write->request.values_len = len;
	write->request.nvalues = (uint16_t) (delete ? writer->plan->nkeys : writer->plan->ncolumns);
	write->request.consistency = writer->consistency;
	write->request.has_timestamp = true;
	write->request.timestamp_us = next_timestamp(writer);
	write->request.tag = write;
	write->rows_done = writer->rows_done;
	writer->open->unfinished++;
	writer->unfinished++;
	us_writer_add(writer, write);
}

void
us_writer_park(UsMirrorWriter *writer, UsWriterTransaction *transaction, const char *key,
			   const char *value, const char *error, const char *column)
{
	if (transaction->parked == NULL)
		transaction->parked = us_parked_create(writer->context, transaction->commit_at);
	us_parked_add(transaction->parked, key, value, error, column);
	if (value != NULL)
		us_key_set_add(writer->parked_keys, key, strlen(key));
}

/* the same whichever statement it is of, so that it can be found again */
static char *
key_json(UsMirrorWriter *writer, const UsMirrorShape *shape, const UsMirrorRow *row)
{
	us_cql_writer_reset(&writer->buffer);
	if (us_mirror_key_put(writer->plan, shape, row, &writer->buffer) >= 0)
		return us_mirror_row_json(writer->plan, shape, row->new, true);
	return us_mirror_values_json(writer->plan, true, writer->buffer.data, writer->buffer.len,
								 true);
}

static void
park_row(UsMirrorWriter *writer, const UsMirrorShape *shape, const UsMirrorRow *row, bool delete,
		 int wrong)
{
	const UsMirrorColumn *column = &writer->plan->columns[wrong];
	const char *why = writer->buffer.why != NULL ? writer->buffer.why :
		us_cql_status_text(writer->buffer.status);
	UsCqlWriter type;
	char	   *error;

	us_cql_writer_init(&type, NULL, 0);
	us_cql_put_type_name(&type, column->cql);
	error = psprintf("the value of column \"%s\" cannot be a %.*s in Cassandra: %s", column->name,
					 (int) type.len, (const char *) type.data, why);
	us_cql_writer_free(&type);
	(void) next_timestamp(writer);
	us_writer_park(writer, writer->open, key_json(writer, shape, row),
				   delete ? NULL : us_mirror_row_json(writer->plan, shape, row->new, false),
				   error, column->name);
}

void
us_mirror_delete(UsMirrorWriter *writer, const UsMirrorShape *shape,
				 const LogicalRepTupleData *old)
{
	UsMirrorRow row = {US_ROW_UPDATED, old, NULL, false};
	int			wrong;

	us_mirror_make_room(writer);
	us_cql_writer_reset(&writer->buffer);
	wrong = us_mirror_key_put(writer->plan, shape, &row, &writer->buffer);
	if (wrong >= 0)
		park_row(writer, shape, &row, true, wrong);
	else
		add_write(writer, true);
}

/* whether the key is another one than before; what goes then is the row of the old one */
static bool
is_moved(UsMirrorWriter *writer, const UsMirrorShape *shape, const UsMirrorRow *row)
{
	UsMirrorRow before = {US_ROW_UPDATED, row->old, NULL, false};
	UsCqlWriter *buffer = &writer->buffer;
	size_t		len;

	us_cql_writer_reset(buffer);
	/* no row can be there by a key that Cassandra cannot have */
	if (us_mirror_key_put(writer->plan, shape, &before, buffer) >= 0)
		return true;
	len = buffer->len;
	if (us_mirror_key_put(writer->plan, shape, row, buffer) >= 0 ||
		buffer->len != 2 * len || memcmp(buffer->data, buffer->data + len, len) != 0)
	{
		us_mirror_delete(writer, shape, row->old);
		return true;
	}
	return false;
}

/*
 * The row is in Cassandra by its new key now, without the values that the
 * change did not repeat.  Here no table can be read, so it is noted, and read
 * at the end of its transaction.
 */
static void
note_moved(UsMirrorWriter *writer, const UsMirrorShape *shape, const UsMirrorRow *row)
{
	UsMirrorMoved *moved = &writer->moved;
	MemoryContext old;

	if (moved->many)
		return;
	if (list_length(moved->keys) == MAX_MOVED)
	{
		moved->many = true;
		moved->keys = NIL;
		MemoryContextReset(writer->moved_context);
		return;
	}
	old = MemoryContextSwitchTo(writer->moved_context);
	moved->keys = lappend(moved->keys, us_mirror_key_texts(writer->plan, shape, row));
	MemoryContextSwitchTo(old);
}

/*
 * The change in the buffer relies on what Cassandra has of its row: whether
 * that may be not what the table had.
 */
static bool
was_parked(UsMirrorWriter *writer)
{
	char	   *key = us_mirror_values_json(writer->plan, false, writer->buffer.data,
											writer->buffer.len, true);
	int			len = strlen(key);
	bool		parked = us_key_set_may_have(writer->parked_keys, key, len);

	if (!parked)
		us_key_set_add(writer->unrepeated, key, len);
	pfree(key);
	return parked;
}

void
us_mirror_upsert(UsMirrorWriter *writer, const UsMirrorShape *shape,
				 const LogicalRepTupleData *new, const LogicalRepTupleData *old, bool whole,
				 bool update)
{
	UsMirrorRow row = {update ? US_ROW_UPDATED : US_ROW_NEW, new, old, whole};
	bool		missing;
	int			wrong;

	us_mirror_make_room(writer);
	if (old != NULL && is_moved(writer, shape, &row))
		row.change = US_ROW_MOVED;
	us_cql_writer_reset(&writer->buffer);
	wrong = us_mirror_row_put(writer->plan, shape, &row, &writer->buffer, &missing);
	if (wrong >= 0)
	{
		park_row(writer, shape, &row, false, wrong);
		return;
	}
	add_write(writer, false);
	if (missing && (row.change != US_ROW_UPDATED || was_parked(writer)))
		note_moved(writer, shape, &row);
}

const UsMirrorMoved *
us_mirror_moved(const UsMirrorWriter *writer)
{
	return writer->moved.many || writer->moved.keys != NIL ? &writer->moved : NULL;
}

UsKeySet *
us_mirror_parked_keys(UsMirrorWriter *writer)
{
	return writer->parked_keys;
}

bool
us_mirror_must_reread(UsMirrorWriter *writer)
{
	bool		reread = writer->reread;

	writer->reread = false;
	if (reread)
		us_key_set_clear(writer->unrepeated);
	return reread;
}

/*
 * It has no timestamp: what is before it must be done, and nothing after it
 * may be under way.
 */
void
us_mirror_truncate(UsMirrorWriter *writer)
{
	UsCqlRequest request = {.consistency = writer->consistency};
	char	   *text = psprintf("TRUNCATE %s", writer->plan->table);

	us_mirror_drain(writer);
	request.query = text;
	request.query_len = strlen(text);
	writer->truncated = false;
	while (!writer->truncated)
	{
		UsCqlConn  *conn = us_cassandra_conn(writer->link);

		if (conn != NULL && !writer->truncating && writer->pause_until_ms <= us_cassandra_now())
			writer->truncating = us_cql_conn_send(conn, &request, us_cassandra_now()) == US_CQL_OK;
		us_writer_wait(writer);
	}
	pfree(text);
}

void
us_mirror_commit(UsMirrorWriter *writer, XLogRecPtr end_lsn)
{
	writer->open->end_lsn = end_lsn;
	writer->open->last_timestamp = writer->last_timestamp;
	writer->open = NULL;
	writer->copying = false;
	memset(&writer->moved, 0, sizeof(writer->moved));
	MemoryContextReset(writer->moved_context);
}

bool
us_mirror_writer_idle(const UsMirrorWriter *writer)
{
	return dlist_is_empty(unconstify(dlist_head *, &writer->transactions));
}

bool
us_mirror_done(UsMirrorWriter *writer, UsMirrorProgress *progress)
{
	bool		any = false;

	memset(progress, 0, sizeof(*progress));
	while (!dlist_is_empty(&writer->transactions) && is_done(first_transaction(writer)))
	{
		UsWriterTransaction *first = first_transaction(writer);

		progress->lsn = first->end_lsn;
		progress->last_timestamp = first->last_timestamp;
		progress->rows += first->rows;
		progress->deletes += first->deletes;
		if (first->parked != NULL)
			progress->parked = lappend(progress->parked, first->parked);
		dlist_delete(&first->node);
		writer->ntransactions--;
		pfree(first);
		any = true;
	}
	if (writer->unfinished == 0 && !us_key_set_is_empty(writer->unrepeated))
		us_key_set_clear(writer->unrepeated);
	return any;
}

static int
compare_int(const void *a, const void *b)
{
	int			left = *(const int *) a;
	int			right = *(const int *) b;

	return left < right ? -1 : left > right;
}

void
us_mirror_writer_live(const UsMirrorWriter *writer, UsMirrorLive *live)
{
	int			sorted[US_WRITER_LATENCIES];
	const char *host = us_cassandra_host(writer->link);

	memset(live, 0, sizeof(*live));
	live->in_flight = writer->window.in_flight;
	if (host != NULL)
		strlcpy(live->host, host, sizeof(live->host));
	if (!us_mirror_writer_idle(writer))
		live->oldest_at = first_transaction(writer)->commit_at;
	if (writer->nlatencies > 0)
	{
		memcpy(sorted, writer->latency_us, sizeof(int) * writer->nlatencies);
		qsort(sorted, writer->nlatencies, sizeof(int), compare_int);
		/* the smallest that 99 of 100 do not exceed */
		live->write_p99_us = sorted[(writer->nlatencies * 99 + 99) / 100 - 1];
	}
}

const char *
us_mirror_writer_error(const UsMirrorWriter *writer)
{
	return writer->failing ? writer->error : NULL;
}

uint64
us_mirror_writer_rows(const UsMirrorWriter *writer)
{
	return writer->rows_done;
}
