/*-------------------------------------------------------------------------
 * dashboard/page.h
 *    a page made of panels, each one statement's rows
 *
 * A page's function asks for its panels in order; whether they become HTML,
 * JSON or CSV is decided here.  A panel that cannot be read shows why in its
 * place, and the others stay.
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_PAGE_H
#define US_DASHBOARD_PAGE_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "dashboard/chart.h"
#include "dashboard/json.h"
#include "dashboard/reply.h"
#include "dashboard/request.h"

/* of a stream, feed or mirror: the order of a list, as an expression over state */
#define US_STATES_WORST_FIRST \
	"array_position(ARRAY['stopped', 'failed', 'blocked', 'cancelled', 'waiting', 'starting'," \
	" 'running', 'paused', 'succeeded', 'caught_up'], state)"

/* every statement takes at most one row more than is shown */
#define US_PAGE_MAX_ROWS 1000

typedef enum UsKind
{
	US_KIND_TEXT,
	US_KIND_WORD,				/* text of ours, in the reader's language */
	US_KIND_LONG,				/* text that may be long: breaks anywhere */
	US_KIND_CODE,				/* as TEXT, of one width */
	US_KIND_STATE,				/* word with a mark */
	US_KIND_COUNT,
	US_KIND_OFFSET,				/* an integer without groups, as one types it */
	US_KIND_NUMBER,				/* one decimal */
	US_KIND_SECONDS,
	US_KIND_BYTES,
	US_KIND_TIME,
	US_KIND_YES,				/* boolean; "no" is marked */
	US_KIND_METER,				/* 0..1 as a bar */
	US_KIND_BINARY,				/* bytea: as text where it is text */
	US_KIND_NOTE				/* text below the row, if any, with the columns after it */
} UsKind;

typedef struct UsColumn
{
	const char *name;			/* of the statement's column; NULL ends the list */
	const char *label;
	UsKind		kind;
	const char *link;			/* path before the value of link_column, or NULL */
	const char *link_column;	/* NULL: this column */
	const char *null_text;		/* NULL: a dash */
} UsColumn;

typedef struct UsPanel
{
	const char *id;				/* anchor; member of JSON; table=ID for CSV */
	const char *title;
	const char *sql;
	const UsColumn *columns;
	const char *empty;			/* what it means that there is nothing */
	const char *empty_sql;		/* a call that changes that, or NULL */
	const char *absent;			/* when what it reads does not exist, or NULL */
	bool		looks;			/* waits for Kafka */
	bool		folded;			/* the table of a chart: behind a click */
	const char *sorted;			/* column that the rows follow, and how: "id descending", or NULL */
} UsPanel;

typedef struct UsPage
{
	UsRequest  *request;
	UsReply    *reply;
	UsBuf	   *body;			/* the reply's */
	UsJson	   *json;			/* only for US_FORMAT_JSON */
	const char *title;			/* of its place in the navigation */
	const char *heading;		/* as us_page_begin was told */
	int			refresh_s;		/* 0: never */
	bool		away;			/* no database */
	bool		bare;			/* no look at the database for the frame */
	bool		plotly;			/* make plotly was there, says whoever serves the pages */
	bool		csv_done;
} UsPage;

/* frame of a page; between them, panels.  name: of the one thing that it is about, or NULL */
extern void us_page_begin(UsPage *page, const char *heading, const char *name);
extern void us_page_end(UsPage *page);

/*
 * us_page_one -- begins a page about one thing with the panel that has it
 *
 * In:      heading, name  as for us_page_begin
 *          none        "There is no stream", for the page that says so
 * Out:     rows        of the panel, the caller's to clear; NULL: not to be read,
 *                      or another table is asked for as CSV
 * Returns: false: there is no such thing; the page says so and is finished
 */
extern bool us_page_one(UsPage *page, const char *heading, const UsPanel *panel, int nparams,
						const char *const *params, const char *name, const char *none,
						PGresult **rows);

/* a panel's rows (the caller's to clear), or NULL after it has said why */
extern PGresult *us_page_query(UsPage *page, const UsPanel *panel,
							   int nparams, const char *const *params);
/* each row as a list of its columns, for few rows of many columns */
extern void us_page_facts(UsPage *page, const UsPanel *panel, const PGresult *rows);
/* the rows as a table */
extern void us_page_table(UsPage *page, const UsPanel *panel, const PGresult *rows);
/* what it means that there is none, and the call that changes that */
extern void us_page_empty(UsPage *page, const UsPanel *panel);
/* both; returns the number of rows, -1 for an error */
extern int	us_page_panel(UsPage *page, const UsPanel *panel, int nparams,
						  const char *const *params);
/* a panel with pictures above its table, charts[0..n-1] by draw */
extern void us_page_charts(UsPage *page, const UsPanel *panel, int nparams,
						   const char *const *params, const UsChart *const *charts, int ncharts,
						   UsDraw draw);

/* around panels that stand beside each other where there is room */
extern void us_page_begin_charts(UsPage *page);
extern void us_page_end_charts(UsPage *page);

/* whether what is written now is a page for people */
extern bool us_page_is_html(const UsPage *page);
/* a call to copy, with quoted text of others in it */
extern void us_page_call(UsPage *page, const char *what, const char *sql);
/* the same, with a name as a literal of SQL between two pieces */
extern void us_page_call_with(UsPage *page, const char *what, const char *before,
							  const char *name, const char *after);
/* 'text' as a literal of SQL */
extern void us_sql_literal(UsBuf *buf, const char *text);

/*
 * us_page_link -- a link to this page with its parameters, some of them changed
 *
 * In:      rel      of the link, or NULL
 *          changes  name, value (NULL: without it), ..., NULL
 */
extern void us_page_link(UsPage *page, const char *rel, const char *label,
						 const char *const *changes);
/* a page that says that there is no such thing */
extern void us_page_not_found(UsPage *page, const char *none, const char *name);
/* value of a column by name, or NULL */
extern const char *us_row_text(const PGresult *rows, int row, const char *column);
/* a state's word with its mark */
extern void us_page_state(UsBuf *body, const char *state);

#endif							/* US_DASHBOARD_PAGE_H */
