/*-------------------------------------------------------------------------
 * test/servers/mock_kafka.c
 *    librdkafka's mock cluster: brokers in this process that fail as they are told
 *
 * usage: mock_kafka [BROKERS]    prints the addresses of its brokers (1), numbered from 1,
 *                                then takes commands on stdin, a line each, and answers "ok"
 *
 *    topic NAME PARTITIONS
 *    errors BROKER API NAME TIMES [MS]  so many of the next requests of that API fail so,
 *                                   one broker's so much later
 *    slow BROKER API MS TIMES       ... or are answered so much later
 *    clear API                      ... no more, of those for all brokers (0)
 *    left BROKER API                how many of one broker's are still to come; once it
 *                                   had some, those for all are not asked for any more
 *    topic_error TOPIC NAME         metadata say this of the topic; NO_ERROR: no more
 *    leader TOPIC PARTITION BROKER  -1: none
 *    down BROKER, up BROKER        0: all
 *    rtt BROKER MS                  each answer is so much later
 *
 * API is FETCH, LIST_OFFSETS, METADATA, OFFSET_COMMIT, FIND_COORDINATOR or
 * API_VERSIONS; NAME is librdkafka's name of an error, such as
 * NOT_LEADER_FOR_PARTITION, or _TRANSPORT: the connection is closed.  Topics live in
 * memory.  Ends with its stdin.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#define LINE_MAX_BYTES	1024
#define ARGS_MAX		8

static const struct
{
	const char *name;
	int16_t		key;
}			apis[] = {
	{"FETCH", 1},
	{"LIST_OFFSETS", 2},
	{"METADATA", 3},
	{"OFFSET_COMMIT", 8},
	{"FIND_COORDINATOR", 10},
	{"API_VERSIONS", 18}
};

/* -1: there is none of that name */
static int
api_key(const char *name)
{
	for (size_t i = 0; i < sizeof(apis) / sizeof(apis[0]); i++)
		if (strcmp(apis[i].name, name) == 0)
			return apis[i].key;
	return -1;
}

static int
error_code(const char *name, rd_kafka_resp_err_t *code)
{
	const struct rd_kafka_err_desc *descriptions;
	size_t		count;

	rd_kafka_get_err_descs(&descriptions, &count);
	for (size_t i = 0; i < count; i++)
	{
		if (descriptions[i].name == NULL || strcmp(descriptions[i].name, name) != 0)
			continue;
		*code = descriptions[i].code;
		return 1;
	}
	return 0;
}

/* one request of an API fails, or takes long: of one broker, or of any (-1) */
static rd_kafka_resp_err_t
push_error(rd_kafka_mock_cluster_t *cluster, int broker, int api, rd_kafka_resp_err_t code,
		   int rtt_ms)
{
	if (broker > 0)
		return rd_kafka_mock_broker_push_request_error_rtts(cluster, broker, (int16_t) api, 1,
															code, rtt_ms);
	rd_kafka_mock_push_request_errors(cluster, (int16_t) api, 1, code);
	return RD_KAFKA_RESP_ERR_NO_ERROR;
}

/* the text of the answer; NULL: there is no such command */
static const char *
obey(rd_kafka_mock_cluster_t *cluster, char *args[], int nargs)
{
	static char count[16];
	const char *verb = args[0];
	rd_kafka_resp_err_t code = RD_KAFKA_RESP_ERR_NO_ERROR;
	rd_kafka_resp_err_t result = RD_KAFKA_RESP_ERR_NO_ERROR;
	int			number = nargs > 2 ? atoi(args[2]) : 0;
	int			broker = nargs > 1 && atoi(args[1]) > 0 ? atoi(args[1]) : -1;

	if (strcmp(verb, "topic") == 0 && nargs == 3)
		result = rd_kafka_mock_topic_create(cluster, args[1], number, 1);
	else if ((strcmp(verb, "errors") == 0 || strcmp(verb, "slow") == 0) && nargs >= 5)
	{
		int			is_slow = strcmp(verb, "slow") == 0;
		int			rtt_ms = is_slow ? atoi(args[3]) : nargs > 5 ? atoi(args[5]) : 0;

		if (api_key(args[2]) < 0 || (!is_slow && !error_code(args[3], &code)))
			return NULL;
		for (int i = 0; i < atoi(args[4]) && result == RD_KAFKA_RESP_ERR_NO_ERROR; i++)
			result = push_error(cluster, broker, api_key(args[2]), code, rtt_ms);
	}
	else if (strcmp(verb, "clear") == 0 && nargs == 2 && api_key(args[1]) >= 0)
		rd_kafka_mock_clear_request_errors(cluster, (int16_t) api_key(args[1]));
	else if (strcmp(verb, "left") == 0 && nargs == 3 && api_key(args[2]) >= 0)
	{
		size_t		left = 0;

		result = rd_kafka_mock_broker_error_stack_cnt(cluster, broker, (int16_t) api_key(args[2]),
													  &left);
		if (result == RD_KAFKA_RESP_ERR_NO_ERROR)
		{
			snprintf(count, sizeof(count), "%zu", left);
			return count;
		}
	}
	else if (strcmp(verb, "topic_error") == 0 && nargs == 3 && error_code(args[2], &code))
		rd_kafka_mock_topic_set_error(cluster, args[1], code);
	else if (strcmp(verb, "leader") == 0 && nargs == 4)
		result = rd_kafka_mock_partition_set_leader(cluster, args[1], number, atoi(args[3]));
	else if (strcmp(verb, "down") == 0 && nargs == 2)
		result = rd_kafka_mock_broker_set_down(cluster, broker);
	else if (strcmp(verb, "up") == 0 && nargs == 2)
		result = rd_kafka_mock_broker_set_up(cluster, broker);
	else if (strcmp(verb, "rtt") == 0 && nargs == 3)
		result = rd_kafka_mock_broker_set_rtt(cluster, broker, number);
	else
		return NULL;
	return result == RD_KAFKA_RESP_ERR_NO_ERROR ? "ok" : rd_kafka_err2name(result);
}

int
main(int argc, char **argv)
{
	char		errstr[512];
	char		line[LINE_MAX_BYTES];
	rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), errstr, sizeof(errstr));
	rd_kafka_mock_cluster_t *cluster;

	if (rk == NULL)
	{
		fprintf(stderr, "mock_kafka: %s\n", errstr);
		return 1;
	}
	cluster = rd_kafka_mock_cluster_new(rk, argc > 1 ? atoi(argv[1]) : 1);
	printf("%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
	fflush(stdout);

	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		char	   *args[ARGS_MAX];
		const char *answer;
		int			nargs = 0;

		for (char *word = strtok(line, " \n"); word != NULL && nargs < ARGS_MAX;
			 word = strtok(NULL, " \n"))
			args[nargs++] = word;
		answer = nargs > 0 ? obey(cluster, args, nargs) : NULL;
		printf("%s\n", answer != NULL ? answer : "unknown command");
		fflush(stdout);
	}

	rd_kafka_mock_cluster_destroy(cluster);
	rd_kafka_destroy(rk);
	return 0;
}
