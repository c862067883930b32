/*-------------------------------------------------------------------------
 * extension/options.h
 *    words that users write: which one was meant
 *-------------------------------------------------------------------------
 */
#ifndef US_OPTIONS_H
#define US_OPTIONS_H

#include "extension/compat.h"

/*
 * us_nearest_word -- the word of a list that looks most like another
 *
 * In:      words  NULL-terminated list
 * Returns: an element of words; NULL when none is near enough to be meant
 */
extern const char *us_nearest_word(const char *wrong, const char *const *words);

/* whether a word is in a NULL-terminated list, just as it is */
extern bool us_is_word(const char *word, const char *const *words);

/*
 * us_refuse_server_option -- HV024 for an option of a server or a user mapping
 *
 * Hides the statement, which may hold secrets.
 * In:      value    NULL: it may be a secret
 *          detail   NULL: there is nothing to add
 */
pg_noreturn extern void us_refuse_server_option(const char *name, const char *value,
												const char *detail, const char *hint);

#endif							/* US_OPTIONS_H */
