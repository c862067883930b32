/*-------------------------------------------------------------------------
 * worker/cql/request.c
 *    what a client asks: structures -> envelopes
 *
 * Never uses a keyspace of the connection: statements name theirs, or their
 * ids would depend on what was sent before them.
 *-------------------------------------------------------------------------
 */
#include "worker/cql/request.h"

/* flags of parameters, u8 in v4 and i32 in v5 */
#define WITH_VALUES			0x01
#define SKIP_METADATA		0x02
#define WITH_PAGE_SIZE		0x04
#define WITH_PAGING_STATE	0x08
#define WITH_SERIAL			0x10
#define WITH_TIMESTAMP		0x20

static const char *const consistencies[] = {
	"ANY", "ONE", "TWO", "THREE", "QUORUM", "ALL", "LOCAL_QUORUM", "EACH_QUORUM",
	"SERIAL", "LOCAL_SERIAL", "LOCAL_ONE"
};

#define NCONSISTENCIES	((int) (sizeof(consistencies) / sizeof(consistencies[0])))

static bool
same_word(const char *a, const char *upper)
{
	for (; *a != '\0' && *upper != '\0'; a++, upper++)
	{
		char		c = *a >= 'a' && *a <= 'z' ? (char) (*a - 'a' + 'A') : *a;

		if (c != *upper)
			return false;
	}
	return *a == *upper;
}

bool
us_cql_consistency_parse(const char *name, UsCqlConsistency *consistency)
{
	for (int i = 0; i < NCONSISTENCIES; i++)
	{
		if (same_word(name, consistencies[i]))
		{
			*consistency = (UsCqlConsistency) i;
			return true;
		}
	}
	return false;
}

const char *
us_cql_consistency_name(int consistency)
{
	return consistency >= 0 && consistency < NCONSISTENCIES ? consistencies[consistency] : "unknown";
}

void
us_cql_write_options(UsCqlWriter *writer, int version, int stream)
{
	us_cql_envelope_close(writer, us_cql_envelope_open(writer, version, stream, US_CQL_OPTIONS));
}

void
us_cql_write_startup(UsCqlWriter *writer, int version, int stream, const char *driver_name,
					 const char *driver_version)
{
	size_t		mark = us_cql_envelope_open(writer, version, stream, US_CQL_STARTUP);

	us_cql_put_u16(writer, (uint16_t) (2 + (driver_name != NULL) + (driver_version != NULL)));
	us_cql_put_cstring(writer, "CQL_VERSION");
	us_cql_put_cstring(writer, "3.0.0");
	us_cql_put_cstring(writer, "THROW_ON_OVERLOAD");
	us_cql_put_cstring(writer, "1");
	if (driver_name != NULL)
	{
		us_cql_put_cstring(writer, "DRIVER_NAME");
		us_cql_put_cstring(writer, driver_name);
	}
	if (driver_version != NULL)
	{
		us_cql_put_cstring(writer, "DRIVER_VERSION");
		us_cql_put_cstring(writer, driver_version);
	}
	us_cql_envelope_close(writer, mark);
}

void
us_cql_write_plain(UsCqlWriter *writer, int version, int stream, const char *username,
				   const char *password)
{
	size_t		mark = us_cql_envelope_open(writer, version, stream, US_CQL_AUTH_RESPONSE);
	size_t		token = us_cql_open(writer);

	us_cql_put_u8(writer, 0);
	us_cql_put_raw(writer, username, strlen(username));
	us_cql_put_u8(writer, 0);
	us_cql_put_raw(writer, password, strlen(password));
	us_cql_close(writer, token);
	us_cql_envelope_close(writer, mark);
}

void
us_cql_write_prepare(UsCqlWriter *writer, int version, int stream, const char *query, size_t len)
{
	size_t		mark = us_cql_envelope_open(writer, version, stream, US_CQL_PREPARE);

	us_cql_put_long_bytes(writer, query, len);
	if (version >= 5)
		us_cql_put_u32(writer, 0);
	us_cql_envelope_close(writer, mark);
}

/* how the request is bound and paged */
static void
put_parameters(UsCqlWriter *writer, int version, const UsCqlRequest *request)
{
	uint32_t	flags = 0;

	if (request->nvalues > 0)
		flags |= WITH_VALUES;
	/* only v5 tells when what we remember of the result is old */
	if (version >= 5 && request->statement != NULL && request->statement->result.columns != NULL)
		flags |= SKIP_METADATA;
	if (request->page_size > 0)
		flags |= WITH_PAGE_SIZE;
	if (request->paging_state.data != NULL)
		flags |= WITH_PAGING_STATE;
	if (request->serial_consistency != 0)
		flags |= WITH_SERIAL;
	if (request->has_timestamp)
		flags |= WITH_TIMESTAMP;

	us_cql_put_u16(writer, request->consistency);
	if (version >= 5)
		us_cql_put_u32(writer, flags);
	else
		us_cql_put_u8(writer, (uint8_t) flags);
	if (flags & WITH_VALUES)
	{
		us_cql_put_u16(writer, request->nvalues);
		us_cql_put_raw(writer, request->values, request->values_len);
	}
	if (flags & WITH_PAGE_SIZE)
		us_cql_put_u32(writer, (uint32_t) request->page_size);
	if (flags & WITH_PAGING_STATE)
		us_cql_put_long_bytes(writer, request->paging_state.data, request->paging_state.len);
	if (flags & WITH_SERIAL)
		us_cql_put_u16(writer, request->serial_consistency);
	if (flags & WITH_TIMESTAMP)
		us_cql_put_u64(writer, (uint64_t) request->timestamp_us);
}

void
us_cql_write_request(UsCqlWriter *writer, int version, int stream, const UsCqlRequest *request)
{
	const UsCqlStatement *statement = request->statement;
	size_t		start = writer->len;
	size_t		mark = us_cql_envelope_open(writer, version, stream,
											statement != NULL ? US_CQL_EXECUTE : US_CQL_QUERY);

	if (request->tracing && writer->status == US_CQL_OK)
		writer->data[start + 1] |= US_CQL_FLAG_TRACING;
	if (statement == NULL)
		us_cql_put_long_bytes(writer, request->query, request->query_len);
	else
	{
		us_cql_put_string(writer, (const char *) statement->id.data, statement->id.len);
		if (version >= 5)
			us_cql_put_string(writer, (const char *) statement->result_id.data,
							  statement->result_id.len);
	}
	put_parameters(writer, version, request);
	us_cql_envelope_close(writer, mark);
}
