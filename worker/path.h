/*-------------------------------------------------------------------------
 * worker/path.h
 *    the set of JSON paths that a decoder looks for
 *
 * Pure: builds in the server and, with FRONTEND, in the unit tests.  A path
 * is a list of steps; a step names an object's field and, when it is a
 * number, also an array's element.  Paths are held as a tree, so that one
 * walk over a message finds them all.
 *-------------------------------------------------------------------------
 */
#ifndef US_PATH_H
#define US_PATH_H

/*
 * The form in which a column takes the value of a path.  A decoder that has it in
 * that form need not make a text of it, which the column would read again; any
 * decoder may give a text instead.
 */
typedef enum UsForm
{
	US_FORM_TEXT = 0,
	US_FORM_INT2,				/* these three: an int64 that the type can hold */
	US_FORM_INT4,
	US_FORM_INT8,
	US_FORM_FLOAT4,				/* a float, finite, no negative zero */
	US_FORM_FLOAT8,				/* a double, likewise */
	US_FORM_DATE,				/* an int64: days since 2000-01-01 */
	US_FORM_TIMESTAMP,			/* these two: an int64, microseconds since 2000-01-01 */
	US_FORM_TIMESTAMPTZ,
	US_FORM_UUID,				/* sixteen bytes */
	US_FORM_BYTES
} UsForm;

/* one step of one or more paths */
typedef struct UsPathNode
{
	const char *name;			/* field name, de-escaped UTF-8; NULL in the root */
	int			name_len;		/* bytes */
	int			element;		/* array element that the name stands for; -1 = none */
	int			field;			/* index of the value to fill; -1 = only a way to others */
	UsForm		form;			/* in which it is best */
	int			parent;			/* index of node; -1 in the root */
	int			first_child;	/* index of node; -1 = leaf */
	int			last_child;		/* index of node; -1 = leaf */
	int			next_sibling;	/* index of node; -1 = last */
	int			nchildren;
	int			max_element;	/* largest element among the children; -1 = none */
	int		   *hash;			/* children by name, -1 = free; NULL while they are few */
	int			hash_size;		/* slots, a power of two, at least 2 * nchildren */
} UsPathNode;

/* nodes[0] is the root (the message's top-level object) */
typedef struct UsPathSet
{
	int			nnodes;
	int			nfields;		/* number of distinct paths = size of the values array */
	int			capacity;		/* of nodes */
	int			depth;			/* steps of the longest path */
	UsPathNode *nodes;
} UsPathSet;

/* a path being parsed: steps point into one allocation */
typedef struct UsPath
{
	int			nsteps;
	char	  **steps;			/* NUL-terminated; pfree(steps) frees it all */
} UsPath;

/*
 * us_path_parse -- split "a.b.0" at its dots
 *
 * Returns: true; false when a step is empty (then *error says why, a constant,
 *          and nothing is allocated)
 */
extern bool us_path_parse(const char *text, UsPath *path, const char **error);

/* an empty set: only the root */
extern UsPathSet *us_path_set_create(void);

/*
 * us_path_set_add -- have the decoder look for a path
 *
 * In:      nsteps >= 1 steps, NUL-terminated; copied.  A step stands for an
 *          array's element when it is a number as JSON writes it (0, 12; not
 *          01, +1, -1), and always for the field of that name.
 * Returns: index of the value; the same path gives the same index
 */
extern int	us_path_set_add(UsPathSet *set, char *const *steps, int nsteps);

/*
 * Whether a node has this name.  Names are short, and a call for each costs
 * more than looking at them.
 */
static inline bool
us_path_name_is(const UsPathNode *node, const char *name, int len)
{
	const char *other = node->name;
	uint64		a;
	uint64		b;

	if (node->name_len != len)
		return false;
	if (len < (int) sizeof(a))
	{
		for (int i = 0; i < len; i++)
			if (name[i] != other[i])
				return false;
		return true;
	}
	for (int i = 0; i < len - (int) sizeof(a); i += sizeof(a))
	{
		memcpy(&a, name + i, sizeof(a));
		memcpy(&b, other + i, sizeof(b));
		if (a != b)
			return false;
	}

	/* the last eight bytes may have been looked at in part */
	memcpy(&a, name + len - sizeof(a), sizeof(a));
	memcpy(&b, other + len - sizeof(b), sizeof(b));
	return a == b;
}

/* for a path that is in the set already: the form in which its value is best */
extern void us_path_set_form(UsPathSet *set, int field, UsForm form);

/* child of a node by name (bytes, not NUL-terminated); -1 = none */
extern int	us_path_child(const UsPathSet *set, int node, const char *name, int len);

/* child of a node by array element; -1 = none */
extern int	us_path_element(const UsPathSet *set, int node, int element);

#endif							/* US_PATH_H */
