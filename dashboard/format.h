/*-------------------------------------------------------------------------
 * dashboard/format.h
 *    values of PostgreSQL's text form made readable, never through a rounding
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_FORMAT_H
#define US_DASHBOARD_FORMAT_H

#include "dashboard/buf.h"

/* an integer of any length with groups of three digits: 1,234,567 */
extern void us_format_count(UsBuf *buf, const char *text);
/* a number with so many decimals, grouped */
extern void us_format_number(UsBuf *buf, double value, int decimals);
/* seconds in the two largest units that matter: 0.4 s, 3 min 5 s, 2 d 4 h */
extern void us_format_seconds(UsBuf *buf, double seconds);
/* bytes in powers of 1024 */
extern void us_format_bytes(UsBuf *buf, double bytes);
/* "2026-01-02 03:04:05.6+00" as <time>, which a script adds the local time to */
extern void us_format_time(UsBuf *buf, const char *text);

/* bytes of bytea's hex form, which the server wrote: only its end is checked */
extern void us_format_unhex(UsBuf *bytes, const char *text);

/* JSON with a line for each member; numbers and strings exactly as they are */
extern void us_format_json(UsBuf *buf, const char *json, size_t len);

#endif							/* US_DASHBOARD_FORMAT_H */
