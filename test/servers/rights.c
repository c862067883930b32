/*-------------------------------------------------------------------------
 * test/servers/rights.c
 *    committed offsets of consumer groups, and access rights, for tests
 *
 * usage: rights ADDRESS offsets GROUP TOPIC           prints "partition:offset,..."
 *        rights ADDRESS commit  GROUP TOPIC PARTITION OFFSET
 *        rights ADDRESS allow   USER topic|group|cluster NAME OPERATION
 *        rights ADDRESS deny    USER topic|group|cluster NAME OPERATION
 *        rights ADDRESS undeny  USER topic|group|cluster NAME OPERATION
 *
 * An OPERATION is one of librdkafka's numbers for it (2 all, 3 read, 4 write,
 * 5 create, 8 describe); the cluster's NAME is kafka-cluster.
 * Who asks must be allowed to; tests ask by a listener whose users are.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <librdkafka/rdkafka.h>

#define TIMEOUT_MS		30000
#define PARTITIONS_MAX	64

static rd_kafka_t *rk;
static rd_kafka_queue_t *queue;

static void
fail(const char *what, const char *why)
{
	fprintf(stderr, "rights: %s: %s\n", what, why);
	exit(1);
}

static rd_kafka_event_t *
answer(void)
{
	rd_kafka_event_t *event = rd_kafka_queue_poll(queue, TIMEOUT_MS);

	if (event == NULL)
		fail("no answer", "timeout");
	if (rd_kafka_event_error(event))
		fail("request failed", rd_kafka_event_error_string(event));
	return event;
}

static void
check_groups(const rd_kafka_group_result_t **groups, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (rd_kafka_group_result_error(groups[i]) != NULL)
			fail(rd_kafka_group_result_name(groups[i]),
				 rd_kafka_error_string(rd_kafka_group_result_error(groups[i])));
}

static void
print_offsets(const char *group, const char *topic)
{
	rd_kafka_topic_partition_list_t *asked = rd_kafka_topic_partition_list_new(PARTITIONS_MAX);
	rd_kafka_ListConsumerGroupOffsets_t *request;
	const rd_kafka_topic_partition_list_t *found;
	const rd_kafka_group_result_t **groups;
	rd_kafka_event_t *event;
	size_t		count;
	const char *comma = "";

	rd_kafka_topic_partition_list_add_range(asked, topic, 0, PARTITIONS_MAX - 1);
	request = rd_kafka_ListConsumerGroupOffsets_new(group, asked);
	rd_kafka_ListConsumerGroupOffsets(rk, &request, 1, NULL, queue);
	event = answer();
	groups = rd_kafka_ListConsumerGroupOffsets_result_groups
		(rd_kafka_event_ListConsumerGroupOffsets_result(event), &count);
	check_groups(groups, count);
	found = rd_kafka_group_result_partitions(groups[0]);
	for (int i = 0; i < found->cnt; i++)
	{
		if (found->elems[i].err || found->elems[i].offset < 0)
			continue;
		printf("%s%d:%lld", comma, (int) found->elems[i].partition,
			   (long long) found->elems[i].offset);
		comma = ",";
	}
	printf("\n");
	rd_kafka_event_destroy(event);
	rd_kafka_ListConsumerGroupOffsets_destroy(request);
	rd_kafka_topic_partition_list_destroy(asked);
}

static void
commit_offset(const char *group, const char *topic, int partition, long long offset)
{
	rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
	rd_kafka_AlterConsumerGroupOffsets_t *request;
	const rd_kafka_group_result_t **groups;
	rd_kafka_event_t *event;
	size_t		count;

	rd_kafka_topic_partition_list_add(list, topic, partition)->offset = offset;
	request = rd_kafka_AlterConsumerGroupOffsets_new(group, list);
	rd_kafka_AlterConsumerGroupOffsets(rk, &request, 1, NULL, queue);
	event = answer();
	groups = rd_kafka_AlterConsumerGroupOffsets_result_groups
		(rd_kafka_event_AlterConsumerGroupOffsets_result(event), &count);
	check_groups(groups, count);
	rd_kafka_event_destroy(event);
	rd_kafka_AlterConsumerGroupOffsets_destroy(request);
	rd_kafka_topic_partition_list_destroy(list);
}

static rd_kafka_ResourceType_t
resource_type(const char *word)
{
	if (strcmp(word, "topic") == 0)
		return RD_KAFKA_RESOURCE_TOPIC;
	if (strcmp(word, "group") == 0)
		return RD_KAFKA_RESOURCE_GROUP;
	if (strcmp(word, "cluster") == 0)
		return RD_KAFKA_RESOURCE_BROKER;
	fail(word, "neither topic nor group nor cluster");
	return RD_KAFKA_RESOURCE_UNKNOWN;
}

static void
add_right(char **args, rd_kafka_AclPermissionType_t permission)
{
	char		principal[256];
	char		errstr[256];
	rd_kafka_AclBinding_t *acl;
	rd_kafka_event_t *event;
	const rd_kafka_acl_result_t **results;
	size_t		count;

	snprintf(principal, sizeof(principal), "User:%s", args[0]);
	acl = rd_kafka_AclBinding_new(resource_type(args[1]), args[2],
								  RD_KAFKA_RESOURCE_PATTERN_LITERAL, principal, "*",
								  (rd_kafka_AclOperation_t) atoi(args[3]),
								  permission, errstr, sizeof(errstr));
	if (acl == NULL)
		fail(args[2], errstr);
	rd_kafka_CreateAcls(rk, &acl, 1, NULL, queue);
	event = answer();
	results = rd_kafka_CreateAcls_result_acls(rd_kafka_event_CreateAcls_result(event), &count);
	for (size_t i = 0; i < count; i++)
		if (rd_kafka_acl_result_error(results[i]) != NULL)
			fail(args[2], rd_kafka_error_string(rd_kafka_acl_result_error(results[i])));
	rd_kafka_event_destroy(event);
	rd_kafka_AclBinding_destroy(acl);
}

static void
undeny(char **args)
{
	char		principal[256];
	char		errstr[256];
	rd_kafka_AclBindingFilter_t *filter;

	snprintf(principal, sizeof(principal), "User:%s", args[0]);
	filter = rd_kafka_AclBindingFilter_new(resource_type(args[1]), args[2],
										   RD_KAFKA_RESOURCE_PATTERN_LITERAL, principal, "*",
										   (rd_kafka_AclOperation_t) atoi(args[3]),
										   RD_KAFKA_ACL_PERMISSION_TYPE_DENY,
										   errstr, sizeof(errstr));
	if (filter == NULL)
		fail(args[2], errstr);
	rd_kafka_DeleteAcls(rk, &filter, 1, NULL, queue);
	rd_kafka_event_destroy(answer());
	rd_kafka_AclBinding_destroy(filter);
}

int
main(int argc, char **argv)
{
	rd_kafka_conf_t *conf = rd_kafka_conf_new();
	const char *verb;
	char	   *address;
	char	  **args;
	char		errstr[256];

	if (argc < 5)
		fail("usage", "rights ADDRESS offsets|commit|allow|deny|undeny ...");
	address = argv[1];
	verb = argv[2];
	args = argv + 3;
	if (rd_kafka_conf_set(conf, "bootstrap.servers", address,
						  errstr, sizeof(errstr)) != RD_KAFKA_CONF_OK)
		fail(address, errstr);
	rk = rd_kafka_new(RD_KAFKA_PRODUCER, conf, errstr, sizeof(errstr));
	if (rk == NULL)
		fail(address, errstr);
	queue = rd_kafka_queue_new(rk);

	if (strcmp(verb, "offsets") == 0 && argc == 5)
		print_offsets(args[0], args[1]);
	else if (strcmp(verb, "commit") == 0 && argc == 7)
		commit_offset(args[0], args[1], atoi(args[2]), atoll(args[3]));
	else if (strcmp(verb, "allow") == 0 && argc == 7)
		add_right(args, RD_KAFKA_ACL_PERMISSION_TYPE_ALLOW);
	else if (strcmp(verb, "deny") == 0 && argc == 7)
		add_right(args, RD_KAFKA_ACL_PERMISSION_TYPE_DENY);
	else if (strcmp(verb, "undeny") == 0 && argc == 7)
		undeny(args);
	else
		fail(verb, "unknown verb, or not its arguments");

	rd_kafka_queue_destroy(queue);
	rd_kafka_destroy(rk);
	return 0;
}
