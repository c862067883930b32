/*-------------------------------------------------------------------------
 * worker/cql/response.c
 *    what a server answers: envelopes -> structures
 *
 * Nothing that the server counts is believed before there are bytes for it:
 * columns, parts of types and cells all take a known minimum.
 *-------------------------------------------------------------------------
 */
#include "worker/cql/response.h"

/* flags of metadata */
#define GLOBAL_SPEC		0x01
#define MORE_PAGES		0x02
#define NO_METADATA		0x04
#define METADATA_CHANGED	0x08

/* the bytes from a place to where the reader is now */
static UsCqlBytes
bytes_since(const UsCqlReader *reader, const uint8_t *start)
{
	UsCqlBytes	bytes = {start, 0};

	if (!reader->failed)
		bytes.len = (size_t) (reader->at - start);
	return bytes;
}

/* [string list] with its count */
static UsCqlBytes
read_string_list(UsCqlReader *reader)
{
	const uint8_t *start = reader->at;

	for (int n = us_cql_get_u16(reader); n > 0 && !reader->failed; n--)
		(void) us_cql_get_string(reader);
	return bytes_since(reader, start);
}

/* tracing id, warnings, payload: before the message, in this order */
static void
read_prefixes(UsCqlReader *reader, uint8_t flags, UsCqlResponse *response)
{
	const uint8_t *start;

	if (flags & US_CQL_FLAG_TRACING)
	{
		response->tracing_id.data = us_cql_take(reader, 16);
		response->tracing_id.len = reader->failed ? 0 : 16;
	}
	if (flags & US_CQL_FLAG_WARNING)
	{
		response->nwarnings = us_cql_get_u16(reader);
		start = reader->at;
		for (int i = 0; i < response->nwarnings && !reader->failed; i++)
			(void) us_cql_get_string(reader);
		response->warnings = bytes_since(reader, start);
	}
	if (flags & US_CQL_FLAG_PAYLOAD)
	{
		response->npayload = us_cql_get_u16(reader);
		start = reader->at;
		for (int i = 0; i < response->npayload && !reader->failed; i++)
		{
			(void) us_cql_get_string(reader);
			(void) us_cql_get_long_bytes(reader);
		}
		response->payload = bytes_since(reader, start);
	}
}

static void
read_consistency_and_counts(UsCqlReader *reader, UsCqlError *error)
{
	error->consistency = us_cql_get_u16(reader);
	error->received = us_cql_get_i32(reader);
	error->required = us_cql_get_i32(reader);
}

/* v5 tells for each replica why; v4 only how many */
static void
read_failures(UsCqlReader *reader, int version, UsCqlError *error)
{
	const uint8_t *start;

	error->nfailures = us_cql_get_i32(reader);
	if (version < 5)
		return;
	start = reader->at;
	for (int32_t i = 0; i < error->nfailures && !reader->failed; i++)
	{
		(void) us_cql_take(reader, us_cql_get_u8(reader));
		(void) us_cql_get_u16(reader);
	}
	error->reasons = bytes_since(reader, start);
}

static UsCqlStatus
read_error(UsCqlReader *reader, int version, UsCqlError *error)
{
	error->code = us_cql_get_i32(reader);
	error->message = us_cql_get_string(reader);
	switch (error->code)
	{
		case US_CQL_ERR_UNAVAILABLE:
			error->consistency = us_cql_get_u16(reader);
			error->required = us_cql_get_i32(reader);
			error->received = us_cql_get_i32(reader);
			break;
		case US_CQL_ERR_WRITE_TIMEOUT:
			read_consistency_and_counts(reader, error);
			error->write_type = us_cql_get_string(reader);
			/* only with write type CAS; not every 4.0 sends it */
			if (version >= 5 && us_cql_left(reader) >= 2)
				error->contentions = us_cql_get_u16(reader);
			break;
		case US_CQL_ERR_READ_TIMEOUT:
			read_consistency_and_counts(reader, error);
			error->data_present = us_cql_get_u8(reader) != 0;
			break;
		case US_CQL_ERR_READ_FAILURE:
			read_consistency_and_counts(reader, error);
			read_failures(reader, version, error);
			error->data_present = us_cql_get_u8(reader) != 0;
			break;
		case US_CQL_ERR_WRITE_FAILURE:
			read_consistency_and_counts(reader, error);
			read_failures(reader, version, error);
			error->write_type = us_cql_get_string(reader);
			break;
		case US_CQL_ERR_FUNCTION_FAILURE:
			error->keyspace = us_cql_get_string(reader);
			error->name = us_cql_get_string(reader);
			error->arguments = read_string_list(reader);
			break;
		case US_CQL_ERR_CAS_UNKNOWN:
			read_consistency_and_counts(reader, error);
			break;
		case US_CQL_ERR_ALREADY_EXISTS:
			error->keyspace = us_cql_get_string(reader);
			error->name = us_cql_get_string(reader);
			break;
		case US_CQL_ERR_UNPREPARED:
			error->id = us_cql_get_string(reader);
			break;
		default:
			/* the others, and codes of later servers: code and message tell it */
			break;
	}
	return reader->failed ? US_CQL_MALFORMED : US_CQL_OK;
}

/* the columns themselves; each has at least a name's length and a type */
static UsCqlStatus
read_column_specs(UsCqlReader *reader, UsCqlArena *arena, int32_t flags, UsCqlColumns *columns)
{
	UsCqlBytes	keyspace = {NULL, 0};
	UsCqlBytes	table = {NULL, 0};

	if (flags & GLOBAL_SPEC)
	{
		keyspace = us_cql_get_string(reader);
		table = us_cql_get_string(reader);
	}
	if (reader->failed || us_cql_left(reader) / 4 < (size_t) columns->ncolumns)
		return US_CQL_MALFORMED;
	columns->columns = us_cql_arena_alloc(arena, sizeof(UsCqlColumn) * (size_t) columns->ncolumns);
	if (columns->columns == NULL)
		return US_CQL_NO_MEMORY;
	for (int i = 0; i < columns->ncolumns; i++)
	{
		UsCqlColumn *column = &columns->columns[i];
		UsCqlStatus status;

		column->keyspace = flags & GLOBAL_SPEC ? keyspace : us_cql_get_string(reader);
		column->table = flags & GLOBAL_SPEC ? table : us_cql_get_string(reader);
		column->name = us_cql_get_string(reader);
		status = us_cql_read_type(reader, arena, &column->type);
		if (status != US_CQL_OK)
			return status;
	}
	return US_CQL_OK;
}

/* bind markers have the partition key between the counts and the columns */
static UsCqlStatus
read_columns(UsCqlReader *reader, UsCqlArena *arena, bool markers, UsCqlColumns *columns)
{
	int32_t		flags = us_cql_get_i32(reader);

	columns->ncolumns = us_cql_get_i32(reader);
	if (markers)
	{
		columns->nkeys = us_cql_get_i32(reader);
		if (columns->nkeys < 0 || us_cql_left(reader) / 2 < (size_t) columns->nkeys)
			return US_CQL_MALFORMED;
		columns->keys = us_cql_arena_alloc(arena, sizeof(uint16_t) * (size_t) columns->nkeys);
		if (columns->keys == NULL)
			return US_CQL_NO_MEMORY;
		for (int i = 0; i < columns->nkeys; i++)
			columns->keys[i] = us_cql_get_u16(reader);
	}
	if (flags & MORE_PAGES)
		columns->paging_state = us_cql_get_long_bytes(reader);
	if (flags & METADATA_CHANGED)
		columns->new_id = us_cql_get_string(reader);
	if (reader->failed || columns->ncolumns < 0)
		return US_CQL_MALFORMED;
	if (flags & NO_METADATA)
		return US_CQL_OK;
	return read_column_specs(reader, arena, flags, columns);
}

static UsCqlStatus
read_rows(UsCqlReader *reader, UsCqlArena *arena, UsCqlResponse *response)
{
	UsCqlStatus status = read_columns(reader, arena, false, &response->result);
	uint64_t	cells;

	if (status != US_CQL_OK)
		return status;
	response->nrows = us_cql_get_i32(reader);
	if (reader->failed || response->nrows < 0)
		return US_CQL_MALFORMED;
	/* each cell has a length; rows of no column would be a loop over nothing */
	cells = (uint64_t) response->nrows * (uint64_t) response->result.ncolumns;
	if (us_cql_left(reader) / 4 < cells || (cells == 0 && response->nrows > 0))
		return US_CQL_MALFORMED;
	response->cells = *reader;
	return US_CQL_OK;
}

UsCqlStatus
us_cql_next_row(UsCqlResponse *response, UsCqlBytes *cells)
{
	for (int i = 0; i < response->result.ncolumns; i++)
		cells[i] = us_cql_get_long_bytes(&response->cells);
	return response->cells.failed ? US_CQL_MALFORMED : US_CQL_OK;
}

static UsCqlStatus
read_prepared(UsCqlReader *reader, UsCqlArena *arena, UsCqlResponse *response)
{
	UsCqlStatus status;

	response->id = us_cql_get_string(reader);
	if (response->version >= 5)
		response->result_id = us_cql_get_string(reader);
	status = read_columns(reader, arena, true, &response->markers);
	if (status != US_CQL_OK)
		return status;
	return read_columns(reader, arena, false, &response->result);
}

static void
read_schema_change(UsCqlReader *reader, UsCqlSchemaChange *schema)
{
	schema->change = us_cql_get_string(reader);
	schema->target = us_cql_get_string(reader);
	schema->keyspace = us_cql_get_string(reader);
	if (schema->target.len == 8 && memcmp(schema->target.data, "KEYSPACE", 8) == 0)
		return;
	schema->name = us_cql_get_string(reader);
	if ((schema->target.len == 8 && memcmp(schema->target.data, "FUNCTION", 8) == 0) ||
		(schema->target.len == 9 && memcmp(schema->target.data, "AGGREGATE", 9) == 0))
		schema->arguments = read_string_list(reader);
}

static UsCqlStatus
read_result(UsCqlReader *reader, UsCqlArena *arena, UsCqlResponse *response)
{
	response->kind = us_cql_get_i32(reader);
	if (reader->failed)
		return US_CQL_MALFORMED;
	switch (response->kind)
	{
		case US_CQL_VOID:
			return US_CQL_OK;
		case US_CQL_ROWS:
			return read_rows(reader, arena, response);
		case US_CQL_SET_KEYSPACE:
			response->keyspace = us_cql_get_string(reader);
			return US_CQL_OK;
		case US_CQL_PREPARED:
			return read_prepared(reader, arena, response);
		case US_CQL_SCHEMA_CHANGE:
			read_schema_change(reader, &response->schema);
			return US_CQL_OK;
	}
	return US_CQL_MALFORMED;
}

static void
read_supported(UsCqlReader *reader, UsCqlResponse *response)
{
	response->noptions = us_cql_get_u16(reader);
	response->options = *reader;
	for (int i = 0; i < response->noptions && !reader->failed; i++)
	{
		(void) us_cql_get_string(reader);
		(void) read_string_list(reader);
	}
}

static void
read_event(UsCqlReader *reader, UsCqlResponse *response)
{
	response->event = us_cql_get_string(reader);
	if (response->event.len == 13 && memcmp(response->event.data, "SCHEMA_CHANGE", 13) == 0)
		read_schema_change(reader, &response->schema);
}

UsCqlStatus
us_cql_read_response(const UsCqlEnvelope *envelope, int version, UsCqlArena *arena,
					 UsCqlResponse *response)
{
	UsCqlReader reader;
	UsCqlStatus status = US_CQL_OK;

	memset(response, 0, sizeof(*response));
	us_cql_reader_init(&reader, envelope->body.data, envelope->body.len);
	us_cql_reader_init(&response->cells, NULL, 0);
	response->version = version;
	response->opcode = envelope->opcode;
	response->stream = envelope->stream;
	/* v5 has no such flag: there the segments are compressed */
	if (version < 5 && (envelope->flags & US_CQL_FLAG_COMPRESSED))
		return US_CQL_MALFORMED;
	read_prefixes(&reader, envelope->flags, response);
	if (reader.failed)
		return US_CQL_MALFORMED;
	switch (envelope->opcode)
	{
		case US_CQL_ERROR:
			status = read_error(&reader, version, &response->error);
			break;
		case US_CQL_READY:
			break;
		case US_CQL_AUTHENTICATE:
			response->authenticator = us_cql_get_string(&reader);
			break;
		case US_CQL_SUPPORTED:
			read_supported(&reader, response);
			break;
		case US_CQL_RESULT:
			status = read_result(&reader, arena, response);
			break;
		case US_CQL_EVENT:
			read_event(&reader, response);
			break;
		case US_CQL_AUTH_CHALLENGE:
		case US_CQL_AUTH_SUCCESS:
			response->token = us_cql_get_long_bytes(&reader);
			break;
		default:
			return US_CQL_MALFORMED;
	}
	if (status == US_CQL_OK && reader.failed)
		status = US_CQL_MALFORMED;
	return status;
}

static bool
value_matches(UsCqlBytes value, const char *prefix, const char *without)
{
	size_t		len = strlen(prefix);

	if (value.len < len || memcmp(value.data, prefix, len) != 0)
		return false;
	len = without != NULL ? strlen(without) : 0;
	for (size_t i = 0; without != NULL && i + len <= value.len; i++)
	{
		if (memcmp(value.data + i, without, len) == 0)
			return false;
	}
	return true;
}

bool
us_cql_supports(const UsCqlResponse *response, const char *option, const char *prefix,
				const char *without)
{
	UsCqlReader reader = response->options;

	for (int i = 0; i < response->noptions; i++)
	{
		UsCqlBytes	name = us_cql_get_string(&reader);
		bool		ours = name.len == strlen(option) && memcmp(name.data, option, name.len) == 0;

		for (int n = us_cql_get_u16(&reader); n > 0; n--)
		{
			UsCqlBytes	value = us_cql_get_string(&reader);

			if (ours && value_matches(value, prefix, without))
				return true;
		}
	}
	return false;
}
