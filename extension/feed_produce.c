/*-------------------------------------------------------------------------
 * extension/feed_produce.c
 *    messages of a page -> the topic, confirmed
 *
 * Runs in the backend of run_feed, between two of its commits.  The producer
 * is kept for the next run of this backend; one that has messages without a
 * report, or other options than before, is ended.
 *
 * Messages that came back because their batch was too large for the topic go
 * again, in halves and halves of these, until one is alone: if that comes
 * back too, it is a bad record.  So all others arrive, though behind those
 * that were sent after them.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/feed_run.h"
#include "extension/interrupts.h"
#include "lib/stringinfo.h"
#include "pgstat.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#define POLL_MS				100
#define CLOSE_MS			500
#define GRACE_MS			2000	/* for librdkafka to report its own timeout */
#define SENDS_BETWEEN_LOOKS 256

static UsProducer *producer = NULL;

/* threads of librdkafka's must not run while exit() takes the process apart */
static void
close_at_exit(int code, Datum argument)
{
	(void) code;
	(void) argument;

	us_feed_producer_discard();
}

void
us_feed_producer_discard(void)
{
	UsProducer *old = producer;

	producer = NULL;
	us_producer_close(old, CLOSE_MS);
}

void
us_feed_producer_begin(UsFeedRun *run)
{
	static bool registered = false;
	char		errstr[512] = "";

	if (producer != NULL && !us_producer_fits(producer, &run->kafka_options))
		us_feed_producer_discard();
	if (producer == NULL)
	{
		if (!registered)
			before_shmem_exit(close_at_exit, (Datum) 0);
		registered = true;
		producer = us_producer_open(&run->kafka_options, errstr, sizeof(errstr));
	}
	if (producer == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("could not make a producer for server \"%s\"", run->feed->kafka_server),
				 errdetail("The Kafka library says: %s.", errstr),
				 errhint("Check the options of the server and of its user mapping.")));
	us_producer_begin(producer);
	run->producing = true;
}

/* until when the broker may take for what is sent */
static TimestampTz
produce_deadline(const UsFeedRun *run)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz limit;

	limit = TimestampTzPlusMilliseconds(now, us_producer_timeout_ms(producer) + GRACE_MS);
	return Min(limit, run->deadline);
}

pg_noreturn static void refuse_delivery(UsFeedRun *run, const char *error);

static void
refuse_delivery(UsFeedRun *run, const char *error)
{
	const UsDelivery *delivery = us_producer_delivery(producer);

	run->may_retry = !delivery->refused_login;
	ereport(ERROR,
			(errcode(delivery->refused_login ? ERRCODE_INVALID_AUTHORIZATION_SPECIFICATION :
					 ERRCODE_CONNECTION_FAILURE),
			 errmsg("could not produce to topic \"%s\": %s", run->feed->topic, error),
			 errdetail("Confirmed are " INT64_FORMAT " of " INT64_FORMAT " messages.",
					   delivery->delivered, delivery->sent),
			 errhint("Check that Kafka runs and has room, and the server's user mapping; message.timeout.ms of the server and run_timeout of the feed limit the wait.")));
}

/* one look at reports, interrupts and the clock; returns messages without a report */
static int64
look(UsFeedRun *run, TimestampTz deadline, int wait_ms)
{
	const UsDelivery *delivery = us_producer_delivery(producer);
	int64		outstanding;

	us_check_interrupts();
	pgstat_report_wait_start(PG_WAIT_EXTENSION);
	outstanding = us_producer_poll(producer, wait_ms);
	pgstat_report_wait_end();
	if (delivery->refused_login)
		refuse_delivery(run, us_producer_cause(producer));
	if (delivery->failed > 0)
		refuse_delivery(run, delivery->error);
	if (outstanding > 0 && GetCurrentTimestamp() >= deadline)
		refuse_delivery(run, us_producer_cause(producer)[0] != '\0' ?
						us_producer_cause(producer) : "not confirmed in time");
	return outstanding;
}

static void
keep_bad_message(UsFeedRun *run, int number, const char *error)
{
	const UsFeedMessage *message = &run->current.messages[number];

	us_feed_bad_record(&run->current, message->value, message->value_len,
					   ERRCODE_FDW_ERROR,
					   psprintf("could not produce the message: %s", error));
}

static void
send_message(UsFeedRun *run, int number, TimestampTz deadline)
{
	const UsFeedMessage *message = &run->current.messages[number];
	char		errstr[256];

	for (;;)
	{
		switch (us_producer_send(producer, run->feed->topic, message, number,
								 errstr, sizeof(errstr)))
		{
			case US_SEND_OK:
				return;
			case US_SEND_FULL:
				(void) look(run, deadline, POLL_MS);
				break;
			default:
				keep_bad_message(run, number, errstr);
				return;
		}
	}
}

/* numbers of the messages that came back, palloc'd; the producer forgets them */
static int *
take_returned(int *n)
{
	const UsDelivery *delivery = us_producer_delivery(producer);
	int		   *returned;

	*n = delivery->nreturned;
	if (*n == 0)
		return NULL;
	returned = palloc_array(int, *n);
	memcpy(returned, delivery->returned, sizeof(int) * *n);
	us_producer_clear_returned(producer);
	return returned;
}

/* numbers NULL = all, from 0 on */
static void
produce_messages(UsFeedRun *run, const int *numbers, int n)
{
	TimestampTz deadline = produce_deadline(run);
	int		   *returned;
	int			nreturned;
	int			half;

	for (int i = 0; i < n; i++)
	{
		send_message(run, numbers == NULL ? i : numbers[i], deadline);
		if (i % SENDS_BETWEEN_LOOKS == 0)
			(void) look(run, deadline, 0);
	}
	while (look(run, deadline, POLL_MS) > 0)
		;

	returned = take_returned(&nreturned);
	if (n == 1 && nreturned == 1)
		keep_bad_message(run, returned[0], us_producer_delivery(producer)->return_error);
	else if (nreturned > 0)
	{
		half = (nreturned + 1) / 2;
		produce_messages(run, returned, half);
		produce_messages(run, returned + half, nreturned - half);
	}
	if (returned != NULL)
		pfree(returned);
}

void
us_feed_produce(UsFeedRun *run)
{
	/* nothing is sent whose confirmation nobody would wait for */
	(void) us_feed_time_left(run);
	produce_messages(run, NULL, run->current.nmessages);
}

static char *
ranges_text(const UsDelivery *delivery, bool last)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int i = 0; i < delivery->nranges; i++)
		appendStringInfo(&text, "%s\"%d\": " INT64_FORMAT, i == 0 ? "{" : ", ",
						 delivery->ranges[i].partition,
						 last ? delivery->ranges[i].last : delivery->ranges[i].first);
	appendStringInfoChar(&text, '}');
	return text.data;
}

int64
us_feed_produced(const UsFeedRun *run, char **first_offsets, char **last_offsets)
{
	const UsDelivery *delivery;

	*first_offsets = *last_offsets = NULL;
	if (producer == NULL || !run->producing)
		return 0;
	delivery = us_producer_delivery(producer);
	if (delivery->nranges > 0)
	{
		*first_offsets = ranges_text(delivery, false);
		*last_offsets = ranges_text(delivery, true);
	}
	return delivery->delivered;
}
