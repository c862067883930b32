/*-------------------------------------------------------------------------
 * worker/json_marks.h
 *    where in a JSON text a string can end or go wrong
 *
 * Pure: builds in the server and, with FRONTEND, in the unit tests; raises
 * nothing.  A mark is a byte that is a quote, a backslash or a control
 * character.  All of a text are found in one pass, 64 bytes at a time, by what
 * the processor has for it; then the end of a string is a bit to look up.
 *-------------------------------------------------------------------------
 */
#ifndef US_JSON_MARKS_H
#define US_JSON_MARKS_H

#include "port/pg_bitutils.h"

/* words that the marks of a text of len bytes take */
#define US_JSON_MARK_WORDS(len)		((len) / 64 + 2)

/*
 * us_json_mark -- find the marks of a text
 *
 * Out:     words   US_JSON_MARK_WORDS(len) of them; bit i of word w is byte
 *                  64 * w + i.  The byte after the text counts as a mark.
 * Returns: false when the text is not UTF-8 or has a zero byte; words are then
 *          not to be used
 */
extern bool us_json_mark(const char *data, size_t len, uint64 *words);

/*
 * us_json_mark_use -- take a certain way of finding marks
 *
 * For tests: without it the best one that the processor has is taken.
 *
 * In:      way     0, 1, ...; 0 is the best
 * Returns: its name; NULL when there are no more ways
 */
extern const char *us_json_mark_use(int way);

/* the first mark at or behind byte at, which is at most the text's length */
static inline size_t
us_json_mark_find(const uint64 *words, size_t at)
{
	size_t		word = at / 64;
	int			bit = at % 64;

	/* the next 64 bytes, which are of two words mostly */
	uint64		next = words[word] >> bit | words[word + 1] << 1 << (63 - bit);

	if (likely(next != 0))
		return at + pg_rightmost_one_pos64(next);
	for (word++; words[word] == 0; word++)
		;
	return word * 64 + pg_rightmost_one_pos64(words[word]);
}

#endif							/* US_JSON_MARKS_H */
