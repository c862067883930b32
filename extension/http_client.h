/*-------------------------------------------------------------------------
 * extension/http_client.h
 *    one HTTP request after another, in short steps
 *
 * Pure C, libcurl hidden.  Nothing here raises, calls PostgreSQL or blocks
 * longer than it is told to, so that the caller can look at interrupts
 * between two steps and give up at any of them.
 *-------------------------------------------------------------------------
 */
#ifndef US_HTTP_CLIENT_H
#define US_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* what a server and a user mapping say; strings NUL-terminated */
typedef struct UsHttpServer
{
	const char *url;
	const char *method;			/* GET or POST */
	int			timeout_ms;		/* for a request with its redirects */
	int			connect_timeout_ms;
	int64_t		max_bytes;		/* of a body, decompressed */
	const char *proxy;			/* NULL = none */
	const char *ca_file;		/* NULL = the system's */
	bool		allow_private;
	int			nheaders;
	const char **headers;		/* "Name: value": secret */
	int			nqueries;
	const char **queries;		/* "name=value", not encoded: secret */
} UsHttpServer;

typedef enum UsHttpFault
{
	US_HTTP_NONE,				/* a whole response came, of whatever status */
	US_HTTP_TRANSIENT,			/* name, connection, time: may go better next time */
	US_HTTP_ADDRESS,			/* the address is not public */
	US_HTTP_TLS,				/* the certificate was not accepted */
	US_HTTP_TOO_LARGE,
	US_HTTP_REDIRECT,			/* too many, or to where we do not go */
	US_HTTP_OTHER
} UsHttpFault;

typedef struct UsHttpResponse
{
	UsHttpFault fault;
	char		error[512];		/* for people, without secrets; empty without fault */
	int			status;			/* 0 = none came */
	char		content_type[128];	/* empty = none; may hold any bytes */
	int64_t		retry_after_ms; /* -1 = not asked for */
	char	   *body;			/* NUL-terminated beside its size; never NULL without fault */
	size_t		size;
	const char *url;			/* that answered, after redirects; may hold a secret */
} UsHttpResponse;

typedef struct UsHttp UsHttp;

/*
 * us_http_open -- a client for one server
 *
 * In:      server    must live as long as the client
 * Returns: NULL and errstr when there is none to be had; else to be closed
 */
extern UsHttp *us_http_open(const UsHttpServer *server, char *errstr, size_t errstr_size);

/*
 * us_http_start -- begin a request; the response before it is gone
 *
 * In:      url          the mapping's headers and parameters go with it only
 *                       when its origin is that of the server's url
 *          timeout_ms   at most; the server's own limit counts too
 * Returns: false when it could not be begun: see the response
 */
extern bool us_http_start(UsHttp *http, const char *url, int timeout_ms);

/* go on for at most wait_ms; true when the response is there */
extern bool us_http_step(UsHttp *http, int wait_ms);

/* valid until the next start or the close */
extern const UsHttpResponse *us_http_response(const UsHttp *http);

/* give up whatever is under way; never waits for a name being looked up */
extern void us_http_close(UsHttp *http);

#endif							/* US_HTTP_CLIENT_H */
