/*-------------------------------------------------------------------------
 * worker/map.h
 *    one message -> the columns of one row, by a plan compiled once
 *
 * The plan says for each column of the target where its value comes from: a
 * JSON path, a part of the message (@offset ...), its default, or nothing.
 * A column takes what value::jsonb ->> 'field' gives, through the column
 * type's own input function or a shortcut with the same result.
 *
 * Mapping is in two steps, so that the common case costs no error handling:
 * us_map_fast never raises and never runs user code; what it leaves is done
 * by us_map_slow, which may do both.
 *-------------------------------------------------------------------------
 */
#ifndef US_MAP_H
#define US_MAP_H

#include "executor/tuptable.h"
#include "extension/catalog.h"
#include "utils/jsonb.h"
#include "utils/rel.h"
#include "worker/key.h"
#include "worker/source.h"

typedef struct UsMap UsMap;

struct UsDecoder;				/* worker/decode.h */
struct UsSchemas;				/* worker/schemas.h */

typedef enum UsMapResult
{
	US_MAP_DONE,				/* the slot holds the row */
	US_MAP_SKIP,				/* the message gives no row (a tombstone) */
	US_MAP_SLOW_SAFE,			/* us_map_slow must finish it; PG_TRY is enough around it */
	US_MAP_SLOW					/* us_map_slow must finish it, inside a subtransaction */
} UsMapResult;

/*
 * us_map_compile -- the plan for a relation as it stands
 *
 * In:      format     of the message's value ("json")
 *          columns    of create_stream; NULL = each column by its name
 *          options    of the stream: what its format needs of them
 *          context    that the plan lives in; delete it to free the plan
 * Errors:  42703 unknown column (hint: the nearest name); 22023 bad grammar
 *          of columns; 428C9 a generated column named
 * Needs:   transaction, relation open and locked
 */
extern UsMap *us_map_compile(Relation relation, const char *format, Jsonb *columns,
							 const UsStreamOptions *options, MemoryContext context);

/* attribute numbers of the columns that messages give (for privilege checks, INSERT lists) */
extern int	us_map_columns(const UsMap *map, const AttrNumber **attnums);

/* format csv: the dialect of the messages; else NULL */
extern const struct UsCsv *us_map_csv(const UsMap *map);

/* slots of this descriptor hold the rows; a copy that no relation owns */
extern TupleDesc us_map_descriptor(const UsMap *map);

/*
 * us_map_leave_unfed -- who fills the columns that no message gives
 *
 * Off (as after us_map_compile): the map puts their defaults into the row,
 * also the numbers of identity columns.  On: they stay null, because the row
 * is written by an INSERT that leaves them out and so finds them itself.
 */
extern void us_map_leave_unfed(UsMap *map, bool leave);

/*
 * us_map_refuse_unknown -- whether a field that no column takes is an error
 *
 * Off after us_map_compile.  Nothing is unknown where a column takes @rest.
 */
extern void us_map_refuse_unknown(UsMap *map, bool refuse);

/*
 * us_map_take_key -- map for upsert
 *
 * Columns that a message does not have are then left null, whatever their
 * default: the row may be there already.
 * In:      removes  a message without a value becomes the key of its row
 * Errors:  42P10 a key column takes nothing from messages
 */
extern void us_map_take_key(UsMap *map, const UsKey *key, bool removes);

/*
 * us_map_take_documents -- map messages whose values are Jsonb, not its text
 *
 * Returns: false when this plan needs the text: then nothing changes
 */
extern bool us_map_take_documents(UsMap *map);

/* schemas of the messages' format, which must outlive the map; NULL: it has none */
extern void us_map_take_schemas(UsMap *map, struct UsSchemas *schemas);

/*
 * us_message_json -- a message whose value is JSON, from one of a decoder's format
 *
 * Not checked to be JSON where the bytes are the message's own.
 * Out:     json     the message with another value: bytes of the message or the decoder
 * Errors:  what is wrong with the message
 */
extern void us_message_json(struct UsDecoder *decoder, const UsMessage *message, UsMessage *json);

/* the same as text of the database's encoding, NUL-terminated, in CurrentMemoryContext */
extern char *us_message_json_text(struct UsDecoder *decoder, const UsMessage *message);

/* whether the message mapped last gave only the key of a row, which has to go */
extern bool us_map_is_removal(const UsMap *map);

/*
 * us_map_note_present -- which columns the message mapped last has
 *
 * Out:     present  one for each of us_map_columns
 */
extern void us_map_note_present(const UsMap *map, bool *present);

/*
 * us_map_begin_batch -- once before the messages of a batch
 *
 * Values are palloc'd in batch_context, which the caller resets after the
 * rows are written; then it calls this again before the next message.
 */
extern void us_map_begin_batch(UsMap *map, MemoryContext batch_context);

/*
 * us_map_fast -- map a message as far as can be done without risk
 *
 * In:      slot  empty, of us_map_descriptor; filled (and stored as virtual
 *                tuple) when the result is US_MAP_DONE
 * Errors:  none raised but out of memory
 */
extern UsMapResult us_map_fast(UsMap *map, const UsMessage *message, TupleTableSlot *slot);

/*
 * us_map_slow -- map a message wholly
 *
 * Errors:  what is wrong with the message: 22P02 not JSON or empty, 22P05
 *          \u0000 or not convertible, 22021 not UTF-8, 22023 not an object, or
 *          a field that no column takes (see us_map_refuse_unknown),
 *          or what the column's input function, domain or default raises.
 *          us_map_error_column then names the column.
 * Needs:   transaction, active snapshot; what us_map_fast left is finished
 *          without decoding it again when this comes right after it
 */
extern void us_map_slow(UsMap *map, const UsMessage *message, TupleTableSlot *slot);

/* name of the column whose value was being made when us_map_slow raised; NULL = none */
extern const char *us_map_error_column(const UsMap *map);

/* bytes of a message as text of the database's encoding, NUL-terminated; 22021, 22P05 */
extern char *us_message_text(const char *data, size_t len);

/* a message as userstream.message, whose descriptor is type; in CurrentMemoryContext */
extern HeapTuple us_message_tuple(const UsMessage *message, TupleDesc type);

/* headers as the jsonb array that design 3 describes: [{"key": k, "value": v}]; NULL = none */
extern Jsonb *us_message_headers(const UsMessage *message);

/* time of a message; false when it has none */
extern bool us_message_time(const UsMessage *message, TimestampTz *time);

/* the way back: timestamp_ms of a message whose time this is */
extern int64 us_message_ms(TimestampTz time);

#endif							/* US_MAP_H */
