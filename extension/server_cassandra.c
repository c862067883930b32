/*-------------------------------------------------------------------------
 * extension/server_cassandra.c
 *    options of Cassandra servers and their user mappings: checked, and read back
 *
 * The checks run in the validator, in the backend that creates or alters a
 * server or a mapping; reading back in mirror workers.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/compat.h"
#include "extension/options.h"
#include "extension/server_cassandra.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "worker/cql/hosts.h"
#include "worker/cql/request.h"

static const char *const server_words[] = {
	"hosts", "consistency", "protocol", "tls", "ca_file", "local_dc", NULL
};
static const char *const mapping_words[] = {"username", "password", NULL};

static void
refuse_name(const char *name, bool mapping)
{
	const char *nearest;

	if (!mapping && us_is_word(name, mapping_words))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" is not allowed on a server", name),
				 errdetail("Every role can read the options of a server."),
				 errhint("Put it into a user mapping: CREATE USER MAPPING FOR ... SERVER ... OPTIONS (%s '...').",
						 quote_identifier(name)),
				 errhidestmt(true), errhidecontext(true)));
	if (mapping && us_is_word(name, server_words))
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" is not allowed in a user mapping", name),
				 errdetail("A user mapping holds credentials only."),
				 errhint("Set it on the server: ALTER SERVER ... OPTIONS (ADD %s '...').",
						 quote_identifier(name)),
				 errhidestmt(true), errhidecontext(true)));
	nearest = us_nearest_word(name, mapping ? mapping_words : server_words);
	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 nearest != NULL ? errhint("Perhaps you meant the option \"%s\".", nearest) :
			 mapping ? errhint("A user mapping takes username and password.") :
			 errhint("A server takes hosts, consistency, protocol, tls, ca_file and local_dc."),
			 errhidestmt(true), errhidecontext(true)));
}

static void
check_hosts(const UsOption *option)
{
	UsCqlHosts	hosts;
	const char *error;

	if (us_cql_hosts_parse(&hosts, option->value, NULL, 1, &error) != US_CQL_OK)
		us_refuse_server_option(option->name, option->value,
					 psprintf("%c%s.", pg_toupper((unsigned char) error[0]), error + 1),
					 "Write it as 'host:9042, host2:9042'; an IPv6 address with a port needs brackets.");
	us_cql_hosts_free(&hosts);
}

/* a write that waits for a comparison, or for nobody, is not what a mirror does */
static void
check_consistency(const UsOption *option)
{
	UsCqlConsistency consistency;

	if (us_cql_consistency_parse(option->value, &consistency) &&
		consistency != US_CQL_SERIAL && consistency != US_CQL_LOCAL_SERIAL)
		return;
	us_refuse_server_option(option->name, option->value, NULL,
				 "Give LOCAL_QUORUM, QUORUM, EACH_QUORUM, ALL, ONE, TWO, THREE, LOCAL_ONE or ANY.");
}

static void
take_server_option(const UsOption *option, UsCassandraServer *server)
{
	const char *name = option->name;

	if (strcmp(name, "hosts") == 0)
	{
		check_hosts(option);
		server->hosts = option->value;
	}
	else if (strcmp(name, "consistency") == 0)
	{
		check_consistency(option);
		server->consistency = option->value;
	}
	else if (strcmp(name, "protocol") == 0)
	{
		if (strcmp(option->value, "auto") != 0 && strcmp(option->value, "4") != 0 &&
			strcmp(option->value, "5") != 0)
			us_refuse_server_option(name, option->value, NULL, "Give auto, 4 or 5.");
		server->protocol = atoi(option->value);
	}
	else if (strcmp(name, "tls") == 0)
	{
		if (!parse_bool(option->value, &server->tls))
			us_refuse_server_option(name, option->value, NULL, "Give true or false.");
	}
	else if (strcmp(name, "ca_file") == 0)
	{
		if (!is_absolute_path(option->value))
			us_refuse_server_option(name, option->value, "It is not an absolute path.",
						 "Name a file of certificates in PEM form, as the server's processes see it.");
		server->ca_file = option->value;
	}
	else if (strcmp(name, "local_dc") == 0)
		server->local_dc = option->value;
	else
		refuse_name(name, false);
}

/*
 * As with Kafka servers: an owner who is no superuser cannot alter a server
 * on which a superuser set something that only he may set.
 */
void
us_server_cassandra_check(const UsOptionList *options)
{
	UsCassandraServer server = {0};

	for (int i = 0; i < options->count; i++)
		take_server_option(&options->items[i], &server);
	if (server.ca_file != NULL && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set option \"ca_file\""),
				 errdetail("It names a file that the server's processes read."),
				 errhint("Ask a superuser to create or alter the server."),
				 errhidestmt(true), errhidecontext(true)));
	if (server.ca_file != NULL && !server.tls)
		us_refuse_server_option("ca_file", server.ca_file, "It says whom to trust, but nothing is encrypted.",
					 "Set the option tls to true too.");
	if (server.hosts == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"hosts\" is required"),
				 errhint("Name at least one node: OPTIONS (hosts 'host:9042')."),
				 errhidestmt(true), errhidecontext(true)));
}

static void
take_mapping_option(const UsOption *option, UsCassandraServer *server)
{
	if (!us_is_word(option->name, mapping_words))
		refuse_name(option->name, true);
	/* PLAIN sends both, and ends each with a zero */
	if (option->value[0] == '\0')
		us_refuse_server_option(option->name, NULL, "It is empty.", "Leave it out, or give it a value.");
	if (strcmp(option->name, "username") == 0)
		server->username = option->value;
	else
		server->password = option->value;
}

void
us_mapping_cassandra_check(const UsOptionList *options)
{
	UsCassandraServer server = {0};

	for (int i = 0; i < options->count; i++)
		take_mapping_option(&options->items[i], &server);
}

void
us_server_cassandra_read(const UsOptionList *options, UsCassandraServer *server)
{
	memset(server, 0, sizeof(*server));
	for (int i = 0; i < options->count; i++)
	{
		if (us_is_word(options->items[i].name, mapping_words))
			take_mapping_option(&options->items[i], server);
		else
			take_server_option(&options->items[i], server);
	}
	if (server->consistency == NULL)
		server->consistency = "LOCAL_QUORUM";
}
