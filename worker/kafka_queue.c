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
 * The library stops fetching when its queue is full, and looks again whether
 * there is room after fetch.queue.backoff.ms; versions that lack the setting do
 * after a second, or when their threads are woken.  So with these it is woken,
 * each time when much was taken.
 *
 * Then a small queue does, of some 10 ms of the fastest stream, and it is the
 * answer to a fetch that counts: it comes on top of the queue, and small
 * messages take twenty times their compressed bytes.  So answers are small too,
 * which costs time only where a broker is far away.  Figures of all are in
 * test/bench/README.md.
 */
#define QUEUE_KB				(4 * 1024)
#define FETCH_QUEUE_BACKOFF_MS	"5"
#define FETCH_PARTITION_BYTES	"262144"
#define FETCH_BYTES				"1048576"
#define WAKES_A_QUEUE			4

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
	if (has_backoff())
		set_default(conf, config, "fetch.queue.backoff.ms", FETCH_QUEUE_BACKOFF_MS);
	set_default(conf, config, "fetch.message.max.bytes", FETCH_PARTITION_BYTES);
	/* librdkafka refuses less than a message's size, a million by default */
	if (!us_kafka_option_is_set(config->options, "message.max.bytes"))
		set_default(conf, config, "fetch.max.bytes", FETCH_BYTES);
}

void
us_kafka_queue_set(rd_kafka_conf_t *conf, const UsSourceConfig *config)
{
	char		kb[32];
	char		count[32];
	size_t		size = sizeof(kb);

	set_small_fetches(conf, config);

	snprintf(kb, sizeof(kb), "%d",
			 config->queue_memory_kb > 0 ? config->queue_memory_kb : QUEUE_KB);
	set_default(conf, config, "queued.max.messages.kbytes", kb);

	/* the server's own value, where it has one */
	(void) rd_kafka_conf_get(conf, "queued.max.messages.kbytes", kb, &size);
	snprintf(count, sizeof(count), "%ld", atol(kb) * 1024 / US_QUEUE_MESSAGE_BYTES);
	set_default(conf, config, "queued.min.messages", count);

	/*
	 * Data still ends a fetch that waits at once; idle, this is the only
	 * traffic.  But a broker is asked one thing at a time: room in the queue
	 * may be seen by partitions at their end alone, and then the others have to
	 * wait with them.
	 */
	if (config->nassignments == 1)
		set_default(conf, config, "fetch.wait.max.ms", "5000");
	set_default(conf, config, "check.crcs", "true");
	set_default(conf, config, "isolation.level", "read_committed");
	set_default(conf, config, "reconnect.backoff.max.ms", "2000");
}

static int64_t
number_of(const rd_kafka_conf_t *conf, const char *name)
{
	char		value[32];
	size_t		size = sizeof(value);

	return rd_kafka_conf_get(conf, name, value, &size) == RD_KAFKA_CONF_OK ? atoll(value) : 0;
}

void
us_kafka_queue_begin(UsSource *source)
{
	const rd_kafka_conf_t *conf = rd_kafka_conf(source->rk);
	int64_t		bytes = number_of(conf, "queued.max.messages.kbytes") * 1024;
	int64_t		count = number_of(conf, "queued.min.messages");

	if (has_backoff())
		return;
	if (bytes > count * US_QUEUE_MESSAGE_BYTES)
		bytes = count * US_QUEUE_MESSAGE_BYTES;
	source->wake_bytes = bytes / WAKES_A_QUEUE + 1;
}

void
us_kafka_queue_took(UsSource *source, rd_kafka_message_t **messages, size_t count)
{
	if (source->wake_bytes == 0)
		return;
	for (size_t i = 0; i < count; i++)
		source->taken_bytes += messages[i]->len > US_QUEUE_MESSAGE_BYTES ?
			(int64_t) messages[i]->len : US_QUEUE_MESSAGE_BYTES;

	/* once more when nothing is left */
	if (source->taken_bytes < (count > 0 ? source->wake_bytes : 1))
		return;
	source->taken_bytes = 0;
	us_kafka_wake(source->rk, source->options);
}
