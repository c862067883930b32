/*-------------------------------------------------------------------------
 * worker/jsonb_build.c
 *    the text of a JSON object or array -> jsonb
 *
 * For functions that take a message as jsonb, and for columns of that type.
 * jsonb_in looks at each byte by itself, copies each string and builds a tree
 * that it then writes; here a value points into the text until it is written.
 * The tests hold the result against jsonb_in.  What is wrong with a text is
 * not asked: jsonb_in has the words.
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "worker/forced.h"
#include "worker/json_token.h"
#include "worker/jsonb_build.h"

#define MAX_BYTES		(1024 * 1024)	/* far below the limits of jsonb */
#define MAX_DEPTH		64
#define FEW_NODES		64		/* these take no memory but the stack's */
#define FEW_MARK_WORDS	66		/* of a text of 4 kB */
#define INT64_DIGITS	18		/* any number of so many digits is an int64 */

/* a value, and its name where it is a member of an object */
typedef struct Node
{
	const char *name;
	const char *data;			/* a string, de-escaped; a number as Numeric */
	uint32		name_len;
	uint32		len;			/* of data */
	JEntry		type;			/* JENTRY_IS... */
	bool		is_object;		/* of a container: else an array */
	int			count;			/* of a container: its children ... */
	int			first;			/* ... the first of them; -1 = none */
	int			next;			/* in the same container; -1 = none */
} Node;

typedef struct Builder
{
	UsJsonTokens tokens;
	Node	   *nodes;
	int			nnodes;
	int			max_nodes;
	Size		room;			/* bytes that all nodes take at most */
	Node		few_nodes[FEW_NODES];
	uint64		few_marks[FEW_MARK_WORDS];
} Builder;

/*
 * Reading.
 */

static int
add_node(Builder *builder, JEntry type)
{
	Node	   *node;

	if (builder->nnodes == builder->max_nodes)
	{
		Size		size = sizeof(Node) * builder->max_nodes;

		if (builder->nodes == builder->few_nodes)
			builder->nodes = memcpy(palloc(size * 2), builder->few_nodes, size);
		else
			builder->nodes = repalloc(builder->nodes, size * 2);
		builder->max_nodes *= 2;
	}
	node = &builder->nodes[builder->nnodes];
	node->len = 0;
	node->name_len = 0;
	node->type = type;
	node->next = -1;
	/* the entry, and the bytes that may come before an aligned value */
	builder->room += sizeof(JEntry) + sizeof(int32);
	return builder->nnodes++;
}

/* the string that is next, de-escaped */
static inline bool
read_string(Builder *builder, const char **data, uint32 *len)
{
	UsJsonTokens *tokens = &builder->tokens;
	const char *start;
	int			raw;

	if (!us_json_read_string(tokens))
		return false;
	start = tokens->start + 1;
	raw = (int) (tokens->at - start) - 1;
	if (unlikely(tokens->escaped))
	{
		char	   *text = palloc(raw);

		raw = us_json_unescape(start, raw, text);
		start = text;
	}
	*data = start;
	*len = (uint32) raw;
	builder->room += Max(raw, 0);
	return raw >= 0;
}

/* text: of a number, len bytes */
static Numeric
make_numeric(const char *text, int len)
{
	bool		minus = *text == '-';
	int64		value = 0;
	int			i = minus;

	while (i < len && i - minus < INT64_DIGITS && text[i] >= '0' && text[i] <= '9')
		value = value * 10 + (text[i++] - '0');
	if (i == len)
		return int64_to_numeric(minus ? -value : value);
	return DatumGetNumeric(DirectFunctionCall3(numeric_in,
											   CStringGetDatum(pnstrdup(text, len)),
											   ObjectIdGetDatum(InvalidOid),
											   Int32GetDatum(-1)));
}

/* each of these reads what is next and returns its node; -1: it is not good */

static int
read_number(Builder *builder)
{
	UsJsonTokens *tokens = &builder->tokens;
	int			node;
	Numeric		number;

	if (!us_json_read_number(tokens))
		return -1;
	node = add_node(builder, JENTRY_ISNUMERIC);
	number = make_numeric(tokens->start, (int) (tokens->at - tokens->start));
	builder->nodes[node].data = (const char *) number;
	builder->nodes[node].len = VARSIZE_ANY(number);
	builder->room += VARSIZE_ANY(number);
	return node;
}

static int
read_word(Builder *builder, const char *word, JEntry type)
{
	return us_json_read_word(&builder->tokens, word, strlen(word)) ? add_node(builder, type) : -1;
}

typedef struct Pair
{
	const char *name;
	uint32		len;
	int			node;
} Pair;

/* the order of jsonb; of equal names the last comes first */
static inline int
compare_pairs(const Pair *a, const Pair *b)
{
	int			order;

	if (a->len != b->len)
		return a->len < b->len ? -1 : 1;
	order = memcmp(a->name, b->name, a->len);
	return order != 0 ? order : b->node - a->node;
}

#define ST_SORT sort_pairs
#define ST_ELEMENT_TYPE Pair
#define ST_COMPARE(a, b) compare_pairs(a, b)
#define ST_SCOPE static
#define ST_DEFINE
#include "lib/sort_template.h"

/* an object's members in jsonb's order, the last of those that have one name */
pg_noinline static void
sort_members(Builder *builder, int object)
{
	Node	   *nodes = builder->nodes;
	int			count = nodes[object].count;
	Pair		few_pairs[FEW_NODES];
	Pair	   *pairs = count <= FEW_NODES ? few_pairs : palloc(sizeof(Pair) * count);
	int		   *link = &nodes[object].first;
	int			n = 0;

	for (int i = *link; i >= 0; i = nodes[i].next)
		pairs[n++] = (Pair) {nodes[i].name, nodes[i].name_len, i};
	sort_pairs(pairs, count);
	for (int i = 0; i < n; i++)
	{
		if (i > 0 && pairs[i].len == pairs[i - 1].len &&
			memcmp(pairs[i].name, pairs[i - 1].name, pairs[i].len) == 0)
		{
			nodes[object].count--;
			continue;
		}
		*link = pairs[i].node;
		link = &nodes[pairs[i].node].next;
	}
	*link = -1;
}

static int	read_value(Builder *builder, int depth);

/* a member of an object, or an element */
static int
read_child(Builder *builder, bool is_member, int depth)
{
	const char *name = NULL;
	uint32		name_len = 0;
	int			child;

	if (is_member)
	{
		if (us_json_peek(&builder->tokens) != '"' ||
			!read_string(builder, &name, &name_len) || us_json_peek(&builder->tokens) != ':')
			return -1;
		builder->tokens.at++;
		builder->room += sizeof(JEntry);
	}
	child = read_value(builder, depth);
	if (child >= 0)
	{
		builder->nodes[child].name = name;
		builder->nodes[child].name_len = name_len;
	}
	return child;
}

static int
read_container(Builder *builder, bool is_object, int depth)
{
	UsJsonTokens *tokens = &builder->tokens;
	char		closing = is_object ? '}' : ']';
	int			container = add_node(builder, JENTRY_ISCONTAINER);
	int			last = -1;
	int			count = 0;
	char		mark;

	builder->room += sizeof(uint32);
	builder->nodes[container].is_object = is_object;
	builder->nodes[container].first = -1;
	tokens->at++;
	mark = us_json_peek(tokens);
	if (mark != closing)
	{
		do
		{
			int			child;

			tokens->at += count > 0;
			child = read_child(builder, is_object, depth + 1);
			if (child < 0)
				return -1;
			*(last < 0 ? &builder->nodes[container].first : &builder->nodes[last].next) = child;
			last = child;
			count++;
		} while ((mark = us_json_peek(tokens)) == ',');
		if (mark != closing)
			return -1;
	}
	tokens->at++;
	builder->nodes[container].count = count;
	if (is_object && count > 1)
		sort_members(builder, container);
	return container;
}

static int
read_value(Builder *builder, int depth)
{
	const char *data;
	uint32		len;
	int			node;

	switch (us_json_peek(&builder->tokens))
	{
		case '"':
			if (!read_string(builder, &data, &len))
				return -1;
			node = add_node(builder, JENTRY_ISSTRING);
			builder->nodes[node].data = data;
			builder->nodes[node].len = len;
			return node;
		case '{':
			return depth < MAX_DEPTH ? read_container(builder, true, depth) : -1;
		case '[':
			return depth < MAX_DEPTH ? read_container(builder, false, depth) : -1;
		case 't':
			return read_word(builder, "true", JENTRY_ISBOOL_TRUE);
		case 'f':
			return read_word(builder, "false", JENTRY_ISBOOL_FALSE);
		case 'n':
			return read_word(builder, "null", JENTRY_ISNULL);
		default:
			return read_number(builder);
	}
}

/*
 * Writing.  Each returns the place behind what it has written.
 */

/* numbers and containers are aligned */
static inline char *
align(char *to)
{
	while ((char *) INTALIGN(to) != to)
		*to++ = '\0';
	return to;
}

/* what is said of child i of a container: its length, or now and then where it ends */
static inline JEntry
make_entry(int i, JEntry type, uint32 len, uint32 end)
{
	return type | (i % JB_OFFSET_STRIDE == 0 ? end | JENTRY_HAS_OFF : len);
}

static char *
write_container(const Node *nodes, const Node *container, char *to)
{
	bool		is_object = container->is_object;
	JEntry	   *entries;
	char	   *start;
	int			i = 0;

	to = align(to);
	*(uint32 *) to = container->count | (is_object ? JB_FOBJECT : JB_FARRAY);
	entries = (JEntry *) (to + sizeof(uint32));
	start = to = (char *) (entries + container->count * (is_object ? 2 : 1));

	/* the names come first, all together */
	for (int n = is_object ? container->first : -1; n >= 0; n = nodes[n].next)
	{
		memcpy(to, nodes[n].name, nodes[n].name_len);
		to += nodes[n].name_len;
		entries[i] = make_entry(i, JENTRY_ISSTRING, nodes[n].name_len, (uint32) (to - start));
		i++;
	}
	for (int n = container->first; n >= 0; n = nodes[n].next)
	{
		const Node *node = &nodes[n];
		char	   *value = to;

		if (node->type == JENTRY_ISCONTAINER)
			to = write_container(nodes, node, to);
		else if (node->len > 0)
		{
			if (node->type == JENTRY_ISNUMERIC)
				to = align(to);
			memcpy(to, node->data, node->len);
			to += node->len;
		}
		entries[i] = make_entry(i, node->type, (uint32) (to - value), (uint32) (to - start));
		i++;
	}
	return to;
}

Jsonb *
us_jsonb_build(const char *data, size_t len)
{
	Builder		builder;
	uint64	   *marks = builder.few_marks;
	char		first;
	int			root;
	char	   *result;

	if (US_FORCED(PARSER) || len > MAX_BYTES || GetDatabaseEncoding() != PG_UTF8)
		return NULL;
	if (US_JSON_MARK_WORDS(len) > FEW_MARK_WORDS)
		marks = palloc(sizeof(uint64) * US_JSON_MARK_WORDS(len));
	if (!us_json_mark(data, len, marks))
		return NULL;
	us_json_tokens_start(&builder.tokens, data, len, marks);
	builder.nodes = builder.few_nodes;
	builder.nnodes = 0;
	builder.max_nodes = FEW_NODES;
	builder.room = VARHDRSZ;

	first = us_json_peek(&builder.tokens);
	if (first != '{' && first != '[')
		return NULL;
	root = read_value(&builder, 0);
	if (root < 0 || us_json_peek(&builder.tokens) != '\0')
		return NULL;

	result = palloc(builder.room);
	SET_VARSIZE(result, write_container(builder.nodes, &builder.nodes[root],
										result + VARHDRSZ) - result);
	return (Jsonb *) result;
}
