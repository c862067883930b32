/*-------------------------------------------------------------------------
 * test/unit/plain_json.h
 *    JSON read in the plainest way, to judge readers that are quick
 *
 * All texts are NUL-terminated, and valid as PostgreSQL's own parser says:
 * nothing is checked here.
 *-------------------------------------------------------------------------
 */
#ifndef US_TEST_PLAIN_JSON_H
#define US_TEST_PLAIN_JSON_H

#include <stdbool.h>
#include <stddef.h>

/* what PostgreSQL's parser says of the grammar; escapes are not looked at */
extern bool plain_json_is_valid(const char *text, size_t len);

/* from anywhere before a value to behind it */
extern const char *plain_json_skip(const char *text);

/*
 * plain_json_find -- the value at a path
 *
 * The last of several members of one name counts; a step that is a number as
 * JSON writes it is an array's element.
 * Returns: the value's first byte; NULL = there is none
 */
extern const char *plain_json_find(const char *text, char *const *steps, int nsteps);

/* the text of the string that begins here, into room for as many bytes; returns its length */
extern size_t plain_json_unescape(const char *string, char *text);

#endif							/* US_TEST_PLAIN_JSON_H */
