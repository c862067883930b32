/*-------------------------------------------------------------------------
 * test/unit/options_fuzz.c
 *    any options of servers -> one verdict, said without a secret
 *
 * Built with libFuzzer (make fuzz), and without it as a test that runs the
 * files of corpus/options (make check).  The first byte of an input says what
 * the others are.  Of Kafka's options only those that our list allows come to
 * librdkafka, as in the validator: setting some others already acts.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "extension/cron_schedule.h"
#include "extension/kafka_conf.h"
#include "test/unit/fuzz.h"
#include "worker/cql/hosts.h"
#include "worker/cql/request.h"

#define MAX_BYTES	2000
#define MAX_OPTIONS	16

typedef enum Kind
{
	KIND_KAFKA,					/* name=value, a line each */
	KIND_HOSTS,					/* of Cassandra */
	KIND_CONSISTENCY,
	KIND_SCHEDULE,				/* of a cron job */
	KINDS
} Kind;

/* librdkafka's, which hands the configuration on to us */
extern void rd_kafka_conf_destroy(struct rd_kafka_conf_s *conf);

/* an error of a configuration is about this option, in words of ours alone */
static bool
is_refusal(const char *error, const char *name)
{
	char		text[4][MAX_BYTES + 128];

	snprintf(text[0], sizeof(text[0]), "invalid value for option \"%s\"", name);
	snprintf(text[1], sizeof(text[1]), "option \"%s\" is not allowed", name);
	snprintf(text[2], sizeof(text[2]), "option \"%s\" is not known to librdkafka %s", name,
			 us_kafka_version());
	snprintf(text[3], sizeof(text[3]), "option \"%s\" is not supported by this build of librdkafka %s",
			 name, us_kafka_version());
	/* the buffer for it may be too small for a long name */
	for (int i = 0; i < 4 && error[0] != '\0'; i++)
	{
		if (strncmp(error, text[i], strlen(error)) == 0)
			return true;
	}
	return false;
}

/* what the broker says may repeat a secret, what we say may not */
static const char *
judge_secrets(const UsOptionList *options)
{
	char		text[3 * MAX_BYTES];

	for (int i = 0; i < options->count; i++)
	{
		const UsProperty *property = us_kafka_property_find(options->items[i].name);

		if (property == NULL || property->rule != US_PROPERTY_CREDENTIAL ||
			strcmp(property->name, "sasl.username") == 0 || options->items[i].value[0] == '\0')
			continue;
		snprintf(text, sizeof(text), "refused: %s (twice)", options->items[i].value);
		us_kafka_hide_secrets(options, text, sizeof(text));
		if (strcmp(text, "the connection failed") != 0)
			return "a secret is left in a text";
	}
	return NULL;
}

static const char *
judge_list(const UsOptionList *options, bool allowed)
{
	UsConfVerdict verdict = {.bad = -1};
	char		error[512] = "";
	struct rd_kafka_conf_s *conf = us_kafka_conf_create(options, error, sizeof(error));
	const char *wrong = NULL;

	if (conf == NULL)
	{
		bool		named = false;

		for (int i = 0; i < options->count; i++)
			named |= is_refusal(error, options->items[i].name);
		if (!named)
			wrong = "a refusal in other words";
	}
	else
		rd_kafka_conf_destroy(conf);
	if (wrong == NULL && !allowed && conf != NULL)
		wrong = "an option that is closed is taken";
	if (wrong == NULL && allowed)
	{
		us_kafka_conf_check(options, &verdict);
		if ((verdict.result == US_CONF_OK) != (conf != NULL))
			wrong = "what was checked is refused, or the other way round";
		else if (verdict.result != US_CONF_OK &&
				 (verdict.bad < 0 || !is_refusal(error, options->items[verdict.bad].name)))
			wrong = "another option is blamed";
	}
	return wrong != NULL ? wrong : judge_secrets(options);
}

static const char *
judge_kafka(char *text)
{
	UsOption	items[MAX_OPTIONS];
	UsOptionList options = {0, items};
	bool		allowed = true;

	while (text != NULL && options.count < MAX_OPTIONS)
	{
		char	   *value = strsep(&text, "\n");
		char	   *name = strsep(&value, "=");
		const UsProperty *property = us_kafka_property_find(name);

		if (value == NULL)
			continue;
		allowed = allowed && property != NULL && property->rule != US_PROPERTY_NEVER;
		items[options.count++] = (UsOption) {name, value};
	}
	return judge_list(&options, allowed);
}

/* a list that is written again is the same one */
static const char *
judge_again(const UsCqlHosts *hosts)
{
	char		text[4 * MAX_BYTES] = "";
	size_t		len = 0;
	UsCqlHosts	again;
	const char *error;
	const char *wrong = NULL;

	for (int i = 0; i < hosts->nhosts && len < sizeof(text) - MAX_BYTES; i++)
		len += (size_t) snprintf(text + len, sizeof(text) - len, "%s[%s]:%d", i ? " , " : "",
								 hosts->hosts[i].name, hosts->hosts[i].port);
	if (len >= sizeof(text) - MAX_BYTES)
		return NULL;
	if (us_cql_hosts_parse(&again, text, NULL, 1, &error) != US_CQL_OK)
		return "hosts that are written again are refused";
	for (int i = 0; i < hosts->nhosts && wrong == NULL; i++)
	{
		if (i >= again.nhosts || strcmp(again.hosts[i].name, hosts->hosts[i].name) != 0 ||
			again.hosts[i].port != hosts->hosts[i].port)
			wrong = "hosts that are written again are others";
	}
	us_cql_hosts_free(&again);
	return wrong;
}

static const char *
judge_hosts(const char *text)
{
	UsCqlHosts	hosts;
	const char *error = NULL;
	const char *wrong;

	if (us_cql_hosts_parse(&hosts, text, NULL, 1, &error) != US_CQL_OK)
		return error == NULL ? "hosts are refused without a word" : NULL;
	wrong = hosts.nhosts > 0 ? NULL : "no host";
	for (int i = 0; i < hosts.nhosts && wrong == NULL; i++)
	{
		if (hosts.hosts[i].name[0] == '\0' || hosts.hosts[i].port == 0 ||
			strpbrk(hosts.hosts[i].name, " ,[]") != NULL)
			wrong = "a host without a name or port";
	}
	if (wrong == NULL)
		wrong = judge_again(&hosts);
	us_cql_hosts_free(&hosts);
	return wrong;
}

static const char *
judge_consistency(const char *text)
{
	UsCqlConsistency consistency;

	if (us_cql_consistency_parse(text, &consistency) && strlen(text) > strlen("LOCAL_QUORUM"))
		return "a consistency has a longer name";
	return NULL;
}

/* in what is taken every part means something, and nothing past its range */
static const char *
judge_schedule(const char *text)
{
	UsCronSchedule schedule;
	bool		any = false;

	if (!us_cron_parse(text, &schedule))
		return NULL;
	if (schedule.minutes == 0 || schedule.minutes >> 60 != 0 ||
		schedule.hours == 0 || schedule.hours >> 24 != 0 ||
		schedule.days == 0 || (schedule.days & 1) != 0 ||
		schedule.months == 0 || (schedule.months & 1) != 0 || schedule.months >> 13 != 0 ||
		schedule.weekdays == 0 || schedule.weekdays >> 7 != 0)
		return "a schedule means what no clock shows";
	for (int minute = 0; minute < 60 * 24; minute++)
		any |= us_cron_has_minute(&schedule, minute / 60, minute % 60);
	return any ? NULL : "a schedule has no minute";
}

static const char *
judge_kind(int kind, char *text, size_t len)
{
	(void) len;					/* a text ends at its first NUL */
	switch ((Kind) kind)
	{
		case KIND_KAFKA:
			return judge_kafka(text);
		case KIND_HOSTS:
			return judge_hosts(text);
		case KIND_CONSISTENCY:
			return judge_consistency(text);
		case KIND_SCHEDULE:
			return judge_schedule(text);
		case KINDS:
			break;
	}
	return NULL;
}

static const char *
judge(const uint8_t *data, size_t len)
{
	return fuzz_judge_text(data, len, judge_kind);
}

const FuzzTarget fuzz_target = {"options", "one verdict, without a secret", MAX_BYTES, KINDS, judge};

#ifndef FUZZ

int
main(void)
{
	return fuzz_corpus();
}

#endif
