/*-------------------------------------------------------------------------
 * extension/kafka_produce.c
 *    messages into topics by librdkafka's idempotent producer, confirmed
 *
 * Runs in the backend that runs a feed.  Reports come as events, so no
 * callback of librdkafka's runs here.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "extension/kafka_produce.h"

#define DEFAULT_TIMEOUT_MS	"30000" /* librdkafka's own 5 minutes are a whole run */
#define DEFAULT_QUEUE_KB	"65536"

struct UsProducer
{
	rd_kafka_t *rk;
	rd_kafka_queue_t *events;
	UsOptionList options;		/* a malloc'd copy */
	int			timeout_ms;
	bool		broken;			/* a fatal error; only a new one can go on */
	char		cause[512];
	UsDelivery	delivery;
	int			ranges_capacity;
	int			returned_capacity;
};

/* ---- options ---- */

static void
free_options(UsOptionList *options)
{
	for (int i = 0; i < options->count; i++)
	{
		free(options->items[i].name);
		free(options->items[i].value);
	}
	free(options->items);
}

static bool
copy_options(const UsOptionList *from, UsOptionList *to)
{
	to->items = calloc((size_t) from->count + 1, sizeof(UsOption));
	if (to->items == NULL)
		return false;
	for (int i = 0; i < from->count; i++)
	{
		to->items[i].name = strdup(from->items[i].name);
		to->items[i].value = strdup(from->items[i].value);
		to->count++;
		if (to->items[i].name == NULL || to->items[i].value == NULL)
			return false;
	}
	return true;
}

bool
us_producer_fits(const UsProducer *producer, const UsOptionList *options)
{
	if (producer->broken || producer->options.count != options->count)
		return false;
	for (int i = 0; i < options->count; i++)
		if (strcmp(producer->options.items[i].name, options->items[i].name) != 0 ||
			strcmp(producer->options.items[i].value, options->items[i].value) != 0)
			return false;
	return true;
}

/* ---- making and ending ---- */

static bool
set_default(rd_kafka_conf_t *conf, const UsOptionList *options, const char *name,
			const char *value, char *errstr, size_t errstr_size)
{
	return us_kafka_option_is_set(options, name) ||
		rd_kafka_conf_set(conf, name, value, errstr, errstr_size) == RD_KAFKA_CONF_OK;
}

static bool
set_own_properties(rd_kafka_conf_t *conf, const UsOptionList *options,
				   char *errstr, size_t errstr_size)
{
	rd_kafka_conf_set_log_cb(conf, NULL);
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR | RD_KAFKA_EVENT_DR);
	return rd_kafka_conf_set(conf, "client.id", "userstream", errstr, errstr_size) == RD_KAFKA_CONF_OK &&
		rd_kafka_conf_set(conf, "enable.idempotence", "true", errstr, errstr_size) == RD_KAFKA_CONF_OK &&
		set_default(conf, options, "message.timeout.ms", DEFAULT_TIMEOUT_MS, errstr, errstr_size) &&
		set_default(conf, options, "queue.buffering.max.kbytes", DEFAULT_QUEUE_KB, errstr, errstr_size);
}

static int
number_property(const rd_kafka_conf_t *conf, const char *name)
{
	char		text[32];
	size_t		size = sizeof(text);

	if (rd_kafka_conf_get(conf, name, text, &size) != RD_KAFKA_CONF_OK)
		return 0;
	return atoi(text);
}

UsProducer *
us_producer_open(const UsOptionList *options, char *errstr, size_t errstr_size)
{
	UsProducer *producer = calloc(1, sizeof(UsProducer));
	rd_kafka_conf_t *conf;

	if (producer == NULL || !copy_options(options, &producer->options))
	{
		snprintf(errstr, errstr_size, "out of memory");
		us_producer_close(producer, 0);
		return NULL;
	}
	conf = us_kafka_conf_create(options, errstr, errstr_size);
	if (conf == NULL)
	{
		us_producer_close(producer, 0);
		return NULL;
	}
	if (set_own_properties(conf, options, errstr, errstr_size))
	{
		producer->timeout_ms = number_property(conf, "message.timeout.ms");
		producer->rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, errstr_size);
	}
	if (producer->rk == NULL)
	{
		us_kafka_hide_secrets(options, errstr, errstr_size);
		rd_kafka_conf_destroy(conf);
		us_producer_close(producer, 0);
		return NULL;
	}
	producer->events = rd_kafka_queue_get_main(producer->rk);
	return producer;
}

int
us_producer_timeout_ms(const UsProducer *producer)
{
	return producer->timeout_ms;
}

void
us_producer_close(UsProducer *producer, int timeout_ms)
{
	if (producer == NULL)
		return;
	if (producer->rk != NULL)
	{
		/* what waits in queues would be sent by the end of the handle */
		rd_kafka_purge(producer->rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT |
					   RD_KAFKA_PURGE_F_NON_BLOCKING);
		rd_kafka_queue_destroy(producer->events);
		us_kafka_destroy(producer->rk, timeout_ms);
	}
	free_options(&producer->options);
	free(producer->delivery.ranges);
	free(producer->delivery.returned);
	free(producer);
}

/* ---- reports ---- */

static void
note_offset(UsProducer *producer, int32_t partition, int64_t offset)
{
	UsDelivery *delivery = &producer->delivery;
	UsOffsetRange *range;

	for (int i = 0; i < delivery->nranges; i++)
	{
		range = &delivery->ranges[i];
		if (range->partition != partition)
			continue;
		if (offset < range->first)
			range->first = offset;
		if (offset > range->last)
			range->last = offset;
		return;
	}
	if (delivery->nranges == producer->ranges_capacity)
	{
		int			capacity = producer->ranges_capacity * 2 + 16;
		UsOffsetRange *longer;

		longer = realloc(delivery->ranges, sizeof(UsOffsetRange) * (size_t) capacity);
		/* without memory the range is missing, the message is not */
		if (longer == NULL)
			return;
		delivery->ranges = longer;
		producer->ranges_capacity = capacity;
	}
	delivery->ranges[delivery->nranges++] = (UsOffsetRange) {partition, offset, offset};
}

static void
note_failure(UsProducer *producer, rd_kafka_resp_err_t err)
{
	UsDelivery *delivery = &producer->delivery;

	delivery->failed++;
	if (delivery->error[0] != '\0')
		return;
	if (err == RD_KAFKA_RESP_ERR__MSG_TIMED_OUT && producer->cause[0] != '\0')
		snprintf(delivery->error, sizeof(delivery->error), "no broker took it in time: %.400s",
				 producer->cause);
	else
		snprintf(delivery->error, sizeof(delivery->error), "%s", rd_kafka_err2str(err));
}

/* false when there is no memory to note it */
static bool
note_return(UsProducer *producer, const rd_kafka_message_t *message)
{
	UsDelivery *delivery = &producer->delivery;

	if (delivery->nreturned == producer->returned_capacity)
	{
		int			capacity = producer->returned_capacity * 2 + 256;
		int		   *longer = realloc(delivery->returned, sizeof(int) * (size_t) capacity);

		if (longer == NULL)
			return false;
		delivery->returned = longer;
		producer->returned_capacity = capacity;
	}
	delivery->returned[delivery->nreturned++] = (int) (intptr_t) message->_private;
	delivery->sent--;
	snprintf(delivery->return_error, sizeof(delivery->return_error), "%s",
			 rd_kafka_err2str(message->err));
	return true;
}

static void
take_reports(UsProducer *producer, rd_kafka_event_t *event)
{
	const rd_kafka_message_t *message;

	while ((message = rd_kafka_event_message_next(event)) != NULL)
	{
		if (message->err == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE && note_return(producer, message))
			continue;
		if (message->err)
			note_failure(producer, message->err);
		else
		{
			producer->delivery.delivered++;
			note_offset(producer, message->partition, message->offset);
		}
	}
}

static void
take_error(UsProducer *producer, rd_kafka_event_t *event)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);

	if (err == RD_KAFKA_RESP_ERR__FATAL)
		producer->broken = true;
	if (err == RD_KAFKA_RESP_ERR__AUTHENTICATION)
	{
		producer->delivery.refused_login = true;
		us_kafka_authentication_text(&producer->options, rd_kafka_event_error_string(event),
									 producer->cause, sizeof(producer->cause));
	}
	else if (err != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN || producer->cause[0] == '\0')
	{
		snprintf(producer->cause, sizeof(producer->cause), "%s",
				 rd_kafka_event_error_string(event));
		us_kafka_hide_secrets(&producer->options, producer->cause, sizeof(producer->cause));
	}
}

int64_t
us_producer_poll(UsProducer *producer, int wait_ms)
{
	const UsDelivery *delivery = &producer->delivery;
	rd_kafka_event_t *event;

	while ((event = rd_kafka_queue_poll(producer->events, wait_ms)) != NULL)
	{
		if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR)
			take_reports(producer, event);
		else if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_ERROR)
			take_error(producer, event);
		rd_kafka_event_destroy(event);
		wait_ms = 0;
	}
	return delivery->sent - delivery->delivered - delivery->failed;
}

/* ---- sending ---- */

void
us_producer_begin(UsProducer *producer)
{
	UsOffsetRange *ranges = producer->delivery.ranges;
	int		   *returned = producer->delivery.returned;

	memset(&producer->delivery, 0, sizeof(producer->delivery));
	producer->delivery.ranges = ranges;
	producer->delivery.returned = returned;
	producer->cause[0] = '\0';
}

UsSendResult
us_producer_send(UsProducer *producer, const char *topic, const UsFeedMessage *message,
				 int number, char *errstr, size_t errstr_size)
{
	rd_kafka_resp_err_t err;

	err = rd_kafka_producev(producer->rk,
							RD_KAFKA_V_TOPIC(topic),
							RD_KAFKA_V_KEY(message->key, (size_t) message->key_len),
							RD_KAFKA_V_VALUE(message->value, (size_t) message->value_len),
							RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
							RD_KAFKA_V_OPAQUE((void *) (intptr_t) number),
							RD_KAFKA_V_END);
	switch (err)
	{
		case RD_KAFKA_RESP_ERR_NO_ERROR:
			producer->delivery.sent++;
			return US_SEND_OK;
		case RD_KAFKA_RESP_ERR__QUEUE_FULL:
			return US_SEND_FULL;
		case RD_KAFKA_RESP_ERR__FATAL:
			producer->broken = true;
			/* FALLTHROUGH */
		default:
			snprintf(errstr, errstr_size, "%s", rd_kafka_err2str(err));
			return US_SEND_FAILED;
	}
}

void
us_producer_clear_returned(UsProducer *producer)
{
	producer->delivery.nreturned = 0;
}

const UsDelivery *
us_producer_delivery(const UsProducer *producer)
{
	return &producer->delivery;
}

const char *
us_producer_cause(const UsProducer *producer)
{
	return producer->cause;
}
