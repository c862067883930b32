/*-------------------------------------------------------------------------
 * worker/decode_json.c
 *    a JSON message -> the values at the wanted paths
 *
 * PostgreSQL's parser is not used: it looks at every byte by itself, calls back
 * for everything and copies every string, which costs several times what the
 * whole of this does.  The tests hold this against it.  The loop below keeps its
 * own stack, because bytes from outside must not decide how deep the process
 * recurses.
 *
 * A value points into the message.  Only a wanted string with a backslash is
 * copied; but all of them are checked, since jsonb checks them all.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "worker/alloc.h"
#include "worker/decode.h"
#include "worker/json_number.h"
#include "worker/json_token.h"

/*
 * Limits under which jsonb surely takes what is valid JSON.
 *
 * Bytes: a container holds at most 256 MB, and building it may not ask for
 * more than 1 GB at once; "[1,1..." takes 6 bytes of jsonb and 32 of working
 * memory (doubled as it grows) for 2 bytes of text, the worst there is.
 * Depth: max_stack_depth can be set as low as 100 kB.
 * Numbers: numeric takes 131,072 digits before the point, 16,383 behind it.
 */
#define SURE_BYTES		(16 * 1024 * 1024)
#define SURE_DEPTH		200
#define SURE_DIGITS		1000

#define MAX_BYTES		0x3ffffffe	/* jsonb's input is a palloc'd string */
#define FIRST_DEPTH		512		/* levels, a multiple of 8 */
#define KEEP_MARK_WORDS	2048	/* 16 kB, for messages of up to 128 kB */

/* an object or array that a node of the path tree waits for */
typedef struct JsonFrame
{
	int			node;
	int			element;		/* array: number of the next element */
	int			expected;		/* object: node of the next field, if the order holds; -1 */
	bool		taken;			/* as a whole, by a path that ends here or further out */
	const char *start;			/* its bracket */
} JsonFrame;

/* what is kept from message to message */
typedef struct JsonWalk
{
	UsJsonTokens tokens;
	UsDecoder  *decoder;
	const UsPathSet *paths;
	UsValue    *values;
	bool		unsure;

	/*
	 * Containers that are open: all of them as one bit, the outer ones that
	 * lie on a path as frames too.  The innermost is on a path when depth =
	 * nframes.
	 */
	int			depth;
	int			max_depth;
	uint8	   *is_array;		/* bit for each level */
	int			nframes;
	int			max_frames;
	JsonFrame  *frames;

	size_t		max_marks;		/* words */
	uint64	   *marks;			/* of the message */
} JsonWalk;

typedef enum JsonStep
{
	JSON_STEP_BAD,				/* not JSON */
	JSON_STEP_VALUE,			/* a value comes next */
	JSON_STEP_DONE				/* a value has ended */
} JsonStep;

static inline bool
innermost_is_array(const JsonWalk *walk)
{
	int			level = walk->depth - 1;

	return (walk->is_array[level / 8] >> (level % 8)) & 1;
}

/* frame of the innermost container; NULL when no path leads into it */
static inline JsonFrame *
innermost_frame(const JsonWalk *walk)
{
	return walk->depth == walk->nframes ? &walk->frames[walk->nframes - 1] : NULL;
}

/*
 * What the string read last says; de-escaped when it is wanted.  The copy, if
 * there is one, is the last thing in the decoder's text; *copied is its length.
 */
static inline bool
take_string(JsonWalk *walk, bool wanted, const char **data, int *len, int *copied)
{
	const char *start = walk->tokens.start + 1;
	int			raw = (int) (walk->tokens.at - start) - 1;
	char	   *text;

	*copied = 0;
	*data = start;
	*len = raw;
	if (likely(!walk->tokens.escaped))
		return true;
	if (!wanted)
		return us_json_unescape(start, raw, NULL) >= 0;

	text = us_decoder_text(walk->decoder, raw);
	*data = text;
	*len = *copied = us_json_unescape(start, raw, text);
	us_decoder_text_trim(walk->decoder, raw - Max(*len, 0));
	return *len >= 0;
}

/* check the number read last; value, if wanted, holds it as written */
static inline void
take_number(JsonWalk *walk, UsValue *value)
{
	const char *number = walk->tokens.start;
	int			len = (int) (walk->tokens.at - number);
	int			mantissa = 0;

	if (len > SURE_DIGITS)
	{
		walk->unsure = true;
		return;
	}
	while (mantissa < len && (number[mantissa] | 0x20) != 'e')
		mantissa++;
	if ((mantissa < len || (number[0] == '-' && number[1] == '0')) &&
		!us_json_number_print(walk->decoder, number, len, mantissa, value))
		walk->unsure = true;
}

/* the value to fill for a node; NULL when none is wanted */
static inline UsValue *
wanted_value(const JsonWalk *walk, int node)
{
	int			field = node >= 0 ? walk->paths->nodes[node].field : -1;

	return field >= 0 ? &walk->values[field] : NULL;
}

static inline JsonStep
read_string(JsonWalk *walk, int node)
{
	UsValue    *value = wanted_value(walk, node);
	const char *data;
	int			len;
	int			copied;

	if (!us_json_read_string(&walk->tokens) ||
		!take_string(walk, value != NULL, &data, &len, &copied))
		return JSON_STEP_BAD;
	if (value != NULL)
		*value = (UsValue) {data, (uint32) len, US_VALUE_STRING};
	return JSON_STEP_DONE;
}

/* a number or word, if one is next; first is its first byte */
static JsonStep
read_other(JsonWalk *walk, int node, char first)
{
	UsJsonTokens *tokens = &walk->tokens;
	UsValue    *value = wanted_value(walk, node);
	UsValueKind kind;
	bool		good;

	switch (first)
	{
		case 't':
			kind = US_VALUE_TRUE;
			good = us_json_read_word(tokens, "true", 4);
			break;
		case 'f':
			kind = US_VALUE_FALSE;
			good = us_json_read_word(tokens, "false", 5);
			break;
		case 'n':
			kind = US_VALUE_NULL;
			good = us_json_read_word(tokens, "null", 4);
			break;
		default:
			kind = US_VALUE_NUMBER;
			good = us_json_read_number(tokens);
			break;
	}
	if (!good)
		return JSON_STEP_BAD;
	if (value != NULL)
		*value = (UsValue) {tokens->start, (uint32) (tokens->at - tokens->start), kind};
	if (kind == US_VALUE_NUMBER)
		take_number(walk, value);
	return JSON_STEP_DONE;
}

/* a string, number or word */
static inline JsonStep
read_scalar(JsonWalk *walk, int node, char first)
{
	/* no path leads into a scalar; null is as good as nothing */
	if (node >= 0 && walk->paths->nodes[node].field < 0 && first != 'n')
		walk->decoder->unknown = true;
	return likely(first == '"') ? read_string(walk, node) : read_other(walk, node, first);
}

/* twice the levels, or frames for a path that was added since */
static void
grow_stacks(JsonWalk *walk)
{
	if (walk->depth == walk->max_depth)
	{
		walk->max_depth *= 2;
		walk->is_array = repalloc(walk->is_array, walk->max_depth / 8);
	}
	if (walk->nframes == walk->max_frames)
	{
		walk->max_frames *= 2;
		walk->frames = repalloc(walk->frames, sizeof(JsonFrame) * walk->max_frames);
	}
}

/* its bracket is next */
static inline void
open_container(JsonWalk *walk, int node, bool is_array)
{
	int			level = walk->depth;
	JsonFrame  *frame;

	if (walk->depth == walk->max_depth || walk->nframes == walk->max_frames)
		grow_stacks(walk);
	if (is_array)
		walk->is_array[level / 8] |= 1 << (level % 8);
	else
		walk->is_array[level / 8] &= ~(1 << (level % 8));
	if (++walk->depth > SURE_DEPTH)
		walk->unsure = true;

	if (node < 0)
	{
		walk->tokens.at++;
		return;
	}
	frame = &walk->frames[walk->nframes++];
	frame->taken = walk->paths->nodes[node].field >= 0 ||
		(walk->nframes > 1 && frame[-1].taken);
	frame->node = node;
	frame->element = 0;
	frame->expected = walk->paths->nodes[node].first_child;
	frame->start = walk->tokens.at++;
}

/* its bracket is next */
static inline void
close_container(JsonWalk *walk)
{
	JsonFrame  *frame = innermost_frame(walk);
	int			field;

	walk->tokens.at++;
	walk->depth--;
	if (frame == NULL)
		return;
	walk->nframes--;
	field = walk->paths->nodes[frame->node].field;
	if (field >= 0)
	{
		UsValue    *value = &walk->values[field];

		value->data = frame->start;
		value->len = (uint32) (walk->tokens.at - frame->start);
		value->kind = *frame->start == '[' ? US_VALUE_ARRAY : US_VALUE_OBJECT;
	}
}

/* a key seen again replaces all that was found below the first one */
static void
forget_below(JsonWalk *walk, int top)
{
	const UsPathNode *nodes = walk->paths->nodes;
	int			node = top;

	for (;;)
	{
		if (nodes[node].field >= 0)
			walk->values[nodes[node].field].kind = US_VALUE_ABSENT;
		if (nodes[node].first_child >= 0)
		{
			node = nodes[node].first_child;
			continue;
		}
		while (node != top && nodes[node].next_sibling < 0)
			node = nodes[node].parent;
		if (node == top)
			return;
		node = nodes[node].next_sibling;
	}
}

/* the node that waits for a field of an object; mostly the one after the last */
static inline int
find_field(JsonWalk *walk, JsonFrame *frame, const char *name, int len)
{
	const UsPathNode *nodes = walk->paths->nodes;
	int			child = frame->expected;

	if (child < 0 || !us_path_name_is(&nodes[child], name, len))
	{
		child = us_path_child(walk->paths, frame->node, name, len);
		if (child < 0)
			return -1;
	}
	frame->expected = nodes[child].next_sibling;
	if (nodes[child].first_child >= 0)
		forget_below(walk, child);
	return child;
}

/* a field's name, and the colon behind it */
static inline JsonStep
read_key(JsonWalk *walk, int *node)
{
	JsonFrame  *frame = innermost_frame(walk);
	const char *name;
	int			len;
	int			copied;

	if (us_json_peek(&walk->tokens) != '"' || !us_json_read_string(&walk->tokens) ||
		!take_string(walk, frame != NULL, &name, &len, &copied))
		return JSON_STEP_BAD;
	*node = frame != NULL ? find_field(walk, frame, name, len) : -1;
	if (*node < 0 && frame != NULL && !frame->taken)
		walk->decoder->unknown = true;
	if (copied > 0)
		us_decoder_text_trim(walk->decoder, copied);

	if (us_json_peek(&walk->tokens) != ':')
		return JSON_STEP_BAD;
	walk->tokens.at++;
	return JSON_STEP_VALUE;
}

/* the node that waits for the next element of an array */
static inline int
find_element(JsonWalk *walk, JsonFrame *frame)
{
	int			child = us_path_element(walk->paths, frame->node, frame->element++);

	if (child < 0 && !frame->taken)
		walk->decoder->unknown = true;
	return child;
}

/* a value of node (-1 = unwanted) comes next */
static inline JsonStep
begin_value(JsonWalk *walk, int *node)
{
	char		first = us_json_peek(&walk->tokens);
	bool		is_array = (first == '[');

	if (!is_array && first != '{')
		return read_scalar(walk, *node, first);

	open_container(walk, *node, is_array);
	if (us_json_peek(&walk->tokens) == (is_array ? ']' : '}'))
	{
		close_container(walk);
		return JSON_STEP_DONE;
	}
	if (!is_array)
		return read_key(walk, node);
	if (*node >= 0)
		*node = find_element(walk, innermost_frame(walk));
	return JSON_STEP_VALUE;
}

/* a value has ended inside a container: the next member, or the container's end */
static inline JsonStep
after_value(JsonWalk *walk, int *node)
{
	bool		is_array = innermost_is_array(walk);
	char		next = us_json_peek(&walk->tokens);

	if (next == (is_array ? ']' : '}'))
	{
		close_container(walk);
		return JSON_STEP_DONE;
	}
	if (next != ',')
		return JSON_STEP_BAD;
	walk->tokens.at++;
	if (!is_array)
		return read_key(walk, node);

	*node = innermost_frame(walk) != NULL ? find_element(walk, innermost_frame(walk)) : -1;
	return JSON_STEP_VALUE;
}

/* the message's value; true when all of it is JSON */
static bool
walk_message(JsonWalk *walk, int node)
{
	JsonStep	step = JSON_STEP_VALUE;

	for (;;)
	{
		if (step == JSON_STEP_VALUE)
			step = begin_value(walk, &node);
		else if (step == JSON_STEP_BAD)
			return false;
		else if (walk->depth > 0)
			step = after_value(walk, &node);
		else
			return us_json_peek(&walk->tokens) == '\0';
	}
}

static JsonWalk *
create_walk(UsDecoder *decoder)
{
	JsonWalk   *walk = us_alloc_beside(decoder, sizeof(JsonWalk));

	memset(walk, 0, sizeof(*walk));
	walk->decoder = decoder;
	walk->paths = decoder->paths;
	walk->max_depth = FIRST_DEPTH;
	walk->is_array = us_alloc_beside(decoder, walk->max_depth / 8);
	walk->max_frames = decoder->paths->depth + 2;
	walk->frames = us_alloc_beside(decoder, sizeof(JsonFrame) * walk->max_frames);
	return walk;
}

/* room for a message's marks; what a huge one took is given back after it */
static uint64 *
marks_room(JsonWalk *walk, size_t len)
{
	size_t		words = Max(US_JSON_MARK_WORDS(len), KEEP_MARK_WORDS);

	if (walk->max_marks != words)
	{
		if (walk->marks != NULL)
			pfree(walk->marks);
		walk->max_marks = 0;
		walk->marks = NULL;
		walk->marks = us_alloc_beside(walk, sizeof(uint64) * words);
		walk->max_marks = words;
	}
	return walk->marks;
}

static bool
is_blank(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++)
	{
		if (!us_json_is_blank(data[i]))
			return false;
	}
	return true;
}

UsDecodeResult
us_decode_json(UsDecoder *decoder, const char *data, size_t len, UsValue *values)
{
	JsonWalk   *walk = decoder->state;
	uint64	   *marks;
	bool		is_object;

	decoder->unknown = false;
	/* which makes all of them US_VALUE_ABSENT */
	memset(values, 0, sizeof(UsValue) * decoder->paths->nfields);
	if (is_blank(data, len))
		return US_DECODE_EMPTY;
	if (len > MAX_BYTES)
		return US_DECODE_INVALID;
	if (walk == NULL)
		decoder->state = walk = create_walk(decoder);
	marks = marks_room(walk, len);
	if (!us_json_mark(data, len, marks))
		return US_DECODE_BAD_ENCODING;

	us_json_tokens_start(&walk->tokens, data, len, marks);
	walk->values = values;
	walk->unsure = (len > SURE_BYTES);
	walk->depth = 0;
	walk->nframes = 0;

	is_object = (us_json_peek(&walk->tokens) == '{');
	if (!walk_message(walk, is_object ? 0 : -1))
		return US_DECODE_INVALID;
	if (!is_object)
		return US_DECODE_NOT_OBJECT;
	return walk->unsure ? US_DECODE_UNSURE : US_DECODE_OK;
}
