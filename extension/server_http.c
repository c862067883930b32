/*-------------------------------------------------------------------------
 * extension/server_http.c
 *    options of HTTP servers and their user mappings: checked, and read back
 *
 * The checks run in the validator, in the backend that creates or alters a
 * server or a mapping; reading back in the backend that runs a feed.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "extension/compat.h"
#include "extension/http_url.h"
#include "extension/options.h"
#include "extension/server_http.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/formatting.h"
#include "utils/guc.h"

#define DEFAULT_TIMEOUT_MS			30000
#define DEFAULT_CONNECT_TIMEOUT_MS	10000
#define MAX_TIMEOUT_MS				(60 * 60 * 1000)
#define DEFAULT_MAX_BYTES			(64 * 1024 * 1024)
#define MAX_MAX_BYTES				(512 * 1024 * 1024)

static const char *const server_words[] = {
	"url", "method", "timeout_ms", "connect_timeout_ms", "max_bytes", "proxy", "ca_file",
	"allow_private", NULL
};
static const char *const mapping_words[] = {"header", "query", NULL};

/* "header", "header_2" ...: the base word with a number behind it, or without */
static bool
is_numbered(const char *name, const char *base)
{
	size_t		length = strlen(base);

	if (strncmp(name, base, length) != 0)
		return false;
	if (name[length] == '\0')
		return true;
	return name[length] == '_' && name[length + 1] != '\0' && strlen(name + length) <= 4 &&
		strspn(name + length + 1, "0123456789") == strlen(name + length + 1);
}

static bool
is_mapping_option(const char *name)
{
	return is_numbered(name, "header") || is_numbered(name, "query");
}

static void
refuse_name(const char *name, bool mapping)
{
	const char *nearest;

	if (!mapping && is_mapping_option(name))
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
			 mapping ? errhint("A user mapping takes header, header_2 and so on, and query, query_2 and so on.") :
			 errhint("A server takes url, method, timeout_ms, connect_timeout_ms, max_bytes, proxy, ca_file and allow_private."),
			 errhidestmt(true), errhidecontext(true)));
}

static void
check_url(const char *name, const char *value, bool proxy)
{
	const char *problem = us_http_url_problem(value, proxy);

	/* it may hold a password, so the value is not shown */
	if (problem != NULL)
		us_refuse_server_option(name, NULL, problem,
					 proxy ? "Write it as http://host:port." :
					 "Write it as https://host/path; credentials belong into a user mapping, as header or query.");
}

static int
number_value(const UsOption *option, int flags, int min, int max)
{
	const char *hint = NULL;
	int			result;

	if (!parse_int(option->value, &result, flags, &hint))
		us_refuse_server_option(option->name, option->value, NULL,
					 hint != NULL ? _(hint) : "Give a whole number.");
	if (result < min || result > max)
		us_refuse_server_option(option->name, option->value,
					 psprintf("The value is outside the range %d .. %d.", min, max),
					 "Give a number within the range.");
	return result;
}

static bool
bool_value(const UsOption *option)
{
	bool		result;

	if (!parse_bool(option->value, &result))
		us_refuse_server_option(option->name, option->value, NULL, "Give true or false.");
	return result;
}

static const char *
method_value(const UsOption *option)
{
	if (pg_strcasecmp(option->value, "GET") == 0)
		return "GET";
	if (pg_strcasecmp(option->value, "POST") == 0)
		return "POST";
	us_refuse_server_option(option->name, option->value, NULL, "The method can be GET or POST.");
}

/* "Name: value"; those that say how the request itself is sent are libcurl's */
static void
check_header(const UsOption *option)
{
	static const char *const own[] = {
		"host", "content-length", "transfer-encoding", "connection", "accept-encoding", NULL
	};
	const char *value = option->value;
	size_t		length = strcspn(value, ":");
	char	   *name = asc_tolower(value, length);

	if (value[length] == '\0' || length == 0 ||
		strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") != length)
		us_refuse_server_option(option->name, NULL, NULL, "Write a header as 'Name: value'.");
	for (const char *c = value; *c != '\0'; c++)
		if ((unsigned char) *c < ' ' || *c == 0x7f)
			us_refuse_server_option(option->name, NULL, "The value holds a control character.",
						 "Write one header into each option: header, header_2 and so on.");
	if (value[length + 1 + strspn(value + length + 1, " ")] == '\0')
		us_refuse_server_option(option->name, NULL, "The header has no value.", "Write a header as 'Name: value'.");
	if (us_is_word(name, own))
		us_refuse_server_option(option->name, NULL, "This header is set by the client itself.",
					 "Leave it out.");
	pfree(name);
}

static void
check_query(const UsOption *option)
{
	const char *equals = strchr(option->value, '=');

	/* what is behind the first "=" is encoded when it is sent */
	if (equals == NULL || equals == option->value || equals[1] == '\0' ||
		strcspn(option->value, "&#") < (size_t) (equals - option->value))
		us_refuse_server_option(option->name, NULL, NULL,
					 "Write a parameter as 'name=value', the value as it is: it is encoded when it is sent.");
}

/* one option of a server */
static void
take_server_option(const UsOption *option, UsHttpServer *server)
{
	const char *name = option->name;

	if (strcmp(name, "url") == 0)
	{
		check_url(name, option->value, false);
		server->url = option->value;
	}
	else if (strcmp(name, "method") == 0)
		server->method = method_value(option);
	else if (strcmp(name, "timeout_ms") == 0)
		server->timeout_ms = number_value(option, GUC_UNIT_MS, 1, MAX_TIMEOUT_MS);
	else if (strcmp(name, "connect_timeout_ms") == 0)
		server->connect_timeout_ms = number_value(option, GUC_UNIT_MS, 1, MAX_TIMEOUT_MS);
	else if (strcmp(name, "max_bytes") == 0)
		server->max_bytes = number_value(option, GUC_UNIT_BYTE, 1, MAX_MAX_BYTES);
	else if (strcmp(name, "proxy") == 0)
	{
		check_url(name, option->value, true);
		server->proxy = option->value;
	}
	else if (strcmp(name, "ca_file") == 0)
	{
		if (!is_absolute_path(option->value))
			us_refuse_server_option(name, option->value, "It is not an absolute path.",
						 "Name a file of certificates in PEM form, as the server's processes see it.");
		server->ca_file = option->value;
	}
	else if (strcmp(name, "allow_private") == 0)
		server->allow_private = bool_value(option);
	else
		refuse_name(name, false);
}

static void
set_defaults(UsHttpServer *server, int count)
{
	memset(server, 0, sizeof(*server));
	server->method = "GET";
	server->timeout_ms = DEFAULT_TIMEOUT_MS;
	server->connect_timeout_ms = DEFAULT_CONNECT_TIMEOUT_MS;
	server->max_bytes = DEFAULT_MAX_BYTES;
	server->headers = palloc0(sizeof(char *) * (count + 1));
	server->queries = palloc0(sizeof(char *) * (count + 1));
}

static void
check_superuser(const char *name, const char *detail)
{
	if (superuser())
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied to set option \"%s\"", name),
			 errdetail("%s", detail),
			 errhint("Ask a superuser to create or alter the server."),
			 errhidestmt(true), errhidecontext(true)));
}

/*
 * As with Kafka servers: an owner who is no superuser cannot alter a server
 * on which a superuser set something that only he may set.
 */
void
us_server_http_check(const UsOptionList *options)
{
	UsHttpServer server;

	set_defaults(&server, 0);
	for (int i = 0; i < options->count; i++)
		take_server_option(&options->items[i], &server);
	if (server.ca_file != NULL)
		check_superuser("ca_file", "It names a file that the server's processes read.");
	if (server.allow_private)
		check_superuser("allow_private",
						"It lets the database call addresses of the private network and of its own machine.");
	if (server.url == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"url\" is required"),
				 errhint("Name the API: OPTIONS (url 'https://host/path')."),
				 errhidestmt(true), errhidecontext(true)));
}

static void
take_mapping_option(const UsOption *option, UsHttpServer *server)
{
	if (is_numbered(option->name, "header"))
	{
		check_header(option);
		server->headers[server->nheaders++] = option->value;
	}
	else if (is_numbered(option->name, "query"))
	{
		check_query(option);
		server->queries[server->nqueries++] = option->value;
	}
	else
		refuse_name(option->name, true);
}

void
us_mapping_http_check(const UsOptionList *options)
{
	UsHttpServer server;

	set_defaults(&server, options->count);
	for (int i = 0; i < options->count; i++)
		take_mapping_option(&options->items[i], &server);
}

void
us_server_http_read(const UsOptionList *options, UsHttpServer *server)
{
	set_defaults(server, options->count);
	for (int i = 0; i < options->count; i++)
	{
		if (is_mapping_option(options->items[i].name))
			take_mapping_option(&options->items[i], server);
		else
			take_server_option(&options->items[i], server);
	}
	if (server->url == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_DYNAMIC_PARAMETER_VALUE_NEEDED),
				 errmsg("option \"url\" is required"),
				 errhint("ALTER SERVER ... OPTIONS (ADD url 'https://host/path') sets it.")));
}
