/*-------------------------------------------------------------------------
 * worker/jsonb_build.h
 *    the text of a JSON object or array -> jsonb
 *
 * What jsonb_in gives, at a fraction of its cost.
 *-------------------------------------------------------------------------
 */
#ifndef US_JSONB_BUILD_H
#define US_JSONB_BUILD_H

#include "utils/jsonb.h"

/*
 * us_jsonb_build -- jsonb of a text, where that is plain
 *
 * In:      data    len bytes of a message, not NUL-terminated, not checked
 * Returns: in CurrentMemoryContext, with what was needed meanwhile; NULL when
 *          jsonb_in has to decide: the text may be bad, is long, nested deeply
 *          or a scalar, or the database's encoding is not UTF-8
 * Errors:  22003 a number that numeric does not take
 */
extern Jsonb *us_jsonb_build(const char *data, size_t len);

#endif							/* US_JSONB_BUILD_H */
