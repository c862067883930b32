/*-------------------------------------------------------------------------
 * worker/kafka_queue.c
 *    how much librdkafka fetches ahead
 *
 * Runs in stream workers and where a topic is looked at, behind source.h,
 * before a handle is made: it cannot be changed afterwards.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include <librdkafka/rdkafka.h>

#include "worker/kafka_source.h"

/*
 * librdkafka without fetch.queue.backoff.ms waits a full second before it
 * asks again for a partition whose queue was full: the queue must hold more
 * than a second of consumption; a worker takes about twice its size.
 *
 * With the setting a small queue does, of 18 ms of the fastest stream.  Then it
 * is the answer to a fetch that counts: it comes on top of the queue, and small
 * messages take twenty times their compressed bytes.  So answers are small too,
 * which costs time only where a broker is far away.  Figures of all are in
 * test/bench/README.md.
 */
#define QUEUE_KB_WITHOUT_BACKOFF	(112 * 1024)
#define QUEUE_KB_WITH_BACKOFF		(4 * 1024)
#define FETCH_QUEUE_BACKOFF_MS		"5"
#define FETCH_PARTITION_BYTES		"262144"
#define FETCH_BYTES					"1048576"

static bool
has_backoff(void)
{
	static int	known = -1;		/* -1: not asked yet */
	char		ignored[256];

	if (known < 0)
	{
		rd_kafka_conf_t *conf = rd_kafka_conf_new();

		known = rd_kafka_conf_set(conf, "fetch.queue.backoff.ms", FETCH_QUEUE_BACKOFF_MS,
								  ignored, sizeof(ignored)) == RD_KAFKA_CONF_OK;
		rd_kafka_conf_destroy(conf);
	}
	return known == 1;
}

/* a default of ours, unless the user chose a value */
static void
set_default(rd_kafka_conf_t *conf, const UsSourceConfig *config,
			const char *name, const char *value)
{
	char		ignored[256];

	if (!us_kafka_option_is_set(config->options, name))
		(void) rd_kafka_conf_set(conf, name, value, ignored, sizeof(ignored));
}

static void
set_small_fetches(rd_kafka_conf_t *conf, const UsSourceConfig *config)
{
	set_default(conf, config, "fetch.queue.backoff.ms", FETCH_QUEUE_BACKOFF_MS);
	set_default(conf, config, "fetch.message.max.bytes", FETCH_PARTITION_BYTES);
	/* librdkafka refuses less than a message's size, a million by default */
	if (!us_kafka_option_is_set(config->options, "message.max.bytes"))
		set_default(conf, config, "fetch.max.bytes", FETCH_BYTES);
}

int
us_source_queue_limit_kb(void)
{
	return has_backoff() ? QUEUE_KB_WITH_BACKOFF : QUEUE_KB_WITHOUT_BACKOFF;
}

int
us_kafka_queue_set(rd_kafka_conf_t *conf, const UsSourceConfig *config)
{
	bool		own = us_kafka_option_is_set(config->options, "queued.max.messages.kbytes") ||
		us_kafka_option_is_set(config->options, "queued.min.messages");
	char		kb[32];
	char		count[32];
	size_t		size = sizeof(kb);

	if (has_backoff())
		set_small_fetches(conf, config);

	snprintf(kb, sizeof(kb), "%d", config->queue_memory_kb);
	set_default(conf, config, "queued.max.messages.kbytes", kb);

	/* the server's own value, where it has one */
	(void) rd_kafka_conf_get(conf, "queued.max.messages.kbytes", kb, &size);
	snprintf(count, sizeof(count), "%ld", atol(kb) * 1024 / US_QUEUE_MESSAGE_BYTES);
	set_default(conf, config, "queued.min.messages", count);

	/* data still wakes a waiting fetch at once; idle, this is the only traffic */
	set_default(conf, config, "fetch.wait.max.ms", "5000");
	set_default(conf, config, "check.crcs", "true");
	set_default(conf, config, "isolation.level", "read_committed");
	set_default(conf, config, "reconnect.backoff.max.ms", "2000");

	return own ? 0 : config->queue_memory_kb;
}

int
us_source_queue_kb(const UsSource *source)
{
	return source->queue_kb;
}
