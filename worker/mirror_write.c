/*-------------------------------------------------------------------------
 * worker/mirror_write.c
 *    changed rows -> writes in flight to Cassandra, and what is done of them
 *
 * Runs in mirror workers, most of it inside the decoding of a transaction:
 * nothing here may read or write a table.  When what Cassandra knows of the
 * table is not what it was at the start, the process ends and its successor
 * looks anew; all that is not saved yet is read again then.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/compat.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/cql/window.h"
#include "worker/mirror_write.h"

#define MAX_WAITING			2048	/* writes that wait to be sent, before changes have to */
#define MAX_WAITING_BYTES	(8 * 1024 * 1024)
#define MAX_ROW_BYTES		(16 * 1024 * 1024 - 4096)	/* native_transport_max_frame_size */
#define MAX_FAILURES		5	/* of one row while others are taken, before it is its own fault */
#define MAX_PARKED			100000	/* rows kept in memory for one transaction */
#define PAUSE_FIRST_MS		100
#define PAUSE_MAX_MS		10000
#define LATENCIES			1000	/* writes that the percentile is of */
#define TURN_MS				1000	/* a longest wait, so that a stop is seen */

/* a transaction under way */
typedef struct Transaction
{
	dlist_node	node;
	TimestampTz commit_at;
	XLogRecPtr	end_lsn;		/* invalid until its commit was read */
	int64		last_timestamp; /* of its last change, then */
	int64		unfinished;		/* writes without a good end */
	int64		rows;
	int64		deletes;
	List	   *parked;
} Transaction;

typedef struct Write
{
	dlist_node	node;			/* in waiting or refused, while it is there */
	UsCqlRequest request;
	Transaction *transaction;
	bool		delete;
	int			failures;		/* at Cassandra itself, while others were taken */
	uint64		rows_done;		/* of the writer, when it was queued or failed last */
	uint64		number;			/* in the window */
	int64		sent_us;
	char	   *error;			/* why it was refused */
	uint8_t		values[FLEXIBLE_ARRAY_MEMBER];
} Write;

struct UsMirrorWriter
{
	MemoryContext context;
	const UsMirror *mirror;
	const UsMirrorPlan *plan;
	UsCassandra *link;
	UsCqlConsistency consistency;
	void		(*report) (void *arg);	/* called while a change waits */
	void	   *report_arg;

	/* of the connection; NULL = not prepared on it yet */
	UsCqlStatement *insert;
	UsCqlStatement *delete;
	UsCqlStatement *check;		/* prepared anew because rows were refused */
	UsCqlWindow window;

	dlist_head	transactions;	/* in commit order */
	Transaction *open;
	int64		last_timestamp;
	int64		base_timestamp; /* of the open transaction */
	bool		copying;

	dlist_head	waiting;
	int64		nwaiting;
	size_t		waiting_bytes;
	int64		unfinished;		/* all writes under way, waiting or refused */
	dlist_head	refused;		/* to be parked, once it is sure that only they are wrong */
	UsCqlWriter buffer;

	bool		truncating;		/* a TRUNCATE is under way ... */
	bool		truncated;		/* ... and was done */

	int64		pause_until_ms;
	int64		pause_ms;
	bool		failing;
	char		error[300];
	uint64		rows_done;
	int			latency_us[LATENCIES];
	int			nlatencies;
	int			next_latency;
};

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
	writer->mirror = mirror;
	writer->plan = plan;
	writer->link = link;
	writer->consistency = consistency;
	writer->report = report;
	writer->report_arg = arg;
	writer->last_timestamp = mirror->last_timestamp;
	us_cql_window_init(&writer->window, 0, 0, 0, 0);
	us_cql_writer_init(&writer->buffer, NULL, 0);
	dlist_init(&writer->transactions);
	dlist_init(&writer->waiting);
	dlist_init(&writer->refused);
	return writer;
}

pg_noreturn static void start_anew(const UsMirrorWriter *writer, const char *why);

static void
start_anew(const UsMirrorWriter *writer, const char *why)
{
	ereport(LOG,
			(errmsg("mirror \"%s\" starts anew: %s", writer->mirror->name, why)));
	proc_exit(1);
}

static void
note_failing(UsMirrorWriter *writer, const char *error)
{
	if (!writer->failing)
		ereport(LOG,
				(errmsg("mirror \"%s\" is waiting: %s", writer->mirror->name, error)));
	writer->failing = true;
	strlcpy(writer->error, error, sizeof(writer->error));
	us_slot_report_error(US_STATE_WAITING, error);
}

static void
note_good(UsMirrorWriter *writer)
{
	writer->pause_ms = 0;
	writer->pause_until_ms = 0;
	us_cassandra_succeeded(writer->link);
	if (!writer->failing)
		return;
	writer->failing = false;
	us_slot_report_recovered();
	ereport(LOG,
			(errmsg("mirror \"%s\" goes on", writer->mirror->name)));
}

/* nothing is sent for a while, twice as long each time in a row */
static void
pause_writes(UsMirrorWriter *writer)
{
	int64		now = us_cassandra_now();

	if (writer->pause_until_ms > now)
		return;
	writer->pause_ms = writer->pause_ms == 0 ? PAUSE_FIRST_MS :
		Min(writer->pause_ms * 2, PAUSE_MAX_MS);
	writer->pause_until_ms = now + writer->pause_ms;
}

/*
 * Queue
 */

static void
enqueue(UsMirrorWriter *writer, Write *write, bool first)
{
	if (first)
		dlist_push_head(&writer->waiting, &write->node);
	else
		dlist_push_tail(&writer->waiting, &write->node);
	writer->nwaiting++;
	writer->waiting_bytes += write->request.values_len;
}

static void
finish(UsMirrorWriter *writer, Write *write)
{
	write->transaction->unfinished--;
	writer->unfinished--;
	if (write->error != NULL)
		pfree(write->error);
	pfree(write);
}

/* a row that will never be taken, kept with its transaction until that is done */
static void
park(UsMirrorWriter *writer, Transaction *transaction, char *key, char *value, const char *error)
{
	MemoryContext old = MemoryContextSwitchTo(writer->context);
	UsParkedRow *row = palloc(sizeof(UsParkedRow));

	row->key = pstrdup(key);
	row->value = value != NULL ? pstrdup(value) : NULL;
	row->error = pstrdup(error);
	row->changed_at = transaction->commit_at;
	transaction->parked = lappend(transaction->parked, row);
	MemoryContextSwitchTo(old);
	if (list_length(transaction->parked) > MAX_PARKED)
		ereport(FATAL,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d rows of one transaction were refused", MAX_PARKED),
				 errdetail("The last reason: %s", error)));
}

static void
park_write(UsMirrorWriter *writer, Write *write, const char *error)
{
	const uint8_t *values = write->request.values;
	size_t		len = write->request.values_len;
	char	   *key = us_mirror_values_json(writer->plan, write->delete, values, len, true);
	char	   *value = write->delete ? NULL :
		us_mirror_values_json(writer->plan, false, values, len, false);

	park(writer, write->transaction, key, value, error);
	pfree(key);
	if (value != NULL)
		pfree(value);
	finish(writer, write);
}

/*
 * Events
 */

static void
prepare(UsMirrorWriter *writer, const char *text, UsCqlStatement **statement)
{
	UsCqlConn  *conn = us_cassandra_conn(writer->link);

	if (conn == NULL ||
		us_cql_conn_prepare(conn, text, strlen(text), statement, us_cassandra_now(), statement)
		!= US_CQL_OK)
		*statement = NULL;
}

/* all that were refused before the check: the statement is right, so they are wrong */
static void
park_refused(UsMirrorWriter *writer)
{
	while (!dlist_is_empty(&writer->refused))
	{
		Write	   *write = dlist_container(Write, node, dlist_pop_head_node(&writer->refused));

		park_write(writer, write, write->error);
	}
}

static void
take_prepared(UsMirrorWriter *writer, const UsCqlEvent *event)
{
	UsCqlStatement *statement = event->statement;
	const UsCqlResponse *response = event->response;

	if (response->opcode == US_CQL_ERROR)
	{
		char	   *text = pnstrdup((const char *) response->error.message.data,
									response->error.message.len);

		if (us_cql_error_remedy(response->error.code) == US_CQL_REMEDY_REFUSED)
			start_anew(writer, text);
		us_cassandra_refuse(writer->link, text,
							us_cql_error_remedy(response->error.code) == US_CQL_REMEDY_RIGHTS);
		return;
	}
	if (statement != writer->delete &&
		!us_mirror_plan_has_types(writer->plan, &statement->markers))
		start_anew(writer, "the table in Cassandra has changed");
	if (statement == writer->check)
	{
		writer->check = NULL;
		(void) us_cql_conn_forget(us_cassandra_conn(writer->link), statement);
		park_refused(writer);
	}
}

static void
take_failure(UsMirrorWriter *writer)
{
	writer->insert = NULL;
	writer->delete = NULL;
	writer->check = NULL;
}

static void
keep_latency(UsMirrorWriter *writer, int64 sent_us)
{
	int64		took = GetCurrentTimestamp() - sent_us;

	writer->latency_us[writer->next_latency] = (int) Min(Max(took, 0), PG_INT32_MAX);
	writer->next_latency = (writer->next_latency + 1) % LATENCIES;
	writer->nlatencies = Min(writer->nlatencies + 1, LATENCIES);
}

static void
end_write(UsMirrorWriter *writer, Write *write)
{
	keep_latency(writer, write->sent_us);
	if (write->delete)
		write->transaction->deletes++;
	else
		write->transaction->rows++;
	writer->rows_done++;
	note_good(writer);
	finish(writer, write);
}

static char *
error_text(const UsCqlError *error)
{
	return psprintf("%s: %.*s", us_cql_error_name(error->code), (int) error->message.len,
					(const char *) error->message.data);
}

static void
refuse_write(UsMirrorWriter *writer, Write *write, const char *text)
{
	if (write->error == NULL)
		write->error = MemoryContextStrdup(writer->context, text);
	dlist_push_tail(&writer->refused, &write->node);
}

/*
 * A failure inside Cassandra may be the row's fault or the node's.  When other
 * rows are taken meanwhile, again and again, it is the row's; when none is,
 * all of them wait.
 */
static bool
is_row_at_fault(UsMirrorWriter *writer, Write *write, const UsCqlError *error)
{
	if (error->code != US_CQL_ERR_SERVER && error->code != US_CQL_ERR_WRITE_FAILURE)
		return false;
	if (write->rows_done != writer->rows_done)
		write->failures++;
	write->rows_done = writer->rows_done;
	return write->failures >= MAX_FAILURES;
}

static void
take_error(UsMirrorWriter *writer, Write *write, const UsCqlError *error)
{
	char	   *text = error_text(error);
	UsCqlRemedy remedy = us_cql_error_remedy(error->code);

	us_cql_window_answered(&writer->window, write->number, write->request.values_len,
						   remedy == US_CQL_REMEDY_SLOWER ? US_CQL_OUTCOME_SLOWER :
						   US_CQL_OUTCOME_OTHER);
	if (remedy == US_CQL_REMEDY_REFUSED ||
		is_row_at_fault(writer, write, error))
	{
		refuse_write(writer, write, text);
		pfree(text);
		return;
	}
	enqueue(writer, write, true);
	note_failing(writer, text);
	pause_writes(writer);
	if (remedy == US_CQL_REMEDY_OTHER_HOST || remedy == US_CQL_REMEDY_RECONNECT ||
		remedy == US_CQL_REMEDY_CREDENTIALS || remedy == US_CQL_REMEDY_RIGHTS)
		us_cassandra_refuse(writer->link, text, remedy == US_CQL_REMEDY_CREDENTIALS ||
							remedy == US_CQL_REMEDY_RIGHTS);
	pfree(text);
}

static void
take_truncated(UsMirrorWriter *writer, const UsCqlEvent *event)
{
	writer->truncating = false;
	if (event->kind == US_CQL_EVENT_ANSWER && event->response->opcode != US_CQL_ERROR)
	{
		note_good(writer);
		writer->truncated = true;
		return;
	}
	if (event->kind == US_CQL_EVENT_ANSWER)
	{
		char	   *text = error_text(&event->response->error);

		if (us_cql_error_remedy(event->response->error.code) == US_CQL_REMEDY_REFUSED)
			start_anew(writer, text);
		note_failing(writer, text);
		pfree(text);
	}
	pause_writes(writer);
}

static void
take_end(UsMirrorWriter *writer, const UsCqlEvent *event)
{
	Write	   *write = event->request->tag;

	if (write == NULL)
	{
		take_truncated(writer, event);
		return;
	}
	switch (event->kind)
	{
		case US_CQL_EVENT_ANSWER:
			if (event->response->opcode == US_CQL_ERROR)
			{
				take_error(writer, write, &event->response->error);
				return;
			}
			us_cql_window_answered(&writer->window, write->number, write->request.values_len,
								   US_CQL_OUTCOME_GOOD);
			end_write(writer, write);
			return;
		case US_CQL_EVENT_TIMEOUT:
			us_cql_window_answered(&writer->window, write->number, write->request.values_len,
								   US_CQL_OUTCOME_SLOWER);
			note_failing(writer, "no answer in time");
			pause_writes(writer);
			enqueue(writer, write, true);
			return;
		case US_CQL_EVENT_STALE:
			start_anew(writer, "the table in Cassandra has changed");
			break;
		default:
			us_cql_window_answered(&writer->window, write->number, write->request.values_len,
								   US_CQL_OUTCOME_OTHER);
			enqueue(writer, write, true);
	}
}

static void
take_events(UsMirrorWriter *writer)
{
	UsCqlEvent	event;

	while (us_cassandra_next(writer->link, &event))
	{
		switch (event.kind)
		{
			case US_CQL_EVENT_PREPARED:
				take_prepared(writer, &event);
				break;
			case US_CQL_EVENT_FAILED:
				take_failure(writer);
				break;
			case US_CQL_EVENT_ANSWER:
			case US_CQL_EVENT_STALE:
			case US_CQL_EVENT_LOST:
				take_end(writer, &event);
				break;
			case US_CQL_EVENT_TIMEOUT:
				if (event.request != NULL)
					take_end(writer, &event);
				else
					us_cassandra_refuse(writer->link, "a statement was not prepared in time", false);
				break;
			default:
				break;
		}
	}
}

/*
 * Sending
 */

static bool
send_one(UsMirrorWriter *writer, UsCqlConn *conn, Write *write, int64 now_ms, TimestampTz now)
{
	UsCqlStatement *statement = write->delete ? writer->delete : writer->insert;

	if (statement == NULL || !statement->prepared ||
		!us_cql_window_open(&writer->window, write->request.values_len))
		return false;
	write->request.statement = statement;
	if (us_cql_conn_send(conn, &write->request, now_ms) != US_CQL_OK)
		return false;
	write->sent_us = now;
	write->number = us_cql_window_sent(&writer->window, write->request.values_len);
	dlist_delete(&write->node);
	writer->nwaiting--;
	writer->waiting_bytes -= write->request.values_len;
	return true;
}

static void
send_writes(UsMirrorWriter *writer)
{
	UsCqlConn  *conn = us_cassandra_conn(writer->link);
	int64		now_ms;
	TimestampTz now;

	if (conn == NULL)
		return;
	if (writer->insert == NULL)
		prepare(writer, writer->plan->insert, &writer->insert);
	if (writer->delete == NULL)
		prepare(writer, writer->plan->delete, &writer->delete);
	if (!dlist_is_empty(&writer->refused) && writer->check == NULL)
		prepare(writer, writer->plan->insert, &writer->check);
	if (dlist_is_empty(&writer->waiting))
		return;
	now_ms = us_cassandra_now();
	now = GetCurrentTimestamp();
	if (writer->pause_until_ms > now_ms)
		return;
	while (!dlist_is_empty(&writer->waiting))
		if (!send_one(writer, conn, dlist_head_element(Write, node, &writer->waiting), now_ms, now))
			return;
}

static void
note_connection(UsMirrorWriter *writer)
{
	const char *error = us_cassandra_error(writer->link);

	if (us_cassandra_host(writer->link) == NULL && error[0] != '\0' &&
		strcmp(error, writer->error) != 0)
		note_failing(writer, error);
}

void
us_mirror_turn(UsMirrorWriter *writer, long timeout_ms)
{
	take_events(writer);
	send_writes(writer);
	note_connection(writer);
	if (writer->pause_until_ms > 0)
		timeout_ms = Min(timeout_ms, Max(writer->pause_until_ms - us_cassandra_now(), 0));
	us_cassandra_wait(writer->link, timeout_ms);
	take_events(writer);
}

/* while a change waits for Cassandra, inside the decoding of its transaction */
static void
wait_inside(UsMirrorWriter *writer)
{
	CHECK_FOR_INTERRUPTS();
	if (us_slot_stop_requested())
		proc_exit(0);
	us_mirror_turn(writer, TURN_MS);
	writer->report(writer->report_arg);
}

void
us_mirror_drain(UsMirrorWriter *writer)
{
	while (writer->unfinished > 0)
		wait_inside(writer);
}

static void
make_room(UsMirrorWriter *writer)
{
	while (writer->nwaiting >= MAX_WAITING || writer->waiting_bytes >= MAX_WAITING_BYTES)
		wait_inside(writer);
}

/*
 * Transactions
 */

static Transaction *
open_transaction(UsMirrorWriter *writer)
{
	Transaction *transaction = MemoryContextAllocZero(writer->context, sizeof(Transaction));

	dlist_push_tail(&writer->transactions, &transaction->node);
	writer->open = transaction;
	return transaction;
}

void
us_mirror_begin(UsMirrorWriter *writer, TimestampTz commit_at)
{
	Transaction *transaction = open_transaction(writer);

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

static int64
next_timestamp(UsMirrorWriter *writer)
{
	if (!writer->copying)
		writer->last_timestamp = Max(writer->base_timestamp, writer->last_timestamp + 1);
	return writer->last_timestamp;
}

static void
add_write(UsMirrorWriter *writer, bool delete)
{
	size_t		len = writer->buffer.len;
	Write	   *write = MemoryContextAlloc(writer->context, offsetof(Write, values) + len);

	memset(write, 0, offsetof(Write, values));
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
	if (len > MAX_ROW_BYTES)
		refuse_write(writer, write, "the row is larger than a message of 16 MiB can be");
	else
		enqueue(writer, write, false);
}

static void
park_row(UsMirrorWriter *writer, const UsMirrorShape *shape, const LogicalRepTupleData *row,
		 bool delete, int wrong)
{
	const UsMirrorColumn *column = &writer->plan->columns[wrong];
	UsCqlWriter type;
	char	   *error;

	us_cql_writer_init(&type, NULL, 0);
	us_cql_put_type_name(&type, column->cql);
	error = psprintf("the value of column \"%s\" cannot be a %.*s in Cassandra", column->name,
					 (int) type.len, (const char *) type.data);
	us_cql_writer_free(&type);
	(void) next_timestamp(writer);
	park(writer, writer->open, us_mirror_row_json(writer->plan, shape, row, true),
		 delete ? NULL : us_mirror_row_json(writer->plan, shape, row, false), error);
}

void
us_mirror_delete(UsMirrorWriter *writer, const UsMirrorShape *shape,
				 const LogicalRepTupleData *old)
{
	int			wrong;

	make_room(writer);
	us_cql_writer_reset(&writer->buffer);
	wrong = us_mirror_key_put(writer->plan, shape, old, NULL, &writer->buffer);
	if (wrong >= 0)
		park_row(writer, shape, old, true, wrong);
	else
		add_write(writer, true);
}

/* whether the key is another one than before */
static bool
is_key_changed(UsMirrorWriter *writer, const UsMirrorShape *shape, const LogicalRepTupleData *row,
			   const LogicalRepTupleData *old)
{
	UsCqlWriter *buffer = &writer->buffer;
	size_t		len;

	us_cql_writer_reset(buffer);
	if (us_mirror_key_put(writer->plan, shape, old, NULL, buffer) >= 0)
		return false;
	len = buffer->len;
	if (us_mirror_key_put(writer->plan, shape, row, old, buffer) >= 0)
		return true;
	return buffer->len != 2 * len || memcmp(buffer->data, buffer->data + len, len) != 0;
}

void
us_mirror_upsert(UsMirrorWriter *writer, const UsMirrorShape *shape,
				 const LogicalRepTupleData *row, const LogicalRepTupleData *old, bool update)
{
	int			wrong;

	make_room(writer);
	if (old != NULL && is_key_changed(writer, shape, row, old))
		us_mirror_delete(writer, shape, old);
	us_cql_writer_reset(&writer->buffer);
	wrong = us_mirror_row_put(writer->plan, shape, row, old, update, &writer->buffer);
	if (wrong >= 0)
		park_row(writer, shape, row, false, wrong);
	else
		add_write(writer, false);
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
		wait_inside(writer);
	}
	pfree(text);
}

void
us_mirror_commit(UsMirrorWriter *writer, XLogRecPtr end_lsn)
{
	writer->open->end_lsn = end_lsn;
	writer->open->last_timestamp = writer->last_timestamp;
	writer->open = NULL;
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
	while (!dlist_is_empty(&writer->transactions))
	{
		Transaction *first = dlist_head_element(Transaction, node, &writer->transactions);

		if (first->end_lsn == InvalidXLogRecPtr || first->unfinished > 0)
			break;
		progress->lsn = first->end_lsn;
		progress->last_timestamp = first->last_timestamp;
		progress->rows += first->rows;
		progress->deletes += first->deletes;
		progress->parked = list_concat(progress->parked, first->parked);
		dlist_delete(&first->node);
		list_free(first->parked);
		pfree(first);
		any = true;
	}
	return any;
}

void
us_mirror_free_parked(List *parked)
{
	ListCell   *cell;

	foreach(cell, parked)
	{
		UsParkedRow *row = lfirst(cell);

		pfree(row->key);
		if (row->value != NULL)
			pfree(row->value);
		pfree(row->error);
		pfree(row);
	}
	list_free(parked);
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
	int			sorted[LATENCIES];
	const char *host = us_cassandra_host(writer->link);

	memset(live, 0, sizeof(*live));
	live->in_flight = writer->window.in_flight;
	if (host != NULL)
		strlcpy(live->host, host, sizeof(live->host));
	if (!us_mirror_writer_idle(writer))
		live->oldest_at = dlist_container(Transaction, node,
										  writer->transactions.head.next)->commit_at;
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
