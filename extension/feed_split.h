/*-------------------------------------------------------------------------
 * extension/feed_split.h
 *    where the elements of an array stand in a JSON text
 *
 * Pure C, allocates nothing.  A page of an API is large and its records are
 * small: read one by one they need little memory, and half the time.  The
 * text is walked by its quotes and brackets only.  It is not checked: whoever
 * reads the elements, and the text around the array, has read it all.
 *-------------------------------------------------------------------------
 */
#ifndef US_FEED_SPLIT_H
#define US_FEED_SPLIT_H

#include <stdbool.h>

/*
 * us_feed_path_is_plain -- whether a JSON path only goes from key to key
 *
 * "$", "$.a", "$.a.b", "$.a.b[*]"; no other form that means the same.
 */
extern bool us_feed_path_is_plain(const char *path);

/* whether two plain paths part at some key, so that neither sees what the other does */
extern bool us_feed_paths_part(const char *path, const char *other);

/*
 * us_feed_array_find -- the array that a plain path ends at
 *
 * In:      text   in an encoding whose ASCII bytes stand for themselves
 *          path   plain; a last [*] says nothing here
 * Out:     end    its closing bracket
 * Returns: its opening bracket; NULL = no array there, or not to be told
 *          without reading the text: a key twice or with a backslash, brackets
 *          that do not fit
 */
extern const char *us_feed_array_find(const char *text, const char *path, const char **end);

/*
 * us_feed_array_next -- the next element of an array
 *
 * In:      at      the opening bracket, then what the call before gave back
 *          end     of the array
 * Out:     start, stop   the element, stop being the byte behind it; it may be
 *          empty when the text is wrong
 * Returns: from where to go on; NULL = there was no other
 */
extern const char *us_feed_array_next(const char *at, const char *end,
									  const char **start, const char **stop);

#endif							/* US_FEED_SPLIT_H */
