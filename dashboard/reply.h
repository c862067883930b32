/*-------------------------------------------------------------------------
 * dashboard/reply.h
 *    an answer, whole before its first byte is sent
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_REPLY_H
#define US_DASHBOARD_REPLY_H

#include "dashboard/buf.h"
#include "dashboard/request.h"

typedef enum UsCaching
{
	US_CACHING_PAGE,			/* private; by ETag */
	US_CACHING_NEVER			/* holds data of people */
} UsCaching;

typedef struct UsReply
{
	int			status;
	const char *type;			/* media type with charset */
	const char *file_name;		/* of a download, plain ASCII of ours; else NULL */
	UsCaching	caching;
	bool		retry_later;
	bool		shared;			/* may serve others too, for a second */
	size_t		stable_len;		/* of the body, what its tag is of; 0: all */
	long long	db_us;			/* time that PostgreSQL took for it */
	bool		plotly;			/* the page has Plotly in it */
	UsBuf		body;
} UsReply;

/* writes status, headers and, unless it is for HEAD or not modified, the body */
extern void us_reply_write(const UsReply *reply, const UsRequest *request, UsBuf *out);

/* whether a client's If-None-Match has our tag, also as a server changed it */
extern bool us_etag_matches(const char *header, const char *etag);

#endif							/* US_DASHBOARD_REPLY_H */
