/*-------------------------------------------------------------------------
 * worker/key_set.c
 *    keys of rows, of which it is known whether one may be among them
 *
 * Runs in mirror workers.  Whoever asks can live with a wrong yes, so a hash
 * stands for a key, and a set that grew too large says yes to all.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "worker/key_set.h"

#define MAX_KEYS		100000	/* some 5 MB */

struct UsKeySet
{
	MemoryContext context;
	HTAB	   *hashes;			/* of uint64; NULL = none */
	bool		all;
};

UsKeySet *
us_key_set_create(void)
{
	UsKeySet   *set = palloc0(sizeof(UsKeySet));

	set->context = AllocSetContextCreate(CurrentMemoryContext, "key set", ALLOCSET_SMALL_SIZES);
	return set;
}

static uint64
hash_of(const char *key, int len)
{
	return hash_bytes_extended((const unsigned char *) key, len, 0);
}

void
us_key_set_clear(UsKeySet *set)
{
	set->all = false;
	set->hashes = NULL;
	MemoryContextReset(set->context);
}

void
us_key_set_add(UsKeySet *set, const char *key, int len)
{
	HASHCTL		control = {
		.keysize = sizeof(uint64),
		.entrysize = sizeof(uint64),
		.hcxt = set->context
	};
	uint64		hash = hash_of(key, len);

	if (set->all)
		return;
	if (set->hashes == NULL)
		set->hashes = hash_create("keys", 64, &control, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	(void) hash_search(set->hashes, &hash, HASH_ENTER, NULL);
	if (hash_get_num_entries(set->hashes) <= MAX_KEYS)
		return;
	us_key_set_clear(set);
	set->all = true;
}

bool
us_key_set_may_have(const UsKeySet *set, const char *key, int len)
{
	uint64		hash;

	if (set->all || set->hashes == NULL)
		return set->all;
	hash = hash_of(key, len);
	return hash_search(set->hashes, &hash, HASH_FIND, NULL) != NULL;
}

bool
us_key_set_is_empty(const UsKeySet *set)
{
	return !set->all && set->hashes == NULL;
}
