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

/* one step of one or more paths */
typedef struct UsPathNode
{
	const char *name;			/* field name, de-escaped UTF-8; NULL in the root */
	int			name_len;		/* bytes */
	int			element;		/* array element that the name stands for; -1 = none */
	int			field;			/* index of the value to fill; -1 = only a way to others */
	int			first_child;	/* index of node; -1 = leaf */
	int			next_sibling;	/* index of node; -1 = last */
} UsPathNode;

/* nodes[0] is the root (the message's top-level object) */
typedef struct UsPathSet
{
	int			nnodes;
	int			nfields;		/* number of distinct paths = size of the values array */
	int			capacity;
	UsPathNode *nodes;
} UsPathSet;

/* a path being parsed: steps point into one allocation */
typedef struct UsPath
{
	int			nsteps;
	char	  **steps;			/* NUL-terminated */
} UsPath;

/*
 * us_path_parse -- split "a.b.0" at its dots
 *
 * Returns: true; false when a step is empty (then *error says why, a constant)
 */
extern bool us_path_parse(const char *text, UsPath *path, const char **error);

/* an empty set: only the root */
extern UsPathSet *us_path_set_create(void);

/*
 * us_path_set_add -- have the decoder look for a path
 *
 * In:      nsteps >= 1 steps, NUL-terminated; copied
 * Returns: index of the value; the same path gives the same index
 */
extern int	us_path_set_add(UsPathSet *set, char *const *steps, int nsteps);

#endif							/* US_PATH_H */
