/*-------------------------------------------------------------------------
 * worker/mirror_send.c
 *    writes -> Cassandra, and what becomes of each
 *
 * Runs in mirror workers, most of it inside the decoding of a transaction:
 * nothing here may read or write a table.  When what Cassandra knows of the
 * table is not what it was at the start, the process ends and its successor
 * looks anew; all that is not saved yet is read again then.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "miscadmin.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"
#include "worker/mirror_end.h"
#include "worker/mirror_table.h"
#include "worker/mirror_write_internal.h"

#define MAX_WAITING			2048	/* writes that wait to be sent, before changes have to */
#define MAX_WAITING_BYTES	(8 * 1024 * 1024)
#define MAX_ROW_BYTES		(16 * 1024 * 1024 - 4096)	/* native_transport_max_frame_size */
#define MAX_FAILURES		5	/* of one row while others are taken, before it is its own fault */
#define PAUSE_FIRST_MS		100
#define PAUSE_MAX_MS		10000
#define TURN_MS				1000	/* a longest wait, so that a stop is seen */

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
enqueue(UsMirrorWriter *writer, UsWrite *write, bool first)
{
	if (first)
		dlist_push_head(&writer->waiting, &write->node);
	else
		dlist_push_tail(&writer->waiting, &write->node);
	writer->nwaiting++;
	writer->waiting_bytes += write->request.values_len;
}

static void
finish(UsMirrorWriter *writer, UsWrite *write)
{
	write->transaction->unfinished--;
	writer->unfinished--;
	if (write->error != NULL)
		pfree(write->error);
	pfree(write);
}

static void
park_write(UsMirrorWriter *writer, UsWrite *write, const char *error)
{
	const uint8_t *values = write->request.values;
	size_t		len = write->request.values_len;
	char	   *key = us_mirror_values_json(writer->plan, write->delete, values, len, true);
	char	   *value = write->delete ? NULL :
		us_mirror_values_json(writer->plan, false, values, len, false);

	us_writer_park(writer, write->transaction, key, value, error, NULL);
	if (value != NULL && us_key_set_may_have(writer->unrepeated, key, strlen(key)))
		writer->reread = true;
	pfree(key);
	if (value != NULL)
		pfree(value);
	writer->waiting_bytes -= len;
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
		UsWrite	   *write = dlist_container(UsWrite, node, dlist_pop_head_node(&writer->refused));

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
			us_mirror_start_anew(writer->mirror, text);
		us_cassandra_refuse(writer->link, text,
							us_cql_error_remedy(response->error.code) == US_CQL_REMEDY_RIGHTS);
		return;
	}
	if (statement != writer->delete &&
		!us_mirror_plan_has_types(writer->plan, &statement->markers))
		us_mirror_start_anew(writer->mirror, "the table in Cassandra has changed");
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
	writer->looked = 0;
	writer->insert = NULL;
	writer->delete = NULL;
	writer->check = NULL;
}

static void
keep_latency(UsMirrorWriter *writer, int64 sent_us)
{
	int64		took = GetCurrentTimestamp() - sent_us;

	writer->latency_us[writer->next_latency] = (int) Min(Max(took, 0), PG_INT32_MAX);
	writer->next_latency = (writer->next_latency + 1) % US_WRITER_LATENCIES;
	writer->nlatencies = Min(writer->nlatencies + 1, US_WRITER_LATENCIES);
}

static void
end_write(UsMirrorWriter *writer, UsWrite *write)
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
refuse_write(UsMirrorWriter *writer, UsWrite *write, const char *text)
{
	if (write->error == NULL)
		write->error = MemoryContextStrdup(writer->context, text);
	dlist_push_tail(&writer->refused, &write->node);
	writer->waiting_bytes += write->request.values_len;
}

void
us_writer_add(UsMirrorWriter *writer, UsWrite *write)
{
	if (write->request.values_len > MAX_ROW_BYTES)
		refuse_write(writer, write, "the row is larger than a message of 16 MiB can be");
	else
		enqueue(writer, write, false);
}

/*
 * A failure inside Cassandra may be the row's fault or the node's.  When other
 * rows are taken meanwhile, again and again, it is the row's; when none is,
 * all of them wait.
 */
static bool
is_row_at_fault(UsMirrorWriter *writer, UsWrite *write, const UsCqlError *error)
{
	if (error->code != US_CQL_ERR_SERVER && error->code != US_CQL_ERR_WRITE_FAILURE)
		return false;
	if (write->rows_done != writer->rows_done)
		write->failures++;
	write->rows_done = writer->rows_done;
	return write->failures >= MAX_FAILURES;
}

static void
take_error(UsMirrorWriter *writer, UsWrite *write, const UsCqlError *error)
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
			us_mirror_start_anew(writer->mirror, text);
		note_failing(writer, text);
		pfree(text);
	}
	pause_writes(writer);
}

/* statements are forgotten when their table is dropped, and good for the next one of its name */
static void
look_at_table(UsMirrorWriter *writer, UsCqlConn *conn)
{
	UsCqlConnStatus status;

	us_cql_conn_status(conn, &status);
	if (writer->looking || writer->looked == status.prepares + 1)
		return;
	writer->looking = us_cql_conn_send(conn, &writer->look, us_cassandra_now()) == US_CQL_OK;
	if (writer->looking)
		writer->looked = status.prepares + 1;
}

static void
take_look(UsMirrorWriter *writer, const UsCqlEvent *event)
{
	UsCqlResponse *response = event->response;
	const char *before = writer->plan->table_id;
	char	   *now;

	writer->looking = false;
	if (event->kind == US_CQL_EVENT_TIMEOUT)
		writer->looked = 0;
	if (event->kind != US_CQL_EVENT_ANSWER || response->opcode == US_CQL_ERROR ||
		response->kind != US_CQL_ROWS || response->result.ncolumns != 1 || before == NULL)
		return;
	now = us_mirror_table_id(response);
	if (now == NULL || strcmp(now, before) != 0)
		us_mirror_start_anew(writer->mirror, "the table in Cassandra is another one");
	pfree(now);
}

static void
take_end(UsMirrorWriter *writer, const UsCqlEvent *event)
{
	UsWrite	   *write = event->request->tag;

	if (event->request == &writer->look)
	{
		take_look(writer, event);
		return;
	}
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
			us_mirror_start_anew(writer->mirror, "the table in Cassandra has changed");
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
send_one(UsMirrorWriter *writer, UsCqlConn *conn, UsWrite *write, int64 now_ms, TimestampTz now)
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
	look_at_table(writer, conn);
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
	{
		UsWrite    *first = dlist_head_element(UsWrite, node, &writer->waiting);

		if (!send_one(writer, conn, first, now_ms, now))
			return;
	}
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

void
us_writer_wait(UsMirrorWriter *writer)
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
		us_writer_wait(writer);
}

void
us_mirror_make_room(UsMirrorWriter *writer)
{
	while (writer->nwaiting >= MAX_WAITING || writer->waiting_bytes >= MAX_WAITING_BYTES)
		us_writer_wait(writer);
}
