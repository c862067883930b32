/*-------------------------------------------------------------------------
 * test/unit/cql_conn_test.c
 *    a connection against a server that says what the test wants
 *
 * What a real server will not do on demand: refusals, silence, late answers,
 * forgotten statements, answers that nobody asked for, one byte at a time.
 *-------------------------------------------------------------------------
 */
#include "test/unit/cql_help.h"

#define VOID_RESULT		"00000001"
#define STATEMENT		"INSERT INTO ks.t (k) VALUES (?)"

/* Prepared: id "S1", one marker k int, no result */
#define PREPARED_4		"00000004 0002 5331 00000001 00000001 00000001 0000 0002 6b73 0001 74" \
	"0001 6b 0009 00000004 00000000"
#define PREPARED_5		"00000004 0002 5331 0002 5231 00000001 00000001 00000001 0000 0002 6b73" \
	"0001 74 0001 6b 0009 00000004 00000000"
/* the same under the id "S2" */
#define PREPARED_5_S2	"00000004 0002 5332 0002 5231 00000001 00000001 00000001 0000 0002 6b73" \
	"0001 74 0001 6b 0009 00000004 00000000"
/* "S1" with a marker of bigint */
#define PREPARED_5_BIGINT	"00000004 0002 5331 0002 5231 00000001 00000001 00000001 0000 0002 6b73" \
	"0001 74 0001 6b 0002 00000004 00000000"
/* a SELECT: no marker, result column c int, with result id "R1" */
#define PREPARED_SELECT	"00000004 0002 5353 0002 5231 00000000 00000000 00000000" \
	"00000001 00000001 0002 6b73 0001 74 0001 63 0009"

static CqlServer server;
static UsCqlEvent event;

static UsCqlConn *
create(const UsCqlConfig *config)
{
	memset(&server, 0, sizeof(server));
	us_cql_writer_init(&server.out, NULL, 0);
	server.version = 4;
	return us_cql_conn_create(config, 0);
}

static void
end(UsCqlConn *conn)
{
	us_cql_conn_free(conn);
	cql_server_free(&server);
}

static void
deliver(UsCqlConn *conn, int64_t now_ms)
{
	cql_deliver(&server, conn, SIZE_MAX, now_ms);
}

static void
is_next(UsCqlConn *conn, int64_t now_ms, UsCqlEventKind kind, const char *name)
{
	tap_is(cql_next(conn, now_ms, &event), kind, "%s", name);
}

static bool
text_has(UsCqlBytes bytes, const char *part)
{
	size_t		len = strlen(part);

	for (size_t i = 0; i + len <= bytes.len; i++)
	{
		if (memcmp(bytes.data + i, part, len) == 0)
			return true;
	}
	return false;
}

static void
is_failed(UsCqlConn *conn, int64_t now_ms, UsCqlFailureKind kind, const char *part)
{
	const UsCqlFailure *failure = us_cql_conn_failure(conn);

	tap_is(cql_next(conn, now_ms, &event), US_CQL_EVENT_FAILED, "failed: %s", part);
	tap_is(failure->kind, kind, "of this kind");
	if (!tap_ok(strstr(failure->text, part) != NULL, "saying so"))
		tap_note("%s", failure->text);
}

static bool
sent_is(UsCqlConn *conn, const char *hex, const char *name)
{
	UsCqlBytes	expected = cql_hex(hex);
	UsCqlBytes	sent = cql_sent(conn, server.segments);

	if (tap_ok(sent.len == expected.len && memcmp(sent.data, expected.data, sent.len) == 0,
			   "sent: %s", name))
		return true;
	tap_note("%s", tap_bytes((const char *) sent.data, sent.len));
	return false;
}

/* which opcode and stream the n-th envelope of what was sent has; opcode -1 = there is none */
static int
sent_opcode(UsCqlBytes sent, int n, int *stream)
{
	size_t		at = 0;

	while (at + 9 <= sent.len)
	{
		if (n-- == 0)
		{
			*stream = us_cql_load_u16(sent.data + at + 2);
			return sent.data[at + 4];
		}
		at += 9 + us_cql_load_u32(sent.data + at + 5);
	}
	return -1;
}

static void
test_greeting(void)
{
	UsCqlConfig config = {.driver_name = NULL};
	UsCqlConnStatus status;
	UsCqlConn  *conn = create(&config);

	sent_is(conn, "040000000500000000", "OPTIONS in version 4");
	tap_ok(us_cql_conn_send(conn, &(UsCqlRequest) {0}, 0) == US_CQL_NOT_READY, "no request before READY");
	cql_answer_hex(&server, 0, US_CQL_SUPPORTED, 0, CQL_SUPPORTED);
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "SUPPORTED is no event");
	sent_is(conn, "05000000010000002c 0002 000b 43514c5f56455253494f4e 0005 332e302e30"
			"0011 5448524f575f4f4e5f4f5645524c4f4144 0001 31", "STARTUP in version 5, bare");
	server.version = 5;
	cql_answer_hex(&server, 0, US_CQL_READY, 0, "");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_READY, "READY");
	us_cql_conn_status(conn, &status);
	tap_ok(status.version == 5 && status.ready, "in version 5");
	end(conn);

	config.version = 4;
	conn = create(&config);
	(void) cql_sent(conn, false);
	cql_answer_hex(&server, 0, US_CQL_SUPPORTED, 0, CQL_SUPPORTED);
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "a wish for version 4");
	tap_is(cql_sent(conn, false).data[0], 4, "is followed");
	end(conn);

	config.version = 0;
	conn = create(&config);
	cql_answer_hex(&server, 0, US_CQL_SUPPORTED, 0, "0000");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "a server that tells no versions");
	tap_is(cql_sent(conn, false).data[9], 4, "is spoken to in version 4");
	end(conn);

	conn = create(&config);
	cql_answer_hex(&server, 0, US_CQL_SUPPORTED, 0, "0001 0011 50524f544f434f4c5f56455253494f4e53"
				   "0002 0004 342f7634 0009 352f76352d62657461");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "a server whose version 5 is a beta");
	tap_is(cql_sent(conn, false).data[9], 4, "too");
	end(conn);

	config.version = 5;
	conn = create(&config);
	cql_answer_hex(&server, 0, US_CQL_SUPPORTED, 0, "0000");
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_PROTOCOL, "does not speak version 5");
	is_next(conn, 0, US_CQL_EVENT_NONE, "which is told once");
	end(conn);
}

static UsCqlConn *
until_startup(const UsCqlConfig *config)
{
	UsCqlConn  *conn = create(config);

	(void) cql_sent(conn, false);
	cql_answer_hex(&server, 0, US_CQL_SUPPORTED, 0, CQL_SUPPORTED);
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "SUPPORTED");
	(void) cql_sent(conn, false);
	server.version = config->version == 4 ? 4 : 5;
	return conn;
}

static UsCqlConn *
until_password(const UsCqlConfig *config)
{
	UsCqlConn  *conn = until_startup(config);

	cql_answer_hex(&server, 0, US_CQL_AUTHENTICATE, 0, "0001 41");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "AUTHENTICATE");
	server.segments = server.version == 5;
	return conn;
}

static void
test_authentication(int version)
{
	UsCqlConfig config = {.version = version, .username = "cassandra", .password = "hunter2"};
	UsCqlConn  *conn = until_password(&config);
	UsCqlBytes	sent = cql_sent(conn, version == 5);

	tap_ok(sent.len == 31 && sent.data[4] == US_CQL_AUTH_RESPONSE &&
		   memcmp(sent.data + 9, "\0\0\0\x12\0cassandra\0hunter2", 22) == 0, "AUTH_RESPONSE of v%d", version);
	cql_answer_hex(&server, 0, US_CQL_AUTH_SUCCESS, 0, "ffffffff");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_READY, "AUTH_SUCCESS");
	end(conn);

	conn = until_password(&config);
	(void) cql_sent(conn, version == 5);
	cql_answer_hex(&server, 0, US_CQL_AUTH_CHALLENGE, 0, "0000000b 504c41494e2d5354415254");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "a challenge for the password");
	tap_is(cql_sent(conn, version == 5).len, 31, "is answered by it");
	cql_answer_hex(&server, 0, US_CQL_AUTH_CHALLENGE, 0, "00000001 41");
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_CREDENTIALS, "another authentication");
	end(conn);

	conn = until_password(&config);
	cql_answer_error(&server, 0, US_CQL_ERR_CREDENTIALS, "Provided username is wrong", "");
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_CREDENTIALS, "Provided username is wrong");
	tap_is(us_cql_conn_failure(conn)->code, US_CQL_ERR_CREDENTIALS, "with its code");
	tap_ok(strstr(us_cql_conn_failure(conn)->text, "hunter2") == NULL, "without the password");
	end(conn);

	config.username = NULL;
	conn = until_startup(&config);
	cql_answer_hex(&server, 0, US_CQL_AUTHENTICATE, 0, "0001 41");
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_CREDENTIALS, "none are given");
	tap_is(cql_sent(conn, false).len, 0, "nothing more is sent");
	end(conn);
}

static void
test_refusals(void)
{
	static const UsCqlConfig any = {.version = 0};
	static const UsCqlConfig five = {.version = 5};
	UsCqlConn  *conn = until_startup(&any);

	server.version = 4;
	cql_answer_error(&server, 0, US_CQL_ERR_PROTOCOL, "Invalid or unsupported protocol version", "");
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_VERSION, "unsupported protocol version");
	end(conn);

	conn = until_startup(&five);
	cql_answer_error(&server, 0, US_CQL_ERR_PROTOCOL, "Invalid or unsupported protocol version", "");
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_PROTOCOL, "unsupported protocol version");
	end(conn);

	conn = until_startup(&any);
	cql_answer_error(&server, 0, US_CQL_ERR_BOOTSTRAPPING, "not yet", "");
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_SERVER, "not yet");
	end(conn);

	conn = until_startup(&any);
	cql_answer_hex(&server, 0, US_CQL_RESULT, 0, VOID_RESULT);
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_PROTOCOL, "unexpected answer");
	end(conn);

	conn = until_startup(&any);
	is_next(conn, 9999, US_CQL_EVENT_NONE, "silence");
	tap_is(us_cql_conn_deadline(conn), 10000, "has its deadline");
	is_failed(conn, 10000, US_CQL_FAILURE_TIMEOUT, "no answer to the greeting");
	end(conn);

	conn = until_startup(&any);
	us_cql_conn_closed(conn, NULL);
	is_failed(conn, 0, US_CQL_FAILURE_CLOSED, "closed by the server");
	end(conn);
}

static UsCqlRequest
query(void *tag)
{
	UsCqlRequest request = {.query = "SELECT 1", .query_len = 8, .consistency = US_CQL_ONE, .tag = tag};

	return request;
}

/* three in flight, answered in another order */
static void
test_requests(int version)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, version);
	UsCqlRequest requests[3];
	UsCqlConnStatus status;
	UsCqlBytes	sent;
	int			stream;

	for (int i = 0; i < 3; i++)
	{
		requests[i] = query(&requests[i]);
		tap_is(us_cql_conn_send(conn, &requests[i], 0), US_CQL_OK, "request %d", i);
	}
	sent = cql_sent(conn, server.segments);
	for (int i = 0; i < 3; i++)
		tap_ok(sent_opcode(sent, i, &stream) == US_CQL_QUERY && stream == i, "with stream id %d", i);
	tap_is(requests[0].wire_bytes * 3, (long long) sent.len, "their bytes are known");
	cql_answer_hex(&server, 2, US_CQL_RESULT, 0, VOID_RESULT);
	cql_answer_error(&server, 0, US_CQL_ERR_OVERLOADED, "busy", "");
	cql_answer_hex(&server, -1, US_CQL_EVENT, 0, "000d 534348454d415f4348414e4745 0007 44524f50504544"
				   "0005 5441424c45 0002 6b73 0001 74");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_ANSWER, "the last is answered first");
	tap_ok(event.request == &requests[2] && event.response->kind == US_CQL_VOID, "it is the right one");
	is_next(conn, 0, US_CQL_EVENT_ANSWER, "then the first");
	tap_ok(event.request == &requests[0] && event.response->error.code == US_CQL_ERR_OVERLOADED,
		   "by an error");
	is_next(conn, 0, US_CQL_EVENT_SERVER, "an event of the server");
	cql_is_text(event.response->schema.name, "t", "about a table");
	is_next(conn, 0, US_CQL_EVENT_NONE, "and no more");
	us_cql_conn_status(conn, &status);
	tap_is(status.in_flight, 1, "one is in flight");
	us_cql_conn_closed(conn, "reset");
	is_failed(conn, 0, US_CQL_FAILURE_CLOSED, "reset");
	is_next(conn, 0, US_CQL_EVENT_LOST, "it is lost");
	tap_ok(event.request == &requests[1], "by name");
	is_next(conn, 0, US_CQL_EVENT_NONE, "and no more");
	tap_is(us_cql_conn_send(conn, &requests[0], 0), US_CQL_NOT_READY, "no request any more");
	end(conn);
}

/* statement prepared in this version, or NULL */
static UsCqlStatement *
prepare(UsCqlConn *conn, const char *hex)
{
	UsCqlStatement *statement;
	int			stream = -1;

	if (us_cql_conn_prepare(conn, STATEMENT, strlen(STATEMENT), NULL, 0, &statement) != US_CQL_OK)
		return NULL;
	if (sent_opcode(cql_sent(conn, server.segments), 0, &stream) != US_CQL_PREPARE)
		return NULL;
	cql_answer_hex(&server, stream, US_CQL_RESULT, 0, hex);
	deliver(conn, 0);
	if (cql_next(conn, 0, &event) != US_CQL_EVENT_PREPARED || event.statement != statement)
		return NULL;
	return statement;
}

static UsCqlRequest
execute(UsCqlStatement *statement)
{
	static const uint8_t value[] = {0, 0, 0, 4, 0, 0, 0, 7};
	UsCqlRequest request = {.statement = statement, .values = value, .values_len = 8, .nvalues = 1};

	return request;
}

static void
answer_unprepared(int stream, const char *id_hex)
{
	cql_answer_error(&server, stream, US_CQL_ERR_UNPREPARED, "who?", id_hex);
}

static void
test_prepared(int version)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, version);
	UsCqlStatement *statement = prepare(conn, version == 5 ? PREPARED_5 : PREPARED_4);
	UsCqlStatement *bad;
	UsCqlRequest request;

	if (!tap_ok(statement != NULL, "a statement of v%d", version))
		return;
	tap_ok(statement->markers.ncolumns == 1 && statement->markers.nkeys == 1 &&
		   statement->markers.columns[0].type.id == US_CQL_INT, "its marker");
	cql_is_text(statement->markers.columns[0].name, "k", "by its name");
	request = execute(statement);
	tap_is(us_cql_conn_send(conn, &request, 0), US_CQL_OK, "is executed");
	sent_is(conn, version == 5 ?
			"050000000a00000018 0002 5331 0002 5231 0000 00000001 0001 00000004 00000007" :
			"040000000a00000011 0002 5331 0000 01 0001 00000004 00000007", "EXECUTE");
	cql_answer_hex(&server, 0, US_CQL_RESULT, 0, VOID_RESULT);
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_ANSWER, "and answered");

	tap_is(us_cql_conn_prepare(conn, "x", 1, &bad, 0, &bad), US_CQL_OK, "a statement that is none");
	request = execute(bad);
	tap_is(us_cql_conn_send(conn, &request, 0), US_CQL_NOT_READY, "is not executed before it is prepared");
	tap_ok(!us_cql_conn_forget(conn, bad), "nor forgotten");
	(void) cql_sent(conn, server.segments);
	cql_answer_error(&server, 0, US_CQL_ERR_SYNTAX, "line 1", "");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_PREPARED, "is told");
	tap_ok(event.response->error.code == US_CQL_ERR_SYNTAX && event.statement == bad &&
		   event.statement->tag == &bad, "by the error");
	tap_is(us_cql_conn_send(conn, &request, 0), US_CQL_NOT_READY, "and never executed");
	tap_ok(us_cql_conn_forget(conn, bad), "and forgotten");
	end(conn);
}

/* the server forgot: one PREPARE for all, then each again, in their order */
static void
test_unprepared(void)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, 5);
	UsCqlStatement *statement = prepare(conn, PREPARED_5);
	UsCqlRequest requests[4];
	UsCqlBytes	sent;
	int			stream;

	for (int i = 0; i < 3; i++)
	{
		requests[i] = execute(statement);
		(void) us_cql_conn_send(conn, &requests[i], 0);
	}
	(void) cql_sent(conn, true);
	for (int i = 0; i < 3; i++)
		answer_unprepared(i, "0002 5331");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "three times unprepared is no event");
	sent = cql_sent(conn, true);
	tap_ok(sent_opcode(sent, 0, &stream) == US_CQL_PREPARE && stream == 3, "one PREPARE");
	tap_is(sent_opcode(sent, 1, &stream), -1, "and no more");
	requests[3] = execute(statement);
	tap_is(us_cql_conn_send(conn, &requests[3], 0), US_CQL_OK, "a request meanwhile");
	tap_is(cql_sent(conn, true).len, 0, "waits too");
	cql_answer_hex(&server, 3, US_CQL_RESULT, 0, PREPARED_5);
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "prepared again is no event");
	sent = cql_sent(conn, true);
	for (int i = 0; i < 4; i++)
		tap_ok(sent_opcode(sent, i, &stream) == US_CQL_EXECUTE && stream == (i < 3 ? i : 4),
			   "request %d follows", i);
	for (int i = 0; i < 4; i++)
		cql_answer_hex(&server, i < 3 ? i : 4, US_CQL_RESULT, 0, VOID_RESULT);
	deliver(conn, 0);
	for (int i = 0; i < 4; i++)
	{
		is_next(conn, 0, US_CQL_EVENT_ANSWER, "answered");
		tap_ok(event.request == &requests[i], "in order");
	}
	end(conn);
}

/* a server that always forgets must not make a loop */
static void
test_unprepared_loop(void)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, 5);
	UsCqlStatement *statement = prepare(conn, PREPARED_5);
	UsCqlRequest request = execute(statement);
	UsCqlConnStatus status;
	int			prepares = 0;

	(void) us_cql_conn_send(conn, &request, 0);
	for (int i = 0; i < 10; i++)
	{
		int			stream;
		int			opcode = sent_opcode(cql_sent(conn, true), 0, &stream);

		if (opcode == US_CQL_EXECUTE)
			answer_unprepared(stream, "0002 5331");
		else if (opcode == US_CQL_PREPARE)
		{
			prepares++;
			cql_answer_hex(&server, stream, US_CQL_RESULT, 0, PREPARED_5);
		}
		deliver(conn, 0);
		if (cql_next(conn, 0, &event) != US_CQL_EVENT_NONE)
			break;
	}
	tap_is(event.kind, US_CQL_EVENT_ANSWER, "always unprepared comes to an end");
	tap_ok(event.response != NULL && event.response->error.code == US_CQL_ERR_UNPREPARED, "by the error");
	tap_is(prepares, 2, "after two tries");
	us_cql_conn_status(conn, &status);
	tap_is(status.prepares, 2, "which are counted");
	end(conn);
}

/* prepared again under another id; others come back with the old one */
static void
test_unprepared_other_id(void)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, 5);
	UsCqlStatement *statement = prepare(conn, PREPARED_5);
	UsCqlRequest requests[2];
	UsCqlBytes	sent;
	int			stream;

	for (int i = 0; i < 2; i++)
	{
		requests[i] = execute(statement);
		(void) us_cql_conn_send(conn, &requests[i], 0);
	}
	(void) cql_sent(conn, true);
	answer_unprepared(0, "0002 5331");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "unprepared");
	(void) cql_sent(conn, true);
	cql_answer_hex(&server, 2, US_CQL_RESULT, 0, PREPARED_5_S2);
	answer_unprepared(1, "0002 5331");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "prepared under another id, then the old one comes back");
	sent = cql_sent(conn, true);
	tap_ok(sent_opcode(sent, 0, &stream) == US_CQL_EXECUTE && stream == 0 && sent.data[12] == '2',
		   "the first follows under the new id");
	tap_ok(sent_opcode(sent, 1, &stream) == US_CQL_EXECUTE && stream == 1, "the second too, at once");
	tap_is(sent_opcode(sent, 2, &stream), -1, "nothing is prepared for it");
	end(conn);
}

/* the markers have changed: what was bound before is not sent */
static void
test_stale(void)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, 5);
	UsCqlStatement *statement = prepare(conn, PREPARED_5);
	UsCqlRequest requests[3];

	for (int i = 0; i < 2; i++)
	{
		requests[i] = execute(statement);
		(void) us_cql_conn_send(conn, &requests[i], 0);
	}
	(void) cql_sent(conn, true);
	answer_unprepared(1, "0002 5331");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "unprepared");
	(void) cql_sent(conn, true);
	cql_answer_hex(&server, 2, US_CQL_RESULT, 0, PREPARED_5_BIGINT);
	answer_unprepared(0, "0002 5331");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_STALE, "markers of another type");
	tap_ok(event.request == &requests[1], "the request that waited");
	is_next(conn, 0, US_CQL_EVENT_NONE, "no other is told so");
	tap_ok(sent_opcode(cql_sent(conn, true), 0, &(int) {0}) == US_CQL_PREPARE,
		   "another is prepared for, as its id is the same");
	cql_answer_hex(&server, 1, US_CQL_RESULT, 0, PREPARED_5_BIGINT);
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_STALE, "and is stale too");
	tap_ok(event.request == &requests[0], "it is this one");
	tap_is(cql_sent(conn, true).len, 0, "nothing is sent with old values");
	tap_is(statement->markers.columns[0].type.id, US_CQL_BIGINT, "the statement shows the new markers");
	requests[2] = execute(statement);
	tap_is(us_cql_conn_send(conn, &requests[2], 0), US_CQL_OK, "a new request goes");
	tap_ok(cql_sent(conn, true).len > 0, "at once");
	end(conn);
}

/* preparing again fails: all that waited have the error */
static void
test_unprepared_error(void)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, 4);
	UsCqlStatement *statement = prepare(conn, PREPARED_4);
	UsCqlRequest requests[2];
	size_t		room;

	for (int i = 0; i < 2; i++)
	{
		requests[i] = execute(statement);
		(void) us_cql_conn_send(conn, &requests[i], 0);
	}
	(void) cql_sent(conn, false);
	answer_unprepared(0, "0002 5331");
	answer_unprepared(1, "0002 5331");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_NONE, "unprepared");
	(void) cql_sent(conn, false);
	cql_answer_error(&server, 2, US_CQL_ERR_INVALID, "table t does not exist", "");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_ANSWER, "the first");
	tap_ok(event.request == &requests[0] && text_has(event.response->error.message, "does not exist"),
		   "has the error");
	tap_is(us_cql_conn_deadline(conn), 0, "there is more to tell at once");
	(void) us_cql_conn_room(conn, &room);
	is_next(conn, 0, US_CQL_EVENT_ANSWER, "the second, asked for late");
	tap_ok(event.request == &requests[1] && event.response->error.code == US_CQL_ERR_INVALID &&
		   event.response->error.message.len == 0, "has its code at least, and no bytes that moved");
	is_next(conn, 0, US_CQL_EVENT_NONE, "and no more");
	end(conn);
}

static void
test_rows(void)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, 5);
	UsCqlStatement *statement = prepare(conn, PREPARED_SELECT);
	UsCqlRequest requests[3];
	UsCqlBytes	cell;
	int			stream;

	for (int i = 0; i < 3; i++)
	{
		requests[i] = (UsCqlRequest) {.statement = statement};
		(void) us_cql_conn_send(conn, &requests[i], 0);
	}
	tap_is(cql_sent(conn, true).data[9 + 4 + 4 + 2 + 3], 2, "the metadata is not asked for");
	cql_answer_hex(&server, 0, US_CQL_RESULT, 0, "00000002 00000004 00000001 00000001 00000004 00000009");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_ANSWER, "rows without metadata");
	tap_ok(event.response->result.columns != NULL &&
		   event.response->result.columns[0].type.id == US_CQL_INT, "have the statement's");
	tap_ok(us_cql_next_row(event.response, &cell) == US_CQL_OK && cell.len == 4, "and their cells");

	/* result id "R2", column c text */
	cql_answer_hex(&server, 1, US_CQL_RESULT, 0, "00000002 00000009 00000001 0002 5232 0002 6b73 0001 74"
				   "0001 63 000d 00000001 00000001 78");
	cql_answer_hex(&server, 2, US_CQL_RESULT, 0, "00000002 00000004 00000001 00000001 00000004 00000009");
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_ANSWER, "rows whose metadata has changed");
	tap_ok(event.response->result.columns[0].type.id == US_CQL_VARCHAR &&
		   us_cql_next_row(event.response, &cell) == US_CQL_OK && cell.len == 1, "are read by the new");
	tap_ok(statement->result.columns[0].type.id == US_CQL_VARCHAR &&
		   statement->result_id.data[1] == '2',
		   "which is the statement's from now on");
	is_next(conn, 0, US_CQL_EVENT_STALE, "rows of before that came late cannot be read");
	requests[0] = (UsCqlRequest) {.statement = statement};
	(void) us_cql_conn_send(conn, &requests[0], 0);
	(void) sent_opcode(cql_sent(conn, true), 0, &stream);
	cql_answer_hex(&server, stream, US_CQL_RESULT, 0, "00000002 00000004 00000002 00000000");
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_PROTOCOL, "rows without their metadata");
	end(conn);
}

static void
test_timeouts(void)
{
	UsCqlConfig config = {.max_streams = 7, .request_timeout_ms = 1000};
	UsCqlConn  *conn = cql_connected(&server, &config, 5);
	UsCqlRequest requests[8];
	UsCqlConnStatus status;

	for (int i = 0; i < 8; i++)
		requests[i] = query(NULL);
	for (int i = 0; i < 7; i++)
		(void) us_cql_conn_send(conn, &requests[i], i);
	tap_is(us_cql_conn_send(conn, &requests[7], 7), US_CQL_BUSY, "no stream id is free");
	(void) cql_sent(conn, true);
	tap_is(us_cql_conn_deadline(conn), 1000, "the deadline is the oldest's");
	is_next(conn, 999, US_CQL_EVENT_NONE, "before it nothing happens");
	is_next(conn, 1001, US_CQL_EVENT_TIMEOUT, "then it is told");
	tap_ok(event.request == &requests[0], "the oldest");
	is_next(conn, 1001, US_CQL_EVENT_TIMEOUT, "and the second");
	is_next(conn, 1001, US_CQL_EVENT_NONE, "no more yet");
	tap_is(us_cql_conn_send(conn, &requests[7], 1001), US_CQL_BUSY, "their ids are not free");
	us_cql_conn_status(conn, &status);
	tap_ok(status.orphans == 2 && status.in_flight == 5, "they are counted");
	cql_answer_hex(&server, 0, US_CQL_RESULT, 0, VOID_RESULT);
	deliver(conn, 1001);
	is_next(conn, 1001, US_CQL_EVENT_NONE, "a late answer is nobody's");
	us_cql_conn_status(conn, &status);
	tap_ok(status.late == 1 && status.orphans == 1, "but it is counted");
	tap_is(us_cql_conn_send(conn, &requests[7], 1001), US_CQL_OK, "and frees its id");
	cql_answer_hex(&server, 0, US_CQL_RESULT, 0, VOID_RESULT);
	deliver(conn, 1001);
	is_next(conn, 1001, US_CQL_EVENT_ANSWER, "whose next answer");
	tap_ok(event.request == &requests[7], "is its request's");
	is_next(conn, 1010, US_CQL_EVENT_TIMEOUT, "a third");
	is_next(conn, 1010, US_CQL_EVENT_TIMEOUT, "waits in vain");
	is_failed(conn, 1010, US_CQL_FAILURE_ORPHANS, "too many requests without an answer");
	for (int i = 0; i < 3; i++)
		is_next(conn, 1010, US_CQL_EVENT_LOST, "the others are lost");
	is_next(conn, 1010, US_CQL_EVENT_NONE, "and no more");
	end(conn);
}

/* a request that waits for its statement times out and leaves no orphan */
static void
test_waiting_timeout(void)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, 5);
	UsCqlStatement *statement = prepare(conn, PREPARED_5);
	UsCqlStatement *other;
	UsCqlRequest request = execute(statement);
	UsCqlConnStatus status;

	(void) us_cql_conn_send(conn, &request, 100);
	(void) cql_sent(conn, true);
	answer_unprepared(0, "0002 5331");
	deliver(conn, 200);
	is_next(conn, 200, US_CQL_EVENT_NONE, "unprepared");
	is_next(conn, 12100, US_CQL_EVENT_TIMEOUT, "its PREPARE is not answered");
	us_cql_conn_status(conn, &status);
	tap_is(status.orphans, 0, "the request leaves nothing");
	is_next(conn, 12200, US_CQL_EVENT_NONE, "the PREPARE has no caller");
	us_cql_conn_status(conn, &status);
	tap_is(status.orphans, 1, "but keeps its id");
	tap_is(us_cql_conn_prepare(conn, "x", 1, NULL, 12200, &other), US_CQL_OK, "a new statement");
	cql_answer_hex(&server, 1, US_CQL_RESULT, 0, PREPARED_5);
	deliver(conn, 14000);
	is_next(conn, 14000, US_CQL_EVENT_NONE, "the late answer is not taken for the new one's");
	is_next(conn, 24200, US_CQL_EVENT_TIMEOUT, "which is not answered either");
	tap_ok(event.statement == other && event.request == NULL && !other->prepared, "and is told");
	end(conn);
}

static void
test_heartbeat(void)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, 5);

	tap_is(us_cql_conn_deadline(conn), 15000, "15 s of silence");
	is_next(conn, 15000, US_CQL_EVENT_NONE, "are no event");
	sent_is(conn, "050000000500000000", "OPTIONS");
	tap_is(us_cql_conn_deadline(conn), 20000, "with 5 s to answer");
	cql_answer_hex(&server, 0, US_CQL_SUPPORTED, 0, "0000");
	deliver(conn, 16000);
	is_next(conn, 16000, US_CQL_EVENT_NONE, "the answer is no event");
	tap_is(us_cql_conn_deadline(conn), 31000, "and 15 s begin anew");
	is_next(conn, 31000, US_CQL_EVENT_NONE, "again");
	tap_is(cql_sent(conn, true).len, 9, "OPTIONS");
	is_next(conn, 35999, US_CQL_EVENT_NONE, "silence");
	is_failed(conn, 36000, US_CQL_FAILURE_TIMEOUT, "no answer to a heartbeat");
	end(conn);
}

static void
is_broken_by(int version, int stream, int opcode, const char *hex, const char *part)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, version);
	UsCqlRequest request = query(NULL);

	(void) us_cql_conn_send(conn, &request, 0);
	cql_answer_hex(&server, stream, (UsCqlOpcode) opcode, 0, hex);
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_PROTOCOL, part);
	is_next(conn, 0, US_CQL_EVENT_LOST, "what was in flight is lost");
	end(conn);
}

static void
test_broken(void)
{
	UsCqlConn  *conn;

	is_broken_by(5, 3, US_CQL_RESULT, VOID_RESULT, "request that was not made");
	is_broken_by(4, 32767, US_CQL_RESULT, VOID_RESULT, "request that was not made");
	is_broken_by(4, -2, US_CQL_RESULT, VOID_RESULT, "request that was not made");
	is_broken_by(4, 0, US_CQL_RESULT, "000000", "malformed");
	is_broken_by(4, 0, 0x42, "", "malformed");
	is_broken_by(4, 0, US_CQL_READY, "", "unexpected answer to a request");
	is_broken_by(5, 0, US_CQL_RESULT, PREPARED_5, "unexpected answer to a request");
	is_broken_by(5, -1, US_CQL_ERROR, "0000000a 0003 626164", "complained about the connection: bad");

	conn = cql_connected(&server, NULL, 5);
	server.version = 4;
	cql_answer_hex(&server, 0, US_CQL_RESULT, 0, VOID_RESULT);
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_PROTOCOL, "another version");
	end(conn);

	conn = cql_connected(&server, NULL, 5);
	cql_answer_hex(&server, -1, US_CQL_EVENT, 0, "0001 41");
	server.out.data[server.out.len - 1] ^= 1;
	deliver(conn, 0);
	is_failed(conn, 0, US_CQL_FAILURE_PROTOCOL, "checksum");
	end(conn);
}

/* everything a connection does, in portions of so many bytes; the number of answers */
static int
run_session(int version, size_t portion, CqlMemory *memory, UsCqlFailureKind *failure)
{
	UsCqlConfig config = {.username = "u", .password = "p", .version = version};
	UsCqlConn  *conn;
	UsCqlStatement *statement = NULL;
	UsCqlRequest requests[3];
	int			answers = 0;
	int			unprepared = 0;

	if (memory != NULL)
	{
		long		fail_at = memory->fail_at;

		config.memory = cql_memory(memory);
		memory->fail_at = fail_at;
	}
	*failure = US_CQL_FAILURE_NONE;
	memset(&server, 0, sizeof(server));
	us_cql_writer_init(&server.out, NULL, 0);
	server.version = 4;
	conn = us_cql_conn_create(&config, 0);
	if (conn == NULL)
	{
		*failure = US_CQL_FAILURE_MEMORY;
		return 0;
	}
	for (int turn = 0; turn < 2000 && answers < 3 && *failure == US_CQL_FAILURE_NONE; turn++)
	{
		UsCqlBytes	sent = cql_sent(conn, server.segments);
		int			stream;
		int			opcode;

		for (int n = 0; (opcode = sent_opcode(sent, n, &stream)) >= 0; n++)
		{
			switch (opcode)
			{
				case US_CQL_OPTIONS:
					cql_answer_hex(&server, 0, US_CQL_SUPPORTED, 0, CQL_SUPPORTED);
					break;
				case US_CQL_STARTUP:
					server.version = version;
					cql_answer_hex(&server, 0, US_CQL_AUTHENTICATE, 0, "0001 41");
					server.segments = version == 5;
					break;
				case US_CQL_AUTH_RESPONSE:
					cql_answer_hex(&server, 0, US_CQL_AUTH_SUCCESS, 0, "ffffffff");
					break;
				case US_CQL_PREPARE:
					cql_answer_hex(&server, stream, US_CQL_RESULT, 0,
								   version == 5 ? PREPARED_SELECT : PREPARED_4);
					break;
				case US_CQL_EXECUTE:
					if (unprepared++ == 0)
						answer_unprepared(stream, version == 5 ? "0002 5353" : "0002 5331");
					else if (unprepared == 3 && version == 5)
						cql_answer_hex(&server, stream, US_CQL_RESULT, 0,
									   "00000002 00000009 00000001 0002 5232 0002 6b73 0001 74"
									   "0001 63 000d 00000001 00000001 78");
					else
						cql_answer_hex(&server, stream, US_CQL_RESULT, 0, VOID_RESULT);
					break;
				default:
					break;
			}
		}
		cql_deliver(&server, conn, portion, 0);
		while (cql_next(conn, 0, &event) != US_CQL_EVENT_NONE)
		{
			if (event.kind == US_CQL_EVENT_READY &&
				us_cql_conn_prepare(conn, STATEMENT, strlen(STATEMENT), NULL, 0,
									&statement) != US_CQL_OK)
				*failure = US_CQL_FAILURE_MEMORY;
			if (event.kind == US_CQL_EVENT_PREPARED)
			{
				for (int i = 0; i < 3; i++)
				{
					requests[i] = execute(statement);
					if (version == 5)
						requests[i] = (UsCqlRequest) {.statement = statement};
					if (us_cql_conn_send(conn, &requests[i], 0) != US_CQL_OK)
						*failure = US_CQL_FAILURE_MEMORY;
				}
			}
			answers += event.kind == US_CQL_EVENT_ANSWER;
			if (event.kind == US_CQL_EVENT_FAILED)
				*failure = us_cql_conn_failure(conn)->kind;
		}
	}
	end(conn);
	return answers;
}

static void
test_portions(int version)
{
	UsCqlFailureKind failure;
	int			wrong = 0;

	for (size_t portion = 1; portion <= 100; portion++)
		wrong += run_session(version, portion, NULL, &failure) != 3;
	tap_is(wrong, 0, "a session of v%d in portions of 1 to 100 bytes", version);
}

/* each request for memory fails once, then all from it on: no crash, no leak, a reason */
static void
test_no_memory(int version)
{
	CqlMemory	memory = {.fail_at = -1};
	UsCqlFailureKind failure;
	int			wrong = 0;
	long		calls;

	tap_is(run_session(version, SIZE_MAX, &memory, &failure), 3, "a session of v%d", version);
	calls = memory.calls;
	tap_is(memory.live, 0, "frees all");
	for (int once = 0; once <= 1; once++)
	{
		for (long n = 1; n <= calls; n++)
		{
			int			answers;

			memory.fail_at = n;
			answers = run_session(version, SIZE_MAX, &memory, &failure);
			if (memory.live != 0 || (answers < 3 && failure != US_CQL_FAILURE_MEMORY))
			{
				wrong++;
				tap_note("request %ld of %ld: %ld kept, failure %d", n, calls, memory.live, failure);
			}
		}
	}
	tap_ok(calls > 8, "it asks for memory %ld times", calls);
	tap_is(wrong, 0, "and stands it that any of these fails");
}

/* a large answer leaves no large buffer behind */
static void
test_large_answer(int version)
{
	UsCqlConn  *conn = cql_connected(&server, NULL, version);
	UsCqlRequest request = query(NULL);
	const size_t len = 5 * 1024 * 1024;
	UsCqlWriter body;
	UsCqlBytes	cell;
	UsCqlBytes	bytes;

	us_cql_writer_init(&body, NULL, 0);
	us_cql_put_raw(&body, cql_hex("00000002 00000001 00000001 0002 6b73 0001 74 0001 63 0003 00000001").data,
				   28);
	us_cql_put_u32(&body, (uint32_t) len);
	for (size_t i = 0; i < len; i++)
		us_cql_put_u8(&body, (uint8_t) (i % 251));
	(void) us_cql_conn_send(conn, &request, 0);
	bytes.data = body.data;
	bytes.len = body.len;
	cql_answer(&server, 0, US_CQL_RESULT, 0, bytes);
	deliver(conn, 0);
	is_next(conn, 0, US_CQL_EVENT_ANSWER, "an answer of 5 MB");
	tap_ok(us_cql_next_row(event.response, &cell) == US_CQL_OK && cell.len == len &&
		   cell.data[len - 1] == (len - 1) % 251, "is whole");
	us_cql_writer_free(&body);
	end(conn);
}

/* what cannot be written is not sent, and the connection goes on */
static void
test_too_large(void)
{
	static uint8_t value[16];
	UsCqlConn  *conn = cql_connected(&server, NULL, 4);
	UsCqlRequest request = query(NULL);

	request.values = value;
	request.values_len = (size_t) 300 * 1024 * 1024;
	request.nvalues = 1;
	tap_is(us_cql_conn_send(conn, &request, 0), US_CQL_TOO_LARGE, "a request of 300 MB");
	tap_is(cql_sent(conn, false).len, 0, "nothing of it is sent");
	request = query(NULL);
	tap_is(us_cql_conn_send(conn, &request, 0), US_CQL_OK, "another one is");
	tap_ok(cql_sent(conn, false).len > 0, "sent");
	end(conn);
}

int
main(void)
{
	test_greeting();
	test_refusals();
	for (int version = 4; version <= 5; version++)
	{
		test_authentication(version);
		test_requests(version);
		test_prepared(version);
		test_portions(version);
		test_no_memory(version);
		test_large_answer(version);
	}
	test_unprepared();
	test_unprepared_loop();
	test_unprepared_other_id();
	test_stale();
	test_unprepared_error();
	test_rows();
	test_timeouts();
	test_waiting_timeout();
	test_heartbeat();
	test_broken();
	test_too_large();
	return tap_done();
}
