/*-------------------------------------------------------------------------
 * worker/avro_plan.c
 *    a record of a schema -> the paths that its fields are on
 *
 * The names of a schema never change, nor do the paths of a decoder: they are
 * compared once for each record type and each place it is found at, and not
 * with each message.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "worker/alloc.h"
#include "worker/avro_read.h"

#define FIRST_SLOTS		16		/* a power of two */

/* the slot of a plan, or the free one where it belongs */
static UsAvroPlan *
find_slot(const UsAvroWalk *walk, const UsAvroType *type, int node)
{
	uint64		key = (uint64) (uintptr_t) type ^ (uint64) node << 48;
	uint32		slot = (uint32) ((key * UINT64CONST(0x9e3779b97f4a7c15)) >> 32) &
		(walk->plan_slots - 1);

	while (walk->plans[slot].type != NULL &&
		   (walk->plans[slot].type != type || walk->plans[slot].node != node))
		slot = (slot + 1) & (walk->plan_slots - 1);
	return &walk->plans[slot];
}

static void
grow_plans(UsAvroWalk *walk)
{
	UsAvroPlan *old = walk->plans;
	uint32		old_slots = walk->plan_slots;

	walk->plan_slots = Max(old_slots * 2, FIRST_SLOTS);
	walk->plans = us_alloc_beside(walk, sizeof(UsAvroPlan) * walk->plan_slots);
	memset(walk->plans, 0, sizeof(UsAvroPlan) * walk->plan_slots);
	for (uint32 i = 0; i < old_slots; i++)
		if (old[i].type != NULL)
			*find_slot(walk, old[i].type, old[i].node) = old[i];
	if (old != NULL)
		pfree(old);
}

/* the first time that a record is met at a node */
static const int *
make_plan(UsAvroWalk *walk, const UsAvroType *type, int node)
{
	UsAvroPlan	plan = {type, node, NULL};

	if (walk->nplans * 2 >= walk->plan_slots)
		grow_plans(walk);
	plan.children = us_alloc_beside(walk, sizeof(int) * Max(type->nmembers, 1));
	for (int i = 0; i < type->nmembers; i++)
		plan.children[i] = us_path_child(walk->paths, node, type->members[i].name,
										 type->members[i].name_len);
	*find_slot(walk, type, node) = plan;
	walk->nplans++;
	return plan.children;
}

const int *
us_avro_children(UsAvroWalk *walk, const UsAvroType *type, int node)
{
	const UsAvroPlan *plan = walk->plan_slots > 0 ? find_slot(walk, type, node) : NULL;

	return plan != NULL && plan->type != NULL ? plan->children : make_plan(walk, type, node);
}
