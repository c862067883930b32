/*-------------------------------------------------------------------------
 * worker/decode_avro.c
 *    an Avro message -> the values at the wanted paths, or all of it as JSON
 *
 * The message is read once, by the schema that its number stands for; what no
 * path wants is stepped over unlooked at.  A scalar stays as it is where the
 * column's type holds the same, else it becomes the text that the input functions
 * of PostgreSQL's types take (scalar_text.h); a record, array or map that is
 * wanted whole becomes JSON.  Neither the depth nor the work is the message's to
 * choose: values that take no bytes are counted too.
 *-------------------------------------------------------------------------
 */
#ifndef FRONTEND
#include "postgres.h"
#else
#include "postgres_fe.h"
#endif

#include "worker/alloc.h"
#include "worker/avro_read.h"
#include "worker/schemas.h"

#define MAX_FREE_VALUES	100000	/* of a message, beyond one for each byte: nulls take none */
#define FIRST_JSON_BYTES	1024
#define BAD_VALUE		"22023"

static bool write_value(UsAvroWalk *walk, const UsAvroType *type);
static bool take_container(UsAvroWalk *walk, const UsAvroType *type, int node, bool taken);

/*
 * JSON.
 */

static bool
put(UsAvroWalk *walk, const char *bytes, size_t len)
{
	if (len > US_AVRO_MAX_JSON_BYTES - walk->json_len)
		return us_avro_refuse(walk, US_AVRO_TOO_LARGE, "message is longer than 128 MB as JSON");
	if (walk->json_len + len > walk->json_size)
	{
		walk->json_size = Max(walk->json_size * 2, walk->json_len + len);
		walk->json = repalloc(walk->json, walk->json_size);
	}
	memcpy(walk->json + walk->json_len, bytes, len);
	walk->json_len += len;
	return true;
}

static bool
put_string(UsAvroWalk *walk, const char *bytes, size_t len)
{
	static const char digits[] = "0123456789abcdef";
	const char *end = bytes + len;

	if (!put(walk, "\"", 1))
		return false;
	while (bytes < end)
	{
		const char *plain = bytes;
		char		escape[6] = "\\u00";
		int			escape_len = 2;

		while (bytes < end && (unsigned char) *bytes >= 0x20 && *bytes != '"' && *bytes != '\\')
			bytes++;
		if (!put(walk, plain, bytes - plain))
			return false;
		if (bytes == end)
			break;
		if ((unsigned char) *bytes >= 0x20)
			escape[1] = *bytes;
		else
		{
			escape[4] = digits[*bytes >> 4];
			escape[5] = digits[*bytes & 15];
			escape_len = 6;
		}
		if (!put(walk, escape, escape_len))
			return false;
		bytes++;
	}
	return put(walk, "\"", 1);
}

static bool
write_record(UsAvroWalk *walk, const UsAvroType *type)
{
	for (int i = 0; i < type->nmembers; i++)
	{
		const UsAvroMember *member = &type->members[i];

		if ((i > 0 && !put(walk, ",", 1)) ||
			!put_string(walk, member->name, member->name_len) || !put(walk, ":", 1) ||
			!write_value(walk, member->type))
			return false;
	}
	return true;
}

static bool
write_items(UsAvroWalk *walk, const UsAvroType *type)
{
	UsAvroItems items = {0};
	const char *key;
	int			len;

	for (bool first = true;; first = false)
	{
		if (!us_avro_next_item(walk, &items))
			return false;
		if (items.left == 0)
			return true;
		if (!first && !put(walk, ",", 1))
			return false;
		if (type->kind == US_AVRO_MAP &&
			(!us_avro_read_string(walk, &key, &len) || !put_string(walk, key, len) ||
			 !put(walk, ":", 1)))
			return false;
		if (!write_value(walk, type->items))
			return false;
	}
}

static bool
write_container(UsAvroWalk *walk, const UsAvroType *type)
{
	bool		is_array = type->kind == US_AVRO_ARRAY;
	bool		ok = put(walk, is_array ? "[" : "{", 1) &&
		(type->kind == US_AVRO_RECORD ? write_record(walk, type) : write_items(walk, type)) &&
		put(walk, is_array ? "]" : "}", 1);

	us_avro_leave(walk);
	return ok;
}

static bool
write_value(UsAvroWalk *walk, const UsAvroType *type)
{
	UsValue		value;

	type = us_avro_resolve(walk, type);
	if (type == NULL || !us_avro_enter(walk, us_avro_is_container(type)))
		return false;
	if (us_avro_is_container(type))
		return write_container(walk, type);
	if (!us_avro_take_scalar(walk, type, US_FORM_TEXT, &value))
		return false;
	if (value.kind == US_VALUE_NULL)
		return put(walk, "null", 4);
	if (!(value.kind == US_VALUE_STRING ? put_string(walk, value.data, value.len) :
		  put(walk, value.data, value.len)))
		return false;
	/* a text that was made for it has served */
	if (type->kind != US_AVRO_STRING && type->kind != US_AVRO_ENUM &&
		type->kind != US_AVRO_BOOLEAN)
		us_decoder_text_trim(walk->decoder, value.len);
	return true;
}

/* from pos on: JSON of a value, in the decoder's text */
static bool
write_text(UsAvroWalk *walk, const UsAvroType *type, const char **text, size_t *len)
{
	char	   *copy;

	walk->json_len = 0;
	if (!write_value(walk, type))
		return false;
	copy = us_decoder_text(walk->decoder, walk->json_len);
	memcpy(copy, walk->json, walk->json_len);
	*text = copy;
	*len = walk->json_len;
	return true;
}

/*
 * Paths.
 */

/* a key seen again replaces all that was found below the first one */
static void
forget_below(UsAvroWalk *walk, int node)
{
	const UsPathNode *nodes = walk->paths->nodes;

	if (nodes[node].field >= 0)
		walk->values[nodes[node].field].kind = US_VALUE_ABSENT;
	for (int child = nodes[node].first_child; child >= 0; child = nodes[child].next_sibling)
		forget_below(walk, child);
}

/*
 * A record, array or map that a path leads to or through.  One that is wanted
 * whole, and in parts as well, is read twice.
 */
static bool
take_nested(UsAvroWalk *walk, const UsAvroType *type, int node, bool taken)
{
	const UsPathNode *path = &walk->paths->nodes[node];
	const char *start = walk->pos;
	size_t		values_left = walk->values_left;
	UsValue    *value;
	size_t		len;

	if (path->field >= 0)
	{
		value = &walk->values[path->field];
		if (!write_text(walk, type, &value->data, &len))
			return false;
		value->len = (uint32) len;
		value->kind = type->kind == US_AVRO_ARRAY ? US_VALUE_ARRAY : US_VALUE_OBJECT;
		if (path->first_child < 0)
			return true;
		walk->pos = start;
		walk->values_left = values_left;
	}
	return us_avro_enter(walk, true) &&
		take_container(walk, type, node, taken || path->field >= 0);
}

/* a value that a path leads to or through */
static inline bool
take_value(UsAvroWalk *walk, const UsAvroType *type, int node, bool taken)
{
	const UsPathNode *path = &walk->paths->nodes[node];

	type = us_avro_resolve(walk, type);
	if (unlikely(type == NULL))
		return false;
	if (us_avro_is_container(type))
		return take_nested(walk, type, node, taken);
	if (path->field < 0)
	{
		/* no path leads into a scalar; null is as good as nothing */
		if (!taken && type->kind != US_AVRO_NULL)
			walk->decoder->unknown = true;
		return us_avro_skip(walk, type);
	}
	if (!us_avro_enter(walk, false))
		return false;
	if (type->kind == US_AVRO_STRING)
		return us_avro_take_string(walk, &walk->values[path->field]);
	return us_avro_take_scalar(walk, type, path->form, &walk->values[path->field]);
}

static bool
take_record(UsAvroWalk *walk, const UsAvroType *type, int node, bool taken)
{
	const int  *children = us_avro_children(walk, type, node);

	for (int i = 0; i < type->nmembers; i++)
	{
		const UsAvroType *member = type->members[i].type;

		if (children[i] < 0 && !taken)
			walk->decoder->unknown = true;
		if (children[i] >= 0 ? !take_value(walk, member, children[i], taken) :
			!us_avro_skip(walk, member))
			return false;
	}
	return true;
}

static bool
take_item(UsAvroWalk *walk, const UsAvroType *type, int node, int64 element, bool taken)
{
	int			child;

	if (type->kind == US_AVRO_MAP)
	{
		const char *key;
		int			len;

		if (!us_avro_read_string(walk, &key, &len))
			return false;
		child = us_path_child(walk->paths, node, key, len);
		if (child >= 0)
			forget_below(walk, child);
	}
	else
		child = us_path_element(walk->paths, node, (int) Min(element, PG_INT32_MAX));
	if (child >= 0)
		return take_value(walk, type->items, child, taken);
	if (!taken)
		walk->decoder->unknown = true;
	return us_avro_skip(walk, type->items);
}

static bool
take_items(UsAvroWalk *walk, const UsAvroType *type, int node, bool taken)
{
	UsAvroItems items = {0};

	for (int64 element = 0;; element++)
	{
		if (!us_avro_next_item(walk, &items))
			return false;
		if (items.left == 0)
			return true;
		if (!take_item(walk, type, node, element, taken))
			return false;
	}
}

static bool
take_container(UsAvroWalk *walk, const UsAvroType *type, int node, bool taken)
{
	bool		ok = type->kind == US_AVRO_RECORD ? take_record(walk, type, node, taken) :
		take_items(walk, type, node, taken);

	us_avro_leave(walk);
	return ok;
}

/*
 * Messages.
 */

/* the schema of a message, from whose first byte the walk begins; NULL when refused */
static const UsAvroType *
begin_message(UsDecoder *decoder, const char *data, size_t len)
{
	UsAvroWalk   *walk = decoder->state;
	const UsSchema *schema;
	int32		id;

	if (walk == NULL)
	{
		walk = us_alloc_beside(decoder, sizeof(UsAvroWalk));
		memset(walk, 0, sizeof(*walk));
		walk->decoder = decoder;
		walk->paths = decoder->paths;
		walk->json_size = FIRST_JSON_BYTES;
		walk->json = us_alloc_beside(decoder, walk->json_size);
		decoder->state = walk;
	}
	walk->pos = data + US_FRAME_BYTES;
	walk->end = data + len;
	walk->depth = 0;
	walk->values_left = len + MAX_FREE_VALUES;

	if (us_decoder_frame(decoder, data, len, &id) != US_DECODE_OK)
		return NULL;
	schema = decoder->schemas != NULL ? us_schemas_find(decoder->schemas, id) : NULL;
	if (schema == NULL)
		(void) us_decoder_refuse(decoder, -1, BAD_VALUE, NULL, "schema %d was not asked for", id);
	else if (schema->unknown)
		(void) us_decoder_refuse(decoder, -1, BAD_VALUE, NULL,
								 "schema %d of the message is not in the registry", id);
	else if (schema->error != NULL)
		(void) us_decoder_refuse(decoder, -1, BAD_VALUE, NULL, "schema %d of the message cannot be used: %s",
								 id, schema->error);
	else
		return schema->root;
	return NULL;
}

/* what the root really is: a record, or a map */
static const UsAvroType *
find_object(UsAvroWalk *walk, const UsAvroType *root)
{
	const UsAvroType *type = root == NULL ? NULL : us_avro_resolve(walk, root);

	if (type == NULL || type->kind == US_AVRO_RECORD || type->kind == US_AVRO_MAP)
		return type;
	(void) us_avro_refuse(walk, BAD_VALUE, "message is neither a record nor a map");
	return NULL;
}

static UsDecodeResult
end_message(UsAvroWalk *walk)
{
	if (walk->pos == walk->end)
		return US_DECODE_OK;
	return us_decoder_refuse(walk->decoder, -1, US_AVRO_BAD_BYTES, NULL,
							 "message goes on for %zu bytes after its value",
							 (size_t) (walk->end - walk->pos));
}

UsDecodeResult
us_decode_avro(UsDecoder *decoder, const char *data, size_t len, UsValue *values)
{
	const UsAvroType *root = begin_message(decoder, data, len);
	UsAvroWalk   *walk = decoder->state;
	const UsAvroType *type;

	decoder->unknown = false;
	/* which makes all of them US_VALUE_ABSENT */
	memset(values, 0, sizeof(UsValue) * decoder->paths->nfields);
	type = find_object(walk, root);
	walk->values = values;
	if (type == NULL || !us_avro_enter(walk, true) || !take_container(walk, type, 0, false))
		return US_DECODE_REFUSED;
	return end_message(walk);
}

UsDecodeResult
us_document_avro(UsDecoder *decoder, const char *data, size_t len,
				 const char **text, size_t *text_len)
{
	const UsAvroType *root = begin_message(decoder, data, len);
	UsAvroWalk   *walk = decoder->state;
	const UsAvroType *type = find_object(walk, root);

	if (type == NULL || !write_text(walk, type, text, text_len))
		return US_DECODE_REFUSED;
	return end_message(walk);
}

/* which may also be a number or a string alone */
UsDecodeResult
us_key_avro(UsDecoder *decoder, const char *data, size_t len, const char **text, size_t *text_len)
{
	const UsAvroType *root = begin_message(decoder, data, len);

	if (root == NULL || !write_text(decoder->state, root, text, text_len))
		return US_DECODE_REFUSED;
	return end_message(decoder->state);
}
