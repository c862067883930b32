/*-------------------------------------------------------------------------
 * extension/server.c
 *    foreign servers and user mappings: validators, and reading them back
 *
 * The validators run in the backend that creates or alters a server or a
 * mapping.  Every role can read a server's options, so secrets are taken in
 * mappings only.  An error says which option it is about but never shows the
 * statement in the log, which may hold a secret whatever the error is about.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/reloptions.h"
#include "catalog/namespace.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_foreign_data_wrapper.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_foreign_table.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "extension/compat.h"
#include "extension/kafka_conf.h"
#include "extension/options.h"
#include "extension/server.h"
#include "extension/server_cassandra.h"
#include "extension/server_http.h"
#include "fmgr.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* what a wrapper is known by, and how people call its servers */
typedef struct KindName
{
	const char *validator;
	const char *wrapper;
	const char *noun;
} KindName;

static const KindName kinds[] = {
	[US_SERVER_KAFKA] = {"kafka_validator", "userstream_kafka", "a Kafka server"},
	[US_SERVER_HTTP] = {"http_validator", "userstream_http", "an HTTP server"},
	[US_SERVER_CASSANDRA] = {"cassandra_validator", "userstream_cassandra", "a Cassandra server"},
};

PG_FUNCTION_INFO_V1(us_kafka_validator);
PG_FUNCTION_INFO_V1(us_http_validator);
PG_FUNCTION_INFO_V1(us_cassandra_validator);

/*
 * Refuse options where no wrapper of ours has any: on the wrapper itself and
 * on foreign tables, which our servers do not have at all.
 */
static void
check_catalog(List *options, Oid catalog)
{
	const char *first = options == NIL ? NULL : ((DefElem *) linitial(options))->defname;

	if (catalog == ForeignServerRelationId || catalog == UserMappingRelationId)
		return;
	if (catalog == ForeignDataWrapperRelationId)
	{
		if (first != NULL)
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" is not allowed on a foreign-data wrapper", first),
					 errhint("Set it on a server: CREATE SERVER ... OPTIONS (...)."),
					 errhidestmt(true), errhidecontext(true)));
		return;
	}
	if (catalog != ForeignTableRelationId && catalog != AttributeRelationId)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid catalog for options: %u", catalog),
				 errhint("This function is called by CREATE SERVER and CREATE USER MAPPING.")));
	if (first != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" is not allowed on a foreign table", first),
				 errdetail("A server of this kind is a connection and has no foreign tables."),
				 errhint("Load a topic into an ordinary table with userstream.create_stream()."),
				 errhidestmt(true), errhidecontext(true)));
	ereport(ERROR,
			(errcode(ERRCODE_WRONG_OBJECT_TYPE),
			 errmsg("cannot create a foreign table on this server"),
			 errdetail("A server of this kind is a connection and has no foreign tables."),
			 errhint("Load a topic into an ordinary table with userstream.create_stream().")));
}

static UsOptionList
copy_options(List *first, List *second)
{
	UsOptionList result;
	ListCell   *cell;

	result.count = 0;
	result.items = palloc(sizeof(UsOption) * (list_length(first) + list_length(second) + 1));
	foreach(cell, first)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		result.items[result.count].name = pstrdup(option->defname);
		result.items[result.count++].value = pstrdup(defGetString(option));
	}
	foreach(cell, second)
	{
		DefElem    *option = lfirst_node(DefElem, cell);

		result.items[result.count].name = pstrdup(option->defname);
		result.items[result.count++].value = pstrdup(defGetString(option));
	}
	return result;
}

/* NULL when nothing that may be set looks like this */
static const char *
nearest_property(const char *wrong)
{
	const char **names;
	const UsProperty *property;
	int			count = 0;

	while (us_kafka_property_at(count) != NULL)
		count++;
	names = palloc0(sizeof(char *) * (count + 1));
	count = 0;
	for (int i = 0; (property = us_kafka_property_at(i)) != NULL; i++)
	{
		if (property->rule != US_PROPERTY_NEVER)
			names[count++] = property->name;
	}
	return us_nearest_word(wrong, names);
}

static void
refuse_unknown(const char *name, bool mapping)
{
	const char *nearest = nearest_property(name);

	ereport(ERROR,
			(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
			 errmsg("invalid option \"%s\"", name),
			 nearest != NULL ? errhint("Perhaps you meant the option \"%s\".", nearest) :
			 mapping ? errhint("A user mapping takes credentials, such as \"sasl.username\" and \"sasl.password\".") :
			 errhint("The options are the configuration properties of librdkafka, such as \"bootstrap.servers\"."),
			 errhidestmt(true), errhidecontext(true)));
}

/* find a property that may be set by an option; an error when there is none */
static const UsProperty *
lookup_property(const char *name, bool mapping)
{
	const UsProperty *property = us_kafka_property_find(name);

	if (property == NULL)
		refuse_unknown(name, mapping);
	else if (property->rule == US_PROPERTY_NEVER)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" is not allowed", name),
				 errhint("%s", property->why),
				 errhidestmt(true), errhidecontext(true)));
	return property;
}

static void
check_server_option(const char *name)
{
	const UsProperty *property = lookup_property(name, false);

	if (property->rule == US_PROPERTY_CREDENTIAL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" is not allowed on a server", name),
				 errdetail("Every role can read the options of a server."),
				 errhint("Put it into a user mapping: CREATE USER MAPPING FOR ... SERVER ... OPTIONS (\"%s\" '...').",
						 name),
				 errhidestmt(true), errhidecontext(true)));
	if (property->rule == US_PROPERTY_SUPERUSER && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to set option \"%s\"", name),
				 errdetail("%s", property->why),
				 errhint("Ask a superuser to create or alter the server."),
				 errhidestmt(true), errhidecontext(true)));
}

static void
check_mapping_option(const char *name)
{
	const UsProperty *property = lookup_property(name, true);

	if (property->rule != US_PROPERTY_CREDENTIAL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
				 errmsg("option \"%s\" is not allowed in a user mapping", name),
				 errdetail("A user mapping holds credentials only."),
				 errhint("Set it on the server: ALTER SERVER ... OPTIONS (ADD \"%s\" '...').", name),
				 errhidestmt(true), errhidecontext(true)));
}

/* librdkafka's judgement; its words repeat the value, so a mapping gets none of them */
static void
report_verdict(const UsConfVerdict *verdict, const char *name, bool mapping)
{
	switch (verdict->result)
	{
		case US_CONF_OK:
			return;
		case US_CONF_UNKNOWN:
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" is not known to librdkafka %s", name, us_kafka_version()),
					 errhint("Leave it out, or install a newer librdkafka."),
					 errhidestmt(true), errhidecontext(true)));
			break;
		case US_CONF_UNSUPPORTED:
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_OPTION_NAME),
					 errmsg("option \"%s\" is not supported by this build of librdkafka %s", name, us_kafka_version()),
					 errhint("Leave it out, or install a librdkafka that was built with it."),
					 errhidestmt(true), errhidecontext(true)));
			break;
		case US_CONF_INVALID:
			ereport(ERROR,
					(errcode(ERRCODE_FDW_INVALID_ATTRIBUTE_VALUE),
					 errmsg("invalid value for option \"%s\"", name),
					 mapping ? 0 : errdetail("librdkafka %s: %s", us_kafka_version(), verdict->text),
					 mapping ? errhint("The value must not begin with white space.") :
					 errhint("See the property's range in CONFIGURATION.md of librdkafka."),
					 errhidestmt(true), errhidecontext(true)));
			break;
	}
}

static void
check_bootstrap_servers(const UsOptionList *options)
{
	for (int i = 0; i < options->count; i++)
	{
		const char *value = options->items[i].value;

		if (strcmp(options->items[i].name, "bootstrap.servers") == 0 &&
			value[strspn(value, ", \t\n")] != '\0')
			return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
			 errmsg("option \"bootstrap.servers\" is required"),
			 errhint("Name at least one broker: OPTIONS (\"bootstrap.servers\" 'host:9092')."),
			 errhidestmt(true), errhidecontext(true)));
}

/*
 * ALTER SERVER hands over the whole resulting list, so an owner who is no
 * superuser cannot alter a server on which a superuser set an option of his:
 * moving such a server to another address would lend the file to a stranger.
 */
static void
check_kafka_server(const UsOptionList *options)
{
	UsConfVerdict verdict;

	for (int i = 0; i < options->count; i++)
		check_server_option(options->items[i].name);
	us_kafka_conf_check(options, &verdict);
	if (verdict.bad >= 0)
		report_verdict(&verdict, options->items[verdict.bad].name, false);
	if (verdict.kerberos && !superuser())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to log in with Kerberos"),
				 errdetail("The mechanism GSSAPI, which is the default, uses the ticket of the operating system user that runs the server."),
				 errhint("Set the option \"sasl.mechanisms\", or ask a superuser to create or alter the server."),
				 errhidestmt(true), errhidecontext(true)));
	check_bootstrap_servers(options);
}

static void
check_kafka_mapping(const UsOptionList *options)
{
	UsConfVerdict verdict;

	for (int i = 0; i < options->count; i++)
		check_mapping_option(options->items[i].name);
	us_kafka_conf_check(options, &verdict);
	if (verdict.bad >= 0)
		report_verdict(&verdict, options->items[verdict.bad].name, true);
}

/* what else can have options is refused or has none to check */
static Datum
validate(FunctionCallInfo fcinfo, void (*check_server) (const UsOptionList *),
		 void (*check_mapping) (const UsOptionList *))
{
	List	   *options = untransformRelOptions(PG_GETARG_DATUM(0));
	Oid			catalog = PG_GETARG_OID(1);
	UsOptionList copy;

	check_catalog(options, catalog);
	copy = copy_options(options, NIL);
	if (catalog == ForeignServerRelationId)
		check_server(&copy);
	else if (catalog == UserMappingRelationId)
		check_mapping(&copy);
	PG_RETURN_VOID();
}

Datum
us_kafka_validator(PG_FUNCTION_ARGS)
{
	return validate(fcinfo, check_kafka_server, check_kafka_mapping);
}

Datum
us_http_validator(PG_FUNCTION_ARGS)
{
	return validate(fcinfo, us_server_http_check, us_mapping_http_check);
}

Datum
us_cassandra_validator(PG_FUNCTION_ARGS)
{
	return validate(fcinfo, us_server_cassandra_check, us_mapping_cassandra_check);
}

/*
 * By the validator, not by the wrapper's name: then its options are known to
 * have been checked, also when someone renamed the wrapper.
 */
static bool
is_of_kind(const ForeignServer *server, UsServerKind kind)
{
	Oid			validator = GetForeignDataWrapper(server->fdwid)->fdwvalidator;
	char	   *name;

	if (!OidIsValid(validator) ||
		get_func_namespace(validator) != get_namespace_oid("userstream", true))
		return false;
	name = get_func_name(validator);
	return name != NULL && strcmp(name, kinds[kind].validator) == 0;
}

static void
check_usage(const ForeignServer *server, Oid role)
{
	if (us_server_aclcheck(server->serverid, role, ACL_USAGE) != ACLCHECK_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign server %s", server->servername),
				 errhint("Grant it: GRANT USAGE ON FOREIGN SERVER %s TO %s.",
						 quote_identifier(server->servername),
						 quote_identifier(GetUserNameFromId(role, false)))));
}

Oid
us_server_lookup(const char *name, UsServerKind kind, Oid role)
{
	ForeignServer *server = GetForeignServerByName(name, true);

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", name),
				 errhint("Create it: CREATE SERVER %s FOREIGN DATA WRAPPER %s OPTIONS (...).",
						 quote_identifier(name), kinds[kind].wrapper)));
	if (!is_of_kind(server, kind))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("server \"%s\" is not %s", name, kinds[kind].noun),
				 errdetail("It belongs to the foreign-data wrapper \"%s\".",
						   GetForeignDataWrapper(server->fdwid)->fdwname),
				 errhint("Name a server that was created with FOREIGN DATA WRAPPER %s.",
						 kinds[kind].wrapper)));
	check_usage(server, role);
	return server->serverid;
}

/* false when this role (InvalidOid: PUBLIC) has no mapping on the server */
static bool
read_mapping(Oid server, Oid role, List **options)
{
	HeapTuple	tuple;
	Datum		raw;
	bool		isnull;

	tuple = SearchSysCache2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(role),
							ObjectIdGetDatum(server));
	if (!HeapTupleIsValid(tuple))
		return false;
	raw = SysCacheGetAttr(USERMAPPINGUSERSERVER, tuple,
						  Anum_pg_user_mapping_umoptions, &isnull);
	*options = isnull ? NIL : untransformRelOptions(raw);
	ReleaseSysCache(tuple);
	return true;
}

UsOptionList
us_server_options(Oid server, Oid role)
{
	ForeignServer *found = GetForeignServerExtended(server, FSV_MISSING_OK);
	List	   *mapping = NIL;

	if (found == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("foreign server with OID %u does not exist", server),
				 errhint("Create the server again and name it in the definition.")));
	check_usage(found, role);

	if (!read_mapping(server, role, &mapping))
		(void) read_mapping(server, InvalidOid, &mapping);
	return copy_options(found->options, mapping);
}

bool
us_server_same_options(const UsOptionList *a, const UsOptionList *b)
{
	if (a->count != b->count)
		return false;
	for (int i = 0; i < a->count; i++)
		if (strcmp(a->items[i].name, b->items[i].name) != 0 ||
			strcmp(a->items[i].value, b->items[i].value) != 0)
			return false;
	return true;
}

char *
us_server_display_name(Oid server)
{
	ForeignServer *found = GetForeignServerExtended(server, FSV_MISSING_OK);

	return found == NULL ? NULL : found->servername;
}
