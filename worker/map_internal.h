/*-------------------------------------------------------------------------
 * worker/map_internal.h
 *    the plan behind map.h, for the map_*.c files only
 *
 * Three kinds of memory: the plan's context; the batch's, where values are
 * laid one behind the other; and the scratch of the plan, for what is of no
 * more use once a message is mapped.
 *-------------------------------------------------------------------------
 */
#ifndef US_MAP_INTERNAL_H
#define US_MAP_INTERNAL_H

#include "executor/execdesc.h"
#include "extension/compat.h"
#include "fmgr.h"
#include "worker/decode.h"
#include "worker/map.h"

/* where a column's value comes from */
typedef enum UsOrigin
{
	US_ORIGIN_FIELD,			/* a path into the message's value */
	US_ORIGIN_PART,				/* a part of the message */
	US_ORIGIN_DEFAULT			/* no message gives it */
} UsOrigin;

typedef enum UsPart
{
	US_PART_TOPIC,
	US_PART_PARTITION,
	US_PART_OFFSET,
	US_PART_TIMESTAMP,
	US_PART_KEY,
	US_PART_VALUE,
	US_PART_HEADERS,
	US_PART_REST
} UsPart;

/* what there is a shortcut for, by the type's input function */
typedef enum UsShortcut
{
	US_SHORTCUT_NONE,
	US_SHORTCUT_TEXT,			/* text, varchar, bpchar and citext, without a length */
	US_SHORTCUT_VARCHAR,		/* varchar(n) */
	US_SHORTCUT_BOOL,
	US_SHORTCUT_INT2,
	US_SHORTCUT_INT4,
	US_SHORTCUT_INT8,
	US_SHORTCUT_FLOAT4,
	US_SHORTCUT_FLOAT8,
	US_SHORTCUT_NUMERIC,
	US_SHORTCUT_UUID,
	US_SHORTCUT_DATE,
	US_SHORTCUT_TIMESTAMP,
	US_SHORTCUT_TIMESTAMPTZ,
	US_SHORTCUT_BYTEA,
	US_SHORTCUT_JSON,
	US_SHORTCUT_JSONB
} UsShortcut;

typedef enum UsDefaultState
{
	US_DEFAULT_NONE,			/* there is none: NULL */
	US_DEFAULT_UNREADY,			/* not looked at yet: us_default_value does when it is needed */
	US_DEFAULT_CONST,			/* value and isnull */
	US_DEFAULT_HARMLESS,		/* an expression that raises nothing, like now() */
	US_DEFAULT_EXPRESSION		/* any other; may run user code */
} UsDefaultState;

typedef struct UsDefault
{
	UsDefaultState state;
	Node	   *node;			/* as the catalog has it, coerced to the column's type */
	bool		per_batch;		/* may have changed by the next batch: then ready it again */
	uint64		batch;			/* per_batch: UsMap.batch that it was readied for */
	ExprState  *expression;
	ExprContext *econtext;
	Datum		value;
	bool		isnull;
} UsDefault;

typedef struct UsNested UsNested;	/* worker/map_nested.c */

typedef struct UsMapColumn
{
	UsOrigin	origin;
	UsShortcut	shortcut;
	UsPart		part;			/* US_ORIGIN_PART */
	int			field;			/* US_ORIGIN_FIELD: index into UsMap.values */
	int			index;			/* attribute number - 1 */
	int32		typmod;
	int16		typlen;
	bool		typbyval;
	bool		json_form;		/* json, jsonb, domains over them: a string keeps its quotes */
	bool		bytes_form;		/* a domain over bytea, or bytea */
	bool		array_form;		/* an array type, or a domain over one */
	bool		record_form;	/* a composite type, or a domain over one */
	bool		is_dated;		/* an event's number into a date or time, or an array of these */
	bool		is_bits;		/* an event's boolean into bits */
	bool		is_bytes_array; /* an event's array into bytea[] */
	bool		is_texts_array; /* an event's array into json[] or jsonb[]: of texts of JSON */
	bool		base64;			/* the field holds a bytea in base64; an event's perhaps */
	bool		short_header;	/* may be stored with a varlena header of one byte */
	bool		safe;			/* the input function leaves nothing behind when it raises */
	bool		null_call;		/* the input function wants to see NULLs (domains) */
	Oid			typioparam;
	FmgrInfo	input;
	UsNested   *nested;			/* made by the first value that needs it in a batch ... */
	uint64		nested_batch;	/* ... which is this one; in no other is nested valid */
	UsDefault	def;
} UsMapColumn;

struct UsMap
{
	/* fixed when compiled */
	MemoryContext context;
	MemoryContext scratch;
	TupleDesc	descriptor;
	int			ncolumns;		/* live columns that we fill */
	UsMapColumn *columns;		/* in attribute order */
	int			nattnums;
	AttrNumber *attnums;		/* of those that messages give */
	UsPathSet  *paths;
	UsDecoder  *decoder;
	UsCsv	   *csv;			/* format csv; else NULL */
	UsValue    *values;			/* paths->nfields, then key_paths->nfields */
	const UsFormat *format;		/* of the message's value */
	bool		takes_documents;	/* see us_map_take_documents */
	bool		utf8;			/* the database's encoding is that of messages */
	bool		leave_unfed;	/* see us_map_leave_unfed */
	bool		refuse_unknown; /* see us_map_refuse_unknown */
	bool		upserts;		/* see us_map_take_key */
	bool		removes;

	/* upserts: where the key of a message without a value goes */
	int			nkeys;
	UsMapColumn *key_columns;	/* their fields follow those of paths in values */
	int		   *key_others;		/* of each: field to take when that is absent; -1 = none */
	int		   *key_befores;	/* of each: field of an event's row that was; -1 = none */
	int			nkey_fields;	/* key columns that are fields of the key */
	bool		needs_key;
	UsPathSet  *key_paths;
	UsDecoder  *key_decoder;

	/* of the batch */
	MemoryContext batch_context;
	uint64		batch;			/* number of us_map_begin_batch calls */
	char	   *arena;			/* next free byte; arena .. arena_end is free */
	char	   *arena_end;

	/* of the message */
	bool		scratch_used;
	bool		removed;		/* the message mapped last gave only its key: the row has to go */
	const UsMessage *left;		/* us_map_fast left this one ... */
	const char *left_value;		/* ... with these bytes ... */
	TupleTableSlot *left_slot;	/* ... half done in this slot ... */
	int			left_column;	/* ... at this index into columns */
	const UsMessage *message;	/* in us_map_slow, for the error context */
	const char *error_column;
};

/* scratch to allocate in; it is emptied before the next message */
static inline MemoryContext
us_map_scratch(UsMap *map)
{
	map->scratch_used = true;
	return map->scratch;
}

/* the value of a message where it is one */
static inline Jsonb *
us_map_document(const UsMessage *message)
{
	return (Jsonb *) unconstify(char *, message->value);
}

/* worker/map_slow.c: raises what a decoder said of a message, or of its key */
pg_noreturn extern void us_map_raise_refused(UsMap *map, const UsDecodeError *error);

/* worker/map.c; for the slow way */
extern void us_map_begin_message(UsMap *map);
extern UsDecodeResult us_map_decode(UsMap *map, const UsMessage *message);
extern void us_map_begin_row(const UsMap *map, TupleTableSlot *slot);

/* whether a message's bytes mean the same in the database's encoding */
extern bool us_map_same_text(const UsMap *map, const UsMessage *message);

/* one column by its shortcut; false: there is none for this value */
extern bool us_map_column_fast(UsMap *map, UsMapColumn *column, const UsMessage *message,
							   Datum *result, bool *isnull);

/* worker/map_slow.c: one column, whatever it raises */
extern void us_map_column_slow(UsMap *map, UsMapColumn *column, const UsMessage *message,
							   Datum *result, bool *isnull);

/* worker/map_key.c: the key columns of a message without a value, and whether PG_TRY is enough */
extern void us_map_key_row(UsMap *map, const UsMessage *message, TupleTableSlot *slot);
extern bool us_map_key_is_safe(const UsMap *map);

/* worker/map_value.c */

/* the arena has no room for a value: begins a new chunk, or allocates it alone */
extern char *us_map_more(UsMap *map, Size size);

/* room for a value that lives as long as the batch, not aligned */
static inline char *
us_map_room(UsMap *map, Size size)
{
	char	   *result = map->arena;

	if (unlikely((Size) (map->arena_end - result) < size))
		return us_map_more(map, size);
	map->arena = result + size;
	return result;
}

/* copies of a varlena's bytes, and of any value, that live as long as the batch */
extern Datum us_map_store_bytes(UsMap *map, const UsMapColumn *column,
								const char *data, Size len);
extern Datum us_map_store(UsMap *map, const UsMapColumn *column, Datum value);

/*
 * us_value_fast -- the value of a column by its shortcut
 *
 * In:      value  neither absent nor null
 * Returns: false when the input function must decide
 * Errors:  none raised
 */
extern bool us_value_fast(UsMap *map, const UsMapColumn *column, const UsValue *value,
						  Datum *result);

/* the text for the input function of a column, NUL-terminated, in the scratch */
extern char *us_value_string(UsMap *map, const UsMapColumn *column, const UsValue *value);

#define US_FAST_JSON_MAX	(1024 * 1024)	/* bytes; far below the limits that make jsonb raise */

/* worker/map_nested.c */

/* whether a value is made by us_nested_value, not by the column's input function */
extern bool us_nested_wanted(const UsMapColumn *column, const UsValue *value);

/*
 * us_nested_value -- an array or composite from its JSON form; whatever it raises
 *
 * Returns: in CurrentMemoryContext, which must be the scratch
 */
extern Datum us_nested_value(UsMap *map, UsMapColumn *column, const UsValue *value,
							 bool *isnull);

/* worker/map_type.c; what a column's type asks for */
extern void us_map_plan_type(const UsFormat *format, UsMapColumn *column,
							 Form_pg_attribute attribute);

/* once all columns are planned: what the decoder may spare itself to write as text */
extern void us_map_plan_forms(UsMap *map);

/* worker/map_document.c: fills the values of paths, as a decoder does */
extern UsDecodeResult us_document_decode(UsMap *map, Jsonb *document);

/*
 * worker/map_csv.c: the dialect of CSV and its fields, and after the columns
 * are planned where the fields go
 */
extern UsCsv *us_map_plan_csv(TupleDesc descriptor, const UsStreamOptions *options);
extern void us_map_bind_csv(UsMap *map, Jsonb *columns);

/* worker/map_default.c */
extern void us_default_init(UsDefault *def, Relation relation, AttrNumber attnum);

/*
 * us_default_value -- value of a default; whatever it raises
 *
 * In:      column  state neither NONE nor CONST
 * Returns: in memory that lives until the next call for this column
 */
extern Datum us_default_value(UsMap *map, UsMapColumn *column, bool *isnull);

/* the same for US_DEFAULT_HARMLESS: raises nothing */
extern Datum us_default_harmless(UsMapColumn *column, bool *isnull);

/* worker/map_part.c; results in CurrentMemoryContext */

/*
 * us_part_text -- a part as text for an input function
 *
 * In:      bytes_form  key and value are wanted as bytea's text
 * Returns: NULL when the message has none
 */
extern char *us_part_text(UsMap *map, const UsMessage *message, UsPart part, bool bytes_form);

/* US_PART_HEADERS and US_PART_REST; NULL when the message has none */
extern Jsonb *us_part_jsonb(UsMap *map, const UsMessage *message, UsPart part);

/* worker/map_rest.c */

/* US_PART_REST, in CurrentMemoryContext */
extern Jsonb *us_part_rest(UsMap *map, const UsMessage *message);

/* raises 22023 when @rest would not be empty, naming the first field in it */
extern void us_part_refuse_rest(UsMap *map, const UsMessage *message);

#endif							/* US_MAP_INTERNAL_H */
