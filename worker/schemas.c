/*-------------------------------------------------------------------------
 * worker/schemas.c
 *    the schemas that are known so far, by the numbers that messages have
 *
 * A hash of our own, for the unit tests have no dynahash.  Who writes messages
 * chooses the numbers, so there may be many that stand for nothing.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "worker/alloc.h"
#include "worker/schemas.h"

#define FIRST_SIZE	16			/* slots, a power of two */

struct UsSchemas
{
	int			count;
	int			nunknown;
	uint32		size;			/* slots, at least twice the count */
	UsSchema   *slots;
	UsSchema   *last;			/* that was found; NULL = none */
};

UsSchemas *
us_schemas_create(void)
{
	UsSchemas  *schemas = palloc0(sizeof(UsSchemas));

	schemas->size = FIRST_SIZE;
	schemas->slots = palloc0(sizeof(UsSchema) * FIRST_SIZE);
	return schemas;
}

/* the slot of a number, or the free one where it belongs */
static UsSchema *
find_slot(const UsSchemas *schemas, int32 id)
{
	uint32		slot = ((uint32) id * 2654435761U) & (schemas->size - 1);

	while (schemas->slots[slot].used && schemas->slots[slot].id != id)
		slot = (slot + 1) & (schemas->size - 1);
	return &schemas->slots[slot];
}

const UsSchema *
us_schemas_find(UsSchemas *schemas, int32 id)
{
	UsSchema   *slot = schemas->last;

	if (slot != NULL && slot->id == id)
		return slot;
	slot = find_slot(schemas, id);
	if (!slot->used)
		return NULL;
	schemas->last = slot;
	return slot;
}

/* into slots of another number, without the unknown if so wanted */
static void
rebuild(UsSchemas *schemas, uint32 size, bool with_unknown)
{
	UsSchema   *old = schemas->slots;
	uint32		old_size = schemas->size;

	schemas->slots = us_alloc_beside(schemas, sizeof(UsSchema) * size);
	memset(schemas->slots, 0, sizeof(UsSchema) * size);
	schemas->size = size;
	schemas->count = 0;
	schemas->nunknown = 0;
	schemas->last = NULL;
	for (uint32 i = 0; i < old_size; i++)
	{
		if (!old[i].used || (old[i].unknown && !with_unknown))
			continue;
		*find_slot(schemas, old[i].id) = old[i];
		schemas->count++;
		schemas->nunknown += old[i].unknown;
	}
	pfree(old);
}

void
us_schemas_put(UsSchemas *schemas, int32 id, UsAvroType *root, const char *error)
{
	UsSchema   *slot;

	if ((uint32) schemas->count * 2 >= schemas->size)
		rebuild(schemas, schemas->size * 2, true);
	slot = find_slot(schemas, id);
	slot->id = id;
	slot->used = true;
	slot->root = root;
	slot->unknown = root == NULL && error == NULL;
	if (root == NULL && error != NULL)
	{
		size_t		size = strlen(error) + 1;

		slot->error = us_alloc_beside(schemas, size);
		memcpy(slot->error, error, size);
	}
	schemas->count++;
	schemas->nunknown += slot->unknown;
	schemas->last = NULL;
}

void
us_schemas_forget_unknown(UsSchemas *schemas)
{
	if (schemas->nunknown > 0)
		rebuild(schemas, schemas->size, false);
}
