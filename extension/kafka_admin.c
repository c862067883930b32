/*-------------------------------------------------------------------------
 * extension/kafka_admin.c
 *    makes a topic
 *
 * Called where a feed with option create_topic is defined or run.  A handle
 * is made and ended here; a topic that is there already is left as it is.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#include "extension/kafka_admin.h"

#define SLICE_MS			100		/* between two looks at the caller's wish to stop */
#define DESTROY_MS			500

static rd_kafka_t *
open_handle(const UsOptionList *options, char *errstr, size_t errstr_size)
{
	rd_kafka_conf_t *conf = us_kafka_conf_create(options, errstr, errstr_size);
	rd_kafka_t *rk;

	if (conf == NULL)
		return NULL;
	rd_kafka_conf_set_log_cb(conf, NULL);
	/* errors of connections come as the answer, which is late then */
	rd_kafka_conf_set_events(conf, RD_KAFKA_EVENT_ERROR);
	if (rd_kafka_conf_set(conf, "client.id", "userstream", errstr, errstr_size) != RD_KAFKA_CONF_OK ||
		(rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, errstr_size)) == NULL)
	{
		us_kafka_hide_secrets(options, errstr, errstr_size);
		rd_kafka_conf_destroy(conf);
		return NULL;
	}
	return rk;
}

static UsTopicResult
result_of(rd_kafka_resp_err_t err)
{
	switch (err)
	{
		case RD_KAFKA_RESP_ERR_NO_ERROR:
		case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS:
			return US_TOPIC_OK;
		case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
		case RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED:
			return US_TOPIC_NOT_AUTHORIZED;
		case RD_KAFKA_RESP_ERR__TIMED_OUT:
		case RD_KAFKA_RESP_ERR__TRANSPORT:
		case RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT:
			return US_TOPIC_UNREACHABLE;
		default:
			return US_TOPIC_FAILED;
	}
}

/* the answer about our one topic */
static UsTopicResult
read_answer(rd_kafka_event_t *event, char *errstr, size_t errstr_size)
{
	rd_kafka_resp_err_t err = rd_kafka_event_error(event);
	const char *text = rd_kafka_event_error_string(event);

	if (!err)
	{
		size_t		count = 0;
		const rd_kafka_topic_result_t **topics;

		topics = rd_kafka_CreateTopics_result_topics(rd_kafka_event_CreateTopics_result(event),
													 &count);
		if (count == 1)
		{
			err = rd_kafka_topic_result_error(topics[0]);
			text = rd_kafka_topic_result_error_string(topics[0]);
		}
	}
	snprintf(errstr, errstr_size, "%s", text != NULL ? text : rd_kafka_err2str(err));
	return result_of(err);
}

static UsTopicResult
wait_for_answer(rd_kafka_queue_t *queue, int timeout_ms, bool (*interrupted) (void),
				char *errstr, size_t errstr_size)
{
	for (int waited_ms = 0; waited_ms < timeout_ms + SLICE_MS; waited_ms += SLICE_MS)
	{
		rd_kafka_event_t *event = rd_kafka_queue_poll(queue, SLICE_MS);

		if (event != NULL)
		{
			UsTopicResult result = read_answer(event, errstr, errstr_size);

			rd_kafka_event_destroy(event);
			return result;
		}
		if (interrupted != NULL && interrupted())
		{
			snprintf(errstr, errstr_size, "interrupted");
			return US_TOPIC_INTERRUPTED;
		}
	}
	snprintf(errstr, errstr_size, "no answer in time");
	return US_TOPIC_UNREACHABLE;
}

UsTopicResult
us_kafka_topic_create(const UsOptionList *options, const char *topic,
					  int partitions, int replication_factor,
					  int timeout_ms, bool (*interrupted) (void),
					  char *errstr, size_t errstr_size)
{
	rd_kafka_t *rk = open_handle(options, errstr, errstr_size);
	UsTopicResult result = US_TOPIC_FAILED;
	rd_kafka_NewTopic_t *wanted;
	rd_kafka_AdminOptions_t *admin;
	rd_kafka_queue_t *queue;

	if (rk == NULL)
		return US_TOPIC_FAILED;
	wanted = rd_kafka_NewTopic_new(topic, partitions, replication_factor, errstr, errstr_size);
	admin = rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
	queue = rd_kafka_queue_new(rk);
	if (wanted != NULL &&
		rd_kafka_AdminOptions_set_request_timeout(admin, timeout_ms, errstr, errstr_size) ==
		RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		rd_kafka_CreateTopics(rk, &wanted, 1, admin, queue);
		result = wait_for_answer(queue, timeout_ms, interrupted, errstr, errstr_size);
	}
	if (wanted != NULL)
		rd_kafka_NewTopic_destroy(wanted);
	rd_kafka_AdminOptions_destroy(admin);
	rd_kafka_queue_destroy(queue);
	us_kafka_destroy(rk, DESTROY_MS);
	us_kafka_hide_secrets(options, errstr, errstr_size);
	return result;
}
