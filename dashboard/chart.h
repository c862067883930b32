/*-------------------------------------------------------------------------
 * dashboard/chart.h
 *    rows of a statement as an SVG chart, for any browser, without a script
 *
 * Colours are CSS classes, so that dark and print need no other picture.
 * Each mark has a <title> with its numbers; the rows also stand in a table
 * beside it.
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_CHART_H
#define US_DASHBOARD_CHART_H

#include <libpq-fe.h>

#include "dashboard/buf.h"

#define US_CHART_MAX_SERIES 4

typedef struct UsSeries
{
	const char *column;			/* of the rows; NULL ends the list */
	const char *label;
} UsSeries;

typedef struct UsChart
{
	const char *id;
	const char *title;
	const char *x_title;
	const char *y_title;		/* with its unit */
	const char *x_column;		/* bars: text; lines: seconds since 1970 */
	UsSeries	series[US_CHART_MAX_SERIES + 1];
} UsChart;

/* how rows become a picture */
typedef void (*UsDraw) (UsBuf *body, const UsChart *chart, const PGresult *rows);

/* a bar for each row, its series on top of each other; values are not negative */
extern void us_chart_bars(UsBuf *body, const UsChart *chart, const PGresult *rows);
/* the same, the last row first: a table has the newest at its top, a picture at its right */
extern void us_chart_bars_reversed(UsBuf *body, const UsChart *chart, const PGresult *rows);

/* a line for each series over time, rows in its order; a null is a gap */
extern void us_chart_lines(UsBuf *body, const UsChart *chart, const PGresult *rows);
/* the same as dots that nothing joins */
extern void us_chart_points(UsBuf *body, const UsChart *chart, const PGresult *rows);

/* the smallest of 1, 2, 5 times a power of ten of which at most six reach max */
extern double us_chart_step(double max);

#endif							/* US_DASHBOARD_CHART_H */
