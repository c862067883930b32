/*-------------------------------------------------------------------------
 * dashboard/json.h
 *    a page's panels as one JSON object
 *
 * Numbers that may not fit a double (bigint, numeric) are strings: readers in
 * JavaScript would round them.
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_JSON_H
#define US_DASHBOARD_JSON_H

#include <libpq-fe.h>

#include "dashboard/buf.h"

typedef struct json_t UsJson;

extern UsJson *us_json_create(void);
/* member name: an array of objects, one for each row */
extern void us_json_add_rows(UsJson *json, const char *name, const PGresult *rows);
/* member errors.name: why a panel has no rows */
extern void us_json_add_error(UsJson *json, const char *name, const char *sqlstate,
							  const char *text);
/* member name: text */
extern void us_json_add_text(UsJson *json, const char *name, const char *text);
extern void us_json_write(UsBuf *buf, const UsJson *json);
extern void us_json_free(UsJson *json);
/* whether bytes are one JSON value */
extern bool us_json_is_valid(const char *bytes, size_t len);

#endif							/* US_DASHBOARD_JSON_H */
