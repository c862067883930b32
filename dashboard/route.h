/*-------------------------------------------------------------------------
 * dashboard/route.h
 *    which address is which page, and what it may be asked
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_ROUTE_H
#define US_DASHBOARD_ROUTE_H

#include "dashboard/page.h"

typedef enum UsRouteKind
{
	US_ROUTE_PAGE,				/* panels, in a transaction */
	US_ROUTE_METRICS,
	US_ROUTE_HEALTH
} UsRouteKind;

typedef struct UsRoute
{
	const char *path;			/* NULL ends the table; with '/' at its end: a name follows */
	const char *navigation;		/* word in the navigation and title, or NULL */
	const char *title;
	UsRouteKind kind;
	void		(*show) (UsPage *page, const char *name);
	const char *params;			/* names that it may be asked with, between blanks */
	UsCaching	caching;
	int			refresh_s;
} UsRoute;

extern const UsRoute us_routes[];

/*
 * us_route_find -- the page of a path
 *
 * Out:     name    what follows a path that ends with '/', within path; else ""
 * Returns: NULL if there is none
 */
extern const UsRoute *us_route_find(const char *path, const char **name);

/* whether a page may be asked with all these parameters; otherwise refuses */
extern bool us_route_accepts(const UsRoute *route, UsRequest *request);

/*
 * The pages; what one does not need it does not name:
 * NOLINTBEGIN(readability-inconsistent-declaration-parameter-name)
 */
extern void us_show_users(UsPage *page, const char *name);
extern void us_show_streams(UsPage *page, const char *name);
extern void us_show_stream(UsPage *page, const char *name);
extern void us_show_messages(UsPage *page, const char *name);
extern void us_show_feeds(UsPage *page, const char *name);
extern void us_show_feed(UsPage *page, const char *name);
extern void us_show_dead_letters(UsPage *page, const char *name);
extern void us_show_dead_letter(UsPage *page, const char *name);
extern void us_show_mirrors(UsPage *page, const char *name);

/* NOLINTEND(readability-inconsistent-declaration-parameter-name) */

/* the panel of open incidents: all, those of one stream, or those of mirrors */
extern void us_show_incidents(UsPage *page, const char *stream, bool mirrors);

/* all metrics; a database that is away is told in them */
extern void us_metrics_write(UsBuf *body, bool openmetrics);

#endif							/* US_DASHBOARD_ROUTE_H */
