/*-------------------------------------------------------------------------
 * test/servers/cql_types.c
 *    every type of CQL, and what a connection does, against a real server
 *
 * usage: cql_types ADDRESS VERSION KEYSPACE     prints TAP
 *
 * The server is the judge of our bytes: each value is written twice, by us as
 * bytes and by the server from a literal of CQL, and what is read back must be
 * the same bytes.  The keyspace is made, and kept for whoever looks at it with
 * another client.
 *-------------------------------------------------------------------------
 */
#include <stdio.h>
#include <stdlib.h>

#include "test/servers/cql_client.h"
#include "test/unit/tap.h"

#define PAGE_ROWS	50

typedef struct Case
{
	const char *column;
	const char *literal;		/* as CQL has it; NULL = it cannot be written as one */
	const char *text;			/* as it is shown */
	void		(*put) (UsCqlWriter *writer);
} Case;

static CqlClient client;
static const char *keyspace;
static int	version;

static const uint8_t uuid_bytes[16] = {0x55, 0x0e, 0x84, 0x00, 0xe2, 0x9b, 0x11, 0xd4, 0xa7, 0x16,
0x44, 0x66, 0x55, 0x44, 0x00, 0x00};
static const uint8_t inet4[4] = {192, 0, 2, 1};
static const uint8_t inet6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};

#define PUT(name, call) static void put_##name(UsCqlWriter *w) { call; }
#define TEXT(literal)	literal, sizeof(literal) - 1

/* *INDENT-OFF* */
PUT(ascii, us_cql_put_ascii(w, TEXT("az09~")))
PUT(ascii_empty, us_cql_put_ascii(w, "", 0))
PUT(bigint_min, us_cql_put_integer(w, US_CQL_BIGINT, INT64_MIN))
PUT(bigint_max, us_cql_put_integer(w, US_CQL_BIGINT, INT64_MAX))
PUT(blob, us_cql_put_blob(w, TEXT("\x00\xff\x80")))
PUT(blob_empty, us_cql_put_blob(w, "", 0))
PUT(yes, us_cql_put_boolean(w, true))
PUT(no, us_cql_put_boolean(w, false))
PUT(decimal, us_cql_put_decimal(w, TEXT("-12345678901234567890.1234500")))
PUT(decimal_small, us_cql_put_decimal(w, TEXT("0.000000000000000000000000000001")))
PUT(decimal_exponent, us_cql_put_decimal(w, TEXT("1e5")))
PUT(decimal_zero, us_cql_put_decimal(w, TEXT("0.00")))
PUT(double_pi, us_cql_put_double(w, 3.141592653589793))
PUT(double_tiny, us_cql_put_double(w, 4.9e-324))
PUT(float_tenth, us_cql_put_float(w, 0.1f))
PUT(inet_4, us_cql_put_inet(w, inet4, 4))
PUT(inet_6, us_cql_put_inet(w, inet6, 16))
PUT(int_min, us_cql_put_integer(w, US_CQL_INT, INT32_MIN))
PUT(smallint_min, us_cql_put_integer(w, US_CQL_SMALLINT, INT16_MIN))
PUT(tinyint_min, us_cql_put_integer(w, US_CQL_TINYINT, INT8_MIN))
PUT(tinyint_max, us_cql_put_integer(w, US_CQL_TINYINT, INT8_MAX))
PUT(text, us_cql_put_blob(w, TEXT("\xc3\xa9\xe2\x82\xac'\xf0\x9f\x98\x80")))
PUT(text_empty, us_cql_put_blob(w, "", 0))
PUT(time_last, us_cql_put_time(w, US_CQL_DAY_NS - 1))
PUT(time_zero, us_cql_put_time(w, 0))
PUT(timestamp, us_cql_put_timestamp(w, INT64_C(1709193600832)))
PUT(timestamp_before, us_cql_put_timestamp(w, -1))
PUT(date_today, us_cql_put_date(w, 19782))
PUT(date_before, us_cql_put_date(w, -1))
PUT(date_old, us_cql_put_date(w, -719162))
PUT(uuid, us_cql_put_uuid(w, uuid_bytes))
PUT(timeuuid, us_cql_put_timeuuid(w, uuid_bytes))
PUT(varint_large, us_cql_put_varint(w, TEXT("-340282366920938463463374607431768211457")))
PUT(varint_128, us_cql_put_varint(w, TEXT("128")))
PUT(varint_minus_129, us_cql_put_varint(w, TEXT("-129")))
PUT(duration, us_cql_put_duration(w, 14, 3, INT64_C(3661000000001)))
PUT(duration_minus, us_cql_put_duration(w, -1, -2, -3))
PUT(null, us_cql_put_null(w))
/* *INDENT-ON* */

static void
put_list(UsCqlWriter *w)
{
	size_t		mark = us_cql_open(w);

	us_cql_put_count(w, 3);
	us_cql_put_integer(w, US_CQL_INT, 3);
	us_cql_put_integer(w, US_CQL_INT, -1);
	us_cql_put_integer(w, US_CQL_INT, 3);
	us_cql_close(w, mark);
}

static void
put_set(UsCqlWriter *w)
{
	size_t		mark = us_cql_open(w);

	/* the server puts it in order */
	us_cql_put_count(w, 2);
	us_cql_put_blob(w, "b'", 2);
	us_cql_put_blob(w, "a", 1);
	us_cql_close(w, mark);
}

static void
put_map(UsCqlWriter *w)
{
	size_t		map = us_cql_open(w);
	size_t		list;

	us_cql_put_count(w, 1);
	us_cql_put_blob(w, "k", 1);
	list = us_cql_open(w);
	us_cql_put_count(w, 1);
	us_cql_put_decimal(w, "1.50", 4);
	us_cql_close(w, list);
	us_cql_close(w, map);
}

static void
put_tuple(UsCqlWriter *w)
{
	size_t		mark = us_cql_open(w);

	us_cql_put_integer(w, US_CQL_INT, 1);
	us_cql_put_null(w);
	us_cql_put_date(w, 0);
	us_cql_close(w, mark);
}

static void
put_udt(UsCqlWriter *w)
{
	size_t		mark = us_cql_open(w);

	us_cql_put_blob(w, "Main", 4);
	us_cql_put_integer(w, US_CQL_INT, 7);
	us_cql_close(w, mark);
}

static void
put_vector(UsCqlWriter *w)
{
	static const uint8_t floats[] = {0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0};

	us_cql_put_blob(w, floats, sizeof(floats));
}

static const Case cases[] = {
	{"a ascii", "'az09~'", "az09~", put_ascii},
	{"a ascii", "''", "", put_ascii_empty},
	{"b bigint", "-9223372036854775808", "-9223372036854775808", put_bigint_min},
	{"b bigint", "9223372036854775807", "9223372036854775807", put_bigint_max},
	{"bl blob", "0x00ff80", "0x00ff80", put_blob},
	{"bl blob", "0x", "0x", put_blob_empty},
	{"bo boolean", "true", "true", put_yes},
	{"bo boolean", "false", "false", put_no},
	{"de decimal", "-12345678901234567890.1234500", "-12345678901234567890.1234500", put_decimal},
	{"de decimal", "0.000000000000000000000000000001", "0.000000000000000000000000000001",
	put_decimal_small},
	{"de decimal", "1e5", "1e5", put_decimal_exponent},
	{"de decimal", "0.00", "0.00", put_decimal_zero},
	{"d double", "3.141592653589793", "3.141592653589793", put_double_pi},
	{"d double", "4.9e-324", "4.94065645841247e-324", put_double_tiny},
	{"f float", "0.1", "0.1", put_float_tenth},
	{"i inet", "'192.0.2.1'", "192.0.2.1", put_inet_4},
	{"i inet", "'2001:db8::1'", "2001:db8::1", put_inet_6},
	{"i4 int", "-2147483648", "-2147483648", put_int_min},
	{"i2 smallint", "-32768", "-32768", put_smallint_min},
	{"i1 tinyint", "-128", "-128", put_tinyint_min},
	{"i1 tinyint", "127", "127", put_tinyint_max},
	{"t text", "'\xc3\xa9\xe2\x82\xac''\xf0\x9f\x98\x80'", "\xc3\xa9\xe2\x82\xac'\xf0\x9f\x98\x80", put_text},
	{"t text", "''", "", put_text_empty},
	{"ti time", "'23:59:59.999999999'", "23:59:59.999999999", put_time_last},
	{"ti time", "'00:00:00'", "00:00:00.000000000", put_time_zero},
	{"ts timestamp", "'2024-02-29 08:00:00.832+0000'", "2024-02-29 08:00:00.832+0000", put_timestamp},
	{"ts timestamp", "-1", "1969-12-31 23:59:59.999+0000", put_timestamp_before},
	{"da date", "'2024-02-29'", "2024-02-29", put_date_today},
	{"da date", "'1969-12-31'", "1969-12-31", put_date_before},
	{"da date", "'0001-01-01'", "0001-01-01", put_date_old},
	{"u uuid", "550e8400-e29b-11d4-a716-446655440000", "550e8400-e29b-11d4-a716-446655440000", put_uuid},
	{"tu timeuuid", "550e8400-e29b-11d4-a716-446655440000", "550e8400-e29b-11d4-a716-446655440000",
	put_timeuuid},
	{"v varint", "-340282366920938463463374607431768211457",
	"-340282366920938463463374607431768211457", put_varint_large},
	{"v varint", "128", "128", put_varint_128},
	{"v varint", "-129", "-129", put_varint_minus_129},
	{"du duration", "1y2mo3d1h1m1s1ns", "14mo3d3661000000001ns", put_duration},
	{"du duration", "-1mo2d3ns", "-1mo-2d-3ns", put_duration_minus},
	{"l list<int>", "[3, -1, 3]", "[3, -1, 3]", put_list},
	{"s set<text>", "{'a', 'b'''}", "{'a', 'b'''}", put_set},
	{"m map<text, frozen<list<decimal>>>", "{'k': [1.50]}", "{'k': [1.50]}", put_map},
	{"tup tuple<int, text, date>", "(1, null, '1970-01-01')", "(1, null, 1970-01-01)", put_tuple},
	{"ud address", "{street: 'Main', number: 7}", "{street: 'Main', number: 7}", put_udt},
	{"ve vector<float, 2>", "[1, -2]", "0x3f800000c0000000", put_vector},
	{"t text", "null", NULL, put_null},
};

#define NCASES	((int) (sizeof(cases) / sizeof(cases[0])))

/* a statement with the keyspace in place of %s; more after it by hand */
static const char *
format(const char *pattern)
{
	static char text[4096];

	snprintf(text, sizeof(text), pattern, keyspace);
	return text;
}

/* true = not an error; an error is shown */
static bool
succeeds(const char *query)
{
	UsCqlResponse *response = cql_query(&client, query);

	if (response->opcode != US_CQL_ERROR)
		return true;
	tap_note("%s: %.*s", query, (int) response->error.message.len, response->error.message.data);
	return false;
}

static void
name_of(const Case *which, char *name)
{
	size_t		len = strcspn(which->column, " ");

	memcpy(name, which->column, len);
	name[len] = '\0';
}

static void
make_tables(void)
{
	char		query[4096];

	(void) succeeds(format("DROP KEYSPACE IF EXISTS %s"));
	tap_ok(succeeds(format("CREATE KEYSPACE %s WITH replication = "
						   "{'class': 'SimpleStrategy', 'replication_factor': 1}")), "keyspace");
	tap_ok(succeeds(format("CREATE TYPE %s.address (street text, number int)")), "user type");
	strcpy(query, format("CREATE TABLE %s.types (k text PRIMARY KEY"));
	for (int i = 0; i < NCASES - 1; i++)
	{
		if (i > 0 && strcmp(cases[i].column, cases[i - 1].column) == 0)
			continue;
		strcat(strcat(query, ", "), cases[i].column);
	}
	tap_ok(succeeds(strcat(query, ")")), "table");
}

/* the one cell that a prepared SELECT of this key gives, copied; data NULL = null or no row */
static UsCqlBytes
read_cell(UsCqlStatement *select, const char *key, const UsCqlType **type)
{
	static uint8_t copy[2][65536];
	static int	next;
	UsCqlBytes	cell = {NULL, 0};
	UsCqlWriter values;
	UsCqlRequest request = {.statement = select, .nvalues = 1, .consistency = US_CQL_ONE};
	UsCqlResponse *response;

	us_cql_writer_init(&values, NULL, 0);
	us_cql_put_blob(&values, key, strlen(key));
	request.values = values.data;
	request.values_len = values.len;
	response = cql_ask(&client, &request);
	if (response->kind == US_CQL_ROWS && response->nrows == 1 &&
		us_cql_next_row(response, &cell) == US_CQL_OK && cell.data != NULL)
	{
		next = !next;
		memcpy(copy[next], cell.data, cell.len);
		cell.data = copy[next];
	}
	*type = &select->result.columns[0].type;
	us_cql_writer_free(&values);
	return cell;
}

/* writes a value by our bytes; false = the server refused it */
static bool
write_cell(UsCqlStatement *insert, const char *key, void (*put) (UsCqlWriter *writer))
{
	UsCqlWriter values;
	UsCqlRequest request = {.statement = insert, .nvalues = 2, .consistency = US_CQL_ONE};
	UsCqlResponse *response;
	bool		good;

	us_cql_writer_init(&values, NULL, 0);
	us_cql_put_blob(&values, key, strlen(key));
	put(&values);
	request.values = values.data;
	request.values_len = values.len;
	response = cql_ask(&client, &request);
	good = values.status == US_CQL_OK && response->opcode == US_CQL_RESULT;
	if (response->opcode == US_CQL_ERROR)
		tap_note("%.*s", (int) response->error.message.len, response->error.message.data);
	us_cql_writer_free(&values);
	return good;
}

static bool
same(UsCqlBytes a, UsCqlBytes b)
{
	if (a.data == NULL || b.data == NULL)
		return a.data == b.data;
	return a.len == b.len && memcmp(a.data, b.data, a.len) == 0;
}

static void
test_case(int number)
{
	const Case *which = &cases[number];
	char		column[32];
	char		ours[64];
	char		theirs[64];
	char		query[1024];
	UsCqlStatement *select;
	UsCqlWriter text;
	UsCqlBytes	our_cell;
	UsCqlBytes	their_cell;
	const UsCqlType *type;

	name_of(which, column);
	snprintf(ours, sizeof(ours), "v%d/%02d/ours", version, number);
	snprintf(theirs, sizeof(theirs), "v%d/%02d/theirs", version, number);
	snprintf(query, sizeof(query), "INSERT INTO %s.types (k, %s) VALUES ('%s', %s)", keyspace, column,
			 theirs, which->literal);
	tap_ok(succeeds(query), "the server takes %s as %s", which->literal, which->column);
	snprintf(query, sizeof(query), "INSERT INTO %s.types (k, %s) VALUES (?, ?)", keyspace, column);
	tap_ok(write_cell(cql_prepare(&client, query), ours, which->put), "and our bytes");
	snprintf(query, sizeof(query), "SELECT %s FROM %s.types WHERE k = ?", column, keyspace);
	select = cql_prepare(&client, query);
	our_cell = read_cell(select, ours, &type);
	their_cell = read_cell(select, theirs, &type);
	if (!tap_ok(same(our_cell, their_cell), "which are the same"))
		tap_note("ours %s, theirs %s", tap_bytes((const char *) our_cell.data, our_cell.len),
				 tap_bytes((const char *) their_cell.data, their_cell.len));
	if (which->text == NULL)
	{
		tap_ok(our_cell.data == NULL, "null");
		return;
	}
	us_cql_writer_init(&text, NULL, 0);
	tap_ok(us_cql_put_text(&text, type, our_cell) && text.len == strlen(which->text) &&
		   (text.len == 0 || memcmp(text.data, which->text, text.len) == 0), "shown as %s", which->text);
	us_cql_writer_free(&text);
}

/* unset leaves a value alone, null removes it */
static void
test_unset(void)
{
	char		query[1024];
	UsCqlStatement *insert;
	UsCqlStatement *select;
	const UsCqlType *type;

	snprintf(query, sizeof(query), "INSERT INTO %s.types (k, t) VALUES (?, ?)", keyspace);
	insert = cql_prepare(&client, query);
	snprintf(query, sizeof(query), "SELECT t FROM %s.types WHERE k = ?", keyspace);
	select = cql_prepare(&client, query);
	(void) write_cell(insert, "unset", put_text);
	tap_ok(write_cell(insert, "unset", us_cql_put_unset), "unset is taken");
	tap_ok(read_cell(select, "unset", &type).data != NULL, "and leaves the value");
	tap_ok(write_cell(insert, "unset", us_cql_put_null), "null is taken");
	tap_ok(read_cell(select, "unset", &type).data == NULL, "and removes it");
}

/* rows in pages, by a prepared SELECT */
static void
test_pages(void)
{
	char		query[1024];
	UsCqlStatement *select;
	UsCqlRequest request = {.consistency = US_CQL_ONE, .page_size = 7};
	uint8_t		state[4096];
	int			rows = 0;
	int			pages = 0;

	(void) succeeds(format("CREATE TABLE %s.pages (k int PRIMARY KEY)"));
	for (int i = 0; i < PAGE_ROWS; i++)
	{
		snprintf(query, sizeof(query), "INSERT INTO %s.pages (k) VALUES (%d)", keyspace, i);
		(void) succeeds(query);
	}
	select = cql_prepare(&client, format("SELECT k FROM %s.pages"));
	request.statement = select;
	do
	{
		UsCqlResponse *response = cql_ask(&client, &request);
		UsCqlBytes	paging = response->result.paging_state;

		rows += response->nrows;
		pages++;
		request.paging_state.data = NULL;
		if (paging.data != NULL && paging.len <= sizeof(state))
		{
			memcpy(state, paging.data, paging.len);
			request.paging_state.data = state;
			request.paging_state.len = paging.len;
		}
	} while (request.paging_state.data != NULL && pages < 100);
	tap_is(rows, PAGE_ROWS, "all rows in pages of 7");
	tap_ok(pages >= 8, "in %d pages", pages);
}

/* the table is dropped and made again: the server forgets its statements */
static void
test_prepare_again(void)
{
	UsCqlStatement *insert;
	UsCqlStatement *select;
	UsCqlConnStatus before;
	UsCqlConnStatus after;
	const UsCqlType *type;

	(void) succeeds(format("CREATE TABLE %s.again (k text PRIMARY KEY, t text)"));
	insert = cql_prepare(&client, format("INSERT INTO %s.again (k, t) VALUES (?, ?)"));
	us_cql_conn_status(client.conn, &before);
	(void) succeeds(format("DROP TABLE %s.again"));
	(void) succeeds(format("CREATE TABLE %s.again (k text PRIMARY KEY, t text)"));
	tap_ok(write_cell(insert, "x", put_text), "a statement that the server forgot");
	us_cql_conn_status(client.conn, &after);
	tap_is((long long) (after.prepares - before.prepares), 1, "is prepared again");
	select = cql_prepare(&client, format("SELECT t FROM %s.again WHERE k = ?"));
	tap_ok(read_cell(select, "x", &type).data != NULL, "and its value is there");
	(void) succeeds(format("DROP TABLE %s.again"));
	tap_ok(!write_cell(insert, "x", put_text), "the table is gone: refused, not tried for ever");
}

/* a column more: v5 tells that the metadata has changed */
static void
test_metadata_change(void)
{
	UsCqlStatement *select;
	UsCqlRequest request = {.consistency = US_CQL_ONE};
	UsCqlResponse *response;
	UsCqlBytes	cells[8] = {{0}};

	(void) succeeds(format("CREATE TABLE %s.wider (k int PRIMARY KEY)"));
	(void) succeeds(format("INSERT INTO %s.wider (k) VALUES (1)"));
	select = cql_prepare(&client, format("SELECT * FROM %s.wider"));
	request.statement = select;
	tap_is(cql_ask(&client, &request)->result.ncolumns, 1, "one column");
	(void) succeeds(format("ALTER TABLE %s.wider ADD v text"));
	(void) succeeds(format("UPDATE %s.wider SET v = 'x' WHERE k = 1"));
	response = cql_ask(&client, &request);
	tap_ok(response->opcode == US_CQL_RESULT && response->nrows == 1 &&
		   us_cql_next_row(response, cells) == US_CQL_OK, "a column more");
	if (version == 5)
	{
		tap_is(response->result.ncolumns, 2, "is in the rows");
		tap_ok(cells[1].len == 1 && cells[1].data[0] == 'x', "with its value");
		tap_is(select->result.ncolumns, 2, "and in the statement");
		response = cql_ask(&client, &request);
		tap_ok(response->result.ncolumns == 2 && response->result.new_id.data == NULL,
			   "the next answer has nothing to tell");
	}
}

static void
test_errors(void)
{
	UsCqlRequest request = {.query = "SELECT now() FROM system.local", .query_len = 30,
	.consistency = US_CQL_ONE, .tracing = true};
	UsCqlResponse *response;

	tap_is(cql_query(&client, "SELEC")->error.code, US_CQL_ERR_SYNTAX, "a syntax error");
	tap_is(cql_query(&client, format("SELECT * FROM %s.nothing"))->error.code, US_CQL_ERR_INVALID,
		   "a table that is not there");
	response = cql_query(&client, format("CREATE TABLE %s.types (k int PRIMARY KEY)"));
	tap_ok(response->error.code == US_CQL_ERR_ALREADY_EXISTS && response->error.name.len == 5,
		   "a table that is there");
	tap_is(cql_query(&client, format("SELECT count(*) FROM %s.types"))->nwarnings, 1, "a warning");
	tap_is(cql_ask(&client, &request)->tracing_id.len, 16, "a tracing id");
}

/* larger than a segment, both ways */
static void
test_large(void)
{
	size_t		len = 3 * 1000 * 1000;
	uint8_t    *blob = malloc(len);
	char		query[256];
	UsCqlWriter values;
	UsCqlRequest request = {.nvalues = 1, .consistency = US_CQL_ONE};
	UsCqlResponse *response;
	UsCqlBytes	cell = {NULL, 0};

	for (size_t i = 0; i < len; i++)
		blob[i] = (uint8_t) (i % 253);
	us_cql_writer_init(&values, NULL, 0);
	us_cql_put_blob(&values, blob, len);
	request.values = values.data;
	request.values_len = values.len;
	snprintf(query, sizeof(query), "INSERT INTO %s.types (k, bl) VALUES ('large', ?)", keyspace);
	request.statement = cql_prepare(&client, query);
	tap_is(cql_ask(&client, &request)->opcode, US_CQL_RESULT, "3 MB are written");
	response = cql_query(&client, format("SELECT bl FROM %s.types WHERE k = 'large'"));
	tap_ok(response->nrows == 1 && us_cql_next_row(response, &cell) == US_CQL_OK &&
		   cell.len == len && memcmp(cell.data, blob, len) == 0, "and read");
	us_cql_writer_free(&values);
	free(blob);
}

int
main(int argc, char **argv)
{
	UsCqlConfig config = {.username = "cassandra", .password = "cassandra"};
	UsCqlConnStatus status;

	if (argc != 4)
	{
		fprintf(stderr, "usage: cql_types ADDRESS VERSION KEYSPACE\n");
		return 2;
	}
	version = atoi(argv[2]);
	keyspace = argv[3];
	config.version = version;
	client = cql_connect(argv[1], &config, NULL, 60);
	us_cql_conn_status(client.conn, &status);
	tap_is(status.version, version, "version of the protocol");
	make_tables();
	for (int i = 0; i < NCASES; i++)
		test_case(i);
	test_unset();
	test_pages();
	test_prepare_again();
	test_metadata_change();
	test_errors();
	test_large();
	cql_close(&client);
	return tap_done();
}
