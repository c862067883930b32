/*-------------------------------------------------------------------------
 * test/unit/path_test.c
 *    dotted paths, the tree they make, and finding a field in it
 *-------------------------------------------------------------------------
 */
#include "postgres_fe.h"

#include "test/unit/tap.h"
#include "worker/path.h"

/* a path's steps with | between, or the error */
static const char *
split(const char *text)
{
	static char joined[256];
	UsPath		path;
	const char *error = NULL;

	if (!us_path_parse(text, &path, &error))
		return error;
	joined[0] = '\0';
	for (int i = 0; i < path.nsteps; i++)
	{
		if (i > 0)
			strcat(joined, "|");
		strcat(joined, path.steps[i]);
	}
	pfree(path.steps);
	return joined;
}

static void
test_parse(void)
{
	static const char *const cases[][2] = {
		{"a", "a"},
		{"a.b", "a|b"},
		{"a.b.0", "a|b|0"},
		{"first name.x", "first name|x"},
		{" ", " "},
		{"\xc3\xa9.\xf0\x9f\x98\x80", "\xc3\xa9|\xf0\x9f\x98\x80"},
		{"@x", "@x"},
		{"", "the path is empty"},
		{".", "the path begins with a dot"},
		{".a", "the path begins with a dot"},
		{"a.", "the path ends with a dot"},
		{"a..b", "a step between two dots is empty"},
	};

	for (size_t i = 0; i < lengthof(cases); i++)
	{
		const char *got = split(cases[i][0]);

		if (!tap_ok(strcmp(got, cases[i][1]) == 0, "path \"%s\"", cases[i][0]))
			tap_note("got \"%s\", expected \"%s\"", got, cases[i][1]);
	}
}

static int
add(UsPathSet *set, const char *text)
{
	UsPath		path;
	const char *error;
	int			field;

	if (!us_path_parse(text, &path, &error))
		abort();
	field = us_path_set_add(set, path.steps, path.nsteps);
	/* the set keeps nothing of the path */
	memset(path.steps[0], '!', strlen(path.steps[0]));
	pfree(path.steps);
	return field;
}

static int
child(const UsPathSet *set, int node, const char *name)
{
	return us_path_child(set, node, name, (int) strlen(name));
}

static void
test_tree(void)
{
	UsPathSet  *set = us_path_set_create();
	int			a;
	int			b;

	tap_is(set->nfields, 0, "an empty set has no fields");
	tap_is(child(set, 0, "a"), -1, "an empty set has no children");
	tap_is(add(set, "a.b"), 0, "first path");
	tap_is(add(set, "c"), 1, "second path");
	tap_is(add(set, "a"), 2, "a prefix of a path is a path of its own");
	tap_is(add(set, "a.b"), 0, "the same path gives the same index");
	tap_is(add(set, "a.b.c.d"), 3, "a path that goes on");
	tap_is(set->nfields, 4, "number of paths");
	tap_is(set->depth, 4, "steps of the longest");

	a = child(set, 0, "a");
	b = child(set, a, "b");
	tap_is(set->nodes[a].field, 2, "field of a");
	tap_is(set->nodes[b].field, 0, "field of a.b");
	tap_is(set->nodes[child(set, b, "c")].field, -1, "a.b.c is only a way");
	tap_is(set->nodes[b].parent, a, "parent of a.b");
	tap_is(set->nodes[a].next_sibling, child(set, 0, "c"), "siblings in the order added");
	tap_is(child(set, 0, "b"), -1, "a name is looked for at its own level");
	tap_is(us_path_child(set, 0, "", 0), -1, "an empty name is none of these");
	tap_is(us_path_child(set, 0, "ab", 1), a, "a name needs no terminator");
	tap_is(us_path_child(set, 0, "ab", 2), -1, "a name is compared whole");
}

static void
test_elements(void)
{
	UsPathSet  *set = us_path_set_create();
	static const char *const names[] = {"01", "+1", "-1", " 1", "1 ", "1x", "", "99999999999",
	"2147483648"};
	char	   *step[1];

	add(set, "0");
	add(set, "12");
	add(set, "2147483647");
	add(set, "x");
	tap_is(us_path_element(set, 0, 0), child(set, 0, "0"), "0 is an element");
	tap_is(us_path_element(set, 0, 12), child(set, 0, "12"), "12 is an element");
	tap_is(us_path_element(set, 0, 2147483647), child(set, 0, "2147483647"), "largest element");
	tap_is(us_path_element(set, 0, 1), -1, "1 was not asked for");
	tap_is(us_path_element(set, child(set, 0, "x"), 0), -1, "no elements below x");

	for (size_t i = 0; i < lengthof(names); i++)
	{
		int			node;

		step[0] = pstrdup(names[i]);
		us_path_set_add(set, step, 1);
		pfree(step[0]);
		node = child(set, 0, names[i]);
		tap_ok(node > 0 && set->nodes[node].element == -1, "\"%s\" is only a name", names[i]);
	}
}

/* all names found, others not, while the set grows past its hash's sizes */
static void
test_wide(int width)
{
	UsPathSet  *set = us_path_set_create();
	char		name[32];
	int			wrong = 0;

	for (int i = 0; i < width; i++)
	{
		snprintf(name, sizeof(name), "column_%d.below", i);
		if (add(set, name) != i)
			wrong++;
		/* looked for while it grows */
		snprintf(name, sizeof(name), "column_%d", i / 2);
		if (child(set, 0, name) < 0)
			wrong++;
	}
	for (int i = 0; i < width; i++)
	{
		int			node;

		snprintf(name, sizeof(name), "column_%d", i);
		node = child(set, 0, name);
		if (node < 0 || set->nodes[child(set, node, "below")].field != i)
			wrong++;
		snprintf(name, sizeof(name), "Column_%d", i);
		if (child(set, 0, name) >= 0)
			wrong++;
	}
	tap_is(wrong, 0, "%d columns: each is found, no other", width);
	tap_is(set->nodes[0].nchildren, width, "%d columns: counted", width);
	tap_ok((set->nodes[0].hash != NULL) == (width > 16), "%d columns: hashed when many", width);
}

int
main(void)
{
	test_parse();
	test_tree();
	test_elements();
	test_wide(1);
	test_wide(16);
	test_wide(17);
	test_wide(33);
	test_wide(500);
	test_wide(1600);
	return tap_done();
}
