/*-------------------------------------------------------------------------
 * dashboard/buf.h
 *    a growing buffer of bytes, in which a reply is made before any is sent
 *
 * A failure (no memory, larger than a reply may be) sticks: writers are not
 * checked one by one, the end is.
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_BUF_H
#define US_DASHBOARD_BUF_H

#include <stdbool.h>
#include <stddef.h>

/* a page with all its rows has some 100 kB; a metrics page at most 10,000 series */
#define US_BUF_MAX_BYTES (32 * 1024 * 1024)

typedef struct UsBuf
{
	char	   *data;			/* always terminated once something was added; else NULL */
	size_t		len;			/* bytes, without the terminator */
	size_t		cap;			/* bytes allocated */
	bool		failed;			/* something is missing in it */
} UsBuf;

extern void us_buf_add(UsBuf *buf, const char *bytes, size_t len);
extern void us_buf_puts(UsBuf *buf, const char *text);
extern void us_buf_printf(UsBuf *buf, const char *format,...) __attribute__((format(printf, 2, 3)));
/* what is in it, "" if nothing is */
extern const char *us_buf_text(const UsBuf *buf);
extern void us_buf_free(UsBuf *buf);

#endif							/* US_DASHBOARD_BUF_H */
