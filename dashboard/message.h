/*-------------------------------------------------------------------------
 * dashboard/message.h
 *    what one message holds: key, value, headers; shown, or as a download
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_MESSAGE_H
#define US_DASHBOARD_MESSAGE_H

#include "dashboard/page.h"

/*
 * Panels of a message give a row for each part, with these columns: part,
 * size (bytes, null for null), bytes (its first US_MESSAGE_SHOWN, as bytea).
 */
#define US_MESSAGE_SHOWN 65536
#define US_MESSAGE_SHOWN_SQL "65536"

/* each part as text, indented if it is JSON, and in hexadecimal */
extern void us_message_write(UsPage *page, const PGresult *rows);

/*
 * us_message_download -- one part, whole, as a file instead of a page
 *
 * In:      rows  one column, bytea, of one row; none, or null: there is no such part
 *          what, number  "offset", 42: the file is offset-42.bin
 */
extern void us_message_download(UsPage *page, const PGresult *rows, const char *what,
								int64_t number);

/* which part a reader wants as a file, "key" or "value"; NULL: none; otherwise refuses */
extern const char *us_message_wanted(UsRequest *request);

#endif							/* US_DASHBOARD_MESSAGE_H */
