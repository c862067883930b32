/*-------------------------------------------------------------------------
 * test/unit/cql_message_test.c
 *    every request byte by byte, every answer, and every answer cut short
 *
 * The requests' bytes were made by another implementation (the Python driver).
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/unit/cql_help.h"

static UsCqlArena arena;

static void
test_requests(void)
{
	static const uint8_t id[16] = {0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa,
	0xaa, 0xaa, 0xaa, 0xaa, 0xaa, 0xaa};
	static const uint8_t result_id[16] = {0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb,
	0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb, 0xbb};
	static const char query[] = "SELECT * FROM ks.t";
	static const char prepare[] = "SELECT * FROM ks.t WHERE k = ?";
	UsCqlRequest request = {.query = query, .query_len = sizeof(query) - 1};
	UsCqlStatement statement = {.id = {id, 16}, .result_id = {result_id, 16}};
	UsCqlColumn column = {0};
	UsCqlWriter w;
	UsCqlWriter values;

	us_cql_writer_init(&w, NULL, 0);
	us_cql_writer_init(&values, NULL, 0);
	us_cql_write_options(&w, 4, 0);
	cql_is_bytes(&w, "040000000500000000", "OPTIONS");
	us_cql_write_startup(&w, 5, 0, NULL, NULL);
	cql_is_bytes(&w, "05000000010000002c 0002 000b 43514c5f56455253494f4e 0005 332e302e30"
				 "0011 5448524f575f4f4e5f4f5645524c4f4144 0001 31", "STARTUP");
	us_cql_write_startup(&w, 4, 0, "u", "1");
	cql_is_bytes(&w, "04000000010000004f 0004 000b 43514c5f56455253494f4e 0005 332e302e30"
				 "0011 5448524f575f4f4e5f4f5645524c4f4144 0001 31"
				 "000b 4452495645525f4e414d45 0001 75 000e 4452495645525f56455253494f4e 0001 31",
				 "STARTUP with a driver's name");
	us_cql_write_plain(&w, 4, 1, "cassandra", "cassandra");
	cql_is_bytes(&w, "040000010f0000001800000014 0063617373616e6472610063617373616e647261",
				 "AUTH_RESPONSE");
	us_cql_write_prepare(&w, 4, 3, prepare, sizeof(prepare) - 1);
	cql_is_bytes(&w, "0400000309000000220000001e53454c454354202a2046524f4d206b732e742057484552"
				 "45206b203d203f", "PREPARE v4");
	us_cql_write_prepare(&w, 5, 3, prepare, sizeof(prepare) - 1);
	cql_is_bytes(&w, "0500000309000000260000001e53454c454354202a2046524f4d206b732e742057484552"
				 "45206b203d203f00000000", "PREPARE v5");

	request.consistency = US_CQL_ONE;
	us_cql_write_request(&w, 4, 7, &request);
	cql_is_bytes(&w, "0400000707000000190000001253454c454354202a2046524f4d206b732e74000100",
				 "QUERY v4");
	us_cql_write_request(&w, 5, 7, &request);
	cql_is_bytes(&w, "05000007070000001c0000001253454c454354202a2046524f4d206b732e74000100000000",
				 "QUERY v5");
	request.consistency = US_CQL_LOCAL_QUORUM;
	request.serial_consistency = US_CQL_SERIAL;
	request.page_size = 100;
	request.paging_state = cql_hex("010203");
	request.has_timestamp = true;
	request.timestamp_us = 1234567890123456;
	us_cql_write_request(&w, 4, 258, &request);
	cql_is_bytes(&w, "04000102070000002e0000001253454c454354202a2046524f4d206b732e7400063c000000"
				 "64000000030102030008000462d53c8abac0", "QUERY v4 with all parameters");
	us_cql_write_request(&w, 5, 258, &request);
	cql_is_bytes(&w, "0500010207000000310000001253454c454354202a2046524f4d206b732e7400060000003c"
				 "00000064000000030102030008000462d53c8abac0", "QUERY v5 with all parameters");

	memset(&request, 0, sizeof(request));
	us_cql_put_integer(&values, US_CQL_INT, 7);
	us_cql_put_null(&values);
	us_cql_put_blob(&values, "", 0);
	request.statement = &statement;
	request.values = values.data;
	request.values_len = values.len;
	request.nvalues = 3;
	request.consistency = US_CQL_LOCAL_QUORUM;
	request.has_timestamp = true;
	request.timestamp_us = 5;
	us_cql_write_request(&w, 4, 1, &request);
	cql_is_bytes(&w, "040000010a0000002f0010aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa000621000300000004"
				 "00000007ffffffff000000000000000000000005", "EXECUTE v4");
	us_cql_write_request(&w, 5, 1, &request);
	cql_is_bytes(&w, "050000010a000000440010aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0010bbbbbbbbbbbbbbbb"
				 "bbbbbbbbbbbbbbbb00060000002100030000000400000007ffffffff00000000000000000000"
				 "0005", "EXECUTE v5");
	request.values_len = 8;
	request.nvalues = 1;
	request.consistency = US_CQL_ONE;
	request.has_timestamp = false;
	statement.result.ncolumns = 1;
	statement.result.columns = &column;
	us_cql_write_request(&w, 5, 1, &request);
	cql_is_bytes(&w, "050000010a000000340010aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa0010bbbbbbbbbbbbbbbb"
				 "bbbbbbbbbbbbbbbb000100000003 00010000000400000007",
				 "EXECUTE v5 leaves out the metadata of a result that it knows");
	us_cql_write_request(&w, 4, 1, &request);
	cql_is_bytes(&w, "040000010a0000001f0010aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa00010100010000000400"
				 "000007", "EXECUTE v4 never does");
	request.tracing = true;
	us_cql_write_request(&w, 4, 1, &request);
	cql_is_bytes(&w, "040200010a0000001f0010aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa00010100010000000400"
				 "000007", "the flag of tracing");
	us_cql_writer_free(&values);
	us_cql_writer_free(&w);
}

static void
test_consistency(void)
{
	UsCqlConsistency consistency;

	tap_ok(us_cql_consistency_parse("local_Quorum", &consistency) &&
		   consistency == US_CQL_LOCAL_QUORUM, "a consistency by its name");
	tap_ok(us_cql_consistency_parse("LOCAL_ONE", &consistency) &&
		   consistency == US_CQL_LOCAL_ONE, "the last one");
	tap_ok(!us_cql_consistency_parse("LOCAL", &consistency), "not by a part of it");
	tap_ok(!us_cql_consistency_parse("ONES", &consistency), "not by more than it");
	tap_ok(strcmp(us_cql_consistency_name(6), "LOCAL_QUORUM") == 0 &&
		   strcmp(us_cql_consistency_name(11), "unknown") == 0, "and back");
}

/* the bytes are in a block of their own, so that reading past them is seen */
static UsCqlStatus
read_bytes(int version, uint8_t opcode, uint8_t flags, const uint8_t *data, size_t len,
		   UsCqlResponse *response)
{
	static uint8_t *block;
	UsCqlEnvelope envelope = {(uint8_t) version, flags, 1, opcode, {NULL, len}};

	free(block);
	block = malloc(len > 0 ? len : 1);
	if (len > 0)
		memcpy(block, data, len);
	envelope.body.data = block;
	us_cql_arena_reset(&arena);
	return us_cql_read_response(&envelope, version, &arena, response);
}

/* all rows too, if there are some */
static UsCqlStatus
read_wholly(int version, uint8_t opcode, uint8_t flags, const uint8_t *data, size_t len)
{
	UsCqlResponse response;
	UsCqlStatus status = read_bytes(version, opcode, flags, data, len, &response);
	UsCqlBytes	cells[16];

	if (response.result.ncolumns > 16)
		return status;
	for (int i = 0; status == US_CQL_OK && i < response.nrows; i++)
		status = us_cql_next_row(&response, cells);
	return status;
}

/*
 * A message is read; cut anywhere before optional bytes at its end it is
 * malformed; with more bytes than there should be it is read.
 */
static bool
reads(int version, uint8_t opcode, uint8_t flags, const char *hex, size_t optional,
	  UsCqlResponse *response, const char *name)
{
	UsCqlBytes	bytes = cql_hex(hex);
	uint8_t		longer[4096];
	int			accepted = 0;

	for (size_t len = 0; len < bytes.len - optional; len++)
		accepted += read_wholly(version, opcode, flags, bytes.data, len) != US_CQL_MALFORMED;
	tap_is(accepted, 0, "v%d %s: malformed when it is cut short", version, name);
	memcpy(longer, bytes.data, bytes.len);
	memset(longer + bytes.len, 0xff, 7);
	tap_is(read_wholly(version, opcode, flags, longer, bytes.len + 7), US_CQL_OK,
		   "v%d %s: more bytes than needed are ignored", version, name);
	return tap_is(read_bytes(version, opcode, flags, bytes.data, bytes.len, response), US_CQL_OK,
				  "v%d %s", version, name);
}

static void
test_errors(int version)
{
	/* codes without more than a message */
	static const int32_t plain[] = {0x0000, 0x000a, 0x0100, 0x1001, 0x1002, 0x1003, 0x1600, 0x2000,
	0x2100, 0x2200, 0x2300, 0x7777};
	UsCqlResponse r;
	char		hex[64];

	for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
	{
		sprintf(hex, "%08x 0002 6869", (unsigned int) plain[i]);
		reads(version, US_CQL_ERROR, 0, hex, 0, &r, us_cql_error_name(plain[i]));
		tap_is(r.error.code, plain[i], "its code");
		cql_is_text(r.error.message, "hi", "its message");
	}
	reads(version, US_CQL_ERROR, 0, "00001000 0000 0006 00000003 00000001", 0, &r, "unavailable");
	tap_ok(r.error.consistency == 6 && r.error.required == 3 && r.error.received == 1, "its numbers");

	reads(version, US_CQL_ERROR, 0, "00001100 0000 0004 00000001 00000002 0006 53494d504c45", 0, &r,
		  "write timeout");
	tap_ok(r.error.consistency == 4 && r.error.received == 1 && r.error.required == 2, "its numbers");
	cql_is_text(r.error.write_type, "SIMPLE", "its write type");
	if (version == 5)
	{
		reads(5, US_CQL_ERROR, 0, "00001100 0000 0004 00000001 00000002 0003 434153 0007", 2, &r,
			  "write timeout of CAS");
		tap_is(r.error.contentions, 7, "its contentions");
	}

	reads(version, US_CQL_ERROR, 0, "00001200 0000 0004 00000001 00000002 01", 0, &r, "read timeout");
	tap_ok(r.error.data_present && r.error.received == 1 && r.error.required == 2, "its numbers");

	if (version == 4)
	{
		reads(4, US_CQL_ERROR, 0, "00001300 0000 0004 00000001 00000002 00000003 01", 0, &r,
			  "read failure");
		tap_ok(r.error.nfailures == 3 && r.error.data_present, "its numbers");
		reads(4, US_CQL_ERROR, 0, "00001500 0000 0004 00000001 00000002 00000003 0003 434443", 0, &r,
			  "write failure");
	}
	else
	{
		reads(5, US_CQL_ERROR, 0, "00001300 0000 0004 00000001 00000002 00000002 04 0a000001 0001"
			  "10 00000000000000000000000000000001 0002 01", 0, &r, "read failure");
		tap_ok(r.error.nfailures == 2 && r.error.data_present && r.error.reasons.len == 26,
			   "its numbers");
		reads(5, US_CQL_ERROR, 0, "00001500 0000 0004 00000001 00000002 00000001 04 0a000001 0003"
			  "0003 434443", 0, &r, "write failure");
		reads(5, US_CQL_ERROR, 0, "00001700 0000 0008 00000001 00000002", 0, &r, "CAS unknown");
	}
	if (version == 4 || r.error.code == 0x1500)
		cql_is_text(r.error.write_type, "CDC", "its write type");

	reads(version, US_CQL_ERROR, 0, "00001400 0000 0002 6b73 0001 66 0002 0003 696e74 0004 74657874",
		  0, &r, "function failure");
	cql_is_text(r.error.name, "f", "its function");
	tap_is(r.error.arguments.len, 13, "its arguments");
	reads(version, US_CQL_ERROR, 0, "00002400 0000 0002 6b73 0001 74", 0, &r, "already exists");
	cql_is_text(r.error.keyspace, "ks", "its keyspace");
	cql_is_text(r.error.name, "t", "its table");
	reads(version, US_CQL_ERROR, 0, "00002500 0000 0004 deadbeef", 0, &r, "unprepared");
	tap_is(r.error.id.len, 4, "its id");
}

static void
test_remedies(void)
{
	tap_is(us_cql_error_remedy(US_CQL_ERR_OVERLOADED), US_CQL_REMEDY_SLOWER, "overloaded: slower");
	tap_is(us_cql_error_remedy(US_CQL_ERR_WRITE_TIMEOUT), US_CQL_REMEDY_SLOWER, "timeout: slower");
	tap_is(us_cql_error_remedy(US_CQL_ERR_UNAVAILABLE), US_CQL_REMEDY_RETRY, "unavailable: again");
	tap_is(us_cql_error_remedy(US_CQL_ERR_BOOTSTRAPPING), US_CQL_REMEDY_OTHER_HOST,
		   "bootstrapping: another host");
	tap_is(us_cql_error_remedy(US_CQL_ERR_CREDENTIALS), US_CQL_REMEDY_CREDENTIALS, "credentials");
	tap_is(us_cql_error_remedy(US_CQL_ERR_UNAUTHORIZED), US_CQL_REMEDY_RIGHTS, "unauthorized");
	tap_is(us_cql_error_remedy(US_CQL_ERR_INVALID), US_CQL_REMEDY_REFUSED, "invalid: never");
	tap_is(us_cql_error_remedy(US_CQL_ERR_ALREADY_EXISTS), US_CQL_REMEDY_NONE, "already exists");
	tap_is(us_cql_error_remedy(US_CQL_ERR_UNPREPARED), US_CQL_REMEDY_PREPARE, "unprepared");
	tap_is(us_cql_error_remedy(0x1234), US_CQL_REMEDY_OTHER_HOST, "unknown: as a server error");
}

/* tracing id, warnings, payload, in this order, before a Void result */
static void
test_prefixes(int version)
{
	UsCqlResponse r;
	UsCqlReader reader;

	reads(version, US_CQL_RESULT, US_CQL_FLAG_TRACING | US_CQL_FLAG_WARNING | US_CQL_FLAG_PAYLOAD,
		  "000102030405060708090a0b0c0d0e0f 0002 0003 6f6e65 0003 74776f"
		  "0001 0001 6b 00000002 aabb 00000001", 0, &r, "tracing, warnings, payload");
	tap_ok(r.tracing_id.len == 16 && r.tracing_id.data[15] == 15, "tracing id");
	tap_is(r.nwarnings, 2, "warnings");
	us_cql_reader_init(&reader, r.warnings.data, r.warnings.len);
	cql_is_text(us_cql_get_string(&reader), "one", "the first");
	cql_is_text(us_cql_get_string(&reader), "two", "the second");
	tap_is(r.npayload, 1, "payload");
	us_cql_reader_init(&reader, r.payload.data, r.payload.len);
	cql_is_text(us_cql_get_string(&reader), "k", "its key");
	tap_is(us_cql_get_long_bytes(&reader).len, 2, "its value");
	tap_is(r.kind, US_CQL_VOID, "and the result");
	if (version == 4)
		tap_is(read_bytes(4, US_CQL_RESULT, US_CQL_FLAG_COMPRESSED, (const uint8_t *) "\0\0\0\1", 4, &r),
			   US_CQL_MALFORMED, "a compressed answer was not asked for");
}

static void
test_rows(int version)
{
	UsCqlResponse r;
	UsCqlBytes	cells[3];

	reads(version, US_CQL_RESULT, 0, "00000002 00000001 00000002 0002 6b73 0001 74"
		  "0001 6b 0009 0001 76 0021 000d 0022 0009"
		  "00000002 00000004 00000001 ffffffff 00000004 00000002 00000000", 0, &r,
		  "rows of one table");
	tap_ok(r.result.ncolumns == 2 && r.nrows == 2, "their numbers");
	cql_is_text(r.result.columns[1].keyspace, "ks", "keyspace");
	cql_is_text(r.result.columns[1].table, "t", "table");
	cql_is_text(r.result.columns[1].name, "v", "name");
	tap_ok(r.result.columns[1].type.id == US_CQL_MAP && r.result.columns[1].type.nparts == 2 &&
		   r.result.columns[1].type.parts[1].id == US_CQL_SET &&
		   r.result.columns[1].type.parts[1].parts[0].id == US_CQL_INT, "type");
	tap_is(us_cql_next_row(&r, cells), US_CQL_OK, "first row");
	tap_ok(cells[0].len == 4 && cells[1].data == NULL, "a value and null");
	tap_is(us_cql_next_row(&r, cells), US_CQL_OK, "second row");
	tap_ok(cells[1].data != NULL && cells[1].len == 0, "empty is not null");

	reads(version, US_CQL_RESULT, 0, "00000002 00000002 00000001 00000003 aabbcc"
		  "0002 6b73 0001 74 0001 6b 0009 00000000", 0, &r, "an empty page, and more to come");
	tap_is(r.result.paging_state.len, 3, "its paging state");
	cql_is_text(r.result.columns[0].table, "t", "names for each column");
	reads(version, US_CQL_RESULT, 0, "00000002 00000004 00000001 00000001 00000001 41", 0, &r,
		  "rows without metadata");
	tap_ok(r.result.columns == NULL && r.result.ncolumns == 1, "have no columns");
	if (version == 5)
	{
		reads(5, US_CQL_RESULT, 0, "00000002 0000000b 00000001 00000001 99 0002 cafe"
			  "0001 6b 0001 74 0001 63 0002 00000001 00000008 0000000000000001", 0, &r,
			  "metadata that has changed");
		tap_is(r.result.new_id.len, 2, "its id");
	}
}

static void
test_prepared(int version)
{
	UsCqlResponse r;
	const char *body = version == 5 ?
		"00000004 0002 abcd 0002 1234 00000001 00000002 00000001 0001 0002 6b73 0001 74"
		"0001 76 0006 0001 6b 000c 00000004 00000000" :
		"00000004 0002 abcd 00000001 00000002 00000001 0001 0002 6b73 0001 74"
		"0001 76 0006 0001 6b 000c 00000004 00000000";

	reads(version, US_CQL_RESULT, 0, body, 0, &r, "prepared");
	tap_ok(r.id.len == 2 && r.id.data[0] == 0xab, "id");
	tap_is(r.result_id.len, version == 5 ? 2 : 0, "id of the result");
	tap_ok(r.markers.ncolumns == 2 && r.markers.nkeys == 1 && r.markers.keys[0] == 1, "markers");
	tap_is(r.markers.columns[1].type.id, US_CQL_UUID, "type of a marker");
	tap_is(r.result.ncolumns, 0, "no result");
}

static void
test_others(int version)
{
	UsCqlResponse r;

	reads(version, US_CQL_RESULT, 0, "00000001", 0, &r, "void");
	reads(version, US_CQL_RESULT, 0, "00000003 0002 6b73", 0, &r, "set keyspace");
	cql_is_text(r.keyspace, "ks", "its name");
	reads(version, US_CQL_RESULT, 0, "00000005 0007 43524541544544 0005 5441424c45 0002 6b73 0001 74",
		  0, &r, "schema change");
	cql_is_text(r.schema.change, "CREATED", "what");
	cql_is_text(r.schema.name, "t", "of what");
	reads(version, US_CQL_RESULT, 0, "00000005 0007 44524f50504544 0008 4b45595350414345 0002 6b73",
		  0, &r, "schema change of a keyspace");
	tap_ok(r.schema.name.data == NULL, "has no name but the keyspace");
	reads(version, US_CQL_RESULT, 0, "00000005 0007 44524f50504544 0008 46554e4354494f4e 0002 6b73"
		  "0001 66 0001 0003 696e74", 0, &r, "schema change of a function");
	tap_is(r.schema.arguments.len, 7, "its arguments");
	reads(version, US_CQL_EVENT, 0, "000d 534348454d415f4348414e4745 0007 55504441544544"
		  "0005 5441424c45 0002 6b73 0001 74", 0, &r, "event of a schema change");
	cql_is_text(r.schema.change, "UPDATED", "what");
	reads(version, US_CQL_EVENT, 0, "000d 5354415455535f4348414e4745", 0, &r, "another event");
	reads(version, US_CQL_AUTHENTICATE, 0, "0001 41", 0, &r, "authenticate");
	cql_is_text(r.authenticator, "A", "by what");
	reads(version, US_CQL_AUTH_CHALLENGE, 0, "00000001 41", 0, &r, "challenge");
	reads(version, US_CQL_AUTH_SUCCESS, 0, "ffffffff", 0, &r, "success");
	tap_ok(r.token.data == NULL, "without a token");
	reads(version, US_CQL_SUPPORTED, 0, CQL_SUPPORTED, 0, &r, "supported");
	tap_ok(us_cql_supports(&r, "PROTOCOL_VERSIONS", "5/", "beta"), "version 5");
	tap_ok(!us_cql_supports(&r, "PROTOCOL_VERSIONS", "6/", "beta"), "not a beta");
	tap_ok(!us_cql_supports(&r, "PROTOCOL_VERSIONS", "7/", NULL), "not what is not there");
	tap_ok(!us_cql_supports(&r, "COMPRESSION", "", NULL), "no option that is not there");
}

static void
is_malformed(uint8_t opcode, const char *hex, const char *name)
{
	UsCqlBytes	bytes = cql_hex(hex);
	UsCqlResponse r;

	tap_is(read_bytes(5, opcode, 0, bytes.data, bytes.len, &r), US_CQL_MALFORMED, "malformed: %s", name);
}

static void
test_malformed(void)
{
	static const uint8_t void_result[6] = {0, 0, 0, 1, 0, 0};
	UsCqlWriter w;
	UsCqlResponse r;
	int			accepted = 0;

	for (int opcode = 0; opcode < 256; opcode++)
	{
		UsCqlStatus status = read_bytes(5, (uint8_t) opcode, 0, void_result, 6, &r);

		if (strchr("\2\3\6\10\14\16\20", opcode) == NULL && status != US_CQL_MALFORMED)
			accepted++;
	}
	tap_is(accepted, 0, "opcodes that are not a server's are malformed");
	is_malformed(US_CQL_RESULT, "00000006", "a kind of result that there is not");
	is_malformed(US_CQL_RESULT, "00000002 00000000 7fffffff 00000000", "columns without bytes");
	is_malformed(US_CQL_RESULT, "00000002 00000000 ffffffff 00000000", "a negative number of columns");
	is_malformed(US_CQL_RESULT, "00000002 00000001 00000001 0000 0000 0001 6b 0009 7fffffff 00000000",
				 "rows without bytes");
	is_malformed(US_CQL_RESULT, "00000002 00000004 00010000 00010000 00000000",
				 "rows times columns beyond 32 bits");
	is_malformed(US_CQL_RESULT, "00000002 00000004 00000000 7fffffff", "rows of no column");
	is_malformed(US_CQL_RESULT, "00000002 00000001 00000001 0000 0000 0001 6b 000a 00000000",
				 "a type that there is not");
	is_malformed(US_CQL_RESULT, "00000002 00000001 00000001 0000 0000 0001 6b 0031 ffff 0009 00000000",
				 "a tuple with more parts than bytes");
	is_malformed(US_CQL_RESULT, "00000004 0000 0000 00000001 00000000 7fffffff",
				 "a key with more parts than bytes");

	us_cql_writer_init(&w, NULL, 0);
	for (int depth = US_CQL_TYPE_DEPTH; depth <= US_CQL_TYPE_DEPTH + 1; depth++)
	{
		us_cql_writer_reset(&w);
		us_cql_put_u32(&w, 2);
		us_cql_put_u32(&w, 1);
		us_cql_put_u32(&w, 1);
		us_cql_put_cstring(&w, "");
		us_cql_put_cstring(&w, "");
		us_cql_put_cstring(&w, "c");
		for (int i = 0; i < depth; i++)
			us_cql_put_u16(&w, US_CQL_LIST);
		us_cql_put_u16(&w, US_CQL_INT);
		us_cql_put_u32(&w, 0);
		tap_is(read_bytes(5, US_CQL_RESULT, 0, w.data, w.len, &r),
			   depth == US_CQL_TYPE_DEPTH ? US_CQL_OK : US_CQL_MALFORMED, "a list %d deep", depth);
	}
	us_cql_writer_free(&w);
}

static void
test_memory(void)
{
	CqlMemory	memory;
	UsCqlMemory functions = cql_memory(&memory);
	UsCqlBytes	body = cql_hex("00000002 00000001 00000001 0000 0000 0001 6b 0021 000d 0022 0009 00000000");
	UsCqlEnvelope envelope = {5, 0, 1, US_CQL_RESULT, body};
	UsCqlArena	ours;
	UsCqlResponse r;

	us_cql_arena_init(&ours, &functions);
	memory.fail_at = 0;
	tap_is(us_cql_read_response(&envelope, 5, &ours, &r), US_CQL_NO_MEMORY, "no memory is told");
	us_cql_arena_free(&ours);
	tap_is(memory.live, 0, "and none is kept");
}

int
main(void)
{
	us_cql_arena_init(&arena, NULL);
	test_requests();
	test_consistency();
	for (int version = 4; version <= 5; version++)
	{
		test_errors(version);
		test_prefixes(version);
		test_rows(version);
		test_prepared(version);
		test_others(version);
	}
	test_remedies();
	test_malformed();
	test_memory();
	us_cql_arena_free(&arena);
	return tap_done();
}
