/*-------------------------------------------------------------------------
 * worker/json_tree.h
 *    a small JSON text -> a tree, for what is read once: schemas, answers
 *
 * Pure: builds in the server and, with FRONTEND, in the unit tests.  Raises
 * nothing.  Messages never come here.
 *-------------------------------------------------------------------------
 */
#ifndef US_JSON_TREE_H
#define US_JSON_TREE_H

typedef enum UsJsonKind
{
	US_JSON_OBJECT,
	US_JSON_ARRAY,
	US_JSON_STRING,
	US_JSON_NUMBER,
	US_JSON_WORD				/* true, false, null */
} UsJsonKind;

typedef struct UsJson
{
	UsJsonKind	kind;
	int			len;			/* bytes of text */
	char	   *text;			/* a string de-escaped, others as written, NUL-terminated; NULL in
								 * containers */
	int			name_len;
	char	   *name;			/* of a member of an object; else NULL */
	struct UsJson *first;		/* member or element */
	struct UsJson *next;		/* in the same container */
} UsJson;

/*
 * us_json_tree -- parse a text
 *
 * Returns: the tree, palloc'd; NULL when it is not JSON in UTF-8, or nested
 *          deeper than 100 levels
 */
extern UsJson *us_json_tree(const char *text, size_t len);

/* the last member of this name; NULL: none, or not an object (NULL too) */
extern UsJson *us_json_member(const UsJson *object, const char *name);

/* text of a member that is a string; NULL when there is none */
extern const char *us_json_string_member(const UsJson *object, const char *name);

/* a member that is a whole number within limits; otherwise is what it is if there is none */
extern int	us_json_int_member(const UsJson *object, const char *name, int min, int max,
							   int otherwise);

#endif							/* US_JSON_TREE_H */
