/*-------------------------------------------------------------------------
 * extension/kafka_topic.c
 *    asks a broker for the partitions of a topic and their watermarks
 *
 * Called in the backend of create_stream, alter_stream and seek_stream.  A consumer handle is made
 * and ended here: a consumer never creates a topic, and without a group.id it
 * leaves nothing behind on the broker.  The questions are asked in a helper
 * thread (us_kafka_call), so that a broker may answer slowly while the caller
 * can still cancel at once.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

#include "extension/kafka_conf.h"
#include "extension/kafka_topic.h"

#define FIRST_STEP_MS		250		/* timeout of the first question ... */
#define MAX_STEP_MS			4000	/* ... doubled up to this: the broker may be far away */
#define PAUSE_MS			50		/* after an answer that asks to try again */
#define DESTROY_MS			500
#define GRACE_MS			200		/* for the helper to say itself that time is over */
#define MIN_SOCKET_TIMEOUT_MS 1000

/* what is asked about each partition */
typedef enum Question
{
	LOW_OFFSETS,
	HIGH_OFFSETS,
	OFFSETS_AT_TIME
} Question;

/* belongs to the helper thread while it runs, see us_kafka_call */
typedef struct Inquiry
{
	rd_kafka_t *rk;
	rd_kafka_queue_t *events;	/* errors of connections */
	rd_kafka_topic_t *topic;
	const atomic_bool *abandoned;
	int64_t		time_ms;		/* -1 = nothing to ask about a time */
	int64_t		deadline_ms;	/* by now_ms() */
	int			step_ms;

	/* seen in events */
	bool		refused_login;
	bool		tls_failed;
	bool		all_down;
	char		cause[512];		/* the last error that is about one broker */

	/* result */
	UsTopicResult result;
	UsTopicPartition *partitions;
	int			count;
	char		error[512];
} Inquiry;

static int64_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t) now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
take_events(Inquiry *inquiry)
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

static void
fail(Inquiry *inquiry, UsTopicResult result, const char *text)
{
	inquiry->result = result;
	snprintf(inquiry->error, sizeof(inquiry->error), "%s", text);
}

/*
 * After a question without an answer: whether to ask again.  A refused login
 * does not get better by waiting, nor does TLS when no other broker is left;
 * anything else may.
 */
static bool
may_ask_again(Inquiry *inquiry, const char *error)
{
	struct timespec pause = {0, PAUSE_MS * 1000000};
	char		text[sizeof(inquiry->error)];

	take_events(inquiry);
	if (inquiry->refused_login || (inquiry->tls_failed && inquiry->all_down))
	{
		fail(inquiry, US_TOPIC_UNREACHABLE, inquiry->cause);
		return false;
	}
	if (atomic_load(inquiry->abandoned))
	{
		fail(inquiry, US_TOPIC_INTERRUPTED, "interrupted");
		return false;
	}
	if (now_ms() >= inquiry->deadline_ms)
	{
		snprintf(text, sizeof(text), "no answer in time: %.450s",
				 inquiry->cause[0] != '\0' ? inquiry->cause : error);
		fail(inquiry, US_TOPIC_UNREACHABLE, text);
		return false;
	}
	nanosleep(&pause, NULL);
	if (inquiry->step_ms < MAX_STEP_MS)
		inquiry->step_ms *= 2;
	return true;
}

/* timeout of the next question; at least 1, as 0 would not ask */
static int
next_step_ms(const Inquiry *inquiry)
{
	int64_t		left_ms = inquiry->deadline_ms - now_ms();

	if (left_ms < 1)
		return 1;
	return left_ms < inquiry->step_ms ? (int) left_ms : inquiry->step_ms;
}

static int
compare_partitions(const void *a, const void *b)
{
	int32_t		x = ((const UsTopicPartition *) a)->partition;
	int32_t		y = ((const UsTopicPartition *) b)->partition;

	return (x > y) - (x < y);
}

static bool
copy_partitions(Inquiry *inquiry, const rd_kafka_metadata_topic_t *topic)
{
	inquiry->partitions = calloc((size_t) topic->partition_cnt, sizeof(UsTopicPartition));
	if (inquiry->partitions == NULL)
	{
		fail(inquiry, US_TOPIC_FAILED, "out of memory");
		return false;
	}
	inquiry->count = topic->partition_cnt;
	for (int i = 0; i < topic->partition_cnt; i++)
	{
		inquiry->partitions[i].partition = topic->partitions[i].id;
		inquiry->partitions[i].leader = topic->partitions[i].leader;
		inquiry->partitions[i].time_offset = -1;
	}
	qsort(inquiry->partitions, (size_t) inquiry->count, sizeof(UsTopicPartition),
		  compare_partitions);
	return true;
}

/* one answer about the topic; true when the answer ends the question */
static bool
read_metadata(Inquiry *inquiry, const rd_kafka_metadata_t *metadata, bool *known)
{
	const rd_kafka_metadata_topic_t *topic;

	if (metadata->topic_cnt != 1)
		return false;
	topic = &metadata->topics[0];
	switch (topic->err)
	{
		case RD_KAFKA_RESP_ERR_NO_ERROR:
			if (topic->partition_cnt == 0)
				return false;
			*known = copy_partitions(inquiry, topic);
			return true;
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
			fail(inquiry, US_TOPIC_UNKNOWN, "the broker knows no such topic");
			return true;
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
			fail(inquiry, US_TOPIC_NOT_AUTHORIZED, "the broker does not let this user see the topic");
			return true;
		case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
			return false;		/* it is just being created */
		default:
			fail(inquiry, US_TOPIC_FAILED, rd_kafka_err2str(topic->err));
			return true;
	}
}

static bool
ask_partitions(Inquiry *inquiry)
{
	bool		known = false;
	bool		ended = false;
	const char *error;

	do
	{
		const rd_kafka_metadata_t *metadata;
		rd_kafka_resp_err_t err;

		err = rd_kafka_metadata(inquiry->rk, 0, inquiry->topic, &metadata,
								next_step_ms(inquiry));
		error = err ? rd_kafka_err2str(err) : "the topic has no leader";
		if (!err)
		{
			ended = read_metadata(inquiry, metadata, &known);
			rd_kafka_metadata_destroy(metadata);
		}
	} while (!ended && may_ask_again(inquiry, error));
	return known;
}

/* an answer without an offset is one only to the question about a time */
static bool
take_offset(UsTopicPartition *partition, Question question, int64_t offset)
{
	switch (question)
	{
		case LOW_OFFSETS:
			partition->low_offset = offset;
			return offset >= 0;
		case HIGH_OFFSETS:
			partition->high_offset = offset;
			return offset >= 0;
		case OFFSETS_AT_TIME:
			partition->time_offset = offset >= 0 ? offset : -1;
			return true;
	}
	return false;
}

/* one answer for all partitions; false and text when one of them is missing */
static bool
read_offsets(Inquiry *inquiry, const rd_kafka_topic_partition_list_t *list, Question question,
			 char *text, size_t text_size)
{
	for (int i = 0; i < inquiry->count; i++)
	{
		const rd_kafka_topic_partition_t *answer = &list->elems[i];

		if (answer->err || !take_offset(&inquiry->partitions[i], question, answer->offset))
		{
			snprintf(text, text_size, "partition %d: %s", (int) answer->partition,
					 answer->err ? rd_kafka_err2str(answer->err) : "no offset");
			return false;
		}
	}
	return true;
}

/*
 * Earliest and latest are special times in Kafka's protocol, with the values
 * of librdkafka's special offsets.
 */
static int64_t
time_of(const Inquiry *inquiry, Question question)
{
	if (question == OFFSETS_AT_TIME)
		return inquiry->time_ms;
	return question == HIGH_OFFSETS ? RD_KAFKA_OFFSET_END : RD_KAFKA_OFFSET_BEGINNING;
}

/*
 * Ask one thing about every partition at once.  (librdkafka's call for the two
 * watermarks of one partition takes a round trip for each, and before 2.3 it
 * does not keep to its timeout.)
 */
static bool
ask_offsets(Inquiry *inquiry, Question question)
{
	const char *topic = rd_kafka_topic_name(inquiry->topic);
	char		text[256];
	bool		answered = false;

	do
	{
		rd_kafka_topic_partition_list_t *list;
		rd_kafka_resp_err_t err;

		list = rd_kafka_topic_partition_list_new(inquiry->count);
		for (int i = 0; i < inquiry->count; i++)
		{
			rd_kafka_topic_partition_list_add(list, topic, inquiry->partitions[i].partition);
			list->elems[i].offset = time_of(inquiry, question);
		}
		err = rd_kafka_offsets_for_times(inquiry->rk, list, next_step_ms(inquiry));
		if (!err && list->elems[0].err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
			err = list->elems[0].err;
		if (err)
			snprintf(text, sizeof(text), "%s", rd_kafka_err2str(err));
		else
			answered = read_offsets(inquiry, list, question, text, sizeof(text));
		rd_kafka_topic_partition_list_destroy(list);

		if (err == RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
		{
			fail(inquiry, US_TOPIC_NOT_AUTHORIZED, "the broker does not let this user read the topic");
			return false;
		}
	} while (!answered && may_ask_again(inquiry, text));
	return answered;
}

/* runs in the helper thread */
static void
inquire(void *argument, const atomic_bool *abandoned)
{
	Inquiry    *inquiry = argument;

	inquiry->abandoned = abandoned;
	if (!ask_partitions(inquiry))
		return;
	inquiry->step_ms = FIRST_STEP_MS;
	if (!ask_offsets(inquiry, LOW_OFFSETS) || !ask_offsets(inquiry, HIGH_OFFSETS))
		return;
	/* after the ends: where no message is that late, the end known by now is before any */
	if (inquiry->time_ms < 0 || ask_offsets(inquiry, OFFSETS_AT_TIME))
		inquiry->result = US_TOPIC_OK;
}

/* all but the handle */
static void
free_parts(Inquiry *inquiry)
{
	free(inquiry->partitions);
	if (inquiry->topic != NULL)
		rd_kafka_topic_destroy(inquiry->topic);
	if (inquiry->events != NULL)
		rd_kafka_queue_destroy(inquiry->events);
}

/* runs in a helper thread that nobody waits for */
static void
release_inquiry(void *argument)
{
	Inquiry    *inquiry = argument;
	rd_kafka_t *rk = inquiry->rk;

	free_parts(inquiry);
	free(inquiry);
	rd_kafka_destroy_flags(rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
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

/* NULL and errstr on failure */
static Inquiry *
open_inquiry(const UsOptionList *options, const char *topic, int timeout_ms,
			 char *errstr, size_t errstr_size)
{
	Inquiry    *inquiry = calloc(1, sizeof(Inquiry));
	rd_kafka_conf_t *conf;

	if (inquiry == NULL)
	{
		snprintf(errstr, errstr_size, "out of memory");
		return NULL;
	}
	conf = us_kafka_conf_create(options, errstr, errstr_size);
	if (conf == NULL)
	{
		free(inquiry);
		return NULL;
	}
	if (set_own_properties(conf, timeout_ms, errstr, errstr_size))
		inquiry->rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, errstr, errstr_size);
	if (inquiry->rk == NULL)
	{
		us_kafka_hide_secrets(options, errstr, errstr_size);
		rd_kafka_conf_destroy(conf);
		free(inquiry);
		return NULL;
	}

	inquiry->events = rd_kafka_queue_get_main(inquiry->rk);
	inquiry->topic = rd_kafka_topic_new(inquiry->rk, topic, NULL);
	if (inquiry->topic == NULL)
	{
		snprintf(errstr, errstr_size, "%s", rd_kafka_err2str(rd_kafka_last_error()));
		free_parts(inquiry);
		us_kafka_destroy(inquiry->rk, DESTROY_MS);
		free(inquiry);
		return NULL;
	}
	inquiry->result = US_TOPIC_FAILED;
	inquiry->step_ms = FIRST_STEP_MS;
	inquiry->deadline_ms = now_ms() + timeout_ms;
	return inquiry;
}

/* takes result and partitions out, and ends the handle */
static UsTopicResult
close_inquiry(Inquiry *inquiry, const UsOptionList *options,
			  UsTopicPartition **partitions, int *count,
			  char *errstr, size_t errstr_size)
{
	UsTopicResult result = inquiry->result;

	if (result == US_TOPIC_OK)
	{
		*partitions = inquiry->partitions;
		*count = inquiry->count;
		inquiry->partitions = NULL;
	}
	else if (inquiry->refused_login)
		us_kafka_authentication_text(options, inquiry->error, errstr, errstr_size);
	else
	{
		snprintf(errstr, errstr_size, "%s", inquiry->error);
		us_kafka_hide_secrets(options, errstr, errstr_size);
	}

	free_parts(inquiry);
	us_kafka_destroy(inquiry->rk, DESTROY_MS);
	free(inquiry);
	return result;
}

UsTopicResult
us_kafka_topic_describe(const UsOptionList *options, const char *topic,
						int64_t time_ms, int timeout_ms, bool (*interrupted) (void),
						UsTopicPartition **partitions, int *count,
						char *errstr, size_t errstr_size)
{
	Inquiry    *inquiry;

	*partitions = NULL;
	*count = 0;
	inquiry = open_inquiry(options, topic, timeout_ms, errstr, errstr_size);
	if (inquiry == NULL)
		return US_TOPIC_FAILED;
	inquiry->time_ms = time_ms;

	switch (us_kafka_call(inquire, release_inquiry, inquiry, timeout_ms + GRACE_MS, interrupted))
	{
		case US_CALL_DONE:
			return close_inquiry(inquiry, options, partitions, count, errstr, errstr_size);
		case US_CALL_LATE:
			snprintf(errstr, errstr_size, "no answer in time");
			return US_TOPIC_UNREACHABLE;
		case US_CALL_INTERRUPTED:
			snprintf(errstr, errstr_size, "interrupted");
			return US_TOPIC_INTERRUPTED;
		default:
			fail(inquiry, US_TOPIC_FAILED, "could not start a thread");
			return close_inquiry(inquiry, options, partitions, count, errstr, errstr_size);
	}
}
