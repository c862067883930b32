/*-------------------------------------------------------------------------
 * test/servers/produce.c
 *    produces what kcat cannot: transactions, times, nulls, any bytes
 *
 * usage: produce ADDRESS TOPIC [property=value]... < script
 *
 * A line of the script is fields with tabs between them, by one producer of
 * several that take turns:
 *        PRODUCER begin | commit | abort | flush
 *        PRODUCER send PARTITION TIME KEY VALUE [HEADER=VALUE | HEADER]...
 * Producer "-" has no transactions, every other name is one of a
 * transactional producer.  TIME is in ms, 0 = now.  \N is null; \t \n \\ and
 * \xHH are bytes; a header without "=" has a null value.  The end of the
 * script flushes; a transaction that is open then stays open.
 *-------------------------------------------------------------------------
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#define TIMEOUT_MS		30000
#define PRODUCERS_MAX	8
#define FIELDS_MAX		1024

/* a field, decoded in place; bytes NULL = null */
typedef struct Field
{
	char	   *bytes;
	size_t		len;
} Field;

typedef struct Producer
{
	char	   *name;
	rd_kafka_t *rk;
} Producer;

static const char *address;
static const char *topic;
static char **properties;
static int	nproperties;
static Producer producers[PRODUCERS_MAX];
static int	nproducers;
static int	undelivered;

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "produce: %s: %s\n", what, why);
	exit(1);
}

static void
check(rd_kafka_error_t *error, const char *what)
{
	if (error != NULL)
		fail(what, rd_kafka_error_string(error));
}

static void
note_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
	(void) rk;
	(void) opaque;

	/* what an abort throws away was meant to go */
	if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR ||
		message->err == RD_KAFKA_RESP_ERR__PURGE_QUEUE ||
		message->err == RD_KAFKA_RESP_ERR__PURGE_INFLIGHT)
		return;
	fprintf(stderr, "produce: not delivered: %s\n", rd_kafka_err2str(message->err));
	undelivered++;
}

static void
set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
	char		errstr[256];

	if (rd_kafka_conf_set(conf, name, value, errstr, sizeof(errstr)) != RD_KAFKA_CONF_OK)
		fail(name, errstr);
}

static rd_kafka_t *
open_producer(const char *name)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	bool		transactional = strcmp(name, "-") != 0;
	rd_kafka_t *rk;
	char		errstr[256];

	set(conf, "bootstrap.servers", address);
	set(conf, "linger.ms", "20");
	set(conf, "queue.buffering.max.messages", "1000000");
	set(conf, "log_level", "3");
	/* else a request that is sent again overtakes the ones before it */
	set(conf, "enable.idempotence", "true");
	for (int i = 0; i < nproperties; i++)
	{
		char	   *property = strdup(properties[i]);
		char	   *value = strchr(property, '=');

		if (value == NULL)
			fail(property, "not property=value");
		*value = '\0';
		set(conf, property, value + 1);
		free(property);
	}
	if (transactional)
	{
		snprintf(errstr, sizeof(errstr), "%s.%s", topic, name);
		set(conf, "transactional.id", errstr);
	}
	rd_kafka_conf_set_dr_msg_cb(conf, note_delivery);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, sizeof(errstr));
	if (rk == NULL)
		fail(address, errstr);
	if (transactional)
		check(rd_kafka_init_transactions(rk, TIMEOUT_MS), "init");
	return rk;
}

static rd_kafka_t *
find_producer(const char *name)
{
	for (int i = 0; i < nproducers; i++)
		if (strcmp(producers[i].name, name) == 0)
			return producers[i].rk;
	if (nproducers == PRODUCERS_MAX)
		fail(name, "too many producers");
	producers[nproducers].name = strdup(name);
	producers[nproducers].rk = open_producer(name);
	return producers[nproducers++].rk;
}

static int
hex_value(char digit)
{
	const char *digits = "0123456789abcdef";
	const char *found = digit == '\0' ? NULL : strchr(digits, digit);

	if (found == NULL)
		fail("\\x", "needs two digits 0-9a-f");
	return (int) (found - digits);
}

static Field
decode_field(char *text)
{
	Field		field = {text, 0};
	char	   *from = text;

	if (strcmp(text, "\\N") == 0)
		return (Field) {NULL, 0};
	while (*from != '\0')
	{
		char		c = *from++;

		if (c == '\\')
		{
			c = *from++;
			if (c == 'x')
			{
				c = (char) (hex_value(from[0]) * 16 + hex_value(from[1]));
				from += 2;
			}
			else if (c == 't')
				c = '\t';
			else if (c == 'n')
				c = '\n';
			else if (c != '\\')
				fail(text, "unknown escape");
		}
		field.bytes[field.len++] = c;
	}
	return field;
}

static rd_kafka_headers_t *
make_headers(char **fields, int count)
{
	rd_kafka_headers_t *headers = rd_kafka_headers_new((size_t) count);

	for (int i = 0; i < count; i++)
	{
		char	   *value = strchr(fields[i], '=');
		Field		decoded = {NULL, 0};

		if (value != NULL)
		{
			*value = '\0';
			decoded = decode_field(value + 1);
		}
		rd_kafka_header_add(headers, fields[i], -1, decoded.bytes, (ssize_t) decoded.len);
	}
	return headers;
}

static void
send_message(rd_kafka_t *rk, char **fields, int count)
{
	Field		key;
	Field		value;
	rd_kafka_resp_err_t err;

	if (count < 4)
		fail("send", "needs PARTITION TIME KEY VALUE");
	key = decode_field(fields[2]);
	value = decode_field(fields[3]);
	while ((err = rd_kafka_producev(rk,
									RD_KAFKA_V_TOPIC(topic),
									RD_KAFKA_V_PARTITION(atoi(fields[0])),
									RD_KAFKA_V_TIMESTAMP(atoll(fields[1])),
									RD_KAFKA_V_KEY(key.bytes, key.len),
									RD_KAFKA_V_VALUE(value.bytes, value.len),
									RD_KAFKA_V_HEADERS(make_headers(fields + 4, count - 4)),
									RD_KAFKA_V_MSGFLAGS(RD_KAFKA_MSG_F_COPY),
									RD_KAFKA_V_END)) == RD_KAFKA_RESP_ERR__QUEUE_FULL)
		rd_kafka_poll(rk, 100);
	if (err)
		fail("send", rd_kafka_err2str(err));
}

static void
flush(rd_kafka_t *rk)
{
	if (rd_kafka_flush(rk, TIMEOUT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
		fail("flush", "timeout");
}

static void
run_line(char **fields, int count)
{
	rd_kafka_t *rk;

	if (count < 2)
		fail("script", "a line needs PRODUCER and verb");
	rk = find_producer(fields[0]);
	if (strcmp(fields[1], "begin") == 0)
		check(rd_kafka_begin_transaction(rk), "begin");
	else if (strcmp(fields[1], "commit") == 0)
		check(rd_kafka_commit_transaction(rk, TIMEOUT_MS), "commit");
	else if (strcmp(fields[1], "abort") == 0)
	{
		/* the messages shall be in the log, aborted */
		flush(rk);
		check(rd_kafka_abort_transaction(rk, TIMEOUT_MS), "abort");
	}
	else if (strcmp(fields[1], "flush") == 0)
		flush(rk);
	else if (strcmp(fields[1], "send") == 0)
		send_message(rk, fields + 2, count - 2);
	else
		fail(fields[1], "unknown verb");
}

int
main(int argc, char **argv)
{
	char	   *line = NULL;
	size_t		size = 0;
	ssize_t		len;

	if (argc < 3)
		fail("usage", "produce ADDRESS TOPIC [property=value]... < script");
	address = argv[1];
	topic = argv[2];
	properties = argv + 3;
	nproperties = argc - 3;

	while ((len = getline(&line, &size, stdin)) > 0)
	{
		char	   *fields[FIELDS_MAX];
		char	   *rest = line;
		int			count = 0;

		if (line[len - 1] == '\n')
			line[len - 1] = '\0';
		while (rest != NULL && count < FIELDS_MAX)
			fields[count++] = strsep(&rest, "\t");
		run_line(fields, count);
	}
	for (int i = 0; i < nproducers; i++)
		flush(producers[i].rk);
	free(line);

	/* no orderly end: an open transaction stays open */
	return undelivered > 0;
}
