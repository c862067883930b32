/*-------------------------------------------------------------------------
 * extension/http_url.h
 *    URLs: which may be called, and what they are made of
 *
 * Pure C.  All judging is left to libcurl's own parser, so that what was
 * judged is what is called.  Nothing here raises, and nothing calls
 * PostgreSQL.
 *-------------------------------------------------------------------------
 */
#ifndef US_HTTP_URL_H
#define US_HTTP_URL_H

#include <stdbool.h>

/*
 * us_http_url_problem -- why a URL may not be called
 *
 * In:      proxy   whether it is that of a proxy, which may speak SOCKS too
 * Returns: NULL when it may, else a sentence that does not repeat the URL
 */
extern const char *us_http_url_problem(const char *url, bool proxy);

/* scheme, host and port are the same; false when one is no URL */
extern bool us_http_url_same_origin(const char *a, const char *b);

/*
 * us_http_url_add -- a URL with one more parameter
 *
 * In:      pair   "name=value", not yet encoded
 * Returns: malloc'd; a copy of the URL when it has a parameter of that name;
 *          NULL without memory, or when it is no URL
 */
extern char *us_http_url_add(const char *url, const char *pair);

/* the same, but a parameter of that name has the new value afterwards */
extern char *us_http_url_set(const char *url, const char *pair);

/* a link as it stands on a page; malloc'd, NULL when it is none */
extern char *us_http_url_resolve(const char *page, const char *link);

/* scheme, host and port, for messages; malloc'd, never NULL but without memory */
extern char *us_http_url_origin(const char *url);

/* as it stands in a URL; malloc'd, NULL without memory */
extern char *us_http_url_encode(const char *text);

#endif							/* US_HTTP_URL_H */
