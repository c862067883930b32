/*-------------------------------------------------------------------------
 * dashboard/db.h
 *    the one connection to PostgreSQL, and a page's look at it
 *
 * Where to connect is libpq's own environment (PGHOST, PGSERVICE, ...).  A
 * page reads in one transaction, so that its panels agree, each panel behind
 * a savepoint, so that one that fails leaves the others.  Settings here are
 * only belts: what the role may do is what its grants are.
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_DB_H
#define US_DASHBOARD_DB_H

#include <libpq-fe.h>
#include <stdbool.h>

/* of one panel, and of all panels of a page: later ones are not run */
#define US_DB_PANEL_MS 2000
#define US_DB_PAGE_MS 5000
/* a look at Kafka waits for a broker */
#define US_DB_LOOK_MS 12000

/* begins a page; false: the database is away, nothing else may be called but us_db_end */
extern bool us_db_begin(void);

/*
 * us_db_query -- one statement of ours, with parameters as text (NULL: null)
 *
 * Returns: rows, or NULL: then us_db_sqlstate says why, "08006" for a lost
 *          connection, "" when the page's time was over before it began.
 *          The result belongs to the caller.
 */
extern PGresult *us_db_query(const char *sql, int nparams, const char *const *params);
/* as us_db_query with more time; for what waits for Kafka */
extern PGresult *us_db_look(const char *sql, int nparams, const char *const *params);

/* now() of the page, as the server writes it */
extern const char *us_db_now(void);

/* microseconds that statements took since this was asked the last time */
extern long long us_db_take_spent(void);

/* of the last query that failed */
extern const char *us_db_sqlstate(void);
/* its message and hint; never shown when the connection failed */
extern const char *us_db_message(void);

/* ends the page's transaction; the connection stays */
extern void us_db_end(void);

/* whether a statement is answered within a second */
extern bool us_db_is_healthy(void);

/* milliseconds of a clock that never goes back */
extern long long us_clock_ms(void);

#endif							/* US_DASHBOARD_DB_H */
