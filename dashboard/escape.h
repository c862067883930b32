/*-------------------------------------------------------------------------
 * dashboard/escape.h
 *    text of others made harmless, one writer for each context
 *
 * Each takes any bytes.  Those that are not UTF-8 show as \xNN; controls (C0
 * but tab and line feed, C1, DEL) and marks that turn the direction of text
 * show as <U+202E>, since unseen they make one thing look like another.
 * Nothing of others goes into script, style, an event attribute, an attribute
 * without quotes, or a header; so there are no writers for these.
 *-------------------------------------------------------------------------
 */
#ifndef US_DASHBOARD_ESCAPE_H
#define US_DASHBOARD_ESCAPE_H

#include "dashboard/buf.h"

/* text between tags of HTML */
extern void us_html_text(UsBuf *buf, const char *text);
extern void us_html_bytes(UsBuf *buf, const char *bytes, size_t len);
/* the inside of an attribute in double quotes, and text inside SVG */
extern void us_html_attr(UsBuf *buf, const char *text);
extern void us_svg_text(UsBuf *buf, const char *text);
/* a value in a query string, or a step of a path ('/' is encoded too) */
extern void us_url_arg(UsBuf *buf, const char *text);
/* a field of CSV; quoted if need be, never a formula of a spreadsheet's */
extern void us_csv_field(UsBuf *buf, const char *text);
/* the inside of a metric's label; bad UTF-8 becomes U+FFFD */
extern void us_metric_label(UsBuf *buf, const char *text);
/* what a JSON string may hold: valid UTF-8, bad bytes as \xNN; the library quotes */
extern void us_json_clean(UsBuf *buf, const char *text, size_t len);

/*
 * us_utf8_length -- bytes of the character that begins at text
 *
 * Returns: 1..4, and the character in *code (may be NULL); 0 if the bytes are
 *          no UTF-8: too long a form, a surrogate, above U+10FFFF, cut off
 */
extern int	us_utf8_length(const char *text, size_t len, unsigned *code);

#endif							/* US_DASHBOARD_ESCAPE_H */
