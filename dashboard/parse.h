/*-------------------------------------------------------------------------
 * dashboard/parse.h
 *    numbers and times of a request, read strictly
 *
 * PostgreSQL's own input is wider than what an address should hold: "now",
 * "infinity", a leading blank or sign.
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_PARSE_H
#define US_DASHBOARD_PARSE_H

#include <stdbool.h>
#include <stdint.h>

/* only digits, at least one, at most max (>= 0) */
extern bool us_parse_int64(const char *text, int64_t max, int64_t *value);

/* RFC 3339 with a date that there is: 2026-02-03T04:05:06Z, .123456, +01:00 */
extern bool us_parse_time(const char *text);

#endif							/* US_DASHBOARD_PARSE_H */
