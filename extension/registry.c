/*-------------------------------------------------------------------------
 * extension/registry.c
 *    a schema registry: asked for the schemas that messages name by number
 *
 * Runs in stream workers, and in the backends of create_stream, alter_stream,
 * try_message and retry_dead_letters.  Only a plain answer counts: a schema,
 * or error 40403 for a number that is none.  With anything else nothing is
 * known of the number, and whoever asked has to come again.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include <limits.h>

#include "access/xact.h"
#include "extension/compat.h"
#include "extension/http_client.h"
#include "extension/http_url.h"
#include "extension/interrupts.h"
#include "extension/registry.h"
#include "extension/server_http.h"
#include "lib/stringinfo.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"
#include "worker/json_tree.h"
#include "worker/schemas.h"

#define STEP_MS				100
#define NOT_FOUND			404
#define SCHEMA_NOT_FOUND	40403	/* error_code of the registry */
#define MAX_REFERENCES		100		/* of one schema, with theirs */
#define MAX_SCHEMA_BYTES	(16 * 1024 * 1024)

struct UsRegistry
{
	MemoryContext context;		/* of the schemas */
	const char *server;			/* its name ... */
	Oid			server_oid;		/* ... that counts only where this is InvalidOid */
	Oid			owner;
	bool		has_keys;		/* keys are read too */
	UsSchemas  *schemas;
};

/* a round of questions; lives in a context of its own */
typedef struct Inquiry
{
	const UsRegistry *registry;
	UsHttpServer server;
	UsHttp	   *http;
	TimestampTz deadline;
	char	   *error;
	size_t		error_size;

	/* schemas that the one asked for refers to, in the order to parse them, then itself */
	int			ntexts;
	const char *texts[MAX_REFERENCES + 1];
	int			nnames;
	const char *names[MAX_REFERENCES];
} Inquiry;

static bool collect_schema(Inquiry *inquiry, const char *path, int depth, bool *found,
						   const char **refusal);

UsRegistry *
us_registry_create(MemoryContext context, UsStream *stream, Oid owner)
{
	MemoryContext old = MemoryContextSwitchTo(context);
	UsRegistry *registry = NULL;

	if (stream->options.registry != NULL)
	{
		registry = palloc0(sizeof(UsRegistry));
		registry->context = context;
		registry->server = stream->options.registry;
		registry->server_oid = us_stream_at_home(stream) ? stream->registry_oid : InvalidOid;
		registry->owner = owner;
		registry->has_keys = stream->upsert;
		registry->schemas = stream->schemas = us_schemas_create();
	}
	MemoryContextSwitchTo(old);
	return registry;
}

/* always false, for the caller to return */
static bool
fail(Inquiry *inquiry, const char *what)
{
	snprintf(inquiry->error, inquiry->error_size, "schema registry \"%s\": %s",
			 inquiry->registry->server, what);
	return false;
}

/* by what it is, not by its name: another server may have that by now */
static Oid
find_server(const UsRegistry *registry)
{
	const char *name = registry->server;

	if (OidIsValid(registry->server_oid))
		name = us_server_display_name(registry->server_oid);
	if (name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist any more", registry->server),
				 errhint("userstream.alter_stream(..., options => '{\"registry\": ...}') names another.")));
	return us_server_lookup(name, US_SERVER_HTTP, registry->owner);
}

static void
read_server(Inquiry *inquiry)
{
	bool		own = !IsTransactionState();
	MemoryContext context = CurrentMemoryContext;
	UsOptionList options;
	Oid			server;

	if (own)
		StartTransactionCommand();
	MemoryContextSwitchTo(context);
	server = find_server(inquiry->registry);
	options = us_server_options(server, inquiry->registry->owner);
	us_server_http_read(&options, &inquiry->server);
	if (own)
		CommitTransactionCommand();
	else
		InvalidateCatalogSnapshot();
	MemoryContextSwitchTo(context);
	inquiry->server.method = "GET";
}

/* the server's url with a path behind its own, in front of its parameters */
static char *
make_url(const Inquiry *inquiry, const char *path)
{
	const char *url = inquiry->server.url;
	int			len = (int) strcspn(url, "?#");
	const char *rest = url + len;

	while (len > 0 && url[len - 1] == '/')
		len--;
	return psprintf("%.*s%s%s", len, url, path, rest);
}

/* one answer of whatever status; NULL when there is none */
static const UsHttpResponse *
ask(Inquiry *inquiry, const char *path)
{
	long		left_ms = TimestampDifferenceMilliseconds(GetCurrentTimestamp(),
														  inquiry->deadline);
	const UsHttpResponse *response;

	if (us_http_start(inquiry->http, make_url(inquiry, path), (int) Max(left_ms, 1)))
	{
		bool		done;

		do
		{
			us_check_interrupts();
			pgstat_report_wait_start(PG_WAIT_EXTENSION);
			done = us_http_step(inquiry->http, STEP_MS);
			pgstat_report_wait_end();
		} while (!done);
	}
	response = us_http_response(inquiry->http);
	if (response->fault == US_HTTP_NONE)
		return response;
	(void) fail(inquiry, response->error);
	return NULL;
}

/* what the registry says of a schema; *answer NULL: it is sure to have none */
static bool
ask_schema(Inquiry *inquiry, const char *path, UsJson **answer)
{
	const UsHttpResponse *response = ask(inquiry, path);
	UsJson	   *json;

	*answer = NULL;
	if (response == NULL)
		return false;
	json = response->size > MAX_SCHEMA_BYTES ? NULL :
		us_json_tree(response->body, response->size);
	if (response->status == NOT_FOUND &&
		us_json_int_member(json, "error_code", 0, INT_MAX, 0) == SCHEMA_NOT_FOUND)
		return true;
	if (response->status < 200 || response->status > 299)
		return fail(inquiry, psprintf("it answers with HTTP status %d", response->status));
	if (us_json_string_member(json, "schema") == NULL)
		return fail(inquiry, "its answer holds no schema");
	*answer = json;
	return true;
}

/* those that a schema refers to, each once */
static bool
collect_references(Inquiry *inquiry, const UsJson *answer, int depth, const char **refusal)
{
	const UsJson *references = us_json_member(answer, "references");
	const UsJson *reference = references == NULL || references->kind != US_JSON_ARRAY ? NULL :
		references->first;

	for (; reference != NULL && *refusal == NULL; reference = reference->next)
	{
		const char *subject = us_json_string_member(reference, "subject");
		int			version = us_json_int_member(reference, "version", 1, INT_MAX, 0);
		char	   *encoded = subject == NULL ? NULL : us_http_url_encode(subject);
		char	   *path;
		bool		found = false;
		bool		known = false;

		if (encoded == NULL || version == 0)
			return fail(inquiry, "its answer holds a reference without subject or version");
		path = psprintf("/subjects/%s/versions/%d", encoded, version);
		free(encoded);
		for (int i = 0; i < inquiry->nnames; i++)
			known |= strcmp(inquiry->names[i], path) == 0;
		if (known)
			continue;
		if (depth >= MAX_REFERENCES || inquiry->nnames == MAX_REFERENCES)
		{
			*refusal = "it refers to more than 100 others";
			return true;
		}
		inquiry->names[inquiry->nnames++] = path;
		if (!collect_schema(inquiry, path, depth + 1, &found, refusal))
			return false;
		if (!found)
			return fail(inquiry, "it does not know a schema that another refers to");
	}
	return true;
}

/* a schema's text behind those that it refers to; *refusal: why it is of no use */
static bool
collect_schema(Inquiry *inquiry, const char *path, int depth, bool *found, const char **refusal)
{
	UsJson	   *answer;
	const char *type;

	if (!ask_schema(inquiry, path, &answer))
		return false;
	*found = answer != NULL;
	if (!*found)
		return true;
	type = us_json_string_member(answer, "schemaType");
	if (type != NULL && strcmp(type, "AVRO") != 0)
	{
		*refusal = psprintf("it is of type %.30s, not AVRO", type);
		return true;
	}
	if (!collect_references(inquiry, answer, depth, refusal))
		return false;
	inquiry->texts[inquiry->ntexts++] = us_json_string_member(answer, "schema");
	return true;
}

/* one number, into the schemas */
static bool
learn_schema(Inquiry *inquiry, int32 id)
{
	const UsRegistry *registry = inquiry->registry;
	const char *refusal = NULL;
	bool		found;
	char		error[US_SCHEMA_ERROR_BYTES] = "";
	UsAvroSchema *schema = NULL;

	inquiry->ntexts = inquiry->nnames = 0;
	if (!collect_schema(inquiry, psprintf("/schemas/ids/%u", (uint32) id), 0, &found, &refusal))
		return false;
	if (found && refusal == NULL)
	{
		MemoryContext old = MemoryContextSwitchTo(registry->context);

		schema = us_avro_schema_parse(inquiry->texts, inquiry->ntexts, error, sizeof(error));
		MemoryContextSwitchTo(old);
		refusal = error;
	}
	us_schemas_put(registry->schemas, id, schema != NULL ? schema->root : NULL,
				   found ? refusal : NULL);
	return true;
}

/* a number that has to be asked for, of a message's value or its key */
static bool
is_missing(const UsRegistry *registry, const UsMessage *message, int32 *id)
{
	return (message->value != NULL && us_frame_read(message->value, message->value_len, id) &&
			us_schemas_find(registry->schemas, *id) == NULL) ||
		(registry->has_keys && message->key != NULL &&
		 us_frame_read(message->key, message->key_len, id) &&
		 us_schemas_find(registry->schemas, *id) == NULL);
}

/* with a client that is closed in any case */
static bool
run_inquiry(Inquiry *inquiry, const UsMessage *messages, int count)
{
	char		errstr[256];
	volatile bool ok = true;
	int32		id;

	inquiry->http = us_http_open(&inquiry->server, errstr, sizeof(errstr));
	if (inquiry->http == NULL)
		return fail(inquiry, errstr);
	PG_TRY();
	{
		if (messages == NULL)
		{
			UsJson	   *answer;

			ok = ask_schema(inquiry, "/schemas/ids/1", &answer);
		}
		for (int i = 0; ok && messages != NULL && i < count; i++)
			while (ok && is_missing(inquiry->registry, &messages[i], &id))
				ok = learn_schema(inquiry, id);
	}
	PG_FINALLY();
	{
		us_http_close(inquiry->http);
	}
	PG_END_TRY();
	return ok;
}

/* messages NULL: only whether it answers */
static bool
inquire(const UsRegistry *registry, const UsMessage *messages, int count,
		char *error, size_t error_size)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "schema registry",
												  ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(context);
	Inquiry    *inquiry = palloc0(sizeof(Inquiry));
	bool		ok;

	inquiry->registry = registry;
	inquiry->error = error;
	inquiry->error_size = error_size;
	inquiry->deadline = TimestampTzPlusMilliseconds(GetCurrentTimestamp(),
													US_REGISTRY_TIMEOUT_MS);
	read_server(inquiry);
	ok = run_inquiry(inquiry, messages, count);
	MemoryContextSwitchTo(old);
	MemoryContextDelete(context);
	return ok;
}

bool
us_registry_prepare(UsRegistry *registry, const UsMessage *messages, int count,
					bool again, char *error, size_t error_size)
{
	int32		id;

	if (again)
		us_schemas_forget_unknown(registry->schemas);
	for (int i = 0; i < count; i++)
		if (is_missing(registry, &messages[i], &id))
			return inquire(registry, messages + i, count - i, error, error_size);
	return true;
}

static void
raise_failure(const char *error)
{
	ereport(ERROR,
			(errcode(ERRCODE_CONNECTION_FAILURE),
			 errmsg_internal("%s", error),
			 errhint("Look at url and the other options of this server, and at header in the user mapping of the stream's owner.")));
}

void
us_registry_require(UsRegistry *registry, const UsMessage *messages, int count)
{
	char		error[512];

	if (registry != NULL &&
		!us_registry_prepare(registry, messages, count, false, error, sizeof(error)))
		raise_failure(error);
}

void
us_registry_check(const char *server, Oid owner)
{
	UsRegistry	registry = {
		.context = CurrentMemoryContext,
		.server = server,
		.owner = owner
	};
	char		error[512];

	if (!inquire(&registry, NULL, 0, error, sizeof(error)))
		raise_failure(error);
}
