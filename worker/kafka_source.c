/*-------------------------------------------------------------------------
 * worker/kafka_source.c
 *    a Kafka topic's partitions as a source of messages
 *
 * Runs in stream workers, behind source.h.  One handle, one assignment with
 * offsets from PostgreSQL, for the life of the source: librdkafka 2.0.2 loses
 * messages when a live handle is sought, paused or resumed between batch
 * calls, so whoever needs another assignment opens another source.  Offsets
 * kept by the library or by Kafka are never read.
 *-------------------------------------------------------------------------
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <unistd.h>

#include <librdkafka/rdkafka.h>

#include "worker/kafka_source.h"

#define CHUNK_MESSAGES		1000	/* per call: more brings nothing (measured) */

/*
 * Before 2.4 librdkafka's main thread wakes up a millisecond before its timer
 * is due, each second, and spins until it is: most of what an idle stream
 * costs.  Waits that may end this much late have no such millisecond left.
 * What is awaited still wakes at once, and no wait that a consumer of those
 * versions makes is short; newer ones, which have some, do not spin.
 */
#define TIMER_SLACK_NS		(50 * 1000 * 1000UL)
#define FIRST_WITHOUT_SPIN	0x02040000

static void note_error(rd_kafka_t *rk, int err, const char *reason, void *opaque);

/* one property of ours; an unknown one is reported as false without an error */
static bool
set_property(rd_kafka_conf_t *conf, const char *name, const char *value,
			 char *errstr, size_t errstr_size)
{
	return rd_kafka_conf_set(conf, name, value, errstr, errstr_size) == RD_KAFKA_CONF_OK;
}

/*
 * What the guarantees rest on: set after the user's options, none of which
 * can name these.
 */
static bool
set_own_properties(rd_kafka_conf_t *conf, const UsSourceConfig *config,
				   char *errstr, size_t errstr_size)
{
	const char *const own[][2] = {
		{"group.id", config->group_id},
		{"client.id", config->client_id},
		{"enable.auto.commit", "false"},
		{"enable.auto.offset.store", "false"},
		{"auto.offset.reset", "error"},
		{"enable.partition.eof", "true"},
		{"allow.auto.create.topics", "false"},
		{"log.queue", "true"}
	};

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!set_property(conf, own[i][0], own[i][1], errstr, errstr_size))
			return false;
	return true;
}

static bool
assign(UsSource *source, const UsSourceConfig *config, char *errstr, size_t errstr_size)
{
	rd_kafka_topic_partition_list_t *list;
	rd_kafka_resp_err_t err;

	list = rd_kafka_topic_partition_list_new(config->nassignments);
	for (int i = 0; i < config->nassignments; i++)
	{
		const UsAssignment *assignment = &config->assignments[i];

		rd_kafka_topic_partition_list_add(list, config->topic, assignment->partition)->offset =
			assignment->offset;
	}
	err = rd_kafka_assign(source->rk, list);
	rd_kafka_topic_partition_list_destroy(list);

	if (err != RD_KAFKA_RESP_ERR_NO_ERROR)
		snprintf(errstr, errstr_size, "%s", rd_kafka_err2str(err));
	return err == RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* queues that wake us; called before anything can arrive */
static void
open_queues(UsSource *source)
{
	static const uint64_t one = 1;

	source->messages = rd_kafka_queue_get_consumer(source->rk);
	source->main = rd_kafka_queue_get_main(source->rk);
	(void) rd_kafka_set_log_queue(source->rk, NULL);	/* NULL: the main queue */
	rd_kafka_queue_io_event_enable(source->messages, source->wake_fd, &one, sizeof(one));
	rd_kafka_queue_io_event_enable(source->main, source->wake_fd, &one, sizeof(one));
}

static void
free_source(UsSource *source)
{
	if (source == NULL)
		return;
	free(source->topic);
	free(source->broken);
	free(source);
}

/* threads inherit the timer slack of who makes them */
static rd_kafka_t *
new_handle(rd_kafka_conf_t *conf, char *errstr, size_t errstr_size)
{
	rd_kafka_t *rk;
#ifdef PR_SET_TIMERSLACK
	int			slack_ns = prctl(PR_GET_TIMERSLACK, 0, 0, 0, 0);

	if (rd_kafka_version() < FIRST_WITHOUT_SPIN)
		(void) prctl(PR_SET_TIMERSLACK, TIMER_SLACK_NS, 0, 0, 0);
#endif
	rk = rd_kafka_new(RD_KAFKA_CONSUMER, conf, errstr, errstr_size);
#ifdef PR_SET_TIMERSLACK
	(void) prctl(PR_SET_TIMERSLACK, slack_ns > 0 ? (unsigned long) slack_ns : 0UL, 0, 0, 0);
#endif
	return rk;
}

UsSource *
us_source_open(const UsSourceConfig *config, char *errstr, size_t errstr_size)
{
	UsSource   *source;
	rd_kafka_conf_t *conf;

	conf = us_kafka_conf_create(config->options, errstr, errstr_size);
	if (conf == NULL)
		return NULL;
	us_kafka_queue_set(conf, config);
	if (!set_own_properties(conf, config, errstr, errstr_size))
	{
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	source = calloc(1, sizeof(UsSource));
	if (source != NULL)
	{
		source->topic = strdup(config->topic);
		source->broken = calloc((size_t) config->nassignments, sizeof(int32_t));
		source->options = config->options;
	}
	if (source == NULL || source->topic == NULL || source->broken == NULL)
	{
		free_source(source);
		rd_kafka_conf_destroy(conf);
		snprintf(errstr, errstr_size, "out of memory");
		return NULL;
	}

	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_LOG);
	rd_kafka_conf_set_opaque(conf, source);
	rd_kafka_conf_set_error_cb(conf, note_error);
	source->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	source->rk = source->wake_fd < 0 ? NULL :
		new_handle(conf, errstr, errstr_size);
	if (source->rk == NULL)
	{
		if (source->wake_fd < 0)
			snprintf(errstr, errstr_size, "could not create an event descriptor: %s",
					 strerror(errno));
		else
			close(source->wake_fd);
		rd_kafka_conf_destroy(conf);
		free_source(source);
		return NULL;
	}

	us_source_set_log_level(source, config->log_level);
	us_kafka_queue_begin(source);
	open_queues(source);
	/* first: behind a waiting fetch the answer would come when that one's does */
	us_kafka_source_ask_watermarks(source, config);
	if (!assign(source, config, errstr, errstr_size))
	{
		(void) us_source_close(source, 1000);
		return NULL;
	}
	return source;
}

/* what is not wanted is not even written by the library */
void
us_source_set_log_level(UsSource *source, int log_level)
{
	source->log_level = log_level;
	rd_kafka_set_log_level(source->rk, log_level < 0 ? 0 : log_level);
}

int
us_source_wake_fd(const UsSource *source)
{
	return source->wake_fd;
}

static UsEventKind
classify_error(rd_kafka_resp_err_t err)
{
	switch (err)
	{
		case RD_KAFKA_RESP_ERR__PARTITION_EOF:
			return US_EVENT_EOF;
		case RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED:
			return US_EVENT_NONE;	/* only what others look at cannot be told */
		case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
		case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
			return US_EVENT_OUT_OF_RANGE;
		case RD_KAFKA_RESP_ERR__AUTHENTICATION:
		case RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED:
			return US_EVENT_AUTHENTICATION;
		case RD_KAFKA_RESP_ERR__FATAL:
		case RD_KAFKA_RESP_ERR__DESTROY:
			return US_EVENT_FATAL;
		case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
		case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
		case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
		case RD_KAFKA_RESP_ERR__BAD_MSG:
			return US_EVENT_PARTITION_ERROR;
		default:
			return US_EVENT_TRANSIENT;
	}
}

static void
add_event(UsSource *source, rd_kafka_resp_err_t err, int32_t partition, int64_t offset,
		  const char *text)
{
	UsEvent    *event;

	if (source->nevents == US_KAFKA_MAX_EVENTS)
		return;
	event = &source->events[source->nevents++];
	event->kind = classify_error(err);
	event->partition = partition;
	event->offset = event->kind == US_EVENT_EOF ? offset : -1;
	if (event->kind == US_EVENT_AUTHENTICATION)
		us_kafka_authentication_text(source->options, text, event->text, sizeof(event->text));
	else
	{
		snprintf(event->text, sizeof(event->text), "%s", text ? text : rd_kafka_err2str(err));
		us_kafka_hide_secrets(source->options, event->text, sizeof(event->text));
	}
}

static void
add_log_line(UsSource *source, rd_kafka_event_t *from)
{
	UsEvent    *event;
	const char *facility;
	const char *text;
	int			level;

	if (rd_kafka_event_log(from, &facility, &text, &level) != 0 || level > source->log_level ||
		source->nevents == US_KAFKA_MAX_EVENTS)
		return;
	event = &source->events[source->nevents++];
	event->kind = US_EVENT_LOG;
	event->partition = -1;
	event->offset = -1;
	snprintf(event->text, sizeof(event->text), "%s: %s", facility, text);
	us_kafka_hide_secrets(source->options, event->text, sizeof(event->text));
}

/*
 * Some errors of partitions, a deleted topic's say, are kept for a callback by
 * the call that fetches messages, in the thread that makes it.
 */
static void
note_error(rd_kafka_t *rk, int err, const char *reason, void *opaque)
{
	(void) rk;

	add_event(opaque, err, -1, -1, reason);
}

/*
 * "All brokers are down" follows the error of the last of them, and comes
 * again where that one is left out because nothing new is in it: tell that.
 */
static void
tell_cause(UsSource *source, rd_kafka_resp_err_t err, UsEvent *event)
{
	if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
	{
		source->cause = event->kind;
		snprintf(source->cause_text, sizeof(source->cause_text), "%s", event->text);
	}
	else if (source->cause_text[0] != '\0')
	{
		event->kind = source->cause;
		snprintf(event->text, sizeof(event->text), "%s", source->cause_text);
	}
}

/* errors and logs of the handle, answers to published positions */
static void
poll_handle(UsSource *source)
{
	rd_kafka_event_t *event;

	while (source->nevents < US_KAFKA_MAX_EVENTS - CHUNK_MESSAGES &&
		   (event = rd_kafka_queue_poll(source->main, 0)) != NULL)
	{
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
		{
			rd_kafka_resp_err_t err = rd_kafka_event_error(event);

			if (rd_kafka_event_error_is_fatal(event))
				err = RD_KAFKA_RESP_ERR__FATAL;
			add_event(source, err, -1, -1, rd_kafka_event_error_string(event));
			tell_cause(source, err, &source->events[source->nevents - 1]);
		}
		else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_OFFSET_COMMIT)
			us_kafka_source_published(source, rd_kafka_event_error(event));
		else
			add_log_line(source, event);
		rd_kafka_event_destroy(event);
	}
}

static void
fill_message(UsMessage *message, rd_kafka_message_t *from)
{
	rd_kafka_timestamp_type_t type;

	message->topic = rd_kafka_topic_name(from->rkt);
	message->partition = from->partition;
	message->offset = from->offset;
	message->timestamp_ms = rd_kafka_message_timestamp(from, &type);
	if (type == RD_KAFKA_TIMESTAMP_NOT_AVAILABLE)
		message->timestamp_ms = -1;
	message->key = from->key;
	message->key_len = from->key_len;
	message->value = from->payload;
	message->value_len = from->len;
	message->handle = from;
}

static bool
is_broken(const UsSource *source, int32_t partition)
{
	for (int i = 0; i < source->nbroken; i++)
		if (source->broken[i] == partition)
			return true;
	return false;
}

/*
 * An error in the stream of a partition.  Behind bytes whose checksum is wrong,
 * that cannot be expanded or are of an unknown version the library goes on with
 * what it takes for the next messages, and may even move where it fetches: what
 * comes after them would be taken and they be lost.  So nothing more is taken of
 * the partition, ends and offsets out of range included, until another source
 * begins again before the error.
 */
static void
take_error(UsSource *source, rd_kafka_message_t *from)
{
	bool		of_partition = from->rkt != NULL && from->partition >= 0;
	UsEvent    *event;

	if (of_partition && is_broken(source, from->partition))
		return;
	add_event(source, from->err, of_partition ? from->partition : -1, from->offset,
			  rd_kafka_message_errstr(from));
	event = &source->events[source->nevents - 1];
	if (!of_partition ||
		(event->kind != US_EVENT_TRANSIENT && event->kind != US_EVENT_PARTITION_ERROR))
		return;
	event->kind = US_EVENT_PARTITION_ERROR;
	source->broken[source->nbroken++] = from->partition;
}

/*
 * One chunk a call: the caller bounds a batch by bytes as well and looks in
 * between.  A full chunk of events has room only when the earlier ones were
 * read; an offset out of range, say, is reported once and must not be lost.
 */
int
us_source_poll(UsSource *source, UsMessage *messages, int max)
{
	rd_kafka_message_t *chunk[CHUNK_MESSAGES];
	size_t		want = max < CHUNK_MESSAGES ? (size_t) max : CHUNK_MESSAGES;
	uint64_t	wakes;
	ssize_t		fetched;
	int			count = 0;

	/* first the descriptor, then the queues: what comes in between wakes again */
	while (read(source->wake_fd, &wakes, sizeof(wakes)) > 0)
		;
	poll_handle(source);
	if (source->nevents > US_KAFKA_MAX_EVENTS - CHUNK_MESSAGES)
		return 0;

	fetched = rd_kafka_consume_batch_queue(source->messages, 0, chunk, want);
	us_kafka_queue_took(source, chunk, fetched > 0 ? (size_t) fetched : 0);
	for (ssize_t i = 0; i < fetched; i++)
	{
		rd_kafka_message_t *from = chunk[i];

		if (from->err == RD_KAFKA_RESP_ERR_NO_ERROR && !is_broken(source, from->partition))
		{
			fill_message(&messages[count++], from);
			continue;
		}
		if (from->err != RD_KAFKA_RESP_ERR_NO_ERROR)
			take_error(source, from);
		rd_kafka_message_destroy(from);
	}

	return count;
}

bool
us_source_next_event(UsSource *source, UsEvent *event)
{
	if (source->first_event == source->nevents)
	{
		source->first_event = source->nevents = 0;
		return false;
	}
	*event = source->events[source->first_event++];
	return true;
}

void
us_source_release(UsSource *source, UsMessage *messages, int count)
{
	(void) source;

	for (int i = 0; i < count; i++)
		rd_kafka_message_destroy(messages[i].handle);
}

bool
us_source_header(const UsMessage *message, size_t i, UsHeader *header)
{
	rd_kafka_headers_t *headers;
	const void *value;

	if (rd_kafka_message_headers(message->handle, &headers) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return false;
	if (rd_kafka_header_get_all(headers, i, &header->name, &value,
								&header->value_len) != RD_KAFKA_RESP_ERR_NO_ERROR)
		return false;
	header->value = value;
	return true;
}

bool
us_source_close(UsSource *source, int timeout_ms)
{
	bool		closed;

	rd_kafka_queue_io_event_enable(source->messages, -1, NULL, 0);
	rd_kafka_queue_io_event_enable(source->main, -1, NULL, 0);
	rd_kafka_queue_destroy(source->messages);
	rd_kafka_queue_destroy(source->main);

	us_kafka_source_forget_watermarks(source);

	closed = us_kafka_destroy(source->rk, timeout_ms);

	/* threads left behind no longer write to it */
	close(source->wake_fd);
	free_source(source);
	return closed;
}
