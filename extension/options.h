/*-------------------------------------------------------------------------
 * extension/options.h
 *    words that users write: which one was meant
 *-------------------------------------------------------------------------
 */
#ifndef US_OPTIONS_H
#define US_OPTIONS_H

/*
 * us_nearest_word -- the word of a list that looks most like another
 *
 * In:      words  NULL-terminated list
 * Returns: an element of words; NULL when none is near enough to be meant
 */
extern const char *us_nearest_word(const char *wrong, const char *const *words);

#endif							/* US_OPTIONS_H */
