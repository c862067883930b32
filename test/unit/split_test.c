/*-------------------------------------------------------------------------
 * test/unit/split_test.c
 *    where the elements of an array stand in a JSON text
 *
 * Each text is copied to memory of exactly its size, so that a step too far
 * is seen by ASan.
 *-------------------------------------------------------------------------
 */
#include <stdlib.h>
#include <string.h>

#include "extension/feed_split.h"
#include "test/unit/tap.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define LONGEST 256

/* elements between bars; NULL = no array is found */
static const struct
{
	const char *text;
	const char *path;
	const char *elements;
}			cases[] =
{
	{"[]", "$[*]", ""},
	{" [ ] ", "$[*]", ""},
	{"[1]", "$[*]", "1"},
	{"[1,22, null ,\"a\"]", "$[*]", "1|22|null |\"a\""},
	{"[{\"a\":[1,2]},[3,[4]]]", "$[*]", "{\"a\":[1,2]}|[3,[4]]"},
	{"[\"],[\",\"\\\"]\",\"\\\\\"]", "$[*]", "\"],[\"|\"\\\"]\"|\"\\\\\""},
	{"{\"r\":[1,2]}", "$.r[*]", "1|2"},
	{" {\"x\" : {\"r\":[9]} , \"r\" : [ 1 , 2 ] , \"y\":\"[\"}", "$.r[*]", "1 |2 "},
	{"{\"a\":{\"b\":[1]},\"b\":[2]}", "$.a.b[*]", "1"},
	{"{\"r\":[1],\"rr\":[2],\"\":[3]}", "$.r[*]", "1"},
	{"[[1],[2]]", "$", "[1]|[2]"},
	/* not there, or something else */
	{"", "$[*]", NULL},
	{"7", "$[*]", NULL},
	{"{}", "$.r[*]", NULL},
	{"{\"r\":{\"a\":1}}", "$.r[*]", NULL},
	{"{\"s\":[1]}", "$.r[*]", NULL},
	{"[{\"r\":[1]}]", "$.r[*]", NULL},
	{"{\"r\":[1]}", "$[*]", NULL},
	/* not to be told without reading it */
	{"{\"r\":[1],\"r\":[2]}", "$.r[*]", NULL},
	{"{\"\\u0072\":[1]}", "$.r[*]", NULL},
	{"{\"r\":[1],\"\\u0072\":[2]}", "$.r[*]", NULL},
	/* wrong: found or not, no step leads out of the text, and no byte is passed over */
	{"[1,2", "$[*]", NULL},
	{"[\"a", "$[*]", NULL},
	{"[\"a\\", "$[*]", NULL},
	{"{\"r\":[1]", "$.r[*]", NULL},
	{"{\"r\":[1", "$.r[*]", NULL},
	{"{\"r\" [1]}", "$.r[*]", NULL},
	{"{\"r", "$.r[*]", NULL},
	{"{\"r\":", "$.r[*]", NULL},
	{"{r:[1]}", "$.r[*]", NULL},
	{"[1,]", "$[*]", "1|"},
	{"[,1]", "$[*]", "|1"},
	{"[1 2,3]", "$[*]", "1 2|3"},
	{"[\"a\" \"b\"]", "$[*]", "\"a\" \"b\""},
	{"[{\"a\":1} x,2]", "$[*]", "{\"a\":1} x|2"},
};

static void
test_elements(void)
{
	for (size_t i = 0; i < COUNT(cases); i++)
	{
		char	   *text = strdup(cases[i].text);
		const char *end = NULL;
		const char *array = us_feed_array_find(text, cases[i].path, &end);
		char		joined[LONGEST] = "";
		const char *start;
		const char *stop;
		bool		is_first = true;

		for (const char *at = array; at != NULL;)
		{
			at = us_feed_array_next(at, end, &start, &stop);
			if (at == NULL)
				break;
			if (!is_first)
				strcat(joined, "|");
			is_first = false;
			strncat(joined, start, (size_t) (stop - start));
		}
		tap_ok((array == NULL) == (cases[i].elements == NULL) &&
			   (array == NULL || strcmp(joined, cases[i].elements) == 0),
			   "%s in \"%s\": %s", cases[i].path, cases[i].text, joined);
		free(text);
	}
}

static void
test_paths(void)
{
	static const struct
	{
		const char *path;
		bool		is_plain;
	}			paths[] =
	{
		{"$", true}, {"$[*]", true}, {"$.a", true}, {"$.a_1.B[*]", true},
		{"", false}, {"a", false}, {"$.", false}, {"$.1", false}, {"$..a", false}, {"$.a[0]", false},
		{"$[*].a", false}, {"$.\"a\"", false}, {"$.*", false}, {"$.**", false}, {"$.a.size()", false},
		{"strict $.a", false}, {"$ .a", false}, {"$.a ? (@ > 1)", false}, {"$.a[*] ", false},
	};
	static const struct
	{
		const char *path;
		const char *other;
		bool		part;
	}			pairs[] =
	{
		{"$.r[*]", "$.next", true}, {"$.d.r[*]", "$.d.next", true}, {"$.r[*]", "$.rr", true},
		{"$.r[*]", "$.r", false}, {"$.r[*]", "$", false}, {"$[*]", "$.next", false},
		{"$.d.r[*]", "$.d", false}, {"$.r[*]", "$.r.next", false},
	};

	for (size_t i = 0; i < COUNT(paths); i++)
		tap_ok(us_feed_path_is_plain(paths[i].path) == paths[i].is_plain, "\"%s\"", paths[i].path);
	for (size_t i = 0; i < COUNT(pairs); i++)
		tap_ok(us_feed_paths_part(pairs[i].path, pairs[i].other) == pairs[i].part &&
			   us_feed_paths_part(pairs[i].other, pairs[i].path) == pairs[i].part,
			   "%s and %s", pairs[i].path, pairs[i].other);
}

int
main(void)
{
	test_elements();
	test_paths();
	return tap_done();
}
