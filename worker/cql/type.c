/*-------------------------------------------------------------------------
 * worker/cql/type.c
 *    the types of CQL values, as the server describes them
 *
 * The description comes from outside and nests: depth is bounded here, and
 * with it how deep everything recurses that walks a type.
 *-------------------------------------------------------------------------
 */
#include "worker/cql/type.h"

static UsCqlStatus read_type(UsCqlReader *reader, UsCqlArena *arena, UsCqlType *type, int depth);

static const char *
simple_name(UsCqlTypeId id)
{
	switch (id)
	{
		case US_CQL_ASCII:
			return "ascii";
		case US_CQL_BIGINT:
			return "bigint";
		case US_CQL_BLOB:
			return "blob";
		case US_CQL_BOOLEAN:
			return "boolean";
		case US_CQL_COUNTER:
			return "counter";
		case US_CQL_DECIMAL:
			return "decimal";
		case US_CQL_DOUBLE:
			return "double";
		case US_CQL_FLOAT:
			return "float";
		case US_CQL_INT:
			return "int";
		case US_CQL_TIMESTAMP:
			return "timestamp";
		case US_CQL_UUID:
			return "uuid";
		case US_CQL_VARCHAR:
			return "text";
		case US_CQL_VARINT:
			return "varint";
		case US_CQL_TIMEUUID:
			return "timeuuid";
		case US_CQL_INET:
			return "inet";
		case US_CQL_DATE:
			return "date";
		case US_CQL_TIME:
			return "time";
		case US_CQL_SMALLINT:
			return "smallint";
		case US_CQL_TINYINT:
			return "tinyint";
		case US_CQL_DURATION:
			return "duration";
		case US_CQL_LIST:
			return "list";
		case US_CQL_MAP:
			return "map";
		case US_CQL_SET:
			return "set";
		case US_CQL_TUPLE:
			return "tuple";
		case US_CQL_CUSTOM:
		case US_CQL_UDT:
			return NULL;
	}
	return NULL;
}

/* v4 has no number for it, but servers from 3.10 on have the type */
static void
name_duration(UsCqlType *type)
{
	static const char class[] = "org.apache.cassandra.db.marshal.DurationType";

	if (type->name.len != sizeof(class) - 1 || memcmp(type->name.data, class, type->name.len) != 0)
		return;
	type->id = US_CQL_DURATION;
	type->name.data = NULL;
	type->name.len = 0;
}

/* n parts, if what is left can hold so many */
static UsCqlStatus
read_parts(UsCqlReader *reader, UsCqlArena *arena, UsCqlType *type, int n, int depth)
{
	size_t		min_bytes = type->id == US_CQL_UDT ? 4 : 2;

	if (depth >= US_CQL_TYPE_DEPTH || reader->failed ||
		us_cql_left(reader) / min_bytes < (size_t) n)
		return US_CQL_MALFORMED;
	type->nparts = n;
	if (n == 0)
		return US_CQL_OK;
	type->parts = us_cql_arena_alloc(arena, sizeof(UsCqlType) * (size_t) n);
	if (type->parts == NULL)
		return US_CQL_NO_MEMORY;
	if (type->id == US_CQL_UDT)
	{
		type->fields = us_cql_arena_alloc(arena, sizeof(UsCqlBytes) * (size_t) n);
		if (type->fields == NULL)
			return US_CQL_NO_MEMORY;
	}
	for (int i = 0; i < n; i++)
	{
		UsCqlStatus status;

		if (type->fields != NULL)
			type->fields[i] = us_cql_get_string(reader);
		status = read_type(reader, arena, &type->parts[i], depth + 1);
		if (status != US_CQL_OK)
			return status;
	}
	return US_CQL_OK;
}

static UsCqlStatus
read_type(UsCqlReader *reader, UsCqlArena *arena, UsCqlType *type, int depth)
{
	memset(type, 0, sizeof(*type));
	type->id = us_cql_get_u16(reader);
	if (reader->failed)
		return US_CQL_MALFORMED;
	switch (type->id)
	{
		case US_CQL_CUSTOM:
			type->name = us_cql_get_string(reader);
			name_duration(type);
			return reader->failed ? US_CQL_MALFORMED : US_CQL_OK;
		case US_CQL_LIST:
		case US_CQL_SET:
			return read_parts(reader, arena, type, 1, depth);
		case US_CQL_MAP:
			return read_parts(reader, arena, type, 2, depth);
		case US_CQL_UDT:
			type->keyspace = us_cql_get_string(reader);
			type->name = us_cql_get_string(reader);
			return read_parts(reader, arena, type, us_cql_get_u16(reader), depth);
		case US_CQL_TUPLE:
			return read_parts(reader, arena, type, us_cql_get_u16(reader), depth);
		default:
			return simple_name(type->id) != NULL ? US_CQL_OK : US_CQL_MALFORMED;
	}
}

UsCqlStatus
us_cql_read_type(UsCqlReader *reader, UsCqlArena *arena, UsCqlType *type)
{
	return read_type(reader, arena, type, 0);
}

void
us_cql_put_type_name(UsCqlWriter *writer, const UsCqlType *type)
{
	const char *name = simple_name(type->id);

	if (name != NULL)
		us_cql_put_raw(writer, name, strlen(name));
	else
	{
		if (type->keyspace.data != NULL)
		{
			us_cql_put_raw(writer, type->keyspace.data, type->keyspace.len);
			us_cql_put_u8(writer, '.');
		}
		us_cql_put_raw(writer, type->name.data, type->name.len);
		return;
	}
	for (int i = 0; i < type->nparts; i++)
	{
		us_cql_put_raw(writer, i == 0 ? "<" : ", ", i == 0 ? 1 : 2);
		us_cql_put_type_name(writer, &type->parts[i]);
	}
	if (type->nparts > 0)
		us_cql_put_u8(writer, '>');
}

static bool
same_bytes(UsCqlBytes a, UsCqlBytes b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

bool
us_cql_same_type(const UsCqlType *a, const UsCqlType *b)
{
	if (a->id != b->id || a->nparts != b->nparts || !same_bytes(a->name, b->name) ||
		!same_bytes(a->keyspace, b->keyspace))
		return false;
	for (int i = 0; i < a->nparts; i++)
	{
		if (a->fields != NULL && !same_bytes(a->fields[i], b->fields[i]))
			return false;
		if (!us_cql_same_type(&a->parts[i], &b->parts[i]))
			return false;
	}
	return true;
}
