/*-------------------------------------------------------------------------
 * extension/kafka_inquiry.c
 *    a handle that asks a broker something and goes
 *
 * Used in the backends of create_stream, seek_stream, topics and the like.  A
 * consumer never creates a topic, and without a group.id it leaves nothing
 * behind on the broker.  The questions are asked in a helper thread
 * (us_kafka_call), so that a broker may answer slowly while the caller can
 * still cancel at once.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

#include "extension/kafka_conf.h"
#include "extension/kafka_inquiry.h"

#define MAX_STEP_MS			4000	/* the first step is doubled up to this: they may be far away */
#define PAUSE_MS			50		/* after an answer that asks to try again */
#define DESTROY_MS			500
#define GRACE_MS			200		/* for the helper to say itself that time is over */
#define MIN_SOCKET_TIMEOUT_MS 1000

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
take_events(UsInquiry *inquiry)
{
	rd_kafka_event_t *event;

	while ((event = rd_kafka_queue_poll(inquiry->events, 0)) != NULL)
	{
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
		{
			rd_kafka_resp_err_t code = rd_kafka_event_error(event);

			if (code == RD_KAFKA_RESP_ERR__AUTHENTICATION)
				inquiry->refused_login = true;
			if (code == RD_KAFKA_RESP_ERR__SSL)
				inquiry->tls_failed = true;
			if (code == RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
				inquiry->all_down = true;
			else
				snprintf(inquiry->cause, sizeof(inquiry->cause), "%s",
						 rd_kafka_event_error_string(event));
		}
		rd_kafka_event_destroy(event);
	}
}

void
us_inquiry_fail(UsInquiry *inquiry, UsTopicResult result, const char *text)
{
	inquiry->result = result;
	snprintf(inquiry->error, sizeof(inquiry->error), "%s", text);
}

bool
us_inquiry_may_ask_again(UsInquiry *inquiry, const char *error)
{
	struct timespec pause = {0, PAUSE_MS * 1000000};
	char		text[sizeof(inquiry->error)];

	take_events(inquiry);
	if (inquiry->refused_login || (inquiry->tls_failed && inquiry->all_down))
	{
		us_inquiry_fail(inquiry, US_TOPIC_UNREACHABLE, inquiry->cause);
		return false;
	}
	if (atomic_load(inquiry->abandoned))
	{
		us_inquiry_fail(inquiry, US_TOPIC_INTERRUPTED, "interrupted");
		return false;
	}
	if (now_ms() >= inquiry->deadline_ms)
	{
		snprintf(text, sizeof(text), "no answer in time: %.450s",
				 inquiry->cause[0] != '\0' ? inquiry->cause : error);
		us_inquiry_fail(inquiry, US_TOPIC_UNREACHABLE, text);
		return false;
	}
	nanosleep(&pause, NULL);
	if (inquiry->step_ms < MAX_STEP_MS)
		inquiry->step_ms *= 2;
	return true;
}

int
us_inquiry_step_ms(const UsInquiry *inquiry)
{
	int64_t		left_ms = inquiry->deadline_ms - now_ms();

	if (left_ms < 1)
		return 1;
	return left_ms < inquiry->step_ms ? (int) left_ms : inquiry->step_ms;
}

/* the properties of a short look; false when librdkafka refuses one of them */
static bool
set_own_properties(rd_kafka_conf_t *conf, int timeout_ms, char *errstr, size_t errstr_size)
{
	char		user_timeout[32];
	char		own_timeout[32];
	size_t		size = sizeof(user_timeout);

	/* a lost answer must not outlive the look: librdkafka waits that long for it */
	if (timeout_ms < MIN_SOCKET_TIMEOUT_MS)
		timeout_ms = MIN_SOCKET_TIMEOUT_MS;
	snprintf(own_timeout, sizeof(own_timeout), "%d", timeout_ms);
	if (rd_kafka_conf_get(conf, "socket.timeout.ms", user_timeout, &size) == RD_KAFKA_CONF_OK &&
		atoi(user_timeout) > timeout_ms &&
		rd_kafka_conf_set(conf, "socket.timeout.ms", own_timeout, errstr, errstr_size) != RD_KAFKA_CONF_OK)
		return false;

	/* errors come as events, and nothing is written to the log */
	rd_kafka_conf_set_log_cb(conf, NULL);
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR);
	return rd_kafka_conf_set(conf, "client.id", "userstream", errstr, errstr_size) == RD_KAFKA_CONF_OK &&
		rd_kafka_conf_set(conf, "allow.auto.create.topics", "false", errstr, errstr_size) == RD_KAFKA_CONF_OK;
}

bool
us_inquiry_open(UsInquiry *inquiry, const UsOptionList *options, int timeout_ms,
				char *errstr, size_t errstr_size)
{
	rd_kafka_conf_t *conf = us_kafka_conf_create(options, errstr, errstr_size);

	if (conf == NULL)
		return false;
	if (set_own_properties(conf, timeout_ms, errstr, errstr_size))
		inquiry->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, errstr, errstr_size);
	if (inquiry->rk == NULL)
	{
		us_kafka_hide_secrets(options, errstr, errstr_size);
		rd_kafka_conf_destroy(conf);
		return false;
	}
	inquiry->events = rd_kafka_queue_get_main(inquiry->rk);
	inquiry->result = US_TOPIC_FAILED;
	inquiry->step_ms = US_INQUIRY_FIRST_STEP_MS;
	inquiry->deadline_ms = now_ms() + timeout_ms;
	return true;
}

UsTopicResult
us_inquiry_run(UsInquiry *inquiry, void (*work) (void *argument, const atomic_bool *abandoned),
			   void (*release) (void *argument), int timeout_ms, bool (*interrupted) (void),
			   bool *owned, char *errstr, size_t errstr_size)
{
	*owned = false;
	switch (us_kafka_call(work, release, inquiry, timeout_ms + GRACE_MS, interrupted))
	{
		case US_CALL_LATE:
			snprintf(errstr, errstr_size, "no answer in time");
			return US_TOPIC_UNREACHABLE;
		case US_CALL_INTERRUPTED:
			snprintf(errstr, errstr_size, "interrupted");
			return US_TOPIC_INTERRUPTED;
		case US_CALL_FAILED:
			us_inquiry_fail(inquiry, US_TOPIC_FAILED, "could not start a thread");
			break;
		case US_CALL_DONE:
			break;
	}
	*owned = true;
	return inquiry->result;
}

void
us_inquiry_text(const UsInquiry *inquiry, const UsOptionList *options,
				char *errstr, size_t errstr_size)
{
	if (inquiry->refused_login)
	{
		us_kafka_authentication_text(options, inquiry->error, errstr, errstr_size);
		return;
	}
	snprintf(errstr, errstr_size, "%s", inquiry->error);
	us_kafka_hide_secrets(options, errstr, errstr_size);
}

void
us_inquiry_close(UsInquiry *inquiry)
{
	rd_kafka_queue_destroy(inquiry->events);
	us_kafka_destroy(inquiry->rk, DESTROY_MS);
}

void
us_inquiry_abandon(UsInquiry *inquiry)
{
	rd_kafka_queue_destroy(inquiry->events);
	rd_kafka_destroy_flags(inquiry->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}
