/*-------------------------------------------------------------------------
 * worker/key_set.h
 *    keys of rows, of which it is known whether one may be among them
 *-------------------------------------------------------------------------
 */
#ifndef US_KEY_SET_H
#define US_KEY_SET_H

/* of hashes, so some that are not in it may seem to be; with very many, all do */
typedef struct UsKeySet UsKeySet;

/* an empty one, below the current context */
extern UsKeySet *us_key_set_create(void);
extern void us_key_set_add(UsKeySet *set, const char *key, int len);

/* false = it is not in it, for sure */
extern bool us_key_set_may_have(const UsKeySet *set, const char *key, int len);
extern bool us_key_set_is_empty(const UsKeySet *set);
extern void us_key_set_clear(UsKeySet *set);

#endif							/* US_KEY_SET_H */
