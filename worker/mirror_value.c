/*-------------------------------------------------------------------------
 * worker/mirror_value.c
 *    values of PostgreSQL, as its types send them -> values of CQL
 *
 * Runs in mirror workers, also inside the decoding of a transaction: common
 * types need no catalog.  A value that its CQL type cannot hold (infinity,
 * NaN, 24:00, a network in an inet) is refused, never changed; only the
 * microseconds of a timestamp are cut, because Cassandra's has milliseconds.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "datatype/timestamp.h"
#include "port/pg_bswap.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/inet.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "worker/mirror_value.h"

#define EPOCH_DAYS		(POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE)
#define EPOCH_USECS		((int64) EPOCH_DAYS * USECS_PER_DAY)
#define INET_HEADER		4		/* family, bits, is_cidr, length */

/* big-endian, of 2, 4 or 8 bytes */
static int64
read_integer(const char *data, int len)
{
	uint16		n16;
	uint32		n32;
	uint64		n64;

	switch (len)
	{
		case 2:
			memcpy(&n16, data, 2);
			return (int16) pg_ntoh16(n16);
		case 4:
			memcpy(&n32, data, 4);
			return (int32) pg_ntoh32(n32);
		default:
			Assert(len == 8);
			memcpy(&n64, data, 8);
			return (int64) pg_ntoh64(n64);
	}
}

static bool
is_text(UsCqlTypeId cql)
{
	return cql == US_CQL_VARCHAR || cql == US_CQL_ASCII;
}

/* by the type alone, for those whose bytes are taken as they are sent */
static bool
find_form(Oid type, UsCqlTypeId cql, UsValueForm *form)
{
	bool		integer = cql == US_CQL_TINYINT || cql == US_CQL_SMALLINT || cql == US_CQL_INT ||
		cql == US_CQL_BIGINT;
	bool		exact = cql == US_CQL_VARINT || cql == US_CQL_DECIMAL;

	switch (type)
	{
		case TEXTOID:
		case VARCHAROID:
		case BPCHAROID:
		case NAMEOID:
		case JSONOID:
			*form = cql == US_CQL_ASCII ? US_VALUE_ASCII : US_VALUE_BYTES;
			return is_text(cql);
		case JSONBOID:
			*form = US_VALUE_JSONB;
			return cql == US_CQL_VARCHAR;
		case BYTEAOID:
			*form = US_VALUE_BYTES;
			return cql == US_CQL_BLOB;
		case UUIDOID:
			*form = cql == US_CQL_TIMEUUID ? US_VALUE_TIMEUUID : US_VALUE_BYTES;
			return cql == US_CQL_UUID || cql == US_CQL_TIMEUUID;
		case BOOLOID:
			*form = US_VALUE_BOOLEAN;
			return cql == US_CQL_BOOLEAN;
		case INT2OID:
		case INT4OID:
		case INT8OID:
			*form = integer ? US_VALUE_INTEGER : US_VALUE_INTEGER_TEXT;
			return integer || exact;
		case FLOAT4OID:
		case FLOAT8OID:
			*form = US_VALUE_FLOAT;
			return cql == US_CQL_DOUBLE || (cql == US_CQL_FLOAT && type == FLOAT4OID);
		case NUMERICOID:
			*form = US_VALUE_NUMERIC;
			return exact;
		case DATEOID:
			*form = US_VALUE_DATE;
			return cql == US_CQL_DATE;
		case TIMEOID:
			*form = US_VALUE_TIME;
			return cql == US_CQL_TIME;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			*form = US_VALUE_TIMESTAMP;
			return cql == US_CQL_TIMESTAMP;
		case INTERVALOID:
			*form = US_VALUE_INTERVAL;
			return cql == US_CQL_DURATION;
		case INETOID:
			*form = US_VALUE_INET;
			return cql == US_CQL_INET;
		default:
			return false;
	}
}

Oid
us_mirror_send_function(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	Oid			function = InvalidOid;

	if (HeapTupleIsValid(tuple))
	{
		function = ((Form_pg_type) GETSTRUCT(tuple))->typsend;
		ReleaseSysCache(tuple);
	}
	return function;
}

static void
find_functions(UsMirrorValue *value)
{
	Oid			function;
	bool		varlena;
	Oid			send = us_mirror_send_function(value->type);

	/* without a send function it comes as text already */
	value->has_receive = OidIsValid(send);
	if (value->has_receive)
	{
		getTypeBinaryInputInfo(value->type, &function, &value->receive_param);
		fmgr_info(function, &value->receive);
	}
	getTypeOutputInfo(value->type, &function, &varlena);
	fmgr_info(function, &value->output);
}

static bool
compile_array(Oid type, const UsCqlType *cql, UsMirrorValue *value)
{
	Oid			element = get_element_type(type);

	if (!OidIsValid(element) || (cql->id != US_CQL_LIST && cql->id != US_CQL_SET))
		return false;
	value->element = palloc0(sizeof(UsMirrorValue));
	value->form = US_VALUE_ARRAY;
	return us_mirror_value_compile(element, &cql->parts[0], value->element);
}

bool
us_mirror_value_compile(Oid type, const UsCqlType *cql, UsMirrorValue *value)
{
	memset(value, 0, sizeof(*value));
	value->type = getBaseType(type);
	value->cql = cql->id;
	if (find_form(value->type, cql->id, &value->form))
	{
		if (value->form == US_VALUE_NUMERIC)
			find_functions(value);
		return true;
	}
	if (compile_array(value->type, cql, value))
		return true;
	value->form = US_VALUE_NONE;
	if (!is_text(cql->id))
		return false;
	value->form = US_VALUE_OUTPUT;
	find_functions(value);
	return true;
}

static char *
output_text(UsMirrorValue *value, bool binary, const char *data, int len)
{
	StringInfoData buffer = {unconstify(char *, data), len, len, 0};
	Datum		datum;

	if (!binary || !value->has_receive)
		return pnstrdup(data, len);
	datum = ReceiveFunctionCall(&value->receive, &buffer, value->receive_param, -1);
	return OutputFunctionCall(&value->output, datum);
}

static void
put_text(UsMirrorValue *value, bool binary, const char *data, int len, UsCqlWriter *writer)
{
	char	   *text = output_text(value, binary, data, len);

	switch (value->cql)
	{
		case US_CQL_DECIMAL:
			us_cql_put_decimal(writer, text, strlen(text));
			break;
		case US_CQL_VARINT:
			us_cql_put_varint(writer, text, strlen(text));
			break;
		case US_CQL_ASCII:
			us_cql_put_ascii(writer, text, strlen(text));
			break;
		default:
			us_cql_put_blob(writer, text, strlen(text));
	}
	pfree(text);
}

static void
put_integer_text(int64 number, UsCqlTypeId cql, UsCqlWriter *writer)
{
	char		text[32];
	int			len = snprintf(text, sizeof(text), INT64_FORMAT, number);

	if (cql == US_CQL_VARINT)
		us_cql_put_varint(writer, text, len);
	else
		us_cql_put_decimal(writer, text, len);
}

static void
put_float(const char *data, int len, UsCqlTypeId cql, UsCqlWriter *writer)
{
	union
	{
		uint32		bits;
		float		number;
	}			single;
	union
	{
		uint64		bits;
		double		number;
	}			twice;

	if (len == 4)
	{
		single.bits = (uint32) read_integer(data, 4);
		if (cql == US_CQL_FLOAT)
			us_cql_put_float(writer, single.number);
		else
			us_cql_put_double(writer, single.number);
		return;
	}
	twice.bits = (uint64) read_integer(data, 8);
	us_cql_put_double(writer, twice.number);
}

static void
put_date(int32 days, UsCqlWriter *writer)
{
	if (DATE_IS_NOBEGIN(days) || DATE_IS_NOEND(days))
		us_cql_writer_refuse(writer, "it is infinite");
	else
		us_cql_put_date(writer, days + EPOCH_DAYS);
}

/* whole milliseconds, downwards also before 1970 */
static void
put_timestamp(int64 time, UsCqlWriter *writer)
{
	int64		us;

	if (TIMESTAMP_NOT_FINITE(time))
	{
		us_cql_writer_refuse(writer, "it is infinite");
		return;
	}
	us = time + EPOCH_USECS;
	us_cql_put_timestamp(writer, us / 1000 - (us % 1000 < 0 ? 1 : 0));
}

static void
put_interval(const char *data, UsCqlWriter *writer)
{
	int64		us = read_integer(data, 8);

	if (us > PG_INT64_MAX / 1000 || us < PG_INT64_MIN / 1000)
		us_cql_writer_refuse(writer, "it is out of range");
	else
		us_cql_put_duration(writer, (int32) read_integer(data + 12, 4),
							(int32) read_integer(data + 8, 4), us * 1000);
}

/* an address, not a network */
static void
put_inet(const char *data, int len, UsCqlWriter *writer)
{
	int			bytes = len - INET_HEADER;

	if ((uint8) data[1] != bytes * 8)
		us_cql_writer_refuse(writer, "it is a network, not an address");
	else
		us_cql_put_inet(writer, (const uint8_t *) data + INET_HEADER, bytes);
}

/*
 * Shape:   dimensions i32 | has nulls i32 | element type i32 | per dimension: length i32, lower
 *          bound i32 | elements: length i32, bytes
 * Source:  array_send
 */
static void
put_array(UsMirrorValue *value, const char *data, UsCqlWriter *writer)
{
	int			dimensions = (int) read_integer(data, 4);
	int			count = dimensions == 1 ? (int) read_integer(data + 12, 4) : 0;
	const char *at = data + 20;
	size_t		mark;

	if (dimensions > 1)
	{
		us_cql_writer_refuse(writer, "it has several dimensions");
		return;
	}
	mark = us_cql_open(writer);
	us_cql_put_count(writer, count);
	for (int i = 0; i < count; i++)
	{
		int			len = (int) read_integer(at, 4);

		if (len < 0)
		{
			us_cql_writer_refuse(writer, "it has an element that is null");
			return;
		}
		us_mirror_value_put(value->element, true, at + 4, len, writer);
		at += 4 + len;
	}
	us_cql_close(writer, mark);
}

void
us_mirror_value_put(UsMirrorValue *value, bool binary, const char *data, int len,
					UsCqlWriter *writer)
{
	switch (value->form)
	{
		case US_VALUE_NONE:
			us_cql_writer_refuse(writer, "its type does not go there");
			break;
		case US_VALUE_BYTES:
			us_cql_put_blob(writer, data, len);
			break;
		case US_VALUE_ASCII:
			us_cql_put_ascii(writer, data, len);
			break;
		case US_VALUE_JSONB:
			us_cql_put_blob(writer, data + (binary ? 1 : 0), len - (binary ? 1 : 0));
			break;
		case US_VALUE_INTEGER:
			us_cql_put_integer(writer, value->cql, read_integer(data, len));
			break;
		case US_VALUE_INTEGER_TEXT:
			put_integer_text(read_integer(data, len), value->cql, writer);
			break;
		case US_VALUE_FLOAT:
			put_float(data, len, value->cql, writer);
			break;
		case US_VALUE_BOOLEAN:
			us_cql_put_boolean(writer, data[0] != 0);
			break;
		case US_VALUE_DATE:
			put_date((int32) read_integer(data, len), writer);
			break;
		case US_VALUE_TIME:
			us_cql_put_time(writer, read_integer(data, len) * 1000);
			break;
		case US_VALUE_TIMESTAMP:
			put_timestamp(read_integer(data, len), writer);
			break;
		case US_VALUE_INTERVAL:
			put_interval(data, writer);
			break;
		case US_VALUE_INET:
			put_inet(data, len, writer);
			break;
		case US_VALUE_TIMEUUID:
			us_cql_put_timeuuid(writer, (const uint8_t *) data);
			break;
		case US_VALUE_ARRAY:
			put_array(value, data, writer);
			break;
		case US_VALUE_NUMERIC:
		case US_VALUE_OUTPUT:
			put_text(value, binary, data, len, writer);
			break;
	}
}

char *
us_mirror_value_text(Oid type, bool binary, const char *data, int len)
{
	UsMirrorValue value = {.type = getBaseType(type)};

	find_functions(&value);
	return output_text(&value, binary, data, len);
}

const char *
us_mirror_value_cql_type(Oid type)
{
	Oid			base = getBaseType(type);
	Oid			element = get_element_type(base);

	switch (base)
	{
		case BOOLOID:
			return "boolean";
		case INT2OID:
			return "smallint";
		case INT4OID:
			return "int";
		case INT8OID:
			return "bigint";
		case FLOAT4OID:
			return "float";
		case FLOAT8OID:
			return "double";
		case NUMERICOID:
			return "decimal";
		case UUIDOID:
			return "uuid";
		case BYTEAOID:
			return "blob";
		case DATEOID:
			return "date";
		case TIMEOID:
			return "time";
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			return "timestamp";
		default:
			if (OidIsValid(element))
				return psprintf("frozen<list<%s>>", us_mirror_value_cql_type(element));
			return "text";
	}
}
