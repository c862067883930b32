/*-------------------------------------------------------------------------
 * dashboard/request.h
 *    what a web server tells of a request, checked once
 *
 * Taken from CGI's variables whether they come by CGI or by FastCGI.  After
 * us_request_read nothing of it is changed, and nothing else of the
 * environment is looked at: no header can reach libpq.
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_REQUEST_H
#define US_DASHBOARD_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dashboard/words.h"

#define US_REQUEST_MAX_PARAMS 32
/* the reader's language, which parameter lang chose on another page */
#define US_REQUEST_COOKIE "userstream_lang"
#define US_REQUEST_MAX_BYTES 4096	/* of path and of query, each */

typedef enum UsFormat
{
	US_FORMAT_HTML,
	US_FORMAT_JSON,
	US_FORMAT_CSV
} UsFormat;

typedef struct UsParam
{
	const char *name;
	const char *value;			/* decoded; valid UTF-8 without controls */
} UsParam;

typedef struct UsRequest
{
	bool		is_head;
	char		path[US_REQUEST_MAX_BYTES];		/* decoded, begins with '/' */
	UsFormat	format;			/* of parameter format */
	UsLanguage	language;		/* of parameter lang, else of its cookie, else of the browser */
	bool		sets_language;	/* it has the parameter: the cookie is for the next pages */
	UsParam		params[US_REQUEST_MAX_PARAMS];	/* each name once; without format and lang */
	int			nparams;
	bool		openmetrics;	/* the client reads that form of metrics */
	char		if_none_match[256]; /* "" when absent or too long to be ours */
	int			error_status;	/* 0, or an HTTP status: the request is refused */
	char		error[160];		/* why, for people */
	char		decoded[US_REQUEST_MAX_BYTES];	/* where params point into */
} UsRequest;

/* value of a CGI variable, or NULL */
typedef const char *(*UsVariable) (void *context, const char *name);

/* fills request, and chooses its language; what is wrong is in error_status */
extern void us_request_read(UsRequest *request, UsVariable variable, void *context);

/* refuses it, unless it is refused already; always false, for a return */
extern bool us_request_refuse(UsRequest *request, int status, const char *format,...)
			__attribute__((format(printf, 3, 4)));

/* value of a parameter, or NULL; an empty one counts as absent, as a form sends it */
extern const char *us_request_param(const UsRequest *request, const char *name);

/* a number of a parameter within low..high; otherwise refuses; fallback when absent */
extern int64_t us_request_number(UsRequest *request, const char *name,
								 int64_t low, int64_t high, int64_t fallback);

#endif							/* US_DASHBOARD_REQUEST_H */
