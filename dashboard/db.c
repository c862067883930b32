/*-------------------------------------------------------------------------
 * dashboard/db.c
 *    the one connection to PostgreSQL, and a page's look at it
 *-------------------------------------------------------------------------
 */
#include "dashboard/db.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static PGconn *connection;
static long long page_end_ms;
static long long spent_us;
static char now_text[40];
static char sqlstate[6];
static char message[1024];

static long long
clock_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

long long
us_clock_ms(void)
{
	return clock_us() / 1000;
}

/* every statement of ours, and the time that it takes */
static PGresult *
execute(const char *sql, int nparams, const char *const *params)
{
	long long	begin = clock_us();
	PGresult   *result = PQexecParams(connection, sql, nparams, NULL, params, NULL, NULL, 0);

	spent_us += clock_us() - begin;
	return result;
}

long long
us_db_take_spent(void)
{
	long long	spent = spent_us;

	spent_us = 0;
	return spent;
}

/* so that a message of the server's is neither printed nor lost */
static void
ignore_notice(void *arg, const PGresult *result)
{
	(void) arg;
	(void) result;
}

static bool
run_quietly(const char *sql)
{
	PGresult   *result = execute(sql, 0, NULL);
	ExecStatusType status = PQresultStatus(result);

	PQclear(result);
	return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK;
}

static bool
set_timeout(int ms)
{
	char		text[16];
	const char *values[] = {text};
	PGresult   *result;
	bool		done;

	snprintf(text, sizeof(text), "%d", ms);
	result = execute("SELECT pg_catalog.set_config('statement_timeout', $1, false)", 1, values);
	done = PQresultStatus(result) == PGRES_TUPLES_OK;
	PQclear(result);
	return done;
}

static void
disconnect(void)
{
	PQfinish(connection);
	connection = NULL;
}

static bool
connect_now(void)
{
	static const char *const names[] = {
		"application_name", "client_encoding", "connect_timeout", "tcp_user_timeout", NULL
	};
	static const char *const values[] = {
		"userstream-dashboard", "UTF8", "2", "15000", NULL
	};

	connection = PQconnectdbParams(names, values, 0);
	if (PQstatus(connection) != CONNECTION_OK)
	{
		disconnect();
		return false;
	}
	PQsetNoticeReceiver(connection, ignore_notice, NULL);
	if (run_quietly("SELECT pg_catalog.set_config('search_path', 'pg_catalog', false),"
					" pg_catalog.set_config('lock_timeout', '500ms', false),"
					" pg_catalog.set_config('idle_in_transaction_session_timeout', '30s', false),"
					" pg_catalog.set_config('TimeZone', 'UTC', false),"
					" pg_catalog.set_config('DateStyle', 'ISO', false),"
					" pg_catalog.set_config('IntervalStyle', 'postgres', false),"
					" pg_catalog.set_config('bytea_output', 'hex', false),"
					" pg_catalog.set_config('extra_float_digits', '0', false)") &&
		set_timeout(US_DB_PANEL_MS))
		return true;
	disconnect();
	return false;
}

/* the page's time, which now() is in all its statements */
static bool
read_now(void)
{
	PGresult   *result = execute("SELECT pg_catalog.now()", 0, NULL);
	bool		done = PQresultStatus(result) == PGRES_TUPLES_OK;

	if (done)
		snprintf(now_text, sizeof(now_text), "%s", PQgetvalue(result, 0, 0));
	PQclear(result);
	return done;
}

const char *
us_db_now(void)
{
	return now_text;
}

bool
us_db_begin(void)
{
	/* one that was kept may have died since: that is noticed here, and tried once more */
	for (int attempt = 0; attempt < 2; attempt++)
	{
		if (connection == NULL && !connect_now())
			return false;
		if (run_quietly("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") && read_now())
		{
			page_end_ms = us_clock_ms() + US_DB_PAGE_MS;
			return true;
		}
		disconnect();
	}
	return false;
}

static void
keep_error(const PGresult *result)
{
	const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
	const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);

	if (PQstatus(connection) != CONNECTION_OK)
		state = NULL;
	snprintf(sqlstate, sizeof(sqlstate), "%s", state ? state : "08006");
	snprintf(message, sizeof(message), "%s%s%s", state && primary ? primary : "",
			 state && hint ? ". " : "", state && hint ? hint : "");
}

static PGresult *
query_within(int ms, const char *sql, int nparams, const char *const *params)
{
	PGresult   *result;

	sqlstate[0] = message[0] = '\0';
	if (connection == NULL)
	{
		strcpy(sqlstate, "08006");
		return NULL;
	}
	if (us_clock_ms() >= page_end_ms)
		return NULL;
	if (ms != US_DB_PANEL_MS && !set_timeout(ms))
		ms = US_DB_PANEL_MS;
	run_quietly("SAVEPOINT panel");
	result = execute(sql, nparams, params);
	if (PQresultStatus(result) != PGRES_TUPLES_OK)
	{
		keep_error(result);
		PQclear(result);
		result = NULL;
		if (PQstatus(connection) != CONNECTION_OK)
		{
			disconnect();
			return NULL;
		}
		run_quietly("ROLLBACK TO SAVEPOINT panel");
	}
	run_quietly("RELEASE SAVEPOINT panel");
	if (ms != US_DB_PANEL_MS)
		set_timeout(US_DB_PANEL_MS);
	return result;
}

PGresult *
us_db_query(const char *sql, int nparams, const char *const *params)
{
	return query_within(US_DB_PANEL_MS, sql, nparams, params);
}

PGresult *
us_db_look(const char *sql, int nparams, const char *const *params)
{
	return query_within(US_DB_LOOK_MS, sql, nparams, params);
}

const char *
us_db_sqlstate(void)
{
	return sqlstate;
}

const char *
us_db_message(void)
{
	return message;
}

void
us_db_end(void)
{
	if (connection != NULL && !run_quietly("ROLLBACK"))
		disconnect();
}

bool
us_db_is_healthy(void)
{
	bool		healthy;

	if (!us_db_begin())
		return false;
	healthy = set_timeout(1000) && run_quietly("SELECT 1");
	us_db_end();
	if (connection != NULL && !set_timeout(US_DB_PANEL_MS))
		disconnect();
	return healthy;
}
