/*-------------------------------------------------------------------------
 * worker/path.c
 *    dotted paths -> a tree that one walk over a message can follow
 *
 * Used when a stream's column plan is compiled, and by the decoder for each
 * field of a message.  A handful of children is searched one by one, which
 * is quicker than hashing; a table of hundreds of columns gets a hash, or a
 * message whose fields come in another order would cost columns times fields.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "worker/alloc.h"
#include "worker/path.h"

#define HASH_FROM_CHILDREN	17	/* children: below, a plain search is as quick */
#define FIRST_CAPACITY		32	/* nodes */

/* FNV-1a; the names are the owner's, so nobody can aim at collisions */
static uint32
hash_name(const char *name, int len)
{
	uint32		hash = 2166136261u;

	for (int i = 0; i < len; i++)
		hash = (hash ^ (unsigned char) name[i]) * 16777619u;
	return hash ^ (hash >> 15);
}

/* the array element that a step stands for: digits without leading zero */
static int
element_of(const char *step)
{
	int			element = 0;

	if (step[0] == '0')
		return step[1] == '\0' ? 0 : -1;
	if (step[0] == '\0')
		return -1;
	for (; *step != '\0'; step++)
	{
		if (*step < '0' || *step > '9')
			return -1;
		if (element > (PG_INT32_MAX - (*step - '0')) / 10)
			return -1;
		element = element * 10 + (*step - '0');
	}
	return element;
}

static void
hash_insert(const UsPathSet *set, UsPathNode *parent, int child)
{
	const UsPathNode *node = &set->nodes[child];
	uint32		mask = parent->hash_size - 1;
	uint32		slot = hash_name(node->name, node->name_len) & mask;

	while (parent->hash[slot] >= 0)
		slot = (slot + 1) & mask;
	parent->hash[slot] = child;
}

/* (re)build the hash of a node that has got many children */
static void
hash_build(UsPathSet *set, UsPathNode *parent)
{
	if (parent->hash != NULL)
		pfree(parent->hash);
	parent->hash_size = Max(parent->hash_size * 2, 64);
	parent->hash = us_alloc_beside(set, sizeof(int) * parent->hash_size);
	for (int i = 0; i < parent->hash_size; i++)
		parent->hash[i] = -1;
	for (int child = parent->first_child; child >= 0; child = set->nodes[child].next_sibling)
		hash_insert(set, parent, child);
}

/* a node without relatives; may move set->nodes */
static int
new_node(UsPathSet *set)
{
	UsPathNode *node;

	if (set->nnodes == set->capacity)
	{
		set->capacity *= 2;
		set->nodes = repalloc(set->nodes, sizeof(UsPathNode) * set->capacity);
	}
	node = &set->nodes[set->nnodes];
	memset(node, 0, sizeof(*node));
	node->element = -1;
	node->field = -1;
	node->parent = -1;
	node->first_child = -1;
	node->last_child = -1;
	node->next_sibling = -1;
	node->max_element = -1;
	return set->nnodes++;
}

static int
add_child(UsPathSet *set, int parent_index, const char *step, int len)
{
	int			child = new_node(set);
	UsPathNode *node = &set->nodes[child];
	UsPathNode *parent = &set->nodes[parent_index];
	char	   *name = us_alloc_beside(set, len + 1);

	memcpy(name, step, len + 1);
	node->name = name;
	node->name_len = len;
	node->element = element_of(name);
	node->parent = parent_index;

	if (parent->last_child >= 0)
		set->nodes[parent->last_child].next_sibling = child;
	else
		parent->first_child = child;
	parent->last_child = child;
	parent->nchildren++;
	parent->max_element = Max(parent->max_element, node->element);

	if (parent->nchildren >= HASH_FROM_CHILDREN &&
		parent->hash_size < parent->nchildren * 2)
		hash_build(set, parent);
	else if (parent->hash != NULL)
		hash_insert(set, parent, child);
	return child;
}

bool
us_path_parse(const char *text, UsPath *path, const char **error)
{
	size_t		len = strlen(text);
	int			nsteps = 1;
	char	   *bytes;

	for (size_t i = 0; i <= len; i++)
	{
		if (text[i] != '.' && text[i] != '\0')
			continue;
		if (i == 0 || text[i - 1] == '.')
		{
			*error = "a step between two dots is empty";
			if (len == 0)
				*error = "the path is empty";
			else if (i == 0)
				*error = "the path begins with a dot";
			else if (i == len)
				*error = "the path ends with a dot";
			return false;
		}
		nsteps += (text[i] == '.');
	}

	path->nsteps = nsteps;
	path->steps = palloc(sizeof(char *) * nsteps + len + 1);
	bytes = (char *) (path->steps + nsteps);
	memcpy(bytes, text, len + 1);
	for (int i = 0; i < nsteps; i++)
	{
		path->steps[i] = bytes;
		bytes += strcspn(bytes, ".");
		*bytes++ = '\0';
	}
	return true;
}

UsPathSet *
us_path_set_create(void)
{
	UsPathSet  *set = palloc0(sizeof(UsPathSet));

	set->capacity = FIRST_CAPACITY;
	set->nodes = palloc(sizeof(UsPathNode) * set->capacity);
	new_node(set);
	return set;
}

int
us_path_set_add(UsPathSet *set, char *const *steps, int nsteps)
{
	int			node = 0;

	for (int i = 0; i < nsteps; i++)
	{
		int			len = (int) strlen(steps[i]);
		int			child = us_path_child(set, node, steps[i], len);

		node = child >= 0 ? child : add_child(set, node, steps[i], len);
	}
	set->depth = Max(set->depth, nsteps);

	if (set->nodes[node].field < 0)
		set->nodes[node].field = set->nfields++;
	return set->nodes[node].field;
}

void
us_path_set_form(UsPathSet *set, int field, UsForm form)
{
	for (int i = 0; i < set->nnodes; i++)
		if (set->nodes[i].field == field)
		{
			set->nodes[i].form = form;
			return;
		}
}

int
us_path_child(const UsPathSet *set, int node, const char *name, int len)
{
	const UsPathNode *nodes = set->nodes;
	const UsPathNode *parent = &nodes[node];
	int			child;

	if (parent->hash != NULL)
	{
		uint32		mask = parent->hash_size - 1;
		uint32		slot = hash_name(name, len) & mask;

		for (; (child = parent->hash[slot]) >= 0; slot = (slot + 1) & mask)
		{
			if (us_path_name_is(&nodes[child], name, len))
				return child;
		}
		return -1;
	}

	for (child = parent->first_child; child >= 0; child = nodes[child].next_sibling)
	{
		if (us_path_name_is(&nodes[child], name, len))
			return child;
	}
	return -1;
}

int
us_path_element(const UsPathSet *set, int node, int element)
{
	const UsPathNode *nodes = set->nodes;

	/* most elements of most arrays are past what anybody asked for */
	if (element > nodes[node].max_element)
		return -1;
	for (int child = nodes[node].first_child; child >= 0; child = nodes[child].next_sibling)
	{
		if (nodes[child].element == element)
			return child;
	}
	return -1;
}
