/*-------------------------------------------------------------------------
 * test/servers/topic.c
 *    makes, deletes, grows and trims Kafka topics for tests and demo, and
 *    produces messages of given times
 *
 * usage: topic ADDRESS create NAME:PARTITIONS[:property=value]...  ...
 *        topic ADDRESS delete NAME ...
 *        topic ADDRESS grow   NAME:PARTITIONS ...
 *        topic ADDRESS trim   NAME:PARTITION:OFFSET ...
 *        topic ADDRESS stamp  NAME:PARTITION:TIME[:TIME]... ...
 *
 * Kafka's own tool starts a Java machine for each call, a second or two; this
 * takes some milliseconds, and several topics a call.  It comes back only
 * when the broker's metadata shows the change (each partition has a leader;
 * a deleted topic is gone), so that who calls need not wait himself.
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <librdkafka/rdkafka.h>

#define TIMEOUT_MS		30000	/* of a request, and of the wait after it */
#define PROPERTIES_MAX	16

/* NAME:NUMBER:REST, cut at its colons */
typedef struct Spec
{
	char	   *name;
	long		number;			/* partitions, or partition; -1 = not given */
	char	   *rest[PROPERTIES_MAX];
	int			nrest;
} Spec;

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "topic: %s: %s\n", what, why);
	exit(1);
}

static Spec
parse_spec(char *text)
{
	Spec		spec = {text, -1, {NULL}, 0};
	char	   *part;
	char	   *end;

	strtok(text, ":");
	part = strtok(NULL, ":");
	if (part != NULL)
	{
		spec.number = strtol(part, &end, 10);
		if (*end != '\0' || spec.number < 0)
			fail(part, "not a number");
	}
	while ((part = strtok(NULL, ":")) != NULL)
	{
		if (spec.nrest == PROPERTIES_MAX)
			fail(text, "too many properties");
		spec.rest[spec.nrest++] = part;
	}
	return spec;
}

static void
nap(void)
{
	struct timespec ms20 = {0, 20 * 1000 * 1000};

	nanosleep(&ms20, NULL);
}

/* all partitions of a topic have a leader (wanted > 0), or it is gone (0) */
static bool
topic_is_ready(rd_kafka_t *rk, const char *name, long wanted)
{
	const struct rd_kafka_metadata *metadata;
	rd_kafka_topic_t *topic = rd_kafka_topic_new(rk, name, NULL);
	bool		ready = false;

	if (rd_kafka_metadata(rk, 0, topic, &metadata, TIMEOUT_MS) == RD_KAFKA_RESP_ERR_NO_ERROR)
	{
		const struct rd_kafka_metadata_topic *found = &metadata->topics[0];

		if (wanted == 0)
			ready = metadata->topic_cnt == 0 ||
				found->err == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART;
		else if (metadata->topic_cnt == 1 && found->err == RD_KAFKA_RESP_ERR_NO_ERROR &&
				 found->partition_cnt == wanted)
		{
			ready = true;
			for (int i = 0; i < found->partition_cnt; i++)
				if (found->partitions[i].leader < 0)
					ready = false;
		}
		rd_kafka_metadata_destroy(metadata);
	}
	rd_kafka_topic_destroy(topic);
	return ready;
}

static void
wait_until_ready(rd_kafka_t *rk, const Spec *specs, int count, bool gone)
{
	time_t		end = time(NULL) + TIMEOUT_MS / 1000;

	for (int i = 0; i < count; i++)
	{
		while (!topic_is_ready(rk, specs[i].name, gone ? 0 : specs[i].number))
		{
			if (time(NULL) > end)
				fail(specs[i].name, "the broker's metadata does not show the change");
			nap();
		}
	}
}

/* the results per topic that an answer holds; NULL for a kind without */
static const rd_kafka_topic_result_t **
topic_results(rd_kafka_event_t *event, size_t *count)
{
	*count = 0;
	switch (rd_kafka_event_type(event))
	{
		case RD_KAFKA_EVENT_CREATETOPICS_RESULT:
			return rd_kafka_CreateTopics_result_topics
				(rd_kafka_event_CreateTopics_result(event), count);
		case RD_KAFKA_EVENT_DELETETOPICS_RESULT:
			return rd_kafka_DeleteTopics_result_topics
				(rd_kafka_event_DeleteTopics_result(event), count);
		case RD_KAFKA_EVENT_CREATEPARTITIONS_RESULT:
			return rd_kafka_CreatePartitions_result_topics
				(rd_kafka_event_CreatePartitions_result(event), count);
		default:
			return NULL;
	}
}

/* takes the answer of an admin request and ends the program on any error */
static void
check_answer(rd_kafka_queue_t *queue)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);
	const rd_kafka_topic_result_t **topics;
	size_t		count;

	if (event == NULL)
		fail("no answer", "timeout");
	if (rd_kafka_event_error(event))
		fail("request failed", rd_kafka_event_error_string(event));
	topics = topic_results(event, &count);
	for (size_t i = 0; i < count; i++)
		if (rd_kafka_topic_result_error(topics[i]))
			fail(rd_kafka_topic_result_name(topics[i]),
				 rd_kafka_topic_result_error_string(topics[i]));
	if (rd_kafka_event_type(event) == RD_KAFKA_EVENT_DELETERECORDS_RESULT)
	{
		const rd_kafka_topic_partition_list_t *list =
			rd_kafka_DeleteRecords_result_offsets(rd_kafka_event_DeleteRecords_result(event));

		for (int i = 0; i < list->cnt; i++)
			if (list->elems[i].err)
				fail(list->elems[i].topic, rd_kafka_err2str(list->elems[i].err));
	}
	rd_kafka_event_destroy(event);
}

static void
create_topics(rd_kafka_t *rk, rd_kafka_queue_t *queue, const Spec *specs, int count)
{
	rd_kafka_NewTopic_t **topics = calloc(count, sizeof(*topics));
	char		errstr[256];

	for (int i = 0; i < count; i++)
	{
		if (specs[i].number <= 0)
			fail(specs[i].name, "needs a number of partitions");
		topics[i] = rd_kafka_NewTopic_new(specs[i].name, (int) specs[i].number, 1,
										  errstr, sizeof(errstr));
		if (topics[i] == NULL)
			fail(specs[i].name, errstr);
		for (int j = 0; j < specs[i].nrest; j++)
		{
			char	   *value = strchr(specs[i].rest[j], '=');

			if (value == NULL)
				fail(specs[i].rest[j], "not property=value");
			*value = '\0';
			rd_kafka_NewTopic_set_config(topics[i], specs[i].rest[j], value + 1);
		}
	}
	rd_kafka_CreateTopics(rk, topics, count, NULL, queue);
	check_answer(queue);
	wait_until_ready(rk, specs, count, false);
	rd_kafka_NewTopic_destroy_array(topics, count);
	free(topics);
}

static void
delete_topics(rd_kafka_t *rk, rd_kafka_queue_t *queue, const Spec *specs, int count)
{
	rd_kafka_DeleteTopic_t **topics = calloc(count, sizeof(*topics));

	for (int i = 0; i < count; i++)
		topics[i] = rd_kafka_DeleteTopic_new(specs[i].name);
	rd_kafka_DeleteTopics(rk, topics, count, NULL, queue);
	check_answer(queue);
	wait_until_ready(rk, specs, count, true);
	rd_kafka_DeleteTopic_destroy_array(topics, count);
	free(topics);
}

static void
grow_topics(rd_kafka_t *rk, rd_kafka_queue_t *queue, const Spec *specs, int count)
{
	rd_kafka_NewPartitions_t **topics = calloc(count, sizeof(*topics));
	char		errstr[256];

	for (int i = 0; i < count; i++)
	{
		topics[i] = rd_kafka_NewPartitions_new(specs[i].name, (size_t) specs[i].number,
											   errstr, sizeof(errstr));
		if (topics[i] == NULL)
			fail(specs[i].name, errstr);
	}
	rd_kafka_CreatePartitions(rk, topics, count, NULL, queue);
	check_answer(queue);
	wait_until_ready(rk, specs, count, false);
	rd_kafka_NewPartitions_destroy_array(topics, count);
	free(topics);
}

/* deletes the messages before an offset, as retention would */
static void
trim_topics(rd_kafka_t *rk, rd_kafka_queue_t *queue, const Spec *specs, int count)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(count);
	rd_kafka_DeleteRecords_t *request;

	for (int i = 0; i < count; i++)
	{
		if (specs[i].number < 0 || specs[i].nrest != 1)
			fail(specs[i].name, "needs NAME:PARTITION:OFFSET");
		rd_kafka_topic_partition_list_add(list, specs[i].name, (int32_t) specs[i].number)->offset =
			strtoll(specs[i].rest[0], NULL, 10);
	}
	request = rd_kafka_DeleteRecords_new(list);
	rd_kafka_DeleteRecords(rk, &request, 1, NULL, queue);
	check_answer(queue);
	rd_kafka_DeleteRecords_destroy(request);
	rd_kafka_topic_partition_list_destroy(list);
}

/* an empty object for each time, in milliseconds since 1970; kcat cannot set them */
static void
stamp_topics(rd_kafka_t *rk, const Spec *specs, int count)
{
	for (int i = 0; i < count; i++)
		for (int j = 0; j < specs[i].nrest; j++)
		{
			rd_kafka_resp_err_t err;

			err = rd_kafka_producev(rk, RD_KAFKA_V_TOPIC(specs[i].name),
									RD_KAFKA_V_PARTITION((int32_t) specs[i].number),
									RD_KAFKA_V_VALUE("{}", 2),
									RD_KAFKA_V_TIMESTAMP(strtoll(specs[i].rest[j], NULL, 10)),
									RD_KAFKA_V_END);
			if (err)
				fail(specs[i].name, rd_kafka_err2str(err));
		}
	if (rd_kafka_flush(rk, TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail("stamp", "not delivered in time");
}

static rd_kafka_t *
open_handle(const char *address)
{
	const char *settings[][2] = {
		{"bootstrap.servers", address},
		{"reconnect.backoff.ms", "20"},
		{"reconnect.backoff.max.ms", "200"},
		{"log_level", "3"},
	};
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	rd_kafka_t *rk;
	char		errstr[256];

	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (rd_kafka_conf_set(conf, settings[i][0], settings[i][1],
							  errstr, sizeof(errstr)) != RD_KAFKA_CONF_OK)
			fail(settings[i][0], errstr);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, sizeof(errstr));
	if (rk == NULL)
		fail(address, errstr);
	return rk;
}

int
main(int argc, char **argv)
{
	int			count = argc - 3;
	const char *verb;
	Spec	   *specs;
	rd_kafka_t *rk;
	rd_kafka_queue_t *queue;

	if (count < 1)
		fail("usage", "topic ADDRESS create|delete|grow|trim|stamp NAME[:..] ...");
	verb = argv[2];
	specs = calloc(count, sizeof(*specs));
	for (int i = 0; i < count; i++)
		specs[i] = parse_spec(argv[i + 3]);
	rk = open_handle(argv[1]);
	queue = rd_kafka_queue_new(rk);

	if (strcmp(verb, "create") == 0)
		create_topics(rk, queue, specs, count);
	else if (strcmp(verb, "delete") == 0)
		delete_topics(rk, queue, specs, count);
	else if (strcmp(verb, "grow") == 0)
		grow_topics(rk, queue, specs, count);
	else if (strcmp(verb, "trim") == 0)
		trim_topics(rk, queue, specs, count);
	else if (strcmp(verb, "stamp") == 0)
		stamp_topics(rk, specs, count);
	else
		fail(verb, "unknown verb");

	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
	free(specs);
	return 0;
}
